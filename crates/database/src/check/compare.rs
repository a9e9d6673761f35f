//! What the trees of a table say about each other: index entries and records, long values and references, counter and highest value.
//!
//! Where two lists differ, the part of them in which they do is gone through once more, and each difference is named.

use super::content::{IndexWork, Knowledge, TableWork, hash_of};
use super::ledger::{Ledger, bucket_of, hash};
use super::member::{Shared, Walked};
use super::report::Report;
use super::rule::{self, Breaks as _};
use crate::catalog::Table;
use crate::cursor::Scan;
use crate::database::Database;
use crate::error::Error;
use crate::keys::{NoKeys, keys};
use crate::row::cells;
use anchorlog_format::data::long_value::{LongValueId, LongValueKey, LongValueRoot};
use anchorlog_format::data::record::{Record, RecordFormat, Stored};
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::PageNumber;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Differences that are named for one pair of lists.
const NAMED: usize = 100;
/// Items that are kept to find them.
const KEPT: usize = 100_000;

/// A table whose trees have all been walked.
pub(super) struct Done<'t> {
    pub work: Arc<TableWork<'t>>,
    /// The tree of the records; none where it was not walked.
    pub rows: Option<Arc<Walked<'t>>>,
    pub values: Option<Arc<Walked<'t>>>,
    /// The trees of the indexes, each none where it was not walked.
    pub entries: Vec<Option<Arc<Walked<'t>>>>,
    /// Highest auto-increment value reserved.
    pub reserved: Option<u64>,
}

impl Done<'_> {
    /// Compares, and reports.
    pub(super) fn compare(&self, shared: &Shared<'_>, report: &mut Report<'_>) {
        let Some(rows) = self.rows.as_ref().filter(|rows| !rows.broken.load(Relaxed)) else {
            // What the records call for is not known.
            report.counts.indexes_not_proved += self.work.indexes.len() as u64;
            return;
        };
        self.counter(shared, rows, report);
        for (index, walked) in self.work.indexes.iter().zip(&self.entries) {
            // What is damaged has been said; that it does not fit the records follows from it.
            if let Some(walked) = walked.as_ref().filter(|walked| !walked.broken.load(Relaxed)) {
                self.index(shared, index, walked, report);
            }
        }
        if let Some(walked) = self.values.as_ref().filter(|walked| !walked.broken.load(Relaxed)) {
            self.references(shared, walked, report);
        }
    }

    fn counter(&self, shared: &Shared<'_>, rows: &Walked<'_>, report: &mut Report<'_>) {
        let (Some((highest, column)), Some(reserved)) = (self.work.highest(), self.reserved) else { return };
        if highest > reserved {
            let message = format!("column {column} counts to {highest}, but only numbers to {reserved} are given out");
            let error = Error::new(shared.place(&rows.member).page(rows.member.tree.root), JetCode::DATABASE_CORRUPTED, message);
            let mut findings = report.findings();
            findings.rule(&error.breaks(rule::CONTENT));
            report.take(findings);
        }
    }

    fn index(&self, shared: &Shared<'_>, index: &IndexWork<'_>, walked: &Walked<'_>, report: &mut Report<'_>) {
        let knowledge = index.knowledge();
        let (wanted, found, proved) = match knowledge {
            Knowledge::Entries => (&index.wanted, &index.found, &mut report.counts.indexes_proved),
            Knowledge::Bookmarks => {
                (&index.bookmarks_wanted, &index.bookmarks_found, &mut report.counts.indexes_proved_by_bookmark)
            }
            Knowledge::Nothing => {
                report.counts.indexes_not_proved += 1;
                return;
            }
        };
        *proved += 1;
        let Some(mut tally) = Tally::of(wanted, found) else { return };
        let (database, table) = (shared.database, self.work.table);
        entries_wanted(database, table, index, knowledge, &mut tally);
        entries_found(database, index, knowledge, &mut tally);
        let place = shared.place(&walked.member);
        let name = |item: &Item| match knowledge {
            Knowledge::Entries => format!("the entry {} of record {}", shown(&item.0), shown(&item.1)),
            _ => format!("an entry of record {}", shown(&item.0)),
        };
        tally.report(place, JetCode::SECONDARY_INDEX_CORRUPTED, report, |item, found| {
            if found.wanted > found.there {
                format!("{} is missing", name(item))
            } else {
                format!("{} is there, but no record calls for it", name(item))
            }
        });
        let (wanted, found) = (wanted.count(), found.count());
        tally.rest(shared, walked, report, format!("it has {found} entries, and records call for {wanted}"));
    }

    fn references(&self, shared: &Shared<'_>, walked: &Walked<'_>, report: &mut Report<'_>) {
        let (wanted, found) = (&self.work.references, &self.work.values);
        let Some(mut tally) = Tally::of(wanted, found) else { return };
        references_wanted(shared.database, self.work.table, &mut tally);
        references_found(shared.database, self.work.table, &mut tally);
        let place = shared.place(&walked.member);
        tally.report(place, JetCode::LV_CORRUPTED, report, |item, found| {
            let id = shown(&item.0);
            match (found.wanted, found.there) {
                (wanted, 0) => format!("records refer {wanted} times to long value {id}, which is not there"),
                (wanted, there) => format!("records refer {wanted} times to long value {id}, which counts {there} references"),
            }
        });
        let (wanted, found) = (wanted.count(), found.count());
        tally.rest(shared, walked, report, format!("records refer {wanted} times to values that count {found} references"));
    }
}

