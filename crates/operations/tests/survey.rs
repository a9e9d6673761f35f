//! `inspect` on folders: what belongs together, what is missing, what can be done.

use anchorlog_format::units::Generation;
use anchorlog_operations::survey::{Survey, survey};
use anchorlog_storage::DiskFolder;
use anchorlog_testkit::data::{self, copy_of};
use std::fs;
use std::path::Path;

fn survey_of(root: &Path) -> Survey {
    survey(&DiskFolder::read_only(root), &root.display().to_string()).unwrap()
}

#[test]
fn a_dirty_database_with_all_its_logs_can_be_recovered() {
    let copy = copy_of("lost-4k-1db", "base");
    let found = survey_of(copy.path());
    assert_eq!((found.databases.len(), found.streams.len()), (1, 1));
    let database = &found.databases[0];
    assert_eq!(database.state, "Dirty Shutdown");
    assert!(database.command.starts_with("anchorlog recover"), "{}", database.command);
    assert!(database.sentence.contains("every log that it needs is here"), "{}", database.sentence);
    let stream = &found.streams[0];
    assert_eq!(stream.signature, database.log_signature);
    assert_eq!(stream.anchor, Some(Generation(1)));
    assert!(stream.missing.is_empty() && stream.forks.is_empty());
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

#[test]
fn missing_required_logs_are_named() {
    let copy = copy_of("lost-4k-1db", "base");
    fs::remove_file(copy.path().join("log/edb00006.log")).unwrap();
    let found = survey_of(copy.path());
    let needs = found.databases[0].needs.as_ref().unwrap();
    assert_eq!(needs.missing_required.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0x6"]);
    assert!(found.databases[0].sentence.contains("0x6"), "{}", found.databases[0].sentence);
    assert!(found.findings.iter().any(|finding| finding.jet.is_some_and(|jet| jet.0 == -528)));
}

#[test]
fn logs_of_another_stream_are_named() {
    let copy = copy_of("lost-4k-1db", "");
    fs::rename(copy.path().join("foreign/log/edb00002.log"), copy.path().join("base/log/edb00002.log")).unwrap();
    let found = survey_of(&copy.path().join("base"));
    let foreign: Vec<_> = found.findings.iter().filter(|finding| finding.jet.is_some_and(|jet| jet.0 == -530)).collect();
    assert_eq!(foreign.len(), 1);
    assert!(foreign[0].place.file.as_ref().unwrap().ends_with("edb00002.log"));
}

#[test]
fn databases_and_logs_may_lie_apart_and_under_any_name() {
    let copy = copy_of("lost-4k-1db", "base");
    fs::create_dir(copy.path().join("elsewhere")).unwrap();
    fs::rename(copy.path().join("log/edb00003.log"), copy.path().join("elsewhere/old.bin")).unwrap();
    fs::rename(copy.path().join("db/db1.edb"), copy.path().join("mail")).unwrap();
    let found = survey_of(copy.path());
    assert_eq!(found.databases[0].path, "mail");
    assert_eq!(found.streams[0].renamed, ["elsewhere/old.bin holds generation 0x3"]);
    assert_eq!(found.streams[0].missing.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0x3"]);
}

#[test]
fn a_clean_database_needs_nothing() {
    let copy = copy_of("clean-4k", "clean");
    let found = survey_of(copy.path());
    assert!(found.databases[0].needs.is_none() && found.databases[0].command.starts_with("anchorlog dump"));
    assert_eq!(found.databases[0].flush_map, "clean");
}

#[test]
fn every_set_can_be_surveyed_and_shown_as_json() {
    for set in data::engine_sets().into_iter().chain(data::real_sets()) {
        let found = survey_of(&set.folder());
        let json = serde_json::to_string(&found).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", set.name);
    }
}
