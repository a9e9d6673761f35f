//! The version store of recovery: what undo and logged rollbacks need to know of each versioned change (`log-4 §7`).
//!
//! Entries are small and stay in memory. Bookmarks and before images go to a [`BlobStore`], which keeps a stated number of bytes
//! in memory and spills the rest to a file: an open transaction may be larger than any cache.

use anchorlog_format::units::{DatabaseId, LogPosition, ObjectId, PageNumber, SessionId, TransactionId, VersionId};
use anchorlog_storage::File;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

/// A change that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Undo flags the node as deleted.
    Insert,
    /// Undo puts the before image back.
    Replace {
        /// The data before.
        before: Blob,
        /// Bytes reserved by the writer, as an UndoInfo record carries them.
        max_size: i16,
    },
    /// Undo clears the deleted flag.
    FlagDelete,
    /// Undo subtracts.
    Delta {
        /// Offset of the counter in the node's data.
        offset: u16,
        /// What was added; 0 once undone.
        delta: i64,
        /// 64-bit counter rather than 32-bit.
        wide: bool,
    },
}

/// One version entry (`RCE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub id: VersionId,
    /// The session that made it.
    pub session: SessionId,
    /// Nesting level of the transaction that holds it.
    pub level: u8,
    /// The session's outermost transaction.
    pub transaction: TransactionId,
    /// Database.
    pub database: DatabaseId,
    /// Root page of the tree.
    pub root: PageNumber,
    /// The tree.
    pub objid: ObjectId,
    /// Whether its keys are unique: the key alone is the bookmark then.
    pub unique: bool,
    /// Key of the node.
    pub key: Blob,
    /// In trees with keys that are not unique, the data part that completes the bookmark.
    pub bookmark_data: Blob,
    /// What was done.
    pub change: Change,
    /// The page on which redo made the change while no UndoInfo record in the log holds the before image: such a page may not
    /// outlive recovery before undo (trap V39), and undo logs the image first.
    pub unlogged_on: Option<PageNumber>,
}

/// Bytes kept by a [`BlobStore`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blob {
    offset: u64,
    length: u32,
}

/// Appended bytes, the first of them in memory, the rest in a file.
pub struct BlobStore {
    memory: Vec<u8>,
    limit: usize,
    spill: Option<Arc<dyn File>>,
    spilled: u64,
    make_spill: Box<dyn FnMut() -> io::Result<Arc<dyn File>> + Send>,
}

impl BlobStore {
    /// A store that keeps `limit` bytes in memory and asks `make_spill` for a file when more come.
    pub fn new(limit: usize, make_spill: impl FnMut() -> io::Result<Arc<dyn File>> + Send + 'static) -> Self {
        Self { memory: Vec::new(), limit, spill: None, spilled: 0, make_spill: Box::new(make_spill) }
    }
    /// Bytes that lie in the file.
    #[must_use]
    pub const fn spilled(&self) -> u64 {
        self.spilled
    }
    /// Keeps bytes.
    ///
    /// # Errors
    /// Any error of the spill file.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<Blob> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        if self.spilled == 0 && self.memory.len() + bytes.len() <= self.limit {
            let offset = self.memory.len() as u64;
            self.memory.extend_from_slice(bytes);
            return Ok(Blob { offset, length });
        }
        let file = match &self.spill {
            Some(file) => file,
            None => self.spill.insert((self.make_spill)()?),
        };
        // Blobs in the file are addressed behind those in memory.
        file.write_at(self.spilled, bytes)?;
        let offset = self.memory.len() as u64 + self.spilled;
        self.spilled += u64::from(length).max(1);
        Ok(Blob { offset, length })
    }
    /// The bytes of a blob.
    ///
    /// # Errors
    /// Any error of the spill file.
    pub fn get(&self, blob: Blob) -> io::Result<Vec<u8>> {
        let length = blob.length as usize;
        let in_memory = usize::try_from(blob.offset).ok().and_then(|start| self.memory.get(start..start + length));
        if let Some(bytes) = in_memory {
            return Ok(bytes.to_vec());
        }
        let mut bytes = vec![0; length];
        let Some(file) = &self.spill else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        if file.read_at(blob.offset - self.memory.len() as u64, &mut bytes)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
    /// Forgets everything: when no version is left.
    fn clear(&mut self) {
        self.memory.clear();
        self.spilled = 0;
    }
}

/// All version entries, by number and by session.
pub struct Versions {
    blobs: BlobStore,
    entries: HashMap<(SessionId, VersionId), Version>,
    /// For Undo records, which name no owner.
    owners: HashMap<VersionId, SessionId>,
    /// Per session and level, oldest first.
    order: BTreeMap<SessionId, BTreeMap<u8, Vec<VersionId>>>,
}

