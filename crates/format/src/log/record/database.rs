//! Life of databases and size of their files (`log-2 §12`).

use crate::layout::{Layout, Shown};
use crate::log::record::declare::{LengthField, Parts, Record, blank};
use crate::log::record::{RecordError, RecordType};
use crate::log::text::LoggedText;
use crate::units::{DatabaseId, Dbtime, LogPosition, PageNumber, SessionId, Signature};

layout! {
    /// The fixed part.
    pub struct CreateDatabaseFixed = "LRCREATEDB", 43, "log-2 §12" {
        1 session: SessionId, "le_procid", "", "session";
        3 database: DatabaseId, "dbid", "", "slot";
        4 options: u32, "le_grbit", "", "options of the call";
        8 size_max: u32, "le_cpgDatabaseSizeMax", "", "largest size in pages, 0 no limit";
        12 signature: Signature, "signDb", "", "signature of the new database";
        40 path_length: u16, "le_cbPath", "", "bytes of the path";
        42 flags: u8, "", "", "4 version present, 8 path in UTF-16, 0x10 sparse file";
    }
}

layout! {
    /// The version, where flag 4 says so; not counted in the path's length (trap G32).
    pub struct CreateDatabaseVersion = "LRCREATEDB::VersionInfo", 47, "log-2 §12" {
        43 version: u16, "le_usVersion", "7.3704.8", "1: pages of the creation are not logged; 2: they are";
        45 update: u16, "le_usUpdateMajor", "7.3704.8", "0";
    }
}

/// Creates a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateDatabase<'a> {
    /// Session.
    pub session: SessionId,
    /// Slot.
    pub database: DatabaseId,
    /// Options of the call.
    pub options: u32,
    /// Largest size in pages, 0 no limit.
    pub size_max: u32,
    /// Signature of the new database.
    pub signature: Signature,
    /// 4 version present, 8 path in UTF-16, 0x10 sparse file.
    pub flags: u8,
    /// Version and update: 1.0 the pages of the creation are not logged, 2.0 they are. There exactly where flag 4 is set.
    pub version: Option<(u16, u16)>,
    /// Path of the file, with terminator.
    pub path: &'a [u8],
}

const VERSION_PRESENT: u8 = 4;
const UNICODE: u8 = 8;
/// In DetachDB the flag is another bit (trap G33).
const UNICODE_OF_DETACH: u8 = 0x10;

impl<'a> CreateDatabase<'a> {
    /// The path as text.
    #[must_use]
    pub const fn path_text(&self) -> LoggedText<'a> {
        LoggedText { bytes: self.path, utf16: self.flags & UNICODE != 0 }
    }
    const fn path_offset(flags: u8) -> usize {
        if flags & VERSION_PRESENT != 0 { CreateDatabaseVersion::SIZE } else { CreateDatabaseFixed::SIZE }
    }
}

impl<'a> Record<'a> for CreateDatabase<'a> {
    fn size(_: RecordType, bytes: &[u8]) -> Option<usize> {
        let fixed = CreateDatabaseFixed::read(bytes)?;
        Some(Self::path_offset(fixed.flags) + fixed.path_length.bytes())
    }
    fn decode(_: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let fixed = CreateDatabaseFixed::read(bytes).ok_or(RecordError::Truncated)?;
        let version = if fixed.flags & VERSION_PRESENT != 0 {
            let version = CreateDatabaseVersion::read(bytes).ok_or(RecordError::Truncated)?;
            Some((version.version, version.update))
        } else {
            None
        };
        let mut parts = Parts::behind(bytes, Self::path_offset(fixed.flags))?;
        let path = parts.take(fixed.path_length.bytes())?;
        parts.end()?;
        let CreateDatabaseFixed { session, database, options, size_max, signature, flags, .. } = fixed;
        Ok(Self { session, database, options, size_max, signature, flags, version, path })
    }
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let flags = if self.version.is_some() { self.flags | VERSION_PRESENT } else { self.flags & !VERSION_PRESENT };
        let mut bytes = blank(kind, Self::path_offset(flags));
        CreateDatabaseFixed {
            session: self.session,
            database: self.database,
            options: self.options,
            size_max: self.size_max,
            signature: self.signature,
            path_length: LengthField::of(self.path)?,
            flags,
        }
        .write(&mut bytes);
        if let Some((version, update)) = self.version {
            CreateDatabaseVersion { version, update }.write(&mut bytes);
        }
        out.append(&mut bytes);
        out.extend_from_slice(self.path);
        Ok(())
    }
    fn layouts(&self) -> Vec<&'static Layout> {
        let mut layouts = vec![&CreateDatabaseFixed::LAYOUT];
        layouts.extend(self.version.map(|_| &CreateDatabaseVersion::LAYOUT));
        layouts
    }
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        vec![("path", Shown::Text(self.path_text().to_string()))]
    }
    fn session(&self) -> Option<SessionId> {
        Some(self.session)
    }
    fn database(&self) -> Option<DatabaseId> {
        Some(self.database)
    }
}

