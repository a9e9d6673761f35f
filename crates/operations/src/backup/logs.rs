//! Backup of logs alone: all closed generations since the last set of the chain. No database is read or needed (`ops-1 §5.2`).

use super::offline::{add_closed, configured_paths, stored_already};
use super::options::Options;
use super::plan::Plan;
use super::predicate::{Effect, Predicate, Refusal};
use super::{Sources, StreamItem, streams};
use crate::identify::Content;
use crate::sets::facts::{DatabaseFacts, LogFacts};
use crate::sets::history::{History, KnownSet};
use crate::sets::manifest::Kind;
use std::collections::BTreeMap;

/// Plans a backup of logs. The current log is looked at and never stored: the engine may be writing it.
#[must_use]
pub fn plan(sources: &Sources, history: &History, options: &Options) -> Plan {
    let mut plan = Plan::new(Kind::Logs, options);
    let mut predicates = Vec::new();
    plan.streams = streams::collect(sources, &mut predicates, &mut |_| true);
    plan.predicates = predicates;
    configured_paths(&mut plan);
    let (mut continues, mut judged) = (BTreeMap::new(), Vec::new());
    for stream in plan.streams.clone() {
        let last = history.of_stream(&stream.signature).next_back();
        let mut predicates = stored_already(&stream, history);
        predicates.push(not_circular(&stream, options));
        predicates.push(base(&stream, last, sources, history));
        predicates.extend(last.map(|_| joins(&stream, history)));
        let refused = predicates.iter().any(Predicate::is_refused);
        judged.push((refused, predicates));
        if !refused {
            continues.extend(last.map(|set| (stream.signature.0, set.id.clone())));
            let stored =
                |generation: u32| history.logs(&stream.signature, generation).any(|stored| stored.file.damage.is_empty());
            add_closed(&mut plan, sources, &stream, |generation| !stored(generation));
        }
    }
    // Logs of an older life that lie beside those in use do not stand in their way: they are left out.
    let any_good = judged.iter().any(|(refused, _)| !refused);
    for (_, mut predicates) in judged {
        for predicate in predicates.iter_mut().filter(|predicate| any_good && predicate.is_refused()) {
            predicate.effect = Effect::Marks;
        }
        plan.predicates.append(&mut predicates);
    }
    plan.continues = continues;
    plan.finish(history);
    plan
}

/// P14: behind circular logging logs alone are worth nothing.
fn not_circular(stream: &StreamItem, options: &Options) -> Predicate {
    let shown = stream.name();
    if !stream.is_circular(options.circular) {
        return Predicate::held("P14", shown, "circular logging is off");
    }
    let next = "Switch circular logging off and make a full set; until then every set must be a full one.";
    Predicate::refuses(
        "P14",
        shown,
        "circular logging is on: closed logs may be gone before they are stored",
        Refusal::RangeMissing,
        next,
    )
}

/// P24: a full set of the same databases is there to roll forward from.
fn base(stream: &StreamItem, last: Option<&KnownSet>, sources: &Sources, history: &History) -> Predicate {
    let shown = stream.name();
    let next = "Make a full set first: logs alone can be replayed onto nothing.";
    let refuses = |read: String| Predicate::refuses("P24", shown.clone(), read, Refusal::DbSign, next);
    let full = history
        .of_stream(&stream.signature)
        .rfind(|set| set.manifest.databases().any(|(_, facts)| facts.log_signature == stream.signature));
    if last.is_none() || full.is_none() {
        return refuses("no set holds a database of this stream".into());
    }
    let mut changed = Vec::new();
    for member in &stream.members {
        match history.last_with(&member.signature) {
            None => changed.push(format!("{} is in no set with its signature", member.path)),
            Some((set, file, facts)) => {
                let here = sources.iter().find_map(|source| match &source.identified.content {
                    Content::Database { page, .. } if page.header.signature == member.signature => {
                        Some(DatabaseFacts::of(&page.header, page.page_size()))
                    }
                    _ => None,
                });
                if here.is_some_and(|here| here.repairs != facts.repairs) {
                    changed.push(format!("{} was repaired since set {}", file.name, set.id));
                }
            }
        }
    }
    if changed.is_empty() {
        let read = full.map_or_else(String::new, |set| format!("set {} holds its databases", set.id));
        return Predicate::held("P24", shown, read);
    }
    refuses(changed.join("; "))
}

/// P17 and I33: the first new log continues the last one that is stored.
fn joins(stream: &StreamItem, history: &History) -> Predicate {
    let shown = stream.name();
    let stored = last_stored(stream, history);
    let Some(last) = stored else { return Predicate::held("P17", shown, "no closed log is stored yet") };
    let first_new = stream.closed.iter().find(|log| log.facts.generation > last.generation);
    let Some(new) = first_new else {
        return Predicate::held("P17", shown, format!("nothing is newer than generation {:#x}", last.generation));
    };
    let next = "Make a full set: between the sets of this chain logs are missing, or the stream has two histories.";
    if last.generation + 1 != new.facts.generation {
        let read = format!(
            "generation {:#x} is the last one stored, and {:#x} the next one here",
            last.generation, new.facts.generation
        );
        return Predicate::refuses("P18", shown, read, Refusal::Gap, next);
    }
    if !last.links_to(&new.facts) {
        let read = format!("generation {:#x} does not continue the one that is stored", new.facts.generation);
        return Predicate::refuses("P17", shown, read, Refusal::Chain, next);
    }
    Predicate::held("P17", shown, format!("generation {:#x} continues the last one stored", new.facts.generation))
}

/// The highest closed log of a stream in any set.
fn last_stored<'h>(stream: &StreamItem, history: &'h History) -> Option<&'h LogFacts> {
    let all = history.of_stream(&stream.signature).flat_map(|set| set.manifest.logs().map(|(_, facts)| facts));
    let mut closed: Vec<&LogFacts> = all.filter(|facts| facts.signature == stream.signature && !facts.open).collect();
    closed.sort_by_key(|facts| facts.generation);
    closed.last().copied()
}
