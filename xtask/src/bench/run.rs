//! Commands timed, turn by turn, so that what disturbs one disturbs its rival as well.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What one run of a command took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// From its start to its end.
    pub wall: Duration,
    /// Of all cores, in user mode and in the kernel.
    pub cpu: Duration,
    /// Bytes of memory at most, with the pages of the program itself.
    pub memory: u64,
}

/// A command with a name for the table.
pub struct Contender {
    /// Name.
    pub name: String,
    /// What is run; its output is thrown away.
    pub command: Box<dyn Fn() -> Command>,
}

impl Contender {
    /// A contender.
    pub fn new(name: impl Into<String>, command: impl Fn() -> Command + 'static) -> Self {
        Self { name: name.into(), command: Box::new(command) }
    }
}

/// Runs each contender `rounds` times in turn, after one round that does not count, and returns the fastest run of each: what else the
/// machine does only ever adds to a run.
///
/// # Errors
/// A command that cannot be run, or fails.
pub fn compare(contenders: &[Contender], rounds: usize) -> Result<Vec<Run>, String> {
    let mut runs = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (contender, runs) in contenders.iter().zip(&mut runs) {
            let run = once(&mut (contender.command)()).map_err(|error| format!("{}: {error}", contender.name))?;
            if round > 0 {
                runs.push(run);
            }
        }
    }
    Ok(runs.into_iter().map(|runs| fastest(&runs)).collect())
}

fn fastest(runs: &[Run]) -> Run {
    runs.iter().min_by_key(|run| run.wall).copied().unwrap_or_default()
}

/// One run of a command to its end.
///
/// # Errors
/// It cannot be run, or fails.
pub fn once(command: &mut Command) -> Result<Run, String> {
    let (before, begin) = (children_cpu(), Instant::now());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    let (process, done) = (child.id(), AtomicBool::new(false));
    let (status, wall, memory) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut memory = 0;
            // Often at first, for short commands, then seldom enough to take no time from the command.
            let mut pause = Duration::from_micros(200);
            while !done.load(Ordering::Relaxed) {
                memory = memory.max(peak_memory(process));
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            memory
        });
        let status = child.wait();
        let wall = begin.elapsed();
        done.store(true, Ordering::Relaxed);
        (status, wall, watcher.join().unwrap_or(0))
    });
    let status = status.map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("ended with {status}"));
    }
    Ok(Run { wall, cpu: children_cpu().saturating_sub(before), memory })
}

/// CPU time of all children that have ended, in hundredths of a second, as Linux counts; nothing elsewhere.
fn children_cpu() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: u64 = behind_name.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most that a process held in memory.
fn peak_memory(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) << 10
}
