//! BLAKE3 of a stream out of its chunks, which are hashed apart, on any thread: what BLAKE3 calls chaining values of subtrees.
//!
//! The value of a chunk depends on its offset and its bytes alone, so that it also tells whether a chunk is what it was in another set.

use blake3::Hasher;
use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// Chaining value of a chunk, or of a whole number of chunks.
pub(crate) type Value = [u8; 32];
/// Bytes of a value.
pub(crate) const VALUE_SIZE: usize = 32;

/// Of the chunk at `offset`: a multiple of the chunks' size, which is a power of two from 1 KiB.
pub(crate) fn of_chunk(offset: u64, bytes: &[u8]) -> Value {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(offset).update(bytes);
    hasher.finalize_non_root()
}

/// Of neighbours of one size, but for the last, which may be shorter. None are the value of nothing.
pub(crate) fn of_parts(values: &[Value]) -> Value {
    match values {
        [] => Value::default(),
        [value] => *value,
        _ => {
            let (left, right) = halves(values);
            merge_subtrees_non_root(&of_parts(left), &of_parts(right), Mode::Hash)
        }
    }
}

/// Of a whole stream out of the values of all its parts: of two at least, as one alone cannot tell.
pub(crate) fn of_stream(values: &[Value]) -> [u8; 32] {
    let (left, right) = halves(values);
    merge_subtrees_root(&of_parts(left), &of_parts(right), Mode::Hash).into()
}

/// To the left stands the largest power of two that leaves something to the right.
fn halves(values: &[Value]) -> (&[Value], &[Value]) {
    values.split_at(values.len().next_power_of_two() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_stream_is_that_of_its_chunks_however_it_is_cut() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for chunk in [1024, 4096, 65_536] {
            for size in [chunk + 1, 2 * chunk, 3 * chunk - 1, 3 * chunk, 5 * chunk + 7, bytes.len()] {
                let Some(bytes) = bytes.get(..size) else { continue };
                let values: Vec<Value> =
                    bytes.chunks(chunk).enumerate().map(|(at, part)| of_chunk((at * chunk) as u64, part)).collect();
                assert_eq!(of_stream(&values), *blake3::hash(bytes).as_bytes(), "{size} bytes in chunks of {chunk}");
                // Segments of four chunks.
                let segments: Vec<Value> = values.chunks(4).map(of_parts).collect();
                if segments.len() > 1 {
                    assert_eq!(of_stream(&segments), *blake3::hash(bytes).as_bytes(), "{size} bytes in segments");
                }
            }
        }
    }

    #[test]
    fn the_same_bytes_elsewhere_have_another_value() {
        assert_ne!(of_chunk(0, &[7; 4096]), of_chunk(4096, &[7; 4096]));
    }
}
