//! How generations follow one another: on the logs of all sets, and test by test.

mod common;

use anchorlog_format::log::header::LogHeader;
use anchorlog_format::units::{Generation, LogTime, Signature};
use anchorlog_replay::run::{self, Options};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::link::LogLink;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{copy_folder, engine_set, engine_sets, real_sets};
use common::{ambient, chain, setup};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_streams_of_all_crash_sets_are_one_chain_to_the_current_log() {
    let mut streams = 0;
    for set in engine_sets() {
        for layer in ["before", "after"] {
            let folder = set.folder().join(layer);
            if !folder.join("log/edb.log").is_file() || layer == "after" && set.name.starts_with("lost") {
                continue;
            }
            let files = setup(&folder, Options::default()).logs;
            let headers = chain(&files).unwrap_or_else(|error| panic!("{} {layer}: {error}", set.name));
            assert!(!headers.is_empty(), "{} {layer}", set.name);
            streams += 1;
        }
    }
    assert!(streams > 0);
}

#[test]
fn g26_a_stream_may_cross_from_7x_to_8x() {
    let Some(set) = real_sets().into_iter().find(|set| set.name.contains("w7-dirty")) else { return };
    let mut majors = Vec::new();
    for folder in folders(&set.folder()) {
        let Ok(streams) = StreamFiles::find(&DiskFolder::new(&folder), Path::new("")) else { continue };
        for files in streams.into_iter().filter(|files| files.current.is_some()) {
            let headers = chain(&anchorlog_replay::logs::Logs { folder: std::sync::Arc::new(DiskFolder::new(&folder)), files });
            majors.push(headers.into_iter().flatten().map(|header| header.version().major).collect::<Vec<_>>());
        }
    }
    assert!(majors.iter().any(|majors| majors.contains(&7)), "{majors:?}");
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

/// A crash state with several generations, of which all are required.
fn crash() -> Option<tempfile::TempDir> {
    let work = tempfile::tempdir().unwrap();
    copy_folder(&engine_set("lost-4k-waypoint")?.folder().join("base"), work.path()).unwrap();
    Some(work)
}

fn log_of(root: &Path, generation: u32) -> PathBuf {
    let logs = setup(root, Options::default()).logs;
    root.join(&logs.files.archives[&Generation(generation)])
}

fn planned(root: &Path) -> i32 {
    run::plan(&setup(root, Options::default()), &ambient(), &mut ()).map_or_else(|failure| failure.error.jet.0, |_| 0)
}

#[test]
fn g23_a_log_cut_short_by_copying_is_refused_as_a_whole() {
    let Some(work) = crash() else { return };
    assert_eq!(planned(work.path()), 0);
    let path = log_of(work.path(), 5);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 4096]).unwrap();
    assert_eq!(planned(work.path()), -541);
}

#[test]
fn g24_the_temporary_log_is_never_part_of_the_chain() {
    let Some(work) = crash() else { return };
    fs::copy(log_of(work.path(), 5), work.path().join("log/edbtmp.log")).unwrap();
    assert!(setup(work.path(), Options::default()).logs.files.temporary.is_some());
    assert_eq!(planned(work.path()), 0);
}

fn link() -> (LogLink, LogHeader) {
    let mut next = LogHeader::read(&[0; 4096]).unwrap();
    next.generation = Generation(6);
    (next.major, next.minor, next.update_major, next.update_minor) = (8, 4000, 5, 16);
    next.previous_created = LogTime::utc(2026, 1, 2, 3, 4, 5, 6);
    next.previous_accumulated = 77;
    let link = LogLink { generation: Generation(5), created: next.previous_created, signature: Signature::NONE, accumulated: 77 };
    (link, next)
}

#[test]
fn g11_g67_times_are_compared_in_all_eight_bytes() {
    let (link, mut next) = link();
    assert!(link.check(&next).is_ok());
    next.previous_created = LogTime::utc(2026, 1, 2, 3, 4, 5, 7);
    assert_eq!(link.check(&next).unwrap_err().jet().0, -515);
}

#[test]
fn g12_the_accumulated_checksum_counts_from_the_newer_logs_format_on() {
    let (link, mut next) = link();
    next.previous_accumulated = 78;
    assert_eq!(link.check(&next).unwrap_err().jet().0, -590);
    next.update_minor = 12;
    assert!(link.check(&next).is_ok());
}

#[test]
fn another_signature_comes_before_a_wrong_generation() {
    let (link, mut next) = link();
    next.generation = Generation(9);
    assert_eq!(link.check(&next).unwrap_err().jet().0, -515);
    next.signature = Signature([1; 28]);
    assert_eq!(link.check(&next).unwrap_err().jet().0, -530);
}

#[test]
fn y19_behind_a_legacy_log_the_accumulated_checksum_is_zero() {
    let (mut link, mut next) = link();
    link.accumulated = 0;
    next.previous_accumulated = 0;
    assert!(link.check(&next).is_ok());
}
