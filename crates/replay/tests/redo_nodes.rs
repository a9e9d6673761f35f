//! Node records, gates, transactions and maps, on pages and records made to order: what no file has, and each trap of `log-4 §22` that
//! concerns one page.

mod common;

use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{
    Begin, ChangeFlags, Delta, Delta64, FlagDelete, FlagInsert, FlagInsertAndReplace, Insert, MacroMark, NewPage, Operation,
    Replace, ReplaceDifference, Rollback, ScanCheck2, Scrub, SetExternalHeader, Undo, UndoInfo, VersionOperation,
};
use anchorlog_format::page::{NodeFlags, Page, PageFlags};
use anchorlog_format::units::{DatabaseId, Dbtime, Generation, LogPosition, ObjectId, PageNumber, SessionId, VersionId};
use anchorlog_replay::undo::UndoLog;
use common::bench::{Bench, DATABASE, OBJECT, Range, SESSION, head, leaf, line, node, page};

fn insert<'a>(at: anchorlog_format::log::record::NodeHead, key: &'a str, data: &'a str) -> Operation<'a> {
    Operation::Insert(Insert { head: at, prefix: b"", suffix: key.as_bytes(), data: data.as_bytes() })
}

fn replace<'a>(at: anchorlog_format::log::record::NodeHead, old: &str, new: &'a str) -> Operation<'a> {
    let size = |text: &str| u16::try_from(text.len()).unwrap();
    Operation::Replace(Replace { head: at, old_size: size(old), new_size: size(new), data: new.as_bytes() })
}

fn undo<'a>(at: anchorlog_format::log::record::NodeHead, operation: VersionOperation, key: &'a str) -> Operation<'a> {
    Operation::Undo(Undo { head: at, operation, undone_level: 1, key: key.as_bytes(), bookmark_data: b"" })
}

/// A log that keeps what undo writes.
#[derive(Default)]
struct Written(Vec<String>);

impl UndoLog for Written {
    fn append(&mut self, operation: &Operation<'_>) -> Result<LogPosition, anchorlog_replay::error::ReplayError> {
        let text = match operation {
            Operation::Undo(undo) => {
                let head = &undo.head;
                format!(
                    "undo {} of session {} level {} at {}",
                    head.version, head.head.session, undo.undone_level, head.head.line
                )
            }
            Operation::UndoInfo(info) => format!("image of {}: {}", info.head.version, String::from_utf8_lossy(info.image)),
            Operation::Rollback(rollback) => format!("rollback of session {}", rollback.session),
            Operation::MacroAbort(mark) => format!("abort of session {}", mark.session),
            other => format!("{other:?}"),
        };
        self.0.push(text);
        Ok(LogPosition::new(9, 1, 0))
    }
}

#[test]
fn v1_v2_only_the_exact_time_before_applies_and_newer_pages_are_passed_over_inside_the_required_range_alone() {
    for (found, inside, left) in [(10, None, None), (11, None, Some(-625)), (12, None, Some(-625)), (9, None, Some(0))] {
        for (range, expected) in [(Range::Inside, inside), (Range::Left, left)] {
            let mut bench = Bench::new(range, &[leaf(30, found, &[])]);
            bench.begin(SESSION);
            let result = bench.try_redo(insert(node(30, 10, 11, 0, 0), "a", "1"));
            match expected {
                None => {
                    assert!(result.is_ok());
                    assert_eq!(bench.keys(30).len(), usize::from(found == 10), "page time {found}");
                }
                // Too old: a lost write, noted as a bad page.
                Some(0) => {
                    assert!(result.is_ok());
                    assert_eq!(bench.bad_pages(), [(30, -566)]);
                    assert_eq!(bench.dbtime(30), found);
                }
                Some(code) => assert_eq!(result.unwrap_err().jet.0, code, "page time {found}"),
            }
        }
    }
    // Between the two times: of another history, in any case.
    for range in [Range::Inside, Range::Left] {
        let mut bench = Bench::new(range, &[leaf(30, 11, &[])]);
        bench.begin(SESSION);
        assert_eq!(bench.refused(insert(node(30, 10, 12, 0, 0), "a", "1")), -567);
    }
}

