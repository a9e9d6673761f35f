//! Start and stop of the engine, recovery, backup, traces, structural and unknown ignorable records (`log-2 §13` to `§16`).

use crate::layout::{Layout, Shown};
use crate::log::parameters::Parameters;
use crate::log::record::declare::{Parts, Record, blank, hex};
use crate::log::record::transaction::ignorable_size;
use crate::log::record::{RecordError, RecordType};
use crate::log::text::LoggedText;
use crate::units::{DatabaseId, Generation, LogPosition, LogTime, SessionId};

layout! {
    /// The fixed part.
    pub struct InitFixed = "LRINIT", 568, "log-2 §13" {
        1 parameters: Parameters, "dbms_param", "", "parameters of the engine";
    }
}

layout! {
    /// The time of newer records.
    pub struct InitTime = "LRINIT2", 576, "log-2 §13" {
        568 time: LogTime, "logtime", "7.3704.2", "when";
    }
}

/// The engine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    parameters: &'a [u8],
    /// When; `None` in the old form (1).
    pub time: Option<LogTime>,
}

impl<'a> Init<'a> {
    /// A record from the bytes of [`Parameters`]; `None` where they have another length.
    #[must_use]
    pub fn new(parameters: &'a [u8], time: Option<LogTime>) -> Option<Self> {
        (parameters.len() == Parameters::SIZE).then_some(Self { parameters, time })
    }
    /// Parameters of the engine.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        Parameters::read(self.parameters).unwrap_or_else(Parameters::empty)
    }
}

impl<'a> Record<'a> for Init<'a> {
    fn size(kind: RecordType, _: &[u8]) -> Option<usize> {
        Some(if kind == RecordType::INIT_OLD { InitFixed::SIZE } else { InitTime::SIZE })
    }
    fn decode(kind: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut parts = Parts::behind(bytes, 1)?;
        let parameters = parts.take(Parameters::SIZE)?;
        let time = if kind == RecordType::INIT_OLD {
            None
        } else {
            parts.take(InitTime::SIZE - InitFixed::SIZE)?;
            Some(InitTime::read(bytes).ok_or(RecordError::Truncated)?.time)
        };
        parts.end()?;
        Ok(Self { parameters, time })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut bytes = blank(kind, if self.time.is_some() { InitTime::SIZE } else { InitFixed::SIZE });
        bytes[1..=Parameters::SIZE].copy_from_slice(self.parameters);
        if let Some(time) = self.time {
            InitTime { time }.write(&mut bytes);
        }
        out.append(&mut bytes);
        Ok(())
    }
    fn kind(&self, _: &[u8]) -> RecordType {
        if self.time.is_some() { RecordType::INIT } else { RecordType::INIT_OLD }
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        let mut layouts = vec![&InitFixed::LAYOUT];
        layouts.extend(self.time.map(|_| &InitTime::LAYOUT));
        layouts
    }
}

layout! {
    /// The fixed part.
    pub struct TermFixed = "LRTERMREC", 18, "log-2 §13" {
        1 begin: LogPosition, "le_lgpos", "", "Term: position of this run's Init; RecoveryQuit: where undo began";
        9 redo_from: LogPosition, "le_lgposRedoFrom", "", "where the recovery began redo; none in Term";
        17 hard: u8, "fHard", "", "1 after a hard recovery";
    }
}

layout! {
    /// The time of newer records.
    pub struct TermTime = "LRTERMREC2", 26, "log-2 §13" {
        18 time: LogTime, "logtime", "7.3704.2", "when";
    }
}

/// The engine stops, or a recovery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Term: position of this run's Init; RecoveryQuit: where undo began.
    pub begin: LogPosition,
    /// Where the recovery began redo; none in Term.
    pub redo_from: LogPosition,
    /// 1 after a hard recovery.
    pub hard: u8,
    /// When; `None` in the old forms (2 and 18).
    pub time: Option<LogTime>,
}

