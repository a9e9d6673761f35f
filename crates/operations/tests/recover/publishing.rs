//! Whole or not at all: sources that are never touched, results in place, interruptions, places that cannot be written.

use super::common::{ambient, digests, gather, header_of, names, plan_of, recover, recover_with};
use anchorlog_format::database::DatabaseState;
use anchorlog_operations::recover::{Inputs, MakeError, Options, Place, Progress, Sources, Verdict, make, plan};
use anchorlog_testkit::data::{copy_folder, engine_set};
use std::fs;
use std::path::Path;

/// A copy of a crash state, as `source` in a folder of its own.
fn crashed(set: &str, below: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let set = engine_set(set).expect("the set is in every checkout");
    copy_folder(&set.folder().join(below), &place.path().join("source")).unwrap();
    place
}

/// Says no at one call, and counts the calls.
struct Interrupts {
    at: usize,
    calls: usize,
}

impl Interrupts {
    fn go_on(&mut self) -> bool {
        self.calls += 1;
        self.calls != self.at
    }
}

impl Progress for Interrupts {
    fn phase(&mut self, _: &str, _: usize) -> bool {
        self.go_on()
    }
    fn step(&mut self, _: &str, _: usize, _: usize) -> bool {
        self.go_on()
    }
    fn goes_on(&mut self) -> bool {
        self.go_on()
    }
}

/// Does something to the sources once the copying has begun.
struct Meddles<'a>(&'a dyn Fn(), usize);

impl Progress for Meddles<'_> {
    fn phase(&mut self, _: &str, _: usize) -> bool {
        true
    }
    fn step(&mut self, _: &str, _: usize, _: usize) -> bool {
        self.1 += 1;
        if self.1 == 2 {
            (self.0)();
        }
        true
    }
}

#[test]
fn sources_that_change_under_the_copy_are_refused() {
    let place = crashed("micro-insert", "before");
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    let first = fs::read(source.join("db/db1.edb")).unwrap();
    let sources = gather(&source);
    let write = || fs::write(source.join("db/db1.edb"), [&first[..], &[0; 4096]].concat()).unwrap();
    let meddled = recover_with(&sources, &Place::Out(out), &Options::default(), &mut Meddles(&write, 0));
    assert!(matches!(&meddled.made, Err(MakeError::Refused { reason, .. }) if reason.contains("changed")), "{:?}", meddled.made);
    assert_eq!(names(place.path()), ["source"]);
}

#[test]
fn an_interruption_at_any_step_leaves_nothing_and_the_sources_as_they_were() {
    let place = crashed("micro-multi-db", "before");
    let source = place.path().join("source");
    let untouched = digests(&source);
    for target in [Place::Out(place.path().join("out")), Place::InPlace(source.clone())] {
        let sources = gather(&source);
        let mut calls = 0;
        // One step after the other, until a run comes through.
        for at in 1.. {
            let mut progress = Interrupts { at, calls: 0 };
            let recovery = recover_with(&sources, &target, &Options::default(), &mut progress);
            if recovery.made.is_ok() {
                calls = progress.calls;
                break;
            }
            assert!(matches!(recovery.made, Err(MakeError::Interrupted)), "{at}: {:?}", recovery.made);
            assert_eq!(names(place.path()).iter().filter(|name| *name != "out").collect::<Vec<_>>(), ["source"], "step {at}");
            assert_eq!(digests(&source), untouched, "step {at}");
        }
        assert!(calls > 15, "only {calls} steps");
        match target {
            Place::Out(out) => assert_eq!((digests(&source), out.is_dir()), (untouched.clone(), true)),
            Place::InPlace(_) => assert_ne!(digests(&source), untouched),
        }
    }
}

