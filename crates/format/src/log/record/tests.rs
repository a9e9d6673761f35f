use super::*;
use crate::units::{LogPosition, LogTime, ObjectId, PageNumber, TransactionId, VersionId};

/// Bytes from hex; `*n` behind a byte repeats it.
fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let (byte, count) = word.split_once('*').map_or((word, 1), |(byte, count)| (byte, count.parse().unwrap()));
        for pair in byte.as_bytes().chunks(2) {
            let value = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            out.extend(std::iter::repeat_n(value, count));
        }
    }
    out
}

/// Decodes a worked example and proves that it re-encodes to itself.
fn round_trip(bytes: &[u8]) -> Operation<'_> {
    assert_eq!(size(bytes), Ok(bytes.len()));
    let operation = Operation::decode(bytes).unwrap();
    assert_eq!(operation.encode().unwrap(), bytes);
    assert_eq!(operation.record_type(), RecordType(bytes[0]));
    operation
}

macro_rules! example {
    ($text:expr, $pattern:pat => $check:expr) => {{
        let raw = bytes($text);
        match round_trip(&raw) {
            $pattern => $check,
            other => panic!("{other:?}"),
        }
    }};
}

#[test]
fn g46_begin_has_from_and_count_commit_the_level_after_rollback_the_count() {
    example!("05 0500 11", Operation::Begin(r) => assert_eq!((r.session.0, r.from_level(), r.count()), (5, 1, 1)));
    example!("08 0500 10 04000000", Operation::BeginOutermost(r) => assert_eq!((r.count(), r.transaction.0), (1, 4)));
    example!("06 0500 01", Operation::Commit(r) => assert_eq!(r.to_level, 1));
    example!("09 0500 00 08000000", Operation::CommitOutermost(r) => assert_eq!((r.to_level, r.transaction), (0, TransactionId(8))));
    example!("07 0700 01", Operation::Rollback(r) => assert_eq!(r.levels, 1));
}

#[test]
fn macros_name_their_pages() {
    example!("0b 0500 0d01000000000000", Operation::MacroBegin(r) => assert_eq!(r.dbtime.0, 0x10d));
    example!("43 08000000 04000000 0d000000", Operation::MacroPages(r) => {
        assert_eq!(r.iter().collect::<Vec<_>>(), [PageNumber(4), PageNumber(13)]);
    });
    example!("49 0d000000 02 02000000 04000000 0d000000", Operation::MacroPagesOf(r) => {
        assert_eq!((r.database.0, r.iter().count()), (2, 2));
    });
}

#[test]
fn the_small_records_of_the_specification() {
    example!("17", Operation::ShutDownMark(_) => ());
    example!("44 05000000 01 2e000000", Operation::ExtendDatabase(r) => assert_eq!(r.last_page.0, 46));
    example!("5c 01 20060000 22010000 58020000", Operation::SetDatabaseVersion(r) => {
        assert_eq!((r.version, r.update_major, r.update_minor), (0x620, 290, 600));
    });
    example!("5f 0500 01 1d000000 06000000 4101000000000000", Operation::NewPage(r) => {
        assert_eq!((r.page.0, r.object, r.dbtime.0), (29, ObjectId(6), 0x141));
    });
    example!("4a 0a000000 01 3b000000 5c0a0000 01", Operation::FreeTree(r) => assert_eq!((r.root.0, r.transaction.0), (59, 0xa5c)));
    example!("65 01 3b000000 01000000 00 401a000000000000", Operation::ExtentFreed2(r) => assert_eq!((r.pages, r.dbtime.0), (1, 0x1a40)));
    example!("4f 0500 01", Operation::CreateDatabaseFinish(r) => assert_eq!(r.database.0, 1));
    example!("33 2c310b150b7eb502", Operation::RecoveryUndo(r) => {
        assert_eq!(r.time.unwrap().to_string(), "2026-11-21T11:49:44.218Z");
    });
    example!("32 000005000a000000 0000000000000000 00 07320b150b7e390c", Operation::Term(r) => {
        assert_eq!((r.begin, r.redo_from, r.hard), (LogPosition::new(0xa, 5, 0), LogPosition::NONE, 0));
    });
    example!("34 000008001d000000 0000010019000000 00 2c310b150b7efb02", Operation::RecoveryQuit(r) => {
        assert_eq!((r.begin, r.redo_from), (LogPosition::new(0x1d, 8, 0), LogPosition::new(0x19, 1, 0)));
    });
    example!("47 18000000 00*24", Operation::Fill(r) => assert_eq!(r.zeros.len(), 24));
}

