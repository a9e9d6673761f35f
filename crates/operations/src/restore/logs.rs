//! The logs of several sets as one chain: a generation that two sets have must be the same log (`ops-3 §5`).

use super::LeftOut;
use super::arrange::header_of;
use super::gather::{FoundLog, FoundSet};
use crate::recover::{Precondition, Source};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::names::Extension;
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::units::Generation;
use anchorlog_storage::read_all;
use std::collections::BTreeMap;
use std::io;

/// One log of each generation.
pub(super) fn merge(
    sets: &[FoundSet],
    stream: &(String, Extension),
    conditions: &mut Vec<Precondition>,
    left_out: &mut Vec<LeftOut>,
) -> io::Result<BTreeMap<Generation, FoundLog>> {
    let mut merged: BTreeMap<Generation, FoundLog> = BTreeMap::new();
    for set in sets {
        for (key, logs) in &set.logs {
            if key != stream {
                left_out
                    .extend(logs.iter().map(|log| LeftOut::new(&log.source.path, "no database of the sets is of its stream")));
                continue;
            }
            for log in logs {
                let Some(first) = merged.get(&log.generation) else {
                    merged.insert(log.generation, log.clone());
                    continue;
                };
                match choose(first, log)? {
                    Choice::First(why) => left_out.push(LeftOut::new(&log.source.path, why)),
                    Choice::Second(why) => {
                        left_out.push(LeftOut::new(&first.source.path, why));
                        merged.insert(log.generation, log.clone());
                    }
                    Choice::Neither(condition) => conditions.push(*condition),
                }
            }
        }
    }
    Ok(merged)
}

enum Choice {
    First(&'static str),
    Second(&'static str),
    Neither(Box<Precondition>),
}

/// Two logs of one generation.
fn choose(first: &FoundLog, second: &FoundLog) -> io::Result<Choice> {
    const DAMAGED: &str = "it is damaged, and another set has the same log whole";
    let (Some(a), Some(b)) = (header_of(&first.source), header_of(&second.source)) else {
        return Ok(if header_of(&first.source).is_some() { Choice::First(DAMAGED) } else { Choice::Second(DAMAGED) });
    };
    let paths = format!("{} and {}", first.source.path.display(), second.source.path.display());
    if a.signature != b.signature {
        let rule = "the logs of the sets are of one stream";
        let found = format!("{paths} are of different log streams");
        return Ok(neither("H5", rule, found, JetCode::GIVEN_LOG_FILE_HAS_BAD_SIGNATURE));
    }
    let rule = "a generation that two sets have is the same log in both";
    if a.created != b.created {
        let found = format!("{paths} were made at {} and {}: the sets are of different histories", a.created, b.created);
        return Ok(neither("H6", rule, found, JetCode::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS));
    }
    let (a, b) = (read(&first.source)?, read(&second.source)?);
    if a == b {
        return Ok(Choice::First("an earlier set has the same log"));
    }
    Ok(match (is_sound(&a), is_sound(&b)) {
        (true, true) => {
            let found = format!("{paths} are both whole, and differ");
            neither("H6", rule, found, JetCode::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS)
        }
        (false, true) => Choice::Second(DAMAGED),
        (_, false) => Choice::First(DAMAGED),
    })
}

fn neither(id: &'static str, rule: &'static str, found: String, jet: JetCode) -> Choice {
    Choice::Neither(Box::new(Precondition { id, rule, holds: false, found, jet: Some(jet) }))
}

fn read(source: &Source) -> io::Result<Vec<u8>> {
    read_all(&*source.open()?, FILE_SIZE_MAX)
}

fn is_sound(bytes: &[u8]) -> bool {
    LogFile::open(bytes).is_ok_and(|log| log.end().refusal(ReadContext::HardInSet, false).is_none())
}
