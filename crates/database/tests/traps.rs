//! Traps of the specifications that show in whole databases: each test names its own. Sets that are not here are not looked at.

use anchorlog_database::Database;
use anchorlog_database::catalog::{Catalog, Table};
use anchorlog_database::check::check;
use anchorlog_database::cursor::{Scan, Tree};
use anchorlog_database::row::{ColumnValue, stored};
use anchorlog_database::space::Space;
use anchorlog_format::data::catalog::{IndexFlags, table_flags};
use anchorlog_format::data::column::Fid;
use anchorlog_format::data::record::{Record, RecordFormat, Stored};
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::page::Page;
use anchorlog_format::space::{DATABASE_ROOT, Extent};
use anchorlog_format::units::PageNumber;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{engine_set, engine_sets, real_sets};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn open(path: &Path) -> Database {
    let folder = DiskFolder::read_only(path.parent().expect("a database lies in a folder"));
    let name = Path::new(path.file_name().expect("a database has a name"));
    let file = folder.open(name).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Database::open(name.to_string_lossy(), file, 0).unwrap_or_else(|error| panic!("{error}"))
}

/// The clean database of a set.
fn clean(set: &str) -> Option<Database> {
    let folder = engine_set(set)?.folder();
    let places = ["after/db/db1.edb", "before/db/db1.edb", "clean/db1.edb"].map(|place| folder.join(place));
    places.iter().find(|path| path.is_file()).map(|path| open(path))
}

fn real(set: &str, file: &str) -> Option<Database> {
    let set = real_sets().into_iter().find(|each| each.name == set)?;
    Some(open(&set.folder().join(file)))
}

fn every_clean() -> Vec<PathBuf> {
    let files = |folder: PathBuf| {
        let entries = DiskFolder::read_only(&folder).list().unwrap_or_default();
        let names = entries.into_iter().filter(|entry| entry.path.extension().is_some_and(|end| end == "edb"));
        names.map(|entry| folder.join(entry.path)).collect::<Vec<_>>()
    };
    engine_sets()
        .iter()
        .flat_map(|set| ["after/db", "clean"].map(|place| set.folder().join(place)))
        .flat_map(files)
        .filter(|path| open(path).header().header.state == anchorlog_format::database::state::DatabaseState::CleanShutdown)
        .collect()
}

fn table<'c>(catalog: &'c Catalog, name: &str) -> &'c Table {
    catalog.tables.values().find(|table| table.name == name).unwrap_or_else(|| panic!("no table {name}"))
}

fn findings(database: &Database) -> Vec<Finding> {
    let mut findings = Vec::new();
    check(database, &mut |finding| findings.push(finding));
    findings
}

/// Every entry of a tree: key and data.
fn entries(database: &Database, tree: Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut scan = Scan::new(database, tree);
    let mut found = Vec::new();
    while let Some(entry) = scan.next() {
        let entry = entry.unwrap_or_else(|error| panic!("{error}"));
        found.push((entry.key.to_vec(), entry.data.to_vec()));
    }
    found
}

fn plain(value: Stored<ColumnValue<'_>>) -> Vec<u8> {
    match value {
        Stored::Value(value) => value.instance(0).expect("a value").data.to_vec(),
        other => panic!("{other:?}"),
    }
}

// traps R13, R14, K28, db-3 D18
#[test]
fn r13_r14_k28_a_derived_table_has_its_templates_columns_and_indexes_of_its_own() {
    let Some(database) = clean("micro-template") else { return };
    let catalog = Catalog::read(&database);
    let (template, derived) = (table(&catalog, "TMPL"), table(&catalog, "DER1"));
    assert!(template.flags & table_flags::TEMPLATE != 0 && derived.flags & table_flags::DERIVED != 0);
    let ids: Vec<u32> = derived.columns.iter().map(|column| column.id()).collect();
    assert_eq!(ids, [3, 129, 256, 0x8000_0001, 0x8000_0002, 0x8000_0080, 0x8000_0100]);
    let of_template: Vec<u32> = template.columns.iter().map(|column| column.id()).collect();
    assert_eq!(of_template, [0x8000_0001, 0x8000_0002, 0x8000_0080, 0x8000_0100]);
    // Only in the derived table's records are the template's tagged columns marked.
    assert!(derived.columns.iter().all(|column| column.derived == column.of_template));
    assert!(template.columns.iter().all(|column| !column.derived));
    let index = derived.secondaries().find(|index| index.name == "ta").expect("the inherited index");
    assert!(index.flags.is_derived() && index.segments[0].of_template);
    assert_eq!(derived.column_of(&index.segments[0]).map(|column| &column.name[..]), Some("a"));
    assert_ne!(index.tree, template.secondaries().next().expect("the template's index").tree);
    // Its space comes from the derived table, whose own comes from the database.
    assert_eq!(Space::read(&database, index.tree).expect("its root").parent, derived.tree.root);
    assert_eq!(Space::read(&database, derived.tree).expect("its root").parent, PageNumber(1));
}

