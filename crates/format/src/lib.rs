//! Every structure that the Extensible Storage Engine writes, declared once. No I/O, no threads, no panics on any input.
//!
//! The sections named in the docs (`db-2 §9`, `log-1 §7`) are those of the format specification; `docs/format` shows the layouts that follow from them.
#![forbid(unsafe_code)]

#[macro_use]
pub mod layout;
pub mod finding;
pub mod jet;
pub mod units;

pub mod data;
pub mod database;
pub mod key;
pub mod log;
pub mod page;
pub mod space;
pub mod tree;
