//! Results are built in a hidden working folder and published by rename: a crash at any moment leaves the old state or the new one.
//!
//! Two ways lead out of a [`WorkFolder`]. [`WorkFolder::publish_as`] renames the whole folder to a name that did not exist: one rename, one
//! commit point. [`WorkFolder::publish_over`] replaces files in an existing folder and sets what stood there aside: the renames are written
//! down first, in a journal whose own rename is the commit point, and [`finish_interrupted`] carries them out after a crash.

use crate::disk::{DiskFolder, sync_folder};
pub use crate::journal::Change;
use crate::journal::{DRAFT, JOURNAL, Journal};
use crate::lock::FileLock;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const WORK_PREFIX: &str = ".anchorlog-work-";
const LOCK_SUFFIX: &str = ".lock";

/// A hidden folder in which a result is built. Dropped without being published, it is removed.
#[derive(Debug)]
pub struct WorkFolder {
    path: PathBuf,
    lock: Option<FileLock>,
    /// Folders on the way that did not exist, the deepest first: where nothing is published they go as well.
    made: Vec<PathBuf>,
}

impl WorkFolder {
    /// Makes an empty working folder inside `parent`, which is made when it does not exist. `name` only serves people who see it.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn begin(parent: &Path, name: &str) -> io::Result<Self> {
        let missing = |place: &&Path| !place.as_os_str().is_empty() && !place.exists();
        let made: Vec<PathBuf> = parent.ancestors().take_while(missing).map(Path::to_path_buf).collect();
        fs::create_dir_all(parent)?;
        for attempt in 0..1000_u32 {
            let path = parent.join(format!("{WORK_PREFIX}{name}-{}-{attempt}", std::process::id()));
            // The lock comes first: a folder without one is a leftover.
            let lock = match FileLock::exclusive(&lock_of(&path)) {
                Ok(lock) => lock,
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => continue,
                Err(error) => return Err(error),
            };
            match fs::create_dir(&path) {
                // Someone who took the lock file for a leftover may have removed it before it was locked.
                Ok(()) if lock_of(&path).exists() => return Ok(Self { path, lock: Some(lock), made }),
                Ok(()) => fs::remove_dir(&path)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    drop(lock);
                    let _ = fs::remove_file(lock_of(&path));
                    return Err(error);
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("too many working folders in {}", parent.display())))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for reading and writing.
    #[must_use]
    pub fn folder(&self) -> DiskFolder {
        DiskFolder::new(&self.path)
    }

    /// Makes everything durable and renames the folder to `target`, which must not exist or be an empty folder, on the same volume.
    ///
    /// # Errors
    /// `AlreadyExists` when something stands there; any error of the file system. Nothing is published then.
    pub fn publish_as(mut self, target: &Path) -> io::Result<()> {
        sync_tree(&self.path)?;
        if target.exists() {
            // Fails unless it is an empty folder.
            fs::remove_dir(target).map_err(|_| {
                io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists and is not an empty folder", target.display()))
            })?;
        }
        fs::rename(&self.path, target)?;
        self.release();
        sync_folder(parent_of(target))
    }

    /// Makes everything durable and puts the files into `root`; what stood in their places goes to the new folder `aside` in `root`.
    /// The working folder must lie in `root` itself, so that every step is a rename.
    ///
    /// # Errors
    /// `AlreadyExists` when `aside` exists or another publication was interrupted here; `InvalidInput` for a path that leads out of the
    /// folder or a file that was not built; any error of the file system. Before the commit point nothing has changed; after it,
    /// [`finish_interrupted`] completes what an error or a crash cut off.
    pub fn publish_over(mut self, root: &Path, changes: &[Change], aside: &str) -> io::Result<()> {
        let folder = DiskFolder::new(root);
        let name = self.path.file_name().and_then(|name| name.to_str()).filter(|_| parent_of(&self.path) == root);
        let Some(name) = name.map(str::to_owned) else {
            let reason = format!("{} does not lie in {}", self.path.display(), root.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        };
        if root.join(aside).exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{aside} is there already")));
        }
        let journal = Journal::new(&folder, &name, changes, aside)?;
        sync_tree(&self.path)?;
        let done = journal.commit(&folder).and_then(|()| journal.carry_out(&folder, usize::MAX));
        if is_cut_off(root) {
            // Committed, but not carried out to its end: whoever completes it needs the files.
            self.lock = None;
            self.path = PathBuf::new();
        } else if done.is_ok() {
            // Files that were built and changed nothing; a failure leaves a hidden folder, which `remove_leftovers` finds.
            let _ = fs::remove_dir_all(&self.path);
            self.release();
        }
        done
    }

    /// Gives the folder up without removing what is in it: it has another name now.
    fn release(&mut self) {
        self.lock = None;
        let _ = fs::remove_file(lock_of(&self.path));
        self.path = PathBuf::new();
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // A failure leaves a hidden folder, which `remove_leftovers` finds.
            let _ = fs::remove_dir_all(&self.path);
            self.release();
            for folder in &self.made {
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

/// Removes working folders in `parent` whose run is gone; returns how many. Those of runs that still work are left alone, and so is one
/// that an interrupted publication still needs.
///
/// # Errors
/// Any error of the file system.
pub fn remove_leftovers(parent: &Path) -> io::Result<usize> {
    if !parent.is_dir() || is_cut_off(parent) {
        return Ok(0);
    }
    let (mut removed, mut at_work) = (0, false);
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(WORK_PREFIX) {
            continue;
        }
        // A run that was killed right behind its publication leaves its lock alone.
        let work = parent.join(name.strip_suffix(LOCK_SUFFIX).unwrap_or(&name));
        let lock_path = lock_of(&work);
        let Ok(lock) = FileLock::exclusive(&lock_path) else {
            at_work = true;
            continue;
        };
        if work.is_dir() {
            fs::remove_dir_all(&work)?;
            removed += 1;
        }
        let gone = fs::remove_file(&lock_path);
        drop(lock);
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    if !at_work {
        let _ = fs::remove_file(draft_of(parent));
    }
    Ok(removed)
}

/// Whether a publication over `root` was cut off behind its commit point: old and new files lie side by side then.
#[must_use]
pub fn is_cut_off(root: &Path) -> bool {
    root.join(JOURNAL).exists()
}

/// Completes a publication over `root` that a crash cut off behind its commit point; `false` when there was none.
///
/// # Errors
/// `InvalidData` for a journal that is none of ours; `ResourceBusy` while the run that wrote it still works; any error of the file system.
pub fn finish_interrupted(root: &Path) -> io::Result<bool> {
    let folder = DiskFolder::new(root);
    let Some(journal) = Journal::read(&folder)? else { return Ok(false) };
    let work = root.join(&journal.work);
    let _lock = FileLock::exclusive(&lock_of(&work))?;
    journal.carry_out(&folder, usize::MAX)?;
    if work.is_dir() {
        fs::remove_dir_all(&work)?;
    }
    let _ = fs::remove_file(lock_of(&work));
    sync_folder(root)?;
    Ok(true)
}

fn draft_of(root: &Path) -> PathBuf {
    root.join(DRAFT)
}

fn lock_of(work: &Path) -> PathBuf {
    let mut name = work.as_os_str().to_owned();
    name.push(LOCK_SUFFIX);
    name.into()
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes every file and folder below durable.
fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            fs::OpenOptions::new().read(true).write(true).open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(path)
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
