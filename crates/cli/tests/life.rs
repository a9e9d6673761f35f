//! What happens to sets after they were made, as people and scripts do it.

mod common;

use anchorlog_vault::Vault as _;
use anchorlog_vault::restic::{CreateOptions, ResticVault, Secret};
use common::{anchorlog, code, contents, copy_of, said};
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

#[cfg(feature = "prune")]
#[test]
fn a_prune_says_what_no_set_needs_marks_it_and_leaves_every_set_as_it_is() {
    let (place, ids) = with_sets(1);
    let root = place.path();
    let database = fs::read(root.join("work/db/db1.edb")).unwrap();
    fs::remove_dir_all(root.join("work")).unwrap();
    anchorlog_testkit::data::copy_folder(&common::set("micro-multi-db").folder().join("after"), &root.join("work")).unwrap();
    done(root, &["backup", "offline", "work"]);
    done(root, &["vault", "forget", "latest"]);
    let before = contents(&root.join("vault"));
    let planned = json(&run(root, &["vault", "prune", "--dry-run", "--json"]));
    assert!(planned["marked"].as_u64() > Some(0) && planned["removed"] == 0, "{planned}");
    assert!(contents(&root.join("vault")) == before, "a plan changes nothing");
    let pruned = json(&run(root, &["vault", "prune", "--max-unused", "0", "--max-repack", "unlimited", "--json"]));
    assert!(pruned["marked"].as_u64() >= planned["marked"].as_u64(), "{pruned}");
    let again = done(root, &["vault", "prune"]);
    assert!(again.contains("marked before") && again.contains("not yet for long enough"), "{again}");
    let file = run(root, &["sets", "cat", &ids[0], "db/db1.edb"]);
    assert!(file.stdout == database);
    done(root, &["vault", "check", "--data"]);
    if std::process::Command::new("restic").arg("version").output().is_ok() {
        let mut restic = std::process::Command::new("restic");
        let checked = restic.args(["-r", "vault", "--password-file", "password", "check", "--read-data", "--no-cache"]);
        let checked = checked.current_dir(root).output().unwrap();
        assert_eq!(code(&checked), 0, "{}", said(&checked));
    }
    // Neither impatience nor a vault in use.
    assert_eq!(code(&run(root, &["vault", "prune", "--keep-delete", "47"])), 2);
    let vault = ResticVault::open(&root.join("vault"), &Secret::password("secret")).unwrap();
    let held = vault.begin_set(anchorlog_vault::NewSet::default()).unwrap();
    let refused = run(root, &["vault", "prune"]);
    assert_eq!(code(&refused), 3, "{}", said(&refused));
    drop(held);
}

#[test]
fn sets_are_copied_into_another_vault_with_another_key_once() {
    let (place, ids) = with_sets(2);
    let root = place.path();
    fs::write(root.join("other"), "another secret").unwrap();
    let options = CreateOptions { kdf_cost: 10, chunk_size: 1 << 20, ..CreateOptions::default() };
    drop(ResticVault::create(&root.join("vault2"), &Secret::password("another secret"), options).unwrap());
    let to = ["--to", "vault2", "--to-password-file", "other"];
    let copy = |more: &[&str]| run(root, &[&["vault", "copy"], more, &to].concat());
    let before = contents(&root.join("vault2"));
    let planned = copy(&["--dry-run"]);
    assert_eq!(said(&planned).matches("would be copied").count(), 2, "{}", said(&planned));
    assert!(contents(&root.join("vault2")) == before, "a plan changes nothing");
    let one = copy(&[&ids[0][..8], "--json"]);
    assert_eq!(json(&one)["report"]["copied"].as_array().unwrap().len(), 1, "{}", said(&one));
    assert!(said(&copy(&[])).contains("1 sets copied, 1 there before"));
    assert!(said(&copy(&[])).contains("0 sets copied, 2 there before"));
    let there =
        |arguments: &[&str]| anchorlog(&[arguments, &["--vault", "vault2", "--password-file", "other", "-q"]].concat(), root);
    let listed = there(&["sets", "ls"]);
    assert!(said(&listed).contains("proved L2"), "{}", said(&listed));
    assert_eq!(code(&there(&["restore", "set", "latest", "--out", "new"])), 0);
    assert!(contents(&root.join("new"))[Path::new("db/db1.edb")] == contents(&root.join("work"))[Path::new("db/db1.edb")]);
    assert_eq!(code(&there(&["vault", "check", "--data"])), 0);
    let wrong = run(root, &["vault", "copy", "--to", "vault2"]);
    assert_eq!(code(&wrong), 3, "the first vault's password does not open the other: {}", said(&wrong));
}
