//! Every restore stage of every backup set: the engine's own dump and header, or its error.

use super::common::{compare_dump, databases, digests, findings_of, header_of, names};
use super::sets::{Stage, inputs, last, restore, stages};
use anchorlog_database::canonical::Tables;
use anchorlog_format::database::DatabaseState;
use anchorlog_format::finding::Severity;
use anchorlog_operations::recover::Verdict;
use anchorlog_operations::restore::environment::{Environment, Status};
use anchorlog_operations::restore::{Inputs, Options};
use anchorlog_storage::DiskFolder;
use anchorlog_testkit::data::{engine_set, engine_sets};
use anchorlog_testkit::dump_text::engine_dumps;
use anchorlog_testkit::header_text::{header_lines, header_texts, lines_of_the_header};
use std::fs;
use std::path::Path;

/// Lines of a header that the clock, chance or the number of replays make differ (`log-8 §3`).
fn comparable(mut lines: Vec<String>) -> Vec<String> {
    let vary =
        ["Checksum", "Expected Checksum", "Actual Checksum", "Extend Date", "Database Header Flush", "Flush Map Header Flush"];
    lines.retain(|line| !vary.iter().any(|start| line.starts_with(start)));
    for line in &mut lines {
        if ["Last Consistent", "Last Detach"].iter().any(|start| line.starts_with(start)) {
            *line = line.split(')').next().unwrap().to_owned();
        }
    }
    lines
}

/// Compares the databases in a target with the engine's of a stage.
pub fn compare(label: &str, target: &Path, stage: &Stage, problems: &mut Vec<String>) {
    let ours = databases(target);
    for text in header_texts(&fs::read_to_string(stage.told("mh", "txt")).unwrap()) {
        let header = header_of(&ours[&text.file]).header;
        let (lines, theirs) = (comparable(header_lines(&header)), comparable(lines_of_the_header(&text)));
        let differing = lines.iter().zip(&theirs).filter(|(a, b)| a != b);
        problems.extend(differing.map(|(a, b)| format!("{label} {}: {a} against {b}", text.file)));
        if lines.len() != theirs.len() || header.state != DatabaseState::CleanShutdown {
            problems.push(format!("{label} {}: another header", text.file));
        }
    }
    let dumps = engine_dumps(&stage.told("dump", "jsonl"));
    assert_eq!(dumps.len(), ours.len(), "{label}");
    for (name, dump) in dumps {
        compare_dump(&format!("{label} {name}"), &ours[&name], &dump, Tables::Users, problems);
        // Long values that nothing refers to are the engine's own leavings.
        let errors = findings_of(&ours[&name]).into_iter().filter(|finding| finding.severity == Severity::Error);
        problems.extend(errors.map(|finding| format!("{label} {name}: {finding:?}")));
    }
}

// traps ops-3 C1, H7, H15
#[test]
fn every_stage_of_the_streamed_sets_is_the_engines_and_no_source_is_touched() {
    let (mut stages_seen, mut problems) = (0, Vec::new());
    for set in engine_sets().into_iter().filter(|set| set.name.starts_with("backup-stream-")) {
        let untouched = digests(&set.folder());
        for stage in stages(&set) {
            let label = format!("{} {}", set.name, stage.name());
            let place = tempfile::tempdir().unwrap();
            let production = stage.production(&place.path().join("production"));
            let sources: Vec<&str> =
                stage.value["sources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let mut options = last();
            if stage.name().ends_with("moved") {
                options.map = vec![(r"R:\db\db1.edb".into(), "new/db1.edb".into())];
            }
            let target = place.path().join("target");
            let restored = restore(&inputs(&stage.folder, &sources, production.as_deref()), &target, &options);
            stages_seen += 1;
            let expected = stage.value["error"].as_i64().unwrap();
            if i64::from(restored.code()) != expected {
                problems.push(format!("{label}: {} {:?}", restored.code(), restored.broken()));
                continue;
            }
            if expected != 0 {
                assert_eq!(restored.broken()[0], "C2", "{label}");
                assert!(!target.exists(), "{label}");
                continue;
            }
            if stage.name().ends_with("moved") && !target.join("new/db1.edb").is_file() {
                problems.push(format!("{label}: not moved"));
            }
            let recovery = restored.report().recovery.as_ref().unwrap();
            assert!(recovery.databases.iter().all(|database| database.verdict == Verdict::Recovered), "{label}");
            compare(&label, &target, &stage, &mut problems);
            assert_eq!(names(place.path()).iter().filter(|name| name.starts_with('.')).count(), 0, "{label}");
        }
        assert!(digests(&set.folder()) == untouched, "{}: a source was changed", set.name);
    }
    let of_set = |name, stages| if engine_set(name).is_some() { stages } else { 0 };
    assert_eq!(stages_seen, of_set("backup-stream-4k", 7) + of_set("backup-stream-32k-2db", 6));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_restore_of_the_folder_backups_is_the_engines() {
    let (mut seen, mut problems) = (0, Vec::new());
    for set in engine_sets().into_iter().filter(|set| set.name.starts_with("backup-legacy-")) {
        for stage in stages(&set) {
            let label = format!("{} {}", set.name, stage.name());
            let place = tempfile::tempdir().unwrap();
            let target = place.path().join("target");
            // That of the atomic kind lies in a folder `old` inside.
            let sets = vec![stage.folder.join("backup")];
            let production = (stage.name() == "backup+production-logs").then(|| stage.folder.join("production/log"));
            let restored = restore(&Inputs { sets, production }, &target, &last());
            restored.report();
            compare(&label, &target, &stage, &mut problems);
            seen += 1;
        }
    }
    let of_set = |name| if engine_set(name).is_some() { 2 } else { 0 };
    assert_eq!(seen, of_set("backup-legacy-4k") + of_set("backup-legacy-atomic"));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

// trap ops-3 H18
#[test]
fn what_was_restored_is_written_down() {
    let Some(folder) = super::sets::stream() else { return };
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    let options = Options { annotation: "mail of Monday".into(), server: "EX1".into(), source_instance: "SG1".into(), ..last() };
    restore(&inputs(&folder, &["full", "inc1"], None), &target, &options).report();
    let environment = Environment::read(&DiskFolder::read_only(&target)).unwrap();
    assert_eq!((environment.status, environment.low, environment.high), (Status::Done, 1, 26));
    assert_eq!((environment.annotation.as_str(), environment.server.as_str()), ("mail of Monday", "EX1"));
    assert_eq!(environment.original_log_path.to_lowercase(), r"r:\log\");
    assert_eq!((environment.databases.len(), environment.logs.len(), environment.sets.len()), (1, 26, 2));
    let database = &environment.databases[0];
    assert_eq!((database.original.as_str(), database.destination.as_str()), (r"R:\db\db1.edb", "db1.edb"));
    let sources = digests(&folder.join("full"));
    assert_eq!(database.sha256, sources["db1.edb"]);
    assert!(environment.logs.iter().all(|log| log.sha256.len() == 64 && log.destination.starts_with("logs/")));
    assert!(environment.last_restore.is_some() && environment.end.is_some());
}
