//! A disk in memory whose machine may stop at any call, and whose calls may fail.
//!
//! It keeps what a real one promises and nothing more. What a file's `sync` did not cover may be lost at a crash, piece by piece: of the
//! writes since then any subset survives, each torn at borders of 512 or 4096 bytes. Of the creations, renames and deletions since the
//! folder's last `sync` a prefix survives. A file that was synced may thus have lost its name. All of it is decided by a seed.

use crate::random::Random;
use anchorlog_storage::{Entry, File, Folder, read_fully};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files by path; content that nobody changed is shared.
pub type Files = BTreeMap<PathBuf, Arc<Vec<u8>>>;

/// One call that changes something, or makes it durable.
#[derive(Clone, Debug)]
enum Operation {
    Write { inode: usize, offset: usize, bytes: Arc<Vec<u8>> },
    SetSize { inode: usize, size: usize },
    SyncFile { inode: usize },
    Create { path: PathBuf, inode: usize },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    SyncFolder,
}

/// The names of the files.
type Names = BTreeMap<PathBuf, usize>;

/// Content and names, as programs see them or as they are on the medium.
#[derive(Clone, Debug, Default)]
struct Image {
    contents: HashMap<usize, Arc<Vec<u8>>>,
    names: Names,
}

impl Image {
    fn of(files: Files) -> Self {
        let mut image = Self::default();
        for (inode, (path, content)) in files.into_iter().enumerate() {
            image.contents.insert(inode, content);
            image.names.insert(path, inode);
        }
        image
    }
    fn files(&self) -> Files {
        let content = |inode| self.contents.get(inode).cloned().unwrap_or_default();
        self.names.iter().map(|(path, inode)| (path.clone(), content(inode))).collect()
    }
    fn write(&mut self, inode: usize, offset: usize, bytes: &[u8]) {
        let content = Arc::make_mut(self.contents.entry(inode).or_default());
        if content.len() < offset + bytes.len() {
            content.resize(offset + bytes.len(), 0);
        }
        content[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { inode, offset, bytes } => self.write(*inode, *offset, bytes),
            Operation::SetSize { inode, size } => Arc::make_mut(self.contents.entry(*inode).or_default()).resize(*size, 0),
            Operation::Create { path, inode } => {
                self.names.insert(path.clone(), *inode);
            }
            Operation::Rename { from, to } => {
                if let Some(inode) = self.names.remove(from) {
                    self.names.insert(to.clone(), inode);
                }
            }
            Operation::Remove { path } => {
                self.names.remove(path);
            }
            Operation::SyncFile { .. } | Operation::SyncFolder => {}
        }
    }
}

/// A call that fails.
#[derive(Clone, Copy, Debug)]
struct Fault {
    call: usize,
    kind: io::ErrorKind,
}

