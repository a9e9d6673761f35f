//! The list of all trees by their object ids, `MSysObjids`, against the catalog (rule I30; trap R35 of db-4).

use super::report::Report;
use super::rule::{self, Breaks as _};
use crate::catalog::{Catalog, Table};
use crate::cursor::Scan;
use crate::database::Database;
use crate::row::stored;
use anchorlog_format::data::record::{Record, RecordFormat, Stored};
use anchorlog_format::data::value::Value;
use anchorlog_format::finding::Finding;
use anchorlog_format::space::DATABASE_ROOT;
use std::collections::BTreeSet;

/// The table; databases of old have none, and its object id is not always the same (trap S2 of db-7).
const NAME: &str = "MSysObjids";
/// Differences that are named.
const NAMED: usize = 20;

/// A tree: its object id, that of its table, and the type of its row in the catalog.
type Tree = (i64, i64, i64);

/// Each tree is listed once. Microsoft's integrity check tells of differences, but its verdict stays good: engines make the list anew.
pub(super) fn compare(database: &Database, catalog: &Catalog, report: &mut Report<'_>) {
    let Some(table) = catalog.tables.values().find(|table| table.name == NAME) else { return };
    // What cannot be read has been said.
    let Some(listed) = listed(database, table) else { return };
    let named = trees(catalog);
    let place = database.place().object(NAME);
    let differences = named.symmetric_difference(&listed);
    for &(objid, of, kind) in differences.clone().take(NAMED) {
        let what = if listed.contains(&(objid, of, kind)) { "it lists" } else { "it does not list" };
        let message = format!("{what} object {objid} of table {of}, type {kind}, unlike the catalog");
        report.add(Finding::warning(place.clone(), message).breaks(rule::CONTENT));
    }
    let all = differences.count();
    if all > NAMED {
        report.add(Finding::note(place, format!("{all} objects differ in all")).breaks(rule::CONTENT));
    }
}

/// What the catalog names.
fn trees(catalog: &Catalog) -> BTreeSet<Tree> {
    let mut trees = BTreeSet::new();
    for table in catalog.tables.values().filter(|table| table.tree.objid != DATABASE_ROOT.objid) {
        let of = i64::from(table.tree.objid.0);
        trees.insert((of, of, 1));
        trees.extend(table.secondaries().map(|index| (i64::from(index.tree.objid.0), of, 3)));
        trees.extend(table.long_values.map(|tree| (i64::from(tree.objid.0), of, 4)));
    }
    trees
}

/// What the table lists; `None` where it cannot be read.
fn listed(database: &Database, table: &Table) -> Option<BTreeSet<Tree>> {
    let column = |name: &str| table.columns.iter().find(|column| column.name == name);
    let columns = [column("objid")?, column("objidTable")?, column("type")?];
    let mut trees = BTreeSet::new();
    let mut scan = Scan::new(database, table.tree);
    while let Some(entry) = scan.next() {
        let entry = entry.ok()?;
        let format = RecordFormat::of(database.page_size(), entry.page_flags.has_new_record_format());
        let record = Record::parse(entry.data, format).ok()?;
        let number = |at: usize| match stored(&record, columns[at]) {
            Ok(Stored::Value(value)) => match Value::decode(columns[at].kind, value.instance(0)?.data)? {
                Value::Number(number) => Some(number),
                _ => None,
            },
            _ => None,
        };
        trees.insert((number(0)?, number(1)?, number(2)?));
    }
    Some(trees)
}
