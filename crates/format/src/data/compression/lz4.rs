//! LZ4: a raw block behind a 16-bit size (`db-5 §14`).

use super::{CompressionFault, sized};

pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, CompressionFault> {
    let (size, block) = sized(body, limit)?;
    let mut value = vec![0; size];
    match lz4_flex::block::decompress_into(block, &mut value) {
        Ok(length) if length == size => Ok(value),
        _ => Err(CompressionFault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CompressionFault, decompress};

    #[test]
    fn a_raw_block_decodes_to_exactly_its_size() {
        // Token: 4 literals, match of 4 + 12; then the last sequence, 5 literals.
        let packed = b"\x38\x19\x00\x4cabcd\x04\x00\x50efghi";
        assert_eq!(decompress(packed, 100).unwrap(), b"abcdabcdabcdabcdabcdefghi");
        let mut wrong_size = packed.to_vec();
        wrong_size[1] = 0x18;
        assert_eq!(decompress(&wrong_size, 100), Err(CompressionFault::Malformed));
        wrong_size[1] = 0x1a;
        assert_eq!(decompress(&wrong_size, 100), Err(CompressionFault::Malformed));
    }
}
