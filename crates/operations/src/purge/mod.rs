//! `purge`: logs that may go are moved into quarantine, from the lowest upward, and deleted when their hold time is over.
//!
//! [`plan`] stops at the first log that must stay, so that what is left never has a hole (G4). [`make`] moves (G6); [`release`] deletes what
//! was held long enough, and only where a proved set still holds it.

mod quarantine;

pub use quarantine::{Released, release};

use crate::backup::Sources;
use crate::chain::{Chain, Policy, StreamChain, examine};
use crate::sets::Moment;
use crate::sets::history::History;
use anchorlog_format::units::Signature;
use anchorlog_replay::ambient::Ambient;
use quarantine::{QUARANTINE, Record};
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// What a user may ask of a purge.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What must hold.
    pub policy: Policy,
    /// Seconds for which logs stay in quarantine.
    pub hold: i64,
    /// Where the quarantine lies; none: hidden in the folder of the logs, on the same volume.
    pub quarantine: Option<PathBuf>,
    /// Bytes that must become free at least.
    pub pressure: Option<Pressure>,
}

/// A disk that runs full.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    /// Bytes that must become free.
    pub bytes: u64,
    /// What the plan said it would give up is given up.
    pub accepted: bool,
}

/// A log that is moved.
#[derive(Clone, Debug, Serialize)]
pub struct Move {
    /// Its generation.
    pub generation: u32,
    /// Its stream.
    #[serde(skip)]
    pub signature: Signature,
    /// Where it lies.
    pub source: PathBuf,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of them.
    #[serde(skip)]
    pub blake3: [u8; 32],
    /// Why it may go.
    pub because: Vec<String>,
}

/// Something that a plan would give up for room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GivenUp {
    /// What, in a sentence.
    pub what: String,
    /// How many logs more would go.
    pub logs: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// A plan.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// What is moved, in order.
    pub moves: Vec<Move>,
    /// Bytes of it.
    pub bytes: u64,
    /// Where each stream stops, and why: its name, the generation, the reasons.
    pub stops: Vec<(String, u32, Vec<String>)>,
    /// What is given up for room, or would be.
    pub gives_up: Vec<GivenUp>,
    /// Bytes that are still wanting.
    pub wanting: u64,
    #[serde(skip)]
    options: Options,
}

/// Plans a purge: everything is looked at, nothing is changed.
#[must_use]
pub fn plan(sources: &Sources, vaults: &[History], options: &Options, now: Moment) -> Plan {
    let strict = examine(sources, vaults, &options.policy, now);
    let mut moves = moves_of(&strict, sources);
    let mut stops = stops_of(&strict);
    let mut gives_up = Vec::new();
    let bytes_of = |moves: &[Move]| moves.iter().map(|log| log.size).sum::<u64>();
    if let Some(pressure) = options.pressure {
        let mut reached = moves.clone();
        for (what, policy) in relaxations(&options.policy) {
            if bytes_of(&reached) >= pressure.bytes {
                break;
            }
            let chain = examine(sources, vaults, &policy, now);
            let more = moves_of(&chain, sources);
            if more.len() > reached.len() {
                let (logs, bytes) = (more.len() - reached.len(), bytes_of(&more) - bytes_of(&reached));
                gives_up.push(GivenUp { what, logs, bytes });
                if pressure.accepted {
                    stops = stops_of(&chain);
                }
                reached = more;
            }
        }
        if pressure.accepted {
            moves = reached;
        }
    }
    let bytes = bytes_of(&moves);
    let wanting = options.pressure.map_or(0, |pressure| pressure.bytes.saturating_sub(bytes));
    Plan { moves, bytes, stops, gives_up, wanting, options: options.clone() }
}

/// What can be given up for room, the least first. That a proved set holds each log is never given up.
fn relaxations(policy: &Policy) -> Vec<(String, Policy)> {
    let mut steps = Vec::new();
    let mut relaxed = policy.clone();
    if relaxed.retention.take().is_some() {
        let what = "logs that older sets need stay in the vault alone, and not in the folder as well".to_owned();
        steps.push((what, relaxed.clone()));
    }
    if relaxed.archives > 1 {
        let what = format!("logs go that one vault holds, and not the {} that are demanded", relaxed.archives);
        relaxed.archives = 1;
        steps.push((what, relaxed));
    }
    steps
}

