//! The watch over a vault: each concern by itself, with its state.
#![allow(clippy::unwrap_used)]

#[path = "backup/common.rs"]
#[allow(dead_code, reason = "each test program uses a part")]
mod common;

use anchorlog_format::units::{Generation, LogPosition, LogTime};
use anchorlog_operations::backup::{self, Options};
use anchorlog_operations::monitor::{Beside, Policy, State, Watch, watch};
use anchorlog_operations::sets::{History, Level, Moment, ProofKey, Signed};
use anchorlog_vault::memory::MemoryVault;
use common::{ambient, back_up, copy_of, edit_log, gather, history};
use std::fs;
use std::path::Path;

/// So many hours behind the moment at which all sets of these tests are made.
fn later(hours: u8) -> Moment {
    LogTime::utc(2030, 1, 2 + (3 + hours) / 24, (3 + hours) % 24, 4, 5, 6).into()
}

const DAY: Policy = Policy { max_age: Some(86_400), max_proof_age: None, without: Vec::new(), key: None };

/// The concerns, each with its state and kind.
fn told(watch: &Watch) -> Vec<(State, &'static str)> {
    assert!(watch.concerns.iter().all(|concern| !concern.next.is_empty() && !concern.found.is_empty()));
    assert_eq!(watch.state, watch.concerns.iter().map(|concern| concern.state).max().unwrap_or_default());
    watch.concerns.iter().map(|concern| (concern.state, concern.what)).collect()
}

fn look(history: &History, policy: &Policy, now: Moment) -> Watch {
    watch(history, &Beside::default(), policy, now)
}

fn clean() -> (tempfile::TempDir, MemoryVault) {
    let (folder, vault) = (copy_of("micro-insert", "after"), MemoryVault::new());
    back_up(folder.path(), &vault, &Options::default()).unwrap();
    (folder, vault)
}

#[test]
fn an_empty_vault_and_a_backup_that_is_too_old_are_critical() {
    assert_eq!(told(&look(&history(&MemoryVault::new()), &DAY, later(1))), [(State::Critical, "age")]);
    let (_folder, vault) = clean();
    assert_eq!(told(&look(&history(&vault), &DAY, later(23))), []);
    let old = look(&history(&vault), &DAY, later(25));
    assert_eq!(told(&old), [(State::Critical, "age")]);
    assert!(old.concerns[0].found.contains("25 h old"), "{:?}", old.concerns);
    // What is gone for good is not watched.
    let gone = Policy { without: vec!["DB1.edb".into()], ..DAY };
    let watched = look(&history(&vault), &gone, later(25));
    assert_eq!((told(&watched), watched.databases.len()), (vec![], 0));
}

#[test]
fn a_backup_that_was_not_proved_is_none_and_a_newer_one_without_proof_is_a_warning() {
    let (folder, vault) = clean();
    let mut known = history(&vault);
    known.sets[0].proofs.clear();
    known.sets[0].proved = None;
    assert_eq!(told(&look(&known, &DAY, later(1))), [(State::Critical, "age")]);
    back_up(folder.path(), &vault, &Options::default()).unwrap();
    let mut known = history(&vault);
    known.sets[1].proofs.clear();
    known.sets[1].proved = None;
    assert_eq!(told(&look(&known, &DAY, later(1))), [(State::Warning, "proof")]);
}

#[test]
fn a_database_that_a_newer_set_has_from_another_place_is_watched_there() {
    let (folder, vault) = clean();
    let moved = copy_of("micro-insert", "after");
    fs::copy(folder.path().join("db/db1.edb"), moved.path().join("db/db1.edb")).unwrap();
    back_up(moved.path(), &vault, &Options::default()).unwrap();
    let watched = look(&history(&vault), &DAY, later(1)).databases;
    assert_eq!(watched.len(), 1);
    assert!(watched[0].path.starts_with(&moved.path().display().to_string()), "{watched:?}");
}

#[test]
fn a_proof_by_replay_grows_old_by_itself() {
    let (_folder, vault) = clean();
    let mut known = history(&vault);
    let policy = Policy { max_proof_age: Some(3600), ..DAY };
    assert_eq!(told(&look(&known, &policy, later(1))), [(State::Warning, "proof")]);
    known.sets[0].proofs[0].level = Level::L4;
    assert_eq!(told(&look(&known, &policy, later(1))), []);
    assert_eq!(told(&look(&known, &policy, later(2))), [(State::Warning, "proof")]);
}

#[test]
fn bad_signatures_other_keys_unreadable_sets_damage_and_locks_are_told() {
    let (_folder, vault) = clean();
    let good = history(&vault);
    let mut known = good.clone();
    let bad = anchorlog_operations::sets::ToldProof { signed: Signed::Bad("changed".into()), ..known.sets[0].proofs[0].clone() };
    known.sets[0].proofs.push(bad);
    assert_eq!(told(&look(&known, &DAY, later(1))), [(State::Critical, "signature")]);
    let mut known = good.clone();
    known.unreadable.push(("a set".into(), "is gone".into()));
    known.keys.unreadable.push("is gone".into());
    assert_eq!(told(&look(&known, &DAY, later(1))), [(State::Critical, "damage"), (State::Warning, "key")]);
    let beside = Beside { damage: vec!["a pack is gone".into()], locks: vec!["process 1".into()], production: None };
    let watched = watch(&good, &beside, &DAY, later(1));
    assert_eq!(told(&watched), [(State::Critical, "damage"), (State::Warning, "lock")]);
    assert_eq!((watched.damaged, watched.locks, watched.bad_signatures), (1, 1, 0));
}

