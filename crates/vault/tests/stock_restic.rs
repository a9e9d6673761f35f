//! The restic of the distribution reads, checks and changes a vault, and both keep out of each other's way.
//! Without restic these tests say so and pass; where `ANCHORLOG_REQUIRE_RESTIC` is set they fail.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_vault::restic::{Depth, ResticVault, Secret};
use anchorlog_vault::{Error, SetId, Vault};
use common::{PASSWORD, bytes, create, name, new_set, objects, open, publish, read};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn has_restic() -> bool {
    let found = Command::new("restic").arg("version").output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os("ANCHORLOG_REQUIRE_RESTIC").is_none(), "restic is not installed");
    if !found {
        eprintln!("restic is not installed: nothing is tested");
    }
    found
}

fn command(vault: &Path) -> Command {
    let mut command = Command::new("restic");
    command.env("RESTIC_PASSWORD", PASSWORD).env("RESTIC_REPOSITORY", vault).arg("--no-cache");
    command
}

fn restic(vault: &Path, arguments: &[&str]) -> Output {
    command(vault).args(arguments).output().unwrap()
}

/// The standard output of a run that succeeds.
fn good(vault: &Path, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = restic(vault, arguments);
    assert!(status.success(), "{arguments:?}: {}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn ids(vault: &dyn Vault) -> Vec<SetId> {
    vault.sets().unwrap().into_iter().map(|set| set.unwrap().id).collect()
}

fn is_sound(folder: &Path) {
    assert!(good(folder, &["check", "--read-data"]).contains("no errors were found"));
    let report = open(folder).check(Depth::All).unwrap();
    assert_eq!(report.damage, []);
}

#[test]
fn restic_lists_checks_and_restores_every_byte() {
    if !has_restic() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path()).with_segment_size(1 << 20);
    let (database, log) = (bytes(1, (3 << 20) + 777), bytes(2, 131_072));
    let mut made = new_set(1_700_000_000);
    made.tags = vec!["full".into()];
    let streams: [(&str, &[u8]); 4] = [("db/mail.edb", &database), ("logs/E00.log", &log), ("empty", b""), ("o\"dd\tnäme", b"x")];
    let (set, _) = publish(&vault, made, &streams);
    vault.attach(&set, &name("proofs/drill.json"), b"{}").unwrap();
    drop(vault);
    let list: serde_json::Value = serde_json::from_str(&good(folder.path(), &["snapshots", "--json"])).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(
        (&list[0]["id"], &list[0]["hostname"], &list[0]["paths"][0]),
        (&set.as_str().into(), &"server".into(), &"/srv/mail".into())
    );
    assert!(list[0]["tags"].as_array().unwrap().contains(&"full".into()));
    is_sound(folder.path());
    let target = tempfile::tempdir().unwrap();
    good(folder.path(), &["restore", set.as_str(), "--target", target.path().to_str().unwrap()]);
    let at = |path: &str| fs::read(target.path().join(path)).unwrap();
    let segments: Vec<u8> = (0..4).flat_map(|number| at(&format!("segments/db/mail.edb/{number:06}/bytes"))).collect();
    assert!(segments == database && at("streams/logs/E00.log") == log && at("streams/empty").is_empty());
    assert_eq!(at("streams/o\"dd\tnäme"), b"x");
    assert_eq!(at("manifest.json"), br#"{"version":1}"#);
}

#[test]
fn restics_own_backup_forget_and_prune_harm_no_set() {
    if !has_restic() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (one, two) = (bytes(1, 2 << 20), bytes(2, 2 << 20));
    let (first, _) = publish(&vault, new_set(1), &[("a", &one)]);
    let (second, _) = publish(&vault, new_set(2), &[("a", &two)]);
    drop(vault);
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("a"), &one).unwrap();
    fs::write(source.path().join("other"), bytes(3, 3 << 20)).unwrap();
    good(folder.path(), &["backup", "--tag", "theirs", source.path().to_str().unwrap()]);
    assert_eq!(ids(&open(folder.path())), [first.clone(), second.clone()]);
    is_sound(folder.path());
    good(folder.path(), &["forget", "--tag", "theirs", "--keep-tag", "none", "--prune", "--keep-last", "1"]);
    let theirs: serde_json::Value =
        serde_json::from_str(&good(folder.path(), &["snapshots", "--tag", "theirs", "--json"])).unwrap();
    good(folder.path(), &["forget", theirs[0]["id"].as_str().unwrap(), "--prune"]);
    is_sound(folder.path());
    let vault = open(folder.path());
    assert!(read(&vault, &first, "a").unwrap() == one && read(&vault, &second, "a").unwrap() == two);
    vault.forget(&[first]).unwrap();
    drop(vault);
    let before = objects(folder.path(), "data").len();
    good(folder.path(), &["prune"]);
    assert!(objects(folder.path(), "data").len() < before);
    is_sound(folder.path());
    // What the prune took is stored again, and what it packed anew is found.
    let vault = open(folder.path());
    let (third, _) = publish(&vault, new_set(3), &[("a", &one), ("b", &two)]);
    assert!(read(&vault, &second, "a").unwrap() == two && read(&vault, &third, "a").unwrap() == one);
    drop(vault);
    is_sound(folder.path());
}

