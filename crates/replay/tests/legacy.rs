//! Streams of the 7.x format: traps of `log-7 §18` that concern the run.

mod common;

use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::{Operation, RecordType};
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_replay::run::{self, Ending, Failure, Options, Report};
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::real_sets;
use anchorlog_testkit::differ::header_of;
use common::files::{databases, logs};
use common::{ambient, setup, told};
use std::fs;
use std::path::Path;

/// A set's files in the folders of a run; those with a folder of their own in the set: `from`.
fn files(set: &str, from: &str) -> Option<tempfile::TempDir> {
    let folder = real_sets().into_iter().find(|other| other.name == set)?.folder().join(from);
    let work = tempfile::tempdir().unwrap();
    fs::create_dir_all(work.path().join("log")).unwrap();
    fs::create_dir_all(work.path().join("db")).unwrap();
    for entry in fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let path = entry.path();
        let to = match path.extension().and_then(|extension| extension.to_str()) {
            Some("log" | "chk" | "jrs") => "log",
            Some("ide" | "edb") => "db",
            _ => continue,
        };
        fs::copy(&path, work.path().join(to).join(entry.file_name())).unwrap();
    }
    Some(work)
}

fn recover(root: &Path, options: Options) -> Result<Report, Failure> {
    run::replay(&setup(root, options), &ambient(), &mut ())
}

#[test]
fn y13_windows_7_points_its_checkpoint_to_the_last_record_and_server_2003_before_it_and_neither_gets_a_record_more() {
    let Some(seven) = files("roslyn-w7-chain", "") else { return };
    assert_eq!(recover(seven.path(), Options::default()).unwrap().ending, Ending::NothingToDo);
    let server = files("catroot2-ws2003", "").unwrap();
    let before = logs(server.path());
    assert_eq!(recover(server.path(), Options::default()).unwrap().ending, Ending::Clean);
    assert!(before == logs(server.path()));
}

#[test]
fn y14_old_splits_of_databases_that_take_no_part_are_passed_over() {
    let Some(work) = files("catroot2-ws2003", "") else { return };
    fs::remove_file(work.path().join("log/edb.chk")).unwrap();
    let old = |kind: RecordType| kind == RecordType::SPLIT_OLD || kind == RecordType::MERGE_OLD;
    let split = logs(work.path())
        .values()
        .any(|(_, bytes)| LogFile::open(bytes).unwrap().records().any(|record| old(record.unwrap().record_type())));
    assert!(split);
    let made = recover(work.path(), Options::default());
    assert!(made.as_ref().is_ok_and(|report| report.ending == Ending::Clean), "{}", told(&made));
}

#[test]
fn y18_y26_a_dirty_database_is_recovered_in_two_new_generations_and_keeps_its_format() {
    let Some(work) = files("roslyn-w7-dirty", "later-dirty") else { return };
    let before = fs::read(work.path().join("log/edb.log")).unwrap();
    let report = recover(work.path(), Options::default()).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!((report.ending, report.start), (Ending::Recovered, LogPosition::new(9, 1, 0)));
    let after = logs(work.path());
    // The old current log is only renamed; the first new one holds nothing.
    assert!(after[&Generation(9)].1 == before);
    let log = |generation: u32| LogFile::open(&after[&Generation(generation)].1).unwrap();
    assert_eq!(log(10).records().count(), 0);
    assert!(!log(10).header().version().is_legacy());
    assert_eq!(log(11).records().next().unwrap().unwrap().record_type(), RecordType::RECOVERY_UNDO);
    assert_eq!(after[&Generation(11)].0, Path::new("log/edb.log"));
    let header = header_of(databases(work.path()).values().next().unwrap()).header;
    assert_eq!((header.version, header.update, header.consistent_position), (0x620, 17, LogPosition::new(11, 1, 57)));
}

