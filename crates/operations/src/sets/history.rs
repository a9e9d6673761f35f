//! All sets of a vault with their manifests and proofs: what is stored already, and how well.

use super::facts::{DatabaseFacts, LogFacts};
use super::manifest::{FilePart, Level, Manifest};
use super::proof::{self, Proof, ToldProof};
use super::signature::ProofKeys;
use anchorlog_format::units::Signature;
use anchorlog_vault::{SetId, SetSummary, Vault};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// A set whose manifest was read.
#[derive(Clone, Debug)]
pub struct KnownSet {
    /// Identity.
    pub id: SetId,
    /// What it was begun with.
    pub summary: SetSummary,
    /// Its manifest.
    pub manifest: Manifest,
    /// SHA-256 of its manifest.
    pub digest: [u8; 32],
    /// The highest level that a proof behind its publication reached; none: it was never read back. Proofs with a bad signature do not count.
    pub proved: Option<Level>,
    /// Its proofs, oldest first, those with a bad signature as well.
    pub proofs: Vec<ToldProof>,
    /// Why no log behind a later set can be replayed onto its databases, where that is known.
    pub ends: Option<String>,
}

impl KnownSet {
    /// The newest proof that counts, of those that go furthest.
    #[must_use]
    pub fn best_proof(&self) -> Option<&ToldProof> {
        self.proofs.iter().filter(|proof| proof.counts()).max_by_key(|proof| (proof.level, proof.made.milliseconds()))
    }
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

/// A set by its place among all, and a file by its place in its manifest.
type LogPlace = (usize, usize);

/// The sets of a vault, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Sets of ours.
    pub sets: Vec<KnownSet>,
    /// The keys whose signatures on proofs are good.
    pub keys: ProofKeys,
    /// Sets that say nothing: damaged ones, and those of other programs. Which, and why.
    pub unreadable: Vec<(String, String)>,
    /// Closed logs by signature and generation: the set, and the file of its manifest.
    logs: BTreeMap<([u8; 28], u32), Vec<LogPlace>>,
}

impl History {
    /// Reads every manifest of a vault, and the proofs.
    ///
    /// # Errors
    /// The vault's, where it cannot be listed; a set that cannot be read hides no other.
    pub fn read(vault: &dyn Vault) -> anchorlog_vault::Result<Self> {
        let mut history = Self { keys: ProofKeys::read(vault)?, ..Self::default() };
        for listed in vault.sets()? {
            let summary = match listed {
                Ok(summary) => summary,
                Err(damage) => {
                    history.unreadable.push((damage.place.to_string(), damage.reason));
                    continue;
                }
            };
            match known(vault, summary, &history.keys) {
                Ok(set) => history.add(set),
                Err(unreadable) => history.unreadable.push(unreadable),
            }
        }
        Ok(history)
    }
    /// Sets that hold logs or databases of a stream, oldest first.
    pub fn of_stream(&self, signature: &Signature) -> impl DoubleEndedIterator<Item = &KnownSet> {
        let signature = *signature;
        let has_logs = move |set: &KnownSet| set.manifest.streams.iter().any(|stream| stream.signature == signature);
        let has_databases = move |set: &KnownSet| set.manifest.databases().any(|(_, facts)| facts.log_signature == signature);
        self.sets.iter().filter(move |set| has_logs(set) || has_databases(set))
    }
    /// Closed logs of a stream and generation, oldest set first.
    pub fn logs(&self, signature: &Signature, generation: u32) -> impl Iterator<Item = StoredLog<'_>> {
        let places = self.logs.get(&(signature.0, generation)).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|&(set, file)| {
            let set = self.sets.get(set)?;
            let file = set.manifest.files.get(file)?;
            Some(StoredLog { set, file, facts: file.log.as_ref()? })
        })
    }
    /// The generations of a stream of which a set has the closed log, ascending.
    pub fn generations(&self, signature: &Signature) -> impl Iterator<Item = u32> {
        self.logs.range((signature.0, 0)..=(signature.0, u32::MAX)).map(|((_, generation), _)| *generation)
    }
    fn add(&mut self, set: KnownSet) {
        for (at, file) in set.manifest.files.iter().enumerate() {
            if let Some(facts) = file.log.as_ref().filter(|facts| !facts.open) {
                self.logs.entry((facts.signature.0, facts.generation)).or_default().push((self.sets.len(), at));
            }
        }
        self.sets.push(set);
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

fn known(vault: &dyn Vault, summary: SetSummary, keys: &ProofKeys) -> Result<KnownSet, (String, String)> {
    let id = summary.id.clone();
    let name = id.to_string();
    let bytes = vault.manifest(&id).map_err(|error| (name.clone(), error.to_string()))?;
    let manifest = Manifest::read(&bytes).map_err(|error| (name.clone(), error.to_string()))?;
    let attachments = vault.attachments(&id).map_err(|error| (name, error.to_string()))?;
    let digest = Sha256::digest(&bytes).into();
    let proofs = Proof::among(&attachments, &id, &manifest, &digest, keys);
    let proofs: Vec<ToldProof> = proofs.into_iter().map(|(proof, signed)| proof.told(signed)).collect();
    let proved = proofs.iter().filter(|proof| proof.counts()).map(|proof| proof.level).max();
    let ends = proof::ends_among(&attachments);
    Ok(KnownSet { id, summary, manifest, digest, proved, proofs, ends })
}
