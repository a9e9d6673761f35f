//! Versions of the log format (`log-1 §5`).

use crate::units::PageSize;
use serde::{Serialize, Serializer};
use std::fmt;

/// A log format version; orders by its four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogVersion {
    /// 7 or 8.
    pub major: u32,
    /// 3704 for 7.x, 4000 for 8.x.
    pub minor: u32,
    /// Raised with each change that older engines cannot read.
    pub update_major: u32,
    /// Raised with each change that older engines can skip.
    pub update_minor: u32,
}

/// What a version brought.
#[derive(Clone, Copy, Debug)]
pub struct VersionEntry {
    /// The version.
    pub version: LogVersion,
    /// What changed for a reader.
    pub change: &'static str,
}

impl LogVersion {
    /// The newest version that is known: everything up to its update major can be read.
    pub const NEWEST: Self = Self::segmented(130, 280);

    /// An 8.x version.
    #[must_use]
    pub const fn segmented(update_major: u32, update_minor: u32) -> Self {
        Self { major: 8, minor: 4000, update_major, update_minor }
    }
    /// A 7.x version.
    #[must_use]
    pub const fn legacy(update_major: u32, update_minor: u32) -> Self {
        Self { major: 7, minor: 3704, update_major, update_minor }
    }
    /// Whether a log of this version with this page size can be read (`log-1 §5.2`). The update minor never matters (trap G14).
    #[must_use]
    pub fn is_readable(self, page_size: PageSize) -> bool {
        match (self.major, self.minor) {
            (8, 4000) => self.update_major <= Self::NEWEST.update_major,
            (7, 3704) => !page_size.is_large() || self.update_major >= 14,
            _ => false,
        }
    }
    /// Whether the log is one byte stream with LRCHECKSUM records (`log-7`).
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        self.major <= 7
    }
    /// Whether a segment of zeros is legal behind the end (trap G22).
    #[must_use]
    pub fn allows_zero_segments(self) -> bool {
        self >= Self::segmented(2, 0)
    }
    /// Whether the header holds the accumulated checksum of the log before (trap G12).
    #[must_use]
    pub const fn has_accumulated_checksum(self) -> bool {
        self.major >= 8 && self.update_minor >= 13
    }
    /// Whether a checkpoint of a stream of this version can hold the list of attached databases.
    #[must_use]
    pub fn has_checkpoint_attachments(self) -> bool {
        self >= Self::segmented(4, 3)
    }
    /// Whether a commit context has a flag byte (trap G53).
    #[must_use]
    pub fn has_commit_context_flags(self) -> bool {
        self >= Self::segmented(5, 2) || (self >= Self::segmented(4, 8) && self < Self::segmented(5, 0))
    }
    /// The version of the next generation: each number the larger of the two (trap G82).
    #[must_use]
    pub fn raised_to(self, wanted: Self) -> Self {
        if self.major < wanted.major {
            return wanted;
        }
        Self {
            major: self.major,
            minor: self.minor.max(wanted.minor),
            update_major: self.update_major.max(wanted.update_major),
            update_minor: self.update_minor.max(wanted.update_minor),
        }
    }
}

impl fmt::Display for LogVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.major, self.minor, self.update_major, self.update_minor)
    }
}

impl Serialize for LogVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const fn old(update_major: u32, update_minor: u32, change: &'static str) -> VersionEntry {
    VersionEntry { version: LogVersion::legacy(update_major, update_minor), change }
}

const fn new(update_major: u32, update_minor: u32, change: &'static str) -> VersionEntry {
    VersionEntry { version: LogVersion::segmented(update_major, update_minor), change }
}

