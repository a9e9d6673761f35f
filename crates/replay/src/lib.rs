//! Replay of ESE transaction logs: one `apply` for every physical operation, redo in log order, undo, the end of recovery.
#![forbid(unsafe_code)]

pub mod apply;
pub mod attach;
pub mod cache;
pub mod error;
pub mod flush;
pub mod maps;
pub mod naming;
pub mod redo;
pub mod seek;
pub mod stream;
pub mod undo;
pub mod versions;
