//! What headers say, kept without loss (`ops-2 §12`).

use super::moment::Moment;
use super::wire;
use anchorlog_format::database::{DatabaseHeader, DatabaseState};
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::units::{BackupInfo, LogPosition, LogTime, PageSize, Signature};
use serde::{Deserialize, Serialize};

/// One backup stamp of a database header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Log position at which the backup was taken.
    #[serde(with = "wire::position")]
    pub mark: LogPosition,
    /// Time that was logged with the mark.
    #[serde(with = "wire::time")]
    pub time: LogTime,
    /// Lowest generation of that set.
    pub low: u32,
    /// Highest generation of that set; 0: not yet known.
    pub high: u32,
}

impl Stamp {
    fn of(info: &BackupInfo) -> Option<Self> {
        (!info.is_none()).then_some(Self { mark: info.mark, time: info.time, low: info.low.0, high: info.high.0 })
    }
}

/// What the header of a database says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// Identity of the database.
    #[serde(with = "wire::signature")]
    pub signature: Signature,
    /// The stream whose logs may be replayed; all zero: none.
    #[serde(with = "wire::signature")]
    pub log_signature: Signature,
    /// The state as a number: 2 dirty, 3 clean.
    pub state: u32,
    /// The state's name.
    pub state_name: String,
    /// Bytes of a page.
    pub page_size: u32,
    /// The format: version, update, minor.
    pub format: String,
    /// Update of the format: 2 and below is the generation of Exchange 5.5.
    pub update: u32,
    /// Last page time given out when the header was written.
    pub dbtime: u64,
    /// Where it last became clean; its generation is the anchor of a clean database.
    #[serde(with = "wire::position")]
    pub consistent: LogPosition,
    /// When it last became clean.
    pub consistent_time: Moment,
    /// Where it was attached.
    #[serde(with = "wire::position")]
    pub attached: LogPosition,
    /// Where it was detached.
    #[serde(with = "wire::position")]
    pub detached: LogPosition,
    /// First required generation; 0: none.
    pub min_required: u32,
    /// Last required generation; 0: none.
    pub max_required: u32,
    /// Last generation with committed transactions; 0: none, or not known to the format.
    pub max_committed: u32,
    /// Offline repairs since the last defragmentation.
    pub repairs: u32,
    /// Generation that an interrupted replay had reached; 0: none.
    pub recovering: u32,
    /// Last full backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub full: Option<Stamp>,
    /// Last incremental backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incremental: Option<Stamp>,
    /// Last copy backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub copy: Option<Stamp>,
    /// Last differential backup.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub differential: Option<Stamp>,
    /// The online backup out of which the file came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub current: Option<Stamp>,
}

/// Highest update of the format that Exchange 5.5 wrote (`db-1 §7.1`).
pub const UPDATE_OF_EXCHANGE_55: u32 = 2;

impl DatabaseFacts {
    /// From a header.
    #[must_use]
    pub fn of(header: &DatabaseHeader, page_size: PageSize) -> Self {
        Self {
            signature: header.signature,
            log_signature: header.log_signature,
            state: header.state.into(),
            state_name: header.state.to_string(),
            page_size: page_size.into(),
            format: header.format().to_string(),
            update: header.update,
            dbtime: header.dbtime.0,
            consistent: header.consistent_position,
            consistent_time: header.consistent_time.into(),
            attached: header.attach_position,
            detached: header.detach_position,
            min_required: header.min_required.0,
            max_required: header.max_required.0,
            max_committed: header.max_committed.0,
            repairs: header.repair_count,
            recovering: header.recovering.0,
            full: Stamp::of(&header.full_backup),
            incremental: Stamp::of(&header.incremental_backup),
            copy: Stamp::of(&header.copy_backup),
            differential: Stamp::of(&header.differential_backup),
            current: Stamp::of(&header.current_backup),
        }
    }
    /// Whether it was closed well.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        DatabaseState::from(self.state) == DatabaseState::CleanShutdown
    }
    /// The lowest generation at which replay onto it begins: the anchor of a clean database, the first required log of a dirty one
    /// (P38), the one in which its online backup began; `None` where it has no place in any stream.
    #[must_use]
    pub fn start(&self) -> Option<u32> {
        let start = match &self.current {
            _ if self.is_clean() => self.consistent.generation.0,
            Some(backup) if backup.low != 0 => backup.low,
            _ => self.min_required,
        };
        (start != 0 && !self.log_signature.is_none()).then_some(start)
    }
}

