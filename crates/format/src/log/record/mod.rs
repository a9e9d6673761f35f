//! Log records: bytes to [`Operation`] and back (`log-2`).

#[macro_use]
mod declare;
mod difference;
mod head;
mod kind;

mod database;
mod instance;
mod page;
mod space;
mod transaction;
mod tree;

pub use database::*;
pub use declare::Record;
pub use difference::{Difference, Form};
pub use head::{ChangeFlags, NodeHead, NodeHeadFields, PageHead};
pub use instance::*;
pub use kind::{KindEntry, RecordType};
pub use page::*;
pub use space::*;
pub use transaction::*;
pub use tree::*;

use self::transaction::ignorable_size;
use crate::jet::JetCode;
use crate::layout::{Layout, Shown};
use crate::units::{DatabaseId, Dbtime, SessionId};
use std::cmp::Ordering;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A type without a public layout, or a number never assigned: the log cannot be read behind it (trap G50).
    #[error("record type {0} has no known layout")]
    Unknown(u8),
    /// The bytes end before the record does.
    #[error("the record is cut off")]
    Truncated,
    /// The parts of the record do not fit together.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// On encoding: a variable part that is longer than its length field can say.
    #[error("a part is too long for its length field")]
    TooLong,
}

impl RecordError {
    /// What Microsoft's engine says: the log file is corrupt.
    #[must_use]
    pub const fn jet(self) -> JetCode {
        JetCode::LOG_FILE_CORRUPT
    }
}

/// A decoded field or part, for people and `inspect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Our name.
    pub name: &'static str,
    /// Microsoft's name; empty where none is known.
    pub microsoft: &'static str,
    /// The value.
    pub value: Shown,
}

macro_rules! operations {
    ($( $(#[$doc:meta])* $variant:ident($record:ty): $($kind:literal),+; )*) => {
        /// A log record, decoded. One variant for each type; the old and new forms of one record share a variant.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation<'a> {
            $( $(#[$doc])* $variant($record), )*
        }

        impl<'a> Operation<'a> {
            /// Reads a record from exactly its bytes (see [`size`]).
            ///
            /// # Errors
            /// Any [`RecordError`] but `TooLong`.
            pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
                let kind = RecordType(*bytes.first().ok_or(RecordError::Truncated)?);
                match Self::size_of(bytes)?.cmp(&bytes.len()) {
                    Ordering::Less => return Err(RecordError::Inconsistent("bytes behind the end of the record")),
                    Ordering::Greater => return Err(RecordError::Truncated),
                    Ordering::Equal => {}
                }
                match kind.0 {
                    $( $( $kind )|+ => match <$record as Record>::decode(kind, bytes) {
                        Ok(record) => Ok(Self::$variant(record)),
                        Err(error) => ignored(kind, bytes).map(Self::Ignored).ok_or(error),
                    }, )*
                    number => Err(RecordError::Unknown(number)),
                }
            }
            /// Writes the record behind `out`.
            ///
            /// # Errors
            /// [`RecordError::TooLong`].
            pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), RecordError> {
                match self {
                    $( Self::$variant(record) => record.encode(record.kind(&[$($kind),+]), out), )*
                }
            }
            /// Its type.
            #[must_use]
            pub fn record_type(&self) -> RecordType {
                match self {
                    $( Self::$variant(record) => record.kind(&[$($kind),+]), )*
                }
            }
            /// The declared structures that it consists of, besides its type and variable parts.
            #[must_use]
            pub fn layouts(&self) -> Vec<&'static Layout> {
                match self {
                    $( Self::$variant(record) => record.layouts(), )*
                }
            }
            /// The variable parts by name, as people read them.
            #[must_use]
            pub fn parts(&self) -> Vec<(&'static str, Shown)> {
                match self {
                    $( Self::$variant(record) => record.parts(), )*
                }
            }
            /// The head of a record that changes a page.
            #[must_use]
            pub fn page_head(&self) -> Option<&PageHead> {
                match self {
                    $( Self::$variant(record) => record.page_head(), )*
                }
            }
            /// The head of a record that changes a node.
            #[must_use]
            pub fn node_head(&self) -> Option<&NodeHead> {
                match self {
                    $( Self::$variant(record) => record.node_head(), )*
                }
            }
            /// The session, where the record names one.
            #[must_use]
            pub fn session(&self) -> Option<SessionId> {
                match self {
                    $( Self::$variant(record) => record.session(), )*
                }
            }
            /// The database, where the record names one.
            #[must_use]
            pub fn database(&self) -> Option<DatabaseId> {
                match self {
                    $( Self::$variant(record) => record.database(), )*
                }
            }

            fn size_of(bytes: &[u8]) -> Result<usize, RecordError> {
                let kind = RecordType(*bytes.first().ok_or(RecordError::Truncated)?);
                match kind.0 {
                    $( $( $kind )|+ => {
                        if kind.is_ignorable() {
                            return ignorable_size(bytes).ok_or(RecordError::Truncated);
                        }
                        <$record as Record>::size(kind, bytes).ok_or(RecordError::Truncated)
                    } )*
                    number => Err(RecordError::Unknown(number)),
                }
            }
        }
    };
}