#[test]
fn g31_the_type_of_a_backup_step_is_four_bytes() {
    example!("3c 01 00000000 01 00 00*8 32320b150b7e4104 00*8 00 0000", Operation::Backup(r) => {
        assert_eq!((r.phase, r.backup_type, r.scope, r.mark_time), (1, 0, 1, LogTime([0x32, 0x32, 0x0b, 0x15, 0x0b, 0x7e, 0x41, 4])));
    });
}

#[test]
fn g51_a_fill_without_zeros_is_a_record_of_five_bytes() {
    example!("47 00000000", Operation::Fill(r) => assert!(r.zeros.is_empty()));
}

#[test]
fn the_flag_delete_of_the_specification() {
    example!("20 0500 01 1a000000 2401000000000000 0f01000000000000 0c000000 02 0000 0c 00000000 18000000 03000000", Operation::FlagDelete(r) => {
        assert_eq!((r.head.page.0, r.head.dbtime.0, r.head.dbtime_before.0), (26, 0x124, 0x10f));
        assert_eq!((r.head.level, r.head.root.0, r.head.object.0), (2, 24, 3));
        assert!(r.head.flags.is_unique() && r.head.flags.is_space() && !r.head.flags.is_versioned());
    });
}

#[test]
fn g29_an_insert_stores_the_suffix_length_first_and_the_prefix_bytes_first() {
    let head = "1d 0900 01 3b000000 6703000000000000 6603000000000000 d8010000 02 1000 05 51060000 3b000000 16000000";
    example!(&format!("{head} 0500 0000 0f00 7f80000010 0180090010000000fe04006a756c69"), Operation::Insert(r) => {
        assert_eq!((r.prefix.len(), r.suffix, r.data.len()), (0, &[0x7f, 0x80, 0, 0, 0x10][..], 15));
        assert_eq!((r.head.version, r.head.line), (VersionId(0x651), 16));
    });
    example!(&format!("{head} 0200 0300 0100 aabbcc 1122 ff"), Operation::Insert(r) => {
        assert_eq!((r.prefix, r.suffix, r.data), (&[0xaa, 0xbb, 0xcc][..], &[0x11, 0x22][..], &[0xff][..]));
    });
}

const NODE: &str = "0900 03 2f000000 0b09000000000000 0a09000000000000 44260000 04 0300 05 4d3c0000 2f000000 13000000";

#[test]
fn a_replace_and_a_replace_by_differences() {
    let replace = "21 0500 01 03000000 4a00000000000000 4900000000000000 0c000000 01 0000 0c 00000000 01000000 01000000 0400 0400 0400 17000000";
    example!(replace, Operation::Replace(r) => assert_eq!((r.old_size, r.new_size, r.data), (4, 4, &[0x17, 0, 0, 0][..])));
    example!(&format!("22 {NODE} 0900 fb00 b900 0620 02 b180 b900 00 42"), Operation::ReplaceDifference(r) => {
        assert_eq!((r.iter().count(), r.large_headers), (2, false));
        assert_eq!(r.apply(&[0; 251]).unwrap().len(), 185);
    });
}

#[test]
fn g30_bit_15_of_the_size_is_a_flag() {
    example!(&format!("22 {NODE} 0580 0400 0500 010060 01 aa"), Operation::ReplaceDifference(r) => {
        assert!(r.large_headers);
        assert_eq!(r.apply(&[1, 2, 3, 4]).unwrap(), [1, 0xaa, 2, 3, 4]);
    });
}

#[test]
fn deltas_undo_information_and_undo() {
    example!(&format!("25 {NODE} 0400 0000 ffffffff 0000 00000009"), Operation::Delta(r) => assert_eq!((r.delta, r.offset), (-1, 0)));
    example!(&format!("5d {NODE} 0500 0000 f5 ff*7 0c00 7f8000000a"), Operation::Delta64(r) => assert_eq!((r.delta, r.offset), (-11, 12)));
    let information = "24 0800 01 10000000 ff*8 ff*8 c42b0000 02 0000 04 f73a0000 07000000 04000000";
    example!(&format!("{information} 0e00 0000 0300 0000 0000 0000 7f80 0000 1a 7f80017f44594e34 00"), Operation::UndoInfo(r) => {
        // trap G44: no image but for a replace
        assert_eq!((r.operation, r.image.len(), r.head.dbtime), (VersionOperation::FLAG_DELETE, 0, Dbtime::NIL));
    });
    example!(&format!("27 {NODE} 0600 0500 0100 02 007f80000021 7f80000717"), Operation::Undo(r) => {
        assert_eq!((r.operation, r.undone_level, r.bookmark_data.len()), (VersionOperation::INSERT, 2, 5));
    });
    // trap G45
    example!(&format!("27 {NODE} 0100 0000 0900 02 00"), Operation::Undo(r) => assert_eq!(r.operation, VersionOperation::DELTA64));
}

