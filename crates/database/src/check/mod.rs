//! Verifying a database: every page, every tree, every record and long value, and the space they lie in, by the numbered invariants of
//! `db-3 §18` ([`rule`]).
//!
//! First all pages are read in the order of the file and their checksums verified; then space is surveyed; then the trees are walked: one
//! thread goes over their inner pages and hands the leaves on in batches, the others read those and decode what they hold. Whatever
//! the threads do, findings come out in the same order: that of the file, then that of the trees.
//!
//! Memory: the page cache that the database was opened with, the schema, the extents of all trees, four bits for each page, and for each
//! thread a quarter of a MiB of pages with four batches of leaves waiting (a batch names 64 pages of 4 KiB, or all of one long value).
//!
//! On a dirty database trees and space may break their rules without being damaged (trap D34): such findings are warnings there.

mod compare;
mod content;
mod flush;
mod gate;
mod header;
mod inner;
mod lands;
mod leaf;
mod ledger;
mod member;
mod object_map;
mod ordered;
mod pages;
mod report;
pub mod rule;
mod scan;
mod shadow;
mod source;
mod space;
mod spans;
mod trees;

/// What [`gate`] is made of.
mod sync {
    pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
}

pub use flush::FlushMap;

use crate::catalog::Catalog;
use crate::cursor::Tree;
use crate::database::Database;
use crate::space::Space;
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::space::{CATALOG, CATALOG_SHADOW, DATABASE_ROOT, FixedTree};
use anchorlog_format::units::{Dbtime, PageNumber};
use pages::PageSet;
use report::Report;
use rule::Breaks as _;
use scan::{Owner, Scanned};
use serde::Serialize;
use std::num::NonZero;

/// What a check saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pages read.
    pub pages: u64,
    /// Pages whose bytes are all zero.
    pub uninitialised: u64,
    /// Pages whose checksum does not hold, copies of the header included.
    pub bad_checksums: u64,
    /// Pages with single flipped bits that the checksum locates.
    pub correctable: u64,
    /// Large pages that carry another number.
    pub wrong_numbers: u64,
    /// The highest page time.
    pub highest_dbtime: Dbtime,
    /// The page that has it.
    pub highest_dbtime_page: PageNumber,
    /// Trees walked.
    pub trees: u64,
    /// Pages of trees.
    pub tree_pages: u64,
    /// Rows decoded.
    pub rows: u64,
    /// Long values read whole.
    pub long_values: u64,
    /// Entries of secondary indexes.
    pub index_entries: u64,
    /// Secondary indexes whose every entry was held against the records.
    pub indexes_proved: u64,
    /// Secondary indexes on text whose keys cannot be told, held against the records by their bookmarks.
    pub indexes_proved_by_bookmark: u64,
    /// Secondary indexes that were not held against the records.
    pub indexes_not_proved: u64,
    /// Pages available in some tree, those that the bits of a single extent cannot name included.
    pub available: u64,
    /// Pages that the database's root keeps out of use.
    pub shelved: u64,
    /// Pages that are owned, but neither used nor available.
    pub leaked: u64,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warning.
    pub warnings: u64,
    /// Findings of severity note.
    pub notes: u64,
}

impl Counts {
    fn add_pages(&mut self, other: &Self) {
        self.pages += other.pages;
        self.uninitialised += other.uninitialised;
        self.bad_checksums += other.bad_checksums;
        self.correctable += other.correctable;
        self.wrong_numbers += other.wrong_numbers;
        self.saw_dbtime(other.highest_dbtime, other.highest_dbtime_page);
    }
    fn saw_dbtime(&mut self, dbtime: Dbtime, page: PageNumber) {
        // Values from the very top mark pages that a shrink or a revert made.
        if dbtime > self.highest_dbtime && dbtime < Dbtime::REVERTED_ROOT {
            self.highest_dbtime = dbtime;
            self.highest_dbtime_page = page;
        }
    }
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Headers, and the checksum of every page: what `eseutil /k` does.
    Checksums,
    /// Headers, space, catalog, and the inner pages of every tree: a small part of the file.
    Quick,
    /// Everything.
    #[default]
    Full,
}

/// How to check.
#[derive(Clone, Default)]
pub struct Options {
    /// How much is looked at.
    pub depth: Depth,
    /// Threads; none for as many as there are processors.
    pub threads: Option<NonZero<usize>>,
    /// The flush map beside the database, where it can be trusted.
    pub flush_map: Option<FlushMap>,
}

