//! What kind of file a header belongs to (`db-1 §4.1`): the same place, offset 667, in every header.

use crate::layout::{Shown, Wire};

/// Offset of the file type in the headers of all files of the family; odd, and so never aligned (trap D6).
pub const FILE_TYPE_OFFSET: usize = 667;

/// A file's type (`le_filetype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    /// 0: written by engines that did not know the field.
    Unstated,
    /// 1
    Database,
    /// 2
    StreamingFile,
    /// 3
    Log,
    /// 4
    Checkpoint,
    /// 5
    TemporaryDatabase,
    /// 6
    Trace,
    /// 7
    FlushMap,
    /// 8
    CachedFile,
    /// 9
    CachingFile,
    /// 10
    RevertSnapshot,
    /// 11
    RevertCheckpoint,
    /// Any other number.
    Unknown(u32),
}

const NAMES: &[(u32, FileType, &str)] = &[
    (0, FileType::Unstated, "not stated"),
    (1, FileType::Database, "Database"),
    (2, FileType::StreamingFile, "StreamingFile"),
    (3, FileType::Log, "Log"),
    (4, FileType::Checkpoint, "Checkpoint"),
    (5, FileType::TemporaryDatabase, "TempDatabase"),
    (6, FileType::Trace, "FTL"),
    (7, FileType::FlushMap, "FlushMap"),
    (8, FileType::CachedFile, "CachedFile"),
    (9, FileType::CachingFile, "CachingFile"),
    (10, FileType::RevertSnapshot, "Snapshot"),
    (11, FileType::RevertCheckpoint, "RBSRevertCheckpoint"),
];

impl FileType {
    /// Whether a file with this type may be a database: old engines left 0, and temporary databases carry 1 or 5.
    #[must_use]
    pub const fn may_be_database(self) -> bool {
        matches!(self, Self::Unstated | Self::Database | Self::TemporaryDatabase)
    }
}

impl From<u32> for FileType {
    fn from(number: u32) -> Self {
        NAMES.iter().find(|(known, ..)| *known == number).map_or(Self::Unknown(number), |(_, kind, _)| *kind)
    }
}

impl From<FileType> for u32 {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::Unknown(number) => number,
            known => NAMES.iter().find(|(_, other, _)| *other == known).map_or(0, |(number, ..)| *number),
        }
    }
}

impl std::fmt::Display for FileType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(number) => write!(f, "unknown type {number}"),
            known => f.write_str(NAMES.iter().find(|(_, other, _)| other == known).map_or("", |(.., name)| name)),
        }
    }
}

impl Wire for FileType {
    const SIZE: usize = 4;
    const NAME: &'static str = "FileType";
    fn get(bytes: &[u8]) -> Self {
        u32::get(bytes).into()
    }
    fn put(&self, bytes: &mut [u8]) {
        u32::from(*self).put(bytes);
    }
    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}
