//! Offline backup: clean databases that nothing has open, as pairs and units, with the logs that roll them forward (`ops-1 §5`).

use super::Sources;
use super::databases::{self, DatabaseItem};
use super::options::Options;
use super::plan::{Phase, Plan};
use super::predicate::{Predicate, Refusal};
use super::streams::{self, StreamItem, list};
use crate::identify::Content;
use crate::sets::history::History;
use crate::sets::manifest::{Kind, Promise, Role};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::names;
use anchorlog_format::units::Signature;
use anchorlog_vault::SetId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Plans an offline backup: everything is looked at, nothing is changed.
#[must_use]
pub fn plan(sources: &Sources, history: &History, options: &Options) -> Plan {
    let mut plan = Plan::new(Kind::Offline, options);
    let mut predicates = Vec::new();
    plan.databases = databases::collect(sources, Kind::Offline, options, &mut predicates);
    plan.streams = streams::collect(sources, &mut predicates, &mut |_| true);
    plan.predicates = predicates;
    if plan.databases.is_empty() && plan.refusals().next().is_none() {
        let next = "Name the folder or the file of the database; logs alone are a set of their own kind.";
        plan.predicates.push(Predicate::refuses("set", "", "there is no database", Refusal::Path, next));
    }
    together(&mut plan, history);
    place_files(&mut plan, sources);
    plan.finish(history);
    plan
}

/// What databases and logs say of each other, and of the sets before (P7, P8, P14, P21, P23, P24).
pub(super) fn together(plan: &mut Plan, history: &History) {
    configured_paths(plan);
    members(plan);
    twins(plan);
    for at in 0..plan.streams.len() {
        let stored = stored_already(&plan.streams[at], history);
        plan.predicates.extend(stored);
    }
    promises(plan, history);
    changes(plan, history);
    let newest =
        |stream: &StreamItem| history.of_stream(&stream.signature).next_back().map(|set| (stream.signature.0, set.id.clone()));
    plan.continues = plan.streams.iter().filter_map(newest).collect();
}

/// P8: every file that configuration names is there.
pub(super) fn configured_paths(plan: &mut Plan) {
    for path in &plan.options.configured {
        let shown = path.display().to_string();
        plan.predicates.push(if path.exists() {
            Predicate::held("P8", shown, "it is there")
        } else {
            let next = "Correct the configuration, or bring the file; without configuration the logs tell the paths.";
            Predicate::refuses("P8", shown, "there is no such file", Refusal::Path, next)
        });
    }
}

/// P7: the databases that the newest logs of each stream name are here, or left out by name; those of Exchange 5.5 cannot be left out.
pub(super) fn members(plan: &mut Plan) {
    let here: BTreeSet<[u8; 28]> = plan.databases.iter().map(|database| database.facts.signature.0).collect();
    let wanted: BTreeSet<[u8; 28]> = plan.databases.iter().map(|database| database.facts.log_signature.0).collect();
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for stream in plan.streams.iter().filter(|stream| wanted.contains(&stream.signature.0)) {
        let unit = plan
            .databases
            .iter()
            .any(|database| database.facts.log_signature == stream.signature && database.is_of_exchange_55());
        let absent: Vec<&str> = stream
            .members
            .iter()
            .filter(|member| !here.contains(&member.signature.0))
            .map(|member| member.path.as_str())
            .collect();
        let (named, missing): (Vec<&str>, Vec<&str>) =
            absent.into_iter().partition(|path| !unit && plan.options.leaves_out(path));
        let shown = stream.name();
        found.push(if missing.is_empty() {
            let but = if named.is_empty() { String::new() } else { format!(", left out: {}", streams::few(&named)) };
            Predicate::held("P7", shown, format!("{} databases{but}", stream.members.len() - named.len()))
        } else {
            let read = format!("the logs name {}, and it is not here with its signature", streams::few(&missing));
            let next = if unit {
                "The databases of Exchange 5.5 are one unit: back up all of them together."
            } else {
                "Bring it, or leave it out by name: the set is then marked as a part of its group."
            };
            Predicate::refuses("P7", shown, read, Refusal::OtherDb, next)
        });
        left_out.extend(named.into_iter().map(str::to_owned));
    }
    plan.predicates.extend(found);
    plan.left_out = left_out;
}

