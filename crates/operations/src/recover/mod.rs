//! `recover`: dirty databases and their logs in, proved clean ones out (soft recovery).
//!
//! [`plan`] reads everything, decides everything, and changes nothing. [`make`] carries a plan out: it copies into a hidden
//! working folder, replays there, proves the result, and publishes it with one rename. The sources are never touched.

mod make;
mod plan;
mod sources;
mod verdict;

pub use make::{Progress, make};
pub use plan::{FileCopy, Plan, Step, StreamPlan, plan};
pub use sources::Sources;
pub use verdict::{DatabaseOutcome, Report, StreamReport, Verdict};

use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, LogPosition, LogTime};
use std::path::PathBuf;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The folder with databases and logs.
    pub source: Option<PathBuf>,
    /// Where the result goes; must not exist, or be empty.
    pub out: Option<PathBuf>,
    /// The result takes the place of the originals, which are set aside.
    pub in_place: bool,
    /// Databases that lie elsewhere, or the only ones meant.
    pub databases: Vec<PathBuf>,
    /// The folder of the logs, where it lies elsewhere.
    pub logs: Option<PathBuf>,
    /// Base name of the log stream, where the folder holds several.
    pub base: Option<String>,
    /// `NAME=PATH`: which file a logged name means.
    pub map: Vec<(String, PathBuf)>,
    /// Redo only: the databases stay dirty and can take more logs.
    pub without_undo: bool,
    /// Committed logs behind this generation are given up.
    pub accept_loss: Option<Generation>,
    /// How many generations may be given up at most.
    pub max_lost_logs: Option<u32>,
    /// Replay up to here.
    pub to: Option<Target>,
    /// Databases that the logs name and that are not here do not matter.
    pub ignore_missing_database: bool,
    /// A missing database is not made anew from its logged creation.
    pub no_create: bool,
    /// Publish although pages are damaged.
    pub keep_damage: bool,
    /// Bytes of page images in memory.
    pub cache_bytes: Option<usize>,
}

/// Where a replay is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Behind all of a generation, or behind the record at a position.
    Position(LogPosition),
    /// At a time (UTC).
    Time(LogTime),
}

/// Why a recovery was not made.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The request contradicts itself or names what is not there: nothing was touched.
    #[error("{0}")]
    Usage(String),
    /// A precondition does not hold; the plan names it: nothing was touched.
    #[error("{0}")]
    Refused(String, Option<JetCode>, Box<Plan>),
    /// Something failed while the result was being made: nothing was published.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
        /// What was found in pages, where that was the reason.
        findings: Vec<anchorlog_format::finding::Finding>,
    },
    /// The user interrupted it: nothing was published.
    #[error("interrupted: nothing was published, and the working folder is gone")]
    Interrupted,
}
