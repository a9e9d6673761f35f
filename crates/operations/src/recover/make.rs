//! Carrying a plan out: copy, replay, prove, publish.

use super::{DatabaseOutcome, Plan, RecoverError, Report, StreamReport, Verdict, plan};
use anchorlog_database::check;
use anchorlog_database::database::Database;
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Generation;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::run::{self, Failure, Setup, Watch};
use anchorlog_storage::Folder;
use anchorlog_storage::copy::copy_file;
use anchorlog_storage::publish::{Change, WorkFolder};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Follows a recovery; each call may interrupt it by returning `false`.
pub trait Progress {
    /// A phase begins: copying, replaying, proving, publishing.
    fn phase(&mut self, name: &str, steps: usize) -> bool;
    /// A step of the phase is about to be done.
    fn step(&mut self, what: &str, at: usize, of: usize) -> bool;
}

impl Progress for () {
    fn phase(&mut self, _: &str, _: usize) -> bool {
        true
    }
    fn step(&mut self, _: &str, _: usize, _: usize) -> bool {
        true
    }
}

/// Carries a plan out. What the plan saw is looked at again first.
///
/// # Errors
/// [`RecoverError`]: nothing is published then, and the sources are as they were.
pub fn make(planned: &Plan, ambient: &Ambient, progress: &mut dyn Progress) -> Result<Report, RecoverError> {
    if let Some(reason) = planned.refusal() {
        return Err(RecoverError::Refused(reason, planned.refusal_code(), Box::new(planned.clone())));
    }
    let (parent, name) = working_place(planned)?;
    let work = WorkFolder::begin(&parent, &name).map_err(|error| failed("the working folder could not be made", &error))?;
    let mut report = Report {
        out: planned.request.out.clone().or_else(|| planned.request.source.clone()).unwrap_or_default().display().to_string(),
        databases: planned.databases.clone(),
        streams: Vec::new(),
        findings: Vec::new(),
        warnings: planned.warnings.clone(),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        set_aside: None,
    };
    copy_files(planned, &work, &mut report, progress)?;
    replay_streams(planned, &work, &mut report, ambient, progress)?;
    prove(planned, &work, &mut report, progress)?;
    publish(planned, work, &mut report, ambient, progress)?;
    Ok(report)
}

fn working_place(planned: &Plan) -> Result<(PathBuf, String), RecoverError> {
    let (request, none) =
        (&planned.request, || RecoverError::Usage("name where the result goes: --out DIR, or --in-place".into()));
    if request.in_place {
        let source = request.source.clone().ok_or_else(none)?;
        return Ok((source, "recover".into()));
    }
    let out = request.out.as_ref().ok_or_else(none)?;
    let out = std::path::absolute(out).map_err(|error| failed("the place of the result cannot be found", &error))?;
    let parent = out.parent().unwrap_or(Path::new("/")).to_path_buf();
    let name = out.file_name().map_or_else(|| "recover".into(), |name| name.to_string_lossy().into_owned());
    Ok((parent, name))
}

fn copy_files(planned: &Plan, work: &WorkFolder, report: &mut Report, progress: &mut dyn Progress) -> Result<(), RecoverError> {
    let total = planned.files.len();
    go_on(progress.phase("copying", total))?;
    for (at, file) in planned.files.iter().enumerate() {
        go_on(progress.step(&file.path, at, total))?;
        let path = Path::new(&file.path);
        let Some(place) = planned.sources.place(path) else { continue };
        let what = format!("{} could not be copied", place.display());
        copy_file(place, &work.path().join(path)).map_err(|error| failed(&what, &error))?;
        let digest = sha256(&work.path().join(path)).map_err(|error| failed(&what, &error))?;
        report.inputs.insert(file.path.clone(), digest);
    }
    Ok(())
}

struct Follow<'a> {
    progress: &'a mut dyn Progress,
}

impl Watch for Follow<'_> {
    fn generation(&mut self, generation: Generation, index: usize, of: usize) -> bool {
        self.progress.step(&format!("generation {generation}"), index, of)
    }
}

