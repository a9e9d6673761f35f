//! Over existing files: what stood there is set aside, and nothing is lost.
//! Ids in names are those of ops-1.

use crate::common::{Group, Store, ambient, breaches, copy_of, digests, fresh, names, told};
use crate::forward::forward;
use anchorlog_operations::recover::Progress;
use anchorlog_operations::restore::set::{Error, Form, Forward, Options, RECORD, Target, files, make};
use anchorlog_testkit::data::{copy_folder, engine_set};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a crashed server, and a set of its old copy.
fn crashed() -> Option<(Store, anchorlog_vault::SetId, tempfile::TempDir)> {
    engine_set("rollforward-crash-2db")?;
    let (source, store) = (copy_of("rollforward-crash-2db", "before"), Store::new());
    let id = store.add(source.path());
    fs::write(source.path().join("log/edb.chk"), vec![7; 8192]).unwrap();
    fs::write(source.path().join("note.txt"), "of the user").unwrap();
    for name in ["db/db1.edb", "db/db2.edb"] {
        let mut bytes = fs::read(source.path().join(name)).unwrap();
        bytes[40_000] ^= 1;
        fs::write(source.path().join(name), bytes).unwrap();
    }
    Some((store, id, source))
}

/// Everything that a folder held is still somewhere in it.
fn nothing_is_lost(before: &BTreeMap<String, String>, root: &Path) {
    let after: Vec<String> = digests(root).into_values().collect();
    for (path, digest) in before {
        assert!(after.contains(digest), "{path} is gone");
    }
}

// traps ops-1 P29, D11
#[test]
fn p26_p27_databases_logs_and_checkpoint_in_the_way_are_set_aside() {
    let Some((store, id, folder)) = crashed() else { return };
    let before = digests(folder.path());
    let target = Target::Over(folder.path().to_owned());
    let report = store.restore(&id, &target, &Options::default()).unwrap();
    assert_eq!(report.form, Form::Unit);
    nothing_is_lost(&before, folder.path());
    let aside = PathBuf::from(report.recovery.set_aside.unwrap());
    let mut kept = digests(&aside);
    assert!(kept.remove(RECORD).is_some());
    let expected: BTreeMap<String, String> =
        before.iter().filter(|(path, _)| *path != "note.txt").map(|(a, b)| (a.clone(), b.clone())).collect();
    assert_eq!(kept, expected);
    // P29: clean databases alone, and what is none of ours.
    assert_eq!(names(&folder.path().join("db")), ["db1.edb", "db2.edb"]);
    assert!(names(&folder.path().join("log")).is_empty());
    assert_eq!(before["note.txt"], digests(folder.path())["note.txt"]);
}

#[test]
fn p58_p68_a_crashed_server_is_rolled_forward_in_place_and_its_files_are_kept() {
    let Some((store, id, folder)) = crashed() else { return };
    let before = digests(folder.path());
    let target = Target::Over(folder.path().to_owned());
    let report = store.restore(&id, &target, &forward(Forward::All)).unwrap();
    nothing_is_lost(&before, folder.path());
    // As in a folder of its own.
    let (_keep, out) = fresh();
    store.restore(&id, &Target::New(out.clone()), &forward(Forward::Set)).unwrap();
    let (ours, theirs) = (digests(folder.path()), digests(&out));
    for (path, digest) in &theirs {
        assert_eq!(ours.get(path), Some(digest), "{path}");
    }
    let aside = digests(Path::new(report.recovery.set_aside.as_deref().unwrap()));
    assert!(aside.contains_key("log/edb.chk") && aside.contains_key("db/db1.edb") && aside.contains_key(RECORD));
    // A log that is as it was is not touched.
    assert!(!aside.contains_key("log/edb00012.log"));
    // P61: nothing of the stream is left above its end.
    assert!(aside.contains_key("log/edb.log"));
}

