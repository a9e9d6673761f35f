//! Writing on behind the end of a stream: records, segments with their shadows, new generations (`log-3 §2` to `§8`, `log-8 §2`).

use crate::error::{ReplayError, Result};
use crate::stream::Clock;
use crate::stream::files::StreamFiles;
use crate::stream::replacing::Replacing;
use crate::stream::segments::{Packer, Segment};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::attachments::{self, Attachment};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::{HEADER_SIZE, LogHeader};
use anchorlog_format::log::names::GENERATION_MAX_RECOVERY;
use anchorlog_format::log::parameters::Parameters;
use anchorlog_format::log::record::{FillFixed, Operation};
use anchorlog_format::log::scan::Repair;
use anchorlog_format::log::segment::{SEGMENT_SIZE, SegmentHeader};
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::units::{Generation, LogPosition, LogTime, PageSize, Signature};
use anchorlog_storage::{File, Folder, open_or_create};
use std::path::PathBuf;
use std::sync::Arc;

/// Full segments that may wait for being written.
const WAITING_MAX: usize = 256;
/// Flags of a log header.
const CIRCULAR: u8 = 2;
const WAS_CIRCULAR: u8 = 4;

/// What a new generation's header says beyond what follows from the generation before (`log-3 §6.1`, `log-8 §2.3`).
#[derive(Clone, Debug)]
pub struct NewGeneration {
    /// The checkpoint at this moment.
    pub checkpoint: LogPosition,
    /// Databases attached at this moment.
    pub attachments: Vec<Attachment>,
    /// Parameters of the writing engine; also says whether circular logging is on.
    pub parameters: Parameters,
    /// The format wanted at least; never below that of the generation before.
    pub version: LogVersion,
    /// `le_efvEngineCurrentDiagnostic`.
    pub engine_version: u32,
    /// Segments of the file; `None`: as the generation before.
    pub segments: Option<u16>,
}

/// A stream that does not exist yet (`log-3 §7`).
#[derive(Clone, Debug)]
pub struct NewStream {
    /// First generation, usually 1.
    pub generation: Generation,
    /// Random number of the signature.
    pub random: u32,
    /// Page size of the databases.
    pub page_size: PageSize,
    /// Segments of a file.
    pub segments: u16,
}

/// What became of a request to fill the open segment (`log-3 §4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// The segment was filled with a NOP2, at this position.
    Yes(LogPosition),
    /// Nothing to fill: no record stands in the segment.
    Unused,
    /// Fewer than five bytes are free: the segment is written as it is, with its shadow (trap G63).
    NoRoom,
    /// The last usable segment is never filled: the generation must be closed instead (trap G62).
    CloseGeneration,
}

/// Appends records behind the end of a stream.
///
/// Records stand in memory until [`LogWriter::flush`] (or until many wait). A record that does not fit into the generation is refused by
/// [`LogWriter::append`]; the caller then begins a generation, writes what must be on disk before it is used (database headers), and
/// appends again.
pub struct LogWriter {
    root: Arc<dyn Folder>,
    files: StreamFiles,
    clock: Clock,
    header: LogHeader,
    /// `None` where the last generation cannot be written to any more.
    file: Option<Arc<dyn File>>,
    /// Whether the last generation still has the current log's name.
    is_current: bool,
    packer: Packer,
    accumulated: u64,
    accumulated_before: u64,
    /// The last write was the open segment, partial: its shadow stands behind it.
    shadow: bool,
    /// Bytes of the open segment that are in the file.
    written: usize,
    failed: bool,
    /// Logs are replaced whole instead of being written where they stand.
    replaces: bool,
}

