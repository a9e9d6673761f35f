//! The checkpoint file (`log-1 §11`).

use crate::jet::JetCode;
use crate::log::attachments::{self, Attachment, AttachmentError};
use crate::log::parameters::Parameters;
use crate::units::{LogPosition, LogTime, Signature};
use anchorlog_checksum::{set_header_xor, verify_header_xor};

/// Bytes of one copy; the file has two.
pub const COPY_SIZE: usize = 4096;
/// Bytes of the file.
pub const FILE_SIZE: usize = 2 * COPY_SIZE;
/// File type of a checkpoint.
const FILE_TYPE: u32 = 4;
/// The list of attached databases is valid (`fCheckpointAttachInfoPresent`).
const ATTACHMENTS_PRESENT: u8 = 1;

layout! {
    /// One copy of the checkpoint.
    pub struct Checkpoint = "CHECKPOINT", 4096, "log-1 §11" {
        0 checksum: u32, "le_ulChecksum", "", "XOR checksum of the copy";
        4 last_full_backup_checkpoint: LogPosition, "le_lgposLastFullBackupCheckpoint", "", "checkpoint at the last full backup";
        12 position: LogPosition, "le_lgposCheckpoint", "", "replay starts here";
        20 signature: Signature, "signLog", "", "signature of the stream";
        48 parameters: Parameters, "dbms_param", "", "parameters of the engine";
        615 full_backup: LogPosition, "le_lgposFullBackup", "", "mark of the last full backup";
        623 full_backup_time: LogTime, "logtimeFullBackup", "", "its time";
        631 incremental_backup: LogPosition, "le_lgposIncBackup", "", "mark of the last incremental backup";
        639 incremental_backup_time: LogTime, "logtimeIncBackup", "", "its time";
        647 flags: u8, "fVersion", "", "1: the list of attached databases is valid";
        648 consistency_field: LogPosition, "le_lgposDbConsistency", "", "up to here all changes are in the databases; none in old files";
        656 reserved: [u8; 11], "", "", "zero";
        667 file_type: u32, "le_filetype", "", "4 checkpoint; 0 in old files";
        671 reserved_2: u64, "", "", "zero";
        679 attachment_list: [u8; 2048], "rgbAttach", "", "databases attached at the position";
    }
}

/// Why there is no checkpoint to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Both copies are damaged.
    #[error("both copies of the checkpoint are damaged")]
    Corrupt,
    /// The file is of another type.
    #[error("the file type is {0}, not that of a checkpoint")]
    FileType(u32),
}

impl CheckpointError {
    /// What Microsoft's engine says.
    #[must_use]
    pub const fn jet(self) -> JetCode {
        match self {
            Self::Corrupt => JetCode::CHECKPOINT_CORRUPT,
            Self::FileType(_) => JetCode::FILE_INVALID_TYPE,
        }
    }
}

/// Which copy of the file is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The first.
    pub first: bool,
    /// The second.
    pub second: bool,
}

