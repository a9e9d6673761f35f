//! A vault in restic's format: the same answers as the model in memory, and what only it has.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_testkit::random::Random;
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::restic::{CreateOptions, ResticVault, Secret};
use anchorlog_vault::{Error, Hold, NewSet, SetId, Vault};
use common::model::{self, ids};
use common::{Failing, bytes, create, name, new_set, objects, open, options, publish, read, secret};
use std::fs;

#[test]
fn the_same_operations_have_the_same_answers_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    model::has_the_same_answers_as_in_memory(&create(folder.path()).with_segment_size(1 << 20));
}

#[test]
fn what_was_stored_comes_back_from_any_offset() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path()).with_segment_size(1 << 20);
    let long = bytes(1, (5 << 20) + 12_345);
    let (set, receipts) = publish(&vault, new_set(1), &[("long", &long), ("exact", &long[..2 << 20]), ("empty", &[])]);
    assert_eq!(receipts.iter().map(|receipt| receipt.bytes).collect::<Vec<_>>(), [long.len() as u64, 2 << 20, 0]);
    let vault = open(folder.path());
    assert!(read(&vault, &set, "long").unwrap() == long);
    assert!(read(&vault, &set, "exact").unwrap() == long[..2 << 20]);
    assert_eq!(read(&vault, &set, "empty").unwrap(), b"");
    let reader = vault.open_stream(&set, &name("long")).unwrap();
    let mut random = Random::new(1);
    for _ in 0..200 {
        let (offset, size) = (random.below(long.len() + 10), random.below(200_000));
        let mut buffer = vec![0; size];
        let count = reader.read_at(offset as u64, &mut buffer).unwrap();
        let wanted = long.get(offset..).unwrap_or_default();
        assert!(buffer[..count] == wanted[..wanted.len().min(size)], "{size} bytes at {offset}");
    }
}

#[test]
fn what_is_there_already_is_not_stored_again() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let mut database = bytes(1, 8 << 20);
    let (_, first) = publish(&vault, new_set(1), &[("mail.edb", &database)]);
    assert!(first[0].stored > 4 << 20, "{}", first[0].stored);
    database[5 << 20] ^= 1;
    let (_, second) = publish(&open(folder.path()), new_set(2), &[("mail.edb", &database)]);
    assert!((1..=66_000).contains(&second[0].stored), "{}", second[0].stored);
    let (_, third) = publish(&vault, new_set(3), &[("mail.edb", &database), ("copy.edb", &database)]);
    assert_eq!(third.iter().map(|receipt| receipt.stored).sum::<u64>(), 0);
}

#[test]
fn a_source_that_fails_can_not_be_published_and_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (set, _) = publish(&vault, new_set(1), &[("a", b"some bytes")]);
    for good in [0, 100_000, 5 << 20] {
        let mut writer = vault.begin_set(new_set(2)).unwrap();
        assert!(
            matches!(writer.stream(&name("a"), &mut Failing(good)), Err(Error::Source(_, error)) if error.to_string() == "a bad sector")
        );
        writer.stream(&name("b"), &mut &b"good"[..]).unwrap();
        assert!(matches!(writer.publish(b"{}"), Err(Error::Source(..))));
    }
    assert_eq!(ids(&vault), [set]);
}

#[test]
fn a_set_that_is_not_published_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    vault.begin_set(new_set(1)).unwrap().stream(&name("a"), &mut &bytes(1, 100_000)[..]).unwrap();
    assert_eq!(vault.sets().unwrap(), []);
    drop(vault);
    assert_eq!(objects(folder.path(), "locks"), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn another_secret_does_not_open_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(create(folder.path()));
    assert!(matches!(ResticVault::open(folder.path(), &Secret::password("wrong")), Err(Error::WrongKey)));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(ResticVault::open(empty.path(), &secret()), Err(Error::NoVault(_))));
}

#[test]
fn a_key_can_be_added_and_the_first_removed() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (set, _) = publish(&vault, new_set(1), &[("a", b"some bytes")]);
    let first = vault.keys().unwrap()[0].id;
    let text = Secret::new_key_file().unwrap();
    let file = Secret::key_file(text.as_bytes()).unwrap();
    vault.add_key(&file, 10).unwrap();
    assert!(vault.remove_key(first).is_err(), "the key in use");
    drop(vault);
    let vault = ResticVault::open(folder.path(), &file).unwrap();
    assert_eq!(vault.keys().unwrap().iter().filter(|key| key.in_use).count(), 1);
    vault.remove_key(first).unwrap();
    assert_eq!(read(&vault, &set, "a").unwrap(), b"some bytes");
    assert!(matches!(ResticVault::open(folder.path(), &secret()), Err(Error::WrongKey)));
    assert!(Secret::key_file(b" \n").is_none() && Secret::key_file(&[0xFF]).is_none());
}

