//! What recovery leaves in the log: the records of undo, the shutdown mark, the end, the checkpoint (`log-8 §1, §2, §4`).

use crate::ambient::Ambient;
use crate::error::Result;
use crate::logs::{self, Logs};
use crate::stream::files::StreamFiles;
use crate::stream::writer::{Filled, LogWriter, NewGeneration};
use crate::undo::UndoLog;
use anchorlog_format::log::attachments::Attachment;
use anchorlog_format::log::checkpoint::{COPY_SIZE, Checkpoint};
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::parameters::Parameters;
use anchorlog_format::log::record::{Bare, Operation, RecoveryUndo, Term};
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::units::{Generation, LogPosition, LogTime, Signature};
use anchorlog_storage::open_or_create;
use std::path::Path;

/// The format that a stream of the 7.x format goes on in: the oldest 8.x that holds everything recovery writes (`log-1 §5.3`).
const VERSION_AFTER_LEGACY: LogVersion = LogVersion::segmented(5, 16);

/// How the end of a log begins.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The checkpoint at this moment.
    pub checkpoint: LogPosition,
    /// Databases attached at this moment.
    pub attachments: Vec<Attachment>,
    /// Whether the log is no copy: what is written must not tear what is there.
    pub in_place: bool,
}

/// The end of the log of a recovery.
pub struct LogEnding {
    logs: Logs,
    writer: LogWriter,
    begin: NewGeneration,
    ambient: Ambient,
    generations_begun: u32,
}

impl LogEnding {
    /// Opens the log behind its last record. A lost current log is begun anew (`log-8 §2.2`).
    ///
    /// # Errors
    /// Any error of the storage.
    pub fn open(
        logs: &Logs,
        path: &Path,
        header: &LogHeader,
        current_missing: bool,
        begin: Begin,
        ambient: &Ambient,
    ) -> Result<Self> {
        let bytes = logs.read(path)?;
        let log = logs::open(&bytes, path)?;
        let is_current = logs.is_current(path) && !current_missing;
        let mut writer = LogWriter::resume(logs.folder.clone(), logs.files.clone(), &log, is_current, ambient.clock.clone())?;
        if begin.in_place {
            writer.replace_whole(log.bytes());
        }
        let version = if header.version().is_legacy() { VERSION_AFTER_LEGACY } else { header.version() };
        let begin = NewGeneration {
            checkpoint: begin.checkpoint,
            attachments: begin.attachments,
            parameters: header.parameters.clone(),
            version,
            engine_version: header.engine_version,
            segments: None,
        };
        Ok(Self { logs: logs.clone(), writer, begin, ambient: ambient.clone(), generations_begun: 0 })
    }

    /// The generation that the log ends in, and when it was made.
    #[must_use]
    pub const fn reached(&self) -> (Generation, LogTime) {
        (self.writer.header().generation, self.writer.header().created)
    }

    /// Undo begins: always in a new segment (traps Z1, Z2). Returns the position of the record.
    ///
    /// # Errors
    /// Any error of the log.
    pub fn begin_undo(&mut self) -> Result<LogPosition> {
        if self.writer.header().version().is_legacy() {
            // The stream changes its format in a generation without records, and undo asks for one more (trap Y18).
            self.roll()?;
            self.roll()?;
        }
        self.append(&Operation::RecoveryUndo(RecoveryUndo { time: Some(self.ambient.now()) }))
    }

    /// The mark behind which all databases are clean; fills its segment, or closes the generation where it stands in the last one
    /// (trap Z5).
    ///
    /// # Errors
    /// Any error of the log.
    pub fn shut_down(&mut self) -> Result<LogPosition> {
        let position = self.append(&Operation::ShutDownMark(Bare {}))?;
        self.fill()?;
        self.writer.flush()?;
        Ok(position)
    }

    /// No database is attached any more: a generation that is begun from now on lists none.
    pub fn forget_attachments(&mut self) {
        self.begin.attachments.clear();
    }

    /// Recovery has ended; `hard`: that of a backup set.
    ///
    /// # Errors
    /// Any error of the log.
    pub fn quit(&mut self, undo_from: LogPosition, redo_from: LogPosition, hard: bool) -> Result<LogPosition> {
        self.writer.start_segment();
        let term = Term { begin: undo_from, redo_from, hard: hard.into(), time: Some(self.ambient.now()) };
        let position = self.append(&Operation::RecoveryQuit(term))?;
        if self.writer.fill_segment() == Filled::CloseGeneration {
            self.writer.start_segment();
        }
        self.writer.flush()?;
        Ok(position)
    }

    /// The checkpoint at the last record; the next log in preparation, where a generation was begun; no reserve logs (traps Z27).
    ///
    /// # Errors
    /// Any error of the storage.
    pub fn finish(mut self, quit: LogPosition, stream: Signature) -> Result<()> {
        if self.generations_begun > 0 {
            self.writer.prepare_next()?;
        }
        let files: StreamFiles = self.writer.files().clone();
        for reserve in &files.reserves {
            self.logs.folder.remove(reserve)?;
        }
        self.logs.files = files;
        write_checkpoint(&self.logs, stream, quit, &self.begin.parameters)
    }

    fn append_now(&mut self, operation: &Operation<'_>) -> Result<LogPosition> {
        loop {
            if let Some(position) = self.writer.append(operation)? {
                return Ok(position);
            }
            self.roll()?;
        }
    }
    fn roll(&mut self) -> Result<()> {
        self.generations_begun += 1;
        self.writer.new_generation(&self.begin)?;
        Ok(())
    }
    fn fill(&mut self) -> Result<()> {
        if self.writer.fill_segment() == Filled::CloseGeneration {
            self.roll()?;
        }
        Ok(())
    }
}

impl UndoLog for LogEnding {
    fn append(&mut self, operation: &Operation<'_>) -> Result<LogPosition> {
        self.append_now(operation)
    }
}

/// Writes a checkpoint without attached databases; backup marks of the one before are kept (`log-8 §4`). One copy is written behind the
/// other: at any moment one of them is whole (`log-6 §7.4`).
///
/// # Errors
/// Any error of the storage.
pub fn write_checkpoint(logs: &Logs, stream: Signature, position: LogPosition, parameters: &Parameters) -> Result<()> {
    let path = logs.files.checkpoint.clone().unwrap_or_else(|| logs.files.path(&logs.files.naming.checkpoint()));
    let mut checkpoint = Checkpoint::new(position, stream, parameters.clone());
    if let Ok(old) = logs.read(&path).map(|bytes| Checkpoint::check(&bytes))
        && let Ok(old) = old
        && old.signature == stream
    {
        checkpoint.last_full_backup_checkpoint = old.last_full_backup_checkpoint;
        checkpoint.full_backup = old.full_backup;
        checkpoint.full_backup_time = old.full_backup_time;
        checkpoint.incremental_backup = old.incremental_backup;
        checkpoint.incremental_backup_time = old.incremental_backup_time;
        checkpoint.parameters = old.parameters;
    }
    let file = open_or_create(&*logs.folder, &path)?;
    let bytes = checkpoint.to_file();
    let (first, second) = bytes.split_at(COPY_SIZE);
    file.write_at(0, first)?;
    file.sync()?;
    file.write_at(first.len() as u64, second)?;
    file.set_size(bytes.len() as u64)?;
    file.sync()?;
    logs.folder.sync()?;
    Ok(())
}
