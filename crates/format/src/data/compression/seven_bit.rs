//! 7-bit text: one symbol is seven bits, least significant bit first (`db-5 §10`).

use super::CompressionFault;

/// One byte for each symbol.
pub(super) fn ascii(first: u8, body: &[u8], limit: usize) -> Result<Vec<u8>, CompressionFault> {
    let count = symbols(first, body)?;
    if count > limit {
        return Err(CompressionFault::TooLong);
    }
    Ok((0..count).map(|index| symbol(body, index)).collect())
}

/// One UTF-16 unit, little-endian, for each symbol (trap L10).
pub(super) fn unicode(first: u8, body: &[u8], limit: usize) -> Result<Vec<u8>, CompressionFault> {
    let count = symbols(first, body)?;
    if 2 * count > limit {
        return Err(CompressionFault::TooLong);
    }
    Ok((0..count).flat_map(|index| [symbol(body, index), 0]).collect())
}

/// The first byte's low three bits say how many bits of the last byte are used, less one (trap L9).
fn symbols(first: u8, body: &[u8]) -> Result<usize, CompressionFault> {
    let whole = body.len().checked_sub(1).ok_or(CompressionFault::Malformed)?;
    let bits = whole * 8 + usize::from(first & 7) + 1;
    if bits.is_multiple_of(7) { Ok(bits / 7) } else { Err(CompressionFault::Malformed) }
}

fn symbol(body: &[u8], index: usize) -> u8 {
    let (byte, shift) = (7 * index / 8, 7 * index % 8);
    let low = body.get(byte).copied().unwrap_or(0);
    let high = body.get(byte + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([low, high]) >> shift & 0x7F) as u8
}

#[cfg(test)]
mod tests {
    use super::super::{CompressionFault, decompress};

    #[test]
    fn seven_bit_ascii_of_the_specification_decodes() {
        assert_eq!(decompress(&[0x0b, 0xf4, 0xf2, 0x9c, 0x0e], 100).unwrap(), b"test");
    }

    // trap L9
    #[test]
    fn l9_sixteen_symbols_fill_fourteen_bytes_and_a_count_not_divisible_by_seven_is_refused() {
        let packed = hex::decode("0fc16030180c0683c16030180c0683").unwrap();
        assert_eq!(decompress(&packed, 100).unwrap(), [0x41; 16]);
        let mut short = packed;
        short[0] = 0x0e;
        assert_eq!(decompress(&short, 100), Err(CompressionFault::Malformed));
        assert_eq!(decompress(&[0x0f], 100), Err(CompressionFault::Malformed));
    }

    // trap L10
    #[test]
    fn l10_seven_bit_unicode_gives_two_bytes_a_symbol() {
        assert_eq!(decompress(&[0x13, 0xf4, 0xf2, 0x9c, 0x0e], 100).unwrap(), b"t\0e\0s\0t\0");
        assert_eq!(decompress(&[0x13, 0xf4, 0xf2, 0x9c, 0x0e], 7), Err(CompressionFault::TooLong));
    }
}
