//! One module for each command: arguments to an operation, its result to text or JSON.

pub mod demo;
pub mod explain;
pub mod inspect;
pub mod recover;
