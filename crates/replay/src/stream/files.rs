//! Which files of a folder belong to a log stream, by name (`log-1 §1`). What they hold is not looked at.

use anchorlog_format::log::names::{self, Extension, Naming, Role};
use anchorlog_format::units::Generation;
use anchorlog_storage::Folder;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The files of one stream in one folder.
#[derive(Clone, Debug)]
pub struct StreamFiles {
    /// Where they lie.
    pub folder: PathBuf,
    /// How they are named.
    pub naming: Naming,
    /// Archived logs by the generation that their names say.
    pub archives: BTreeMap<Generation, PathBuf>,
    /// Archived logs whose generation another file has as well: one name with five digits and one with eight, or a copy of the current log.
    pub doubled: Vec<PathBuf>,
    /// The current log.
    pub current: Option<PathBuf>,
    /// The next log in preparation.
    pub temporary: Option<PathBuf>,
    /// The checkpoint.
    pub checkpoint: Option<PathBuf>,
    /// Reserve logs.
    pub reserves: Vec<PathBuf>,
}

impl StreamFiles {
    /// No files yet.
    #[must_use]
    pub fn empty(folder: impl Into<PathBuf>, naming: Naming) -> Self {
        Self {
            folder: folder.into(),
            naming,
            archives: BTreeMap::new(),
            doubled: Vec::new(),
            current: None,
            temporary: None,
            checkpoint: None,
            reserves: Vec::new(),
        }
    }

    /// The streams directly inside `folder` (`""` for the root), by base name and extension, ascending. Of a stream with files of both
    /// extensions each extension is a stream of its own; the caller takes the one with a current log.
    ///
    /// # Errors
    /// Any error of the storage.
    pub fn find(root: &dyn Folder, folder: &Path) -> io::Result<Vec<Self>> {
        let mut streams: BTreeMap<(String, Extension), Self> = BTreeMap::new();
        let mut reserves: Vec<(String, PathBuf)> = Vec::new();
        for entry in root.list()? {
            let inside = entry.path.parent().unwrap_or(Path::new("")) == folder;
            let Some(name) = entry.path.file_name().and_then(|name| name.to_str()).filter(|_| inside).and_then(names::parse)
            else {
                continue;
            };
            let key = name.base.to_ascii_lowercase();
            let extension = match name.role {
                Role::Current(extension) | Role::Temporary(extension) | Role::Checkpoint(extension) => extension,
                Role::Archive { extension, .. } => extension,
                Role::Reserve => {
                    reserves.push((key, entry.path));
                    continue;
                }
                Role::Shadow { .. } => continue,
            };
            let naming = Naming { base: name.base, extension, wide: false };
            let stream = streams.entry((key, extension)).or_insert_with(|| Self::empty(folder, naming));
            stream.add(name.role, entry.path);
        }
        for ((base, _), stream) in &mut streams {
            stream.reserves =
                reserves.iter().filter(|(of, _)| of == base || of.is_empty()).map(|(_, path)| path.clone()).collect();
        }
        Ok(streams.into_values().collect())
    }

    fn add(&mut self, role: Role, path: PathBuf) {
        match role {
            Role::Current(_) => self.current = Some(path),
            Role::Temporary(_) => self.temporary = Some(path),
            Role::Checkpoint(_) => self.checkpoint = Some(path),
            Role::Archive { generation, wide, .. } => {
                self.naming.wide |= wide && generation.0 <= 0xF_FFFF;
                if let Some(other) = self.archives.insert(generation, path) {
                    self.doubled.push(other);
                }
            }
            Role::Reserve | Role::Shadow { .. } => {}
        }
    }

    /// Path of a file of the stream.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
