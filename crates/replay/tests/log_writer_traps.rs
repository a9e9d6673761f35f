//! The log writer's order of writes and its edges (`log-3 §24`).

use anchorlog_format::jet::JetCode;
use anchorlog_format::log::attachments::Attachment;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::names::{Extension, Naming};
use anchorlog_format::log::parameters::Parameters;
use anchorlog_format::log::record::{Operation, RecordType, RecoveryUndo, Trace};
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::units::{DatabaseId, Dbtime, Generation, LogPosition, LogTime, ObjectId, PageSize, SessionId, Signature};
use anchorlog_replay::stream::Clock;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::writer::{Filled, LogWriter, NewGeneration, NewStream};
use anchorlog_storage::disk::DiskFolder;
use anchorlog_storage::{Entry, File, Folder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

/// What a folder was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    Write { file: PathBuf, segment: u64, segments: usize },
    Sync(PathBuf),
    Rename { from: PathBuf, to: PathBuf },
    SyncFolder,
}

#[derive(Default)]
struct Log {
    acts: Mutex<Vec<Act>>,
    fails: Mutex<bool>,
}

/// A folder on disk that notes what it is asked, and fails on demand.
struct Noting {
    disk: DiskFolder,
    log: Arc<Log>,
}

struct NotingFile {
    path: PathBuf,
    file: Arc<dyn File>,
    log: Arc<Log>,
}

impl File for NotingFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if *self.log.fails.lock().unwrap() {
            return Err(io::Error::other("the disk is gone"));
        }
        let act = Act::Write { file: self.path.clone(), segment: offset / 4096, segments: bytes.len() / 4096 };
        self.log.acts.lock().unwrap().push(act);
        self.file.write_at(offset, bytes)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }
    fn sync(&self) -> io::Result<()> {
        self.log.acts.lock().unwrap().push(Act::Sync(self.path.clone()));
        self.file.sync()
    }
}

impl Noting {
    fn noted(&self, path: &Path, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(NotingFile { path: path.into(), file: file?, log: Arc::clone(&self.log) }))
    }
}

impl Folder for Noting {
    fn list(&self) -> io::Result<Vec<Entry>> {
        self.disk.list()
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.disk.open(path)
    }
    fn open_write(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.noted(path, self.disk.open_write(path))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.noted(path, self.disk.create(path))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.log.acts.lock().unwrap().push(Act::Rename { from: from.into(), to: to.into() });
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync(&self) -> io::Result<()> {
        self.log.acts.lock().unwrap().push(Act::SyncFolder);
        self.disk.sync()
    }
}

struct Fixture {
    work: tempfile::TempDir,
    root: Arc<dyn Folder>,
    log: Arc<Log>,
    writer: LogWriter,
}

fn clock() -> Clock {
    let ticks = AtomicU16::new(0);
    Arc::new(move || LogTime::utc(2026, 1, 1, 0, 0, 0, ticks.fetch_add(1, Ordering::Relaxed) % 1000))
}

fn begin() -> NewGeneration {
    NewGeneration {
        checkpoint: LogPosition::new(1, 1, 0),
        attachments: Vec::new(),
        parameters: Parameters::empty(),
        version: LogVersion::segmented(5, 16),
        engine_version: 9600,
        segments: None,
    }
}

fn naming() -> Naming {
    Naming { base: "edb".into(), extension: Extension::Log, wide: false }
}

fn fixture() -> Fixture {
    let work = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::default());
    let root: Arc<dyn Folder> = Arc::new(Noting { disk: DiskFolder::new(work.path()), log: Arc::clone(&log) });
    let stream = NewStream { generation: Generation(1), random: 7, page_size: PageSize::FOUR_KIB, segments: 16 };
    let files = StreamFiles::empty("", naming());
    let writer = LogWriter::create(Arc::clone(&root), files, &stream, &begin(), clock()).unwrap();
    log.acts.lock().unwrap().clear();
    Fixture { work, root, log, writer }
}

