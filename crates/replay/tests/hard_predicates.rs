//! Each predicate of a restore broken on its own, by small changes to copies of the engine's sets (`ops-3 §3, §4`).
//! Ids in names are those of ops-3.

mod common;

use anchorlog_format::database::Trailer;
use anchorlog_format::database::header::{DatabaseHeader, HeaderPage};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::{HEADER_SIZE, LogHeader};
use anchorlog_format::log::record::Operation;
use anchorlog_format::units::{Generation, LogTime, Signature};
use anchorlog_replay::error::ReplayError;
use anchorlog_replay::hard::{Examined, Set, examine};
use anchorlog_replay::run;
use anchorlog_testkit::data::engine_set;
use common::ambient;
use common::backup::{Work, header_of};
use std::fs;
use std::path::{Path, PathBuf};

const DATABASE: &str = "db/db1.edb";
const LOW: Generation = Generation(1);
/// Where the copy of the database ended, by its trailer.
const END: Generation = Generation(15);
/// The last log of the full set.
const HIGH: Generation = Generation(17);

/// The full set of `backup-stream-4k`, generations 1 to 17; the copy of its database ended in 15.
fn full() -> Option<Work> {
    Some(Work::new(&[engine_set("backup-stream-4k")?.folder().join("full")]))
}

/// The same, with the production logs: 15 to 37, and 38 as the current one.
fn with_production() -> Option<Work> {
    let folder = engine_set("backup-stream-4k")?.folder();
    let logs = folder.join("production/log");
    let names: Vec<String> =
        fs::read_dir(&logs).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.contains("tmp")).collect();
    Some(full()?.with_production(&logs, &names))
}

fn examined(work: &Work) -> Examined {
    let setup = work.setup();
    examine(&setup.logs, setup.options.hard.as_ref().unwrap(), &*setup.folder, &setup.naming.candidates, None)
}

/// The one predicate that is broken, with its code.
fn broken(work: &Work) -> (&'static str, i32) {
    let broken: Vec<(&str, ReplayError)> =
        examined(work).predicates.into_iter().filter_map(|found| Some((found.id, found.outcome.err()?))).collect();
    let all: Vec<String> = broken.iter().map(|(id, error)| format!("{id} {} {error}", error.jet)).collect();
    assert_eq!(broken.len(), 1, "{all:?}");
    (broken[0].0, broken[0].1.jet.0)
}

/// The run refuses with the code of the one broken predicate, and changes nothing.
fn refused(work: &Work) -> (&'static str, i32) {
    let before = common::files::contents(work.root());
    let found = broken(work);
    assert_eq!(work.code(), found.1);
    assert!(common::files::contents(work.root()) == before, "a refused restore changed a file");
    found
}

