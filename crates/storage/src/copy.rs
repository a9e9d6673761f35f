//! Copies of files: shared extents where the file system can do it, bytes elsewhere.

use std::fs;
use std::io;
use std::path::Path;

/// How a file was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Its extents are shared with the source until one of them changes: it took no time and no space.
    Reflinked,
    /// Byte by byte; how many.
    Bytes(u64),
}

/// Makes `to` a writable copy of `from`; folders on the way are made. The source's times and rights are not taken over.
///
/// # Errors
/// `AlreadyExists`, and any error of the file system; a copy begun is removed then.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<Copied> {
    if to.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists already", to.display())));
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let copied = reflink_copy::reflink_or_copy(from, to).and_then(|bytes| {
        make_writable(to)?;
        Ok(bytes.map_or(Copied::Reflinked, Copied::Bytes))
    });
    if copied.is_err() {
        // What is left of a failed copy is of no use; the error of the copy is the one that counts.
        let _ = fs::remove_file(to);
    }
    copied
}

/// A copy of a read-only file (a mounted image, a medium) is read-only as well; ours must be changed.
fn make_writable(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    if !permissions.readonly() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        permissions.set_mode(permissions.mode() | 0o200);
    }
    #[cfg(not(unix))]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_same_bytes_and_can_be_written_although_its_source_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("deep/er/to"));
        fs::write(&from, vec![3; 100_000]).unwrap();
        let mut permissions = fs::metadata(&from).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&from, permissions).unwrap();
        copy_file(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), vec![3; 100_000]);
        assert!(!fs::metadata(&to).unwrap().permissions().readonly());
        fs::write(&to, b"changed").unwrap();
        assert_eq!(fs::read(&from).unwrap(), vec![3; 100_000]);
    }

    #[test]
    fn an_existing_target_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, b"new").unwrap();
        fs::write(&to, b"old").unwrap();
        assert_eq!(copy_file(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"old");
    }

    #[test]
    fn a_failed_copy_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        assert!(copy_file(&folder.path().join("missing"), &to).is_err());
        assert!(!to.exists());
    }
}
