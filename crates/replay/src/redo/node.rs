//! Records that change one node of one page, and their undo (`log-4 §8`).

use super::{Gate, Redo, stamp};
use crate::apply;
use crate::error::{ReplayError, Result};
use crate::versions::{Change, Deferred, Version, VersionHead};
use anchorlog_format::log::record::{NodeHead, Operation, Undo, UndoInfo, VersionOperation};
use anchorlog_format::page::{Page, PageEditor};
use anchorlog_format::units::{PageNumber, VersionId};

impl Redo {
    pub(super) fn node(&mut self, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
        let Some(head) = operation.node_head().copied() else { return Ok(()) };
        if self.gate(raw, &head, head.object)? == Gate::Skip {
            return Ok(());
        }
        let needed = self.needs(head.database, head.page, head.dbtime_before, head.dbtime)?;
        self.note_versions(operation, &head, needed)?;
        if !needed {
            return Ok(());
        }
        self.change(&head, |page, editor| apply::node::apply(operation, page, editor))
    }

    /// Stamps the page and changes it.
    fn change(
        &mut self,
        head: &NodeHead,
        change: impl FnOnce(PageNumber, &mut PageEditor<'_>) -> std::result::Result<(), apply::ApplyError>,
    ) -> Result<()> {
        let mut image = self.take_unstamped(head.database, head.page)?;
        let was = Page::new(&image).map(|page| (page.dbtime(), page.flags()));
        stamp(&mut image, head.dbtime);
        let changed = match PageEditor::new(&mut image) {
            Some(mut editor) => change(head.page, &mut editor),
            None => Ok(()),
        };
        if let Err(error) = changed {
            if let (Some((dbtime, flags)), Some(mut editor)) = (was, PageEditor::new(&mut image)) {
                editor.set_dbtime(dbtime);
                editor.set_flags(flags);
            }
            let dirty = self.cache.is_dirty(head.database, head.page);
            self.cache.put_back(head.database, head.page, image, dirty)?;
            return Err(error.into());
        }
        self.put(head.database, head.page, image)
    }

    /// What undo will need: inserts and deltas from the record alone, so also where the page is newer already; replaces and deletes
    /// from the page, so only where it is not (trap V6).
    fn note_versions(&mut self, operation: &Operation<'_>, head: &NodeHead, needed: bool) -> Result<()> {
        if !head.flags.is_versioned() {
            return Ok(());
        }
        match operation {
            Operation::Insert(insert) => {
                let mut key = insert.prefix.to_vec();
                key.extend_from_slice(insert.suffix);
                self.add_version(head, head.version, &key, insert.data, Change::Insert, None)
            }
            Operation::FlagInsert(insert) => self.add_version(head, head.version, insert.key, insert.data, Change::Insert, None),
            Operation::FlagInsertAndReplace(insert) => {
                self.add_version(head, head.version, insert.key, insert.data, Change::Insert, None)?;
                if needed {
                    self.note_from_page(head, insert.version_of_replace, true)
                } else {
                    self.defer(head, insert.version_of_replace);
                    Ok(())
                }
            }
            Operation::Replace(_) | Operation::ReplaceDifference(_) if needed => self.note_from_page(head, head.version, true),
            Operation::FlagDelete(_) if needed => self.note_from_page(head, head.version, false),
            Operation::Replace(_) | Operation::ReplaceDifference(_) | Operation::FlagDelete(_) => {
                self.defer(head, head.version);
                Ok(())
            }
            Operation::Delta(delta) => {
                let change = Change::Delta { offset: delta.offset, delta: delta.delta.into(), wide: false };
                self.add_version(head, head.version, delta.key, delta.bookmark_data, change, None)
            }
            Operation::Delta64(delta) => {
                let change = Change::Delta { offset: delta.offset, delta: delta.delta, wide: true };
                self.add_version(head, head.version, delta.key, delta.bookmark_data, change, None)
            }
            _ => Ok(()),
        }
    }

    /// An entry whose bookmark and before image stand on the page.
    fn note_from_page(&mut self, head: &NodeHead, version: VersionId, replace: bool) -> Result<()> {
        let damaged = |fault: anchorlog_format::page::Fault| {
            ReplayError::new(anchorlog_format::jet::JetCode::DATABASE_CORRUPTED, fault.to_string()).page(head.page)
        };
        let Some(page) = self.cache.page(head.database, head.page) else { return Ok(()) };
        let node = page.line(head.line).map_err(damaged)?;
        let mut key = Vec::new();
        page.key(&node, &mut key).map_err(damaged)?;
        let data = node.data.to_vec();
        let change = if replace { Change::Replace { max_size: 0 } } else { Change::FlagDelete };
        self.add_version(head, version, &key, &data, change, Some(head.page))
    }

    /// The page is newer already: the engine that wrote it logged the before image first, so it comes later in the log, unless the
    /// transaction ends before.
    pub(super) fn defer(&mut self, head: &NodeHead, version: VersionId) {
        let position = self.position;
        // Of a bad page nothing is known.
        if self.damage.passes_over(head.database, head.page) || self.versions.contains(version) {
            return;
        }
        if let Some(session) = self.sessions.get_mut(&head.session).filter(|session| session.level > 0) {
            let level = head.level.clamp(1, session.level);
            let deferred = Deferred { level, database: head.database, page: head.page, position };
            session.deferred.insert(version, deferred);
        }
    }

    /// Adds an entry for the session of a record. In trees with unique keys the key alone is the bookmark; a replace keeps the data.
    pub(super) fn add_version(
        &mut self,
        head: &NodeHead,
        id: VersionId,
        key: &[u8],
        data: &[u8],
        change: Change,
        unlogged_on: Option<PageNumber>,
    ) -> Result<()> {
        let Some(session) = self.sessions.get(&head.session).filter(|session| session.level > 0) else { return Ok(()) };
        let (level, transaction) = (head.level.clamp(1, session.level), session.transaction);
        let bookmark_data = if head.flags.is_unique() { &[] } else { data };
        let before = if matches!(change, Change::Replace { .. }) { data } else { &[] };
        let version = VersionHead {
            id,
            session: head.session,
            level,
            transaction,
            database: head.database,
            root: head.root,
            objid: head.object,
            unique: head.flags.is_unique(),
            change,
            unlogged_on,
        };
        Ok(self.versions.add(&version, key, bookmark_data, before)?)
    }

    /// A before image that was logged because its page went to the file (trap V7): no page is touched, no macro holds it.
    pub(super) fn undo_info(&mut self, info: &UndoInfo<'_>) -> Result<()> {
        let head = info.head;
        let known = self.sessions.entry(head.session).or_default();
        known.deferred.remove(&head.version);
        let (effective, level) = (known.after_first_begin, known.level);
        if self.database_gate(head.database, anchorlog_format::units::Dbtime(0), head.object, !effective) == Gate::Skip
            || level == 0
        {
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
        let Some(session) = self.sessions.get(&head.session) else { return Ok(()) };
        let version = VersionHead {
            id: head.version,
            session: head.session,
            level: head.level.clamp(1, level),
            transaction: session.transaction,
            database: head.database,
            root: head.root,
            objid: head.object,
            unique: head.flags.is_unique(),
            change,
            unlogged_on: None,
        };
        let bookmark_data = if version.unique { &[] } else { info.bookmark_data };
        Ok(self.versions.add(&version, info.key, bookmark_data, before)?)
    }

    /// The undo of one change, logged by a rollback of the engine or of an earlier recovery.
    pub(super) fn undo_record(&mut self, raw: &[u8], undo: &Undo<'_>) -> Result<()> {
        let head = undo.head;
        if self.gate(raw, &head, head.object)? == Gate::Skip {
            return Ok(());
        }
        let needed = self.needs(head.database, head.page, head.dbtime_before, head.dbtime)?;
        let session = self.sessions.entry(head.session).or_default();
        session.deferred.remove(&head.version);
        let over = session.level == 0;
        let version = if over { None } else { self.versions.get(head.version)? };
        if needed {
            match &version {
                Some(version) => self.undo_on_page(version, &head)?,
                // Nothing to undo, yet the page gets the time (trap V10).
                None => {
                    let image = self.take(head.database, head.page, head.dbtime)?;
                    self.put(head.database, head.page, image)?;
                }
            }
        }
        if version.is_some() {
            // Removed also where the page is newer already (trap V8).
            self.versions.remove(head.version);
        }
        Ok(())
    }

    /// Applies the inverse of a change to the line that a record names, stamped with the record's time.
    pub(crate) fn undo_on_page(&mut self, version: &Version, head: &NodeHead) -> Result<()> {
        let mut image = self.take(head.database, head.page, head.dbtime)?;
        stamp(&mut image, head.dbtime);
        if let Some(mut editor) = PageEditor::new(&mut image) {
            let (page, line) = (head.page, head.line);
            match version.head.change {
                Change::Insert => apply::node::set_deleted(&mut editor, page, line, true, false)?,
                Change::FlagDelete => apply::node::set_deleted(&mut editor, page, line, false, false)?,
                Change::Replace { .. } => apply::node::set_data(&mut editor, page, line, &version.before, false)?,
                Change::Delta { offset, delta, wide } => {
                    apply::node::add(&mut editor, page, line, offset, delta.wrapping_neg(), wide)?;
                }
            }
        }
        self.put(head.database, head.page, image)
    }
}
