//! The traps of parallel redo (`log-6 §10`), on records made to order that wait together in one window: each outcome is that of one
//! record after the other, with one thread and with several, slow ones among them.

mod common;

use anchorlog_format::log::record::{
    BeforeImage, EmptyTree, Insert, MacroMark, NewPage, NodeHead, Operation, Replace, Split, SplitFields, Undo, UndoInfo,
    VersionOperation,
};
use anchorlog_format::page::{NodeFlags, PageEditor, PageFlags};
use anchorlog_format::units::{Dbtime, Generation, LogPosition, ObjectId, PageNumber, PageSize, SessionId, VersionId};
use anchorlog_replay::error::ReplayError;
use anchorlog_replay::flush::FlushMap;
use anchorlog_replay::run::Hook;
use anchorlog_replay::undo::UndoLog;
use anchorlog_storage::File;
use common::bench::{Bench, DATABASE, Line, ROOT, Range, SESSION, head, inner, leaf, line, node, page, split_of};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Pages = Vec<(u32, Vec<u8>)>;

fn insert<'a>(at: NodeHead, key: &'a str, data: &'a str) -> Operation<'a> {
    Operation::Insert(Insert { head: at, prefix: b"", suffix: key.as_bytes(), data: data.as_bytes() })
}

fn replace<'a>(at: NodeHead, old: &str, new: &'a str) -> Operation<'a> {
    let size = |text: &str| u16::try_from(text.len()).unwrap();
    Operation::Replace(Replace { head: at, old_size: size(old), new_size: size(new), data: new.as_bytes() })
}

/// A record further on that waits for its pages.
fn take_in(bench: &mut Bench, operation: &Operation<'_>) -> Result<(), ReplayError> {
    let raw = operation.encode().unwrap();
    let mut position = bench.position();
    position.byte += 1;
    bench.at(position);
    bench.redo.take_in(position, &raw, &Operation::decode(&raw).unwrap())
}

/// What can be seen of a bench: pages, version entries, bad pages, what is noted.
fn seen(bench: &mut Bench, result: &Result<(), ReplayError>) -> String {
    let error = result.as_ref().map_err(|error| (error.jet, error.position, error.page, error.to_string()));
    let pages: Vec<(u32, Vec<u8>)> =
        (1..64).map(|number| (number, bench.image(number))).filter(|(_, image)| !is_zero(image)).collect();
    let database = &bench.redo.databases[&DATABASE];
    format!("{error:?} {:?} {} {:?} {pages:?}", bench.bad_pages(), bench.versions(), database.maps)
}

fn is_zero(image: &[u8]) -> bool {
    image.iter().all(|&byte| byte == 0)
}