#[test]
fn a_vault_is_made_only_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    assert!(matches!(ResticVault::create(folder.path(), &secret(), options()), Err(Error::NotEmpty(_))));
    let folder = tempfile::tempdir().unwrap();
    drop(create(folder.path()));
    assert!(matches!(ResticVault::create(folder.path(), &secret(), options()), Err(Error::NotEmpty(_))));
    // An interrupted creation leaves no `config`.
    fs::remove_file(folder.path().join("config")).unwrap();
    let vault = create(folder.path());
    assert_eq!(vault.keys().unwrap().len(), 1);
    let folder = tempfile::tempdir().unwrap();
    for chunk_size in [0, 1 << 14, 100_000, 8 << 20] {
        let options = CreateOptions { chunk_size, ..options() };
        assert!(matches!(ResticVault::create(folder.path(), &secret(), options), Err(Error::Unsupported(_))));
    }
}

#[test]
fn making_a_vault_over_one_that_lost_its_config_leaves_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    publish(&create(folder.path()), new_set(1), &[("a", b"some bytes")]);
    fs::remove_file(folder.path().join("config")).unwrap();
    assert!(matches!(ResticVault::create(folder.path(), &secret(), options()), Err(Error::NotEmpty(_))));
    assert_eq!(objects(folder.path(), "keys").len(), 1);
}

#[test]
fn a_set_that_another_needs_is_not_forgotten_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let vaults: [&dyn Vault; 2] = [&MemoryVault::new(), &create(folder.path())];
    for vault in vaults {
        let (full, _) = publish(vault, new_set(1), &[("a", b"full")]);
        let (logs, _) = publish(vault, NewSet { needs: vec![full.clone()], ..new_set(2) }, &[("b", b"logs")]);
        assert!(matches!(vault.forget(std::slice::from_ref(&full)), Err(Error::Held(set, _)) if set == full));
        assert_eq!(ids(vault), [full.clone(), logs.clone()]);
        vault.forget(&[full.clone(), logs]).unwrap();
        assert_eq!(ids(vault), []);
        assert!(matches!(vault.begin_set(NewSet { needs: vec![full], ..new_set(3) }), Err(Error::NoSet(_))));
    }
}

#[test]
fn a_held_set_is_not_forgotten_before_it_is_given_free() {
    let folder = tempfile::tempdir().unwrap();
    let vaults: [&dyn Vault; 2] = [&MemoryVault::new(), &create(folder.path())];
    for vault in vaults {
        let (free, _) = publish(vault, new_set(1), &[("a", b"free")]);
        let (held, _) = publish(vault, new_set(2), &[("b", b"held")]);
        let attach = |document: &[u8]| vault.attach(&held, &name(Hold::NAME), document).unwrap();
        attach(&Hold::document(Some(&Hold { until: None, reason: "an audit".into() })).unwrap());
        let both = [free.clone(), held.clone()];
        assert!(matches!(vault.forget(&both), Err(Error::Held(set, why)) if set == held && why.contains("an audit")));
        assert_eq!(ids(vault), both, "all or none");
        let over = Hold { until: Some("2001-01-01T00:00:00Z".parse().unwrap()), reason: String::new() };
        attach(b"no hold");
        assert!(matches!(vault.forget(&both), Err(Error::Held(_, why)) if why.contains("cannot be read")));
        attach(&Hold::document(Some(&over)).unwrap());
        vault.forget(std::slice::from_ref(&held)).unwrap();
        assert_eq!(ids(vault), [free]);
    }
}

#[test]
fn what_a_stopped_forget_left_goes_with_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let sets: Vec<SetId> = (1..=3).map(|time| publish(&vault, new_set(time), &[("a", b"bytes")]).0).collect();
    sets.iter().for_each(|set| vault.attach(set, &name("proof.json"), b"proof").unwrap());
    // It was stopped when the set was gone, and its attachment was not.
    fs::remove_file(folder.path().join("snapshots").join(sets[0].as_str())).unwrap();
    let damaged = folder.path().join("snapshots").join("7".repeat(64));
    fs::write(&damaged, "torn").unwrap();
    vault.forget(&sets[1..2]).unwrap();
    assert_eq!(objects(folder.path(), "snapshots").len(), 4, "the damaged one may be its set");
    fs::remove_file(damaged).unwrap();
    vault.forget(&sets[2..]).unwrap();
    assert!(objects(folder.path(), "snapshots").is_empty());
}

