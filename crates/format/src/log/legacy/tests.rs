use super::range::{RANGE_RECORD, fill_pattern};
use crate::log::build::trace;
use crate::log::file::LogFile;
use crate::log::header::{HEADER_SIZE, LogHeader};
use crate::log::record::{LegacyChecksum, Operation, RecordType};
use crate::log::scan::{ReadContext, Repair};
use crate::units::{Generation, LogPosition};
use anchorlog_checksum::{LegacyRange, MULTI_SECTOR, SHADOW_MASK, SINGLE_SECTOR};

const SECTOR: usize = 512;
const SECTORS: usize = 40;
const GENERATION: u32 = 7;

/// What stands in a log, in order.
enum Item {
    Bytes(Vec<u8>),
    /// An integrity record, in the next sector if it does not fit.
    Check,
    /// One that covers nothing before it.
    HidingCheck,
    /// Fill bytes up to the end of the sector.
    Pad,
}
use Item::{Bytes, Check, HidingCheck, Pad};

/// A 7.x log of 40 sectors of 512 bytes.
struct Legacy {
    file: Vec<u8>,
    /// Where the integrity records stand.
    checks: Vec<usize>,
    end: usize,
}

impl Legacy {
    fn new(items: Vec<Item>) -> Self {
        let mut header = LogHeader::read(&[0; HEADER_SIZE]).unwrap();
        header.generation = Generation(GENERATION);
        (header.sector_size, header.header_sectors, header.sectors) = (512, 8, u16::try_from(SECTORS).unwrap());
        (header.major, header.minor, header.update_major) = (7, 3704, 6);
        let mut file = header.to_bytes();
        let mut checks = Vec::new();
        let pad = |file: &mut Vec<u8>| file.resize(file.len().next_multiple_of(SECTOR), 0);
        for item in items {
            match item {
                Bytes(bytes) => file.extend(bytes),
                Check | HidingCheck => {
                    if file.len() % SECTOR + RANGE_RECORD > SECTOR {
                        pad(&mut file);
                    }
                    checks.push((file.len(), matches!(item, HidingCheck)));
                    file.extend([0; RANGE_RECORD]);
                }
                Pad => pad(&mut file),
            }
        }
        let last = checks.last().unwrap().0;
        if file.len() > (last / SECTOR + 1) * SECTOR {
            pad(&mut file);
        }
        let end = file.len();
        pad(&mut file);
        file.extend((file.len()..SECTORS * SECTOR).map(fill_pattern).collect::<Vec<_>>());
        let mut log = Self { file, checks: checks.iter().map(|(at, _)| *at).collect(), end };
        for (index, &(at, hides)) in checks.iter().enumerate() {
            log.seal(at, hides, checks.get(index + 1).map(|(at, _)| *at), end);
        }
        if log.end <= (last / SECTOR + 1) * SECTOR {
            log.shadow(last);
        }
        log
    }
    fn seal(&mut self, at: usize, hides: bool, next: Option<usize>, end: usize) {
        let behind = at + RANGE_RECORD;
        let until = next.map_or(end, |next| next / SECTOR * SECTOR);
        let record = LegacyChecksum {
            backwards: if hides { 0 } else { u32::try_from(at % SECTOR).unwrap() },
            forwards: u32::try_from(until - behind).unwrap(),
            next: next.map_or(0, |next| u32::try_from(next - behind).unwrap()),
            checksum: 0,
            short_checksum: 0,
            kind: if at % SECTOR + RANGE_RECORD + (until - behind) > SECTOR { MULTI_SECTOR } else { SINGLE_SECTOR },
        };
        self.write(at, record);
    }
    /// Writes an integrity record with the checksums that belong to what stands around it.
    fn write(&mut self, at: usize, mut record: LegacyChecksum) {
        let behind = at + RANGE_RECORD;
        let range = LegacyRange {
            backwards: record.backwards,
            forwards: record.forwards,
            next: record.next,
            kind: record.kind,
            generation: GENERATION,
        };
        let back = &self.file[at - usize::try_from(record.backwards).unwrap()..at];
        record.checksum = range.range_checksum(back, &self.file[behind..behind + usize::try_from(record.forwards).unwrap()]);
        if record.kind == MULTI_SECTOR {
            record.short_checksum = range.short_checksum(back, &self.file[behind..(at / SECTOR + 1) * SECTOR]);
        }
        let bytes = Operation::LegacyChecksum(record).encode().unwrap();
        self.file[at..behind].copy_from_slice(&bytes);
    }
    fn read(&self, at: usize) -> LegacyChecksum {
        match Operation::decode(&self.file[at..at + RANGE_RECORD]).unwrap() {
            Operation::LegacyChecksum(record) => record,
            other => panic!("{other:?}"),
        }
    }
    /// Copies the sector of an integrity record one further, with the checksum of a shadow.
    fn shadow(&mut self, at: usize) {
        let start = at / SECTOR * SECTOR;
        self.file.copy_within(start..start + SECTOR, start + SECTOR);
        let record = self.read(at);
        let shadow = LegacyChecksum { checksum: record.checksum ^ SHADOW_MASK, ..record };
        let bytes = Operation::LegacyChecksum(shadow).encode().unwrap();
        self.file[at + SECTOR..at + SECTOR + RANGE_RECORD].copy_from_slice(&bytes);
    }
    fn fill(mut self, sector: usize) -> Self {
        for at in sector * SECTOR..(sector + 1) * SECTOR {
            self.file[at] = fill_pattern(at);
        }
        self
    }
    fn garble(mut self, at: usize) -> Self {
        // Not two equal words: they would cancel each other in an XOR.
        for byte in &mut self.file[at..at + 3] {
            *byte ^= 0x5A;
        }
        self
    }
    fn log(&self) -> LogFile<'_> {
        LogFile::open(&self.file).unwrap()
    }
    /// Positions of the records that are no integrity records.
    fn positions(&self) -> Vec<LogPosition> {
        let log = self.log();
        let records = log.records().map(|record| record.unwrap());
        records.filter(|record| record.record_type() != RecordType::LEGACY_CHECKSUM).map(|record| record.position).collect()
    }
    fn state(&self) -> (LogPosition, bool, bool) {
        let log = self.log();
        (log.end().position, log.end().torn, log.end().corruption.is_some())
    }
}

