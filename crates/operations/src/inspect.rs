//! Every field of a file of the family, by plain and by Microsoft's name.

mod environment;
mod page;
mod record;
mod section;

pub use page::{LineView, PageView};
pub use record::{RecordView, records};
pub use section::{FieldView, Section, short};

use crate::identify::{Content, Identified, identify};
use crate::restore::Environment;
use anchorlog_format::database::flush_map::{FlushMapPage, MAP_PAGE};
use anchorlog_format::database::{Copies, DatabaseHeader, HeaderPage, Trailer};
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::layout::Shown;
use anchorlog_format::log::attachments::Attachment;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::scan::{LogEnd, Repair};
use anchorlog_storage::{File, Folder, read_all};
use serde::Serialize;
use std::io;
use std::path::Path;

/// What `inspect` says of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The file.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What it is, in a few words.
    pub kind: String,
    /// Its structures.
    pub sections: Vec<Section>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Reads a file and shows its structures.
///
/// # Errors
/// Any error of the storage.
pub fn inspect(folder: &dyn Folder, path: &Path, shown: &str) -> io::Result<Inspection> {
    let file = folder.open(path)?;
    let identified = identify(folder, path)?;
    let mut inspection = Inspection {
        path: shown.to_owned(),
        size: identified.size,
        kind: identified.content.describe(),
        sections: Vec::new(),
        findings: Vec::new(),
    };
    match &identified.content {
        Content::Database { page, copies } => database(&*file, &identified, page, *copies, &mut inspection)?,
        Content::DamagedDatabase { page_size } => {
            let mut start = vec![0; DatabaseHeader::SIZE];
            file.read_at(0, &mut start)?;
            inspection.sections.push(Section::of(&DatabaseHeader::LAYOUT, &start, "header, damaged"));
            let known = page_size.map_or_else(String::new, |size| format!("; its pages have {size} bytes"));
            inspection.error(JetCode::READ_VERIFY_FAILURE, format!("neither the header nor its shadow holds{known}"));
        }
        Content::Log(header) => log(&*file, header, &mut inspection)?,
        Content::DamagedLog(error) => {
            let mut start = vec![0; LogHeader::SIZE];
            file.read_at(0, &mut start)?;
            inspection.sections.push(Section::of(&LogHeader::LAYOUT, &start, "header, damaged"));
            inspection.error(error.jet(), error.to_string());
        }
        Content::Checkpoint(..) => checkpoint(&*file, &identified, &mut inspection)?,
        Content::DamagedCheckpoint(error) => inspection.error(error.jet(), error.to_string()),
        Content::FlushMap(_) => flush_map(&*file, identified.size, &mut inspection)?,
        Content::DamagedFlushMap(fault) => inspection.error(fault.jet(), fault.to_string()),
        Content::RestoreEnvironment => match Environment::of_file(&*file) {
            Ok(environment) => inspection.sections = environment::sections(&environment),
            Err(error) => inspection.error(JetCode::FILE_INVALID_TYPE, error.to_string()),
        },
        Content::StreamingFile | Content::Prepared | Content::RevertSnapshot | Content::Empty | Content::Unknown => {}
    }
    Ok(inspection)
}

