//! Hostile logs: whatever the bytes, reading ends, and never panics.

use anchorlog_checksum::{SEGMENT_SIZE, set_header_xor, set_segment_checksum};
use anchorlog_format::log::attachments;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names;
use anchorlog_format::log::record::{Operation, RecordType, size};
use anchorlog_format::log::text::LoggedText;
use anchorlog_format::units::LogPosition;
use anchorlog_testkit::data::engine_sets;
use proptest::prelude::*;
use std::fs;
use std::sync::OnceLock;

/// A real log with most kinds of records, and its records.
fn seed() -> &'static (Vec<u8>, Vec<Vec<u8>>) {
    static SEED: OnceLock<(Vec<u8>, Vec<Vec<u8>>)> = OnceLock::new();
    SEED.get_or_init(|| {
        let mut records = std::collections::BTreeMap::new();
        let mut longest = Vec::new();
        for set in engine_sets() {
            for name in ["before/log/edb00001.log", "after/log/edb.log"] {
                let Ok(bytes) = fs::read(set.folder().join(name)) else { continue };
                let Ok(log) = LogFile::open(&bytes) else { continue };
                let mut kinds = std::collections::BTreeSet::new();
                for record in log.records().flatten() {
                    kinds.insert(record.record_type().0);
                    records.entry(record.record_type().0).or_insert_with(|| record.bytes.to_vec());
                }
                if kinds.len() > longest.len() {
                    longest = kinds.into_iter().collect();
                    records.insert(255, bytes);
                }
            }
        }
        let log = records.remove(&255).expect("a log");
        (log, records.into_values().collect())
    })
}

/// Reads everything that there is to read.
fn read_all(bytes: &[u8]) {
    let Ok(log) = LogFile::open(bytes) else { return };
    let bound = bytes.len() + 16;
    let mut positions = Vec::new();
    for record in log.records().take(bound) {
        let Ok(record) = record else { break };
        if let Ok(operation) = record.operation() {
            let _ = operation.describe();
        }
        positions.push(record.position);
    }
    assert!(positions.len() < bound, "records never end");
    assert!(positions.is_sorted());
    let middle = positions.get(positions.len() / 2).copied().unwrap_or(LogPosition::MAX);
    assert!(log.records_from(middle).take(bound).count() < bound);
    let _ = (log.was_closed_cleanly(), log.header().attachments());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_decode_or_are_refused_and_what_decodes_encodes_to_itself(kind in 0_u8..110, tail in proptest::collection::vec(any::<u8>(), 0..700)) {
        let bytes = [&[kind][..], &tail].concat();
        if let Ok(length) = size(&bytes) {
            if let Some(exact) = bytes.get(..length)
                && let Ok(operation) = Operation::decode(exact)
            {
                prop_assert_eq!(operation.encode().unwrap(), exact);
                prop_assert_eq!(operation.record_type(), RecordType(kind));
                let _ = operation.describe();
            }
        }
        let _ = Operation::decode(&bytes);
    }

    #[test]
    fn mutated_real_records_decode_or_are_refused(which in any::<prop::sample::Index>(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let (_, records) = seed();
        let mut bytes = which.get(records).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            let _ = size(bytes);
            if let Ok(operation) = Operation::decode(bytes) {
                prop_assert_eq!(operation.encode().unwrap(), bytes);
                let _ = operation.describe();
                if let Operation::ReplaceDifference(replace) = operation {
                    let _ = replace.apply(&vec![7; replace.old_size.into()]);
                }
            }
        }
    }

    #[test]
    fn logs_with_changed_segments_are_read_to_some_end(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..20), length in any::<prop::sample::Index>()) {
        let mut bytes = seed().0.clone();
        for (at, value, seal) in changes {
            let at = SEGMENT_SIZE + at.index(bytes.len() - SEGMENT_SIZE);
            bytes[at] = value;
            if seal {
                let index = at / SEGMENT_SIZE;
                let segment = (&mut bytes[index * SEGMENT_SIZE..(index + 1) * SEGMENT_SIZE]).try_into().unwrap();
                set_segment_checksum(segment, u32::try_from(index).unwrap());
            }
        }
        read_all(&bytes);
        read_all(&bytes[..length.index(bytes.len())]);
    }

    #[test]
    fn headers_of_any_content_are_checked(changes in proptest::collection::vec((0_usize..4096, any::<u8>()), 1..12), legacy in any::<bool>()) {
        let mut bytes = seed().0.clone();
        if legacy {
            let mut header = LogHeader::read(&bytes).unwrap();
            (header.major, header.minor, header.update_major) = (7, 3704, 15);
            bytes[..4096].copy_from_slice(&header.to_bytes());
        }
        for (at, value) in changes {
            bytes[at] = value;
        }
        set_header_xor(&mut bytes[..4096]);
        read_all(&bytes);
    }

    #[test]
    fn legacy_logs_of_any_content_are_read(tail in proptest::collection::vec(any::<u8>(), 0..3000), small in any::<bool>()) {
        let mut header = LogHeader::read(&seed().0).unwrap();
        (header.major, header.minor, header.update_major) = (7, 3704, 15);
        if small {
            (header.sector_size, header.header_sectors, header.sectors) = (512, 8, 128);
        }
        let mut bytes = header.to_bytes();
        bytes.extend([42, 0, 0, 0, 0]);
        bytes.extend(tail);
        read_all(&bytes);
    }

    #[test]
    fn lists_checkpoints_names_and_texts_of_any_content(bytes in proptest::collection::vec(any::<u8>(), 0..9000), name in ".{0,24}") {
        if let Ok(list) = attachments::read(&bytes) {
            for entry in &list {
                let _ = entry.path().file_name();
            }
            if let Ok(written) = attachments::write(&list) {
                prop_assert_eq!(attachments::read(&written), Ok(list));
            }
        }
        let _ = Checkpoint::check(&bytes);
        let mut sealed = bytes.clone();
        sealed.resize(8192, 0);
        set_header_xor(&mut sealed[..4096]);
        let _ = Checkpoint::check(&sealed).map(|checkpoint| checkpoint.attachments());
        let _ = names::parse(&name);
        for utf16 in [false, true] {
            let _ = LoggedText { bytes: &bytes, utf16 }.to_string();
        }
    }
}
