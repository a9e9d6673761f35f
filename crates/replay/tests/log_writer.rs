//! The log writer against the engine's own logs: fed with the records and times of a log file, it makes that file again, byte for byte.

use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::{HEADER_SIZE, LogHeader};
use anchorlog_format::log::names::{self, Extension, Naming, Role};
use anchorlog_format::log::scan::Tail;
use anchorlog_format::log::segment::{SEGMENT_SIZE, SegmentHeader};
use anchorlog_format::units::{LogPosition, LogTime};
use anchorlog_replay::stream::Clock;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::writer::{LogWriter, NewGeneration};
use anchorlog_storage::overlay::OverlayFolder;
use anchorlog_storage::{Folder, read_all};
use anchorlog_testkit::data::{engine_sets, real_sets};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The final state of each generation of each stream folder of a set, by generation.
fn streams(folder: &Path) -> Vec<BTreeMap<u32, Vec<u8>>> {
    let mut by_folder: BTreeMap<PathBuf, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_log = names::parse(&name).is_some_and(|name| matches!(name.role, Role::Current(_) | Role::Archive { .. }));
            if !is_log {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            if let Ok(header) = LogHeader::check(&bytes) {
                by_folder.entry(at.clone()).or_default().insert(header.generation.0, bytes);
            }
        }
    }
    // What a recovery left unchanged is not repeated in `after`.
    if let (Some(before), Some(after)) =
        (by_folder.get(&folder.join("before/log")).cloned(), by_folder.get_mut(&folder.join("after/log")))
    {
        for (generation, bytes) in before {
            after.entry(generation).or_insert(bytes);
        }
    }
    by_folder.into_values().collect()
}

struct Times(Mutex<VecDeque<LogTime>>);

/// Feeds a generation's records to the writer; false where the log holds a record that was never finished, which no writer makes.
fn feed(writer: &mut LogWriter, log: &LogFile<'_>) {
    for record in log.records() {
        let record = record.unwrap();
        let at = writer.position();
        let first = record.writer_position.byte == 0 && record.writer_position.sector != at.sector;
        let room = SEGMENT_SIZE - usize::from(at.byte);
        if first && at.byte != 0 && (room >= 32 || room >= record.bytes.len()) {
            writer.start_segment();
        }
        while writer.position().sector < record.writer_position.sector && writer.position().byte == 0 {
            panic!("a segment is missing before {}", record.position);
        }
        let position = writer.append_bytes(&[&record.bytes]).unwrap().expect("the record fits where it stood");
        let writer_view = if position.byte == 0 { record.writer_position } else { record.position };
        assert!(position == writer_view || position == record.position, "{position} {record:?}");
    }
}

fn has_torn_record(log: &LogFile<'_>) -> bool {
    let mut open = false;
    let Some(last) = log.end().last_segment else { return false };
    for index in 1..=last {
        let segment = &log.bytes()[usize::from(index) * SEGMENT_SIZE..][..SEGMENT_SIZE];
        let mut at = 40;
        while at < SEGMENT_SIZE && segment[at] != 0 {
            match segment[at] {
                77 => open = usize::from(u16::from_le_bytes([segment[at + 1], segment[at + 2]])) == 4053 && open,
                _ if open => return true,
                76 => open = true,
                _ => {}
            }
            at += anchorlog_format::log::record::size(&segment[at..]).unwrap();
        }
    }
    open
}

fn begin(header: &LogHeader) -> NewGeneration {
    NewGeneration {
        checkpoint: header.checkpoint,
        attachments: header.attachments().unwrap(),
        parameters: header.parameters.clone(),
        version: header.version(),
        engine_version: header.engine_version,
        segments: Some(header.sectors),
    }
}

