//! A plan: what would be stored, what was demanded, and what would be promised. `--dry-run` shows it, and a run carries it out.

use super::databases::DatabaseItem;
use super::held::Identity;
use super::options::Options;
use super::predicate::Predicate;
use super::room;
use super::streams::StreamItem;
use crate::recover::Sources;
use crate::restore::FoundSet;
use crate::sets::History;
use crate::sets::manifest::{Kind, Promise, Role};
use anchorlog_format::units::Signature;
use anchorlog_vault::{Name, SetId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// When a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// While everything is stopped.
    Stopped,
    /// Behind the databases: they may be mounted again by then.
    Behind,
}

/// A file that would be stored.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Its stream in the set.
    pub name: Name,
    /// Where it lies.
    pub source: PathBuf,
    /// Its place in the layout of the sources.
    #[serde(skip)]
    pub place: PathBuf,
    /// What it is.
    pub role: Role,
    /// Bytes.
    pub size: u64,
    /// When it is read.
    pub phase: Phase,
    #[serde(skip)]
    pub(super) identity: Option<Identity>,
}

/// A plan.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// What the set would be.
    pub kind: Kind,
    /// Whether it can be carried out.
    pub possible: bool,
    /// What must hold, and what was found.
    pub predicates: Vec<Predicate>,
    /// What would be stored, in order.
    pub files: Vec<Item>,
    /// Bytes of it.
    pub bytes: u64,
    /// Databases of the stream that are left out, by the user's word.
    pub left_out: Vec<String>,
    /// What would be promised.
    pub promises: Vec<Promise>,
    /// What to know besides.
    pub remarks: Vec<String>,
    /// The set whose logs this one continues, for each stream.
    #[serde(skip)]
    pub(super) continues: BTreeMap<[u8; 28], SetId>,
    /// The last set of each database: most of it will be there.
    #[serde(skip)]
    pub(super) resembles: Vec<SetId>,
    /// Sets behind which roll-forward ends, and why.
    #[serde(skip)]
    pub(super) ends: BTreeMap<SetId, String>,
    #[serde(skip)]
    pub(super) databases: Vec<DatabaseItem>,
    #[serde(skip)]
    pub(super) streams: Vec<StreamItem>,
    /// The sets of an import, as its restore would use them: those of the vault that it needs, and itself.
    #[serde(skip)]
    pub(super) sets: Vec<FoundSet>,
    #[serde(skip)]
    pub(super) options: Options,
}

impl Plan {
    pub(super) fn new(kind: Kind, options: &Options) -> Self {
        Self {
            kind,
            possible: false,
            predicates: Vec::new(),
            files: Vec::new(),
            bytes: 0,
            left_out: Vec::new(),
            promises: Vec::new(),
            remarks: Vec::new(),
            continues: BTreeMap::new(),
            resembles: Vec::new(),
            ends: BTreeMap::new(),
            databases: Vec::new(),
            streams: Vec::new(),
            sets: Vec::new(),
            options: options.clone(),
        }
    }
    /// The predicates that stand in the way.
    pub fn refusals(&self) -> impl Iterator<Item = &Predicate> {
        self.predicates.iter().filter(|predicate| predicate.is_refused())
    }
    /// Adds a file of the sources.
    pub(super) fn add(&mut self, sources: &Sources, place: &Path, role: Role, phase: Phase) {
        let Some(source) = sources.get(place) else { return };
        let item = Item {
            name: stream_name(place),
            source: source.path.clone(),
            place: place.to_owned(),
            role,
            size: source.identified.size,
            phase,
            identity: Identity::of(&source.path).ok(),
        };
        self.files.push(item);
    }
    pub(super) fn finish(&mut self, history: &History) {
        if self.files.is_empty() && self.refusals().next().is_none() {
            let (read, next) = ("nothing", "Name the folder with the databases or logs.");
            let predicate = Predicate::refuses("set", "", read, super::Refusal::Path, next);
            self.predicates.push(predicate);
        }
        self.files.sort_by(|a, b| (a.phase, a.role, &a.place).cmp(&(b.phase, b.role, &b.place)));
        self.bytes = self.files.iter().map(|file| file.size).sum();
        let last = self.databases.iter().filter_map(|database| history.last_with(&database.facts.signature));
        let last: BTreeSet<SetId> = last.map(|(set, ..)| set.id.clone()).collect();
        self.resembles = last.into_iter().collect();
        if let Some(free) = self.options.free_bytes {
            room::judge(self, history, free);
        }
        self.possible = !self.predicates.iter().any(Predicate::is_refused);
    }
    /// The streams that the databases of the plan belong to; zeros are no stream (trap O25).
    pub(super) fn stream_of(&self, signature: &Signature) -> Option<&StreamItem> {
        if signature.is_none() {
            return None;
        }
        // Of copies of a stream in several folders, the one that goes on.
        let all = self.streams.iter().filter(|stream| stream.signature == *signature);
        all.max_by_key(|stream| stream.logs().next_back().map(|log| log.facts.generation))
    }
}

/// The name of a file's stream: its place with `/`, where what a name may not hold is written as `%` and two hexadecimal digits.
pub(super) fn stream_name(place: &Path) -> Name {
    let part = |part: &std::ffi::OsStr| {
        let mut text = String::new();
        for chunk in part.as_encoded_bytes().utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\0' | '\\' | '%' => text.push_str(&format!("%{:02X}", u32::from(character))),
                    _ => text.push(character),
                }
            }
            for byte in chunk.invalid() {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
        text
    };
    let whole = place.iter().map(part).collect::<Vec<_>>().join("/");
    Name::new(&whole).unwrap_or_else(|| digest_name(&whole))
}

/// For places that are too long for a name.
fn digest_name(whole: &str) -> Name {
    use sha2::{Digest as _, Sha256};
    let digest = hex::encode(Sha256::digest(whole.as_bytes()));
    Name::try_from(format!("long/{digest}")).expect("a digest is a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_name_of_its_own() {
        assert_eq!(stream_name(Path::new("db/Mail 1.edb")).as_str(), "db/Mail 1.edb");
        assert_eq!(stream_name(Path::new("a%b\\c")).as_str(), "a%25b%5Cc");
        let long = "x".repeat(2000);
        assert_ne!(stream_name(Path::new(&long)), stream_name(Path::new(&format!("{long}y"))));
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt as _;
            let raw = std::ffi::OsStr::from_bytes(b"a\xFFb");
            assert_eq!(stream_name(Path::new(raw)).as_str(), "a%FFb");
        }
    }
}
