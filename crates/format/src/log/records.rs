//! The records of an 8.x log, fragments joined (`log-1 §2.2`, `§7.3` to `§7.5`).

use crate::log::file::{LogRecord, RecordFault};
use crate::log::header::LogHeader;
use crate::log::record::{Operation, RecordError, RecordType, size};
use crate::log::segment::{self, RECORDS_START, SEGMENT_SIZE};
use crate::units::LogPosition;
use std::borrow::Cow;

/// Iterator over the records of an 8.x log.
#[derive(Clone, Debug)]
pub struct SegmentRecords<'a> {
    file: &'a [u8],
    generation_start: LogPosition,
    /// Last data segment.
    last: Option<u16>,
    segment: u16,
    at: usize,
    /// Where the record before ended, padding not counted: the next record's position.
    position: LogPosition,
    /// A record of which some fragments were read.
    torn: Option<Torn>,
    /// A fragment met first belongs to a record that began before the start.
    skip_fragment: bool,
    /// Records that end up to here belong to what lies before the start.
    start: LogPosition,
    done: bool,
}

#[derive(Clone, Debug)]
struct Torn {
    position: LogPosition,
    writer_position: LogPosition,
    total: usize,
    bytes: Vec<u8>,
}

/// What one step found.
enum Step<'a> {
    Record(LogRecord<'a>),
    /// Nothing to give, go on.
    Again,
    End,
}

impl<'a> SegmentRecords<'a> {
    /// All records of the file up to segment `last`.
    #[must_use]
    pub fn new(file: &'a [u8], header: &LogHeader, last: Option<u16>) -> Self {
        let start = header.first_position();
        Self {
            file,
            generation_start: start,
            last,
            segment: start.sector,
            at: RECORDS_START,
            position: start,
            torn: None,
            skip_fragment: false,
            start,
            done: false,
        }
    }

    /// The records that do not lie before `start`.
    #[must_use]
    pub fn starting_at(file: &'a [u8], header: &LogHeader, last: Option<u16>, start: LogPosition) -> Self {
        let mut records = Self::new(file, header, last);
        if start.generation != header.generation {
            records.done = start.generation > header.generation;
            return records;
        }
        let segment = start.sector.max(records.segment);
        if segment > records.segment {
            // Where the padding of the segment before begins decides the position of this one's first record.
            records.position = records.end_of(segment - 1).unwrap_or(LogPosition { sector: segment, ..records.generation_start });
            records.segment = segment;
            records.skip_fragment = true;
        }
        records.start = start;
        records
    }

