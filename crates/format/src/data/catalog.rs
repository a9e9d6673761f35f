//! Rows of the catalog, `MSysObjects` (`db-4 §3 to §9`). Its own schema is known in advance: the catalog's rows about itself give
//! wrong offsets (trap R3).

use super::column::{ColumnType, Fid};
use super::record::{Instance, Record, RecordFault, Stored};
use crate::units::{ObjectId, PageNumber};

/// One column of the catalog.
#[derive(Clone, Copy, Debug)]
pub struct CatalogColumn {
    /// Number.
    pub fid: Fid,
    /// Microsoft's name.
    pub microsoft: &'static str,
    /// Type.
    pub kind: ColumnType,
    /// Offset in the record, of fixed columns; nothing is aligned (trap R4).
    pub offset: u16,
}

macro_rules! catalog_columns {
    ($( $name:ident = $fid:literal, $microsoft:literal, $kind:ident, $offset:literal; )*) => {
        $(
            #[doc = concat!("`", $microsoft, "`")]
            pub const $name: CatalogColumn =
                CatalogColumn { fid: Fid($fid), microsoft: $microsoft, kind: ColumnType::$kind, offset: $offset };
        )*
        /// Every column, ascending; a row ends early where its engine knew fewer.
        pub const ALL: &[CatalogColumn] = &[$( $name ),*];
    };
}

/// The columns of the catalog (`db-4 §4`).
pub mod columns {
    use super::{CatalogColumn, ColumnType, Fid};

    catalog_columns! {
        OBJID_TABLE = 1, "ObjidTable", Long, 4;
        TYPE = 2, "Type", Short, 8;
        ID = 3, "Id", Long, 10;
        COLTYP_OR_PAGE = 4, "ColtypOrPgnoFDP", Long, 14;
        SPACE_USAGE = 5, "SpaceUsage", Long, 18;
        FLAGS = 6, "Flags", Long, 22;
        PAGES_OR_LOCALE = 7, "PagesOrLocale", Long, 26;
        ROOT_FLAG = 8, "RootFlag", Bit, 30;
        RECORD_OFFSET = 9, "RecordOffset", Short, 31;
        MAP_FLAGS = 10, "LCMapFlags", Long, 33;
        KEY_MOST = 11, "KeyMost", UnsignedShort, 37;
        CHUNK_SIZE = 12, "LVChunkMax", Long, 39;
        ROOT_SET_TIME = 13, "PgnoFDPLastSetTime", DateTime, 43;
        NAME = 128, "Name", Text, 0;
        STATS = 129, "Stats", Binary, 0;
        TEMPLATE = 130, "TemplateTable", Text, 0;
        DEFAULT = 131, "DefaultValue", Binary, 0;
        SEGMENTS = 132, "KeyFldIDs", Binary, 0;
        SEGMENT_MOST = 133, "VarSegMac", Binary, 0;
        CONDITIONS = 134, "ConditionalColumns", Binary, 0;
        TUPLE_LIMITS = 135, "TupleLimits", Binary, 0;
        SORT_VERSION = 136, "Version", Binary, 0;
        SORT_ID = 137, "SortID", Binary, 0;
        CALLBACK_DATA = 256, "CallbackData", LongBinary, 0;
        CALLBACK_DEPENDENCIES = 257, "CallbackDependencies", LongBinary, 0;
        SEPARATE_LV = 258, "SeparateLV", LongBinary, 0;
        SPACE_HINTS = 259, "SpaceHints", LongBinary, 0;
        DEFERRED_LV_HINTS = 260, "SpaceDeferredLVHints", LongBinary, 0;
        LOCALE_NAME = 261, "LocaleName", LongBinary, 0;
    }
}

/// What a catalog row describes (`db-4 §5`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A column.
    Column,
    /// An index; the primary one repeats the table's root (trap R18).
    Index,
    /// A table's long-value tree.
    LongValues,
    /// A callback of the application.
    Callback,
    /// Obsolete (streaming files), or unknown.
    Other(i16),
}

impl ObjectKind {
    /// From the row's `Type`.
    #[must_use]
    pub const fn from_number(number: i16) -> Self {
        match number {
            1 => Self::Table,
            2 => Self::Column,
            3 => Self::Index,
            4 => Self::LongValues,
            5 => Self::Callback,
            other => Self::Other(other),
        }
    }
}

