//! A vault in memory: the model that other vaults are tested against, and what tests of procedures back up to.

use crate::set::{Names, still_needed};
use crate::{
    Attachment, Damage, Error, Hold, KnownPiece, Name, NewSet, Receipt, Result, SetId, SetSummary, SetWriter, StreamReader, Vault,
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sets in memory.
#[derive(Debug, Default)]
pub struct MemoryVault {
    sets: Mutex<Vec<Set>>,
    documents: Mutex<Vec<Attachment>>,
}

#[derive(Clone, Debug)]
struct Set {
    id: SetId,
    made: NewSet,
    manifest: Vec<u8>,
    streams: BTreeMap<Name, Arc<Vec<u8>>>,
    attachments: Vec<Attachment>,
}

impl MemoryVault {
    /// An empty vault.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    fn lock(&self) -> MutexGuard<'_, Vec<Set>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn find<T>(&self, id: &SetId, of: impl FnOnce(&mut Set) -> T) -> Result<T> {
        self.lock().iter_mut().find(|set| set.id == *id).map(of).ok_or_else(|| Error::NoSet(id.clone()))
    }
}

impl Vault for MemoryVault {
    fn sets(&self) -> Result<Vec<std::result::Result<SetSummary, Damage>>> {
        Ok(self.lock().iter().map(|set| Ok(SetSummary { id: set.id.clone(), made: set.made.clone() })).collect())
    }
    fn begin_set(&self, new: NewSet) -> Result<Box<dyn SetWriter + '_>> {
        if let Some(fault) = new.fault() {
            return Err(Error::Unsupported(fault));
        }
        let lacking = new.needs.iter().find(|needed| self.lock().iter().all(|set| set.id != **needed));
        if let Some(lacking) = lacking {
            return Err(Error::NoSet(lacking.clone()));
        }
        let (names, streams) = (Names::default(), BTreeMap::new());
        Ok(Box::new(Writer { vault: self, made: new, names, streams, failed: None }))
    }
    fn manifest(&self, set: &SetId) -> Result<Vec<u8>> {
        self.find(set, |set| set.manifest.clone())
    }
    fn open_stream(&self, set: &SetId, name: &Name) -> Result<Box<dyn StreamReader>> {
        let stream = self.find(set, |set| set.streams.get(name).cloned())?;
        Ok(Box::new(Bytes(stream.ok_or_else(|| Error::NoStream(set.clone(), name.clone()))?)))
    }
    fn attach(&self, set: &SetId, name: &Name, bytes: &[u8]) -> Result<()> {
        self.find(set, |set| {
            let time = set.attachments.last().map_or(set.made.time, |last| last.time + 1);
            set.attachments.push(Attachment { name: name.clone(), time, bytes: bytes.to_vec() });
        })
    }
    fn attachments(&self, set: &SetId) -> Result<Vec<Attachment>> {
        self.find(set, |set| set.attachments.clone())
    }
    fn keep(&self, name: &Name, bytes: &[u8]) -> Result<()> {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        let time = documents.last().map_or(0, |last| last.time + 1);
        documents.push(Attachment { name: name.clone(), time, bytes: bytes.to_vec() });
        Ok(())
    }
    fn documents(&self) -> Result<Vec<Attachment>> {
        Ok(self.documents.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
    fn forget(&self, sets: &[SetId]) -> Result<()> {
        let mut all = self.lock();
        if let Some(unknown) = sets.iter().find(|id| all.iter().all(|set| set.id != **id)) {
            return Err(Error::NoSet(unknown.clone()));
        }
        if let Some((needed, by)) = still_needed(all.iter().map(|set| (&set.id, &*set.made.needs)), sets) {
            return Err(Error::Held(needed, format!("set {by} needs it")));
        }
        for set in all.iter().filter(|set| sets.contains(&set.id)) {
            if let Some(hold) = Hold::among(&set.attachments).filter(|hold| hold.is_in_effect(Timestamp::now())) {
                return Err(Error::Held(set.id.clone(), hold.to_string()));
            }
        }
        all.retain(|set| !sets.contains(&set.id));
        Ok(())
    }
}

struct Writer<'a> {
    vault: &'a MemoryVault,
    made: NewSet,
    names: Names,
    streams: BTreeMap<Name, Arc<Vec<u8>>>,
    failed: Option<Name>,
}

