//! All sets of a vault with their manifests and proofs: what is stored already, and how well.

use super::facts::{DatabaseFacts, LogFacts};
use super::manifest::{FilePart, Level, Manifest};
use super::proof::Proof;
use anchorlog_format::units::Signature;
use anchorlog_vault::{SetId, SetSummary, Vault};

/// A set whose manifest was read.
#[derive(Clone, Debug)]
pub struct KnownSet {
    /// Identity.
    pub id: SetId,
    /// What it was begun with.
    pub summary: SetSummary,
    /// Its manifest.
    pub manifest: Manifest,
    /// The highest level that a proof behind its publication reached; none: it was never read back.
    pub proved: Option<Level>,
}

/// A log in a set.
#[derive(Clone, Copy, Debug)]
pub struct StoredLog<'a> {
    /// The set.
    pub set: &'a KnownSet,
    /// The file.
    pub file: &'a FilePart,
    /// What the log says.
    pub facts: &'a LogFacts,
}

/// The sets of a vault, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Sets of ours.
    pub sets: Vec<KnownSet>,
    /// Sets that say nothing: damaged ones, and those of other programs. Which, and why.
    pub unreadable: Vec<(String, String)>,
}

impl History {
    /// Reads every manifest of a vault, and the proofs.
    ///
    /// # Errors
    /// The vault's, where it cannot be listed; a set that cannot be read hides no other.
    pub fn read(vault: &dyn Vault) -> anchorlog_vault::Result<Self> {
        let mut history = Self::default();
        for listed in vault.sets()? {
            let summary = match listed {
                Ok(summary) => summary,
                Err(damage) => {
                    history.unreadable.push((damage.place.to_string(), damage.reason));
                    continue;
                }
            };
            match known(vault, summary) {
                Ok(set) => history.sets.push(set),
                Err(unreadable) => history.unreadable.push(unreadable),
            }
        }
        Ok(history)
    }
    /// Sets that hold logs or databases of a stream, oldest first.
    pub fn of_stream(&self, signature: &Signature) -> impl DoubleEndedIterator<Item = &KnownSet> {
        let signature = *signature;
        self.sets.iter().filter(move |set| set.manifest.streams.iter().any(|stream| stream.signature == signature))
    }
    /// Closed logs of a stream and generation.
    pub fn logs(&self, signature: &Signature, generation: u32) -> impl Iterator<Item = StoredLog<'_>> {
        let signature = *signature;
        let of_set = move |set| {
            let logs = KnownSet::manifest_of(set).logs();
            logs.filter(move |(_, facts)| facts.signature == signature && facts.generation == generation && !facts.open)
                .map(move |(file, facts)| StoredLog { set, file, facts })
        };
        self.sets.iter().flat_map(of_set)
    }
    /// The newest set with the database of a signature.
    #[must_use]
    pub fn last_with(&self, database: &Signature) -> Option<(&KnownSet, &FilePart, &DatabaseFacts)> {
        self.sets.iter().rev().filter(|set| set.manifest.kind.has_databases()).find_map(|set| {
            let mut databases = set.manifest.databases();
            databases.find(|(_, facts)| facts.signature == *database).map(|(file, facts)| (set, file, facts))
        })
    }
}

impl KnownSet {
    const fn manifest_of(set: &Self) -> &Manifest {
        &set.manifest
    }
}

fn known(vault: &dyn Vault, summary: SetSummary) -> Result<KnownSet, (String, String)> {
    let id = summary.id.clone();
    let name = id.to_string();
    let bytes = vault.manifest(&id).map_err(|error| (name.clone(), error.to_string()))?;
    let manifest = Manifest::read(&bytes).map_err(|error| (name.clone(), error.to_string()))?;
    let proofs = Proof::of(vault, &id, &manifest).map_err(|error| (name, error.to_string()))?;
    let proved = proofs.iter().map(|proof| proof.level).max();
    Ok(KnownSet { id, summary, manifest, proved })
}
