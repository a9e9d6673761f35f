//! Units as types of their own, so that a page number, a page time and a generation cannot be mixed up (`db-1 §3`, `log-1 §2`).

use crate::layout::{Shown, Wire};
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::Range;

macro_rules! units {
    ($( $(#[$doc:meta])* $name:ident($inner:ty) $format:literal; )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }

        impl Wire for $name {
            const SIZE: usize = size_of::<$inner>();
            const NAME: &'static str = stringify!($name);
            fn get(bytes: &[u8]) -> Self {
                Self(Wire::get(bytes))
            }
            fn put(&self, bytes: &mut [u8]) {
                self.0.put(bytes);
            }
            fn show(&self) -> Shown {
                self.0.show()
            }
        }
    )*};
}

units! {
    /// Number of a database page, from 1; 0 means none (`pgno`).
    PageNumber(u32) "{}";
    /// Page time: counts page changes of one database (`dbtime`).
    Dbtime(u64) "{:#x}";
    /// Identity of a tree (`objid`).
    ObjectId(u32) "{}";
    /// Number of a log file in its stream, from 1; 0 means none (`lGeneration`).
    Generation(u32) "{:#x}";
    /// Slot of an attached database in a log stream, 1 to 6 (`dbid`).
    DatabaseId(u8) "{}";
    /// Session number (`procid`).
    SessionId(u16) "{}";
    /// Transaction number (`trx`): wraps.
    TransactionId(u32) "{}";
    /// Number of a version-store entry (`rceid`); 0 means none.
    VersionId(u32) "{}";
}

impl PageNumber {
    /// No page.
    pub const NONE: Self = Self(0);
    /// Whether this is no page.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
    /// The page behind it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
    /// The extent of so many pages that begins here; empty for none.
    #[must_use]
    pub const fn extent(self, pages: u32) -> Range<Self> {
        self..Self(self.0.saturating_add(pages))
    }
    /// This page and all behind it.
    #[must_use]
    pub const fn onwards(self) -> Range<Self> {
        self..Self(u32::MAX)
    }
}

impl Dbtime {
    /// No time: a new page, or a record that is carried by an enclosing split.
    pub const NIL: Self = Self(u64::MAX);
    /// Never valid.
    pub const INVALID: Self = Self(u64::MAX - 1);
    /// Page fabricated for a place beyond a future end of file.
    pub const SHRUNK: Self = Self(u64::MAX - 2);
    /// Page zeroed by a snapshot revert.
    pub const REVERTED: Self = Self(u64::MAX - 3);
    /// Root page of a tree that a snapshot revert left to be deleted.
    pub const REVERTED_ROOT: Self = Self(u64::MAX - 4);
    /// The first time of a new database.
    pub const START: Self = Self(0x40);
}

/// A position in a log stream (`LGPOS`): ordered by generation, sector, byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// Log generation.
    pub generation: Generation,
    /// Sector (8.x: 4096-byte segment) inside the file; 0 is the header.
    pub sector: u16,
    /// Byte inside the sector.
    pub byte: u16,
}

impl LogPosition {
    /// All zero: none.
    pub const NONE: Self = Self::new(0, 0, 0);
    /// Behind every position.
    pub const MAX: Self = Self::new(0x7FFF_FFFF, u16::MAX, u16::MAX);

    /// The position from its three parts.
    #[must_use]
    pub const fn new(generation: u32, sector: u16, byte: u16) -> Self {
        Self { generation: Generation(generation), sector, byte }
    }
    /// Whether it is unset.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.generation.0 == 0 && self.sector == 0 && self.byte == 0
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X},{:04X},{:04X}", self.generation.0, self.sector, self.byte)
    }
}

impl Serialize for LogPosition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Wire for LogPosition {
    const SIZE: usize = 8;
    const NAME: &'static str = "LogPosition";
    fn get(bytes: &[u8]) -> Self {
        Self { byte: u16::get(&bytes[..2]), sector: u16::get(&bytes[2..4]), generation: Generation::get(&bytes[4..]) }
    }
    fn put(&self, bytes: &mut [u8]) {
        self.byte.put(&mut bytes[..2]);
        self.sector.put(&mut bytes[2..4]);
        self.generation.put(&mut bytes[4..]);
    }
    fn show(&self) -> Shown {
        Shown::Text(if self.is_none() { "none".into() } else { self.to_string() })
    }
}

/// A calendar time as the engine stores it (`LOGTIME`, 8 bytes). Kept raw: equality is equality of all bytes (trap D9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogTime(pub [u8; 8]);

impl LogTime {
    /// Unset.
    pub const NONE: Self = Self([0; 8]);

    /// A UTC time with milliseconds.
    #[must_use]
    pub fn utc(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8, millisecond: u16) -> Self {
        let years = u8::try_from(year.saturating_sub(1900)).unwrap_or(u8::MAX);
        let milliseconds = millisecond.min(999);
        let low = u8::try_from(milliseconds & 0x7F).unwrap_or(0);
        let high = u8::try_from(milliseconds >> 7).unwrap_or(0);
        Self([second, minute, hour, day, month, years, 1 | low << 1, high << 1])
    }
    /// Whether it is unset.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0[..6].iter().all(|&byte| byte == 0) && self.0[6] & 1 == 0
    }
    /// Whether it is UTC; older engines wrote the machine's local time.
    #[must_use]
    pub const fn is_utc(self) -> bool {
        self.0[6] & 1 == 1
    }
    /// Milliseconds, 0 in old files.
    #[must_use]
    pub fn millisecond(self) -> u16 {
        u16::from(self.0[6] >> 1) | u16::from(self.0[7] >> 1 & 7) << 7
    }
    /// What orders two times of the same kind: year to millisecond.
    #[must_use]
    pub fn order(self) -> [u16; 7] {
        let [second, minute, hour, day, month, year, ..] = self.0.map(u16::from);
        [year, month, day, hour, minute, second, self.millisecond()]
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        let [second, minute, hour, day, month, year, ..] = self.0;
        let year = 1900 + u16::from(year);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}", self.millisecond())?;
        f.write_str(if self.is_utc() { "Z" } else { " (local time of the writer)" })
    }
}

