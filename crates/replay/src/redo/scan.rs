//! What a database scan saw of a page, against the page as replay has it: the log's own proof that both are the same
//! (`log-4 §15, §20.2`).

use super::Redo;
use super::bucket::{Bucket, Effect};
use super::pages::Role;
use super::window::{Kind, Owner};
use crate::cache::{Key, Lookup};
use crate::error::{ReplayError, Result};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::Operation;
use anchorlog_format::page::{NodeFlags, Page, PageFlags};
use anchorlog_format::units::{DatabaseId, Dbtime, LogPosition, PageNumber};

/// A page that a scan of the database saw otherwise than replay has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanDifference {
    /// The file.
    pub database: String,
    /// Page.
    pub page: PageNumber,
    /// The record.
    pub position: LogPosition,
}

/// Differences that are kept to be named; the others are counted.
const SCAN_DIFFERENCES_MAX: usize = 100;

/// One scan record of either form.
pub(super) struct Seen {
    pub database: DatabaseId,
    pub page: PageNumber,
    /// Page time that the scan saw; 0 for a page that held nothing.
    pub dbtime: Dbtime,
    /// Page time of the database at that moment.
    pub current: Dbtime,
    /// Whether a folded hash is that of the record.
    pub checksum: Checksum,
    /// The scan was made to cut the file: a difference is fatal (trap V31).
    pub by_shrink: bool,
}

pub(super) enum Checksum {
    Folded16(u16),
    Folded32(u32),
}

impl Seen {
    /// What a scan record of either form says; `None` for other records.
    pub fn of(operation: &Operation<'_>) -> Option<Self> {
        match operation {
            Operation::ScanCheck(check) => Some(Self {
                database: check.database,
                page: check.page,
                dbtime: check.dbtime_page,
                current: check.dbtime_current,
                checksum: Checksum::Folded16(check.checksum),
                by_shrink: false,
            }),
            Operation::ScanCheck2(check) => Some(Self {
                database: check.database,
                page: check.page,
                dbtime: check.dbtime_page,
                current: check.dbtime_current,
                checksum: Checksum::Folded32(check.checksum),
                by_shrink: check.flags & 3 == 2,
            }),
            _ => None,
        }
    }
}

impl Redo {
    pub(super) fn scan_check(&mut self, raw: &[u8], seen: &Seen) -> Result<()> {
        let Some(database) = self.databases.get(&seen.database) else { return Ok(()) };
        if self.position <= database.header.header.attach_position || seen.page.0 == u32::MAX {
            return Ok(());
        }
        let size = database.header.page_size().bytes();
        self.window.name((seen.database, seen.page), size, Role::Old, true);
        self.window.bytes.extend_from_slice(raw);
        self.window.push(self.position, Kind::Scan, Owner::default());
        Ok(())
    }
    /// A page was compared.
    pub(super) fn note_scanned(&mut self, (id, page): Key, position: LogPosition, differs: bool) {
        self.counts.pages_scanned += 1;
        if !differs {
            return;
        }
        self.counts.pages_different += 1;
        let Some(database) = self.databases.get(&id) else { return };
        if self.counts.scan_differences.len() < SCAN_DIFFERENCES_MAX {
            self.counts.scan_differences.push(ScanDifference { database: database.name.clone(), page, position });
        }
    }
}

