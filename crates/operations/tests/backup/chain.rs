//! Sets of logs, the chain, and the purge: G1 to G8.
//! Ids in names are those of ops-1.

use crate::common::{
    ambient, back_up, breaches, broken, copy_of, damage, digests, edit_header, edit_log, gather, history, stopped_at_12,
};
use anchorlog_format::database::DatabaseState;
use anchorlog_format::units::{Generation, LogTime};
use anchorlog_operations::backup::{self, Error, Options, Plan, Report};
use anchorlog_operations::chain::{Chain, Policy, examine};
use anchorlog_operations::purge::{self, Pressure};
use anchorlog_operations::sets::proof::prove;
use anchorlog_operations::sets::{History, Kind, Level, Moment};
use anchorlog_vault::Vault;
use anchorlog_vault::memory::MemoryVault;
use std::fs;
use std::path::{Path, PathBuf};

fn now() -> Moment {
    LogTime::utc(2030, 1, 2, 4, 0, 0, 0).into()
}

fn log(folder: &Path, generation: u32) -> PathBuf {
    folder.join(format!("log/edb{generation:05X}.log"))
}

fn plan_logs(folder: &Path, vault: &dyn Vault) -> Plan {
    backup::logs::plan(&gather(folder), &history(vault), &Options::default())
}

fn back_up_logs(folder: &Path, vault: &dyn Vault) -> Result<Report, Error> {
    let sources = gather(folder);
    backup::make(&backup::logs::plan(&sources, &history(vault), &Options::default()), &sources, vault, &ambient(), &mut ())
}

fn refused_logs(folder: &Path, vault: &dyn Vault, expected: &str) {
    let (sets, before) = (vault.sets().unwrap().len(), digests(folder));
    let Err(Error::Refused(predicates)) = back_up_logs(folder, vault) else { panic!("it must be refused") };
    let first = &predicates[0];
    assert_eq!(format!("{} {}", first.id, first.refusal.unwrap()), expected, "{predicates:#?}");
    assert_eq!((vault.sets().unwrap().len(), digests(folder)), (sets, before));
}

/// A folder whose logs 1 to 12 were backed up with its database; 13 and 14 came later.
fn with_newer_logs(vault: &dyn Vault) -> tempfile::TempDir {
    let folder = stopped_at_12();
    let aside = tempfile::tempdir().unwrap();
    for generation in [13, 14] {
        fs::rename(log(folder.path(), generation), aside.path().join(generation.to_string())).unwrap();
    }
    let current = folder.path().join("log/edb.log");
    fs::rename(&current, aside.path().join("current")).unwrap();
    back_up(folder.path(), vault, &Options::default()).unwrap();
    for generation in [13, 14] {
        fs::copy(aside.path().join(generation.to_string()), log(folder.path(), generation)).unwrap();
    }
    fs::copy(aside.path().join("current"), current).unwrap();
    folder
}

#[test]
fn a_set_of_logs_holds_what_was_closed_since_the_last_one_and_no_database() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    let full = history(&vault).sets[0].id.clone();
    let report = back_up_logs(folder.path(), &vault).unwrap();
    let names: Vec<_> = report.manifest.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!((report.manifest.kind, names), (Kind::Logs, vec!["log/edb0000D.log", "log/edb0000E.log"]));
    let stream = &report.manifest.streams[0];
    assert_eq!((stream.first, stream.last_closed, &stream.continues), (Some(13), Some(14), &Some(full)));
    // Nothing new: there is nothing to store.
    assert_eq!(breaches(&plan_logs(folder.path(), &vault)), ["set R-PATH"]);
}

#[test]
fn p24_logs_without_a_set_that_holds_their_database_are_refused() {
    refused_logs(stopped_at_12().path(), &MemoryVault::new(), "P24 R-DBSIGN");
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    edit_header(&folder.path().join("db/db1.edb"), |header| header.repair_count += 1);
    refused_logs(folder.path(), &vault, "P24 R-DBSIGN");
}

#[test]
fn p14_logs_behind_circular_logging_are_refused() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    edit_log(&folder.path().join("log/edb.log"), |header| header.flags |= 2);
    refused_logs(folder.path(), &vault, "P14 R-RANGE-MISSING");
}

#[test]
fn p18_a_hole_between_two_sets_of_a_chain_is_refused() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    fs::remove_file(log(folder.path(), 13)).unwrap();
    refused_logs(folder.path(), &vault, "P18 R-GAP");
}

#[test]
fn p17_a_log_that_does_not_continue_the_stored_one_is_refused() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    edit_log(&log(folder.path(), 13), |header| header.previous_created = LogTime::utc(2001, 1, 1, 0, 0, 0, 0));
    refused_logs(folder.path(), &vault, "P17 R-CHAIN");
}

