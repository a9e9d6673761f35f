//! Recovery of the files themselves on a disk whose machine stops at any call, and whose calls fail (`log-6 §7` to `§9`).

mod common;

use anchorlog_database::Database;
use anchorlog_database::canonical::{Tables, dump};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::Operation;
use anchorlog_replay::run::{self, Ending, Options};
use anchorlog_testkit::crash::{CrashDisk, Files, Seeded};
use anchorlog_testkit::data::{EngineSet, engine_set, engine_sets};
use common::compare::{behind_the_name, header_differences, header_of, page_differences};
use common::{ambient, setup_over, told};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One set for each kind of change, the smallest that has it.
const KINDS: [(&str, &str); 8] = [
    ("split", "micro-insert"),
    ("merge", "micro-merge"),
    ("undo with logged before images", "micro-crash-in-undo"),
    ("a new generation at the end", "micro-forcenewlog"),
    ("extension and shrinkage", "micro-growdb"),
    ("several databases", "micro-multi-db"),
    ("a database made by the log", "micro-createdb"),
    ("circular logging", "micro-circular"),
];

fn options() -> Options {
    Options { in_place: true, ..Options::default() }
}

fn recover(disk: &CrashDisk, options: &Options) -> Result<run::Report, String> {
    let setup = setup_over(disk.folder(), None, options.clone());
    let made = run::replay(&setup, &ambient(), &mut ());
    let told = told(&made);
    made.map_err(|_| told)
}

fn crash_state(set: &EngineSet) -> Option<Files> {
    let root = set.folder().join("before");
    root.join("log").is_dir().then(|| {
        let files = common::files::contents(&root);
        files.into_iter().map(|(path, bytes)| (path, Arc::new(bytes))).collect()
    })
}

fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "edb")
}

fn dumped(bytes: &Arc<Vec<u8>>) -> String {
    let disk = CrashDisk::new(Files::from([("x".into(), bytes.clone())]));
    let file = disk.folder().open(Path::new("x")).unwrap();
    let database = Database::open("x", file, 0).unwrap();
    let mut out = Vec::new();
    let summary = dump(&database, "x", Tables::Users, &mut out).unwrap();
    assert_eq!(summary.errors, []);
    behind_the_name(&String::from_utf8(out).unwrap())
}

/// Undo records of all logs: session, version, page and page time, sorted.
fn undone(files: &Files) -> Vec<(u16, u32, u32, u64)> {
    let mut records = Vec::new();
    for (path, bytes) in files {
        let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
        if !path.starts_with("log") || !name.ends_with(".log") || name.contains("tmp") || name.starts_with("res") {
            continue;
        }
        let log = LogFile::open(bytes).unwrap();
        assert_eq!(log.end().corruption, None, "{name}");
        for record in log.records().map(Result::unwrap) {
            if let Ok(Operation::Undo(undo)) = record.operation() {
                let head = undo.head;
                records.push((head.head.session.0, head.version.0, head.head.page.0, head.head.dbtime.0));
            }
        }
    }
    records.sort_unstable();
    records
}

/// What an uninterrupted recovery makes of a crash state, and what was found equal to it already.
struct Expected {
    files: Files,
    ending: Ending,
    dumps: BTreeMap<PathBuf, String>,
    undone: Vec<(u16, u32, u32, u64)>,
    equal: HashSet<u64>,
}

impl Expected {
    fn of(start: &Files, options: &Options) -> Result<(Self, CrashDisk), String> {
        let disk = CrashDisk::new(start.clone());
        let report = recover(&disk, options)?;
        let files = disk.files();
        let databases = files.iter().filter(|(path, _)| is_database(path));
        let dumps = databases.map(|(path, bytes)| (path.clone(), dumped(bytes))).collect();
        let undone = undone(&files);
        Ok((Self { files, ending: report.ending, dumps, undone, equal: HashSet::new() }, disk))
    }

    /// How a result differs.
    fn problems(&mut self, files: &Files) -> Vec<String> {
        let mut problems = Vec::new();
        let names = |files: &Files| files.keys().filter(|path| is_database(path)).cloned().collect::<Vec<_>>();
        if names(files) != names(&self.files) {
            problems.push(format!("databases {:?}", names(files)));
        }
        for path in files.keys().filter(|path| path.to_string_lossy().contains(".anchorlog")) {
            problems.push(format!("{} is left", path.display()));
        }
        for (path, ours) in files.iter().filter(|(path, _)| is_database(path)) {
            let Some(theirs) = self.files.get(path) else { continue };
            for found in header_differences(&header_of(ours), &header_of(theirs)) {
                problems.push(format!("{} header: {found}", path.display()));
            }
            let pages = &ours[2 * header_of(ours).page_size().bytes()..];
            let mut hasher = DefaultHasher::new();
            (path, pages).hash(&mut hasher);
            if self.equal.contains(&hasher.finish()) {
                continue;
            }
            let before = problems.len();
            if ours.len() != theirs.len() {
                problems.push(format!("{}: {} bytes against {}", path.display(), ours.len(), theirs.len()));
            }
            for (page, found) in page_differences(ours, theirs) {
                problems.push(format!("{} page {page}: {found}", path.display()));
            }
            if self.dumps.get(path) != Some(&dumped(ours)) {
                problems.push(format!("{}: other rows", path.display()));
            }
            if problems.len() == before {
                self.equal.insert(hasher.finish());
            }
        }
        let undone = undone(files);
        if undone != self.undone {
            problems.push(format!("{} undo records against {}", undone.len(), self.undone.len()));
        }
        problems
    }

