//! Offline backup of clean databases.

use crate::common::{
    ambient, back_up, breaches, copy_of, damage, digests, edit_header, inputs, plan_offline, stopped_at_12, stream,
};
use anchorlog_format::database::DatabaseState;
use anchorlog_operations::backup::{self, Around, Commands, Error, Hooks, Options, Plan, Progress};
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
        let read = fs::read(folder.path().join(file.name.as_str())).unwrap();
        assert!(bytes == read);
        assert_eq!(file.blake3, *blake3::hash(&read).as_bytes());
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

/// Writes down what is called, and fails where it is told to.
#[derive(Default)]
struct Calls {
    made: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
    fails: bool,
}

impl Calls {
    fn call(&self, name: &str) -> Result<(), String> {
        self.made.borrow_mut().push(name.into());
        if self.fails { Err(format!("{name} failed")) } else { Ok(()) }
    }
}

impl Hooks for Calls {
    fn before(&mut self) -> Result<(), String> {
        self.call("dismount")
    }
    fn behind(&mut self) -> Result<(), String> {
        self.call("mount")
    }
}

impl Progress for Calls {
    fn bytes(&mut self, file: &str, bytes: u64) -> bool {
        if bytes > 0 && !file.is_empty() && self.made.borrow().last().is_none_or(|last| last != file) {
            self.made.borrow_mut().push(file.into());
        }
        true
    }
}

#[test]
fn databases_are_mounted_again_as_soon_as_they_are_copied_and_closed_logs_come_behind() {
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    let mut calls = Calls::default();
    let mut progress = Calls { made: calls.made.clone(), fails: false };
    backup::run(Around::Dismount, &inputs(folder.path()), &vault, &Options::default(), &mut calls, &ambient(), &mut progress)
        .unwrap();
    let made = calls.made.borrow();
    let at = |name: &str| made.iter().position(|call| call == name).unwrap();
    assert_eq!(at("dismount"), 0);
    assert!(
        at("db/db1.edb") < at("mount") && at("log/edb.log") < at("mount") && at("mount") < at("log/edb00001.log"),
        "{made:?}"
    );
    assert_eq!(made.iter().filter(|call| *call == "mount").count(), 1);
}

#[test]
fn hooks_that_fail_are_told_and_never_lose_the_set() {
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    let mut calls = Calls { fails: true, ..Calls::default() };
    let report =
        backup::run(Around::Dismount, &inputs(folder.path()), &vault, &Options::default(), &mut calls, &ambient(), &mut ())
            .unwrap();
    assert!(report.remarks.contains(&"dismounting: dismount failed".to_owned()), "{:?}", report.remarks);
    assert!(report.remarks.contains(&"mounting again: mount failed".to_owned()), "{:?}", report.remarks);
    assert_eq!(vault.sets().unwrap().len(), 1);
}

#[test]
fn databases_are_mounted_again_also_behind_a_refusal_and_behind_damage() {
    let changes: [fn(&std::path::Path); 2] =
        [|path| edit_header(path, |header| header.state = DatabaseState::DirtyShutdown), |path| damage(path, 5 * 4096 + 100)];
    for change in changes {
        let (folder, vault, mut calls) = (stopped_at_12(), MemoryVault::new(), Calls::default());
        change(&folder.path().join("db/db1.edb"));
        let made =
            backup::run(Around::Dismount, &inputs(folder.path()), &vault, &Options::default(), &mut calls, &ambient(), &mut ());
        assert!(matches!(made, Err(Error::Refused(_) | Error::Damaged(_))));
        assert_eq!(*calls.made.borrow(), ["dismount", "mount"]);
        assert_eq!(vault.sets().unwrap(), []);
    }
}

