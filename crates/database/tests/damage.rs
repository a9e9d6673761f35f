//! Traps of the specifications that show only in databases to which something was done: each test names its own.

use anchorlog_checksum::set_page_checksum;
use anchorlog_database::Database;
use anchorlog_database::cache::{PageFault, verify_image};
use anchorlog_database::catalog::{Catalog, Index, Table};
use anchorlog_database::check::{Counts, check};
use anchorlog_database::cursor::{Scan, Tree};
use anchorlog_database::space::Space;
use anchorlog_format::data::catalog::CatalogRow;
use anchorlog_format::data::record::{Record, RecordFormat};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{NodeFlags, Page, PageEditor};
use anchorlog_format::space::{CATALOG, CATALOG_SHADOW, DATABASE_ROOT, Extent, FixedTree, Pool};
use anchorlog_format::units::{PageNumber, PageSize};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{engine_set, real_sets};
use std::fs;
use std::path::{Path, PathBuf};

/// A database to be changed.
struct Copy {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    size: PageSize,
}

impl Copy {
    /// The clean database of a set that is in every checkout.
    fn of(set: &str) -> Self {
        let folder = engine_set(set).expect("the set is in every checkout").folder();
        let places = ["after/db/db1.edb", "before/db/db1.edb", "clean/db1.edb"].map(|place| folder.join(place));
        Self::of_file(places.iter().find(|path| path.is_file()).expect("a clean set has a database"))
    }
    fn of_file(path: &Path) -> Self {
        let bytes = fs::read(path).expect("the database can be read");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut copy = Self { folder, bytes, size: PageSize::FOUR_KIB };
        copy.size = copy.open().page_size();
        copy
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("db.edb")
    }
    fn open(&self) -> Database {
        fs::write(self.path(), &self.bytes).expect("a copy can be written");
        let file = DiskFolder::read_only(self.folder.path()).open(Path::new("db.edb")).expect("it is there");
        Database::open("db.edb", file, 0).unwrap_or_else(|error| panic!("{error}"))
    }
    fn check(&self) -> (Counts, Vec<Finding>) {
        let mut findings = Vec::new();
        let counts = check(&self.open(), &mut |finding| findings.push(finding));
        (counts, findings)
    }
    fn page(&mut self, number: PageNumber) -> &mut [u8] {
        let at = usize::try_from(self.size.offset_of(number)).expect("a small file");
        &mut self.bytes[at..at + self.size.bytes()]
    }
    /// Changes a page and gives it a checksum that holds.
    fn edit(&mut self, number: PageNumber, change: impl FnOnce(&mut PageEditor<'_>)) {
        let image = self.page(number);
        change(&mut PageEditor::new(image).expect("a page"));
        set_page_checksum(image, number.0);
    }
}

const ROOT: Tree = Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid };

fn errors(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|finding| finding.severity == Severity::Error).map(ToString::to_string).collect()
}

fn user_table(catalog: &Catalog) -> &Table {
    catalog.tables.values().find(|table| !table.is_engines()).expect("a table of the user's")
}

/// A secondary index with entries.
fn with_secondary<'c>(database: &Database, catalog: &'c Catalog) -> (&'c Table, &'c Index) {
    let tables = catalog.tables.values().filter(|table| !table.is_engines());
    let mut found = tables.flat_map(|table| table.secondaries().map(move |index| (table, index)));
    found.find(|(_, index)| Scan::new(database, index.tree).next().is_some()).expect("a secondary index")
}

// traps db-1 D7, D18, db-3 D20, S15
#[test]
fn d7_d18_d20_what_lies_behind_the_last_owned_page_is_no_part_of_the_database() {
    let mut copy = Copy::of("clean-4k");
    let database = copy.open();
    let last = Space::read(&database, ROOT).expect("a root").last_owned().expect("it owns pages");
    let (before, _) = copy.check();
    // A page of a tree under another number, one that was torn, and one that is right where it stands.
    copy.bytes.truncate(usize::try_from(copy.size.file_size(last.0)).expect("a small file"));
    let mut sound = copy.page(DATABASE_ROOT.root).to_vec();
    let (moved, torn) = (sound.clone(), [&sound[..2048], &[0xEE; 2048]].concat());
    set_page_checksum(&mut sound, last.0 + 3);
    copy.bytes.extend([moved, torn, sound].concat());
    let (after, findings) = copy.check();
    assert_eq!(errors(&findings), Vec::<String>::new());
    assert_eq!((after.tree_pages, after.rows, after.leaked), (before.tree_pages, before.rows, before.leaked));
    assert!(
        findings
            .iter()
            .filter(|finding| finding.place.page.is_some_and(|page| page > last))
            .all(|finding| finding.severity == Severity::Note)
    );
}

