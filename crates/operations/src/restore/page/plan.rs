//! The plan of a page restore: which set and which logs bring the pages to the state of the database; nothing is changed.

use crate::backup::{Predicate, Refusal};
use crate::identify::{Content, Identified, content_of};
use crate::recover::{self, Source, Sources, StreamChoice, open_on_disk};
use crate::restore::chain;
use crate::restore::set::{
    Candidate, Chain, Error, Options as SetOptions, Origin, Stored, choose_logs, gather_logs, judge_logs, place_of, storage,
};
use crate::sets::{DatabaseFacts, FilePart, History, KnownSet};
use anchorlog_format::database::{DatabaseHeader, DatabaseState, HeaderPage};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::names::{Extension, Naming};
use anchorlog_format::units::{Generation, LogPosition, PageNumber};
use anchorlog_replay::hard;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_vault::{SetId, Vault};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a user may ask.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The pages, by their numbers.
    pub pages: Vec<u32>,
    /// Folders with logs besides those of the vault.
    pub logs: Vec<PathBuf>,
    /// Publish the result although other pages of it are damaged.
    pub keep_damage: bool,
}

/// A plan.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The database, which is only read.
    pub database: PathBuf,
    /// The set from which the pages come.
    pub set: SetId,
    /// The stream in it.
    pub stream: String,
    /// The pages, ascending.
    pub pages: Vec<PageNumber>,
    /// Generations that are redone over them; none: the set holds the very state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<(Generation, Generation)>,
    /// Whether it can be carried out.
    pub possible: bool,
    /// What must hold, and what was found.
    pub predicates: Vec<Predicate>,
    /// The header of the database; none where it cannot be read.
    #[serde(skip)]
    pub(super) header: Option<HeaderPage>,
    /// The redo, over files of which none is written.
    #[serde(skip)]
    pub(super) redo: Option<(recover::Plan, Sources)>,
    /// The database of the set.
    #[serde(skip)]
    pub(super) source: Option<Source>,
    #[serde(skip)]
    pub(super) options: Options,
}

/// Folder of the logs among the files that are looked at.
const LOGS: &str = "logs";

/// Plans the restore of pages of `database` out of a set. Nothing is changed.
///
/// # Errors
/// [`Error`]: a file or a folder that cannot be read; anything that is wrong with files and set is in the plan.
pub fn plan(vault: &Arc<dyn Vault>, history: &History, set: &SetId, database: &Path, options: &Options) -> Result<Plan, Error> {
    let known = history.sets.iter().find(|known| known.id == *set);
    let known = known.ok_or_else(|| anchorlog_vault::Error::NoSet(set.clone()))?;
    let mut pages: Vec<PageNumber> = options.pages.iter().map(|page| PageNumber(*page)).collect();
    pages.sort_unstable();
    pages.dedup();
    let mut plan = Plan {
        database: database.to_owned(),
        set: known.id.clone(),
        stream: String::new(),
        pages,
        generations: None,
        possible: false,
        predicates: Vec::new(),
        header: None,
        redo: None,
        source: None,
        options: options.clone(),
    };
    plan.look(vault, history, known).map_err(|(what, error)| storage(what)(error))?;
    plan.possible = !plan.predicates.iter().any(Predicate::is_refused);
    Ok(plan)
}

type Unread = (String, std::io::Error);

impl Plan {
    /// The predicates that stand in the way.
    pub fn refusals(&self) -> impl Iterator<Item = &Predicate> {
        self.predicates.iter().filter(|predicate| predicate.is_refused())
    }

    fn look(&mut self, vault: &Arc<dyn Vault>, history: &History, known: &KnownSet) -> Result<(), Unread> {
        let shown = self.database.display().to_string();
        let unread = |error| (self.database.display().to_string(), error);
        let file = open_on_disk(&self.database).map_err(unread)?;
        let size = file.size().map_err(unread)?;
        let Content::Database { page, .. } = content_of(&*file, size).map_err(unread)? else {
            let next = "A header is no page: restore the whole database, with --forward all.";
            self.predicates.push(Predicate::refuses("P2", shown, "neither copy of its header holds", Refusal::Unreadable, next));
            return Ok(());
        };
        self.predicates.push(state(&shown, &page.header));
        self.predicates.push(self.inside(&shown, &page, size));
        let header = page.header.clone();
        self.header = Some(*page);
        if self.refusals().next().is_some() {
            return Ok(());
        }
        let Some((base, part, facts)) = self.of_set(history, known, &header) else { return Ok(()) };
        self.stream = part.name.to_string();
        self.set = base.id.clone();
        let database = Source::in_vault(Stored::new(vault, &base.id, part), place_of(&part.name));
        if !is_same_state(facts, &header) {
            self.redo = self.bring_forward(vault, history, base, facts, &header, &database)?;
        }
        self.source = Some(database);
        Ok(())
    }

