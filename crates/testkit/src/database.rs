//! A database file in memory, for tests that build or break one: pages that can be edited and sealed, and where the trees are.
//!
//! The way through the file is short and trusting, and its own: what checks files must not be checked with itself.

use anchorlog_checksum::set_page_checksum;
use anchorlog_format::data::catalog::{CatalogRow, IndexFlags, ObjectKind};
use anchorlog_format::data::record::{Record, RecordFormat};
use anchorlog_format::data::text::ansi;
use anchorlog_format::database::{DatabaseHeader, HeaderPage};
use anchorlog_format::page::{NoRoom, Page, PageEditor};
use anchorlog_format::space::{CATALOG, DATABASE_ROOT, Extent, Extents, RootHeader};
use anchorlog_format::units::{ObjectId, PageNumber, PageSize};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// A database file.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Bytes of the flush map beside it.
    pub map: Option<Vec<u8>>,
    /// Bytes of the file that cannot be read.
    pub unreadable: Option<Range<u64>>,
    size: PageSize,
}

impl Image {
    /// Reads a database, and its flush map.
    ///
    /// # Panics
    /// When it is none, or cannot be read.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let map = fs::read(path.with_extension("jfm")).ok();
        let (header, _) = HeaderPage::elect(&bytes).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        Self { bytes, map, unreadable: None, size: header.page_size() }
    }
    /// Page size.
    #[must_use]
    pub const fn size(&self) -> PageSize {
        self.size
    }
    /// Whole pages, the two headers not counted.
    #[must_use]
    pub fn pages(&self) -> u32 {
        u32::try_from(self.bytes.len() / self.size.bytes() - 2).expect("a small file")
    }
    /// The bytes of a page.
    ///
    /// # Panics
    /// When the file has no such page.
    #[must_use]
    pub fn page_bytes(&self, page: PageNumber) -> &[u8] {
        &self.bytes[self.range(page)]
    }
    /// A page.
    ///
    /// # Panics
    /// When the file has no such page.
    #[must_use]
    pub fn page(&self, page: PageNumber) -> Page<'_> {
        Page::new(self.page_bytes(page)).expect("a whole page")
    }
    /// Where a page lies in the file.
    #[must_use]
    pub fn range(&self, page: PageNumber) -> Range<usize> {
        let start = usize::try_from(self.size.offset_of(page)).expect("a small file");
        start..start + self.size.bytes()
    }
    /// Edits a page and makes its checksum hold again; where there is no room nothing is changed.
    ///
    /// # Errors
    /// What the edit says.
    ///
    /// # Panics
    /// When the file has no such page.
    pub fn edit(&mut self, page: PageNumber, edit: impl FnOnce(&mut PageEditor<'_>) -> Result<(), NoRoom>) -> Result<(), NoRoom> {
        let mut bytes = self.page_bytes(page).to_vec();
        edit(&mut PageEditor::new(&mut bytes).expect("a whole page"))?;
        set_page_checksum(&mut bytes, page.0);
        let range = self.range(page);
        self.bytes[range].copy_from_slice(&bytes);
        Ok(())
    }
    /// Changes bytes of a page and makes its checksum hold again.
    ///
    /// # Panics
    /// When the file has no such page.
    pub fn patch(&mut self, page: PageNumber, patch: impl FnOnce(&mut [u8])) {
        let range = self.range(page);
        patch(&mut self.bytes[range.clone()]);
        set_page_checksum(&mut self.bytes[range], page.0);
    }
    /// The header.
    ///
    /// # Panics
    /// When neither copy holds.
    #[must_use]
    pub fn header(&self) -> DatabaseHeader {
        HeaderPage::elect(&self.bytes).expect("a header that holds").0.header
    }
    /// Changes both copies of the header.
    ///
    /// # Panics
    /// When neither copy holds.
    pub fn edit_header(&mut self, edit: impl FnOnce(&mut DatabaseHeader)) {
        let (mut page, _) = HeaderPage::elect(&self.bytes).expect("a header that holds");
        edit(&mut page.header);
        let bytes = page.to_bytes();
        for copy in 0..2 {
            self.bytes[copy * bytes.len()..(copy + 1) * bytes.len()].copy_from_slice(&bytes);
        }
    }
    /// The whole key of a line.
    ///
    /// # Panics
    /// When there is no such line.
    #[must_use]
    pub fn key(&self, page: PageNumber, line: u16) -> Vec<u8> {
        let page = self.page(page);
        let mut key = Vec::new();
        page.key(&page.line(line).expect("a line"), &mut key).expect("a whole key");
        key
    }
    /// What a line of a leaf counts as in the order of its tree: its key, with its data behind it where keys are not unique.
    ///
    /// # Panics
    /// When there is no such line.
    #[must_use]
    pub fn entry(&self, page: PageNumber, line: u16) -> Vec<u8> {
        let mut key = self.key(page, line);
        if self.page(page).flags().has_non_unique_keys() {
            key.extend_from_slice(self.page(page).line(line).expect("a line").data);
        }
        key
    }

    /// Every tree that the catalog names, and the database's root.
    ///
    /// # Panics
    /// When the file is damaged.
    #[must_use]
    pub fn trees(&self) -> Vec<Tree> {
        let root = |name: &str, kind, root, objid, parent| self.tree(name.to_owned(), kind, root, objid, parent);
        let mut trees = vec![root("database", Kind::Database, DATABASE_ROOT.root, DATABASE_ROOT.objid, PageNumber::NONE)];
        let mut rows = Vec::new();
        for page in self.levels(CATALOG.root).pop().expect("a level") {
            for line in 0..self.page(page).lines() {
                rows.extend(self.catalog_row(page, line));
            }
        }
        for row in &rows {
            let table = rows.iter().find(|other| other.kind == ObjectKind::Table && other.table == row.table);
            let Some(table) = table else { continue };
            let (kind, parent) = match row.kind {
                ObjectKind::Table => (Kind::Table, DATABASE_ROOT.root),
                ObjectKind::LongValues => (Kind::LongValues, table.root),
                ObjectKind::Index if row.is_primary => continue,
                ObjectKind::Index => (Kind::Index { unique: row.is_unique }, table.root),
                _ => continue,
            };
            let name = if row.kind == ObjectKind::Table { row.name.clone() } else { format!("{}, {}", table.name, row.name) };
            trees.push(self.tree(name, kind, row.root, row.objid, parent));
        }
        trees
    }

    /// The catalog row on a line, if it is live and names an object with a tree.
    ///
    /// # Panics
    /// When the file is damaged.
    #[must_use]
    pub fn catalog_row(&self, number: PageNumber, line: u16) -> Option<Row> {
        let page = self.page(number);
        let node = page.line(line).expect("a line");
        if node.flags.is_deleted() {
            return None;
        }
        let format = RecordFormat::of(self.size, page.flags().has_new_record_format());
        let record = Record::parse(node.data, format).expect("a record");
        let row = CatalogRow::decode(&record).expect("a catalog row");
        let has_tree = matches!(row.kind, ObjectKind::Table | ObjectKind::Index | ObjectKind::LongValues);
        let flags = IndexFlags(row.flags);
        has_tree.then(|| Row {
            table: row.table,
            kind: row.kind,
            name: ansi(row.name),
            root: row.root(),
            objid: ObjectId(row.id),
            is_primary: row.kind == ObjectKind::Index && flags.is_primary(),
            is_unique: flags.is_unique(),
            at: (number, line),
        })
    }

    /// The pages of a tree, level by level from its root; the last level is that of the leaves.
    ///
    /// # Panics
    /// When the tree is damaged.
    #[must_use]
    pub fn levels(&self, root: PageNumber) -> Vec<Vec<PageNumber>> {
        let mut levels = vec![vec![root]];
        loop {
            let last = levels.last().expect("a level");
            if self.page(last[0]).flags().is_leaf() {
                return levels;
            }
            let below = last.iter().flat_map(|&page| self.children(page)).collect();
            levels.push(below);
        }
    }
    /// The children of an inner page.
    ///
    /// # Panics
    /// When the page is damaged.
    #[must_use]
    pub fn children(&self, page: PageNumber) -> Vec<PageNumber> {
        let page = self.page(page);
        (0..page.lines()).map(|line| page.line(line).expect("a line").child().expect("a child")).collect()
    }

    fn tree(&self, name: String, kind: Kind, root: PageNumber, objid: ObjectId, parent: PageNumber) -> Tree {
        let header = RootHeader::parse(self.page(root).external_header().expect("a header")).expect("a root's header");
        let space = match header.space.expect("a space header").extents().expect("known flags") {
            Extents::Single { pages, available } => Space::Single { pages, bits: available },
            extents @ Extents::Multiple { owned: owned_root, .. } => {
                let available_root = extents.available_root().expect("a page");
                let (owned, available) = (self.extents(owned_root), self.extents(available_root));
                let pages = [self.levels(owned_root).concat(), self.levels(available_root).concat()].concat();
                Space::Multiple { owned_root, available_root, owned, available, pages }
            }
        };
        Tree { name, kind, root, objid, parent, header_offset: header.space_offset, levels: self.levels(root), space }
    }
    fn extents(&self, root: PageNumber) -> Vec<ExtentAt> {
        let mut extents = Vec::new();
        for number in self.levels(root).pop().expect("a level") {
            let page = self.page(number);
            for line in 0..page.lines() {
                let node = page.line(line).expect("a line");
                if !node.flags.is_deleted() {
                    let extent = Extent::decode(&self.key(number, line), node.data).expect("an extent");
                    extents.push((extent, number, line));
                }
            }
        }
        extents
    }
}

