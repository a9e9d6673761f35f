//! Copies of the sources, hashed as they are read.

use super::{MakeError, Progress, failed, go_on, refused};
use crate::identify::Content;
use crate::recover::{Source, Sources};
use crate::restore::set::{Stored, StreamError, digest_text, write_stored};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::names;
use anchorlog_storage::copy::{copy_file, read_file};
use anchorlog_storage::publish::WorkFolder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The files that go into the result: everything of the family, and whatever is named like a file of a stream.
pub(super) fn taking_part(sources: &Sources) -> impl Iterator<Item = &Source> {
    let takes_part = |content: &Content, name: &str| match content {
        Content::RevertSnapshot | Content::RestoreEnvironment => false,
        Content::Unknown | Content::Empty => names::parse(name).is_some(),
        _ => true,
    };
    sources
        .iter()
        .filter(move |source| takes_part(&source.identified.content, &source.identified.name()))
        .filter(|source| !sources.only_read.contains(&source.identified.path))
}

pub(crate) fn copy_files(
    sources: &Sources,
    work: &WorkFolder,
    progress: &mut dyn Progress,
) -> Result<BTreeMap<String, String>, MakeError> {
    let files: Vec<&Source> = taking_part(sources).collect();
    go_on(progress.phase("copying", files.len()))?;
    let stamps: Vec<_> = files.iter().map(|source| stamp(source)).collect();
    let mut digests = BTreeMap::new();
    for (at, source) in files.iter().enumerate() {
        let shown = source.identified.path.display().to_string();
        go_on(progress.step(&shown, at, files.len()))?;
        let to = work.path().join(&source.identified.path);
        let digest = match &source.stored {
            Some(stored) => from_vault(stored, &to, progress)?,
            None => from_disk(&source.path, &to, progress)?,
        };
        digests.insert(shown, digest);
    }
    // Files of one moment are what a plan is about: a service that still runs changes some before and some behind their copy.
    for (source, before) in files.iter().zip(stamps) {
        let after = stamp(source);
        if after != before || after.is_some_and(|(now, _)| now != source.identified.size) {
            let place = source.path.display();
            let reason = format!("{place} was changed while it was copied: stop what uses it, or work on a snapshot");
            return Err(refused(reason, Some(JetCode(-1032))));
        }
    }
    Ok(digests)
}

fn from_disk(from: &Path, to: &Path, progress: &mut dyn Progress) -> Result<String, MakeError> {
    let mut digest = Sha256::new();
    let copied = copy_file(from, to, &mut |bytes| {
        digest.update(bytes);
        progress.goes_on()
    });
    copied.map_err(|error| failed(&format!("{} could not be copied", from.display()), &error))?;
    Ok(hex(digest))
}

/// What comes must be what the manifest of its set says.
fn from_vault(stored: &Stored, to: &Path, progress: &mut dyn Progress) -> Result<String, MakeError> {
    let broken = |reason: String| {
        let reason = format!("{stored}: {reason}");
        MakeError::Failed { reason, jet: Some(JetCode::READ_VERIFY_FAILURE) }
    };
    match write_stored(stored, to, &mut |_| progress.goes_on()) {
        Ok(Some(written)) if written == (stored.size, stored.blake3) => Ok(digest_text(&stored.blake3)),
        Ok(Some((size, _))) => Err(broken(format!("it reads back with {size} bytes that are not those which were stored"))),
        Ok(None) => Err(MakeError::Interrupted),
        Err(StreamError::Vault(error)) => Err(broken(error.to_string())),
        Err(StreamError::Written(error)) => Err(failed(&format!("{stored} could not be copied"), &error)),
    }
}

/// Size and time of the last change; none of what a vault holds.
fn stamp(source: &Source) -> Option<(u64, std::time::SystemTime)> {
    let metadata = std::fs::metadata(&source.path).ok().filter(|_| source.stored.is_none())?;
    Some((metadata.len(), metadata.modified().ok()?))
}

pub(super) fn sha256(path: &Path, progress: &mut dyn Progress) -> io::Result<String> {
    let mut digest = Sha256::new();
    read_file(path, &mut |bytes| {
        digest.update(bytes);
        progress.goes_on()
    })?;
    Ok(hex(digest))
}

fn hex(digest: Sha256) -> String {
    hex::encode(digest.finalize())
}
