//! Secondary indexes against the records: every entry that belongs there, and no other (`db-6 §21`).
//!
//! Two sums over hashes are compared, one of what the records call for, one of what the index holds, so that neither list is kept.

use super::walk::Line;
use super::{Check, Kind, Member};
use crate::catalog::{Index, Table};
use crate::error::Error;
use crate::keys::{NoKeys, keys};
use anchorlog_format::data::record::Record;
use anchorlog_format::jet::JetCode;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A list as two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    sum: u64,
}

impl Sum {
    fn add(&mut self, item: impl Hash) {
        let mut hasher = DefaultHasher::new();
        item.hash(&mut hasher);
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

/// What the records of a table call for in one of its indexes.
pub(super) struct Expected {
    /// Keys with bookmarks, as long as all could be told.
    entries: Option<Sum>,
    /// Bookmarks, as long as each record was known to have one entry or none.
    bookmarks: Option<Sum>,
}

impl Expected {
    /// For an index whose entries are complete (trap K26).
    pub(super) fn of(index: &Index) -> Self {
        let known = (!index.flags.is_deferred()).then(Sum::default);
        Self { entries: known, bookmarks: known }
    }
    /// For an index of which nothing is known (traps R31, K26).
    pub(super) const fn nothing() -> Self {
        Self { entries: None, bookmarks: None }
    }
    fn add(&mut self, keys: Result<std::collections::BTreeSet<Vec<u8>>, NoKeys>, bookmark: &[u8]) {
        match keys {
            Ok(keys) => {
                if let Some(entries) = &mut self.entries {
                    keys.iter().for_each(|key| entries.add((&key[..], bookmark)));
                }
                if let Some(bookmarks) = &mut self.bookmarks {
                    keys.iter().for_each(|_| bookmarks.add(bookmark));
                }
            }
            Err(NoKeys::Unpredictable { entries: Some(count) }) => {
                self.entries = None;
                if let Some(bookmarks) = &mut self.bookmarks {
                    (0..count).for_each(|_| bookmarks.add(bookmark));
                }
            }
            Err(NoKeys::Unpredictable { entries: None } | NoKeys::Unreadable) => {
                self.entries = None;
                self.bookmarks = None;
            }
        }
    }
}

impl Check<'_, '_> {
    /// Adds a record to what is expected of each index.
    pub(super) fn expect(&self, table: &Table, record: &Record<'_>, line: &Line<'_>, expected: &mut [Expected]) {
        for (index, expected) in table.secondaries().zip(expected) {
            if expected.entries.is_some() || expected.bookmarks.is_some() {
                expected.add(keys(self.database, table, index, record), line.key);
            }
        }
    }
    /// Walks an index and compares.
    pub(super) fn index(&mut self, table: &Table, index: &Index, expected: &Expected) {
        let name = format!("{}, index {}", table.name, index.name);
        let kind = Kind::Index { unique: index.flags.is_unique() };
        let member = Member { name, tree: index.tree, kind, parent: table.tree.root };
        let (mut entries, mut bookmarks) = (Sum::default(), Sum::default());
        let errors = self.report.counts.errors;
        self.member(&member, &mut |_, line| {
            entries.add((line.key, line.data));
            bookmarks.add(line.data);
        });
        self.report.counts.index_entries += entries.count;
        if self.report.counts.errors > errors {
            // What is damaged has been said; that it does not fit the records follows from it.
            return;
        }
        let counts = &mut self.report.counts;
        let (wanted, found, proved) = match (expected.entries, expected.bookmarks) {
            (Some(wanted), _) => (wanted, entries, &mut counts.indexes_proved),
            (None, Some(wanted)) => (wanted, bookmarks, &mut counts.indexes_proved_by_bookmark),
            (None, None) => {
                counts.indexes_not_proved += 1;
                return;
            }
        };
        *proved += 1;
        if wanted != found {
            let message = if wanted.count == found.count {
                format!("its {} entries are not those that the records call for", found.count)
            } else {
                format!("it has {} entries, but the records call for {}", found.count, wanted.count)
            };
            self.report.rule(Error::new(self.at(&member), JetCode::SECONDARY_INDEX_CORRUPTED, message));
        }
    }
}
