//! Traps of online sets that no predicate has by itself. Ids in names are those of ops-2.

use super::common::digests;
use super::sets::{inputs, last, restore, stream};
use anchorlog_format::database::HeaderPage;
use anchorlog_format::page::Page;
use anchorlog_testkit::data::copy_folder;
use std::fs;

const PAGE: usize = 4096;

/// The pages of a raw database: behind both headers, in front of the trailer.
fn pages(file: &[u8]) -> impl Iterator<Item = (usize, Page<'_>)> {
    let all = file.chunks_exact(PAGE).enumerate().skip(2);
    all.filter_map(|(at, bytes)| Some((at - 1, Page::new(bytes)?)))
}

#[test]
fn o9_o11_pages_newer_than_the_mark_are_passed_over_and_pages_that_came_later_are_made() {
    let Some(folder) = stream() else { return };
    let raw = fs::read(folder.join("full/db1.edb")).unwrap();
    let header = HeaderPage::elect(&raw).unwrap().0.header;
    // Changed after the backup began and before they were copied: the first records that name them are of before.
    let newer = pages(&raw).filter(|(_, page)| page.dbtime() > header.dbtime).count();
    assert!(newer > 0, "no page of the set is newer than its header");
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    restore(&inputs(&folder, &["full"], None), &target, &last()).report();
    let restored = fs::read(target.join("db1.edb")).unwrap();
    assert!(restored.len() > raw.len() - PAGE, "replay added no page");
}

#[test]
fn o23_a_database_that_was_not_read_to_its_end_is_no_part_of_a_set_however_much_of_it_is_there() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    copy_folder(&folder.join("full"), &place.path().join("full")).unwrap();
    let path = place.path().join("full/db1.edb");
    let whole = fs::read(&path).unwrap();
    for kept in [whole.len() - PAGE, whole.len() - 2 * PAGE, whole.len() / 2 / PAGE * PAGE, 3 * PAGE] {
        fs::write(&path, &whole[..kept]).unwrap();
        let before = digests(place.path());
        let target = place.path().join("target");
        let refused = restore(&inputs(place.path(), &["full"], None), &target, &last());
        assert_eq!((refused.code(), refused.broken()[0]), (-535, "H8"), "{kept}");
        assert!(digests(place.path()) == before && !target.exists());
    }
}

#[test]
fn o24_a_log_that_is_there_twice_does_not_stand_for_one_that_is_missing() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    copy_folder(&folder.join("full"), &place.path().join("full")).unwrap();
    fs::create_dir(place.path().join("again")).unwrap();
    fs::copy(place.path().join("full/edb00008.log"), place.path().join("again/edb00008.log")).unwrap();
    fs::remove_file(place.path().join("full/edb00009.log")).unwrap();
    let target = place.path().join("target");
    let refused = restore(&inputs(place.path(), &["full", "again"], None), &target, &last());
    assert_eq!((refused.code(), refused.broken()[0]), (-557, "H4"));
    assert!(!target.exists());
}