/// Whether a log can be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogState {
    /// Every segment holds, to the last record.
    Whole,
    /// A write of its last segment was torn; everything before it holds.
    Torn,
    /// A segment is damaged.
    Damaged,
}

/// What a log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFacts {
    /// Signature of its stream.
    #[serde(with = "wire::signature")]
    pub signature: Signature,
    /// Generation, by its header.
    pub generation: u32,
    /// When it was made.
    #[serde(with = "wire::time")]
    pub created: LogTime,
    /// When the one before was made.
    #[serde(with = "wire::time")]
    pub previous_created: LogTime,
    /// XOR of the checksums of all its segments; 0 in old formats.
    pub accumulated: u64,
    /// The same of the one before, as this one says it; `None` where the format has it not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_accumulated: Option<u64>,
    /// Format version.
    pub version: String,
    /// Bytes of a sector.
    pub sector_size: u16,
    /// Bytes that the file has by its header.
    pub file_size: u64,
    /// Circular logging was on when it was made.
    pub circular_now: bool,
    /// Circular logging was on then or in an earlier generation.
    pub circular_history: bool,
    /// The first position behind its data.
    #[serde(with = "wire::position")]
    pub valid_end: LogPosition,
    /// Bytes of the file up to there.
    pub valid_bytes: u64,
    /// Whether it can be read to its end.
    pub state: LogState,
    /// The stream's current log: still being written when the set was made.
    pub open: bool,
}

/// Bit of the header's flags: circular logging is on.
const CIRCULAR: u8 = 2;
/// Bit of the header's flags: it was on in this or an earlier generation.
const CIRCULAR_HISTORY: u8 = 4;

impl LogFacts {
    /// From a log that was read whole; `open`: it is the current log.
    #[must_use]
    pub fn of(log: &LogFile<'_>, open: bool) -> Self {
        let (header, end) = (log.header(), log.end());
        // A torn write at the end is what a crash leaves of the log being written; a closed log has none.
        let state = match (end.corruption, end.refusal(ReadContext::Soft, open)) {
            (Some(_), _) => LogState::Damaged,
            (None, Some(_)) => LogState::Torn,
            (None, None) if end.torn || end.is_patched() => LogState::Torn,
            (None, None) => LogState::Whole,
        };
        Self {
            accumulated: end.accumulated,
            valid_end: end.position,
            valid_bytes: (header.geometry().offset_in_file(end.position) as u64).min(header.geometry().file_size()),
            state,
            open,
            ..Self::of_header(header)
        }
    }
    fn of_header(header: &LogHeader) -> Self {
        Self {
            signature: header.signature,
            generation: header.generation.0,
            created: header.created,
            previous_created: header.previous_created,
            accumulated: 0,
            previous_accumulated: header.version().has_accumulated_checksum().then_some(header.previous_accumulated),
            version: header.version().to_string(),
            sector_size: header.sector_size,
            file_size: header.geometry().file_size(),
            circular_now: header.flags & CIRCULAR != 0,
            circular_history: header.flags & (CIRCULAR | CIRCULAR_HISTORY) != 0,
            valid_end: LogPosition::NONE,
            valid_bytes: 0,
            state: LogState::Whole,
            open: false,
        }
    }
    /// Whether `self` is what `next` says of the log before it (P17): creation time, and the accumulated checksum where the format has one.
    #[must_use]
    pub fn links_to(&self, next: &Self) -> bool {
        self.signature == next.signature
            && self.generation.checked_add(1) == Some(next.generation)
            && self.created == next.previous_created
            && next.previous_accumulated.is_none_or(|sum| sum == self.accumulated)
    }
}
