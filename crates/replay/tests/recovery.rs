//! Whole recoveries against the engine's: pages, headers, the end of the log, the checkpoint (`log-8`).

mod common;

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::page::{Page, compare};
use anchorlog_format::units::PageNumber;
use anchorlog_replay::run::{self, Ending, Options};
use anchorlog_testkit::data::{EngineSet, contents, copy_folder, engine_sets};
use anchorlog_testkit::differ::{header_differences, pages};
use common::compare::{brief, record_types, up_to_the_next_run};
use common::{ambient, setup};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The engine's file after recovery: `after/` holds what changed.
fn engine_file(set: &Path, path: &Path) -> Option<PathBuf> {
    [set.join("after").join(path), set.join("before").join(path)].into_iter().find(|path| path.exists())
}

fn compare_databases(set: &Path, work: &Path, problems: &mut Vec<String>) {
    let mut names: Vec<PathBuf> = Vec::new();
    for layer in ["before/db", "after/db"] {
        for entry in std::fs::read_dir(set.join(layer)).into_iter().flatten().flatten() {
            let path = Path::new("db").join(entry.file_name());
            if path.extension().is_some_and(|extension| extension == "edb") && !names.contains(&path) {
                names.push(path);
            }
        }
    }
    for name in names {
        let Some(theirs) = engine_file(set, &name) else { continue };
        let theirs = std::fs::read(theirs).unwrap();
        let Ok(ours) = std::fs::read(work.join(&name)) else {
            problems.push(format!("{} is missing", name.display()));
            continue;
        };
        if ours.len() != theirs.len() {
            problems.push(format!("{}: {} bytes against {}", name.display(), ours.len(), theirs.len()));
        }
        let (a, _) = HeaderPage::elect(&ours[..ours.len().min(65536)]).unwrap();
        let (b, _) = HeaderPage::elect(&theirs[..theirs.len().min(65536)]).unwrap();
        for found in header_differences(&a, &b) {
            problems.push(format!("{} header: {found}", name.display()));
        }
        let size = a.page_size();
        for number in 1..u32::try_from(theirs.len() / size.bytes()).unwrap() - 1 {
            let at = usize::try_from(size.offset_of(PageNumber(number))).unwrap();
            let (Some(a), Some(b)) = (ours.get(at..at + size.bytes()), theirs.get(at..at + size.bytes())) else { break };
            let found = compare::differences(Page::new(a).unwrap(), Page::new(b).unwrap());
            if !found.is_empty() {
                let mut text = found.join("; ");
                text.truncate(300);
                problems.push(format!("{} page {number}: {text}", name.display()));
            }
        }
    }
}

fn recover(set: &EngineSet) -> Vec<String> {
    let folder = set.folder();
    let work = tempfile::tempdir().unwrap();
    copy_folder(&folder.join("before"), work.path()).unwrap();
    let mut problems = Vec::new();
    let setup = setup(work.path(), Options::default());
    let planned = run::plan(&setup, &ambient(), &mut ());
    let made = run::replay(&setup, &ambient(), &mut ());
    let expected = set.meta()["expected_recovery_error"].as_i64().unwrap_or(0);
    let code = |result: &Result<run::Report, run::Failure>| match result {
        Ok(report) => report.warning.map_or(0, |jet| i64::from(jet.0)),
        Err(failure) => i64::from(failure.error.jet.0),
    };
    if code(&planned) != expected || code(&made) != expected {
        let text = |result: &Result<run::Report, run::Failure>| match result {
            Ok(report) => format!("{:?}", report.ending),
            Err(failure) => format!("{} {} {:?}", failure.error.jet, failure.error, failure.error.position),
        };
        problems.push(format!("expected {expected}: planned {}, made {}", text(&planned), text(&made)));
        return problems;
    }
    let Ok(report) = made else { return problems };
    compare_databases(&folder, work.path(), &mut problems);
    // The three records of the run after recovery belong to the engine's next run.
    let theirs = up_to_the_next_run(record_types(&[&folder.join("before/log"), &folder.join("after/log")], report.end));
    let ours = record_types(&[&work.path().join("log")], report.end);
    if ours != theirs {
        problems.push(format!("records at the end: {:?} against {:?}", brief(&ours), brief(&theirs)));
    }
    if let Ok(bytes) = std::fs::read(work.path().join("log/edb.chk")) {
        let checkpoint = Checkpoint::check(&bytes).unwrap();
        let last = ours.iter().rev().find(|(_, kind)| !kind.is_padding());
        if let Some((position, _)) = last
            && checkpoint.position != *position
        {
            problems.push(format!("checkpoint {} against {position}", checkpoint.position));
        }
    }
    problems
}