#[test]
fn v3_counters_count_records_that_are_passed_over_but_not_aborted_groups_or_unknown_databases() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 90, &[])]);
    // Before the session's first begin.
    bench.redo(insert(node(30, 10, 11, 0, 0), "a", "1"));
    assert_eq!(bench.redo.databases[&DATABASE].highest_dbtime, Dbtime(11));
    assert_eq!(bench.redo.databases[&DATABASE].highest_object, OBJECT);
    bench.begin(SESSION);
    // On a page that is newer.
    bench.redo(insert(node(30, 20, 21, 0, 0), "a", "1"));
    assert_eq!(bench.redo.databases[&DATABASE].highest_dbtime, Dbtime(21));
    let mark = MacroMark { session: SESSION, dbtime: Dbtime(99) };
    bench.redo(Operation::MacroBegin(mark));
    bench.redo(insert(node(30, 30, 99, 0, 0), "a", "1"));
    bench.redo(Operation::MacroAbort(mark));
    let mut foreign = node(30, 50, 51, 0, 0);
    foreign.head.database = DatabaseId(5);
    bench.redo(insert(foreign, "a", "1"));
    assert_eq!(bench.redo.databases[&DATABASE].highest_dbtime, Dbtime(21));
}

#[test]
fn v4_the_record_at_the_attach_position_is_not_redone_and_the_next_is() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[])]);
    bench.redo.databases.get_mut(&DATABASE).unwrap().header.header.attach_position = LogPosition::new(3, 1, 41);
    bench.begin(SESSION);
    bench.at(LogPosition::new(3, 1, 40));
    bench.redo(insert(node(30, 10, 11, 0, 0), "a", "1"));
    assert_eq!(bench.keys(30), Vec::<String>::new());
    bench.redo(insert(node(30, 10, 11, 0, 0), "b", "1"));
    assert_eq!(bench.keys(30), ["b"]);
}

#[test]
fn v5_what_a_session_does_before_its_first_begin_from_level_0_is_ignored() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[])]);
    // A begin from level 1: the outer one lies before the start.
    bench.redo(Operation::Begin(Begin { session: SESSION, levels: 1 | 1 << 4 }));
    bench.redo(insert(node(30, 10, 11, 0, 1), "a", "1"));
    assert_eq!((bench.keys(30).len(), bench.versions()), (0, 0));
    bench.commit(SESSION);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 0, 1), "a", "1"));
    assert_eq!((bench.keys(30).len(), bench.versions()), (1, 1));
}

#[test]
fn v6_inserts_and_deltas_make_version_entries_on_newer_pages_too_replaces_and_deletes_wait_for_their_image() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 90, &[line("a", "1111")])]);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 0, 1), "a", "1"));
    bench.redo(Operation::FlagInsert(FlagInsert { head: node(30, 11, 12, 0, 2), key: b"a", data: b"1" }));
    bench.redo(Operation::Delta(Delta { head: node(30, 12, 13, 0, 3), key: b"a", bookmark_data: b"", delta: 1, offset: 0 }));
    bench.redo(Operation::Delta64(Delta64 { head: node(30, 13, 14, 0, 4), key: b"a", bookmark_data: b"", delta: 1, offset: 0 }));
    assert_eq!(bench.versions(), 4);
    bench.redo(replace(node(30, 14, 15, 0, 5), "1111", "2222"));
    bench.redo(Operation::FlagDelete(FlagDelete { head: node(30, 15, 16, 0, 6) }));
    assert_eq!(bench.versions(), 4);
    let waiting = |bench: &Bench| bench.redo.without_before_image().map(|(_, version, _)| version.0).collect::<Vec<_>>();
    assert_eq!(waiting(&bench), [5, 6]);
    let image = |version, operation, image| {
        let head = node(30, 0, u64::MAX, 0, version);
        Operation::UndoInfo(UndoInfo { head, operation, size_max: 4, size_delta: 0, key: b"a", bookmark_data: b"", image })
    };
    bench.redo(image(5, VersionOperation::REPLACE, b"1111"));
    assert_eq!((bench.versions(), waiting(&bench)), (5, vec![6]));
    bench.commit(SESSION);
    assert_eq!((bench.versions(), waiting(&bench)), (0, vec![]));
}

#[test]
fn v7_an_undo_info_is_no_member_of_an_open_group_and_needs_no_page_time() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 90, &[line("a", "2")])]);
    bench.begin(SESSION);
    let mark = MacroMark { session: SESSION, dbtime: Dbtime(u64::MAX) };
    bench.redo(Operation::MacroBegin(mark));
    let head = node(30, u64::MAX, u64::MAX, 0, 8);
    let info = UndoInfo {
        head,
        operation: VersionOperation::REPLACE,
        size_max: 1,
        size_delta: 0,
        key: b"a",
        bookmark_data: b"",
        image: b"1",
    };
    bench.redo(Operation::UndoInfo(info));
    assert_eq!(bench.versions(), 1);
}

