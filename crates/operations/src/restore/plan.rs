//! The plan of a restore: everything looked at, nothing changed.

use super::arrange::{Arranged, LOGS, arrange};
use super::environment::{self, DatabaseRecord, Environment, EnvironmentError, Policy, SetRecord, Status};
use super::gather::FoundSet;
use super::{Inputs, LeftOut, Options};
use crate::recover::{self, Place, Precondition, Source, Sources, StreamChoice};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Generation;
use anchorlog_replay::hard;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::Candidate;
use anchorlog_storage::DiskFolder;
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// A plan. It is shown, and [`super::make`] carries it out.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Whether it can be carried out.
    pub possible: bool,
    /// Where the result goes.
    pub target: String,
    /// Whether the files only wait there, because more sets may follow.
    pub waits: bool,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What must hold: H and C as in a restore of Microsoft's engine, in its order.
    pub preconditions: Vec<Precondition>,
    /// The recovery, where the databases are recovered now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<recover::Plan>,
    /// What will be written down of it.
    pub environment: Environment,
    /// Files of the folders that are not taken.
    pub left_out: Vec<LeftOut>,
    /// A warning that Microsoft's engine gives in place of success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<JetCode>,
    /// Remarks.
    pub notes: Vec<String>,
    #[serde(skip)]
    pub(super) sources: Sources,
    #[serde(skip)]
    pub(super) place: Place,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its number, from 1.
    pub number: usize,
    /// What is done.
    pub action: String,
    /// Files that it reads.
    pub reads: Vec<String>,
    /// Files that it writes, below the target.
    pub writes: Vec<String>,
    /// Preconditions that it rests on.
    pub requires: Vec<&'static str>,
}

/// Why there is no plan at all.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A folder or file cannot be read.
    #[error(transparent)]
    Storage(#[from] io::Error),
    /// What an earlier restore wrote down cannot be used.
    #[error("{0}: {1}")]
    Environment(String, EnvironmentError),
    /// The sets of a vault that this one needs are not there, or are none that are restored in this way.
    #[error("{0}")]
    Set(String),
    /// The restore in this folder was finished.
    #[error(
        "the restore in {folder} was finished at {finished}: what was open at the end of its logs was undone there, and the databases take \
         no more logs. To add a set, restore all of them anew into another folder"
    )]
    Finished {
        /// The folder.
        folder: String,
        /// When.
        finished: String,
    },
}

/// Plans the restore of online backup sets into `target`: a folder that does not exist or is empty, or one in which earlier sets wait.
///
/// # Errors
/// [`PlanError`]; anything that is wrong with the files of the sets is in the plan.
pub fn online(inputs: &Inputs, target: &Path, options: &Options) -> Result<Plan, PlanError> {
    let mut sets = Vec::new();
    let waiting = waiting_in(target)?;
    let place = match &waiting {
        Some(environment) => {
            sets.push(FoundSet::waiting(target, environment)?);
            Place::InPlace(target.to_owned())
        }
        None => Place::Out(target.to_owned()),
    };
    for set in &inputs.sets {
        sets.push(FoundSet::look(set)?);
    }
    plan(inputs, sets, waiting, place, options)
}

/// Plans the end of a restore that waits in `folder`: its databases are recovered there, or into `out`. Without its environment the folder
/// is taken for a set: headers say what is needed.
///
/// # Errors
/// [`PlanError`].
pub fn waiting(folder: &Path, production: Option<&Path>, out: Option<&Path>, options: &Options) -> Result<Plan, PlanError> {
    let inputs = Inputs { sets: Vec::new(), production: production.map(Path::to_owned) };
    let options = Options { last_set: true, ..options.clone() };
    let found = waiting_in(folder)?;
    let set = match &found {
        Some(environment) => FoundSet::waiting(folder, environment)?,
        None => FoundSet::look(folder)?,
    };
    let place = match (out, &found) {
        (Some(out), _) => Place::Out(out.to_owned()),
        (None, Some(_)) => Place::InPlace(folder.to_owned()),
        // Files that nobody wrote down may belong to someone else.
        (None, None) => return Err(PlanError::Environment(folder.display().to_string(), EnvironmentError::Missing)),
    };
    plan(&inputs, vec![set], found, place, &options)
}

