//! A folder whose changes stay apart from what lies below: the base is only read, and every change lives in memory, beyond a bound in a
//! spill file. With it a database can be recovered and read without writing one byte beside it.

use crate::{Entry, File, Folder};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Bytes of one block of the change map.
pub const BLOCK: usize = 4096;

/// Changes over a base folder.
pub struct OverlayFolder {
    base: Arc<dyn Folder>,
    store: Arc<Store>,
    names: Mutex<BTreeMap<PathBuf, Name>>,
}

/// What became of a name. A name that is not in the map is as the base has it.
#[derive(Clone)]
enum Name {
    Removed,
    Here(Arc<OverlayFile>),
}

impl OverlayFolder {
    /// Changes over `base`, of which at most `memory` bytes are kept in memory; the rest goes to `spill`, an empty file of its own.
    /// Without a spill file a write beyond the bound fails with `OutOfMemory`.
    #[must_use]
    pub fn new(base: Arc<dyn Folder>, memory: usize, spill: Option<Arc<dyn File>>) -> Self {
        let store =
            Store { spill, inner: Mutex::new(StoreInner { free_blocks: memory / BLOCK, next_slot: 0, free_slots: Vec::new() }) };
        Self { base, store: Arc::new(store), names: Mutex::new(BTreeMap::new()) }
    }

    /// A folder that exists in memory alone, with a bound in bytes.
    #[must_use]
    pub fn in_memory(memory: usize) -> Self {
        Self::new(Arc::new(EmptyFolder), memory, None)
    }

    /// Paths that were created, renamed to, or opened for writing: what may differ from the base.
    #[must_use]
    pub fn touched(&self) -> Vec<PathBuf> {
        let names = lock(&self.names);
        names.iter().filter(|(_, name)| matches!(name, Name::Here(_))).map(|(path, _)| path.clone()).collect()
    }

    fn lookup(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        match lock(&self.names).get(path) {
            Some(Name::Removed) => Err(missing(path)),
            Some(Name::Here(file)) => Ok(file.clone()),
            None => self.base.open(path),
        }
    }

    /// The overlay's own file of this name, made over the base's file when there is none yet.
    fn own(&self, names: &mut BTreeMap<PathBuf, Name>, path: &Path) -> io::Result<Arc<OverlayFile>> {
        match names.get(path) {
            Some(Name::Removed) => Err(missing(path)),
            Some(Name::Here(file)) => Ok(file.clone()),
            None => {
                let base = self.base.open(path)?;
                let file = Arc::new(OverlayFile::over(Some(base), self.store.clone())?);
                names.insert(path.to_owned(), Name::Here(file.clone()));
                Ok(file)
            }
        }
    }
}

impl Folder for OverlayFolder {
    fn list(&self) -> io::Result<Vec<Entry>> {
        let names = lock(&self.names);
        let mut entries = self.base.list()?;
        entries.retain(|entry| !names.contains_key(&entry.path));
        for (path, name) in names.iter() {
            if let Name::Here(file) = name {
                entries.push(Entry { path: path.clone(), size: file.size()? });
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(ReadOnly(self.lookup(path)?)))
    }
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.own(&mut lock(&self.names), path)?)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut names = lock(&self.names);
        let exists = match names.get(path) {
            Some(Name::Here(_)) => true,
            Some(Name::Removed) => false,
            None => self.base.exists(path),
        };
        if exists {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists already", path.display())));
        }
        let file = Arc::new(OverlayFile::over(None, self.store.clone())?);
        names.insert(path.to_owned(), Name::Here(file.clone()));
        Ok(file)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = lock(&self.names);
        let file = self.own(&mut names, from)?;
        names.insert(from.to_owned(), Name::Removed);
        names.insert(to.to_owned(), Name::Here(file));
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut names = lock(&self.names);
        let exists = match names.get(path) {
            Some(Name::Here(_)) => true,
            Some(Name::Removed) => false,
            None => self.base.exists(path),
        };
        if !exists {
            return Err(missing(path));
        }
        names.insert(path.to_owned(), Name::Removed);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn exists(&self, path: &Path) -> bool {
        match lock(&self.names).get(path) {
            Some(Name::Here(_)) => true,
            Some(Name::Removed) => false,
            None => self.base.exists(path),
        }
    }
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
}

/// A poisoned lock only means that another thread panicked between two complete changes; the data is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where changed blocks live: memory up to a bound, then slots of the spill file.
struct Store {
    spill: Option<Arc<dyn File>>,
    inner: Mutex<StoreInner>,
}

struct StoreInner {
    free_blocks: usize,
    next_slot: u64,
    free_slots: Vec<u64>,
}

enum Block {
    Memory(Box<[u8; BLOCK]>),
    Spilled(u64),
}

impl Store {
    fn put(&self, content: &[u8; BLOCK]) -> io::Result<Block> {
        let mut inner = lock(&self.inner);
        if inner.free_blocks > 0 {
            inner.free_blocks -= 1;
            return Ok(Block::Memory(Box::new(*content)));
        }
        let spill = self.spill.as_ref().ok_or_else(|| {
            io::Error::new(io::ErrorKind::OutOfMemory, "the changes are larger than the memory given, and there is no spill file")
        })?;
        let slot = inner.free_slots.pop().unwrap_or(inner.next_slot);
        spill.write_at(slot * BLOCK as u64, content)?;
        inner.next_slot = inner.next_slot.max(slot + 1);
        Ok(Block::Spilled(slot))
    }