#[test]
fn p33_a_dirty_database_that_stays_refuses_and_p34_a_checkpoint_that_does_not_fit() {
    let Some(Group { store, id, folder, target, one, .. }) = Group::new() else { return };
    let plan = store.plan(&id, &target, &one);
    assert_eq!((plan.form, breaches(&plan)), (Form::Group, Vec::new()));
    fs::rename(folder.path().join("log/edb.chk"), folder.path().join("kept")).unwrap();
    store.refused(&id, &target, &one, &["P34 R-CHKPT"]);
    fs::rename(folder.path().join("kept"), folder.path().join("log/edb.chk")).unwrap();
    fs::copy(
        engine_set("rollforward-crash-2db").unwrap().folder().join("after-redo/db/db2.edb"),
        folder.path().join("db/db2.edb"),
    )
    .unwrap();
    store.refused(&id, &target, &one, &["P33 R-OTHERDB"]);
    // P29: in a new stream nothing dirty may stay either.
    store.refused(&id, &target, &Options { new_stream: true, ..one }, &["P29 R-NOT-CLEAN"]);
}

#[test]
fn p36_one_database_of_a_group_is_replaced_and_the_logs_stay() {
    let Some(Group { store, id, source, folder, target, one }) = Group::new() else { return };
    let before = digests(folder.path());
    let report = store.restore(&id, &target, &one).unwrap();
    let after = digests(folder.path());
    assert_eq!(after["db/db1.edb"], digests(source.path())["db/db1.edb"]);
    for path in ["db/db2.edb", "db/db2.jfm", "log/edb.chk", "log/edb.log"] {
        assert_eq!(after.get(path), before.get(path), "{path}");
    }
    // A flush map of the file that is gone would tell wrong things of the one that came.
    let aside = digests(Path::new(report.recovery.set_aside.as_deref().unwrap()));
    assert!(!after.contains_key("db/db1.jfm") && aside.contains_key("db/db1.jfm") && aside.contains_key("db/db1.edb"));
}

#[cfg(unix)]
#[test]
fn p25_p32_a_database_that_is_open_refuses() {
    let Some(Group { store, id, folder, target, one, .. }) = Group::new() else { return };
    let _lock = anchorlog_storage::lock::FileLock::exclusive(&folder.path().join("db/db1.edb")).unwrap();
    store.refused(&id, &target, &Options::default(), &["P25 R-INUSE"]);
    store.refused(&id, &target, &forward(Forward::Set), &["P25 R-INUSE"]);
    store.refused(&id, &target, &one, &["P32 R-INUSE"]);
}

#[test]
fn a_folder_with_files_is_no_new_place() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    store.refused(&id, &Target::New(folder.path().to_owned()), &Options::default(), &["P25 R-EXISTS"]);
}

// trap ops-3 O26
#[test]
fn the_database_of_a_domain_controller_does_not_go_back_in_place_by_itself() {
    let folder = copy_of("clean-4k", "clean");
    fs::rename(folder.path().join("db1.edb"), folder.path().join("ntds.dit")).unwrap();
    fs::remove_file(folder.path().join("db1.jfm")).unwrap();
    let store = Store::new();
    let id = store.add(folder.path());
    let target = Target::Over(folder.path().to_owned());
    store.refused(&id, &target, &Options::default(), &["directory R-STATE"]);
    let plan = store.plan(&id, &target, &Options { domain_controller: true, ..Options::default() });
    assert_eq!((plan.possible, breaches(&plan)), (true, vec!["directory R-STATE".to_owned()]));
    let (_keep, out) = fresh();
    assert_eq!(breaches(&store.plan(&id, &Target::New(out), &Options::default())), Vec::<String>::new());
}