#[test]
fn a_writer_of_ours_keeps_restics_prune_out() {
    if !has_restic() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let mut writer = vault.begin_set(new_set(1)).unwrap();
    writer.stream(&name("a"), &mut &bytes(1, 100_000)[..]).unwrap();
    let refused = restic(folder.path(), &["prune"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("locked"));
    good(folder.path(), &["snapshots"]);
    writer.publish(b"{}").unwrap();
    drop(vault);
    good(folder.path(), &["prune"]);
    is_sound(folder.path());
}

#[test]
fn restics_lock_keeps_forget_out_until_its_process_is_gone() {
    if !has_restic() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (set, _) = publish(&vault, new_set(1), &[("a", b"some bytes")]);
    drop(vault);
    let mut backup =
        command(folder.path()).args(["backup", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while objects(folder.path(), "locks").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "restic takes no lock");
        std::thread::sleep(Duration::from_millis(20));
    }
    let vault = open(folder.path());
    assert!(matches!(vault.forget(std::slice::from_ref(&set)), Err(Error::Locked(_))));
    let (other, _) = publish(&vault, new_set(2), &[("b", b"beside it")]);
    backup.kill().unwrap();
    backup.wait().unwrap();
    assert!(!objects(folder.path(), "locks").is_empty(), "a killed restic leaves its lock");
    vault.forget(&[set]).unwrap();
    assert_eq!(ids(&vault), [other]);
    drop(vault);
    assert!(objects(folder.path(), "locks").is_empty());
    is_sound(folder.path());
}

#[test]
fn a_snapshot_that_restic_writes_anew_is_the_same_set() {
    if !has_restic() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (set, _) = publish(&vault, new_set(1), &[("a", b"some bytes")]);
    vault.attach(&set, &name("proof"), b"proved").unwrap();
    drop(vault);
    good(folder.path(), &["tag", "--add", "kept", set.as_str()]);
    let vault = open(folder.path());
    let sets = vault.sets().unwrap();
    let summary = sets[0].as_ref().unwrap();
    assert_eq!((sets.len(), &summary.id, &summary.made.tags), (1, &set, &vec!["kept".to_owned()]));
    assert_eq!(read(&vault, &set, "a").unwrap(), b"some bytes");
    assert_eq!(vault.attachments(&set).unwrap()[0].bytes, b"proved");
    vault.forget(&[set]).unwrap();
    assert_eq!(objects(folder.path(), "snapshots").len(), 0);
}

#[test]
fn a_key_that_restic_adds_opens_the_vault() {
    if !has_restic() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    drop(create(folder.path()));
    let file = folder.path().with_extension("key");
    fs::write(&file, "battery staple\n").unwrap();
    good(folder.path(), &["key", "add", "--new-password-file", file.to_str().unwrap()]);
    fs::remove_file(&file).unwrap();
    let vault = ResticVault::open(folder.path(), &Secret::password("battery staple")).unwrap();
    assert_eq!(vault.keys().unwrap().len(), 2);
    assert_eq!(good(folder.path(), &["key", "list", "--json"]).matches("\"id\"").count(), 2);
}
