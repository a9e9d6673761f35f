//! The records of a 7.x log (`log-7 §7`).

use crate::log::file::{LogRecord, RecordFault};
use crate::log::header::LogHeader;
use crate::log::legacy::range::RangeMark;
use crate::log::record::{Operation, RecordError, RecordType, size};
use crate::units::LogPosition;
use std::borrow::Cow;

/// Iterator over the records of a 7.x log, the integrity records included, fill bytes not.
#[derive(Clone, Debug)]
pub struct LegacyRecords<'a> {
    file: &'a [u8],
    start: LogPosition,
    sector_size: usize,
    at: usize,
    end: usize,
    ranges: &'a [RangeMark],
}

impl<'a> LegacyRecords<'a> {
    /// The records up to `end`.
    #[must_use]
    pub fn new(file: &'a [u8], header: &LogHeader, end: LogPosition, ranges: &'a [RangeMark]) -> Self {
        let geometry = header.geometry();
        Self {
            file,
            start: header.first_position(),
            sector_size: header.sector_size.into(),
            at: geometry.offset_in_file(header.first_position()),
            end: geometry.offset_in_file(end).min(file.len()),
            ranges,
        }
    }
    /// Begins at a byte of the file instead.
    pub(super) const fn skip_to(mut self, offset: usize) -> Self {
        self.at = offset;
        self
    }
    fn place(&self, offset: usize) -> LogPosition {
        LogPosition {
            sector: u16::try_from(offset / self.sector_size).unwrap_or(u16::MAX),
            byte: u16::try_from(offset % self.sector_size).unwrap_or(0),
            ..self.start
        }
    }
    /// The next integrity record at or behind a byte.
    fn next_range(&self) -> Option<RangeMark> {
        let index = self.ranges.partition_point(|range| range.offset < self.at);
        self.ranges.get(index).copied()
    }
    fn step(&mut self) -> Result<Option<LogRecord<'a>>, RecordError> {
        while self.at < self.end {
            let range = self.next_range();
            // A range that covers nothing backwards voids all that stands before it in its sector, and the record that runs into it (trap Y1).
            let hidden_from = range.filter(|range| range.hides).map(|range| range.offset - range.offset % self.sector_size);
            if let (Some(range), Some(from)) = (range, hidden_from)
                && (from..range.offset).contains(&self.at)
            {
                self.at = range.offset;
                continue;
            }
            let rest = self.file.get(self.at..self.end).unwrap_or_default();
            if rest.first() == Some(&RecordType::NOP.0) {
                // Fill of any length, which ends no sector (trap Y3).
                self.at += 1;
                continue;
            }
            let length = match size(rest) {
                Err(RecordError::Truncated) => rest.len() + 1,
                other => other?,
            };
            if let (Some(range), Some(from)) = (range, hidden_from)
                && self.at < from
                && length > from - self.at
            {
                self.at = range.offset;
                continue;
            }
            if length > rest.len() {
                // Cut off by the end: dropped without error (trap Y5).
                self.at = self.end;
                return Ok(None);
            }
            if range.is_some_and(|range| range.offset > self.at && length > range.offset - self.at) {
                return Err(RecordError::Inconsistent("a record that runs into an integrity record"));
            }
            let bytes = &rest[..length];
            Operation::decode(bytes)?;
            let position = self.place(self.at);
            self.at += length;
            return Ok(Some(LogRecord {
                position,
                writer_position: position,
                end: self.place(self.at),
                bytes: Cow::Borrowed(bytes),
            }));
        }
        Ok(None)
    }
}

impl<'a> Iterator for LegacyRecords<'a> {
    type Item = Result<LogRecord<'a>, RecordFault>;
    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(record) => record.map(Ok),
            Err(error) => {
                let position = self.place(self.at);
                self.at = self.end;
                Some(Err(RecordFault { position, segment: position.sector, byte: position.byte, error }))
            }
        }
    }
}
