//! The program as people and scripts see it: what it prints, and its exit codes.

mod common;

use anchorlog_testkit::data;
use common::{anchorlog, code, contents, copy_of};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

#[test]
fn explain_says_what_a_code_means_and_what_to_do() {
    let here = tempfile::tempdir().unwrap();
    for form in ["-1216", "0xFFFFFB40", "4294966080", "JET_errAttachedDatabaseMismatch"] {
        let output = anchorlog(&["explain", form], here.path());
        assert_eq!(code(&output), 0);
        assert!(text(&output).contains("JET_errAttachedDatabaseMismatch") && text(&output).contains("next"), "{form}");
    }
    assert_eq!(json(&anchorlog(&["explain", "--json", "-543"], here.path()))["symbol"], "JET_errRequiredLogFilesMissing");
    assert_eq!(text(&anchorlog(&["explain", "[I24]"], here.path())), "I24  entries of a leaf ascend\n");
    assert_eq!(code(&anchorlog(&["explain", "nonsense"], here.path())), 2);
    assert_eq!(code(&anchorlog(&["explain", "-99999"], here.path())), 1);
}

#[test]
fn inspect_shows_a_folder_and_says_what_to_do() {
    let work = copy_of("lost-4k-1db", "base");
    let output = anchorlog(&["inspect", "work"], work.path());
    assert_eq!(code(&output), 0, "{}", errors(&output));
    let shown = text(&output);
    for part in [
        "Dirty Shutdown",
        "required logs  0x1 to 0xb",
        "=> Dirty, and every log",
        "anchorlog recover work --out NEW",
        "anchor log",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let value = json(&anchorlog(&["inspect", "work", "--json"], work.path()));
    assert_eq!(value["databases"][0]["needs"]["required"]["last"], 11);
}

#[test]
fn inspect_shows_files_pages_records_and_layouts() {
    let work = copy_of("micro-insert", "before");
    let header = anchorlog(&["inspect", "work/db/db1.edb"], work.path());
    assert!(text(&header).contains("le_dbtimeDirtied"), "{}", text(&header));
    let page = anchorlog(&["inspect", "work/db/db1.edb", "--page", "4"], work.path());
    assert!(text(&page).contains("line 0") && text(&page).contains("checksum: right"));
    let records = anchorlog(&["inspect", "work/log/edb.log", "--records"], work.path());
    assert!(text(&records).lines().filter(|line| line.contains(" insert (")).count() > 5);
    let lines = anchorlog(&["inspect", "work/log/edb.log", "--records", "--json"], work.path());
    assert!(text(&lines).lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let layout = anchorlog(&["inspect", "--layout", "DBFILEHDR"], work.path());
    assert!(text(&layout).contains("le_lGenMaxCommitted"));
    assert_eq!(code(&anchorlog(&["inspect", "--layout", "nothing"], work.path())), 2);
    fs::write(work.path().join("text"), "no ESE file").unwrap();
    assert!(text(&anchorlog(&["inspect", "text"], work.path())).contains("unknown"));
}

#[test]
fn recover_brings_a_crashed_folder_to_a_clean_one_and_leaves_it_alone() {
    let work = copy_of("lost-4k-1db", "base");
    let before = contents(&work.path().join("work"));
    let plan = anchorlog(&["recover", "work", "--dry-run"], work.path());
    assert_eq!(code(&plan), 0, "{}", text(&plan));
    assert!(text(&plan).contains("This can be recovered"));
    let output = anchorlog(&["recover", "work", "--out", "new"], work.path());
    assert_eq!(code(&output), 0, "{}{}", text(&output), errors(&output));
    assert!(text(&output).contains("Dirty Shutdown -> Clean Shutdown"), "{}", text(&output));
    assert_eq!(contents(&work.path().join("work")), before, "the source was touched");
    let dump = anchorlog(&["dump", "new/db/db1.edb"], work.path());
    let engine = data::engine_set("lost-4k-1db").unwrap().folder().join("dump-none.jsonl");
    assert_eq!(text(&dump), fs::read_to_string(engine).unwrap());
    assert_eq!(code(&anchorlog(&["verify", "new"], work.path())), 0);
    // Nothing is ever overwritten.
    for arguments in [&["recover", "work", "--out", "new"][..], &["recover", "work", "--out", "new", "--dry-run"]] {
        let again = anchorlog(arguments, work.path());
        assert_eq!(code(&again), 3);
        let said = text(&again);
        assert!(said.contains("nothing was touched") && said.contains("is not an empty folder"), "{said}");
    }
}

#[test]
fn recover_in_place_sets_the_originals_aside() {
    let work = copy_of("micro-insert", "before");
    let original = fs::read(work.path().join("work/db/db1.edb")).unwrap();
    let output = anchorlog(&["recover", "work", "--in-place", "--json"], work.path());
    assert_eq!(code(&output), 0, "{}{}", text(&output), errors(&output));
    let value = json(&output);
    assert_eq!(value["report"]["databases"][0]["verdict"], "recovered");
    let aside = value["report"]["set_aside"].as_str().unwrap();
    assert_eq!(fs::read(work.path().join(aside).join("db/db1.edb")).unwrap(), original);
    assert!(
        fs::read_dir(work.path().join("work"))
            .unwrap()
            .flatten()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
    );
}

#[test]
fn a_second_recovery_in_place_leaves_what_was_set_aside_alone_and_has_nothing_to_do() {
    let work = copy_of("micro-insert", "before");
    assert_eq!(code(&anchorlog(&["recover", "work", "--in-place", "-q"], work.path())), 0);
    let database = fs::read(work.path().join("work/db/db1.edb")).unwrap();
    let value = json(&anchorlog(&["recover", "work", "--dry-run", "--json"], work.path()));
    assert_eq!(value["plan"]["databases"].as_array().unwrap().len(), 1, "{value}");
    assert_eq!(value["plan"]["databases"][0]["verdict"], "already clean");
    assert_eq!(fs::read(work.path().join("work/db/db1.edb")).unwrap(), database);
}

#[test]
fn recover_stops_at_a_position_and_refuses_one_that_is_too_early() {
    let work = copy_of("rollforward-logsonly", "before");
    let output = anchorlog(&["recover", "work", "--out", "new", "--to", "0x3", "-q"], work.path());
    assert_eq!(code(&output), 0, "{}{}", text(&output), errors(&output));
    assert!(text(&output).contains("up to the stop"), "{}", text(&output));
    // Its checkpoint was shallow: pages hold changes from behind the first log that is left.
    let early = copy_of("mixed-4k-circular", "before");
    let plan = json(&anchorlog(&["recover", "work", "--dry-run", "--json"], early.path()));
    let first = plan["plan"]["generations"][0]["first"].to_string();
    let output = anchorlog(&["recover", "work", "--out", "new", "--to", &first, "-q"], early.path());
    assert_eq!(code(&output), 3, "{}{}", text(&output), errors(&output));
    let said = format!("{}{}", text(&output), errors(&output));
    assert!(said.contains("the earliest position to which it can be brought is"), "{said}");
    assert!(!early.path().join("new").exists());
    let newer = copy_of("lost-4k-1db", "base");
    assert_eq!(code(&anchorlog(&["recover", "work", "--in-place", "-q"], newer.path())), 0);
    let output = anchorlog(&["recover", "work", "--out", "new", "--to", "0x3"], newer.path());
    assert_eq!(code(&output), 3, "{}", text(&output));
    assert!(text(&output).contains("the earliest position to which it can be brought is"), "{}", text(&output));
    assert!(!newer.path().join("new").exists());
}

#[test]
fn a_directory_is_never_recovered_without_the_warning_of_a_rollback() {
    let work = copy_of("micro-insert", "before");
    fs::rename(work.path().join("work/db/db1.edb"), work.path().join("work/db/ntds.dit")).unwrap();
    let output = anchorlog(&["recover", "work", "--out", "new", "-q"], work.path());
    assert_eq!(code(&output), 0, "{}{}", text(&output), errors(&output));
    assert!(text(&output).contains("USN rollback"), "{}", text(&output));
}

#[test]
fn a_refusal_names_what_is_missing_in_text_and_json_and_publishes_nothing() {
    let work = copy_of("lost-4k-1db", "base");
    fs::remove_file(work.path().join("work/log/edb00006.log")).unwrap();
    let output = anchorlog(&["recover", "work", "--out", "new"], work.path());
    assert_eq!(code(&output), 3);
    let shown = text(&output);
    for part in [
        "Refused: nothing was touched",
        "-515 JET_errInvalidLogSequence",
        "this is what Microsoft's engine would return",
        "next:",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!work.path().join("new").exists());
    let value = json(&anchorlog(&["recover", "work", "--out", "new", "--json"], work.path()));
    assert_eq!(
        (&value["plan"]["possible"], &value["plan"]["databases"][0]["verdict"]),
        (&Value::from(false), &Value::from("refused"))
    );
}

#[test]
fn wrong_usage_is_told_apart_from_refusal_and_failure() {
    let work = copy_of("micro-insert", "before");
    for arguments in [
        &["recover", "work"][..],
        &["recover", "work", "--out", "a", "--in-place"],
        &["recover", "work", "--out", "work/inside"],
        &["recover", "work", "--out", "a", "--accept-loss", "x"],
        &["nothing"],
        &["inspect"],
    ] {
        assert_eq!(code(&anchorlog(arguments, work.path())), 2, "{arguments:?}");
    }
    let missing = anchorlog(&["inspect", "not-here"], work.path());
    assert_eq!(code(&missing), 4);
    assert!(errors(&missing).contains("Nothing was touched"));
    assert_eq!(json(&anchorlog(&["--json", "inspect", "not-here"], work.path()))["error"]["jet"], -1811);
}

#[test]
fn verify_finds_damage_and_dump_warns_of_a_dirty_database() {
    let work = copy_of("micro-insert", "before");
    let dirty = anchorlog(&["dump", "work/db/db1.edb"], work.path());
    assert_eq!(code(&dirty), 1);
    assert!(errors(&dirty).contains("Recover it first"));
    let path = work.path().join("work/db/db1.edb");
    let mut bytes = fs::read(&path).unwrap();
    bytes[5 * 4096 + 200..5 * 4096 + 240].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let output = anchorlog(&["verify", "work/db/db1.edb"], work.path());
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains("page 4") && text(&output).contains("-1018"), "{}", text(&output));
    for depth in [&["--checksums"][..], &[]] {
        let arguments = [&["verify", "--json", "work/db/db1.edb", "work/db"], depth].concat();
        let output = text(&anchorlog(&arguments, work.path()));
        let values: Vec<serde_json::Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rules: Vec<&str> = values.iter().filter_map(|value| value["finding"]["rule"].as_str()).collect();
        assert!(rules.contains(&"I4"), "{output}");
        let results: Vec<_> = values.iter().filter(|value| value["result"]["errors"].as_u64() > Some(0)).collect();
        assert_eq!(results.len(), 2, "{output}");
    }
}

#[test]
fn verify_shows_the_space_of_every_table_and_index() {
    let work = copy_of("clean-4k", "clean");
    let output = anchorlog(&["verify", "--quick", "--space", "work/db1.edb"], work.path());
    assert_eq!(code(&output), 0, "{}", text(&output));
    let shown = text(&output);
    let line = |name: &str| shown.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{shown}"));
    let words: Vec<&str> = line("i_guid").split_whitespace().collect();
    assert_eq!(words, ["i_guid", "index", "0.016", "0.87%", "0.98%", "0.000", "0.00%"]);
    assert!(line("SEQ").ends_with("62"), "{shown}");
    assert!(shown.contains("462 pages: 392 used (84.8%), 70 available (15.2%), 0 shelved"), "{shown}");
    assert_eq!(code(&anchorlog(&["verify", "--quick", "--checksums", "work/db1.edb"], work.path())), 2);
}

#[test]
fn the_demo_recovers_its_own_database_and_equals_the_engine() {
    let here = tempfile::tempdir().unwrap();
    let output = anchorlog(&["demo"], here.path());
    assert_eq!(code(&output), 0, "{}{}", text(&output), errors(&output));
    assert!(text(&output).contains("what Microsoft's own engine recovers"), "{}", text(&output));
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0, "the demo leaves nothing behind");
    let kept = anchorlog(&["demo", "--keep", "kept", "--json"], here.path());
    assert_eq!(json(&kept)["equal_to_the_engine"], true);
    assert_eq!(json(&kept)["restored_equal_to_the_engine"], true);
    assert!(here.path().join("kept/recovered/db/db1.edb").exists());
}

