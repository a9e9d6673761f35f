use super::*;
use crate::catalog::DEFAULT_KEY_MOST;
use crate::cursor::Tree;
use crate::testing::empty;
use anchorlog_format::data::catalog::{IndexFlags, TupleLimits};
use anchorlog_format::data::column::{ColumnFlags, ColumnType, Fid};
use anchorlog_format::data::record::RecordFormat;
use anchorlog_format::units::{ObjectId, PageNumber};
use std::sync::Arc;

const TREE: Tree = Tree { root: PageNumber(31), objid: ObjectId(8) };

fn column(fid: u16, kind: ColumnType, flags: ColumnFlags) -> Column {
    Column {
        fid: Fid(fid),
        of_template: false,
        derived: false,
        name: format!("c{fid}"),
        kind,
        size: 4,
        code_page: 1252,
        flags,
        offset: Some(4 * fid),
        default: None,
    }
}

fn table(columns: Vec<Column>) -> Table {
    Table {
        name: "T".into(),
        tree: TREE,
        flags: 0,
        density: 80,
        template: None,
        long_values: None,
        chunk_size: 4014,
        columns: columns.into_iter().map(Arc::new).collect(),
        indexes: Vec::new(),
    }
}

fn index(flags: u32, fids: &[u16]) -> Index {
    let segment = |&fid: &u16| Segment { fid: Fid(fid), of_template: false, descending: false, must_be_null: false };
    Index {
        name: "I".into(),
        tree: TREE,
        flags: IndexFlags(flags),
        segments: fids.iter().map(segment).collect(),
        conditions: Vec::new(),
        key_most: DEFAULT_KEY_MOST,
        segment_most: None,
        tuple: None,
        map_flags: 0,
        locale: None,
        locale_number: 0,
        sort_version: None,
    }
}

/// Keys of a record given as hex, small pages.
fn keys_of(table: &Table, index: &Index, record: &str) -> Vec<String> {
    let bytes = hex::decode(record.replace([' ', '|'], "")).unwrap();
    let record = Record::parse(&bytes, RecordFormat::Small).unwrap();
    keys(&empty(), table, index, &record).unwrap().iter().map(hex::encode).collect()
}

/// Entries for any NULLs.
const ALL_NULLS: u32 = 0x1000e;
const MULTI: ColumnFlags = ColumnFlags::MULTI_VALUED;
/// Two fixed Long columns: 1 and NULL; then NULL and NULL.
const ONE_AND_NULL: &str = "02 7f 0d00 | 01000000 2a2a2a2a | fe";
const NULL_AND_NULL: &str = "02 7f 0d00 | 2a2a2a2a 2a2a2a2a | ff";
/// Tagged 256: instances 1, 2; 257: instances 3, 4 (one byte each).
const TWO_BY_TWO: &str = "00 7f 0400 | 0001 0840 0101 0c40 | 18 01 01 02 | 18 01 03 04";

fn two_longs() -> Table {
    table(vec![column(1, ColumnType::Long, ColumnFlags(0)), column(2, ColumnType::Long, ColumnFlags(0))])
}

fn two_multi() -> Table {
    table(vec![column(256, ColumnType::UnsignedByte, MULTI), column(257, ColumnType::UnsignedByte, MULTI)])
}

// traps K10, K14
#[test]
fn k10_k14_nulls_keep_records_out_as_the_index_says_even_behind_a_full_key() {
    let table = two_longs();
    let both = |flags| [ONE_AND_NULL, NULL_AND_NULL].map(|record| keys_of(&table, &index(flags, &[1, 2]), record).len());
    assert_eq!(both(ALL_NULLS), [1, 1]);
    assert_eq!(both(0x1000c), [1, 0], "all NULL is left out");
    assert_eq!(both(0x10006), [0, 1], "some NULL is left out");
    assert_eq!(both(0x10010), [0, 0], "NULL is refused");
    let cut = Index { key_most: 3, ..index(0x10006, &[1, 2]) };
    assert_eq!(keys_of(&table, &cut, ONE_AND_NULL).len(), 0);
    let first = |flags| keys_of(&table, &index(flags, &[2, 1]), ONE_AND_NULL).len();
    assert_eq!((first(0x1000c), first(0x1000a)), (1, 0), "the first column's NULL has a rule of its own");
}

