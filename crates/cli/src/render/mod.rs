//! Plans, findings and reports as text.

pub mod backup;
pub mod chain;
pub mod inspect;
pub mod purge;
pub mod recover;
pub mod restore;
pub mod restore_page;
pub mod restore_set;
pub mod sets;
pub mod survey;
pub mod verify;

use anchorlog_format::finding::Finding;

/// What, where, what it means, what to do next.
pub fn finding(finding: &Finding) -> String {
    let place = finding.place.to_string();
    let mut text = finding.severity.to_string();
    if let Some(jet) = finding.jet {
        text.push_str(&format!(" {jet}"));
    }
    if !place.is_empty() {
        text.push_str(&format!(": {place}"));
    }
    text.push_str(&format!(": {}", finding.message));
    if let Some(rule) = finding.rule {
        text.push_str(&format!(" [{rule}]"));
    }
    let meaning = finding.jet.map_or("", |jet| jet.meaning());
    if finding.severity == anchorlog_format::finding::Severity::Error && !meaning.is_empty() {
        text.push_str(&format!("\n  means: {meaning}"));
    }
    if !finding.hint.is_empty() {
        text.push_str(&format!("\n  next:  {}", finding.hint));
    }
    text
}

/// A number of bytes as people say it.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = None;
    let mut value = count;
    for name in UNITS {
        if value < 1024 {
            break;
        }
        value = value.div_ceil(1024);
        unit = Some(name);
    }
    unit.map_or_else(|| format!("{count} bytes"), |unit| format!("{value} {unit}"))
}