/// The logs of each stream from the lowest on, up to the first that stays (G4).
fn moves_of(chain: &Chain, sources: &Sources) -> Vec<Move> {
    let of_stream = |stream: &StreamChain| {
        let safe = stream.logs.iter().take_while(|log| log.safe);
        let moves = safe.filter_map(|log| {
            let source = sources.get(&log.place)?.path.clone();
            let (signature, because) = (stream.signature, log.because.clone());
            Some(Move { generation: log.generation, signature, source, size: log.size, blake3: log.blake3, because })
        });
        moves.collect::<Vec<_>>()
    };
    chain.streams.iter().flat_map(of_stream).collect()
}

fn stops_of(chain: &Chain) -> Vec<(String, u32, Vec<String>)> {
    let first = |stream: &StreamChain| {
        let log = stream.logs.iter().find(|log| !log.safe)?;
        Some((stream.name.clone(), log.generation, log.because.clone()))
    };
    chain.streams.iter().filter_map(first).collect()
}

/// A purge that was made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Where the logs lie now.
    pub moved: Vec<PathBuf>,
    /// Bytes of them.
    pub bytes: u64,
    /// What stopped it before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Moves the logs of a plan into quarantine, from the lowest upward. Each is hashed again before; the first that is not what was planned, or
/// cannot be moved, ends it: what is left has no hole.
///
/// # Errors
/// Any error of making the quarantine; nothing was moved then.
pub fn make(plan: &Plan, ambient: &Ambient, go_on: &mut dyn FnMut(&Move) -> bool) -> io::Result<Report> {
    let mut report = Report::default();
    let now = Moment::from(ambient.now());
    let mut places: Vec<(PathBuf, PathBuf)> = Vec::new();
    for log in &plan.moves {
        if !go_on(log) {
            report.stopped = Some("the user interrupted it".into());
            break;
        }
        let parent = log.source.parent().unwrap_or(Path::new(".")).to_path_buf();
        let place = match places.iter().find(|(of, _)| *of == parent) {
            Some((_, place)) => place.clone(),
            None => {
                let of_folder = |moved: &&Move| moved.source.parent() == Some(&parent);
                let place = begin(plan, &parent, now, plan.moves.iter().filter(of_folder))?;
                places.push((parent, place.clone()));
                place
            }
        };
        match move_log(log, &place) {
            Ok(target) => {
                report.bytes += log.size;
                report.moved.push(target);
            }
            Err(error) => {
                report.stopped = Some(format!("{}: {error}", log.source.display()));
                break;
            }
        }
    }
    Ok(report)
}

/// Makes the quarantine of one folder, and writes down what goes into it before anything does.
fn begin<'m>(plan: &Plan, parent: &Path, now: Moment, moves: impl Iterator<Item = &'m Move>) -> io::Result<PathBuf> {
    let root = plan.options.quarantine.clone().unwrap_or_else(|| parent.join(QUARANTINE));
    let digits: String = now.0.to_string().chars().filter(char::is_ascii_digit).collect();
    let mut attempt = 0_u32;
    let place = loop {
        let place = root.join(if attempt == 0 { digits.clone() } else { format!("{digits}-{attempt}") });
        std::fs::create_dir_all(&root)?;
        match std::fs::create_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
            Err(error) => return Err(error),
            Ok(()) => break place,
        }
    };
    let archives = plan.options.policy.archives.max(1);
    let archives = if plan.options.pressure.is_some_and(|pressure| pressure.accepted) { 1 } else { archives };
    Record::new(parent, now, plan.options.hold, archives, moves).write(&place)?;
    Ok(place)
}

fn move_log(log: &Move, place: &Path) -> io::Result<PathBuf> {
    let name = log.source.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let target = place.join(name);
    if hash(&log.source)? != log.blake3 {
        return Err(io::Error::other("it is another file than the one that was looked at"));
    }
    match std::fs::rename(&log.source, &target) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            anchorlog_storage::copy::copy_file(&log.source, &target, &mut |_| true)?;
            std::fs::File::open(&target)?.sync_all()?;
            if hash(&target)? != log.blake3 {
                // The source is what counts.
                _ = std::fs::remove_file(&target);
                return Err(io::Error::other("its copy in quarantine has another content"));
            }
            std::fs::remove_file(&log.source)?;
        }
        other => other?,
    }
    // Before the next one moves: a crash must not bring a lower log back behind a higher one that is gone.
    sync_folder(place)?;
    sync_folder(log.source.parent().unwrap_or(Path::new(".")))?;
    Ok(target)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

/// Windows makes renames durable by itself; a folder cannot be flushed there.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn hash(path: &Path) -> io::Result<[u8; 32]> {
    let mut digest = blake3::Hasher::new();
    anchorlog_storage::copy::read_file(path, &mut |bytes| {
        digest.update(bytes);
        true
    })?;
    Ok(digest.finalize().into())
}
