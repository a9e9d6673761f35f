//! How runs begin and end: traps of `log-5 §21` and `log-8 §13`, on the engine's crash states and on logs that were written on by hand.

mod common;

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::record::{Bare, Operation, RecordType, Trace};
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::page::Page;
use anchorlog_format::units::{BackupInfo, DatabaseId, Dbtime, Generation, LogPosition, LogTime, ObjectId, SessionId};
use anchorlog_replay::headers::{self, Closing, Here};
use anchorlog_replay::run::{self, Ending, Failure, Options, Report};
use anchorlog_replay::stop::Stop;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::link::LogLink;
use anchorlog_replay::stream::writer::LogWriter;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{engine_set, engine_sets};
use anchorlog_testkit::differ::{header_of, page_differences, pages};
use common::compare::record_types;
use common::files::{contents, crash_of, cut_by_hand, databases, logs, positions, seal};
use common::{ambient, chain, setup, told};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn crash(name: &str) -> Option<tempfile::TempDir> {
    crash_of(&engine_set(name)?)
}

fn recover(root: &Path) -> Result<Report, Failure> {
    run::replay(&setup(root, Options::default()), &ambient(), &mut ())
}

fn recovered(root: &Path) -> Report {
    recover(root).unwrap_or_else(|failure| panic!("{} {}", failure.error.jet, failure.error))
}

/// Writes records on behind the end of the current log.
fn write_on(root: &Path, write: impl FnOnce(&mut LogWriter)) {
    let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(root));
    let files = StreamFiles::find(&*folder, Path::new("log")).unwrap().into_iter().find(|files| files.current.is_some()).unwrap();
    let bytes = fs::read(root.join(files.current.as_ref().unwrap())).unwrap();
    let log = LogFile::open(&bytes).unwrap();
    let clock = Arc::new(|| LogTime::utc(2029, 9, 9, 9, 9, 9, 9));
    let mut writer = LogWriter::resume(folder, files, &log, true, clock).unwrap();
    write(&mut writer);
    writer.flush().unwrap();
}

fn trace<'a>() -> Operation<'a> {
    Operation::Trace(Trace { session: SessionId(1), text: b"by hand" })
}

/// What recovery logged, padding aside.
fn logged(root: &Path, report: &Report) -> Vec<(LogPosition, RecordType)> {
    let mut types = record_types(&[&root.join("log")], report.end);
    types.retain(|(_, kind)| !kind.is_padding());
    types
}

const UNDO: RecordType = RecordType::RECOVERY_UNDO;
const MARK: RecordType = RecordType::SHUT_DOWN_MARK;
const QUIT: RecordType = RecordType::RECOVERY_QUIT;

#[test]
fn z1_z4_undo_is_announced_also_where_there_is_nothing_to_undo_and_each_part_begins_a_segment() {
    let Some(work) = crash("micro-insert") else { return };
    let report = recovered(work.path());
    assert_eq!(report.undone.changes, 0);
    let logged = logged(work.path(), &report);
    assert_eq!(logged.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), [UNDO, MARK, QUIT]);
    assert_eq!((logged[0].0.byte, logged[2].0.byte), (0, 0));
    let (_, bytes) = &logs(work.path())[&logged[2].0.generation];
    let log = LogFile::open(bytes).unwrap();
    let quit = log.records().map(|record| record.unwrap()).find(|record| record.record_type() == QUIT).unwrap();
    let Operation::RecoveryQuit(quit) = quit.operation().unwrap() else { panic!() };
    assert_eq!((quit.begin, quit.redo_from, quit.hard), (logged[0].0, report.start, 0));
}

#[test]
fn z2_the_last_segment_with_records_stays_as_it_is_even_where_it_is_partly_filled() {
    for name in ["micro-insert", "micro-tx-uncommitted", "micro-lazy-commit"] {
        let Some(work) = crash(name) else { continue };
        let before = fs::read(work.path().join("log/edb.log")).unwrap();
        let last = usize::from(LogFile::open(&before).unwrap().end().last_segment.unwrap());
        let generation = LogFile::open(&before).unwrap().header().generation;
        recovered(work.path());
        let (_, after) = &logs(work.path())[&generation];
        assert!(before[..(last + 1) * 4096] == after[..(last + 1) * 4096], "{name}");
        assert!(LogFile::open(after).unwrap().end().last_segment.unwrap() > u16::try_from(last).unwrap(), "{name}");
    }
}

