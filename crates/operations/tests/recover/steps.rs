//! A recovery that is told to stop against one that could not go further: the same files, whose logs were cut right behind that record as a
//! machine leaves them that stopped there.

use super::common::{databases, dump_of, for_each, none_wrong, recover};
use anchorlog_checksum::set_segment_checksum;
use anchorlog_database::canonical::Tables;
use anchorlog_format::database::HeaderPage;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::names::{self, Role};
use anchorlog_format::log::segment::{RECORDS_START, SEGMENT_SIZE};
use anchorlog_format::units::{Generation, LogPosition, LogTime};
use anchorlog_operations::recover::Options;
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::{EngineSet, copy_folder, engine_sets, files_below};
use anchorlog_testkit::differ::page_differences;
use anchorlog_testkit::random::Random;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A log of a folder.
struct Log {
    path: PathBuf,
    /// The name that it has while it is being written.
    current: String,
    generation: Generation,
    created: LogTime,
    /// Of each record its position, and the first one behind it.
    records: Vec<(LogPosition, LogPosition)>,
}

fn logs_of(folder: &Path) -> Vec<Log> {
    let mut logs = Vec::new();
    for path in files_below(folder) {
        let Some(name) = path.file_name().and_then(|name| names::parse(&name.to_string_lossy())) else { continue };
        let (Role::Archive { extension, .. } | Role::Current(extension)) = name.role else { continue };
        let bytes = fs::read(&path).unwrap();
        let Ok(log) = LogFile::open(&bytes) else { continue };
        let records = log.records().map_while(Result::ok).filter(|record| !record.record_type().is_padding());
        logs.push(Log {
            current: format!("{}.{}", name.base, extension.log()),
            generation: log.header().generation,
            created: log.header().created,
            records: records.map(|record| (record.writer_position, record.end)).collect(),
            path,
        });
    }
    logs.sort_by_key(|log| log.generation);
    logs
}

/// The folder as it was when the record that ends at `end` had just been written.
fn cut(logs: &[Log], folder: &Path, generation: Generation, end: LogPosition) {
    let below = |path: &Path| folder.join(path.strip_prefix(logs_root(logs)).unwrap());
    let later = logs.iter().filter(|log| log.generation >= generation);
    let taken: Vec<(&Log, Vec<u8>)> = later.map(|log| (log, fs::read(below(&log.path)).unwrap())).collect();
    for (log, _) in &taken {
        fs::remove_file(below(&log.path)).unwrap();
    }
    for (log, mut bytes) in taken.into_iter().filter(|(log, _)| log.generation == generation) {
        let start = usize::from(end.sector) * SEGMENT_SIZE;
        let begun = usize::from(end.byte) > RECORDS_START;
        let keep = if begun { start + usize::from(end.byte) } else { start };
        bytes[keep..].fill(0);
        if begun {
            let segment: &mut [u8; SEGMENT_SIZE] = (&mut bytes[start..start + SEGMENT_SIZE]).try_into().unwrap();
            set_segment_checksum(segment, end.sector.into());
        }
        fs::write(below(&log.path).with_file_name(&log.current), bytes).unwrap();
    }
    let created = logs.iter().find(|log| log.generation == generation).unwrap().created;
    for path in files_below(folder) {
        let bytes = fs::read(&path).unwrap();
        if Checkpoint::check(&bytes).is_ok_and(|checkpoint| checkpoint.position >= end) {
            fs::remove_file(&path).unwrap();
        }
    }
    // What the header of a database knew of later logs it did not know yet.
    for path in databases(folder).into_values() {
        let mut bytes = fs::read(&path).unwrap();
        let Ok((mut page, _)) = HeaderPage::elect(&bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)]) else { continue };
        let header = &mut page.header;
        if header.max_required > generation {
            (header.max_required, header.max_required_time) = (generation, created);
        }
        if header.max_committed > generation {
            (header.max_committed, header.max_committed_time) = (generation, created);
        }
        let header = page.to_bytes();
        bytes[..header.len()].copy_from_slice(&header);
        bytes[header.len()..2 * header.len()].copy_from_slice(&header);
        fs::write(path, bytes).unwrap();
    }
}

/// The folder in which all logs and databases lie.
fn logs_root(logs: &[Log]) -> &Path {
    logs[0].path.ancestors().find(|path| path.ends_with("before")).unwrap()
}

/// What differs between a stop at a record and a recovery that ends there; `None`: the stop is refused.
fn compare(set: &EngineSet, logs: &[Log], log: &Log, record: (LogPosition, LogPosition)) -> Option<Vec<String>> {
    let work = tempfile::tempdir().unwrap();
    let (stopped, ended, copy) = (work.path().join("stopped"), work.path().join("ended"), work.path().join("copy"));
    let label = format!("{} {}", set.name, record.0);
    let options = Options { stop: Some(Stop::Position(record.0)), ..Options::default() };
    // A database that is newer already, or whose logs cannot be cut.
    recover(logs_root(logs), &stopped, &options).made.ok()?;
    copy_folder(logs_root(logs), &copy).unwrap();
    cut(logs, &copy, log.generation, record.1);
    let by_itself = recover(&copy, &ended, &Options::default());
    if let Err(error) = &by_itself.made {
        let why: Vec<&str> = by_itself.plan.databases.iter().map(|database| database.reason.as_str()).collect();
        return Some(vec![format!("{label}: stopped, but what ends there is not recovered: {error} {why:?}")]);
    }
    let (ours, theirs) = (databases(&stopped), databases(&ended));
    let mut wrong = Vec::new();
    if ours.keys().ne(theirs.keys()) {
        wrong.push(format!("{label}: {:?} against {:?}", ours.keys(), theirs.keys()));
    }
    for (name, path) in &ours {
        let Some(other) = theirs.get(name) else { continue };
        let pages = page_differences(&fs::read(path).unwrap(), &fs::read(other).unwrap());
        wrong.extend(pages.iter().map(|(page, what)| format!("{label} {name}: page {page}: {what}")));
        if dump_of(path, Tables::Users) != dump_of(other, Tables::Users) {
            wrong.push(format!("{label} {name}: another dump"));
        }
    }
    Some(wrong)
}

#[test]
fn a_stop_at_any_record_gives_what_logs_that_end_there_give() {
    // So many positions of each set; a run with others begins with another seed.
    let number = |name: &str, usual: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (positions, seed) = (number("ANCHORLOG_STOPS", 2), number("ANCHORLOG_STOPS_SEED", 1));
    let sets: Vec<EngineSet> = engine_sets().into_iter().filter(|set| set.folder().join("before").is_dir()).collect();
    let made = AtomicUsize::new(0);
    let wrong = for_each(&sets, |set| {
        let logs: Vec<Log> = logs_of(&set.folder().join("before"));
        let all: Vec<(usize, (LogPosition, LogPosition))> =
            logs.iter().enumerate().flat_map(|(at, log)| log.records.iter().map(move |record| (at, *record))).collect();
        let mut random =
            Random::new(set.name.bytes().fold(seed as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())));
        let mut wrong = Vec::new();
        for _ in 0..positions.min(all.len()) {
            let (at, record) = all[random.below(all.len())];
            if let Some(found) = compare(set, &logs, &logs[at], record) {
                made.fetch_add(1, Ordering::Relaxed);
                wrong.extend(found);
            }
        }
        wrong
    });
    none_wrong(sets.len(), &wrong);
    let made = made.into_inner();
    assert!(made * 4 >= sets.len() * positions, "only {made} stops of {} were possible", sets.len() * positions);
}
