//! The vault: sets over a repository.

mod forget;

use crate::error::{Damage, Error, Place, Result};
use crate::restic::backend::{Backend, Kind, Object};
use crate::restic::check::{self, CheckReport, Depth};
use crate::restic::config::Config;
use crate::restic::folder::FolderBackend;
use crate::restic::index::Index;
use crate::restic::keys::{self, KeyInfo, Secret};
use crate::restic::known::Known;
use crate::restic::lock::{self, Held, Lock, LockInfo};
use crate::restic::reader::{Reader, Source, within};
use crate::restic::repository::{CreateOptions, Repository};
use crate::restic::snapshot::{self, Role, Snapshot, Stored};
use crate::restic::store::Store;
use crate::restic::tree::{Tree, small_file};
use crate::restic::writer::{self, MANIFEST, Writer};
use crate::restic::{Id, limits, told};
use crate::set::{Attachment, Name, NewSet, SetId, SetSummary};
use crate::{SetWriter, StreamReader, Vault};
use anchorlog_storage::DiskFolder;
use anchorlog_storage::lock::FileLock;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Streams longer than this are cut into segments of this size in bytes: a whole number of chunks.
const SEGMENT_SIZE: u64 = 256 << 20;

/// A vault in restic's format. Streams have any length; a manifest, an attachment and the list of one folder of streams (67 bytes for each
/// chunk of a stream up to 256 MiB) have 1 GiB at most. It holds a shared lock from its first use until it is dropped, or until it needs an exclusive one.
pub struct ResticVault {
    repository: Arc<Repository>,
    shared: Mutex<Option<Arc<Lock>>>,
    /// Whether a thread of this program has it alone.
    alone: AtomicBool,
    index: Mutex<Option<Arc<Index>>>,
    segment_size: u64,
}

/// Whether the exclusive lock of a vault is still held: it ends with [`ResticVault::alone`], however many clones of this there are.
#[derive(Clone)]
pub struct Exclusive(Arc<Held>);

impl Exclusive {
    /// Whether it was renewed in time: nothing may be changed where it was not.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.is_fresh()
    }
    /// That it was held up to now without a gap.
    ///
    /// # Errors
    /// Somebody took it for stale and removed it; the storage's.
    pub fn confirm(&self) -> Result<()> {
        self.0.renew()
    }
}

impl ResticVault {
    /// Makes a vault in a folder, which must be empty or not exist.
    ///
    /// # Errors
    /// Something is there; options out of their bounds; the storage's.
    pub fn create(folder: &Path, secret: &Secret, options: CreateOptions) -> Result<Self> {
        let location = folder.display().to_string();
        let failed = |error| Error::Storage(Place::object(location.clone()), error);
        prepare(folder).map_err(failed)?.then_some(()).ok_or_else(|| Error::NotEmpty(location.clone()))?;
        // Two that make a vault here at the same time would mix their keys.
        let lock = FileLock::exclusive(&folder.join("tmp").join("create.lock")).map_err(failed)?;
        let made = Self::create_on(folder_backend(folder)?, secret, options);
        let _ = fs::remove_file(lock.path());
        made
    }
    /// Opens the vault in a folder.
    ///
    /// # Errors
    /// No vault there; a secret that does not open it; a repository that was not made by this program; damage; the storage's.
    pub fn open(folder: &Path, secret: &Secret) -> Result<Self> {
        Self::open_on(folder_backend(folder)?, secret)
    }
    /// Makes a vault on any storage.
    ///
    /// # Errors
    /// As [`ResticVault::create`].
    pub fn create_on(backend: Arc<dyn Backend>, secret: &Secret, options: CreateOptions) -> Result<Self> {
        Repository::create(backend, secret, options).map(Self::over)
    }
    /// Opens the vault on any storage.
    ///
    /// # Errors
    /// As [`ResticVault::open`].
    pub fn open_on(backend: Arc<dyn Backend>, secret: &Secret) -> Result<Self> {
        Repository::open(backend, secret).map(Self::over)
    }
    fn over(repository: Repository) -> Self {
        let (shared, index) = (Mutex::default(), Mutex::default());
        Self { repository: Arc::new(repository), shared, alone: AtomicBool::new(false), index, segment_size: SEGMENT_SIZE }
    }
    /// Cuts long streams into segments of another size, a power of two from 1 MiB: vaults with any size are read alike.
    #[must_use]
    pub fn with_segment_size(self, bytes: u64) -> Self {
        Self { segment_size: bytes.next_power_of_two().max(1 << 20).max(2 * self.repository.chunk_size as u64), ..self }
    }

