//! Nodes: key and data of one line (`db-2 §10, §11`).

/// Key lengths have 13 bits; the three above are node flags on large pages.
pub(super) const LENGTH_MASK: u16 = 0x1FFF;
/// Where the three flag bits begin, in a tag or in a node's first word.
pub(super) const FLAGS_SHIFT: u32 = 13;

/// The three flags of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeFlags(pub u8);

impl NodeFlags {
    /// None.
    pub const NONE: Self = Self(0);
    /// A running engine may hold a version of it; noise in a file at rest (trap D12).
    pub const VERSION: Self = Self(1);
    /// Logically deleted.
    pub const DELETED: Self = Self(2);
    /// Its key begins with bytes of the page prefix.
    pub const COMPRESSED: Self = Self(4);

    /// Whether the node is logically deleted.
    #[must_use]
    pub const fn is_deleted(self) -> bool {
        self.0 & Self::DELETED.0 != 0
    }
    /// Whether the node may have a version.
    #[must_use]
    pub const fn is_versioned(self) -> bool {
        self.0 & Self::VERSION.0 != 0
    }
    /// Whether the key begins with bytes of the page prefix.
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.0 & Self::COMPRESSED.0 != 0
    }
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
}

/// One node, borrowed from its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// Flags.
    pub flags: NodeFlags,
    /// How many bytes of the page prefix its key begins with.
    pub prefix_length: u16,
    /// The rest of the key.
    pub suffix: &'a [u8],
    /// The record, index entry, extent, or child page number.
    pub data: &'a [u8],
}

impl<'a> Node<'a> {
    /// Parses the bytes of a line; `None` where its lengths do not fit.
    #[must_use]
    pub fn parse(bytes: &'a [u8], flags: NodeFlags) -> Option<Self> {
        let (prefix_length, rest) = if flags.is_compressed() { length(bytes)? } else { (0, bytes) };
        let (suffix_length, rest) = length(rest)?;
        let (suffix, data) = rest.split_at_checked(suffix_length.into())?;
        Some(Self { flags, prefix_length, suffix, data })
    }
    /// Bytes of the line.
    #[must_use]
    pub fn size(&self) -> usize {
        head_size(self.flags) + self.suffix.len() + self.data.len()
    }
    /// Bytes of its key.
    #[must_use]
    pub fn key_length(&self) -> usize {
        usize::from(self.prefix_length) + self.suffix.len()
    }
    /// The page number that an inner node's data holds; `None` where the data is not four bytes.
    #[must_use]
    pub fn child(&self) -> Option<crate::units::PageNumber> {
        Some(crate::units::PageNumber(u32::from_le_bytes(self.data.try_into().ok()?)))
    }
}

/// Bytes in front of the suffix.
pub(super) const fn head_size(flags: NodeFlags) -> usize {
    if flags.is_compressed() { 4 } else { 2 }
}

fn length(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (raw, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_le_bytes(*raw) & LENGTH_MASK, rest))
}
