//! Packs: sealed blobs one after the other, a sealed header that tells of them, and its length (restic's design document, "Pack Format").

use crate::restic::Id;
use crate::restic::crypto::{Key, OVERHEAD};
use crate::restic::index::{IndexBlob, IndexPack};
use serde::{Deserialize, Serialize};
use std::io;

/// Size in bytes at which a pack of data is written.
pub(crate) const DATA_SIZE: usize = 32 << 20;
/// Packs of data that are filled, written or read at once: however many processors there are, memory stays at some 170 MiB.
pub(crate) const PACKS_MAX: usize = 5;
/// Size in bytes at which a pack of trees is written.
pub(crate) const TREE_SIZE: usize = 4 << 20;
/// Blobs of a pack at most, as in rustic.
pub(crate) const BLOBS_MAX: usize = 10_000;
/// Bytes of the header's length, little endian, at the end of a pack.
const LENGTH_SIZE: usize = 4;

/// What a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlobKind {
    /// Bytes of a stream.
    Data,
    /// The list of what is in a folder.
    Tree,
}

/// A pack being filled.
#[derive(Default)]
pub(crate) struct PackBuilder {
    bytes: Vec<u8>,
    blobs: Vec<IndexBlob>,
}

impl PackBuilder {
    /// One that is full at `size` bytes, in a buffer of before or an empty one. All of it is reserved at once: a buffer that grows by doubling
    /// leaves holes in the heap that together are larger than itself.
    pub(crate) fn new(size: usize, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.reserve_exact(size + size / 16);
        Self { bytes: buffer, blobs: Vec::new() }
    }
    /// Bytes so far.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }
    /// Whether it is to be written before anything else comes in.
    pub(crate) fn is_full(&self, size: usize) -> bool {
        self.bytes.len() >= size || self.blobs.len() >= BLOBS_MAX
    }
    /// Adds a blob. `stored`: the bytes as they are sealed. `plain_size`: their number before compression, where they were compressed.
    pub(crate) fn add(&mut self, key: &Key, kind: BlobKind, id: Id, stored: &[u8], plain_size: Option<u32>) -> io::Result<u32> {
        let offset = u32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        key.seal_into(stored, &mut self.bytes)?;
        let end = u32::try_from(self.bytes.len()).map_err(io::Error::other)?;
        self.blobs.push(IndexBlob { id, kind, offset, length: end - offset, uncompressed_length: plain_size });
        Ok(end - offset)
    }
    /// The whole pack and what the index says of it.
    pub(crate) fn finish(mut self, key: &Key) -> io::Result<(Vec<u8>, IndexPack)> {
        let header = key.seal(&header_of(&self.blobs))?;
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(&u32::try_from(header.len()).map_err(io::Error::other)?.to_le_bytes());
        let pack = IndexPack { id: Id::of(&self.bytes), blobs: self.blobs };
        Ok((self.bytes, pack))
    }
}

/// The size in bytes of a pack with these blobs.
pub(crate) fn size_of(blobs: &[IndexBlob]) -> u64 {
    let entry = |blob: &IndexBlob| u64::from(blob.length) + if blob.uncompressed_length.is_some() { 41 } else { 37 };
    blobs.iter().map(entry).sum::<u64>() + (OVERHEAD + LENGTH_SIZE) as u64
}

fn header_of(blobs: &[IndexBlob]) -> Vec<u8> {
    let mut header = Vec::with_capacity(blobs.len() * 41);
    for blob in blobs {
        let kind = match blob.kind {
            BlobKind::Data => 0,
            BlobKind::Tree => 1,
        };
        header.push(if blob.uncompressed_length.is_some() { kind + 2 } else { kind });
        header.extend_from_slice(&blob.length.to_le_bytes());
        if let Some(size) = blob.uncompressed_length {
            header.extend_from_slice(&size.to_le_bytes());
        }
        header.extend_from_slice(blob.id.bytes());
    }
    header
}

/// The blobs that a whole pack tells of; `None` where it is none.
pub(crate) fn blobs_of(key: &Key, pack: &[u8]) -> Option<Vec<IndexBlob>> {
    let (rest, length) = pack.split_last_chunk::<LENGTH_SIZE>()?;
    let start = rest.len().checked_sub(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let header = key.open(rest.get(start..)?)?;
    let mut blobs = Vec::new();
    let mut left = header.as_slice();
    let mut offset = 0_u32;
    while let Some((kind, after)) = left.split_first() {
        let (length, after) = after.split_first_chunk::<4>()?;
        let (uncompressed_length, after) = match kind {
            2 | 3 => after.split_first_chunk::<4>().map(|(size, after)| (Some(u32::from_le_bytes(*size)), after))?,
            _ => (None, after),
        };
        let (id, after) = after.split_first_chunk::<32>()?;
        let kind = match kind {
            0 | 2 => BlobKind::Data,
            1 | 3 => BlobKind::Tree,
            _ => return None,
        };
        let length = u32::from_le_bytes(*length);
        blobs.push(IndexBlob { id: Id::from_bytes(*id), kind, offset, length, uncompressed_length });
        offset = offset.checked_add(length)?;
        left = after;
    }
    (offset as usize == start).then_some(blobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_tells_of_its_blobs() {
        let key = Key::random().unwrap();
        let mut builder = PackBuilder::default();
        builder.add(&key, BlobKind::Data, Id::of(b"some bytes"), b"some bytes", None).unwrap();
        builder.add(&key, BlobKind::Tree, Id::of(b"a tree"), b"zz", Some(6)).unwrap();
        let (bytes, pack) = builder.finish(&key).unwrap();
        assert_eq!(blobs_of(&key, &bytes).unwrap(), pack.blobs);
        assert_eq!(size_of(&pack.blobs), bytes.len() as u64);
        for length in 0..bytes.len() {
            assert_eq!(blobs_of(&key, &bytes[..length]), None, "{length} bytes");
        }
    }
}
