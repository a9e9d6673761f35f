//! Groups of records that are redone as one, and the page images that they carry: which of their pages were written before the crash
//! makes no difference, nor what lies between their records.

mod common;

use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::{
    BeforeImage, Insert, MacroMark, Merge, MergeFields, Operation, PageHead, Split, SplitFields,
};
use anchorlog_format::page::compare::differences;
use anchorlog_format::page::{Page, PageEditor, PageFlags};
use anchorlog_format::units::{Dbtime, Generation, LogPosition, PageNumber, SessionId};
use anchorlog_replay::apply::image;
use anchorlog_testkit::data::engine_sets;
use common::bench::{Bench, DATABASE, Line, ROOT, Range, SESSION, head, inner, leaf, line, merge_of, node, page, split_of};
use common::files::{crash_of, logs};

type Pages = Vec<(u32, Vec<u8>)>;

const OTHER: SessionId = SessionId(8);
const NODE_INSERTED: u8 = 1;

fn four() -> [Line<'static>; 4] {
    [line("aaa", "1"), line("bbb", "2"), line("ccc", "3"), line("ddd", "4")]
}

/// A root that leads to leaf 30 and its right neighbour 32.
fn tree() -> Pages {
    let root = inner(4, 10, PageFlags::ROOT.with(PageFlags::PARENT_OF_LEAF), &[0; 16], &[("eee", 30), ("", 32)]);
    vec![root, leaf(30, 10, &four()), leaf(32, 10, &[line("zzz", "9")])]
}

fn of_session(mut head: PageHead, session: SessionId) -> PageHead {
    head.session = session;
    head
}

/// Leaf 30 gives its lines from the third on to page 31, in front of page 32; "eee" is inserted behind them.
fn split<'a>(session: SessionId, image: &'a [u8]) -> Vec<Operation<'a>> {
    let mut split = split_of(of_session(head(30, 10, 20, 0), session));
    split.separator = b"c";
    split.fields.new_page = PageNumber(31);
    (split.fields.right_page, split.fields.right_dbtime_before) = (PageNumber(32), Dbtime(10));
    split.fields.split_type = SplitFields::RIGHT;
    (split.fields.operation_line, split.fields.split_operation) = (4, NODE_INSERTED);
    (split.fields.split_line, split.fields.lines) = (2, 5);
    (split.fields.parent, split.fields.parent_dbtime_before) = (ROOT, Dbtime(10));
    split.fields.new_page_flags = PageFlags::LEAF.0;
    split.fields.split_page_flags = PageFlags::LEAF.0;
    split.before = Some(BeforeImage { flags: 0, bytes: image });
    let mut at = node(30, u64::MAX, 20, 4, 5);
    at.head.session = session;
    let insert = Insert { head: at, prefix: b"", suffix: b"dzz", data: b"new" };
    let parent = split_of(of_session(head(4, 10, 20, 0), session));
    vec![Operation::Split(parent), Operation::Split(split), Operation::Insert(insert)]
}

/// Leaf 30 goes into its right neighbour 32; the root loses the line that leads to it.
fn merge(image: &[u8]) -> Vec<Operation<'_>> {
    let mut parent = merge_of(head(4, 10, 20, 0));
    parent.fields.merge_flags = 2;
    let mut merge = merge_of(head(30, 10, 20, 0));
    merge.fields.merge_type = MergeFields::FULL_RIGHT;
    merge.fields.merge_flags = 4;
    (merge.fields.right_page, merge.fields.right_dbtime_before) = (PageNumber(32), Dbtime(10));
    (merge.fields.parent, merge.fields.parent_dbtime_before) = (ROOT, Dbtime(10));
    merge.before = Some(BeforeImage { flags: 0, bytes: image });
    vec![Operation::Merge(parent), Operation::Merge(merge)]
}

