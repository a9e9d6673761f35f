//! `inspect`.

use crate::arguments::{InspectArguments, number};
use crate::output::{Exit, Output};
use anchorlog_format::layout::Layout;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::units::PageNumber;
use anchorlog_operations::inspect::{self, Inspection, PageView, RecordView, Section};
use anchorlog_operations::layouts;
use anchorlog_operations::survey::{Survey, survey};
use anchorlog_storage::{DiskFolder, Folder, read_all};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// Inspects files and folders, or prints a layout.
pub fn run(arguments: &InspectArguments, output: &Output) -> Exit {
    if let Some(name) = &arguments.layout {
        return layout(name, output);
    }
    if arguments.paths.is_empty() {
        output.error("name a file or a folder (or a structure with --layout)", None, "");
        return Exit::Usage;
    }
    let mut exit = Exit::Done;
    for path in &arguments.paths {
        let found = match &arguments.page {
            Some(page) => show_page(path, page, output),
            None if arguments.records => show_records(path, output),
            None if path.is_dir() => show_folder(path, output),
            None => show_file(path, output),
        };
        match found {
            Ok(Exit::Done) => {}
            Ok(other) => exit = other,
            Err(error) => {
                output.error(&format!("{}: {error}", path.display()), None, "Nothing was changed.");
                exit = Exit::Failed;
            }
        }
    }
    exit
}

/// The folder of a file, and its name in it.
fn place(path: &Path) -> io::Result<(DiskFolder, &Path)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is no file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((DiskFolder::read_only(parent), Path::new(name)))
}

fn show_file(path: &Path, output: &Output) -> io::Result<Exit> {
    let (folder, name) = place(path)?;
    let inspection = inspect::inspect(&folder, name, &path.display().to_string())?;
    output.value(&inspection);
    print_inspection(&inspection, output);
    Ok(if inspection.has_errors() { Exit::Findings } else { Exit::Done })
}

fn print_inspection(inspection: &Inspection, output: &Output) {
    output.line(format!("{}: {}, {} bytes", inspection.path, inspection.kind, inspection.size));
    print_sections(&inspection.sections, output);
    for finding in &inspection.findings {
        output.finding(finding);
    }
}

fn print_sections(sections: &[Section], output: &Output) {
    for section in sections {
        let name = if section.microsoft.is_empty() { String::new() } else { format!(" ({})", section.microsoft) };
        output.line(format!("\n{}{name}", section.title));
        let width = section.fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
        for field in &section.fields {
            let microsoft = if field.microsoft.is_empty() { String::new() } else { format!("  [{}]", field.microsoft) };
            output.line(format!("  {:width$}  {}{microsoft}", field.name, field.value));
        }
    }
}

fn print_page(view: &PageView, output: &Output) {
    output.line(format!("{}: page {} at offset {:#x}, checksum {}", view.path, view.page, view.offset, view.checksum));
    print_sections(&view.sections, output);
    output.line(format!("\nexternal header: {}", view.external_header));
    for line in &view.lines {
        let child = line.child.map_or_else(String::new, |child| format!(" -> page {child}"));
        let tag = line.tag.map_or_else(String::new, |(offset, length)| format!(" at {offset:#x}, {length} bytes"));
        output.line(format!("line {}{tag} {:?} prefix {}{child}", line.line, line.flags, line.prefix));
        match &line.error {
            Some(error) => output.line(format!("  cannot be read: {error}")),
            None => output.line(format!("  key  {}\n  data {}", line.key, line.data)),
        }
    }
    for finding in &view.findings {
        output.finding(finding);
    }
}

fn print_record(record: &RecordView, output: &Output) {
    let fields: Vec<String> =
        record.fields.iter().map(|field| format!("{}={}", field.name.replace(' ', "_"), field.value)).collect();
    let error = record.error.as_ref().map_or_else(String::new, |error| format!(" cannot be decoded: {error}"));
    output.line(format!(
        "{} {} ({}, {} bytes) {}{error}",
        record.position,
        record.kind,
        record.microsoft,
        record.size,
        fields.join(" ")
    ));
}

fn show_page(path: &Path, page: &str, output: &Output) -> io::Result<Exit> {
    let number = number(page).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let (folder, name) = place(path)?;
    let view = inspect::PageView::read(&folder, name, &path.display().to_string(), PageNumber(number))?;
    output.value(&view);
    print_page(&view, output);
    Ok(Exit::Done)
}