/// A line of the space report, ours or the tool's: name, kind, and the figures in their order.
fn space_lines(text: &str, ours: bool) -> Vec<(String, Vec<String>)> {
    let kinds = if ours { ["database", "table", "long values", "index"] } else { ["Db", "Pri", "LV", "Idx"] };
    let mut lines = Vec::new();
    for line in text.lines() {
        let place = kinds.iter().enumerate().find_map(|(kind, word)| Some((kind, line.find(&format!(" {word} "))?, word.len())));
        let Some((kind, at, length)) = place else { continue };
        let figures: Vec<String> =
            line[at + 1 + length..].split_whitespace().filter(|word| *word != "-").map(str::to_owned).collect();
        if !figures.first().is_some_and(|first| first.contains('.')) {
            continue;
        }
        let name = match kind {
            0 => String::new(),
            2 => "[Long Values]".into(),
            // The tool cuts names: those of indexes stand further in.
            kind => line[..at].trim().chars().take(if kind == 3 { 19 } else { 21 }).collect(),
        };
        lines.push((name, figures));
    }
    lines.sort();
    lines
}

/// Every file with the tool's space reports, and where its databases lie: engine-made sets, compacted copies, files of real machines.
fn space_reports() -> Vec<(String, Vec<PathBuf>)> {
    let mut reports = Vec::new();
    let text = |path: PathBuf| fs::read_to_string(path).ok();
    for set in data::engine_sets() {
        let folder = set.folder();
        let places = |names: &[&str]| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
        reports.extend(text(folder.join("space.txt")).map(|text| (text, places(&["after/db", "before/db", "clean"]))));
        reports.extend(text(folder.join("space-compacted.txt")).map(|text| (text, places(&["compacted"]))));
    }
    for (set, oracle) in data::oracles() {
        for file in data::files_below(&set) {
            let place = oracle.join("db").join(file.strip_prefix(&set).unwrap());
            let (name, folder) = (file.file_name().unwrap().to_string_lossy(), file.parent().unwrap().to_path_buf());
            // The report of one database has no line that names it.
            let named = |text: String| (format!("==== {name} (exit 0)\n{text}"), vec![folder]);
            reports.extend(text(place.join("space.txt")).map(named));
        }
    }
    reports
}

