//! Parallel redo gives what serial redo gives, byte for byte, however threads are delayed (`log-6 §9`).

mod common;

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::units::LogPosition;
use anchorlog_replay::run::{self, Hook, Options};
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::{EngineSet, engine_sets, real_sets};
use anchorlog_testkit::random::Random;
use common::files::contents;
use common::{ambient, setup};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything that a run leaves behind: what it says, and every byte of every file.
type Outcome = (String, BTreeMap<PathBuf, Vec<u8>>);

/// Delays a thread by an amount that only the seed and the number of the work decide: mostly not at all, sometimes for long.
fn delays(seed: u64) -> Hook {
    Hook(Arc::new(move |at| match Random::new(seed ^ at as u64).below(256) {
        0 => std::thread::sleep(Duration::from_micros(300)),
        1..=20 => std::thread::yield_now(),
        _ => {}
    }))
}

/// Files that a run can begin from: the folder of the logs, and that of the databases.
struct State {
    logs: PathBuf,
    databases: PathBuf,
}

impl State {
    /// Those of a set: of an engine-made one its states before recovery, of a real one every folder with logs.
    fn all_of(set: &EngineSet) -> Vec<Self> {
        let folder = set.folder();
        let made = ["before", "base"].map(|name| folder.join(name)).into_iter().filter(|path| path.join("log").is_dir());
        let made: Vec<Self> = made.map(|path| Self { logs: path.join("log"), databases: path.join("db") }).collect();
        if !made.is_empty() {
            return made;
        }
        let mut folders: Vec<PathBuf> = contents(&folder).into_keys().filter(|path| is_log(path)).collect();
        folders.iter_mut().for_each(|path| _ = path.pop());
        folders.dedup();
        folders.into_iter().map(|logs| Self { logs: folder.join(logs), databases: folder.clone() }).collect()
    }
    fn put(&self, root: &Path) {
        let put = |part: &str, path: &Path, bytes: &[u8]| {
            let target = root.join(part).join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, bytes).unwrap();
        };
        fs::create_dir_all(root.join("db")).unwrap();
        for entry in fs::read_dir(&self.logs).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            if self.logs.ends_with("log") || is_log(&entry.path()) || entry.path().extension().is_some_and(|kind| kind == "chk") {
                put("log", Path::new(&entry.file_name()), &fs::read(entry.path()).unwrap());
            }
        }
        for (path, bytes) in contents(&self.databases) {
            let start = &bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)];
            if path.extension().is_some_and(|kind| kind == "jfm") || HeaderPage::elect(start).is_ok() {
                put("db", &path, &bytes);
            }
        }
    }
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
    (name.ends_with(".log") || name.ends_with(".jtx")) && !name.contains("tmp") && !name.starts_with("res")
}

fn run(state: &State, options: &Options, threads: usize) -> Outcome {
    let work = tempfile::tempdir().unwrap();
    state.put(work.path());
    let hook = (threads > 1).then(|| delays(threads as u64));
    let mut setup = setup(work.path(), Options { threads, hook, ..options.clone() });
    setup.options.keep_damage = true;
    let told = match run::replay(&setup, &ambient(), &mut ()) {
        Ok(report) => format!("{report:?}"),
        Err(failure) => format!("{:?} {:?}", failure.error, failure.report),
    };
    (told, contents(work.path()))
}

/// Options that differ in what matters here: pages that leave the cache, pages that are held back, stops.
fn variant(at: usize) -> Options {
    let usual = Options::default();
    match at % 4 {
        0 => Options { accept_loss: true, set_bad_logs_aside: true, ..usual },
        1 | 2 => Options { cache_bytes: 0, version_bytes: 0, ..usual },
        _ => Options { undo: false, cache_bytes: 0, ..usual },
    }
}

fn compare(part: usize) {
    let sets: Vec<EngineSet> = engine_sets().into_iter().chain(real_sets()).collect();
    let mut runs = 0;
    for (at, set) in sets.iter().enumerate().filter(|(at, _)| at % 4 == part) {
        for state in State::all_of(set) {
            let counts = [2, 3, 4, 8];
            // With the usual options all numbers of threads, with others one of them for each set.
            for (options, counts) in [(Options::default(), &counts[..]), (variant(at / 4), &counts[at / 16 % 4..][..1])] {
                let serial = run(&state, &options, 1);
                for &threads in counts {
                    let parallel = run(&state, &options, threads);
                    assert_eq!(serial.0, parallel.0, "{} with {threads} threads", set.name);
                    let differ = serial.1.iter().find(|(path, bytes)| parallel.1.get(*path) != Some(bytes));
                    let name = differ.map(|(path, _)| path.display());
                    assert!(
                        differ.is_none() && serial.1.len() == parallel.1.len(),
                        "{} with {threads} threads: {name:?}",
                        set.name
                    );
                    runs += 1;
                }
            }
        }
    }
    println!("{runs} runs");
    assert!(runs > 0);
}

#[test]
fn every_set_comes_out_the_same_with_any_number_of_threads_first_quarter() {
    compare(0);
}
#[test]
fn every_set_comes_out_the_same_with_any_number_of_threads_second_quarter() {
    compare(1);
}
#[test]
fn every_set_comes_out_the_same_with_any_number_of_threads_third_quarter() {
    compare(2);
}
#[test]
fn every_set_comes_out_the_same_with_any_number_of_threads_fourth_quarter() {
    compare(3);
}

#[test]
fn x11_a_stop_in_the_middle_of_parallel_work_lets_exactly_the_records_in_front_of_it_through() {
    let sets = engine_sets();
    let stops = [(1, 4), (1, 2), (2, 3), (9, 10)];
    let mut stopped = 0;
    for set in sets.iter().filter(|set| set.name.starts_with("micro-merge") || set.name.starts_with("micro-split")) {
        let Some(state) = State::all_of(set).pop() else { continue };
        let logs = common::files::logs(&set.folder().join("before"));
        let positions: Vec<LogPosition> = logs.values().flat_map(|(_, bytes)| common::files::positions(bytes)).collect();
        for (part, of) in stops {
            let stop = positions[positions.len() * part / of];
            let options = Options { stop: Some(Stop::from_position(stop)), undo_at_stop: true, ..Options::default() };
            let serial = run(&state, &options, 1);
            assert!(serial == run(&state, &options, 4), "{} at {stop}", set.name);
            stopped += usize::from(serial.0.starts_with("Report"));
        }
    }
    println!("{stopped} stops");
    assert!(stopped > 0);
}
