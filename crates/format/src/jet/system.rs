//! Codes of files, memory, settings and the system around.

use super::{Class, Entry, JetCode};

codes! {
    SYSTEM:
    WARN_DATABASE_SCAN_NOT_RUNNING = 2003, "JET_wrnDatabaseScanNotRunning", Information,
        "The checksum scan is not running.",
        "",
        "Nothing.";
    WARN_DATABASE_SCAN_ALREADY_RUNNING = 2002, "JET_wrnDatabaseScanAlreadyRunning", Information,
        "The checksum scan is running already.",
        "",
        "Nothing.";
    WARN_DEFRAG_NOT_RUNNING = 2001, "JET_wrnDefragNotRunning", Information,
        "Online defragmentation is not running.",
        "",
        "Nothing.";
    WARN_DEFRAG_ALREADY_RUNNING = 2000, "JET_wrnDefragAlreadyRunning", Information,
        "Online defragmentation is running already.",
        "",
        "Nothing.";
    WARN_REMAINING_VERSIONS = 321, "JET_wrnRemainingVersions", Information,
        "Old versions of records are still to be cleaned up.",
        "",
        "Nothing.";
    SUCCESS = 0, "JET_errSuccess", Information,
        "Done.",
        "",
        "Look at the findings all the same: success of a start says nothing of each database.";
    WARN_NYI = -1, "JET_wrnNyi", Usage,
        "Not implemented; as the result of Microsoft's utility: wrong usage.",
        "",
        "Check the command line.";
    TOO_MANY_IO = -105, "JET_errTooManyIO", Resource,
        "Too many requests are waiting for the disk.",
        "",
        "Try again later.";
    INTERNAL_ERROR = -107, "JET_errInternalError", Fatal,
        "The engine broke one of its own rules.",
        "",
        "Look for more details around it, and start from another copy of the files.";
    UNLOADABLE_OS_FUNCTIONALITY = -113, "JET_errUnloadableOSFunctionality", Resource,
        "The operating system lacks something that is needed.",
        "",
        "Check the system.";
    DEVICE_MISSING = -114, "JET_errDeviceMissing", Resource,
        "A device that is needed is not there.",
        "",
        "Check the device.";
    DEVICE_FAILURE = -118, "JET_errDeviceFailure", Resource,
        "A device failed.",
        "",
        "Check the device.";
    NT_SYSTEM_CALL_FAILED = -334, "JET_errNTSystemCallFailed", Resource,
        "A call to the operating system failed.",
        "",
        "Look for the system's own message.";
    SECTOR_SIZE_NOT_SUPPORTED = -583, "JET_errSectorSizeNotSupported", State,
        "The disk has a sector size that is not supported.",
        "",
        "Use another disk.";
    INVALID_GRBIT = -900, "JET_errInvalidGrbit", Usage,
        "An option is not possible here.",
        "",
        "Check the options.";
    FEATURE_NOT_AVAILABLE = -1001, "JET_errFeatureNotAvailable", Usage,
        "This is not available.",
        "",
        "Check the version.";
    INVALID_NAME = -1002, "JET_errInvalidName", Usage,
        "The name is not possible.",
        "",
        "Give another name.";
    INVALID_PARAMETER = -1003, "JET_errInvalidParameter", Usage,
        "An argument is not possible, or contradicts another one.",
        "",
        "Check the options.";
    OUT_OF_MEMORY = -1011, "JET_errOutOfMemory", Resource,
        "Memory ran out.",
        "",
        "Free some memory, or set a smaller cache.";
    OUT_OF_CURSORS = -1013, "JET_errOutOfCursors", Resource,
        "Too many tables are open.",
        "",
        "Raise the limit in the application.";
    OUT_OF_BUFFERS = -1014, "JET_errOutOfBuffers", Resource,
        "No page buffer is free.",
        "",
        "Raise the size of the cache.";
    OUT_OF_FILE_HANDLES = -1020, "JET_errOutOfFileHandles", Resource,
        "Too many files are open.",
        "",
        "Raise the limit.";
    INVALID_PATH = -1023, "JET_errInvalidPath", Usage,
        "A path is not possible.",
        "",
        "Check the path.";
    INVALID_SYSTEM_PATH = -1024, "JET_errInvalidSystemPath", Usage,
        "The path of the checkpoint is not possible.",
        "",
        "Check the path.";
    INVALID_LOG_DIRECTORY = -1025, "JET_errInvalidLogDirectory", Usage,
        "The path of the logs is not possible.",
        "",
        "Check the path.";
    FILE_ACCESS_DENIED = -1032, "JET_errFileAccessDenied", State,
        "The file is locked, or rights are missing.",
        "The engine is running, or a virus scanner holds the file.",
        "Stop the service or work on a snapshot; exclude the folder from virus scans.";
    INVALID_FILENAME = -1044, "JET_errInvalidFilename", Usage,
        "The file name is not possible.",
        "",
        "Give another name.";
    VERSION_STORE_OUT_OF_MEMORY_AND_CLEANUP_TIMED_OUT = -1066, "JET_errVersionStoreOutOfMemoryAndCleanupTimedOut", Resource,
        "The memory for open transactions is full and could not be cleaned in time.",
        "A transaction that is open for too long.",
        "It is not damage: look at the application.";
    VERSION_STORE_OUT_OF_MEMORY = -1069, "JET_errVersionStoreOutOfMemory", Resource,
        "The memory for open transactions is full.",
        "A transaction that is open for too long.",
        "It is not damage: look at the application.";
    INVALID_SETTINGS = -1328, "JET_errInvalidSettings", Usage,
        "Sizes that are set do not go together.",
        "",
        "Check the settings.";
    TEMP_FILE_OPEN_ERROR = -1803, "JET_errTempFileOpenError", Resource,
        "The temporary database could not be opened.",
        "",
        "Check the path and the free space.";
    DISK_FULL = -1808, "JET_errDiskFull", Resource,
        "The disk is full.",
        "",
        "Free some space.";
    PERMISSION_DENIED = -1809, "JET_errPermissionDenied", Resource,
        "Rights are missing.",
        "",
        "Check the rights.";
    FILE_NOT_FOUND = -1811, "JET_errFileNotFound", State,
        "A file is missing. At a start it is rarely the database: most often it is the log that the checkpoint names.",
        "A log was deleted or put in quarantine, or the checkpoint is older than the logs.",
        "Run `anchorlog inspect` on the folder: it names what is missing.";
    FILE_INVALID_TYPE = -1812, "JET_errFileInvalidType", Usage,
        "The file is of another type than expected.",
        "",
        "Run `anchorlog inspect` on it.";
    FILE_ALREADY_EXISTS = -1814, "JET_errFileAlreadyExists", Usage,
        "The target exists already.",
        "",
        "Give another name.";
    ACCESS_DENIED = -1907, "JET_errAccessDenied", Resource,
        "Rights are missing, or the file is locked.",
        "The engine is running, or a virus scanner holds the file.",
        "Check the rights; stop the service or work on a snapshot.";
    DATABASE_ALREADY_RUNNING_MAINTENANCE = -2004, "JET_errDatabaseAlreadyRunningMaintenance", State,
        "Maintenance of the database is running already.",
        "",
        "Wait.";
    CALLBACK_FAILED = -2101, "JET_errCallbackFailed", State,
        "Code of the application failed.",
        "",
        "Run it where the application is.";
    CALLBACK_NOT_RESOLVED = -2102, "JET_errCallbackNotResolved", State,
        "Code of the application was not found.",
        "",
        "Run it where the application is.";
}
