//! What the leaves of data trees hold: records and long values (rule I30).

use super::index::Expected;
use super::walk::Line;
use super::{Check, Member};
use crate::catalog::Table;
use crate::cursor::{Scan, Tree};
use crate::database::Database;
use crate::error::Error;
use crate::keys::keys;
use crate::long_value::decode_chunk;
use crate::row::cells;
use anchorlog_format::data::column::ColumnType;
use anchorlog_format::data::compression::decompress;
use anchorlog_format::data::long_value::{LongValueId, LongValueKey, LongValueRoot};
use anchorlog_format::data::record::{Instance, Record, RecordFormat, Stored};
use anchorlog_format::data::value::Value;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use std::hash::{DefaultHasher, Hash, Hasher};

/// References to long values: how many, and a sum over which values, so that two lists compare without being kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    count: u64,
    sum: u64,
}

impl References {
    fn add(&mut self, id: LongValueId, times: u32) {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        self.count += u64::from(times);
        self.sum = self.sum.wrapping_add(hasher.finish().wrapping_mul(times.into()));
    }
}

impl Check<'_, '_> {
    /// Walks a table and decodes its records; returns what they refer to, and what they call for in each secondary index.
    pub(super) fn rows(&mut self, member: &Member, table: &Table) -> (References, Vec<Expected>) {
        let mut references = References::default();
        let mut expected: Vec<Expected> = table.secondaries().map(Expected::of).collect();
        let mut rows = 0;
        self.member(member, &mut |check, line| {
            rows += 1;
            check.row(member, table, line, &mut references, &mut expected);
        });
        self.report.counts.rows += rows;
        (references, expected)
    }

    fn row(&mut self, member: &Member, table: &Table, line: &Line<'_>, references: &mut References, expected: &mut [Expected]) {
        let place = line.place(self.at(member));
        let format = RecordFormat::of(self.database.page_size(), line.page_flags.has_new_record_format());
        let record = match Record::parse(line.data, format) {
            Ok(record) => record,
            Err(fault) => return self.report.rule(Error::new(place, JetCode::DATABASE_CORRUPTED, fault.to_string())),
        };
        for (column, stored) in cells(table, &record) {
            let wrong = |jet, message: String| Error::new(place.clone(), jet, format!("column {}: {message}", column.name));
            match stored {
                Ok(Stored::Value(value)) => {
                    for instance in value.instances() {
                        if let Err((jet, message)) = instance_of(column.kind, &instance, table, references) {
                            self.report.rule(wrong(jet, message));
                        }
                    }
                }
                Ok(Stored::Absent | Stored::Null) => {}
                Err(fault) => self.report.rule(wrong(JetCode::DATABASE_CORRUPTED, fault.to_string())),
            }
        }
        self.primary_key(table, &record, line, place);
        self.expect(table, &record, line, expected);
    }

    /// The key of a record is that of its primary index, or a counter of four bytes.
    fn primary_key(&mut self, table: &Table, record: &Record<'_>, line: &Line<'_>, place: Place) {
        let Some(primary) = table.primary() else {
            if line.key.len() != 4 {
                let message = format!("a sequential key of {} bytes", line.key.len());
                self.report.rule(Error::new(place, JetCode::PRIMARY_INDEX_CORRUPTED, message));
            }
            return;
        };
        // What the weights of Unicode text would be is not known for every text.
        let Ok(keys) = keys(self.database, table, primary, record) else { return };
        if !keys.iter().eq([line.key]) {
            let message = "the key is not that of the record";
            self.report.rule(Error::new(place, JetCode::PRIMARY_INDEX_CORRUPTED, message));
        }
    }

    /// Walks a long-value tree and decodes every chunk of every live value; `references` is what the table's records refer to.
    pub(super) fn long_values(&mut self, member: &Member, table: &Table, references: References) {
        let mut reading = LongValues { chunk_size: table.chunk_size, value: None, found: References::default(), values: 0 };
        self.member(member, &mut |check, line| {
            let place = line.place(check.at(member));
            for (place, jet, message) in reading.line(line, place) {
                check.report.rule(Error::new(place, jet, message));
            }
        });
        for (place, jet, message) in reading.finish() {
            self.report.rule(Error::new(place, jet, message));
        }
        self.report.counts.long_values += reading.values;
        if reading.found != references && self.report.counts.errors == 0 {
            let message = format!(
                "records refer {} times to long values, which count {} references",
                references.count, reading.found.count
            );
            self.report.finding(Finding::warning(self.at(member), message).with_jet(JetCode::LV_CORRUPTED));
        }
    }
}

type Fault = (JetCode, String);