/// Plans the restore of sets that were gathered already.
pub(crate) fn plan_sets(sets: Vec<FoundSet>, place: Place, options: &Options) -> Result<Plan, PlanError> {
    plan(&Inputs::default(), sets, None, place, options)
}

/// The environment of a folder in which a restore waits.
fn waiting_in(folder: &Path) -> Result<Option<Environment>, PlanError> {
    let shown = || folder.display().to_string();
    match Environment::read(&DiskFolder::read_only(folder)) {
        Ok(environment) if environment.status == Status::Done => {
            Err(PlanError::Finished { folder: shown(), finished: environment.status_time })
        }
        Ok(environment) => Ok(Some(environment)),
        Err(EnvironmentError::Missing) => Ok(None),
        Err(error) => Err(PlanError::Environment(shown(), error)),
    }
}

pub(super) fn plan(
    inputs: &Inputs,
    sets: Vec<FoundSet>,
    waiting: Option<Environment>,
    place: Place,
    options: &Options,
) -> Result<Plan, PlanError> {
    let options = &with_created(options, waiting.as_ref());
    let arranged = arrange(inputs, &sets, options)?;
    let mut conditions = of_place(&place, inputs, &arranged.sources);
    let mut notes = Vec::new();
    let mut recovery = None;
    if options.last_set {
        let (planned, found) = judge(&arranged, options)?;
        conditions.extend(found);
        notes.extend(planned.notes.iter().chain(&planned.warnings).cloned());
        notes.extend(end_without_production(inputs, &sets, options, &conditions)?);
        recovery = Some(planned);
    } else {
        conditions.extend(arranged.conditions.iter().cloned());
        look_ahead(&arranged, &mut conditions, &mut notes);
    }
    let environment = environment_of(inputs, &sets, waiting, &arranged, options);
    let warning = arranged.leaves_current.then_some(JetCode::WARN_TARGET_INSTANCE_RUNNING);
    let mut plan = Plan {
        possible: conditions.iter().all(|condition| condition.holds),
        target: place.path().display().to_string(),
        waits: !options.last_set,
        steps: Vec::new(),
        preconditions: conditions,
        recovery,
        environment,
        left_out: arranged.left_out,
        warning,
        notes,
        sources: arranged.sources,
        place,
    };
    if plan.possible {
        plan.steps = steps(&plan, options);
    }
    Ok(plan)
}

/// Names that logs may create go where the user wanted them when the restore began.
fn with_created(options: &Options, waiting: Option<&Environment>) -> Options {
    let mut options = options.clone();
    for (name, place) in waiting.iter().flat_map(|environment| &environment.created) {
        if !options.map.iter().any(|(other, _)| other == name) {
            options.map.push((name.clone(), place.into()));
        }
    }
    options
}

/// H1 to H3: the target.
fn of_place(place: &Place, inputs: &Inputs, sources: &Sources) -> Vec<Precondition> {
    let named = |condition: Precondition| match condition.id {
        "place" => Precondition { id: "H1", jet: (!condition.holds).then_some(JetCode::FILE_ACCESS_DENIED), ..condition },
        "room" => Precondition { id: "H2", ..condition },
        _ => condition,
    };
    let mut conditions: Vec<Precondition> = place.conditions(sources).into_iter().map(named).collect();
    let real = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // The target may not exist yet: what exists of its path is made real.
        let existing =
            path.ancestors().find_map(|part| Some((part.canonicalize().ok()?, path.strip_prefix(part).ok()?.to_owned())));
        existing.map_or(path.clone(), |(existing, rest)| existing.join(rest))
    };
    let target = real(place.path());
    let folders = inputs.sets.iter().chain(&inputs.production).map(|folder| real(folder));
    let shared: Vec<PathBuf> = folders.filter(|folder| folder.starts_with(&target) || target.starts_with(folder)).collect();
    conditions.push(Precondition {
        id: "H3",
        rule: "the target is apart from the sets and from production",
        holds: shared.is_empty(),
        found: match shared.first() {
            Some(folder) => format!("{} and {} lie in one another", target.display(), folder.display()),
            None => target.display().to_string(),
        },
        jet: (!shared.is_empty()).then_some(JetCode::INVALID_PATH),
    });
    conditions
}

