//! Carrying a restore out: on copies, proved, and published whole or not at all.

use super::environment::{self, Environment, Status};
use super::plan::Plan;
use crate::recover::{self, MakeError, Place, Precondition, Progress};
use anchorlog_format::jet::JetCode;
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::publish::WorkFolder;
use anchorlog_storage::{DiskFolder, Folder};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A restore that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The recovery; none where the files wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<recover::Report>,
    /// What was written down.
    pub environment: Environment,
    /// A warning that Microsoft's engine gives in place of success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<JetCode>,
}

/// Carries a plan out. The sources are never touched.
///
/// # Errors
/// [`MakeError`]: nothing is published then.
pub fn make(plan: &Plan, ambient: &Ambient, progress: &mut dyn Progress) -> Result<Report, MakeError> {
    if let Some(broken) = plan.preconditions.iter().find(|condition| !condition.holds) {
        return Err(refusal(broken));
    }
    let mut environment = plan.environment.clone();
    environment.status_time = environment::time(ambient.now());
    let recovery = match &plan.recovery {
        Some(recovery) => {
            // A publication that was cut off is completed first: what it wrote down counts.
            recover::clear_place(&plan.place)?;
            mark(plan, &environment, Status::Started, None);
            let result = recovered(plan, recovery, &mut environment, ambient, progress);
            match &result {
                Ok(_) => {}
                // The document is being replaced as well.
                Err(MakeError::CutOff { .. }) => {}
                Err(MakeError::Interrupted) => mark(plan, &environment, Status::Waiting, None),
                Err(MakeError::Refused { jet, .. } | MakeError::Failed { jet, .. }) => {
                    mark(plan, &environment, Status::Failed, *jet);
                }
            }
            Some(result?)
        }
        None => {
            held(plan, &mut environment, ambient, progress)?;
            None
        }
    };
    Ok(Report { recovery, environment, warning: plan.warning })
}

/// Says in the folder where the files wait how far their recovery came. They wait as well where that cannot be written.
fn mark(plan: &Plan, environment: &Environment, status: Status, error: Option<JetCode>) {
    if let Place::InPlace(root) = &plan.place {
        let error = error.map(|jet| jet.0);
        // What the run was about to say of itself is not so.
        let marked = Environment { status, error, last_restore: None, end: None, ..environment.clone() };
        _ = marked.replace(&DiskFolder::new(root));
    }
}

fn refusal(broken: &Precondition) -> MakeError {
    recover::refused(format!("{}: {}: {}", broken.id, broken.rule, broken.found), broken.jet)
}

fn recovered(
    plan: &Plan,
    recovery: &recover::Plan,
    environment: &mut Environment,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<recover::Report, MakeError> {
    let report = recover::make_with(recovery, &plan.sources, &plan.place, ambient, progress, &mut |work, report| {
        note_digests(environment, &report.inputs)?;
        environment.status = Status::Done;
        environment.last_restore = Some(environment.status_time.clone());
        environment.end = report.run.as_ref().map(|run| run.end.to_string());
        write(work, environment)
    })?;
    Ok(report)
}

/// The files wait: nothing is replayed.
fn held(plan: &Plan, environment: &mut Environment, ambient: &Ambient, progress: &mut dyn Progress) -> Result<(), MakeError> {
    let place = &recover::clear_place(&plan.place)?;
    if let Some(broken) = place.conditions(&plan.sources).iter().find(|condition| !condition.holds) {
        return Err(refusal(broken));
    }
    let (parent, name) = recover::work_place(place)?;
    let work =
        WorkFolder::begin(&parent, &name).map_err(|error| recover::failed("the working folder could not be made", &error))?;
    let inputs = recover::copy_files(&plan.sources, &work, progress)?;
    note_digests(environment, &inputs)?;
    write(&work, environment)?;
    let out = place.path().display().to_string();
    let mut report = recover::Report::of_copies(out, inputs);
    recover::publish(place, work, &mut report, ambient, progress)
}

/// What waited must be what came from the set; what is new is written down.
fn note_digests(environment: &mut Environment, inputs: &BTreeMap<String, String>) -> Result<(), MakeError> {
    let databases = environment.databases.iter_mut().map(|database| (&database.destination, &mut database.sha256));
    let logs = environment.logs.iter_mut().map(|log| (&log.destination, &mut log.sha256));
    for (destination, known) in databases.chain(logs) {
        let Some(found) = inputs.get(destination) else { continue };
        if known.is_empty() {
            known.clone_from(found);
        } else if known != found {
            let reason = format!("{destination} was changed since it was restored: restore the sets anew");
            return Err(recover::refused(reason, None));
        }
    }
    Ok(())
}

fn write(work: &WorkFolder, environment: &Environment) -> Result<(), MakeError> {
    let what = "what was restored could not be written down";
    let bytes = environment.to_bytes().map_err(|error| recover::failed(what, &error))?;
    let written = work.folder().create(Path::new(environment::NAME)).and_then(|file| file.write_at(0, &bytes));
    written.map_err(|error| recover::failed(what, &error))
}
