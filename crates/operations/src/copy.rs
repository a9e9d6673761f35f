//! Sets copied from one vault into another: stored anew with its key and its size of chunks, byte for byte as the manifest says.
//!
//! A copy has an identity of its own, and says of which set it is one; what it needs, and what its manifest and attachments say of other sets,
//! is mapped to their copies. So a second run copies only what is new, and completes what a stopped one left without its attachments.

use crate::backup::Progress;
use crate::sets::proof::{self, ReadBackError, read_back};
use crate::sets::{History, KnownSet, Proof, ProofKeys};
use anchorlog_vault::{Attachment, Name, NewSet, SetId, SetSummary, StreamReader, Vault};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

/// What is done for a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is copied.
    Copy,
    /// Its copy lacks attachments: it is read back, and they are added.
    Complete(SetId),
    /// Its copy is there whole.
    Nothing(SetId),
}

/// A set that was asked for, or that such a set needs.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// The set.
    pub set: SetId,
    /// Bytes of its files.
    pub bytes: u64,
    /// What is done for it.
    pub action: Action,
    #[serde(skip)]
    known: KnownSet,
    /// A mark on it names a set that has no copy yet.
    #[serde(skip)]
    waits: bool,
}

/// What a copy would do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Sets, each behind those that it needs.
    pub sets: Vec<Item>,
    /// Bytes of those that would be copied.
    pub bytes: u64,
    /// Sets that are left out because they, or what they need, cannot be read: which, and why.
    pub unreadable: Vec<(String, String)>,
    /// Identities in the one vault, and what they are in the other.
    #[serde(skip)]
    copies: BTreeMap<SetId, SetId>,
}

/// What a copy did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Sets that were copied, and what they are in the other vault.
    pub copied: Vec<(SetId, SetId)>,
    /// Copies of before to which attachments were added.
    pub completed: usize,
    /// Bytes copied.
    pub bytes: u64,
    /// Bytes that the other vault grew by.
    pub stored: u64,
}

/// Why a copy failed: sets that were copied before are whole, and the one at which it failed is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A set that was asked for cannot be read, or needs one that cannot.
    #[error("set {0} cannot be copied: {1}")]
    Unreadable(String, String),
    /// The bytes of a file are not those of which the manifest has the hash.
    #[error("set {0}: {1} is not what its manifest says")]
    Differs(SetId, Name),
    /// What was stored does not read back.
    #[error("the copy of set {0}: {1}")]
    NotReadBack(SetId, Box<ReadBackError>),
    /// The error of a vault.
    #[error(transparent)]
    Vault(#[from] anchorlog_vault::Error),
    /// The user interrupted it.
    #[error("interrupted")]
    Interrupted,
}

/// Plans a copy of all sets, or of `wanted` with what they need. Nothing is changed.
///
/// # Errors
/// [`Error`].
pub fn plan(from: &dyn Vault, to: &dyn Vault, wanted: Option<&[SetId]>) -> Result<Plan, Error> {
    let history = History::read(from)?;
    let there: Vec<SetSummary> = to.sets()?.into_iter().filter_map(Result::ok).collect();
    let copy_of = |set: &KnownSet| there.iter().find(|there| there.original() == set.summary.original());
    let copies = history.sets.iter().filter_map(|set| Some((set.id.clone(), copy_of(set)?.id.clone()))).collect();
    let mut plan = Plan { sets: Vec::new(), bytes: 0, unreadable: history.unreadable.clone(), copies };
    let mut taken = BTreeSet::new();
    let asked = wanted.map(|wanted| with_needs(&history, wanted));
    for known in &history.sets {
        if asked.as_ref().is_some_and(|asked| !asked.contains(&known.id)) {
            continue;
        }
        if let Some(lacking) = known.summary.made.needs.iter().find(|needed| !taken.contains(*needed)) {
            plan.unreadable.push((known.id.to_string(), format!("it needs set {lacking}, which cannot be read")));
            continue;
        }
        taken.insert(known.id.clone());
        let bytes = known.manifest.files.iter().map(|file| file.size).sum();
        let (action, waits) = match copy_of(known) {
            None => (Action::Copy, false),
            Some(there) => match (Pair { from, to, keys: &history.keys }).lacking(known, &there.id, &plan.copies)? {
                Lacking { attachments, proofs, waits } if attachments.is_empty() && proofs.is_empty() => {
                    (Action::Nothing(there.id.clone()), waits)
                }
                Lacking { waits, .. } => (Action::Complete(there.id.clone()), waits),
            },
        };
        plan.bytes += if action == Action::Copy { bytes } else { 0 };
        plan.sets.push(Item { set: known.id.clone(), bytes, action, known: known.clone(), waits });
    }
    match wanted.into_iter().flatten().find(|wanted| !taken.contains(*wanted)) {
        Some(left_out) => {
            let name = left_out.to_string();
            let why = plan.unreadable.iter().find(|(place, _)| *place == name).map_or("there is no such set", |(_, why)| why);
            Err(Error::Unreadable(name, why.to_owned()))
        }
        None => Ok(plan),
    }
}

