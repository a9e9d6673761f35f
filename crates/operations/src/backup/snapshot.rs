//! Backup of an image: files of one moment, dirty as they were, proved by replaying them (`ops-1 §10`).

use super::copy::Follow;
use super::make::Replayed;
use super::options::Options;
use super::plan::Plan;
use super::predicate::{Predicate, Refusal};
use super::streams::{self, list};
use super::{Error, Sources, databases, offline};
use crate::recover::{self, MakeError, Place, Verdict};
use crate::sets::history::History;
use crate::sets::manifest::Kind;
use crate::sets::proof::ReplayProof;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{LogPosition, LogTime};
use anchorlog_replay::ambient::Ambient;
use std::io;

/// One instant at which an image was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instant {
    /// Identity of the snapshot.
    pub id: String,
    /// When it was taken, in UTC.
    pub time: Option<LogTime>,
}

/// From which instants databases and logs come; where the user does not say, the files alone tell whether they fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instants {
    /// That of the databases.
    pub databases: Option<Instant>,
    /// That of the logs.
    pub logs: Option<Instant>,
}

impl Instants {
    /// As the manifest keeps them.
    pub(super) fn vouched(&self) -> impl Iterator<Item = (String, String)> {
        let shown = |instant: &Instant| match instant.time {
            Some(time) => format!("{} at {time}", instant.id),
            None => instant.id.clone(),
        };
        let named = |name: &str, instant: &Option<Instant>| instant.as_ref().map(|instant| (name.to_owned(), shown(instant)));
        [named("snapshot of the databases", &self.databases), named("snapshot of the logs", &self.logs)].into_iter().flatten()
    }
}

/// Plans the backup of an image: everything is looked at, replay is walked through, nothing is changed.
///
/// # Errors
/// Those of planning the replay: several streams that could be meant, and any error of the storage.
pub fn plan(sources: &Sources, history: &History, options: &Options) -> Result<Plan, recover::PlanError> {
    let mut plan = Plan::new(Kind::Snapshot, options);
    let mut predicates = Vec::new();
    plan.databases = databases::collect(sources, Kind::Snapshot, options, &mut predicates);
    plan.streams = streams::collect(sources, &mut predicates, &mut |_| true);
    plan.predicates = predicates;
    plan.predicates.push(one_moment(&options.instants));
    ranges(&mut plan);
    tails(&mut plan);
    offline::together(&mut plan, history);
    replayable(&mut plan, sources, options)?;
    place_files(&mut plan, sources);
    plan.finish(history);
    Ok(plan)
}

/// P69 (trap O24): the logs are of the same moment as the databases, or later.
fn one_moment(instants: &Instants) -> Predicate {
    let next = "Take both from one snapshot, or the logs from a later one.";
    let refuses = |read: String| Predicate::refuses("P69", "", read, Refusal::RangeMissing, next);
    match (&instants.databases, &instants.logs) {
        (Some(databases), Some(logs)) if databases.id == logs.id => {
            Predicate::held("P69", "", format!("both of snapshot {}", logs.id))
        }
        (Some(databases), Some(logs)) => match (databases.time, logs.time) {
            (Some(of_databases), Some(of_logs)) if of_logs.order() >= of_databases.order() => {
                Predicate::held("P69", "", format!("the logs of {of_logs} are later than the databases of {of_databases}"))
            }
            (Some(of_databases), Some(of_logs)) => {
                refuses(format!("the logs of {of_logs} are earlier than the databases of {of_databases}"))
            }
            _ => refuses(format!(
                "snapshot {} of the databases and {} of the logs: which is later is not known",
                databases.id, logs.id
            )),
        },
        _ => Predicate::held("P69", "", "the user names no snapshots: the ranges of the headers tell (P70, P71)"),
    }
}

