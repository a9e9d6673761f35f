//! Roll-forward as the engine does it, out of sets, chains of sets, and production logs.
//! Ids in names are those of ops-1.

use crate::common::{Store, breaches, copy_of, digests, fresh, told};
use crate::recover_common::{compare_dump, databases, recover};
use anchorlog_database::canonical::Tables;
use anchorlog_format::units::LogPosition;
use anchorlog_operations::recover;
use anchorlog_operations::restore::set::{Form, Forward, Options, Target};
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::engine_set;
use anchorlog_testkit::dump_text::engine_dumps;
use std::fs;
use std::path::Path;

pub fn forward(way: Forward) -> Options {
    Options { forward: way, ..Options::default() }
}

/// The databases of a result against the engine's own dumps.
pub fn as_the_engine(set: &str, out: &Path) {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    let folder = engine_set(set).unwrap().folder();
    let ours = databases(out);
    for (dump, tables) in [("dump.jsonl", Tables::Users), ("catalog.jsonl", Tables::Engines)] {
        for (name, text) in engine_dumps(&folder.join(dump)) {
            compared += 1;
            compare_dump(set, &ours[&name.to_lowercase()], &text, tables, &mut wrong);
        }
    }
    assert!(compared > 0 && wrong.is_empty(), "{set}: {}", wrong.join("\n"));
}

#[test]
fn old_copies_are_rolled_forward_with_the_logs_of_their_set_as_the_engine_does() {
    for set in ["rollforward-clean", "rollforward-crash-2db", "rollforward-anchor"] {
        if engine_set(set).is_none() {
            continue;
        }
        let (source, store, (keep, out)) = (copy_of(set, "before"), Store::new(), fresh());
        let id = store.add(source.path());
        let report = store.restore(&id, &Target::New(out.clone()), &forward(Forward::Set)).unwrap();
        assert_eq!(report.form, Form::RollForward);
        as_the_engine(set, &out);
        // The same as recovery of the same files by itself, byte for byte: the copy, and the logs from its anchor on.
        let anchor = store.set(&id).manifest.databases().next().unwrap().1.start().unwrap();
        for generation in 1..anchor {
            let older = source.path().join(format!("log/edb{generation:05X}.log"));
            if older.exists() {
                fs::remove_file(older).unwrap();
            }
        }
        let other = keep.path().join("recovered");
        recover(source.path(), &other, &recover::Options::default()).report();
        assert_eq!(digests(&out), digests(&other), "{set}");
    }
}

