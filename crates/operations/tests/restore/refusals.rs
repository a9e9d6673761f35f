//! What a restore refuses before anything is touched, with the predicate and the engine's code.
//! Ids in names are those of ops-3.

use super::common::{digests, names};
use super::sets::{inputs, last, restore, stream, two_databases};
use anchorlog_operations::restore::{Inputs, Options, online};
use anchorlog_testkit::data::{copy_folder, engine_set};
use std::fs;
use std::path::{Path, PathBuf};

/// Copies of sets to be changed, and an empty target.
struct Copies {
    place: tempfile::TempDir,
}

impl Copies {
    fn of(folder: &Path, sets: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        for set in sets {
            copy_folder(&folder.join(set), &place.path().join(set)).unwrap();
        }
        Self { place }
    }
    fn path(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }
    fn inputs(&self, sets: &[&str], production: Option<&str>) -> Inputs {
        inputs(self.place.path(), sets, production.map(|folder| self.path(folder)).as_deref())
    }
    /// Predicate and code of the refusal; nothing is made, and nothing touched.
    fn refused(&self, inputs: &Inputs, options: &Options) -> (&'static str, i32) {
        let before = digests(self.place.path());
        let restored = restore(inputs, &self.path("target"), options);
        let broken = restored.broken();
        assert!(!broken.is_empty() && restored.plan.steps.is_empty() && !restored.plan.possible);
        assert!(digests(self.place.path()) == before);
        (broken[0], restored.code())
    }
}

#[test]
fn h1_a_target_that_is_not_empty_is_never_overwritten() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full"]);
    fs::create_dir(copies.path("target")).unwrap();
    fs::write(copies.path("target/mine.txt"), "mine").unwrap();
    assert_eq!(copies.refused(&copies.inputs(&["full"], None), &last()), ("H1", -1032));
    assert_eq!(copies.refused(&copies.inputs(&["full"], None), &Options::default()), ("H1", -1032));
}

#[test]
fn h3_o2_the_target_lies_apart_from_production_and_from_the_sets() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full", "production/log"]);
    let inputs = copies.inputs(&["full"], Some("production/log"));
    for target in ["production/log/restored", "full/restored"] {
        let restored = restore(&inputs, &copies.path(target), &last());
        assert_eq!((restored.broken(), restored.code()), (vec!["H3"], -1023));
        assert!(!copies.path(target).exists());
    }
    // A place outside of the target is none, and the logs have theirs.
    for place in ["../db1.edb", "/tmp/db1.edb", "logs/db1.edb", "Restore.env", ""] {
        let options = Options { map: vec![("db1.edb".into(), place.into())], ..last() };
        assert_eq!(copies.refused(&inputs, &options), ("H3", -1023), "{place}");
    }
}

#[test]
fn h4_h5_h6_the_logs_of_several_sets_are_one_chain() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full", "inc1", "inc2"]);
    // Between the full set and the second incremental one logs are missing where these do not overlap.
    for generation in 0x0C..=0x11 {
        fs::remove_file(copies.path(&format!("inc2/edb000{generation:02X}.log"))).unwrap();
    }
    for generation in 0x12..=0x1A {
        fs::remove_file(copies.path(&format!("inc2/edb000{generation:02X}.log"))).unwrap();
    }
    assert_eq!(copies.refused(&copies.inputs(&["full", "inc2"], None), &last()), ("H4", -557));
    restore(&copies.inputs(&["full", "inc1", "inc2"], None), &copies.path("target"), &last()).report();
}

