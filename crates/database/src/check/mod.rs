//! Verifying a database: every page, every tree, every record and long value, and the space they lie in.
//!
//! Findings stream out as they are made; nothing stops at the first. The trees come first, because only they tell which pages matter
//! (trap D25); then every page of the file is read and its checksum verified. Memory is that of the page cache, the schema, and two bits
//! for each page.
//!
//! On a dirty database trees and space may break their rules without being damaged (trap D34): such findings are warnings there.

mod content;
mod index;
mod pages;
mod report;
mod scan;
mod space;
mod walk;

use crate::cache::PageFault;
use crate::catalog::{Catalog, Table};
use crate::cursor::Tree;
use crate::database::Database;
use crate::error::Error;
use anchorlog_format::database::header::Copies;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::space::{CATALOG, CATALOG_SHADOW, DATABASE_ROOT};
use anchorlog_format::units::{ObjectId, PageNumber};
use pages::PageSet;
use report::Report;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a check saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pages read.
    pub pages: u64,
    /// Pages whose bytes are all zero.
    pub uninitialised: u64,
    /// Pages whose checksum does not hold.
    pub bad_checksums: u64,
    /// Pages with single flipped bits that the checksum locates.
    pub correctable: u64,
    /// Large pages that carry another number.
    pub wrong_numbers: u64,
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
    /// Pages available in some tree.
    pub available: u64,
    /// Pages that are owned, but neither used nor available.
    pub leaked: u64,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warning.
    pub warnings: u64,
    /// Findings of severity note.
    pub notes: u64,
}

/// Checks a database and hands each finding to `sink`.
pub fn check(database: &Database, sink: &mut dyn FnMut(Finding)) -> Counts {
    let mut check = Check::new(database, sink);
    if database.header().header.is_temporary() {
        check.temporary();
        return check.report.counts;
    }
    check.header();
    check.database_root();
    let catalog = check.catalog();
    for table in catalog.tables.values() {
        check.table(table);
    }
    check.shadow();
    check.accounts();
    check.scan();
    check.report.counts
}

/// Flag of the header: the catalog has no copy.
const SHADOWING_DISABLED: u32 = 1;

/// A check while it runs.
struct Check<'d, 's> {
    database: &'d Database,
    report: Report<'s>,
    /// Pages that trees lead to.
    used: PageSet,
    /// Pages that trees say are available.
    available: PageSet,
    /// Pages that are in no list and in no tree without being lost: split buffers, and what lies behind the bits of a single extent.
    set_aside: PageSet,
    /// Pages whose own damage has been reported.
    reported: PageSet,
    /// Root page to object id of every tree walked: two trees never share a root (I49).
    roots: BTreeMap<PageNumber, ObjectId>,
    /// The last page that the database owns; beyond it anything may lie (trap D7 of db-1).
    last_owned: PageNumber,
}

/// What a tree is, and what its pages must therefore be.
#[derive(Clone)]
struct Member {
    /// In messages.
    name: String,
    tree: Tree,
    kind: Kind,
    /// Root of the tree that gives it space.
    parent: PageNumber,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The database's root: no data.
    Database,
    Table,
    Index {
        unique: bool,
    },
    LongValues,
    /// Owned or available extents.
    Space,
}

