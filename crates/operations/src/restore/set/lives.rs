//! What the logs tell of databases: which they name, where these lay, and when they came and went (P53 to P56, P65).

use super::gather::Chain;
use super::options::means;
use super::plan::Origin;
use crate::backup::{Predicate, Refusal};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::Operation;
use anchorlog_format::units::{DatabaseId, LogPosition, Signature};
use std::collections::BTreeMap;

/// What happened to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It was attached when a log began.
    Listed,
    Created,
    Attached,
    Detached,
}

/// A database that the logs name.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub signature: Signature,
    /// Each with its path.
    pub events: Vec<(LogPosition, Event, String)>,
}

impl Life {
    pub(super) fn path(&self) -> &str {
        self.events.last().map_or("", |(.., path)| path)
    }
    fn is_gone(&self) -> bool {
        self.events.last().is_some_and(|(_, event, _)| *event == Event::Detached)
    }
    fn was_made_here(&self) -> bool {
        self.events.first().is_some_and(|(_, event, _)| *event == Event::Created)
    }
}

/// Reads the logs of a chain once. A log that cannot be read tells nothing: replay will say so.
pub(super) fn read(chain: &Chain) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    let mut slots: BTreeMap<u8, Signature> = BTreeMap::new();
    let mut add = |signature: Signature, position: LogPosition, event: Event, path: String| {
        let at = lives.iter().position(|life| life.signature == signature).unwrap_or_else(|| {
            lives.push(Life { signature, events: Vec::new() });
            lives.len() - 1
        });
        lives[at].events.push((position, event, path));
    };
    let slot = |database: DatabaseId| database.0;
    for (at, candidate) in chain.logs.iter().enumerate() {
        let Ok(bytes) = candidate.bytes() else { continue };
        let Ok(log) = LogFile::open(&bytes) else { continue };
        for attachment in log.header().attachments().unwrap_or_default() {
            let known = slots.insert(slot(attachment.database), attachment.signature) == Some(attachment.signature);
            if at == 0 || !known {
                let position = log.header().first_position();
                add(attachment.signature, position, Event::Listed, attachment.path().first());
            }
        }
        for record in log.records().map_while(Result::ok) {
            let position = record.position;
            match record.operation() {
                Ok(Operation::CreateDatabase(create)) => {
                    slots.insert(slot(create.database), create.signature);
                    add(create.signature, position, Event::Created, create.path_text().first());
                }
                Ok(Operation::AttachDatabase(attach)) => {
                    slots.insert(slot(attach.database), attach.signature);
                    add(attach.signature, position, Event::Attached, attach.path_text().first());
                }
                Ok(Operation::DetachDatabase(detach)) => {
                    if let Some(signature) = slots.remove(&slot(detach.database)) {
                        add(signature, position, Event::Detached, detach.path_text().first());
                    }
                }
                _ => {}
            }
        }
    }
    lives
}

/// A database that takes part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub shown: String,
    pub signature: Signature,
    pub place: std::path::PathBuf,
}

/// P53 to P56 of every database that is restored.
pub(super) fn judge(lives: &[Life], restored: &[Part], chain: &Chain, out: &mut Vec<Predicate>) {
    let ends = chain.logs.last().map_or(LogPosition::NONE, |log| log.facts.valid_end);
    let mine = |part: &Part| lives.iter().find(|life| life.signature == part.signature);
    for part in restored {
        out.push(match mine(part) {
            Some(life) => {
                let first = life.events.first().map_or(LogPosition::NONE, |(position, ..)| *position);
                Predicate::held("P53", &part.shown, format!("named from {first} on"))
            }
            None => {
                let read = "no log from the low anchor on names its signature: replay would never come to it";
                let next = "Look for the logs of its own life; behind a defragmentation or repair older ones do not apply.";
                Predicate::refuses("P53", &part.shown, read, Refusal::DbSign, next)
            }
        });
    }
    for part in restored {
        if let Some(life) = mine(part) {
            let read = format!("{} is {} by its signature", life.path(), part.place.display());
            out.push(Predicate::held("P54", &part.shown, read));
        }
    }
    let first = chain.logs.first().map_or(0, |log| log.facts.generation);
    out.push(Predicate::held(
        "P55",
        "",
        if first == 1 { "it begins with generation 1: records name the databases" } else { "it begins later" },
    ));
    for part in restored {
        let Some(life) = mine(part) else { continue };
        let last = life.events.last().map_or(LogPosition::NONE, |(position, ..)| *position);
        let others = lives.iter().filter(|other| other.signature != life.signature).flat_map(|other| &other.events);
        let taken = others.filter(|(position, event, path)| {
            *position > last && *event != Event::Detached && path.eq_ignore_ascii_case(life.path())
        });
        out.push(match taken.min_by_key(|(position, ..)| *position) {
            None => Predicate::held("P56", &part.shown, format!("its life goes to the end, {ends}")),
            Some((position, ..)) => {
                let read = format!("its life ends at {last}; from {position} on another database stands under {}", life.path());
                let next = "What came later is in that other database: restore a newer set for it.";
                Predicate::marks("P56", &part.shown, read, Refusal::DbSign, next)
            }
        });
    }
}