#[test]
fn v8_v9_an_undo_of_an_insert_leaves_the_node_deleted_and_its_entry_goes_even_where_the_page_is_newer() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[line("a", "1")])]);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 1, 1), "b", "2"));
    bench.redo(undo(node(30, 11, 12, 1, 1), VersionOperation::INSERT, "b"));
    assert_eq!(bench.lines(30)[1], (b"b".to_vec(), b"2".to_vec(), NodeFlags::DELETED.0));
    assert_eq!((bench.versions(), bench.dbtime(30)), (0, 12));
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 90, &[line("b", "2")])]);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 0, 1), "b", "2"));
    assert_eq!(bench.versions(), 1);
    bench.redo(undo(node(30, 11, 12, 0, 1), VersionOperation::INSERT, "b"));
    assert_eq!((bench.versions(), bench.dbtime(30), bench.lines(30)[0].2), (0, 90, 0));
}

#[test]
fn v10_an_undo_without_an_entry_changes_nothing_but_the_page_time() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[line("a", "1")])]);
    bench.begin(SESSION);
    let before = bench.lines(30);
    bench.redo(undo(node(30, 10, 11, 0, 77), VersionOperation::INSERT, "a"));
    assert_eq!((bench.lines(30), bench.dbtime(30)), (before, 11));
}

#[test]
fn v20_a_page_that_is_too_old_is_looked_at_again_and_again_and_a_trim_explains_it() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 5, &[])]);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 0, 0), "a", "1"));
    bench.redo(insert(node(30, 11, 12, 1, 0), "b", "1"));
    assert_eq!((bench.dbtime(30), bench.keys(30).len()), (5, 0));
    // A record that fits is redone all the same.
    bench.redo(insert(node(30, 5, 13, 0, 0), "c", "1"));
    assert_eq!(bench.keys(30), ["c"]);
    bench.redo.databases.get_mut(&DATABASE).unwrap().maps.clear_absent(&PageNumber(30).extent(1));
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    assert_eq!(bench.bad_pages(), []);
}

#[test]
fn w4_the_required_range_is_left_before_the_first_record_of_the_generation_behind_it() {
    let zeroed = || {
        let mut bench = Bench::new(Range::Inside, &[]);
        bench.begin(SESSION);
        bench.redo(insert(node(30, 10, 11, 0, 0), "a", "1"));
        assert!(!bench.redo.databases[&DATABASE].maps.is_empty());
        bench
    };
    let mut bench = zeroed();
    bench.redo.leave_required_range(DATABASE, Generation(5)).unwrap();
    assert!(bench.redo.databases[&DATABASE].future_data);
    assert_eq!(bench.bad_pages(), []);
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    assert!(!bench.redo.databases[&DATABASE].future_data);
    assert_eq!(bench.bad_pages(), [(30, -1019)]);
}

#[test]
fn v21_pages_that_a_snapshot_revert_zeroed_are_explained_by_what_frees_them_also_where_that_is_passed_over() {
    let reverted = |flags: PageFlags| page(4096, 30, Dbtime::REVERTED.0, flags, b"", &[]);
    for (explained, bad) in [(true, vec![]), (false, vec![(30, -1123)])] {
        let mut bench = Bench::new(Range::Inside, &[reverted(PageFlags::LEAF)]);
        bench.begin(SESSION);
        bench.redo(insert(node(30, 10, 11, 0, 0), "a", "1"));
        if explained {
            // The freeing session began before the start: its record is passed over.
            let mut list = Vec::new();
            list.extend(5_u64.to_le_bytes());
            list.extend(30_u32.to_le_bytes());
            list.extend(0_u32.to_le_bytes());
            let mut at = node(4, 10, 11, 0, 0);
            at.head.session = SessionId(33);
            bench.redo(Operation::EmptyTree(anchorlog_format::log::record::EmptyTree { head: at, list: &list }));
        }
        bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
        assert_eq!(bench.bad_pages(), bad);
    }
    // A page of a tree that may only be deleted is never an error.
    let mut bench = Bench::new(Range::Inside, &[reverted(PageFlags::LEAF.with(PageFlags::ROOT_DELETE))]);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 0, 0), "a", "1"));
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    assert_eq!(bench.bad_pages(), []);
}

