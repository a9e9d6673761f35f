//! The machine stops: behind every operation of one set of each kind.

use super::judge::{Expected, little_memory, options, state_of, without_undo};
use anchorlog_replay::run::Options;
use anchorlog_testkit::crash::{CrashDisk, Files};
use anchorlog_testkit::random::Random;
use std::collections::HashSet;
use std::time::Instant;

/// One set for each kind of change.
pub const KINDS: [(&str, &str); 11] = [
    ("a split", "micro-split-append"),
    ("a merge", "micro-merge"),
    ("undo with logged before images", "micro-uncommitted-flushed"),
    ("several generations", "micro-forcenewlog"),
    ("a new generation at the end", "micro-ddl-columns"),
    ("a file that grows", "micro-extend"),
    ("a file that grows and shrinks", "micro-growdb"),
    ("several databases", "micro-multi-db"),
    ("a database closed and attached again", "micro-attach-detach"),
    ("a database that the log makes", "micro-createdb"),
    ("circular logging", "micro-circular"),
];

/// What was tried.
#[derive(Default)]
pub struct Tried {
    pub operations: usize,
    pub crashes: usize,
    pub problems: Vec<String>,
}

/// Stops the machine behind every operation of a recovery, with each seed; what was seen before is not tried again. With `twice` the
/// second recovery is interrupted as well, somewhere. Nothing is tried where the set cannot be recovered.
pub fn crash_everywhere(name: &str, start: &Files, options: &Options, seeds: u64, twice: bool, until: Option<Instant>) -> Tried {
    let mut tried = Tried::default();
    let Ok((mut expected, disk)) = Expected::of(start, options) else { return tried };
    tried.operations = disk.operations();
    let mut seen = HashSet::new();
    let mut crashes = disk.crashes();
    loop {
        for seed in 0..seeds {
            let (mut left, print) = crashes.files(seed);
            if !seen.insert(print) {
                continue;
            }
            if twice {
                left = crash_again(left, options, seed);
            }
            tried.crashes += 1 + usize::from(twice);
            for problem in expected.judge(left, options).into_iter().take(3) {
                tried.problems.push(format!("{name}, stopped behind operation {} with seed {seed}: {problem}", crashes.at()));
            }
        }
        if !crashes.advance() || tried.problems.len() > 20 || until.is_some_and(|until| Instant::now() > until) {
            return tried;
        }
    }
}

fn crash_again(left: Files, options: &Options, seed: u64) -> Files {
    let disk = CrashDisk::new(left);
    _ = super::judge::recover(&disk, options);
    let mut random = Random::new(seed ^ disk.operations() as u64);
    let stop = random.below(disk.operations() + 1);
    disk.crashed(stop, random.next())
}

fn none_wrong(tried: &[Tried]) {
    let problems: Vec<&String> = tried.iter().flat_map(|tried| &tried.problems).collect();
    println!("{} crashes", tried.iter().map(|tried| tried.crashes).sum::<usize>());
    assert!(problems.is_empty(), "{} problems, the first: {:#?}", problems.len(), &problems[..problems.len().min(8)]);
    assert!(tried.iter().all(|tried| tried.crashes > 20), "nothing was tried");
}

fn all_kinds(options: &Options, seeds: u64, twice: bool) -> Vec<Tried> {
    KINDS.iter().map(|(_, name)| crash_everywhere(name, &state_of(name), options, seeds, twice, None)).collect()
}

#[test]
fn x8_x10_whatever_operation_is_the_last_the_next_run_makes_the_same_databases() {
    none_wrong(&all_kinds(&options(), 6, false));
}

#[test]
fn a_recovery_that_is_stopped_twice_makes_the_same_databases() {
    none_wrong(&all_kinds(&options(), 3, true));
}

#[test]
fn v39_a_recovery_without_undo_that_is_stopped_makes_the_same_databases() {
    none_wrong(&all_kinds(&without_undo(), 4, false));
}

#[test]
fn x7_pages_of_an_open_transaction_that_memory_has_no_room_for_are_in_no_database_when_the_machine_stops() {
    let tried = ["micro-tx-uncommitted-big", "micro-split-internal", "micro-crash-in-undo"]
        .map(|name| crash_everywhere(name, &state_of(name), &little_memory(), 3, false, None));
    none_wrong(&tried);
}

#[test]
fn any_subset_of_the_pages_of_a_group_may_have_been_written() {
    for name in ["micro-split-right", "micro-merge", "micro-merge-old"] {
        let (mut expected, disk) = Expected::of(&state_of(name), &options()).unwrap();
        let told = disk.told();
        // All pages are written, and none of it is durable.
        let is_page = |told: &String| told.starts_with("write db/") && told.contains(".edb ") && !told.contains(".edb 0x0 ");
        let last = told.iter().rposition(is_page).unwrap();
        let written = told[..=last].iter().rposition(|told| told.starts_with("sync db/") && told.contains(".edb"));
        let first = written.map_or(0, |at| at + 1);
        // The last write of all is the second copy of the header.
        let pages = told[..last].iter().rposition(is_page).unwrap();
        assert!(pages > first || pages > 10, "{name}: {first} {pages}");
        for seed in 0..200 {
            let problems = expected.judge(disk.crashed(pages + 1, 2 * seed), &options());
            assert_eq!(problems, Vec::<String>::new(), "{name} with seed {seed}");
        }
    }
}
