//! Stops: to the states that real machines passed through, with undo on a copy, refused where the copy is newer, step by step.

mod common;

use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::segment::SegmentHeader;
use anchorlog_format::units::{Generation, LogPosition, LogTime};
use anchorlog_replay::run::{self, Ending, Failure, Options, Report};
use anchorlog_replay::stop::{Stop, position_at_time};
use anchorlog_testkit::data::{copy_folder, engine_set, engine_sets, real_sets};
use anchorlog_testkit::differ::{header_differences, header_of, page_differences};
use common::files::{contents, crash_of, cut_by_hand, databases, logs, positions};
use common::{ambient, setup, told};
use std::fs;
use std::path::Path;

type Made = Result<Report, Failure>;

fn stopped(root: &Path, stop: Stop) -> Made {
    let options = Options { stop: Some(stop), undo_at_stop: true, ..Options::default() };
    run::replay(&setup(root, options), &ambient(), &mut ())
}

#[test]
fn a_chain_from_nothing_goes_back_to_each_state_that_the_machine_passed_through() {
    let sets = real_sets();
    let Some(set) = sets.iter().find(|set| set.name == "roslyn-w81-chain7-history") else { return };
    let states = [
        ("1-89391e3263", LogPosition::new(3, 0x3F, 0xFFF)),
        ("2-b659788242", LogPosition::new(5, 0x6F, 0xFFF)),
        ("3-4e13a3008d", LogPosition::new(7, 0xF4, 0xFFF)),
    ];
    for (state, stop) in states {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir_all(work.path().join("log")).unwrap();
        fs::create_dir_all(work.path().join("db")).unwrap();
        let chain = [
            ("1-89391e3263", 1),
            ("1-89391e3263", 2),
            ("2-b659788242", 3),
            ("2-b659788242", 4),
            ("3-4e13a3008d", 5),
            ("3-4e13a3008d", 6),
        ];
        for (folder, generation) in chain {
            let name = format!("edb{generation:05X}.log");
            fs::copy(set.folder().join(folder).join(&name), work.path().join("log").join(&name)).unwrap();
        }
        fs::copy(set.folder().join("4-cd77a74d15/edb.log"), work.path().join("log/edb.log")).unwrap();
        let mut setup =
            setup(work.path(), Options { stop: Some(Stop::Position(stop)), undo_at_stop: true, ..Options::default() });
        setup.naming.map = vec![("storage.ide".into(), "db/storage.ide".into())];
        let report = run::replay(&setup, &ambient(), &mut ()).unwrap_or_else(|failure| panic!("{state}: {}", failure.error));
        assert_eq!((report.ending, report.undone.changes), (Ending::Recovered, 0), "{state}");
        assert_eq!(report.set_aside.len(), usize::try_from(7 - stop.generation.0).unwrap(), "{state}: {:?}", report.set_aside);
        let ours = fs::read(work.path().join("db/storage.ide")).unwrap();
        let theirs = fs::read(set.folder().join(state).join("storage.ide")).unwrap();
        assert_eq!(page_differences(&ours, &theirs), [], "{state}");
        // What is left is a stream of its own that ends there: nothing is left to do.
        let left = logs(work.path());
        let (last, (path, bytes)) = left.last_key_value().unwrap();
        assert_eq!((*last, path.as_path()), (stop.generation, Path::new("log/edb.log")), "{state}");
        assert!(LogFile::open(bytes).unwrap().was_closed_cleanly(), "{state}");
        let again = run::replay(&common::setup(work.path(), Options::default()), &ambient(), &mut ());
        assert!(again.as_ref().is_ok_and(|report| report.ending == Ending::NothingToDo), "{state}: {}", told(&again));
    }
}

