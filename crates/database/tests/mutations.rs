//! Each invariant of `db-3 §18` broken on its own: found under its number, and no other number is named as an error.
//!
//! `ANCHORLOG_MUTATION_SEEDS` says how often each is broken (100 times unless told), `ANCHORLOG_MUTATION_FIRST` with which seed to begin.

use anchorlog_database::Database;
use anchorlog_database::check::{FlushMap, Options, Watch, check_with};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_storage::File;
use anchorlog_testkit::data::engine_sets;
use anchorlog_testkit::database::Image;
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
