//! Verifying files: every page, tree, record and long value of a database, every segment and record of a log, and what lies side by side
//! against each other. Findings stream out; nothing stops at the first.

mod flush_map;

use crate::identify::{Content, Identified, identify};
use crate::inspect::{inspect, records};
use crate::survey::{Survey, survey};
use anchorlog_database::check::{self, Counts};
use anchorlog_database::database::{CACHE_BYTES, Database};
use anchorlog_format::database::{HeaderPage, Trailer};
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::units::PageNumber;
use anchorlog_storage::{Folder, read_all};
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// What a verification came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    /// Databases that were checked.
    pub databases: Vec<DatabaseCheck>,
    /// Logs whose every segment and record was read.
    pub logs: u64,
    /// Records in them.
    pub records: u64,
    /// Other files of the family that were looked at: checkpoints, flush maps.
    pub others: u64,
    /// Files that belong to no database and no log.
    pub unknown: u64,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warning.
    pub warnings: u64,
}

/// One database.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseCheck {
    /// The file.
    pub path: String,
    /// Its state.
    pub state: String,
    /// What was seen.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Hands findings on, and counts them.
struct Sink<'a> {
    out: &'a mut dyn FnMut(Finding),
    result: Verification,
}

impl Sink<'_> {
    fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Error => self.result.errors += 1,
            Severity::Warning => self.result.warnings += 1,
            Severity::Note => {}
        }
        (self.out)(finding);
    }
}

/// Verifies one file.
///
/// # Errors
/// Any error of opening it; damage is a finding.
pub fn verify_file(folder: &dyn Folder, path: &Path, shown: &str, out: &mut dyn FnMut(Finding)) -> io::Result<Verification> {
    let mut sink = Sink { out, result: Verification::default() };
    let identified = identify(folder, path)?;
    file(folder, &identified, shown, &mut sink)?;
    Ok(sink.result)
}

/// Verifies everything below a folder, and what lies there against each other.
///
/// # Errors
/// Any error of listing it.
pub fn verify_folder(folder: &dyn Folder, shown: &str, out: &mut dyn FnMut(Finding)) -> io::Result<Verification> {
    let mut sink = Sink { out, result: Verification::default() };
    for entry in folder.list()? {
        let name = Path::new(shown).join(&entry.path).display().to_string();
        let verified = identify(folder, &entry.path).and_then(|identified| file(folder, &identified, &name, &mut sink));
        if let Err(error) = verified {
            sink.add(Finding::error(Place::file(name), JetCode::DISK_IO, format!("the file cannot be read: {error}")));
        }
    }
    together(&survey(folder, shown)?, &mut sink);
    Ok(sink.result)
}

fn file(folder: &dyn Folder, identified: &Identified, shown: &str, sink: &mut Sink<'_>) -> io::Result<()> {
    match &identified.content {
        Content::Database { page, .. } => {
            let opened = Database::open(shown, folder.open(&identified.path)?, CACHE_BYTES);
            let database = match opened {
                Ok(database) => database,
                Err(error) => {
                    sink.add(error.finding());
                    return Ok(());
                }
            };
            let trailer = trailer_page(folder, identified, page)?;
            let is_trailer = |finding: &Finding| trailer.is_some() && finding.place.page == trailer;
            let mut counts = check::check(&database, &mut |finding| {
                if !is_trailer(&finding) {
                    sink.add(finding);
                }
            });
            if trailer.is_some() {
                counts.bad_checksums = counts.bad_checksums.saturating_sub(1);
                sink.add(Finding::note(Place::file(shown), "its last page says where the streaming backup ended"));
            }
            let state = page.header.state.to_string();
            sink.result.databases.push(DatabaseCheck { path: shown.to_owned(), state, counts });
            flush_map::compare(folder, &identified.path, &database, shown, &mut |finding| sink.add(finding))?;
        }
        Content::DamagedDatabase { .. } => {
            let message = "neither the header nor its shadow holds";
            sink.add(Finding::error(Place::file(shown), JetCode::READ_VERIFY_FAILURE, message));
        }
        Content::Log(_) => log(folder, &identified.path, shown, sink)?,
        Content::Unknown | Content::Empty => sink.result.unknown += 1,
        _ => {
            sink.result.others += 1;
            for finding in inspect(folder, &identified.path, shown)?.findings {
                sink.add(finding);
            }
        }
    }
    Ok(())
}