#[test]
fn y20_a_header_that_does_not_know_what_was_committed_asks_for_nothing_more() {
    let Some(work) = files("roslyn-w7-dirty", "later-dirty") else { return };
    let (path, mut bytes) = databases(work.path()).into_iter().next().unwrap();
    let mut page = header_of(&bytes);
    page.header.max_committed = Generation(0);
    let image = page.to_bytes();
    bytes[..image.len()].copy_from_slice(&image);
    bytes[image.len()..2 * image.len()].copy_from_slice(&image);
    fs::write(work.path().join(path), bytes).unwrap();
    let made = recover(work.path(), Options::default());
    assert!(made.as_ref().is_ok_and(|report| report.ending == Ending::Recovered && report.lost.is_none()), "{}", told(&made));
}

#[test]
fn y21_logs_of_one_second_link_to_each_other_all_the_same() {
    let Some(work) = files("catroot2-ws2003", "") else { return };
    let all = logs(work.path());
    let header = |generation: u32| LogFile::open(&all[&Generation(generation)].1).unwrap().header().clone();
    assert_eq!(header(0x7E).created, header(0x7E).previous_created);
    assert_eq!(header(0x7F).previous_created, header(0x7E).created);
}

#[test]
fn y22_databases_that_were_detached_first_are_consistent_at_their_detach() {
    let sets = real_sets();
    let Some(set) = sets.iter().find(|set| set.name == "catroot2-ws2003") else { return };
    let work = files("catroot2-ws2003", "").unwrap();
    let mut detached = Vec::new();
    for (_, bytes) in logs(work.path()).values() {
        for record in LogFile::open(bytes).unwrap().records() {
            let record = record.unwrap();
            if let Ok(Operation::DetachDatabase(_)) = record.operation() {
                detached.push(record.writer_position);
            }
        }
    }
    for folder in ["{127D0A1D-4EF2-11D1-8608-00C04FC295EE}", "{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"] {
        let header = header_of(&fs::read(set.folder().join(folder).join("catdb")).unwrap()).header;
        assert!(detached.contains(&header.consistent_position), "{} in {detached:?}", header.consistent_position);
    }
}

#[test]
fn y25_behind_a_log_of_small_sectors_the_stream_goes_on_in_large_ones_of_the_same_size_in_all() {
    let Some(work) = files("roslyn-w7-sector512", "") else { return };
    let old = logs(work.path());
    let (_, (_, archived)) = old.iter().rev().nth(1).unwrap();
    assert_eq!(LogFile::open(archived).unwrap().header().sector_size, 512);
    // Without its current log the stream ends in the middle of a run.
    fs::remove_file(work.path().join("log/edb.log")).unwrap();
    fs::remove_file(work.path().join("log/edb.chk")).unwrap();
    for path in databases(work.path()).keys() {
        fs::remove_file(work.path().join(path)).unwrap();
    }
    let options = Options { accept_loss: true, ignore_missing_databases: true, ..Options::default() };
    let made = recover(work.path(), options);
    assert!(made.as_ref().is_ok_and(|report| report.ending == Ending::Recovered), "{}", told(&made));
    let new = logs(work.path());
    let (_, (_, current)) = new.last_key_value().unwrap();
    let header = LogFile::open(current).unwrap().header().clone();
    assert_eq!((header.sector_size, header.geometry().file_size()), (4096, archived.len() as u64));
    assert!(new.len() == old.len() - 1 + 2, "{:?}", new.keys());
}

#[test]
fn a_legacy_log_is_not_cut_inside_but_a_stop_at_its_end_is_possible() {
    let Some(work) = files("roslyn-w7-chain", "") else { return };
    fs::remove_file(work.path().join("log/edb.chk")).unwrap();
    for path in databases(work.path()).keys() {
        fs::remove_file(work.path().join(path)).unwrap();
    }
    let stop = |stop| Options { stop: Some(stop), undo_at_stop: true, ..Options::default() };
    let inside = recover(work.path(), stop(Stop::Position(LogPosition::new(2, 0x40, 0))));
    assert_eq!(inside.unwrap_err().error.jet.0, -514);
    let work = files("roslyn-w7-chain", "").unwrap();
    fs::remove_file(work.path().join("log/edb.chk")).unwrap();
    for path in databases(work.path()).keys() {
        fs::remove_file(work.path().join(path)).unwrap();
    }
    let report =
        recover(work.path(), stop(Stop::Generation(Generation(2)))).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!(report.ending, Ending::Recovered);
    assert_eq!(logs(work.path()).keys().map(|generation| generation.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
}
