//! The first pages of a database whose creation was logged without them: engines up to Windows 7 (`log-7 §12`).
//!
//! Such an engine made root, space trees and catalog with logging off, and later records expect exactly its pages, with their page
//! times. What is here is the image for pages of 8 KiB, proved by a real stream: every record that follows finds the page time that it
//! names. For other page sizes no real file shows where the catalog's pages divide.

use crate::apply::{self, ApplyError, PageImages, PageSet, node};
use anchorlog_format::data::catalog::columns;
use anchorlog_format::data::column::ColumnType;
use anchorlog_format::key::{KeyBuilder, SegmentRule};
use anchorlog_format::log::record::{ChangeFlags, CreateMultipleExtent, PageHead};
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::page::{NodeFlags, PageFlags};
use anchorlog_format::units::{DatabaseId, Dbtime, ObjectId, PageNumber, PageSize, SessionId, TransactionId};

/// Database format that the engine of these logs makes: version 0x620, this update.
pub const UPDATE: u32 = 17;
/// Data pages of the new file.
pub const PAGES: u32 = 256;
/// The last page time of the creation.
pub const DBTIME: Dbtime = Dbtime(0xCC);
/// The last object of the creation.
pub const LAST_OBJECT: ObjectId = ObjectId(5);

/// Whether the first pages are known of a database that a log of this version creates implicitly.
#[must_use]
pub fn is_known(log: LogVersion, create: (u16, u16), size: PageSize) -> bool {
    create == (1, 0) && log.is_legacy() && log.update_major >= 15 && size.bytes() == 8192
}

/// A tree of the new database.
struct Tree {
    object: u32,
    root: u32,
    parent: u32,
    /// Pages of its extent.
    pages: u32,
    /// Pages of it that are left when everything is made.
    available: u32,
    index: bool,
    /// Page times of the root, of the owned and of the available extents.
    times: [u64; 3],
}

const TREES: [Tree; 5] = [
    Tree { object: 1, root: 1, parent: 0, pages: 256, available: 224, index: false, times: [6, 6, 0x0E] },
    Tree { object: 2, root: 4, parent: 1, pages: 20, available: 11, index: false, times: [0xCA, 0x0D, 0x1C] },
    Tree { object: 3, root: 24, parent: 1, pages: 9, available: 6, index: false, times: [0xCC, 0x14, 0x14] },
    Tree { object: 4, root: 7, parent: 4, pages: 3, available: 0, index: true, times: [0xCB, 0x1B, 0x1B] },
    Tree { object: 5, root: 10, parent: 4, pages: 3, available: 0, index: true, times: [0x73, 0x22, 0x22] },
];