// trap K16
#[test]
fn k16_only_the_first_multi_valued_column_counts_its_instances() {
    let plain = index(ALL_NULLS | 0x80, &[256, 257]);
    assert_eq!(keys_of(&two_multi(), &plain, TWO_BY_TWO), ["7f017f03", "7f027f03"]);
    let cross = index(ALL_NULLS | 0x2080, &[256, 257]);
    assert_eq!(keys_of(&two_multi(), &cross, TWO_BY_TWO), ["7f017f03", "7f017f04", "7f027f03", "7f027f04"]);
    let nested = index(ALL_NULLS | 0x8080, &[256, 257]);
    assert_eq!(keys_of(&two_multi(), &nested, TWO_BY_TWO), ["7f017f03", "7f027f04"]);
}

// trap K17
#[test]
fn k17_the_same_key_of_one_record_is_one_entry() {
    let text = Column { code_page: 1252, ..column(256, ColumnType::Text, MULTI) };
    let record = "00 7f 0400 | 0001 0440 | 18 01 61 41";
    assert_eq!(keys_of(&table(vec![text]), &index(ALL_NULLS | 0x80, &[256]), record), ["7f4100"]);
}

// trap K21
#[test]
fn k21_conditions_look_at_the_first_instance_and_defaults_count() {
    let with = |must_be_null| {
        let condition = Segment { fid: Fid(2), of_template: false, descending: false, must_be_null };
        Index { conditions: vec![condition], ..index(ALL_NULLS, &[1]) }
    };
    let mut table = two_longs();
    assert_eq!(keys_of(&table, &with(true), ONE_AND_NULL).len(), 1);
    assert_eq!(keys_of(&table, &with(false), ONE_AND_NULL).len(), 0);
    // A record that ends before the column has its default.
    let short = "01 7f 0900 | 01000000 | fe";
    assert_eq!(keys_of(&table, &with(false), short).len(), 0);
    Arc::make_mut(&mut table.columns[1]).default = Some(vec![7, 0, 0, 0]);
    assert_eq!(keys_of(&table, &with(false), short).len(), 1);
}

// trap K20
#[test]
fn k20_tuples_are_pieces_of_the_text_and_a_null_has_none() {
    let text = Column { code_page: 1252, ..column(256, ColumnType::LongText, ColumnFlags(0)) };
    let limits = TupleLimits { least: 2, most: 3, to_index: 100, increment: 2, start: 1 };
    let tuples = Index { tuple: Some(limits), ..index(ALL_NULLS, &[256]) };
    let table = table(vec![text]);
    // "abcdef": from the second character on, two apart: bcd, def, f is too short.
    assert_eq!(keys_of(&table, &tuples, "00 7f 0400 | 0001 0440 | 01 616263646566"), ["7f42434400", "7f44454600"]);
    assert_eq!(keys_of(&table, &tuples, "00 7f 0400"), [""; 0]);
}

// trap K29
#[test]
fn k29_a_limit_below_255_cuts_like_any_other() {
    let table = two_longs();
    let five = Index { key_most: 5, ..index(ALL_NULLS, &[1, 2]) };
    assert_eq!(keys_of(&table, &five, "02 7f 0d00 | 01000000 02000000 | fc"), ["7f80000001"]);
}

#[test]
fn a_key_of_unicode_text_that_cannot_be_told_is_said_to_be_one_entry() {
    let text = Column { code_page: 1200, ..column(256, ColumnType::LongText, ColumnFlags(0)) };
    let bytes = hex::decode("007f0400000104400100e4").unwrap();
    let record = Record::parse(&bytes, RecordFormat::Small).unwrap();
    let found = keys(&empty(), &table(vec![text]), &index(ALL_NULLS, &[256]), &record);
    assert_eq!(found, Err(NoKeys::Unpredictable { entries: Some(1) }));
}
