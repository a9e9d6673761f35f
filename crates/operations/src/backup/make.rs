//! Carrying a plan out: copy and verify, publish, read back, prove. Interrupted at any moment it leaves no set, and can be run again.

use super::copy::{FileReader, Follow};
use super::databases::DatabaseItem;
use super::held::{self, Guard, Hold, Identity, hold};
use super::pages::{PageCheck, Seen, judge};
use super::plan::{Item, Phase, Plan};
use super::predicate::{Predicate, Refusal};
use super::progress::{Pace, Progress};
use super::record::manifest_of;
use super::rows::{HashedRows, hash_rows};
use super::{Error, LogItem, Sources, StreamItem};
use crate::sets::Moment;
use crate::sets::facts::LogState;
use crate::sets::manifest::{FilePart, Kind, Level, Manifest, Note, Role};
use crate::sets::proof::{Proof, ReadBack, ReadBackError, ReplayProof, mark_end, read_back};
use crate::sets::{DatabaseFacts, ProofKey, ProofKeys};
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::Folder;
use anchorlog_vault::{NewSet, SetId, SetWriter, Vault};
use serde::Serialize;
use serde_json::Map;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What became of a database.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseVerdict {
    /// Its stream in the set.
    pub name: String,
    /// Whether it can be restored as it is.
    pub good: bool,
    /// Pages read.
    pub pages: u64,
    /// Damaged pages.
    pub bad_pages: u64,
    /// What was found.
    pub notes: Vec<Note>,
}

/// A backup that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The set.
    pub set: SetId,
    /// How far it is proved.
    pub level: Level,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes that the vault grew by.
    pub stored: u64,
    /// Databases.
    pub databases: Vec<DatabaseVerdict>,
    /// What to know besides.
    pub remarks: Vec<String>,
    /// The manifest.
    #[serde(skip)]
    pub manifest: Manifest,
}

impl Report {
    /// Whether every database of the set can be restored as it is.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.databases.iter().all(|database| database.good)
    }
}

/// Carries a plan out.
///
/// # Errors
/// [`Error`]: no set was published, and the sources are as they were.
pub fn make(
    plan: &Plan,
    sources: &Sources,
    vault: &dyn Vault,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Report, Error> {
    make_with(plan, sources, vault, ambient, progress, &mut || ())
}

/// The same; `databases_copied` is called as soon as the last file that needs everything to stand still was read.
pub(super) fn make_with(
    plan: &Plan,
    sources: &Sources,
    vault: &dyn Vault,
    ambient: &Ambient,
    progress: &mut dyn Progress,
    databases_copied: &mut dyn FnMut(),
) -> Result<Report, Error> {
    let broken: Vec<Predicate> = plan.refusals().cloned().collect();
    if !broken.is_empty() {
        return Err(Error::Refused(broken));
    }
    // A key that is none of this vault's is told before anything is copied.
    let key = ProofKeys::signer(vault, plan.options.proof_key.as_ref(), ambient.now().into())?;
    let mut follow = Follow { progress, pace: Pace::new(plan.options.bytes_per_second), stopped: false };
    let replay = match plan.kind {
        Kind::Snapshot => super::snapshot::prove(plan, sources, ambient, &mut follow)?,
        kind if kind.is_online() => super::import::prove(plan, ambient, &mut follow)?,
        _ => None,
    };
    let mounted = Cell::new(false);
    let mut mount = || {
        mounted.set(true);
        databases_copied();
    };
    let logs = plan.streams.iter().flat_map(StreamItem::logs).map(|log| (log.place.as_path(), log)).collect();
    let run = Run { plan, sources, ambient, replay: replay.as_ref(), key, begun: ambient.now().into(), logs };
    match run.copy(vault, &mut follow, &mut mount) {
        // A file that changed is copied once more, from the beginning, and then refused (P12): unless what uses it was started again.
        Err(Error::Changed(_)) if plan.kind == Kind::Offline && !mounted.get() => {
            let mut again = plan.clone();
            for item in &mut again.files {
                item.identity = Identity::of(&item.source).ok();
            }
            Run { plan: &again, ..run }.copy(vault, &mut follow, &mut mount)
        }
        other => other,
    }
}

/// What a replay before the copy came to, and the SHA-256 of the files that it was made of.
pub(super) struct Replayed {
    pub proof: ReplayProof,
    pub inputs: BTreeMap<String, String>,
}

struct Run<'a> {
    plan: &'a Plan,
    sources: &'a Sources,
    ambient: &'a Ambient,
    replay: Option<&'a Replayed>,
    key: Option<ProofKey>,
    begun: Moment,
    /// The logs of the plan, by their places.
    logs: HashMap<&'a Path, &'a LogItem>,
}

