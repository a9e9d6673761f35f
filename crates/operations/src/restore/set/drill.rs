//! The drill: a set really restored in scratch space, replayed, verified, and what came of it compared with what came before (I38, I39).

use super::error::{Error, storage};
use super::make::{Built, build};
use super::options::{Forward, Options, Target};
use super::plan::{Plan, plan};
use super::stored::place_of;
use crate::recover::{Place, Progress, clear_place};
use crate::restore::{self, Wanted};
use crate::sets::proof::{ReadBackError, read_back};
use crate::sets::{Contents, History, KnownSet, Level, Proof, ReplayProof};
use anchorlog_database::Database;
use anchorlog_database::canonical::{self, Tables};
use anchorlog_format::jet::JetCode;
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::publish::WorkFolder;
use anchorlog_storage::{DiskFolder, Folder as _};
use anchorlog_vault::{SetId, Vault};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes of pages in memory while contents are hashed.
const CACHE: usize = 64 << 20;

/// A drill that succeeded.
#[derive(Clone, Debug, Serialize)]
pub struct Drilled {
    /// The set.
    pub set: String,
    /// How far it is proved now.
    pub level: Level,
    /// What replay came to, with the hashes of every table.
    pub replay: ReplayProof,
    /// Whether an earlier proof was there to compare with.
    pub compared: bool,
}

