//! XOR with error correction over one block (`db-2 §5`).

/// Smallest block.
pub const BLOCK_MIN: usize = 1024;
/// Largest block.
pub const BLOCK_MAX: usize = 8192;

/// The two halves of a block's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// XOR of all words and of the page number.
    pub xor: u32,
    /// Which bits are set, so that a single flipped one can be located; does not depend on the page number.
    pub ecc: u32,
}

impl Checksum {
    /// From the 8 bytes on disk, read as one little-endian number.
    #[must_use]
    pub const fn from_u64(stored: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = stored.to_le_bytes();
        Self { xor: u32::from_le_bytes([a, b, c, d]), ecc: u32::from_le_bytes([e, f, g, h]) }
    }
    /// As the 8 bytes on disk.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        (self.ecc as u64) << 32 | self.xor as u64
    }
    /// The one bit of the block in which the block that `self` was stored for differs from the one that gives `computed`; `None` where it is
    /// not exactly one. The bit's index is `8 × byte + bit` (`db-2 §7`).
    #[must_use]
    pub(crate) fn flipped_bit(self, computed: Self, block_bytes: usize) -> Option<usize> {
        let bits = block_bytes.checked_mul(8)?;
        let mask = u32::try_from(bits.checked_sub(1)?).ok()?;
        let difference = self.ecc ^ computed.ecc;
        let bit = difference & 0xFFFF;
        let halves_complement = ((difference >> 16) ^ difference) & mask == mask;
        // Only the column in which the located bit lies may differ: anything else is more than one flip.
        let same_column = self.xor ^ computed.xor == 1 << (bit % 32);
        let index = usize::try_from(bit).ok()?;
        (halves_complement && same_column && index < bits).then_some(index)
    }
}

/// XOR+ECC of one block, ECC in the high half as on disk.
///
/// `block` has a power of two of bytes, [`BLOCK_MIN`] to [`BLOCK_MAX`]; other lengths give a value that matches no stored checksum made by an
/// engine, but no panic. In a header block the first 8 bytes, where the checksum itself lies, count as zero.
#[must_use]
pub fn ecc(block: &[u8], number: u32, header_block: bool) -> u64 {
    checksum(block, number, header_block).to_u64()
}

pub(crate) fn checksum(block: &[u8], number: u32, header_block: bool) -> Checksum {
    let (column, row) = parities(block, header_block);
    // Of the two complement parities each is the plain one, inverted once for each odd word (or set column), so they follow from
    // the parity of the whole block.
    let inverted = if column.count_ones() % 2 == 1 { u32::MAX } else { 0 };
    let row_mask = u32::try_from((block.len() / 4).saturating_sub(1)).unwrap_or(u32::MAX);
    let bit = column_parity(column);
    let ecc = ((row ^ inverted) & row_mask) << 21 | ((bit ^ inverted) & 31) << 16 | (row & row_mask) << 5 | bit;
    Checksum { xor: column ^ number, ecc }
}

/// XOR of all words, and XOR of the indices of the words that have an odd number of set bits.
fn parities(block: &[u8], header_block: bool) -> (u32, u32) {
    /// Words in a row.
    const ROW: u32 = 16;
    let (rows, _) = block.as_chunks::<64>();
    let mut lanes = [0_u64; 8];
    let mut row_index = 0_u32;
    let mut odd_rows = 0_u32;
    for (number, row) in rows.iter().enumerate() {
        let (words, _) = row.as_chunks::<8>();
        let mut folded = 0;
        for (index, (lane, word)) in lanes.iter_mut().zip(words).enumerate() {
            let skipped = header_block && number == 0 && index == 0;
            let word = if skipped { 0 } else { u64::from_le_bytes(*word) };
            *lane ^= word;
            folded ^= word;
        }
        let odd = folded.count_ones() & 1;
        odd_rows ^= row_index & 0_u32.wrapping_sub(odd);
        row_index = row_index.wrapping_add(1);
    }
    // The index of a word is 16 × row + place in the row: the places follow from the lanes, which are the XOR of all rows.
    let mut column = 0;
    let mut places = 0;
    let mut place = 0_u32;
    for lane in lanes {
        let bytes = lane.to_le_bytes();
        for half in bytes.as_chunks::<4>().0 {
            let word = u32::from_le_bytes(*half);
            column ^= word;
            places ^= place & 0_u32.wrapping_sub(word.count_ones() & 1);
            place += 1;
        }
    }
    (column, odd_rows.wrapping_mul(ROW) ^ places)
}