#[test]
fn v18_v19_a_new_page_is_made_without_a_look_at_the_old_one_outside_the_required_range_and_never_half() {
    let new = |time| {
        let (session, database, object) = (SESSION, DATABASE, ObjectId(44));
        Operation::NewPage(NewPage { session, database, page: PageNumber(30), object, dbtime: Dbtime(time) })
    };
    for (range, expected) in [(Range::Inside, 90), (Range::Left, 50)] {
        let mut bench = Bench::new(range, &[leaf(30, 90, &[line("old", "life")])]);
        bench.begin(SESSION);
        bench.redo(new(50));
        assert_eq!(bench.dbtime(30), expected);
        let image = bench.image(30);
        let page = Page::new(&image).unwrap();
        assert_eq!((page.flags().is_pre_init(), page.objid() == ObjectId(44)), (expected == 50, expected == 50));
    }
}

#[test]
fn a_new_page_behind_the_end_of_the_file_waits_for_the_record_that_cut_it_unless_files_grew_on_touch() {
    let new = || {
        let (session, database, object) = (SESSION, DATABASE, ObjectId(44));
        Operation::NewPage(NewPage { session, database, page: PageNumber(70), object, dbtime: Dbtime(50) })
    };
    let mut bench = Bench::new(Range::Inside, &[]);
    bench.begin(SESSION);
    bench.redo(new());
    assert_eq!(bench.redo.cache.pages(DATABASE), 64);
    bench.redo.leave_required_range(DATABASE, Generation(6)).unwrap();
    assert_eq!(bench.bad_pages(), [(70, -4001)]);
    for (range, grows) in [(Range::Inside, true), (Range::Left, false)] {
        let mut bench = Bench::new(range, &[]);
        bench.redo.files_grow_on_touch = grows;
        bench.begin(SESSION);
        bench.redo(new());
        assert_eq!((bench.redo.cache.pages(DATABASE), bench.dbtime(70)), (70, 50));
    }
}

#[test]
fn v24_a_difference_applies_to_what_the_page_holds_and_must_give_the_length_that_the_record_says() {
    // Offset 1, same length; one byte; the byte.
    let differences: &'static [u8] = b"\x01\x20\x01X";
    let record = |differences: &'static [u8], new_size| {
        let head = node(30, 10, 11, 0, 0);
        Operation::ReplaceDifference(ReplaceDifference { head, old_size: 4, new_size, large_headers: false, differences })
    };
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[line("k", "efgh")])]);
    bench.begin(SESSION);
    bench.redo(record(differences, 4));
    assert_eq!(bench.lines(30)[0].1, b"eXgh");
    for (data, size) in [("abcd", 5), ("abc", 4)] {
        let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[line("k", data)])]);
        bench.begin(SESSION);
        assert_eq!(bench.refused(record(differences, size)), JetCode::LOG_CORRUPTED.0);
        assert_eq!((bench.dbtime(30), &bench.lines(30)[0].1[..]), (10, data.as_bytes()));
    }
}

#[test]
fn v25_deltas_add_at_any_offset_and_wrap() {
    let mut bench =
        Bench::new(Range::Inside, &[page(4096, 30, 10, PageFlags::LEAF, b"", &[line("k", "x\u{7f}\u{7f}\u{7f}\u{7f}y")])]);
    bench.begin(SESSION);
    let delta = i32::MIN + 5;
    bench.redo(Operation::Delta(Delta { head: node(30, 10, 11, 0, 1), key: b"k", bookmark_data: b"", delta, offset: 1 }));
    let value = |bench: &mut Bench| i32::from_le_bytes(bench.lines(30)[0].1[1..5].try_into().unwrap());
    assert_eq!(value(&mut bench), 0x7f7f_7f7f_i32.wrapping_add(delta));
    bench.redo(undo(node(30, 11, 12, 0, 1), VersionOperation::DELTA, "k"));
    assert_eq!(bench.lines(30)[0].1, b"x\x7f\x7f\x7f\x7fy");
    // The counter does not lie inside the data.
    let beyond = Operation::Delta(Delta { head: node(30, 12, 13, 0, 2), key: b"k", bookmark_data: b"", delta: 1, offset: 3 });
    assert!(bench.try_redo(beyond).is_err());
}

