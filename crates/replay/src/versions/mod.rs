//! The version store of recovery: what undo and logged rollbacks need to know of each versioned change (`log-4 §7`).
//!
//! What an entry says, its bookmark and before image included, goes to a [`BlobStore`], which keeps a stated number of bytes in memory
//! and spills the rest to a file: an open transaction may be larger than any cache. Only what finds entries stays in memory, some 40
//! to 140 bytes for each: its place, and what the tables have in reserve.

mod blobs;

pub use blobs::BlobStore;

use crate::hash::Map;
use anchorlog_format::units::{DatabaseId, LogPosition, ObjectId, PageNumber, SessionId, TransactionId, VersionId};
use blobs::Blob;
use std::collections::BTreeMap;
use std::io;

/// A change that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Undo flags the node as deleted.
    Insert,
    /// Undo puts the before image back.
    Replace {
        /// Bytes reserved by the writer, as an UndoInfo record carries them.
        max_size: i16,
    },
    /// Undo clears the deleted flag.
    FlagDelete,
    /// Undo subtracts.
    Delta {
        /// Offset of the counter in the node's data.
        offset: u16,
        /// What was added.
        delta: i64,
        /// 64-bit counter rather than 32-bit.
        wide: bool,
    },
}

/// What an entry says besides its bytes (`RCE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionHead {
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
    /// What was done.
    pub change: Change,
    /// The page on which redo made the change while no UndoInfo record in the log holds the before image: such a page may not
    /// outlive recovery before undo (trap V39), and undo logs the image first.
    pub unlogged_on: Option<PageNumber>,
}

/// One version entry, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// What it says.
    pub head: VersionHead,
    /// Key of the node.
    pub key: Vec<u8>,
    /// In trees with keys that are not unique, the data part that completes the bookmark.
    pub bookmark_data: Vec<u8>,
    /// The data before, of a replace.
    pub before: Vec<u8>,
}

/// What finds an entry.
#[derive(Clone, Copy)]
struct Entry {
    session: SessionId,
    level: u8,
    database: DatabaseId,
    unlogged_on: PageNumber,
    blob: Blob,
}

/// All version entries, by number and by session.
pub struct Versions {
    blobs: BlobStore,
    entries: Map<VersionId, Entry>,
    /// Per session and level, oldest first.
    order: BTreeMap<SessionId, BTreeMap<u8, Vec<VersionId>>>,
}

impl Versions {
    /// An empty store over `blobs`.
    #[must_use]
    pub fn new(blobs: BlobStore) -> Self {
        Self { blobs, entries: Map::default(), order: BTreeMap::new() }
    }
    /// Adds an entry in the order of its number (trap V7): its bookmark, and of a replace the data before. An entry with a number
    /// that exists is ignored.
    ///
    /// # Errors
    /// Any error of the spill file.
    pub fn add(&mut self, head: &VersionHead, key: &[u8], bookmark_data: &[u8], before: &[u8]) -> io::Result<()> {
        if self.entries.contains_key(&head.id) {
            return Ok(());
        }
        let stored = Stored::of(head, key, bookmark_data)?;
        let blob = self.blobs.put(&[&stored.0, key, bookmark_data, before])?;
        let level = self.order.entry(head.session).or_default().entry(head.level).or_default();
        insert_in_order(level, head.id);
        let unlogged_on = head.unlogged_on.unwrap_or_default();
        let entry = Entry { session: head.session, level: head.level, database: head.database, unlogged_on, blob };
        self.entries.insert(head.id, entry);
        Ok(())
    }
    /// Whether there is an entry of a number.
    #[must_use]
    pub fn contains(&self, id: VersionId) -> bool {
        self.entries.contains_key(&id)
    }
    /// The session that made the entry of a number.
    #[must_use]
    pub fn owner(&self, id: VersionId) -> Option<SessionId> {
        self.entries.get(&id).map(|entry| entry.session)
    }
    /// The entry of a number.
    ///
    /// # Errors
    /// Any error of the spill file.
    pub fn get(&mut self, id: VersionId) -> io::Result<Option<Version>> {
        let Some(entry) = self.entries.get(&id).copied() else { return Ok(None) };
        self.blobs.with(entry.blob, |bytes| Stored::read(id, &entry, bytes))
    }
    /// An UndoInfo record holds the before image now.
    pub fn mark_logged(&mut self, id: VersionId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.unlogged_on = PageNumber::default();
        }
    }
    /// Removes an entry that was undone.
    pub fn remove(&mut self, id: VersionId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.blobs.release(entry.blob);
        if let Some(level) = self.order.get_mut(&entry.session).and_then(|levels| levels.get_mut(&entry.level)) {
            let at = level.partition_point(|&other| other != id && is_newer(id, other));
            if level.get(at) == Some(&id) {
                level.remove(at);
            }
        }
    }
    /// A nested transaction committed: its entries belong to the level above.
    pub fn lower(&mut self, session: SessionId, level: u8) {
        let Some(levels) = self.order.get_mut(&session) else { return };
        let Some(moved) = levels.remove(&level) else { return };
        let below = levels.entry(level - 1).or_default();
        for id in moved {
            insert_in_order(below, id);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.level = level - 1;
            }
        }
    }
    /// Drops what a session still holds at `level`: it was rolled back, or never logged.
    pub fn drop_level(&mut self, session: SessionId, level: u8) {
        let ids = self.order.get_mut(&session).and_then(|levels| levels.remove(&level)).unwrap_or_default();
        self.forget(ids);
    }
    /// Drops everything of a session: it committed, or its run ended.
    pub fn drop_session(&mut self, session: SessionId) {
        for ids in self.order.remove(&session).into_iter().flat_map(BTreeMap::into_values) {
            self.forget(ids);
        }
    }
    /// Drops everything.
    pub fn clear(&mut self) {
        let all: Vec<SessionId> = self.order.keys().copied().collect();
        for session in all {
            self.drop_session(session);
        }
    }
    /// The newest entry of one level of a session, which no level holds from now on; [`Self::remove`] lets it go.
    pub fn take_newest(&mut self, session: SessionId, level: u8) -> Option<VersionId> {
        self.order.get_mut(&session)?.get_mut(&level)?.pop()
    }
    /// Pages with a change whose before image the log lacks.
    pub fn unlogged(&self) -> impl Iterator<Item = (DatabaseId, PageNumber)> {
        self.entries.values().filter(|entry| !entry.unlogged_on.is_none()).map(|entry| (entry.database, entry.unlogged_on))
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
    /// Bytes that lay in the spill file at most.
    #[must_use]
    pub const fn spilled(&self) -> u64 {
        self.blobs.spilled()
    }

    fn forget(&mut self, ids: Vec<VersionId>) {
        for id in ids {
            if let Some(entry) = self.entries.remove(&id) {
                self.blobs.release(entry.blob);
            }
        }
    }
}

