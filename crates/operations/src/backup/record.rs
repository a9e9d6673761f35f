//! The manifest of a backup that was made.

use super::plan::Plan;
use super::predicate::Predicate;
use super::streams::Member;
use crate::sets::Moment;
use crate::sets::manifest::{Attached, Environment, FORMAT, FilePart, Kind, Level, Manifest, Note, StreamPart, VERSION, program};
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_vault::Name;
use serde_json::Map;
use std::collections::{BTreeMap, BTreeSet};

/// What the set says of itself. `replayed`: replay proved its files; `time`: when it was begun, and when its last file was read.
pub(super) fn manifest_of(
    plan: &Plan,
    replayed: bool,
    time: (Moment, Moment),
    files: Vec<FilePart>,
    mut notes: Vec<Note>,
) -> Manifest {
    notes.extend(plan.predicates.iter().filter(|predicate| !predicate.holds).map(note_of));
    notes.extend(plan.remarks.iter().map(|remark| Note::from(&Finding::note(Place::default(), remark))));
    let mut vouched = BTreeMap::new();
    if plan.options.assume_dismounted {
        vouched.insert("dismounted".to_owned(), "the user vouched that nothing had the files open".to_owned());
    }
    vouched.extend(plan.options.instants.vouched());
    let logs = || files.iter().filter_map(|file| file.log.as_ref());
    Manifest {
        format: FORMAT.into(),
        version: VERSION,
        kind: plan.kind,
        begun: time.0,
        ended: time.1,
        host: plan.options.host.clone(),
        environment: Environment {
            program: program(),
            system: std::env::consts::OS.into(),
            sector_sizes: logs().map(|log| log.sector_size).collect::<BTreeSet<_>>().into_iter().collect(),
            log_versions: logs().map(|log| log.version.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
            vouched,
        },
        partial: !plan.left_out.is_empty(),
        level: level_of(plan, replayed, &files),
        streams: streams(plan, &files),
        evidence: plan.predicates.iter().map(Predicate::evidence).collect(),
        notes,
        files,
        stored: None,
        other: Map::new(),
    }
}

fn level_of(plan: &Plan, replayed: bool, files: &[FilePart]) -> Level {
    let damaged = files.iter().any(|file| !file.damage.is_empty());
    match plan.kind {
        _ if damaged => Level::L0,
        _ if replayed => Level::L4,
        // Pages and logs hold, but nobody has seen that replay leads to its end (P75).
        Kind::Snapshot => Level::Unproven,
        _ => Level::L2,
    }
}

fn streams(plan: &Plan, files: &[FilePart]) -> Vec<StreamPart> {
    let databases = || files.iter().filter_map(|file| file.database.as_ref().map(|facts| (file, facts)));
    let by_signature: BTreeMap<[u8; 28], &Name> = databases().map(|(file, facts)| (facts.signature.0, &file.name)).collect();
    let part = |stream: &super::StreamItem| {
        let mine = files.iter().filter_map(|file| file.log.as_ref()).filter(|log| log.signature == stream.signature);
        let attached = |member: &Member| {
            let in_set = by_signature.get(&member.signature.0).map(|name| (*name).clone());
            Attached { path: member.path.clone(), signature: member.signature, in_set }
        };
        let of_stream = |promise: &&crate::sets::Promise| {
            databases().any(|(file, facts)| file.name == promise.database && facts.log_signature == stream.signature)
        };
        StreamPart {
            signature: stream.signature,
            base: stream.base.clone(),
            extension: stream.extension.into(),
            wide: stream.wide,
            first: mine.clone().map(|log| log.generation).min(),
            last_closed: mine.filter(|log| !log.open).map(|log| log.generation).max(),
            seen: stream.closed.last().map(|log| log.facts.generation),
            continues: plan.continues.get(&stream.signature.0).cloned(),
            checkpoint: stream.checkpoint.as_ref().and_then(|(_, position)| *position),
            circular: stream.is_circular(plan.options.circular),
            breaks: stream.breaks.clone(),
            attached: stream.members.iter().map(attached).collect(),
            promises: plan.promises.iter().filter(of_stream).cloned().collect(),
        }
    };
    plan.streams.iter().map(part).collect()
}

fn note_of(predicate: &Predicate) -> Note {
    Note {
        severity: Severity::Warning.to_string(),
        place: format!("{} {}", predicate.id, predicate.of),
        jet: predicate.jet.map(|jet| jet.0),
        message: predicate.read.clone(),
        hint: predicate.next.clone(),
    }
}
