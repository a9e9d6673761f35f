//! Finding the end of a 7.x log (`log-7 §4`).

use crate::log::header::LogHeader;
use crate::log::legacy::range::{RANGE_RECORD, Range, RangeMark, Sectors};
use crate::log::legacy::records::LegacyRecords;
use crate::log::record::LegacyChecksum;
use crate::log::scan::{CorruptReason, Corruption, LogEnd, Repair, Tail};
use crate::units::LogPosition;
use anchorlog_checksum::SHADOW_MASK;

/// What the scan found.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The end.
    pub end: LogEnd,
    /// The chain of integrity records.
    pub ranges: Vec<RangeMark>,
    /// The last sector, when it must be taken from its shadow.
    pub repair: Option<ShadowRepair>,
}

/// How a lost last sector is taken from its shadow.
#[derive(Clone, Copy, Debug)]
pub struct ShadowRepair {
    start: usize,
    size: usize,
    record: LegacyChecksum,
    at: usize,
}

impl ShadowRepair {
    /// Copies the shadow over the sector and turns its checksum back to normal.
    pub fn apply(&self, file: &mut [u8]) {
        if file.len() < self.start + 2 * self.size {
            return;
        }
        file.copy_within(self.start + self.size..self.start + 2 * self.size, self.start);
        let record = LegacyChecksum { checksum: self.record.checksum ^ SHADOW_MASK, ..self.record };
        let encoded = crate::log::record::Operation::LegacyChecksum(record).encode().unwrap_or_default();
        if let Some(target) = file.get_mut(self.at..self.at + encoded.len()) {
            target.copy_from_slice(&encoded);
        }
    }
}

/// How the chain ended.
enum Found {
    /// Data ends at a byte; what stands behind must be fill.
    Good {
        end: usize,
    },
    /// Data ends at a byte; what stands behind shows whether a flush was cut short.
    Look {
        end: usize,
        from: usize,
        bad_range: Option<usize>,
    },
    /// A flush was cut short, whatever stands behind.
    Torn {
        end: usize,
    },
    Corrupt {
        at: usize,
    },
}

struct Chain<'a> {
    sectors: Sectors<'a>,
    /// The record at which the chain stands.
    at: usize,
    last: Option<usize>,
    ranges: Vec<RangeMark>,
    repair: Option<ShadowRepair>,
}

/// Follows the chain of integrity records from the start of the file and judges what stands behind its end.
#[must_use]
pub fn scan(file: &[u8], header: &LogHeader) -> Scanned {
    let sectors = Sectors::new(file, header);
    let start = sectors.start(header.header_sectors.into());
    let mut chain = Chain { sectors, at: start, last: None, ranges: Vec::new(), repair: None };
    let found = chain.follow();
    let (end, torn, corrupt) = match found {
        Found::Good { end } => {
            let behind = sectors.sector(end) + usize::from(sectors.byte(end) > 0);
            let corrupt = (!sectors.are_fill_from(behind + 1)).then_some(behind + 1);
            (end, false, corrupt)
        }
        Found::Look { end, from, bad_range } => {
            let torn = chain.is_torn(from, bad_range);
            (end, torn, (!torn).then_some(sectors.sector(from)))
        }
        Found::Torn { end } => (end, true, None),
        Found::Corrupt { at } => (at, false, Some(sectors.sector(at))),
    };
    let Chain { last, ranges, repair, .. } = chain;
    let mut log_end = LogEnd {
        position: position(header, &sectors, end),
        last_segment: None,
        accumulated: 0,
        repairs: repair
            .iter()
            .map(|repair| Repair::Shadow { segment: u16::try_from(sectors.sector(repair.start)).unwrap_or(u16::MAX) })
            .collect(),
        tail: if corrupt.is_some() { Tail::Damaged } else { Tail::Empty },
        torn,
        corruption: corrupt.map(|sector| Corruption {
            segment: u16::try_from(sector).unwrap_or(u16::MAX),
            reason: CorruptReason::LegacyTail,
            only_a_shadow: false,
        }),
        legacy: true,
    };
    walk_tail(file, header, &sectors, &ranges, repair, last, &mut log_end);
    if log_end.position > header.first_position() {
        let before = header.geometry().offset_in_file(log_end.position).saturating_sub(1);
        log_end.last_segment = u16::try_from(sectors.sector(before)).ok();
    }
    Scanned { end: log_end, ranges, repair }
}

/// The records behind the last range must follow each other; one that the end cuts off is dropped without error (trap Y5).
fn walk_tail(
    file: &[u8],
    header: &LogHeader,
    sectors: &Sectors<'_>,
    ranges: &[RangeMark],
    repair: Option<ShadowRepair>,
    last: Option<usize>,
    end: &mut LogEnd,
) {
    let mut mended = std::borrow::Cow::Borrowed(file);
    if let Some(repair) = repair {
        repair.apply(mended.to_mut());
    }
    let from = last.map_or_else(|| sectors.start(header.header_sectors.into()), |last| last + RANGE_RECORD);
    for item in LegacyRecords::new(&mended, header, end.position, ranges).skip_to(from) {
        if let Err(fault) = item {
            end.corruption.get_or_insert(Corruption {
                segment: fault.segment,
                reason: CorruptReason::LegacyRange,
                only_a_shadow: false,
            });
        }
    }
}

