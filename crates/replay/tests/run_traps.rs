//! Traps of whole runs that concern several generations: what headers and checkpoints say, and what they do not.

mod common;

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::{BeginOutermost, MacroMark, Operation, RecordType, Trace};
use anchorlog_format::units::{BackupInfo, Dbtime, Generation, LogPosition, LogTime, SessionId, Signature, TransactionId};
use anchorlog_replay::headers::{Here, attach_by_record};
use anchorlog_replay::run::{self, Ending, Options, Report};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::writer::{LogWriter, NewGeneration};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::{engine_set, engine_sets};
use anchorlog_testkit::differ::{header_of, page_differences};
use common::compare::record_types;
use common::files::{crash_of, cut_by_hand, databases, logs};
use common::{ambient, setup, told};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn recovered_with(root: &Path, options: Options) -> Report {
    run::replay(&setup(root, options), &ambient(), &mut ())
        .unwrap_or_else(|failure| panic!("{} {}", failure.error.jet, failure.error))
}

fn recovered(root: &Path) -> Report {
    recovered_with(root, Options::default())
}

fn change_headers(root: &Path, change: impl Fn(&mut HeaderPage)) {
    for (path, mut bytes) in databases(root) {
        let mut page = header_of(&bytes);
        change(&mut page);
        let image = page.to_bytes();
        bytes[..image.len()].copy_from_slice(&image);
        bytes[image.len()..2 * image.len()].copy_from_slice(&image);
        fs::write(root.join(path), bytes).unwrap();
    }
}

// traps db-1 D10, log-5 W38, log-8 Z9
#[test]
fn d10_w38_z9_logs_go_on_behind_what_the_header_last_said_was_begun() {
    let Some(set) = engine_set("lost-4k-waypoint") else { return };
    let sound = crash_of(&set).unwrap();
    let expected = recovered(sound.path());
    for recovering in [0, 5] {
        let work = crash_of(&set).unwrap();
        // The engine writes the header for neither of the two numbers.
        change_headers(work.path(), |page| {
            let header = &mut page.header;
            assert!(header.max_committed > header.max_required);
            header.max_committed = header.max_required;
            header.max_committed_time = LogTime::NONE;
            header.recovering = Generation(recovering);
        });
        let report = recovered(work.path());
        assert_eq!((report.end, report.lost), (expected.end, None));
        for (path, bytes) in databases(work.path()) {
            assert_eq!(page_differences(&bytes, &databases(sound.path())[&path]), [], "{}", path.display());
        }
    }
}

/// Writes records on behind the end of the current log, and more into a generation of its own.
fn write_on(root: &Path, first: &[Operation<'_>], second: &[Operation<'_>]) -> Generation {
    let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(root));
    let files = StreamFiles::find(&*folder, Path::new("log")).unwrap().into_iter().find(|files| files.current.is_some()).unwrap();
    let bytes = fs::read(root.join(files.current.as_ref().unwrap())).unwrap();
    let log = LogFile::open(&bytes).unwrap();
    let header = log.header();
    let begin = NewGeneration {
        checkpoint: header.first_position(),
        attachments: header.attachments().unwrap(),
        parameters: header.parameters.clone(),
        version: header.version(),
        engine_version: header.engine_version,
        segments: None,
    };
    let clock = Arc::new(|| LogTime::utc(2029, 9, 9, 9, 9, 9, 9));
    let mut writer = LogWriter::resume(folder, files, &log, true, clock).unwrap();
    for operation in first {
        writer.append(operation).unwrap().unwrap();
    }
    let generation = writer.new_generation(&begin).unwrap().generation;
    for operation in second {
        writer.append(operation).unwrap().unwrap();
    }
    writer.flush().unwrap();
    generation
}

/// Records from `from` on, padding aside.
fn records(root: &Path, from: LogPosition) -> Vec<(LogPosition, RecordType)> {
    let mut types = record_types(&[&root.join("log")], from);
    types.retain(|(_, kind)| !kind.is_padding());
    types
}