// traps R11, R21
#[test]
fn r11_r21_a_deleted_column_is_skipped_and_an_added_one_has_its_default_in_old_records() {
    let Some(database) = clean("micro-ddl-columns") else { return };
    let catalog = Catalog::read(&database);
    let table = table(&catalog, "S");
    assert!(table.columns.iter().all(|column| column.fid != Fid(128) && !column.name.starts_with("JetStub")));
    let added = table.columns.iter().find(|column| column.name == "f1").expect("the added column");
    let rows = entries(&database, table.tree);
    let absent = rows.iter().filter(|(_, data)| {
        let record = Record::parse(data, RecordFormat::Small).expect("a record");
        matches!(stored(&record, added), Ok(Stored::Absent))
    });
    assert!(absent.count() > 0 && added.default.is_some());
}

// trap R17
#[test]
fn r17_the_time_at_which_a_root_was_set_is_a_file_time() {
    let Some(database) = clean("micro-template") else { return };
    let catalog = Catalog::read(&database);
    let objects = table(&catalog, "MSysObjects");
    let times: Vec<u64> = entries(&database, objects.tree)
        .iter()
        .filter_map(|(_, data)| {
            let record = Record::parse(data, RecordFormat::Small).ok()?;
            anchorlog_format::data::catalog::CatalogRow::decode(&record).ok()?.root_set_time
        })
        .collect();
    // 100 nanoseconds since 1601: between the years 2020 and 2100.
    assert!(!times.is_empty() && times.iter().all(|&time| (132_000_000_000_000_000..158_000_000_000_000_000).contains(&time)));
}

// trap R18
#[test]
fn r18_the_primary_index_is_the_table_and_is_walked_once() {
    let Some(database) = clean("clean-4k") else { return };
    let catalog = Catalog::read(&database);
    let table = table(&catalog, "ALL");
    assert_eq!(table.primary().map(|index| index.tree), Some(table.tree));
    assert!(table.secondaries().all(|index| index.tree != table.tree));
}

// traps R19, K30
#[test]
fn r19_k30_a_table_without_a_primary_index_numbers_its_records_big_endian() {
    let Some(database) = clean("micro-no-primary") else { return };
    let catalog = Catalog::read(&database);
    let table = table(&catalog, "H");
    assert!(table.primary().is_none());
    let keys: Vec<u32> = entries(&database, table.tree)
        .iter()
        .map(|(key, _)| u32::from_be_bytes(key[..].try_into().expect("four bytes")))
        .collect();
    // Gaps are normal: the first record of this set was deleted.
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]) && keys.first() < Some(&100) && keys.last() < Some(&10_000));
}

// trap R20
#[test]
fn r20_the_copy_of_the_catalog_may_be_empty() {
    let Some(database) = real("filehistory-w81", "Catalog1.edb") else { return };
    assert_eq!(Catalog::read_shadow(&database).tables.len(), 0);
    let found = findings(&database);
    let copy: Vec<_> = found.iter().filter(|finding| finding.message.contains("copy of the catalog")).collect();
    assert!(matches!(copy[..], [one] if one.severity == Severity::Warning), "{copy:?}");
}

