//! What the tests of recovery share.

use anchorlog_database::Database;
use anchorlog_database::canonical::{Tables, dump};
use anchorlog_database::check;
use anchorlog_format::database::HeaderPage;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::units::{Generation, LogTime};
use anchorlog_operations::recover::{Inputs, MakeError, Options, Place, Plan, Progress, Report, Sources, make, plan};
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::dump_text::first_difference;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub fn ambient() -> Ambient {
    Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7)
}

pub fn gather(folder: &Path) -> Sources {
    let inputs = Inputs { folder: folder.to_owned(), ..Inputs::default() };
    Sources::gather(&inputs).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

pub fn plan_of(folder: &Path, options: &Options) -> Plan {
    plan(&gather(folder), options).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// What a recovery came to: its plan, and what was made of it.
pub struct Recovery {
    pub plan: Plan,
    pub made: Result<Report, MakeError>,
}

pub fn recover(folder: &Path, out: &Path, options: &Options) -> Recovery {
    recover_with(&gather(folder), &Place::Out(out.to_owned()), options, &mut ())
}

pub fn recover_with(sources: &Sources, place: &Place, options: &Options, progress: &mut dyn Progress) -> Recovery {
    let plan = plan(sources, options).unwrap_or_else(|error| panic!("{}: {error}", place.path().display()));
    let made = make(&plan, sources, place, &ambient(), progress);
    Recovery { plan, made }
}

impl Recovery {
    /// The report, where it was made.
    pub fn report(&self) -> &Report {
        self.made.as_ref().unwrap_or_else(|error| panic!("{error}: {:#?}", self.plan.faults))
    }
    /// The code of the refusal or failure.
    pub fn code(&self) -> Option<i32> {
        match &self.made {
            Err(MakeError::Refused { jet, .. } | MakeError::Failed { jet, .. }) => jet.map(|jet| jet.0),
            _ => None,
        }
    }
}

/// Every file below a folder, hidden ones as well, with its digest.
pub fn digests(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in DiskFolder::read_only(root).list().unwrap_or_default() {
        let digest = Sha256::digest(fs::read(root.join(&entry.path)).unwrap());
        found.insert(entry.path.display().to_string(), digest.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    found
}

/// Everything in a folder by name, folders as well: nothing may be left over.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn open(path: &Path) -> Database {
    let folder = DiskFolder::read_only(path.parent().unwrap());
    let name = path.file_name().unwrap();
    let file = folder.open(Path::new(name)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Database::open(name.to_string_lossy(), file, 16 << 20).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn header_of(path: &Path) -> HeaderPage {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    HeaderPage::elect(&bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)]).unwrap().0
}

pub fn dump_of(path: &Path, tables: Tables) -> String {
    let mut text = Vec::new();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let summary = dump(&open(path), &name, tables, &mut text).unwrap();
    assert_eq!(summary.errors, [], "{}", path.display());
    String::from_utf8(text).unwrap()
}

/// Compares a database of ours with the engine's dump of it, but for the first line: it names the file, which may have moved.
pub fn compare_dump(label: &str, path: &Path, theirs: &str, tables: Tables, problems: &mut Vec<String>) {
    if !path.is_file() {
        problems.push(format!("{label}: {} is not in the result", path.display()));
        return;
    }
    let content = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let found = first_difference(&content(&dump_of(path, tables)), &content(theirs));
    problems.extend(found.map(|found| format!("{label} {tables:?}\n{found}")));
}

/// Errors and warnings of a check of the whole database.
pub fn findings_of(path: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    check::check(&open(path), &mut |finding| findings.push(finding));
    findings.retain(|finding| finding.severity > Severity::Note);
    findings
}

/// Databases of a folder, by file name. Those of the data sets have different names, in whichever folder they lie.
pub fn databases(root: &Path) -> BTreeMap<String, PathBuf> {
    let entries = DiskFolder::read_only(root).list().unwrap_or_default();
    let of_kind = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("edb"));
    let named = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), root.join(path));
    entries.into_iter().filter(|entry| of_kind(&entry.path)).map(|entry| named(entry.path)).collect()
}

/// Does work for each item on all cores; returns what it found wrong, in order.
pub fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let next = Mutex::new(0..items.len());
    let found = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(at) = { next.lock().unwrap().next() } {
                    let problems = work(&items[at]);
                    found.lock().unwrap().insert(at, problems);
                }
            });
        }
    });
    found.into_inner().unwrap().into_values().flatten().collect()
}

pub fn none_wrong(cases: usize, wrong: &[String]) {
    assert!(cases > 0, "nothing was compared");
    assert!(wrong.is_empty(), "{} problems in {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// With the consent to loss that a user gives after reading the plan.
pub fn with_consent(folder: &Path, mut options: Options) -> Options {
    let computed = plan_of(folder, &options).loss.map_or(Generation(1), |loss| loss.first);
    options.accept_loss = Some(computed);
    options
}
