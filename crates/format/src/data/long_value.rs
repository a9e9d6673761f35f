//! The long-value tree: identifiers, keys, roots, chunk sizes (`db-5 §2 to §5`).

use crate::units::PageSize;
use std::fmt;

/// Identifier of a long value in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LongValueId {
    /// Four bytes.
    Short(u32),
    /// Eight bytes, bit 63 set: common since Windows 10 2004 (trap L26).
    Wide(u64),
}

impl LongValueId {
    /// From a record, where it is little-endian (trap L1); `None` unless it is a legal identifier.
    #[must_use]
    pub fn from_record(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [a, b, c, d] => Self::short(u32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => Self::wide(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }
    /// Its bytes in keys: big-endian.
    #[must_use]
    pub fn key(self) -> Vec<u8> {
        match self {
            Self::Short(id) => id.to_be_bytes().into(),
            Self::Wide(id) => id.to_be_bytes().into(),
        }
    }
    /// Key of the chunk at `offset` of the uncompressed value.
    #[must_use]
    pub fn chunk_key(self, offset: u32) -> Vec<u8> {
        let mut key = self.key();
        key.extend_from_slice(&offset.to_be_bytes());
        key
    }

    fn short(id: u32) -> Option<Self> {
        (1..=0x7FFF_FFFF).contains(&id).then_some(Self::Short(id))
    }
    fn wide(id: u64) -> Option<Self> {
        (0x8000_0000_8000_0001..=0x80FF_FFFF_FFFF_FFFF).contains(&id).then_some(Self::Wide(id))
    }
}

impl fmt::Display for LongValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(id) => write!(f, "{id:#x}"),
            Self::Wide(id) => write!(f, "{id:#x}"),
        }
    }
}

/// What a key of a long-value tree names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LongValueKey {
    /// The root of a value.
    Root(LongValueId),
    /// The chunk of a value that begins at a byte of the uncompressed value.
    Chunk(LongValueId, u32),
}

impl LongValueKey {
    /// Parses a key; `None` for any other form.
    ///
    /// Eight bytes are a chunk of a short identifier unless the first has its top bit set (trap L2).
    #[must_use]
    pub fn parse(key: &[u8]) -> Option<Self> {
        let short = |bytes: [u8; 4]| LongValueId::short(u32::from_be_bytes(bytes));
        let wide = |bytes: [u8; 8]| LongValueId::wide(u64::from_be_bytes(bytes));
        match *key {
            [a, b, c, d] => Some(Self::Root(short([a, b, c, d])?)),
            [a, b, c, d, e, f, g, h] if a & 0x80 != 0 => Some(Self::Root(wide([a, b, c, d, e, f, g, h])?)),
            [a, b, c, d, e, f, g, h] => Some(Self::Chunk(short([a, b, c, d])?, u32::from_be_bytes([e, f, g, h]))),
            [a, b, c, d, e, f, g, h, i, j, k, l] => {
                Some(Self::Chunk(wide([a, b, c, d, e, f, g, h])?, u32::from_be_bytes([i, j, k, l])))
            }
            _ => None,
        }
    }
    /// The value that the key belongs to.
    #[must_use]
    pub const fn id(self) -> LongValueId {
        match self {
            Self::Root(id) | Self::Chunk(id, _) => id,
        }
    }
}

layout! {
    /// Data of a long value's root node; a ninth byte holds flags where any is set.
    pub struct LongValueRootFields = "LVROOT", 8, "db-5 §4" {
        0 references: u32, "ulReference", "", "instances in records that point to the value";
        4 size: u32, "ulSize", "", "bytes, uncompressed and decrypted";
    }
}

/// A long value's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongValueRoot {
    /// Instances in records that point to it; 0: a cleaner will delete it; [`Self::DELETING`]: deletion has begun (trap L7).
    pub references: u32,
    /// Bytes, uncompressed and decrypted; at most [`Self::LARGEST`].
    pub size: u32,
    /// Flags: 1 = encrypted.
    pub flags: u8,
}

