//! Logs made to order, for tests.

use crate::log::file::LogFile;
use crate::log::header::{HEADER_SIZE, LogHeader};
use crate::log::segment::{RECORDS_START, SEGMENT_SIZE, SegmentHeader};
use crate::units::{Generation, LogPosition, LogTime};
use anchorlog_checksum::set_segment_checksum;

/// Generation of the logs made here; older content has a lower one.
pub const GENERATION: u32 = 5;

/// An 8.x log of 16 segments.
pub struct Build {
    pub header: LogHeader,
    pub file: Vec<u8>,
}

impl Build {
    pub fn new() -> Self {
        let mut header = LogHeader::read(&[0; HEADER_SIZE]).unwrap();
        header.generation = Generation(GENERATION);
        (header.sector_size, header.header_sectors, header.sectors) = (4096, 1, 16);
        (header.major, header.minor, header.update_major, header.update_minor) = (8, 4000, 130, 280);
        header.file_type = 3;
        let mut file = header.to_bytes();
        file.resize(16 * SEGMENT_SIZE, 0);
        Self { header, file }
    }
    /// The same, with another version.
    pub fn version(mut self, update_major: u32) -> Self {
        self.header.update_major = update_major;
        let bytes = self.header.to_bytes();
        self.file[..HEADER_SIZE].copy_from_slice(&bytes);
        self
    }
    pub fn segment(&mut self, index: u16) -> &mut [u8; SEGMENT_SIZE] {
        let start = usize::from(index) * SEGMENT_SIZE;
        (&mut self.file[start..start + SEGMENT_SIZE]).try_into().unwrap()
    }
    /// A data segment.
    pub fn put(self, index: u16, data: &[u8]) -> Self {
        self.put_at(index, LogPosition::new(GENERATION, index, 0), index, data)
    }
    /// A segment of a generation before, as a recycled file has it.
    pub fn put_old(self, index: u16, data: &[u8]) -> Self {
        self.put_at(index, LogPosition::new(GENERATION - 1, index, 0), index, data)
    }
    /// A segment with any position and checksum number.
    pub fn put_at(mut self, index: u16, position: LogPosition, number: u16, data: &[u8]) -> Self {
        let segment = self.segment(index);
        segment.fill(0);
        SegmentHeader { checksum: 0, position, started: LogTime::NONE, reserved: [0; 12], flags: 0 }.write(segment);
        segment[RECORDS_START..RECORDS_START + data.len()].copy_from_slice(data);
        set_segment_checksum(segment, number.into());
        self
    }
    /// Copies a segment one further, as its shadow.
    pub fn shadow(mut self, index: u16) -> Self {
        let bytes = *self.segment(index);
        *self.segment(index + 1) = bytes;
        self
    }
    /// Changes bytes of a segment.
    pub fn damage(mut self, index: u16, at: usize, bytes: &[u8]) -> Self {
        self.segment(index)[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }
    pub fn log(&self) -> LogFile<'_> {
        LogFile::open(&self.file).unwrap()
    }
}

/// A NOP2 of `size` bytes.
pub fn fill(size: usize) -> Vec<u8> {
    let mut record = vec![0; size];
    record[0] = 71;
    record[1..5].copy_from_slice(&u32::try_from(size - 5).unwrap().to_le_bytes());
    record
}

/// A trace of `size` bytes; its text has no two equal halves, so that zeroed parts change its checksum.
pub fn trace(size: usize) -> Vec<u8> {
    let mut record: Vec<u8> = (0..size).map(|i| (i * i / 3).to_le_bytes()[0] | 1).collect();
    record[..3].copy_from_slice(&[22, 1, 0]);
    record[3..5].copy_from_slice(&u16::try_from(size - 5).unwrap().to_le_bytes());
    record
}

/// A record cut into fragments, the first of them with `first` bytes of it.
pub fn cut(record: &[u8], first: usize) -> Vec<Vec<u8>> {
    let mut parts =
        vec![[&[76][..], &u32::try_from(record.len()).unwrap().to_le_bytes(), &length(first), &record[..first]].concat()];
    for part in record[first..].chunks(4053) {
        parts.push([&[77][..], &length(part.len()), part].concat());
    }
    parts
}

fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_le_bytes()
}
