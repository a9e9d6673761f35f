//! Each invariant of `db-3 §18` broken on its own: found under its number, and no other number is named as an error.
//!
//! `ANCHORLOG_MUTATION_SEEDS` says how often each is broken (3 unless told), `ANCHORLOG_MUTATION_FIRST` with which seed to begin.

use anchorlog_database::Database;
use anchorlog_database::check::{FlushMap, Options, Watch, check_with};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_storage::File;
use anchorlog_testkit::data::engine_sets;
use anchorlog_testkit::database::Image;
use anchorlog_testkit::mutate::{NUMBERS, follows, plant};
use anchorlog_testkit::random::Random;
use std::collections::BTreeMap;
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
fn bases() -> Vec<(PathBuf, Image, Vec<String>)> {
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
                // One that has lost pages already would hide another one.
                if found.iter().all(|finding| finding.severity == Severity::Note) {
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

#[test]
fn every_planted_damage_is_found_under_its_own_number_and_no_other() {
    let bases = bases();
    assert!(!bases.is_empty());
    let (first, seeds) = (environment("ANCHORLOG_MUTATION_FIRST", 1), environment("ANCHORLOG_MUTATION_SEEDS", 3));
    let (mut wrong, mut planted): (Vec<String>, BTreeMap<u32, u32>) = (Vec::new(), BTreeMap::new());
    for number in NUMBERS {
        for seed in first..first + seeds {
            let mut random = Random::new(seed << 8 | u64::from(number));
            for at in random.turned(&(0..bases.len()).collect::<Vec<_>>()) {
                let (path, base, known) = &bases[at];
                let mut image = base.clone();
                let Some(what) = plant(&mut image, number, &mut random) else { continue };
                *planted.entry(number).or_default() += 1;
                let found: Vec<Finding> =
                    findings(&image).into_iter().filter(|finding| !known.contains(&finding.to_string())).collect();
                let rule = format!("I{number}");
                let under = |finding: &&Finding| finding.rule == Some(&rule);
                let allowed = |finding: &Finding| {
                    let number = finding.rule.and_then(|rule| rule[1..].parse().ok());
                    number.is_some_and(|other: u32| other == number_of(&rule) || follows(number_of(&rule)).contains(&other))
                };
                let others: Vec<&Finding> =
                    found.iter().filter(|finding| finding.severity > Severity::Note && !allowed(finding)).collect();
                if !found.iter().any(|finding| under(&finding)) || !others.is_empty() {
                    let list: Vec<String> = found.iter().take(6).map(|finding| format!("    {finding}")).collect();
                    wrong.push(format!("I{number}, seed {seed}, {}: {what}\n{}", path.display(), list.join("\n")));
                }
                break;
            }
        }
    }
    let missing: Vec<u32> = NUMBERS.filter(|number| u64::from(planted.get(number).copied().unwrap_or(0)) < seeds).collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), planted.values().sum::<u32>(), wrong.join("\n"));
    assert!(missing.is_empty(), "nothing to break by {missing:?}");
}

fn number_of(rule: &str) -> u32 {
    rule[1..].parse().expect("a number")
}
