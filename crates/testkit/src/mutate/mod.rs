//! Damage that breaks one invariant of `db-3 §18` and leaves the others as they are, with checksums that hold: what a check must find, under
//! that invariant's number.
//!
//! Some invariants cannot be broken alone: [`follows`] names what breaks along with them.

mod content;
mod file;
mod space;
mod tree;

use crate::database::{ExtentAt, Image, Kind, Space, Tree};
use crate::random::Random;
use anchorlog_format::page::NoRoom;
use anchorlog_format::space::Extent;
use anchorlog_format::units::PageNumber;

/// Every invariant that can be broken in a file, by number.
pub const NUMBERS: std::ops::RangeInclusive<u32> = 1..=50;

/// Breaks an invariant in a sound database; in words, what was done. `None` where this database has nothing that could be broken so; the
/// image is unchanged then.
///
/// # Panics
/// When the database is not sound.
pub fn plant(image: &mut Image, invariant: u32, random: &mut Random) -> Option<String> {
    let trees = image.trees();
    let mut plan = Plan { image, trees, random };
    match invariant {
        1 => plan.file_size(),
        2 => plan.header(),
        3 => plan.unreadable(),
        4 => plan.checksum(),
        5 => plan.zero(),
        6 => plan.lost_write(),
        7 => plan.structure(),
        8 => plan.time(),
        9 => plan.last_object(),
        10 => plan.root_flag(),
        11 => plan.object(),
        12 => plan.type_flags(),
        13 => plan.reached_twice(),
        14 => plan.empty(),
        15 => plan.depth(),
        16 => plan.parent_of_leaf(),
        17 => plan.inner_links(),
        18 => plan.inner_line(),
        19 => plan.child(),
        20 => plan.separators(),
        21 => plan.last_separator(),
        22 => plan.first_separator(),
        23 => plan.no_lines(),
        24 => plan.entries(),
        25 => plan.low_bound(),
        26 => plan.high_bound(),
        27 => plan.links(),
        28 => plan.node_sizes(),
        29 => plan.external_header(),
        30 => plan.content(),
        31 => plan.space_parent(),
        32 => plan.uniqueness(),
        33 => plan.single_bits(),
        34 => plan.single_available_above(),
        35 => plan.space_roots(),
        36 => plan.extent_nodes(),
        37 => plan.owned_overlap(),
        38 => plan.owned_outside(),
        39 => plan.owned_available_above(),
        40 => plan.owned_by_sibling(),
        41 => plan.available_overlap(),
        42 => plan.available_outside(),
        43 => plan.used(),
        44 => plan.root_not_owned(),
        45 => plan.shelved(),
        46 => plan.split_buffer(),
        47 => plan.gap(),
        48 => plan.leak(),
        49 => plan.same_root(),
        50 => plan.shadow(),
        _ => None,
    }
}

/// Invariants that break along with this one, as nothing else can be done to a page.
#[must_use]
pub const fn follows(invariant: u32) -> &'static [u32] {
    match invariant {
        // The rules of a page know the order of keys as well (P17, P19, P22 of `db-2 §16`).
        24 | 28 => &[7],
        // Entries stand between separators.
        20 => &[7, 25, 26],
        22 => &[26],
        // A long value that a separator cuts in two.
        25 | 26 => &[30],
        _ => &[],
    }
}

/// A database that is to be broken.
struct Plan<'p> {
    image: &'p mut Image,
    trees: Vec<Tree>,
    random: &'p mut Random,
}

impl Plan<'_> {
    /// Trees that fit, from a random one on.
    fn trees(&mut self, fits: impl Fn(&Tree) -> bool) -> Vec<Tree> {
        let all: Vec<Tree> = self.trees.iter().filter(|tree| fits(tree)).cloned().collect();
        self.random.turned(&all)
    }
    /// Pages of trees with these trees, from a random one on.
    fn pages(&mut self, of: impl Fn(&Tree) -> Vec<PageNumber>) -> Vec<(Tree, PageNumber)> {
        let all: Vec<(Tree, PageNumber)> =
            self.trees.iter().flat_map(|tree| of(tree).into_iter().map(|page| (tree.clone(), page))).collect();
        self.random.turned(&all)
    }
    /// Leaves that are no roots, with their trees.
    fn lower_leaves(&mut self) -> Vec<(Tree, PageNumber)> {
        self.pages(|tree| if tree.levels.len() > 1 { tree.leaves().to_vec() } else { Vec::new() })
    }
    /// A random line of a page that has some.
    fn line(&mut self, page: PageNumber) -> u16 {
        let lines = usize::from(self.image.page(page).lines());
        u16::try_from(self.random.below(lines)).expect("a line")
    }
    /// A page from the tree's available space, as an allocation takes it: the first of an extent.
    fn allocate(&mut self, tree: &Tree) -> Option<PageNumber> {
        let now = self.image.trees().into_iter().find(|now| now.root == tree.root)?;
        let Space::Multiple { available, .. } = now.space else { return None };
        let &(extent, page, line) = available.first()?;
        self.shorten(extent, page, line).ok()?;
        Some(extent.first())
    }
    /// Takes the first page out of an extent.
    fn shorten(&mut self, extent: Extent, page: PageNumber, line: u16) -> Result<(), NoRoom> {
        use anchorlog_format::page::NodeFlags;
        self.image.edit(page, |editor| match extent.pages {
            1 => editor.set_node_flags(line, NodeFlags::DELETED),
            pages => editor.patch_data(line, 0, &(pages - 1).to_le_bytes()),
        })
    }
    /// Adds an extent to a space tree that is one page; `None` where its key is there already, or there is no room.
    fn add_extent(&mut self, root: PageNumber, key: &[u8], pages: u32) -> Option<()> {
        use anchorlog_format::page::{NewNode, NodeFlags};
        let page = self.image.page(root);
        if !page.flags().is_leaf() {
            return None;
        }
        let mut line = 0;
        while line < page.lines() && &self.image.key(root, line)[..] < key {
            line += 1;
        }
        if line < page.lines() && self.image.key(root, line) == key {
            return None;
        }
        let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: key, data: &pages.to_le_bytes() };
        self.image.edit(root, |editor| editor.insert(line, &node)).ok()
    }
    /// The last page that the database owns.
    fn last_owned(&self) -> PageNumber {
        let Space::Multiple { owned, .. } = &self.trees[0].space else { return PageNumber(self.image.pages()) };
        owned.iter().map(|(extent, ..)| extent.last).max().unwrap_or(PageNumber(self.image.pages()))
    }
    /// The tree with this root.
    fn tree_at(&self, root: PageNumber) -> Option<Tree> {
        self.trees.iter().find(|tree| tree.root == root).cloned()
    }
}

/// Space trees of a tree that has some.
fn multiple(tree: &Tree) -> Option<SpaceTrees> {
    match &tree.space {
        Space::Single { .. } => None,
        Space::Multiple { owned_root, available_root, owned, available, .. } => {
            let (owned, available) = (owned.clone(), available.clone());
            Some(SpaceTrees { owned_root: *owned_root, available_root: *available_root, owned, available })
        }
    }
}

/// The space trees of a tree.
struct SpaceTrees {
    owned_root: PageNumber,
    available_root: PageNumber,
    owned: Vec<ExtentAt>,
    available: Vec<ExtentAt>,
}

const fn is_users(tree: &Tree) -> bool {
    // The catalog and what the engine made along with it have lower numbers.
    tree.objid.0 > 7 && !matches!(tree.kind, Kind::Database)
}
