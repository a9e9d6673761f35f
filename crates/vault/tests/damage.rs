//! Damaged vaults: what comes back is what was stored, or an error that says where; and what is not concerned still comes back.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_testkit::data::copy_folder;
use anchorlog_vault::restic::{Depth, ResticVault};
use anchorlog_vault::{Error, SetId, Vault};
use common::{bytes, create, name, new_set, objects, open, publish, read, secret};
use std::fs;
use std::path::{Path, PathBuf};

/// A vault with two sets that share nothing, and the objects of each.
struct Two {
    folder: tempfile::TempDir,
    sets: [SetId; 2],
    content: [Vec<u8>; 2],
    objects: [Vec<PathBuf>; 2],
}

fn two() -> Two {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path()).with_segment_size(1 << 20);
    let content = [bytes(1, (1 << 20) + 5), bytes(2, (1 << 20) + 5)];
    let mut objects: [Vec<PathBuf>; 2] = Default::default();
    let mut sets = Vec::new();
    for number in 0..2 {
        let before = all_objects(folder.path());
        let mut writer = vault.begin_set(new_set(number)).unwrap();
        let at = usize::try_from(number).unwrap();
        writer.stream(&name("mail.edb"), &mut &content[at][..]).unwrap();
        writer.stream(&name("log"), &mut &content[at][1000..9000]).unwrap();
        sets.push(writer.publish(format!("{{\"set\":{number}}}").as_bytes()).unwrap());
        objects[at] = all_objects(folder.path()).into_iter().filter(|object| !before.contains(object)).collect();
    }
    drop(vault);
    let sets = sets.try_into().unwrap();
    Two { folder, sets, content, objects }
}

fn all_objects(vault: &Path) -> Vec<PathBuf> {
    let kinds = ["snapshots", "index", "data"];
    kinds.iter().flat_map(|kind| objects(vault, kind)).map(|path| path.strip_prefix(vault).unwrap().to_owned()).collect()
}

/// Everything that can be asked of a set is right, or an error; how many errors there were.
fn errors(vault: &ResticVault, two: &Two, set: usize) -> Vec<String> {
    let mut errors = Vec::new();
    let (id, content) = (&two.sets[set], &two.content[set]);
    match vault.manifest(id) {
        Ok(manifest) => assert_eq!(manifest, format!("{{\"set\":{set}}}").as_bytes()),
        Err(error) => errors.push(error.to_string()),
    }
    for (stream, wanted) in [("mail.edb", &content[..]), ("log", &content[1000..9000])] {
        match read(vault, id, stream) {
            Ok(found) => assert!(found == wanted, "other bytes than were stored"),
            Err(error) => errors.push(error.to_string()),
        }
    }
    errors
}

fn damages() -> Vec<(&'static str, fn(&Path, &Path))> {
    fn flip(path: &Path, at: impl Fn(usize) -> usize) {
        let mut bytes = fs::read(path).unwrap();
        let at = at(bytes.len());
        bytes[at] ^= 0x10;
        fs::write(path, bytes).unwrap();
    }
    fn cut(path: &Path, to: impl Fn(usize) -> usize) {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..to(bytes.len())]).unwrap();
    }
    vec![
        ("first byte flipped", |path, _| flip(path, |_| 0)),
        ("middle byte flipped", |path, _| flip(path, |size| size / 2)),
        ("last byte flipped", |path, _| flip(path, |size| size - 1)),
        ("cut in half", |path, _| cut(path, |size| size / 2)),
        ("last byte lost", |path, _| cut(path, |size| size - 1)),
        ("empty", |path, _| cut(path, |_| 0)),
        ("gone", |path, _| fs::remove_file(path).unwrap()),
        ("another's content", |path, other| assert!(fs::copy(other, path).unwrap() > 0)),
    ]
}

#[test]
fn no_damage_gives_wrong_bytes_or_hides_another_set() {
    let two = two();
    for damaged in &two.objects[0] {
        let kind = damaged.components().next().unwrap();
        let other = two.objects[1].iter().find(|other| other.components().next() == Some(kind)).unwrap();
        for (what, damage) in damages() {
            let folder = tempfile::tempdir().unwrap();
            copy_folder(two.folder.path(), folder.path()).unwrap();
            damage(&folder.path().join(damaged), &folder.path().join(other));
            let case = format!("{}: {what}", damaged.display());
            let vault = open(folder.path());
            let listed: Vec<SetId> = vault.sets().unwrap().into_iter().filter_map(|set| set.ok().map(|set| set.id)).collect();
            assert!(listed.contains(&two.sets[1]), "{case}");
            assert_eq!(errors(&vault, &two, 1), [""; 0], "{case}");
            let told = errors(&vault, &two, 0);
            let report = vault.check(Depth::All).unwrap();
            // A snapshot that is not there is no damage: nobody can tell it from one that was forgotten.
            if !(what == "gone" && damaged.starts_with("snapshots")) {
                assert!(!report.damage.is_empty(), "{case}: the check finds nothing");
            }
            if !damaged.starts_with("data") {
                assert_eq!(told.len(), 3, "{case}: {told:?}");
            }
            assert!(told.iter().all(|error| error.contains("set ") || error.contains("snapshots/")), "{case}: {told:?}");
        }
    }
}

