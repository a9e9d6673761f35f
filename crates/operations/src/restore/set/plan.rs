//! The plan of a restore: everything looked at, nothing changed. `--dry-run` shows it, and a run carries it out.

use super::databases::{self, Restored, Taken};
use super::error::{Error, storage};
use super::forward;
use super::options::{Forward, Options, Target};
use super::stored::Stored;
use super::target::{self, Existing};
use crate::backup::{Predicate, Refusal};
use crate::identify::Identified;
use crate::recover::{self, Place, Source, Sources};
use crate::restore::Step;
use crate::sets::{History, KnownSet, Owner, Role};
use crate::survey::product_of;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_vault::{SetId, Vault};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the bytes of a file come from.
#[derive(Clone, Debug)]
pub(in crate::restore) enum Origin {
    Stored(Stored),
    Disk(PathBuf),
}

/// A file on its way into the working folder.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Its place below the target.
    pub place: PathBuf,
    /// Where it comes from, for people.
    pub from: String,
    /// What it is.
    pub role: Role,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of them, as far as it is known before.
    #[serde(serialize_with = "digest")]
    pub blake3: Option<[u8; 32]>,
    /// Of a log: its generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    #[serde(skip)]
    pub(super) origin: Origin,
    #[serde(skip)]
    pub(super) owner: Owner,
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
fn digest<S: serde::Serializer>(digest: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
    digest.map(hex::encode).serialize(serializer)
}

impl Item {
    pub(super) fn of(taken: &Taken) -> Self {
        Self {
            place: taken.place.clone(),
            from: format!("set {}, {}", taken.stored.set, taken.stored.name),
            role: taken.part.role,
            size: taken.part.size,
            blake3: Some(taken.part.blake3),
            generation: None,
            origin: Origin::Stored(taken.stored.clone()),
            owner: taken.part.owner.clone(),
        }
    }
}

/// Which of the written-down procedures it is (`ops-1 §6`, `§7`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The whole unit: logs and checkpoint are set aside, and a new stream begins (`§6.1`).
    Unit,
    /// Databases of a group of which others stay, with their logs (`§6.2`).
    Group,
    /// With roll-forward (`§7`).
    RollForward,
}

/// A plan.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The set.
    pub set: SetId,
    /// Where the result goes.
    pub target: String,
    /// Which procedure.
    pub form: Form,
    /// Whether it can be carried out.
    pub possible: bool,
    /// What must hold, in the order of the reference, and what was found.
    pub predicates: Vec<Predicate>,
    /// What comes into the working folder.
    pub files: Vec<Item>,
    /// Bytes of it.
    pub bytes: u64,
    /// What stands in the target and is set aside, below it.
    pub set_aside: Vec<PathBuf>,
    /// Logs that were looked at and are not used, and why.
    pub unused: Vec<String>,
    /// The generations that are replayed, at most: the low anchor, and the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<(Generation, Generation)>,
    /// Up to where every database must be replayed at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<LogPosition>,
    /// The recovery that follows in the working folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<recover::Plan>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What to know besides.
    pub remarks: Vec<String>,
    #[serde(skip)]
    pub(super) sources: Sources,
    #[serde(skip)]
    pub(super) place: Place,
    #[serde(skip)]
    pub(super) options: Options,
    #[serde(skip)]
    pub(super) restored: Vec<Restored>,
    /// Logged paths, and the places of the databases that they mean.
    #[serde(skip)]
    pub(super) map: Vec<(String, PathBuf)>,
}

