//! `chain`: for every log of a folder why it must stay, or why it may go (`ops-1 §9`).
//!
//! A log may go only where nothing needs it any more (G1, G5), where proved sets hold it byte for byte in as many vaults as are demanded
//! (G2), and where all below it may go as well (G4). Whatever cannot be read needs everything.

use crate::backup::{LogItem, Predicate, Refusal, Sources, StreamItem};
use crate::identify::Content;
use crate::sets::Moment;
use crate::sets::facts::{DatabaseFacts, LogState};
use crate::sets::history::History;
use crate::sets::manifest::Level;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Signature;
use serde::Serialize;
use std::path::PathBuf;

/// What must hold before a log may go.
#[derive(Clone, Debug)]
pub struct Policy {
    /// In how many vaults a proved set must hold it; at least one.
    pub archives: usize,
    /// Sets with databases that are not older than so many seconds keep the logs that they need.
    pub retention: Option<i64>,
    /// Open backups and standby readers: name, and the lowest generation that each still needs.
    pub readers: Vec<(String, u32)>,
    /// Databases that the logs name and that are gone for good: names or paths as the logs have them.
    pub without: Vec<String>,
    /// What configuration says of circular logging; none: the logs alone tell.
    pub circular: Option<bool>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { archives: 1, retention: None, readers: Vec::new(), without: Vec::new(), circular: None }
    }
}

/// The logs of a folder.
#[derive(Clone, Debug, Serialize)]
pub struct Chain {
    /// One for each stream in each folder.
    pub streams: Vec<StreamChain>,
}

/// The logs of one stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamChain {
    /// Its signature.
    pub signature: Signature,
    /// Base name and folder.
    pub name: String,
    /// Below this generation nothing is needed; none where that cannot be told.
    pub limit: Option<u32>,
    /// What needs logs, and from which generation on.
    pub needs: Vec<Need>,
    /// The rules G1 to G8 that concern the stream as a whole.
    pub rules: Vec<Predicate>,
    /// Closed logs, ascending.
    pub logs: Vec<LogVerdict>,
}

/// Something that needs logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What.
    pub what: String,
    /// From which generation on; none: that cannot be told, and everything is needed.
    pub from: Option<u32>,
}

/// One log.
#[derive(Clone, Debug, Serialize)]
pub struct LogVerdict {
    /// Its generation.
    pub generation: u32,
    /// Its place below the folder.
    pub place: PathBuf,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of them.
    #[serde(serialize_with = "as_hex")]
    pub blake3: [u8; 32],
    /// Whether it may go.
    pub safe: bool,
    /// Why it must stay; where it may go, why.
    pub because: Vec<String>,
}

fn as_hex<S: serde::Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(digest))
}

/// Looks at every log below a folder. `vaults`: the sets of each vault.
#[must_use]
pub fn examine(sources: &Sources, vaults: &[History], policy: &Policy, now: Moment) -> Chain {
    let mut predicates = Vec::new();
    let streams = crate::backup::collect_streams(sources, &mut predicates);
    let streams = streams.iter().map(|stream| Examined { sources, vaults, policy, now, stream }.verdicts()).collect();
    Chain { streams }
}

struct Examined<'a> {
    sources: &'a Sources,
    vaults: &'a [History],
    policy: &'a Policy,
    now: Moment,
    stream: &'a StreamItem,
}

