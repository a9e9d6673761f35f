//! Storage of a vault on S3-compatible object storage: Amazon's, or any server that speaks its protocol.
//!
//! Objects have the names that restic gives them below the same prefix, so that stock restic opens the same vault. What the network does
//! wrong is met here: every request has a time limit and is tried again, a PUT whose answer was lost is a success only where the very bytes
//! are there, and a listing is whole or an error. What is above knows nothing of it.
#![forbid(unsafe_code)]

mod backend;
mod failure;
mod listing;
mod location;
mod object_lock;
mod wire;

pub use backend::{Options, Patience, S3Backend};
pub use location::{Location, LocationError};
