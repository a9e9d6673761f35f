//! Carrying a plan out: copy, replay, prove, publish. The sources are never touched; a crash at any moment leaves the old state or the
//! new one.

use super::report::{DatabaseReport, Report, RunReport};
use super::sources::ASIDE;
use super::{Plan, Sources, Verdict};
use crate::identify::Content;
use anchorlog_database::{Database, check};
use anchorlog_format::database::HeaderPage;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names;
use anchorlog_format::log::record::RecordType;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::run::{self, BadPage, Failure, Watch};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::copy::{copy_file, read_file};
use anchorlog_storage::publish::{Change, WorkFolder, finish_interrupted, is_cut_off, remove_leftovers};
use anchorlog_storage::space::free_bytes;
use anchorlog_storage::{Entry, Folder, read_all};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Follows a recovery; each call may interrupt it by returning `false`.
pub trait Progress {
    /// A phase begins: copying, replaying, proving, publishing.
    fn phase(&mut self, name: &str, steps: usize) -> bool;
    /// A step of the phase is about to be done.
    fn step(&mut self, what: &str, at: usize, of: usize) -> bool;
    /// Asked again and again during a long step: whether to go on.
    fn goes_on(&mut self) -> bool {
        true
    }
}

/// Follows nothing.
impl Progress for () {
    fn phase(&mut self, _: &str, _: usize) -> bool {
        true
    }
    fn step(&mut self, _: &str, _: usize, _: usize) -> bool {
        true
    }
}

/// Why a recovery was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A precondition does not hold, or pages are damaged and nobody asked to keep that: nothing was touched.
    #[error("{reason}")]
    Refused {
        /// Which.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
        /// Every damaged page, where that is the reason.
        findings: Vec<Finding>,
    },
    /// Something failed while the result was being made: nothing was published.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
    },
    /// The publication in place was begun and could not be completed: the same command, given again, completes it.
    #[error("{reason}")]
    CutOff {
        /// What happened.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
    },
    /// The user interrupted it: nothing was published.
    #[error("interrupted: nothing was published, and nothing is left half done")]
    Interrupted,
}

/// Carries a plan out.
///
/// # Errors
/// [`MakeError`]: nothing is published then, and the sources are as they were.
pub fn make(
    plan: &Plan,
    sources: &Sources,
    place: &Place,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Report, MakeError> {
    let place = &clear_place(place)?;
    check_again(plan, sources, place)?;
    let (parent, name) = work_place(place)?;
    let work = WorkFolder::begin(&parent, &name).map_err(|error| failed("the working folder could not be made", &error))?;
    let inputs = copy_files(sources, &work, progress)?;
    let made = replay(plan, sources, &work, ambient, progress)?;
    let mut report = Report {
        out: place.path().display().to_string(),
        databases: databases(plan, sources, made.as_ref()),
        run: made.as_ref().map(RunReport::of),
        findings: made.iter().flat_map(|run| run.bad_pages.iter().map(finding_of)).collect(),
        inputs,
        outputs: BTreeMap::new(),
        set_aside: None,
    };
    let left_out = leave_out(plan, made.as_ref(), &work)?;
    if let Some(run) = &mut report.run {
        run.left_out = left_out;
        run.commits_left_out = commits_behind(plan, sources, run.end);
    }
    prove(&work, &mut report, progress)?;
    judge_damage(plan, &mut report)?;
    publish(place, work, &mut report, ambient, progress)?;
    Ok(report)
}

/// What the plan saw may have changed; and what a plan cannot see: place and room.
fn check_again(plan: &Plan, sources: &Sources, place: &Place) -> Result<(), MakeError> {
    if let Some(broken) = plan.preconditions.iter().find(|condition| !condition.holds) {
        let fault = plan.engine_fault().or_else(|| plan.faults.first());
        let reason = format!("{}: {}", broken.rule, broken.found);
        return Err(refused(reason, fault.and_then(|fault| fault.finding.jet)));
    }
    match place {
        Place::Out(out) => is_free(out)?,
        Place::InPlace(root) => lies_inside(sources, root)?,
    }
    let needed: u64 = taking_part(sources).map(|(_, _, size)| size).sum();
    if let Ok(free) = free_bytes(place.path())
        && free < needed
    {
        let reason = format!("the result needs {needed} bytes at {}, and {free} are free", place.path().display());
        return Err(refused(reason, Some(JetCode(-1808))));
    }
    Ok(())
}

/// What the plan said of each database, with what became of it.
fn databases(plan: &Plan, sources: &Sources, made: Option<&run::Report>) -> Vec<DatabaseReport> {
    let header_before = |path: &str| match sources.get(Path::new(path)).map(|source| &source.identified.content) {
        Some(Content::Database { page, .. }) => Some(page.header.clone()),
        _ => None,
    };
    let header_after = |path: &str| {
        let reports = made.map(|report| report.databases.as_slice()).unwrap_or_default();
        let report = reports.iter().find(|report| report.path.as_deref() == Some(Path::new(path)));
        report.and_then(|report| report.header.as_ref()).map(|page: &HeaderPage| page.header.clone())
    };
    let whole = |database: &super::DatabasePlan| {
        DatabaseReport::new(database, header_before(&database.path).as_ref(), header_after(&database.path).as_ref())
    };
    plan.databases.iter().map(whole).collect()
}

fn failed(what: &str, error: &io::Error) -> MakeError {
    let jet = match error.kind() {
        io::ErrorKind::Interrupted => return MakeError::Interrupted,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JetCode(-1808),
        io::ErrorKind::PermissionDenied => JetCode(-1032),
        _ => JetCode(-1022),
    };
    MakeError::Failed { reason: format!("{what}: {error}"), jet: Some(jet) }
}

fn refused(reason: impl Into<String>, jet: Option<JetCode>) -> MakeError {
    MakeError::Refused { reason: reason.into(), jet, findings: Vec::new() }
}

const fn go_on(answer: bool) -> Result<(), MakeError> {
    if answer { Ok(()) } else { Err(MakeError::Interrupted) }
}