#[test]
fn z3_deleted_nodes_stay_and_no_page_is_merged_in_recovery() {
    let Some(whole) = crash("micro-delete") else { return };
    let redo_only = crash("micro-delete").unwrap();
    let options = Options { undo: false, ..Options::default() };
    run::replay(&setup(redo_only.path(), options), &ambient(), &mut ()).unwrap_or_else(|failure| panic!("{}", failure.error));
    recovered(whole.path());
    let mut deleted = 0;
    for ((path, a), (_, b)) in databases(whole.path()).iter().zip(&databases(redo_only.path())) {
        assert_eq!(page_differences(a, b), [], "{}", path.display());
        for (_, image) in pages(a) {
            let page = Page::new(image).unwrap();
            deleted += (0..page.lines()).filter(|&line| page.line(line).unwrap().flags.is_deleted()).count();
        }
    }
    assert!(deleted > 0);
}

/// Fills the current log so that recovery begins in its segment `wanted`.
fn fill_up_to(root: &Path, wanted: u16) {
    write_on(root, |writer| {
        while writer.position().sector < wanted {
            writer.append(&trace()).unwrap().unwrap();
            writer.fill_segment();
        }
    });
}

#[test]
fn z5_z6_a_mark_in_the_last_usable_segment_closes_the_generation_and_the_next_one_links_to_all_of_it() {
    let Some(work) = crash("micro-insert") else { return };
    let header = LogFile::open(&fs::read(work.path().join("log/edb.log")).unwrap()).unwrap().header().clone();
    let last = header.geometry().last_usable();
    fill_up_to(work.path(), last);
    let report = recovered(work.path());
    let logged = logged(work.path(), &report);
    assert_eq!(logged.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), [UNDO, MARK, QUIT]);
    let (own, next) = (header.generation, Generation(header.generation.0 + 1));
    assert_eq!((logged[0].0, logged[1].0.sector), (LogPosition::new(own.0, last, 0), last));
    assert_eq!(logged[2].0, LogPosition::new(next.0, 1, 0));
    assert!(work.path().join("log/edbtmp.log").is_file());
    // The chain holds, the sum over what recovery appended included.
    let headers = chain(&setup(work.path(), Options::default()).logs).unwrap();
    let generations: Vec<Generation> = headers.iter().map(|header| header.generation).collect();
    assert_eq!(generations, [own, next]);
}

#[test]
fn a_full_log_makes_undo_begin_a_generation() {
    let Some(work) = crash("micro-insert") else { return };
    let header = LogFile::open(&fs::read(work.path().join("log/edb.log")).unwrap()).unwrap().header().clone();
    fill_up_to(work.path(), header.geometry().last_usable());
    write_on(work.path(), |writer| {
        // The last usable segment is never filled: it is written as far as it goes.
        writer.append(&trace()).unwrap().unwrap();
    });
    let report = recovered(work.path());
    assert_eq!(logged(work.path(), &report)[0], (LogPosition::new(header.generation.0 + 1, 1, 0), UNDO));
}

#[test]
fn z7_a_list_of_databases_with_an_old_page_time_is_no_maximum() {
    let Some(work) = crash("mixed-4k-efv8920") else { return };
    recovered(work.path());
    let before = databases(work.path());
    // Without its checkpoint the stream is read again from its first log on, with the lists of its headers.
    fs::remove_file(work.path().join("log/edb.chk")).unwrap();
    let report = recovered(work.path());
    assert_eq!(report.ending, Ending::Clean);
    for (path, after) in databases(work.path()) {
        let (a, b) = (header_of(&before[&path]).header, header_of(&after).header);
        assert_eq!((a.dbtime, a.state, a.consistent_position), (b.dbtime, b.state, b.consistent_position), "{}", path.display());
        assert_eq!(page_differences(&after, &before[&path]), []);
    }
}

