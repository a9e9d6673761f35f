//! What a file is, by its content and never by its name (`db-1 §4.1`, `log-1 §4`, `§11`).

use crate::restore::environment;
use anchorlog_checksum::{PageVerdict, verify_header_xor, verify_page};
use anchorlog_format::database::flush_map::{FlushMapHeader, MapFault};
use anchorlog_format::database::header::HEADER_MAGIC;
use anchorlog_format::database::{Copies, FileType, HeaderPage};
use anchorlog_format::layout::get_at;
use anchorlog_format::log::checkpoint::{Checkpoint, CheckpointError, Copies as CheckpointCopies};
use anchorlog_format::log::header::{HEADER_SIZE, HeaderError, LogHeader};
use anchorlog_format::log::legacy;
use anchorlog_format::units::PageSize;
use anchorlog_storage::{File, Folder};
use std::io;
use std::path::{Path, PathBuf};

/// A file and what it is.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Path below the folder.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// What it is.
    pub content: Content,
}

impl Identified {
    /// The file's own name.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// What a file's content says that it is.
#[derive(Clone, Debug)]
pub enum Content {
    /// A database with a header that can be read.
    Database {
        /// The elected header.
        page: Box<HeaderPage>,
        /// What its copies are worth.
        copies: Copies,
    },
    /// A database of which neither header copy holds.
    DamagedDatabase {
        /// The page size, when anything still tells it.
        page_size: Option<PageSize>,
    },
    /// The obsolete streaming file of Exchange 2000 and 2003.
    StreamingFile,
    /// A log with a header that can be read.
    Log(Box<LogHeader>),
    /// A log whose header cannot be used.
    DamagedLog(HeaderError),
    /// A checkpoint.
    Checkpoint(Box<Checkpoint>, CheckpointCopies),
    /// A checkpoint that cannot be read.
    DamagedCheckpoint(CheckpointError),
    /// A flush map.
    FlushMap(Box<FlushMapHeader>),
    /// A flush map that cannot be used.
    DamagedFlushMap(MapFault),
    /// A file kept ready for a log: a reserve log, or the next one, filled and not begun.
    Prepared,
    /// What a restore wrote down.
    RestoreEnvironment,
    /// A revert snapshot.
    RevertSnapshot,
    /// Not one byte.
    Empty,
    /// None of these.
    Unknown,
}

impl Content {
    /// What it is, in a few words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Database { page, .. } if page.header.is_temporary() => "temporary database".into(),
            Self::Database { .. } => "database".into(),
            Self::DamagedDatabase { .. } => "database with a damaged header".into(),
            Self::StreamingFile => "streaming file".into(),
            Self::Log(header) => format!("transaction log {}", header.version()),
            Self::DamagedLog(error) => format!("transaction log that cannot be used: {error}"),
            Self::Checkpoint(..) => "checkpoint".into(),
            Self::DamagedCheckpoint(_) => "damaged checkpoint".into(),
            Self::FlushMap(_) => "flush map".into(),
            Self::DamagedFlushMap(fault) => format!("flush map that cannot be used: {fault}"),
            Self::Prepared => "prepared log (reserve or temporary), not begun".into(),
            Self::RestoreEnvironment => "restore environment".into(),
            Self::RevertSnapshot => "revert snapshot".into(),
            Self::Empty => "empty file".into(),
            Self::Unknown => "unknown".into(),
        }
    }

    /// Whether the file belongs to the family at all.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown | Self::Empty)
    }
}

/// Reads the start of a file and says what it is.
///
/// # Errors
/// Any error of the storage.
pub fn identify(folder: &dyn Folder, path: &Path) -> io::Result<Identified> {
    let file = folder.open(path)?;
    let size = file.size()?;
    Ok(Identified { path: path.to_owned(), size, content: content_of(&*file, size)? })
}

/// What an open file is.
///
/// # Errors
/// Any error of the storage.
pub fn content_of(file: &dyn File, size: u64) -> io::Result<Content> {
    let mut start = vec![0; HeaderPage::ELECTION_BYTES];
    let read = file.read_at(0, &mut start)?;
    start.truncate(read);
    if start.is_empty() {
        return Ok(Content::Empty);
    }
    if let Some(content) = by_checksum(&start) {
        return Ok(content);
    }
    if let Some(content) = by_what_is_left(&start) {
        return Ok(content);
    }
    if environment::is_environment(&start) {
        return Ok(Content::RestoreEnvironment);
    }
    if is_fill(&start) {
        return Ok(if size >= HEADER_SIZE as u64 { Content::Prepared } else { Content::Unknown });
    }
    Ok(match page_size_of_valid_pages(&start) {
        Some(page_size) => Content::DamagedDatabase { page_size: Some(page_size) },
        None => Content::Unknown,
    })
}

