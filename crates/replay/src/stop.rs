//! Where a run is told to stop (`log-5 §13`), and which position a time means.

use crate::error::{ReplayError, Result};
use crate::logs::{self, Logs};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::record::Operation;
use anchorlog_format::log::segment::{self, SegmentHeader};
use anchorlog_format::units::{Generation, LogPosition, LogTime};
use std::path::{Path, PathBuf};

/// A stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Behind the last record of a generation.
    Generation(Generation),
    /// Behind the record at a position, which is still redone (trap W26).
    Position(LogPosition),
}

/// How a record lies to the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It is still redone.
    Before,
    /// It is not redone any more.
    Behind,
}

impl Stop {
    /// From a position as the engine's callers give it: `(G, 0, 0)` and `(G, max, max)` mean all of generation G.
    #[must_use]
    pub fn from_position(position: LogPosition) -> Self {
        let whole = (position.sector, position.byte) == (0, 0) || (position.sector, position.byte) == (u16::MAX, u16::MAX);
        if whole { Self::Generation(position.generation) } else { Self::Position(position) }
    }
    /// Its generation.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        match self {
            Self::Generation(generation) => *generation,
            Self::Position(position) => position.generation,
        }
    }
    /// How the record at a position lies to it.
    #[must_use]
    pub fn reached(&self, position: LogPosition) -> Reached {
        let behind = match self {
            Self::Generation(generation) => position.generation > *generation,
            Self::Position(stop) => position > *stop,
        };
        if behind { Reached::Behind } else { Reached::Before }
    }
    /// Whether nothing behind a generation is replayed.
    #[must_use]
    pub fn ends_with(&self, generation: Generation) -> bool {
        self.generation() <= generation
    }
    /// Whether it is a position inside a generation.
    #[must_use]
    pub fn lies_inside(&self, generation: Generation) -> bool {
        matches!(self, Self::Position(position) if position.generation == generation)
    }
}

/// The stop that a time means. Logs do not date each record: a segment says when its first byte was used, a few records when they were
/// written, a log when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The stop: everything up to there was surely written by the time asked for.
    pub stop: Stop,
    /// When the last thing before the stop was written, as far as the logs say; local time of the writer where it is not UTC.
    pub written: LogTime,
    /// The next time that the logs know: what lies behind the stop and before this one may have been written before or after the time
    /// asked for. `None`: the logs know none, and the stop is their end.
    pub next: Option<LogTime>,
}

/// The last position of which the logs say that it was written at `time` or before.
///
/// # Errors
/// −1003 where the logs begin later; errors of reading them.
pub fn position_at_time(logs: &Logs, time: LogTime) -> Result<Moment> {
    let later = |other: LogTime| other.order() > time.order();
    let all: Vec<PathBuf> = logs.files.archives.values().chain(&logs.files.current).cloned().collect();
    let mut last: Option<(PathBuf, LogHeader)> = None;
    let mut next = None;
    for path in all {
        let header = header_of(logs, &path)?;
        if later(header.created) {
            next = Some(header.created);
            break;
        }
        last = Some((path, header));
    }
    let Some((path, header)) = last else {
        let first = next.map_or_else(|| "there are none".into(), |first| format!("the first was made at {first}"));
        return Err(ReplayError::new(JetCode::INVALID_PARAMETER, format!("no log was made by {time}: {first}")));
    };
    let bytes = logs.read(&path)?;
    let log = logs::open(&bytes, &path)?;
    let before = Generation(header.generation.0.saturating_sub(1));
    let mut moment = Moment { stop: Stop::Generation(before), written: header.created, next };
    for (position, written) in marks(&log) {
        if later(written) {
            moment.next = Some(written);
            return Ok(moment);
        }
        moment = Moment { stop: Stop::Position(position), written, next };
    }
    if next.is_none() {
        moment.stop = Stop::Generation(header.generation);
    }
    Ok(moment)
}

fn header_of(logs: &Logs, path: &Path) -> Result<LogHeader> {
    let mut start = vec![0; anchorlog_format::log::header::HEADER_SIZE];
    let read = logs.folder.open(path).and_then(|file| file.read_at(0, &mut start));
    let read = read.map_err(|error| ReplayError::from(error).in_file(path.display().to_string()))?;
    start.truncate(read);
    LogHeader::check(&start).map_err(|error| {
        ReplayError::new(error.jet(), format!("the log {}: {error}", path.display())).in_file(path.display().to_string())
    })
}

/// Records of a log with the times at which they were written at the latest, in log order.
fn marks(log: &LogFile<'_>) -> Vec<(LogPosition, LogTime)> {
    let mut marks = Vec::new();
    let mut previous: Option<LogPosition> = None;
    let mut next_segment = log.header().header_sectors;
    for record in log.records().map_while(std::result::Result::ok) {
        let here = record.writer_position;
        // A segment's time is that of the record that its first byte belongs to: one that begins there, or one that goes on there.
        while !log.header().version().is_legacy() && next_segment <= here.sector {
            let begins_here = here.sector == next_segment && here.byte == 0;
            let owner = if begins_here { Some(here) } else { previous };
            let started = segment::at(log.bytes(), next_segment).and_then(|bytes| SegmentHeader::read(bytes));
            if let (Some(owner), Some(started)) = (owner, started.map(|fields| fields.started).filter(|time| !time.is_none())) {
                marks.push((owner, started));
            }
            next_segment = next_segment.saturating_add(1);
        }
        let time = match record.operation() {
            Ok(Operation::Init(init)) => init.time,
            Ok(Operation::Term(term) | Operation::RecoveryQuit(term)) => term.time,
            Ok(Operation::RecoveryUndo(undo)) => undo.time,
            _ => None,
        };
        if let Some(time) = time.filter(|time| !time.is_none()) {
            marks.push((here, time));
        }
        if !record.record_type().is_padding() {
            previous = Some(here);
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w26_a_generation_alone_means_all_of_it_and_a_position_its_own_record_too() {
        let whole = Stop::from_position(LogPosition::new(3, 0, 0));
        assert_eq!(whole, Stop::Generation(Generation(3)));
        assert_eq!(whole.reached(LogPosition::new(3, 9, 9)), Reached::Before);
        assert_eq!(whole.reached(LogPosition::new(4, 1, 0)), Reached::Behind);
        let inside = Stop::from_position(LogPosition::new(3, 2, 7));
        assert_eq!(inside.reached(LogPosition::new(3, 2, 7)), Reached::Before);
        assert_eq!(inside.reached(LogPosition::new(3, 2, 8)), Reached::Behind);
    }
}