    /// Page numbers that the file has.
    fn inside(&self, shown: &str, page: &HeaderPage, size: u64) -> Predicate {
        let pages = (size / page.page_size().bytes_u64()).saturating_sub(2);
        let next = "`anchorlog verify` names the damaged pages; pages behind the end need no restore.";
        match self.pages.iter().find(|page| u64::from(page.0) > pages || page.0 == 0) {
            _ if self.pages.is_empty() => {
                Predicate::refuses("pages", shown, "no page is named", Refusal::Path, next).with_jet(JetCode::INVALID_PARAMETER)
            }
            Some(page) => {
                let read = format!("it has the pages 1 to {pages}, and not {page}");
                Predicate::refuses("pages", shown, read, Refusal::Path, next).with_jet(JetCode::INVALID_PARAMETER)
            }
            None => Predicate::held("pages", shown, format!("{} of its {pages} pages are to be restored", self.pages.len())),
        }
    }

    /// The database in the set, or in the one that this one continues: the same by its signature, and of the same stream.
    fn of_set<'h>(
        &mut self,
        history: &'h History,
        known: &'h KnownSet,
        header: &DatabaseHeader,
    ) -> Option<(&'h KnownSet, &'h FilePart, &'h DatabaseFacts)> {
        let base =
            if known.manifest.kind.has_databases() { Some(known) } else { chain(history, &known.id).ok()?.first().copied() };
        let found = base.and_then(|set| {
            let (part, facts) = set.manifest.databases().find(|(_, facts)| facts.signature == header.signature)?;
            Some((set, part, facts))
        });
        let next = "Name a set that holds this very database: `anchorlog sets cat SET` shows signatures.";
        let shown = format!("set {}", known.id);
        let Some((set, part, facts)) = found else {
            let read = format!("no database of it has the signature {}", header.signature);
            self.predicates
                .push(Predicate::refuses("same", shown, read, Refusal::DbSign, next).with_jet(JetCode::DATABASE_SIGN_IN_USE));
            return None;
        };
        if facts.log_signature != header.log_signature {
            let read = format!(
                "{} belongs to the log stream {}, the database to {}",
                part.name, facts.log_signature, header.log_signature
            );
            self.predicates.push(Predicate::refuses("same", shown, read, Refusal::LogSign, next));
            return None;
        }
        if let Some(damage) = part.damage.first() {
            let read = format!("the set was marked when it was made: {}: {}", damage.place, damage.message);
            self.predicates.push(Predicate::refuses("same", shown, read, Refusal::Damaged, "Choose another set."));
            return None;
        }
        self.predicates.push(Predicate::held("same", shown, format!("{} has its signature, and is of its stream", part.name)));
        Some((set, part, facts))
    }

    /// Redo from the state of the set to that of the database. Nothing is undone: what an undo does is in the logs behind it.
    fn bring_forward(
        &mut self,
        vault: &Arc<dyn Vault>,
        history: &History,
        set: &KnownSet,
        facts: &DatabaseFacts,
        header: &DatabaseHeader,
        database: &Source,
    ) -> Result<Option<(recover::Plan, Sources)>, Unread> {
        let shown = self.database.display().to_string();
        let (low, needs) = (facts.start().unwrap_or(0), needs_of(set, facts));
        let (wanted, newest) = match header.state {
            DatabaseState::CleanShutdown => (header.consistent_position.generation.0, header.consistent_position.generation.0),
            // Its own redo begins with the first log that it requires: pages of that state or of any later one fit.
            _ => (needs.max(header.min_required.0.saturating_sub(1)), header.max_required.max(header.max_committed).0),
        };
        if low == 0 || needs > newest {
            let read =
                format!("the set needs the logs up to generation {needs:#x}, and the database knows none behind {newest:#x}");
            let next = "The set is newer than the database: choose an older one.";
            self.predicates.push(Predicate::refuses("reach", shown, read, Refusal::RangeMissing, next));
            return Ok(None);
        }
        let options = SetOptions { logs: self.options.logs.clone(), ..SetOptions::default() };
        let found = gather_logs(vault, history, set, &options)?;
        let chain = choose_logs(found, &header.log_signature, low, Some(wanted));
        let mut found = Vec::new();
        judge_logs(&chain, &header.log_signature, low, wanted, &mut found);
        let last = chain.last().unwrap_or(0);
        let end = chain.logs.last().map_or(LogPosition::NONE, |log| log.facts.valid_end);
        // The log in which a database was closed may be here as it was before that.
        let is_closed = header.state != DatabaseState::CleanShutdown || end > header.consistent_position;
        let read = format!("they must lead from generation {low:#x} to {wanted:#x}, and end at {end}");
        let next = "Name the folder with the missing logs (--logs), or choose a newer set.";
        found.push(if last >= wanted && is_closed && chain.log(low).is_some() {
            Predicate::held("reach", &shown, read)
        } else {
            Predicate::refuses("reach", &shown, read, Refusal::RangeMissing, next)
        });
        let refused = found.iter().any(Predicate::is_refused);
        self.predicates.extend(found);
        if refused {
            return Ok(None);
        }
        self.generations = Some((Generation(low), Generation(last)));
        let online = set.manifest.kind.is_online();
        let (sources, files) = laid_out(&chain, set, database);
        let options = recover::Options {
            without_undo: true,
            ignore_missing_database: true,
            allow_missing_current: true,
            no_create: true,
            hard: online.then(|| {
                let high = files.archives.keys().next_back().copied().unwrap_or(Generation(low));
                hard::Set { low: Generation(low), high, overlap: BTreeMap::new() }
            }),
            ..recover::Options::default()
        };
        let choice = StreamChoice::One(Box::new(files), header.log_signature);
        let unread = |error: recover::PlanError| (shown.clone(), std::io::Error::other(error));
        let walked = recover::plan_stream(&sources, choice, &options).map_err(unread)?;
        let broken = walked.preconditions.iter().find(|condition| !condition.holds);
        self.predicates.push(match broken {
            None => Predicate::held("P66", "", "a walk through the logs leads to the end"),
            Some(broken) => {
                let fault = walked.engine_fault().or_else(|| walked.faults.first());
                let jet = broken.jet.or_else(|| fault.and_then(|fault| fault.finding.jet));
                let next = "Bring the logs that are missing, or choose another set.";
                let read = format!("{}: {}", broken.rule, broken.found);
                let refused = Predicate::refuses("P66", "", read, Refusal::RangeMissing, next);
                Predicate { jet: jet.or(refused.jet), ..refused }
            }
        });
        Ok(Some((walked, sources)))
    }
}

