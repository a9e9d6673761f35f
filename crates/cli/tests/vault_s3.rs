//! A vault on object storage as people and scripts use it, and stock restic beside.
//! Without the servers these tests say so and pass; where `ANCHORLOG_REQUIRE_S3` is set they fail.
#![cfg(feature = "s3")]

mod common;

use anchorlog_testkit::s3::{KEY, SECRET, Server};
use common::{code, contents, copy_of, program, said};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The environment that every program for object storage knows.
fn with_key(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "us-east-1");
    command
}

/// Runs a command of the program, which finds the server in the environment.
fn run_alone(server: &Server, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = with_key(program());
    command.env("AWS_ENDPOINT_URL", server.endpoint()).env("ANCHORLOG_VAULT", "s3://backups/mail");
    command.args(arguments).current_dir(folder).output().unwrap()
}

/// The same with the key of the vault.
fn run(server: &Server, folder: &Path, arguments: &[&str]) -> Output {
    run_alone(server, folder, &[arguments, &["--key-file", "key"]].concat())
}

fn good(server: &Server, folder: &Path, arguments: &[&str]) -> String {
    let output = run(server, folder, arguments);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn make_vault(server: &Server, folder: &Path) {
    server.make_bucket("backups", false);
    let made = run_alone(server, folder, &["vault", "init", "s3://backups/mail", "--new-key-file", "key"]);
    assert_eq!(code(&made), 0, "{}", said(&made));
    assert!(said(&made).contains(&format!("s3:{}/backups/mail is a vault now", server.endpoint())), "{}", said(&made));
}

#[test]
fn what_was_backed_up_to_a_bucket_comes_back_byte_for_byte() {
    for (name, server) in Server::all() {
        let place = copy_of("micro-insert", "after");
        let root = place.path();
        make_vault(&server, root);
        let before = contents(&root.join("work"));
        good(&server, root, &["backup", "offline", "work", "--dry-run"]);
        assert!(good(&server, root, &["sets", "ls"]).contains("no sets yet"), "{name}");
        let made: Value =
            serde_json::from_str(good(&server, root, &["backup", "offline", "work", "--json", "-q"]).lines().last().unwrap())
                .unwrap();
        let set = made["set"].as_str().unwrap()[..8].to_owned();
        assert!(contents(&root.join("work")) == before, "{name}: a source was touched");
        let listed = good(&server, root, &["sets", "ls"]);
        assert!(listed.contains(&set) && listed.contains("proved L2"), "{name}: {listed}");
        good(&server, root, &["restore", "set", &set, "--out", "new"]);
        assert!(contents(&root.join("new"))[Path::new("db/db1.edb")] == before[Path::new("db/db1.edb")], "{name}");
        assert!(good(&server, root, &["vault", "check", "--data"]).contains(" 0 damaged places"), "{name}");
        good(&server, root, &["vault", "forget", &set]);
        assert!(good(&server, root, &["sets", "ls"]).contains("no sets yet"), "{name}");
        // What an init leaves that could not reach its bucket.
        let elsewhere = run_alone(&server, root, &["vault", "init", "s3://backups/other", "--new-key-file", "key"]);
        assert_eq!(code(&elsewhere), 2, "{name}: {}", said(&elsewhere));
        assert!(said(&elsewhere).contains("give it with --key-file"), "{name}: {}", said(&elsewhere));
        // A bucket that is a vault already is no place for another.
        let again = run(&server, root, &["vault", "init", "s3://backups/mail"]);
        assert_eq!(code(&again), 3, "{name}: {}", said(&again));
    }
}

#[test]
fn stock_restic_lists_checks_and_restores_a_vault_in_a_bucket() {
    let has_restic = Command::new("restic").arg("version").output().is_ok_and(|output| output.status.success());
    assert!(has_restic || std::env::var_os("ANCHORLOG_REQUIRE_RESTIC").is_none(), "restic is not installed");
    // restic 0.14 misses packs on s3s-fs, whoever wrote them.
    let Some(server) = Server::moto().filter(|_| has_restic) else { return };
    let place = copy_of("micro-insert", "after");
    let root = place.path();
    make_vault(&server, root);
    good(&server, root, &["backup", "offline", "work"]);
    let repository = format!("s3:{}/backups/mail", server.endpoint());
    let restic = |arguments: &[&str]| {
        let mut command = with_key(Command::new("restic"));
        command.args(["--no-cache", "-r", &repository, "--password-file", "key"]).args(arguments);
        let output = command.current_dir(root).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    assert!(restic(&["snapshots"]).contains("anchorlog:set"));
    assert!(restic(&["check", "--read-data"]).contains("no errors were found"));
    restic(&["restore", "latest", "--tag", "anchorlog:set", "--target", "restored"]);
    let restored = fs::read(root.join("restored/streams/db/db1.edb")).unwrap();
    assert!(restored == fs::read(root.join("work/db/db1.edb")).unwrap());
    // And as restic spells it, it is the same vault to us.
    let listed =
        with_key(program()).args(["sets", "ls", "--vault", &repository, "--key-file", "key"]).current_dir(root).output().unwrap();
    assert_eq!(code(&listed), 0, "{}", said(&listed));
    assert!(said(&listed).contains("db/db1.edb"), "{}", said(&listed));
}

#[test]
fn an_object_lock_is_made_at_init_and_told_by_check() {
    let Some(server) = Server::moto() else { return };
    let place = copy_of("micro-insert", "after");
    let root = place.path();
    fs::write(root.join("key"), "words").unwrap();
    server.make_bucket("backups", true);
    good(&server, root, &["vault", "init", "s3://backups/mail", "--object-lock", "30", "--object-lock-mode", "compliance"]);
    good(&server, root, &["backup", "offline", "work"]);
    let checked = good(&server, root, &["vault", "check"]);
    assert!(checked.contains("objects are kept, the first of them until 20"), "{checked}");
    assert!(good(&server, root, &["vault", "extend-lock"]).contains("; 0 were extended"));
    let asked = good(&server, root, &["vault", "extend-lock", "--dry-run", "--json"]);
    let asked: Value = serde_json::from_str(asked.lines().last().unwrap()).unwrap();
    assert_eq!(asked["object_lock"]["unprotected"], 0);
    server.make_bucket("without", false);
    let refused = run(&server, root, &["vault", "init", "s3://without/mail", "--object-lock", "30"]);
    assert_ne!(code(&refused), 0);
    assert!(said(&refused).contains("ObjectLockConfiguration"), "{}", said(&refused));
}

#[test]
fn a_place_that_is_none_is_a_wrong_command_and_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "words").unwrap();
    for place in ["s3:", "s3://", "s3:ftp://host/bucket", "s3:host"] {
        let output =
            with_key(program()).args(["vault", "init", place, "--key-file", "key"]).current_dir(folder.path()).output().unwrap();
        assert_eq!(code(&output), 2, "{}", said(&output));
        assert!(said(&output).contains("is no place on object storage"), "{}", said(&output));
    }
    assert_eq!(common::names(folder.path()), ["key"]);
}

#[test]
fn who_set_no_key_for_the_bucket_is_told_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "words").unwrap();
    let mut command = with_key(program());
    // Nobody listens where a machine of Amazon would be given a key.
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1");
    let output = command
        .args(["sets", "ls", "--vault", "s3://backups/v", "--key-file", "key"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(code(&output), 4, "{}", said(&output));
    assert!(said(&output).contains("AWS_ACCESS_KEY_ID is not set"), "{}", said(&output));
}
