//! `cargo xtask records`: which types of log records the data sets have, and which none has an example of.

use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::RecordType;
use anchorlog_testkit::data;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Prints each type with its number of examples.
pub fn print() {
    let counts = counts();
    for number in 0..RecordType::COUNT {
        if let Some(entry) = RecordType(number).entry() {
            println!("{number:>3} {:>8} {}", counts.get(&number).unwrap_or(&0), entry.name);
        }
    }
}

/// Records by type, in all logs of all sets that are here.
fn counts() -> BTreeMap<u8, u64> {
    let mut counts = BTreeMap::new();
    for set in data::engine_sets().into_iter().chain(data::real_sets()) {
        let mut logs = Vec::new();
        collect(&set.folder(), &mut logs);
        for log in logs {
            let bytes = fs::read(&log).unwrap_or_default();
            let Ok(log) = LogFile::open(&bytes) else { continue };
            for record in log.records().map_while(Result::ok) {
                *counts.entry(record.record_type().0).or_default() += 1;
            }
        }
    }
    counts
}

fn collect(folder: &Path, logs: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.to_string_lossy().to_lowercase();
        if path.is_dir() {
            collect(&path, logs);
        } else if name.ends_with(".log") || name.ends_with(".jtx") {
            logs.push(path);
        }
    }
}
