//! Logs to roll forward with, from every place that has any, and the chain that is proven among them (P44 to P52).

use super::options::{Forward, Options};
use super::plan::Origin;
use super::stored::Stored;
use super::target::Existing;
use crate::backup::{Predicate, Refusal, read_log};
use crate::identify::Content;
use crate::recover::{Inputs, Source, Sources};
use crate::sets::{History, KnownSet, LogFacts, LogState, Owner};
use anchorlog_format::log::file::FILE_SIZE_MAX;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names::{self, Role};
use anchorlog_format::units::Signature;
use anchorlog_storage::{DiskFolder, Folder as _, read_all};
use anchorlog_vault::Vault;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log that may be used.
#[derive(Clone, Debug)]
pub(in crate::restore) struct Candidate {
    pub origin: Origin,
    /// For people.
    pub from: String,
    pub facts: LogFacts,
    pub size: u64,
    pub blake3: [u8; 32],
    /// The generation that its name says; none for a current log.
    pub named: Option<u32>,
    pub owner: Owner,
    /// Whether it lies in the target.
    pub in_target: bool,
}

impl Candidate {
    fn name(&self) -> String {
        format!("generation {:#x} of {}", self.facts.generation, self.from)
    }
    /// Its bytes.
    ///
    /// # Errors
    /// Any error of the vault or the storage.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        match &self.origin {
            Origin::Stored(stored) => read_all(&*stored.open(), FILE_SIZE_MAX),
            Origin::Disk(path) => {
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                    return Err(io::ErrorKind::NotFound.into());
                };
                read_all(&*DiskFolder::read_only(parent).open(Path::new(name))?, FILE_SIZE_MAX)
            }
        }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub(in crate::restore) struct Gathered {
    pub candidates: Vec<Candidate>,
    /// Logs that cannot be used at all, and why.
    pub unusable: Vec<String>,
}

/// Looks at the set, the other sets of the vault, the folders that are named, and the target.
///
/// # Errors
/// Those of listing and reading a folder.
pub(super) fn gather(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &KnownSet,
    existing: &Existing,
    options: &Options,
) -> Result<Gathered, (String, io::Error)> {
    let mut found = Gathered::default();
    from_set(vault, set, &mut found);
    if options.forward == Forward::All {
        for other in history.sets.iter().filter(|other| other.id != set.id) {
            from_set(vault, other, &mut found);
        }
        for folder in &options.logs {
            let inputs = Inputs { folder: folder.clone(), ..Inputs::default() };
            let sources = Sources::gather(&inputs).map_err(|error| (folder.display().to_string(), error))?;
            from_folder(&sources, false, &mut found);
        }
        if let Some(sources) = &existing.sources {
            from_folder(sources, true, &mut found);
        }
    }
    Ok(found)
}

/// Everything but a target: the set, the other sets, and the folders that are named.
///
/// # Errors
/// Those of listing and reading a folder.
pub(in crate::restore) fn gather_named(
    vault: &Arc<dyn Vault>,
    history: &History,
    set: &KnownSet,
    options: &Options,
) -> Result<Gathered, (String, io::Error)> {
    gather(vault, history, set, &Existing::default(), &Options { forward: Forward::All, ..options.clone() })
}

fn from_set(vault: &Arc<dyn Vault>, set: &KnownSet, out: &mut Gathered) {
    for (part, facts) in set.manifest.logs() {
        out.candidates.push(Candidate {
            origin: Origin::Stored(Stored::new(vault, &set.id, part)),
            from: format!("set {}, {}", set.id, part.name),
            facts: facts.clone(),
            size: part.size,
            blake3: part.blake3,
            named: (!facts.open).then_some(facts.generation),
            owner: part.owner.clone(),
            in_target: false,
        });
    }
    let unread = set.manifest.of_role(crate::sets::Role::Log).filter(|part| part.log.is_none());
    out.unusable.extend(unread.map(|part| format!("set {}, {}: its header cannot be used", set.id, part.name)));
}

fn from_folder(sources: &Sources, in_target: bool, out: &mut Gathered) {
    for source in sources.iter() {
        let Some(name) = names::parse(&source.identified.name()) else { continue };
        // The log in preparation and the reserves hold nothing, or an old life (trap O18).
        let named = match name.role {
            Role::Archive { generation, .. } => Some(generation.0),
            Role::Current(_) => None,
            _ => continue,
        };
        let shown = source.path.display().to_string();
        match &source.identified.content {
            Content::Log(_) => match read_log(sources, &source.identified.path, named) {
                Ok(log) => out.candidates.push(candidate(source, log, in_target)),
                Err(why) => out.unusable.push(format!("{shown}: {why}")),
            },
            Content::DamagedLog(error) => out.unusable.push(format!("{shown}: {error}")),
            _ => {}
        }
    }
}