fn at(sector: u16, byte: u16) -> LogPosition {
    LogPosition::new(GENERATION, sector, byte)
}

/// Two ranges over several sectors and a last one inside a sector.
fn clean() -> Legacy {
    Legacy::new(vec![
        Check,
        Bytes(trace(700)),
        Bytes(trace(500)),
        Check,
        Bytes(trace(900)),
        Bytes(vec![0, 0, 0]),
        Bytes(trace(40)),
        Check,
        Bytes(trace(60)),
    ])
}

#[test]
fn y2_y6_positions_are_those_of_the_first_byte_and_begin_behind_a_header_of_eight_sectors() {
    let log = clean();
    assert_eq!(log.positions()[..2], [at(8, 22), at(9, 210)]);
    let file = log.log();
    let first = file.records().next().unwrap().unwrap();
    assert_eq!((first.position, first.record_type()), (at(8, 0), RecordType::LEGACY_CHECKSUM));
}

#[test]
fn y3_fill_bytes_end_no_sector() {
    let log = clean();
    let positions = log.positions();
    assert_eq!(positions.len(), 5);
    let offset = |index: usize| usize::from(positions[index].sector) * SECTOR + usize::from(positions[index].byte);
    assert_eq!(offset(3) - offset(2), 900 + 3);
}

#[test]
fn a_clean_log_ends_where_its_last_range_ends() {
    let log = clean();
    let end = at(u16::try_from(log.end / SECTOR).unwrap(), u16::try_from(log.end % SECTOR).unwrap());
    assert_eq!(log.state(), (end, false, false));
    assert_eq!(log.log().end().accumulated, 0);
}

#[test]
fn a_full_log_ends_with_a_range_over_several_sectors() {
    let log = Legacy::new(vec![Check, Bytes(trace(900)), Pad]);
    assert_eq!(log.state(), (at(10, 0), false, false));
    assert_eq!(log.positions().len(), 1);
}

