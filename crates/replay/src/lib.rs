//! Replay of ESE transaction logs: one `apply` for every physical operation, redo in log order, undo, the end of recovery.
#![forbid(unsafe_code)]

pub mod ambient;
pub mod apply;
pub mod attach;
pub mod cache;
pub mod ending;
pub mod error;
pub mod flush;
pub mod hard;
pub mod hash;
pub mod headers;
pub mod implicit;
pub mod logs;
pub mod maps;
pub mod naming;
pub mod page_journal;
pub mod redo;
pub mod run;
pub mod seek;
pub mod space;
pub mod stop;
pub mod stream;
pub mod undo;
pub mod versions;
