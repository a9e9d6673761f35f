//! Restore with roll-forward: which logs, from where to where, and into which layout (P37 to P65).

mod placing;

use super::databases::{Restored, unpaired};
use super::gather::{self, Candidate, Chain};
use super::lives::{self, Part};
use super::options::{Options, Target};
use super::plan::Plan;
use super::target::{self, Existing};
use crate::backup::{Predicate, Refusal};
use crate::identify::Content;
use crate::sets::{DatabaseFacts, History, Kind, KnownSet};
use anchorlog_format::database::{DatabaseHeader, DatabaseState};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, LogPosition, Signature};
use anchorlog_replay::stop::{Reached, Stop};
use anchorlog_vault::Vault;
use placing::{layout, place, placing};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A database of the stream: restored, or in the target.
struct Member {
    shown: String,
    facts: DatabaseFacts,
    header: DatabaseHeader,
    place: PathBuf,
    restored: bool,
}

/// Plans the roll-forward.
///
/// # Errors
/// The folder that cannot be read.
pub(super) fn plan(
    plan: &mut Plan,
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &KnownSet,
    target: &Target,
    existing: &Existing,
) -> Result<(), (String, io::Error)> {
    let options = plan.options.clone();
    let mut found = target::closed("P25", target, existing, &options);
    let Some(signature) = stream_of(&plan.restored, &mut found) else {
        plan.predicates.extend(found);
        return Ok(());
    };
    let members = members(&plan.restored, existing, &signature);
    for database in &plan.restored {
        found.push(state(set, database, &options));
    }
    let start = members.iter().filter_map(|member| member.facts.start()).min();
    let high = members.iter().map(|member| needs(&member.facts)).max().unwrap_or(0);
    let low = start.unwrap_or(0);
    let read = format!("replay begins with generation {low:#x}, and must come to {high:#x}");
    found.push(Predicate::held("P39", "", read));
    let gathered = gather::gather(vault, history, set, existing, &options)?;
    let foreign: BTreeSet<u32> = gathered
        .candidates
        .iter()
        .filter(|candidate| candidate.facts.signature != signature)
        .map(|candidate| candidate.facts.generation)
        .collect();
    let open_in_target: Vec<Candidate> =
        gathered.candidates.iter().filter(|candidate| candidate.facts.open && candidate.in_target).cloned().collect();
    let compared = gathered.candidates.iter().filter(|candidate| candidate.in_target).count();
    let chain = gather::choose(gathered, &signature, low, options.stop.map(|stop| stop.generation().0));
    found.extend(low_anchor(&chain, &signature, low, &foreign));
    if chain.logs.is_empty() {
        if let Some(cut) = &chain.cut {
            found.push(Predicate::refuses(cut.id, "", cut.why.clone(), cut.refusal, "Look for another copy of that log."));
        }
        plan.unused = chain.unused;
        plan.predicates.extend(found);
        return Ok(());
    }
    // P41 to P43 stand between the low anchor and its signature.
    let mut needed = Vec::new();
    ranges(&chain, &members, &options, &mut needed);
    let at = found.iter().position(|predicate| predicate.id == "P44").unwrap_or(found.len());
    found.splice(at..at, needed);
    gather::judge(&chain, &signature, low, high, &mut found);
    // P48 stands between links and contents of logs.
    let at = found.iter().position(|predicate| predicate.id == "P49").unwrap_or(found.len());
    found.splice(at..at, members.iter().filter_map(|member| known_log(member, &chain)));
    let parts: Vec<Part> = members
        .iter()
        .filter(|member| member.restored && !member.facts.log_signature.is_none())
        .map(|member| Part { shown: member.shown.clone(), signature: member.facts.signature, place: member.place.clone() })
        .collect();
    let lives = lives::read(&chain);
    lives::judge(&lives, &parts, &chain, &mut found);
    found.extend(options.stop.map(|stop| reachable(stop, &chain, &members)));
    let (folder, naming) = layout(plan, history, existing, &signature, &options);
    place(plan, &chain, existing, &members, &folder, &naming);
    placing(plan, &chain, existing, (&open_in_target, compared), (&folder, &naming), high, &signature, &mut found);
    let here: Vec<Signature> = members.iter().map(|member| member.facts.signature).collect();
    let mut accounted = others(&members);
    lives::accounted(&lives, &here, &options.without, &mut accounted);
    found.extend(accounted);
    plan.remarks.extend(set.ends.iter().map(|why| format!("a later set says that roll-forward ends behind this one: {why}")));
    plan.map = lives::map(&lives, &parts);
    plan.unused = chain.unused.clone();
    plan.generations = chain.last().map(|last| (Generation(low), Generation(last)));
    plan.needed =
        members
            .iter()
            .map(|member| {
                if member.facts.is_clean() { member.facts.consistent } else { LogPosition::new(member.facts.max_required, 0, 0) }
            })
            .max();
    if !chain.misnamed.is_empty() {
        plan.remarks.push(format!("names and headers disagree, and the headers count: {}", gather::list(&chain.misnamed)));
    }
    plan.predicates.extend(found);
    Ok(())
}

