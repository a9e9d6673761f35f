//! Import of online backup sets that were made elsewhere: a full set or copy with its databases, or logs alone on top of one (`ops-2 §8`,
//! `§13`). What is demanded is what its restore demands: the very files are planned as a restore, with the sets of the vault that they need.

use super::copy::Follow;
use super::databases::DatabaseItem;
use super::make::Replayed;
use super::options::Options;
use super::plan::{Phase, Plan, stream_name};
use super::predicate::{Predicate, Refusal};
use super::snapshot::{Steps, not_replayed};
use super::streams::{self, StreamItem, few};
use super::{Error, Sources};
use crate::identify::Content;
use crate::recover::{MakeError, Place, Precondition, Source};
use crate::restore::{self, FoundSet, PlanError, arrange, judge};
use crate::sets::facts::{DatabaseFacts, LogState};
use crate::sets::history::{History, KnownSet};
use crate::sets::manifest::{Kind, Promise, Role};
use crate::sets::proof::ReplayProof;
use anchorlog_format::database::{HeaderPage, trailer::Trailer};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Signature;
use anchorlog_replay::ambient::Ambient;
use anchorlog_vault::Vault;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Plans the import of the set in a folder: everything is looked at, its restore is walked through, nothing is changed. Returns its files, and
/// the plan.
///
/// # Errors
/// [`PlanError`]: a folder or a set of the vault that cannot be read; anything that is wrong with the files is in the plan.
pub fn plan(folder: &Path, vault: &Arc<dyn Vault>, history: &History, options: &Options) -> Result<(Sources, Plan), PlanError> {
    let found = FoundSet::look(folder)?;
    let sources = Sources::of(found.sources().cloned());
    let (kind, is_named_well) = kind_of(&found, options);
    let mut plan = Plan::new(kind, options);
    plan.predicates.push(is_named_well);
    let mut of_logs = Vec::new();
    plan.streams = streams::collect(&sources, &mut of_logs, &mut |_| true);
    plan.databases = found.databases.iter().filter_map(item).collect();
    let mut sets = Vec::new();
    if kind.has_databases() {
        sets.push(found.clone());
    } else if let Some(base) = base(&mut plan, history) {
        let chain = restore::chain(history, &base.id);
        sets.extend(chain.unwrap_or_default().iter().map(|set| FoundSet::stored(vault, set, &|_| true)));
        if !sets.is_empty() {
            sets.push(found.clone());
        }
    }
    if !sets.is_empty() {
        let arranged = arrange(&restore::Inputs::default(), &sets, &restore::Options::default())?;
        let (_, conditions) = judge(&arranged, &restore_options())?;
        plan.predicates.extend(conditions.into_iter().map(of_restore));
        let own = arranged.left_out.iter().filter(|left| Path::new(&left.path).starts_with(&found.root));
        plan.remarks.extend(own.map(|left| format!("left out: {}: {}", left.path, left.why)));
    }
    // Of sets that were not made online no restore is planned here: that the logs join on to theirs is seen from their headers.
    if sets.is_empty() {
        let joined: Vec<Predicate> = plan.streams.iter().filter_map(|stream| joins(stream, history)).collect();
        plan.predicates.extend(joined);
    }
    for source in &found.databases {
        plan.predicates.extend(trailer(source));
    }
    let own = plan.streams.iter().flat_map(|stream| [links(stream), readable(stream)]).collect::<Vec<_>>();
    plan.predicates.extend(own);
    // P15 to P20 told of the same logs as I15 and I17 did, and refuse nothing.
    plan.predicates.extend(of_logs.into_iter().filter(|predicate| !matches!(predicate.id, "P17" | "P18" | "P20")));
    absent(&mut plan);
    place_files(&mut plan, &sources);
    plan.sets = sets;
    plan.finish(history);
    Ok((sources, plan))
}

