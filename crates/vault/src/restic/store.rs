//! Blobs on their way into packs, and packs into the index.

use crate::error::{Error, Place, Result};
use crate::restic::backend::{Kind, Object};
use crate::restic::index::{FILE_BLOBS, Index, IndexBlob, IndexFile, IndexPack, Location, SoundPacks};
use crate::restic::pack::{BlobKind, DATA_SIZE, PACKS_MAX, PackBuilder, TREE_SIZE, size_of};
use crate::restic::repository::Repository;
use crate::restic::{Id, told};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use zstd::bulk::Compressor;

/// Packs of which a blob is read back, at most.
const READ_BACK: usize = 64;

/// What one set adds to a repository. Used by several threads at once; few packs are in memory.
pub(crate) struct Store {
    repository: Arc<Repository>,
    index: Arc<Index>,
    sound: SoundPacks,
    state: Mutex<State>,
    /// A pack was let go of.
    freed: Condvar,
}

#[derive(Default)]
struct State {
    /// Blobs that this set brings.
    new: HashSet<(BlobKind, Id)>,
    /// Packs that nobody is filling at the moment.
    data: Vec<PackBuilder>,
    trees: Vec<PackBuilder>,
    /// Packs of data that threads fill or write.
    held: usize,
    /// Buffers of packs of data that were written.
    spare: Vec<Vec<u8>>,
    /// Packs that no index file tells of yet.
    pending: Vec<IndexPack>,
    /// Index files written.
    files: Vec<Id>,
    /// Packs written: name, size, and one blob of them.
    packs: Vec<(Id, u64, IndexBlob)>,
}