/// A page as a record logs it: with the page time of after.
fn logged(pages: &Pages, number: u32) -> Vec<u8> {
    let mut image = pages.iter().find(|(own, _)| *own == number).unwrap().1.clone();
    PageEditor::new(&mut image).unwrap().set_dbtime(Dbtime(20));
    image
}

fn children(bench: &mut Bench) -> Vec<(String, u32)> {
    let lines = bench.lines(4).into_iter();
    lines.map(|(key, data, _)| (String::from_utf8(key).unwrap(), u32::from_le_bytes(data.try_into().unwrap()))).collect()
}

fn same(a: &[u8], b: &[u8]) -> Vec<String> {
    differences(Page::new(a).unwrap(), Page::new(b).unwrap())
}

/// Redoes a group over every choice of pages that went to the file before the crash.
fn over_every_choice(pages: &Pages, numbers: &[u32], group: &[Operation<'_>], versions: usize) {
    let mut whole = Bench::new(Range::Inside, pages);
    whole.begin(SESSION);
    whole.group(20, group).unwrap();
    let after: Pages = numbers.iter().map(|&number| (number, whole.image(number))).collect();
    for choice in 0..1_u32 << numbers.len() {
        let is_written = |number: u32| numbers.iter().position(|&own| own == number).is_some_and(|at| choice >> at & 1 == 1);
        let written = after.iter().filter(|(number, _)| is_written(*number)).cloned();
        let found: Pages = pages.iter().filter(|(number, _)| !is_written(*number)).cloned().chain(written).collect();
        let mut bench = Bench::new(Range::Inside, &found);
        bench.begin(SESSION);
        bench.group(20, group).unwrap_or_else(|error| panic!("{choice:#b}: {} {error}", error.jet));
        for (number, expected) in &after {
            assert_eq!(same(&bench.image(*number), expected), Vec::<String>::new(), "{choice:#b}: page {number}");
        }
        assert_eq!((bench.versions(), bench.bad_pages()), (versions, vec![]), "{choice:#b}");
    }
}

// traps db-3 D23, D25
#[test]
fn d23_any_of_the_pages_of_a_split_or_merge_may_have_been_written_before_the_crash() {
    let pages = tree();
    let image = logged(&pages, 30);
    over_every_choice(&pages, &[4, 30, 31, 32], &split(SESSION, &image), 1);
    over_every_choice(&pages, &[4, 30, 32], &merge(&image), 0);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    bench.group(20, &split(SESSION, &image)).unwrap();
    assert_eq!(children(&mut bench), [("c".into(), 30), ("eee".into(), 31), (String::new(), 32)]);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    bench.group(20, &merge(&image)).unwrap();
    assert_eq!((children(&mut bench), bench.keys(32).len()), (vec![(String::new(), 32)], 5));
}

// trap db-3 D24
#[test]
fn d24_what_lay_where_a_new_page_comes_to_is_not_held_against_it() {
    let pages = tree();
    let image = logged(&pages, 30);
    for range in [Range::Inside, Range::Left] {
        let mut bench = Bench::new(range, &pages);
        bench.garble(31);
        bench.begin(SESSION);
        bench.group(20, &split(SESSION, &image)).unwrap();
        assert_eq!((bench.keys(31), bench.bad_pages()), (vec!["ccc".into(), "ddd".into(), "dzz".into()], vec![]));
    }
}

#[test]
fn g36_the_node_record_of_a_group_has_no_time_before_and_is_not_held_to_one() {
    let pages = tree();
    let image = logged(&pages, 30);
    let group = split(SESSION, &image);
    assert!(matches!(&group[2], Operation::Insert(insert) if insert.head.head.dbtime_before == Dbtime::NIL));
    // Outside the required range every other page time is an error.
    let mut bench = Bench::new(Range::Left, &pages);
    bench.begin(SESSION);
    bench.group(20, &group).unwrap();
    assert_eq!((bench.keys(31), bench.bad_pages()), (vec!["ccc".into(), "ddd".into(), "dzz".into()], vec![]));
}

#[test]
fn g38_members_belong_to_a_group_by_session_and_page_time_whatever_lies_between() {
    let pages = tree();
    let image = logged(&pages, 30);
    let mut bench = Bench::new(Range::Inside, &[pages.clone(), vec![leaf(40, 10, &[])]].concat());
    bench.begin(SESSION);
    bench.begin(OTHER);
    let mark = |session| MacroMark { session, dbtime: Dbtime(20) };
    let alone = |line, after, key: &'static str| {
        let mut at = node(40, after - 1, after, line, 0);
        at.head.session = OTHER;
        Operation::Insert(Insert { head: at, prefix: b"", suffix: key.as_bytes(), data: b"1" })
    };
    bench.redo(Operation::MacroBegin(mark(SESSION)));
    bench.redo(alone(0, 11, "a"));
    bench.redo(Operation::MacroBegin(mark(OTHER)));
    // The same split, logged by another session with the same page time, and never finished.
    for (ours, theirs) in split(SESSION, &image).into_iter().zip(split(OTHER, &image)) {
        bench.redo(theirs);
        bench.redo(ours);
        bench.redo(Operation::Trace(anchorlog_format::log::record::Trace { session: OTHER, text: b"between" }));
    }
    bench.redo(alone(1, 12, "b"));
    bench.redo(Operation::MacroAbort(mark(OTHER)));
    assert_eq!((bench.dbtime(30), bench.keys(40).len()), (10, 2), "nothing of a group is redone before its commit");
    bench.redo(Operation::MacroCommit(mark(SESSION)));
    assert_eq!((bench.keys(30), bench.keys(31).len()), (vec!["aaa".into(), "bbb".into()], 3));
    assert_eq!(bench.redo.open_macros(), []);
}