#[test]
fn a_stop_with_undo_leaves_what_the_recovery_of_a_log_that_ends_there_leaves() {
    // Its database was created in generation 1, so that it can be made anew for any stop.
    let Some(set) = engine_set("lost-4k-waypoint") else { return };
    let base = crash_of(&set).unwrap();
    for path in databases(base.path()).keys() {
        fs::remove_file(base.path().join(path)).unwrap();
    }
    let all = logs(base.path());
    let mut tried = 0;
    for (&generation, (path, bytes)) in &all {
        for stop in positions(bytes).into_iter().step_by(97).skip(1) {
            let work = tempfile::tempdir().unwrap();
            copy_folder(base.path(), work.path()).unwrap();
            let report = stopped(work.path(), Stop::Position(stop)).unwrap_or_else(|failure| panic!("{stop}: {}", failure.error));
            let by_hand = tempfile::tempdir().unwrap();
            copy_folder(base.path(), by_hand.path()).unwrap();
            for (_, (later, _)) in all.range(generation..) {
                fs::remove_file(by_hand.path().join(later)).unwrap();
            }
            fs::write(by_hand.path().join("log/edb.log"), cut_by_hand(bytes, stop)).unwrap();
            let plain = run::replay(&setup(by_hand.path(), Options::default()), &ambient(), &mut ());
            let plain = plain.unwrap_or_else(|failure| panic!("{stop} by hand: {}", failure.error));
            assert_eq!((&report.ending, report.end), (&plain.ending, plain.end), "{stop}");
            let (ours, theirs) = (contents(work.path()), contents(by_hand.path()));
            assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{stop} in {}", path.display());
            for (path, bytes) in &ours {
                assert!(*bytes == theirs[path], "{stop}: {} differs", path.display());
            }
            for (path, bytes) in databases(work.path()) {
                assert_eq!(header_of(&bytes).header.state, DatabaseState::CleanShutdown, "{stop} {}", path.display());
            }
            tried += 1;
        }
    }
    println!("{tried} stops");
    assert!(tried > 20);
}

