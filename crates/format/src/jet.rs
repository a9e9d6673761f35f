//! JET codes: number, symbol, meaning, usual cause, and what to do next (`errors`).

use serde::{Serialize, Serializer};
use std::fmt;

/// A code of Microsoft's engine: negative for errors, positive for warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JetCode(pub i32);

/// What is known of a code.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Entry {
    /// The number.
    pub code: i32,
    /// Microsoft's symbol.
    pub symbol: &'static str,
    /// Which kind of trouble it is.
    pub class: Class,
    /// What it means.
    pub meaning: &'static str,
    /// What usually causes it; empty where there is no usual cause.
    pub cause: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Fatal for this set of files.
    Fatal,
    /// Data is damaged.
    Damage,
    /// A state that the right step mends.
    State,
    /// The call or the command was wrong.
    Usage,
    /// A resource ran out.
    Resource,
    /// For information.
    Information,
}

impl JetCode {
    /// `JET_errFlushMapVersionUnsupported`
    pub const FLUSH_MAP_VERSION_UNSUPPORTED: Self = Self(-1918);
    /// `JET_errFlushMapDatabaseMismatch`
    pub const FLUSH_MAP_DATABASE_MISMATCH: Self = Self(-1919);
    /// `JET_errFlushMapUnrecoverable`
    pub const FLUSH_MAP_UNRECOVERABLE: Self = Self(-1920);
    /// `JET_errDatabase200Format`
    pub const DATABASE_200_FORMAT: Self = Self(-1210);
    /// `JET_errDatabase400Format`
    pub const DATABASE_400_FORMAT: Self = Self(-1211);
    /// `JET_errDatabase500Format`
    pub const DATABASE_500_FORMAT: Self = Self(-1212);
    /// `JET_wrnFileOpenReadOnly`
    pub const WARN_FILE_OPEN_READ_ONLY: Self = Self(1813);
    /// `JET_wrnShrinkNotPossible`
    pub const WARN_SHRINK_NOT_POSSIBLE: Self = Self(1122);
    /// `JET_wrnDatabaseAttached`
    pub const WARN_DATABASE_ATTACHED: Self = Self(1007);
    /// `JET_wrnDatabaseRepaired`
    pub const WARN_DATABASE_REPAIRED: Self = Self(595);
    /// `JET_wrnFinishWithUndo`
    pub const WARN_FINISH_WITH_UNDO: Self = Self(588);
    /// `JET_wrnCommittedLogFilesRemoved`
    pub const WARN_COMMITTED_LOG_FILES_REMOVED: Self = Self(587);
    /// `JET_wrnCommittedLogFilesLost`
    pub const WARN_COMMITTED_LOG_FILES_LOST: Self = Self(585);
    /// `JET_wrnTargetInstanceRunning`
    pub const WARN_TARGET_INSTANCE_RUNNING: Self = Self(578);
    /// `JET_errTooManyIO`
    pub const TOO_MANY_IO: Self = Self(-105);
    /// `JET_errDatabaseBufferDependenciesCorrupted`
    pub const DATABASE_BUFFER_DEPENDENCIES_CORRUPTED: Self = Self(-255);
    /// `JET_errPreviousVersion`
    pub const PREVIOUS_VERSION: Self = Self(-322);
    /// `JET_errBadPageLink`
    pub const BAD_PAGE_LINK: Self = Self(-327);
    /// `JET_errBadBookmark`
    pub const BAD_BOOKMARK: Self = Self(-328);
    /// `JET_errNTSystemCallFailed`
    pub const NT_SYSTEM_CALL_FAILED: Self = Self(-334);
    /// `JET_errBadParentPageLink`
    pub const BAD_PARENT_PAGE_LINK: Self = Self(-338);
    /// `JET_errSPAvailExtCacheOutOfMemory`
    pub const SP_AVAIL_EXT_CACHE_OUT_OF_MEMORY: Self = Self(-342);
    /// `JET_errDbTimeCorrupted`
    pub const DB_TIME_CORRUPTED: Self = Self(-344);
    /// `JET_errDatabaseLeakInSpace`
    pub const DATABASE_LEAK_IN_SPACE: Self = Self(-348);
    /// `JET_errBadEmptyPage`
    pub const BAD_EMPTY_PAGE: Self = Self(-351);
    /// `JET_errBadLineCount`
    pub const BAD_LINE_COUNT: Self = Self(-354);
    /// `JET_errPageTagCorrupted`
    pub const PAGE_TAG_CORRUPTED: Self = Self(-357);
    /// `JET_errNodeCorrupted`
    pub const NODE_CORRUPTED: Self = Self(-358);
    /// `JET_errCompressionIntegrityCheckFailed`
    pub const COMPRESSION_INTEGRITY_CHECK_FAILED: Self = Self(-431);
    /// `JET_errInvalidLoggedOperation`
    pub const INVALID_LOGGED_OPERATION: Self = Self(-500);
    /// `JET_errLogFileCorrupt`
    pub const LOG_FILE_CORRUPT: Self = Self(-501);
    /// `JET_errNoBackupDirectory`
    pub const NO_BACKUP_DIRECTORY: Self = Self(-503);
    /// `JET_errBackupDirectoryNotEmpty`
    pub const BACKUP_DIRECTORY_NOT_EMPTY: Self = Self(-504);
    /// `JET_errBackupInProgress`
    pub const BACKUP_IN_PROGRESS: Self = Self(-505);
    /// `JET_errRestoreInProgress`
    pub const RESTORE_IN_PROGRESS: Self = Self(-506);
    /// `JET_errMissingPreviousLogFile`
    pub const MISSING_PREVIOUS_LOG_FILE: Self = Self(-509);
    /// `JET_errLogWriteFail`
    pub const LOG_WRITE_FAIL: Self = Self(-510);
    /// `JET_errLogDisabledDueToRecoveryFailure`
    pub const LOG_DISABLED_DUE_TO_RECOVERY_FAILURE: Self = Self(-511);
    /// `JET_errCannotLogDuringRecoveryRedo`
    pub const CANNOT_LOG_DURING_RECOVERY_REDO: Self = Self(-512);
    /// `JET_errLogGenerationMismatch`
    pub const LOG_GENERATION_MISMATCH: Self = Self(-513);
    /// `JET_errBadLogVersion`
    pub const BAD_LOG_VERSION: Self = Self(-514);
    /// `JET_errInvalidLogSequence`
    pub const INVALID_LOG_SEQUENCE: Self = Self(-515);
    /// `JET_errLoggingDisabled`
    pub const LOGGING_DISABLED: Self = Self(-516);
    /// `JET_errLogBufferTooSmall`
    pub const LOG_BUFFER_TOO_SMALL: Self = Self(-517);
    /// `JET_errLogSequenceEnd`
    pub const LOG_SEQUENCE_END: Self = Self(-519);
    /// `JET_errNoBackup`
    pub const NO_BACKUP: Self = Self(-520);
    /// `JET_errInvalidBackupSequence`
    pub const INVALID_BACKUP_SEQUENCE: Self = Self(-521);
    /// `JET_errBackupNotAllowedYet`
    pub const BACKUP_NOT_ALLOWED_YET: Self = Self(-523);
    /// `JET_errDeleteBackupFileFail`
    pub const DELETE_BACKUP_FILE_FAIL: Self = Self(-524);
    /// `JET_errMakeBackupDirectoryFail`
    pub const MAKE_BACKUP_DIRECTORY_FAIL: Self = Self(-525);
    /// `JET_errInvalidBackup`
    pub const INVALID_BACKUP: Self = Self(-526);
    /// `JET_errRecoveredWithErrors`
    pub const RECOVERED_WITH_ERRORS: Self = Self(-527);
    /// `JET_errMissingLogFile`
    pub const MISSING_LOG_FILE: Self = Self(-528);
    /// `JET_errLogDiskFull`
    pub const LOG_DISK_FULL: Self = Self(-529);
    /// `JET_errBadLogSignature`
    pub const BAD_LOG_SIGNATURE: Self = Self(-530);
    /// `JET_errBadDbSignature`
    pub const BAD_DB_SIGNATURE: Self = Self(-531);
    /// `JET_errBadCheckpointSignature`
    pub const BAD_CHECKPOINT_SIGNATURE: Self = Self(-532);
    /// `JET_errCheckpointCorrupt`
    pub const CHECKPOINT_CORRUPT: Self = Self(-533);
    /// `JET_errMissingPatchPage`
    pub const MISSING_PATCH_PAGE: Self = Self(-534);
    /// `JET_errBadPatchPage`
    pub const BAD_PATCH_PAGE: Self = Self(-535);
    /// `JET_errRedoAbruptEnded`
    pub const REDO_ABRUPT_ENDED: Self = Self(-536);
    /// `JET_errPatchFileMissing`
    pub const PATCH_FILE_MISSING: Self = Self(-538);
    /// `JET_errDatabaseLogSetMismatch`
    pub const DATABASE_LOG_SET_MISMATCH: Self = Self(-539);
    /// `JET_errDatabaseStreamingFileMismatch`
    pub const DATABASE_STREAMING_FILE_MISMATCH: Self = Self(-540);
    /// `JET_errLogFileSizeMismatch`
    pub const LOG_FILE_SIZE_MISMATCH: Self = Self(-541);
    /// `JET_errCheckpointFileNotFound`
    pub const CHECKPOINT_FILE_NOT_FOUND: Self = Self(-542);
    /// `JET_errRequiredLogFilesMissing`
    pub const REQUIRED_LOG_FILES_MISSING: Self = Self(-543);
    /// `JET_errSoftRecoveryOnBackupDatabase`
    pub const SOFT_RECOVERY_ON_BACKUP_DATABASE: Self = Self(-544);
    /// `JET_errLogFileSizeMismatchDatabasesConsistent`
    pub const LOG_FILE_SIZE_MISMATCH_DATABASES_CONSISTENT: Self = Self(-545);
    /// `JET_errLogSectorSizeMismatch`
    pub const LOG_SECTOR_SIZE_MISMATCH: Self = Self(-546);
    /// `JET_errLogSectorSizeMismatchDatabasesConsistent`
    pub const LOG_SECTOR_SIZE_MISMATCH_DATABASES_CONSISTENT: Self = Self(-547);
    /// `JET_errLogSequenceEndDatabasesConsistent`
    pub const LOG_SEQUENCE_END_DATABASES_CONSISTENT: Self = Self(-548);
    /// `JET_errStreamingDataNotLogged`
    pub const STREAMING_DATA_NOT_LOGGED: Self = Self(-549);
    /// `JET_errDatabaseDirtyShutdown`
    pub const DATABASE_DIRTY_SHUTDOWN: Self = Self(-550);
    /// `JET_errConsistentTimeMismatch`
    pub const CONSISTENT_TIME_MISMATCH: Self = Self(-551);
    /// `JET_errDatabasePatchFileMismatch`
    pub const DATABASE_PATCH_FILE_MISMATCH: Self = Self(-552);
    /// `JET_errEndingRestoreLogTooLow`
    pub const ENDING_RESTORE_LOG_TOO_LOW: Self = Self(-553);
    /// `JET_errStartingRestoreLogTooHigh`
    pub const STARTING_RESTORE_LOG_TOO_HIGH: Self = Self(-554);
    /// `JET_errGivenLogFileHasBadSignature`
    pub const GIVEN_LOG_FILE_HAS_BAD_SIGNATURE: Self = Self(-555);
    /// `JET_errGivenLogFileIsNotContiguous`
    pub const GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS: Self = Self(-556);
    /// `JET_errMissingRestoreLogFiles`
    pub const MISSING_RESTORE_LOG_FILES: Self = Self(-557);
    /// `JET_errMissingFullBackup`
    pub const MISSING_FULL_BACKUP: Self = Self(-560);
    /// `JET_errBadBackupDatabaseSize`
    pub const BAD_BACKUP_DATABASE_SIZE: Self = Self(-561);
    /// `JET_errDatabaseAlreadyUpgraded`
    pub const DATABASE_ALREADY_UPGRADED: Self = Self(-562);
    /// `JET_errDatabaseIncompleteUpgrade`
    pub const DATABASE_INCOMPLETE_UPGRADE: Self = Self(-563);
    /// `JET_errMissingCurrentLogFiles`
    pub const MISSING_CURRENT_LOG_FILES: Self = Self(-565);
    /// `JET_errDbTimeTooOld`
    pub const DB_TIME_TOO_OLD: Self = Self(-566);
    /// `JET_errDbTimeTooNew`
    pub const DB_TIME_TOO_NEW: Self = Self(-567);
    /// `JET_errMissingFileToBackup`
    pub const MISSING_FILE_TO_BACKUP: Self = Self(-569);
    /// `JET_errLogTornWriteDuringHardRestore`
    pub const LOG_TORN_WRITE_DURING_HARD_RESTORE: Self = Self(-570);
    /// `JET_errLogTornWriteDuringHardRecovery`
    pub const LOG_TORN_WRITE_DURING_HARD_RECOVERY: Self = Self(-571);
    /// `JET_errLogCorruptDuringHardRestore`
    pub const LOG_CORRUPT_DURING_HARD_RESTORE: Self = Self(-573);
    /// `JET_errLogCorruptDuringHardRecovery`
    pub const LOG_CORRUPT_DURING_HARD_RECOVERY: Self = Self(-574);
    /// `JET_errBadRestoreTargetInstance`
    pub const BAD_RESTORE_TARGET_INSTANCE: Self = Self(-577);
    /// `JET_errRecoveredWithoutUndo`
    pub const RECOVERED_WITHOUT_UNDO: Self = Self(-579);
    /// `JET_errDatabasesNotFromSameSnapshot`
    pub const DATABASES_NOT_FROM_SAME_SNAPSHOT: Self = Self(-580);
    /// `JET_errSoftRecoveryOnSnapshot`
    pub const SOFT_RECOVERY_ON_SNAPSHOT: Self = Self(-581);
    /// `JET_errCommittedLogFilesMissing`
    pub const COMMITTED_LOG_FILES_MISSING: Self = Self(-582);
    /// `JET_errSectorSizeNotSupported`
    pub const SECTOR_SIZE_NOT_SUPPORTED: Self = Self(-583);
    /// `JET_errRecoveredWithoutUndoDatabasesConsistent`
    pub const RECOVERED_WITHOUT_UNDO_DATABASES_CONSISTENT: Self = Self(-584);
    /// `JET_errCommittedLogFileCorrupt`
    pub const COMMITTED_LOG_FILE_CORRUPT: Self = Self(-586);
    /// `JET_errLogSequenceChecksumMismatch`
    pub const LOG_SEQUENCE_CHECKSUM_MISMATCH: Self = Self(-590);
    /// `JET_errPageInitializedMismatch`
    pub const PAGE_INITIALIZED_MISMATCH: Self = Self(-596);
    /// `JET_errLogReadVerifyFailure`
    pub const LOG_READ_VERIFY_FAILURE: Self = Self(-612);
    /// `JET_errCheckpointDepthTooDeep`
    pub const CHECKPOINT_DEPTH_TOO_DEEP: Self = Self(-614);
    /// `JET_errRestoreOfNonBackupDatabase`
    pub const RESTORE_OF_NON_BACKUP_DATABASE: Self = Self(-615);
    /// `JET_errLogFileNotCopied`
    pub const LOG_FILE_NOT_COPIED: Self = Self(-616);
    /// `JET_errSurrogateBackupInProgress`
    pub const SURROGATE_BACKUP_IN_PROGRESS: Self = Self(-617);
    /// `JET_errTransactionTooLong`
    pub const TRANSACTION_TOO_LONG: Self = Self(-618);
    /// `JET_errDbTimeBeyondMaxRequired`
    pub const DB_TIME_BEYOND_MAX_REQUIRED: Self = Self(-625);
    /// `JET_errLogOperationInconsistentWithDatabase`
    pub const LOG_OPERATION_INCONSISTENT_WITH_DATABASE: Self = Self(-626);
    /// `JET_errBackupAbortByServer`
    pub const BACKUP_ABORT_BY_SERVER: Self = Self(-801);
    /// `JET_errTermInProgress`
    pub const TERM_IN_PROGRESS: Self = Self(-1000);
    /// `JET_errDatabaseFileReadOnly`
    pub const DATABASE_FILE_READ_ONLY: Self = Self(-1008);
    /// `JET_errOutOfDatabaseSpace`
    pub const OUT_OF_DATABASE_SPACE: Self = Self(-1012);
    /// `JET_errRecordDeleted`
    pub const RECORD_DELETED: Self = Self(-1017);
    /// `JET_errReadVerifyFailure`
    pub const READ_VERIFY_FAILURE: Self = Self(-1018);
    /// `JET_errPageNotInitialized`
    pub const PAGE_NOT_INITIALIZED: Self = Self(-1019);
    /// `JET_errOutOfFileHandles`
    pub const OUT_OF_FILE_HANDLES: Self = Self(-1020);
    /// `JET_errDiskReadVerificationFailure`
    pub const DISK_READ_VERIFICATION_FAILURE: Self = Self(-1021);
    /// `JET_errInvalidDatabase`
    pub const INVALID_DATABASE: Self = Self(-1028);
    /// `JET_errFileAccessDenied`
    pub const FILE_ACCESS_DENIED: Self = Self(-1032);
    /// `JET_errInvalidFilename`
    pub const INVALID_FILENAME: Self = Self(-1044);
    /// `JET_errOutOfAutoincrementValues`
    pub const OUT_OF_AUTOINCREMENT_VALUES: Self = Self(-1076);
    /// `JET_errInstanceNameInUse`
    pub const INSTANCE_NAME_IN_USE: Self = Self(-1086);
    /// `JET_errSystemParameterConflict`
    pub const SYSTEM_PARAMETER_CONFLICT: Self = Self(-1087);
    /// `JET_errInstanceUnavailable`
    pub const INSTANCE_UNAVAILABLE: Self = Self(-1090);
    /// `JET_errDatabaseUnavailable`
    pub const DATABASE_UNAVAILABLE: Self = Self(-1091);
    /// `JET_errInstanceUnavailableDueToFatalLogDiskFull`
    pub const INSTANCE_UNAVAILABLE_DUE_TO_FATAL_LOG_DISK_FULL: Self = Self(-1092);
    /// `JET_errTransReadOnly`
    pub const TRANS_READ_ONLY: Self = Self(-1110);
    /// `JET_errDirtyShutdown`
    pub const DIRTY_SHUTDOWN: Self = Self(-1116);
    /// `JET_errReadPgnoVerifyFailure`
    pub const READ_PGNO_VERIFY_FAILURE: Self = Self(-1118);
    /// `JET_errReadLostFlushVerifyFailure`
    pub const READ_LOST_FLUSH_VERIFY_FAILURE: Self = Self(-1119);
    /// `JET_errFileSystemCorruption`
    pub const FILE_SYSTEM_CORRUPTION: Self = Self(-1121);
    /// `JET_errRecoveryVerifyFailure`
    pub const RECOVERY_VERIFY_FAILURE: Self = Self(-1123);
    /// `JET_errDatabaseDuplicate`
    pub const DATABASE_DUPLICATE: Self = Self(-1201);
    /// `JET_errDatabaseInUse`
    pub const DATABASE_IN_USE: Self = Self(-1202);
    /// `JET_errDatabaseNotFound`
    pub const DATABASE_NOT_FOUND: Self = Self(-1203);
    /// `JET_errDatabaseInvalidName`
    pub const DATABASE_INVALID_NAME: Self = Self(-1204);
    /// `JET_errDatabaseInvalidPages`
    pub const DATABASE_INVALID_PAGES: Self = Self(-1205);
    /// `JET_errDatabaseCorrupted`
    pub const DATABASE_CORRUPTED: Self = Self(-1206);
    /// `JET_errDatabaseLocked`
    pub const DATABASE_LOCKED: Self = Self(-1207);
    /// `JET_errInvalidDatabaseVersion`
    pub const INVALID_DATABASE_VERSION: Self = Self(-1209);
    /// `JET_errPageSizeMismatch`
    pub const PAGE_SIZE_MISMATCH: Self = Self(-1213);
    /// `JET_errDatabaseSharingViolation`
    pub const DATABASE_SHARING_VIOLATION: Self = Self(-1215);
    /// `JET_errAttachedDatabaseMismatch`
    pub const ATTACHED_DATABASE_MISMATCH: Self = Self(-1216);
    /// `JET_errDatabaseInvalidPath`
    pub const DATABASE_INVALID_PATH: Self = Self(-1217);
    /// `JET_errDatabaseIdInUse`
    pub const DATABASE_ID_IN_USE: Self = Self(-1218);
    /// `JET_errForceDetachNotAllowed`
    pub const FORCE_DETACH_NOT_ALLOWED: Self = Self(-1219);
    /// `JET_errCatalogCorrupted`
    pub const CATALOG_CORRUPTED: Self = Self(-1220);
    /// `JET_errPartiallyAttachedDB`
    pub const PARTIALLY_ATTACHED_DB: Self = Self(-1221);
    /// `JET_errDatabaseSignInUse`
    pub const DATABASE_SIGN_IN_USE: Self = Self(-1222);
    /// `JET_errDatabaseCorruptedNoRepair`
    pub const DATABASE_CORRUPTED_NO_REPAIR: Self = Self(-1224);
    /// `JET_errInvalidCreateDbVersion`
    pub const INVALID_CREATE_DB_VERSION: Self = Self(-1225);
    /// `JET_errDatabaseIncompleteIncrementalReseed`
    pub const DATABASE_INCOMPLETE_INCREMENTAL_RESEED: Self = Self(-1226);
    /// `JET_errDatabaseInvalidIncrementalReseed`
    pub const DATABASE_INVALID_INCREMENTAL_RESEED: Self = Self(-1227);
    /// `JET_errDatabaseFailedIncrementalReseed`
    pub const DATABASE_FAILED_INCREMENTAL_RESEED: Self = Self(-1228);
    /// `JET_errNoAttachmentsFailedIncrementalReseed`
    pub const NO_ATTACHMENTS_FAILED_INCREMENTAL_RESEED: Self = Self(-1229);
    /// `JET_errDatabaseNotReady`
    pub const DATABASE_NOT_READY: Self = Self(-1230);
    /// `JET_errDatabaseAttachedForRecovery`
    pub const DATABASE_ATTACHED_FOR_RECOVERY: Self = Self(-1231);
    /// `JET_errTransactionsNotReadyDuringRecovery`
    pub const TRANSACTIONS_NOT_READY_DURING_RECOVERY: Self = Self(-1232);
    /// `JET_errInvalidObject`
    pub const INVALID_OBJECT: Self = Self(-1316);
    /// `JET_errClientRequestToStopJetService`
    pub const CLIENT_REQUEST_TO_STOP_JET_SERVICE: Self = Self(-1329);
    /// `JET_errIndexCantBuild`
    pub const INDEX_CANT_BUILD: Self = Self(-1401);
    /// `JET_errMultiValuedIndexViolation`
    pub const MULTI_VALUED_INDEX_VIOLATION: Self = Self(-1411);
    /// `JET_errIndexBuildCorrupted`
    pub const INDEX_BUILD_CORRUPTED: Self = Self(-1412);
    /// `JET_errPrimaryIndexCorrupted`
    pub const PRIMARY_INDEX_CORRUPTED: Self = Self(-1413);
    /// `JET_errSecondaryIndexCorrupted`
    pub const SECONDARY_INDEX_CORRUPTED: Self = Self(-1414);
    /// `JET_errColumnNoChunk`
    pub const COLUMN_NO_CHUNK: Self = Self(-1502);
    /// `JET_errLVCorrupted`
    pub const LV_CORRUPTED: Self = Self(-1526);
    /// `JET_errDerivedColumnCorruption`
    pub const DERIVED_COLUMN_CORRUPTION: Self = Self(-1529);
    /// `JET_errColumnNoEncryptionKey`
    pub const COLUMN_NO_ENCRYPTION_KEY: Self = Self(-1540);
    /// `JET_errRecordNotFound`
    pub const RECORD_NOT_FOUND: Self = Self(-1601);
    /// `JET_errNoCurrentRecord`
    pub const NO_CURRENT_RECORD: Self = Self(-1603);
    /// `JET_errDecompressionFailed`
    pub const DECOMPRESSION_FAILED: Self = Self(-1620);
    /// `JET_errTempFileOpenError`
    pub const TEMP_FILE_OPEN_ERROR: Self = Self(-1803);
    /// `JET_errDiskFull`
    pub const DISK_FULL: Self = Self(-1808);
    /// `JET_errFileNotFound`
    pub const FILE_NOT_FOUND: Self = Self(-1811);
    /// `JET_errFileInvalidType`
    pub const FILE_INVALID_TYPE: Self = Self(-1812);
    /// `JET_errFileAlreadyExists`
    pub const FILE_ALREADY_EXISTS: Self = Self(-1814);
    /// `JET_errAfterInitialization`
    pub const AFTER_INITIALIZATION: Self = Self(-1850);
    /// `JET_errLogCorrupted`
    pub const LOG_CORRUPTED: Self = Self(-1852);
    /// `JET_errTooManySplits`
    pub const TOO_MANY_SPLITS: Self = Self(-1909);
    /// `JET_errRollbackError`
    pub const ROLLBACK_ERROR: Self = Self(-1917);
    /// `JET_errRBSRCBadDbState`
    pub const RBSRC_BAD_DB_STATE: Self = Self(-1931);
    /// `JET_errDatabaseIncompleteRevert`
    pub const DATABASE_INCOMPLETE_REVERT: Self = Self(-1935);
    /// `JET_errOSSnapshotInvalidSequence`
    pub const OS_SNAPSHOT_INVALID_SEQUENCE: Self = Self(-2401);
    /// `JET_errOSSnapshotTimeOut`
    pub const OS_SNAPSHOT_TIME_OUT: Self = Self(-2402);
    /// `JET_errOSSnapshotNotAllowed`
    pub const OS_SNAPSHOT_NOT_ALLOWED: Self = Self(-2403);
    /// `JET_errOSSnapshotInvalidSnapId`
    pub const OS_SNAPSHOT_INVALID_SNAP_ID: Self = Self(-2404);
    /// `JET_errFileIOSparse`
    pub const FILE_IO_SPARSE: Self = Self(-4000);
    /// `JET_errFileIOBeyondEOF`
    pub const FILE_IO_BEYOND_EOF: Self = Self(-4001);
    /// `JET_errFileCompressed`
    pub const FILE_COMPRESSED: Self = Self(-4005);