#[test]
fn a_copy_says_of_which_set() {
    let folder = tempfile::tempdir().unwrap();
    let vaults: [&dyn Vault; 2] = [&MemoryVault::new(), &create(folder.path())];
    for vault in vaults {
        let original = SetId::parse(&"7".repeat(64)).unwrap();
        publish(vault, NewSet { copy_of: Some(original.clone()), ..new_set(1) }, &[]);
        let set = vault.sets().unwrap().remove(0).unwrap();
        assert_eq!((set.original(), set.made.tags.len()), (&original, 0));
    }
}

#[test]
fn attachments_go_with_their_set() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (kept, _) = publish(&vault, new_set(1), &[("a", b"one")]);
    let (gone, _) = publish(&vault, new_set(2), &[("a", b"two")]);
    for set in [&kept, &gone] {
        vault.attach(set, &name("proof.json"), b"first").unwrap();
        vault.attach(set, &name("proof.json"), b"second").unwrap();
    }
    vault.forget(std::slice::from_ref(&gone)).unwrap();
    assert_eq!(objects(folder.path(), "snapshots").len(), 3);
    let found: Vec<Vec<u8>> = vault.attachments(&kept).unwrap().into_iter().map(|attachment| attachment.bytes).collect();
    assert_eq!(found, [b"first".to_vec(), b"second".to_vec()]);
    assert!(matches!(vault.attachments(&gone), Err(Error::NoSet(_))));
}

#[test]
fn an_append_only_vault_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = CreateOptions { append_only: true, ..options() };
    let vault = ResticVault::create(folder.path(), &secret(), options).unwrap();
    let (set, _) = publish(&vault, new_set(1), &[("a", b"one")]);
    assert!(matches!(vault.forget(std::slice::from_ref(&set)), Err(Error::Unsupported(_))));
    assert!(matches!(open(folder.path()).forget(std::slice::from_ref(&set)), Err(Error::Unsupported(_))));
    assert_eq!(ids(&vault), [set]);
}

#[test]
fn tags_that_would_make_a_snapshot_what_it_is_not_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    for tag in ["", "a,b", "anchorlog:set"] {
        assert!(
            matches!(vault.begin_set(NewSet { tags: vec![tag.into()], ..new_set(1) }), Err(Error::Unsupported(_))),
            "{tag:?}"
        );
    }
}

#[test]
fn a_set_is_listed_behind_those_it_needs_whatever_the_clock_said() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    // In one moment, in which identities alone would order them; and with a clock that was set back.
    for times in [[5; 12], std::array::from_fn(|number| 100 - number as i64)] {
        let mut made: Vec<SetId> = Vec::new();
        for time in times {
            let needs = made.last().cloned().into_iter().collect();
            made.push(publish(&vault, NewSet { needs, ..new_set(time) }, &[]).0);
        }
        let listed: Vec<SetId> = ids(&vault).into_iter().filter(|set| made.contains(set)).collect();
        assert_eq!(listed, made);
    }
    assert_eq!(ids(&vault).len(), 24);
}

#[test]
fn sets_of_one_second_are_listed_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let made: Vec<SetId> = (0..12).map(|millisecond| publish(&vault, new_set(1_000_000 + millisecond), &[]).0).collect();
    assert_eq!(ids(&vault), made);
    assert_eq!(vault.sets().unwrap()[3].as_ref().unwrap().made.time, 1_000_003);
}

#[test]
fn pieces_of_a_stream_are_known_by_their_hashes_from_its_start_to_its_end() {
    use sha2::{Digest as _, Sha256};
    let folder = tempfile::tempdir().unwrap();
    let vaults: [Box<dyn Vault>; 2] = [Box::new(create(&folder.path().join("v"))), Box::new(MemoryVault::new())];
    let stored = bytes(3, 700_001);
    for vault in vaults {
        let (set, _) = publish(&*vault, new_set(1), &[("db/a.edb", &stored)]);
        let reader = vault.open_stream(&set, &name("db/a.edb")).unwrap();
        let mut next = 0;
        while let Some(piece) = reader.known(next).unwrap() {
            assert_eq!(piece.start, next);
            assert_eq!(reader.known(next + piece.size - 1).unwrap(), Some(piece));
            let (start, end) = (usize::try_from(next).unwrap(), usize::try_from(next + piece.size).unwrap());
            assert_eq!(piece.sha256, <[u8; 32]>::from(Sha256::digest(&stored[start..end])));
            next += piece.size;
        }
        assert_eq!(next, 700_001);
    }
}
/// A stream with one byte changed in every so-many-th chunk.
fn changed(bytes: &[u8], chunk: usize, every: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for at in (0..bytes.len()).step_by(chunk * every) {
        changed[at] ^= 1;
    }
    changed
}

