//! P1 to P13: each database by itself, and its copy. Every case breaks just the one predicate.
//! Ids in names are those of ops-1.

use crate::common::{
    After, back_up, back_up_with, breaches, broken, copy_of, digests, edit_header, flip, history, plan_offline, refused, stopped,
};
use anchorlog_database::Database;
use anchorlog_database::cursor::Tree;
use anchorlog_database::space::Space;
use anchorlog_format::database::{DatabaseState, HeaderPage};
use anchorlog_format::space::DATABASE_ROOT;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_operations::backup::{Effect, Error, Options};
use anchorlog_operations::sets::Level;
use anchorlog_storage::lock::FileLock;
use anchorlog_storage::{DiskFolder, Folder};
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::{Attachment, Damage, Name, NewSet, SetId, SetSummary, SetWriter, StreamReader, Vault};
use std::fs;
use std::path::Path;

const DATABASE: &str = "db1.edb";

fn clean() -> tempfile::TempDir {
    copy_of("clean-4k", "clean")
}

fn edited(edit: impl FnOnce(&mut anchorlog_format::database::DatabaseHeader)) -> tempfile::TempDir {
    let folder = clean();
    edit_header(&folder.path().join(DATABASE), edit);
    folder
}

#[cfg(unix)]
#[test]
fn p1_a_database_that_something_has_locked_is_refused() {
    let folder = clean();
    let _lock = FileLock::exclusive(&folder.path().join(DATABASE)).unwrap();
    let predicates = refused(folder.path(), &Options::default(), &["P1 R-INUSE"]);
    assert_eq!(predicates[0].jet.unwrap().0, -1032);
    // Whoever vouches that it is dismounted does not break a lock.
    refused(folder.path(), &Options { assume_dismounted: true, ..Options::default() }, &["P1 R-INUSE"]);
}

#[test]
fn p2_o10_one_whole_copy_of_the_header_is_enough_and_none_is_refused() {
    for (copy, word) in [(0, "only the shadow"), (1, "only the header")] {
        let folder = clean();
        flip(&folder.path().join(DATABASE), copy * 4096 + 300);
        let vault = MemoryVault::new();
        let plan = plan_offline(folder.path(), &vault, &Options::default());
        assert!(plan.possible);
        assert!(broken(&plan, "P2")[0].read.contains(word), "{}", broken(&plan, "P2")[0].read);
        assert!(back_up(folder.path(), &vault, &Options::default()).unwrap().is_good());
    }
    let folder = clean();
    flip(&folder.path().join(DATABASE), 300);
    flip(&folder.path().join(DATABASE), 4096 + 300);
    refused(folder.path(), &Options::default(), &["P2 R-UNREADABLE"]);
}

// trap ops-3 O29
#[test]
fn p2_two_whole_headers_that_differ_are_told_and_the_first_counts() {
    let folder = clean();
    let path = folder.path().join(DATABASE);
    let mut bytes = fs::read(&path).unwrap();
    let mut shadow = HeaderPage::elect(&bytes).unwrap().0;
    shadow.header.scrub_dbtime += 1;
    let shadow = shadow.to_bytes();
    bytes[4096..8192].copy_from_slice(&shadow);
    fs::write(&path, bytes).unwrap();
    let plan = plan_offline(folder.path(), &MemoryVault::new(), &Options::default());
    let header = plan.predicates.iter().find(|predicate| predicate.id == "P2").unwrap();
    assert!(plan.possible && header.read.contains("differ"), "{}", header.read);
}

#[test]
fn p3_a_dirty_database_is_refused_with_what_it_needs() {
    let folder = edited(|header| {
        header.state = DatabaseState::DirtyShutdown;
        (header.min_required, header.max_required, header.max_committed) = (Generation(3), Generation(5), Generation(5));
    });
    let predicates = refused(folder.path(), &Options::default(), &["P3 R-NOT-CLEAN"]);
    assert_eq!(predicates[0].jet.unwrap().0, -550);
    assert!(predicates[0].read.contains("0x3 to 0x5") && predicates[0].next.contains("snapshot"), "{}", predicates[0]);
}

