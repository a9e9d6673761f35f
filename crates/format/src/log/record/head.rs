//! What page and node records begin with (`log-2 §3`).

use crate::layout::{Layout, Shown, Wire};
use crate::log::record::declare::Head;
use crate::units::{DatabaseId, Dbtime, ObjectId, PageNumber, SessionId, TransactionId, VersionId};
use std::ops::Deref;

/// Flags of a page record (`log-2 §3.3`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChangeFlags(pub u8);

impl ChangeFlags {
    /// The node gets a version, so the change can be undone.
    pub const VERSIONED: u8 = 0x01;
    /// No longer set by any engine.
    pub const DELETED: u8 = 0x02;
    /// The tree has unique keys.
    pub const UNIQUE: u8 = 0x04;
    /// A space tree.
    pub const SPACE: u8 = 0x08;
    /// By the creation of an index, on behalf of another session.
    pub const CONCURRENT_INDEX: u8 = 0x10;
    /// By a background task.
    pub const SYSTEM_TASK: u8 = 0x20;

    /// Whether the node gets a version.
    #[must_use]
    pub const fn is_versioned(self) -> bool {
        self.0 & Self::VERSIONED != 0
    }
    /// Whether the tree has unique keys.
    #[must_use]
    pub const fn is_unique(self) -> bool {
        self.0 & Self::UNIQUE != 0
    }
    /// Whether the tree is a space tree.
    #[must_use]
    pub const fn is_space(self) -> bool {
        self.0 & Self::SPACE != 0
    }
    /// Whether an index creation made the change for another session.
    #[must_use]
    pub const fn is_concurrent_index(self) -> bool {
        self.0 & Self::CONCURRENT_INDEX != 0
    }
}

impl Wire for ChangeFlags {
    const SIZE: usize = 1;
    const NAME: &'static str = "ChangeFlags";
    fn get(bytes: &[u8]) -> Self {
        Self(Wire::get(bytes))
    }
    fn put(&self, bytes: &mut [u8]) {
        self.0.put(bytes);
    }
    fn show(&self) -> Shown {
        const NAMES: [(u8, &str); 6] = [
            (ChangeFlags::VERSIONED, "versioned"),
            (ChangeFlags::DELETED, "deleted"),
            (ChangeFlags::UNIQUE, "unique"),
            (ChangeFlags::SPACE, "space"),
            (ChangeFlags::CONCURRENT_INDEX, "concurrent index"),
            (ChangeFlags::SYSTEM_TASK, "system task"),
        ];
        let set: Vec<&str> = NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name).collect();
        Shown::Text(format!("{:#04x} ({})", self.0, if set.is_empty() { "none".into() } else { set.join(", ") }))
    }
}

layout! {
    /// Head of every record that changes a page.
    #[derive(Copy)]
    pub struct PageHead = "LRPAGE_", 32, "log-2 §3.1" {
        1 session: SessionId, "le_procid", "", "session";
        3 database: DatabaseId, "dbid", "", "database";
        4 page: PageNumber, "le_pgno", "", "page changed";
        8 dbtime: Dbtime, "le_dbtime", "", "page time after the change";
        16 dbtime_before: Dbtime, "le_dbtimeBefore", "", "page time before; nil for a new page or where an enclosing split carries the change";
        24 transaction: TransactionId, "le_trxBegin0", "", "the session's outermost transaction";
        28 level: u8, "level", "", "transaction level of the change; 0: on behalf of a committed transaction";
        29 line: u16, "iline", "", "line on the page";
        31 flags: ChangeFlags, "", "", "flags";
    }
}

layout! {
    /// What a node record's head holds behind the page record's.
    #[derive(Copy)]
    pub struct NodeHeadFields = "LRNODE_", 44, "log-2 §3.2" {
        32 version: VersionId, "le_rceid", "", "version entry; 0 when unversioned";
        36 root: PageNumber, "le_pgnoFDP", "", "root page of the tree";
        40 object: ObjectId, "le_objidFDP", "", "identity of the tree";
    }
}

/// Head of every record that changes a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeHead {
    /// What every page record has.
    pub head: PageHead,
    /// Version entry; 0 when unversioned.
    pub version: VersionId,
    /// Root page of the tree.
    pub root: PageNumber,
    /// Identity of the tree.
    pub object: ObjectId,
}

impl Deref for NodeHead {
    type Target = PageHead;
    fn deref(&self) -> &PageHead {
        &self.head
    }
}

impl Head for PageHead {
    fn read_head(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes)
    }
    fn write_head(&self, bytes: &mut [u8]) {
        self.write(bytes);
    }
    fn head_layouts() -> Vec<&'static Layout> {
        vec![&Self::LAYOUT]
    }
    fn page(&self) -> &PageHead {
        self
    }
    fn node(&self) -> Option<&NodeHead> {
        None
    }
}

impl Head for NodeHead {
    fn read_head(bytes: &[u8]) -> Option<Self> {
        let NodeHeadFields { version, root, object } = NodeHeadFields::read(bytes)?;
        Some(Self { head: PageHead::read(bytes)?, version, root, object })
    }
    fn write_head(&self, bytes: &mut [u8]) {
        self.head.write(bytes);
        NodeHeadFields { version: self.version, root: self.root, object: self.object }.write(bytes);
    }
    fn head_layouts() -> Vec<&'static Layout> {
        vec![&PageHead::LAYOUT, &NodeHeadFields::LAYOUT]
    }
    fn page(&self) -> &PageHead {
        &self.head
    }
    fn node(&self) -> Option<&NodeHead> {
        Some(self)
    }
}