impl Serialize for LogTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Wire for LogTime {
    const SIZE: usize = 8;
    const NAME: &'static str = "LogTime";
    fn get(bytes: &[u8]) -> Self {
        Self(Wire::get(bytes))
    }
    fn put(&self, bytes: &mut [u8]) {
        self.0.put(bytes);
    }
    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}

/// Identity of a database or a log stream (`SIGNATURE`, 28 bytes); equality is equality of all bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; 28]);

impl Signature {
    /// Unset.
    pub const NONE: Self = Self([0; 28]);

    /// A signature as engines make it: random number, creation time, no computer name.
    #[must_use]
    pub fn new(random: u32, created: LogTime) -> Self {
        let mut raw = [0; 28];
        raw[..4].copy_from_slice(&random.to_le_bytes());
        raw[4..12].copy_from_slice(&created.0);
        Self(raw)
    }
    /// Whether it is unset.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0 == [0; 28]
    }
    /// The random number.
    #[must_use]
    pub fn random(&self) -> u32 {
        u32::get(&self.0[..4])
    }
    /// When the object was made.
    #[must_use]
    pub fn created(&self) -> LogTime {
        LogTime::get(&self.0[4..12])
    }
}

impl Default for Signature {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() { f.write_str("none") } else { write!(f, "{:08x} of {}", self.random(), self.created()) }
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Wire for Signature {
    const SIZE: usize = 28;
    const NAME: &'static str = "Signature";
    fn get(bytes: &[u8]) -> Self {
        Self(Wire::get(bytes))
    }
    fn put(&self, bytes: &mut [u8]) {
        self.0.put(bytes);
    }
    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}

/// One backup stamp (`BKINFO`, 24 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackupInfo {
    /// Log position at which the backup was taken: its identity.
    pub mark: LogPosition,
    /// Time that was logged with the mark.
    pub time: LogTime,
    /// Lowest generation of the set.
    pub low: Generation,
    /// Highest generation of the set; 0: not yet known.
    pub high: Generation,
}

impl BackupInfo {
    /// Whether the stamp is unset.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for BackupInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        write!(f, "mark {} at {}, generations {} to {}", self.mark, self.time, self.low, self.high)
    }
}

impl Wire for BackupInfo {
    const SIZE: usize = 24;
    const NAME: &'static str = "BackupInfo";
    fn get(bytes: &[u8]) -> Self {
        Self {
            mark: Wire::get(&bytes[..8]),
            time: Wire::get(&bytes[8..16]),
            low: Wire::get(&bytes[16..20]),
            high: Wire::get(&bytes[20..]),
        }
    }
    fn put(&self, bytes: &mut [u8]) {
        self.mark.put(&mut bytes[..8]);
        self.time.put(&mut bytes[8..16]);
        self.low.put(&mut bytes[16..20]);
        self.high.put(&mut bytes[20..]);
    }
    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}

/// Page size in bytes: 2048, 4096, 8192, 16384 or 32768 (`db-1 §2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "u32")]
pub struct PageSize(u32);

impl PageSize {
    /// Every legal size.
    pub const ALL: [Self; 5] = [Self(2048), Self(4096), Self(8192), Self(16384), Self(32768)];
    /// 4 KiB: what a header field of 0 means.
    pub const FOUR_KIB: Self = Self(4096);

    /// From a header's field, where 0 means 4096 (trap D4); `None` for an illegal size.
    #[must_use]
    pub fn from_field(field: u32) -> Option<Self> {
        let bytes = if field == 0 { 4096 } else { field };
        Self::ALL.into_iter().find(|size| size.0 == bytes)
    }
    /// Bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }
    /// Bytes, for file offsets.
    #[must_use]
    pub const fn bytes_u64(self) -> u64 {
        self.0 as u64
    }
    /// 16 and 32 KiB pages have the large header and keep node flags in the node (`db-2 §1.2`).
    #[must_use]
    pub const fn is_large(self) -> bool {
        self.0 > 8192
    }
    /// Bytes of the page header.
    #[must_use]
    pub const fn header(self) -> usize {
        if self.is_large() { 80 } else { 40 }
    }
    /// File offset of a page: two header pages come first, and page 1 is the first behind them.
    #[must_use]
    pub const fn offset_of(self, page: PageNumber) -> u64 {
        (page.0 as u64 + 1) * self.0 as u64
    }
    /// File size for `pages` data pages.
    #[must_use]
    pub const fn file_size(self, pages: u32) -> u64 {
        (pages as u64 + 2) * self.0 as u64
    }
}

impl From<PageSize> for u32 {
    fn from(size: PageSize) -> Self {
        size.0
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
