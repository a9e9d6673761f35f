//! Logs of format 7.3704: one byte stream, guarded by LRCHECKSUM records (`log-1 §10`, `log-7`).

mod range;
mod records;
mod scan;

pub use range::{RangeMark, fill_pattern, is_fill};
pub use records::LegacyRecords;
pub use scan::{Scanned, ShadowRepair, scan};

#[cfg(test)]
mod tests;
