//! The flush map beside a database (`.jfm`, `db-1 §14`): two bits for each page, which tell a write that was lost.

use super::file_type::FileType;
use super::header::DatabaseHeader;
use crate::jet::JetCode;
use crate::units::{Dbtime, Generation, LogTime, PageNumber, Signature};
use anchorlog_checksum::{set_header_xor, verify_header_xor};
use serde::Serialize;

/// Bytes of every page of a flush map, whatever the database's page size.
pub const MAP_PAGE: usize = 8192;
/// Database pages that one page of the map describes.
pub const PAGES_PER_MAP_PAGE: u32 = 32_512;
/// The only version known: 3.0.0.
pub const MAP_VERSION: u32 = 3;
const CLEAN: u32 = 1;
const DATA_PAGE_FLAGS: u32 = 0x2000;
const BITMAP_OFFSET: usize = 64;

layout! {
    /// Header of a flush map: one copy, in the file's first 8 KiB.
    pub struct FlushMapHeader = "FMFILEHDR", 671, "db-1 §14.1" {
        0 checksum: u32, "checksum", "", "XOR of all other words of the page";
        4 version: u32, "le_ulFmVersionMajor", "", "format version: 3";
        8 update: u32, "le_ulFmVersionUpdateMajor", "", "format update: 0";
        12 minor: u32, "le_ulFmVersionUpdateMinor", "", "format minor: 0";
        36 flags: u32, "fFlags", "", "bit 0: the map was closed well";
        40 create_time: LogTime, "logtimeCreate", "", "when the map was made";
        48 attach_time: LogTime, "logtimeAttach", "", "when it was last attached";
        56 detach_time: LogTime, "logtimeDetach", "", "when it was last detached";
        64 min_required: Generation, "lGenMinRequired", "", "first log needed to rebuild the map after a crash";
        68 min_required_target: Generation, "lGenMinRequiredTarget", "", "min_required once the running flush is through; 0: none runs";
        72 flush_started: LogTime, "logtimeFlushLastStarted", "", "start of the last full flush";
        80 flush_completed: LogTime, "logtimeFlushLastCompleted", "", "end of the last full flush";
        88 header_flush: Signature, "signDbHdrFlush", "", "copy of the database header's value";
        116 map_flush: Signature, "signFlushMapHdrFlush", "", "random value of this write; the database header keeps a copy";
        667 file_type: FileType, "filetype", "", "kind of file: 7";
    }
}

layout! {
    /// Head of a data page of a flush map; the bits begin at offset 64.
    pub struct FlushMapPage = "FMPGHDR", 64, "db-1 §14.2" {
        0 checksum: u64, "checksum", "", "page checksum of an 8 KiB page, with the map page's number";
        8 highest_dbtime: Dbtime, "dbtimeMax", "", "highest page time among the pages described";
        16 number: u32, "fmpgno", "", "own number, from 0";
        36 flags: u32, "fFlags", "", "0x2000: new checksum format";
    }
}

/// How often a page was written, as far as two bits tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushType {
    /// 0: not known.
    Unknown,
    /// 1
    Rock,
    /// 2
    Paper,
    /// 3
    Scissors,
}

impl FlushType {
    /// From the low two bits of a number.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Unknown,
            1 => Self::Rock,
            2 => Self::Paper,
            _ => Self::Scissors,
        }
    }
    /// The two bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Rock => 1,
            Self::Paper => 2,
            Self::Scissors => 3,
        }
    }
    /// The type of the next write of a page.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Unknown | Self::Scissors => Self::Rock,
            Self::Rock => Self::Paper,
            Self::Paper => Self::Scissors,
        }
    }
}

