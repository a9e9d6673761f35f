//! Without roll-forward.

use crate::common::{Store, copy_of, digests, fresh};
use anchorlog_operations::backup;
use anchorlog_operations::restore::set::{Options, Target, files};
use anchorlog_operations::sets::Role;
use anchorlog_testkit::data::{copy_folder, engine_sets, oracles};
use std::fs;

#[test]
fn an_offline_set_comes_back_equal_in_an_empty_folder() {
    let (source, store, (_keep, out)) = (copy_of("clean-4k", "clean"), Store::new(), fresh());
    let set = store.add(source.path());
    let report = store.restore(&set, &Target::New(out.clone()), &Options::default()).unwrap();
    assert_eq!(digests(&out), digests(source.path()));
    assert_eq!(report.recovery.databases.len(), 1);
    // Nothing was replayed: what was read is what was written, and is not proved once more.
    assert_eq!(report.recovery.outputs, report.recovery.inputs);
    let blake3 = format!("blake3:{}", blake3::hash(&fs::read(out.join("db1.edb")).unwrap()));
    assert_eq!(report.recovery.outputs["db1.edb"], blake3);
    assert!(report.recovery.databases[0].proof.is_none());
    let (_keep, out) = fresh();
    let verified = Options { verify: true, ..Options::default() };
    let report = store.restore(&set, &Target::New(out), &verified).unwrap();
    assert!(report.recovery.databases[0].proof.is_some());
}

#[test]
fn every_clean_folder_of_the_sets_goes_into_a_vault_and_comes_back_equal() {
    let mut made = 0;
    let mut wrong = Vec::new();
    let after = engine_sets().into_iter().map(|set| (set.name.clone(), set.folder().join("after")));
    let real = oracles().into_iter().map(|(set, _)| (set.display().to_string(), set.join("after")));
    for (name, source) in after.chain(real).filter(|(_, source)| source.is_dir()) {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&source, folder.path()).unwrap();
        let (store, (_keep, out)) = (Store::new(), fresh());
        let sources = crate::backup_common::gather(folder.path());
        // The set leaves out the database that its logs detach before the crash.
        let without = if name == "micro-detach-before-crash" { vec!["DB2.EDB".to_owned()] } else { Vec::new() };
        let options = backup::Options { without, ..backup::Options::default() };
        let planned = backup::offline::plan(&sources, &crate::common::history(&*store.vault), &options);
        if !planned.possible {
            continue;
        }
        let set = store.add_with(folder.path(), &options);
        match store.restore(&set, &Target::New(out.clone()), &Options::default()) {
            Ok(_) => made += 1,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        }
        for file in store.set(&set).manifest.files.iter().filter(|file| !matches!(file.role, Role::Log | Role::Checkpoint)) {
            let place = file.name.as_str();
            if fs::read(out.join(place)).ok() != fs::read(folder.path().join(place)).ok() {
                wrong.push(format!("{name}: {place} is not what it was"));
            }
        }
    }
    assert!(made > 20, "only {made} folders");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), wrong.len() + made, wrong.join("\n"));
}

#[test]
fn a_file_whose_name_no_stream_may_have_comes_back_under_its_own() {
    let (source, store, (keep, out)) = (copy_of("clean-4k", "clean"), Store::new(), fresh());
    fs::rename(source.path().join("db1.edb"), source.path().join("100%.edb")).unwrap();
    fs::rename(source.path().join("db1.jfm"), source.path().join("100%.jfm")).unwrap();
    let set = store.add(source.path());
    store.restore(&set, &Target::New(out.clone()), &Options::default()).unwrap();
    assert_eq!(digests(&out), digests(source.path()));
    let raw = keep.path().join("raw");
    files(&store.vault, &store.set(&set), &[], &raw, &mut ()).unwrap();
    assert_eq!(digests(&raw), digests(source.path()));
}

#[test]
fn only_what_differs_from_a_damaged_copy_is_read_from_the_vault() {
    use crate::backup_common::damage;
    let (source, store) = (copy_of("micro-insert", "after"), Store::new());
    let database = source.path().join("db/db1.edb");
    let whole = std::fs::read(&database).unwrap();
    let set = store.add(source.path());
    // Damaged in one piece, and cut off in the last.
    damage(&database, 70 << 10);
    let mut damaged = std::fs::read(&database).unwrap();
    damaged.truncate(whole.len() - 100);
    std::fs::write(&database, &damaged).unwrap();
    for onto in [source.path().to_owned(), source.path().join("db"), database.clone()] {
        let (_keep, out) = fresh();
        let options = Options { onto: Some(onto), ..Options::default() };
        let report = store.restore(&set, &Target::New(out.clone()), &options).unwrap();
        assert!(std::fs::read(out.join("db/db1.edb")).unwrap() == whole && std::fs::read(&database).unwrap() == damaged);
        let origins = report.origins.unwrap();
        let last = whole.len() as u64 % (64 << 10);
        let last = if last == 0 { 64 << 10 } else { last };
        assert!(origins.from_copy > 0 && origins.from_vault >= (64 << 10) + last, "{origins:?}");
        let size: u64 = report.recovery.inputs.keys().map(|place| std::fs::metadata(out.join(place)).unwrap().len()).sum();
        assert_eq!(origins.from_copy + origins.from_vault, size);
    }
    // A copy that is no copy of it at all gives nothing, and harms nothing.
    let other = source.path().join("other");
    std::fs::write(&other, vec![7; whole.len()]).unwrap();
    let (_keep, out) = fresh();
    let options = Options { onto: Some(other), ..Options::default() };
    let report = store.restore(&set, &Target::New(out.clone()), &options).unwrap();
    assert_eq!(report.origins.unwrap().from_copy, 0);
    assert!(std::fs::read(out.join("db/db1.edb")).unwrap() == whole);
    let options = Options { onto: Some(source.path().join("nowhere")), ..Options::default() };
    store.refused(&set, &Target::New(out.with_extension("x")), &options, &["onto R-PATH"]);
}

#[cfg(target_os = "linux")]
#[test]
fn owner_mode_access_list_and_time_come_back() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    const ACL: &str = "system.posix_acl_access";
    let (source, store, (_keep, out)) = (copy_of("clean-4k", "clean"), Store::new(), fresh());
    let file = source.path().join("db1.edb");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    // Version 2; owner rw-, user 1000 r--, group r--, mask r--, others nothing: tag, rights, id.
    let entries: [(u16, u16, u32); 5] = [(1, 6, u32::MAX), (2, 4, 1000), (4, 4, u32::MAX), (16, 4, u32::MAX), (32, 0, u32::MAX)];
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        acl.extend([&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    // A file system may have no such lists; mode and time are tested all the same.
    let has_lists = xattr::set(&file, ACL, &acl).is_ok();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    let set = store.add(source.path());
    store.restore(&set, &Target::New(out.clone()), &Options::default()).unwrap();
    let (before, now) = (fs::metadata(&file).unwrap(), fs::metadata(out.join("db1.edb")).unwrap());
    assert_eq!((now.mode(), now.uid(), now.gid(), now.mtime()), (before.mode(), before.uid(), before.gid(), before.mtime()));
    assert_eq!(xattr::get(out.join("db1.edb"), ACL).ok().flatten(), has_lists.then_some(acl));
}
