//! P14 to P24: the logs of an offline backup. Every case breaks just the one predicate.
//! Ids in names are those of ops-1.

use crate::common::{
    back_up, breaches, broken, copy_of, damage, edit_header, edit_log, flip, plan_offline, stopped, stopped_at_12, stream,
};
use anchorlog_format::units::{Generation, LogTime, Signature};
use anchorlog_operations::backup::{Options, Plan};
use anchorlog_operations::sets::{LogState, Role};
use anchorlog_vault::memory::MemoryVault;
use std::fs;
use std::path::Path;

fn plan(folder: &Path) -> Plan {
    plan_offline(folder, &MemoryVault::new(), &Options::default())
}

fn log(folder: &Path, generation: u32) -> std::path::PathBuf {
    folder.join(format!("log/edb{generation:05X}.log"))
}

/// Names of the logs that a plan would store.
fn logs_of(plan: &Plan) -> Vec<&str> {
    plan.files.iter().filter(|file| file.role == Role::Log).map(|file| file.name.as_str()).collect()
}

#[test]
fn a_database_that_was_stopped_goes_with_all_its_logs_and_rolls_forward() {
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    let plan = plan_offline(folder.path(), &vault, &Options::default());
    assert_eq!(breaches(&plan), Vec::<String>::new());
    assert_eq!((logs_of(&plan).len(), plan.promises[0].anchor, plan.promises[0].rolls_forward), (15, 12, true));
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    let stream_part = &report.manifest.streams[0];
    assert_eq!((stream_part.first, stream_part.last_closed, stream_part.seen), (Some(1), Some(14), Some(14)));
    let facts: Vec<_> = report.manifest.logs().map(|(_, facts)| (facts.generation, facts.open, facts.state)).collect();
    assert_eq!(facts.len(), 15);
    assert!(facts.iter().all(|(generation, open, state)| *open == (*generation == 15) && *state == LogState::Whole));
    for file in &report.manifest.files {
        assert!(stream(&vault, &report.set, &file.name) == fs::read(folder.path().join(file.name.as_str())).unwrap());
    }
}

// trap ops-1 D13
#[test]
fn p14_o1_behind_circular_logging_closed_logs_are_not_stored_and_nothing_is_promised() {
    let folder = stopped_at_12();
    edit_log(&folder.path().join("log/edb.log"), |header| header.flags |= 6);
    let plan = plan(folder.path());
    assert_eq!(breaches(&plan), ["P14 R-RANGE-MISSING"]);
    assert_eq!((logs_of(&plan), plan.promises[0].rolls_forward), (vec!["log/edb.log"], false));
    // The other way round they are: KB Q237767 says the opposite in its list.
    assert_eq!(logs_of(&self::plan(stopped_at_12().path())).len(), 15);
}

#[test]
fn p14_o23_circular_logging_of_the_past_forbids_the_promise() {
    let folder = stopped_at_12();
    edit_log(&log(folder.path(), 13), |header| header.flags |= 4);
    let plan = plan(folder.path());
    assert_eq!((breaches(&plan), logs_of(&plan).len()), (vec!["P14 R-RANGE-MISSING".to_owned()], 15));
    assert!(plan.promises[0].why_not[0].contains("before generation 0xd"), "{:?}", plan.promises[0].why_not);
    // Before the anchor it does not matter.
    let folder = stopped_at_12();
    edit_log(&log(folder.path(), 11), |header| header.flags |= 4);
    assert_eq!(breaches(&self::plan(folder.path())), Vec::<String>::new());
}

#[test]
fn p14_what_configuration_says_of_circular_logging_counts() {
    let folder = stopped_at_12();
    let plan = plan_offline(folder.path(), &MemoryVault::new(), &Options { circular: Some(true), ..Options::default() });
    assert_eq!((breaches(&plan), logs_of(&plan).len()), (vec!["P14 R-RANGE-MISSING".to_owned()], 1));
}

