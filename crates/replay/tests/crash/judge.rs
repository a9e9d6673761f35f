//! What an uninterrupted recovery makes of a crash state, and whether a recovery that was interrupted made the same.

use super::common::compare::behind_the_name;
use super::common::{ambient, files, setup_over, told};
use anchorlog_database::Database;
use anchorlog_database::canonical::{Tables, dump};
use anchorlog_format::database::flush_map::{FlushMapHeader, FlushType, MAP_PAGE, entry_of, flush_type};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::Operation;
use anchorlog_format::page::Page;
use anchorlog_format::units::PageNumber;
use anchorlog_replay::run::{self, Ending, Options, Report};
use anchorlog_testkit::crash::{CrashDisk, Files};
use anchorlog_testkit::data::{EngineSet, engine_set};
use anchorlog_testkit::differ::{header_differences, header_of, page_differences, pages};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn options() -> Options {
    Options { in_place: true, ..Options::default() }
}

/// As little memory as replay can do with: nearly every page and before image has to wait in a file.
pub fn little_memory() -> Options {
    Options { cache_bytes: 0, version_bytes: 0, ..options() }
}

pub fn without_undo() -> Options {
    Options { undo: false, ..options() }
}

/// Recovers, or says in words why not, the JET code first.
pub fn recover(disk: &CrashDisk, options: &Options) -> Result<Report, String> {
    let setup = setup_over(disk.folder(), None, options.clone());
    let made = run::replay(&setup, &ambient(), &mut ());
    let told = told(&made);
    made.map_err(|_| told)
}

/// The state of a set from which the engine recovered.
pub fn crash_state(set: &EngineSet) -> Option<Files> {
    let root = set.folder().join("before");
    let share = |files: BTreeMap<PathBuf, Vec<u8>>| files.into_iter().map(|(path, bytes)| (path, Arc::new(bytes))).collect();
    root.join("log").is_dir().then(|| share(files::contents(&root)))
}

pub fn state_of(name: &str) -> Files {
    crash_state(&engine_set(name).expect("the set is in every checkout")).expect("the set has a crash state")
}

pub fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "edb")
}

fn dumped(bytes: &Arc<Vec<u8>>) -> String {
    let disk = CrashDisk::new(Files::from([("x".into(), bytes.clone())]));
    let file = disk.folder().open(Path::new("x")).unwrap();
    let database = Database::open("x", file, 0).unwrap();
    let mut out = Vec::new();
    // Of a database that stays dirty, counters may be off.
    dump(&database, "x", Tables::Users, &mut out).unwrap();
    behind_the_name(&String::from_utf8(out).unwrap())
}

/// Session, version, page and page time of an undo.
type Undone = (u16, u32, u32, u64);

/// What recoveries wrote to the logs.
#[derive(Default, PartialEq, Eq)]
struct Written {
    /// Sorted.
    undone: Vec<Undone>,
    /// How often undo began.
    begun: usize,
}

/// What recoveries wrote to all logs, none of which may be damaged.
fn written(files: &Files) -> Result<Written, String> {
    let mut written = Written::default();
    for (path, bytes) in files {
        let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
        if !path.starts_with("log") || !name.ends_with(".log") || name.contains("tmp") || name.starts_with("res") {
            continue;
        }
        // Damaged on purpose, below the checkpoint.
        if bytes.iter().all(|byte| *byte == 0xEE) {
            continue;
        }
        let log = LogFile::open(bytes).map_err(|error| format!("{name}: {error}"))?;
        if let Some(corruption) = log.end().corruption {
            return Err(format!("{name}: {corruption:?}"));
        }
        for record in log.records().map(Result::unwrap) {
            match record.operation() {
                Ok(Operation::Undo(undo)) => {
                    let head = undo.head;
                    written.undone.push((head.head.session.0, head.version.0, head.head.page.0, head.head.dbtime.0));
                }
                Ok(Operation::RecoveryUndo(_)) => written.begun += 1,
                _ => {}
            }
        }
    }
    written.undone.sort_unstable();
    Ok(written)
}