// trap db-1 D27
#[test]
fn d27_a_dirty_database_may_be_shorter_than_its_space() {
    let set = engine_set("micro-extend").expect("the set is in every checkout");
    for (place, severity) in [("before/db/db1.edb", Severity::Warning), ("after/db/db1.edb", Severity::Error)] {
        let mut copy = Copy::of_file(&set.folder().join(place));
        let database = copy.open();
        let last = Space::read(&database, ROOT).expect("a root").last_owned().expect("it owns pages");
        assert_eq!(database.header().header.state == DatabaseState::DirtyShutdown, severity == Severity::Warning);
        copy.bytes.truncate(usize::try_from(copy.size.file_size(last.0 - 1)).expect("a small file"));
        let (_, findings) = copy.check();
        let cut = findings.iter().find(|finding| finding.jet == Some(JetCode::FILE_IO_BEYOND_EOF)).expect("the end is seen");
        assert_eq!(cut.severity, severity, "{cut}");
    }
}

// trap db-2 D11
#[test]
fn d11_a_corrected_page_must_be_sound_as_well() {
    let mut copy = Copy::of("clean-4k");
    let number = PageNumber(4);
    let flip = |image: &[u8]| {
        let mut image = image.to_vec();
        image[2000] ^= 1;
        image
    };
    assert!(verify_image(&mut flip(copy.page(number)), number).is_ok());
    // The free bytes do not add up, under a checksum that holds.
    let image = copy.page(number);
    image[28] ^= 1;
    set_page_checksum(image, number.0);
    assert!(matches!(verify_image(&mut image.to_vec(), number), Err(PageFault::Structure(_))));
    assert!(matches!(verify_image(&mut flip(image), number), Err(PageFault::Checksum(None))));
}

// trap db-3 D18
#[test]
fn d18_a_tree_takes_its_space_from_its_table_a_table_from_the_database_and_the_catalogs_indexes_from_the_catalog() {
    let mut copy = Copy::of("micro-secondary");
    let database = copy.open();
    let catalog = Catalog::read(&database);
    let parent = |tree| Space::read(&database, tree).expect("a root").parent;
    for table in catalog.tables.values() {
        assert_eq!(parent(table.tree), DATABASE_ROOT.root, "{}", table.name);
        let below = table.secondaries().map(|index| index.tree).chain(table.long_values);
        below.for_each(|tree| assert_eq!(parent(tree), table.tree.root, "{}", table.name));
    }
    let own = catalog.tables.get(&CATALOG.objid).expect("the catalog lists itself");
    assert!(own.secondaries().count() > 0 && own.tree.root == PageNumber(4));
    // A root that names another parent is found.
    let (_, index) = with_secondary(&database, &catalog);
    let root = index.tree.root;
    copy.edit(root, |editor| {
        let mut header = editor.page().external_header().expect("a root has one").to_vec();
        let at = header.len() - 16;
        assert_ne!(header[at + 4], 1);
        header[at + 4..at + 8].copy_from_slice(&1_u32.to_le_bytes());
        editor.set_external_header(&header).expect("the same length fits");
    });
    let (_, findings) = copy.check();
    assert!(errors(&findings).iter().any(|error| error.contains("its space comes from the tree of page 1")), "{findings:?}");
}

// traps db-3 D19
#[test]
fn d19_pages_of_child_trees_are_owned_by_the_parent_too_and_count_once() {
    let copy = Copy::of("clean-4k");
    let database = copy.open();
    let catalog = Catalog::read(&database);
    for table in catalog.tables.values() {
        let owned = Space::read(&database, table.tree).expect("a root").owned;
        let below = table.secondaries().map(|index| index.tree).chain(table.long_values);
        for extent in below.flat_map(|tree| Space::read(&database, tree).expect("a root").owned) {
            let holds = |own: &Extent| own.first() <= extent.first() && extent.last <= own.last;
            assert!(owned.iter().any(holds), "{}: {extent:?} is not in {owned:?}", table.name);
        }
    }
    let (counts, _) = copy.check();
    let owned = Space::read(&database, ROOT).expect("a root").owned_pages();
    assert!(counts.tree_pages + counts.available + counts.leaked <= owned, "{counts:?}, {owned} owned");
}

