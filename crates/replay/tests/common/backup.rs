//! Backup sets, laid out to be recovered.

use super::{ambient, told};
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::names::{self, Extension, Role};
use anchorlog_format::units::Generation;
use anchorlog_replay::hard::Set;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{self, Failure, Options, Report, Setup};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::EngineSet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder with a set's databases in `db/`, its logs in `log/`, and logs of production in `production/`.
pub struct Work {
    pub folder: tempfile::TempDir,
    pub set: BTreeMap<Generation, PathBuf>,
    pub production: BTreeMap<Generation, PathBuf>,
    pub current: Option<PathBuf>,
}

impl Work {
    /// Lays out what was restored: the databases of the first source, the logs of all.
    pub fn new(sources: &[PathBuf]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut work = Self { folder, set: BTreeMap::new(), production: BTreeMap::new(), current: None };
        for place in ["db", "log", "production"] {
            fs::create_dir(work.root().join(place)).unwrap();
        }
        for (at, source) in sources.iter().enumerate() {
            for entry in fs::read_dir(source).unwrap().flatten() {
                let name = entry.file_name().into_string().unwrap();
                if let Some(generation) = archived(&name) {
                    let path = Path::new("log").join(&name);
                    fs::copy(entry.path(), work.root().join(&path)).unwrap();
                    work.set.insert(generation, path);
                } else if at == 0 && name.ends_with(".edb") {
                    fs::copy(entry.path(), work.root().join("db").join(&name)).unwrap();
                }
            }
        }
        work
    }
    /// Adds logs of production by name.
    pub fn with_production(mut self, folder: &Path, given: &[&str]) -> Self {
        for name in given {
            let path = Path::new("production").join(name);
            fs::copy(folder.join(name), self.root().join(&path)).unwrap();
            match archived(name) {
                Some(generation) => _ = self.production.insert(generation, path),
                None if *name == "edb.log" => self.current = Some(path),
                None => {}
            }
        }
        self
    }
    pub fn root(&self) -> &Path {
        self.folder.path()
    }
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }
    pub fn setup(&self) -> Setup {
        let folder = Arc::new(DiskFolder::new(self.root()));
        let (low, high) = (*self.set.keys().next().unwrap(), *self.set.keys().next_back().unwrap());
        let naming = names::Naming { base: "edb".into(), extension: Extension::Log, wide: false };
        let mut files = StreamFiles::empty("production", naming);
        files.archives.clone_from(&self.set);
        let (overlap, behind): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.production.clone().into_iter().partition(|(generation, _)| *generation <= high);
        files.archives.extend(behind);
        files.current.clone_from(&self.current);
        let databases = fs::read_dir(self.path("db")).unwrap().flatten().map(|entry| entry.path());
        let mut candidates: Vec<Candidate> = databases
            .map(|path| Candidate {
                path: path.strip_prefix(self.root()).unwrap().to_owned(),
                signature: Some(header_of(&path).header.signature),
            })
            .collect();
        candidates.sort_by(|a, b| a.path.cmp(&b.path));
        Setup {
            logs: Logs { folder: folder.clone(), files },
            folder,
            naming: Naming { candidates, map: Vec::new() },
            options: Options { hard: Some(Set { low, high, overlap }), ..Options::default() },
        }
    }
    /// The run, planned and made: both must come to the same.
    pub fn run(&self) -> Result<Report, Failure> {
        let setup = self.setup();
        let planned = run::plan(&setup, &ambient(), &mut ());
        let made = run::replay(&setup, &ambient(), &mut ());
        let code = |result: &Result<Report, Failure>| result.as_ref().err().map(|failure| failure.error.jet.0);
        assert_eq!(code(&planned), code(&made), "{}", told(&planned));
        made
    }
    pub fn code(&self) -> i32 {
        self.run().err().map_or(0, |failure| failure.error.jet.0)
    }
}

pub fn archived(name: &str) -> Option<Generation> {
    match names::parse(name)?.role {
        Role::Archive { generation, .. } => Some(generation),
        _ => None,
    }
}

pub fn header_of(path: &Path) -> HeaderPage {
    let bytes = fs::read(path).unwrap();
    HeaderPage::elect(&bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)]).unwrap().0
}

pub fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A stage of a set's restores, laid out.
pub fn stage(set: &EngineSet, restore: &Value) -> Work {
    let folder = set.folder();
    let sources: Vec<PathBuf> = texts(&restore["sources"]).iter().map(|source| folder.join(source)).collect();
    Work::new(&sources).with_production(&folder.join("production/log"), &texts(&restore["production_logs_given"]))
}