/// P70 and P71: what each dirty database needs is in the logs.
fn ranges(plan: &mut Plan) {
    let mut found = Vec::new();
    for database in plan.databases.iter().filter(|database| !database.facts.is_clean()) {
        let (facts, shown) = (&database.facts, database.shown());
        let stream = plan.stream_of(&facts.log_signature);
        let has = |generation: u32| stream.is_some_and(|stream| stream.log(generation).is_some());
        let missing = |first: u32, last: u32| {
            let last = last.min(first.saturating_add(1_000_000));
            let absent = (first.max(1)..=last).filter(|generation| !has(*generation)).map(anchorlog_format::units::Generation);
            crate::survey::ranges(absent).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let required = if facts.min_required == 0 { String::new() } else { missing(facts.min_required, facts.max_required) };
        found.push(if required.is_empty() {
            Predicate::held("P70", &shown, format!("generations {:#x} to {:#x}", facts.min_required, facts.max_required))
        } else {
            let read =
                format!("it needs {:#x} to {:#x}, and {required} is not in the image", facts.min_required, facts.max_required);
            let next = "Take the logs from the same snapshot as the database, or from a later one.";
            Predicate::refuses("P70", &shown, read, Refusal::RangeMissing, next)
        });
        // 0 where the engine did not know the field yet.
        let committed = if facts.max_committed > facts.max_required {
            missing(facts.max_required + 1, facts.max_committed)
        } else {
            String::new()
        };
        found.push(if committed.is_empty() {
            Predicate::held("P71", &shown, format!("committed up to {:#x}", facts.max_committed.max(facts.max_required)))
        } else {
            let read = format!("transactions committed in generation {committed}, which is not in the image");
            let next = "Bring these logs; or accept that what committed there is lost.";
            let broken = Predicate::refuses("P71", &shown, read.clone(), Refusal::CommitMissing, next);
            if plan.options.accept_loss { Predicate::marks("P71", &shown, read, Refusal::CommitMissing, next) } else { broken }
        });
    }
    plan.predicates.extend(found);
}

/// P72 and P74: how far the current log is valid, by its records; the next one, half made, stays out.
fn tails(plan: &mut Plan) {
    let mut found = Vec::new();
    for stream in &plan.streams {
        let shown = stream.name();
        found.push(match &stream.open {
            None => Predicate::held("P72", &shown, "the image ends with a closed log"),
            Some(open) if open.facts.valid_end == LogPosition::NONE => {
                let next = "Its end cannot be told; look whether the log before it is enough.";
                Predicate::marks("P72", &shown, format!("{} has no valid record", open.place.display()), Refusal::Damaged, next)
            }
            Some(open) => {
                let (end, bytes) = (open.facts.valid_end, open.facts.valid_bytes);
                Predicate::held("P72", &shown, format!("valid to {end}: {bytes} of {} bytes", open.size))
            }
        });
        found.push(Predicate::held("P74", &shown, format!("left out: {}", list(stream.waiting.iter()))));
    }
    plan.predicates.extend(found);
}

/// P75: replay leads to its end, as far as a walk through the logs tells; and whether it will be really made.
fn replayable(plan: &mut Plan, sources: &Sources, options: &Options) -> Result<(), recover::PlanError> {
    let walked = recover::plan(sources, &of_recovery(options, None))?;
    let loss = walked.loss.filter(|_| options.accept_loss).map(|loss| loss.first);
    let walked = if loss.is_some() { recover::plan(sources, &of_recovery(options, loss))? } else { walked };
    let broken = walked.preconditions.iter().find(|condition| !condition.holds);
    plan.predicates.push(match broken {
        Some(condition) => {
            let fault = walked.engine_fault().or_else(|| walked.faults.first());
            let jet = condition
                .jet
                .or_else(|| fault.and_then(|fault| fault.finding.jet))
                .unwrap_or(JetCode::REQUIRED_LOG_FILES_MISSING);
            let next = "`anchorlog recover --dry-run` on the image says what is missing.";
            let read = format!("{}: {}", condition.rule, condition.found);
            Predicate::refuses("P75", "", read, Refusal::RangeMissing, next).with_jet(jet)
        }
        None if options.scratch.is_some() => {
            Predicate::held("P75", "", "a walk through the logs leads to the end; it is replayed before it counts")
        }
        None => {
            let next = "Name a scratch folder: the image is replayed there, and the set is proved.";
            Predicate::marks("P75", "", "no scratch folder: the image is not replayed", Refusal::Space, next)
        }
    });
    Ok(())
}

fn of_recovery(options: &Options, loss: Option<anchorlog_format::units::Generation>) -> recover::Options {
    recover::Options { accept_loss: loss, ignore_missing_database: !options.without.is_empty(), ..recover::Options::default() }
}

fn place_files(plan: &mut Plan, sources: &Sources) {
    offline::add_stopped(plan, sources);
    for stream in plan.streams.clone() {
        offline::add_closed(plan, sources, &stream, |_| true);
    }
}

/// Follows the replay that proves a backup.
pub(super) struct Steps<'a, 'p>(pub &'a mut Follow<'p>);

impl recover::Progress for Steps<'_, '_> {
    fn phase(&mut self, name: &str, _: usize) -> bool {
        self.0.stopped |= !self.0.progress.phase(name, 0);
        !self.0.stopped
    }
    fn step(&mut self, what: &str, _: usize, _: usize) -> bool {
        self.0.read(what, 0)
    }
    fn goes_on(&mut self) -> bool {
        self.0.read("", 0)
    }
}

/// Why the replay that was to prove a backup was not made.
pub(super) fn not_replayed(read: String, jet: Option<JetCode>) -> Error {
    let (refusal, next) = match jet {
        Some(JetCode::DISK_FULL) => {
            (Refusal::Space, "Make room in the scratch folder, or name another one: the files themselves may be good.")
        }
        Some(JetCode::FILE_ACCESS_DENIED) => (Refusal::InUse, "Something writes the files: take them of one moment."),
        _ => (
            Refusal::Damaged,
            "These files are no backup: take others, and see with `anchorlog recover` what is wrong with these.",
        ),
    };
    let predicate = Predicate::refuses("P75", "", read, refusal, next);
    Error::Refused(vec![Predicate { jet: jet.or(predicate.jet), ..predicate }])
}

/// Replays the image in the scratch folder, and removes the result: what it came to is the proof.
pub(super) fn prove(
    plan: &Plan,
    sources: &Sources,
    ambient: &Ambient,
    follow: &mut Follow<'_>,
) -> Result<Option<Replayed>, Error> {
    let Some(scratch) = &plan.options.scratch else { return Ok(None) };
    let unplanned = |error: recover::PlanError| Error::Source("the image".into(), io::Error::other(error));
    let options = of_recovery(&plan.options, None);
    let mut walked = recover::plan(sources, &options).map_err(unplanned)?;
    if let Some(loss) = walked.loss.filter(|_| plan.options.accept_loss) {
        walked = recover::plan(sources, &of_recovery(&plan.options, Some(loss.first))).map_err(unplanned)?;
    }
    let failed = |error| Error::Source(scratch.display().to_string(), error);
    let place = anchorlog_storage::WorkFolder::begin(scratch, "proof").map_err(failed)?;
    let out = Place::Out(place.path().join("replayed"));
    let made = match recover::make(&walked, sources, &out, ambient, &mut Steps(follow)) {
        Ok(report) => report,
        Err(MakeError::Interrupted) => return Err(Error::Interrupted),
        Err(MakeError::Refused { reason, jet, .. } | MakeError::Failed { reason, jet } | MakeError::CutOff { reason, jet }) => {
            return Err(not_replayed(reason, jet));
        }
    };
    let stays = made.databases.iter().find(|database| matches!(database.verdict, Verdict::Refused | Verdict::StaysDirty));
    if let Some(database) = stays {
        return Err(not_replayed(format!("{}: {}", database.path, database.reason), Some(JetCode::DATABASE_DIRTY_SHUTDOWN)));
    }
    let generations = made.run.as_ref().and_then(|run| run.generations).map(|(first, last)| (first.0, last.0));
    let databases = made.databases.iter().map(|database| (database.path.clone(), database.verdict.to_string())).collect();
    Ok(Some(Replayed { proof: ReplayProof { generations, databases, ..ReplayProof::default() }, inputs: made.inputs }))
}
