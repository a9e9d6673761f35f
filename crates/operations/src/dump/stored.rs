//! Rows straight out of a set: clean databases are read where they lie, dirty ones behind a replay whose changes are kept aside.

use super::{DumpError, Dumped, Tables, dump_file};
use crate::recover::{self, MakeError, Source, Sources};
use crate::restore::set::{Stored, means, place_of};
use crate::restore::{self, FoundSet, PlanError, View};
use crate::sets::{FilePart, History, KnownSet, Role};
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::File;
use anchorlog_vault::{SetId, Vault};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Which rows of which databases.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Databases of the set, by stream or the end of it; empty: all.
    pub databases: &'a [String],
    /// Tables.
    pub tables: Tables,
    /// Where the changes of a replay go for which memory has no room; nothing is left behind.
    pub scratch: &'a Path,
}

/// Writes the dumps of databases of a set to `out`, one after the other, as they would be behind its restore with its own logs: nothing is
/// restored. `goes_on` ends it with `false`.
///
/// # Errors
/// [`DumpError`]. What cannot be read inside a database is no error: it is named in its dump and in its summary.
pub fn dump_stored(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &SetId,
    rows: Rows<'_>,
    ambient: &Ambient,
    goes_on: &mut dyn FnMut() -> bool,
    out: &mut dyn Write,
) -> Result<Vec<Dumped>, DumpError> {
    let none = |reason: String| DumpError::Set { reason, jet: None };
    let chain = needed(history, set)?;
    let wanted = |part: &FilePart| rows.databases.is_empty() || rows.databases.iter().any(|name| means(name, part.name.as_str()));
    let all = || chain.iter().flat_map(|set| set.manifest.databases().map(move |(part, facts)| (*set, part, facts)));
    let unknown = rows.databases.iter().find(|name| !all().any(|(_, part, _)| means(name, part.name.as_str())));
    if let Some(unknown) = unknown {
        return Err(none(format!("set {set} has no database {unknown}")));
    }
    let chosen: Vec<_> = all().filter(|(_, part, _)| wanted(part)).collect();
    if chosen.is_empty() {
        return Err(none(format!("set {set} has no database, and continues none")));
    }
    // A database that replay brings to another state is read behind it, together with the others of its stream.
    let replayed = chosen.iter().any(|(_, _, facts)| !facts.is_clean());
    let view = if replayed { Some(view(vault, &chain, rows.scratch, ambient, goes_on)?) } else { None };
    let mut dumped = Vec::with_capacity(chosen.len());
    for (set, part, facts) in chosen {
        let (place, stored) = (place_of(&part.name), Stored::new(vault, &set.id, part));
        let file: Arc<dyn File> = match &view {
            Some(view) if !facts.is_clean() => view.open(&place)?,
            _ => stored.open(),
        };
        dumped.push(dump_file(file, &place, &stored.to_string(), rows.tables, out)?);
    }
    Ok(dumped)
}

/// The sets that the databases of one need: the set itself, and before it what an online set of logs alone continues.
fn needed<'h>(history: &'h History, set: &SetId) -> Result<Vec<&'h KnownSet>, DumpError> {
    match history.sets.iter().find(|known| known.id == *set) {
        Some(known) if !restore::is_online(history, set) => Ok(vec![known]),
        _ => Ok(restore::chain(history, set)?),
    }
}

fn view(
    vault: &Arc<dyn Vault>,
    chain: &[&KnownSet],
    scratch: &Path,
    ambient: &Ambient,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<View, DumpError> {
    if chain.iter().any(|set| set.manifest.kind.is_online()) {
        let sets: Vec<FoundSet> = chain.iter().map(|set| FoundSet::stored(vault, set, &|_| true)).collect();
        let arranged = restore::arrange(&restore::Inputs::default(), &sets, &restore::Options::default())?;
        let options = restore::Options { last_set: true, ..restore::Options::default() };
        let (plan, conditions) = restore::judge(&arranged, &options)?;
        if let Some(broken) = conditions.iter().find(|condition| !condition.holds) {
            let reason = format!("{}: {}: {}", broken.id, broken.rule, broken.found);
            return Err(DumpError::Set { reason, jet: broken.jet });
        }
        return Ok(View::replay(&plan, &arranged.sources, scratch, ambient, goes_on)?);
    }
    let parts = chain.iter().flat_map(|set| set.manifest.files.iter().map(move |part| (&set.id, part)));
    let parts = parts.filter(|(_, part)| matches!(part.role, Role::Database | Role::Log | Role::Checkpoint | Role::FlushMap));
    let sources = Sources::of(parts.map(|(set, part)| Source::in_vault(Stored::new(vault, set, part), place_of(&part.name))));
    let unplanned = |error: recover::PlanError| DumpError::Set { reason: error.to_string(), jet: None };
    // An image may end with a closed log.
    let allow_missing_current = !chain.iter().any(|set| set.manifest.logs().any(|(_, log)| log.open));
    let options = recover::Options { ignore_missing_database: true, allow_missing_current, ..recover::Options::default() };
    let plan = recover::plan(&sources, &options).map_err(unplanned)?;
    Ok(View::replay(&plan, &sources, scratch, ambient, goes_on)?)
}

impl From<PlanError> for DumpError {
    fn from(error: PlanError) -> Self {
        Self::Set { reason: error.to_string(), jet: None }
    }
}

impl From<MakeError> for DumpError {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Refused { reason, jet, .. } | MakeError::Failed { reason, jet } | MakeError::CutOff { reason, jet } => {
                Self::Set { reason, jet }
            }
            MakeError::Interrupted => Self::Interrupted,
        }
    }
}
