//! Copies of files: shared extents where the file system can do it, bytes elsewhere.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How a file was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Its extents are shared with the source until one of them changes: it took no time and no space.
    Reflinked,
    /// Byte by byte; how many.
    Bytes(u64),
}

/// Bytes between two looks at whether to go on.
const CHUNK: usize = 1 << 20;

/// Makes `to` a writable copy of `from`; folders on the way are made. The source's rights are taken over, its times are not. `each` sees
/// the bytes in order, whichever way they are copied, and ends the copy by returning `false`.
///
/// # Errors
/// `AlreadyExists`, `Interrupted` when `each` said so, and any error of the file system; a copy begun is removed then.
pub fn copy_file(from: &Path, to: &Path, each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<Copied> {
    if to.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists already", to.display())));
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let copied = copy(from, to, each).and_then(|copied| {
        fs::set_permissions(to, fs::metadata(from)?.permissions())?;
        make_writable(to)?;
        Ok(copied)
    });
    if copied.is_err() {
        // What is left of a failed copy is of no use; the error of the copy is the one that counts.
        let _ = fs::remove_file(to);
    }
    copied
}

fn copy(from: &Path, to: &Path, each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<Copied> {
    if reflink_copy::reflink(from, to).is_ok() {
        read_file(to, each)?;
        return Ok(Copied::Reflinked);
    }
    let mut target = private(to)?;
    let mut size = 0;
    let mut failed = None;
    read_file(from, &mut |chunk| {
        size += chunk.len() as u64;
        // Holes stay holes.
        let written = if chunk.iter().all(|&byte| byte == 0) {
            target.seek(SeekFrom::Start(size)).map(|_| ())
        } else {
            target.write_all(chunk)
        };
        failed = written.err();
        failed.is_none() && each(chunk)
    })
    .map_err(|error| failed.take().unwrap_or(error))?;
    target.set_len(size)?;
    Ok(Copied::Bytes(size))
}

/// Until it has the rights of its source nobody else may read a copy.
fn private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Reads a whole file in pieces; `each` ends it by returning `false`.
///
/// # Errors
/// `Interrupted` when `each` said so, and any error of the file system.
pub fn read_file(path: &Path, each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) if each(&buffer[..read]) => {}
            Ok(_) => return Err(io::ErrorKind::Interrupted.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
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
        copy_file(&from, &to, &mut |_| true).unwrap();
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
        assert_eq!(copy_file(&from, &to, &mut |_| true).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"old");
    }

    #[test]
    fn a_failed_copy_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        assert!(copy_file(&folder.path().join("missing"), &to, &mut |_| true).is_err());
        assert!(!to.exists());
    }

    #[test]
    fn a_copy_shows_its_bytes_keeps_its_holes_and_can_be_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut bytes = vec![0; 3 * CHUNK + 5];
        bytes[CHUNK + 7] = 9;
        fs::write(&from, &bytes).unwrap();
        let mut seen = Vec::new();
        copy_file(&from, &to, &mut |chunk| {
            seen.extend_from_slice(chunk);
            true
        })
        .unwrap();
        assert!(seen == bytes && fs::read(&to).unwrap() == bytes);
        fs::remove_file(&to).unwrap();
        let mut left = 2;
        let error = copy_file(&from, &to, &mut |_| {
            left -= 1;
            left > 0
        });
        assert_eq!((error.unwrap_err().kind(), to.exists()), (io::ErrorKind::Interrupted, false));
    }

    #[cfg(unix)]
    #[test]
    fn a_copy_can_be_read_by_nobody_who_could_not_read_its_source() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, b"secret").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o400)).unwrap();
        copy_file(&from, &to, &mut |_| true).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