// trap db-3 D28
#[test]
fn d28_shelved_pages_are_available_without_being_owned() {
    let mut copy = Copy::of("clean-4k");
    let database = copy.open();
    let space = Space::read(&database, ROOT).expect("a root");
    let available = space.trees.expect("the database has space trees")[1].root;
    let shelved = Extent { pool: Pool::Shelved, last: PageNumber(space.last_owned().expect("it owns pages").0 + 40), pages: 1 };
    for (pool, fine) in [(2_u8, true), (0, false)] {
        let key = if pool == 0 {
            shelved.last.0.to_be_bytes().to_vec()
        } else {
            [&[0x80 | pool][..], &shelved.last.0.to_be_bytes()].concat()
        };
        assert_eq!(Extent::decode(&key, &1_u32.to_le_bytes()).map(|extent| extent.pool == Pool::Shelved), Some(fine));
        let whole = copy.bytes.clone();
        copy.edit(available, |editor| {
            let node = anchorlog_format::page::NewNode {
                flags: NodeFlags::NONE,
                prefix_length: 0,
                suffix: &key,
                data: &1_u32.to_le_bytes(),
            };
            let at = editor.page().lines();
            editor.insert(at, &node).expect("there is room");
        });
        let (_, findings) = copy.check();
        assert_eq!(errors(&findings).is_empty(), fine, "{findings:?}");
        copy.bytes = whole;
    }
}

// trap db-3 D30
#[test]
fn d30_pages_of_space_trees_carry_the_object_id_of_their_tree_and_hold_none_of_its_entries() {
    let copy = Copy::of("clean-4k");
    let database = copy.open();
    let catalog = Catalog::read(&database);
    let mut mixed = 0;
    for table in catalog.tables.values() {
        let mut entered = std::collections::BTreeSet::new();
        let mut scan = Scan::new(&database, table.tree);
        while let Some(entry) = scan.next() {
            entered.insert(entry.unwrap_or_else(|error| panic!("{error}")).page);
        }
        for tree in Space::read(&database, table.tree).expect("a root").trees.into_iter().flatten() {
            let image = database.page(tree.root).expect("a page");
            let page = Page::new(&image).expect("a page");
            assert_eq!((page.objid(), page.flags().is_space_tree()), (table.tree.objid, true));
            assert!(!entered.contains(&tree.root));
            mixed += 1;
        }
    }
    assert!(mixed > 0);
}

// trap db-3 D36
#[test]
fn d36_a_zeroed_page_and_a_cut_file_have_no_bad_checksum_and_are_found_by_trees_and_space() {
    let mut copy = Copy::of("clean-4k");
    let whole = copy.bytes.clone();
    let database = copy.open();
    let catalog = Catalog::read(&database);
    let mut scan = Scan::new(&database, user_table(&catalog).tree);
    let used = scan.next().expect("a row").expect("a row").page;
    copy.page(used).fill(0);
    let (counts, findings) = copy.check();
    assert_eq!((counts.bad_checksums, counts.wrong_numbers), (0, 0));
    assert!(
        findings.iter().any(|finding| finding.severity == Severity::Error && finding.place.page == Some(used)),
        "{findings:?}"
    );
    copy.bytes = whole;
    let last = Space::read(&database, ROOT).expect("a root").last_owned().expect("it owns pages");
    copy.bytes.truncate(usize::try_from(copy.size.file_size(last.0 - 1)).expect("a small file"));
    let (counts, findings) = copy.check();
    assert_eq!(counts.bad_checksums, 0);
    assert!(
        findings.iter().any(|finding| finding.severity == Severity::Error && finding.jet == Some(JetCode::FILE_IO_BEYOND_EOF))
    );
}

/// The row of an index in the catalog or in its copy: its leaf and line.
fn row_of(database: &Database, catalog: &FixedTree, table: &Table, index: &Index) -> (PageNumber, u16) {
    let mut scan = Scan::new(database, Tree { root: catalog.root, objid: catalog.objid });
    while let Some(entry) = scan.next() {
        let entry = entry.expect("the catalog can be read");
        let record = Record::parse(entry.data, RecordFormat::of(database.page_size(), true)).expect("a record");
        let row = CatalogRow::decode(&record).expect("a row of the catalog");
        if row.table == table.tree.objid && row.name == index.name.as_bytes() && row.id == index.tree.objid.0 {
            return (entry.page, entry.line);
        }
    }
    panic!("the index has no row");
}

/// Offset of the flags in the fixed part of a catalog row (`db-4 §4`).
const FLAGS_AT: usize = 22;
const DEFERRED: u32 = 0x4_0000;