/// A column of the two catalog tables: number, name, type, most bytes, flags, code page.
struct Column(u32, &'static str, ColumnType, u32, u32, u32);

const ENGLISH: u32 = 1252;
const COLUMNS: [Column; 25] = [
    Column(1, "ObjidTable", ColumnType::Long, 4, 1, ENGLISH),
    Column(2, "Type", ColumnType::Short, 2, 1, ENGLISH),
    Column(3, "Id", ColumnType::Long, 4, 1, ENGLISH),
    Column(4, "ColtypOrPgnoFDP", ColumnType::Long, 4, 1, ENGLISH),
    Column(5, "SpaceUsage", ColumnType::Long, 4, 1, ENGLISH),
    Column(6, "Flags", ColumnType::Long, 4, 1, ENGLISH),
    Column(7, "PagesOrLocale", ColumnType::Long, 4, 1, ENGLISH),
    Column(8, "RootFlag", ColumnType::Bit, 1, 0, ENGLISH),
    Column(9, "RecordOffset", ColumnType::Short, 2, 0, ENGLISH),
    Column(10, "LCMapFlags", ColumnType::Long, 4, 0, ENGLISH),
    Column(11, "KeyMost", ColumnType::UnsignedShort, 2, 0, ENGLISH),
    Column(128, "Name", ColumnType::Text, 255, 1, ENGLISH),
    Column(129, "Stats", ColumnType::Binary, 255, 0, ENGLISH),
    Column(130, "TemplateTable", ColumnType::Text, 255, 0, ENGLISH),
    Column(131, "DefaultValue", ColumnType::Binary, 255, 0, ENGLISH),
    Column(132, "KeyFldIDs", ColumnType::Binary, 255, 0, ENGLISH),
    Column(133, "VarSegMac", ColumnType::Binary, 255, 0, ENGLISH),
    Column(134, "ConditionalColumns", ColumnType::Binary, 255, 0, ENGLISH),
    Column(135, "TupleLimits", ColumnType::Binary, 255, 0, ENGLISH),
    Column(136, "Version", ColumnType::Binary, 255, 0, ENGLISH),
    Column(256, "CallbackData", ColumnType::LongBinary, 0, 0, ENGLISH),
    Column(257, "CallbackDependencies", ColumnType::LongBinary, 0, 0, ENGLISH),
    Column(258, "SeparateLV", ColumnType::LongBinary, 0, 0, ENGLISH),
    Column(259, "SpaceHints", ColumnType::LongBinary, 0, 0, ENGLISH),
    Column(260, "SpaceDeferredLVHints", ColumnType::LongBinary, 0, 0, ENGLISH),
];

/// The offset in the record that every row about the catalog's own fixed columns names (trap R3).
const RECORD_OFFSET: i16 = 4;
const DENSITY: u32 = 80;
const LOCALE: u32 = 0x409;
const MAP_FLAGS: u32 = 0x3_0401;

/// A row of the catalog: the parts that its keys are made of, and its bytes.
struct Row {
    table: u32,
    kind: i16,
    id: u32,
    name: &'static str,
    is_root: bool,
    bytes: Vec<u8>,
}

/// The first pages, in no order.
///
/// # Errors
/// None that these constants can cause.
pub fn pages(size: PageSize) -> Result<PageImages, ApplyError> {
    let mut set = PageSet::default();
    for tree in &TREES {
        make(tree, size, &mut set)?;
    }
    let rows = rows();
    let bookmark = |row: &Row| key(&[Part::Long(row.table), Part::Short(row.kind), Part::Long(row.id)]);
    let by_name = |row: &Row| key(&[Part::Long(row.table), Part::Short(row.kind), Part::Text(row.name)]);
    let by_root = |row: &Row| key(&[Part::Bit(true), Part::Text(row.name)]);
    let catalog: Vec<_> = rows.iter().map(|row| (bookmark(row), row.bytes.clone())).collect();
    fill(PageNumber(4), catalog.clone(), &mut set)?;
    fill(PageNumber(24), catalog, &mut set)?;
    fill(PageNumber(7), rows.iter().map(|row| (by_name(row), bookmark(row))).collect(), &mut set)?;
    fill(PageNumber(10), rows.iter().filter(|row| row.is_root).map(|row| (by_root(row), bookmark(row))).collect(), &mut set)?;
    Ok(set.into_pages())
}

fn make(tree: &Tree, size: PageSize, set: &mut PageSet) -> Result<(), ApplyError> {
    let (root, owned, available) = (PageNumber(tree.root), PageNumber(tree.root + 1), PageNumber(tree.root + 2));
    for page in [root, owned, available] {
        set.add(page, vec![0; size.bytes()].into_boxed_slice());
    }
    let head = PageHead {
        session: SessionId(0),
        database: DatabaseId(0),
        page: root,
        dbtime: Dbtime(0),
        dbtime_before: Dbtime(0),
        transaction: TransactionId(0),
        level: 0,
        line: 0,
        flags: ChangeFlags(ChangeFlags::UNIQUE),
    };
    let create = CreateMultipleExtent {
        head,
        object: ObjectId(tree.object),
        owned_root: owned,
        available_root: available,
        parent_root: PageNumber(tree.parent),
        primary_pages: i32::try_from(tree.pages).unwrap_or(0),
        page_flags: if tree.index { PageFlags::INDEX.0 } else { 0 },
    };
    apply::tree::create_multiple(&create, set)?;
    if let Some(mut editor) = set.editor(available)
        && tree.available > 0
    {
        editor.replace_data(0, &tree.available.to_le_bytes()).map_err(|error| ApplyError::edit(available, error))?;
    }
    for (page, time) in [root, owned, available].into_iter().zip(tree.times) {
        if let Some(mut editor) = set.editor(page) {
            editor.set_dbtime(Dbtime(time));
        }
    }
    Ok(())
}

fn fill(page: PageNumber, mut nodes: Vec<(Vec<u8>, Vec<u8>)>, set: &mut PageSet) -> Result<(), ApplyError> {
    nodes.sort();
    let Some(mut editor) = set.editor(page) else { return Ok(()) };
    for (line, (key, data)) in (0..).zip(&nodes) {
        let node = node::compressed(key, data, &[], NodeFlags::NONE);
        editor.insert(line, &node).map_err(|error| ApplyError::edit(page, error))?;
    }
    Ok(())
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (table, name, root, pages, flags) in
        [(2, "MSysObjects", 4, 20, 0xC000_0000), (3, "MSysObjectsShadow", 24, 9, 0xC000_0000_u32)]
    {
        let fixed = Fixed { table, kind: 1, id: table, root, space: DENSITY, flags, pages, ..Fixed::default() };
        rows.push(fixed.row(name, true, &[]));
        for Column(id, name, kind, most, flags, code_page) in &COLUMNS {
            let offset = (*id < 128).then_some(RECORD_OFFSET);
            let kind = kind.number();
            let fixed = Fixed {
                table,
                kind: 2,
                id: *id,
                root: kind,
                space: *most,
                flags: *flags,
                pages: *code_page,
                offset,
                ..Fixed::default()
            };
            rows.push(fixed.row(name, false, &[]));
        }
    }
    for (table, id, root, flags, name, segments) in [
        (2, 2, 4, 0x1_0031, "Id", &[1, 2, 3][..]),
        (2, 4, 7, 0x1_0011, "Name", &[1, 2, 128]),
        (2, 5, 10, 0x1_0009, "RootObjects", &[8, 128]),
        (3, 3, 24, 0x1_0031, "Id", &[1, 2, 3]),
    ] {
        let map = Some(MAP_FLAGS);
        let fixed = Fixed { table, kind: 3, id, root, space: DENSITY, flags, pages: LOCALE, map, ..Fixed::default() };
        rows.push(fixed.row(name, false, segments));
    }
    rows
}

/// The fixed columns of a row.
#[derive(Default)]
struct Fixed {
    table: u32,
    kind: i16,
    id: u32,
    root: u32,
    space: u32,
    flags: u32,
    pages: u32,
    offset: Option<i16>,
    map: Option<u32>,
}

impl Fixed {
    /// The row: fixed columns up to the last that has a value, which of them have none, then name and index columns (`db-4 §10`).
    fn row(&self, name: &'static str, is_root: bool, segments: &[u32]) -> Row {
        /// What stands for a fixed column without a value.
        const NOTHING: u8 = 0x2A;
        let absent = |bytes: usize| vec![NOTHING; bytes];
        let parts: [(Vec<u8>, bool); 10] = [
            (self.table.to_le_bytes().to_vec(), true),
            (self.kind.to_le_bytes().to_vec(), true),
            (self.id.to_le_bytes().to_vec(), true),
            (self.root.to_le_bytes().to_vec(), true),
            (self.space.to_le_bytes().to_vec(), true),
            (self.flags.to_le_bytes().to_vec(), true),
            (self.pages.to_le_bytes().to_vec(), true),
            (if is_root { vec![0xFF] } else { absent(1) }, is_root),
            (self.offset.map_or_else(|| absent(2), |offset| offset.to_le_bytes().to_vec()), self.offset.is_some()),
            (self.map.map_or_else(|| absent(4), |map| map.to_le_bytes().to_vec()), self.map.is_some()),
        ];
        let last = parts.iter().rposition(|(_, present)| *present).map_or(0, |at| at + 1);
        let fixed: Vec<u8> = parts[..last].iter().flat_map(|(bytes, _)| bytes).copied().collect();
        let mut nulls = vec![0xFF_u8; last.div_ceil(8)];
        for (at, _) in parts[..last].iter().enumerate().filter(|(_, (_, present))| *present) {
            nulls[at / 8] &= !(1 << (at % 8));
        }
        let segments: Vec<u8> = segments.iter().flat_map(|column| (column << 16).to_le_bytes()).collect();
        let mut variable = name.as_bytes().to_vec();
        let end = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(0);
        let mut ends = vec![end(&variable)];
        if !segments.is_empty() {
            // Three columns without a value lie between name and segments.
            ends.extend([end(&variable) | 0x8000; 3]);
            variable.extend(segments);
            ends.push(end(&variable));
        }
        let first_variable = columns::NAME.fid.0;
        let last_variable = first_variable + u16::try_from(ends.len()).unwrap_or(1) - 1;
        let behind_fixed = 4 + fixed.len() + nulls.len();
        let mut bytes = vec![u8::try_from(last).unwrap_or(0), u8::try_from(last_variable).unwrap_or(0)];
        bytes.extend(u16::try_from(behind_fixed).unwrap_or(0).to_le_bytes());
        bytes.extend(fixed);
        bytes.extend(nulls);
        bytes.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
        bytes.extend(variable);
        Row { table: self.table, kind: self.kind, id: self.id, name, is_root, bytes }
    }
}

/// A segment of a key.
enum Part {
    Long(u32),
    Short(i16),
    Bit(bool),
    Text(&'static str),
}

fn key(parts: &[Part]) -> Vec<u8> {
    let mut key = KeyBuilder::new(255, None);
    for part in parts {
        let (kind, value) = match part {
            Part::Long(value) => (ColumnType::Long, value.to_le_bytes().to_vec()),
            Part::Short(value) => (ColumnType::Short, value.to_le_bytes().to_vec()),
            Part::Bit(value) => (ColumnType::Bit, vec![if *value { 0xFF } else { 0 }]),
            Part::Text(value) => (ColumnType::Text, value.as_bytes().to_vec()),
        };
        let rule = SegmentRule {
            kind,
            fixed: kind != ColumnType::Text,
            code_page: ENGLISH,
            descending: false,
            nulls_high: false,
            dot_net_guid: false,
            map_flags: MAP_FLAGS,
            sort_version: 0,
        };
        // Numbers and single-byte text always have a key.
        _ = key.push(&rule, Some(&value));
    }
    key.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_bytes_that_windows_7_wrote() {
        let rows = rows();
        let row = |table: u32, kind: i16, id: u32| {
            hex(&rows.iter().find(|row| (row.table, row.kind, row.id) == (table, kind, id)).unwrap().bytes)
        };
        assert_eq!(rows.len(), 56);
        assert_eq!(row(2, 1, 2), "08802000020000000100020000000400000050000000000000c014000000ff000b004d5379734f626a65637473");
        assert_eq!(row(2, 2, 8), "0980230002000000020008000000010000000100000000000000e40400002a040080fe0800526f6f74466c6167");
        assert_eq!(row(3, 2, 0x81), "07801f000300000002008100000009000000ff00000000000000e40400008005005374617473");
        assert_eq!(
            row(2, 3, 5),
            "0a84270002000000030005000000\
             0a0000005000000009000100090400002a2a2a0104030080fd0b000b800b800b801300526f6f744f626a656374730000080000008000"
        );
    }

    // traps Y15, Y16, db-3 D35
    #[test]
    fn y15_y16_the_first_page_times_and_the_first_free_page_are_those_of_windows_7() {
        use anchorlog_format::page::Page;
        use anchorlog_format::space::SpaceHeader;
        let pages = pages(size()).unwrap();
        let page = |number: u32| Page::new(&pages.iter().find(|(own, _)| own.0 == number).unwrap().1).unwrap();
        for (number, time) in [(3, 0x0E), (4, 0xCA), (10, 0x73), (7, 0xCB), (24, 0xCC)] {
            assert_eq!(page(number).dbtime(), Dbtime(time), "page {number}");
        }
        let free = page(3).line(0).unwrap();
        assert_eq!((free.suffix, free.data), (&256_u32.to_be_bytes()[..], &224_u32.to_le_bytes()[..]));
        // The copy of the catalog owns nine pages from the start.
        let root = SpaceHeader::read(page(24).external_header().unwrap()).unwrap();
        assert_eq!((root.pages, root.parent), (9, PageNumber(1)));
        assert_eq!((page(4).lines(), page(7).lines(), page(10).lines()), (56, 56, 2));
    }

    fn size() -> PageSize {
        PageSize::from_field(8192).unwrap()
    }
    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
