//! The rows of clean databases, hashed from the source itself while it stands still: what drills compare restored databases with.

use super::copy::Follow;
use super::plan::Item;
use super::{Error, Sources};
use crate::sets::Contents;
use crate::sets::contents::{ContentsError, contents_of};
use anchorlog_storage::Folder as _;

/// What the databases held, and which could not be hashed.
#[derive(Default)]
pub(super) struct HashedRows {
    pub contents: Vec<Contents>,
    pub remarks: Vec<String>,
}

/// Hashes every row of these databases.
///
/// # Errors
/// A file that cannot be opened; the user's interruption. What in a database cannot be read is a remark: the set is as good as its source.
pub(super) fn hash_rows(databases: &[&Item], sources: &Sources, follow: &mut Follow<'_>) -> Result<HashedRows, Error> {
    let mut rows = HashedRows::default();
    for item in databases {
        let name = item.name.to_string();
        let file = sources.open(&item.place).map_err(|error| Error::Source(item.source.display().to_string(), error))?;
        match contents_of(file, name.clone(), &mut || follow.read(&name, 0)) {
            Ok(contents) => rows.contents.push(contents),
            Err(ContentsError::Interrupted) => return Err(Error::Interrupted),
            Err(ContentsError::Unreadable(why, _)) => rows.remarks.push(format!("rows could not be hashed: {why}")),
        }
    }
    Ok(rows)
}
