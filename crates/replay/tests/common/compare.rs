//! Our files against the engine's.

use anchorlog_database::Database;
use anchorlog_database::canonical::{Tables, dump};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::RecordType;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use std::collections::BTreeMap;
use std::path::Path;

/// Types of the records of all logs of some folders from a position on, in order; a folder named later replaces logs of the same
/// generation.
pub fn record_types(folders: &[&Path], from: LogPosition) -> Vec<(LogPosition, RecordType)> {
    let mut logs: BTreeMap<Generation, Vec<u8>> = BTreeMap::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if (name.ends_with(".log") || name.ends_with(".jtx")) && !name.contains("tmp") {
                let bytes = std::fs::read(entry.path()).unwrap();
                let generation = LogFile::open(&bytes).unwrap().header().generation;
                logs.insert(generation, bytes);
            }
        }
    }
    let mut types = Vec::new();
    for bytes in logs.values() {
        let log = LogFile::open(bytes).unwrap();
        for record in log.records() {
            let record = record.unwrap();
            if record.writer_position >= from && record.record_type() != RecordType::NOP {
                types.push((record.writer_position, record.record_type()));
            }
        }
    }
    types
}

/// Records up to the next run of the engine: those of the recovery itself.
pub fn up_to_the_next_run(mut records: Vec<(LogPosition, RecordType)>) -> Vec<(LogPosition, RecordType)> {
    if let Some(init) = records.iter().rposition(|(_, kind)| *kind == RecordType::INIT) {
        records.truncate(init);
    }
    records
}

/// The first records, in words.
pub fn brief(records: &[(LogPosition, RecordType)]) -> String {
    let mut text = String::new();
    for (position, kind) in records.iter().take(12) {
        text.push_str(&format!("{position} {}; ", kind.name()));
    }
    format!("{text}… {} records", records.len())
}

/// The canonical dump of a database, behind its first line, which names the file.
pub fn dumped(path: &Path, tables: Tables) -> String {
    let folder = DiskFolder::read_only(path.parent().unwrap());
    let file = folder.open(Path::new(path.file_name().unwrap())).unwrap();
    let database = Database::open(path.display().to_string(), file, 0).unwrap();
    let mut out = Vec::new();
    let summary = dump(&database, "x", tables, &mut out).unwrap();
    assert_eq!(summary.errors, [], "{}", path.display());
    behind_the_name(&String::from_utf8(out).unwrap())
}

/// A dump without its first line.
pub fn behind_the_name(text: &str) -> String {
    text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

/// The first line in which two dumps differ.
pub fn first_difference(ours: &str, theirs: &str) -> Option<String> {
    if let Some((a, b)) = ours.lines().zip(theirs.lines()).find(|(a, b)| a != b) {
        let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(60);
        let cut = |line: &str| line.chars().skip(at).take(200).collect::<String>();
        return Some(format!("{} against {}", cut(a), cut(b)));
    }
    let (a, b) = (ours.lines().count(), theirs.lines().count());
    (a != b).then(|| format!("{a} lines against {b}"))
}