impl Fixture {
    /// Appends a record of this size.
    fn append(&mut self, size: usize) -> LogPosition {
        let text: Vec<u8> = (0..size - 5).map(|i| (i * i / 3).to_le_bytes()[0] | 1).collect();
        let trace = Operation::Trace(Trace { session: SessionId(1), text: &text });
        self.writer.append(&trace).unwrap().expect("the record fits")
    }
    fn acts(&self) -> Vec<Act> {
        std::mem::take(&mut *self.log.acts.lock().unwrap())
    }
    fn writes(&self) -> Vec<(u64, usize)> {
        let segments = |act| match act {
            Act::Write { segment, segments, .. } => Some((segment, segments)),
            _ => None,
        };
        self.acts().into_iter().filter_map(segments).collect()
    }
    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.work.path().join(name)).unwrap()
    }
    fn segment(&self, index: usize) -> Vec<u8> {
        self.file("edb.log")[index * 4096..(index + 1) * 4096].to_vec()
    }
    fn resume(&mut self) {
        let bytes = self.file("edb.log");
        let log = LogFile::open(&bytes).unwrap();
        let files = self.writer.files().clone();
        self.writer = LogWriter::resume(Arc::clone(&self.root), files, &log, true, clock()).unwrap();
    }
    fn positions(&self) -> Vec<LogPosition> {
        let bytes = self.file("edb.log");
        let log = LogFile::open(&bytes).unwrap();
        assert_eq!(log.end().corruption, None);
        log.records().map(|record| record.unwrap().position).collect()
    }
}

#[test]
fn records_read_back_at_the_positions_that_the_writer_gave() {
    let mut fixture = fixture();
    let given: Vec<LogPosition> = [100, 5000, 60, 4056, 30, 9000].into_iter().map(|size| fixture.append(size)).collect();
    fixture.writer.flush().unwrap();
    assert_eq!(fixture.positions(), given);
}

#[test]
fn g56_a_partial_segment_goes_out_before_its_shadow_when_an_older_shadow_stands_there() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    assert_eq!(fixture.writes(), [(1, 2)]);
    fixture.append(100);
    fixture.writer.flush().unwrap();
    let acts = fixture.acts();
    let write = |segment| Act::Write { file: "edb.log".into(), segment, segments: 1 };
    assert_eq!(acts, [write(1), Act::Sync("edb.log".into()), write(2), Act::Sync("edb.log".into())]);
    assert_eq!(fixture.segment(1), fixture.segment(2));
}

#[test]
fn g57_a_segment_that_has_a_shadow_is_finished_alone_before_its_shadow_is_overwritten() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    fixture.writes();
    fixture.append(4056 * 3);
    fixture.writer.flush().unwrap();
    let acts = fixture.acts();
    let write = |segment, segments| Act::Write { file: "edb.log".into(), segment, segments };
    assert_eq!(acts[..4], [write(1, 1), Act::Sync("edb.log".into()), write(2, 2), write(4, 2)]);
    assert_eq!(fixture.positions().len(), 2);
}

#[test]
fn g58_a_full_segment_with_nothing_behind_it_is_copied_over_its_shadow() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    assert!(matches!(fixture.writer.fill_segment(), Filled::Yes(_)));
    fixture.writer.flush().unwrap();
    assert_eq!(fixture.segment(1), fixture.segment(2));
    assert_eq!(fixture.positions().len(), 2);
}

#[test]
fn g59_a_rewritten_segment_counts_once_in_the_accumulated_checksum() {
    let mut fixture = fixture();
    for size in [100, 200, 300, 5000, 40] {
        fixture.append(size);
        fixture.writer.flush().unwrap();
        let bytes = fixture.file("edb.log");
        assert_eq!(LogFile::open(&bytes).unwrap().end().accumulated, fixture.writer.accumulated(), "{size}");
    }
    let accumulated = fixture.writer.accumulated();
    fixture.writer.start_segment();
    fixture.writer.new_generation(&begin()).unwrap();
    let old = fixture.file("edb00001.log");
    let end = LogFile::open(&old).unwrap().end().accumulated;
    assert_eq!(LogHeader::read(&fixture.file("edb.log")).unwrap().previous_accumulated, end);
    assert_eq!(end, accumulated);
}

