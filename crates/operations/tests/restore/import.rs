//! What is no set, or not this one, does not enter the vault: by the number of what is broken, and the engine's code.
//! Ids in names are those of ops-2.

use super::sets::{stream, two_databases};
use super::stored::Store;
use anchorlog_format::database::HeaderPage;
use anchorlog_format::database::trailer::Trailer;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::units::Generation;
use anchorlog_operations::backup;
use anchorlog_operations::sets::Kind;
use anchorlog_testkit::data::copy_folder;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: usize = 4096;

/// A copy of a set, to be changed.
fn copy(set: &str) -> Option<tempfile::TempDir> {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&stream()?.join(set), copy.path()).unwrap();
    Some(copy)
}

fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn change_trailer(path: &Path, edit: impl FnOnce(&mut Trailer)) {
    change(path, |bytes| {
        let size = HeaderPage::elect(bytes).unwrap().0.page_size();
        let at = bytes.len() - size.bytes();
        let mut trailer = Trailer::from_page(&bytes[at..]).unwrap();
        edit(&mut trailer);
        bytes[at..].copy_from_slice(&trailer.to_page(size));
    });
}

fn change_log(path: &Path, edit: impl FnOnce(&mut LogHeader)) {
    change(path, |bytes| {
        let mut header = LogHeader::check(bytes).unwrap();
        edit(&mut header);
        let header = header.to_bytes();
        bytes[..header.len()].copy_from_slice(&header);
    });
}

fn log(folder: &Path, generation: u32) -> PathBuf {
    folder.join(format!("edb{generation:05X}.log"))
}

/// What is broken in a changed full set, the first of it first.
fn broken(edit: impl FnOnce(&Path)) -> Vec<(&'static str, i32)> {
    let Some(set) = copy("full") else { return Vec::new() };
    edit(set.path());
    Store::new().refused(set.path(), None)
}

/// The first of it; `None` without the data.
fn first(edit: impl FnOnce(&Path)) -> Option<(&'static str, i32)> {
    broken(edit).first().copied()
}

/// Says nothing where the data are not there.
fn is(found: Option<(&'static str, i32)>, expected: (&'static str, i32)) {
    if stream().is_some() {
        assert_eq!(found, Some(expected));
    }
}

#[test]
fn i5_o4_a_database_without_its_trailer_is_no_set() {
    let cut = |bytes: usize| move |set: &Path| change(&set.join("db1.edb"), |file| file.truncate(file.len() - bytes));
    is(first(cut(PAGE)), ("H8", -535));
    is(first(cut(10 * PAGE)), ("H8", -535));
    let trailer = |set: &Path| change(&set.join("db1.edb"), |file| *file.iter_mut().next_back().unwrap() ^= 1);
    is(first(trailer), ("H8", -535));
}

#[test]
fn i6_a_database_that_ends_inside_a_page_is_no_set() {
    let found = broken(|set| change(&set.join("db1.edb"), |file| file.truncate(file.len() - PAGE / 2)));
    assert!(stream().is_none() || found.contains(&("I6", -561)), "{found:?}");
}

#[test]
fn i7_i8_a_trailer_of_another_database_stream_or_backup_is_refused() {
    let edit = |edit: fn(&mut Trailer)| move |set: &Path| change_trailer(&set.join("db1.edb"), edit);
    is(first(edit(|trailer| trailer.signature.0[4] ^= 1)), ("H8", -552));
    is(first(edit(|trailer| trailer.log_signature.0[4] ^= 1)), ("H8", -552));
    is(first(edit(|trailer| trailer.backup.mark.generation.0 += 1)), ("H8", -552));
    is(first(edit(|trailer| trailer.backup.high = Generation(0))), ("H8", -552));
}

#[test]
fn i9_header_and_trailer_say_that_the_copy_began_in_one_generation() {
    is(first(|set| change_trailer(&set.join("db1.edb"), |trailer| trailer.backup.low = Generation(2))), ("I9", -552));
}

#[test]
fn i10_a_trailer_that_ends_before_what_it_requires_is_told_and_stored() {
    let Some(set) = copy("full") else { return };
    change_trailer(&set.path().join("db1.edb"), |trailer| trailer.backup.high = Generation(trailer.max_committed.0 - 1));
    let store = Store::new();
    let stored = store.import(set.path());
    let evidence = store.known(&stored).manifest.evidence;
    let i10 = evidence.iter().find(|evidence| evidence.id == "I10").unwrap();
    assert!(!i10.holds && evidence.iter().all(|evidence| evidence.holds || evidence.id == "I10"), "{i10:?}");
}

