//! What may be given up, and only that: committed logs that are missing, damaged or of another history, and databases that are not there.

mod common;

use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::{HEADER_SIZE, LogHeader};
use anchorlog_format::units::{Generation, LogTime};
use anchorlog_replay::run::{self, Ending, Failure, Options, Report};
use anchorlog_testkit::data::{copy_folder, engine_set};
use anchorlog_testkit::differ::{header_of, page_differences};
use common::{ambient, setup, told};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The crash state whose databases require generations 1 to 9 and say that 13 was begun.
fn base() -> Option<tempfile::TempDir> {
    let work = tempfile::tempdir().unwrap();
    copy_folder(&engine_set("lost-4k-waypoint")?.folder().join("base"), work.path()).unwrap();
    Some(work)
}

fn path_of(generation: u32) -> PathBuf {
    if generation == 13 { "log/edb.log".into() } else { format!("log/edb{generation:08X}.log").into() }
}

fn existing(root: &Path, generation: u32) -> PathBuf {
    let short = root.join(format!("log/edb{generation:05X}.log"));
    if short.is_file() { short } else { root.join(path_of(generation)) }
}

/// One byte in the middle of the data.
fn damage(root: &Path, generation: u32) {
    let path = existing(root, generation);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 4096 + 1000] ^= 0x55;
    bytes[3 * 4096 + 1007] ^= 0x0F;
    fs::write(path, bytes).unwrap();
}

/// The header says that it follows a log that was made at another time.
fn of_another_history(root: &Path, generation: u32) {
    let path = existing(root, generation);
    let mut bytes = fs::read(&path).unwrap();
    let mut header = LogHeader::check(&bytes).unwrap();
    header.previous_created = LogTime::utc(2020, 2, 2, 2, 2, 2, 2);
    bytes[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
    fs::write(path, bytes).unwrap();
}

fn recover(root: &Path, accept_loss: bool, set_bad_logs_aside: bool) -> Result<Report, Failure> {
    let options = Options { accept_loss, set_bad_logs_aside, ..Options::default() };
    let planned = run::plan(&setup(root, options.clone()), &ambient(), &mut ());
    let made = run::replay(&setup(root, options), &ambient(), &mut ());
    assert_eq!(code(&planned), code(&made), "planned {}, made {}", told(&planned), told(&made));
    made
}

fn code(result: &Result<Report, Failure>) -> i32 {
    match result {
        Ok(report) => report.warning.map_or(0, |jet| jet.0),
        Err(failure) => failure.error.jet.0,
    }
}

fn databases(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(root.join("db")).unwrap().flatten().map(|entry| entry.path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "edb"));
    files.map(|path| (path.file_name().unwrap().into(), fs::read(path).unwrap())).collect()
}

/// Generations by the headers of the files that are there.
fn generations(root: &Path) -> Vec<u32> {
    let entries = fs::read_dir(root.join("log")).unwrap().flatten().map(|entry| entry.path());
    let logs = entries.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let logs = logs.filter(|path| !path.file_name().unwrap().to_string_lossy().contains("tmp"));
    let mut found: Vec<u32> = logs.map(|path| LogFile::open(&fs::read(path).unwrap()).unwrap().header().generation.0).collect();
    found.sort_unstable();
    found
}

#[test]
fn w7_bad_logs_in_the_committed_range_need_both_consents() {
    type Spoil = fn(&Path, u32);
    let cases: [(Spoil, i32); 2] = [(damage, -586), (of_another_history, -582)];
    for (spoil, refused) in cases {
        // 12 is committed only, and so is 13 behind it.
        for consents in [(false, false), (true, false), (false, true)] {
            let Some(work) = base() else { return };
            spoil(work.path(), 12);
            let made = recover(work.path(), consents.0, consents.1);
            assert_eq!(code(&made), refused, "{consents:?}: {}", told(&made));
        }
        let work = base().unwrap();
        spoil(work.path(), 12);
        let report = recover(work.path(), true, true).unwrap_or_else(|failure| panic!("{}", failure.error));
        assert_eq!(report.warning, Some(JetCode::WARN_COMMITTED_LOG_FILES_REMOVED));
        assert_eq!(report.set_aside.len(), 2, "{:?}", report.set_aside);
        let lost = report.lost.unwrap();
        assert_eq!((lost.last_found, lost.last_committed, lost.count()), (Generation(11), Generation(13), 2));
        assert_eq!(generations(work.path()), (1..=12).collect::<Vec<_>>());
        // The same as when the two logs had never been there.
        let plain = base().unwrap();
        for generation in [12, 13] {
            fs::remove_file(existing(plain.path(), generation)).unwrap();
        }
        let report = recover(plain.path(), true, false).unwrap_or_else(|failure| panic!("{}", failure.error));
        assert_eq!(report.warning, Some(JetCode::WARN_COMMITTED_LOG_FILES_LOST));
        for (name, theirs) in databases(plain.path()) {
            let ours = &databases(work.path())[&name];
            assert_eq!(page_differences(ours, &theirs), []);
            assert_eq!(header_of(ours).header.consistent_position, header_of(&theirs).header.consistent_position);
            assert_eq!(header_of(ours).header.state, DatabaseState::CleanShutdown);
        }
        let again = recover(work.path(), false, false);
        assert!(again.as_ref().is_ok_and(|report| report.ending == Ending::NothingToDo), "{}", told(&again));
    }
}

