//! Every record type that was ever assigned: number, names, since when (`log-2 §2`).

use serde::{Serialize, Serializer};
use std::fmt;

/// Type of a log record: its first byte (`LRTYP`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u8);

/// What is known of a record type.
#[derive(Clone, Copy, Debug)]
pub struct KindEntry {
    /// Our name.
    pub name: &'static str,
    /// Microsoft's name (`lrtyp…`).
    pub microsoft: &'static str,
    /// The token of a log dump (`/ml`); empty where the type never shows up there.
    pub token: &'static str,
    /// The log format that brought it; empty: 7.3704.0 or before.
    pub since: &'static str,
}

impl RecordType {
    /// The first number that was never assigned.
    pub const COUNT: u8 = 102;

    /// Padding: in 8.x the rest of the segment.
    pub const NOP: Self = Self(0);
    /// Start of the engine, without time.
    pub const INIT_OLD: Self = Self(1);
    /// Stop of the engine, without time.
    pub const TERM_OLD: Self = Self(2);
    /// Outermost commit.
    pub const COMMIT_OUTERMOST: Self = Self(9);
    /// Outermost begin.
    pub const BEGIN_OUTERMOST: Self = Self(8);
    /// Start of undo, without time.
    pub const RECOVERY_UNDO_OLD: Self = Self(17);
    /// End of recovery, without time.
    pub const RECOVERY_QUIT_OLD: Self = Self(18);
    /// All databases are clean.
    pub const SHUT_DOWN_MARK: Self = Self(23);
    /// Split without image.
    pub const SPLIT_OLD: Self = Self(27);
    /// Merge without image.
    pub const MERGE_OLD: Self = Self(28);
    /// Before image of a version entry.
    pub const UNDO_INFO: Self = Self(36);
    /// Integrity record of 7.x.
    pub const LEGACY_CHECKSUM: Self = Self(42);
    /// Start of the engine.
    pub const INIT: Self = Self(49);
    /// Stop of the engine.
    pub const TERM: Self = Self(50);
    /// Start of undo.
    pub const RECOVERY_UNDO: Self = Self(51);
    /// End of recovery.
    pub const RECOVERY_QUIT: Self = Self(52);
    /// Split.
    pub const SPLIT: Self = Self(62);
    /// Merge.
    pub const MERGE: Self = Self(63);
    /// Zeros up to the end of the segment.
    pub const FILL: Self = Self(71);
    /// First part of a cut record.
    pub const FRAGMENT_BEGIN: Self = Self(76);
    /// Further part of a cut record.
    pub const FRAGMENT: Self = Self(77);
    /// End of a recovery that keeps its databases attached.
    pub const RECOVERY_QUIT_KEEP_ATTACHMENTS: Self = Self(80);

    /// What is known of the type; `None` for a number that was never assigned.
    #[must_use]
    pub fn entry(self) -> Option<&'static KindEntry> {
        KINDS.get(usize::from(self.0))
    }
    /// Our name, or "unknown".
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().map_or("unknown", |entry| entry.name)
    }
    /// The token of a log dump.
    #[must_use]
    pub fn token(self) -> &'static str {
        self.entry().map_or("", |entry| entry.token)
    }
    /// Whether any reader may skip it by its length (`log-2 §14`).
    #[must_use]
    pub const fn is_ignorable(self) -> bool {
        matches!(self.0, 67..=75 | 82..=91)
    }
    /// Whether a log whose last record (padding aside) has this type was closed cleanly (`log-1 §8`).
    #[must_use]
    pub const fn closes_log(self) -> bool {
        matches!(self.0, 2 | 50 | 18 | 52 | 80)
    }
    /// Whether it is padding: NOP or NOP2.
    #[must_use]
    pub const fn is_padding(self) -> bool {
        matches!(self, Self::NOP | Self::FILL)
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.name())
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(entry) => f.write_str(entry.name),
            None => write!(f, "record type {}", self.0),
        }
    }
}

impl Serialize for RecordType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const fn kind(name: &'static str, microsoft: &'static str, token: &'static str, since: &'static str) -> KindEntry {
    KindEntry { name, microsoft, token, since }
}