#[test]
fn g39_a_group_goes_on_in_the_next_generation() {
    let pages = tree();
    let image = logged(&pages, 30);
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let mark = MacroMark { session: SESSION, dbtime: Dbtime(20) };
    bench.redo(Operation::MacroBegin(mark));
    let mut members = split(SESSION, &image).into_iter();
    bench.redo(members.next().unwrap());
    bench.at(LogPosition::new(6, 1, 0));
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    members.for_each(|member| bench.redo(member));
    bench.redo(Operation::MacroCommit(mark));
    assert_eq!(children(&mut bench), [("c".into(), 30), ("eee".into(), 31), (String::new(), 32)]);
}

// traps G40, db-2 D23, D24
#[test]
fn g40_d23_d24_a_raw_image_is_one_page_of_any_size_and_what_stands_for_its_checksum_is_not_looked_at() {
    for size in [4096, 8192, 16_384, 32_768] {
        let before = page(size, 30, 10, PageFlags::LEAF, b"", &four());
        let mut image = logged(&vec![before.clone()], 30);
        image[..8].fill(0xA5);
        if size > 8192 {
            image[40..64].fill(0xA5);
        }
        // The page split is newer already: only the image knows what goes to the new page.
        let newer = page(size, 30, 77, PageFlags::LEAF, b"", &[]);
        let pages = [newer, page(size, 32, 77, PageFlags::LEAF, b"", &[]), page(size, 4, 77, PageFlags::ROOT, &[0; 16], &[])];
        let mut bench = Bench::of(u32::try_from(size).unwrap(), Range::Inside, &pages);
        bench.begin(SESSION);
        bench.group(20, &split(SESSION, &image)).unwrap_or_else(|error| panic!("{size}: {} {error}", error.jet));
        assert_eq!((bench.keys(31), bench.dbtime(31)), (vec!["ccc".into(), "ddd".into(), "dzz".into()], 20), "{size}");
    }
}