#[derive(Debug, Default)]
struct State {
    start: Image,
    now: Image,
    inodes: usize,
    journal: Vec<Operation>,
    /// Calls of any kind.
    calls: usize,
    fault: Option<Fault>,
    /// Reads give fewer bytes than asked for, as a file system may.
    short: Option<Random>,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct CrashDisk(Arc<Mutex<State>>);

impl CrashDisk {
    /// A disk with these files, durable.
    #[must_use]
    pub fn new(files: Files) -> Self {
        let start = Image::of(files);
        let state = State { inodes: start.names.len(), now: start.clone(), start, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }
    /// The folder that programs see.
    #[must_use]
    pub fn folder(&self) -> Arc<dyn Folder> {
        Arc::new(self.clone())
    }
    /// All files, as programs see them.
    #[must_use]
    pub fn files(&self) -> Files {
        self.state().now.files()
    }
    /// Calls so far that change something or make it durable: after each of them the machine may stop.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.state().journal.len()
    }
    /// The operations so far, in words.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let state = self.state();
        let mut names: HashMap<usize, PathBuf> = state.start.names.iter().map(|(path, inode)| (*inode, path.clone())).collect();
        let mut told = Vec::new();
        for operation in &state.journal {
            if let Operation::Create { path, inode } = operation {
                names.insert(*inode, path.clone());
            }
            let name = |inode: &usize| names.get(inode).map(|path| path.display().to_string()).unwrap_or_default();
            told.push(match operation {
                Operation::Write { inode, offset, bytes } => format!("write {} {offset:#x} + {:#x}", name(inode), bytes.len()),
                Operation::SetSize { inode, size } => format!("set the size of {} to {size:#x}", name(inode)),
                Operation::SyncFile { inode } => format!("sync {}", name(inode)),
                Operation::Create { path, .. } => format!("create {}", path.display()),
                Operation::Rename { from, to } => format!("rename {} to {}", from.display(), to.display()),
                Operation::Remove { path } => format!("remove {}", path.display()),
                Operation::SyncFolder => "sync the folder".into(),
            });
        }
        told
    }
    /// Calls of any kind so far: each of them may fail.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.state().calls
    }
    /// The call with this number, from 0, fails; a write has got half way then. Those behind it work again.
    pub fn fail(&self, call: usize, kind: io::ErrorKind) {
        self.state().fault = Some(Fault { call, kind });
    }
    /// From now on the file system gives fewer bytes at a read than it is asked for, and is interrupted at times.
    pub fn read_short(&self, seed: u64) {
        self.state().short = Some(Random::new(seed));
    }
    /// The crashes that may happen, in the order of the calls so far.
    #[must_use]
    pub fn crashes(&self) -> Crashes {
        let state = self.state();
        let durable = state.start.clone();
        Crashes { journal: state.journal.clone(), at: 0, durable, data: Vec::new(), names: Vec::new(), syncs: 0 }
    }
    /// The files after a crash behind the given number of operations.
    #[must_use]
    pub fn crashed(&self, operations: usize, seed: u64) -> Files {
        let mut crashes = self.crashes();
        while crashes.at < operations && crashes.advance() {}
        crashes.files(seed).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Counts a call; fails where it is to.
    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let call = state.calls;
        state.calls += 1;
        match state.fault {
            Some(fault) if fault.call == call => Err(fault.kind.into()),
            _ => Ok(state),
        }
    }
}

impl State {
    fn perform(&mut self, operation: Operation) {
        self.now.apply(&operation);
        self.journal.push(operation);
    }
    fn inode(&self, path: &Path) -> io::Result<usize> {
        self.now.names.get(path).copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, path.display().to_string()))
    }
}

/// Walks along the calls of a run and says what a crash there leaves.
#[derive(Clone, Debug)]
pub struct Crashes {
    journal: Vec<Operation>,
    at: usize,
    /// What is safe.
    durable: Image,
    /// Writes and changes of size that no sync covers yet.
    data: Vec<Operation>,
    /// Creations, renames and deletions that no sync covers yet.
    names: Vec<Operation>,
    syncs: usize,
}

/// How a seed treats what no sync covered.
#[derive(Clone, Copy)]
enum Fate {
    Lost,
    Kept,
    /// Any subset of pieces of this size.
    Torn(usize),
}

