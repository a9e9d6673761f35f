//! Transactions and macros (`log-2 §4`).

use crate::layout::{Layout, Shown};
use crate::log::record::declare::{Parts, Record, blank, hex};
use crate::log::record::{RecordError, RecordType};
use crate::units::{DatabaseId, Dbtime, PageNumber, SessionId, TransactionId};

record! {
    /// Opens one or more transaction levels below the outermost.
    pub struct Begin, BeginFixed = "LRBEGIN", 4, "log-2 §4", head() {
        1 session: SessionId, "le_procid", "session";
        3 levels: u8, "levelBeginFrom, clevelsToBegin", "low nibble: level before; high nibble: levels opened";
    } parts()
}

impl Begin {
    /// The level at which the session stood.
    #[must_use]
    pub const fn from_level(&self) -> u8 {
        self.levels & 15
    }
    /// How many levels are opened.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.levels >> 4
    }
}

record! {
    /// Opens the outermost transaction, and maybe levels below it. Also the legacy BeginDT.
    pub struct BeginOutermost, BeginOutermostFixed = "LRBEGIN0", 8, "log-2 §4", head() {
        1 session: SessionId, "le_procid", "session";
        3 levels: u8, "levelBeginFrom, clevelsToBegin", "low nibble: level before, 0; high nibble: levels opened";
        4 transaction: TransactionId, "le_trxBegin0", "the transaction";
    } parts()
}

impl BeginOutermost {
    /// The level at which the session stood: 0.
    #[must_use]
    pub const fn from_level(&self) -> u8 {
        self.levels & 15
    }
    /// How many levels are opened.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.levels >> 4
    }
}

record! {
    /// Commits an inner level.
    pub struct Commit, CommitFixed = "LRCOMMIT", 4, "log-2 §4", head() {
        1 session: SessionId, "le_procid", "session";
        3 to_level: u8, "levelCommitTo", "level afterwards, at least 1";
    } parts()
}

record! {
    /// Commits the outermost transaction.
    pub struct CommitOutermost, CommitOutermostFixed = "LRCOMMIT0", 8, "log-2 §4", head() {
        1 session: SessionId, "le_procid", "session";
        3 to_level: u8, "levelCommitTo", "level afterwards, 0";
        4 transaction: TransactionId, "le_trxCommit0", "commit number: ascends along the log";
    } parts()
}

record! {
    /// Ends levels whose changes were undone before.
    pub struct Rollback, RollbackFixed = "LRROLLBACK", 4, "log-2 §4", head() {
        1 session: SessionId, "le_procid", "session";
        3 levels: u8, "levelRollback", "how many levels";
    } parts()
}

record! {
    /// Gives a read transaction a new begin; no longer written.
    pub struct Refresh, RefreshFixed = "LRREFRESH", 7, "log-2 §4", head() {
        1 session: SessionId, "le_procid", "session";
        3 transaction: TransactionId, "le_trxBegin0", "the transaction";
    } parts()
}

record! {
    /// Two-phase commit of old engines; redo refuses it.
    pub struct PrepareCommit, PrepareCommitFixed = "LRPREPCOMMIT", 7, "log-2 §16", head() {
        1 session: SessionId, "le_procid", "session";
        3 data_length: u32 => data, "le_cbData", "what the application attached";
    } parts(data)
}

record! {
    /// Rollback of a prepared transaction of old engines; redo refuses it.
    pub struct PrepareRollback, PrepareRollbackFixed = "LRPREPROLLBACK", 3, "log-2 §16", head() {
        1 session: SessionId, "le_procid", "session";
    } parts()
}

record! {
    /// Begin, commit or abort of a macro: of all records of this session with this page time.
    pub struct MacroMark, MacroMarkFixed = "LRMACROBEGIN, LRMACROEND", 11, "log-2 §4.1", head() {
        1 session: SessionId, "le_procid", "session";
        3 dbtime: Dbtime, "le_dbtime", "page time of all members";
    } parts()
}

record! {
    /// Pages that a macro of database 1 changed; for incremental reseed only.
    pub struct MacroPages, MacroPagesFixed = "LRMACROINFO", 5, "log-2 §4.2", head() {
        1 size: u32 => pages, "le_cb", "page numbers, 4 bytes each";
    } parts(pages)
}

