//! Records that change nodes of one page, and scrub, new page, scan check, page patch (`log-2 §5`, `§6`, `§11`).

use crate::layout::{Layout, Shown, Wire};
use crate::log::record::declare::{Head, Parts, Record, blank, hex};
use crate::log::record::difference::{self, Difference};
use crate::log::record::{NodeHead, RecordError, RecordType};
use crate::units::{DatabaseId, Dbtime, ObjectId, PageNumber, SessionId, VersionId};

/// What a version entry stands for (`oper`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VersionOperation(pub u16);

impl VersionOperation {
    /// Insert.
    pub const INSERT: Self = Self(1);
    /// Replace.
    pub const REPLACE: Self = Self(2);
    /// Flag delete.
    pub const FLAG_DELETE: Self = Self(3);
    /// 32-bit escrow update.
    pub const DELTA: Self = Self(4);
    /// 64-bit escrow update.
    pub const DELTA64: Self = Self(9);
}

impl Wire for VersionOperation {
    const SIZE: usize = 2;
    const NAME: &'static str = "VersionOperation";
    fn get(bytes: &[u8]) -> Self {
        Self(Wire::get(bytes))
    }
    fn put(&self, bytes: &mut [u8]) {
        self.0.put(bytes);
    }
    fn show(&self) -> Shown {
        let name = match self.0 {
            1 => "insert",
            2 => "replace",
            3 => "flag delete",
            4 => "delta",
            5 => "read lock",
            6 => "write lock",
            7 => "allocate extent",
            9 => "64-bit delta",
            0x10 => "register callback",
            0x20 => "unregister callback",
            0x80 => "pre-insert",
            0x100 => "create table",
            0x300 => "delete table",
            0x700 => "add column",
            0x900 => "delete column",
            0xB00 => "create long value",
            0xD00 => "create index",
            0xF00 => "delete index",
            _ => "other",
        };
        Shown::Text(format!("{} ({name})", self.0))
    }
}

record! {
    /// Inserts a node. The key is prefix then suffix; only the suffix is stored, the page's own prefix supplies the rest.
    pub struct Insert, InsertFixed = "LRINSERT", 50, "log-2 §5", head(NodeHead) {
        44 suffix_length: u16 => suffix, "le_cbSuffix", "key bytes that are stored";
        46 prefix_length: u16 => prefix, "le_cbPrefix", "key bytes that the page's prefix supplies";
        48 data_length: u16 => data, "le_cbData", "data";
    } parts(prefix, suffix, data)
}

record! {
    /// Revives a deleted node of the same key; the data is in the record although it stays as it is.
    pub struct FlagInsert, FlagInsertFixed = "LRFLAGINSERT", 48, "log-2 §5", head(NodeHead) {
        44 key_length: u16 => key, "le_cbKey", "key, in full";
        46 data_length: u16 => data, "le_cbData", "data";
    } parts(key, data)
}

record! {
    /// Revives a deleted node and gives it new data.
    pub struct FlagInsertAndReplace, FlagInsertAndReplaceFixed = "LRFLAGINSERTANDREPLACEDATA", 52, "log-2 §5", head(NodeHead) {
        44 key_length: u16 => key, "le_cbKey", "key, in full";
        46 data_length: u16 => data, "le_cbData", "new data";
        48 version_of_replace: VersionId, "le_rceidReplace", "version entry of the replace";
    } parts(key, data)
}

record! {
    /// Flags a node as deleted.
    pub struct FlagDelete, FlagDeleteFixed = "LRFLAGDELETE", 44, "log-2 §5", head(NodeHead) {} parts()
}

record! {
    /// Removes a node for good.
    pub struct Delete, DeleteFixed = "LRDELETE", 44, "log-2 §5", head(NodeHead) {} parts()
}

layout! {
    /// The fixed part of both Replace records.
    pub struct ReplaceFixed = "LRREPLACE", 50, "log-2 §5" {
        44 size: u16, "le_cb", "", "bits 0 to 14: bytes of the variable part; bit 15: large difference headers";
        46 old_size: u16, "le_cbOldData", "", "bytes of the old data";
        48 new_size: u16, "le_cbNewData", "", "bytes of the new data";
    }
}

/// Which bit of the size says that differences have large headers.
const LARGE_HEADERS: u16 = 0x8000;

/// Gives a node new data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace<'a> {
    /// The head.
    pub head: NodeHead,
    /// Bytes of the old data.
    pub old_size: u16,
    /// Bytes of the new data.
    pub new_size: u16,
    /// The new data.
    pub data: &'a [u8],
}

/// Edits a node's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaceDifference<'a> {
    /// The head.
    pub head: NodeHead,
    /// Bytes of the old data.
    pub old_size: u16,
    /// Bytes of the new data.
    pub new_size: u16,
    /// Whether the differences have the headers of large pages.
    pub large_headers: bool,
    /// The differences, encoded.
    pub differences: &'a [u8],
}

