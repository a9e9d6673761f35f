use crate::log::build::{Build, GENERATION, cut, fill, trace};
use crate::log::file::{LogRecord, RecordFault};
use crate::log::record::{Operation, RecordType};
use crate::units::{LogPosition, LogTime};

fn at(segment: u16, byte: u16) -> LogPosition {
    LogPosition::new(GENERATION, segment, byte)
}

fn all(build: &Build) -> Vec<Result<LogRecord<'static>, RecordFault>> {
    let log = build.log();
    log.records().map(|item| item.map(owned)).collect()
}

fn owned(record: LogRecord<'_>) -> LogRecord<'static> {
    LogRecord { bytes: record.bytes.into_owned().into(), ..record }
}

fn positions(build: &Build) -> Vec<(LogPosition, LogPosition)> {
    all(build).into_iter().map(|record| record.map(|record| (record.position, record.writer_position)).unwrap()).collect()
}

/// `trace` filling the room of a segment up to `left` bytes.
fn but(left: usize) -> Vec<u8> {
    trace(4056 - left)
}

fn recovery_undo() -> Vec<u8> {
    Operation::RecoveryUndo(crate::log::record::RecoveryUndo { time: Some(LogTime::NONE) }).encode().unwrap()
}

fn undo_info(image: usize) -> Vec<u8> {
    let mut record = vec![7; 56 + image];
    record[0] = 36;
    record[44..56].fill(0);
    record[54..56].copy_from_slice(&u16::try_from(image).unwrap().to_le_bytes());
    record
}

#[test]
fn g1_padding_belongs_to_the_position_of_the_next_record() {
    let build = Build::new().put(1, &but(20)).put(2, &trace(50));
    assert_eq!(positions(&build), [(at(1, 0), at(1, 0)), (at(1, 4076), at(2, 0))]);
}

#[test]
fn g2_a_segments_first_record_has_byte_0_only_behind_a_segment_filled_to_its_last_byte() {
    let build = Build::new().put(1, &but(0)).put(2, &trace(50));
    assert_eq!(positions(&build), [(at(1, 0), at(1, 0)), (at(2, 0), at(2, 0))]);
}

#[test]
fn records_of_one_segment_follow_each_other() {
    let build = Build::new().put(1, &[trace(50), trace(60), fill(5)].concat());
    assert_eq!(positions(&build), [(at(1, 0), at(1, 0)), (at(1, 90), at(1, 90)), (at(1, 150), at(1, 150))]);
    assert_eq!(all(&build)[2].as_ref().unwrap().end, at(1, 155));
}

#[test]
fn g7_what_stands_behind_padding_is_not_read() {
    let build = Build::new().put(1, &[trace(50), vec![0], trace(60)].concat()).put(2, &trace(70));
    assert_eq!(positions(&build), [(at(1, 0), at(1, 0)), (at(1, 90), at(2, 0))]);
}

#[test]
fn g15_records_around_the_size_of_a_segment_are_cut_and_joined() {
    for size in [4049, 4050, 4056, 4057, 4049 + 4053, 4049 + 4054, 12_000] {
        let record = trace(size);
        let mut build = Build::new();
        let parts = if size <= 4056 { vec![record.clone()] } else { cut(&record, 4049) };
        for (index, part) in (1_u16..).zip(&parts) {
            build = build.put(index, part);
        }
        let found = all(&build);
        assert_eq!(found.len(), 1, "{size}");
        assert_eq!(found[0].as_ref().unwrap().bytes.as_ref(), record, "{size}");
        assert_eq!(found[0].as_ref().unwrap().position, at(1, 0));
    }
}

#[test]
fn a_cut_record_has_the_position_before_its_first_part_and_others_may_follow_its_last() {
    let record = trace(100);
    let parts = cut(&record, 43);
    let build = Build::new().put(1, &[but(50), parts[0].clone()].concat()).put(2, &[parts[1].clone(), trace(30)].concat());
    assert_eq!(positions(&build), [(at(1, 0), at(1, 0)), (at(1, 4046), at(1, 4046)), (at(2, 100), at(2, 100))]);
}

#[test]
fn g17_a_log_may_end_inside_a_cut_record() {
    let parts = cut(&trace(9000), 43);
    let build = Build::new().put(1, &[but(50), parts[0].clone()].concat()).put(2, &parts[1]);
    assert_eq!(positions(&build), [(at(1, 0), at(1, 0))]);
}

#[test]
fn g16_a_recovery_may_begin_where_a_cut_record_was_never_finished() {
    let torn = cut(&trace(9000), 43)[0].clone();
    let starts = [recovery_undo(), undo_info(0), cut(&undo_info(5000), 4049)[0].clone()];
    for (number, start) in starts.into_iter().enumerate() {
        let mut build = Build::new().put(1, &[but(50), torn.clone()].concat()).put(2, &start);
        if number == 2 {
            build = build.put(3, &cut(&undo_info(5000), 4049)[1]);
        }
        let found = all(&build);
        assert_eq!(found.len(), 2, "{number}");
        let record = found[1].as_ref().unwrap();
        assert_eq!((record.position, record.writer_position), (at(2, 0), at(2, 0)));
    }
}

#[test]
fn any_other_record_inside_a_cut_one_is_a_fault() {
    let torn = cut(&trace(9000), 43)[0].clone();
    for other in [trace(20), fill(20), vec![23], cut(&trace(5000), 4049)[0].clone()] {
        let build = Build::new().put(1, &[but(50), torn.clone()].concat()).put(2, &other);
        let found = all(&build);
        assert!(found.len() == 2 && found[1].is_err(), "{other:?}");
    }
    // not at the start of a segment
    let early = cut(&trace(9000), 43)[0].clone();
    let build = Build::new().put(1, &[early, recovery_undo()].concat());
    assert!(all(&build)[0].is_err());
}

#[test]
fn a_continued_record_must_have_begun_and_must_begin_its_segment() {
    let parts = cut(&trace(100), 43);
    assert!(all(&Build::new().put(1, &parts[1]))[0].is_err());
    assert!(all(&Build::new().put(1, &[trace(10), parts[0].clone(), parts[1].clone()].concat()))[1].is_err());
}

#[test]
fn the_parts_must_make_a_record_of_exactly_their_length() {
    let mut longer = trace(100);
    longer.push(0);
    let padding = vec![0; 100];
    let nested = cut(&trace(200), 90)[0].clone();
    for wrong in [longer, padding, nested, fill(100), vec![200; 100]] {
        let parts = cut(&wrong, 43);
        let build = Build::new().put(1, &[but(50), parts[0].clone()].concat()).put(2, &parts[1]);
        assert!(all(&build)[1].is_err(), "{wrong:?}");
    }
    // a total that no file can hold
    let mut huge = cut(&trace(100), 43)[0].clone();
    huge[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(all(&Build::new().put(1, &[but(50), huge].concat()))[1].is_err());
}

#[test]
fn g50_a_type_without_a_layout_ends_the_records_with_a_fault() {
    for kind in [3, 40, 56, 102] {
        let build = Build::new().put(1, &[trace(20), vec![kind; 50], trace(20)].concat());
        let found = all(&build);
        assert_eq!(found.len(), 2);
        let fault = found[1].as_ref().unwrap_err();
        assert_eq!((fault.position, fault.error.jet().0), (at(1, 60), -501));
    }
}

#[test]
fn a_record_that_reaches_behind_its_segment_is_a_fault() {
    let build = Build::new().put(1, &trace(4056)).damage(1, 43, &[0xFF, 0x7F]);
    let mut build = build;
    let segment = build.segment(1);
    anchorlog_checksum::set_segment_checksum(segment, 1);
    assert!(all(&build)[0].is_err());
}

#[test]
fn reading_from_a_position_gives_the_records_that_do_not_lie_before_it() {
    let parts = cut(&trace(100), 43);
    let build = Build::new()
        .put(1, &[trace(50), but(100), parts[0].clone()].concat())
        .put(2, &[parts[1].clone(), trace(30)].concat())
        .put(3, &trace(70));
    let from = |start| {
        let log = build.log();
        log.records_from(start).map(|record| record.unwrap().position).collect::<Vec<_>>()
    };
    let everything = from(at(0, 0));
    assert_eq!(everything, [at(1, 0), at(1, 90), at(1, 4046), at(2, 100), at(2, 130)]);
    assert_eq!(from(at(1, 90)), everything[1..]);
    assert_eq!(from(at(1, 91)), everything[2..]);
    // A position in the middle of a cut record: its rest is skipped.
    assert_eq!(from(at(2, 0)), everything[3..]);
    assert_eq!(from(at(2, 130)), everything[4..]);
    // The writer's view of a record behind padding names the same record.
    assert_eq!(from(at(3, 0)), everything[4..]);
    assert_eq!(from(at(4, 0)), []);
    assert_eq!(from(LogPosition::new(GENERATION + 1, 0, 0)), []);
    assert_eq!(from(LogPosition::new(GENERATION - 1, 9, 9)), everything);
}

#[test]
fn g52_a_log_is_closed_cleanly_only_when_nothing_but_padding_follows_its_last_record() {
    let term = Operation::Term(crate::log::record::Term {
        begin: LogPosition::NONE,
        redo_from: LogPosition::NONE,
        hard: 0,
        time: Some(LogTime::NONE),
    });
    let term = term.encode().unwrap();
    let closed = |segments: &[Vec<u8>]| {
        let build = (1..).zip(segments).fold(Build::new(), |build, (index, data)| build.put(index, data));
        (build.log().was_closed_cleanly(), build.log().last_record_type())
    };
    assert_eq!(closed(&[[trace(10), term.clone()].concat()]), (true, Some(RecordType::TERM)));
    assert_eq!(closed(&[[term.clone(), fill(40)].concat()]), (true, Some(RecordType::TERM)));
    assert_eq!(closed(&[[term.clone(), trace(10)].concat()]), (false, Some(RecordType(22))));
    // Only the last segment is looked at.
    assert_eq!(closed(&[term, fill(4056)]), (false, None));
    assert_eq!(closed(&[]), (false, None));
}