    /// Where the records of a segment end, when padding follows; `None` where they fill it.
    fn end_of(&self, index: u16) -> Option<LogPosition> {
        let bytes = segment::at(self.file, index)?;
        let mut at = RECORDS_START;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if rest[0] == RecordType::NOP.0 {
                return Some(self.position_at(index, at));
            }
            at = at.checked_add(size(rest).ok()?)?;
        }
        None
    }

    fn position_at(&self, segment: u16, at: usize) -> LogPosition {
        match u16::try_from(at) {
            Ok(byte) if at < SEGMENT_SIZE => LogPosition { sector: segment, byte, ..self.generation_start },
            _ => LogPosition { sector: segment.saturating_add(1), ..self.generation_start },
        }
    }

    fn step(&mut self) -> Result<Step<'a>, RecordError> {
        if self.last.is_none_or(|last| self.segment > last) {
            // A log may well end inside a cut record (trap G17).
            return Ok(Step::End);
        }
        let bytes = segment::at(self.file, self.segment).ok_or(RecordError::Truncated)?;
        let rest = bytes.get(self.at..).unwrap_or_default();
        let Some(&kind) = rest.first() else {
            self.next_segment();
            return Ok(Step::Again);
        };
        let first = self.at == RECORDS_START;
        if kind == RecordType::NOP.0 {
            // The rest is padding, whatever stands there (trap G7); the next record's position stays here (trap G1).
            if self.torn.is_some() && !first {
                return Err(RecordError::Inconsistent("padding inside a cut record"));
            }
            self.next_segment();
            return Ok(Step::Again);
        }
        let length = size(rest)?;
        let record = rest.get(..length).ok_or(RecordError::Truncated)?;
        let operation = Operation::decode(record)?;
        if self.torn.is_some() && !matches!(operation, Operation::Fragment(_)) {
            if !(first && interrupts(&operation)) {
                return Err(RecordError::Inconsistent("a record inside a cut one"));
            }
            self.torn = None;
            self.position = LogPosition { sector: self.segment, ..self.generation_start };
        }
        let writer_position = if first { self.position_at(self.segment, 0) } else { self.position };
        let position = self.position;
        self.at += length;
        let end = self.position_at(self.segment, self.at);
        let skipped = std::mem::take(&mut self.skip_fragment);
        match operation {
            Operation::FragmentBegin(begin) => {
                let total = usize::try_from(begin.total).unwrap_or(usize::MAX);
                if begin.data.len() >= total || total > self.file.len() {
                    return Err(RecordError::Inconsistent("a cut record that is not longer than its first part"));
                }
                self.torn = Some(Torn { position, writer_position, total, bytes: begin.data.to_vec() });
                Ok(Step::Again)
            }
            Operation::Fragment(fragment) => {
                if !first {
                    return Err(RecordError::Inconsistent("a continued record that does not begin its segment"));
                }
                match self.torn.take() {
                    Some(torn) => self.join(torn, fragment.data, end),
                    None if skipped => {
                        self.position = end;
                        Ok(Step::Again)
                    }
                    None => Err(RecordError::Inconsistent("a continued record that never began")),
                }
            }
            _ => {
                self.position = end;
                Ok(Step::Record(LogRecord { position, writer_position, end, bytes: Cow::Borrowed(record) }))
            }
        }
    }

    fn join(&mut self, mut torn: Torn, data: &[u8], end: LogPosition) -> Result<Step<'a>, RecordError> {
        torn.bytes.extend_from_slice(data);
        if torn.bytes.len() < torn.total {
            self.torn = Some(torn);
            return Ok(Step::Again);
        }
        let joined = matches!(size(&torn.bytes), Ok(length) if length == torn.total) && torn.bytes.len() == torn.total;
        let kind = RecordType(torn.bytes.first().copied().unwrap_or(0));
        if !joined || kind.is_padding() || matches!(kind, RecordType::FRAGMENT | RecordType::FRAGMENT_BEGIN) {
            return Err(RecordError::Inconsistent("the parts of a cut record do not make a record of its length"));
        }
        self.position = end;
        let Torn { position, writer_position, bytes, .. } = torn;
        Ok(Step::Record(LogRecord { position, writer_position, end, bytes: Cow::Owned(bytes) }))
    }

    fn next_segment(&mut self) {
        self.segment = self.segment.saturating_add(1);
        self.at = RECORDS_START;
    }
}

/// What may stand where a cut record was never finished: the first record of a recovery (`log-1 §7.5`, trap G16).
fn interrupts(operation: &Operation<'_>) -> bool {
    match operation {
        Operation::RecoveryUndo(_) | Operation::UndoInfo(_) => true,
        Operation::FragmentBegin(begin) => begin.data.first() == Some(&RecordType::UNDO_INFO.0),
        _ => false,
    }
}

impl<'a> Iterator for SegmentRecords<'a> {
    type Item = Result<LogRecord<'a>, RecordFault>;
    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            let (segment, byte) = (self.segment, u16::try_from(self.at).unwrap_or(u16::MAX));
            match self.step() {
                // A record that begins in the start's segment by its bytes counts from there, whatever padding lies before it.
                Ok(Step::Record(record)) if record.writer_position < self.start && record.position < self.start => {}
                Ok(Step::Record(record)) => return Some(Ok(record)),
                Ok(Step::Again) => {}
                Ok(Step::End) => self.done = true,
                Err(error) => {
                    self.done = true;
                    return Some(Err(RecordFault { position: self.position, segment, byte, error }));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
