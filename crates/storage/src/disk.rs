//! The real file system.

use crate::{Entry, File, Folder, read_fully};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A folder on disk; with `read_only` nothing below it can be changed through this value.
#[derive(Clone, Debug)]
pub struct DiskFolder {
    root: PathBuf,
    read_only: bool,
}

impl DiskFolder {
    /// A folder that may be written.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), read_only: false }
    }
    /// A folder that is only read.
    #[must_use]
    pub fn read_only(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), read_only: true }
    }
    /// Where it lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        if path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Ok(self.root.join(path));
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} leads out of its folder", path.display())))
    }

    fn writable(&self, path: &Path) -> io::Result<PathBuf> {
        if self.read_only {
            let place = self.root.join(path);
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is a source, and never written", place.display()),
            ));
        }
        self.inside(path)
    }
}

impl Folder for DiskFolder {
    fn list(&self) -> io::Result<Vec<Entry>> {
        walk(&self.root, PathBuf::new(), |_| false)
    }
    fn list_below(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.inside(folder)?;
        walk(&self.root, folder.to_owned(), |error| error.kind() == io::ErrorKind::NotFound)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DiskFile(fs::File::open(self.inside(path)?)?)))
    }
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DiskFile(OpenOptions::new().read(true).write(true).open(self.writable(path)?)?)))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let place = self.writable(path)?;
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(Arc::new(DiskFile(OpenOptions::new().read(true).write(true).create_new(true).open(place)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let place = self.writable(to)?;
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(self.writable(from)?, place)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.writable(path)?)
    }
    fn sync(&self) -> io::Result<()> {
        // A folder's own sync says nothing of those inside it.
        let mut pending = vec![self.root.clone()];
        while let Some(folder) = pending.pop() {
            sync_folder(&folder)?;
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    pending.push(entry.path());
                }
            }
        }
        Ok(())
    }
    fn sync_folders(&self, folders: &BTreeSet<PathBuf>) -> io::Result<()> {
        folders.iter().try_for_each(|folder| sync_folder(&self.inside(folder)?))
    }
}

/// All files of `root` below `start`, ascending by path. `passed_over`: errors on an entry at which it is left out.
fn walk(root: &Path, start: PathBuf, passed_over: impl Fn(&io::Error) -> bool) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut pending = vec![start];
    while let Some(below) = pending.pop() {
        for entry in fs::read_dir(root.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let metadata = match fs::metadata(root.join(&path)) {
                Err(error) if passed_over(&error) => continue,
                metadata => metadata?,
            };
            if entry.file_type()?.is_dir() {
                pending.push(path);
            } else if metadata.is_file() {
                entries.push(Entry { path, size: metadata.len() });
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

#[cfg(unix)]
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_path: &Path) -> io::Result<()> {
    // Windows makes directory changes durable with the files' own flush; a folder cannot be flushed there.
    Ok(())
}

/// A file of the system that was opened, or made, in a way of its own.
#[must_use]
pub fn opened(file: fs::File) -> Arc<dyn File> {
    Arc::new(DiskFile(file))
}

struct DiskFile(fs::File);

impl File for DiskFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read_fully(offset, buffer, |offset, buffer| read_some(&self.0, offset, buffer))
    }
    fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match write_some(&self.0, offset, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[cfg(unix)]
use std::os::unix::fs::FileExt as _;
#[cfg(windows)]
use std::os::windows::fs::FileExt as _;

#[cfg(unix)]
fn read_some(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.read_at(buffer, offset)
}
#[cfg(unix)]
fn write_some(file: &fs::File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    file.write_at(bytes, offset)
}
#[cfg(windows)]
fn read_some(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}
#[cfg(windows)]
fn write_some(file: &fs::File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}