#[test]
fn g60_a_reopened_log_goes_on_with_the_sum_of_what_the_scan_found() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    fixture.resume();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    let bytes = fixture.file("edb.log");
    assert_eq!(LogFile::open(&bytes).unwrap().end().accumulated, fixture.writer.accumulated());
}

#[test]
fn g64_a_reopened_log_goes_on_in_a_new_segment_and_the_rest_of_the_old_one_stays_zero() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    let before = fixture.segment(1);
    fixture.resume();
    // The writer's view and the reader's differ, and name the same record.
    assert_eq!(fixture.append(100), LogPosition::new(1, 2, 0));
    fixture.writer.flush().unwrap();
    assert_eq!(fixture.segment(1), before);
    assert!(before[140..].iter().all(|&byte| byte == 0));
    assert_eq!(fixture.positions(), [LogPosition::new(1, 1, 0), LogPosition::new(1, 1, 140)]);
}

#[test]
fn g62_the_last_usable_segment_is_never_filled_and_g61_never_used_to_its_last_byte() {
    let mut fixture = fixture();
    while fixture.writer.position().sector < 14 {
        fixture.append(4056);
    }
    fixture.append(100);
    assert_eq!(fixture.writer.fill_segment(), Filled::CloseGeneration);
    assert!(fixture.writer.fits(&[3955]) && !fixture.writer.fits(&[3956]));
    let undo = Operation::RecoveryUndo(RecoveryUndo { time: Some(LogTime::NONE) });
    let long = vec![b'x'; 3956 - 5];
    let trace = Operation::Trace(Trace { session: SessionId(1), text: &long });
    assert_eq!(fixture.writer.append(&trace).unwrap(), None);
    assert!(fixture.writer.append(&undo).unwrap().is_some());
    fixture.writer.new_generation(&begin()).unwrap();
    assert_eq!(fixture.writer.append(&trace).unwrap(), Some(LogPosition::new(2, 1, 0)));
    let full = fixture.file("edb00001.log");
    let log = LogFile::open(&full).unwrap();
    assert_eq!(log.end().position, LogPosition::new(1, 15, 0));
    assert!(log.bytes()[15 * 4096 - 1] == 0 && log.bytes()[15 * 4096..].iter().all(|&byte| byte == 0));
}

#[test]
fn g63_with_less_than_five_bytes_free_there_is_no_fill() {
    let mut fixture = fixture();
    assert_eq!(fixture.writer.fill_segment(), Filled::Unused);
    fixture.append(4056 - 4);
    assert_eq!(fixture.writer.fill_segment(), Filled::NoRoom);
    fixture.writer.flush().unwrap();
    assert_eq!(fixture.writes(), [(1, 2)]);
    let mut exact = self::fixture();
    exact.append(4056 - 5);
    assert_eq!(exact.writer.fill_segment(), Filled::Yes(LogPosition::new(1, 1, 4091)));
}

#[test]
fn g65_g66_the_next_log_is_whole_before_the_renames_and_the_archive_is_renamed_first() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.new_generation(&begin()).unwrap();
    let acts = fixture.acts();
    let rename = |from: &str, to: &str| Act::Rename { from: from.into(), to: to.into() };
    let expected = [
        Act::Write { file: "edb.log".into(), segment: 1, segments: 1 },
        Act::Sync("edb.log".into()),
        Act::Write { file: "edbtmp.log".into(), segment: 0, segments: 1 },
        Act::Sync("edbtmp.log".into()),
        rename("edb.log", "edb00001.log"),
        Act::SyncFolder,
        rename("edbtmp.log", "edb.log"),
        Act::SyncFolder,
    ];
    assert_eq!(acts, expected);
    // Nothing goes into the new generation before the caller flushes.
    fixture.append(100);
    assert_eq!(fixture.acts(), []);
}

