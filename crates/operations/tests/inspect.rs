//! `inspect` on the files of the data sets.

use anchorlog_format::log::file::LogFile;
use anchorlog_format::units::PageNumber;
use anchorlog_operations::inspect::{PageView, inspect, records};
use anchorlog_storage::{DiskFolder, Folder, read_all};
use anchorlog_testkit::data;
use std::ops::ControlFlow;
use std::path::Path;

#[test]
fn every_file_that_an_engine_wrote_is_shown_without_an_error() {
    for set in data::engine_sets().into_iter().chain(data::real_sets().into_iter().filter(|set| set.name != "oracle")) {
        let root = set.folder();
        let folder = DiskFolder::read_only(&root);
        for entry in folder.list().unwrap() {
            let shown = format!("{}/{}", set.name, entry.path.display());
            let inspection = inspect(&folder, &entry.path, &shown).unwrap();
            // Formats that are not known are said to be so; everything else an engine wrote is right.
            let errors: Vec<_> =
                inspection.findings.iter().filter(|finding| finding.jet.is_some_and(|jet| jet.0 != -1209)).collect();
            let torn = inspection.findings.iter().any(|finding| finding.message.contains("is damaged ("));
            assert!(errors.is_empty() || torn, "{shown}: {errors:#?}");
            let json = serde_json::to_string(&inspection).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{shown}");
        }
    }
}

fn set(name: &str) -> DiskFolder {
    DiskFolder::read_only(data::engine_set(name).expect("the set is in every checkout").folder())
}

#[test]
fn a_header_field_is_found_by_both_names() {
    let inspection = inspect(&set("micro-insert"), Path::new("before/db/db1.edb"), "db1.edb").unwrap();
    assert_eq!(inspection.kind, "database");
    let header = &inspection.sections[0];
    assert_eq!(header.value("state"), header.value("le_dbstate"));
    assert_eq!(header.value("state").unwrap().to_string(), "Dirty Shutdown");
    assert_eq!(header.value("le_cbPageSize").unwrap().to_string(), "4096");
}

#[test]
fn a_log_shows_its_attached_databases_and_where_it_ends() {
    let inspection = inspect(&set("micro-insert"), Path::new("before/log/edb.log"), "edb.log").unwrap();
    let titles: Vec<&str> = inspection.sections.iter().map(|section| section.title.as_str()).collect();
    assert!(titles.contains(&"end of the log") && titles.contains(&"parameters of the engine"), "{titles:?}");
}

#[test]
fn the_root_of_the_database_is_shown_with_its_nodes() {
    let view = PageView::read(&set("micro-insert"), Path::new("before/db/db1.edb"), "db1.edb", PageNumber(4)).unwrap();
    assert!(view.checksum.starts_with("right"), "{}", view.checksum);
    assert!(!view.lines.is_empty() && view.lines.iter().all(|line| line.error.is_none()));
    let beyond = PageView::read(&set("micro-insert"), Path::new("before/db/db1.edb"), "db1.edb", PageNumber(100_000));
    assert!(beyond.unwrap_err().to_string().contains("no page 100000"));
}

#[test]
fn every_record_of_a_log_is_listed_in_order() {
    let folder = set("micro-insert");
    let bytes = read_all(&*folder.open(Path::new("before/log/edb.log")).unwrap(), 1 << 28).unwrap();
    let mut seen = Vec::new();
    let fault = records(&LogFile::open(&bytes).unwrap(), "edb.log", |record| {
        seen.push(record);
        ControlFlow::Continue(())
    });
    assert!(fault.is_none());
    assert!(seen.is_sorted_by_key(|record| record.position));
    assert!(
        seen.iter().all(|record| record.error.is_none())
            && seen.iter().any(|record| record.number == 29 && !record.fields.is_empty())
    );
}
