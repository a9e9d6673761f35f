//! The header of a log file (`log-1 §4`).

use crate::jet::JetCode;
use crate::log::attachments::{self, Attachment, AttachmentError};
use crate::log::geometry::LogGeometry;
use crate::log::parameters::Parameters;
use crate::log::version::LogVersion;
use crate::units::{Generation, LogPosition, LogTime, PageSize, Signature};
use anchorlog_checksum::{set_header_xor, verify_header_xor};

/// Bytes of the header, whatever the sector size.
pub const HEADER_SIZE: usize = 4096;
/// File type of a log.
const FILE_TYPE: u32 = 3;

layout! {
    /// Header of a log file: written once when the file is made, not shadowed.
    pub struct LogHeader = "LGFILEHDR", 4096, "log-1 §4" {
        0 checksum: u32, "le_ulChecksum", "", "XOR checksum of the header";
        4 generation: Generation, "le_lGeneration", "", "generation";
        8 sector_size: u16, "le_cbSec", "", "bytes of a sector";
        10 header_sectors: u16, "le_csecHeader", "", "sectors of the header";
        12 sectors: u16, "le_csecLGFile", "", "sectors of the file";
        14 page_size_field: u16, "le_cbPageSize", "", "database page size; 0 means 4096";
        16 created: LogTime, "tmCreate", "", "when this generation was made";
        24 previous_created: LogTime, "tmPrevGen", "", "when the generation before was made; none in the initial one";
        32 major: u32, "le_ulMajor", "", "format version: 7 or 8";
        36 minor: u32, "le_ulMinor", "", "format version: 3704 or 4000";
        40 update_major: u32, "le_ulUpdateMajor", "", "format version: major update";
        44 signature: Signature, "signLog", "", "signature of the stream";
        72 parameters: Parameters, "dbms_param", "", "parameters of the engine";
        639 flags: u8, "fLGFlags", "", "1 made from a reserve log, 2 circular logging on, 4 it was on in this or an earlier generation";
        640 checkpoint: LogPosition, "le_lgposCheckpoint", "7.3704.15", "checkpoint when the file was made";
        648 update_minor: u32, "le_ulUpdateMinor", "8.4000.4", "format version: minor update";
        652 disk_sector_mismatch: u8, "bDiskSecSizeMismatch", "8.4000.0", "0 unknown";
        653 previous_accumulated: u64, "checksumPrevLogAllSegments", "8.4000.5.13", "accumulated segment checksum of the generation before";
        661 engine_version: u32, "le_efvEngineCurrentDiagnostic", "8.4000.5", "highest format of the engine that wrote it: not the file's format";
        665 reserved: u16, "", "", "zero";
        667 file_type: u32, "le_filetype", "7.3704.5", "3 log; 0 in old files";
        671 attachment_list: [u8; 2048], "rgbAttach", "", "databases attached when the generation began";
    }
}

/// Why a file is not a log that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Fewer than 4096 bytes.
    #[error("the file is shorter than a log header")]
    TooShort,
    /// The checksum is wrong.
    #[error("the checksum of the log header is wrong")]
    Checksum,
    /// The log of an ancient engine: 500, 400 or 200.
    #[error("a log of the ancient format Jet {0}")]
    Ancient(u16),
    /// The file type is not that of a log.
    #[error("the file type in the header is {0}, not that of a log")]
    FileType(u32),
    /// A format that cannot be read.
    #[error("log format {0} cannot be read")]
    Version(LogVersion),
    /// The sector size, or the numbers of sectors, cannot be.
    #[error("the sector sizes in the log header are impossible")]
    Geometry,
    /// Another stream.
    #[error("the log belongs to another stream")]
    Signature,
    /// Another page size.
    #[error("the log is of databases with pages of {0} bytes")]
    PageSize(u32),
    /// The file is not as large as its header says, or as wanted.
    #[error("the log should have {expected} bytes and has {found}")]
    FileSize {
        /// By header or configuration.
        expected: u64,
        /// On disk.
        found: u64,
    },
    /// The name says another generation.
    #[error("the header says generation {0}, the name another")]
    Generation(Generation),
}

impl HeaderError {
    /// What Microsoft's engine says (`log-1 §4.2`).
    #[must_use]
    pub const fn jet(self) -> JetCode {
        match self {
            Self::TooShort | Self::Checksum | Self::Geometry => JetCode::LOG_FILE_CORRUPT,
            Self::Ancient(500) => JetCode::DATABASE_500_FORMAT,
            Self::Ancient(400) => JetCode::DATABASE_400_FORMAT,
            Self::Ancient(_) => JetCode::DATABASE_200_FORMAT,
            Self::FileType(_) => JetCode::FILE_INVALID_TYPE,
            Self::Version(_) => JetCode::BAD_LOG_VERSION,
            Self::Signature => JetCode::BAD_LOG_SIGNATURE,
            Self::PageSize(_) => JetCode::PAGE_SIZE_MISMATCH,
            Self::FileSize { .. } => JetCode::LOG_FILE_SIZE_MISMATCH,
            Self::Generation(_) => JetCode::LOG_GENERATION_MISMATCH,
        }
    }
}

