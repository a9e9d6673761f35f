//! The log streams of a backup: every log read whole, in the order of its header's generation (P10, P14 to P20, P23).

use super::predicate::{Predicate, Refusal};
use crate::identify::Content;
use crate::recover::Sources;
use crate::sets::facts::{LogFacts, LogState};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::names::{self, Role};
use anchorlog_format::log::record::Operation;
use anchorlog_format::units::{LogPosition, Signature};
use anchorlog_storage::{Folder, read_all};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A log.
#[derive(Clone, Debug)]
pub struct LogItem {
    /// Its place in the layout of the set.
    pub place: PathBuf,
    /// Bytes of the file.
    pub size: u64,
    /// BLAKE3 of them.
    pub blake3: [u8; 32],
    /// What it says.
    pub facts: LogFacts,
    /// The generation that its name says; none for the current log.
    pub named: Option<u32>,
}

/// A database that the newest logs of a stream name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path, as the log has it.
    pub path: String,
    /// Its signature.
    pub signature: Signature,
}

/// A log stream.
#[derive(Clone, Debug)]
pub struct StreamItem {
    /// Its signature.
    pub signature: Signature,
    /// The folder of its logs, in the layout of the set.
    pub folder: PathBuf,
    /// Base name of its files.
    pub base: String,
    /// Extension of its logs.
    pub extension: &'static str,
    /// Whether its names have eight digits.
    pub wide: bool,
    /// Closed logs, one for each generation, ascending.
    pub closed: Vec<LogItem>,
    /// The current log.
    pub open: Option<LogItem>,
    /// Closed logs whose header cannot be used, with what is wrong.
    pub unusable: Vec<(PathBuf, String)>,
    /// Logs that wait for use: the next one, and the reserves.
    pub waiting: Vec<PathBuf>,
    /// Files of a generation that another one has as well, with the same content.
    pub doubled: Vec<PathBuf>,
    /// Files of a generation that another one has as well, with another content.
    pub diverging: Vec<PathBuf>,
    /// The checkpoint, and where it stands; none where it cannot be used.
    pub checkpoint: Option<(PathBuf, Option<LogPosition>)>,
    /// Databases that the newest log names which names any (traps O4, O5).
    pub members: Vec<Member>,
    /// Generations behind which the chain breaks.
    pub breaks: Vec<u32>,
}

impl StreamItem {
    /// The closed log of a generation, or the current one.
    #[must_use]
    pub fn log(&self, generation: u32) -> Option<&LogItem> {
        let closed = self.closed.binary_search_by_key(&generation, |log| log.facts.generation);
        closed
            .ok()
            .and_then(|at| self.closed.get(at))
            .or_else(|| self.open.as_ref().filter(|log| log.facts.generation == generation))
    }
    /// All logs, ascending.
    pub fn logs(&self) -> impl DoubleEndedIterator<Item = &LogItem> {
        self.closed.iter().chain(&self.open)
    }
    /// Whether circular logging was on when the newest log was made, or configuration says so.
    #[must_use]
    pub fn is_circular(&self, configured: Option<bool>) -> bool {
        configured.unwrap_or(false) || self.logs().next_back().is_some_and(|log| log.facts.circular_now)
    }
    /// The first break at or above a generation.
    #[must_use]
    pub fn break_from(&self, generation: u32) -> Option<u32> {
        self.breaks.iter().copied().find(|at| *at >= generation)
    }
    /// Base name and folder, for people.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} in {}", self.base, if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }.display())
    }
}

