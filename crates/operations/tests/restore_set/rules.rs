//! Predicates that the cases of others only touch, each broken by itself.
//! Ids in names are those of ops-1.

use crate::common::{Group, Store, breaches, copy_of, digests, edit_bytes, edit_log, fresh, told};
use crate::forward::forward;
use crate::predicates::{log, new_place, production, with_logs};
use anchorlog_format::database::DatabaseState;
use anchorlog_format::log::attachments;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_operations::restore::set::{Error, Form, Forward, Options, Target, make};
use anchorlog_vault::SetId;
use std::fs;

/// The set with another position at which a database became clean.
fn clean_at(store: &Store, id: &SetId, database: &str, generation: u32) -> SetId {
    store.edited(id, false, |_, streams| {
        edit_bytes(streams.get_mut(database).unwrap(), |header| {
            header.consistent_position = LogPosition::new(generation, 1, 0);
        });
    })
}

#[test]
fn p35_a_dirty_database_does_not_go_back_into_a_group_that_stays() {
    let Some(Group { store, id, folder: _keep, target, one, .. }) = Group::new() else { return };
    let edited = |edit: fn(&mut anchorlog_format::database::DatabaseHeader)| {
        store.edited(&id, false, |_, streams| edit_bytes(streams.get_mut("db/db1.edb").unwrap(), edit))
    };
    let dirty = edited(|header| {
        header.state = DatabaseState::DirtyShutdown;
        (header.min_required, header.max_required) = (Generation(0x10), Generation(0x11));
    });
    assert_eq!(store.plan(&dirty, &target, &one).form, Form::Group);
    store.refused(&dirty, &target, &one, &["P35 R-NOT-CLEAN"]);
    store.refused(&edited(|header| header.state = DatabaseState::ForceDetach), &target, &one, &["P35 R-STATE"]);
    store.refused(&edited(|header| header.streaming_signature.0 = [7; 28]), &target, &one, &["P35 R-PAIR"]);
    let online = edited(|header| header.current_backup.low = Generation(3));
    store.refused(&online, &target, &one, &["P35 R-ONLINE-SET"]);
    let marked = store.edited(&id, false, |manifest, _| {
        let note = anchorlog_operations::sets::Note {
            severity: "error".into(),
            place: "page 4".into(),
            jet: None,
            message: "bad".into(),
            hint: String::new(),
        };
        manifest.files.iter_mut().find(|file| file.name.as_str() == "db/db1.edb").unwrap().damage.push(note);
    });
    store.refused(&marked, &target, &one, &["P35 R-DAMAGED"]);
}

#[test]
fn p39_replay_begins_where_the_lowest_database_needs_it_and_must_come_to_the_highest() {
    let Some((store, id, folder)) = production() else { return };
    for (first, second, low, high) in [(0x10, 0x12, 0x10, 0x12), (0x12, 0x11, 0x11, 0x12), (0x13, 0x13, 0x13, 0x13)] {
        let moved = clean_at(&store, &clean_at(&store, &id, "db/db1.edb", first), "db/db2.edb", second);
        let (_keep, target) = new_place();
        let plan = store.plan(&moved, &target, &with_logs(folder.path()));
        assert_eq!(plan.generations.map(|(low, _)| low), Some(Generation(low)));
        let expected = format!("generation {low:#x}, and must come to {high:#x}");
        assert!(told(&plan, "P39")[0].contains(&expected), "{:?}", told(&plan, "P39"));
    }
}

// trap ops-1 D18
#[test]
fn p52_a_log_of_a_version_that_nothing_here_reads_ends_the_chain_and_sectors_do_not_matter() {
    let Some((store, id, folder)) = production() else { return };
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert!(told(&plan, "P52")[0].contains("sectors of [4096] bytes"), "{:?}", told(&plan, "P52"));
    // What device the logs were made for is nothing that replay asks.
    edit_log(&log(folder.path(), 0x14), |header| header.disk_sector_mismatch = 1);
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((breaches(&plan), plan.generations.unwrap().1), (vec![], Generation(0x1E)));
    edit_log(&log(folder.path(), 0x16), |header| header.major = 99);
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    assert_eq!((breaches(&plan), plan.generations.unwrap().1), (vec!["P46 R-GAP".to_owned()], Generation(0x15)));
    assert!(plan.unused.iter().any(|why| why.contains("edb00016.log")), "{:?}", plan.unused);
}