/// Up to which generation a database must be replayed at least.
fn needs(facts: &DatabaseFacts) -> u32 {
    match facts.start() {
        Some(anchor) if facts.is_clean() => anchor,
        Some(_) => facts.max_required,
        None => 0,
    }
}

/// P37: one stream.
fn stream_of(restored: &[Restored], out: &mut Vec<Predicate>) -> Option<Signature> {
    for database in restored.iter().filter(|database| database.header.is_none()) {
        let next = "Choose another set: in this one the header cannot be read.";
        out.push(Predicate::refuses(
            "P37",
            database.shown(),
            "neither the header nor its shadow holds",
            Refusal::Unreadable,
            next,
        ));
    }
    // Zeros are no stream (trap O25).
    let named = restored.iter().map(|database| database.facts.log_signature).filter(|signature| !signature.is_none());
    let mut streams: Vec<Signature> = Vec::new();
    for signature in named {
        if !streams.contains(&signature) {
            streams.push(signature);
        }
    }
    match streams.as_slice() {
        [one] => {
            out.push(Predicate::held("P37", one.to_string(), format!("{} databases name it, or none", restored.len())));
            Some(*one)
        }
        [] => {
            let next = "Restore without roll-forward: no log can be replayed onto these databases.";
            out.push(Predicate::refuses("P37", "", "no database names a log stream", Refusal::LogSign, next));
            None
        }
        several => {
            let read = several.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let next = "Restore the databases of each stream by themselves: name them.";
            out.push(Predicate::refuses("P37", "", format!("several streams: {read}"), Refusal::LogSign, next));
            None
        }
    }
}

fn members(restored: &[Restored], existing: &Existing, signature: &Signature) -> Vec<Member> {
    let mut members: Vec<Member> = restored
        .iter()
        .filter_map(|database| {
            let page = database.header.as_ref()?;
            Some(Member {
                shown: database.shown(),
                facts: DatabaseFacts::of(&page.header, page.page_size()),
                header: page.header.clone(),
                place: database.file.place.clone(),
                restored: true,
            })
        })
        .collect();
    for (source, _) in existing.staying(restored) {
        let Content::Database { page, .. } = &source.identified.content else { continue };
        // The life of a database goes on in one file alone.
        let restored_too = members.iter().any(|member| member.restored && member.facts.signature == page.header.signature);
        if page.header.log_signature == *signature && !restored_too {
            members.push(Member {
                shown: source.path.display().to_string(),
                facts: DatabaseFacts::of(&page.header, page.page_size()),
                header: page.header.clone(),
                place: source.identified.path.clone(),
                restored: false,
            });
        }
    }
    members
}

