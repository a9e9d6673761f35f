//! A stop inside the log with undo on the copy: whether the databases can be brought there, and the log that ends there.

use super::Run;
use crate::attach::Why;
use crate::error::{ReplayError, Result};
use crate::logs;
use crate::redo::ahead::Ahead;
use anchorlog_checksum::set_segment_checksum;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::segment::{RECORDS_START, SEGMENT_SIZE};
use anchorlog_format::units::{Generation, LogPosition};
use std::path::{Path, PathBuf};

impl Run<'_> {
    /// Refuses where a database is newer than the stop; else the log ends at the stop from now on.
    pub(super) fn go_back_to_stop(&mut self) -> Result<()> {
        self.refuse_newer_files()?;
        if self.make {
            self.refuse_newer_pages()?;
        }
        self.end_log_at_stop()
    }

    /// Databases that were closed, or attached again, behind the stop.
    fn refuse_newer_files(&mut self) -> Result<()> {
        let stop = self.report.end;
        let open = self.slots.values().map(|slot| (slot.path.clone(), slot.deferred));
        let closed = self.report.databases.iter().map(|database| (database.path.clone(), database.passed_over));
        let passed_over: Vec<PathBuf> = open
            .chain(closed)
            .filter(|(_, why)| matches!(why, Some(Why::CleanLater | Why::AttachedLater)))
            .filter_map(|(path, _)| path)
            .collect();
        let mut earliest: Option<(LogPosition, PathBuf)> = None;
        for path in passed_over {
            let Some(header) = self.page_of(&path)?.map(|page| page.header) else { continue };
            let needed = match header.state {
                DatabaseState::CleanShutdown => header.consistent_position,
                // Once it is attached its pages tell.
                _ => header.attach_position,
            };
            // What begins where the last record ended was not redone.
            if needed >= stop && earliest.as_ref().is_none_or(|(other, _)| needed > *other) {
                earliest = Some((needed, path));
            }
        }
        match earliest {
            Some((position, path)) => Err(self.newer(position, &path.display().to_string(), "its header says so")),
            None => Ok(()),
        }
    }

    /// Pages from behind the stop, in the logs up to the end of what the databases required when they were attached.
    fn refuse_newer_pages(&mut self) -> Result<()> {
        let required = self.redo.databases.keys().filter_map(|id| self.required.get(id)).max().copied().unwrap_or_default();
        let mut ahead = Ahead::behind(&self.redo);
        let (mut path, mut from) = (self.log_path.clone(), self.report.end);
        loop {
            let bytes = self.setup.logs.read(&path)?;
            let log = logs::open(&bytes, &path)?;
            let generation = log.header().generation;
            if generation > required && !ahead.is_open() {
                break;
            }
            for record in log.records_from(from) {
                let Ok(record) = record else { break };
                if record.position < from && record.writer_position < from {
                    continue;
                }
                if let Ok(operation) = record.operation() {
                    ahead.look(&mut self.redo, record.writer_position, &operation)?;
                }
            }
            if generation >= required && !ahead.is_open() {
                break;
            }
            let next = Generation(generation.0.saturating_add(1));
            match self.setup.logs.candidate(next).filter(|_| !self.setup.logs.is_current(&path)) {
                Some(found) => path = found.to_path_buf(),
                None => {
                    let what = "the logs at hand end before the last one from which it may hold changes";
                    return Err(self.newer(end_of(required.max(generation)), &self.newest_database(), what));
                }
            }
            from = LogPosition::NONE;
        }
        match ahead.earliest() {
            Some(position) => Err(self.newer(position, &self.newest_database(), "its pages hold changes logged up to there")),
            None => Ok(()),
        }
    }

    fn newest_database(&self) -> String {
        let newest = self.redo.databases.iter().max_by_key(|(id, _)| self.required.get(*id).copied().unwrap_or_default());
        newest.map(|(_, database)| database.name.clone()).unwrap_or_default()
    }

    fn newer(&mut self, earliest: LogPosition, name: &str, why: &str) -> ReplayError {
        self.report.earliest_stop = Some(earliest);
        let reason = format!(
            "{name} is newer than the stop ({why}): the earliest position to which it can be brought is {earliest}; for an earlier one an older copy is needed"
        );
        ReplayError::new(JetCode::REQUIRED_LOG_FILES_MISSING, reason).in_file(name).at(self.report.end)
    }

    /// The log of the stop becomes the current one and ends behind the last record redone; later logs are no part of the result.
    fn end_log_at_stop(&mut self) -> Result<()> {
        let Some(header) = self.header.clone() else { return Ok(()) };
        let logs = self.setup.logs.clone();
        let bytes = logs.read(&self.log_path)?;
        let log = logs::open(&bytes, &self.log_path)?;
        let end = self.report.end;
        let goes_on = log
            .records_from(end)
            .map_while(std::result::Result::ok)
            .any(|record| !record.record_type().is_padding() && record.writer_position.max(record.position) >= end);
        let cut = if goes_on { Some(cut(&log, &self.log_path, end)?) } else { None };
        let later = logs.files.archives.range(Generation(header.generation.0.saturating_add(1))..).map(|(_, path)| path);
        let current = logs.files.current.iter().filter(|path| **path != self.log_path);
        self.set_logs_aside(later.chain(&logs.files.doubled).chain(current).cloned().collect())?;
        let current = logs.files.path(&logs.files.naming.current());
        if self.make {
            if self.log_path != current {
                logs.folder.rename(&self.log_path, &current)?;
            }
            if let Some(cut) = cut {
                let file = logs.folder.open_write(&current)?;
                file.write_at(0, &cut)?;
                file.sync()?;
            }
            self.log_path.clone_from(&current);
        }
        self.logs.files.archives.remove(&header.generation);
        self.logs.files.current = Some(current);
        self.current_missing = false;
        Ok(())
    }
}

/// Behind everything of a generation.
const fn end_of(generation: Generation) -> LogPosition {
    LogPosition::new(generation.0, u16::MAX, u16::MAX)
}

/// A log that ends at a position behind one of its records: what stands there becomes zero, in the segment too in which the record
/// ends, which gets a checksum that holds.
fn cut(log: &LogFile<'_>, path: &Path, end: LogPosition) -> Result<Vec<u8>> {
    let version = log.header().version();
    if version.is_legacy() || !version.allows_zero_segments() {
        let reason = format!(
            "the log {} has the format {version}, in which a log cannot be made to end at another place; a stop at the end of a whole generation is possible",
            path.display()
        );
        return Err(ReplayError::new(JetCode::BAD_LOG_VERSION, reason).in_file(path.display().to_string()).at(end));
    }
    let mut bytes = log.bytes().to_vec();
    let start = usize::from(end.sector) * SEGMENT_SIZE;
    let keep = if usize::from(end.byte) > RECORDS_START { start + usize::from(end.byte) } else { start };
    if let Some(behind) = bytes.get_mut(keep..) {
        behind.fill(0);
    }
    if keep > start
        && let Some(segment) = bytes.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<SEGMENT_SIZE>())
    {
        set_segment_checksum(segment, end.sector.into());
    }
    Ok(bytes)
}