/// The versions that are known, ascending.
pub static VERSIONS: &[VersionEntry] = &[
    old(0, 0, "readable base of 7.x"),
    old(1, 0, "EmptyTree"),
    old(2, 0, "times in Init2, Term2, RecoveryUndo2, RecoveryQuit2"),
    old(3, 0, "BeginDT"),
    old(4, 0, "circular flag in the parameters"),
    old(5, 0, "file type; backup patch files gone"),
    old(7, 0, "ConvertFDP2"),
    old(8, 0, "version info in CreateDB"),
    old(9, 0, "Unicode names"),
    old(10, 0, "Backup2"),
    old(11, 0, "Split2, Merge2 with before images"),
    old(12, 0, "Scrub"),
    old(13, 0, "PageMove"),
    old(14, 0, "long-value chunk size for large pages"),
    old(15, 0, "ForceDetach gone"),
    old(16, 0, "PagePatchRequest, ignorable records"),
    old(16, 1, "MacroInfo"),
    old(16, 2, "ExtendDB"),
    old(17, 0, "last format with LRCHECKSUM"),
    new(0, 0, "segments with ECC"),
    new(1, 0, "ShrinkDB"),
    new(2, 0, "recycled files are not refilled; a zero segment is legal"),
    new(3, 0, "CreateDB fully logged"),
    new(4, 0, "RecoveryQuitKeepAttachments"),
    new(4, 1, "CommitCtx"),
    new(4, 2, "ScanCheck"),
    new(4, 3, "NOP2; attach list in the checkpoint"),
    new(4, 4, "TrimDB"),
    new(4, 7, "ReAttach"),
    new(4, 8, "CommitCtx with flags"),
    new(4, 9, "ExtendDB after CreateDB"),
    new(5, 0, "compressed before images"),
    new(5, 1, "ReAttach"),
    new(5, 2, "CommitCtx with flags"),
    new(5, 4, "ExtendDB after CreateDB"),
    new(5, 12, "checksum of the last segment of the log before"),
    new(5, 13, "accumulated checksum of the log before"),
    new(5, 14, "MacroInfo2, more ignorable types"),
    new(5, 15, "encrypted columns"),
    new(5, 16, "FreeFDP"),
    new(6, 20, "SetDbVersion"),
    new(7, 40, "XPRESS9 data"),
    new(20, 60, "Delta64"),
    new(30, 80, "ShrinkDB2"),
    new(40, 100, "NewPage"),
    new(50, 120, "RootPageMove, SignalAttachDb"),
    new(60, 140, "ScanCheck2"),
    new(70, 160, "ShrinkDB3"),
    new(80, 180, "XPRESS10 data and before images"),
    new(90, 200, "ExtentFreed"),
    new(100, 220, "LZ4 data and before images"),
    new(110, 240, "flags of ScanCheck2"),
    new(120, 260, "ExtentFreed2"),
    new(130, 280, "newest in the public source"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ascends() {
        assert!(VERSIONS.is_sorted_by(|a, b| a.version < b.version));
        assert_eq!(VERSIONS.last().map(|entry| entry.version), Some(LogVersion::NEWEST));
    }

    #[test]
    fn g14_the_update_major_decides_and_the_update_minor_never() {
        let small = PageSize::FOUR_KIB;
        assert!(LogVersion::segmented(130, 9999).is_readable(small));
        assert!(!LogVersion::segmented(131, 0).is_readable(small));
        assert!(LogVersion::legacy(6, 0).is_readable(small));
        let large = PageSize::from_field(32768).unwrap();
        assert!(!LogVersion::legacy(13, 0).is_readable(large));
        assert!(LogVersion::legacy(14, 0).is_readable(large));
        for (major, minor) in [(6, 3704), (7, 3703), (8, 4001), (9, 4000)] {
            assert!(!LogVersion { major, minor, update_major: 0, update_minor: 0 }.is_readable(small));
        }
    }

    #[test]
    fn g82_version_numbers_are_raised_one_by_one() {
        assert_eq!(LogVersion::segmented(5, 16).raised_to(LogVersion::segmented(4, 30)), LogVersion::segmented(5, 30));
        assert_eq!(LogVersion::legacy(15, 0).raised_to(LogVersion::segmented(5, 16)), LogVersion::segmented(5, 16));
    }

    #[test]
    fn g53_the_flag_byte_came_in_two_branches() {
        let with: Vec<bool> = [(4, 7), (4, 8), (5, 1), (5, 2), (130, 280)]
            .map(|(major, minor)| LogVersion::segmented(major, minor).has_commit_context_flags())
            .into();
        assert_eq!(with, [false, true, false, true, true]);
    }
}
