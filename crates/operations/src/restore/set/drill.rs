//! The drill: a set really restored in scratch space, replayed, verified, and what came of it compared with what came before (I38, I39).

use super::error::{Error, storage};
use super::make::{Built, build};
use super::options::{Forward, Options, Target};
use super::plan::{Plan, plan};
use super::stored::place_of;
use crate::recover::{Place, Progress, Report, clear_place};
use crate::restore::{self, Wanted};
use crate::sets::contents::{ContentsError, contents_of};
use crate::sets::proof::{ReadBackError, read_back};
use crate::sets::{Contents, Figures, History, KnownSet, Level, Moment, Proof, ProofKey, ProofKeys, ReplayProof, Signed};
use anchorlog_format::jet::JetCode;
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::publish::WorkFolder;
use anchorlog_storage::{DiskFolder, Folder as _};
use anchorlog_vault::{SetId, Vault};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

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
    /// Whether the backup had hashed the source, so that it was compared with that.
    pub compared_with_source: bool,
    /// What it took and came to.
    pub figures: Figures,
    /// What the signature of the proof is worth.
    pub signed: Signed,
}

/// Restores a set in `scratch`, replays and verifies it, hashes every table, compares with the first proof that has hashes, attaches the
/// proof to the set, and leaves nothing behind in `scratch`. `key` signs the proof; without it the key that lies in the vault does, and a
/// vault without any key gets one.
///
/// # Errors
/// [`Error`]: the set cannot be restored, or holds something else than at its first proof, or than its source did; nothing is attached then.
#[expect(clippy::too_many_arguments, reason = "what a drill is given")]
pub fn drill(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &SetId,
    scratch: &Path,
    options: &Options,
    key: Option<&ProofKey>,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Drilled, Error> {
    let begun: Moment = ambient.now().into();
    let known = history.sets.iter().find(|known| known.id == *set).ok_or_else(|| anchorlog_vault::Error::NoSet(set.clone()))?;
    let key = ProofKeys::signer_or_new(&**vault, key, begun)?;
    let streams = read_back(&**vault, set, &known.manifest, &mut |_| progress.goes_on()).map_err(|error| match error {
        ReadBackError::Interrupted => Error::Interrupted,
        ReadBackError::Vault(anchorlog_vault::Error::Damaged(damage)) => damaged(set, damage.to_string()),
        ReadBackError::Vault(error) => error.into(),
        ReadBackError::Differs { .. } => damaged(set, error.to_string()),
    })?;
    let mut run =
        Run { vault, history, known, scratch, ambient, progress, replay: ReplayProof::default(), figures: Figures::default() };
    let is_online = restore::is_online(history, set);
    if is_online {
        run.online(options)?;
    }
    for databases in streams_of(known).into_iter().filter(|_| !is_online) {
        run.one_stream(&Options { databases, verify: true, ..options.clone() })?;
    }
    let proofs = Proof::among(&vault.attachments(set)?, set, &known.manifest, &known.digest, &history.keys);
    let proofs: Vec<Proof> =
        proofs.into_iter().filter(|(_, signed)| !matches!(signed, Signed::Bad(_))).map(|(proof, _)| proof).collect();
    let first = proofs.iter().filter_map(|proof| proof.replay.as_ref()).find(|replay| !replay.contents.is_empty());
    if let Some(first) = first {
        compare(set, "at its first proof", &first.contents, &run.replay.contents)?;
    }
    let source = proofs.iter().map(|proof| &proof.source).find(|source| !source.is_empty());
    if let Some(source) = source {
        run.compare_with_source(source, options)?;
    }
    let (compared, compared_with_source) = (first.is_some(), source.is_some());
    let Run { replay, figures, .. } = run;
    let ended: Moment = ambient.now().into();
    let took = begun.milliseconds().zip(ended.milliseconds()).map_or(0, |(begun, ended)| ended.saturating_sub(begun) / 1000);
    let figures = Figures {
        bytes: known.manifest.files.iter().map(|file| file.size).sum(),
        rows: replay.contents.iter().flat_map(|contents| &contents.tables).map(|(_, rows, _)| rows).sum(),
        seconds: u64::try_from(took).unwrap_or(0),
        ..figures
    };
    let proof = Proof { figures: Some(figures), ..Proof::new(Level::L4, ended, streams, Some(replay.clone())) };
    let signed = proof.attach(&**vault, set, key.as_ref())?;
    Ok(Drilled { set: set.to_string(), level: Level::L4, replay, compared, compared_with_source, figures, signed })
}

/// The databases of each log stream, by their signatures: one replay knows one stream.
fn streams_of(set: &KnownSet) -> Vec<Vec<String>> {
    let mut streams: BTreeMap<[u8; 28], Vec<String>> = BTreeMap::new();
    for (part, facts) in set.manifest.databases() {
        streams.entry(facts.log_signature.0).or_default().push(part.name.to_string());
    }
    streams.into_values().collect()
}

/// A drill under way.
struct Run<'a> {
    vault: &'a Arc<dyn Vault>,
    history: &'a History,
    known: &'a KnownSet,
    scratch: &'a Path,
    ambient: &'a Ambient,
    progress: &'a mut dyn Progress,
    replay: ReplayProof,
    figures: Figures,
}

