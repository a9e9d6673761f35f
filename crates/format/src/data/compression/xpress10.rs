//! XPRESS10: recognised, its payload's checksum tested; the codec is not public (`db-5 §14`).

use super::CompressionFault;
use super::crc::crc64;

layout! {
    /// What stands between the scheme byte and an XPRESS10 payload.
    pub struct Xpress10Header = "XPRESS10_HEADER", 14, "db-5 §14" {
        0 size: u16, "", "", "uncompressed bytes";
        2 value_checksum: u32, "", "", "CRC-32C of the uncompressed bytes";
        6 payload_checksum: u64, "", "", "CRC-64 of the payload";
    }
}

pub(super) fn decompress(body: &[u8]) -> Result<Vec<u8>, CompressionFault> {
    let header = Xpress10Header::read(body).ok_or(CompressionFault::Malformed)?;
    let payload = body.get(Xpress10Header::SIZE..).ok_or(CompressionFault::Malformed)?;
    if crc64(payload) == header.payload_checksum { Err(CompressionFault::Unsupported) } else { Err(CompressionFault::Checksum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intact_payload_is_said_to_be_unsupported_and_a_damaged_one_to_be_damaged() {
        let mut body = vec![0; Xpress10Header::SIZE];
        body.extend_from_slice(b"123456789");
        body[6..14].copy_from_slice(&0xAE8B_1486_0A79_9888_u64.to_le_bytes());
        assert_eq!(decompress(&body), Err(CompressionFault::Unsupported));
        body[20] ^= 1;
        assert_eq!(decompress(&body), Err(CompressionFault::Checksum));
        assert_eq!(decompress(&[0; 13]), Err(CompressionFault::Malformed));
    }
}
