//! Reading the log files of a stream by generation.

use crate::error::{ReplayError, Result};
use crate::stream::files::StreamFiles;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::header::{Expected, HEADER_SIZE, HeaderError, LogHeader};
use anchorlog_format::units::Generation;
use anchorlog_storage::{Folder, read_all};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of a stream, and where they are read.
#[derive(Clone)]
pub struct Logs {
    /// Where they are read.
    pub folder: Arc<dyn Folder>,
    /// The files.
    pub files: StreamFiles,
}

impl Logs {
    /// Reads a whole log file.
    ///
    /// # Errors
    /// Errors of the storage, with the file's name.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let named = |error: std::io::Error| ReplayError::from(error).in_file(path.display().to_string());
        let file = self.folder.open(path).map_err(named)?;
        read_all(&*file, FILE_SIZE_MAX).map_err(named)
    }
    /// The header of a log file, checked in the engine's order (`log-1 §4.2`); nothing else of the file is read.
    ///
    /// # Errors
    /// Errors of the storage, and the first check that fails, with its code; both with the file's name.
    pub fn header(&self, path: &Path, expected: &Expected) -> Result<LogHeader> {
        let (header, size) = self.look(path)?;
        let header = header.map_err(|error| refuse(error, path))?;
        header.compare(&Expected { file_size: Some(size), ..*expected }).map_err(|error| refuse(error, path))?;
        Ok(header)
    }
    /// What stands at the head of a log file, and the file's size.
    ///
    /// # Errors
    /// Errors of the storage, with the file's name.
    pub fn look(&self, path: &Path) -> Result<(std::result::Result<LogHeader, HeaderError>, u64)> {
        let named = |error: std::io::Error| ReplayError::from(error).in_file(path.display().to_string());
        let file = self.folder.open(path).map_err(named)?;
        let mut bytes = vec![0; HEADER_SIZE];
        let read = file.read_at(0, &mut bytes).map_err(named)?;
        Ok((LogHeader::check(&bytes[..read]), file.size().map_err(named)?))
    }
    /// The path of a generation: its archive, else the current log, whatever that holds.
    #[must_use]
    pub fn candidate(&self, generation: Generation) -> Option<&Path> {
        self.files.archives.get(&generation).or(self.files.current.as_ref()).map(PathBuf::as_path)
    }
    /// Whether a path is the current log.
    #[must_use]
    pub fn is_current(&self, path: &Path) -> bool {
        self.files.current.as_deref() == Some(path)
    }
    /// The highest archived generation.
    #[must_use]
    pub fn highest_archive(&self) -> Option<Generation> {
        self.files.archives.keys().next_back().copied()
    }
}

/// Opens a log file whose header was checked.
///
/// # Errors
/// As [`Logs::header`].
pub fn open<'a>(bytes: &'a [u8], path: &Path) -> Result<LogFile<'a>> {
    LogFile::open(bytes).map_err(|error| refuse(error, path))
}

/// The same, for bytes that the log keeps itself.
///
/// # Errors
/// As [`Logs::header`].
pub fn open_owned(bytes: Vec<u8>, path: &Path) -> Result<LogFile<'static>> {
    LogFile::open_owned(bytes).map_err(|error| refuse(error, path))
}

/// The error of a log that is not there.
#[must_use]
pub fn missing(jet: JetCode, reason: impl Into<String>) -> ReplayError {
    ReplayError::new(jet, reason)
}

fn refuse(error: HeaderError, path: &Path) -> ReplayError {
    // A file without a header is no missing log to the engine (trap Z17).
    let jet = if error == HeaderError::TooShort { JetCode::FILE_IO_BEYOND_EOF } else { error.jet() };
    ReplayError::new(jet, format!("the log {}: {error}", path.display())).in_file(path.display().to_string())
}
