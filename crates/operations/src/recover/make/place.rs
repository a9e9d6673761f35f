//! Where the result goes, and whether there is room for it.

use super::{MakeError, failed, refused, taking_part};
use crate::recover::Sources;
use anchorlog_format::jet::JetCode;
use anchorlog_storage::publish::{finish_interrupted, remove_leftovers};
use anchorlog_storage::space::free_bytes;
use std::path::{Path, PathBuf};

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder that does not exist, or is empty.
    Out(PathBuf),
    /// The place of the originals, which are set aside in a folder beside them.
    InPlace(PathBuf),
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

/// Ends what an earlier run left: a publication that a crash cut off behind its commit point is completed, working folders are removed.
pub(super) fn clear_place(place: &Place) -> Result<Place, MakeError> {
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

pub(super) fn is_free(out: &Path) -> Result<(), MakeError> {
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
pub(super) fn lies_inside(sources: &Sources, root: &Path) -> Result<(), MakeError> {
    let elsewhere = sources.iter().find(|source| source.path != root.join(&source.identified.path));
    match elsewhere {
        Some(source) => {
            let reason = format!("{} lies elsewhere: in place works on one folder alone", source.path.display());
            Err(refused(reason, None))
        }
        None => Ok(()),
    }
}

pub(super) fn work_place(place: &Place) -> Result<(PathBuf, String), MakeError> {
    if let Place::InPlace(root) = place {
        return Ok((root.clone(), "recover".into()));
    }
    let out = std::path::absolute(place.path()).map_err(|error| failed("the place of the result cannot be found", &error))?;
    let parent = out.parent().unwrap_or(Path::new("/")).to_path_buf();
    let name = out.file_name().map_or_else(|| "recover".into(), |name| name.to_string_lossy().into_owned());
    Ok((parent, name))
}
