//! `anchorlog verify PATH…`

use super::place_of;
use crate::Outcome;
use crate::args::Verify;
use crate::exit::{Exit, Trouble};
use crate::render;
use anchorlog_format::finding::Finding;
use anchorlog_operations::verify::{Verification, verify_file, verify_folder};
use anchorlog_storage::DiskFolder;
use serde_json::json;
use std::io::{self, Write};

pub fn run(arguments: &Verify, as_json: bool) -> Outcome {
    let mut exit = Exit::Done;
    for path in &arguments.paths {
        let mut findings: Vec<Finding> = Vec::new();
        let mut sink = |finding: Finding| {
            if as_json {
                findings.push(finding);
            } else {
                // A reader that went away is noticed at the summary.
                _ = writeln!(io::stdout(), "{}", render::finding(&finding));
            }
        };
        let result = if path.is_dir() {
            verify_folder(&DiskFolder::read_only(path), &path.display().to_string(), &mut sink)
        } else {
            let (folder, name) = place_of(path)?;
            verify_file(&folder, &name, &path.display().to_string(), &mut sink)
        };
        let result = result.map_err(|error| Trouble::reading(path, &error))?;
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", json!({ "path": path.display().to_string(), "result": result, "findings": findings }))?;
        } else {
            write!(out, "{}", text_of(&result))?;
        }
        if result.errors > 0 {
            exit = Exit::Findings;
        }
    }
    Ok(exit)
}

fn text_of(result: &Verification) -> String {
    let mut text = String::new();
    for database in &result.databases {
        let counts = &database.counts;
        text.push_str(&format!(
            "{} ({}): {} pages, {} trees, {} rows, {} long values, {} index entries; {} bad checksums, {} correctable\n",
            database.path,
            database.state,
            counts.pages,
            counts.trees,
            counts.rows,
            counts.long_values,
            counts.index_entries,
            counts.bad_checksums,
            counts.correctable,
        ));
    }
    if result.logs > 0 {
        text.push_str(&format!("{} logs with {} records\n", result.logs, result.records));
    }
    let verdict = match (result.errors, result.warnings) {
        (0, 0) => "no findings".to_owned(),
        (0, warnings) => format!("no errors, {warnings} warnings"),
        (errors, warnings) => format!("{errors} errors, {warnings} warnings"),
    };
    text.push_str(&format!("{verdict}\n"));
    text
}
