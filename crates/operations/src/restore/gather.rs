//! What lies in the folders of a restore: the databases and logs of each set, and what is neither.

use super::environment::Environment;
use crate::identify::{Content, Identified, identify};
use crate::recover::{ASIDE, Source};
use crate::restore::set::{Stored, place_of};
use crate::sets::{FilePart, History, KnownSet, LogFacts, LogState, Role as SetRole};
use anchorlog_format::log::names::{self, Extension, Naming, Role};
use anchorlog_format::units::Generation;
use anchorlog_storage::{DiskFolder, Folder};
use anchorlog_vault::Vault;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log by its name.
#[derive(Clone, Debug)]
pub(crate) struct FoundLog {
    pub generation: Generation,
    pub wide: bool,
    pub source: Source,
}

/// A file that no restore takes.
#[derive(Clone, Debug)]
pub(crate) struct Other {
    pub path: PathBuf,
    pub why: &'static str,
}

/// One folder of a set.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoundSet {
    pub root: PathBuf,
    pub databases: Vec<Source>,
    /// Logs by base name (lower case) and extension.
    pub logs: BTreeMap<(String, Extension), Vec<FoundLog>>,
    /// Patch files that hold pages.
    pub patches: Vec<PathBuf>,
    pub others: Vec<Other>,
    /// Whether it is a target in which a restore waits: its databases lie where they belong.
    pub waits: bool,
}

/// A folder backup that is made anew lies in one of these beside the last one; the engine looks there in this order.
const ATOMIC: [&str; 2] = ["new", "old"];

impl FoundSet {
    /// Everything in a folder and below it.
    pub fn look(root: &Path) -> io::Result<Self> {
        if !root.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is no folder", root.display())));
        }
        let whole = Self::look_below(root)?;
        let own = whole.sources().any(|source| source.identified.path.parent() == Some(Path::new("")));
        let inner = ATOMIC.iter().map(|name| root.join(name)).filter(|path| path.is_dir());
        for inner in inner.filter(|_| !own) {
            let found = Self::look_below(&inner)?;
            if !found.logs.is_empty() {
                return Ok(found);
            }
        }
        Ok(whole)
    }

    /// The files of a target in which a restore waits, as its environment names them: what lies there besides is not looked at.
    pub fn waiting(root: &Path, environment: &Environment) -> io::Result<Self> {
        let folder = DiskFolder::read_only(root);
        let mut found = Self { root: root.to_owned(), waits: true, ..Self::default() };
        let databases = environment.databases.iter().map(|database| &database.destination);
        let logs = environment.logs.iter().map(|log| &log.destination);
        for path in databases.chain(logs) {
            let identified = identify(&folder, Path::new(path))?;
            found.add(Source::on_disk(root.join(path), identified));
        }
        Ok(found)
    }

    /// The databases and logs of a set that a vault holds; `wanted` says which databases.
    pub fn stored(vault: &Arc<dyn Vault>, set: &KnownSet, wanted: &dyn Fn(&FilePart) -> bool) -> Self {
        let mut found = Self { root: format!("set {}", set.id).into(), ..Self::default() };
        for part in &set.manifest.files {
            if part.role == SetRole::Log || (part.role == SetRole::Database && wanted(part)) {
                found.add(Source::in_vault(Stored::new(vault, &set.id, part), place_of(&part.name)));
            }
        }
        found
    }

    /// The logs of other sets of a vault that continue `last`, each one the one before, as far as there are any.
    pub fn continuing(vault: &Arc<dyn Vault>, history: &History, last: &LogFacts) -> Self {
        let mut found = Self { root: "later sets".into(), ..Self::default() };
        let mut last = last.clone();
        while let Some(next) = last.generation.checked_add(1) {
            let whole = history
                .logs(&last.signature, next)
                .find(|log| log.facts.state == LogState::Whole && last.links_to(log.facts) && log.file.damage.is_empty());
            let Some(log) = whole else { break };
            last = log.facts.clone();
            found.add(Source::in_vault(Stored::new(vault, &log.set.id, log.file), place_of(&log.file.name)));
        }
        found
    }

    fn look_below(root: &Path) -> io::Result<Self> {
        let folder = DiskFolder::read_only(root);
        let mut found = Self { root: root.to_owned(), ..Self::default() };
        for entry in folder.list()? {
            // What an earlier run left behind, and what it set aside, is no input.
            if entry.path.iter().any(|part| [".anchorlog", ASIDE].iter().any(|start| part.to_string_lossy().starts_with(start))) {
                continue;
            }
            let identified = identify(&folder, &entry.path)?;
            found.add(Source::on_disk(root.join(&entry.path), identified));
        }
        Ok(found)
    }

    fn add(&mut self, source: Source) {
        let Source { identified: Identified { path, size, content }, .. } = &source;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_patch = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pat"));
        let why = match (content, names::parse(&name).map(|name| (name.base.to_ascii_lowercase(), name.role))) {
            (Content::Database { .. } | Content::DamagedDatabase { .. }, _) if !is_patch => return self.databases.push(source),
            (_, Some((base, Role::Archive { generation, wide, extension }))) => {
                let log = FoundLog { generation, wide, source };
                return self.logs.entry((base, extension)).or_default().push(log);
            }
            (_, Some((_, Role::Current(_)))) => {
                "a set has closed logs only: give the folder of a current log as that of production"
            }
            (_, Some(_)) => "a set needs none",
            (_, None) if is_patch && *size > 0 => return self.patches.push(source.path),
            (_, None) if is_patch => "it is empty: the pages that it would hold are in the logs",
            (Content::FlushMap(_) | Content::DamagedFlushMap(_), None) => "a copied database gets a new one",
            _ => "it is neither a database nor a log",
        };
        self.others.push(Other { path: source.path, why });
    }

    /// The databases and logs.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.databases.iter().chain(self.logs.values().flatten().map(|log| &log.source))
    }
}

/// How the logs of a stream are named.
pub(super) fn naming(base: &str, extension: Extension, wide: bool) -> Naming {
    Naming { base: base.to_owned(), extension, wide }
}
