//! The database header: its fields, the election between its two copies, and writing it back (`db-1 §4`, `§5`).

use super::file_type::FileType;
use super::state::DatabaseState;
use super::version::{DatabaseVersion, Feature, Known};
use crate::jet::JetCode;
use crate::units::{BackupInfo, Dbtime, Generation, LogPosition, LogTime, PageNumber, PageSize, Signature};
use anchorlog_checksum::{set_header_xor, verify_header_xor};
use serde::Serialize;

/// The magic number of every header since Exchange 5.0 (`ulDAEMagic`).
pub const HEADER_MAGIC: u32 = 0x89AB_CDEF;

layout! {
    /// The header of a database; its shadow, one page behind, has the same bytes. The rest of the page is zero in all formats known.
    pub struct DatabaseHeader = "DBFILEHDR", 748, "db-1 §4" {
        0 checksum: u32, "le_ulChecksum", " ", "XOR of all other words of the page";
        4 magic: u32, "le_ulMagic", " ", "0x89ABCDEF in every header since Exchange 5.0";
        8 version: u32, "le_ulVersion", " ", "format version: 0x620 since ESE97";
        12 attribute: i32, "le_attrib", " ", "0: a database; 1: an obsolete streaming file";
        16 dbtime: Dbtime, "le_dbtimeDirtied", " ", "last page time given out when the header was made final; stale while attached";
        24 signature: Signature, "signDb", " ", "identity of the database";
        52 state: DatabaseState, "le_dbstate", " ", "whether it was closed well";
        56 consistent_position: LogPosition, "le_lgposConsistent", " ", "where it last became clean; none if unknown";
        64 consistent_time: LogTime, "logtimeConsistent", " ", "when it last became clean";
        72 attach_time: LogTime, "logtimeAttach", " ", "when it was last attached";
        80 attach_position: LogPosition, "le_lgposAttach", " ", "position of the attach (or create) record";
        88 detach_time: LogTime, "logtimeDetach", " ", "when it was last detached; none while attached";
        96 detach_position: LogPosition, "le_lgposDetach", " ", "position of the detach or the shutdown; none while attached";
        104 slot: u32, "le_dbid", " ", "slot of the last attachment in the log stream, 1 to 6; 0: temporary database";
        108 log_signature: Signature, "signLog", " ", "log stream whose logs may be replayed; none: unlogged or repaired";
        136 full_backup: BackupInfo, "bkinfoFullPrev", " ", "last finished full backup";
        160 incremental_backup: BackupInfo, "bkinfoIncPrev", " ", "last finished incremental backup after that full one";
        184 current_backup: BackupInfo, "bkinfoFullCur", " ", "set only inside a backup's copy: the backup that it belongs to";
        208 flags: u32, "m_ulDbFlags", " ", "bit 0: shadowing off; bit 1: upgraded; byte 3: builds that attached it";
        212 last_object: u32, "le_objidLast", " ", "highest object id given out";
        216 os_major: u32, "le_dwMajorVersion", " ", "operating system at creation or last index check: major version";
        220 os_minor: u32, "le_dwMinorVersion", " ", "the same: minor version";
        224 os_build: u32, "le_dwBuildNumber", " ", "the same: build";
        228 os_service_pack: i32, "le_lSPNumber", " ", "the same: service pack";
        232 update: u32, "le_ulDaeUpdateMajor", "0x620", "format update: an engine reads its own and lower ones";
        236 page_size: u32, "le_cbPageSize", "update 2", "bytes of a page; 0: 4096";
        240 repair_count: u32, "le_ulRepairCount", "Exchange 2000", "offline repairs since the last defragmentation";
        244 repair_time: LogTime, "logtimeRepair", "Exchange 2000", "last repair";
        252 streaming_signature: Signature, "rgbReservedSignSLV", "updates 4 to 9", "signature of the streaming file; zero today";
        280 scrub_dbtime: u64, "le_dbtimeLastScrub", "Exchange 2000", "page time up to which deleted data was zeroed";
        288 scrub_time: LogTime, "logtimeScrub", "Exchange 2000", "when deleted data was zeroed";
        296 min_required: Generation, "le_lGenMinRequired", "Exchange 2000", "first log that recovery needs; 0: none";
        300 max_required: Generation, "le_lGenMaxRequired", "Exchange 2000", "last log that recovery needs: its changes may already be in the file";
        304 upgrade_55_pages: i32, "le_cpgUpgrade55Format", "Exchange 2000", "pages in Exchange 5.5 format met by an upgrade";
        308 upgrade_free_pages: i32, "le_cpgUpgradeFreePages", "Exchange 2000", "free pages met by an upgrade";
        312 upgrade_space_pages: i32, "le_cpgUpgradeSpaceMapPages", "Exchange 2000", "space map pages met by an upgrade";
        316 snapshot_backup: BackupInfo, "bkinfoSnapshotCur", "Windows XP", "current snapshot; obsolete";
        340 create_version: u32, "le_ulCreateVersion", "Windows XP", "version at creation";
        344 create_update: u32, "le_ulCreateUpdate", "Windows XP", "update at creation";
        348 max_committed_time: LogTime, "logtimeGenMaxCreate", "Windows XP", "creation time of the last committed log";
        356 full_backup_type: u32, "bkinfoTypeFullPrev", "Windows 2003", "kind of the last full backup: 0 streamed, 1 snapshot";
        360 incremental_backup_type: u32, "bkinfoTypeIncPrev", "Windows 2003", "kind of the last incremental backup";
        364 repair_count_old: u32, "le_ulRepairCountOld", "2003 SP1", "repairs before the last defragmentation";
        368 corrected: u32, "le_ulECCFixSuccess", "update 11", "single-bit errors corrected";
        372 corrected_time: LogTime, "logtimeECCFixSuccess", "update 11", "last correction";
        380 corrected_old: u32, "le_ulECCFixSuccessOld", "update 11", "corrections before the last repair";
        384 uncorrected: u32, "le_ulECCFixFail", "update 11", "corrections that gave no good page";
        388 uncorrected_time: LogTime, "logtimeECCFixFail", "update 11", "last such attempt";
        396 uncorrected_old: u32, "le_ulECCFixFailOld", "update 11", "such attempts before the last repair";
        400 bad_checksums: u32, "le_ulBadChecksum", "update 11", "pages met with a wrong checksum";
        404 bad_checksum_time: LogTime, "logtimeBadChecksum", "update 11", "last such page";
        412 bad_checksums_old: u32, "le_ulBadChecksumOld", "update 11", "such pages before the last repair";
        416 max_committed: Generation, "le_lGenMaxCommitted", "update 12", "last log that may hold committed transactions of this database";
        420 copy_backup: BackupInfo, "bkinfoCopyPrev", "update 12", "last copy backup";
        444 differential_backup: BackupInfo, "bkinfoDiffPrev", "update 12", "last differential backup";
        468 copy_backup_type: u32, "bkinfoTypeCopyPrev", "update 12", "kind of the last copy backup";
        472 differential_backup_type: u32, "bkinfoTypeDiffPrev", "update 12", "kind of the last differential backup";
        476 reseed_count: u32, "le_ulIncrementalReseedCount", "update 16", "incremental reseeds begun";
        480 reseed_time: LogTime, "logtimeIncrementalReseed", "update 17", "last incremental reseed";
        488 reseed_count_old: u32, "le_ulIncrementalReseedCountOld", "update 17", "reseeds before the last defragmentation";
        492 patch_count: u32, "le_ulPagePatchCount", "update 17", "pages patched by reseeds";
        496 patch_time: LogTime, "logtimePagePatch", "update 17", "last patched page";
        504 patch_count_old: u32, "le_ulPagePatchCountOld", "update 17", "patched pages before the last defragmentation";
        508 sort_version: u64, "le_qwSortVersion", "update 17", "sort version of the system; all ones: see the table MSysLocales";
        516 scan_finished: LogTime, "logtimeDbscanPrev", "update 17", "end of the last complete checksum scan";
        524 scan_started: LogTime, "logtimeDbscanStart", "update 17", "start of the current checksum scan";
        532 scan_page: PageNumber, "le_pgnoDbscanHighestContinuous", "update 17", "where the scan stands";
        536 recovering: Generation, "le_lGenRecovering", "update 17", "log that redo has reached; 0: not recovering";
        540 extend_count: u32, "le_ulExtendCount", "update 20", "times the file was extended";
        544 extend_time: LogTime, "logtimeLastExtend", "update 20", "last extension";
        552 shrink_count: u32, "le_ulShrinkCount", "update 20", "times the file was shrunk";
        556 shrink_time: LogTime, "logtimeLastShrink", "update 20", "last shrink";
        564 reattach_time: LogTime, "logtimeLastReAttach", "update 20", "last re-attach with a kept cache";
        572 reattach_position: LogPosition, "le_lgposLastReAttach", "update 20", "position of the re-attach record";
        580 trim_count: u32, "le_ulTrimCount", "update 20", "times parts of the file were made sparse";
        584 header_flush: Signature, "signDbHdrFlush", "update 20, 2014", "random value of the last header write; the flush map keeps a copy";
        612 map_flush: Signature, "signFlushMapHdrFlush", "update 20, 2014", "random value of the flush map's last header write; none: no map";
        640 min_consistent: Generation, "le_lGenMinConsistent", "update 20, 2014", "first log needed to make the database clean, the flush map apart";
        644 minor: u32, "le_ulDaeUpdateMinor", "efv 8940", "format minor: compatible both ways";
        648 newest_engine: u32, "le_efvMaxBinAttachDiagnostic", "efv 8940", "newest engine version that attached it";
        652 scan_highest: PageNumber, "le_pgnoDbscanHighest", "efv 9020", "highest page seen by a following scan";
        656 resize_position: LogPosition, "le_lgposLastResize", "efv 9180", "position of the last resize, attach or clean detach";
        667 file_type: FileType, "le_filetype", "Exchange 2003", "kind of file";
        672 max_required_time: LogTime, "logtimeGenMaxRequired", "efv 9260", "creation time of the last required log";
        680 pre_redo_min_consistent: Generation, "le_lGenPreRedoMinConsistent", "efv 9300", "min_consistent before redo lowered it; 0: not lowered";
        684 pre_redo_min_required: Generation, "le_lGenPreRedoMinRequired", "efv 9300", "min_required before redo lowered it; 0: not lowered";
        688 revert_flush: Signature, "signRBSHdrFlush", "efv 9360", "random value shared with the revert snapshot";
        716 revert_count: u32, "le_ulRevertCount", "efv 9380", "reverts done";
        720 revert_from: LogTime, "logtimeRevertFrom", "efv 9380", "the last revert went back from here";
        728 revert_to: LogTime, "logtimeRevertTo", "efv 9380", "the last revert went back to here";
        736 revert_pages: u32, "le_ulRevertPageCount", "efv 9380", "pages changed by the last revert";
        740 commit_before_revert: LogPosition, "le_lgposCommitBeforeRevert", "efv 9380", "last commit before the revert";
    }
}

