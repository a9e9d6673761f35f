//! Free space of a volume.

use std::io;
use std::path::Path;

/// Bytes that a program without special rights may still write on the volume of `path`; for a path that does not exist yet, on that of
/// its nearest existing folder.
///
/// # Errors
/// Any error of the file system; `NotFound` when not even a root exists.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let absolute = std::path::absolute(path)?;
    let existing = absolute.ancestors().find(|place| place.exists()).ok_or(io::ErrorKind::NotFound)?;
    fs4::available_space(existing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_found_for_a_folder_that_does_not_exist_yet() {
        let folder = tempfile::tempdir().unwrap();
        let here = free_bytes(folder.path()).unwrap();
        let deeper = free_bytes(&folder.path().join("not/yet/there")).unwrap();
        assert!(here > 0 && deeper > 0);
    }
}
