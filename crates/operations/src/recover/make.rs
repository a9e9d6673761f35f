//! Carrying a plan out: copy, replay, prove, publish. The sources are never touched; a crash at any moment leaves the old state or the
//! new one.

use super::report::{DatabaseReport, Report, RunReport};
use super::sources::ASIDE;
use super::{Plan, Sources, Verdict};
use crate::identify::Content;
use anchorlog_database::{Database, check};
use anchorlog_format::database::HeaderPage;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names;
use anchorlog_format::log::record::RecordType;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::run::{self, BadPage, Failure, Watch};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::copy::{copy_file, read_file};
use anchorlog_storage::publish::{Change, WorkFolder, finish_interrupted, is_cut_off, remove_leftovers};
use anchorlog_storage::space::free_bytes;
use anchorlog_storage::{Entry, Folder, read_all};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder that does not exist, or is empty.
    Out(PathBuf),
    /// The place of the originals, which are set aside in a folder beside them.
    InPlace(PathBuf),
}

/// Follows a recovery; each call may interrupt it by returning `false`.
pub trait Progress {
    /// A phase begins: copying, replaying, proving, publishing.
    fn phase(&mut self, name: &str, steps: usize) -> bool;
    /// A step of the phase is about to be done.
    fn step(&mut self, what: &str, at: usize, of: usize) -> bool;
    /// Asked again and again during a long step: whether to go on.
    fn goes_on(&mut self) -> bool {
        true
    }
}

/// Follows nothing.
impl Progress for () {
    fn phase(&mut self, _: &str, _: usize) -> bool {
        true
    }
    fn step(&mut self, _: &str, _: usize, _: usize) -> bool {
        true
    }
}

/// Why a recovery was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A precondition does not hold, or pages are damaged and nobody asked to keep that: nothing was touched.
    #[error("{reason}")]
    Refused {
        /// Which.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
        /// Every damaged page, where that is the reason.
        findings: Vec<Finding>,
    },
    /// Something failed while the result was being made: nothing was published.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
    },
    /// The publication in place was begun and could not be completed: the same command, given again, completes it.
    #[error("{reason}")]
    CutOff {
        /// What happened.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
    },
    /// The user interrupted it: nothing was published.
    #[error("interrupted: nothing was published, and nothing is left half done")]
    Interrupted,
}

/// Findings kept for one database: beyond that, `verify` tells them all.
const FINDINGS_MAX: usize = 10_000;
/// Bytes of pages in memory while the result is proved.
const PROOF_CACHE: usize = 64 << 20;

/// Carries a plan out.
///
/// # Errors
/// [`MakeError`]: nothing is published then, and the sources are as they were.
pub fn make(
    plan: &Plan,
    sources: &Sources,
    place: &Place,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Report, MakeError> {
    let place = &clear_place(place)?;
    check_again(plan, sources, place)?;
    let (parent, name) = work_place(place)?;
    let work = WorkFolder::begin(&parent, &name).map_err(|error| failed("the working folder could not be made", &error))?;
    let inputs = copy_files(sources, &work, progress)?;
    let made = replay(plan, sources, &work, ambient, progress)?;
    let mut report = Report {
        out: place.path().display().to_string(),
        databases: databases(plan, sources, made.as_ref()),
        run: made.as_ref().map(RunReport::of),
        findings: made.iter().flat_map(|run| run.bad_pages.iter().map(finding_of)).collect(),
        inputs,
        outputs: BTreeMap::new(),
        set_aside: None,
    };
    let left_out = leave_out(plan, made.as_ref(), &work)?;
    if let Some(run) = &mut report.run {
        run.left_out = left_out;
        run.commits_left_out = commits_behind(plan, sources, run.end);
    }
    prove(&work, &mut report, progress)?;
    judge_damage(plan, &mut report)?;
    publish(place, work, &mut report, ambient, progress)?;
    Ok(report)
}

/// Ends what an earlier run left: a publication that a crash cut off behind its commit point is completed, working folders are removed.
fn clear_place(place: &Place) -> Result<Place, MakeError> {
    let place = match place {
        // A link to an empty folder means that folder.
        Place::Out(out) => Place::Out(out.canonicalize().unwrap_or_else(|_| out.clone())),
        Place::InPlace(root) => {
            let what = "an earlier publication could not be completed";
            if finish_interrupted(root).map_err(|error| failed(what, &error))? {
                let reason =
                    "an earlier recovery was cut off while it was published, and is complete now: this plan saw files of before";
                return Err(refused(reason, None));
            }
            place.clone()
        }
    };
    let (parent, _) = work_place(&place)?;
    // What cannot be removed is in nobody's way.
    _ = remove_leftovers(&parent);
    Ok(place)
}

impl Place {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Out(path) | Self::InPlace(path) => path,
        }
    }
}

