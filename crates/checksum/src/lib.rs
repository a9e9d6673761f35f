//! Checksums of ESE pages, headers and log segments: computing, verifying, locating and correcting single-bit errors, writing.
//!
//! Everything works on plain byte slices and numbers; what a page or a segment means is the business of `anchorlog-format`.
//! The section numbers are those of `docs/format` (`db-2 §3` to `§7`, `log-1 §4.1`, `§7.2`, `§10`).
#![forbid(unsafe_code)]

mod ecc;
mod legacy;
mod page;
mod segment;
mod xor;

pub use ecc::{BLOCK_MAX, BLOCK_MIN, Checksum, ecc};
pub use legacy::{LegacyRange, MULTI_SECTOR, SHADOW_MASK, SINGLE_SECTOR};
pub use page::{BitError, BlockSums, Damage, PageFormat, PageVerdict, correct_page, page_xor, set_page_checksum, verify_page};
pub use segment::{SEGMENT_SIZE, SegmentVerdict, segment_checksum, set_segment_checksum, verify_segment};
pub use xor::{header_xor, set_header_xor, verify_header_xor};
