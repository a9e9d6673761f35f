//! The copy of the catalog has the rows of the catalog (rule I50), or none (trap R20).

use super::report::{Findings, Report};
use super::rule::{self, Breaks as _};
use crate::cursor::{Entry, Scan, Tree};
use crate::database::Database;
use crate::error::Error;
use anchorlog_format::data::catalog::columns::ROOT_SET_TIME;
use anchorlog_format::data::catalog::{CatalogRow, ObjectKind};
use anchorlog_format::data::record::{Record, RecordFormat};
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::space::{CATALOG, CATALOG_SHADOW, FixedTree};
use std::cmp::Ordering;

/// Flag of the header: the catalog has no copy.
const SHADOWING_DISABLED: u32 = 1;
/// Differences that are named.
const NAMED: usize = 20;

/// Goes through both trees side by side. As in Microsoft's integrity check, rows that only one of them has are an error, and so are rows that
/// do not describe the same; other differences are a warning. That a copy has a deleted column more is none.
pub(super) fn compare(database: &Database, report: &mut Report<'_>) {
    let place = database.place().object("MSysObjectsShadow");
    let mut findings = report.findings();
    match differences(database, &place, &mut findings) {
        // What cannot be read has been said.
        None => return,
        Some(Copied::Nothing) => {
            let disabled = database.header().header.flags & SHADOWING_DISABLED != 0;
            findings = report.findings();
            let message = "the copy of the catalog is empty";
            if disabled {
                findings.add(Finding::warning(place, message).breaks(rule::SHADOW));
            } else {
                findings.rule(&Error::new(place, JetCode::DATABASE_CORRUPTED, message).breaks(rule::SHADOW));
            }
        }
        Some(Copied::Rows { differing }) if differing > NAMED => {
            let message = format!("{differing} rows differ in all");
            findings.add(Finding::note(place, message).breaks(rule::SHADOW));
        }
        Some(Copied::Rows { .. }) => {}
    }
    report.take(findings);
}

/// What the copy is.
enum Copied {
    Nothing,
    Rows { differing: usize },
}

/// A row taken out of its page.
struct Row {
    key: Vec<u8>,
    data: Vec<u8>,
    format: RecordFormat,
}

impl Row {
    fn decode(&self) -> Option<CatalogRow<'_>> {
        let record = Record::parse(&self.data, self.format).ok()?;
        CatalogRow::decode(&record).ok()
    }
    /// Whether both describe the same, by what Microsoft's integrity check compares: what a row belongs to and is, its name, where its tree
    /// is or its column lies, and by what an index sorts.
    fn describes_the_same(&self, copy: &Self) -> bool {
        let (Some(a), Some(b)) = (self.decode(), copy.decode()) else { return false };
        let object = |row: &CatalogRow<'_>| (row.table, row.kind, row.id, row.type_or_root, row.flags, row.record_offset);
        let same_object = object(&a) == object(&b) && a.name == b.name && a.template_or_callback == b.template_or_callback;
        let same_order = a.segments == b.segments && a.sort_id == b.sort_id && a.sort_version == b.sort_version;
        same_object && same_order && a.locale() == b.locale()
    }
    fn is_deleted_column(&self) -> bool {
        self.decode().is_some_and(|row| row.kind == ObjectKind::Column && row.type_or_root == 0)
    }
}

fn differences(database: &Database, place: &Place, findings: &mut Findings) -> Option<Copied> {
    let scan = |tree: &FixedTree| Scan::new(database, Tree { root: tree.root, objid: tree.objid });
    let (mut left, mut right) = (scan(&CATALOG), scan(&CATALOG_SHADOW));
    let (mut row, mut copy) = (next(database, &mut left)?, next(database, &mut right)?);
    let (mut differing, mut copies) = (0, 0);
    loop {
        let order = match (&row, &copy) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(row), Some(copy)) => row.key.cmp(&copy.key),
        };
        copies += usize::from(order != Ordering::Less);
        let same = match (order, &row, &copy) {
            (Ordering::Equal, Some(row), Some(copy)) => row.data == copy.data,
            (Ordering::Greater, _, Some(copy)) => copy.is_deleted_column(),
            _ => false,
        };
        if !same {
            differing += 1;
        }
        if !same && differing <= NAMED {
            let key = |row: &Option<Row>| row.as_ref().map_or_else(String::new, |row| hex::encode(&row.key));
            let error = |message: String| Error::new(place.clone(), JetCode::DATABASE_CORRUPTED, message).breaks(rule::SHADOW);
            match order {
                Ordering::Less => findings.rule(&error(format!("row {} of the catalog is missing", key(&row)))),
                Ordering::Greater => findings.rule(&error(format!("row {} is not in the catalog", key(&copy)))),
                Ordering::Equal => {
                    let message = format!("row {} differs from that of the catalog", key(&row));
                    let same = row.as_ref().zip(copy.as_ref()).is_some_and(|(row, copy)| row.describes_the_same(copy));
                    if same {
                        findings.add(Finding::warning(place.clone(), message).breaks(rule::SHADOW));
                    } else {
                        findings.rule(&error(message));
                    }
                }
            }
        }
        if order != Ordering::Greater {
            row = next(database, &mut left)?;
        }
        if order != Ordering::Less {
            copy = next(database, &mut right)?;
        }
    }
    Some(if copies == 0 { Copied::Nothing } else { Copied::Rows { differing } })
}

/// The next row; `None` where one cannot be read.
fn next(database: &Database, scan: &mut Scan<'_>) -> Option<Option<Row>> {
    match scan.next() {
        None => Some(None),
        Some(Err(_)) => None,
        Some(Ok(entry)) => Some(Some(row(database, &entry))),
    }
}

/// When its tree got its root is written into a row and its copy one after the other: each has a time of its own.
fn row(database: &Database, entry: &Entry<'_>) -> Row {
    let mut data = entry.data.to_vec();
    let format = RecordFormat::of(database.page_size(), entry.page_flags.has_new_record_format());
    let has_time = Record::parse(entry.data, format).is_ok_and(|record| u16::from(record.last_fixed()) >= ROOT_SET_TIME.fid.0);
    let time = usize::from(ROOT_SET_TIME.offset);
    if let Some(time) = data.get_mut(time..time + 8).filter(|_| has_time) {
        time.fill(0);
    }
    Row { key: entry.key.to_vec(), data, format }
}
