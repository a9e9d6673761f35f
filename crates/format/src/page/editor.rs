//! The only code that moves bytes inside a page (`db-2 §14`, `log-4 §6`). Placement follows Microsoft's engine, so that
//! pages come out equal byte for byte wherever the history of a page is the same.

use super::PageFlags;
use super::check::Fault;
use super::header::{RESERVED_TAGS_SHIFT, TAG_COUNT_MASK, field, large_field};
use super::node::{FLAGS_SHIFT, LENGTH_MASK, Node, NodeFlags, head_size};
use super::view::{Page, Tag};
use crate::units::{Dbtime, ObjectId, PageNumber, PageSize};

/// Why an edit cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// Not enough free bytes.
    Space,
    /// No such line.
    Line,
    /// What is there is damaged.
    Damaged(Fault),
}

impl From<Fault> for NoRoom {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSuchLine => Self::Line,
            other => Self::Damaged(other),
        }
    }
}

/// A node to be stored. The compressed flag follows from `prefix_length`.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// Version and deleted flags.
    pub flags: NodeFlags,
    /// How many bytes of the page prefix the key begins with; 0: stored uncompressed.
    pub prefix_length: u16,
    /// The rest of the key.
    pub suffix: &'a [u8],
    /// The data.
    pub data: &'a [u8],
}

impl NewNode<'_> {
    fn stored_flags(&self) -> NodeFlags {
        let flags = self.flags.without(NodeFlags::COMPRESSED);
        if self.prefix_length > 0 { flags.with(NodeFlags::COMPRESSED) } else { flags }
    }
    /// Bytes of the line.
    #[must_use]
    pub fn size(&self) -> usize {
        head_size(self.stored_flags()) + self.suffix.len() + self.data.len()
    }
}

/// A page being changed. Callers stamp the page time; an edit for which the line or the room is missing changes nothing.
#[derive(Debug)]
pub struct PageEditor<'a> {
    bytes: &'a mut [u8],
    size: PageSize,
}

