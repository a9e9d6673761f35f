//! A log file that is never written where it stands: each sync makes a new file beside it and renames that over it.

use crate::stream::files::StreamFiles;
use anchorlog_storage::{File, Folder, open_or_create};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Where the new file of a stream is made.
pub(crate) fn replacement_of(files: &StreamFiles) -> PathBuf {
    files.path(".anchorlog-log")
}

/// The content is in memory until it is synced; a log is small.
pub struct Replacing {
    root: Arc<dyn Folder>,
    path: PathBuf,
    new: PathBuf,
    bytes: RwLock<Vec<u8>>,
}

impl Replacing {
    /// The log at `path`, with this content from now on.
    #[must_use]
    pub fn new(root: Arc<dyn Folder>, files: &StreamFiles, path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { root, path, new: replacement_of(files), bytes: RwLock::new(bytes) }
    }
}

fn at(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl File for Replacing {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let behind = bytes.get(at(offset)?..).unwrap_or_default();
        let count = behind.len().min(buffer.len());
        buffer[..count].copy_from_slice(&behind[..count]);
        Ok(count)
    }
    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let start = at(offset)?;
        let end = start.checked_add(new.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(new);
        Ok(())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.bytes.write().unwrap_or_else(PoisonError::into_inner).resize(at(size)?, 0);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let file = open_or_create(&*self.root, &self.new)?;
        file.set_size(bytes.len() as u64)?;
        file.write_at(0, &bytes)?;
        file.sync()?;
        self.root.rename(&self.new, &self.path)?;
        self.root.sync()
    }
}
