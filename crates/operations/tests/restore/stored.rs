//! Online sets imported into a vault, and restored from there: the same files, the same ends as from their folders.

use super::common::{ambient, digests};
use super::sets::{Stage, stages};
use super::stages::compare;
use anchorlog_operations::backup::{self, Predicate, import};
use anchorlog_operations::recover::Verdict;
use anchorlog_operations::restore::{Options, Report, Wanted, make, stored};
use anchorlog_operations::sets::{History, Kind, KnownSet, Level};
use anchorlog_testkit::data::{copy_folder, engine_set, engine_sets};
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::{SetId, Vault};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A vault, and what was imported into it.
pub struct Store {
    pub vault: Arc<dyn Vault>,
}

impl Store {
    pub fn new() -> Self {
        Self { vault: Arc::new(MemoryVault::new()) }
    }
    pub fn history(&self) -> History {
        let history = History::read(&*self.vault).unwrap();
        assert_eq!(history.unreadable, []);
        history
    }
    pub fn known(&self, set: &SetId) -> KnownSet {
        self.history().sets.into_iter().find(|known| known.id == *set).unwrap()
    }
    pub fn import_with(&self, folder: &Path, options: &backup::Options) -> Result<backup::Report, backup::Error> {
        let (sources, plan) = import::plan(folder, &self.vault, &self.history(), options).unwrap();
        backup::make(&plan, &sources, &*self.vault, &ambient(), &mut ())
    }
    pub fn import(&self, folder: &Path) -> SetId {
        self.import_as(folder, None)
    }
    pub fn import_as(&self, folder: &Path, online_kind: Option<Kind>) -> SetId {
        let options = backup::Options { online_kind, ..backup::Options::default() };
        self.import_with(folder, &options).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).set
    }
    /// The import is refused; nothing is stored. The numbers of what is broken, in order, each with its code.
    pub fn refused(&self, folder: &Path, kind: Option<Kind>) -> Vec<(&'static str, i32)> {
        let (sets, before) = (self.vault.sets().unwrap().len(), digests(folder));
        let options = backup::Options { online_kind: kind, ..backup::Options::default() };
        let error = self.import_with(folder, &options).map(|report| report.manifest.evidence).expect_err("it must be refused");
        let backup::Error::Refused(broken) = error else { panic!("{error}") };
        assert!(
            broken.iter().all(|predicate| !predicate.rule.is_empty() && !predicate.read.is_empty() && !predicate.next.is_empty())
        );
        assert_eq!((self.vault.sets().unwrap().len(), digests(folder)), (sets, before));
        broken.iter().map(|Predicate { id, jet, .. }| (*id, jet.map_or(0, |jet| jet.0))).collect()
    }
    /// The end of a restore, and the numbers of what is broken.
    pub fn restore(
        &self,
        set: &SetId,
        wanted: &Wanted,
        target: &Path,
        options: &Options,
    ) -> (Result<Report, i32>, Vec<&'static str>) {
        let plan = stored(&self.vault, &self.history(), set, wanted, target, options).unwrap_or_else(|error| panic!("{error}"));
        let broken = plan.preconditions.iter().filter(|condition| !condition.holds).map(|condition| condition.id).collect();
        let made = make(&plan, &ambient(), &mut ());
        let code = |error| match error {
            anchorlog_operations::recover::MakeError::Refused { jet: Some(jet), .. } => jet.0,
            error => panic!("{error}"),
        };
        (made.map_err(code), broken)
    }
}