fn trace<'a>() -> Operation<'a> {
    Operation::Trace(Trace { session: SessionId(1), text: b"by hand" })
}

#[test]
fn g39_a_group_that_is_open_at_the_end_of_a_generation_is_open_in_the_next() {
    let Some(work) = engine_set("micro-insert").and_then(|set| crash_of(&set)) else { return };
    let session = SessionId(77);
    let begin = Operation::BeginOutermost(BeginOutermost { session, levels: 1 << 4, transaction: TransactionId(9) });
    let open = Operation::MacroBegin(MacroMark { session, dbtime: Dbtime(1 << 40) });
    let next = write_on(work.path(), &[begin, open], &[trace()]);
    let report = recovered(work.path());
    assert_eq!(report.generations.last(), Some(&next));
    let kinds: Vec<u8> = records(work.path(), report.end).into_iter().map(|(_, kind)| kind.0).collect();
    assert!(kinds.contains(&MACRO_ABORT), "{kinds:?}");
}

/// Type of MacroAbort records.
const MACRO_ABORT: u8 = 13;

#[test]
fn g68_databases_that_came_up_behind_the_checkpoint_are_not_in_its_list_and_none_is_in_that_of_the_end() {
    let (mut behind, mut listed_before) = (0, 0);
    for set in engine_sets().iter().filter(|set| set.name.starts_with("micro-")) {
        let Some(work) = crash_of(set) else { continue };
        let Ok(bytes) = fs::read(work.path().join("log/edb.chk")) else { continue };
        let Ok(checkpoint) = Checkpoint::check(&bytes) else { continue };
        let Ok(Some(listed)) = checkpoint.attachments() else { continue };
        let mut came_up = Vec::new();
        for (_, bytes) in logs(work.path()).values() {
            for record in LogFile::open(bytes).unwrap().records().map_while(Result::ok) {
                let signature = match record.operation() {
                    Ok(Operation::AttachDatabase(attach)) => attach.signature,
                    Ok(Operation::CreateDatabase(create)) => create.signature,
                    _ => continue,
                };
                came_up.push((record.writer_position, signature));
            }
        }
        let Ok(report) = run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ()) else { continue };
        if report.ending != Ending::Recovered {
            continue;
        }
        let known: Vec<_> = report.databases.iter().map(|database| database.signature).collect();
        for (position, signature) in came_up {
            if position > checkpoint.position && !listed.iter().any(|listed| listed.signature == signature) {
                assert!(known.contains(&signature), "{}: attached at {position}", set.name);
                behind += 1;
            }
        }
        for listed in &listed {
            assert!(listed.attach < checkpoint.position && known.contains(&listed.signature), "{}", set.name);
            listed_before += 1;
        }
        let end = Checkpoint::check(&fs::read(work.path().join("log/edb.chk")).unwrap()).unwrap();
        assert!(end.position > report.end, "{}", set.name);
        assert!(!matches!(end.attachments(), Ok(Some(list)) if !list.is_empty()), "{}", set.name);
    }
    println!("{behind} attached behind their checkpoint, {listed_before} listed");
    assert!(behind > 0 || listed_before > 0);
}

