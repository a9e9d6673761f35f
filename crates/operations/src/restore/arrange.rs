//! The files of all sets and of production as one folder in the layout of the target, and the range that the sets span.

use super::databases::{Placed, place_databases};
use super::environment::{self, LogRecord};
use super::gather::{FoundLog, FoundSet, naming};
use super::logs::merge;
use super::production::{Production, add_production};
use super::{Inputs, LeftOut, Options};
use crate::identify::Content;
use crate::recover::{Precondition, Source, Sources};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names::Extension;
use anchorlog_format::units::{Generation, Signature};
use anchorlog_replay::hard;
use anchorlog_replay::stream::files::StreamFiles;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Where the logs lie in the target.
pub(super) const LOGS: &str = "logs";

/// What a restore works on.
pub(crate) struct Arranged {
    /// All files by their place in the target.
    pub sources: Sources,
    /// The logs, those of production behind those of the sets.
    pub files: StreamFiles,
    /// Their signature.
    pub signature: Signature,
    /// The range of the sets.
    pub set: hard::Set,
    /// Databases, and what is made of names that logs create.
    pub(super) placed: Placed,
    /// The logs of the sets, as the environment has them.
    pub logs: Vec<LogRecord>,
    /// A header that says where the original instance lay.
    pub header: Option<LogHeader>,
    /// What the files alone tell.
    pub conditions: Vec<Precondition>,
    /// What no restore takes.
    pub left_out: Vec<LeftOut>,
    /// The production folder was given, and its current log was left alone.
    pub leaves_current: bool,
}

/// Lays out what the sets and production hold.
pub(crate) fn arrange(inputs: &Inputs, sets: &[FoundSet], options: &Options) -> io::Result<Arranged> {
    let mut conditions = Vec::new();
    let mut left_out: Vec<LeftOut> = Vec::new();
    for set in sets {
        left_out.extend(set.others.iter().map(|other| LeftOut::new(&other.path, other.why)));
    }
    let (base, extension) = base_of(sets);
    let found = merge(sets, &(base.to_ascii_lowercase(), extension), &mut conditions, &mut left_out)?;
    strangers(sets, &(base.to_ascii_lowercase(), extension), &mut conditions);
    patches(sets, &mut conditions);
    let placed = place_databases(sets, &found, options, &mut conditions, &mut left_out);
    let (low, high) = range(&found, &placed);
    let wide = found.values().any(|log| log.wide);
    let mut files = StreamFiles::empty(LOGS, naming(&base, extension, wide));
    let mut sources: Vec<Source> = placed.databases.iter().map(|database| database.source.clone()).collect();
    let mut records = Vec::new();
    for (generation, log) in &found {
        if *generation < low {
            left_out.push(LeftOut::new(&log.source.path, "it lies in front of the range that the databases need"));
            continue;
        }
        let place = place_of(log);
        if let Some(header) = header_of(&log.source) {
            records.push(environment::log(*generation, header.created, &log.source.path, &place));
        }
        files.archives.insert(*generation, place.clone());
        sources.push(moved(&log.source, place));
    }
    let header = found.range(low..).find_map(|(_, log)| header_of(&log.source)).cloned();
    let signature = header.as_ref().map_or(Signature::NONE, |header| header.signature);
    let mut production = Production::default();
    if let Some(folder) = &inputs.production {
        production = add_production(folder, (&base, extension), high, options, &mut files, &mut conditions)?;
    }
    let only_read: BTreeSet<PathBuf> = production.overlap.values().cloned().collect();
    sources.append(&mut production.sources);
    left_out.append(&mut production.left_out);
    let mut sources = Sources::of(sources);
    sources.only_read = only_read;
    Ok(Arranged {
        sources,
        files,
        signature,
        set: hard::Set { low, high, overlap: production.overlap },
        placed,
        logs: records,
        header,
        conditions,
        left_out,
        leaves_current: production.leaves_current,
    })
}

/// The base name of the logs that the databases belong to; the first one where no database says.
fn base_of(sets: &[FoundSet]) -> (String, Extension) {
    let wanted: BTreeSet<[u8; 28]> = sets
        .iter()
        .flat_map(|set| &set.databases)
        .filter_map(|source| match &source.identified.content {
            Content::Database { page, .. } => Some(page.header.log_signature.0),
            _ => None,
        })
        .collect();
    let bases = || sets.iter().flat_map(|set| &set.logs);
    let fits = |(_, logs): &(&(String, Extension), &Vec<FoundLog>)| {
        logs.iter().filter_map(|log| header_of(&log.source)).any(|header| wanted.contains(&header.signature.0))
    };
    let chosen = bases().find(fits).or_else(|| bases().next());
    chosen.map_or_else(|| ("edb".into(), Extension::Log), |(key, _)| key.clone())
}

/// A set that brings nothing to what the others are was meant for another restore (trap O3).
fn strangers(sets: &[FoundSet], stream: &(String, Extension), conditions: &mut Vec<Precondition>) {
    let brings = |set: &&FoundSet| !set.databases.is_empty() || set.logs.contains_key(stream);
    if !sets.iter().any(|set| brings(&set)) {
        return;
    }
    for set in sets.iter().filter(|set| !brings(set)) {
        let found = format!("{} has neither a database nor a log of the base name {}", set.root.display(), stream.0);
        let jet = Some(JetCode::GIVEN_LOG_FILE_HAS_BAD_SIGNATURE);
        conditions.push(Precondition { id: "O3", rule: "every set belongs to the same instance", holds: false, found, jet });
    }
}

/// Pages of patch files are those of Exchange 2000 and before.
fn patches(sets: &[FoundSet], conditions: &mut Vec<Precondition>) {
    let patches: Vec<String> = sets.iter().flat_map(|set| &set.patches).map(|path| path.display().to_string()).collect();
    if !patches.is_empty() {
        let found = format!(
            "{}: pages that were changed during the copy, as engines up to Exchange 2000 wrote them; Microsoft's engine of today does not \
             read them either",
            patches.join(", ")
        );
        let rule = "no patch file of the set holds pages";
        conditions.push(Precondition { id: "H8", rule, holds: false, found, jet: Some(JetCode::BAD_PATCH_PAGE) });
    }
}

/// From the first generation that a database needs to the last that the sets have.
fn range(found: &BTreeMap<Generation, FoundLog>, placed: &Placed) -> (Generation, Generation) {
    let needed = placed.databases.iter().filter_map(|database| database.low()).min();
    let lowest = found.keys().next().copied();
    let low = match (needed, lowest) {
        (Some(needed), Some(lowest)) => needed.max(lowest),
        (needed, lowest) => needed.or(lowest).unwrap_or(Generation(1)),
    };
    let high = found.keys().next_back().copied().unwrap_or(low).max(low);
    (low, high)
}

pub(super) fn header_of(source: &Source) -> Option<&LogHeader> {
    match &source.identified.content {
        Content::Log(header) => Some(header),
        _ => None,
    }
}

fn place_of(log: &FoundLog) -> PathBuf {
    Path::new(LOGS).join(log.source.identified.name())
}

/// The same file at another place in the target.
pub(super) fn moved(source: &Source, place: PathBuf) -> Source {
    let mut moved = source.clone();
    moved.identified.path = place;
    moved
}