/// What a log must agree with; what is `None` is not tested.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// Signature of the stream.
    pub signature: Option<Signature>,
    /// Page size of the databases.
    pub page_size: Option<PageSize>,
    /// Size of the file on disk.
    pub file_size: Option<u64>,
    /// Size that the stream is configured for.
    pub configured_size: Option<u64>,
    /// Generation by the file's name.
    pub generation: Option<Generation>,
}

impl LogHeader {
    /// Reads and checks a header by itself: checks 1 to 6 of `log-1 §4.2`, in their order.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(bytes: &[u8]) -> Result<Self, HeaderError> {
        let bytes = bytes.get(..HEADER_SIZE).ok_or(HeaderError::TooShort)?;
        let header = Self::read(bytes).ok_or(HeaderError::TooShort)?;
        if let Some(version) = ancient(bytes) {
            return Err(HeaderError::Ancient(version));
        }
        if !verify_header_xor(bytes) {
            return Err(HeaderError::Checksum);
        }
        if !matches!(header.file_type, 0 | FILE_TYPE) {
            return Err(HeaderError::FileType(header.file_type));
        }
        let page_size =
            PageSize::from_field(header.page_size_field.into()).ok_or(HeaderError::PageSize(header.page_size_field.into()))?;
        if !header.version().is_readable(page_size) {
            return Err(HeaderError::Version(header.version()));
        }
        if !header.geometry_is_sane() {
            return Err(HeaderError::Geometry);
        }
        Ok(header)
    }
    /// Compares with what is wanted: checks 7 to 11 of `log-1 §4.2`, in their order.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn compare(&self, expected: &Expected) -> Result<(), HeaderError> {
        if expected.signature.is_some_and(|signature| signature != self.signature) {
            return Err(HeaderError::Signature);
        }
        if expected.page_size.is_some_and(|size| Some(size) != self.page_size()) {
            return Err(HeaderError::PageSize(self.page_size().map_or(0, u32::from)));
        }
        let own = self.geometry().file_size();
        for (expected, found) in [(Some(own), expected.file_size), (expected.configured_size, Some(own))] {
            if let (Some(expected), Some(found)) = (expected, found)
                && expected != found
            {
                return Err(HeaderError::FileSize { expected, found });
            }
        }
        if expected.generation.is_some_and(|generation| generation != self.generation) {
            return Err(HeaderError::Generation(self.generation));
        }
        Ok(())
    }
    /// The format version.
    #[must_use]
    pub const fn version(&self) -> LogVersion {
        LogVersion { major: self.major, minor: self.minor, update_major: self.update_major, update_minor: self.update_minor }
    }
    /// Page size of the databases; `None` for an illegal field.
    #[must_use]
    pub fn page_size(&self) -> Option<PageSize> {
        PageSize::from_field(self.page_size_field.into())
    }
    /// How the file is cut.
    #[must_use]
    pub const fn geometry(&self) -> LogGeometry {
        LogGeometry { sector_size: self.sector_size, sectors: self.sectors, header_sectors: self.header_sectors }
    }
    /// Databases attached when the generation began.
    ///
    /// # Errors
    /// [`AttachmentError`] for a list that breaks its bounds.
    pub fn attachments(&self) -> Result<Vec<Attachment>, AttachmentError> {
        attachments::read(&self.attachment_list)
    }
    /// Position of the first record that can be in the file.
    #[must_use]
    pub const fn first_position(&self) -> LogPosition {
        LogPosition { generation: self.generation, sector: self.header_sectors, byte: 0 }
    }
    /// The header's 4096 bytes, with the right checksum.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_SIZE];
        self.write(&mut bytes);
        set_header_xor(&mut bytes);
        bytes
    }
    fn geometry_is_sane(&self) -> bool {
        let sizes = if self.version().is_legacy() { 512..=4096 } else { 4096..=4096 };
        sizes.contains(&self.sector_size)
            && self.sector_size.is_power_of_two()
            && usize::from(self.header_sectors) * usize::from(self.sector_size) == HEADER_SIZE
            && self.sectors > self.header_sectors
    }
}