#[test]
fn y7_residue_and_shadow_are_not_looked_at_but_what_follows_must_be_fill() {
    let end = clean().end;
    let sector = end / SECTOR;
    assert_eq!(clean().garble(end + 3).state(), clean().state());
    assert_eq!(clean().garble((sector + 1) * SECTOR + 300).state(), clean().state());
    assert!(clean().garble((sector + 2) * SECTOR + 300).state().2);
}

#[test]
fn y8_old_content_behind_the_end_is_corruption() {
    let mut log = clean();
    let at = (log.end / SECTOR + 2) * SECTOR;
    log.file.copy_within(8 * SECTOR..9 * SECTOR, at);
    assert!(log.state().2);
}

#[test]
fn y9_a_lost_last_sector_is_taken_from_its_shadow_also_in_a_restore() {
    let whole = clean();
    let last = *whole.checks.last().unwrap();
    let lost = clean().garble(last + 2);
    assert_eq!(lost.state(), whole.state());
    assert_eq!(lost.positions(), whole.positions());
    let log = lost.log();
    assert_eq!(log.end().repairs, [Repair::Shadow { segment: u16::try_from(last / SECTOR).unwrap() }]);
    assert_eq!(log.bytes()[..(last / SECTOR + 1) * SECTOR], whole.file[..(last / SECTOR + 1) * SECTOR]);
    for context in [ReadContext::Soft, ReadContext::HardInSet, ReadContext::HardBeyond] {
        assert_eq!(log.end().refusal(context, true), None);
    }
    // Both lost: the sector's content is damage.
    assert!(lost.garble(last + SECTOR + 2).state().2);
}

#[test]
fn damage_in_the_middle_is_corruption() {
    assert!(clean().garble(8 * SECTOR + 100).state().2);
    assert!(clean().garble(10 * SECTOR + 100).state().2);
}

#[test]
fn y1_a_range_that_covers_nothing_backwards_voids_what_stands_before_it() {
    // The second trace runs into the sector of the hiding record; a third stands there in full.
    let items = || vec![Check, Bytes(trace(300)), Bytes(trace(250)), Bytes(trace(100))];
    let mut hidden = items();
    hidden.extend([HidingCheck, Bytes(trace(60))]);
    assert_eq!(Legacy::new(hidden).positions(), [at(8, 22), at(9, 182)]);
    let mut seen = items();
    seen.extend([Check, Bytes(trace(60))]);
    assert_eq!(Legacy::new(seen).positions(), [at(8, 22), at(8, 322), at(9, 60), at(9, 182)]);
}

#[test]
fn y5_a_record_that_the_end_cuts_off_is_dropped_without_error() {
    let log = Legacy::new(vec![Check, Bytes(trace(100)), Bytes(trace(300)[..200].to_vec())]);
    assert_eq!(log.positions(), [at(8, 22)]);
    assert_eq!(log.state(), (at(8, 322), false, false));
}

#[test]
fn y4_an_older_shadow_in_place_of_the_next_flush_is_a_normal_crash_end() {
    let mut log = Legacy::new(vec![Check, Bytes(trace(490)), Check, Bytes(trace(60))]);
    let record = log.read(8 * SECTOR);
    assert_eq!((record.kind, record.next != 0), (SINGLE_SECTOR, true));
    // The state of the first sector before its last flush, as its shadow.
    let whole = log.file[8 * SECTOR..9 * SECTOR].to_vec();
    log.file[8 * SECTOR + 200..9 * SECTOR].fill(0);
    log.write(8 * SECTOR, LegacyChecksum { forwards: 178, next: 0, ..record });
    log.shadow(8 * SECTOR);
    log.file[8 * SECTOR..9 * SECTOR].copy_from_slice(&whole);
    let log = log.fill(10);
    assert_eq!(log.state(), (at(9, 0), true, false));
    assert_eq!(log.positions(), [at(8, 22)]);
    assert_eq!(log.log().end().refusal(ReadContext::Soft, true), None);
    // Anything else there is damage.
    assert!(log.garble(9 * SECTOR + 30).state().2);
}

/// A first range, then one over `sectors` sectors at the start of sector 10.
fn flush(sectors: usize) -> Legacy {
    Legacy::new(vec![Check, Bytes(trace(900)), Pad, Check, Bytes(trace(100)), Bytes(trace(sectors * SECTOR - 200)), Pad])
}

