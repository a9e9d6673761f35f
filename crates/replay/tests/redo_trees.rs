//! Splits, merges, moves, space and whole trees, on pages and records made to order: what no file has, and each trap of `log-4 §22` that
//! concerns several pages.

mod common;

use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{
    BeforeImage, ChangeFlags, ConvertToMultipleExtent, CreateMultipleExtent, CreateSingleExtent, EmptyTree, FlagInsertAndReplace,
    Insert, MacroMark, MergeFields, Operation, PageMove, Replace, RootPageMove, SetExternalHeader, Split, SplitFields,
};
use anchorlog_format::page::{NodeFlags, Page, PageEditor, PageFlags};
use anchorlog_format::space::SpaceHeader;
use anchorlog_format::units::{Dbtime, ObjectId, PageNumber, SessionId, VersionId};
use common::bench::{
    Bench, DATABASE, Line, OBJECT, ROOT, Range, SESSION, head, inner, leaf, line, merge_of, node, page, split_of,
};

const PARENT: PageFlags = PageFlags::PARENT_OF_LEAF;

/// A leaf under a root that leads to it alone.
fn tree(leaf_time: u64, lines: &[Line<'_>]) -> Vec<(u32, Vec<u8>)> {
    let root = inner(4, 10, PageFlags::ROOT.with(PARENT), &[0; 16], &[("", 30)]);
    vec![root, leaf(30, leaf_time, lines)]
}

/// The root's part of a split of page 30 into 30 and 31.
fn parent_part<'a>() -> Operation<'a> {
    Operation::Split(split_of(head(4, 10, 20, 0)))
}

/// Page 30 gives lines from `split_line` on to page 31; `pending`: line and kind of the operation.
fn right_split<'a>(split_line: u16, lines: u16, pending: (u16, u8), separator: &'a [u8]) -> Split<'a> {
    let mut split = split_of(head(30, 10, 20, 0));
    split.separator = separator;
    split.fields.new_page = PageNumber(31);
    split.fields.split_type = SplitFields::RIGHT;
    (split.fields.operation_line, split.fields.split_operation) = pending;
    (split.fields.split_line, split.fields.lines) = (split_line, lines);
    split.fields.parent = ROOT;
    split.fields.parent_dbtime_before = Dbtime(10);
    // Flags as logged: with the bits that belong to the writer of the file.
    split.fields.new_page_flags = (PageFlags::LEAF.0 | 0x2000 | 0x8000) | PageFlags::NEW_RECORD_FORMAT.0;
    split.fields.split_page_flags = split.fields.new_page_flags;
    split
}

fn insert<'a>(page: u32, line: u16, key: &'a str) -> Operation<'a> {
    let head = node(page, u64::MAX, 20, line, 5);
    Operation::Insert(Insert { head, prefix: b"", suffix: key.as_bytes(), data: b"new" })
}

/// An image as a split logs it: whole, stamped already.
fn image_of(pages: &[(u32, Vec<u8>)], number: u32, stamped: u64) -> Vec<u8> {
    let mut image = pages.iter().find(|(own, _)| *own == number).unwrap().1.clone();
    PageEditor::new(&mut image).unwrap().set_dbtime(Dbtime(stamped));
    image
}

