//! Writers that are killed, machines that stop, storages that fail, and several clients at once.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_testkit::crash::{CrashDisk, Files};
use anchorlog_vault::restic::backend::{Backend, Kind, Object};
use anchorlog_vault::restic::folder::FolderBackend;
use anchorlog_vault::restic::{Depth, Id, ResticVault};
use anchorlog_vault::{Error, SetId, Vault};
use common::{bytes, create, name, new_set, objects, open, options, publish, read, secret};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const FOLDER: &str = "ANCHORLOG_TEST_KILLED_VAULT";

fn ids(vault: &dyn Vault) -> Vec<SetId> {
    vault.sets().unwrap().into_iter().map(|set| set.unwrap().id).collect()
}

/// Bytes without an end, none of which the vault has.
struct Endless(u64, Vec<u8>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.0 += 1;
            self.1 = bytes(self.0, 1 << 20);
        }
        let count = buffer.len().min(self.1.len());
        buffer[..count].copy_from_slice(&self.1[..count]);
        self.1.drain(..count);
        Ok(count)
    }
}

/// The child of the next test: by itself it does nothing.
#[test]
fn a_writer_that_never_ends() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let vault = open(Path::new(&folder));
        let mut writer = vault.begin_set(new_set(2)).unwrap();
        writer.stream(&name("endless"), &mut Endless(100, Vec::new())).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_killed_writer_leaves_the_old_sets_and_no_lock_to_remove() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let content = bytes(1, 1 << 20);
    let (set, _) = publish(&vault, new_set(1), &[("a", &content)]);
    drop(vault);
    let packs = objects(folder.path(), "data").len();
    for round in 1..=2 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_writer_that_never_ends"]).env(FOLDER, folder.path()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        while objects(folder.path(), "data").len() < packs + 2 * round {
            assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "the child writes nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(objects(folder.path(), "locks").len(), 1, "a killed writer leaves its lock");
        let vault = open(folder.path());
        assert_eq!(ids(&vault), std::slice::from_ref(&set));
        assert!(read(&vault, &set, "a").unwrap() == content);
        let report = vault.check(Depth::All).unwrap();
        assert_eq!(report.damage, []);
        assert!(report.unreferenced_packs > 0);
    }
    let vault = open(folder.path());
    let (second, _) = publish(&vault, new_set(3), &[("a", &content)]);
    vault.forget(&[set]).unwrap();
    assert!(read(&vault, &second, "a").unwrap() == content);
    assert_eq!(objects(folder.path(), "tmp"), [""; 0].map(std::path::PathBuf::from), "drafts are swept");
    drop(vault);
    assert!(objects(folder.path(), "locks").is_empty());
}

fn on(disk: &CrashDisk) -> Arc<dyn Backend> {
    Arc::new(FolderBackend::new(disk.folder(), "memory").unwrap())
}

/// A vault with one set, durable.
fn with_one_set() -> (Files, SetId, Vec<u8>) {
    let disk = CrashDisk::default();
    let vault = ResticVault::create_on(on(&disk), &secret(), options()).unwrap();
    let content = bytes(1, 300_000);
    let (set, _) = publish(&vault, new_set(1), &[("a", &content)]);
    drop(vault);
    (disk.files(), set, content)
}

/// The machine was started again: whoever held a lock is gone.
fn restarted(mut files: Files) -> ResticVault {
    files.retain(|path, _| !path.starts_with("locks"));
    ResticVault::open_on(on(&CrashDisk::new(files)), &secret()).unwrap()
}

