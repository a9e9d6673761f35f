//! What may be seen of a database at each moment of a recovery in place: what is in its file, and what is sure to survive.

use super::judge::{crash_state, is_database, options, recover, state_of};
use anchorlog_format::database::header::{DatabaseHeader, HeaderPage};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::Operation;
use anchorlog_testkit::crash::{CrashDisk, Files};
use anchorlog_testkit::data::{EngineSet, engine_sets};
use std::path::{Path, PathBuf};

/// Only what is durable is left, or everything.
const DURABLE: u64 = 0;
const EVERYTHING: u64 = 1;

fn page_of(files: &Files, path: &Path) -> Option<HeaderPage> {
    let bytes = files.get(path)?;
    Some(HeaderPage::elect(&bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)]).ok()?.0)
}

fn header(files: &Files, path: &Path) -> Option<DatabaseHeader> {
    Some(page_of(files, path)?.header)
}

fn length(files: &Files, path: &Path) -> usize {
    files.get(path).map_or(0, |bytes| bytes.len())
}

/// The databases of a recovered disk.
fn databases(disk: &CrashDisk) -> Vec<PathBuf> {
    let files = disk.files();
    files.keys().filter(|path| is_database(path)).cloned().collect()
}

fn recovered(set: &EngineSet) -> Option<(Files, CrashDisk)> {
    let start = crash_state(set)?;
    let disk = CrashDisk::new(start.clone());
    recover(&disk, &options()).ok()?;
    Some((start, disk))
}

/// What is there behind each operation: everything, and what is durable.
fn moments(disk: &CrashDisk, mut each: impl FnMut(usize, &Files, &Files)) {
    let mut crashes = disk.crashes();
    loop {
        let (everything, durable) = (crashes.files(EVERYTHING).0, crashes.files(DURABLE).0);
        each(crashes.at(), &everything, &durable);
        if !crashes.advance() {
            return;
        }
    }
}

fn has_shrink(files: &Files) -> bool {
    let logs = files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "log"));
    logs.filter_map(|(_, bytes)| LogFile::open(bytes).ok()).any(|log| {
        let shrinks = |operation: Operation<'_>| {
            matches!(operation, Operation::ShrinkDatabase(_) | Operation::ShrinkDatabase2(_) | Operation::ShrinkDatabase3(_))
        };
        log.records().map_while(Result::ok).any(|record| record.operation().is_ok_and(shrinks))
    })
}

#[test]
fn a_file_loses_its_unused_end_behind_the_header_that_says_clean() {
    let mut cut = 0;
    for set in engine_sets().iter().filter(|set| set.name.starts_with("micro") && !set.name.contains("k-")) {
        let Some((start, disk)) = recovered(set).filter(|(start, _)| cut < 8 && !has_shrink(start)) else { continue };
        for path in databases(&disk) {
            let mut before = length(&start, &path);
            moments(&disk, |at, everything, durable| {
                let now = length(everything, &path);
                if now < before {
                    let state = header(durable, &path).map(|header| header.state);
                    assert_eq!(
                        state,
                        Some(DatabaseState::CleanShutdown),
                        "{}, {} behind operation {at}",
                        set.name,
                        path.display()
                    );
                    cut += 1;
                }
                before = now;
            });
        }
    }
    assert!(cut > 0, "no file was cut");
}

#[test]
fn a_database_that_recovery_makes_has_a_header_only_when_its_pages_are_durable() {
    let mut made = 0;
    for set in engine_sets().iter().filter(|set| set.name.contains("createdb") || set.name.contains("logsonly")) {
        let Some(mut start) = crash_state(set) else { continue };
        start.retain(|path, _| path.starts_with("log"));
        let disk = CrashDisk::new(start.clone());
        if recover(&disk, &options()).is_err() {
            continue;
        }
        for path in databases(&disk) {
            let mut crashes = disk.crashes();
            let mut whole = None;
            while whole.is_none() && crashes.advance() {
                // The moment at which the header is in the file: more is there only behind it.
                let everything = crashes.files(EVERYTHING).0;
                whole = page_of(&everything, &path).map(|page| (page.page_size(), everything));
            }
            let (size, whole) = whole.expect("a database was made");
            let pages = |files: &Files| files[&path].get(2 * size.bytes()..).map(<[u8]>::to_vec);
            for seed in 0..40 {
                let left = crashes.files(seed).0;
                if page_of(&left, &path).is_some() {
                    assert!(pages(&left) == pages(&whole), "{}, {} with seed {seed}", set.name, path.display());
                    made += 1;
                }
            }
        }
    }
    assert!(made > 0, "no database was made");
}

#[test]
fn a_header_that_says_dirty_tells_of_no_resize_that_the_file_has_not_seen() {
    let mut grown = 0;
    for set in engine_sets().iter().filter(|set| set.name.starts_with("rollforward") || set.name == "micro-growdb") {
        let Some((start, disk)) = recovered(set) else { continue };
        for path in databases(&disk) {
            let Some(first) = header(&start, &path) else { continue };
            let (mut known, mut before) = (first.resize_position, length(&start, &path));
            moments(&disk, |at, everything, _| {
                let Some(header) = header(everything, &path) else { return };
                if header.state == DatabaseState::CleanShutdown {
                    known = header.resize_position;
                }
                // An attach to another stream forgets what was resized before.
                let told = [known, header.attach_position];
                assert!(told.contains(&header.resize_position), "{}, {} behind operation {at}", set.name, path.display());
                let now = length(everything, &path);
                grown += usize::from(now > before && header.state == DatabaseState::DirtyShutdown);
                before = now;
            });
        }
    }
    // A bare clone has none that grows.
    assert!(grown > 0 || engine_sets().len() < 100, "no file grew");
}

#[test]
fn the_checkpoint_can_be_read_at_every_moment() {
    let path = Path::new("log/edb.chk");
    let mut read = 0;
    for set in ["micro-insert", "micro-forcenewlog", "micro-circular"] {
        let start = state_of(set);
        let disk = CrashDisk::new(start.clone());
        assert!(Checkpoint::check(&start[path]).is_ok() && recover(&disk, &options()).is_ok(), "{set}");
        let mut crashes = disk.crashes();
        while crashes.advance() {
            for seed in 0..8 {
                let left = crashes.files(seed).0;
                let checkpoint = left.get(path).map(|bytes| Checkpoint::check(bytes));
                assert!(
                    matches!(checkpoint, Some(Ok(_))),
                    "{set}: {checkpoint:?} behind operation {} with seed {seed}",
                    crashes.at()
                );
                read += usize::from(left[path] != start[path]);
            }
        }
    }
    assert!(read > 0, "no checkpoint was written");
}