const FOUR: [Line<'static>; 4] =
    [("aaa", "1", NodeFlags::NONE), ("bbb", "2", NodeFlags::NONE), ("ccc", "3", NodeFlags::NONE), ("ddd", "4", NodeFlags::NONE)];

// traps V13, V38, db-3 D25
#[test]
fn v13_v38_split_lines_count_the_pending_node_whichever_side_it_comes_to() {
    for (at, key, split_line, left, right) in [
        (1, "aba", 3, vec!["aaa", "aba", "bbb"], vec!["ccc", "ddd"]),
        (3, "cda", 3, vec!["aaa", "bbb", "ccc"], vec!["cda", "ddd"]),
        (4, "eee", 2, vec!["aaa", "bbb"], vec!["ccc", "ddd", "eee"]),
    ] {
        let pages = tree(10, &FOUR);
        let mut bench = Bench::new(Range::Inside, &pages);
        bench.begin(SESSION);
        let image = image_of(&pages, 30, 20);
        let mut split = right_split(split_line, 5, (at, 1), b"sep");
        split.before = Some(BeforeImage { flags: 0, bytes: &image });
        bench.group(20, &[parent_part(), Operation::Split(split), insert(30, at, key)]).unwrap();
        assert_eq!(
            (bench.keys(30), bench.keys(31)),
            (left.into_iter().map(String::from).collect(), right.into_iter().map(String::from).collect())
        );
        let children: Vec<(Vec<u8>, u32)> =
            bench.lines(4).into_iter().map(|(key, data, _)| (key, u32::from_le_bytes(data.try_into().unwrap()))).collect();
        assert_eq!(children, [(b"sep".to_vec(), 30), (Vec::new(), 31)]);
        assert_eq!((bench.dbtime(4), bench.dbtime(30), bench.dbtime(31)), (20, 20, 20));
        assert_eq!(bench.versions(), 1);
        // Flush type and checksum format belong to the writer of the file.
        let image = bench.image(31);
        let flags = Page::new(&image).unwrap().flags();
        assert_eq!(flags.0 & (0x18000 | 0x2000), 0, "{flags:?}");
    }
}

#[test]
fn v11_the_image_in_the_record_stands_in_for_a_page_that_is_newer_and_that_page_stays_as_it_is() {
    let before = tree(10, &FOUR);
    let image = image_of(&before, 30, 20);
    // The split page went to the file long after; the new page was lost.
    let pages = tree(77, &[line("aaa", "much later")]);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let mut split = right_split(2, 5, (4, 1), b"sep");
    split.before = Some(BeforeImage { flags: 0, bytes: &image });
    bench.group(20, &[parent_part(), Operation::Split(split), insert(30, 4, "eee")]).unwrap();
    assert_eq!(bench.keys(31), ["ccc", "ddd", "eee"]);
    assert_eq!((bench.dbtime(30), bench.lines(30)[0].1.clone()), (77, b"much later".to_vec()));
    assert!(!bench.redo.cache.is_dirty(DATABASE, PageNumber(30)));
}

#[test]
fn v12_a_split_without_the_image_that_it_needs_is_refused_even_where_nothing_is_to_be_done() {
    let mut pages = tree(77, &FOUR);
    pages.push(leaf(31, 77, &[line("zzz", "1")]));
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let code = |bench: &mut Bench, split| {
        let members = [parent_part(), Operation::Split(split), insert(30, 4, "eee")];
        bench.group(20, &members).map_err(|error| error.jet.0)
    };
    assert_eq!(code(&mut bench, right_split(2, 5, (4, 1), b"sep")), Err(JetCode::DATABASE_BUFFER_DEPENDENCIES_CORRUPTED.0));
    // Where only the new node moves, none is needed.
    assert_eq!(code(&mut bench, right_split(4, 5, (4, 1), b"sep")), Ok(()));
    // A merge needs its image only where the page that gets the nodes is to be redone.
    for (destination, expected) in [(77, Ok(())), (10, Err(JetCode::DATABASE_BUFFER_DEPENDENCIES_CORRUPTED.0))] {
        let mut pages = tree(10, &FOUR);
        pages.push(leaf(31, destination, &[line("zzz", "1")]));
        let mut bench = Bench::new(Range::Inside, &pages);
        bench.begin(SESSION);
        let merge = merge_into(31, MergeFields::FULL_RIGHT, 0);
        assert_eq!(bench.group(20, &[Operation::Merge(merge)]).map_err(|error| error.jet.0), expected);
    }
}

#[test]
fn v14_a_prefix_in_common_counts_from_three_bytes_on() {
    let lines = [line("aaaa", "1"), line("aaab", "2"), line("aax", "3"), line("aaz", "4")];
    let pages = tree(10, &lines);
    let image = image_of(&pages, 30, 20);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let mut split = right_split(2, 5, (4, 1), b"sep");
    split.before = Some(BeforeImage { flags: 0, bytes: &image });
    // The page split gets "aaaa" as its prefix, the new page its first key, "aax".
    (split.fields.prefix_line, split.new_prefix) = (0, b"aaaa");
    split.fields.new_prefix_line = 0;
    bench.group(20, &[parent_part(), Operation::Split(split), insert(30, 4, "ab")]).unwrap();
    let prefixes = |bench: &mut Bench, number| {
        let image = bench.image(number);
        let page = Page::new(&image).unwrap();
        (0..page.lines()).map(|at| page.line(at).unwrap().prefix_length).collect::<Vec<_>>()
    };
    assert_eq!((prefixes(&mut bench, 30), prefixes(&mut bench, 31)), (vec![4, 3], vec![3, 0, 0]));
    assert_eq!(
        (bench.keys(30), bench.keys(31)),
        (vec!["aaaa".into(), "aaab".into()], vec!["aax".into(), "aaz".into(), "ab".into()])
    );
}

#[test]
fn v15_a_replace_that_came_with_a_split_loses_old_flags_on_the_page_split_and_keeps_them_on_the_new_one() {
    for (at, page_with_node, expected) in [(0, 30, 0), (3, 31, NodeFlags::DELETED.0)] {
        let mut lines = FOUR;
        lines[usize::from(at)].2 = NodeFlags::DELETED;
        let pages = tree(10, &lines);
        let image = image_of(&pages, 30, 20);
        let mut bench = Bench::new(Range::Inside, &pages);
        bench.begin(SESSION);
        let mut split = right_split(2, 4, (at, 2), b"sep");
        split.before = Some(BeforeImage { flags: 0, bytes: &image });
        let replace = Replace { head: node(30, u64::MAX, 20, at, 0), old_size: 1, new_size: 3, data: b"new" };
        bench.group(20, &[parent_part(), Operation::Split(split), Operation::Replace(replace)]).unwrap();
        let found = bench.lines(page_with_node).into_iter().find(|(_, data, _)| data == b"new").unwrap();
        assert_eq!(found.2, expected, "line {at}");
    }
}

#[test]
fn a_split_that_came_with_a_flag_insert_revives_the_node_on_either_side_and_keeps_both_versions() {
    for (at, page_with_node) in [(0, 30), (3, 31)] {
        let mut lines = FOUR;
        lines[usize::from(at)].2 = NodeFlags::DELETED;
        let pages = tree(10, &lines);
        let image = image_of(&pages, 30, 20);
        let mut bench = Bench::new(Range::Inside, &pages);
        bench.begin(SESSION);
        let mut split = right_split(2, 4, (at, 3), b"sep");
        split.before = Some(BeforeImage { flags: 0, bytes: &image });
        let key = lines[usize::from(at)].0.as_bytes();
        let head = node(30, u64::MAX, 20, at, 5);
        let insert = FlagInsertAndReplace { head, version_of_replace: VersionId(6), key, data: b"new" };
        bench.group(20, &[parent_part(), Operation::Split(split), Operation::FlagInsertAndReplace(insert)]).unwrap();
        let found = bench.lines(page_with_node).into_iter().find(|(own, ..)| own == key).unwrap();
        assert_eq!((found.1, found.2), (b"new".to_vec(), 0), "line {at}");
        assert_eq!(bench.versions(), 2);
        assert_eq!(bench.redo.versions.get(VersionId(6)).unwrap().unwrap().before, lines[usize::from(at)].1.as_bytes());
    }
}

#[test]
fn v29_a_vertical_split_replaces_the_roots_flags_but_for_the_one_of_a_reverted_tree() {
    let flags = PageFlags::ROOT.with(PageFlags::LEAF).with(PageFlags::ROOT_DELETE);
    let root = page(4096, 4, 10, flags, &[0; 16], &FOUR);
    let pages = vec![root];
    let image = image_of(&pages, 4, 20);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let mut split = split_of(head(4, 10, 20, 0));
    split.fields.new_page = PageNumber(31);
    split.fields.split_type = SplitFields::VERTICAL;
    (split.fields.operation_line, split.fields.split_operation) = (4, 1);
    (split.fields.split_line, split.fields.lines) = (0, 5);
    split.fields.new_page_flags = PageFlags::LEAF.0;
    split.fields.split_page_flags = PageFlags::ROOT.with(PARENT).0;
    split.before = Some(BeforeImage { flags: 0, bytes: &image });
    bench.group(20, &[Operation::Split(split), insert(4, 4, "eee")]).unwrap();
    assert_eq!(bench.keys(31), ["aaa", "bbb", "ccc", "ddd", "eee"]);
    let image = bench.image(4);
    let root = Page::new(&image).unwrap();
    assert_eq!(root.flags(), PageFlags::ROOT.with(PARENT).with(PageFlags::ROOT_DELETE));
    assert_eq!(root.external_header().unwrap(), [0; 16]);
    assert_eq!(bench.lines(4), [(Vec::new(), 31_u32.to_le_bytes().to_vec(), 0)]);
}

/// A merge of page 30 into a neighbour.
fn merge_into(neighbour: u32, merge_type: u8, merge_line: u16) -> anchorlog_format::log::record::Merge<'static> {
    let mut merge = merge_of(head(30, 10, 20, 0));
    merge.fields.merge_type = merge_type;
    merge.fields.merge_line = merge_line;
    if [MergeFields::FULL_LEFT, MergeFields::PARTIAL_LEFT].contains(&merge_type) {
        (merge.fields.left_page, merge.fields.left_dbtime_before) = (PageNumber(neighbour), Dbtime(10));
    } else {
        (merge.fields.right_page, merge.fields.right_dbtime_before) = (PageNumber(neighbour), Dbtime(10));
    }
    if [MergeFields::FULL_LEFT, MergeFields::FULL_RIGHT].contains(&merge_type) {
        merge.fields.merge_flags = 4;
    }
    merge
}

