//! Carrying a plan out: copy and verify, replay, prove, publish. A crash at any moment leaves the old state or the new one.

use super::error::{Error, storage};
use super::plan::{Form, Plan};
use super::stage::{digest_text, give_back, go_on, stage};
use super::stored::Origins;
use crate::backup::{Predicate, is_in_use};
use crate::recover::{self, Place, Progress, aside_in, clear_place, work_place};
use anchorlog_format::database::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::publish::{Change, WorkFolder, is_cut_off};
use anchorlog_storage::{DiskFolder, Entry, Folder as _};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A restore that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The set.
    pub set: String,
    /// Which procedure.
    pub form: Form,
    /// Replay and proof: what became of each database, hashes before and after, and where the originals were set aside.
    #[serde(flatten)]
    pub recovery: recover::Report,
    /// The proven files that took part (P64): place, origin, hash.
    pub proven: Vec<(String, String, String)>,
    /// Where the bytes came from, where a copy was at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<Origins>,
    /// What could not be given back of owners and times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_given_back: Vec<String>,
    /// What to know besides.
    pub remarks: Vec<String>,
}

/// Name of the record in the folder into which originals were set aside.
pub const RECORD: &str = "anchorlog-restore.json";

/// Carries a plan out.
///
/// # Errors
/// [`Error`]: nothing is published then, and what the target held is as it was.
pub fn make(plan: &Plan, ambient: &Ambient, progress: &mut dyn Progress) -> Result<Report, Error> {
    refuse(plan)?;
    let place = clear_place(&plan.place)?;
    still_free(plan, &place)?;
    let built = build(plan, &place, ambient, progress)?;
    publish(plan, &place, built, ambient, progress)
}

fn refuse(plan: &Plan) -> Result<(), Error> {
    let broken: Vec<Predicate> = plan.refusals().cloned().collect();
    if broken.is_empty() { Ok(()) } else { Err(Error::Refused(broken)) }
}

/// A result that was built and proved, and not yet published.
pub(super) struct Built {
    pub work: WorkFolder,
    pub recovery: recover::Report,
    origins: Option<Origins>,
    not_given_back: Vec<String>,
}

/// Fills a working folder, replays there, and proves what came of it.
pub(super) fn build(plan: &Plan, place: &Place, ambient: &Ambient, progress: &mut dyn Progress) -> Result<Built, Error> {
    let (parent, name) = work_place(place)?;
    let work = WorkFolder::begin(&parent, &name).map_err(storage(parent.display().to_string()))?;
    let (inputs, origins) = stage(plan, &work, progress)?;
    let recovery = plan.recovery.as_ref().ok_or_else(|| Error::Failed {
        reason: "the plan was made for files that could not be restored".into(),
        jet: None,
        findings: Vec::new(),
    })?;
    let mut report = recover::carry(recovery, &plan.sources, &work, inputs, ambient, progress)?;
    report.out = place.path().display().to_string();
    reached(plan, &report)?;
    let mut outputs = BTreeMap::new();
    for Entry { path, .. } in work.folder().list().map_err(storage(work.path().display().to_string()))? {
        outputs.insert(path.display().to_string(), digest_of(&work.path().join(&path), progress)?);
    }
    report.outputs = outputs;
    let mut not_given_back = Vec::new();
    for item in &plan.files {
        let shown = item.place.display().to_string();
        if report.outputs.contains_key(&shown) {
            let unchanged = report.outputs.get(&shown) == report.inputs.get(&shown);
            not_given_back.extend(give_back(&work.path().join(&item.place), &item.owner, item.role, unchanged));
        }
    }
    Ok(Built { work, recovery: report, origins, not_given_back })
}

/// The plan may be of a while ago: what can have changed since is looked at again.
fn still_free(plan: &Plan, place: &Place) -> Result<(), Error> {
    let failed = |reason: String, jet| Err(Error::Failed { reason, jet: Some(jet), findings: Vec::new() });
    match place {
        Place::Out(out) => {
            if out.exists() && !std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()) {
                return failed(format!("{} is not empty any more", out.display()), JetCode::FILE_ALREADY_EXISTS);
            }
        }
        Place::InPlace(root) => {
            let touched = plan.set_aside.iter().map(|path| root.join(path));
            if let Some(path) = touched.into_iter().find(|path| is_in_use(path)) {
                return failed(format!("another program has {} open", path.display()), JetCode::FILE_ACCESS_DENIED);
            }
        }
    }
    Ok(())
}