#[test]
fn a_stop_at_a_whole_generation_makes_its_log_the_current_one() {
    let Some(set) = engine_set("lost-4k-waypoint") else { return };
    let work = crash_of(&set).unwrap();
    for path in databases(work.path()).keys() {
        fs::remove_file(work.path().join(path)).unwrap();
    }
    let report = stopped(work.path(), Stop::Generation(Generation(5))).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!(report.ending, Ending::Recovered);
    // Undo needed a generation of its own behind the full one.
    assert_eq!(logs(work.path()).keys().map(|generation| generation.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let again = run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ());
    assert!(again.as_ref().is_ok_and(|report| report.ending == Ending::NothingToDo), "{}", told(&again));
}

#[test]
fn a_stop_before_what_a_database_holds_is_refused_with_the_earliest_position_and_that_one_works() {
    let (mut refused, mut accepted) = (0, 0);
    for set in engine_sets() {
        let Some(base) =
            crash_of(&set).filter(|work| work.path().join("log/edb.log").is_file() && !databases(work.path()).is_empty())
        else {
            continue;
        };
        let all = logs(base.path());
        // From where redo begins on.
        let whole = run::plan(&setup(base.path(), Options::default()), &ambient(), &mut ());
        let Ok(whole) = whole else { continue };
        if whole.ending != Ending::Recovered {
            continue;
        }
        let stops: Vec<LogPosition> =
            all.values().flat_map(|(_, bytes)| positions(bytes)).filter(|&stop| stop >= whole.start).collect();
        let before = |position: LogPosition| stops.iter().rev().find(|&&other| other < position).copied();
        let Some(&stop) = stops.get(stops.len() / 4) else { continue };
        let run_to = |stop: LogPosition| {
            let work = tempfile::tempdir().unwrap();
            copy_folder(base.path(), work.path()).unwrap();
            stopped(work.path(), Stop::Position(stop))
        };
        let mut made = run_to(stop);
        if made.is_ok() {
            accepted += 1;
            continue;
        }
        let mut at = stop;
        // A database that is attached behind the stop tells by its pages only once it is attached.
        while let Err(failure) = &made {
            assert_eq!(failure.error.jet, JetCode::REQUIRED_LOG_FILES_MISSING, "{} {at}: {}", set.name, failure.error);
            let earliest = failure.report.earliest_stop.unwrap_or_else(|| panic!("{}: {}", set.name, failure.error));
            assert!(earliest > at, "{}: {earliest} after {at}", set.name);
            at = earliest;
            made = run_to(at);
        }
        let too_early = run_to(before(at).unwrap());
        let again = too_early.as_ref().err().and_then(|failure| failure.report.earliest_stop);
        assert_eq!(again, Some(at), "{}: {}", set.name, told(&too_early));
        refused += 1;
    }
    println!("{refused} refused, {accepted} accepted");
    assert!(refused > 5 && accepted > 5);
}

#[test]
fn w27_generation_by_generation_without_undo_gives_what_one_pass_gives() {
    let mut sets = 0;
    for set in engine_sets() {
        let Some(base) = crash_of(&set).filter(|work| work.path().join("log/edb.log").is_file()) else { continue };
        let once = tempfile::tempdir().unwrap();
        copy_folder(base.path(), once.path()).unwrap();
        let Ok(report) = run::replay(&setup(once.path(), Options::default()), &ambient(), &mut ()) else { continue };
        if report.generations.len() < 2 {
            continue;
        }
        let steps = tempfile::tempdir().unwrap();
        copy_folder(base.path(), steps.path()).unwrap();
        for generation in &report.generations[..report.generations.len() - 1] {
            let options = Options { undo: false, stop: Some(Stop::Generation(*generation)), ..Options::default() };
            let made = run::replay(&setup(steps.path(), options), &ambient(), &mut ());
            // The engine says the same where the checkpoint has passed the stop already.
            let done = made.as_ref().is_ok_and(|report| report.ending == Ending::Stopped)
                || made.as_ref().is_err_and(|failure| failure.error.jet == JetCode::RECOVERED_WITHOUT_UNDO);
            assert!(done, "{} to {generation}: {}", set.name, told(&made));
        }
        let last = run::replay(&setup(steps.path(), Options::default()), &ambient(), &mut ());
        assert!(last.is_ok(), "{}: {}", set.name, told(&last));
        let (once, steps) = (databases(once.path()), databases(steps.path()));
        assert_eq!(once.keys().collect::<Vec<_>>(), steps.keys().collect::<Vec<_>>(), "{}", set.name);
        for (path, bytes) in &once {
            assert_eq!(page_differences(&steps[path], bytes), [], "{} {}", set.name, path.display());
            let (a, b) = (header_of(&steps[path]), header_of(bytes));
            assert_eq!(header_differences(&a, &b), Vec::<String>::new(), "{} {}", set.name, path.display());
        }
        sets += 1;
    }
    println!("{sets} sets");
    assert!(sets > 0);
}

// trap ops-3 O18
#[test]
fn a_time_means_the_last_position_written_by_then_and_says_how_exact_that_is() {
    let Some(set) = engine_set("lost-4k-waypoint") else { return };
    let work = crash_of(&set).unwrap();
    let stream = setup(work.path(), Options::default()).logs;
    let all = logs(work.path());
    let (generation, (_, bytes)) = all.iter().nth(3).unwrap();
    let started = |segment: usize| SegmentHeader::read(&bytes[segment * 4096..]).unwrap().started;
    let order = |time: LogTime| time.order();
    for segment in 1..10_usize {
        let asked = started(segment);
        let moment = position_at_time(&stream, asked).unwrap();
        let Stop::Position(position) = moment.stop else { panic!("{moment:?}") };
        assert!(order(moment.written) <= order(asked));
        assert!(moment.next.is_some_and(|next| order(next) > order(asked)));
        // The last segment that began by then, or the record that runs into it.
        let last = (1..15_usize).rev().find(|&other| order(started(other)) <= order(asked)).unwrap();
        let first = LogPosition { generation: *generation, sector: u16::try_from(last).unwrap(), byte: 0 };
        assert!(position <= first, "{position} against {first}");
        let between = positions(bytes).into_iter().filter(|&other| other > position && other <= first).count();
        assert_eq!(between, 0, "{position} against {first}");
    }
    let first_log = all.values().next().unwrap();
    let made = LogFile::open(&first_log.1).unwrap().header().created;
    let [second, minute, hour, day, month, year, ..] = made.0;
    let year = 1900 + u16::from(year);
    let before = position_at_time(&stream, LogTime::utc(year - 1, month, day, hour, minute, second, 0));
    assert_eq!(before.unwrap_err().jet, JetCode::INVALID_PARAMETER);
    let after = position_at_time(&stream, LogTime::utc(year + 1, month, day, hour, minute, second, 0)).unwrap();
    assert_eq!((after.stop, after.next), (Stop::Generation(*all.keys().last().unwrap()), None));
}