impl Examined<'_> {
    fn verdicts(&self) -> StreamChain {
        let mut rules = Vec::new();
        let mut needs = self.of_databases();
        needs.extend(self.of_checkpoint(&mut rules));
        needs.extend(self.policy.readers.iter().map(|(name, from)| Need { what: format!("reader {name}"), from: Some(*from) }));
        needs.extend(self.of_retained_sets());
        let known = needs.iter().all(|need| need.from.is_some()) && !needs.is_empty();
        let limit = needs.iter().filter_map(|need| need.from).min().filter(|_| known);
        rules.push(self.needed(limit, &needs));
        rules.push(self.not_circular());
        rules.push(self.good_bases());
        let held_by_all: Vec<String> =
            rules.iter().filter(|rule| rule.is_refused()).map(|rule| format!("{}: {}", rule.id, rule.read)).collect();
        let mut logs = Vec::new();
        // A log that cannot be read stays, and so do all above it.
        let unreadable = self.stream.unusable.iter().map(|(place, _)| named(place).unwrap_or(0)).min();
        let mut below: Option<u32> = None;
        for log in &self.stream.closed {
            below = below.or_else(|| unreadable.filter(|unreadable| *unreadable < log.facts.generation));
            let verdict = self.verdict(log, limit, &needs, &held_by_all, below);
            if !verdict.safe {
                below = below.or(Some(verdict.generation));
            }
            logs.push(verdict);
        }
        StreamChain { signature: self.stream.signature, name: self.stream.name(), limit, needs, rules, logs }
    }

    fn verdict(&self, log: &LogItem, limit: Option<u32>, needs: &[Need], all: &[String], below: Option<u32>) -> LogVerdict {
        let generation = log.facts.generation;
        let mut because = all.to_vec();
        let is_break = |generation: u32| self.stream.breaks.binary_search(&generation).is_ok();
        for need in needs.iter().filter(|need| need.from.is_some_and(|from| generation >= from)) {
            because.push(format!("G1: {} needs the logs from generation {:#x} on", need.what, need.from.unwrap_or(0)));
        }
        if log.facts.state != LogState::Whole {
            because.push(format!("G2: it cannot be read behind {}", log.facts.valid_end));
        }
        if is_break(generation) || is_break(generation.wrapping_sub(1)) {
            because.push("G2: it does not join on to its neighbour".to_owned());
        }
        if self.stream.diverging.iter().any(|place| named(place) == Some(generation)) {
            because.push("G2: another file of its generation has another content".to_owned());
        }
        let holders = self.holders(log);
        let wanted = self.policy.archives.max(1);
        if holders.len() < wanted {
            because.push(match holders.len() {
                0 => "G2: no proved set holds it".to_owned(),
                count => format!("G2: proved sets of {count} vaults hold it, and {wanted} are demanded"),
            });
        }
        if let Some(below) = below {
            because.push(format!("G4: generation {below:#x} below it stays"));
        }
        let safe = because.is_empty() && limit.is_some();
        if safe {
            because.push(format!("nothing needs logs below generation {:#x}", limit.unwrap_or(0)));
            because.extend(holders);
        }
        LogVerdict { generation, place: log.place.clone(), size: log.size, blake3: log.blake3, safe, because }
    }

    /// The vaults in which a proved set holds the very bytes of a log.
    fn holders(&self, log: &LogItem) -> Vec<String> {
        self.vaults.iter().filter_map(|vault| holder(vault, &self.stream.signature, log.facts.generation, &log.blake3)).collect()
    }

    /// What each database of the stream needs: those that are here, and those that the logs name.
    fn of_databases(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        let mut here: Vec<Signature> = Vec::new();
        for source in self.sources.iter() {
            let shown = source.identified.path.display().to_string();
            match &source.identified.content {
                Content::Database { page, .. } if page.header.is_temporary() => {}
                Content::Database { page, .. } => {
                    let facts = DatabaseFacts::of(&page.header, page.page_size());
                    here.push(facts.signature);
                    if facts.log_signature != self.stream.signature {
                        continue;
                    }
                    let what = if facts.is_clean() { format!("{shown} (its anchor)") } else { format!("{shown} (dirty)") };
                    // What an online backup left behind needs the logs of its set, from the stamp on.
                    let from = facts.start().into_iter().chain(facts.current.map(|stamp| stamp.low)).min();
                    needs.push(Need { what, from });
                }
                Content::DamagedDatabase { .. } => {
                    needs.push(Need { what: format!("{shown}, whose header cannot be read,"), from: None });
                }
                _ => {}
            }
        }
        let absent = self.stream.members.iter().filter(|member| !here.contains(&member.signature));
        let options = crate::backup::Options { without: self.policy.without.clone(), ..crate::backup::Options::default() };
        for member in absent.filter(|member| !options.leaves_out(&member.path)) {
            needs.push(Need { what: format!("{}, which the logs name and which is not here,", member.path), from: None });
        }
        needs
    }

    /// The checkpoint, where it can be trusted (G7); its own log and everything above stay (G5).
    fn of_checkpoint(&self, rules: &mut Vec<Predicate>) -> Option<Need> {
        let (place, position) = self.stream.checkpoint.as_ref()?;
        let shown = place.display().to_string();
        let ignored = |read: &str, refusal| {
            let next = "The headers of the databases tell what is needed. Never delete a checkpoint to make room.";
            Predicate::marks("G7", shown.clone(), read, refusal, next)
        };
        let Some(position) = position else {
            rules.push(ignored("it is damaged, or of another stream", Refusal::Chkpt));
            return None;
        };
        let generation = position.generation.0;
        if self.stream.log(generation).is_none() {
            rules.push(ignored("its log is not here: it is stale", Refusal::Chkpt).with_jet(JetCode::FILE_NOT_FOUND));
            return None;
        }
        let path = self.sources.get(place).map(|source| source.path.clone()).unwrap_or_default();
        if crate::backup::is_in_use(&path) {
            rules.push(
                ignored("it is locked: what the engine knows may be newer", Refusal::InUse).with_jet(JetCode::FILE_NOT_FOUND),
            );
        } else {
            rules.push(Predicate::held("G7", &shown, format!("it stands at {position}")));
        }
        Some(Need { what: format!("{shown} (the checkpoint)"), from: Some(generation) })
    }

    /// Sets with databases inside the time for which they are kept.
    fn of_retained_sets(&self) -> Vec<Need> {
        let Some((retention, now)) = self.policy.retention.zip(self.now.seconds()) else { return Vec::new() };
        let sets = self.vaults.iter().flat_map(|vault| vault.of_stream(&self.stream.signature));
        let young = sets.filter(|set| set.manifest.begun.seconds().is_none_or(|begun| now.saturating_sub(begun) <= retention));
        let need = |(set, facts): (&crate::sets::KnownSet, &DatabaseFacts)| {
            facts.start().map(|from| Need { what: format!("set {}, which is kept,", set.id), from: Some(from) })
        };
        young
            .flat_map(|set| set.manifest.databases().map(move |(_, facts)| (set, facts)))
            .filter(|(_, facts)| facts.log_signature == self.stream.signature)
            .filter_map(need)
            .collect()
    }

    fn needed(&self, limit: Option<u32>, needs: &[Need]) -> Predicate {
        let shown = self.stream.name();
        if let Some(limit) = limit {
            return Predicate::held("G1", shown, format!("nothing needs logs below generation {limit:#x}"));
        }
        let unknown: Vec<&str> = needs.iter().filter(|need| need.from.is_none()).map(|need| need.what.as_str()).collect();
        let read = if unknown.is_empty() {
            "no database and no checkpoint tells what is needed".to_owned()
        } else {
            format!("what is needed cannot be told because of {}", unknown.join(" "))
        };
        let next = "Look at the folder with its databases; name those that are gone for good.";
        Predicate::refuses("G1", shown, read, Refusal::OtherDb, next)
    }
    fn not_circular(&self) -> Predicate {
        let shown = self.stream.name();
        if self.stream.is_circular(self.policy.circular) {
            let read = "circular logging is on: the engine discards logs itself";
            return Predicate::refuses("G3", shown, read, Refusal::RangeMissing, "There is nothing to do: the engine purges.");
        }
        Predicate::held("G3", shown, "circular logging is off")
    }

    /// P11 and D15: no log goes while the last set of its databases is damaged, or there is none.
    fn good_bases(&self) -> Predicate {
        let shown = self.stream.name();
        let mut wrong = Vec::new();
        let of_stream = |source: &&crate::recover::Source| match &source.identified.content {
            Content::Database { page, .. } => page.header.log_signature == self.stream.signature && !page.header.is_temporary(),
            _ => false,
        };
        for source in self.sources.iter().filter(of_stream) {
            let Content::Database { page, .. } = &source.identified.content else { continue };
            let name = source.identified.path.display();
            let sets: Vec<_> = self.vaults.iter().filter_map(|vault| vault.last_with(&page.header.signature)).collect();
            let good = |(set, file, _): &(&crate::sets::KnownSet, &crate::sets::FilePart, &DatabaseFacts)| {
                file.damage.is_empty() && set.proved.is_some_and(|level| level >= Level::L2)
            };
            if sets.is_empty() {
                wrong.push(format!("no set holds {name}"));
            } else if !sets.iter().any(good) {
                wrong.push(format!("the last set with {name} is damaged or not proved"));
            }
        }
        if wrong.is_empty() {
            return Predicate::held("P22", shown, "the last set of each database is proved and good");
        }
        Predicate::refuses(
            "P22",
            shown,
            wrong.join("; "),
            Refusal::Damaged,
            "Make a good full set first: without one the logs are all there is.",
        )
    }
}

/// The generation that a file's name says.
fn named(place: &std::path::Path) -> Option<u32> {
    match anchorlog_format::log::names::parse(place.file_name()?.to_str()?)?.role {
        anchorlog_format::log::names::Role::Archive { generation, .. } => Some(generation.0),
        _ => None,
    }
}

/// The proved set of a vault that holds the very bytes of a closed log, in words.
#[must_use]
pub fn holder(vault: &History, signature: &Signature, generation: u32, blake3: &[u8; 32]) -> Option<String> {
    let holds = |stored: &crate::sets::StoredLog<'_>| {
        stored.file.blake3 == *blake3
            && stored.file.damage.is_empty()
            && stored.facts.state == LogState::Whole
            && stored.set.proved.is_some_and(|level| level >= Level::L0)
    };
    vault.logs(signature, generation).find(holds).map(|stored| format!("set {} holds it, and was read back", stored.set.id))
}
