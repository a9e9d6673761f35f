//! Hard recovery of online backup sets against the engine's own restores (`log-5 §16`, `ops-3 §3, §4`).

mod common;

use anchorlog_database::canonical::Tables;
use anchorlog_replay::run::Ending;
use anchorlog_testkit::data::{engine_set, engine_sets};
use anchorlog_testkit::differ::page_differences;
use anchorlog_testkit::dump_text::engine_dumps;
use anchorlog_testkit::header_text::{header_lines, header_texts, lines_of_the_header};
use common::backup::{Work, header_of, stage};
use common::compare::{behind_the_name, dumped, first_difference};
use std::fs;
use std::path::{Path, PathBuf};

fn file_of(folder: &Path, kind: &str, name: &str, extension: &str) -> PathBuf {
    folder.join(format!("{kind}-{}.{extension}", name.replace('+', "_")))
}

/// Lines of a header that the clock, chance or the number of replays make differ (`log-8 §3`).
fn comparable(lines: Vec<String>) -> Vec<String> {
    let vary = ["Checksum", "Expected Checksum", "Actual Checksum", "Extend Date", "Shrink Date"];
    let signed = ["Database Header Flush Signature", "Flush Map Header Flush Signature"];
    let mut lines = lines;
    lines.retain(|line| !vary.iter().chain(&signed).any(|start| line.starts_with(start)));
    for line in &mut lines {
        if ["Last Consistent", "Last Detach", "Last Attach"].iter().any(|start| line.starts_with(start)) {
            *line = line.split(')').next().unwrap().to_owned();
        }
    }
    lines
}

fn compare_headers(work: &Work, engine: &Path, label: &str, problems: &mut Vec<String>) {
    for text in header_texts(&fs::read_to_string(engine).unwrap()) {
        let ours = comparable(header_lines(&header_of(&work.path("db").join(&text.file)).header));
        let theirs = comparable(lines_of_the_header(&text));
        for (ours, theirs) in ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs) {
            problems.push(format!("{label} {}: {ours} against {theirs}", text.file));
        }
        if ours.len() != theirs.len() {
            problems.push(format!("{label} {}: {} lines against {}", text.file, ours.len(), theirs.len()));
        }
    }
}

fn compare_dumps(work: &Work, engine: &Path, label: &str, problems: &mut Vec<String>) {
    for (name, theirs) in engine_dumps(engine) {
        let ours = dumped(&work.path("db").join(&name), Tables::Users);
        let found = first_difference(&ours, &behind_the_name(&theirs));
        problems.extend(found.map(|found| format!("{label} {name}: {found}")));
    }
}

/// A refused restore leaves the databases of the set as they are.
fn compare_files(work: &Work, set: &Path, label: &str, problems: &mut Vec<String>) {
    for entry in fs::read_dir(work.path("db")).unwrap().flatten() {
        if fs::read(entry.path()).unwrap() != fs::read(set.join(entry.file_name())).unwrap() {
            problems.push(format!("{label}: {} was changed", entry.path().display()));
        }
    }
}

/// Every page as the engine left it.
fn compare_pages(work: &Work, engine: &Path, label: &str, problems: &mut Vec<String>) {
    for entry in fs::read_dir(engine).unwrap().flatten() {
        let (ours, theirs) = (fs::read(work.path("db").join(entry.file_name())).unwrap(), fs::read(entry.path()).unwrap());
        if ours.len() != theirs.len() {
            problems.push(format!("{label}: {} bytes against {}", ours.len(), theirs.len()));
        }
        let found = page_differences(&ours, &theirs);
        problems.extend(found.into_iter().map(|(page, difference)| format!("{label} page {page}: {difference}")));
    }
}

#[test]
fn every_restore_of_a_folder_backup_comes_out_as_the_engine_made_it() {
    let mut problems = Vec::new();
    let sets = engine_sets().into_iter().filter(|set| set.name.starts_with("backup-legacy-"));
    for set in sets {
        let folder = set.folder();
        let backup =
            ["backup", "backup/old"].map(|name| folder.join(name)).into_iter().find(|path| path.join("db1.edb").is_file());
        let backup = backup.unwrap();
        for restore in set.meta()["restores"].as_array().unwrap() {
            let name = restore["name"].as_str().unwrap();
            let label = format!("{} {name}", set.name);
            let mut work = Work::new(std::slice::from_ref(&backup));
            if name == "backup+production-logs" {
                let logs = fs::read_dir(folder.join("production/log")).unwrap().flatten();
                let names: Vec<String> = logs.map(|entry| entry.file_name().into_string().unwrap()).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.contains("tmp")).collect();
                work = work.with_production(&folder.join("production/log"), &names);
            }
            let result = work.run();
            if result.is_err() || restore["error"] != 0 {
                problems.push(format!("{label}: {}", common::told(&result)));
                continue;
            }
            compare_headers(&work, &file_of(&folder, "mh", name, "txt"), &label, &mut problems);
            compare_dumps(&work, &file_of(&folder, "dump", name, "jsonl"), &label, &mut problems);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_stage_of_every_streamed_set_is_restored_as_the_engine_restored_it() {
    let (mut stages, mut problems) = (0, Vec::new());
    for set in engine_sets().into_iter().filter(|set| set.name.starts_with("backup-stream-")) {
        let meta = set.meta();
        for restore in meta["restores"].as_array().unwrap() {
            let name = restore["name"].as_str().unwrap();
            let label = format!("{} {name}", set.name);
            let work = stage(&set, restore);
            let result = work.run();
            let code = result.as_ref().err().map_or(0, |failure| failure.error.jet.0);
            if i64::from(code) != restore["error"].as_i64().unwrap() {
                problems.push(format!("{label}: {}", common::told(&result)));
                continue;
            }
            stages += 1;
            let folder = set.folder();
            if code != 0 {
                compare_files(&work, &folder.join("full"), &label, &mut problems);
                continue;
            }
            assert_eq!(result.unwrap().ending, Ending::Recovered);
            compare_headers(&work, &file_of(&folder, "mh", name, "txt"), &label, &mut problems);
            compare_dumps(&work, &file_of(&folder, "dump", name, "jsonl"), &label, &mut problems);
            if name == "full" {
                compare_pages(&work, &folder.join("after-full"), &label, &mut problems);
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let of_set = |name, stages| if engine_set(name).is_some() { stages } else { 0 };
    assert_eq!(stages, of_set("backup-stream-4k", 7) + of_set("backup-stream-32k-2db", 6));
}
