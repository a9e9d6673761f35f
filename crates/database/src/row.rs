//! Rows: what a record holds for each column of its table.

use crate::catalog::{Column, Table};
use anchorlog_format::data::column::Placement;
use anchorlog_format::data::record::{Instance, Record, RecordFault, Stored, Tagged};

/// A column's value in a record.
#[derive(Clone, Copy, Debug)]
pub enum ColumnValue<'a> {
    /// Of a fixed or variable column: the bytes.
    Plain(&'a [u8]),
    /// Of a tagged column: one or more instances.
    Tagged(Tagged<'a>),
}

impl<'a> ColumnValue<'a> {
    /// The instances, in order; at least one.
    pub fn instances(self) -> impl Iterator<Item = Instance<'a>> {
        (0..).map_while(move |index| self.instance(index))
    }
    /// The instance at `index`, counted from 0.
    #[must_use]
    pub fn instance(self, index: usize) -> Option<Instance<'a>> {
        match self {
            Self::Plain(data) => (index == 0).then_some(Instance { data, separated: false, compressed: false, encrypted: false }),
            Self::Tagged(tagged) => tagged.instance(index),
        }
    }
}

/// What `record` holds for `column`.
///
/// # Errors
/// Where the record has the column but its bytes do not fit.
pub fn stored<'a>(record: &Record<'a>, column: &Column) -> Result<Stored<ColumnValue<'a>>, RecordFault> {
    let plain = |stored| match stored {
        Stored::Absent => Stored::Absent,
        Stored::Null => Stored::Null,
        Stored::Value(bytes) => Stored::Value(ColumnValue::Plain(bytes)),
    };
    match column.fid.placement() {
        Some(Placement::Fixed) => {
            let size = usize::try_from(column.size).map_err(|_| RecordFault::Fixed)?;
            let offset = column.offset.ok_or(RecordFault::Fixed);
            // A record that ends before the column says so without an offset.
            match record.fixed(column.fid, offset.unwrap_or(0), size) {
                Ok(Stored::Value(_)) | Err(_) if offset.is_err() => Err(RecordFault::Fixed),
                other => other.map(plain),
            }
        }
        Some(Placement::Variable) => Ok(plain(record.variable(column.fid))),
        Some(Placement::Tagged) => Ok(match record.tagged(column.fid, column.derived)? {
            Stored::Absent => Stored::Absent,
            Stored::Null => Stored::Null,
            Stored::Value(tagged) => Stored::Value(ColumnValue::Tagged(tagged)),
        }),
        None => Ok(Stored::Absent),
    }
}

/// The columns of `table` with what `record` holds for each, in the order of their ids.
pub fn cells<'a, 't>(
    table: &'t Table,
    record: &'t Record<'a>,
) -> impl Iterator<Item = (&'t Column, Result<Stored<ColumnValue<'a>>, RecordFault>)> {
    table.columns.iter().map(move |column| (column.as_ref(), stored(record, column)))
}
