//! Rows straight out of sets: what their restore would hold, and nothing is restored.

use crate::common::{Store, ambient, copy_of, digests, history};
use crate::recover_common::{for_each, none_wrong};
use anchorlog_operations::backup;
use anchorlog_operations::dump::{DumpError, Rows, Tables, dump_stored};
use anchorlog_testkit::data::{copy_folder, engine_set, engine_sets};
use anchorlog_testkit::dump_text::{engine_dumps, first_difference};
use anchorlog_vault::SetId;
use std::fs;
use std::path::Path;

/// The dump of a database of a set; nothing is left in the scratch folder.
fn rows(store: &Store, set: &SetId, database: &str, tables: Tables) -> Result<String, DumpError> {
    let scratch = tempfile::tempdir().unwrap();
    let (names, mut out) = ([database.to_owned()], Vec::new());
    let rows = Rows { databases: if database.is_empty() { &[] } else { &names }, tables, scratch: scratch.path() };
    let dumped = dump_stored(&store.vault, &history(&*store.vault), set, rows, &ambient(), &mut || true, &mut out)?;
    assert!(dumped.iter().all(|dumped| dumped.summary.errors.is_empty() && !dumped.dirty));
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    Ok(String::from_utf8(out).unwrap())
}

/// What differs from the engine's own dumps.
fn compare(label: &str, store: &Store, set: &SetId, dump: &Path, tables: Tables) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, theirs) in engine_dumps(dump) {
        match rows(store, set, &name, tables) {
            Ok(ours) => wrong.extend(first_difference(&ours, &theirs).map(|line| format!("{label} {name}: {line}"))),
            Err(error) => wrong.push(format!("{label} {name}: {error}")),
        }
    }
    wrong
}

#[test]
fn rows_of_every_image_are_those_that_the_engine_recovers() {
    let sets: Vec<_> = engine_sets().into_iter().filter(|set| set.folder().join("before/db").is_dir()).collect();
    let wrong = for_each(&sets, |set| {
        let store = Store::new();
        let image = tempfile::tempdir().unwrap();
        copy_folder(&set.folder().join("before"), image.path()).unwrap();
        let sources = crate::backup_common::gather(image.path());
        let Ok(plan) = backup::snapshot::plan(&sources, &history(&*store.vault), &backup::Options::default()) else {
            return Vec::new();
        };
        let dirty = plan.files.iter().any(|file| file.name.as_str().ends_with(".edb"));
        if !plan.possible || !dirty || set.meta()["parameters"].is_null() && !set.folder().join("dump.jsonl").is_file() {
            return Vec::new();
        }
        let report = backup::make(&plan, &sources, &*store.vault, &ambient(), &mut ()).unwrap();
        if report.manifest.databases().all(|(_, facts)| facts.is_clean()) {
            return Vec::new();
        }
        let before = digests(image.path());
        let mut wrong = compare(&set.name, &store, &report.set, &set.folder().join("dump.jsonl"), Tables::Users);
        wrong.extend(compare(&set.name, &store, &report.set, &set.folder().join("catalog.jsonl"), Tables::Engines));
        assert_eq!(digests(image.path()), before);
        wrong
    });
    none_wrong(sets.len(), &wrong);
}

#[test]
fn rows_of_a_clean_database_are_read_where_they_lie() {
    let (folder, store) = (copy_of("micro-insert", "after"), Store::new());
    let set = store.add(folder.path());
    let dump = engine_set("micro-insert").unwrap().folder().join("dump.jsonl");
    assert_eq!(compare("clean", &store, &set, &dump, Tables::Users), Vec::<String>::new());
    // All databases of the set, where none is named.
    assert_eq!(rows(&store, &set, "", Tables::Users).unwrap(), rows(&store, &set, "db1.edb", Tables::Users).unwrap());
    let unknown = rows(&store, &set, "other.edb", Tables::Users).unwrap_err();
    assert!(unknown.to_string().contains("other.edb"), "{unknown}");
}

#[test]
fn rows_of_an_image_whose_logs_do_not_lead_to_an_end_are_refused() {
    let (image, store) = (copy_of("micro-insert", "before"), Store::new());
    let set = store.add_image(image.path());
    let broken = store.edited(&set, false, |manifest, streams| {
        streams.retain(|name, _| !name.ends_with(".log"));
        manifest.streams.clear();
    });
    let refused = rows(&store, &broken, "db1.edb", Tables::Users).unwrap_err();
    assert!(matches!(refused, DumpError::Set { .. }), "{refused}");
}