#[test]
fn p14_logs_that_are_gone_though_nothing_was_ever_backed_up_forbid_the_promise() {
    let folder = stopped_at_12();
    fs::remove_file(log(folder.path(), 1)).unwrap();
    assert_eq!(breaches(&plan(folder.path())), ["P14 R-RANGE-MISSING"]);
    edit_header(&folder.path().join("db/db1.edb"), |header| header.full_backup.low = Generation(1));
    assert_eq!(breaches(&plan(folder.path())), Vec::<String>::new());
}

// trap ops-1 D16
#[test]
fn p15_the_header_counts_and_not_the_name() {
    let folder = stopped_at_12();
    fs::rename(log(folder.path(), 7), log(folder.path(), 0x77)).unwrap();
    let plan = plan(folder.path());
    assert_eq!(breaches(&plan), ["P15 R-NAME"]);
    assert!(broken(&plan, "P15")[0].read.contains("edb00077.log holds generation 0x7"));
}

#[test]
fn p16_logs_of_two_streams_in_one_folder_are_kept_apart() {
    let folder = stopped_at_12();
    edit_log(&log(folder.path(), 1), |header| header.signature = Signature([5; 28]));
    let (plan, vault) = (plan(folder.path()), MemoryVault::new());
    assert_eq!(breaches(&plan), ["P14 R-RANGE-MISSING", "P16 R-LOGSIGN"]);
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    let streams: Vec<_> = report.manifest.streams.iter().map(|stream| (stream.first, stream.last_closed)).collect();
    assert_eq!(streams.len(), 2);
    assert!(streams.contains(&(Some(1), Some(1))) && streams.contains(&(Some(2), Some(14))), "{streams:?}");
}

#[test]
fn p17_o9_a_log_that_was_made_at_another_time_breaks_the_chain() {
    let folder = stopped_at_12();
    edit_log(&log(folder.path(), 6), |header| header.created = LogTime::utc(2001, 1, 1, 0, 0, 0, 0));
    let plan = plan(folder.path());
    assert_eq!(breaches(&plan), ["P17 R-CHAIN"]);
    assert!(broken(&plan, "P17")[0].read.contains("edb00007.log does not continue generation 0x6"));
}

#[test]
fn p17_o8_of_two_branches_made_within_one_second_the_accumulated_checksum_tells() {
    let folder = stopped_at_12();
    edit_log(&log(folder.path(), 6), |header| header.previous_accumulated ^= 1);
    assert_eq!(breaches(&plan(folder.path())), ["P17 R-CHAIN"]);
}

#[test]
fn p18_a_hole_is_told_and_what_is_here_is_stored() {
    let folder = stopped_at_12();
    for generation in [5, 6, 9] {
        fs::remove_file(log(folder.path(), generation)).unwrap();
    }
    let plan = plan(folder.path());
    assert_eq!((breaches(&plan), logs_of(&plan).len()), (vec!["P18 R-GAP".to_owned()], 12));
    assert!(broken(&plan, "P18")[0].read.contains("0x5 to 0x6, 0x9"), "{}", broken(&plan, "P18")[0].read);
}

#[test]
fn p19_o18_temporary_and_reserve_logs_are_never_stored_and_the_current_one_is_no_closed_one() {
    let folder = stopped_at_12();
    for name in ["edbtmp.log", "edbres00001.jrs", "res1.log"] {
        fs::copy(log(folder.path(), 14), folder.path().join("log").join(name)).unwrap();
    }
    let (plan, vault) = (plan(folder.path()), MemoryVault::new());
    assert_eq!((breaches(&plan), logs_of(&plan).len()), (vec![], 15));
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    let open: Vec<_> = report.manifest.logs().filter(|(_, facts)| facts.open).collect();
    assert_eq!((open.len(), open[0].0.name.as_str(), open[0].1.generation), (1, "log/edb.log", 15));
    assert!(open[0].1.valid_bytes > 4096 && open[0].1.valid_bytes <= open[0].0.size);
    assert_eq!(report.manifest.streams[0].last_closed, Some(14));
}