#[test]
fn bad_logs_in_the_required_range_are_never_given_up() {
    type Spoil = fn(&Path, u32);
    let cases: [(Spoil, i32); 2] = [(damage, -501), (of_another_history, -515)];
    for (spoil, refused) in cases {
        for generation in [2, 9] {
            let Some(work) = base() else { return };
            spoil(work.path(), generation);
            assert_eq!(code(&recover(work.path(), true, true)), refused, "generation {generation}");
        }
    }
}

#[test]
fn bad_logs_beyond_what_was_committed_keep_their_own_code_and_are_set_aside_with_consent() {
    // The 3db state requires and committed up to 10, its current log; one more log behind it was never known to the databases.
    let Some(set) = engine_set("lost-4k-waypoint") else { return };
    let make = || {
        let work = tempfile::tempdir().unwrap();
        copy_folder(&set.folder().join("base"), work.path()).unwrap();
        for path in fs::read_dir(work.path().join("db")).unwrap().flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "edb") {
                // The header forgets what was committed behind the required range.
                let mut bytes = fs::read(&path).unwrap();
                let mut page = header_of(&bytes);
                page.header.max_committed = page.header.max_required;
                page.header.max_committed_time = LogTime::NONE;
                let image = page.to_bytes();
                bytes[..image.len()].copy_from_slice(&image);
                bytes[image.len()..2 * image.len()].copy_from_slice(&image);
                fs::write(path, bytes).unwrap();
            }
        }
        work
    };
    // Replay itself counts each log that it begins as committed: only the log right behind the required range is beyond everything.
    let work = make();
    damage(work.path(), 10);
    assert_eq!(code(&recover(work.path(), false, false)), -501);
    let work = make();
    damage(work.path(), 10);
    let report = recover(work.path(), true, true).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!(report.warning, Some(JetCode::WARN_COMMITTED_LOG_FILES_REMOVED));
    assert_eq!(report.lost, None);
    assert_eq!(generations(work.path()), (1..=10).collect::<Vec<_>>());
}

// trap S11
#[test]
fn databases_that_are_not_there_are_passed_over_where_that_is_allowed_and_the_others_are_recovered() {
    let Some(set) = engine_set("lost-4k-3db") else { return };
    let copy = || {
        let work = tempfile::tempdir().unwrap();
        copy_folder(&set.folder().join("base"), work.path()).unwrap();
        work
    };
    let whole = copy();
    recover(whole.path(), false, false).unwrap_or_else(|failure| panic!("{}", failure.error));
    let all = databases(whole.path());
    assert_eq!(all.len(), 3);
    for missing in all.keys() {
        let work = copy();
        fs::remove_file(work.path().join("db").join(missing)).unwrap();
        let options = Options { ignore_missing_databases: true, ..Options::default() };
        let made = run::replay(&setup(work.path(), options), &ambient(), &mut ());
        let report = made.unwrap_or_else(|failure| panic!("{}: {}", missing.display(), failure.error));
        assert_eq!(report.ending, Ending::Recovered);
        let passed: Vec<_> = report.databases.iter().filter(|database| database.passed_over.is_some()).collect();
        assert_eq!(passed.len(), 1, "{passed:?}");
        let left = databases(work.path());
        assert_eq!(left.len(), 2, "{} was made anew", missing.display());
        for (name, ours) in &left {
            let header = header_of(ours).header;
            assert_eq!(header.state, DatabaseState::CleanShutdown);
            // Undo of the missing one's changes took no page times, and no page differs but by those.
            let theirs = &all[name];
            assert_eq!(page_differences(ours, theirs), [], "{} without {}", name.display(), missing.display());
        }
        let again = run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ());
        assert!(again.as_ref().is_ok_and(|report| report.ending == Ending::NothingToDo), "{}", told(&again));
    }
}