/// Files whose header holds.
fn by_checksum(start: &[u8]) -> Option<Content> {
    if let Ok((page, copies)) = HeaderPage::elect(start)
        && page.header.magic == HEADER_MAGIC
    {
        let streaming = page.header.attribute == 1 || page.header.file_type == FileType::StreamingFile;
        return Some(if streaming { Content::StreamingFile } else { Content::Database { page: Box::new(page), copies } });
    }
    match LogHeader::check(start) {
        Ok(header) => return Some(Content::Log(Box::new(header))),
        Err(error @ (HeaderError::Ancient(_) | HeaderError::PageSize(_) | HeaderError::Geometry)) if looks_like_log(start) => {
            return Some(Content::DamagedLog(error));
        }
        Err(error @ HeaderError::Version(_)) if file_type(start) == FileType::Log => return Some(Content::DamagedLog(error)),
        Err(_) => {}
    }
    match FlushMapHeader::from_page(start) {
        Ok(header) => return Some(Content::FlushMap(Box::new(header))),
        Err(fault @ MapFault::Version(..)) => return Some(Content::DamagedFlushMap(fault)),
        Err(_) => {}
    }
    if let Ok(checkpoint) = Checkpoint::check(start)
        && (file_type(start) == FileType::Checkpoint
            || (!checkpoint.signature.is_none() && checkpoint.position.generation.0 != 0))
    {
        return Some(Content::Checkpoint(Box::new(checkpoint), Checkpoint::copies(start)));
    }
    let header = start.get(..HEADER_SIZE)?;
    (file_type(start) == FileType::RevertSnapshot && verify_header_xor(header)).then_some(Content::RevertSnapshot)
}

/// Files whose header is damaged, told by the fields that are left.
fn by_what_is_left(start: &[u8]) -> Option<Content> {
    let magic_of = |at: usize| get_at::<u32>(start, at + 4) == Some(HEADER_MAGIC);
    let sizes = || PageSize::ALL.into_iter().filter(|size| magic_of(size.bytes()));
    if magic_of(0) || sizes().next().is_some() {
        let field = |at: usize| get_at::<u32>(start, at + 236).and_then(PageSize::from_field);
        let by_shadow = sizes().find(|size| field(size.bytes()) == Some(*size));
        let page_size = by_shadow.or_else(|| page_size_of_valid_pages(start)).or_else(|| field(0));
        return Some(Content::DamagedDatabase { page_size });
    }
    if looks_like_log(start) {
        return Some(Content::DamagedLog(LogHeader::check(start).err().unwrap_or(HeaderError::Checksum)));
    }
    match file_type(start) {
        FileType::FlushMap => Some(Content::DamagedFlushMap(MapFault::Corrupt)),
        FileType::Checkpoint => Some(Content::DamagedCheckpoint(CheckpointError::Corrupt)),
        _ => None,
    }
}

fn file_type(start: &[u8]) -> FileType {
    get_at::<FileType>(start, anchorlog_format::database::file_type::FILE_TYPE_OFFSET).unwrap_or(FileType::Unstated)
}

fn looks_like_log(start: &[u8]) -> bool {
    LogHeader::read(start).is_some_and(|header| matches!((header.major, header.minor), (8, 4000) | (7, 3704)))
}

/// Zeros, or the pattern that older engines fill logs with before use.
fn is_fill(start: &[u8]) -> bool {
    start.iter().all(|&byte| byte == 0) || legacy::is_fill(start)
}

/// The page size at which the first pages behind both header copies have checksums that hold.
fn page_size_of_valid_pages(start: &[u8]) -> Option<PageSize> {
    PageSize::ALL.into_iter().find(|size| {
        let valid = |number: usize| {
            let page = start.get((number + 1) * size.bytes()..(number + 2) * size.bytes());
            page.is_some_and(|page| {
                u32::try_from(number).is_ok_and(|number| matches!(verify_page(page, number), PageVerdict::Valid(_)))
            })
        };
        valid(1) && (valid(2) || size.bytes() > 16_384)
    })
}
