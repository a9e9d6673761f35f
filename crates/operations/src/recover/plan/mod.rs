//! The plan of a recovery: what would be replayed, what would become of each database, and everything that stands in the way.

mod conditions;
mod databases;
mod loss;
mod stops;

pub use conditions::Precondition;
pub use databases::DatabasePlan;
pub use loss::Loss;

use super::faults::{self, Fault};
use super::make::Place;
use super::options::Options;
use super::sources::Sources;
use super::streams::{self, StreamChoice};
use super::verdict::Verdict;
use crate::identify::Content;
use crate::survey::{Range, product_of, ranges};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{LogPosition, LogTime, Signature};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::hard;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{self, Ending, Failure, Report, Setup};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::Folder;
use conditions::preconditions;
use databases::{databases, untouched};
use loss::loss_of;
use serde::Serialize;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use stops::{closed_behind, note_on_stop, stop_condition, with_stop};

/// A plan. `--dry-run` shows it, and a run carries it out.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Whether it can be carried out.
    pub possible: bool,
    /// What Microsoft's engine would return for the same files and options.
    pub engine: JetCode,
    /// The log stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamPlan>,
    /// Where replay begins; none where nothing is replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<LogPosition>,
    /// Behind the last record that is replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<LogPosition>,
    /// Generations that are replayed.
    pub generations: Vec<Range>,
    /// Databases.
    pub databases: Vec<DatabasePlan>,
    /// What would be lost, where the newest logs are missing or cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What must hold.
    pub preconditions: Vec<Precondition>,
    /// What stands in the way, and what is worth knowing; the engine's own fault is marked.
    pub faults: Vec<Fault>,
    /// Remarks of the run.
    pub notes: Vec<String>,
    /// What to know before the result is put to use.
    pub warnings: Vec<String>,
    #[serde(skip)]
    pub(super) files: StreamFiles,
    #[serde(skip)]
    pub(super) options: Options,
    #[serde(skip)]
    pub(super) replays: bool,
    /// Whether the databases are brought to a stop inside the logs and closed clean there.
    #[serde(skip)]
    pub(super) ends_at_stop: bool,
}

/// The log stream of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct StreamPlan {
    /// Its signature.
    pub signature: Signature,
    /// The folder of its logs in the layout of the result.
    pub place: String,
    /// Its base name.
    pub base: String,
    /// Generations with an archived log.
    pub archives: Vec<Range>,
    /// The current log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What is done.
    pub action: String,
    /// Files that it reads.
    pub reads: Vec<String>,
    /// Files that it writes, in the layout of the result.
    pub writes: Vec<String>,
}

/// Why there is no plan at all.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Several streams could be meant.
    #[error("several log streams lie here, and no database says which is meant: {}", .0.join("; "))]
    SeveralStreams(Vec<String>),
    /// The files cannot be read.
    #[error(transparent)]
    Storage(#[from] io::Error),
}

/// Plans a recovery: every file is looked at, nothing is changed.
///
/// # Errors
/// [`PlanError`]; anything that is wrong with the files themselves is in the plan.
pub fn plan(sources: &Sources, options: &Options) -> Result<Plan, PlanError> {
    plan_stream(sources, streams::choose(sources)?, options)
}

