//! Finding the end of an 8.x log (`log-1 §8`): which segments hold data, what is repaired, what is damaged.

use crate::jet::JetCode;
use crate::log::header::LogHeader;
use crate::log::segment::{self, RECORDS_START, SEGMENT_SIZE, SegmentHeader};
use crate::units::LogPosition;
use anchorlog_checksum::{BitError, SegmentVerdict, verify_segment};
use serde::Serialize;

/// Why the scan calls a log corrupt; the names are those of Microsoft's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum CorruptReason {
    /// Neither data, shadow, zero nor old content behind the end.
    CorruptAfterEmptySegment,
    /// A right segment that names a later position.
    BadSegmentLgpos,
    /// Data behind the end.
    ValidSegmentAfterEmpty,
    /// The file ends before the segment.
    IOError,
    /// A damaged segment without a shadow.
    SegmentCorrupt,
    /// Legacy: what stands behind the end is not fill.
    LegacyTail,
    /// Legacy: a range or its records do not fit together.
    LegacyRange,
}

/// A damaged place of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Corruption {
    /// Segment (sector) in the file.
    pub segment: u16,
    /// Why.
    pub reason: CorruptReason,
    /// Whether it looks like a torn write of the last segment's shadow alone: the data is whole, but Microsoft's engine refuses the log.
    pub only_a_shadow: bool,
}

/// What was mended in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A flipped bit of a data segment.
    Bit {
        /// The segment.
        segment: u16,
        /// Where in it.
        error: BitError,
    },
    /// A segment (legacy: sector) that was lost, taken from its shadow one further.
    Shadow {
        /// The segment.
        segment: u16,
    },
}

/// What stands directly behind the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Tail {
    /// The log is full to its last usable segment.
    Full,
    /// The shadow of the last segment.
    Shadow,
    /// Zeros, or the fill pattern of legacy logs.
    Empty,
    /// A segment of an older generation.
    Older,
    /// Damage.
    Damaged,
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// First position behind the data ("Last Lgpos").
    pub position: LogPosition,
    /// Last data segment; `None` for a log without.
    pub last_segment: Option<u16>,
    /// XOR of the checksums of all data segments; 0 for legacy logs.
    pub accumulated: u64,
    /// What was mended.
    pub repairs: Vec<Repair>,
    /// What stands directly behind the data.
    pub tail: Tail,
    /// Legacy: a flush was cut short, what it held is lost.
    pub torn: bool,
    /// The first damage; the data before it can still be read.
    pub corruption: Option<Corruption>,
    /// Whether it is the end of a 7.x log.
    pub legacy: bool,
}

/// In which run a log is read: decides which code a damage has (`log-1 §8`, `log-7 §5`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadContext {
    /// Soft recovery, or a dump.
    Soft,
    /// Restore, the log belongs to the backup set.
    HardInSet,
    /// Restore, the log is newer than the set.
    HardBeyond,
}

impl LogEnd {
    /// Whether a lost segment was taken from its shadow.
    #[must_use]
    pub fn is_patched(&self) -> bool {
        self.repairs.iter().any(|repair| matches!(repair, Repair::Shadow { .. }))
    }
    /// The code with which the log is refused; `None` where it may be used. `current`: it is the stream's current log, not an archived one.
    ///
    /// Of legacy logs we refuse a torn archived one, over which Microsoft's engine carries on, and use the shadow of an archived one, which
    /// it refuses (`log-7 §16`).
    #[must_use]
    pub fn refusal(&self, context: ReadContext, current: bool) -> Option<JetCode> {
        // A shadow may always be used in a legacy log (trap Y9).
        let lossy = if self.legacy { self.torn } else { self.is_patched() };
        match (self.corruption.is_some(), lossy, context) {
            (true, _, ReadContext::Soft) => Some(JetCode::LOG_FILE_CORRUPT),
            (true, _, ReadContext::HardInSet) => Some(JetCode::LOG_CORRUPT_DURING_HARD_RESTORE),
            (true, _, ReadContext::HardBeyond) => Some(JetCode::LOG_CORRUPT_DURING_HARD_RECOVERY),
            (false, true, ReadContext::Soft) if self.legacy && !current => Some(JetCode::LOG_FILE_CORRUPT),
            (false, true, ReadContext::HardInSet) => Some(JetCode::LOG_TORN_WRITE_DURING_HARD_RESTORE),
            (false, true, ReadContext::HardBeyond) if !current => Some(JetCode::LOG_TORN_WRITE_DURING_HARD_RECOVERY),
            _ => None,
        }
    }
}

/// Scans the segments of an 8.x log. `file` is the whole file; `header` its checked header.
#[must_use]
pub fn scan(file: &[u8], header: &LogHeader) -> LogEnd {
    let mut scan = Scan {
        file,
        header,
        empty: false,
        end: LogEnd {
            position: header.first_position(),
            last_segment: None,
            accumulated: 0,
            repairs: Vec::new(),
            tail: Tail::Full,
            torn: false,
            corruption: None,
            legacy: false,
        },
    };
    for index in header.header_sectors..=header.geometry().last_usable() {
        let seen = scan.look_at(index);
        if !scan.take(index, seen) {
            break;
        }
    }
    scan.finish()
}

/// What one segment turned out to be.
enum Seen {
    Data {
        checksum: u64,
        repair: Option<Repair>,
    },
    /// Marks the end of the data.
    Empty(Tail),
    Corrupt(CorruptReason),
}

