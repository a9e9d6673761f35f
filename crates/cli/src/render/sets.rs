//! Sets and their proofs as text.

use anchorlog_operations::restore::set::Drilled;
use anchorlog_operations::sets::{KnownSet, Reach, ToldProof};

/// The name of a set, and the best proof of it.
pub fn title(set: &KnownSet) -> String {
    let manifest = &set.manifest;
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    let stored = manifest.stored.map_or_else(String::new, |stored| format!(" ({} stored)", super::bytes(stored)));
    let proved = set.best_proof().map_or_else(|| "NOT PROVED".to_owned(), proof);
    let label = if set.summary.made.label.is_empty() { String::new() } else { format!("  \"{}\"", set.summary.made.label) };
    let (time, kind, files) = (manifest.begun.0, manifest.kind.name(), manifest.files.len());
    format!("{}  {time}  {kind}  {files} files, {}{stored}  {proved}{label}", set.id, super::bytes(bytes))
}

fn proof(proof: &ToldProof) -> String {
    format!("proved {:?} on {}, {}", proof.level, proof.made.0, proof.signed)
}

/// One set, with its databases and logs, and how far they can be restored.
pub fn line(set: &KnownSet, reaches: &[Reach]) -> String {
    let manifest = &set.manifest;
    let mut text = title(set) + "\n";
    for bad in set.proofs.iter().filter(|proof| !proof.counts()) {
        text.push_str(&format!("    {}; the proof of {} counts for nothing\n", bad.signed, bad.made.0));
    }
    for (file, facts) in manifest.databases() {
        let damaged = if file.damage.is_empty() { "" } else { ", DAMAGED" };
        text.push_str(&format!("    {} ({}, {}{damaged})\n", file.name, super::bytes(file.size), facts.state_name));
    }
    for reach in reaches {
        let behind = reach.generation.map_or_else(String::new, |last| format!(", with the logs up to generation {last:#x}"));
        text.push_str(&format!("      {}: restorable up to {}{behind}\n", reach.database, reach.until.0));
    }
    if let Some(why) = &set.ends {
        text.push_str(&format!("      roll-forward ends here: {why}\n"));
    }
    for stream in &manifest.streams {
        let range = match (stream.first, stream.last_closed) {
            (Some(first), Some(last)) => format!("generations {first:#x} to {last:#x}"),
            (Some(first), None) => format!("generation {first:#x}, still open"),
            (None, _) => "no logs".to_owned(),
        };
        text.push_str(&format!("    logs {}: {range}\n", stream.base));
        for promise in &stream.promises {
            let said = if promise.rolls_forward {
                format!("rolls forward from generation {:#x} on", promise.anchor)
            } else {
                format!("does not roll forward: {}", promise.why_not.join("; "))
            };
            text.push_str(&format!("      {}: {said}\n", promise.database));
        }
    }
    text
}

/// A drill that succeeded.
pub fn drilled(drilled: &Drilled) -> String {
    let tables: usize = drilled.replay.contents.iter().map(|contents| contents.tables.len()).sum();
    let compared = match (drilled.compared, drilled.compared_with_source) {
        (true, true) => "equal to its first proof and to its source",
        (true, false) => "equal to its first proof",
        (false, true) => "equal to its source; its first proof",
        (false, false) => "its first proof",
    };
    let figures = &drilled.figures;
    let end = drilled.replay.end.as_ref().map_or_else(String::new, |end| format!(" up to {end}"));
    format!(
        "set {} is proved to level {:?}: {tables} tables, {compared}, {}\n  {} pages verified, {} records replayed{end}, {} rows hashed, {} s\n",
        drilled.set, drilled.level, drilled.signed, figures.pages, figures.records, figures.rows, figures.seconds
    )
}
