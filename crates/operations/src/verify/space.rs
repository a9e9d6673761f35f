//! The space of a database by table and index: what each owns, and what of it is available.

use anchorlog_database::catalog::Catalog;
use anchorlog_database::cursor::Tree;
use anchorlog_database::database::Database;
use anchorlog_database::error::Error;
use anchorlog_database::space::Space;
use anchorlog_format::finding::Finding;
use anchorlog_format::space::DATABASE_ROOT;
use serde::Serialize;

/// The space of a database.
#[derive(Clone, Debug, Serialize)]
pub struct SpaceReport {
    /// The file.
    pub path: String,
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages that the database owns.
    pub owned: u64,
    /// Pages that are available in some tree.
    pub available: u64,
    /// Pages that are kept out of use.
    pub shelved: u64,
    /// The database itself, then its tables by name, each with its long values and its indexes behind it.
    pub trees: Vec<TreeSpace>,
    /// Trees whose space could not be read.
    pub findings: Vec<Finding>,
}

/// What a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeKind {
    /// The database's root, which owns everything.
    Database,
    /// The records of a table.
    Table,
    /// The long values of the table before it.
    LongValues,
    /// An index of the table before it.
    Index,
}

/// The space of one tree.
#[derive(Clone, Debug, Serialize)]
pub struct TreeSpace {
    /// What it is.
    pub kind: TreeKind,
    /// Name of the table or the index.
    pub name: String,
    /// Pages it owns, those of the trees below it included.
    pub owned: u64,
    /// Its own pages that are available.
    pub available: u64,
    /// Pages owned by the table that it belongs to.
    pub table_owned: u64,
    /// Highest auto-increment value given out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_increment: Option<u64>,
}

impl SpaceReport {
    /// Reads the space of every tree; `path` names the file.
    #[must_use]
    pub fn of(database: &Database, path: &str) -> Self {
        let mut report = Self {
            path: path.to_owned(),
            page_size: database.page_size().bytes_u64(),
            owned: 0,
            available: 0,
            shelved: 0,
            trees: Vec::new(),
            findings: Vec::new(),
        };
        report.add(database, TreeKind::Database, "database", Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid }, 0);
        report.owned = report.trees.first().map_or(0, |root| root.owned);
        let catalog = Catalog::read(database);
        let mut tables = catalog.by_name();
        // As people look for names, whatever their case.
        tables.sort_by_key(|table| table.name.to_lowercase());
        for table in tables.into_iter().filter(|table| table.tree.objid != DATABASE_ROOT.objid) {
            let owned = report.add(database, TreeKind::Table, &table.name, table.tree, 0);
            if let Some(tree) = table.long_values {
                report.add(database, TreeKind::LongValues, "[Long Values]", tree, owned);
            }
            for index in table.secondaries() {
                report.add(database, TreeKind::Index, &index.name, index.tree, owned);
            }
        }
        report
    }

    /// Adds a tree; what it owns. `table_owned` is what its table owns, 0 for the table itself.
    fn add(&mut self, database: &Database, kind: TreeKind, name: &str, tree: Tree, table_owned: u64) -> u64 {
        let space = match Space::read(database, tree) {
            Ok(space) => space,
            Err(error) => {
                self.findings.push(finding(error, name));
                return 0;
            }
        };
        self.findings.extend(space.errors.iter().cloned().map(|error| finding(error, name)));
        let owned = space.owned_pages();
        let available = space.available_pages();
        self.shelved += space.shelved_pages();
        self.available += available;
        let table_owned = if table_owned == 0 { owned } else { table_owned };
        let name = name.to_owned();
        self.trees.push(TreeSpace { kind, name, owned, available, table_owned, auto_increment: space.auto_increment });
        owned
    }
}

fn finding(mut error: Error, name: &str) -> Finding {
    error.place.object.get_or_insert_with(|| name.to_owned());
    error.finding()
}
