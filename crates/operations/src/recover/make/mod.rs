//! Carrying a plan out: copy, replay, prove, publish. The sources are never touched; a crash at any moment leaves the old state or the
//! new one.

mod copy;
mod place;
mod prove;
mod publish;
mod replay;

pub use place::Place;

use super::report::{DatabaseReport, Report, RunReport};
use super::{Plan, Sources};
use crate::identify::Content;
use anchorlog_format::database::HeaderPage;
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::run;
use anchorlog_storage::publish::WorkFolder;
pub(crate) use copy::copy_files;
use copy::taking_part;
pub(crate) use place::{clear_place, work_place};
use prove::{damaged, finding_of, judge_damage, prove};
pub(crate) use publish::{aside_in, publish};
use replay::{commits_behind, leave_out, replay};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

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
    make_with(plan, sources, place, ambient, progress, &mut |_, _| Ok(()))
}

/// Looks at the working folder before it is published, and may add to it.
pub(crate) type BeforePublication<'a> = &'a mut dyn FnMut(&WorkFolder, &Report) -> Result<(), MakeError>;

/// The same, with a last word.
pub(crate) fn make_with(
    plan: &Plan,
    sources: &Sources,
    place: &Place,
    ambient: &Ambient,
    progress: &mut dyn Progress,
    before_publication: BeforePublication<'_>,
) -> Result<Report, MakeError> {
    let place = &clear_place(place)?;
    check_again(plan, sources, place)?;
    let (parent, name) = work_place(place)?;
    let work = WorkFolder::begin(&parent, &name).map_err(|error| failed("the working folder could not be made", &error))?;
    let inputs = copy_files(sources, &work, progress)?;
    let mut report = carry(plan, sources, &work, inputs, ambient, progress)?;
    report.out = place.path().display().to_string();
    before_publication(&work, &report)?;
    publish(place, work, &mut report, ambient, progress)?;
    Ok(report)
}

/// Replays in a working folder that holds the files already, and proves what came of it. `inputs`: the SHA-256 of each.
pub(crate) fn carry(
    plan: &Plan,
    sources: &Sources,
    work: &WorkFolder,
    inputs: BTreeMap<String, String>,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Report, MakeError> {
    let made = replay(plan, sources, work, ambient, progress)?;
    let mut report = Report {
        out: String::new(),
        databases: databases(plan, sources, made.as_ref()),
        run: made.as_ref().map(RunReport::of),
        findings: made.iter().flat_map(|run| run.bad_pages.iter().map(finding_of)).collect(),
        inputs,
        outputs: BTreeMap::new(),
        set_aside: None,
    };
    let left_out = leave_out(plan, made.as_ref(), work)?;
    if let Some(run) = &mut report.run {
        run.left_out = left_out;
        run.commits_left_out = commits_behind(plan, sources, run.end);
    }
    if made.is_some() || !plan.options.trust_copies {
        prove(work, &mut report, progress)?;
    }
    judge_damage(plan, &mut report)?;
    Ok(report)
}

/// The plan may be of a while ago: what can have changed since is looked at again.
fn check_again(plan: &Plan, sources: &Sources, place: &Place) -> Result<(), MakeError> {
    let place = place.conditions(sources);
    let of_plan = plan.preconditions.iter().filter(|condition| place.iter().all(|other| other.id != condition.id));
    let Some(broken) = of_plan.chain(&place).find(|condition| !condition.holds) else { return Ok(()) };
    let fault = plan.engine_fault().or_else(|| plan.faults.first());
    let jet = broken.jet.or_else(|| fault.and_then(|fault| fault.finding.jet));
    Err(refused(format!("{}: {}", broken.rule, broken.found), jet))
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

pub(crate) fn failed(what: &str, error: &io::Error) -> MakeError {
    let jet = match error.kind() {
        io::ErrorKind::Interrupted => return MakeError::Interrupted,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JetCode::DISK_FULL,
        io::ErrorKind::PermissionDenied => JetCode(-1032),
        _ => JetCode(-1022),
    };
    MakeError::Failed { reason: format!("{what}: {error}"), jet: Some(jet) }
}

pub(crate) fn refused(reason: impl Into<String>, jet: Option<JetCode>) -> MakeError {
    MakeError::Refused { reason: reason.into(), jet, findings: Vec::new() }
}

const fn go_on(answer: bool) -> Result<(), MakeError> {
    if answer { Ok(()) } else { Err(MakeError::Interrupted) }
}