impl LogWriter {
    /// Goes on behind the end of the last log of a stream: in its next segment, or, where it is full, legacy or archived, with a new
    /// generation (`log-3 §8`). A segment that the scan took from its shadow is written back.
    ///
    /// `log` is that last log, read whole; `is_current` whether its file has the current log's name.
    ///
    /// # Errors
    /// −501 for a corrupt log; errors of the storage.
    pub fn resume(root: Arc<dyn Folder>, files: StreamFiles, log: &LogFile<'_>, is_current: bool, clock: Clock) -> Result<Self> {
        let end = log.end();
        if end.corruption.is_some() {
            return Err(
                ReplayError::new(JetCode::LOG_FILE_CORRUPT, "nothing can be written behind a damaged log").at(end.position)
            );
        }
        let header = log.header().clone();
        let last_usable = header.geometry().last_usable();
        let next = end.last_segment.map_or(header.header_sectors, |last| last.saturating_add(1));
        let open = is_current && !header.version().is_legacy() && next <= last_usable;
        let lost: Vec<u16> =
            end.repairs.iter().filter_map(shadowed).filter(|_| is_current && !header.version().is_legacy()).collect();
        let file = match &files.current {
            Some(path) if open || !lost.is_empty() => Some(root.open_write(path)?),
            _ => None,
        };
        // Also where nothing more is written into this file: it is read again.
        for segment in lost {
            let start = usize::from(segment) * SEGMENT_SIZE;
            if let (Some(file), Some(bytes)) = (&file, log.bytes().get(start..start + SEGMENT_SIZE)) {
                file.write_at(offset(segment), bytes)?;
                file.sync()?;
            }
        }
        let file = file.filter(|_| open);
        let first = if open { next } else { last_usable.saturating_add(1) };
        Ok(Self {
            root,
            files,
            clock,
            packer: Packer::new(header.generation, first, last_usable),
            header,
            file,
            is_current,
            accumulated: end.accumulated,
            accumulated_before: end.accumulated,
            shadow: false,
            written: 0,
            failed: false,
            replaces: false,
        })
    }

    /// From now on each flush replaces the current log by a new file, whole: `bytes` is the log that was resumed. A segment in a file that
    /// is written where it stands may be torn, or reach the disk before the one in front of it, and either is damage (`log-1 §8`).
    pub fn replace_whole(&mut self, bytes: &[u8]) {
        self.replaces = true;
        if self.file.is_some() {
            self.file = Some(self.replacement(bytes.to_vec()));
        }
    }
    fn replacement(&self, bytes: Vec<u8>) -> Arc<dyn File> {
        Arc::new(Replacing::new(self.root.clone(), &self.files, self.current_path(), bytes))
    }

    /// Begins a stream where there is none; the checkpoint must be on disk before (`log-3 §7`).
    ///
    /// # Errors
    /// `AlreadyExists` and other errors of the storage; −1601 for attached databases that do not fit the header.
    pub fn create(
        root: Arc<dyn Folder>,
        files: StreamFiles,
        stream: &NewStream,
        begin: &NewGeneration,
        clock: Clock,
    ) -> Result<Self> {
        let created = clock();
        let mut header = LogHeader::read(&[0; HEADER_SIZE]).expect("the buffer holds a whole header");
        header.generation = stream.generation;
        header.created = created;
        header.signature = Signature::new(stream.random, created);
        header.page_size_field = u16::try_from(u32::from(stream.page_size)).unwrap_or(0);
        header.sectors = begin.segments.unwrap_or(stream.segments);
        complete(&mut header, begin, begin.version, 0)?;
        let mut writer = Self {
            root,
            files,
            clock,
            packer: Packer::new(header.generation, header.header_sectors, header.geometry().last_usable()),
            header,
            file: None,
            is_current: true,
            accumulated: 0,
            accumulated_before: 0,
            shadow: false,
            written: 0,
            failed: false,
            replaces: false,
        };
        writer.install()?;
        Ok(writer)
    }

