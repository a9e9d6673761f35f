//! The files of a recovery: a folder, and databases or logs that lie elsewhere, as one folder in the layout of the result.

use crate::identify::{Content, Identified, content_of, identify};
use crate::restore::set::Stored;
use anchorlog_format::log::names;
use anchorlog_format::units::Signature;
use anchorlog_storage::publish::is_cut_off;
use anchorlog_storage::{DiskFolder, Entry, File, Folder};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the names of the folders begin into which originals are set aside.
pub(crate) const ASIDE: &str = "anchorlog-originals-";

/// Where the files lie.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The folder, with everything below it; empty: the databases that are named are all there is.
    pub folder: PathBuf,
    /// Databases that lie elsewhere.
    pub databases: Vec<PathBuf>,
    /// The folder of the logs, where it is another one; logs elsewhere are then not looked at.
    pub logs: Option<PathBuf>,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it lies: in a vault, for people.
    pub path: PathBuf,
    /// What it is; its path is the one in the result.
    pub identified: Identified,
    /// Where it lies, in a vault.
    pub(crate) stored: Option<Stored>,
}

impl Source {
    /// A file on disk.
    pub(crate) const fn on_disk(path: PathBuf, identified: Identified) -> Self {
        Self { path, identified, stored: None }
    }
    /// A stream of a set, with its place in the result; what cannot be read now is told when it is copied.
    pub(crate) fn in_vault(stored: Stored, place: PathBuf) -> Self {
        let content = content_of(&*stored.open(), stored.size).unwrap_or(Content::Unknown);
        let identified = Identified { path: place, size: stored.size, content };
        Self { path: stored.to_string().into(), identified, stored: Some(stored) }
    }
    /// For reading.
    ///
    /// # Errors
    /// Any error of opening the file.
    pub(crate) fn open(&self) -> io::Result<Arc<dyn File>> {
        if let Some(stored) = &self.stored {
            return Ok(stored.open());
        }
        open_on_disk(&self.path)
    }
    /// The signature of a database whose header can be read.
    #[must_use]
    pub fn database_signature(&self) -> Option<Signature> {
        match &self.identified.content {
            Content::Database { page, .. } => Some(page.header.signature),
            _ => None,
        }
    }
}

/// A file on disk, for reading alone.
///
/// # Errors
/// `NotFound` for a path that names no file; any error of opening it.
pub(crate) fn open_on_disk(path: &Path) -> io::Result<Arc<dyn File>> {
    let Some(name) = path.file_name() else { return Err(io::ErrorKind::NotFound.into()) };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DiskFolder::read_only(parent).open(Path::new(name))
}

/// All files, seen as one folder that can only be read.
#[derive(Clone, Debug)]
pub struct Sources {
    /// By their place in the result.
    files: Arc<BTreeMap<PathBuf, Source>>,
    /// The place of the logs in the result, where the user named it.
    pub log_place: Option<PathBuf>,
    /// Files that are looked at and are no part of the result.
    pub only_read: BTreeSet<PathBuf>,
    /// Whether files from elsewhere may be added in place.
    pub may_add: bool,
    /// Whether a recovery in place was cut off here while it was published: old and new files lie side by side.
    pub cut_off: bool,
}

