//! Restores that wait for their last set, and their end.
//! Ids in names are those of ops-3.

use super::common::{ambient, compare_dump, databases, digests, header_of, names};
use super::sets::{finish, inputs, last, restore, stages, stream, two_databases};
use anchorlog_database::canonical::Tables;
use anchorlog_format::database::DatabaseState;
use anchorlog_operations::recover::Progress;
use anchorlog_operations::restore::environment::{Environment, NAME, Status};
use anchorlog_operations::restore::{Options, PlanError, make, online, waiting};
use anchorlog_storage::DiskFolder;
use anchorlog_testkit::data::engine_set;
use anchorlog_testkit::dump_text::engine_dumps;
use std::fs;
use std::path::Path;

fn environment(folder: &Path) -> Environment {
    Environment::read(&DiskFolder::read_only(folder)).unwrap()
}

fn stage(name: &str) -> super::sets::Stage {
    stages(&engine_set("backup-stream-4k").unwrap()).into_iter().find(|stage| stage.name() == name).unwrap()
}

#[test]
fn o5_files_wait_until_the_last_set_came_and_a_late_set_is_refused() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    // First the full set: its files wait as they are.
    restore(&inputs(&folder, &["full"], None), &target, &Options::default()).report();
    assert_eq!(environment(&target).status, Status::Waiting);
    let waits = digests(&target);
    assert_eq!(waits["db1.edb"], digests(&folder.join("full"))["db1.edb"]);
    assert_eq!(names(&target), ["Restore.env", "db1.edb", "logs"]);
    // Then the incremental ones, one after the other.
    for set in ["inc1", "inc2"] {
        restore(&inputs(&folder, &[set], None), &target, &Options::default()).report();
    }
    let found = environment(&target);
    assert_eq!((found.high, found.sets.len(), found.logs.len(), found.status), (31, 3, 31, Status::Waiting));
    // And the end.
    let done = finish(&target, None, &last());
    let aside = done.report().recovery.as_ref().unwrap().set_aside.clone().unwrap();
    let mut problems = Vec::new();
    let dump = &engine_dumps(&stage("full+inc2").told("dump", "jsonl"))[0].1;
    compare_dump("full+inc2", &target.join("db1.edb"), dump, Tables::Users, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let found = environment(&target);
    assert_eq!((found.status, found.sets.len()), (Status::Done, 3));
    // What waited is set aside, the raw copy of the database above all.
    assert_eq!(digests(Path::new(&aside))["db1.edb"], waits["db1.edb"]);
    // There is one chance.
    let late = online(&inputs(&folder, &["inc1"], None), &target, &Options::default());
    assert!(matches!(late, Err(PlanError::Finished { .. })));
    let again = waiting(&target, None, None, &last()).unwrap_err();
    assert!(again.to_string().contains("take no more logs"), "{again}");
}

#[test]
fn the_end_of_a_restore_goes_on_into_production_as_the_engine_does() {
    let Some(_) = stream() else { return };
    let stage = stage("full+production-logs-no-incrementals");
    let place = tempfile::tempdir().unwrap();
    let (target, production) = (place.path().join("target"), stage.production(&place.path().join("production")));
    restore(&inputs(&stage.folder, &["full"], None), &target, &Options::default()).report();
    let untouched = digests(production.as_ref().unwrap());
    finish(&target, production.as_deref(), &last()).report();
    assert!(digests(production.as_ref().unwrap()) == untouched);
    let mut problems = Vec::new();
    compare_dump("db1", &target.join("db1.edb"), &engine_dumps(&stage.told("dump", "jsonl"))[0].1, Tables::Users, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    // The whole stream lies with the result, ready to be recovered again or continued.
    let logs = names(&target.join("logs"));
    assert!(logs.contains(&"edb00025.log".to_owned()) && logs.contains(&"edb.log".to_owned()), "{logs:?}");
}

#[test]
fn a_refused_end_leaves_the_files_waiting_and_says_why() {
    let Some(_) = stream() else { return };
    let stage = stage("full+production-logs-gap");
    let place = tempfile::tempdir().unwrap();
    let (target, production) = (place.path().join("target"), stage.production(&place.path().join("production")));
    restore(&inputs(&stage.folder, &["full"], None), &target, &Options::default()).report();
    let before = digests(&target);
    let refused = finish(&target, production.as_deref(), &last());
    assert_eq!((refused.code(), refused.broken()[0]), (-611, "C2"));
    // Which end is left is told, and not chosen (ops-3 C3).
    let told = |note: &String| note.starts_with("without the logs of production") && note.contains("00000011,");
    assert!(refused.plan.notes.iter().any(told), "{:?}", refused.plan.notes);
    assert!(digests(&target) == before);
    // Without production it ends with the set.
    finish(&target, None, &last()).report();
}

#[test]
fn a_failed_end_is_written_down_and_can_be_tried_again() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    restore(&inputs(&folder, &["full"], None), &target, &Options::default()).report();
    // A log of the set is damaged where it waits.
    let path = target.join("logs/edb00009.log");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[3 * 4096 + 9..3 * 4096 + 2000].fill(0xA5);
    fs::write(&path, &bad).unwrap();
    assert_eq!(finish(&target, None, &last()).code(), -573);
    fs::write(&path, &good).unwrap();
    // The disk fails behind the plan.
    let plan = waiting(&target, None, None, &last()).unwrap();
    fs::write(&path, &bad).unwrap();
    make(&plan, &ambient(), &mut ()).unwrap_err();
    let found = environment(&target);
    assert_eq!((found.status, found.error), (Status::Failed, Some(-573)));
    fs::write(&path, &good).unwrap();
    finish(&target, None, &last()).report();
    assert_eq!(environment(&target).status, Status::Done);
}

