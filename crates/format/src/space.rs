//! Space: the header on a tree's root, extents, split buffers (`db-3 §6, §7, §8`).

use crate::units::{ObjectId, PageNumber};

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
    /// Whether the keys of the tree are said not to be unique.
    #[must_use]
    pub const fn is_non_unique(&self) -> bool {
        self.flags & Self::NON_UNIQUE != 0
    }
    /// Where the tree's pages are recorded; `None` for unknown flags.
    #[must_use]
    pub const fn extents(&self) -> Option<Extents> {
        if self.flags & !(Self::MULTIPLE | Self::NON_UNIQUE | Self::V2) != 0 {
            return None;
        }
        if self.flags & Self::MULTIPLE == 0 {
            return Some(Extents::Single { pages: self.pages, available: self.available });
        }
        let primary = if self.flags & Self::V2 == 0 { Some(self.pages) } else { None };
        Some(Extents::Multiple { owned: PageNumber(self.available), primary })
    }
}

/// Where a tree's pages are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extents {
    /// One extent that begins with the root.
    Single {
        /// Pages of it.
        pages: u32,
        /// Bit k: the page k + 1 behind the root is available (trap D5).
        available: u32,
    },
    /// Two space trees; that of available extents has the next page as its root (trap D2).
    Multiple {
        /// Root of the tree of owned extents.
        owned: PageNumber,
        /// Pages of the primary extent, while the header is of the first form (trap D4).
        primary: Option<u32>,
    },
}

impl Extents {
    /// Root of the tree of available extents.
    #[must_use]
    pub fn available_root(self) -> Option<PageNumber> {
        match self {
            Self::Multiple { owned, .. } => owned.0.checked_add(1).map(PageNumber),
            Self::Single { .. } => None,
        }
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

/// Pool of an available extent (`db-3 §7`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// The ordinary one.
    General,
    /// Reserve for appends and hot points; an extent of 0 pages marks a region (trap D8).
    Continuous,
    /// Pages of the database's root that are not to be used (trap D28).
    Shelved,
}

/// A run of pages, named by its last one (trap D1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its pool.
    pub pool: Pool,
    /// Its last page.
    pub last: PageNumber,
    /// Its pages.
    pub pages: u32,
}

impl Extent {
    /// Decodes a node of a space tree: big-endian key, little-endian data (trap D32); `None` where it breaks the rules of `db-3 §7`.
    #[must_use]
    pub fn decode(key: &[u8], data: &[u8]) -> Option<Self> {
        let (pool, last) = match *key {
            [a, b, c, d] => (Pool::General, [a, b, c, d]),
            [0x81, a, b, c, d] => (Pool::Continuous, [a, b, c, d]),
            [0x82, a, b, c, d] => (Pool::Shelved, [a, b, c, d]),
            _ => return None,
        };
        let last = u32::from_be_bytes(last);
        let pages = u32::from_le_bytes(data.try_into().ok()?);
        let sound = (1..LAST_PAGE).contains(&last) && pages <= last && (pages > 0 || pool == Pool::Continuous);
        sound.then_some(Self { pool, last: PageNumber(last), pages })
    }
    /// Its first page; behind the last one where the extent has none.
    #[must_use]
    pub const fn first(self) -> PageNumber {
        PageNumber(self.last.0.saturating_add(1).saturating_sub(self.pages))
    }
    /// Its pages, ascending.
    pub fn numbers(self) -> impl Iterator<Item = PageNumber> {
        (self.first().0..=self.last.0).map(PageNumber)
    }
    /// Whether `page` is one of its pages.
    #[must_use]
    pub const fn contains(self, page: PageNumber) -> bool {
        page.0 > self.last.0.saturating_sub(self.pages) && page.0 <= self.last.0
    }
}

/// No page has this number or a greater one (`pgnoSysMax`).
pub const LAST_PAGE: u32 = 0x7FEF_FFFF;

/// The two entries of a split buffer: a few pages kept for the space tree itself (`db-3 §8`, trap D21).
///
/// `None` unless `bytes`, the external header of a space tree's root, has 0 or 16 bytes.
#[must_use]
pub fn split_buffer(bytes: &[u8]) -> Option<[Extent; 2]> {
    let entry = |at: usize| {
        let field = |at: usize| bytes.get(at..at + 4).map_or(0, |raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]));
        let (last, pages) = (field(at), field(at + 4));
        (pages <= last).then_some(Extent { pool: Pool::General, last: PageNumber(last), pages })
    };
    match bytes.len() {
        0 | 16 => Some([entry(0)?, entry(8)?]),
        _ => None,
    }
}

/// Trees whose place is fixed in every database (`db-3 §1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedTree {
    /// Root page; owned and available extents begin on the two pages behind it.
    pub root: PageNumber,
    /// Object id.
    pub objid: ObjectId,
    /// Root of the tree that its space comes from.
    pub parent: PageNumber,
}

