//! One module per verb: each checks, plans, acts, proves and reports. No printing, no argument parsing.
#![forbid(unsafe_code)]

pub mod identify;
