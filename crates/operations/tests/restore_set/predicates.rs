//! The predicates of restoring, each with a case that breaks just it.
//! Ids in names are those of ops-1.

use crate::common::{Store, breaches, copy_of, digests, edit_bytes, edit_log, fresh, told};
use crate::forward::forward;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, LogPosition, LogTime, Signature};
use anchorlog_operations::restore::set::{Forward, Options, Target};
use anchorlog_testkit::data::engine_set;
use anchorlog_vault::SetId;
use std::fs;
use std::path::{Path, PathBuf};

/// Two databases with their logs up to generation 0x12 in a set, and production with all logs to the crash.
pub fn production() -> Option<(Store, SetId, tempfile::TempDir)> {
    engine_set("rollforward-crash-2db")?;
    let (base, store) = (copy_of("rollforward-crash-2db", "before"), Store::new());
    for generation in 0x13..=0x1D {
        fs::remove_file(base.path().join(format!("log/edb{generation:05X}.log"))).unwrap();
    }
    fs::remove_file(base.path().join("log/edb.log")).unwrap();
    let id = store.add(base.path());
    Some((store, id, copy_of("rollforward-crash-2db", "before")))
}

pub fn log(folder: &Path, generation: u32) -> PathBuf {
    folder.join(format!("log/edb{generation:05X}.log"))
}

pub fn with_logs(folder: &Path) -> Options {
    Options { logs: vec![folder.join("log")], ..forward(Forward::All) }
}

/// The set alone, with nothing of its own logs.
fn without_logs(store: &Store, id: &SetId) -> SetId {
    store.edited(id, false, |_, streams| streams.retain(|name, _| !name.starts_with("log/")))
}

pub fn new_place() -> (tempfile::TempDir, Target) {
    let (keep, out) = fresh();
    (keep, Target::New(out))
}

#[test]
fn p28_p35_a_dirty_database_is_not_restored_without_its_logs() {
    let Some(_) = engine_set("micro-insert") else { return };
    let (source, store) = (copy_of("micro-insert", "before"), Store::new());
    let id = store.add_image(source.path());
    let (_keep, target) = new_place();
    store.refused(&id, &target, &Options::default(), &["P28 R-NOT-CLEAN"]);
}

#[test]
fn p28_a_part_of_a_unit_is_refused() {
    let Some((store, id, _)) = production() else { return };
    let old = store.edited(&id, false, |_, streams| {
        for name in ["db/db1.edb", "db/db2.edb"] {
            edit_bytes(streams.get_mut(name).unwrap(), |header| header.update = 2);
        }
    });
    let (_keep, target) = new_place();
    let one = Options { databases: vec!["db1.edb".into()], ..Options::default() };
    let told = store.refused(&old, &target, &one, &["P28 R-OTHERDB"]);
    assert!(told[0].read.contains("db2.edb"));
}

#[test]
fn p28_a_set_that_was_marked_is_restored_by_consent_alone() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let marked = store.edited(&id, false, |manifest, _| {
        let finding = anchorlog_format::finding::Finding::error(Default::default(), JetCode::READ_VERIFY_FAILURE, "bad");
        manifest.files[0].damage.push((&finding).into());
    });
    let (_keep, target) = new_place();
    store.refused(&marked, &target, &Options::default(), &["P28 R-DAMAGED"]);
    assert!(store.plan(&marked, &target, &Options { keep_damage: true, ..Options::default() }).possible);
}

#[test]
fn p37_databases_of_two_streams_are_rolled_forward_one_by_one() {
    let Some((store, id, _)) = production() else { return };
    let two = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut("db/db2.edb").unwrap(), |header| header.log_signature = Signature([9; 28]));
    });
    let (_keep, target) = new_place();
    store.refused(&two, &target, &forward(Forward::Set), &["P37 R-LOGSIGN"]);
}

#[test]
fn o25_p37_a_signature_of_zeros_names_no_stream() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let none = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut("db1.edb").unwrap(), |header| header.log_signature = Signature::NONE);
    });
    let (_keep, target) = new_place();
    store.refused(&none, &target, &forward(Forward::Set), &["P37 R-LOGSIGN"]);
    assert!(store.plan(&none, &target, &Options::default()).possible);
}