struct Scan<'a> {
    file: &'a [u8],
    header: &'a LogHeader,
    empty: bool,
    end: LogEnd,
}

impl Scan<'_> {
    fn look_at(&self, index: u16) -> Seen {
        let Some(bytes) = segment::at(self.file, index) else { return self.shadow_of(index) };
        let number = u32::from(index);
        let verdict = verify_segment(bytes, number);
        let repair = match verdict {
            SegmentVerdict::Correctable(error) => Some(Repair::Bit { segment: index, error }),
            _ => None,
        };
        if let SegmentVerdict::Valid | SegmentVerdict::Correctable(_) = verdict {
            // The position is looked at after the repair (trap G21).
            let fields = corrected(bytes, verdict);
            let here = self.position(index);
            return if fields.position < here {
                Seen::Empty(Tail::Older)
            } else if fields.position > here {
                Seen::Corrupt(CorruptReason::BadSegmentLgpos)
            } else if self.empty {
                Seen::Corrupt(CorruptReason::ValidSegmentAfterEmpty)
            } else {
                Seen::Data { checksum: fields.checksum, repair }
            };
        }
        if index > self.header.header_sectors && verdict == SegmentVerdict::OtherIndex(number - 1) {
            // Also an older generation's shadow (trap G86): it only marks the end.
            return Seen::Empty(Tail::Shadow);
        }
        if self.header.version().allows_zero_segments() && bytes.iter().all(|&byte| byte == 0) {
            return Seen::Empty(Tail::Empty);
        }
        if self.empty {
            return Seen::Corrupt(CorruptReason::CorruptAfterEmptySegment);
        }
        self.shadow_of(index)
    }

    /// A damaged segment where data was expected: its shadow one further can stand in.
    fn shadow_of(&self, index: u16) -> Seen {
        if self.empty {
            return Seen::Corrupt(CorruptReason::IOError);
        }
        let Some(shadow) = segment::at(self.file, index + 1) else { return Seen::Corrupt(CorruptReason::IOError) };
        let fields = SegmentHeader::read(shadow);
        match (verify_segment(shadow, index.into()), fields) {
            (SegmentVerdict::Valid, Some(fields)) if fields.position == self.position(index) => {
                Seen::Data { checksum: fields.checksum, repair: Some(Repair::Shadow { segment: index }) }
            }
            _ => Seen::Corrupt(CorruptReason::SegmentCorrupt),
        }
    }

    fn take(&mut self, index: u16, seen: Seen) -> bool {
        match seen {
            Seen::Data { checksum, repair } => {
                self.end.last_segment = Some(index);
                self.end.accumulated ^= checksum;
                self.end.repairs.extend(repair);
                true
            }
            Seen::Empty(tail) => {
                if !self.empty {
                    self.empty = true;
                    self.end.tail = tail;
                }
                true
            }
            Seen::Corrupt(reason) => {
                let only_a_shadow = reason == CorruptReason::SegmentCorrupt && self.is_torn_shadow(index);
                self.end.corruption = Some(Corruption { segment: index, reason, only_a_shadow });
                if !self.empty {
                    self.end.tail = Tail::Damaged;
                }
                false
            }
        }
    }

    /// The last good segment is partial, and each sector of this one is either that of the good one or empty.
    fn is_torn_shadow(&self, index: u16) -> bool {
        let (Some(last), Some(torn)) =
            (self.end.last_segment.and_then(|last| segment::at(self.file, last)), segment::at(self.file, index))
        else {
            return false;
        };
        let (good, torn) = (last.chunks_exact(512), torn.chunks_exact(512));
        let mut copied = 0;
        let all = good.zip(torn).all(|(good, torn)| {
            let same = good == torn;
            copied += usize::from(same && good.iter().any(|&byte| byte != 0));
            same || torn.iter().all(|&byte| byte == 0)
        });
        all && copied > 0 && last.last() == Some(&0)
    }

    fn position(&self, index: u16) -> LogPosition {
        LogPosition { sector: index, ..self.header.first_position() }
    }

    fn finish(mut self) -> LogEnd {
        if let Some(last) = self.end.last_segment {
            self.end.position = self.position(last.saturating_add(1));
        }
        self.end
    }
}

fn corrected(bytes: &[u8; SEGMENT_SIZE], verdict: SegmentVerdict) -> SegmentHeader {
    let mut head = [0; RECORDS_START];
    head.copy_from_slice(&bytes[..RECORDS_START]);
    if let SegmentVerdict::Correctable(error) = verdict
        && let Some(byte) = head.get_mut(error.byte)
    {
        *byte ^= 1 << error.bit;
    }
    SegmentHeader::read(&head).expect("a segment is longer than its header")
}

/// Writes the repairs into a copy of the file: flipped bits turned back, lost segments taken from their shadows.
pub fn apply_repairs(file: &mut [u8], repairs: &[Repair]) {
    for repair in repairs {
        match *repair {
            Repair::Bit { segment, error } => {
                if let Some(byte) = file.get_mut(usize::from(segment) * SEGMENT_SIZE + error.byte) {
                    *byte ^= 1 << error.bit;
                }
            }
            Repair::Shadow { segment } => {
                let start = usize::from(segment) * SEGMENT_SIZE;
                if file.len() >= start + 2 * SEGMENT_SIZE {
                    file.copy_within(start + SEGMENT_SIZE..start + 2 * SEGMENT_SIZE, start);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
