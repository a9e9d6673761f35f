//! `cargo xtask bench replay SET [THREADS…]`: how fast logs are parsed and replayed.

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::units::LogTime;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{self, Options, Setup};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Parses and replays one set, replay once for each number of threads.
///
/// # Errors
/// In words.
pub fn run(name: &str, threads: &[&str]) -> Result<(), String> {
    let set = data::any_engine_set(name).ok_or(format!("no set {name} is here"))?;
    let before = set.folder().join("before");
    let figures = parse(&before)?;
    for count in threads {
        let count = count.parse().map_err(|_| format!("{count} is no number of threads"))?;
        replay(&before, count, &figures)?;
    }
    Ok(())
}

/// What there is to replay.
struct Figures {
    records: u64,
    /// Bytes of records, padding aside.
    bytes: u64,
}

fn parse(before: &Path) -> Result<Figures, String> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(before.join("log")).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|ending| ending.eq_ignore_ascii_case("log")) {
            logs.push(fs::read(entry.path()).map_err(|error| error.to_string())?);
        }
    }
    let mut figures = Figures { records: 0, bytes: 0 };
    let clock = Clock::start();
    for bytes in &logs {
        let log = LogFile::open(bytes).map_err(|error| error.to_string())?;
        for record in log.records() {
            let record = record.map_err(|fault| fault.to_string())?;
            black_box(record.operation().map_err(|error| error.to_string())?);
            if !record.record_type().is_padding() {
                figures.records += 1;
                figures.bytes += record.bytes.len() as u64;
            }
        }
    }
    clock.stop("parse", &figures);
    Ok(figures)
}

fn replay(before: &Path, threads: usize, figures: &Figures) -> Result<(), String> {
    let work = tempfile::tempdir().map_err(|error| error.to_string())?;
    data::copy_folder(before, work.path()).map_err(|error| error.to_string())?;
    let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(work.path()));
    let stream = StreamFiles::find(&*folder, Path::new("log")).map_err(|error| error.to_string())?.into_iter().next();
    let mut candidates = Vec::new();
    for entry in folder.list().map_err(|error| error.to_string())? {
        let mut start = vec![0; HeaderPage::ELECTION_BYTES];
        let file = folder.open(&entry.path).map_err(|error| error.to_string())?;
        let read = file.read_at(0, &mut start).map_err(|error| error.to_string())?;
        if let Ok((page, _)) = HeaderPage::elect(&start[..read]) {
            candidates.push(Candidate { path: entry.path, signature: Some(page.header.signature) });
        }
    }
    let setup = Setup {
        logs: Logs { folder: folder.clone(), files: stream.ok_or("the set has no logs")? },
        folder,
        naming: Naming { candidates, map: Vec::new() },
        options: Options { threads, ..Options::default() },
    };
    let ambient = Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7);
    let clock = Clock::start();
    run::replay(&setup, &ambient, &mut ()).map_err(|failure| failure.error.to_string())?;
    clock.stop(&format!("replay, {threads} threads"), figures);
    Ok(())
}

struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }
    fn stop(self, what: &str, figures: &Figures) {
        let (wall, cpu) = (self.wall.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let (records, mebibytes) = (figures.records as f64, figures.bytes as f64 / f64::from(1 << 20));
        println!(
            "{what}: {wall:.2} s, {cpu:.2} s of CPU time; {:.0} records and {:.0} MiB a second, {:.0} MiB a CPU second",
            records / wall,
            mebibytes / wall,
            mebibytes / cpu
        );
    }
}

/// CPU time of this process, all threads; 0 where the system has no `/proc`.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
