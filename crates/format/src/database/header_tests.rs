use super::*;
use crate::database::trailer::{Trailer, TrailerFault};

fn database(size: PageSize) -> HeaderPage {
    let mut page = HeaderPage::new(size);
    page.header.version = 0x620;
    page.header.update = 290;
    page.header.minor = 600;
    page.header.state = DatabaseState::CleanShutdown;
    page
}

fn file(primary: &HeaderPage, shadow: &HeaderPage) -> Vec<u8> {
    [primary.to_bytes(), shadow.to_bytes(), vec![0; 65_536]].concat()
}

// trap db-1 D1
#[test]
fn d1_attach_has_its_time_before_its_position_and_detach_too_but_consistent_not() {
    let mut page = vec![0; 4096];
    page[56..64].copy_from_slice(&[1, 0, 2, 0, 3, 0, 0, 0]);
    page[80..88].copy_from_slice(&[4, 0, 5, 0, 6, 0, 0, 0]);
    page[96..104].copy_from_slice(&[7, 0, 8, 0, 9, 0, 0, 0]);
    page[72] = 59;
    page[88] = 58;
    let header = DatabaseHeader::read(&page).unwrap();
    assert_eq!(header.consistent_position, LogPosition::new(3, 2, 1));
    assert_eq!(header.attach_position, LogPosition::new(6, 5, 4));
    assert_eq!(header.detach_position, LogPosition::new(9, 8, 7));
    assert_eq!((header.attach_time.0[0], header.detach_time.0[0]), (59, 58));
}

// trap db-1 D2
#[test]
fn d2_a_flipped_bit_in_a_header_is_damage_and_never_corrected() {
    let page = database(PageSize::FOUR_KIB);
    let mut bytes = file(&page, &page);
    bytes[100] ^= 4;
    let (elected, copies) = HeaderPage::elect(&bytes).unwrap();
    assert_eq!((elected.to_bytes(), copies), (page.to_bytes(), Copies::PrimaryDamaged));
    bytes[4096 + 100] ^= 4;
    assert_eq!(HeaderPage::elect(&bytes).unwrap_err(), HeaderFault::Corrupt);
}

// trap db-1 D3
#[test]
fn d3_the_primary_wins_even_over_a_newer_valid_shadow() {
    let old = database(PageSize::FOUR_KIB);
    let mut new = old.clone();
    new.header.dbtime = Dbtime(99);
    let (elected, copies) = HeaderPage::elect(&file(&old, &new)).unwrap();
    assert_eq!((elected.header.dbtime, copies), (Dbtime(0), Copies::Different));
}

// trap db-1 D4
#[test]
fn d4_a_page_size_of_zero_means_4096() {
    let mut page = database(PageSize::FOUR_KIB);
    page.header.page_size = 0;
    let (elected, _) = HeaderPage::elect(&file(&page, &page)).unwrap();
    assert_eq!(elected.page_size(), PageSize::FOUR_KIB);
}

// traps db-1 D5, S1
#[test]
fn d5_a_checksum_that_holds_by_accident_for_another_size_is_not_taken() {
    // Everything behind the first 4 KiB is zero, so the XOR over 4 KiB equals the XOR over 32 KiB: only the field decides.
    let size = PageSize::from_field(32_768).unwrap();
    let page = database(size);
    let bytes = file(&page, &page);
    assert!(verify_header_xor(&bytes[..4096]));
    assert_eq!(HeaderPage::elect(&bytes).unwrap().0.page_size(), size);
}

// trap db-1 D6
#[test]
fn d6_the_file_type_lies_at_an_odd_offset_and_zero_is_legal() {
    let mut page = database(PageSize::FOUR_KIB);
    page.header.file_type = FileType::Unstated;
    assert_eq!(page.header.check_kind(), Ok(()));
    page.header.file_type = FileType::Log;
    assert_eq!(page.to_bytes()[667], 3);
    assert_eq!(page.header.check_kind(), Err(HeaderFault::FileType(FileType::Log, 0)));
}

// trap db-1 D8
#[test]
fn d8_months_count_from_one_and_years_from_1900() {
    let time = LogTime([5, 4, 3, 21, 11, 126, 0, 0]);
    assert_eq!(time.to_string(), "2026-11-21T03:04:05.000 (local time of the writer)");
    assert_eq!(LogTime::utc(2026, 11, 21, 3, 4, 5, 0).0[..6], time.0[..6]);
}

// trap db-1 D9
#[test]
fn d9_a_dirty_nibble_in_a_time_survives_reading_and_writing() {
    let mut page = database(PageSize::FOUR_KIB);
    page.header.signature = Signature([0xF7; 28]);
    let (elected, _) = HeaderPage::elect(&file(&page, &page)).unwrap();
    assert_eq!(elected.to_bytes(), page.to_bytes());
    assert_eq!(elected.header.signature, page.header.signature);
}

// trap db-1 D14
#[test]
fn d14_a_new_database_is_created_as_update_20_of_0x620() {
    assert_eq!(DatabaseVersion::CREATED, DatabaseVersion { version: 0x620, update: 20, minor: 0 });
}

// trap db-1 D19
#[test]
fn d19_a_higher_minor_opens_and_a_higher_update_does_not() {
    let mut page = database(PageSize::FOUR_KIB);
    page.header.minor = 10_000;
    assert_eq!(page.header.check_kind(), Ok(()));
    page.header.update = 1000;
    let fault = page.header.check_kind().unwrap_err();
    assert_eq!(fault.jet(), JetCode::INVALID_DATABASE_VERSION);
}