impl Inspection {
    fn error(&mut self, jet: JetCode, message: String) {
        self.findings.push(Finding::error(Place::file(&self.path), jet, message));
    }
    fn warning(&mut self, message: impl Into<String>) {
        self.findings.push(Finding::warning(Place::file(&self.path), message));
    }
    /// Whether any finding breaks the verdict.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

fn database(
    file: &dyn File,
    identified: &Identified,
    page: &HeaderPage,
    copies: Copies,
    inspection: &mut Inspection,
) -> io::Result<()> {
    let mut section = Section::of(&DatabaseHeader::LAYOUT, page.bytes(), "header");
    let pages = (identified.size / page.page_size().bytes_u64()).saturating_sub(2);
    section.derived("format", Shown::Text(page.header.format().to_string()), "version, update major, update minor");
    let engine =
        page.header.format().engine().map_or("not published".to_owned(), |engine| format!("{} {}", engine.number, engine.name));
    section.derived("written by", Shown::Text(engine), "newest engine format version that writes this format");
    section.derived(
        "pages",
        Shown::Unsigned(pages),
        "data pages in the file; those behind the last owned page are no part of the database",
    );
    inspection.sections.push(section);
    match copies {
        Copies::BothGood => {}
        Copies::Different => inspection.warning("the header and its shadow differ; the header is used"),
        Copies::ShadowDamaged => inspection.warning("the shadow of the header is damaged; the header is whole"),
        Copies::PrimaryDamaged => inspection.warning("the header is damaged; its shadow is whole and used"),
    }
    if let Err(fault) = page.header.check_kind() {
        inspection.error(fault.jet(), fault.to_string());
    }
    for rule in page.header.broken_rules() {
        inspection.warning(rule);
    }
    if page.has_undeclared_bytes() {
        inspection.warning("bytes behind the known fields of the header are set: a newer engine wrote it");
    }
    if !identified.size.is_multiple_of(page.page_size().bytes_u64()) {
        inspection.warning("the file is not a whole number of pages long");
    }
    if page.header.is_streamed_backup() {
        let mut last = vec![0; page.page_size().bytes()];
        file.read_at(identified.size.saturating_sub(page.page_size().bytes_u64()), &mut last)?;
        match Trailer::from_page(&last) {
            Ok(_) => inspection.sections.push(Section::of(&Trailer::LAYOUT, &last, "trailer of the streamed backup")),
            Err(fault) if page.header.needs_trailer() => inspection.error(fault.jet(), fault.to_string()),
            Err(_) => {}
        }
    }
    Ok(())
}

fn log(file: &dyn File, header: &LogHeader, inspection: &mut Inspection) -> io::Result<()> {
    let bytes = read_all(file, FILE_SIZE_MAX)?;
    inspection.sections.extend(Section::nested(&LogHeader::LAYOUT, &bytes, "header"));
    attachments(header.attachments().map_err(|error| error.to_string()), inspection);
    match LogFile::open(&bytes) {
        Ok(log) => log_end(&log, inspection),
        Err(error) => inspection.error(error.jet(), error.to_string()),
    }
    let expected = header.geometry().file_size();
    if expected != inspection.size {
        let message = format!("the file has {} bytes, and its header says {expected}", inspection.size);
        inspection.error(JetCode::LOG_FILE_SIZE_MISMATCH, message);
    }
    Ok(())
}

fn log_end(log: &LogFile<'_>, inspection: &mut Inspection) {
    let end: &LogEnd = log.end();
    let mut section = Section::new("end of the log");
    let mut say = |name, value: String, meaning| section.derived(name, Shown::Text(value), meaning);
    say("end", end.position.to_string(), "first position behind the data");
    say(
        "last segment",
        end.last_segment.map_or("none".into(), |segment| format!("{segment:#x}")),
        "last segment that holds data",
    );
    say("closed", if log.was_closed_cleanly() { "cleanly" } else { "not cleanly" }.into(), "whether the last record ends a run");
    say("last record", log.last_record_type().map_or("none".into(), |kind| kind.to_string()), "padding aside");
    say("behind the end", format!("{:?}", end.tail), "what stands directly behind the data");
    say("accumulated checksum", format!("{:#018x}", end.accumulated), "the next log remembers this one by it");
    inspection.sections.push(section);
    for repair in &end.repairs {
        inspection.warning(match repair {
            Repair::Bit { segment, .. } => format!("segment {segment:#x} has one flipped bit, which can be corrected"),
            Repair::Shadow { segment } => format!("segment {segment:#x} was torn; its shadow is whole and stands in"),
        });
    }
    if let Some(corruption) = &end.corruption {
        let message =
            format!("segment {:#x} is damaged ({:?}): nothing behind it can be read", corruption.segment, corruption.reason);
        let place = Place::file(&inspection.path).position(end.position);
        inspection.findings.push(Finding::error(place, JetCode::LOG_FILE_CORRUPT, message));
    }
}

fn attachments(list: Result<Vec<Attachment>, String>, inspection: &mut Inspection) {
    match list {
        Ok(list) => inspection.sections.extend(list.iter().map(Section::of_attachment)),
        Err(error) => inspection.error(JetCode::LOG_FILE_CORRUPT, error),
    }
}

fn checkpoint(file: &dyn File, identified: &Identified, inspection: &mut Inspection) -> io::Result<()> {
    use anchorlog_format::log::checkpoint::{COPY_SIZE, Checkpoint, FILE_SIZE};
    let Content::Checkpoint(checkpoint, copies) = &identified.content else { return Ok(()) };
    let bytes = read_all(file, identified.size.max(FILE_SIZE as u64))?;
    let start = if copies.first { 0 } else { COPY_SIZE };
    inspection.sections.extend(Section::nested(&Checkpoint::LAYOUT, bytes.get(start..).unwrap_or_default(), "checkpoint"));
    let list = checkpoint.attachments().map(Option::unwrap_or_default).map_err(|error| error.to_string());
    attachments(list, inspection);
    for (good, which) in [(copies.first, "first"), (copies.second, "second")] {
        if !good {
            inspection.warning(format!("the {which} copy of the checkpoint is damaged"));
        }
    }
    Ok(())
}

fn flush_map(file: &dyn File, size: u64, inspection: &mut Inspection) -> io::Result<()> {
    let mut page = vec![0; MAP_PAGE];
    let mut offset = 0;
    let mut number = 0_u64;
    while offset + MAP_PAGE as u64 <= size {
        file.read_at(offset, &mut page)?;
        if offset == 0 {
            let layout = &anchorlog_format::database::flush_map::FlushMapHeader::LAYOUT;
            inspection.sections.push(Section::of(layout, &page, "header"));
        } else if page.iter().any(|&byte| byte != 0) {
            inspection.sections.push(Section::of(&FlushMapPage::LAYOUT, &page, &format!("data page {}", number - 1)));
        }
        offset += MAP_PAGE as u64;
        number += 1;
    }
    Ok(())
}