/// Copies what the plan names. Each set is published whole, read back, and gets its attachments then.
///
/// # Errors
/// [`Error`].
pub fn make(plan: &Plan, from: &dyn Vault, to: &dyn Vault, progress: &mut dyn Progress) -> Result<Report, Error> {
    let mut report = Report::default();
    let (mut copies, keys) = (plan.copies.clone(), ProofKeys::read(from)?);
    let pair = Pair { from, to, keys: &keys };
    let mut waiting = Vec::new();
    for item in &plan.sets {
        let copy = match &item.action {
            Action::Nothing(copy) => {
                waiting.extend(item.waits.then(|| (item, copy.clone())));
                continue;
            }
            Action::Complete(copy) => {
                report.completed += 1;
                copy.clone()
            }
            Action::Copy => {
                let copy = store(from, to, &item.known, &copies, progress, &mut report)?;
                copies.insert(item.set.clone(), copy.clone());
                copy
            }
        };
        if !progress.phase("reading back", item.bytes) {
            return Err(Error::Interrupted);
        }
        let read = read_back(to, &copy, &item.known.manifest, &mut |bytes| progress.bytes(&item.set.to_string(), bytes));
        match read {
            Ok(_) => {}
            // It is whole, and completed by the next run.
            Err(ReadBackError::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                if item.action == Action::Copy {
                    // The first error is the one to tell; a copy without a proof counts for nothing.
                    let _ = to.forget(std::slice::from_ref(&copy));
                }
                return Err(Error::NotReadBack(item.set.clone(), Box::new(error)));
            }
        }
        if pair.attach_lacking(&item.known, &copy, &copies)? {
            waiting.push((item, copy));
        }
    }
    for (item, copy) in waiting {
        pair.attach_lacking(&item.known, &copy, &copies)?;
    }
    Ok(report)
}

/// Sets with all that they need.
fn with_needs(history: &History, wanted: &[SetId]) -> BTreeSet<SetId> {
    let mut all: BTreeSet<SetId> = BTreeSet::new();
    let mut pending = wanted.to_vec();
    while let Some(id) = pending.pop() {
        let needs = history.sets.iter().find(|set| set.id == id).map(|set| set.summary.made.needs.as_slice());
        if all.insert(id) {
            pending.extend(needs.unwrap_or_default().iter().cloned());
        }
    }
    all
}

/// What a copy lacks.
struct Lacking {
    attachments: Vec<Attachment>,
    /// To be signed anew.
    proofs: Vec<Proof>,
    /// Whether a mark was left out that names a set without a copy: it is added when there is one.
    waits: bool,
}

/// Two vaults, and the keys with which proofs of the first are signed.
struct Pair<'a> {
    from: &'a dyn Vault,
    to: &'a dyn Vault,
    keys: &'a ProofKeys,
}