#[test]
fn a_file_that_was_changed_while_it_waited_is_refused() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    restore(&inputs(&folder, &["full"], None), &target, &Options::default()).report();
    let mut found = environment(&target);
    found.logs[3].sha256 = "00".repeat(32);
    fs::write(target.join(NAME), found.to_bytes().unwrap()).unwrap();
    let refused = finish(&target, None, &last());
    assert!(refused.made.unwrap_err().to_string().contains("edb00004.log was changed"));
    assert_eq!(header_of(&target.join("db1.edb")).header.state, DatabaseState::DirtyShutdown);
}

#[test]
fn o4_without_its_environment_a_folder_is_restored_by_what_its_headers_say() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    restore(&inputs(&folder, &["full", "inc1"], None), &target, &Options::default()).report();
    fs::remove_file(target.join(NAME)).unwrap();
    assert!(waiting(&target, None, None, &last()).is_err());
    let out = place.path().join("out");
    let plan = waiting(&target, None, Some(&out), &last()).unwrap();
    make(&plan, &ambient(), &mut ()).unwrap();
    let mut problems = Vec::new();
    let dump = &engine_dumps(&stage("full+inc1").told("dump", "jsonl"))[0].1;
    compare_dump("full+inc1", &out.join("db1.edb"), dump, Tables::Users, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn no_damage_of_a_restore_env_is_trusted() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    restore(&inputs(&folder, &["full"], None), &target, &Options::default()).report();
    let good = fs::read(target.join(NAME)).unwrap();
    let mut random = 1_u32;
    let mut next = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(random >> 8).unwrap() % below
    };
    let before = digests(&folder);
    for _ in 0..200 {
        let mut bad = good.clone();
        for _ in 0..=next(3) {
            let at = next(bad.len());
            bad[at] = b"0\"/.{}[],:xZ\\\n"[next(14)];
        }
        fs::write(target.join(NAME), &bad).unwrap();
        // Whatever comes out, it comes without a panic; a plan is only made where every file is in the folder.
        if let Ok(plan) = waiting(&target, None, None, &last()) {
            assert!(plan.environment.databases.iter().all(|database| target.join(&database.destination).is_file()));
        }
    }
    assert!(digests(&folder) == before);
}

#[test]
fn one_database_of_two_is_restored_alone_and_the_other_does_not_matter() {
    let Some(folder) = two_databases() else { return };
    let place = tempfile::tempdir().unwrap();
    for (name, other) in [("db1.edb", "db2.edb"), ("db2.edb", "db1.edb")] {
        let target = place.path().join(name);
        let options = Options { map: vec![(name.into(), format!("one/{other}").into())], only_mapped: true, ..last() };
        let restored = restore(&inputs(&folder, &["full", "inc1"], None), &target, &options);
        restored.report();
        assert!(restored.plan.left_out.iter().any(|left| left.path.ends_with(other)));
        // It lies under the name that the log knows the other one by, and is what it is all the same.
        let found = databases(&target);
        assert_eq!(found.keys().collect::<Vec<_>>(), [other]);
        let dumps = engine_dumps(&folder.join("dump-full_inc1.jsonl"));
        let (_, dump) = dumps.iter().find(|(of, _)| of == name).unwrap();
        let mut problems = Vec::new();
        compare_dump(name, &found[other], dump, Tables::Users, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
    }
}

/// Interrupts at a step.
struct StopAt(usize);

impl Progress for StopAt {
    fn phase(&mut self, _: &str, _: usize) -> bool {
        self.0 -= 1;
        self.0 > 0
    }
    fn step(&mut self, _: &str, _: usize, _: usize) -> bool {
        true
    }
}

#[test]
fn an_interrupted_restore_leaves_nothing_behind() {
    let Some(folder) = stream() else { return };
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    for at in 1..=4 {
        let plan = online(&inputs(&folder, &["full"], None), &target, &last()).unwrap();
        assert!(make(&plan, &ambient(), &mut StopAt(at)).is_err(), "{at}");
        assert_eq!(names(place.path()), [""; 0]);
    }
    let plan = online(&inputs(&folder, &["full"], None), &target, &last()).unwrap();
    make(&plan, &ambient(), &mut StopAt(99)).unwrap();
}
