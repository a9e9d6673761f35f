//! A folder as a whole: which databases and log streams lie in it, what belongs together, what is missing, and what can be done.

mod databases;
mod products;
mod streams;

pub use databases::{DatabaseView, Needs};
pub use products::product_of;
pub use streams::{LogFact, Range, StreamView, ranges};

use crate::identify::{Content, Identified, identify};
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_storage::Folder;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;

/// What lies in a folder.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    /// The folder, as the user named it.
    pub folder: String,
    /// Databases.
    pub databases: Vec<DatabaseView>,
    /// Log streams, one for each signature.
    pub streams: Vec<StreamView>,
    /// Every file of the family, and what it is.
    pub files: Vec<FileView>,
    /// Files that belong to no database and no log.
    pub unknown: usize,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// One file of the folder.
#[derive(Clone, Debug, Serialize)]
pub struct FileView {
    /// Path below the folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What it is.
    pub kind: String,
}

/// Looks at a folder and everything below it.
///
/// # Errors
/// Any error of listing it. A file that cannot be read becomes a finding.
pub fn survey(folder: &dyn Folder, shown: &str) -> io::Result<Survey> {
    let mut findings = Vec::new();
    let mut files = Vec::new();
    for entry in folder.list()? {
        match identify(folder, &entry.path) {
            Ok(file) => files.push(file),
            Err(error) => {
                let place = Place::file(entry.path.display().to_string());
                let message = format!("the file cannot be read: {error}");
                findings.push(Finding::error(place, JetCode::FILE_ACCESS_DENIED, message));
            }
        }
    }
    let mut streams = streams::collect(folder, &files, &mut findings);
    let databases = databases::collect(folder, shown, &files, &streams);
    streams::mark_needs(&mut streams, &databases);
    report_damage(&files, &mut findings);
    report_copies(&databases, &mut findings);
    let known = files.iter().filter(|file| file.content.is_known());
    let views =
        known.map(|file| FileView { path: file.path.display().to_string(), size: file.size, kind: file.content.describe() });
    Ok(Survey {
        folder: shown.to_owned(),
        databases,
        streams,
        unknown: files.iter().filter(|file| !file.content.is_known()).count(),
        files: views.collect(),
        findings,
    })
}

fn report_damage(files: &[Identified], findings: &mut Vec<Finding>) {
    for file in files {
        let place = Place::file(file.path.display().to_string());
        match &file.content {
            Content::DamagedLog(error) => {
                findings.push(Finding::error(place, error.jet(), format!("the log cannot be used: {error}")))
            }
            Content::DamagedCheckpoint(error) => {
                let finding = Finding::warning(place, format!("{error}: it is ignored")).with_jet(error.jet());
                findings.push(finding.with_hint(error.jet().next()));
            }
            Content::DamagedFlushMap(fault) => {
                findings.push(Finding::warning(place, format!("{fault}: it is made anew")).with_jet(fault.jet()));
            }
            _ => {}
        }
    }
}

/// Two files that are one database: only one of them can take part in a recovery (−1222).
fn report_copies(databases: &[DatabaseView], findings: &mut Vec<Finding>) {
    let mut by_signature: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for database in databases.iter().filter(|database| database.signature != "none") {
        by_signature.entry(&database.signature).or_default().push(&database.path);
    }
    for paths in by_signature.values().filter(|paths| paths.len() > 1) {
        let message = format!("these files are copies of one database: {}", paths.join(", "));
        findings.push(Finding::warning(Place::file(paths[0]), message).with_jet(JetCode::DATABASE_SIGN_IN_USE));
    }
}
