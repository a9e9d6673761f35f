//! I10 to I29: the shape of trees.

use super::{Plan, multiple};
use crate::database::{Kind, Tree};
use anchorlog_format::page::editor::OwnedNode;
use anchorlog_format::page::{NewNode, NoRoom, NodeFlags, PageEditor, PageFlags};
use anchorlog_format::units::PageNumber;

impl Plan<'_> {
    pub(super) fn root_flag(&mut self) -> Option<String> {
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
        let (tree, page) = self.pages(|tree| tree.levels[1..].concat()).into_iter().next()?;
        let other = self.trees(|other| other.objid != tree.objid).into_iter().next()?.objid;
        self.image.patch(page, |bytes| bytes[24..28].copy_from_slice(&other.0.to_le_bytes()));
        Some(format!("page {page} of object {} says it is of {other}", tree.objid))
    }

    pub(super) fn type_flags(&mut self) -> Option<String> {
        let (_, page) = self.lower_leaves().into_iter().find(|(tree, _)| tree.kind == Kind::Table)?;
        self.turn_flag(page, PageFlags::SPACE_TREE);
        Some(format!("leaf {page} of a table says it is of a space tree"))
    }

    pub(super) fn reached_twice(&mut self) -> Option<String> {
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
        let (_, page) = self.lower_leaves().into_iter().next()?;
        self.turn_flag(page, PageFlags::EMPTY);
        Some(format!("leaf {page} says it is empty"))
    }

    /// A root of two levels gets seven levels below it, each with one line.
    pub(super) fn depth(&mut self) -> Option<String> {
        const MORE: usize = 7;
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

    pub(super) fn parent_of_leaf(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::inner).into_iter().next()?;
        self.turn_flag(page, PageFlags::PARENT_OF_LEAF);
        Some(format!("inner page {page} tells the wrong thing of its children"))
    }

    pub(super) fn inner_links(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::inner).into_iter().next()?;
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
            if self.set_separator(page, line, &before).is_ok() {
                return Some(format!("lines {} and {line} of page {page} have one separator", line - 1));
            }
        }
        None
    }

    pub(super) fn last_separator(&mut self) -> Option<String> {
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

    pub(super) fn same_entry(&mut self) -> Option<String> {
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

    pub(super) fn prefix(&mut self) -> Option<String> {
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
            None => (tree.root, 15),
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
