//! `monitor`: whether what lies in a vault is good enough for the next bad day, in one look. Nothing is changed.
//!
//! A database is known by where it lay: the machine of its set and its path there. Compacting gives it another signature, and the watch goes on; one
//! that a newer set has from another place is watched there.

use crate::backup::{Sources, collect_streams};
use crate::sets::Moment;
use crate::sets::history::{History, KnownSet};
use crate::sets::manifest::Level;
use crate::sets::reach::Reaches;
use crate::sets::signature::{PublicKey, Signed};
use crate::sets::{DatabaseFacts, FilePart};
use anchorlog_format::units::Signature;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How bad it is, in the order of Nagios' exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// 0.
    #[default]
    Ok,
    /// 1.
    Warning,
    /// 2.
    Critical,
}

/// What is judged by.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Seconds; an older newest backup is critical. None: age is not judged.
    pub max_age: Option<i64>,
    /// Seconds; an older newest proof by replay is a warning. None: not judged.
    pub max_proof_age: Option<i64>,
    /// Databases that are gone for good, by path or its last part.
    pub without: Vec<String>,
    /// The only key whose signatures count. None: the keys of the vault.
    pub key: Option<PublicKey>,
}

/// What is looked at besides the sets.
#[derive(Default)]
pub struct Beside<'a> {
    /// The production folder with its logs.
    pub production: Option<&'a Sources>,
    /// What a check of the vault found: place and reason.
    pub damage: Vec<String>,
    /// Locks that look abandoned, in words.
    pub locks: Vec<String>,
}

/// Something that an administrator must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// How bad.
    pub state: State,
    /// What: `age`, `proof`, `chain`, `damage`, `lock`, `signature`, `key`.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What to do next.
    pub next: &'static str,
}

/// A database that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Watched {
    /// On which machine it lay.
    pub host: String,
    /// Where.
    pub path: String,
    /// When its newest proved backup was begun, or the newest proved logs that continue it: seconds since 1970 UTC.
    pub backup: Option<i64>,
    /// When it was proved by a replay last: seconds since 1970 UTC.
    pub proof: Option<i64>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Watch {
    /// The worst of all concerns.
    pub state: State,
    /// Concerns, the worst first.
    pub concerns: Vec<Concern>,
    /// Databases, by machine and path.
    pub databases: Vec<Watched>,
    /// Sets that can be read.
    pub sets: usize,
    /// Sets that cannot.
    pub unreadable: usize,
    /// Damaged places that a check found.
    pub damaged: usize,
    /// Proofs with a bad signature.
    pub bad_signatures: usize,
    /// Holes in chains of logs.
    pub gaps: usize,
    /// Locks that look abandoned.
    pub locks: usize,
    /// Closed logs of the production folder that no set holds yet; none: no folder was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<usize>,
}

/// Looks at the sets of a vault, and at what lies beside them.
#[must_use]
pub fn watch(history: &History, beside: &Beside<'_>, policy: &Policy, now: Moment) -> Watch {
    let watch = Watch {
        sets: history.sets.len(),
        unreadable: history.unreadable.len(),
        damaged: beside.damage.len(),
        locks: beside.locks.len(),
        ..Watch::default()
    };
    let mut watcher = Watcher { history, policy, now: now.seconds().unwrap_or(0), reaches: Reaches::default(), watch };
    watcher.vault(beside);
    watcher.signatures();
    watcher.databases();
    watcher.chains();
    if let Some(production) = beside.production {
        watcher.production(production);
    }
    let mut watch = watcher.watch;
    watch.concerns.sort_by_key(|concern| std::cmp::Reverse(concern.state));
    watch.state = watch.concerns.first().map_or(State::Ok, |concern| concern.state);
    watch
}

struct Watcher<'a> {
    history: &'a History,
    policy: &'a Policy,
    now: i64,
    reaches: Reaches,
    watch: Watch,
}

/// A database in a set.
type Copy<'a> = (&'a KnownSet, &'a FilePart, &'a DatabaseFacts);

impl<'a> Watcher<'a> {
    fn concern(&mut self, state: State, what: &'static str, found: String, next: &'static str) {
        self.watch.concerns.push(Concern { state, what, found, next });
    }