impl<'a> Record<'a> for Term {
    fn size(kind: RecordType, _: &[u8]) -> Option<usize> {
        let old = matches!(kind, RecordType::TERM_OLD | RecordType::RECOVERY_QUIT_OLD);
        Some(if old { TermFixed::SIZE } else { TermTime::SIZE })
    }
    fn decode(kind: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let TermFixed { begin, redo_from, hard } = TermFixed::read(bytes).ok_or(RecordError::Truncated)?;
        let time = if Self::size(kind, bytes) == Some(TermFixed::SIZE) {
            None
        } else {
            Some(TermTime::read(bytes).ok_or(RecordError::Truncated)?.time)
        };
        Ok(Self { begin, redo_from, hard, time })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut bytes = blank(kind, if self.time.is_some() { TermTime::SIZE } else { TermFixed::SIZE });
        TermFixed { begin: self.begin, redo_from: self.redo_from, hard: self.hard }.write(&mut bytes);
        if let Some(time) = self.time {
            TermTime { time }.write(&mut bytes);
        }
        out.append(&mut bytes);
        Ok(())
    }
    /// The first of `kinds` is the form with a time, the last the one without.
    fn kind(&self, kinds: &[u8]) -> RecordType {
        RecordType(if self.time.is_some() { kinds.first() } else { kinds.last() }.copied().unwrap_or(0))
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        let mut layouts = vec![&TermFixed::LAYOUT];
        layouts.extend(self.time.map(|_| &TermTime::LAYOUT));
        layouts
    }
}

layout! {
    /// The time of newer records.
    pub struct RecoveryUndoTime = "LRRECOVERYUNDO2", 9, "log-2 §13" {
        1 time: LogTime, "logtime", "7.3704.2", "when";
    }
}

/// Redo is over; the undo of a recovery begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryUndo {
    /// When; `None` in the old form (17).
    pub time: Option<LogTime>,
}

impl<'a> Record<'a> for RecoveryUndo {
    fn size(kind: RecordType, _: &[u8]) -> Option<usize> {
        Some(if kind == RecordType::RECOVERY_UNDO_OLD { 1 } else { RecoveryUndoTime::SIZE })
    }
    fn decode(kind: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        if kind == RecordType::RECOVERY_UNDO_OLD {
            return Ok(Self { time: None });
        }
        Ok(Self { time: Some(RecoveryUndoTime::read(bytes).ok_or(RecordError::Truncated)?.time) })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut bytes = blank(kind, if self.time.is_some() { RecoveryUndoTime::SIZE } else { 1 });
        if let Some(time) = self.time {
            RecoveryUndoTime { time }.write(&mut bytes);
        }
        out.append(&mut bytes);
        Ok(())
    }
    fn kind(&self, _: &[u8]) -> RecordType {
        if self.time.is_some() { RecordType::RECOVERY_UNDO } else { RecordType::RECOVERY_UNDO_OLD }
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        self.time.map(|_| &RecoveryUndoTime::LAYOUT).into_iter().collect()
    }
}

record! {
    /// A record that is its type alone.
    pub struct Bare, BareFixed = "LR", 1, "log-2 §13, §15", head() {} parts()
}

record! {
    /// A step of a backup.
    pub struct Backup, BackupFixed = "LRLOGBACKUP", 35, "log-2 §13", head() {
        1 phase: u8, "eBackupPhase", "1 begin, 2 prepare logs, 3 truncate, 4 header update, 5 abort, 6 stop";
        2 backup_type: u32, "eBackupType", "0 streaming, 1 OS snapshot, 2 snapshot, 3 surrogate";
        6 scope: u8, "eBackupScope", "1 full, 2 incremental, 5 copy, 6 differential";
        7 database: DatabaseId, "dbid", "slot";
        8 mark: LogPosition, "le_lgposMark", "position of the backup";
        16 mark_time: LogTime, "logtimeMark", "time of the backup";
        24 low: Generation, "le_genLow", "lowest generation";
        28 high: Generation, "le_genHigh", "highest generation; truncate: first that is kept";
        32 reserved: u8, "", "0";
        33 path_length: u16 => path, "le_cbPath", "path, always empty";
    } parts(path)
}

record! {
    /// A step of a backup, as engines before 7.3704.10 logged it.
    pub struct BackupOld, BackupOldFixed = "LRLOGBACKUP_OBSOLETE", 5, "log-2 §13", head() {
        1 backup_type: u8, "backupType", "0 full, 1 incremental, 2/3 snapshot start/stop, 4 truncate logs, 5/6 OS snapshot full/incremental";
        2 reserved: u8, "", "0";
        3 path_length: u16 => path, "le_cbPath", "path";
    } parts(path)
}