/// The record's image, which page it is of, and which time that had.
fn image_of<'a>(operation: &Operation<'a>) -> Option<(BeforeImage<'a>, PageHead)> {
    let (before, head) = match operation {
        Operation::Split(Split { before, head, .. }) => (*before, *head),
        Operation::Merge(Merge { before, head, .. }) => (*before, *head),
        _ => return None,
    };
    Some((before.filter(|image| !image.is_empty())?, head))
}

#[test]
fn g41_g55_every_logged_image_is_decompressed_then_filled_up_and_gets_the_page_time_of_before() {
    let mut seen = [0_u32; 4];
    for set in engine_sets() {
        let Some(work) = crash_of(&set) else { continue };
        for (_, bytes) in logs(work.path()).values() {
            let log = LogFile::open(bytes).unwrap();
            let Some(size) = log.header().page_size() else { continue };
            for record in log.records().map_while(Result::ok) {
                let Ok(operation) = record.operation() else { continue };
                let Some((logged, head)) = image_of(&operation) else { continue };
                let whole = image::before(&logged, head.page, head.dbtime_before, size);
                let whole = whole.unwrap_or_else(|error| panic!("{} {}: {error}", set.name, record.position));
                let page = Page::new(&whole).unwrap();
                assert_eq!(page.check(), Ok(()), "{} {}", set.name, record.position);
                assert_eq!(page.dbtime(), head.dbtime_before, "{} {}", set.name, record.position);
                if logged.flags == 0 {
                    assert_eq!(Page::new(logged.bytes).unwrap().dbtime(), head.dbtime, "{} {}", set.name, record.position);
                }
                seen[usize::try_from(logged.flags & 3).unwrap()] += 1;
            }
        }
    }
    println!("raw, dehydrated, compressed, both: {seen:?}");
    assert!(seen[3] > 0);
}

#[test]
fn g54_the_line_of_a_merge_is_that_of_the_child_and_that_of_a_split_means_nothing() {
    let pages = tree();
    let image = logged(&pages, 30);
    // The neighbour goes into page 30: its pointer is the second of the root, and the last, so that the one before becomes the last.
    let mut members = merge(&image);
    let neighbours = logged(&pages, 32);
    if let [Operation::Merge(parent), Operation::Merge(leaf)] = &mut members[..] {
        (parent.head.line, parent.fields.merge_flags) = (1, 2);
        leaf.head.page = PageNumber(32);
        (leaf.fields.merge_type, leaf.fields.merge_line) = (MergeFields::EMPTY_PAGE, 0);
        (leaf.fields.right_page, leaf.fields.right_dbtime_before) = (PageNumber(0), Dbtime::NIL);
        (leaf.fields.left_page, leaf.fields.left_dbtime_before) = (PageNumber(30), Dbtime(10));
        leaf.before = Some(BeforeImage { flags: 0, bytes: &neighbours });
    }
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    bench.group(20, &members).unwrap();
    assert_eq!(children(&mut bench), [(String::new(), 30)]);
    // A split of the first child and one of the second: both records of the root say line 0.
    let mut bench = Bench::new(Range::Inside, &pages);
    bench.begin(SESSION);
    let mut members = split(SESSION, &neighbours);
    if let [_, Operation::Split(leaf), Operation::Insert(insert)] = &mut members[..] {
        leaf.head.page = PageNumber(32);
        (leaf.fields.right_page, leaf.fields.right_dbtime_before) = (PageNumber(0), Dbtime::NIL);
        (leaf.fields.operation_line, leaf.fields.split_line, leaf.fields.lines) = (1, 1, 2);
        leaf.separator = b"zzzz";
        insert.head.head.page = PageNumber(32);
        insert.head.head.line = 1;
        insert.suffix = b"zzzzz";
    }
    assert!(members.iter().take(2).all(|member| matches!(member, Operation::Split(split) if split.head.line == 0)));
    bench.group(20, &members).unwrap();
    assert_eq!(children(&mut bench), [("eee".into(), 30), ("zzzz".into(), 32), (String::new(), 31)]);
}