#[test]
fn h5_logs_of_another_stream_among_those_of_the_set_are_refused() {
    let (Some(folder), Some(other)) = (stream(), engine_set("backup-legacy-4k")) else { return };
    let copies = Copies::of(&folder, &["full"]);
    // Two sets have the generation: which is meant nobody can say.
    fs::create_dir(copies.path("other")).unwrap();
    fs::copy(other.folder().join("backup/edb00009.log"), copies.path("other/edb00009.log")).unwrap();
    assert_eq!(copies.refused(&copies.inputs(&["full", "other"], None), &last()), ("H5", -555));
    // It stands where the set's own should be.
    fs::copy(other.folder().join("backup/edb00009.log"), copies.path("full/edb00009.log")).unwrap();
    assert_eq!(copies.refused(&copies.inputs(&["full"], None), &last()), ("H5", -555));
}

#[test]
fn o3_a_set_of_another_instance_is_not_added_to_files_that_wait() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full", "inc1"]);
    for name in names(&copies.path("inc1")) {
        fs::rename(copies.path("inc1").join(&name), copies.path("inc1").join(name.replace("edb", "e01"))).unwrap();
    }
    restore(&copies.inputs(&["full"], None), &copies.path("target"), &Options::default()).report();
    assert_eq!(copies.refused(&copies.inputs(&["inc1"], None), &Options::default()), ("O3", -555));
    assert_eq!(copies.refused(&copies.inputs(&["inc1"], None), &last()), ("O3", -555));
}

// trap ops-2 O19
#[test]
fn o19_a_log_that_two_sets_have_is_taken_from_the_one_in_which_it_is_whole() {
    let Some(folder) = stream() else { return };
    for (damaged, whole) in [("full", "inc1"), ("inc1", "full")] {
        let copies = Copies::of(&folder, &["full", "inc1"]);
        let path = copies.path(&format!("{damaged}/edb00009.log"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[3 * 4096 + 9..3 * 4096 + 2000].fill(0xA5);
        fs::write(&path, bytes).unwrap();
        let restored = restore(&copies.inputs(&["full", "inc1"], None), &copies.path("target"), &last());
        restored.report();
        let (_, taken) = (damaged, restored.plan.environment.logs.iter().find(|log| log.generation == 9).unwrap());
        assert!(Path::new(&taken.source).starts_with(copies.path(whole)), "{}", taken.source);
    }
}

#[test]
fn h8_patch_files_that_hold_pages_are_refused_and_empty_ones_are_fine() {
    let Some(set) = engine_set("backup-legacy-4k") else { return };
    let copies = Copies::of(&set.folder(), &["backup"]);
    fs::write(copies.path("backup/db1.pat"), vec![1; 8192]).unwrap();
    let inputs = copies.inputs(&["backup"], None);
    assert_eq!(copies.refused(&inputs, &last()), ("H8", -535));
    let found = restore(&inputs, &copies.path("target"), &last()).made.unwrap_err().to_string();
    assert!(found.contains("Exchange 2000"), "{found}");
    fs::write(copies.path("backup/db1.pat"), []).unwrap();
    restore(&inputs, &copies.path("target"), &last()).report();
}

#[test]
fn a_snapshot_or_a_crashed_folder_is_no_online_set() {
    let Some(set) = engine_set("backup-snapshot-4k") else { return };
    let copies = Copies::of(&set.folder(), &["before"]);
    assert_eq!(copies.refused(&copies.inputs(&["before"], None), &last()), ("H8", -615));
}

#[test]
fn old_copies_with_their_logs_are_no_online_sets_either() {
    use anchorlog_testkit::data::engine_sets;
    let rolled = engine_sets().into_iter().filter(|set| set.name.starts_with("rollforward-") || set.name == "backup-interrupted");
    for set in rolled {
        let copies = Copies::of(&set.folder(), &["before"]);
        let has_database = set.name != "rollforward-logsonly";
        let (id, jet) = copies.refused(&copies.inputs(&["before"], None), &last());
        // Logs alone make no restore: a set is of databases.
        assert_eq!((id, jet), if has_database { ("H8", -615) } else { ("something", -1) }, "{}", set.name);
    }
}

#[test]
fn h10_a_waiting_restore_says_which_logs_are_still_to_come() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full", "inc1"]);
    for generation in 0x0E..=0x11 {
        fs::remove_file(copies.path(&format!("full/edb000{generation:02X}.log"))).unwrap();
    }
    assert_eq!(copies.refused(&copies.inputs(&["full"], None), &last()), ("H10", -553));
    let held = restore(&copies.inputs(&["full"], None), &copies.path("target"), &Options::default());
    held.report();
    assert!(held.plan.notes.iter().any(|note| note.starts_with("H10 is still open")), "{:?}", held.plan.notes);
    // With the next set it can be finished.
    restore(&copies.inputs(&["inc1"], None), &copies.path("target"), &last()).report();
}

#[test]
fn c2_a_production_folder_without_logs_of_the_instance_is_a_bad_target() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full"]);
    fs::create_dir(copies.path("empty")).unwrap();
    assert_eq!(copies.refused(&copies.inputs(&["full"], Some("empty")), &last()), ("C2", -577));
}