#[test]
fn v16_v17_a_merge_leaves_deleted_nodes_of_the_moved_range_behind_and_takes_version_flags_along() {
    let lines = [
        ("aaa", "1", NodeFlags::DELETED),
        ("bbb", "2", NodeFlags::NONE),
        ("ccc", "3", NodeFlags::DELETED),
        ("ddd", "4", NodeFlags::VERSION),
    ];
    for (kind, from, kept, moved) in [
        (MergeFields::PARTIAL_RIGHT, 2, vec!["aaa", "bbb"], vec!["ddd", "zzz"]),
        (MergeFields::FULL_RIGHT, 0, vec![], vec!["bbb", "ddd", "zzz"]),
    ] {
        let mut pages = tree(10, &lines);
        pages.push(leaf(31, 10, &[line("zzz", "9")]));
        let image = image_of(&pages, 30, 20);
        let mut bench = Bench::new(Range::Inside, &pages);
        bench.begin(SESSION);
        let mut merge = merge_into(31, kind, from);
        merge.before = Some(BeforeImage { flags: 0, bytes: &image });
        bench.group(20, &[Operation::Merge(merge)]).unwrap();
        assert_eq!(
            (bench.keys(30), bench.keys(31)),
            (kept.into_iter().map(String::from).collect(), moved.into_iter().map(String::from).collect())
        );
        let right = bench.image(31);
        let right = Page::new(&right).unwrap();
        let of_ddd = (0..right.lines()).map(|at| right.line(at).unwrap()).find(|node| node.suffix == b"ddd").unwrap();
        assert!(of_ddd.flags.0 & NodeFlags::VERSION.0 != 0);
        let left = bench.image(30);
        assert_eq!(Page::new(&left).unwrap().flags().is_empty(), kind == MergeFields::FULL_RIGHT);
    }
}