/// A row of the catalog.
#[derive(Clone, Debug)]
pub struct CatalogRow<'a> {
    /// The table that the row belongs to.
    pub table: ObjectId,
    /// What it describes.
    pub kind: ObjectKind,
    /// Table, index, long values: object id of the tree; column: number, without the template's bit (trap R14).
    pub id: u32,
    /// Column: type; otherwise the root page of the tree.
    pub type_or_root: u32,
    /// Column: most bytes; tree: density in percent.
    pub space_usage: u32,
    /// Flags by kind.
    pub flags: u32,
    /// Tree: first pages; column: code page; index: locale number of old engines (trap R15).
    pub pages_or_locale: u32,
    /// Fixed column: offset in the record.
    pub record_offset: Option<u16>,
    /// Index: flags of text mapping.
    pub map_flags: Option<u32>,
    /// Index: most bytes of a key; absent means 255 (trap R24).
    pub key_most: Option<u16>,
    /// Table: chunk size of its long values; 0 and absent mean the page size's own.
    pub chunk_size: Option<u32>,
    /// Tree: when the root page was set, as a FILETIME in spite of its type (trap R17).
    pub root_set_time: Option<u64>,
    /// Name, single-byte text even where the data is Unicode (trap R22).
    pub name: &'a [u8],
    /// Table: name of its template; column: its callback (trap R16).
    pub template_or_callback: Option<&'a [u8]>,
    /// Column: default value.
    pub default: Option<&'a [u8]>,
    /// Index: segments, see [`segments`].
    pub segments: Option<&'a [u8]>,
    /// Index: most bytes of one segment.
    pub segment_most: Option<u16>,
    /// Index: conditional columns, see [`segments`].
    pub conditions: Option<&'a [u8]>,
    /// Index: limits of a tuple index.
    pub tuple_limits: Option<TupleLimits>,
    /// Index on Unicode text: sort version.
    pub sort_version: Option<u64>,
    /// Index on Unicode text: identity of the sort tables.
    pub sort_id: Option<&'a [u8]>,
    /// Table: values above this size are separated.
    pub separate_lv: Option<Instance<'a>>,
    /// Index: locale's name, UTF-16 little-endian.
    pub locale_name: Option<Instance<'a>>,
}

impl<'a> CatalogRow<'a> {
    /// Decodes a row.
    ///
    /// # Errors
    /// [`RecordFault`] where a column cannot be read, or one is missing that every row has.
    pub fn decode(record: &Record<'a>) -> Result<Self, RecordFault> {
        let long = |column: CatalogColumn| Ok(fixed::<4>(record, column)?.map(u32::from_le_bytes));
        let short = |column: CatalogColumn| Ok(fixed::<2>(record, column)?.map(u16::from_le_bytes));
        let needed = |column: CatalogColumn| long(column)?.ok_or(RecordFault::Fixed);
        let kind = fixed::<2>(record, columns::TYPE)?.map(i16::from_le_bytes).ok_or(RecordFault::Fixed)?;
        let variable = |column: CatalogColumn| match record.variable(column.fid) {
            Stored::Value(bytes) => Some(bytes),
            _ => None,
        };
        Ok(Self {
            table: ObjectId(needed(columns::OBJID_TABLE)?),
            kind: ObjectKind::from_number(kind),
            id: needed(columns::ID)?,
            type_or_root: needed(columns::COLTYP_OR_PAGE)?,
            space_usage: needed(columns::SPACE_USAGE)?,
            flags: needed(columns::FLAGS)?,
            pages_or_locale: needed(columns::PAGES_OR_LOCALE)?,
            record_offset: short(columns::RECORD_OFFSET)?,
            map_flags: long(columns::MAP_FLAGS)?,
            key_most: short(columns::KEY_MOST)?,
            chunk_size: long(columns::CHUNK_SIZE)?,
            root_set_time: fixed::<8>(record, columns::ROOT_SET_TIME)?.map(u64::from_le_bytes),
            name: variable(columns::NAME).ok_or(RecordFault::Variable)?,
            template_or_callback: variable(columns::TEMPLATE),
            default: variable(columns::DEFAULT),
            segments: variable(columns::SEGMENTS),
            segment_most: variable(columns::SEGMENT_MOST).and_then(|raw| Some(u16::from_le_bytes(raw.try_into().ok()?))),
            conditions: variable(columns::CONDITIONS),
            tuple_limits: variable(columns::TUPLE_LIMITS).and_then(TupleLimits::parse),
            sort_version: variable(columns::SORT_VERSION).and_then(|raw| Some(u64::from_le_bytes(raw.try_into().ok()?))),
            sort_id: variable(columns::SORT_ID),
            separate_lv: tagged(record, columns::SEPARATE_LV)?,
            locale_name: tagged(record, columns::LOCALE_NAME)?,
        })
    }
    /// The root page of a tree's row.
    #[must_use]
    pub const fn root(&self) -> PageNumber {
        PageNumber(self.type_or_root)
    }
    /// The locale's name, where one is recorded.
    #[must_use]
    pub fn locale(&self) -> Option<String> {
        let name = self.locale_name.filter(|name| !name.separated && !name.compressed)?;
        let units: Vec<u16> = name.data.chunks_exact(2).map(|raw| u16::from_le_bytes([raw[0], raw[1]])).collect();
        Some(String::from_utf16_lossy(&units))
    }
}

