//! All that stands in the way, not only the first thing that the engine would trip over.

use super::sources::Sources;
use super::streams::StreamChoice;
use crate::identify::Content;
use anchorlog_format::database::version::Known;
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::units::{Generation, LogPosition, Signature};
use anchorlog_replay::error::ReplayError;
use anchorlog_replay::hard::Examined;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::{Folder, read_all};
use serde::Serialize;
use std::path::Path;

/// Something wrong, and whether it is what Microsoft's engine would return.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// What.
    #[serde(flatten)]
    pub finding: Finding,
    /// Whether the engine's start would end with this.
    pub engine: bool,
}

/// The faults, the engine's own first.
pub(super) fn collect(
    sources: &Sources,
    choice: &StreamChoice,
    engine: Option<&ReplayError>,
    start: LogPosition,
    accept_loss: bool,
) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    if let Some(error) = engine {
        faults.push(Fault { finding: error.finding(), engine: true });
    }
    if let StreamChoice::One(stream, signature) = choice {
        for finding in of_stream(sources, stream, signature, start.generation) {
            add(&mut faults, finding);
        }
        for finding in of_databases(sources, stream, signature, accept_loss) {
            add(&mut faults, finding);
        }
    }
    faults
}

/// The faults of a backup set: each broken predicate, the engine's own first.
pub(super) fn of_set(examined: &Examined, engine: Option<&ReplayError>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = engine.iter().map(|error| Fault { finding: error.finding(), engine: true }).collect();
    for error in examined.predicates.iter().filter_map(|predicate| predicate.outcome.as_ref().err()) {
        add(&mut faults, error.finding());
    }
    faults
}

/// The engine's fault names the same place with the same code in its own words.
fn add(faults: &mut Vec<Fault>, finding: Finding) {
    let known = |fault: &Fault| fault.finding.jet == finding.jet && fault.finding.place.file == finding.place.file;
    if !faults.iter().any(known) {
        faults.push(Fault { finding, engine: false });
    }
}

/// Each log by itself, and the chain.
fn of_stream(sources: &Sources, stream: &StreamFiles, signature: &Signature, start: Generation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut previous: Option<LogHeader> = None;
    let archives = stream.archives.iter().filter(|(generation, _)| **generation >= start);
    let logs = archives.map(|(generation, path)| (Some(*generation), path)).chain(stream.current.iter().map(|path| (None, path)));
    for (named, path) in logs {
        let place = Place::file(path.display().to_string());
        let Some(header) = check_log(sources, path, &place, signature, &mut findings) else {
            previous = None;
            continue;
        };
        if let Some(named) = named.filter(|named| *named != header.generation) {
            let message = format!("it holds generation {}, and its name says {named}", header.generation);
            findings.push(Finding::error(place, JetCode::INVALID_LOG_SEQUENCE, message));
        } else if let Some(before) = &previous {
            findings.extend(link(before, &header, place));
        }
        previous = Some(header);
    }
    findings
}

fn check_log(
    sources: &Sources,
    path: &Path,
    place: &Place,
    signature: &Signature,
    findings: &mut Vec<Finding>,
) -> Option<LogHeader> {
    let bytes = match sources.open(path).and_then(|file| read_all(&*file, FILE_SIZE_MAX)) {
        Ok(bytes) => bytes,
        Err(error) => {
            findings.push(Finding::error(place.clone(), JetCode::FILE_ACCESS_DENIED, format!("it cannot be read: {error}")));
            return None;
        }
    };
    let log = match LogFile::open(&bytes) {
        Ok(log) => log,
        Err(error) => {
            let jet = if bytes.len() < LogHeader::SIZE { JetCode::FILE_IO_BEYOND_EOF } else { error.jet() };
            findings.push(Finding::error(place.clone(), jet, error.to_string()));
            return None;
        }
    };
    let header = log.header();
    if header.signature != *signature && !signature.is_none() {
        let message = format!("generation {} of another log stream", header.generation);
        findings.push(Finding::error(place.clone(), JetCode::BAD_LOG_SIGNATURE, message));
        return None;
    }
    let expected = header.geometry().file_size();
    if expected != bytes.len() as u64 {
        let message = format!("it has {} bytes, and its header says {expected}", bytes.len());
        findings.push(Finding::error(place.clone(), JetCode::LOG_FILE_SIZE_MISMATCH, message));
    } else if let Some(corruption) = log.end().corruption
        && let Some(jet) = log.end().refusal(ReadContext::Soft, false)
    {
        let message = format!("segment {:#x} is damaged: nothing behind it can be read", corruption.segment);
        findings.push(Finding::error(place.clone().position(log.end().position), jet, message));
    }
    Some(header.clone())
}