/// What the plan saw may have changed; and what a plan cannot see: place and room.
fn check_again(plan: &Plan, sources: &Sources, place: &Place) -> Result<(), MakeError> {
    if let Some(broken) = plan.preconditions.iter().find(|condition| !condition.holds) {
        let fault = plan.engine_fault().or_else(|| plan.faults.first());
        let reason = format!("{}: {}", broken.rule, broken.found);
        return Err(refused(reason, fault.and_then(|fault| fault.finding.jet)));
    }
    match place {
        Place::Out(out) => is_free(out)?,
        Place::InPlace(root) => lies_inside(sources, root)?,
    }
    let needed: u64 = taking_part(sources).map(|(_, _, size)| size).sum();
    if let Ok(free) = free_bytes(place.path())
        && free < needed
    {
        let reason = format!("the result needs {needed} bytes at {}, and {free} are free", place.path().display());
        return Err(refused(reason, Some(JetCode(-1808))));
    }
    Ok(())
}

fn is_free(out: &Path) -> Result<(), MakeError> {
    if !out.exists() {
        return Ok(());
    }
    if !std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()) {
        let reason =
            format!("{} exists and is not an empty folder: name another place, nothing is ever overwritten", out.display());
        return Err(refused(reason, None));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let volume = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
        if out.parent().is_some_and(|parent| volume(parent) != volume(out)) {
            let reason =
                format!("{} is the root of a volume, and is published by rename: name a folder inside it", out.display());
            return Err(refused(reason, None));
        }
    }
    Ok(())
}

/// Only what lies in the folder can be replaced there.
fn lies_inside(sources: &Sources, root: &Path) -> Result<(), MakeError> {
    let elsewhere = sources.iter().find(|source| source.path != root.join(&source.identified.path));
    match elsewhere {
        Some(source) => {
            let reason = format!("{} lies elsewhere: in place works on one folder alone", source.path.display());
            Err(refused(reason, None))
        }
        None => Ok(()),
    }
}

fn work_place(place: &Place) -> Result<(PathBuf, String), MakeError> {
    if let Place::InPlace(root) = place {
        return Ok((root.clone(), "recover".into()));
    }
    let out = std::path::absolute(place.path()).map_err(|error| failed("the place of the result cannot be found", &error))?;
    let parent = out.parent().unwrap_or(Path::new("/")).to_path_buf();
    let name = out.file_name().map_or_else(|| "recover".into(), |name| name.to_string_lossy().into_owned());
    Ok((parent, name))
}

/// The files that go into the result: everything of the family, and whatever is named like a file of a stream.
fn taking_part(sources: &Sources) -> impl Iterator<Item = (&Path, &Path, u64)> {
    let takes_part = |content: &Content, name: &str| match content {
        Content::RevertSnapshot => false,
        Content::Unknown | Content::Empty => names::parse(name).is_some(),
        _ => true,
    };
    sources
        .iter()
        .filter(move |source| takes_part(&source.identified.content, &source.identified.name()))
        .map(|source| (source.identified.path.as_path(), source.path.as_path(), source.identified.size))
}

