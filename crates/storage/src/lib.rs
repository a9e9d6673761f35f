//! Folders and files as anchorlog uses them: a disk, a read-only disk, an overlay over either. Knows nothing of ESE.
#![forbid(unsafe_code)]

pub mod copy;
pub mod disk;
pub mod journal;
pub mod lock;
pub mod overlay;
pub mod publish;
pub mod space;

pub use disk::DiskFolder;
pub use overlay::OverlayFolder;
pub use publish::WorkFolder;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is read and written at offsets, by several threads at once.
pub trait File: Send + Sync {
    /// Fills `buffer` from `offset` on; returns the bytes read, fewer than asked for only at the end of the file.
    ///
    /// # Errors
    /// Any error of the storage.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`, growing the file when needed (a gap reads as zero).
    ///
    /// # Errors
    /// Any error of the storage; `PermissionDenied` for a file opened for reading.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Size in bytes.
    ///
    /// # Errors
    /// Any error of the storage.
    fn size(&self) -> io::Result<u64>;
    /// Cuts or grows the file; new bytes are zero.
    ///
    /// # Errors
    /// Any error of the storage.
    fn set_size(&self, size: u64) -> io::Result<()>;
    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// Any error of the storage.
    fn sync(&self) -> io::Result<()>;
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path below the folder.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
}

/// A folder with everything below it. Paths are relative to it, and never leave it.
pub trait Folder: Send + Sync {
    /// All files below the folder, sub-folders included, ascending by path.
    ///
    /// # Errors
    /// Any error of the storage.
    fn list(&self) -> io::Result<Vec<Entry>>;
    /// All files below one of its folders, ascending by path; their paths begin with that folder. A file that is removed meanwhile may be
    /// left out.
    ///
    /// # Errors
    /// `NotFound` for a folder that is not there, where the storage has empty folders; any other error of the storage.
    fn list_below(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        Ok(self.list()?.into_iter().filter(|entry| entry.path.starts_with(folder)).collect())
    }
    /// Opens a file for reading only.
    ///
    /// # Errors
    /// `NotFound` and any other error of the storage.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` and any other error of the storage.
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Makes a new, empty file; folders on the way are made.
    ///
    /// # Errors
    /// `AlreadyExists` and any other error of the storage.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Renames a file; an existing target is replaced, folders on the way are made.
    ///
    /// # Errors
    /// `NotFound` and any other error of the storage.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Deletes a file.
    ///
    /// # Errors
    /// `NotFound` and any other error of the storage.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and deletions durable.
    ///
    /// # Errors
    /// Any error of the storage.
    fn sync(&self) -> io::Result<()>;
    /// Makes creations, renames and deletions in these of its folders durable; those on the way to them are to be named too.
    ///
    /// # Errors
    /// Any error of the storage.
    fn sync_folders(&self, _folders: &BTreeSet<PathBuf>) -> io::Result<()> {
        self.sync()
    }
    /// Whether the file exists.
    fn exists(&self, path: &Path) -> bool {
        self.open(path).is_ok()
    }
}

/// Opens a file for reading and writing; makes it where there is none.
///
/// # Errors
/// Any error of the storage.
pub fn open_or_create(folder: &dyn Folder, path: &Path) -> io::Result<Arc<dyn File>> {
    match folder.open_write(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => folder.create(path),
        opened => opened,
    }
}

/// Fills `buffer` from `offset` on by as many reads as it takes: a file system may give fewer bytes than it is asked for, and be
/// interrupted. Returns the bytes read, fewer than asked for only at the end of the file.
///
/// # Errors
/// Any error of `read_some` but `Interrupted`.
pub fn read_fully(
    mut offset: u64,
    mut buffer: &mut [u8],
    mut read_some: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let wanted = buffer.len();
    while !buffer.is_empty() {
        match read_some(offset, buffer) {
            Ok(0) => break,
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wanted - buffer.len())
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// `FileTooLarge` beyond the limit; any error of the storage.
pub fn read_all(file: &dyn File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_all_into(file, limit, &mut bytes)?;
    Ok(bytes)
}

/// The same into a buffer of before, whatever it held: whoever reads many large files one after the other takes one for all.
///
/// # Errors
/// As [`read_all`].
pub fn read_all_into(file: &dyn File, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let size = file.size()?;
    if size > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{size} bytes, more than the limit of {limit}")));
    }
    let size = usize::try_from(size).map_err(io::Error::other)?;
    bytes.clear();
    bytes.reserve_exact(size);
    bytes.resize(size, 0);
    let read = file.read_at(0, bytes)?;
    bytes.truncate(read);
    Ok(())
}