impl Default for DatabaseHeader {
    fn default() -> Self {
        Self::read(&[0; Self::SIZE]).expect("the buffer holds a whole header")
    }
}

/// Why no header could be read, or why a file with a header is not a database that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The file is too short for any header.
    #[error("the file is too short to hold a database header")]
    TooShort,
    /// Neither copy has a checksum that holds.
    #[error("neither the header nor its shadow has a checksum that holds: both copies are damaged, or this is no database")]
    Corrupt,
    /// The magic number is wrong.
    #[error("the magic number {0:#x} is not that of a database")]
    Magic(u32),
    /// Written before ESE97.
    #[error("the format {0} is older than 0x620")]
    TooOld(DatabaseVersion),
    /// Newer than any format known.
    #[error("the format {0} is newer than any known")]
    TooNew(DatabaseVersion),
    /// 16 or 32 KiB pages in a format that did not have them yet (trap D20).
    #[error("pages of {0} bytes did not exist before format update 17, and this file has update {1}")]
    PageSize(u32, u32),
    /// Another file of the family.
    #[error("this is a file of the type {0} with attribute {1}, not a database")]
    FileType(FileType, i32),
}

impl HeaderFault {
    /// The code that Microsoft's engine gives.
    #[must_use]
    pub const fn jet(&self) -> JetCode {
        match self {
            Self::TooShort => JetCode::FILE_IO_BEYOND_EOF,
            Self::Corrupt => JetCode::READ_VERIFY_FAILURE,
            Self::Magic(_) | Self::FileType(..) => JetCode::DATABASE_CORRUPTED,
            Self::TooOld(version) => match version.version {
                ..0x400 => JetCode::DATABASE_200_FORMAT,
                0x400..0x500 => JetCode::DATABASE_400_FORMAT,
                0x500 => JetCode::DATABASE_500_FORMAT,
                _ => JetCode::INVALID_DATABASE_VERSION,
            },
            Self::TooNew(_) | Self::PageSize(..) => JetCode::INVALID_DATABASE_VERSION,
        }
    }
}

