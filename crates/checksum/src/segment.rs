//! Checksums of log segments: those of a 4 KiB page, with the segment's index in its file as the number (`log-1 §7.2`).

use crate::ecc::{Checksum, checksum};
use crate::page::BitError;

/// Bytes of a log segment of format 8.x.
pub const SEGMENT_SIZE: usize = 4096;
const FLAGS: usize = 36;
const NEW_FORMAT: u32 = 0x2000;
const FORMAT_BIT: usize = FLAGS * 8 + 13;

/// What the checksum says about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentVerdict {
    /// Right for this index.
    Valid,
    /// Right for this index when one bit is turned back.
    Correctable(BitError),
    /// Right, but for another index: where it is the index before, a shadow.
    OtherIndex(u32),
    /// Wrong.
    Damaged,
}

/// The checksum of a segment, as it stands at its start.
#[must_use]
pub fn segment_checksum(segment: &[u8; SEGMENT_SIZE], index: u32) -> u64 {
    checksum(segment, index, true).to_u64()
}

/// Verifies a segment that stands at `index` in its file. A segment without the format flag is damaged: a written log never has one.
#[must_use]
pub fn verify_segment(segment: &[u8; SEGMENT_SIZE], index: u32) -> SegmentVerdict {
    if !has_flag(segment) {
        return SegmentVerdict::Damaged;
    }
    let stored = Checksum::from_u64(u64::from_le_bytes(*segment.first_chunk().expect("a segment is longer than its checksum")));
    let computed = checksum(segment, index, true);
    if stored == computed {
        return SegmentVerdict::Valid;
    }
    if stored.ecc == computed.ecc {
        return SegmentVerdict::OtherIndex(stored.xor ^ computed.xor ^ index);
    }
    match stored.flipped_bit(computed, SEGMENT_SIZE) {
        Some(bit) if bit >= 64 && bit != FORMAT_BIT => {
            SegmentVerdict::Correctable(BitError { byte: bit / 8, bit: u8::try_from(bit % 8).unwrap_or(0) })
        }
        _ => SegmentVerdict::Damaged,
    }
}

/// Sets the format flag and the checksum of a segment that stands at `index` in its file; returns the checksum.
pub fn set_segment_checksum(segment: &mut [u8; SEGMENT_SIZE], index: u32) -> u64 {
    segment[FLAGS..FLAGS + 4].copy_from_slice(&NEW_FORMAT.to_le_bytes());
    let sum = segment_checksum(segment, index);
    segment[..8].copy_from_slice(&sum.to_le_bytes());
    sum
}

fn has_flag(segment: &[u8; SEGMENT_SIZE]) -> bool {
    segment[FLAGS + 1] & 0x20 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> [u8; SEGMENT_SIZE] {
        let mut segment = [0; SEGMENT_SIZE];
        segment[40..50].copy_from_slice(b"0123456789");
        set_segment_checksum(&mut segment, 3);
        segment
    }

    #[test]
    fn g3_the_seed_is_the_index_in_the_file() {
        assert_eq!(verify_segment(&segment(), 3), SegmentVerdict::Valid);
        assert_eq!(verify_segment(&segment(), 2), SegmentVerdict::OtherIndex(3));
    }

    #[test]
    fn g4_a_shadow_names_the_index_before() {
        assert_eq!(verify_segment(&segment(), 4), SegmentVerdict::OtherIndex(3));
    }

    #[test]
    fn a_flipped_bit_is_located_but_never_the_format_flag_or_the_checksum() {
        let mut flipped = segment();
        flipped[45] ^= 0x40;
        assert_eq!(verify_segment(&flipped, 3), SegmentVerdict::Correctable(BitError { byte: 45, bit: 6 }));
        for byte in [3, 37] {
            let mut flipped = segment();
            flipped[byte] ^= 0x20;
            assert!(!matches!(verify_segment(&flipped, 3), SegmentVerdict::Valid | SegmentVerdict::Correctable(_)), "{byte}");
        }
    }
}
