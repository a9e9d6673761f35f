//! Our dump against that of Microsoft's engine, line for line, over every set whose databases are clean.

use anchorlog_database::Database;
use anchorlog_database::canonical::{Tables, dump};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{EngineSet, engine_sets, real_sets};
use anchorlog_testkit::dump_text::{engine_dumps, first_difference};
use std::fs;
use std::path::{Path, PathBuf};

/// Opens a database with the smallest cache: what is read must not depend on its size.
fn open(path: &Path) -> Database {
    let folder = DiskFolder::read_only(path.parent().expect("a database lies in a folder"));
    let name = path.file_name().expect("a database has a name");
    let file = folder.open(Path::new(name)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Database::open(path.display().to_string(), file, 0).unwrap_or_else(|error| panic!("{error}"))
}

fn our_dump(path: &Path, tables: Tables) -> String {
    let database = open(path);
    let mut out = Vec::new();
    let name = path.file_name().expect("a database has a name").to_string_lossy();
    let summary = dump(&database, &name, tables, &mut out).expect("memory can be written");
    assert_eq!(summary.errors, [], "{}", path.display());
    String::from_utf8(out).expect("a dump is UTF-8")
}

/// Where a set keeps the state that its dump shows: recovery's result, or what it left unchanged, or the clean database itself.
fn database_of(set: &Path, name: &str) -> Option<PathBuf> {
    ["after/db", "before/db", "clean"].iter().map(|folder| set.join(folder).join(name)).find(|path| path.is_file())
}

fn compare(label: &str, ours: &str, theirs: &str, differences: &mut Vec<String>) {
    differences.extend(first_difference(ours, theirs).map(|found| format!("{label}\n{found}")));
}

fn check_set(set: &EngineSet, differences: &mut Vec<String>) -> usize {
    let folder = set.folder();
    let mut compared = 0;
    for (file, tables) in [("dump.jsonl", Tables::Users), ("catalog.jsonl", Tables::Engines)] {
        let path = folder.join(file);
        if !path.is_file() {
            continue;
        }
        for (name, theirs) in engine_dumps(&path) {
            let Some(database) = database_of(&folder, &name) else { continue };
            compare(&format!("{} {name} {file}", set.name), &our_dump(&database, tables), &theirs, differences);
            compared += 1;
        }
    }
    compared
}

/// Compares a database with a dump that has it alone, and perhaps under another name.
fn check_alone(label: &str, database: &Path, dump: &Path, tables: Tables, differences: &mut Vec<String>) {
    let ours = our_dump(database, tables);
    let theirs = fs::read_to_string(dump).unwrap_or_else(|error| panic!("{}: {error}", dump.display()));
    let behind_the_name = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    compare(label, &behind_the_name(&ours), &behind_the_name(&theirs), differences);
}

fn no_differences(compared: usize, differences: &[String]) {
    println!("{compared} dumps compared, {} differ", differences.len());
    assert!(differences.is_empty(), "{} of {compared} dumps differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn every_clean_database_of_the_engine_made_sets_dumps_as_the_engine_dumped_it() {
    let mut differences = Vec::new();
    let compared: usize = engine_sets().iter().map(|set| check_set(set, &mut differences)).sum();
    assert!(compared > 0);
    no_differences(compared, &differences);
}

#[test]
fn compacted_copies_and_restored_backups_dump_as_the_engine_dumped_them() {
    let mut differences = Vec::new();
    let mut compared = 0;
    for set in engine_sets() {
        let folder = set.folder();
        for (database, dump) in [("compacted/compacted.edb", "dump.jsonl"), ("after-full/db1.edb", "dump-full.jsonl")] {
            let (database, dump) = (folder.join(database), folder.join(dump));
            // A dump of several databases is compared by the restore that makes them.
            if database.is_file() && dump.is_file() && engine_dumps(&dump).len() == 1 {
                check_alone(&set.name, &database, &dump, Tables::Users, &mut differences);
                compared += 1;
            }
        }
    }
    no_differences(compared, &differences);
}

/// A comparison that an oracle case asks for: the database, in the set or in the oracle, and the dump in the oracle.
struct Wanted {
    in_oracle: bool,
    database: String,
    dump: String,
    tables: Tables,
}

/// What an oracle case gives to compare: a clean database of the set as it is, or the one that a recovery left.
fn wanted(case: &serde_json::Value) -> Vec<Wanted> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let outputs: Vec<String> = case["outputs"].as_array().into_iter().flatten().map(text).collect();
    let recovered: Vec<&String> =
        outputs.iter().filter(|output| output.contains("/after/db/") && !output.ends_with(".jfm")).collect();
    let as_it_is = text(&case["case"]).strip_prefix("database ").is_some_and(|name| case["inputs"][0] == name);
    let (in_oracle, database) = match recovered[..] {
        [] if as_it_is && case["jet_error"] == 0 => (false, text(&case["inputs"][0])),
        [database] => (true, database.clone()),
        _ => return Vec::new(),
    };
    let kinds = [("dump.jsonl", Tables::Users), ("catalog.jsonl", Tables::Engines)];
    let dump = |file: &str| outputs.iter().find(|output| output.ends_with(&format!("/{file}"))).cloned();
    let found = |(file, tables)| Some(Wanted { in_oracle, database: database.clone(), dump: dump(file)?, tables });
    kinds.into_iter().filter_map(found).collect()
}

#[test]
fn every_clean_database_of_real_machines_dumps_as_the_engine_dumped_it() {
    let mut differences = Vec::new();
    let mut compared = 0;
    let sets = real_sets();
    let oracle_of =
        |set: &EngineSet| sets.iter().find(|other| other.name == "oracle" && other.archive.parent() == set.archive.parent());
    for set in sets.iter().filter(|set| set.name != "oracle") {
        let Some(oracle) = oracle_of(set) else { continue };
        let json = set.archive.with_file_name("oracle.json");
        let text = fs::read_to_string(&json).unwrap_or_else(|error| panic!("{}: {error}", json.display()));
        let cases: serde_json::Value = serde_json::from_str(&text).expect("an oracle is JSON");
        for case in cases["cases"].as_array().expect("an oracle has cases") {
            for Wanted { in_oracle, database, dump, tables } in wanted(case) {
                let folder = if in_oracle { oracle.folder() } else { set.folder() };
                let label = format!("{} {database} {tables:?}", set.name);
                check_alone(&label, &folder.join(&database), &oracle.folder().join(&dump), tables, &mut differences);
                compared += 1;
            }
        }
    }
    assert!(compared > 0 || sets.is_empty());
    no_differences(compared, &differences);
}
