//! Verifying files: every page, tree, record and long value of a database, every segment and record of a log, and what lies side by side
//! against each other. Findings stream out; nothing stops at the first.

pub mod space;

use crate::identify::{Content, Identified, identify};
use crate::inspect::{inspect, records};
use crate::survey::{Survey, survey};
use anchorlog_database::check::{self, Counts, FlushMap, rule};
use anchorlog_database::database::{CACHE_BYTES, Database};
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_storage::{Folder, read_all};
use serde::Serialize;
use space::SpaceReport;
use std::io;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;

pub use anchorlog_database::check::Depth;

/// How to verify.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much of a database is looked at.
    pub depth: Depth,
    /// Threads; none for as many as there are processors.
    pub threads: Option<NonZero<usize>>,
    /// Bytes of the page cache.
    pub cache: usize,
    /// Tell the space of every table and index as well.
    pub space: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { depth: Depth::Full, threads: None, cache: CACHE_BYTES, space: false }
    }
}

/// Follows a verification.
pub trait Follow {
    /// A finding was made.
    fn finding(&mut self, finding: Finding);
    /// A file is looked at now; its size in bytes.
    fn file(&mut self, path: &str, bytes: u64) {
        let _ = (path, bytes);
    }
    /// So much of a phase of a database is done; `false` ends the verification.
    fn progress(&mut self, progress: &Progress) -> bool {
        let _ = progress;
        true
    }
    /// The space of a database.
    fn space(&mut self, report: &SpaceReport) {
        let _ = report;
    }
}

/// How far a database has been looked at.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Progress {
    /// What is done: `pages` for the pass over all pages, `trees` for the walk over the trees.
    pub phase: &'static str,
    /// Bytes done.
    pub done: u64,
    /// Bytes to do.
    pub total: u64,
}

/// Takes findings alone.
struct Sink<'s>(&'s mut dyn FnMut(Finding));

impl Follow for Sink<'_> {
    fn finding(&mut self, finding: Finding) {
        (self.0)(finding);
    }
}

/// What a verification came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    /// Databases that were checked.
    pub databases: Vec<DatabaseCheck>,
    /// Logs whose every segment and record was read.
    pub logs: u64,
    /// Records in them.
    pub records: u64,
    /// Other files of the family that were looked at: checkpoints, flush maps.
    pub others: u64,
    /// Files that belong to no database and no log.
    pub unknown: u64,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warning.
    pub warnings: u64,
    /// It was ended before all was looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
}

/// One database.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseCheck {
    /// The file.
    pub path: String,
    /// Its state.
    pub state: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// What was seen.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A verification while it runs.
struct Run<'a> {
    follow: &'a mut dyn Follow,
    options: Options,
    result: Verification,
}

impl<'a> Run<'a> {
    fn new(options: &Options, follow: &'a mut dyn Follow) -> Self {
        Self { follow, options: *options, result: Verification::default() }
    }
    fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Error => self.result.errors += 1,
            Severity::Warning => self.result.warnings += 1,
            Severity::Note => {}
        }
        self.follow.finding(finding);
    }
}

/// Takes what the check of a database tells.
struct Checked<'r, 'a> {
    run: &'r mut Run<'a>,
    page_size: u64,
}

impl check::Watch for Checked<'_, '_> {
    fn finding(&mut self, finding: Finding) {
        self.run.add(finding);
    }
    fn progress(&mut self, phase: &'static str, done: u64, total: u64) -> bool {
        let progress = Progress { phase, done: done * self.page_size, total: total * self.page_size };
        let go_on = self.run.follow.progress(&progress);
        self.run.result.interrupted |= !go_on;
        go_on
    }
}

/// Verifies everything in one file, and hands each finding to `out`.
///
/// # Errors
/// As [`verify_file_with`].
pub fn verify_file(folder: &dyn Folder, path: &Path, shown: &str, out: &mut dyn FnMut(Finding)) -> io::Result<Verification> {
    verify_file_with(folder, path, shown, &Options::default(), &mut Sink(out))
}

/// Verifies one file.
///
/// # Errors
/// Any error of opening it; damage is a finding.
pub fn verify_file_with(
    folder: &dyn Folder,
    path: &Path,
    shown: &str,
    options: &Options,
    follow: &mut dyn Follow,
) -> io::Result<Verification> {
    let mut run = Run::new(options, follow);
    let identified = identify(folder, path)?;
    file(folder, &identified, shown, &mut run)?;
    Ok(run.result)
}

/// Verifies everything below a folder, and what lies there against each other; hands each finding to `out`.
///
/// # Errors
/// As [`verify_folder_with`].
pub fn verify_folder(folder: &dyn Folder, shown: &str, out: &mut dyn FnMut(Finding)) -> io::Result<Verification> {
    verify_folder_with(folder, shown, &Options::default(), &mut Sink(out))
}

/// Verifies everything below a folder, and what lies there against each other.
///
/// # Errors
/// Any error of listing it.
pub fn verify_folder_with(
    folder: &dyn Folder,
    shown: &str,
    options: &Options,
    follow: &mut dyn Follow,
) -> io::Result<Verification> {
    let mut run = Run::new(options, follow);
    for entry in folder.list()? {
        let name = Path::new(shown).join(&entry.path).display().to_string();
        let verified = identify(folder, &entry.path).and_then(|identified| file(folder, &identified, &name, &mut run));
        if let Err(error) = verified {
            run.add(Finding::error(Place::file(name), JetCode::DISK_IO, format!("the file cannot be read: {error}")));
        }
        if run.result.interrupted {
            return Ok(run.result);
        }
    }
    together(&survey(folder, shown)?, &mut run);
    Ok(run.result)
}

