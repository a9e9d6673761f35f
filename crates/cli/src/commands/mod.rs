//! One module for each command: it calls the operation, renders what comes back, and chooses the exit code.

pub mod backup;
pub mod chain;
pub mod copy;
pub mod demo;
pub mod drill;
pub mod dump;
pub mod explain;
pub mod forget;
pub mod hard;
pub mod inspect;
pub mod monitor;
pub mod object_lock;
pub mod page;
pub mod proof_key;
#[cfg(feature = "prune")]
pub mod prune;
pub mod purge;
pub mod recover;
pub mod restore;
pub mod sets;
pub mod unlock;
pub mod vault;
pub mod verify;

use crate::exit::Trouble;
use anchorlog_storage::DiskFolder;
use std::path::{Path, PathBuf};

/// A file as a folder and a path in it, as the operations want it.
fn place_of(path: &Path) -> Result<(DiskFolder, PathBuf), Trouble> {
    let name = path.file_name().map(PathBuf::from);
    let name = name.ok_or_else(|| Trouble::usage(format!("{} names no file", path.display()), "Name a file."))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((DiskFolder::read_only(parent), name))
}