fn candidate(source: &Source, log: crate::backup::LogItem, in_target: bool) -> Candidate {
    Candidate {
        origin: Origin::Disk(source.path.clone()),
        from: source.path.display().to_string(),
        facts: log.facts,
        size: log.size,
        blake3: log.blake3,
        named: log.named,
        owner: Owner::default(),
        in_target,
    }
}

/// Why a chain ends before the logs do.
#[derive(Clone, Debug)]
pub(in crate::restore) struct Cut {
    pub id: &'static str,
    pub refusal: Refusal,
    pub why: String,
}

/// The logs that are used, one for each generation, ascending from the low anchor.
#[derive(Clone, Debug, Default)]
pub(in crate::restore) struct Chain {
    pub logs: Vec<Candidate>,
    pub cut: Option<Cut>,
    /// Logs that are not used, and why.
    pub unused: Vec<String>,
    /// Copies with another content than the one that is used.
    pub differing: Vec<String>,
    /// Logs of another size than their header says.
    pub missized: Vec<String>,
    pub foreign: Vec<String>,
    pub misnamed: Vec<String>,
}

impl Chain {
    pub(in crate::restore) fn log(&self, generation: u32) -> Option<&Candidate> {
        self.logs.iter().find(|log| log.facts.generation == generation)
    }
    pub(in crate::restore) fn last(&self) -> Option<u32> {
        self.logs.last().map(|log| log.facts.generation)
    }
}

/// Chooses one log for each generation from `low` on, to the end or to `stop`.
pub(in crate::restore) fn choose(gathered: Gathered, signature: &Signature, low: u32, stop: Option<u32>) -> Chain {
    let mut chain = Chain { unused: gathered.unusable, ..Chain::default() };
    let mut by_generation: BTreeMap<u32, Vec<Candidate>> = BTreeMap::new();
    for candidate in gathered.candidates {
        let generation = candidate.facts.generation;
        if candidate.facts.signature != *signature {
            chain.foreign.push(candidate.name());
        } else if generation < low {
            chain.unused.push(format!("{}: below the low anchor", candidate.name()));
        } else {
            if candidate.named.is_some_and(|named| named != generation) {
                chain.misnamed.push(candidate.name());
            }
            by_generation.entry(generation).or_default().push(candidate);
        }
    }
    let highest = by_generation.keys().next_back().copied();
    let mut generation = low;
    while highest.is_some_and(|highest| generation <= highest) && stop.is_none_or(|stop| generation <= stop) {
        let Some(all) = by_generation.remove(&generation) else {
            // Without the low anchor there is no chain at all, and that is a refusal of its own.
            if chain.logs.is_empty() {
                break;
            }
            let why = format!("generation {generation:#x} is missing");
            chain.cut = Some(Cut { id: "P46", refusal: Refusal::Gap, why });
            break;
        };
        let next = generation.checked_add(1).and_then(|next| by_generation.get(&next)).map(Vec::as_slice).unwrap_or_default();
        match pick(all, next, &mut chain) {
            Ok(log) => chain.logs.push(log),
            Err(cut) => {
                chain.cut = Some(cut);
                break;
            }
        }
        let Some(following) = generation.checked_add(1) else { break };
        generation = following;
    }
    for left in by_generation.into_values().flatten() {
        chain.unused.push(format!("{}: behind the end", left.name()));
    }
    chain
}

/// The log of a generation: it continues the one before, leads on to the next, and is whole before it is torn.
fn pick(mut all: Vec<Candidate>, next: &[Candidate], chain: &mut Chain) -> Result<Candidate, Cut> {
    for candidate in &all {
        if candidate.size != candidate.facts.file_size {
            chain.missized.push(candidate.name());
        }
    }
    let one = |all: &[Candidate]| all.first().map_or_else(String::new, Candidate::name);
    let damaged = one(&all);
    all.retain(|candidate| {
        let usable = candidate.facts.state != LogState::Damaged && candidate.size == candidate.facts.file_size;
        if !usable {
            chain.unused.push(format!("{}: it is damaged", candidate.name()));
        }
        usable
    });
    if all.is_empty() {
        return Err(Cut {
            id: "P49",
            refusal: Refusal::Damaged,
            why: format!("{damaged} is damaged, and no other copy is here"),
        });
    }
    let unlinked = one(&all);
    if let Some(before) = chain.logs.last().map(|log| log.facts.clone()) {
        all.retain(|candidate| {
            let links = before.links_to(&candidate.facts);
            if !links {
                chain.unused.push(format!("{}: it does not continue the log before it", candidate.name()));
            }
            links
        });
    }
    let leads_on = |candidate: &Candidate| next.iter().any(|next| candidate.facts.links_to(&next.facts));
    let rank = |candidate: &Candidate| {
        (leads_on(candidate), candidate.facts.valid_end, !candidate.facts.open, candidate.facts.state == LogState::Whole)
    };
    let Some(best) = all.iter().enumerate().max_by_key(|(at, candidate)| (rank(candidate), usize::MAX - at)).map(|(at, _)| at)
    else {
        let why = format!("{unlinked} does not continue the log before it, and no other copy does");
        return Err(Cut { id: "P47", refusal: Refusal::Chain, why });
    };
    let best = all.swap_remove(best);
    for other in all {
        if same_content(&best, &other) {
            continue;
        }
        chain.differing.push(format!("{} differs from {}, which is used", other.name(), best.from));
    }
    Ok(best)
}