#[test]
fn a_set_stored_again_heals_what_was_lost() {
    let two = two();
    for pack in two.objects[0].iter().filter(|object| object.starts_with("data")) {
        for (what, damage) in damages().into_iter().filter(|(what, _)| ["cut in half", "empty", "gone"].contains(what)) {
            let folder = tempfile::tempdir().unwrap();
            copy_folder(two.folder.path(), folder.path()).unwrap();
            damage(&folder.path().join(pack), Path::new(""));
            let vault = open(folder.path()).with_segment_size(1 << 20);
            assert!(!errors(&vault, &two, 0).is_empty(), "{what}");
            let mut writer = vault.begin_set(new_set(3)).unwrap();
            writer.stream(&name("mail.edb"), &mut &two.content[0][..]).unwrap();
            writer.stream(&name("log"), &mut &two.content[0][1000..9000]).unwrap();
            let again = writer.publish(br#"{"set":0}"#).unwrap();
            assert!(read(&vault, &again, "mail.edb").unwrap() == two.content[0], "{what}");
            // The old set reads too: its blobs have another copy. Only its own root is a tree that the new set has as well.
            assert_eq!(errors(&vault, &two, 0), [""; 0], "{what}");
        }
    }
}

#[test]
fn a_lost_chunk_concerns_its_place_alone() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let content = bytes(1, 1 << 20);
    let (set, _) = publish(&vault, new_set(1), &[("mail.edb", &content)]);
    drop(vault);
    // The first pack that holds data: its first blob is some chunk of the stream.
    let pack = objects(folder.path(), "data").into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[100] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let vault = open(folder.path());
    let reader = vault.open_stream(&set, &name("mail.edb")).unwrap();
    let mut lost = Vec::new();
    for (number, page) in content.chunks(32 << 10).enumerate() {
        let mut found = vec![0; page.len()];
        match reader.read_at((number * page.len()) as u64, &mut found) {
            Ok(_) => assert!(found == page),
            Err(Error::Damaged(damage)) => lost.push((number, damage.place.offset.unwrap(), damage.place.object.unwrap())),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(lost.len(), 2, "one chunk has two pages");
    assert!(lost.iter().all(|(number, offset, object)| *offset == (lost[0].0 << 15) as u64
        && *number <= lost[0].0 + 1
        && object.starts_with("data/")));
}

#[test]
fn a_damaged_key_or_config_is_told_by_its_place() {
    for (kind, place) in [("keys", "keys/"), ("config", "config")] {
        for (what, damage) in damages().into_iter().filter(|(what, _)| !["gone", "another's content"].contains(what)) {
            let folder = tempfile::tempdir().unwrap();
            drop(create(folder.path()));
            let object = if kind == "config" { folder.path().join(kind) } else { objects(folder.path(), kind).remove(0) };
            damage(&object, Path::new(""));
            let error = ResticVault::open(folder.path(), &secret()).err().unwrap();
            assert!(
                matches!(&error, Error::Damaged(damage) if damage.place.to_string().contains(place)),
                "{kind} {what}: {error}"
            );
        }
    }
}

#[test]
fn a_listing_that_fails_is_no_empty_vault() {
    let two = two();
    let vault = open(two.folder.path());
    fs::rename(two.folder.path().join("snapshots"), two.folder.path().join("elsewhere")).unwrap();
    assert!(matches!(vault.sets(), Err(Error::Storage(..))));
    assert!(matches!(vault.forget(&two.sets), Err(Error::Storage(..))));
}

#[test]
fn a_share_of_the_packs_is_read_and_all_shares_are_all() {
    let two = two();
    let vault = open(two.folder.path());
    let all = vault.check(Depth::All).unwrap();
    let read = |number| vault.check(Depth::Share { number, of: 3 }).unwrap().bytes_read;
    assert!(all.bytes_read > 1 << 20);
    assert_eq!((0..3).map(read).sum::<u64>(), all.bytes_read);
    let metadata = vault.check(Depth::Metadata).unwrap();
    assert_eq!((metadata.bytes_read, metadata.damage.len(), metadata.snapshots, metadata.unreferenced_packs), (0, 0, 2, 0));
}
