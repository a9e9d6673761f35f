//! XPRESS: the plain LZ77 stream with 13-bit distances, behind a 16-bit size (`db-5 §11`).

use super::{CompressionFault, sized};

/// Size and stream.
pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, CompressionFault> {
    let (size, stream) = sized(body, limit)?;
    decode(stream, size)
}

/// Decodes a bare stream to exactly `size` bytes. A stream as long as its result is stored bytes (trap L15).
///
/// # Errors
/// [`CompressionFault::Malformed`].
pub fn decode(stream: &[u8], size: usize) -> Result<Vec<u8>, CompressionFault> {
    if stream.len() == size {
        return Ok(stream.to_vec());
    }
    let mut input = Input { bytes: stream, at: 0, flags: 0, flags_left: 0, nibble: None };
    let mut output = Vec::with_capacity(size.min(MOST_RESERVED));
    loop {
        if input.flag()? {
            // The end is marked by a flag of 1 behind the last byte (trap L14).
            if output.len() == size {
                return Ok(output);
            }
            let (distance, length) = input.copy()?;
            repeat(&mut output, distance, length, size)?;
        } else {
            let literal = input.byte()?;
            if output.len() == size {
                return Err(CompressionFault::Malformed);
            }
            output.push(literal);
        }
    }
}

/// Room taken in advance; more is taken as bytes really come.
const MOST_RESERVED: usize = 1 << 16;

/// Appends `length` bytes that begin `distance` bytes before the end; they may overlap what they make.
pub(super) fn repeat(output: &mut Vec<u8>, distance: usize, length: usize, size: usize) -> Result<(), CompressionFault> {
    let room = size.checked_sub(output.len()).ok_or(CompressionFault::Malformed)?;
    if distance == 0 || distance > output.len() || length > room {
        return Err(CompressionFault::Malformed);
    }
    let start = output.len() - distance;
    for index in start..start + length {
        output.push(output[index]);
    }
    Ok(())
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    flags: u32,
    flags_left: u32,
    /// Upper half of a shared byte that a later long match will take (trap L12).
    nibble: Option<u8>,
}

impl Input<'_> {
    /// The next flag, from bit 31 down; a new word is taken only when one is needed (trap L11).
    fn flag(&mut self) -> Result<bool, CompressionFault> {
        if self.flags_left == 0 {
            self.flags = u32::from_le_bytes(self.array()?);
            self.flags_left = 32;
        }
        self.flags_left -= 1;
        Ok(self.flags >> self.flags_left & 1 == 1)
    }

    fn copy(&mut self) -> Result<(usize, usize), CompressionFault> {
        let word = usize::from(u16::from_le_bytes(self.array()?));
        let distance = (word >> 3) + 1;
        let mut length = word & 7;
        if length == 7 {
            length = self.long_length()?;
        }
        Ok((distance, length + 3))
    }

    fn long_length(&mut self) -> Result<usize, CompressionFault> {
        let nibble = match self.nibble.take() {
            Some(high) => high,
            None => {
                let byte = self.byte()?;
                self.nibble = Some(byte >> 4);
                byte & 15
            }
        };
        if nibble < 15 {
            return Ok(usize::from(nibble) + 7);
        }
        match self.byte()? {
            // The 16-bit length stands for itself, and must be needed (trap L13).
            255 => match usize::from(u16::from_le_bytes(self.array()?)) {
                length if length >= 255 + 15 + 7 => Ok(length),
                _ => Err(CompressionFault::Malformed),
            },
            byte => Ok(usize::from(byte) + 15 + 7),
        }
    }

    fn byte(&mut self) -> Result<u8, CompressionFault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CompressionFault> {
        let rest = self.bytes.get(self.at..).ok_or(CompressionFault::Malformed)?;
        let array = rest.first_chunk::<N>().ok_or(CompressionFault::Malformed)?;
        self.at += N;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(hex: &str) -> Vec<u8> {
        hex::decode(hex.replace(' ', "")).unwrap()
    }

    // trap L11
    #[test]
    fn l11_streams_of_both_encoders_decode() {
        let abc = b"abc".repeat(20);
        assert_eq!(decode(&stream("ffffff0f 61 62 63 6117 000f 1f"), 60).unwrap(), abc);
        assert_eq!(decode(&stream("ffffff1f 61 62 63 1700 0f 20"), 60).unwrap(), abc);
        assert_eq!(decode(&stream("ffffff3f 00 00 0700 0f ff 2701"), 300).unwrap(), [0; 300]);
        assert_eq!(decode(&stream("ffffff7f 00 0700 0f ff 2801"), 300).unwrap(), [0; 300]);
        assert_eq!(decode(&stream("ffffff3f 00 00 0700 0f ff a90f"), 4014).unwrap(), [0; 4014]);
        assert_eq!(decode(&stream("ffffff7f 00 0700 0f ff aa0f"), 4014).unwrap(), [0; 4014]);
    }

    // trap L12
    #[test]
    fn l12_two_long_matches_share_a_byte() {
        // a, then 10 of it (7 + nibble 0 + 3), then 11 (nibble 1): the second takes the upper half of the same byte.
        let packed = stream("ffffff7f 61 0700 10 0700");
        assert_eq!(decode(&packed, 1 + 10 + 11).unwrap(), [b'a'; 22]);
    }

    // trap L13
    #[test]
    fn l13_a_sixteen_bit_length_below_277_is_refused() {
        assert_eq!(decode(&stream("ffffff7f 00 0700 0f ff 1401"), 280), Err(CompressionFault::Malformed));
    }

    // trap L14
    #[test]
    fn l14_without_a_final_flag_of_one_the_stream_is_refused() {
        assert_eq!(decode(&stream("ffffff7f 00 0700 0f ff 2801"), 300).map(|value| value.len()), Ok(300));
        assert_eq!(decode(&stream("00000040 00 0700 0f ff 2801"), 300), Err(CompressionFault::Malformed));
    }

    // trap L15
    #[test]
    fn l15_a_stream_as_long_as_its_result_is_stored_bytes() {
        assert_eq!(decode(&[7; 20], 20).unwrap(), [7; 20]);
    }

    // trap L16
    #[test]
    fn l16_the_size_in_front_is_the_uncompressed_size() {
        let packed = stream("18 2c01 ffffff7f 00 0700 0f ff 2801");
        assert_eq!(super::super::decompress(&packed, 300).unwrap().len(), 300);
        assert_eq!(super::super::decompress(&packed, 299), Err(CompressionFault::TooLong));
        let tampered = stream("18 2d01 ffffff7f 00 0700 0f ff 2801");
        assert_eq!(super::super::decompress(&tampered, 400), Err(CompressionFault::Malformed));
    }
}
