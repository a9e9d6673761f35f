//! The schema: tables with their columns, indexes and long-value trees, from the catalog's rows.

use crate::cursor::{Scan, Tree};
use crate::database::Database;
use crate::error::Error;
use anchorlog_format::data::catalog::{CatalogRow, IndexFlags, ObjectKind, Segment, TupleLimits, columns, segments, table_flags};
use anchorlog_format::data::column::{ColumnFlags, ColumnType, Fid};
use anchorlog_format::data::locale::locale_name;
use anchorlog_format::data::long_value::chunk_size;
use anchorlog_format::data::record::{Record, RecordFormat};
use anchorlog_format::data::text::ansi;
use anchorlog_format::jet::JetCode;
use anchorlog_format::space::{CATALOG, CATALOG_SHADOW};
use anchorlog_format::units::ObjectId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All tables, by object id.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The tables.
    pub tables: BTreeMap<ObjectId, Table>,
    /// What could not be read or understood; the rest of the schema stands.
    pub errors: Vec<Error>,
    /// Objects of which there are rows, but not the table's own: left behind when a table was dropped. The engine ignores them.
    pub leftovers: Vec<ObjectId>,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Name.
    pub name: String,
    /// Its tree: the records, in the order of the primary index.
    pub tree: Tree,
    /// Flags ([`table_flags`]).
    pub flags: u32,
    /// Percent to which pages are filled.
    pub density: u32,
    /// Name of the template it derives from.
    pub template: Option<String>,
    /// Tree of its long values, once it has any.
    pub long_values: Option<Tree>,
    /// Uncompressed bytes of every chunk of a long value but the last (trap L6).
    pub chunk_size: u32,
    /// Its columns and its template's, ascending by [`Column::id`]; deleted ones are left out.
    pub columns: Vec<Arc<Column>>,
    /// Its indexes, by name.
    pub indexes: Vec<Index>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Number.
    pub fid: Fid,
    /// The column belongs to a new-style template: its number is one of the template's.
    pub of_template: bool,
    /// The column is the template's and not this table's own: in records its tagged value is marked as derived (trap R13).
    pub derived: bool,
    /// Name.
    pub name: String,
    /// Type.
    pub kind: ColumnType,
    /// Most bytes, as the catalog has it; 0: no limit.
    pub size: u32,
    /// Code page of text.
    pub code_page: u32,
    /// Flags.
    pub flags: ColumnFlags,
    /// Offset in the record, of a fixed column.
    pub offset: Option<u16>,
    /// Default value.
    pub default: Option<Vec<u8>>,
}

impl Column {
    /// The column's id in Microsoft's interface: the number, and bit 31 for a template's column.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.fid.0 as u32 | if self.of_template { 0x8000_0000 } else { 0 }
    }
}

/// An index.
#[derive(Debug)]
pub struct Index {
    /// Name.
    pub name: String,
    /// Its tree; of the primary index the table's own (trap R18).
    pub tree: Tree,
    /// Flags.
    pub flags: IndexFlags,
    /// Columns of the key.
    pub segments: Vec<Segment>,
    /// Conditions for an entry.
    pub conditions: Vec<Segment>,
    /// Most bytes of a key.
    pub key_most: u16,
    /// Most bytes of a segment, where limited.
    pub segment_most: Option<u16>,
    /// Limits of a tuple index.
    pub tuple: Option<TupleLimits>,
    /// Flags of text mapping.
    pub map_flags: u32,
    /// Name of the locale; where an old file has a number instead, the name of that, if it is known.
    pub locale: Option<String>,
    /// Number of the locale in old files.
    pub locale_number: u32,
    /// Version of the sort tables, of indexes on Unicode text.
    pub sort_version: Option<u64>,
}

/// Most bytes of a key where the catalog says nothing (trap R24).
pub const DEFAULT_KEY_MOST: u16 = 255;