#[test]
fn logs_of_an_older_life_in_the_folder_do_not_stand_in_the_way() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    edit_log(&log(folder.path(), 1), |header| header.signature = anchorlog_format::units::Signature([5; 28]));
    let plan = plan_logs(folder.path(), &vault);
    let names: Vec<_> = plan.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!((plan.possible, names), (true, vec!["log/edb0000D.log", "log/edb0000E.log"]));
    assert_eq!(breaches(&plan), ["P16 R-LOGSIGN", "P24 R-DBSIGN"]);
}

#[test]
fn a_set_whose_making_was_cut_off_before_its_proof_is_proved_later() {
    let (folder, vault) = stored();
    let known = &history(&vault).sets[0];
    // The same set without its proof.
    let bare = MemoryVault::new();
    let mut writer = bare.begin_set(known.summary.made.clone()).unwrap();
    for file in &known.manifest.files {
        writer.stream(&file.name, &mut crate::common::stream(&vault, &known.id, &file.name).as_slice()).unwrap();
    }
    let set = writer.publish(&known.manifest.to_bytes().unwrap()).unwrap();
    assert_eq!((history(&bare).sets[0].proved, safe(&chain(folder.path(), &bare, &Policy::default()))), (None, up_to(0)));
    prove(&bare, &set, &known.manifest, now(), &mut |_| true).unwrap();
    assert_eq!(
        (history(&bare).sets[0].proved, safe(&chain(folder.path(), &bare, &Policy::default()))),
        (Some(Level::L2), up_to(11))
    );
}

#[test]
fn p19_a_set_of_logs_never_holds_the_current_one() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    assert!(plan_logs(folder.path(), &vault).files.iter().all(|file| file.name.as_str() != "log/edb.log"));
}

// trap ops-1 O26
// trap ops-2 O13
#[test]
fn o26_two_sets_with_databases_and_different_anchors_share_the_logs_of_one_chain() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.consistent_position.generation = Generation(14);
        header.detach_position = header.consistent_position;
    });
    back_up(folder.path(), &vault, &Options::default()).unwrap();
    let history = history(&vault);
    let anchors: Vec<u32> = history.sets.iter().map(|set| set.manifest.streams[0].promises[0].anchor).collect();
    assert_eq!(anchors, [12, 14]);
    let signature = history.sets[0].manifest.streams[0].signature;
    let holders: Vec<usize> = [12, 13, 14].map(|generation| history.logs(&signature, generation).count()).to_vec();
    assert_eq!(holders, [2, 1, 1]);
}

/// A folder that is stored whole, its vault, and what the chain says of it.
fn stored() -> (tempfile::TempDir, MemoryVault) {
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    back_up(folder.path(), &vault, &Options::default()).unwrap();
    (folder, vault)
}

fn chain(folder: &Path, vault: &dyn Vault, policy: &Policy) -> Chain {
    examine(&gather(folder), &[history(vault)], policy, now())
}

/// Generations that may go.
fn safe(chain: &Chain) -> Vec<u32> {
    chain.streams.iter().flat_map(|stream| &stream.logs).filter(|log| log.safe).map(|log| log.generation).collect()
}

fn why(chain: &Chain, generation: u32) -> String {
    let log = chain.streams.iter().flat_map(|stream| &stream.logs).find(|log| log.generation == generation).unwrap();
    log.because.join("; ")
}

fn up_to(last: u32) -> Vec<u32> {
    (1..=last).collect()
}

#[test]
fn g1_the_anchor_of_a_clean_database_stays_and_what_lies_below_may_go() {
    let (folder, vault) = stored();
    fs::remove_file(folder.path().join("log/edb.chk")).unwrap();
    let chain = chain(folder.path(), &vault, &Policy::default());
    assert_eq!((safe(&chain), chain.streams[0].limit), (up_to(11), Some(12)));
    assert!(why(&chain, 12).contains("(its anchor) needs the logs from generation 0xc on"), "{}", why(&chain, 12));
    assert!(why(&chain, 3).contains("holds it, and was read back"), "{}", why(&chain, 3));
}

#[test]
fn g1_the_required_range_of_a_dirty_database_stays() {
    let (folder, vault) = stored();
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.state = DatabaseState::DirtyShutdown;
        (header.min_required, header.max_required, header.max_committed) = (Generation(9), Generation(15), Generation(15));
    });
    let chain = chain(folder.path(), &vault, &Policy::default());
    assert_eq!(safe(&chain), up_to(8));
    assert!(why(&chain, 9).contains("(dirty)"), "{}", why(&chain, 9));
}