#[test]
fn the_space_report_is_that_of_microsofts_tool_for_every_clean_database() {
    let mut compared = 0;
    for (text_of_tool, places) in space_reports() {
        for section in text_of_tool.split("==== ").skip(1) {
            let Some((name, _)) = section.split_once(" (exit") else { continue };
            let theirs = space_lines(section, false);
            let Some(path) = places.iter().map(|place| place.join(name)).find(|path| path.is_file()) else { continue };
            if theirs.is_empty() {
                continue;
            }
            let output = anchorlog(&["verify", "--quick", "--space", path.to_str().unwrap()], Path::new("."));
            let ours = text(&output);
            if ours.contains("is dirty") {
                continue;
            }
            assert_eq!(space_lines(&ours, true), theirs, "{}", path.display());
            let pages =
                section.lines().find(|line| line.trim_start().starts_with("Pages ")).unwrap_or_else(|| panic!("{section}"));
            let numbers = |line: &str| -> Vec<String> {
                line.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            let summary = ours.lines().find(|line| line.contains(" shelved")).unwrap_or_else(|| panic!("{ours}"));
            assert_eq!(numbers(summary), numbers(pages), "{}", path.display());
            compared += 1;
        }
    }
    println!("{compared} reports compared");
    assert!(compared > 0);
}
