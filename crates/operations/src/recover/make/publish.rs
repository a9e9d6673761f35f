//! Publication: whole or not at all.

use super::copy::sha256;
use super::{MakeError, Place, Progress, failed, go_on};
use crate::recover::report::Report;
use crate::recover::sources::ASIDE;
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::publish::{Change, WorkFolder, is_cut_off};
use anchorlog_storage::{Entry, Folder};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

pub(crate) fn publish(
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
            let changes = changes(&entries, report, root);
            if changes.is_empty() {
                return Ok(());
            }
            let aside = aside_in(root, ambient);
            work.publish_over(root, &changes, &aside).map_err(|error| match unpublished(error) {
                MakeError::Failed { reason, jet } if is_cut_off(root) => MakeError::CutOff { reason, jet },
                other => other,
            })?;
            report.set_aside = Some(root.join(aside).display().to_string());
            Ok(())
        }
    }
}

/// The folder below `root` into which originals are set aside now; two publications of one second have folders of their own.
pub(crate) fn aside_in(root: &Path, ambient: &Ambient) -> String {
    let time: String = ambient.now().to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    let name = format!("{ASIDE}{time}");
    let others = (2..).map(|number: u32| format!("{name}-{number}"));
    std::iter::once(name.clone()).chain(others).find(|name| !root.join(name).exists()).unwrap_or(name)
}

/// What in-place publication changes: files that differ take their places, files that are no part of the result go.
fn changes(entries: &[Entry], report: &Report, root: &Path) -> Vec<Change> {
    let differs = |entry: &&Entry| {
        let path = entry.path.display().to_string();
        // A log that came from elsewhere is new here, though it is as it was there.
        report.inputs.get(&path) != report.outputs.get(&path) || !root.join(&entry.path).exists()
    };
    let kept: BTreeSet<String> = entries.iter().map(|entry| entry.path.display().to_string()).collect();
    let gone = report.inputs.keys().filter(|path| !kept.contains(*path)).map(|path| Change::Remove(path.into()));
    entries.iter().filter(differs).map(|entry| Change::Put(entry.path.clone())).chain(gone).collect()
}
