//! A vault in a bucket: the same answers as the model in memory, and damage on the server found by name.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_testkit::s3::Fault;
use anchorlog_vault::restic::{Depth, ResticVault};
use anchorlog_vault::{Error, Vault as _};
use common::vault::{bytes, model, new_set, objects, publish, read, secret};
use common::{BUCKET, backend, create, open, servers};
use std::fs;

#[test]
fn the_same_operations_have_the_same_answers_as_in_memory() {
    for (_, server) in servers() {
        model::has_the_same_answers_as_in_memory(&create(backend(&server.endpoint(), "a/vault")).with_segment_size(1 << 20));
    }
}

#[test]
fn a_vault_is_made_once_and_found_only_where_it_is() {
    for (name, server) in servers() {
        let at = |prefix| backend(&server.endpoint(), prefix);
        drop(create(at("one")));
        let again = ResticVault::create_on(at("one"), &secret(), common::vault::options());
        assert!(matches!(again, Err(Error::NotEmpty(_))), "{name}");
        let nowhere = ResticVault::open_on(at("two"), &secret());
        assert!(matches!(nowhere, Err(Error::NoVault(place)) if place.ends_with("/backups/two")), "{name}");
        drop(create(at("one/below")));
        drop(open(at("one")));
    }
}

#[test]
fn nothing_is_left_of_a_reader_or_writer_that_ended() {
    for (name, server) in servers() {
        let vault = create(backend(&server.endpoint(), "v"));
        publish(&vault, new_set(1), &[("a", b"some bytes")]);
        let storage = vault.backend();
        drop(vault);
        let locks = storage.list(anchorlog_vault::restic::backend::Kind::Lock).unwrap();
        assert_eq!(locks, [], "{name}");
    }
}

#[test]
fn a_key_that_may_only_read_reads() {
    for (name, server) in servers() {
        let (set, _) = publish(&create(backend(&server.endpoint(), "v")), new_set(1), &[("a", b"some bytes")]);
        let refusing = common::proxy(&server, |request| match &*request.method {
            "GET" | "HEAD" => Fault::None,
            _ => Fault::Refuse("403 Forbidden", "AccessDenied"),
        });
        let vault = open(backend(&refusing.endpoint(), "v"));
        assert_eq!(model::ids(&vault), [set.clone()], "{name}");
        assert_eq!(read(&vault, &set, "a").unwrap(), b"some bytes", "{name}");
        assert_eq!(vault.check(Depth::All).unwrap().damage, [], "{name}");
        assert!(matches!(vault.begin_set(new_set(2)).err(), Some(Error::Storage(..))), "{name}");
    }
}

/// What is done to an object on the server's disk.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Removed,
    Truncated,
    Changed,
    Swapped,
}

#[test]
fn damage_on_the_server_is_named_and_other_sets_still_restore() {
    for (_, server) in servers().into_iter().filter(|(name, _)| *name == "s3s-fs") {
        for (number, harm) in [Harm::Removed, Harm::Truncated, Harm::Changed, Harm::Swapped].into_iter().enumerate() {
            let prefix = format!("v{number}");
            let vault = create(backend(&server.endpoint(), &prefix));
            let folder = server.bucket(BUCKET).join(&prefix);
            let (first, second) = (bytes(1, 300_000), bytes(2, 300_000));
            let (sound, _) = publish(&vault, new_set(1), &[("a", &first)]);
            let before = objects(&folder, "data");
            let (harmed, _) = publish(&vault, new_set(2), &[("a", &second)]);
            drop(vault);
            // The pack of data of the second set is the larger of its two.
            let new = objects(&folder, "data").into_iter().filter(|path| !before.contains(path));
            let victim = new.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
            let whole = fs::read(&victim).unwrap();
            match harm {
                Harm::Removed => fs::remove_file(&victim).unwrap(),
                Harm::Truncated => fs::write(&victim, &whole[..whole.len() / 2]).unwrap(),
                Harm::Changed => {
                    let mut changed = whole.clone();
                    changed[1000] ^= 1;
                    fs::write(&victim, changed).unwrap();
                }
                Harm::Swapped => {
                    let other = before.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
                    fs::copy(other, &victim).unwrap();
                }
            }
            let vault = open(backend(&server.endpoint(), &prefix));
            assert!(read(&vault, &sound, "a").unwrap() == first, "{harm:?}");
            let error = read(&vault, &harmed, "a").unwrap_err();
            assert!(matches!(error, Error::Damaged(_)), "{harm:?}: {error}");
            let report = vault.check(Depth::All).unwrap();
            let name = victim.file_name().unwrap().to_str().unwrap();
            assert!(report.damage.iter().any(|damage| damage.to_string().contains(name)), "{harm:?}: {:?}", report.damage);
            // The same data again bring back what is missing or cut short; what is there with its size is only found by reading.
            if matches!(harm, Harm::Removed | Harm::Truncated) {
                let (again, _) = publish(&vault, new_set(3), &[("a", &second)]);
                assert!(read(&vault, &again, "a").unwrap() == second, "{harm:?}");
            }
        }
    }
}
