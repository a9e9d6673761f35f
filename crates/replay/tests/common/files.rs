//! Folders of databases and logs as a whole.

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::units::{Generation, LogPosition};
pub use anchorlog_testkit::data::contents;
use anchorlog_testkit::data::{EngineSet, copy_folder};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The databases below `db/`.
pub fn databases(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = contents(root);
    files.retain(|path, bytes| {
        let start = &bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)];
        path.starts_with("db") && path.extension().is_none_or(|extension| extension != "jfm") && HeaderPage::elect(start).is_ok()
    });
    files
}

/// All logs of a folder by generation.
pub fn logs(root: &Path) -> BTreeMap<Generation, (PathBuf, Vec<u8>)> {
    let mut logs = BTreeMap::new();
    for (path, bytes) in contents(&root.join("log")) {
        let name = path.to_string_lossy().to_lowercase();
        if (name.ends_with(".log") || name.ends_with(".jtx")) && !name.contains("tmp") && !name.starts_with("res") {
            logs.insert(LogFile::open(&bytes).unwrap().header().generation, (Path::new("log").join(path), bytes));
        }
    }
    logs
}

/// Positions of the records of a log, padding aside.
pub fn positions(bytes: &[u8]) -> Vec<LogPosition> {
    let log = LogFile::open(bytes).unwrap();
    let records = log.records().map(|record| record.unwrap());
    records.filter(|record| !record.record_type().is_padding()).map(|record| record.writer_position).collect()
}

/// A copy of a set's crash state.
pub fn crash_of(set: &EngineSet) -> Option<tempfile::TempDir> {
    let source = ["before", "base"].map(|name| set.folder().join(name)).into_iter().find(|path| path.join("log").is_dir())?;
    let work = tempfile::tempdir().unwrap();
    copy_folder(&source, work.path()).unwrap();
    Some(work)
}

/// Makes a log end behind the record at `stop` by the plainest means: the segments up to it are kept, the last as far as the record goes.
pub fn cut_by_hand(bytes: &[u8], stop: LogPosition) -> Vec<u8> {
    let log = LogFile::open(bytes).unwrap();
    let record = log.records().map(|record| record.unwrap()).find(|record| record.writer_position == stop).unwrap();
    let mut cut = bytes.to_vec();
    let segment = usize::from(record.end.sector);
    let keep = segment * 4096 + usize::from(record.end.byte);
    cut[keep..].fill(0);
    if record.end.byte != 0 {
        seal(&mut cut, record.end.sector);
    }
    cut
}

/// Gives a segment a checksum that holds.
pub fn seal(log: &mut [u8], segment: u16) {
    let at = usize::from(segment) * 4096;
    let image: &mut [u8; 4096] = (&mut log[at..at + 4096]).try_into().unwrap();
    anchorlog_checksum::set_segment_checksum(image, segment.into());
}
