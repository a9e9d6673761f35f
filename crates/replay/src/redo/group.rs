//! Macros: records that are redone as one when they commit (`log-4 §9` to `§11`, `§13.3`).

use super::bucket::{Bucket, decode_all};
use super::window::{Kind, Owner};
use super::{Gate, Redo};
use crate::apply::merge::{self, moves_nodes};
use crate::apply::split::{LeafOperation, SplitGroup, SplitOperation, needs_image};
use crate::apply::{self, PageSet};
use crate::error::{INTERNAL_ERROR, ReplayError, Result};
use crate::versions::Change;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{Merge, NodeHead, Operation, PageHead, RootPageMove, Split};
use anchorlog_format::page::{Fault, PageFlags};
use anchorlog_format::units::{Dbtime, ObjectId, PageNumber, VersionId};

impl Redo {
    /// Splits and merges occur only inside macros.
    pub(super) fn buffer_member(&mut self, raw: &[u8], head: &PageHead, object: ObjectId, freed: &[PageNumber]) -> Result<()> {
        let effective = self.sessions.entry(head.session).or_default().after_first_begin;
        for &page in freed {
            self.note_freed(head, page);
        }
        if !effective {
            self.database_gate(head.database, head.dbtime, object, true);
            return Ok(());
        }
        if self.keep_member(raw, head.session, head.dbtime)? {
            return Ok(());
        }
        Err(ReplayError::new(JetCode::LOG_CORRUPTED, "a split or merge outside a macro").page(head.page))
    }
    /// Root moves as well.
    pub(super) fn root_page_move(&mut self, raw: &[u8], root: &RootPageMove) -> Result<()> {
        let effective = self.sessions.entry(root.session).or_default().after_first_begin;
        if !effective {
            self.database_gate(root.database, root.dbtime, root.object, true);
            return Ok(());
        }
        if self.keep_member(raw, root.session, root.dbtime)? {
            return Ok(());
        }
        Err(ReplayError::new(JetCode::LOG_CORRUPTED, "a root move outside a macro"))
    }

    /// The members of a macro, by the type of the first: the decisions that need no page.
    pub(super) fn redo_group(&mut self, raw: &[u8]) -> Result<()> {
        let members = decode_all(raw)?;
        let (database, gate) = match members.first() {
            Some(Operation::Split(first)) => (first.head.database, self.gate_levels(&members)?),
            Some(Operation::Merge(first)) => (first.head.database, self.gate_levels(&members)?),
            Some(Operation::RootPageMove(root)) => {
                (root.database, self.database_gate(root.database, root.dbtime, root.object, false))
            }
            _ => return Err(ReplayError::new(INTERNAL_ERROR, "a macro begins with a record that no macro begins with")),
        };
        if gate == Gate::Skip {
            return Ok(());
        }
        for member in &members {
            self.name_pages(database, member);
            self.adds_versions(member);
        }
        let node = members.iter().find_map(|member| member.node_head());
        let owner = node.map_or_else(Owner::default, |head| self.owner(head.session));
        self.window.bytes.extend_from_slice(raw);
        self.window.push(self.position, Kind::Group, owner);
        Ok(())
    }

    /// The database gate for every level of a split or merge. Records of old formats are refused only where they would be redone.
    fn gate_levels(&mut self, members: &[Operation<'_>]) -> Result<Gate> {
        let levels = members.iter().filter_map(|member| match member {
            Operation::Split(level) => Some((level.head, level.object, level.before.is_none())),
            Operation::Merge(level) => Some((level.head, level.object, level.before.is_none())),
            _ => None,
        });
        let mut gate = Gate::Redo;
        for (head, object, _) in levels.clone() {
            gate = self.database_gate(head.database, head.dbtime, object, false);
        }
        if gate == Gate::Redo {
            for (head, _, old) in levels {
                refuse_old(old, head.page)?;
            }
        }
        Ok(gate)
    }
}

impl Bucket {
    /// Redoes the members of a macro.
    pub(super) fn group(&mut self, raw: &[u8]) -> Result<()> {
        let members = decode_all(raw)?;
        match members.first() {
            Some(Operation::Split(_)) => self.redo_split(&members),
            Some(Operation::Merge(_)) => self.redo_merge(&members),
            Some(Operation::RootPageMove(root)) => self.redo_root_move(root, &members[1..]),
            _ => Ok(()),
        }
    }