/// The numbers of an entry as the store keeps them, before its key, bookmark data and before image.
struct Stored([u8; 38]);

impl Stored {
    fn of(head: &VersionHead, key: &[u8], data: &[u8]) -> io::Result<Self> {
        let length = |part: &[u8]| u32::try_from(part.len()).map_err(io::Error::other);
        let (kind, offset, delta, max_size) = match head.change {
            Change::Insert => (0, 0, 0, 0),
            Change::Replace { max_size } => (1, 0, 0, max_size),
            Change::FlagDelete => (2, 0, 0, 0),
            Change::Delta { offset, delta, wide: false } => (3, offset, delta, 0),
            Change::Delta { offset, delta, wide: true } => (4, offset, delta, 0),
        };
        let mut bytes = [0; 38];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&head.transaction.0.to_le_bytes());
        put(&head.root.0.to_le_bytes());
        put(&head.objid.0.to_le_bytes());
        put(&length(key)?.to_le_bytes());
        put(&length(data)?.to_le_bytes());
        put(&delta.to_le_bytes());
        put(&offset.to_le_bytes());
        put(&max_size.to_le_bytes());
        put(&[kind, u8::from(head.unique), 0, 0, 0, 0]);
        Ok(Self(bytes))
    }

    /// The entry back from its bytes.
    fn read(id: VersionId, entry: &Entry, bytes: &[u8]) -> Option<Version> {
        let mut rest = bytes;
        let transaction = TransactionId(u32::from_le_bytes(take(&mut rest)?));
        let root = PageNumber(u32::from_le_bytes(take(&mut rest)?));
        let objid = ObjectId(u32::from_le_bytes(take(&mut rest)?));
        let key_length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
        let data_length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
        let delta = i64::from_le_bytes(take(&mut rest)?);
        let offset = u16::from_le_bytes(take(&mut rest)?);
        let max_size = i16::from_le_bytes(take(&mut rest)?);
        let [kind, unique, ..] = take::<6>(&mut rest)?;
        let (key, rest) = rest.split_at_checked(key_length)?;
        let (data, before) = rest.split_at_checked(data_length)?;
        let change = match kind {
            0 => Change::Insert,
            1 => Change::Replace { max_size },
            2 => Change::FlagDelete,
            _ => Change::Delta { offset, delta, wide: kind == 4 },
        };
        let head = VersionHead {
            id,
            session: entry.session,
            level: entry.level,
            transaction,
            database: entry.database,
            root,
            objid,
            unique: unique != 0,
            change,
            unlogged_on: (!entry.unlogged_on.is_none()).then_some(entry.unlogged_on),
        };
        Some(Version { head, key: key.to_vec(), bookmark_data: data.to_vec(), before: before.to_vec() })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}

/// Numbers wrap (trap G47): the newer of two is the one less than half the range ahead.
fn insert_in_order(ids: &mut Vec<VersionId>, id: VersionId) {
    let at = ids.iter().rposition(|&other| is_newer(id, other)).map_or(0, |at| at + 1);
    ids.insert(at, id);
}

pub(crate) const fn is_newer(a: VersionId, b: VersionId) -> bool {
    a.0.wrapping_sub(b.0) < 1 << 31
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

#[cfg(test)]
mod tests;
