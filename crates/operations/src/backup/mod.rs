//! Backup of files that stand still: plan → act → prove, into a vault.
//!
//! [`offline`] copies clean databases that nothing has open, [`snapshot`] an image of files of one moment, [`logs`] closed logs alone,
//! [`import`] online sets that were made elsewhere. Each
//! makes a [`Plan`] out of the numbered predicates of `ops-1` first: `--dry-run` shows that very object. [`make`] carries a plan out: every
//! page is verified while it is read, every file must be afterwards what it was before, the set is published whole or not at all, and then
//! read back and hashed. A refusal changes nothing, neither at the source nor in the vault.

mod copy;
mod databases;
mod error;
mod held;
mod hooks;
pub mod import;
pub mod logs;
mod make;
pub mod offline;
mod options;
mod pages;
mod plan;
mod predicate;
mod procedure;
mod progress;
mod record;
mod room;
mod rows;
pub mod snapshot;
mod streams;

pub use crate::recover::{Inputs, Sources};
pub use error::Error;
pub(crate) use held::owner_of;
pub use hooks::{Commands, Hooks};
pub use make::{DatabaseVerdict, Report, make};
pub use options::Options;
pub(crate) use pages::{PageCheck, judge as judge_pages};
pub use plan::{Item, Phase, Plan};
pub use predicate::{Effect, Predicate, Refusal};
pub use procedure::{Around, run};
pub use progress::{Pace, Progress};
pub(crate) use streams::read_log;
pub use streams::{LogItem, StreamItem};

/// The log streams of a folder with the predicates of each.
pub(crate) fn collect_streams(sources: &Sources, predicates: &mut Vec<Predicate>) -> Vec<StreamItem> {
    streams::collect(sources, predicates, &mut |_| true)
}

/// Whether another program is known to have a file open.
pub(crate) fn is_in_use(path: &std::path::Path) -> bool {
    matches!(held::hold(path), Ok(held::Hold::InUse(_)))
}
