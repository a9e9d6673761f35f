//! What must hold, one predicate a number (`ops-1 §5`, `§10`), and what a breach is called (`ops-1 §4`).

use crate::sets::manifest::Evidence;
use anchorlog_format::jet::JetCode;
use serde::{Serialize, Serializer};
use std::fmt;

/// The product's codes of refusal, each with the engine's nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is its code, and explained by `meaning`")]
pub enum Refusal {
    Unreadable,
    NotClean,
    OnlineSet,
    Pair,
    AnchorMissing,
    RangeMissing,
    CommitMissing,
    Gap,
    Chain,
    LogSign,
    Name,
    Dup,
    Chkpt,
    Path,
    OtherDb,
    DbSign,
    State,
    InUse,
    Space,
    Damaged,
    Exists,
    Ceiling,
}

impl Refusal {
    /// As it is written.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "R-UNREADABLE",
            Self::NotClean => "R-NOT-CLEAN",
            Self::OnlineSet => "R-ONLINE-SET",
            Self::Pair => "R-PAIR",
            Self::AnchorMissing => "R-ANCHOR-MISSING",
            Self::RangeMissing => "R-RANGE-MISSING",
            Self::CommitMissing => "R-COMMIT-MISSING",
            Self::Gap => "R-GAP",
            Self::Chain => "R-CHAIN",
            Self::LogSign => "R-LOGSIGN",
            Self::Name => "R-NAME",
            Self::Dup => "R-DUP",
            Self::Chkpt => "R-CHKPT",
            Self::Path => "R-PATH",
            Self::OtherDb => "R-OTHERDB",
            Self::DbSign => "R-DBSIGN",
            Self::State => "R-STATE",
            Self::InUse => "R-INUSE",
            Self::Space => "R-SPACE",
            Self::Damaged => "R-DAMAGED",
            Self::Exists => "R-EXISTS",
            Self::Ceiling => "R-CEILING",
        }
    }
    /// The engine's nearest code; none where it has none.
    #[must_use]
    pub const fn jet(self) -> Option<JetCode> {
        Some(match self {
            Self::Unreadable | Self::Damaged => JetCode::READ_VERIFY_FAILURE,
            Self::NotClean => JetCode::DATABASE_DIRTY_SHUTDOWN,
            Self::OnlineSet => JetCode::SOFT_RECOVERY_ON_BACKUP_DATABASE,
            Self::Pair => JetCode::DATABASE_STREAMING_FILE_MISMATCH,
            Self::AnchorMissing | Self::RangeMissing => JetCode::REQUIRED_LOG_FILES_MISSING,
            Self::CommitMissing => JetCode::COMMITTED_LOG_FILES_MISSING,
            Self::Gap => JetCode::MISSING_LOG_FILE,
            Self::Chain | Self::Ceiling => JetCode::INVALID_LOG_SEQUENCE,
            Self::LogSign => JetCode::BAD_LOG_SIGNATURE,
            Self::Name => JetCode::LOG_GENERATION_MISMATCH,
            Self::Chkpt => JetCode::BAD_CHECKPOINT_SIGNATURE,
            Self::Path | Self::OtherDb => JetCode::ATTACHED_DATABASE_MISMATCH,
            Self::DbSign => JetCode::CONSISTENT_TIME_MISMATCH,
            Self::State => JetCode::DATABASE_INCOMPLETE_UPGRADE,
            Self::InUse => JetCode::FILE_ACCESS_DENIED,
            Self::Space => JetCode::DISK_FULL,
            Self::Exists => JetCode::FILE_ALREADY_EXISTS,
            Self::Dup => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// What the breach of a predicate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing is done.
    Refuses,
    /// The set is made, and says so; what it promises is less.
    Marks,
}

/// One predicate, evaluated.
#[derive(Clone, Debug, Serialize)]
pub struct Predicate {
    /// Its number in `ops-1`: stable.
    pub id: &'static str,
    /// Of which file or stream.
    pub of: String,
    /// What must hold.
    pub rule: &'static str,
    /// What was read.
    pub read: String,
    /// Whether it holds.
    pub holds: bool,
    /// What its breach does.
    pub effect: Effect,
    /// What its breach is called; none where it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The engine's code for the breach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jet: Option<JetCode>,
    /// What to do next; empty where it holds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next: String,
}

impl Predicate {
    /// One that holds.
    #[must_use]
    pub fn held(id: &'static str, of: impl Into<String>, read: impl Into<String>) -> Self {
        let (of, read) = (of.into(), read.into());
        let next = String::new();
        Self { id, of, rule: rule_of(id), read, holds: true, effect: Effect::Refuses, refusal: None, jet: None, next }
    }
    /// One that is broken, and refuses.
    #[must_use]
    pub fn refuses(
        id: &'static str,
        of: impl Into<String>,
        read: impl Into<String>,
        refusal: Refusal,
        next: impl Into<String>,
    ) -> Self {
        Self { holds: false, refusal: Some(refusal), jet: refusal.jet(), next: next.into(), ..Self::held(id, of, read) }
    }
    /// One that is broken, and marks the set.
    #[must_use]
    pub fn marks(
        id: &'static str,
        of: impl Into<String>,
        read: impl Into<String>,
        refusal: Refusal,
        next: impl Into<String>,
    ) -> Self {
        Self { effect: Effect::Marks, ..Self::refuses(id, of, read, refusal, next) }
    }
    /// The same with a code of its own.
    #[must_use]
    pub const fn with_jet(mut self, jet: JetCode) -> Self {
        self.jet = Some(jet);
        self
    }
    /// Whether it stands in the way.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.holds && self.effect == Effect::Refuses
    }
    /// As the manifest keeps it.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence { id: self.id.into(), of: self.of.clone(), holds: self.holds, read: self.read.clone() }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.id, self.of, self.rule, self.read)?;
        if let Some(refusal) = self.refusal {
            write!(f, " ({refusal}")?;
            if let Some(jet) = self.jet {
                write!(f, ", {jet}")?;
            }
            write!(f, ")")?;
        }
        if !self.next.is_empty() {
            write!(f, "\n  next: {}", self.next)?;
        }
        Ok(())
    }
}

