//! Redo: records in log order, through the gates, onto pages (`log-4`).

pub mod ahead;
pub mod damage;
mod group;
mod node;
mod scan;
mod transaction;
mod tree;

use crate::cache::{Lookup, PageCache};
use crate::error::{ReplayError, Result};
use crate::maps::{Entry, Reason, RedoMaps};
use crate::versions::{Deferred, Session, Versions};
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{Operation, PageHead};
use anchorlog_format::page::{Page, PageEditor, PageFlags};
use anchorlog_format::units::{
    DatabaseId, Dbtime, Generation, LogPosition, ObjectId, PageNumber, PageSize, SessionId, TransactionId, VersionId,
};
pub use scan::ScanDifference;
use scan::{Checksum, Seen};
use std::collections::BTreeMap;

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
    macros: BTreeMap<(SessionId, Dbtime), Macro>,
    macro_bytes: usize,
    damage: damage::Damage,
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
    records: Vec<Vec<u8>>,
    /// Pages that the group frees: they explain reverted pages once it commits (trap V21).
    freed: Vec<(DatabaseId, PageNumber)>,
}

/// Bytes that open macros may hold: far beyond what any engine logs in one.
const MACRO_BYTES_LIMIT: usize = 256 << 20;

/// Verdict of the session and database gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Redo,
    Skip,
}