// trap ops-2 O1
#[test]
fn p38_a_set_of_an_online_backup_needs_hard_recovery() {
    let Some((store, id, _)) = production() else { return };
    let online = store.edited(&id, false, |manifest, _| manifest.kind = anchorlog_operations::sets::Kind::OnlineFull);
    let (_keep, target) = new_place();
    store.refused(&online, &target, &forward(Forward::Set), &["P38 R-ONLINE-SET"]);
    store.refused(&online, &target, &Options::default(), &["P28 R-ONLINE-SET"]);
}

// trap ops-1 D1
#[test]
fn o6_p40_without_the_anchor_log_nothing_is_replayed_and_the_copy_comes_back_as_it_was() {
    let Some(_) = engine_set("rollforward-tooold") else { return };
    let (source, store) = (copy_of("rollforward-tooold", "before"), Store::new());
    let id = store.add(source.path());
    let (_keep, target) = new_place();
    store.refused(&id, &target, &forward(Forward::Set), &["P40 R-ANCHOR-MISSING"]);
    store.restore(&id, &target, &Options::default()).unwrap();
    assert_eq!(digests(target.path())["db/db1.edb"], digests(source.path())["db/db1.edb"]);
}

/// A dirty database of the middle of production: it needs generations that the chain may lack.
fn image() -> Option<(Store, SetId)> {
    engine_set("micro-insert")?;
    let (source, store) = (copy_of("micro-insert", "before"), Store::new());
    let id = store.add_image(source.path());
    Some((store, id))
}

#[test]
fn p41_p42_required_and_committed_logs_that_are_nowhere() {
    let Some((store, id)) = image() else { return };
    let database = |store: &Store, id: &SetId| store.set(id).manifest.databases().next().unwrap().0.name.to_string();
    let name = database(&store, &id);
    let set_range = |required: u32, committed: u32| {
        store.edited(&id, false, |_, streams| {
            edit_bytes(streams.get_mut(&name).unwrap(), |header| {
                header.max_required = Generation(header.max_required.0 + required);
                header.max_committed = Generation(header.max_committed.0.max(header.max_required.0) + committed);
                (header.max_required_time, header.max_committed_time) = (LogTime::default(), LogTime::default());
            });
        })
    };
    let (_keep, target) = new_place();
    let missing =
        store.refused(&set_range(2, 0), &target, &forward(Forward::Set), &["P41 R-RANGE-MISSING", "P42 R-COMMIT-MISSING"]);
    assert_eq!(missing[0].jet, Some(JetCode::REQUIRED_LOG_FILES_MISSING));
    let lossy = set_range(0, 2);
    store.refused(&lossy, &target, &forward(Forward::Set), &["P42 R-COMMIT-MISSING"]);
    let plan = store.plan(&lossy, &target, &Options { accept_loss: true, ..forward(Forward::Set) });
    assert_eq!(breaches(&plan).first().map(String::as_str), Some("P42 R-COMMIT-MISSING"));
}

#[test]
fn p43_a_database_that_became_clean_behind_the_end_is_a_mismatch_before_anything_is_touched() {
    let Some((store, id, _)) = production() else { return };
    let later = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut("db/db2.edb").unwrap(), |header| {
            header.consistent_position = LogPosition::new(0x40, 1, 0);
        });
    });
    let (_keep, target) = new_place();
    let broken = store.refused(&later, &target, &forward(Forward::Set), &["P43 R-RANGE-MISSING"]);
    assert_eq!(broken[0].jet, Some(JetCode::ATTACHED_DATABASE_MISMATCH));
}

#[test]
fn p44_the_low_anchor_of_another_stream_is_no_anchor() {
    let Some((store, id, folder)) = production() else { return };
    let bare = without_logs(&store, &id);
    let only = Store { vault: store.vault.clone() };
    only.vault.forget(&[id]).unwrap();
    edit_log(&log(folder.path(), 0x10), |header| header.signature = Signature([9; 28]));
    let (_keep, target) = new_place();
    only.refused(&bare, &target, &with_logs(folder.path()), &["P44 R-LOGSIGN"]);
}