#[test]
fn g1_readers_and_sets_that_are_kept_hold_their_logs() {
    let (folder, vault) = stored();
    let readers = Policy { readers: vec![("standby".into(), 4)], ..Policy::default() };
    assert_eq!(safe(&chain(folder.path(), &vault, &readers)), up_to(3));
    // The set is an hour old; then its database is clean later.
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.consistent_position.generation = Generation(15);
        header.detach_position = header.consistent_position;
    });
    let kept = |seconds| Policy { retention: Some(seconds), ..Policy::default() };
    assert_eq!(safe(&chain(folder.path(), &vault, &kept(60))), up_to(14));
    let chain = chain(folder.path(), &vault, &kept(24 * 3600));
    assert_eq!(safe(&chain), up_to(11));
    assert!(why(&chain, 12).contains("which is kept"), "{}", why(&chain, 12));
}

// trap ops-2 O12
#[test]
fn g1_a_database_that_the_logs_name_and_that_is_not_here_holds_everything() {
    let (folder, vault) = stored();
    fs::remove_file(folder.path().join("db/db1.edb")).unwrap();
    assert_eq!(safe(&chain(folder.path(), &vault, &Policy::default())), up_to(0));
    damage_header(folder.path());
    assert_eq!(safe(&chain(folder.path(), &vault, &Policy::default())), up_to(0));
}

/// A database of which neither header copy holds.
fn damage_header(folder: &Path) {
    let path = folder.join("db/db1.edb");
    fs::write(&path, fs::read(copy_of("clean-4k", "clean").path().join("db1.edb")).unwrap()).unwrap();
    damage(&path, 300);
    damage(&path, 4096 + 300);
}

#[test]
fn g2_p22_a_log_that_no_proved_set_holds_byte_for_byte_stays() {
    let vault = MemoryVault::new();
    let folder = with_newer_logs(&vault);
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.consistent_position.generation = Generation(15);
        header.detach_position = header.consistent_position;
    });
    let chain_of = |vault: &MemoryVault| chain(folder.path(), vault, &Policy::default());
    assert_eq!(safe(&chain_of(&vault)), up_to(12));
    assert!(why(&chain_of(&vault), 13).contains("no proved set holds it"));
    back_up_logs(folder.path(), &vault).unwrap();
    assert_eq!(safe(&chain_of(&vault)), up_to(14));
    edit_log(&log(folder.path(), 8), |header| header.engine_version ^= 1);
    assert_eq!(safe(&chain_of(&vault)), up_to(7));
}

#[test]
fn g2_p22_a_log_must_be_held_by_as_many_vaults_as_are_demanded() {
    let (folder, vault) = stored();
    let other = MemoryVault::new();
    let two = Policy { archives: 2, ..Policy::default() };
    let examined = |vaults: &[History]| examine(&gather(folder.path()), vaults, &two, now());
    let chain = examined(&[history(&vault), history(&other)]);
    assert_eq!(safe(&chain), up_to(0));
    assert!(why(&chain, 1).contains("proved sets of 1 vaults hold it, and 2 are demanded"), "{}", why(&chain, 1));
    back_up(folder.path(), &other, &Options::default()).unwrap();
    assert_eq!(safe(&examined(&[history(&vault), history(&other)])), up_to(11));
    // Two sets in one vault are one copy.
    back_up(folder.path(), &vault, &Options::default()).unwrap();
    assert_eq!(safe(&examined(&[history(&vault), History::default()])), up_to(0));
}

#[test]
fn g2_a_set_that_was_not_read_back_holds_nothing() {
    let (folder, vault) = stored();
    let mut history = history(&vault);
    history.sets[0].proved = None;
    assert_eq!(safe(&examine(&gather(folder.path()), &[history], &Policy::default(), now())), up_to(0));
}

// trap ops-1 D15
#[test]
fn p22_no_log_goes_while_the_last_set_of_the_database_is_damaged() {
    let (folder, vault) = stored();
    let path = folder.path().join("db/db1.edb");
    let whole = fs::read(&path).unwrap();
    damage(&path, 5 * 4096 + 100);
    back_up(folder.path(), &vault, &Options { keep_damage: true, ..Options::default() }).unwrap();
    fs::write(&path, whole).unwrap();
    let chain = chain(folder.path(), &vault, &Policy::default());
    assert_eq!(safe(&chain), up_to(0));
    assert!(why(&chain, 1).contains("is damaged or not proved"), "{}", why(&chain, 1));
}