impl SetWriter for Writer<'_> {
    fn stream(&mut self, name: &Name, source: &mut dyn Read) -> Result<Receipt> {
        if !self.names.take(name) {
            return Err(Error::NameTaken(name.clone()));
        }
        let mut bytes = Vec::new();
        if let Err(error) = source.read_to_end(&mut bytes) {
            self.failed = Some(name.clone());
            return Err(Error::Source(name.clone(), error));
        }
        let size = bytes.len() as u64;
        let receipt = Receipt { bytes: size, blake3: blake3::hash(&bytes).into(), stored: size };
        self.streams.insert(name.clone(), Arc::new(bytes));
        Ok(receipt)
    }
    fn publish(self: Box<Self>, manifest: &[u8]) -> Result<SetId> {
        if let Some(name) = self.failed {
            return Err(Error::Source(name, std::io::Error::other("the stream was not read to its end")));
        }
        let mut sets = self.vault.lock();
        let mut hash = Sha256::new();
        hash.update((sets.len() as u64).to_le_bytes());
        hash.update(manifest);
        let text = hex::encode(hash.finalize());
        let id = SetId::parse(&text).ok_or_else(|| Error::NoVault("memory".into()))?;
        let Self { made, streams, .. } = *self;
        sets.push(Set { id: id.clone(), made, manifest: manifest.to_vec(), streams, attachments: Vec::new() });
        Ok(id)
    }
}

struct Bytes(Arc<Vec<u8>>);

impl StreamReader for Bytes {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.0.get(start..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
    fn known(&self, offset: u64) -> Result<Option<KnownPiece>> {
        let start = offset / PIECE * PIECE;
        let bytes = usize::try_from(start).ok().and_then(|start| self.0.get(start..)).unwrap_or_default();
        let piece = bytes.get(..usize::try_from(PIECE).unwrap_or(usize::MAX)).unwrap_or(bytes);
        let known = KnownPiece { start, size: piece.len() as u64, sha256: Sha256::digest(piece).into() };
        Ok((offset < self.size()).then_some(known))
    }
}

/// Bytes of a piece whose hash is told.
const PIECE: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn a_set_that_is_not_published_is_not_there() {
        let vault = MemoryVault::new();
        vault.begin_set(NewSet::default()).unwrap().stream(&name("a"), &mut &b"bytes"[..]).unwrap();
        assert_eq!(vault.sets().unwrap(), []);
    }

    #[test]
    fn what_was_stored_comes_back_from_any_offset() {
        let vault = MemoryVault::new();
        let mut writer = vault.begin_set(NewSet::default()).unwrap();
        assert_eq!(writer.stream(&name("db/a.edb"), &mut &b"some bytes"[..]).unwrap().bytes, 10);
        let set = writer.publish(b"{}").unwrap();
        let stream = vault.open_stream(&set, &name("db/a.edb")).unwrap();
        let mut buffer = [0; 16];
        assert_eq!((stream.size(), stream.read_at(5, &mut buffer).unwrap(), &buffer[..5]), (10, 5, &b"bytes"[..]));
        assert_eq!(stream.read_at(11, &mut buffer).unwrap(), 0);
        assert_eq!(vault.manifest(&set).unwrap(), b"{}");
    }

    #[test]
    fn a_source_that_fails_can_not_be_published() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("a bad sector"))
            }
        }
        let vault = MemoryVault::new();
        let mut writer = vault.begin_set(NewSet::default()).unwrap();
        assert!(matches!(writer.stream(&name("a"), &mut Failing), Err(Error::Source(..))));
        assert!(writer.publish(b"{}").is_err());
        assert_eq!(vault.sets().unwrap(), []);
    }

    #[test]
    fn names_stay_below_their_set() {
        for text in ["", "/", "a/", "/a", "../a", "a/../b", "a/./b", "a\\b", "a\0b"] {
            assert_eq!(Name::new(text), None, "{text:?}");
        }
        assert_eq!(Name::new("db/mail.edb").unwrap().as_str(), "db/mail.edb");
    }

    #[test]
    fn to_forget_an_unknown_set_forgets_none() {
        let vault = MemoryVault::new();
        let set = vault.begin_set(NewSet::default()).unwrap().publish(b"{}").unwrap();
        let unknown = SetId::parse(&"0".repeat(64)).unwrap();
        assert!(matches!(vault.forget(&[set.clone(), unknown]), Err(Error::NoSet(_))));
        assert_eq!(vault.sets().unwrap().len(), 1);
        vault.forget(&[set]).unwrap();
        assert_eq!(vault.sets().unwrap(), []);
    }
}