    /// The storage of this vault.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        self.repository.backend.clone()
    }
    pub(crate) fn config(&self) -> &Config {
        &self.repository.config
    }
    /// Size of a chunk in bytes.
    #[must_use]
    pub fn chunk_size(&self) -> usize {
        self.repository.chunk_size
    }
    /// Whether sets are never forgotten.
    #[must_use]
    pub fn is_append_only(&self) -> bool {
        self.repository.config.append_only == Some(true)
    }

    /// The keys that open this vault.
    ///
    /// # Errors
    /// The storage's.
    pub fn keys(&self) -> Result<Vec<KeyInfo>> {
        keys::infos(&*self.repository.backend, self.repository.key_id)
    }
    /// Adds a key: the vault opens with this secret too. `cost`: as [`CreateOptions::kdf_cost`].
    ///
    /// # Errors
    /// A cost out of its bounds; another client's exclusive lock; the storage's.
    pub fn add_key(&self, secret: &Secret, cost: u8) -> Result<Id> {
        if !(10..=20).contains(&cost) {
            return Err(Error::Unsupported("the cost of a key is from 10 to 20".into()));
        }
        let _lock = self.share()?;
        keys::add(&*self.repository.backend, &self.repository.key, secret, cost)
    }
    /// Removes a key. Who has a copy of it, and its secret, may still read copies of this vault: only a new vault has a new master key.
    ///
    /// # Errors
    /// The key with which the vault was opened; another client's lock; the storage's.
    pub fn remove_key(&self, id: Id) -> Result<()> {
        if id == self.repository.key_id {
            return Err(Error::Unsupported("the vault was opened with that very key: open it with another to remove it".into()));
        }
        self.alone(|_| {
            let object = Object::new(Kind::Key, id);
            self.repository.backend.remove(object).map_err(|error| told(object, error))?;
            self.sync("keys")
        })
    }

    /// The locks of all clients, the oldest first, those behind that cannot be read. To ask takes none.
    ///
    /// # Errors
    /// The storage's.
    pub fn locks(&self) -> Result<Vec<LockInfo>> {
        lock::infos(&self.repository)
    }
    /// Removes stale locks, and with `all` every lock: a program that is at work then ends without publishing, but two that change the vault at
    /// the same time can lose sets. Returns what was removed.
    ///
    /// # Errors
    /// The storage's.
    pub fn unlock(&self, all: bool) -> Result<Vec<LockInfo>> {
        let removed: Vec<LockInfo> = self.locks()?.into_iter().filter(|lock| all || lock.stale).collect();
        for found in &removed {
            lock::remove(&self.repository, found.id)?;
        }
        self.sync("locks")?;
        Ok(removed)
    }

    /// Whether all that the sets need is there, and is what was written, as far as `depth` reaches.
    ///
    /// # Errors
    /// Another client's exclusive lock; the storage's.
    pub fn check(&self, depth: Depth) -> Result<CheckReport> {
        let source = self.source()?;
        let mut report = check::check(&self.repository, depth)?;
        report.damage.extend(keys::damage(&*self.repository.backend)?);
        drop(source);
        Ok(report)
    }

    fn sync(&self, place: &str) -> Result<()> {
        self.repository.backend.sync().map_err(|error| Error::Storage(Place::object(place), error))
    }

    fn shared(&self) -> MutexGuard<'_, Option<Arc<Lock>>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The shared lock, taken if need be, or anew where it was lost: by a machine that slept.
    pub(crate) fn share(&self) -> Result<Arc<Lock>> {
        if self.alone.load(Ordering::SeqCst) {
            return Err(Error::Locked("this very program, which has it alone".into()));
        }
        let mut shared = self.shared();
        if let Some(lock) = shared.take()
            && (lock.is_fresh() || lock.confirm().is_ok())
        {
            *shared = Some(lock.clone());
            return Ok(lock);
        }
        let lock = Arc::new(Lock::take(&self.repository, false)?);
        *shared = Some(lock.clone());
        Ok(lock)
    }
    /// Acts while nobody else has the vault, nor a reader or writer of this program. Meanwhile this value reads and writes no set.
    ///
    /// # Errors
    /// Any other lock, of whomever; the storage's; those of `act`.
    pub fn alone<T, E: From<Error>>(
        &self,
        act: impl FnOnce(&Exclusive) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut shared = self.shared();
        if shared.as_ref().is_some_and(|lock| Arc::strong_count(lock) > 1) {
            return Err(Error::Locked("a reader or a writer of this very program".into()).into());
        }
        drop(shared.take());
        let lock = Lock::take(&self.repository, true)?;
        self.alone.store(true, Ordering::SeqCst);
        let ended = Ended(&self.alone);
        let done = act(&Exclusive(lock.held()));
        drop((ended, lock));
        done
    }
    /// The master key, as restic's `cat masterkey` prints it: for tools of the same format. Whoever has it reads everything.
    ///
    /// # Errors
    /// None that a key could cause.
    pub fn master_key(&self) -> Result<String> {
        keys::master_key(&self.repository.key)
    }

    /// What readers need. A storage that takes no locks, because it is read-only, is read without one.
    fn source(&self) -> Result<Source> {
        let lock = match self.share() {
            Err(Error::Storage(_, error)) if is_read_only(&error) => None,
            lock => Some(lock?),
        };
        Ok(Source { repository: self.repository.clone(), index: self.index()?, lock })
    }
    /// The index as it is now.
    fn index(&self) -> Result<Arc<Index>> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*index
            && !index.is_stale(&self.repository)?
        {
            return Ok(index.clone());
        }
        let loaded = Arc::new(Index::load(&self.repository)?);
        *index = Some(loaded.clone());
        Ok(loaded)
    }

    /// The snapshot of a set: the newest, where restic has written it anew.
    fn find(&self, set: &SetId) -> Result<Stored> {
        let is_it = |stored: &Stored| matches!(&stored.role, Role::Set(summary) if summary.id == *set);
        let direct = Id::parse(set.as_str()).map(|id| snapshot::load(&self.repository, id));
        let damage = match direct {
            Some(Ok(stored)) if is_it(&stored) => return Ok(stored),
            Some(Err(Error::Damaged(damage))) => Some((Id::parse(set.as_str()), damage)),
            Some(Err(error)) => return Err(error),
            _ => None,
        };
        let (all, damaged) = snapshot::all(&self.repository)?;
        match (all.into_iter().rfind(is_it), damage) {
            (Some(stored), _) => Ok(stored),
            // Damaged, and not just absent.
            (None, Some((_, damage))) if damaged.iter().any(|found| found.place == damage.place) => Err(damage.into()),
            (None, _) => Err(Error::NoSet(set.clone())),
        }
    }
}