impl Table {
    /// The primary index; `None` for a table whose keys are counters (trap R19).
    #[must_use]
    pub fn primary(&self) -> Option<&Index> {
        self.indexes.iter().find(|index| index.flags.is_primary())
    }
    /// The secondary indexes.
    pub fn secondaries(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| !index.flags.is_primary())
    }
    /// The column that a segment names.
    #[must_use]
    pub fn column_of(&self, segment: &Segment) -> Option<&Column> {
        let of = |of_template| self.columns.iter().find(|column| column.fid == segment.fid && column.of_template == of_template);
        // In a template's own indexes segments need not be marked.
        of(segment.of_template).or_else(|| of(!segment.of_template)).map(Arc::as_ref)
    }
    /// Whether the engine made it: such tables are left out of dumps of the users' data.
    #[must_use]
    pub fn is_engines(&self) -> bool {
        self.name.starts_with("MSys")
    }
}

impl Catalog {
    /// Reads the catalog, `MSysObjects`.
    #[must_use]
    pub fn read(database: &Database) -> Self {
        Self::read_tree(database, Tree { root: CATALOG.root, objid: CATALOG.objid })
    }
    /// Reads the copy of the catalog; it may be empty (trap R20).
    #[must_use]
    pub fn read_shadow(database: &Database) -> Self {
        Self::read_tree(database, Tree { root: CATALOG_SHADOW.root, objid: CATALOG_SHADOW.objid })
    }
    /// Tables by the bytes of their names.
    #[must_use]
    pub fn by_name(&self) -> Vec<&Table> {
        let mut tables: Vec<&Table> = self.tables.values().collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    fn read_tree(database: &Database, tree: Tree) -> Self {
        let mut reading = Reading::new(database);
        let mut scan = Scan::new(database, tree);
        while let Some(entry) = scan.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    reading.errors.push(error);
                    continue;
                }
            };
            let place = database.place().page(entry.page).line(entry.line);
            let format = RecordFormat::of(database.page_size(), entry.page_flags.has_new_record_format());
            let row = Record::parse(entry.data, format).and_then(|record| CatalogRow::decode(&record));
            let error = |message: String| Error::new(place.clone(), JetCode::CATALOG_CORRUPTED, message);
            match row {
                Ok(row) => {
                    if let Err(message) = reading.row(&row) {
                        reading.errors.push(error(message));
                    }
                }
                Err(fault) => reading.errors.push(error(fault.to_string())),
            }
        }
        reading.finish()
    }
}

/// The catalog while its rows come in: those of one table need not begin with the table's own (trap R33).
struct Reading<'d> {
    database: &'d Database,
    tables: BTreeMap<ObjectId, Parts>,
    errors: Vec<Error>,
}

#[derive(Default)]
struct Parts {
    table: Option<Table>,
    columns: Vec<Arc<Column>>,
    indexes: Vec<Index>,
    long_values: Option<Tree>,
}

impl<'d> Reading<'d> {
    fn new(database: &'d Database) -> Self {
        Self { database, tables: BTreeMap::new(), errors: Vec::new() }
    }
    fn row(&mut self, row: &CatalogRow<'_>) -> Result<(), String> {
        let default_chunk = chunk_size(self.database.page_size());
        let parts = self.tables.entry(row.table).or_default();
        let tree = Tree { root: row.root(), objid: ObjectId(row.id) };
        match row.kind {
            ObjectKind::Table => {
                parts.table = Some(Table {
                    name: ansi(row.name),
                    tree,
                    flags: row.flags,
                    density: row.space_usage,
                    template: row.template_or_callback.map(ansi),
                    long_values: None,
                    chunk_size: row.chunk_size.filter(|&size| size != 0).unwrap_or(default_chunk),
                    columns: Vec::new(),
                    indexes: Vec::new(),
                });
            }
            ObjectKind::Column => {
                if let Some(column) = column(row)? {
                    parts.columns.push(Arc::new(column));
                }
            }
            ObjectKind::Index => parts.indexes.push(index(row, tree)?),
            ObjectKind::LongValues => parts.long_values = Some(tree),
            // A callback names no tree; obsolete and unknown kinds are left out (`db-4 §5`).
            ObjectKind::Callback | ObjectKind::Other(_) => {}
        }
        Ok(())
    }
    fn finish(mut self) -> Catalog {
        let templates: BTreeMap<String, Vec<Arc<Column>>> = self
            .tables
            .values()
            .filter_map(|parts| {
                let table = parts.table.as_ref().filter(|table| table.flags & table_flags::TEMPLATE != 0)?;
                Some((table.name.clone(), parts.columns.clone()))
            })
            .collect();
        let mut catalog = Catalog::default();
        for (objid, parts) in self.tables {
            let Some(mut table) = parts.table else {
                catalog.leftovers.push(objid);
                continue;
            };
            table.columns = if is_catalog(objid) { own_columns(parts.columns) } else { parts.columns };
            if let Some(template) = &table.template {
                match templates.get(template) {
                    Some(columns) => table.columns.extend(columns.iter().map(|column| Arc::new(inherited(column)))),
                    None => {
                        let message = format!("the template {template} of table {} is not in the catalog", table.name);
                        self.errors.push(Error::new(self.database.place(), JetCode::CATALOG_CORRUPTED, message));
                    }
                }
            }
            table.columns.sort_by_key(|column| column.id());
            table.indexes = parts.indexes;
            table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
            table.long_values = parts.long_values;
            catalog.tables.insert(objid, table);
        }
        catalog.errors = self.errors;
        catalog
    }
}