/// Follows a check.
pub trait Watch {
    /// A finding was made.
    fn finding(&mut self, finding: Finding);
    /// So much of a phase is done. `false` ends the check: what was found so far stands.
    fn progress(&mut self, phase: &'static str, done: u64, total: u64) -> bool {
        let _ = (phase, done, total);
        true
    }
}

/// Takes findings alone.
struct Sink<'s>(&'s mut dyn FnMut(Finding));

impl Watch for Sink<'_> {
    fn finding(&mut self, finding: Finding) {
        (self.0)(finding);
    }
}

/// Checks everything, on all processors, and hands each finding to `sink`.
pub fn check(database: &Database, sink: &mut dyn FnMut(Finding)) -> Counts {
    check_with(database, &Options::default(), &mut Sink(sink))
}

/// Checks a database as `options` say.
pub fn check_with(database: &Database, options: &Options, watch: &mut dyn Watch) -> Counts {
    let dirty = database.header().header.state.is_dirty();
    let mut report = Report::new(watch, dirty, database.place());
    if database.header().header.is_temporary() {
        header::temporary(database, &mut report);
        return report.counts;
    }
    header::header(database, options.depth == Depth::Checksums, &mut report);
    let trailer = header::trailer(database, &mut report);
    let last_owned = last_owned(database);
    let threads = options.threads.map_or_else(processors, NonZero::get);
    let scanned = if options.depth == Depth::Quick {
        Scanned::nothing(database)
    } else {
        scan::scan(database, threads, options.flush_map.as_ref(), trailer, last_owned, &mut report)
    };
    if options.depth == Depth::Checksums || !scanned.complete {
        for page in scanned.bad.iter() {
            scan::bad_page(database, page, last_owned, Owner::Unknown, &mut report);
        }
        return report.counts;
    }
    header::file_size(database, last_owned, trailer, &mut report);
    let catalog = catalog(database, &scanned.good, last_owned, &mut report);
    let walk = trees::Trees { database, catalog: &catalog, good: &scanned.good, last_owned, depth: options.depth, threads };
    let Some(seen) = walk.check(&mut report) else { return report.counts };
    if !seen.catalog_broken {
        shadow::compare(database, &mut report);
        if !report.dirty {
            object_map::compare(database, &catalog, &mut report);
        }
    }
    // Walking the tree that leads to a page has said what is wrong with it.
    for page in scanned.bad.iter().filter(|&page| !seen.used.contains(page)) {
        let owner = if seen.holes { Owner::Unknown } else { Owner::Nothing };
        scan::bad_page(database, page, last_owned, owner, &mut report);
    }
    report.counts
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The last page that the database owns: beyond it anything may lie (trap D7 of db-1). Where that cannot be told, the last of the file.
fn last_owned(database: &Database) -> PageNumber {
    let root = Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid };
    let space = Space::read(database, root).ok().filter(|space| space.errors.is_empty());
    space.and_then(|space| space.last_owned()).unwrap_or(PageNumber(database.pages()))
}

/// Reads the schema: from the copy of the catalog where only that is whole, and otherwise with what the copy has beside it.
fn catalog(database: &Database, good: &PageSet, last_owned: PageNumber, report: &mut Report<'_>) -> Catalog {
    let mut catalog = Catalog::read(database);
    let mut findings = report.findings();
    let whole = |tree: &FixedTree, read: &Catalog| {
        let listed = read.errors.is_empty() && read.tables.contains_key(&CATALOG.objid);
        listed && trees::Trees::is_whole(database, good, last_owned, tree)
    };
    let is_whole = whole(&CATALOG, &catalog);
    for error in std::mem::take(&mut catalog.errors) {
        // What is wrong with its pages is for whoever walks its tree.
        if error.jet == JetCode::CATALOG_CORRUPTED {
            findings.rule(&error.breaks(rule::CONTENT));
        }
    }
    if !is_whole {
        let mut shadow = Catalog::read_shadow(database);
        if whole(&CATALOG_SHADOW, &shadow) {
            std::mem::swap(&mut catalog, &mut shadow);
        }
        for (objid, table) in shadow.tables {
            catalog.tables.entry(objid).or_insert(table);
        }
    }
    for objid in &catalog.leftovers {
        let message = format!("the catalog has rows of object {objid}, but no such table: left behind when it was dropped");
        findings.add(Finding::note(database.place().object("MSysObjects"), message).breaks(rule::CONTENT));
    }
    report.take(findings);
    catalog
}

/// A page that is older than the flush map knows.
const LOST: &str = "the page is older than the flush map knows: a write of it was lost";

#[cfg(test)]
mod gate_under_shuttle;