impl Crashes {
    /// Operations before the crash.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }
    /// Goes on by one operation; `false` at the end.
    pub fn advance(&mut self) -> bool {
        let Some(operation) = self.journal.get(self.at).cloned() else { return false };
        self.at += 1;
        match operation {
            Operation::SyncFile { inode } => {
                self.syncs += 1;
                let (safe, waiting) = self.data.drain(..).partition(|pending| touches(pending, inode));
                self.data = waiting;
                let safe: Vec<Operation> = safe;
                safe.iter().for_each(|operation| self.durable.apply(operation));
            }
            Operation::SyncFolder => {
                self.syncs += 1;
                self.names.drain(..).for_each(|operation| self.durable.apply(&operation));
            }
            Operation::Write { .. } | Operation::SetSize { .. } => self.data.push(operation),
            _ => self.names.push(operation),
        }
        true
    }
    /// What a crash here leaves, with a number that is the same for the same files. Seed 0: nothing survives that no sync covers; 1:
    /// all of it; others: a part, torn at 4096 bytes with an even seed, at 512 with an odd one.
    #[must_use]
    pub fn files(&self, seed: u64) -> (Files, u64) {
        let fate = match seed {
            0 => Fate::Lost,
            1 => Fate::Kept,
            _ if seed.is_multiple_of(2) => Fate::Torn(4096),
            _ => Fate::Torn(512),
        };
        let mut random = Random::new(seed ^ (self.at as u64) << 32);
        let mut print = DefaultHasher::new();
        self.syncs.hash(&mut print);
        let mut image = self.durable.clone();
        // Half of the crashes tear much, the others lose little: a torn subset of everything hides what one lost piece does.
        let odds = if random.below(2) == 0 { 2 } else { 16 };
        let survives = |random: &mut Random| match fate {
            Fate::Lost => false,
            Fate::Kept => true,
            Fate::Torn(_) => random.below(odds) != 0,
        };
        for (number, operation) in self.data.iter().enumerate() {
            match operation {
                Operation::Write { inode, offset, bytes } => {
                    let unit = if let Fate::Torn(unit) = fate { unit } else { bytes.len().max(1) };
                    let mut from = 0;
                    while from < bytes.len() {
                        let border = ((offset + from) / unit + 1) * unit - offset;
                        let to = if unit == bytes.len() { bytes.len() } else { border.min(bytes.len()) };
                        if survives(&mut random) {
                            image.write(*inode, offset + from, &bytes[from..to]);
                            (number, from).hash(&mut print);
                        }
                        from = to;
                    }
                }
                other => {
                    if survives(&mut random) {
                        image.apply(other);
                        number.hash(&mut print);
                    }
                }
            }
        }
        let kept = match fate {
            Fate::Lost => 0,
            Fate::Kept => self.names.len(),
            Fate::Torn(_) => random.below(self.names.len() + 1),
        };
        self.names.iter().take(kept).for_each(|operation| image.apply(operation));
        (kept, self.names.len() * usize::from(kept > 0)).hash(&mut print);
        (image.files(), print.finish())
    }
}

fn touches(operation: &Operation, file: usize) -> bool {
    matches!(operation, Operation::Write { inode, .. } | Operation::SetSize { inode, .. } if *inode == file)
}

