//! Advisory locks on files: two runs of ours keep out of each other's way. They say nothing of other programs.

use fs4::{FileExt, TryLockError};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Locks `path` against every other lock; the file is made when it does not exist.
    ///
    /// # Errors
    /// `ResourceBusy` when someone else holds a lock; any error of the file system.
    pub fn exclusive(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        FileExt::try_lock(&file).map_err(|error| explain(error, path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Locks an existing file against exclusive locks; others may share it. Needs no right to write.
    ///
    /// # Errors
    /// `NotFound`, `ResourceBusy` when someone else holds it exclusively; any error of the file system.
    pub fn shared(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        FileExt::try_lock_shared(&file).map_err(|error| explain(error, path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The locked file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn explain(error: TryLockError, path: &Path) -> io::Error {
    match error {
        TryLockError::WouldBlock => {
            io::Error::new(io::ErrorKind::ResourceBusy, format!("{} is locked by another run", path.display()))
        }
        TryLockError::Error(error) => error,
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file releases the lock as well; a failure here changes nothing.
        let _ = FileExt::unlock(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusive_lock_keeps_others_out_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::exclusive(&path).unwrap();
        assert_eq!(FileLock::exclusive(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(FileLock::shared(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(held);
        let _first = FileLock::shared(&path).unwrap();
        let _second = FileLock::shared(&path).unwrap();
        assert_eq!(FileLock::exclusive(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    }
}