#[test]
fn a_machine_that_stops_leaves_every_published_set_whole() {
    let (files, first, content) = with_one_set();
    let disk = CrashDisk::new(files);
    let vault = ResticVault::open_on(on(&disk), &secret()).unwrap();
    let other = bytes(2, 200_000);
    let (second, _) = publish(&vault, new_set(2), &[("b", &other)]);
    let published = disk.operations();
    vault.forget(std::slice::from_ref(&first)).unwrap();
    let forgotten = disk.operations();
    let mut crashes = disk.crashes();
    let mut with_second = 0;
    while crashes.advance() {
        for seed in 0..4 {
            let vault = restarted(crashes.files(seed).0);
            let found = ids(&vault);
            let case = format!("seed {seed} behind operation {}", crashes.at());
            assert!(crashes.at() > published || found.contains(&first), "{case}");
            assert!(crashes.at() < published || found.contains(&second), "{case}");
            assert!(crashes.at() < forgotten || !found.contains(&first), "{case}");
            for set in &found {
                let (stream, wanted) = if *set == first { ("a", &content) } else { ("b", &other) };
                assert!(read(&vault, set, stream).unwrap() == *wanted, "{case}");
            }
            with_second += usize::from(crashes.at() < published && found.contains(&second));
            assert_eq!(vault.check(Depth::Metadata).unwrap().damage, [], "{case}");
        }
    }
    assert!(with_second > 0, "no crash between the snapshot and its sync was tried");
}

#[test]
fn a_storage_that_fails_at_any_call_loses_no_set_and_publishes_none_by_halves() {
    let (files, first, content) = with_one_set();
    let other = bytes(2, 200_000);
    let run = |disk: &CrashDisk| -> Result<SetId, Error> {
        let vault = ResticVault::open_on(on(disk), &secret())?;
        let mut writer = vault.begin_set(new_set(2))?;
        writer.stream(&name("b"), &mut &other[..])?;
        writer.publish(b"{}")
    };
    let calls = {
        let disk = CrashDisk::new(files.clone());
        run(&disk).unwrap();
        disk.calls()
    };
    let mut failed = 0;
    for call in 0..calls {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::TimedOut] {
            let disk = CrashDisk::new(files.clone());
            disk.fail(call, kind);
            let done = run(&disk);
            failed += usize::from(done.is_err());
            let vault = restarted(disk.files());
            assert!(read(&vault, &first, "a").unwrap() == content, "call {call}");
            match done {
                Ok(set) => assert!(read(&vault, &set, "b").unwrap() == other, "call {call}"),
                Err(error) => assert_eq!(ids(&vault), std::slice::from_ref(&first), "call {call}: {error}"),
            }
        }
    }
    assert!(failed > calls, "{failed} of {calls} calls");
}

#[test]
fn two_writers_at_once_both_publish() {
    let folder = tempfile::tempdir().unwrap();
    drop(create(folder.path()));
    let content: Vec<Vec<u8>> = (0..3).map(|seed| bytes(seed % 2, 3 << 20)).collect();
    let sets: Vec<SetId> = std::thread::scope(|scope| {
        let write = |number: usize| {
            let (folder, content) = (folder.path(), &content[number]);
            scope.spawn(move || publish(&open(folder), new_set(number.try_into().unwrap()), &[("a", content)]).0)
        };
        let writers: Vec<_> = (0..3).map(write).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let vault = open(folder.path());
    for (set, content) in sets.iter().zip(&content) {
        assert!(read(&vault, set, "a").unwrap() == *content);
    }
    assert_eq!(vault.check(Depth::All).unwrap().damage, []);
}

#[test]
fn nobody_forgets_below_a_reader_or_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (set, _) = publish(&vault, new_set(1), &[("a", b"some bytes")]);
    let reader = vault.open_stream(&set, &name("a")).unwrap();
    assert!(matches!(vault.forget(std::slice::from_ref(&set)), Err(Error::Locked(_))), "the same program");
    assert!(matches!(open(folder.path()).forget(std::slice::from_ref(&set)), Err(Error::Locked(_))), "another");
    drop(reader);
    assert!(matches!(open(folder.path()).forget(std::slice::from_ref(&set)), Err(Error::Locked(_))), "a vault that is open");
    vault.forget(&[set]).unwrap();
}

#[test]
fn who_has_a_vault_alone_does_not_wait_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let refused = vault.alone(|exclusive| -> Result<bool, Error> {
        exclusive.confirm()?;
        Ok(matches!(vault.begin_set(new_set(1)), Err(Error::Locked(_))) && exclusive.is_held())
    });
    assert!(refused.unwrap());
    publish(&vault, new_set(1), &[("a", b"some bytes")]);
}