/// Redoes records one by one, then in one window with several numbers of threads; `slow`: numbers of records of the window whose
/// thread sleeps first. Gives the last bench.
fn same(range: Range, pages: &Pages, operations: &[Operation<'_>], slow: &[usize]) -> (Bench, Result<(), ReplayError>) {
    let bench = |threads: usize| {
        let mut bench = Bench::new(range, pages);
        let slow = slow.to_vec();
        let hook = Hook(Arc::new(move |at| {
            if slow.contains(&at) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }));
        bench.redo.use_threads(threads, Some(hook));
        bench.begin(SESSION);
        bench
    };
    let mut serial = bench(1);
    let one_by_one = operations.iter().try_for_each(|operation| serial.try_redo(operation.clone()));
    let expected = seen(&mut serial, &one_by_one);
    let mut last = None;
    for threads in [1, 2, 3, 8] {
        let mut bench = bench(threads);
        let taken = operations.iter().try_for_each(|operation| take_in(&mut bench, operation));
        let result = bench.redo.settle().and(taken);
        assert_eq!(seen(&mut bench, &result), expected, "{threads} threads");
        last = Some((bench, result));
    }
    last.unwrap()
}

/// Other pages and a record on each, so that there is something to do for other threads.
fn others() -> (Pages, Vec<Operation<'static>>) {
    let pages = (50..60).map(|number| leaf(number, 10, &[])).collect();
    (pages, (50..60).map(|number| insert(node(number, 10, 11, 0, 0), "other", "1")).collect())
}

const FOUR: [Line<'static>; 4] =
    [("aaa", "1", NodeFlags::NONE), ("bbb", "2", NodeFlags::NONE), ("ccc", "3", NodeFlags::NONE), ("ddd", "4", NodeFlags::NONE)];

/// A leaf under a root that leads to it alone.
fn tree(leaf_time: u64, lines: &[Line<'_>]) -> Pages {
    let root = inner(4, 10, PageFlags::ROOT.with(PageFlags::PARENT_OF_LEAF), &[0; 16], &[("", 30)]);
    vec![root, leaf(30, leaf_time, lines)]
}

/// The records of a split of page 30, which gives its lines from `split_line` of `lines` on to page 31. `image`: of page 30 before.
fn split<'a>(split_line: u16, lines: u16, before: u64, image: &'a [u8]) -> [Operation<'a>; 4] {
    let mark = MacroMark { session: SESSION, dbtime: Dbtime(20) };
    let mut split: Split<'a> = split_of(head(30, before, 20, 0));
    split.separator = b"sep";
    split.fields.new_page = PageNumber(31);
    split.fields.split_type = SplitFields::RIGHT;
    (split.fields.split_line, split.fields.lines) = (split_line, lines);
    split.fields.parent = ROOT;
    split.fields.parent_dbtime_before = Dbtime(10);
    split.fields.new_page_flags = PageFlags::LEAF.0 | PageFlags::NEW_RECORD_FORMAT.0;
    split.fields.split_page_flags = split.fields.new_page_flags;
    split.before = Some(BeforeImage { flags: 0, bytes: image });
    [
        Operation::MacroBegin(mark),
        Operation::Split(split_of(head(4, 10, 20, 0))),
        Operation::Split(split),
        Operation::MacroCommit(mark),
    ]
}

fn image_of(pages: &Pages, stamped: u64) -> Vec<u8> {
    let mut image = pages.iter().find(|(number, _)| *number == 30).unwrap().1.clone();
    PageEditor::new(&mut image).unwrap().set_dbtime(Dbtime(stamped));
    image
}

#[test]
fn x1_records_of_one_page_keep_their_order_and_one_that_comes_too_early_is_noted_not_applied() {
    let (mut pages, mut operations) = others();
    pages.push(leaf(30, 10, &[]));
    operations.insert(0, insert(node(30, 11, 12, 1, 0), "b", "1"));
    operations.insert(5, insert(node(30, 10, 11, 0, 0), "a", "1"));
    let (mut bench, result) = same(Range::Inside, &pages, &operations, &[0]);
    result.unwrap();
    assert_eq!((bench.dbtime(30), bench.keys(30)), (11, vec!["a".to_owned()]));
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    assert_eq!(bench.bad_pages(), [(30, -566)]);
    // In their right order both apply, however slow the first is.
    operations.swap(0, 5);
    let (mut bench, result) = same(Range::Left, &pages, &operations, &[0]);
    result.unwrap();
    assert_eq!((bench.dbtime(30), bench.keys(30).len(), bench.bad_pages().len()), (12, 2, 0));
}

#[test]
fn x2_a_split_reads_its_source_behind_all_records_on_it_and_before_all_later_ones() {
    let (mut pages, mut operations) = others();
    pages.extend(tree(10, &FOUR));
    operations.insert(0, insert(node(30, 10, 15, 4, 0), "eee", "5"));
    operations.insert(3, replace(node(30, 15, 16, 2, 0), "3", "three"));
    let image = image_of(&pages, 20);
    operations.extend(split(2, 5, 16, &image));
    operations.push(insert(node(31, 20, 21, 3, 0), "fff", "6"));
    operations.push(insert(node(30, 20, 22, 2, 0), "bcc", "7"));
    let (mut bench, result) = same(Range::Left, &pages, &operations, &[0, 3]);
    result.unwrap();
    assert_eq!(bench.keys(30), ["aaa", "bbb", "bcc"]);
    let data: Vec<Vec<u8>> = bench.lines(31).into_iter().map(|(_, data, _)| data).collect();
    assert_eq!(data, [&b"three"[..], b"4", b"5", b"6"]);
}

#[test]
fn x3_the_image_that_stands_in_for_a_newer_page_is_seen_by_no_other_record() {
    let image = image_of(&tree(10, &FOUR), 20);
    let (mut pages, mut operations) = others();
    pages.extend(tree(77, &[line("aaa", "much later")]));
    operations.extend(split(2, 4, 10, &image));
    operations.push(insert(node(30, 77, 78, 1, 0), "zzz", "1"));
    let (mut bench, result) = same(Range::Inside, &pages, &operations, &[0, 10]);
    result.unwrap();
    assert_eq!((bench.keys(30), bench.keys(31)), (vec!["aaa".into(), "zzz".into()], vec!["ccc".into(), "ddd".into()]));
    assert_eq!(bench.lines(30)[0].1, b"much later");
}

#[test]
fn x4_an_undo_finds_the_before_image_of_a_node_that_a_split_moved_to_another_page() {
    let (mut pages, mut operations) = others();
    pages.extend(tree(10, &FOUR));
    let image = image_of(&pages, 20);
    operations.push(replace(node(30, 10, 15, 3, 9), "4", "four"));
    operations.extend(split(2, 4, 15, &image));
    let at = node(31, 20, 25, 1, 9);
    operations.push(Operation::Undo(Undo {
        head: at,
        operation: VersionOperation::REPLACE,
        undone_level: 1,
        key: b"ddd",
        bookmark_data: b"",
    }));
    // Undone once: a second undo of the same change finds nothing to take back.
    let at = node(31, 25, 26, 0, 9);
    operations.push(Operation::Undo(Undo {
        head: at,
        operation: VersionOperation::REPLACE,
        undone_level: 1,
        key: b"ccc",
        bookmark_data: b"",
    }));
    let (mut bench, result) = same(Range::Left, &pages, &operations, &[10, 11]);
    result.unwrap();
    let data: Vec<Vec<u8>> = bench.lines(31).into_iter().map(|(_, data, _)| data).collect();
    assert_eq!((bench.dbtime(31), data, bench.versions()), (26, vec![b"3".to_vec(), b"4".to_vec()], 0));
}

#[test]
fn x5_a_before_image_in_the_log_and_the_change_redone_make_one_entry() {
    for logged_first in [false, true] {
        let (mut pages, mut operations) = others();
        pages.push(leaf(30, 10, &[line("a", "old")]));
        let info = UndoInfo {
            head: node(30, u64::MAX, u64::MAX, 0, 9),
            operation: VersionOperation::REPLACE,
            size_max: 3,
            size_delta: 0,
            key: b"a",
            bookmark_data: b"",
            image: b"old",
        };
        operations.push(replace(node(30, 10, 11, 0, 9), "old", "new"));
        operations.insert(if logged_first { 0 } else { operations.len() }, Operation::UndoInfo(info));
        let (mut bench, result) = same(Range::Left, &pages, &operations, &[0, 10]);
        result.unwrap();
        assert_eq!((bench.versions(), bench.redo.versions.unlogged().count()), (1, 0));
        assert_eq!(bench.redo.versions.get(VersionId(9)).unwrap().unwrap().before, b"old");
    }
}

/// A log that keeps the numbers of the changes undone.
struct Undone(Vec<u32>);

impl UndoLog for Undone {
    fn append(&mut self, operation: &Operation<'_>) -> Result<LogPosition, ReplayError> {
        if let Operation::Undo(undo) = operation {
            self.0.push(undo.head.version.0);
        }
        Ok(LogPosition::new(9, 1, 0))
    }
}

#[test]
fn x6_entries_stand_in_the_order_of_their_numbers_however_late_a_page_was_done() {
    let root = inner(4, 10, PageFlags::ROOT.with(PageFlags::PARENT_OF_LEAF), &[0; 16], &[("m", 40), ("", 41)]);
    let (mut pages, mut operations) = others();
    pages.extend([root, leaf(40, 10, &[line("a", "1")]), leaf(41, 10, &[line("n", "1")])]);
    operations.push(replace(node(40, 10, 11, 0, 5), "1", "2"));
    operations.push(replace(node(41, 10, 12, 0, 6), "1", "2"));
    operations.push(replace(node(40, 11, 13, 0, 7), "2", "3"));
    let (mut bench, result) = same(Range::Left, &pages, &operations, &[10]);
    result.unwrap();
    let mut log = Undone(Vec::new());
    bench.redo.undo(&mut log).unwrap();
    assert_eq!(log.0, [7, 6, 5]);
    assert_eq!((bench.lines(40)[0].1.clone(), bench.lines(41)[0].1.clone()), (b"1".to_vec(), b"1".to_vec()));
}

#[test]
fn x12_the_first_failing_record_of_the_log_is_the_error_and_bad_pages_are_told_in_log_order() {
    let (mut pages, mut operations) = others();
    pages.extend([leaf(40, 10, &[]), leaf(41, 10, &[]), leaf(42, 5, &[]), leaf(43, 5, &[])]);
    // Bad pages of records in front of the error: slow ones first, as the log has them.
    operations.insert(0, insert(node(42, 10, 11, 0, 0), "a", "1"));
    operations.insert(1, insert(node(43, 10, 11, 0, 0), "a", "1"));
    // Two lines that do not exist.
    operations.insert(4, insert(node(40, 10, 11, 7, 0), "a", "1"));
    operations.insert(5, insert(node(41, 10, 11, 7, 0), "a", "1"));
    let (bench, result) = same_error(Range::Left, &pages, &operations, &[0, 4]);
    let error = result.unwrap_err();
    assert_eq!((error.jet.0, error.page), (-354, Some(PageNumber(40))));
    assert_eq!(bench.bad_pages(), [(42, -566), (43, -566)]);
}

/// As [`same`], for records of which one fails: pages of later records may have changed, which are of no use then.
fn same_error(range: Range, pages: &Pages, operations: &[Operation<'_>], slow: &[usize]) -> (Bench, Result<(), ReplayError>) {
    let told = |bench: &Bench, result: &Result<(), ReplayError>| {
        let error = result.as_ref().unwrap_err();
        format!("{} {:?} {error} {:?}", error.jet, error.position, bench.bad_pages())
    };
    let mut serial = Bench::new(range, pages);
    serial.begin(SESSION);
    let one_by_one = operations.iter().try_for_each(|operation| serial.try_redo(operation.clone()));
    for threads in [1, 2, 3, 8] {
        let mut bench = Bench::new(range, pages);
        let slow = slow.to_vec();
        let hook = move |at: usize| {
            if slow.contains(&at) {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        bench.redo.use_threads(threads, Some(Hook(Arc::new(hook))));
        bench.begin(SESSION);
        let taken = operations.iter().try_for_each(|operation| take_in(&mut bench, operation));
        let result = bench.redo.settle().and(taken);
        assert_eq!(told(&bench, &result), told(&serial, &one_by_one), "{threads} threads");
    }
    (serial, one_by_one)
}

/// A file in memory of which one page cannot be read.
struct Refusing {
    bytes: Mutex<Vec<u8>>,
    refused: u64,
}

impl File for Refusing {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset == self.refused {
            return Err(io::Error::other("this part of the disk is gone"));
        }
        let bytes = self.bytes.lock().unwrap();
        let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().resize(usize::try_from(size).unwrap(), 0);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn x13_a_page_made_anew_outside_the_required_range_is_not_read_and_elsewhere_the_error_is_that_of_the_record() {
    let new = Operation::NewPage(NewPage {
        session: SESSION,
        database: DATABASE,
        page: PageNumber(30),
        dbtime: Dbtime(50),
        object: ObjectId(44),
    });
    for (range, fails) in [(Range::Left, false), (Range::Inside, true)] {
        for threads in [1, 4] {
            let (pages, operations) = others();
            let mut bench = Bench::new(range, &pages);
            let refused = PageSize::FOUR_KIB.offset_of(PageNumber(30));
            let file = Refusing { bytes: Mutex::new(vec![0; 66 * 4096]), refused };
            for (number, image) in &pages {
                let mut image = image.clone();
                anchorlog_checksum::set_page_checksum(&mut image, *number);
                file.write_at(PageSize::FOUR_KIB.offset_of(PageNumber(*number)), &image).unwrap();
            }
            bench.redo.cache.detach(DATABASE);
            bench.redo.cache.attach(DATABASE, Arc::new(file), PageSize::FOUR_KIB, FlushMap::default(), None).unwrap();
            bench.redo.use_threads(threads, Some(Hook(Arc::new(|_| {}))));
            bench.begin(SESSION);
            operations.iter().for_each(|operation| take_in(&mut bench, operation).unwrap());
            take_in(&mut bench, &new).unwrap();
            let at = bench.position();
            // It is there for the records behind it, too.
            take_in(&mut bench, &insert(node(59, 11, 12, 0, 0), "b", "1")).unwrap();
            match bench.redo.settle() {
                Ok(()) => assert!(!fails && bench.dbtime(30) == 50),
                Err(error) => assert!(fails && error.position == Some(at), "{error} at {:?}", error.position),
            }
        }
    }
}

#[test]
fn x14_what_explains_a_page_and_what_notes_it_keep_their_order() {
    let (mut pages, mut operations) = others();
    pages.push(page(4096, 30, Dbtime::REVERTED.0, PageFlags::LEAF, b"", &[]));
    let mut list = Vec::new();
    list.extend(5_u64.to_le_bytes());
    list.extend(30_u32.to_le_bytes());
    list.extend(0_u32.to_le_bytes());
    // The freeing session began before the start: its record is passed over, and explains all the same.
    let mut at = node(4, 10, 11, 0, 0);
    at.head.session = SessionId(33);
    operations.insert(0, insert(node(30, 10, 11, 0, 0), "a", "1"));
    operations.push(Operation::EmptyTree(EmptyTree { head: at, list: &list }));
    let (mut bench, result) = same(Range::Inside, &pages, &operations, &[0]);
    result.unwrap();
    assert!(bench.redo.databases[&DATABASE].maps.is_empty());
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    assert_eq!(bench.bad_pages(), []);
    // A record behind it notes the page again.
    operations.push(insert(node(30, 11, 12, 0, 0), "b", "1"));
    let (mut bench, result) = same(Range::Inside, &pages, &operations, &[0, 11]);
    result.unwrap();
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    assert_eq!(bench.bad_pages(), [(30, -1123)]);
    assert_eq!(bench.redo.bad_pages()[0].position, bench.position());
}