/// A set with the logs up to a generation; then one of logs alone up to another; the rest in a folder.
fn in_pieces(set: &str, first: u32, second: u32) -> Option<(Store, anchorlog_vault::SetId, tempfile::TempDir)> {
    engine_set(set)?;
    let (source, store) = (copy_of(set, "before"), Store::new());
    let remove = |folder: &Path, wanted: &dyn Fn(Option<u32>) -> bool| {
        for entry in fs::read_dir(folder.join("log")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let generation = name.strip_prefix("edb").and_then(|rest| u32::from_str_radix(rest.strip_suffix(".log")?, 16).ok());
            if wanted(generation) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    };
    let base = copy_of(set, "before");
    remove(base.path(), &|generation| generation.is_none_or(|generation| generation > first));
    let id = store.add(base.path());
    let more = copy_of(set, "before");
    remove(more.path(), &|generation| generation.is_none_or(|generation| generation > second));
    store.add_logs(more.path());
    remove(source.path(), &|generation| generation.is_some_and(|generation| generation <= second));
    Some((store, id, source))
}

#[test]
fn a_chain_of_sets_and_the_logs_of_production_lead_to_the_end() {
    let Some((store, id, production)) = in_pieces("rollforward-crash-2db", 0x12, 0x17) else { return };
    let before = digests(production.path());
    let (_keep, out) = fresh();
    let options = Options { logs: vec![production.path().join("log")], ..forward(Forward::All) };
    let plan = store.plan(&id, &Target::New(out.clone()), &options);
    assert_eq!(breaches(&plan), Vec::<String>::new());
    let generations = plan.generations.unwrap();
    assert_eq!((generations.0.0, generations.1.0), (0x10, 0x1E));
    let report = store.restore(&id, &Target::New(out.clone()), &options).unwrap();
    as_the_engine("rollforward-crash-2db", &out);
    assert_eq!(report.proven.iter().filter(|(place, ..)| place.ends_with(".log")).count(), 15);
    assert_eq!(digests(production.path()), before);
}

#[test]
fn the_end_of_a_set_is_the_end_of_its_own_logs() {
    let Some((store, id, _production)) = in_pieces("rollforward-crash-2db", 0x12, 0x17) else { return };
    for (way, last) in [(Forward::Set, 0x12), (Forward::All, 0x17)] {
        let (_keep, out) = fresh();
        let report = store.restore(&id, &Target::New(out), &forward(way)).unwrap();
        assert_eq!(report.recovery.run.unwrap().generations.unwrap().1.0, last);
    }
}

#[test]
fn a_restore_up_to_a_stop_is_replay_up_to_that_stop() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store) = (copy_of("rollforward-crash-2db", "before"), Store::new());
    let id = store.add(source.path());
    for stop in [LogPosition::new(0x14, 0, 0), LogPosition::new(0x16, 7, 0x123), LogPosition::new(0x1E, 3, 0)] {
        let stop = Some(Stop::from_position(stop));
        let (keep, out) = fresh();
        store.restore(&id, &Target::New(out.clone()), &Options { stop, ..forward(Forward::Set) }).unwrap();
        let other = keep.path().join("recovered");
        recover(source.path(), &other, &recover::Options { stop, ..recover::Options::default() }).report();
        for name in ["db/db1.edb", "db/db2.edb"] {
            let (ours, theirs) = (out.join(name), other.join(name));
            use crate::recover_common::dump_of;
            assert_eq!(dump_of(&ours, Tables::Users), dump_of(&theirs, Tables::Users), "{stop:?} {name}");
        }
    }
}

#[test]
fn i36_a_stop_below_the_database_or_behind_the_logs_is_refused() {
    let Some(_) = engine_set("rollforward-anchor") else { return };
    let (source, store) = (copy_of("rollforward-anchor", "before"), Store::new());
    let id = store.add(source.path());
    for stop in [LogPosition::new(0x10, 2, 0), LogPosition::new(0x99, 0, 0)] {
        let (_keep, out) = fresh();
        let options = Options { stop: Some(Stop::from_position(stop)), ..forward(Forward::Set) };
        store.refused(&id, &Target::New(out), &options, &["I36 R-RANGE-MISSING"]);
    }
}

#[test]
fn an_image_is_restored_with_the_logs_it_came_with() {
    let Some(set) = engine_set("micro-insert") else { return };
    let (source, store, (_keep, out)) = (copy_of("micro-insert", "before"), Store::new(), fresh());
    let id = store.add_image(source.path());
    store.restore(&id, &Target::New(out.clone()), &forward(Forward::Set)).unwrap();
    let mut wrong = Vec::new();
    for (name, text) in engine_dumps(&set.folder().join("dump.jsonl")) {
        compare_dump("micro-insert", &databases(&out)[&name.to_lowercase()], &text, Tables::Users, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn p54_databases_that_change_names_are_known_by_their_signatures() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store, (keep, out)) = (copy_of("rollforward-crash-2db", "before"), Store::new(), fresh());
    let id = store.add(source.path());
    // Each goes where the other one lay.
    let map = vec![("R:\\db\\db1.edb".to_owned(), "db/db2.edb".into()), ("db2.edb".to_owned(), "db/db1.edb".into())];
    let options = Options { map, ..forward(Forward::Set) };
    let plan = store.plan(&id, &Target::New(out.clone()), &options);
    assert_eq!(told(&plan, "P54").len(), 2);
    store.restore(&id, &Target::New(out.clone()), &options).unwrap();
    let other = keep.path().join("recovered");
    recover(source.path(), &other, &recover::Options::default()).report();
    let content = |path: &Path| {
        let dump = crate::recover_common::dump_of(path, Tables::Users);
        dump.split_once('\n').unwrap().1.to_owned()
    };
    assert!(content(&out.join("db/db1.edb")) == content(&other.join("db/db2.edb")));
    assert!(content(&out.join("db/db2.edb")) == content(&other.join("db/db1.edb")));
}

#[test]
fn p46_p60_replay_up_to_a_hole_is_recovery_of_the_logs_before_it() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store, (keep, out)) = (copy_of("rollforward-crash-2db", "before"), Store::new(), fresh());
    fs::remove_file(source.path().join("log/edb00017.log")).unwrap();
    let id = store.add(source.path());
    store.restore(&id, &Target::New(out.clone()), &forward(Forward::Set)).unwrap();
    for generation in (1..0x10).chain(0x18..=0x1D) {
        fs::remove_file(source.path().join(format!("log/edb{generation:05X}.log"))).unwrap();
    }
    fs::remove_file(source.path().join("log/edb.log")).unwrap();
    let other = keep.path().join("recovered");
    recover(source.path(), &other, &recover::Options { allow_missing_current: true, ..recover::Options::default() }).report();
    assert_eq!(digests(&out), digests(&other));
}