impl DatabaseHeader {
    /// The format as an ordered triple.
    #[must_use]
    pub const fn format(&self) -> DatabaseVersion {
        DatabaseVersion { version: self.version, update: self.update, minor: self.minor }
    }

    /// Whether the file's format has a feature.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.format().has(feature)
    }

    /// Whether this is a temporary database, which can never be used again: never finished, and in slot 0 (trap D28).
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.file_type == FileType::TemporaryDatabase || (self.state == DatabaseState::JustCreated && self.slot == 0)
    }

    /// Whether the file came out of a streaming backup and was not recovered since (`db-1 §10`).
    #[must_use]
    pub const fn is_streamed_backup(&self) -> bool {
        self.current_backup.low.0 != 0
    }

    /// Whether the end of the backup's range is still only in the trailer page (trap D30).
    #[must_use]
    pub const fn needs_trailer(&self) -> bool {
        self.is_streamed_backup() && self.current_backup.high.0 == 0
    }

    /// What stands in the way of opening the file as a database at all, whatever its state, in the engine's order (`db-1 §12`).
    ///
    /// # Errors
    /// The first of: magic, version, page size, file type.
    pub fn check_kind(&self) -> Result<(), HeaderFault> {
        if self.magic != HEADER_MAGIC {
            return Err(HeaderFault::Magic(self.magic));
        }
        match self.format().known() {
            Known::TooOld => return Err(HeaderFault::TooOld(self.format())),
            Known::Newer => return Err(HeaderFault::TooNew(self.format())),
            Known::Fully | Known::ForReading => {}
        }
        let large = PageSize::from_field(self.page_size).is_some_and(PageSize::is_large);
        if large && self.update < 17 {
            return Err(HeaderFault::PageSize(self.page_size, self.update));
        }
        if self.attribute != 0 || !self.file_type.may_be_database() {
            return Err(HeaderFault::FileType(self.file_type, self.attribute));
        }
        Ok(())
    }

    /// Rules that hold at every header write of the engine (`db-1 §5.4`), as the sentences of those that are broken.
    #[must_use]
    pub fn broken_rules(&self) -> Vec<&'static str> {
        let mut broken = Vec::new();
        let mut rule = |holds: bool, sentence| {
            if !holds {
                broken.push(sentence);
            }
        };
        let dirty = self.state.is_dirty();
        let committed_known = self.update >= 12;
        rule(self.min_required <= self.max_required, "the first required log is above the last required one");
        rule(
            !committed_known || self.max_required <= self.max_committed,
            "the last required log is above the last committed one",
        );
        rule(
            self.min_consistent.0 == 0 || self.min_consistent >= self.min_required,
            "the first log for consistency is below the first required one",
        );
        rule(self.min_consistent <= self.max_required, "the first log for consistency is above the last required one");
        rule(
            !dirty || !committed_known || self.recovering <= self.max_committed,
            "the log that redo has reached is above the last committed one",
        );
        for (pre_redo, now) in
            [(self.pre_redo_min_required, self.min_required), (self.pre_redo_min_consistent, self.min_consistent)]
        {
            rule(
                pre_redo.0 == 0 || (dirty && now < pre_redo && pre_redo <= self.max_required),
                "a range remembered from before redo is not above the present one",
            );
        }
        rule(
            self.resize_position.is_none() || self.resize_position >= self.attach_position,
            "the last resize is before the last attach",
        );
        rule((1..=8).contains(&u32::from(self.state)), "the state is none that the engine writes");
        broken
    }

    /// Sets the state with all that the engine changes along with it (`db-1 §6`): the generations of `range` and their times.
    ///
    /// `range` is used by the states `DirtyShutdown` (`None`: an unlogged database) and `DirtyAndPatched`.
    ///
    /// # Errors
    /// When the engine never makes this transition; nothing is changed then.
    pub fn set_state(&mut self, state: DatabaseState, range: Option<DirtyRange>) -> Result<(), IllegalTransition> {
        if !self.state.may_become(state) {
            return Err(IllegalTransition { from: self.state, to: state });
        }
        let range = match state {
            DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched => Some(range.unwrap_or_default()),
            DatabaseState::JustCreated | DatabaseState::CleanShutdown => Some(DirtyRange::default()),
            _ => None,
        };
        if let Some(DirtyRange { min, max, max_time }) = range {
            self.min_required = min;
            self.min_consistent = min;
            self.max_required = max;
            self.max_committed = max;
            self.max_committed_time = max_time;
            self.max_required_time = if self.has(Feature::MaxRequiredTime) { max_time } else { LogTime::NONE };
        }
        if state != DatabaseState::DirtyShutdown {
            self.pre_redo_min_required = Generation(0);
            self.pre_redo_min_consistent = Generation(0);
        }
        self.state = state;
        Ok(())
    }
}

