//! Restore of offline sets and images out of a vault: without replay, or rolled forward (`ops-1 §6`, `§7`).
//!
//! [`plan`] reads manifests, headers and logs and changes nothing; a [`Plan`] is what is shown and what [`make`] carries out: streams come
//! into a hidden working folder beside the target, every byte hashed and every page verified on the way; the one recovery replays there;
//! the result is proved, and published with one commit point. What stood in its place is set aside, never overwritten or deleted.

mod databases;
mod drill;
mod error;
mod files;
mod forward;
mod gather;
mod lives;
mod make;
mod options;
mod plan;
mod sample;
mod stage;
mod stored;
mod target;

pub use drill::{Drilled, drill};
pub use error::Error;
pub(super) use error::storage;
pub use files::{FilesReport, files};
pub(super) use gather::{Candidate, Chain, choose as choose_logs, gather_named as gather_logs, judge as judge_logs};
pub use make::{RECORD, Report, make};
pub(crate) use options::means;
pub use options::{Forward, Options, Target};
pub(super) use plan::Origin;
pub use plan::{Form, Item, Plan, plan};
pub use sample::{Sample, sample};
pub(crate) use stage::digest_text;
pub(super) use stage::go_on;
pub(crate) use stage::write as write_stored;
pub use stored::Origins;
pub(crate) use stored::{Stored, StreamError, place_of};
