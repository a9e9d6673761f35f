use super::*;
use crate::testing::empty;
use anchorlog_format::data::catalog::CatalogRow;
use anchorlog_format::data::record::Record;

/// A catalog row as the engine would write it: all fixed columns, of which `nulls` are NULL, and variable ones from `Name` on.
struct Row {
    table: u32,
    kind: u16,
    id: u32,
    type_or_root: u32,
    pages_or_locale: u32,
    flags: u32,
    chunk_size: Option<u32>,
    variable: Vec<&'static [u8]>,
}

impl Row {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![12, u8::try_from(127 + self.variable.len()).unwrap(), 45, 0];
        bytes.extend(self.table.to_le_bytes());
        bytes.extend(self.kind.to_le_bytes());
        for number in [self.id, self.type_or_root, 80, self.flags, self.pages_or_locale] {
            bytes.extend(number.to_le_bytes());
        }
        // RootFlag to KeyMost are NULL here, and filled with asterisks.
        bytes.extend([b'*'; 9]);
        bytes.extend(self.chunk_size.unwrap_or(0).to_le_bytes());
        bytes.extend([0b1000_0000, if self.chunk_size.is_some() { 0b1111_0111 } else { 0xFF }]);
        let mut end = 0;
        for value in &self.variable {
            end += u16::try_from(value.len()).unwrap();
            bytes.extend((end | if value.is_empty() { 0x8000 } else { 0 }).to_le_bytes());
        }
        bytes.extend(self.variable.concat());
        bytes
    }
}

const TABLE: Row =
    Row { table: 9, kind: 1, id: 9, type_or_root: 40, pages_or_locale: 7, flags: 0, chunk_size: None, variable: Vec::new() };

fn read(rows: &[Row]) -> Catalog {
    let database = empty();
    let mut reading = Reading::new(&database);
    for row in rows {
        let bytes = row.bytes();
        let record = Record::parse(&bytes, RecordFormat::Small).unwrap();
        reading.row(&CatalogRow::decode(&record).unwrap()).unwrap();
    }
    reading.finish()
}

fn column(name: &'static [u8]) -> Row {
    Row { kind: 2, id: 1, type_or_root: 4, pages_or_locale: 1200, variable: vec![name, b"", b"Callback"], ..TABLE }
}

// trap L6
#[test]
fn l6_a_tables_own_chunk_size_overrides_that_of_the_page_size() {
    let with = |chunk_size| {
        let catalog = read(&[Row { chunk_size, variable: vec![b"T"], ..TABLE }]);
        catalog.tables[&ObjectId(9)].chunk_size
    };
    assert_eq!([with(None), with(Some(0)), with(Some(1000))], [4014, 4014, 1000]);
}

// traps R15, R16
#[test]
fn r15_r16_what_a_field_means_depends_on_the_kind_of_row() {
    let catalog = read(&[Row { variable: vec![b"T", b"", b"Template"], flags: table_flags::DERIVED, ..TABLE }, column(b"c")]);
    let table = &catalog.tables[&ObjectId(9)];
    assert_eq!(table.template.as_deref(), Some("Template"));
    assert_eq!((table.tree.root.0, table.columns[0].code_page, table.columns[0].kind), (40, 1200, ColumnType::Long));
    // A column's callback is no template.
    assert_eq!(catalog.errors.len(), 1, "only the table's own template is looked for: {:?}", catalog.errors);
}

// trap R33
#[test]
fn r33_rows_of_a_table_may_come_in_any_order() {
    let catalog = read(&[column(b"c"), Row { variable: vec![b"T"], ..TABLE }]);
    assert_eq!(catalog.tables[&ObjectId(9)].columns[0].name, "c");
}

// trap R21
#[test]
fn r21_a_deleted_column_has_no_type() {
    let deleted = Row { type_or_root: 0, ..column(b"JetStub_9_1") };
    assert_eq!(read(&[Row { variable: vec![b"T"], ..TABLE }, deleted]).tables[&ObjectId(9)].columns.len(), 0);
}

#[test]
fn rows_without_their_table_are_left_over_and_no_error() {
    let catalog = read(&[column(b"c")]);
    assert_eq!((catalog.tables.len(), catalog.errors.len()), (0, 0));
    assert_eq!(catalog.leftovers, [ObjectId(9)]);
}