impl Folder for CrashDisk {
    fn list(&self) -> io::Result<Vec<Entry>> {
        let files = self.call()?.now.files();
        Ok(files.into_iter().map(|(path, content)| Entry { path, size: content.len() as u64 }).collect())
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.call()?.inode(path)?;
        Ok(Arc::new(CrashFile { disk: self.clone(), inode, writable: false }))
    }
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.call()?.inode(path)?;
        Ok(Arc::new(CrashFile { disk: self.clone(), inode, writable: true }))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.call()?;
        if state.now.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes;
        state.inodes += 1;
        state.perform(Operation::Create { path: path.into(), inode });
        Ok(Arc::new(CrashFile { disk: self.clone(), inode, writable: true }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        state.inode(from)?;
        state.perform(Operation::Rename { from: from.into(), to: to.into() });
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        state.inode(path)?;
        state.perform(Operation::Remove { path: path.into() });
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        self.call()?.perform(Operation::SyncFolder);
        Ok(())
    }
}

struct CrashFile {
    disk: CrashDisk,
    inode: usize,
    writable: bool,
}

impl CrashFile {
    fn read_some(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let content = state.now.contents.get(&self.inode).cloned().unwrap_or_default();
        let behind = content.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let mut count = behind.len().min(buffer.len());
        if let Some(random) = &mut state.short
            && count > 1
        {
            if random.below(8) == 0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            count = 1 + random.below(count);
        }
        buffer[..count].copy_from_slice(&behind[..count]);
        Ok(count)
    }
    fn writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl File for CrashFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        drop(self.disk.call()?);
        read_fully(offset, buffer, |offset, buffer| self.read_some(offset, buffer))
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.writable()?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let inode = self.inode;
        match self.disk.call() {
            Ok(mut state) => {
                state.perform(Operation::Write { inode, offset, bytes: Arc::new(bytes.to_vec()) });
                Ok(())
            }
            Err(error) => {
                let half = bytes[..bytes.len() / 2].to_vec();
                self.disk.state().perform(Operation::Write { inode, offset, bytes: Arc::new(half) });
                Err(error)
            }
        }
    }
    fn size(&self) -> io::Result<u64> {
        let state = self.disk.call()?;
        Ok(state.now.contents.get(&self.inode).map_or(0, |content| content.len() as u64))
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.writable()?;
        let size = usize::try_from(size).map_err(io::Error::other)?;
        self.disk.call()?.perform(Operation::SetSize { inode: self.inode, size });
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.call()?.perform(Operation::SyncFile { inode: self.inode });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(files: &Files, path: &str) -> Option<Vec<u8>> {
        files.get(Path::new(path)).map(|content| content.to_vec())
    }

    #[test]
    fn what_no_sync_covers_may_be_lost_kept_or_torn_and_what_one_covers_stays() {
        let disk = CrashDisk::new(Files::from([("a".into(), Arc::new(vec![1; 8192]))]));
        let file = disk.folder().open_write(Path::new("a")).unwrap();
        file.write_at(0, &[2; 8192]).unwrap();
        file.sync().unwrap();
        file.write_at(0, &[3; 8192]).unwrap();
        assert_eq!(content(&disk.crashed(1, 0), "a"), Some(vec![1; 8192]));
        assert_eq!(content(&disk.crashed(2, 0), "a"), Some(vec![2; 8192]));
        assert_eq!(content(&disk.crashed(3, 0), "a"), Some(vec![2; 8192]));
        assert_eq!(content(&disk.crashed(3, 1), "a"), Some(vec![3; 8192]));
        let states: Vec<Vec<u8>> = (2..40).filter_map(|seed| content(&disk.crashed(3, seed), "a")).collect();
        assert!(states.iter().any(|bytes| bytes[..4096] == [2; 4096] && bytes[4096..] == [3; 4096]), "reordered");
        assert!(states.iter().any(|bytes| bytes[..4096].chunks(512).any(|piece| piece[0] != bytes[0])), "torn at 512 bytes");
        assert!(states.iter().all(|bytes| bytes.chunks(512).all(|piece| piece == [2; 512] || piece == [3; 512])));
        assert_eq!(disk.crashed(3, 17), disk.crashed(3, 17));
    }

    #[test]
    fn names_come_back_in_the_order_in_which_they_were_changed() {
        let disk = CrashDisk::new(Files::from([("current".into(), Arc::new(vec![1]))]));
        let folder = disk.folder();
        folder.create(Path::new("next")).unwrap().sync().unwrap();
        folder.rename(Path::new("current"), Path::new("archive")).unwrap();
        folder.rename(Path::new("next"), Path::new("current")).unwrap();
        for seed in 0..40 {
            let names: Vec<String> = disk.crashed(4, seed).keys().map(|path| path.display().to_string()).collect();
            assert!(
                [&["current"][..], &["current", "next"], &["archive", "next"], &["archive", "current"]]
                    .contains(&&names.iter().map(String::as_str).collect::<Vec<_>>()[..]),
                "{names:?}"
            );
        }
        folder.sync().unwrap();
        assert_eq!(disk.crashed(5, 0).len(), 2);
    }

    #[test]
    fn one_call_fails_and_the_next_works_again() {
        let disk = CrashDisk::new(Files::new());
        disk.fail(1, io::ErrorKind::StorageFull);
        let file = disk.folder().create(Path::new("a")).unwrap();
        assert_eq!(file.write_at(0, &[1; 10]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.size().unwrap(), 5);
        file.write_at(0, &[1; 10]).unwrap();
        assert_eq!((disk.calls(), disk.operations()), (4, 3));
    }

    #[test]
    fn short_and_interrupted_reads_give_the_same_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let disk = CrashDisk::new(Files::from([("a".into(), Arc::new(bytes.clone()))]));
        disk.read_short(1);
        let mut buffer = vec![0; 12_000];
        assert_eq!(disk.folder().open(Path::new("a")).unwrap().read_at(0, &mut buffer).unwrap(), 10_000);
        assert!(buffer[..10_000] == bytes);
    }
}
