//! Format versions of a database, and what each brought (`db-1 §7`).

use serde::Serialize;
use std::fmt;

/// The version of everything since ESE97 (`ulDAEVersionESE97`), 1568.
pub const VERSION: u32 = 0x620;
/// Update major of a new database, raised by a logged record at once (trap D14).
pub const CREATE_UPDATE: u32 = 20;
/// The newest update major whose format is known for reading, verifying and recovery of published formats.
pub const KNOWN_UPDATE: u32 = 290;
/// The newest update major that is known for reading and verifying: Windows 11 24H2. Its log format is not published.
pub const READABLE_UPDATE: u32 = 300;

/// A database's format as three numbers, ordered as the engine orders them: version, update major, update minor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct DatabaseVersion {
    /// `le_ulVersion`, 0x620 since ESE97.
    pub version: u32,
    /// `le_ulDaeUpdateMajor`: an engine reads its own and lower ones.
    pub update: u32,
    /// `le_ulDaeUpdateMinor`: compatible both ways (trap D19).
    pub minor: u32,
}

/// How well a format is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// Read, verified and recovered.
    Fully,
    /// Read and verified; its logs are not known, so never recovered.
    ForReading,
    /// Newer than anything known: read as far as declared, with a warning.
    Newer,
    /// Before ESE97: recognised, not read.
    TooOld,
}

impl DatabaseVersion {
    /// A version of the 0x620 family.
    #[must_use]
    pub const fn new(update: u32, minor: u32) -> Self {
        Self { version: VERSION, update, minor }
    }

    /// What every database is created as (trap D14).
    pub const CREATED: Self = Self::new(CREATE_UPDATE, 0);

    /// Whether the format has a feature: it is not older than the one that brought it.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        self >= feature.database_version()
    }

    /// How well the format is known. A higher minor number alone is fine (trap D19).
    #[must_use]
    pub const fn known(self) -> Known {
        match (self.version, self.update) {
            (VERSION, 0..=KNOWN_UPDATE) => Known::Fully,
            (VERSION, ..=READABLE_UPDATE) => Known::ForReading,
            (..VERSION, _) => Known::TooOld,
            _ => Known::Newer,
        }
    }

    /// The newest engine version that writes this format, when it is a published one.
    #[must_use]
    pub fn engine(self) -> Option<&'static EngineVersion> {
        ENGINE_VERSIONS.iter().rfind(|engine| engine.database_version() == self)
    }
}

impl fmt::Display for DatabaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x},{},{}", self.version, self.update, self.minor)
    }
}

/// One engine format version (`efv`) and what it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineVersion {
    /// The number (`JET_paramEngineFormatVersion`).
    pub number: u32,
    /// Microsoft's name behind `JET_efv`; empty where none is published.
    pub name: &'static str,
    /// Database update major.
    pub update: u32,
    /// Database update minor.
    pub minor: u32,
    /// Log update major and minor (of 8.4000); `None` where unknown.
    pub log: Option<(u32, u32)>,
}

impl EngineVersion {
    /// The database format that it writes.
    #[must_use]
    pub const fn database_version(&self) -> DatabaseVersion {
        DatabaseVersion::new(self.update, self.minor)
    }

    /// The engine version with this number.
    #[must_use]
    pub fn by_number(number: u32) -> Option<&'static Self> {
        ENGINE_VERSIONS.iter().find(|engine| engine.number == number)
    }
}