impl Pair<'_> {
    /// The attachments of a set, as its copy must have them, that its copy has not.
    fn lacking(&self, set: &KnownSet, copy: &SetId, copies: &BTreeMap<SetId, SetId>) -> Result<Lacking, Error> {
        let there = self.to.attachments(copy)?;
        let attachments = self.from.attachments(&set.id)?;
        let proofs = Proof::lacking(&attachments, set, self.keys, &there);
        let mut lacking = Lacking { attachments, proofs, waits: false };
        lacking.attachments.retain(|wanted| !Proof::is(wanted));
        lacking.attachments.retain_mut(|wanted| {
            let mapped = proof::map_end(wanted, copies);
            lacking.waits |= !mapped;
            mapped && !there.iter().any(|found| (&found.name, &found.bytes) == (&wanted.name, &wanted.bytes))
        });
        Ok(lacking)
    }

    /// Adds what a copy lacks; whether something still waits for another copy.
    fn attach_lacking(&self, set: &KnownSet, copy: &SetId, copies: &BTreeMap<SetId, SetId>) -> Result<bool, Error> {
        let Lacking { attachments, proofs, waits } = self.lacking(set, copy, copies)?;
        for Attachment { name, bytes, .. } in attachments {
            self.to.attach(copy, &name, &bytes)?;
        }
        for proof in proofs {
            proof.attach(self.to, copy, None)?;
        }
        Ok(waits)
    }
}

fn store(
    from: &dyn Vault,
    to: &dyn Vault,
    set: &KnownSet,
    copies: &BTreeMap<SetId, SetId>,
    progress: &mut dyn Progress,
    report: &mut Report,
) -> Result<SetId, Error> {
    let total = set.manifest.files.iter().map(|file| file.size).sum();
    if !progress.phase("copying", total) {
        return Err(Error::Interrupted);
    }
    let manifest = mapped(&from.manifest(&set.id)?, copies)
        .map_err(|error| Error::Unreadable(set.id.to_string(), format!("its manifest is no JSON: {error}")))?;
    let made = &set.summary.made;
    let needs = made.needs.iter().map(|needed| copies.get(needed).unwrap_or(needed).clone()).collect();
    let mut writer = to.begin_set(NewSet { needs, copy_of: Some(set.summary.original().clone()), ..made.clone() })?;
    for file in &set.manifest.files {
        let stream = from.open_stream(&set.id, &file.name)?;
        let mut source = Source { stream: &*stream, offset: 0, name: file.name.as_str(), progress, error: None, stopped: false };
        let stored = writer.stream(&file.name, &mut source);
        if source.stopped {
            return Err(Error::Interrupted);
        }
        if let Some(error) = source.error {
            return Err(error.into());
        }
        let receipt = stored?;
        if (receipt.bytes, receipt.blake3) != (file.size, file.blake3) {
            return Err(Error::Differs(set.id.clone(), file.name.clone()));
        }
        report.bytes += receipt.bytes;
        report.stored += receipt.stored;
    }
    let copy = writer.publish(&manifest)?;
    report.copied.push((set.id.clone(), copy.clone()));
    Ok(copy)
}

/// A manifest in which the sets that it continues are those of the other vault. All else stays, also what this program does not know.
fn mapped(manifest: &[u8], copies: &BTreeMap<SetId, SetId>) -> serde_json::Result<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(manifest)?;
    for stream in value.get_mut("streams").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(continues) = stream.get_mut("continues") else { continue };
        let copy = continues.as_str().and_then(SetId::parse).and_then(|id| copies.get(&id));
        if let Some(copy) = copy {
            *continues = copy.as_str().into();
        }
    }
    serde_json::to_vec_pretty(&value)
}

/// A stream as something to read, which keeps the error of its vault.
struct Source<'a> {
    stream: &'a dyn StreamReader,
    offset: u64,
    name: &'a str,
    progress: &'a mut dyn Progress,
    error: Option<anchorlog_vault::Error>,
    stopped: bool,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read_at(self.offset, buffer).map_err(|error| {
            let told = io::Error::other(error.to_string());
            self.error = Some(error);
            told
        })?;
        self.offset += read as u64;
        self.stopped |= !self.progress.bytes(self.name, read as u64);
        // Not of the kind `Interrupted`: readers begin such a read again.
        if self.stopped { Err(io::Error::other("interrupted by the user")) } else { Ok(read) }
    }
}
