//! The logs of a set (H4 to H6), and how production continues them (C2, C5, C6).

use super::{Predicate, Set};
use crate::error::{ReplayError, Result};
use crate::logs::Logs;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::header::{Expected, LogHeader};
use anchorlog_format::units::{Generation, PageSize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Headers of the set's logs.
type Chain = BTreeMap<Generation, LogHeader>;

/// H4 to H6. Returns the headers that can be read.
pub(super) fn set_logs(logs: &Logs, set: &Set, page_size: Option<PageSize>, predicates: &mut Vec<Predicate>) -> Chain {
    let mut chain = Chain::new();
    let mut unreadable = None;
    for (generation, path) in logs.files.archives.range(set.low..=set.high.max(set.low)) {
        match header_of(logs, path, Some(*generation), page_size) {
            Ok(header) => _ = chain.insert(*generation, header),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    let present = || logs.files.archives.range(set.low..=set.high.max(set.low)).map(|(generation, _)| *generation);
    predicates.push(Predicate {
        id: "H4",
        rule: "every log of the set is there",
        outcome: match (gap(set, present()), unreadable) {
            (Some(gap), _) => Err(ReplayError::new(JetCode::MISSING_RESTORE_LOG_FILES, gap)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(format!("generations {} to {}", set.low, set.high)),
        },
    });
    predicates.push(Predicate {
        id: "H5",
        rule: "the logs of the set are of one stream",
        outcome: pairs(&chain).find(|(before, header)| before.signature != header.signature).map_or_else(
            || Ok("one signature".into()),
            |(before, header)| {
                let reason = format!(
                    "generation {} is of another log stream than generation {}: two sets are mixed",
                    header.generation, before.generation
                );
                Err(of_log(logs, header.generation, JetCode::GIVEN_LOG_FILE_HAS_BAD_SIGNATURE, reason))
            },
        ),
    });
    predicates.push(Predicate {
        id: "H6",
        rule: "each log of the set continues the one before",
        outcome: pairs(&chain).find(|(before, header)| unlinked(before, header)).map_or_else(
            || Ok("every log names the creation time of the one before".into()),
            |(before, header)| {
                Err(of_log(logs, header.generation, JetCode::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS, broken(before, header)))
            },
        ),
    });
    chain
}

/// C2, C5 and C6: the logs of the production folder, overlapping and continuing ones, the current one last.
pub(super) fn production(logs: &Logs, set: &Set, page_size: Option<PageSize>, chain: &Chain, predicates: &mut Vec<Predicate>) {
    let behind = logs.files.archives.range(Generation(set.high.0.saturating_add(1))..);
    // Logs below the one in front of the set are an older story.
    let overlap = set.overlap.range(Generation(set.low.0.saturating_sub(1))..=set.high);
    let archives: Vec<(Generation, &PathBuf)> = overlap.chain(behind).map(|(generation, path)| (*generation, path)).collect();
    if archives.is_empty() && logs.files.current.is_none() {
        return;
    }
    let (Some(last), Some(first)) = (chain.get(&set.high), chain.get(&set.low)) else { return };
    let walk = Walk { logs, set, page_size, chain, last, first };
    let mut found = Found::default();
    walk.go(&archives, &mut found);
    let mut say = |id, rule, fault: Option<ReplayError>, fine: &str| {
        predicates.push(Predicate { id, rule, outcome: fault.map_or_else(|| Ok(fine.to_owned()), Err) });
    };
    say("C2", "the logs of production are of the set's stream and continue it without a hole", found.chain, "they continue it");
    say("C5", "the log of production in front of the set leads to it", found.in_front, "it does, or is not there");
    say("C6", "a log that the set and production both have is the same one", found.twice, "they are the same, or there is none");
}

/// What is wrong with the logs of production: the first of each kind.
#[derive(Default)]
struct Found {
    chain: Option<ReplayError>,
    in_front: Option<ReplayError>,
    twice: Option<ReplayError>,
}

struct Walk<'a> {
    logs: &'a Logs,
    set: &'a Set,
    page_size: Option<PageSize>,
    chain: &'a Chain,
    /// Of the last log of the set.
    last: &'a LogHeader,
    /// Of the first log of the set.
    first: &'a LogHeader,
}

impl Walk<'_> {
    fn go(&self, archives: &[(Generation, &PathBuf)], found: &mut Found) {
        // Production logs that begin behind the set must join on to its end; those that overlap it join on to one another.
        let overlaps = archives.first().is_some_and(|(generation, _)| *generation <= self.set.high);
        let mut before = if overlaps { None } else { Some(self.last.clone()) };
        for (generation, path) in archives {
            let header = match header_of(self.logs, path, Some(*generation), self.page_size) {
                Ok(header) => header,
                Err(error) => {
                    found.chain.get_or_insert(error);
                    return;
                }
            };
            if let Some(missing) = self.hole(before.as_ref(), &header, overlaps) {
                found.chain.get_or_insert(missing);
                return;
            }
            self.compare(&header, path, found);
            if let Err(error) = self.joins(before.as_ref(), &header, path) {
                found.chain.get_or_insert(error);
            }
            before = Some(header);
        }
        if let Some(path) = &self.logs.files.current {
            let current = header_of(self.logs, path, None, self.page_size);
            let fault = current.and_then(|header| {
                self.compare(&header, path, found);
                self.joins(Some(before.as_ref().unwrap_or(self.last)), &header, path)
            });
            found.chain = found.chain.take().or(fault.err());
        }
    }

    /// A generation of production is missing where none of the set stands in.
    fn hole(&self, before: Option<&LogHeader>, header: &LogHeader, overlaps: bool) -> Option<ReplayError> {
        let reached = before.map_or(header.generation, |before| before.generation.max(self.set.high));
        let expected = Generation(reached.0.saturating_add(1));
        if header.generation <= expected {
            return None;
        }
        // Between the set and the first log of production the engine compares the two, and finds that they do not join.
        let joins_on_set = !overlaps && before.is_some_and(|before| before.generation == self.set.high);
        let jet = match joins_on_set {
            true => JetCode::EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS,
            false => JetCode::MISSING_CURRENT_LOG_FILES,
        };
        let last = Generation(header.generation.0 - 1);
        let reason = format!("the logs of production lack generation {}", through(expected, last));
        Some(ReplayError::new(jet, reason))
    }

    /// C5 and C6.
    fn compare(&self, header: &LogHeader, path: &Path, found: &mut Found) {
        let jet = JetCode::EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS;
        if Some(header.generation.0) == self.set.low.0.checked_sub(1) && header.created != self.first.previous_created {
            found.in_front.get_or_insert(refuse(jet, path, broken(header, self.first)));
        }
        if let Some(own) = self.chain.get(&header.generation)
            && own.created != header.created
        {
            let reason = format!(
                "generation {} was made at {} in the set and at {} in production: they are of different histories",
                header.generation, own.created, header.created
            );
            found.twice.get_or_insert(refuse(jet, path, reason));
        }
    }

    /// C2: one stream, one chain.
    fn joins(&self, before: Option<&LogHeader>, header: &LogHeader, path: &Path) -> Result<()> {
        if header.signature != self.last.signature {
            let reason = format!("generation {} of production is of another log stream than the set", header.generation);
            return Err(refuse(JetCode::EXISTING_LOG_FILE_HAS_BAD_SIGNATURE, path, reason));
        }
        // Behind a stretch that only the set has, its end is what a log joins on to.
        let own = (header.generation.0.checked_sub(1)).and_then(|before| self.chain.get(&Generation(before)));
        let before = before.filter(|before| before.generation.0.saturating_add(1) == header.generation.0).or(own).or(before);
        match before {
            Some(before) if unlinked(before, header) => {
                Err(refuse(JetCode::EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS, path, broken(before, header)))
            }
            _ => Ok(()),
        }
    }
}

/// The generations that are missing, in a sentence.
fn gap(set: &Set, present: impl Iterator<Item = Generation>) -> Option<String> {
    let mut missing = Vec::new();
    let mut next = set.low.0;
    for generation in present {
        if generation.0 > next {
            missing.push(through(Generation(next), Generation(generation.0 - 1)));
        }
        next = generation.0.saturating_add(1);
    }
    if next <= set.high.0 {
        missing.push(through(Generation(next), set.high));
    }
    (!missing.is_empty()).then(|| format!("the set lacks generation {}", missing.join(", ")))
}

fn through(first: Generation, last: Generation) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

fn header_of(logs: &Logs, path: &Path, generation: Option<Generation>, page_size: Option<PageSize>) -> Result<LogHeader> {
    logs.header(path, &Expected { generation, page_size, ..Expected::default() })
}

/// Neighbours that are both there.
fn pairs(chain: &Chain) -> impl Iterator<Item = (&LogHeader, &LogHeader)> {
    let neighbours = |(before, header): &(&LogHeader, &LogHeader)| before.generation.0.saturating_add(1) == header.generation.0;
    chain.values().zip(chain.values().skip(1)).filter(neighbours)
}

fn unlinked(before: &LogHeader, header: &LogHeader) -> bool {
    header.previous_created != before.created
}

fn broken(before: &LogHeader, header: &LogHeader) -> String {
    format!(
        "generation {} was begun behind a generation {} made at {}, but the one at hand was made at {}: they are of different histories",
        header.generation, before.generation, header.previous_created, before.created
    )
}

fn refuse(jet: JetCode, path: &Path, reason: String) -> ReplayError {
    ReplayError::new(jet, reason).in_file(path.display().to_string())
}

fn of_log(logs: &Logs, generation: Generation, jet: JetCode, reason: String) -> ReplayError {
    match logs.files.archives.get(&generation) {
        Some(path) => refuse(jet, path, reason),
        None => ReplayError::new(jet, reason),
    }
}