/// Two files that are one database: neither can be told to be the right one (trap O14).
pub(super) fn twins(plan: &mut Plan) {
    let mut by_signature: BTreeMap<[u8; 28], Vec<String>> = BTreeMap::new();
    for database in plan.databases.iter().filter(|database| !database.facts.signature.is_none()) {
        by_signature.entry(database.facts.signature.0).or_default().push(database.shown());
    }
    for paths in by_signature.into_values().filter(|paths| paths.len() > 1) {
        let next = "Move the copy out of the folder, or back up the right file alone.";
        let read = format!("{} are one database by their signature", streams::few(&paths));
        plan.predicates.push(
            Predicate::refuses("P7", streams::few(&paths), read, Refusal::DbSign, next).with_jet(JetCode::DATABASE_SIGN_IN_USE),
        );
    }
}

/// P21: a closed log that a set holds already must be the same file.
pub(super) fn stored_already(stream: &StreamItem, history: &History) -> Vec<Predicate> {
    let (mut same, mut wrong) = (0_usize, Vec::new());
    for log in &stream.closed {
        let mut stored = history.logs(&stream.signature, log.facts.generation).peekable();
        if stored.peek().is_none() {
            continue;
        }
        match stored.find(|stored| stored.file.blake3 != log.blake3) {
            None => same += 1,
            Some(other) if other.facts.created != log.facts.created => wrong.push(format!(
                "generation {:#x} was made at {}, and set {} holds one made at {}",
                log.facts.generation, log.facts.created, other.set.id, other.facts.created
            )),
            Some(other) => {
                wrong.push(format!("generation {:#x} has another content in set {}", log.facts.generation, other.set.id))
            }
        }
    }
    let shown = stream.name();
    if wrong.is_empty() {
        return vec![Predicate::held("P21", shown, format!("{same} generations are stored already, with the same content"))];
    }
    let next =
        "Both are kept. The stream has two histories: a server was put back, or a log was changed. Find out which one counts.";
    vec![Predicate::marks("P21", shown, streams::few(&wrong), Refusal::Dup, next)]
}

/// P14 and P23: whether logs can be replayed onto each database, from its anchor on.
fn promises(plan: &mut Plan, history: &History) {
    let (mut found, mut promises) = (Vec::new(), Vec::new());
    for database in &plan.databases {
        let (Some(anchor), shown) = (database.facts.start(), database.shown()) else { continue };
        let stream = plan.stream_of(&database.facts.log_signature);
        let circular = circular_since(plan, database, stream, anchor, history);
        found.push(if circular.is_empty() {
            Predicate::held("P14", &shown, format!("off since generation {anchor:#x}"))
        } else {
            let next = "The set is good without roll-forward; switch circular logging off and make a full set to have it.";
            Predicate::marks("P14", &shown, circular.join("; "), Refusal::RangeMissing, next)
        });
        let mut why_not = circular;
        match anchor_log(stream, history, &database.facts.log_signature, anchor) {
            Ok(read) => found.push(Predicate::held("P23", &shown, read)),
            Err(read) => {
                why_not.push(read.clone());
                let next = "Find that log before it is purged: without it no log can be replayed onto this copy.";
                found.push(Predicate::marks("P23", &shown, read, Refusal::AnchorMissing, next));
            }
        }
        if let Some(damaged) = stream.and_then(|stream| unreadable_from(stream, anchor)) {
            why_not.push(damaged);
        }
        let name = super::plan::stream_name(&database.place);
        promises.push(Promise { database: name, anchor, rolls_forward: why_not.is_empty(), why_not });
    }
    plan.predicates.extend(found);
    plan.promises = promises;
}

