//! What the tests of backups share.

use anchorlog_format::database::HeaderPage;
use anchorlog_format::units::LogTime;
use anchorlog_operations::backup::{self, Error, Inputs, Options, Plan, Predicate, Progress, Report, Sources};
use anchorlog_operations::sets::History;
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::{DiskFolder, Folder};
use anchorlog_testkit::data::{copy_folder, engine_set};
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::{Name, SetId, Vault};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub fn ambient() -> Ambient {
    Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7)
}

/// A copy of a part of a set that every checkout has.
pub fn copy_of(set: &str, below: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let source = engine_set(set).expect("the set is in every checkout").folder().join(below);
    copy_folder(&source, copy.path()).unwrap();
    copy
}

pub fn inputs(folder: &Path) -> Inputs {
    Inputs { folder: folder.to_owned(), ..Inputs::default() }
}

pub fn gather(folder: &Path) -> Sources {
    Sources::gather(&inputs(folder)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

pub fn history(vault: &dyn Vault) -> History {
    let history = History::read(vault).unwrap();
    assert_eq!(history.unreadable, []);
    history
}

pub fn plan_offline(folder: &Path, vault: &dyn Vault, options: &Options) -> Plan {
    backup::offline::plan(&gather(folder), &history(vault), options)
}

pub fn back_up(folder: &Path, vault: &dyn Vault, options: &Options) -> Result<Report, Error> {
    back_up_with(folder, vault, options, &mut ())
}

pub fn back_up_with(folder: &Path, vault: &dyn Vault, options: &Options, progress: &mut dyn Progress) -> Result<Report, Error> {
    let sources = gather(folder);
    let plan = backup::offline::plan(&sources, &history(vault), options);
    backup::make(&plan, &sources, vault, &ambient(), progress)
}

/// Every file below a folder with its digest.
pub fn digests(root: &Path) -> BTreeMap<String, String> {
    let entries = DiskFolder::read_only(root).list().unwrap();
    let digest = |path: &Path| hex(&Sha256::digest(fs::read(root.join(path)).unwrap()));
    entries.iter().map(|entry| (entry.path.display().to_string(), digest(&entry.path))).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All bytes of a stream.
pub fn stream(vault: &dyn Vault, set: &SetId, name: &Name) -> Vec<u8> {
    let stream = vault.open_stream(set, name).unwrap();
    let mut bytes = vec![0; usize::try_from(stream.size()).unwrap()];
    assert_eq!(stream.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// The predicates of a number that do not hold.
pub fn broken<'p>(plan: &'p Plan, id: &str) -> Vec<&'p Predicate> {
    plan.predicates.iter().filter(|predicate| predicate.id == id && !predicate.holds).collect()
}

/// All predicates that do not hold, as numbers with their codes, each once.
pub fn breaches(plan: &Plan) -> Vec<String> {
    numbers(plan.predicates.iter().filter(|predicate| !predicate.holds))
}

/// Predicates as numbers with the codes of their refusals, each once.
pub fn numbers<'p>(predicates: impl Iterator<Item = &'p Predicate>) -> Vec<String> {
    let all: BTreeSet<String> = predicates.map(|predicate| format!("{} {}", predicate.id, predicate.refusal.unwrap())).collect();
    all.into_iter().collect()
}

/// What was refused are exactly these numbers, and each says what was read and what to do.
pub fn are_these(predicates: &[Predicate], expected: &[&str]) {
    assert_eq!(numbers(predicates.iter()), expected, "{predicates:#?}");
    assert!(predicates.iter().all(|predicate| !predicate.next.is_empty() && !predicate.read.is_empty()));
}

/// A backup is refused for exactly these numbers; the sources and the vault are as they were.
pub fn refused(folder: &Path, options: &Options, expected: &[&str]) -> Vec<Predicate> {
    let (vault, before) = (MemoryVault::new(), digests(folder));
    let error = back_up(folder, &vault, options).expect_err("it must be refused");
    let Error::Refused(predicates) = error else { panic!("{error}") };
    are_these(&predicates, expected);
    assert_eq!(digests(folder), before);
    assert_eq!(vault.sets().unwrap(), []);
    predicates
}

/// Changes the header of a database, both copies.
pub fn edit_header(path: &Path, edit: impl FnOnce(&mut anchorlog_format::database::DatabaseHeader)) {
    let mut bytes = fs::read(path).unwrap();
    let (mut page, _) = HeaderPage::elect(&bytes).unwrap();
    edit(&mut page.header);
    let header = page.to_bytes();
    bytes[..header.len()].copy_from_slice(&header);
    bytes[header.len()..2 * header.len()].copy_from_slice(&header);
    fs::write(path, bytes).unwrap();
}

/// Changes the header of a log.
pub fn edit_log(path: &Path, edit: impl FnOnce(&mut anchorlog_format::log::header::LogHeader)) {
    let mut bytes = fs::read(path).unwrap();
    let mut header = anchorlog_format::log::header::LogHeader::check(&bytes).unwrap();
    edit(&mut header);
    let header = header.to_bytes();
    bytes[..header.len()].copy_from_slice(&header);
    fs::write(path, bytes).unwrap();
}

/// A database that was shut down cleanly, its closed logs 1 to 14, and the current log 15, in which its anchor lies.
pub fn stopped() -> tempfile::TempDir {
    let folder = copy_of("rollforward-logsonly", "after");
    let before = engine_set("rollforward-logsonly").unwrap().folder().join("before/log");
    for entry in fs::read_dir(before).unwrap().flatten().filter(|entry| entry.file_name() != "edb.log") {
        fs::write(folder.path().join("log").join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
    folder
}

/// The same, clean since generation 12: so that its anchor is a closed log.
pub fn stopped_at_12() -> tempfile::TempDir {
    let folder = stopped();
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.consistent_position = anchorlog_format::units::LogPosition::new(12, 3, 0);
        header.detach_position = header.consistent_position;
        header.recovering = anchorlog_format::units::Generation(0);
    });
    folder
}

/// Flips bits of a byte.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0xFF;
    fs::write(path, bytes).unwrap();
}

/// Overwrites bytes with others: no checksum holds behind it.
pub fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    for (offset, byte) in bytes[at..at + 16].iter_mut().enumerate() {
        *byte ^= u8::try_from(offset * offset + 7).unwrap();
    }
    fs::write(path, bytes).unwrap();
}

/// Follows a backup and does something when so many bytes were read.
pub struct After<F: FnMut()> {
    pub bytes: u64,
    pub then: F,
}

impl<F: FnMut()> Progress for After<F> {
    fn bytes(&mut self, _: &str, bytes: u64) -> bool {
        let before = self.bytes;
        self.bytes = before.saturating_sub(bytes);
        if before > 0 && self.bytes == 0 {
            (self.then)();
        }
        true
    }
}
