//! `verify` and `dump` through the operations: whole folders, logs, flush maps.

use anchorlog_format::finding::{Finding, Severity};
use anchorlog_operations::dump::{Tables, dump};
use anchorlog_operations::verify::{verify_file, verify_folder};
use anchorlog_storage::DiskFolder;
use anchorlog_testkit::data::{self, copy_of};
use std::fs;
use std::path::{Path, PathBuf};

fn findings_of(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    verify_folder(&DiskFolder::read_only(root), &root.display().to_string(), &mut |finding| findings.push(finding)).unwrap();
    findings
}

fn errors_of(root: &Path) -> Vec<String> {
    let errors = findings_of(root).into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.to_string()).collect()
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

/// What Microsoft's integrity check or repair wrote of a file, word for word; of clean files only where it found errors.
struct Told {
    set: String,
    file: PathBuf,
    /// The summary: a verdict, or why there is none.
    summary: String,
    /// Every line; none where they were not kept.
    lines: Option<String>,
}

/// What was told of every database of real machines, by `db` (integrity check) or `repair`.
fn told(kind: &str) -> Vec<Told> {
    let mut all = Vec::new();
    for (set, oracle) in data::oracles() {
        for file in data::files_below(&set) {
            let name = file.strip_prefix(&set).unwrap().to_path_buf();
            // A format that the tool did not know it read once the header named an older one.
            let places = [oracle.join(kind).join("lowered").join(&name), oracle.join(kind).join(&name)];
            let Some(place) = places.iter().find(|place| place.is_dir()) else { continue };
            let read = |name: &str| fs::read(place.join(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let summary = read("integrity.txt").or_else(|| read("repair.txt")).unwrap_or_default();
            let set = set.file_name().unwrap().to_string_lossy().into_owned();
            all.push(Told { set, file, summary, lines: read("integ.raw.txt") });
        }
    }
    all
}

impl Told {
    fn findings(&self) -> Vec<Finding> {
        let folder = DiskFolder::read_only(self.file.parent().unwrap());
        let mut findings = Vec::new();
        let name = Path::new(self.file.file_name().unwrap());
        verify_file(&folder, name, "", &mut |finding| findings.push(finding)).unwrap();
        findings
    }
    /// Its warnings, by what they are about: values that nothing refers to, values that count too many references, pages behind the end.
    fn warnings(&self) -> Vec<String> {
        let lines = self.lines.as_deref().unwrap_or("").lines();
        let mut found: Vec<String> = lines.filter_map(|line| Some(warning(line.split_once("WARNING: ")?.1))).collect();
        found.retain(|warning| !warning.is_empty());
        found.sort();
        found
    }
    /// Whether it found damage; `None` where it gave no verdict. Keys of text it computes anew with the sort tables of the system that it
    /// runs on: that those are not Windows' is no damage (ORACLE.md, surprise 13).
    fn damaged(&self) -> Option<bool> {
        if self.summary.contains("Integrity check successful") {
            return Some(false);
        }
        if !self.summary.contains("CORRUPTED") {
            return self.summary.contains("-1206").then_some(true);
        }
        // Said of one entry in several lines, which those of other threads may part; and what follows from it.
        let of_text = [
            "(localized text)",
            "key in database",
            "calculated key",
            "data in database",
            "calculated data",
            ") inconsistent",
            "inconsistent keys",
            "constructed primary key differs",
            "leaf node check failed",
            "subtree check",
            "finishes with error -1206",
        ];
        let errors = self.lines.as_deref().unwrap_or("").lines().filter(|line| line.contains("ERROR:"));
        Some(errors.filter(|line| !line.contains("search for")).any(|line| !of_text.iter().any(|part| line.contains(part))))
    }
}

/// A warning of the tool's in few words; empty for how to find them.
fn warning(line: &str) -> String {
    let lid = |text: &str| text.split(',').next().unwrap_or_default().to_owned();
    if let Some(rest) = line.strip_prefix("orphaned LV (lid ").or_else(|| line.strip_prefix("LV refcount too high (lid ")) {
        return lid(rest);
    }
    match line.strip_prefix("Database file is too big (expected ") {
        Some(rest) => numbers(rest).join(" of "),
        // How to find warnings, and what the tool would not do are none of the file.
        None if line.starts_with("' to find") || line.starts_with("Repair is not allowed") => String::new(),
        None => line.to_owned(),
    }
}

fn numbers(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).collect()
}

/// Our warnings in the same words.
fn warnings_of(findings: &[Finding]) -> Vec<String> {
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning);
    let mut found: Vec<String> = warnings
        .map(|finding| {
            let value = finding.message.strip_prefix("nothing refers to long value ").and_then(|rest| rest.split(' ').next());
            let counts = finding.message.contains("which counts").then(|| finding.message.split("long value ").nth(1)).flatten();
            let value = value.or_else(|| counts.and_then(|rest| rest.split(',').next()));
            match (value, finding.message.strip_prefix("the file has ")) {
                (Some(value), _) => value.to_owned(),
                (None, Some(rest)) => format!("{} of {}", numbers(rest)[1], numbers(rest)[0]),
                _ => finding.message.clone(),
            }
        })
        .collect();
    found.sort();
    found
}