#[test]
fn p65_one_database_is_rolled_forward_beside_a_clean_one_of_its_group() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store) = (copy_of("rollforward-crash-2db", "before"), Store::new());
    let id = store.add(source.path());
    let group = copy_of("rollforward-crash-2db", "after");
    fs::write(group.path().join("db/db1.edb"), vec![0; 50_000]).unwrap();
    let before = digests(group.path());
    let one = Options { databases: vec!["db1.edb".into()], logs: vec![source.path().join("log")], ..forward(Forward::All) };
    let target = Target::Over(group.path().to_owned());
    let plan = store.plan(&id, &target, &one);
    assert_eq!((plan.possible, breaches(&plan)), (true, Vec::new()));
    store.restore(&id, &target, &one).unwrap();
    fs::remove_dir_all(store_aside(group.path())).unwrap();
    as_the_engine("rollforward-crash-2db", group.path());
    assert_eq!(digests(group.path())["db/db2.edb"], before["db/db2.edb"]);
}

fn store_aside(root: &Path) -> std::path::PathBuf {
    let name = crate::common::names(root).into_iter().find(|name| name.starts_with("anchorlog-originals-"));
    root.join(name.unwrap())
}

#[test]
fn o17_the_current_log_under_its_later_name_as_well_is_one_log() {
    let Some((store, id, production)) = in_pieces("rollforward-crash-2db", 0x12, 0x17) else { return };
    fs::copy(production.path().join("log/edb.log"), production.path().join("log/edb0001E.log")).unwrap();
    let (_keep, out) = fresh();
    let options = Options { logs: vec![production.path().join("log")], ..forward(Forward::All) };
    let plan = store.plan(&id, &Target::New(out.clone()), &options);
    assert_eq!((plan.generations.unwrap().1.0, breaches(&plan)), (0x1E, Vec::new()));
    store.restore(&id, &Target::New(out.clone()), &options).unwrap();
    as_the_engine("rollforward-crash-2db", &out);
}

#[test]
fn a_time_to_stop_at_leads_where_replay_by_itself_comes() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store, (keep, out)) = (copy_of("rollforward-crash-2db", "before"), Store::new(), fresh());
    let id = store.add(source.path());
    let set = store.set(&id);
    let created = set.manifest.logs().find(|(_, facts)| facts.generation == 0x16).unwrap().1.created;
    let options = Options { stop_time: Some(created), ..forward(Forward::Set) };
    store.restore(&id, &Target::New(out.clone()), &options).unwrap();
    let other = keep.path().join("recovered");
    recover(source.path(), &other, &recover::Options { stop_time: Some(created), ..recover::Options::default() }).report();
    for name in ["db/db1.edb", "db/db2.edb"] {
        use crate::recover_common::dump_of;
        assert_eq!(dump_of(&out.join(name), Tables::Users), dump_of(&other.join(name), Tables::Users), "{name}");
    }
}
