//! Codes of recovery, of logs and checkpoints, and of stops on request.

use super::{Class, Entry, JetCode};

codes! {
    RECOVERY:
    WARN_DATABASE_REPAIRED = 595, "JET_wrnDatabaseRepaired", Information,
        "Repair changed the database: data may be gone.",
        "",
        "Check what is missing, and make a full backup.";
    WARN_FINISH_WITH_UNDO = 588, "JET_wrnFinishWithUndo", Information,
        "Recovery ended with undo.",
        "",
        "Nothing.";
    WARN_COMMITTED_LOG_FILES_REMOVED = 587, "JET_wrnCommittedLogFilesRemoved", Information,
        "Recovered; damaged logs and those after them were removed, as was accepted.",
        "",
        "Note the loss, and make a full backup.";
    WARN_COMMITTED_LOG_FILES_LOST = 585, "JET_wrnCommittedLogFilesLost", Information,
        "Recovered; the newest transactions are lost, as was accepted.",
        "",
        "Note the loss, and make a full backup.";
    DATABASE_BUFFER_DEPENDENCIES_CORRUPTED = -255, "JET_errDatabaseBufferDependenciesCorrupted", Damage,
        "Pages reached the disk in an order that recovery cannot put right.",
        "",
        "Start from another copy of the database.";
    PREVIOUS_VERSION = -322, "JET_errPreviousVersion", Damage,
        "A version of the record exists already where none should.",
        "",
        "Start from another copy of the database.";
    INVALID_LOGGED_OPERATION = -500, "JET_errInvalidLoggedOperation", Damage,
        "A log record cannot be carried out on the page that it names.",
        "The log or the page is damaged, or they come from different histories.",
        "Run `anchorlog verify` on the database and the logs. Take another copy of the log, or start from another copy of the database.";
    LOG_FILE_CORRUPT = -501, "JET_errLogFileCorrupt", Damage,
        "A log file is damaged: a checksum or its structure is wrong.",
        "A failing disk, a copy made while the file was written, or a file that is no log.",
        "Run `anchorlog verify` on the log to see where. Get the same generation from an archive, a backup or a replica, and recover again.";
    MISSING_PREVIOUS_LOG_FILE = -509, "JET_errMissingPreviousLogFile", State,
        "The log file at which recovery should start is not there.",
        "Logs were deleted, or the checkpoint is older than the logs.",
        "Run `anchorlog inspect` on the folder: it names the generation. Bring that log, or recover without the checkpoint.";
    LOG_WRITE_FAIL = -510, "JET_errLogWriteFail", Fatal,
        "A log file could not be written, or did not end cleanly afterwards.",
        "Disk error, full disk, or missing rights.",
        "Mend the disk or free some space, then recover again. The database is intact up to the last record that reached the disk.";
    LOG_DISABLED_DUE_TO_RECOVERY_FAILURE = -511, "JET_errLogDisabledDueToRecoveryFailure", State,
        "Nothing more is logged, because recovery failed before.",
        "An earlier error.",
        "Look for the first error of the run: that one must be solved.";
    CANNOT_LOG_DURING_RECOVERY_REDO = -512, "JET_errCannotLogDuringRecoveryRedo", Usage,
        "Something tried to write to the log while it was still being replayed.",
        "A program that does things in the wrong order.",
        "Report it: files do not cause this.";
    LOG_GENERATION_MISMATCH = -513, "JET_errLogGenerationMismatch", State,
        "A log file's name and the generation inside it disagree.",
        "The file was renamed by hand.",
        "Run `anchorlog inspect` on the file and trust the generation inside, not the name.";
    BAD_LOG_VERSION = -514, "JET_errBadLogVersion", State,
        "The log format is not one that can be replayed.",
        "The log was written by a much older or newer engine.",
        "Run `anchorlog inspect` on the log for its version. Recover with a program that knows it.";
    INVALID_LOG_SEQUENCE = -515, "JET_errInvalidLogSequence", State,
        "A log file does not continue the one before it: another generation, or another creation time of its predecessor.",
        "A log is missing in between, or logs of two lives of the same server are mixed.",
        "Run `anchorlog inspect` on the folder: it shows the gap or the fork. Bring the log that fits, or take those of the other branch away.";
    LOGGING_DISABLED = -516, "JET_errLoggingDisabled", Usage,
        "This needs a database with logging, and logging is off.",
        "The instance runs without a log.",
        "Only copies made while the database is closed are possible.";
    LOG_BUFFER_TOO_SMALL = -517, "JET_errLogBufferTooSmall", Resource,
        "A log record is larger than the log buffer or the log file.",
        "Settings of the application.",
        "Raise the size of log buffers or log files in the application.";
    LOG_SEQUENCE_END = -519, "JET_errLogSequenceEnd", State,
        "The last possible log generation is used up.",
        "A log stream that lived very long.",
        "Shut down cleanly, begin a new log stream, and make a full backup at once.";
    RECOVERED_WITH_ERRORS = -527, "JET_errRecoveredWithErrors", Damage,
        "Recovery ran in repair mode and skipped errors.",
        "Damage that repair went over.",
        "Do not trust the result. Restore a backup instead.";
    MISSING_LOG_FILE = -528, "JET_errMissingLogFile", State,
        "A log file that must exist is missing: the current one, the one named by the checkpoint, or one in the middle.",
        "Logs were moved or deleted, or the folder is the wrong one.",
        "Run `anchorlog inspect` on the folder: it names the missing generations. Bring them. Only where nothing required is missing can the loss be accepted.";
    LOG_DISK_FULL = -529, "JET_errLogDiskFull", Resource,
        "The disk of the logs is full.",
        "No backup has cleared old logs for a long time.",
        "Make room by moving logs that no database needs any more (`anchorlog inspect` says which), then start again.";
    BAD_LOG_SIGNATURE = -530, "JET_errBadLogSignature", State,
        "A log file belongs to another log stream.",
        "Logs of two instances, or of two lives of one, lie in one folder.",
        "Run `anchorlog inspect` on the folder: it sorts logs by stream. Keep only those of the database's own stream.";
    BAD_DB_SIGNATURE = -531, "JET_errBadDbSignature", State,
        "The database is not the one that the logs speak of.",
        "Another life of the database: restored, repaired or created anew.",
        "Compare the signatures with `anchorlog inspect`, and choose files that belong together.";
    BAD_CHECKPOINT_SIGNATURE = -532, "JET_errBadCheckpointSignature", State,
        "The checkpoint belongs to another log stream.",
        "A left-over file.",
        "Nothing: it is ignored, and recovery starts at the lowest log.";
    CHECKPOINT_CORRUPT = -533, "JET_errCheckpointCorrupt", State,
        "The checkpoint file cannot be read.",
        "Damage, or a write that was cut off.",
        "Nothing: it is ignored, and recovery starts at the lowest log.";
    REDO_ABRUPT_ENDED = -536, "JET_errRedoAbruptEnded", Damage,
        "The log records end in the middle of something that must be complete.",
        "A damaged log.",
        "Get another copy of the log.";
    DATABASE_LOG_SET_MISMATCH = -539, "JET_errDatabaseLogSetMismatch", State,
        "The database does not belong to these logs.",
        "The wrong folder.",
        "Match them by signature: `anchorlog inspect` on the folders.";
    LOG_FILE_SIZE_MISMATCH = -541, "JET_errLogFileSizeMismatch", State,
        "A log file is longer or shorter than its own header says.",
        "The file was cut off while it was copied.",
        "Get a whole copy of this log.";
    CHECKPOINT_FILE_NOT_FOUND = -542, "JET_errCheckpointFileNotFound", Information,
        "There is no checkpoint file.",
        "It was removed, or never copied.",
        "Nothing: recovery starts at the lowest log.";
    REQUIRED_LOG_FILES_MISSING = -543, "JET_errRequiredLogFilesMissing", State,
        "Logs that the database cannot do without are missing: at the low end, at the high end, or the last one is another file of the same number.",
        "Logs were deleted, put in quarantine, or not restored.",
        "Run `anchorlog inspect` on the folder for the exact generations. Look for them in archives, backups, replicas and the virus scanner's quarantine. Failing that, restore an older backup.";
    SOFT_RECOVERY_ON_BACKUP_DATABASE = -544, "JET_errSoftRecoveryOnBackupDatabase", State,
        "The database came out of an online backup and was not restored yet.",
        "It was started like a database after a crash.",
        "Recover it together with the logs of its backup set: `anchorlog recover --hard SET --out NEW`.";
    LOG_FILE_SIZE_MISMATCH_DATABASES_CONSISTENT = -545, "JET_errLogFileSizeMismatchDatabasesConsistent", State,
        "Recovery is complete and the databases are clean, but the log files have another size than is set.",
        "The setting was changed.",
        "Nothing is lost. Set the old size, or move the logs away and begin a new stream.";
    LOG_SECTOR_SIZE_MISMATCH = -546, "JET_errLogSectorSizeMismatch", State,
        "The logs were written for another sector size than the disk has.",
        "The disk or its driver was changed.",
        "anchorlog does not mind. Windows needs a disk of the same geometry, or a clean shutdown first.";
    LOG_SECTOR_SIZE_MISMATCH_DATABASES_CONSISTENT = -547, "JET_errLogSectorSizeMismatchDatabasesConsistent", State,
        "Recovery is complete and the databases are clean, but the logs' sector size is not that of the disk.",
        "The disk or its driver was changed.",
        "Nothing is lost. Move the logs away and begin a new stream.";
    LOG_SEQUENCE_END_DATABASES_CONSISTENT = -548, "JET_errLogSequenceEndDatabasesConsistent", State,
        "Recovery is complete and the databases are clean, but no log generation is left.",
        "A log stream that lived very long.",
        "Begin a new log stream and make a full backup.";
    STREAMING_DATA_NOT_LOGGED = -549, "JET_errStreamingDataNotLogged", State,
        "Data of the streaming file was not logged, so that the logs cannot bring it back.",
        "Circular logging (Exchange 2000 and 2003).",
        "Recover to the end of the backup set only.";
    DATABASE_DIRTY_SHUTDOWN = -550, "JET_errDatabaseDirtyShutdown", State,
        "The database was not closed well: its logs are not applied yet.",
        "A crash, a copy made while it was in use, or a snapshot.",
        "Run `anchorlog recover` with its logs. Never repair first: repair throws data away.";
    CONSISTENT_TIME_MISMATCH = -551, "JET_errConsistentTimeMismatch", State,
        "The database was last clean at another point than the logs say.",
        "An older or newer copy of the file was put among these logs, or the logs belong to another copy.",
        "Take the copy of the database that fits these logs, or the logs that reach back to this copy (`anchorlog inspect` names them).";
    DATABASE_ALREADY_UPGRADED = -562, "JET_errDatabaseAlreadyUpgraded", Information,
        "The database has the new format already.",
        "",
        "Nothing.";
    DATABASE_INCOMPLETE_UPGRADE = -563, "JET_errDatabaseIncompleteUpgrade", Fatal,
        "An upgrade of the database's format was interrupted.",
        "",
        "Restore the backup from before the upgrade.";
    DB_TIME_TOO_OLD = -566, "JET_errDbTimeTooOld", Damage,
        "A page is older than the log record expects: a change before it never reached the page.",
        "A lost write, or a log that was skipped.",
        "Start from an older copy of the database, or restore the page from another copy.";
    DB_TIME_TOO_NEW = -567, "JET_errDbTimeTooNew", Damage,
        "A page is newer than the log record expects.",
        "Files of different moments or of different branches are mixed.",
        "Take a database and logs that belong together.";
    RECOVERED_WITHOUT_UNDO = -579, "JET_errRecoveredWithoutUndo", Information,
        "The logs were replayed and open transactions were left open, as asked.",
        "Standby, or a stop before the end.",
        "Add more logs and go on, or recover once more without the option to finish.";
    COMMITTED_LOG_FILES_MISSING = -582, "JET_errCommittedLogFilesMissing", State,
        "The newest logs are missing. The database can be made clean without them, but the transactions in them are lost.",
        "The end of the logs was deleted, or never copied.",
        "Look for the logs first (`anchorlog inspect` names the generations). If they are gone for good, recover with `--accept-loss`.";
    RECOVERED_WITHOUT_UNDO_DATABASES_CONSISTENT = -584, "JET_errRecoveredWithoutUndoDatabasesConsistent", Information,
        "The logs were replayed without undo, and nothing was left to undo: the databases are clean.",
        "",
        "Nothing: they can be used.";
    COMMITTED_LOG_FILE_CORRUPT = -586, "JET_errCommittedLogFileCorrupt", State,
        "One of the newest logs is damaged. The database can be made clean without it, but the transactions in it are lost.",
        "",
        "Get another copy of the log. If there is none, recover with `--accept-loss`.";
    LOG_SEQUENCE_CHECKSUM_MISMATCH = -590, "JET_errLogSequenceChecksumMismatch", State,
        "The checksum over the previous log is not the one that the next log remembers.",
        "The previous log was changed after it was finished, or is of another branch.",
        "Get another copy of the previous log.";
    PAGE_INITIALIZED_MISMATCH = -596, "JET_errPageInitializedMismatch", Damage,
        "A page is in use in one copy of the database and blank in the other.",
        "Two copies have drifted apart.",
        "Make the copy anew.";
    LOG_READ_VERIFY_FAILURE = -612, "JET_errLogReadVerifyFailure", Damage,
        "A log failed its check when it was read.",
        "A failing disk.",
        "Copy the log from another place, and make a full backup.";
    CHECKPOINT_DEPTH_TOO_DEEP = -614, "JET_errCheckpointDepthTooDeep", State,
        "Too many logs lie between the checkpoint and the newest one.",
        "A backup that hangs, or a very large transaction.",
        "End the session that holds it back.";
    TRANSACTION_TOO_LONG = -618, "JET_errTransactionTooLong", State,
        "One transaction reaches over too many logs.",
        "The application.",
        "End the transaction in the application.";
    ENGINE_FORMAT_VERSION_NO_LONGER_SUPPORTED_TOO_LOW = -619, "JET_errEngineFormatVersionNoLongerSupportedTooLow", State,
        "The engine no longer writes the format version that was asked for.",
        "",
        "Ask for a newer format version.";
    ENGINE_FORMAT_VERSION_NOT_YET_IMPLEMENTED_TOO_HIGH = -620, "JET_errEngineFormatVersionNotYetImplementedTooHigh", State,
        "The format version is newer than the engine.",
        "A newer system wrote the file.",
        "Use a newer engine, or read the file with `anchorlog dump`.";
    ENGINE_FORMAT_VERSION_PARAM_TOO_LOW_FOR_REQUESTED_FEATURE = -621, "JET_errEngineFormatVersionParamTooLowForRequestedFeature", State,
        "The format version that is set lacks what was asked for.",
        "",
        "Set a newer format version.";
    ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_LOG_VERSION = -622, "JET_errEngineFormatVersionSpecifiedTooLowForLogVersion", State,
        "The logs have a newer format than the one that is set.",
        "A newer system wrote them.",
        "Set a newer format version, or use a newer engine.";
    ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_DATABASE_VERSION = -623, "JET_errEngineFormatVersionSpecifiedTooLowForDatabaseVersion", State,
        "The database has a newer format than the one that is set.",
        "A newer system wrote it.",
        "Set a newer format version, or use a newer engine.";
    DB_TIME_BEYOND_MAX_REQUIRED = -625, "JET_errDbTimeBeyondMaxRequired", Damage,
        "A page is newer than the last log that may have changed it.",
        "Files of different moments are mixed.",
        "Take a database and logs that belong together.";
    LOG_OPERATION_INCONSISTENT_WITH_DATABASE = -626, "JET_errLogOperationInconsistentWithDatabase", Damage,
        "A log record contradicts what is in the database.",
        "Files of different moments are mixed, or a write was lost.",
        "Run `anchorlog verify` on the database, and start from another copy.";
    DIRTY_SHUTDOWN = -1116, "JET_errDirtyShutdown", Information,
        "The instance was stopped without cleaning up, as asked.",
        "",
        "Recover before the next use.";
    RECOVERY_VERIFY_FAILURE = -1123, "JET_errRecoveryVerifyFailure", Damage,
        "Pages that recovery met do not fit what the logs say of them.",
        "Database and logs have drifted apart.",
        "Start from another copy of the database.";
    INVALID_CREATE_DB_VERSION = -1225, "JET_errInvalidCreateDbVersion", State,
        "The logs create a database in a form that cannot be replayed.",
        "They were written by an engine that logs this differently.",
        "Start from a copy of the database instead of from nothing.";
    DATABASE_INCOMPLETE_INCREMENTAL_RESEED = -1226, "JET_errDatabaseIncompleteIncrementalReseed", State,
        "Pages were being replaced from another copy, and that did not finish.",
        "A resynchronisation that was interrupted.",
        "Finish it, or copy the whole database again.";
    DATABASE_INVALID_INCREMENTAL_RESEED = -1227, "JET_errDatabaseInvalidIncrementalReseed", Usage,
        "Pages cannot be replaced in the state that the database is in.",
        "The database is clean.",
        "Recover it, or copy the whole database again.";
    DATABASE_FAILED_INCREMENTAL_RESEED = -1228, "JET_errDatabaseFailedIncrementalReseed", Fatal,
        "Replacing pages from another copy cannot be finished.",
        "Logs and headers do not fit.",
        "Copy the whole database again.";
    NO_ATTACHMENTS_FAILED_INCREMENTAL_RESEED = -1229, "JET_errNoAttachmentsFailedIncrementalReseed", Fatal,
        "The lowest log does not say how the database was attached.",
        "",
        "Bring lower logs, or copy the whole database again.";
    DATABASE_NOT_READY = -1230, "JET_errDatabaseNotReady", State,
        "Recovery has not come far enough to read the database.",
        "",
        "Wait.";
    TRANSACTIONS_NOT_READY_DURING_RECOVERY = -1232, "JET_errTransactionsNotReadyDuringRecovery", State,
        "Recovery has not come far enough to begin transactions.",
        "",
        "Wait.";
    LOG_CORRUPTED = -1852, "JET_errLogCorrupted", Damage,
        "The logs cannot be interpreted.",
        "Damage, or a record in a place where it cannot be.",
        "Run `anchorlog verify` on the logs, and get another copy of the one it names.";
    ROLLBACK_ERROR = -1917, "JET_errRollbackError", Damage,
        "An open transaction could not be rolled back.",
        "A damaged page.",
        "Run `anchorlog verify`: it names the page. Start from another copy of the database.";
    DATABASE_INCOMPLETE_REVERT = -1935, "JET_errDatabaseIncompleteRevert", State,
        "The database was being reverted to an older state, and that did not finish.",
        "",
        "Finish the revert, or restore a backup.";
}