/// Whether Microsoft's tools have such a warning: of a long value, or of surplus pages.
fn is_theirs(warning: &str) -> bool {
    warning.starts_with("0x") || warning.split(" of ").all(|number| number.parse::<u64>().is_ok())
}

#[test]
fn the_verdict_on_every_database_of_real_machines_is_that_of_microsofts_integrity_check() {
    let mut judged = 0;
    for told in told("db") {
        let Some(damaged) = told.damaged() else { continue };
        let findings = told.findings();
        let errors: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert_eq!(!errors.is_empty(), damaged, "{} {}: {errors:?}", told.set, told.file.display());
        judged += 1;
        if damaged {
            continue;
        }
        // What it warned of is known where it wrote everything down; elsewhere ours can only be of its kinds.
        let ours = warnings_of(&findings);
        if told.lines.is_some() {
            assert_eq!(ours, told.warnings(), "{} {}", told.set, told.file.display());
        } else {
            assert_eq!(ours.iter().find(|warning| !is_theirs(warning)), None, "{} {}", told.set, told.file.display());
        }
    }
    assert!(judged > 40 || data::real_sets().is_empty(), "{judged}");
}

#[test]
fn orphans_and_surplus_pages_are_those_that_microsofts_tools_warn_of() {
    let mut compared = 0;
    for told in told("db").into_iter().chain(told("repair")).filter(|told| told.lines.is_some()) {
        // A dirty database has more, which recovery mends.
        let mut ours = warnings_of(&told.findings());
        ours.retain(|warning| is_theirs(warning));
        assert_eq!(ours, told.warnings(), "{} {}", told.set, told.file.display());
        compared += 1;
    }
    assert!(compared > 10 || data::real_sets().is_empty(), "{compared}");
}

/// A machine of its own time checked this file, which has lost pages, too: of those nothing is said.
#[test]
fn what_windows_own_tool_wrote_of_a_clean_database_is_what_we_warn_of() {
    let mut compared = 0;
    for (set, _) in data::oracles() {
        for raw in data::files_below(&set).into_iter().filter(|file| file.extension().is_some_and(|end| end == "RAW")) {
            let bytes: Vec<u8> = fs::read(&raw).unwrap().into_iter().filter(|&byte| byte != 0).collect();
            let lines = String::from_utf8_lossy(&bytes).into_owned();
            // SRUDB.INTEG.RAW lies beside SRUDB.dat. What a repair wrote is about the file before it.
            let file = raw.with_extension("").with_extension("dat");
            if !lines.contains("Integrity check successful") || !file.is_file() {
                continue;
            }
            let name = file.display().to_string();
            let told = Told { set: name.clone(), file, summary: String::new(), lines: Some(lines) };
            let findings = told.findings();
            assert!(findings.iter().all(|finding| finding.severity < Severity::Error), "{name}");
            assert!(findings.iter().any(|finding| finding.rule == Some("I48")), "{name}");
            assert_eq!(warnings_of(&findings), told.warnings(), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 0 || data::real_sets().is_empty());
}

/// Engine-made databases that were shut down well: the integrity check, where it was run, said nothing; the others are what recovery left.
#[test]
fn clean_databases_of_the_engine_have_no_warnings_but_those_of_microsofts_tools() {
    let mut clean = 0;
    for set in data::engine_sets() {
        for place in ["after/db", "before/db", "clean", "compacted", "after-full"] {
            let folder = set.folder().join(place);
            if !folder.is_dir() {
                continue;
            }
            for file in data::files_below(&folder).into_iter().filter(|file| file.extension().is_some_and(|end| end == "edb")) {
                let name = file.display().to_string();
                let told = Told { set: set.name.clone(), file, summary: String::new(), lines: None };
                let findings = told.findings();
                if findings.iter().any(|finding| finding.message.contains("is dirty")) {
                    continue;
                }
                clean += 1;
                let errors = findings.iter().find(|finding| finding.severity == Severity::Error);
                assert_eq!(errors, None, "{name}");
                assert_eq!(warnings_of(&findings).into_iter().find(|warning| !is_theirs(warning)), None, "{name}");
            }
        }
    }
    assert!(clean > 50, "{clean}");
}
