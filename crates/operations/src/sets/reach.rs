//! How far the databases of a set can be restored with all logs that the vault holds.

use super::facts::LogState;
use super::history::{History, KnownSet, StoredLog};
use super::manifest::Level;
use super::moment::Moment;
use anchorlog_format::units::Signature;
use anchorlog_vault::{Name, SetId};
use serde::Serialize;
use std::collections::BTreeMap;

/// How far a database of a set can be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The database.
    pub database: Name,
    /// The last generation that continues it; none: no log of the vault does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// What committed up to here is restored, at least: when the set was begun, or when the last log was closed, or created where no more is
    /// known.
    pub until: Moment,
    /// The set in which that last log was stored first; none: no log takes the database further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<SetId>,
}

/// Logs of one stream that join on to each other, first and last generation, ascending.
pub type Runs = Vec<(u32, u32)>;

/// The runs of closed logs of a stream that can be read to their end, over all sets that were read back.
#[must_use]
pub fn runs(history: &History, signature: &Signature) -> Runs {
    let mut runs: Runs = Vec::new();
    for generation in history.generations(signature) {
        let usable = |log: &StoredLog<'_>| {
            log.facts.state == LogState::Whole
                && log.file.damage.is_empty()
                && log.set.proved.is_some_and(|level| level >= Level::L0)
        };
        let logs = || history.logs(signature, generation).filter(usable);
        if logs().next().is_none() {
            continue;
        }
        let joins = |last: u32| {
            last.checked_add(1) == Some(generation)
                && history.logs(signature, last).filter(usable).any(|before| logs().any(|log| before.facts.links_to(log.facts)))
        };
        match runs.last_mut() {
            Some((_, last)) if joins(*last) => *last = generation,
            _ => runs.push((generation, generation)),
        }
    }
    runs
}

/// The runs of every stream of a vault.
#[derive(Debug, Default)]
pub struct Reaches(BTreeMap<[u8; 28], Runs>);

impl Reaches {
    /// The runs of a stream, looked up once.
    pub fn runs(&mut self, history: &History, signature: &Signature) -> &Runs {
        self.0.entry(signature.0).or_insert_with(|| runs(history, signature))
    }
    /// How far each database of a set can be restored.
    pub fn of(&mut self, history: &History, set: &KnownSet) -> Vec<Reach> {
        let mut reaches = Vec::new();
        for (file, facts) in set.manifest.databases().filter(|(file, _)| file.damage.is_empty()) {
            let stays = Reach { database: file.name.clone(), generation: None, until: set.manifest.begun, by: None };
            let signature = facts.log_signature;
            let runs = self.runs(history, &signature);
            // Whatever was promised: what is there now decides.
            let run = facts.start().and_then(|from| runs.iter().find(|(first, last)| (first..=last).contains(&&from)));
            let Some(&(_, last)) = run else {
                reaches.push(stays);
                continue;
            };
            let closed = history.logs(&signature, last + 1).map(|next| next.facts.created).next();
            let stored = history.logs(&signature, last).next();
            let time = closed.or(stored.map(|log| log.facts.created)).map(Moment::from);
            let until = time.filter(|time| time.milliseconds() > set.manifest.begun.milliseconds()).unwrap_or(set.manifest.begun);
            reaches.push(Reach { generation: Some(last), until, by: stored.map(|log| log.set.id.clone()), ..stays });
        }
        reaches
    }
}