#[test]
fn i4_databases_that_were_not_copied_online_are_no_set() {
    let clean = anchorlog_testkit::data::engine_set("clean-4k").unwrap().folder().join("clean");
    assert!(Store::new().refused(&clean, None).contains(&("H8", -615)));
    let Some(full) = copy("full") else { return };
    let Some(incremental) = copy("inc1") else { return };
    assert_eq!(Store::new().refused(full.path(), Some(Kind::OnlineIncremental))[0], ("I4", -615));
    assert_eq!(Store::new().refused(full.path(), Some(Kind::Offline))[0], ("I4", -615));
    let store = Store::new();
    store.import(full.path());
    assert_eq!(store.refused(incremental.path(), Some(Kind::OnlineCopy))[0], ("I4", -615));
}

#[test]
fn i11_i12_i13_o5_the_logs_of_a_set_span_its_copy_without_a_hole() {
    is(first(|set| fs::remove_file(log(set, 1)).unwrap()), ("H9", -554));
    is(first(|set| fs::remove_file(log(set, 7)).unwrap()), ("H4", -557));
    is(first(|set| (0x0A..=0x11).for_each(|generation| fs::remove_file(log(set, generation)).unwrap())), ("H10", -553));
    // A header that an earlier restore completed, with fewer logs than that had.
    let Some(set) = copy("full") else { return };
    change(&set.path().join("db1.edb"), |bytes| {
        let (mut page, _) = HeaderPage::elect(bytes).unwrap();
        page.header.current_backup.high = Generation(0x1A);
        let header = page.to_bytes();
        bytes[..header.len()].copy_from_slice(&header);
        bytes[header.len()..2 * header.len()].copy_from_slice(&header);
    });
    assert_eq!(Store::new().refused(set.path(), None)[0], ("H10", -553));
}

#[test]
fn i14_i15_i16_the_logs_of_a_set_are_one_chain_and_named_as_they_are() {
    let Some(other) = two_databases() else { return };
    is(first(|set| _ = fs::copy(log(&other.join("full"), 5), log(set, 5)).unwrap()), ("H5", -555));
    is(first(|set| change_log(&log(set, 5), |header| header.signature.0[4] ^= 1)), ("H5", -555));
    is(first(|set| change_log(&log(set, 5), |header| header.previous_created.0[0] ^= 1)), ("H6", -556));
    let found = broken(|set| change_log(&log(set, 5), |header| header.previous_accumulated ^= 1));
    assert!(stream().is_none() || found.contains(&("I15", -590)), "{found:?}");
    let found = first(|set| {
        fs::remove_file(log(set, 6)).unwrap();
        fs::copy(log(set, 5), log(set, 6)).unwrap();
    });
    is(found, ("H4", -513));
}

#[test]
fn i17_a_log_of_a_set_that_does_not_hold_is_refused_as_a_backup_refuses_it() {
    let edit = |set: &Path| change(&log(set, 9), |bytes| bytes[3 * PAGE + 9..3 * PAGE + 2000].fill(0xA5));
    let found = broken(edit);
    assert!(stream().is_none() || found.contains(&("I17", -612)), "{found:?}");
    assert!(stream().is_none() || found.iter().any(|(_, jet)| *jet == -573), "what its restore would say: {found:?}");
}

#[test]
fn i20_a_damaged_page_fails_the_import_and_is_named_and_is_kept_as_evidence_when_asked_for() {
    let Some(set) = copy("full") else { return };
    let page = 20;
    change(&set.path().join("db1.edb"), |bytes| bytes[(page + 1) * PAGE + 100..(page + 1) * PAGE + 200].fill(0xA5));
    let store = Store::new();
    let error = store.import_with(set.path(), &backup::Options::default()).map(|report| report.set).unwrap_err();
    let backup::Error::Damaged(notes) = error else { panic!("{error}") };
    assert!(notes.iter().any(|note| note.place.contains(&format!("page {page}"))), "{notes:?}");
    assert_eq!(store.vault.sets().unwrap(), []);
    let options = backup::Options { keep_damage: true, ..backup::Options::default() };
    assert!(!store.import_with(set.path(), &options).unwrap().is_good());
}

