//! How fast logs are read and replayed, on the large set that Microsoft's engine replayed as well.

use super::page::Page;
use super::run::{Contender, compare};
use super::{Workshop, mebibytes, seconds, transaction};
use anchorlog_database::{Database, canonical};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::units::LogTime;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{self, Options, Setup};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{EngineSet, bench_set, copy_folder};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

pub(super) fn set() -> Result<EngineSet, String> {
    bench_set("replay-8k").ok_or_else(|| "the set perf-replay-8k is needed: ../shared/data".to_owned())
}

/// The logs of the set, oldest first.
fn logs() -> Result<Vec<Vec<u8>>, String> {
    let entries = fs::read_dir(set()?.folder().join("before/log")).map_err(|error| error.to_string())?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log") && !path.ends_with("edbtmp.log"));
    // The current log has the shortest name, and is the last.
    paths.sort_by_key(|path| (path.ends_with("edb.log"), path.clone()));
    paths.iter().map(|path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()))).collect()
}

/// What the logs hold.
#[derive(Clone, Copy, Debug, Default)]
struct Content {
    records: u64,
    /// Bytes of records that are no padding.
    bytes: u64,
}

/// Checks, cuts and decodes every record of all logs.
fn read(logs: &[Vec<u8>]) -> Result<Content, String> {
    let mut content = Content::default();
    for bytes in logs {
        let log = LogFile::open(bytes).map_err(|error| error.to_string())?;
        for record in log.records() {
            let record = record.map_err(|fault| fault.to_string())?;
            if record.record_type().is_padding() {
                continue;
            }
            let operation = record.operation().map_err(|error| error.to_string())?;
            std::hint::black_box(&operation);
            content.records += 1;
            content.bytes += record.bytes.len() as u64;
        }
    }
    Ok(content)
}

/// Reading alone.
pub fn parse(_: &Workshop, page: &mut Page) -> Result<(), String> {
    page.section(
        "Reading logs",
        "The 233 logs of `perf-replay-8k` in memory, one thread: every segment's checksum, every record cut out and decoded to its \
         operation. Bytes are those of records that are no padding.",
    );
    let logs = logs()?;
    let mut best = (Content::default(), Duration::MAX);
    for _ in 0..7 {
        let begin = Instant::now();
        let content = read(&logs)?;
        best = if begin.elapsed() < best.1 { (content, begin.elapsed()) } else { best };
    }
    let (content, time) = best;
    page.table(
        &["records", "bytes", "time", "records a second", "rate"],
        &[vec![
            content.records.to_string(),
            mebibytes(content.bytes),
            seconds(time),
            per_second(content.records, time),
            format!("{:.0} MB/s", content.bytes as f64 / time.as_secs_f64() / 1e6),
        ]],
    );
    Ok(())
}

fn per_second(count: u64, time: Duration) -> String {
    format!("{:.2} million", count as f64 / time.as_secs_f64() / 1e6)
}

