//! Restore of sets of a vault: planned, made, published; each predicate with a case that breaks just it.

#[path = "../backup/common.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod backup_common;
mod chains;
mod common;
mod drill;
mod forward;
mod over;
mod pages;
mod plain;
mod predicates;
mod proofs;
mod real;
#[path = "../recover/common.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod recover_common;
mod rows;
mod rules;