// trap ops-3 H17
#[test]
fn c4_the_current_log_of_an_instance_that_runs_is_left_alone() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full", "production/log"]);
    let inputs = copies.inputs(&["full"], Some("production/log"));
    let options = Options { closed_logs_only: true, ..last() };
    let restored = restore(&inputs, &copies.path("target"), &options);
    assert_eq!(restored.report().warning.map(|jet| jet.0), Some(578));
    let run = restored.report().recovery.as_ref().unwrap().run.as_ref().unwrap();
    assert_eq!(run.generations.map(|(first, last)| (first.0, last.0)), Some((1, 0x25)));
}

#[test]
fn c7_production_whose_current_log_is_older_than_the_set_is_out_of_sequence() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full", "inc1", "production/log"]);
    for name in names(&copies.path("production/log")) {
        fs::remove_file(copies.path("production/log").join(name)).unwrap();
    }
    fs::copy(copies.path("full/edb00011.log"), copies.path("production/log/edb.log")).unwrap();
    assert_eq!(copies.refused(&copies.inputs(&["full", "inc1"], Some("production/log")), &last()).1, -515);
}

// trap ops-3 H2
#[test]
fn o14_an_end_of_a_path_that_means_two_databases_is_refused() {
    let Some(folder) = two_databases() else { return };
    let copies = Copies::of(&folder, &["full"]);
    fs::create_dir(copies.path("full/a")).unwrap();
    fs::create_dir(copies.path("full/b")).unwrap();
    fs::rename(copies.path("full/db1.edb"), copies.path("full/a/x.edb")).unwrap();
    fs::rename(copies.path("full/db2.edb"), copies.path("full/b/x.edb")).unwrap();
    let inputs = copies.inputs(&["full"], None);
    let map = |entries: &[(&str, &str)]| Options {
        map: entries.iter().map(|(name, place)| ((*name).to_owned(), PathBuf::from(place))).collect(),
        ..last()
    };
    assert_eq!(copies.refused(&inputs, &map(&[("x.edb", "new.edb")])), ("O14", -1201));
    assert_eq!(copies.refused(&inputs, &map(&[("a/x.edb", "new.edb"), ("b/x.edb", "NEW.edb")])), ("H2", -1201));
    // The longest end wins, and a logged path is as good as one in the set.
    let options = map(&[("a/x.edb", "one.edb"), (r"R:\db\db2.edb", "two.edb"), ("edb", "three.edb")]);
    let restored = restore(&inputs, &copies.path("target"), &options);
    restored.report();
    assert!(copies.path("target/one.edb").is_file() && copies.path("target/two.edb").is_file());
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_one_with_nothing_in_it_a_refusal() {
    let Some(folder) = stream() else { return };
    let copies = Copies::of(&folder, &["full"]);
    assert!(online(&copies.inputs(&["missing"], None), &copies.path("target"), &last()).is_err());
    fs::create_dir(copies.path("empty")).unwrap();
    assert_eq!(copies.refused(&copies.inputs(&["empty"], None), &last()), ("H4", -557));
}