#[test]
fn a_folder_that_cannot_be_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (set, _) = publish(&vault, new_set(1), &[("a", b"some bytes")]);
    drop(vault);
    let backend = FolderBackend::new(Arc::new(anchorlog_storage::DiskFolder::read_only(folder.path())), "read-only").unwrap();
    let vault = ResticVault::open_on(Arc::new(backend), &secret()).unwrap();
    assert_eq!(read(&vault, &set, "a").unwrap(), b"some bytes");
    assert!(
        matches!(vault.begin_set(new_set(2)).err().unwrap(), Error::Storage(_, error) if error.kind() == io::ErrorKind::PermissionDenied)
    );
}

#[test]
fn a_writer_whose_lock_was_taken_for_stale_publishes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let mut writer = vault.begin_set(new_set(1)).unwrap();
    writer.stream(&name("a"), &mut &b"some bytes"[..]).unwrap();
    std::fs::remove_file(objects(folder.path(), "locks").remove(0)).unwrap();
    assert!(matches!(writer.publish(b"{}"), Err(Error::Locked(_))));
    assert_eq!(vault.sets().unwrap(), []);
    assert!(objects(folder.path(), "snapshots").is_empty());
}

/// A storage that says it has written an object, and has not, or other bytes.
struct Lying {
    honest: FolderBackend,
    kind: Kind,
    lie: fn(Vec<u8>) -> Option<Vec<u8>>,
}

impl Backend for Lying {
    fn location(&self) -> String {
        self.honest.location()
    }
    fn list(&self, kind: Kind) -> io::Result<Vec<(Id, u64)>> {
        self.honest.list(kind)
    }
    fn read(&self, object: Object, limit: u64) -> io::Result<Vec<u8>> {
        self.honest.read(object, limit)
    }
    fn read_range(&self, object: Object, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.honest.read_range(object, offset, length)
    }
    fn create(&self, object: Object, bytes: &[u8]) -> io::Result<()> {
        let written = if object.kind == self.kind { (self.lie)(bytes.to_vec()) } else { Some(bytes.to_vec()) };
        written.map_or(Ok(()), |bytes| self.honest.create(object, &bytes))
    }
    fn remove(&self, object: Object) -> io::Result<()> {
        self.honest.remove(object)
    }
    fn sync(&self) -> io::Result<()> {
        self.honest.sync()
    }
}

#[test]
fn what_does_not_read_back_is_not_published() {
    let (files, first, content) = with_one_set();
    let lost = |_: Vec<u8>| None;
    let cut = |mut bytes: Vec<u8>| {
        bytes.pop();
        Some(bytes)
    };
    let changed = |bytes: Vec<u8>| Some(bytes.into_iter().map(|byte| byte ^ 1).collect());
    let lies: [fn(Vec<u8>) -> Option<Vec<u8>>; 3] = [lost, cut, changed];
    for kind in [Kind::Pack, Kind::Index, Kind::Snapshot] {
        for (number, lie) in lies.into_iter().enumerate() {
            let disk = CrashDisk::new(files.clone());
            let honest = FolderBackend::new(disk.folder(), "memory").unwrap();
            let vault = ResticVault::open_on(Arc::new(Lying { honest, kind, lie }), &secret()).unwrap();
            let mut writer = vault.begin_set(new_set(2)).unwrap();
            writer.stream(&name("b"), &mut &bytes(2, 200_000)[..]).unwrap();
            assert!(matches!(writer.publish(b"{}"), Err(Error::Damaged(_))), "{kind:?}, lie {number}");
            let vault = restarted(disk.files());
            assert_eq!(ids(&vault), std::slice::from_ref(&first), "{kind:?}, lie {number}");
            assert!(read(&vault, &first, "a").unwrap() == content);
        }
    }
}