#[test]
fn a_merge_into_a_page_that_lost_its_write_takes_the_nodes_from_the_image() {
    let before = tree(10, &FOUR);
    let image = image_of(&before, 30, 20);
    let mut pages = tree(77, &[]);
    pages.push(leaf(31, 10, &[line("zzz", "9")]));
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let mut merge = merge_into(31, MergeFields::FULL_RIGHT, 0);
    merge.before = Some(BeforeImage { flags: 0, bytes: &image });
    bench.group(20, &[Operation::Merge(merge)]).unwrap();
    assert_eq!(bench.keys(31), ["aaa", "bbb", "ccc", "ddd", "zzz"]);
    assert_eq!((bench.dbtime(30), bench.dbtime(31)), (77, 20));
}

#[test]
fn a_merge_that_reserves_more_than_is_free_is_refused() {
    let mut pages = tree(10, &FOUR);
    pages.push(leaf(31, 10, &[line("zzz", "9")]));
    let image = image_of(&pages, 30, 20);
    for (reserved, refused) in [(16, false), (4096, true)] {
        let mut bench = Bench::new(Range::Inside, &pages);
        bench.begin(SESSION);
        let mut merge = merge_into(31, MergeFields::FULL_RIGHT, 0);
        merge.before = Some(BeforeImage { flags: 0, bytes: &image });
        merge.uncommitted_free = reserved;
        let outcome = bench.group(20, &[Operation::Merge(merge)]);
        assert_eq!(outcome.is_err() || !bench.bad_pages().is_empty(), refused, "{reserved}: {outcome:?}");
    }
}