#[test]
fn o3_names_of_five_and_eight_digits_and_of_both_extensions_are_logs_of_one_stream() {
    let folder = stopped_at_12();
    fs::rename(log(folder.path(), 3), folder.path().join("log/edb00000003.log")).unwrap();
    fs::rename(log(folder.path(), 4), folder.path().join("log/edb00004.jtx")).unwrap();
    let plan = plan(folder.path());
    assert_eq!((breaches(&plan), logs_of(&plan).len()), (vec![], 15));
}

#[test]
fn o17_a_current_log_that_was_renamed_by_halves_is_one_log_and_two_contents_are_told() {
    let folder = stopped_at_12();
    fs::copy(log(folder.path(), 14), folder.path().join("log/edb.log")).unwrap();
    let plan = plan(folder.path());
    assert_eq!((broken(&plan, "P17").len(), logs_of(&plan).len()), (0, 14));
    flip(&folder.path().join("log/edb.log"), 60_000);
    let plan = self::plan(folder.path());
    assert_eq!(broken(&plan, "P17")[0].refusal.unwrap().code(), "R-DUP");
}

#[test]
fn p20_a_closed_log_that_cannot_be_read_to_its_end_is_stored_and_marked() {
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    damage(&log(folder.path(), 13), 4096 + 100);
    let plan = plan(folder.path());
    assert!(breaches(&plan).contains(&"P20 R-DAMAGED".to_owned()), "{:?}", breaches(&plan));
    assert!(!plan.promises[0].rolls_forward);
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    let damaged: Vec<_> = report.manifest.files.iter().filter(|file| !file.damage.is_empty()).collect();
    assert_eq!((damaged.len(), damaged[0].name.as_str()), (1, "log/edb0000D.log"));
}

#[test]
fn p20_a_log_whose_header_is_damaged_is_stored_and_marked() {
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    flip(&log(folder.path(), 2), 100);
    assert_eq!(breaches(&plan(folder.path())), ["P18 R-GAP", "P20 R-DAMAGED"]);
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    let file = report.manifest.files.iter().find(|file| file.name.as_str() == "log/edb00002.log").unwrap();
    assert!(file.log.is_none() && file.damage.len() == 1);
}

#[test]
fn p21_a_generation_that_is_stored_with_another_content_is_told() {
    let (folder, vault) = (stopped_at_12(), MemoryVault::new());
    back_up(folder.path(), &vault, &Options::default()).unwrap();
    assert_eq!(breaches(&plan_offline(folder.path(), &vault, &Options::default())), Vec::<String>::new());
    // Behind the last record: the chain does not see it.
    let path = log(folder.path(), 14);
    let end = fs::read(&path).unwrap().len();
    edit_log(&path, |header| header.engine_version ^= 1);
    assert_eq!(fs::read(&path).unwrap().len(), end);
    assert_eq!(breaches(&plan_offline(folder.path(), &vault, &Options::default())), ["P21 R-DUP"]);
}

#[test]
fn p23_o6_without_its_anchor_a_clean_database_is_good_and_does_not_roll_forward() {
    let folder = stopped_at_12();
    for generation in 1..=12 {
        fs::remove_file(log(folder.path(), generation)).unwrap();
    }
    edit_header(&folder.path().join("db/db1.edb"), |header| header.full_backup.low = Generation(1));
    let (plan, vault) = (plan(folder.path()), MemoryVault::new());
    assert_eq!(breaches(&plan), ["P23 R-ANCHOR-MISSING"]);
    assert!(!plan.promises[0].rolls_forward);
    assert!(back_up(folder.path(), &vault, &Options::default()).unwrap().is_good());
}

