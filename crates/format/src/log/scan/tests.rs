use super::*;
use crate::log::build::{Build, GENERATION, trace};

fn end(build: &Build) -> LogEnd {
    build.log().end().clone()
}

fn reason(build: &Build) -> Option<(u16, CorruptReason)> {
    end(build).corruption.map(|corruption| (corruption.segment, corruption.reason))
}

fn full() -> Vec<u8> {
    trace(4056)
}

#[test]
fn a_log_without_data_ends_at_its_first_segment() {
    let end = end(&Build::new());
    assert_eq!((end.position, end.last_segment, end.accumulated), (LogPosition::new(GENERATION, 1, 0), None, 0));
    assert_eq!((end.tail, end.corruption), (Tail::Empty, None));
}

#[test]
fn g4_the_shadow_of_the_last_segment_is_no_data_and_not_in_the_accumulated_checksum() {
    let plain = Build::new().put(1, &full()).put(2, &trace(50));
    let shadowed = Build::new().put(1, &full()).put(2, &trace(50)).shadow(2);
    assert_eq!(end(&shadowed).tail, Tail::Shadow);
    assert_eq!(end(&shadowed).accumulated, end(&plain).accumulated);
    assert_eq!(end(&shadowed).position, LogPosition::new(GENERATION, 3, 0));
    assert_eq!(shadowed.log().records().count(), 2);
}

#[test]
fn g5_the_last_sector_never_holds_data() {
    let mut build = Build::new();
    for index in 1..=15 {
        build = build.put(index, &full());
    }
    assert_eq!(end(&build).last_segment, Some(14));
    assert_eq!(end(&build).tail, Tail::Full);
}

#[test]
fn g6_right_segments_of_an_older_generation_end_the_log() {
    let build = Build::new().put(1, &trace(50)).put_old(2, &full()).put_old(3, &full());
    assert_eq!((end(&build).last_segment, end(&build).tail, reason(&build)), (Some(1), Tail::Older, None));
    assert_eq!(build.log().records().count(), 1);
}

#[test]
fn g86_an_older_generations_shadow_marks_the_end_and_repairs_nothing() {
    let old = LogPosition::new(GENERATION - 1, 1, 0);
    let build = Build::new().put(1, &trace(50)).put_at(2, old, 1, &trace(60));
    assert_eq!((end(&build).tail, reason(&build)), (Tail::Shadow, None));
    let build = build.damage(1, 100, &[9; 20]);
    assert_eq!(reason(&build), Some((1, CorruptReason::SegmentCorrupt)));
    assert!(end(&build).repairs.is_empty());
}

#[test]
fn a_torn_last_segment_is_taken_from_its_shadow() {
    let whole = Build::new().put(1, &full()).put(2, &trace(50)).shadow(2);
    let torn = Build::new().put(1, &full()).put(2, &trace(50)).shadow(2).damage(2, 20, &[7; 200]);
    assert_eq!(end(&torn).repairs, [Repair::Shadow { segment: 2 }]);
    assert_eq!(end(&torn).accumulated, end(&whole).accumulated);
    assert_eq!(torn.log().bytes(), whole.file);
    assert!(end(&torn).is_patched());
}

#[test]
fn a_torn_shadow_is_corruption_but_said_to_be_only_that() {
    let build = Build::new().put(1, &trace(1000)).shadow(1).damage(2, 512, &[0; 4096 - 512]);
    let corruption = end(&build).corruption.unwrap();
    assert_eq!((corruption.segment, corruption.reason, corruption.only_a_shadow), (2, CorruptReason::SegmentCorrupt, true));
    // Damage of another kind behind a partial segment is not.
    let build = Build::new().put(1, &trace(1000)).damage(2, 512, &[5; 100]);
    assert!(!end(&build).corruption.unwrap().only_a_shadow);
}

#[test]
fn each_kind_of_damage_has_its_reason() {
    let start = || Build::new().put(1, &full());
    assert_eq!(reason(&start().damage(2, 0, &[1; 50])), Some((2, CorruptReason::SegmentCorrupt)));
    assert_eq!(reason(&start().put(3, &full())), Some((3, CorruptReason::ValidSegmentAfterEmpty)));
    assert_eq!(reason(&start().damage(3, 0, &[1; 50])), Some((3, CorruptReason::CorruptAfterEmptySegment)));
    let later = LogPosition::new(GENERATION + 1, 2, 0);
    assert_eq!(reason(&start().put_at(2, later, 2, &full())), Some((2, CorruptReason::BadSegmentLgpos)));
    let mut short = start().put(2, &full());
    short.file.truncate(3 * SEGMENT_SIZE);
    assert_eq!(reason(&short), Some((3, CorruptReason::IOError)));
    // What lies before the damage can be read.
    assert_eq!(end(&start().put(3, &full())).last_segment, Some(1));
}

#[test]
fn damage_in_the_middle_is_not_repaired_from_the_data_behind() {
    let build = Build::new().put(1, &full()).put(2, &full()).put(3, &full()).damage(2, 300, &[0; 90]);
    assert_eq!(reason(&build), Some((2, CorruptReason::SegmentCorrupt)));
}

#[test]
fn a_flipped_bit_of_a_data_segment_is_turned_back_and_counts_with_its_stored_checksum() {
    let whole = Build::new().put(1, &full()).put(2, &trace(50));
    let mut flipped = Build::new().put(1, &full()).put(2, &trace(50));
    flipped.segment(2)[45] ^= 4;
    let end = end(&flipped);
    assert_eq!(end.repairs, [Repair::Bit { segment: 2, error: BitError { byte: 45, bit: 2 } }]);
    assert_eq!((end.accumulated, end.corruption), (self::end(&whole).accumulated, None));
    assert_eq!(flipped.log().bytes(), whole.file);
    assert!(!end.is_patched());
}

#[test]
fn g21_a_flipped_bit_in_old_content_leaves_it_old_also_in_its_position() {
    for byte in [12, 60] {
        let mut build = Build::new().put(1, &trace(50)).put_old(2, &full());
        build.segment(2)[byte] ^= 1;
        assert_eq!((end(&build).tail, reason(&build)), (Tail::Older, None), "byte {byte}");
        assert!(end(&build).repairs.is_empty());
    }
}

#[test]
fn g22_a_zero_segment_is_damage_before_8_4000_2() {
    assert_eq!(reason(&Build::new().version(1).put(1, &trace(50))), Some((2, CorruptReason::SegmentCorrupt)));
    assert_eq!(reason(&Build::new().version(2).put(1, &trace(50))), None);
}

#[test]
fn refusals_have_their_codes() {
    use ReadContext::{HardBeyond, HardInSet, Soft};
    let code = |end: &LogEnd, context, current| end.refusal(context, current).map(|jet| jet.0);
    let good = end(&Build::new().put(1, &full()));
    let patched = LogEnd { repairs: vec![Repair::Shadow { segment: 1 }], ..good.clone() };
    let corrupt = end(&Build::new().put(1, &full()).damage(2, 0, &[1; 50]));
    for (context, of_patched, of_archived, of_corrupt) in
        [(Soft, None, None, -501), (HardInSet, Some(-570), Some(-570), -573), (HardBeyond, None, Some(-571), -574)]
    {
        assert_eq!(code(&good, context, true), None);
        assert_eq!(code(&patched, context, true), of_patched);
        assert_eq!(code(&patched, context, false), of_archived);
        assert_eq!(code(&corrupt, context, true), Some(of_corrupt));
    }
}
