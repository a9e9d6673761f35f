//! Copies of the sources, hashed as they are read.

use super::{MakeError, Progress, failed, go_on, refused};
use crate::identify::Content;
use crate::recover::Sources;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::names;
use anchorlog_storage::copy::{copy_file, read_file};
use anchorlog_storage::publish::WorkFolder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The files that go into the result: everything of the family, and whatever is named like a file of a stream.
pub(super) fn taking_part(sources: &Sources) -> impl Iterator<Item = (&Path, &Path, u64)> {
    let takes_part = |content: &Content, name: &str| match content {
        Content::RevertSnapshot | Content::RestoreEnvironment => false,
        Content::Unknown | Content::Empty => names::parse(name).is_some(),
        _ => true,
    };
    sources
        .iter()
        .filter(move |source| takes_part(&source.identified.content, &source.identified.name()))
        .filter(|source| !sources.only_read.contains(&source.identified.path))
        .map(|source| (source.identified.path.as_path(), source.path.as_path(), source.identified.size))
}

pub(crate) fn copy_files(
    sources: &Sources,
    work: &WorkFolder,
    progress: &mut dyn Progress,
) -> Result<BTreeMap<String, String>, MakeError> {
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

pub(super) fn sha256(path: &Path, progress: &mut dyn Progress) -> io::Result<String> {
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
