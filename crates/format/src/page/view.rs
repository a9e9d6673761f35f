//! Reading a page.

use super::PageFlags;
use super::check::Fault;
use super::header::{RESERVED_TAGS_SHIFT, TAG_COUNT_MASK, field, large_field};
use super::node::{FLAGS_SHIFT, Node, NodeFlags};
use crate::units::{Dbtime, ObjectId, PageNumber, PageSize};
use std::cmp::Ordering;

/// A page image of a legal size. Nothing in it has been checked; every accessor answers for any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    bytes: &'a [u8],
    size: PageSize,
}

/// Where a line's bytes lie: offset in the data area and length (`db-2 §9`, trap D1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub offset: usize,
    pub length: usize,
    /// The three node flags of small pages; on large pages they lie in the node (trap D2).
    pub flags: NodeFlags,
}

impl<'a> Page<'a> {
    /// A view of `bytes`; `None` unless their length is a legal page size.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let size = u32::try_from(bytes.len()).ok().filter(|&length| length != 0).and_then(PageSize::from_field)?;
        Some(Self { bytes, size })
    }
    /// The image.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// Its size.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.size
    }
    /// Page time.
    #[must_use]
    pub fn dbtime(&self) -> Dbtime {
        field::dbtime.get(self.bytes)
    }
    /// Left sibling.
    #[must_use]
    pub fn previous(&self) -> PageNumber {
        field::previous.get(self.bytes)
    }
    /// Right sibling.
    #[must_use]
    pub fn next(&self) -> PageNumber {
        field::next.get(self.bytes)
    }
    /// The tree it belongs to.
    #[must_use]
    pub fn objid(&self) -> ObjectId {
        field::objid.get(self.bytes)
    }
    /// Flags.
    #[must_use]
    pub fn flags(&self) -> PageFlags {
        field::flags.get(self.bytes)
    }
    /// Free bytes, gaps included.
    #[must_use]
    pub fn free(&self) -> u16 {
        field::free.get(self.bytes)
    }
    /// Free bytes that a rollback may claim back.
    #[must_use]
    pub fn uncommitted_free(&self) -> u16 {
        field::uncommitted_free.get(self.bytes)
    }
    /// Offset in the data area behind the last used byte.
    #[must_use]
    pub fn data_end(&self) -> u16 {
        field::data_end.get(self.bytes)
    }
    /// The page number that a large page carries; `None` on small pages.
    #[must_use]
    pub fn number(&self) -> Option<PageNumber> {
        self.size.is_large().then(|| large_field::number.get(self.bytes))
    }
    /// Whether every byte is zero: never initialised (trap D5).
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.bytes.iter().all(|&byte| byte == 0)
    }
    /// Tags, reserved ones included.
    #[must_use]
    pub fn tags(&self) -> u16 {
        field::tag_state.get(self.bytes) & TAG_COUNT_MASK
    }
    /// Reserved tags, the external header included: at least 1 (trap D3).
    #[must_use]
    pub fn reserved_tags(&self) -> u16 {
        ((field::tag_state.get(self.bytes) >> RESERVED_TAGS_SHIFT) & 7).max(1)
    }
    /// Lines: nodes on the page.
    #[must_use]
    pub fn lines(&self) -> u16 {
        self.tags().saturating_sub(self.reserved_tags())
    }
    /// The node of a line, counted from 0.
    ///
    /// # Errors
    /// [`Fault`] where there is no such line or its bytes do not lie on the page.
    pub fn line(&self, line: u16) -> Result<Node<'a>, Fault> {
        let index = line.checked_add(self.reserved_tags()).ok_or(Fault::NoSuchLine)?;
        let tag = self.tag(index)?;
        let bytes = self.tag_bytes(tag)?;
        Node::parse(bytes, self.node_flags(tag, bytes)).ok_or(Fault::NodeLengths)
    }
    /// Tag 0: the prefix of the page, or a root's space header and other fields (`db-2 §11`).
    ///
    /// # Errors
    /// [`Fault`] where its bytes do not lie on the page.
    pub fn external_header(&self) -> Result<&'a [u8], Fault> {
        if self.tags() == 0 {
            return Ok(&[]);
        }
        self.tag_bytes(self.tag(0)?)
    }
    /// The bytes that compressed keys begin with: empty on roots (trap D14).
    ///
    /// # Errors
    /// As [`Self::external_header`].
    pub fn prefix(&self) -> Result<&'a [u8], Fault> {
        if self.flags().is_root() { Ok(&[]) } else { self.external_header() }
    }
    /// Writes the node's whole key to `key`, replacing what it held.
    ///
    /// # Errors
    /// [`Fault::PrefixTooLong`] where the page's prefix is shorter than the node says.
    pub fn key(&self, node: &Node<'_>, key: &mut Vec<u8>) -> Result<(), Fault> {
        key.clear();
        if node.prefix_length > 0 {
            key.extend_from_slice(self.prefix()?.get(..node.prefix_length.into()).ok_or(Fault::PrefixTooLong)?);
        }
        key.extend_from_slice(node.suffix);
        Ok(())
    }
    /// Compares the node's whole key with `key`.
    ///
    /// # Errors
    /// As [`Self::key`].
    pub fn compare_key(&self, node: &Node<'_>, key: &[u8]) -> Result<Ordering, Fault> {
        let length = usize::from(node.prefix_length);
        let prefix = if length > 0 { self.prefix()?.get(..length).ok_or(Fault::PrefixTooLong)? } else { &[] };
        let common = length.min(key.len());
        Ok(prefix[..common].cmp(&key[..common]).then_with(|| match key.get(length..) {
            Some(rest) => node.suffix.cmp(rest),
            None => Ordering::Greater,
        }))
    }

    /// A tag, reserved ones included: offset in the data area and length of what it points to.
    ///
    /// # Errors
    /// [`Fault`] where there is no such tag.
    pub fn place_of(&self, tag: u16) -> Result<(usize, usize), Fault> {
        self.tag(tag).map(|tag| (tag.offset, tag.length))
    }

    /// Bytes from the header's end to the page's end.
    pub(super) const fn data_area(&self) -> usize {
        self.size.bytes() - self.size.header()
    }
    pub(super) fn tag(&self, index: u16) -> Result<Tag, Fault> {
        if index >= self.tags() {
            return Err(Fault::NoSuchLine);
        }
        let at = self
            .bytes
            .len()
            .checked_sub(4 * (usize::from(index) + 1))
            .filter(|&at| at >= self.size.header())
            .ok_or(Fault::TagArrayWalkingOntoPghdr)?;
        let length = u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]);
        let offset = u16::from_le_bytes([self.bytes[at + 2], self.bytes[at + 3]]);
        Ok(if self.size.is_large() {
            Tag { offset: (offset & 0x7FFF).into(), length: (length & 0x7FFF).into(), flags: NodeFlags::NONE }
        } else {
            let flags = NodeFlags((offset >> FLAGS_SHIFT) as u8);
            Tag { offset: (offset & 0x1FFF).into(), length: (length & 0x1FFF).into(), flags }
        })
    }
    pub(super) fn tag_bytes(&self, tag: Tag) -> Result<&'a [u8], Fault> {
        // The offset of an empty line means nothing (trap D4).
        if tag.length == 0 {
            return Ok(&[]);
        }
        let start = self.size.header() + tag.offset;
        self.bytes.get(start..start + tag.length).ok_or(Fault::TagBeyondEndOfPage)
    }
    pub(super) fn node_flags(&self, tag: Tag, bytes: &[u8]) -> NodeFlags {
        match (self.size.is_large(), bytes) {
            (false, _) => tag.flags,
            (true, [_, second, ..]) => NodeFlags(second >> (FLAGS_SHIFT - 8)),
            (true, _) => NodeFlags::NONE,
        }
    }
}