fn copy_files(sources: &Sources, work: &WorkFolder, progress: &mut dyn Progress) -> Result<BTreeMap<String, String>, MakeError> {
    let files: Vec<(&Path, &Path, u64)> = taking_part(sources).collect();
    go_on(progress.phase("copying", files.len()))?;
    let stamps: Vec<_> = files.iter().map(|(_, place, _)| stamp(place)).collect();
    let mut digests = BTreeMap::new();
    for (at, (path, place, _)) in files.iter().enumerate() {
        let shown = path.display().to_string();
        go_on(progress.step(&shown, at, files.len()))?;
        let mut digest = Sha256::new();
        let copied = copy_file(place, &work.path().join(path), &mut |bytes| {
            digest.update(bytes);
            progress.goes_on()
        });
        copied.map_err(|error| failed(&format!("{} could not be copied", place.display()), &error))?;
        digests.insert(shown, hex(digest));
    }
    // Files of one moment are what a plan is about: a service that still runs changes some before and some behind their copy.
    for ((_, place, size), before) in files.iter().zip(stamps) {
        let after = stamp(place);
        if after != before || after.is_some_and(|(now, _)| now != *size) {
            let reason = format!("{} was changed while it was copied: stop what uses it, or work on a snapshot", place.display());
            return Err(refused(reason, Some(JetCode(-1032))));
        }
    }
    Ok(digests)
}

/// Size and time of the last change.
fn stamp(path: &Path) -> Option<(u64, std::time::SystemTime)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

struct Follow<'a> {
    progress: &'a mut dyn Progress,
}

impl Watch for Follow<'_> {
    fn generation(&mut self, generation: Generation, index: usize, of: usize) -> bool {
        self.progress.step(&format!("generation {generation}"), index, of)
    }
}

fn replay(
    plan: &Plan,
    sources: &Sources,
    work: &WorkFolder,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Option<run::Report>, MakeError> {
    if !plan.replays() {
        return Ok(None);
    }
    let generations: u32 = plan.generations.iter().map(|range| range.last.0 - range.first.0 + 1).sum();
    go_on(progress.phase("replaying", generations as usize))?;
    let folder: Arc<dyn Folder> = Arc::new(work.folder());
    let mut setup = plan.setup(sources, folder);
    // All damage is looked for before it is refused: what replay needs, and what only the proof of the result meets.
    setup.options.keep_damage = true;
    let run = run::replay(&setup, ambient, &mut Follow { progress });
    run.map(Some).map_err(|failure| failure_of(&failure, plan.options.keep_damage))
}

fn failure_of(failure: &Failure, keep_damage: bool) -> MakeError {
    let error = &failure.error;
    if error.jet == run::INTERRUPTED {
        return MakeError::Interrupted;
    }
    if failure.report.earliest_stop.is_some() {
        return MakeError::Refused { reason: error.reason.clone(), jet: Some(error.jet), findings: vec![error.finding()] };
    }
    if failure.report.earliest_stop.is_some() {
        // Only the pages tell that a database is newer than the stop.
        return refused(error.to_string(), Some(error.jet));
    }
    let findings: Vec<Finding> = failure.report.bad_pages.iter().map(finding_of).collect();
    match failure.report.bad_pages.first() {
        // What fails behind a bad page fails because of it.
        Some(first) if !keep_damage => damaged(Some(first.jet), findings),
        _ => MakeError::Failed { reason: error.to_string(), jet: Some(error.jet) },
    }
}

fn finding_of(bad: &BadPage) -> Finding {
    let place = anchorlog_format::finding::Place::file(bad.database.display().to_string()).page(bad.page).position(bad.position);
    Finding::error(place, bad.jet, bad.reason.clone())
}

fn damaged(jet: Option<JetCode>, findings: Vec<Finding>) -> MakeError {
    let pages: BTreeSet<_> = findings.iter().filter_map(|finding| Some((&finding.place.file, finding.place.page?))).collect();
    let reason = match pages.len() {
        0 => format!("the result is not sound ({} findings)", findings.len()),
        1 => "a page is damaged".to_owned(),
        count => format!("{count} pages are damaged"),
    };
    MakeError::Refused {
        reason: format!("{reason}: nothing is published; --keep-damage publishes it all the same"),
        jet,
        findings,
    }
}

/// What the plan said of each database, with what became of it.
fn databases(plan: &Plan, sources: &Sources, made: Option<&run::Report>) -> Vec<DatabaseReport> {
    let header_before = |path: &str| match sources.get(Path::new(path)).map(|source| &source.identified.content) {
        Some(Content::Database { page, .. }) => Some(page.header.clone()),
        _ => None,
    };
    let header_after = |path: &str| {
        let reports = made.map(|report| report.databases.as_slice()).unwrap_or_default();
        let report = reports.iter().find(|report| report.path.as_deref() == Some(Path::new(path)));
        report.and_then(|report| report.header.as_ref()).map(|page: &HeaderPage| page.header.clone())
    };
    let whole = |database: &super::DatabasePlan| {
        DatabaseReport::new(database, header_before(&database.path).as_ref(), header_after(&database.path).as_ref())
    };
    plan.databases.iter().map(whole).collect()
}

/// Logs that do not continue the stream, or lie behind a stop, do not go into the result, and no generation goes there twice: the copy of
/// a log that recovery writes on would soon differ from it. Returns which they are.
fn leave_out(plan: &Plan, made: Option<&run::Report>, work: &WorkFolder) -> Result<Vec<String>, MakeError> {
    let folder = work.folder();
    let mut behind = match plan.options.stop.filter(|_| plan.options.without_undo) {
        Some(stop) => logs_behind(&folder, &plan.files, stop.generation()),
        None => Vec::new(),
    };
    if made.is_some() {
        behind.extend(plan.files.doubled.iter().cloned());
    }
    let set_aside = made.map(|report| report.set_aside.as_slice()).unwrap_or_default();
    // What the run set aside it has removed itself.
    for path in &behind {
        match folder.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("a log could not be left out", &error)),
            _ => {}
        }
    }
    let left_out: BTreeSet<&PathBuf> = behind.iter().chain(set_aside).collect();
    Ok(left_out.into_iter().map(|path| path.display().to_string()).collect())
}

