//! Which keys a record has in an index (`db-6 §10 to §14`).

use crate::catalog::{Column, Index, Table};
use crate::database::Database;
use crate::long_value;
use crate::row::stored;
use anchorlog_format::data::catalog::Segment;
use anchorlog_format::data::compression::decompress;
use anchorlog_format::data::long_value::LongValueId;
use anchorlog_format::data::record::{Instance, Record, Stored};
use anchorlog_format::key::{KeyBuilder, SegmentRule};
use std::collections::BTreeSet;

/// Why the keys of a record cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// They depend on Windows' weight tables for text, or there are too many of them; how many, where that is known nevertheless.
    Unpredictable {
        /// The record has exactly one entry, or none; `None` where even that is not known.
        entries: Option<usize>,
    },
    /// The record, or a long value of it, cannot be read.
    Unreadable,
}

/// Most keys of one record that are computed.
const MOST_KEYS: usize = 10_000;
/// Most bytes of a long value that are looked at: more than any key or tuple can need.
const MOST_BYTES: usize = 1 << 17;

/// The keys of a record in `index`: none where its NULLs or conditions keep it out, several for multi-valued columns and tuples, each
/// once (trap K17).
///
/// # Errors
/// [`NoKeys`].
pub fn keys(database: &Database, table: &Table, index: &Index, record: &Record<'_>) -> Result<BTreeSet<Vec<u8>>, NoKeys> {
    let reader = Reader { database, table, record };
    for condition in &index.conditions {
        // Conditions look at the first instance, and a default counts (trap K21).
        let null = reader.column(condition)?.1.first().is_none_or(Option::is_none);
        if null != condition.must_be_null {
            return Ok(BTreeSet::new());
        }
    }
    let columns: Vec<Values<'_>> =
        index.segments.iter().map(|segment| reader.values(index, segment)).collect::<Result<_, _>>()?;
    let several = columns.iter().any(|column| column.multi_valued) || index.tuple.is_some();
    let mut found = Found { keys: BTreeSet::new(), unpredictable: false, entries: 0 };
    if let Some(limits) = &index.tuple {
        found.tuples(index, &columns, limits);
    } else {
        combinations(index, &columns, &mut |combination| found.add(index, &columns, combination))?;
    }
    if found.unpredictable {
        return Err(NoKeys::Unpredictable { entries: (!several).then_some(found.entries) });
    }
    Ok(found.keys)
}

struct Reader<'a> {
    database: &'a Database,
    table: &'a Table,
    record: &'a Record<'a>,
}

/// The instances of a column: at least one, which is `None` for NULL.
type Instances = Vec<Option<Vec<u8>>>;

/// A key column.
struct Values<'a> {
    rule: SegmentRule,
    column: &'a Column,
    multi_valued: bool,
    instances: Instances,
}

impl<'a> Reader<'a> {
    fn values(&self, index: &Index, segment: &Segment) -> Result<Values<'a>, NoKeys> {
        let (column, instances) = self.column(segment)?;
        let rule = SegmentRule {
            kind: column.kind,
            fixed: column.fid.is_fixed(),
            code_page: column.code_page,
            descending: segment.descending,
            nulls_high: index.flags.sorts_nulls_high(),
            dot_net_guid: index.flags.has_dot_net_guids(),
            map_flags: index.map_flags,
            sort_version: index.sort_version.unwrap_or(0),
        };
        Ok(Values { rule, column, multi_valued: column.flags.is_multi_valued(), instances })
    }
    fn column(&self, segment: &Segment) -> Result<(&'a Column, Instances), NoKeys> {
        let column = self.table.column_of(segment).ok_or(NoKeys::Unreadable)?;
        let instances = match stored(self.record, column).map_err(|_| NoKeys::Unreadable)? {
            Stored::Null => vec![None],
            Stored::Absent => vec![column.default.clone()],
            Stored::Value(value) => {
                value.instances().map(|instance| self.bytes(&instance).map(Some)).collect::<Result<_, _>>()?
            }
        };
        Ok((column, instances))
    }
    fn bytes(&self, instance: &Instance<'_>) -> Result<Vec<u8>, NoKeys> {
        if instance.encrypted {
            return Err(NoKeys::Unreadable);
        }
        if instance.separated {
            let id = LongValueId::from_record(instance.data).ok_or(NoKeys::Unreadable)?;
            let tree = self.table.long_values.ok_or(NoKeys::Unreadable)?;
            let mut bytes = Vec::new();
            let mut take = |part: &[u8]| bytes.extend_from_slice(&part[..part.len().min(MOST_BYTES - bytes.len())]);
            long_value::read(self.database, tree, id, &mut take).map_err(|_| NoKeys::Unreadable)?;
            return Ok(bytes);
        }
        if instance.compressed {
            return decompress(instance.data, MOST_BYTES).map_err(|_| NoKeys::Unreadable);
        }
        Ok(instance.data.to_vec())
    }
}