#[test]
fn p23_o7_an_anchor_in_the_current_log_goes_into_the_set_with_it() {
    let (folder, vault) = (stopped(), MemoryVault::new());
    let plan = plan_offline(folder.path(), &vault, &Options::default());
    let anchor = plan.predicates.iter().find(|predicate| predicate.id == "P23").unwrap();
    assert!(anchor.holds && anchor.read.contains("is the current log"), "{}", anchor.read);
    assert!(logs_of(&plan).contains(&"log/edb.log"));
    // Once the log was rolled and purged unstored, nothing holds the anchor any more.
    fs::remove_file(folder.path().join("log/edb.log")).unwrap();
    assert_eq!(breaches(&self::plan(folder.path())), ["P23 R-ANCHOR-MISSING"]);
}

#[test]
fn o21_a_clean_database_whose_logs_were_all_deleted_on_purpose_is_good() {
    let folder = stopped();
    fs::remove_dir_all(folder.path().join("log")).unwrap();
    assert!(back_up(folder.path(), &MemoryVault::new(), &Options::default()).unwrap().is_good());
}

#[test]
fn o25_a_database_without_a_log_signature_belongs_to_no_stream() {
    let folder = stopped_at_12();
    edit_header(&folder.path().join("db/db1.edb"), |header| header.log_signature = Signature::NONE);
    for entry in fs::read_dir(folder.path().join("log")).unwrap().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".log") {
            edit_log(&entry.path(), |header| header.signature = Signature::NONE);
        }
    }
    assert_eq!(plan(folder.path()).promises, []);
}

#[test]
fn o4_o5_databases_are_found_though_the_newest_log_names_none() {
    // Generation 1 has no list: what is attached stands in its records.
    let folder = copy_of("micro-multi-db", "before");
    for name in ["edb.log", "edb00002.log", "edb.chk"] {
        fs::remove_file(folder.path().join("log").join(name)).unwrap();
    }
    let names = |folder: &Path| {
        let plan = plan(folder);
        plan.predicates.iter().find(|predicate| predicate.id == "P7").map(|predicate| predicate.read.clone())
    };
    assert!(names(folder.path()).unwrap().starts_with(['1', '2', '3']), "{:?}", names(folder.path()));
    // A newest log without any: the one before tells.
    let folder = stopped_at_12();
    let with = names(folder.path());
    edit_log(&folder.path().join("log/edb.log"), |header| header.attachment_list = [0; 2048]);
    assert_eq!((names(folder.path()), with.as_deref()), (with.clone(), Some("1 databases")));
}

#[test]
fn p24_what_changed_since_the_last_full_set_is_told() {
    let cases: [(&str, fn(&Path)); 4] = [
        ("was repaired", |db| edit_header(db, |header| header.repair_count += 1)),
        ("has a new signature", |db| edit_header(db, |header| header.signature = Signature([9; 28]))),
        ("another log stream", |db| edit_header(db, |header| header.log_signature = Signature([9; 28]))),
        ("lay at", |db| fs::rename(db, db.with_file_name("moved.edb")).unwrap()),
    ];
    for (word, change) in cases {
        let (folder, vault) = (stopped_at_12(), MemoryVault::new());
        back_up(folder.path(), &vault, &Options::default()).unwrap();
        assert_eq!(broken(&plan_offline(folder.path(), &vault, &Options::default()), "P24").len(), 0);
        let full = crate::common::history(&vault).sets[0].id.clone();
        change(&folder.path().join("db/db1.edb"));
        let options = Options { without: vec!["db1.edb".into()], ..Options::default() };
        let plan = plan_offline(folder.path(), &vault, &options);
        assert!(broken(&plan, "P24")[0].read.contains(word), "{word}: {}", broken(&plan, "P24")[0].read);
        // The older set says from then on that roll-forward ends behind it.
        assert_eq!(crate::common::history(&vault).sets[0].ends, None);
        back_up(folder.path(), &vault, &options).unwrap();
        let sets = crate::common::history(&vault).sets;
        assert_eq!((sets.len(), &sets[0].id, &sets[1].ends), (2, &full, &None));
        assert!(sets[0].ends.as_ref().unwrap().contains(word), "{:?}", sets[0].ends);
    }
}
