//! Reading the generations of a stream in order, one log file in memory at a time (`log-1 §9`, `log-5 §7`).

use crate::error::{ReplayError, Result};
use crate::stream::files::StreamFiles;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile, Records};
use anchorlog_format::log::header::{Expected, HEADER_SIZE, LogHeader};
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::units::{Generation, LogPosition, LogTime, PageSize, Signature};
use anchorlog_storage::{Folder, read_all};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the next generation must join on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLink {
    /// Generation.
    pub generation: Generation,
    /// When it was made.
    pub created: LogTime,
    /// Signature of its stream.
    pub signature: Signature,
    /// Its format.
    pub version: LogVersion,
    /// XOR of the checksums of its segments; 0 for a legacy log.
    pub accumulated: u64,
}

impl LogLink {
    /// The link that a log offers, read to its end.
    #[must_use]
    pub fn of(log: &LogFile<'_>) -> Self {
        let header = log.header();
        Self {
            generation: header.generation,
            created: header.created,
            signature: header.signature,
            version: header.version(),
            accumulated: log.end().accumulated,
        }
    }
    /// The chain tests of `log-1 §9`, in their order.
    ///
    /// # Errors
    /// −530 signature, −515 generation or creation time, −590 accumulated checksum.
    pub fn check(&self, next: &LogHeader) -> Result<()> {
        if next.signature != self.signature {
            return Err(ReplayError::new(JetCode::BAD_LOG_SIGNATURE, "the next log belongs to another stream"));
        }
        // All eight bytes: forks may differ in milliseconds only (trap G11).
        if next.generation.0 != self.generation.0.wrapping_add(1) || next.previous_created != self.created {
            let reason = format!(
                "generation {} made after {} does not follow generation {} made at {}",
                next.generation, next.previous_created, self.generation, self.created
            );
            return Err(ReplayError::new(JetCode::INVALID_LOG_SEQUENCE, reason));
        }
        // The newer log's version decides (trap G12); behind a legacy log the field is 0, as its sum (trap Y19).
        if next.version().has_accumulated_checksum() && next.previous_accumulated != self.accumulated {
            let reason = format!(
                "generation {} was begun behind another content of generation {}: checksum {:#018x}, found {:#018x}",
                next.generation, self.generation, next.previous_accumulated, self.accumulated
            );
            return Err(ReplayError::new(JetCode(-590), reason));
        }
        Ok(())
    }
}

/// An open log with the place from which its records are wanted.
#[derive(Debug)]
pub struct OpenLog {
    /// Its file.
    pub path: PathBuf,
    /// Whether it is the stream's current log.
    pub is_current: bool,
    /// The log.
    pub log: LogFile<'static>,
    /// First position wanted.
    pub start: LogPosition,
    /// The code with which damage behind its header makes the log refused; the records before the damage can still be read.
    pub refusal: Option<JetCode>,
}

impl OpenLog {
    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &LogHeader {
        self.log.header()
    }
    /// The wanted records, in order.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        self.log.records_from(self.start)
    }
    /// The refusal as an error with its place.
    #[must_use]
    pub fn refused(&self) -> Option<ReplayError> {
        let jet = self.refusal?;
        let end = self.log.end();
        let what = match end.corruption {
            Some(corruption) if corruption.only_a_shadow => {
                format!("segment {:#x} is a torn copy of the last one; the data before it is whole", corruption.segment)
            }
            Some(corruption) => format!("segment {:#x} is damaged ({:?})", corruption.segment, corruption.reason),
            None if end.torn => "the last write to the log was cut short".to_owned(),
            None => "the last segment had to be taken from its copy".to_owned(),
        };
        Some(ReplayError::new(jet, what).at(end.position).in_file(self.path.display().to_string()))
    }
}

/// What comes next in a stream.
#[derive(Debug)]
pub enum Next {
    /// A log.
    Log(Box<OpenLog>),
    /// The log before was the current one: the stream ends there.
    End,
    /// The stream breaks off: there is neither this generation nor a current log. Whether that is the end (a crash between two renames,
    /// a restore) or a missing log (−528, −543) is the run's decision.
    Missing(Generation),
}

/// Gives the logs of a stream in order.
pub struct StreamReader {
    root: Arc<dyn Folder>,
    files: StreamFiles,
    context: ReadContext,
    signature: Option<Signature>,
    page_size: Option<PageSize>,
    start: LogPosition,
    last: Option<(LogLink, bool)>,
}