/// XOR of the numbers of the set bits.
fn column_parity(column: u32) -> u32 {
    const MASKS: [u32; 5] = [0xAAAA_AAAA, 0xCCCC_CCCC, 0xF0F0_F0F0, 0xFF00_FF00, 0xFFFF_0000];
    let mut parity = 0;
    for (bit, mask) in MASKS.into_iter().enumerate() {
        parity |= ((column & mask).count_ones() & 1) << bit;
    }
    parity
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(size: usize) -> Vec<u8> {
        (0..size).map(|i| i.to_le_bytes()[0]).collect()
    }

    /// The definition of `db-2 §5`, word by word.
    fn plain(block: &[u8], number: u32, header_block: bool) -> u64 {
        let words: Vec<u32> = block.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let mask = u32::try_from(words.len() - 1).unwrap();
        let (mut column, mut p, mut q) = (0, 0, 0);
        for (i, word) in (0_u32..).zip(&words).skip(if header_block { 2 } else { 0 }) {
            column ^= word;
            if word.count_ones() % 2 == 1 {
                p ^= i;
                q ^= !i;
            }
        }
        let (mut r, mut s) = (0_u32, 0_u32);
        for bit in (0..32).filter(|bit| column >> bit & 1 == 1) {
            r ^= bit;
            s ^= !bit;
        }
        let ecc = (q & mask) << 21 | (s & 31) << 16 | (p & mask) << 5 | (r & 31);
        u64::from(ecc) << 32 | u64::from(column ^ number)
    }

    #[test]
    fn known_answers_of_the_specification() {
        for (size, first, last) in
            [(4096, 0x7FBF_0040_0000_0001, 0x0000_7FFF_8000_0000), (8192, 0xFFBF_0040_0000_0001, 0x0000_FFFF_8000_0000)]
        {
            let mut block = vec![0; size];
            block[8] = 1;
            assert_eq!(ecc(&block, 0, true), first);
            let mut block = vec![0; size];
            block[size - 1] = 0x80;
            assert_eq!(ecc(&block, 0, true), last);
            assert_eq!(ecc(&ramp(size), 7, true), 0x0000_0000_0404_0403);
        }
        let mut flags_only = vec![0; 4096];
        flags_only[36..40].copy_from_slice(&0x2000_u32.to_le_bytes());
        assert_eq!(ecc(&flags_only, 5, true), 0x7ED2_012D_0000_2005);
    }

    // trap db-2 D6
    #[test]
    fn d6_the_first_two_words_count_in_every_block_but_the_header_block() {
        for size in [4096, 8192] {
            assert_eq!(ecc(&ramp(size), 7, false), 0x0000_0000_0000_0007);
            assert_ne!(ecc(&ramp(size), 7, true), ecc(&ramp(size), 7, false));
        }
    }

    #[test]
    fn the_fast_form_equals_the_definition() {
        let mut state = 0x1234_5678_u32;
        for size in [1024, 2048, 4096, 8192] {
            for round in 0..50 {
                let block: Vec<u8> = (0..size)
                    .map(|_| {
                        state ^= state << 13;
                        state ^= state >> 17;
                        state ^= state << 5;
                        if round % 3 == 0 && state % 97 != 0 { 0 } else { state.to_le_bytes()[1] }
                    })
                    .collect();
                for header_block in [false, true] {
                    assert_eq!(ecc(&block, state, header_block), plain(&block, state, header_block));
                }
            }
        }
    }
}