/// A row of the catalog.
#[derive(Clone, Debug)]
pub struct Row {
    /// The table that it belongs to.
    pub table: ObjectId,
    /// What it describes.
    pub kind: ObjectKind,
    /// Name.
    pub name: String,
    /// Root of the object's tree.
    pub root: PageNumber,
    /// The object.
    pub objid: ObjectId,
    /// It is a primary index.
    pub is_primary: bool,
    /// It is a unique index.
    pub is_unique: bool,
    /// Page and line.
    pub at: (PageNumber, u16),
}

/// What a tree holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The database's root: only space.
    Database,
    /// Records.
    Table,
    /// Long values.
    LongValues,
    /// Index entries.
    Index {
        /// No key is there twice.
        unique: bool,
    },
}

/// A tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Its root.
    pub root: PageNumber,
    /// Its object id.
    pub objid: ObjectId,
    /// Root of the tree that its space comes from.
    pub parent: PageNumber,
    /// Where the space header lies in the root's header.
    pub header_offset: usize,
    /// Its pages by level, the last one that of the leaves.
    pub levels: Vec<Vec<PageNumber>>,
    /// Its space.
    pub space: Space,
}

impl Tree {
    /// Its leaves, in order.
    ///
    /// # Panics
    /// Never: a tree has a level.
    #[must_use]
    pub fn leaves(&self) -> &[PageNumber] {
        self.levels.last().expect("a level")
    }
    /// Its pages, and those of its space trees.
    #[must_use]
    pub fn pages(&self) -> Vec<PageNumber> {
        let mut pages = self.levels.concat();
        if let Space::Multiple { pages: space, .. } = &self.space {
            pages.extend(space);
        }
        pages
    }
    /// Its pages above the leaves.
    #[must_use]
    pub fn inner(&self) -> Vec<PageNumber> {
        self.levels[..self.levels.len() - 1].concat()
    }
    /// Pages above leaves.
    #[must_use]
    pub fn parents_of_leaves(&self) -> &[PageNumber] {
        self.levels.len().checked_sub(2).map_or(&[], |level| &self.levels[level])
    }
}

/// An extent, with the page and the line of its node.
pub type ExtentAt = (Extent, PageNumber, u16);

/// The space of a tree.
#[derive(Clone, Debug)]
pub enum Space {
    /// One extent.
    Single {
        /// Its pages.
        pages: u32,
        /// Which of them are available.
        bits: u32,
    },
    /// Two trees.
    Multiple {
        /// Root of the owned extents.
        owned_root: PageNumber,
        /// Root of the available ones.
        available_root: PageNumber,
        /// Owned extents.
        owned: Vec<ExtentAt>,
        /// Available extents.
        available: Vec<ExtentAt>,
        /// The pages of both trees.
        pages: Vec<PageNumber>,
    },
}