/// The page behind the last one of a streamed copy has a checksum like a header's, and is no damaged page (trap D15).
fn trailer_page(folder: &dyn Folder, identified: &Identified, page: &HeaderPage) -> io::Result<Option<PageNumber>> {
    let size = page.page_size();
    let Some(last) = (identified.size / size.bytes_u64()).checked_sub(2).filter(|_| page.header.is_streamed_backup()) else {
        return Ok(None);
    };
    let Some(number) = u32::try_from(last).ok().map(PageNumber) else { return Ok(None) };
    let mut bytes = vec![0; size.bytes()];
    folder.open(&identified.path)?.read_at(size.offset_of(number), &mut bytes)?;
    Ok(Trailer::from_page(&bytes).ok().map(|_| number))
}

/// Every segment and every record.
fn log(folder: &dyn Folder, path: &Path, shown: &str, sink: &mut Sink<'_>) -> io::Result<()> {
    sink.result.logs += 1;
    for finding in inspect(folder, path, shown)?.findings {
        sink.add(finding);
    }
    let bytes = read_all(&*folder.open(path)?, FILE_SIZE_MAX)?;
    let Ok(log) = LogFile::open(&bytes) else { return Ok(()) };
    let mut broken = Vec::new();
    let mut count = 0;
    let fault = records(&log, shown, |record| {
        count += 1;
        if let Some(error) = record.error {
            let place = Place::file(shown).position(record.position);
            broken.push(Finding::error(place, JetCode::LOG_FILE_CORRUPT, format!("{}: {error}", record.kind)));
        }
        ControlFlow::Continue(())
    });
    sink.result.records += count;
    broken.into_iter().chain(fault).for_each(|finding| sink.add(finding));
    Ok(())
}

/// Chain, checkpoint, and databases against the logs.
fn together(survey: &Survey, sink: &mut Sink<'_>) {
    // What concerns one file alone was found when that file was read.
    let of_one_file = |finding: &&Finding| {
        finding.jet.is_some_and(|jet| [JetCode::LOG_FILE_SIZE_MISMATCH, JetCode::CHECKPOINT_CORRUPT].contains(&jet))
    };
    for finding in survey.findings.iter().filter(|finding| !of_one_file(finding)) {
        sink.add(finding.clone());
    }
    for database in &survey.databases {
        let Some(needs) = &database.needs else { continue };
        let place = Place::file(Path::new(&survey.folder).join(&database.path).display().to_string());
        let list = |ranges: &[crate::survey::Range]| ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !needs.missing_required.is_empty() {
            let message = format!("it needs logs that are not here: generation {}", list(&needs.missing_required));
            sink.add(Finding::error(place, JetCode::REQUIRED_LOG_FILES_MISSING, message));
        } else if !needs.missing_committed.is_empty() {
            let message = format!("its newest logs are not here: generation {}", list(&needs.missing_committed));
            sink.add(Finding::warning(place, message).with_jet(JetCode::COMMITTED_LOG_FILES_MISSING));
        } else {
            sink.add(Finding::note(place, "it is dirty, and every log that it needs is here"));
        }
    }
    for stream in &survey.streams {
        let present = |generation| stream.present.iter().any(|range| (range.first..=range.last).contains(&generation));
        for checkpoint in stream.checkpoints.iter().filter(|checkpoint| !present(checkpoint.position.generation)) {
            let message = format!("it points to generation {}, which is not here", checkpoint.position.generation);
            let place = Place::file(Path::new(&survey.folder).join(&checkpoint.path).display().to_string());
            sink.add(Finding::warning(place, message).with_jet(JetCode::MISSING_LOG_FILE));
        }
    }
}