fn instance_of(kind: ColumnType, instance: &Instance<'_>, table: &Table, references: &mut References) -> Result<(), Fault> {
    if instance.encrypted {
        return Ok(());
    }
    if instance.separated {
        let corrupted = |message: &str| (JetCode::LV_CORRUPTED, message.to_owned());
        let id = LongValueId::from_record(instance.data).ok_or_else(|| corrupted("no identifier of a long value"))?;
        if table.long_values.is_none() {
            return Err(corrupted("a long value, but the table has no long-value tree"));
        }
        references.add(id, 1);
        return Ok(());
    }
    let decoded;
    let bytes = if instance.compressed {
        decoded = decompress(instance.data, LARGEST_INTRINSIC).map_err(|fault| (fault.jet(), fault.to_string()))?;
        &decoded[..]
    } else {
        instance.data
    };
    if bytes.is_empty() || Value::decode(kind, bytes).is_some() {
        return Ok(());
    }
    Err((JetCode::DATABASE_CORRUPTED, format!("{} bytes are no value of type {kind:?}", bytes.len())))
}

/// More than any compressed value of a record can have.
const LARGEST_INTRINSIC: usize = 1 << 17;

/// A long-value tree while it is read in order (`db-5 §8`).
struct LongValues {
    chunk_size: u32,
    value: Option<Open>,
    found: References,
    values: u64,
}

/// The value that is being read.
struct Open {
    id: LongValueId,
    root: LongValueRoot,
    /// Bytes seen.
    at: u32,
    place: Place,
    /// The chunk that waits for the next one to tell where it ends.
    chunk: Option<(u32, Vec<u8>, Place)>,
}

type Wrong = (Place, JetCode, String);

impl LongValues {
    fn line(&mut self, line: &Line<'_>, place: Place) -> Vec<Wrong> {
        let corrupted = |message: String| vec![(place.clone(), JetCode::LV_CORRUPTED, message)];
        match LongValueKey::parse(line.key) {
            None => corrupted(format!("a key of {} bytes is none of a long value", line.key.len())),
            Some(LongValueKey::Root(id)) => {
                let mut wrong = self.finish();
                match LongValueRoot::parse(line.data) {
                    Some(root) => self.value = Some(Open { id, root, at: 0, place, chunk: None }),
                    None => wrong.extend(corrupted(format!("the root of long value {id} cannot be read"))),
                }
                wrong
            }
            Some(LongValueKey::Chunk(id, at)) => {
                let chunk_size = self.chunk_size;
                match self.value.as_mut().filter(|value| value.id == id) {
                    None => corrupted(format!("a chunk of long value {id} without its root")),
                    Some(value) => value.chunk(at, line.data, place, chunk_size),
                }
            }
        }
    }
    /// Ends the value that is being read.
    fn finish(&mut self) -> Vec<Wrong> {
        let Some(mut value) = self.value.take() else { return Vec::new() };
        self.values += 1;
        // Nothing refers to a value that is being deleted, or that waits for it (trap L7); its chunks may be gone.
        if !value.root.is_live() {
            return Vec::new();
        }
        self.found.add(value.id, value.root.references);
        let mut wrong = value.end_chunk(value.root.size, self.chunk_size, true);
        if value.at != value.root.size && wrong.is_empty() {
            let message = format!("long value {} has {} of its {} bytes", value.id, value.at, value.root.size);
            wrong.push((value.place.clone(), JetCode::LV_CORRUPTED, message));
        }
        wrong
    }
}

impl Open {
    fn chunk(&mut self, at: u32, data: &[u8], place: Place, chunk_size: u32) -> Vec<Wrong> {
        if !self.root.is_live() {
            return Vec::new();
        }
        let mut wrong = self.end_chunk(at, chunk_size, false);
        if at != self.at {
            let message = format!("a chunk of long value {} begins at {at}, not at {}", self.id, self.at);
            wrong.push((place.clone(), JetCode::LV_CORRUPTED, message));
            self.at = at;
        }
        self.chunk = Some((at, data.to_vec(), place));
        wrong
    }
    fn end_chunk(&mut self, end: u32, chunk_size: u32, last: bool) -> Vec<Wrong> {
        let Some((at, stored, place)) = self.chunk.take() else { return Vec::new() };
        let length = end.saturating_sub(at);
        // A gap is for the next chunk to report: this one has at most the usual size.
        let length = if length > chunk_size { chunk_size } else { length };
        self.at = at.saturating_add(length);
        if length == 0 || !last && length != chunk_size {
            let message = format!("a chunk of long value {} has {length} bytes, not {chunk_size}", self.id);
            return vec![(place, JetCode::LV_CORRUPTED, message)];
        }
        if self.root.is_encrypted() {
            return Vec::new();
        }
        match decode_chunk(&stored, usize::try_from(length).unwrap_or(usize::MAX)) {
            Ok(_) => Vec::new(),
            Err((jet, message)) => vec![(place, jet, format!("long value {}: {message}", self.id))],
        }
    }
}

/// What a tree holds, as two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub entries: u64,
    sum: u64,
}

/// The digest of a tree's live entries; `None` where not all can be read.
pub(super) fn digest(database: &Database, tree: Tree) -> Option<Digest> {
    let mut digest = Digest { entries: 0, sum: 0 };
    let mut scan = Scan::new(database, tree);
    while let Some(entry) = scan.next() {
        let entry = entry.ok()?;
        let mut hasher = DefaultHasher::new();
        (entry.key, entry.data).hash(&mut hasher);
        digest.entries += 1;
        digest.sum = digest.sum.wrapping_add(hasher.finish());
    }
    Some(digest)
}
