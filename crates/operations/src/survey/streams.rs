//! Log streams: all logs of one signature, wherever they lie and whatever they are called.

use super::databases::DatabaseView;
use crate::identify::{Content, Identified};
use crate::inspect::short;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::names::{self, Role};
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::units::{Generation, LogPosition, LogTime, PageSize, Signature};
use anchorlog_storage::{Folder, read_all};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Consecutive generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// First.
    pub first: Generation,
    /// Last.
    pub last: Generation,
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{} to {}", self.first, self.last) }
    }
}

/// Generations as ranges; they must ascend.
#[must_use]
pub fn ranges(generations: impl IntoIterator<Item = Generation>) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for generation in generations {
        match ranges.last_mut() {
            Some(range) if range.last.0.checked_add(1) == Some(generation.0) => range.last = generation,
            Some(range) if range.last == generation => {}
            _ => ranges.push(Range { first: generation, last: generation }),
        }
    }
    ranges
}

/// A log as its header tells it.
#[derive(Clone, Debug, Serialize)]
pub struct LogFact {
    /// The file.
    pub path: PathBuf,
    /// Its generation, by content.
    pub generation: Generation,
    /// When it was made.
    pub created: LogTime,
    /// When the one before was made.
    pub previous_created: LogTime,
    /// What its name says that it is; empty for a name that says nothing.
    pub role: &'static str,
    /// Whether the name says another generation than the header, or that it is no log of the chain.
    pub renamed: bool,
    #[serde(skip)]
    pub(super) signature: Signature,
    #[serde(skip)]
    base: String,
}

/// A log stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamView {
    /// Its signature.
    pub signature: Signature,
    /// Base names of its files.
    pub bases: Vec<String>,
    /// Folders in which its logs lie.
    pub places: Vec<String>,
    /// Log format versions.
    pub versions: Vec<LogVersion>,
    /// Page size of the databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<PageSize>,
    /// Bytes of a log file.
    pub log_size: u64,
    /// The logs, ascending by generation.
    pub logs: Vec<LogFact>,
    /// Generations that are there.
    pub present: Vec<Range>,
    /// Generations missing between the lowest and the highest.
    pub missing: Vec<Range>,
    /// Generations that are there more than once.
    pub doubled: Vec<Generation>,
    /// Generations that do not continue the one before them: another branch begins there.
    pub forks: Vec<Generation>,
    /// Files whose name does not say what they are: retired, renamed, or the next log to be reused.
    pub renamed: Vec<String>,
    /// The highest generation, and whether it ends cleanly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<StreamEnd>,
    /// Where replay would start, by each checkpoint of this stream.
    pub checkpoints: Vec<CheckpointView>,
    /// The lowest generation that a database or a checkpoint of the folder needs: everything below can go, once it is in a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Generation>,
    /// Generations below the anchor.
    pub stale: Vec<Range>,
}

/// How a stream ends.
#[derive(Clone, Debug, Serialize)]
pub struct StreamEnd {
    /// The last log.
    pub path: String,
    /// First position behind its data.
    pub position: LogPosition,
    /// Whether it was closed cleanly.
    pub clean: bool,
    /// Whether it is the current log by its name.
    pub current: bool,
}

/// A checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointView {
    /// The file.
    pub path: String,
    /// Where replay starts.
    pub position: LogPosition,
}

pub(super) fn collect(folder: &dyn Folder, files: &[Identified], findings: &mut Vec<Finding>) -> Vec<StreamView> {
    let mut by_signature: BTreeMap<[u8; 28], Vec<LogFact>> = BTreeMap::new();
    for file in files {
        if let Content::Log(header) = &file.content {
            by_signature.entry(header.signature.0).or_default().push(fact(file, header));
            let expected = header.geometry().file_size();
            if expected != file.size {
                let message =
                    format!("the log has {} bytes, and its header says {expected}: it was cut off or enlarged", file.size);
                let place = Place::file(file.path.display().to_string());
                findings.push(Finding::error(place, JetCode::LOG_FILE_SIZE_MISMATCH, message));
            }
        }
    }
    report_foreign(&by_signature, findings);
    let streams = by_signature.into_iter().map(|(signature, logs)| stream(folder, Signature(signature), logs, files));
    let streams: Vec<StreamView> = streams.collect();
    for stream in &streams {
        report_stream(stream, findings);
    }
    streams
}

