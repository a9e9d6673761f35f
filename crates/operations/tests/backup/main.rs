//! Backups as a whole: planned, made, read back; each predicate with a case that breaks just it.

mod common;
mod offline;
