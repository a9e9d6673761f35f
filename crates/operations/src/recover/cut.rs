//! Stopping before the end of the logs and still ending clean: the logs are cut at the stop, in the copy, and what is left is a crash at
//! that moment, which is recovered like any other.
//!
//! Logs are written in order, so everything up to a record is a state that a crash could have left.

use super::sources::Sources;
use crate::identify::Content;
use anchorlog_checksum::{SEGMENT_SIZE, set_segment_checksum};
use anchorlog_format::database::DatabaseState;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::segment::RECORDS_START;
use anchorlog_format::units::{Generation, LogPosition, Signature};
use anchorlog_replay::stop::{Reached, Stop};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::{Folder, read_all};
use std::io;
use std::path::{Path, PathBuf};

/// Cuts the logs of a stream behind the stop: later logs go, the log of the stop becomes the current one. `None`, with nothing changed,
/// where no log of that generation is here.
///
/// # Errors
/// `Unsupported` for a place at which this log format cannot be cut; any error of the storage.
pub(super) fn cut(folder: &dyn Folder, files: &StreamFiles, stop: Stop) -> io::Result<Option<StreamFiles>> {
    let Some(path) = log_of(folder, files, stop.generation())? else { return Ok(None) };
    let bytes = read_all(&*folder.open(&path)?, FILE_SIZE_MAX)?;
    let log = LogFile::open(&bytes).map_err(io::Error::other)?;
    let end = end_of(&log, stop);
    let shortened = if end < log.end().position { Some(shortened(&log, end)?) } else { None };
    let mut left = drop_later(folder, files, stop)?;
    let current = left.path(&left.naming.current());
    if path != current {
        folder.rename(&path, &current)?;
        left.archives.remove(&stop.generation());
    }
    left.current = Some(current.clone());
    if let Some(shortened) = shortened {
        folder.open_write(&current)?.write_at(0, &shortened)?;
    }
    if left.checkpoint.as_ref().is_some_and(|path| lies_behind(folder, path, end)) {
        remove(folder, left.checkpoint.take())?;
    }
    Ok(Some(left))
}

/// Takes the logs behind the stop's generation out of a folder.
///
/// # Errors
/// Any error of the storage.
pub(super) fn drop_later(folder: &dyn Folder, files: &StreamFiles, stop: Stop) -> io::Result<StreamFiles> {
    let mut left = files.clone();
    let last = stop.generation();
    let later: Vec<Generation> = files.archives.keys().filter(|generation| **generation > last).copied().collect();
    for generation in later {
        remove(folder, left.archives.remove(&generation))?;
    }
    let current = files.current.as_ref().map(|path| generation_of(folder, path)).transpose()?.flatten();
    if current.is_none_or(|generation| generation > last) {
        remove(folder, left.current.take())?;
    }
    // The next log in preparation may hold an old life; it is made anew when it is needed.
    remove(folder, left.temporary.take())?;
    Ok(left)
}

/// The earliest stop that a database allows: it may hold the changes of everything before. `None`: any stop.
fn earliest_of(header: &anchorlog_format::database::DatabaseHeader) -> Option<Stop> {
    match header.state {
        DatabaseState::CleanShutdown if header.consistent_position.is_none() => None,
        DatabaseState::CleanShutdown => Some(Stop::Position(header.consistent_position)),
        _ => Some(Stop::Generation(header.max_required)),
    }
}

/// The databases of the stream that are newer than the stop, each with the earliest stop that it allows.
pub(super) fn newer_than(sources: &Sources, signature: &Signature, stop: Stop) -> Vec<(String, Stop)> {
    let newer = sources.iter().filter_map(|source| {
        let Content::Database { page, .. } = &source.identified.content else { return None };
        let earliest = earliest_of(&page.header).filter(|_| page.header.log_signature == *signature)?;
        (end_of_stop(stop) < end_of_stop(earliest)).then(|| (source.identified.path.display().to_string(), earliest))
    });
    newer.collect()
}

/// A position that orders stops: all of a generation lies behind every position in it.
const fn end_of_stop(stop: Stop) -> LogPosition {
    match stop {
        Stop::Generation(generation) => LogPosition { generation, sector: u16::MAX, byte: u16::MAX },
        Stop::Position(position) => position,
    }
}

fn log_of(folder: &dyn Folder, files: &StreamFiles, generation: Generation) -> io::Result<Option<PathBuf>> {
    if let Some(path) = files.archives.get(&generation) {
        return Ok(Some(path.clone()));
    }
    let Some(current) = &files.current else { return Ok(None) };
    Ok((generation_of(folder, current)? == Some(generation)).then(|| current.clone()))
}

fn generation_of(folder: &dyn Folder, path: &Path) -> io::Result<Option<Generation>> {
    let mut start = vec![0; LogHeader::SIZE];
    let read = folder.open(path)?.read_at(0, &mut start)?;
    Ok(LogHeader::check(&start[..read]).ok().map(|header| header.generation))
}

/// Behind the last record that is still replayed.
fn end_of(log: &LogFile<'_>, stop: Stop) -> LogPosition {
    if matches!(stop, Stop::Generation(_)) {
        return log.end().position;
    }
    let records = log.records().map_while(Result::ok);
    let kept = records.take_while(|record| stop.reached(record.writer_position) == Reached::Before);
    kept.last().map_or(log.header().first_position(), |record| record.end)
}

/// The file with nothing behind `end`.
fn shortened(log: &LogFile<'_>, end: LogPosition) -> io::Result<Vec<u8>> {
    let version = log.header().version();
    if version.is_legacy() || !version.allows_zero_segments() {
        let text = format!("logs of the format {version} can only be stopped at the end of a generation");
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    let mut bytes = log.bytes().to_vec();
    let (sector, byte) = (usize::from(end.sector), usize::from(end.byte));
    let keep = sector * SEGMENT_SIZE + if byte > RECORDS_START { byte } else { 0 };
    bytes[keep.min(log.bytes().len())..].fill(0);
    if byte > RECORDS_START
        && let Some(segment) = bytes.get_mut(sector * SEGMENT_SIZE..).and_then(|rest| rest.first_chunk_mut())
    {
        set_segment_checksum(segment, end.sector.into());
    }
    Ok(bytes)
}

fn lies_behind(folder: &dyn Folder, checkpoint: &Path, end: LogPosition) -> bool {
    let bytes = folder.open(checkpoint).and_then(|file| read_all(&*file, 1 << 20)).unwrap_or_default();
    Checkpoint::check(&bytes).is_ok_and(|checkpoint| checkpoint.position > end)
}

fn remove(folder: &dyn Folder, path: Option<PathBuf>) -> io::Result<()> {
    match path.map(|path| folder.remove(&path)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
