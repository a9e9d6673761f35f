//! Single pages of a damaged database, out of a set and brought forward by logs; the rest of the database stays as it is (`ops-3 §13`).
//!
//! [`plan`] finds the database in the set and the logs that lead from there to the state of the damaged file, and changes nothing. [`make`]
//! redoes these logs over the set in a [`View`](super::View), where only pages that change are kept, takes the pages from there, puts them
//! into a copy of the database, and proves the whole copy before it is published.

mod make;
mod plan;

pub use make::{Report, RestoredPage, make};
pub use plan::{Options, Plan, plan};