impl<'a> PageEditor<'a> {
    /// An editor over a page image; `None` unless its length is a legal page size.
    #[must_use]
    pub fn new(bytes: &'a mut [u8]) -> Option<Self> {
        let size = Page::new(bytes)?.size();
        Some(Self { bytes, size })
    }
    /// The number of tags that a page of any length claims to have: for images whose free space was cut out.
    #[must_use]
    pub fn tags_of(bytes: &[u8]) -> Option<u16> {
        Some(super::header::PageHeader::read(bytes)?.tag_state & TAG_COUNT_MASK)
    }
    /// Adds to the free bytes: for free space put back into an image.
    pub fn add_free(&mut self, bytes: usize) {
        self.set_free(usize::from(self.page().free()) + bytes);
    }
    /// The page as it stands.
    ///
    /// # Panics
    /// Never: the length was checked when the editor was made.
    #[must_use]
    pub fn page(&self) -> Page<'_> {
        Page::new(self.bytes).expect("the length was checked when the editor was made")
    }
    /// Sets the page time.
    pub fn set_dbtime(&mut self, dbtime: Dbtime) {
        field::dbtime.set(self.bytes, dbtime);
    }
    /// Sets the left sibling.
    pub fn set_previous(&mut self, page: PageNumber) {
        field::previous.set(self.bytes, page);
    }
    /// Sets the right sibling.
    pub fn set_next(&mut self, page: PageNumber) {
        field::next.set(self.bytes, page);
    }
    /// Sets the flags.
    pub fn set_flags(&mut self, flags: PageFlags) {
        field::flags.set(self.bytes, flags);
    }
    /// Sets the bytes reserved for rollback.
    ///
    /// # Errors
    /// [`NoRoom::Space`] for more than are free.
    pub fn set_uncommitted_free(&mut self, bytes: u16) -> Result<(), NoRoom> {
        if bytes > self.page().free() {
            return Err(NoRoom::Space);
        }
        field::uncommitted_free.set(self.bytes, bytes);
        Ok(())
    }
    /// Sets the own page number that large pages carry; nothing on small pages.
    pub fn set_number(&mut self, number: PageNumber) {
        if self.size.is_large() {
            large_field::number.set(self.bytes, number);
        }
    }

    /// Makes the image a new page that is allocated but not yet used (`log-4 §6`).
    pub fn format_pre_init(&mut self, number: PageNumber, objid: ObjectId, dbtime: Dbtime) {
        self.bytes.fill(0);
        field::objid.set(self.bytes, objid);
        self.set_dbtime(dbtime);
        self.set_flags(PageFlags::PRE_INIT.with(PageFlags::NEW_RECORD_FORMAT));
        self.set_free(self.page().data_area());
        self.set_number(number);
    }
    /// Makes the image a new page of the given kind, with an empty external header and no lines.
    pub fn format_new(&mut self, number: PageNumber, objid: ObjectId, dbtime: Dbtime, flags: PageFlags) {
        self.format_pre_init(number, objid, dbtime);
        self.set_flags(flags.logged().with(PageFlags::NEW_RECORD_FORMAT).without(PageFlags::PRE_INIT));
        self.set_tags(1);
        self.write_tag(0, 0, 0, NodeFlags::NONE);
        self.set_free(self.page().data_area() - 4);
    }
    /// Makes the page one that a merge emptied: no prefix, no lines, flagged (`log-4 §11`). Siblings and objid stay.
    ///
    /// # Errors
    /// [`NoRoom::Damaged`] for a page without an external header or with lines outside it.
    pub fn make_empty(&mut self) -> Result<(), NoRoom> {
        self.set_external_header(&[])?;
        self.delete_from(0)?;
        self.set_flags(self.page().flags().with(PageFlags::EMPTY));
        Ok(())
    }

    /// Inserts a node before `line`. The rollback reserve is given up when only that makes room (`log-4 §6`).
    ///
    /// # Errors
    /// [`NoRoom`] where the line or the room does not exist.
    pub fn insert(&mut self, line: u16, node: &NewNode<'_>) -> Result<(), NoRoom> {
        let page = self.page();
        let index = line.checked_add(page.reserved_tags()).ok_or(NoRoom::Line)?;
        if index > page.tags() || page.tags() == TAG_COUNT_MASK {
            return Err(NoRoom::Line);
        }
        let size = node.size();
        let free = usize::from(page.free());
        if free < size + 4 {
            return Err(NoRoom::Space);
        }
        if size + 4 > free.saturating_sub(page.uncommitted_free().into()) {
            field::uncommitted_free.set(self.bytes, 0);
        }
        let start = self.make_contiguous(size + 4)?;
        let tags = self.page().tags();
        let array = self.bytes.len() - 4 * (usize::from(tags) + 1);
        let from = self.bytes.len() - 4 * usize::from(tags);
        let to = self.bytes.len() - 4 * usize::from(index);
        self.bytes.copy_within(from..to, array);
        self.set_tags(tags + 1);
        self.write_node(start, node);
        self.write_tag(index, start, size, node.stored_flags());
        self.set_data_end(start + size);
        self.set_free(free - size - 4);
        Ok(())
    }

    /// Removes a line.
    ///
    /// # Errors
    /// [`NoRoom`] where there is no such line.
    pub fn delete(&mut self, line: u16) -> Result<(), NoRoom> {
        let page = self.page();
        let index = line.checked_add(page.reserved_tags()).ok_or(NoRoom::Line)?;
        let tag = self.checked_tag(index)?;
        let tags = page.tags();
        let free = usize::from(page.free()) + tag.length + 4;
        if tag.offset + tag.length == usize::from(page.data_end()) {
            self.set_data_end(tag.offset);
        }
        let from = self.bytes.len() - 4 * usize::from(tags);
        let to = self.bytes.len() - 4 * (usize::from(index) + 1);
        self.bytes.copy_within(from..to, from + 4);
        self.set_tags(tags - 1);
        self.set_free(free);
        if free + 4 * usize::from(tags - 1) == self.page().data_area() {
            self.set_data_end(0);
        }
        Ok(())
    }
    /// Removes all lines from `line` on, highest first.
    ///
    /// # Errors
    /// [`NoRoom::Damaged`] where a line lies outside the page.
    pub fn delete_from(&mut self, line: u16) -> Result<(), NoRoom> {
        (line..self.page().lines()).rev().try_for_each(|at| self.delete(at))
    }

    /// Replaces the data of a node; key encoding and flags stay.
    ///
    /// # Errors
    /// [`NoRoom`] where the line or the room does not exist.
    pub fn replace_data(&mut self, line: u16, data: &[u8]) -> Result<(), NoRoom> {
        let page = self.page();
        let node = page.line(line)?;
        let grows = data.len() > node.data.len();
        if data.len() <= node.data.len() {
            let (index, key) = (line + page.reserved_tags(), node.size() - node.data.len());
            let tag = self.checked_tag(index)?;
            self.shrink_in_place(index, tag, key + data.len());
            let start = self.size.header() + tag.offset + key;
            self.bytes[start..start + data.len()].copy_from_slice(data);
            return Ok(());
        }
        let suffix = node.suffix.to_vec();
        let flags = node.flags;
        let new = NewNode { flags, prefix_length: node.prefix_length, suffix: &suffix, data };
        self.replace_node(line, &new)?;
        if grows && self.page().uncommitted_free() > 0 {
            field::uncommitted_free.set(self.bytes, 0);
        }
        Ok(())
    }
    /// Replaces a whole node: key encoding, data and flags.
    ///
    /// # Errors
    /// [`NoRoom`] where the line or the room does not exist.
    pub fn replace_node(&mut self, line: u16, node: &NewNode<'_>) -> Result<(), NoRoom> {
        let index = line.checked_add(self.page().reserved_tags()).ok_or(NoRoom::Line)?;
        let start = self.resize(index, node.size())?;
        self.write_node(start, node);
        self.write_tag(index, start, node.size(), node.stored_flags());
        Ok(())
    }
    /// Sets tag 0, whole.
    ///
    /// # Errors
    /// [`NoRoom::Space`] where it does not fit; [`NoRoom::Line`] on a page without tags.
    pub fn set_external_header(&mut self, header: &[u8]) -> Result<(), NoRoom> {
        let start = self.resize(0, header.len())?;
        let at = self.size.header() + start;
        self.bytes[at..at + header.len()].copy_from_slice(header);
        self.write_tag(0, start, header.len(), NodeFlags::NONE);
        Ok(())
    }
    /// Sets the version and deleted flags of a node; whether it is compressed stays.
    ///
    /// # Errors
    /// [`NoRoom`] where there is no such line.
    pub fn set_node_flags(&mut self, line: u16, flags: NodeFlags) -> Result<(), NoRoom> {
        let page = self.page();
        let node = page.line(line)?;
        let compressed = node.flags.is_compressed();
        let index = line + page.reserved_tags();
        let tag = self.checked_tag(index)?;
        let flags = flags.without(NodeFlags::COMPRESSED);
        let flags = if compressed { flags.with(NodeFlags::COMPRESSED) } else { flags };
        if self.size.is_large() {
            let at = self.size.header() + tag.offset;
            self.write_flags_word(at, flags);
        } else {
            self.write_tag(index, tag.offset, tag.length, flags);
        }
        Ok(())
    }
    /// Overwrites bytes inside a node's data.
    ///
    /// # Errors
    /// [`NoRoom`] where there is no such line or the bytes do not lie inside its data.
    pub fn patch_data(&mut self, line: u16, offset: usize, bytes: &[u8]) -> Result<(), NoRoom> {
        let page = self.page();
        let node = page.line(line)?;
        let end = offset.checked_add(bytes.len()).filter(|&end| end <= node.data.len()).ok_or(NoRoom::Space)?;
        let head = node.size() - node.data.len();
        let tag = self.checked_tag(line + page.reserved_tags())?;
        let start = self.size.header() + tag.offset + head;
        self.bytes[start + offset..start + end].copy_from_slice(bytes);
        Ok(())
    }
    /// Fills gaps between lines and the free space behind them, as scrubbing does.
    pub fn fill_unused(&mut self, fill: u8) {
        let page = self.page();
        let header = self.size.header();
        let area = page.data_area().saturating_sub(4 * usize::from(page.tags()));
        let mut used: Vec<(usize, usize)> =
            (0..page.tags()).filter_map(|index| page.tag(index).ok()).map(|tag| (tag.offset, tag.length)).collect();
        used.sort_unstable();
        let mut at = 0;
        for (offset, length) in used.into_iter().chain([(area, 0)]) {
            if at < offset && offset <= area {
                self.bytes[header + at..header + offset].fill(fill);
            }
            at = at.max(offset + length);
        }
    }
    /// Makes the image a copy of another page, with its own number.
    pub fn copy_from(&mut self, source: Page<'_>, number: PageNumber) {
        self.bytes.copy_from_slice(source.bytes());
        self.set_number(number);
    }

    /// Gives tag `index` room for `length` bytes and accounts for it; returns the offset in the data area. Contents are not kept.
    fn resize(&mut self, index: u16, length: usize) -> Result<usize, NoRoom> {
        let tag = self.checked_tag(index)?;
        if length <= tag.length {
            self.shrink_in_place(index, tag, length);
            // The offset of an empty tag means nothing, and may lie anywhere (trap D4).
            return Ok(if length == 0 { 0 } else { tag.offset });
        }
        let page = self.page();
        let (free, growth) = (usize::from(page.free()), length - tag.length);
        if free < growth {
            return Err(NoRoom::Space);
        }
        let last = tag.length > 0 && tag.offset + tag.length == usize::from(page.data_end());
        let start = if last && self.contiguous() >= growth {
            tag.offset
        } else {
            self.give_up(index, tag);
            self.make_contiguous(length)?
        };
        self.set_free(free - growth);
        self.set_data_end(start + length);
        Ok(start)
    }
    fn shrink_in_place(&mut self, index: u16, tag: Tag, length: usize) {
        let saved = tag.length - length;
        if tag.length > 0 && tag.offset + tag.length == usize::from(self.page().data_end()) {
            self.set_data_end(tag.offset + length);
        }
        self.set_free(usize::from(self.page().free()) + saved);
        self.write_tag(index, tag.offset, length, tag.flags);
    }
    /// Frees the bytes of a tag without removing it.
    fn give_up(&mut self, index: u16, tag: Tag) {
        self.write_tag(index, tag.offset, 0, tag.flags);
    }

    /// Contiguous free bytes behind the data.
    fn contiguous(&self) -> usize {
        let page = self.page();
        page.data_area().saturating_sub(4 * usize::from(page.tags()) + usize::from(page.data_end()))
    }
    /// Makes sure that `length` bytes are free behind the data; returns where they begin.
    fn make_contiguous(&mut self, length: usize) -> Result<usize, NoRoom> {
        if self.contiguous() < length {
            self.reorganise()?;
            if self.contiguous() < length {
                return Err(NoRoom::Damaged(Fault::SpaceSizeMismatch));
            }
        }
        Ok(self.page().data_end().into())
    }
    /// Moves all data down, in the order of its offsets, so that no gap is left.
    fn reorganise(&mut self) -> Result<(), NoRoom> {
        let page = self.page();
        let mut order = Vec::with_capacity(page.tags().into());
        for index in 0..page.tags() {
            order.push((index, self.checked_tag(index)?));
        }
        order.sort_by_key(|(_, tag)| tag.offset);
        // Overlapping lines would be torn apart by the move.
        let mut end = 0;
        for (_, tag) in order.iter().filter(|(_, tag)| tag.length > 0) {
            if tag.offset < end {
                return Err(NoRoom::Damaged(Fault::TagsOverlap));
            }
            end = tag.offset + tag.length;
        }
        let header = self.size.header();
        let mut to = 0;
        for (index, tag) in order {
            if tag.length > 0 {
                self.bytes.copy_within(header + tag.offset..header + tag.offset + tag.length, header + to);
            }
            self.write_tag(index, to, tag.length, tag.flags);
            to += tag.length;
        }
        self.set_data_end(to);
        Ok(())
    }

    fn checked_tag(&self, index: u16) -> Result<Tag, NoRoom> {
        let page = self.page();
        let tag = page.tag(index)?;
        page.tag_bytes(tag)?;
        if tag.length > 0 && tag.offset + tag.length > usize::from(page.data_end()) {
            return Err(NoRoom::Damaged(Fault::TagInFreeSpace));
        }
        if usize::from(page.data_end()) + 4 * usize::from(page.tags()) > page.data_area() {
            return Err(NoRoom::Damaged(Fault::TagArrayTooBigToLeaveDataRoom));
        }
        Ok(tag)
    }
    fn write_node(&mut self, start: usize, node: &NewNode<'_>) {
        let flags = node.stored_flags();
        let mut at = self.size.header() + start;
        let mut put = |bytes: &[u8]| {
            self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        if flags.is_compressed() {
            put(&(node.prefix_length & LENGTH_MASK).to_le_bytes());
        }
        // A key never exceeds 13 bits: longer ones do not fit any page.
        let suffix = u16::try_from(node.suffix.len()).unwrap_or(u16::MAX) & LENGTH_MASK;
        put(&suffix.to_le_bytes());
        put(node.suffix);
        put(node.data);
        if self.size.is_large() {
            self.write_flags_word(self.size.header() + start, flags);
        }
    }
    fn write_flags_word(&mut self, at: usize, flags: NodeFlags) {
        if let Some(high) = self.bytes.get_mut(at + 1) {
            *high = (*high & 0x1F) | flags.0 << (FLAGS_SHIFT - 8);
        }
    }
    fn write_tag(&mut self, index: u16, offset: usize, length: usize, flags: NodeFlags) {
        let at = self.bytes.len() - 4 * (usize::from(index) + 1);
        let small_flags = if self.size.is_large() || index == 0 { 0 } else { u16::from(flags.0) << FLAGS_SHIFT };
        self.bytes[at..at + 2].copy_from_slice(&to_u16(length).to_le_bytes());
        self.bytes[at + 2..at + 4].copy_from_slice(&(to_u16(offset) | small_flags).to_le_bytes());
    }
    fn set_tags(&mut self, count: u16) {
        let reserved = field::tag_state.get(self.bytes) >> RESERVED_TAGS_SHIFT << RESERVED_TAGS_SHIFT;
        field::tag_state.set(self.bytes, reserved | (count & TAG_COUNT_MASK));
    }
    fn set_free(&mut self, bytes: usize) {
        field::free.set(self.bytes, to_u16(bytes));
    }
    fn set_data_end(&mut self, offset: usize) {
        field::data_end.set(self.bytes, to_u16(offset));
    }
}

/// Node contents that outlive a change of their page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedNode {
    /// Flags.
    pub flags: NodeFlags,
    /// Bytes of the page prefix that the key begins with.
    pub prefix_length: u16,
    /// The rest of the key.
    pub suffix: Vec<u8>,
    /// The data.
    pub data: Vec<u8>,
}

impl From<Node<'_>> for OwnedNode {
    fn from(node: Node<'_>) -> Self {
        Self { flags: node.flags, prefix_length: node.prefix_length, suffix: node.suffix.to_vec(), data: node.data.to_vec() }
    }
}

/// Offsets on a page fit 16 bits: the largest page has 32768 bytes.
fn to_u16(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}