impl Vault for ResticVault {
    fn sets(&self) -> Result<Vec<std::result::Result<SetSummary, Damage>>> {
        let (all, damage) = snapshot::all(&self.repository)?;
        let mut sets: Vec<SetSummary> = Vec::new();
        for stored in all {
            if let Role::Set(summary) = stored.role {
                sets.retain(|older| older.id != summary.id);
                sets.push(summary);
            }
        }
        Ok(sets.into_iter().map(Ok).chain(damage.into_iter().map(Err)).collect())
    }
    fn begin_set(&self, new: NewSet) -> Result<Box<dyn SetWriter + '_>> {
        if let Some(fault) = new.fault() {
            return Err(Error::Unsupported(fault));
        }
        let lock = self.share()?;
        for needed in &new.needs {
            self.find(needed)?;
        }
        let store = Store::new(self.repository.clone(), self.index()?)?;
        let known = Known::new(self.repository.clone(), self.index()?);
        let find = |set: &SetId| self.find(set).map(|stored| stored.snapshot.tree);
        Ok(Box::new(Writer::new(store, lock, known, find, new, self.segment_size)))
    }
    fn manifest(&self, set: &SetId) -> Result<Vec<u8>> {
        let Source { repository, index, lock } = self.source()?;
        let root = self.find(set)?.snapshot.tree;
        let read = Tree::resolve(&repository, &index, root, MANIFEST).and_then(|node| match node {
            Some(node) => small_file(&repository, &index, &node, limits::DOCUMENT),
            None => Err(Damage { place: Place::set(set), reason: "it has no manifest".into() }.into()),
        });
        drop(lock);
        read.map_err(|error| within(&Place::set(set), error))
    }
    fn open_stream(&self, set: &SetId, name: &Name) -> Result<Box<dyn StreamReader>> {
        let source = self.source()?;
        let root = self.find(set)?.snapshot.tree;
        Ok(Box::new(Reader::open(source, set, name, root)?))
    }
    fn attach(&self, set: &SetId, name: &Name, bytes: &[u8]) -> Result<()> {
        let lock = self.share()?;
        self.find(set)?;
        let store = Store::new(self.repository.clone(), self.index()?)?;
        writer::attach(&self.repository, &lock, &store, (name, bytes), |tree| Snapshot::of_attachment(set, name, tree))
    }
    fn attachments(&self, set: &SetId) -> Result<Vec<Attachment>> {
        self.find(set)?;
        self.small_files(|role| match role {
            Role::Attachment { of, name } if of == *set => Some((Place::stream(set, &name), name)),
            _ => None,
        })
    }
    fn keep(&self, name: &Name, bytes: &[u8]) -> Result<()> {
        let lock = self.share()?;
        let store = Store::new(self.repository.clone(), self.index()?)?;
        writer::attach(&self.repository, &lock, &store, (name, bytes), |tree| Snapshot::of_document(name, tree))
    }
    fn documents(&self) -> Result<Vec<Attachment>> {
        self.small_files(|role| match role {
            Role::Document { name } => Some((Place::object(name.to_string()), name)),
            _ => None,
        })
    }
    fn forget(&self, sets: &[SetId]) -> Result<()> {
        if self.is_append_only() {
            return Err(Error::Unsupported("this vault is append-only: no set is forgotten".into()));
        }
        self.alone(|_| self.forget_alone(sets))
    }
    fn free_bytes(&self) -> Option<u64> {
        self.repository.backend.free_bytes()
    }
}