    /// Where the next record goes, as this writer sees it: the start of a segment while no record stands in it (`log-1 §2.2`).
    #[must_use]
    pub fn position(&self) -> LogPosition {
        self.packer.position()
    }
    /// The generation being written.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.header.generation
    }
    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &LogHeader {
        &self.header
    }
    /// The files of the stream.
    #[must_use]
    pub const fn files(&self) -> &StreamFiles {
        &self.files
    }
    /// XOR of the checksums of the segments written so far.
    #[must_use]
    pub const fn accumulated(&self) -> u64 {
        self.accumulated
    }
    /// Whether records of these sizes fit together into this generation.
    #[must_use]
    pub fn fits(&self, sizes: &[usize]) -> bool {
        self.packer.fits(sizes)
    }

    /// Appends a record; returns its position, or `None`, with nothing done, where it does not fit into this generation.
    ///
    /// # Errors
    /// −510 after a failed write (for ever); −517 for a record larger than a whole generation; errors of the storage.
    pub fn append(&mut self, operation: &Operation<'_>) -> Result<Option<LogPosition>> {
        let bytes = operation.encode().map_err(|error| ReplayError::new(JetCode::INVALID_LOGGED_OPERATION, error.to_string()))?;
        self.append_bytes(&[&bytes])
    }

    /// Appends encoded records that must stay together (a macro's commit with its list of pages); returns the position of the first.
    ///
    /// # Errors
    /// As [`LogWriter::append`].
    pub fn append_bytes(&mut self, records: &[&[u8]]) -> Result<Option<LogPosition>> {
        self.refuse_if_failed()?;
        let sizes: Vec<usize> = records.iter().map(|record| record.len()).collect();
        if !self.packer.fits(&sizes) {
            let empty = Packer::new(self.generation(), self.header.header_sectors, self.header.geometry().last_usable());
            if !empty.fits(&sizes) {
                return Err(ReplayError::new(JetCode::LOG_BUFFER_TOO_SMALL, "the record is larger than a log file"));
            }
            return Ok(None);
        }
        let position = self.position();
        for record in records {
            self.packer.append(record, &self.clock);
        }
        if self.packer.full.len() > WAITING_MAX {
            self.write_full()?;
        }
        Ok(Some(position))
    }

    /// Fills the open segment with a NOP2, as a commit that is waited for does.
    pub fn fill_segment(&mut self) -> Filled {
        if self.packer.open.is_unused() {
            return Filled::Unused;
        }
        if self.packer.open.index >= self.packer.last_usable {
            return Filled::CloseGeneration;
        }
        if SEGMENT_SIZE - self.packer.open.at < FillFixed::SIZE {
            return Filled::NoRoom;
        }
        let position = self.position();
        self.packer.fill(&self.clock);
        Filled::Yes(position)
    }

    /// Leaves the rest of the open segment unused and goes on in the next, as a session does that reopens the log (trap G64).
    pub fn start_segment(&mut self) {
        if !self.packer.open.is_unused() {
            self.packer.close();
        }
    }

    /// Writes everything and makes it durable; the open segment goes out with its shadow.
    ///
    /// # Errors
    /// −510 after a failed write; errors of the storage.
    pub fn flush(&mut self) -> Result<()> {
        self.refuse_if_failed()?;
        self.guarded(|writer| {
            writer.write_full_segments()?;
            writer.write_open_segment()?;
            match &writer.file {
                Some(file) => Ok(file.sync()?),
                None => Ok(()),
            }
        })
    }

    /// Closes this generation and begins the next (`log-3 §6`, steps 1 and 3 to 6): pads the open segment, writes, makes the next file with
    /// its header aside, renames the full log to its number, then the new file to the current log's name. Nothing may be flushed into it
    /// before the database headers know it.
    ///
    /// # Errors
    /// −519 at the last generation; −510 after a failed write; errors of the storage.
    pub fn new_generation(&mut self, begin: &NewGeneration) -> Result<&LogHeader> {
        self.refuse_if_failed()?;
        if self.generation() >= GENERATION_MAX_RECOVERY {
            return Err(ReplayError::new(JetCode::LOG_SEQUENCE_END, "the stream has used up its generations"));
        }
        self.guarded(|writer| writer.roll(begin))?;
        Ok(&self.header)
    }

    fn roll(&mut self, begin: &NewGeneration) -> Result<()> {
        if self.file.is_some() {
            // A generation that is closed without any waiting byte gets one segment of padding.
            if !self.packer.open.is_unused() || (self.packer.full.is_empty() && self.packer.open.index <= self.packer.last_usable)
            {
                self.packer.close();
            }
            self.write_full_segments()?;
            if let Some(file) = &self.file {
                file.sync()?;
            }
        }
        let previous = &self.header;
        let mut header = previous.clone();
        header.generation = Generation(previous.generation.0 + 1);
        header.previous_created = previous.created;
        header.created = differing((self.clock)(), previous.created);
        header.sectors = begin.segments.unwrap_or(match previous.version().is_legacy() {
            true => u16::try_from(previous.geometry().file_size() / SEGMENT_SIZE as u64).unwrap_or(u16::MAX),
            false => previous.sectors,
        });
        let version = previous.version().raised_to(begin.version);
        // Also in a format that is older than the field: engines that know it always fill it (`mixed-4k-efv8020`).
        header.previous_accumulated = self.accumulated;
        let was_circular = if previous.flags & (CIRCULAR | WAS_CIRCULAR) != 0 { WAS_CIRCULAR } else { 0 };
        complete(&mut header, begin, version, was_circular)?;
        let archive = self.files.path(&self.files.naming.archive(previous.generation));
        let current = self.current_path();
        let old = previous.generation;
        self.header = header;
        self.prepare()?;
        if self.is_current {
            self.root.rename(&current, &archive)?;
            // Were the second rename to reach the disk alone, it would replace the full log.
            self.root.sync()?;
            self.files.archives.insert(old, archive);
            self.files.current = None;
        }
        self.put_in_place()?;
        self.packer = Packer::new(self.header.generation, self.header.header_sectors, self.header.geometry().last_usable());
        (self.accumulated, self.accumulated_before, self.shadow, self.written) = (0, 0, false, 0);
        Ok(())
    }

    fn install(&mut self) -> Result<()> {
        self.prepare()?;
        self.put_in_place()
    }

    /// Makes the next log aside, whole and durable: its header must be complete before any rename (trap G65).
    fn prepare(&mut self) -> Result<()> {
        let path = self.temporary_path();
        // A stale one is emptied: it may hold a retired generation.
        let file = open_or_create(&*self.root, &path)?;
        file.set_size(0)?;
        file.set_size(self.header.geometry().file_size())?;
        file.write_at(0, &self.header.to_bytes())?;
        file.sync()?;
        self.files.temporary = Some(path);
        self.file = Some(file);
        Ok(())
    }

    /// The archive's rename came first: two current logs never exist (trap G66).
    fn put_in_place(&mut self) -> Result<()> {
        let current = self.current_path();
        self.root.rename(&self.temporary_path(), &current)?;
        self.root.sync()?;
        self.file = Some(if self.replaces {
            let mut bytes = self.header.to_bytes().to_vec();
            bytes.resize(usize::try_from(self.header.geometry().file_size()).map_err(std::io::Error::other)?, 0);
            self.replacement(bytes)
        } else {
            self.root.open_write(&current)?
        });
        self.files.temporary = None;
        self.files.current = Some(current);
        self.is_current = true;
        Ok(())
    }

    /// Makes an empty file of a log's size ready for the next generation, as the engine leaves one behind.
    ///
    /// # Errors
    /// Errors of the storage.
    pub fn prepare_next(&mut self) -> Result<()> {
        let path = self.temporary_path();
        let file = open_or_create(&*self.root, &path)?;
        file.set_size(0)?;
        file.set_size(self.header.geometry().file_size())?;
        file.sync()?;
        self.files.temporary = Some(path);
        Ok(())
    }

    fn current_path(&self) -> PathBuf {
        self.files.path(&self.files.naming.current())
    }
    fn temporary_path(&self) -> PathBuf {
        self.files.path(&self.files.naming.temporary())
    }

    fn write_full(&mut self) -> Result<()> {
        self.guarded(Self::write_full_segments)
    }

    /// All full segments. Where a shadow stands behind the first, that one goes alone before the others overwrite its shadow (trap G57);
    /// where it is the only one, it is written over its shadow as well (trap G58).
    fn write_full_segments(&mut self) -> Result<()> {
        let segments: Vec<Segment> = self.packer.full.drain(..).collect();
        let Some(first) = segments.first() else { return Ok(()) };
        let had_shadow = self.shadow;
        let start = first.index;
        let mut bytes = Vec::with_capacity(segments.len() * SEGMENT_SIZE);
        for segment in &segments {
            bytes.extend_from_slice(&self.seal(segment));
        }
        let file = self.open_file()?;
        if had_shadow {
            let (alone, others) = bytes.split_at(SEGMENT_SIZE);
            file.write_at(offset(start), alone)?;
            // Before its only other copy goes, it must be there.
            file.sync()?;
            file.write_at(offset(start + 1), if others.is_empty() { alone } else { others })?;
        } else {
            file.write_at(offset(start), &bytes)?;
        }
        self.shadow = false;
        self.written = 0;
        Ok(())
    }

    /// The open segment as far as it goes, and the same bytes as its shadow one further (trap G56).
    fn write_open_segment(&mut self) -> Result<()> {
        if self.packer.open.is_unused() || self.packer.open.at == self.written {
            return Ok(());
        }
        let (index, had_shadow, at) = (self.packer.open.index, self.shadow, self.packer.open.at);
        let open = self.packer.open.clone();
        let bytes = self.seal(&open);
        let file = self.open_file()?;
        if had_shadow {
            file.write_at(offset(index), &bytes)?;
            file.sync()?;
            file.write_at(offset(index + 1), &bytes)?;
        } else {
            file.write_at(offset(index), &[bytes, bytes].concat())?;
        }
        self.shadow = true;
        self.written = at;
        Ok(())
    }

    /// Head and checksum of a segment; keeps the accumulated checksum, from which a rewritten version must be taken out (trap G59).
    fn seal(&mut self, segment: &Segment) -> [u8; SEGMENT_SIZE] {
        let mut bytes = segment.bytes;
        let position = LogPosition { generation: self.header.generation, sector: segment.index, byte: 0 };
        SegmentHeader { checksum: 0, position, started: segment.started, reserved: [0; 12], flags: 0 }.write(&mut bytes);
        let checksum = anchorlog_checksum::set_segment_checksum(&mut bytes, segment.index.into());
        if std::mem::take(&mut self.shadow) {
            self.accumulated = self.accumulated_before ^ checksum;
        } else {
            self.accumulated_before = self.accumulated;
            self.accumulated ^= checksum;
        }
        bytes
    }

    fn open_file(&self) -> Result<Arc<dyn File>> {
        self.file.clone().ok_or_else(|| ReplayError::new(JetCode::LOG_WRITE_FAIL, "no generation is open for writing"))
    }

    /// A failed write takes the log down for good (trap G85).
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let result = work(self);
        self.failed |= result.is_err();
        result
    }
    fn refuse_if_failed(&self) -> Result<()> {
        if self.failed {
            return Err(ReplayError::new(JetCode::LOG_WRITE_FAIL, "an earlier write to the log failed"));
        }
        Ok(())
    }
}

