//! `verify` and `dump` through the operations: whole folders, logs, flush maps.

use anchorlog_format::finding::{Finding, Severity};
use anchorlog_operations::dump::{Tables, dump};
use anchorlog_operations::verify::{verify_file, verify_folder};
use anchorlog_storage::DiskFolder;
use anchorlog_testkit::data;
use std::fs;
use std::path::Path;

fn findings_of(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    verify_folder(&DiskFolder::read_only(root), &root.display().to_string(), &mut |finding| findings.push(finding)).unwrap();
    findings
}

fn errors_of(root: &Path) -> Vec<String> {
    let errors = findings_of(root).into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.to_string()).collect()
}

fn copy_of(set: &str, below: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let source = data::engine_set(set).expect("the set is in every checkout").folder().join(below);
    data::copy_folder(&source, copy.path()).unwrap();
    copy
}

#[test]
fn what_the_engine_made_and_closed_has_no_error() {
    for set in data::engine_sets() {
        let after = set.folder().join("clean");
        if after.is_dir() {
            assert_eq!(errors_of(&after), Vec::<String>::new(), "{}", set.name);
        }
    }
}

#[test]
fn a_crashed_folder_is_whole_when_nothing_is_missing_and_says_so_when_a_log_is() {
    let copy = copy_of("lost-4k-1db", "base");
    assert_eq!(errors_of(copy.path()), Vec::<String>::new());
    fs::remove_file(copy.path().join("log/edb00005.log")).unwrap();
    let errors = errors_of(copy.path());
    assert!(errors.iter().any(|error| error.contains("-543") && error.contains("0x5")), "{errors:?}");
}

#[test]
fn a_damaged_segment_of_a_log_is_found_and_what_lies_before_it_still_read() {
    let copy = copy_of("lost-4k-1db", "base/log");
    let path = copy.path().join("edb00003.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[30_000] ^= 0xFF;
    fs::write(&path, bytes).unwrap();
    let mut findings = Vec::new();
    let folder = DiskFolder::read_only(copy.path());
    let result = verify_file(&folder, Path::new("edb00003.log"), "edb00003.log", &mut |finding| findings.push(finding)).unwrap();
    assert!(result.records > 10, "{}", result.records);
    assert!(findings.iter().any(|finding| finding.jet.is_some_and(|jet| jet.0 == -501)), "{findings:?}");
}

#[test]
fn a_write_that_was_lost_is_told_by_the_flush_map() {
    let copy = copy_of("clean-4k", "clean");
    let path = copy.path().join("db1.edb");
    let mut bytes = fs::read(&path).unwrap();
    // Page 5, as if it had never been written.
    bytes[6 * 4096..7 * 4096].fill(0);
    fs::write(&path, bytes).unwrap();
    let lost: Vec<_> =
        findings_of(copy.path()).into_iter().filter(|finding| finding.jet.is_some_and(|jet| jet.0 == -1119)).collect();
    assert_eq!(lost.iter().filter_map(|finding| finding.place.page).map(|page| page.0).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_dump_is_the_engines_and_names_the_file() {
    let set = data::engine_set("clean-4k").expect("the set is in every checkout");
    let folder = DiskFolder::read_only(set.folder().join("clean"));
    let mut out = Vec::new();
    let dumped = dump(&folder, Path::new("db1.edb"), "db1.edb", Tables::Users, &mut out).unwrap();
    assert!(!dumped.dirty && dumped.summary.errors.is_empty());
    assert_eq!(String::from_utf8(out).unwrap(), fs::read_to_string(set.folder().join("dump.jsonl")).unwrap());
}

/// The warnings that Microsoft's integrity check and repair wrote of a file: values that nothing refers to, and pages behind the end.
fn warnings_of(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.split_once("WARNING: ")).map(|(_, warning)| warning);
    let mut found: Vec<String> = lines
        .filter_map(|line| {
            let orphan = line.strip_prefix("orphaned LV (lid ").and_then(|rest| rest.split(',').next());
            let surplus = line.strip_prefix("Database file is too big (expected ").map(|rest| {
                let numbers: Vec<&str> = rest.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).collect();
                numbers.join(" of ")
            });
            orphan.map(str::to_owned).or(surplus)
        })
        .collect();
    found.sort();
    found
}

/// The same of ours.
fn ours_of(findings: &[Finding]) -> Vec<String> {
    let mut found: Vec<String> = findings
        .iter()
        .filter_map(|finding| {
            let orphan = finding.message.strip_prefix("nothing refers to long value ").and_then(|rest| rest.split(' ').next());
            let surplus = finding.message.strip_prefix("the file has ").map(|rest| {
                let numbers: Vec<&str> = rest.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).collect();
                format!("{} of {}", numbers[1], numbers[0])
            });
            orphan.map(str::to_owned).or(surplus)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn orphans_and_surplus_pages_are_those_that_microsofts_integrity_check_tells_of() {
    let mut compared = 0;
    for set in data::real_sets().iter().filter(|set| set.name == "oracle") {
        let owner = set.archive.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
        let real = data::real_sets().into_iter().find(|set| set.name == owner).expect("an oracle lies with its set").folder();
        let oracle = set.folder();
        let folder = DiskFolder::read_only(&real);
        for entry in anchorlog_storage::Folder::list(&folder).unwrap() {
            for kind in ["db", "repair"] {
                // A format that the tool did not know it read once the header named an older one.
                let places = [oracle.join(kind).join("lowered"), oracle.join(kind)];
                let raw = places.iter().find_map(|place| fs::read(place.join(&entry.path).join("integ.raw.txt")).ok());
                let Some(raw) = raw else { continue };
                let raw = String::from_utf8_lossy(&raw).into_owned();
                let mut findings = Vec::new();
                verify_file(&folder, &entry.path, "", &mut |finding| findings.push(finding)).unwrap();
                assert_eq!(ours_of(&findings), warnings_of(&raw), "{owner} {}", entry.path.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 10 || data::real_sets().is_empty(), "{compared}");
}
