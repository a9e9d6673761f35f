//! Offline backup of clean databases.

use crate::common::{back_up, breaches, copy_of, digests, hex, plan_offline, stream};
use anchorlog_operations::backup::Options;
use anchorlog_operations::sets::{History, Level, Role};
use anchorlog_testkit::data::{copy_folder, engine_sets, oracles};
use anchorlog_vault::Vault;
use anchorlog_vault::memory::MemoryVault;
use std::fs;

#[test]
fn a_clean_database_goes_into_the_vault_and_comes_back_equal() {
    let (folder, vault) = (copy_of("clean-4k", "clean"), MemoryVault::new());
    let before = digests(folder.path());
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    assert!(report.is_good());
    assert_eq!((report.level, report.databases.len()), (Level::L2, 1));
    let roles: Vec<_> = report.manifest.files.iter().map(|file| (file.name.as_str(), file.role)).collect();
    assert_eq!(roles, [("db1.edb", Role::Database), ("db1.jfm", Role::FlushMap)]);
    for file in &report.manifest.files {
        let bytes = stream(&vault, &report.set, &file.name);
        assert!(bytes == fs::read(folder.path().join(file.name.as_str())).unwrap());
        assert_eq!(before[file.name.as_str()], hex(&file.sha256));
    }
    let history = History::read(&vault).unwrap();
    assert_eq!(history.sets.len(), 1);
    assert_eq!((history.sets[0].proved, &history.sets[0].manifest), (Some(Level::L2), &report.manifest));
    assert_eq!(digests(folder.path()), before);
}

#[test]
fn every_clean_folder_of_the_sets_is_backed_up_and_reads_back() {
    let mut made = 0;
    let mut wrong = Vec::new();
    let after = engine_sets().into_iter().map(|set| (set.name.clone(), set.folder().join("after")));
    let real = oracles().into_iter().map(|(set, _)| (set.display().to_string(), set.join("after")));
    for (name, source) in after.chain(real).filter(|(_, source)| source.is_dir()) {
        let (folder, vault) = (tempfile::tempdir().unwrap(), MemoryVault::new());
        copy_folder(&source, folder.path()).unwrap();
        // The set leaves out the database that its logs detach before the crash.
        let without = if name == "micro-detach-before-crash" { vec!["DB2.EDB".to_owned()] } else { Vec::new() };
        let options = Options { without, ..Options::default() };
        let plan = plan_offline(folder.path(), &vault, &options);
        if breaches(&plan) == ["set R-PATH"] {
            continue;
        }
        if !plan.possible {
            wrong.push(format!("{name}: {:?}", breaches(&plan)));
            continue;
        }
        match back_up(folder.path(), &vault, &options) {
            Ok(report) if report.is_good() => {
                made += 1;
                for file in &report.manifest.files {
                    assert!(stream(&vault, &report.set, &file.name) == fs::read(folder.path().join(file.name.as_str())).unwrap());
                }
                assert_eq!(vault.sets().unwrap().len(), 1);
            }
            Ok(report) => wrong.push(format!("{name}: {:?}", report.databases)),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(made > 20, "only {made} folders");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), wrong.len() + made, wrong.join("\n"));
}
