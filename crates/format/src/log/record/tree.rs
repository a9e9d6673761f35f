//! Split, merge, page move, root move (`log-2 §7` to `§9`, `§17`).

use crate::layout::{Layout, Shown};
use crate::log::record::declare::{LengthField, Parts, Record, blank, hex};
use crate::log::record::{PageHead, RecordError, RecordType};
use crate::units::{DatabaseId, Dbtime, ObjectId, PageNumber, SessionId};
use std::ops::{Deref, DerefMut};

/// A page as it was before a split or merge, as logged: whole, dehydrated, or compressed. Its page time is already the one *after* (trap G55).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeforeImage<'a> {
    /// Bit 0 dehydrated, bit 1 compressed.
    pub flags: u32,
    /// The image; empty where none was logged.
    pub bytes: &'a [u8],
}

impl BeforeImage<'_> {
    /// None, as current engines log it.
    pub const NONE: Self = Self { flags: 0, bytes: &[] };

    /// Whether no image was logged.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
    /// Whether free space was taken out of the page (after decompression).
    #[must_use]
    pub const fn is_dehydrated(&self) -> bool {
        self.flags & 1 != 0
    }
    /// Whether the bytes are one compressed blob.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.flags & 2 != 0
    }
    fn show(&self) -> Shown {
        let how = match (self.is_dehydrated(), self.is_compressed()) {
            (false, false) => "",
            (true, false) => ", dehydrated",
            (false, true) => ", compressed",
            (true, true) => ", dehydrated, compressed",
        };
        Shown::Text(format!("{} bytes{how}", self.bytes.len()))
    }
}

layout! {
    /// The fields of a split.
    #[derive(Copy)]
    pub struct SplitFields = "LRSPLITOLD", 102, "log-2 §7" {
        32 new_page: PageNumber, "le_pgnoNew", "", "new page; 0: this page is not split, it only receives a separator";
        36 right_page: PageNumber, "le_pgnoRight", "", "old right sibling, 0 if none";
        40 right_dbtime_before: Dbtime, "le_dbtimeRightBefore", "", "page time of the right sibling before, nil if none";
        48 parent: PageNumber, "le_pgnoParent", "", "page of the record above, 0 at the top";
        52 parent_dbtime_before: Dbtime, "le_dbtimeParentBefore", "", "page time of the parent before, nil at the top";
        60 root: PageNumber, "le_pgnoFDP", "", "root page of the tree";
        64 object: ObjectId, "le_objidFDP", "", "identity of the tree";
        68 split_type: u8, "splittype", "", "0 vertical, 1 right, 2 append";
        69 split_operation: u8, "splitoper", "", "0 none, 1 insert, 2 replace, 3 flag insert and replace data";
        70 operation_line: u16, "le_ilineOper", "", "line of the operation";
        72 split_line: u16, "le_ilineSplit", "", "first line moved";
        74 lines: u16, "le_clines", "", "lines, the pending one included";
        76 new_page_flags: u32, "le_fNewPageFlags", "", "page flags of the new page; flush type and checksum bits are noise";
        80 split_page_flags: u32, "le_fSplitPageFlags", "", "page flags of the split page afterwards; flush type and checksum bits are noise";
        84 uncommitted_free: i16, "le_cbUncFreeSrc", "", "uncommitted free bytes of the split page";
        86 new_uncommitted_free: i16, "le_cbUncFreeDest", "", "uncommitted free bytes of the new page";
        88 prefix_line: i32, "le_ilinePrefixSplit", "", "line that becomes the split page's prefix, -1 none";
        92 new_prefix_line: i32, "le_ilinePrefixNew", "", "line that becomes the new page's prefix, -1 none";
        96 old_prefix_length: u16, "le_cbPrefixSplitOld", "", "bytes of the split page's old prefix";
        98 new_prefix_length: u16, "le_cbPrefixSplitNew", "", "bytes of the split page's new prefix";
        100 separator_length: u16, "le_cbKeyParent", "", "bytes of the separator key";
    }
}

layout! {
    /// What a split with a before image holds in addition.
    #[derive(Copy)]
    pub struct SplitImageFields = "LRSPLITNEW", 110, "log-2 §7" {
        102 image_flags: u32, "le_flags", "7.3704.11", "1 image dehydrated, 2 image compressed";
        106 image_length: u32, "le_cbPageBeforeImage", "7.3704.11", "bytes of the before image, 0 none";
    }
}