/// Why circular logging spoils roll-forward, as far as anything tells (traps O1, O23).
fn circular_since(
    plan: &Plan,
    database: &DatabaseItem,
    stream: Option<&StreamItem>,
    anchor: u32,
    history: &History,
) -> Vec<String> {
    let mut why = Vec::new();
    if plan.options.circular == Some(true) {
        why.push("configuration says that circular logging is on".to_owned());
    }
    let Some(stream) = stream else { return why };
    let since: Vec<_> = stream.logs().filter(|log| log.facts.generation >= anchor).collect();
    if let Some(log) = since.iter().find(|log| log.facts.circular_now) {
        why.push(format!("circular logging was on in generation {:#x}", log.facts.generation));
    } else if let Some(log) = since.iter().find(|log| log.facts.circular_history) {
        why.push(format!("circular logging was on before generation {:#x}: logs may have been discarded", log.facts.generation));
    }
    let lowest = stream.logs().next().map(|log| log.facts.generation);
    let backed_up = database.facts.full.is_some() || history.of_stream(&stream.signature).next().is_some();
    if let Some(lowest) = lowest.filter(|lowest| *lowest > 1 && !backed_up) {
        why.push(format!(
            "the logs begin with generation {lowest:#x}, though no backup was ever made that would have purged the others"
        ));
    }
    why
}

/// Where the anchor log is; else what is missing.
fn anchor_log(stream: Option<&StreamItem>, history: &History, signature: &Signature, anchor: u32) -> Result<String, String> {
    if let Some(stored) = history.logs(signature, anchor).next() {
        return Ok(format!("generation {anchor:#x} is stored in set {}", stored.set.id));
    }
    let log = stream.and_then(|stream| stream.log(anchor));
    match log {
        Some(log) if log.facts.open => Ok(format!(
            "generation {anchor:#x} is the current log: it goes into the set as it is; roll-forward begins once it is closed and stored"
        )),
        Some(_) => Ok(format!("generation {anchor:#x} is here")),
        None => Err(format!("generation {anchor:#x} is neither here nor in a set")),
    }
}

fn unreadable_from(stream: &StreamItem, anchor: u32) -> Option<String> {
    let bad =
        stream.closed.iter().find(|log| log.facts.generation >= anchor && log.facts.state != crate::sets::LogState::Whole)?;
    Some(format!("generation {:#x} cannot be read to its end", bad.facts.generation))
}

/// P24: against the last sets that hold the databases. Those behind which a database changed its life are marked once this one is made.
pub(super) fn changes(plan: &mut Plan, history: &History) {
    let (mut changed, mut compared): (Vec<(Option<SetId>, String)>, usize) = (Vec::new(), 0);
    for database in &plan.databases {
        let shown = database.shown();
        let name = super::plan::stream_name(&database.place);
        let Some((set, file, before)) = history.last_with(&database.facts.signature) else {
            changed.extend(new_signature(plan, history, database));
            continue;
        };
        compared += 1;
        let mut add = |what: String| changed.push((Some(set.id.clone()), what));
        if before.repairs != database.facts.repairs {
            add(format!("{shown} was repaired since set {}", set.id));
        }
        if file.name != name {
            add(format!("{shown} lay at {} in set {}", file.name, set.id));
        }
        if before.log_signature != database.facts.log_signature {
            add(format!("{shown} belongs to another log stream since set {}", set.id));
        }
    }
    for stream in &plan.streams {
        changed.extend(gone(plan, history, stream));
    }
    plan.predicates.push(if changed.is_empty() {
        Predicate::held("P24", "", format!("{compared} databases are as in their last set"))
    } else {
        let next = "Make a full set now: roll-forward from the older ones ends here.";
        let all: Vec<&str> = changed.iter().map(|(_, what)| what.as_str()).collect();
        Predicate::marks("P24", "", streams::few(&all), Refusal::DbSign, next)
    });
    plan.ends = changed.into_iter().filter_map(|(set, what)| set.map(|set| (set, what))).collect();
}

