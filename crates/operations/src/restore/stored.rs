//! Online sets that a vault holds: a full set or copy by itself, a set of logs alone with those that it needs (`ops-3 §5`).

use super::gather::FoundSet;
use super::plan::{Plan, PlanError, plan};
use super::set::means;
use super::{Inputs, Options};
use crate::recover::Place;
use crate::sets::{FilePart, History, KnownSet, LogFacts};
use anchorlog_vault::{SetId, Vault};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What of a vault is restored.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Databases, by stream, file name, or path as the logs have it; empty: all.
    pub databases: Vec<String>,
    /// Databases that are left out.
    pub without: Vec<String>,
    /// Go on with the logs of other sets of the vault, as far as they continue these.
    pub later_sets: bool,
    /// Then go on with the logs of this folder.
    pub production: Option<PathBuf>,
}

/// Plans the restore of an online set of a vault, with the sets that it needs, into a folder that does not exist or is empty.
///
/// # Errors
/// [`PlanError`]: a set that is not there, or whose databases were not copied online; anything that is wrong with the files is in the plan.
pub fn stored(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &SetId,
    wanted: &Wanted,
    target: &Path,
    options: &Options,
) -> Result<Plan, PlanError> {
    let chain = chain(history, set)?;
    unknown(&chain, wanted)?;
    let mut sets: Vec<FoundSet> = chain.iter().map(|set| FoundSet::stored(vault, set, &|part| wanted.takes(set, part))).collect();
    if wanted.later_sets
        && let Some(last) = last_of(&chain)
    {
        sets.push(FoundSet::continuing(vault, history, last));
    }
    sets.retain(|set| !set.databases.is_empty() || !set.logs.is_empty());
    let inputs = Inputs { sets: Vec::new(), production: wanted.production.clone() };
    plan(&inputs, sets, None, Place::Out(target.to_owned()), &Options { last_set: true, ..options.clone() })
}

/// Whether the databases of a set, or of the one that it continues, were copied online: [`stored`] restores those, and [`super::set`] all others.
#[must_use]
pub fn is_online(history: &History, set: &SetId) -> bool {
    let kind = history.sets.iter().find(|known| known.id == *set).map(|known| known.manifest.kind);
    kind.is_some_and(|kind| if kind.has_databases() { kind.is_online() } else { chain(history, set).is_ok() })
}

/// The sets that a restore of one needs: the one with its databases first, the set itself last.
///
/// # Errors
/// [`PlanError::Set`].
pub(crate) fn chain<'h>(history: &'h History, set: &SetId) -> Result<Vec<&'h KnownSet>, PlanError> {
    let lost = |what: String| PlanError::Set(what);
    let mut chain: Vec<&KnownSet> = Vec::new();
    let (mut next, mut seen) = (set.clone(), BTreeSet::new());
    loop {
        let found = history.sets.iter().find(|known| known.id == next);
        let known = found.ok_or_else(|| lost(format!("set {next}, which is needed, is not in the vault or cannot be read")))?;
        chain.insert(0, known);
        if known.manifest.kind.has_databases() {
            break;
        }
        let before = known.manifest.streams.iter().find_map(|stream| stream.continues.clone());
        next = before.filter(|before| seen.insert(before.clone())).ok_or_else(|| {
            lost(format!("set {} holds logs alone, and does not say which set with databases they continue", known.id))
        })?;
    }
    match chain.first() {
        Some(base) if !base.manifest.kind.is_online() => {
            Err(lost(format!("the databases of set {} were not copied online: restore that one, with --forward all", base.id)))
        }
        _ => Ok(chain),
    }
}

/// The last log of the stream that the databases of a chain name.
fn last_of<'h>(chain: &[&'h KnownSet]) -> Option<&'h LogFacts> {
    let stream = chain.first()?.manifest.databases().map(|(_, facts)| facts.log_signature).next()?;
    let logs = chain.iter().flat_map(|set| set.manifest.logs().map(|(_, facts)| facts));
    logs.filter(|facts| facts.signature == stream).max_by_key(|facts| facts.generation)
}

/// A name that the sets have not is no wish that can be granted.
fn unknown(chain: &[&KnownSet], wanted: &Wanted) -> Result<(), PlanError> {
    let known = |name: &&String| {
        let name = std::slice::from_ref(*name);
        chain.iter().any(|set| set.manifest.databases().any(|(part, _)| named(name, set, part)))
    };
    match wanted.databases.iter().find(|name| !known(name)) {
        Some(name) => Err(PlanError::Set(format!("no database of the set is called {name}"))),
        None => Ok(()),
    }
}

impl Wanted {
    fn takes(&self, set: &KnownSet, part: &FilePart) -> bool {
        (self.databases.is_empty() || named(&self.databases, set, part)) && !named(&self.without, set, part)
    }
}

/// Whether one of the names means a database of a set.
fn named(names: &[String], set: &KnownSet, part: &FilePart) -> bool {
    let signature = part.database.as_ref().map(|facts| facts.signature);
    let attached = set.manifest.streams.iter().flat_map(|stream| &stream.attached);
    let paths: Vec<&str> =
        attached.filter(|attached| Some(attached.signature) == signature).map(|attached| attached.path.as_str()).collect();
    names.iter().any(|name| means(name, part.name.as_str()) || paths.iter().any(|path| means(name, path)))
}