fn restore_options() -> restore::Options {
    restore::Options { last_set: true, ..restore::Options::default() }
}

/// I4: with databases it is a full set or a copy, with logs alone an incremental or differential one. The files on the medium are the same for
/// either of both: the user says which, or it is taken for the former.
fn kind_of(found: &FoundSet, options: &Options) -> (Kind, Predicate) {
    let shown = found.root.display().to_string();
    let has_databases = !found.databases.is_empty();
    let usual = if has_databases { Kind::OnlineFull } else { Kind::OnlineIncremental };
    let read = format!("{} databases, {} logs", found.databases.len(), found.logs.values().map(Vec::len).sum::<usize>());
    match options.online_kind {
        Some(kind) if !kind.is_online() || kind.has_databases() != has_databases => {
            let read = format!("{read}: that is no set of the kind {}", kind.name());
            let next =
                "A full set or a copy has databases with their trailers; an incremental or differential one has logs alone.";
            (usual, Predicate::refuses("I4", shown, read, Refusal::State, next).with_jet(JetCode::RESTORE_OF_NON_BACKUP_DATABASE))
        }
        kind => (kind.unwrap_or(usual), Predicate::held("I4", shown, read)),
    }
}

fn item(source: &Source) -> Option<DatabaseItem> {
    let Content::Database { page, .. } = &source.identified.content else { return None };
    let facts = DatabaseFacts::of(&page.header, page.page_size());
    Some(DatabaseItem { place: source.identified.path.clone(), page: (**page).clone(), facts, streaming: None })
}

/// I33: the set whose logs these continue: the one that reaches furthest, and not as far as they do.
fn base<'h>(plan: &mut Plan, history: &'h History) -> Option<&'h KnownSet> {
    let [stream] = plan.streams.as_slice() else {
        if plan.streams.len() > 1 {
            let all: Vec<String> = plan.streams.iter().map(|stream| stream.signature.to_string()).collect();
            let next = "Import the logs of each stream from a folder of their own.";
            let broken = Predicate::refuses("I14", "", format!("logs of several streams: {}", few(&all)), Refusal::LogSign, next);
            plan.predicates.push(broken.with_jet(JetCode::GIVEN_LOG_FILE_HAS_BAD_SIGNATURE));
        }
        return None;
    };
    let (shown, signature) = (stream.name(), stream.signature);
    let (Some(lowest), Some(highest)) = (stream.closed.first(), stream.closed.last()) else { return None };
    let (lowest, highest) = (lowest.facts.generation, highest.facts.generation);
    let may_be_base = |set: &&KnownSet| match set.manifest.kind {
        Kind::Logs | Kind::OnlineIncremental => plan.kind == Kind::OnlineIncremental,
        kind => kind.has_databases() && set.manifest.databases().any(|(_, facts)| facts.log_signature == signature),
    };
    let sets: Vec<(&KnownSet, u32)> =
        history.of_stream(&signature).filter(may_be_base).filter_map(|set| Some((set, end_of(set, &signature)?))).collect();
    let joins = |end: u32| end >= lowest.saturating_sub(1);
    // A set that reaches as far already comes last: this one brings nothing then, and harms nothing.
    let best = sets.iter().filter(|(_, end)| joins(*end)).max_by_key(|(_, end)| (*end < highest, *end));
    if let Some((set, end)) = best {
        let read = format!("generations {lowest:#x} to {highest:#x} continue set {}, which ends with {end:#x}", set.id);
        plan.continues.insert(signature.0, set.id.clone());
        plan.predicates.push(Predicate::held("I33", shown, read));
        return Some(set);
    }
    let broken = match sets.iter().map(|(_, end)| *end).max() {
        None => {
            let next = "Import the full set of these logs first: logs alone can be replayed onto nothing.";
            let read = format!("no set of the vault holds a database of the stream {signature}");
            Predicate::refuses("I33", shown, read, Refusal::DbSign, next).with_jet(JetCode::MISSING_FULL_BACKUP)
        }
        Some(end) => {
            let next = "Import the sets between the two first; where they are lost, import a newer full set.";
            let read = format!("the sets of the vault end with generation {end:#x}, and these logs begin with {lowest:#x}");
            Predicate::refuses("I33", shown, read, Refusal::Gap, next).with_jet(JetCode::MISSING_FILE_TO_BACKUP)
        }
    };
    plan.predicates.push(broken);
    None
}

