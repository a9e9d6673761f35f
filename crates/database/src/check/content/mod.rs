//! What the leaves of data trees hold: records, index entries, long values (rule I30), and how they fit each other.

mod long_values;
mod rows;

pub(super) use long_values::LongValues;

use super::leaf::Line;
use super::ledger::{Ledger, hash};
use crate::catalog::{Column, Index, Table};
use anchorlog_format::data::column::Fid;
use anchorlog_format::data::long_value::LongValueId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// A table while it is checked: what its records call for, and what its other trees have.
pub(super) struct TableWork<'t> {
    pub table: &'t Table,
    columns: Columns<'t>,
    pub indexes: Vec<IndexWork<'t>>,
    /// Long values that records refer to, once for each reference.
    pub references: Ledger,
    /// Long values of the tree, as often as they count references.
    pub values: Ledger,
    /// The column whose values the engine counts up, and its highest value.
    counter: Option<&'t Column>,
    highest: AtomicU64,
}

impl<'t> TableWork<'t> {
    pub(super) fn of(table: &'t Table) -> Self {
        Self {
            table,
            columns: Columns::of(table),
            indexes: table.secondaries().map(IndexWork::of).collect(),
            references: Ledger::new(),
            values: Ledger::new(),
            counter: table.columns.iter().map(AsRef::as_ref).find(|column| column.flags.is_autoincrement()),
            highest: AtomicU64::new(0),
        }
    }
    /// An entry of the index with this number.
    pub(super) fn entry(&self, index: usize, line: &Line<'_>) {
        if let Some(index) = self.indexes.get(index) {
            index.found.add(hash(line.key, line.data), 1);
            index.bookmarks_found.add(hash(line.data, b""), 1);
        }
    }
    /// The highest value of the column that the engine counts up, and its name.
    pub(super) fn highest(&self) -> Option<(u64, &'t str)> {
        self.counter.map(|column| (self.highest.load(Relaxed), &column.name[..]))
    }
}

/// The hash under which a long value is counted.
pub(super) fn hash_of(id: LongValueId) -> u64 {
    hash(&id.key(), b"")
}

/// A secondary index: the entries that records call for, and those that are there.
pub(super) struct IndexWork<'t> {
    pub index: &'t Index,
    knowledge: AtomicU8,
    pub wanted: Ledger,
    pub found: Ledger,
    pub bookmarks_wanted: Ledger,
    pub bookmarks_found: Ledger,
}

/// What is known of the entries that an index should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Knowledge {
    /// Keys with bookmarks.
    Entries,
    /// Bookmarks: each record has one entry or none, whose key cannot be told.
    Bookmarks,
    /// Nothing (traps R31, K26).
    Nothing,
}

impl<'t> IndexWork<'t> {
    fn of(index: &'t Index) -> Self {
        let work = Self {
            index,
            knowledge: AtomicU8::new(0),
            wanted: Ledger::new(),
            found: Ledger::new(),
            bookmarks_wanted: Ledger::new(),
            bookmarks_found: Ledger::new(),
        };
        if index.flags.is_deferred() {
            work.know_at_most(Knowledge::Nothing);
        }
        work
    }
    pub(super) fn knowledge(&self) -> Knowledge {
        match self.knowledge.load(Relaxed) {
            0 => Knowledge::Entries,
            1 => Knowledge::Bookmarks,
            _ => Knowledge::Nothing,
        }
    }
    pub(super) fn know_at_most(&self, knowledge: Knowledge) {
        self.knowledge.fetch_max(knowledge as u8, Relaxed);
    }
}

/// The columns of a table, found by number.
struct Columns<'t> {
    fixed: Vec<&'t Column>,
    variable: Vec<&'t Column>,
    /// By number, and whether the column is the template's.
    tagged: HashMap<(Fid, bool), &'t Column>,
}

impl<'t> Columns<'t> {
    fn of(table: &'t Table) -> Self {
        let all = || table.columns.iter().map(AsRef::as_ref);
        Self {
            fixed: all().filter(|column| column.fid.is_fixed()).collect(),
            variable: all().filter(|column| !column.fid.is_fixed() && !column.fid.is_tagged()).collect(),
            tagged: all().filter(|column| column.fid.is_tagged()).map(|column| ((column.fid, column.derived), column)).collect(),
        }
    }
}