#[test]
fn p3_states_of_work_that_was_cut_off_are_refused_with_their_codes() {
    use DatabaseState::{BeingConverted, ForceDetach, IncrementalReseed, RevertInProgress};
    let states = [(BeingConverted, -563), (ForceDetach, -1206), (IncrementalReseed, -1226), (RevertInProgress, -1935)];
    for (state, code) in states {
        let folder = edited(|header| header.state = state);
        assert_eq!(refused(folder.path(), &Options::default(), &["P3 R-STATE"])[0].jet.unwrap().0, code);
    }
}

#[test]
fn p4_a_clean_header_that_requires_logs_is_refused() {
    let folder = edited(|header| (header.min_required, header.max_required) = (Generation(2), Generation(2)));
    refused(folder.path(), &Options::default(), &["P4 R-DAMAGED"]);
}

#[test]
fn p4_o13_a_replay_beyond_the_clean_position_was_cut_off_and_one_up_to_it_was_not() {
    let clean_at = |folder: &Path| {
        HeaderPage::elect(&fs::read(folder.join(DATABASE)).unwrap()).unwrap().0.header.consistent_position.generation
    };
    let folder = clean();
    let generation = clean_at(folder.path());
    edit_header(&folder.path().join(DATABASE), |header| header.recovering = generation);
    assert!(plan_offline(folder.path(), &MemoryVault::new(), &Options::default()).possible);
    edit_header(&folder.path().join(DATABASE), |header| header.recovering = Generation(generation.0 + 1));
    refused(folder.path(), &Options::default(), &["P4 R-DAMAGED"]);
}

#[test]
fn p4_o27_positions_of_a_clean_file_that_do_not_agree_are_refused() {
    let folder = edited(|header| header.detach_position = LogPosition::new(900, 1, 1));
    assert!(refused(folder.path(), &Options::default(), &["P4 R-DAMAGED"])[0].read.contains("was detached at"));
    let folder = edited(|header| header.attach_position = LogPosition::new(900, 1, 1));
    assert!(refused(folder.path(), &Options::default(), &["P4 R-DAMAGED"])[0].read.contains("was attached at"));
}

#[test]
fn p5_a_file_out_of_an_online_backup_is_refused() {
    let folder = edited(|header| {
        header.current_backup.low = Generation(7);
        header.current_backup.high = Generation(9);
    });
    let predicates = refused(folder.path(), &Options::default(), &["P5 R-ONLINE-SET"]);
    assert_eq!(predicates[0].jet.unwrap().0, -544);
}

#[test]
fn p7_o15_a_database_that_the_logs_name_is_here_or_left_out_by_name() {
    let folder = copy_of("micro-multi-db", "after");
    fs::remove_file(folder.path().join("db/db2.edb")).unwrap();
    let predicates = refused(folder.path(), &Options::default(), &["P7 R-OTHERDB"]);
    assert!(predicates[0].read.contains("db2.edb"), "{}", predicates[0].read);
    assert_eq!(predicates[0].jet.unwrap().0, -1216);
    // The name counts whatever its case, with and without its path (trap O16).
    for name in ["DB2.edb", "r:\\DB\\db2.edb"] {
        let options = Options { without: vec![name.into()], ..Options::default() };
        let report = back_up(folder.path(), &MemoryVault::new(), &options).unwrap();
        assert!(report.manifest.partial && report.is_good());
        let attached = &report.manifest.streams[0].attached;
        let absent: Vec<&str> =
            attached.iter().filter(|one| one.in_set.is_none()).map(|one| one.path.rsplit('\\').next().unwrap()).collect();
        assert_eq!((attached.len(), absent), (3, vec!["db2.edb"]));
    }
}

