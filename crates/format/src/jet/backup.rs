//! Codes of backup, restore, snapshots, reseeding and reverting.

use super::{Class, Entry, JetCode};

codes! {
    BACKUP:
    WARN_PREVIOUS_LOG_FILE_INCOMPLETE = 2602, "JET_wrnPreviousLogFileIncomplete", Information,
        "A log that was being streamed was given up and removed.",
        "",
        "Fetch it as a file.";
    WARN_TARGET_INSTANCE_RUNNING = 578, "JET_wrnTargetInstanceRunning", Information,
        "The target is running; the logs of the restore were left behind.",
        "",
        "Clean them up.";
    WARN_EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS = 559, "JET_wrnExistingLogFileIsNotContiguous", State,
        "The logs that lie at the target do not continue the set.",
        "An earlier restore, or a gap.",
        "Restore to the end of the set only, or find the log in between.";
    WARN_EXISTING_LOG_FILE_HAS_BAD_SIGNATURE = 558, "JET_wrnExistingLogFileHasBadSignature", State,
        "The logs that lie at the target belong to another log stream.",
        "",
        "Restore to the end of the set only, or into another folder.";
    NO_BACKUP_DIRECTORY = -503, "JET_errNoBackupDirectory", Usage,
        "No folder was given for the backup.",
        "",
        "Give one.";
    BACKUP_DIRECTORY_NOT_EMPTY = -504, "JET_errBackupDirectoryNotEmpty", Usage,
        "The backup's folder is not empty.",
        "",
        "Give an empty one.";
    BACKUP_IN_PROGRESS = -505, "JET_errBackupInProgress", State,
        "Another backup is running.",
        "",
        "Wait for it, or stop it.";
    RESTORE_IN_PROGRESS = -506, "JET_errRestoreInProgress", State,
        "A restore is running.",
        "",
        "Wait for it.";
    NO_BACKUP = -520, "JET_errNoBackup", Usage,
        "No backup is running.",
        "",
        "Begin one first.";
    INVALID_BACKUP_SEQUENCE = -521, "JET_errInvalidBackupSequence", Usage,
        "The backup program called things in the wrong order.",
        "",
        "Run the backup again.";
    BACKUP_NOT_ALLOWED_YET = -523, "JET_errBackupNotAllowedYet", State,
        "A backup is not possible now.",
        "Recovery is running, or the instance is suspended.",
        "Try again later.";
    DELETE_BACKUP_FILE_FAIL = -524, "JET_errDeleteBackupFileFail", Resource,
        "An old backup file could not be deleted.",
        "",
        "Check rights and locks.";
    MAKE_BACKUP_DIRECTORY_FAIL = -525, "JET_errMakeBackupDirectoryFail", Resource,
        "The backup's temporary folder could not be made.",
        "",
        "Check rights and free space.";
    INVALID_BACKUP = -526, "JET_errInvalidBackup", State,
        "An incremental backup is not possible with circular logging.",
        "The setting.",
        "Make full backups, or switch circular logging off and begin with a full one.";
    MISSING_PATCH_PAGE = -534, "JET_errMissingPatchPage", Damage,
        "The patch file of an old backup lacks a page.",
        "The set is incomplete.",
        "Take another copy of the set.";
    BAD_PATCH_PAGE = -535, "JET_errBadPatchPage", Damage,
        "The last page of a streamed backup, which says where it ended, is missing or damaged.",
        "The file was cut off.",
        "Copy it again, or take another backup set.";
    PATCH_FILE_MISSING = -538, "JET_errPatchFileMissing", State,
        "The patch file of an old backup is missing.",
        "The set is incomplete.",
        "Add the `.pat` file.";
    DATABASE_STREAMING_FILE_MISMATCH = -540, "JET_errDatabaseStreamingFileMismatch", State,
        "The `.edb` and the `.stm` file do not belong together.",
        "Files of two moments are mixed.",
        "Take the pair that belongs together.";
    DATABASE_PATCH_FILE_MISMATCH = -552, "JET_errDatabasePatchFileMismatch", State,
        "The last page of the streamed backup belongs to another backup.",
        "Files of two sets are mixed.",
        "Take the files of one set.";
    ENDING_RESTORE_LOG_TOO_LOW = -553, "JET_errEndingRestoreLogTooLow", State,
        "The logs end before the end of the backup.",
        "Logs of the set are missing.",
        "Add the logs up to the highest generation of the set.";
    STARTING_RESTORE_LOG_TOO_HIGH = -554, "JET_errStartingRestoreLogTooHigh", State,
        "The logs begin after the start of the backup.",
        "Logs of the set are missing.",
        "Add the lower logs.";
    GIVEN_LOG_FILE_HAS_BAD_SIGNATURE = -555, "JET_errGivenLogFileHasBadSignature", State,
        "A log of the set belongs to another log stream.",
        "Sets are mixed.",
        "Sort them by signature with `anchorlog inspect`.";
    GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS = -556, "JET_errGivenLogFileIsNotContiguous", State,
        "The logs of the set do not follow one another.",
        "Sets are mixed.",
        "Sort them with `anchorlog inspect`.";
    MISSING_RESTORE_LOG_FILES = -557, "JET_errMissingRestoreLogFiles", State,
        "A log in the middle of the set is missing.",
        "",
        "Find it; `anchorlog inspect` names it.";
    MISSING_FULL_BACKUP = -560, "JET_errMissingFullBackup", State,
        "No full backup is recorded to which this one could be added.",
        "Defragmentation, repair, a new log stream, or a backup of another kind.",
        "Make a full backup.";
    BAD_BACKUP_DATABASE_SIZE = -561, "JET_errBadBackupDatabaseSize", Damage,
        "The database in the backup is not a whole number of pages long.",
        "The copy was cut off.",
        "Copy it again.";
    MISSING_CURRENT_LOG_FILES = -565, "JET_errMissingCurrentLogFiles", State,
        "Logs between the set and the newest ones are missing.",
        "",
        "Find them; `anchorlog inspect` names them.";
    MISSING_FILE_TO_BACKUP = -569, "JET_errMissingFileToBackup", State,
        "A log that the backup needs is gone.",
        "It was deleted by hand.",
        "Make a full backup.";
    LOG_TORN_WRITE_DURING_HARD_RESTORE = -570, "JET_errLogTornWriteDuringHardRestore", Damage,
        "A log of the set ends in a write that was cut off.",
        "The backup medium.",
        "Take another copy of the set.";
    LOG_TORN_WRITE_DURING_HARD_RECOVERY = -571, "JET_errLogTornWriteDuringHardRecovery", Damage,
        "A log after the set ends in a write that was cut off.",
        "A crash.",
        "Recover up to the log before.";
    LOG_CORRUPT_DURING_HARD_RESTORE = -573, "JET_errLogCorruptDuringHardRestore", Damage,
        "A log of the set is damaged.",
        "The backup medium.",
        "Take another copy of the set.";
    LOG_CORRUPT_DURING_HARD_RECOVERY = -574, "JET_errLogCorruptDuringHardRecovery", Damage,
        "A log after the set is damaged.",
        "A failing disk.",
        "Recover up to the log before.";
    BAD_RESTORE_TARGET_INSTANCE = -577, "JET_errBadRestoreTargetInstance", State,
        "The instance that should take the restored database was not found, or its logs do not fit.",
        "",
        "Choose the right one.";
    DATABASES_NOT_FROM_SAME_SNAPSHOT = -580, "JET_errDatabasesNotFromSameSnapshot", State,
        "The databases come from different snapshots.",
        "",
        "Take the files of one snapshot.";
    SOFT_RECOVERY_ON_SNAPSHOT = -581, "JET_errSoftRecoveryOnSnapshot", State,
        "Files of a snapshot backup were started like a crashed instance.",
        "",
        "Restore them as a set.";
    EXISTING_LOG_FILE_HAS_BAD_SIGNATURE = -610, "JET_errExistingLogFileHasBadSignature", State,
        "The logs that lie at the target belong to another log stream.",
        "Another life of the instance.",
        "Restore to the end of the set only, or into another folder.";
    EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS = -611, "JET_errExistingLogFileIsNotContiguous", State,
        "The logs that lie at the target do not continue the set.",
        "An earlier restore, or a gap.",
        "Restore to the end of the set only, or find the log in between.";
    RESTORE_OF_NON_BACKUP_DATABASE = -615, "JET_errRestoreOfNonBackupDatabase", State,
        "The database did not come out of an online backup.",
        "",
        "Use `anchorlog recover`: it needs no restore.";
    LOG_FILE_NOT_COPIED = -616, "JET_errLogFileNotCopied", State,
        "Logs should be cleared before all of them were read.",
        "The backup program.",
        "Nothing was deleted. Run the backup again.";
    SURROGATE_BACKUP_IN_PROGRESS = -617, "JET_errSurrogateBackupInProgress", State,
        "A backup of a replica is running.",
        "",
        "Wait for it.";
    BACKUP_ABORT_BY_SERVER = -801, "JET_errBackupAbortByServer", State,
        "The server stopped the backup.",
        "It was shut down.",
        "Run it again.";
    DATABASE_ATTACHED_FOR_RECOVERY = -1231, "JET_errDatabaseAttachedForRecovery", State,
        "The database is attached for replay only.",
        "It is a replica.",
        "Use the way to copy replicas.";
    AFTER_INITIALIZATION = -1850, "JET_errAfterInitialization", Usage,
        "This must be done before the instance starts.",
        "",
        "Stop the instance first.";
    FLUSH_MAP_VERSION_UNSUPPORTED = -1918, "JET_errFlushMapVersionUnsupported", Information,
        "The flush map has a version that is not known.",
        "Another engine wrote it.",
        "Nothing: it is made anew.";
    FLUSH_MAP_DATABASE_MISMATCH = -1919, "JET_errFlushMapDatabaseMismatch", Information,
        "The flush map does not belong to the database.",
        "It was copied without the database, or the other way round.",
        "Nothing: it is made anew.";
    FLUSH_MAP_UNRECOVERABLE = -1920, "JET_errFlushMapUnrecoverable", Information,
        "The flush map was not closed well and cannot be completed.",
        "A crash.",
        "Nothing: it is made anew.";
    RBS_FILE_CORRUPT = -1921, "JET_errRBSFileCorrupt", State,
        "A revert snapshot is damaged.",
        "",
        "Restore a backup instead of reverting.";
    RBS_INVALID_RECORD = -1928, "JET_errRBSInvalidRecord", State,
        "A revert snapshot holds a record that cannot be.",
        "",
        "Restore a backup instead of reverting.";
    RBSRC_INVALID_RBS = -1929, "JET_errRBSRCInvalidRBS", State,
        "A revert snapshot cannot be used.",
        "",
        "Restore a backup and replay the logs instead.";
    RBSRC_NO_RBS_FOUND = -1930, "JET_errRBSRCNoRBSFound", State,
        "No revert snapshot reaches back that far.",
        "",
        "Restore a backup and replay the logs instead.";
    RBSRC_BAD_DB_STATE = -1931, "JET_errRBSRCBadDbState", State,
        "The database cannot be reverted from the state it is in.",
        "",
        "Run `anchorlog inspect` on it.";
    RBS_MISSING_REQ_LOGS = -1932, "JET_errRBSMissingReqLogs", State,
        "Logs that the revert needs are missing.",
        "",
        "Bring them, or restore a backup.";
    RBS_LOG_DIVERGENCE_FAILED = -1933, "JET_errRBSLogDivergenceFailed", State,
        "The logs since the snapshot have gone another way.",
        "",
        "Restore a backup.";
    RBS_CANNOT_DETERMINE_DIVERGENCE = -1938, "JET_errRBSCannotDetermineDivergence", State,
        "It cannot be told whether the logs since the snapshot have gone another way.",
        "",
        "Restore a backup.";
    OS_SNAPSHOT_INVALID_SEQUENCE = -2401, "JET_errOSSnapshotInvalidSequence", Usage,
        "The snapshot program called things in the wrong order.",
        "",
        "Make the snapshot again.";
    OS_SNAPSHOT_TIME_OUT = -2402, "JET_errOSSnapshotTimeOut", State,
        "The freeze for the snapshot lasted too long and was ended.",
        "Slow storage.",
        "The image is not marked as a backup. Make it again.";
    OS_SNAPSHOT_NOT_ALLOWED = -2403, "JET_errOSSnapshotNotAllowed", State,
        "A backup or a recovery is running.",
        "",
        "Wait for it.";
    OS_SNAPSHOT_INVALID_SNAP_ID = -2404, "JET_errOSSnapshotInvalidSnapId", Usage,
        "The snapshot is not known.",
        "",
        "Make it again.";
    INVALID_LOG_DATA_SEQUENCE = -2601, "JET_errInvalidLogDataSequence", State,
        "Streamed log data came out of order.",
        "",
        "Start the stream again.";
}
