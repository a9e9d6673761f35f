//! Single rules of the order in which things are written.

use super::common::{ambient, setup_over};
use super::judge::{Expected, crash_state, options, recover, state_of, without_undo};
use super::stops::crash_everywhere;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::scan::Tail;
use anchorlog_format::units::Generation;
use anchorlog_replay::run::{self, Options};
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::crash::{CrashDisk, Files};
use anchorlog_testkit::data::engine_sets;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SEGMENT: usize = 4096;

fn current_log() -> &'static Path {
    Path::new("log/edb.log")
}

/// The number of the last data segment of the current log.
fn last_segment(files: &Files) -> usize {
    LogFile::open(&files[current_log()]).unwrap().end().last_segment.unwrap().into()
}

#[test]
fn x9_pages_do_not_overtake_a_log_that_is_in_memory_alone() {
    for name in ["micro-insert", "micro-split-append", "micro-tx-rollback"] {
        let whole = state_of(name);
        let mut short = whole.clone();
        let from = (last_segment(&whole) - 1) * SEGMENT;
        Arc::make_mut(short.get_mut(current_log()).unwrap())[from..].fill(0);
        let options = without_undo();
        let (mut of_whole, _) = Expected::of(&whole, &options).unwrap();
        let (mut of_short, _) = Expected::of(&short, &options).unwrap();
        // The engine's last write is in memory when recovery begins.
        let disk = CrashDisk::new(short);
        let log = disk.folder().open_write(current_log()).unwrap();
        log.write_at(from as u64, &whole[current_log()][from..]).unwrap();
        recover(&disk, &options).unwrap();
        let mut lost = 0;
        for stop in 1..=disk.operations() {
            let left = disk.crashed(stop, 0);
            let has_all = left[current_log()] == whole[current_log()];
            lost += usize::from(!has_all);
            let expected = if has_all { &mut of_whole } else { &mut of_short };
            assert_eq!(expected.judge(left, &options), Vec::<String>::new(), "{name}, stopped behind operation {stop}");
            // Pages that were kept while the log was lost are what must not be.
            let mut kept = disk.crashed(stop, 1);
            if !has_all {
                kept.insert(current_log().into(), disk.crashed(stop, 0)[current_log()].clone());
                assert_eq!(of_short.judge(kept, &options), Vec::<String>::new(), "{name}, stopped behind operation {stop}");
            }
        }
        assert!(lost > 0, "{name}");
    }
}

#[test]
fn x15_the_repair_of_a_torn_segment_can_be_stopped_and_repeated() {
    let mut tried = 0;
    for set in engine_sets() {
        let Some(whole) = crash_state(&set) else { continue };
        let Some(bytes) = whole.get(current_log()) else { continue };
        let Ok(log) = LogFile::open(bytes) else { continue };
        if log.end().tail != Tail::Shadow || !log.end().repairs.is_empty() || tried == 3 {
            continue;
        }
        let mut torn = whole.clone();
        let at = last_segment(&whole) * SEGMENT;
        Arc::make_mut(torn.get_mut(current_log()).unwrap())[at..at + 512].fill(0xEE);
        let Ok((mut expected, _)) = Expected::of(&whole, &options()) else { continue };
        assert_eq!(expected.judge(torn.clone(), &options()), Vec::<String>::new(), "{}", set.name);
        for options in [options(), without_undo()] {
            let stopped = crash_everywhere(&set.name, &torn, &options, 6, false, None);
            assert_eq!(stopped.problems, Vec::<String>::new());
        }
        tried += 1;
    }
    assert!(tried > 0, "no set has a log that ends with a shadow");
}

#[test]
fn x8_a_generation_that_undo_began_is_in_the_header_before_its_pages_are_in_the_file() {
    let (mut rolled, mut continued) = (0, 0);
    for set in engine_sets().iter().filter(|set| set.name.starts_with("mixed-4k")) {
        let Some(start) = crash_state(set).filter(|_| rolled < 2) else { continue };
        let Ok((mut expected, disk)) = Expected::of(&start, &options()) else { continue };
        let told = disk.told();
        let is_roll = |told: &String| told.starts_with("rename log/edb.log to ");
        let Some(roll) = told.iter().position(is_roll) else { continue };
        rolled += 1;
        // While the log is made, and while pages are written.
        let stops = (roll..roll + 6).chain((roll + 6..told.len()).step_by(40));
        for stop in stops {
            let problems = expected.judge(disk.crashed(stop, 1), &options());
            assert_eq!(problems, Vec::<String>::new(), "{}, stopped behind operation {stop}", set.name);
            continued += 1;
        }
    }
    assert!(rolled > 0 && continued > 6, "{rolled} sets, {continued} crashes");
}

/// A log below the checkpoint that is damaged is seen only by a run that has lost the checkpoint (trap Z28).
#[test]
fn the_checkpoint_is_never_lost() {
    let mut tried = 0;
    for set in engine_sets() {
        let Some(mut start) = crash_state(&set) else { continue };
        let Some(checkpoint) = start.get(Path::new("log/edb.chk")).and_then(|bytes| Checkpoint::check(bytes).ok()) else {
            continue;
        };
        let number = checkpoint.position.generation.0;
        let below = PathBuf::from(format!("log/edb{:05X}.log", number.saturating_sub(1)));
        let Some(log) = start.get_mut(&below).filter(|_| tried < 3) else { continue };
        Arc::make_mut(log).fill(0xEE);
        let (mut expected, disk) = match Expected::of(&start, &options()) {
            Ok(made) => made,
            Err(_) => continue,
        };
        for stop in 0..=disk.operations() {
            for seed in [0, 1, 3] {
                let problems = expected.judge(disk.crashed(stop, seed), &options());
                assert_eq!(problems, Vec::<String>::new(), "{}, stopped behind operation {stop} with seed {seed}", set.name);
            }
        }
        tried += 1;
    }
    assert!(tried > 0, "no set has a log below its checkpoint");
}

#[test]
fn files_in_place_become_what_copies_become() {
    for set in engine_sets().iter().filter(|set| set.name.starts_with("micro")) {
        let Some(start) = crash_state(set) else { continue };
        for undo in [true, false] {
            let copies = Options { undo, ..Options::default() };
            let Ok((mut expected, _)) = Expected::of(&start, &copies) else { continue };
            assert_eq!(
                expected.judge(start.clone(), &Options { in_place: true, ..copies }),
                Vec::<String>::new(),
                "{}",
                set.name
            );
        }
    }
}

#[test]
fn logs_are_never_cut_in_place() {
    let start = state_of("micro-insert");
    for refused in [
        Options { stop: Some(Stop::Generation(Generation(1))), undo_at_stop: true, ..options() },
        Options { set_bad_logs_aside: true, accept_loss: true, ..options() },
    ] {
        let disk = CrashDisk::new(start.clone());
        let made = run::replay(&setup_over(disk.folder(), None, refused), &ambient(), &mut ());
        assert_eq!(made.unwrap_err().error.jet.0, -1003);
        assert!(disk.files() == start);
    }
}
