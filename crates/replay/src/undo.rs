//! Undo: what had not committed is taken back, and logged like any other change (`log-4 §19`).

use crate::error::{ReplayError, Result};
use crate::redo::Redo;
use crate::seek::{self, Bookmark};
use crate::versions::{Change, Version, VersionHead};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{
    ChangeFlags, MacroMark, NodeHead, Operation, PageHead, Rollback, Undo, UndoInfo, VersionOperation,
};
use anchorlog_format::units::{Dbtime, LogPosition, PageNumber, SessionId};

/// Where undo logs to.
pub trait UndoLog {
    /// Appends a record; returns its position.
    ///
    /// # Errors
    /// Any error of the log.
    fn append(&mut self, operation: &Operation<'_>) -> Result<LogPosition>;
}

/// What undo did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Transactions rolled back.
    pub transactions: u64,
    /// Changes taken back.
    pub changes: u64,
}

impl Redo {
    /// Takes back everything that is open: macros that never committed are aborted, then each session is rolled back, ascending,
    /// level by level, newest change first (traps V32, W29).
    ///
    /// # Errors
    /// Any error of a page or of the log; the databases stay dirty then.
    pub fn undo(&mut self, log: &mut dyn UndoLog) -> Result<Undone> {
        let mut undone = Undone::default();
        for (session, dbtime) in self.open_macros() {
            if self.sessions.get(&session).is_some_and(|session| session.after_first_begin) {
                log.append(&Operation::MacroAbort(MacroMark { session, dbtime }))?;
            }
        }
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for session in sessions {
            undone.changes += self.undo_session(session, log, &mut undone.transactions)?;
        }
        Ok(undone)
    }

    fn undo_session(&mut self, id: SessionId, log: &mut dyn UndoLog, transactions: &mut u64) -> Result<u64> {
        let mut changes = 0;
        let Some(open) = self.sessions.get(&id).map(|session| session.level).filter(|&level| level > 0) else { return Ok(0) };
        *transactions += 1;
        for level in (1..=open).rev() {
            while let Some(newest) = self.versions.take_newest(id, level) {
                if let Some(version) = self.versions.get(newest)? {
                    match self.undo_version(&version, level, log) {
                        Ok(()) => changes += 1,
                        Err(error) => self.pass_over_undo(&version.head, error)?,
                    }
                }
                self.versions.remove(newest);
            }
            log.append(&Operation::Rollback(Rollback { session: id, levels: 1 }))?;
            if let Some(session) = self.sessions.get_mut(&id) {
                session.level = level - 1;
            }
        }
        if let Some(context) = self.sessions.get_mut(&id).and_then(|session| session.commit_context.take())
            && let Ok(operation) = Operation::decode(&context)
        {
            log.append(&operation)?;
        }
        Ok(changes)
    }

    /// A change that cannot be taken back because its page is bad. Behind a bad page that was passed over, a node may also have lost
    /// its way down the tree.
    fn pass_over_undo(&mut self, version: &VersionHead, error: ReplayError) -> Result<()> {
        let astray = error.jet == JetCode::DATABASE_CORRUPTED && !self.bad_pages().is_empty();
        match error.page {
            Some(page) if astray => {
                self.note_bad(version.database, page, &error);
                Ok(())
            }
            _ => self.pass_over(version.database, error),
        }
    }

    /// A replace that changed nothing is undone like any other: only the engine's own entries of such a replace, which was never
    /// logged, are passed over.
    fn undo_version(&mut self, whole: &Version, level: u8, log: &mut dyn UndoLog) -> Result<()> {
        let Version { head: version, key, bookmark_data: data, .. } = whole;
        let bookmark = Bookmark { key, data, unique: version.unique };
        let (page, line) = seek::find(&mut self.cache, version.database, version.root, bookmark)?;
        let flags = ChangeFlags(if version.unique { ChangeFlags::UNIQUE } else { 0 });
        let head = |page: PageNumber, line: u16, dbtime: Dbtime, dbtime_before: Dbtime| NodeHead {
            head: PageHead {
                session: version.session,
                database: version.database,
                page,
                dbtime,
                dbtime_before,
                transaction: version.transaction,
                level,
                line,
                flags,
            },
            version: version.id,
            root: version.root,
            object: version.objid,
        };
        if let Some(logged_for) = version.unlogged_on {
            Self::log_before_image(whole, head(logged_for, 0, Dbtime::NIL, Dbtime::NIL), log)?;
        }
        let before = self.cache.page(version.database, page).map(|page| page.dbtime()).unwrap_or_default();
        let database = self.databases.get_mut(&version.database);
        let database =
            database.ok_or_else(|| ReplayError::new(JetCode::DATABASE_CORRUPTED, "a change of a database that is gone"))?;
        database.highest_dbtime.0 += 1;
        let head = head(page, line, database.highest_dbtime, before);
        let undo = Undo { head, operation: operation_of(&version.change), undone_level: version.level, key, bookmark_data: data };
        self.position = log.append(&Operation::Undo(undo))?;
        self.undo_on_page(whole, &head)
    }

    /// A replace or delete that a page shows while the log lacks its before image: the image goes to the log first.
    fn log_before_image(version: &Version, head: NodeHead, log: &mut dyn UndoLog) -> Result<()> {
        let size_max = if let Change::Replace { max_size } = version.head.change { max_size } else { 0 };
        let (key, bookmark_data, image) = (&version.key[..], &version.bookmark_data[..], &version.before[..]);
        let operation = operation_of(&version.head.change);
        let info = UndoInfo { head, operation, size_max, size_delta: 0, key, bookmark_data, image };
        log.append(&Operation::UndoInfo(info))?;
        Ok(())
    }
}

const fn operation_of(change: &Change) -> VersionOperation {
    match change {
        Change::Insert => VersionOperation::INSERT,
        Change::Replace { .. } => VersionOperation::REPLACE,
        Change::FlagDelete => VersionOperation::FLAG_DELETE,
        Change::Delta { wide: false, .. } => VersionOperation::DELTA,
        Change::Delta { wide: true, .. } => VersionOperation::DELTA64,
    }
}
