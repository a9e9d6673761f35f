//! Records that change nothing of a database but its header.

use super::Run;
use crate::error::Result;
use anchorlog_format::log::record::{Backup, SetDatabaseVersion};
use anchorlog_format::units::{BackupInfo, DatabaseId, LogPosition};

impl Run<'_> {
    pub(super) fn reattach_database(&mut self, position: LogPosition, id: DatabaseId) -> Result<()> {
        let now = self.ambient.now();
        if let Some(database) = self.redo.databases.get_mut(&id) {
            database.header.header.reattach_position = position;
            database.header.header.reattach_time = now;
        }
        Ok(())
    }

    /// Versions only rise.
    pub(super) fn set_version(&mut self, set: &SetDatabaseVersion) -> Result<()> {
        let Some(database) = self.redo.databases.get_mut(&set.database) else { return Ok(()) };
        let header = &mut database.header.header;
        if (set.version, set.update_major, set.update_minor) > (header.version, header.update, header.minor) {
            header.version = set.version;
            header.update = set.update_major;
            header.minor = set.update_minor;
        }
        Ok(())
    }

    /// The step of a backup that stamps headers (`log-4 §18`, `db-1 §10`).
    pub(super) fn backup(&mut self, position: LogPosition, backup: &Backup<'_>) -> Result<()> {
        const UPDATE: u8 = 4;
        let Some(database) = self.redo.databases.get_mut(&backup.database).filter(|_| backup.phase == UPDATE) else {
            return Ok(());
        };
        let header = &mut database.header.header;
        if position <= header.attach_position {
            return Ok(());
        }
        let stamp = BackupInfo { mark: backup.mark, time: backup.mark_time, low: backup.low, high: backup.high };
        // The surrogate kind exists in records alone: headers say snapshot.
        let kind = if backup.backup_type == 3 { 1 } else { backup.backup_type };
        let (old, old_kind) = match backup.scope {
            1 => (&mut header.full_backup, &mut header.full_backup_type),
            2 => (&mut header.incremental_backup, &mut header.incremental_backup_type),
            5 => (&mut header.copy_backup, &mut header.copy_backup_type),
            6 => (&mut header.differential_backup, &mut header.differential_backup_type),
            _ => return Ok(()),
        };
        if stamp.mark < old.mark {
            return Ok(());
        }
        *old = stamp;
        *old_kind = kind;
        if backup.scope == 1 {
            header.incremental_backup = BackupInfo::default();
            header.differential_backup = BackupInfo::default();
            header.incremental_backup_type = 0;
            header.differential_backup_type = 0;
        }
        Ok(())
    }
}