// trap R30
#[test]
fn r30_spaces_behind_a_fixed_text_are_kept() {
    let Some(database) = clean("clean-4k") else { return };
    let catalog = Catalog::read(&database);
    let table = table(&catalog, "ALL");
    let column = table.columns.iter().find(|column| column.name == "c_ftext").expect("a fixed text column");
    let lengths: BTreeSet<usize> = entries(&database, table.tree)
        .iter()
        .filter_map(|(_, data)| {
            let record = Record::parse(data, RecordFormat::Small).expect("a record");
            let value = stored(&record, column).expect("a column");
            matches!(value, Stored::Value(_)).then(|| plain(value).len())
        })
        .collect();
    assert_eq!(lengths, BTreeSet::from([12]));
}

// trap R32
#[test]
fn r32_the_engines_own_tables_have_their_own_densities() {
    let Some(database) = clean("micro-createdb") else { return };
    let catalog = Catalog::read(&database);
    let density = |name: &str| table(&catalog, name).density;
    assert_eq!(["MSysObjects", "MSysObjectsShadow", "MSysObjids", "MSysLocales"].map(density), [80, 80, 100, 92]);
}

// trap R34
#[test]
fn r34_a_table_may_have_sixty_five_thousand_columns() {
    let Some(database) = real("dissect-esedb-testdata", "large.edb") else { return };
    let most = Catalog::read(&database).tables.values().map(|table| table.columns.len()).max();
    assert_eq!(most, Some(64_994));
}

// traps R35, S2
#[test]
fn r35_every_tree_is_listed_once_in_the_table_of_object_ids() {
    for path in every_clean() {
        let database = open(&path);
        let catalog = Catalog::read(&database);
        let Some(list) = catalog.tables.values().find(|table| table.name == "MSysObjids") else { continue };
        let format = RecordFormat::of(database.page_size(), true);
        let mut listed: Vec<u32> = entries(&database, list.tree)
            .iter()
            .map(|(_, data)| {
                let record = Record::parse(data, format).expect("a record");
                let column = list.columns.iter().find(|column| column.name == "objid").expect("a column");
                u32::from_le_bytes(plain(stored(&record, column).expect("a value"))[..].try_into().expect("four bytes"))
            })
            .collect();
        let mut named: Vec<u32> = catalog
            .tables
            .values()
            .flat_map(|table| {
                let others = table.secondaries().map(|index| index.tree).chain(table.long_values);
                [table.tree].into_iter().chain(others).map(|tree| tree.objid.0).collect::<Vec<_>>()
            })
            .collect();
        listed.sort_unstable();
        named.sort_unstable();
        assert_eq!(listed, named, "{}", path.display());
    }
}

// trap K27
#[test]
fn k27_primary_indexes_have_a_locale_as_well() {
    let Some(database) = clean("clean-4k") else { return };
    let catalog = Catalog::read(&database);
    let primary = table(&catalog, "ALL").primary().expect("a primary index");
    assert_eq!(primary.locale.as_deref(), Some("en-US"));
    assert!(!IndexFlags(primary.flags.0).is_localized() && primary.sort_version.is_none());
}

// traps db-3 D3, D6
#[test]
fn d3_flag_deleted_extents_are_skipped() {
    let mut deleted = 0;
    for path in every_clean() {
        let database = open(&path);
        let root = Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid };
        let trees: Vec<Tree> = Catalog::read(&database).tables.values().map(|table| table.tree).chain([root]).collect();
        for tree in trees {
            let space = Space::read(&database, tree).expect("a root");
            let Some([_, available]) = space.trees else { continue };
            let image = database.page(available.root).expect("a page");
            let page = Page::new(&image).expect("a page");
            for line in 0..page.lines() {
                let node = page.line(line).expect("a line");
                if node.flags.is_deleted() && page.flags().is_leaf() {
                    let mut key = Vec::new();
                    page.key(&node, &mut key).expect("a key");
                    let stale = Extent::decode(&key, node.data);
                    assert!(stale.is_none_or(|stale| !space.available.contains(&stale)), "{}", path.display());
                    deleted += 1;
                }
            }
        }
    }
    assert!(deleted > 0);
}