impl<'a> Chain<'a> {
    fn follow(&mut self) -> Found {
        loop {
            let sectors = self.sectors;
            let Some(range) = sectors.range_at(self.at) else { return self.shadow(false) };
            if !range.is_valid_at(self.at) {
                return if range.is_absurd() { Found::Corrupt { at: self.at } } else { self.shadow(false) };
            }
            let behind = range.behind();
            if !range.is_good() {
                if range.is_multi() {
                    // The short checksum proves the first sector.
                    self.ranges.push(range.mark());
                    self.last = Some(self.at);
                    let end = sectors.start(sectors.sector(self.at) + 1);
                    return Found::Look { end, from: behind.saturating_add(range.forwards()), bad_range: Some(self.at) };
                }
                if self.is_shadow_of_last(&range) {
                    return Found::Torn { end: sectors.start(sectors.sector(self.at)) };
                }
                return self.shadow(true);
            }
            self.ranges.push(range.mark());
            if range.record.next == 0 {
                if range.record.forwards > 0 {
                    self.last = Some(self.at);
                }
                return Found::Good { end: behind + range.forwards() };
            }
            self.last = Some(self.at);
            self.at = behind + range.next();
        }
    }

    fn is_shadow_of_last(&self, range: &Range<'a>) -> bool {
        let sectors = self.sectors;
        self.last.is_some_and(|last| {
            sectors.sector(last) + 1 == sectors.sector(self.at)
                && sectors.byte(last) == sectors.byte(self.at)
                && range.is_good_shadow_of(self.at)
        })
    }

    /// The record at hand is lost: its sector's shadow may stand in, or the sector may itself be an older shadow.
    fn shadow(&mut self, range_was_bad: bool) -> Found {
        let sectors = self.sectors;
        let sector = sectors.sector(self.at);
        let one_further = self.at.saturating_add(sectors.size);
        if let Some(shadow) = sectors.range_at(one_further).filter(|shadow| shadow.is_good_shadow_of(self.at)) {
            self.repair =
                Some(ShadowRepair { start: sectors.start(sector), size: sectors.size, record: shadow.record, at: self.at });
            self.ranges.push(RangeMark { offset: self.at, ..shadow.mark() });
            if shadow.record.forwards > 0 {
                self.last = Some(self.at);
            }
            return Found::Good { end: self.at + RANGE_RECORD + shadow.forwards() };
        }
        let end = sectors.start(sector);
        let older = self.last.filter(|&last| !range_was_bad && sectors.sector(last) + 1 == sector).and_then(|last| {
            let place = end + sectors.byte(last);
            sectors.range_at(place).filter(|shadow| shadow.is_good_shadow_of(last))
        });
        // A crash between two flushes leaves a shadow of an earlier state of the last sector (trap Y4).
        let from = if older.is_some() { sectors.start(sector + 1) } else { end };
        Found::Look { end, from, bad_range: None }
    }

    /// Whether what stands from a byte on shows that a flush was cut short, and nothing else.
    fn is_torn(&self, from: usize, bad_range: Option<usize>) -> bool {
        let sectors = self.sectors;
        let first = sectors.sector(from);
        let torn = first + 1 >= sectors.count || sectors.are_fill_from(first);
        match bad_range.and_then(|at| sectors.range_at(at)) {
            Some(range) if torn => self.is_torn_range(&range),
            _ => torn,
        }
    }

    fn is_torn_range(&self, range: &Range<'a>) -> bool {
        let sectors = self.sectors;
        let first = sectors.sector(range.offset);
        let count = (sectors.byte(range.offset) + RANGE_RECORD + range.forwards()) / sectors.size;
        if count > 2 {
            return (first + 1..first + count).any(|sector| sectors.is_fill(sector));
        }
        if sectors.is_fill(first + 1) {
            return true;
        }
        // The second sector may still be the shadow of the first one's state before this flush.
        let Some(shadow) = sectors.range_at(range.offset + sectors.size) else { return false };
        let same = |a: Option<&[u8]>, b: Option<&[u8]>| a.is_some() && a == b;
        let behind = |start: usize| sectors.file.get(start..start.checked_add(shadow.forwards())?);
        let before = |end: usize| sectors.file.get(sectors.start(sectors.sector(end))..end);
        shadow.is_good_shadow_of(range.offset)
            && same(before(shadow.offset), before(range.offset))
            && same(behind(shadow.behind()), behind(range.behind()))
    }
}

fn position(header: &LogHeader, sectors: &Sectors<'_>, offset: usize) -> LogPosition {
    LogPosition {
        sector: u16::try_from(sectors.sector(offset)).unwrap_or(u16::MAX),
        byte: u16::try_from(sectors.byte(offset)).unwrap_or(0),
        ..header.first_position()
    }
}
