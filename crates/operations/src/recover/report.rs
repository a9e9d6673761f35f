//! What a recovery did, for people and programs.

use super::{DatabasePlan, Verdict};
use anchorlog_database::check::Counts;
use anchorlog_format::database::header::DatabaseHeader;
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_replay::run::{self, Ending};
use serde::Serialize;
use std::collections::BTreeMap;

/// A recovery that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where the result lies.
    pub out: String,
    /// Databases.
    pub databases: Vec<DatabaseReport>,
    /// The replay; none where nothing had to be replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunReport>,
    /// What the proof of the result found.
    pub findings: Vec<Finding>,
    /// SHA-256 of each file read; of a restored set `blake3:` and the BLAKE3 of its manifest.
    pub inputs: BTreeMap<String, String>,
    /// The same of each file of the result.
    pub outputs: BTreeMap<String, String>,
    /// Where the originals were set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

impl Report {
    /// Copies that were published as they are.
    pub(crate) fn of_copies(out: String, inputs: BTreeMap<String, String>) -> Self {
        let (databases, findings, outputs) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { out, databases, run: None, findings, inputs, outputs, set_aside: None }
    }

    /// Whether consent to loss or damage was used.
    #[must_use]
    pub fn used_consent(&self) -> bool {
        self.databases.iter().any(|database| matches!(database.verdict, Verdict::LossAccepted | Verdict::DamageKept))
    }
}

/// One database, before and after.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseReport {
    /// Its file in the result.
    pub path: String,
    /// Its path in the log; empty where no log names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub logged: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// Before.
    pub before: DatabaseState,
    /// After.
    pub after: DatabaseState,
    /// What the proof saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Counts>,
}

/// What a header says of a database's state.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DatabaseState {
    /// State, as Microsoft names it.
    pub state: String,
    /// Generations required: first and last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<(Generation, Generation)>,
    /// Last generation with committed transactions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed: Option<Generation>,
    /// Where it was last clean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent: Option<LogPosition>,
    /// Highest page time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dbtime: Option<u64>,
}

impl DatabaseState {
    fn of(header: &DatabaseHeader) -> Self {
        let dirty = header.min_required.0 != 0;
        Self {
            state: header.state.to_string(),
            required: dirty.then_some((header.min_required, header.max_required)),
            committed: dirty.then_some(header.max_committed),
            consistent: (!header.consistent_position.is_none()).then_some(header.consistent_position),
            dbtime: Some(header.dbtime.0),
        }
    }
}

impl DatabaseReport {
    /// From the plan of a database and its headers; a database that no log concerned has the same header after as before.
    #[must_use]
    pub fn new(plan: &DatabasePlan, before: Option<&DatabaseHeader>, after: Option<&DatabaseHeader>) -> Self {
        let unknown = || DatabaseState { state: plan.state.clone(), ..DatabaseState::default() };
        Self {
            path: plan.path.clone(),
            logged: plan.logged.clone(),
            verdict: plan.verdict,
            reason: plan.reason.clone(),
            before: before.map_or_else(unknown, DatabaseState::of),
            after: after.or(before).map_or_else(unknown, DatabaseState::of),
            proof: None,
        }
    }
}

/// What the replay did.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// How it ended, in words.
    pub ending: &'static str,
    /// Where redo began.
    pub start: LogPosition,
    /// Behind the last record redone.
    pub end: LogPosition,
    /// Generations replayed: first and last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<(Generation, Generation)>,
    /// Records by type.
    pub records: BTreeMap<&'static str, u64>,
    /// Page changes.
    pub page_changes: u64,
    /// Transactions rolled back.
    pub transactions_rolled_back: u64,
    /// Changes taken back.
    pub changes_undone: u64,
    /// Generations given up: the last one at hand, and the last one that had been begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<(Generation, Generation)>,
    /// Logs left out of the result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Transactions that the logs at hand commit behind `end`: they are not in the result. Those in logs that are gone are not known.
    pub commits_left_out: u64,
    /// A warning that Microsoft's engine gives in place of success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<JetCode>,
    /// Notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl RunReport {
    /// From a run's own report.
    #[must_use]
    pub fn of(run: &run::Report) -> Self {
        Self {
            ending: match run.ending {
                Ending::NoLogs => "no logs are here",
                Ending::NothingToDo => "the log ends cleanly and the checkpoint agrees: nothing was to be done",
                Ending::Clean => "everything was redone; the log ends cleanly, so nothing was to be undone",
                Ending::Recovered => "everything was redone, and what had not committed was undone",
                Ending::WithoutUndo => "everything was redone; open transactions stay open",
                Ending::Stopped => "redone up to the stop",
            },
            start: run.start,
            end: run.end,
            generations: run.generations.first().copied().zip(run.generations.last().copied()),
            records: run.records.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
            page_changes: run.page_changes,
            transactions_rolled_back: run.undone.transactions,
            changes_undone: run.undone.changes,
            lost: run.lost.map(|lost| (lost.last_found, lost.last_committed)),
            left_out: run.set_aside.iter().map(|path| path.display().to_string()).collect(),
            commits_left_out: 0,
            warning: run.warning,
            notes: run.notes.clone(),
        }
    }
}