impl Sources {
    /// Lists and recognises every file.
    ///
    /// # Errors
    /// `NotFound` for a folder or file that is not there; any error of listing and reading.
    pub fn gather(inputs: &Inputs) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let apart = inputs.folder.as_os_str().is_empty() && !inputs.databases.is_empty();
        if !apart {
            if !inputs.folder.is_dir() {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is no folder", inputs.folder.display())));
            }
            add_folder(&mut files, &inputs.folder, Path::new(""))?;
        }
        let mut log_place = None;
        if let Some(logs) = &inputs.logs {
            if !logs.is_dir() {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is no folder", logs.display())));
            }
            let inside = same_root(&inputs.folder, logs);
            let place = inside.clone().unwrap_or_else(|| logs.file_name().map_or_else(|| "logs".into(), PathBuf::from));
            if inside.is_none() {
                add_folder(&mut files, logs, &place)?;
            }
            log_place = Some(place);
        }
        for database in &inputs.databases {
            add_database(&mut files, &inputs.folder, database)?;
        }
        let cut_off = !apart && is_cut_off(&inputs.folder);
        Ok(Self { files: Arc::new(files), log_place, only_read: BTreeSet::new(), may_add: false, cut_off })
    }

    /// Files that were gathered and recognised already, each with its place in the result.
    pub(crate) fn of(files: impl IntoIterator<Item = Source>) -> Self {
        let files = files.into_iter().map(|source| (source.identified.path.clone(), source)).collect();
        Self { files: Arc::new(files), log_place: None, only_read: BTreeSet::new(), may_add: true, cut_off: false }
    }

    /// The files, by their place in the result.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.values()
    }

    /// The file of a place in the result.
    #[must_use]
    pub fn get(&self, place: &Path) -> Option<&Source> {
        self.files.get(place)
    }

    /// Files that may be databases: all that are, and those that a log may name and whose content no longer tells.
    pub fn database_candidates(&self) -> impl Iterator<Item = &Source> {
        self.iter().filter(|source| match &source.identified.content {
            Content::Database { .. } | Content::DamagedDatabase { .. } => true,
            Content::Unknown | Content::Empty | Content::Prepared => names::parse(&source.identified.name()).is_none(),
            _ => false,
        })
    }

    /// All of them as a folder.
    #[must_use]
    pub fn folder(&self) -> Arc<dyn Folder> {
        Arc::new(self.clone())
    }
}

/// The path below `folder`, when `other` lies inside it.
fn same_root(folder: &Path, other: &Path) -> Option<PathBuf> {
    let (folder, other) = (folder.canonicalize().ok()?, other.canonicalize().ok()?);
    other.strip_prefix(folder).ok().map(Path::to_path_buf)
}

fn add_folder(files: &mut BTreeMap<PathBuf, Source>, root: &Path, place: &Path) -> io::Result<()> {
    let folder = DiskFolder::read_only(root);
    for entry in folder.list()? {
        // What an earlier run left behind, and what it set aside, is no input.
        let is_ours = |part: &OsStr| [".anchorlog", ASIDE].iter().any(|start| part.to_string_lossy().starts_with(start));
        if entry.path.iter().any(is_ours) {
            continue;
        }
        add(files, &folder, root, &entry.path, place.join(&entry.path))?;
    }
    Ok(())
}

fn add_database(files: &mut BTreeMap<PathBuf, Source>, folder: &Path, database: &Path) -> io::Result<()> {
    if !database.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is no file", database.display())));
    }
    let (Some(parent), Some(name)) = (database.parent(), database.file_name().map(PathBuf::from)) else {
        return Ok(());
    };
    if same_root(folder, database).is_some() {
        return Ok(());
    }
    let root = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let place = DiskFolder::read_only(root);
    let map = name.with_extension("jfm");
    if root.join(&map).is_file() {
        add(files, &place, root, &map, map.clone())?;
    }
    add(files, &place, root, &name, name.clone())
}

fn add(files: &mut BTreeMap<PathBuf, Source>, folder: &DiskFolder, root: &Path, path: &Path, target: PathBuf) -> io::Result<()> {
    if let Some(other) = files.get(&target) {
        let text = format!("{} and {} would both become {}", other.path.display(), root.join(path).display(), target.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let mut identified = identify(folder, path)?;
    identified.path.clone_from(&target);
    files.insert(target, Source::on_disk(root.join(path), identified));
    Ok(())
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the source of a recovery is never written")
}

impl Folder for Sources {
    fn list(&self) -> io::Result<Vec<Entry>> {
        let entries = self.files.iter().map(|(path, source)| Entry { path: path.clone(), size: source.identified.size });
        Ok(entries.collect())
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let source = self
            .files
            .get(path)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display())))?;
        source.open()
    }
    fn open_write(&self, _path: &Path) -> io::Result<Arc<dyn File>> {
        Err(read_only())
    }
    fn create(&self, _path: &Path) -> io::Result<Arc<dyn File>> {
        Err(read_only())
    }
    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(read_only())
    }
    fn remove(&self, _path: &Path) -> io::Result<()> {
        Err(read_only())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