/// Finds the streams and judges each. `each` gets the bytes of each log read, and ends it with `false`: then what was found so far is returned.
pub(super) fn collect(sources: &Sources, out: &mut Vec<Predicate>, each: &mut dyn FnMut(u64) -> bool) -> Vec<StreamItem> {
    let mut streams: Vec<StreamItem> = Vec::new();
    let mut orphans: Vec<(PathBuf, String, String)> = Vec::new();
    for source in sources.iter() {
        let place = &source.identified.path;
        let Some(name) = names::parse(&source.identified.name()) else { continue };
        match (&source.identified.content, name.role) {
            (Content::Log(header), Role::Archive { .. } | Role::Current(_)) => {
                let stream = stream_of(&mut streams, place, &name.base, &header.signature, extension(name.role));
                if let Role::Archive { wide, generation, .. } = name.role {
                    stream.wide |= wide && generation.0 <= 0xF_FFFF;
                }
                let named = if let Role::Archive { generation, .. } = name.role { Some(generation.0) } else { None };
                match read_log(sources, place, named) {
                    Ok(log) => stream.add(log),
                    Err(why) => stream.unusable.push((place.clone(), why)),
                }
                if !each(source.identified.size) {
                    return streams;
                }
            }
            (Content::DamagedLog(error), Role::Archive { .. }) => {
                orphans.push((place.clone(), name.base, format!("its header cannot be used: {error}")));
            }
            (Content::Unknown | Content::Empty | Content::Prepared, Role::Archive { .. }) => {
                orphans.push((
                    place.clone(),
                    name.base,
                    format!("it is no log that can be read: {}", source.identified.content.describe()),
                ));
            }
            _ => {}
        }
    }
    for (place, base, why) in orphans {
        let folder = folder_of(&place);
        let beside = streams.iter_mut().find(|stream| stream.folder == folder && stream.base.eq_ignore_ascii_case(&base));
        match beside {
            Some(stream) => stream.unusable.push((place, why)),
            None => {
                let next = "Bring the file again from where it came; logs older than Exchange 2000 are not read.";
                out.push(
                    Predicate::marks("P20", place.display().to_string(), why, Refusal::Damaged, next)
                        .with_jet(JetCode::LOG_FILE_CORRUPT),
                );
            }
        }
    }
    streams.iter_mut().for_each(|stream| stream.finish(sources));
    forget_foreign_checkpoints(&mut streams);
    streams.iter().for_each(|stream| stream.judge(out));
    judge_folders(&streams, out);
    streams
}

/// Of several streams in one folder the checkpoint is that of the one whose signature it has.
fn forget_foreign_checkpoints(streams: &mut [StreamItem]) {
    let owned: Vec<PathBuf> = streams
        .iter()
        .filter_map(|stream| stream.checkpoint.clone())
        .filter_map(|(place, position)| position.map(|_| place))
        .collect();
    for stream in streams {
        stream.checkpoint = stream.checkpoint.take().filter(|(place, position)| position.is_some() || !owned.contains(place));
    }
}

fn extension(role: Role) -> &'static str {
    match role {
        Role::Archive { extension, .. } | Role::Current(extension) => extension.log(),
        _ => "log",
    }
}

fn folder_of(place: &Path) -> PathBuf {
    place.parent().map(Path::to_path_buf).unwrap_or_default()
}

fn stream_of<'s>(
    streams: &'s mut Vec<StreamItem>,
    place: &Path,
    base: &str,
    signature: &Signature,
    extension: &'static str,
) -> &'s mut StreamItem {
    let folder = folder_of(place);
    let same =
        |stream: &StreamItem| stream.signature == *signature && stream.folder == folder && stream.base.eq_ignore_ascii_case(base);
    let at = streams.iter().position(same).unwrap_or_else(|| {
        streams.push(StreamItem {
            signature: *signature,
            folder,
            base: base.to_owned(),
            extension,
            wide: false,
            closed: Vec::new(),
            open: None,
            unusable: Vec::new(),
            waiting: Vec::new(),
            doubled: Vec::new(),
            diverging: Vec::new(),
            checkpoint: None,
            members: Vec::new(),
            breaks: Vec::new(),
        });
        streams.len() - 1
    });
    &mut streams[at]
}

/// Reads a log whole.
pub(crate) fn read_log(sources: &Sources, place: &Path, named: Option<u32>) -> Result<LogItem, String> {
    let bytes = sources.open(place).and_then(|file| read_all(&*file, FILE_SIZE_MAX)).map_err(|error| error.to_string())?;
    let (size, blake3) = (bytes.len() as u64, blake3::hash(&bytes).into());
    let log = LogFile::open_owned(bytes).map_err(|error| error.to_string())?;
    let mut facts = LogFacts::of(&log, named.is_none());
    if facts.file_size != size {
        facts.state = LogState::Damaged;
    }
    Ok(LogItem { place: place.to_owned(), size, blake3, facts, named })
}

