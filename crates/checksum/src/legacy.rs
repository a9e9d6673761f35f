//! The two checksums of an LRCHECKSUM record of 7.x logs (`log-1 §10`).

use crate::xor::fold;

/// What `le_ulChecksum` of a shadow copy is XORed with.
pub const SHADOW_MASK: u32 = 0x5AD0_5EC7;
/// `bUseShortChecksum` of a flush of several sectors: the short checksum proves the first of them.
pub const MULTI_SECTOR: u8 = 0x9A;
/// `bUseShortChecksum` of a flush inside one sector.
pub const SINGLE_SECTOR: u8 = 0xD1;

const RANGE_SEED: u32 = 0xFEED_BEAF;
const SHORT_SEED: u32 = 0xDEAD_C0DE;

/// The fields of an LRCHECKSUM that enter its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyRange {
    /// Bytes covered before the record (`le_cbBackwards`).
    pub backwards: u32,
    /// Bytes covered behind it (`le_cbForwards`).
    pub forwards: u32,
    /// Distance from its end to the next one (`le_cbNext`).
    pub next: u32,
    /// [`MULTI_SECTOR`] or [`SINGLE_SECTOR`].
    pub kind: u8,
    /// Generation of the log.
    pub generation: u32,
}

impl LegacyRange {
    /// The checksum over the whole range: `back` are the bytes before the record, `forward` those behind it.
    #[must_use]
    pub fn range_checksum(&self, back: &[u8], forward: &[u8]) -> u32 {
        run(forward, run(back, RANGE_SEED)) ^ self.fields()
    }
    /// The checksum over the record's own sector: `back` are the bytes before the record, `rest` those from its end to the end of the sector.
    #[must_use]
    pub fn short_checksum(&self, back: &[u8], rest: &[u8]) -> u32 {
        run(rest, run(back, SHORT_SEED)) ^ self.fields()
    }
    fn fields(&self) -> u32 {
        self.backwards ^ self.forwards ^ self.next ^ u32::from(self.kind) ^ self.generation
    }
}

/// XOR of words from the first byte of the run on; a tail is extended with zeros. Each run aligns anew (trap G19).
fn run(bytes: &[u8], seed: u32) -> u32 {
    let (_, tail) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..tail.len()].copy_from_slice(tail);
    fold(bytes, seed) ^ u32::from_le_bytes(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g19_word_alignment_starts_anew_at_the_forward_run() {
        let range = LegacyRange { backwards: 3, forwards: 5, next: 0, kind: SINGLE_SECTOR, generation: 7 };
        let fields = 3 ^ 5 ^ 0xD1 ^ 7;
        assert_eq!(range.range_checksum(&[1, 2, 3], &[4, 5, 6, 7, 8]), RANGE_SEED ^ 0x0003_0201 ^ 0x0706_0504 ^ 8 ^ fields);
        assert_eq!(range.short_checksum(&[], &[]), SHORT_SEED ^ fields);
    }
}
