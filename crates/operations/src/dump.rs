//! The canonical logical dump of a database: one JSON value a line, so that two databases are compared by a plain diff. Of a file, or of a
//! database in a set, which is not restored for it.

mod stored;

pub use stored::{Rows, dump_stored};

use anchorlog_database::canonical::{self, Summary};
use anchorlog_database::database::{CACHE_BYTES, Database};
use anchorlog_database::error::Error;
use anchorlog_format::jet::JetCode;
use anchorlog_storage::{File, Folder};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

pub use anchorlog_database::canonical::Tables;

/// Why a dump was not made, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file cannot be opened as a database.
    #[error(transparent)]
    Database(#[from] Error),
    /// Reading the file, or writing the dump, failed.
    #[error(transparent)]
    Storage(#[from] io::Error),
    /// The set has no such database, or it cannot be brought to a state that can be read.
    #[error("{reason}")]
    Set {
        /// What stands in the way.
        reason: String,
        /// Microsoft's code for it, where there is one.
        jet: Option<JetCode>,
    },
    /// The user interrupted it.
    #[error("interrupted")]
    Interrupted,
}

/// What a dump came to.
#[derive(Clone, Debug)]
pub struct Dumped {
    /// Counts, and what could not be read: the dump names each in its place.
    pub summary: Summary,
    /// Whether the database is dirty: its newest changes are then still in its logs, and not in the dump.
    pub dirty: bool,
}

/// Writes the dump of a database to `out`; the first line names it by its file name.
///
/// # Errors
/// [`DumpError`]. What cannot be read inside the database is no error: it is named in the dump and in the summary.
pub fn dump(folder: &dyn Folder, path: &Path, shown: &str, tables: Tables, out: &mut dyn Write) -> Result<Dumped, DumpError> {
    dump_file(folder.open(path)?, path, shown, tables, out)
}

fn dump_file(file: Arc<dyn File>, path: &Path, shown: &str, tables: Tables, out: &mut dyn Write) -> Result<Dumped, DumpError> {
    let database = Database::open(shown, file, CACHE_BYTES)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let dirty = database.header().header.state.is_dirty();
    Ok(Dumped { summary: canonical::dump(&database, &name, tables, out)?, dirty })
}
