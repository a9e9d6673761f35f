//! What happens to sets after they were made, as people and scripts do it.

mod common;

use anchorlog_vault::restic::{CreateOptions, ResticVault, Secret};
use common::{anchorlog, code, copy_of, said};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    anchorlog(&[arguments, &["--vault", "vault", "--password-file", "password", "-q"]].concat(), folder)
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", said(&output));
    said(&output)
}

/// A vault whose password costs little to try.
fn with_vault(folder: &Path, name: &str) -> ResticVault {
    fs::write(folder.join("password"), "secret").unwrap();
    let options = CreateOptions { kdf_cost: 10, ..CreateOptions::default() };
    ResticVault::create(&folder.join(name), &Secret::password("secret"), options).unwrap()
}

/// The sets of the vault, oldest first.
fn sets(folder: &Path) -> Vec<Value> {
    let listed = done(folder, &["sets", "ls", "--json"]);
    listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder with the database `work` and a vault with so many sets of it.
fn with_sets(count: usize) -> (tempfile::TempDir, Vec<String>) {
    let place = copy_of("micro-insert", "after");
    drop(with_vault(place.path(), "vault"));
    for _ in 0..count {
        done(place.path(), &["backup", "offline", "work"]);
    }
    let ids = sets(place.path()).iter().map(|set| set["set"].as_str().unwrap().to_owned()).collect();
    (place, ids)
}

#[test]
fn rules_forget_what_none_of_them_keeps_and_say_of_each_set_why() {
    let (place, ids) = with_sets(3);
    let root = place.path();
    let planned = done(root, &["vault", "forget", "--keep-last", "1", "--dry-run"]);
    assert!(planned.contains(&format!("forget {}", &ids[0][..8])) && planned.contains("2 sets would be forgotten"), "{planned}");
    assert!(planned.contains("kept because: one of the last; the last good set of db/db1.edb"), "{planned}");
    assert_eq!(sets(root).len(), 3, "a plan changes nothing");
    let forgotten = run(root, &["vault", "forget", "--keep-last", "1", "--json"]);
    assert_eq!(json(&forgotten)["forgotten"], Value::from(ids[..2].to_vec()));
    assert_eq!(sets(root).len(), 1);
    // The last good set stays, whatever the rule.
    assert!(done(root, &["vault", "forget", "--keep-within", "1h"]).contains("No set is forgotten"));
    for wrong in
        [&["vault", "forget"][..], &["vault", "forget", "--keep-last", "0"], &["vault", "forget", "x", "--keep-last", "1"]]
    {
        assert_eq!(code(&run(root, wrong)), 2, "{wrong:?}");
    }
}

#[test]
fn a_held_set_is_listed_as_such_and_forgotten_only_when_it_was_given_free() {
    let (place, ids) = with_sets(2);
    let root = place.path();
    let old = &ids[0][..8];
    done(root, &["sets", "hold", old, "--reason", "an audit", "--dry-run"]);
    assert_eq!(sets(root)[0]["hold"], Value::Null, "a dry run changes nothing");
    done(root, &["sets", "hold", old, "--reason", "an audit", "--until", "2999-01-01"]);
    assert_eq!(sets(root)[0]["hold"]["reason"], "an audit");
    assert!(done(root, &["sets", "ls"]).contains("it is held until 2999-01-01T00:00:00Z: an audit"));
    for dry_run in [&["--dry-run"][..], &[]] {
        let refused = run(root, &[&["vault", "forget", old], dry_run].concat());
        assert_eq!(code(&refused), 3, "{}", said(&refused));
        assert!(said(&refused).contains("an audit"), "{}", said(&refused));
    }
    let kept = done(root, &["vault", "forget", "--keep-last", "1"]);
    assert!(kept.contains("an audit") && kept.contains("No set is forgotten"), "{kept}");
    assert_eq!(code(&run(root, &["sets", "hold", old, "--until", "2001-01-01"])), 2, "a time that is over");
    done(root, &["sets", "release", old]);
    done(root, &["vault", "forget", old]);
    assert_eq!(sets(root).len(), 1);
}

#[test]
fn a_label_can_be_given_and_taken_away() {
    let (place, _) = with_sets(1);
    let root = place.path();
    done(root, &["sets", "label", "latest", "before the migration"]);
    assert!(done(root, &["sets", "ls"]).contains("\"before the migration\""));
    done(root, &["sets", "label", "latest", ""]);
    assert_eq!(sets(root)[0]["label"], "");
}

#[test]
fn stale_locks_are_shown_and_removed_and_others_only_when_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    let vault = with_vault(root, "vault");
    let locks = || fs::read_dir(root.join("vault/locks")).unwrap().count();
    let mut held = None;
    vault
        .alone(|exclusive| -> anchorlog_vault::Result<()> {
            held = Some(exclusive.clone());
            let shown = done(root, &["vault", "unlock"]);
            assert!(shown.contains("in use") && shown.contains(", alone, since") && shown.contains("0 removed"), "{shown}");
            assert_eq!(locks(), 1);
            done(root, &["vault", "unlock", "--all", "--dry-run"]);
            assert_eq!(locks(), 1);
            let removed = run(root, &["vault", "unlock", "--all", "--json"]);
            assert_eq!(json(&removed)["removed"], 1, "{}", said(&removed));
            assert_eq!(locks(), 0);
            assert!(exclusive.confirm().is_err(), "its holder learns it");
            Ok(())
        })
        .unwrap();
    // What an interrupted upload leaves on some storages.
    fs::write(root.join("vault/locks").join("7".repeat(64)), "").unwrap();
    let removed = done(root, &["vault", "unlock"]);
    assert!(removed.contains("stale, removed") && removed.contains("1 locks, 1 of them stale, 1 removed"), "{removed}");
    assert_eq!(locks(), 0);
}