#[test]
fn a_flush_cut_short_keeps_its_first_sector() {
    assert_eq!(flush(4).state(), (at(14, 0), false, false));
    for lost in [vec![11, 12, 13], vec![12], vec![13]] {
        let log = lost.iter().fold(flush(4), |log, &sector| log.fill(sector));
        assert_eq!(log.state(), (at(11, 0), true, false), "{lost:?}");
        assert_eq!(log.positions(), [at(8, 22), at(10, 22)]);
        let refusal = |context, current| log.log().end().refusal(context, current).map(|jet| jet.0);
        assert_eq!(refusal(ReadContext::Soft, true), None);
        // Microsoft's engine carries on over a torn archived log, records missing: we refuse.
        assert_eq!(refusal(ReadContext::Soft, false), Some(-501));
        assert_eq!(refusal(ReadContext::HardInSet, true), Some(-570));
        assert_eq!((refusal(ReadContext::HardBeyond, true), refusal(ReadContext::HardBeyond, false)), (None, Some(-571)));
    }
    // A hole that is not fill is damage, and so is anything behind the flush.
    assert!(flush(4).garble(12 * SECTOR + 20).state().2);
    assert!(flush(4).fill(12).garble(20 * SECTOR).state().2);
}

#[test]
fn y10_a_cut_flush_of_two_sectors_leaves_fill_or_the_first_ones_shadow() {
    assert_eq!(flush(2).fill(11).state(), (at(11, 0), true, false));
    let with_shadow = || {
        let mut log = flush(2);
        let whole = log.file[10 * SECTOR..11 * SECTOR].to_vec();
        // Before the flush the sector held the first record only.
        let record = log.read(10 * SECTOR);
        log.write(10 * SECTOR, LegacyChecksum { forwards: 100, next: 0, kind: SINGLE_SECTOR, short_checksum: 0, ..record });
        log.shadow(10 * SECTOR);
        log.file[10 * SECTOR..11 * SECTOR].copy_from_slice(&whole);
        log
    };
    assert_eq!(with_shadow().state(), (at(11, 0), true, false));
    assert!(with_shadow().garble(11 * SECTOR + 40).state().2);
}

#[test]
fn a_file_that_was_prepared_and_never_written_has_no_records() {
    let mut log = clean();
    for at in HEADER_SIZE..log.file.len() {
        log.file[at] = fill_pattern(at);
    }
    assert_eq!(log.state(), (at(8, 0), true, false));
    assert!(log.positions().is_empty());
}

#[test]
fn y24_the_generation_is_part_of_every_checksum() {
    let mut log = clean();
    let mut header = LogHeader::read(&log.file).unwrap();
    header.generation = Generation(GENERATION + 1);
    log.file[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
    assert!(log.state().2);
}

#[test]
fn an_absurd_backward_length_with_the_several_sector_flag_gives_the_log_up() {
    let mut log = clean();
    let first = log.checks[0];
    let record = LegacyChecksum { backwards: 511, ..log.read(first) };
    assert_eq!(record.kind, MULTI_SECTOR);
    log.file[first..first + RANGE_RECORD].copy_from_slice(&Operation::LegacyChecksum(record).encode().unwrap());
    assert_eq!(log.state(), (at(8, 0), false, true));
}

#[test]
fn g18_g20_each_byte_is_covered_once_and_integrity_records_stand_between_records_of_one_sector() {
    let log = clean();
    let kinds: Vec<u8> = log.log().records().map(|record| record.unwrap().record_type().0).collect();
    assert_eq!(kinds, [42, 22, 22, 42, 22, 22, 42, 22]);
    let back = log.read(log.checks[1]).backwards;
    assert_eq!(usize::try_from(back).unwrap(), log.checks[1] % SECTOR);
    // A byte of the backward part of the second range is guarded by it alone.
    let garbled = clean().garble(log.checks[1] - 20);
    assert!(garbled.state().2 && garbled.state().0 < at(11, 0));
}

#[test]
fn y11_reading_from_a_position_always_begins_with_the_first_record() {
    let log = clean();
    let log = log.log();
    let all = log.records().count();
    assert_eq!(log.records_from(log.end().position).count(), all);
}