// traps V30, db-3 D27
#[test]
fn v30_an_emptied_tree_keeps_the_roots_external_header_and_its_children_lose_theirs() {
    let root = inner(4, 10, PageFlags::ROOT.with(PARENT), &[7; 16], &[("", 30)]);
    let child = page(4096, 30, 11, PageFlags::LEAF, b"prefix", &[line("prefix1", "1")]);
    let mut bench = Bench::new(Range::Inside, &[root, child]);
    bench.begin(SESSION);
    let mut list = Vec::new();
    list.extend(11_u64.to_le_bytes());
    list.extend(30_u32.to_le_bytes());
    list.extend(0_u32.to_le_bytes());
    bench.redo(Operation::EmptyTree(EmptyTree { head: node(4, 10, 20, 0, 0), list: &list }));
    let (root, child) = (bench.image(4), bench.image(30));
    let (root, child) = (Page::new(&root).unwrap(), Page::new(&child).unwrap());
    assert_eq!(
        (root.external_header().unwrap(), root.lines(), root.flags().logged()),
        (&[7; 16][..], 0, PageFlags::ROOT.with(PageFlags::LEAF).with(PageFlags::NEW_RECORD_FORMAT))
    );
    assert_eq!((child.external_header().unwrap(), child.lines(), child.flags().is_empty()), (&[][..], 0, true));
    assert_eq!((root.dbtime(), child.dbtime()), (Dbtime(20), Dbtime(20)));
}

fn moved<'a>(from: u32, to: u32, kind: u32, header: &'a [u8], trailer: &'a [u8]) -> PageMove<'a> {
    PageMove {
        head: head(from, 10, 20, 0),
        destination: PageNumber(to),
        left_page: PageNumber(0),
        right_page: PageNumber(0),
        parent: PageNumber(0),
        left_dbtime_before: Dbtime::NIL,
        right_dbtime_before: Dbtime::NIL,
        parent_dbtime_before: Dbtime::NIL,
        root: ROOT,
        object: OBJECT,
        parent_line: 0,
        move_flags: kind,
        page_header: header,
        page_trailer: trailer,
    }
}

