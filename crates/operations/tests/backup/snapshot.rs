//! P69 to P75: images of files of one moment, proved by replay.
//! Ids in names are those of ops-1.

use crate::common::{ambient, breaches, broken, copy_of, damage, digests, edit_header, flip, gather, history, stream};
use anchorlog_format::units::{Generation, LogTime};
use anchorlog_operations::backup::snapshot::{Instant, Instants, plan};
use anchorlog_operations::backup::{Error, Options, Plan, Progress, Report, make};
use anchorlog_operations::sets::{Kind, Level, Role};
use anchorlog_testkit::data::{copy_folder, engine_set, engine_sets, real_sets};
use anchorlog_vault::Vault;
use anchorlog_vault::memory::MemoryVault;
use std::fs;
use std::path::Path;

fn plan_of(folder: &Path, options: &Options) -> Plan {
    plan(&gather(folder), &history(&MemoryVault::new()), options).unwrap()
}

fn back_up(folder: &Path, vault: &dyn Vault, options: &Options) -> Result<Report, Error> {
    back_up_with(folder, vault, options, &mut ())
}

fn back_up_with(folder: &Path, vault: &dyn Vault, options: &Options, progress: &mut dyn Progress) -> Result<Report, Error> {
    let sources = gather(folder);
    make(&plan(&sources, &history(vault), options).unwrap(), &sources, vault, &ambient(), progress)
}

/// Refused for exactly this: the files and the vault are as they were, and nothing is left in the scratch folder.
fn refused(folder: &Path, options: &Options, expected: &str) {
    let (vault, before) = (MemoryVault::new(), digests(folder));
    let Err(Error::Refused(predicates)) = back_up(folder, &vault, options) else { panic!("it must be refused") };
    let found: Vec<_> = predicates.iter().map(|predicate| format!("{} {}", predicate.id, predicate.refusal.unwrap())).collect();
    assert!(found.contains(&expected.to_owned()), "{predicates:#?}");
    assert_eq!((vault.sets().unwrap(), digests(folder)), (vec![], before));
}

fn proved() -> (tempfile::TempDir, Options) {
    let scratch = tempfile::tempdir().unwrap();
    let options = Options { scratch: Some(scratch.path().to_owned()), ..Options::default() };
    (scratch, options)
}

#[test]
fn a_crash_image_is_replayed_before_it_counts_and_comes_back_as_it_was() {
    let (folder, vault, (scratch, options)) = (copy_of("lost-4k-1db", "base"), MemoryVault::new(), proved());
    let before = digests(folder.path());
    let report = back_up(folder.path(), &vault, &options).unwrap();
    assert_eq!((report.level, report.manifest.kind), (Level::L4, Kind::Snapshot));
    for file in &report.manifest.files {
        assert!(stream(&vault, &report.set, &file.name) == fs::read(folder.path().join(file.name.as_str())).unwrap());
    }
    assert_eq!(history(&vault).sets[0].proved, Some(Level::L4));
    assert_eq!((digests(folder.path()), fs::read_dir(scratch.path()).unwrap().count()), (before, 0));
}

#[test]
fn every_crash_state_of_the_sets_is_a_snapshot_that_replay_proves() {
    let (mut made, mut wrong) = (0, Vec::new());
    let engine = engine_sets().into_iter().map(|set| (set.name.clone(), set.folder().join("before")));
    let real = real_sets().into_iter().map(|set| (set.name.clone(), set.folder().join("dirty")));
    for (name, source) in engine.chain(real).filter(|(_, source)| source.is_dir()) {
        let (folder, vault, (_scratch, options)) = (tempfile::tempdir().unwrap(), MemoryVault::new(), proved());
        copy_folder(&source, folder.path()).unwrap();
        let planned = plan(&gather(folder.path()), &history(&vault), &options);
        if planned.as_ref().is_ok_and(|plan| !plan.possible) {
            // Only logs, logs that are missing on purpose, or an old copy of the database that is too old.
            assert!(name.starts_with("rollforward") || name == "micro-init-crash", "{name}: {:?}", breaches(&planned.unwrap()));
            continue;
        }
        match back_up(folder.path(), &vault, &options) {
            Ok(report) if report.level == Level::L4 && report.is_good() => made += 1,
            Ok(report) => wrong.push(format!("{name}: {:?} {:?}", report.level, report.databases)),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(made > 50, "only {made}");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), wrong.len() + made, wrong.join("\n"));
}

#[test]
fn without_replay_an_image_is_stored_unproven() {
    let (folder, vault) = (copy_of("lost-4k-1db", "base"), MemoryVault::new());
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    assert_eq!(report.manifest.level, Level::Unproven);
    assert_eq!(breaches(&plan_of(folder.path(), &Options::default())), ["P75 R-SPACE"]);
}

#[test]
fn p69_o24_logs_of_an_earlier_instant_than_the_databases_are_refused() {
    let folder = copy_of("lost-4k-1db", "base");
    let instant = |id: &str, second: Option<u8>| {
        Some(Instant { id: id.into(), time: second.map(|second| LogTime::utc(2026, 1, 1, 0, 0, second, 0)) })
    };
    let with = |databases, logs| Options { instants: Instants { databases, logs }, ..Options::default() };
    assert!(plan_of(folder.path(), &with(instant("a", None), instant("a", None))).possible);
    assert!(plan_of(folder.path(), &with(instant("a", Some(5)), instant("b", Some(5)))).possible);
    refused(folder.path(), &with(instant("a", Some(5)), instant("b", Some(4))), "P69 R-RANGE-MISSING");
    refused(folder.path(), &with(instant("a", None), instant("b", Some(4))), "P69 R-RANGE-MISSING");
}

