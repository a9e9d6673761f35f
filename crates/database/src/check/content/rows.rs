//! Records: their parts, their values, the keys they stand under, and what they call for elsewhere.

use super::super::leaf::Line;
use super::super::ledger::hash;
use super::super::member::{Shared, Walked};
use super::super::report::Findings;
use super::super::rule::{self, Breaks as _};
use super::{Knowledge, TableWork, hash_of};
use crate::catalog::Column;
use crate::error::Error;
use crate::keys::{NoKeys, keys};
use crate::row::{ColumnValue, stored};
use anchorlog_format::data::column::ColumnType;
use anchorlog_format::data::compression::decompress;
use anchorlog_format::data::long_value::LongValueId;
use anchorlog_format::data::record::{Instance, Record, RecordFault, RecordFormat, Stored};
use anchorlog_format::data::value::Value;
use anchorlog_format::jet::JetCode;
use std::sync::atomic::Ordering::Relaxed;

/// More than any compressed value of a record can have.
const LARGEST_INTRINSIC: usize = 1 << 17;

type Fault = (JetCode, String);

impl TableWork<'_> {
    /// A record of the table.
    pub(in crate::check) fn row(&self, shared: &Shared<'_>, walked: &Walked<'_>, line: &Line<'_>, findings: &mut Findings) {
        let mut wrong = |jet, message: String| {
            let place = shared.place(&walked.member).page(line.page).line(line.line);
            findings.rule(&Error::new(place, jet, message).breaks(rule::CONTENT));
        };
        let format = RecordFormat::of(shared.database.page_size(), line.page_flags.has_new_record_format());
        let record = match Record::parse(line.data, format) {
            Ok(record) => record,
            Err(fault) => {
                self.know_nothing();
                return wrong(JetCode::DATABASE_CORRUPTED, fault.to_string());
            }
        };
        for column in self.stored_columns(&record) {
            if let Err((jet, message)) = self.value(&record, column) {
                self.know_nothing();
                wrong(jet, format!("column {}: {message}", column.name));
            }
        }
        if let Err((jet, message)) = self.primary_key(shared, &record, line) {
            wrong(jet, message);
        }
        self.index_entries(shared, &record, line);
    }

    /// The columns that the record can have a value of.
    fn stored_columns<'r>(&'r self, record: &'r Record<'_>) -> impl Iterator<Item = &'r Column> {
        let (fixed, variable) = (u16::from(record.last_fixed()), u16::from(record.last_variable()));
        let fixed = self.columns.fixed.iter().copied().filter(move |column| column.fid.0 <= fixed);
        let variable = self.columns.variable.iter().copied().filter(move |column| column.fid.0 <= variable);
        // What the record has of a column that was deleted, no one reads.
        let tagged = record.tagged_columns().filter_map(|key| self.columns.tagged.get(&key).copied());
        fixed.chain(variable).chain(tagged)
    }

    fn value(&self, record: &Record<'_>, column: &Column) -> Result<(), Fault> {
        let corrupted = |fault: RecordFault| (JetCode::DATABASE_CORRUPTED, fault.to_string());
        let Stored::Value(value) = stored(record, column).map_err(corrupted)? else { return Ok(()) };
        self.count_up(column, value);
        let mut instances = value.instances();
        instances.try_for_each(|instance| self.instance(column.kind, &instance))
    }
    fn instance(&self, kind: ColumnType, instance: &Instance<'_>) -> Result<(), Fault> {
        if instance.encrypted {
            return Ok(());
        }
        if instance.separated {
            let corrupted = |message: &str| (JetCode::LV_CORRUPTED, message.to_owned());
            let id = LongValueId::from_record(instance.data).ok_or_else(|| corrupted("no identifier of a long value"))?;
            if self.table.long_values.is_none() {
                return Err(corrupted("a long value, but the table has no long-value tree"));
            }
            self.references.add(hash_of(id), 1);
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
    fn count_up(&self, column: &Column, value: ColumnValue<'_>) {
        if !self.counter.is_some_and(|counter| std::ptr::eq(counter, column)) {
            return;
        }
        let ColumnValue::Plain(bytes) = value else { return };
        let number = match Value::decode(column.kind, bytes) {
            Some(Value::Number(number) | Value::Signed(number)) => u64::try_from(number).unwrap_or(0),
            Some(Value::Unsigned(number)) => number,
            _ => return,
        };
        self.highest.fetch_max(number, Relaxed);
    }

    /// The key of a record is that of its primary index, or a counter of four bytes.
    fn primary_key(&self, shared: &Shared<'_>, record: &Record<'_>, line: &Line<'_>) -> Result<(), Fault> {
        let Some(primary) = self.table.primary() else {
            if line.key.len() == 4 {
                return Ok(());
            }
            return Err((JetCode::PRIMARY_INDEX_CORRUPTED, format!("a sequential key of {} bytes", line.key.len())));
        };
        // What the weights of Unicode text would be is not known for every text.
        let Ok(keys) = keys(shared.database, self.table, primary, record) else { return Ok(()) };
        if keys.iter().eq([line.key]) {
            return Ok(());
        }
        Err((JetCode::PRIMARY_INDEX_CORRUPTED, "the key is not that of the record".into()))
    }

    /// Adds what the record calls for in each index.
    fn index_entries(&self, shared: &Shared<'_>, record: &Record<'_>, line: &Line<'_>) {
        for work in &self.indexes {
            let knowledge = work.knowledge();
            if knowledge == Knowledge::Nothing {
                continue;
            }
            let bookmark = line.key;
            match keys(shared.database, self.table, work.index, record) {
                Ok(keys) => {
                    for key in &keys {
                        work.wanted.add(hash(key, bookmark), 1);
                    }
                    let count = u64::try_from(keys.len()).unwrap_or(0);
                    work.bookmarks_wanted.add(hash(bookmark, b""), count);
                }
                Err(NoKeys::Unpredictable { entries: Some(count) }) => {
                    work.know_at_most(Knowledge::Bookmarks);
                    work.bookmarks_wanted.add(hash(bookmark, b""), u64::try_from(count).unwrap_or(0));
                }
                Err(NoKeys::Unpredictable { entries: None } | NoKeys::Unreadable) => {
                    work.know_at_most(Knowledge::Nothing);
                }
            }
        }
    }
    /// A record that cannot be read might call for anything.
    fn know_nothing(&self) {
        self.indexes.iter().for_each(|work| work.know_at_most(Knowledge::Nothing));
    }
}