/// `None` for a deleted column (trap R21).
fn column(row: &CatalogRow<'_>) -> Result<Option<Column>, String> {
    let name = ansi(row.name);
    if row.type_or_root == 0 {
        return Ok(None);
    }
    let kind = ColumnType::from_number(row.type_or_root)
        .ok_or_else(|| format!("column {name} has the unknown type {}", row.type_or_root))?;
    let fid = u16::try_from(row.id)
        .ok()
        .map(Fid)
        .filter(|fid| fid.placement().is_some())
        .ok_or_else(|| format!("column {name} has the impossible number {}", row.id))?;
    let flags = ColumnFlags((row.flags & 0xFFFF) as u16);
    Ok(Some(Column {
        fid,
        of_template: flags.is_new_template(),
        derived: false,
        name,
        kind,
        size: row.space_usage,
        code_page: row.pages_or_locale,
        flags,
        offset: row.record_offset,
        default: row.default.map(<[u8]>::to_vec),
    }))
}

fn is_catalog(objid: ObjectId) -> bool {
    objid == CATALOG.objid || objid == CATALOG_SHADOW.objid
}

/// The catalog's columns as every engine knows them: its rows about itself lack later ones, and give wrong offsets (trap R3). Columns that
/// only the rows know are kept.
fn own_columns(rows: Vec<Arc<Column>>) -> Vec<Arc<Column>> {
    let known = columns::ALL.iter().map(|column| {
        let fixed = column.fid.is_fixed();
        let size = match (column.kind.size(), column.fid.is_tagged()) {
            (Some(size), _) => u32::try_from(size).unwrap_or(0),
            (None, true) => 0,
            (None, false) => 255,
        };
        let not_null = column.fid <= columns::PAGES_OR_LOCALE.fid || column.fid == columns::NAME.fid;
        Arc::new(Column {
            fid: column.fid,
            of_template: false,
            derived: false,
            name: column.microsoft.into(),
            kind: column.kind,
            size,
            code_page: 1252,
            flags: if not_null { ColumnFlags::NOT_NULL } else { ColumnFlags(0) },
            offset: fixed.then_some(column.offset),
            default: None,
        })
    });
    let unknown = rows.into_iter().filter(|row| columns::ALL.iter().all(|column| column.fid != row.fid));
    known.chain(unknown).collect()
}

fn inherited(column: &Column) -> Column {
    Column { derived: column.of_template, ..column.clone() }
}

fn index(row: &CatalogRow<'_>, tree: Tree) -> Result<Index, String> {
    let name = ansi(row.name);
    let flags = IndexFlags(row.flags);
    let parse = |bytes: Option<&[u8]>, what: &str| {
        segments(bytes.unwrap_or(&[]), flags.has_extended_segments())
            .ok_or_else(|| format!("the {what} of index {name} cannot be read"))
    };
    Ok(Index {
        segments: parse(row.segments, "columns")?,
        conditions: parse(row.conditions, "conditions")?,
        tree,
        flags,
        key_most: row.key_most.unwrap_or(DEFAULT_KEY_MOST),
        segment_most: row.segment_most,
        tuple: row.tuple_limits,
        map_flags: row.map_flags.unwrap_or(0),
        locale: row.locale().or_else(|| locale_name(row.pages_or_locale).map(Into::into)),
        locale_number: row.pages_or_locale,
        sort_version: row.sort_version,
        name,
    })
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