/// Why a map cannot be used; it is then made anew, and only the power to detect lost writes is gone (`db-1 §14.3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapFault {
    /// Cut off.
    #[error("the flush map is shorter than its header")]
    TooShort,
    /// Checksum.
    #[error("the flush map's header has a wrong checksum")]
    Corrupt,
    /// Another kind of file.
    #[error("this is a file of the type {0}, not a flush map")]
    FileType(FileType),
    /// Unknown version.
    #[error("the flush map has the unknown version {0}.{1}")]
    Version(u32, u32),
    /// Of another database, or of another moment.
    #[error("the flush map does not belong to this state of the database")]
    Mismatch,
    /// Not closed well, and too old to be completed from the logs.
    #[error("the flush map was not closed well and is too old to be completed from the logs")]
    Unrecoverable,
}

impl MapFault {
    /// The code that Microsoft's engine notes before it makes a new map.
    #[must_use]
    pub const fn jet(&self) -> JetCode {
        match self {
            Self::TooShort | Self::Corrupt => JetCode::READ_VERIFY_FAILURE,
            Self::FileType(_) => JetCode::FILE_INVALID_TYPE,
            Self::Version(..) => JetCode::FLUSH_MAP_VERSION_UNSUPPORTED,
            Self::Mismatch => JetCode::FLUSH_MAP_DATABASE_MISMATCH,
            Self::Unrecoverable => JetCode::FLUSH_MAP_UNRECOVERABLE,
        }
    }
}

impl FlushMapHeader {
    /// Reads the file's first page and checks what can be checked without the database: checksum, type, version, in this order.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn from_page(page: &[u8]) -> Result<Self, MapFault> {
        let page = page.get(..MAP_PAGE).ok_or(MapFault::TooShort)?;
        if !verify_header_xor(page) {
            return Err(MapFault::Corrupt);
        }
        let header = Self::read(page).ok_or(MapFault::TooShort)?;
        if header.file_type != FileType::FlushMap {
            return Err(MapFault::FileType(header.file_type));
        }
        if header.version != MAP_VERSION || header.update != 0 {
            return Err(MapFault::Version(header.version, header.update));
        }
        Ok(header)
    }

    /// The page that holds it.
    #[must_use]
    pub fn to_page(&self) -> Vec<u8> {
        let mut page = vec![0; MAP_PAGE];
        self.write(&mut page);
        set_header_xor(&mut page);
        page
    }

    /// Whether the map was closed well.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.flags & CLEAN != 0
    }

    /// Sets or clears the mark of having been closed well.
    pub const fn set_clean(&mut self, clean: bool) {
        self.flags = if clean { self.flags | CLEAN } else { self.flags & !CLEAN };
    }

    /// Whether the map may be used with this database: one matching signature is enough, two unset ones are not (trap D16).
    ///
    /// # Errors
    /// [`MapFault::Mismatch`] and [`MapFault::Unrecoverable`].
    pub fn accept_for(&self, database: &DatabaseHeader) -> Result<(), MapFault> {
        let pairs = [(self.header_flush, database.header_flush), (self.map_flush, database.map_flush)];
        if !pairs.iter().any(|(map, header)| map == header && !map.is_none()) {
            return Err(MapFault::Mismatch);
        }
        let covered = !database.log_signature.is_none()
            && database.min_required.0 > 0
            && self.min_required.0 > 0
            && database.min_required <= self.min_required;
        if self.is_clean() || covered { Ok(()) } else { Err(MapFault::Unrecoverable) }
    }
}

impl FlushMapPage {
    /// Head of the data page with this number.
    #[must_use]
    pub const fn new(number: u32, highest_dbtime: Dbtime) -> Self {
        Self { checksum: 0, highest_dbtime, number, flags: DATA_PAGE_FLAGS }
    }
}

/// Where a page's bits lie: map page (from 0) and entry in it. Pages count from 0, so entry 0 of map page 0 is never used (trap D17).
#[must_use]
pub const fn entry_of(page: PageNumber) -> (u32, u32) {
    (page.0 / PAGES_PER_MAP_PAGE, page.0 % PAGES_PER_MAP_PAGE)
}

/// Data pages that a map needs for a database whose last page is `last`.
#[must_use]
pub const fn map_pages_for(last: PageNumber) -> u32 {
    entry_of(last).0 + 1
}