fn replay_streams(
    planned: &Plan,
    work: &WorkFolder,
    report: &mut Report,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<(), RecoverError> {
    let folder: Arc<dyn Folder> = Arc::new(work.folder());
    for stream in &planned.streams {
        go_on(progress.phase(&format!("replaying {}", stream.stream), stream.generations.len()))?;
        let mut files = stream.files.clone();
        for gone in &stream.left_out {
            files.archives.retain(|_, path| path != gone);
            if files.current.as_ref() == Some(gone) {
                files.current = None;
            }
        }
        let setup = Setup {
            logs: Logs { folder: folder.clone(), files },
            folder: folder.clone(),
            naming: stream.naming.clone(),
            options: stream.options.clone(),
        };
        let made = run::replay(&setup, ambient, &mut Follow { progress }).map_err(|failure| failure_of(&failure))?;
        report.streams.push(stream_report(stream, &made));
        for database in &made.databases {
            let Some(path) = &database.path else { continue };
            if let Some(outcome) = report.databases.iter_mut().find(|outcome| Path::new(&outcome.path) == path) {
                update(outcome, &made, database.header.as_ref());
            }
        }
    }
    Ok(())
}

fn update(outcome: &mut DatabaseOutcome, made: &run::Report, header: Option<&HeaderPage>) {
    if let Some(page) = header {
        outcome.state_after = Some(page.header.state.to_string());
        outcome.consistent_after = Some(page.header.consistent_position);
        outcome.page_size = Some(u32::from(page.page_size()));
        // A database that a logged detach closed is clean whatever was asked for.
        if outcome.verdict == Verdict::ReplayedStaysDirty && !page.header.state.is_dirty() {
            outcome.verdict = Verdict::Recovered;
        }
    }
    _ = made;
}

fn stream_report(stream: &plan::StreamPlan, made: &run::Report) -> StreamReport {
    let range = made.generations.first().copied().zip(made.generations.last().copied());
    StreamReport {
        stream: stream.stream.clone(),
        ending: plan::describe(&made.ending).to_owned(),
        start: made.start,
        end: made.end,
        generations: range,
        records: made.records.iter().map(|(kind, count)| (kind.name().to_owned(), *count)).collect(),
        page_changes: made.page_changes,
        transactions_rolled_back: made.undone.transactions,
        changes_undone: made.undone.changes,
        lost: made.lost.map(|lost| (lost.last_found, lost.last_committed)),
        left_out: stream.left_out.iter().map(|path| path.display().to_string()).collect(),
        warning: made.warning,
        notes: made.notes.clone(),
    }
}

/// Proves the result: everything that verify finds in a clean database. Errors stop the publication unless damage is kept.
fn prove(planned: &Plan, work: &WorkFolder, report: &mut Report, progress: &mut dyn Progress) -> Result<(), RecoverError> {
    let total = report.databases.len();
    go_on(progress.phase("proving", total))?;
    let folder = work.folder();
    for at in 0..total {
        let outcome = &report.databases[at];
        go_on(progress.step(&outcome.path, at, total))?;
        // A database that stays dirty is not whole yet: its trees are proved once it is recovered.
        if outcome.verdict == Verdict::ReplayedStaysDirty {
            continue;
        }
        let path = PathBuf::from(&outcome.path);
        let what = format!("{} could not be read back", path.display());
        let file = folder.open(&path).map_err(|error| failed(&what, &error))?;
        let database = Database::open(outcome.path.clone(), file, 64 << 20).map_err(|error| RecoverError::Failed {
            reason: format!("the result cannot be opened: {error}"),
            jet: Some(JetCode::DATABASE_CORRUPTED),
            findings: Vec::new(),
        })?;
        let mut found: Vec<Finding> = Vec::new();
        check::check(&database, &mut |finding| {
            if finding.severity > Severity::Note && found.len() < FINDINGS_MAX {
                found.push(finding);
            }
        });
        let errors = found.iter().any(|finding| finding.severity == Severity::Error);
        if errors && planned.request.keep_damage {
            report.databases[at].verdict = Verdict::RecoveredDamageKept;
        } else if errors {
            return Err(RecoverError::Failed {
                reason: format!(
                    "{} is not sound after replay: nothing is published (--keep-damage publishes it all the same)",
                    path.display()
                ),
                jet: found.iter().find_map(|finding| finding.jet),
                findings: found,
            });
        }
        report.findings.append(&mut found);
    }
    Ok(())
}

/// Findings kept for one database: beyond that, `verify` tells them all.
const FINDINGS_MAX: usize = 10_000;

fn publish(
    planned: &Plan,
    work: WorkFolder,
    report: &mut Report,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<(), RecoverError> {
    go_on(progress.phase("publishing", 1))?;
    let unreadable = |error: io::Error| failed("the result could not be read back", &error);
    let entries = work.folder().list().map_err(unreadable)?;
    for entry in &entries {
        let digest = sha256(&work.path().join(&entry.path)).map_err(unreadable)?;
        report.outputs.insert(entry.path.display().to_string(), digest);
    }
    let unpublished = |error: io::Error| failed("the result could not be published", &error);
    if !planned.request.in_place {
        let out = planned.request.out.clone().unwrap_or_default();
        return work.publish_as(&out).map_err(unpublished);
    }
    let root = planned.request.source.clone().unwrap_or_default();
    let aside = format!("anchorlog-originals-{}", stamp(ambient));
    let mut changes: Vec<Change> = Vec::new();
    for entry in &entries {
        let shown = entry.path.display().to_string();
        let unchanged = report.inputs.get(&shown).is_some_and(|before| report.outputs.get(&shown) == Some(before));
        if !unchanged {
            changes.push(Change::Put(entry.path.clone()));
        }
    }
    // What is not in the result (reserve logs, logs behind a stop) is set aside as well.
    let kept: std::collections::BTreeSet<&Path> = entries.iter().map(|entry| entry.path.as_path()).collect();
    let gone = planned.files.iter().map(|file| PathBuf::from(&file.path)).filter(|path| !kept.contains(path.as_path()));
    let left_out = planned.streams.iter().flat_map(|stream| stream.left_out.clone());
    changes.extend(gone.chain(left_out).map(Change::Remove));
    work.publish_over(&root, &changes, &aside).map_err(unpublished)?;
    report.set_aside = Some(root.join(aside).display().to_string());
    Ok(())
}

fn stamp(ambient: &Ambient) -> String {
    ambient.now().to_string().chars().filter(char::is_ascii_digit).take(14).collect()
}

fn failure_of(failure: &Failure) -> RecoverError {
    let error = &failure.error;
    if error.reason == "interrupted" {
        return RecoverError::Interrupted;
    }
    RecoverError::Failed { reason: error.to_string(), jet: Some(error.jet), findings: vec![error.finding()] }
}

fn failed(what: &str, error: &io::Error) -> RecoverError {
    let jet = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JetCode(-1808),
        io::ErrorKind::PermissionDenied => JetCode(-1032),
        _ => JetCode(-1022),
    };
    RecoverError::Failed { reason: format!("{what}: {error}"), jet: Some(jet), findings: Vec::new() }
}

const fn go_on(answer: bool) -> Result<(), RecoverError> {
    if answer { Ok(()) } else { Err(RecoverError::Interrupted) }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