/// Interrupts at the nth question.
struct Until(usize);
impl Until {
    fn ask(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}
impl Progress for Until {
    fn phase(&mut self, _: &str, _: usize) -> bool {
        self.ask()
    }
    fn step(&mut self, _: &str, _: usize, _: usize) -> bool {
        self.ask()
    }
    fn goes_on(&mut self) -> bool {
        self.ask()
    }
}

#[test]
fn an_interruption_at_any_moment_leaves_the_target_as_it_was() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let folder = tempfile::tempdir().unwrap();
    copy_folder(source.path(), folder.path()).unwrap();
    fs::write(folder.path().join("db1.edb"), "damaged").unwrap();
    let (before, target) = (digests(folder.path()), Target::Over(folder.path().to_owned()));
    let mut asked = 1;
    loop {
        match store.restore_with(&id, &target, &Options::default(), &mut Until(asked)) {
            Ok(_) => break,
            Err(Error::Interrupted) => assert_eq!(
                (names(folder.path()), digests(folder.path())),
                (vec!["db1.edb".into(), "db1.jfm".into()], before.clone()),
                "{asked}"
            ),
            Err(error) => panic!("{error}"),
        }
        asked += if asked < 40 { 1 } else { 13 };
    }
    assert!(asked > 10);
    assert_eq!(digests(folder.path())["db1.edb"], digests(source.path())["db1.edb"]);
}

#[test]
fn a_damaged_stream_fails_with_its_place_and_nothing_is_published() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let flipped = |streams: &mut BTreeMap<String, Vec<u8>>| streams.get_mut("db1.edb").unwrap()[5 * 4096 + 99] ^= 0x55;
    for keep_hashes in [true, false] {
        let bad = store.edited(&id, keep_hashes, |_, streams| flipped(streams));
        let (keep, out) = fresh();
        let error = store.restore(&bad, &Target::New(out), &Options::default()).map(|_| ()).unwrap_err();
        let Error::Damaged { stream, reason, .. } = error else { panic!("{error}") };
        assert_eq!(stream, "db1.edb");
        assert_eq!(reason.contains("page"), !keep_hashes, "{reason}");
        assert!(names(keep.path()).is_empty());
    }
}

// trap ops-3 O27
#[test]
fn a_plan_that_was_made_before_the_target_was_filled_is_refused() {
    let (source, store, (_keep, out)) = (copy_of("clean-4k", "clean"), Store::new(), fresh());
    let id = store.add(source.path());
    let plan = store.plan(&id, &Target::New(out.clone()), &Options::default());
    fs::create_dir(&out).unwrap();
    fs::write(out.join("file"), "x").unwrap();
    assert!(matches!(make(&plan, &ambient(), &mut ()), Err(Error::Failed { .. })));
    assert_eq!(names(&out), ["file"]);
}

#[test]
fn single_files_come_back_raw_and_only_as_they_were() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store, (keep, out)) = (copy_of("rollforward-crash-2db", "before"), Store::new(), fresh());
    let id = store.add(source.path());
    let report = files(&store.vault, &store.set(&id), &["edb.log".into(), "DB2.EDB".into()], &out, &mut ()).unwrap();
    assert_eq!(report.files.len(), 2);
    let (all, some) = (digests(source.path()), digests(&out));
    assert_eq!(some.keys().collect::<Vec<_>>(), ["db/db2.edb", "log/edb.log"]);
    assert!(some.iter().all(|(path, digest)| all[path] == *digest));
    let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(time(&out.join("log/edb.log")), time(&source.path().join("log/edb.log")));
    // Taken, unknown, damaged.
    assert!(files(&store.vault, &store.set(&id), &[], &out, &mut ()).is_err());
    let next = keep.path().join("next");
    assert!(files(&store.vault, &store.set(&id), &["nothing".into()], &next, &mut ()).is_err());
    let bad = store.edited(&id, true, |_, streams| streams.get_mut("log/edb.log").unwrap()[9] ^= 1);
    assert!(matches!(files(&store.vault, &store.set(&bad), &[], &next, &mut ()), Err(Error::Damaged { .. })));
    assert_eq!(names(keep.path()), ["out"]);
}

