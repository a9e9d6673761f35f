//! Trees built from their leaves up, of entries that come in order.

use anchorlog_checksum::set_page_checksum;
use anchorlog_format::page::{NewNode, NodeFlags, PageEditor, PageFlags};
use anchorlog_format::units::{Dbtime, ObjectId, PageNumber, PageSize};
use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};

type Result<T> = std::result::Result<T, String>;

/// Page numbers in turn, and the file into which the pages go.
pub struct Pages {
    out: BufWriter<File>,
    /// Where the next byte goes.
    at: PageNumber,
    /// Page size.
    pub size: PageSize,
    /// The first one.
    pub first: PageNumber,
    /// The next one that is free.
    pub next: PageNumber,
    /// Page time of every page.
    pub dbtime: Dbtime,
}

impl Pages {
    /// `out` stands where page `first` belongs.
    pub const fn new(out: BufWriter<File>, size: PageSize, first: PageNumber, dbtime: Dbtime) -> Self {
        Self { out, at: first, size, first, next: first, dbtime }
    }
    /// A page number.
    pub const fn take(&mut self) -> PageNumber {
        let page = self.next;
        self.next = PageNumber(page.0 + 1);
        page
    }
    /// Writes a page, sealed.
    ///
    /// # Errors
    /// The storage's, in words.
    pub fn write_at(&mut self, number: PageNumber, mut image: Vec<u8>) -> Result<()> {
        set_page_checksum(&mut image, number.0);
        let say = |error: std::io::Error| error.to_string();
        if self.at != number {
            self.out.seek(SeekFrom::Start(self.size.offset_of(number))).map_err(say)?;
        }
        self.at = PageNumber(number.0 + 1);
        self.out.write_all(&image).map_err(say)
    }
    /// The file, written.
    ///
    /// # Errors
    /// The storage's, in words.
    pub fn into_inner(self) -> Result<File> {
        self.out.into_inner().map_err(|error| error.to_string())
    }
}

/// The nodes of a root: separators with their children.
pub struct Top {
    /// Separator and child; the last separator is empty.
    pub nodes: Vec<(Vec<u8>, PageNumber)>,
    above_leaves: bool,
}

impl Top {
    /// Flags of the root, from those it had as a leaf.
    pub fn flags(&self, leaf: PageFlags) -> PageFlags {
        if self.nodes.is_empty() {
            return leaf;
        }
        let inner = leaf.without(PageFlags::LEAF);
        if self.above_leaves { inner.with(PageFlags::PARENT_OF_LEAF) } else { inner }
    }
}

/// A tree that grows to the right.
pub struct Levels {
    objid: ObjectId,
    /// Flags of its leaves.
    leaf: PageFlags,
    size: PageSize,
    /// The leaf being filled; its number is known when the next one begins, as is its right neighbour's.
    current: Option<Vec<u8>>,
    /// The last entry, as separators compare it.
    last: Vec<u8>,
    /// Separators with the pages to their left, of the leaves that are written.
    separators: Vec<(Vec<u8>, PageNumber)>,
    previous: PageNumber,
}

impl Levels {
    /// An empty tree; `root` are the flags of its root while that is a leaf.
    pub fn new(objid: ObjectId, root: PageFlags, size: PageSize) -> Self {
        let leaf = root.without(PageFlags::ROOT);
        Self { objid, leaf, size, current: None, last: Vec::new(), separators: Vec::new(), previous: PageNumber::NONE }
    }

    /// Adds an entry behind the last one.
    ///
    /// # Errors
    /// In words: an entry longer than a page, or the storage's.
    pub fn add(&mut self, pages: &mut Pages, key: &[u8], data: &[u8]) -> Result<()> {
        let entry = if self.leaf.has_non_unique_keys() { [key, data].concat() } else { key.to_vec() };
        let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: key, data };
        if let Some(image) = &mut self.current {
            let mut editor = PageEditor::new(image).ok_or("a page")?;
            let line = editor.page().lines();
            if editor.insert(line, &node).is_ok() {
                self.last = entry;
                return Ok(());
            }
            let separator = between(&self.last, &entry);
            self.write_leaf(pages, separator, false)?;
        }
        let mut image = vec![0; self.size.bytes()];
        let mut editor = PageEditor::new(&mut image).ok_or("a page")?;
        // Its number is that which is free when it is written.
        editor.format_new(pages.next, self.objid, pages.dbtime, self.leaf);
        editor.set_previous(self.previous);
        editor.insert(0, &node).map_err(|_| "an entry is longer than a page".to_owned())?;
        self.current = Some(image);
        self.last = entry;
        Ok(())
    }

    fn write_leaf(&mut self, pages: &mut Pages, separator: Vec<u8>, is_last: bool) -> Result<()> {
        let Some(mut image) = self.current.take() else { return Ok(()) };
        let number = pages.take();
        if let Some(mut editor) = PageEditor::new(&mut image)
            && !is_last
        {
            editor.set_next(pages.next);
        }
        self.separators.push((separator, number));
        self.previous = number;
        pages.write_at(number, image)
    }

    /// Writes what is left, and the levels above the leaves but for the root.
    ///
    /// # Errors
    /// The storage's, in words.
    pub fn finish(mut self, pages: &mut Pages) -> Result<Top> {
        self.write_leaf(pages, Vec::new(), true)?;
        let mut nodes = std::mem::take(&mut self.separators);
        let mut above_leaves = true;
        loop {
            let room = self.size.bytes() - 200;
            let needed: usize = nodes.iter().map(|(key, _)| key.len() + 12).sum();
            if needed < room {
                return Ok(Top { nodes, above_leaves });
            }
            nodes = self.level(pages, &nodes, above_leaves)?;
            above_leaves = false;
        }
    }

    fn level(
        &self,
        pages: &mut Pages,
        nodes: &[(Vec<u8>, PageNumber)],
        above_leaves: bool,
    ) -> Result<Vec<(Vec<u8>, PageNumber)>> {
        let mut flags = self.leaf.without(PageFlags::LEAF);
        if above_leaves {
            flags = flags.with(PageFlags::PARENT_OF_LEAF);
        }
        let (mut above, mut rest) = (Vec::new(), nodes);
        while !rest.is_empty() {
            let number = pages.take();
            let mut image = vec![0; self.size.bytes()];
            let mut editor = PageEditor::new(&mut image).ok_or("a page")?;
            editor.format_new(number, self.objid, pages.dbtime, flags);
            let mut count = 0;
            for (line, (key, child)) in (0..).zip(rest) {
                let data = child.0.to_le_bytes();
                let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: key, data: &data };
                if editor.insert(line, &node).is_err() {
                    break;
                }
                count += 1;
            }
            // Its last separator stands above it as well.
            above.push((rest[count - 1].0.clone(), number));
            rest = &rest[count..];
            pages.write_at(number, image)?;
        }
        Ok(above)
    }
}

/// The shortest key that is above `left` and not above `right`.
fn between(left: &[u8], right: &[u8]) -> Vec<u8> {
    let common = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    right[..right.len().min(common + 1)].to_vec()
}