impl MacroPages<'_> {
    /// The page numbers.
    pub fn iter(&self) -> impl Iterator<Item = PageNumber> {
        page_numbers(self.pages)
    }
}

layout! {
    /// The fixed part.
    pub struct MacroPagesOfFixed = "LRMACROINFO2", 10, "log-2 §4.2" {
        1 size: u32, "le_cb", "", "bytes behind this field";
        5 database: DatabaseId, "dbid", "", "database";
        6 count: u32, "le_cpgno", "", "number of pages";
    }
}

/// Pages that a macro of another database than 1 changed; for incremental reseed only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacroPagesOf<'a> {
    /// Database.
    pub database: DatabaseId,
    /// Page numbers, 4 bytes each.
    pub pages: &'a [u8],
}

impl MacroPagesOf<'_> {
    /// The page numbers.
    pub fn iter(&self) -> impl Iterator<Item = PageNumber> {
        page_numbers(self.pages)
    }
}

impl<'a> Record<'a> for MacroPagesOf<'a> {
    fn size(_: RecordType, bytes: &[u8]) -> Option<usize> {
        ignorable_size(bytes)
    }
    fn decode(_: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let fixed = MacroPagesOfFixed::read(bytes).ok_or(RecordError::Truncated)?;
        let length = usize::try_from(fixed.count).ok().and_then(|count| count.checked_mul(4)).ok_or(RecordError::Truncated)?;
        let mut parts = Parts::behind(bytes, MacroPagesOfFixed::SIZE)?;
        let pages = parts.take(length)?;
        parts.end()?;
        Ok(Self { database: fixed.database, pages })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let length = u32::try_from(self.pages.len()).map_err(|_| RecordError::TooLong)?;
        let mut bytes = blank(kind, MacroPagesOfFixed::SIZE);
        let size = length.checked_add(5).ok_or(RecordError::TooLong)?;
        MacroPagesOfFixed { size, database: self.database, count: length / 4 }.write(&mut bytes);
        out.append(&mut bytes);
        out.extend_from_slice(self.pages);
        Ok(())
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        vec![&MacroPagesOfFixed::LAYOUT]
    }
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        vec![("pages", hex(self.pages))]
    }
    fn database(&self) -> Option<DatabaseId> {
        Some(self.database)
    }
}

record! {
    /// What the application attached to a commit. Whether the first byte is a flag depends on the log's version (trap G53), so `content`
    /// is split by [`CommitContext::split`].
    pub struct CommitContext, CommitContextFixed = "LRCOMMITCTX", 5, "log-2 §4.3", head() {
        1 size: u32 => content, "le_cb", "session, flags (new format), context";
    } parts(content)
}

/// The parts of a [`CommitContext`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitContextParts<'a> {
    /// Session.
    pub session: SessionId,
    /// 1 callback wanted, 2 contains customer data, 4 callback before commit; 0 in the old format.
    pub flags: u8,
    /// The application's bytes.
    pub context: &'a [u8],
}

impl<'a> CommitContext<'a> {
    /// The parts, in the layout of the log's version: `with_flags` for 8.4000.5.2 and later, and from 4.8 below 5. `None` where it is too short.
    #[must_use]
    pub fn split(&self, with_flags: bool) -> Option<CommitContextParts<'a>> {
        let (session, rest) = self.content.split_first_chunk::<2>()?;
        let session = SessionId(u16::from_le_bytes(*session));
        let (flags, context) = if with_flags { rest.split_first().map(|(flags, rest)| (*flags, rest))? } else { (0, rest) };
        Some(CommitContextParts { session, flags, context })
    }
}

/// Size of an ignorable record: its own length field behind the type.
pub(super) fn ignorable_size(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?);
    usize::try_from(length).ok()?.checked_add(5)
}

fn page_numbers(bytes: &[u8]) -> impl Iterator<Item = PageNumber> {
    bytes.as_chunks::<4>().0.iter().map(|number| PageNumber(u32::from_le_bytes(*number)))
}