    /// What is known of the code.
    #[must_use]
    pub fn entry(self) -> Option<&'static Entry> {
        // The table descends by code.
        ENTRIES.binary_search_by(|entry| self.0.cmp(&entry.code)).ok().map(|at| &ENTRIES[at])
    }
    /// Microsoft's symbol; empty for an unknown code.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        self.entry().map_or("", |entry| entry.symbol)
    }
    /// What it means; empty for an unknown code.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.entry().map_or("", |entry| entry.meaning)
    }
    /// What to do next; empty where nothing is known.
    #[must_use]
    pub fn next(self) -> &'static str {
        self.entry().map_or("", |entry| entry.next)
    }
    /// Whether it is an error (warnings are positive).
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for JetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.symbol() {
            "" => write!(f, "{}", self.0),
            symbol => write!(f, "{} {symbol}", self.0),
        }
    }
}

impl Serialize for JetCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.0)
    }
}

/// Every known code, descending.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: 1813,
        symbol: "JET_wrnFileOpenReadOnly",
        class: Class::Information,
        meaning: "opened read-only",
        cause: "",
        next: "",
    },
    Entry {
        code: 1122,
        symbol: "JET_wrnShrinkNotPossible",
        class: Class::Information,
        meaning: "cannot shrink",
        cause: "",
        next: "",
    },
    Entry {
        code: 1007,
        symbol: "JET_wrnDatabaseAttached",
        class: Class::Information,
        meaning: "already attached",
        cause: "",
        next: "",
    },
    Entry {
        code: 595,
        symbol: "JET_wrnDatabaseRepaired",
        class: Class::Information,
        meaning: "repair changed the database",
        cause: "",
        next: "salvage report, full",
    },
    Entry {
        code: 588,
        symbol: "JET_wrnFinishWithUndo",
        class: Class::Information,
        meaning: "signal: ended with undo",
        cause: "",
        next: "",
    },
    Entry {
        code: 587,
        symbol: "JET_wrnCommittedLogFilesRemoved",
        class: Class::Information,
        meaning: "corrupt and later logs removed",
        cause: "consent",
        next: "full backup",
    },
    Entry {
        code: 585,
        symbol: "JET_wrnCommittedLogFilesLost",
        class: Class::Information,
        meaning: "recovered with loss",
        cause: "consent",
        next: "list loss, full backup",
    },
    Entry {
        code: 578,
        symbol: "JET_wrnTargetInstanceRunning",
        class: Class::Information,
        meaning: "target runs; temp logs remain",
        cause: "",
        next: "cleanup",
    },
    Entry { code: -105, symbol: "JET_errTooManyIO", class: Class::Resource, meaning: "busy", cause: "", next: "" },
    Entry {
        code: -255,
        symbol: "JET_errDatabaseBufferDependenciesCorrupted",
        class: Class::Damage,
        meaning: "page order rule broken in recovery",
        cause: "",
        next: "other base",
    },
    Entry {
        code: -322,
        symbol: "JET_errPreviousVersion",
        class: Class::Damage,
        meaning: "version exists already",
        cause: "",
        next: "",
    },
    Entry {
        code: -327,
        symbol: "JET_errBadPageLink",
        class: Class::Damage,
        meaning: "sibling link wrong",
        cause: "damage",
        next: "restore/salvage",
    },
    Entry {
        code: -328,
        symbol: "JET_errBadBookmark",
        class: Class::Damage,
        meaning: "bookmark points nowhere",
        cause: "",
        next: "",
    },
    Entry {
        code: -334,
        symbol: "JET_errNTSystemCallFailed",
        class: Class::Resource,
        meaning: "OS call failed",
        cause: "",
        next: "",
    },
    Entry {
        code: -338,
        symbol: "JET_errBadParentPageLink",
        class: Class::Damage,
        meaning: "parent link wrong",
        cause: "damage",
        next: "restore/salvage",
    },
    Entry { code: -342, symbol: "JET_errSPAvailExtCacheOutOfMemory", class: Class::Resource, meaning: "", cause: "", next: "" },
    Entry {
        code: -344,
        symbol: "JET_errDbTimeCorrupted",
        class: Class::Damage,
        meaning: "page dbtime above database's",
        cause: "mixed files",
        next: "other base",
    },
    Entry {
        code: -348,
        symbol: "JET_errDatabaseLeakInSpace",
        class: Class::Information,
        meaning: "pages lost from space trees",
        cause: "crash history",
        next: "compact",
    },
    Entry {
        code: -351,
        symbol: "JET_errBadEmptyPage",
        class: Class::Damage,
        meaning: "unexpectedly empty page",
        cause: "",
        next: "restore",
    },
    Entry {
        code: -354,
        symbol: "JET_errBadLineCount",
        class: Class::Damage,
        meaning: "too few entries on page",
        cause: "",
        next: "restore",
    },
    Entry {
        code: -357,
        symbol: "JET_errPageTagCorrupted",
        class: Class::Damage,
        meaning: "tag array wrong",
        cause: "",
        next: "page restore",
    },
    Entry {
        code: -358,
        symbol: "JET_errNodeCorrupted",
        class: Class::Damage,
        meaning: "entry sizes wrong",
        cause: "",
        next: "page restore",
    },
    Entry {
        code: -431,
        symbol: "JET_errCompressionIntegrityCheckFailed",
        class: Class::Damage,
        meaning: "compressed data check failed",
        cause: "",
        next: "salvage",
    },
    Entry {
        code: -500,
        symbol: "JET_errInvalidLoggedOperation",
        class: Class::Damage,
        meaning: "a log record cannot be applied",
        cause: "record and page state do not fit; damaged log",
        next: "`replay --dry`; use another copy of the log or another base",
    },
    Entry {
        code: -501,
        symbol: "JET_errLogFileCorrupt",
        class: Class::Damage,
        meaning: "log checksum or structure wrong",
        cause: "disk, torn copy, wrong file",
        next: "`verify` the log; take it from archive or replica",
    },
    Entry {
        code: -503,
        symbol: "JET_errNoBackupDirectory",
        class: Class::Usage,
        meaning: "no target",
        cause: "",
        next: "give one",
    },
    Entry {
        code: -504,
        symbol: "JET_errBackupDirectoryNotEmpty",
        class: Class::Usage,
        meaning: "target not empty",
        cause: "",
        next: "empty folder",
    },
    Entry {
        code: -505,
        symbol: "JET_errBackupInProgress",
        class: Class::State,
        meaning: "another backup runs",
        cause: "",
        next: "wait/stop",
    },
    Entry {
        code: -506,
        symbol: "JET_errRestoreInProgress",
        class: Class::State,
        meaning: "restore already running",
        cause: "",
        next: "wait",
    },
    Entry {
        code: -509,
        symbol: "JET_errMissingPreviousLogFile",
        class: Class::State,
        meaning: "the log named by the checkpoint is absent",
        cause: "deleted logs, stale checkpoint",
        next: "`plan`: start from headers without checkpoint, find logs",
    },
    Entry {
        code: -510,
        symbol: "JET_errLogWriteFail",
        class: Class::Fatal,
        meaning: "log could not be written",
        cause: "disk error, full, access",
        next: "fix the disk; database is safe up to last durable record",
    },
    Entry {
        code: -511,
        symbol: "JET_errLogDisabledDueToRecoveryFailure",
        class: Class::State,
        meaning: "logging refused after failed recovery",
        cause: "earlier error",
        next: "look at the first error",
    },
    Entry {
        code: -512,
        symbol: "JET_errCannotLogDuringRecoveryRedo",
        class: Class::Usage,
        meaning: "write attempt during redo",
        cause: "program order",
        next: "internal",
    },
    Entry {
        code: -513,
        symbol: "JET_errLogGenerationMismatch",
        class: Class::State,
        meaning: "file name and inner generation disagree",
        cause: "renamed by hand",
        next: "`inspect`; sort by inner number",
    },
    Entry {
        code: -514,
        symbol: "JET_errBadLogVersion",
        class: Class::State,
        meaning: "log format not supported by this engine",
        cause: "other version",
        next: "use a reader that knows it",
    },
    Entry {
        code: -515,
        symbol: "JET_errInvalidLogSequence",
        class: Class::State,
        meaning: "next log does not continue the previous",
        cause: "foreign branch, restored server, missing log",
        next: "`chain show`; choose the branch, find the right log",
    },
    Entry {
        code: -516,
        symbol: "JET_errLoggingDisabled",
        class: Class::Usage,
        meaning: "operation needs logging",
        cause: "database runs without log",
        next: "offline copies only",
    },
    Entry {
        code: -517,
        symbol: "JET_errLogBufferTooSmall",
        class: Class::Resource,
        meaning: "record larger than buffer or log",
        cause: "settings",
        next: "application",
    },
    Entry {
        code: -519,
        symbol: "JET_errLogSequenceEnd",
        class: Class::State,
        meaning: "last possible generation reached",
        cause: "long life stream",
        next: "clean shutdown, new stream, full backup",
    },
    Entry { code: -520, symbol: "JET_errNoBackup", class: Class::Usage, meaning: "no session", cause: "", next: "" },
    Entry {
        code: -521,
        symbol: "JET_errInvalidBackupSequence",
        class: Class::Usage,
        meaning: "calls in wrong order, file still open",
        cause: "",
        next: "",
    },
    Entry {
        code: -523,
        symbol: "JET_errBackupNotAllowedYet",
        class: Class::State,
        meaning: "not possible now (recovery, suspended)",
        cause: "",
        next: "retry",
    },
    Entry {
        code: -524,
        symbol: "JET_errDeleteBackupFileFail",
        class: Class::Resource,
        meaning: "old backup file not removable",
        cause: "",
        next: "",
    },
    Entry {
        code: -525,
        symbol: "JET_errMakeBackupDirectoryFail",
        class: Class::Resource,
        meaning: "temp folder not creatable",
        cause: "",
        next: "",
    },
    Entry {
        code: -526,
        symbol: "JET_errInvalidBackup",
        class: Class::State,
        meaning: "incremental with circular logging",
        cause: "setting",
        next: "full, or switch off circular then full",
    },
    Entry {
        code: -527,
        symbol: "JET_errRecoveredWithErrors",
        class: Class::Damage,
        meaning: "recovery in repair mode ended with errors",
        cause: "",
        next: "do not trust; restore",
    },
    Entry {
        code: -528,
        symbol: "JET_errMissingLogFile",
        class: Class::State,
        meaning: "current or a middle log absent",
        cause: "moved logs, gap",
        next: "`plan` lists the gap; lossy option only if not required",
    },
    Entry {
        code: -529,
        symbol: "JET_errLogDiskFull",
        class: Class::Resource,
        meaning: "log volume full",
        cause: "no backup purges",
        next: "move proven logs, `purge`",
    },
    Entry {
        code: -530,
        symbol: "JET_errBadLogSignature",
        class: Class::State,
        meaning: "log belongs to another stream",
        cause: "mixed folders",
        next: "`inspect`; separate by signature",
    },
    Entry {
        code: -531,
        symbol: "JET_errBadDbSignature",
        class: Class::State,
        meaning: "database is not the one expected",
        cause: "other life of the database",
        next: "compare signatures, choose set",
    },
    Entry {
        code: -532,
        symbol: "JET_errBadCheckpointSignature",
        class: Class::State,
        meaning: "checkpoint of another stream",
        cause: "left over file",
        next: "ignore it",
    },
    Entry {
        code: -533,
        symbol: "JET_errCheckpointCorrupt",
        class: Class::State,
        meaning: "checkpoint unreadable",
        cause: "",
        next: "ignore it; start from headers",
    },
    Entry {
        code: -534,
        symbol: "JET_errMissingPatchPage",
        class: Class::Damage,
        meaning: "old patch file lacks a page",
        cause: "incomplete set",
        next: "other copy",
    },
    Entry {
        code: -535,
        symbol: "JET_errBadPatchPage",
        class: Class::Damage,
        meaning: "trailer/patch page invalid",
        cause: "cut file",
        next: "recopy; other set",
    },
    Entry {
        code: -536,
        symbol: "JET_errRedoAbruptEnded",
        class: Class::Damage,
        meaning: "records end in the middle though more is needed (a file of wrong length is -541 first)",
        cause: "damaged log",
        next: "other copy",
    },
    Entry {
        code: -538,
        symbol: "JET_errPatchFileMissing",
        class: Class::State,
        meaning: "directory restore without patch file",
        cause: "incomplete set",
        next: "add `.pat`",
    },
    Entry {
        code: -539,
        symbol: "JET_errDatabaseLogSetMismatch",
        class: Class::State,
        meaning: "database does not belong to these logs",
        cause: "wrong folder",
        next: "match by signature",
    },
    Entry {
        code: -540,
        symbol: "JET_errDatabaseStreamingFileMismatch",
        class: Class::State,
        meaning: "`.edb` and `.stm` do not pair",
        cause: "mixed",
        next: "correct pair",
    },
    Entry {
        code: -541,
        symbol: "JET_errLogFileSizeMismatch",
        class: Class::State,
        meaning: "length of a log file is not what its header says (checked when the header is read; a setting that differs gives -545)",
        cause: "truncated or mixed logs",
        next: "other copy of the log; own reader ignores settings",
    },
    Entry {
        code: -542,
        symbol: "JET_errCheckpointFileNotFound",
        class: Class::Information,
        meaning: "no checkpoint",
        cause: "removed",
        next: "normal for a restore",
    },
    Entry {
        code: -543,
        symbol: "JET_errRequiredLogFilesMissing",
        class: Class::State,
        meaning: "needed range incomplete (low side, high side, or time mismatch of highest)",
        cause: "logs deleted, quarantined, not restored",
        next: "`plan`: exact generations; archive, replica; older set; `salvage` last",
    },
    Entry {
        code: -544,
        symbol: "JET_errSoftRecoveryOnBackupDatabase",
        class: Class::State,
        meaning: "file comes from an online set",
        cause: "soft instead of hard recovery",
        next: "`restore` with the set's logs",
    },
    Entry {
        code: -545,
        symbol: "JET_errLogFileSizeMismatchDatabasesConsistent",
        class: Class::State,
        meaning: "recovered, but log size differs",
        cause: "",
        next: "new stream or setting",
    },
    Entry {
        code: -546,
        symbol: "JET_errLogSectorSizeMismatch",
        class: Class::State,
        meaning: "log written with another sector size than the volume's",
        cause: "disk replaced, driver change",
        next: "own reader; or same geometry",
    },
    Entry {
        code: -547,
        symbol: "JET_errLogSectorSizeMismatchDatabasesConsistent",
        class: Class::State,
        meaning: "recovered, sector size differs",
        cause: "",
        next: "move logs away after clean",
    },
    Entry {
        code: -548,
        symbol: "JET_errLogSequenceEndDatabasesConsistent",
        class: Class::State,
        meaning: "as -519 after good recovery",
        cause: "",
        next: "new stream after full",
    },
    Entry {
        code: -549,
        symbol: "JET_errStreamingDataNotLogged",
        class: Class::State,
        meaning: "streaming data was not logged (circular)",
        cause: "roll-forward with circular logging",
        next: "end of set only",
    },
    Entry {
        code: -550,
        symbol: "JET_errDatabaseDirtyShutdown",
        class: Class::State,
        meaning: "database was not stopped cleanly; logs not applied",
        cause: "crash, copied while running, snapshot",
        next: "`plan` then `replay`; never repair first",
    },
    Entry {
        code: -551,
        symbol: "JET_errConsistentTimeMismatch",
        class: Class::State,
        meaning: "database's last consistent position differs from what the stream says",
        cause: "older or newer copy put back",
        next: "choose matching set or start at its anchor",
    },
    Entry {
        code: -552,
        symbol: "JET_errDatabasePatchFileMismatch",
        class: Class::State,
        meaning: "trailer of another backup",
        cause: "mixed",
        next: "same set",
    },
    Entry {
        code: -553,
        symbol: "JET_errEndingRestoreLogTooLow",
        class: Class::State,
        meaning: "restored logs end too early",
        cause: "missing incremental/logs",
        next: "add logs up to gen high",
    },
    Entry {
        code: -554,
        symbol: "JET_errStartingRestoreLogTooHigh",
        class: Class::State,
        meaning: "restored logs begin too late",
        cause: "",
        next: "add lower logs",
    },
    Entry {
        code: -555,
        symbol: "JET_errGivenLogFileHasBadSignature",
        class: Class::State,
        meaning: "set log of other stream",
        cause: "mixed",
        next: "sort",
    },
    Entry {
        code: -556,
        symbol: "JET_errGivenLogFileIsNotContiguous",
        class: Class::State,
        meaning: "set logs do not link",
        cause: "mixed",
        next: "sort",
    },
    Entry {
        code: -557,
        symbol: "JET_errMissingRestoreLogFiles",
        class: Class::State,
        meaning: "hole in set logs",
        cause: "",
        next: "find",
    },
    Entry {
        code: -560,
        symbol: "JET_errMissingFullBackup",
        class: Class::State,
        meaning: "no previous full of the same kind recorded",
        cause: "defrag, repair, new stream, other kind",
        next: "full",
    },
    Entry {
        code: -561,
        symbol: "JET_errBadBackupDatabaseSize",
        class: Class::Damage,
        meaning: "set file length not page multiple",
        cause: "cut copy",
        next: "recopy",
    },
    Entry {
        code: -562,
        symbol: "JET_errDatabaseAlreadyUpgraded",
        class: Class::Information,
        meaning: "nothing to upgrade",
        cause: "",
        next: "",
    },
    Entry {
        code: -563,
        symbol: "JET_errDatabaseIncompleteUpgrade",
        class: Class::Fatal,
        meaning: "half converted",
        cause: "interrupted upgrade",
        next: "restore",
    },
    Entry {
        code: -565,
        symbol: "JET_errMissingCurrentLogFiles",
        class: Class::State,
        meaning: "hole in production logs",
        cause: "",
        next: "find",
    },
    Entry {
        code: -566,
        symbol: "JET_errDbTimeTooOld",
        class: Class::Damage,
        meaning: "page older than the record expects: an earlier change never reached the page",
        cause: "lost write, skipped log",
        next: "page restore; earlier start",
    },
    Entry {
        code: -567,
        symbol: "JET_errDbTimeTooNew",
        class: Class::Damage,
        meaning: "page already beyond the expected state but not from this record",
        cause: "mixed files, other branch",
        next: "other base",
    },
    Entry {
        code: -569,
        symbol: "JET_errMissingFileToBackup",
        class: Class::State,
        meaning: "a needed log is gone",
        cause: "deleted by hand",
        next: "full",
    },
    Entry {
        code: -570,
        symbol: "JET_errLogTornWriteDuringHardRestore",
        class: Class::Damage,
        meaning: "torn log inside set",
        cause: "medium",
        next: "other copy",
    },
    Entry {
        code: -571,
        symbol: "JET_errLogTornWriteDuringHardRecovery",
        class: Class::Damage,
        meaning: "torn log after the set",
        cause: "crash",
        next: "stop before",
    },
    Entry {
        code: -573,
        symbol: "JET_errLogCorruptDuringHardRestore",
        class: Class::Damage,
        meaning: "corrupt log inside set",
        cause: "medium",
        next: "other copy",
    },
    Entry {
        code: -574,
        symbol: "JET_errLogCorruptDuringHardRecovery",
        class: Class::Damage,
        meaning: "corrupt log after the set",
        cause: "disk",
        next: "stop before",
    },
    Entry {
        code: -577,
        symbol: "JET_errBadRestoreTargetInstance",
        class: Class::State,
        meaning: "target not found or logs mismatch",
        cause: "",
        next: "choose",
    },
    Entry {
        code: -579,
        symbol: "JET_errRecoveredWithoutUndo",
        class: Class::Information,
        meaning: "redo done, undo skipped on request",
        cause: "standby",
        next: "more logs or finish",
    },
    Entry {
        code: -580,
        symbol: "JET_errDatabasesNotFromSameSnapshot",
        class: Class::State,
        meaning: "mixed shadow sets",
        cause: "",
        next: "one set",
    },
    Entry {
        code: -581,
        symbol: "JET_errSoftRecoveryOnSnapshot",
        class: Class::State,
        meaning: "wrong recovery kind for shadow set",
        cause: "",
        next: "restore path",
    },
    Entry {
        code: -582,
        symbol: "JET_errCommittedLogFilesMissing",
        class: Class::State,
        meaning: "newest committed logs absent, file could be made clean with loss",
        cause: "failover, deleted tail",
        next: "find; else consent",
    },
    Entry {
        code: -583,
        symbol: "JET_errSectorSizeNotSupported",
        class: Class::State,
        meaning: "device sector size unsupported",
        cause: "",
        next: "other device",
    },
    Entry {
        code: -584,
        symbol: "JET_errRecoveredWithoutUndoDatabasesConsistent",
        class: Class::Information,
        meaning: "as above and nothing to undo",
        cause: "clean end in logs",
        next: "usable",
    },
    Entry {
        code: -586,
        symbol: "JET_errCommittedLogFileCorrupt",
        class: Class::State,
        meaning: "a committed log is corrupt",
        cause: "",
        next: "other copy; else consent",
    },
    Entry {
        code: -590,
        symbol: "JET_errLogSequenceChecksumMismatch",
        class: Class::State,
        meaning: "running checksum over previous log differs",
        cause: "altered or other-branch log",
        next: "other copy of the previous log",
    },
    Entry {
        code: -596,
        symbol: "JET_errPageInitializedMismatch",
        class: Class::Damage,
        meaning: "page initialised on one side only",
        cause: "divergence of copies",
        next: "resync",
    },
    Entry {
        code: -612,
        symbol: "JET_errLogReadVerifyFailure",
        class: Class::Damage,
        meaning: "log failed verification while read for backup",
        cause: "disk",
        next: "copy from replica; full backup",
    },
    Entry {
        code: -614,
        symbol: "JET_errCheckpointDepthTooDeep",
        class: Class::State,
        meaning: "too many logs between checkpoint and tip",
        cause: "stuck backup or huge transaction",
        next: "end the session",
    },
    Entry {
        code: -615,
        symbol: "JET_errRestoreOfNonBackupDatabase",
        class: Class::State,
        meaning: "plain file given to hard recovery",
        cause: "",
        next: "`replay`",
    },
    Entry {
        code: -616,
        symbol: "JET_errLogFileNotCopied",
        class: Class::State,
        meaning: "truncation asked before all logs were read",
        cause: "backup program error",
        next: "nothing deleted; rerun",
    },
    Entry {
        code: -617,
        symbol: "JET_errSurrogateBackupInProgress",
        class: Class::State,
        meaning: "replica backup runs",
        cause: "",
        next: "wait",
    },
    Entry {
        code: -618,
        symbol: "JET_errTransactionTooLong",
        class: Class::State,
        meaning: "one transaction spans too many logs",
        cause: "application",
        next: "application",
    },
    Entry {
        code: -625,
        symbol: "JET_errDbTimeBeyondMaxRequired",
        class: Class::Damage,
        meaning: "page newer than allowed for this range",
        cause: "mixed files",
        next: "other base",
    },
    Entry {
        code: -626,
        symbol: "JET_errLogOperationInconsistentWithDatabase",
        class: Class::Damage,
        meaning: "record contradicts the database",
        cause: "mixed files, lost write",
        next: "other base; page report",
    },
    Entry {
        code: -801,
        symbol: "JET_errBackupAbortByServer",
        class: Class::State,
        meaning: "server stopped the backup",
        cause: "shutdown",
        next: "rerun",
    },
    Entry { code: -1000, symbol: "JET_errTermInProgress", class: Class::State, meaning: "stopping", cause: "", next: "wait" },
    Entry {
        code: -1008,
        symbol: "JET_errDatabaseFileReadOnly",
        class: Class::Usage,
        meaning: "file is read-only",
        cause: "",
        next: "copy",
    },
    Entry {
        code: -1012,
        symbol: "JET_errOutOfDatabaseSpace",
        class: Class::Resource,
        meaning: "maximum size reached",
        cause: "",
        next: "compact, split",
    },
    Entry { code: -1017, symbol: "JET_errRecordDeleted", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1018,
        symbol: "JET_errReadVerifyFailure",
        class: Class::Damage,
        meaning: "page checksum wrong",
        cause: "disk, controller, memory, cut copy",
        next: "`verify`; page restore; older set",
    },
    Entry {
        code: -1019,
        symbol: "JET_errPageNotInitialized",
        class: Class::Damage,
        meaning: "blank page where data is needed",
        cause: "lost write, sparse hole",
        next: "page restore",
    },
    Entry { code: -1020, symbol: "JET_errOutOfFileHandles", class: Class::Resource, meaning: "", cause: "", next: "" },
    Entry {
        code: -1021,
        symbol: "JET_errDiskReadVerificationFailure",
        class: Class::Damage,
        meaning: "device reported CRC error",
        cause: "disk",
        next: "replace disk, page restore",
    },
    Entry {
        code: -1028,
        symbol: "JET_errInvalidDatabase",
        class: Class::Usage,
        meaning: "not a database",
        cause: "",
        next: "`inspect`",
    },
    Entry {
        code: -1032,
        symbol: "JET_errFileAccessDenied",
        class: Class::State,
        meaning: "locked or no right",
        cause: "running engine, antivirus",
        next: "snapshot; exclusions",
    },
    Entry { code: -1044, symbol: "JET_errInvalidFilename", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1076,
        symbol: "JET_errOutOfAutoincrementValues",
        class: Class::Fatal,
        meaning: "compact does not help",
        cause: "",
        next: "application",
    },
    Entry { code: -1086, symbol: "JET_errInstanceNameInUse", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry { code: -1087, symbol: "JET_errSystemParameterConflict", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1090,
        symbol: "JET_errInstanceUnavailable",
        class: Class::Fatal,
        meaning: "instance hit a fatal error",
        cause: "look earlier",
        next: "",
    },
    Entry {
        code: -1091,
        symbol: "JET_errDatabaseUnavailable",
        class: Class::Fatal,
        meaning: "database hit a fatal error",
        cause: "",
        next: "",
    },
    Entry {
        code: -1092,
        symbol: "JET_errInstanceUnavailableDueToFatalLogDiskFull",
        class: Class::Fatal,
        meaning: "log full during rollback",
        cause: "",
        next: "free space, restart",
    },
    Entry { code: -1110, symbol: "JET_errTransReadOnly", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1116,
        symbol: "JET_errDirtyShutdown",
        class: Class::Information,
        meaning: "stopped dirty on request",
        cause: "",
        next: "",
    },
    Entry {
        code: -1118,
        symbol: "JET_errReadPgnoVerifyFailure",
        class: Class::Damage,
        meaning: "page carries another number",
        cause: "misdirected write",
        next: "page restore",
    },
    Entry {
        code: -1119,
        symbol: "JET_errReadLostFlushVerifyFailure",
        class: Class::Damage,
        meaning: "page is an older version than the flush map knows",
        cause: "lost write",
        next: "page restore",
    },
    Entry {
        code: -1121,
        symbol: "JET_errFileSystemCorruption",
        class: Class::Fatal,
        meaning: "file system damaged",
        cause: "",
        next: "repair volume, copy off",
    },
    Entry {
        code: -1123,
        symbol: "JET_errRecoveryVerifyFailure",
        class: Class::Damage,
        meaning: "pages seen in recovery do not fit",
        cause: "divergence",
        next: "other base",
    },
    Entry {
        code: -1201,
        symbol: "JET_errDatabaseDuplicate",
        class: Class::Usage,
        meaning: "exists already",
        cause: "",
        next: "",
    },
    Entry { code: -1202, symbol: "JET_errDatabaseInUse", class: Class::State, meaning: "in use", cause: "", next: "" },
    Entry {
        code: -1203,
        symbol: "JET_errDatabaseNotFound",
        class: Class::Usage,
        meaning: "not found / not attached",
        cause: "",
        next: "",
    },
    Entry { code: -1204, symbol: "JET_errDatabaseInvalidName", class: Class::Usage, meaning: "name", cause: "", next: "" },
    Entry {
        code: -1205,
        symbol: "JET_errDatabaseInvalidPages",
        class: Class::Usage,
        meaning: "page count invalid",
        cause: "",
        next: "",
    },
    Entry {
        code: -1206,
        symbol: "JET_errDatabaseCorrupted",
        class: Class::Fatal,
        meaning: "header or core structure bad / not a database",
        cause: "wrong file, damage",
        next: "shadow header, other set",
    },
    Entry {
        code: -1207,
        symbol: "JET_errDatabaseLocked",
        class: Class::State,
        meaning: "exclusive elsewhere",
        cause: "",
        next: "",
    },
    Entry {
        code: -1209,
        symbol: "JET_errInvalidDatabaseVersion",
        class: Class::State,
        meaning: "engine cannot read this version",
        cause: "other OS version",
        next: "own reader",
    },
    Entry {
        code: -1213,
        symbol: "JET_errPageSizeMismatch",
        class: Class::State,
        meaning: "page size differs from engine setting",
        cause: "",
        next: "detect",
    },
    Entry {
        code: -1215,
        symbol: "JET_errDatabaseSharingViolation",
        class: Class::State,
        meaning: "other instance has it",
        cause: "",
        next: "",
    },
    Entry {
        code: -1216,
        symbol: "JET_errAttachedDatabaseMismatch",
        class: Class::State,
        meaning: "a database attached in the logs is missing or different at start/end of recovery",
        cause: "one file of the group removed, moved, replaced",
        next: "`plan` names it; bring it, map it, or exclude it by name",
    },
    Entry {
        code: -1217,
        symbol: "JET_errDatabaseInvalidPath",
        class: Class::Usage,
        meaning: "path illegal",
        cause: "",
        next: "",
    },
    Entry { code: -1218, symbol: "JET_errDatabaseIdInUse", class: Class::State, meaning: "id clash", cause: "", next: "" },
    Entry { code: -1219, symbol: "JET_errForceDetachNotAllowed", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1220,
        symbol: "JET_errCatalogCorrupted",
        class: Class::Damage,
        meaning: "catalog damaged",
        cause: "",
        next: "shadow catalog, restore",
    },
    Entry {
        code: -1221,
        symbol: "JET_errPartiallyAttachedDB",
        class: Class::State,
        meaning: "attach incomplete",
        cause: "",
        next: "retry",
    },
    Entry {
        code: -1222,
        symbol: "JET_errDatabaseSignInUse",
        class: Class::State,
        meaning: "same signature already attached",
        cause: "copied file beside original",
        next: "use one",
    },
    Entry {
        code: -1224,
        symbol: "JET_errDatabaseCorruptedNoRepair",
        class: Class::State,
        meaning: "damaged, lossy repair not permitted for this database",
        cause: "directory",
        next: "restore",
    },
    Entry {
        code: -1225,
        symbol: "JET_errInvalidCreateDbVersion",
        class: Class::State,
        meaning: "logged create of an incompatible version",
        cause: "",
        next: "newer engine",
    },
    Entry {
        code: -1226,
        symbol: "JET_errDatabaseIncompleteIncrementalReseed",
        class: Class::State,
        meaning: "page patching unfinished",
        cause: "interrupted resync",
        next: "finish or reseed",
    },
    Entry {
        code: -1227,
        symbol: "JET_errDatabaseInvalidIncrementalReseed",
        class: Class::Usage,
        meaning: "wrong state to begin",
        cause: "clean file given",
        next: "replay/resync differently",
    },
    Entry {
        code: -1228,
        symbol: "JET_errDatabaseFailedIncrementalReseed",
        class: Class::Fatal,
        meaning: "cannot complete",
        cause: "logs/headers do not fit",
        next: "full reseed",
    },
    Entry {
        code: -1229,
        symbol: "JET_errNoAttachmentsFailedIncrementalReseed",
        class: Class::Fatal,
        meaning: "no usable attach info in the lowest log",
        cause: "",
        next: "lower logs or reseed",
    },
    Entry {
        code: -1230,
        symbol: "JET_errDatabaseNotReady",
        class: Class::State,
        meaning: "recovery not far enough",
        cause: "",
        next: "wait",
    },
    Entry {
        code: -1231,
        symbol: "JET_errDatabaseAttachedForRecovery",
        class: Class::State,
        meaning: "only attached for replay",
        cause: "replica",
        next: "seeding path",
    },
    Entry {
        code: -1232,
        symbol: "JET_errTransactionsNotReadyDuringRecovery",
        class: Class::State,
        meaning: "too early for reads",
        cause: "",
        next: "wait",
    },
    Entry { code: -1316, symbol: "JET_errInvalidObject", class: Class::Damage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1329,
        symbol: "JET_errClientRequestToStopJetService",
        class: Class::State,
        meaning: "stop requested",
        cause: "",
        next: "",
    },
    Entry {
        code: -1401,
        symbol: "JET_errIndexCantBuild",
        class: Class::Damage,
        meaning: "index build failed",
        cause: "",
        next: "compact",
    },
    Entry { code: -1411, symbol: "JET_errMultiValuedIndexViolation", class: Class::Damage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1412,
        symbol: "JET_errIndexBuildCorrupted",
        class: Class::Damage,
        meaning: "built index does not reflect rows",
        cause: "",
        next: "",
    },
    Entry {
        code: -1413,
        symbol: "JET_errPrimaryIndexCorrupted",
        class: Class::Damage,
        meaning: "primary order wrong or sort version",
        cause: "other OS version",
        next: "compact; own reader for reading",
    },
    Entry {
        code: -1414,
        symbol: "JET_errSecondaryIndexCorrupted",
        class: Class::Damage,
        meaning: "secondary index wrong, often sort version",
        cause: "file moved between OS versions",
        next: "reading is safe without index; compact",
    },
    Entry {
        code: -1502,
        symbol: "JET_errColumnNoChunk",
        class: Class::Damage,
        meaning: "missing chunk of a long value",
        cause: "damage",
        next: "salvage",
    },
    Entry {
        code: -1526,
        symbol: "JET_errLVCorrupted",
        class: Class::Damage,
        meaning: "long-value tree wrong",
        cause: "damage",
        next: "salvage",
    },
    Entry { code: -1529, symbol: "JET_errDerivedColumnCorruption", class: Class::Damage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1540,
        symbol: "JET_errColumnNoEncryptionKey",
        class: Class::State,
        meaning: "key needed",
        cause: "",
        next: "key",
    },
    Entry { code: -1601, symbol: "JET_errRecordNotFound", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry { code: -1603, symbol: "JET_errNoCurrentRecord", class: Class::Usage, meaning: "", cause: "", next: "" },
    Entry {
        code: -1620,
        symbol: "JET_errDecompressionFailed",
        class: Class::Damage,
        meaning: "value cannot be decompressed",
        cause: "damage",
        next: "salvage",
    },
    Entry {
        code: -1803,
        symbol: "JET_errTempFileOpenError",
        class: Class::Resource,
        meaning: "temp file",
        cause: "",
        next: "space, path",
    },
    Entry {
        code: -1808,
        symbol: "JET_errDiskFull",
        class: Class::Resource,
        meaning: "volume full",
        cause: "",
        next: "free space",
    },
    Entry {
        code: -1811,
        symbol: "JET_errFileNotFound",
        class: Class::State,
        meaning: "file missing; at start often the checkpoint's log",
        cause: "deleted or quarantined log, locked checkpoint",
        next: "`plan` without checkpoint",
    },
    Entry {
        code: -1812,
        symbol: "JET_errFileInvalidType",
        class: Class::Usage,
        meaning: "wrong file type",
        cause: "",
        next: "`inspect`",
    },
    Entry {
        code: -1814,
        symbol: "JET_errFileAlreadyExists",
        class: Class::Usage,
        meaning: "target exists",
        cause: "",
        next: "other name",
    },
    Entry {
        code: -1850,
        symbol: "JET_errAfterInitialization",
        class: Class::Usage,
        meaning: "restore called after start",
        cause: "",
        next: "",
    },
    Entry {
        code: -1852,
        symbol: "JET_errLogCorrupted",
        class: Class::Damage,
        meaning: "logs cannot be interpreted",
        cause: "",
        next: "as -501",
    },
    Entry { code: -1909, symbol: "JET_errTooManySplits", class: Class::Damage, meaning: "endless split", cause: "", next: "" },
    Entry {
        code: -1917,
        symbol: "JET_errRollbackError",
        class: Class::Damage,
        meaning: "undo failed",
        cause: "damaged page",
        next: "page restore, rerun",
    },
    Entry {
        code: -1931,
        symbol: "JET_errRBSRCBadDbState",
        class: Class::State,
        meaning: "state not allowed",
        cause: "",
        next: "",
    },
    Entry {
        code: -1935,
        symbol: "JET_errDatabaseIncompleteRevert",
        class: Class::State,
        meaning: "revert unfinished",
        cause: "",
        next: "finish or restore",
    },
    Entry {
        code: -2401,
        symbol: "JET_errOSSnapshotInvalidSequence",
        class: Class::Usage,
        meaning: "wrong order of calls",
        cause: "",
        next: "rerun",
    },
    Entry {
        code: -2402,
        symbol: "JET_errOSSnapshotTimeOut",
        class: Class::State,
        meaning: "freeze lasted too long; thawed",
        cause: "slow storage",
        next: "image not stamped; retry",
    },
    Entry {
        code: -2403,
        symbol: "JET_errOSSnapshotNotAllowed",
        class: Class::State,
        meaning: "backup or recovery running",
        cause: "",
        next: "wait",
    },
    Entry {
        code: -2404,
        symbol: "JET_errOSSnapshotInvalidSnapId",
        class: Class::Usage,
        meaning: "unknown session",
        cause: "",
        next: "",
    },
    Entry {
        code: -4000,
        symbol: "JET_errFileIOSparse",
        class: Class::Damage,
        meaning: "read of a hole",
        cause: "sparse copy",
        next: "recopy",
    },
    Entry {
        code: -4001,
        symbol: "JET_errFileIOBeyondEOF",
        class: Class::Damage,
        meaning: "read past end",
        cause: "cut file",
        next: "recopy",
    },
    Entry {
        code: -4005,
        symbol: "JET_errFileCompressed",
        class: Class::Usage,
        meaning: "compressed file not supported",
        cause: "volume compression",
        next: "decompress",
    },
];
