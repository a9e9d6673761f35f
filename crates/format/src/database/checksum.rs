//! The checksum of header pages (`db-1 §5.1`).

/// Where the sum starts, and the magic of every header (`ulDAEMagic`).
pub const HEADER_MAGIC: u32 = 0x89AB_CDEF;

/// The XOR of all 32-bit words behind the first, as header pages of databases, trailers, flush maps, checkpoints and logs carry it in
/// their first word. Header pages never use ECC, whatever the database's pages do (trap D2). A trailing fraction of a word is ignored.
#[must_use]
pub fn header_checksum(page: &[u8]) -> u32 {
    page.chunks_exact(4).skip(1).fold(HEADER_MAGIC, |sum, word| {
        let mut raw = [0; 4];
        raw.copy_from_slice(word);
        sum ^ u32::from_le_bytes(raw)
    })
}

/// Whether the page's first word is its [`header_checksum`].
#[must_use]
pub fn header_checksum_holds(page: &[u8]) -> bool {
    page.first_chunk::<4>().is_some_and(|stored| u32::from_le_bytes(*stored) == header_checksum(page))
}

/// Writes the checksum into the page's first word; a page shorter than a word is left alone.
pub fn seal_header(page: &mut [u8]) {
    let sum = header_checksum(page);
    if let Some(stored) = page.first_chunk_mut::<4>() {
        *stored = sum.to_le_bytes();
    }
}