fn link(before: &LogHeader, header: &LogHeader, place: Place) -> Option<Finding> {
    let expected = before.generation.0.checked_add(1)?;
    if header.generation.0 > expected {
        let gap = crate::survey::Range { first: Generation(expected), last: Generation(header.generation.0 - 1) };
        let message = format!("generation {gap} is missing before it");
        return Some(Finding::error(place, JetCode::INVALID_LOG_SEQUENCE, message));
    }
    (header.generation.0 < expected || header.previous_created != before.created).then(|| {
        let message = format!("it does not continue generation {} as it is here: another branch", before.generation);
        Finding::error(place, JetCode::INVALID_LOG_SEQUENCE, message)
    })
}

/// Each database by itself, and against the logs.
fn of_databases(sources: &Sources, stream: &StreamFiles, signature: &Signature, accept_loss: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has = |generation: u32| {
        let current = || {
            stream.current.as_ref().and_then(|path| sources.get(path)).is_some_and(|source| match &source.identified.content {
                Content::Log(header) => header.generation.0 == generation,
                _ => false,
            })
        };
        stream.archives.contains_key(&Generation(generation)) || current()
    };
    for source in sources.iter() {
        let place = Place::file(source.identified.path.display().to_string());
        let (header, copies) = match &source.identified.content {
            Content::Database { page, copies } => (&page.header, copies),
            Content::DamagedDatabase { .. } => {
                let message = "neither the header nor its shadow holds";
                findings.push(Finding::error(place, JetCode::READ_VERIFY_FAILURE, message));
                continue;
            }
            _ => continue,
        };
        if *copies == anchorlog_format::database::Copies::PrimaryDamaged {
            findings.push(Finding::warning(place.clone(), "the header is damaged; its shadow is whole and used"));
        }
        if header.log_signature != *signature || !header.state.is_dirty() {
            continue;
        }
        if header.format().known() != Known::Fully {
            let message = format!("its format {} is newer than what can be recovered", header.format());
            findings.push(Finding::error(place.clone(), JetCode::INVALID_DATABASE_VERSION, message));
        }
        if header.needs_trailer() {
            // Whatever else is wrong with the folder of a backup set, this is the reason.
            let message = "it came out of an online backup, whose end is not in its header yet: it is recovered as a set";
            findings.push(Finding::error(place.clone(), JetCode::SOFT_RECOVERY_ON_BACKUP_DATABASE, message));
        }
        let missing = |first: u32, last: u32| {
            let last = last.min(first.saturating_add(1_000_000));
            let absent = (first.max(1)..=last).filter(|&generation| !has(generation)).map(Generation);
            crate::survey::ranges(absent).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let required = missing(header.min_required.0, header.max_required.0);
        if header.min_required.0 > 0 && !required.is_empty() {
            let message = format!(
                "it needs the logs {} to {}, and generation {required} is not here",
                header.min_required, header.max_required
            );
            findings.push(Finding::error(place.clone(), JetCode::REQUIRED_LOG_FILES_MISSING, message));
        }
        let committed = if header.max_committed > header.max_required {
            missing(header.max_required.0.saturating_add(1), header.max_committed.0)
        } else {
            String::new()
        };
        if !committed.is_empty() {
            let message =
                format!("transactions of it were committed in generation {committed}, which is not here: they would be lost");
            let mut finding = Finding::error(place, JetCode::COMMITTED_LOG_FILES_MISSING, message);
            if accept_loss {
                finding.severity = Severity::Warning;
            }
            findings.push(finding);
        }
    }
    findings
}