/// The database itself: it holds no data, only space (trap D31).
pub const DATABASE_ROOT: FixedTree = FixedTree { root: PageNumber(1), objid: ObjectId(1), parent: PageNumber(0) };
/// The catalog, `MSysObjects`.
pub const CATALOG: FixedTree = FixedTree { root: PageNumber(4), objid: ObjectId(2), parent: PageNumber(1) };
/// Its index `Name`.
pub const CATALOG_NAME: FixedTree = FixedTree { root: PageNumber(7), objid: ObjectId(4), parent: PageNumber(4) };
/// Its index `RootObjects`.
pub const CATALOG_ROOT_OBJECTS: FixedTree = FixedTree { root: PageNumber(10), objid: ObjectId(5), parent: PageNumber(4) };
/// The copy of the catalog, `MSysObjectsShadow`; it may be empty (trap R20).
pub const CATALOG_SHADOW: FixedTree = FixedTree { root: PageNumber(24), objid: ObjectId(3), parent: PageNumber(1) };

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    fn header(text: &str) -> SpaceHeader {
        RootHeader::parse(&bytes(text)).unwrap().space.unwrap()
    }

    // traps db-3 D1, D32
    #[test]
    fn d1_d32_the_key_is_the_last_page_big_endian_and_the_data_a_little_endian_count() {
        let extent = Extent::decode(&[0, 0, 0, 0xFE], &[0xDC, 0, 0, 0]).unwrap();
        assert_eq!((extent.first(), extent.last, extent.pages), (PageNumber(35), PageNumber(254), 220));
        assert!(extent.contains(PageNumber(35)) && extent.contains(PageNumber(254)));
        assert!(!extent.contains(PageNumber(34)) && !extent.contains(PageNumber(255)));
    }

    // traps db-3 D7, D8
    #[test]
    fn d7_d8_a_prefixed_key_names_a_pool_and_only_the_continuous_one_may_be_empty() {
        let pool = |prefix: u8, pages: u8| Extent::decode(&[prefix, 0, 0, 0, 9], &[pages, 0, 0, 0]).map(|extent| extent.pool);
        assert_eq!(pool(0x81, 0), Some(Pool::Continuous));
        assert_eq!(pool(0x82, 1), Some(Pool::Shelved));
        assert_eq!(pool(0x82, 0), None);
        assert_eq!(pool(0x01, 1), None);
        assert_eq!(pool(0x83, 1), None);
        assert_eq!(Extent::decode(&[0, 0, 0, 9], &[0; 4]), None);
        assert_eq!(Extent::decode(&[0, 0, 0, 9], &[10, 0, 0, 0]), None);
        assert_eq!(Extent::decode(&[0, 0, 0, 0], &[0; 4]), None);
        assert_eq!(Extent::decode(&[0x7F, 0xEF, 0xFF, 0xFF], &[1, 0, 0, 0]), None);
    }

    // trap db-3 D2
    #[test]
    fn d2_available_extents_begin_behind_the_owned_ones() {
        let root = header("fe000000 00000000 01000000 02000000");
        assert_eq!(root.extents(), Some(Extents::Multiple { owned: PageNumber(2), primary: Some(254) }));
        assert_eq!(root.extents().unwrap().available_root(), Some(PageNumber(3)));
        assert_eq!(root.parent, PageNumber::NONE);
    }

    // trap db-3 D4
    #[test]
    fn d4_with_the_second_form_the_page_count_is_no_primary_extent() {
        let root = header("04000000 04000000 05000000 08000000");
        assert_eq!(root.extents(), Some(Extents::Multiple { owned: PageNumber(8), primary: None }));
    }

    // traps db-3 D5, D33
    #[test]
    fn d5_d33_a_single_extent_names_its_available_pages_by_bits() {
        let root = header("0a000000 01000000 00000000 fc010000");
        assert_eq!(root.extents(), Some(Extents::Single { pages: 10, available: 0x1FC }));
        assert_eq!(root.extents().unwrap().available_root(), None);
    }

    // traps db-3 D17, db-2 D18, R28, R29
    #[test]
    fn d17_d18_r28_r29_a_longer_header_begins_with_its_field_bits() {
        let mut header = bytes("03 0a000000 01000000 00000000 fc010000");
        header.extend_from_slice(&62_u64.to_le_bytes());
        let root = RootHeader::parse(&header).unwrap();
        assert_eq!(root.auto_increment, Some(62));
        assert_eq!(root.space.unwrap().parent, PageNumber(1));
        assert_eq!(RootHeader::parse(&header[..24]), None);
        assert_eq!(RootHeader::parse(&[]), None);
    }

    // trap db-3 D21
    #[test]
    fn d21_split_buffers_hold_two_extents_or_nothing() {
        let buffer = split_buffer(&bytes("2c000000 02000000 00000000 00000000")).unwrap();
        assert_eq!((buffer[0].first(), buffer[0].pages, buffer[1].pages), (PageNumber(43), 2, 0));
        assert_eq!(split_buffer(&[]).map(|buffer| buffer[0].pages), Some(0));
        assert_eq!(split_buffer(&[0; 8]), None);
    }
}
