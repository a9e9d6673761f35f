//! Secondary indexes: their entries in order.

use crate::catalog::Index;
use crate::cursor::Scan;
use crate::database::Database;
use crate::error::Error;

/// One entry: the normalised key, and the bookmark, which is the record's primary key (trap K15).
#[derive(Clone, Copy, Debug)]
pub struct IndexEntry<'a> {
    /// Key of the index.
    pub key: &'a [u8],
    /// Key of the record.
    pub bookmark: &'a [u8],
}

/// The entries of an index.
pub struct Entries<'d>(Scan<'d>);

impl<'d> Entries<'d> {
    /// From the first on.
    #[must_use]
    pub fn new(database: &'d Database, index: &Index) -> Self {
        Self(Scan::new(database, index.tree))
    }
    /// The next entry. An error stands for what could not be read.
    #[allow(clippy::should_implement_trait, reason = "entries borrow from the scan")]
    pub fn next(&mut self) -> Option<Result<IndexEntry<'_>, Error>> {
        let entry = self.0.next()?;
        Some(entry.map(|entry| IndexEntry { key: entry.key, bookmark: entry.data }))
    }
}
