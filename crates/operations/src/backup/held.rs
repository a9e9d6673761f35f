//! Whether something has a file open (P1), and whether it is the same file as before (P12).
//!
//! Windows tells: a file that is open for writing cannot be opened without sharing that. Elsewhere nothing tells reliably: there the header's
//! state, an advisory lock and the unchanged identity of the file count together, or the user's word.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// What identifies a file and its content, as far as the file system tells without reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    size: u64,
    modified: Option<std::time::SystemTime>,
    /// Volume and number of the file.
    file: Option<(u64, u64)>,
}

impl Identity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { size: metadata.len(), modified: metadata.modified().ok(), file: number(&metadata) })
    }
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// What an attempt to hold a file came to.
pub(super) enum Hold {
    /// Held: nobody else writes it, as far as the platform can keep others away.
    Held(Guard),
    /// Something has it open.
    InUse(String),
    /// The file system has no locks: nothing can be told.
    Unknown(String),
}

/// Keeps others away until it is dropped.
#[expect(dead_code, reason = "it is held, and never looked at")]
pub(super) enum Guard {
    Lock(anchorlog_storage::lock::FileLock),
    File(fs::File),
}

pub(super) fn hold(path: &Path) -> io::Result<Hold> {
    if cfg!(windows) {
        return match share_for_reading_only(path) {
            Ok(file) => Ok(Hold::Held(Guard::File(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
            Err(error) if matches!(error.raw_os_error(), Some(32 | 33)) => Ok(Hold::InUse("another program has it open".into())),
            Err(error) => Err(error),
        };
    }
    match anchorlog_storage::lock::FileLock::shared(path) {
        Ok(lock) => Ok(Hold::Held(Guard::Lock(lock))),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(Hold::InUse(error.to_string())),
        Err(error) if has_no_locks(&error) => Ok(Hold::Unknown(error.to_string())),
        Err(error) => Err(error),
    }
}

/// ENOLCK is what network file systems without a lock service say.
fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || (cfg!(target_os = "linux") && error.raw_os_error() == Some(37))
}

#[cfg(windows)]
fn share_for_reading_only(path: &Path) -> io::Result<fs::File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    const FILE_SHARE_READ: u32 = 1;
    fs::OpenOptions::new().read(true).share_mode(FILE_SHARE_READ).open(path)
}

#[cfg(not(windows))]
fn share_for_reading_only(path: &Path) -> io::Result<fs::File> {
    fs::File::open(path)
}

/// Who a file belongs to.
pub(crate) fn owner_of(path: &Path) -> crate::sets::Owner {
    let Ok(metadata) = fs::metadata(path) else { return crate::sets::Owner::default() };
    let seconds = |time: io::Result<std::time::SystemTime>| {
        let since = time.ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(format!("{}.{:09}", since.as_secs(), since.subsec_nanos()))
    };
    let owner = crate::sets::Owner {
        modified: seconds(metadata.modified()),
        created: seconds(metadata.created()),
        acl: acl_of(path),
        ..crate::sets::Owner::default()
    };
    rights(owner, &metadata)
}

/// File systems without such lists say so, and nothing is lost then.
#[cfg(unix)]
fn acl_of(path: &Path) -> Option<String> {
    xattr::get_deref(path, crate::sets::Owner::ACL).ok().flatten().map(hex::encode)
}

#[cfg(not(unix))]
fn acl_of(_: &Path) -> Option<String> {
    None
}

#[cfg(unix)]
fn rights(owner: crate::sets::Owner, metadata: &Metadata) -> crate::sets::Owner {
    use std::os::unix::fs::MetadataExt as _;
    crate::sets::Owner { uid: Some(metadata.uid()), gid: Some(metadata.gid()), mode: Some(metadata.mode() & 0o7777), ..owner }
}

#[cfg(windows)]
fn rights(owner: crate::sets::Owner, metadata: &Metadata) -> crate::sets::Owner {
    use std::os::windows::fs::MetadataExt as _;
    crate::sets::Owner { attributes: Some(metadata.file_attributes()), ..owner }
}

#[cfg(not(any(unix, windows)))]
fn rights(owner: crate::sets::Owner, _: &Metadata) -> crate::sets::Owner {
    owner
}