fn change_log(work: &Work, path: &Path, change: impl FnOnce(&mut LogHeader)) {
    let path = work.root().join(path);
    let mut bytes = fs::read(&path).unwrap();
    let mut header = LogHeader::check(&bytes).unwrap();
    change(&mut header);
    bytes[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
    fs::write(path, bytes).unwrap();
}

fn change_database(work: &Work, change: impl FnOnce(&mut DatabaseHeader)) {
    let path = work.path(DATABASE);
    let mut bytes = fs::read(&path).unwrap();
    let mut page: HeaderPage = header_of(&path);
    change(&mut page.header);
    let page = page.to_bytes();
    bytes[..page.len()].copy_from_slice(&page);
    bytes[page.len()..2 * page.len()].copy_from_slice(&page);
    fs::write(path, bytes).unwrap();
}

fn change_trailer(work: &Work, change: impl FnOnce(&mut Trailer)) {
    let path = work.path(DATABASE);
    let size = header_of(&path).page_size();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - size.bytes();
    let mut trailer = Trailer::from_page(&bytes[at..]).unwrap();
    change(&mut trailer);
    bytes[at..].copy_from_slice(&trailer.to_page(size));
    fs::write(path, bytes).unwrap();
}

fn another() -> Signature {
    Signature::new(7, LogTime::utc(2001, 1, 1, 0, 0, 0, 0))
}

const ANOTHER_TIME: fn() -> LogTime = || LogTime::utc(2001, 1, 1, 0, 0, 0, 0);

#[test]
fn a_whole_set_breaks_no_predicate() {
    let Some(work) = with_production() else { return };
    let found = examined(&work);
    let ids: Vec<&str> = found.predicates.iter().map(|predicate| predicate.id).collect();
    assert_eq!(ids, ["H4", "H5", "H6", "C2", "C5", "C6", "H8", "H9", "H10", "H12"]);
    assert!(found.predicates.iter().all(|predicate| predicate.outcome.is_ok()), "{:#?}", found.predicates);
}

#[test]
fn h4_a_hole_in_the_logs_of_the_set_is_a_missing_restore_log() {
    let Some(mut work) = full() else { return };
    work.set.remove(&Generation(9));
    assert_eq!(refused(&work), ("H4", -557));
}

#[test]
fn h5_a_log_of_another_stream_in_the_set_is_a_given_log_of_bad_signature() {
    let Some(work) = full() else { return };
    change_log(&work, &work.set[&HIGH], |header| header.signature = another());
    let found = examined(&work).verdict().unwrap_err();
    assert_eq!((found.jet.0, work.code()), (-555, -555));
}

#[test]
fn h6_logs_of_two_histories_in_the_set_are_not_contiguous() {
    let Some(work) = full() else { return };
    change_log(&work, &work.set[&Generation(12)], |header| header.previous_created = ANOTHER_TIME());
    assert_eq!(refused(&work), ("H6", -556));
}

#[test]
fn h8_a_database_that_no_backup_copied_is_refused() {
    let Some(work) = full() else { return };
    let production = engine_set("backup-stream-4k").unwrap().folder().join("production/db/db1.edb");
    fs::copy(production, work.path(DATABASE)).unwrap();
    assert_eq!(refused(&work), ("H8", -615));
}

#[test]
fn h8_a_database_without_a_readable_header_is_no_database() {
    let Some(work) = full() else { return };
    let setup = work.setup();
    let mut bytes = fs::read(work.path(DATABASE)).unwrap();
    bytes[100] ^= 1;
    bytes[4096 + 100] ^= 1;
    fs::write(work.path(DATABASE), bytes).unwrap();
    let set = setup.options.hard.as_ref().unwrap();
    let error = examine(&setup.logs, set, &*setup.folder, &setup.naming.candidates, None).verdict().unwrap_err();
    assert_eq!(error.jet.0, -1206);
}

// trap ops-2 O4
#[test]
fn h8_a_trailer_that_was_cut_off_is_a_bad_patch_page() {
    // Trap O4 of ops-2.
    let Some(work) = full() else { return };
    let mut bytes = fs::read(work.path(DATABASE)).unwrap();
    bytes.truncate(bytes.len() - 4096);
    fs::write(work.path(DATABASE), bytes).unwrap();
    assert_eq!(refused(&work), ("H8", -535));
}

#[test]
fn o10_a_zeroed_trailer_without_a_completed_header_is_a_bad_patch_page() {
    let Some(work) = full() else { return };
    let mut bytes = fs::read(work.path(DATABASE)).unwrap();
    let at = bytes.len() - 4096;
    bytes[at..].fill(0);
    fs::write(work.path(DATABASE), bytes).unwrap();
    assert_eq!(refused(&work), ("H8", -535));
}

#[test]
fn h8_a_trailer_of_another_backup_database_or_stream_does_not_fit() {
    let changes: [fn(&mut Trailer); 4] = [
        |trailer| trailer.backup.mark.generation = Generation(3),
        |trailer| trailer.backup.high = Generation(0),
        |trailer| trailer.signature = another(),
        |trailer| trailer.log_signature = another(),
    ];
    for change in changes {
        let Some(work) = full() else { return };
        change_trailer(&work, change);
        assert_eq!(refused(&work), ("H8", -552));
    }
}

#[test]
fn h8_a_database_of_another_stream_than_the_logs_does_not_fit() {
    let Some(work) = full() else { return };
    change_database(&work, |header| header.log_signature = another());
    change_trailer(&work, |trailer| trailer.log_signature = another());
    assert_eq!(refused(&work), ("H8", -552));
}

#[test]
fn h9_logs_that_begin_behind_the_start_of_the_backup_begin_too_high() {
    let Some(mut work) = full() else { return };
    work.set.remove(&LOW);
    assert_eq!(refused(&work), ("H9", -554));
}

// trap ops-2 O6
#[test]
fn h10_w34_logs_that_end_before_the_backup_did_end_too_low_and_nothing_is_written() {
    let Some(mut work) = full() else { return };
    for generation in [END, Generation(16), HIGH] {
        work.set.remove(&generation);
    }
    assert_eq!(refused(&work), ("H10", -553));
    // With the last log of the copy there is nothing to be said against it.
    let Some(mut work) = full() else { return };
    work.set.retain(|generation, _| *generation <= END);
    assert_eq!(work.code(), 0);
}

// trap ops-2 O5
#[test]
fn o8_a_header_that_an_earlier_restore_completed_with_more_logs_says_so() {
    let Some(work) = full() else { return };
    change_database(&work, |header| header.current_backup.high = Generation(26));
    assert_eq!(refused(&work), ("H10", -553));
    let error = examined(&work).verdict().unwrap_err();
    assert!(error.reason.contains("raw copy"), "{error}");
}

// trap ops-3 O9
#[test]
fn h11_the_header_is_completed_for_the_range_and_a_time_that_nobody_knows_is_empty() {
    let Some(mut work) = full() else { return };
    let before = header_of(&work.path(DATABASE)).header;
    let completed = |work: &Work| examined(work).verdict().unwrap().1[Path::new(DATABASE)].header.clone();
    let header = completed(&work);
    assert_eq!((before.max_required, before.current_backup.high), (Generation(11), Generation(0)));
    assert_eq!((header.current_backup.high, header.max_required, header.max_committed), (HIGH, HIGH, HIGH));
    // Behind what the trailer knows (trap O9).
    assert!(header.max_required_time.is_none() && header.max_committed_time.is_none());
    work.set.retain(|generation, _| *generation <= END);
    let header = completed(&work);
    assert_eq!((header.current_backup.high, header.max_required, header.max_committed), (END, END, END));
    let log = LogHeader::check(&fs::read(work.root().join(&work.set[&END])).unwrap()).unwrap();
    assert_eq!((header.max_required_time, header.max_committed_time), (log.created, log.created));
}

#[test]
fn h11_a_restore_that_was_cut_off_behind_the_headers_goes_on_without_the_trailer() {
    let Some(work) = full() else { return };
    let page = examined(&work).verdict().unwrap().1[Path::new(DATABASE)].to_bytes();
    let mut bytes = fs::read(work.path(DATABASE)).unwrap();
    bytes[..4096].copy_from_slice(&page);
    bytes[4096..8192].copy_from_slice(&page);
    let at = bytes.len() - 4096;
    bytes[at..].fill(0);
    fs::write(work.path(DATABASE), bytes).unwrap();
    assert_eq!(work.code(), 0);
}

#[test]
fn h11_the_trailer_is_zeroed_once_the_header_has_what_it_says() {
    let Some(work) = full() else { return };
    let size = fs::read(work.path(DATABASE)).unwrap().len();
    // The run ends in the middle, so that nothing has come to lie on the trailer yet.
    let path = work.root().join(&work.set[&Generation(9)]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 4096 + 9..3 * 4096 + 2000].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    assert_eq!(work.code(), -573);
    let bytes = fs::read(work.path(DATABASE)).unwrap();
    assert!(bytes[size - 4096..size].iter().all(|&byte| byte == 0));
    assert_eq!(header_of(&work.path(DATABASE)).header.current_backup.high, HIGH);
    // With the log whole it is gone on with from there.
    fs::copy(engine_set("backup-stream-4k").unwrap().folder().join("full/edb00009.log"), &path).unwrap();
    assert_eq!(work.code(), 0);
}

#[test]
fn o13_databases_that_have_each_others_names_are_told_apart_by_what_they_are() {
    let Some(set) = engine_set("backup-stream-32k-2db") else { return };
    let work = Work::new(&[set.folder().join("full")]);
    for (from, to) in [("db/db1.edb", "db/x"), ("db/db2.edb", "db/db1.edb"), ("db/x", "db/db2.edb")] {
        fs::rename(work.path(from), work.path(to)).unwrap();
    }
    let report = work.run().unwrap_or_else(|failure| panic!("{}", failure.error));
    let names: Vec<_> = report.databases.iter().map(|database| (database.logged.as_str(), database.path.clone())).collect();
    assert!(names.contains(&(r"R:\db\db1.edb", Some("db/db2.edb".into()))), "{names:?}");
    assert!(names.contains(&(r"R:\db\db2.edb", Some("db/db1.edb".into()))), "{names:?}");
}

#[test]
fn h12_two_files_of_one_database_are_refused() {
    let Some(work) = full() else { return };
    fs::copy(work.path(DATABASE), work.path("db/copy.edb")).unwrap();
    assert_eq!(refused(&work), ("H12", -1222));
}

#[test]
fn h13_no_checkpoint_counts() {
    let Some(work) = full() else { return };
    let checkpoint = engine_set("backup-stream-4k").unwrap().folder().join("production/log/edb.chk");
    fs::copy(checkpoint, work.path("production/edb.chk")).unwrap();
    let mut setup = work.setup();
    setup.logs.files.checkpoint = Some("production/edb.chk".into());
    let report = run::replay(&setup, &ambient(), &mut ()).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!(report.start.generation, LOW);
}

#[test]
fn h14_databases_of_the_stream_that_were_not_restored_do_not_matter() {
    let Some(set) = engine_set("backup-stream-32k-2db") else { return };
    let work = Work::new(&[set.folder().join("full")]);
    fs::remove_file(work.path("db/db2.edb")).unwrap();
    let report = work.run().unwrap_or_else(|failure| panic!("{}", failure.error));
    let replayed: Vec<_> = report.databases.iter().filter(|database| database.replayed).map(|found| found.path.clone()).collect();
    assert_eq!(replayed, [Some(DATABASE.into())]);
}

#[test]
fn h16_the_end_of_the_recovery_in_the_log_says_that_it_was_a_hard_one() {
    let Some(work) = full() else { return };
    work.run().unwrap_or_else(|failure| panic!("{}", failure.error));
    let bytes = fs::read(work.path("production/edb.log")).unwrap();
    let log = LogFile::open(&bytes).unwrap();
    assert_eq!(log.header().generation, Generation(HIGH.0 + 1));
    let quit = log.records().map(Result::unwrap).find_map(|record| match record.operation().unwrap() {
        Operation::RecoveryQuit(term) => Some(term),
        _ => None,
    });
    assert_eq!(quit.map(|term| (term.hard, term.redo_from.generation)), Some((1, LOW)));
}

#[test]
fn c1_production_logs_that_the_set_has_as_well_are_not_replayed() {
    let Some(work) = with_production() else { return };
    // Damage of such a log is of no concern.
    let path = work.root().join(&work.production[&Generation(16)]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 4096..4 * 4096].fill(0xA5);
    fs::write(path, bytes).unwrap();
    assert_eq!(work.code(), 0);
}

#[test]
fn c2_production_of_another_stream_has_a_bad_signature() {
    let Some(work) = with_production() else { return };
    for path in work.production.values().chain(&work.current) {
        change_log(&work, path, |header| header.signature = another());
    }
    assert_eq!(refused(&work), ("C2", -610));
}

#[test]
fn c2_one_foreign_log_in_the_middle_of_production_is_not_forgotten() {
    let Some(work) = with_production() else { return };
    change_log(&work, &work.production[&Generation(25)], |header| header.signature = another());
    assert_eq!(refused(&work), ("C2", -610));
}

#[test]
fn o6_production_that_began_anew_behind_the_set_does_not_continue_it() {
    let Some(mut work) = with_production() else { return };
    work.production.retain(|generation, _| *generation > HIGH);
    change_log(&work, &work.production[&Generation(18)], |header| header.previous_created = ANOTHER_TIME());
    assert_eq!(refused(&work), ("C2", -611));
}

#[test]
fn c2_a_current_log_alone_must_continue_the_set() {
    let Some(mut work) = with_production() else { return };
    work.production.clear();
    assert_eq!(refused(&work), ("C2", -611));
    // All of production is one log, and that is the next one.
    let Some(mut work) = with_production() else { return };
    let next = work.production.remove(&Generation(18));
    work.production.clear();
    work.current = next;
    assert_eq!(work.code(), 0);
}

#[test]
fn c2_a_hole_between_the_set_and_production_or_inside_it_is_refused() {
    // Production does not overlap the set: it does not join on to it.
    let Some(mut work) = with_production() else { return };
    work.production.retain(|generation, _| *generation > Generation(18));
    assert_eq!(refused(&work), ("C2", -611));
    // It overlaps the set and lacks what lies behind that: logs are missing.
    for missing in [Generation(18), Generation(25)] {
        let Some(mut work) = with_production() else { return };
        work.production.remove(&missing);
        assert_eq!(refused(&work), ("C2", -565));
    }
}

#[test]
fn c2_a_log_that_only_the_set_has_closes_a_hole_of_production() {
    let Some(mut work) = with_production() else { return };
    work.production.remove(&Generation(16));
    assert_eq!(work.code(), 0);
}

#[test]
fn c5_the_log_of_production_in_front_of_the_set_must_lead_to_it() {
    let Some(set) = engine_set("backup-stream-4k") else { return };
    // A set that begins with generation 2, and production that still has generation 1.
    let make = |created: Option<LogTime>| {
        let mut work = Work::new(&[set.folder().join("full")]);
        let first = work.set.remove(&LOW).unwrap();
        let path = Path::new("production/edb00001.log").to_owned();
        fs::rename(work.root().join(first), work.root().join(&path)).unwrap();
        if let Some(created) = created {
            change_log(&work, &path, |header| header.created = created);
        }
        work.production.insert(LOW, path);
        change_database(&work, |header| {
            header.current_backup.low = Generation(2);
            header.min_required = Generation(2);
        });
        work
    };
    assert!(examined(&make(None)).verdict().is_ok());
    assert_eq!(refused(&make(Some(ANOTHER_TIME()))), ("C5", -611));
}

#[test]
fn c6_o7_a_generation_that_set_and_production_have_differently_is_refused() {
    let Some(mut work) = with_production() else { return };
    work.production.retain(|generation, _| *generation == Generation(16));
    work.current = None;
    change_log(&work, &work.production[&Generation(16)], |header| header.created = ANOTHER_TIME());
    assert_eq!(refused(&work), ("C6", -611));
}

#[test]
fn c7_o1_a_database_that_no_log_attaches_is_no_success() {
    let Some(work) = full() else { return };
    change_database(&work, |header| header.signature = another());
    change_trailer(&work, |trailer| trailer.signature = another());
    assert!(examined(&work).verdict().is_ok());
    assert_eq!(work.code(), -1216);
}

#[test]
fn w9_damage_has_another_code_in_the_set_and_behind_it() {
    let damage = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[3 * 4096 + 9..3 * 4096 + 2000].fill(0xA5);
        fs::write(path, bytes).unwrap();
    };
    let Some(work) = full() else { return };
    damage(&work.root().join(&work.set[&Generation(9)]));
    assert_eq!(work.code(), -573);
    let Some(work) = full() else { return };
    damage(&work.root().join(&work.set[&LOW]));
    assert_eq!(work.code(), -573);
    let Some(work) = with_production() else { return };
    damage(&work.root().join(&work.production[&Generation(25)]));
    assert_eq!(work.code(), -574);
}

