//! Whole recoveries against the engine's: pages, headers, the end of the log, the checkpoint (`log-8`).

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::RecordType;
use anchorlog_format::page::{Page, compare};
use anchorlog_format::units::{Generation, LogPosition, LogTime, PageNumber};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{self, Options, Setup};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{EngineSet, copy_folder, engine_sets};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn ambient() -> Ambient {
    Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7)
}

fn setup(root: &Path, options: Options) -> Setup {
    let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(root));
    let mut streams = StreamFiles::find(&*folder, Path::new("log")).unwrap();
    streams.sort_by_key(|stream| stream.current.is_none());
    let candidates = folder
        .list()
        .unwrap()
        .into_iter()
        .filter(|entry| entry.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("edb")))
        .map(|entry| {
            let bytes = std::fs::read(root.join(&entry.path)).unwrap();
            let start = &bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)];
            Candidate { path: entry.path, signature: HeaderPage::elect(start).ok().map(|(page, _)| page.header.signature) }
        })
        .collect();
    Setup {
        logs: Logs { folder: folder.clone(), files: streams.into_iter().next().unwrap() },
        folder,
        naming: Naming { candidates, map: Vec::new() },
        options,
    }
}

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

/// Fields that differ though they are neither times nor made up by each run (`log-8 §3`).
fn header_differences(ours: &HeaderPage, theirs: &HeaderPage) -> Vec<String> {
    const OF_THE_RUN: [&str; 13] = [
        "checksum",
        "header_flush",
        "map_flush",
        "extend_count",
        "shrink_count",
        "recovering",
        "os_major",
        "os_minor",
        "os_build",
        "os_service_pack",
        "newest_engine",
        "revert_flush",
        "flags",
    ];
    let (a, b) = (ours.to_bytes(), theirs.to_bytes());
    let fields = anchorlog_format::database::header::DatabaseHeader::LAYOUT.fields;
    fields
        .iter()
        .filter(|field| !OF_THE_RUN.contains(&field.name) && field.kind != "LogTime")
        .filter(|field| a[field.offset..field.offset + field.size] != b[field.offset..field.offset + field.size])
        .map(|field| format!("{}: {:?} against {:?}", field.name, (field.show)(&a), (field.show)(&b)))
        .collect()
}

/// Types of the records of all logs of a folder from a position on, in order.
fn record_types(folders: &[&Path], from: LogPosition) -> Vec<(LogPosition, RecordType)> {
    let mut logs: BTreeMap<Generation, Vec<u8>> = BTreeMap::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if (name.ends_with(".log") || name.ends_with(".jtx")) && !name.contains("tmp") {
                let bytes = std::fs::read(entry.path()).unwrap();
                let generation = LogFile::open(&bytes).unwrap().header().generation;
                logs.insert(generation, bytes);
            }
        }
    }
    let mut types = Vec::new();
    for bytes in logs.values() {
        let log = LogFile::open(bytes).unwrap();
        for record in log.records() {
            let record = record.unwrap();
            if record.writer_position >= from && record.record_type() != RecordType::NOP {
                types.push((record.writer_position, record.record_type()));
            }
        }
    }
    types
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
    let mut theirs = record_types(&[&folder.join("before/log"), &folder.join("after/log")], report.end);
    if let Some(init) = theirs.iter().rposition(|(_, kind)| *kind == RecordType::INIT) {
        theirs.truncate(init);
    }
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

fn brief(records: &[(LogPosition, RecordType)]) -> String {
    let mut text = String::new();
    for (position, kind) in records.iter().take(12) {
        text.push_str(&format!("{position} {}; ", kind.name()));
    }
    format!("{text}… {} records", records.len())
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
