//! Recovery of the files themselves on a disk whose machine stops at any call, and whose calls fail (`log-6 §7` to `§9`).
//!
//! `cargo xtask crash` runs the tests that are left out here, over all sets.

#[path = "../common/mod.rs"]
mod common;

mod all;
mod faults;
mod judge;
mod moments;
mod order;
mod stops;
