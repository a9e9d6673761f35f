//! Retention: which sets of a vault may be forgotten by rules, and for each of the others why not.
//!
//! Rules look at one group at a time: sets of one machine, one source, and the same databases and log streams by their signatures, so that
//! sets of one store never push out those of another. Above every rule: a set that is held stays, and one that a kept set needs, and the last
//! proved set of each database, and what cannot be read.

mod rules;

pub use rules::{Period, Rule, Rules};

use crate::sets::{History, KnownSet, Level};
use anchorlog_vault::{Damage, Hold, SetId, SetSummary, Vault};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Why a set stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A rule.
    Rule(Rule),
    /// It is held; why.
    Held(String),
    /// No newer proved set holds this database, or no set is proved that does and no newer one holds it.
    LastOf(String),
    /// A set that stays needs it.
    NeededBy(SetId),
    /// It cannot be read, so that nobody knows what it is; why.
    Unreadable(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::Held(why) => f.write_str(why),
            Self::LastOf(database) => write!(f, "the last good set of {database}"),
            Self::NeededBy(set) => write!(f, "set {set} needs it"),
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
        }
    }
}

/// What would become of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The set.
    pub set: SetId,
    /// When it was made, in milliseconds since 1970 UTC.
    pub time: i64,
    /// Why it stays; empty: it goes.
    pub stays: Vec<Reason>,
}

/// Sets that rules are applied to together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The machine.
    pub host: String,
    /// Where the files lay.
    pub source: String,
    /// Databases by their names in the newest set; empty for sets of logs alone.
    pub databases: Vec<String>,
    /// Base names of the log streams.
    pub streams: Vec<String>,
    /// Its sets, oldest first.
    pub sets: Vec<Verdict>,
}

/// What would be forgotten, and why the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The groups, in the order of their keys.
    pub groups: Vec<Group>,
    /// Sets that no manifest is known of: they stay.
    pub unreadable: Vec<Verdict>,
    /// What would be forgotten, oldest first.
    pub forgotten: Vec<SetId>,
}

/// Why no plan was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Without a rule everything would go.
    #[error("no rule says what to keep")]
    NoRule,
    /// The description of a set, or of what is attached to one, cannot be read: it may need others, or hold one.
    #[error("{0}: as it may need or hold any set, nothing is forgotten by rules")]
    Damaged(Damage),
    /// The vault's.
    #[error(transparent)]
    Vault(#[from] anchorlog_vault::Error),
}

/// What rules see of a set.
struct Candidate {
    summary: SetSummary,
    /// Reasons above every rule.
    stays: BTreeSet<Reason>,
}

/// Applies rules to all sets of a vault. Nothing is changed; [`Vault::forget`] takes [`Plan::forgotten`], and looks again at what others did
/// meanwhile.
///
/// # Errors
/// [`Error`].
pub fn plan(vault: &dyn Vault, rules: &Rules, now: Timestamp) -> Result<Plan, Error> {
    if rules.is_empty() {
        return Err(Error::NoRule);
    }
    let mut history = History::read(vault)?;
    // Listed behind the history: what was published between the two stays, as its manifest is not known.
    let summaries: Vec<SetSummary> = vault.sets()?.into_iter().collect::<Result<_, _>>().map_err(Error::Damaged)?;
    history.sets.retain(|set| summaries.iter().any(|summary| summary.id == set.id));
    let last_good = last_good(&history);
    let mut candidates: BTreeMap<SetId, Candidate> = BTreeMap::new();
    for summary in &summaries {
        let mut stays = BTreeSet::new();
        match history.sets.iter().find(|set| set.id == summary.id) {
            Some(set) => {
                let hold = set.hold.as_ref().filter(|hold| hold.is_in_effect(now));
                stays.extend(hold.map(|hold| Reason::Held(hold.to_string())));
                stays.extend(last_good.get(&set.id).into_iter().flatten().cloned().map(Reason::LastOf));
            }
            None => {
                let known = history.unreadable.iter().find(|(place, _)| *place == summary.id.to_string());
                stays.insert(Reason::Unreadable(known.map_or_else(|| "it is new".into(), |(_, why)| why.clone())));
            }
        }
        candidates.insert(summary.id.clone(), Candidate { summary: summary.clone(), stays });
    }
    let grouped = groups(&history);
    for sets in grouped.values() {
        let times: Vec<Timestamp> = sets.iter().map(|set| time_of(set.summary.made.time)).collect();
        for (set, rules) in sets.iter().zip(rules.kept(&times, now)) {
            if let Some(candidate) = candidates.get_mut(&set.id) {
                candidate.stays.extend(rules.into_iter().map(Reason::Rule));
            }
        }
    }
    keep_what_is_needed(&mut candidates);
    let verdict = |summary: &SetSummary| Verdict {
        set: summary.id.clone(),
        time: summary.made.time,
        stays: candidates.get(&summary.id).map(|candidate| candidate.stays.iter().cloned().collect()).unwrap_or_default(),
    };
    let group = |(key, sets): (Key, Vec<&KnownSet>)| Group {
        host: key.host,
        source: key.source,
        databases: sets.last().iter().flat_map(|set| set.manifest.databases()).map(|(file, _)| file.name.to_string()).collect(),
        streams: sets.last().iter().flat_map(|set| &set.manifest.streams).map(|stream| stream.base.clone()).collect(),
        sets: sets.iter().map(|set| verdict(&set.summary)).collect(),
    };
    let goes = |summary: &&SetSummary| candidates.get(&summary.id).is_some_and(|candidate| candidate.stays.is_empty());
    let is_known = |summary: &&SetSummary| history.sets.iter().any(|set| set.id == summary.id);
    Ok(Plan {
        groups: grouped.into_iter().map(group).collect(),
        unreadable: summaries.iter().filter(|summary| !is_known(summary)).map(verdict).collect(),
        forgotten: summaries.iter().filter(goes).map(|summary| summary.id.clone()).collect(),
    })
}