/// Every known engine version, ascending (`db-1 §7.2`).
pub const ENGINE_VERSIONS: &[EngineVersion] = &[
    EngineVersion { number: 7060, name: "ExtHdrRootFieldAutoIncStorageStagedToDebug", update: 20, minor: 0, log: Some((4, 3)) },
    EngineVersion { number: 8020, name: "Windows10Rtm", update: 20, minor: 0, log: Some((4, 3)) },
    EngineVersion { number: 8220, name: "PersistedLostFlushMapStagedToDebug", update: 20, minor: 0, log: Some((5, 13)) },
    EngineVersion { number: 8520, name: "Exchange2016Rtm", update: 20, minor: 0, log: Some((5, 14)) },
    EngineVersion { number: 8620, name: "Windows10v2Rtm", update: 20, minor: 0, log: Some((5, 14)) },
    EngineVersion { number: 8720, name: "EncryptedColumns", update: 20, minor: 0, log: Some((5, 15)) },
    EngineVersion { number: 8820, name: "LoggingDeleteOfTableFcbs", update: 20, minor: 0, log: Some((5, 16)) },
    EngineVersion { number: 8880, name: "SupportNlsInvariantLocale", update: 20, minor: 0, log: Some((5, 14)) },
    EngineVersion { number: 8920, name: "Exchange2016Cu1Rtm", update: 20, minor: 0, log: Some((5, 16)) },
    EngineVersion { number: 8940, name: "SetDbVersion", update: 20, minor: 20, log: Some((6, 20)) },
    EngineVersion { number: 8960, name: "ExtHdrRootFieldAutoIncStorageReleased", update: 30, minor: 40, log: Some((6, 20)) },
    EngineVersion { number: 8980, name: "Xpress9Compression", update: 40, minor: 60, log: Some((7, 40)) },
    EngineVersion { number: 9000, name: "UppercaseTextNormalization", update: 50, minor: 80, log: Some((7, 40)) },
    EngineVersion { number: 9020, name: "DbscanHeaderHighestPageSeen", update: 50, minor: 100, log: Some((7, 40)) },
    EngineVersion { number: 9040, name: "Escrow64", update: 60, minor: 120, log: Some((20, 60)) },
    EngineVersion { number: 9060, name: "SynchronousLVCleanup", update: 60, minor: 140, log: Some((20, 60)) },
    EngineVersion { number: 9080, name: "Lid64", update: 70, minor: 160, log: Some((20, 60)) },
    EngineVersion { number: 9100, name: "ShrinkEof", update: 80, minor: 180, log: Some((30, 80)) },
    EngineVersion { number: 9120, name: "LogNewPage", update: 90, minor: 200, log: Some((40, 100)) },
    EngineVersion { number: 9140, name: "RootPageMove", update: 100, minor: 220, log: Some((50, 120)) },
    EngineVersion { number: 9160, name: "ScanCheck2", update: 100, minor: 220, log: Some((60, 140)) },
    EngineVersion { number: 9180, name: "LgposLastResize", update: 110, minor: 240, log: Some((60, 140)) },
    EngineVersion { number: 9200, name: "ShelvedPages", update: 120, minor: 260, log: Some((60, 140)) },
    EngineVersion { number: 9220, name: "ShelvedPagesRevert", update: 130, minor: 280, log: Some((60, 140)) },
    EngineVersion { number: 9240, name: "ShelvedPages2", update: 140, minor: 300, log: Some((60, 140)) },
    EngineVersion { number: 9260, name: "LogtimeGenMaxRequired", update: 150, minor: 320, log: Some((60, 140)) },
    EngineVersion { number: 9280, name: "VariableDbHdrSignatureSnapshot", update: 160, minor: 340, log: Some((60, 140)) },
    EngineVersion { number: 9300, name: "LowerMinReqLogGenOnRedo", update: 160, minor: 360, log: Some((60, 140)) },
    EngineVersion { number: 9320, name: "DbTimeShrink", update: 160, minor: 360, log: Some((70, 160)) },
    EngineVersion { number: 9340, name: "Xpress10Compression", update: 170, minor: 380, log: Some((80, 180)) },
    EngineVersion { number: 9360, name: "RevertSnapshot", update: 180, minor: 400, log: Some((90, 200)) },
    EngineVersion { number: 9380, name: "ApplyRevertSnapshot", update: 190, minor: 420, log: Some((90, 200)) },
    EngineVersion { number: 9400, name: "ExtentPageCountCache", update: 200, minor: 440, log: Some((90, 200)) },
    EngineVersion { number: 9420, name: "Lz4Compression", update: 210, minor: 460, log: Some((100, 220)) },
    EngineVersion { number: 9440, name: "", update: 210, minor: 480, log: Some((100, 220)) },
    EngineVersion { number: 9460, name: "RBSNonRevertableTableDeletes", update: 230, minor: 500, log: Some((100, 220)) },
    EngineVersion { number: 9480, name: "ScanCheck2Flags", update: 230, minor: 500, log: Some((110, 240)) },
    EngineVersion { number: 9500, name: "ExtentFreed2", update: 230, minor: 500, log: Some((120, 260)) },
    EngineVersion { number: 9520, name: "KVPStoreV2", update: 250, minor: 520, log: Some((120, 260)) },
    EngineVersion { number: 9540, name: "IndexDeferredPopulate", update: 260, minor: 540, log: Some((120, 260)) },
    EngineVersion { number: 9560, name: "ReservedTags", update: 270, minor: 560, log: Some((120, 260)) },
    EngineVersion { number: 9580, name: "RBSTooSoonDeletes", update: 280, minor: 580, log: Some((130, 280)) },
    EngineVersion { number: 9600, name: "OptionallyUniqueIndices", update: 290, minor: 600, log: Some((130, 280)) },
    EngineVersion { number: 9620, name: "", update: 300, minor: 620, log: None },
];

