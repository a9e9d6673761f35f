//! Whether the vault has room for what would be stored.

use super::plan::Plan;
use super::predicate::{Predicate, Refusal};
use crate::sets::History;
use crate::sets::manifest::Role;

/// Databases and logs are seldom stored in less than a quarter of their size, and not in less than this part of it where they are not empty.
const PACKED_AT_BEST: u64 = 16;
/// Beside the bytes of the files the vault stores less than this part of them: lists of chunks, their places, and seals.
const OVERHEAD: u64 = 64;
/// The manifest, the proof and the ends of packs, in bytes.
const SMALL_THINGS: u64 = 1 << 20;

/// Judges a plan by the bytes that are free; what cannot be said for sure is a remark of the plan.
pub(super) fn judge(plan: &mut Plan, history: &History, free: u64) {
    let at_most = plan.bytes.saturating_add(plan.bytes / OVERHEAD).saturating_add(SMALL_THINGS);
    let new = new_bytes(plan, history);
    let read = format!("it needs at most {at_most} bytes, {new} of them of files that no set holds; {free} are free");
    if new / PACKED_AT_BEST > free {
        let next = "Make room in the storage of the vault: forget sets and run `anchorlog vault prune`, or use another vault.";
        plan.predicates.push(Predicate::refuses("vault-room", "", read, Refusal::Space, next));
        return;
    }
    if at_most > free {
        plan.remarks.push(format!("the vault may run full, depending on how well the files can be compressed: {read}"));
    }
    plan.predicates.push(Predicate::held("vault-room", "", read));
}

/// Bytes of files of which no set of the vault holds any version.
fn new_bytes(plan: &Plan, history: &History) -> u64 {
    let is_known = |file: &&super::Item| match file.role {
        Role::Database => {
            let database = plan.databases.iter().find(|database| database.place == file.place);
            database.is_none_or(|database| history.last_with(&database.facts.signature).is_some())
        }
        Role::Log => {
            let mut closed = plan.streams.iter().flat_map(|stream| &stream.closed);
            let log = closed.find(|log| log.place == file.place);
            log.is_none_or(|log| history.logs(&log.facts.signature, log.facts.generation).next().is_some())
        }
        _ => true,
    };
    plan.files.iter().filter(|file| !is_known(file)).map(|file| file.size).sum()
}
