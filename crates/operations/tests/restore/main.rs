//! `restore`: online backup sets against the engine's own restores, and everything that a user may do with them.

#[path = "../recover/common.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod common;
mod held;
mod import;
mod refusals;
mod sets;
mod stages;
mod stored;
mod traps;
