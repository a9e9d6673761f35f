//! Documents of the vault itself: they belong to no set, stay when sets are forgotten, and stock restic checks them like all else.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::restic::Depth;
use anchorlog_vault::{Error, Vault};
use common::{PASSWORD, create, name, new_set, objects, open, publish};
use std::process::Command;

fn told(vault: &dyn Vault) -> Vec<(String, Vec<u8>)> {
    vault.documents().unwrap().into_iter().map(|document| (document.name.to_string(), document.bytes)).collect()
}

#[test]
fn documents_stand_beside_each_other_and_are_no_sets_nor_attachments() {
    let folder = tempfile::tempdir().unwrap();
    let vaults: [&dyn Vault; 2] = [&MemoryVault::new(), &create(folder.path())];
    for vault in vaults {
        assert_eq!(told(vault), []);
        vault.keep(&name("key.json"), b"first").unwrap();
        let (set, _) = publish(vault, new_set(1000), &[("a", b"bytes")]);
        vault.attach(&set, &name("proof.json"), b"proof").unwrap();
        vault.keep(&name("key.json"), b"second").unwrap();
        assert_eq!((vault.sets().unwrap().len(), vault.attachments(&set).unwrap().len()), (1, 1));
        vault.forget(&[set]).unwrap();
        assert_eq!(told(vault), [("key.json".into(), b"first".to_vec()), ("key.json".into(), b"second".to_vec())]);
    }
    drop(open(folder.path()));
    assert_eq!(told(&open(folder.path())).len(), 2);
}

#[test]
fn a_damaged_document_is_told_and_hides_no_set() {
    let folder = tempfile::tempdir().unwrap();
    let vault = create(folder.path());
    let (set, _) = publish(&vault, new_set(1000), &[("a", b"bytes")]);
    let before = objects(folder.path(), "data");
    vault.keep(&name("key.json"), b"the key").unwrap();
    drop(vault);
    for pack in objects(folder.path(), "data").iter().filter(|pack| !before.contains(pack)) {
        std::fs::remove_file(pack).unwrap();
    }
    let vault = open(folder.path());
    assert!(matches!(vault.documents(), Err(Error::Damaged(_))));
    assert_eq!(vault.manifest(&set).unwrap(), br#"{"version":1}"#);
    let report = vault.check(Depth::Metadata).unwrap();
    assert!(!report.damage.is_empty(), "{report:?}");
}

#[test]
fn stock_restic_lists_checks_and_writes_out_a_document() {
    let restic = |arguments: &[&str], vault: &std::path::Path| {
        let mut command = Command::new("restic");
        command.env("RESTIC_PASSWORD", PASSWORD).env("RESTIC_REPOSITORY", vault).arg("--no-cache").args(arguments);
        command.output()
    };
    let folder = tempfile::tempdir().unwrap();
    if restic(&["version"], folder.path()).is_err() {
        assert!(std::env::var_os("ANCHORLOG_REQUIRE_RESTIC").is_none(), "restic is not installed");
        eprintln!("restic is not installed: nothing is tested");
        return;
    }
    let vault = create(folder.path());
    vault.keep(&name("key.json"), b"the key").unwrap();
    drop(vault);
    let checked = restic(&["check", "--read-data"], folder.path()).unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let dumped = restic(&["dump", "latest", "/key.json"], folder.path()).unwrap();
    assert_eq!(dumped.stdout, b"the key");
}
