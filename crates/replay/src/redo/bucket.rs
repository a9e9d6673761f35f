//! A bucket: pages of a window, and the records on them, in log order. What is done here depends on nothing but these pages and on
//! facts that stand still while a window is redone; all else that records do is told to the front end as [`Effect`]s.

use super::damage::is_damage;
use super::window::{Kind, Owner, Window, Work};
use crate::apply::PageSet;
use crate::cache::{CheckedOut, Key, Lookup, judge};
use crate::error::{INTERNAL_ERROR, ReplayError, Result};
use crate::maps::{Entry, Reason};
use crate::versions::{Change, Deferred, VersionHead};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{NodeHead, Operation, RecordError, size};
use anchorlog_format::page::{Page, PageEditor, PageFlags};
use anchorlog_format::units::{DatabaseId, Dbtime, LogPosition, PageNumber, PageSize, SessionId, VersionId};
use anchorlog_storage::File;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What holds of a database during a whole window.
pub(super) struct Facts {
    pub name: String,
    pub size: PageSize,
    /// Inside the required range pages may be newer than the record (`log-4 §1`).
    pub future_data: bool,
    /// Whether a page may be noted instead of being an error (`log-4 §5.1`).
    pub may_note: bool,
}

/// Called before each piece of work on pages, with its number in its window, by the thread that does it: tests delay it.
#[derive(Clone)]
pub struct Hook(pub Arc<dyn Fn(usize) + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// A window that is being redone: read by all buckets.
pub(super) struct Shared {
    pub window: Window,
    pub facts: BTreeMap<DatabaseId, Facts>,
    /// For each page of the window, its slot in its bucket.
    pub places: Vec<u32>,
    pub files_grow_on_touch: bool,
    /// The first work that failed: nothing behind it needs to be done.
    pub failed: AtomicUsize,
    pub hook: Option<Hook>,
}

/// A page of a bucket.
pub(super) struct Slot {
    pub key: Key,
    pub image: Box<[u8]>,
    pub dirty: bool,
    state: State,
    /// Whether reading it should not wait for the record that needs it.
    ahead: bool,
    /// Flags and page time of the image in the file, where it was read and is sound.
    pub met: Option<(PageFlags, Dbtime)>,
    /// A failure of reading ahead: it counts at the record that needs the page.
    trouble: Option<io::Error>,
    /// The redo maps that it stands in, a bit for each [`Reason`].
    noted: u8,
    /// Bad, and passed over from there on.
    passed_over: bool,
}

enum State {
    /// Not in memory; where to read it.
    Unread {
        file: Arc<dyn File>,
        offset: u64,
        length: usize,
    },
    /// In memory, from an earlier window.
    Unseen,
    Seen(Lookup),
}

/// What a record did besides changing its pages.
pub(super) enum Effect {
    /// A page goes into a redo map.
    Note(Key, Reason, Entry),
    /// A page is bad.
    Bad(Key, ReplayError),
    /// A page that may have been bad is made anew.
    MadeAnew(Key),
    /// A freed page explains a reverted one.
    Explained(Key),
    /// A version entry: bookmark, and before image.
    Version { head: VersionHead, key: Vec<u8>, bookmark_data: Vec<u8>, before: Vec<u8> },
    /// A version entry whose before image is still to come.
    Deferred(SessionId, VersionId, Deferred),
    /// A page was compared with what a scan saw.
    Scanned { differs: bool, key: Key },
}

/// What looking at a page gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// A page with this time.
    Page(Dbtime),
    /// Noted as missing: passed over.
    Trimmed,
}

/// Pages and the work on them.
pub(super) struct Bucket {
    pub shared: Arc<Shared>,
    pub slots: Vec<Slot>,
    pub number: usize,
    /// Numbers of the work, ascending.
    pub work: Vec<usize>,
    /// By number of the work, ascending.
    pub effects: Vec<(usize, Effect)>,
    /// The work that failed.
    pub error: Option<(usize, ReplayError)>,
    pub page_changes: u64,
    /// The work being done.
    at: usize,
    pub(super) position: LogPosition,
    /// Without a level where no version entry is asked for.
    pub(super) owner: Owner,
    named: Range<usize>,
}