/// Plans the restore of databases of a set. Nothing is changed.
///
/// # Errors
/// [`Error`]: where the target or a folder of logs cannot be read; anything that is wrong with the files is in the plan.
pub fn plan(vault: &Arc<dyn Vault>, history: &History, set: &SetId, target: &Target, options: &Options) -> Result<Plan, Error> {
    let known = history.sets.iter().find(|known| known.id == *set);
    let set = known.ok_or_else(|| anchorlog_vault::Error::NoSet(set.clone()))?;
    let existing = Existing::look(target).map_err(storage(target.path().display().to_string()))?;
    let mut predicates = Vec::new();
    let restored = databases::choose(vault, set, options, &mut predicates);
    let staying = !existing.staying(&restored).is_empty();
    let form = match options.forward {
        Forward::Set | Forward::All => Form::RollForward,
        Forward::No if staying && !options.new_stream => Form::Group,
        Forward::No => Form::Unit,
    };
    let place = match target {
        Target::New(path) => Place::Out(path.clone()),
        Target::Over(path) => Place::InPlace(path.clone()),
    };
    let mut plan = Plan {
        set: set.id.clone(),
        target: target.path().display().to_string(),
        form,
        possible: false,
        predicates,
        files: restored.iter().flat_map(Restored::files).map(Item::of).collect(),
        bytes: 0,
        set_aside: Vec::new(),
        unused: Vec::new(),
        generations: None,
        needed: None,
        recovery: None,
        steps: Vec::new(),
        remarks: Vec::new(),
        sources: Sources::of([]),
        place,
        options: options.clone(),
        restored,
        map: Vec::new(),
    };
    match form {
        Form::Unit => unit(&mut plan, set, target, &existing),
        Form::Group => group(&mut plan, set, target, &existing),
        Form::RollForward => {
            let unread = |(place, error)| storage(place)(error);
            forward::plan(&mut plan, vault, history, set, target, &existing).map_err(unread)?;
        }
    }
    plan.predicates.extend(target::at_hand(options, &plan.restored));
    plan.directory(target);
    plan.look_at_sources();
    plan.walk()?;
    plan.room(target);
    plan.finish();
    Ok(plan)
}

/// The whole unit (P25 to P31).
fn unit(plan: &mut Plan, set: &KnownSet, target: &Target, existing: &Existing) {
    let mut found = target::closed("P25", target, existing, &plan.options);
    let in_the_way: Vec<PathBuf> = paths(existing.in_the_way(&plan.restored));
    let of_streams: Vec<PathBuf> = paths(existing.of_streams());
    let shown = |list: &[PathBuf]| format!("set aside: {}", target::list(list.iter().map(PathBuf::as_path)));
    found.push(Predicate::held("P26", "", shown(&in_the_way)));
    found.push(Predicate::held("P27", "", shown(&of_streams)));
    databases::judge_clean("P28", set, &plan.restored, &plan.options, &mut found);
    found.push(target::only_clean(existing, &plan.restored));
    found.push(Predicate::held("P30", "", "logs older than this restore never apply to these databases again"));
    found.push(Predicate::held(
        "P31",
        "",
        "`isinteg -patch` is run only where the store itself asks for it, and is no step of this plan",
    ));
    plan.set_aside = in_the_way.into_iter().chain(of_streams).collect();
    plan.predicates.extend(found);
}

/// Databases of a group of which others stay (P32 to P36).
fn group(plan: &mut Plan, set: &KnownSet, target: &Target, existing: &Existing) {
    let mut found = target::closed("P32", target, existing, &plan.options);
    found.extend(target::others_clean(existing, &plan.restored));
    found.extend(target::checkpoint(existing));
    databases::judge_clean("P35", set, &plan.restored, &plan.options, &mut found);
    let read = "its logs of before no longer apply to it; make a full backup of the group once it is mounted";
    found.push(Predicate::held("P36", "", read));
    plan.set_aside = paths(existing.in_the_way(&plan.restored));
    plan.predicates.extend(found);
}

pub(super) fn paths<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Vec<PathBuf> {
    sources.into_iter().map(|source| source.identified.path.clone()).collect()
}