#[test]
fn recovery_leaves_the_engines_pages_headers_and_log_records() {
    let only = std::env::var("SET").ok();
    let mut failed = Vec::new();
    for set in engine_sets() {
        if only.as_ref().is_some_and(|only| !set.name.contains(only.as_str())) || !set.folder().join("before/log").is_dir() {
            continue;
        }
        let problems = recover(&set);
        if !problems.is_empty() {
            println!("{}: {} problems", set.name, problems.len());
            for problem in problems.iter().take(4) {
                println!("   {problem}");
            }
            failed.push(set.name.clone());
        }
    }
    assert!(failed.is_empty(), "{} sets: {failed:?}", failed.len());
}

/// Every set with a crash state: each test below walks them all.
fn crash_sets() -> Vec<EngineSet> {
    let only = std::env::var("SET").ok();
    let wanted = |set: &EngineSet| only.as_ref().is_none_or(|only| set.name.contains(only.as_str()));
    engine_sets().into_iter().filter(|set| wanted(set) && set.folder().join("before/log").is_dir()).collect()
}

#[test]
fn v39_recovery_without_undo_leaves_the_engines_pages_but_for_those_with_open_changes() {
    let mut problems = Vec::new();
    let (mut equal, mut excepted) = (0, 0);
    for set in crash_sets().iter().filter(|set| set.folder().join("after-redo").is_dir()) {
        let work = tempfile::tempdir().unwrap();
        copy_folder(&set.folder().join("before"), work.path()).unwrap();
        let options = Options { undo: false, ..Options::default() };
        let report = run::replay(&setup(work.path(), options), &ambient(), &mut ())
            .unwrap_or_else(|failure| panic!("{}: {}", set.name, failure.error));
        assert!(matches!(report.ending, Ending::WithoutUndo | Ending::Clean | Ending::NothingToDo), "{}", set.name);
        for entry in std::fs::read_dir(set.folder().join("after-redo/db")).unwrap().flatten() {
            let ours = std::fs::read(work.path().join("db").join(entry.file_name())).unwrap();
            let theirs = std::fs::read(entry.path()).unwrap();
            let before = std::fs::read(set.folder().join("before/db").join(entry.file_name())).unwrap_or_default();
            let (header, _) = HeaderPage::elect(&ours[..ours.len().min(65536)]).unwrap();
            let size = header.page_size();
            let page_of = |bytes: &[u8], number: u32| {
                let at = usize::try_from(size.offset_of(PageNumber(number))).unwrap();
                bytes.get(at..at + size.bytes()).map(<[u8]>::to_vec)
            };
            for number in 1..u32::try_from(theirs.len() / size.bytes()).unwrap() - 1 {
                let Some(a) = page_of(&ours, number) else {
                    problems.push(format!("{} page {number} is missing", set.name));
                    continue;
                };
                let b = page_of(&theirs, number).unwrap();
                let found = compare::differences(Page::new(&a).unwrap(), Page::new(&b).unwrap());
                if found.is_empty() {
                    equal += 1;
                } else if page_of(&before, number).is_none_or(|old| old == a) {
                    // We held a page back that the engine wrote: only allowed where it has an open change, which is what holds it.
                    excepted += 1;
                    problems.push(format!("{} page {number} was held back", set.name));
                } else {
                    problems.push(format!(
                        "{} page {number}: {}",
                        set.name,
                        found.join("; ").chars().take(200).collect::<String>()
                    ));
                }
            }
        }
    }
    println!("{equal} pages equal, {excepted} held back");
    assert!(problems.is_empty(), "{}:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn recovering_a_recovered_folder_changes_no_database_byte() {
    for set in crash_sets() {
        let work = tempfile::tempdir().unwrap();
        copy_folder(&set.folder().join("before"), work.path()).unwrap();
        if run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ()).is_err() {
            continue;
        }
        let before = contents(work.path());
        let report = run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ()).unwrap();
        assert!(matches!(report.ending, Ending::NothingToDo), "{}: {:?}", set.name, report.ending);
        assert!(before == contents(work.path()), "{}: a second recovery changed files", set.name);
    }
}