/// Key and bookmark of an entry, or the identifier of a long value.
type Item = (Vec<u8>, Vec<u8>);

/// How often an item is called for, how often it is there, and where.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    wanted: u64,
    there: u64,
    at: Option<(PageNumber, u16)>,
}

/// The items of the buckets in which two lists differ.
struct Tally {
    buckets: Vec<usize>,
    items: BTreeMap<Item, Seen>,
    /// Not all differing buckets are looked at, or not all differences named.
    more: bool,
    named: usize,
}

impl Tally {
    fn of(wanted: &Ledger, found: &Ledger) -> Option<Self> {
        let buckets = wanted.differing(found);
        (!buckets.is_empty()).then(|| Self { buckets, items: BTreeMap::new(), more: false, named: 0 })
    }
    fn add(&mut self, hash: u64, item: impl FnOnce() -> Item, change: impl FnOnce(&mut Seen)) {
        if !self.buckets.contains(&bucket_of(hash)) {
            return;
        }
        change(self.items.entry(item()).or_default());
        if self.items.len() > KEPT {
            self.narrow();
        }
    }
    /// Too many items: half of the buckets must do.
    fn narrow(&mut self) {
        self.more = true;
        let half = self.buckets.len() / 2;
        self.buckets.truncate(half);
        let buckets = &self.buckets;
        self.items.retain(|(first, second), _| buckets.contains(&bucket_of(hash(first, second))));
    }
    /// Names the differences.
    fn report(&mut self, place: Place, jet: JetCode, report: &mut Report<'_>, message: impl Fn(&Item, &Seen) -> String) {
        let mut findings = report.findings();
        for (item, seen) in self.items.iter().filter(|(_, seen)| seen.wanted != seen.there) {
            if self.named == NAMED {
                self.more = true;
                break;
            }
            self.named += 1;
            let mut place = place.clone();
            if let Some((page, line)) = seen.at {
                place = place.page(page).line(line);
            }
            // A value that counts too many references is never given back: lost space, as Microsoft's integrity check sees it.
            if jet == JetCode::LV_CORRUPTED && seen.wanted < seen.there {
                let message = if seen.wanted == 0 {
                    format!("nothing refers to long value {}, which counts {} references", shown(&item.0), seen.there)
                } else {
                    message(item, seen)
                };
                let hint = "harmless: offline defragmentation leaves it out, or counts anew";
                findings.add(Finding::warning(place, message).with_jet(jet).with_hint(hint).breaks(rule::CONTENT));
            } else {
                findings.rule(&Error::new(place, jet, message(item, seen)).breaks(rule::CONTENT));
            }
        }
        report.take(findings);
    }
    /// Says how it stands where not every difference could be named.
    fn rest(&self, shared: &Shared<'_>, walked: &Walked<'_>, report: &mut Report<'_>, message: String) {
        if self.more || self.named == 0 {
            let mut findings = report.findings();
            let place = shared.place(&walked.member);
            findings.rule(&Error::new(place, JetCode::DATABASE_CORRUPTED, message).breaks(rule::CONTENT));
            report.take(findings);
        }
    }
}

