//! The canonical logical dump: one JSON value a line, so that two databases are compared by a plain diff.
//!
//! The form is that of the engine-made data sets (`engine/README.md`, "Canonical logical dump"), so that Microsoft's engine and this
//! reader are compared as well. Everything is written as it is read; memory is that of the schema, one row and one chunk.

mod schema;
mod value;

use crate::catalog::{Catalog, Index, Table};
use crate::cursor::Scan;
use crate::database::Database;
use crate::error::Error;
use crate::index::Entries;
use crate::row::cells;
use anchorlog_format::data::record::{Record, RecordFormat, Stored};
use anchorlog_format::jet::JetCode;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Write};

/// Which tables a dump has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// All but the engine's own.
    Users,
    /// The engine's own: those whose names begin with `MSys`.
    Engines,
}

/// What a dump came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tables written.
    pub tables: u64,
    /// Rows written.
    pub rows: u64,
    /// Index entries counted.
    pub entries: u64,
    /// What could not be read; the dump names each in its place.
    pub errors: Vec<Error>,
}

/// Writes the dump of `tables` of `database`, which it calls `file`, to `out`.
///
/// What cannot be read is named in its place, and the dump goes on.
///
/// # Errors
/// Those of `out` alone.
pub fn dump(database: &Database, file: &str, tables: Tables, out: &mut dyn Write) -> io::Result<Summary> {
    let catalog = Catalog::read(database);
    let mut dump = Dump { database, out, summary: Summary::default(), line: String::new() };
    writeln!(dump.out, "{{\"db\":{},\"page_size\":{}}}", schema::string(file), database.page_size())?;
    for error in &catalog.errors {
        dump.problem("", "open_error", error.clone())?;
    }
    for table in catalog.by_name() {
        if table.is_engines() == (tables == Tables::Engines) {
            dump.table(table)?;
        }
    }
    Ok(dump.summary)
}

struct Dump<'d, 'o> {
    database: &'d Database,
    out: &'o mut dyn Write,
    summary: Summary,
    line: String,
}

impl Dump<'_, '_> {
    fn table(&mut self, table: &Table) -> io::Result<()> {
        self.summary.tables += 1;
        writeln!(self.out, "{}", schema::table(table))?;
        self.rows(table)?;
        table.secondaries().try_for_each(|index| self.index(table, index))
    }

    fn rows(&mut self, table: &Table) -> io::Result<()> {
        let mut hash = Sha256::new();
        let mut rows = 0_u64;
        let mut scan = Scan::new(self.database, table.tree);
        while let Some(entry) = scan.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.problem(&table.name, "scan_error", error)?;
                    continue;
                }
            };
            let format = RecordFormat::of(self.database.page_size(), entry.page_flags.has_new_record_format());
            let place = || self.database.place().object(table.name.clone()).page(entry.page).line(entry.line);
            match Record::parse(entry.data, format) {
                Ok(record) => {
                    let errors = self.row(table, entry.key, &record);
                    self.summary.errors.extend(errors.into_iter().map(|(jet, message)| Error::new(place(), jet, message)));
                    hash.update(self.line.as_bytes());
                    self.out.write_all(self.line.as_bytes())?;
                    rows += 1;
                }
                Err(fault) => {
                    let error = Error::new(place(), JetCode::DATABASE_CORRUPTED, fault.to_string());
                    self.problem(&table.name, "error", error)?;
                }
            }
        }
        self.summary.rows += rows;
        let name = schema::string(&table.name);
        writeln!(self.out, "{{\"t\":{name},\"rows\":{rows},\"sha256\":\"{}\"}}", hex::encode(hash.finalize()))
    }

    /// Puts the row's line into `self.line`; returns what could not be read of it.
    fn row(&mut self, table: &Table, key: &[u8], record: &Record<'_>) -> Vec<(JetCode, String)> {
        let mut errors = Vec::new();
        let line = &mut self.line;
        line.clear();
        let mut defaults = String::new();
        // Writing to a string cannot fail.
        let _ = write!(line, "{{\"t\":{},\"bookmark\":\"{}\",\"c\":{{", schema::string(&table.name), hex::encode(key));
        let values = value::Values { database: self.database, table };
        for (column, stored) in cells(table, record) {
            let name = schema::string(&column.name);
            match stored {
                Ok(Stored::Value(stored)) => {
                    let text = values.stored(column, stored, &mut errors);
                    let _ = write!(line, "{name}:{text},");
                }
                Ok(Stored::Null) if column.default.is_some() => {
                    let _ = write!(line, "{name}:null,");
                }
                Ok(Stored::Absent) if column.default.is_some() => {
                    let _ = write!(defaults, "{name}:{},", values.default(column));
                }
                Ok(Stored::Null | Stored::Absent) => {}
                Err(fault) => {
                    errors.push((JetCode::DATABASE_CORRUPTED, format!("column {}: {fault}", column.name)));
                    let _ = write!(line, "{name}:{{\"error\":{}}},", JetCode::DATABASE_CORRUPTED.0);
                }
            }
        }
        close(line);
        if !defaults.is_empty() {
            let _ = write!(line, ",\"d\":{{{defaults}");
            close(line);
        }
        line.push_str("}\n");
        errors
    }

    fn index(&mut self, table: &Table, index: &Index) -> io::Result<()> {
        let mut hash = Sha256::new();
        let mut count = 0_u64;
        let mut first = Vec::new();
        let mut entries = Entries::new(self.database, index);
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) => {
                    let (key, bookmark) = (hex::encode(entry.key), hex::encode(entry.bookmark));
                    hash.update(format!("{key} {bookmark}\n"));
                    if count < FIRST_ENTRIES {
                        first.push(format!("[\"{key}\",\"{bookmark}\"]"));
                    }
                    count += 1;
                }
                Err(error) => self.problem(&table.name, "scan_error", error)?,
            }
        }
        self.summary.entries += count;
        let (table, index) = (schema::string(&table.name), schema::string(&index.name));
        let (hash, first) = (hex::encode(hash.finalize()), first.join(","));
        writeln!(self.out, "{{\"t\":{table},\"index\":{index},\"count\":{count},\"sha256\":\"{hash}\",\"first\":[{first}]}}")
    }

    fn problem(&mut self, table: &str, kind: &str, error: Error) -> io::Result<()> {
        let (table, message) = (schema::string(table), schema::string(&error.to_string()));
        writeln!(self.out, "{{\"t\":{table},\"{kind}\":{},\"message\":{message}}}", error.jet.0)?;
        self.summary.errors.push(error);
        Ok(())
    }
}

/// Entries of an index that are written out.
const FIRST_ENTRIES: u64 = 8;

/// Ends a list whose members each end with a comma.
fn close(text: &mut String) {
    if text.ends_with(',') {
        text.pop();
    }
    text.push('}');
}
