//! Codes of the database file: pages, trees, catalog, values; of attaching it and of the instance.

use super::{Class, Entry, JetCode};

codes! {
    DATABASE:
    WARN_FILE_OPEN_READ_ONLY = 1813, "JET_wrnFileOpenReadOnly", Information,
        "The file was opened for reading only.",
        "",
        "Nothing.";
    WARN_SECONDARY_INDEX_OUT_OF_DATE = 1418, "JET_wrnSecondaryIndexOutOfDate", Information,
        "An index was sorted by older rules of the system.",
        "",
        "Nothing: it is made again.";
    WARN_PRIMARY_INDEX_OUT_OF_DATE = 1417, "JET_wrnPrimaryIndexOutOfDate", Information,
        "A table was sorted by older rules of the system.",
        "",
        "Compact the database on its own system.";
    WARN_CORRUPT_INDEX_DELETED = 1415, "JET_wrnCorruptIndexDeleted", Information,
        "Indexes made by other sort rules were deleted.",
        "",
        "Nothing: the application makes them again.";
    WARN_SHRINK_NOT_POSSIBLE = 1122, "JET_wrnShrinkNotPossible", Information,
        "The database cannot be shrunk.",
        "",
        "Nothing.";
    WARN_DATABASE_ATTACHED = 1007, "JET_wrnDatabaseAttached", Information,
        "The database is attached already.",
        "",
        "Nothing.";
    BAD_PAGE_LINK = -327, "JET_errBadPageLink", Damage,
        "A page's link to its neighbour is wrong.",
        "Damage.",
        "Run `anchorlog verify` for all such pages; restore a backup, or start from another copy.";
    BAD_BOOKMARK = -328, "JET_errBadBookmark", Damage,
        "A bookmark points to no record.",
        "",
        "Run `anchorlog verify`.";
    BAD_PARENT_PAGE_LINK = -338, "JET_errBadParentPageLink", Damage,
        "A page does not belong to the tree that points to it.",
        "Damage.",
        "Run `anchorlog verify`; restore a backup, or start from another copy.";
    SP_AVAIL_EXT_CACHE_OUT_OF_SYNC = -340, "JET_errSPAvailExtCacheOutOfSync", Damage,
        "The record of free pages does not agree with itself.",
        "Damage.",
        "Run `anchorlog verify`; rows can still be read with `anchorlog dump`.";
    SP_AVAIL_EXT_CORRUPTED = -341, "JET_errSPAvailExtCorrupted", Damage,
        "The tree of free pages is damaged.",
        "Damage.",
        "Run `anchorlog verify`; rows can still be read with `anchorlog dump`.";
    SP_AVAIL_EXT_CACHE_OUT_OF_MEMORY = -342, "JET_errSPAvailExtCacheOutOfMemory", Resource,
        "Memory ran out while free pages were counted.",
        "",
        "Free some memory.";
    SP_OWN_EXT_CORRUPTED = -343, "JET_errSPOwnExtCorrupted", Damage,
        "The tree of owned pages is damaged.",
        "Damage.",
        "Run `anchorlog verify`; rows can still be read with `anchorlog dump`.";
    DB_TIME_CORRUPTED = -344, "JET_errDbTimeCorrupted", Damage,
        "A page is newer than the whole database.",
        "Files of different moments are mixed.",
        "Start from another copy.";
    KEY_TRUNCATED = -346, "JET_errKeyTruncated", Information,
        "A key is longer than can be stored and was cut.",
        "",
        "Nothing.";
    DATABASE_LEAK_IN_SPACE = -348, "JET_errDatabaseLeakInSpace", Information,
        "Pages are neither used nor free: they are lost to the file until it is compacted.",
        "A crash long ago. Microsoft's own clean files have such pages.",
        "Nothing: no data is concerned.";
    BAD_EMPTY_PAGE = -351, "JET_errBadEmptyPage", Damage,
        "A page is empty where it must not be.",
        "",
        "Run `anchorlog verify`; restore a backup.";
    BAD_LINE_COUNT = -354, "JET_errBadLineCount", Damage,
        "A page holds fewer entries than it must.",
        "",
        "Run `anchorlog verify`; restore a backup.";
    PAGE_TAG_CORRUPTED = -357, "JET_errPageTagCorrupted", Damage,
        "The directory of a page is wrong.",
        "",
        "Run `anchorlog verify`; restore the page from another copy.";
    NODE_CORRUPTED = -358, "JET_errNodeCorrupted", Damage,
        "The sizes inside a page's entry are wrong.",
        "",
        "Run `anchorlog verify`; restore the page from another copy.";
    COMPRESSION_INTEGRITY_CHECK_FAILED = -431, "JET_errCompressionIntegrityCheckFailed", Damage,
        "Compressed data does not come out as it went in.",
        "",
        "Run `anchorlog verify`; the other values can still be read with `anchorlog dump`.";
    TERM_IN_PROGRESS = -1000, "JET_errTermInProgress", State,
        "The instance is stopping.",
        "",
        "Wait.";
    DATABASE_FILE_READ_ONLY = -1008, "JET_errDatabaseFileReadOnly", Usage,
        "The database file is read-only.",
        "",
        "Work on a copy; `anchorlog recover` never writes to its source.";
    OUT_OF_DATABASE_SPACE = -1012, "JET_errOutOfDatabaseSpace", Resource,
        "The database has its greatest possible size.",
        "",
        "Compact or split it.";
    RECORD_DELETED = -1017, "JET_errRecordDeleted", Usage,
        "The record was deleted.",
        "",
        "Nothing: it says nothing of the file.";
    READ_VERIFY_FAILURE = -1018, "JET_errReadVerifyFailure", Damage,
        "The checksum of a page, or of a header, is wrong: it is not what was written.",
        "A failing disk, controller or memory, or a copy that was cut off.",
        "Run `anchorlog verify` for all such pages; check the disk. Recover from another copy of the file, or restore a backup.";
    PAGE_NOT_INITIALIZED = -1019, "JET_errPageNotInitialized", Damage,
        "A page is blank where data must be.",
        "A lost write, or a hole in a sparse copy.",
        "Run `anchorlog verify`. Copy the file again, or restore a backup.";
    DISK_READ_VERIFICATION_FAILURE = -1021, "JET_errDiskReadVerificationFailure", Damage,
        "The disk itself reported that it read wrong data.",
        "The disk.",
        "Replace the disk; restore a backup.";
    DISK_IO = -1022, "JET_errDiskIO", Resource,
        "Reading or writing failed.",
        "The disk or the network.",
        "Try again; if it stays, replace the disk.";
    INVALID_DATABASE = -1028, "JET_errInvalidDatabase", Usage,
        "The file is not a database.",
        "",
        "Run `anchorlog inspect` on it.";
    NOT_INITIALIZED = -1029, "JET_errNotInitialized", Usage,
        "The instance is not started.",
        "",
        "Start it first.";
    ALREADY_INITIALIZED = -1030, "JET_errAlreadyInitialized", Usage,
        "The instance is started already.",
        "",
        "Nothing.";
    INIT_IN_PROGRESS = -1031, "JET_errInitInProgress", Usage,
        "The instance is starting.",
        "",
        "Wait.";
    OUT_OF_OBJECT_IDS = -1074, "JET_errOutOfObjectIDs", Fatal,
        "The numbers for tables and indexes are used up.",
        "A long life.",
        "Compact the database.";
    OUT_OF_LONG_VALUE_IDS = -1075, "JET_errOutOfLongValueIDs", Fatal,
        "The numbers for long values are used up.",
        "A long life.",
        "Compact the database.";
    OUT_OF_AUTOINCREMENT_VALUES = -1076, "JET_errOutOfAutoincrementValues", Fatal,
        "The numbers of a counting column are used up.",
        "",
        "Compacting does not help: the application must change.";
    OUT_OF_DBTIME_VALUES = -1077, "JET_errOutOfDbtimeValues", Fatal,
        "The counter of page changes is used up.",
        "A long life.",
        "Compact the database.";
    SYSTEM_PATH_IN_USE = -1083, "JET_errSystemPathInUse", State,
        "Another instance uses the folder of the checkpoint.",
        "",
        "Give each instance its own folder.";
    LOG_FILE_PATH_IN_USE = -1084, "JET_errLogFilePathInUse", State,
        "Another instance uses the folder of the logs.",
        "",
        "Give each instance its own folder.";
    TEMP_PATH_IN_USE = -1085, "JET_errTempPathInUse", State,
        "Another instance uses the temporary database.",
        "",
        "Give each instance its own folder.";
    INSTANCE_NAME_IN_USE = -1086, "JET_errInstanceNameInUse", Usage,
        "Another instance has this name.",
        "",
        "Give another name.";
    SYSTEM_PARAMETER_CONFLICT = -1087, "JET_errSystemParameterConflict", Usage,
        "Settings contradict each other.",
        "",
        "Check the settings.";
    INSTANCE_UNAVAILABLE = -1090, "JET_errInstanceUnavailable", Fatal,
        "The instance has met an error that it cannot go on from.",
        "An earlier error.",
        "Look for the first error.";
    DATABASE_UNAVAILABLE = -1091, "JET_errDatabaseUnavailable", Fatal,
        "The database has met an error that it cannot go on from.",
        "An earlier error.",
        "Look for the first error.";
    INSTANCE_UNAVAILABLE_DUE_TO_FATAL_LOG_DISK_FULL = -1092, "JET_errInstanceUnavailableDueToFatalLogDiskFull", Fatal,
        "The disk of the logs became full while a transaction was rolled back.",
        "No free space.",
        "Free some space and start again: recovery puts it right.";
    TRANS_READ_ONLY = -1110, "JET_errTransReadOnly", Usage,
        "The transaction may not write.",
        "",
        "Nothing: it says nothing of the file.";
    READ_PGNO_VERIFY_FAILURE = -1118, "JET_errReadPgnoVerifyFailure", Damage,
        "A page carries the number of another page.",
        "A write went to the wrong place.",
        "Run `anchorlog verify`; restore a backup, and check the disk.";
    READ_LOST_FLUSH_VERIFY_FAILURE = -1119, "JET_errReadLostFlushVerifyFailure", Damage,
        "A page is older than the flush map knows: a write never arrived.",
        "The disk or its cache lost a write.",
        "Check the disk. Recover from an older copy, or restore a backup.";
    FILE_SYSTEM_CORRUPTION = -1121, "JET_errFileSystemCorruption", Fatal,
        "The file system is damaged.",
        "",
        "Repair the volume, and copy the files off it first.";
    DATABASE_DUPLICATE = -1201, "JET_errDatabaseDuplicate", Usage,
        "The database exists already, or is attached twice.",
        "",
        "Give another name.";
    DATABASE_IN_USE = -1202, "JET_errDatabaseInUse", State,
        "The database is in use.",
        "",
        "Wait, or work on a snapshot.";
    DATABASE_NOT_FOUND = -1203, "JET_errDatabaseNotFound", Usage,
        "The database was not found, or is not attached.",
        "",
        "Check the name.";
    DATABASE_INVALID_NAME = -1204, "JET_errDatabaseInvalidName", Usage,
        "The name is not possible for a database.",
        "",
        "Give another name.";
    DATABASE_INVALID_PAGES = -1205, "JET_errDatabaseInvalidPages", Usage,
        "The number of pages is not possible.",
        "",
        "Run `anchorlog inspect` on the file.";
    DATABASE_CORRUPTED = -1206, "JET_errDatabaseCorrupted", Fatal,
        "The header or the inner structure of the database is wrong, or the file is not a database.",
        "The wrong file, or damage.",
        "Run `anchorlog inspect` and `anchorlog verify` on it. Take another copy, or restore a backup.";
    DATABASE_LOCKED = -1207, "JET_errDatabaseLocked", State,
        "Someone else holds the database exclusively.",
        "",
        "Wait, or work on a snapshot.";
    INVALID_DATABASE_VERSION = -1209, "JET_errInvalidDatabaseVersion", State,
        "The format of the database is one that this program does not know.",
        "A newer system wrote it.",
        "Run `anchorlog inspect` on it for the version. It can often still be read with `anchorlog dump`; recover it with a program that knows it.";
    DATABASE_200_FORMAT = -1210, "JET_errDatabase200Format", State,
        "The database has the format of Jet 200.",
        "It is very old.",
        "Upgrade it with the tool of its time.";
    DATABASE_400_FORMAT = -1211, "JET_errDatabase400Format", State,
        "The database has the format of Exchange 4.0 or of NT 4.",
        "It is very old.",
        "Upgrade it with the tool of its time.";
    DATABASE_500_FORMAT = -1212, "JET_errDatabase500Format", State,
        "The database has the format of Exchange 5.0.",
        "It is very old.",
        "Upgrade it with the tool of its time.";
    PAGE_SIZE_MISMATCH = -1213, "JET_errPageSizeMismatch", State,
        "The file's pages have another size than expected.",
        "The setting, or a file of another instance.",
        "anchorlog finds the page size itself. If it says this, the logs and the database do not belong together.";
    DATABASE_SHARING_VIOLATION = -1215, "JET_errDatabaseSharingViolation", State,
        "Another instance has the database.",
        "",
        "Stop it, or work on a snapshot.";
    ATTACHED_DATABASE_MISMATCH = -1216, "JET_errAttachedDatabaseMismatch", State,
        "A database that was in use when the logs end is missing, or is another file. This protects it: it is not damage.",
        "One file of the group was deleted, moved, renamed or replaced.",
        "`anchorlog recover --dry-run` names the database. Bring it, say where it is with `--map NAME=PATH`, or leave it out with `--ignore-missing-database`.";
    DATABASE_INVALID_PATH = -1217, "JET_errDatabaseInvalidPath", Usage,
        "The path is not possible.",
        "",
        "Give another path.";
    DATABASE_ID_IN_USE = -1218, "JET_errDatabaseIdInUse", State,
        "The database's number in the instance is taken.",
        "",
        "Look for an earlier error.";
    FORCE_DETACH_NOT_ALLOWED = -1219, "JET_errForceDetachNotAllowed", Usage,
        "The database cannot be detached by force.",
        "",
        "Detach it normally.";
    CATALOG_CORRUPTED = -1220, "JET_errCatalogCorrupted", Damage,
        "The catalog, which says what tables there are, is damaged.",
        "",
        "Run `anchorlog verify`: the second copy of the catalog may be whole. Otherwise restore a backup.";
    PARTIALLY_ATTACHED_DB = -1221, "JET_errPartiallyAttachedDB", State,
        "Attaching the database did not finish.",
        "",
        "Try again.";
    DATABASE_SIGN_IN_USE = -1222, "JET_errDatabaseSignInUse", State,
        "Two files are the same database.",
        "A database was copied beside, or over, another one.",
        "Keep one of them; `anchorlog inspect` on the folder shows both.";
    DATABASE_CORRUPTED_NO_REPAIR = -1224, "JET_errDatabaseCorruptedNoRepair", State,
        "The database is damaged, and repair with loss is not allowed for it.",
        "It is a directory.",
        "Restore a backup.";
    TABLE_DUPLICATE = -1303, "JET_errTableDuplicate", Usage,
        "A table of this name exists already. Met while reading, it is a sign of damage.",
        "",
        "Run `anchorlog verify`.";
    OBJECT_NOT_FOUND = -1305, "JET_errObjectNotFound", Usage,
        "A table or another object is not there.",
        "The name, or damage.",
        "Look at the names with `anchorlog dump --catalog`.";
    OBJECT_DUPLICATE = -1314, "JET_errObjectDuplicate", Usage,
        "An object of this name exists already. Met while reading, it is a sign of damage.",
        "",
        "Run `anchorlog verify`.";
    INVALID_OBJECT = -1316, "JET_errInvalidObject", Damage,
        "An object in the catalog cannot be what it says.",
        "",
        "Run `anchorlog verify`.";
    CLIENT_REQUEST_TO_STOP_JET_SERVICE = -1329, "JET_errClientRequestToStopJetService", State,
        "The application asked the engine to stop.",
        "",
        "Nothing.";
    INDEX_CANT_BUILD = -1401, "JET_errIndexCantBuild", Damage,
        "An index cannot be built.",
        "",
        "Run `anchorlog verify`; compact the database.";
    INDEX_NOT_FOUND = -1404, "JET_errIndexNotFound", Usage,
        "The index is not there.",
        "",
        "Look at the names with `anchorlog dump --catalog`.";
    MULTI_VALUED_INDEX_VIOLATION = -1411, "JET_errMultiValuedIndexViolation", Damage,
        "A value stands twice in an index that allows it once.",
        "",
        "Run `anchorlog verify`.";
    INDEX_BUILD_CORRUPTED = -1412, "JET_errIndexBuildCorrupted", Damage,
        "An index that was just built does not agree with its table.",
        "",
        "Run `anchorlog verify`.";
    PRIMARY_INDEX_CORRUPTED = -1413, "JET_errPrimaryIndexCorrupted", Damage,
        "The order of a table's rows is wrong, or was made by another version of the system's sort rules.",
        "The file was moved between versions of Windows.",
        "Reading with `anchorlog dump` is safe. Compact the database on its own system.";
    SECONDARY_INDEX_CORRUPTED = -1414, "JET_errSecondaryIndexCorrupted", Damage,
        "An index is out of order. Often it is not damage: the sort rules of the system have changed.",
        "The file was moved between versions of Windows.",
        "Reading with `anchorlog dump` is safe: it does not use the index. Compact the database on its own system.";
    COLUMN_NO_CHUNK = -1502, "JET_errColumnNoChunk", Damage,
        "A piece of a long value is missing.",
        "Damage.",
        "Run `anchorlog verify`; the other values can still be read with `anchorlog dump`.";
    LV_CORRUPTED = -1526, "JET_errLVCorrupted", Damage,
        "The tree of long values is wrong.",
        "Damage.",
        "Run `anchorlog verify`; the other values can still be read with `anchorlog dump`.";
    DERIVED_COLUMN_CORRUPTION = -1529, "JET_errDerivedColumnCorruption", Damage,
        "A column that comes from a template table is wrong.",
        "",
        "Run `anchorlog verify`.";
    COLUMN_NO_ENCRYPTION_KEY = -1540, "JET_errColumnNoEncryptionKey", State,
        "The value is encrypted, and no key was given.",
        "",
        "Give the application's key.";
    RECORD_NOT_FOUND = -1601, "JET_errRecordNotFound", Usage,
        "The record is not there.",
        "",
        "Nothing: it says nothing of the file.";
    NO_CURRENT_RECORD = -1603, "JET_errNoCurrentRecord", Usage,
        "There is no current record.",
        "",
        "Nothing: it says nothing of the file.";
    KEY_DUPLICATE = -1605, "JET_errKeyDuplicate", Usage,
        "The key exists already. Met while repairing, it is a sign of damage.",
        "",
        "Run `anchorlog verify`.";
    DECOMPRESSION_FAILED = -1620, "JET_errDecompressionFailed", Damage,
        "A compressed value cannot be decompressed.",
        "Damage.",
        "Run `anchorlog verify`; the other values can still be read with `anchorlog dump`.";
    DECRYPTION_FAILED = -1622, "JET_errDecryptionFailed", State,
        "A value cannot be decrypted.",
        "The key is missing or wrong.",
        "Give the application's key.";
    TOO_MANY_SPLITS = -1909, "JET_errTooManySplits", Damage,
        "A page is split again and again without end.",
        "Damage.",
        "Run `anchorlog verify`.";
    FILE_IO_SPARSE = -4000, "JET_errFileIOSparse", Damage,
        "A hole was read where data must be.",
        "A sparse copy.",
        "Copy the file again.";
    FILE_IO_BEYOND_EOF = -4001, "JET_errFileIOBeyondEOF", Damage,
        "The file ends before the place that was read. A log of length 0 gives this too.",
        "The file was cut off.",
        "Copy the file again.";
    FILE_COMPRESSED = -4005, "JET_errFileCompressed", Usage,
        "The file is compressed by the file system, which the engine does not support.",
        "The volume.",
        "Decompress it.";
}