impl<'a> ReplaceDifference<'a> {
    /// The differences one by one; an error ends the list.
    pub fn iter(&self) -> impl Iterator<Item = Result<Difference<'a>, RecordError>> + use<'a> {
        difference::iter(self.differences, self.large_headers)
    }
    /// The new data, made from the old.
    ///
    /// # Errors
    /// [`RecordError::Inconsistent`] where old data or differences do not have the sizes that the record gives.
    pub fn apply(&self, old: &[u8]) -> Result<Vec<u8>, RecordError> {
        difference::apply(self.iter(), old, self.old_size, self.new_size)
    }
}

fn replace_size(bytes: &[u8]) -> Option<usize> {
    let fixed = ReplaceFixed::read(bytes)?;
    // The upper bit is a flag in both records (trap G30).
    Some(ReplaceFixed::SIZE + usize::from(fixed.size & !LARGE_HEADERS))
}

fn replace_parts(bytes: &[u8]) -> Result<(NodeHead, ReplaceFixed, &[u8]), RecordError> {
    let fixed = ReplaceFixed::read(bytes).ok_or(RecordError::Truncated)?;
    let mut parts = Parts::behind(bytes, ReplaceFixed::SIZE)?;
    let part = parts.take(usize::from(fixed.size & !LARGE_HEADERS))?;
    parts.end()?;
    Ok((NodeHead::read_head(bytes).ok_or(RecordError::Truncated)?, fixed, part))
}

fn encode_replace(
    kind: RecordType,
    head: &NodeHead,
    (old_size, new_size, flag): (u16, u16, u16),
    part: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let size = u16::try_from(part.len()).ok().filter(|size| size & LARGE_HEADERS == 0).ok_or(RecordError::TooLong)?;
    let mut bytes = blank(kind, ReplaceFixed::SIZE);
    head.write_head(&mut bytes);
    ReplaceFixed { size: size | flag, old_size, new_size }.write(&mut bytes);
    out.append(&mut bytes);
    out.extend_from_slice(part);
    Ok(())
}

fn replace_layouts() -> Vec<&'static Layout> {
    let mut layouts = NodeHead::head_layouts();
    layouts.push(&ReplaceFixed::LAYOUT);
    layouts
}

impl<'a> Record<'a> for Replace<'a> {
    fn size(_: RecordType, bytes: &[u8]) -> Option<usize> {
        replace_size(bytes)
    }
    fn decode(_: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (head, fixed, data) = replace_parts(bytes)?;
        if fixed.size != fixed.new_size || data.len() != usize::from(fixed.new_size) {
            return Err(RecordError::Inconsistent("a whole replacement that is not as long as the new data"));
        }
        Ok(Self { head, old_size: fixed.old_size, new_size: fixed.new_size, data })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        encode_replace(kind, &self.head, (self.old_size, self.new_size, 0), self.data, out)
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        replace_layouts()
    }
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        vec![("data", hex(self.data))]
    }
    fn page_head(&self) -> Option<&crate::log::record::PageHead> {
        Some(&self.head.head)
    }
    fn node_head(&self) -> Option<&NodeHead> {
        Some(&self.head)
    }
}

impl<'a> Record<'a> for ReplaceDifference<'a> {
    fn size(_: RecordType, bytes: &[u8]) -> Option<usize> {
        replace_size(bytes)
    }
    fn decode(_: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (head, fixed, differences) = replace_parts(bytes)?;
        let large_headers = fixed.size & LARGE_HEADERS != 0;
        Ok(Self { head, old_size: fixed.old_size, new_size: fixed.new_size, large_headers, differences })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let flag = if self.large_headers { LARGE_HEADERS } else { 0 };
        encode_replace(kind, &self.head, (self.old_size, self.new_size, flag), self.differences, out)
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        replace_layouts()
    }
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        let show = |difference: Result<Difference<'_>, RecordError>| match difference {
            Ok(difference) => difference.to_string(),
            Err(error) => format!("broken: {error}"),
        };
        vec![("differences", Shown::Text(self.iter().map(show).collect::<Vec<_>>().join("; ")))]
    }
    fn page_head(&self) -> Option<&crate::log::record::PageHead> {
        Some(&self.head.head)
    }
    fn node_head(&self) -> Option<&NodeHead> {
        Some(&self.head)
    }
}

record! {
    /// Adds to a 32-bit counter of a node's data.
    pub struct Delta, DeltaFixed = "LRDELTA32", 54, "log-2 §5", head(NodeHead) {
        44 key_length: u16 => key, "le_cbBookmarkKey", "key";
        46 bookmark_data_length: u16 => bookmark_data, "le_cbBookmarkData", "data that completes the bookmark in trees without unique keys";
        48 delta: i32, "le_lDelta", "what is added";
        52 offset: u16, "le_cbOffset", "offset of the counter in the data";
    } parts(key, bookmark_data)
}

record! {
    /// Adds to a 64-bit counter of a node's data.
    pub struct Delta64, Delta64Fixed = "LRDELTA64", 58, "log-2 §5", head(NodeHead) {
        44 key_length: u16 => key, "le_cbBookmarkKey", "key";
        46 bookmark_data_length: u16 => bookmark_data, "le_cbBookmarkData", "data that completes the bookmark in trees without unique keys";
        48 delta: i64, "le_lDelta", "what is added";
        56 offset: u16, "le_cbOffset", "offset of the counter in the data";
    } parts(key, bookmark_data)
}