#[test]
fn w29_the_same_input_clock_and_seed_give_identical_bytes_whatever_the_cache() {
    let spilled = std::cell::Cell::new(0);
    for set in crash_sets() {
        let recovered = |cache_bytes: usize, version_bytes: usize| {
            let work = tempfile::tempdir().unwrap();
            copy_folder(&set.folder().join("before"), work.path()).unwrap();
            let options = Options { cache_bytes, version_bytes, ..Options::default() };
            let made = run::replay(&setup(work.path(), options), &ambient(), &mut ()).ok()?;
            let files = contents(work.path());
            assert!(files.keys().all(|path| !path.to_string_lossy().contains(".anchorlog")), "{}: work files are left", set.name);
            spilled.set(spilled.get().max(made.spilled));
            Some(files)
        };
        let first = recovered(256 << 20, 64 << 20);
        assert!(first == recovered(256 << 20, 64 << 20), "{}: two runs differ", set.name);
        // With a cache of 64 pages flush types turn over more often; what pages hold must not change.
        if let (Some(large), Some(small)) = (first, recovered(0, 0)) {
            for (path, bytes) in large.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "edb")) {
                let (header, _) = HeaderPage::elect(&bytes[..bytes.len().min(65536)]).unwrap();
                let size = header.page_size().bytes();
                for (at, (a, b)) in bytes.chunks(size).zip(small[path].chunks(size)).enumerate().skip(2) {
                    let found = compare::differences(Page::new(a).unwrap(), Page::new(b).unwrap());
                    assert!(found.is_empty(), "{} {} page {}: {found:?}", set.name, path.display(), at - 1);
                }
            }
        }
    }
    println!("at most {} bytes of before images in the working folder", spilled.get());
}

#[test]
fn v28_free_bytes_reserves_for_rollback_and_version_flags_of_changed_pages_are_the_engines_too() {
    let (mut equal, mut problems) = (0, Vec::new());
    for set in crash_sets() {
        let folder = set.folder();
        let work = tempfile::tempdir().unwrap();
        copy_folder(&folder.join("before"), work.path()).unwrap();
        if run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ()).is_err() || !folder.join("after/db").is_dir()
        {
            continue;
        }
        for entry in std::fs::read_dir(folder.join("after/db")).unwrap().flatten() {
            let name = entry.file_name();
            let Ok(before) = std::fs::read(folder.join("before/db").join(&name)) else { continue };
            let Ok(ours) = std::fs::read(work.path().join("db").join(&name)) else { continue };
            if Path::new(&name).extension().is_none_or(|extension| extension != "edb") {
                continue;
            }
            let theirs = std::fs::read(entry.path()).unwrap();
            let old: BTreeMap<_, _> = pages(&before).collect();
            let mine: BTreeMap<_, _> = pages(&ours).collect();
            for (number, image) in pages(&theirs) {
                let Some(own) = mine.get(&number).filter(|own| old.get(&number) != Some(own)) else { continue };
                let (a, b) = (Page::new(own).unwrap(), Page::new(image).unwrap());
                let flags =
                    |page: Page<'_>| (0..page.lines()).map(|line| page.line(line).map(|node| node.flags.0)).collect::<Vec<_>>();
                let kept = |page: Page<'_>| (page.free(), page.uncommitted_free(), flags(page));
                if kept(a) == kept(b) {
                    equal += 1;
                } else {
                    let text = format!("{:?} against {:?}", (a.free(), a.uncommitted_free()), (b.free(), b.uncommitted_free()));
                    problems.push(format!("{} {} page {number}: {text}", set.name, name.display()));
                }
            }
        }
    }
    println!("{equal} pages");
    assert!(problems.is_empty(), "{} pages, {equal} equal:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn pages_are_as_the_engines_own_scan_saw_them() {
    for set in crash_sets().iter().filter(|set| set.name.contains("dbscan")) {
        let work = tempfile::tempdir().unwrap();
        copy_folder(&set.folder().join("before"), work.path()).unwrap();
        let report = run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ())
            .unwrap_or_else(|failure| panic!("{}: {}", set.name, failure.error));
        assert_eq!(report.notes, Vec::<String>::new(), "{}", set.name);
        assert!(report.pages_scanned > 10, "{}: {}", set.name, report.pages_scanned);
    }
}

#[test]
fn before_images_that_memory_has_no_room_for_go_to_the_working_folder_and_are_gone_afterwards() {
    let sets = crash_sets();
    let mut spilled = 0;
    for set in sets.iter().filter(|set| set.name.starts_with("micro-tx-uncommitted-big") || set.name.starts_with("mixed")) {
        let work = tempfile::tempdir().unwrap();
        copy_folder(&set.folder().join("before"), work.path()).unwrap();
        let options = Options { cache_bytes: 0, version_bytes: 0, ..Options::default() };
        let report = run::replay(&setup(work.path(), options), &ambient(), &mut ())
            .unwrap_or_else(|failure| panic!("{}: {}", set.name, failure.error));
        assert!(report.undone.changes > 100, "{}: {:?}", set.name, report.undone);
        spilled += usize::from(report.spilled > 0);
        assert!(contents(work.path()).keys().all(|path| !path.to_string_lossy().contains(".anchorlog")), "{}", set.name);
        let mut problems = Vec::new();
        compare_databases(&set.folder(), work.path(), &mut problems);
        assert_eq!(problems, Vec::<String>::new(), "{}", set.name);
    }
    println!("{spilled} sets");
    // A bare clone has none that is large enough.
    assert!(spilled > 0 || sets.len() < 100);
}
