//! Reading and checking ESE databases: pages through a bounded cache, trees, catalog, rows, long values, indexes, space.
//!
//! Nothing here changes a file. What is damaged is reported in place, as an [`Error`] or as findings; nothing panics on any input.
#![forbid(unsafe_code)]

pub mod cache;
pub mod canonical;
pub mod catalog;
pub mod check;
pub mod cursor;
pub mod database;
pub mod error;
pub mod index;
pub mod keys;
pub mod long_value;
pub mod row;
pub mod space;
#[cfg(test)]
mod testing;

pub use database::Database;
pub use error::Error;