record! {
    /// Replaces the external header of a page (its tag 0) as a whole; never undone.
    pub struct SetExternalHeader, SetExternalHeaderFixed = "LRSETEXTERNALHEADER", 46, "log-2 §5", head(NodeHead) {
        44 data_length: u16 => data, "le_cbData", "the whole header";
    } parts(data)
}

record! {
    /// Undoes one version entry.
    pub struct Undo, UndoFixed = "LRUNDO", 51, "log-2 §5", head(NodeHead) {
        44 key_length: u16 => key, "le_cbBookmarkKey", "key, in full";
        46 bookmark_data_length: u16 => bookmark_data, "le_cbBookmarkData", "data that completes the bookmark in trees without unique keys";
        48 operation: VersionOperation, "le_oper", "what is undone";
        50 undone_level: u8, "level", "transaction level of the undone change; the head's is the session's";
    } parts(key, bookmark_data)
}

record! {
    /// Before image of a version entry, logged ahead of the page that holds the change.
    pub struct UndoInfo, UndoInfoFixed = "LRUNDOINFO", 56, "log-2 §5", head(NodeHead) {
        44 key_length: u16 => key, "le_cbBookmarkKey", "key, in full";
        46 bookmark_data_length: u16 => bookmark_data, "le_cbBookmarkData", "data that completes the bookmark in trees without unique keys";
        48 operation: VersionOperation, "le_oper", "what the entry stands for";
        50 size_max: i16, "le_cbMaxSize", "of a replace: largest size that the data may take";
        52 size_delta: i16, "le_cbDelta", "of a replace: change of the size";
        54 image_length: u16 => image, "le_cbData", "of a replace: the old data, without key";
    } parts(key, bookmark_data, image)
}

record! {
    /// Overwrites unused bytes of a page, or an unused page.
    pub struct Scrub, ScrubFixed = "LRSCRUB", 54, "log-2 §11", head(NodeHead) {
        44 scrub_flags: u32, "le_fScrub", "1: an unused page";
        48 count: u32, "le_cscrubOper", "operations, one for each line";
        52 data_length: u16 => data, "le_cbData", "operations (0 none, 1 data, 2 long-value data), then padding";
    } parts(data)
}

impl<'a> Scrub<'a> {
    /// One operation for each line; `None` where the record is too short for them.
    #[must_use]
    pub fn operations(&self) -> Option<&'a [u8]> {
        self.data.get(..usize::try_from(self.count).ok()?)
    }
}

record! {
    /// A page becomes part of a tree.
    pub struct NewPage, NewPageFixed = "LRNEWPAGE", 20, "log-2 §11", head() {
        1 session: SessionId, "le_procid", "session";
        3 database: DatabaseId, "dbid", "database";
        4 page: PageNumber, "le_pgno", "the page";
        8 object: ObjectId, "le_objid", "the tree";
        12 dbtime: Dbtime, "le_dbtimeAfter", "page time after";
    } parts()
}

record! {
    /// Asks for a good copy of a page from a replica.
    pub struct PagePatchRequest, PagePatchRequestFixed = "LRPAGEPATCHREQUEST", 46, "log-2 §11", head() {
        1 database: DatabaseId, "dbid", "database";
        2 page: PageNumber, "le_pgno", "the page";
        6 dbtime: Dbtime, "le_dbtime", "page time";
        14 reserved: [u8; 32], "", "zero";
    } parts()
}

record! {
    /// What a database scan saw of a page, old form.
    pub struct ScanCheck, ScanCheckFixed = "LRSCANCHECK", 44, "log-2 §11", head() {
        1 size: u32 = 39, "le_cb", "bytes behind this field";
        5 database: DatabaseId, "dbid", "database";
        6 page: PageNumber, "le_pgno", "the page";
        10 unused: [u8; 16], "", "not used";
        26 dbtime_page: Dbtime, "le_dbtimePage", "page time of the page";
        34 dbtime_current: Dbtime, "le_dbtimeCurrent", "page time of the database";
        42 checksum: u16, "le_usChecksum", "hash of the page's logged data, folded";
    } parts()
}

record! {
    /// What a database scan saw of a page.
    pub struct ScanCheck2, ScanCheck2Fixed = "LRSCANCHECK2", 27, "log-2 §11", head() {
        1 database: DatabaseId, "dbid", "database";
        2 page: PageNumber, "le_pgno", "the page";
        6 flags: u8, "bScanCheckFlags", "bits 0-1 source (1 scan, 2 shrink), 5 page of a deleted tree, 6 empty page, 7 objid invalid";
        7 dbtime_page: Dbtime, "le_dbtimePage", "page time of the page";
        15 dbtime_current: Dbtime, "le_dbtimeCurrent", "page time of the database";
        23 checksum: u32, "le_ulChecksum", "hash of the page's logged data, folded";
    } parts()
}