#[test]
fn v34_the_source_of_a_move_is_emptied_keeps_its_neighbours_and_gets_the_records_time() {
    let root = inner(4, 10, PageFlags::ROOT.with(PARENT), &[0; 16], &[("bbb", 29), ("ddd", 30), ("", 31)]);
    let mut source = leaf(30, 10, &[line("ccc", "3")]);
    {
        let mut editor = PageEditor::new(&mut source.1).unwrap();
        editor.set_previous(PageNumber(29));
        editor.set_next(PageNumber(31));
    }
    let (left, right) = (leaf(29, 10, &[line("aaa", "1")]), leaf(31, 10, &[line("eee", "5")]));
    let image = source.1.clone();
    let record = || {
        let mut record = moved(30, 40, 0, &image[..2048], &image[2048..]);
        (record.left_page, record.left_dbtime_before) = (PageNumber(29), Dbtime(10));
        (record.right_page, record.right_dbtime_before) = (PageNumber(31), Dbtime(10));
        (record.parent, record.parent_dbtime_before, record.parent_line) = (ROOT, Dbtime(10), 1);
        record
    };
    let mut bench = Bench::new(Range::Inside, &[root.clone(), left.clone(), source.clone(), right.clone()]);
    bench.begin(SESSION);
    bench.redo(Operation::PageMove(record()));
    let emptied = bench.image(30);
    let emptied = Page::new(&emptied).unwrap();
    assert_eq!((emptied.previous(), emptied.next(), emptied.dbtime()), (PageNumber(29), PageNumber(31), Dbtime(20)));
    assert!(emptied.flags().is_empty() && emptied.lines() == 0);
    let links = |bench: &mut Bench, number| {
        let image = bench.image(number);
        let page = Page::new(&image).unwrap();
        (page.previous().0, page.next().0)
    };
    assert_eq!((links(&mut bench, 29), links(&mut bench, 40), links(&mut bench, 31)), ((0, 40), (29, 31), (40, 0)));
    assert_eq!((bench.keys(40), bench.dbtime(40)), (vec!["ccc".to_owned()], 20));
    assert_eq!(bench.lines(4)[1].1, 40_u32.to_le_bytes());
    // The source is newer: its image in the record is moved.
    let newer = leaf(30, 90, &[]);
    let mut bench = Bench::new(Range::Inside, &[root, left, newer, right]);
    bench.begin(SESSION);
    bench.redo(Operation::PageMove(record()));
    assert_eq!((bench.keys(40), bench.dbtime(30)), (vec!["ccc".to_owned()], 90));
}

#[test]
fn v37_a_root_move_changes_two_catalog_rows_on_one_page_and_the_space_headers_of_child_trees() {
    let header = |pages, parent: u32, owned| {
        let mut bytes = [0; 16];
        let header = SpaceHeader { pages, parent: PageNumber(parent), flags: SpaceHeader::MULTIPLE, available: owned };
        header.write(&mut bytes);
        bytes
    };
    let root_header: Vec<u8> = [&[3_u8][..], &header(6, 1, 5), &77_u64.to_le_bytes()].concat();
    let root = page(4096, 4, 10, PageFlags::ROOT.with(PageFlags::LEAF), &root_header, &[line("row", "1")]);
    let space = PageFlags::ROOT.with(PageFlags::LEAF).with(PageFlags::SPACE_TREE);
    let owned = page(4096, 5, 10, space, &[0; 16], &[]);
    let available = page(4096, 6, 10, space, &[0; 16], &[]);
    let child_header: Vec<u8> = [&[3_u8][..], &header(4, 4, 51), &88_u64.to_le_bytes()].concat();
    let child = page(4096, 50, 10, PageFlags::ROOT.with(PageFlags::LEAF), &child_header, &[line("lv", "1")]);
    let catalog = leaf(33, 10, &[line("index", "old root"), line("table", "old root")]);
    let pages = [root, owned, available, child, catalog];
    let image = |number: u32| pages.iter().find(|(own, _)| *own == number).unwrap().1.clone();
    let (a, b, c) = (image(4), image(5), image(6));
    let new_child = header(4, 40, 51);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let catalog_row =
        |line| Operation::Replace(Replace { head: node(33, 10, 20, line, 0), old_size: 8, new_size: 8, data: b"new root" });
    let members = [
        Operation::RootPageMove(RootPageMove { dbtime: Dbtime(20), database: DATABASE, object: OBJECT, session: SESSION }),
        Operation::PageMove(moved(4, 40, 1, &a[..2048], &a[2048..])),
        Operation::PageMove(moved(5, 41, 2, &b[..2048], &b[2048..])),
        Operation::PageMove(moved(6, 42, 4, &c[..2048], &c[2048..])),
        Operation::SetExternalHeader(SetExternalHeader { head: node(50, 10, 20, 0, 0), data: &new_child }),
        catalog_row(0),
        catalog_row(1),
    ];
    bench.group(20, &members).unwrap();
    let external = |bench: &mut Bench, number| {
        let image = bench.image(number);
        Page::new(&image).unwrap().external_header().unwrap().to_vec()
    };
    // The new root names its new space tree and keeps its counter.
    assert_eq!(external(&mut bench, 40), [&[3_u8][..], &header(6, 1, 41), &77_u64.to_le_bytes()].concat());
    // v36: of the child's extended header only the space header changes.
    assert_eq!(external(&mut bench, 50), [&[3_u8][..], &new_child, &88_u64.to_le_bytes()].concat());
    assert!(bench.lines(33).iter().all(|(_, data, _)| data == b"new root"), "{:?}", bench.lines(33));
    assert_eq!(bench.keys(40), ["row"]);
    for (old, new) in [(4, 40), (5, 41), (6, 42)] {
        let image = bench.image(old);
        assert!(Page::new(&image).unwrap().flags().is_empty(), "page {old}");
        assert_eq!((bench.dbtime(old), bench.dbtime(new)), (20, 20));
    }
    assert_eq!(bench.versions(), 0);
}