impl StreamReader {
    /// A reader that begins at `start`; `context` decides the codes of damaged logs.
    #[must_use]
    pub fn new(root: Arc<dyn Folder>, files: StreamFiles, start: LogPosition, context: ReadContext) -> Self {
        Self { root, files, context, signature: None, page_size: None, start, last: None }
    }
    /// The same, but each log must have this signature and be of databases with this page size.
    #[must_use]
    pub const fn expecting(mut self, signature: Option<Signature>, page_size: Option<PageSize>) -> Self {
        self.signature = signature;
        self.page_size = page_size;
        self
    }
    /// The files.
    #[must_use]
    pub const fn files(&self) -> &StreamFiles {
        &self.files
    }
    /// What the log given last offers to its successor.
    #[must_use]
    pub fn last(&self) -> Option<&LogLink> {
        self.last.as_ref().map(|(link, _)| link)
    }

    /// The next log. The one before can be dropped first.
    ///
    /// # Errors
    /// Header and chain errors with their codes (`log-1 §4.2`, `§9`), −509 where the first log is missing, errors of the storage. Damage
    /// behind the header is no error here: see [`OpenLog::refusal`].
    pub fn next_log(&mut self) -> Result<Next> {
        let (path, is_current) = match &self.last {
            None => self.first_path()?,
            Some((_, true)) => return Ok(Next::End),
            Some((link, false)) => {
                let generation = Generation(link.generation.0.wrapping_add(1));
                match self.files.archives.get(&generation) {
                    Some(path) => (path.clone(), false),
                    // Whatever its generation: a gap below the current log shows as a broken sequence.
                    None => match &self.files.current {
                        Some(path) => (path.clone(), true),
                        None => return Ok(Next::Missing(generation)),
                    },
                }
            }
        };
        let open = self.open(&path, is_current).map_err(|error| error.in_file(path.display().to_string()))?;
        self.last = Some((LogLink::of(&open.log), is_current));
        Ok(Next::Log(Box::new(open)))
    }

    fn first_path(&self) -> Result<(PathBuf, bool)> {
        if let Some(path) = self.files.archives.get(&self.start.generation) {
            return Ok((path.clone(), false));
        }
        let missing = || {
            let reason = format!("the log of generation {}, where replay must begin, is missing", self.start.generation);
            ReplayError::new(JetCode::MISSING_PREVIOUS_LOG_FILE, reason)
        };
        let current = self.files.current.as_ref().ok_or_else(missing)?;
        let generation = read_header(&*self.root, current)?.generation;
        // A current log right behind the wanted one is taken from its beginning.
        let wanted = self.start.generation.0;
        if generation.0 == wanted || generation.0 == wanted.wrapping_add(1) {
            Ok((current.clone(), true))
        } else {
            Err(missing())
        }
    }

    fn open(&self, path: &Path, is_current: bool) -> Result<OpenLog> {
        let file = self.root.open(path)?;
        let size = file.size()?;
        let header = read_header(&*self.root, path)?;
        let expected = Expected {
            signature: self.signature.or(self.last.as_ref().map(|(link, _)| link.signature)),
            page_size: self.page_size,
            file_size: Some(size),
            ..Expected::default()
        };
        header.compare(&expected).map_err(|error| ReplayError::new(error.jet(), error.to_string()))?;
        match &self.last {
            Some((link, _)) => link.check(&header)?,
            None if !is_current && header.generation != self.start.generation => {
                let reason = format!("the header says generation {}, the name {}", header.generation, self.start.generation);
                return Err(ReplayError::new(JetCode::INVALID_LOG_SEQUENCE, reason));
            }
            None => {}
        }
        let log = LogFile::open_owned(read_all(&*file, FILE_SIZE_MAX)?)
            .map_err(|error| ReplayError::new(error.jet(), error.to_string()))?;
        let refusal = log.end().refusal(self.context, is_current);
        let start = self.start.max(log.header().first_position());
        Ok(OpenLog { path: path.into(), is_current, log, start, refusal })
    }
}

/// Reads and checks the header of a log, and nothing more.
///
/// # Errors
/// Errors of the storage; [`anchorlog_format::log::header::HeaderError`] with its code.
pub fn read_header(root: &dyn Folder, path: &Path) -> Result<LogHeader> {
    let mut bytes = vec![0; HEADER_SIZE];
    let read = root.open(path)?.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    LogHeader::check(&bytes).map_err(|error| ReplayError::new(error.jet(), error.to_string()).in_file(path.display().to_string()))
}