fn fact(file: &Identified, header: &anchorlog_format::log::header::LogHeader) -> LogFact {
    let named = names::parse(&file.name());
    let (role, renamed) = match named.as_ref().map(|name| &name.role) {
        Some(Role::Current(_)) => ("current", false),
        Some(Role::Archive { generation, .. }) => ("archive", *generation != header.generation),
        Some(Role::Temporary(_)) => ("temporary", true),
        Some(Role::Reserve) => ("reserve", true),
        Some(Role::Shadow { .. }) => ("shadow", true),
        Some(Role::Checkpoint(_)) | None => ("", true),
    };
    LogFact {
        path: file.path.clone(),
        generation: header.generation,
        created: header.created,
        previous_created: header.previous_created,
        role,
        renamed,
        signature: header.signature,
        base: named.map(|name| name.base).unwrap_or_default(),
    }
}

fn stream(folder: &dyn Folder, signature: Signature, mut logs: Vec<LogFact>, files: &[Identified]) -> StreamView {
    logs.sort_by(|a, b| (a.generation, a.renamed, &a.path).cmp(&(b.generation, b.renamed, &b.path)));
    // A log under another name counts for what it is only where nothing better is there.
    let chain: Vec<&LogFact> = logs.iter().filter(|log| !log.renamed).collect();
    let generations: BTreeSet<Generation> = chain.iter().map(|log| log.generation).collect();
    let present = ranges(generations.iter().copied());
    let missing =
        present.windows(2).map(|pair| Range { first: Generation(pair[0].last.0 + 1), last: Generation(pair[1].first.0 - 1) });
    let doubled = generations.iter().filter(|&&wanted| chain.iter().filter(|log| log.generation == wanted).count() > 1);
    let forks = chain.iter().filter(|log| {
        let mut before = chain.iter().filter(|other| other.generation.0.checked_add(1) == Some(log.generation.0)).peekable();
        before.peek().is_some() && before.all(|other| other.created != log.previous_created)
    });
    let headers = files.iter().filter_map(|file| match &file.content {
        Content::Log(header) if header.signature == signature => Some((header, file.size)),
        _ => None,
    });
    let headers: Vec<_> = headers.collect();
    let versions: BTreeSet<LogVersion> = headers.iter().map(|(header, _)| header.version()).collect();
    let unique = |values: Vec<String>| values.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    StreamView {
        signature,
        bases: unique(logs.iter().filter(|log| !log.base.is_empty()).map(|log| log.base.clone()).collect()),
        places: unique(logs.iter().map(|log| log.path.parent().map(|at| at.display().to_string()).unwrap_or_default()).collect()),
        versions: versions.into_iter().collect(),
        page_size: headers.first().and_then(|(header, _)| header.page_size()),
        log_size: headers.first().map_or(0, |(header, _)| header.geometry().file_size()),
        missing: missing.collect(),
        doubled: doubled.copied().collect(),
        forks: forks.map(|log| log.generation).collect::<BTreeSet<_>>().into_iter().collect(),
        renamed: logs
            .iter()
            .filter(|log| log.renamed)
            .map(|log| format!("{} holds generation {}", log.path.display(), log.generation))
            .collect(),
        ends: chain.last().map(|log| end_of(folder, log)),
        checkpoints: checkpoints(files, &signature),
        anchor: None,
        stale: Vec::new(),
        present,
        logs,
    }
}