/// Which instance of each column goes into a key together (`db-6 §13`).
fn combinations(index: &Index, columns: &[Values<'_>], take: &mut dyn FnMut(&[Option<usize>])) -> Result<(), NoKeys> {
    let several = |column: &Values<'_>| column.multi_valued;
    let mut chosen: Vec<Option<usize>> = vec![Some(0); columns.len()];
    if index.flags.is_nested_table() {
        let most = columns.iter().filter(|column| several(column)).map(|column| column.instances.len()).max().unwrap_or(1);
        for instance in 0..most.max(1) {
            for (slot, column) in chosen.iter_mut().zip(columns) {
                *slot = match several(column) {
                    true => (instance < column.instances.len()).then_some(instance),
                    false => Some(0),
                };
            }
            take(&chosen);
        }
        return Ok(());
    }
    if index.flags.is_cross_product() {
        let total = columns
            .iter()
            .filter(|column| several(column))
            .try_fold(1_usize, |all, column| all.checked_mul(column.instances.len()))
            .filter(|&total| total <= MOST_KEYS)
            .ok_or(NoKeys::Unpredictable { entries: None })?;
        for mut number in 0..total {
            for (slot, column) in chosen.iter_mut().zip(columns).rev() {
                if several(column) {
                    *slot = Some(number % column.instances.len());
                    number /= column.instances.len();
                }
            }
            take(&chosen);
        }
        return Ok(());
    }
    // Only the first multi-valued column counts its instances (trap K16).
    let Some(counting) = columns.iter().position(several) else {
        take(&chosen);
        return Ok(());
    };
    for instance in 0..columns[counting].instances.len() {
        chosen[counting] = Some(instance);
        take(&chosen);
    }
    Ok(())
}

struct Found {
    keys: BTreeSet<Vec<u8>>,
    unpredictable: bool,
    entries: usize,
}

impl Found {
    fn add(&mut self, index: &Index, columns: &[Values<'_>], chosen: &[Option<usize>]) {
        let values: Vec<Option<&[u8]>> =
            columns.iter().zip(chosen).map(|(column, chosen)| column.instances.get((*chosen)?)?.as_deref()).collect();
        self.key(index, columns, &values);
    }
    fn key(&mut self, index: &Index, columns: &[Values<'_>], values: &[Option<&[u8]>]) {
        if !admits(index, values) {
            return;
        }
        self.entries += 1;
        let mut key = KeyBuilder::new(index.key_most, index.segment_most);
        for (column, value) in columns.iter().zip(values) {
            if key.push(&column.rule, *value).is_err() {
                self.unpredictable = true;
                return;
            }
        }
        if self.keys.len() < MOST_KEYS {
            self.keys.insert(key.finish());
        } else {
            self.unpredictable = true;
        }
    }
    /// Pieces of the first column; the others give their first instance (`db-6 §14`).
    fn tuples(&mut self, index: &Index, columns: &[Values<'_>], limits: &anchorlog_format::data::catalog::TupleLimits) {
        let Some((first, others)) = columns.split_first() else { return };
        let unit = if first.column.kind.is_text() && first.column.code_page == anchorlog_format::key::unicode::CODE_PAGE {
            2
        } else {
            1
        };
        let bytes = |characters: u32| usize::try_from(characters).unwrap_or(usize::MAX).saturating_mul(unit);
        let others: Vec<Option<&[u8]>> =
            others.iter().map(|column| column.instances.first().and_then(|value| value.as_deref())).collect();
        for value in first.instances.iter().flatten() {
            let mut at = bytes(limits.start);
            for _ in 0..limits.to_index {
                let rest = value.get(at..).unwrap_or(&[]);
                let piece = &rest[..rest.len().min(bytes(limits.most))];
                if piece.len() < bytes(limits.least) || piece.is_empty() || self.unpredictable {
                    break;
                }
                let mut values = vec![Some(piece)];
                values.extend(&others);
                self.key(index, columns, &values);
                at = at.saturating_add(bytes(limits.increment).max(1));
            }
        }
    }
}

/// Whether the NULLs among the values let an entry exist (`db-6 §12`); they count even behind a full key (trap K10).
fn admits(index: &Index, values: &[Option<&[u8]>]) -> bool {
    let all = values.iter().all(Option::is_none);
    let first = values.first().is_some_and(Option::is_none);
    let some = values.iter().any(Option::is_none);
    match (some, all, first) {
        (false, ..) => true,
        _ if index.flags.refuses_nulls() => false,
        (_, true, _) => index.flags.allows_all_nulls(),
        (_, _, true) => index.flags.allows_first_null(),
        _ => index.flags.allows_some_nulls(),
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
