//! Segments of 8.x logs (`log-1 §7`).

use crate::units::{LogPosition, LogTime};
pub use anchorlog_checksum::SEGMENT_SIZE;

/// Where records begin in a segment.
pub const RECORDS_START: usize = SegmentHeader::SIZE;
/// Data bytes of a segment.
pub const SEGMENT_DATA: usize = SEGMENT_SIZE - RECORDS_START;
/// Room below which no fragment is begun: the rest of the segment is padding (`LOG_MIN_FRAGMENT_SIZE`).
pub const FRAGMENT_ROOM_MIN: usize = 32;

layout! {
    /// Head of each segment; laid out like a page's, so that one checksum routine serves both.
    #[derive(Copy)]
    pub struct SegmentHeader = "LGSEGHDR", 40, "log-1 §7.1" {
        0 checksum: u64, "checksum", "8.4000.0", "XOR and ECC, with the segment's index as number";
        8 position: LogPosition, "le_lgposSegment", "8.4000.0", "own position: generation and index";
        16 started: LogTime, "logtimeSegmentStart", "8.4000.0", "when its first byte was used";
        24 reserved: [u8; 12], "", "8.4000.0", "zero";
        36 flags: u32, "fFlags", "8.4000.0", "0x2000: new checksum format";
    }
}

/// The segment at `index` of a log file; `None` where the file ends before it does.
#[must_use]
pub fn at(file: &[u8], index: u16) -> Option<&[u8; SEGMENT_SIZE]> {
    let start = usize::from(index) * SEGMENT_SIZE;
    file.get(start..)?.first_chunk()
}
