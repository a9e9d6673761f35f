//! A fuzzer for the stable toolchain: seeded mutations of the corpus, panics caught, hangs and memory watched.
//!
//! It sees no coverage, so that it finds less than libFuzzer in the same time; it needs nothing but this program.

use crate::Target;
use crate::mutate::mutate;
use anchorlog_testkit::random::Random;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// An input that runs longer than this hangs.
pub const HANG: Duration = Duration::from_secs(10);
/// Address space that one input may add.
pub const MEMORY: u64 = 512 << 20;

/// What was run, and what was found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Inputs to begin with.
    pub seeds: usize,
    /// Inputs run.
    pub inputs: u64,
    /// The longest time that one input took.
    pub slowest: Duration,
    /// One line for each kind of failure, with the file that holds its input.
    pub failures: BTreeMap<String, PathBuf>,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// After a time.
    Time(Duration),
    /// After a number of mutations of each seed: the same inputs on every machine.
    Mutations(u64),
}

/// Runs the seeds, then mutations of them. Inputs that fail are kept in `keep`.
///
/// # Errors
/// Any error of writing there.
///
/// # Panics
/// Never by the target's fault, except by a hang: the process ends, since a thread cannot be stopped.
pub fn run(target: &Target, limit: Limit, seed: u64, keep: &Path) -> io::Result<Outcome> {
    quiet_panics();
    let seeds = (target.seeds)();
    let mut random = Random::new(seed);
    let mut outcome = Outcome { seeds: seeds.len(), ..Outcome::default() };
    let watch = Watch::start(target.name, keep);
    let begin = Instant::now();
    for input in &seeds {
        try_input(target, input, &watch, keep, &mut outcome)?;
    }
    let wanted = match limit {
        Limit::Mutations(each) => each * seeds.len().max(1) as u64,
        Limit::Time(_) => u64::MAX,
    };
    let mut done = 0;
    while done < wanted && !matches!(limit, Limit::Time(time) if begin.elapsed() >= time) {
        let mut input = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
        mutate(&mut input, &seeds, &mut random);
        try_input(target, &input, &watch, keep, &mut outcome)?;
        done += 1;
    }
    Ok(outcome)
}

fn try_input(target: &Target, input: &[u8], watch: &Watch, keep: &Path, outcome: &mut Outcome) -> io::Result<()> {
    let memory = peak_memory();
    watch.enter(input);
    let begin = Instant::now();
    let result = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let took = begin.elapsed();
    watch.leave();
    outcome.inputs += 1;
    outcome.slowest = outcome.slowest.max(took);
    if result.is_err() {
        let what = LAST_PANIC.with_borrow_mut(std::mem::take);
        note(target, &what, input, keep, outcome)?;
    }
    let grown = peak_memory().saturating_sub(memory);
    if grown > MEMORY {
        note(target, &format!("takes {} MiB", grown >> 20), input, keep, outcome)?;
    }
    Ok(())
}

fn note(target: &Target, what: &str, input: &[u8], keep: &Path, outcome: &mut Outcome) -> io::Result<()> {
    // Numbers in a message differ from input to input; the place is what makes two failures the same.
    let kind: String = what.split('\n').next().unwrap_or_default().chars().take(200).collect();
    if outcome.failures.keys().any(|known| place(known) == place(&kind)) {
        return Ok(());
    }
    let path = save(target.name, outcome.failures.len(), input, keep)?;
    eprintln!("{}: {kind}\n   input: {}", target.name, path.display());
    outcome.failures.insert(kind, path);
    Ok(())
}

fn place(failure: &str) -> &str {
    failure.split(": ").next().unwrap_or_default()
}

fn save(name: &str, number: usize, input: &[u8], keep: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(keep)?;
    let path = keep.join(format!("{name}-{number}"));
    fs::write(&path, input)?;
    Ok(path)
}

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics are noted, not printed: a target may panic a thousand times at one place.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let place = info.location().map_or_else(|| "unknown place".to_owned(), ToString::to_string);
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let message = text.unwrap_or("panic");
            LAST_PANIC.set(format!("{place}: {message}"));
        }));
    });
}

/// Largest address space that this process had, in bytes; 0 where the system does not tell.
fn peak_memory() -> u64 {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}

/// Processor time of this process; where the system does not tell, as if it never rested.
fn worked() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets; user and system time in hundredths of a second.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok());
    match (ticks(), ticks()) {
        (Some(user), Some(system)) => Duration::from_millis(10 * (user + system)),
        _ => BEGUN.elapsed(),
    }
}

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Ends the process when one input takes too long, after saving it.
struct Watch {
    current: Arc<Mutex<Vec<u8>>>,
    beats: mpsc::Sender<bool>,
}

impl Watch {
    fn start(name: &'static str, keep: &Path) -> Self {
        let current = Arc::new(Mutex::new(Vec::new()));
        let (beats, received) = mpsc::channel();
        let (watched, keep) = (Arc::clone(&current), keep.to_owned());
        thread::spawn(move || {
            let (mut running, mut since) = (false, None);
            loop {
                match received.recv_timeout(HANG) {
                    Ok(now) => (running, since) = (now, None),
                    // A machine that stood still is no hang: the process must have worked meanwhile.
                    Err(RecvTimeoutError::Timeout) if running => match since {
                        None => since = Some(worked()),
                        Some(before) if worked() - before >= HANG / 2 => {
                            let input = watched.lock().map_or_else(|_| Vec::new(), |input| input.clone());
                            let path = save(name, 999, &input, &keep);
                            eprintln!("{name}: runs longer than {} s\n   input: {path:?}", HANG.as_secs());
                            std::process::exit(1);
                        }
                        Some(_) => {}
                    },
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Self { current, beats }
    }
    fn enter(&self, input: &[u8]) {
        if let Ok(mut current) = self.current.lock() {
            current.clear();
            current.extend_from_slice(input);
        }
        let _ = self.beats.send(true);
    }
    fn leave(&self) {
        let _ = self.beats.send(false);
    }
}