#[test]
fn v27_groups_of_one_session_lie_inside_each_other_by_their_times() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[]), leaf(31, 10, &[])]);
    bench.begin(SESSION);
    let mark = |dbtime| MacroMark { session: SESSION, dbtime: Dbtime(dbtime) };
    bench.redo(Operation::MacroBegin(mark(20)));
    bench.redo(Operation::MacroBegin(mark(21)));
    bench.redo(insert(node(30, 10, 20, 0, 0), "in 20", ""));
    bench.redo(insert(node(31, 10, 21, 0, 0), "in 21", ""));
    // Of neither: at once.
    bench.redo(insert(node(31, 10, 15, 0, 0), "alone", ""));
    assert_eq!((bench.keys(30).len(), bench.keys(31)), (0, vec!["alone".to_owned()]));
    assert_eq!(bench.redo.open_macros(), [(SESSION, Dbtime(20)), (SESSION, Dbtime(21))]);
    bench.redo(Operation::MacroAbort(mark(20)));
    assert_eq!(bench.redo.open_macros(), [(SESSION, Dbtime(21))]);
}

#[test]
fn v31_a_scan_that_saw_another_page_is_noted_and_one_that_was_to_cut_the_file_refuses_the_page() {
    let seen = |flags| {
        let (database, page) = (DATABASE, PageNumber(30));
        let (dbtime_page, dbtime_current) = (Dbtime(10), Dbtime(50));
        Operation::ScanCheck2(ScanCheck2 { database, page, flags, dbtime_page, dbtime_current, checksum: 0x1234_5678 })
    };
    for (flags, bad) in [(1, vec![]), (2, vec![(30, -1123)])] {
        let mut bench = Bench::new(Range::Left, &[leaf(30, 10, &[line("a", "1")])]);
        bench.redo(seen(flags));
        assert_eq!(bench.bad_pages(), bad);
        assert_eq!(bench.redo.counts.scan_differences.len(), usize::from(flags == 1));
    }
    // Inside the required range a page of another time proves nothing.
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 11, &[line("a", "1")])]);
    bench.redo(seen(2));
    assert_eq!(bench.bad_pages(), []);
}

#[test]
fn v32_undo_goes_by_session_ascending_level_descending_newest_first_with_one_rollback_for_each_level() {
    let root = page(4096, 4, 10, PageFlags::ROOT.with(PageFlags::LEAF), &[0; 16], &[]);
    let mut bench = Bench::new(Range::Inside, &[root]);
    let (first, second) = (SessionId(3), SessionId(9));
    let of = |session: SessionId, level: u8, time: u64, line: u16, version: u32| {
        let mut at = node(4, time, time + 1, line, version);
        (at.head.session, at.head.level) = (session, level);
        at
    };
    bench.begin(second);
    bench.redo(insert(of(second, 1, 10, 0, 1), "a", ""));
    bench.begin(first);
    bench.redo(insert(of(first, 1, 11, 1, 2), "b", ""));
    bench.redo(Operation::Begin(Begin { session: first, levels: 1 | 1 << 4 }));
    bench.redo(insert(of(first, 2, 12, 2, 3), "c", ""));
    bench.redo(insert(of(first, 2, 13, 3, 4), "d", ""));
    bench.redo(insert(of(second, 1, 14, 4, 5), "e", ""));
    let mut written = Written::default();
    let undone = bench.redo.undo(&mut written).unwrap();
    assert_eq!((undone.transactions, undone.changes), (2, 5));
    let expected = [
        "undo 4 of session 3 level 2 at 3",
        "undo 3 of session 3 level 2 at 2",
        "rollback of session 3",
        "undo 2 of session 3 level 1 at 1",
        "rollback of session 3",
        "undo 5 of session 9 level 1 at 4",
        "undo 1 of session 9 level 1 at 0",
        "rollback of session 9",
    ];
    assert_eq!(written.0, expected);
    assert!(bench.lines(4).iter().all(|(_, _, flags)| *flags == NodeFlags::DELETED.0));
}