/// What a file came to.
struct Copied {
    part: FilePart,
    seen: Option<Seen>,
    stored: u64,
}

impl Run<'_> {
    fn copy(&self, vault: &dyn Vault, follow: &mut Follow<'_>, databases_copied: &mut dyn FnMut()) -> Result<Report, Error> {
        if !follow.progress.phase("copying", self.plan.bytes) {
            return Err(Error::Interrupted);
        }
        let held = self.hold()?;
        let options = &self.plan.options;
        let mut writer = vault.begin_set(NewSet {
            time: Moment::milliseconds(self.begun).unwrap_or(0),
            host: options.host.clone(),
            tags: vec!["anchorlog".into(), self.plan.kind.name().into()],
            source: self
                .plan
                .files
                .first()
                .and_then(|file| file.source.parent())
                .map_or_else(String::new, |at| at.display().to_string()),
            label: options.label.clone(),
            // Logs alone are of no use without the set that they continue.
            needs: if self.plan.kind.has_databases() { Vec::new() } else { self.plan.continues.values().cloned().collect() },
            copy_of: None,
        })?;
        self.plan.resembles.iter().for_each(|set| writer.resembles(set));
        let (stopped, behind): (Vec<&Item>, Vec<&Item>) = self.plan.files.iter().partition(|file| file.phase == Phase::Stopped);
        let mut copied = Vec::with_capacity(self.plan.files.len());
        for item in &stopped {
            copied.push(self.file(item, &mut *writer, follow)?);
        }
        let good = |copied: &&Copied| {
            copied.part.damage.is_empty() && copied.part.database.as_ref().is_some_and(DatabaseFacts::is_clean)
        };
        let clean: Vec<&Item> = copied
            .iter()
            .filter(good)
            .filter_map(|copied| stopped.iter().find(|item| item.name == copied.part.name).copied())
            .collect();
        let rows = if options.hash_rows { hash_rows(&clean, self.sources, follow)? } else { HashedRows::default() };
        // What was copied first may have changed while the last was copied.
        for item in &stopped {
            self.unchanged(item)?;
        }
        drop(held);
        databases_copied();
        for item in &behind {
            copied.push(self.file(item, &mut *writer, follow)?);
            self.unchanged(item)?;
        }
        self.publish(vault, writer, copied, rows, follow)
    }

    /// Keeps others away from the databases while they are copied (P1).
    fn hold(&self) -> Result<Vec<Guard>, Error> {
        let mut guards = Vec::new();
        let databases = self.plan.files.iter().filter(|file| matches!(file.role, Role::Database | Role::StreamingFile));
        for item in databases.filter(|_| self.plan.kind == Kind::Offline) {
            let shown = item.source.display().to_string();
            match hold(&item.source).map_err(|error| Error::Source(shown.clone(), error))? {
                Hold::Held(guard) => guards.push(guard),
                Hold::Unknown(_) if self.plan.options.assume_dismounted => {}
                Hold::InUse(why) | Hold::Unknown(why) => {
                    return Err(Error::Refused(vec![Predicate::refuses("P1", shown, why, Refusal::InUse, "Stop what uses it.")]));
                }
            }
        }
        Ok(guards)
    }

    fn file(&self, item: &Item, writer: &mut dyn SetWriter, follow: &mut Follow<'_>) -> Result<Copied, Error> {
        let shown = item.source.display().to_string();
        let failed = |error| Error::Source(shown.clone(), error);
        let file = self.sources.open(&item.place).map_err(failed)?;
        let database = self.plan.databases.iter().find(|database| database.place == item.place);
        let pages = database.map(|database| PageCheck::new(item.name.as_str(), &database.page, file.clone()));
        let mut reader = FileReader::new(item.name.as_str(), file, follow, pages, self.replay.is_some());
        let receipt = writer.stream(&item.name, &mut reader);
        let (bytes, sha256, pages) = reader.end();
        if follow.stopped {
            return Err(Error::Interrupted);
        }
        let receipt = receipt?;
        if receipt.bytes != bytes {
            return Err(Error::NotReadBack(format!("of {} {} bytes were stored, and {bytes} read", item.name, receipt.bytes)));
        }
        if bytes != item.size {
            return Err(Error::Changed(changed(item, format!("it had {} bytes, and {bytes} were read", item.size))));
        }
        let mut part = FilePart {
            name: item.name.clone(),
            role: item.role,
            source: shown,
            size: bytes,
            blake3: receipt.blake3,
            owner: held::owner_of(&item.source),
            database: database.map(|database| database.facts.clone()),
            pages: None,
            log: None,
            damage: Vec::new(),
            other: Map::new(),
        };
        self.same_log(item, &mut part)?;
        self.same_as_replayed(item, sha256)?;
        let seen = match pages.map(PageCheck::end) {
            Some((_, false)) => return Err(Error::Changed(changed(item, "its header is another one than before".into()))),
            Some((seen, true)) => Some(self.judge_pages(item, seen, &mut part, follow)?),
            None => None,
        };
        part.pages = seen.as_ref().map(Seen::counts);
        Ok(Copied { part, seen, stored: receipt.stored })
    }

    /// The log that was planned with is the one that was stored.
    fn same_log(&self, item: &Item, part: &mut FilePart) -> Result<(), Error> {
        if item.role != Role::Log {
            return Ok(());
        }
        let planned = self.logs.get(item.place.as_path()).copied();
        let Some(planned) = planned else {
            let message = "its header cannot be used, or another log of its generation is the one that counts";
            let finding = Finding::error(Place::file(item.name.as_str()), JetCode::LOG_FILE_CORRUPT, message);
            part.damage.push(Note::from(&finding));
            return Ok(());
        };
        if planned.blake3 != part.blake3 {
            return Err(Error::Changed(changed(item, "it was written while the backup ran".into())));
        }
        if planned.facts.state != LogState::Whole && !planned.facts.open {
            let message = format!("it cannot be read behind {}", planned.facts.valid_end);
            let finding = Finding::error(Place::file(item.name.as_str()), JetCode::LOG_FILE_CORRUPT, message);
            part.damage.push(Note::from(&finding));
        }
        part.log = Some(planned.facts.clone());
        Ok(())
    }

    /// What was replayed to prove the image is byte for byte what goes into the set.
    fn same_as_replayed(&self, item: &Item, sha256: Option<[u8; 32]>) -> Result<(), Error> {
        let (Some(replayed), Some(sha256)) = (self.replay, sha256) else { return Ok(()) };
        let input = replayed.inputs.get(&item.place.display().to_string());
        if input.is_some_and(|input| *input != hex::encode(sha256)) {
            return Err(Error::Changed(changed(item, "it is not what was replayed to prove the image".into())));
        }
        Ok(())
    }

    /// What bad pages mean: those that replay made anew, and those that nothing uses, are no damage.
    fn judge_pages(&self, item: &Item, mut seen: Seen, part: &mut FilePart, follow: &mut Follow<'_>) -> Result<Seen, Error> {
        if seen.bad > 0 {
            let name = item.name.as_str();
            let file = self.sources.open(&item.place).map_err(|error| Error::Source(name.to_owned(), error))?;
            let checked = judge(name, file, &mut || follow.read(name, 0));
            if follow.stopped {
                return Err(Error::Interrupted);
            }
            let errors = |findings: &[Finding]| findings.iter().any(|finding| finding.severity == Severity::Error);
            let harmless = self.replay.is_some() || checked.as_deref().is_some_and(|findings| !errors(findings));
            if harmless {
                seen.findings.iter_mut().for_each(|finding| finding.severity = Severity::Warning);
                seen.bad = 0;
            }
        }
        seen.findings.append(&mut seen.of_file);
        part.damage.extend(seen.findings.iter().filter(|finding| finding.severity == Severity::Error).map(Note::from));
        Ok(seen)
    }

    fn unchanged(&self, item: &Item) -> Result<(), Error> {
        let now = Identity::of(&item.source).ok();
        if now.is_none() || now != item.identity {
            return Err(Error::Changed(changed(item, "its size, its time or the file itself is another one than before".into())));
        }
        if let Some(database) = self.plan.databases.iter().find(|database| database.place == item.place) {
            let header = super::databases::header_of(self.sources, &item.place);
            if header.as_ref() != Some(&database.page.header) {
                return Err(Error::Changed(changed(item, "its header is another one than before".into())));
            }
        }
        Ok(())
    }

    fn publish(
        &self,
        vault: &dyn Vault,
        writer: Box<dyn SetWriter + '_>,
        copied: Vec<Copied>,
        rows: HashedRows,
        follow: &mut Follow<'_>,
    ) -> Result<Report, Error> {
        let databases: Vec<DatabaseVerdict> = copied.iter().filter_map(verdict).collect();
        self.may_publish(&databases)?;
        let stored = copied.iter().map(|copied| copied.stored).sum();
        let notes =
            copied.iter().filter_map(|copied| copied.seen.as_ref()).flat_map(|seen| &seen.findings).map(Note::from).collect();
        let files: Vec<FilePart> = copied.into_iter().map(|copied| copied.part).collect();
        let manifest = manifest_of(self.plan, self.replay.is_some(), (self.begun, self.ambient.now().into()), files, notes);
        let manifest = Manifest { stored: Some(stored), ..manifest };
        let json = manifest.to_bytes().map_err(|error| Error::NotReadBack(error.to_string()))?;
        let bytes = manifest.files.iter().map(|file| file.size).sum();
        let set = writer.publish(&json)?;
        let mut remarks = self.plan.remarks.clone();
        if self.plan.options.prove_later {
            remarks.push(format!("the set was not read back yet, and counts as not proved: `anchorlog drill {set}` proves it"));
            self.mark_ends(vault, &set, &mut remarks);
            return Ok(Report { set, level: Level::Unproven, bytes, stored, databases, remarks, manifest });
        }
        if !follow.progress.phase("reading back", bytes) {
            follow.stopped = true;
        }
        let streams = self.read_back(vault, &set, &manifest, follow)?;
        remarks.extend(rows.remarks);
        let mut proof = Proof::new(
            manifest.level.max(Level::L0),
            self.ambient.now().into(),
            streams,
            self.replay.map(|replayed| replayed.proof.clone()),
        );
        proof.source = rows.contents;
        let level = match proof.attach(vault, &set, self.key.as_ref()) {
            Ok(_) => proof.level,
            Err(error) => {
                remarks.push(format!("the set is whole and was read back, but the proof of that could not be stored: {error}"));
                Level::Unproven
            }
        };
        self.mark_ends(vault, &set, &mut remarks);
        Ok(Report { set, level, bytes, stored, databases, remarks, manifest })
    }

    /// Notes at sets of before that no log of now leads on from them (P24).
    fn mark_ends(&self, vault: &dyn Vault, set: &SetId, remarks: &mut Vec<String>) {
        for (older, why) in &self.plan.ends {
            if let Err(error) = mark_end(vault, older, set, why, self.ambient.now().into()) {
                remarks.push(format!("set {older} could not be marked ({why}): {error}"));
            }
        }
    }

    /// Damage fails a database's backup; where nothing good is left, or a unit is broken, nothing is published.
    fn may_publish(&self, databases: &[DatabaseVerdict]) -> Result<(), Error> {
        let damaged: Vec<Note> =
            databases.iter().filter(|database| !database.good).flat_map(|database| database.notes.clone()).collect();
        let any_good = databases.iter().any(|database| database.good);
        let unit = self.plan.databases.iter().any(DatabaseItem::is_of_exchange_55);
        if damaged.is_empty() || self.plan.options.keep_damage || (any_good && !unit) {
            return Ok(());
        }
        Err(Error::Damaged(damaged))
    }

    /// P13: what was stored is read back; what differs, or was not read to its end, is forgotten again.
    fn read_back(
        &self,
        vault: &dyn Vault,
        set: &SetId,
        manifest: &Manifest,
        follow: &mut Follow<'_>,
    ) -> Result<Vec<ReadBack>, Error> {
        let streams = if follow.stopped {
            Err(ReadBackError::Interrupted)
        } else {
            read_back(vault, set, manifest, &mut |bytes| {
                follow.stopped |= !follow.progress.bytes("", bytes);
                !follow.stopped
            })
        };
        streams.map_err(|error| {
            // The error that led here is the one to tell; a set that cannot be forgotten has no proof, and counts for nothing.
            _ = vault.forget(std::slice::from_ref(set));
            match error {
                ReadBackError::Interrupted => Error::Interrupted,
                ReadBackError::Differs { .. } => Error::NotReadBack(error.to_string()),
                ReadBackError::Vault(error) => error.into(),
            }
        })
    }
}

fn verdict(copied: &Copied) -> Option<DatabaseVerdict> {
    let seen = copied.seen.as_ref()?;
    Some(DatabaseVerdict {
        name: copied.part.name.to_string(),
        good: copied.part.damage.is_empty(),
        pages: seen.pages,
        bad_pages: seen.bad,
        notes: seen.findings.iter().map(Note::from).collect(),
    })
}

fn changed(item: &Item, read: String) -> Predicate {
    let next = "Something still writes it: stop that, or take a snapshot.";
    Predicate::refuses("P12", item.source.display().to_string(), read, Refusal::InUse, next)
}