/// P38.
fn state(set: &KnownSet, database: &Restored, options: &Options) -> Predicate {
    let shown = database.shown();
    let Some(page) = &database.header else {
        let next = "Choose another set.";
        return Predicate::refuses("P38", shown, "its state is not known", Refusal::Unreadable, next);
    };
    let (header, facts) = (&page.header, &database.facts);
    if header.is_streamed_backup() || !matches!(set.manifest.kind, Kind::Offline | Kind::Snapshot) {
        let read = format!("set {} is of the kind {}: its databases need hard recovery", set.id, set.manifest.kind.name());
        return Predicate::refuses("P38", shown, read, Refusal::OnlineSet, "Restore it as an online set.");
    }
    if !header.streaming_signature.is_none() {
        let why = unpaired(database).unwrap_or_else(|| "its streaming file takes no log".into());
        let next = "Restore the pair without roll-forward; a database whose streaming file stays behind is no database.";
        return Predicate::refuses("P38", shown, why, Refusal::Pair, next);
    }
    if let Some(damage) = database.file.part.damage.first() {
        let read = format!("the set was marked when it was made: {}: {}", damage.place, damage.message);
        let next = "Choose another set; or keep the damage, and look at what is readable.";
        return if options.keep_damage {
            Predicate::marks("P38", shown, read, Refusal::Damaged, next)
        } else {
            Predicate::refuses("P38", shown, read, Refusal::Damaged, next)
        };
    }
    match header.state {
        DatabaseState::CleanShutdown => Predicate::held(
            "P38",
            shown,
            match facts.start() {
                Some(anchor) => format!("clean: its anchor is generation {anchor:#x}, at {}", facts.consistent),
                None => "clean, and of no stream: it is restored as it is".into(),
            },
        ),
        DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched => {
            let read = format!("dirty: it needs the generations {} to {}", header.min_required, header.max_required);
            Predicate::held("P38", shown, read)
        }
        other => Predicate::refuses("P38", shown, format!("its state is \"{other}\""), Refusal::State, "Choose another set."),
    }
}

/// P41 to P43.
fn ranges(chain: &Chain, members: &[Member], options: &Options, out: &mut Vec<Predicate>) {
    let last = chain.last().unwrap_or(0);
    for member in members.iter().filter(|member| !member.facts.is_clean()) {
        let (facts, shown) = (&member.facts, member.shown.as_str());
        let needed = format!(
            "it needs the generations {:#x} to {:#x}, and the chain ends with {last:#x}",
            facts.min_required, facts.max_required
        );
        out.push(if last >= facts.max_required {
            Predicate::held("P41", shown, needed)
        } else {
            let next = "Find the missing logs, or restore an older set; what is readable can be salvaged from a copy.";
            Predicate::refuses("P41", shown, needed, Refusal::RangeMissing, next)
        });
        let committed = facts.max_committed.max(facts.max_required);
        let beyond = options.stop.is_some_and(|stop| stop.generation().0 < committed);
        out.push(if last >= committed || beyond {
            Predicate::held("P42", shown, format!("committed up to {committed:#x}"))
        } else {
            let read = format!("transactions of the generations {:#x} to {committed:#x} would be lost", last.saturating_add(1));
            let next = "Find these logs; or accept that loss.";
            if options.accept_loss {
                Predicate::marks("P42", shown, read, Refusal::CommitMissing, next)
            } else {
                Predicate::refuses("P42", shown, read, Refusal::CommitMissing, next)
            }
        });
    }
    for member in members.iter().filter(|member| member.facts.is_clean()) {
        let Some(anchor) = member.facts.start() else { continue };
        let read = format!("it became clean in generation {anchor:#x}, and the chain ends with {last:#x}");
        out.push(if last >= anchor {
            Predicate::held("P43", &member.shown, read)
        } else {
            let next = "Add the logs up to there, or leave that database out.";
            let broken = Predicate::refuses("P43", &member.shown, read, Refusal::RangeMissing, next);
            broken.with_jet(JetCode::ATTACHED_DATABASE_MISMATCH)
        });
    }
}

