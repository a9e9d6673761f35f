//! Vault, backup, restore, chain and purge as people and scripts use them.

mod common;

use anchorlog_testkit::data;
use common::{anchorlog, code, contents, copy_of, equals_the_engine, said};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// Runs a command around the vault `vault` with the key `key`, both in `folder`.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    anchorlog(&[arguments, &["--vault", "vault", "--key-file", "key", "-q"]].concat(), folder)
}

fn with_vault(folder: &Path) {
    let made = anchorlog(&["vault", "init", "vault", "--new-key-file", "key"], folder);
    assert_eq!(code(&made), 0, "{}", said(&made));
}

#[test]
fn what_was_backed_up_offline_comes_back_byte_for_byte() {
    let place = copy_of("micro-insert", "after");
    let root = place.path();
    with_vault(root);
    let before = contents(&root.join("work"));
    let planned = run(root, &["backup", "offline", "work", "--dry-run"]);
    assert_eq!(code(&planned), 0, "{}", said(&planned));
    assert!(said(&planned).contains("holds  P3") && said(&planned).contains("db/db1.edb"), "{}", said(&planned));
    assert_eq!(said(&run(root, &["sets", "ls"])), "no sets yet: `anchorlog backup` makes them\n");
    let made = run(root, &["backup", "offline", "work", "--json"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    let set = json(&made)["set"].as_str().unwrap()[..8].to_owned();
    assert!(contents(&root.join("work")) == before, "a source was touched");
    let listed = said(&run(root, &["sets", "ls"]));
    assert!(listed.contains(&set) && listed.contains("proved L2") && listed.contains("db/db1.edb"), "{listed}");
    let file = run(root, &["sets", "cat", &set, "db/db1.edb"]);
    assert!(file.stdout == before[Path::new("db/db1.edb")]);
    let restored = run(root, &["restore", "set", &set, "--out", "new"]);
    assert_eq!(code(&restored), 0, "{}", said(&restored));
    assert!(contents(&root.join("new"))[Path::new("db/db1.edb")] == before[Path::new("db/db1.edb")]);
    // Nothing is ever overwritten.
    let again = run(root, &["restore", "set", &set, "--out", "new"]);
    assert_eq!(code(&again), 3, "{}", said(&again));
    assert_eq!(code(&run(root, &["vault", "check", "--data"])), 0);
}

#[test]
fn a_key_that_is_named_goes_before_a_password_of_the_environment() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("password"), "correct horse").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = common::program();
        command.args(arguments).current_dir(place.path()).env("ANCHORLOG_PASSWORD_FILE", "password").output().unwrap()
    };
    let made = run(&["vault", "init", "vault", "--new-key-file", "key"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    assert_eq!(code(&run(&["sets", "ls", "--vault", "vault", "--key-file", "key"])), 0);
    assert_eq!(code(&run(&["sets", "ls", "--vault", "vault"])), 3, "the password is none of its");
}

#[test]
fn an_image_is_proved_by_replaying_it_and_restored_with_its_logs() {
    let place = copy_of("micro-insert", "before");
    let root = place.path();
    with_vault(root);
    let refused = run(root, &["backup", "offline", "work"]);
    assert_eq!(code(&refused), 3, "{}", said(&refused));
    assert!(said(&refused).contains("BROKEN P3") && said(&refused).contains("-550"), "{}", said(&refused));
    let made = run(root, &["backup", "snapshot", "work", "--scratch", ".", "--json"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    assert_eq!(json(&made)["level"], "L4");
    for compared in [false, true] {
        let drilled = run(root, &["drill", "latest", "--scratch", ".", "--json"]);
        assert_eq!(code(&drilled), 0, "{}", said(&drilled));
        assert_eq!(json(&drilled)["drill"]["compared"], compared);
    }
    let restored = run(root, &["restore", "set", "latest", "--out", "new"]);
    assert_eq!(code(&restored), 0, "{}", said(&restored));
    equals_the_engine("new/db/db1.edb", &common::set("micro-insert").folder().join("dump.jsonl"), root);
}

#[test]
fn an_old_clean_copy_is_rolled_forward_with_the_logs_of_production() {
    if data::engine_set("rollforward-clean").is_none() {
        return;
    }
    let place = copy_of("rollforward-clean", "before");
    let root = place.path();
    with_vault(root);
    let made = run(root, &["backup", "offline", "--database", "work/db/db1.edb"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    let restored = run(root, &["restore", "set", "latest", "--out", "new", "--forward", "all", "--logs", "work/log"]);
    assert_eq!(code(&restored), 0, "{}", said(&restored));
    equals_the_engine("new/db1.edb", &common::set("rollforward-clean").folder().join("dump.jsonl"), root);
    // Without the low anchor nothing can be rolled forward, and nothing is.
    fs::remove_file(root.join("work/log/edb00012.log")).unwrap();
    let refused = run(root, &["restore", "set", "latest", "--out", "other", "--forward", "all", "--logs", "work/log"]);
    assert_eq!(code(&refused), 3, "{}", said(&refused));
    assert!(!root.join("other").exists());
}

#[test]
fn an_online_set_is_imported_proved_and_restored_with_the_sets_that_it_needs() {
    let Some(set) = data::engine_set("backup-stream-4k") else { return };
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    for name in ["full", "inc1"] {
        data::copy_folder(&set.folder().join(name), &root.join(name)).unwrap();
    }
    with_vault(root);
    // Logs alone continue nothing yet.
    let refused = run(root, &["backup", "import", "inc1"]);
    assert_eq!(code(&refused), 3, "{}", said(&refused));
    assert!(said(&refused).contains("BROKEN I33") && said(&refused).contains("-560"), "{}", said(&refused));
    let planned = run(root, &["backup", "import", "full", "--dry-run"]);
    assert_eq!(code(&planned), 0, "{}", said(&planned));
    assert!(said(&planned).contains("holds  H8") && said(&planned).contains("online-full"), "{}", said(&planned));
    for name in ["full", "inc1"] {
        let made = run(root, &["backup", "import", name, "--scratch", ".", "--json"]);
        assert_eq!(code(&made), 0, "{}", said(&made));
        assert_eq!(json(&made)["level"], "L4");
    }
    let listed = said(&run(root, &["sets", "ls"]));
    assert!(listed.contains("online-full") && listed.contains("online-incremental"), "{listed}");
    let restored = run(root, &["restore", "set", "latest", "--out", "new", "--json"]);
    assert_eq!(code(&restored), 0, "{}", said(&restored));
    equals_the_engine("new/db1.edb", &set.folder().join("dump-full_inc1.jsonl"), root);
    // An end inside the logs is nothing that hard recovery has.
    let usage = run(root, &["restore", "set", "latest", "--out", "other", "--to", "0x12"]);
    assert_eq!((code(&usage), root.join("other").exists()), (2, false), "{}", said(&usage));
}

#[test]
fn rows_come_straight_out_of_a_set() {
    let place = copy_of("micro-insert", "before");
    let root = place.path();
    with_vault(root);
    assert_eq!(code(&run(root, &["backup", "snapshot", "work"])), 0);
    let theirs = fs::read(common::set("micro-insert").folder().join("dump.jsonl")).unwrap();
    for database in [&[][..], &["db1.edb"]] {
        let dumped = run(root, &[&["dump", "--set", "latest", "--scratch", "."], database].concat());
        assert_eq!(code(&dumped), 0, "{}", said(&dumped));
        assert!(dumped.stdout == theirs);
    }
    let refused = run(root, &["dump", "--set", "latest", "other.edb"]);
    assert_eq!(code(&refused), 3, "{}", said(&refused));
    // Of a file no vault is asked for.
    let plain = anchorlog(&["dump", "work/db/db1.edb"], root);
    assert_eq!(code(&plain), 1, "{}", said(&plain));
    let none =
        common::program().args(["dump", "--set", "latest"]).env_remove("ANCHORLOG_VAULT").current_dir(root).output().unwrap();
    assert_eq!(code(&none), 2, "{}", said(&none));
}

#[test]
fn a_damaged_page_comes_out_of_a_set_and_the_database_stays() {
    let place = copy_of("micro-insert", "after");
    let root = place.path();
    with_vault(root);
    assert_eq!(code(&run(root, &["backup", "offline", "work"])), 0);
    let database = root.join("work/db/db1.edb");
    let whole = fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    damaged[5 * 4096 + 60..5 * 4096 + 90].fill(0xA5);
    fs::write(&database, &damaged).unwrap();
    let arguments = ["restore", "page", "work/db/db1.edb", "--page", "4", "--set", "latest"];
    let planned = run(root, &[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(code(&planned), 0, "{}", said(&planned));
    assert!(said(&planned).contains("holds  same"), "{}", said(&planned));
    let made = run(root, &[&arguments[..], &["--out", "new", "--json"]].concat());
    assert_eq!(code(&made), 0, "{}", said(&made));
    assert_eq!(json(&made)["report"]["pages"][0]["was_damaged"], true);
    assert!(fs::read(root.join("new/db1.edb")).unwrap() == whole && fs::read(&database).unwrap() == damaged);
    let beyond = run(root, &["restore", "page", "work/db/db1.edb", "--page", "4,99999", "--set", "latest", "--out", "other"]);
    assert_eq!((code(&beyond), root.join("other").exists()), (3, false), "{}", said(&beyond));
    // And a whole restore reads what differs alone.
    let delta = run(root, &["restore", "set", "latest", "--onto", "work", "--out", "delta", "--json"]);
    assert_eq!(code(&delta), 0, "{}", said(&delta));
    let origins = &json(&delta)["report"]["origins"];
    assert!(origins["from_copy"].as_u64() > Some(0) && origins["from_vault"].as_u64() > Some(0), "{origins}");
    assert!(fs::read(root.join("delta/db/db1.edb")).unwrap() == whole);
}

#[test]
fn logs_go_only_when_a_proved_set_holds_them() {
    if data::engine_set("rollforward-clean").is_none() {
        return;
    }
    let place = copy_of("rollforward-clean", "before");
    let root = place.path();
    with_vault(root);
    assert_eq!(code(&run(root, &["backup", "offline", "--database", "work/db/db1.edb"])), 0);
    let chain = said(&run(root, &["chain", "work"]));
    assert!(chain.contains("kept log/edb00001.log because G2") && !chain.contains("safe "), "{chain}");
    let logs = run(root, &["backup", "logs", "work/log"]);
    assert_eq!(code(&logs), 0, "{}", said(&logs));
    let again = run(root, &["backup", "logs", "work/log"]);
    assert_eq!(code(&again), 0, "{}", said(&again));
    assert!(said(&again).contains("Nothing is new"), "{}", said(&again));
    let chain = said(&run(root, &["chain", "work"]));
    assert!(chain.contains("safe log/edb00011.log") && chain.contains("kept log/edb00012.log"), "{chain}");
    let before = contents(&root.join("work"));
    assert_eq!(code(&run(root, &["purge", "work", "--dry-run"])), 0);
    assert!(contents(&root.join("work")) == before);
    let purged = run(root, &["purge", "work"]);
    assert_eq!(code(&purged), 0, "{}", said(&purged));
    assert!(!root.join("work/log/edb00011.log").exists() && root.join("work/log/edb00012.log").exists());
    // The set of logs needs the database that it continues.
    let sets: Vec<String> = said(&run(root, &["sets", "ls"]))
        .lines()
        .filter(|line| line.contains(" offline ") || line.contains(" logs  "))
        .map(|line| line[..8].to_owned())
        .collect();
    let held = run(root, &["vault", "forget", &sets[0]]);
    assert_eq!(code(&held), 3, "{}", said(&held));
    assert_eq!(code(&run(root, &["vault", "forget", &sets[0], &sets[1]])), 0);
}

#[test]
fn a_database_that_is_named_is_all_that_goes_into_the_set() {
    let place = copy_of("micro-insert", "after");
    let root = place.path();
    fs::copy(root.join("work/db/db1.edb"), root.join("one.edb")).unwrap();
    fs::write(root.join("other.txt"), "beside it").unwrap();
    with_vault(root);
    let made = run(root, &["backup", "offline", "--database", "one.edb", "--json"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    let files = json(&made)["manifest"]["files"].as_array().unwrap().clone();
    assert_eq!(files.iter().map(|file| file["name"].as_str().unwrap()).collect::<Vec<_>>(), ["one.edb"]);
}

#[test]
fn a_vault_opens_with_its_keys_alone_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    with_vault(root);
    fs::write(root.join("other"), "other words").unwrap();
    let wrong = anchorlog(&["sets", "ls", "--vault", "vault", "--password-file", "other"], root);
    assert_eq!(code(&wrong), 3, "{}", said(&wrong));
    let absent = anchorlog(&["sets", "ls", "--vault", "vault", "--key-file", "absent"], root);
    assert_eq!(code(&absent), 2, "{}", said(&absent));
    assert!(said(&absent).contains("the key file absent") && !said(&absent).contains("JET"), "{}", said(&absent));
    let none = common::program()
        .args(["sets", "ls", "--vault", "vault"])
        .env_remove("ANCHORLOG_PASSWORD")
        .current_dir(root)
        .output()
        .unwrap();
    assert_eq!(code(&none), 2, "{}", said(&none));
    assert_eq!(code(&run(root, &["vault", "key", "add", "--new-password-file", "other"])), 0);
    assert_eq!(code(&anchorlog(&["sets", "ls", "--vault", "vault", "--password-file", "other"], root)), 0);
    let listed = said(&run(root, &["vault", "key", "list"]));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let foreign = listed.lines().find(|line| !line.starts_with('*')).unwrap().trim()[..8].to_owned();
    assert_eq!(code(&run(root, &["vault", "key", "remove", &foreign])), 0);
    assert_eq!(code(&anchorlog(&["sets", "ls", "--vault", "vault", "--password-file", "other"], root)), 3);
    let nowhere = anchorlog(&["sets", "ls", "--vault", "nowhere", "--key-file", "key"], root);
    assert_eq!(code(&nowhere), 2, "{}", said(&nowhere));
    assert!(!root.join("nowhere").exists(), "looking made a folder");
    let twice = anchorlog(&["vault", "init", "vault", "--key-file", "key"], root);
    assert_eq!(code(&twice), 3, "{}", said(&twice));
}