fn fixed<const N: usize>(record: &Record<'_>, column: CatalogColumn) -> Result<Option<[u8; N]>, RecordFault> {
    Ok(match record.fixed(column.fid, column.offset, N)? {
        Stored::Value(bytes) => bytes.try_into().ok(),
        _ => None,
    })
}

fn tagged<'a>(record: &Record<'a>, column: CatalogColumn) -> Result<Option<Instance<'a>>, RecordFault> {
    Ok(match record.tagged(column.fid, false)? {
        Stored::Value(value) => value.instance(0),
        _ => None,
    })
}

/// Limits of a tuple index, in characters (`db-6 §14`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TupleLimits {
    /// Least characters of a tuple.
    pub least: u32,
    /// Most characters of a tuple.
    pub most: u32,
    /// Most tuples of a value.
    pub to_index: u32,
    /// Characters from one tuple to the next.
    pub increment: u32,
    /// Characters in front of the first.
    pub start: u32,
}

impl TupleLimits {
    /// Five numbers, or the first three in old files; `None` for any other length.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let number = |index: usize| {
            let raw = bytes.get(4 * index..4 * index + 4)?;
            Some(u32::from_le_bytes(raw.try_into().ok()?))
        };
        let (increment, start) = match bytes.len() {
            20 => (number(3)?, number(4)?),
            12 => (1, 0),
            _ => return None,
        };
        Some(Self { least: number(0)?, most: number(1)?, to_index: number(2)?, increment, start })
    }
}

/// A column of an index: segment of the key, or condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// Column number.
    pub fid: Fid,
    /// The number is one of the template's (trap K28).
    pub of_template: bool,
    /// Segment: descending.
    pub descending: bool,
    /// Condition: the column must be NULL.
    pub must_be_null: bool,
}

/// Parses an index's segments or conditions: four bytes each with `extended` flags, otherwise two; `None` for a length that does
/// not divide.
#[must_use]
pub fn segments(bytes: &[u8], extended: bool) -> Option<Vec<Segment>> {
    if extended {
        let (entries, rest) = bytes.as_chunks::<4>();
        return rest.is_empty().then(|| {
            let segment = |&[flags, _, low, high]: &[u8; 4]| Segment {
                fid: Fid(u16::from_le_bytes([low, high])),
                of_template: flags & 0x80 != 0,
                descending: flags & 0x40 != 0,
                must_be_null: flags & 0x20 != 0,
            };
            entries.iter().map(segment).collect()
        });
    }
    let (entries, rest) = bytes.as_chunks::<2>();
    rest.is_empty().then(|| {
        let segment = |raw: &[u8; 2]| {
            let fid = i16::from_le_bytes(*raw);
            Segment { fid: Fid(fid.unsigned_abs()), of_template: false, descending: fid < 0, must_be_null: fid < 0 }
        };
        entries.iter().map(segment).collect()
    })
}

/// Flags of a table (`db-4 §6`).
pub mod table_flags {
    /// Made by the engine.
    pub const SYSTEM: u32 = 0x8000_0000;
    /// Its schema does not change.
    pub const FIXED_DDL: u32 = 0x4000_0000;
    /// Others derive from it.
    pub const TEMPLATE: u32 = 0x2000_0000;
    /// Derived from a template.
    pub const DERIVED: u32 = 0x1000_0000;
}

/// Flags of an index (`db-4 §6`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IndexFlags(pub u32);