#[test]
fn d3_p45_foreign_logs_stay_out() {
    let Some((store, id, folder)) = production() else { return };
    let foreign = folder.path().join("log/edb00020.log");
    fs::copy(log(folder.path(), 0x15), &foreign).unwrap();
    edit_log(&foreign, |header| {
        header.signature = Signature([9; 28]);
        header.generation = Generation(0x20);
    });
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((plan.possible, breaches(&plan)), (true, Vec::new()));
    assert!(told(&plan, "P45")[0].contains("edb00020.log"));
}

#[test]
fn p46_a_hole_shortens_the_replay_and_refuses_where_more_is_needed() {
    let Some((store, id, folder)) = production() else { return };
    fs::remove_file(log(folder.path(), 0x16)).unwrap();
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((plan.possible, breaches(&plan)), (true, vec!["P46 R-GAP".to_owned()]));
    let report = store.restore(&id, &target, &with_logs(folder.path())).unwrap();
    assert_eq!(report.recovery.run.unwrap().generations.unwrap().1, Generation(0x15));
    let later = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut("db/db2.edb").unwrap(), |header| header.consistent_position = LogPosition::new(0x18, 1, 0));
    });
    let (_keep, target) = new_place();
    store.refused(&later, &target, &with_logs(folder.path()), &["P43 R-RANGE-MISSING", "P46 R-GAP"]);
}

#[test]
fn o9_p47_a_log_that_does_not_continue_the_one_before_ends_the_chain() {
    let Some((store, id, folder)) = production() else { return };
    edit_log(&log(folder.path(), 0x16), |header| header.previous_created = LogTime::utc(2001, 1, 1, 0, 0, 0, 0));
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((plan.possible, breaches(&plan)), (true, vec!["P47 R-CHAIN".to_owned()]));
    assert_eq!(plan.generations.unwrap().1, Generation(0x15));
    // Another copy that does continue it mends the chain.
    let other = copy_of("rollforward-crash-2db", "before");
    let mut options = with_logs(folder.path());
    options.logs.push(other.path().join("log"));
    let plan = store.plan(&id, &target, &options);
    assert_eq!(plan.generations.unwrap().1, Generation(0x1E));
}

#[test]
fn o9_p48_a_log_that_the_header_knew_otherwise_is_of_another_branch() {
    let Some((store, id)) = image() else { return };
    let name = store.set(&id).manifest.databases().next().unwrap().0.name.to_string();
    let other = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut(&name).unwrap(), |header| {
            header.max_required_time = LogTime::utc(2001, 1, 1, 0, 0, 0, 0);
            header.max_committed_time = LogTime::default();
        });
    });
    let (_keep, target) = new_place();
    let broken = store.refused(&other, &target, &forward(Forward::Set), &["P48 R-CHAIN"]);
    assert_eq!(broken[0].jet, Some(JetCode::REQUIRED_LOG_FILES_MISSING));
}

#[test]
fn p49_a_damaged_log_is_replaced_by_another_copy_or_ends_the_chain() {
    let Some((store, id, folder)) = production() else { return };
    let path = log(folder.path(), 0x16);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 4096 + 77] ^= 0xFF;
    fs::write(&path, bytes).unwrap();
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((plan.possible, breaches(&plan)), (true, vec!["P49 R-DAMAGED".to_owned()]));
    assert_eq!(plan.generations.unwrap().1, Generation(0x15));
    let other = copy_of("rollforward-crash-2db", "before");
    let mut options = with_logs(folder.path());
    options.logs.push(other.path().join("log"));
    let plan = store.plan(&id, &target, &options);
    assert_eq!((plan.generations.unwrap().1, breaches(&plan)), (Generation(0x1E), Vec::new()));
}

#[test]
fn p50_two_contents_of_a_generation_are_told() {
    let Some((store, id, folder)) = production() else { return };
    edit_log(&log(folder.path(), 0x11), |header| header.flags ^= 0x80);
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((plan.possible, breaches(&plan)), (true, vec!["P50 R-DUP".to_owned()]));
}