// traps db-3 D15, db-2 D12
#[test]
fn d15_nodes_marked_as_versioned_are_entries_like_any_other() {
    let versioned = every_clean().iter().any(|path| {
        let database = open(path);
        let catalog = Catalog::read(&database);
        catalog.tables.values().any(|table| {
            let mut scan = Scan::new(&database, table.tree);
            let mut found = false;
            while let Some(entry) = scan.next() {
                found |= entry.is_ok_and(|entry| entry.flags.is_versioned());
            }
            found
        })
    });
    assert!(versioned);
}

// trap db-3 D16
#[test]
fn d16_the_root_of_an_empty_table_is_a_leaf_without_lines() {
    let Some(database) = clean("clean-4k") else { return };
    let catalog = Catalog::read(&database);
    let root = table(&catalog, "EMPTY").tree.root;
    let image = database.page(root).expect("a page");
    let page = Page::new(&image).expect("a page");
    assert!(page.flags().is_root() && page.flags().is_leaf() && page.lines() == 0);
    assert!(findings(&database).iter().all(|finding| finding.severity != Severity::Error));
}

// traps db-2 D21, db-3 D13
#[test]
fn d13_d21_emptied_pages_and_roots_of_dropped_trees_belong_to_no_tree() {
    let mut left_over = 0;
    for path in every_clean() {
        let database = open(&path);
        let root = Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid };
        let available = Space::read(&database, root).expect("a root").available;
        for page in available.iter().flat_map(|extent| extent.numbers()) {
            let Ok(image) = database.page(page) else { continue };
            let flags = Page::new(&image).expect("a page").flags();
            left_over += u32::from(flags.is_empty() || flags.is_root());
        }
    }
    assert!(left_over > 0, "free space holds pages that look used");
}

// trap db-3 D22
#[test]
fn d22_leaked_pages_are_worth_a_note_and_no_more() {
    let Some(database) = clean("micro-ddl-uncommitted-index") else { return };
    let found = findings(&database);
    assert!(found.iter().any(|finding| finding.severity == Severity::Note && finding.message.contains("8 pages")));
    assert!(found.iter().all(|finding| finding.severity == Severity::Note), "{found:?}");
}

// trap db-3 D31
#[test]
fn d31_the_databases_root_holds_no_data() {
    for path in every_clean() {
        let database = open(&path);
        let image = database.page(DATABASE_ROOT.root).expect("page 1");
        let page = Page::new(&image).expect("a page");
        assert!(page.flags().is_root() && page.flags().is_leaf() && page.lines() == 0, "{}", path.display());
    }
}

// traps db-3 D10, D11, D12, D14, D16, D26, D29
#[test]
fn d12_a_tree_of_three_levels_is_walked_and_sought_by_every_entry() {
    let Some(database) = clean("micro-split-internal") else { return };
    let catalog = Catalog::read(&database);
    for table in catalog.tables.values() {
        let trees = [table.tree].into_iter().chain(table.secondaries().map(|index| index.tree));
        for tree in trees {
            let joined = database
                .page(tree.root)
                .is_ok_and(|image| Page::new(&image).is_some_and(|page| page.flags().has_non_unique_keys()));
            for (key, data) in entries(&database, tree) {
                let entry = if joined { [&key[..], &data].concat() } else { key.clone() };
                let mut scan = Scan::seek(&database, tree, &entry);
                let found = scan.next().expect("an entry").unwrap_or_else(|error| panic!("{error}"));
                assert_eq!((found.key, found.data), (&key[..], &data[..]));
            }
        }
    }
}

// trap db-3 D37
#[test]
fn d37_a_root_flag_that_a_repair_left_on_a_leaf_is_a_finding_of_its_own() {
    let Some(set) = real_sets().into_iter().find(|set| set.name == "windows-search-w10") else { return };
    let files = DiskFolder::read_only(set.folder()).list().expect("the set can be listed");
    let repaired = files.iter().find(|entry| entry.path.to_string_lossy().contains("Clean")).expect("the repaired file");
    let found = findings(&open(&set.folder().join(&repaired.path)));
    let flagged: Vec<&Finding> = found.iter().filter(|finding| finding.message.contains("flag of a root")).collect();
    assert_eq!(flagged.len(), 1);
    assert_eq!((flagged[0].severity, flagged[0].place.page), (Severity::Note, Some(PageNumber(147))));
}
