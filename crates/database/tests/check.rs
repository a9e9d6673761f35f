//! The check against data: no clean database has an error, and every damage is found.

use anchorlog_database::Database;
use anchorlog_database::check::{Counts, Depth, Options, Watch, check, check_with};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{EngineSet, engine_sets, real_sets};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Memory of the page cache in these tests.
const MEMORY: usize = 4 << 20;

fn open(path: &Path) -> Result<Database, anchorlog_database::Error> {
    let folder = DiskFolder::read_only(path.parent().expect("a database lies in a folder"));
    let name = path.file_name().expect("a database has a name");
    let file = folder.open(Path::new(name)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Database::open(name.to_string_lossy(), file, MEMORY)
}

fn check_file(path: &Path) -> (Counts, Vec<Finding>) {
    let database = open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut findings = Vec::new();
    let counts = check(&database, &mut |finding| findings.push(finding));
    (counts, findings)
}

/// Keeps what it is told.
#[derive(Default)]
struct Kept(Vec<Finding>);

impl Watch for Kept {
    fn finding(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

fn check_at(path: &Path, depth: Depth, threads: usize) -> (Counts, Vec<Finding>) {
    let database = open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut kept = Kept::default();
    let counts = check_with(&database, &Options { depth, threads: NonZero::new(threads), ..Options::default() }, &mut kept);
    (counts, kept.0)
}

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

fn pages(findings: &[Finding]) -> BTreeSet<u32> {
    findings.iter().filter_map(|finding| finding.place.page).map(|page| page.0).collect()
}

/// Every file below a folder that opens as a database.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let files = DiskFolder::read_only(folder).list().unwrap_or_default();
    let database = |name: &Path| open(&folder.join(name)).is_ok();
    files.into_iter().filter(|entry| database(&entry.path)).map(|entry| folder.join(entry.path)).collect()
}

fn is_clean(path: &Path) -> bool {
    open(path).is_ok_and(|database| database.header().header.state == DatabaseState::CleanShutdown)
}

/// The clean databases of an engine-made set: what recovery left, or what was clean before.
fn clean_databases(set: &EngineSet) -> Vec<PathBuf> {
    let folder = set.folder();
    let places = ["after/db", "before/db", "clean", "compacted", "after-full"];
    places.iter().flat_map(|place| databases(&folder.join(place))).filter(|path| is_clean(path)).collect()
}

fn real_databases() -> Vec<(String, PathBuf)> {
    let sets = real_sets();
    let named = sets.iter().filter(|set| set.name != "oracle");
    named.flat_map(|set| databases(&set.folder()).into_iter().map(|path| (set.name.clone(), path))).collect()
}

#[test]
fn no_clean_database_of_the_engine_made_sets_has_an_error() {
    let (mut all, mut wrong) = (Counts::default(), Vec::new());
    for set in engine_sets() {
        for path in clean_databases(&set) {
            let (counts, findings) = check_file(&path);
            wrong.extend(errors(&findings).into_iter().map(|finding| format!("{}: {finding}", set.name)));
            all.tree_pages += counts.tree_pages;
            all.rows += counts.rows;
            all.long_values += counts.long_values;
            all.indexes_proved += counts.indexes_proved;
            all.indexes_proved_by_bookmark += counts.indexes_proved_by_bookmark;
            all.indexes_not_proved += counts.indexes_not_proved;
            for finding in findings.iter().filter(|finding| finding.severity == Severity::Warning) {
                println!("{} {finding}", set.name);
            }
        }
    }
    println!("{all:?}");
    assert!(all.rows > 0 && all.long_values > 0 && all.indexes_proved > all.indexes_not_proved);
    assert!(wrong.is_empty(), "{} errors:\n{}", wrong.len(), wrong.join("\n"));
}

/// Trap db-3 D34: before redo trees may break their rules; damage is only what redo cannot mend.
#[test]
fn d34_a_dirty_database_of_the_engine_made_sets_has_warnings_but_no_error() {
    let (mut checked, mut with_findings, mut wrong) = (0, 0, Vec::new());
    for set in engine_sets() {
        for place in ["before/db", "after-redo/db", "base/db"] {
            for path in databases(&set.folder().join(place)).into_iter().filter(|path| !is_clean(path)) {
                let (counts, findings) = check_file(&path);
                checked += 1;
                with_findings += u32::from(counts.warnings > 0);
                wrong.extend(errors(&findings).into_iter().map(|finding| format!("{} {place}: {finding}", set.name)));
            }
        }
    }
    println!("{checked} dirty databases, {with_findings} with warnings");
    assert!(checked > 0 && with_findings > 0);
    assert!(wrong.is_empty(), "{} errors:\n{}", wrong.len(), wrong.join("\n"));
}

/// What Microsoft's integrity check finds wrong as well (ORACLE.md, surprise 12): the file was copied while it changed.
const INCONSISTENT: &[(&str, &str)] = &[
    ("filehistory-w81", "backupset, index timestampIndex"),
    ("filehistory-w81", "global"),
    ("filehistory-w81", "global, index keyIndex"),
];

#[test]
fn clean_databases_of_real_machines_have_no_error_but_those_that_the_engine_finds() {
    let (mut wrong, mut known) = (Vec::new(), BTreeSet::new());
    for (set, path) in real_databases().into_iter().filter(|(_, path)| is_clean(path)) {
        let (counts, findings) = check_file(&path);
        println!("{set} {}: {counts:?}", path.display());
        for finding in errors(&findings) {
            let object = finding.place.object.clone().unwrap_or_default();
            if INCONSISTENT.contains(&(&set, &object)) {
                known.insert(object);
            } else {
                wrong.push(format!("{set}: {finding}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} errors:\n{}", wrong.len(), wrong.join("\n"));
    assert!(real_sets().is_empty() || known.len() == INCONSISTENT.len(), "the inconsistent file is found: {known:?}");
}

/// Does a step of a damage description to a copy; returns the pages that it touches.
fn damage(bytes: &mut Vec<u8>, page_size: usize, step: &Value) -> Vec<u32> {
    let number = |at: usize| usize::try_from(step[at].as_u64().expect("a number")).expect("a small number");
    let page = |at: usize| u32::try_from(at / page_size).expect("a small file").saturating_sub(1);
    match step[0].as_str().expect("a kind of step") {
        "xor" => {
            bytes[number(1)] ^= u8::try_from(number(2)).expect("a byte");
            vec![page(number(1))]
        }
        "zero" => {
            bytes[number(1)..number(1) + number(2)].fill(0);
            vec![page(number(1))]
        }
        "copy" => {
            let source = bytes[number(2)..number(2) + number(3)].to_vec();
            bytes[number(1)..number(1) + number(3)].copy_from_slice(&source);
            vec![page(number(1))]
        }
        "trunc" => {
            bytes.truncate(number(1));
            vec![]
        }
        other => panic!("unknown step {other}"),
    }
}

#[test]
fn every_damaged_copy_is_found_damaged_at_the_right_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut damaged = 0;
    for set in engine_sets().iter().filter(|set| set.name.starts_with("clean-")) {
        let meta = set.meta();
        let page_size = usize::try_from(meta["page_size"].as_u64().expect("a page size")).expect("a small number");
        let source = databases(&set.folder().join("clean")).pop().expect("a clean set has a database");
        for case in meta["damage"].as_array().expect("damage cases") {
            let label = format!("{} {}", set.name, case["id"]);
            let mut bytes = fs::read(&source).expect("the database can be read");
            let steps = case["file_steps"].as_array().expect("steps");
            let touched: BTreeSet<u32> = steps.iter().flat_map(|step| damage(&mut bytes, page_size, step)).collect();
            let path = folder.path().join("damaged.edb");
            fs::write(&path, &bytes).expect("a copy can be written");
            damaged += 1;
            if case["id"] == "hdr2" {
                assert!(open(&path).is_err(), "{label}: without any header nothing opens");
                continue;
            }
            let (counts, findings) = check_file(&path);
            println!("{label}: {counts:?}");
            for finding in &findings {
                println!("  {finding}");
            }
            assert!(!findings.is_empty(), "{label}");
            assert!(findings.iter().all(|finding| finding.rule.is_some()), "{label}: every finding has its number");
            // The verdict is that of Microsoft's integrity check.
            assert_eq!(errors(&findings).is_empty(), case["exit"]["/g"] == 0, "{label}");
            assert_eq!(counts.correctable, u64::from(label.contains("bit1")), "{label}");
            let headers = case["id"].as_str().is_some_and(|id| id.starts_with("hdr"));
            assert!(headers || touched.iter().all(|page| pages(&findings).contains(page)), "{label}: page {touched:?}");
            // That of the fast pass, and its figures, are those of the checksum check.
            let (counts, findings) = check_at(&path, Depth::Checksums, 2);
            assert_eq!(errors(&findings).is_empty(), case["exit"]["/k"] == 0, "{label}: {findings:?}");
            let id = case["id"].as_str().expect("a name");
            let text = fs::read_to_string(set.folder().join(format!("damage-{id}.txt"))).expect("the tools' output");
            assert_eq!(Some(figures_of(&counts)), figures(&text), "{label}");
        }
    }
    assert!(damaged > 0);
}

/// Trap db-1 D7: the surplus behind the last owned page is no part of the database; traps db-1 D25, D26: torn pages are not empty ones.
#[test]
fn d25_d26_exactly_the_torn_and_foreign_pages_of_the_damaged_web_cache_are_named() {
    let Some((_, path)) = real_databases().into_iter().find(|(set, _)| set == "webcache-damaged") else { return };
    let (counts, findings) = check_file(&path);
    let torn = [74, 266, 298, 362, 394, 170, 202, 426];
    let expected: BTreeSet<u32> = torn.into_iter().chain(483..=510).collect();
    let damaged = |finding: &&Finding| finding.jet == Some(JetCode::READ_VERIFY_FAILURE);
    let found: Vec<Finding> = findings.iter().filter(damaged).cloned().collect();
    assert_eq!(pages(&found), expected);
    assert_eq!(counts.bad_checksums, 36);
    let behind: Vec<Finding> = found.into_iter().filter(|finding| finding.severity == Severity::Note).collect();
    assert_eq!(pages(&behind), (495..=510).collect());
}

/// Traps db-1 D28, S14.
#[test]
fn d28_a_temporary_database_is_recognised_and_not_called_corrupt() {
    let Some((_, path)) = real_databases().into_iter().find(|(set, _)| set == "temp-database") else { return };
    let (_, findings) = check_file(&path);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("temporary"), "{}", findings[0]);
}

/// The same figures of ours.
fn figures_of(counts: &Counts) -> [u64; 5] {
    [counts.pages + 2, counts.bad_checksums, counts.correctable, counts.uninitialised, counts.wrong_numbers]
}

/// The figures of `eseutil /k`: pages seen with both headers, bad, correctable, uninitialised, wrong numbers.
fn figures(text: &str) -> Option<[u64; 5]> {
    let figure = |label: &str| {
        let line = text.lines().find(|line| line.trim_end().ends_with(label))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let labels = ["pages seen", "bad checksums", "correctable checksums", "uninitialized pages", "wrong page numbers"];
    let [seen, bad, correctable, uninitialised, wrong] = labels.map(figure);
    Some([seen?, bad?, correctable?, uninitialised?, wrong?])
}

#[test]
fn checksum_figures_are_those_of_microsofts_tool() {
    let mut compared = 0;
    for set in engine_sets().iter().filter(|set| set.name.starts_with("clean-")) {
        let text = fs::read_to_string(set.folder().join("checksum.txt")).expect("a clean set has its checksum text");
        let path = databases(&set.folder().join("clean")).pop().expect("a clean set has a database");
        for depth in [Depth::Checksums, Depth::Full] {
            let (counts, _) = check_at(&path, depth, 2);
            assert_eq!(Some(figures_of(&counts)), figures(&text), "{}", set.name);
            let highest = format!("{:#x} highest dbtime (pgno {:#x})", counts.highest_dbtime.0, counts.highest_dbtime_page.0);
            assert!(text.contains(&highest), "{}: {highest}", set.name);
        }
        compared += 1;
    }
    assert!(compared > 0);
    for set in real_sets().iter().filter(|set| set.name != "oracle") {
        let json = fs::read_to_string(set.archive.with_file_name("oracle.json")).expect("a real set has an oracle");
        let oracle: Value = serde_json::from_str(&json).expect("an oracle is JSON");
        for case in oracle["cases"].as_array().expect("an oracle has cases") {
            let Some(name) = case["case"].as_str().and_then(|name| name.strip_prefix("database ")) else { continue };
            let (figures, path) = (&case["checksum"], set.folder().join(name));
            if figures.is_null() || !path.is_file() || set.name == "temp-database" {
                continue;
            }
            let theirs = ["seen", "bad", "correctable", "uninitialized", "wrong_number"].map(|key| figures[key].as_u64());
            let (counts, _) = check_at(&path, Depth::Checksums, 2);
            assert_eq!(figures_of(&counts).map(Some), theirs, "{} {name}", set.name);
        }
    }
}

/// Whatever the threads do: the same findings in the same order, and the same counts.
#[test]
fn findings_come_in_the_same_order_with_one_thread_and_with_many() {
    let sets = engine_sets();
    let dirty = sets.iter().flat_map(|set| databases(&set.folder().join("before/db")));
    let real = real_databases().into_iter().map(|(_, path)| path);
    let mut compared = 0;
    for path in dirty.chain(real) {
        for depth in [Depth::Full, Depth::Quick, Depth::Checksums] {
            let alone = check_at(&path, depth, 1);
            assert_eq!(alone, check_at(&path, depth, 5), "{} {depth:?}", path.display());
            compared += alone.1.len();
        }
    }
    println!("{compared} findings compared");
    assert!(compared > 0);
}

/// A quick check is one of space and inner pages: on a clean database it finds nothing that is an error.
#[test]
fn a_quick_check_of_a_clean_database_finds_no_error_and_reads_a_part_of_it() {
    for set in engine_sets().iter().filter(|set| set.name.starts_with("clean-")) {
        for path in clean_databases(set) {
            let (quick, findings) = check_at(&path, Depth::Quick, 2);
            let (full, _) = check_at(&path, Depth::Full, 2);
            assert!(errors(&findings).is_empty(), "{findings:?}");
            assert!(quick.tree_pages * 2 < full.tree_pages && quick.trees == full.trees, "{quick:?}");
        }
    }
}
