//! What a database holds, as hashes of its canonical dump: the same of every faithful copy.

use super::proof::Contents;
use anchorlog_database::Database;
use anchorlog_database::canonical::{self, Tables};
use anchorlog_format::jet::JetCode;
use anchorlog_storage::File;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes of pages in memory.
const CACHE: usize = 64 << 20;

/// Why the contents of a database could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// Something in it cannot be read.
    #[error("{0}")]
    Unreadable(String, JetCode),
    /// The user interrupted it.
    #[error("interrupted")]
    Interrupted,
}

/// Hashes every row of every table of a database. `name`: what it is called in the result; `goes_on` ends it with `false`.
///
/// # Errors
/// [`ContentsError`]: something cannot be read, or it was interrupted.
pub fn contents_of(file: Arc<dyn File>, name: String, goes_on: &mut dyn FnMut() -> bool) -> Result<Contents, ContentsError> {
    let unreadable = |reason: String, jet| ContentsError::Unreadable(format!("{name}: {reason}"), jet);
    let database = Database::open(name.clone(), file, CACHE).map_err(|error| unreadable(error.to_string(), error.jet))?;
    let mut lines = Lines { digest: Sha256::new(), line: Vec::new(), first: true, tables: Vec::new(), count: 0, goes_on };
    for tables in [Tables::Users, Tables::Engines] {
        lines.begin();
        // Nothing but the interruption makes these lines fail.
        let summary = canonical::dump(&database, "", tables, &mut lines).map_err(|_| ContentsError::Interrupted)?;
        if let Some(error) = summary.errors.first() {
            return Err(unreadable(error.to_string(), error.jet));
        }
    }
    let Lines { digest, tables, .. } = lines;
    Ok(Contents { database: name, sha256: hex::encode(digest.finalize()), tables })
}

/// Hashes a dump line by line, and keeps the lines that end a table.
struct Lines<'a> {
    digest: Sha256,
    /// The start of the line being written: enough to know one that ends a table.
    line: Vec<u8>,
    /// Whether the line is the first, which names the file.
    first: bool,
    tables: Vec<(String, u64, String)>,
    /// Lines written.
    count: u64,
    goes_on: &'a mut dyn FnMut() -> bool,
}

/// The line that ends a table.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEnd {
    t: String,
    rows: u64,
    sha256: String,
}

impl Lines<'_> {
    /// Longer than the line that ends a table of the longest name can be.
    const KEPT: usize = 4096;
    /// Lines between two looks at whether it goes on.
    const LOOK: u64 = 1024;

    fn begin(&mut self) {
        self.first = true;
        self.line.clear();
    }
    fn end_line(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.first)
            && self.line.starts_with(b"{\"t\":")
            && let Ok(end) = serde_json::from_slice::<TableEnd>(&self.line)
        {
            self.tables.push((end.t, end.rows, end.sha256));
        }
        self.line.clear();
        self.count += 1;
        if self.count.is_multiple_of(Self::LOOK) && !(self.goes_on)() {
            return Err(io::Error::other("interrupted by the user"));
        }
        Ok(())
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            if !self.first {
                self.digest.update(part);
            }
            let room = Self::KEPT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.end_line()?;
            }
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
