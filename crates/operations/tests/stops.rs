//! Stops before the end of the logs: cut, recovered, proved; refused where a database is newer already.

use anchorlog_database::canonical::{self, Tables};
use anchorlog_database::database::Database;
use anchorlog_format::database::{DatabaseState, HeaderPage};
use anchorlog_format::units::{Generation, LogPosition, LogTime};
use anchorlog_operations::recover::{Inputs, MakeError, Options, Place, Plan, Report, Sources, Verdict, make, plan};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::stop::Stop;
use anchorlog_storage::{DiskFolder, Folder};
use anchorlog_testkit::data;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn ambient() -> Ambient {
    Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7)
}

fn at(stop: Stop) -> Options {
    Options { stop: Some(stop), ..Options::default() }
}

fn planned(folder: &Path, options: &Options) -> (Sources, Plan) {
    let sources = Sources::gather(&Inputs { folder: folder.to_owned(), ..Inputs::default() }).unwrap();
    let plan = plan(&sources, options).unwrap();
    (sources, plan)
}

fn plan_of(sources: &Sources) -> Plan {
    plan(sources, &Options::default()).unwrap()
}

fn recover(folder: &Path, options: &Options, out: &Path) -> Report {
    let (sources, plan) = planned(folder, options);
    assert!(plan.possible, "{:?} {:?}", plan.faults, plan.preconditions);
    make(&plan, &sources, &Place::Out(out.to_owned()), &ambient(), &mut ()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn dump(file: &Path) -> String {
    let folder = DiskFolder::read_only(file.parent().unwrap());
    let name = file.file_name().unwrap();
    let database = Database::open("database", folder.open(Path::new(name)).unwrap(), 1 << 20).unwrap();
    let mut out = Vec::new();
    canonical::dump(&database, &name.to_string_lossy(), Tables::Users, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn header(file: &Path) -> HeaderPage {
    let mut bytes = fs::read(file).unwrap();
    bytes.truncate(HeaderPage::ELECTION_BYTES);
    HeaderPage::elect(&bytes).unwrap().0
}

/// A stream from generation 1 without a database: it can be stopped anywhere.
fn from_nothing() -> tempfile::TempDir {
    let work = tempfile::tempdir().unwrap();
    let set = data::engine_set("rollforward-logsonly").expect("the set is in every checkout").folder();
    data::copy_folder(&set.join("before"), work.path()).unwrap();
    work
}

/// Positions of every so many records of a stream.
fn positions(folder: &Path, every: usize) -> Vec<LogPosition> {
    let mut logs: Vec<PathBuf> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    logs.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        path.extension().is_some_and(|extension| extension == "log") && !name.contains("tmp")
    });
    let mut positions = Vec::new();
    for path in logs {
        let bytes = fs::read(path).unwrap();
        let Ok(log) = anchorlog_format::log::file::LogFile::open(&bytes) else { continue };
        positions.extend(log.records().map_while(Result::ok).map(|record| record.writer_position));
    }
    positions.sort();
    positions.into_iter().step_by(every).collect()
}

// trap ops-3 O17
#[test]
fn every_stop_gives_a_clean_and_sound_database() {
    let work = from_nothing();
    let all = positions(&work.path().join("log"), 1);
    let mut made = 0;
    for position in all.iter().step_by(all.len() / 12 + 1).skip(1) {
        let out = tempfile::tempdir().unwrap();
        let target = out.path().join("new");
        let (sources, plan) = planned(work.path(), &at(Stop::Position(*position)));
        if plan.databases.is_empty() {
            continue;
        }
        assert!(plan.possible, "{position}: {:?} {:?}", plan.faults, plan.preconditions);
        let report = make(&plan, &sources, &Place::Out(target.clone()), &ambient(), &mut ());
        let report = report.unwrap_or_else(|error| panic!("{position}: {error:?}"));
        for database in &report.databases {
            assert_eq!(database.verdict, Verdict::Recovered, "{position}: {}", database.reason);
            let page = header(&target.join(&database.path));
            assert_eq!(page.header.state, DatabaseState::CleanShutdown);
            assert!(page.header.consistent_position.generation >= position.generation);
            made += 1;
        }
        // What comes after the stop is not in the result: its logs go on from there.
        let again = Sources::gather(&Inputs { folder: target, ..Inputs::default() }).unwrap();
        let again = plan_of(&again);
        assert!(again.possible, "{position}: {:?} {:?}", again.faults, again.preconditions);
    }
    assert!(made > 3, "{made} databases");
}

#[test]
fn a_stop_at_the_end_of_the_logs_gives_what_no_stop_gives() {
    let work = from_nothing();
    let out = tempfile::tempdir().unwrap();
    let last = *positions(&work.path().join("log"), 1).last().unwrap();
    let whole = recover(work.path(), &Options::default(), &out.path().join("whole"));
    recover(work.path(), &at(Stop::Position(last)), &out.path().join("stopped"));
    for database in &whole.databases {
        let [a, b] = ["whole", "stopped"].map(|name| dump(&out.path().join(name).join(&database.path)));
        assert_eq!(a, b);
    }
}

#[test]
fn later_logs_do_not_go_into_the_result() {
    let work = from_nothing();
    for without_undo in [false, true] {
        let out = tempfile::tempdir().unwrap();
        let options = Options { without_undo, ..at(Stop::Generation(Generation(3))) };
        let report = recover(work.path(), &options, &out.path().join("new"));
        let logs: Vec<&String> = report.outputs.keys().filter(|name| name.ends_with(".log")).collect();
        assert!(!logs.is_empty());
        for name in logs.iter().filter(|name| !name.contains("tmp")) {
            let bytes = fs::read(out.path().join("new").join(name)).unwrap();
            let log = anchorlog_format::log::file::LogFile::open(&bytes).unwrap();
            // Undo may have to begin the generation behind the stop: it is our own then.
            let own = log.header().created.order()[0] == 130;
            assert!(own || log.header().generation <= Generation(3), "{name}: {}", log.header().generation);
        }
        let verdict = if without_undo { Verdict::StaysDirty } else { Verdict::Recovered };
        assert!(report.databases.iter().all(|database| database.verdict == verdict), "{:?}", report.databases);
    }
}

#[test]
fn a_stop_before_what_a_database_holds_already_is_refused_with_the_earliest_possible_one() {
    let set = data::engine_set("lost-4k-1db").expect("the set is in every checkout").folder().join("base");
    // Its pages are older than its header would let them be: a stop that the header alone would forbid is possible.
    let work = tempfile::tempdir().unwrap();
    let (_, plan) = planned(&set, &at(Stop::Generation(Generation(3))));
    assert!(plan.notes.iter().any(|note| note.contains("may hold changes from behind the stop")), "{:?}", plan.notes);
    recover(&set, &at(Stop::Generation(Generation(3))), &work.path().join("third"));
    // Once it was recovered to the end it is newer for good.
    let newest = work.path().join("newest");
    let report = recover(&set, &Options::default(), &newest);
    let page = header(&newest.join(&report.databases[0].path));
    for stop in [Stop::Generation(Generation(3)), Stop::Position(positions(&set.join("log"), 50)[9])] {
        let (sources, plan) = planned(&newest, &at(stop));
        assert!(!plan.possible, "{stop:?} {:?} {:?} {:?}", plan.databases, plan.generations, plan.notes);
        let condition = plan.preconditions.iter().find(|condition| condition.id == "stop").expect("the condition is there");
        let earliest = page.header.consistent_position.to_string();
        assert!(!condition.holds && condition.found.contains(&earliest), "{}", condition.found);
        let refused = make(&plan, &sources, &Place::Out(work.path().join("new")), &ambient(), &mut ()).unwrap_err();
        assert!(matches!(refused, MakeError::Refused { .. }), "{refused:?}");
        assert!(!work.path().join("new").exists());
    }
}

#[test]
fn a_time_becomes_a_place_and_its_resolution_is_said() {
    let work = from_nothing();
    let first = positions(&work.path().join("log"), 1)[0];
    let time_of = |index: u16| {
        let bytes = fs::read(work.path().join("log").join(format!("edb{:05X}.log", first.generation.0 + 1))).unwrap();
        let log = anchorlog_format::log::file::LogFile::open(&bytes).unwrap();
        let segment = anchorlog_format::log::segment::at(log.bytes(), index).unwrap();
        anchorlog_format::log::segment::SegmentHeader::read(segment).unwrap().started
    };
    let in_the_middle = Options { stop_time: Some(time_of(5)), ..Options::default() };
    let (_, plan) = planned(work.path(), &in_the_middle);
    assert!(plan.possible && plan.notes.iter().any(|note| note.contains("lies between")), "{:?}", plan.notes);
    assert!(plan.end.is_some_and(|end| end.generation <= Generation(first.generation.0 + 1)), "{:?}", plan.end);
    let long_ago = Options { stop_time: Some(LogTime::utc(1999, 1, 1, 0, 0, 0, 0)), ..Options::default() };
    assert!(!planned(work.path(), &long_ago).1.possible);
    let later = Options { stop_time: Some(LogTime::utc(2099, 1, 1, 0, 0, 0, 0)), ..Options::default() };
    let (_, plan) = planned(work.path(), &later);
    assert!(plan.possible && plan.notes.iter().any(|note| note.contains("all of them are replayed")));
}

#[test]
fn real_logs_stopped_where_a_state_was_saved_give_that_state() {
    for set in data::real_sets().into_iter().filter(|set| set.name != "oracle") {
        let beside = set.archive.parent().unwrap();
        let oracle: Value = serde_json::from_str(&fs::read_to_string(beside.join("oracle.json")).unwrap()).unwrap();
        for case in oracle["cases"].as_array().unwrap() {
            let Some(stop) = case["parameters"]["stop_position"].as_str() else { continue };
            if case["parameters"]["JetInit_grbit"] != "0" {
                continue;
            }
            let work = tempfile::tempdir().unwrap();
            fs::create_dir_all(work.path().join("log")).unwrap();
            for input in case["inputs"].as_array().unwrap() {
                let from = set.folder().join(input["log"].as_str().unwrap());
                fs::copy(from, work.path().join("log").join(input["as"].as_str().unwrap())).unwrap();
            }
            let mut parts = stop.split(':').map(|part| u32::from_str_radix(part.trim_start_matches("0x"), 16).unwrap());
            let mut next = || parts.next().unwrap();
            let position = LogPosition::new(next(), u16::try_from(next()).unwrap(), u16::try_from(next()).unwrap());
            let out = work.path().join("new");
            let report = recover(&work.path().join("log"), &at(Stop::Position(position)), &out);
            let recovered = out.join(&report.databases[0].path);
            let state = set.folder().join(case["pages"]["against"].as_str().unwrap());
            let (ours, theirs) = (dump(&recovered), dump(&state));
            assert!(ours.lines().count() > 10, "{}", case["case"]);
            assert_eq!(ours, theirs, "{}", case["case"]);
        }
    }
}
