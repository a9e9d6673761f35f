//! Redo: records in log order, through the gates, onto pages (`log-4`).

pub mod ahead;
mod bucket;
pub mod damage;
mod group;
mod node;
mod pages;
mod queue;
#[cfg(test)]
mod queue_under_shuttle;
mod scan;
mod settle;
mod share;
mod transaction;
mod tree;
mod window;

/// The primitives of the queue.
mod sync {
    pub(super) use std::sync::mpsc::{Receiver, Sender, channel};
    pub(super) use std::sync::{Arc, Mutex};
}

use crate::cache::PageCache;
use crate::error::{INTERNAL_ERROR, ReplayError, Result};
use crate::maps::RedoMaps;
use crate::versions::{Deferred, Session, Versions};
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{Operation, PageHead};
use anchorlog_format::page::{PageEditor, PageFlags};
use anchorlog_format::units::{DatabaseId, Dbtime, Generation, LogPosition, ObjectId, PageNumber, SessionId, VersionId};
pub use bucket::Hook;
pub use scan::ScanDifference;
use scan::Seen;
use share::{Running, Workers};
use std::collections::BTreeMap;
use std::ops::Range;
use window::Window;

/// One database that redo applies records to.
pub struct Database {
    /// How the user knows it: the path of its file.
    pub name: String,
    /// Its header.
    pub header: HeaderPage,
    /// Highest page time of any record seen, skipped ones included (trap V3).
    pub highest_dbtime: Dbtime,
    /// Highest object id known.
    pub highest_object: ObjectId,
    /// Inside the required range pages may be newer than the record (`log-4 §1`).
    pub future_data: bool,
    /// Pages that a later record must explain.
    pub maps: RedoMaps,
    /// Between its CreateDB and CreateDBFinish records.
    pub creating: bool,
}

impl Database {
    /// Whether a page may be noted instead of being an error (`log-4 §5.1`).
    fn may_note(&self) -> bool {
        self.future_data || self.header.header.state == DatabaseState::DirtyAndPatched
    }
}

/// The state of redo.
pub struct Redo {
    /// Pages.
    pub cache: PageCache,
    /// Undo information.
    pub versions: Versions,
    /// Sessions of the engine run that is being replayed.
    pub sessions: BTreeMap<SessionId, Session>,
    /// Databases that records apply to.
    pub databases: BTreeMap<DatabaseId, Database>,
    /// The record being redone.
    pub position: LogPosition,
    /// What was done so far.
    pub counts: Counts,
    /// Whether the log being read is of a time when files grew on the first touch of a new page, without a record (`log-4 §4.3`).
    pub files_grow_on_touch: bool,
    /// Layout of CommitContext records: it follows the version of the log being read (trap G53).
    pub commit_contexts_have_flags: bool,
    threads: usize,
    hook: Option<Hook>,
    macros: BTreeMap<(SessionId, Dbtime), Macro>,
    macro_bytes: usize,
    damage: damage::Damage,
    window: Window,
    running: Option<Running>,
    workers: Workers,
}

/// Figures for the report.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Page changes made by redo.
    pub page_changes: u64,
    /// Pages compared with what a scan of the database saw.
    pub pages_scanned: u64,
    /// Those that the scan saw otherwise.
    pub pages_different: u64,
    /// The first of them.
    pub scan_differences: Vec<ScanDifference>,
}

/// Records that are redone together.
#[derive(Default)]
struct Macro {
    /// Their bytes, one behind the other.
    members: Vec<u8>,
    /// Pages that the group frees: they explain reverted pages once it commits (trap V21).
    freed: Vec<(DatabaseId, PageNumber)>,
}

/// Threads at most: more have too little to do each.
const THREADS_MAX: usize = 64;

/// Bytes that open macros may hold: far beyond what any engine logs in one.
const MACRO_BYTES_LIMIT: usize = 256 << 20;

/// Verdict of the session and database gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Redo,
    Skip,
}

impl Redo {
    /// Redo over an empty set of databases.
    #[must_use]
    pub fn new(cache: PageCache, versions: Versions) -> Self {
        Self {
            cache,
            versions,
            sessions: BTreeMap::new(),
            databases: BTreeMap::new(),
            position: LogPosition::NONE,
            counts: Counts::default(),
            files_grow_on_touch: false,
            commit_contexts_have_flags: true,
            threads: 1,
            hook: None,
            macros: BTreeMap::new(),
            macro_bytes: 0,
            damage: damage::Damage::default(),
            window: Window::default(),
            running: None,
            workers: Workers::default(),
        }
    }

    /// Lets so many threads change pages, 1 without: the one that redoes; the result is the same with any number. `hook`: for tests.
    pub fn use_threads(&mut self, threads: usize, hook: Option<Hook>) {
        self.threads = threads.clamp(1, THREADS_MAX);
        self.cache.threads = self.threads;
        self.hook = hook;
    }

