//! A window of the log: records of which the front end has decided that they are redone, while the work on their pages waits
//! (`log-6 §5`).
//!
//! Where a window ends depends on the records and on the size of the cache alone, never on threads: so does what becomes of each page.

use super::pages::Role;
use crate::cache::Key;
use crate::hash::Map;
use crate::versions::{Version, is_newer};
use anchorlog_format::units::{DatabaseId, LogPosition, PageNumber, SessionId, TransactionId, VersionId};
use std::ops::Range;

/// Bytes of records in a window.
const BYTES_MAX: usize = 512 << 10;
/// Pieces of work in a window.
const WORK_MAX: usize = 1 << 15;
/// The part of the cache that the pages of a window may fill.
const CACHE_PART: usize = 4;

/// What is to be done for a record, in log order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub position: LogPosition,
    pub kind: Kind,
    /// Its bytes in [`Window::bytes`].
    bytes: (u32, u32),
    /// Its pages in [`Window::named`].
    named: (u32, u32),
    /// The transaction that version entries belong to.
    pub owner: Owner,
}

/// The open transaction of a session at a record; level 0: none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Owner {
    pub session: SessionId,
    pub level: u8,
    pub transaction: TransactionId,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A change of one node; `versions`: the record alone makes a version entry.
    Node { versions: bool },
    /// A logged undo, with its number in [`Window::undone`].
    Undo(usize),
    /// The members of a macro.
    Group,
    /// Any other record that changes pages.
    Pages,
    /// What a scan of the database saw.
    Scan,
    /// A page leaves its tree.
    Freed,
    /// A before image.
    UndoInfo,
    /// A nested transaction committed: the level that ends.
    Lower(SessionId, u8),
    /// A level was rolled back.
    DropLevel(SessionId, u8),
    /// A session is in no transaction any more.
    DropSession(SessionId),
}

impl Kind {
    /// Whether pages are concerned.
    pub const fn is_page_work(self) -> bool {
        matches!(self, Self::Node { .. } | Self::Undo(_) | Self::Group | Self::Pages | Self::Scan | Self::Freed)
    }
}

impl Work {
    pub fn bytes(&self) -> Range<usize> {
        self.bytes.0 as usize..self.bytes.1 as usize
    }
    pub fn named(&self) -> Range<usize> {
        self.named.0 as usize..self.named.1 as usize
    }
}

/// A page of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub key: Key,
    /// Some record needs what the page held before the window.
    pub read: bool,
    /// Some record makes it anew whatever it held.
    made: bool,
}

/// Collects work.
#[derive(Default)]
pub(super) struct Window {
    /// In log order.
    pub work: Vec<Work>,
    pub bytes: Vec<u8>,
    /// Numbers of pages, those of one piece of work together.
    pub named: Vec<u32>,
    pub seats: Vec<Seat>,
    /// Logged undos: the version, and its entry, where there is one.
    pub undone: Vec<(VersionId, Option<Version>)>,
    /// Pages that some work names together lead to the same page.
    parents: Vec<u32>,
    index: Map<Key, u32>,
    page_bytes: usize,
    /// How often it was searched for pages.
    pub questions: u32,
    /// The oldest of the version entries that the window adds.
    oldest: Option<VersionId>,
    /// Entries that it removes.
    removed: Map<VersionId, ()>,
    /// Sessions of which it drops entries, with the number of the last work that drops all.
    dropped: Map<SessionId, usize>,
}

impl Window {
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }
    /// Whether no further record may join. `cache`: bytes of page images that memory may hold.
    pub fn is_full(&self, cache: usize) -> bool {
        self.bytes.len() >= BYTES_MAX || self.work.len() >= WORK_MAX || self.page_bytes >= cache / CACHE_PART
    }
    /// Bytes that its pages fill.
    pub const fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Names a page for the work that [`Self::push`] adds next. `size`: bytes of the page; `reads`: a new page may turn out not to be
    /// needed.
    pub fn name(&mut self, key: Key, size: usize, role: Role, reads: bool) {
        let next = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        let number = *self.index.entry(key).or_insert(next);
        if number == next {
            self.seats.push(Seat { key, read: false, made: false });
            self.parents.push(number);
            self.page_bytes += size;
        }
        if let Some(seat) = self.seats.get_mut(number as usize) {
            match role {
                Role::New if !reads => seat.made |= !seat.read,
                Role::Old | Role::New => seat.read |= !seat.made,
                Role::Mentioned => {}
            }
        }
        self.named.push(number);
    }
    /// Adds work on the pages named since the last, and on the bytes added since.
    pub fn push(&mut self, position: LogPosition, kind: Kind, owner: Owner) {
        let behind = |range: fn(&Work) -> u32| self.work.last().map_or(0, range);
        let (bytes, named) = (behind(|work| work.bytes.1), behind(|work| work.named.1));
        let end = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let work = Work { position, kind, bytes: (bytes, end(self.bytes.len())), named: (named, end(self.named.len())), owner };
        for at in work.named().skip(1) {
            self.join(self.named[named as usize], self.named[at]);
        }
        self.work.push(work);
    }
    /// Whether it has work on some of these pages.
    pub fn names(&self, database: DatabaseId, pages: &Range<PageNumber>) -> bool {
        self.seats.iter().any(|seat| seat.key.0 == database && pages.contains(&seat.key.1))
    }
    /// The work before adds this version entry.
    pub fn adds(&mut self, version: VersionId) {
        if self.oldest.is_none_or(|oldest| is_newer(oldest, version)) {
            self.oldest = Some(version);
        }
    }
    /// The next work undoes a change; returns its kind.
    pub fn undoes(&mut self, version: VersionId, entry: Option<Version>) -> Kind {
        self.removed.insert(version, ());
        self.undone.push((version, entry));
        Kind::Undo(self.undone.len() - 1)
    }
    /// The next work drops entries of a session.
    pub fn drops(&mut self, session: SessionId, all: bool) {
        let last = self.dropped.entry(session).or_default();
        if all {
            *last = self.work.len();
        }
    }
    /// Whether all entries of a work's session are dropped further on in the window: then none needs to be made.
    pub fn drops_behind(&self, session: SessionId, at: usize) -> bool {
        self.dropped.get(&session).is_some_and(|&last| at < last)
    }
    /// Whether work of this window may decide whether there is an entry of a version, which `owner` made as far as is known.
    pub fn decides_over(&self, version: VersionId, owner: Option<SessionId>) -> bool {
        self.oldest.is_some_and(|oldest| is_newer(version, oldest))
            || self.removed.contains_key(&version)
            || owner.is_some_and(|owner| self.dropped.contains_key(&owner))
    }

    /// The page that stands for all that are named together with this one, directly or through others.
    pub fn leader(&mut self, mut page: u32) -> u32 {
        while let Some(&parent) = self.parents.get(page as usize).filter(|&&parent| parent != page) {
            let above = self.parents.get(parent as usize).copied().unwrap_or(parent);
            self.parents[page as usize] = above;
            page = above;
        }
        page
    }
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.leader(a), self.leader(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    /// Empties it; what memory a window usually needs stays.
    pub fn clear(&mut self) {
        if self.bytes.capacity() > 4 * BYTES_MAX {
            self.bytes = Vec::new();
        }
        self.work.clear();
        self.bytes.clear();
        self.named.clear();
        self.seats.clear();
        self.undone.clear();
        self.parents.clear();
        self.index.clear();
        self.page_bytes = 0;
        self.questions = 0;
        self.oldest = None;
        self.removed.clear();
        self.dropped.clear();
    }
}