#[test]
fn o14_two_files_with_one_signature_are_refused() {
    let folder = clean();
    fs::copy(folder.path().join(DATABASE), folder.path().join("copy.edb")).unwrap();
    let predicates = refused(folder.path(), &Options::default(), &["P7 R-DBSIGN"]);
    assert_eq!(predicates[0].jet.unwrap().0, -1222);
}

#[test]
fn p8_a_path_of_the_configuration_that_leads_nowhere_is_refused() {
    let folder = clean();
    let there = Options { configured: vec![folder.path().join(DATABASE)], ..Options::default() };
    assert!(back_up(folder.path(), &MemoryVault::new(), &there).is_ok());
    let gone = Options { configured: vec![folder.path().join("gone.edb")], ..Options::default() };
    refused(folder.path(), &gone, &["P8 R-PATH"]);
}

#[test]
fn p9_o2_the_anchor_is_told_as_a_number_in_both_systems() {
    let folder = edited(|header| {
        header.consistent_position = LogPosition::new(4815, 1, 1);
        header.detach_position = header.consistent_position;
    });
    let plan = plan_offline(folder.path(), &MemoryVault::new(), &Options::default());
    let anchor = plan.predicates.iter().find(|predicate| predicate.id == "P9").unwrap();
    assert!(anchor.read.contains("4815 (0x12cf)"), "{}", anchor.read);
    assert_eq!(plan.promises[0].anchor, 4815);
}

#[test]
fn p10_a_checkpoint_of_another_stream_or_a_damaged_one_is_ignored() {
    let folder = stopped();
    let checkpoint = folder.path().join("log/edb.chk");
    assert_eq!(broken(&plan_offline(folder.path(), &MemoryVault::new(), &Options::default()), "P10").len(), 0);
    fs::copy(copy_of("micro-multi-db", "after").path().join("log/edb.chk"), &checkpoint).unwrap();
    let plan = plan_offline(folder.path(), &MemoryVault::new(), &Options::default());
    assert!(plan.possible);
    assert_eq!((broken(&plan, "P10").len(), broken(&plan, "P10")[0].effect), (1, Effect::Marks));
    flip(&checkpoint, 12);
    flip(&checkpoint, 4096 + 12);
    assert_eq!(broken(&plan_offline(folder.path(), &MemoryVault::new(), &Options::default()), "P10").len(), 1);
}

/// The root of the catalog.
const PAGE: usize = 4;

fn damage(path: &Path) {
    damage_page(path, PAGE);
}

fn damage_page(path: &Path, page: usize) {
    crate::common::damage(path, (page + 1) * 4096 + 100);
}

#[test]
fn p11_a_bad_page_that_nothing_uses_is_told_and_is_no_damage() {
    let folder = clean();
    let path = folder.path().join(DATABASE);
    // An available page of the database's root.
    let file = DiskFolder::read_only(folder.path()).open(Path::new(DATABASE)).unwrap();
    let database = Database::open(DATABASE, file, 1 << 20).unwrap();
    let root = Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid };
    let free = Space::read(&database, root).unwrap().available.iter().find(|extent| extent.pages > 0).unwrap().last;
    damage_page(&path, usize::try_from(free.0).unwrap());
    let report = back_up(folder.path(), &MemoryVault::new(), &Options::default()).unwrap();
    assert!(report.is_good());
    assert_eq!((report.databases[0].notes.len(), report.databases[0].notes[0].severity.as_str()), (1, "warning"));
}

#[test]
fn p11_a_bad_page_fails_the_backup_with_page_and_remedy() {
    let (folder, vault) = (clean(), MemoryVault::new());
    damage(&folder.path().join(DATABASE));
    let before = digests(folder.path());
    let Err(Error::Damaged(notes)) = back_up(folder.path(), &vault, &Options::default()) else { panic!("it must fail") };
    assert_eq!((notes.len(), notes[0].jet), (1, Some(-1018)));
    assert!(notes[0].place.contains("page 4") && !notes[0].hint.is_empty(), "{:?}", notes[0]);
    assert_eq!((vault.sets().unwrap().len(), digests(folder.path())), (0, before));
}

