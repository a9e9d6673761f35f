//! Compressed values: the first byte's upper five bits name the scheme (`db-5 §9 to §14`).
//!
//! Decompression is bounded: the caller says how many bytes the result may have at most.

mod crc;
mod lz4;
mod seven_bit;
mod xpress;
pub mod xpress10;
pub mod xpress9;

use crate::jet::JetCode;
use std::fmt;

pub use xpress::decode as xpress_decode;

/// Why compressed bytes do not become a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompressionFault {
    /// No bytes, or an unknown scheme.
    UnknownScheme,
    /// The stream breaks its own rules, or ends early.
    Malformed,
    /// The result would have more bytes than allowed.
    TooLong,
    /// A stored checksum differs.
    Checksum,
    /// The value was overwritten because nothing refers to it any more (`db-5 §12`).
    Scrubbed,
    /// A scheme whose codec is not public (XPRESS10).
    Unsupported,
}

impl CompressionFault {
    /// The code that Microsoft's engine gives.
    #[must_use]
    pub const fn jet(self) -> JetCode {
        match self {
            Self::Checksum => JetCode::COMPRESSION_INTEGRITY_CHECK_FAILED,
            _ => JetCode::DECOMPRESSION_FAILED,
        }
    }
}

impl fmt::Display for CompressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownScheme => "unknown compression scheme",
            Self::Malformed => "malformed compressed data",
            Self::TooLong => "decompresses to more bytes than it may have",
            Self::Checksum => "checksum of the compressed value differs",
            Self::Scrubbed => "overwritten by scrubbing",
            Self::Unsupported => "compressed with XPRESS10, whose codec is not public",
        })
    }
}

impl std::error::Error for CompressionFault {}

/// Compression schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the formats")]
pub enum Scheme {
    SevenBitAscii,
    SevenBitUnicode,
    Xpress,
    Scrub,
    Xpress9,
    Xpress10,
    Lz4,
}

impl Scheme {
    /// The scheme that a first byte names.
    #[must_use]
    pub const fn of(first: u8) -> Option<Self> {
        match first >> 3 {
            1 => Some(Self::SevenBitAscii),
            2 => Some(Self::SevenBitUnicode),
            3 => Some(Self::Xpress),
            4 => Some(Self::Scrub),
            5 => Some(Self::Xpress9),
            6 => Some(Self::Xpress10),
            7 => Some(Self::Lz4),
            _ => None,
        }
    }
}

/// Decompresses `data`, scheme byte included, to at most `limit` bytes.
///
/// # Errors
/// [`CompressionFault`].
pub fn decompress(data: &[u8], limit: usize) -> Result<Vec<u8>, CompressionFault> {
    let (&first, body) = data.split_first().ok_or(CompressionFault::UnknownScheme)?;
    match Scheme::of(first).ok_or(CompressionFault::UnknownScheme)? {
        Scheme::SevenBitAscii => seven_bit::ascii(first, body, limit),
        Scheme::SevenBitUnicode => seven_bit::unicode(first, body, limit),
        Scheme::Xpress => xpress::decompress(body, limit),
        Scheme::Scrub => Err(CompressionFault::Scrubbed),
        Scheme::Xpress9 => xpress9::decompress(body, limit),
        Scheme::Xpress10 => xpress10::decompress(body),
        Scheme::Lz4 => lz4::decompress(body, limit),
    }
}

/// Splits the little-endian 16-bit size in front of a payload, and holds it against `limit`.
fn sized(body: &[u8], limit: usize) -> Result<(usize, &[u8]), CompressionFault> {
    let (size, rest) = body.split_first_chunk::<2>().ok_or(CompressionFault::Malformed)?;
    let size = usize::from(u16::from_le_bytes(*size));
    if size > limit { Err(CompressionFault::TooLong) } else { Ok((size, rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_and_unknown_schemes_are_refused() {
        assert_eq!(decompress(&[], 100), Err(CompressionFault::UnknownScheme));
        assert_eq!(decompress(&[0x00, 1, 2], 100), Err(CompressionFault::UnknownScheme));
        assert_eq!(decompress(&[0x40, 1, 2], 100), Err(CompressionFault::UnknownScheme));
    }

    #[test]
    fn scrubbed_bytes_are_no_value() {
        assert_eq!(decompress(b"\x20llllllll", 100), Err(CompressionFault::Scrubbed));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_decompress_to_no_more_than_allowed_or_fail(data: Vec<u8>, first in 8u8..0x40, limit in 0usize..5000) {
            let mut data = data;
            data.insert(0, first);
            if let Ok(value) = decompress(&data, limit) {
                proptest::prop_assert!(value.len() <= limit);
            }
        }
    }
}
