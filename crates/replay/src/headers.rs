//! What the life of a database writes into its header: attach, resize, close (`log-5 §8.6, §9.5`, `log-8 §3`).

use anchorlog_format::database::header::{DatabaseHeader, DirtyRange};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::database::version::Feature;
use anchorlog_format::units::{BackupInfo, Dbtime, Generation, LogPosition, LogTime, ObjectId, Signature};

/// The log in which something happens.
#[derive(Clone, Copy, Debug)]
pub struct Here {
    /// Position of the record.
    pub position: LogPosition,
    /// Creation time of its generation.
    pub created: LogTime,
    /// Signature of the stream.
    pub stream: Signature,
    /// The time to be stamped.
    pub now: LogTime,
}

/// An AttachDB record was redone.
pub fn attach_by_record(header: &mut DatabaseHeader, here: &Here) {
    let generation = here.position.generation;
    header.recovering = generation;
    if header.state == DatabaseState::CleanShutdown {
        make_dirty(header, here);
    }
    header.current_backup = BackupInfo::default();
    header.snapshot_backup = BackupInfo::default();
    header.attach_position = here.position;
    header.reattach_position = LogPosition::NONE;
    header.attach_time = here.now;
    header.detach_position = LogPosition::NONE;
    header.detach_time = LogTime::NONE;
    if header.log_signature != here.stream {
        // The old position meant another stream: it goes first (trap D12).
        header.pre_redo_min_required = Generation(0);
        header.pre_redo_min_consistent = Generation(0);
        header.consistent_position = LogPosition::NONE;
        header.resize_position = LogPosition::NONE;
        header.log_signature = here.stream;
        forget_backups(header);
    }
    if header.has(Feature::LastResize) {
        header.resize_position = header.resize_position.max(header.attach_position);
    }
    settle_ranges(header, generation);
}

/// The database was in the list of attached ones where redo starts, or its CreateDB record met it.
pub fn attach_before_redo(header: &mut DatabaseHeader, here: &Here) {
    if header.state == DatabaseState::CleanShutdown {
        make_dirty(header, here);
    }
    settle_ranges(header, here.position.generation);
}

/// Pages of this generation, made at that time, may be in the file from now on.
pub fn raise(header: &mut DatabaseHeader, generation: Generation, created: LogTime) {
    if generation > header.max_committed {
        header.max_committed = generation;
        header.max_committed_time = created;
    }
    if generation > header.max_required {
        header.max_required = generation;
        if header.has(Feature::MaxRequiredTime) {
            header.max_required_time = created;
        }
    }
}

/// The file is restored from an online backup with logs up to `high`: its required and committed ranges reach there, whatever its trailer
/// says, and of a log behind the trailer's nobody knows when it was made (`log-5 §16`, `ops-3 §3` H11).
pub fn restored(header: &mut DatabaseHeader, high: Generation) {
    header.current_backup.high = high;
    if high > header.max_committed {
        header.max_committed = high;
        header.max_committed_time = LogTime::NONE;
    }
    if high > header.max_required {
        header.max_required = high;
        header.max_required_time = LogTime::NONE;
    }
}

fn make_dirty(header: &mut DatabaseHeader, here: &Here) {
    let generation = here.position.generation;
    let range = DirtyRange { min: generation, max: generation, max_time: here.created };
    // Clean to dirty is a transition that the engine makes.
    _ = header.set_state(DatabaseState::DirtyShutdown, Some(range));
}

/// What both kinds of attach leave (`log-5 §8.6`, "Both").
fn settle_ranges(header: &mut DatabaseHeader, generation: Generation) {
    if header.max_required.0 > 0 && header.resize_position.generation > header.max_required {
        header.resize_position = LogPosition::new(header.max_required.0, u16::MAX, u16::MAX);
    }
    if header.has(Feature::LowerMinRequired) && generation < header.min_required {
        // Kept until redo has passed it again (trap W24).
        if header.pre_redo_min_required < header.min_required {
            header.pre_redo_min_required = header.min_required;
        }
        header.min_required = generation;
        if header.pre_redo_min_consistent < header.min_consistent {
            header.pre_redo_min_consistent = header.min_consistent;
        }
    }
    header.min_consistent = header.min_required;
}

fn forget_backups(header: &mut DatabaseHeader) {
    header.full_backup = BackupInfo::default();
    header.incremental_backup = BackupInfo::default();
    header.copy_backup = BackupInfo::default();
    header.differential_backup = BackupInfo::default();
    header.full_backup_type = 0;
    header.incremental_backup_type = 0;
    header.copy_backup_type = 0;
    header.differential_backup_type = 0;
}

/// What is known of a database when it is closed.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    /// Position of the detach record or of the shutdown mark.
    pub position: LogPosition,
    /// Highest page time of any of its records.
    pub dbtime: Dbtime,
    /// Highest object id.
    pub object: ObjectId,
    /// The time to be stamped.
    pub now: LogTime,
}

/// The database is closed clean: by a detach, a shutdown, or the end of recovery (`log-5 §9.5`).
pub fn close(header: &mut DatabaseHeader, closing: &Closing) {
    header.dbtime = header.dbtime.max(closing.dbtime);
    header.last_object = header.last_object.max(closing.object.0);
    header.consistent_position = closing.position;
    header.detach_position = closing.position;
    header.consistent_time = closing.now;
    header.detach_time = closing.now;
    if header.has(Feature::LastResize) {
        header.resize_position = closing.position;
    }
    if header.current_backup.low.0 != 0 {
        header.full_backup = header.current_backup;
        header.current_backup = BackupInfo::default();
        header.incremental_backup = BackupInfo::default();
    }
    header.snapshot_backup = BackupInfo::default();
    if header.state != DatabaseState::DirtyAndPatched {
        _ = header.set_state(DatabaseState::CleanShutdown, None);
    }
}

/// A restored file begins a new history of backups: an incremental one may not build on those of before (`log-5 §9.5`, trap W33). A
/// DetachDB record forgets the full one alone.
pub fn forget_history(header: &mut DatabaseHeader, detached_by_record: bool) {
    header.full_backup = BackupInfo::default();
    header.full_backup_type = 0;
    header.incremental_backup_type = 0;
    if !detached_by_record {
        header.incremental_backup = BackupInfo::default();
        header.copy_backup = BackupInfo::default();
        header.differential_backup = BackupInfo::default();
    }
}

/// An ExtendDB record was redone: counted each time, also when the file has that size already (trap Z8).
pub fn extended(header: &mut DatabaseHeader, position: LogPosition, now: LogTime) {
    header.extend_count = header.extend_count.wrapping_add(1);
    header.extend_time = now;
    if header.has(Feature::LastResize) {
        header.resize_position = header.resize_position.max(position);
    }
}

/// A shrink record was redone.
pub fn shrunk(header: &mut DatabaseHeader, position: LogPosition, now: LogTime) {
    header.shrink_count = header.shrink_count.wrapping_add(1);
    header.shrink_time = now;
    if header.has(Feature::LastResize) {
        header.resize_position = header.resize_position.max(position);
    }
}
