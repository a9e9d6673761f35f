//! Owned and available space of every tree, against the space dump of Microsoft's tool.

use anchorlog_database::Database;
use anchorlog_database::catalog::Catalog;
use anchorlog_database::cursor::Tree;
use anchorlog_database::space::Space;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::space::DATABASE_ROOT;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::engine_sets;
use std::fs;
use std::path::Path;

fn open(path: &Path) -> Database {
    let folder = DiskFolder::read_only(path.parent().expect("a database lies in a folder"));
    let name = Path::new(path.file_name().expect("a database has a name"));
    let file = folder.open(name).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Database::open(name.to_string_lossy(), file, 0).unwrap_or_else(|error| panic!("{error}"))
}

/// One line: name, thousandths of a MiB owned and available, and the auto-increment value where the tool tells one.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    name: String,
    owned: u64,
    available: u64,
    auto_increment: Option<u64>,
}

/// The tool's lines for one database.
fn theirs(text: &str) -> Vec<Line> {
    text.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<Line> {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let number = |token: &&str| token.replace('.', "").parse::<u64>().ok();
    let kind = (1..tokens.len().checked_sub(1)?)
        .find(|&at| ["Db", "Pri", "LV", "Idx"].contains(&tokens[at]) && number(&tokens[at + 1]).is_some())?;
    let numbers: Vec<u64> = tokens[kind + 1..].iter().filter_map(number).collect();
    let name = if tokens[kind] == "Db" { "database".into() } else { tokens[..kind].join(" ") };
    Some(Line { name, owned: *numbers.first()?, available: *numbers.get(1)?, auto_increment: numbers.get(2).copied() })
}

fn ours(database: &Database) -> Vec<Line> {
    let line = |name: &str, tree: Tree| {
        let space = Space::read(database, tree).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(space.errors, []);
        // The tool adds a thousandth to whatever is no whole number.
        let thousandths = |pages: u64| {
            let bytes = pages * database.page_size().bytes_u64();
            bytes * 1000 / (1 << 20) + u64::from(!bytes.is_multiple_of(1 << 20))
        };
        let (owned, available) = (thousandths(space.owned_pages()), thousandths(space.available_pages()));
        // It also cuts names.
        let name = name.chars().take(21).collect();
        Line { name, owned, available, auto_increment: space.auto_increment }
    };
    let mut lines = vec![line("database", Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid })];
    let catalog = Catalog::read(database);
    for table in catalog.by_name() {
        lines.push(line(&table.name, table.tree));
        lines.extend(table.long_values.map(|tree| line("[Long Values]", tree)));
        lines.extend(table.secondaries().map(|index| line(&index.name, index.tree)));
    }
    lines
}

/// Traps db-3 D3, D4, D33, R28: deleted extents, both forms of the header, bits of single extents, and the counter all enter the figures.
#[test]
fn d3_d4_d33_r28_space_is_what_microsofts_tool_says() {
    let mut compared = 0;
    for set in engine_sets() {
        let Ok(text) = fs::read_to_string(set.folder().join("space.txt")) else { continue };
        for section in text.split("==== ").skip(1) {
            let name = section.split(' ').next().expect("a section names its database");
            let places = ["after/db", "before/db", "clean"].map(|place| set.folder().join(place).join(name));
            let Some(path) = places.iter().find(|path| path.is_file()) else { continue };
            let database = open(path);
            let theirs = theirs(section);
            if database.header().header.state != DatabaseState::CleanShutdown || theirs.is_empty() {
                continue;
            }
            // The tool sorts by a rule of its own, and tells the counter of every table that has one.
            let (mut ours, mut theirs) = (ours(&database), theirs);
            for lines in [&mut ours, &mut theirs] {
                lines.sort_by(|a, b| (&a.name, a.owned, a.available).cmp(&(&b.name, b.owned, b.available)));
            }
            assert_eq!(ours, theirs, "{} {name}", set.name);
            compared += ours.len();
        }
    }
    println!("{compared} trees compared");
    assert!(compared > 0);
}
