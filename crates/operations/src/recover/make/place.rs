//! Where the result goes, and whether there is room for it.

use super::{MakeError, failed, refused, taking_part};
use crate::recover::{Precondition, Sources};
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
    /// What must hold of it: nothing there is overwritten, and there is room for a copy of everything that takes part.
    #[must_use]
    pub fn conditions(&self, sources: &Sources) -> Vec<Precondition> {
        let (rule, broken) = match self {
            Self::Out(out) => ("the place of the result is free", taken(out)),
            Self::InPlace(root) => ("all files lie in the folder in which they are replaced", outside(sources, root)),
        };
        let holds = broken.is_none();
        let found = broken.unwrap_or_else(|| self.path().display().to_string());
        let mut conditions = vec![Precondition { id: "place", rule, holds, found, jet: None }];
        let needed: u64 = taking_part(sources).map(|source| source.identified.size).sum();
        // Where nobody tells how much is free, the copy will.
        if let Ok(free) = free_bytes(self.path()) {
            let found = format!("the result needs {needed} bytes at {}, and {free} are free", self.path().display());
            let (rule, jet) = ("there is room for the result", Some(JetCode::DISK_FULL));
            conditions.push(Precondition { id: "room", rule, holds: free >= needed, found, jet });
        }
        conditions
    }
}

/// Ends what an earlier run left: a publication that a crash cut off behind its commit point is completed, working folders are removed.
pub(crate) fn clear_place(place: &Place) -> Result<Place, MakeError> {
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

/// Why nothing may be published there, if so.
fn taken(out: &Path) -> Option<String> {
    if !out.exists() {
        return None;
    }
    let shown = out.display();
    if !std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()) {
        return Some(format!("{shown} exists and is not an empty folder: name another place, nothing is ever overwritten"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let volume = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
        if out.parent().is_some_and(|parent| volume(parent) != volume(out)) {
            return Some(format!("{shown} is the root of a volume, and is published by rename: name a folder inside it"));
        }
    }
    None
}

/// A source that does not lie in the folder cannot be replaced there.
fn outside(sources: &Sources, root: &Path) -> Option<String> {
    if sources.may_add {
        return None;
    }
    let elsewhere = sources.iter().find(|source| source.path != root.join(&source.identified.path))?;
    Some(format!("{} lies elsewhere: in place works on one folder alone", elsewhere.path.display()))
}

pub(crate) fn work_place(place: &Place) -> Result<(PathBuf, String), MakeError> {
    if let Place::InPlace(root) = place {
        return Ok((root.clone(), "recover".into()));
    }
    let out = std::path::absolute(place.path()).map_err(|error| failed("the place of the result cannot be found", &error))?;
    let parent = out.parent().unwrap_or(Path::new("/")).to_path_buf();
    let name = out.file_name().map_or_else(|| "recover".into(), |name| name.to_string_lossy().into_owned());
    Ok((parent, name))
}
