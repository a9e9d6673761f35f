//! Files in memory, for targets that need whole files.

use anchorlog_storage::File;
use std::io;
use std::sync::{Arc, RwLock};

/// A file in memory. It grows to at most [`MemoryFile::LIMIT`] bytes: a target that asks for more has lost its bounds.
#[derive(Default)]
pub struct MemoryFile {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryFile {
    /// Largest size.
    pub const LIMIT: u64 = 64 << 20;

    /// A file that holds `bytes`.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { bytes: RwLock::new(bytes) })
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        let size = usize::try_from(size.min(Self::LIMIT + 1)).map_err(io::Error::other)?;
        if size as u64 > Self::LIMIT {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.bytes.write().expect("no thread panics while it holds the bytes").resize(size, 0);
        Ok(())
    }
}

impl File for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bytes.read().expect("no thread panics while it holds the bytes");
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(new.len() as u64).ok_or(io::ErrorKind::StorageFull)?;
        if end > self.size()? {
            self.resize(end)?;
        }
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        self.bytes.write().expect("no thread panics while it holds the bytes")[start..start + new.len()].copy_from_slice(new);
        Ok(())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.read().expect("no thread panics while it holds the bytes").len() as u64)
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.resize(size)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