    fn vault(&mut self, beside: &Beside<'_>) {
        for (place, reason) in &self.history.unreadable {
            let next = "`anchorlog vault check --data` tells what else is damaged; make a new full set.";
            // Most reasons name the set themselves.
            let found = if reason.contains(place.as_str()) { reason.clone() } else { format!("{place}: {reason}") };
            self.concern(State::Critical, "damage", format!("a set cannot be read: {found}"), next);
        }
        for damage in &beside.damage {
            let next = "`anchorlog vault check --data` tells which sets are concerned; make a new full set.";
            self.concern(State::Critical, "damage", damage.clone(), next);
        }
        for lock in &beside.locks {
            let next = "See whether that program still runs; whoever comes next removes a lock that is thirty minutes old.";
            self.concern(State::Warning, "lock", lock.clone(), next);
        }
        if self.history.sets.is_empty() {
            self.concern(State::Critical, "age", "there is no set in the vault".to_owned(), "Make one: `anchorlog backup`.");
        }
    }

    fn signatures(&mut self) {
        for why in &self.history.keys.unreadable {
            let next = "Proofs that it signed cannot be told from forged ones: drill again.";
            self.concern(State::Warning, "key", format!("a proof key of the vault cannot be read: {why}"), next);
        }
        if let Some(key) = self.policy.key
            && !self.history.keys.public.contains(&key)
        {
            let next = "Somebody has put another key into the vault, or this is another vault: compare with what you noted down.";
            self.concern(State::Critical, "key", format!("the vault does not have the proof key {key}"), next);
        }
        for set in &self.history.sets {
            for proof in &set.proofs {
                if let Signed::Bad(why) = &proof.signed {
                    self.watch.bad_signatures += 1;
                    let next =
                        "Somebody has changed or moved a proof: it counts for nothing. Drill the set, and look who has the key.";
                    self.concern(State::Critical, "signature", format!("a proof of set {}: {why}", set.id), next);
                }
            }
        }
    }

    /// Whether a proof counts by the key that is demanded.
    fn counts(&self, proof: &crate::sets::ToldProof) -> bool {
        match self.policy.key {
            Some(key) => proof.signed == Signed::Good(key),
            None => proof.counts(),
        }
    }
    fn level(&self, set: &KnownSet) -> Option<Level> {
        set.proofs.iter().filter(|proof| self.counts(proof)).map(|proof| proof.level).max()
    }