/// Transactions that the logs at hand commit behind the last record redone, as far as these logs can be read.
fn commits_behind(plan: &Plan, sources: &Sources, end: LogPosition) -> u64 {
    let archives = plan.files.archives.range(end.generation..).map(|(_, path)| path);
    let mut commits = 0;
    for path in archives.chain(&plan.files.current) {
        let bytes = sources.open(path).and_then(|file| read_all(&*file, FILE_SIZE_MAX));
        let Ok(bytes) = bytes else { continue };
        let Ok(log) = LogFile::open(&bytes) else { continue };
        let behind = log.records_from(end).map_while(Result::ok).filter(|record| record.writer_position >= end);
        commits += behind.filter(|record| record.record_type() == RecordType::COMMIT_OUTERMOST).count() as u64;
    }
    commits
}

/// Logs behind a generation.
fn logs_behind(folder: &dyn Folder, files: &StreamFiles, last: Generation) -> Vec<PathBuf> {
    let generation_of = |path: &Path| {
        let mut start = vec![0; LogHeader::SIZE];
        let read = folder.open(path).and_then(|file| file.read_at(0, &mut start)).unwrap_or(0);
        LogHeader::check(&start[..read]).ok().map(|header| header.generation)
    };
    let archives = files.archives.iter().filter(|(generation, _)| **generation > last).map(|(_, path)| path);
    let current = files.current.iter().filter(|path| generation_of(path).is_none_or(|generation| generation > last));
    // The next log in preparation may hold an old life; it is made anew when it is needed.
    archives.chain(current).chain(&files.temporary).cloned().collect()
}

/// Proves the result: everything that verify finds. Of a database that stays dirty, what redo to come cannot mend.
fn prove(work: &WorkFolder, report: &mut Report, progress: &mut dyn Progress) -> Result<(), MakeError> {
    let total = report.databases.len();
    go_on(progress.phase("proving", total))?;
    let folder = work.folder();
    for (at, database) in report.databases.iter_mut().enumerate() {
        go_on(progress.step(&database.path, at, total))?;
        let path = Path::new(&database.path);
        // Replay without undo makes no database whose creation the logs do not finish.
        if database.verdict == Verdict::Refused || (database.verdict == Verdict::StaysDirty && !folder.exists(path)) {
            continue;
        }
        let what = format!("{} could not be read back", database.path);
        let file = folder.open(path).map_err(|error| failed(&what, &error))?;
        let opened = match Database::open(database.path.clone(), file, PROOF_CACHE) {
            Ok(opened) => opened,
            Err(error) => {
                let place = anchorlog_format::finding::Place::file(database.path.clone());
                report.findings.push(Finding::error(place, error.jet, format!("it cannot be opened: {error}")));
                continue;
            }
        };
        let mut found: Vec<Finding> = Vec::new();
        let counts = check::check(&opened, &mut |finding| {
            if finding.severity > Severity::Note && found.len() < FINDINGS_MAX {
                found.push(finding);
            }
        });
        database.proof = Some(counts);
        report.findings.append(&mut found);
    }
    Ok(())
}