#[test]
fn w9_a_log_of_the_set_whose_last_segment_was_torn_is_not_mended_from_its_shadow() {
    let Some(work) = with_production() else { return };
    // A log that ends in a segment with a shadow: that of a run that was closed in the middle of a log.
    let tear = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let last = usize::from(LogFile::open(&bytes).unwrap().end().last_segment.unwrap());
        let (segment, shadow) = (last * 4096, (last + 1) * 4096);
        if shadow + 4096 > bytes.len() {
            return false;
        }
        let copy = bytes[segment..segment + 4096].to_vec();
        bytes[shadow..shadow + 4096].copy_from_slice(&copy);
        bytes[segment + 100..segment + 200].fill(0xA5);
        fs::write(path, bytes).unwrap();
        true
    };
    // The current log of production may be mended.
    assert!(tear(&work.root().join(work.current.as_ref().unwrap())));
    assert_eq!(work.code(), 0);
    // The same log as the last one of the set may not.
    let Some(mut work) = with_production() else { return };
    work.set.extend(std::mem::take(&mut work.production));
    let current = work.current.take().unwrap();
    assert!(tear(&work.root().join(&current)));
    work.set.insert(Generation(38), current);
    assert_eq!(work.code(), -570);
}

#[test]
fn no_damage_of_headers_or_trailers_is_trusted() {
    let Some(work) = full() else { return };
    let files: Vec<&Path> = work.set.values().map(PathBuf::as_path).chain([Path::new(DATABASE)]).collect();
    let mut random = 1_u32;
    let mut next = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(random >> 8).unwrap() % below
    };
    let setup = work.setup();
    for _ in 0..300 {
        let path = work.root().join(files[next(files.len())]);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        let database = path.ends_with(DATABASE);
        let start = [0, if database { good.len() - 4096 } else { 0 }][next(2)];
        for _ in 0..=next(3) {
            bad[start + next(748)] = u8::try_from(next(256)).unwrap();
        }
        // A checksum that holds lets the fields through.
        let checksum = |page: &mut [u8]| anchorlog_checksum::set_header_xor(page);
        if next(4) > 0 {
            checksum(&mut bad[start..start + 4096]);
        }
        if next(8) == 0 {
            bad.truncate(next(good.len()));
        }
        fs::write(&path, &bad).unwrap();
        // Whatever comes out, it comes without a panic and in time.
        let _ = run::plan(&setup, &ambient(), &mut ());
        fs::write(&path, &good).unwrap();
    }
    assert_eq!(work.code(), 0);
}

#[test]
fn a_set_is_recovered_on_a_copy_and_to_the_end_of_its_logs() {
    let Some(work) = full() else { return };
    for change in [(|options| options.in_place = true) as fn(&mut run::Options), |options| {
        options.stop = Some(anchorlog_replay::stop::Stop::from_position(anchorlog_format::units::LogPosition::new(9, 0, 0)))
    }] {
        let mut setup = work.setup();
        change(&mut setup.options);
        let error = run::plan(&setup, &ambient(), &mut ()).unwrap_err().error;
        assert_eq!(error.jet.0, -1003);
    }
}

#[test]
fn a_set_without_any_log_lacks_them() {
    let Some(mut work) = full() else { return };
    let mut setup = work.setup();
    work.set.clear();
    setup.logs.files.archives.clear();
    setup.options.hard = Some(Set { low: LOW, high: LOW, overlap: Default::default() });
    assert_eq!(run::plan(&setup, &ambient(), &mut ()).unwrap_err().error.jet.0, -557);
}