#[test]
fn z8_growth_is_counted_again_by_every_replay() {
    let Some(set) = engine_set("micro-extend") else { return };
    let counts = |root: &Path| databases(root).values().map(|bytes| header_of(bytes).header.extend_count).collect::<Vec<_>>();
    let work = crash_of(&set).unwrap();
    let first = counts(work.path());
    let redo_only = || Options { undo: false, ..Options::default() };
    let replay = |root: &Path| {
        run::replay(&setup(root, redo_only()), &ambient(), &mut ()).unwrap_or_else(|failure| panic!("{}", failure.error));
        counts(root)
    };
    let (second, third) = (replay(work.path()), replay(work.path()));
    assert!(second > first);
    assert_eq!(third[0] - second[0], second[0] - first[0]);
}

#[test]
fn z10_z12_w15_w17_headers_close_at_the_mark_with_the_highest_page_time_of_any_record() {
    for name in ["micro-tx-uncommitted", "micro-multi-db", "mixed-8k-2db", "micro-attach-detach", "micro-delete"] {
        let Some(work) = crash(name) else { continue };
        let report = recovered(work.path());
        let mark = logged(work.path(), &report).iter().find(|(_, kind)| *kind == MARK).map(|(position, _)| *position).unwrap();
        // Highest page times by database signature, over all logs, those of undo included.
        let mut highest: std::collections::BTreeMap<DatabaseId, Dbtime> = std::collections::BTreeMap::new();
        let mut slots = std::collections::HashMap::new();
        for (_, bytes) in logs(work.path()).values() {
            for record in LogFile::open(bytes).unwrap().records() {
                let record = record.unwrap();
                let operation = record.operation().unwrap();
                match &operation {
                    Operation::AttachDatabase(attach) => drop(slots.insert(attach.signature, attach.database)),
                    Operation::CreateDatabase(create) => drop(slots.insert(create.signature, create.database)),
                    _ => {}
                }
                let times = operation.page_head().map(|head| (head.database, head.dbtime));
                let new = if let Operation::NewPage(new) = &operation { Some((new.database, new.dbtime)) } else { None };
                if let Some((database, dbtime)) = times.or(new).filter(|(_, dbtime)| *dbtime < Dbtime::REVERTED_ROOT) {
                    let own = highest.entry(database).or_default();
                    *own = (*own).max(dbtime);
                }
            }
        }
        for database in report.databases.iter().filter(|database| database.replayed) {
            let header = &database.header.as_ref().unwrap().header;
            assert_eq!(header.state, DatabaseState::CleanShutdown, "{name}");
            assert_eq!(header.consistent_position, header.detach_position, "{name}");
            if header.consistent_position == mark {
                assert_eq!(header.recovering, Generation(0), "{name}");
                if let Some(highest) = slots.get(&header.signature).and_then(|slot| highest.get(slot)) {
                    assert!(header.dbtime >= *highest, "{name}: {} against {highest}", header.dbtime);
                }
            }
        }
        assert!(
            report
                .databases
                .iter()
                .any(|database| database.header.as_ref().is_some_and(|page| page.header.consistent_position == mark)),
            "{name}"
        );
    }
}

#[test]
fn z10_a_clean_header_that_still_names_a_generation_being_recovered_is_no_reason_to_refuse() {
    let Some(work) = crash("micro-insert") else { return };
    recovered(work.path());
    let (path, mut bytes) = databases(work.path()).into_iter().next().unwrap();
    let mut page = header_of(&bytes);
    page.header.recovering = Generation(15);
    put_header(&mut bytes, &page);
    fs::write(work.path().join(path), bytes).unwrap();
    fs::remove_file(work.path().join("log/edb.chk")).unwrap();
    assert_eq!(recovered(work.path()).ending, Ending::Clean);
}

fn put_header(file: &mut [u8], page: &HeaderPage) {
    let image = page.to_bytes();
    file[..image.len()].copy_from_slice(&image);
    file[image.len()..2 * image.len()].copy_from_slice(&image);
}

