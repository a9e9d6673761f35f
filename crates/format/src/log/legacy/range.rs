//! One LRCHECKSUM record and the bytes that it guards (`log-7 §3`).

use crate::log::header::LogHeader;
use crate::log::record::{LegacyChecksum, Operation, RecordType};
use anchorlog_checksum::{LegacyRange, MULTI_SECTOR, SHADOW_MASK, SINGLE_SECTOR};

/// Bytes of an LRCHECKSUM.
pub const RANGE_RECORD: usize = 22;

/// Where an LRCHECKSUM of the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeMark {
    /// Byte of the file.
    pub offset: usize,
    /// Whether it hides what stands before it in its sector: it covers nothing backwards though it does not begin the sector (trap Y1).
    pub hides: bool,
}

/// A log file as a stream of sectors.
#[derive(Clone, Copy, Debug)]
pub struct Sectors<'a> {
    pub file: &'a [u8],
    /// Bytes of a sector.
    pub size: usize,
    /// Sectors of the file.
    pub count: usize,
    pub generation: u32,
}

impl<'a> Sectors<'a> {
    pub fn new(file: &'a [u8], header: &LogHeader) -> Self {
        let whole = usize::try_from(header.geometry().file_size()).unwrap_or(usize::MAX);
        let file = file.get(..whole).unwrap_or(file);
        Self { file, size: header.sector_size.into(), count: header.sectors.into(), generation: header.generation.0 }
    }
    /// Number of the sector of a byte.
    pub const fn sector(&self, offset: usize) -> usize {
        offset / self.size
    }
    /// Place of a byte in its sector.
    pub const fn byte(&self, offset: usize) -> usize {
        offset % self.size
    }
    /// First byte of a sector.
    pub const fn start(&self, sector: usize) -> usize {
        sector.saturating_mul(self.size)
    }
    /// Whether all sectors from `first` to the last of the file hold the fill pattern.
    pub fn are_fill_from(&self, first: usize) -> bool {
        (first..self.count).all(|sector| self.is_fill(sector))
    }
    pub fn is_fill(&self, sector: usize) -> bool {
        let start = self.start(sector);
        self.file.get(start..start.saturating_add(self.size)).is_some_and(is_fill)
    }
    /// The LRCHECKSUM at a byte; `None` where the type is another, or the file ends.
    pub fn range_at(&self, offset: usize) -> Option<Range<'a>> {
        let bytes = self.file.get(offset..offset.checked_add(RANGE_RECORD)?)?;
        if bytes.first() != Some(&RecordType::LEGACY_CHECKSUM.0) {
            return None;
        }
        let Ok(Operation::LegacyChecksum(record)) = Operation::decode(bytes) else { return None };
        Some(Range { sectors: *self, offset, record })
    }
}

/// An LRCHECKSUM where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    sectors: Sectors<'a>,
    pub offset: usize,
    pub record: LegacyChecksum,
}