record! {
    /// Ends the logged creation of a database.
    pub struct CreateDatabaseFinish, CreateDatabaseFinishFixed = "LRCREATEDBFINISH", 4, "log-2 §12", head() {
        1 session: SessionId, "le_procid", "session";
        3 database: DatabaseId, "dbid", "slot";
    } parts()
}

record! {
    /// Attaches a database.
    pub struct AttachDatabase, AttachDatabaseFixed = "LRATTACHDB", 75, "log-2 §12", head() {
        1 session: SessionId, "le_procid", "session";
        3 database: DatabaseId, "dbid", "slot";
        4 size_max: u32, "le_cpgDatabaseSizeMax", "largest size in pages, 0 no limit";
        8 consistent: LogPosition, "le_lgposConsistent", "log position up to which the file was consistent";
        16 signature: Signature, "signDb", "signature of the database";
        44 log_signature: Signature, "signLog", "log signature in the database header before the attach";
        72 path_length: u16 => path, "le_cbPath", "path of the file, with terminator";
        74 flags: u8, "", "8 path in UTF-16, 0x10 sparse file";
    } parts(path)
}

impl<'a> AttachDatabase<'a> {
    /// The path as text.
    #[must_use]
    pub const fn path_text(&self) -> LoggedText<'a> {
        LoggedText { bytes: self.path, utf16: self.flags & UNICODE != 0 }
    }
}

record! {
    /// Detaches a database.
    pub struct DetachDatabase, DetachDatabaseFixed = "LRDETACHDB", 7, "log-2 §12", head() {
        1 session: SessionId, "le_procid", "session";
        3 database: DatabaseId, "dbid", "slot";
        4 path_length: u16 => path, "le_cbPath", "path of the file, with terminator";
        6 flags: u8, "", "0x10 path in UTF-16";
    } parts(path)
}

impl<'a> DetachDatabase<'a> {
    /// The path as text.
    #[must_use]
    pub const fn path_text(&self) -> LoggedText<'a> {
        LoggedText { bytes: self.path, utf16: self.flags & UNICODE_OF_DETACH != 0 }
    }
}

record! {
    /// A database that recovery kept attached is in use again.
    pub struct ReAttachDatabase, ReAttachDatabaseFixed = "LRREATTACHDB", 50, "log-2 §12", head() {
        1 size: u32 = 45, "le_cb", "bytes behind this field";
        5 database: DatabaseId, "dbid", "slot";
        6 attach: LogPosition, "le_lgposAttach", "position of its attach";
        14 consistent: LogPosition, "le_lgposConsistent", "log position up to which the file was consistent";
        22 signature: Signature, "signDb", "signature of the database";
    } parts()
}

record! {
    /// Says that a database is attached.
    pub struct SignalAttachDatabase, SignalAttachDatabaseFixed = "LRSIGNALATTACHDB", 2, "log-2 §12", head() {
        1 database: DatabaseId, "dbid", "slot";
    } parts()
}

record! {
    /// Raises the format version of a database.
    pub struct SetDatabaseVersion, SetDatabaseVersionFixed = "LRSETDBVERSION", 14, "log-2 §12", head() {
        1 database: DatabaseId, "dbid", "slot";
        2 version: u32, "le_ulDbMajorVersion", "version";
        6 update_major: u32, "le_ulDbUpdateMajor", "major update";
        10 update_minor: u32, "le_ulDbUpdateMinor", "minor update";
    } parts()
}

record! {
    /// Makes a database file larger.
    pub struct ExtendDatabase, ExtendDatabaseFixed = "LREXTENDDB", 10, "log-2 §12", head() {
        1 size: u32 = 5, "le_cb", "bytes behind this field";
        5 database: DatabaseId, "dbid", "slot";
        6 last_page: PageNumber, "le_pgnoLast", "last page of the file afterwards";
    } parts()
}

record! {
    /// Makes a database file smaller, in its two old forms.
    pub struct ShrinkDatabase, ShrinkDatabaseFixed = "LRSHRINKDB", 10, "log-2 §12", head() {
        1 database: DatabaseId, "dbid", "slot";
        2 last_page: PageNumber, "le_pgnoDbLast", "last page of the file afterwards";
        6 pages: u32, "le_cpgShrunk", "pages cut off";
    } parts()
}

record! {
    /// Makes a database file smaller.
    pub struct ShrinkDatabase3, ShrinkDatabase3Fixed = "LRSHRINKDB3", 18, "log-2 §12", head() {
        1 database: DatabaseId, "dbid", "slot";
        2 last_page: PageNumber, "le_pgnoDbLast", "last page of the file afterwards";
        6 pages: u32, "le_cpgShrunk", "pages cut off";
        10 dbtime: Dbtime, "le_dbtime", "page time";
    } parts()
}

record! {
    /// Gives the storage of unused pages back.
    pub struct TrimDatabase, TrimDatabaseFixed = "LRTRIMDB", 10, "log-2 §12", head() {
        1 database: DatabaseId, "dbid", "slot";
        2 first: PageNumber, "le_pgnoStartZeroes", "first page of the range";
        6 pages: u32, "le_cpgZeroLength", "pages";
    } parts()
}