#[test]
fn i33_logs_alone_continue_a_set_of_the_vault() {
    let (Some(full), Some(second)) = (copy("full"), copy("inc2")) else { return };
    let store = Store::new();
    // Nothing is there that they could be replayed onto.
    assert_eq!(store.refused(second.path(), None), [("I33", -560)]);
    store.import(full.path());
    // Between the two a generation is missing.
    (0x0C..=0x12).for_each(|generation| fs::remove_file(log(second.path(), generation)).unwrap());
    assert_eq!(store.refused(second.path(), None), [("I33", -569)]);
    // A differential set continues a full one, whatever incremental sets there are.
    let first = copy("inc1").unwrap();
    store.import(first.path());
    assert_eq!(store.refused(second.path(), Some(Kind::OnlineDifferential)), [("I33", -569)]);
    store.import(second.path());
}

// trap ops-3 O6
#[test]
fn i33_logs_that_continue_another_history_are_refused() {
    let (Some(full), Some(set)) = (copy("full"), copy("inc1")) else { return };
    let store = Store::new();
    store.import(full.path());
    (2..=0x11).for_each(|generation| fs::remove_file(log(set.path(), generation)).unwrap());
    change_log(&log(set.path(), 0x12), |header| header.previous_created.0[0] ^= 1);
    assert_eq!(store.refused(set.path(), None)[0], ("H6", -556));
}

// trap ops-3 O7
#[test]
fn i33_a_generation_that_another_set_has_with_another_content_is_refused() {
    let (Some(full), Some(set)) = (copy("full"), copy("inc1")) else { return };
    let store = Store::new();
    store.import(full.path());
    change_log(&log(set.path(), 5), |header| header.created.0[0] ^= 1);
    assert_eq!(store.refused(set.path(), None)[0], ("H6", -556));
}

#[test]
fn patch_files_that_hold_pages_are_refused_and_empty_ones_do_not_matter() {
    let Some(legacy) = anchorlog_testkit::data::engine_set("backup-legacy-4k") else { return };
    let set = tempfile::tempdir().unwrap();
    copy_folder(&legacy.folder().join("backup"), set.path()).unwrap();
    assert_eq!(fs::metadata(set.path().join("db1.pat")).unwrap().len(), 0);
    let store = Store::new();
    store.import(set.path());
    fs::write(set.path().join("db1.pat"), vec![7; PAGE]).unwrap();
    assert_eq!(Store::new().refused(set.path(), None)[0], ("H8", -535));
}

#[test]
fn an_empty_folder_is_nothing_to_import() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Store::new().refused(folder.path(), None), [("set", -1216)]);
}

#[test]
fn i35_a_database_that_the_logs_name_and_that_is_not_in_the_set_is_named() {
    let Some(folder) = two_databases() else { return };
    let set = tempfile::tempdir().unwrap();
    copy_folder(&folder.join("full"), set.path()).unwrap();
    fs::remove_file(set.path().join("db2.edb")).unwrap();
    let store = Store::new();
    let manifest = store.known(&store.import(set.path())).manifest;
    assert!(manifest.partial);
    let absent = manifest.streams[0].attached.iter().find(|attached| attached.in_set.is_none()).unwrap();
    assert_eq!(absent.path, r"R:\db\db2.edb");
}

#[test]
fn logs_alone_continue_an_offline_set_as_well_and_only_their_own() {
    let Some(set) = anchorlog_testkit::data::engine_set("rollforward-clean") else { return };
    let (database, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy_folder(&set.folder().join("before/db"), database.path()).unwrap();
    copy_folder(&set.folder().join("before/log"), logs.path()).unwrap();
    fs::remove_file(logs.path().join("edb.log")).unwrap();
    let store = Store::new();
    let inputs = backup::Inputs { folder: database.path().to_owned(), ..backup::Inputs::default() };
    let sources = backup::Sources::gather(&inputs).unwrap();
    let plan = backup::offline::plan(&sources, &store.history(), &backup::Options::default());
    let base = backup::make(&plan, &sources, &*store.vault, &super::common::ambient(), &mut ()).unwrap().set;
    let first = tempfile::tempdir().unwrap();
    for generation in 0x12..=0x18 {
        fs::copy(log(logs.path(), generation), log(first.path(), generation)).unwrap();
    }
    let imported = store.import(first.path());
    assert_eq!(store.known(&imported).manifest.streams[0].continues, Some(base.clone()));
    // The base is rolled forward, and says so.
    assert!(!anchorlog_operations::restore::is_online(&store.history(), &imported));
    let other = tempfile::tempdir().unwrap();
    fs::copy(log(logs.path(), 0x19), log(other.path(), 0x19)).unwrap();
    change_log(&log(other.path(), 0x19), |header| header.previous_created.0[0] ^= 1);
    assert_eq!(store.refused(other.path(), None)[0], ("I33", -556));
}
