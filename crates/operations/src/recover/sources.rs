//! The files that a recovery reads: those of a folder, and those that the user named elsewhere, as one folder that is never written.

use crate::identify::{Content, Identified, identify};
use anchorlog_storage::disk::DiskFolder;
use anchorlog_storage::{Entry, File, Folder};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files by the path that they have in the result, each with the place where it lies.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: BTreeMap<PathBuf, PathBuf>,
}

impl Sources {
    /// Everything below a folder.
    ///
    /// # Errors
    /// Any error of listing it.
    pub fn of_folder(root: &Path) -> io::Result<Self> {
        let mut sources = Self::default();
        sources.add_folder(root, Path::new(""))?;
        Ok(sources)
    }
    /// Adds everything below a folder, under `prefix`.
    ///
    /// # Errors
    /// Any error of listing it.
    pub fn add_folder(&mut self, root: &Path, prefix: &Path) -> io::Result<()> {
        for entry in DiskFolder::read_only(root).list()? {
            // Working folders of other runs are no sources.
            let hidden = |part: &std::ffi::OsStr| part.to_string_lossy().starts_with(".anchorlog");
            if !entry.path.iter().any(hidden) {
                self.files.insert(prefix.join(&entry.path), root.join(&entry.path));
            }
        }
        Ok(())
    }
    /// Adds one file under a path of the result.
    pub fn add_file(&mut self, place: PathBuf, as_path: PathBuf) {
        self.files.insert(as_path, place);
    }
    /// Takes a file out.
    pub fn remove(&mut self, path: &Path) {
        self.files.remove(path);
    }
    /// Keeps the files for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Path) -> bool) {
        self.files.retain(|path, _| keep(path));
    }
    /// Where a file lies.
    #[must_use]
    pub fn place(&self, path: &Path) -> Option<&Path> {
        self.files.get(path).map(PathBuf::as_path)
    }
    /// All files, by path.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }
    /// What each file is, by content.
    ///
    /// # Errors
    /// Any error of reading a file's start, with its place.
    pub fn identify(&self) -> io::Result<Vec<Identified>> {
        self.paths()
            .map(|path| {
                identify(self, path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
            })
            .collect()
    }
}

/// Whether a file takes part in a recovery, by what it is.
#[must_use]
pub const fn takes_part(content: &Content) -> bool {
    content.is_known() && !matches!(content, Content::RevertSnapshot)
}

impl Folder for Sources {
    fn list(&self) -> io::Result<Vec<Entry>> {
        let entry = |(path, place): (&PathBuf, &PathBuf)| Ok(Entry { path: path.clone(), size: std::fs::metadata(place)?.len() });
        self.files.iter().map(entry).collect()
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let place = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        let parent = place.parent().unwrap_or(Path::new(""));
        let name = place.file_name().ok_or(io::ErrorKind::NotFound)?;
        DiskFolder::read_only(parent).open(Path::new(name))
    }
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Err(refused(path))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Err(refused(path))
    }
    fn rename(&self, from: &Path, _: &Path) -> io::Result<()> {
        Err(refused(from))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Err(refused(path))
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn refused(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is a source, and never written", path.display()))
}