    fn databases(&mut self) {
        let history = self.history;
        let mut copies: BTreeMap<(String, String), Vec<Copy<'a>>> = BTreeMap::new();
        for set in history.sets.iter().filter(|set| set.manifest.kind.has_databases()) {
            for (file, facts) in set.manifest.databases().filter(|(file, _)| !self.is_gone(&file.source)) {
                copies.entry((set.manifest.host.clone(), file.source.clone())).or_default().push((set, file, facts));
            }
        }
        let last_of = |copies: &Vec<Copy<'a>>| copies.last().map(|(set, _, facts)| (facts.signature, set.id.clone()));
        let moved = |copies: &Vec<Copy<'a>>| {
            let Some((signature, newest)) = last_of(copies).filter(|(signature, _)| !signature.is_none()) else { return false };
            history.last_with(&signature).is_some_and(|(set, ..)| set.id != newest)
        };
        for ((host, path), copies) in copies.into_iter().filter(|(_, copies)| !moved(copies)) {
            let shown = if host.is_empty() { path.clone() } else { format!("{path} of {host}") };
            let proved =
                |(set, file, _): &&Copy<'a>| file.damage.is_empty() && self.level(set).is_some_and(|level| level >= Level::L2);
            let newest_is_proved = copies.last().is_none_or(|newest| proved(&newest));
            let backup = copies.iter().rev().find(proved).copied();
            let replayed =
                copies.iter().flat_map(|(set, ..)| &set.proofs).filter(|proof| proof.level >= Level::L3 && self.counts(proof));
            let proof = replayed.filter_map(|proof| proof.made.seconds()).max();
            let backup = backup.and_then(|copy| self.newest(copy));
            self.judge_age(&shown, backup, newest_is_proved);
            self.judge_proof(&shown, proof);
            self.watch.databases.push(Watched { host, path, backup, proof });
        }
    }

    /// When the newest proved data of a copy were stored: its own set, or the proved logs that take it furthest.
    fn newest(&mut self, (set, file, _): Copy<'a>) -> Option<i64> {
        let reach = self.reaches.of(self.history, set).into_iter().find(|reach| reach.database == file.name);
        let by = reach.and_then(|reach| reach.by).and_then(|by| self.history.sets.iter().find(|set| set.id == by));
        set.manifest.begun.seconds().max(by.and_then(|set| set.manifest.begun.seconds()))
    }

    fn judge_age(&mut self, shown: &str, backup: Option<i64>, newest_is_proved: bool) {
        let next = "Look why the backups fail, and make one: `anchorlog backup`.";
        match (backup, self.policy.max_age) {
            (None, _) => self.concern(State::Critical, "age", format!("{shown} has no proved backup"), next),
            (Some(at), Some(max)) if self.now.saturating_sub(at) > max => {
                let found = format!("the newest proved backup of {shown} is {} old", age(self.now - at));
                self.concern(State::Critical, "age", found, next);
            }
            _ if !newest_is_proved => {
                let next = "Prove it: `anchorlog drill`. Where that fails, back up again.";
                self.concern(State::Warning, "proof", format!("the newest backup of {shown} is damaged or not proved"), next);
            }
            _ => {}
        }
    }

    fn judge_proof(&mut self, shown: &str, proof: Option<i64>) {
        let Some(max) = self.policy.max_proof_age else { return };
        let found = match proof {
            None => format!("no backup of {shown} was ever proved by a replay"),
            Some(at) if self.now.saturating_sub(at) > max => {
                format!("the newest proof of {shown} by a replay is {} old", age(self.now - at))
            }
            Some(_) => return,
        };
        self.concern(State::Warning, "proof", found, "Run `anchorlog drill --sample 1` every day, or `drill latest`.");
    }

    /// Logs that no set can be rolled forward into, because those before them are in none.
    fn chains(&mut self) {
        let history = self.history;
        for signature in self.streams() {
            let runs = self.reaches.runs(history, &signature).clone();
            for pair in runs.windows(2) {
                let [(_, last), (first, _)] = *pair else { continue };
                let missing = match (last + 1, first - 1) {
                    (from, to) if from > to => format!("generation {first:#x} does not continue {last:#x}"),
                    (from, to) if from == to => format!("generation {from:#x} is in no set, or cannot be read"),
                    (from, to) => format!("generations {from:#x} to {to:#x} are in no set, or cannot be read"),
                };
                // A later full set begins anew behind the hole.
                if self.is_crossed(&signature, last) {
                    continue;
                }
                self.watch.gaps += 1;
                let next = "Back up these logs while they are there; otherwise make a full set: roll-forward begins with it.";
                self.concern(State::Critical, "chain", missing, next);
            }
        }
    }
    /// Whether the newest set with each database of a stream begins behind a generation.
    fn is_crossed(&self, signature: &Signature, last: u32) -> bool {
        let mut newest: BTreeMap<[u8; 28], u32> = BTreeMap::new();
        for set in self.history.of_stream(signature).filter(|set| set.proved.is_some()) {
            let own =
                set.manifest.databases().filter(|(file, facts)| facts.log_signature == *signature && file.damage.is_empty());
            newest.extend(own.filter_map(|(_, facts)| Some((facts.signature.0, facts.start()?))));
        }
        newest.values().all(|start| *start > last)
    }
    /// The streams of databases and of logs of the vault.
    fn streams(&self) -> Vec<Signature> {
        let streams = self.history.sets.iter().flat_map(|set| &set.manifest.streams);
        let unique: BTreeSet<[u8; 28]> = streams.map(|stream| stream.signature.0).collect();
        unique.into_iter().map(Signature).collect()
    }

    /// The folder that the sets are made of: whether the vault still joins on to its logs.
    fn production(&mut self, production: &Sources) {
        let mut waiting = 0;
        for stream in collect_streams(production, &mut Vec::new()) {
            let runs = self.reaches.runs(self.history, &stream.signature).clone();
            let shown = stream.name();
            let stored = |generation: u32| runs.iter().any(|(first, last)| (*first..=*last).contains(&generation));
            waiting += stream.closed.iter().filter(|log| !stored(log.facts.generation)).count();
            let Some((_, last)) = runs.last().copied() else {
                if !stream.closed.is_empty() {
                    let next = "Is this the folder that is backed up? `anchorlog backup logs` stores its logs.";
                    self.concern(State::Warning, "chain", format!("the vault has no log of {shown}"), next);
                }
                continue;
            };
            let lowest = stream.logs().map(|log| log.facts.generation).find(|generation| *generation > last);
            let gone = lowest.filter(|lowest| *lowest > last + 1);
            let broken = stream.breaks.iter().find(|at| **at > last).map(|at| at + 1);
            let found = match (gone, broken) {
                (Some(lowest), _) => {
                    format!("{shown}: the vault ends with generation {last:#x}, and the folder goes on with {lowest:#x}")
                }
                (None, Some(at)) => format!("{shown}: generation {at:#x} is missing, or does not continue the one before"),
                (None, None) => continue,
            };
            self.watch.gaps += 1;
            let next = "The logs between are gone: make a full set now, nothing else closes the hole.";
            self.concern(State::Critical, "chain", found, next);
        }
        self.watch.waiting = Some(waiting);
    }

    fn is_gone(&self, path: &str) -> bool {
        crate::backup::Options { without: self.policy.without.clone(), ..Default::default() }.leaves_out(path)
    }
}

/// Seconds as people say them.
#[must_use]
pub fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