#[test]
fn a_recovery_in_place_sets_the_originals_aside_and_is_done_only_once() {
    let place = crashed("lost-4k-1db", "base");
    let source = place.path().join("source");
    let untouched = digests(&source);
    let first = recover_with(&gather(&source), &Place::InPlace(source.clone()), &Options::default(), &mut ());
    let report = first.report();
    let aside = Path::new(report.set_aside.as_ref().unwrap());
    let set_aside = digests(aside);
    assert!(set_aside.iter().all(|(path, digest)| untouched.get(path) == Some(digest)), "an original was changed");
    assert!(set_aside.contains_key("db/db1.edb") && set_aside.contains_key("log/edb.log"));
    // What did not change stays where it was, what is no part of a clean folder went.
    let aside_name = aside.file_name().unwrap().to_string_lossy().into_owned();
    let now = digests(&source);
    let here: Vec<_> = now
        .iter()
        .filter(|(path, _)| !path.starts_with(&aside_name))
        .map(|(path, digest)| (path.clone(), digest.clone()))
        .collect();
    assert_eq!(here, report.outputs.clone().into_iter().collect::<Vec<_>>());
    assert!(untouched.keys().all(|path| now.contains_key(path) || now.contains_key(&format!("{aside_name}/{path}"))));
    assert_eq!(header_of(&source.join("db/db1.edb")).header.state, DatabaseState::CleanShutdown);
    let second = recover_with(&gather(&source), &Place::InPlace(source.clone()), &Options::default(), &mut ());
    assert_eq!(second.report().databases[0].verdict, Verdict::AlreadyClean);
    assert_eq!((second.report().set_aside.as_ref(), second.report().databases.len()), (None, 1));
    assert_eq!(digests(&source), now, "the second run changed something");
    // The originals themselves can be recovered like any other folder.
    let out = place.path().join("out");
    let again = recover(aside, &out, &Options::default());
    assert!(again.made.is_ok() || !out.exists());
}

#[test]
fn a_publication_that_was_cut_off_is_seen_by_the_plan_and_completed_by_the_next_run() {
    let place = crashed("micro-insert", "before");
    let source = place.path().join("source");
    let original = fs::read(source.join("db/db1.edb")).unwrap();
    // A run that died between the two renames of one file.
    let work = source.join(".anchorlog-work-recover-1-0");
    fs::create_dir_all(work.join("db")).unwrap();
    fs::write(work.join("db/db1.edb"), "new").unwrap();
    let journal = "anchorlog publish 1\nwork .anchorlog-work-recover-1-0\naside anchorlog-originals-1\nput db/db1.edb\nend\n";
    fs::write(source.join(".anchorlog-publish"), journal).unwrap();
    let out = place.path().join("out");
    let refused = recover(&source, &out, &Options::default());
    assert!(!refused.plan.possible && refused.made.is_err() && !out.exists());
    assert!(refused.plan.preconditions.iter().any(|condition| condition.id == "settled" && !condition.holds));
    assert_eq!(fs::read(source.join("db/db1.edb")).unwrap(), original, "a plan changes nothing");
    // The plan of before is worth nothing once the files have changed under it.
    let sources = gather(&source);
    let planned = plan(&sources, &Options::default()).unwrap();
    let made = make(&planned, &sources, &Place::InPlace(source.clone()), &ambient(), &mut ());
    assert!(matches!(made, Err(MakeError::Refused { .. })), "{made:?}");
    assert_eq!(fs::read_to_string(source.join("db/db1.edb")).unwrap(), "new");
    assert_eq!(fs::read(source.join("anchorlog-originals-1/db/db1.edb")).unwrap(), original);
    assert!(names(&source).iter().all(|name| !name.starts_with('.')), "{:?}", names(&source));
    assert!(!gather(&source).cut_off);
}

#[test]
fn what_a_killed_run_left_beside_the_result_is_removed_by_the_next() {
    let place = crashed("micro-insert", "before");
    let left = place.path().join(".anchorlog-work-out-1-0");
    fs::create_dir_all(left.join("db")).unwrap();
    fs::write(left.join("db/db1.edb"), "half").unwrap();
    fs::write(place.path().join(".anchorlog-work-out-1-0.lock"), "").unwrap();
    recover(&place.path().join("source"), &place.path().join("out"), &Options::default()).report();
    assert_eq!(names(place.path()), ["out", "source"]);
}