/// The recovery of what was arranged, and everything that must hold for it, in the engine's order.
pub(crate) fn judge(arranged: &Arranged, options: &Options) -> Result<(recover::Plan, Vec<Precondition>), PlanError> {
    let planned = recovery_of(arranged, options)?;
    let engine = planned.engine_fault().and_then(|fault| fault.finding.jet);
    let of_recovery = planned.preconditions.iter().cloned();
    let coded =
        of_recovery.map(|condition| Precondition { jet: condition.jet.or(engine.filter(|_| !condition.holds)), ..condition });
    let conditions = arranged.conditions.iter().cloned().chain(coded).collect();
    Ok((planned, conditions))
}

fn recovery_of(arranged: &Arranged, options: &Options) -> Result<recover::Plan, PlanError> {
    let recover_options = recover::Options {
        map: arranged.placed.created.clone(),
        keep_damage: options.keep_damage,
        cache_bytes: options.cache_bytes,
        threads: options.threads,
        hard: Some(arranged.set.clone()),
        ..recover::Options::default()
    };
    let choice = StreamChoice::One(Box::new(arranged.files.clone()), arranged.signature);
    recover::plan_stream(&arranged.sources, choice, &recover_options).map_err(|error| match error {
        recover::PlanError::Storage(error) => PlanError::Storage(error),
        several @ recover::PlanError::SeveralStreams(_) => PlanError::Storage(io::Error::other(several.to_string())),
    })
}

/// Where production does not continue the sets, the user decides, and has to know which end is left (`ops-3 §4` C3).
fn end_without_production(
    inputs: &Inputs,
    sets: &[FoundSet],
    options: &Options,
    conditions: &[Precondition],
) -> Result<Option<String>, PlanError> {
    if !conditions.iter().any(|condition| !condition.holds && condition.id.starts_with('C')) {
        return Ok(None);
    }
    let alone = Inputs { production: None, ..inputs.clone() };
    let planned = recovery_of(&arrange(&alone, sets, options)?, options)?;
    let end = planned.end.filter(|_| planned.possible);
    Ok(end.map(|end| format!("without the logs of production the databases come to the end of the sets, {end}")))
}

/// What later sets cannot mend stands in the way now; what they may bring is told.
fn look_ahead(arranged: &Arranged, conditions: &mut Vec<Precondition>, notes: &mut Vec<String>) {
    const MAY_COME: [&str; 3] = ["H4", "H9", "H10"];
    let candidates: Vec<Candidate> = arranged
        .sources
        .database_candidates()
        .map(|source| Candidate { path: source.identified.path.clone(), signature: source.database_signature() })
        .collect();
    let logs = Logs { folder: arranged.sources.folder(), files: arranged.files.clone() };
    let mut set = arranged.set.clone();
    // Production is looked at when the databases are recovered.
    set.overlap.clear();
    let mut logs_of_sets = logs;
    logs_of_sets.files.archives.retain(|generation, _| *generation <= set.high);
    logs_of_sets.files.current = None;
    let examined = hard::examine(&logs_of_sets, &set, &arranged.sources, &candidates, None);
    for predicate in &examined.predicates {
        let condition = Precondition::of(predicate);
        if condition.holds || !MAY_COME.contains(&condition.id) {
            conditions.push(condition);
        } else {
            notes.push(format!("{} is still open, and a further set may close it: {}", condition.id, condition.found));
        }
    }
}