impl SplitFields {
    /// Vertical split: the root gets a level more.
    pub const VERTICAL: u8 = 0;
    /// Lines go to a new right sibling.
    pub const RIGHT: u8 = 1;
    /// A new rightmost page for the new node alone.
    pub const APPEND: u8 = 2;
}

/// One level of a split: a page that is split, or a parent that receives a separator. `fields`' lengths are set from the parts on encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// The head: the page that is split, or the parent.
    pub head: PageHead,
    /// The fixed fields; also reached directly (`split.new_page`).
    pub fields: SplitFields,
    /// Separator key for the parent.
    pub separator: &'a [u8],
    /// The split page's old prefix.
    pub old_prefix: &'a [u8],
    /// The split page's new prefix.
    pub new_prefix: &'a [u8],
    /// The page before; `None` in records of the old form, which never have one (27).
    pub before: Option<BeforeImage<'a>>,
}

impl Deref for Split<'_> {
    type Target = SplitFields;
    fn deref(&self) -> &SplitFields {
        &self.fields
    }
}

impl DerefMut for Split<'_> {
    fn deref_mut(&mut self) -> &mut SplitFields {
        &mut self.fields
    }
}

impl Split<'_> {
    /// Whether this is only a parent that receives a separator (trap G35).
    #[must_use]
    pub const fn is_parent_only(&self) -> bool {
        self.fields.new_page.is_none()
    }
}

impl<'a> Record<'a> for Split<'a> {
    fn size(kind: RecordType, bytes: &[u8]) -> Option<usize> {
        let fields = SplitFields::read(bytes)?;
        let (fixed, image) = if kind == RecordType::SPLIT_OLD {
            (SplitFields::SIZE, 0)
        } else {
            (SplitImageFields::SIZE, SplitImageFields::read(bytes)?.image_length.bytes())
        };
        let parts = fields.separator_length.bytes() + fields.old_prefix_length.bytes() + fields.new_prefix_length.bytes();
        (fixed + parts).checked_add(image)
    }
    fn decode(kind: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let fields = SplitFields::read(bytes).ok_or(RecordError::Truncated)?;
        let image =
            if kind == RecordType::SPLIT_OLD { None } else { Some(SplitImageFields::read(bytes).ok_or(RecordError::Truncated)?) };
        let mut parts = Parts::behind(bytes, if image.is_some() { SplitImageFields::SIZE } else { SplitFields::SIZE })?;
        let separator = parts.take(fields.separator_length.bytes())?;
        let old_prefix = parts.take(fields.old_prefix_length.bytes())?;
        let new_prefix = parts.take(fields.new_prefix_length.bytes())?;
        let before = match image {
            Some(image) => Some(BeforeImage { flags: image.image_flags, bytes: parts.take(image.image_length.bytes())? }),
            None => None,
        };
        parts.end()?;
        let head = PageHead::read(bytes).ok_or(RecordError::Truncated)?;
        Ok(Self { head, fields, separator, old_prefix, new_prefix, before })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut bytes = blank(kind, if self.before.is_some() { SplitImageFields::SIZE } else { SplitFields::SIZE });
        self.head.write(&mut bytes);
        SplitFields {
            separator_length: LengthField::of(self.separator)?,
            old_prefix_length: LengthField::of(self.old_prefix)?,
            new_prefix_length: LengthField::of(self.new_prefix)?,
            ..self.fields
        }
        .write(&mut bytes);
        if let Some(before) = self.before {
            SplitImageFields { image_flags: before.flags, image_length: LengthField::of(before.bytes)? }.write(&mut bytes);
        }
        out.append(&mut bytes);
        for part in [self.separator, self.old_prefix, self.new_prefix, self.before.map_or(&[], |before| before.bytes)] {
            out.extend_from_slice(part);
        }
        Ok(())
    }
    fn kind(&self, _: &[u8]) -> RecordType {
        if self.before.is_some() { RecordType::SPLIT } else { RecordType::SPLIT_OLD }
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        let mut layouts = vec![&PageHead::LAYOUT, &SplitFields::LAYOUT];
        layouts.extend(self.before.map(|_| &SplitImageFields::LAYOUT));
        layouts
    }
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        let mut parts =
            vec![("separator", hex(self.separator)), ("old_prefix", hex(self.old_prefix)), ("new_prefix", hex(self.new_prefix))];
        parts.extend(self.before.map(|before| ("before", before.show())));
        parts
    }
    fn page_head(&self) -> Option<&PageHead> {
        Some(&self.head)
    }
}