#[test]
fn the_engines_logs_are_written_again_byte_for_byte() {
    let (mut generations, mut shadows, mut torn, mut early) = (0, 0, 0, 0);
    let mut problems = Vec::new();
    let mut sets = engine_sets();
    sets.extend(real_sets());
    for set in sets {
        for stream in streams(&set.folder()) {
            let list: Vec<(&u32, &Vec<u8>)> = stream.iter().collect();
            for pair in list.windows(2) {
                let [(before, first), (generation, bytes)] = pair else { continue };
                let (Ok(first), Ok(log)) = (LogFile::open(first), LogFile::open(bytes)) else { continue };
                let follows = **before + 1 == **generation && first.header().created == log.header().previous_created;
                if !follows || log.header().version().is_legacy() || first.header().version().is_legacy() {
                    continue;
                }
                if has_torn_record(&log) {
                    torn += 1;
                    continue;
                }
                let root: Arc<dyn Folder> = Arc::new(OverlayFolder::in_memory(64 << 20));
                let mut times = VecDeque::from([log.header().created]);
                let last = log.end().last_segment.unwrap_or(0);
                for index in 1..=last {
                    let head = SegmentHeader::read(&log.bytes()[usize::from(index) * SEGMENT_SIZE..]).unwrap();
                    if head.started != LogTime::NONE {
                        times.push_back(head.started);
                    }
                }
                let times = Arc::new(Times(Mutex::new(times)));
                let queue = Arc::clone(&times);
                let clock: Clock = Arc::new(move || queue.0.lock().unwrap().pop_front().expect("a time for each segment"));
                let naming = Naming { base: "edb".into(), extension: Extension::Log, wide: false };
                let files = StreamFiles::empty("", naming);
                let mut writer = LogWriter::resume(Arc::clone(&root), files, &first, false, clock).unwrap();
                // Resumed as an archived log: nothing is written to what stands before.
                let name = format!("{} generation {generation:#x}", set.name);
                writer.new_generation(&begin(log.header())).unwrap();
                feed(&mut writer, &log);
                writer.flush().unwrap();
                let partial = writer.position().byte != 0;
                let ours = read_all(&*root.open(Path::new("edb.log")).unwrap(), 64 << 20).unwrap();
                generations += 1;
                let mut same = |what: String, ours: &[u8], theirs: &[u8]| {
                    if ours != theirs {
                        let at = ours.iter().zip(theirs).position(|(a, b)| a != b).unwrap_or(0);
                        problems.push(format!("{name}: {what} differs from byte {at:#x} on"));
                    }
                };
                let header = |bytes: &[u8]| {
                    let mut header = LogHeader::read(&bytes[..HEADER_SIZE]).unwrap();
                    // Behind the list's end the engine may leave what stood there before.
                    let list = anchorlog_format::log::attachments::write(&header.attachments().unwrap()).unwrap();
                    header.attachment_list = list;
                    header.flags &= !1;
                    // Engines that do not name themselves do not know the field of the accumulated checksum either.
                    if log.header().engine_version == 0 {
                        header.previous_accumulated = 0;
                    }
                    header.to_bytes()
                };
                same("header".into(), &header(&ours), &header(bytes));
                let used = writer_last(&ours);
                for index in 1..=last {
                    let at = usize::from(index) * SEGMENT_SIZE..(usize::from(index) + 1) * SEGMENT_SIZE;
                    let padding = SegmentHeader::read(&log.bytes()[at.clone()]).unwrap().started == LogTime::NONE;
                    if padding && index > used {
                        early += 1;
                        continue;
                    }
                    same(format!("segment {index:#x}"), &ours[at.clone()], &log.bytes()[at]);
                }
                if log.end().tail == Tail::Shadow && partial {
                    let at = (usize::from(last) + 1) * SEGMENT_SIZE;
                    let theirs = &bytes[at..at + SEGMENT_SIZE];
                    let own = SegmentHeader::read(theirs).unwrap().position == LogPosition::new(**generation, last, 0);
                    if own {
                        shadows += 1;
                        same("shadow".into(), &ours[at..at + SEGMENT_SIZE], theirs);
                    }
                }
            }
        }
    }
    eprintln!("{generations} generations, {shadows} shadows, {torn} with a torn record, {early} padding segments");
    for problem in problems.iter().take(40) {
        eprintln!("{problem}");
    }
    assert!(problems.is_empty(), "{} differences", problems.len());
    assert!(generations > 0);
}

fn writer_last(bytes: &[u8]) -> u16 {
    LogFile::open(bytes).unwrap().end().last_segment.unwrap_or(0)
}