/// What a format brought that reading or replaying must know; tested by [`DatabaseVersion::has`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    /// The version is raised by a logged record.
    SetDbVersion,
    /// The auto-increment counter may lie in the external header of the root page.
    RootFieldAutoIncrement,
    /// XPRESS9 compression.
    Xpress9,
    /// `le_pgnoDbscanHighest` in the header.
    DbscanHighest,
    /// 64-bit escrow columns.
    Escrow64,
    /// 64-bit long-value ids.
    Lid64,
    /// The file may shrink at its end.
    ShrinkEof,
    /// New pages are logged.
    LogNewPage,
    /// Root pages may move.
    RootPageMove,
    /// `le_lgposLastResize` in the header.
    LastResize,
    /// Pages beyond the end of the file may be kept aside.
    ShelvedPages,
    /// `logtimeGenMaxRequired` in the header.
    MaxRequiredTime,
    /// Redo may lower the required range and remember the old one.
    LowerMinRequired,
    /// Page times of shrunk pages.
    DbtimeShrink,
    /// XPRESS10 compression.
    Xpress10,
    /// `signRBSHdrFlush` in the header.
    RevertSnapshot,
    /// The revert fields of the header.
    ApplyRevertSnapshot,
    /// The page counts of trees in `MSysExtentPageCountCache`.
    ExtentPageCountCache,
    /// LZ4 compression.
    Lz4,
    /// Page tags 0 to 6 may be reserved.
    ReservedTags,
}

impl Feature {
    /// The engine version that brought it.
    #[must_use]
    pub const fn engine_number(self) -> u32 {
        match self {
            Self::SetDbVersion => 8940,
            Self::RootFieldAutoIncrement => 8960,
            Self::Xpress9 => 8980,
            Self::DbscanHighest => 9020,
            Self::Escrow64 => 9040,
            Self::Lid64 => 9080,
            Self::ShrinkEof => 9100,
            Self::LogNewPage => 9120,
            Self::RootPageMove => 9140,
            Self::LastResize => 9180,
            Self::ShelvedPages => 9200,
            Self::MaxRequiredTime => 9260,
            Self::LowerMinRequired => 9300,
            Self::DbtimeShrink => 9320,
            Self::Xpress10 => 9340,
            Self::RevertSnapshot => 9360,
            Self::ApplyRevertSnapshot => 9380,
            Self::ExtentPageCountCache => 9400,
            Self::Lz4 => 9420,
            Self::ReservedTags => 9560,
        }
    }

    /// The lowest database format that has it.
    #[must_use]
    pub fn database_version(self) -> DatabaseVersion {
        EngineVersion::by_number(self.engine_number())
            .map_or(DatabaseVersion { version: u32::MAX, update: 0, minor: 0 }, EngineVersion::database_version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_versions_ascend_in_number_and_format() {
        // 9440 was withdrawn and 8720 and 8820 came out of order; the formats themselves never go down.
        assert!(ENGINE_VERSIONS.is_sorted_by(|a, b| a.number < b.number));
        assert!(ENGINE_VERSIONS.is_sorted_by_key(EngineVersion::database_version));
    }

    #[test]
    fn every_feature_has_its_engine_version() {
        assert_eq!(Feature::LastResize.database_version(), DatabaseVersion::new(110, 240));
        assert_eq!(Feature::LowerMinRequired.database_version(), DatabaseVersion::new(160, 360));
        assert!(Feature::ReservedTags.database_version().version == VERSION);
    }

    #[test]
    fn features_are_compared_as_ordered_triples() {
        assert!(DatabaseVersion::new(290, 600).has(Feature::LastResize));
        assert!(DatabaseVersion::new(110, 240).has(Feature::LastResize));
        assert!(!DatabaseVersion::new(110, 239).has(Feature::LastResize));
        assert!(!DatabaseVersion::new(100, 999).has(Feature::LastResize));
    }

    // trap db-1 D19
    #[test]
    fn d19_a_higher_minor_is_fine_and_a_higher_update_is_not() {
        assert_eq!(DatabaseVersion::new(290, 9999).known(), Known::Fully);
        assert_eq!(DatabaseVersion::new(300, 620).known(), Known::ForReading);
        assert_eq!(DatabaseVersion::new(301, 620).known(), Known::Newer);
        assert_eq!(DatabaseVersion { version: 0x621, update: 0, minor: 0 }.known(), Known::Newer);
        assert_eq!(DatabaseVersion { version: 0x500, update: 0, minor: 0 }.known(), Known::TooOld);
    }
}
