//! Space: the header on a tree's root, extents, split buffers (`db-3 §6, §7, §8`).

use crate::layout;
use crate::units::PageNumber;

layout! {
    /// The space header: tag 0 of a tree's root, or a field of its extended form.
    pub struct SpaceHeader = "SPACE_HEADER", 16, "db-3 §6" {
        0 pages: u32, "m_cpgPrimary", "", "pages of the primary extent; with the v2 flag the size of the last secondary extent, a hint (trap D4)";
        4 parent: PageNumber, "m_pgnoParent", "", "root page of the tree that gives space; 0 for the database root";
        8 flags: u32, "fSPHFlags", "", "1 multiple extents, 2 keys not unique, 4 v2";
        12 available: u32, "m_rgbitAvail / m_pgnoOE", "", "one extent: bit k set when page root + 1 + k is free; several: root page of the owned-extents tree";
    }
}

impl SpaceHeader {
    /// Flag: space lies in two trees, owned and available.
    pub const MULTIPLE: u32 = 1;
    /// Flag: the tree's keys are not unique.
    pub const NON_UNIQUE: u32 = 2;
    /// Flag: field 0 is the size of the last allocation.
    pub const V2: u32 = 4;

    /// The root page of the owned-extents tree; the available-extents tree is the page behind (trap D2).
    #[must_use]
    pub fn owned_root(&self) -> Option<PageNumber> {
        (self.flags & Self::MULTIPLE != 0).then_some(PageNumber(self.available))
    }
}

/// Tag 0 of a root taken apart: its plain form is the space header alone, its extended form a byte of flags and fields
/// (`db-2 §11`, trap D18).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootHeader {
    /// The space header; missing where an extended form leaves it out.
    pub space: Option<SpaceHeader>,
    /// Where it lies in tag 0.
    pub space_offset: usize,
    /// The auto-increment high-water mark of the table.
    pub auto_increment: Option<u64>,
}

impl RootHeader {
    /// Field of the extended form: space header.
    const SPACE: u8 = 1;
    /// Field of the extended form: auto-increment value.
    const AUTO_INCREMENT: u8 = 2;

    /// Parses tag 0 of a data tree's root; `None` where its fields do not fit.
    #[must_use]
    pub fn parse(tag: &[u8]) -> Option<Self> {
        if tag.len() <= SpaceHeader::SIZE {
            return Some(Self { space: Some(SpaceHeader::read(tag)?), space_offset: 0, auto_increment: None });
        }
        let (&present, mut rest) = tag.split_first()?;
        let mut space = None;
        if present & Self::SPACE != 0 {
            space = Some(SpaceHeader::read(rest)?);
            rest = rest.get(SpaceHeader::SIZE..)?;
        }
        let mut auto_increment = None;
        if present & Self::AUTO_INCREMENT != 0 {
            auto_increment = Some(u64::from_le_bytes(rest.get(..8)?.try_into().ok()?));
        }
        Some(Self { space, space_offset: 1, auto_increment })
    }
}

/// The private reserve of a space tree: tag 0 of its root (`db-3 §8`).
pub const SPLIT_BUFFER_SIZE: usize = 16;

/// Pages that the bitmap of a single extent can name.
pub const BITMAP_PAGES: u32 = 32;

/// The key of an extent in the general pool: its last page, big-endian.
#[must_use]
pub fn extent_key(last: PageNumber) -> [u8; 4] {
    last.0.to_be_bytes()
}