/// Logs of engines of the nineties, which had other layouts.
fn ancient(bytes: &[u8]) -> Option<u16> {
    let word = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word));
    if word(24) == 4 && matches!(word(28), 909 | 995) && word(32) == 0 {
        Some(500)
    } else if word(20) == 443 && word(24) == 0 && word(28) == 0 {
        Some(400)
    } else if word(44) == 0 && word(48) == 0x0CA0_0001 {
        Some(200)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn header() -> LogHeader {
        let mut header = LogHeader::read(&[0; HEADER_SIZE]).unwrap();
        header.generation = Generation(5);
        header.sector_size = 4096;
        header.header_sectors = 1;
        header.sectors = 16;
        header.major = 8;
        header.minor = 4000;
        header.update_major = 5;
        header.update_minor = 16;
        header.file_type = 3;
        header
    }

    fn checked(change: impl Fn(&mut LogHeader)) -> Result<LogHeader, HeaderError> {
        let mut header = header();
        change(&mut header);
        LogHeader::check(&header.to_bytes())
    }

    #[test]
    fn a_header_reads_back_as_written() {
        let read = checked(|_| ()).unwrap();
        assert_eq!((read.generation, read.version().to_string()), (Generation(5), "8.4000.5.16".into()));
        assert_eq!(read.page_size(), Some(PageSize::FOUR_KIB));
    }

    #[test]
    fn the_worked_header_of_the_specification() {
        let words = [
            0xe2_u8, 0x2d, 0xea, 0x21, 1, 0, 0, 0, 0, 0x10, 1, 0, 0x10, 0, 0, 0x10, 0x2d, 0x30, 0x0b, 0x15, 0x0b, 0x7e, 0x7f,
            0x0e,
        ];
        let mut bytes = vec![0; HEADER_SIZE];
        bytes[..words.len()].copy_from_slice(&words);
        let read = LogHeader::read(&bytes).unwrap();
        assert_eq!((read.sector_size, read.header_sectors, read.sectors, read.page_size_field), (4096, 1, 16, 4096));
        assert_eq!(read.created.to_string(), "2026-11-21T11:48:45.959Z");
    }

    #[test]
    fn each_check_has_its_code() {
        let code = |result: Result<LogHeader, HeaderError>| result.unwrap_err().jet().0;
        assert_eq!(code(LogHeader::check(&[0; 100])), -501);
        assert_eq!(code(LogHeader::check(&[7; 4096])), -501);
        assert_eq!(code(checked(|header| header.file_type = 4)), -1812);
        assert_eq!(code(checked(|header| header.update_major = 131)), -514);
        assert_eq!(code(checked(|header| header.sector_size = 512)), -501);
        assert_eq!(code(checked(|header| header.page_size_field = 5000)), -1213);
        let mut ancient = vec![0; HEADER_SIZE];
        ancient[24] = 4;
        ancient[28..30].copy_from_slice(&995_u16.to_le_bytes());
        assert_eq!(code(LogHeader::check(&ancient)), -1212);
        ancient[28..30].fill(0);
        ancient[20..22].copy_from_slice(&443_u16.to_le_bytes());
        ancient[24] = 0;
        assert_eq!(code(LogHeader::check(&ancient)), -1211);
        ancient[20..22].fill(0);
        ancient[48..52].copy_from_slice(&0x0CA0_0001_u32.to_le_bytes());
        assert_eq!(code(LogHeader::check(&ancient)), -1210);
    }

    #[test]
    fn g23_a_log_of_another_size_than_its_header_says_is_refused_as_a_whole() {
        let header = header();
        let code = |expected| header.compare(&expected).unwrap_err().jet().0;
        assert_eq!(code(Expected { file_size: Some(65536 - 4096), ..Expected::default() }), -541);
        assert_eq!(code(Expected { configured_size: Some(1 << 20), ..Expected::default() }), -541);
        assert_eq!(code(Expected { signature: Some(Signature([1; 28])), file_size: Some(1), ..Expected::default() }), -530);
        assert_eq!(code(Expected { page_size: PageSize::from_field(8192), ..Expected::default() }), -1213);
        assert_eq!(code(Expected { generation: Some(Generation(6)), ..Expected::default() }), -513);
        assert_eq!(header.compare(&Expected { file_size: Some(65536), ..Expected::default() }), Ok(()));
    }

    #[test]
    fn g10_the_checksum_covers_4096_bytes_also_with_small_sectors() {
        let legacy = |header: &mut LogHeader| {
            (header.major, header.minor, header.update_major, header.update_minor) = (7, 3704, 6, 0);
            (header.sector_size, header.header_sectors, header.sectors) = (512, 8, 4096);
        };
        assert!(checked(legacy).is_ok());
        let mut header = header();
        legacy(&mut header);
        let mut bytes = header.to_bytes();
        bytes[4000] ^= 1;
        assert_eq!(LogHeader::check(&bytes), Err(HeaderError::Checksum));
    }

    #[test]
    fn g13_the_engine_version_is_not_the_format() {
        assert_eq!(checked(|header| header.engine_version = 9180).unwrap().version(), LogVersion::segmented(5, 16));
    }
}