impl StreamItem {
    /// One file for each generation: of two, the one whose name says so; a copy with the same content is left out (traps O3, O17).
    fn add(&mut self, log: LogItem) {
        if log.named.is_none() {
            if let Some(other) = self.open.replace(log) {
                self.diverging.push(other.place);
            }
            return;
        }
        self.closed.push(log);
    }
    fn finish(&mut self, sources: &Sources) {
        self.closed.sort_by(|a, b| {
            let misnamed = |log: &LogItem| log.named != Some(log.facts.generation);
            (a.facts.generation, misnamed(a), &a.place).cmp(&(b.facts.generation, misnamed(b), &b.place))
        });
        let mut closed: Vec<LogItem> = Vec::with_capacity(self.closed.len());
        for log in std::mem::take(&mut self.closed) {
            match closed.last().filter(|last| last.facts.generation == log.facts.generation) {
                Some(last) if last.blake3 == log.blake3 => self.doubled.push(log.place),
                Some(_) => self.diverging.push(log.place),
                None => closed.push(log),
            }
        }
        self.closed = closed;
        // An interrupted rename, or a copy of the current log under the name that it will have.
        if let Some(open) = &self.open
            && let Some(same) = self.closed.iter().find(|log| log.facts.generation == open.facts.generation)
        {
            if same.blake3 == open.blake3 {
                self.doubled.push(open.place.clone())
            } else {
                self.diverging.push(open.place.clone())
            }
            self.open = None;
        }
        for source in sources.iter().filter(|source| folder_of(&source.identified.path) == self.folder) {
            let Some(name) = names::parse(&source.identified.name()) else { continue };
            let own = name.base.eq_ignore_ascii_case(&self.base);
            match (name.role, &source.identified.content) {
                (Role::Temporary(_) | Role::Shadow { .. }, _) if own => self.waiting.push(source.identified.path.clone()),
                (Role::Reserve, _) if own || name.base.is_empty() => self.waiting.push(source.identified.path.clone()),
                (Role::Checkpoint(_), Content::Checkpoint(checkpoint, _)) if own => {
                    let position = (checkpoint.signature == self.signature).then_some(checkpoint.position);
                    self.checkpoint = Some((source.identified.path.clone(), position));
                }
                (Role::Checkpoint(_), Content::DamagedCheckpoint(_)) if own => {
                    self.checkpoint = Some((source.identified.path.clone(), None));
                }
                _ => {}
            }
        }
        let pairs = self.logs().zip(self.logs().skip(1));
        self.breaks = pairs.filter(|(a, b)| !a.facts.links_to(&b.facts)).map(|(a, _)| a.facts.generation).collect();
        let named = self.logs().rev().map(|log| members(sources, &log.place)).find(|members| !members.is_empty());
        self.members = named.unwrap_or_default();
    }

    fn judge(&self, out: &mut Vec<Predicate>) {
        let shown = self.name();
        out.extend(self.checkpoint_of_stream());
        out.push(self.names(&shown));
        out.push(self.links(&shown));
        out.push(self.sequence(&shown));
        let open = self.open.as_ref().map_or("none", |_| "as open, with its valid end");
        out.push(Predicate::held("P19", &shown, format!("current log: {open}; left out: {}", list(self.waiting.iter()))));
        out.push(self.readable(&shown));
    }
    fn checkpoint_of_stream(&self) -> Option<Predicate> {
        let (place, position) = self.checkpoint.as_ref()?;
        let shown = place.display().to_string();
        Some(match position {
            Some(position) => Predicate::held("P10", shown, format!("it stands at {position}")),
            None => {
                let next = "It is ignored: the headers of the databases tell what is needed.";
                Predicate::marks("P10", shown, "it is damaged, or of another stream", Refusal::Chkpt, next)
            }
        })
    }
    fn names(&self, shown: &str) -> Predicate {
        let wrong: Vec<String> = self
            .closed
            .iter()
            .filter(|log| log.named != Some(log.facts.generation))
            .map(|log| format!("{} holds generation {:#x}", log.place.display(), log.facts.generation))
            .collect();
        if wrong.is_empty() {
            return Predicate::held("P15", shown, format!("{} closed logs", self.closed.len()));
        }
        let next = "The generation of the header counts; look who renamed them.";
        Predicate::marks("P15", shown, few(&wrong), Refusal::Name, next)
    }
    fn links(&self, shown: &str) -> Predicate {
        let next_to = |at: &u32| self.log(*at).zip(self.log(at.wrapping_add(1)));
        let wrong: Vec<String> = self
            .breaks
            .iter()
            .filter_map(|at| next_to(at).map(|(_, next)| (at, next)))
            .map(|(at, next)| format!("{} does not continue generation {at:#x}", next.place.display()))
            .chain(self.diverging.iter().map(|place| format!("{} has another content than its generation", place.display())))
            .collect();
        if wrong.is_empty() {
            return Predicate::held("P17", shown, "each continues the one before, by creation time and checksum");
        }
        let refusal = if self.diverging.is_empty() { Refusal::Chain } else { Refusal::Dup };
        let next = "Two histories are mixed: find out which logs belong to the database that counts. Replay ends at the break.";
        Predicate::marks("P17", shown, few(&wrong), refusal, next)
    }
    fn sequence(&self, shown: &str) -> Predicate {
        let missing: Vec<String> = self
            .logs()
            .zip(self.logs().skip(1))
            .filter(|(a, b)| a.facts.generation.saturating_add(1) < b.facts.generation)
            .map(|(a, b)| match (a.facts.generation + 1, b.facts.generation - 1) {
                (first, last) if first == last => format!("{first:#x}"),
                (first, last) => format!("{first:#x} to {last:#x}"),
            })
            .collect();
        if missing.is_empty() {
            return Predicate::held("P18", shown, self.extent());
        }
        let next = "Find the missing logs in older sets: roll-forward ends at the hole.";
        Predicate::marks("P18", shown, format!("generation {} is missing", missing.join(", ")), Refusal::Gap, next)
    }
    fn extent(&self) -> String {
        match (self.logs().next(), self.logs().next_back()) {
            (Some(first), Some(last)) => format!("generations {:#x} to {:#x}", first.facts.generation, last.facts.generation),
            _ => "no log".into(),
        }
    }
    fn readable(&self, shown: &str) -> Predicate {
        let broken = self.closed.iter().filter(|log| log.facts.state != LogState::Whole);
        let wrong: Vec<String> = broken
            .map(|log| format!("{} cannot be read behind {}", log.place.display(), log.facts.valid_end))
            .chain(self.unusable.iter().map(|(place, why)| format!("{}: {why}", place.display())))
            .collect();
        if wrong.is_empty() {
            return Predicate::held("P20", shown, "every closed log holds to its last record");
        }
        let next = "Keep the source and purge nothing; look for a better copy of these logs.";
        Predicate::marks("P20", shown, few(&wrong), Refusal::Damaged, next).with_jet(JetCode::LOG_FILE_CORRUPT)
    }
}