#[test]
fn p55_o4_a_stream_that_begins_with_generation_1_names_its_databases_in_records() {
    let (source, store) = (crate::backup_common::stopped(), Store::new());
    crate::backup_common::edit_header(&source.path().join("db/db1.edb"), |header| {
        header.consistent_position = LogPosition::new(1, 1, 0);
        header.detach_position = header.consistent_position;
        header.attach_position = header.consistent_position;
        header.recovering = Generation(0);
    });
    let id = store.add(source.path());
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &forward(Forward::Set));
    let first = fs::read(log(source.path(), 1)).unwrap();
    let header = LogHeader::check(&first).unwrap();
    assert_eq!(header.attachments().unwrap(), [], "generation 1 lists nothing");
    assert!(told(&plan, "P55")[0].contains("generation 1: records name"), "{:?}", told(&plan, "P55"));
    assert!(told(&plan, "P53")[0].contains("named from 00000001,"), "{:?}", told(&plan, "P53"));
    assert!(
        !breaches(&plan).iter().any(|broken| broken.starts_with("P53") || broken.starts_with("P54")),
        "{:?}",
        breaches(&plan)
    );
}

#[test]
fn p57_d17_a_roll_forward_writes_into_its_own_folder_alone() {
    let Some((store, id, folder)) = production() else { return };
    let archive = copy_of("rollforward-crash-2db", "before");
    let (before, archived) = (digests(folder.path()), digests(archive.path()));
    let stored: Vec<_> = store.set(&id).manifest.files.iter().map(|file| file.blake3).collect();
    let mut options = with_logs(folder.path());
    options.logs.push(archive.path().join("log"));
    let (keep, target) = new_place();
    store.restore(&id, &target, &options).unwrap();
    assert_eq!((digests(folder.path()), digests(archive.path())), (before, archived));
    let now: Vec<_> = store
        .set(&id)
        .manifest
        .files
        .iter()
        .map(|file| *blake3::hash(&crate::backup_common::stream(&*store.vault, &id, &file.name)).as_bytes())
        .collect();
    assert_eq!(now, stored);
    assert_eq!(crate::common::names(keep.path()), ["out"], "and leaves nothing beside it");
}

#[test]
fn p61_d4_no_log_of_the_stream_is_left_above_its_new_end() {
    let Some((store, id, folder)) = production() else { return };
    // A hole, so that the chain ends before it.
    fs::remove_file(log(folder.path(), 0x16)).unwrap();
    let above = ["log/edb00017.log", "log/edb0001D.log", "log/edb.log"];
    let before = digests(folder.path());
    let target = Target::Over(folder.path().to_owned());
    let plan = store.plan(&id, &target, &forward(Forward::All));
    assert!(above.iter().all(|name| told(&plan, "P61")[0].contains(name)), "{:?}", told(&plan, "P61"));
    let report = store.restore(&id, &target, &forward(Forward::All)).unwrap();
    let end = report.recovery.run.unwrap().generations.unwrap().1;
    assert_eq!(end, Generation(0x15));
    let after = digests(folder.path());
    let aside = digests(std::path::Path::new(report.recovery.set_aside.as_deref().unwrap()));
    for name in above {
        assert_ne!(after.get(name), before.get(name), "{name} is still there");
        assert_eq!(aside.get(name), before.get(name), "{name} was not kept");
    }
}

#[test]
fn p62_the_current_log_is_the_high_anchor_or_later_or_the_anchor_is_missing() {
    let Some((store, id, folder)) = production() else { return };
    let (_keep, target) = new_place();
    let last = clean_at(&store, &id, "db/db2.edb", 0x1E);
    let plan = store.plan(&last, &target, &with_logs(folder.path()));
    assert!(told(&plan, "P62")[0].contains("generation 0x1e, and 0x1e is needed"), "{:?}", told(&plan, "P62"));
    assert!(!breaches(&plan).contains(&"P43 R-RANGE-MISSING".to_owned()));
    // The very log is away: below the anchor no log may stand for it.
    fs::remove_file(folder.path().join("log/edb.log")).unwrap();
    let plan = store.plan(&last, &target, &with_logs(folder.path()));
    assert_eq!((told(&plan, "P62"), breaches(&plan)), (vec![], vec!["P43 R-RANGE-MISSING".to_owned()]));
}