/// C5 and C6, of logs that the vault has: the one in front of these leads to them, and one that is stored already is the same.
fn joins(stream: &StreamItem, history: &History) -> Option<Predicate> {
    let stored = |generation: u32| history.logs(&stream.signature, generation);
    let mut wrong = stream.closed.iter().filter_map(|log| {
        let generation = log.facts.generation;
        let before = generation.checked_sub(1)?;
        let leads = stored(before).next().is_none() || stored(before).any(|before| before.facts.links_to(&log.facts));
        let same = stored(generation).all(|stored| stored.file.blake3 == log.blake3);
        let what = if leads { "has another content than the one in the vault" } else { "does not continue the one in the vault" };
        (!leads || !same).then(|| format!("generation {generation:#x} {what}"))
    });
    let read = wrong.next()?;
    let next = "The sets are of different histories: import these logs with the full set that they belong to.";
    let broken = Predicate::refuses("I33", stream.name(), read, Refusal::Chain, next);
    Some(broken.with_jet(JetCode::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS))
}

/// The last closed generation of a stream in a set; of a database without logs the one in which it became clean.
fn end_of(set: &KnownSet, signature: &Signature) -> Option<u32> {
    let closed =
        set.manifest.logs().filter(|(_, log)| log.signature == *signature && !log.open).map(|(_, log)| log.generation).max();
    let clean = set.manifest.databases().filter(|(_, facts)| facts.log_signature == *signature && facts.is_clean());
    // Its logs may still be in the current one then.
    closed.max(clean.filter_map(|(_, facts)| facts.start()).max().map(|anchor| anchor.saturating_sub(1)))
}

/// What a restore demands, as a predicate of a backup.
fn of_restore(condition: Precondition) -> Predicate {
    let Precondition { id, rule, holds, found, jet } = condition;
    let refusal = match jet.unwrap_or(JetCode::SUCCESS) {
        JetCode::MISSING_RESTORE_LOG_FILES => Refusal::Gap,
        JetCode::GIVEN_LOG_FILE_HAS_BAD_SIGNATURE => Refusal::LogSign,
        JetCode::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS => Refusal::Chain,
        JetCode::ENDING_RESTORE_LOG_TOO_LOW | JetCode::STARTING_RESTORE_LOG_TOO_HIGH => Refusal::RangeMissing,
        JetCode::DATABASE_PATCH_FILE_MISMATCH => Refusal::Pair,
        JetCode::RESTORE_OF_NON_BACKUP_DATABASE => Refusal::State,
        JetCode::DATABASE_SIGN_IN_USE | JetCode::DATABASE_DUPLICATE => Refusal::Dup,
        _ => Refusal::Damaged,
    };
    let next = match refusal {
        Refusal::Gap | Refusal::RangeMissing => {
            "Bring the missing logs of the set into its folder, or take another copy of the set."
        }
        Refusal::LogSign | Refusal::Chain | Refusal::Dup => {
            "Files of several sets are mixed: bring each set in a folder of its own."
        }
        Refusal::Pair => "Take database and trailer of one and the same set: another copy of it.",
        Refusal::State => {
            "It is no online backup: a clean database goes in with `backup offline`, a crashed one with its logs with `backup snapshot`."
        }
        _ => "Take another copy of the set: nothing that is damaged is stored as a backup.",
    };
    let base = if holds { Predicate::held(id, "", found) } else { Predicate::refuses(id, "", found, refusal, next) };
    Predicate { rule, jet: jet.filter(|_| !holds).or(base.jet), ..base }
}