#[test]
fn g37_a_new_tree_has_no_time_before() {
    let record =
        "18 0500 01 01000000 4900000000000000 ff*8 04000000 01 0000 04 01000000 02000000 03000000 00000000 2e000000 00000000";
    example!(record, Operation::CreateMultipleExtent(r) => {
        assert_eq!((r.object.0, r.owned_root.0, r.available_root.0, r.parent_root.0, r.primary_pages), (1, 2, 3, 0, 46));
        assert_eq!(r.head.dbtime_before, Dbtime::NIL);
    });
}

#[test]
fn g32_the_version_of_a_create_lies_outside_the_path() {
    let signature = "00*28";
    let path = "5200 3a00 5c00 6400 6200 0000";
    example!(&format!("0e 0500 01 00*4 00*4 {signature} 0c00 0c 0200 0000 {path}"), Operation::CreateDatabase(r) => {
        assert_eq!((r.version, r.path_text().first()), (Some((2, 0)), "R:\\db".to_owned()));
    });
    example!(&format!("0e 0500 01 00*4 00*4 {signature} 0600 00 523a5c646200"), Operation::CreateDatabase(r) => {
        assert_eq!((r.version, r.path_text().first()), (None, "R:\\db".to_owned()));
    });
}

#[test]
fn g33_each_record_has_its_own_unicode_flag() {
    example!("0f 0500 01 00*4 bd0c03000a000000 00*28 00*28 0400 08 41000000", Operation::AttachDatabase(r) => {
        assert_eq!(r.path_text().first(), "A");
    });
    example!("10 0500 01 0400 10 41000000", Operation::DetachDatabase(r) => assert_eq!(r.path_text().first(), "A"));
    example!("10 0500 01 0200 08 4100", Operation::DetachDatabase(r) => assert!(!r.path_text().utf16));
}

#[test]
fn the_split_of_the_specification() {
    let record = "3e 0900 01 6d000000 2513000000000000 2013000000000000 90150000 02 0000 04 6e000000 00000000 ff*8 28000000 \
                  1611000000000000 28000000 0b000000 02 01 0c00 0c00 0d00 02080000 02080000 0000 0000 ffffffff 00000000 \
                  0300 0000 0400 00*4 00*4 00000029 000000";
    example!(record, Operation::Split(r) => {
        assert_eq!((r.new_page.0, r.split_type, r.split_operation), (0x6e, SplitFields::APPEND, 1));
        assert_eq!((r.operation_line, r.split_line, r.lines), (12, 12, 13));
        assert_eq!((r.prefix_line, r.new_prefix_line), (-1, 0));
        assert_eq!((r.separator, r.old_prefix.len(), r.new_prefix.len()), (&[0, 0, 0, 0x29][..], 3, 0));
        assert!(r.before.unwrap().is_empty());
        assert!(!r.is_parent_only());
    });
}

#[test]
fn g35_a_split_without_a_new_page_only_receives_a_separator() {
    let record = "3e 0900 01 6d000000 00*8 00*8 00*4 02 0000 04 00*4 00*4 ff*8 00*62";
    example!(record, Operation::Split(r) => assert!(r.is_parent_only()));
}

#[test]
fn old_and_new_splits_and_merges_are_one_variant_each() {
    example!("1b 0900 01 6d000000 00*24 00*64 01*6 55*771", Operation::Split(r) => {
        assert_eq!((r.before, r.separator.len(), r.new_prefix.len()), (None, 257, 257));
    });
    example!("1c 0900 01 6d000000 00*24 00*54 0200 aabb", Operation::Merge(r) => assert_eq!((r.before, r.separator.len()), (None, 2)));
    example!("3f 0900 01 6d000000 00*24 00*52 04 02 0100 02000000 03000000 aa 112233", Operation::Merge(r) => {
        let before = r.before.unwrap();
        assert!(before.is_compressed() && !before.is_dehydrated() && r.empties_page());
        assert_eq!((r.merge_type, before.bytes), (MergeFields::FULL_RIGHT, &[0x11, 0x22, 0x33][..]));
    });
}

