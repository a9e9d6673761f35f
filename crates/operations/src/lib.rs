//! One module per verb: each checks, plans, acts, proves and reports. No printing, no argument parsing.
#![forbid(unsafe_code)]

pub mod backup;
pub mod chain;
pub mod dump;
pub mod explain;
pub mod identify;
pub mod inspect;
pub mod layouts;
pub mod monitor;
pub mod purge;
pub mod recover;
pub mod restore;
pub mod sets;
pub mod survey;
pub mod verify;
