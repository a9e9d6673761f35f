//! From log to log: whether each continues the one before, and what its damage means (`log-5 §7, §14`).

use super::fetch::Fetch;
use super::{INTERRUPTED, Run, Start};
use crate::error::{ReplayError, Result};
use crate::headers;
use crate::stream::link::{LinkFault, LogLink};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::Expected;
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::units::{DatabaseId, Generation, LogPosition};
use std::io;
use std::path::{Path, PathBuf};

/// From this format on, each growth of a file is a record.
const GROWTH_LOGGED: LogVersion = LogVersion::segmented(5, 4);

impl Run<'_> {
    /// Redo from generation to generation (`log-5 §7`); `true` when the stop was reached.
    pub(super) fn redo_logs(&mut self, start: &Start) -> Result<bool> {
        let stopped = self.walk(start);
        // The records in front of a failing one come first, and so do their errors (trap X12).
        self.redo.settle().and(stopped)
    }
    fn walk(&mut self, start: &Start) -> Result<bool> {
        let mut path = start.path.clone();
        let mut from = start.position;
        let highest = self.setup.logs.highest_archive().map_or(0, |generation| generation.0) + 1;
        let total = usize::try_from(highest.saturating_sub(start.position.generation.0) + 1).unwrap_or(usize::MAX);
        let mut fetch = Fetch::new(&self.setup.logs);
        loop {
            let next = {
                let log = fetch.open(&path)?;
                if self.setup.options.threads > 1
                    && let Some(ahead) = self.setup.logs.candidate(Generation(log.header().generation.0.saturating_add(1)))
                    && ahead != path
                {
                    fetch.read_ahead(ahead);
                }
                let generation = log.header().generation;
                if !self.watch.generation(generation, self.report.generations.len(), total) {
                    return Err(ReplayError::new(INTERRUPTED, "interrupted").at(from));
                }
                let sound = self.check_log(&log, &path)?;
                if !sound {
                    return Ok(false);
                }
                self.begin_log(&log, &path)?;
                if self.redo_log(&log, from)? {
                    return Ok(true);
                }
                self.check_damage(&log, &path)?;
                self.check_required_time(log.header())?;
                if self.setup.logs.is_current(&path) {
                    return Ok(false);
                }
                generation
            };
            match self.next_log(next)? {
                Some(found) => path = found,
                None => return Ok(false),
            }
            from = LogPosition::NONE;
        }
    }

    /// The links of the chain, and the damage of a log, before its first record (`log-5 §7.3`). `false`: the log is set aside by consent.
    fn check_log(&mut self, log: &LogFile<'_>, path: &Path) -> Result<bool> {
        let Some(link) = &self.link else { return Ok(true) };
        let wanted = Generation(link.generation.0.saturating_add(1));
        if let Err(fault) = link.check(log.header()) {
            let (jet, reason) = (fault.jet(), format!("the log {}: {fault}", path.display()));
            return match fault {
                LinkFault::Generation { .. } | LinkFault::Time { .. } => {
                    self.bad_log(wanted, path, jet, JetCode::COMMITTED_LOG_FILES_MISSING, reason)
                }
                LinkFault::Stream | LinkFault::Contents(_) => {
                    Err(ReplayError::new(jet, reason).in_file(path.display().to_string()))
                }
            };
        }
        let refusal = log.end().refusal(self.context(log), self.setup.logs.is_current(path));
        if let Some(jet) = refusal
            && !self.stops_inside(log.header().generation)
        {
            let reason = damage(log, path);
            return self.bad_log(wanted, path, jet, JetCode::COMMITTED_LOG_FILE_CORRUPT, reason);
        }
        Ok(true)
    }

    /// A log that cannot be used: what it means depends on which databases need it (`log-5 §14`).
    fn bad_log(&mut self, generation: Generation, path: &Path, jet: JetCode, committed: JetCode, reason: String) -> Result<bool> {
        let last_good = Generation(generation.0 - 1);
        let verdict = self.requirements(last_good);
        let acceptable = verdict.is_none() || verdict == Some(JetCode::COMMITTED_LOG_FILES_MISSING);
        if acceptable && self.setup.options.accept_loss && self.setup.options.set_bad_logs_aside {
            self.report.warning = Some(JetCode::WARN_COMMITTED_LOG_FILES_REMOVED);
            let files = &self.setup.logs.files;
            let above = files.archives.range(generation..).map(|(_, path)| path);
            let mut bad: Vec<PathBuf> =
                std::iter::once(&path.to_path_buf()).chain(above).chain(&files.current).cloned().collect();
            bad.sort();
            bad.dedup();
            self.set_logs_aside(bad)?;
            self.current_missing = true;
            self.loss_accepted = true;
            return Ok(false);
        }
        let jet = if verdict == Some(JetCode::COMMITTED_LOG_FILES_MISSING) { committed } else { jet };
        Err(ReplayError::new(jet, reason).in_file(path.display().to_string()).at(LogPosition::new(generation.0, 0, 0)))
    }

    /// These logs are no part of the result.
    pub(super) fn set_logs_aside(&mut self, paths: Vec<PathBuf>) -> Result<()> {
        for path in &paths {
            if self.make {
                let named = |error: io::Error| ReplayError::from(error).in_file(path.display().to_string());
                self.setup.logs.folder.remove(path).map_err(named)?;
            }
            let files = &mut self.logs.files;
            files.archives.retain(|_, other| other != path);
            files.doubled.retain(|other| other != path);
            if files.current.as_ref() == Some(path) {
                files.current = None;
            }
        }
        self.report.set_aside.extend(paths);
        Ok(())
    }

    /// The first log of a run is replayed up to its damage, and then refused (trap W11).
    fn check_damage(&mut self, log: &LogFile<'_>, path: &Path) -> Result<()> {
        match log.end().refusal(self.context(log), self.setup.logs.is_current(path)) {
            Some(jet) => Err(ReplayError::new(jet, damage(log, path)).in_file(path.display().to_string()).at(log.end().position)),
            None => Ok(()),
        }
    }

    /// What damage of a log means in this run.
    fn context(&self, log: &LogFile<'_>) -> ReadContext {
        let generation = log.header().generation;
        self.setup.options.hard.as_ref().map_or(ReadContext::Soft, |set| set.context(generation))
    }

    /// At the first record of a generation (`log-5 §7.2`).
    fn begin_log(&mut self, log: &LogFile<'_>, path: &Path) -> Result<()> {
        let header = log.header().clone();
        let generation = header.generation;
        let grow = header.version() < GROWTH_LOGGED;
        if grow != self.redo.files_grow_on_touch || self.redo.leaves_required_range(generation) {
            // Pages of records in front are judged by what holds there.
            self.redo.settle()?;
        }
        self.redo.files_grow_on_touch = grow;
        self.redo.commit_contexts_have_flags = header.version().has_commit_context_flags();
        self.link = Some(LogLink::of(log));
        let ids: Vec<DatabaseId> = self.redo.databases.keys().copied().collect();
        for id in ids {
            self.redo.position = header.first_position();
            self.redo.leave_required_range(id, generation)?;
            if let Some(database) = self.redo.databases.get_mut(&id) {
                let own = &mut database.header.header;
                own.recovering = own.recovering.max(generation);
                headers::raise(own, generation, header.created);
            }
        }
        self.make_log_durable(path)?;
        self.log_path = path.to_path_buf();
        self.header = Some(header);
        self.report.generations.push(generation);
        Ok(())
    }

    /// Whether the stop lies in a generation, so that its damage may lie behind it.
    fn stops_inside(&self, generation: Generation) -> bool {
        self.setup.options.stop.as_ref().is_some_and(|stop| stop.lies_inside(generation))
    }

    /// What must hold of every log of the stream.
    pub(crate) fn expected(&self) -> Expected {
        Expected { signature: Some(self.stream), page_size: self.setup.options.page_size, ..Expected::default() }
    }
}

fn damage(log: &LogFile<'_>, path: &Path) -> String {
    match &log.end().corruption {
        Some(corruption) => format!(
            "the log {} is damaged at segment {:#x} ({:?}); its records are good up to {}",
            path.display(),
            corruption.segment,
            corruption.reason,
            log.end().position
        ),
        None => format!("the log {} ends in a torn write at {}", path.display(), log.end().position),
    }
}