impl LongValueRoot {
    /// Reference count of a value whose deletion has begun: chunks may be gone.
    pub const DELETING: u32 = u32::MAX;
    /// Largest legal size.
    pub const LARGEST: u32 = 0x7FFF_FFFF;

    /// Parses the root's data: eight bytes, or nine with flags (trap L20).
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let flags = match data.len() {
            8 => 0,
            9 => data[8],
            _ => return None,
        };
        let LongValueRootFields { references, size } = LongValueRootFields::read(data)?;
        (size <= Self::LARGEST).then_some(Self { references, size, flags })
    }
    /// Whether something points to it and its chunks must be whole.
    #[must_use]
    pub const fn is_live(self) -> bool {
        self.references != 0 && self.references != Self::DELETING
    }
    /// Whether its chunks are encrypted.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        self.flags & 1 != 0
    }
}

/// Uncompressed bytes of every chunk but the last, unless the table's catalog row says otherwise (traps L3, L4, L6).
#[must_use]
pub const fn chunk_size(page_size: PageSize) -> u32 {
    match page_size.bytes() {
        2048 => 1966,
        8192 => 8110,
        16384 => 4050,
        32768 => 8150,
        _ => 4014,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // trap L1
    #[test]
    fn l1_an_id_is_little_endian_in_records_and_big_endian_in_keys() {
        let id = LongValueId::from_record(&[4, 3, 2, 1]).unwrap();
        assert_eq!(id, LongValueId::Short(0x0102_0304));
        assert_eq!(id.key(), [1, 2, 3, 4]);
        assert_eq!(id.chunk_key(0xFAE), [1, 2, 3, 4, 0, 0, 0x0F, 0xAE]);
    }

    // trap L2
    #[test]
    fn l2_eight_bytes_are_a_chunk_unless_the_top_bit_is_set() {
        let chunk = LongValueKey::parse(&[0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(chunk, Some(LongValueKey::Chunk(LongValueId::Short(1), 0)));
        let root = LongValueKey::parse(&[0x80, 0, 0, 0, 0x80, 0, 0, 1]);
        assert_eq!(root, Some(LongValueKey::Root(LongValueId::Wide(0x8000_0000_8000_0001))));
        assert_eq!(LongValueKey::parse(&[1, 2, 3]), None);
        assert_eq!(LongValueKey::parse(&[0; 4]), None);
    }

    // traps L3, L4
    #[test]
    fn l3_l4_chunk_sizes_follow_the_page_size_but_not_in_step() {
        let sizes = PageSize::ALL.map(chunk_size);
        assert_eq!(sizes, [1966, 4014, 8110, 4050, 8150]);
    }

    // traps L7, L20
    #[test]
    fn l7_l20_a_root_has_eight_or_nine_bytes_and_all_ones_mean_deleting() {
        let root = LongValueRoot::parse(&[255, 255, 255, 255, 9, 0, 0, 0]).unwrap();
        assert!(!root.is_live());
        let unreferenced = LongValueRoot::parse(&[0, 0, 0, 0, 9, 0, 0, 0]).unwrap();
        assert!(!unreferenced.is_live());
        let encrypted = LongValueRoot::parse(&[1, 0, 0, 0, 9, 0, 0, 0, 1]).unwrap();
        assert!(encrypted.is_live() && encrypted.is_encrypted());
        assert_eq!(LongValueRoot::parse(&[0; 7]), None);
        assert_eq!(LongValueRoot::parse(&[1, 0, 0, 0, 0, 0, 0, 0x80]), None);
    }

    // trap L26
    #[test]
    fn l26_eight_bytes_in_a_record_are_a_wide_id() {
        let id = LongValueId::from_record(&[0x66, 0, 0, 0x80, 0, 0, 0, 0x80]).unwrap();
        assert_eq!(id, LongValueId::Wide(0x8000_0000_8000_0066));
        assert_eq!(id.key(), [0x80, 0, 0, 0, 0x80, 0, 0, 0x66]);
        assert_eq!(LongValueId::from_record(&[1, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