fn show_records(path: &Path, output: &Output) -> io::Result<Exit> {
    let (folder, name) = place(path)?;
    let bytes = read_all(&*folder.open(name)?, FILE_SIZE_MAX)?;
    let log = match LogFile::open(&bytes) {
        Ok(log) => log,
        Err(error) => {
            output.error(&format!("{}: {error}", path.display()), Some(error.jet()), "Nothing was changed.");
            return Ok(Exit::Failed);
        }
    };
    let fault = inspect::records(&log, &path.display().to_string(), |record| {
        output.value_line(&record);
        print_record(&record, output);
        ControlFlow::Continue(())
    });
    Ok(match fault {
        Some(finding) => {
            output.finding(&finding);
            Exit::Findings
        }
        None => Exit::Done,
    })
}

fn show_folder(path: &Path, output: &Output) -> io::Result<Exit> {
    let survey = survey(&DiskFolder::read_only(path), &path.display().to_string())?;
    output.value(&survey);
    print_survey(&survey, output);
    Ok(Exit::Done)
}

/// A folder in text.
pub fn print_survey(survey: &Survey, output: &Output) {
    output.line(&survey.folder);
    for stream in &survey.streams {
        let list = |ranges: &[anchorlog_operations::survey::Range]| {
            ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        output.line(format!("\nlog stream {} ({})", stream.signature, stream.bases.join(", ")));
        output.line(format!("  generations here: {}", list(&stream.present)));
        if !stream.missing.is_empty() {
            output.line(format!("  missing: {}", list(&stream.missing)));
        }
        if !stream.doubled.is_empty() {
            output.line(format!(
                "  more than once: {}",
                stream.doubled.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ));
        }
        if !stream.forks.is_empty() {
            let forks: Vec<String> = stream.forks.iter().map(ToString::to_string).collect();
            output.line(format!("  other branches begin at: {}", forks.join(", ")));
        }
        for renamed in &stream.renamed {
            output.line(format!("  name does not say what it is: {renamed}"));
        }
        if let Some(end) = &stream.ends {
            let how = if end.clean { "cleanly" } else { "without a clean end" };
            output.line(format!("  ends at {} {how} ({})", end.position, end.path));
        }
        if let Some(anchor) = stream.anchor {
            output.line(format!("  anchor log: {anchor}"));
        }
        if !stream.stale.is_empty() {
            output.line(format!("  not needed by anything here: {}", list(&stream.stale)));
        }
    }
    for database in &survey.databases {
        let product = database.product.map_or_else(String::new, |product| format!(", {product}"));
        output.line(format!("\ndatabase {} ({} bytes{product})", database.path, database.size));
        output.line(format!("  state: {}, format {}", database.state, database.format));
        if let Some(needs) = &database.needs {
            if let Some(required) = &needs.required {
                output.line(format!("  needs generations {required}, committed up to {}", needs.committed));
            }
            for missing in &needs.missing_required {
                output.line(format!("  required and missing: {missing}"));
            }
            for missing in &needs.missing_committed {
                output.line(format!("  committed and missing: {missing}"));
            }
        }
        output.line(format!("  {}", database.sentence));
        if !database.command.is_empty() {
            output.line(format!("  $ {}", database.command));
        }
    }
    if survey.databases.is_empty() && survey.streams.is_empty() {
        output.line("no database and no log of this family is here");
    }
    for finding in &survey.findings {
        output.finding(finding);
    }
}

fn layout(name: &str, output: &Output) -> Exit {
    let Some(layout) = layouts::by_name(name) else {
        output.error(&format!("no structure is called {name}"), None, "");
        return Exit::Usage;
    };
    if output.is_json() {
        let fields: Vec<serde_json::Value> = layout
            .fields
            .iter()
            .map(|field| {
                serde_json::json!({
                    "offset": field.offset, "size": field.size, "name": field.name, "microsoft": field.microsoft,
                    "type": field.kind, "since": field.since.trim(), "meaning": field.meaning,
                })
            })
            .collect();
        output.value(&serde_json::json!({
            "name": layout.name, "microsoft": layout.microsoft, "size": layout.size, "source": layout.source, "fields": fields,
        }));
    } else {
        print_layout(layout, output);
    }
    Exit::Done
}

fn print_layout(layout: &Layout, output: &Output) {
    output.line(format!("{} ({}), {} bytes, {}", layout.name, layout.microsoft, layout.size, layout.source));
    let width = layout.fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in layout.fields {
        let microsoft = if field.microsoft.is_empty() { String::new() } else { format!(" [{}]", field.microsoft) };
        output.line(format!("  {:5} {:4}  {:width$}  {}{microsoft}", field.offset, field.size, field.name, field.meaning));
    }
}