#[test]
fn p11_on_request_damage_is_kept_as_evidence_and_marked() {
    let (folder, vault) = (clean(), MemoryVault::new());
    damage(&folder.path().join(DATABASE));
    let report = back_up(folder.path(), &vault, &Options { keep_damage: true, ..Options::default() }).unwrap();
    assert!(!report.is_good());
    assert_eq!((report.databases[0].bad_pages, report.level), (1, Level::L0));
    let known = &history(&vault).sets[0];
    assert_eq!(known.manifest.files[0].damage.len(), 1);
    assert_eq!(known.proved, Some(Level::L0));
}

#[test]
fn p11_a_bad_page_fails_its_own_database_and_not_those_beside_it() {
    let (folder, vault) = (copy_of("micro-multi-db", "after"), MemoryVault::new());
    damage(&folder.path().join("db/db2.edb"));
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    let verdicts: Vec<_> = report.databases.iter().map(|database| (database.name.as_str(), database.good)).collect();
    assert_eq!(verdicts, [("db/db1.edb", true), ("db/db2.edb", false), ("db/db3.edb", true)]);
    assert!(!report.is_good());
}

#[test]
fn p11_o11_o12_what_lies_behind_the_end_of_the_database_is_no_damage() {
    let folder = clean();
    let path = folder.path().join(DATABASE);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 8192]);
    bytes.extend_from_slice(&[0x5A; 4096]);
    fs::write(&path, bytes).unwrap();
    let report = back_up(folder.path(), &MemoryVault::new(), &Options::default()).unwrap();
    assert!(report.is_good(), "{:?}", report.databases);
    let pages = report.manifest.files[0].pages.unwrap();
    assert_eq!((report.databases[0].notes.len(), pages.bad, pages.bad_behind), (0, 0, 1));
    assert!(u64::from(pages.last_owned.unwrap()) < pages.read);
    let folder = clean();
    let file = fs::OpenOptions::new().write(true).open(folder.path().join(DATABASE)).unwrap();
    file.set_len(20 * 4096).unwrap();
    assert!(matches!(back_up(folder.path(), &MemoryVault::new(), &Options::default()), Err(Error::Damaged(_))));
}

#[test]
fn p11_o27_a_page_newer_than_the_header_of_a_clean_file_is_damage() {
    let folder = edited(|header| header.dbtime.0 = 0x50);
    let Err(Error::Damaged(notes)) = back_up(folder.path(), &MemoryVault::new(), &Options::default()) else {
        panic!("it must fail")
    };
    assert!(notes[0].message.contains("the header contradicts the pages"), "{:?}", notes[0]);
}

#[test]
fn p12_o19_a_file_that_changes_once_is_copied_again_and_one_that_keeps_changing_is_refused() {
    let touch = |path: &Path, seconds: u64| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::OpenOptions::new().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    let (folder, vault) = (clean(), MemoryVault::new());
    let path = folder.path().join(DATABASE);
    let mut once = After { bytes: 1, then: || touch(&path, 1_000_000) };
    assert!(back_up_with(folder.path(), &vault, &Options::default(), &mut once).unwrap().is_good());
    assert_eq!(vault.sets().unwrap().len(), 1);

    struct Always<'p>(&'p Path, u64);
    impl anchorlog_operations::backup::Progress for Always<'_> {
        fn bytes(&mut self, _: &str, _: u64) -> bool {
            self.1 += 1;
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(self.1);
            fs::OpenOptions::new().write(true).open(self.0).unwrap().set_modified(time).unwrap();
            true
        }
    }
    let vault = MemoryVault::new();
    let error = back_up_with(folder.path(), &vault, &Options::default(), &mut Always(&path, 2_000_000)).unwrap_err();
    let Error::Changed(predicate) = error else { panic!("{error}") };
    assert_eq!((predicate.id, predicate.jet.unwrap().0), ("P12", -1032));
    assert_eq!(vault.sets().unwrap(), []);
}