/// The same place with another signature: defragmented, repaired, or another database.
fn new_signature(plan: &Plan, history: &History, database: &DatabaseItem) -> Option<(Option<SetId>, String)> {
    let (shown, name) = (database.shown(), super::plan::stream_name(&database.place));
    let mut full = history.sets.iter().rev().filter(|set| set.manifest.kind.has_databases());
    if let Some(set) = full.find(|set| set.manifest.databases().any(|(file, _)| file.name == name)) {
        // What that set holds may still be in the folder under another name.
        let moved = set.manifest.databases().any(|(file, before)| {
            file.name == name && plan.databases.iter().any(|other| other.facts.signature == before.signature)
        });
        return Some(((!moved).then(|| set.id.clone()), format!("{shown} has a new signature since set {}", set.id)));
    }
    let stream = &database.facts.log_signature;
    let is_known = !stream.is_none() && history.of_stream(stream).any(|set| set.manifest.kind.has_databases());
    is_known.then(|| (None, format!("{shown} is new in its stream")))
}

/// Databases of the last full set of a stream that are no longer there, and that its logs no longer name.
fn gone(plan: &Plan, history: &History, stream: &StreamItem) -> Vec<(Option<SetId>, String)> {
    if plan.databases.is_empty() {
        return Vec::new();
    }
    let Some(set) = history.of_stream(&stream.signature).rfind(|set| set.manifest.kind.has_databases()) else {
        return Vec::new();
    };
    let here = |signature: &Signature| plan.databases.iter().any(|database| database.facts.signature == *signature);
    let named = |signature: &Signature| stream.members.iter().any(|member| member.signature == *signature);
    let databases = set.manifest.databases().filter(|(_, facts)| facts.log_signature == stream.signature);
    databases
        .filter(|(_, facts)| !here(&facts.signature) && !named(&facts.signature))
        .map(|(file, _)| (None, format!("{} of set {} is gone from the stream", file.name, set.id)))
        .collect()
}

/// What goes into the set. Behind circular logging closed logs are worth nothing and stay out (trap O1: not the other way round).
fn place_files(plan: &mut Plan, sources: &Sources) {
    add_stopped(plan, sources);
    for stream in plan.streams.clone() {
        if stream.is_circular(plan.options.circular) {
            plan.remarks.push(format!("{}: circular logging is on, so that closed logs are not stored", stream.name()));
        } else {
            add_closed(plan, sources, &stream, |_| true);
        }
    }
}

/// What is read while everything is stopped: databases with what lies beside them, current logs and checkpoints.
pub(super) fn add_stopped(plan: &mut Plan, sources: &Sources) {
    for database in plan.databases.clone() {
        plan.add(sources, &database.place, Role::Database, Phase::Stopped);
        if let Some(streaming) = &database.streaming {
            plan.add(sources, streaming, Role::StreamingFile, Phase::Stopped);
        }
        let map = database.place.with_extension("jfm");
        if sources.get(&map).is_some_and(|source| matches!(source.identified.content, Content::FlushMap(_))) {
            plan.add(sources, &map, Role::FlushMap, Phase::Stopped);
        }
    }
    for stream in plan.streams.clone() {
        if let Some(open) = &stream.open {
            plan.add(sources, &open.place, Role::Log, Phase::Stopped);
        }
        if let Some((checkpoint, _)) = &stream.checkpoint {
            plan.add(sources, checkpoint, Role::Checkpoint, Phase::Stopped);
        }
    }
}

/// The closed logs of a stream, with those that cannot be read: the bytes may be all that is left of them.
pub(super) fn add_closed(plan: &mut Plan, sources: &Sources, stream: &StreamItem, wanted: impl Fn(u32) -> bool) {
    for log in stream.closed.iter().filter(|log| wanted(log.facts.generation)) {
        plan.add(sources, &log.place, Role::Log, Phase::Behind);
    }
    for (place, _) in &stream.unusable {
        plan.add(sources, place, Role::Log, Phase::Behind);
    }
    let is_current = |place: &Path| {
        let name = place.file_name().and_then(|name| name.to_str()).and_then(names::parse);
        matches!(name.map(|name| name.role), Some(names::Role::Current(_)))
    };
    for place in
        stream.diverging.iter().filter(|place| plan.kind != Kind::Logs || !is_current(place)).cloned().collect::<Vec<_>>()
    {
        plan.add(sources, &place, Role::Log, Phase::Behind);
    }
    if !stream.doubled.is_empty() {
        plan.remarks.push(format!("stored once only: {}", list(stream.doubled.iter())));
    }
}
