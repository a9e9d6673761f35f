//! Hard recovery: databases out of an online backup set are recovered with an explicit range of logs, and go on into the logs of
//! production where these continue the set (`log-5 §16`, `ops-3 §3, §4`).
//!
//! It is an option of the one run of [`crate::run`]: here are the tests before it, in the engine's order, and what the trailer of a streamed
//! copy does to its header. The logs of a set and of production are one [`StreamFiles`](crate::stream::files::StreamFiles): the archives up
//! to [`Set::high`] lie in the set, those behind it and the current log in the production folder.

mod databases;
mod logs;

use crate::error::ReplayError;
use crate::logs::Logs;
use crate::naming::Candidate;
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::units::{Generation, PageSize, Signature};
use anchorlog_storage::Folder;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The range of generations that were restored from backup sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The first.
    pub low: Generation,
    /// The last.
    pub high: Generation,
    /// Logs of the production folder that are not replayed, because the set has their generation as well, or because they lie in front of
    /// it. They must be of the same history.
    pub overlap: BTreeMap<Generation, PathBuf>,
}

impl Set {
    /// What damage of a log means: the set is all there is of its generations, production may have been cut off.
    pub(crate) fn context(&self, generation: Generation) -> ReadContext {
        if generation <= self.high { ReadContext::HardInSet } else { ReadContext::HardBeyond }
    }
}

/// Something that must hold before a set is recovered (`ops-3 §3, §4`).
#[derive(Debug)]
pub struct Predicate {
    /// Its name in `ops-3`: H4 to H12, C2 to C6.
    pub id: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// What was found, or how it is broken.
    pub outcome: Result<String, ReplayError>,
}

/// A set that was looked at.
#[derive(Debug)]
pub struct Examined {
    /// Every predicate, in the order in which Microsoft's engine tests them. It stops at the first that is broken; here all are told that
    /// can be looked at without the others.
    pub predicates: Vec<Predicate>,
    /// The log stream; none where no log can be read.
    pub stream: Signature,
    /// Headers of the databases that passed, completed for the range.
    pub headers: BTreeMap<PathBuf, HeaderPage>,
}

impl Examined {
    /// The first broken predicate: what Microsoft's engine fails with.
    ///
    /// # Errors
    /// That one.
    pub fn verdict(self) -> Result<(Signature, BTreeMap<PathBuf, HeaderPage>), ReplayError> {
        for predicate in self.predicates {
            predicate.outcome?;
        }
        Ok((self.stream, self.headers))
    }
}

/// Looks at the logs of a set and of production, then at each database. Nothing is changed, and of logs only the headers are read.
///
/// Microsoft's engine differs in two places, both to the harm of its user: what it finds wrong in the middle of the production logs is
/// forgotten when a later log is fine, and too short a range (−553, −554) is reported as an event while the run goes on (trap W34).
#[must_use]
pub fn examine(logs: &Logs, set: &Set, folder: &dyn Folder, candidates: &[Candidate], page_size: Option<PageSize>) -> Examined {
    let mut predicates = Vec::new();
    let chain = logs::set_logs(logs, set, page_size, &mut predicates);
    let stream = chain.values().next_back().map_or(Signature::NONE, |header| header.signature);
    logs::production(logs, set, page_size, &chain, &mut predicates);
    let headers = databases::databases(folder, set, candidates, &stream, page_size, &mut predicates);
    Examined { predicates, stream, headers }
}

/// Zeroes the trailer of a streamed copy, so that no reader takes it for a page.
pub(crate) use databases::zero_trailer;