#[test]
fn sources_that_cannot_be_written_are_recovered_and_the_result_can_be_written() {
    let place = crashed("micro-multi-db", "before");
    let source = place.path().join("source");
    let writable = |path: &Path, yes: bool| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let plain = if path.is_dir() { 0o555 } else { 0o444 };
            permissions.set_mode(if yes { plain | 0o200 } else { plain });
        }
        #[cfg(not(unix))]
        permissions.set_readonly(!yes);
        fs::set_permissions(path, permissions).unwrap();
    };
    let paths: Vec<_> = digests(&source).into_keys().map(|path| source.join(path)).collect();
    let folders = [source.join("db"), source.join("log"), source.clone()];
    let times = || paths.iter().map(|path| fs::metadata(path).unwrap().modified().unwrap()).collect::<Vec<_>>();
    let (untouched, before) = (digests(&source), times());
    paths.iter().chain(&folders).for_each(|path| writable(path, false));
    let out = place.path().join("out");
    let recovery = recover(&source, &out, &Options::default());
    paths.iter().chain(&folders).for_each(|path| writable(path, true));
    assert_eq!(recovery.report().databases[0].verdict, Verdict::Recovered);
    assert_eq!((digests(&source), times()), (untouched, before));
    for path in digests(&out).into_keys() {
        assert!(!fs::metadata(out.join(&path)).unwrap().permissions().readonly(), "{path}");
    }
}

#[test]
fn a_place_that_is_taken_or_cannot_be_made_is_no_place_for_a_result() {
    let place = crashed("micro-insert", "before");
    let source = place.path().join("source");
    let untouched = digests(&source);
    fs::create_dir(place.path().join("taken")).unwrap();
    fs::write(place.path().join("taken/file"), "mine").unwrap();
    let refused = recover(&source, &place.path().join("taken"), &Options::default());
    assert!(matches!(refused.made, Err(MakeError::Refused { .. })));
    let failed = recover(&source, &place.path().join("taken/file/out"), &Options::default());
    assert!(matches!(failed.made, Err(MakeError::Failed { .. })), "{:?}", failed.made);
    assert!(failed.code().is_some_and(|code| code < 0));
    assert_eq!(fs::read_to_string(place.path().join("taken/file")).unwrap(), "mine");
    assert_eq!((names(place.path()), digests(&source)), (vec!["source".to_owned(), "taken".to_owned()], untouched));
    // An empty folder may stand there already.
    fs::create_dir(place.path().join("empty")).unwrap();
    recover(&source, &place.path().join("empty"), &Options::default()).report();
    assert!(place.path().join("empty/db/db1.edb").is_file());
}

#[test]
fn in_place_works_on_one_folder_alone() {
    let place = crashed("micro-insert", "before");
    let source = place.path().join("source");
    fs::create_dir(place.path().join("elsewhere")).unwrap();
    fs::rename(source.join("db/db1.edb"), place.path().join("elsewhere/db1.edb")).unwrap();
    let inputs = Inputs { folder: source.clone(), databases: vec![place.path().join("elsewhere/db1.edb")], logs: None };
    let sources = Sources::gather(&inputs).unwrap();
    let untouched = digests(place.path());
    let recovery = recover_with(&sources, &Place::InPlace(source), &Options::default(), &mut ());
    assert!(recovery.plan.possible && matches!(recovery.made, Err(MakeError::Refused { .. })), "{:?}", recovery.made);
    assert_eq!(digests(place.path()), untouched);
}

#[test]
fn redo_alone_and_undo_later_is_the_same_as_all_at_once() {
    let place = crashed("lost-4k-1db", "base");
    let source = place.path().join("source");
    let at_once = place.path().join("at-once");
    recover(&source, &at_once, &Options::default()).report();
    // First without undo, then once more over the result.
    let (dirty, clean) = (place.path().join("dirty"), place.path().join("clean"));
    let first = recover(&source, &dirty, &Options { without_undo: true, ..Options::default() });
    assert_eq!(first.report().databases[0].verdict, Verdict::StaysDirty);
    assert_eq!(first.report().databases[0].after.state, "Dirty Shutdown");
    assert!(first.report().databases[0].proof.is_some_and(|proof| proof.errors == 0));
    assert_eq!(plan_of(&dirty, &Options::default()).databases[0].verdict, Verdict::Recovered);
    recover(&dirty, &clean, &Options::default()).report();
    let dump = |root: &Path| super::common::dump_of(&root.join("db/db1.edb"), anchorlog_database::canonical::Tables::Users);
    assert_eq!(dump(&clean), dump(&at_once));
}