#[test]
fn g80_an_image_that_the_log_lacks_is_logged_before_the_undo_and_a_group_that_never_committed_is_aborted() {
    let root = page(4096, 4, 10, PageFlags::ROOT.with(PageFlags::LEAF), &[0; 16], &[line("a", "old")]);
    let mut bench = Bench::new(Range::Inside, &[root]);
    bench.begin(SESSION);
    bench.redo(replace(node(4, 10, 11, 0, 1), "old", "new and longer"));
    bench.redo(Operation::MacroBegin(MacroMark { session: SESSION, dbtime: Dbtime(40) }));
    bench.redo(insert(node(4, 11, 40, 0, 0), "0", "never"));
    let mut written = Written::default();
    bench.redo.undo(&mut written).unwrap();
    assert_eq!(written.0, ["abort of session 7", "image of 1: old", "undo 1 of session 7 level 1 at 0", "rollback of session 7"]);
    assert_eq!(bench.lines(4), [(b"a".to_vec(), b"old".to_vec(), 0)]);
}

#[test]
fn v35_object_ids_are_never_compared() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[])]);
    bench.begin(SESSION);
    let mut at = node(30, 10, 11, 0, 0);
    at.object = ObjectId(4711);
    bench.redo(insert(at, "a", "1"));
    assert_eq!(bench.keys(30), ["a"]);
}

#[test]
fn v36_a_plain_external_header_replaces_all_of_tag_0_whatever_it_held() {
    let header: Vec<u8> = [&[3_u8][..], &[0; 16], &77_u64.to_le_bytes()].concat();
    let mut bench = Bench::new(Range::Inside, &[page(4096, 4, 10, PageFlags::ROOT.with(PageFlags::LEAF), &header, &[])]);
    bench.begin(SESSION);
    bench.redo(Operation::SetExternalHeader(SetExternalHeader { head: node(4, 10, 11, 0, 0), data: &[9; 16] }));
    assert_eq!(Page::new(&bench.image(4)).unwrap().external_header().unwrap(), [9; 16]);
}

#[test]
fn an_external_header_that_is_shorter_than_a_prefix_in_use_does_not_belong_to_this_database() {
    let mut image = page(4096, 30, 10, PageFlags::LEAF, b"prefix", &[]);
    let mut editor = anchorlog_format::page::PageEditor::new(&mut image.1).unwrap();
    let compressed = anchorlog_format::page::NewNode { flags: NodeFlags::NONE, prefix_length: 5, suffix: b"x", data: b"d" };
    editor.insert(0, &compressed).unwrap();
    let mut bench = Bench::new(Range::Inside, &[image]);
    bench.begin(SESSION);
    let short = |data| Operation::SetExternalHeader(SetExternalHeader { head: node(30, 10, 11, 0, 0), data });
    assert_eq!(bench.refused(short(b"pref")), JetCode::LOG_OPERATION_INCONSISTENT_WITH_DATABASE.0);
    bench.redo(short(b"prefi"));
}

#[test]
fn a_flag_insert_revives_a_deleted_node_and_its_undo_deletes_it_again() {
    let deleted = ("k", "data", NodeFlags::DELETED);
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[deleted])]);
    bench.begin(SESSION);
    bench.redo(Operation::FlagInsert(FlagInsert { head: node(30, 10, 11, 0, 1), key: b"k", data: b"data" }));
    assert_eq!(bench.lines(30), [(b"k".to_vec(), b"data".to_vec(), 0)]);
    bench.redo(undo(node(30, 11, 12, 0, 1), VersionOperation::INSERT, "k"));
    assert_eq!(bench.lines(30), [(b"k".to_vec(), b"data".to_vec(), NodeFlags::DELETED.0)]);
}

#[test]
fn a_flag_insert_with_new_data_is_taken_back_in_two_steps() {
    let deleted = ("k", "data", NodeFlags::DELETED);
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[deleted])]);
    bench.begin(SESSION);
    let record =
        FlagInsertAndReplace { head: node(30, 10, 11, 0, 1), version_of_replace: VersionId(2), key: b"k", data: b"anew" };
    bench.redo(Operation::FlagInsertAndReplace(record));
    assert_eq!((bench.lines(30), bench.versions()), (vec![(b"k".to_vec(), b"anew".to_vec(), 0)], 2));
    bench.redo(undo(node(30, 11, 12, 0, 2), VersionOperation::REPLACE, "k"));
    bench.redo(undo(node(30, 12, 13, 0, 1), VersionOperation::INSERT, "k"));
    assert_eq!(bench.lines(30), [(b"k".to_vec(), b"data".to_vec(), NodeFlags::DELETED.0)]);
}