impl Slot {
    pub fn new(key: Key, checked_out: CheckedOut, ahead: bool, noted: u8, passed_over: bool) -> Self {
        let (image, dirty, state) = match checked_out {
            CheckedOut::Here { image, dirty } => (image, dirty, State::Unseen),
            CheckedOut::There { file, offset, length } => (Box::default(), false, State::Unread { file, offset, length }),
            CheckedOut::BeyondEnd => (Box::default(), false, State::Seen(Lookup::BeyondEnd)),
        };
        Self { key, image, dirty, state, ahead, met: None, trouble: None, noted, passed_over }
    }
    /// Whether there is an image that is worth keeping.
    pub fn is_good(&self) -> bool {
        !self.image.is_empty() && matches!(self.state, State::Unseen | State::Seen(Lookup::Present | Lookup::Zero))
    }

    /// Brings the page in and says what it is.
    fn look(&mut self) -> io::Result<Lookup> {
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        let lookup = match &self.state {
            State::Seen(lookup) => return Ok(*lookup),
            State::Unseen if Page::new(&self.image).is_some_and(|page| page.is_zero()) => Lookup::Zero,
            State::Unseen => Lookup::Present,
            State::Unread { file, offset, length } => {
                let mut image = vec![0; *length].into_boxed_slice();
                if file.read_at(*offset, &mut image)? < image.len() {
                    Lookup::BeyondEnd
                } else {
                    let lookup = judge(&mut image, self.key.1);
                    if lookup == Lookup::Present {
                        self.met = Page::new(&image).map(|page| (page.flags(), page.dbtime()));
                    }
                    self.image = image;
                    lookup
                }
            }
        };
        self.state = State::Seen(lookup);
        Ok(lookup)
    }
    fn page(&self) -> Option<Page<'_>> {
        Page::new(&self.image)
    }
    /// Later records on the page are passed over for every reason but one (trap V20).
    const fn is_skipped(&self) -> bool {
        self.noted & !(1 << Reason::TooOld as u8) != 0
    }
    fn change(&mut self, image: Box<[u8]>) {
        self.image = image;
        self.dirty = true;
        self.state = State::Seen(Lookup::Present);
    }
}

impl Bucket {
    /// A bucket without work.
    pub fn new(shared: Arc<Shared>, number: usize, slots: Vec<Slot>) -> Self {
        Self {
            shared,
            number,
            slots,
            work: Vec::new(),
            effects: Vec::new(),
            error: None,
            page_changes: 0,
            at: 0,
            position: LogPosition::NONE,
            owner: Owner::default(),
            named: 0..0,
        }
    }

    /// Does the work, up to the first piece that fails here or anywhere.
    pub fn run(&mut self) {
        let shared = self.shared.clone();
        self.read_ahead();
        for at in std::mem::take(&mut self.work) {
            if let Some(hook) = &shared.hook {
                (hook.0)(at);
            }
            if at > shared.failed.load(Ordering::Relaxed) {
                break;
            }
            let Some(work) = shared.window.work.get(at) else { break };
            self.at = at;
            self.position = work.position;
            self.owner = work.owner;
            if shared.window.drops_behind(work.owner.session, at) {
                self.owner.level = 0;
            }
            self.named = work.named();
            if let Err(error) = self.redo(&shared, work) {
                shared.failed.fetch_min(at, Ordering::Relaxed);
                self.error = Some((at, error.at(work.position)));
                break;
            }
        }
    }