/// What a predicate demands.
#[must_use]
pub fn rule_of(id: &str) -> &'static str {
    match id {
        "P1" => "nothing has the file open for writing",
        "P2" => "a copy of the header holds",
        "P3" => "the state allows a copy",
        "P4" => "the header does not contradict its state",
        "P5" => "it did not come out of an online backup that was never recovered",
        "P6" => "database and streaming file are a pair of one moment",
        "P7" => "every database of the stream is here, or named as left out",
        "P8" => "every path that is known leads to a file",
        "P9" => "the anchor is known",
        "P10" => "the checkpoint is of this stream",
        "P11" => "every page holds",
        "P12" => "the file is the same before and after it was copied",
        "P13" => "the copy reads back as it was read",
        "P14" => "circular logging was off since the anchor",
        "P15" => "names and headers of the logs say the same generation",
        "P16" => "the logs of one folder are of one stream",
        "P17" => "each log continues the one before",
        "P18" => "no generation is missing",
        "P19" => "the current log is no closed one, and logs that only wait for use stay out",
        "P20" => "every closed log can be read to its end",
        "P21" => "a generation that is stored already has the same content",
        "P22" => "every log to purge is stored and verified often enough",
        "P23" => "the anchor log is stored, or still here",
        "P24" => "the databases are those of the last full set",
        "P69" => "all files are of one moment, or the logs are later",
        "P70" => "every required log is here",
        "P71" => "every committed log is here, or the loss is accepted",
        "P72" => "the valid end of the open log is known",
        "P73" => "every page of the database holds",
        "P74" => "the log that was being prepared is left out",
        "P75" => "all this was verified, and the image replayed, before it is called a backup",
        "G1" => "what is needed of the logs is known",
        "G3" => "circular logging is off: else the engine purges by itself",
        "G7" => "the checkpoint can be trusted",
        "P25" => "nothing has the files of the target open",
        "P26" => "databases that stand in the way are set aside, never overwritten",
        "P27" => "logs and checkpoints that stand in the way are set aside, never deleted",
        "P28" => "every database to restore is clean, whole and of one unit",
        "P29" => "behind the restore only clean databases lie in the target, without log and checkpoint",
        "P30" => "the next start begins a new log stream",
        "P31" => "nothing is patched in anticipation",
        "P32" => "the database to replace is dismounted",
        "P33" => "every other database of the group is clean and matched",
        "P34" => "the checkpoint of the group points into its current log",
        "P35" => "the pair to restore is clean, matched and verified",
        "P36" => "the attach will be logged in the running stream",
        "P37" => "the headers of all databases that take part can be read, and name one stream",
        "P38" => "the state of each database tells where its replay begins",
        "P39" => "where replay begins, and how far it must go",
        "P40" => "the low anchor log is here",
        "P41" => "every required log is here",
        "P42" => "every committed log is here, or the loss is accepted",
        "P43" => "the high anchor log is here",
        "P44" => "the low anchor log is of the stream that the databases name",
        "P45" => "every log that is used is of the stream of the low anchor",
        "P46" => "no generation is missing",
        "P47" => "each log continues the one before",
        "P48" => "the log that a database requires is the one that it knew",
        "P49" => "every log can be read to its end; the last one may be torn",
        "P50" => "copies of one generation have the same content",
        "P51" => "every log has the size that its header says",
        "P52" => "the format of every log is known, and its sectors have one size",
        "P53" => "the logs name the databases by their signatures from the anchor on",
        "P54" => "every database goes to one place, and the logs' paths lead there",
        "P55" => "the first generation of a stream names no database: the next one tells",
        "P56" => "no record inside the range ends the life of a database",
        "P57" => "everything is done on copies in a working folder",
        "P58" => "existing logs are compared, and never overwritten",
        "P59" => "an existing current log is the next generation, or stays out",
        "P60" => "there is a current log, or replay goes on without one",
        "P61" => "no log of a higher generation stays in the target",
        "P62" => "the current log is not below the high anchor",
        "P63" => "no checkpoint takes part: replay begins at the low anchor",
        "P64" => "only proven files lie in the working folder",
        "P65" => "every database of the stream is accounted for",
        "P66" => "a walk through the logs leads to the end",
        "P67" => "the result is clean, verified and as far as planned",
        "P68" => "publication replaces nothing that is not kept",
        "I4" => "the set is of the kind that it is said to be",
        "I6" => "a copied database is a whole number of pages",
        "I9" => "header and trailer agree where the copy began, and nothing older is required",
        "I10" => "the copy ended where nothing newer is required or committed",
        "I14" => "the logs of a set are of one stream",
        "I15" => "each log of the set continues the one before",
        "I17" => "every log of the set holds to its end",
        "I33" => "the logs continue a set of the vault",
        "I35" => "databases of the stream that are not in the set are named",
        "I36" => "the position asked for lies within the logs",
        "pages" => "the pages are pages of the database",
        "same" => "the set holds this very database, of the same log stream",
        "reach" => "the logs lead from the set to the state of the database",
        "onto" => "the copy with which the set is compared is there",
        "directory" => "the database of a domain controller is not put back in place",
        "room" => "there is room for the result",
        "vault-room" => "the vault has room for what is new",
        "set" => "there is something to back up or to restore",
        _ => "",
    }
}