/// Replay and whole recoveries against Microsoft's engine.
pub fn replay(shop: &Workshop, page: &mut Page) -> Result<(), String> {
    page.section(
        "Replay",
        "`perf-replay-8k`: 233 logs of 1 MiB. *Replay* is redo, undo and the end of recovery in place, as Microsoft's engine does it; \
         *recover* is the whole command: copies and their hashes, replay, the full check of the result, publication. CPU time is that \
         of all threads. Microsoft's engine was measured on another machine of the same kind (`meta.json` of the set). The rows of the \
         result are compared with the engine's by their hash. *Replays at once* share nothing, each on its own copy: how much longer than \
         one alone they take is what the machine itself costs a second core.",
    );
    let content = read(&logs()?)?;
    let meta = set()?.meta();
    let costs = meta["engine_recovery_cost"]["cpu_seconds"].as_array();
    let costs: Vec<f64> = costs.into_iter().flatten().filter_map(serde_json::Value::as_f64).collect();
    let engine = costs.iter().sum::<f64>() / costs.len().max(1) as f64;
    let memory = PathBuf::from("/dev/shm");
    let work = if memory.is_dir() { memory.join("anchorlog-bench") } else { shop.folder.join("replay") };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut contenders = Vec::new();
    let mut threads = 1;
    while threads <= cores {
        contenders.push(in_place(&set()?.folder().join("before"), &work, threads, 512)?);
        threads *= 2;
    }
    contenders.push(side_by_side(&work, cores)?);
    contenders.push(recover(shop, &work, 512)?);
    let runs = compare(&contenders, if shop.short { 1 } else { 9 })?;
    let row = |name: &str, wall: Option<Duration>, cpu: f64, memory: Option<u64>| {
        let time = wall.map_or(cpu, |wall| wall.as_secs_f64());
        vec![
            name.to_owned(),
            wall.map_or_else(String::new, seconds),
            format!("{cpu:.2} s"),
            format!("{:.2} million", content.records as f64 / time / 1e6),
            format!("{:.0}", content.bytes as f64 / time / f64::from(1 << 20)),
            format!("{:.1}", engine / cpu),
            wall.map_or_else(String::new, |wall| format!("{:.2}", runs[0].wall.as_secs_f64() / wall.as_secs_f64())),
            memory.map_or_else(String::new, mebibytes),
        ]
    };
    let mut rows = vec![row("Microsoft's engine", None, engine, None)];
    for (contender, run) in contenders.iter().zip(&runs) {
        rows.push(row(&contender.name, Some(run.wall), run.cpu.as_secs_f64(), Some(run.memory)));
    }
    let head = ["", "time", "CPU", "records a second", "MiB a second", "CPU, engine = 1", "time, one thread = 1", "memory"];
    page.table(&head, &rows);
    same_rows(&work.join("result/db/p.edb"), meta["dump_after_recovery"]["sha256"].as_str().unwrap_or_default())?;
    caches(page, &work)?;
    // What cannot be removed is in nobody's way.
    _ = fs::remove_dir_all(&work);
    Ok(())
}

/// Memory against the stated cache.
fn caches(page: &mut Page, work: &Path) -> Result<(), String> {
    let open = work.join("open");
    let written = transaction::make(&open, &work.join("redone"))?;
    page.section(
        "Memory",
        &format!(
            "Replay in place with small caches. The database of `perf-replay-8k` has 198 MiB; what a run needs beside the cache is the \
             log it reads, the window of work that the threads share, the before images (64 MiB at most, then they go to a file), and \
             up to 140 bytes for each change of a transaction that is open (40, and what tables have in reserve while they \
             grow). *One open transaction*: the same crash with a transaction behind \
             it that has not committed, {} changes with {} of before images. Its rows, too, are the engine's in the end.",
            written.changes,
            mebibytes(written.bytes)
        ),
    );
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let rows_of = set()?.meta()["dump_after_recovery"]["sha256"].as_str().unwrap_or_default().to_owned();
    let mut rows = Vec::new();
    for (state, before) in [("", set()?.folder().join("before")), ("one open transaction", open)] {
        for mebibytes_of_cache in [8, 64, 512] {
            let contender = in_place(&before, work, threads, mebibytes_of_cache)?;
            let run = compare(&[contender], 1)?.pop().unwrap_or_default();
            let beside = run.memory.saturating_sub(mebibytes_of_cache << 20);
            rows.push(vec![
                state.to_owned(),
                format!("{mebibytes_of_cache} MiB"),
                seconds(run.wall),
                mebibytes(run.memory),
                mebibytes(beside),
            ]);
            same_rows(&work.join("files/db/p.edb"), &rows_of)?;
        }
    }
    page.table(&["", "cache", "time", "memory at most", "beside the cache"], &rows);
    Ok(())
}

/// A fresh copy of a crash state, replayed where it lies.
fn in_place(before: &Path, work: &Path, threads: usize, cache: u64) -> Result<Contender, String> {
    let (work, before) = (work.join("files"), before.to_path_buf());
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(Contender::new(format!("replay, {threads} thread(s)"), move || {
        _ = fs::remove_dir_all(&work);
        let mut command = Command::new(&this);
        if copy_folder(&before, &work).is_ok() {
            command.arg("replay-in-place").arg(&work).args([threads.to_string(), cache.to_string()]);
        }
        command
    }))
}

