//! Reading streams generation by generation, and the chain tests between them.

use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::units::{Generation, LogPosition, LogTime, Signature};
use anchorlog_replay::error::ReplayError;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::reader::{LogLink, Next, StreamReader, read_header};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{EngineSet, engine_sets, real_sets};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn open(folder: PathBuf) -> (Arc<dyn Folder>, StreamFiles) {
    let root: Arc<dyn Folder> = Arc::new(DiskFolder::new(folder));
    let streams = StreamFiles::find(&*root, Path::new("")).unwrap();
    (root, streams.into_iter().find(|stream| stream.current.is_some() || !stream.archives.is_empty()).unwrap())
}

/// Reads a stream to its end: generations and records.
fn read_all(root: Arc<dyn Folder>, files: StreamFiles, start: LogPosition) -> Result<(Vec<u32>, usize, Next), ReplayError> {
    let mut reader = StreamReader::new(root, files, start, ReadContext::Soft);
    let (mut generations, mut records) = (Vec::new(), 0);
    loop {
        match reader.next_log()? {
            Next::Log(log) => {
                generations.push(log.header().generation.0);
                if let Some(refused) = log.refused() {
                    return Err(refused);
                }
                for record in log.records() {
                    record.expect("records follow each other");
                    records += 1;
                }
            }
            end => return Ok((generations, records, end)),
        }
    }
}

fn first(root: &dyn Folder, files: &StreamFiles) -> LogPosition {
    let generation = match files.archives.keys().next() {
        Some(generation) => *generation,
        None => read_header(root, files.current.as_ref().unwrap()).unwrap().generation,
    };
    LogPosition::new(generation.0, 0, 0)
}

#[test]
fn the_streams_of_all_crash_sets_are_one_chain_to_the_current_log() {
    let mut streams = 0;
    for set in engine_sets() {
        for layer in ["before/log", "after/log"] {
            let folder = set.folder().join(layer);
            if !folder.join("edb.log").is_file() || layer == "after/log" && set.name.starts_with("lost") {
                continue;
            }
            let (root, files) = open(folder);
            let start = first(&*root, &files);
            let (generations, records, end) =
                read_all(root, files, start).unwrap_or_else(|error| panic!("{} {layer}: {} {error}", set.name, error.jet));
            assert!(generations.is_sorted() && matches!(end, Next::End), "{} {layer}", set.name);
            assert!(records > 0 || set.name.contains("init"), "{} {layer}", set.name);
            streams += 1;
        }
    }
    assert!(streams > 0);
}

#[test]
fn g26_a_stream_may_cross_from_7x_to_8x() {
    let Some(set) = real_sets().into_iter().find(|set| set.name.contains("w7-dirty")) else { return };
    let mut versions = Vec::new();
    for folder in folders(&set.folder()) {
        let Ok(streams) = StreamFiles::find(&DiskFolder::new(&folder), Path::new("")) else { continue };
        for files in streams.into_iter().filter(|files| files.current.is_some()) {
            let root: Arc<dyn Folder> = Arc::new(DiskFolder::new(&folder));
            let start = first(&*root, &files);
            let mut reader = StreamReader::new(root, files, start, ReadContext::Soft);
            while let Ok(Next::Log(log)) = reader.next_log() {
                versions.push(log.header().version().major);
            }
        }
    }
    assert!(versions.contains(&7), "{versions:?}");
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    let mut next = 0;
    while next < all.len() {
        let inner = fs::read_dir(&all[next]).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        let inner: Vec<PathBuf> = inner.collect();
        all.extend(inner);
        next += 1;
    }
    all
}

fn mixed() -> EngineSet {
    engine_sets()
        .into_iter()
        .find(|set| {
            set.folder().join("before/log/edb00002.log").is_file() && set.folder().join("before/log/edb00001.log").is_file()
        })
        .expect("a set with several generations")
}

fn copied() -> (tempfile::TempDir, Arc<dyn Folder>, StreamFiles) {
    let work = tempfile::tempdir().unwrap();
    anchorlog_testkit::data::copy_folder(&mixed().folder().join("before/log"), work.path()).unwrap();
    let (root, files) = open(work.path().into());
    (work, root, files)
}

fn code(result: Result<(Vec<u32>, usize, Next), ReplayError>) -> i32 {
    result.map(|(generations, ..)| generations).unwrap_err().jet.0
}

