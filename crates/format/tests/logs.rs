//! Every log of every set: header, end, records, and the records' bytes made again from what was decoded.

use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names::{self, Role};
use anchorlog_testkit::data::{EngineSet, engine_sets, real_sets};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// All files below a folder, ascending.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed").flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn all_sets() -> Vec<EngineSet> {
    let mut sets = engine_sets();
    sets.extend(real_sets());
    sets
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    names::parse(name).is_some_and(|name| matches!(name.role, Role::Current(_) | Role::Archive { .. }))
}

#[test]
fn every_record_of_every_log_decodes_and_re_encodes_to_its_bytes() {
    let (mut logs, mut records, mut kinds) = (0, 0_u64, BTreeMap::new());
    for set in all_sets() {
        for path in files(&set.folder()).into_iter().filter(|path| is_log(path)) {
            let bytes = fs::read(&path).expect("the file can be read");
            let log = LogFile::open(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            logs += 1;
            assert_eq!(log.end().corruption, None, "{}", path.display());
            assert!(log.end().repairs.is_empty(), "{}", path.display());
            for record in log.records() {
                let record = record.unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
                let operation = record.operation().unwrap_or_else(|error| panic!("{}: {record:?}: {error}", path.display()));
                assert_eq!(operation.encode().unwrap(), record.bytes.as_ref(), "{} {operation:?}", path.display());
                assert_eq!(operation.record_type(), record.record_type());
                *kinds.entry(record.record_type()).or_insert(0_u64) += 1;
                records += 1;
            }
        }
    }
    eprintln!("{logs} logs, {records} records: {kinds:?}");
    assert!(logs > 0 && records > 0);
}

#[test]
fn every_header_is_made_again_from_its_fields() {
    for set in all_sets() {
        for path in files(&set.folder()).into_iter().filter(|path| is_log(path)) {
            let bytes = fs::read(&path).expect("the file can be read");
            let Ok(header) = LogHeader::check(&bytes) else { continue };
            assert!(header.to_bytes() == bytes[..4096], "{}", path.display());
            let list = header.attachments().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let written = anchorlog_format::log::attachments::write(&list).unwrap();
            // Behind the end of the list an engine may leave what stood there before.
            let used: usize = list.iter().map(|entry| 64 + entry.name.len()).sum();
            assert!(written[..=used] == header.attachment_list[..=used], "{}", path.display());
        }
    }
}

#[test]
fn y12_every_checkpoint_is_made_again_from_its_fields_and_old_ones_have_no_list() {
    let mut seen = 0;
    for set in all_sets() {
        for path in files(&set.folder()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !names::parse(name).is_some_and(|name| matches!(name.role, Role::Checkpoint(_))) {
                continue;
            }
            let bytes = fs::read(&path).expect("the file can be read");
            let checkpoint = Checkpoint::check(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(checkpoint.to_file() == bytes[..8192], "{}", path.display());
            let list = checkpoint.attachments().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if set.name.contains("-w7-") || set.name.contains("ws2003") {
                assert!(list.is_none() && checkpoint.consistency_field.is_none(), "{}", path.display());
            }
            assert!(checkpoint.position <= checkpoint.consistency(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
}
