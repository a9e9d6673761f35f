//! Laying records into segments (`log-1 §7.3`, `§7.4`, `log-3 §2`): pure, no I/O.

use anchorlog_format::log::record::{FillFixed, FragmentBeginFixed, FragmentFixed, RecordType};
use anchorlog_format::log::segment::{FRAGMENT_ROOM_MIN, RECORDS_START, SEGMENT_DATA, SEGMENT_SIZE};
use std::collections::VecDeque;

use crate::stream::Clock;
use anchorlog_format::units::{Generation, LogPosition, LogTime};

/// A segment being filled or waiting to be written.
#[derive(Clone)]
pub struct Segment {
    pub index: u16,
    pub bytes: [u8; SEGMENT_SIZE],
    /// Where the next record goes.
    pub at: usize,
    pub started: LogTime,
}

impl Segment {
    pub const fn new(index: u16) -> Self {
        Self { index, bytes: [0; SEGMENT_SIZE], at: RECORDS_START, started: LogTime::NONE }
    }
    pub const fn is_unused(&self) -> bool {
        self.at == RECORDS_START
    }
    const fn room(&self) -> usize {
        SEGMENT_SIZE - self.at
    }
    fn put(&mut self, bytes: &[u8], clock: &Clock) {
        if self.is_unused() {
            self.started = clock();
        }
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

/// The segments of one generation that are not all in the file yet.
pub struct Packer {
    pub generation: Generation,
    /// Full segments, in order.
    pub full: VecDeque<Segment>,
    /// The one being filled.
    pub open: Segment,
    /// The last segment that may hold data.
    pub last_usable: u16,
}

impl Packer {
    pub fn new(generation: Generation, first: u16, last_usable: u16) -> Self {
        Self { generation, full: VecDeque::new(), open: Segment::new(first), last_usable }
    }
    /// Where the next record goes, as a writer sees it: the start of the segment while it is unused.
    pub fn position(&self) -> LogPosition {
        let byte = if self.open.is_unused() { 0 } else { u16::try_from(self.open.at).unwrap_or(0) };
        LogPosition { generation: self.generation, sector: self.open.index, byte }
    }
    /// Whether records of these sizes fit together, one byte of the last usable segment left free (`log-3 §5`, trap G61).
    pub fn fits(&self, sizes: &[usize]) -> bool {
        let (mut index, mut at) = (usize::from(self.open.index), self.open.at);
        for &size in sizes {
            (index, at) = after(index, at, size);
        }
        index < usize::from(self.last_usable) || (index == usize::from(self.last_usable) && at < SEGMENT_SIZE)
    }
    /// Appends a record that fits; returns its position.
    pub fn append(&mut self, record: &[u8], clock: &Clock) -> LogPosition {
        let position = self.position();
        if self.open.room() < record.len() && self.open.room() < FRAGMENT_ROOM_MIN {
            self.close();
        }
        if self.open.room() >= record.len() {
            self.open.put(record, clock);
        } else {
            self.append_in_parts(record, clock);
        }
        if self.open.room() == 0 {
            self.close();
        }
        position
    }
    fn append_in_parts(&mut self, record: &[u8], clock: &Clock) {
        let (part, mut rest) = record.split_at(self.open.room() - FragmentBeginFixed::SIZE);
        let mut bytes = vec![0; FragmentBeginFixed::SIZE];
        bytes[0] = RecordType::FRAGMENT_BEGIN.0;
        let total = u32::try_from(record.len()).expect("a record fits its generation");
        FragmentBeginFixed { total, length: length(part) }.write(&mut bytes);
        bytes.extend_from_slice(part);
        self.open.put(&bytes, clock);
        while !rest.is_empty() {
            if self.open.room() == 0 {
                self.close();
            }
            let (part, behind) = rest.split_at(rest.len().min(SEGMENT_DATA - FragmentFixed::SIZE));
            let mut bytes = vec![0; FragmentFixed::SIZE];
            bytes[0] = RecordType::FRAGMENT.0;
            FragmentFixed { length: length(part) }.write(&mut bytes);
            bytes.extend_from_slice(part);
            self.open.put(&bytes, clock);
            rest = behind;
        }
    }
    /// Fills the rest of the open segment with one NOP2; there must be room for its head.
    pub fn fill(&mut self, clock: &Clock) {
        let zeros = self.open.room() - FillFixed::SIZE;
        let mut bytes = vec![0; FillFixed::SIZE + zeros];
        bytes[0] = RecordType::FILL.0;
        FillFixed { size: u32::try_from(zeros).expect("less than a segment") }.write(&mut bytes);
        self.open.put(&bytes, clock);
        self.close();
    }
    /// Leaves the rest of the open segment as padding and goes on with the next.
    pub fn close(&mut self) {
        let next = Segment::new(self.open.index.saturating_add(1));
        self.full.push_back(std::mem::replace(&mut self.open, next));
    }
}

fn length(part: &[u8]) -> u16 {
    u16::try_from(part.len()).expect("a part is smaller than a segment")
}

/// Where the entry stands after a record of `size` bytes.
fn after(mut index: usize, mut at: usize, size: usize) -> (usize, usize) {
    if at == SEGMENT_SIZE {
        (index, at) = (index + 1, RECORDS_START);
    }
    let room = SEGMENT_SIZE - at;
    if size <= room {
        return (index, at + size);
    }
    if room < FRAGMENT_ROOM_MIN {
        return after(index + 1, RECORDS_START, size);
    }
    let left = size - (room - FragmentBeginFixed::SIZE);
    let whole = SEGMENT_DATA - FragmentFixed::SIZE;
    let (segments, rest) = (left / whole, left % whole);
    if rest == 0 { (index + segments, SEGMENT_SIZE) } else { (index + segments + 1, RECORDS_START + FragmentFixed::SIZE + rest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn clock() -> Clock {
        Arc::new(|| LogTime::utc(2026, 1, 1, 0, 0, 0, 0))
    }

    #[test]
    fn the_planned_entry_is_where_the_record_ends() {
        for start in [0, 1, 100, 4000, 4024, 4025, 4050, 4055] {
            for size in [1, 5, 31, 32, 33, 4049, 4050, 4056, 4057, 4053 * 2 + 4049, 4053 * 2 + 4050, 9000, 40_000] {
                let mut packer = Packer::new(Generation(1), 1, 60);
                if start > 0 {
                    packer.append(&vec![9; start], &clock());
                }
                let planned = after(packer.open.index.into(), packer.open.at, size);
                packer.append(&vec![9; size], &clock());
                let mut found = (usize::from(packer.open.index), packer.open.at);
                if planned.1 == SEGMENT_SIZE {
                    found = (found.0 - 1, SEGMENT_SIZE);
                }
                assert_eq!(planned, found, "{start} {size}");
            }
        }
    }

    #[test]
    fn g61_one_byte_of_the_last_usable_segment_stays_free() {
        let packer = Packer::new(Generation(1), 14, 14);
        assert!(packer.fits(&[4055]));
        assert!(!packer.fits(&[4056]));
        assert!(!packer.fits(&[4000, 56]));
        assert!(Packer::new(Generation(1), 13, 14).fits(&[4056]));
    }

    #[test]
    fn small_records_are_never_cut() {
        let mut packer = Packer::new(Generation(1), 1, 14);
        packer.append(&vec![9; 4056 - 31], &clock());
        assert_eq!(packer.append(&[5; 32], &clock()), LogPosition::new(1, 1, 4096 - 31));
        assert_eq!(packer.open.index, 2);
        assert_eq!(packer.open.bytes[40], 5);
        assert!(packer.full[0].bytes[4096 - 31..].iter().all(|&byte| byte == 0));
    }
}