// trap ops-2 O20
#[test]
fn a_scrub_of_an_unused_page_leaves_no_line_and_one_of_a_used_page_overwrites_what_it_names() {
    let lines = [("a", "secret", NodeFlags::DELETED), line("b", "kept")];
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &lines), leaf(31, 10, &lines)]);
    bench.begin(SESSION);
    let scrub = |page, scrub_flags, data: &'static [u8]| {
        let count = u32::try_from(data.len()).unwrap();
        Operation::Scrub(Scrub { head: node(page, 10, 11, 0, 0), scrub_flags, count, data })
    };
    bench.redo(scrub(30, 1, &[]));
    bench.redo(scrub(31, 0, &[1, 0]));
    for page in [30, 31] {
        let image = bench.image(page);
        assert!(!image.windows(6).any(|bytes| bytes == b"secret"), "page {page}");
        assert!(Page::new(&image).unwrap().flags().is_scrubbed());
        assert_eq!(bench.dbtime(page), 11);
    }
    assert_eq!(bench.lines(30), []);
    assert_eq!(
        bench.lines(31),
        [(b"a".to_vec(), b"DDDDDD".to_vec(), NodeFlags::DELETED.0), (b"b".to_vec(), b"kept".to_vec(), 0)]
    );
    // The next change takes the mark away.
    bench.redo(insert(node(31, 11, 12, 2, 0), "c", ""));
    assert!(!Page::new(&bench.image(31)).unwrap().flags().is_scrubbed());
}

#[test]
fn pages_with_more_than_one_reserved_tag_keep_them_through_every_change() {
    let mut image = leaf(30, 10, &[line("", "second reserved"), line("a", "1"), line("b", "2")]);
    // Two reserved tags: the second of the tags above is one.
    let state = u16::from_le_bytes([image.1[34], image.1[35]]) | 2 << 12;
    image.1[34..36].copy_from_slice(&state.to_le_bytes());
    let mut bench = Bench::new(Range::Inside, &[image]);
    assert_eq!(bench.keys(30), ["a", "b"]);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 1, 1), "aa", "new"));
    bench.redo(replace(node(30, 11, 12, 0, 2), "1", "a longer one"));
    bench.redo(Operation::FlagDelete(FlagDelete { head: node(30, 12, 13, 2, 3) }));
    assert_eq!(bench.keys(30), ["a", "aa", "b"]);
    assert_eq!(bench.lines(30)[0].1, b"a longer one");
    let image = bench.image(30);
    let page = Page::new(&image).unwrap();
    assert_eq!((page.reserved_tags(), page.lines()), (2, 3));
    let (offset, length) = page.place_of(1).unwrap();
    assert!(image[40 + offset..40 + offset + length].ends_with(b"second reserved"));
}

#[test]
fn an_insert_without_room_or_behind_the_last_line_is_refused_and_leaves_the_page_alone() {
    let full = "x".repeat(3900);
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[line("a", &full)])]);
    bench.begin(SESSION);
    let long = "y".repeat(400);
    assert_eq!(bench.refused(insert(node(30, 10, 11, 1, 0), "b", &long)), JetCode::DATABASE_CORRUPTED.0);
    assert_eq!(bench.refused(insert(node(30, 10, 11, 7, 0), "b", "")), JetCode::BAD_LINE_COUNT.0);
}

#[test]
fn rolling_back_a_level_drops_what_was_never_logged_as_undone() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[])]);
    bench.begin(SESSION);
    bench.redo(insert(node(30, 10, 11, 0, 1), "a", ""));
    bench.redo(Operation::Begin(Begin { session: SESSION, levels: 1 | 1 << 4 }));
    let mut inner = node(30, 11, 12, 1, 2);
    inner.head.level = 2;
    bench.redo(insert(inner, "b", ""));
    assert_eq!(bench.versions(), 2);
    bench.redo(Operation::Rollback(Rollback { session: SESSION, levels: 1 }));
    assert_eq!((bench.versions(), bench.keys(30).len()), (1, 2));
    bench.redo(Operation::Rollback(Rollback { session: SESSION, levels: 1 }));
    assert_eq!(bench.versions(), 0);
}

#[test]
fn split_and_merge_outside_a_group_are_no_records_of_any_engine() {
    let mut bench = Bench::new(Range::Inside, &[leaf(30, 10, &[])]);
    bench.begin(SESSION);
    let mut at = head(30, 10, 11, 0);
    at.flags = ChangeFlags(0);
    let split = common::bench::split_of(at);
    assert_eq!(bench.refused(Operation::Split(split)), JetCode::LOG_CORRUPTED.0);
}
