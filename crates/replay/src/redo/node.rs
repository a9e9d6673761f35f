//! Records that change one node of one page, and their undo (`log-4 §8`).

use super::bucket::{Bucket, Effect, parts_of, stamp, version_head};
use super::window::{Kind, Owner, Work};
use super::{Gate, Redo};
use crate::apply::{self, ApplyError};
use crate::error::{ReplayError, Result};
use crate::versions::{Change, Version, VersionHead};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{NodeHead, Operation, Undo, UndoInfo, VersionOperation};
use anchorlog_format::page::{Fault, PageEditor};
use anchorlog_format::units::{Dbtime, PageNumber, SessionId, VersionId};

impl Redo {
    pub(super) fn node(&mut self, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
        let Some(head) = operation.node_head().copied() else { return Ok(()) };
        if self.gate(raw, &head, head.object)? == Gate::Skip {
            return Ok(());
        }
        let versions = head.flags.is_versioned() && has_own_version(operation);
        self.name_pages(head.database, operation);
        self.window.bytes.extend_from_slice(raw);
        let owner = self.owner(head.session);
        self.window.push(self.position, Kind::Node { versions }, owner);
        self.adds_versions(operation);
        Ok(())
    }

    /// The open transaction of a session, as the records so far have it.
    pub(super) fn owner(&self, session: SessionId) -> Owner {
        let known = self.sessions.get(&session);
        known.map_or_else(Owner::default, |known| Owner { session, level: known.level, transaction: known.transaction })
    }
    /// Tells the window which version entries a node record may add.
    pub(super) fn adds_versions(&mut self, operation: &Operation<'_>) {
        let Some(head) = operation.node_head().filter(|head| head.flags.is_versioned()) else { return };
        self.window.adds(head.version);
        if let Operation::FlagInsertAndReplace(insert) = operation {
            self.window.adds(insert.version_of_replace);
        }
    }

    /// What undo will need of inserts and deltas: the record alone has it, so also where the page is newer already.
    pub(super) fn note_versions(&mut self, operation: &Operation<'_>, owner: Owner) -> Result<()> {
        match operation {
            Operation::Insert(insert) => {
                let key = [insert.prefix, insert.suffix].concat();
                self.add_version(&insert.head, owner, &key, insert.data, Change::Insert)
            }
            Operation::FlagInsert(insert) => self.add_version(&insert.head, owner, insert.key, insert.data, Change::Insert),
            Operation::FlagInsertAndReplace(insert) => {
                self.add_version(&insert.head, owner, insert.key, insert.data, Change::Insert)
            }
            Operation::Delta(delta) => {
                let change = Change::Delta { offset: delta.offset, delta: delta.delta.into(), wide: false };
                self.add_version(&delta.head, owner, delta.key, delta.bookmark_data, change)
            }
            Operation::Delta64(delta) => {
                let change = Change::Delta { offset: delta.offset, delta: delta.delta, wide: true };
                self.add_version(&delta.head, owner, delta.key, delta.bookmark_data, change)
            }
            _ => Ok(()),
        }
    }
    fn add_version(&mut self, head: &NodeHead, owner: Owner, key: &[u8], data: &[u8], change: Change) -> Result<()> {
        let Some(version) = version_head(head, head.version, owner, change, None) else { return Ok(()) };
        let [bookmark_data, before] = parts_of(&version, data);
        Ok(self.versions.add(&version, key, bookmark_data, before)?)
    }

    /// A before image that was logged because its page went to the file (trap V7): no page is touched, no macro holds it.
    pub(super) fn undo_info(&mut self, raw: &[u8], info: &UndoInfo<'_>) -> Result<()> {
        let head = info.head;
        let effective = self.sessions.entry(head.session).or_default().after_first_begin;
        let mut owner = self.owner(head.session);
        if self.database_gate(head.database, Dbtime(0), head.object, !effective) == Gate::Skip {
            owner.level = 0;
        }
        self.window.bytes.extend_from_slice(raw);
        self.window.push(self.position, Kind::UndoInfo, owner);
        self.window.adds(head.version);
        Ok(())
    }
    /// The version entry of a before image, where a change redone has not made it before.
    pub(super) fn note_undo_info(&mut self, info: &UndoInfo<'_>, work: &Work) -> Result<()> {
        let (head, owner) = (info.head, work.owner);
        self.sessions.entry(head.session).or_default().deferred.remove(&head.version);
        if owner.level == 0 {
            return Ok(());
        }
        if self.versions.contains(head.version) {
            self.versions.mark_logged(head.version);
            return Ok(());
        }
        let (change, before) = match info.operation {
            VersionOperation::REPLACE => (Change::Replace { max_size: info.size_max }, info.image),
            VersionOperation::FLAG_DELETE => (Change::FlagDelete, &[][..]),
            _ => return Ok(()),
        };
        let Some(version) = version_head(&head, head.version, owner, change, None) else { return Ok(()) };
        let bookmark_data = if version.unique { &[] } else { info.bookmark_data };
        Ok(self.versions.add(&version, info.key, bookmark_data, before)?)
    }

