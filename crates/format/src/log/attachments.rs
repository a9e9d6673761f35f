//! The list of attached databases in log headers and checkpoints (`log-1 §3.4`).

use crate::log::text::LoggedText;
use crate::units::{DatabaseId, Dbtime, LogPosition, ObjectId, Signature};

/// Bytes of the list.
pub const LIST_SIZE: usize = 2048;
/// Names are UTF-16.
const UNICODE: u8 = 0x20;

layout! {
    /// One entry, without its name.
    pub struct AttachmentFields = "ATTACHINFO", 64, "log-1 §3.4" {
        0 database: DatabaseId, "dbid", "", "slot, 1 to 6; 0 ends the list";
        1 flags: u8, "", "", "0x20 name in UTF-16, 0x40 sparse file";
        2 name_length: u16, "le_cbNames", "", "bytes of the name, with terminator";
        4 dbtime: Dbtime, "le_dbtime", "", "last page time of the database when written";
        12 object_last: ObjectId, "le_objidLast", "", "last object when written";
        16 size_max: u32, "le_cpgDatabaseSizeMax", "", "largest size in pages, 0 no limit";
        20 attach: LogPosition, "le_lgposAttach", "", "position of the attach";
        28 consistent: LogPosition, "le_lgposConsistent", "", "consistent up to here; none if the database came from another stream";
        36 signature: Signature, "signDb", "", "signature of the database";
    }
}

/// An attached database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Slot, 1 to 6.
    pub database: DatabaseId,
    /// 0x20 name in UTF-16, 0x40 sparse file.
    pub flags: u8,
    /// Last page time of the database when written.
    pub dbtime: Dbtime,
    /// Last object when written.
    pub object_last: ObjectId,
    /// Largest size in pages, 0 no limit.
    pub size_max: u32,
    /// Position of the attach.
    pub attach: LogPosition,
    /// Consistent up to here; none if the database came from another stream.
    pub consistent: LogPosition,
    /// Signature of the database.
    pub signature: Signature,
    /// Full path as opened, with terminator.
    pub name: Vec<u8>,
}

impl Attachment {
    /// The path as text.
    #[must_use]
    pub fn path(&self) -> LoggedText<'_> {
        LoggedText { bytes: &self.name, utf16: self.flags & UNICODE != 0 }
    }
}

/// A list that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// An entry reaches behind the list.
    #[error("an entry of the list of attached databases reaches behind the list")]
    TooLong,
}

/// Reads the list from its 2048 bytes.
///
/// # Errors
/// [`AttachmentError::TooLong`].
pub fn read(list: &[u8]) -> Result<Vec<Attachment>, AttachmentError> {
    let mut rest = list;
    let mut attachments = Vec::new();
    while rest.first().is_some_and(|&database| database != 0) {
        let fields = AttachmentFields::read(rest).ok_or(AttachmentError::TooLong)?;
        let end = AttachmentFields::SIZE + usize::from(fields.name_length);
        let name = rest.get(AttachmentFields::SIZE..end).ok_or(AttachmentError::TooLong)?.to_vec();
        rest = &rest[end..];
        let AttachmentFields { database, flags, dbtime, object_last, size_max, attach, consistent, signature, .. } = fields;
        attachments.push(Attachment { database, flags, dbtime, object_last, size_max, attach, consistent, signature, name });
    }
    Ok(attachments)
}

/// Writes the list; unused bytes are zero, and at least one is left for the end.
///
/// # Errors
/// [`AttachmentError::TooLong`] where the entries do not fit.
pub fn write(attachments: &[Attachment]) -> Result<[u8; LIST_SIZE], AttachmentError> {
    let mut list = [0; LIST_SIZE];
    let mut at = 0;
    for entry in attachments {
        let end = at + AttachmentFields::SIZE + entry.name.len();
        if end >= LIST_SIZE {
            return Err(AttachmentError::TooLong);
        }
        AttachmentFields {
            database: entry.database,
            flags: entry.flags,
            name_length: u16::try_from(entry.name.len()).map_err(|_| AttachmentError::TooLong)?,
            dbtime: entry.dbtime,
            object_last: entry.object_last,
            size_max: entry.size_max,
            attach: entry.attach,
            consistent: entry.consistent,
            signature: entry.signature,
        }
        .write(&mut list[at..]);
        list[at + AttachmentFields::SIZE..end].copy_from_slice(&entry.name);
        at = end;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8]) -> Attachment {
        Attachment {
            database: DatabaseId(1),
            flags: 0,
            dbtime: Dbtime(5),
            object_last: ObjectId(7),
            size_max: 0,
            attach: LogPosition::new(1, 2, 3),
            consistent: LogPosition::NONE,
            signature: Signature::NONE,
            name: name.to_vec(),
        }
    }

    #[test]
    fn a_list_reads_back_as_written() {
        let list = vec![entry(b"C:\\a.edb\0"), Attachment { database: DatabaseId(2), flags: 0x20, ..entry(b"B\0\0\0") }];
        assert_eq!(read(&write(&list).unwrap()), Ok(list.clone()));
        assert_eq!(list[1].path().first(), "B");
    }

    #[test]
    fn a_list_leaves_room_for_its_end() {
        let name = vec![b'x'; LIST_SIZE - 64];
        assert_eq!(write(&[entry(&name)]), Err(AttachmentError::TooLong));
        assert!(write(&[entry(&name[1..])]).is_ok());
    }

    #[test]
    fn an_entry_behind_the_list_is_an_error() {
        let mut list = write(&[entry(b"a\0")]).unwrap();
        list[2..4].copy_from_slice(&5000_u16.to_le_bytes());
        assert_eq!(read(&list), Err(AttachmentError::TooLong));
        assert_eq!(read(&[1; 10]), Err(AttachmentError::TooLong));
    }
}