impl Checkpoint {
    /// The first copy whose checksum is right.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn check(file: &[u8]) -> Result<Self, CheckpointError> {
        let copy = [0, COPY_SIZE]
            .into_iter()
            .filter_map(|start| file.get(start..start + COPY_SIZE))
            .find(|copy| verify_header_xor(copy))
            .ok_or(CheckpointError::Corrupt)?;
        let checkpoint = Self::read(copy).ok_or(CheckpointError::Corrupt)?;
        match checkpoint.file_type {
            0 | FILE_TYPE => Ok(checkpoint),
            other => Err(CheckpointError::FileType(other)),
        }
    }
    /// Which copies have a right checksum.
    #[must_use]
    pub fn copies(file: &[u8]) -> Copies {
        let good = |start: usize| file.get(start..start + COPY_SIZE).is_some_and(verify_header_xor);
        Copies { first: good(0), second: good(COPY_SIZE) }
    }
    /// Up to here all changes are in the databases.
    #[must_use]
    pub const fn consistency(&self) -> LogPosition {
        if self.consistency_field.is_none() { self.position } else { self.consistency_field }
    }
    /// Databases attached at the position; `None` where the list is not valid, whatever stands there (trap G9).
    ///
    /// # Errors
    /// [`AttachmentError`] for a list that breaks its bounds.
    pub fn attachments(&self) -> Result<Option<Vec<Attachment>>, AttachmentError> {
        if self.flags & ATTACHMENTS_PRESENT == 0 {
            return Ok(None);
        }
        attachments::read(&self.attachment_list).map(Some)
    }
    /// Sets the list; `None` clears it.
    ///
    /// # Errors
    /// [`AttachmentError::TooLong`].
    pub fn set_attachments(&mut self, list: Option<&[Attachment]>) -> Result<(), AttachmentError> {
        self.attachment_list = attachments::write(list.unwrap_or_default())?;
        self.flags = if list.is_some() { self.flags | ATTACHMENTS_PRESENT } else { self.flags & !ATTACHMENTS_PRESENT };
        Ok(())
    }
    /// A new checkpoint at `position`, without attached databases.
    #[must_use]
    pub fn new(position: LogPosition, signature: Signature, parameters: Parameters) -> Self {
        let mut checkpoint = Self::read(&[0; COPY_SIZE]).expect("the buffer holds a whole checkpoint");
        checkpoint.position = position;
        checkpoint.consistency_field = position;
        checkpoint.signature = signature;
        checkpoint.parameters = parameters;
        checkpoint.file_type = FILE_TYPE;
        checkpoint
    }
    /// The file: two equal copies with the right checksum.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        let mut copy = vec![0; COPY_SIZE];
        self.write(&mut copy);
        set_header_xor(&mut copy);
        copy.extend_from_within(..);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{DatabaseId, Dbtime, ObjectId};

    fn checkpoint() -> Checkpoint {
        let mut checkpoint = Checkpoint::new(LogPosition::new(3, 2, 1), Signature([7; 28]), Parameters::empty());
        let entry = Attachment {
            database: DatabaseId(1),
            flags: 0,
            dbtime: Dbtime(5),
            object_last: ObjectId(7),
            size_max: 0,
            attach: LogPosition::NONE,
            consistent: LogPosition::NONE,
            signature: Signature::NONE,
            name: b"a\0".to_vec(),
        };
        checkpoint.set_attachments(Some(&[entry])).unwrap();
        checkpoint
    }

    #[test]
    fn the_first_right_copy_counts_and_two_wrong_ones_are_533() {
        let mut file = checkpoint().to_file();
        file[12] ^= 1;
        assert_eq!(Checkpoint::copies(&file), Copies { first: false, second: true });
        assert_eq!(Checkpoint::check(&file).unwrap().position, LogPosition::new(3, 2, 1));
        file[COPY_SIZE + 12] ^= 1;
        assert_eq!(Checkpoint::check(&file).unwrap_err().jet().0, -533);
        assert_eq!(Checkpoint::check(&[]).unwrap_err().jet().0, -533);
    }

    #[test]
    fn g8_the_list_stands_8_bytes_further_than_in_a_log() {
        let offset = |layout: &crate::layout::Layout| {
            layout.fields.iter().find(|field| field.microsoft == "rgbAttach").map(|field| field.offset)
        };
        assert_eq!(offset(&Checkpoint::LAYOUT), Some(679));
        assert_eq!(offset(&crate::log::header::LogHeader::LAYOUT), Some(671));
    }

    #[test]
    fn g9_the_list_counts_only_with_its_flag() {
        let mut checkpoint = checkpoint();
        assert_eq!(checkpoint.attachments().unwrap().map(|list| list.len()), Some(1));
        checkpoint.flags = 0;
        assert_eq!(checkpoint.attachments(), Ok(None));
    }

    #[test]
    fn an_old_checkpoint_is_consistent_at_its_position() {
        let mut checkpoint = checkpoint();
        checkpoint.consistency_field = LogPosition::NONE;
        assert_eq!(checkpoint.consistency(), checkpoint.position);
    }
}
