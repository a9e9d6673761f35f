//! A folder as text: each database with its one sentence, then the log streams, then what is wrong.

use super::bytes;
use anchorlog_operations::inspect::short;
use anchorlog_operations::survey::{DatabaseView, Range, StreamView, Survey};

pub fn text(survey: &Survey) -> String {
    let mut text = format!("{}\n", survey.folder);
    if survey.files.is_empty() {
        text.push_str("\nNo file here belongs to an ESE database.\n");
    }
    for database in &survey.databases {
        text.push('\n');
        text.push_str(&database_text(database));
    }
    for stream in &survey.streams {
        text.push('\n');
        text.push_str(&stream_text(stream));
    }
    let others = survey.files.iter().filter(|file| !is_shown_elsewhere(&file.kind));
    let others: Vec<String> = others.map(|file| format!("  {}  {}, {}\n", file.path, file.kind, bytes(file.size))).collect();
    if !others.is_empty() {
        text.push_str("\nother files of the family\n");
        text.extend(others);
    }
    if survey.unknown > 0 {
        text.push_str(&format!("\n{} other files belong to no database and no log\n", survey.unknown));
    }
    if !survey.findings.is_empty() {
        text.push('\n');
    }
    for finding in &survey.findings {
        text.push_str(&super::finding(finding));
        text.push('\n');
    }
    text
}

fn is_shown_elsewhere(kind: &str) -> bool {
    kind == "database"
        || kind == "database with a damaged header"
        || kind.starts_with("transaction log 8")
        || kind.starts_with("transaction log 7")
}

fn database_text(database: &DatabaseView) -> String {
    let product = database.product.map_or_else(String::new, |product| format!(" ({product})"));
    let mut text = format!("database {}{product}\n", database.path);
    let page_size = database.page_size.map_or_else(|| "unknown".into(), |size| format!("{size} bytes"));
    let mut row = |name: &str, value: String| text.push_str(&format!("  {name:14} {value}\n"));
    row("state", database.state.clone());
    row("size", bytes(database.size));
    row("page size", page_size);
    row("format", database.format.clone());
    row("log stream", short(&database.log_signature));
    if let Some(needs) = &database.needs {
        row("required logs", needs.required.map_or_else(|| "none".into(), |range| range.to_string()));
        row("committed to", needs.committed.to_string());
        for (name, missing) in [("not here", &needs.missing_required), ("newest missing", &needs.missing_committed)] {
            if !missing.is_empty() {
                row(name, list(missing));
            }
        }
    }
    row("flush map", database.flush_map.clone());
    text.push_str(&format!("  => {}\n", database.sentence));
    if !database.command.is_empty() {
        text.push_str(&format!("     {}\n", database.command));
    }
    text
}

fn stream_text(stream: &StreamView) -> String {
    let mut text = format!("log stream {} of {}\n", short(&stream.signature), stream.signature.created());
    let versions: Vec<String> = stream.versions.iter().map(ToString::to_string).collect();
    let places: Vec<&str> = stream.places.iter().map(|place| if place.is_empty() { "." } else { place.as_str() }).collect();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("  {name:14} {value}\n"));
        }
    };
    row("base name", stream.bases.join(", "));
    row("lies in", places.join(", "));
    row("log format", versions.join(", "));
    row("log size", bytes(stream.log_size));
    row("generations", list(&stream.present));
    row("missing", list(&stream.missing));
    row("branches at", stream.forks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    row("there twice", stream.doubled.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    if let Some(end) = &stream.ends {
        let how = if end.clean { "cleanly" } else { "not cleanly" };
        let kind = if end.current { "the current log" } else { "an archived log: the current one is not here" };
        row("ends", format!("{how} at {}, in {} ({kind})", end.position, end.path));
    }
    for checkpoint in &stream.checkpoints {
        row("checkpoint", format!("{} ({})", checkpoint.position, checkpoint.path));
    }
    row("anchor log", stream.anchor.map_or_else(String::new, |anchor| format!("{anchor}: the lowest that is needed")));
    row("below it", list(&stream.stale));
    text
}

fn list(ranges: &[Range]) -> String {
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