/// I6, I9 and I10: the length of a raw copy, and what its trailer says beside H8.
fn trailer(source: &Source) -> Vec<Predicate> {
    let shown = source.identified.path.display().to_string();
    let Content::Database { page, .. } = &source.identified.content else { return Vec::new() };
    let (size, header) = (source.identified.size, &page.header);
    let of_page = page.page_size().bytes_u64();
    let next = "Take another copy of the set: this one was cut off, or changed.";
    let mut found = Vec::new();
    found.push(if size.is_multiple_of(of_page) {
        Predicate::held("I6", &shown, format!("{} pages, the headers and the trailer with them", size / of_page))
    } else {
        let read = format!("its {size} bytes are no whole number of pages of {of_page}");
        Predicate::refuses("I6", &shown, read, Refusal::Damaged, next).with_jet(JetCode::BAD_BACKUP_DATABASE_SIZE)
    });
    let Some(trailer) = trailer_of(source, page).filter(|_| header.needs_trailer()) else { return found };
    let (low, of_trailer) = (header.current_backup.low, trailer.backup.low);
    let begins = low == of_trailer && (header.min_required.0 == 0 || low <= header.min_required);
    let read = format!("copied from generation {low} on, {of_trailer} by its trailer; required from {} on", header.min_required);
    found.push(if begins {
        Predicate::held("I9", &shown, read)
    } else {
        Predicate::refuses("I9", &shown, read, Refusal::Pair, next).with_jet(JetCode::DATABASE_PATCH_FILE_MISMATCH)
    });
    let (high, newest) = (trailer.backup.high, trailer.max_required.max(trailer.max_committed));
    let read = format!("the copy ended in generation {high}, and the trailer knows of {newest}");
    found.push(if high >= newest {
        Predicate::held("I10", &shown, read)
    } else {
        let next = "Restore it with a drill before you rely on it: the program that wrote the set did not follow the protocol.";
        Predicate::marks("I10", &shown, read, Refusal::RangeMissing, next)
    });
    found
}

/// The trailer of a raw copy; none where its last page is none.
fn trailer_of(source: &Source, page: &HeaderPage) -> Option<Trailer> {
    let of_page = page.page_size();
    let mut last = vec![0; of_page.bytes()];
    let at = source.identified.size.checked_sub(of_page.bytes_u64())?;
    let read = source.open().and_then(|file| file.read_at(at, &mut last)).ok()?;
    Trailer::from_page(last.get(..read)?).ok()
}

/// I15: neighbours join on to each other, by creation time and by the checksum of all before.
fn links(stream: &StreamItem) -> Predicate {
    let shown = stream.name();
    let wrong: Vec<_> =
        stream.breaks.iter().filter_map(|at| Some((at, stream.log(*at)?, stream.log(at.checked_add(1)?)?))).collect();
    let Some((at, before, behind)) = wrong.first() else {
        return Predicate::held("I15", shown, "each log continues the one before, by creation time and checksum");
    };
    let by_time = before.facts.created != behind.facts.previous_created;
    let jet = if by_time { JetCode::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS } else { JetCode::LOG_SEQUENCE_CHECKSUM_MISMATCH };
    let read = format!("{} does not continue generation {at:#x}", behind.place.display());
    let next = "Logs of two histories are mixed, or one was changed: take another copy of the set.";
    Predicate::refuses("I15", shown, read, Refusal::Chain, next).with_jet(jet)
}

