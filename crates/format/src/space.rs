//! Space: what a root says about the pages of its tree, extents, split buffers (`db-3 §6 to §8`).

use crate::units::{ObjectId, PageNumber};

layout! {
    /// What the external header of a root holds.
    pub struct SpaceHeaderFields = "SPACE_HEADER", 16, "db-3 §6" {
        0 pages: u32, "m_cpgPrimary / m_cpgLastAlloc", "", "pages of the primary extent, or, with flag 4, of the last extent obtained";
        4 parent: PageNumber, "m_pgnoParent", "", "root of the tree that the space comes from, 0 for the database's root";
        8 flags: u32, "m_fFlags", "", "1: several extents; 2: keys not unique; 4: `pages` is the last extent obtained";
        12 available_or_owned: u32, "m_rgbitAvail / m_pgnoOE", "", "one extent: bits of available pages; several: root of the owned extents";
    }
}

/// A root's space header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceHeader {
    /// Root of the tree that the space comes from; none for the database's root.
    pub parent: PageNumber,
    /// Keys of the tree are not unique.
    pub non_unique: bool,
    /// Where its pages are recorded.
    pub extents: Extents,
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

impl SpaceHeader {
    /// Parses the 16 bytes; `None` for any other length, and for unknown flags.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != SpaceHeaderFields::SIZE {
            return None;
        }
        let fields = SpaceHeaderFields::read(bytes)?;
        if fields.flags & !7 != 0 {
            return None;
        }
        let (multiple, last_alloc) = (fields.flags & 1 != 0, fields.flags & 4 != 0);
        let extents = if multiple {
            let primary = (!last_alloc).then_some(fields.pages);
            Extents::Multiple { owned: PageNumber(fields.available_or_owned), primary }
        } else {
            Extents::Single { pages: fields.pages, available: fields.available_or_owned }
        };
        Some(Self { parent: fields.parent, non_unique: fields.flags & 2 != 0, extents })
    }
}

impl Extents {
    /// Root of the tree of available extents: the page behind that of the owned ones (trap D2).
    #[must_use]
    pub fn available_root(self) -> Option<PageNumber> {
        match self {
            Self::Multiple { owned, .. } => owned.0.checked_add(1).map(PageNumber),
            Self::Single { .. } => None,
        }
    }
}

/// All that the external header of a root holds (`db-2 §11`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootFields {
    /// The space header.
    pub space: SpaceHeader,
    /// Highest auto-increment value reserved, where the table keeps one.
    pub autoincrement: Option<u64>,
}

impl RootFields {
    /// Parses a root's external header: 16 bytes, or more with a byte of field bits in front (traps D17, D18, R28, R29).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() == SpaceHeaderFields::SIZE {
            return Some(Self { space: SpaceHeader::parse(bytes)?, autoincrement: None });
        }
        let (&present, rest) = bytes.split_first()?;
        if present & HAS_SPACE_HEADER == 0 {
            return None;
        }
        let (space, rest) = rest.split_at_checked(SpaceHeaderFields::SIZE)?;
        let autoincrement = if present & HAS_AUTOINCREMENT == 0 { None } else { Some(u64::from_le_bytes(*rest.first_chunk()?)) };
        Some(Self { space: SpaceHeader::parse(space)?, autoincrement })
    }
}

const HAS_SPACE_HEADER: u8 = 1;
const HAS_AUTOINCREMENT: u8 = 2;

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
        PageNumber(self.last.0 + 1 - self.pages)
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

    // traps D1, D32
    #[test]
    fn d1_d32_the_key_is_the_last_page_big_endian_and_the_data_a_little_endian_count() {
        let extent = Extent::decode(&[0, 0, 0, 0xFE], &[0xDC, 0, 0, 0]).unwrap();
        assert_eq!((extent.first(), extent.last, extent.pages), (PageNumber(35), PageNumber(254), 220));
        assert!(extent.contains(PageNumber(35)) && extent.contains(PageNumber(254)));
        assert!(!extent.contains(PageNumber(34)) && !extent.contains(PageNumber(255)));
    }

    // traps D7, D8
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

    // trap D2
    #[test]
    fn d2_available_extents_begin_behind_the_owned_ones() {
        let root = RootFields::parse(&bytes("fe000000 00000000 01000000 02000000")).unwrap();
        assert_eq!(root.space.extents, Extents::Multiple { owned: PageNumber(2), primary: Some(254) });
        assert_eq!(root.space.extents.available_root(), Some(PageNumber(3)));
        assert_eq!(root.space.parent, PageNumber::NONE);
    }

    // trap D4
    #[test]
    fn d4_with_the_second_form_the_page_count_is_no_primary_extent() {
        let root = RootFields::parse(&bytes("04000000 04000000 05000000 08000000")).unwrap();
        assert_eq!(root.space.extents, Extents::Multiple { owned: PageNumber(8), primary: None });
    }

    // traps D5, D33
    #[test]
    fn d5_d33_a_single_extent_names_its_available_pages_by_bits() {
        let root = RootFields::parse(&bytes("0a000000 01000000 00000000 fc010000")).unwrap();
        assert_eq!(root.space.extents, Extents::Single { pages: 10, available: 0x1FC });
        assert_eq!(root.space.extents.available_root(), None);
    }

    // traps D17, D18, R28, R29
    #[test]
    fn d17_d18_r28_r29_a_longer_header_begins_with_its_field_bits() {
        let mut header = bytes("03 0a000000 01000000 00000000 fc010000");
        header.extend_from_slice(&62_u64.to_le_bytes());
        let root = RootFields::parse(&header).unwrap();
        assert_eq!(root.autoincrement, Some(62));
        assert_eq!(root.space.parent, PageNumber(1));
        assert_eq!(RootFields::parse(&header[..24]), None);
        assert_eq!(RootFields::parse(&[]), None);
    }

    // trap D21
    #[test]
    fn d21_split_buffers_hold_two_extents_or_nothing() {
        let buffer = split_buffer(&bytes("2c000000 02000000 00000000 00000000")).unwrap();
        assert_eq!((buffer[0].first(), buffer[0].pages, buffer[1].pages), (PageNumber(43), 2, 0));
        assert_eq!(split_buffer(&[]).map(|buffer| buffer[0].pages), Some(0));
        assert_eq!(split_buffer(&[0; 8]), None);
    }
}