/// Restores a stage out of a vault in which the sets that it names were imported, and compares.
fn restore_stage(
    label: &str,
    store: &Store,
    set: &SetId,
    wanted: &Wanted,
    stage: &Stage,
    place: &Path,
    problems: &mut Vec<String>,
) {
    let mut options = Options::default();
    if stage.name().ends_with("moved") {
        options.map = vec![(r"R:\db\db1.edb".into(), "new/db1.edb".into())];
    }
    let target = place.join("target");
    let expected = stage.value["error"].as_i64().unwrap();
    match store.restore(set, wanted, &target, &options) {
        (Ok(report), _) => {
            if expected != 0 {
                problems.push(format!("{label}: restored, and {expected} was expected"));
                return;
            }
            let recovery = report.recovery.as_ref().unwrap();
            assert!(recovery.databases.iter().all(|database| database.verdict == Verdict::Recovered), "{label}");
            assert!(!stage.name().ends_with("moved") || target.join("new/db1.edb").is_file(), "{label}");
            compare(label, &target, stage, problems);
        }
        (Err(code), broken) => {
            assert!(!target.exists(), "{label}");
            if i64::from(code) != expected || broken.first() != Some(&"C2") {
                problems.push(format!("{label}: {code} {broken:?}"));
            }
        }
    }
}