/// Clean or dirty; what is between two states is neither.
fn state(shown: &str, header: &DatabaseHeader) -> Predicate {
    let read = format!("its state is \"{}\"", header.state);
    match header.state {
        DatabaseState::CleanShutdown if header.log_signature.is_none() => {
            let next = "No logs lead to it: restore the whole database out of the set that holds its last state.";
            Predicate::refuses("P3", shown, "it belongs to no log stream", Refusal::LogSign, next)
        }
        DatabaseState::CleanShutdown | DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched
            if !header.is_streamed_backup() =>
        {
            Predicate::held("P3", shown, read)
        }
        _ => {
            let next = "Finish what was under way with it first, or restore the whole database.";
            Predicate::refuses("P3", shown, read, Refusal::State, next)
        }
    }
}

/// Whether the set holds the very state of the database.
fn is_same_state(facts: &DatabaseFacts, header: &DatabaseHeader) -> bool {
    let clean = facts.is_clean() && header.state == DatabaseState::CleanShutdown;
    clean && facts.consistent == header.consistent_position && facts.dbtime == header.dbtime.0
}

/// Up to which generation the database of a set must be replayed before its pages are of one moment.
fn needs_of(set: &KnownSet, facts: &DatabaseFacts) -> u32 {
    if facts.is_clean() {
        return facts.start().unwrap_or(0);
    }
    // Where an online copy ended only its trailer says: its own logs reach that far.
    let own = || set.manifest.logs().filter(|(_, log)| log.signature == facts.log_signature && !log.open);
    let of_logs = own().map(|(_, log)| log.generation).max().unwrap_or(0);
    if set.manifest.kind.is_online() { of_logs } else { facts.max_required }
}

/// The database of the set and the logs, as one folder.
fn laid_out(chain: &Chain, set: &KnownSet, database: &Source) -> (Sources, StreamFiles) {
    let part = set.manifest.streams.first();
    let naming = Naming {
        base: part.map_or_else(|| "edb".into(), |part| part.base.clone()),
        extension: if part.is_some_and(|part| part.extension == "jtx") { Extension::Jtx } else { Extension::Log },
        wide: part.is_some_and(|part| part.wide),
    };
    let mut files = StreamFiles::empty(LOGS, naming);
    let mut sources = vec![database.clone()];
    for (at, log) in chain.logs.iter().enumerate() {
        let generation = Generation(log.facts.generation);
        let open = log.facts.open && at + 1 == chain.logs.len();
        let name = if open { files.naming.current() } else { files.naming.archive(generation) };
        let place = Path::new(LOGS).join(name);
        if open {
            files.current = Some(place.clone());
        } else {
            files.archives.insert(generation, place.clone());
        }
        sources.push(of_log(log, place));
    }
    (Sources::of(sources), files)
}

fn of_log(log: &Candidate, place: PathBuf) -> Source {
    match &log.origin {
        Origin::Stored(stored) => Source::in_vault(stored.clone(), place),
        Origin::Disk(path) => {
            let mut source = Source::on_disk(path.clone(), Identified { path: place, size: log.size, content: Content::Unknown });
            // What cannot be read now is told when it is replayed.
            source.identified.content = source.open().and_then(|file| content_of(&*file, log.size)).unwrap_or(Content::Unknown);
            source
        }
    }
}
