//! Calls fail, once each; reads come short.

use super::common::{ambient, setup_over, told};
use super::judge::{Expected, little_memory, options, recover, state_of, without_undo};
use super::stops::KINDS;
use anchorlog_replay::run::{self, Options};
use anchorlog_testkit::crash::CrashDisk;
use std::collections::BTreeMap;
use std::io;

/// Fails every call of the recovery of a set, one in each run. Where the run ends with an error, the next one succeeds on what is there
/// and on what a crash left of it.
fn fail_everywhere(name: &str, options: &Options, kind: io::ErrorKind, codes: &mut BTreeMap<i32, usize>) -> Vec<String> {
    let start = state_of(name);
    let (mut expected, _) = Expected::of(&start, options).unwrap();
    let mut problems = Vec::new();
    for call in 0.. {
        let disk = CrashDisk::new(start.clone());
        let setup = setup_over(disk.folder(), None, options.clone());
        let first = disk.calls();
        disk.fail(first + call, kind);
        let made = run::replay(&setup, &ambient(), &mut ());
        if disk.calls() <= first + call {
            break;
        }
        let mut found = Vec::new();
        match &made {
            // Nothing that counts: a note at the end, a file that is of no use any more.
            Ok(_) => found.extend(expected.problems(&disk.files()).into_iter().filter(|problem| !problem.ends_with("is left"))),
            Err(failure) => {
                *codes.entry(failure.error.jet.0).or_default() += 1;
                // What is there, or what is left when the machine stops then.
                let left = match call % 3 {
                    0 => disk.files(),
                    seed => disk.crashed(disk.operations(), 3 * (seed as u64 - 1)),
                };
                if left != start {
                    found.extend(expected.judge(left, options));
                }
            }
        }
        problems.extend(found.into_iter().map(|problem| format!("{name}, call {call} ({}): {problem}", told(&made))));
    }
    problems
}

fn fail_all_kinds(kind: io::ErrorKind) -> BTreeMap<i32, usize> {
    let mut codes = BTreeMap::new();
    let mut problems = Vec::new();
    for (_, name) in KINDS {
        problems.extend(fail_everywhere(name, &options(), kind, &mut codes));
    }
    problems.extend(fail_everywhere("micro-uncommitted-flushed", &without_undo(), kind, &mut codes));
    problems.extend(fail_everywhere("micro-tx-uncommitted-big", &little_memory(), kind, &mut codes));
    assert!(problems.is_empty(), "{} problems, the first: {:#?}", problems.len(), &problems[..problems.len().min(8)]);
    codes
}

// trap ops-3 O28; ops-1 D12
#[test]
fn a_full_disk_at_any_call_is_error_1808_and_the_next_run_succeeds() {
    let codes = fail_all_kinds(io::ErrorKind::StorageFull);
    assert!(codes.keys().all(|code| *code == -1808) && codes[&-1808] > 300, "{codes:?}");
}

#[test]
fn a_failing_disk_at_any_call_is_error_1022_and_the_next_run_succeeds() {
    let codes = fail_all_kinds(io::ErrorKind::Other);
    assert!(codes.keys().all(|code| *code == -1022) && codes[&-1022] > 300, "{codes:?}");
}

#[test]
fn short_and_interrupted_reads_change_no_byte_of_the_result() {
    for (_, name) in KINDS {
        for options in [options(), little_memory(), without_undo()] {
            let start = state_of(name);
            let (expected, _) = Expected::of(&start, &options).unwrap();
            for seed in 0..3 {
                let disk = CrashDisk::new(start.clone());
                disk.read_short(seed);
                recover(&disk, &options).unwrap();
                assert!(disk.files() == expected.files, "{name} with seed {seed}");
            }
        }
    }
}