    /// The undo of one change, logged by a rollback of the engine or of an earlier recovery.
    pub(super) fn undo_record(&mut self, raw: &[u8], undo: &Undo<'_>) -> Result<()> {
        let head = undo.head;
        if self.gate(raw, &head, head.object)? == Gate::Skip {
            return Ok(());
        }
        let owner = self.owner(head.session);
        let mut version = None;
        if owner.level > 0 {
            // The entry may come from another page: it is looked up in the version store, not in the window (trap X4).
            if self.decides_over(head.version) {
                self.settle()?;
            }
            version = self.versions.get(head.version)?;
        }
        self.name_pages(head.database, &Operation::Undo(*undo));
        self.window.bytes.extend_from_slice(raw);
        let kind = self.window.undoes(head.version, version);
        self.window.push(self.position, kind, owner);
        Ok(())
    }
}

/// Whether the record alone makes a version entry: replaces and deletes need the page (trap V6).
const fn has_own_version(operation: &Operation<'_>) -> bool {
    matches!(
        operation,
        Operation::Insert(_)
            | Operation::FlagInsert(_)
            | Operation::FlagInsertAndReplace(_)
            | Operation::Delta(_)
            | Operation::Delta64(_)
    )
}

impl Bucket {
    pub(super) fn node(&mut self, operation: &Operation<'_>) -> Result<()> {
        let Some(head) = operation.node_head().copied() else { return Ok(()) };
        let needed = self.needs(head.database, head.page, head.dbtime_before, head.dbtime)?;
        if head.flags.is_versioned() {
            match operation {
                Operation::FlagInsertAndReplace(insert) => {
                    self.note_replaced(&head, insert.version_of_replace, Change::Replace { max_size: 0 }, needed)?;
                }
                Operation::Replace(_) | Operation::ReplaceDifference(_) => {
                    self.note_replaced(&head, head.version, Change::Replace { max_size: 0 }, needed)?;
                }
                Operation::FlagDelete(_) => self.note_replaced(&head, head.version, Change::FlagDelete, needed)?,
                _ => {}
            }
        }
        if needed {
            self.change(head.database, head.page, head.dbtime, |editor| apply::node::apply(operation, head.page, editor))?;
        }
        Ok(())
    }

    /// An entry whose bookmark and before image stand on the page, so only where the page is not newer already (trap V6).
    fn note_replaced(&mut self, head: &NodeHead, version: VersionId, change: Change, needed: bool) -> Result<()> {
        if !needed {
            self.defer(head, version);
            return Ok(());
        }
        let damaged = |fault: Fault| ReplayError::new(JetCode::DATABASE_CORRUPTED, fault.to_string()).page(head.page);
        let Some(entry) = version_head(head, version, self.owner, change, Some(head.page)) else { return Ok(()) };
        let Some(page) = self.page(head.database, head.page) else { return Ok(()) };
        let node = page.line(head.line).map_err(damaged)?;
        let mut key = Vec::new();
        page.key(&node, &mut key).map_err(damaged)?;
        let [bookmark_data, before] = parts_of(&entry, node.data).map(<[u8]>::to_vec);
        self.tell(Effect::Version { head: entry, key, bookmark_data, before });
        Ok(())
    }

    pub(super) fn undo_record(&mut self, head: &NodeHead, version: Option<&Version>) -> Result<()> {
        if !self.needs(head.database, head.page, head.dbtime_before, head.dbtime)? {
            return Ok(());
        }
        self.change(head.database, head.page, head.dbtime, |editor| match version {
            Some(version) => take_back(&version.head, &version.before, head.page, head.line, editor),
            // Nothing to undo, yet the page gets the time (trap V10).
            None => Ok(()),
        })
    }
}

/// Applies the inverse of a change to a line.
fn take_back(
    version: &VersionHead,
    before: &[u8],
    page: PageNumber,
    line: u16,
    editor: &mut PageEditor<'_>,
) -> std::result::Result<(), ApplyError> {
    match version.change {
        Change::Insert => apply::node::set_deleted(editor, page, line, true, false),
        Change::FlagDelete => apply::node::set_deleted(editor, page, line, false, false),
        Change::Replace { .. } => apply::node::set_data(editor, page, line, before, false),
        Change::Delta { offset, delta, wide } => apply::node::add(editor, page, line, offset, delta.wrapping_neg(), wide),
    }
}

impl Redo {
    /// Applies the inverse of a change to the line that a record names, stamped with the record's time.
    pub(crate) fn undo_on_page(&mut self, version: &Version, head: &NodeHead) -> Result<()> {
        let mut image = self.take(head.database, head.page)?;
        stamp(&mut image, head.dbtime);
        if let Some(mut editor) = PageEditor::new(&mut image) {
            take_back(&version.head, &version.before, head.page, head.line, &mut editor)?;
        }
        self.put(head.database, head.page, image)
    }
}