fn entries_wanted(database: &Database, table: &Table, index: &IndexWork<'_>, knowledge: Knowledge, tally: &mut Tally) {
    let mut scan = Scan::new(database, table.tree);
    while let Some(entry) = scan.next() {
        let Ok(entry) = entry else { continue };
        let format = RecordFormat::of(database.page_size(), entry.page_flags.has_new_record_format());
        let Ok(record) = Record::parse(entry.data, format) else { continue };
        let bookmark = entry.key;
        let wanted = keys(database, table, index.index, &record);
        if knowledge == Knowledge::Entries {
            for key in wanted.iter().flatten() {
                tally.add(hash(key, bookmark), || (key.clone(), bookmark.to_vec()), |seen| seen.wanted += 1);
            }
            continue;
        }
        let count = match wanted {
            Ok(keys) => keys.len(),
            Err(NoKeys::Unpredictable { entries }) => entries.unwrap_or(0),
            Err(NoKeys::Unreadable) => 0,
        };
        let count = u64::try_from(count).unwrap_or(0);
        tally.add(hash(bookmark, b""), || (bookmark.to_vec(), Vec::new()), |seen| seen.wanted += count);
    }
}

fn entries_found(database: &Database, index: &IndexWork<'_>, knowledge: Knowledge, tally: &mut Tally) {
    let mut scan = Scan::new(database, index.index.tree);
    while let Some(entry) = scan.next() {
        let Ok(entry) = entry else { continue };
        let at = Some((entry.page, entry.line));
        let change = |seen: &mut Seen| {
            seen.there += 1;
            seen.at = at;
        };
        if knowledge == Knowledge::Entries {
            tally.add(hash(entry.key, entry.data), || (entry.key.to_vec(), entry.data.to_vec()), change);
        } else {
            tally.add(hash(entry.data, b""), || (entry.data.to_vec(), Vec::new()), change);
        }
    }
}

fn references_wanted(database: &Database, table: &Table, tally: &mut Tally) {
    let mut scan = Scan::new(database, table.tree);
    while let Some(entry) = scan.next() {
        let Ok(entry) = entry else { continue };
        let format = RecordFormat::of(database.page_size(), entry.page_flags.has_new_record_format());
        let Ok(record) = Record::parse(entry.data, format) else { continue };
        let at = Some((entry.page, entry.line));
        for (_, stored) in cells(table, &record) {
            let Ok(Stored::Value(value)) = stored else { continue };
            for instance in value.instances().filter(|instance| instance.separated && !instance.encrypted) {
                let Some(id) = LongValueId::from_record(instance.data) else { continue };
                tally.add(
                    hash_of(id),
                    || (id.key(), Vec::new()),
                    |seen| {
                        seen.wanted += 1;
                        seen.at = seen.at.or(at);
                    },
                );
            }
        }
    }
}

fn references_found(database: &Database, table: &Table, tally: &mut Tally) {
    let Some(tree) = table.long_values else { return };
    let mut scan = Scan::new(database, tree);
    while let Some(entry) = scan.next() {
        let Ok(entry) = entry else { continue };
        let Some(LongValueKey::Root(id)) = LongValueKey::parse(entry.key) else { continue };
        let Some(root) = LongValueRoot::parse(entry.data).filter(|root| root.is_live()) else { continue };
        let at = Some((entry.page, entry.line));
        tally.add(
            hash_of(id),
            || (id.key(), Vec::new()),
            |seen| {
                seen.there += u64::from(root.references);
                seen.at = at;
            },
        );
    }
}

/// Bytes of a key, as many as one can take in.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 40;
    if bytes.len() <= MOST { hex::encode(bytes) } else { format!("{}… ({} bytes)", hex::encode(&bytes[..MOST]), bytes.len()) }
}