#[test]
fn g67_the_new_header_carries_the_old_creation_time_and_never_its_own() {
    let mut fixture = fixture();
    let first = fixture.writer.header().clone();
    let still: Clock = Arc::new(|| LogTime::utc(2026, 1, 1, 0, 0, 0, 0));
    fixture.append(10);
    fixture.writer.flush().unwrap();
    let bytes = fixture.file("edb.log");
    let log = LogFile::open(&bytes).unwrap();
    let files = fixture.writer.files().clone();
    let mut writer = LogWriter::resume(Arc::clone(&fixture.root), files, &log, true, still).unwrap();
    for _ in 0..3 {
        let before = writer.header().clone();
        let next = writer.new_generation(&begin()).unwrap();
        assert_eq!((next.previous_created, next.signature), (before.created, first.signature));
        assert_ne!(next.created, before.created);
    }
    assert_eq!(writer.generation(), Generation(4));
}

#[test]
fn g81_once_circular_stays_known() {
    let mut fixture = fixture();
    let mut circular = begin();
    circular.parameters.flags = 1;
    assert_eq!(fixture.writer.new_generation(&circular).unwrap().flags, 2);
    assert_eq!(fixture.writer.new_generation(&circular).unwrap().flags, 6);
    assert_eq!(fixture.writer.new_generation(&begin()).unwrap().flags, 4);
    assert_eq!(fixture.writer.new_generation(&begin()).unwrap().flags, 4);
}

#[test]
fn g82_the_version_never_falls() {
    let mut fixture = fixture();
    let wanted = NewGeneration { version: LogVersion::segmented(4, 30), ..begin() };
    assert_eq!(fixture.writer.new_generation(&wanted).unwrap().version(), LogVersion::segmented(5, 30));
}

#[test]
fn g83_a_new_size_begins_with_a_new_generation_and_stands_in_its_header() {
    let mut fixture = fixture();
    let larger = NewGeneration { segments: Some(32), ..begin() };
    fixture.writer.new_generation(&larger).unwrap();
    assert_eq!(fixture.file("edb.log").len(), 32 * 4096);
    for _ in 0..20 {
        fixture.append(4056);
    }
    fixture.writer.flush().unwrap();
    assert_eq!(fixture.positions().len(), 20);
}

#[test]
fn g84_a_file_in_preparation_is_emptied_whatever_it_held() {
    let mut fixture = fixture();
    std::fs::write(fixture.work.path().join("edbtmp.log"), vec![0xEE; 20 * 4096]).unwrap();
    fixture.writer.new_generation(&begin()).unwrap();
    let bytes = fixture.file("edb.log");
    assert!(bytes.len() == 16 * 4096 && bytes[4096..].iter().all(|&byte| byte == 0));
    assert!(!fixture.work.path().join("edbtmp.log").exists());
    fixture.writer.prepare_next().unwrap();
    assert!(fixture.file("edbtmp.log").iter().all(|&byte| byte == 0));
}

#[test]
fn g85_a_failed_write_takes_the_log_down_for_good() {
    let mut fixture = fixture();
    fixture.append(100);
    *fixture.log.fails.lock().unwrap() = true;
    assert!(fixture.writer.flush().is_err());
    *fixture.log.fails.lock().unwrap() = false;
    let undo = Operation::RecoveryUndo(RecoveryUndo { time: None });
    assert_eq!(fixture.writer.flush().unwrap_err().jet, JetCode::LOG_WRITE_FAIL);
    assert_eq!(fixture.writer.append(&undo).unwrap_err().jet, JetCode::LOG_WRITE_FAIL);
    assert_eq!(fixture.writer.new_generation(&begin()).unwrap_err().jet, JetCode::LOG_WRITE_FAIL);
}

#[test]
fn a_generation_closed_without_any_record_gets_one_segment_of_padding() {
    let mut fixture = fixture();
    fixture.writer.new_generation(&begin()).unwrap();
    let old = fixture.file("edb00001.log");
    let log = LogFile::open(&old).unwrap();
    assert_eq!((log.end().last_segment, log.records().count()), (Some(1), 0));
}

