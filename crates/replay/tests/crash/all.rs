//! All sets, for as long as there is time: `cargo xtask crash`.

use super::judge::{crash_state, little_memory, options, without_undo};
use super::stops::crash_everywhere;
use anchorlog_replay::run::Options;
use anchorlog_testkit::data::engine_sets;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
#[ignore = "takes minutes: cargo xtask crash"]
fn all_sets() {
    let began = Instant::now();
    let until = began + Duration::from_secs(60 * number("ANCHORLOG_CRASH_MINUTES", 24 * 60));
    let seeds = number("ANCHORLOG_CRASH_SEEDS", 8);
    let only = std::env::var("ANCHORLOG_CRASH_SETS").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|part| name.contains(part));
    let sets: Vec<_> = engine_sets().into_iter().filter(|set| wanted(&set.name)).collect();
    let (next, stops, problems) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let done = AtomicUsize::new(0);
    let work = || {
        while let Some(set) = sets.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| Instant::now() < until) {
            let Some(start) = crash_state(set) else { continue };
            let parallel = Options { threads: 3, ..options() };
            let ways =
                [(options(), false), (options(), true), (little_memory(), false), (without_undo(), false), (parallel, false)];
            let tried = ways.map(|(options, twice)| crash_everywhere(&set.name, &start, &options, seeds, twice, Some(until)));
            let crashes: usize = tried.iter().map(|tried| tried.crashes).sum();
            let found: Vec<String> = tried.into_iter().flat_map(|tried| tried.problems).collect();
            println!("{}: {crashes} crashes, {} problems", set.name, found.len());
            for problem in found.iter().take(4) {
                println!("    {problem}");
            }
            stops.fetch_add(crashes, Ordering::Relaxed);
            done.fetch_add(1, Ordering::Relaxed);
            problems.lock().unwrap().extend(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
    let problems = problems.into_inner().unwrap();
    println!(
        "{} sets, {} crashes with {seeds} seeds, {} problems, {} seconds",
        done.into_inner(),
        stops.into_inner(),
        problems.len(),
        began.elapsed().as_secs()
    );
    assert!(problems.is_empty());
}
