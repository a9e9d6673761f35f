//! Each invariant of `db-3 §18` broken on its own: found under its number, and no other number is named as an error.
//!
//! `ANCHORLOG_MUTATION_SEEDS` says how often each is broken (100 times unless told), `ANCHORLOG_MUTATION_FIRST` with which seed to begin.

use anchorlog_database::Database;
use anchorlog_database::check::{FlushMap, Options, Watch, check_with};
use anchorlog_format::data::catalog::columns::{FLAGS, SPACE_USAGE};
use anchorlog_format::data::long_value::LongValueKey;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::page::NodeFlags;
use anchorlog_format::space::CATALOG_SHADOW;
use anchorlog_format::units::{Dbtime, PageNumber};
use anchorlog_storage::File;
use anchorlog_testkit::data::{engine_set, engine_sets};
use anchorlog_testkit::database::{Image, Kind};
use anchorlog_testkit::mutate::{NUMBERS, follows, plant};
use anchorlog_testkit::random::Random;
use std::collections::BTreeSet;
use std::io;
use std::num::NonZero;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A file in memory, of which a part may be unreadable.
struct Memory {
    bytes: Vec<u8>,
    unreadable: Option<Range<u64>>,
}

impl File for Memory {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = offset + u64::try_from(buffer.len()).expect("small");
        if self.unreadable.as_ref().is_some_and(|range| offset < range.end && range.start < end) {
            return Err(io::Error::other("a bad sector"));
        }
        let start = usize::try_from(offset).expect("small").min(self.bytes.len());
        let bytes = &self.bytes[start..self.bytes.len().min(start + buffer.len())];
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.bytes.len()).expect("small"))
    }
    fn set_size(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Kept(Vec<Finding>);

impl Watch for Kept {
    fn finding(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

fn findings(image: &Image) -> Vec<Finding> {
    let file = Memory { bytes: image.bytes.clone(), unreadable: image.unreadable.clone() };
    let database = Database::open("db", Arc::new(file), 1 << 20).expect("one copy of the header holds");
    let map = image.map.clone().map(|bytes| Arc::new(Memory { bytes, unreadable: None }));
    let flush_map = map.and_then(|map| FlushMap::of(map, &database.header().header).expect("readable").ok().flatten());
    let mut kept = Kept::default();
    check_with(&database, &Options { flush_map, threads: NonZero::new(1), ..Options::default() }, &mut kept);
    kept.0
}

/// Clean databases of the engine-made sets, with what is found in each as it is.
fn bases() -> Vec<Base> {
    let mut bases = Vec::new();
    for set in engine_sets() {
        for place in ["clean", "compacted", "after/db"] {
            let Ok(entries) = std::fs::read_dir(set.folder().join(place)) else { continue };
            for path in
                entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "edb"))
            {
                let image = Image::open(&path);
                if image.header().state != DatabaseState::CleanShutdown {
                    continue;
                }
                let found = findings(&image);
                // One that has lost pages or values already would hide another one.
                if found.iter().all(|finding| finding.rule == Some("I1")) {
                    bases.push((path, image, found.iter().map(ToString::to_string).collect()));
                }
            }
        }
    }
    bases.sort_by(|a, b| a.0.cmp(&b.0));
    bases
}

fn environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// A database as it is, and what is found in it.
type Base = (PathBuf, Image, Vec<String>);

/// Breaks an invariant in the first database, from a random one on, that has something to break; what is wrong with what is then found.
/// `None` where no database has anything.
fn judge(bases: &[Base], number: u32, seed: u64) -> Option<Result<(), String>> {
    let mut random = Random::new(seed << 8 | u64::from(number));
    let (base, image, what) = random.turned(&(0..bases.len()).collect::<Vec<_>>()).into_iter().find_map(|at| {
        let mut image = bases[at].1.clone();
        let what = plant(&mut image, number, &mut random)?;
        Some((&bases[at], image, what))
    })?;
    let found: Vec<Finding> = findings(&image).into_iter().filter(|finding| !base.2.contains(&finding.to_string())).collect();
    let of = |finding: &Finding| finding.rule.and_then(|rule| rule[1..].parse::<u32>().ok());
    let allowed = |finding: &Finding| of(finding).is_some_and(|other| other == number || follows(number).contains(&other));
    let others = found.iter().any(|finding| finding.severity > Severity::Note && !allowed(finding));
    if found.iter().any(|finding| of(finding) == Some(number)) && !others {
        return Some(Ok(()));
    }
    let list: Vec<String> = found.iter().take(6).map(|finding| format!("    {finding}")).collect();
    Some(Err(format!("I{number}, seed {seed}, {}: {what}\n{}", base.0.display(), list.join("\n"))))
}

/// An invariant, and what [`judge`] said.
type Judged = (u32, Option<Result<(), String>>);

#[test]
fn every_planted_damage_is_found_under_its_own_number_and_no_other() {
    let bases = bases();
    assert!(!bases.is_empty());
    let (first, seeds) = (environment("ANCHORLOG_MUTATION_FIRST", 1), environment("ANCHORLOG_MUTATION_SEEDS", 100));
    let cases: Vec<(u32, u64)> = NUMBERS.flat_map(|number| (first..first + seeds).map(move |seed| (number, seed))).collect();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Each thread takes every so-manieth case.
    let part = |at: usize| -> Vec<Judged> {
        cases.iter().skip(at).step_by(threads).map(|&(number, seed)| (number, judge(&bases, number, seed))).collect()
    };
    let judged: Vec<Judged> = std::thread::scope(|scope| {
        let part = &part;
        let workers: Vec<_> = (0..threads).map(|at| scope.spawn(move || part(at))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    let missing: BTreeSet<u32> = judged.iter().filter(|(_, judged)| judged.is_none()).map(|&(number, _)| number).collect();
    let mut wrong: Vec<&String> = judged.iter().filter_map(|(_, judged)| judged.as_ref()?.as_ref().err()).collect();
    wrong.sort();
    let wrong_list: Vec<&str> = wrong.iter().map(|text| &text[..]).collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), judged.len(), wrong_list.join("\n"));
    assert!(missing.is_empty(), "nothing to break by {missing:?}");
}

/// A set that is in every checkout, as it is.
fn image_of(set: &str, path: &str) -> Image {
    Image::open(&engine_set(set).expect("the set is in every checkout").folder().join(path))
}

/// What is found under a number: how bad it is.
fn severities(image: &Image, rule: &str) -> Vec<Severity> {
    findings(image).into_iter().filter(|finding| finding.rule == Some(rule)).map(|finding| finding.severity).collect()
}

/// Page and line of the first long value that two records refer to.
fn shared_value(image: &Image) -> Option<(PageNumber, u16)> {
    let trees = image.trees();
    let leaves = trees.iter().filter(|tree| tree.kind == Kind::LongValues).flat_map(|tree| tree.leaves().to_vec());
    let mut lines = leaves.flat_map(|page| (0..image.page(page).lines()).map(move |line| (page, line)));
    lines.find(|&(page, line)| {
        let view = image.page(page);
        let node = view.line(line).expect("a line");
        let is_root = matches!(LongValueKey::parse(&image.key(page, line)), Some(LongValueKey::Root(_)));
        is_root && node.data.starts_with(&2_u32.to_le_bytes()) && !node.flags.is_deleted()
    })
}

#[test]
fn too_many_references_are_a_warning_and_too_few_an_error() {
    let (image, (page, line)) =
        bases().into_iter().find_map(|(_, image, _)| shared_value(&image).map(|at| (image, at))).expect("a shared value");
    for (references, severity) in [(3_u32, Severity::Warning), (1, Severity::Error)] {
        let mut image = image.clone();
        image.edit(page, |editor| editor.patch_data(line, 0, &references.to_le_bytes())).expect("four bytes");
        assert_eq!(severities(&image, "I30"), [severity], "{references}");
    }
}

#[test]
fn part_of_a_page_is_an_error_and_whole_pages_behind_the_end_a_warning() {
    let mut image = image_of("micro-insert", "after/db/db1.edb");
    assert_eq!(severities(&image, "I1"), []);
    image.bytes.extend([0; 4096]);
    assert_eq!(severities(&image, "I1"), [Severity::Warning]);
    image.bytes.extend([0; 100]);
    assert_eq!(severities(&image, "I1"), [Severity::Warning, Severity::Error]);
}

/// Page times are no reason to leave the content alone.
#[test]
fn a_page_time_above_the_headers_is_an_error_and_entries_are_still_held_against_rows() {
    let mut image = image_of("micro-secondary", "after/db/db1.edb");
    let index = image.trees().into_iter().find(|tree| matches!(tree.kind, Kind::Index { .. }) && tree.objid.0 > 7);
    let leaf = index.expect("an index").leaves()[0];
    let above = Dbtime(image.header().dbtime.0 + 1);
    image
        .edit(leaf, |editor| {
            editor.set_dbtime(above);
            editor.set_node_flags(1, NodeFlags::DELETED)
        })
        .expect("a page");
    assert_eq!(severities(&image, "I8"), [Severity::Error]);
    assert_eq!(severities(&image, "I30"), [Severity::Error]);
}

#[test]
fn rows_of_the_catalogs_copy_are_errors_where_they_describe_something_else_and_warnings_otherwise() {
    for (column, severity) in [(SPACE_USAGE, Severity::Warning), (FLAGS, Severity::Error)] {
        let mut image = image_of("micro-insert", "after/db/db1.edb");
        let leaf = image.levels(CATALOG_SHADOW.root).pop().expect("a level")[0];
        image.edit(leaf, |editor| editor.patch_data(0, column.offset.into(), &[0x55])).expect("a byte");
        assert_eq!(severities(&image, "I50"), [severity], "{}", column.microsoft);
    }
}