    fn get(&self, block: &Block) -> io::Result<[u8; BLOCK]> {
        match block {
            Block::Memory(content) => Ok(**content),
            Block::Spilled(slot) => {
                let mut content = [0; BLOCK];
                let spill = self.spill.as_ref().ok_or(io::ErrorKind::NotFound)?;
                if spill.read_at(slot * BLOCK as u64, &mut content)? == BLOCK {
                    return Ok(content);
                }
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the spill file was cut off"))
            }
        }
    }

    fn change(&self, block: &mut Block, content: &[u8; BLOCK]) -> io::Result<()> {
        match block {
            Block::Memory(old) => **old = *content,
            Block::Spilled(slot) => {
                let spill = self.spill.as_ref().ok_or(io::ErrorKind::NotFound)?;
                spill.write_at(*slot * BLOCK as u64, content)?;
            }
        }
        Ok(())
    }

    fn release(&self, block: &Block) {
        let mut inner = lock(&self.inner);
        match block {
            Block::Memory(_) => inner.free_blocks += 1,
            Block::Spilled(slot) => inner.free_slots.push(*slot),
        }
    }
}

/// A file of the overlay: changed blocks over a base that is only read.
struct OverlayFile {
    base: Option<Arc<dyn File>>,
    store: Arc<Store>,
    state: RwLock<FileState>,
}

struct FileState {
    size: u64,
    /// Bytes of the base that still show through: a cut hides the rest for ever.
    base_bytes: u64,
    blocks: BTreeMap<u64, Block>,
}

impl OverlayFile {
    fn over(base: Option<Arc<dyn File>>, store: Arc<Store>) -> io::Result<Self> {
        let size = base.as_ref().map_or(Ok(0), |base| base.size())?;
        Ok(Self { base, store, state: RwLock::new(FileState { size, base_bytes: size, blocks: BTreeMap::new() }) })
    }

    fn content_of(&self, state: &FileState, index: u64) -> io::Result<[u8; BLOCK]> {
        if let Some(block) = state.blocks.get(&index) {
            return self.store.get(block);
        }
        let mut content = [0; BLOCK];
        let offset = index * BLOCK as u64;
        let visible = state.base_bytes.saturating_sub(offset).min(BLOCK as u64);
        let visible = usize::try_from(visible).unwrap_or(BLOCK);
        if let Some(base) = self.base.as_ref().filter(|_| visible > 0) {
            base.read_at(offset, &mut content[..visible])?;
        }
        Ok(content)
    }
}

/// The blocks that a range touches: index, first byte in the block, bytes.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = offset;
    let mut left = length;
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let start = usize::try_from(at % BLOCK as u64).unwrap_or(0);
        let count = left.min(BLOCK - start);
        let piece = (at / BLOCK as u64, start, count);
        at += count as u64;
        left -= count;
        Some(piece)
    })
}

impl File for OverlayFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = usize::try_from(state.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let mut done = 0;
        for (index, start, count) in pieces(offset, wanted) {
            buffer[done..done + count].copy_from_slice(&self.content_of(&state, index)?[start..start + count]);
            done += count;
        }
        Ok(wanted)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        for (index, start, count) in pieces(offset, bytes.len()) {
            let mut content = if count == BLOCK { [0; BLOCK] } else { self.content_of(&state, index)? };
            content[start..start + count].copy_from_slice(&bytes[done..done + count]);
            match state.blocks.get_mut(&index) {
                Some(block) => self.store.change(block, &content)?,
                None => {
                    let block = self.store.put(&content)?;
                    state.blocks.insert(index, block);
                }
            }
            done += count;
        }
        state.size = state.size.max(end);
        Ok(())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.state.read().unwrap_or_else(PoisonError::into_inner).size)
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if size < state.size {
            // The last block keeps its head only, so that a later growth reads zeros.
            let (last, keep) = (size / BLOCK as u64, usize::try_from(size % BLOCK as u64).unwrap_or(0));
            for block in state.blocks.split_off(&(last + 1)).values() {
                self.store.release(block);
            }
            if state.blocks.contains_key(&last) {
                let mut content = self.content_of(&state, last)?;
                content[keep..].fill(0);
                if let Some(block) = state.blocks.get_mut(&last) {
                    self.store.change(block, &content)?;
                }
            }
            state.base_bytes = state.base_bytes.min(size);
        }
        state.size = size;
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for OverlayFile {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        for block in state.blocks.values() {
            self.store.release(block);
        }
    }
}

/// A file that was opened for reading: writes are refused although the overlay could take them.
struct ReadOnly(Arc<dyn File>);

fn opened_for_reading() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the file was opened for reading only")
}

impl File for ReadOnly {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(opened_for_reading())
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn set_size(&self, _size: u64) -> io::Result<()> {
        Err(opened_for_reading())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A base without any file.
struct EmptyFolder;

impl Folder for EmptyFolder {
    fn list(&self) -> io::Result<Vec<Entry>> {
        Ok(Vec::new())
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Err(missing(path))
    }
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Err(missing(path))
    }
    fn create(&self, _path: &Path) -> io::Result<Arc<dyn File>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn rename(&self, from: &Path, _to: &Path) -> io::Result<()> {
        Err(missing(from))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Err(missing(path))
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