/// The logs that a database needs once it is dirty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirtyRange {
    /// First generation.
    pub min: Generation,
    /// Last generation.
    pub max: Generation,
    /// Creation time of the last.
    pub max_time: LogTime,
}

/// A change of state that the engine never makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database never goes from \"{from}\" to \"{to}\"")]
pub struct IllegalTransition {
    /// The state it is in.
    pub from: DatabaseState,
    /// The state asked for.
    pub to: DatabaseState,
}

/// What the two copies of the header are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Copies {
    /// Both hold and are equal.
    BothGood,
    /// Both hold and differ; the primary was taken (trap D3).
    Different,
    /// Only the primary holds.
    ShadowDamaged,
    /// Only the shadow holds; it was taken.
    PrimaryDamaged,
}

/// A header page with all its bytes: what is not declared is kept when it is written back (trap D21).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPage {
    bytes: Vec<u8>,
    size: PageSize,
    /// The fields; change them and call [`Self::to_bytes`].
    pub header: DatabaseHeader,
}

impl HeaderPage {
    /// Bytes of a file's start that an election looks at: both copies at the largest page size.
    pub const ELECTION_BYTES: usize = 65_536;

    /// Elects the header from the start of a file: all page sizes are tried, and the header's own field must agree (trap D5); the
    /// primary wins whenever it holds (trap D3). `start` holds the file's first [`Self::ELECTION_BYTES`], or all of it.
    ///
    /// # Errors
    /// [`HeaderFault::TooShort`], or [`HeaderFault::Corrupt`] where neither copy holds. Whether the file is a database of a
    /// known format is for [`DatabaseHeader::check_kind`].
    pub fn elect(start: &[u8]) -> Result<(Self, Copies), HeaderFault> {
        if start.len() < PageSize::ALL[0].bytes() {
            return Err(HeaderFault::TooShort);
        }
        let best = |copy: usize| {
            PageSize::ALL.into_iter().rev().find_map(|size| {
                let page = start.get(copy * size.bytes()..(copy + 1) * size.bytes())?;
                Self::read(page, size).filter(|_| verify_header_xor(page))
            })
        };
        match (best(0), best(1)) {
            (Some(primary), Some(shadow)) => {
                let copies = if primary.bytes == shadow.bytes { Copies::BothGood } else { Copies::Different };
                Ok((primary, copies))
            }
            (Some(primary), None) => Ok((primary, Copies::ShadowDamaged)),
            (None, Some(shadow)) => Ok((shadow, Copies::PrimaryDamaged)),
            (None, None) => Err(HeaderFault::Corrupt),
        }
    }