impl Store {
    /// For a set over what `index` tells of, as far as it is really there.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) fn new(repository: Arc<Repository>, index: Arc<Index>) -> Result<Self> {
        let sound = index.sound_packs(&packs_there(&repository)?);
        Ok(Self { repository, index, sound, state: Mutex::default(), freed: Condvar::new() })
    }
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A compressor, one for each thread.
    pub(crate) fn compressor(&self) -> Result<Compressor<'static>> {
        Compressor::new(self.repository.compression()).map_err(|error| Error::Storage(Place::default(), error))
    }

    /// The repository that it adds to.
    pub(crate) fn repository(&self) -> Arc<Repository> {
        self.repository.clone()
    }

    /// Whether a blob is there already, safe and sound.
    pub(crate) fn has(&self, kind: BlobKind, id: Id) -> bool {
        self.index.is_in(&self.sound, kind, id)
    }

    /// Stores a blob, unless it is there already. Returns its name, and the bytes that the repository grew by.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) fn add(&self, compressor: &mut Compressor<'_>, kind: BlobKind, plain: &[u8]) -> Result<(Id, u64)> {
        let id = Id::of(plain);
        if self.has(kind, id) || !self.state().new.insert((kind, id)) {
            return Ok((id, 0));
        }
        let failed = |error| Error::Storage(Place::object("data"), error);
        let packed = compressor.compress(plain).map_err(failed)?;
        let plain_size = u32::try_from(plain.len()).map_err(|error| failed(io::Error::other(error)))?;
        // Readers take 0 for "not compressed".
        let compressed = packed.len() < plain.len() && plain_size > 0;
        let (stored, plain_size) = if compressed { (&*packed, Some(plain_size)) } else { (plain, None) };
        let (mut pack, full, _held) = self.take(kind);
        let grown = pack.add(&self.repository.key, kind, id, stored, plain_size).map_err(failed)?;
        if pack.is_full(full) {
            self.write(pack)?;
        } else {
            self.state().open_packs(kind).push(pack);
        }
        Ok((id, grown.into()))
    }

    /// A pack that nobody is filling, or a new one, and the size at which it is full. Where there are as many of data as may be, the next that is let
    /// go of.
    fn take(&self, kind: BlobKind) -> (PackBuilder, usize, Option<Held<'_>>) {
        let mut state = self.state();
        if kind == BlobKind::Tree {
            return (state.trees.pop().unwrap_or_else(|| PackBuilder::new(TREE_SIZE, Vec::new())), TREE_SIZE, None);
        }
        let pack = loop {
            if let Some(pack) = state.data.pop() {
                break pack;
            }
            if state.held < PACKS_MAX {
                break PackBuilder::new(DATA_SIZE, state.spare.pop().unwrap_or_default());
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.held += 1;
        (pack, DATA_SIZE, Some(Held(self)))
    }

    /// Writes what is left and makes everything durable.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) fn finish(&self) -> Result<()> {
        let rest: Vec<PackBuilder> = {
            let State { data, trees, .. } = &mut *self.state();
            data.drain(..).chain(trees.drain(..)).collect()
        };
        for pack in rest.into_iter().filter(|pack| pack.size() > 0) {
            self.write(pack)?;
        }
        let pending = {
            let mut state = self.state();
            state.spare.clear();
            std::mem::take(&mut state.pending)
        };
        if !pending.is_empty() {
            self.write_index(pending)?;
        }
        if self.state().files.is_empty() {
            return Ok(());
        }
        self.repository.backend.sync().map_err(|error| Error::Storage(Place::object("index"), error))
    }

    fn write(&self, pack: PackBuilder) -> Result<()> {
        let failed = |error| Error::Storage(Place::object("data"), error);
        let (bytes, pack) = pack.finish(&self.repository.key).map_err(failed)?;
        let object = Object::new(Kind::Pack, pack.id);
        self.repository.backend.create(object, &bytes).map_err(|error| told(object, error))?;
        let pending = {
            let mut state = self.state();
            if bytes.capacity() >= DATA_SIZE {
                state.spare.push(bytes);
            }
            // The name of a pack is as good as random.
            let pick = (usize::from(pack.id.bytes()[0]) * pack.blobs.len()) >> 8;
            if let Some(blob) = pack.blobs.get(pick) {
                state.packs.push((pack.id, size_of(&pack.blobs), blob.clone()));
            }
            state.pending.push(pack);
            let blobs: usize = state.pending.iter().map(|pack| pack.blobs.len()).sum();
            if blobs < FILE_BLOBS { Vec::new() } else { std::mem::take(&mut state.pending) }
        };
        if pending.is_empty() { Ok(()) } else { self.write_index(pending) }
    }

    fn write_index(&self, packs: Vec<IndexPack>) -> Result<()> {
        // What an index tells of is there, whenever the machine stops.
        self.repository.backend.sync().map_err(|error| Error::Storage(Place::object("data"), error))?;
        let file = IndexFile { packs, packs_to_delete: Vec::new() };
        let id = self.repository.save_json(Kind::Index, &file)?;
        self.state().files.push(id);
        let read: IndexFile = self.repository.load_json(Object::new(Kind::Index, id))?;
        let same = read == file;
        same.then_some(()).ok_or_else(|| Object::new(Kind::Index, id).damage("reads back otherwise than it was written"))
    }

    /// Reads back what was written: that all packs are there with their sizes, and a blob of each of up to 64 of them.
    ///
    /// # Errors
    /// Something is not as it was written; the storage's.
    pub(crate) fn read_back(&self) -> Result<()> {
        let packs = self.state().packs.clone();
        if packs.is_empty() {
            return Ok(());
        }
        let there = packs_there(&self.repository)?;
        for (id, size, _) in &packs {
            match there.get(id) {
                Some(found) if found == size => {}
                Some(found) => return Err(Object::new(Kind::Pack, *id).damage(format!("has {found} bytes, not {size}"))),
                None => return Err(Object::new(Kind::Pack, *id).damage("was written and is not there")),
            }
        }
        for (id, _, blob) in packs.iter().step_by(packs.len().div_ceil(READ_BACK)) {
            let object = Object::new(Kind::Pack, *id);
            let sealed = self.repository.backend.read_range(object, blob.offset.into(), blob.length as usize);
            let sealed = sealed.map_err(|error| told(object, error))?;
            self.repository.open_blob(blob.kind, &Location::of(blob), object, &sealed)?;
        }
        Ok(())
    }
}

/// A pack of data in the hands of a thread, until it is back or written, or has failed.
struct Held<'a>(&'a Store);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.state().held -= 1;
        self.0.freed.notify_one();
    }
}

impl State {
    fn open_packs(&mut self, kind: BlobKind) -> &mut Vec<PackBuilder> {
        match kind {
            BlobKind::Data => &mut self.data,
            BlobKind::Tree => &mut self.trees,
        }
    }
}

/// All packs of the repository with their sizes.
pub(crate) fn packs_there(repository: &Repository) -> Result<HashMap<Id, u64>> {
    let list = repository.backend.list(Kind::Pack);
    Ok(list.map_err(|error| Error::Storage(Place::object("data"), error))?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restic::repository::tests::in_memory;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn however_many_threads_there_are_few_packs_are_in_memory_and_nobody_waits_forever() {
        let store = Store::new(in_memory(), Arc::default()).unwrap();
        let mut taken: Vec<_> = (0..PACKS_MAX).map(|_| store.take(BlobKind::Data)).collect();
        // Trees never wait: whoever has a pack of data may have to write one.
        store.take(BlobKind::Tree);
        thread::scope(|scope| {
            let ((sender, receiver), store) = (channel(), &store);
            scope.spawn(move || sender.send(store.take(BlobKind::Data).1));
            assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err(), "a pack too many");
            // One that failed is as good as one that was written.
            drop(taken.pop());
            assert_eq!(receiver.recv(), Ok(DATA_SIZE));
        });
        assert_eq!(store.state().held, PACKS_MAX - 1);
    }
}