/// Restores a set in `scratch`, replays and verifies it, hashes every table, compares with the first proof that has hashes, attaches the
/// proof to the set, and leaves nothing behind in `scratch`.
///
/// # Errors
/// [`Error`]: the set cannot be restored, or holds something else than at its first proof; nothing is attached then.
pub fn drill(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &SetId,
    scratch: &Path,
    options: &Options,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Drilled, Error> {
    let known = history.sets.iter().find(|known| known.id == *set).ok_or_else(|| anchorlog_vault::Error::NoSet(set.clone()))?;
    let streams = read_back(&**vault, set, &known.manifest, &mut |_| progress.goes_on()).map_err(|error| match error {
        ReadBackError::Interrupted => Error::Interrupted,
        ReadBackError::Vault(anchorlog_vault::Error::Damaged(damage)) => damaged(set, damage.to_string()),
        ReadBackError::Vault(error) => error.into(),
        ReadBackError::Differs { .. } => damaged(set, error.to_string()),
    })?;
    let mut replay = ReplayProof::default();
    let is_online = restore::is_online(history, set);
    if is_online {
        online(vault, history, known, scratch, options, ambient, progress, &mut replay)?;
    }
    for databases in streams_of(known).into_iter().filter(|_| !is_online) {
        let options = Options { databases, ..options.clone() };
        one_stream(vault, history, known, scratch, &options, ambient, progress, &mut replay)?;
    }
    let proofs = Proof::among(&vault.attachments(set)?, &known.manifest);
    let first = proofs.iter().filter_map(|proof| proof.replay.as_ref()).find(|replay| !replay.contents.is_empty());
    if let Some(first) = first {
        compare(set, first, &replay.contents)?;
    }
    let compared = first.is_some();
    Proof::new(Level::L4, ambient.now().into(), streams, Some(replay.clone())).attach(&**vault, set)?;
    Ok(Drilled { set: set.to_string(), level: Level::L4, replay, compared })
}

/// The databases of each log stream, by their signatures: one replay knows one stream.
fn streams_of(set: &KnownSet) -> Vec<Vec<String>> {
    let mut streams: BTreeMap<[u8; 28], Vec<String>> = BTreeMap::new();
    for (part, facts) in set.manifest.databases() {
        streams.entry(facts.log_signature.0).or_default().push(part.name.to_string());
    }
    streams.into_values().collect()
}

#[expect(clippy::too_many_arguments, reason = "what a drill is given, for one stream")]
fn one_stream(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &KnownSet,
    scratch: &Path,
    options: &Options,
    ambient: &Ambient,
    progress: &mut dyn Progress,
    replay: &mut ReplayProof,
) -> Result<(), Error> {
    let out = scratch.join("drill");
    let plan = choose(vault, history, set, &out, options)?;
    let place = clear_place(&Place::Out(out))?;
    let Built { work, recovery: report, .. } = build(&plan, &place, ambient, progress)?;
    for database in &report.databases {
        let name = plan.stream_at(Path::new(&database.path)).unwrap_or_else(|| database.path.clone());
        if !progress.goes_on() {
            return Err(Error::Interrupted);
        }
        replay.contents.push(contents_of(&work.folder(), Path::new(&database.path), name)?);
        replay.databases.push((database.path.clone(), database.verdict.to_string()));
    }
    if let Some(run) = &report.run {
        replay.generations = run.generations.map(|(first, last)| (first.0, last.0)).or(replay.generations);
        replay.end = Some(run.end.to_string());
    }
    Ok(())
}

/// An online set, with those that it needs.
#[expect(clippy::too_many_arguments, reason = "what a drill is given")]
fn online(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &KnownSet,
    scratch: &Path,
    options: &Options,
    ambient: &Ambient,
    progress: &mut dyn Progress,
    replay: &mut ReplayProof,
) -> Result<(), Error> {
    let failed = |reason: String, jet| Error::Failed { reason, jet, findings: Vec::new() };
    let work = WorkFolder::begin(scratch, "drill").map_err(storage(scratch.display().to_string()))?;
    let target = work.path().join("restored");
    let effort = restore::Options { cache_bytes: options.cache_bytes, threads: options.threads, ..restore::Options::default() };
    let planned = restore::stored(vault, history, &set.id, &Wanted::default(), &target, &effort);
    let planned = planned.map_err(|error| failed(error.to_string(), None))?;
    let made = restore::make(&planned, ambient, progress)?;
    let Some(report) = made.recovery else { return Ok(()) };
    let base = restore::chain(history, &set.id).map_err(|error| failed(error.to_string(), None))?;
    for database in &report.databases {
        let path = Path::new(&database.path);
        let stream = base.iter().flat_map(|set| set.manifest.databases()).find(|(part, _)| place_of(&part.name) == path);
        let name = stream.map_or_else(|| database.path.clone(), |(part, _)| part.name.to_string());
        progress.goes_on().then_some(()).ok_or(Error::Interrupted)?;
        replay.contents.push(contents_of(&DiskFolder::read_only(&target), path, name)?);
        replay.databases.push((database.path.clone(), database.verdict.to_string()));
    }
    if let Some(run) = &report.run {
        replay.generations = run.generations.map(|(first, last)| (first.0, last.0));
        replay.end = Some(run.end.to_string());
    }
    Ok(())
}

/// With the logs of the set where they can be replayed; clean databases alone as they are.
fn choose(vault: &Arc<dyn Vault>, history: &History, set: &KnownSet, out: &Path, options: &Options) -> Result<Plan, Error> {
    let own = || set.manifest.databases().filter(|(part, _)| options.databases.iter().any(|name| name == part.name.as_str()));
    let has_logs = set.manifest.logs().any(|(_, log)| own().any(|(_, facts)| facts.log_signature == log.signature));
    let clean = own().all(|(_, facts)| facts.is_clean());
    let target = Target::New(out.to_owned());
    let with = |forward| plan(vault, history, &set.id, &target, &Options { forward, ..options.clone() });
    let first = with(if has_logs || !clean { Forward::Set } else { Forward::No })?;
    let chosen = if !first.possible && clean { with(Forward::No)? } else { first };
    let broken: Vec<_> = chosen.refusals().cloned().collect();
    if broken.is_empty() { Ok(chosen) } else { Err(Error::Refused(broken)) }
}

fn damaged(set: &SetId, reason: String) -> Error {
    Error::Damaged { set: set.to_string(), stream: String::new(), reason, findings: Vec::new() }
}

/// The same set holds the same, whenever it is restored.
fn compare(set: &SetId, first: &ReplayProof, now: &[Contents]) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for before in &first.contents {
        match now.iter().find(|now| now.database == before.database) {
            None => wrong.push(format!("{} is missing", before.database)),
            Some(now) if now == before => {}
            Some(now) => {
                let tables = before.tables.iter().filter(|table| !now.tables.contains(table)).map(|(name, ..)| name.as_str());
                wrong.push(format!("{}: {}", before.database, tables.collect::<Vec<_>>().join(", ")));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let reason = format!("set {set} holds something else than at its first proof: {}", wrong.join("; "));
    Err(Error::Failed { reason, jet: Some(JetCode::DATABASE_CORRUPTED), findings: Vec::new() })
}

/// Hashes of a database's canonical dump.
pub(super) fn contents_of(folder: &DiskFolder, path: &Path, name: String) -> Result<Contents, Error> {
    let shown = path.display().to_string();
    let file = folder.open(path).map_err(storage(shown.clone()))?;
    let failed = |reason: String, jet| Error::Failed { reason, jet, findings: Vec::new() };
    let database =
        Database::open(shown.clone(), file, CACHE).map_err(|error| failed(format!("{shown}: {error}"), Some(error.jet)))?;
    let mut lines = Lines::default();
    for tables in [Tables::Users, Tables::Engines] {
        lines.begin();
        let summary = canonical::dump(&database, "", tables, &mut lines).map_err(storage(shown.clone()))?;
        if let Some(error) = summary.errors.first() {
            return Err(failed(format!("{shown}: {error}"), Some(error.jet)));
        }
    }
    Ok(Contents { database: name, sha256: hex::encode(lines.digest.finalize()), tables: lines.tables })
}

/// Hashes a dump line by line, and keeps the lines that end a table.
#[derive(Default)]
struct Lines {
    digest: Sha256,
    /// The start of the line being written: enough to know one that ends a table.
    line: Vec<u8>,
    /// Whether the line is the first, which names the file.
    first: bool,
    tables: Vec<(String, u64, String)>,
}

/// The line that ends a table.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEnd {
    t: String,
    rows: u64,
    sha256: String,
}

impl Lines {
    /// Longer than the line that ends a table of the longest name can be.
    const KEPT: usize = 4096;

    fn begin(&mut self) {
        self.first = true;
        self.line.clear();
    }
    fn end_line(&mut self) {
        if !std::mem::take(&mut self.first)
            && self.line.starts_with(b"{\"t\":")
            && let Ok(end) = serde_json::from_slice::<TableEnd>(&self.line)
        {
            self.tables.push((end.t, end.rows, end.sha256));
        }
        self.line.clear();
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            if !self.first {
                self.digest.update(part);
            }
            let room = Self::KEPT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
