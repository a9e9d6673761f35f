//! The records of one log, and who redoes which: the run what concerns whole databases, [`crate::redo`] what concerns pages and
//! transactions (`log-4`).

use super::Run;
use crate::error::{ReplayError, Result};
use crate::stop::Reached;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::{Operation, RecordType};
use anchorlog_format::units::{LogPosition, PageNumber};

impl Run<'_> {
    /// The records of one log; `true` when the stop was reached.
    pub(super) fn redo_log(&mut self, log: &LogFile<'_>, from: LogPosition) -> Result<bool> {
        for record in log.records_from(from) {
            let record = record.map_err(|fault| {
                ReplayError::new(JetCode::LOG_FILE_CORRUPT, format!("the log {}: {fault}", self.log_path.display()))
                    .in_file(self.log_path.display().to_string())
                    .at(fault.position)
            })?;
            let position = record.writer_position;
            if let Some(stop) = &self.setup.options.stop
                && stop.reached(position) == Reached::Behind
            {
                return Ok(true);
            }
            let kind = record.record_type();
            self.records[usize::from(kind.0)] += 1;
            self.report.end = record.end;
            // Pages are of no concern to a plan: only what decides over whole databases is looked at.
            if self.make || concerns_databases(kind) {
                let operation = record.operation().map_err(|error| {
                    ReplayError::new(error.jet(), format!("a record of type {kind:?} cannot be read: {error}")).at(position)
                })?;
                refuse_unknown(&operation, kind).map_err(|error| error.at(position))?;
                self.dispatch(position, &record.bytes, &operation).map_err(|error| error.at(position))?;
            }
            if !kind.is_padding() && kind != RecordType::LEGACY_CHECKSUM {
                self.last = Some((position, kind));
                self.note_shutdown(kind);
            }
        }
        let generation = log.header().generation;
        Ok(self.setup.options.stop.as_ref().is_some_and(|stop| stop.ends_with(generation)))
    }

    fn dispatch(&mut self, position: LogPosition, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
        if self.is_barrier(operation) {
            // All work on pages in front of it is done, and none behind it begun (`log-6 §3.5`).
            self.redo.settle()?;
        }
        self.redo.position = position;
        match operation {
            Operation::CreateDatabase(create) => self.create_database(position, create),
            Operation::CreateDatabaseFinish(finish) => self.finish_creation(position, finish.database),
            Operation::AttachDatabase(attach) => self.attach_database(position, attach),
            Operation::DetachDatabase(detach) => self.detach_database(position, detach.database, true),
            Operation::ReAttachDatabase(attach) => self.reattach_database(position, attach.database),
            Operation::SetDatabaseVersion(set) => self.set_version(set),
            Operation::ExtendDatabase(extend) => self.extend(position, extend),
            Operation::ShrinkDatabase(shrink) | Operation::ShrinkDatabase2(shrink) => {
                self.shrink(position, shrink.database, shrink.last_page, shrink.pages, None)
            }
            Operation::ShrinkDatabase3(shrink) => {
                self.shrink(position, shrink.database, shrink.last_page, shrink.pages, Some(shrink.dbtime))
            }
            Operation::TrimDatabase(trim) => self.trim(trim),
            Operation::ExtentFreed(freed) => self.extent_freed(freed.database, freed.first, freed.pages),
            Operation::ExtentFreed2(freed) => self.extent_freed(freed.database, freed.first, freed.pages),
            Operation::Backup(backup) => self.backup(position, backup),
            // A run of the engine begins; the one before may have ended without a word.
            Operation::Init(_) => {
                self.redo.forget_sessions();
                Ok(())
            }
            Operation::Term(_) | Operation::RecoveryQuit(_) => self.terminate(),
            Operation::RecoveryQuitKeepAttachments(_) => {
                self.redo.forget_sessions();
                Ok(())
            }
            Operation::ShutDownMark(_) => {
                self.mark = Some(position);
                Ok(())
            }
            _ => self.redo.take_in(position, raw, operation),
        }
    }

    /// Whether a record waits for those in front of it. One that concerns an extent only does where work on its pages still waits: all
    /// other work comes out the same in either order.
    fn is_barrier(&mut self, operation: &Operation<'_>) -> bool {
        let extent = |first: PageNumber, pages: i32| first.extent(u32::try_from(pages).unwrap_or(0));
        match operation {
            Operation::ExtendDatabase(extend) => {
                let behind = PageNumber(self.redo.cache.pages(extend.database)).next().onwards();
                self.redo.files_grow_on_touch || self.redo.may_wait_for(extend.database, &behind)
            }
            Operation::ExtentFreed(freed) => self.redo.may_wait_for(freed.database, &extent(freed.first, freed.pages)),
            Operation::ExtentFreed2(freed) => self.redo.may_wait_for(freed.database, &extent(freed.first, freed.pages)),
            _ => changes_run(operation),
        }
    }

    /// Some records stand behind a shutdown mark without making it worthless (trap W13, V33).
    fn note_shutdown(&mut self, kind: RecordType) {
        const NEUTRAL: [u8; 10] = [17, 19, 20, 21, 22, 46, 51, 57, 60, 61];
        if kind == RecordType::SHUT_DOWN_MARK {
            self.last_is_mark = true;
        } else if !NEUTRAL.contains(&kind.0) {
            self.last_is_mark = false;
        }
    }
}

/// Records that change what holds of a whole database or of the run.
const fn changes_run(operation: &Operation<'_>) -> bool {
    matches!(
        operation,
        Operation::CreateDatabase(_)
            | Operation::CreateDatabaseFinish(_)
            | Operation::AttachDatabase(_)
            | Operation::DetachDatabase(_)
            | Operation::ReAttachDatabase(_)
            | Operation::SetDatabaseVersion(_)
            | Operation::ShrinkDatabase(_)
            | Operation::ShrinkDatabase2(_)
            | Operation::ShrinkDatabase3(_)
            | Operation::TrimDatabase(_)
            | Operation::Backup(_)
            | Operation::Init(_)
            | Operation::Term(_)
            | Operation::RecoveryQuit(_)
            | Operation::RecoveryQuitKeepAttachments(_)
    )
}

/// Records that decide over whole databases, and those that end runs.
fn concerns_databases(kind: RecordType) -> bool {
    matches!(
        kind.0,
        1 | 2 | 14 | 15 | 16 | 18 | 23 | 26 | 49 | 50 | 52 | 53 | 54 | 55 | 68 | 72 | 78 | 79 | 80 | 81 | 92 | 94 | 99
    )
}

/// Types that redo refuses (`log-4 §21`).
fn refuse_unknown(operation: &Operation<'_>, kind: RecordType) -> Result<()> {
    match operation {
        Operation::ConvertOld(_) => {
            Err(ReplayError::new(JetCode::BAD_LOG_VERSION, "a tree conversion of a log format that cannot be replayed"))
        }
        Operation::BeginDistributed(_) | Operation::PrepareCommit(_) | Operation::PrepareRollback(_) => Err(ReplayError::new(
            JetCode::LOG_CORRUPTED,
            format!("a record of type {kind:?}, which no engine of this format redoes"),
        )),
        _ => Ok(()),
    }
}