#[test]
fn a_gap_below_the_current_log_is_a_broken_sequence() {
    let (work, root, files) = copied();
    let start = first(&*root, &files);
    fs::remove_file(work.path().join("edb00002.log")).unwrap();
    let (root, files) = open(work.path().into());
    assert_eq!(code(read_all(root, files, start)), -515);
}

#[test]
fn a_missing_first_log_is_509_and_a_missing_current_log_is_told() {
    let (work, root, files) = copied();
    assert_eq!(code(read_all(Arc::clone(&root), files.clone(), LogPosition::new(0x4000, 1, 0))), -509);
    let start = first(&*root, &files);
    fs::remove_file(work.path().join("edb.log")).unwrap();
    let (root, files) = open(work.path().into());
    let highest = files.archives.keys().last().unwrap().0;
    assert!(matches!(read_all(root, files, start), Ok((_, _, Next::Missing(Generation(missing)))) if missing == highest + 1));
}

#[test]
fn g23_a_log_cut_short_by_copying_is_refused_as_a_whole() {
    let (work, root, files) = copied();
    let start = first(&*root, &files);
    let path = work.path().join("edb00002.log");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 4096]).unwrap();
    assert_eq!(code(read_all(root, files, start)), -541);
}

#[test]
fn g24_the_temporary_log_is_never_part_of_the_chain() {
    let (work, _, _) = copied();
    fs::copy(work.path().join("edb00002.log"), work.path().join("edbtmp.log")).unwrap();
    let (root, files) = open(work.path().into());
    assert!(files.temporary.is_some());
    let start = first(&*root, &files);
    assert!(read_all(root, files, start).is_ok());
}

#[test]
fn a_damaged_segment_refuses_the_log_but_not_the_records_before_it() {
    let (work, root, files) = copied();
    let start = first(&*root, &files);
    let path = work.path().join("edb00002.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 4096 + 100..3 * 4096 + 110].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let mut reader = StreamReader::new(root, files, start, ReadContext::Soft);
    let Ok(Next::Log(_)) = reader.next_log() else { panic!("the first log") };
    let Ok(Next::Log(log)) = reader.next_log() else { panic!("the second log") };
    assert_eq!(log.refusal.map(|jet| jet.0), Some(-501));
    assert!(log.records().all(|record| record.unwrap().position < LogPosition::new(2, 3, 0)));
    assert!(log.records().count() > 0);
    // and the generation behind no longer fits its content
    assert_eq!(reader.next_log().unwrap_err().jet.0, -590);
}

fn link() -> (LogLink, LogHeader) {
    let mut next = LogHeader::read(&[0; 4096]).unwrap();
    next.generation = Generation(6);
    (next.major, next.minor, next.update_major, next.update_minor) = (8, 4000, 5, 16);
    next.previous_created = LogTime::utc(2026, 1, 2, 3, 4, 5, 6);
    next.previous_accumulated = 77;
    let link = LogLink {
        generation: Generation(5),
        created: next.previous_created,
        signature: Signature::NONE,
        version: next.version(),
        accumulated: 77,
    };
    (link, next)
}

#[test]
fn g11_g67_times_are_compared_in_all_eight_bytes() {
    let (link, mut next) = link();
    assert!(link.check(&next).is_ok());
    next.previous_created = LogTime::utc(2026, 1, 2, 3, 4, 5, 7);
    assert_eq!(link.check(&next).unwrap_err().jet.0, -515);
}

#[test]
fn g12_the_accumulated_checksum_counts_from_the_newer_logs_format_on() {
    let (link, mut next) = link();
    next.previous_accumulated = 78;
    assert_eq!(link.check(&next).unwrap_err().jet.0, -590);
    next.update_minor = 12;
    assert!(link.check(&next).is_ok());
}

#[test]
fn another_signature_comes_before_a_wrong_generation() {
    let (link, mut next) = link();
    next.generation = Generation(9);
    assert_eq!(link.check(&next).unwrap_err().jet.0, -515);
    next.signature = Signature([1; 28]);
    assert_eq!(link.check(&next).unwrap_err().jet.0, -530);
}

#[test]
fn y19_behind_a_legacy_log_the_accumulated_checksum_is_zero() {
    let (mut link, mut next) = link();
    (link.version.major, link.accumulated) = (7, 0);
    next.previous_accumulated = 0;
    assert!(link.check(&next).is_ok());
}
