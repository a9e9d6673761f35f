//! `cargo xtask fuzz`: every target for some time, by our driver for the stable toolchain, or by libFuzzer where cargo-fuzz is.

use anchorlog_fuzz_targets::driver::{self, Limit};
use anchorlog_fuzz_targets::{TARGETS, Target, target};
use anchorlog_testkit::data::checkout;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    targets: Vec<&'static str>,
    seconds: u64,
    seed: u64,
    /// Fuzz here, not in a process for each target.
    inside: bool,
    libfuzzer: bool,
    /// One input, run once with its panic shown.
    file: Option<PathBuf>,
}

/// Runs the chore.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let wish = parse(arguments)?;
    if let Some(file) = &wish.file {
        let [name] = wish.targets.as_slice() else { return Err("--file wants one target".into()) };
        let input = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        (target(name).expect("the names were looked up").run)(&input);
        return Ok(());
    }
    if wish.inside {
        return inside(&wish);
    }
    let queue: Mutex<VecDeque<&'static str>> = Mutex::new(wish.targets.iter().copied().collect());
    let failed = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(name) = queue.lock().expect("no worker panics").pop_front() else { return };
                    let status = if wish.libfuzzer { libfuzzer(name, &wish) } else { child(name, &wish) };
                    if !matches!(status, Ok(status) if status.success()) {
                        failed.lock().expect("no worker panics").push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no worker panics");
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {} passed; {} failed; fuzz targets", wish.targets.len() - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(format!("inputs that fail lie in {}: {}", keep().display(), failed.join(", "))) }
}

fn parse(arguments: &[&str]) -> Result<Wish, String> {
    let mut wish = Wish { targets: Vec::new(), seconds: 60, seed: 1, inside: false, libfuzzer: has_cargo_fuzz(), file: None };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || rest.next().and_then(|text| text.parse::<u64>().ok()).ok_or(format!("{argument} wants a number"));
        match *argument {
            "--minutes" => wish.seconds = number()? * 60,
            "--seconds" => wish.seconds = number()?,
            "--seed" => wish.seed = number()?,
            "--driver" => wish.libfuzzer = false,
            "--file" => wish.file = Some(PathBuf::from(rest.next().ok_or("--file wants a path")?)),
            "--inside" => wish.inside = true,
            name => wish.targets.push(target(name).ok_or(format!("no fuzz target {name}; there are: {}", names()))?.name),
        }
    }
    if wish.targets.is_empty() {
        wish.targets = TARGETS.iter().map(|target| target.name).collect();
    }
    Ok(wish)
}

fn names() -> String {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}

fn keep() -> PathBuf {
    checkout().join("target/fuzz")
}

fn has_cargo_fuzz() -> bool {
    Command::new("cargo").args(["fuzz", "--version"]).output().is_ok_and(|output| output.status.success())
}

/// A process for each target: a hang or an abort ends it alone, and its memory is its own.
fn child(name: &str, wish: &Wish) -> Result<ExitStatus, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let (seconds, seed) = (wish.seconds.to_string(), wish.seed.to_string());
    let arguments = ["fuzz", "--inside", "--seconds", &seconds, "--seed", &seed, name];
    Command::new(program).args(arguments).status().map_err(|error| error.to_string())
}

fn libfuzzer(name: &str, wish: &Wish) -> Result<ExitStatus, String> {
    let corpus = keep().join("corpus").join(name);
    std::fs::create_dir_all(&corpus).map_err(|error| error.to_string())?;
    let seeds = target(name).map(|target: &Target| (target.seeds)()).unwrap_or_default();
    for (index, seed) in seeds.iter().enumerate() {
        std::fs::write(corpus.join(format!("seed-{index}")), seed).map_err(|error| error.to_string())?;
    }
    // The sanitizers are switches of the nightly toolchain; this lets the stable one know them.
    Command::new("cargo")
        .current_dir(checkout())
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["fuzz", "run", name])
        .arg(&corpus)
        .args(["--", &format!("-max_total_time={}", wish.seconds), "-timeout=10", "-rss_limit_mb=2048"])
        .status()
        .map_err(|error| error.to_string())
}

fn inside(wish: &Wish) -> Result<(), String> {
    for name in &wish.targets {
        let target = target(name).expect("the names were looked up");
        let limit = Limit::Time(Duration::from_secs(wish.seconds));
        let outcome = driver::run(target, limit, wish.seed, &keep()).map_err(|error| error.to_string())?;
        println!(
            "{name}: {} seeds, {} inputs, slowest {} ms, {} failures",
            outcome.seeds,
            outcome.inputs,
            outcome.slowest.as_millis(),
            outcome.failures.len()
        );
        if !outcome.failures.is_empty() {
            return Err(format!("{name} fails"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_does_not_exist_is_refused_with_those_that_do() {
        let message = parse(&["nothing"]).expect_err("there is no such target");
        assert!(message.contains("log_file"), "{message}");
    }

    #[test]
    fn without_names_all_targets_are_fuzzed() {
        let wish = parse(&["--minutes", "2"]).expect("a legal wish");
        assert_eq!((wish.targets.len(), wish.seconds), (TARGETS.len(), 120));
    }
}
