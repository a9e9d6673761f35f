//! `recover`: a dirty database and its logs in, a proved clean database out.
//!
//! [`plan`] looks at everything and changes nothing; a [`Plan`] is what `--dry-run` shows and what a run carries out.

mod faults;
mod make;
mod options;
mod plan;
mod report;
mod sources;
mod streams;
mod verdict;

pub use faults::Fault;
pub use make::{MakeError, Place, Progress, make};
pub(crate) use make::{aside_in, carry, clear_place, copy_files, failed, make_with, publish, refused, work_place};
pub use options::Options;
pub(crate) use plan::plan_stream;
pub use plan::{DatabasePlan, Loss, Plan, PlanError, Precondition, Step, StreamPlan, plan};
pub use report::{DatabaseReport, DatabaseState, Report, RunReport};
pub(crate) use sources::{ASIDE, open_on_disk};
pub use sources::{Inputs, Source, Sources};
pub use streams::StreamChoice;
pub use verdict::Verdict;