#[test]
fn p70_o24_a_required_log_that_the_image_has_not_is_refused() {
    let folder = copy_of("lost-4k-1db", "base");
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.max_required = Generation(header.max_committed.0 + 1);
        header.max_committed = header.max_required;
    });
    let (_scratch, options) = proved();
    refused(folder.path(), &options, "P70 R-RANGE-MISSING");
    let folder = copy_of("lost-4k-1db", "base");
    fs::remove_file(folder.path().join("log/edb00006.log")).unwrap();
    refused(folder.path(), &options, "P70 R-RANGE-MISSING");
}

#[test]
fn p71_committed_logs_that_the_image_has_not_are_refused_or_given_up_by_consent() {
    let (_scratch, mut options) = proved();
    let folder = copy_of("lost-4k-1db", "base");
    edit_header(&folder.path().join("db/db1.edb"), |header| header.max_committed.0 += 1);
    refused(folder.path(), &options, "P71 R-COMMIT-MISSING");
    // A database whose newest pages are all older than its last log.
    let Some(set) = engine_set("lost-4k-waypoint") else { return };
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&set.folder().join("base"), folder.path()).unwrap();
    fs::remove_file(folder.path().join("log/edb.log")).unwrap();
    refused(folder.path(), &options, "P71 R-COMMIT-MISSING");
    options.accept_loss = true;
    let vault = MemoryVault::new();
    let report = back_up(folder.path(), &vault, &options).unwrap();
    assert_eq!(report.level, Level::L4);
    assert!(report.manifest.notes.iter().any(|note| note.place.starts_with("P71")));
}

#[test]
fn p72_the_valid_end_of_the_open_log_is_found_by_its_records() {
    let (folder, vault) = (copy_of("lost-4k-1db", "base"), MemoryVault::new());
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    let (file, facts) = report.manifest.logs().find(|(_, facts)| facts.open).unwrap();
    assert!(facts.valid_bytes < file.size && facts.valid_end.generation.0 == facts.generation);
    let bytes = fs::read(folder.path().join(file.name.as_str())).unwrap();
    let log = anchorlog_format::log::file::LogFile::open(&bytes).unwrap();
    assert_eq!(log.records().map(|record| record.unwrap().end).last(), Some(facts.valid_end));
}

#[test]
fn p73_a_bad_page_that_replay_does_not_make_anew_is_refused() {
    let folder = copy_of("lost-4k-1db", "base");
    let path = folder.path().join("db/db1.edb");
    damage(&path, 5 * 4096 + 100);
    let (scratch, options) = proved();
    let (vault, before) = (MemoryVault::new(), digests(folder.path()));
    let error = back_up(folder.path(), &vault, &options).unwrap_err();
    assert!(matches!(&error, Error::Refused(predicates) if predicates[0].id == "P75"), "{error}");
    assert!(matches!(back_up(folder.path(), &vault, &Options::default()), Err(Error::Damaged(_))));
    assert_eq!((vault.sets().unwrap(), digests(folder.path())), (vec![], before));
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

// trap ops-2 O18
#[test]
fn p74_the_log_in_preparation_is_left_out_whatever_it_holds() {
    let folder = copy_of("lost-4k-1db", "base");
    fs::write(folder.path().join("log/edbtmp.log"), vec![0xA5; 65536]).unwrap();
    let (plan, vault) = (plan_of(folder.path(), &Options::default()), MemoryVault::new());
    assert_eq!(breaches(&plan), ["P75 R-SPACE"]);
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    assert!(report.manifest.of_role(Role::Log).all(|file| !file.name.as_str().contains("tmp")));
}

#[test]
fn p75_an_image_that_replay_cannot_finish_is_no_backup() {
    let folder = copy_of("lost-4k-1db", "base");
    damage(&folder.path().join("log/edb00004.log"), 2 * 4096 + 100);
    let plan = plan_of(folder.path(), &Options::default());
    assert_eq!(broken(&plan, "P75")[0].jet.unwrap().0, -501);
    refused(folder.path(), &Options::default(), "P75 R-RANGE-MISSING");
}

#[test]
fn a_file_that_changes_behind_the_replay_is_not_what_was_proved() {
    let (folder, vault, (_scratch, options)) = (copy_of("lost-4k-1db", "base"), MemoryVault::new(), proved());
    struct Change<'p>(&'p Path);
    impl Progress for Change<'_> {
        fn phase(&mut self, name: &str, bytes: u64) -> bool {
            if name == "copying" && bytes > 0 {
                flip(self.0, 40_000);
            }
            true
        }
    }
    let path = folder.path().join("log/edb.chk");
    let path = if path.exists() { folder.path().join("log/edb.log") } else { path };
    let made = back_up_with(folder.path(), &vault, &options, &mut Change(&path));
    assert!(matches!(made, Err(Error::Changed(_))), "{made:?}");
    assert_eq!(vault.sets().unwrap(), []);
}