// traps R31, K26
#[test]
fn r31_k26_an_index_that_is_yet_to_be_filled_may_lack_entries() {
    let mut copy = Copy::of("micro-secondary");
    let database = copy.open();
    let catalog = Catalog::read(&database);
    let (table, index) = with_secondary(&database, &catalog);
    let mut scan = Scan::new(&database, index.tree);
    let leaf = scan.next().expect("an entry").expect("an entry").page;
    copy.edit(leaf, |editor| editor.delete(1).expect("a line"));
    let (_, findings) = copy.check();
    let missing = |finding: &&Finding| finding.jet == Some(JetCode::SECONDARY_INDEX_CORRUPTED);
    assert_eq!(findings.iter().filter(missing).count(), errors(&findings).len());
    assert!(!errors(&findings).is_empty());
    let flags = index.flags.0 | DEFERRED;
    for tree in [&CATALOG, &CATALOG_SHADOW] {
        let (page, line) = row_of(&database, tree, table, index);
        copy.edit(page, |editor| editor.patch_data(line, FLAGS_AT, &flags.to_le_bytes()).expect("the row has flags"));
    }
    let again = Catalog::read(&copy.open());
    let deferred = again.tables[&table.tree.objid].indexes.iter().filter(|index| index.flags.is_deferred()).count();
    let (counts, findings) = copy.check();
    assert_eq!((deferred, errors(&findings)), (1, vec![]));
    assert!(counts.indexes_not_proved > 0);
}

// trap K15
#[test]
fn k15_the_data_of_an_entry_is_the_whole_bookmark_as_it_is() {
    for set in ["micro-secondary", "clean-4k"] {
        let copy = Copy::of(set);
        let database = copy.open();
        let catalog = Catalog::read(&database);
        let mut entries = 0;
        for table in catalog.tables.values() {
            for index in table.secondaries() {
                let mut scan = Scan::new(&database, index.tree);
                while let Some(entry) = scan.next() {
                    let bookmark = entry.expect("an entry").data.to_vec();
                    let mut row = Scan::seek(&database, table.tree, &bookmark);
                    let found = row.next().expect("a row").expect("a row");
                    assert_eq!(found.key, bookmark, "{set}: {}", index.name);
                    entries += 1;
                }
            }
        }
        assert!(entries > 100, "{set}: {entries}");
    }
}

/// Databases of Windows Server's access log, where the sets of real machines are.
fn access_logs() -> Vec<Copy> {
    let Some(set) = real_sets().into_iter().find(|set| set.name == "ual") else { return Vec::new() };
    let files = DiskFolder::read_only(set.folder()).list().expect("the set can be listed");
    let databases = files.iter().filter(|entry| entry.path.extension().is_some_and(|extension| extension == "mdb"));
    databases.map(|entry| Copy::of_file(&set.folder().join(&entry.path))).collect()
}

// trap K33
#[test]
fn k33_the_table_of_locales_may_count_more_indexes_than_there_are() {
    let (copies, mut larger) = (access_logs(), 0);
    let name: Vec<u8> = "LocaleName=".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for copy in &copies {
        let database = copy.open();
        let catalog = Catalog::read(&database);
        let Some(locales) = catalog.tables.values().find(|table| table.name == "MSysLocales") else { continue };
        let localized =
            catalog.tables.values().flat_map(|table| &table.indexes).filter(|index| index.flags.is_localized()).count();
        let mut counted = 0;
        let mut scan = Scan::new(&database, locales.tree);
        while let Some(entry) = scan.next() {
            let data = entry.unwrap_or_else(|error| panic!("{error}")).data;
            if data.windows(name.len()).any(|bytes| bytes == name) {
                // The second fixed column: one byte stands before it.
                counted += u32::from_le_bytes(data[5..9].try_into().expect("four bytes"));
            }
        }
        larger += u32::from(usize::try_from(counted).expect("a small number") > localized);
        let (_, findings) = copy.check();
        assert!(findings.iter().all(|finding| finding.place.object.as_deref() != Some("MSysLocales")), "{findings:?}");
    }
    assert_eq!(copies.is_empty(), larger == 0);
}

// trap db-3 D38
#[test]
fn d38_a_root_that_no_catalog_names_is_dead_though_it_lies_in_the_space_of_a_living_tree() {
    let (copies, mut dead) = (access_logs(), 0);
    for copy in &copies {
        let database = copy.open();
        let catalog = Catalog::read(&database);
        let tables = catalog.tables.values();
        let trees: Vec<Tree> = tables
            .flat_map(|table| {
                [table.tree].into_iter().chain(table.secondaries().map(|index| index.tree)).chain(table.long_values)
            })
            .collect();
        let (_, findings) = copy.check();
        for number in (2..=database.pages()).map(PageNumber) {
            let Ok(image) = database.page(number) else { continue };
            let is_root = Page::new(&image).expect("a page").flags().is_data_root();
            let owns =
                |tree: &Tree| Space::read(&database, *tree).is_ok_and(|space| space.owned.iter().any(|own| own.contains(number)));
            if is_root && trees.iter().all(|tree| tree.root != number) && trees.iter().any(owns) {
                dead += 1;
                assert!(findings.iter().all(|finding| finding.place.page != Some(number)), "{number}: {findings:?}");
            }
        }
    }
    assert_eq!(copies.is_empty(), dead == 0);
}
