//! Which databases of the sets are restored, and where each goes: by what it is first, by its full logged path second, by the longest end of
//! that path third (`ops-3 §7`).

use super::arrange::{LOGS, header_of, moved};
use super::environment::{self, DatabaseRecord, stays_inside};
use super::gather::{FoundLog, FoundSet};
use super::{LeftOut, Options};
use crate::identify::Content;
use crate::recover::{Precondition, Source};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Generation;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The databases at their places.
#[derive(Default)]
pub(super) struct Placed {
    pub databases: Vec<PlacedDatabase>,
    /// Entries of the map that mean no database of the sets: a log may create one of that name.
    pub created: Vec<(String, PathBuf)>,
}

/// A database at its place.
pub(super) struct PlacedDatabase {
    pub source: Source,
    /// Its path as the logs name it; empty where none does.
    pub original: String,
}

impl PlacedDatabase {
    /// The generation in which its backup began.
    pub fn low(&self) -> Option<Generation> {
        match &self.source.identified.content {
            Content::Database { page, .. } => Some(page.header.current_backup.low).filter(|low| low.0 != 0),
            _ => None,
        }
    }
    pub fn record(&self) -> DatabaseRecord {
        let signature = self.source.database_signature().unwrap_or_default();
        DatabaseRecord {
            name: self.source.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            signature: environment::hex(&signature),
            original: self.original.clone(),
            source: self.source.path.display().to_string(),
            destination: self.source.identified.path.display().to_string(),
            sha256: String::new(),
        }
    }
}

/// Chooses and places the databases of all sets.
pub(super) fn place_databases(
    sets: &[FoundSet],
    logs: &BTreeMap<Generation, FoundLog>,
    options: &Options,
    conditions: &mut Vec<Precondition>,
    left_out: &mut Vec<LeftOut>,
) -> Placed {
    let mut placed = Placed::default();
    let mut used: BTreeMap<usize, PathBuf> = BTreeMap::new();
    for set in sets {
        for source in &set.databases {
            let original = logged_path(source, logs);
            // What waits was placed when it came.
            let waits = || Some((None, source.identified.path.clone())).filter(|_| set.waits);
            let Some((at, destination)) = waits().or_else(|| destination(source, &original, options)) else {
                left_out.push(LeftOut::new(&source.path, "it is not mapped"));
                continue;
            };
            if let Some(other) = at.and_then(|at| used.insert(at, source.path.clone())) {
                let name = at.and_then(|at| options.map.get(at)).map(|(name, _)| name.as_str()).unwrap_or_default();
                let found = format!("{name} may mean {} and {}", other.display(), source.path.display());
                conditions.push(broken("O14", "each entry of the map means one database", found, JetCode::DATABASE_DUPLICATE));
            }
            placed.databases.push(PlacedDatabase { source: moved(source, destination), original });
        }
    }
    let unused = options.map.iter().enumerate().filter(|(at, _)| !used.contains_key(at));
    placed.created = unused.map(|(_, entry)| entry.clone()).collect();
    check_places(&placed, conditions);
    placed
}

/// The path by which the logs know a database, as the list of attached ones in their headers has it.
fn logged_path(source: &Source, logs: &BTreeMap<Generation, FoundLog>) -> String {
    let Some(signature) = source.database_signature() else { return String::new() };
    let attached =
        logs.values().filter_map(|log| header_of(&log.source)).filter_map(|header| header.attachments().ok()).flatten();
    attached.filter(|entry| entry.signature == signature).map(|entry| entry.path().first()).next().unwrap_or_default()
}

/// Where a database goes, and by which entry of the map; `None`: it is left out.
fn destination(source: &Source, original: &str, options: &Options) -> Option<(Option<usize>, PathBuf)> {
    let own = source.identified.path.display().to_string();
    let means = |name: &str| ends_with(original, name) || ends_with(&own, name);
    let entries = options.map.iter().enumerate().filter(|(_, (name, _))| !name.is_empty() && means(name));
    match entries.max_by_key(|(_, (name, _))| name.len()) {
        Some((at, (_, place))) => Some((Some(at), place.clone())),
        None if options.only_mapped => None,
        None => Some((None, source.identified.path.clone())),
    }
}

/// Whether `name` is the path or its end, at a separator.
fn ends_with(path: &str, name: &str) -> bool {
    let normal = |text: &str| text.replace('/', "\\").to_lowercase();
    let (path, name) = (normal(path), normal(name));
    path.strip_suffix(&name).is_some_and(|rest| rest.is_empty() || name.starts_with('\\') || rest.ends_with(['\\', ':']))
}

/// No place is taken twice, and none leads out of the target.
fn check_places(placed: &Placed, conditions: &mut Vec<Precondition>) {
    let mut taken: BTreeMap<String, &Path> = BTreeMap::new();
    let databases =
        placed.databases.iter().map(|database| (database.source.identified.path.as_path(), database.source.path.as_path()));
    let created = placed.created.iter().map(|(name, place)| (place.as_path(), Path::new(name.as_str())));
    for (place, of) in databases.chain(created) {
        let reserved = place.starts_with(LOGS) || place == Path::new(environment::NAME);
        if !stays_inside(place) || reserved {
            let found = format!("{} cannot go to {}", of.display(), place.display());
            let rule = "every database goes to a place of its own below the target";
            conditions.push(broken("H3", rule, found, JetCode::INVALID_PATH));
        }
        if let Some(other) = taken.insert(place.display().to_string().to_lowercase(), of) {
            let found = format!("{} and {} would both become {}", other.display(), of.display(), place.display());
            conditions.push(broken("H2", "no two databases go to one place", found, JetCode::DATABASE_DUPLICATE));
        }
    }
}

fn broken(id: &'static str, rule: &'static str, found: String, jet: JetCode) -> Precondition {
    Precondition { id, rule, holds: false, found, jet: Some(jet) }
}