impl Plan {
    /// The predicates that stand in the way.
    pub fn refusals(&self) -> impl Iterator<Item = &Predicate> {
        self.predicates.iter().filter(|predicate| predicate.is_refused())
    }
    /// Whether the database at a place is dirty before replay.
    pub(super) fn is_dirty(&self, place: &Path) -> bool {
        self.restored.iter().any(|database| database.file.place == place && !database.facts.is_clean())
    }
    /// The stream of the database at a place.
    pub(super) fn stream_at(&self, place: &Path) -> Option<String> {
        self.restored.iter().find(|database| database.file.place == place).map(Restored::shown)
    }
    /// A domain controller that is put back counts its changes again (`ops-1 §11`).
    fn directory(&mut self, target: &Target) {
        let Target::Over(_) = target else { return };
        let names = |database: &Restored| {
            let own = Path::new(database.file.part.name.as_str()).file_name().map(|name| name.to_string_lossy().into_owned());
            own.is_some_and(|name| product_of(&name) == Some("Active Directory"))
        };
        for database in self.restored.iter().filter(|database| names(database)) {
            let read =
                "partners would have seen its update numbers already, and replication would fail in silence (USN rollback)";
            let next = "Restore it into another folder; in place only where the directory itself is told about it.";
            self.predicates.push(if self.options.domain_controller {
                Predicate::marks("directory", database.shown(), read, Refusal::State, next)
            } else {
                Predicate::refuses("directory", database.shown(), read, Refusal::State, next)
            });
        }
    }
    /// The files as one folder in the layout of the result.
    fn look_at_sources(&mut self) {
        let contents: BTreeMap<&Path, &Taken> =
            self.restored.iter().flat_map(Restored::files).map(|taken| (taken.place.as_path(), taken)).collect();
        let source = |item: &Item| match (&item.origin, contents.get(item.place.as_path())) {
            (Origin::Stored(stored), Some(taken)) => Source {
                path: item.place.clone(),
                identified: Identified { path: item.place.clone(), size: item.size, content: taken.content.clone() },
                stored: Some(stored.clone()),
            },
            (Origin::Stored(stored), None) => Source::in_vault(stored.clone(), item.place.clone()),
            (Origin::Disk(path), _) => {
                // What cannot be read now is told when it is copied.
                let content = identify_disk(path).unwrap_or(crate::identify::Content::Unknown);
                Source::on_disk(path.clone(), Identified { path: item.place.clone(), size: item.size, content })
            }
        };
        self.sources = Sources::of(self.files.iter().map(source));
    }
    /// P66: the recovery that follows, walked through without a page being read.
    fn walk(&mut self) -> Result<(), Error> {
        if self.refusals().next().is_some() {
            return Ok(());
        }
        let options = self.of_recovery(None);
        let planned = |options: &recover::Options| {
            recover::plan(&self.sources, options).map_err(|error| Error::Failed {
                reason: error.to_string(),
                jet: None,
                findings: Vec::new(),
            })
        };
        let mut walked = planned(&options)?;
        if let Some(loss) = walked.loss.filter(|_| self.options.accept_loss) {
            walked = planned(&self.of_recovery(Some(loss.first)))?;
        }
        if self.form == Form::RollForward {
            self.predicates.push(judge_walk(&walked));
        }
        self.remarks.extend(walked.notes.iter().chain(&walked.warnings).cloned());
        self.recovery = Some(walked);
        Ok(())
    }
    fn of_recovery(&self, loss: Option<Generation>) -> recover::Options {
        recover::Options {
            accept_loss: loss,
            stop: self.options.stop,
            stop_time: self.options.stop_time,
            ignore_missing_database: !self.options.without.is_empty(),
            keep_damage: self.options.keep_damage,
            trust_copies: !self.options.verify,
            map: self.map.clone(),
            allow_missing_current: !self.has_current(),
            cache_bytes: self.options.cache_bytes,
            threads: self.options.threads,
            ..recover::Options::default()
        }
    }
    /// Whether the last log is one that is written on.
    fn has_current(&self) -> bool {
        use anchorlog_format::log::names::{self, Role as Named};
        let name = |file: &Item| file.place.file_name().and_then(|name| names::parse(&name.to_string_lossy()));
        let logs = self.files.iter().filter(|file| file.role == Role::Log);
        logs.filter_map(name).any(|name| matches!(name.role, Named::Current(_)))
    }
    /// There is room before anything is begun (D12). Replay may grow a database by what its logs add.
    fn room(&mut self, target: &Target) {
        self.bytes = self.files.iter().map(|file| file.size).sum();
        let shown = target.path().display().to_string();
        let Ok(free) = anchorlog_storage::space::free_bytes(target.path()) else { return };
        let read = format!("the result needs {} bytes, and {free} are free", self.bytes);
        self.predicates.push(if free >= self.bytes {
            Predicate::held("room", shown, read)
        } else {
            let next = "Free space there, or name a folder on another volume.";
            Predicate::refuses("room", shown, read, Refusal::Space, next)
        });
    }
    fn finish(&mut self) {
        let mut seen = BTreeSet::new();
        self.set_aside.retain(|path| seen.insert(path.clone()));
        self.possible = !self.predicates.iter().any(Predicate::is_refused);
        self.steps = if self.possible { steps(self) } else { Vec::new() };
    }
}