/// P50: the same to the shorter valid end. The last segment of a log that is being written is written again as it fills.
fn same_content(a: &Candidate, b: &Candidate) -> bool {
    if a.blake3 == b.blake3 {
        return true;
    }
    let whole = |candidate: &Candidate| candidate.facts.state == LogState::Whole && !candidate.facts.open;
    if whole(a) && whole(b) {
        return false;
    }
    let sector = u64::from(a.facts.sector_size.max(512));
    let valid = a.facts.valid_bytes.min(b.facts.valid_bytes).saturating_sub(1) / sector * sector;
    let Ok(valid) = usize::try_from(valid) else { return false };
    let (Ok(a), Ok(b)) = (a.bytes(), b.bytes()) else { return false };
    let part = |bytes: &[u8]| bytes.get(LogHeader::SIZE..valid.max(LogHeader::SIZE)).map(<[u8]>::to_vec);
    part(&a).is_some() && part(&a) == part(&b)
}

/// Where logs of the stream lie in the target, and how they are named there.
pub(super) fn place_in_target(existing: &Existing, signature: &Signature) -> Option<(PathBuf, String)> {
    existing.files().find_map(|source| match &source.identified.content {
        Content::Log(header) if header.signature == *signature => {
            let name = names::parse(&source.identified.name())?;
            Some((source.identified.path.parent().map(Path::to_path_buf).unwrap_or_default(), name.base))
        }
        _ => None,
    })
}

/// P44 to P52, in the order of the reference. A cut at or above what is needed shortens the replay; below, it refuses.
pub(in crate::restore) fn judge(chain: &Chain, signature: &Signature, low: u32, high: u32, out: &mut Vec<Predicate>) {
    let next = "Look for these logs in other archives.";
    out.push(Predicate::held("P45", signature.to_string(), format!("left out as foreign: {}", list(&chain.foreign))));
    let reaches = chain.last().is_some_and(|last| last >= high);
    for (id, refusal) in [("P46", Refusal::Gap), ("P47", Refusal::Chain), ("P49", Refusal::Damaged)] {
        out.push(match chain.cut.as_ref().filter(|cut| cut.id == id) {
            None => Predicate::held(
                id,
                "",
                match chain.last() {
                    Some(last) => format!("generations {low:#x} to {last:#x}"),
                    None => "no log".into(),
                },
            ),
            Some(cut) if reaches => {
                let read = format!("{}: replay ends before it", cut.why);
                Predicate::marks(id, "", read, refusal, next)
            }
            Some(cut) => {
                let read = format!("{}, and generation {high:#x} is needed", cut.why);
                Predicate::refuses(id, "", read, refusal, next)
            }
        });
        debug_assert!(chain.cut.as_ref().is_none_or(|cut| cut.id != id || cut.refusal == refusal));
    }
    out.push(if chain.differing.is_empty() {
        Predicate::held("P50", "", "no generation is here with two contents")
    } else {
        let next = "Two histories are mixed, or an archive is damaged: find out which one counts.";
        Predicate::marks("P50", "", chain.differing.join("; "), Refusal::Dup, next)
    });
    out.push(if chain.missized.is_empty() {
        Predicate::held("P51", "", "all have it")
    } else {
        Predicate::marks("P51", "", format!("not used: {}", chain.missized.join(", ")), Refusal::Damaged, next)
    });
    let mut sectors: Vec<u16> = chain.logs.iter().map(|log| log.facts.sector_size).collect();
    sectors.dedup();
    let mut versions: Vec<&str> = chain.logs.iter().map(|log| log.facts.version.as_str()).collect();
    versions.dedup();
    let read = format!("sectors of {sectors:?} bytes, versions {}; the device's own sectors do not matter", versions.join(", "));
    out.push(Predicate::held("P52", "", read));
}

pub(super) fn list(all: &[String]) -> String {
    match all.len() {
        0 => "nothing".into(),
        1..=20 => all.join(", "),
        count => format!("{} and {} more", all[..20].join(", "), count - 20),
    }
}