// trap ops-3 O30
#[test]
fn p51_a_log_of_another_size_is_not_used() {
    let Some((store, id, folder)) = production() else { return };
    let path = log(folder.path(), 0x11);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 4096]).unwrap();
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    // The set has the generation whole.
    assert_eq!((plan.possible, breaches(&plan)), (true, vec!["P51 R-DAMAGED".to_owned()]));
    assert_eq!(plan.generations.unwrap().1, Generation(0x1E));
}

#[test]
fn p53_a_database_of_another_life_is_not_named_by_the_logs() {
    let Some((store, id, _)) = production() else { return };
    let other = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut("db/db2.edb").unwrap(), |header| header.signature = Signature([5; 28]));
    });
    let (_keep, target) = new_place();
    let broken = store.refused(&other, &target, &forward(Forward::Set), &["P53 R-DBSIGN", "P65 R-OTHERDB"]);
    assert_eq!(broken[0].jet, Some(JetCode::CONSISTENT_TIME_MISMATCH));
}

#[test]
fn p54_places_stay_below_the_target_and_belong_to_one_database() {
    let Some((store, id, _)) = production() else { return };
    let (_keep, target) = new_place();
    for map in [
        vec![("db1.edb", "../db1.edb")],
        vec![("db1.edb", "/db1.edb")],
        vec![("db1.edb", "db/DB2.edb")],
        vec![("nothing.edb", "db/db3.edb")],
    ] {
        let map = map.into_iter().map(|(from, to)| (from.to_owned(), PathBuf::from(to))).collect();
        store.refused(&id, &target, &Options { map, ..Options::default() }, &["P54 R-PATH"]);
    }
}

#[test]
fn d5_p59_a_current_log_that_is_not_the_next_generation_stays_out() {
    let Some((store, id, folder)) = production() else { return };
    let before = fs::read(folder.path().join("log/edb.log")).unwrap();
    edit_log(&folder.path().join("log/edb.log"), |header| header.previous_created = LogTime::utc(2001, 1, 1, 0, 0, 0, 0));
    let target = Target::Over(folder.path().to_owned());
    let plan = store.plan(&id, &target, &forward(Forward::All));
    assert_eq!((plan.possible, breaches(&plan)), (true, vec!["P47 R-CHAIN".to_owned(), "P59 R-CHAIN".to_owned()]));
    // P61: it is set aside, with everything above the end.
    assert!(plan.set_aside.contains(&PathBuf::from("log/edb.log")));
    fs::write(folder.path().join("log/edb.log"), before).unwrap();
    let plan = store.plan(&id, &target, &forward(Forward::All));
    assert_eq!((plan.possible, breaches(&plan)), (true, Vec::new()));
}

#[test]
fn o18_logs_that_wait_for_use_are_never_the_highest() {
    let Some((store, id, folder)) = production() else { return };
    for name in ["edbtmp.log", "edbres00001.jrs", "edbres00002.jrs"] {
        fs::copy(log(folder.path(), 0x12), folder.path().join("log").join(name)).unwrap();
    }
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((plan.possible, plan.generations.unwrap().1, breaches(&plan)), (true, Generation(0x1E), Vec::new()));
}

#[test]
fn d2_p63_a_checkpoint_is_never_read_for_a_restore() {
    let Some((store, id, folder)) = production() else { return };
    let after = engine_set("rollforward-crash-2db").unwrap().folder().join("after/log/edb.chk");
    fs::copy(after, folder.path().join("log/edb.chk")).unwrap();
    let target = Target::Over(folder.path().to_owned());
    let plan = store.plan(&id, &target, &forward(Forward::All));
    assert!(plan.possible && plan.set_aside.contains(&PathBuf::from("log/edb.chk")));
    assert!(plan.files.iter().all(|file| !file.place.display().to_string().ends_with(".chk")));
    assert_eq!(plan.generations.unwrap().0, Generation(0x10));
}