operations! {
    /// Padding.
    Nop(Bare): 0;
    /// The engine starts.
    Init(Init<'a>): 49, 1;
    /// The engine stops.
    Term(Term): 50, 2;
    /// Opens inner levels.
    Begin(Begin): 5;
    /// Commits an inner level.
    Commit(Commit): 6;
    /// Ends undone levels.
    Rollback(Rollback): 7;
    /// Opens the outermost transaction.
    BeginOutermost(BeginOutermost): 8;
    /// Commits the outermost transaction.
    CommitOutermost(CommitOutermost): 9;
    /// New begin of a read transaction.
    Refresh(Refresh): 10;
    /// A macro begins.
    MacroBegin(MacroMark): 11;
    /// A macro holds.
    MacroCommit(MacroMark): 12;
    /// A macro does not hold.
    MacroAbort(MacroMark): 13;
    /// Creates a database.
    CreateDatabase(CreateDatabase<'a>): 14;
    /// Attaches a database.
    AttachDatabase(AttachDatabase<'a>): 15;
    /// Detaches a database.
    DetachDatabase(DetachDatabase<'a>): 16;
    /// Undo of a recovery begins.
    RecoveryUndo(RecoveryUndo): 51, 17;
    /// A recovery ends.
    RecoveryQuit(Term): 52, 18;
    /// Full backup of the oldest engines.
    FullBackup(RestoreMark<'a>): 19;
    /// Incremental backup of the oldest engines.
    IncrementalBackup(RestoreMark<'a>): 20;
    /// A call of the API.
    JetOperation(JetOperation): 21;
    /// Text for people.
    Trace(Trace<'a>): 22;
    /// All databases are clean up to here.
    ShutDownMark(Bare): 23;
    /// Makes a tree with space trees.
    CreateMultipleExtent(CreateMultipleExtent): 24;
    /// Makes a tree in one extent.
    CreateSingleExtent(CreateSingleExtent): 25;
    /// Gives a tree space trees, old form.
    ConvertOld(ConvertOld): 26;
    /// One level of a split.
    Split(Split<'a>): 62, 27;
    /// One level of a merge.
    Merge(Merge<'a>): 63, 28;
    /// Inserts a node.
    Insert(Insert<'a>): 29;
    /// Revives a node.
    FlagInsert(FlagInsert<'a>): 30;
    /// Revives a node with new data.
    FlagInsertAndReplace(FlagInsertAndReplace<'a>): 31;
    /// Flags a node as deleted.
    FlagDelete(FlagDelete): 32;
    /// Gives a node new data.
    Replace(Replace<'a>): 33;
    /// Edits a node's data.
    ReplaceDifference(ReplaceDifference<'a>): 34;
    /// Removes a node.
    Delete(Delete): 35;
    /// Before image of a version entry.
    UndoInfo(UndoInfo<'a>): 36;
    /// Adds to a 32-bit counter.
    Delta(Delta<'a>): 37;
    /// Replaces a page's external header.
    SetExternalHeader(SetExternalHeader<'a>): 38;
    /// Undoes a version entry.
    Undo(Undo<'a>): 39;
    /// Integrity record of a 7.x log.
    LegacyChecksum(LegacyChecksum): 42;
    /// Restore of an old engine.
    ExternalRestoreOld(RestoreMark<'a>): 45;
    /// Backup of an old engine.
    BackupOld(BackupOld<'a>): 46;
    /// Empties pages of a tree.
    EmptyTree(EmptyTree<'a>): 48;
    /// Begin of a distributed transaction.
    BeginDistributed(BeginOutermost): 53;
    /// Prepared commit.
    PrepareCommit(PrepareCommit<'a>): 54;
    /// Rollback of a prepared transaction.
    PrepareRollback(PrepareRollback): 55;
    /// Asks that the log be written.
    ForceWriteLog(ForceWriteLog): 57;
    /// Gives a tree space trees.
    ConvertToMultipleExtent(ConvertToMultipleExtent): 58;
    /// Restore.
    ExternalRestore(RestoreMark<'a>): 59;
    /// A step of a backup.
    Backup(Backup<'a>): 60;
    /// A new generation was asked for.
    ForceLogRollover(Trace<'a>): 61;
    /// Overwrites unused bytes.
    Scrub(Scrub<'a>): 64;
    /// Moves a page.
    PageMove(PageMove<'a>): 65;
    /// Asks for a good copy of a page.
    PagePatchRequest(PagePatchRequest): 66;
    /// Pages of a macro.
    MacroPages(MacroPages<'a>): 67;
    /// Makes a database file larger.
    ExtendDatabase(ExtendDatabase): 68;
    /// What an application attached to a commit.
    CommitContext(CommitContext<'a>): 69;
    /// What a scan saw, old form.
    ScanCheck(ScanCheck): 70;
    /// Zeros up to the end of a segment.
    Fill(Fill<'a>): 71;
    /// A database is in use again.
    ReAttachDatabase(ReAttachDatabase): 72;
    /// Pages of a macro of a database other than 1.
    MacroPagesOf(MacroPagesOf<'a>): 73;
    /// A tree was given back.
    FreeTree(FreeTree): 74;
    /// First part of a cut record.
    FragmentBegin(FragmentBegin<'a>): 76;
    /// Further part of a cut record.
    Fragment(Fragment<'a>): 77;
    /// Makes a database file smaller, first form.
    ShrinkDatabase(ShrinkDatabase): 78;
    /// Ends the creation of a database.
    CreateDatabaseFinish(CreateDatabaseFinish): 79;
    /// A recovery ends and keeps its databases attached.
    RecoveryQuitKeepAttachments(Term): 80;
    /// Gives storage back.
    TrimDatabase(TrimDatabase): 81;
    /// May be skipped.
    Ignored(Ignored<'a>): 75, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91;
    /// Raises a database's format version.
    SetDatabaseVersion(SetDatabaseVersion): 92;
    /// Adds to a 64-bit counter.
    Delta64(Delta64<'a>): 93;
    /// Makes a database file smaller, second form.
    ShrinkDatabase2(ShrinkDatabase): 94;
    /// A page becomes part of a tree.
    NewPage(NewPage): 95;
    /// Moves the root of a tree.
    RootPageMove(RootPageMove): 96;
    /// A database is attached.
    SignalAttachDatabase(SignalAttachDatabase): 97;
    /// What a scan saw.
    ScanCheck2(ScanCheck2): 98;
    /// Makes a database file smaller.
    ShrinkDatabase3(ShrinkDatabase3): 99;
    /// An extent was freed, old form.
    ExtentFreed(ExtentFreed): 100;
    /// An extent was freed.
    ExtentFreed2(ExtentFreed2): 101;
}

/// The size that the record at the start of `bytes` asks for; the bytes may well end before that.
///
/// # Errors
/// `Truncated` where the bytes end inside the fixed part (more of the segment or of the fragments is needed);
/// `Unknown` for a type without a layout.
pub fn size(bytes: &[u8]) -> Result<usize, RecordError> {
    Operation::size_of(bytes)
}

/// An ignorable record whose content is not as declared is kept raw, unless redo needs what it says: growth and attachment of a database.
fn ignored(kind: RecordType, bytes: &[u8]) -> Option<Ignored<'_>> {
    let needed = matches!(kind.0, 68 | 72);
    (kind.is_ignorable() && !needed).then(|| Ignored::decode(kind, bytes).ok()).flatten()
}

impl Operation<'_> {
    /// The record's bytes.
    ///
    /// # Errors
    /// [`RecordError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let mut out = Vec::new();
        self.encode_into(&mut out)?;
        Ok(out)
    }
    /// The page time that the record sets; `None` where it sets none.
    #[must_use]
    pub fn dbtime(&self) -> Option<Dbtime> {
        match self {
            Self::NewPage(record) => Some(record.dbtime),
            Self::RootPageMove(record) => Some(record.dbtime),
            Self::ShrinkDatabase3(record) => Some(record.dbtime),
            Self::ExtentFreed2(record) => Some(record.dbtime),
            Self::MacroBegin(record) | Self::MacroCommit(record) | Self::MacroAbort(record) => Some(record.dbtime),
            _ => self.page_head().map(|head| head.dbtime).filter(|&dbtime| dbtime != Dbtime::NIL),
        }
    }
    /// Every field and variable part with its value.
    #[must_use]
    pub fn describe(&self) -> Vec<Described> {
        let bytes = self.encode().unwrap_or_default();
        let fields =
            self.layouts().into_iter().flat_map(|layout| layout.fields).filter_map(|field| {
                Some(Described { name: field.name, microsoft: field.microsoft, value: (field.show)(&bytes)? })
            });
        fields.chain(self.parts().into_iter().map(|(name, value)| Described { name, microsoft: "", value })).collect()
    }
}

#[cfg(test)]
mod tests;
