//! What becomes of each database, in words that a program can rely on.

use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, LogPosition};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The verdict on one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It was dirty or older than the logs, and is clean and proved now.
    #[serde(rename = "recovered")]
    Recovered,
    /// It was clean, and no log had anything for it.
    #[serde(rename = "already clean")]
    AlreadyClean,
    /// Logs were replayed, and it stays dirty because that was asked for.
    #[serde(rename = "replayed, stays dirty as asked")]
    ReplayedStaysDirty,
    /// It is clean; committed transactions were given up by consent.
    #[serde(rename = "recovered, loss accepted")]
    RecoveredLossAccepted,
    /// It was recovered, with damaged pages kept by consent.
    #[serde(rename = "recovered, damage kept")]
    RecoveredDamageKept,
    /// Nothing was done with it.
    #[serde(rename = "refused")]
    Refused,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovered => "recovered",
            Self::AlreadyClean => "already clean",
            Self::ReplayedStaysDirty => "replayed, stays dirty as asked",
            Self::RecoveredLossAccepted => "recovered, loss accepted",
            Self::RecoveredDamageKept => "recovered, damage kept",
            Self::Refused => "refused",
        })
    }
}

/// One database, before and after.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseOutcome {
    /// Its file, below the folder.
    pub path: String,
    /// As the log names it, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// State before, as Microsoft names it.
    pub state_before: String,
    /// State after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_after: Option<String>,
    /// First and last generation that it needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<(Generation, Generation)>,
    /// Last generation with committed transactions of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed: Option<Generation>,
    /// Where it was last clean, before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent_before: Option<LogPosition>,
    /// Where it is clean now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent_after: Option<LogPosition>,
    /// Page size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
}

/// What was done with one log stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// Its folder and base name.
    pub stream: String,
    /// How the run ended.
    pub ending: String,
    /// Where redo began.
    pub start: LogPosition,
    /// Behind the last record redone.
    pub end: LogPosition,
    /// Generations replayed: first and last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<(Generation, Generation)>,
    /// Records by type.
    pub records: BTreeMap<String, u64>,
    /// Page changes.
    pub page_changes: u64,
    /// Transactions rolled back.
    pub transactions_rolled_back: u64,
    /// Changes taken back.
    pub changes_undone: u64,
    /// Generations given up, and the last one that had been begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<(Generation, Generation)>,
    /// Logs that do not continue the stream and were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// A warning that Microsoft's engine gives in place of success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<JetCode>,
    /// Notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A recovery that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where the result lies.
    pub out: String,
    /// Databases.
    pub databases: Vec<DatabaseOutcome>,
    /// Log streams.
    pub streams: Vec<StreamReport>,
    /// What the proof of the result found.
    pub findings: Vec<Finding>,
    /// Things to know before the result is used.
    pub warnings: Vec<String>,
    /// SHA-256 of each file read.
    pub inputs: BTreeMap<String, String>,
    /// SHA-256 of each file of the result.
    pub outputs: BTreeMap<String, String>,
    /// Where the originals were set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

impl Report {
    /// Whether consent to loss or damage was used: exit code 1.
    #[must_use]
    pub fn used_consent(&self) -> bool {
        let consented = |verdict| matches!(verdict, Verdict::RecoveredLossAccepted | Verdict::RecoveredDamageKept);
        self.databases.iter().any(|database| consented(database.verdict))
    }
}
