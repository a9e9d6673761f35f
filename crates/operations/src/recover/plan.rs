//! The plan of a recovery: what would be replayed, what would become of each database, and everything that stands in the way.

use super::faults::{self, Fault};
use super::options::Options;
use super::sources::Sources;
use super::streams::{self, StreamChoice};
use super::verdict::Verdict;
use crate::identify::Content;
use crate::survey::{Range, product_of, ranges};
use anchorlog_format::database::DatabaseState;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, LogPosition, LogTime, Signature};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{self, DatabaseReport, Ending, Failure, Report, Setup};
use anchorlog_replay::stop::{Reached, Stop, position_at_time};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::Folder;
use serde::Serialize;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

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

/// What becomes of a database.
#[derive(Clone, Debug, Serialize)]
pub struct DatabasePlan {
    /// Its file, in the layout of the result.
    pub path: String,
    /// Its path in the log; empty where no log names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub logged: String,
    /// Its state now.
    pub state: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
}

/// Generations whose transactions would be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The first generation that is given up: what `--accept-loss` must name.
    pub first: Generation,
    /// The last one of which a database knows; `None` where none knows of any, but the newest log is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Generation>,
    /// Whether the loss was accepted.
    pub accepted: bool,
}

impl Loss {
    /// How many generations a database knows of.
    #[must_use]
    pub const fn count(&self) -> u32 {
        match self.last {
            Some(last) => last.0.saturating_sub(self.first.0).saturating_add(1),
            None => 1,
        }
    }
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

/// Something that must hold.
#[derive(Clone, Debug, Serialize)]
pub struct Precondition {
    /// Its name, stable.
    pub id: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// Whether it does.
    pub holds: bool,
    /// What was found.
    pub found: String,
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
    let choice = streams::choose(sources)?;
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
        faults: faults::collect(sources, &choice, failure, report.start, wants_loss),
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
    plan.possible = plan.preconditions.iter().all(|condition| condition.holds);
    plan.steps = steps(&plan);
    Ok(plan)
}

impl Plan {
    /// The setup of the run in `folder`, which holds the files in the layout of the result.
    #[must_use]
    pub fn setup(&self, sources: &Sources, folder: Arc<dyn Folder>) -> Setup {
        setup(sources, folder, &self.files, &self.options, self.options.of_run(self.options.accept_loss.is_some()))
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
    let candidates = sources.database_candidates().map(|source| Candidate {
        path: source.identified.path.clone(),
        signature: match &source.identified.content {
            Content::Database { page, .. } => Some(page.header.signature),
            _ => None,
        },
    });
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

/// A time becomes a position.
fn with_stop(
    sources: &Sources,
    files: &StreamFiles,
    options: &Options,
    conditions: &mut Vec<Precondition>,
    notes: &mut Vec<String>,
) -> Options {
    let mut options = options.clone();
    let Some(time) = options.stop_time.take() else { return options };
    match position_at_time(&Logs { folder: sources.folder(), files: files.clone() }, time) {
        Ok(moment) => match moment.next {
            // What was begun before the time and ended after it is not certain.
            Some(next) => {
                options.stop = Some(moment.stop);
                let written = moment.written;
                notes.push(format!(
                    "{time} lies between {written} and {next} of the logs: replay stops at the earlier of the two"
                ));
            }
            None => notes.push(format!(
                "the logs end before {time} (the last time in them is {}): all of them are replayed",
                moment.written
            )),
        },
        Err(error) => {
            let rule = "the logs reach back to the time of the stop";
            conditions.push(Precondition { id: "time", rule, holds: false, found: error.reason });
        }
    }
    options
}

/// What a plan cannot tell of a stop: it reads no pages.
fn note_on_stop(sources: &Sources, signature: &Signature, stop: Generation, notes: &mut Vec<String>) {
    let may_be_newer = sources.iter().filter(|source| match &source.identified.content {
        Content::Database { page, .. } => {
            page.header.log_signature == *signature
                && page.header.state != DatabaseState::CleanShutdown
                && page.header.max_required >= stop
        }
        _ => false,
    });
    notes.extend(may_be_newer.map(|source| {
        format!(
            "{} may hold changes from behind the stop: its pages tell when they are read, and the run refuses then and names the \
             earliest position to which it can be brought",
            source.identified.path.display()
        )
    }));
}

const STOP_RULE: &str = "no database holds changes from behind the stop";

fn stop_condition(failure: &Failure) -> Precondition {
    Precondition { id: "stop", rule: STOP_RULE, holds: false, found: failure.error.reason.clone() }
}

/// Of the databases that were closed behind the stop the one that was closed last.
fn closed_behind(sources: &Sources, signature: &Signature, stop: Stop) -> Option<Precondition> {
    let closed = sources.iter().filter_map(|source| match &source.identified.content {
        Content::Database { page, .. } if page.header.log_signature == *signature => {
            Some((page.header.consistent_position, &source.identified.path))
        }
        _ => None,
    });
    let (earliest, path) = closed.filter(|(position, _)| stop.reached(*position) == Reached::Behind).max()?;
    let found = format!(
        "{} was closed behind the stop: the earliest position to which it can be brought is {earliest}; for an earlier one an older \
         copy is needed",
        path.display()
    );
    Some(Precondition { id: "stop", rule: STOP_RULE, holds: false, found })
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

/// What would be lost: told by the run itself, or by a second walk that gives up what can be given up.
fn loss_of(planned: &Result<Report, Failure>, sources: &Sources, files: &StreamFiles, options: &Options) -> Option<Loss> {
    let accepted = options.accept_loss.is_some();
    let other;
    let report = match planned {
        Ok(report) => report,
        Err(_) if accepted => return None,
        Err(failure) if options.stop.is_some() || !is_loss(failure.error.jet) => return None,
        Err(_) => {
            other = walk(sources, files, options, options.of_run(true)).ok()?;
            &other
        }
    };
    if planned.is_ok() && report.warning.is_none() && !accepted {
        return None;
    }
    let last = *report.generations.last()?;
    let first = Generation(last.0.saturating_add(1));
    let known = report.lost.map(|lost| lost.last_committed).filter(|committed| *committed >= first);
    let current_missing = files.current.is_none();
    (known.is_some() || !report.set_aside.is_empty() || current_missing).then_some(Loss { first, last: known, accepted })
}

/// Codes behind which only committed logs may be missing.
fn is_loss(jet: JetCode) -> bool {
    [
        JetCode::MISSING_LOG_FILE,
        JetCode::COMMITTED_LOG_FILES_MISSING,
        JetCode::COMMITTED_LOG_FILE_CORRUPT,
        JetCode::INVALID_LOG_SEQUENCE,
        JetCode::LOG_FILE_CORRUPT,
    ]
    .contains(&jet)
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

fn databases(sources: &Sources, planned: &Result<Report, Failure>, plan: &Plan, signature: Signature) -> Vec<DatabasePlan> {
    let reports: &[DatabaseReport] = match planned {
        Ok(report) => &report.databases,
        Err(failure) => &failure.report.databases,
    };
    let mut plans = Vec::new();
    for source in sources.iter() {
        let place = source.identified.path.as_path();
        let report = reports.iter().find(|report| report.path.as_deref() == Some(place));
        let (state, log_signature) = match &source.identified.content {
            Content::Database { page, .. } => (Some(page.header.state), page.header.log_signature),
            Content::DamagedDatabase { .. } => (None, Signature::NONE),
            _ if report.is_some() => (None, Signature::NONE),
            _ => continue,
        };
        let known = Known { state, of_stream: log_signature == signature && !signature.is_none() };
        let (verdict, reason) = judge(known, report, planned, plan);
        plans.push(DatabasePlan {
            path: place.display().to_string(),
            logged: report.map(|report| report.logged.clone()).unwrap_or_default(),
            state: state.map_or_else(|| "its header is damaged".into(), |state| state.to_string()),
            verdict,
            reason,
        });
    }
    for report in reports.iter().filter(|report| report.path.as_ref().is_none_or(|path| sources.get(path).is_none())) {
        let known = Known { state: None, of_stream: true };
        let (verdict, reason) = judge(known, Some(report), planned, plan);
        plans.push(DatabasePlan {
            path: report.path.as_ref().map_or_else(|| report.logged.clone(), |path| path.display().to_string()),
            logged: report.logged.clone(),
            state: "no file is here".into(),
            verdict: if verdict == Verdict::Refused && may_be_absent(report, planned, plan) {
                Verdict::AlreadyClean
            } else {
                verdict
            },
            reason,
        });
    }
    plans.retain(|database| !(database.verdict == Verdict::AlreadyClean && database.state == "no file is here"));
    plans
}

/// A database that the log names, that is not here, and that nobody misses: it was detached, or it may be missing.
fn may_be_absent(report: &DatabaseReport, planned: &Result<Report, Failure>, plan: &Plan) -> bool {
    planned.is_ok() && !report.created && (plan.options.ignore_missing_database || report.passed_over.is_some())
}

struct Known {
    state: Option<DatabaseState>,
    of_stream: bool,
}

fn judge(known: Known, report: Option<&DatabaseReport>, planned: &Result<Report, Failure>, plan: &Plan) -> (Verdict, String) {
    let clean = known.state == Some(DatabaseState::CleanShutdown);
    let untouched = |why: &str| {
        let found = if clean { "it is clean" } else { "it is dirty" };
        (if clean { Verdict::AlreadyClean } else { Verdict::Refused }, format!("{found}, and {why}"))
    };
    let run = match planned {
        Ok(run) => run,
        Err(_) if clean => return (Verdict::AlreadyClean, "it is clean, and needs none of the logs that are here".into()),
        Err(failure) => return (Verdict::Refused, format!("the recovery as a whole cannot be done: {}", failure.error)),
    };
    let Some(report) = report else {
        return untouched(match (known.of_stream, &run.ending) {
            (_, Ending::NoLogs) => "no log is here",
            (true, Ending::NothingToDo) => "the logs were closed cleanly and are not replayed",
            (true, _) => "the logs that are here never come to it",
            (false, _) => "the logs that are here are of another stream",
        });
    };
    if let Some(why) = report.passed_over {
        return untouched(why.meaning());
    }
    let made = if report.created { "it is made anew from its logged creation" } else { "its logs are applied" };
    let ends_clean = report.header.as_ref().is_some_and(|page| page.header.state == DatabaseState::CleanShutdown);
    match (&run.ending, &plan.loss) {
        (Ending::Recovered, Some(loss)) if loss.accepted => {
            let lost = format!("{made}, and what committed from generation {} on is given up", loss.first);
            (Verdict::LossAccepted, lost)
        }
        (Ending::Recovered, _) if plan.ends_at_stop => {
            (Verdict::Recovered, format!("{made} up to the stop, and what had not committed by then is taken back"))
        }
        (Ending::Recovered, _) => (Verdict::Recovered, format!("{made}, and what had not committed is taken back")),
        (Ending::WithoutUndo | Ending::Stopped, _) if !ends_clean => {
            (Verdict::StaysDirty, format!("{made}, and open transactions stay open, as asked"))
        }
        _ => (Verdict::Recovered, format!("{made}; it is closed cleanly by the logs themselves")),
    }
}

/// A dirty database to which nothing is applied is a refusal, also where the engine would call its start a success (trap Z24).
fn untouched(database: &DatabasePlan, plan: &Plan) -> Option<Fault> {
    if database.verdict != Verdict::Refused || plan.engine_fault().is_some() {
        return None;
    }
    let message = format!("the recovery would leave it as it is: {}", database.reason);
    let finding = Finding::error(Place::file(&database.path), JetCode::DATABASE_DIRTY_SHUTDOWN, message);
    let hint = "Bring the logs that belong to it; `anchorlog inspect` on the folder says which.";
    Some(Fault { finding: finding.with_hint(hint), engine: false })
}

fn preconditions(plan: &Plan, choice: &StreamChoice, sources: &Sources, runs: bool) -> Vec<Precondition> {
    let mut conditions = Vec::new();
    let mut demand = |id, rule, holds, found: String| conditions.push(Precondition { id, rule, holds, found });
    let refused: Vec<&str> = refused(plan).collect();
    if sources.cut_off {
        let found = "one was: `recover --in-place` of this folder completes it";
        demand("settled", "no recovery in place was cut off while it was published", false, found.into());
    }
    demand(
        "chain",
        "the logs continue one another without a gap, from where replay begins to their end",
        runs,
        plan.engine_fault().map_or_else(|| describe(plan, choice), |fault| fault.finding.message.clone()),
    );
    demand(
        "databases",
        "every database of the stream takes part, or is clean already",
        refused.is_empty(),
        if refused.is_empty() {
            format!("{} database(s)", plan.databases.len())
        } else {
            format!("left out: {}", refused.join(", "))
        },
    );
    demand(
        "something",
        "there is a database",
        plan.databases.iter().any(|database| database.verdict != Verdict::Refused),
        format!("{} of {}", plan.databases.len() - refused.len(), plan.databases.len()),
    );
    if let Some(wanted) = plan.options.accept_loss {
        let computed = plan.loss.map(|loss| loss.first);
        demand(
            "accept-loss",
            "the generation given with --accept-loss is the first one that is lost",
            computed.is_none_or(|computed| computed == wanted),
            computed.map_or_else(|| "nothing is lost".into(), |computed| format!("lost from generation {computed} on")),
        );
    }
    if let (Some(limit), Some(loss)) = (plan.options.max_lost_logs, plan.loss.filter(|loss| loss.accepted)) {
        let found = format!("{} generation(s) would be lost", loss.count());
        demand("max-lost-logs", "no more generations are lost than --max-lost-logs allows", loss.count() <= limit, found);
    }
    conditions
}

fn refused(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.databases.iter().filter(|database| database.verdict == Verdict::Refused).map(|database| database.path.as_str())
}

fn describe(plan: &Plan, choice: &StreamChoice) -> String {
    match (choice, plan.generations.as_slice()) {
        (StreamChoice::None, _) => "no log is here".into(),
        (_, []) => "nothing has to be replayed".into(),
        (_, generations) => {
            let list: Vec<String> = generations.iter().map(ToString::to_string).collect();
            format!("generations {}", list.join(", "))
        }
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
        let action = format!("replay the logs of generation {}", range.join(", "));
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