    /// Reads a page whose own field says that it has this size; the checksum is not looked at.
    #[must_use]
    pub fn read(page: &[u8], size: PageSize) -> Option<Self> {
        let header = DatabaseHeader::read(page)?;
        let fits = page.len() == size.bytes() && PageSize::from_field(header.page_size) == Some(size);
        fits.then(|| Self { bytes: page.to_vec(), size, header })
    }

    /// A header page of a new database: all zero but for the page size.
    #[must_use]
    pub fn new(size: PageSize) -> Self {
        let mut header = DatabaseHeader { page_size: u32::from(size), magic: HEADER_MAGIC, ..DatabaseHeader::default() };
        header.file_type = FileType::Database;
        Self { bytes: vec![0; size.bytes()], size, header }
    }

    /// The page size of the database.
    #[must_use]
    pub const fn page_size(&self) -> PageSize {
        self.size
    }

    /// The bytes as they were read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether bytes behind the declared fields are set: a newer format's, which are kept.
    #[must_use]
    pub fn has_undeclared_bytes(&self) -> bool {
        self.bytes.iter().skip(DatabaseHeader::SIZE).any(|&byte| byte != 0)
    }

    /// The page with its fields as they are now and a checksum that holds; every undeclared byte is as it was read (trap D21).
    /// Both copies of the header get these bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut page = self.bytes.clone();
        self.header.write(&mut page);
        set_header_xor(&mut page);
        page
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