layout! {
    /// The fields of a merge.
    #[derive(Copy)]
    pub struct MergeFields = "LRMERGEOLD", 88, "log-2 §8" {
        32 right_page: PageNumber, "le_pgnoRight", "", "right page, 0 none";
        36 right_dbtime_before: Dbtime, "le_dbtimeRightBefore", "", "page time of the right page before, nil if none";
        44 left_page: PageNumber, "le_pgnoLeft", "", "left page, 0 none";
        48 left_dbtime_before: Dbtime, "le_dbtimeLeftBefore", "", "page time of the left page before, nil if none";
        56 parent: PageNumber, "le_pgnoParent", "", "parent page, 0 at the top";
        60 parent_dbtime_before: Dbtime, "le_dbtimeParentBefore", "", "page time of the parent before, nil at the top";
        68 root: PageNumber, "le_pgnoFDP", "", "root page of the tree";
        72 object: ObjectId, "le_objidFDP", "", "identity of the tree";
        76 size_total: u16, "le_cbSizeTotal", "", "bytes moved";
        78 size_max_total: u16, "le_cbSizeMaxTotal", "", "bytes moved, with version reservations";
        80 uncommitted_free: u16, "le_cbUncFreeDest", "", "uncommitted free bytes of the destination";
        82 merge_line: u16, "ilineMerge", "", "first line moved";
        84 merge_flags: u8, "", "", "1 key change in this page, 2 delete node in this page, 4 this page becomes empty";
        85 merge_type: u8, "mergetype", "", "0 none, 1 empty page, 2 full right, 3 partial right, 4 empty tree, 5 full left, 6 partial left, 7 page move";
        86 separator_length: u16, "le_cbKeyParentSep", "", "bytes of the new separator";
    }
}

layout! {
    /// What a merge with a before image holds in addition.
    #[derive(Copy)]
    pub struct MergeImageFields = "LRMERGENEW", 96, "log-2 §8" {
        88 image_flags: u32, "le_flags", "7.3704.11", "1 image dehydrated, 2 image compressed";
        92 image_length: u32, "le_cbPageBeforeImage", "7.3704.11", "bytes of the before image, 0 none";
    }
}

impl MergeFields {
    /// No merge at this level.
    pub const NONE: u8 = 0;
    /// An empty page is taken out.
    pub const EMPTY_PAGE: u8 = 1;
    /// Everything goes to the right page.
    pub const FULL_RIGHT: u8 = 2;
    /// Some lines go to the right page.
    pub const PARTIAL_RIGHT: u8 = 3;
    /// The tree becomes empty.
    pub const EMPTY_TREE: u8 = 4;
    /// Everything goes to the left page.
    pub const FULL_LEFT: u8 = 5;
    /// Some lines go to the left page.
    pub const PARTIAL_LEFT: u8 = 6;
    /// The page is moved.
    pub const PAGE_MOVE: u8 = 7;

    /// Whether the key of a child pointer changes in this page.
    #[must_use]
    pub const fn changes_key(&self) -> bool {
        self.merge_flags & 1 != 0
    }
    /// Whether a child pointer is deleted in this page.
    #[must_use]
    pub const fn deletes_node(&self) -> bool {
        self.merge_flags & 2 != 0
    }
    /// Whether this page becomes empty.
    #[must_use]
    pub const fn empties_page(&self) -> bool {
        self.merge_flags & 4 != 0
    }
}

/// One level of a merge. `fields`' length is set from the part on encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge<'a> {
    /// The head: the page that is merged away, or a parent.
    pub head: PageHead,
    /// The fixed fields; also reached directly (`merge.right_page`).
    pub fields: MergeFields,
    /// New separator, without the page's prefix.
    pub separator: &'a [u8],
    /// The page before; `None` in records of the old form, which never have one (28).
    pub before: Option<BeforeImage<'a>>,
}

impl Deref for Merge<'_> {
    type Target = MergeFields;
    fn deref(&self) -> &MergeFields {
        &self.fields
    }
}

impl DerefMut for Merge<'_> {
    fn deref_mut(&mut self) -> &mut MergeFields {
        &mut self.fields
    }
}