/// P65 (trap O15): every database that the logs leave attached is here, made by them, or left out by name.
pub(super) fn accounted(lives: &[Life], here: &[Signature], without: &[String], out: &mut Vec<Predicate>) {
    let mut read = Vec::new();
    for life in lives.iter().filter(|life| !here.contains(&life.signature)) {
        let path = life.path();
        if without.iter().any(|wanted| means(wanted, path)) {
            read.push(format!("{path} is left out by name"));
        } else if life.is_gone() {
            read.push(format!("{path} was detached, and is not needed"));
        } else if life.was_made_here() {
            read.push(format!("{path} is made anew from its logged creation"));
        } else {
            let read = format!("the logs leave {path} attached, and it is neither restored nor in the target");
            let next = "Restore it as well, or leave it out by name.";
            out.push(Predicate::refuses("P65", path, read, Refusal::OtherDb, next));
        }
    }
    if !out.iter().any(|predicate| predicate.id == "P65" && !predicate.holds) {
        let read = if read.is_empty() { format!("{} databases", here.len()) } else { read.join("; ") };
        out.push(Predicate::held("P65", "", read));
    }
}

/// Where the logs call a database otherwise than its place, and nothing else was ever there.
pub(super) fn map(lives: &[Life], parts: &[Part]) -> Vec<(String, std::path::PathBuf)> {
    let mut map = Vec::new();
    for part in parts {
        let own = lives.iter().filter(|life| life.signature == part.signature).flat_map(|life| &life.events);
        for (.., path) in own {
            let others = lives.iter().filter(|life| life.signature != part.signature).flat_map(|life| &life.events);
            let shared = others.into_iter().any(|(.., other)| other.eq_ignore_ascii_case(path));
            let entry = (path.clone(), part.place.clone());
            if !super::databases::same_name(&part.place, path) && !shared && !map.contains(&entry) {
                map.push(entry);
            }
        }
    }
    map
}

/// For people: where a log comes from.
pub(super) fn origin_of(origin: &Origin) -> String {
    match origin {
        Origin::Stored(stored) => format!("set {}, {}", stored.set, stored.name),
        Origin::Disk(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(number: u8, events: &[(u32, Event, &str)]) -> Life {
        let event =
            |(generation, event, path): &(u32, Event, &str)| (LogPosition::new(*generation, 1, 0), *event, (*path).to_owned());
        Life { signature: Signature([number; 28]), events: events.iter().map(event).collect() }
    }

    fn broken(predicates: &[Predicate]) -> Vec<(&str, Refusal)> {
        predicates.iter().filter(|predicate| !predicate.holds).filter_map(|it| Some((it.id, it.refusal?))).collect()
    }

    // traps ops-1 P56; ops-3 O13
    #[test]
    fn p56_another_database_under_the_path_ends_a_life() {
        let part = Part { shown: "a".into(), signature: Signature([1; 28]), place: "a.edb".into() };
        let first = life(1, &[(5, Event::Attached, "R:\\a.edb"), (6, Event::Detached, "R:\\a.edb")]);
        let (mut alone, mut ended, mut detached) = (Vec::new(), Vec::new(), Vec::new());
        judge(std::slice::from_ref(&first), std::slice::from_ref(&part), &Chain::default(), &mut alone);
        assert_eq!(broken(&alone), []);
        let second = life(2, &[(7, Event::Created, "r:\\A.edb")]);
        judge(&[first.clone(), second], std::slice::from_ref(&part), &Chain::default(), &mut ended);
        assert_eq!(broken(&ended), [("P56", Refusal::DbSign)]);
        // One that lay there before ends nothing.
        let earlier = life(2, &[(3, Event::Attached, "R:\\a.edb"), (4, Event::Detached, "R:\\a.edb")]);
        judge(&[first, earlier], &[part], &Chain::default(), &mut detached);
        assert_eq!(broken(&detached), []);
    }

    #[test]
    fn o15_p65_what_the_logs_leave_attached_must_be_here_or_named() {
        let gone = life(1, &[(5, Event::Listed, "R:\\a.edb"), (6, Event::Detached, "R:\\a.edb")]);
        let made = life(2, &[(5, Event::Created, "R:\\b.edb")]);
        let here = life(3, &[(5, Event::Listed, "R:\\c.edb")]);
        let missing = life(4, &[(5, Event::Listed, "R:\\d.edb"), (7, Event::Attached, "R:\\d.edb")]);
        let lives = [gone, made, here, missing];
        let (mut refused, mut named) = (Vec::new(), Vec::new());
        accounted(&lives, &[Signature([3; 28])], &[], &mut refused);
        assert_eq!(broken(&refused), [("P65", Refusal::OtherDb)]);
        accounted(&lives, &[Signature([3; 28])], &["D.EDB".into()], &mut named);
        assert_eq!(broken(&named), []);
    }
}