fn identify_disk(path: &Path) -> std::io::Result<crate::identify::Content> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(std::io::ErrorKind::NotFound.into()) };
    let folder = anchorlog_storage::DiskFolder::read_only(parent);
    crate::identify::identify(&folder, Path::new(name)).map(|found| found.content)
}

/// P66.
fn judge_walk(walked: &recover::Plan) -> Predicate {
    let Some(condition) = walked.preconditions.iter().find(|condition| !condition.holds) else {
        let end = walked.end.map_or_else(|| "nothing is to be replayed".into(), |end| format!("replay ends at {end}"));
        return Predicate::held("P66", "", end);
    };
    let fault = walked.engine_fault().or_else(|| walked.faults.first());
    let jet = condition.jet.or_else(|| fault.and_then(|fault| fault.finding.jet));
    let read = format!("{}: {}", condition.rule, condition.found);
    let next = match fault {
        Some(fault) if !fault.finding.hint.is_empty() => fault.finding.hint.clone(),
        _ => "Bring what is missing, or choose another set or another end.".into(),
    };
    let broken = Predicate::refuses("P66", "", read, Refusal::OtherDb, next);
    match jet {
        Some(jet) => broken.with_jet(jet),
        None => broken,
    }
}

fn steps(plan: &Plan) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut step = |action: String, reads: Vec<String>, writes: Vec<String>, requires: &[&'static str]| {
        steps.push(Step { number: steps.len() + 1, action, reads, writes, requires: requires.to_vec() });
    };
    let places = || plan.files.iter().map(|file| file.place.display().to_string()).collect::<Vec<_>>();
    let databases = || {
        let of_role = plan.files.iter().filter(|file| file.role == Role::Database);
        of_role.map(|file| file.place.display().to_string()).collect::<Vec<_>>()
    };
    let from = plan.files.iter().map(|file| file.from.clone()).collect();
    step(
        "copy the files into a hidden working folder beside the target, and verify hashes and pages".into(),
        from,
        places(),
        &["P57", "room"],
    );
    if let Some(recovery) = plan.recovery.as_ref().filter(|recovery| recovery.replays()) {
        let range: Vec<String> = recovery.generations.iter().map(ToString::to_string).collect();
        let logs = plan.files.iter().filter(|file| file.role == Role::Log).map(|file| file.place.display().to_string()).collect();
        step(
            format!("replay the logs of generation {}, and take back what had not committed", range.join(", ")),
            logs,
            databases(),
            &["P40", "P46", "P47", "P65", "P66"],
        );
    }
    step("verify every page, tree and record of the result".into(), databases(), Vec::new(), &["P67"]);
    if !plan.set_aside.is_empty() {
        let aside: Vec<String> = plan.set_aside.iter().map(|path| path.display().to_string()).collect();
        step("set aside what stands in the way, in a dated folder in the target".into(), aside, Vec::new(), &["P26", "P27"]);
    }
    step("publish the result with one commit point".into(), Vec::new(), places(), &["P68"]);
    steps
}