#[test]
fn what_resembles_another_set_is_stored_the_same_as_if_it_did_not() {
    const CHUNK: usize = 64 << 10;
    // One segment, several, and a stream that grew over the size of a segment.
    for (before, after) in [(700_000, 700_000), (3 << 20, 3 << 20), (5 << 20, (5 << 20) + 77), (900_000, 3 << 20)] {
        let old = bytes(1, before);
        let mut new = changed(&bytes(1, before.max(after)), CHUNK, 5);
        new.truncate(after);
        let mut snapshots = Vec::new();
        for hint in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let vault = create(folder.path()).with_segment_size(1 << 20);
            let (first, _) = publish(&vault, new_set(1), &[("db", &old)]);
            let mut writer = vault.begin_set(new_set(2)).unwrap();
            if hint {
                // A set that is not there changes nothing.
                writer.resembles(&SetId::parse(&"00".repeat(32)).unwrap());
                writer.resembles(&first);
            }
            let receipt = writer.stream(&name("db"), &mut &new[..]).unwrap();
            assert_eq!((receipt.bytes, receipt.blake3), (after as u64, *blake3::hash(&new).as_bytes()));
            let set = writer.publish(b"{}").unwrap();
            assert!(read(&vault, &set, "db").unwrap() == new, "{before} {after} {hint}");
            snapshots.push((receipt.stored, vault.check(anchorlog_vault::restic::Depth::All).unwrap().damage));
        }
        assert_eq!(snapshots[0], snapshots[1]);
        assert!(snapshots[0].1.is_empty());
    }
}

#[test]
fn a_chunk_that_was_lost_since_is_stored_anew_whatever_the_set_resembles() {
    let folder = tempfile::tempdir().unwrap();
    let stream = bytes(3, 2 << 20);
    let (first, _) = publish(&create(folder.path()), new_set(1), &[("db", &stream)]);
    let is_large = |path: &&std::path::PathBuf| fs::metadata(path).unwrap().len() > 100_000;
    objects(folder.path(), "data").iter().filter(is_large).for_each(|pack| fs::remove_file(pack).unwrap());
    let vault = open(folder.path());
    assert!(read(&vault, &first, "db").is_err());
    let mut writer = vault.begin_set(new_set(2)).unwrap();
    writer.resembles(&first);
    assert!(writer.stream(&name("db"), &mut &stream[..]).unwrap().stored > 500_000);
    let set = writer.publish(b"{}").unwrap();
    assert!(read(&vault, &set, "db").unwrap() == stream);
    assert!(read(&vault, &first, "db").unwrap() == stream);
}

#[test]
fn a_stream_is_read_whole_in_order_until_its_reader_has_enough() {
    let folder = tempfile::tempdir().unwrap();
    let stream = bytes(4, (9 << 20) + 123);
    let vault = create(folder.path()).with_segment_size(1 << 20);
    let (set, _) = publish(&vault, new_set(1), &[("db", &stream), ("empty", b"")]);
    let reader = vault.open_stream(&set, &name("db")).unwrap();
    let mut whole = Vec::new();
    let mut all = |bytes: &[u8]| {
        whole.extend_from_slice(bytes);
        true
    };
    assert_eq!(reader.read_all(&|_, _| true, &mut all).unwrap(), Some(blake3::hash(&stream).into()));
    assert!(whole == stream);
    let mut pieces = 0;
    let mut two = |_: &[u8]| {
        pieces += 1;
        pieces < 2
    };
    assert_eq!(reader.read_all(&|_, _| true, &mut two).unwrap(), None);
    assert_eq!(reader.read_all(&|offset, _| offset == 0, &mut |_| true).unwrap(), None);
    assert_eq!(pieces, 2);
    let empty = vault.open_stream(&set, &name("empty")).unwrap().read_all(&|_, _| true, &mut |_| panic!("nothing is there"));
    assert_eq!(empty.unwrap(), Some(blake3::hash(b"").into()));
}
