//! A time as a place in the logs: as exact as what the logs say of time.

use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::segment::{self, SegmentHeader};
use anchorlog_format::units::{LogPosition, LogTime};
use anchorlog_replay::stop::Stop;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::{Folder, read_all};
use std::io;
use std::path::Path;

/// Where a time leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Stop there: everything up to it was written by then, and what was written next to the time itself is left out.
    Stop(Stop, String),
    /// All logs are older.
    End(String),
    /// All logs are newer; the oldest time in them.
    Before(LogTime),
    /// There is no log.
    Nowhere,
}

/// A point of the logs of which the time is known.
#[derive(Clone, Copy)]
struct Mark {
    time: LogTime,
    /// The last position before it.
    before: Stop,
}

/// Finds the last place that was certainly written by `time`.
///
/// Segments of 8.x logs say when their first byte was used; of older logs only the creation of each generation is known. What lies
/// between two such marks cannot be told apart by time.
///
/// # Errors
/// Any error of the storage.
pub(super) fn place_of(folder: &dyn Folder, files: &StreamFiles, time: LogTime) -> io::Result<Place> {
    let mut last: Option<Mark> = None;
    for path in files.archives.values().chain(&files.current) {
        for mark in marks(folder, path)? {
            if mark.time.order() > time.order() {
                return Ok(match last {
                    // What was begun before the time and ended after it is not certain.
                    Some(last) => Place::Stop(
                        last.before,
                        format!(
                            "{time} lies between {} and {} of the logs: replay stops at the earlier of the two",
                            last.time, mark.time
                        ),
                    ),
                    None => Place::Before(mark.time),
                });
            }
            last = Some(mark);
        }
    }
    Ok(match last {
        Some(last) => {
            Place::End(format!("the logs end before {time} (the last time in them is {}): all of them are replayed", last.time))
        }
        None => Place::Nowhere,
    })
}

fn marks(folder: &dyn Folder, path: &Path) -> io::Result<Vec<Mark>> {
    let bytes = read_all(&*folder.open(path)?, FILE_SIZE_MAX)?;
    // A log that cannot be used is refused by the plan itself.
    let Ok(log) = LogFile::open(&bytes) else { return Ok(Vec::new()) };
    let header = log.header();
    let generation = header.generation;
    let behind_the_one_before = Stop::Generation(anchorlog_format::units::Generation(generation.0.saturating_sub(1)));
    let mut marks = vec![Mark { time: header.created, before: behind_the_one_before }];
    if header.version().is_legacy() {
        return Ok(marks);
    }
    let mut latest = header.created;
    for index in header.header_sectors..=log.end().last_segment.unwrap_or(0) {
        let Some(head) = segment::at(log.bytes(), index).and_then(|bytes| SegmentHeader::read(bytes)) else { break };
        // A clock that was set back does not make later records older.
        if head.started.is_none() || head.started.order() < latest.order() {
            continue;
        }
        latest = head.started;
        let before = if index == header.header_sectors {
            behind_the_one_before
        } else {
            Stop::Position(LogPosition { generation, sector: index - 1, byte: u16::MAX })
        };
        marks.push(Mark { time: head.started, before });
    }
    Ok(marks)
}