/// What looking at a page gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// A page with this time.
    Page(Dbtime),
    /// Noted as missing: passed over.
    Trimmed,
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
            macros: BTreeMap::new(),
            macro_bytes: 0,
            damage: damage::Damage::default(),
        }
    }

    /// Redoes one record that concerns pages or transactions; records of other kinds are for the run as a whole, and do nothing here.
    ///
    /// # Errors
    /// The error that ends redo; pages of the failing record are unchanged.
    pub fn redo(&mut self, position: LogPosition, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
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
            Operation::UndoInfo(info) => self.undo_info(info),
            Operation::Undo(undo) => self.undo_record(raw, undo),
            Operation::Split(split) => self.buffer_member(raw, &split.head, split.object, &[]),
            Operation::Merge(merge) => {
                let freed = if merge.empties_page() { vec![merge.head.page] } else { Vec::new() };
                self.buffer_member(raw, &merge.head, merge.object, &freed)
            }
            Operation::RootPageMove(root) => self.root_page_move(raw, root),
            Operation::EmptyTree(empty) => self.empty_tree(raw, empty),
            Operation::PageMove(record) => self.page_move(raw, record),
            Operation::CreateSingleExtent(create) => self.create_single(create),
            Operation::CreateMultipleExtent(create) => self.create_multiple(create),
            Operation::ConvertToMultipleExtent(convert) => self.convert(raw, convert),
            Operation::Scrub(scrub) => self.scrub(raw, scrub),
            Operation::NewPage(new) => self.new_page(raw, new),
            Operation::ScanCheck(check) => self.scan_check(&Seen {
                database: check.database,
                page: check.page,
                dbtime: check.dbtime_page,
                current: check.dbtime_current,
                checksum: Checksum::Folded16(check.checksum),
                by_shrink: false,
            }),
            Operation::ScanCheck2(check) => self.scan_check(&Seen {
                database: check.database,
                page: check.page,
                dbtime: check.dbtime_page,
                current: check.dbtime_current,
                checksum: Checksum::Folded32(check.checksum),
                by_shrink: check.flags & 3 == 2,
            }),
            Operation::CommitContext(context) => {
                self.commit_context(raw, context);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Pages noted as missing that a file-size or space record explains (`log-4 §5.3`).
    pub fn explain_absent(&mut self, database: DatabaseId, first: PageNumber, last: PageNumber) {
        if let Some(database) = self.databases.get_mut(&database) {
            database.maps.clear_absent(first, last);
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

    /// The page access gate and the page time gate (`log-4 §4.3, §4.4`): whether the record applies to the page.
    fn needs(&mut self, id: DatabaseId, page: PageNumber, before: Dbtime, after: Dbtime) -> Result<bool> {
        if self.damage.passes_over(id, page) {
            return Ok(false);
        }
        let access = self.access(id, page, before);
        match access.and_then(|access| self.time_gate(id, page, access, before, after)) {
            Ok(needs) => Ok(needs),
            Err(error) => self.pass_over(id, error).map(|()| false),
        }
    }

    fn access(&mut self, id: DatabaseId, page: PageNumber, before: Dbtime) -> Result<Access> {
        let position = self.position;
        let Some(database) = self.databases.get_mut(&id) else { return Ok(Access::Trimmed) };
        if database.maps.skips(page) {
            return Ok(Access::Trimmed);
        }
        let lookup = self.cache.lookup(id, page)?;
        let found = self.cache.page(id, page).map(|page| (page.dbtime(), page.flags()));
        let (reason, error, dbtime) = match (lookup, found) {
            (Lookup::Present, Some((dbtime, flags))) => match dbtime {
                Dbtime::SHRUNK => (Reason::Zeroed, JetCode::RECOVERY_VERIFY_FAILURE, dbtime),
                Dbtime::REVERTED if flags.is_root_delete() => (Reason::RevertedIgnored, JetCode::RECOVERY_VERIFY_FAILURE, dbtime),
                Dbtime::REVERTED => (Reason::Reverted, JetCode::RECOVERY_VERIFY_FAILURE, dbtime),
                _ => return Ok(Access::Page(dbtime)),
            },
            (Lookup::Zero | Lookup::Present, _) => (Reason::Zeroed, JetCode::PAGE_NOT_INITIALIZED, Dbtime(0)),
            (Lookup::BeyondEnd, _) => (Reason::Zeroed, JetCode::FILE_IO_BEYOND_EOF, Dbtime(0)),
            (Lookup::Damaged, _) => return Err(self.page_error(id, page, JetCode::READ_VERIFY_FAILURE, "its checksum is wrong")),
            (Lookup::Unsound, _) => {
                return Err(self.page_error(id, page, JetCode::DATABASE_CORRUPTED, "its structure is damaged"));
            }
            (Lookup::WrongNumber, _) => {
                return Err(self.page_error(id, page, JetCode::READ_PGNO_VERIFY_FAILURE, "it was written for another place"));
            }
        };
        if database.may_note() {
            database.maps.note(reason, page, Entry { position, error, found: dbtime, expected: before });
            return Ok(Access::Trimmed);
        }
        Err(self.page_error(id, page, error, "a record needs it, and it is not there"))
    }

    fn time_gate(&mut self, id: DatabaseId, page: PageNumber, access: Access, before: Dbtime, after: Dbtime) -> Result<bool> {
        let position = self.position;
        let Some(database) = self.databases.get_mut(&id) else { return Ok(false) };
        let mut found = Dbtime::NIL;
        if let Access::Page(dbtime) = access {
            found = dbtime;
            // Only the very time that the writer saw lets a record apply (traps V1, V2, V35).
            if dbtime < after && dbtime == before {
                return Ok(true);
            }
            if dbtime < after && dbtime < before && database.may_note() {
                let error = JetCode::DB_TIME_TOO_OLD;
                database.maps.note(Reason::TooOld, page, Entry { position, error, found: dbtime, expected: before });
                return Ok(false);
            }
        }
        if found >= after && database.future_data {
            return Ok(false);
        }
        let (jet, reason) = if found < before {
            (JetCode::DB_TIME_TOO_OLD, "older than the record expects: an earlier change was lost, or a log is missing")
        } else if found < after {
            (JetCode::DB_TIME_TOO_NEW, "newer than the record expects: database and logs are of different histories")
        } else {
            (JetCode::DB_TIME_BEYOND_MAX_REQUIRED, "already changed by a log that the header does not require")
        };
        let reason = format!("its page time is {found}, the record expects {before} and leaves {after}: {reason}");
        Err(self.page_error(id, page, jet, &reason))
    }

    /// The gate of pages that a record makes anew (`log-4 §4.5`, traps V18, D24).
    fn needs_new(&mut self, id: DatabaseId, page: PageNumber, after: Dbtime) -> Result<bool> {
        let Some(database) = self.databases.get(&id) else { return Ok(false) };
        if !database.future_data {
            self.damage.made_anew(id, page);
            return Ok(true);
        }
        if database.maps.skips(page) {
            return Ok(false);
        }
        let lookup = self.cache.lookup(id, page)?;
        if lookup == Lookup::BeyondEnd && !self.files_grow_on_touch {
            // The file was cut, and a later record says so; else it is not whole.
            let (position, error) = (self.position, JetCode::FILE_IO_BEYOND_EOF);
            if let Some(database) = self.databases.get_mut(&id) {
                let entry = Entry { position, error, found: Dbtime(0), expected: Dbtime(0) };
                database.maps.note(Reason::Zeroed, page, entry);
            }
            return Ok(false);
        }
        let old = |page: Page<'_>| page.dbtime() < after || page.dbtime() >= Dbtime::REVERTED_ROOT;
        let needed = lookup != Lookup::Present || self.cache.page(id, page).is_none_or(old);
        if needed {
            self.damage.made_anew(id, page);
        }
        Ok(needed)
    }

    fn page_error(&self, id: DatabaseId, page: PageNumber, jet: JetCode, reason: &str) -> ReplayError {
        let error = ReplayError::new(jet, format!("page {page} cannot be brought forward: {reason}")).page(page);
        match self.databases.get(&id) {
            Some(database) => error.in_file(database.name.clone()),
            None => error,
        }
    }

    fn page_size(&self, id: DatabaseId) -> Option<PageSize> {
        Some(self.databases.get(&id)?.header.page_size())
    }

    /// Takes a page out of the cache for a change, stamped.
    fn take(&mut self, id: DatabaseId, page: PageNumber, dbtime: Dbtime) -> Result<Box<[u8]>> {
        let mut image = self.take_unstamped(id, page)?;
        stamp(&mut image, dbtime);
        Ok(image)
    }
    fn take_unstamped(&mut self, id: DatabaseId, page: PageNumber) -> Result<Box<[u8]>> {
        self.cache
            .take(id, page)
            .ok_or_else(|| self.page_error(id, page, crate::error::INTERNAL_ERROR, "it left the cache while it was needed"))
    }
    fn take_blank(&mut self, id: DatabaseId) -> Result<Box<[u8]>> {
        self.cache
            .blank(id)
            .ok_or_else(|| ReplayError::new(crate::error::INTERNAL_ERROR, "the database of the record is not attached"))
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
        group.records.push(raw.to_vec());
        Ok(true)
    }
    fn drop_macro(&mut self, session: SessionId, dbtime: Dbtime) -> Option<Macro> {
        let group = self.macros.remove(&(session, dbtime))?;
        self.macro_bytes -= group.records.iter().map(Vec::len).sum::<usize>();
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
    /// A new engine run begins: sessions of the one before are gone.
    pub fn forget_sessions(&mut self) {
        self.sessions.clear();
        self.macros.clear();
        self.macro_bytes = 0;
        self.versions.clear();
    }
    /// The transaction of a session, for records written in its name.
    #[must_use]
    pub fn transaction_of(&self, session: SessionId) -> TransactionId {
        self.sessions.get(&session).map(|session| session.transaction).unwrap_or_default()
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
    pub fn mark_shrunk(&mut self, id: DatabaseId, first: PageNumber, last: PageNumber, dbtime: Dbtime) -> Result<()> {
        for number in first.0..=last.0 {
            let page = PageNumber(number);
            self.cache.lookup(id, page)?;
            let found = self.cache.page(id, page).map(|page| page.dbtime());
            if found.is_some_and(|found| found.0 > 0 && found < dbtime) {
                let mut image = self.take_blank(id)?;
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

/// Gives a page the time of the record that changes it.
fn stamp(image: &mut [u8], dbtime: Dbtime) {
    if let Some(mut editor) = PageEditor::new(image) {
        editor.set_dbtime(dbtime);
        let flags = editor.page().flags();
        editor.set_flags(flags.without(PageFlags::SCRUBBED));
    }
}
