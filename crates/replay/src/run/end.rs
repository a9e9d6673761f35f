//! How a run ends: the last checks, undo, clean headers, the end of the log, the checkpoint (`log-5 §9, §13, §14`, `log-8`).

use super::databases::Slot;
use super::{DatabaseReport, Ending, Run};
use crate::attach::Why;
use crate::ending::{self, Begin, LogEnding};
use crate::error::{ReplayError, Result};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::database::version::Feature;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names::GENERATION_MAX;
use anchorlog_format::log::record::RecordType;
use anchorlog_format::units::{DatabaseId, Generation, LogPosition, PageNumber};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Generations that databases say were committed, and that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostLogs {
    /// The last generation at hand.
    pub last_found: Generation,
    /// The last generation that a database says was begun.
    pub last_committed: Generation,
}

impl LostLogs {
    /// How many generations are lost.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.last_committed.0.saturating_sub(self.last_found.0)
    }
}

impl Run<'_> {
    pub(super) fn end(&mut self, stopped: bool) -> Result<()> {
        if stopped {
            self.refuse_bad_pages()?;
            if !self.setup.options.undo || !self.setup.options.undo_at_stop {
                self.report.ending = Ending::Stopped;
                return self.end_dirty();
            }
            self.go_back_to_stop()?;
        }
        let ids: Vec<DatabaseId> = self.redo.databases.keys().copied().collect();
        for id in ids {
            self.redo.verify_maps(id)?;
            self.settle_patched(id);
        }
        self.refuse_bad_pages()?;
        if stopped {
            let reached = self.header.as_ref().map_or(Generation(0), |header| header.generation);
            self.give_up_committed(reached);
        } else {
            self.check_requirements()?;
        }
        self.check_attachments()?;
        let closed = self.last.is_some_and(|(_, kind)| closes(kind)) && !self.current_missing;
        if closed && self.redo.databases.is_empty() {
            self.report.ending = Ending::Clean;
            return self.end_clean();
        }
        if !self.setup.options.undo {
            self.report.ending = Ending::WithoutUndo;
            return self.end_dirty();
        }
        self.report.ending = Ending::Recovered;
        self.redo.note_missing_before_images();
        self.refuse_bad_pages()?;
        self.recover()
    }

    /// A database of which pages were replaced is an ordinary dirty one once everything required was redone (trap W23).
    fn settle_patched(&mut self, id: DatabaseId) {
        let reached = self.header.as_ref().map_or(Generation(0), |header| header.generation);
        if let Some(database) = self.redo.databases.get_mut(&id) {
            let header = &mut database.header.header;
            if header.state == DatabaseState::DirtyAndPatched && reached >= header.max_required {
                header.state = DatabaseState::DirtyShutdown;
            }
        }
    }

    /// What the attached databases need beyond the last log (`log-8 §8`, E1).
    pub(super) fn requirements(&self, last: Generation) -> Option<JetCode> {
        let headers =
            || self.redo.databases.values().filter(|database| !database.creating).map(|database| &database.header.header);
        if headers().any(|header| header.max_required > last) {
            return Some(JetCode::REQUIRED_LOG_FILES_MISSING);
        }
        headers().any(|header| header.max_committed > last).then_some(JetCode::COMMITTED_LOG_FILES_MISSING)
    }

    fn check_requirements(&mut self) -> Result<()> {
        let Some(last) = self.header.as_ref().map(|header| header.generation) else { return Ok(()) };
        let committed = self.redo.databases.values().map(|database| database.header.header.max_committed).max().unwrap_or(last);
        let lost = LostLogs { last_found: last, last_committed: committed };
        match self.requirements(last) {
            Some(JetCode::COMMITTED_LOG_FILES_MISSING) if self.setup.options.accept_loss => {
                self.report.warning.get_or_insert(JetCode::WARN_COMMITTED_LOG_FILES_LOST);
                self.report.lost = Some(lost);
                self.loss_accepted = true;
                self.give_up_committed(last);
                Ok(())
            }
            Some(JetCode::COMMITTED_LOG_FILES_MISSING) => {
                self.report.lost = Some(lost);
                let reason = format!(
                    "the databases can be made consistent with the logs up to generation {last}, but transactions were committed up to generation {committed}: these would be lost"
                );
                Err(ReplayError::new(JetCode::COMMITTED_LOG_FILES_MISSING, reason))
            }
            Some(jet) => {
                let wanting = self.redo.databases.values().filter(|database| database.header.header.max_required > last);
                let names: Vec<String> = wanting
                    .map(|database| format!("{} needs generations up to {}", database.name, database.header.header.max_required))
                    .collect();
                Err(ReplayError::new(jet, format!("the logs end with generation {last}: {}", names.join("; "))))
            }
            None => Ok(()),
        }
    }

    /// The committed range ends where the logs do (trap Z25).
    fn give_up_committed(&mut self, last: Generation) {
        let created = self.header.as_ref().map(|header| header.created).unwrap_or_default();
        for database in self.redo.databases.values_mut() {
            let header = &mut database.header.header;
            if header.max_committed > last {
                header.max_committed = last;
                header.max_committed_time = created;
                header.recovering = Generation(0);
            }
        }
    }

    /// The log of the right number may still be the wrong log (trap W8).
    pub(super) fn check_required_time(&self, log: &LogHeader) -> Result<()> {
        if self.setup.options.accept_loss {
            return Ok(());
        }
        for database in self.redo.databases.values() {
            let header = &database.header.header;
            if header.max_required != log.generation || database.creating {
                continue;
            }
            let mut time = if header.has(Feature::MaxRequiredTime) { header.max_required_time } else { Default::default() };
            if time.is_none() && header.max_required == header.max_committed {
                time = header.max_committed_time;
            }
            if !time.is_none() && time != log.created {
                let reason = format!(
                    "{} needs generation {} as it was made at {time}; the one at hand was made at {}",
                    database.name, log.generation, log.created
                );
                return Err(ReplayError::new(JetCode::REQUIRED_LOG_FILES_MISSING, reason).in_file(database.name.clone()));
            }
        }
        Ok(())
    }

    /// Databases that are still attached in the log, and were passed over (`log-5 §8.6`).
    fn check_attachments(&self) -> Result<()> {
        if self.setup.options.hard.is_some() {
            return self.check_restored();
        }
        for slot in self.slots.values() {
            if slot.skipped {
                let reason = format!(
                    "{} is attached in the log and was not named: all databases of the stream must take part",
                    slot.logged.path
                );
                return Err(ReplayError::new(JetCode::ATTACHED_DATABASE_MISMATCH, reason));
            }
            let Some(why) = slot.deferred else { continue };
            let clean_later = why == Why::CleanLater && self.last_is_mark;
            if clean_later || self.setup.options.ignore_missing_databases {
                continue;
            }
            let jet = if why == Why::Denied { JetCode::ACCESS_DENIED } else { JetCode::ATTACHED_DATABASE_MISMATCH };
            let reason = format!("{} is attached at the end of the log, but {}", slot.logged.path, why.meaning());
            let file = slot.path.as_ref().map_or_else(|| slot.logged.path.clone(), |path| path.display().to_string());
            return Err(ReplayError::new(jet, reason).in_file(file));
        }
        Ok(())
    }

    /// Of a set only the databases that were restored matter (`ops-3 §3` H14); but to each of them logs must have been applied, or its
    /// restore only looks like one (`ops-3 §4` C7, trap O1).
    fn check_restored(&self) -> Result<()> {
        for candidate in &self.naming.candidates {
            let path = Some(&candidate.path);
            if self.report.databases.iter().any(|database| database.path.as_ref() == path && database.replayed) {
                continue;
            }
            let slot = self.slots.values().find(|slot| slot.path.as_ref() == path);
            let reason = match slot.map(|slot| slot.deferred) {
                Some(None) => continue,
                Some(Some(why)) => why.meaning(),
                None => "none of these logs attaches it",
            };
            let reason = format!("no log could be applied to {}: {reason}", candidate.path.display());
            let file = candidate.path.display().to_string();
            return Err(ReplayError::new(JetCode::ATTACHED_DATABASE_MISMATCH, reason).in_file(file));
        }
        Ok(())
    }

    /// Databases stay dirty: more logs may follow. Pages that hold a replace or delete whose before image the log lacks keep their
    /// older image (trap V39).
    fn end_dirty(&mut self) -> Result<()> {
        let ids: Vec<DatabaseId> = self.redo.databases.keys().copied().collect();
        let held = self.pages_to_hold();
        for id in ids {
            let Some(mut database) = self.redo.databases.remove(&id) else { continue };
            if database.creating {
                if let Some(files) = self.open.remove(&id) {
                    self.redo.cache.detach(id);
                    self.setup.folder.remove(&files.path)?;
                }
                continue;
            }
            if let Some(files) = self.open.remove(&id) {
                let redone = database.header.clone();
                self.write_database(id, &files, redone, &mut database.header, false, |page| held.contains(&(id, page)))?;
            }
            self.closed.insert(PathBuf::from(&database.name), database.header);
        }
        Ok(())
    }

    /// The pages on which open changes were redone that only memory could take back. It is these, and not the pages to which splits
    /// moved the nodes since: a later redo finds the before image where the change is made.
    fn pages_to_hold(&self) -> BTreeSet<(DatabaseId, PageNumber)> {
        self.redo.versions.unlogged().collect()
    }

    /// The log ended cleanly: nothing is logged, the checkpoint goes to its end (traps W14, Z of log-8 §1.1).
    fn end_clean(&mut self) -> Result<()> {
        if !self.make {
            return Ok(());
        }
        let Some((position, _)) = self.last else { return Ok(()) };
        let Some(header) = &self.header else { return Ok(()) };
        ending::write_checkpoint(&self.logs, self.stream, position, &header.parameters)
    }

    /// Undo, clean headers, the end of the log.
    fn recover(&mut self) -> Result<()> {
        if !self.make {
            return Ok(());
        }
        let Some(header) = self.header.clone() else { return Ok(()) };
        for database in self.redo.databases.values_mut() {
            database.header.header.recovering = Generation(0);
        }
        let attached = self.attachments(LogPosition::new(header.generation.0 + 1, 0, 0));
        let begin = Begin { checkpoint: self.report.start, attachments: attached, in_place: self.setup.options.in_place };
        let mut ending = LogEnding::open(&self.logs, &self.log_path, &header, self.current_missing, begin, self.ambient)?;
        let undo_from = if self.last_is_mark { None } else { Some(ending.begin_undo()?) };
        self.report.undone = self.redo.undo(&mut ending)?;
        let mark = match (self.last_is_mark, self.mark) {
            (true, Some(mark)) => mark,
            _ => ending.shut_down()?,
        };
        self.log_end = Some(ending.reached());
        let ids: Vec<DatabaseId> = self.slots.keys().copied().collect();
        for id in ids {
            self.settle_size(id, mark)?;
            self.close_database(id, mark, false)?;
        }
        ending.forget_attachments();
        let quit = ending.quit(undo_from.unwrap_or(mark), self.report.start, self.setup.options.hard.is_some())?;
        if quit.generation >= GENERATION_MAX {
            // The databases are consistent, and the engine still refuses the stream (trap W30).
            self.report.notes.push(format!(
                "the log stream has used up its generations ({}): Microsoft's engine will end with {} until the logs are removed and a new stream begins",
                quit.generation,
                JetCode::LOG_SEQUENCE_END_DATABASES_CONSISTENT
            ));
        }
        ending.finish(quit, self.stream)
    }

    /// The databases that are attached, as a log header lists them.
    fn attachments(&self, reference: LogPosition) -> Vec<anchorlog_format::log::attachments::Attachment> {
        let mut list = Vec::new();
        for (id, database) in &self.redo.databases {
            let Some(slot) = self.slots.get(id) else { continue };
            let header = &database.header.header;
            if header.attach_position >= reference {
                continue;
            }
            let mut name: Vec<u8> = slot.logged.path.encode_utf16().flat_map(u16::to_le_bytes).collect();
            name.extend([0, 0]);
            list.push(anchorlog_format::log::attachments::Attachment {
                database: *id,
                flags: 0x20,
                dbtime: header.dbtime.max(slot.logged.dbtime),
                object_last: database.highest_object,
                size_max: 0,
                attach: header.attach_position,
                consistent: header.consistent_position,
                signature: header.signature,
                name,
            });
        }
        list
    }

    pub(super) fn report_slot(&mut self, slot: &Slot) {
        let header = slot.path.as_ref().and_then(|path| self.closed.get(path)).cloned();
        let report = DatabaseReport {
            path: slot.path.clone(),
            logged: slot.logged.path.clone(),
            signature: slot.logged.signature,
            header,
            passed_over: slot.deferred,
            created: slot.created,
            replayed: slot.deferred.is_none() && !slot.skipped,
        };
        self.report.databases.retain(|other| other.path.is_none() || other.path != report.path);
        self.report.databases.push(report);
    }

    pub(super) fn finish_report(&mut self) -> super::Report {
        let open: Vec<(PathBuf, anchorlog_format::database::header::HeaderPage)> =
            self.redo.databases.values().map(|database| (PathBuf::from(&database.name), database.header.clone())).collect();
        for (path, header) in open {
            self.closed.entry(path).or_insert(header);
        }
        let slots: Vec<Slot> = self.slots.values().cloned().collect();
        for slot in &slots {
            self.report_slot(slot);
        }
        let met = (0..=u8::MAX).map(RecordType).zip(self.records).filter(|(_, count)| *count > 0);
        self.report.records = met.collect();
        self.report.page_changes = self.redo.counts.page_changes;
        self.report.pages_scanned = self.redo.counts.pages_scanned;
        let counts = &self.redo.counts;
        for difference in &counts.scan_differences {
            self.report.notes.push(format!(
                "page {} of {} is not as a scan of the database saw it at {}: a write may have been lost",
                difference.page, difference.database, difference.position
            ));
        }
        let unnamed = counts.pages_different - counts.scan_differences.len() as u64;
        if unnamed > 0 {
            self.report.notes.push(format!("{unnamed} more pages are not as scans of the databases saw them"));
        }
        self.report.spilled = self.redo.versions.spilled();
        self.report.bad_pages = self.redo.bad_pages().to_vec();
        self.report.clone()
    }
}

/// Records that end a run of the engine: behind them nothing is open.
fn closes(kind: RecordType) -> bool {
    kind.closes_log()
}