/// P40 and P44: where the low anchor is here of another stream alone, that is what is wrong.
fn low_anchor(chain: &Chain, signature: &Signature, low: u32, foreign: &BTreeSet<u32>) -> Vec<Predicate> {
    let shown = signature.to_string();
    let here = chain.log(low).is_some() || chain.cut.is_some();
    if !here && foreign.contains(&low) {
        let read = format!("generation {low:#x} is here of another stream alone");
        let next = "Look for the logs of the stream of these databases in other archives.";
        return vec![Predicate::refuses("P44", shown, read, Refusal::LogSign, next)];
    }
    if !here {
        let read = format!("generation {low:#x} is nowhere");
        let next = "Restore the clean copies without replay, or find that log: replay never begins later, it would destroy the database.";
        return vec![Predicate::refuses("P40", "", read, Refusal::AnchorMissing, next)];
    }
    vec![
        Predicate::held("P40", "", format!("generation {low:#x} is here")),
        Predicate::held("P44", shown, "no foreign log stands for it"),
    ]
}

/// P48: a log that the header knew by its time of creation (trap O9).
fn known_log(member: &Member, chain: &Chain) -> Option<Predicate> {
    let header = &member.header;
    let pairs = [(header.max_required, header.max_required_time), (header.max_committed, header.max_committed_time)];
    let known = pairs.into_iter().filter(|(generation, time)| generation.0 != 0 && !time.is_none());
    let mut compared = known.filter_map(|(generation, time)| Some((generation, time, chain.log(generation.0)?))).peekable();
    compared.peek()?;
    let wrong = compared.find(|(_, time, log)| log.facts.created != *time);
    Some(match wrong {
        None => Predicate::held("P48", &member.shown, "the logs were made when its header says"),
        Some((generation, time, log)) => {
            let read = format!(
                "its header knows generation {generation} as made at {time}, and {} was made at {}",
                log.from, log.facts.created
            );
            let next = "That log is of a divergent branch: find the one that belongs to this database.";
            let broken = Predicate::refuses("P48", &member.shown, read, Refusal::Chain, next);
            broken.with_jet(JetCode::REQUIRED_LOG_FILES_MISSING)
        }
    })
}

/// I36: no database is newer than the stop, and the logs go there.
fn reachable(stop: Stop, chain: &Chain, members: &[Member]) -> Predicate {
    let next = "Choose a stop between the two, or an older set.";
    let newer = members.iter().filter(|member| match member.facts.start() {
        None => false,
        Some(_) if member.facts.is_clean() => stop.reached(member.facts.consistent) == Reached::Behind,
        Some(_) => stop.generation().0 < member.facts.max_required,
    });
    let newest = newer.max_by_key(|member| (needs(&member.facts), member.facts.consistent));
    if let Some(member) = newest {
        let lowest = if member.facts.is_clean() {
            member.facts.consistent.to_string()
        } else {
            format!("the end of generation {:#x}", member.facts.max_required)
        };
        let read = format!("{} is newer: the lowest position to which it can be brought is {lowest}", member.shown);
        return Predicate::refuses("I36", "", read, Refusal::RangeMissing, next);
    }
    let end = chain.logs.last().map_or(LogPosition::NONE, |log| log.facts.valid_end);
    let beyond = match stop {
        Stop::Generation(generation) => generation > end.generation,
        Stop::Position(position) => position > end,
    };
    if beyond {
        let read = format!("the logs end at {end}");
        return Predicate::refuses("I36", "", read, Refusal::RangeMissing, next);
    }
    Predicate::held("I36", "", format!("the logs end at {end}"))
}

/// P65, of databases of the stream that stay in the target.
fn others(members: &[Member]) -> Vec<Predicate> {
    let dirty = members.iter().filter(|member| !member.restored && !member.facts.is_clean());
    let refuse = |member: &Member| {
        let read = format!("it stays in the target, and its state is \"{}\"", member.facts.state_name);
        let next = "Recover it first, restore it as well, or set it aside.";
        Predicate::refuses("P65", &member.shown, read, Refusal::OtherDb, next)
    };
    dirty.map(refuse).collect()
}