    /// Recovers what a crash left and compares; a third run has nothing to do.
    fn judge(&mut self, left: Files, options: &Options) -> Vec<String> {
        let disk = CrashDisk::new(left);
        let problems = match recover(&disk, options) {
            Ok(_) => self.problems(&disk.files()),
            Err(told) => return vec![told],
        };
        if problems.is_empty() && self.ending == Ending::Recovered {
            let setup = setup_over(disk.folder(), None, options.clone());
            let planned = run::plan(&setup, &ambient(), &mut ());
            if !planned.as_ref().is_ok_and(|report| report.ending == Ending::NothingToDo) {
                return vec![format!("a third run would do more: {}", told(&planned))];
            }
        }
        problems
    }
}

/// What was tried.
#[derive(Default)]
struct Tried {
    operations: usize,
    crashes: usize,
    problems: Vec<String>,
}

/// Stops the machine behind every operation, with each seed; states that were seen before are not tried again.
fn crash_everywhere(name: &str, start: &Files, options: &Options, seeds: &[u64], until: Option<Instant>) -> Tried {
    let mut tried = Tried::default();
    let (mut expected, disk) = match Expected::of(start, options) {
        Ok(made) => made,
        Err(_) => return tried,
    };
    tried.operations = disk.operations();
    let mut seen = HashSet::new();
    let mut crashes = disk.crashes();
    loop {
        for &seed in seeds {
            let (left, print) = crashes.files(seed);
            if !seen.insert(print) {
                continue;
            }
            tried.crashes += 1;
            for problem in expected.judge(left, options).into_iter().take(3) {
                tried.problems.push(format!("{name}, a crash behind operation {} with seed {seed}: {problem}", crashes.at()));
            }
        }
        if !crashes.advance() || tried.problems.len() > 20 || until.is_some_and(|until| Instant::now() > until) {
            return tried;
        }
    }
}

#[test]
#[ignore = "figures for choosing sets"]
fn figures() {
    for set in engine_sets() {
        let Some(start) = crash_state(&set) else { continue };
        let began = Instant::now();
        let Ok((expected, disk)) = Expected::of(&start, &options()) else { continue };
        let bytes: usize = start.values().map(|bytes| bytes.len()).sum();
        let took = began.elapsed();
        println!(
            "{}: {} bytes, {} operations, {} calls, {} undone, {:?}, {took:?}",
            set.name,
            bytes,
            disk.operations(),
            disk.calls(),
            expected.undone.len(),
            expected.ending
        );
    }
}

#[test]
fn every_kind() {
    for (kind, name) in KINDS {
        let start = crash_state(&engine_set(name).unwrap()).unwrap();
        let began = Instant::now();
        let tried = crash_everywhere(name, &start, &options(), &[0, 1, 2, 3], None);
        println!("{kind}: {} operations, {} crashes, {:?}", tried.operations, tried.crashes, began.elapsed());
        for problem in tried.problems.iter().take(5) {
            println!("    {problem}");
        }
    }
}

#[test]
#[ignore = "debug"]
fn one() {
    let name = std::env::var("SET").unwrap();
    let at: usize = std::env::var("AT").unwrap().parse().unwrap();
    let seed: u64 = std::env::var("SEED").unwrap().parse().unwrap();
    let start = crash_state(&engine_set(&name).unwrap()).unwrap();
    let (_, disk) = Expected::of(&start, &options()).unwrap_or_else(|error| panic!("{error}"));
    for (number, operation) in disk.told().iter().enumerate() {
        println!("{number}: {operation}");
    }
    let left = disk.crashed(at, seed);
    for (path, bytes) in &left {
        println!("{} {}", path.display(), bytes.len());
        if is_database(path) {
            let h = header_of(bytes).header;
            println!("   {} attach {} consistent {} required {}-{} committed {}", h.state, h.attach_position, h.consistent_position, h.min_required, h.max_required, h.max_committed);
        }
    }
    let disk = CrashDisk::new(left);
    println!("{:?}", recover(&disk, &options()).map(|report| report.ending));
}
