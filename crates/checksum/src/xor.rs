//! The XOR of headers, checkpoints and old pages (`db-2 §4`, `log-1 §4.1`).

/// What the XOR starts from.
const SEED: u32 = 0x89AB_CDEF;

/// XOR checksum of a header, a checkpoint copy or an old page: over all words but the first, which holds the checksum itself.
///
/// Bytes behind the last whole word do not count; every structure that carries this checksum is a multiple of 4 bytes long.
#[must_use]
pub fn header_xor(bytes: &[u8]) -> u32 {
    fold(bytes.get(4..).unwrap_or_default(), SEED)
}

/// Whether the stored checksum of a header is right; false for less than one word.
#[must_use]
pub fn verify_header_xor(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|stored| u32::from_le_bytes(*stored) == header_xor(bytes))
}

/// Computes and stores the checksum of a header.
///
/// # Panics
/// When `bytes` is shorter than one word: the caller made the buffer.
pub fn set_header_xor(bytes: &mut [u8]) {
    let sum = header_xor(bytes);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
}

/// XOR of the little-endian words of `bytes`, on `seed`; a tail of 1 to 3 bytes does not count.
pub fn fold(bytes: &[u8], seed: u32) -> u32 {
    let (rows, rest) = bytes.as_chunks::<64>();
    let mut lanes = [0_u64; 8];
    for row in rows {
        let (words, _) = row.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane ^= u64::from_le_bytes(*word);
        }
    }
    let wide = lanes.iter().fold(0, |sum, lane| sum ^ lane).to_le_bytes();
    let (words, _) = rest.as_chunks::<4>();
    let (halves, _) = wide.as_chunks::<4>();
    words.iter().chain(halves).fold(seed, |sum, word| sum ^ u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_xor_of_a_ramp_is_the_known_answer() {
        for size in [4096, 8192] {
            let ramp: Vec<u8> = (0..size).map(|i: usize| i.to_le_bytes()[0]).collect();
            assert_eq!(header_xor(&ramp), 0x8AA9_CCEF, "{size}");
        }
    }

    #[test]
    fn every_length_gives_the_same_as_a_plain_loop() {
        let bytes: Vec<u8> = (0..600_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        for end in 0..bytes.len() {
            let plain = bytes[..end].as_chunks::<4>().0.iter().fold(7, |sum, word| sum ^ u32::from_le_bytes(*word));
            assert_eq!(fold(&bytes[..end], 7), plain, "{end}");
        }
    }

    #[test]
    fn a_header_shorter_than_its_checksum_is_wrong() {
        assert!(!verify_header_xor(&[1, 2, 3]));
    }
}
