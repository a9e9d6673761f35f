//! Sets as text.

use anchorlog_operations::sets::KnownSet;

/// One set, with its databases and logs.
pub fn line(set: &KnownSet, now: jiff::Timestamp) -> String {
    let manifest = &set.manifest;
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    let proved = set.proved.map_or_else(|| "NOT PROVED".to_owned(), |level| format!("proved {level:?}"));
    let label = if set.label.is_empty() { String::new() } else { format!("  \"{}\"", set.label) };
    let mut text = format!(
        "{}  {}  {}  {} files, {}  {proved}{label}\n",
        set.id,
        manifest.begun.0,
        manifest.kind.name(),
        manifest.files.len(),
        super::bytes(bytes)
    );
    if let Some(hold) = set.hold.as_ref().filter(|hold| hold.is_in_effect(now)) {
        text.push_str(&format!("    {hold}\n"));
    }
    for (file, facts) in manifest.databases() {
        let damaged = if file.damage.is_empty() { "" } else { ", DAMAGED" };
        text.push_str(&format!("    {} ({}, {}{damaged})\n", file.name, super::bytes(file.size), facts.state_name));
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