#[test]
fn v36_a_conversion_to_several_extents_changes_only_the_space_header_of_an_extended_root() {
    let mut single = [0; 16];
    SpaceHeader { pages: 4, parent: PageNumber(1), flags: 0, available: 0b100 }.write(&mut single);
    let header: Vec<u8> = [&[3_u8][..], &single, &99_u64.to_le_bytes()].concat();
    let root = page(4096, 4, 10, PageFlags::ROOT.with(PageFlags::LEAF), &header, &[line("row", "1")]);
    let mut bench = Bench::new(Range::Inside, &[root]);
    bench.begin(SESSION);
    bench.redo(Operation::ConvertToMultipleExtent(ConvertToMultipleExtent {
        head: head(4, 10, 20, 0),
        object: OBJECT,
        owned_root: PageNumber(20),
        available_root: PageNumber(21),
        parent_root: PageNumber(1),
        secondary_first: PageNumber(20),
        primary_pages: 4,
        secondary_pages: 8,
        available_bitmap: 0b100,
        page_flags: 0,
    }));
    let mut multiple = [0; 16];
    SpaceHeader { pages: 4, parent: PageNumber(1), flags: SpaceHeader::MULTIPLE, available: 20 }.write(&mut multiple);
    let image = bench.image(4);
    assert_eq!(Page::new(&image).unwrap().external_header().unwrap(), [&[3_u8][..], &multiple, &99_u64.to_le_bytes()].concat());
    let extents = |bench: &mut Bench, number: u32| -> Vec<(u32, u32)> {
        let lines = bench.lines(number).into_iter();
        lines
            .map(|(key, data, _)| (u32::from_be_bytes(key.try_into().unwrap()), u32::from_le_bytes(data.try_into().unwrap())))
            .collect()
    };
    assert_eq!(extents(&mut bench, 20), [(7, 4), (27, 8)]);
    assert_eq!(extents(&mut bench, 21), [(7, 1), (27, 6)]);
}