/// The segment that was taken from its shadow.
const fn shadowed(repair: &Repair) -> Option<u16> {
    match repair {
        Repair::Shadow { segment } => Some(*segment),
        Repair::Bit { .. } => None,
    }
}

fn offset(segment: u16) -> u64 {
    u64::from(segment) * SEGMENT_SIZE as u64
}

/// The fields that every new header gets.
fn complete(header: &mut LogHeader, begin: &NewGeneration, version: LogVersion, was_circular: u8) -> Result<()> {
    (header.major, header.minor) = (version.major, version.minor);
    (header.update_major, header.update_minor) = (version.update_major, version.update_minor);
    (header.sector_size, header.header_sectors) = (4096, 1);
    header.flags = was_circular | if begin.parameters.is_circular() { CIRCULAR } else { 0 };
    header.checkpoint = begin.checkpoint;
    header.parameters = begin.parameters.clone();
    header.disk_sector_mismatch = 0;
    header.engine_version = begin.engine_version;
    header.reserved = 0;
    header.file_type = 3;
    header.attachment_list =
        attachments::write(&begin.attachments).map_err(|error| ReplayError::new(JetCode(-1601), error.to_string()))?;
    Ok(())
}

/// A creation time that differs from the generation before's, whatever the clock says: the chain test compares them.
fn differing(now: LogTime, previous: LogTime) -> LogTime {
    if now.0 != previous.0 {
        return now;
    }
    let [second, minute, hour, day, month, year, ..] = now.0;
    let next = (now.millisecond() + 1) % 1000;
    let second = if next == 0 { (second + 1) % 60 } else { second };
    LogTime::utc(1900 + u16::from(year), month, day, hour, minute, second, next)
}