/// By number.
static KINDS: [KindEntry; RecordType::COUNT as usize] = [
    kind("padding", "NOP", "NOP", ""),
    kind("init (old)", "Init", "Init", ""),
    kind("term (old)", "Term", "Term", ""),
    kind("multi-sector flush (6.x)", "MS", "MS", "6"),
    kind("end (6.x)", "End", "End", "6"),
    kind("begin", "Begin", "Begin", ""),
    kind("commit", "Commit", "Commit", ""),
    kind("rollback", "Rollback", "Rollback", ""),
    kind("begin outermost", "Begin0", "Begin0", ""),
    kind("commit outermost", "Commit0", "Commit0", ""),
    kind("refresh", "Refresh", "Refresh", ""),
    kind("macro begin", "MacroBegin", "McroBegin", ""),
    kind("macro commit", "MacroCommit", "McroComit", ""),
    kind("macro abort", "MacroAbort", "McroAbort", ""),
    kind("create database", "CreateDB", "CreateDB", ""),
    kind("attach database", "AttachDB", "AttachDB", ""),
    kind("detach database", "DetachDB", "DetachDB", ""),
    kind("recovery undo (old)", "RecoveryUndo", "RcvUndo", ""),
    kind("recovery quit (old)", "RecoveryQuit", "RcvQuit", ""),
    kind("full backup (old)", "FullBackup", "FullBkUp", ""),
    kind("incremental backup (old)", "IncBackup", "IncBkUp", ""),
    kind("API call", "JetOp", "JetOp", ""),
    kind("trace", "Trace", "Trace", ""),
    kind("shut-down mark", "ShutDownMark", "ShutDown", ""),
    kind("create multiple-extent tree", "CreateMultipleExtentFDP", "Create M", ""),
    kind("create single-extent tree", "CreateSingleExtentFDP", "Create S", ""),
    kind("convert tree (old)", "ConvertFDP", "Convert", ""),
    kind("split (old)", "Split", "Split", ""),
    kind("merge (old)", "Merge", "Merge", ""),
    kind("insert", "Insert", "Insert", ""),
    kind("flag insert", "FlagInsert", "FInsert", ""),
    kind("flag insert and replace", "FlagInsertAndReplaceData", "FInsertRD", ""),
    kind("flag delete", "FlagDelete", "FDelete", ""),
    kind("replace", "Replace", "Replace", ""),
    kind("replace by differences", "ReplaceD", "ReplaceD", ""),
    kind("delete", "Delete", "Delete", ""),
    kind("undo information", "UndoInfo", "UndoInfo", ""),
    kind("delta", "Delta", "Delta", ""),
    kind("set external header", "SetExternalHeader", "SetExtHdr", ""),
    kind("undo", "Undo", "Undo", ""),
    kind("streaming page append", "SLVPageAppend", "", ""),
    kind("streaming space", "SLVSpace", "", ""),
    kind("checksum", "Checksum", "Checksum", ""),
    kind("streaming page move", "SLVPageMove", "", ""),
    kind("force detach database", "ForceDetachDB", "", ""),
    kind("external restore (old)", "ExtRestore", "ExtRest", ""),
    kind("backup (old)", "Backup", "Backup", ""),
    kind("upgrade database", "UpgradeDb", "", "7.3704.1"),
    kind("empty tree", "EmptyTree", "EmptyTree", "7.3704.1"),
    kind("init", "Init2", "Init", "7.3704.2"),
    kind("term", "Term2", "Term", "7.3704.2"),
    kind("recovery undo", "RecoveryUndo2", "RcvUndo", "7.3704.2"),
    kind("recovery quit", "RecoveryQuit2", "RcvQuit", "7.3704.2"),
    kind("begin distributed", "BeginDT", "BeginDT", "7.3704.3"),
    kind("prepare commit", "PrepCommit", "PreCommit", "7.3704.3"),
    kind("prepare rollback", "PrepRollback", "PreRollbk", "7.3704.3"),
    kind("database list", "DbList", "DbList", ""),
    kind("force write log", "ForceWriteLog", "FWriteLog", ""),
    kind("convert tree", "ConvertFDP2", "Convert", "7.3704.7"),
    kind("external restore", "ExtRestore2", "ExtRest2", "7.3704.9"),
    kind("backup", "Backup2", "Backup2", "7.3704.10"),
    kind("force log rollover", "ForceLogRollover", "FRollLog", ""),
    kind("split", "Split2", "Split2", "7.3704.11"),
    kind("merge", "Merge2", "Merge2", "7.3704.11"),
    kind("scrub", "Scrub", "Scrub", "7.3704.12"),
    kind("page move", "PageMove", "PageMove", "7.3704.13"),
    kind("page patch request", "PagePatchRequest", "PagePatch", "7.3704.16"),
    kind("macro pages", "MacroInfo", "McroInfo", "7.3704.16.1"),
    kind("extend database", "ExtendDB", "ExtendDB", "7.3704.16.2"),
    kind("commit context", "CommitCtx", "CommitCtx", "8.4000.4.1"),
    kind("scan check (old)", "ScanCheck", "ScanCheck", "8.4000.4.2"),
    kind("fill", "NOP2", "NOP2", "8.4000.4.3"),
    kind("reattach database", "ReAttach", "ReAttach", "8.4000.4.7"),
    kind("macro pages of a database", "MacroInfo2", "McroInfo2", "8.4000.5.14"),
    kind("free tree", "FreeFDP", "FreeFDP", "8.4000.5.16"),
    kind("ignored 9", "Ignored9", "Ignored", "7.3704.16"),
    kind("fragment begin", "FragmentBegin", "FragBegin", "8.4000.0"),
    kind("fragment", "Fragment", "FragContd", "8.4000.0"),
    kind("shrink database (first form)", "ShrinkDB", "ShrinkDB", "8.4000.1"),
    kind("create database finish", "CreateDBFinish", "CrDBFinsh", "8.4000.3"),
    kind("recovery quit, attachments kept", "RecoveryQuitKeepAttachments", "RcvQKA", "8.4000.4"),
    kind("trim database", "TrimDB", "TrimDB", "8.4000.4.4"),
    kind("ignored 10", "Ignored10", "Ignored", "8.4000.5.14"),
    kind("ignored 11", "Ignored11", "Ignored", "8.4000.5.14"),
    kind("ignored 12", "Ignored12", "Ignored", "8.4000.5.14"),
    kind("ignored 13", "Ignored13", "Ignored", "8.4000.5.14"),
    kind("ignored 14", "Ignored14", "Ignored", "8.4000.5.14"),
    kind("ignored 15", "Ignored15", "Ignored", "8.4000.5.14"),
    kind("ignored 16", "Ignored16", "Ignored", "8.4000.5.14"),
    kind("ignored 17", "Ignored17", "Ignored", "8.4000.5.14"),
    kind("ignored 18", "Ignored18", "Ignored", "8.4000.5.14"),
    kind("ignored 19", "Ignored19", "Ignored", "8.4000.5.14"),
    kind("set database version", "SetDbVersion", "SetDbVer", "8.4000.6.20"),
    kind("64-bit delta", "Delta64", "Delta64", "8.4000.20.60"),
    kind("shrink database (second form)", "ShrinkDB2", "ShrinkDB2", "8.4000.30.80"),
    kind("new page", "NewPage", "NewPage", "8.4000.40.100"),
    kind("root page move", "RootPageMove", "PageMoveR", "8.4000.50.120"),
    kind("signal attach database", "SignalAttachDb", "SAttachDB", "8.4000.50.120"),
    kind("scan check", "ScanCheck2", "ScanChk2", "8.4000.60.140"),
    kind("shrink database", "ShrinkDB3", "ShrinkDB3", "8.4000.70.160"),
    kind("extent freed (old)", "ExtentFreed", "ExtFreed", "8.4000.90.200"),
    kind("extent freed", "ExtentFreed2", "ExtFreed2", "8.4000.120.260"),
];
