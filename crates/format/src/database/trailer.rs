//! The page behind the last one of a streamed backup (`db-1 §11`): where the backup ended.

use super::header::DatabaseHeader;
use super::version::Feature;
use crate::jet::JetCode;
use crate::units::{BackupInfo, Generation, LogTime, PageSize, Signature};
use anchorlog_checksum::{set_header_xor, verify_header_xor};

layout! {
    /// The trailer ("patch page") of a streamed copy: one page at the very end of the file, with a header-style checksum.
    pub struct Trailer = "PATCHHDR", 148, "db-1 §11" {
        0 checksum: u32, "le_ulChecksum", "", "XOR of all other words of the page";
        40 backup: BackupInfo, "bkinfo", "", "the backup, with the generation that was current at its end";
        64 signature: Signature, "signDb", "", "identity of the database";
        92 log_signature: Signature, "signLog", "", "log stream of the database";
        120 min_required: Generation, "lgenMinReq", "efv 9300", "first log that recovery needs";
        124 max_required: Generation, "lgenMaxReq", "efv 9300", "last log that recovery needs";
        128 max_committed: Generation, "lgenMaxCommitted", "efv 9300", "last committed log";
        132 max_required_time: LogTime, "logtimeGenMaxRequired", "efv 9300", "creation time of the last required log";
        140 max_committed_time: LogTime, "logtimeGenMaxCommitted", "efv 9300", "creation time of the last committed log";
    }
}

/// Why a trailer cannot complete a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrailerFault {
    /// No trailer there, or its checksum does not hold.
    #[error("the last page is no trailer of a streamed backup: cut off, or damaged")]
    Bad,
    /// It belongs to another database, stream or backup.
    #[error("the trailer belongs to another {0}")]
    Foreign(&'static str),
}

impl TrailerFault {
    /// The code that Microsoft's engine gives.
    #[must_use]
    pub const fn jet(&self) -> JetCode {
        match self {
            Self::Bad => JetCode::BAD_PATCH_PAGE,
            Self::Foreign(_) => JetCode::DATABASE_PATCH_FILE_MISMATCH,
        }
    }
}

impl Trailer {
    /// Reads the last page of a file as a trailer.
    ///
    /// # Errors
    /// [`TrailerFault::Bad`] where the header-style checksum does not hold.
    pub fn from_page(page: &[u8]) -> Result<Self, TrailerFault> {
        if !verify_header_xor(page) {
            return Err(TrailerFault::Bad);
        }
        Self::read(page).ok_or(TrailerFault::Bad)
    }

    /// The page that holds it.
    #[must_use]
    pub fn to_page(&self, size: PageSize) -> Vec<u8> {
        let mut page = vec![0; size.bytes()];
        self.write(&mut page);
        set_header_xor(&mut page);
        page
    }

    /// Completes the header of a streamed copy from its trailer, as recovery does at attach (`log-5 §17`).
    ///
    /// # Errors
    /// [`TrailerFault::Foreign`]; the header is unchanged then.
    pub fn complete(&self, header: &mut DatabaseHeader) -> Result<(), TrailerFault> {
        if self.signature != header.signature {
            return Err(TrailerFault::Foreign("database"));
        }
        if self.log_signature != header.log_signature {
            return Err(TrailerFault::Foreign("log stream"));
        }
        if self.backup.mark != header.current_backup.mark || self.backup.high.0 == 0 {
            return Err(TrailerFault::Foreign("backup"));
        }
        header.current_backup.high = self.backup.high;
        if self.min_required.0 != 0 {
            header.min_required = header.min_required.min(self.min_required);
        }
        let max_required = if self.max_required.0 == 0 { self.backup.high } else { self.max_required };
        if max_required >= header.max_required {
            header.max_required = max_required;
            header.max_required_time = if header.has(Feature::MaxRequiredTime) { self.max_required_time } else { LogTime::NONE };
        }
        let max_committed = if self.max_committed.0 == 0 { self.backup.high } else { self.max_committed };
        if max_committed >= header.max_committed {
            header.max_committed = max_committed;
            header.max_committed_time = self.max_committed_time;
        }
        header.min_consistent = header.min_required;
        header.pre_redo_min_required = Generation(0);
        header.pre_redo_min_consistent = Generation(0);
        Ok(())
    }
}
