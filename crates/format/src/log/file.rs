//! A whole log file, of either format: header, end, records.

use crate::log::header::{HeaderError, LogHeader};
use crate::log::legacy;
use crate::log::record::{Operation, RecordError, RecordType};
use crate::log::records::SegmentRecords;
use crate::log::scan::{self, LogEnd};
use crate::units::LogPosition;
use std::borrow::Cow;

/// Largest log file that is read: 65535 sectors of 4096 bytes.
pub const FILE_SIZE_MAX: u64 = 65535 * 4096;

/// A log file whose header is right and whose end was found.
#[derive(Clone, Debug)]
pub struct LogFile<'a> {
    header: LogHeader,
    /// With the repairs that the end of the log asked for.
    bytes: Cow<'a, [u8]>,
    end: LogEnd,
    /// Legacy: where the integrity records stand.
    ranges: Vec<legacy::RangeMark>,
}

/// A record with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// Its position, as every reader gives it: in 8.x where the record before ended (`log-1 §2.2`), in 7.x its own first byte.
    pub position: LogPosition,
    /// As the writer saw it: the start of the segment where the record is the first of its segment, else the same as `position`.
    pub writer_position: LogPosition,
    /// Position behind it.
    pub end: LogPosition,
    /// Its bytes, joined where it was cut into fragments.
    pub bytes: Cow<'a, [u8]>,
}

impl LogRecord<'_> {
    /// Its type.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        RecordType(self.bytes.first().copied().unwrap_or(0))
    }
    /// Decoded.
    ///
    /// # Errors
    /// See [`Operation::decode`].
    pub fn operation(&self) -> Result<Operation<'_>, RecordError> {
        Operation::decode(&self.bytes)
    }
}

/// A place at which the records of a log cannot be followed: −501.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {position} (segment {segment:#x}, byte {byte:#x}): {error}")]
pub struct RecordFault {
    /// Position of the record.
    pub position: LogPosition,
    /// Segment (sector) in which its bytes lie.
    pub segment: u16,
    /// Byte inside it.
    pub byte: u16,
    /// What is wrong.
    pub error: RecordError,
}

impl<'a> LogFile<'a> {
    /// Checks the header (`log-1 §4.2`, 1 to 6) and finds the end. `bytes` is the whole file; one that is shorter than its header says
    /// is read as far as it goes.
    ///
    /// # Errors
    /// [`HeaderError`]; damage behind the header is told by [`Self::end`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        Self::of(Cow::Borrowed(bytes))
    }
    /// The same, for bytes that the log keeps itself.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_owned(bytes: Vec<u8>) -> Result<LogFile<'static>, HeaderError> {
        LogFile::of(Cow::Owned(bytes))
    }
    fn of(mut bytes: Cow<'a, [u8]>) -> Result<Self, HeaderError> {
        let header = LogHeader::check(&bytes)?;
        let mut ranges = Vec::new();
        let end = if header.version().is_legacy() {
            let scanned = legacy::scan(&bytes, &header);
            if let Some(repair) = &scanned.repair {
                repair.apply(bytes.to_mut());
            }
            ranges = scanned.ranges;
            scanned.end
        } else {
            let end = scan::scan(&bytes, &header);
            if !end.repairs.is_empty() {
                scan::apply_repairs(bytes.to_mut(), &end.repairs);
            }
            end
        };
        Ok(Self { header, bytes, end, ranges })
    }
    /// The header.
    #[must_use]
    pub const fn header(&self) -> &LogHeader {
        &self.header
    }
    /// Where the data ends, what was repaired, what is damaged.
    #[must_use]
    pub const fn end(&self) -> &LogEnd {
        &self.end
    }
    /// The file's bytes, repaired.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// All records, in order. Damage of segments ends the records silently at [`LogEnd::position`]: look at [`LogEnd::corruption`].
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        if self.header.version().is_legacy() {
            Records::Legacy(legacy::LegacyRecords::new(&self.bytes, &self.header, self.end.position, &self.ranges))
        } else {
            Records::Segments(SegmentRecords::new(&self.bytes, &self.header, self.end.last_segment))
        }
    }
    /// The records from `start` on (`log-1 §8`, "positioning"): those of this generation that do not lie before it. Legacy logs always
    /// begin with their first record (`log-7 §9`).
    #[must_use]
    pub fn records_from(&self, start: LogPosition) -> Records<'_> {
        if self.header.version().is_legacy() || start <= self.header.first_position() {
            return self.records();
        }
        Records::Segments(SegmentRecords::starting_at(&self.bytes, &self.header, self.end.last_segment, start))
    }
    /// Whether the log was closed cleanly: whether its last record, padding aside, ends a run (`log-1 §8`, `log-7 §8`).
    #[must_use]
    pub fn was_closed_cleanly(&self) -> bool {
        self.last_record_type().is_some_and(|kind| {
            kind.closes_log() && !(self.header.version().is_legacy() && kind == RecordType::RECOVERY_QUIT_KEEP_ATTACHMENTS)
        })
    }
    /// Type of the last record, padding and integrity records aside; of an 8.x log only if it lies in the last segment.
    #[must_use]
    pub fn last_record_type(&self) -> Option<RecordType> {
        let start = match (self.header.version().is_legacy(), self.end.last_segment) {
            (false, Some(segment)) => LogPosition { sector: segment, ..self.header.first_position() },
            _ => self.header.first_position(),
        };
        let kinds = self.records_from(start).map_while(Result::ok).map(|record| record.record_type());
        kinds.filter(|kind| !kind.is_padding() && *kind != RecordType::LEGACY_CHECKSUM).last()
    }
}

/// The records of a log file. After a fault there is nothing more.
#[derive(Clone, Debug)]
pub enum Records<'a> {
    /// Of an 8.x log.
    Segments(SegmentRecords<'a>),
    /// Of a 7.x log.
    Legacy(legacy::LegacyRecords<'a>),
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<LogRecord<'a>, RecordFault>;
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Segments(records) => records.next(),
            Self::Legacy(records) => records.next(),
        }
    }
}
