//! Databases compared: what may differ between two right recoveries, and what may not.

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::page::{Page, compare};
use anchorlog_format::units::PageNumber;
use std::collections::{BTreeMap, BTreeSet};

/// The header of a database file.
///
/// # Panics
/// When neither copy is whole.
#[must_use]
pub fn header_of(file: &[u8]) -> HeaderPage {
    HeaderPage::elect(&file[..file.len().min(HeaderPage::ELECTION_BYTES)]).expect("a copy of the header is whole").0
}

/// Fields that differ though they are neither times nor made up by each run (`log-8 §3`).
#[must_use]
pub fn header_differences(ours: &HeaderPage, theirs: &HeaderPage) -> Vec<String> {
    const OF_THE_RUN: [&str; 13] = [
        "checksum",
        "header_flush",
        "map_flush",
        "extend_count",
        "shrink_count",
        "recovering",
        "os_major",
        "os_minor",
        "os_build",
        "os_service_pack",
        "newest_engine",
        "revert_flush",
        "flags",
    ];
    let (a, b) = (ours.to_bytes(), theirs.to_bytes());
    let fields = anchorlog_format::database::header::DatabaseHeader::LAYOUT.fields;
    fields
        .iter()
        .filter(|field| !OF_THE_RUN.contains(&field.name) && field.kind != "LogTime")
        .filter(|field| a[field.offset..field.offset + field.size] != b[field.offset..field.offset + field.size])
        .map(|field| format!("{}: {:?} against {:?}", field.name, (field.show)(&a), (field.show)(&b)))
        .collect()
}

/// Pages of a database file by number, header pages aside.
pub fn pages(file: &[u8]) -> impl Iterator<Item = (PageNumber, &[u8])> {
    let size = header_of(file).page_size().bytes();
    file.chunks_exact(size).skip(2).zip(1..).map(|(image, number)| (PageNumber(number), image))
}

/// Pages that differ by the engine's own measure (`log-4 §20.1`); pages behind the end of one file count as zero.
///
/// # Panics
/// When neither copy of a header is whole.
#[must_use]
pub fn page_differences(ours: &[u8], theirs: &[u8]) -> Vec<(PageNumber, String)> {
    let (a, b): (BTreeMap<_, _>, BTreeMap<_, _>) = (pages(ours).collect(), pages(theirs).collect());
    let zero = vec![0; header_of(ours).page_size().bytes()];
    let numbers: BTreeSet<PageNumber> = a.keys().chain(b.keys()).copied().collect();
    let image = |pages: &BTreeMap<PageNumber, &[u8]>, number: &PageNumber| pages.get(number).map_or(zero.clone(), |x| x.to_vec());
    let mut found = Vec::new();
    for number in numbers {
        let (a, b) = (image(&a, &number), image(&b, &number));
        if a == b {
            continue;
        }
        let (Some(a), Some(b)) = (Page::new(&a), Page::new(&b)) else { continue };
        let differences = compare::differences(a, b);
        if !differences.is_empty() {
            found.push((number, differences.join("; ").chars().take(300).collect()));
        }
    }
    found
}
