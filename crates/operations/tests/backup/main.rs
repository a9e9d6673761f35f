//! Backups as a whole: planned, made, read back; each predicate with a case that breaks just it.

mod chain;
mod common;
mod generations;
mod hostile;
mod offline;
mod predicates;
mod real;
mod snapshot;
mod streams;