// traps W16, G70, db-1 D23
#[test]
fn w16_g70_a_crash_in_undo_is_recovered_where_the_header_already_requires_the_log_of_undo() {
    let Some(set) = engine_set("micro-tx-uncommitted") else { return };
    let crashed = || {
        let work = crash_of(&set).unwrap();
        let next = write_on(work.path(), &[], &[trace()]);
        (work, next)
    };
    let (whole, next) = crashed();
    let report = recovered(whole.path());
    let logged = records(whole.path(), report.end);
    let end = logged.iter().position(|(_, kind)| *kind == RecordType::SHUT_DOWN_MARK).unwrap();
    assert!(end > 3 && logged[..end].iter().all(|(at, _)| at.generation == next), "{logged:?}");
    let current = fs::read(whole.path().join("log/edb.log")).unwrap();
    // Undo got so far, and either no page of it reached its file, or all did.
    for (stop, _) in &logged[..end] {
        for (written, required, code) in [(false, next.0 - 1, None), (true, next.0, None), (true, next.0 - 1, Some(-625))] {
            // Pages go to the file behind their records alone.
            if written && *stop != logged[end - 1].0 {
                continue;
            }
            let (work, _) = crashed();
            let before = databases(work.path());
            if written {
                for (path, mut bytes) in databases(whole.path()) {
                    let headers = 2 * header_of(&bytes).page_size().bytes();
                    bytes[..headers].copy_from_slice(&before[&path][..headers]);
                    fs::write(work.path().join(path), bytes).unwrap();
                }
            }
            change_headers(work.path(), |page| {
                let header = &mut page.header;
                if header.max_required < Generation(required) {
                    (header.max_required, header.max_required_time) = (Generation(required), LogTime::NONE);
                    (header.max_committed, header.max_committed_time) = (Generation(required), LogTime::NONE);
                }
            });
            fs::write(work.path().join("log/edb.log"), cut_by_hand(&current, *stop)).unwrap();
            let made = run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ());
            assert_eq!(made.as_ref().err().map(|failure| failure.error.jet.0), code, "{stop}: {}", told(&made));
            if made.is_ok() {
                for (path, bytes) in databases(work.path()) {
                    assert_eq!(page_differences(&bytes, &databases(whole.path())[&path]), [], "{stop}: {}", path.display());
                }
            }
        }
    }
}

// trap db-1 D12
#[test]
fn d12_an_attach_to_another_stream_forgets_where_the_database_was_clean_and_how_it_was_backed_up() {
    let Some(work) = engine_set("micro-insert").and_then(|set| crash_of(&set)) else { return };
    let (_, bytes) = databases(work.path()).into_iter().next().unwrap();
    for same in [true, false] {
        let mut header = header_of(&bytes).header;
        let stamp = BackupInfo { low: Generation(3), high: Generation(5), ..BackupInfo::default() };
        (header.full_backup, header.incremental_backup) = (stamp, stamp);
        (header.copy_backup, header.differential_backup) = (stamp, stamp);
        let consistent = LogPosition::new(3, 2, 1);
        header.consistent_position = consistent;
        let stream = if same { header.log_signature } else { Signature::new(99, LogTime::NONE) };
        let time = LogTime::utc(2030, 1, 1, 0, 0, 0, 0);
        attach_by_record(&mut header, &Here { position: LogPosition::new(7, 1, 0), created: time, stream, now: time });
        let left = if same { (consistent, stamp) } else { (LogPosition::NONE, BackupInfo::default()) };
        assert_eq!((header.consistent_position, header.full_backup), left);
        for backup in [header.incremental_backup, header.copy_backup, header.differential_backup] {
            assert_eq!(backup, left.1);
        }
        assert_eq!(header.log_signature, stream);
    }
}

#[test]
fn w31_archives_above_the_current_log_are_no_part_of_the_stream_and_stay_whatever_may_be_given_up() {
    let Some(set) = engine_set("lost-4k-1db") else { return };
    let sound = crash_of(&set).unwrap();
    let expected = recovered(sound.path());
    for (accept_loss, set_bad_logs_aside) in [(false, false), (true, false), (false, true), (true, true)] {
        let work = crash_of(&set).unwrap();
        let stray = work.path().join("log/edb00020.log");
        fs::copy(work.path().join("log/edb00005.log"), &stray).unwrap();
        let report = recovered_with(work.path(), Options { accept_loss, set_bad_logs_aside, ..Options::default() });
        assert_eq!((report.end, report.warning, report.set_aside.len()), (expected.end, None, 0));
        assert!(stray.is_file());
        for (path, bytes) in databases(work.path()) {
            assert_eq!(page_differences(&bytes, &databases(sound.path())[&path]), [], "{}", path.display());
        }
    }
}