impl<'a> Range<'a> {
    pub fn is_multi(&self) -> bool {
        self.record.kind == MULTI_SECTOR
    }
    pub fn forwards(&self) -> usize {
        to_usize(self.record.forwards)
    }
    pub fn next(&self) -> usize {
        to_usize(self.record.next)
    }
    /// Byte behind the record.
    pub const fn behind(&self) -> usize {
        self.offset + RANGE_RECORD
    }
    /// Whether `cbBackwards` is impossible: with the multi-sector flag the log is given up at once (`log-7 §4`).
    pub fn is_absurd(&self) -> bool {
        self.is_multi() && to_usize(self.record.backwards) > self.sectors.size - RANGE_RECORD
    }
    /// The seven tests of a valid record, as if it stood at `place` (a shadow stands one sector further than it belongs).
    pub fn is_valid_at(&self, place: usize) -> bool {
        let size = self.sectors.size;
        let (byte, backwards) = (self.sectors.byte(place), to_usize(self.record.backwards));
        let Some(reach) = byte.checked_add(RANGE_RECORD).and_then(|end| end.checked_add(self.forwards())) else { return false };
        let Some(end) = self.sectors.start(self.sectors.sector(place)).checked_add(reach) else { return false };
        let kind_fits = if reach > size { self.is_multi() && reach % size == 0 } else { self.record.kind == SINGLE_SECTOR };
        byte + RANGE_RECORD <= size
            && backwards <= size - RANGE_RECORD
            && (backwards == byte || backwards == 0)
            && self.short_is_right()
            && end <= self.sectors.start(self.sectors.count)
            && kind_fits
            && self.next_fits(place, reach)
    }
    fn next_fits(&self, place: usize, reach: usize) -> bool {
        let size = self.sectors.size;
        if self.record.next == 0 {
            return true;
        }
        let Some(next) = place.checked_add(RANGE_RECORD).and_then(|end| end.checked_add(self.next())) else { return false };
        reach >= size && reach.is_multiple_of(size) && self.sectors.sector(next) == self.sectors.sector(place) + reach / size
    }
    fn short_is_right(&self) -> bool {
        match self.record.kind {
            MULTI_SECTOR => {
                let sector_end = self.sectors.start(self.sectors.sector(self.offset) + 1);
                let rest = self.sectors.file.get(self.behind()..sector_end);
                let (Some(back), Some(rest)) = (self.back(), rest) else { return false };
                self.fields().short_checksum(back, rest) == self.record.short_checksum
            }
            SINGLE_SECTOR => self.record.short_checksum == 0,
            _ => false,
        }
    }
    /// Whether the checksum over the whole range is right.
    pub fn is_good(&self) -> bool {
        self.range_checksum() == Some(self.record.checksum)
    }
    /// Whether this is the good shadow of a record that belongs to `place`.
    pub fn is_good_shadow_of(&self, place: usize) -> bool {
        self.record.kind == SINGLE_SECTOR
            && self.is_valid_at(place)
            && self.range_checksum().map(|sum| sum ^ SHADOW_MASK) == Some(self.record.checksum)
    }
    fn range_checksum(&self) -> Option<u32> {
        Some(self.fields().range_checksum(self.back()?, self.forward()?))
    }
    /// Bytes before the record that it guards.
    pub fn back(&self) -> Option<&'a [u8]> {
        self.sectors.file.get(self.offset.checked_sub(to_usize(self.record.backwards))?..self.offset)
    }
    /// Bytes behind the record that it guards.
    pub fn forward(&self) -> Option<&'a [u8]> {
        self.sectors.file.get(self.behind()..self.behind().checked_add(self.forwards())?)
    }
    fn fields(&self) -> LegacyRange {
        LegacyRange {
            backwards: self.record.backwards,
            forwards: self.record.forwards,
            next: self.record.next,
            kind: self.record.kind,
            generation: self.sectors.generation,
        }
    }
    pub fn mark(&self) -> RangeMark {
        RangeMark { offset: self.offset, hides: self.record.backwards == 0 && self.sectors.byte(self.offset) > 0 }
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The byte of the fill pattern at an offset of the file.
#[must_use]
pub fn fill_pattern(offset: usize) -> u8 {
    const STEPS: [u8; 15] = [0xEA, 0xFA, 0x0A, 0x1A, 0x2A, 0x3A, 0x4A, 0x5A, 0x6A, 0x7A, 0x8A, 0x9A, 0xAA, 0xBA, 0xCA];
    let place = offset % 256;
    if place.is_multiple_of(16) { STEPS.get((place / 16).wrapping_sub(1)).copied().unwrap_or(0xDA) } else { 0xDA }
}

/// Whether bytes that start at a multiple of 512 in their file are all fill.
#[must_use]
pub fn is_fill(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(offset, &byte)| byte == fill_pattern(offset))
}