#[test]
fn g3_behind_circular_logging_nothing_is_purged() {
    let (folder, vault) = stored();
    edit_log(&folder.path().join("log/edb.log"), |header| header.flags |= 2);
    assert_eq!(safe(&chain(folder.path(), &vault, &Policy::default())), up_to(0));
}

#[test]
fn g4_a_purge_goes_upward_and_stops_at_the_first_log_that_stays() {
    let (folder, vault) = stored();
    edit_log(&log(folder.path(), 4), |header| header.engine_version ^= 1);
    let chain = chain(folder.path(), &vault, &Policy::default());
    assert_eq!(safe(&chain), up_to(3));
    assert!(why(&chain, 5).contains("G4: generation 0x4 below it stays"), "{}", why(&chain, 5));
    // One whose header cannot be read stays as well.
    damage(&log(folder.path(), 2), 100);
    assert_eq!(safe(&self::chain(folder.path(), &vault, &Policy::default())), Vec::<u32>::new());
}

#[test]
fn g5_the_log_of_the_checkpoint_and_everything_above_stay() {
    let (folder, vault) = stored();
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.consistent_position.generation = Generation(15);
        header.detach_position = header.consistent_position;
    });
    set_checkpoint(folder.path(), 6);
    let chain = chain(folder.path(), &vault, &Policy::default());
    assert_eq!(safe(&chain), up_to(5));
    assert!(why(&chain, 6).contains("(the checkpoint)"), "{}", why(&chain, 6));
}

fn set_checkpoint(folder: &Path, generation: u32) {
    use anchorlog_format::log::checkpoint::Checkpoint;
    let path = folder.join("log/edb.chk");
    let mut checkpoint = Checkpoint::check(&fs::read(&path).unwrap()).unwrap();
    checkpoint.position.generation = Generation(generation);
    fs::write(&path, checkpoint.to_file()).unwrap();
}

#[test]
fn g7_a_stale_or_damaged_checkpoint_is_ignored_and_the_headers_tell() {
    let (folder, vault) = stored();
    let told = |folder: &Path| {
        let chain = chain(folder, &vault, &Policy::default());
        let broken = chain.streams[0].rules.iter().filter(|rule| rule.id == "G7" && !rule.holds).count();
        (safe(&chain), broken)
    };
    set_checkpoint(folder.path(), 99);
    assert_eq!(told(folder.path()), (up_to(11), 1));
    damage(&folder.path().join("log/edb.chk"), 12);
    damage(&folder.path().join("log/edb.chk"), 4096 + 12);
    assert_eq!(told(folder.path()), (up_to(11), 1));
}

#[cfg(unix)]
#[test]
fn g7_a_locked_checkpoint_is_told_and_the_lowest_need_counts() {
    let (folder, vault) = stored();
    set_checkpoint(folder.path(), 13);
    let _lock = anchorlog_storage::lock::FileLock::exclusive(&folder.path().join("log/edb.chk")).unwrap();
    let chain = chain(folder.path(), &vault, &Policy::default());
    assert_eq!(safe(&chain), up_to(11));
    assert!(chain.streams[0].rules.iter().any(|rule| rule.id == "G7" && !rule.holds && rule.read.contains("locked")));
}

fn purge_plan(folder: &Path, vaults: &[History], options: &purge::Options) -> purge::Plan {
    purge::plan(&gather(folder), vaults, options, now())
}

// trap ops-1 D6
#[test]
fn g6_logs_go_into_quarantine_and_are_deleted_when_their_time_is_over_and_a_set_holds_them() {
    let (folder, vault) = stored();
    let before = digests(folder.path());
    let options = purge::Options { hold: 3600, ..purge::Options::default() };
    let plan = purge_plan(folder.path(), &[history(&vault)], &options);
    let planned: Vec<u32> = plan.moves.iter().map(|log| log.generation).collect();
    assert_eq!((planned, digests(folder.path()) == before), (up_to(11), true));
    let report = purge::make(&plan, &ambient(), &mut |_| true).unwrap();
    assert_eq!((report.moved.len(), report.stopped), (11, None));
    assert!(report.moved.iter().all(|path| path.is_file()) && !log(folder.path(), 1).exists() && log(folder.path(), 12).exists());
    // What lies in quarantine is no log of the folder any more.
    assert_eq!(gather(folder.path()).iter().filter(|source| source.path.to_string_lossy().contains("quarantine")).count(), 0);
    let logs = folder.path().join("log");
    let release = |vaults: &[History], hour: u8| {
        purge::release(&logs, None, vaults, LogTime::utc(2030, 1, 2, hour, 30, 0, 0).into()).unwrap()
    };
    let early = release(&[history(&vault)], 3);
    assert_eq!((early.deleted.len(), early.kept.len()), (0, 11));
    // Nothing holds them: they stay, however long they lay there.
    assert_eq!(release(&[History::default()], 9).deleted.len(), 0);
    let late = release(&[history(&vault)], 9);
    assert_eq!((late.deleted.len(), late.kept.len()), (11, 0));
    assert!(!logs.join(".anchorlog-quarantine").exists());
}