    /// Redoes one record that concerns pages or transactions, and all before it that wait; records of other kinds are for the run as a
    /// whole, and do nothing here.
    ///
    /// # Errors
    /// The error that ends redo; pages of the failing record are unchanged.
    pub fn redo(&mut self, position: LogPosition, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
        let taken = self.take_in(position, raw, operation);
        self.settle().and(taken)
    }

    /// The same, but the work on pages may wait for [`Self::settle`]: until then pages and version entries may lag behind, and an error
    /// of an earlier record is yet to come.
    ///
    /// # Errors
    /// The error that ends redo, of this record or an earlier one: one of a record still waiting comes before it.
    pub fn take_in(&mut self, position: LogPosition, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
        if self.window.is_full(self.cache.limit()) {
            self.launch()?;
        }
        self.position = position;
        self.dispatch(raw, operation).map_err(|error| error.at(position))
    }

    fn dispatch(&mut self, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
        match operation {
            Operation::Begin(begin) => self.begin(begin),
            Operation::BeginOutermost(begin) => self.begin_outermost(begin),
            Operation::Commit(commit) => self.commit(commit),
            Operation::CommitOutermost(commit) => self.commit_outermost(commit),
            Operation::Rollback(rollback) => self.rollback(rollback),
            Operation::Refresh(refresh) => self.refresh(refresh),
            Operation::MacroBegin(begin) => self.macro_begin(begin.session, begin.dbtime),
            Operation::MacroCommit(end) => self.macro_commit(end.session, end.dbtime),
            Operation::MacroAbort(end) => {
                self.drop_macro(end.session, end.dbtime);
                Ok(())
            }
            Operation::Insert(_)
            | Operation::FlagInsert(_)
            | Operation::FlagInsertAndReplace(_)
            | Operation::FlagDelete(_)
            | Operation::Replace(_)
            | Operation::ReplaceDifference(_)
            | Operation::Delete(_)
            | Operation::Delta(_)
            | Operation::Delta64(_)
            | Operation::SetExternalHeader(_) => self.node(raw, operation),
            Operation::UndoInfo(info) => self.undo_info(raw, info),
            Operation::Undo(undo) => self.undo_record(raw, undo),
            Operation::Split(split) => self.buffer_member(raw, &split.head, split.object, &[]),
            Operation::Merge(merge) => {
                let freed = if merge.empties_page() { vec![merge.head.page] } else { Vec::new() };
                self.buffer_member(raw, &merge.head, merge.object, &freed)
            }
            Operation::RootPageMove(root) => self.root_page_move(raw, root),
            Operation::EmptyTree(empty) => self.empty_tree(raw, operation, empty),
            Operation::PageMove(record) => self.page_move(raw, operation, record),
            Operation::CreateSingleExtent(create) => self.create(raw, operation, &create.head, create.object),
            Operation::CreateMultipleExtent(create) => self.create(raw, operation, &create.head, create.object),
            Operation::ConvertToMultipleExtent(convert) => self.change_pages(raw, operation, &convert.head, convert.object),
            Operation::Scrub(scrub) => self.change_pages(raw, operation, &scrub.head, scrub.head.object),
            Operation::NewPage(new) => self.new_page(raw, operation, new),
            Operation::ScanCheck(_) | Operation::ScanCheck2(_) => match Seen::of(operation) {
                Some(seen) => self.scan_check(raw, &seen),
                None => Ok(()),
            },
            Operation::CommitContext(context) => {
                self.commit_context(raw, context);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The session gate, then the database gate (`log-4 §4.1`). A member of an open macro is kept for its commit.
    fn gate(&mut self, raw: &[u8], head: &PageHead, objid: ObjectId) -> Result<Gate> {
        let after_first_begin = self.sessions.entry(head.session).or_default().after_first_begin;
        if after_first_begin && self.keep_member(raw, head.session, head.dbtime)? {
            return Ok(Gate::Skip);
        }
        Ok(self.database_gate(head.database, head.dbtime, objid, !after_first_begin))
    }

    /// The database gate (`log-4 §4.2`): counters go up even for records that are skipped.
    fn database_gate(&mut self, id: DatabaseId, dbtime: Dbtime, objid: ObjectId, counters_only: bool) -> Gate {
        let Some(database) = self.databases.get_mut(&id) else { return Gate::Skip };
        if dbtime < Dbtime::REVERTED_ROOT {
            database.highest_dbtime = database.highest_dbtime.max(dbtime);
        }
        database.highest_object = database.highest_object.max(objid);
        // The record at the attach position itself is not redone (trap V4).
        let before_attach = self.position <= database.header.header.attach_position;
        if counters_only || before_attach { Gate::Skip } else { Gate::Redo }
    }

    /// Names the pages of a record for the work that comes next into the window.
    fn name_pages(&mut self, id: DatabaseId, operation: &Operation<'_>) {
        let Some(database) = self.databases.get(&id) else { return };
        let (size, reads) = (database.header.page_size().bytes(), database.future_data);
        let window = &mut self.window;
        pages::named(operation, |page, role| window.name((id, page), size, role, reads));
    }
    /// Takes a page out of the cache for a change.
    fn take(&mut self, id: DatabaseId, page: PageNumber) -> Result<Box<[u8]>> {
        let lost = || ReplayError::new(INTERNAL_ERROR, format!("page {page} left the cache while it was needed")).page(page);
        self.cache.take(id, page).ok_or_else(lost)
    }
    fn put(&mut self, id: DatabaseId, page: PageNumber, image: Box<[u8]>) -> Result<()> {
        self.counts.page_changes += 1;
        Ok(self.cache.put(id, page, image)?)
    }

    /// Keeps a record for the commit of its macro; `false` where no such macro is open.
    fn keep_member(&mut self, raw: &[u8], session: SessionId, dbtime: Dbtime) -> Result<bool> {
        let Some(group) = self.macros.get_mut(&(session, dbtime)) else { return Ok(false) };
        self.macro_bytes += raw.len();
        if self.macro_bytes > MACRO_BYTES_LIMIT {
            return Err(ReplayError::new(JetCode::LOG_CORRUPTED, "open macros hold more than any engine logs"));
        }
        group.members.extend_from_slice(raw);
        Ok(true)
    }
    fn drop_macro(&mut self, session: SessionId, dbtime: Dbtime) -> Option<Macro> {
        let group = self.macros.remove(&(session, dbtime))?;
        self.macro_bytes -= group.members.len();
        Some(group)
    }
    /// The macros that a crash left open, ascending: undo logs an abort for each.
    #[must_use]
    pub fn open_macros(&self) -> Vec<(SessionId, Dbtime)> {
        self.macros.keys().copied().collect()
    }
    /// Changes of open transactions whose before images never came: they could not be taken back.
    pub fn without_before_image(&self) -> impl Iterator<Item = (SessionId, VersionId, Deferred)> {
        let of = |(&id, session): (&SessionId, &Session)| {
            session.deferred.iter().map(move |(&version, &deferred)| (id, version, deferred)).collect::<Vec<_>>()
        };
        self.sessions.iter().flat_map(of)
    }
    /// A new engine run begins: sessions of the one before are gone. Nothing waits.
    pub fn forget_sessions(&mut self) {
        debug_assert!(self.window.is_empty() && self.running.is_none(), "work of the run before still waits");
        self.sessions.clear();
        self.macros.clear();
        self.macro_bytes = 0;
        self.versions.clear();
    }
    /// Whether a generation is the first of which some database no longer has pages from the future, or has them again.
    #[must_use]
    pub fn leaves_required_range(&self, generation: Generation) -> bool {
        self.databases.values().any(|database| database.future_data != (generation <= database.header.header.max_required))
    }
    /// The first generation of which a database no longer has pages from the future: it leaves its required range.
    ///
    /// # Errors
    /// None that pages cause: those that no record explained are noted (`log-4 §5.4`).
    pub fn leave_required_range(&mut self, id: DatabaseId, generation: Generation) -> Result<()> {
        let Some(database) = self.databases.get_mut(&id) else { return Ok(()) };
        let required = database.header.header.max_required;
        if generation <= required {
            database.future_data = true;
        } else if database.future_data {
            self.verify_maps(id)?;
            if let Some(database) = self.databases.get_mut(&id) {
                database.future_data = false;
            }
        }
        Ok(())
    }
    /// A shrink that was made before: pages of before it that the file still holds are marked as gone (`log-4 §16.2`).
    ///
    /// # Errors
    /// Any error of reading or writing pages.
    pub fn mark_shrunk(&mut self, id: DatabaseId, pages: &Range<PageNumber>, dbtime: Dbtime) -> Result<()> {
        let behind = self.cache.pages(id).saturating_add(1);
        for page in (pages.start.0..pages.end.0.min(behind)).map(PageNumber) {
            self.cache.lookup(id, page)?;
            let found = self.cache.page(id, page).map(|page| page.dbtime());
            if found.is_some_and(|found| found.0 > 0 && found < dbtime) {
                let lost = || ReplayError::new(INTERNAL_ERROR, "the database of the record is not attached");
                let mut image = self.cache.blank(id).ok_or_else(lost)?;
                if let Some(mut editor) = PageEditor::new(&mut image) {
                    editor.format_new(page, ObjectId(0), Dbtime::SHRUNK, PageFlags(0));
                }
                self.put(id, page, image)?;
            }
        }
        Ok(())
    }
    /// Whatever is still noted was a bad page.
    ///
    /// # Errors
    /// None that pages cause: they are noted.
    pub fn verify_maps(&mut self, id: DatabaseId) -> Result<()> {
        let Some(database) = self.databases.get_mut(&id) else { return Ok(()) };
        let (name, unexplained) = (database.name.clone(), database.maps.take_unexplained());
        for (page, entry) in unexplained {
            let reason = format!(
                "page {page} was not as the record at {} expects it (page time {}, expected {}), and no later record explains it",
                entry.position, entry.found, entry.expected
            );
            let error = ReplayError::new(entry.error, reason).page(page).at(entry.position).in_file(name.clone());
            self.pass_over(id, error)?;
        }
        Ok(())
    }
}
