//! `anchorlog inspect PATH…`

use super::place_of;
use crate::Outcome;
use crate::args::Inspect;
use crate::exit::{Exit, Trouble};
use crate::render;
use anchorlog_format::layout::Layout;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::units::PageNumber;
use anchorlog_operations::inspect::{PageView, inspect, records};
use anchorlog_operations::layouts::{LAYOUTS, by_name};
use anchorlog_operations::survey::survey;
use anchorlog_storage::{DiskFolder, Folder, read_all};
use serde_json::json;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

pub fn run(arguments: &Inspect, as_json: bool) -> Outcome {
    if let Some(name) = &arguments.layout {
        return layout(name, as_json);
    }
    let mut worst = Exit::Done;
    for path in &arguments.paths {
        let exit = if path.is_dir() {
            if arguments.records || !arguments.page.is_empty() {
                return Err(Trouble::usage(format!("{} is a folder", path.display()), "Name a file with --page and --records."));
            }
            folder(path, as_json)?
        } else if arguments.page.is_empty() {
            file(path, arguments.records, as_json)?
        } else {
            pages(path, &arguments.page, as_json)?
        };
        if exit != Exit::Done {
            worst = exit;
        }
    }
    Ok(worst)
}

fn folder(path: &Path, as_json: bool) -> Outcome {
    let found =
        survey(&DiskFolder::read_only(path), &path.display().to_string()).map_err(|error| Trouble::reading(path, &error))?;
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string(&found).map_err(io::Error::other)?)?;
    } else {
        write!(out, "{}", render::survey::text(&found))?;
    }
    let errors = found.findings.iter().any(|finding| finding.severity == anchorlog_format::finding::Severity::Error);
    Ok(if errors { Exit::Findings } else { Exit::Done })
}

fn file(path: &Path, with_records: bool, as_json: bool) -> Outcome {
    let (folder, name) = place_of(path)?;
    let shown = path.display().to_string();
    let found = inspect(&folder, &name, &shown).map_err(|error| Trouble::reading(path, &error))?;
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string(&found).map_err(io::Error::other)?)?;
    } else {
        write!(out, "{}", render::inspect::text(&found))?;
    }
    let mut exit = if found.has_errors() { Exit::Findings } else { Exit::Done };
    if with_records {
        let bytes = folder.open(&name).and_then(|file| read_all(&*file, FILE_SIZE_MAX));
        let bytes = bytes.map_err(|error| Trouble::reading(path, &error))?;
        let log = LogFile::open(&bytes).map_err(|error| {
            Trouble::usage(format!("{shown} has no records: {error}"), "Name a transaction log with --records.")
        })?;
        if list(&log, &shown, as_json, &mut out)? {
            exit = Exit::Findings;
        }
    }
    Ok(exit)
}

/// One line for each record; `true` where the records could not be followed to their end.
fn list(log: &LogFile<'_>, shown: &str, as_json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let mut written = Ok(());
    let fault = records(log, shown, |record| {
        written = if as_json {
            serde_json::to_string(&record).map_err(io::Error::other).and_then(|line| writeln!(out, "{line}"))
        } else {
            writeln!(out, "{}", render::inspect::record(&record))
        };
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    if let Some(fault) = &fault {
        if as_json {
            writeln!(out, "{}", json!({ "finding": fault }))?;
        } else {
            writeln!(out, "{}", render::finding(fault))?;
        }
    }
    Ok(fault.is_some())
}

fn pages(path: &Path, numbers: &[u32], as_json: bool) -> Outcome {
    let (folder, name) = place_of(path)?;
    let mut out = io::stdout().lock();
    let mut exit = Exit::Done;
    for &number in numbers {
        let view = PageView::read(&folder, &name, &path.display().to_string(), PageNumber(number))
            .map_err(|error| Trouble::reading(path, &error))?;
        if as_json {
            writeln!(out, "{}", serde_json::to_string(&view).map_err(io::Error::other)?)?;
        } else {
            write!(out, "{}", render::inspect::page(&view))?;
        }
        if !view.findings.is_empty() {
            exit = Exit::Findings;
        }
    }
    Ok(exit)
}

fn layout(name: &str, as_json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    if name == "list" {
        for layout in LAYOUTS {
            if as_json {
                writeln!(out, "{}", json!({ "name": layout.name, "microsoft": layout.microsoft, "size": layout.size }))?;
            } else {
                writeln!(out, "{:28} {:34} {:>5} bytes  {}", layout.name, layout.microsoft, layout.size, layout.source)?;
            }
        }
        return Ok(Exit::Done);
    }
    let Some(found) = by_name(name) else {
        return Err(Trouble::usage(
            format!("no structure is called {name}"),
            "`anchorlog inspect --layout list` names all of them.",
        ));
    };
    if as_json {
        writeln!(out, "{}", layout_json(found))?;
    } else {
        write!(out, "{}", render::inspect::layout(found))?;
    }
    Ok(Exit::Done)
}

fn layout_json(layout: &Layout) -> serde_json::Value {
    let fields = layout.fields.iter().map(|field| {
        json!({
            "offset": field.offset, "size": field.size, "name": field.name, "microsoft": field.microsoft,
            "type": field.kind, "since": field.since, "meaning": field.meaning,
        })
    });
    json!({
        "name": layout.name, "microsoft": layout.microsoft, "size": layout.size, "source": layout.source,
        "fields": fields.collect::<Vec<_>>(),
    })
}