impl<'a> Record<'a> for Merge<'a> {
    fn size(kind: RecordType, bytes: &[u8]) -> Option<usize> {
        let separator = MergeFields::read(bytes)?.separator_length.bytes();
        if kind == RecordType::MERGE_OLD {
            return Some(MergeFields::SIZE + separator);
        }
        (MergeImageFields::SIZE + separator).checked_add(MergeImageFields::read(bytes)?.image_length.bytes())
    }
    fn decode(kind: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let fields = MergeFields::read(bytes).ok_or(RecordError::Truncated)?;
        let image =
            if kind == RecordType::MERGE_OLD { None } else { Some(MergeImageFields::read(bytes).ok_or(RecordError::Truncated)?) };
        let mut parts = Parts::behind(bytes, if image.is_some() { MergeImageFields::SIZE } else { MergeFields::SIZE })?;
        let separator = parts.take(fields.separator_length.bytes())?;
        let before = match image {
            Some(image) => Some(BeforeImage { flags: image.image_flags, bytes: parts.take(image.image_length.bytes())? }),
            None => None,
        };
        parts.end()?;
        Ok(Self { head: PageHead::read(bytes).ok_or(RecordError::Truncated)?, fields, separator, before })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut bytes = blank(kind, if self.before.is_some() { MergeImageFields::SIZE } else { MergeFields::SIZE });
        self.head.write(&mut bytes);
        MergeFields { separator_length: LengthField::of(self.separator)?, ..self.fields }.write(&mut bytes);
        if let Some(before) = self.before {
            MergeImageFields { image_flags: before.flags, image_length: LengthField::of(before.bytes)? }.write(&mut bytes);
        }
        out.append(&mut bytes);
        out.extend_from_slice(self.separator);
        out.extend_from_slice(self.before.map_or(&[], |before| before.bytes));
        Ok(())
    }
    fn kind(&self, _: &[u8]) -> RecordType {
        if self.before.is_some() { RecordType::MERGE } else { RecordType::MERGE_OLD }
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        let mut layouts = vec![&PageHead::LAYOUT, &MergeFields::LAYOUT];
        layouts.extend(self.before.map(|_| &MergeImageFields::LAYOUT));
        layouts
    }
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        let mut parts = vec![("separator", hex(self.separator))];
        parts.extend(self.before.map(|before| ("before", before.show())));
        parts
    }
    fn page_head(&self) -> Option<&PageHead> {
        Some(&self.head)
    }
}

record! {
    /// Moves a page to another number.
    pub struct PageMove, PageMoveFixed = "LRPAGEMOVE", 96, "log-2 §9.1", head(PageHead) {
        32 destination: PageNumber, "m_pgnoDest", "where the page goes";
        36 left_page: PageNumber, "m_pgnoLeft", "left sibling, 0 none";
        40 right_page: PageNumber, "m_pgnoRight", "right sibling, 0 none";
        44 parent: PageNumber, "m_pgnoParent", "parent, 0 only in moves of a root";
        48 left_dbtime_before: Dbtime, "m_dbtimeLeftBefore", "page time of the left sibling before";
        56 right_dbtime_before: Dbtime, "m_dbtimeRightBefore", "page time of the right sibling before";
        64 parent_dbtime_before: Dbtime, "m_dbtimeParentBefore", "page time of the parent before";
        72 root: PageNumber, "m_pgnoFDP", "root page of the tree";
        76 object: ObjectId, "m_objidFDP", "identity of the tree";
        80 parent_line: i32, "m_ilineParent", "line of the child pointer in the parent";
        84 move_flags: u32, "m_fMoveFlags", "0 plain, 1 root, 2 root of owned extents, 4 root of available extents";
        88 page_header_length: u32 => page_header, "m_cbPageHeader", "first bytes of the page";
        92 page_trailer_length: u32 => page_trailer, "m_cbPageTrailer", "last bytes of the page; free space between is taken as zero";
    } parts(page_header, page_trailer)
}

record! {
    /// Moves the root of a tree: first member of its macro. The session stands at the end here (trap G34).
    pub struct RootPageMove, RootPageMoveFixed = "LRROOTPAGEMOVE", 16, "log-2 §9.2", head() {
        1 dbtime: Dbtime, "le_dbtimeAfter", "page time after";
        9 database: DatabaseId, "dbid", "database";
        10 object: ObjectId, "le_objid", "identity of the tree";
        14 session: SessionId, "le_procid", "session";
    } parts()
}