#[test]
fn a_snapshot_is_taken_first_and_dropped_whatever_happens() {
    let run = |fails: bool, folder: &std::path::Path| {
        let (vault, mut calls) = (MemoryVault::new(), Calls { fails, ..Calls::default() });
        let mut progress = Calls { made: calls.made.clone(), fails: false };
        let made =
            backup::run(Around::Snapshot, &inputs(folder), &vault, &Options::default(), &mut calls, &ambient(), &mut progress);
        // Nothing is read before it is taken, nor behind its end: its logs are its own as well.
        let calls = calls.made.borrow();
        assert_eq!((calls.first().unwrap().as_str(), calls.last().unwrap().as_str()), ("dismount", "mount"));
        assert_eq!(calls.iter().filter(|call| *call == "mount").count(), 1);
        (made, vault.sets().unwrap().len())
    };
    // With closed logs, which are read when databases are mounted again already.
    assert!(matches!(run(false, stopped_at_12().path()), (Ok(_), 1)));
    let image = copy_of("micro-insert", "before");
    assert!(matches!(run(false, image.path()), (Ok(_), 1)));
    // What was not frozen is no image.
    let (made, sets) = run(true, image.path());
    assert!(made.unwrap_err().to_string().contains("the snapshot was not taken: dismount failed") && sets == 0);
    // Nothing that could be replayed is there.
    fs::remove_dir_all(image.path().join("log")).unwrap();
    assert!(matches!(run(false, image.path()), (Err(Error::Refused(_)), 0)));
}

#[cfg(unix)]
#[test]
fn commands_are_run_by_the_shell_and_their_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("dismounted");
    let mut commands = Commands { before: Some(format!("printf down > '{}'", mark.display())), behind: Some("exit 3".into()) };
    commands.before().unwrap();
    assert_eq!(fs::read_to_string(mark).unwrap(), "down");
    assert!(commands.behind().unwrap_err().contains("exit 3"));
}

#[test]
fn a_mount_between_databases_and_logs_does_not_spoil_the_set() {
    struct Engine(std::path::PathBuf);
    impl Hooks for Engine {
        fn before(&mut self) -> Result<(), String> {
            Ok(())
        }
        /// An engine that starts: it makes the database dirty and goes on in its current log.
        fn behind(&mut self) -> Result<(), String> {
            edit_header(&self.0.join("db/db1.edb"), |header| header.state = DatabaseState::DirtyShutdown);
            fs::rename(self.0.join("log/edb.log"), self.0.join("log/edb0000F.log")).map_err(|error| error.to_string())
        }
    }
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    let mut engine = Engine(folder.path().to_owned());
    let report =
        backup::run(Around::Dismount, &inputs(folder.path()), &vault, &Options::default(), &mut engine, &ambient(), &mut ())
            .unwrap();
    assert!(report.is_good() && report.level == Level::L2);
    assert!(report.manifest.databases().all(|(_, facts)| facts.is_clean()));
    assert_eq!(report.manifest.logs().count(), 15);
}

#[test]
fn a_vault_without_room_for_what_is_surely_new_is_refused_and_one_that_may_run_full_is_told() {
    let folder = copy_of("micro-insert", "after");
    let vault = MemoryVault::new();
    let with = |free| Options { free_bytes: Some(free), ..Options::default() };
    let planned = plan_offline(folder.path(), &vault, &with(u64::MAX));
    assert!(planned.possible && planned.remarks.iter().all(|remark| !remark.contains("run full")));
    let bytes = planned.bytes;
    let room = |plan: &Plan| plan.predicates.iter().find(|predicate| predicate.id == "vault-room").unwrap().read.clone();
    assert!(room(&planned).contains(&format!("{} are free", u64::MAX)), "{}", room(&planned));
    // All of it fits only where it can be compressed.
    let tight = plan_offline(folder.path(), &vault, &with(bytes));
    assert!(tight.possible && tight.remarks.iter().any(|remark| remark.contains("run full")));
    let Err(Error::Refused(broken)) = back_up(folder.path(), &vault, &with(100)) else { panic!("it must be refused") };
    assert_eq!(broken.iter().map(|broken| broken.id).collect::<Vec<_>>(), ["vault-room"]);
    assert_eq!(vault.sets().unwrap(), []);
    // What the vault has a version of is not surely new.
    back_up(folder.path(), &vault, &with(bytes)).unwrap();
    let again = plan_offline(folder.path(), &vault, &with(100));
    assert!(again.possible && room(&again).contains(", 0 of them of files that no set holds"), "{}", room(&again));
}
