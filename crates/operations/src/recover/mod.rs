//! `recover`: a dirty database and its logs in, a proved clean database out.
//!
//! [`plan`] looks at everything and changes nothing; a [`Plan`] is what `--dry-run` shows and what a run carries out.

mod faults;
mod options;
mod plan;
mod sources;
mod streams;
mod verdict;

pub use faults::Fault;
pub use options::Options;
pub use plan::{DatabasePlan, Loss, Plan, PlanError, Precondition, Step, StreamPlan, plan};
pub use sources::{Inputs, Source, Sources};
pub use streams::StreamChoice;
pub use verdict::Verdict;