    /// Reads the pages that records need, in the order in which they lie in their files.
    fn read_ahead(&mut self) {
        let mut unread: Vec<usize> = (0..self.slots.len())
            .filter(|&at| self.slots[at].ahead && matches!(self.slots[at].state, State::Unread { .. }))
            .collect();
        unread.sort_unstable_by_key(|&at| self.slots[at].key);
        for at in unread {
            let slot = &mut self.slots[at];
            slot.trouble = slot.look().err();
        }
    }

    fn redo(&mut self, shared: &Shared, work: &Work) -> Result<()> {
        let raw = shared.window.bytes.get(work.bytes()).unwrap_or_default();
        match work.kind {
            Kind::Node { .. } => self.node(&decode(raw)?),
            Kind::Undo(number) => match (decode(raw)?, shared.window.undone.get(number)) {
                (Operation::Undo(undo), Some((_, version))) => self.undo_record(&undo.head, version.as_ref()),
                _ => Ok(()),
            },
            Kind::Group => self.group(raw),
            Kind::Pages => self.pages(&decode(raw)?),
            Kind::Scan => self.scan(&decode(raw)?),
            Kind::Freed => {
                for at in self.named.clone() {
                    self.explain(at);
                }
                Ok(())
            }
            Kind::UndoInfo | Kind::Lower(..) | Kind::DropLevel(..) | Kind::DropSession(_) => Ok(()),
        }
    }

    fn explain(&mut self, named: usize) {
        let Some(slot) = self.slot_at(named) else { return };
        let slot = &mut self.slots[slot];
        slot.noted &= !(1 << Reason::Reverted as u8);
        let key = slot.key;
        self.tell(Effect::Explained(key));
    }