/// Plans the recovery of a stream that is chosen already.
///
/// # Errors
/// As [`plan`].
pub(crate) fn plan_stream(sources: &Sources, choice: StreamChoice, options: &Options) -> Result<Plan, PlanError> {
    let (files, signature) = match &choice {
        StreamChoice::One(files, signature) => ((**files).clone(), *signature),
        StreamChoice::None => (streams::no_stream(sources), Signature::NONE),
        StreamChoice::Several(names) => return Err(PlanError::SeveralStreams(names.clone())),
    };
    let wants_loss = options.accept_loss.is_some();
    let mut stop_conditions = Vec::new();
    let mut notes = Vec::new();
    let options = &with_stop(sources, &files, options, &mut stop_conditions, &mut notes);
    let ends_at_stop = options.stop.is_some() && !options.without_undo;
    // With a stop the engine ends dirty; what it says is told, and what becomes of the databases is for the walk that undoes there.
    let engine = walk(sources, &files, options, run::Options { undo_at_stop: false, ..options.of_run(wants_loss) });
    let engine_code = engine_code(&engine, options);
    let planned =
        if ends_at_stop && engine.is_ok() { walk(sources, &files, options, options.of_run(wants_loss)) } else { engine };
    if let Some(stop) = options.stop.filter(|_| ends_at_stop) {
        note_on_stop(sources, &signature, stop.generation(), &mut notes);
    }
    let newer = planned.as_ref().err().filter(|failure| failure.report.earliest_stop.is_some());
    stop_conditions.extend(newer.map(stop_condition));
    // The engine has nothing to do behind a clean end, wherever it was told to stop; who asked for an older state must not get this one.
    if let (Ok(Ending::NothingToDo), Some(stop)) = (planned.as_ref().map(|report| &report.ending), options.stop) {
        stop_conditions.extend(closed_behind(sources, &signature, stop));
    }
    let loss = if ends_at_stop { None } else { loss_of(&planned, sources, &files, options) };
    let (report, failure) = match &planned {
        Ok(report) => (report, None),
        Err(failure) => (&*failure.report, Some(&failure.error)),
    };
    notes.extend(report.notes.iter().cloned());
    let examined = options.hard.as_ref().map(|set| {
        let Setup { logs, folder, naming, options } = setup(sources, sources.folder(), &files, options, options.of_run(false));
        hard::examine(&logs, set, &*folder, &naming.candidates, options.page_size)
    });
    let mut plan = Plan {
        possible: false,
        engine: engine_code,
        stream: (!matches!(choice, StreamChoice::None)).then(|| stream_plan(&files, signature)),
        start: (!report.start.is_none()).then_some(report.start),
        end: (!report.end.is_none()).then_some(report.end),
        generations: ranges(report.generations.iter().copied()),
        databases: Vec::new(),
        loss,
        steps: Vec::new(),
        preconditions: Vec::new(),
        faults: match &examined {
            Some(examined) => faults::of_set(examined, failure),
            None => faults::collect(sources, &choice, failure, report.start, wants_loss),
        },
        notes,
        warnings: warnings(sources),
        replays: failure.is_none() && !matches!(report.ending, Ending::NoLogs | Ending::NothingToDo),
        files,
        options: options.clone(),
        ends_at_stop,
    };
    if plan.engine == JetCode::RECOVERED_WITHOUT_UNDO && ends_at_stop {
        plan.faults.iter_mut().for_each(|fault| fault.engine = false);
    }
    plan.databases = databases(sources, &planned, &plan, signature);
    plan.faults.extend(plan.databases.iter().filter_map(|database| untouched(database, &plan)).collect::<Vec<_>>());
    plan.preconditions = preconditions(&plan, &choice, sources, failure.is_none() || newer.is_some());
    plan.preconditions.append(&mut stop_conditions);
    plan.preconditions.splice(0..0, examined.iter().flat_map(|examined| examined.predicates.iter().map(Precondition::of)));
    plan.possible = plan.preconditions.iter().all(|condition| condition.holds);
    plan.steps = steps(&plan);
    Ok(plan)
}

impl Plan {
    /// Judges the place of the result as well: whether it is free, and has room.
    pub fn look_at(&mut self, place: &Place, sources: &Sources) {
        self.preconditions.extend(place.conditions(sources));
        self.possible = self.preconditions.iter().all(|condition| condition.holds);
        self.steps = steps(self);
    }
    /// The setup of the run in `folder`, which holds the files in the layout of the result.
    #[must_use]
    pub fn setup(&self, sources: &Sources, folder: Arc<dyn Folder>) -> Setup {
        let mut setup =
            setup(sources, folder, &self.files, &self.options, self.options.of_run(self.options.accept_loss.is_some()));
        if let Some(set) = &mut setup.options.hard {
            // They were looked at, and are no part of the result.
            set.overlap.clear();
        }
        setup
    }
    /// Whether logs are applied to any database.
    #[must_use]
    pub const fn replays(&self) -> bool {
        self.replays
    }
    /// The first fault that the engine would return, when it would fail.
    #[must_use]
    pub fn engine_fault(&self) -> Option<&Fault> {
        self.faults.iter().find(|fault| fault.engine)
    }
}