#[test]
fn steps_are_numbered_and_say_what_they_read_write_and_require() {
    let Some((store, id, folder)) = crashed() else { return };
    let plan = store.plan(&id, &Target::Over(folder.path().to_owned()), &forward(Forward::All));
    assert!(plan.possible, "{:?}", told(&plan, "P66"));
    let numbers: Vec<usize> = plan.steps.iter().map(|step| step.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert!(plan.steps.iter().all(|step| !step.requires.is_empty()));
}

#[test]
fn a_publication_that_a_crash_cut_off_is_completed_by_the_next_run_and_leftovers_go() {
    use anchorlog_storage::DiskFolder;
    use anchorlog_storage::journal::Journal;
    use anchorlog_storage::publish::{Change, is_cut_off};
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("db1.edb"), "old").unwrap();
    // What a run leaves that was killed between two renames: its working folder, its journal, one file set aside.
    let work = ".anchorlog-work-recover-1-0";
    copy_folder(source.path(), &folder.path().join(work)).unwrap();
    let changes = [Change::Put("db1.edb".into()), Change::Put("db1.jfm".into())];
    let root = DiskFolder::new(folder.path());
    let journal = Journal::new(&root, work, &changes, "anchorlog-originals-20300101000000").unwrap();
    journal.commit(&root).unwrap();
    journal.carry_out(&root, 1).unwrap();
    assert!(is_cut_off(folder.path()));
    let target = Target::Over(folder.path().to_owned());
    let plan = store.plan(&id, &target, &Options::default());
    assert_eq!(breaches(&plan), ["P25 R-EXISTS"]);
    // The plan saw files of before: the run completes the other's work, and asks to be planned anew.
    assert!(matches!(make(&plan, &ambient(), &mut ()), Err(Error::Failed { .. })));
    assert!(!is_cut_off(folder.path()));
    assert_eq!(names(folder.path()), ["anchorlog-originals-20300101000000", "db1.edb", "db1.jfm"]);
    assert_eq!(fs::read(folder.path().join("anchorlog-originals-20300101000000/db1.edb")).unwrap(), b"old");
    fs::create_dir(folder.path().join(".anchorlog-work-recover-1-1")).unwrap();
    store.restore(&id, &target, &Options::default()).unwrap();
    assert_eq!(digests(folder.path())["db1.edb"], digests(source.path())["db1.edb"]);
    assert!(!names(folder.path()).iter().any(|name| name.starts_with(".anchorlog")));
}

#[cfg(unix)]
#[test]
fn rights_and_times_come_back() {
    use std::os::unix::fs::PermissionsExt as _;
    let (source, store, (_keep, out)) = (copy_of("clean-4k", "clean"), Store::new(), fresh());
    let path = source.path().join("db1.edb");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, 123_456_789);
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let id = store.add(source.path());
    let report = store.restore(&id, &Target::New(out.clone()), &Options::default()).unwrap();
    assert_eq!(report.not_given_back, Vec::<String>::new());
    let metadata = fs::metadata(out.join("db1.edb")).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o777, metadata.modified().unwrap()), (0o640, time));
}

// trap ops-1 D10
#[test]
fn p30_p31_p36_every_predicate_of_a_procedure_is_told_in_the_order_of_the_reference() {
    let Some((store, id, folder)) = crashed() else { return };
    let group = copy_of("rollforward-crash-2db", "after");
    let over = |root: &Path| Target::Over(root.to_owned());
    let one = Options { databases: vec!["db1.edb".into()], ..Options::default() };
    let numbers = |target: &Target, options: &Options| -> Vec<u32> {
        let plan = store.plan(&id, target, options);
        let mut numbers: Vec<u32> = plan.predicates.iter().filter_map(|it| it.id.strip_prefix('P')?.parse().ok()).collect();
        numbers.dedup();
        numbers
    };
    assert_eq!(numbers(&over(folder.path()), &Options::default()), (25..=31).collect::<Vec<_>>());
    assert_eq!(numbers(&over(group.path()), &one), (32..=36).collect::<Vec<_>>());
    let expected: Vec<u32> = std::iter::once(25).chain(37..=66).filter(|number| ![41, 42].contains(number)).collect();
    // P41 and P42 are of dirty databases; P48 of those that knew their last log.
    let told: Vec<u32> = expected.into_iter().filter(|number| *number != 48).collect();
    assert_eq!(numbers(&over(folder.path()), &forward(Forward::All)), told);
}