fn environment_of(
    inputs: &Inputs,
    sets: &[FoundSet],
    waiting: Option<Environment>,
    arranged: &Arranged,
    options: &Options,
) -> Environment {
    let before = waiting.as_ref();
    let text = |own: &str, before: Option<&String>| match own {
        "" => before.cloned().unwrap_or_default(),
        own => own.to_owned(),
    };
    let mut records: Vec<SetRecord> = before.map(|environment| environment.sets.clone()).unwrap_or_default();
    records.extend(sets.iter().filter(|set| !set.waits).map(|set| SetRecord {
        source: set.root.display().to_string(),
        databases: set.databases.len(),
        logs: set.logs.values().map(Vec::len).sum(),
    }));
    let mut logs = arranged.logs.clone();
    let mut databases: Vec<DatabaseRecord> = arranged.placed.databases.iter().map(|database| database.record()).collect();
    if let Some(before) = before {
        // What waited keeps its origin and its digest.
        for log in &mut logs {
            if let Some(known) = before.logs.iter().find(|known| known.destination == log.destination) {
                log.clone_from(known);
            }
        }
        for database in &mut databases {
            if let Some(known) = before.databases.iter().find(|known| known.destination == database.destination) {
                let original = std::mem::take(&mut database.original);
                database.clone_from(known);
                if database.original.is_empty() {
                    database.original = original;
                }
            }
        }
    }
    let created = arranged.placed.created.iter().map(|(name, place)| (name.clone(), place.display().to_string()));
    Environment {
        format: environment::FORMAT.into(),
        software: concat!("anchorlog ", env!("CARGO_PKG_VERSION")).into(),
        status: Status::Waiting,
        error: None,
        status_time: String::new(),
        annotation: text(&options.annotation, before.map(|environment| &environment.annotation)),
        server: text(&options.server, before.map(|environment| &environment.server)),
        source_instance: text(&options.source_instance, before.map(|environment| &environment.source_instance)),
        target_instance: inputs.production.as_ref().map(|folder| folder.display().to_string()),
        restore_path: LOGS.into(),
        log_path: LOGS.into(),
        system_path: LOGS.into(),
        original_log_path: arranged.header.as_ref().map(|header| header.parameters.log_folder()).unwrap_or_default(),
        original_system_path: arranged.header.as_ref().map(|header| header.parameters.system_folder()).unwrap_or_default(),
        base_name: arranged.files.naming.base.clone(),
        log_signature: environment::hex(&arranged.signature),
        low: arranged.set.low.0,
        high: arranged.set.high.0,
        sets: records,
        databases,
        logs,
        created: created.collect(),
        last_restore: None,
        end: None,
        policy: Policy { keep_damage: options.keep_damage, only_mapped: options.only_mapped, ..Policy::default() },
    }
}

impl Plan {
    /// The files that come into the target.
    pub(crate) fn taken(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| !self.sources.only_read.contains(&source.identified.path))
    }
}

fn steps(plan: &Plan, options: &Options) -> Vec<Step> {
    let environment = &plan.environment;
    let databases: Vec<String> = environment.databases.iter().map(|database| database.destination.clone()).collect();
    let logs: Vec<String> = environment.logs.iter().map(|log| log.destination.clone()).collect();
    let from: Vec<String> = plan.taken().map(|source| source.path.display().to_string()).collect();
    let to: Vec<String> = plan.taken().map(|source| source.identified.path.display().to_string()).collect();
    let mut steps: Vec<Step> = Vec::new();
    let mut step = |action: &str, reads: &[String], writes: &[String], requires: &[&'static str]| {
        let number = steps.len() + 1;
        let (reads, writes, requires) = (reads.to_vec(), writes.to_vec(), requires.to_vec());
        steps.push(Step { number, action: action.to_owned(), reads, writes, requires });
    };
    step("copy the databases and logs into a hidden working folder beside the target", &from, &to, &["H1", "H2", "H3"]);
    if options.last_set {
        let action = format!("complete the headers from the trailers, up to generation {}", Generation(environment.high));
        step(&action, &databases, &databases, &["H8", "H9", "H10", "H12"]);
        let all: Vec<String> = to.iter().filter(|path| path.starts_with(LOGS)).cloned().collect();
        let action = format!("replay the logs from generation {} to their end", Generation(environment.low));
        let held = |id: &&'static str| plan.preconditions.iter().any(|condition| condition.id == *id);
        let chain: Vec<&str> = ["H4", "H5", "H6", "C2", "C5", "C6"].into_iter().filter(held).collect();
        step(&action, &all, &databases, &chain);
        let written: Vec<String> = databases.iter().cloned().chain([LOGS.to_owned()]).collect();
        step("take back what had not committed, close the databases, and log that", &[], &written, &["chain"]);
        step("verify every page, tree and record of the result", &databases, &[], &["databases"]);
    }
    let done = [environment::NAME.to_owned()];
    step("write down what was restored", &logs, &done, &[]);
    step("publish the working folder under its name, whole or not at all", &[], std::slice::from_ref(&plan.target), &["H1"]);
    steps
}