    fn redo_split(&mut self, members: &[Operation<'_>]) -> Result<()> {
        let levels: Vec<Split<'_>> =
            members.iter().filter_map(|member| if let Operation::Split(split) = member { Some(*split) } else { None }).collect();
        let node = members.iter().find(|member| member.node_head().is_some());
        let Some(leaf) = levels.last().copied() else { return Ok(()) };
        let database = leaf.head.database;
        let mut pages = PageSet::default();
        for (at, level) in levels.iter().enumerate() {
            // A child's record names its parent's time as well, and wins.
            let before = levels.get(at + 1).map_or(level.head.dbtime_before, |child| child.parent_dbtime_before);
            self.add_split_level(level, before, &mut pages)?;
        }
        let mut key = Vec::new();
        let operation = match node {
            Some(node) => {
                let (data, has_key) = self.leaf_operation(&leaf, node, &pages, &mut key)?;
                let versioned = node.node_head().is_some_and(|head| head.flags.is_versioned());
                Some(LeafOperation { key: has_key.then_some(&key[..]), data, versioned })
            }
            None => None,
        };
        apply::split::apply(&SplitGroup { levels, operation }, &mut pages)?;
        self.put_all(database, pages)
    }

    /// Gates the pages of one level; a page split that is newer already is stood in for by its logged image (`log-4 §10.3`).
    fn add_split_level(&mut self, level: &Split<'_>, before: Dbtime, pages: &mut PageSet) -> Result<()> {
        let (database, page, after) = (level.head.database, level.head.page, level.head.dbtime);
        self.add_old(database, page, before, after, pages)?;
        if level.new_page.is_none() {
            return Ok(());
        }
        self.add_new(database, level.new_page, after, pages)?;
        if !level.right_page.is_none() {
            self.add_old(database, level.right_page, level.right_dbtime_before, after, pages)?;
        }
        if let Some(mut editor) = pages.editor(level.new_page) {
            editor.format_new(level.new_page, level.object, after, PageFlags(level.new_page_flags));
        }
        if needs_image(level) {
            // Missing, it is an error even where nothing needs redo (trap V12).
            let image = level.before.filter(|image| !image.is_empty()).ok_or_else(|| {
                let reason = "a split record lacks the image of the page that it splits";
                ReplayError::new(JetCode::DATABASE_BUFFER_DEPENDENCIES_CORRUPTED, reason).page(page)
            })?;
            if pages.needs(level.new_page) && !pages.needs(page) {
                let size = self.size_of(database)?;
                pages.add_scratch(page, apply::image::before(&image, page, level.head.dbtime_before, size)?);
            }
        }
        Ok(())
    }

    /// The leaf operation of a split: its data, and whether `key` got its key. Version entries are noted on the way (`log-4 §10.6`).
    fn leaf_operation<'a>(
        &mut self,
        leaf: &Split<'_>,
        node: &Operation<'a>,
        pages: &PageSet,
        key: &mut Vec<u8>,
    ) -> Result<(&'a [u8], bool)> {
        match (node, SplitOperation::of(leaf)?) {
            (Operation::Insert(insert), SplitOperation::Insert) => {
                key.extend_from_slice(insert.prefix);
                key.extend_from_slice(insert.suffix);
                if insert.head.flags.is_versioned() {
                    self.tell_version(&insert.head, insert.head.version, key.clone(), insert.data, Change::Insert, None);
                }
                Ok((insert.data, true))
            }
            (Operation::FlagInsertAndReplace(insert), SplitOperation::FlagInsertAndReplace) => {
                if insert.head.flags.is_versioned() {
                    let key = insert.key.to_vec();
                    self.tell_version(&insert.head, insert.head.version, key, insert.data, Change::Insert, None);
                    self.note_split_replace(leaf, &insert.head, insert.version_of_replace, pages)?;
                }
                Ok((insert.data, false))
            }
            (Operation::Replace(replace), SplitOperation::Replace) => {
                if replace.head.flags.is_versioned() {
                    self.note_split_replace(leaf, &replace.head, replace.head.version, pages)?;
                }
                Ok((replace.data, false))
            }
            _ => {
                let reason = "a split and the node record behind it do not fit each other";
                Err(ReplayError::new(JetCode::LOG_FILE_CORRUPT, reason).page(leaf.head.page))
            }
        }
    }

