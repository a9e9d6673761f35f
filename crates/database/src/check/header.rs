//! The file as a whole: its size, its headers, the trailer of a streamed backup (rules I1 and I2).

use super::report::Report;
use super::rule::{self, Breaks as _};
use crate::database::Database;
use crate::error::Error;
use anchorlog_format::database::header::Copies;
use anchorlog_format::database::trailer::{Trailer, TrailerFault};
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::PageNumber;

/// Trap D28 of db-1: such a file looks like a database, but its pages carry no checksums, and nothing can ever be read from it.
pub(super) fn temporary(database: &Database, report: &mut Report<'_>) {
    let message = "a temporary database: it held sorted rows of a running engine, and is of no use without it";
    let finding = Finding::error(database.place(), JetCode::DATABASE_DIRTY_SHUTDOWN, message);
    report.add(finding.with_hint("leave it out; the engine makes a new one").breaks(rule::HEADER));
}

/// Both copies, the rules between fields, the state. `strict`: a damaged copy is an error, as in Microsoft's checksum check; its integrity
/// check lets it pass, as the other copy serves.
pub(super) fn header(database: &Database, strict: bool, report: &mut Report<'_>) {
    let place = database.place();
    let damaged = |which: &str, other: &str| {
        let message = format!("the {which} copy of the header is damaged; the {other} one was taken");
        let finding = Finding::error(place.clone(), JetCode::READ_VERIFY_FAILURE, message);
        let hint = "the next engine that opens the file for writing mends it; look after the storage";
        if strict {
            finding
        } else {
            Finding::warning(finding.place, finding.message).with_jet(JetCode::READ_VERIFY_FAILURE).with_hint(hint)
        }
    };
    let found = match database.copies() {
        Copies::BothGood => None,
        Copies::Different => Some(Finding::warning(place.clone(), "the two copies of the header differ; the first one holds")),
        Copies::ShadowDamaged => Some(damaged("second", "first")),
        Copies::PrimaryDamaged => Some(damaged("first", "second")),
    };
    report.counts.bad_checksums += u64::from(matches!(database.copies(), Copies::ShadowDamaged | Copies::PrimaryDamaged));
    if let Some(found) = found {
        report.add(found.breaks(rule::HEADER));
    }
    for broken in database.header().header.broken_rules() {
        report.add(Finding::warning(place.clone(), format!("header: {broken}")).breaks(rule::HEADER));
    }
    if report.dirty {
        let message = "the database is dirty: its trees are whole only after recovery";
        report.add(Finding::note(place, message).with_jet(JetCode::DATABASE_DIRTY_SHUTDOWN).breaks(rule::HEADER));
    }
}

/// The page behind the last one of a streamed copy: it has a checksum like a header's, and is no damaged page (trap D15). Its number, if it
/// is there.
pub(super) fn trailer(database: &Database, report: &mut Report<'_>) -> Option<PageNumber> {
    let header = &database.header().header;
    if !header.is_streamed_backup() {
        return None;
    }
    let last = PageNumber(database.pages());
    let bytes = database.cache().read(last).ok()?;
    let place = database.place().page(last);
    match Trailer::from_page(&bytes) {
        Ok(trailer) => {
            let mut completed = header.clone();
            match trailer.complete(&mut completed) {
                Err(fault) if header.needs_trailer() => {
                    report.add(Finding::error(place, fault.jet(), fault.to_string()).breaks(rule::HEADER));
                }
                _ => report.add(Finding::note(database.place(), "its last page says where the streaming backup ended")),
            }
            Some(last)
        }
        Err(fault @ TrailerFault::Bad) if header.needs_trailer() => {
            report.add(Finding::error(place, fault.jet(), fault.to_string()).breaks(rule::HEADER));
            None
        }
        Err(_) => None,
    }
}

/// Rule I1. A database that ends before its space does was cut off; a dirty one may not have been extended yet (trap D27 of db-1). What lies
/// behind the last owned page is no part of the database, as engines extend files ahead of need: Microsoft's integrity check warns of it. A
/// part of a page is an error there.
pub(super) fn file_size(database: &Database, last_owned: PageNumber, trailer: Option<PageNumber>, report: &mut Report<'_>) {
    let (pages, place) = (database.pages(), database.place());
    if last_owned.0 > pages {
        let message = format!("the file ends behind page {pages}, but the database has {last_owned} pages");
        let mut findings = report.findings();
        findings.rule(&Error::new(place.clone(), JetCode::FILE_IO_BEYOND_EOF, message).breaks(rule::FILE_SIZE));
        report.take(findings);
    }
    let mine = pages - u32::from(trailer.is_some_and(|trailer| trailer.0 == pages));
    if last_owned.0 < mine {
        let message = format!("the file has {mine} pages, but the database only {last_owned}: what lies behind is not looked at");
        let hint = "harmless: the engine cuts the file or uses the room";
        report.add(Finding::warning(place.clone(), message).with_hint(hint).breaks(rule::FILE_SIZE));
    }
    let surplus = database.file_bytes() % database.page_size().bytes_u64();
    if surplus != 0 {
        let message = format!("the file ends with {surplus} bytes that are no whole page");
        let mut findings = report.findings();
        findings.rule(&Error::new(place, JetCode::DATABASE_CORRUPTED, message).breaks(rule::FILE_SIZE));
        report.take(findings);
    }
}
