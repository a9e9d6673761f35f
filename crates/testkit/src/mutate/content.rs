//! I30, I49, I50: what the leaves hold, the catalog and its copy.

use super::{Plan, is_users};
use crate::database::{Kind, Row};
use anchorlog_format::data::catalog::ObjectKind;
use anchorlog_format::data::catalog::columns::{COLTYP_OR_PAGE, SPACE_USAGE};
use anchorlog_format::page::NodeFlags;
use anchorlog_format::space::{CATALOG, CATALOG_SHADOW, RootHeader};
use anchorlog_format::units::PageNumber;

impl Plan<'_> {
    pub(super) fn content(&mut self) -> Option<String> {
        match self.random.below(9) {
            0 => self.record(),
            1 => self.deleted(|kind| matches!(kind, Kind::Index { .. }), "an index lost the entry"),
            2 => self.deleted(|kind| kind == Kind::Table, "a table lost the record"),
            3 => self.references(),
            4 => self.chunk(),
            5 => self.value_size(),
            6 => self.bookmark(),
            7 => self.unlisted(),
            _ => self.counter(),
        }
    }

    fn record(&mut self) -> Option<String> {
        for (_, page) in
            self.pages(|tree| if tree.kind == Kind::Table && is_users(tree) { tree.leaves().to_vec() } else { Vec::new() })
        {
            if let Some(line) = self.live_line(page) {
                self.image.edit(page, |editor| editor.patch_data(line, 2, &[0xFF, 0xFF])).ok()?;
                return Some(format!("the record on line {line} of page {page} says it is longer than it is"));
            }
        }
        None
    }

    /// A random live line of a page.
    fn live_line(&mut self, page: PageNumber) -> Option<u16> {
        let view = self.image.page(page);
        let live: Vec<u16> =
            (0..view.lines()).filter(|&line| view.line(line).is_ok_and(|node| !node.flags.is_deleted())).collect();
        self.random.turned(&live).first().copied()
    }

    /// Deletes an entry of an index, or a record that an index has an entry of.
    fn deleted(&mut self, fits: impl Fn(Kind) -> bool, what: &str) -> Option<String> {
        let indexed: Vec<PageNumber> =
            self.trees.iter().filter(|tree| matches!(tree.kind, Kind::Index { .. })).map(|tree| tree.parent).collect();
        for (tree, page) in self.pages(|tree| if fits(tree.kind) && is_users(tree) { tree.leaves().to_vec() } else { Vec::new() })
        {
            if tree.kind == Kind::Table && !indexed.contains(&tree.root) {
                continue;
            }
            if let Some(line) = self.live_line(page) {
                self.image.edit(page, |editor| editor.set_node_flags(line, NodeFlags::DELETED)).ok()?;
                return Some(format!("{what} on line {line} of page {page}"));
            }
        }
        None
    }

    fn references(&mut self) -> Option<String> {
        for (page, line, root) in self.long_value_lines() {
            let references = u32::from_le_bytes(self.image.page(page).line(line).ok()?.data.get(..4)?.try_into().ok()?);
            if !root || references == 0 || references == u32::MAX {
                continue;
            }
            let wrong = if self.random.below(2) == 0 { references + 1 } else { references - 1 };
            self.image.edit(page, |editor| editor.patch_data(line, 0, &wrong.to_le_bytes())).ok()?;
            return Some(format!("the long value on line {line} of page {page} counts {wrong} references, not {references}"));
        }
        None
    }

    fn chunk(&mut self) -> Option<String> {
        let live: Vec<_> = self.long_value_lines();
        // A chunk of a value that is being deleted may be gone: only those behind a live root.
        for pair in live.windows(2) {
            let [(page, line, root), (next, at, is_root)] = *pair else { continue };
            let references = self.image.page(page).line(line).ok()?.data.get(..4).and_then(|raw| raw.try_into().ok());
            let references = references.map_or(0, u32::from_le_bytes);
            if root && !is_root && references > 0 && references < u32::MAX {
                self.image.edit(next, |editor| editor.set_node_flags(at, NodeFlags::DELETED)).ok()?;
                return Some(format!("the chunk on line {at} of page {next} is gone"));
            }
        }
        None
    }

    fn value_size(&mut self) -> Option<String> {
        for (page, line, root) in self.long_value_lines() {
            let data = self.image.page(page).line(line).ok()?.data;
            let (Some(references), Some(size)) = (data.first_chunk(), data.get(4..).and_then(|rest| rest.first_chunk())) else {
                continue;
            };
            // No one looks at a value that is being deleted.
            if !root || [0, u32::MAX].contains(&u32::from_le_bytes(*references)) {
                continue;
            }
            let wrong = u32::from_le_bytes(*size) + 1 + u32::try_from(self.random.below(20_000)).ok()?;
            self.image.edit(page, |editor| editor.patch_data(line, 4, &wrong.to_le_bytes())).ok()?;
            return Some(format!("the long value on line {line} of page {page} says that it has {wrong} bytes"));
        }
        None
    }

    /// An entry of an index leads to another record, in a way that leaves the order of entries.
    fn bookmark(&mut self) -> Option<String> {
        for (_, page) in self.pages(|tree| match tree.kind {
            Kind::Index { .. } if is_users(tree) => tree.leaves().to_vec(),
            _ => Vec::new(),
        }) {
            let lines = self.image.page(page).lines();
            for line in 1..lines.saturating_sub(1) {
                let keys = [line - 1, line, line + 1].map(|line| self.image.key(page, line));
                let view = self.image.page(page);
                let Ok(node) = view.line(line) else { continue };
                if node.flags.is_deleted() || keys[0] == keys[1] || keys[1] == keys[2] {
                    continue;
                }
                let (at, last) = (node.data.len() - 1, *node.data.last()?);
                self.image.edit(page, |editor| editor.patch_data(line, at, &[last ^ 0x40])).ok()?;
                return Some(format!("the entry on line {line} of page {page} leads to another record"));
            }
        }
        None
    }

    /// The list of all trees lacks one.
    fn unlisted(&mut self) -> Option<String> {
        let page = *self.trees(|tree| tree.name == "MSysObjids").first()?.leaves().first()?;
        let line = self.live_line(page)?;
        self.image.edit(page, |editor| editor.set_node_flags(line, NodeFlags::DELETED)).ok()?;
        Some(format!("the list of trees lacks the one on line {line} of page {page}"))
    }

    /// Live lines of a long-value tree in their order, from a random tree on; whether each is the root of a value.
    fn long_value_lines(&mut self) -> Vec<(PageNumber, u16, bool)> {
        let mut lines = Vec::new();
        for tree in self.trees(|tree| tree.kind == Kind::LongValues) {
            for &page in tree.leaves() {
                let view = self.image.page(page);
                for line in (0..view.lines()).filter(|&line| view.line(line).is_ok_and(|node| !node.flags.is_deleted())) {
                    let key = self.image.key(page, line);
                    let wide = key.first().is_some_and(|byte| byte & 0x80 != 0);
                    lines.push((page, line, key.len() == if wide { 8 } else { 4 }));
                }
            }
            if !lines.is_empty() {
                break;
            }
        }
        // Begin anywhere, but keep the order of what follows.
        let at = self.random.below(lines.len());
        lines.rotate_left(at);
        lines
    }

    fn counter(&mut self) -> Option<String> {
        for tree in self.trees(|tree| tree.kind == Kind::Table && tree.leaves().len() + tree.levels.len() > 1) {
            let header = self.image.page(tree.root).external_header().ok()?.to_vec();
            let counter = RootHeader::parse(&header).and_then(|header| header.auto_increment);
            let rows: u16 = tree.leaves().iter().map(|&page| self.image.page(page).lines()).sum();
            if counter.is_none_or(|counter| counter < 2) || rows < 2 {
                continue;
            }
            let mut lower = header;
            let at = lower.len() - 8;
            lower[at..].copy_from_slice(&1_u64.to_le_bytes());
            self.image.edit(tree.root, |editor| editor.set_external_header(&lower)).ok()?;
            return Some(format!("the counter of {} is set back to 1", tree.name));
        }
        None
    }

    /// An index gets the root of another tree, in the catalog and in its copy.
    pub(super) fn same_root(&mut self) -> Option<String> {
        let rows = self.catalog_rows(CATALOG.root);
        let indexes: Vec<Row> =
            rows.into_iter().filter(|row| row.kind == ObjectKind::Index && !row.is_primary && row.objid.0 > 7).collect();
        let index = self.random.turned(&indexes).into_iter().next()?;
        let other = self.trees(|tree| tree.root != index.root && is_users(tree)).into_iter().next()?.root;
        let key = self.image.key(index.at.0, index.at.1);
        let copy = self.catalog_rows(CATALOG_SHADOW.root).into_iter().find(|row| self.image.key(row.at.0, row.at.1) == key)?;
        for (page, line) in [index.at, copy.at] {
            let at = usize::from(COLTYP_OR_PAGE.offset);
            self.image.edit(page, |editor| editor.patch_data(line, at, &other.0.to_le_bytes())).ok()?;
        }
        Some(format!("index {} has the root {other}, which is another's", index.name))
    }

    pub(super) fn shadow(&mut self) -> Option<String> {
        let rows = self.catalog_rows(CATALOG_SHADOW.root);
        let row = self.random.turned(&rows).into_iter().next()?;
        let ((page, line), kind) = (row.at, self.random.below(2));
        self.image
            .edit(page, |editor| match kind {
                0 => editor.patch_data(line, usize::from(SPACE_USAGE.offset), &[0x17]),
                _ => editor.set_node_flags(line, NodeFlags::DELETED),
            })
            .ok()?;
        Some(format!("the copy's row of {} on line {line} of page {page}, in the way {kind}", row.name))
    }

    fn catalog_rows(&self, root: PageNumber) -> Vec<Row> {
        let leaves = self.image.levels(root).pop().unwrap_or_default();
        leaves
            .into_iter()
            .flat_map(|page| (0..self.image.page(page).lines()).filter_map(move |line| self.image.catalog_row(page, line)))
            .collect()
    }
}