/// As many replays at once as there are cores, one thread each: what the machine gives to work that shares nothing.
fn side_by_side(work: &Path, count: usize) -> Result<Contender, String> {
    let (work, before) = (work.join("files"), set()?.folder().join("before"));
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(Contender::new(format!("{count} replays at once, 1 thread each"), move || {
        _ = fs::remove_dir_all(&work);
        let folders: Vec<PathBuf> = (0..count).map(|number| work.join(number.to_string())).collect();
        let mut command = Command::new(&this);
        if folders.iter().all(|folder| copy_folder(&before, folder).is_ok()) {
            command.arg("replay-in-place").args(&folders).args(["1", "512"]);
        }
        command
    }))
}

/// The whole command.
fn recover(shop: &Workshop, work: &Path, cache: u64) -> Result<Contender, String> {
    let (out, before, program) = (work.join("result"), set()?.folder().join("before"), shop.program.clone());
    Ok(Contender::new("recover", move || {
        _ = fs::remove_dir_all(&out);
        let mut command = Command::new(&program);
        command.arg("recover").arg(&before).arg("--out").arg(&out).args(["--quiet", "--cache", &cache.to_string()]);
        command
    }))
}

fn same_rows(database: &Path, expected: &str) -> Result<(), String> {
    struct Hash(Sha256);
    impl io::Write for Hash {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = DiskFolder::read_only(database.parent().unwrap_or(Path::new("")));
    let file = folder.open(Path::new("p.edb")).map_err(|error| error.to_string())?;
    let database = Database::open("p.edb", file, 256 << 20).map_err(|error| error.to_string())?;
    let mut hash = Hash(Sha256::new());
    canonical::dump(&database, "p.edb", canonical::Tables::Users, &mut hash).map_err(|error| error.to_string())?;
    let found: String = hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected { Ok(()) } else { Err(format!("the rows are not the engine's: {found}, wanted {expected}")) }
}

/// `xtask replay-in-place FOLDER… THREADS CACHE_MIB`: what is timed; several folders at once.
///
/// # Errors
/// In words.
pub fn child(arguments: &[&str]) -> Result<(), String> {
    let usage = || "replay-in-place FOLDER… THREADS CACHE_MIB".to_owned();
    let [roots @ .., threads, cache] = arguments else { return Err(usage()) };
    let number = |text: &str| text.parse::<usize>().map_err(|_| usage());
    let (threads, cache) = (number(threads)?, number(cache)? << 20);
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            roots.iter().map(|root| scope.spawn(move || recovered(Path::new(root), threads, cache, true))).collect();
        runs.into_iter().try_for_each(|run| run.join().map_err(|_| "a replay panicked".to_owned())?)
    })
}

/// Replays a copy where it lies.
///
/// # Errors
/// In words.
pub(super) fn recovered(root: &Path, threads: usize, cache_bytes: usize, undo: bool) -> Result<(), String> {
    let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(root));
    let mut streams = StreamFiles::find(&*folder, Path::new("log")).map_err(|error| error.to_string())?;
    let files = streams.pop().ok_or("no logs")?;
    let path = PathBuf::from("db/p.edb");
    let setup = Setup {
        logs: Logs { folder: folder.clone(), files },
        folder,
        naming: Naming { candidates: vec![Candidate { path, signature: None }], map: Vec::new() },
        options: Options { cache_bytes, threads, undo, ..Options::default() },
    };
    let ambient = Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7);
    let report = run::replay(&setup, &ambient, &mut ()).map_err(|failure| failure.error.to_string())?;
    let wanted = if undo { run::Ending::Recovered } else { run::Ending::WithoutUndo };
    if report.ending == wanted { Ok(()) } else { Err(format!("{:?}", report.ending)) }
}
