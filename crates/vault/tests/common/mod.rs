//! What the tests of the vault share.
#![allow(dead_code, clippy::unwrap_used)]

pub mod model;

use anchorlog_testkit::random::Random;
use anchorlog_vault::restic::{CreateOptions, ResticVault, Secret};
use anchorlog_vault::{Name, NewSet, Receipt, SetId, StreamReader, Vault};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub const PASSWORD: &str = "correct horse";

pub fn secret() -> Secret {
    Secret::password(PASSWORD)
}

/// Cheap keys, so that tests are fast.
pub fn options() -> CreateOptions {
    CreateOptions { kdf_cost: 10, ..CreateOptions::default() }
}

pub fn create(folder: &Path) -> ResticVault {
    ResticVault::create(folder, &secret(), options()).unwrap()
}

pub fn open(folder: &Path) -> ResticVault {
    ResticVault::open(folder, &secret()).unwrap()
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Bytes of which every other page is zero, so that there is something to compress.
pub fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = vec![0; size];
    for page in bytes.chunks_mut(4096).step_by(2) {
        for word in page.chunks_mut(8) {
            let value = random.next().to_le_bytes();
            word.copy_from_slice(&value[..word.len()]);
        }
    }
    bytes
}

pub fn new_set(time: i64) -> NewSet {
    NewSet { time, host: "server".into(), source: "/srv/mail".into(), ..NewSet::default() }
}

/// Publishes a set with these streams.
pub fn publish(vault: &dyn Vault, new: NewSet, streams: &[(&str, &[u8])]) -> (SetId, Vec<Receipt>) {
    let mut writer = vault.begin_set(new).unwrap();
    let receipts = streams.iter().map(|(stream, bytes)| writer.stream(&name(stream), &mut &bytes[..]).unwrap()).collect();
    (writer.publish(br#"{"version":1}"#).unwrap(), receipts)
}

/// A whole stream, read in pieces of an odd size.
pub fn read(vault: &dyn Vault, set: &SetId, stream: &str) -> anchorlog_vault::Result<Vec<u8>> {
    let reader = vault.open_stream(set, &name(stream))?;
    let mut whole = Vec::new();
    let beside = Mutex::new(vec![0; usize::try_from(reader.size()).unwrap()]);
    let write = |offset: u64, bytes: &[u8]| {
        beside.lock().unwrap()[usize::try_from(offset).unwrap()..][..bytes.len()].copy_from_slice(bytes);
        true
    };
    let digest = reader.read_all(&write, &mut |bytes| {
        whole.extend_from_slice(bytes);
        true
    });
    let read = in_pieces(&*reader);
    // Both ways come to the same, also where something is damaged.
    match (&read, &digest) {
        (Ok(bytes), Ok(Some(digest))) => {
            assert!(*bytes == whole && *bytes == *beside.lock().unwrap() && *digest == *blake3::hash(bytes).as_bytes())
        }
        (read, digest) => assert!(read.is_err() && digest.is_err(), "{:?} {digest:?}", read.as_ref().map(Vec::len)),
    }
    read
}

fn in_pieces(reader: &dyn StreamReader) -> anchorlog_vault::Result<Vec<u8>> {
    let mut all = vec![0; usize::try_from(reader.size()).unwrap()];
    let mut done = 0;
    for piece in all.chunks_mut(300_007) {
        assert_eq!(reader.read_at(done, piece)?, piece.len());
        done += piece.len() as u64;
    }
    assert_eq!(reader.read_at(done, &mut [0; 10])?, 0);
    Ok(all)
}

/// Objects in a folder of the vault.
pub fn objects(vault: &Path, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![vault.join(kind)];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { pending.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// A source that gives some bytes and fails then.
pub struct Failing(pub usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("a bad sector"));
        }
        let count = buffer.len().min(self.0);
        buffer[..count].fill(7);
        self.0 -= count;
        Ok(count)
    }
}
