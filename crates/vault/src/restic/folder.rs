//! A repository in a folder.

use crate::restic::Id;
use crate::restic::backend::{Backend, Kind, Object};
use anchorlog_storage::{Folder, read_all, read_all_into};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Objects under construction: a repository's own listings never look there.
const DRAFTS: &str = "tmp";

/// A repository in a folder, laid out as restic does.
pub struct FolderBackend {
    folder: Arc<dyn Folder>,
    location: String,
    /// Where it lies on a disk, if it does.
    place: Option<PathBuf>,
    /// Drafts of this process get names that no other's have.
    run: String,
    drafts: AtomicU64,
    /// Folders with names that are not durable yet.
    touched: Mutex<BTreeSet<PathBuf>>,
}

impl FolderBackend {
    /// Over this folder; `location` is what people call it.
    ///
    /// # Errors
    /// No random numbers to be had.
    pub fn new(folder: Arc<dyn Folder>, location: impl Into<String>) -> io::Result<Self> {
        let mut run = [0; 8];
        getrandom::fill(&mut run).map_err(io::Error::other)?;
        let run = format!("{}-{}", std::process::id(), hex::encode(run));
        Ok(Self { folder, location: location.into(), run, drafts: AtomicU64::new(0), touched: Mutex::default(), place: None })
    }
    /// Says where on a disk the folder lies: only then it is known how much is free there.
    #[must_use]
    pub fn at(self, place: &Path) -> Self {
        Self { place: Some(place.to_owned()), ..self }
    }
    fn touched(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Notes the folders of an object: the inner ones may be new.
    fn touch(&self, target: &Path) {
        self.touched().extend(target.ancestors().skip(1).map(Path::to_owned));
    }
}

impl Backend for FolderBackend {
    fn location(&self) -> String {
        self.location.clone()
    }
    fn list(&self, kind: Kind) -> io::Result<Vec<(Id, u64)>> {
        if kind == Kind::Config {
            return match self.folder.open(&place(Object::CONFIG)).and_then(|file| file.size()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                size => Ok(vec![(Object::CONFIG.id, size?)]),
            };
        }
        let object = |path: &Path| {
            let id = path.file_name().and_then(|name| name.to_str()).and_then(Id::parse)?;
            // What lies in the wrong place would not be found there.
            (path == place(Object::new(kind, id))).then_some(id)
        };
        let entries = self.folder.list_below(Path::new(kind.folder()))?;
        Ok(entries.iter().filter_map(|entry| Some((object(&entry.path)?, entry.size))).collect())
    }
    fn read(&self, object: Object, limit: u64) -> io::Result<Vec<u8>> {
        read_all(&*self.folder.open(&place(object))?, limit)
    }
    fn read_into(&self, object: Object, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        read_all_into(&*self.folder.open(&place(object))?, limit, bytes)
    }
    fn read_range(&self, object: Object, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self.folder.open(&place(object))?;
        // Nothing is allocated for what the file cannot have.
        if file.size()?.saturating_sub(offset) < length as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        match file.read_at(offset, &mut bytes)? {
            read if read == length => Ok(bytes),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    fn create(&self, object: Object, bytes: &[u8]) -> io::Result<()> {
        let target = place(object);
        match self.folder.open(&target) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{object} is there already"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let draft = Path::new(DRAFTS).join(format!("{}-{}", self.run, self.drafts.fetch_add(1, Ordering::Relaxed)));
        let written = self.folder.create(&draft).and_then(|file| {
            file.write_at(0, bytes)?;
            file.sync()?;
            drop(file);
            self.folder.rename(&draft, &target)?;
            self.touch(&target);
            Ok(())
        });
        if written.is_err() {
            // The first error is the one to tell.
            let _ = self.folder.remove(&draft);
        }
        written
    }
    fn remove(&self, object: Object) -> io::Result<()> {
        let target = place(object);
        self.touch(&target);
        self.folder.remove(&target)
    }
    fn sync(&self) -> io::Result<()> {
        let touched = std::mem::take(&mut *self.touched());
        let synced = self.folder.sync_folders(&touched);
        if synced.is_err() {
            self.touched().extend(touched);
        }
        synced
    }
    fn free_bytes(&self) -> Option<u64> {
        anchorlog_storage::space::free_bytes(self.place.as_deref()?).ok()
    }
    fn remove_drafts(&self) -> io::Result<()> {
        let drafts = match self.folder.list_below(Path::new(DRAFTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            drafts => drafts?,
        };
        for draft in drafts {
            match self.folder.remove(&draft.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn place(object: Object) -> PathBuf {
    object.to_string().split('/').collect()
}