fn end_of(folder: &dyn Folder, log: &LogFact) -> StreamEnd {
    let bytes = folder.open(&log.path).and_then(|file| read_all(&*file, FILE_SIZE_MAX)).unwrap_or_default();
    let opened = LogFile::open(&bytes).ok();
    StreamEnd {
        path: log.path.display().to_string(),
        position: opened.as_ref().map_or(LogPosition::NONE, |log| log.end().position),
        clean: opened.is_some_and(|log| log.was_closed_cleanly()),
        current: log.role == "current",
    }
}

fn checkpoints(files: &[Identified], signature: &Signature) -> Vec<CheckpointView> {
    let own = files.iter().filter_map(|file| match &file.content {
        Content::Checkpoint(checkpoint, _) if checkpoint.signature == *signature => {
            Some(CheckpointView { path: file.path.display().to_string(), position: checkpoint.position })
        }
        _ => None,
    });
    own.collect()
}

/// Logs of several streams under one base name in one folder: only one of them can be replayed there.
fn report_foreign(by_signature: &BTreeMap<[u8; 28], Vec<LogFact>>, findings: &mut Vec<Finding>) {
    let mut folders: BTreeMap<(PathBuf, String), Vec<&LogFact>> = BTreeMap::new();
    for log in by_signature.values().flatten().filter(|log| !log.renamed) {
        let place = log.path.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
        folders.entry((place, log.base.to_lowercase())).or_default().push(log);
    }
    for logs in folders.values() {
        let count = |signature: &Signature| logs.iter().filter(|log| log.signature == *signature).count();
        // The stream of the current log counts as the folder's own, else the larger one.
        let own = logs.iter().find(|log| log.role == "current").or_else(|| logs.iter().max_by_key(|log| count(&log.signature)));
        let Some(own) = own.map(|log| log.signature) else { continue };
        for log in logs.iter().filter(|log| log.signature != own) {
            let place = Place::file(log.path.display().to_string());
            let message = format!(
                "generation {} of the stream {} lies among logs of the stream {}",
                log.generation,
                short(&log.signature),
                short(&own)
            );
            findings.push(Finding::error(place, JetCode::BAD_LOG_SIGNATURE, message));
        }
    }
}

fn report_stream(stream: &StreamView, findings: &mut Vec<Finding>) {
    let place = Place { object: Some(format!("log stream {}", short(&stream.signature))), ..Place::default() };
    for gap in &stream.missing {
        let message = format!("the generations {gap} are missing between logs that are there");
        findings.push(Finding::warning(place.clone(), message).with_jet(JetCode::MISSING_LOG_FILE));
    }
    for generation in &stream.forks {
        let message = format!("generation {generation} does not continue the one before it: two branches are mixed");
        findings.push(Finding::warning(place.clone(), message).with_jet(JetCode::INVALID_LOG_SEQUENCE));
    }
    for generation in &stream.doubled {
        let message = format!("generation {generation} is there more than once");
        findings.push(Finding::note(place.clone(), message));
    }
    for renamed in &stream.renamed {
        findings.push(Finding::note(place.clone(), format!("{renamed}, under a name that does not say so")));
    }
}

/// What the databases need decides the anchor log, and which logs are older than anything needs.
pub(super) fn mark_needs(streams: &mut [StreamView], databases: &[DatabaseView]) {
    for stream in streams {
        let of_databases = databases.iter().filter(|database| database.log_signature == stream.signature);
        let required =
            of_databases.filter_map(|database| database.needs.as_ref().and_then(|needs| needs.required).map(|r| r.first));
        let checkpoints = stream.checkpoints.iter().map(|checkpoint| checkpoint.position.generation);
        stream.anchor = required.chain(checkpoints).min();
        if let Some(anchor) = stream.anchor {
            let below = stream.logs.iter().filter(|log| !log.renamed && log.generation < anchor);
            stream.stale = ranges(below.map(|log| log.generation));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_shown_as_ranges() {
        let generations = [1, 2, 3, 5, 5, 6, 9].map(Generation);
        let shown: Vec<String> = ranges(generations).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["0x1 to 0x3", "0x5 to 0x6", "0x9"]);
    }
}