#[test]
fn z11_the_time_of_the_attach_is_that_of_the_replay_only_where_a_record_attached() {
    // Years count from 1900: the clock of these tests stands in 2030.
    let now = |time: LogTime| time.order()[0] == 130;
    let (mut by_record, mut by_list) = (0, 0);
    for set in engine_sets() {
        let Some(work) = crash_of(&set) else { continue };
        let before = databases(work.path());
        let Ok(report) = recover(work.path()) else { continue };
        let attached: Vec<_> = logs(work.path())
            .values()
            .flat_map(|(_, bytes)| {
                let log = LogFile::open(bytes).unwrap();
                let records = log.records().map(|record| record.unwrap()).filter(|record| record.writer_position >= report.start);
                records
                    .filter_map(|record| match record.operation().unwrap() {
                        Operation::AttachDatabase(attach) => Some(attach.signature),
                        _ => None,
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        for (path, after) in databases(work.path()) {
            let (Some(before), after) = (before.get(&path).map(|bytes| header_of(bytes).header), header_of(&after).header) else {
                continue;
            };
            if report.ending != Ending::Recovered || before.state != DatabaseState::DirtyShutdown {
                continue;
            }
            if attached.contains(&after.signature) {
                assert!(now(after.attach_time), "{}", set.name);
                by_record += 1;
            } else {
                assert_eq!(after.attach_time, before.attach_time, "{}", set.name);
                assert!(!now(after.attach_time));
                by_list += 1;
            }
        }
    }
    println!("{by_record} by record, {by_list} by list");
    assert!(by_list > 0);
}

#[test]
fn z27_reserve_logs_are_gone_and_the_next_log_lies_ready_where_a_generation_was_begun() {
    let Some(work) = crash("micro-insert") else { return };
    assert!(work.path().join("log/edbres00001.jrs").is_file());
    recovered(work.path());
    let names: Vec<String> = contents(&work.path().join("log")).keys().map(|path| path.display().to_string()).collect();
    assert!(!names.iter().any(|name| name.ends_with(".jrs")), "{names:?}");
}

#[test]
fn w9_a_torn_end_of_the_log_is_taken_from_its_shadow_and_mended_where_undo_writes_on() {
    let mut tried = 0;
    for set in engine_sets() {
        let Some(work) = crash_of(&set) else { continue };
        let Ok(bytes) = fs::read(work.path().join("log/edb.log")) else { continue };
        let Ok(log) = LogFile::open(&bytes) else { continue };
        let Some(last) = log.end().last_segment else { continue };
        let at = usize::from(last) * 4096;
        // Only a partly filled last segment has a shadow.
        if bytes[at..at + 4096] != bytes[at + 4096..at + 8192] {
            continue;
        }
        let sound = crash_of(&set).unwrap();
        let Ok(expected) = recover(sound.path()) else { continue };
        if expected.ending != Ending::Recovered {
            continue;
        }
        let mut torn = bytes.clone();
        // A regular pattern could cancel itself out in the checksum.
        torn[at + 512..at + 4096].iter_mut().zip((1..=251).cycle()).for_each(|(byte, other)| *byte = other);
        fs::write(work.path().join("log/edb.log"), &torn).unwrap();
        let report = recovered(work.path());
        assert_eq!(report.end, expected.end, "{}", set.name);
        let (ours, theirs) = (contents(work.path()), contents(sound.path()));
        for (path, bytes) in &ours {
            let at = bytes.iter().zip(&theirs[path]).position(|(a, b)| a != b);
            assert_eq!(at, None, "{}: {} differs", set.name, path.display());
        }
        tried += 1;
    }
    println!("{tried} logs");
}

#[test]
fn w10_segments_of_an_older_life_of_the_file_behind_the_end_are_no_records_and_no_damage() {
    let Some(work) = crash("lost-4k-waypoint") else { return };
    let sound = crash("lost-4k-waypoint").unwrap();
    recovered(sound.path());
    let all = logs(work.path());
    let (_, (path, mut bytes)) = all.last_key_value().map(|(generation, log)| (*generation, log.clone())).unwrap();
    let older = &all[&Generation(3)].1;
    let last = usize::from(LogFile::open(&bytes).unwrap().end().last_segment.unwrap());
    // Behind the shadow, as in a file that was used again.
    let from = (last + 2) * 4096;
    bytes[from..].copy_from_slice(&older[from..]);
    fs::write(work.path().join(path), bytes).unwrap();
    let report = recovered(work.path());
    assert_eq!(report.ending, Ending::Recovered);
    let (ours, theirs) = (databases(work.path()), databases(sound.path()));
    for (path, bytes) in &ours {
        assert_eq!(page_differences(bytes, &theirs[path]), []);
    }
}

#[test]
fn w12_a_record_of_which_only_the_first_part_reached_the_log_never_was() {
    let Some(work) = crash("lost-4k-waypoint") else { return };
    let all = logs(work.path());
    let (_, (path, bytes)) = all.last_key_value().unwrap();
    let log = LogFile::open(bytes).unwrap();
    // A record that runs from one segment into the next: the log is cut between.
    let records: Vec<_> = log.records().map(|record| record.unwrap()).collect();
    let cut = records.iter().rposition(|record| record.end.sector > record.writer_position.sector && record.end.byte > 40);
    let Some(at) = cut else { return };
    let mut torn = bytes.clone();
    let behind = (usize::from(records[at].writer_position.sector) + 1) * 4096;
    torn[behind..].fill(0);
    fs::write(work.path().join(path), &torn).unwrap();
    let report = recovered(work.path());
    assert_eq!(report.end, records[at - 1].end);
    // Undo goes on in the next segment, and the stream can be read again over the remains.
    let again = recover(work.path());
    assert!(again.as_ref().is_ok_and(|report| report.ending == Ending::NothingToDo), "{}", told(&again));
    let files = logs(work.path());
    let (_, (_, after)) = files.last_key_value().unwrap();
    assert!(LogFile::open(after).unwrap().records().all(|record| record.is_ok()));
}

#[test]
fn w13_v33_behind_a_shutdown_mark_only_the_end_is_logged_and_some_records_do_not_take_it_away() {
    let neutral = [None, Some(trace())];
    for behind in neutral {
        let Some(work) = crash("micro-insert") else { return };
        let mut mark = LogPosition::NONE;
        write_on(work.path(), |writer| {
            mark = writer.append(&Operation::ShutDownMark(Bare {})).unwrap().unwrap();
            if let Some(behind) = &behind {
                writer.append(behind).unwrap().unwrap();
            }
        });
        let report = recovered(work.path());
        assert_eq!(logged(work.path(), &report).iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), [QUIT]);
        for (path, bytes) in databases(work.path()) {
            assert_eq!(header_of(&bytes).header.consistent_position, mark, "{}", path.display());
        }
    }
}

#[test]
fn w14_a_clean_end_logs_nothing_and_begins_no_generation_w1_also_without_a_checkpoint() {
    let Some(work) = crash("micro-insert") else { return };
    recovered(work.path());
    let before = contents(work.path());
    fs::remove_file(work.path().join("log/edb.chk")).unwrap();
    let report = recovered(work.path());
    assert_eq!(report.ending, Ending::Clean);
    let after = contents(work.path());
    for (path, bytes) in before.iter().filter(|(path, _)| path.starts_with("log") && !path.ends_with("edb.chk")) {
        assert!(*bytes == after[path], "{}", path.display());
    }
    // The new checkpoint stands at the last record.
    let checkpoint = Checkpoint::check(&after[Path::new("log/edb.chk")]).unwrap();
    let last =
        record_types(&[&work.path().join("log")], LogPosition::NONE).into_iter().filter(|(_, kind)| !kind.is_padding()).last();
    assert_eq!(checkpoint.position, last.unwrap().0);
}

#[test]
fn w23_a_database_of_which_pages_were_replaced_recovers_and_an_older_page_in_it_waits_for_its_record() {
    let Some(work) = crash("micro-insert") else { return };
    let sound = crash("micro-insert").unwrap();
    recovered(sound.path());
    let (path, mut bytes) = databases(work.path()).into_iter().next().unwrap();
    let mut page = header_of(&bytes);
    page.header.state = DatabaseState::DirtyAndPatched;
    put_header(&mut bytes, &page);
    fs::write(work.path().join(&path), bytes).unwrap();
    let report = recovered(work.path());
    assert_eq!(report.ending, Ending::Recovered);
    let (ours, theirs) = (&databases(work.path())[&path], &databases(sound.path())[&path]);
    assert_eq!(page_differences(ours, theirs), []);
    assert_eq!(header_of(ours).header.state, DatabaseState::CleanShutdown);
}

#[test]
fn w24_the_first_required_generation_of_before_is_kept_when_an_attach_lowers_it() {
    let (path, bytes) = databases(
        engine_sets()
            .into_iter()
            .find_map(|set| crash_of(&set).filter(|work| !databases(work.path()).is_empty()))
            .unwrap()
            .path(),
    )
    .into_iter()
    .next()
    .unwrap();
    let mut header = header_of(&bytes).header;
    (header.version, header.update, header.minor) = (0x620, 290, 600);
    header.state = DatabaseState::DirtyShutdown;
    (header.min_required, header.max_required, header.min_consistent) = (Generation(9), Generation(12), Generation(10));
    (header.pre_redo_min_required, header.pre_redo_min_consistent) = (Generation(0), Generation(0));
    let here = Here {
        position: LogPosition::new(4, 1, 0),
        created: LogTime::utc(2026, 1, 1, 0, 0, 0, 0),
        stream: header.log_signature,
        now: LogTime::utc(2030, 1, 1, 0, 0, 0, 0),
    };
    headers::attach_before_redo(&mut header, &here);
    assert_eq!((header.min_required, header.pre_redo_min_required), (Generation(4), Generation(9)), "{}", path.display());
    assert_eq!((header.min_consistent, header.pre_redo_min_consistent), (Generation(4), Generation(10)));
}

// traps W25, G69, G71, db-1 D23
#[test]
fn w25_g69_g71_checkpoint_and_required_range_begin_where_they_did_when_databases_stay_dirty() {
    let Some(work) = crash("lost-4k-waypoint") else { return };
    let path = work.path().join("log/edb.chk");
    let before = fs::read(&path).unwrap();
    let first_required =
        |root: &Path| databases(root).values().map(|bytes| header_of(bytes).header.min_required).collect::<Vec<_>>();
    let required = first_required(work.path());
    let options = Options { undo: false, stop: Some(Stop::Generation(Generation(6))), ..Options::default() };
    run::replay(&setup(work.path(), options), &ambient(), &mut ()).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert!(before == fs::read(path).unwrap());
    assert_eq!(first_required(work.path()), required);
}

#[test]
fn w28_the_sum_over_the_log_before_links_only_logs_whose_format_knows_it() {
    let Some(work) = crash("lost-4k-waypoint") else { return };
    let all = logs(work.path());
    let log = |generation: u32| LogFile::open(&all[&Generation(generation)].1).unwrap().header().clone();
    let mut link = LogLink::of(&LogFile::open(&all[&Generation(4)].1).unwrap());
    let mut next: LogHeader = log(5);
    assert!(link.check(&next).is_ok());
    link.accumulated ^= 1;
    assert_eq!(link.check(&next).unwrap_err().jet().0, -590);
    let old = LogVersion::segmented(5, 12);
    (next.update_major, next.update_minor) = (old.update_major, old.update_minor);
    assert!(!next.version().has_accumulated_checksum());
    assert!(link.check(&next).is_ok());
}

#[test]
fn w30_a_stream_at_its_last_generations_is_recovered_and_the_report_says_that_nothing_can_follow() {
    use anchorlog_format::log::names::{Extension, GENERATION_MAX, Naming};
    use anchorlog_format::units::PageSize;
    use anchorlog_replay::stream::writer::{NewGeneration, NewStream};
    let Some(model) = crash("micro-insert") else { return };
    let header = LogFile::open(&fs::read(model.path().join("log/edb.log")).unwrap()).unwrap().header().clone();
    for (generation, said) in [(GENERATION_MAX.0 - 1, false), (GENERATION_MAX.0, true)] {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir(work.path().join("log")).unwrap();
        let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(work.path()));
        let naming = Naming { base: "edb".into(), extension: Extension::Log, wide: true };
        let page_size = PageSize::from_field(4096).unwrap();
        let stream = NewStream { generation: Generation(generation), random: 7, page_size, segments: 16 };
        let begin = NewGeneration {
            checkpoint: LogPosition::new(generation, 1, 0),
            attachments: Vec::new(),
            parameters: header.parameters.clone(),
            version: header.version(),
            engine_version: 0,
            segments: None,
        };
        let clock = Arc::new(|| LogTime::utc(2029, 9, 9, 9, 9, 9, 9));
        let mut writer = LogWriter::create(folder, StreamFiles::empty("log", naming), &stream, &begin, clock).unwrap();
        writer.append(&trace()).unwrap().unwrap();
        writer.flush().unwrap();
        let report = recovered(work.path());
        assert_eq!(report.ending, Ending::Recovered);
        assert_eq!(report.notes.iter().any(|note| note.contains("-548")), said, "{:?}", report.notes);
    }
}

#[test]
fn w33_what_a_restore_left_in_the_header_goes_at_the_clean_end() {
    let (_, bytes) = databases(
        engine_sets()
            .into_iter()
            .find_map(|set| crash_of(&set).filter(|work| !databases(work.path()).is_empty()))
            .unwrap()
            .path(),
    )
    .into_iter()
    .next()
    .unwrap();
    let mut header = header_of(&bytes).header;
    let stamp = BackupInfo { low: Generation(3), high: Generation(5), ..BackupInfo::default() };
    (header.current_backup, header.snapshot_backup) = (stamp, stamp);
    let closing = Closing {
        position: LogPosition::new(7, 1, 57),
        dbtime: Dbtime(9),
        object: ObjectId(3),
        now: LogTime::utc(2030, 1, 1, 0, 0, 0, 0),
    };
    headers::close(&mut header, &closing);
    assert_eq!(
        (header.current_backup, header.snapshot_backup, header.full_backup),
        (BackupInfo::default(), BackupInfo::default(), stamp)
    );
    assert_eq!((header.consistent_position, header.detach_position), (closing.position, closing.position));
}

#[test]
fn w35_the_end_is_clean_by_the_last_segment_alone_where_the_closing_record_is_its_first() {
    let Some(work) = crash("micro-insert") else { return };
    recovered(work.path());
    let bytes = fs::read(work.path().join("log/edb.log")).unwrap();
    let log = LogFile::open(&bytes).unwrap();
    assert!(log.was_closed_cleanly());
    let last = log.records().map(|record| record.unwrap()).filter(|record| !record.record_type().is_padding()).last().unwrap();
    assert_eq!((last.record_type(), last.writer_position.byte), (QUIT, 0));
    assert_eq!(Checkpoint::check(&fs::read(work.path().join("log/edb.chk")).unwrap()).unwrap().position, last.writer_position);
}

#[test]
fn w36_a_creation_without_its_first_pages_is_refused_where_they_are_not_known() {
    use anchorlog_format::units::PageSize;
    let size = |bytes| PageSize::from_field(bytes).unwrap();
    let legacy = LogVersion { major: 7, minor: 3704, update_major: 15, update_minor: 0 };
    let known = anchorlog_replay::implicit::is_known;
    assert!(known(legacy, (1, 0), size(8192)));
    assert!(!known(legacy, (1, 0), size(4096)));
    assert!(!known(legacy, (0, 0), size(8192)));
    assert!(!known(LogVersion { update_major: 6, ..legacy }, (1, 0), size(8192)));
    assert!(!known(LogVersion::segmented(5, 16), (1, 0), size(8192)));
}

#[test]
fn w37_a_database_whose_creation_did_not_end_is_no_database() {
    let Some(work) = crash("lost-4k-waypoint") else { return };
    for path in databases(work.path()).keys() {
        fs::remove_file(work.path().join(path)).unwrap();
    }
    let all = logs(work.path());
    let (path, bytes) = &all[&Generation(1)];
    // Some way into the creation.
    let stop = positions(bytes)[40];
    let cut = cut_by_hand(bytes, stop);
    assert!(!LogFile::open(&cut).unwrap().records().any(|record| record.unwrap().record_type().0 == 79));
    for (other, _) in all.values() {
        fs::remove_file(work.path().join(other)).unwrap();
    }
    _ = path;
    fs::write(work.path().join("log/edb.log"), cut).unwrap();
    let report = recovered(work.path());
    assert_eq!(report.ending, Ending::Recovered);
    assert!(databases(work.path()).is_empty(), "{:?}", databases(work.path()).keys());
}

#[test]
fn a_segment_whose_bit_flipped_is_read_as_it_was() {
    let Some(work) = crash("micro-insert") else { return };
    let sound = crash("micro-insert").unwrap();
    recovered(sound.path());
    let path = work.path().join("log/edb.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 200] ^= 4;
    fs::write(&path, &bytes).unwrap();
    recovered(work.path());
    for (path, bytes) in databases(work.path()) {
        assert_eq!(page_differences(&bytes, &databases(sound.path())[&path]), []);
    }
    // Sealed with the flip it is another log: of this the records that follow say nothing.
    seal(&mut bytes, 1);
}

/// The first shrink of a set's logs: its position and the page that becomes the last.
fn shrink_of(root: &Path) -> Option<(LogPosition, u32)> {
    logs(root).values().find_map(|(_, bytes)| {
        let log = LogFile::open(bytes).unwrap();
        log.records().map(|record| record.unwrap()).find_map(|record| match record.operation().unwrap() {
            Operation::ShrinkDatabase(shrink) | Operation::ShrinkDatabase2(shrink) => {
                Some((record.writer_position, shrink.last_page.0))
            }
            Operation::ShrinkDatabase3(shrink) => Some((record.writer_position, shrink.last_page.0)),
            _ => None,
        })
    })
}

// trap ops-2 O10
#[test]
fn v22_a_shrink_is_redone_up_to_the_last_resize_of_the_header_and_passed_over_behind_it() {
    // The last: a format that does not know the last resize, inside the required range.
    for (resize, cut) in [(Some(0), true), (Some(1), false), (None, false)] {
        let Some(work) = crash("micro-shrink") else { return };
        let (position, last) = shrink_of(work.path()).unwrap();
        let (path, mut bytes) = databases(work.path()).into_iter().next().unwrap();
        let mut page = header_of(&bytes);
        // The file is longer than the shrink will leave it.
        let longer = usize::try_from(page.page_size().file_size(last + 32)).unwrap();
        bytes.resize(longer.max(bytes.len()), 0);
        page.header.resize_position = match resize {
            Some(further) => LogPosition { byte: position.byte + further, ..position },
            None => LogPosition::NONE,
        };
        if resize.is_none() {
            (page.header.update, page.header.minor) = (20, 0);
        }
        page.header.max_required = page.header.max_required.max(position.generation);
        put_header(&mut bytes, &page);
        fs::write(work.path().join(&path), &bytes).unwrap();
        let options = Options { undo: false, stop: Some(Stop::Position(position)), ..Options::default() };
        let made = run::replay(&setup(work.path(), options), &ambient(), &mut ());
        assert!(made.is_ok(), "{}", told(&made));
        let after = fs::metadata(work.path().join(&path)).unwrap().len();
        assert_eq!(after == page.page_size().file_size(last), cut, "{resize:?}: {after} bytes, {last} pages");
    }
}

#[test]
fn v23_a_file_grows_by_its_record_whatever_the_header_says_of_attach_and_required_range() {
    for name in ["micro-growdb", "micro-extend"] {
        let Some(set) = engine_set(name) else { continue };
        let work = crash_of(&set).unwrap();
        let sound = crash_of(&set).unwrap();
        recovered(sound.path());
        let (path, bytes) = databases(work.path()).into_iter().next().unwrap();
        // Pages that were never written lie at the end: without them the file is shorter than its header thinks.
        let size = header_of(&bytes).page_size();
        let used =
            pages(&bytes).filter(|(_, image)| image.iter().any(|&byte| byte != 0)).map(|(number, _)| number.0).max().unwrap();
        let pages_left = |pages: u32| {
            let bytes = &bytes[..usize::try_from(size.file_size(pages)).unwrap().min(bytes.len())];
            fs::write(work.path().join(&path), bytes).unwrap();
        };
        if name == "micro-extend" {
            // Less than the file had before the logs, and they make pages there anew: it is not whole.
            pages_left(31);
            assert_eq!(recover(work.path()).err().map(|failure| failure.error.jet.0), Some(-4001));
        }
        pages_left(used.max(46));
        recovered(work.path());
        let (ours, theirs) = (&databases(work.path())[&path], &databases(sound.path())[&path]);
        assert_eq!(ours.len(), theirs.len(), "{name}");
        assert_eq!(page_differences(ours, theirs), [], "{name}");
    }
}