/// I17, read as a backup reads logs while it copies them.
fn readable(stream: &StreamItem) -> Predicate {
    let shown = stream.name();
    let broken = stream.closed.iter().filter(|log| log.facts.state != LogState::Whole);
    let broken = broken.map(|log| format!("{} cannot be read behind {}", log.place.display(), log.facts.valid_end));
    let wrong: Vec<String> =
        broken.chain(stream.unusable.iter().map(|(place, why)| format!("{}: {why}", place.display()))).collect();
    if wrong.is_empty() {
        return Predicate::held("I17", shown, "every log holds to its last record");
    }
    let next = "Take another copy of these logs.";
    Predicate::refuses("I17", shown, few(&wrong), Refusal::Damaged, next).with_jet(JetCode::LOG_READ_VERIFY_FAILURE)
}

/// I35: databases of the stream that are not in the set are named.
fn absent(plan: &mut Plan) {
    if plan.databases.is_empty() {
        return;
    }
    let here = |signature: &Signature| plan.databases.iter().any(|database| database.facts.signature == *signature);
    let members = plan.streams.iter().flat_map(|stream| &stream.members);
    let absent: Vec<String> = members.filter(|member| !here(&member.signature)).map(|member| member.path.clone()).collect();
    let read = if absent.is_empty() {
        "every database that the logs name is here".into()
    } else {
        format!("not in the set: {}", few(&absent))
    };
    plan.predicates.push(Predicate::held("I35", "", read));
    plan.left_out = absent;
}

fn place_files(plan: &mut Plan, sources: &Sources) {
    for database in plan.databases.clone() {
        plan.add(sources, &database.place, Role::Database, Phase::Stopped);
        let anchor = database.facts.start().unwrap_or(0);
        let database = stream_name(&database.place);
        plan.promises.push(Promise { database, anchor, rolls_forward: true, why_not: Vec::new() });
    }
    for log in plan.streams.clone().iter().flat_map(|stream| &stream.closed) {
        plan.add(sources, &log.place, Role::Log, Phase::Behind);
    }
}

/// Restores the set in the scratch folder, with those of the vault that it needs, and removes the result: what it came to is the proof.
pub(super) fn prove(plan: &Plan, ambient: &Ambient, follow: &mut Follow<'_>) -> Result<Option<Replayed>, Error> {
    let (Some(scratch), false) = (&plan.options.scratch, plan.sets.is_empty()) else { return Ok(None) };
    let failed = |error| Error::Source(scratch.display().to_string(), error);
    let place = anchorlog_storage::WorkFolder::begin(scratch, "proof").map_err(failed)?;
    let target = Place::Out(place.path().join("replayed"));
    let unplanned = |error: PlanError| Error::Source("the set".into(), io::Error::other(error));
    let planned = restore::plan_sets(plan.sets.clone(), target, &restore_options()).map_err(unplanned)?;
    let recovery = match restore::make(&planned, ambient, &mut Steps(follow)) {
        Ok(report) => report.recovery,
        Err(MakeError::Interrupted) => return Err(Error::Interrupted),
        Err(MakeError::Refused { reason, jet, .. } | MakeError::Failed { reason, jet } | MakeError::CutOff { reason, jet }) => {
            return Err(not_replayed(reason, jet));
        }
    };
    let Some(made) = recovery else { return Ok(None) };
    // By their places in the set: in the target the logs lie elsewhere.
    let own: BTreeMap<&Path, &PathBuf> = plan
        .sets
        .last()
        .into_iter()
        .flat_map(FoundSet::sources)
        .map(|source| (source.path.as_path(), &source.identified.path))
        .collect();
    let restored = planned.taken().filter_map(|source| {
        let place = own.get(source.path.as_path())?;
        Some((place.display().to_string(), made.inputs.get(&source.identified.path.display().to_string())?.clone()))
    });
    let inputs = restored.collect();
    let generations = made.run.as_ref().and_then(|run| run.generations).map(|(first, last)| (first.0, last.0));
    let databases = made.databases.iter().map(|database| (database.path.clone(), database.verdict.to_string())).collect();
    Ok(Some(Replayed { proof: ReplayProof { generations, databases, ..ReplayProof::default() }, inputs }))
}