#[test]
fn g4_g6_an_interrupted_purge_leaves_no_hole_and_can_be_gone_on_with() {
    let (folder, vault) = stored();
    let plan = purge_plan(folder.path(), &[history(&vault)], &purge::Options::default());
    let report = purge::make(&plan, &ambient(), &mut |log| log.generation < 5).unwrap();
    assert!(report.stopped.is_some());
    assert_eq!((report.moved.len(), broken_links(folder.path())), (4, 0));
    let plan = purge_plan(folder.path(), &[history(&vault)], &purge::Options::default());
    assert_eq!(plan.moves.first().map(|log| log.generation), Some(5));
    purge::make(&plan, &ambient(), &mut |_| true).unwrap();
    assert_eq!(safe(&chain(folder.path(), &vault, &Policy::default())), up_to(0));
}

fn broken_links(folder: &Path) -> usize {
    let plan = backup::offline::plan(&gather(folder), &History::default(), &Options::default());
    broken(&plan, "P17").len() + broken(&plan, "P18").len()
}

#[test]
fn g6_a_log_that_is_another_one_than_was_planned_is_not_moved_and_ends_the_purge() {
    let (folder, vault) = stored();
    let plan = purge_plan(folder.path(), &[history(&vault)], &purge::Options::default());
    edit_log(&log(folder.path(), 3), |header| header.engine_version ^= 1);
    let report = purge::make(&plan, &ambient(), &mut |_| true).unwrap();
    assert_eq!(report.moved.len(), 2);
    assert!(report.stopped.unwrap().contains("another file") && log(folder.path(), 3).exists());
}

#[test]
fn g8_a_full_disk_is_told_beforehand_what_would_be_given_up_and_never_an_unproved_log() {
    let (folder, vault) = stored();
    edit_header(&folder.path().join("db/db1.edb"), |header| {
        header.consistent_position.generation = Generation(15);
        header.detach_position = header.consistent_position;
    });
    let policy = Policy { archives: 2, retention: Some(24 * 3600), ..Policy::default() };
    let vaults = [history(&vault), History::default()];
    let wanted = |accepted| purge::Options {
        policy: policy.clone(),
        pressure: Some(Pressure { bytes: 20 * 65536, accepted }),
        ..purge::Options::default()
    };
    let told = purge_plan(folder.path(), &vaults, &wanted(false));
    assert_eq!((told.moves.len(), told.gives_up.len(), told.gives_up[0].logs), (0, 1, 14));
    assert!(told.gives_up[0].what.contains("one vault holds"), "{:?}", told.gives_up);
    let accepted = purge_plan(folder.path(), &vaults, &wanted(true));
    assert_eq!((accepted.moves.len(), accepted.wanting), (14, 6 * 65536));
    assert!(folder.path().join("log/edb.chk").exists());
    let nowhere = purge_plan(folder.path(), &[History::default(), History::default()], &wanted(true));
    assert_eq!((nowhere.moves.len(), nowhere.gives_up), (0, vec![]));
}

#[cfg(target_os = "linux")]
#[test]
fn g8_logs_can_be_moved_to_another_volume() {
    use std::os::unix::fs::MetadataExt as _;
    let (folder, vault) = stored();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
    if fs::metadata(elsewhere.path()).unwrap().dev() == fs::metadata(folder.path()).unwrap().dev() {
        return;
    }
    let first = fs::read(log(folder.path(), 1)).unwrap();
    let options = purge::Options { quarantine: Some(elsewhere.path().join("held")), ..purge::Options::default() };
    let report = purge::make(&purge_plan(folder.path(), &[history(&vault)], &options), &ambient(), &mut |_| true).unwrap();
    assert_eq!((report.moved.len(), report.stopped, log(folder.path(), 1).exists()), (11, None, false));
    assert!(report.moved[0].starts_with(elsewhere.path()) && fs::read(&report.moved[0]).unwrap() == first);
    let later = LogTime::utc(2030, 1, 3, 0, 0, 0, 0).into();
    let held = elsewhere.path().join("held");
    assert_eq!(purge::release(folder.path(), Some(&held), &[history(&vault)], later).unwrap().deleted.len(), 11);
}