/// The flush type that a data page holds for an entry; unknown beyond its end.
#[must_use]
pub fn flush_type(map_page: &[u8], entry: u32) -> FlushType {
    bit_place(entry)
        .and_then(|(offset, shift)| map_page.get(offset).map(|byte| FlushType::from_bits(byte >> shift)))
        .unwrap_or(FlushType::Unknown)
}

/// Sets the flush type of an entry; beyond the page's end nothing happens. The checksum is the caller's to renew.
pub fn set_flush_type(map_page: &mut [u8], entry: u32, kind: FlushType) {
    if let Some((offset, shift)) = bit_place(entry)
        && let Some(byte) = map_page.get_mut(offset)
    {
        *byte = *byte & !(3 << shift) | kind.bits() << shift;
    }
}

/// Most significant pair first.
fn bit_place(entry: u32) -> Option<(usize, u32)> {
    if entry >= PAGES_PER_MAP_PAGE {
        return None;
    }
    let offset = BITMAP_OFFSET + usize::try_from(entry / 4).ok()?;
    Some((offset, 6 - 2 * (entry % 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // trap db-1 D17
    #[test]
    fn d17_entry_zero_is_page_zero_so_page_one_has_bits_five_and_four() {
        let mut page = vec![0; MAP_PAGE];
        let (number, entry) = entry_of(PageNumber(1));
        set_flush_type(&mut page, entry, FlushType::Scissors);
        assert_eq!((number, page[64]), (0, 0b0011_0000));
        assert_eq!(flush_type(&page, entry), FlushType::Scissors);
        assert_eq!(flush_type(&page, 0), FlushType::Unknown);
    }

    #[test]
    fn the_last_entry_of_a_map_page_is_in_its_last_byte() {
        let mut page = vec![0; MAP_PAGE];
        set_flush_type(&mut page, PAGES_PER_MAP_PAGE - 1, FlushType::Paper);
        assert_eq!(page[MAP_PAGE - 1], 2);
        assert_eq!(entry_of(PageNumber(PAGES_PER_MAP_PAGE)), (1, 0));
        set_flush_type(&mut page, PAGES_PER_MAP_PAGE, FlushType::Rock);
        assert_eq!(flush_type(&page, PAGES_PER_MAP_PAGE), FlushType::Unknown);
    }

    #[test]
    fn flush_types_go_round_without_unknown() {
        assert_eq!(FlushType::Unknown.next(), FlushType::Rock);
        assert_eq!(FlushType::Rock.next().next().next(), FlushType::Rock);
    }

    fn pair() -> (FlushMapHeader, DatabaseHeader) {
        let map = FlushMapHeader::read(&[0; MAP_PAGE]).expect("the buffer holds a header");
        let mut database = DatabaseHeader::default();
        database.log_signature = Signature::new(7, LogTime::NONE);
        (map, database)
    }

    // trap db-1 D16
    #[test]
    fn d16_one_matching_signature_is_enough_and_two_unset_ones_are_not() {
        let (mut map, mut database) = pair();
        map.set_clean(true);
        assert_eq!(map.accept_for(&database), Err(MapFault::Mismatch));
        map.header_flush = Signature::new(1, LogTime::NONE);
        database.header_flush = map.header_flush;
        database.map_flush = Signature::new(2, LogTime::NONE);
        assert_eq!(map.accept_for(&database), Ok(()));
    }

    #[test]
    fn a_map_left_open_is_used_only_when_the_logs_reach_back_to_it() {
        let (mut map, mut database) = pair();
        map.map_flush = Signature::new(1, LogTime::NONE);
        database.map_flush = map.map_flush;
        assert_eq!(map.accept_for(&database), Err(MapFault::Unrecoverable));
        map.min_required = Generation(5);
        database.min_required = Generation(5);
        assert_eq!(map.accept_for(&database), Ok(()));
        database.min_required = Generation(6);
        assert_eq!(map.accept_for(&database), Err(MapFault::Unrecoverable));
    }
}