record! {
    /// A backup or restore as the oldest engines logged it; also ExtRestore.
    pub struct RestoreMark, RestoreMarkFixed = "LRLOGRESTORE, LREXTRESTORE", 3, "log-2 §13", head() {
        1 path_length: u16 => path, "le_cbPath", "path, or instance name and log path";
    } parts(path)
}

record! {
    /// Text for people; also ForceLogRollover.
    pub struct Trace, TraceFixed = "LRTRACE", 5, "log-2 §13", head() {
        1 session: SessionId, "le_procid", "session";
        3 text_length: u16 => text, "le_cb", "text; may be empty or lack its terminator";
    } parts(text)
}

impl<'a> Trace<'a> {
    /// The text for people.
    #[must_use]
    pub const fn message(&self) -> LoggedText<'a> {
        LoggedText::ansi(self.text)
    }
}

record! {
    /// Asks that the log be written.
    pub struct ForceWriteLog, ForceWriteLogFixed = "LRFORCEWRITELOG", 3, "log-2 §13", head() {
        1 session: SessionId, "le_procid", "session";
    } parts()
}

record! {
    /// A call of the API, logged by test builds.
    pub struct JetOperation, JetOperationFixed = "LRJETOP", 4, "log-2 §13", head() {
        1 session: SessionId, "le_procid", "session";
        3 operation: u8, "op", "which call";
    } parts()
}

record! {
    /// Integrity record of a 7.x log.
    pub struct LegacyChecksum, LegacyChecksumFixed = "LRCHECKSUM", 22, "log-1 §10", head() {
        1 backwards: u32, "le_cbBackwards", "bytes covered before the record";
        5 forwards: u32, "le_cbForwards", "bytes covered behind it";
        9 next: u32, "le_cbNext", "distance from its end to the next one, 0 last";
        13 checksum: u32, "le_ulChecksum", "over the range";
        17 short_checksum: u32, "le_ulShortChecksum", "over its own sector; 0 if unused";
        21 kind: u8, "bUseShortChecksum", "0x9A several sectors, 0xD1 one";
    } parts()
}

record! {
    /// Zeros that fill a segment before a commit is waited for.
    pub struct Fill, FillFixed = "LRIGNORED", 5, "log-2 §15", head() {
        1 size: u32 => zeros, "le_cb", "zeros";
    } parts(zeros)
}

record! {
    /// First part of a record that does not fit into its segment.
    pub struct FragmentBegin, FragmentBeginFixed = "LRFRAGMENTBEGIN", 7, "log-1 §7.4", head() {
        1 total: u32, "le_cbTotalLRSize", "bytes of the whole record";
        5 length: u16 => data, "le_cbFragmentSize", "its first bytes";
    } parts(data)
}

record! {
    /// A further part of a record that does not fit into its segment.
    pub struct Fragment, FragmentFixed = "LRFRAGMENT", 3, "log-1 §7.4", head() {
        1 length: u16 => data, "le_cbFragmentSize", "its next bytes";
    } parts(data)
}

layout! {
    /// The fixed part.
    pub struct IgnoredFixed = "LRIGNORED", 5, "log-2 §14" {
        1 size: u32, "le_cb", "", "bytes behind this field";
    }
}

/// A record that any reader may skip: of a type without meaning yet, or of a known type with another layout than declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored<'a> {
    /// Its type.
    pub kind: RecordType,
    /// What it holds.
    pub content: &'a [u8],
}

impl<'a> Record<'a> for Ignored<'a> {
    fn size(_: RecordType, bytes: &[u8]) -> Option<usize> {
        ignorable_size(bytes)
    }
    fn decode(kind: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let length = ignorable_size(bytes).and_then(|size| size.checked_sub(IgnoredFixed::SIZE)).ok_or(RecordError::Truncated)?;
        let mut parts = Parts::behind(bytes, IgnoredFixed::SIZE)?;
        let content = parts.take(length)?;
        parts.end()?;
        Ok(Self { kind, content })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let mut bytes = blank(kind, IgnoredFixed::SIZE);
        IgnoredFixed { size: u32::try_from(self.content.len()).map_err(|_| RecordError::TooLong)? }.write(&mut bytes);
        out.append(&mut bytes);
        out.extend_from_slice(self.content);
        Ok(())
    }
    fn kind(&self, _: &[u8]) -> RecordType {
        self.kind
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        vec![&IgnoredFixed::LAYOUT]
    }
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        vec![("content", hex(self.content))]
    }
}
