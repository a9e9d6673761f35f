//! Where a run begins: is recovery needed, which checkpoint counts, which log comes next (`log-5 §4, §5, §7`, `log-8 §8` A1 to B3, D1 to D5).

use super::{Ending, Run};
use crate::attach::{Logged, Source};
use crate::error::{ReplayError, Result};
use crate::hard::{self, Set};
use crate::logs;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::attachments::Attachment;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::header::{Expected, LogHeader};
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::units::{Generation, LogPosition, Signature};
use std::path::{Path, PathBuf};

/// Where redo begins.
#[derive(Clone, Debug)]
pub struct Start {
    /// The first record to be looked at.
    pub position: LogPosition,
    /// Its log.
    pub path: PathBuf,
    /// The databases attached there.
    pub attached: Vec<Attachment>,
}

impl Run<'_> {
    /// `None`: there is nothing to redo, and the report says why.
    pub(super) fn find_start(&mut self) -> Result<Option<Start>> {
        if let Some(set) = &self.setup.options.hard {
            return self.start_of_set(set).map(Some);
        }
        let logs = &self.setup.logs;
        let Some(current) = logs.files.current.clone() else { return self.start_without_current() };
        let expected = Expected { page_size: self.setup.options.page_size, ..Expected::default() };
        self.stream = logs.header(&current, &expected)?.signature;
        let checkpoint = self.usable_checkpoint();
        let bytes = self.setup.logs.read(&current)?;
        let log = logs::open(&bytes, &current)?;
        // Damage of the current log is met again when redo comes to it.
        let closed = log.end().refusal(ReadContext::Soft, true).is_none() && log.was_closed_cleanly();
        let last = log.records().map_while(std::result::Result::ok).filter(|record| !record.record_type().is_padding()).last();
        if closed
            && let (Some(checkpoint), Some(last)) = (&checkpoint, last)
            && (checkpoint.position == last.position || checkpoint.position == last.writer_position)
        {
            self.report.ending = Ending::NothingToDo;
            self.report.start = checkpoint.position;
            self.report.end = last.end;
            return Ok(None);
        }
        self.choose_start(checkpoint).map(Some)
    }

    /// Hard recovery looks at everything first, and begins with the first log of the set; no checkpoint counts (`ops-3 §3` H13).
    fn start_of_set(&mut self, set: &Set) -> Result<Start> {
        let logs = &self.setup.logs;
        let examined = hard::examine(logs, set, &*self.setup.folder, &self.naming.candidates, self.setup.options.page_size);
        let (stream, headers) = examined.verdict()?;
        self.stream = stream;
        self.restore_headers(headers)?;
        let logs = &self.setup.logs;
        let path = logs.files.archives.get(&set.low).cloned();
        let path = path.ok_or_else(|| logs::missing(JetCode::MISSING_RESTORE_LOG_FILES, "the set has no logs"))?;
        let header = logs.header(&path, &self.expected())?;
        let attached = attachments_of(&header, &path)?;
        Ok(Start { position: header.first_position(), path, attached })
    }

    /// Archived logs without a current one: the newest was being replaced when the machine stopped, or it is lost (trap W3).
    fn start_without_current(&mut self) -> Result<Option<Start>> {
        let (logs, options) = (&self.setup.logs, &self.setup.options);
        let Some(highest) = logs.highest_archive() else {
            self.report.ending = Ending::NoLogs;
            return Ok(None);
        };
        let allowed = logs.files.temporary.is_some() || options.allow_missing_current || options.accept_loss || !options.undo;
        if !allowed {
            let reason = format!(
                "the current log {} is missing: logs end with generation {highest}, and what was committed later is lost",
                logs.files.naming.current()
            );
            return Err(logs::missing(JetCode::MISSING_LOG_FILE, reason));
        }
        self.current_missing = true;
        self.choose_start(None).map(Some)
    }

    /// The checkpoint, when it can be read and is of this stream; a bad one counts as missing (trap W2).
    fn usable_checkpoint(&mut self) -> Option<Checkpoint> {
        let logs = &self.setup.logs;
        let path = logs.files.checkpoint.as_ref()?;
        let bytes = logs.read(path).ok()?;
        match Checkpoint::check(&bytes) {
            Ok(checkpoint) if checkpoint.signature == self.stream || self.stream.is_none() => Some(checkpoint),
            Ok(_) => {
                self.report.notes.push(format!("the checkpoint {} is of another log stream, and ignored", path.display()));
                None
            }
            Err(error) => {
                self.report.notes.push(format!("the checkpoint {} is ignored: {error}", path.display()));
                None
            }
        }
    }

    fn choose_start(&mut self, checkpoint: Option<Checkpoint>) -> Result<Start> {
        let logs = &self.setup.logs;
        let checkpoint = match checkpoint {
            Some(checkpoint) => Some(checkpoint),
            // Without a current log the stream's signature is that of the lowest log.
            None if self.stream.is_none() => self.checkpoint_of_archives()?,
            None => None,
        };
        let (path, wanted) = match &checkpoint {
            Some(checkpoint) => {
                let generation = checkpoint.position.generation;
                (self.log_of(generation)?, Some(generation))
            }
            None => {
                let lowest = logs.files.archives.iter().next().map(|(generation, path)| (path.clone(), Some(*generation)));
                let current = || logs.files.current.clone().map(|path| (path, None));
                lowest
                    .or_else(current)
                    .ok_or_else(|| logs::missing(JetCode::MISSING_LOG_FILE, "no log is there to begin with"))?
            }
        };
        let signature = (!self.stream.is_none()).then_some(self.stream);
        let expected = Expected { signature, page_size: self.setup.options.page_size, ..Expected::default() };
        let header = logs.header(&path, &expected)?;
        if wanted.is_some_and(|wanted| wanted != header.generation) {
            let reason = format!("the log {} holds generation {}, not the one of its name", path.display(), header.generation);
            return Err(ReplayError::new(JetCode::INVALID_LOG_SEQUENCE, reason).in_file(path.display().to_string()));
        }
        self.stream = header.signature;
        if self.setup.options.stop.is_some_and(|stop| stop.generation() < header.generation) {
            let reason = format!(
                "the stop lies before generation {}, where redo begins: the databases are newer already",
                header.generation
            );
            return Err(ReplayError::new(JetCode::RECOVERED_WITHOUT_UNDO, reason).at(header.first_position()));
        }
        let listed = checkpoint.as_ref().filter(|_| header.version().has_checkpoint_attachments());
        let listed = listed.and_then(|checkpoint| Some((checkpoint.position, checkpoint.attachments().ok()??)));
        let (position, attached) = match listed {
            Some(listed) => listed,
            None => (header.first_position(), attachments_of(&header, &path)?),
        };
        Ok(Start { position, path, attached })
    }

    fn checkpoint_of_archives(&mut self) -> Result<Option<Checkpoint>> {
        let Some(path) = self.setup.logs.files.archives.values().next_back().cloned() else { return Ok(None) };
        let (header, _) = self.setup.logs.look(&path)?;
        self.stream = header.map_or(Signature::NONE, |header| header.signature);
        Ok(self.usable_checkpoint())
    }

    /// The log of the checkpoint's generation; it must be there (trap W2).
    fn log_of(&self, generation: Generation) -> Result<PathBuf> {
        let logs = &self.setup.logs;
        if let Some(path) = logs.files.archives.get(&generation) {
            return Ok(path.clone());
        }
        if let Some(current) = &logs.files.current {
            let (found, _) = logs.look(current)?;
            if found.is_ok_and(|header| header.generation == generation) {
                return Ok(current.clone());
            }
        }
        let reason = format!("the checkpoint asks for redo from generation {generation} on, and this log is missing");
        Err(logs::missing(JetCode::MISSING_LOG_FILE, reason))
    }

    /// The databases attached where redo begins.
    pub(super) fn attach_list(&mut self, start: &Start) -> Result<()> {
        let header = self.setup.logs.header(&start.path, &Expected::default())?;
        for attached in &start.attached {
            let logged = Logged {
                source: Source::List,
                database: attached.database,
                path: attached.path().first(),
                signature: attached.signature,
                log_signature: self.stream,
                attach: attached.attach,
                consistent: attached.consistent,
                dbtime: attached.dbtime,
                object: attached.object_last,
                create_version: None,
            };
            self.meet(logged, start.position, header.created)?;
        }
        Ok(())
    }

    /// The log behind a generation: its archive, else the current log whatever its generation; `None` where the logs end.
    pub(super) fn next_log(&mut self, done: Generation) -> Result<Option<PathBuf>> {
        let logs = &self.setup.logs;
        let next = Generation(done.0 + 1);
        let Some(path) = logs.candidate(next).map(Path::to_path_buf) else { return self.logs_end(done) };
        logs.header(&path, &self.expected())?;
        Ok(Some(path))
    }

    fn logs_end(&mut self, done: Generation) -> Result<Option<PathBuf>> {
        let (logs, options) = (&self.setup.logs, &self.setup.options);
        let next = Generation(done.0 + 1);
        if options.stop.is_some() {
            let reason = format!("generation {next} is missing, and the stop lies behind it");
            return Err(logs::missing(JetCode::MISSING_LOG_FILE, reason));
        }
        if let Some(highest) = logs.highest_archive().filter(|highest| *highest > next) {
            let reason = format!("generation {next} is missing, while logs up to generation {highest} are there");
            return Err(logs::missing(JetCode::MISSING_LOG_FILE, reason));
        }
        let allowed = logs.files.temporary.is_some()
            || options.allow_missing_current
            || options.accept_loss
            || !options.undo
            || options.hard.is_some();
        if allowed {
            self.current_missing = true;
            return Ok(None);
        }
        let reason = format!("the current log is missing: logs end with generation {done}");
        Err(logs::missing(JetCode::MISSING_LOG_FILE, reason))
    }
}

fn attachments_of(header: &LogHeader, path: &Path) -> Result<Vec<Attachment>> {
    header.attachments().map_err(|error| {
        let reason = format!("the list of attached databases in the header of {} cannot be read: {error}", path.display());
        ReplayError::new(JetCode::LOG_FILE_CORRUPT, reason).in_file(path.display().to_string())
    })
}