#[test]
fn with_an_expected_key_no_other_signature_counts() {
    let (folder, vault) = (copy_of("micro-insert", "after"), MemoryVault::new());
    let key = ProofKey::parse(&"11".repeat(32)).unwrap();
    back_up(folder.path(), &vault, &Options { proof_key: Some(key.clone()), ..Options::default() }).unwrap();
    let expected = |key: &ProofKey| Policy { key: Some(key.public()), ..DAY };
    assert_eq!(told(&look(&history(&vault), &expected(&key), later(1))), []);
    let other = ProofKey::parse(&"22".repeat(32)).unwrap();
    assert_eq!(told(&look(&history(&vault), &expected(&other), later(1))), [(State::Critical, "key"), (State::Critical, "age")]);
    // Who has the vault's key and not this one can attach proofs, but not sign them.
    back_up(folder.path(), &vault, &Options::default()).unwrap();
    assert_eq!(told(&look(&history(&vault), &expected(&key), later(1))), [(State::Warning, "proof")]);
}

fn log(folder: &Path, generation: u32) -> std::path::PathBuf {
    folder.join(format!("log/edb{generation:05X}.log"))
}

/// A stopped database whose logs are cut into sets: with the database those up to `first`, then what `further` brings.
fn in_sets(first: u32, further: &[std::ops::RangeInclusive<u32>]) -> (tempfile::TempDir, MemoryVault) {
    let (source, vault) = (common::stopped(), MemoryVault::new());
    common::edit_header(&source.path().join("db/db1.edb"), |header| {
        header.consistent_position = LogPosition::new(11, 3, 0);
        header.detach_position = header.consistent_position;
        header.recovering = Generation(0);
    });
    let away = tempfile::tempdir().unwrap();
    let last = (1..).take_while(|generation| log(source.path(), *generation).exists()).last().unwrap();
    for generation in first + 1..=last {
        fs::rename(log(source.path(), generation), away.path().join(generation.to_string())).unwrap();
    }
    let current = source.path().join("log/edb.log");
    fs::rename(&current, away.path().join("edb.log")).unwrap();
    back_up(source.path(), &vault, &Options::default()).unwrap();
    for range in further {
        for generation in range.clone() {
            fs::rename(away.path().join(generation.to_string()), log(source.path(), generation)).unwrap();
        }
        let sources = gather(source.path());
        let plan = backup::logs::plan(&sources, &history(&vault), &Options::default());
        backup::make(&plan, &sources, &vault, &ambient(), &mut ()).unwrap();
    }
    (source, vault)
}

#[test]
fn a_hole_between_the_sets_is_critical_until_a_newer_base_stands_behind_it() {
    let (_source, vault) = in_sets(11, &[12..=12, 13..=13, 14..=14]);
    let whole = look(&history(&vault), &DAY, later(1));
    assert_eq!((told(&whole), whole.gaps), (vec![], 0));
    let mut known = history(&vault);
    known.sets[2].proved = None;
    let watched = look(&known, &DAY, later(1));
    assert_eq!((told(&watched), watched.gaps), (vec![(State::Critical, "chain")], 1), "{:?}", watched.concerns);
    assert!(watched.concerns[0].found.contains("generation 0xd "), "{:?}", watched.concerns);
    // The base that the sets roll forward from lies behind the hole.
    for set in &mut known.sets {
        for file in &mut set.manifest.files {
            if let Some(facts) = &mut file.database {
                facts.consistent.generation.0 = 14;
            }
        }
    }
    assert_eq!(told(&look(&known, &DAY, later(1))), []);
}

#[test]
fn a_hole_towards_production_is_critical_and_logs_that_wait_are_counted() {
    let (source, vault) = in_sets(11, &[12..=12]);
    let all = common::stopped();
    let look = |folder: &Path| {
        let sources = gather(folder);
        watch(&history(&vault), &Beside { production: Some(&sources), ..Beside::default() }, &DAY, later(1))
    };
    let watched = look(all.path());
    assert_eq!(told(&watched), []);
    assert!(watched.waiting.unwrap() > 0);
    fs::remove_file(log(all.path(), 13)).unwrap();
    let watched = look(all.path());
    assert_eq!((told(&watched), watched.gaps), (vec![(State::Critical, "chain")], 1), "{:?}", watched.concerns);
    assert_eq!(told(&look(source.path())), []);
    // Another stream is not what the sets hold.
    for generation in 1..=12 {
        edit_log(&log(source.path(), generation), |header| header.signature.0[9] ^= 1);
    }
    assert_eq!(told(&look(source.path())), [(State::Warning, "chain")]);
}