// traps db-1 D20, R37
#[test]
fn d20_large_pages_before_update_17_are_refused() {
    let mut page = database(PageSize::from_field(16_384).unwrap());
    page.header.update = 12;
    assert_eq!(page.header.check_kind(), Err(HeaderFault::PageSize(16_384, 12)));
    assert_eq!(page.header.check_kind().unwrap_err().jet(), JetCode::INVALID_DATABASE_VERSION);
    page.header.update = 17;
    assert_eq!(page.header.check_kind(), Ok(()));
}

// trap db-1 D21
#[test]
fn d21_bytes_of_a_newer_format_behind_the_declared_fields_are_kept() {
    let page = database(PageSize::FOUR_KIB);
    let mut bytes = page.to_bytes();
    bytes[760..764].copy_from_slice(b"next");
    set_header_xor(&mut bytes);
    let (mut elected, _) = HeaderPage::elect(&[bytes.clone(), bytes].concat()).unwrap();
    assert!(elected.has_undeclared_bytes());
    elected.header.dbtime = Dbtime(5);
    let written = elected.to_bytes();
    assert_eq!(&written[760..764], b"next");
    assert!(verify_header_xor(&written));
}

// trap db-1 D28
#[test]
fn d28_a_temporary_database_is_told_by_its_state_and_slot() {
    let mut page = database(PageSize::FOUR_KIB);
    assert!(!page.header.is_temporary());
    page.header.state = DatabaseState::JustCreated;
    assert!(page.header.is_temporary());
    page.header.slot = 1;
    assert!(!page.header.is_temporary());
}

#[test]
fn setting_a_state_sets_its_generations_and_times() {
    let mut page = database(PageSize::FOUR_KIB);
    let time = LogTime::utc(2026, 11, 21, 1, 2, 3, 4);
    let range = DirtyRange { min: Generation(3), max: Generation(5), max_time: time };
    page.header.set_state(DatabaseState::DirtyShutdown, Some(range)).unwrap();
    let header = &page.header;
    assert_eq!((header.min_required.0, header.min_consistent.0, header.max_required.0, header.max_committed.0), (3, 3, 5, 5));
    assert_eq!((header.max_committed_time, header.max_required_time), (time, time));
    page.header.pre_redo_min_required = Generation(4);
    page.header.set_state(DatabaseState::CleanShutdown, None).unwrap();
    let header = &page.header;
    assert_eq!((header.min_required.0, header.max_required.0, header.max_committed.0), (0, 0, 0));
    assert_eq!((header.max_committed_time, header.pre_redo_min_required.0), (LogTime::NONE, 0));
}

#[test]
fn the_time_of_the_last_required_log_exists_only_in_formats_that_have_it() {
    let mut page = database(PageSize::FOUR_KIB);
    page.header.update = 140;
    let range = DirtyRange { min: Generation(1), max: Generation(1), max_time: LogTime::utc(2026, 1, 1, 0, 0, 0, 0) };
    page.header.set_state(DatabaseState::DirtyShutdown, Some(range)).unwrap();
    assert!(page.header.max_required_time.is_none() && !page.header.max_committed_time.is_none());
}

#[test]
fn an_illegal_transition_changes_nothing() {
    let mut page = database(PageSize::FOUR_KIB);
    let before = page.header.clone();
    assert!(page.header.set_state(DatabaseState::IncrementalReseed, None).is_err());
    assert_eq!(page.header, before);
}

fn streamed() -> (DatabaseHeader, Trailer) {
    let mut header = database(PageSize::FOUR_KIB).header;
    header.state = DatabaseState::DirtyShutdown;
    header.signature = Signature::new(1, LogTime::NONE);
    header.log_signature = Signature::new(2, LogTime::NONE);
    header.current_backup = BackupInfo { mark: LogPosition::new(11, 4, 0x39F), low: Generation(1), ..BackupInfo::default() };
    header.min_required = Generation(2);
    header.max_required = Generation(11);
    header.max_committed = Generation(11);
    let mut trailer = Trailer::read(&[0; 148]).unwrap();
    trailer.signature = header.signature;
    trailer.log_signature = header.log_signature;
    trailer.backup = BackupInfo { high: Generation(15), ..header.current_backup };
    (header, trailer)
}

// trap db-1 D30
#[test]
fn d30_only_the_trailer_knows_how_far_a_streamed_copy_must_be_replayed() {
    let (mut header, mut trailer) = streamed();
    assert!(header.needs_trailer());
    trailer.min_required = Generation(1);
    trailer.max_committed_time = LogTime::utc(2026, 1, 1, 0, 0, 0, 0);
    let page = trailer.to_page(PageSize::FOUR_KIB);
    Trailer::from_page(&page).unwrap().complete(&mut header).unwrap();
    assert_eq!((header.min_required.0, header.max_required.0, header.max_committed.0), (1, 15, 15));
    assert_eq!((header.current_backup.high.0, header.needs_trailer()), (15, false));
}

#[test]
fn a_trailer_of_another_backup_is_refused_and_changes_nothing() {
    let (mut header, mut trailer) = streamed();
    trailer.backup.mark = LogPosition::new(1, 1, 1);
    let before = header.clone();
    assert_eq!(trailer.complete(&mut header), Err(TrailerFault::Foreign("backup")));
    assert_eq!(header, before);
    assert_eq!(Trailer::from_page(&[1; 4096]), Err(TrailerFault::Bad));
}