#[test]
fn the_pages_of_an_emptied_tree() {
    example!(&format!("30 {NODE} 1000 0104000000000000 3d000000 82a80100"), Operation::EmptyTree(r) => {
        let pages: Vec<EmptyPage> = r.pages().collect();
        assert_eq!(pages, [EmptyPage { dbtime_before: Dbtime(0x401), page: PageNumber(61), page_flags: 0x1a882 }]);
    });
}

#[test]
fn g34_not_every_record_has_its_session_first() {
    example!("60 0102030405060708 02 07000000 0900", Operation::RootPageMove(r) => {
        assert_eq!((r.database.0, r.object.0, r.session.0), (2, 7, 9));
    });
    for raw in [
        "64 03 01000000 02000000 00",
        "5e 03 01000000 02000000",
        "51 03 01000000 02000000",
        "61 03",
        "63 03 01000000 02000000 00*8",
    ] {
        let raw = bytes(raw);
        let operation = round_trip(&raw);
        assert_eq!((operation.session(), operation.database()), (None, Some(DatabaseId(3))), "{operation:?}");
    }
}

#[test]
fn g42_a_trace_may_be_empty_or_lack_its_terminator() {
    example!("16 0500 0000", Operation::Trace(r) => assert_eq!(r.message().first(), ""));
    example!("3d 0500 0300 616263", Operation::ForceLogRollover(r) => assert_eq!(r.message().first(), "abc"));
}

#[test]
fn g48_a_scan_check_has_two_unused_slots_before_its_times() {
    example!("46 27000000 01 07000000 11*8 22*8 0300*1 00*6 0400*1 00*6 3412", Operation::ScanCheck(r) => {
        assert_eq!((r.page.0, r.dbtime_page.0, r.dbtime_current.0, r.checksum), (7, 3, 4, 0x1234));
    });
}

#[test]
fn g53_the_layout_of_a_commit_context_depends_on_the_version() {
    example!("45 06000000 0500 01 aabbcc", Operation::CommitContext(r) => {
        assert_eq!(r.split(true).map(|parts| (parts.flags, parts.context)), Some((1, &[0xaa, 0xbb, 0xcc][..])));
        assert_eq!(r.split(false).map(|parts| (parts.flags, parts.context)), Some((0, &[1, 0xaa, 0xbb, 0xcc][..])));
    });
}

#[test]
fn g50_types_without_a_layout_stop_the_parse() {
    for kind in [3, 4, 40, 41, 43, 44, 47, 56, 102, 128, 255] {
        assert_eq!(size(&[kind; 64]), Err(RecordError::Unknown(kind)));
        assert_eq!(Operation::decode(&[kind; 64]), Err(RecordError::Unknown(kind)));
    }
}

#[test]
fn ignorable_records_of_any_content_are_kept_but_growth_must_be_as_declared() {
    example!("4b 02000000 aabb", Operation::Ignored(r) => assert_eq!(r.content, [0xaa, 0xbb]));
    example!("5b 00000000", Operation::Ignored(_) => ());
    // FreeFDP, ScanCheck and macro pages with another content than declared
    for raw in ["4a 02000000 aabb", "46 01000000 aa", "49 06000000 01 05000000 aa"] {
        let raw = bytes(raw);
        assert!(matches!(round_trip(&raw), Operation::Ignored(_)), "{raw:x?}");
    }
    assert!(Operation::decode(&bytes("44 06000000 01 2e000000 00")).is_err());
}

#[test]
fn g43_and_lengths_never_reach_behind_the_record() {
    let whole = bytes(&format!("30 {NODE} ffff"));
    assert_eq!(size(&whole), Ok(46 + 0xffff));
    assert_eq!(Operation::decode(&whole), Err(RecordError::Truncated));
    assert_eq!(size(&bytes("43 ffffffff")), Ok(5 + 0xffff_ffff));
    assert_eq!(size(&[]), Err(RecordError::Truncated));
    let mut long = bytes("17");
    long.push(0);
    assert!(Operation::decode(&long).is_err());
}

#[test]
fn every_type_with_a_layout_decodes_from_zeros_of_its_size_and_describes_itself() {
    for number in 0..RecordType::COUNT {
        let mut raw = vec![0; 1024];
        raw[0] = number;
        let Ok(length) = size(&raw) else { continue };
        raw.truncate(length);
        if let Ok(operation) = Operation::decode(&raw) {
            assert_eq!(operation.encode().unwrap(), raw, "{operation:?}");
            assert_eq!(operation.record_type(), RecordType(number));
            let fields: usize = operation.layouts().iter().map(|layout| layout.fields.len()).sum();
            assert_eq!(operation.describe().len(), fields + operation.parts().len());
        }
    }
}
