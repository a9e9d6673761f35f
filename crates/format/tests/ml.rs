//! Every record of every log against the reference engine's own dump of it: position, type, and every field that the dump shows.

#[path = "ml/render.rs"]
mod render;

use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::segment::{self, SegmentHeader};
use anchorlog_testkit::data::{engine_sets, real_sets};
use anchorlog_testkit::ml::{MlLog, parse};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed").flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// What tells one state of one log from every other: generation, creation time, end, accumulated checksum.
type Key = (String, String, String, String);

fn key_of_dump(log: &MlLog) -> Option<Key> {
    let generation = log.field("lGeneration")?.split_once(' ')?.0.to_owned();
    let field = |name| log.field(name).map(str::to_owned);
    Some((generation, field("creation time")?, field("Last Lgpos")?, field("Accumulated segment checksum")?))
}

fn key_of_log(log: &LogFile<'_>) -> Key {
    let header = log.header();
    (
        header.generation.0.to_string(),
        render::header_time(header.created),
        render::brief(log.end().position),
        format!("{:#018x}", log.end().accumulated),
    )
}

#[test]
fn every_record_shows_the_fields_of_the_reference_dump() {
    let mut logs: HashMap<Key, PathBuf> = HashMap::new();
    let mut dumps = Vec::new();
    for set in engine_sets().into_iter().chain(real_sets()) {
        for path in files(&set.folder()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|extension| ["log", "jtx"].iter().any(|log| extension.eq_ignore_ascii_case(log))) {
                let bytes = fs::read(&path).unwrap();
                if let Ok(log) = LogFile::open(&bytes) {
                    logs.entry(key_of_log(&log)).or_insert(path);
                }
            } else if name.ends_with(".txt") && (name.starts_with("ml") || path.components().any(|part| part.as_os_str() == "ml"))
            {
                dumps.push(path);
            }
        }
    }
    let (mut compared, mut missing, mut records, mut segments) = (0, Vec::new(), 0, 0);
    let mut problems: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in &dumps {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        for dump in parse(&text) {
            let Some(key) = key_of_dump(&dump) else {
                missing.push(format!("{}: {:?}", path.display(), dump.header));
                continue;
            };
            let Some(file) = logs.get(&key) else {
                missing.push(format!("{}: {key:?}", path.display()));
                continue;
            };
            let bytes = fs::read(file).unwrap();
            let log = LogFile::open(&bytes).unwrap();
            compared += 1;
            let mut note = |what: &str, ours: &str, theirs: &str| {
                if !render::same(ours, theirs) {
                    let list = problems.entry(what.to_owned()).or_default();
                    list.push(format!("{} against {}\n   ours   {ours}\n   theirs {theirs}", file.display(), path.display()));
                }
            };
            for (ours, theirs) in render::header(&log).iter().zip(render::shown_header(&dump)) {
                note("header", ours, theirs);
            }
            let shown = segment_lines(&log);
            note("segments", &shown.len().to_string(), &dump.segments.len().to_string());
            for (ours, theirs) in shown.iter().zip(&dump.segments) {
                note("segment", ours, &theirs.line);
                segments += 1;
            }
            let with_bytes = !text.contains("<Data>");
            let ours: Vec<_> = log.records().map(|record| record.unwrap()).collect();
            note("records", &ours.len().to_string(), &dump.records.len().to_string());
            for (ours, theirs) in ours.iter().zip(&dump.records) {
                let operation = ours.operation().unwrap();
                let shown = render::record(&log, &operation, with_bytes);
                note("position", &ours.position.to_string(), &theirs.position);
                note("token", ours.record_type().token(), &theirs.token);
                note(&theirs.token, &shown.body, &theirs.body);
                note(&format!("{} lines", theirs.token), &shown.more.join("\n"), &theirs.more.join("\n"));
                records += 1;
            }
        }
    }
    eprintln!("{compared} logs, {segments} segments, {records} records equal the dumps; {} without their log", missing.len());
    for (what, list) in &problems {
        eprintln!("== {what}: {}", list.len());
        for problem in list.iter().take(4) {
            eprintln!("{problem}");
        }
    }
    for missing in &missing {
        eprintln!("no log for {missing}");
    }
    // Some logs that the reference engine made of real files are kept as dumps only.
    missing.retain(|name| !name.contains("/oracle-"));
    assert!(missing.is_empty(), "{missing:?}");
    assert!(problems.is_empty());
    assert!(records > 0);
}

fn segment_lines(log: &LogFile<'_>) -> Vec<String> {
    let Some(last) = log.end().last_segment.filter(|_| !log.header().version().is_legacy()) else { return Vec::new() };
    (1..=last)
        .map(|index| {
            let head = SegmentHeader::read(segment::at(log.bytes(), index).unwrap()).unwrap();
            let time = render::header_time(head.started);
            format!("Segment Checksum: {:#018x}, LGPOS ({}), logtimeStart {time}", head.checksum, head.position)
        })
        .collect()
}