/// Damage stops the publication, unless it is kept by consent; what a record made anew is no damage any more.
fn judge_damage(plan: &Plan, report: &mut Report) -> Result<(), MakeError> {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let Some(first) = report.findings.iter().find(is_error) else { return Ok(()) };
    if !plan.options.keep_damage {
        return Err(damaged(first.jet, std::mem::take(&mut report.findings)));
    }
    for database in &mut report.databases {
        let own = |finding: &&Finding| finding.place.file.as_deref() == Some(database.path.as_str());
        let errors = report.findings.iter().filter(is_error).filter(own).count();
        if errors > 0 {
            database.reason = format!("{}; {errors} findings of damage are kept by consent", database.reason);
            database.verdict = Verdict::DamageKept;
        }
    }
    Ok(())
}

fn publish(
    place: &Place,
    work: WorkFolder,
    report: &mut Report,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<(), MakeError> {
    go_on(progress.phase("publishing", 1))?;
    let unreadable = |error: io::Error| failed("the result could not be read back", &error);
    let entries: Vec<Entry> = work.folder().list().map_err(unreadable)?;
    for entry in &entries {
        let digest = sha256(&work.path().join(&entry.path), progress).map_err(unreadable)?;
        report.outputs.insert(entry.path.display().to_string(), digest);
    }
    let unpublished = |error: io::Error| failed("the result could not be published", &error);
    match place {
        Place::Out(out) => work.publish_as(out).map_err(unpublished),
        Place::InPlace(root) => {
            let changes = changes(&entries, report);
            if changes.is_empty() {
                return Ok(());
            }
            let time: String = ambient.now().to_string().chars().filter(char::is_ascii_digit).take(14).collect();
            let aside = format!("{ASIDE}{time}");
            work.publish_over(root, &changes, &aside).map_err(|error| match unpublished(error) {
                MakeError::Failed { reason, jet } if is_cut_off(root) => MakeError::CutOff { reason, jet },
                other => other,
            })?;
            report.set_aside = Some(root.join(aside).display().to_string());
            Ok(())
        }
    }
}

/// What in-place publication changes: files that differ take their places, files that are no part of the result go.
fn changes(entries: &[Entry], report: &Report) -> Vec<Change> {
    let differs = |entry: &&Entry| {
        let path = entry.path.display().to_string();
        report.inputs.get(&path) != report.outputs.get(&path)
    };
    let kept: BTreeSet<String> = entries.iter().map(|entry| entry.path.display().to_string()).collect();
    let gone = report.inputs.keys().filter(|path| !kept.contains(*path)).map(|path| Change::Remove(path.into()));
    entries.iter().filter(differs).map(|entry| Change::Put(entry.path.clone())).chain(gone).collect()
}

fn failed(what: &str, error: &io::Error) -> MakeError {
    let jet = match error.kind() {
        io::ErrorKind::Interrupted => return MakeError::Interrupted,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JetCode(-1808),
        io::ErrorKind::PermissionDenied => JetCode(-1032),
        _ => JetCode(-1022),
    };
    MakeError::Failed { reason: format!("{what}: {error}"), jet: Some(jet) }
}

fn refused(reason: impl Into<String>, jet: Option<JetCode>) -> MakeError {
    MakeError::Refused { reason: reason.into(), jet, findings: Vec::new() }
}

const fn go_on(answer: bool) -> Result<(), MakeError> {
    if answer { Ok(()) } else { Err(MakeError::Interrupted) }
}

fn sha256(path: &Path, progress: &mut dyn Progress) -> io::Result<String> {
    let mut digest = Sha256::new();
    read_file(path, &mut |bytes| {
        digest.update(bytes);
        progress.goes_on()
    })?;
    Ok(hex(digest))
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