#[test]
fn every_stage_of_the_streamed_sets_is_the_engines_out_of_the_vault_as_well() {
    let (mut seen, mut problems) = (0, Vec::new());
    for set in engine_sets().into_iter().filter(|set| set.name.starts_with("backup-stream-")) {
        let untouched = digests(&set.folder());
        for stage in stages(&set) {
            let label = format!("{} {}", set.name, stage.name());
            let place = tempfile::tempdir().unwrap();
            let store = Store::new();
            let sources = stage.value["sources"].as_array().unwrap().iter().map(|name| stage.folder.join(name.as_str().unwrap()));
            let sets: Vec<SetId> = sources.map(|folder| store.import(&folder)).collect();
            let production = stage.production(&place.path().join("production"));
            // The last set stands for those that it needs.
            let wanted = Wanted { production: production.clone(), ..Wanted::default() };
            restore_stage(&label, &store, sets.last().unwrap(), &wanted, &stage, place.path(), &mut problems);
            // The first one, with every log that the vault has behind it, comes to the same.
            fs::remove_dir_all(place.path().join("target")).ok();
            let wanted = Wanted { production, later_sets: true, ..Wanted::default() };
            restore_stage(&label, &store, &sets[0], &wanted, &stage, place.path(), &mut problems);
            seen += 1;
        }
        assert!(digests(&set.folder()) == untouched, "{}: a source was changed", set.name);
    }
    let of_set = |name, stages| if engine_set(name).is_some() { stages } else { 0 };
    assert_eq!(seen, of_set("backup-stream-4k", 7) + of_set("backup-stream-32k-2db", 6));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_restore_of_the_folder_backups_is_the_engines_out_of_the_vault_as_well() {
    let mut problems = Vec::new();
    for set in engine_sets().into_iter().filter(|set| set.name.starts_with("backup-legacy-")) {
        for stage in stages(&set) {
            let (place, store) = (tempfile::tempdir().unwrap(), Store::new());
            let imported = store.import(&stage.folder.join("backup"));
            let production = (stage.name() == "backup+production-logs").then(|| stage.folder.join("production/log"));
            let wanted = Wanted { production, ..Wanted::default() };
            let label = format!("{} {}", set.name, stage.name());
            restore_stage(&label, &store, &imported, &wanted, &stage, place.path(), &mut problems);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn stream_4k() -> Option<std::path::PathBuf> {
    super::sets::stream()
}

fn stage(name: &str) -> Stage {
    stages(&engine_set("backup-stream-4k").unwrap()).into_iter().find(|stage| stage.name() == name).unwrap()
}

#[test]
fn a_set_enters_the_vault_as_what_it_is() {
    let Some(folder) = stream_4k() else { return };
    let store = Store::new();
    let full = store.import_as(&folder.join("full"), Some(Kind::OnlineCopy));
    let incremental = store.import(&folder.join("inc1"));
    let differential = store.import_as(&folder.join("inc2"), Some(Kind::OnlineDifferential));
    let kinds: Vec<Kind> = [&full, &incremental, &differential].map(|set| store.known(set).manifest.kind).to_vec();
    assert_eq!(kinds, [Kind::OnlineCopy, Kind::OnlineIncremental, Kind::OnlineDifferential]);
    let known = store.known(&full);
    assert_eq!((known.proved, known.manifest.partial), (Some(Level::L2), false));
    let (part, facts) = known.manifest.databases().next().unwrap();
    let backup = facts.current.as_ref().unwrap();
    // The raw copy lies there with its trailer: its header still does not know where the backup ended.
    assert_eq!((backup.low, backup.high, facts.start()), (1, 0, Some(1)));
    assert_eq!(part.blake3, *blake3::hash(&fs::read(folder.join("full/db1.edb")).unwrap()).as_bytes());
    assert_eq!((part.pages.unwrap().bad, part.damage.len()), (0, 0));
    let stream = &known.manifest.streams[0];
    assert_eq!((stream.first, stream.last_closed, stream.attached.len()), (Some(1), Some(0x11), 1));
    assert_eq!(stream.attached[0].in_set.as_ref(), Some(&part.name));
    // What logs alone continue is told, and keeps it from being forgotten.
    let before = |set: &SetId| store.known(set).manifest.streams[0].continues.clone();
    assert_eq!((before(&incremental), before(&differential)), (Some(full.clone()), Some(full.clone())));
    assert!(store.vault.forget(std::slice::from_ref(&full)).is_err());
}

#[test]
fn a_differential_set_needs_its_full_set_alone() {
    let Some(folder) = stream_4k() else { return };
    let (store, place) = (Store::new(), tempfile::tempdir().unwrap());
    store.import(&folder.join("full"));
    // All logs behind the full set.
    let differential = tempfile::tempdir().unwrap();
    for set in ["inc1", "inc2"] {
        copy_folder(&folder.join(set), differential.path()).unwrap();
    }
    let set = store.import_as(differential.path(), Some(Kind::OnlineDifferential));
    let mut problems = Vec::new();
    restore_stage("differential", &store, &set, &Wanted::default(), &stage("full+inc2"), place.path(), &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_set_that_is_replayed_while_it_is_imported_is_proved_to_the_highest_level_and_a_drill_finds_the_same() {
    let Some(folder) = stream_4k() else { return };
    let (store, scratch) = (Store::new(), tempfile::tempdir().unwrap());
    let options = backup::Options { scratch: Some(scratch.path().to_owned()), ..backup::Options::default() };
    for set in ["full", "inc1"] {
        let report = store.import_with(&folder.join(set), &options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((report.level, store.known(&report.set).proved), (Level::L4, Some(Level::L4)));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
    let history = store.history();
    let options = anchorlog_operations::restore::set::Options::default();
    for set in &history.sets {
        for compared in [false, true] {
            let drilled = anchorlog_operations::restore::set::drill(
                &store.vault,
                &history,
                &set.id,
                scratch.path(),
                &options,
                None,
                &ambient(),
                &mut (),
            );
            let drilled = drilled.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((drilled.level, drilled.compared), (Level::L4, compared));
            assert!(!drilled.replay.contents[0].tables.is_empty());
            assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        }
    }
}

#[test]
fn logs_alone_that_the_vault_collected_continue_an_imported_set() {
    let Some(folder) = stream_4k() else { return };
    let (store, place) = (Store::new(), tempfile::tempdir().unwrap());
    let full = store.import(&folder.join("full"));
    for set in ["inc1", "inc2"] {
        let inputs = backup::Inputs { folder: folder.join(set), ..backup::Inputs::default() };
        let sources = backup::Sources::gather(&inputs).unwrap();
        let plan = backup::logs::plan(&sources, &store.history(), &backup::Options::default());
        backup::make(&plan, &sources, &*store.vault, &ambient(), &mut ()).unwrap_or_else(|error| panic!("{error}"));
    }
    let (mut problems, wanted) = (Vec::new(), Wanted { later_sets: true, ..Wanted::default() });
    restore_stage("logs", &store, &full, &wanted, &stage("full+inc2"), place.path(), &mut problems);
    // And so does the last of these sets, by what it continues.
    fs::remove_dir_all(place.path().join("target")).unwrap();
    let last = store.history().sets.last().unwrap().id.clone();
    restore_stage("logs", &store, &last, &Wanted::default(), &stage("full+inc2"), place.path(), &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn one_database_of_two_is_restored_alone() {
    let Some(folder) = super::sets::two_databases() else { return };
    let (store, place) = (Store::new(), tempfile::tempdir().unwrap());
    let set = store.import(&folder.join("full"));
    let target = place.path().join("target");
    let wanted = Wanted { databases: vec!["DB2.edb".into()], ..Wanted::default() };
    let (made, _) = store.restore(&set, &wanted, &target, &Options::default());
    let report = made.unwrap();
    assert!(target.join("db2.edb").is_file() && !target.join("db1.edb").exists());
    assert_eq!(report.environment.databases.len(), 1);
    let unknown = Wanted { databases: vec!["db9.edb".into()], ..Wanted::default() };
    let error = stored(&store.vault, &store.history(), &set, &unknown, &target, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("db9.edb"), "{error}");
}

#[test]
fn rows_of_online_sets_are_those_of_their_restore() {
    use anchorlog_operations::dump::{Rows, Tables, dump_stored};
    let Some(folder) = stream_4k() else { return };
    let (store, scratch) = (Store::new(), tempfile::tempdir().unwrap());
    for (set, name) in [("full", "full"), ("inc1", "full+inc1"), ("inc2", "full+inc2")] {
        let id = store.import(&folder.join(set));
        let mut out = Vec::new();
        let rows = Rows { databases: &[], tables: Tables::Users, scratch: scratch.path() };
        let dumped = dump_stored(&store.vault, &store.history(), &id, rows, &ambient(), &mut || true, &mut out);
        dumped.unwrap_or_else(|error| panic!("{name}: {error}"));
        let theirs = anchorlog_testkit::dump_text::engine_dumps(&stage(name).told("dump", "jsonl")).remove(0).1;
        assert_eq!(anchorlog_testkit::dump_text::first_difference(&String::from_utf8(out).unwrap(), &theirs), None, "{name}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}

#[test]
fn pages_of_a_running_machine_come_out_of_an_online_set_and_its_logs() {
    use super::common::{header_of, recover};
    use anchorlog_operations::restore::page;
    let Some(folder) = stream_4k() else { return };
    let (store, place) = (Store::new(), tempfile::tempdir().unwrap());
    let sets = [store.import(&folder.join("full")), store.import(&folder.join("inc1"))];
    copy_folder(&folder.join("production"), &place.path().join("production")).unwrap();
    let database = place.path().join("production/db/db1.edb");
    let undamaged = fs::read(&database).unwrap();
    let size = header_of(&database).page_size().bytes();
    for (at, set) in sets.iter().enumerate() {
        let pages = [4, 11, 30];
        let mut damaged = undamaged.clone();
        for page in pages {
            damaged[(page as usize + 1) * size + 60..(page as usize + 1) * size + 90].fill(0xA5);
        }
        fs::write(&database, damaged).unwrap();
        let options = page::Options { pages: pages.to_vec(), ..page::Options::default() };
        let plan = page::plan(&store.vault, &store.history(), set, &database, &options).unwrap();
        let out = place.path().join(format!("page{at}"));
        let report =
            page::make(&plan, &out, &ambient(), &mut ()).unwrap_or_else(|error| panic!("{error} {:#?}", plan.predicates));
        // Back in its place it is recovered as the engine recovers it.
        fs::copy(&report.out, &database).unwrap();
        let recovered = place.path().join(format!("recovered{at}"));
        let report = recover(&place.path().join("production"), &recovered, &anchorlog_operations::recover::Options::default());
        report.report();
        let mut problems = Vec::new();
        let theirs = anchorlog_testkit::dump_text::engine_dumps(&folder.join("dump-production.jsonl")).remove(0).1;
        let tables = anchorlog_database::canonical::Tables::Users;
        super::common::compare_dump("production", &recovered.join("db/db1.edb"), &theirs, tables, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
    }
}