fn setup(sources: &Sources, folder: Arc<dyn Folder>, files: &StreamFiles, options: &Options, of_run: run::Options) -> Setup {
    let candidates = sources
        .database_candidates()
        .map(|source| Candidate { path: source.identified.path.clone(), signature: source.database_signature() });
    Setup {
        logs: Logs { folder: folder.clone(), files: files.clone() },
        folder,
        naming: Naming { candidates: candidates.collect(), map: options.map.clone() },
        options: of_run,
    }
}

fn walk(sources: &Sources, files: &StreamFiles, options: &Options, of_run: run::Options) -> Result<Report, Failure> {
    // A planned run stamps nothing that is kept.
    let ambient = Ambient::repeatable(LogTime::utc(2000, 1, 1, 0, 0, 0, 0), 1);
    run::plan(&setup(sources, sources.folder(), files, options, of_run), &ambient, &mut ())
}

fn engine_code(planned: &Result<Report, Failure>, options: &Options) -> JetCode {
    match planned {
        Err(failure) => failure.error.jet,
        Ok(report) => match report.ending {
            Ending::WithoutUndo | Ending::Stopped => JetCode::RECOVERED_WITHOUT_UNDO,
            Ending::Clean | Ending::NothingToDo if options.without_undo => JetCode::RECOVERED_WITHOUT_UNDO_DATABASES_CONSISTENT,
            _ => report.warning.unwrap_or(JetCode::SUCCESS),
        },
    }
}

fn stream_plan(files: &StreamFiles, signature: Signature) -> StreamPlan {
    let shown = |path: &PathBuf| path.display().to_string();
    StreamPlan {
        signature,
        place: files.folder.display().to_string(),
        base: files.naming.base.clone(),
        archives: ranges(files.archives.keys().copied()),
        current: files.current.as_ref().map(shown),
        checkpoint: files.checkpoint.as_ref().map(shown),
    }
}

/// A domain controller counts its changes; an older copy put back makes it count again what its partners have seen.
fn warnings(sources: &Sources) -> Vec<String> {
    let is_directory = |source: &super::Source| {
        matches!(source.identified.content, Content::Database { .. } | Content::DamagedDatabase { .. })
            && product_of(&source.identified.name()) == Some("Active Directory")
    };
    let found = sources.iter().filter(|source| is_directory(source)).map(|source| source.identified.path.display());
    let warn = |path| {
        format!(
            "{path} is the database of a domain controller. Read the recovered copy wherever you like, but do not put it back on the \
             domain controller: it would use update numbers again that its partners have seen already (USN rollback), and replication \
             would fail in silence. Restore a domain controller only in the ways that Microsoft supports."
        )
    };
    found.map(warn).collect()
}

fn steps(plan: &Plan) -> Vec<Step> {
    if !plan.possible {
        return Vec::new();
    }
    let step = |action: &str, reads: Vec<String>, writes: Vec<String>| Step { action: action.to_owned(), reads, writes };
    let databases =
        || plan.databases.iter().filter(|database| database.verdict != Verdict::Refused).map(|database| database.path.clone());
    let shown = |path: &PathBuf| path.display().to_string();
    let logs: Vec<String> = plan.files.archives.values().chain(plan.files.current.iter()).map(shown).collect();
    let mut steps = vec![step(
        "copy the databases and logs into a hidden working folder",
        databases().chain(logs.clone()).collect(),
        Vec::new(),
    )];
    if plan.replays {
        let range: Vec<String> = plan.generations.iter().map(ToString::to_string).collect();
        let threads = plan.options.threads;
        let threads = if threads > 1 { format!(", with {threads} threads") } else { String::new() };
        let action = format!("replay the logs of generation {}{threads}", range.join(", "));
        steps.push(step(&action, logs, databases().collect()));
        if !plan.options.without_undo {
            let written: Vec<String> =
                plan.files.current.iter().map(shown).chain(plan.files.checkpoint.iter().map(shown)).collect();
            let action = "take back what had not committed, close the databases, and log that";
            steps.push(step(action, Vec::new(), databases().chain(written).collect()));
        }
    }
    steps.push(step("verify every page, tree and record of the result", databases().collect(), Vec::new()));
    steps.push(step("publish the working folder under its name, whole or not at all", Vec::new(), databases().collect()));
    steps
}