/// Whether these sets may be forgotten by their names, which rules do not hold back: only holds, and sets that stay and need them.
///
/// # Errors
/// The vault's.
pub fn named(vault: &dyn Vault, sets: &[SetId], now: Timestamp) -> anchorlog_vault::Result<Vec<Verdict>> {
    let summaries: Vec<SetSummary> = vault.sets()?.into_iter().filter_map(Result::ok).collect();
    let mut verdicts = Vec::with_capacity(sets.len());
    for set in sets {
        let summary = summaries.iter().find(|summary| summary.id == *set);
        let time = summary.ok_or_else(|| anchorlog_vault::Error::NoSet(set.clone()))?.made.time;
        let mut stays: Vec<Reason> = match vault.attachments(set) {
            Ok(attachments) => Hold::among(&attachments).into_iter().filter(|hold| hold.is_in_effect(now)).collect::<Vec<_>>(),
            // Whether a damaged one is a hold is for the vault to say.
            Err(anchorlog_vault::Error::Damaged(_)) => Vec::new(),
            Err(error) => return Err(error),
        }
        .iter()
        .map(|hold| Reason::Held(hold.to_string()))
        .collect();
        let staying = summaries.iter().filter(|summary| !sets.contains(&summary.id) && summary.made.needs.contains(set));
        stays.extend(staying.map(|summary| Reason::NeededBy(summary.id.clone())));
        verdicts.push(Verdict { set: set.clone(), time, stays });
    }
    Ok(verdicts)
}

/// What sets of one group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    host: String,
    source: String,
    /// Signatures, each once.
    streams: BTreeSet<[u8; 28]>,
    databases: BTreeSet<[u8; 28]>,
}

fn groups(history: &History) -> BTreeMap<Key, Vec<&KnownSet>> {
    let mut groups: BTreeMap<Key, Vec<&KnownSet>> = BTreeMap::new();
    for set in &history.sets {
        let of_databases = set.manifest.databases().map(|(_, facts)| facts.log_signature);
        let streams = set.manifest.streams.iter().map(|stream| stream.signature).chain(of_databases);
        let key = Key {
            host: set.summary.made.host.clone(),
            source: set.summary.made.source.clone(),
            streams: streams.filter(|signature| !signature.is_none()).map(|signature| signature.0).collect(),
            databases: set.manifest.databases().map(|(_, facts)| facts.signature.0).collect(),
        };
        groups.entry(key).or_default().push(set);
    }
    groups
}

/// For each set the databases of which it is the last that was proved and holds them undamaged; where none is, the last that holds them.
fn last_good(history: &History) -> BTreeMap<SetId, Vec<String>> {
    let mut last: BTreeMap<[u8; 28], (bool, &SetId, String)> = BTreeMap::new();
    for set in history.sets.iter().filter(|set| set.manifest.kind.has_databases()) {
        let proved = set.proved.is_some_and(|level| level > Level::Unproven);
        for (file, facts) in set.manifest.databases() {
            let is_good = proved && file.damage.is_empty();
            if is_good || last.get(&facts.signature.0).is_none_or(|(good, ..)| !good) {
                last.insert(facts.signature.0, (is_good, &set.id, file.name.to_string()));
            }
        }
    }
    let mut by_set: BTreeMap<SetId, Vec<String>> = BTreeMap::new();
    for (_, set, database) in last.into_values() {
        by_set.entry(set.clone()).or_default().push(database);
    }
    by_set
}

/// What a set needs stays with it, and what that needs.
fn keep_what_is_needed(candidates: &mut BTreeMap<SetId, Candidate>) {
    let mut pending: Vec<SetId> =
        candidates.iter().filter(|(_, candidate)| !candidate.stays.is_empty()).map(|(id, _)| id.clone()).collect();
    while let Some(by) = pending.pop() {
        for needed in candidates.get(&by).map(|candidate| candidate.summary.made.needs.clone()).unwrap_or_default() {
            let Some(candidate) = candidates.get_mut(&needed) else { continue };
            if candidate.stays.is_empty() {
                pending.push(needed);
            }
            candidate.stays.insert(Reason::NeededBy(by.clone()));
        }
    }
}

fn time_of(milliseconds: i64) -> Timestamp {
    // No vault holds times beyond those of its own snapshots.
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