#[test]
fn creation_records_make_pages_anew_and_are_no_members_of_a_group() {
    let mut bench = Bench::new(Range::Inside, &[leaf(20, 5, &[line("old", "life")])]);
    bench.begin(SESSION);
    let mark = MacroMark { session: SESSION, dbtime: Dbtime(20) };
    bench.redo(Operation::MacroBegin(mark));
    let create = CreateSingleExtent {
        head: head(20, u64::MAX, 20, 0),
        object: ObjectId(44),
        parent_root: PageNumber(1),
        primary_pages: 3,
        page_flags: 0xA802,
    };
    bench.redo(Operation::CreateSingleExtent(create));
    let image = bench.image(20);
    let root = Page::new(&image).unwrap();
    assert_eq!((root.objid(), root.lines(), root.dbtime()), (ObjectId(44), 0, Dbtime(20)));
    assert_eq!(root.flags(), PageFlags::ROOT.with(PageFlags::LEAF).with(PageFlags::NEW_RECORD_FORMAT));
    let create = CreateMultipleExtent {
        head: head(22, u64::MAX, 21, 0),
        object: ObjectId(45),
        owned_root: PageNumber(23),
        available_root: PageNumber(24),
        parent_root: PageNumber(1),
        primary_pages: 3,
        page_flags: 0,
    };
    bench.redo(Operation::CreateMultipleExtent(create));
    // Three pages are all that there is: none is available.
    assert_eq!((bench.lines(23).len(), bench.lines(24).len()), (1, 0));
}

#[test]
fn a_group_of_a_session_that_began_before_the_start_is_passed_over_as_a_whole() {
    let pages = tree(10, &FOUR);
    let mut bench = Bench::new(Range::Inside, &pages);
    let mark = MacroMark { session: SessionId(3), dbtime: Dbtime(20) };
    bench.redo(Operation::MacroBegin(mark));
    let mut split = right_split(4, 5, (4, 1), b"sep");
    split.head.session = SessionId(3);
    bench.redo(Operation::Split(split));
    bench.redo(Operation::MacroCommit(mark));
    assert_eq!((bench.dbtime(30), bench.dbtime(4)), (10, 10));
    assert_eq!(bench.redo.databases[&DATABASE].highest_dbtime, Dbtime(20));
}

#[test]
fn an_aborted_group_changes_nothing() {
    let pages = tree(10, &FOUR);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let mark = MacroMark { session: SESSION, dbtime: Dbtime(20) };
    bench.redo(Operation::MacroBegin(mark));
    bench.redo(parent_part());
    bench.redo(Operation::Split(right_split(4, 5, (4, 1), b"sep")));
    bench.redo(insert(30, 4, "eee"));
    bench.redo(Operation::MacroAbort(mark));
    assert_eq!((bench.dbtime(30), bench.dbtime(4), bench.dbtime(31), bench.versions()), (10, 10, 0, 0));
    assert_eq!(bench.redo.open_macros(), []);
}

#[test]
fn a_group_that_begins_with_a_record_that_no_group_begins_with_is_refused_and_so_is_an_empty_one() {
    let mut bench = Bench::new(Range::Inside, &tree(10, &FOUR));
    bench.begin(SESSION);
    assert_eq!(bench.group(20, &[]).unwrap_err().jet, JetCode::LOG_FILE_CORRUPT);
    let mut alone = node(30, 10, 20, 4, 0);
    alone.head.flags = ChangeFlags(ChangeFlags::UNIQUE);
    let insert = Operation::Insert(Insert { head: alone, prefix: b"", suffix: b"eee", data: b"new" });
    assert_eq!(bench.group(20, &[insert]).unwrap_err().jet.0, -107);
}

#[test]
fn an_image_of_another_page_or_of_a_wrong_size_is_refused() {
    let pages = tree(77, &FOUR);
    for image in [vec![0; 4095], vec![0; 17]] {
        let mut bench = Bench::new(Range::Inside, &pages);
        bench.begin(SESSION);
        let mut split = right_split(2, 5, (4, 1), b"sep");
        split.before = Some(BeforeImage { flags: 0, bytes: &image });
        let made = bench.group(20, &[parent_part(), Operation::Split(split), insert(30, 4, "eee")]);
        assert_eq!(made.unwrap_err().jet.0, -107);
    }
}