macro_rules! index_flags {
    ($( $(#[$doc:meta])* $test:ident = $bit:literal; )*) => {
        impl IndexFlags {
            $( $(#[$doc])* #[must_use] pub const fn $test(self) -> bool { self.0 & $bit != 0 } )*
        }
    };
}

index_flags! {
    /// No two entries have the same key.
    is_unique = 0x0001;
    /// There is an entry even if all key columns are NULL.
    allows_all_nulls = 0x0002;
    /// There is an entry even if the first key column is NULL.
    allows_first_null = 0x0004;
    /// There is an entry even if some key columns are NULL.
    allows_some_nulls = 0x0008;
    /// NULL in a key column is refused.
    refuses_nulls = 0x0010;
    /// Orders the records themselves.
    is_primary = 0x0020;
    /// Some key column may have several instances.
    is_multi_valued = 0x0080;
    /// Index of a template table.
    is_template = 0x0100;
    /// Inherited from a template table.
    is_derived = 0x0200;
    /// Some key column is Unicode text.
    is_localized = 0x0400;
    /// NULL sorts last.
    sorts_nulls_high = 0x0800;
    /// All combinations of instances.
    is_cross_product = 0x2000;
    /// A key that would be cut is refused.
    refuses_truncation = 0x4000;
    /// The n-th instances of all columns together.
    is_nested_table = 0x8000;
    /// Segments have four bytes.
    has_extended_segments = 0x0001_0000;
    /// GUIDs sort as .NET sorts them.
    has_dot_net_guids = 0x0002_0000;
    /// Entries are still missing (traps R31, K26).
    is_deferred = 0x0004_0000;
}

#[cfg(test)]
mod tests {
    use super::super::record::RecordFormat;
    use super::*;

    fn row(text: &str, tail: &[u8]) -> Vec<u8> {
        let mut raw = hex::decode(text.replace([' ', '|'], "")).unwrap();
        raw.extend_from_slice(tail);
        raw
    }

    // trap R4
    #[test]
    fn r4_fixed_columns_follow_each_other_without_alignment() {
        let mut expected = 4;
        for column in columns::ALL.iter().filter(|column| column.fid.is_fixed()) {
            assert_eq!(usize::from(column.offset), expected, "{}", column.microsoft);
            expected += column.kind.size().unwrap();
        }
    }

    // trap R3
    #[test]
    fn r3_the_catalogs_rows_about_itself_give_no_offsets() {
        let raw =
            row("09 80 2300 | 02000000 0200 01000000 04000000 04000000 01000000 e4040000 2a 0400 | 80 fe | 0a00", b"ObjidTable");
        let row = CatalogRow::decode(&Record::parse(&raw, RecordFormat::Small).unwrap()).unwrap();
        assert_eq!((row.kind, row.id, row.type_or_root), (ObjectKind::Column, 1, 4));
        assert_eq!(row.record_offset, Some(4));
        assert_eq!(row.name, b"ObjidTable");
        assert_eq!(row.pages_or_locale, 1252);
    }

    // traps R23, K22
    #[test]
    fn r23_k22_an_index_row_has_its_segments_and_a_locale_even_on_numbers() {
        let mut tail = b"Id".to_vec();
        tail.extend(hex::decode("000001000000020000000300").unwrap());
        tail.extend(hex::decode("0501044001").unwrap());
        tail.extend("en-US".encode_utf16().flat_map(u16::to_le_bytes));
        let raw = row(
            "0a 84 2700 | 02000000 0300 02000000 04000000 50000000 31000100 00000000 2a 2a2a 01040300 | 80fd | 0200 0280 0280 0280 0e00",
            &tail,
        );
        let row = CatalogRow::decode(&Record::parse(&raw, RecordFormat::Small).unwrap()).unwrap();
        assert_eq!(row.locale().unwrap(), "en-US");
        let flags = IndexFlags(row.flags);
        assert!(flags.is_primary() && flags.is_unique() && flags.refuses_nulls() && !flags.is_localized());
        let fids: Vec<u16> = segments(row.segments.unwrap(), true).unwrap().iter().map(|segment| segment.fid.0).collect();
        assert_eq!(fids, [1, 2, 3]);
        // trap R24
        assert_eq!(row.key_most, None);
    }

    #[test]
    fn old_segments_are_signed_numbers() {
        let found = segments(&[1, 0, 0xFF, 0xFE], false).unwrap();
        assert_eq!((found[0].fid, found[0].descending), (Fid(1), false));
        assert_eq!((found[1].fid, found[1].descending), (Fid(257), true));
        assert_eq!(segments(&[1, 2, 3], false), None);
        assert_eq!(segments(&[1, 2], true), None);
    }

    // trap K28
    #[test]
    fn k28_a_segment_may_name_a_column_of_the_template() {
        let found = segments(&[0x80, 0, 2, 0, 0x40, 0, 3, 0], true).unwrap();
        assert!(found[0].of_template && !found[0].descending);
        assert!(!found[1].of_template && found[1].descending);
    }

    // trap K20
    #[test]
    fn k20_tuple_limits_have_five_numbers_or_three_in_old_files() {
        let five: Vec<u8> = [3_u32, 6, 40, 2, 1].iter().flat_map(|number| number.to_le_bytes()).collect();
        let limits = TupleLimits::parse(&five).unwrap();
        assert_eq!((limits.least, limits.most, limits.to_index, limits.increment, limits.start), (3, 6, 40, 2, 1));
        let old = TupleLimits::parse(&five[..12]).unwrap();
        assert_eq!((old.increment, old.start), (1, 0));
        assert_eq!(TupleLimits::parse(&five[..16]), None);
    }

    proptest::proptest! {
        #[test]
        fn any_record_is_a_row_or_a_fault(raw: Vec<u8>) {
            if let Ok(record) = Record::parse(&raw, RecordFormat::Small) {
                let _ = CatalogRow::decode(&record);
            }
        }
    }
}