impl<'d, 's> Check<'d, 's> {
    fn new(database: &'d Database, sink: &'s mut dyn FnMut(Finding)) -> Self {
        let pages = database.pages();
        Self {
            database,
            report: Report::new(sink, database.header().header.state.is_dirty()),
            used: PageSet::new(pages),
            available: PageSet::new(pages),
            set_aside: PageSet::new(pages),
            reported: PageSet::new(pages),
            roots: BTreeMap::new(),
            last_owned: PageNumber(pages),
        }
    }
    /// Trap D28 of db-1: such a file looks like a database, but its pages carry no checksums, and nothing can ever be read from it.
    fn temporary(&mut self) {
        let message = "a temporary database: it held sorted rows of a running engine, and is of no use without it";
        self.report.finding(
            Finding::error(self.database.place(), JetCode::DATABASE_DIRTY_SHUTDOWN, message)
                .with_hint("leave it out; the engine makes a new one"),
        );
    }
    fn header(&mut self) {
        let place = self.database.place();
        let damaged = |which: &str, other: &str| {
            let message = format!("the {which} copy of the header is damaged; the {other} one was taken");
            Finding::error(place.clone(), JetCode::READ_VERIFY_FAILURE, message)
        };
        match self.database.copies() {
            Copies::BothGood => {}
            Copies::Different => {
                self.report.finding(Finding::warning(place.clone(), "the two copies of the header differ; the first one holds"));
            }
            Copies::ShadowDamaged => self.report.finding(damaged("second", "first")),
            Copies::PrimaryDamaged => self.report.finding(damaged("first", "second")),
        }
        for rule in self.database.header().header.broken_rules() {
            self.report.finding(Finding::warning(place.clone(), format!("header: {rule}")));
        }
        if self.report.dirty {
            let message = "the database is dirty: its trees are whole only after recovery";
            self.report.finding(Finding::note(place, message).with_jet(JetCode::DATABASE_DIRTY_SHUTDOWN));
        }
    }
    fn database_root(&mut self) {
        let tree = Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid };
        let member = Member { name: "database".into(), tree, kind: Kind::Database, parent: PageNumber::NONE };
        self.member(&member, &mut |_, _| {});
    }
    /// Reads the schema; where the catalog is damaged, tables that only its copy has are added.
    fn catalog(&mut self) -> Catalog {
        let mut catalog = Catalog::read(self.database);
        for error in std::mem::take(&mut catalog.errors) {
            self.report.rule(error);
        }
        let lists_itself = catalog.tables.contains_key(&CATALOG.objid);
        if !lists_itself || self.report.counts.errors > 0 {
            let shadow = Catalog::read_shadow(self.database);
            for (objid, table) in shadow.tables {
                catalog.tables.entry(objid).or_insert(table);
            }
        }
        for objid in &catalog.leftovers {
            let message = format!("the catalog has rows of object {objid}, but no such table");
            self.report.finding(Finding::warning(self.database.place().object("MSysObjects"), message));
        }
        catalog
    }
    fn table(&mut self, table: &Table) {
        let parent = if table.tree.objid == DATABASE_ROOT.objid { PageNumber::NONE } else { DATABASE_ROOT.root };
        let member = Member { name: table.name.clone(), tree: table.tree, kind: Kind::Table, parent };
        let errors = self.report.counts.errors;
        let (references, expected) = self.rows(&member, table);
        let whole = self.report.counts.errors == errors;
        for (index, expected) in table.secondaries().zip(&expected) {
            // Where records could not be read, what they call for is not known.
            let nothing = index::Expected::nothing();
            self.index(table, index, if whole { expected } else { &nothing });
        }
        if let Some(tree) = table.long_values {
            let name = format!("{}, long values", table.name);
            let member = Member { name, tree, kind: Kind::LongValues, parent: table.tree.root };
            self.long_values(&member, table, references);
        }
    }
    /// The copy of the catalog has the same rows, or none (trap R20).
    fn shadow(&mut self) {
        let disabled = self.database.header().header.flags & SHADOWING_DISABLED != 0;
        let digest = |root, objid| content::digest(self.database, Tree { root, objid });
        let catalog = digest(CATALOG.root, CATALOG.objid);
        let shadow = digest(CATALOG_SHADOW.root, CATALOG_SHADOW.objid);
        if let (Some(catalog), Some(shadow)) = (catalog, shadow)
            && catalog != shadow
            && !(disabled && shadow.entries == 0)
        {
            let message =
                format!("the copy of the catalog differs from the catalog: {} rows and {}", shadow.entries, catalog.entries);
            self.report.finding(Finding::warning(self.database.place().object("MSysObjectsShadow"), message));
        }
    }
    fn at(&self, member: &Member) -> Place {
        self.database.place().object(member.name.clone())
    }
    /// A page that cannot be had: reported once, however many ways lead to it.
    fn unreadable(&mut self, member: &Member, page: PageNumber, mut error: Error) {
        if self.reported.insert(page) {
            error.place.object = Some(member.name.clone());
            // A crash leaves links to pages that were never written (trap D24): redo makes them.
            let unwritten = error.jet == PageFault::Uninitialised.jet() || error.jet == PageFault::BeyondEnd.jet();
            if unwritten { self.report.rule(error) } else { self.report.page(error) }
        }
    }
}