#[test]
fn a_log_that_is_only_archived_or_full_or_legacy_is_followed_by_a_new_generation() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    let bytes = fixture.file("edb.log");
    let log = LogFile::open(&bytes).unwrap();
    std::fs::rename(fixture.work.path().join("edb.log"), fixture.work.path().join("edb00001.log")).unwrap();
    let mut files = StreamFiles::empty("", naming());
    files.archives.insert(Generation(1), "edb00001.log".into());
    let mut writer = LogWriter::resume(Arc::clone(&fixture.root), files, &log, false, clock()).unwrap();
    assert!(!writer.fits(&[1]));
    let header = writer.new_generation(&begin()).unwrap();
    assert_eq!((header.generation, header.previous_accumulated), (Generation(2), log.end().accumulated));
    assert_eq!(fixture.file("edb00001.log"), bytes);
}

#[test]
fn a_shadow_that_stood_in_for_its_segment_is_written_back_on_going_on() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.writer.flush().unwrap();
    let good = fixture.file("edb.log");
    let mut torn = good.clone();
    torn[4096 + 60..4096 + 90].fill(0);
    std::fs::write(fixture.work.path().join("edb.log"), &torn).unwrap();
    fixture.resume();
    assert_eq!(fixture.file("edb.log"), good);
}

#[test]
fn records_of_one_call_stay_in_one_generation() {
    let mut fixture = fixture();
    while fixture.writer.position().sector < 14 {
        fixture.append(4056);
    }
    fixture.append(4000);
    let (a, b) = ([23_u8; 1], [5_u8, 1, 0, 0x11]);
    let many: Vec<&[u8]> = std::iter::repeat_n(&b[..], 14).collect();
    assert_eq!(fixture.writer.append_bytes(&many).unwrap(), None);
    assert!(fixture.writer.append_bytes(&many[..13]).unwrap().is_some());
    assert!(fixture.writer.append_bytes(&[&a]).unwrap().is_some());
    let huge = vec![22; 70_000];
    assert_eq!(fixture.writer.append_bytes(&[&huge]).unwrap_err().jet, JetCode::LOG_BUFFER_TOO_SMALL);
}

#[test]
fn the_list_of_attached_databases_stands_in_the_new_header() {
    let mut fixture = fixture();
    let attachment = Attachment {
        database: DatabaseId(1),
        flags: 0x20,
        dbtime: Dbtime(9),
        object_last: ObjectId(3),
        size_max: 0,
        attach: LogPosition::new(1, 1, 616),
        consistent: LogPosition::NONE,
        signature: Signature::NONE,
        name: b"a\0\0\0".to_vec(),
    };
    let begin = NewGeneration { attachments: vec![attachment.clone()], ..begin() };
    assert_eq!(fixture.writer.new_generation(&begin).unwrap().attachments(), Ok(vec![attachment]));
}

#[test]
fn a_new_stream_begins_with_a_signature_of_its_own_time() {
    let fixture = fixture();
    let header = fixture.writer.header();
    assert_eq!((header.signature.random(), header.signature.created()), (7, header.created));
    assert!(header.previous_created.is_none() && header.previous_accumulated == 0);
    assert_eq!(LogFile::open(&fixture.file("edb.log")).unwrap().end().last_segment, None);
}

#[test]
fn g73_the_first_record_of_an_undo_may_cut_a_record_that_was_never_finished() {
    let mut fixture = fixture();
    fixture.append(100);
    fixture.append(9000);
    fixture.writer.flush().unwrap();
    // The crash leaves the first part of the long record alone.
    let mut bytes = fixture.file("edb.log");
    bytes[2 * 4096..].fill(0);
    std::fs::write(fixture.work.path().join("edb.log"), &bytes).unwrap();
    fixture.resume();
    let undo = Operation::RecoveryUndo(RecoveryUndo { time: Some(LogTime::NONE) });
    assert_eq!(fixture.writer.append(&undo).unwrap(), Some(LogPosition::new(1, 2, 0)));
    fixture.writer.flush().unwrap();
    let bytes = fixture.file("edb.log");
    let log = LogFile::open(&bytes).unwrap();
    let kinds: Vec<RecordType> = log.records().map(|record| record.unwrap().record_type()).collect();
    assert_eq!(kinds, [RecordType(22), RecordType::RECOVERY_UNDO]);
}