/// A flush map that is trusted and says of a page what is not so makes the engine take the page for a lost write (-1119).
fn map_differs(path: &Path, database: &[u8], map: Option<&Arc<Vec<u8>>>) -> Vec<String> {
    let header = header_of(database).header;
    let Some(map) = map.filter(|_| !header.map_flush.is_none()) else { return Vec::new() };
    let trusted = FlushMapHeader::from_page(map).is_ok_and(|map| map.accept_for(&header).is_ok());
    if !trusted {
        return vec![format!("{}: its flush map is of no use", path.display())];
    }
    let differs = |(number, image): &(PageNumber, &[u8])| {
        let (map_page, entry) = entry_of(*number);
        let said =
            map.chunks_exact(MAP_PAGE).nth(map_page as usize + 1).map_or(FlushType::Unknown, |page| flush_type(page, entry));
        said != FlushType::Unknown && said.bits() != Page::new(image).unwrap().flags().flush_type()
    };
    let wrong = pages(database).filter(differs);
    wrong.take(1).map(|(number, _)| format!("{} page {number}: the flush map says otherwise", path.display())).collect()
}

/// The result of an uninterrupted recovery.
pub struct Expected {
    pub files: Files,
    ending: Ending,
    dumps: BTreeMap<PathBuf, String>,
    written: Written,
    /// Databases that were found equal to it already.
    equal: HashSet<u64>,
}

impl Expected {
    /// Recovers, and returns the disk on which that was done as well.
    pub fn of(start: &Files, options: &Options) -> Result<(Self, CrashDisk), String> {
        let disk = CrashDisk::new(start.clone());
        let report = recover(&disk, options)?;
        let files = disk.files();
        let databases = files.iter().filter(|(path, _)| is_database(path));
        let dumps = databases.map(|(path, bytes)| (path.clone(), dumped(bytes))).collect();
        let written = written(&files)?;
        Ok((Self { files, ending: report.ending, dumps, written, equal: HashSet::new() }, disk))
    }

    /// How a result differs: databases page by page (`log-4 §20.1`), row by row, their headers, the undo records; and what is left over.
    pub fn problems(&mut self, files: &Files) -> Vec<String> {
        let mut problems = Vec::new();
        let names = |files: &Files| files.keys().filter(|path| is_database(path)).cloned().collect::<Vec<_>>();
        if names(files) != names(&self.files) {
            problems.push(format!("databases {:?}", names(files)));
        }
        for path in files.keys().filter(|path| path.to_string_lossy().contains(".anchorlog")) {
            problems.push(format!("{} is left", path.display()));
        }
        let written = match written(files) {
            Ok(written) => written,
            Err(error) => return vec![error],
        };
        if written.undone != self.written.undone {
            problems.push(format!("{} undo records against {}", written.undone.len(), self.written.undone.len()));
        }
        // Behind a generation that was full, undo goes on with a second mark of its beginning: the end of the log lies further (`log-6 §8.6`).
        let further = written.begun > self.written.begun;
        let of_the_end = ["consistent_position", "detach_position", "resize_position"];
        let databases = files.iter().filter(|(path, _)| is_database(path));
        for (path, ours) in databases {
            let Some(theirs) = self.files.get(path).cloned() else { continue };
            let differs = header_differences(&header_of(ours), &header_of(&theirs)).into_iter();
            for found in differs.filter(|found| !further || !of_the_end.iter().any(|name| found.starts_with(name))) {
                problems.push(format!("{} header: {found}", path.display()));
            }
            problems.extend(self.differs(path, ours, &theirs));
            problems.extend(map_differs(path, ours, files.get(&path.with_extension("jfm"))));
        }
        problems
    }

    fn differs(&mut self, path: &Path, ours: &Arc<Vec<u8>>, theirs: &[u8]) -> Vec<String> {
        let mut problems = Vec::new();
        let mut hasher = DefaultHasher::new();
        (path, ours.get(2 * header_of(ours).page_size().bytes()..)).hash(&mut hasher);
        if self.equal.contains(&hasher.finish()) {
            return problems;
        }
        if ours.len() != theirs.len() {
            problems.push(format!("{}: {} bytes against {}", path.display(), ours.len(), theirs.len()));
        }
        for (page, found) in page_differences(ours, theirs) {
            problems.push(format!("{} page {page}: {found}", path.display()));
        }
        if self.dumps.get(path) != Some(&dumped(ours)) {
            problems.push(format!("{}: other rows", path.display()));
        }
        if problems.is_empty() {
            self.equal.insert(hasher.finish());
        }
        problems
    }

    /// Recovers what a crash left and compares; a third run has nothing to do.
    pub fn judge(&mut self, left: Files, options: &Options) -> Vec<String> {
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