#[test]
fn p12_another_header_than_the_one_that_was_planned_with_is_refused() {
    let (folder, vault) = (clean(), MemoryVault::new());
    let path = folder.path().join(DATABASE);
    let sources = crate::common::gather(folder.path());
    let plan = anchorlog_operations::backup::offline::plan(&sources, &history(&vault), &Options::default());
    edit_header(&path, |header| header.dbtime.0 += 1);
    let made = anchorlog_operations::backup::make(&plan, &sources, &vault, &crate::common::ambient(), &mut ());
    assert!(matches!(made, Err(Error::Changed(predicate)) if predicate.id == "P12"));
    assert_eq!(vault.sets().unwrap(), []);
}

/// A vault whose streams read back with one byte changed.
struct Lying(MemoryVault);

struct Changed(Box<dyn StreamReader>);

impl StreamReader for Changed {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> anchorlog_vault::Result<usize> {
        let read = self.0.read_at(offset, buffer)?;
        if offset == 0 && read > 0 {
            buffer[0] ^= 1;
        }
        Ok(read)
    }
}

impl Vault for Lying {
    fn sets(&self) -> anchorlog_vault::Result<Vec<Result<SetSummary, Damage>>> {
        self.0.sets()
    }
    fn begin_set(&self, new: NewSet) -> anchorlog_vault::Result<Box<dyn SetWriter + '_>> {
        self.0.begin_set(new)
    }
    fn manifest(&self, set: &SetId) -> anchorlog_vault::Result<Vec<u8>> {
        self.0.manifest(set)
    }
    fn open_stream(&self, set: &SetId, name: &Name) -> anchorlog_vault::Result<Box<dyn StreamReader>> {
        Ok(Box::new(Changed(self.0.open_stream(set, name)?)))
    }
    fn attach(&self, set: &SetId, name: &Name, bytes: &[u8]) -> anchorlog_vault::Result<()> {
        self.0.attach(set, name, bytes)
    }
    fn attachments(&self, set: &SetId) -> anchorlog_vault::Result<Vec<Attachment>> {
        self.0.attachments(set)
    }
    fn forget(&self, sets: &[SetId]) -> anchorlog_vault::Result<()> {
        self.0.forget(sets)
    }
}

#[test]
fn p13_a_copy_that_does_not_read_back_as_it_was_read_is_forgotten() {
    let (folder, vault) = (clean(), Lying(MemoryVault::new()));
    let error = back_up(folder.path(), &vault, &Options::default()).unwrap_err();
    assert!(matches!(&error, Error::NotReadBack(why) if why.contains("db1.edb")), "{error}");
    assert_eq!(vault.sets().unwrap(), []);
}

#[test]
fn an_interruption_at_any_moment_leaves_no_set_and_the_next_run_makes_it() {
    struct Stop(u32);
    impl anchorlog_operations::backup::Progress for Stop {
        fn phase(&mut self, _: &str, _: u64) -> bool {
            self.0 = self.0.saturating_sub(1);
            self.0 > 0
        }
        fn bytes(&mut self, _: &str, _: u64) -> bool {
            self.0 = self.0.saturating_sub(1);
            self.0 > 0
        }
    }
    let (folder, vault) = (stopped(), MemoryVault::new());
    let before = digests(folder.path());
    let mut steps = 1;
    while back_up_with(folder.path(), &vault, &Options::default(), &mut Stop(steps)).is_err() {
        assert_eq!((vault.sets().unwrap().len(), digests(folder.path()) == before), (0, true), "step {steps}");
        steps += 1;
    }
    assert!(steps > 20, "only {steps} steps");
    assert_eq!(vault.sets().unwrap().len(), 1);
    assert_eq!(breaches(&plan_offline(folder.path(), &vault, &Options::default())), Vec::<String>::new());
}
