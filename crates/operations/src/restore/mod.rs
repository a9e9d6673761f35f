//! `restore`: databases and logs of backup sets in, a proved database out (`ops-3`): online sets here, other sets of a vault in [`set`].
//!
//! [`online`] looks at the sets, at production and at the target, and changes nothing; a [`Plan`] is what is shown and what [`make`] carries
//! out. There is one chance to recover: what is open at the end of the logs is undone there, and the databases take no more logs. So
//! unless the last set was named ([`Options::last_set`]) the files only wait in the target, with a [`Environment`] that says what they
//! are; more sets can be added, and [`waiting`] plans the end. [`stored`] does the same with online sets that a vault holds.

mod arrange;
mod databases;
pub mod environment;
mod gather;
mod logs;
mod make;
pub mod page;
mod plan;
mod production;
pub mod set;
mod stored;
mod view;

pub(crate) use arrange::arrange;
pub use environment::Environment;
pub(crate) use gather::FoundSet;
pub use make::{Report, make};
pub use plan::{Plan, PlanError, Step, online, waiting};
pub(crate) use plan::{judge, plan_sets};
pub(crate) use stored::chain;
pub use stored::{Wanted, is_online, stored};
pub(crate) use view::View;

use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where the files lie.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The folders of the sets: one with databases and logs, and any number with further logs, as incremental backups have them.
    pub sets: Vec<PathBuf>,
    /// The folder of the logs of production, where these may go on behind the sets.
    pub production: Option<PathBuf>,
}

/// What a user may ask of a restore.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// No more sets follow: recover now.
    pub last_set: bool,
    /// Where databases go: a logged path, or one in the set, or its end; and the place below the target.
    pub map: Vec<(String, PathBuf)>,
    /// Databases that are not mapped are left out.
    pub only_mapped: bool,
    /// The production instance runs: its current log is left alone, and what is in it is not in the result (578).
    pub closed_logs_only: bool,
    /// Publish a result with bad pages.
    pub keep_damage: bool,
    /// What people call this restore.
    pub annotation: String,
    /// The server for which it is done.
    pub server: String,
    /// The instance that the sets came from.
    pub source_instance: String,
    /// Bytes of page images in memory; 0: the usual.
    pub cache_bytes: usize,
    /// Threads that change pages; 0 and 1: none besides the one that replays.
    pub threads: usize,
}

/// A file that the restore does not take, and why.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// The file.
    pub path: String,
    /// Why, in words.
    pub why: &'static str,
}

impl LeftOut {
    fn new(path: &Path, why: &'static str) -> Self {
        Self { path: path.display().to_string(), why }
    }
}