// trap ops-3 O15
#[test]
fn o15_p65_a_database_of_the_stream_is_left_out_by_name_alone() {
    let Some((store, id, folder)) = production() else { return };
    let (_keep, target) = new_place();
    let one = Options { databases: vec!["db1.edb".into()], ..with_logs(folder.path()) };
    let broken = store.refused(&id, &target, &one, &["P65 R-OTHERDB"]);
    assert_eq!((broken[0].jet, broken[0].of.as_str()), (Some(JetCode::ATTACHED_DATABASE_MISMATCH), "R:\\db\\db2.edb"));
    let named = Options { without: vec!["db2.edb".into()], ..one };
    store.restore(&id, &target, &named).unwrap();
    assert!(target.path().join("db/db1.edb").exists() && !target.path().join("db/db2.edb").exists());
}

#[test]
fn p66_a_copy_that_the_stream_does_not_know_is_refused_before_anything_is_touched() {
    let Some((store, id, folder)) = production() else { return };
    // A copy of another moment of the same generation.
    let other = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut("db/db1.edb").unwrap(), |header| {
            header.consistent_position = LogPosition::new(0x10, 1, 0);
            header.attach_position = LogPosition::new(0xF, 1, 0);
        });
    });
    let (_keep, target) = new_place();
    let broken = store.refused(&other, &target, &with_logs(folder.path()), &["P66 R-OTHERDB"]);
    assert!(matches!(broken[0].jet, Some(JetCode::ATTACHED_DATABASE_MISMATCH | JetCode::CONSISTENT_TIME_MISMATCH)), "{broken:?}");
}

#[test]
fn o14_p37_two_files_of_one_database_are_refused() {
    let Some((store, id, _)) = production() else { return };
    let twins = store.edited(&id, false, |manifest, streams| {
        let mut twin = manifest.files.iter().find(|file| file.name.as_str() == "db/db1.edb").unwrap().clone();
        twin.name = anchorlog_vault::Name::new("db/copy.edb").unwrap();
        streams.insert("db/copy.edb".into(), streams["db/db1.edb"].clone());
        manifest.files.push(twin);
    });
    let (_keep, target) = new_place();
    let broken = store.refused(&twins, &target, &Options::default(), &["P37 R-DBSIGN"]);
    assert_eq!(broken[0].jet, Some(JetCode::DATABASE_SIGN_IN_USE));
}

#[test]
fn o27_d7_a_clean_header_that_its_pages_contradict_is_not_believed() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let edited = store.edited(&id, false, |_, streams| {
        edit_bytes(streams.get_mut("db1.edb").unwrap(), |header| header.dbtime = anchorlog_format::units::Dbtime(1));
    });
    let (_keep, target) = new_place();
    let error = store.restore(&edited, &target, &Options::default()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("contradicts"), "{error}");
    assert!(!target.path().exists());
}

#[test]
fn o11_o12_a_database_that_is_longer_than_its_pages_comes_back_as_it_is_and_a_shorter_one_does_not() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let path = source.path().join("db1.edb");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0x5A; 4096]);
    fs::write(&path, &bytes).unwrap();
    let id = store.add(source.path());
    let (_keep, target) = new_place();
    store.restore(&id, &target, &Options::default()).unwrap();
    assert_eq!(digests(target.path()), digests(source.path()));
    let cut = store.edited(&id, false, |_, streams| streams.get_mut("db1.edb").unwrap().truncate(20 * 4096));
    let (_keep, target) = new_place();
    assert!(store.restore(&cut, &target, &Options::default()).is_err());
    assert!(!target.path().exists());
}

#[test]
fn an_interrupted_roll_forward_leaves_nothing_behind() {
    struct Replaying(usize);
    impl anchorlog_operations::recover::Progress for Replaying {
        fn phase(&mut self, _: &str, _: usize) -> bool {
            true
        }
        fn step(&mut self, what: &str, _: usize, _: usize) -> bool {
            self.0 -= usize::from(what.starts_with("generation"));
            self.0 > 0
        }
    }
    let Some((store, id, folder)) = production() else { return };
    let before = digests(folder.path());
    let target = Target::Over(folder.path().to_owned());
    let error = store.restore_with(&id, &target, &forward(Forward::All), &mut Replaying(5)).map(|_| ()).unwrap_err();
    assert!(matches!(error, anchorlog_operations::restore::set::Error::Interrupted), "{error}");
    assert_eq!(digests(folder.path()), before);
    assert_eq!(crate::common::names(folder.path()), ["db", "log"]);
}