    pub(super) fn tell(&mut self, effect: Effect) {
        self.effects.push((self.at, effect));
    }
    fn facts(&self, id: DatabaseId) -> Result<&Facts> {
        let lost = || ReplayError::new(INTERNAL_ERROR, "the database of the record is not attached");
        self.shared.facts.get(&id).ok_or_else(lost)
    }
    fn slot_at(&self, named: usize) -> Option<usize> {
        let page = *self.shared.window.named.get(named)?;
        Some(*self.shared.places.get(page as usize)? as usize)
    }
    /// The slot of a page that the record names.
    fn slot_of(&self, database: DatabaseId, page: PageNumber) -> Result<usize> {
        let mut slots = self.named.clone().filter_map(|named| self.slot_at(named));
        slots
            .find(|&at| self.slots.get(at).is_some_and(|slot| slot.key == (database, page)))
            .ok_or_else(|| ReplayError::new(INTERNAL_ERROR, "a record concerns a page that it does not name").page(page))
    }
    /// A page of the record as it is now, where it is there.
    pub(super) fn page(&self, database: DatabaseId, page: PageNumber) -> Option<Page<'_>> {
        self.slots.get(self.slot_of(database, page).ok()?)?.page()
    }
    pub(super) fn size_of(&self, database: DatabaseId) -> Result<PageSize> {
        Ok(self.facts(database)?.size)
    }
    /// A page of the record, whatever it holds, for what is not about its contents.
    pub(super) fn look(&mut self, database: DatabaseId, page: PageNumber) -> Result<Lookup> {
        let at = self.slot_of(database, page)?;
        Ok(self.slots[at].look()?)
    }
    pub(super) fn is_passed_over(&self, database: DatabaseId, page: PageNumber) -> bool {
        self.slot_of(database, page).is_ok_and(|at| self.slots[at].passed_over)
    }
    pub(super) fn is_skipped(&self, database: DatabaseId, page: PageNumber) -> bool {
        self.slot_of(database, page).is_ok_and(|at| self.slots[at].is_skipped())
    }
    pub(super) fn future_data(&self, database: DatabaseId) -> bool {
        self.facts(database).is_ok_and(|facts| facts.future_data)
    }

    /// The page access gate and the page time gate (`log-4 §4.3, §4.4`): whether the record applies to the page.
    pub(super) fn needs(&mut self, id: DatabaseId, page: PageNumber, before: Dbtime, after: Dbtime) -> Result<bool> {
        let at = self.slot_of(id, page)?;
        if self.slots[at].passed_over {
            return Ok(false);
        }
        let access = self.access(at, before);
        match access.and_then(|access| self.time_gate(at, access, before, after)) {
            Ok(needs) => Ok(needs),
            Err(error) => self.pass_over(id, error).map(|()| false),
        }
    }

    fn access(&mut self, at: usize, before: Dbtime) -> Result<Access> {
        let slot = &mut self.slots[at];
        if slot.is_skipped() {
            return Ok(Access::Trimmed);
        }
        let key = slot.key;
        let lookup = slot.look()?;
        let found = slot.page().map(|page| (page.dbtime(), page.flags()));
        let (reason, error, dbtime) = match (lookup, found) {
            (Lookup::Present, Some((dbtime, flags))) => match dbtime {
                Dbtime::SHRUNK => (Reason::Zeroed, JetCode::RECOVERY_VERIFY_FAILURE, dbtime),
                Dbtime::REVERTED if flags.is_root_delete() => (Reason::RevertedIgnored, JetCode::RECOVERY_VERIFY_FAILURE, dbtime),
                Dbtime::REVERTED => (Reason::Reverted, JetCode::RECOVERY_VERIFY_FAILURE, dbtime),
                _ => return Ok(Access::Page(dbtime)),
            },
            (Lookup::Zero | Lookup::Present, _) => (Reason::Zeroed, JetCode::PAGE_NOT_INITIALIZED, Dbtime(0)),
            (Lookup::BeyondEnd, _) => (Reason::Zeroed, JetCode::FILE_IO_BEYOND_EOF, Dbtime(0)),
            (Lookup::Damaged, _) => return Err(self.page_error(key, JetCode::READ_VERIFY_FAILURE, "its checksum is wrong")),
            (Lookup::Unsound, _) => {
                return Err(self.page_error(key, JetCode::DATABASE_CORRUPTED, "its structure is damaged"));
            }
            (Lookup::WrongNumber, _) => {
                return Err(self.page_error(key, JetCode::READ_PGNO_VERIFY_FAILURE, "it was written for another place"));
            }
        };
        if self.facts(key.0)?.may_note {
            self.note(at, reason, Entry { position: self.position, error, found: dbtime, expected: before });
            return Ok(Access::Trimmed);
        }
        Err(self.page_error(key, error, "a record needs it, and it is not there"))
    }

    fn time_gate(&mut self, at: usize, access: Access, before: Dbtime, after: Dbtime) -> Result<bool> {
        let key = self.slots[at].key;
        let Facts { future_data, may_note, .. } = *self.facts(key.0)?;
        let mut found = Dbtime::NIL;
        if let Access::Page(dbtime) = access {
            found = dbtime;
            // Only the very time that the writer saw lets a record apply (traps V1, V2, V35).
            if dbtime < after && dbtime == before {
                return Ok(true);
            }
            if dbtime < after && dbtime < before && may_note {
                let error = JetCode::DB_TIME_TOO_OLD;
                self.note(at, Reason::TooOld, Entry { position: self.position, error, found: dbtime, expected: before });
                return Ok(false);
            }
        }
        if found >= after && future_data {
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
        Err(self.page_error(key, jet, &reason))
    }

    /// The gate of pages that a record makes anew (`log-4 §4.5`, traps V18, D24).
    fn needs_new(&mut self, at: usize, after: Dbtime) -> Result<bool> {
        let key = self.slots[at].key;
        if !self.facts(key.0)?.future_data {
            self.made_anew(at);
            return Ok(true);
        }
        let slot = &mut self.slots[at];
        if slot.is_skipped() {
            return Ok(false);
        }
        let lookup = slot.look()?;
        if lookup == Lookup::BeyondEnd && !self.shared.files_grow_on_touch {
            // The file was cut, and a later record says so; else it is not whole.
            let (position, error) = (self.position, JetCode::FILE_IO_BEYOND_EOF);
            self.note(at, Reason::Zeroed, Entry { position, error, found: Dbtime(0), expected: Dbtime(0) });
            return Ok(false);
        }
        let old = |page: Page<'_>| page.dbtime() < after || page.dbtime() >= Dbtime::REVERTED_ROOT;
        let needed = lookup != Lookup::Present || self.slots[at].page().is_none_or(old);
        if needed {
            self.made_anew(at);
        }
        Ok(needed)
    }

    fn note(&mut self, at: usize, reason: Reason, entry: Entry) {
        let slot = &mut self.slots[at];
        slot.noted |= 1 << reason as u8;
        let key = slot.key;
        self.tell(Effect::Note(key, reason, entry));
    }
    fn made_anew(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        if std::mem::take(&mut slot.passed_over) {
            let key = slot.key;
            self.tell(Effect::MadeAnew(key));
        }
    }
    /// Notes the page of an error, and lets replay go on without it.
    pub(super) fn pass_over(&mut self, database: DatabaseId, error: ReplayError) -> Result<()> {
        let Some(page) = error.page.filter(|_| is_damage(error.jet)) else { return Err(error) };
        if let Ok(at) = self.slot_of(database, page) {
            self.slots[at].passed_over = true;
        }
        self.tell(Effect::Bad((database, page), error.at(self.position)));
        Ok(())
    }
    fn page_error(&self, key: Key, jet: JetCode, reason: &str) -> ReplayError {
        let error = ReplayError::new(jet, format!("page {} cannot be brought forward: {reason}", key.1)).page(key.1);
        match self.facts(key.0) {
            Ok(facts) => error.in_file(facts.name.clone()),
            Err(_) => error,
        }
    }

    /// Stamps a page that the record needs, and changes it where it lies; a change that is refused leaves it as it was.
    pub(super) fn change(
        &mut self,
        database: DatabaseId,
        page: PageNumber,
        dbtime: Dbtime,
        change: impl FnOnce(&mut PageEditor<'_>) -> std::result::Result<(), crate::apply::ApplyError>,
    ) -> Result<()> {
        let at = self.slot_of(database, page)?;
        let slot = &mut self.slots[at];
        let was = Page::new(&slot.image).map(|page| (page.dbtime(), page.flags()));
        stamp(&mut slot.image, dbtime);
        if let Some(mut editor) = PageEditor::new(&mut slot.image)
            && let Err(error) = change(&mut editor)
        {
            if let Some((dbtime, flags)) = was {
                editor.set_dbtime(dbtime);
                editor.set_flags(flags);
            }
            return Err(error.into());
        }
        slot.dirty = true;
        self.page_changes += 1;
        Ok(())
    }
    /// Adds a page that the record changes, when it is in the state that the record expects.
    pub(super) fn add_old(
        &mut self,
        database: DatabaseId,
        page: PageNumber,
        before: Dbtime,
        after: Dbtime,
        pages: &mut PageSet,
    ) -> Result<()> {
        if !pages.needs(page) && self.needs(database, page, before, after)? {
            let image = self.page(database, page).map(|page| page.bytes().to_vec().into_boxed_slice());
            if let Some(mut image) = image {
                stamp(&mut image, after);
                pages.add(page, image);
            }
        }
        Ok(())
    }
    /// Adds a page that the record makes anew, when it is older than the record or not there.
    pub(super) fn add_new(&mut self, database: DatabaseId, page: PageNumber, after: Dbtime, pages: &mut PageSet) -> Result<()> {
        let at = self.slot_of(database, page)?;
        if self.needs_new(at, after)? {
            let mut image = vec![0; self.size_of(database)?.bytes()].into_boxed_slice();
            if let Some(mut editor) = PageEditor::new(&mut image) {
                editor.set_dbtime(after);
            }
            pages.add(page, image);
        }
        Ok(())
    }
    /// Puts the changed pages of an operation back, all of them: nothing was changed in place before.
    pub(super) fn put_all(&mut self, database: DatabaseId, pages: PageSet) -> Result<()> {
        for (page, image) in pages.into_pages() {
            let at = self.slot_of(database, page)?;
            self.slots[at].change(image);
            self.page_changes += 1;
        }
        Ok(())
    }

    /// Tells of a version entry for the session of a record.
    pub(super) fn tell_version(
        &mut self,
        head: &NodeHead,
        id: VersionId,
        key: Vec<u8>,
        data: &[u8],
        change: Change,
        unlogged_on: Option<PageNumber>,
    ) {
        let Some(entry) = version_head(head, id, self.owner, change, unlogged_on) else { return };
        let [bookmark_data, before] = parts_of(&entry, data);
        let (bookmark_data, before) = (bookmark_data.to_vec(), before.to_vec());
        self.tell(Effect::Version { head: entry, key, bookmark_data, before });
    }
    /// The page is newer already: the engine that wrote it logged the before image first, so it comes later in the log, unless the
    /// transaction ends before.
    pub(super) fn defer(&mut self, head: &NodeHead, version: VersionId) {
        // Of a bad page nothing is known.
        if self.owner.level > 0 && !self.is_passed_over(head.database, head.page) {
            let level = head.level.clamp(1, self.owner.level);
            let deferred = Deferred { level, database: head.database, page: head.page, position: self.position };
            self.tell(Effect::Deferred(head.session, version, deferred));
        }
    }
}

/// What a version entry says besides its bytes; `None` outside of transactions.
pub(super) fn version_head(
    head: &NodeHead,
    id: VersionId,
    owner: Owner,
    change: Change,
    unlogged_on: Option<PageNumber>,
) -> Option<VersionHead> {
    (owner.level > 0).then(|| VersionHead {
        id,
        session: head.session,
        level: head.level.clamp(1, owner.level),
        transaction: owner.transaction,
        database: head.database,
        root: head.root,
        objid: head.object,
        unique: head.flags.is_unique(),
        change,
        unlogged_on,
    })
}

/// The data part of a bookmark, and the data before a replace: in trees with unique keys the key alone is the bookmark.
pub(super) fn parts_of<'a>(head: &VersionHead, data: &'a [u8]) -> [&'a [u8]; 2] {
    let bookmark_data = if head.unique { &[] } else { data };
    let before = if matches!(head.change, Change::Replace { .. }) { data } else { &[] };
    [bookmark_data, before]
}

/// A record that the front end could read.
pub(super) fn decode(raw: &[u8]) -> Result<Operation<'_>> {
    Operation::decode(raw).map_err(unreadable)
}

/// The members of a macro, one behind the other.
pub(super) fn decode_all(mut raw: &[u8]) -> Result<Vec<Operation<'_>>> {
    let mut members = Vec::new();
    while !raw.is_empty() {
        let (member, behind) =
            raw.split_at_checked(size(raw).map_err(unreadable)?).ok_or_else(|| unreadable(RecordError::Truncated))?;
        members.push(decode(member)?);
        raw = behind;
    }
    Ok(members)
}

fn unreadable(error: RecordError) -> ReplayError {
    ReplayError::new(JetCode::LOG_FILE_CORRUPT, format!("a member of a macro cannot be read: {error}"))
}

/// Gives a page the time of the record that changes it.
pub(crate) fn stamp(image: &mut [u8], dbtime: Dbtime) {
    if let Some(mut editor) = PageEditor::new(image) {
        editor.set_dbtime(dbtime);
        let flags = editor.page().flags();
        editor.set_flags(flags.without(PageFlags::SCRUBBED));
    }
}
