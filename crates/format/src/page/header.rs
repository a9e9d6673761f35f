//! The page header (`db-2 §1, §2`).

use crate::layout::{Shown, Wire};
use crate::units::{Dbtime, ObjectId, PageNumber};
use std::fmt;

layout! {
    /// The first 40 bytes of every page.
    pub struct PageHeader in field = "PGHDR", 40, "db-2 §1.1" {
        0 checksum: u64, "checksum", "", "XOR and ECC checksum; in the old format the XOR checksum and the page's own number";
        8 dbtime: Dbtime, "dbtimeDirtied", "", "page time of the last change";
        16 previous: PageNumber, "pgnoPrev", "", "left sibling on the leaf level, 0: none";
        20 next: PageNumber, "pgnoNext", "", "right sibling on the leaf level, 0: none";
        24 objid: ObjectId, "objidFDP", "", "the tree that the page belongs to";
        28 free: u16, "cbFree", "", "unused bytes of the data area, gaps included, tag array excluded";
        30 uncommitted_free: u16, "cbUncommittedFree", "", "part of the free bytes that a rollback may claim back";
        32 data_end: u16, "ibMicFree", "", "offset in the data area behind the last used byte";
        34 tag_state: u16, "itagState", "", "bits 0 to 11: number of tags; bits 12 to 14: reserved tags, 0 read as 1";
        36 flags: PageFlags, "fFlags", "", "kind of page";
    }
}

layout! {
    /// What large pages (16 and 32 KiB) have behind it.
    pub struct LargePageHeader in large_field = "PGHDR2", 80, "db-2 §1.2" {
        40 checksum_1: u64, "rgChecksum[0]", "", "checksum of the second quarter";
        48 checksum_2: u64, "rgChecksum[1]", "", "checksum of the third quarter";
        56 checksum_3: u64, "rgChecksum[2]", "", "checksum of the last quarter";
        64 number: PageNumber, "pgno", "", "the page's own number";
        68 reserved: [u8; 12], "rgbReserved", "", "zero";
    }
}

/// Bits 0 to 11 of the tag state: the number of tags (trap D3).
pub(super) const TAG_COUNT_MASK: u16 = 0x0FFF;
/// Bits 12 to 14 of the tag state: the number of reserved tags.
pub(super) const RESERVED_TAGS_SHIFT: u32 = 12;

/// The flags of a page (`db-2 §2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageFlags(pub u32);

macro_rules! page_flags {
    ($( $(#[$doc:meta])* $name:ident = $bit:literal, $test:ident, $microsoft:literal; )*) => {
        impl PageFlags {
            $( $(#[$doc])* pub const $name: Self = Self($bit); )*
            $( $(#[$doc])* #[must_use] pub const fn $test(self) -> bool { self.0 & $bit != 0 } )*
        }
        const NAMES: &[(u32, &str)] = &[$( ($bit, $microsoft) ),*];
    };
}

page_flags! {
    /// Root of a tree.
    ROOT = 0x1, is_root, "fPageRoot";
    /// Leaf level.
    LEAF = 0x2, is_leaf, "fPageLeaf";
    /// Its children are leaves.
    PARENT_OF_LEAF = 0x4, is_parent_of_leaf, "fPageParentOfLeaf";
    /// Emptied by a merge: part of no tree.
    EMPTY = 0x8, is_empty, "fPageEmpty";
    /// Being rebuilt by a repair.
    REPAIR = 0x10, is_repair, "fPageRepair";
    /// Page of an owned-extents or available-extents tree.
    SPACE_TREE = 0x20, is_space_tree, "fPageSpaceTree";
    /// Page of a secondary index.
    INDEX = 0x40, is_index, "fPageIndex";
    /// Page of a long-value tree.
    LONG_VALUE = 0x80, is_long_value, "fPageLongValue";
    /// Keys are not unique: the data is part of the order.
    NON_UNIQUE_KEYS = 0x400, has_non_unique_keys, "fPageNonUniqueKeys";
    /// Records have sorted tagged columns.
    NEW_RECORD_FORMAT = 0x800, has_new_record_format, "fPageNewRecordFormat";
    /// The checksum is XOR and ECC.
    NEW_CHECKSUM_FORMAT = 0x2000, has_new_checksum_format, "fPageNewChecksumFormat";
    /// Unused space was overwritten.
    SCRUBBED = 0x4000, is_scrubbed, "fPageScrubbed";
    /// Allocated, not yet used.
    PRE_INIT = 0x20000, is_pre_init, "fPagePreInit";
    /// The tree may only be deleted: on pages that a snapshot revert left.
    ROOT_DELETE = 0x40000, is_root_delete, "fPageFDPDelete";
}

impl PageFlags {
    /// The two bits that turn over with every write of the page, for the detection of lost flushes.
    pub const FLUSH_TYPE: Self = Self(0x18000);

    /// These flags and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// These flags less those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// State of the flush map that the page was written with: 0 unknown, 1 to 3.
    #[must_use]
    pub const fn flush_type(self) -> u8 {
        ((self.0 >> 15) & 3) as u8
    }
    /// The same flags with another flush type.
    #[must_use]
    pub const fn with_flush_type(self, kind: u8) -> Self {
        Self(self.without(Self::FLUSH_TYPE).0 | ((kind & 3) as u32) << 15)
    }
    /// Root of a data tree: neither of a space tree nor inner.
    #[must_use]
    pub const fn is_data_root(self) -> bool {
        self.is_root() && !self.is_space_tree()
    }
    /// Flags as a record of a log carries them, less those that belong to the writer of the file (trap V38).
    #[must_use]
    pub const fn logged(self) -> Self {
        self.without(Self::NEW_CHECKSUM_FORMAT).without(Self::FLUSH_TYPE)
    }
}

impl fmt::Display for PageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)?;
        for (_, name) in NAMES.iter().filter(|(bit, _)| self.0 & bit != 0) {
            write!(f, " {name}")?;
        }
        if self.flush_type() != 0 {
            write!(f, " flushType={}", self.flush_type())?;
        }
        Ok(())
    }
}

impl Wire for PageFlags {
    const SIZE: usize = 4;
    const NAME: &'static str = "PageFlags";
    fn get(bytes: &[u8]) -> Self {
        Self(Wire::get(bytes))
    }
    fn put(&self, bytes: &mut [u8]) {
        self.0.put(bytes);
    }
    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}