    /// The before image of a replace that came with a split: known only where the page that ends up with the node is redone.
    fn note_split_replace(&mut self, leaf: &Split<'_>, head: &NodeHead, version: VersionId, pages: &PageSet) -> Result<()> {
        let holder = if leaf.operation_line < leaf.split_line { leaf.head.page } else { leaf.new_page };
        let Some(source) = pages.source(leaf.head.page).filter(|_| pages.needs(holder)) else {
            self.defer(head, version);
            return Ok(());
        };
        let damaged = |fault: Fault| ReplayError::new(JetCode::DATABASE_CORRUPTED, fault.to_string()).page(leaf.head.page);
        let node = source.line(leaf.operation_line).map_err(damaged)?;
        let mut key = Vec::new();
        source.key(&node, &mut key).map_err(damaged)?;
        let data = node.data.to_vec();
        // From a stand-in nothing depends on the page: the writer had to log the image before it wrote the newer page.
        let unlogged = pages.needs(leaf.head.page).then_some(holder);
        self.tell_version(head, version, key, &data, Change::Replace { max_size: 0 }, unlogged);
        Ok(())
    }

    fn redo_merge(&mut self, members: &[Operation<'_>]) -> Result<()> {
        let levels: Vec<Merge<'_>> =
            members.iter().filter_map(|member| if let Operation::Merge(merge) = member { Some(*merge) } else { None }).collect();
        let Some(leaf) = levels.last().copied() else { return Ok(()) };
        let (database, merged) = (leaf.head.database, leaf.head.page);
        let mut pages = PageSet::default();
        for (at, level) in levels.iter().enumerate() {
            let before = levels.get(at + 1).map_or(level.head.dbtime_before, |child| child.parent_dbtime_before);
            self.add_old(database, level.head.page, before, level.head.dbtime, &mut pages)?;
        }
        for (page, before) in [(leaf.left_page, leaf.left_dbtime_before), (leaf.right_page, leaf.right_dbtime_before)] {
            if !page.is_none() {
                self.add_old(database, page, before, leaf.head.dbtime, &mut pages)?;
            }
        }
        let destination = merge::destination(&leaf).filter(|&page| pages.needs(page));
        if moves_nodes(leaf.merge_type) && destination.is_some() {
            let image = leaf.before.filter(|image| !image.is_empty()).ok_or_else(|| {
                let reason = "a merge record lacks the image of the page that it merges away";
                ReplayError::new(JetCode::DATABASE_BUFFER_DEPENDENCIES_CORRUPTED, reason).page(merged)
            })?;
            if !pages.needs(merged) {
                let size = self.size_of(database)?;
                pages.add_scratch(merged, apply::image::before(&image, merged, leaf.head.dbtime_before, size)?);
            }
        }
        merge::apply(&levels, &mut pages)?;
        self.put_all(database, pages)
    }

    /// A tree gets another root: three pages move, the space headers of child trees and the catalog follow.
    fn redo_root_move(&mut self, root: &RootPageMove, members: &[Operation<'_>]) -> Result<()> {
        let (database, after) = (root.database, root.dbtime);
        let mut pages = PageSet::default();
        for member in members {
            match member {
                Operation::PageMove(record) => {
                    self.add_old(database, record.head.page, record.head.dbtime_before, after, &mut pages)?;
                    self.add_new(database, record.destination, after, &mut pages)?;
                }
                // Both catalog rows may lie on one page, which has one gate (trap V37): `add_old` asks once.
                Operation::SetExternalHeader(_) | Operation::Replace(_) => {
                    if let Some(head) = member.node_head() {
                        self.add_old(database, head.page, head.dbtime_before, after, &mut pages)?;
                    }
                }
                _ => {}
            }
        }
        let size = self.size_of(database)?;
        apply::tree::move_root(members, size, &mut pages)?;
        self.put_all(database, pages)
    }
}

/// Records of formats before the before images cannot be redone (`log-4 §21`). Microsoft's engine refuses them whatever database they
/// name; of one that takes no part they do no harm (`log-7 §16`).
fn refuse_old(old: bool, page: PageNumber) -> Result<()> {
    if old {
        let reason = "a split or merge of a log format that carries no page images";
        return Err(ReplayError::new(JetCode::BAD_LOG_VERSION, reason).page(page));
    }
    Ok(())
}