impl Bucket {
    /// Compares a page with what a scan saw.
    pub(super) fn scan(&mut self, operation: &Operation<'_>) -> Result<()> {
        let Some(seen) = Seen::of(operation) else { return Ok(()) };
        let (database, number) = (seen.database, seen.page);
        if self.is_skipped(database, number) || self.is_passed_over(database, number) {
            return Ok(());
        }
        let lookup = self.look(database, number)?;
        let blank = |dbtime: Dbtime| dbtime.0 == 0 || dbtime >= Dbtime::REVERTED_ROOT;
        let same = match (lookup, self.page(database, number)) {
            (Lookup::Present, Some(page)) if page.dbtime() == seen.dbtime => seen.checksum.is_of(page, seen.current),
            // Pages may be newer than the scan there.
            _ if self.future_data(database) => return Ok(()),
            (Lookup::Present, Some(page)) => blank(page.dbtime()) && blank(seen.dbtime),
            (Lookup::Zero | Lookup::BeyondEnd, _) => blank(seen.dbtime),
            _ => false,
        };
        let fatal = !same && seen.by_shrink;
        self.tell(Effect::Scanned { differs: !same && !fatal, key: (database, number) });
        if fatal {
            let reason = format!("page {number} is not as the engine saw it when it cut the file: a write was lost");
            let error = ReplayError::new(JetCode::RECOVERY_VERIFY_FAILURE, reason).page(number);
            return self.pass_over(database, error);
        }
        Ok(())
    }
}

impl Checksum {
    fn is_of(&self, page: Page<'_>, current: Dbtime) -> bool {
        let hash = hash(page) ^ current.0.rotate_left(rotation(current));
        let [a, b, c, d] = quarters(hash);
        match *self {
            Self::Folded16(folded) => folded == a ^ b ^ c ^ d,
            Self::Folded32(folded) => folded == (u32::from(a ^ c) | u32::from(b ^ d) << 16),
        }
    }
}

fn rotation(dbtime: Dbtime) -> u32 {
    u32::from(dbtime.0.to_le_bytes()[0] & 31)
}

fn quarters(hash: u64) -> [u16; 4] {
    let bytes = hash.to_le_bytes();
    [0, 2, 4, 6].map(|at| u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// The hash of what the log knows of a page: neither checksums nor free space, nor the flags that readers and writers of the file set.
fn hash(page: Page<'_>) -> u64 {
    let mut hash = Hash(0);
    let mut header = page.bytes()[..page.size().header()].to_vec();
    let mut zero = |range: std::ops::Range<usize>| {
        if let Some(bytes) = header.get_mut(range) {
            bytes.fill(0);
        }
    };
    // Checksum; free, uncommitted free and data end; the other checksums and the reserved bytes of large pages.
    zero(0..8);
    zero(28..34);
    zero(40..64);
    zero(68..80);
    let reserved = page.reserved_tags();
    let state = page.tags() | if reserved > 1 { reserved << 12 } else { 0 };
    header[34..36].copy_from_slice(&state.to_le_bytes());
    let volatile = PageFlags::FLUSH_TYPE.with(PageFlags::NEW_CHECKSUM_FORMAT).with(PageFlags::ROOT_DELETE);
    header[36..40].copy_from_slice(&page.flags().without(volatile).0.to_le_bytes());
    header.iter().for_each(|&byte| hash.add(byte));
    for tag in 0..page.tags() {
        let Ok((offset, length)) = page.place_of(tag) else { continue };
        let start = page.size().header() + offset;
        let data = if length == 0 { &[][..] } else { page.bytes().get(start..start + length).unwrap_or_default() };
        let flags = flags_of(page, tag, data);
        if !flags.is_deleted() && length >= 2 {
            u16::try_from(length).unwrap_or(0).to_le_bytes().into_iter().for_each(|byte| hash.add(byte));
            data.iter().skip(2).for_each(|&byte| hash.add(byte));
        }
        hash.add(flags.without(NodeFlags::VERSION).0);
    }
    hash.0
}

/// Flags of any tag: in the tag itself on small pages, in the second byte of its data on large ones.
fn flags_of(page: Page<'_>, tag: u16, data: &[u8]) -> NodeFlags {
    if page.size().is_large() {
        return NodeFlags(data.get(1).map_or(0, |byte| byte >> 5));
    }
    let at = page.bytes().len() - 4 * (usize::from(tag) + 1);
    NodeFlags(page.bytes().get(at + 3).map_or(0, |byte| byte >> 5))
}

struct Hash(u64);

impl Hash {
    fn add(&mut self, byte: u8) {
        self.0 = self.0.rotate_left(6).wrapping_add(byte.into());
    }
}
