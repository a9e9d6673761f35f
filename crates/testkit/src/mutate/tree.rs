//! I10 to I29: the shape of trees.

use super::{Plan, multiple};
use crate::database::{Kind, Tree};
use anchorlog_format::page::editor::OwnedNode;
use anchorlog_format::page::{NewNode, NoRoom, NodeFlags, PageEditor, PageFlags};
use anchorlog_format::units::PageNumber;

impl Plan<'_> {
    pub(super) fn root_flag(&mut self) -> Option<String> {
        if self.random.below(4) == 0 {
            // As a repair leaves them: a root has no prefix, so no key may need one.
            let whole = |page: PageNumber, line| self.image.page(page).line(line).is_ok_and(|node| node.prefix_length == 0);
            let leaves = self.trees.iter().filter(|tree| tree.levels.len() > 1).flat_map(|tree| tree.leaves().to_vec());
            let leaves: Vec<_> =
                leaves.filter(|&page| (0..self.image.page(page).lines()).all(|line| whole(page, line))).collect();
            let page = *self.random.turned(&leaves).first()?;
            self.turn_flag(page, PageFlags::ROOT);
            return Some(format!("leaf {page} is marked as a root"));
        }
        let (_, root) = self
            .pages(|tree| {
                let space = multiple(tree).map(|space| [space.owned_root, space.available_root]);
                [vec![tree.root], space.into_iter().flatten().collect()].concat()
            })
            .into_iter()
            .next()?;
        self.turn_flag(root, PageFlags::ROOT);
        Some(format!("root {root} is not marked as one"))
    }

    pub(super) fn object(&mut self) -> Option<String> {
        let (tree, page) = self.pages(Tree::pages).into_iter().next()?;
        let other = self.trees(|other| other.objid != tree.objid).into_iter().next()?.objid;
        self.image.patch(page, |bytes| bytes[24..28].copy_from_slice(&other.0.to_le_bytes()));
        Some(format!("page {page} of object {} says it is of {other}", tree.objid))
    }

    pub(super) fn type_flags(&mut self) -> Option<String> {
        let (tree, page) = self.pages(Tree::pages).into_iter().find(|(tree, page)| *page != tree.root)?;
        // A page that is both of an index and of long values breaks the rules of a page.
        let flags = match tree.kind {
            Kind::Index { .. } => [PageFlags::INDEX, PageFlags::SPACE_TREE, PageFlags::NON_UNIQUE_KEYS],
            _ => [PageFlags::LONG_VALUE, PageFlags::SPACE_TREE, PageFlags::NON_UNIQUE_KEYS],
        };
        let flag = self.random.turned(&flags)[0];
        self.turn_flag(page, flag);
        Some(format!("flag {flag} of page {page} of {} is wrong", tree.name))
    }

    pub(super) fn reached_twice(&mut self) -> Option<String> {
        if self.random.below(4) == 0 {
            let (tree, page) = self.pages(|tree| tree.parents_of_leaves().to_vec()).into_iter().next()?;
            let line = self.line(page);
            let above = if self.random.below(2) == 0 { page } else { tree.root };
            if above.0 > 3 {
                self.image.edit(page, |editor| editor.patch_data(line, 0, &above.0.to_le_bytes())).ok()?;
                return Some(format!("line {line} of page {page} leads to page {above}, back up"));
            }
        }
        for (_, page) in self.pages(|tree| tree.parents_of_leaves().to_vec()) {
            let children = self.image.children(page);
            if children.len() < 2 {
                continue;
            }
            let later = 1 + self.random.below(children.len() - 1);
            let earlier = self.random.below(later);
            let (line, child) = (u16::try_from(later).ok()?, children[earlier]);
            self.image.edit(page, |editor| editor.patch_data(line, 0, &child.0.to_le_bytes())).ok()?;
            return Some(format!("lines {earlier} and {later} of page {page} lead to page {child}"));
        }
        None
    }

    pub(super) fn empty(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::pages).into_iter().find(|(_, page)| self.image.page(*page).lines() > 0)?;
        self.turn_flag(page, PageFlags::EMPTY);
        Some(format!("page {page} says it is empty"))
    }

    /// A root of two levels gets seven levels below it, each with one line.
    pub(super) fn depth(&mut self) -> Option<String> {
        const MORE: usize = 7;
        if self.random.below(3) == 0
            && let Some(what) = self.uneven()
        {
            return Some(what);
        }
        let available =
            |tree: &Tree| multiple(tree).map_or(0, |space| space.available.iter().map(|(extent, ..)| extent.pages).sum::<u32>());
        let fits = |tree: &Tree| tree.levels.len() == 2 && usize::try_from(available(tree)).is_ok_and(|pages| pages >= MORE);
        let tree = self.trees(fits).into_iter().next()?;
        let pages: Vec<PageNumber> = (0..MORE).map(|_| self.allocate(&tree)).collect::<Option<_>>()?;
        let root = self.image.page(tree.root);
        let lines: Vec<OwnedNode> = (0..root.lines()).map(|line| OwnedNode::from(root.line(line).expect("a line"))).collect();
        let (flags, objid, dbtime) = (root.flags(), root.objid(), root.dbtime());
        let inner = PageFlags(flags.0 & !(PageFlags::ROOT.0 | PageFlags::PARENT_OF_LEAF.0));
        let one = |editor: &mut PageEditor<'_>, child: PageNumber| {
            let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: &[], data: &child.0.to_le_bytes() };
            editor.insert(0, &node)
        };
        for (at, &page) in pages.iter().enumerate() {
            let last = at + 1 == pages.len();
            let below = pages.get(at + 1).copied();
            self.image
                .edit(page, |editor| {
                    let kind = if last { inner.with(PageFlags::PARENT_OF_LEAF) } else { inner };
                    editor.format_new(page, objid, dbtime, kind);
                    match below {
                        Some(below) => one(editor, below),
                        None => insert_all(editor, &lines),
                    }
                })
                .ok()?;
        }
        self.image
            .edit(tree.root, |editor| {
                editor.delete_from(0)?;
                one(editor, pages[0])?;
                editor.set_flags(PageFlags(flags.0 & !PageFlags::PARENT_OF_LEAF.0));
                Ok(())
            })
            .ok()?;
        Some(format!("tree {} has nine levels", tree.name))
    }

    /// A page between a root and one of the pages below it, all of which lead to leaves.
    fn uneven(&mut self) -> Option<String> {
        for tree in self.trees(|tree| tree.levels.len() == 3 && tree.levels[1].len() > 1) {
            let line = self.line(tree.root);
            let child = *self.image.children(tree.root).get(usize::from(line))?;
            let (flags, objid, dbtime) =
                (self.image.page(child).flags(), self.image.page(child).objid(), self.image.page(child).dbtime());
            let high = self.image.key(tree.root, line);
            let Some(page) = self.allocate(&tree) else { continue };
            let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: &high, data: &child.0.to_le_bytes() };
            let made = self.image.edit(page, |editor| {
                editor.format_new(page, objid, dbtime, flags.without(PageFlags::PARENT_OF_LEAF));
                editor.insert(0, &node)
            });
            made.and_then(|()| self.image.edit(tree.root, |editor| editor.patch_data(line, 0, &page.0.to_le_bytes()))).ok()?;
            return Some(format!("the leaves of {} below page {child} are a level deeper", tree.name));
        }
        None
    }

    pub(super) fn parent_of_leaf(&mut self) -> Option<String> {
        let kind = self.random.below(3);
        if kind > 0 {
            let (_, page) = self.lower_leaves().into_iter().next()?;
            self.turn_flag(page, if kind == 1 { PageFlags::PARENT_OF_LEAF } else { PageFlags::LEAF });
            return Some(format!("leaf {page} says it is something else, in the way {kind}"));
        }
        let (_, page) = self.pages(Tree::inner).into_iter().next()?;
        self.turn_flag(page, PageFlags::PARENT_OF_LEAF);
        Some(format!("inner page {page} tells the wrong thing of its children"))
    }

    pub(super) fn inner_links(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::inner).into_iter().next()?;
        if self.random.below(3) == 0 {
            self.image.edit(page, |editor| editor.delete_from(0)).ok()?;
            return Some(format!("inner page {page} has no lines"));
        }
        let (next, sibling) = (self.random.below(2) == 0, PageNumber(1 + u32::try_from(self.random.below(40)).ok()?));
        self.image
            .edit(page, |editor| {
                if next {
                    editor.set_next(sibling)
                } else {
                    editor.set_previous(sibling)
                }
                Ok(())
            })
            .ok()?;
        Some(format!("inner page {page} has the sibling {sibling}"))
    }

    pub(super) fn inner_line(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::inner).into_iter().next()?;
        let (line, kind) = (self.line(page), self.random.below(3));
        self.image
            .edit(page, |editor| match kind {
                0 => editor.set_node_flags(line, NodeFlags::DELETED),
                1 => editor.set_node_flags(line, NodeFlags::VERSION),
                _ => editor.replace_data(line, &[1, 2, 3]),
            })
            .ok()?;
        Some(format!("line {line} of inner page {page}, in the way {kind}"))
    }

    pub(super) fn child(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::inner).into_iter().next()?;
        let line = self.line(page);
        let far = self.last_owned().0 + 1 + u32::try_from(self.random.below(100)).ok()?;
        let child = if self.random.below(2) == 0 { far } else { u32::try_from(self.random.below(4)).ok()? };
        self.image.edit(page, |editor| editor.patch_data(line, 0, &child.to_le_bytes())).ok()?;
        Some(format!("line {line} of page {page} leads to page {child}"))
    }

    pub(super) fn separators(&mut self) -> Option<String> {
        for (_, page) in self.pages(|tree| tree.parents_of_leaves().to_vec()) {
            let lines = usize::from(self.image.page(page).lines());
            if lines < 3 {
                continue;
            }
            let line = u16::try_from(1 + self.random.below(lines - 2)).ok()?;
            let before = self.image.key(page, line - 1);
            let (what, key) = match self.random.below(3) {
                0 => ("that of the line before", before),
                1 => ("empty", Vec::new()),
                _ => ("below that of the line before", before[..before.len() - 1].to_vec()),
            };
            if self.set_separator(page, line, &key).is_ok() {
                return Some(format!("the separator of line {line} of page {page} is {what}"));
            }
        }
        None
    }

    pub(super) fn last_separator(&mut self) -> Option<String> {
        if self.random.below(2) == 0
            && let Some(what) = self.last_separator_below()
        {
            return Some(what);
        }
        for (tree, page) in self.pages(|tree| if tree.levels.len() > 1 { vec![tree.root] } else { Vec::new() }) {
            let last = self.image.page(page).lines() - 1;
            let leaf = *tree.leaves().last()?;
            let lines = self.image.page(leaf).lines();
            let greatest = [0xFF; 9];
            let fits = lines > 0 && self.image.entry(leaf, lines - 1) < greatest.to_vec() && tree.levels.len() == 2;
            if fits && self.set_separator(page, last, &greatest).is_ok() {
                return Some(format!("the last separator of root {page} is not empty"));
            }
        }
        None
    }

    /// The last separator of a page that is not the last of its level.
    fn last_separator_below(&mut self) -> Option<String> {
        for (tree, page) in self.pages(|tree| if tree.levels.len() > 2 { tree.levels[1].clone() } else { Vec::new() }) {
            if tree.levels[1].last() == Some(&page) {
                continue;
            }
            let last = self.image.page(page).lines() - 1;
            let mut key = self.image.key(page, last);
            key.push(0);
            let key = if self.random.below(2) == 0 { Vec::new() } else { key };
            if self.set_separator(page, last, &key).is_ok() {
                return Some(format!("the last separator of page {page} is not that of its parent"));
            }
        }
        None
    }

    pub(super) fn first_separator(&mut self) -> Option<String> {
        for tree in self.trees(|tree| tree.levels.len() > 2) {
            let above = &tree.levels[tree.levels.len() - 3];
            for &parent in above {
                let children = self.image.children(parent);
                for (line, &page) in children.iter().enumerate().skip(1) {
                    let mut low = self.image.key(parent, u16::try_from(line - 1).ok()?);
                    low.pop();
                    if !low.is_empty() && self.image.page(page).lines() > 1 && self.set_separator(page, 0, &low).is_ok() {
                        return Some(format!("the first separator of page {page} is below that before it in page {parent}"));
                    }
                }
            }
        }
        None
    }

    pub(super) fn no_lines(&mut self) -> Option<String> {
        let (_, page) = self.lower_leaves().into_iter().next()?;
        self.image.edit(page, |editor| editor.delete_from(0)).ok()?;
        Some(format!("leaf {page} has no lines"))
    }

    pub(super) fn entries(&mut self) -> Option<String> {
        if self.random.below(2) == 0 { self.same_entry() } else { self.turned_entries() }
    }

    /// Two lines in the middle of a leaf change places.
    fn turned_entries(&mut self) -> Option<String> {
        for (_, page) in self.pages(|tree| match tree.kind {
            Kind::Index { .. } | Kind::Table => tree.leaves().to_vec(),
            _ => Vec::new(),
        }) {
            let lines = usize::from(self.image.page(page).lines());
            if lines < 4 {
                continue;
            }
            let line = u16::try_from(1 + self.random.below(lines - 3)).ok()?;
            let [a, b] = [line, line + 1].map(|line| OwnedNode::from(self.image.page(page).line(line).expect("a line")));
            let turned = self.image.edit(page, |editor| {
                editor.replace_node(line, &stored(&b))?;
                editor.replace_node(line + 1, &stored(&a))
            });
            if turned.is_ok() {
                return Some(format!("lines {line} and {} of page {page} have changed places", line + 1));
            }
        }
        None
    }

    fn same_entry(&mut self) -> Option<String> {
        for (_, page) in self.pages(|tree| match tree.kind {
            Kind::Index { unique: false } => tree.leaves().to_vec(),
            _ => Vec::new(),
        }) {
            let lines = usize::from(self.image.page(page).lines());
            if lines < 2 {
                continue;
            }
            let line = u16::try_from(1 + self.random.below(lines - 1)).ok()?;
            let before = OwnedNode::from(self.image.page(page).line(line - 1).ok()?);
            if self.image.edit(page, |editor| editor.replace_node(line, &stored(&before))).is_ok() {
                return Some(format!("lines {} and {line} of page {page} are the same entry", line - 1));
            }
        }
        None
    }

    pub(super) fn low_bound(&mut self) -> Option<String> {
        self.bound(|plan, left, right, page, line| {
            let _ = left;
            let mut separator = plan.image.entry(right, 0);
            separator.push(0);
            let next = plan.image.key(page, line + 1);
            (next.is_empty() || separator < next).then_some(separator)
        })
        .map(|(page, line)| format!("separator {line} of page {page} is above what follows it"))
    }

    pub(super) fn high_bound(&mut self) -> Option<String> {
        self.bound(|plan, left, right, page, line| {
            let _ = right;
            let lines = plan.image.page(left).lines();
            let separator = plan.image.entry(left, lines.checked_sub(1)?);
            let before = line.checked_sub(1).map(|before| plan.image.key(page, before));
            before.is_none_or(|before| before < separator).then_some(separator)
        })
        .map(|(page, line)| format!("separator {line} of page {page} is not above what precedes it"))
    }

    /// Moves a separator between two leaves.
    fn bound(
        &mut self,
        separator: impl Fn(&Self, PageNumber, PageNumber, PageNumber, u16) -> Option<Vec<u8>>,
    ) -> Option<(PageNumber, u16)> {
        for (_, page) in self.pages(|tree| tree.parents_of_leaves().to_vec()) {
            let children = self.image.children(page);
            if children.len() < 2 {
                continue;
            }
            let at = self.random.below(children.len() - 1);
            let (left, right, line) = (children[at], children[at + 1], u16::try_from(at).ok()?);
            if self.image.page(left).lines() == 0 || self.image.page(right).lines() == 0 {
                continue;
            }
            let Some(separator) = separator(self, left, right, page, line) else { continue };
            if self.set_separator(page, line, &separator).is_ok() {
                return Some((page, line));
            }
        }
        None
    }

    pub(super) fn links(&mut self) -> Option<String> {
        let (_, page) = self.pages(|tree| tree.leaves().to_vec()).into_iter().next()?;
        let now = [self.image.page(page).previous(), self.image.page(page).next()];
        let wrong = PageNumber(40 + u32::try_from(self.random.below(1000)).ok()?);
        let wrong = if self.random.below(4) == 0 { PageNumber::NONE } else { wrong };
        if now.contains(&wrong) {
            return None;
        }
        let next = self.random.below(2) == 0;
        self.image
            .edit(page, |editor| {
                if next {
                    editor.set_next(wrong)
                } else {
                    editor.set_previous(wrong)
                }
                Ok(())
            })
            .ok()?;
        Some(format!("leaf {page} has the sibling {wrong}"))
    }

    pub(super) fn node_sizes(&mut self) -> Option<String> {
        match self.random.below(4) {
            0 => self.long_key(),
            1 => self.long_prefix(),
            _ => self.prefix(),
        }
    }

    /// The last key of an index becomes longer than any can be.
    fn long_key(&mut self) -> Option<String> {
        for tree in self.trees(|tree| matches!(tree.kind, Kind::Index { .. })) {
            let page = *tree.leaves().last()?;
            let Some(line) = self.image.page(page).lines().checked_sub(1) else { continue };
            let key = vec![0xFF; 2 * if self.image.size().bytes() == 4096 { 1000 } else { 2000 } + 1];
            let data = self.image.page(page).line(line).ok()?.data.to_vec();
            let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: &key, data: &data };
            if self.image.edit(page, |editor| editor.replace_node(line, &node)).is_ok() {
                return Some(format!("the key of line {line} of page {page} has {} bytes", key.len()));
            }
        }
        None
    }

    /// A key takes more prefix than its page has.
    fn long_prefix(&mut self) -> Option<String> {
        for (_, number) in self.lower_leaves() {
            let page = self.image.page(number);
            let Some(line) = (0..page.lines()).find(|&line| page.line(line).is_ok_and(|node| node.prefix_length > 1)) else {
                continue;
            };
            let node = OwnedNode::from(page.line(line).ok()?);
            let longer = u16::try_from(page.prefix().ok()?.len()).ok()? + 1;
            let node = OwnedNode { prefix_length: longer, ..node };
            if self.image.edit(number, |editor| editor.replace_node(line, &stored(&node))).is_ok() {
                return Some(format!("line {line} of page {number} takes {longer} bytes of prefix"));
            }
        }
        None
    }

    fn prefix(&mut self) -> Option<String> {
        for (_, number) in self.lower_leaves() {
            let page = self.image.page(number);
            let lines: Vec<u16> =
                (0..page.lines()).filter(|&line| page.line(line).is_ok_and(|node| node.prefix_length > 1)).collect();
            for line in self.random.turned(&lines) {
                let key = self.image.key(number, line);
                let node = OwnedNode::from(self.image.page(number).line(line).ok()?);
                let node = OwnedNode { prefix_length: 1, suffix: key[1..].to_vec(), ..node };
                if self.image.edit(number, |editor| editor.replace_node(line, &stored(&node))).is_ok() {
                    return Some(format!("line {line} of page {number} has a prefix of one byte"));
                }
            }
        }
        None
    }

    pub(super) fn external_header(&mut self) -> Option<String> {
        let tree = self.trees(|_| true).into_iter().next()?;
        let space = multiple(&tree).filter(|_| self.random.below(2) == 0);
        let (page, size) = match space {
            Some(space) => (if self.random.below(2) == 0 { space.owned_root } else { space.available_root }, 12),
            None => (tree.root, [0, 8, 15][self.random.below(3)]),
        };
        self.image.edit(page, |editor| editor.set_external_header(&vec![0; size])).ok()?;
        Some(format!("the header of root {page} has {size} bytes"))
    }

    fn set_separator(&mut self, page: PageNumber, line: u16, key: &[u8]) -> Result<(), NoRoom> {
        let data = self.image.page(page).line(line)?.data.to_vec();
        let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: key, data: &data };
        self.image.edit(page, |editor| editor.replace_node(line, &node))
    }
}

/// A node as it is to be stored.
pub(super) fn stored(node: &OwnedNode) -> NewNode<'_> {
    NewNode { flags: node.flags, prefix_length: node.prefix_length, suffix: &node.suffix, data: &node.data }
}

fn insert_all(editor: &mut PageEditor<'_>, lines: &[OwnedNode]) -> Result<(), NoRoom> {
    (0..).zip(lines).try_for_each(|(line, node)| editor.insert(line, &stored(node)))
}