impl Versions {
    /// An empty store over `blobs`.
    #[must_use]
    pub fn new(blobs: BlobStore) -> Self {
        Self { blobs, entries: HashMap::new(), owners: HashMap::new(), order: BTreeMap::new() }
    }
    /// Keeps bytes for an entry to come.
    ///
    /// # Errors
    /// Any error of the spill file.
    pub fn keep(&mut self, bytes: &[u8]) -> io::Result<Blob> {
        self.blobs.put(bytes)
    }
    /// The bytes of a bookmark or before image.
    ///
    /// # Errors
    /// Any error of the spill file.
    pub fn bytes(&self, blob: Blob) -> io::Result<Vec<u8>> {
        self.blobs.get(blob)
    }
    /// Adds an entry in the order of its number (trap V7); an entry with a number that exists is ignored.
    pub fn add(&mut self, version: Version) {
        if self.entries.contains_key(&(version.session, version.id)) {
            return;
        }
        let level = self.order.entry(version.session).or_default().entry(version.level).or_default();
        insert_in_order(level, version.id);
        self.owners.insert(version.id, version.session);
        self.entries.insert((version.session, version.id), version);
    }
    /// The entry of a number.
    #[must_use]
    pub fn find(&self, id: VersionId) -> Option<&Version> {
        self.entries.get(&(*self.owners.get(&id)?, id))
    }
    /// An UndoInfo record holds the before image now.
    pub fn mark_logged(&mut self, id: VersionId) {
        if let Some(version) = self.owners.get(&id).and_then(|owner| self.entries.get_mut(&(*owner, id))) {
            version.unlogged_on = None;
        }
    }
    /// Removes an entry that was undone.
    pub fn remove(&mut self, id: VersionId) {
        let Some(owner) = self.owners.remove(&id) else { return };
        let Some(version) = self.entries.remove(&(owner, id)) else { return };
        if let Some(level) = self.order.get_mut(&owner).and_then(|levels| levels.get_mut(&version.level))
            && let Some(at) = level.iter().rposition(|&other| other == id)
        {
            level.remove(at);
        }
        self.tidy();
    }
    /// A nested transaction committed: its entries belong to the level above.
    pub fn lower(&mut self, session: SessionId, level: u8) {
        let Some(levels) = self.order.get_mut(&session) else { return };
        let Some(moved) = levels.remove(&level) else { return };
        let below = levels.entry(level - 1).or_default();
        for id in moved {
            insert_in_order(below, id);
            if let Some(version) = self.entries.get_mut(&(session, id)) {
                version.level = level - 1;
            }
        }
    }
    /// Drops what a session still holds at `level`: it was rolled back, or never logged.
    pub fn drop_level(&mut self, session: SessionId, level: u8) {
        let ids = self.order.get_mut(&session).and_then(|levels| levels.remove(&level)).unwrap_or_default();
        self.forget(session, ids);
    }
    /// Drops everything of a session: it committed, or its run ended.
    pub fn drop_session(&mut self, session: SessionId) {
        let ids = self.order.remove(&session).into_iter().flat_map(BTreeMap::into_values).flatten().collect();
        self.forget(session, ids);
    }
    /// Drops everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.owners.clear();
        self.order.clear();
        self.tidy();
    }
    /// The entries of one level of a session, newest first.
    #[must_use]
    pub fn newest_first(&self, session: SessionId, level: u8) -> Vec<VersionId> {
        let ids = self.order.get(&session).and_then(|levels| levels.get(&level));
        ids.map(|ids| ids.iter().rev().copied().collect()).unwrap_or_default()
    }
    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.entries.values()
    }
    /// Entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// Whether none are held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn forget(&mut self, session: SessionId, ids: Vec<VersionId>) {
        for id in ids {
            self.entries.remove(&(session, id));
            if self.owners.get(&id) == Some(&session) {
                self.owners.remove(&id);
            }
        }
        self.tidy();
    }
    fn tidy(&mut self) {
        if self.entries.is_empty() {
            self.blobs.clear();
        }
    }
}

/// Numbers wrap (trap G47): the newer of two is the one less than half the range ahead.
fn insert_in_order(ids: &mut Vec<VersionId>, id: VersionId) {
    let newer = |a: VersionId, b: VersionId| a.0.wrapping_sub(b.0) < 1 << 31;
    let at = ids.iter().rposition(|&other| newer(id, other)).map_or(0, |at| at + 1);
    ids.insert(at, id);
}

/// A change of an open transaction whose before image is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// Level of its transaction.
    pub level: u8,
    /// Database.
    pub database: DatabaseId,
    /// Page.
    pub page: PageNumber,
    /// The record.
    pub position: LogPosition,
}

impl Session {
    /// A nested transaction committed: what it deferred belongs to the level above.
    pub fn lower_deferred(&mut self, level: u8) {
        self.deferred.values_mut().filter(|deferred| deferred.level >= level).for_each(|deferred| deferred.level = level - 1);
    }
    /// A level was rolled back, change by change; what is left of it was never logged.
    pub fn drop_deferred(&mut self, level: u8) {
        self.deferred.retain(|_, deferred| deferred.level < level);
    }
}

/// One session of the engine run that wrote the log (`PIB`).
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Transaction nesting, 0: none.
    pub level: u8,
    /// Id of the outermost transaction.
    pub transaction: TransactionId,
    /// Where the outermost transaction began.
    pub began: LogPosition,
    /// Whether a Begin from level 0 was seen: nothing of the session counts before (trap V5).
    pub after_first_begin: bool,
    /// Replaces and deletes whose pages were newer already: their before images are still to come (`log-4 §7.4`).
    pub deferred: BTreeMap<VersionId, Deferred>,
    /// A CommitContext record that asks to be seen before a commit which then never came.
    pub commit_context: Option<Vec<u8>>,
}
