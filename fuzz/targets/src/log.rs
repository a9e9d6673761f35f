//! The parsers of logs and checkpoints.

use crate::format::show;
use crate::seal;
use anchorlog_checksum::set_header_xor;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::{HEADER_SIZE, LogHeader};
use anchorlog_format::log::record::{self, Operation};
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::units::LogPosition;

/// The header of a log: as it is, and with a checksum that holds.
pub fn header(input: &[u8]) {
    show(&LogHeader::LAYOUT, input);
    let mut bytes = input.to_vec();
    for _ in 0..2 {
        if let Ok(header) = LogHeader::check(&bytes) {
            let _ = (header.attachments(), header.version().to_string(), header.page_size(), header.first_position());
            let geometry = header.geometry();
            let _ = (geometry.file_size(), geometry.last_usable(), geometry.offset(LogPosition::MAX));
            let _ = geometry.distance(LogPosition::MAX, LogPosition::NONE);
            let written = header.to_bytes();
            let again = LogHeader::check(&written).expect("what is written is legal");
            assert!(again == LogHeader { checksum: again.checksum, ..header }, "what is written is not what is read");
        }
        match bytes.get_mut(..HEADER_SIZE) {
            Some(header) => set_header_xor(header),
            None => return,
        }
    }
}

/// A whole log, of either format: as it is, and with checksums that hold, so that what stands behind them is reached.
pub fn file(input: &[u8]) {
    read(input);
    let mut sealed = input.to_vec();
    seal::log(&mut sealed);
    read(&sealed);
}

fn read(bytes: &[u8]) {
    let Ok(log) = LogFile::open(bytes) else { return };
    for context in [ReadContext::Soft, ReadContext::HardInSet, ReadContext::HardBeyond] {
        let _ = (log.end().refusal(context, true), log.end().refusal(context, false));
    }
    let _ = (log.was_closed_cleanly(), log.last_record_type());
    let mut middle = LogPosition::NONE;
    for (count, record) in log.records().enumerate() {
        assert!(count <= bytes.len(), "more records than bytes");
        let Ok(record) = record else { break };
        assert!(record.end >= record.position, "a record ends behind its beginning");
        if count == 5 {
            middle = record.position;
        }
        operation(&record.bytes);
    }
    let _ = log.records_from(middle).take(bytes.len() + 1).count();
}

/// The bytes of one record.
pub fn record(input: &[u8]) {
    operation(input);
}

fn operation(bytes: &[u8]) {
    let _ = record::size(bytes);
    let Ok(operation) = Operation::decode(bytes) else { return };
    let _ = (operation.describe(), operation.parts(), operation.dbtime(), operation.session(), operation.database());
    let _ = (operation.page_head().is_some(), operation.node_head().is_some());
    match &operation {
        Operation::ReplaceDifference(replace) => {
            let _ = (replace.iter().take(bytes.len() + 1).count(), replace.apply(bytes), replace.apply(&[]));
        }
        Operation::Init(init) => {
            let _ = init.parameters().log_folder();
        }
        Operation::AttachDatabase(attach) => {
            let _ = attach.path_text().strings();
        }
        Operation::CreateDatabase(create) => {
            let _ = create.path_text().strings();
        }
        Operation::Trace(trace) => {
            let _ = trace.message().to_string();
        }
        Operation::EmptyTree(empty) => {
            let _ = empty.pages().count();
        }
        Operation::Scrub(scrub) => {
            let _ = scrub.operations();
        }
        Operation::MacroPages(pages) => {
            let _ = pages.iter().count();
        }
        Operation::MacroPagesOf(pages) => {
            let _ = pages.iter().count();
        }
        Operation::CommitContext(context) => {
            let _ = (context.split(false).is_some(), context.split(true).is_some());
        }
        _ => {}
    }
    // What was decoded is encoded, and decodes to the same; bytes without meaning may differ.
    if let Ok(written) = operation.encode() {
        let kind = operation.record_type().name();
        assert!(Operation::decode(&written) == Ok(operation), "a record ({kind}) is not read as it is written");
    }
}

/// A checkpoint file: both copies, as they are, and with checksums that hold.
pub fn checkpoint(input: &[u8]) {
    show(&Checkpoint::LAYOUT, input);
    let mut file = input.to_vec();
    for _ in 0..2 {
        let _ = Checkpoint::copies(&file);
        if let Ok(checkpoint) = Checkpoint::check(&file) {
            let _ = (checkpoint.attachments(), checkpoint.consistency());
            let written = checkpoint.to_file();
            let again = Checkpoint::check(&written).expect("what is written is legal");
            assert!(again == Checkpoint { checksum: again.checksum, ..checkpoint }, "what is written is not what is read");
        }
        seal::small(&mut file);
    }
}
