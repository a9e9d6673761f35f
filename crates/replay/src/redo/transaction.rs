//! Transactions and macros (`log-4 §7, §9`).

use super::window::{Kind, Owner};
use super::{Macro, Redo};
use crate::error::{ReplayError, Result};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{Begin, BeginOutermost, Commit, CommitContext, CommitOutermost, Refresh, Rollback};
use anchorlog_format::units::{Dbtime, SessionId, TransactionId};

impl Redo {
    pub(super) fn begin(&mut self, begin: &Begin) -> Result<()> {
        self.raise(begin.session, begin.from_level(), begin.count(), None);
        Ok(())
    }
    pub(super) fn begin_outermost(&mut self, begin: &BeginOutermost) -> Result<()> {
        self.raise(begin.session, begin.from_level(), begin.count(), Some(begin.transaction));
        Ok(())
    }
    /// What a session did before its first begin from level 0 is unknown and does not count (trap V5).
    fn raise(&mut self, id: SessionId, from: u8, count: u8, transaction: Option<TransactionId>) {
        let position = self.position;
        let session = self.sessions.entry(id).or_default();
        if !session.after_first_begin && from != 0 {
            return;
        }
        if session.level == 0 {
            session.began = position;
            if let Some(transaction) = transaction {
                session.transaction = transaction;
            }
        }
        session.level = session.level.max(from.saturating_add(count));
        session.after_first_begin = true;
    }
    pub(super) fn refresh(&mut self, refresh: &Refresh) -> Result<()> {
        let session = self.sessions.entry(refresh.session).or_default();
        if session.after_first_begin {
            session.level = 1;
            session.transaction = refresh.transaction;
        }
        Ok(())
    }
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<()> {
        self.lower(commit.session, commit.to_level.max(1));
        Ok(())
    }
    pub(super) fn commit_outermost(&mut self, commit: &CommitOutermost) -> Result<()> {
        self.lower(commit.session, 0);
        Ok(())
    }
    fn lower(&mut self, id: SessionId, to: u8) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.after_first_begin) else { return };
        if to == 0 {
            session.commit_context = None;
        }
        while session.level > to {
            let kind = if session.level > 1 { Kind::Lower(id, session.level) } else { Kind::DropSession(id) };
            if session.level == 1 {
                self.window.drops(id, true);
            }
            self.window.push(self.position, kind, Owner::default());
            session.level -= 1;
        }
    }
    /// Pages do not change: each change was undone by a record of its own; what is left was never logged as undone.
    pub(super) fn rollback(&mut self, rollback: &Rollback) -> Result<()> {
        let id = rollback.session;
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.after_first_begin) else { return Ok(()) };
        for _ in 0..rollback.levels {
            if session.level == 0 {
                break;
            }
            self.window.drops(id, false);
            self.window.push(self.position, Kind::DropLevel(id, session.level), Owner::default());
            session.level -= 1;
        }
        if session.level == 0 {
            self.window.drops(id, true);
            self.window.push(self.position, Kind::DropSession(id), Owner::default());
        }
        Ok(())
    }

    /// What an application attached to a commit: kept only where it asks to be seen before the commit.
    pub(super) fn commit_context(&mut self, raw: &[u8], context: &CommitContext<'_>) {
        const BEFORE_COMMIT: u8 = 4;
        if let Some(parts) = context.split(self.commit_contexts_have_flags)
            && parts.flags & BEFORE_COMMIT != 0
        {
            self.sessions.entry(parts.session).or_default().commit_context = Some(raw.to_vec());
        }
    }

    /// Several macros of one session may be open, each with a time of its own (trap V27).
    pub(super) fn macro_begin(&mut self, session: SessionId, dbtime: Dbtime) -> Result<()> {
        self.sessions.entry(session).or_default();
        self.drop_macro(session, dbtime);
        self.macros.insert((session, dbtime), Macro::default());
        Ok(())
    }
    pub(super) fn macro_commit(&mut self, session: SessionId, dbtime: Dbtime) -> Result<()> {
        let Some(group) = self.drop_macro(session, dbtime) else {
            return Ok(());
        };
        let effective = self.sessions.get(&session).is_some_and(|session| session.after_first_begin);
        if effective {
            if group.members.is_empty() {
                return Err(ReplayError::new(JetCode::LOG_FILE_CORRUPT, "a macro commits without a member"));
            }
            self.redo_group(&group.members)?;
        }
        // Freed pages explain reverted ones even when the group itself is passed over (trap V21).
        for (database, page) in group.freed {
            self.explain(database, page);
        }
        Ok(())
    }
}