impl ResticVault {
    /// The snapshots of one small file that `chosen` names, with their places.
    fn small_files(&self, chosen: impl Fn(Role) -> Option<(Place, Name)>) -> Result<Vec<Attachment>> {
        let Source { repository, index, lock } = self.source()?;
        let (all, _) = snapshot::all(&repository)?;
        let mut attachments = Vec::new();
        for Stored { snapshot, role, .. } in all {
            let Some((place, name)) = chosen(role) else { continue };
            let bytes = attached(&repository, &index, &place, &name, &snapshot)?;
            attachments.push(Attachment { name, time: snapshot.millisecond(), bytes });
        }
        drop(lock);
        Ok(attachments)
    }
}

/// The bytes of an attachment.
fn attached(repository: &Repository, index: &Index, place: &Place, name: &Name, snapshot: &Snapshot) -> Result<Vec<u8>> {
    let node = Tree::resolve(repository, index, snapshot.tree, name.as_str()).map_err(|error| within(place, error))?;
    let absent = || Damage { place: place.clone(), reason: "the attachment has no content".into() };
    small_file(repository, index, &node.ok_or_else(absent)?, limits::DOCUMENT).map_err(|error| within(place, error))
}

/// Nobody has the vault alone any more, even after a panic.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn folder_backend(folder: &Path) -> Result<Arc<dyn Backend>> {
    let location = folder.display().to_string();
    let backend = FolderBackend::new(Arc::new(DiskFolder::new(folder)), location.clone());
    Ok(Arc::new(backend.map_err(|error| Error::Storage(Place::object(location), error))?.at(folder)))
}

/// Makes the folders of a repository; false where something else is there.
fn prepare(folder: &Path) -> io::Result<bool> {
    let folders = ["keys", "locks", "snapshots", "index", "data", "tmp"];
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        if !folders.iter().any(|name| *name == entry.as_ref().map(fs::DirEntry::file_name).unwrap_or_default()) {
            return Ok(false);
        }
    }
    for name in folders {
        fs::create_dir_all(folder.join(name))?;
    }
    for number in 0..=u8::MAX {
        fs::create_dir_all(folder.join("data").join(format!("{number:02x}")))?;
    }
    Ok(true)
}