/// P67: clean, nothing required, and as far as planned. The proof of pages and trees is that of recovery.
fn reached(plan: &Plan, report: &recover::Report) -> Result<(), Error> {
    let failed = |reason: String| {
        let jet = Some(JetCode::DATABASE_DIRTY_SHUTDOWN);
        Err(Error::Failed { reason: format!("P67: {reason}: nothing is published"), jet, findings: Vec::new() })
    };
    for database in &report.databases {
        if database.after.state != DatabaseState::CleanShutdown.to_string() || database.after.required.is_some() {
            return failed(format!("{} is not clean: {}", database.path, database.reason));
        }
    }
    let wanted = plan.recovery.as_ref().and_then(|recovery| recovery.generations.last().map(|range| range.last));
    let came = report.run.as_ref().and_then(|run| run.generations).map(|(_, last)| last);
    if let (Some(wanted), Some(came)) = (wanted, came)
        && came != wanted
    {
        return failed(format!("replay came to generation {came}, and {wanted} was planned"));
    }
    Ok(())
}

fn digest_of(path: &Path, progress: &mut dyn Progress) -> Result<String, Error> {
    let mut digest = blake3::Hasher::new();
    let read = anchorlog_storage::copy::read_file(path, &mut |bytes| {
        digest.update(bytes);
        progress.goes_on()
    });
    read.map_err(storage(path.display().to_string()))?;
    Ok(digest_text(digest.finalize().as_bytes()))
}

fn publish(plan: &Plan, place: &Place, built: Built, ambient: &Ambient, progress: &mut dyn Progress) -> Result<Report, Error> {
    let Built { work, recovery, origins, not_given_back } = built;
    go_on(progress.phase("publishing", 1))?;
    let proven = plan.files.iter().map(|item| {
        let shown = item.place.display().to_string();
        let digest = recovery.inputs.get(&shown).cloned().unwrap_or_default();
        (shown, item.from.clone(), digest)
    });
    let mut report = Report {
        set: plan.set.to_string(),
        form: plan.form,
        proven: proven.collect(),
        recovery,
        origins,
        not_given_back,
        remarks: plan.remarks.clone(),
    };
    match place {
        Place::Out(out) => work.publish_as(out).map_err(storage(out.display().to_string()))?,
        Place::InPlace(root) => publish_over(plan, root, work, &mut report, ambient, progress)?,
    }
    if plan.form != Form::Unit {
        report.remarks.push("Make a full backup now: sets of before lead to another history.".into());
    }
    Ok(report)
}

/// What stood there is set aside under a dated name, with a record of what came in its place.
fn publish_over(
    plan: &Plan,
    root: &Path,
    work: WorkFolder,
    report: &mut Report,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    let existing: BTreeSet<PathBuf> = match DiskFolder::read_only(root).list() {
        Ok(entries) => entries.into_iter().map(|entry| entry.path).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(storage(root.display().to_string())(error)),
    };
    let mut changes = Vec::new();
    for (shown, digest) in &report.recovery.outputs {
        let path = PathBuf::from(shown);
        let same = existing.contains(&path) && digest_of(&root.join(&path), progress)? == *digest;
        if !same {
            changes.push(Change::Put(path));
        }
    }
    let gone = plan.set_aside.iter().filter(|path| existing.contains(*path));
    let gone = gone.filter(|path| !report.recovery.outputs.contains_key(&path.display().to_string()));
    changes.extend(gone.cloned().map(Change::Remove));
    if changes.is_empty() {
        return Ok(());
    }
    let aside = aside_in(root, ambient);
    work.publish_over(root, &changes, &aside).map_err(|error| {
        if is_cut_off(root) {
            Error::CutOff(format!("{}: {error}: give the command again to complete the publication", root.display()))
        } else {
            storage(root.display().to_string())(error)
        }
    })?;
    let folder = root.join(&aside);
    if folder.is_dir() {
        report.recovery.set_aside = Some(folder.display().to_string());
        let json = serde_json::to_vec_pretty(&report).unwrap_or_default();
        if let Err(error) = std::fs::write(folder.join(RECORD), json) {
            report.not_given_back.push(format!("the record of this restore could not be written: {error}"));
        }
    }
    Ok(())
}