fn file(folder: &dyn Folder, identified: &Identified, shown: &str, run: &mut Run<'_>) -> io::Result<()> {
    run.follow.file(shown, identified.size);
    match &identified.content {
        Content::Database { page, .. } => {
            let opened = Database::open(shown, folder.open(&identified.path)?, run.options.cache);
            match opened {
                Ok(opened) => database(folder, identified, &opened, shown, &page.header.state.to_string(), run),
                Err(error) => run.add(error.finding()),
            }
        }
        Content::DamagedDatabase { .. } => {
            let message = "neither the header nor its shadow holds";
            run.add(Finding::error(Place::file(shown), JetCode::READ_VERIFY_FAILURE, message).with_rule(rule::HEADER.number()));
        }
        Content::Log(_) => log(folder, &identified.path, shown, run)?,
        Content::Unknown | Content::Empty => run.result.unknown += 1,
        _ => {
            run.result.others += 1;
            for finding in inspect(folder, &identified.path, shown)?.findings {
                run.add(finding);
            }
        }
    }
    Ok(())
}

fn database(folder: &dyn Folder, identified: &Identified, database: &Database, shown: &str, state: &str, run: &mut Run<'_>) {
    let flush_map = flush_map(folder, &identified.path, database, shown, run);
    let options = check::Options { depth: run.options.depth, threads: run.options.threads, flush_map };
    let page_size = database.page_size().bytes_u64();
    let counts = check::check_with(database, &options, &mut Checked { run, page_size });
    run.result.databases.push(DatabaseCheck { path: shown.to_owned(), state: state.to_owned(), bytes: identified.size, counts });
    if run.options.space && !run.result.interrupted {
        run.follow.space(&SpaceReport::of(database, shown));
    }
}

/// The flush map beside a database, where something can be told by it.
fn flush_map(folder: &dyn Folder, path: &Path, database: &Database, shown: &str, run: &mut Run<'_>) -> Option<FlushMap> {
    let file = folder.open(&path.with_extension("jfm")).ok()?;
    match FlushMap::of(file, &database.header().header) {
        Ok(Ok(map)) => map,
        Ok(Err(fault)) => {
            let message = format!("the flush map beside it says nothing about lost writes: {fault}");
            run.add(Finding::note(Place::file(shown), message).with_jet(fault.jet()));
            None
        }
        Err(error) => {
            let message = format!("the flush map beside it cannot be read: {error}");
            run.add(Finding::note(Place::file(shown), message));
            None
        }
    }
}

/// Every segment and every record.
fn log(folder: &dyn Folder, path: &Path, shown: &str, run: &mut Run<'_>) -> io::Result<()> {
    run.result.logs += 1;
    for finding in inspect(folder, path, shown)?.findings {
        run.add(finding);
    }
    let bytes = read_all(&*folder.open(path)?, FILE_SIZE_MAX)?;
    let Ok(log) = LogFile::open(&bytes) else { return Ok(()) };
    let mut broken = Vec::new();
    let mut count = 0;
    let fault = records(&log, shown, |record| {
        count += 1;
        if let Some(error) = record.error {
            let place = Place::file(shown).position(record.position);
            broken.push(Finding::error(place, JetCode::LOG_FILE_CORRUPT, format!("{}: {error}", record.kind)));
        }
        ControlFlow::Continue(())
    });
    run.result.records += count;
    broken.into_iter().chain(fault).for_each(|finding| run.add(finding));
    Ok(())
}

/// Chain, checkpoint, and databases against the logs.
fn together(survey: &Survey, run: &mut Run<'_>) {
    // What concerns one file alone was found when that file was read.
    let of_one_file = |finding: &&Finding| {
        finding.jet.is_some_and(|jet| [JetCode::LOG_FILE_SIZE_MISMATCH, JetCode::CHECKPOINT_CORRUPT].contains(&jet))
    };
    for finding in survey.findings.iter().filter(|finding| !of_one_file(finding)) {
        run.add(finding.clone());
    }
    for database in &survey.databases {
        let Some(needs) = &database.needs else { continue };
        let place = Place::file(Path::new(&survey.folder).join(&database.path).display().to_string());
        let list = |ranges: &[crate::survey::Range]| ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !needs.missing_required.is_empty() {
            let message = format!("it needs logs that are not here: generation {}", list(&needs.missing_required));
            run.add(Finding::error(place, JetCode::REQUIRED_LOG_FILES_MISSING, message));
        } else if !needs.missing_committed.is_empty() {
            let message = format!("its newest logs are not here: generation {}", list(&needs.missing_committed));
            run.add(Finding::warning(place, message).with_jet(JetCode::COMMITTED_LOG_FILES_MISSING));
        } else {
            run.add(Finding::note(place, "it is dirty, and every log that it needs is here"));
        }
    }
    for stream in &survey.streams {
        let present = |generation| stream.present.iter().any(|range| (range.first..=range.last).contains(&generation));
        for checkpoint in stream.checkpoints.iter().filter(|checkpoint| !present(checkpoint.position.generation)) {
            let message = format!("it points to generation {}, which is not here", checkpoint.position.generation);
            let place = Place::file(Path::new(&survey.folder).join(&checkpoint.path).display().to_string());
            run.add(Finding::warning(place, message).with_jet(JetCode::MISSING_LOG_FILE));
        }
    }
}
