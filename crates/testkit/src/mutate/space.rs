//! I31 to I48: who owns which pages.

use super::{Plan, multiple};
use crate::database::{ExtentAt, Kind, Space, Tree};
use anchorlog_format::page::{NewNode, NodeFlags, PageFlags};
use anchorlog_format::space::extent_key;
use anchorlog_format::units::PageNumber;

impl Plan<'_> {
    /// Changes four bytes of a tree's space header.
    fn patch_header(&mut self, tree: &Tree, at: usize, change: impl Fn(u32) -> u32) -> Option<()> {
        let mut header = self.image.page(tree.root).external_header().ok()?.to_vec();
        let field = header.get_mut(tree.header_offset + at..tree.header_offset + at + 4)?;
        let value = change(u32::from_le_bytes(<[u8; 4]>::try_from(&*field).ok()?));
        field.copy_from_slice(&value.to_le_bytes());
        self.image.edit(tree.root, |editor| editor.set_external_header(&header)).ok()
    }

    pub(super) fn space_parent(&mut self) -> Option<String> {
        let tree = self.trees(|_| true).into_iter().next()?;
        let other = self.trees(|other| other.root != tree.parent).into_iter().next()?.root;
        self.patch_header(&tree, 4, |_| other.0)?;
        Some(format!("the space of {} comes from page {other}, it says", tree.name))
    }

    pub(super) fn uniqueness(&mut self) -> Option<String> {
        let tree = self.trees(|_| true).into_iter().next()?;
        if self.random.below(2) == 0 {
            self.turn_flag(tree.root, PageFlags::NON_UNIQUE_KEYS);
            return Some(format!("the flags of root {} are wrong about its keys", tree.root));
        }
        self.patch_header(&tree, 8, |flags| flags ^ 2)?;
        Some(format!("the space header of {} is wrong about its keys", tree.name))
    }

    pub(super) fn single_bits(&mut self) -> Option<String> {
        for tree in self.trees(|tree| matches!(tree.space, Space::Single { .. })) {
            let Space::Single { pages, .. } = tree.space else { continue };
            if self.random.below(4) == 0 {
                self.patch_header(&tree, 0, |_| 0)?;
                return Some(format!("{} has a single extent of no pages", tree.name));
            }
            if pages > 32 {
                continue;
            }
            let bit = pages - 1 + u32::try_from(self.random.below(usize::try_from(33 - pages).ok()?)).ok()?;
            self.patch_header(&tree, 12, |bits| bits | 1 << bit)?;
            return Some(format!("bit {bit} of {}, which has {pages} pages", tree.name));
        }
        None
    }

    /// A free page of a single extent is made available in the tree above as well; or the extent grows over a page that is.
    pub(super) fn single_available_above(&mut self) -> Option<String> {
        for tree in self.trees(|tree| matches!(tree.space, Space::Single { .. })) {
            let Space::Single { pages, bits } = tree.space else { continue };
            let free: Vec<u32> = (0..32).filter(|bit| bits >> bit & 1 == 1).collect();
            if let Some(parent) = self.tree_at(tree.parent).as_ref().and_then(multiple) {
                for bit in self.random.turned(&free) {
                    let page = PageNumber(tree.root.0 + 1 + bit);
                    if self.add_extent(parent.available_root, &extent_key(page), 1).is_some() {
                        return Some(format!("page {page} of {} is available above it", tree.name));
                    }
                }
            }
            let next = PageNumber(tree.root.0 + pages);
            if multiple(&self.trees[0])?.available.iter().any(|(extent, ..)| extent.contains(next)) {
                self.patch_header(&tree, 0, |pages| pages + 1)?;
                return Some(format!("page {next} belongs to {}, but is available above it", tree.name));
            }
        }
        None
    }

    pub(super) fn space_roots(&mut self) -> Option<String> {
        let tree = self.trees(|tree| multiple(tree).is_some()).into_iter().next()?;
        let root = [0, tree.root.0, tree.root.0 - 1, u32::MAX][self.random.below(4)];
        self.patch_header(&tree, 12, |_| root)?;
        Some(format!("the space trees of {} begin on page {root}", tree.name))
    }

    pub(super) fn extent_nodes(&mut self) -> Option<String> {
        let kind = self.random.below(7);
        let (tree, extents) = self.some_extents(|space| match kind {
            5 => space.owned,
            _ => [space.owned, space.available].concat(),
        })?;
        // Other keys sort behind those of the general pool.
        let last = |page: PageNumber, line| line + 1 == self.image.page(page).lines();
        let (extent, page, line) = extents.into_iter().find(|&(_, page, line)| kind < 3 || last(page, line))?;
        let key = extent_key(extent.last);
        let long = |pool: u8| [&[pool][..], &key].concat();
        let key = match kind {
            3 => key[1..].to_vec(),
            4 => long(0x8B),
            5 => long(0x81),
            _ => [&key[..], &[0, 0]].concat(),
        };
        let data = extent.pages.to_le_bytes();
        let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: &key, data: &data };
        self.image
            .edit(page, |editor| match kind {
                0 => editor.set_node_flags(line, NodeFlags::VERSION),
                1 => editor.patch_data(line, 0, &[0; 4]),
                2 => editor.patch_data(line, 0, &[0xFF; 4]),
                _ => editor.replace_node(line, &node),
            })
            .ok()?;
        Some(format!("line {line} of space page {page} of {}, in the way {kind}", tree.name))
    }

    /// Extents of some tree, from a random one on.
    fn some_extents(&mut self, of: impl Fn(super::SpaceTrees) -> Vec<ExtentAt>) -> Option<(Tree, Vec<ExtentAt>)> {
        for tree in self.trees(|tree| multiple(tree).is_some()) {
            let extents = of(multiple(&tree)?);
            if !extents.is_empty() {
                return Some((tree, self.random.turned(&extents)));
            }
        }
        None
    }

    pub(super) fn owned_overlap(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some()) {
            let owned = multiple(&tree)?.owned;
            let pairs: Vec<_> = owned.windows(2).map(|pair| (pair[0], pair[1])).collect();
            for ((before, ..), (after, page, line)) in self.random.turned(&pairs) {
                if before.last.0 + 1 == after.first().0 {
                    let longer = (after.pages + 1).to_le_bytes();
                    self.image.edit(page, |editor| editor.patch_data(line, 0, &longer)).ok()?;
                    return Some(format!("owned extents of {} overlap at page {}", tree.name, before.last));
                }
            }
        }
        None
    }

    pub(super) fn owned_outside(&mut self) -> Option<String> {
        let last = self.last_owned();
        if self.random.below(2) == 0
            && let Some(what) = self.owned_elsewhere()
        {
            return Some(what);
        }
        for tree in self.trees(|tree| multiple(tree).is_some() && tree.kind != Kind::Database) {
            let page = PageNumber(last.0 + 2 + u32::try_from(self.random.below(50)).ok()?);
            if self.add_extent(multiple(&tree)?.owned_root, &extent_key(page), 1).is_some() {
                return Some(format!("{} owns page {page} behind the database", tree.name));
            }
        }
        None
    }

    /// A tree below a table owns a free page of another table.
    fn owned_elsewhere(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some() && tree.parent.0 > 1) {
            let above = tree.parent;
            for other in self.trees(|other| other.parent.0 == 1 && other.root != above && multiple(other).is_some()) {
                for page in self.free_pages(&other) {
                    if self.add_extent(multiple(&tree)?.owned_root, &extent_key(page), 1).is_some() {
                        return Some(format!("{} owns page {page} of {}", tree.name, other.name));
                    }
                }
            }
        }
        None
    }

    pub(super) fn owned_available_above(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some()) {
            let Some(parent) = self.tree_at(tree.parent).as_ref().and_then(multiple) else { continue };
            for page in self.free_pages(&tree) {
                if self.add_extent(parent.available_root, &extent_key(page), 1).is_some() {
                    return Some(format!("page {page} of {} is available above it", tree.name));
                }
            }
        }
        None
    }

    /// Available pages of a tree with space trees, from a random one on.
    fn free_pages(&mut self, tree: &Tree) -> Vec<PageNumber> {
        let extents = multiple(tree).map(|space| space.available).unwrap_or_default();
        let pages: Vec<PageNumber> = extents.iter().flat_map(|(extent, ..)| extent.numbers()).collect();
        self.random.turned(&pages)
    }

    pub(super) fn owned_by_sibling(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some() && tree.kind != Kind::Database) {
            let (root, parent) = (tree.root, tree.parent);
            let siblings = self.trees(|other| other.parent == parent && other.root != root && multiple(other).is_some());
            for sibling in siblings {
                for page in self.free_pages(&sibling) {
                    if self.add_extent(multiple(&tree)?.owned_root, &extent_key(page), 1).is_some() {
                        return Some(format!("page {page} of {} is owned by {}, too", sibling.name, tree.name));
                    }
                }
            }
        }
        None
    }

    pub(super) fn available_overlap(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some()) {
            let space = multiple(&tree)?;
            let long: Vec<_> = space.available.iter().filter(|(extent, ..)| extent.pages > 1).copied().collect();
            for (extent, ..) in self.random.turned(&long) {
                if self.random.below(3) == 0 {
                    let key = [&[0x81][..], &extent_key(extent.last)].concat();
                    if self.add_extent(space.available_root, &key, 1).is_some() {
                        return Some(format!("page {} of {} is available in two pools", extent.last, tree.name));
                    }
                }
                let inside = extent.pages - 1;
                let page = PageNumber(extent.last.0 - 1 - u32::try_from(self.random.below(usize::try_from(inside).ok()?)).ok()?);
                if self.add_extent(space.available_root, &extent_key(page), 1).is_some() {
                    return Some(format!("page {page} of {} is available twice", tree.name));
                }
            }
        }
        None
    }

    pub(super) fn available_outside(&mut self) -> Option<String> {
        let last = self.last_owned();
        for tree in self.trees(|tree| multiple(tree).is_some()) {
            let page = PageNumber(last.0 + 5 + u32::try_from(self.random.below(50)).ok()?);
            if self.add_extent(multiple(&tree)?.available_root, &extent_key(page), 2).is_some() {
                return Some(format!("page {page} is available in {}, but not owned", tree.name));
            }
        }
        None
    }

    pub(super) fn used(&mut self) -> Option<String> {
        let what = match self.random.below(4) {
            0 => self.used_single(),
            1 => self.used_not_owned(),
            2 => self.used_by_the_tree_above(),
            _ => None,
        };
        what.or_else(|| self.used_available())
    }

    /// A page of a single extent is used by its own tree and available.
    fn used_single(&mut self) -> Option<String> {
        for tree in self.trees(|tree| matches!(tree.space, Space::Single { .. })) {
            let pages: Vec<PageNumber> =
                tree.levels.concat().into_iter().filter(|page| (1..=32).contains(&page.0.wrapping_sub(tree.root.0))).collect();
            if let Some(page) = self.random.turned(&pages).first() {
                let bit = page.0 - tree.root.0 - 1;
                self.patch_header(&tree, 12, |bits| bits | 1 << bit)?;
                return Some(format!("page {page} of {} is used and available", tree.name));
            }
        }
        None
    }

    /// A used page at the front of an extent is taken out of it.
    fn used_not_owned(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some() && tree.kind != Kind::Database) {
            let space = multiple(&tree)?;
            let roots = [tree.root, space.owned_root, space.available_root];
            let used = tree.levels.concat();
            for (extent, page, line) in self.random.turned(&space.owned) {
                if used.contains(&extent.first()) && !roots.contains(&extent.first()) {
                    self.shorten(extent, page, line).ok()?;
                    return Some(format!("{} uses page {}, but does not own it", tree.name, extent.first()));
                }
            }
        }
        None
    }

    /// A page of a table is owned by a tree below it.
    fn used_by_the_tree_above(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some() && tree.parent.0 > 1) {
            let above = self.tree_at(tree.parent)?;
            for page in self.random.turned(&above.levels[1..].concat()) {
                if self.add_extent(multiple(&tree)?.owned_root, &extent_key(page), 1).is_some() {
                    return Some(format!("page {page} of {} is owned by {}", above.name, tree.name));
                }
            }
        }
        None
    }

    fn used_available(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some()) {
            for page in self.random.turned(&tree.levels.concat()) {
                if self.add_extent(multiple(&tree)?.available_root, &extent_key(page), 1).is_some() {
                    return Some(format!("page {page} of {} is used and available", tree.name));
                }
            }
        }
        None
    }

    pub(super) fn root_not_owned(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some() && tree.kind != Kind::Database) {
            let space = multiple(&tree)?;
            let roots = [tree.root, space.owned_root, space.available_root];
            for (extent, page, line) in self.random.turned(&space.owned) {
                if roots.contains(&extent.first()) && extent.pages > 1 {
                    self.shorten(extent, page, line).ok()?;
                    return Some(format!("{} does not own page {}", tree.name, extent.first()));
                }
            }
        }
        None
    }

    pub(super) fn shelved(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some()) {
            let page = match tree.kind {
                Kind::Database => *self.random.turned(&self.trees[1].levels.concat()).first()?,
                _ => PageNumber(self.last_owned().0 + 1),
            };
            let key = [&[0x82][..], &extent_key(page)].concat();
            let (page, pages, key) = if tree.kind == Kind::Database && self.random.below(2) == 0 {
                let page = PageNumber(self.last_owned().0 + 9);
                (page, 2, [&[0x82][..], &extent_key(page)].concat())
            } else {
                (page, 1, key)
            };
            if self.add_extent(multiple(&tree)?.available_root, &key, pages).is_some() {
                return Some(format!("page {page} is shelved in {}, as one of {pages}", tree.name));
            }
        }
        None
    }

    pub(super) fn split_buffer(&mut self) -> Option<String> {
        for tree in self.trees(|tree| multiple(tree).is_some() && tree.kind != Kind::Database) {
            let space = multiple(&tree)?;
            let free = self.free_pages(&tree);
            let candidates = if self.random.below(2) == 0 || free.is_empty() { tree.levels.concat() } else { free };
            let page = match self.random.below(4) {
                0 => PageNumber(self.last_owned().0 + 3),
                _ => *self.random.turned(&candidates).first()?,
            };
            let mut buffer = [0; 16];
            buffer[..4].copy_from_slice(&page.0.to_le_bytes());
            buffer[4] = 1;
            let root = if self.random.below(2) == 0 { space.owned_root } else { space.available_root };
            if self.image.edit(root, |editor| editor.set_external_header(&buffer)).is_ok() {
                return Some(format!("page {page} of {} is kept for a space tree", tree.name));
            }
        }
        None
    }

    /// A free page is taken out of what the database owns, and out of what is available.
    pub(super) fn gap(&mut self) -> Option<String> {
        let space = multiple(&self.trees[0])?;
        for (free, free_page, free_line) in self.random.turned(&space.available) {
            // In the middle, so that what is left are two extents of both kinds.
            let owned = space.owned.iter().find(|(owned, ..)| owned.contains(free.first()) && owned.contains(free.last));
            let Some(&(owned, owned_page, owned_line)) = owned.filter(|_| free.pages > 2) else { continue };
            let page =
                PageNumber(free.first().0 + 1 + u32::try_from(self.random.below(usize::try_from(free.pages - 2).ok()?)).ok()?);
            let before = self.image.clone();
            let mut split = || {
                for (extent, at, line, root) in
                    [(owned, owned_page, owned_line, space.owned_root), (free, free_page, free_line, space.available_root)]
                {
                    let behind = (extent.last.0 - page.0).to_le_bytes();
                    self.image.edit(at, |editor| editor.patch_data(line, 0, &behind)).ok()?;
                    self.add_extent(root, &extent_key(PageNumber(page.0 - 1)), page.0 - extent.first().0)?;
                }
                Some(())
            };
            if split().is_some() {
                return Some(format!("the database does not own page {page}"));
            }
            *self.image = before;
        }
        None
    }

    pub(super) fn leak(&mut self) -> Option<String> {
        if self.random.below(3) == 0 {
            for tree in self.trees(|tree| matches!(tree.space, Space::Single { .. })) {
                let Space::Single { bits, .. } = tree.space else { continue };
                if bits != 0 {
                    let bit = bits.trailing_zeros();
                    self.patch_header(&tree, 12, |bits| bits & !(1 << bit))?;
                    return Some(format!("page {} of {} is lost", tree.root.0 + 1 + bit, tree.name));
                }
            }
        }
        let (tree, extents) = self.some_extents(|space| space.available)?;
        let &(extent, page, line) = extents.first()?;
        self.shorten(extent, page, line).ok()?;
        Some(format!("page {} of {} is lost", extent.first(), tree.name))
    }
}
