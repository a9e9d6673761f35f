//! Sealing: AES-256 in counter mode, authenticated by Poly1305-AES (restic's design document, "Keys, Encryption and MAC").

use aes256ctr_poly1305aes::aead::AeadInPlace as _;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key as Bytes, Nonce, Tag};
use std::io;

/// Bytes that sealing adds: 16 of the nonce before, 16 of the authenticator after.
pub const OVERHEAD: usize = 32;
const NONCE: usize = 16;

/// A key: 32 bytes for encryption, 16 and 16 for authentication.
pub struct Key {
    bytes: [u8; 64],
    cipher: Aes256CtrPoly1305Aes,
}

impl Key {
    /// From its 64 bytes: encryption, `k`, `r`.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self { cipher: Aes256CtrPoly1305Aes::new(Bytes::from_slice(&bytes)), bytes }
    }
    /// A new one.
    ///
    /// # Errors
    /// No random numbers to be had.
    pub fn random() -> io::Result<Self> {
        random().map(Self::from_bytes)
    }
    /// Its 64 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 64] {
        &self.bytes
    }
    /// Appends `plain`, sealed, to `out`.
    ///
    /// # Errors
    /// No random numbers to be had.
    pub fn seal_into(&self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut nonce: [u8; NONCE] = random()?;
        // The counter is 128 bits wide in restic and 64 in the cipher here: the same as long as the lower half does not overflow.
        while nonce[8..12] == [0xFF; 4] {
            nonce = random()?;
        }
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self.cipher.encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut out[start..]);
        out.extend_from_slice(&tag.map_err(|_| io::Error::other("too long to be sealed"))?);
        Ok(())
    }
    /// `plain`, sealed.
    ///
    /// # Errors
    /// No random numbers to be had.
    pub fn seal(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(plain.len() + OVERHEAD);
        self.seal_into(plain, &mut out)?;
        Ok(out)
    }
    /// What was sealed; `None` where it was not sealed with this key, or was changed since.
    #[must_use]
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE)?;
        let (text, tag) = rest.split_at_checked(rest.len().checked_sub(OVERHEAD - NONCE)?)?;
        let mut plain = text.to_vec();
        let tag = Tag::from_slice(tag);
        self.cipher.decrypt_in_place_detached(Nonce::from_slice(nonce), b"", &mut plain, tag).ok()?;
        Some(plain)
    }
}

/// Random bytes of the operating system.
///
/// # Errors
/// There are none to be had.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_nothing_else_does() {
        let key = Key::random().unwrap();
        let sealed = key.seal(b"some bytes").unwrap();
        assert_eq!(sealed.len(), 10 + OVERHEAD);
        assert_eq!(key.open(&sealed).unwrap(), b"some bytes");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(key.open(&changed), None, "byte {place}");
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(&sealed[..length]), None, "{length} bytes");
        }
        assert_eq!(Key::random().unwrap().open(&sealed), None);
    }

    #[test]
    fn nothing_is_sealed_twice_alike() {
        let key = Key::random().unwrap();
        assert_ne!(key.seal(b"the same").unwrap(), key.seal(b"the same").unwrap());
    }
}