impl Run<'_> {
    fn one_stream(&mut self, options: &Options) -> Result<(), Error> {
        let plan = choose(self.vault, self.history, self.known, &self.out(), options)?;
        let (report, contents) = self.restored(&plan)?;
        self.note(&report, contents);
        Ok(())
    }

    /// An online set, with those that it needs.
    fn online(&mut self, options: &Options) -> Result<(), Error> {
        let failed = |reason: String| Error::Failed { reason, jet: None, findings: Vec::new() };
        let work = WorkFolder::begin(self.scratch, "drill").map_err(storage(self.scratch.display().to_string()))?;
        let target = work.path().join("restored");
        let effort =
            restore::Options { cache_bytes: options.cache_bytes, threads: options.threads, ..restore::Options::default() };
        let planned = restore::stored(self.vault, self.history, &self.known.id, &Wanted::default(), &target, &effort);
        let planned = planned.map_err(|error| failed(error.to_string()))?;
        let made = restore::make(&planned, self.ambient, self.progress)?;
        let Some(report) = made.recovery else { return Ok(()) };
        let chain = restore::chain(self.history, &self.known.id).map_err(|error| failed(error.to_string()))?;
        let folder = DiskFolder::read_only(&target);
        let mut contents = Vec::with_capacity(report.databases.len());
        for database in &report.databases {
            let path = Path::new(&database.path);
            let stream = chain.iter().flat_map(|set| set.manifest.databases()).find(|(part, _)| place_of(&part.name) == path);
            let name = stream.map_or_else(|| database.path.clone(), |(part, _)| part.name.to_string());
            contents.push(self.contents(&folder, path, name)?);
        }
        self.note(&report, contents);
        Ok(())
    }

    /// What a restore came to.
    fn note(&mut self, report: &Report, contents: Vec<Contents>) {
        for database in &report.databases {
            self.replay.databases.push((database.path.clone(), database.verdict.to_string()));
            self.figures.pages += database.proof.as_ref().map_or(0, |counts| counts.pages);
        }
        self.replay.contents.extend(contents);
        if let Some(run) = &report.run {
            self.replay.generations = run.generations.map(|(first, last)| (first.0, last.0)).or(self.replay.generations);
            self.replay.end = Some(run.end.to_string());
            self.figures.records += run.records.values().sum::<u64>();
        }
    }

    fn contents(&mut self, folder: &DiskFolder, path: &Path, name: String) -> Result<Contents, Error> {
        let file = folder.open(path).map_err(storage(path.display().to_string()))?;
        contents_of(file, name, &mut || self.progress.goes_on()).map_err(|error| match error {
            ContentsError::Interrupted => Error::Interrupted,
            ContentsError::Unreadable(reason, jet) => Error::Failed { reason, jet: Some(jet), findings: Vec::new() },
        })
    }

    /// Restores as planned, and hashes what came of it; nothing stays.
    fn restored(&mut self, plan: &Plan) -> Result<(Report, Vec<Contents>), Error> {
        let place = clear_place(&Place::Out(self.out()))?;
        let Built { work, recovery: report, .. } = build(plan, &place, self.ambient, self.progress)?;
        let mut contents = Vec::with_capacity(report.databases.len());
        for database in &report.databases {
            let name = plan.stream_at(Path::new(&database.path)).unwrap_or_else(|| database.path.clone());
            contents.push(self.contents(&work.folder(), Path::new(&database.path), name)?);
        }
        Ok((report, contents))
    }

    /// What was hashed at the source is what clean databases hold before any log: where replay brought them further, they are restored once
    /// more without it.
    fn compare_with_source(&mut self, source: &[Contents], options: &Options) -> Result<(), Error> {
        let differing = source.iter().filter(|before| !self.replay.contents.contains(before));
        let databases: Vec<String> = differing.map(|before| before.database.clone()).collect();
        if databases.is_empty() {
            return Ok(());
        }
        let before: Vec<Contents> = source.iter().filter(|before| databases.contains(&before.database)).cloned().collect();
        let options = Options { databases, forward: Forward::No, ..options.clone() };
        let plan = plan(self.vault, self.history, &self.known.id, &Target::New(self.out()), &options)?;
        let (_, contents) = self.restored(&plan)?;
        compare(&self.known.id, "its source when it was backed up", &before, &contents)
    }

    fn out(&self) -> std::path::PathBuf {
        self.scratch.join("drill")
    }
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
fn compare(set: &SetId, than: &str, first: &[Contents], now: &[Contents]) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for before in first {
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
    let reason = format!("set {set} holds something else than {than}: {}", wrong.join("; "));
    Err(Error::Failed { reason, jet: Some(JetCode::DATABASE_CORRUPTED), findings: Vec::new() })
}