// trap ops-1 D14
#[test]
fn p64_the_proven_files_are_listed_with_their_hashes_and_are_all_there_is() {
    let Some((store, id, folder)) = production() else { return };
    let (_keep, target) = new_place();
    fs::write(folder.path().join("log/edb.chk"), vec![7; 8192]).unwrap();
    let report = store.restore(&id, &target, &with_logs(folder.path())).unwrap();
    let plan = store.plan(&id, &new_place().1, &with_logs(folder.path()));
    let places: Vec<String> = plan.files.iter().map(|file| file.place.display().to_string()).collect();
    assert_eq!(report.proven.iter().map(|(place, ..)| place.clone()).collect::<Vec<_>>(), places);
    assert!(report.proven.iter().all(|(_, from, hash)| !from.is_empty() && hash.len() == "blake3:".len() + 64));
    assert!(places.iter().all(|place| place.ends_with(".edb") || place.ends_with(".log")), "{places:?}");
    let of = |generation: u32| format!("blake3:{}", blake3::hash(&fs::read(log(folder.path(), generation)).unwrap()));
    let proven = |generation: u32| {
        let name = format!("log/edb{generation:05X}.log");
        report.proven.iter().find(|(place, ..)| *place == name).unwrap().2.clone()
    };
    assert_eq!((proven(0x10), proven(0x1D)), (of(0x10), of(0x1D)));
    // What is not as it was proved is not replayed (trap D14).
    let (_keep, target) = new_place();
    let plan = store.plan(&id, &target, &with_logs(folder.path()));
    fs::remove_file(log(folder.path(), 0x15)).unwrap();
    assert!(make(&plan, &crate::common::ambient(), &mut ()).is_err());
    let path = log(folder.path(), 0x14);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 4096 + 77] ^= 0xFF;
    fs::write(&path, bytes).unwrap();
    assert!(make(&plan, &crate::common::ambient(), &mut ()).is_err());
    assert!(!target.path().exists());
}

#[test]
fn p67_a_replay_that_does_not_come_as_far_as_planned_is_not_published() {
    let Some((store, id, folder)) = production() else { return };
    let (keep, target) = new_place();
    let mut plan = store.plan(&id, &target, &with_logs(folder.path()));
    plan.recovery.as_mut().unwrap().generations.last_mut().unwrap().last = Generation(0x99);
    let error = make(&plan, &crate::common::ambient(), &mut ()).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, Error::Failed { reason, .. } if reason.starts_with("P67: replay came to generation 0x1e, and 0x99")),
        "{error}"
    );
    assert_eq!(crate::common::names(keep.path()), [""; 0]);
}

#[test]
fn o16_a_path_in_ansi_of_another_case_is_the_database_of_its_signature() {
    let Some((store, id, folder)) = production() else { return };
    // As engines before version 9 of their logs wrote it: one byte for a character, whatever its case.
    let ansi = |header: &mut LogHeader| {
        let mut list = header.attachments().unwrap();
        for entry in &mut list {
            let path = entry.path().first().to_uppercase();
            entry.name = path.bytes().chain([0]).collect();
            entry.flags &= !0x20;
        }
        header.attachment_list = attachments::write(&list).unwrap();
    };
    let bare = store.edited(&id, false, |_, streams| streams.retain(|name, _| !name.starts_with("log/")));
    for generation in 0x10..=0x1D {
        edit_log(&log(folder.path(), generation), ansi);
    }
    edit_log(&folder.path().join("log/edb.log"), ansi);
    let edited = LogHeader::check(&fs::read(log(folder.path(), 0x11)).unwrap()).unwrap().attachments().unwrap();
    let paths: Vec<String> = edited.iter().map(|entry| entry.path().first()).collect();
    assert_eq!(paths, ["R:\\DB\\DB1.EDB", "R:\\DB\\DB2.EDB"]);
    let only = Store { vault: store.vault.clone() };
    only.vault.forget(&[id]).unwrap();
    let (_keep, out) = fresh();
    let target = Target::New(out.clone());
    let plan = only.plan(&bare, &target, &with_logs(folder.path()));
    assert_eq!((plan.possible, breaches(&plan)), (true, vec![]));
    assert!(told(&plan, "P54").iter().any(|told| told.contains("db/db1.edb")), "{:?}", told(&plan, "P54"));
    only.restore(&bare, &target, &with_logs(folder.path())).unwrap();
    crate::forward::as_the_engine("rollforward-crash-2db", &out);
    // A database that is left out may be named in any case as well.
    let (_keep, target) = new_place();
    let one = Options { databases: vec!["DB1.edb".into()], without: vec!["r:/DB/db2.EDB".into()], ..with_logs(folder.path()) };
    assert!(only.plan(&bare, &target, &one).possible);
}
