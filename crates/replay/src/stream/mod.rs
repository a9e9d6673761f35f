//! The log stream: its files, reading generations in order, writing on behind the end (`log-1`, `log-3`, `log-5 §7`).

pub mod files;
pub mod link;
pub mod replacing;
mod segments;
pub mod writer;

use anchorlog_format::units::LogTime;
use std::sync::Arc;

/// Where times come from, so that any run can be repeated.
pub type Clock = Arc<dyn Fn() -> LogTime + Send + Sync>;
