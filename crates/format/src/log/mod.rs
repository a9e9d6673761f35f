//! Transaction logs: files, segments, records, checkpoint (`log-1`, `log-2`, `log-7`).
//!
//! [`file::LogFile`] is the way in: it takes a whole log of either format, finds its end, and gives its records in order.

pub mod attachments;
pub mod checkpoint;
pub mod file;
pub mod geometry;
pub mod header;
pub mod legacy;
pub mod names;
pub mod parameters;
pub mod record;
pub mod records;
pub mod scan;
pub mod segment;
pub mod text;
pub mod version;

#[cfg(test)]
mod build;