/// P16: logs of several streams under one base name in one folder.
fn judge_folders(streams: &[StreamItem], out: &mut Vec<Predicate>) {
    let mut folders: BTreeMap<(&Path, String), Vec<&StreamItem>> = BTreeMap::new();
    for stream in streams {
        folders.entry((&stream.folder, stream.base.to_lowercase())).or_default().push(stream);
    }
    for streams in folders.values() {
        let Some(first) = streams.first() else { continue };
        let shown = first.name();
        if streams.len() == 1 {
            out.push(Predicate::held("P16", shown, format!("one stream, {}", first.signature)));
            continue;
        }
        let all: Vec<String> = streams.iter().map(|stream| format!("{}: {}", stream.signature, stream.extent())).collect();
        let next = "Each stream is kept by itself; remove the foreign logs from the folder once you know whose they are.";
        out.push(Predicate::marks("P16", shown, all.join("; "), Refusal::LogSign, next));
    }
}

/// Databases that a log names: those attached when it began, and those that its records create or attach.
fn members(sources: &Sources, place: &Path) -> Vec<Member> {
    let bytes = sources.open(place).and_then(|file| read_all(&*file, FILE_SIZE_MAX)).unwrap_or_default();
    let Ok(log) = LogFile::open(&bytes) else { return Vec::new() };
    let mut members: Vec<Member> = Vec::new();
    let mut places: BTreeMap<[u8; 28], usize> = BTreeMap::new();
    let mut add = |path: String, signature: Signature| match places.get(&signature.0).and_then(|at| members.get_mut(*at)) {
        Some(member) => member.path = path,
        None => {
            places.insert(signature.0, members.len());
            members.push(Member { path, signature });
        }
    };
    for attachment in log.header().attachments().unwrap_or_default() {
        add(attachment.path().first(), attachment.signature);
    }
    for record in log.records().map_while(Result::ok) {
        match record.operation() {
            Ok(Operation::CreateDatabase(create)) => add(create.path_text().first(), create.signature),
            Ok(Operation::AttachDatabase(attach)) => add(attach.path_text().first(), attach.signature),
            _ => {}
        }
    }
    members
}

pub(super) fn list<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> String {
    let all: Vec<String> = paths.map(|path| path.display().to_string()).collect();
    if all.is_empty() { "nothing".into() } else { few(&all) }
}

/// Sentences that are shown; the rest is counted.
const SHOWN: usize = 20;

/// The first of many, for people.
pub(super) fn few(all: &[impl AsRef<str>]) -> String {
    let mut text = all.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join("; ");
    if all.len() > SHOWN {
        text.push_str(&format!("; and {} more", all.len() - SHOWN));
    }
    text
}
