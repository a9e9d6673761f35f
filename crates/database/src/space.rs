//! Which pages a tree owns, and which of them are available.

use crate::cursor::{Scan, Tree};
use crate::database::Database;
use crate::error::{AVAILABLE_SPACE_CORRUPTED, Error, OWNED_SPACE_CORRUPTED};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::space::{BITMAP_PAGES, Extent, Extents, Pool, RootHeader, split_buffer};
use anchorlog_format::units::PageNumber;

/// The space of a tree.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// Root of the tree that the space comes from.
    pub parent: PageNumber,
    /// Whether the header says that keys are not unique.
    pub non_unique: bool,
    /// Owned extents, children's included.
    pub owned: Vec<Extent>,
    /// Available extents.
    pub available: Vec<Extent>,
    /// Pages of a single extent that its bits cannot name: available once it is converted, and in no list until then (trap D33).
    pub behind_bits: u64,
    /// Pages kept in the split buffers of the space trees.
    pub buffered: Vec<Extent>,
    /// Roots of the space trees, where there are any.
    pub trees: Option<[Tree; 2]>,
    /// Highest auto-increment value reserved.
    pub auto_increment: Option<u64>,
    /// What could not be read.
    pub errors: Vec<Error>,
}

impl Space {
    /// Reads the space of a tree.
    ///
    /// # Errors
    /// Where the root or its space header cannot be read.
    pub fn read(database: &Database, tree: Tree) -> Result<Self, Error> {
        let image = database.page(tree.root)?;
        let broken = || database.page_error(tree.root, JetCode::DATABASE_CORRUPTED, "the root's space header cannot be read");
        let page = Page::new(&image).ok_or_else(broken)?;
        let root = page.external_header().ok().and_then(RootHeader::parse).ok_or_else(broken)?;
        let header = root.space.ok_or_else(broken)?;
        let mut space = Self {
            parent: header.parent,
            non_unique: header.is_non_unique(),
            auto_increment: root.auto_increment,
            ..Self::default()
        };
        match header.extents().ok_or_else(broken)? {
            Extents::Single { pages, available } => space.single(tree.root, pages, available).ok_or_else(broken)?,
            extents @ Extents::Multiple { owned, .. } => {
                let available = extents.available_root().ok_or_else(broken)?;
                space.trees = Some([Tree { root: owned, ..tree }, Tree { root: available, ..tree }]);
                space.owned = space.extents(database, Tree { root: owned, ..tree }, OWNED_SPACE_CORRUPTED);
                space.available = space.extents(database, Tree { root: available, ..tree }, AVAILABLE_SPACE_CORRUPTED);
            }
        }
        Ok(space)
    }
    /// The last page of the last owned extent.
    #[must_use]
    pub fn last_owned(&self) -> Option<PageNumber> {
        self.owned.iter().map(|extent| extent.last).max()
    }
    /// Pages owned.
    #[must_use]
    pub fn owned_pages(&self) -> u64 {
        self.owned.iter().map(|extent| u64::from(extent.pages)).sum()
    }
    /// Pages available and not shelved, those behind the bits of a single extent included, as Microsoft's space dump counts them.
    #[must_use]
    pub fn available_pages(&self) -> u64 {
        let extents = self.available.iter().filter(|extent| extent.pool != Pool::Shelved);
        extents.map(|extent| u64::from(extent.pages)).sum::<u64>() + self.behind_bits
    }
    /// Pages shelved.
    #[must_use]
    pub fn shelved_pages(&self) -> u64 {
        let extents = self.available.iter().filter(|extent| extent.pool == Pool::Shelved);
        extents.map(|extent| u64::from(extent.pages)).sum()
    }

    fn single(&mut self, root: PageNumber, pages: u32, available: u32) -> Option<()> {
        let last = PageNumber(root.0.checked_add(pages.checked_sub(1)?)?);
        self.owned.push(Extent { pool: Pool::General, last, pages });
        self.behind_bits = u64::from(pages.saturating_sub(1 + BITMAP_PAGES));
        let bits = (0..BITMAP_PAGES.min(pages - 1)).filter(|bit| available >> bit & 1 == 1);
        self.available.extend(bits.map(|bit| Extent { pool: Pool::General, last: PageNumber(root.0 + 1 + bit), pages: 1 }));
        Some(())
    }
    fn extents(&mut self, database: &Database, tree: Tree, jet: JetCode) -> Vec<Extent> {
        let mut extents = Vec::new();
        match Self::buffer(database, tree) {
            Ok(buffers) => self.buffered.extend(buffers.into_iter().filter(|extent| extent.pages > 0)),
            Err(error) => self.errors.push(error),
        }
        let mut scan = Scan::new(database, tree);
        while let Some(entry) = scan.next() {
            match entry {
                Ok(entry) => match Extent::decode(entry.key, entry.data) {
                    Some(extent) => extents.push(extent),
                    None => {
                        let place = database.place().page(entry.page).line(entry.line);
                        self.errors.push(Error::new(place, jet, "this is no extent"));
                    }
                },
                Err(error) => self.errors.push(error),
            }
        }
        extents
    }
    fn buffer(database: &Database, tree: Tree) -> Result<[Extent; 2], Error> {
        let image = database.page(tree.root)?;
        Page::new(&image)
            .and_then(|page| split_buffer(page.external_header().ok()?))
            .ok_or_else(|| database.page_error(tree.root, JetCode::DATABASE_CORRUPTED, "the split buffer cannot be read"))
    }
}
