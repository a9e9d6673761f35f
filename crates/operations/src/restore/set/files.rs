//! Single files of a set, raw, as they were: no replay, no proof but their hashes.

use super::error::{Error, storage};
use super::options::means;
use super::stage::{give_back, go_on, write};
use super::stored::{Stored, StreamError, place_of};
use crate::recover::{Place, Progress, clear_place, work_place};
use crate::sets::{FilePart, KnownSet};
use anchorlog_format::jet::JetCode;
use anchorlog_storage::publish::WorkFolder;
use anchorlog_vault::Vault;
use serde::Serialize;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Files that were written.
#[derive(Clone, Debug, Serialize)]
pub struct FilesReport {
    /// Place below the target, bytes, BLAKE3.
    pub files: Vec<(PathBuf, u64, String)>,
    /// What could not be given back of owners and times.
    pub not_given_back: Vec<String>,
}

/// Writes files of a set into a folder that does not exist or is empty; `wanted` are streams or their ends, and none means all. The
/// hash of each is verified before anything is published.
///
/// # Errors
/// [`Error`]: a name that the set has not, a folder that is taken, a stream that is not as it was stored; nothing is published then.
pub fn files(
    vault: &Arc<dyn Vault>,
    set: &KnownSet,
    wanted: &[String],
    out: &Path,
    progress: &mut dyn Progress,
) -> Result<FilesReport, Error> {
    let failed = |reason: String, jet| Error::Failed { reason, jet, findings: Vec::new() };
    let chosen = |part: &&FilePart| wanted.is_empty() || wanted.iter().any(|wanted| means(wanted, part.name.as_str()));
    if let Some(unknown) = wanted.iter().find(|wanted| !set.manifest.files.iter().any(|part| means(wanted, part.name.as_str()))) {
        return Err(failed(format!("set {} has no file {unknown}", set.id), Some(JetCode::FILE_NOT_FOUND)));
    }
    let place = clear_place(&Place::Out(out.to_owned()))?;
    let out = place.path();
    if out.exists() && !std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()) {
        let reason = format!("{} exists and is not an empty folder: nothing is ever overwritten", out.display());
        return Err(failed(reason, Some(JetCode::FILE_ALREADY_EXISTS)));
    }
    let parts: Vec<&FilePart> = set.manifest.files.iter().filter(chosen).collect();
    let needed: u64 = parts.iter().map(|part| part.size).sum();
    if anchorlog_storage::space::free_bytes(out).is_ok_and(|free| free < needed) {
        return Err(failed(format!("{needed} bytes are needed at {}", out.display()), Some(JetCode::DISK_FULL)));
    }
    let (parent, name) = work_place(&place)?;
    let work = WorkFolder::begin(&parent, &name).map_err(storage(parent.display().to_string()))?;
    go_on(progress.phase("copying", parts.len()))?;
    let mut report = FilesReport { files: Vec::new(), not_given_back: Vec::new() };
    for (at, part) in parts.iter().enumerate() {
        go_on(progress.step(part.name.as_str(), at, parts.len()))?;
        let stored = Stored::new(vault, &set.id, part);
        let below = place_of(&part.name);
        if !below.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(failed(format!("{} leads out of the target", part.name), Some(JetCode::INVALID_PARAMETER)));
        }
        let to = work.path().join(&below);
        let damaged = |reason: String| Error::Damaged {
            set: set.id.to_string(),
            stream: part.name.to_string(),
            reason,
            findings: Vec::new(),
        };
        let (size, digest) = match write(&stored, &to, &mut |_| progress.goes_on()) {
            Ok(Some(written)) => written,
            Ok(None) => return Err(Error::Interrupted),
            Err(StreamError::Vault(anchorlog_vault::Error::Damaged(damage))) => return Err(damaged(damage.to_string())),
            Err(StreamError::Vault(error)) => return Err(error.into()),
            Err(StreamError::Written(error)) => return Err(storage(to.display().to_string())(error)),
        };
        if (size, digest) != (part.size, part.blake3) {
            return Err(damaged(format!("it reads back with {size} bytes and the BLAKE3 {}", hex::encode(digest))));
        }
        report.not_given_back.extend(give_back(&to, &part.owner, part.role, true));
        report.files.push((below, size, hex::encode(digest)));
    }
    work.publish_as(out).map_err(storage(out.display().to_string()))?;
    Ok(report)
}
