//! A publication over existing files on a disk whose machine stops at any call, and whose calls fail: old or new, never between.

use anchorlog_storage::Folder;
use anchorlog_storage::journal::{Change, Journal};
use anchorlog_testkit::crash::{CrashDisk, Files};
use std::io;
use std::path::Path;
use std::sync::Arc;

const WORK: &str = ".anchorlog-work-x";

fn files(list: &[(&str, &str)]) -> Files {
    list.iter().map(|(path, content)| (path.into(), Arc::new(content.as_bytes().to_vec()))).collect()
}

fn before() -> Files {
    files(&[("db/a.edb", "old a"), ("db/b.edb", "old b"), ("log/edb.log", "old log"), ("log/reserve", "r"), ("other", "o")])
}

fn after() -> Files {
    files(&[
        ("db/a.edb", "new a"),
        ("db/b.edb", "new b"),
        ("log/edb.log", "new log"),
        ("log/edb00001.log", "next"),
        ("other", "o"),
        ("before/db/a.edb", "old a"),
        ("before/db/b.edb", "old b"),
        ("before/log/edb.log", "old log"),
        ("before/log/reserve", "r"),
    ])
}

fn changes() -> Vec<Change> {
    let put = ["db/a.edb", "db/b.edb", "log/edb.log", "log/edb00001.log"].map(|path| Change::Put(path.into()));
    put.into_iter().chain([Change::Remove("log/reserve".into()), Change::Remove("never/there".into())]).collect()
}

/// Builds the new files, and publishes them.
fn publish(root: &dyn Folder) -> io::Result<()> {
    for (path, content) in after().into_iter().filter(|(path, _)| !path.starts_with("before") && *path != Path::new("other")) {
        let file = root.create(&Path::new(WORK).join(path))?;
        file.write_at(0, &content)?;
        file.sync()?;
    }
    let journal = Journal::new(root, WORK, &changes(), "before")?;
    journal.commit(root)?;
    journal.carry_out(root, usize::MAX)
}

/// What the next run does, and a person sees: the working folder is removed where nothing was committed. `true`: the new state.
fn finished(left: Files) -> bool {
    let disk = CrashDisk::new(left);
    let root = disk.folder();
    if let Some(journal) = Journal::read(&*root).unwrap() {
        journal.carry_out(&*root, usize::MAX).unwrap();
    }
    let mut files = disk.files();
    files.retain(|path, _| {
        !path.to_string_lossy().starts_with(".anchorlog-work-x/") && !path.to_string_lossy().ends_with(".draft")
    });
    assert!(files == before() || files == after(), "between: {:?}", files.keys());
    files == after()
}

#[test]
fn whatever_operation_is_the_last_the_old_state_is_there_or_the_new_one_can_be_completed() {
    let disk = CrashDisk::new(before());
    publish(&*disk.folder()).unwrap();
    let mut crashes = disk.crashes();
    let (mut old, mut new) = (0, 0);
    loop {
        for seed in 0..40 {
            *if finished(crashes.files(seed).0) { &mut new } else { &mut old } += 1;
        }
        if !crashes.advance() {
            break;
        }
    }
    assert!(finished(disk.crashed(disk.operations(), 0)), "what was published is durable");
    assert!(old > 100 && new > 100, "{old} {new}");
}

#[test]
fn a_publication_that_is_completed_may_be_stopped_as_well() {
    let disk = CrashDisk::new(before());
    publish(&*disk.folder()).unwrap();
    for stop in 0..=disk.operations() {
        for seed in 0..8 {
            let second = CrashDisk::new(disk.crashed(stop, seed));
            if let Some(journal) = Journal::read(&*second.folder()).unwrap() {
                journal.carry_out(&*second.folder(), usize::MAX).unwrap();
            }
            for again in 0..=second.operations() {
                finished(second.crashed(again, seed * 7 + again as u64));
            }
        }
    }
}

#[test]
fn whatever_call_fails_the_old_state_is_there_or_the_new_one_can_be_completed() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for call in 0.. {
            let disk = CrashDisk::new(before());
            disk.fail(call, kind);
            let done = publish(&*disk.folder());
            if disk.calls() <= call {
                break;
            }
            assert_eq!(done.as_ref().err().map(io::Error::kind), Some(kind), "call {call}");
            finished(disk.files());
            for seed in 0..4 {
                finished(disk.crashed(disk.operations(), seed));
            }
        }
    }
}
