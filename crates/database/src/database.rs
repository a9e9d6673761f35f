//! An open database: header, pages, and where everything begins.

use crate::cache::{DropAny, PageCache, PageFault, PageImage};
use crate::check::rule::HEADER;
use crate::error::Error;
use anchorlog_format::database::header::{Copies, HeaderPage};
use anchorlog_format::finding::Place;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{PageNumber, PageSize};
use anchorlog_storage::File;
use std::sync::Arc;

/// Memory for pages where the caller has no wish of its own: 64 MiB.
pub const CACHE_BYTES: usize = 64 << 20;

/// A database that is read. Its state (clean or dirty) does not matter here; damage shows where it is met.
pub struct Database {
    name: String,
    header: HeaderPage,
    copies: Copies,
    pages: u32,
    bytes: u64,
    cache: PageCache,
}

impl Database {
    /// Opens a file whose name in messages is `name`, with at most `memory` bytes of pages in the cache.
    ///
    /// # Errors
    /// Where neither copy of the header holds, or the file is no database of a known format.
    pub fn open(name: impl Into<String>, file: Arc<dyn File>, memory: usize) -> Result<Self, Error> {
        let name = name.into();
        let at = |jet, message: String| Error::new(Place::file(name.clone()), jet, message);
        let io = |error: std::io::Error| at(PageFault::Io(String::new()).jet(), format!("cannot be read: {error}"));
        let start = start_of(&*file).map_err(io)?;
        let (header, copies) = HeaderPage::elect(&start).map_err(|fault| at(fault.jet(), fault.to_string()).with_rule(HEADER))?;
        header.header.check_kind().map_err(|fault| at(fault.jet(), fault.to_string()).with_rule(HEADER))?;
        let size = file.size().map_err(io)?;
        let pages = pages_of(size, header.page_size());
        let cache = PageCache::new(file, header.page_size(), memory, DropAny);
        Ok(Self { name, header, copies, pages, bytes: size, cache })
    }
    /// Its name in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The header that was elected.
    #[must_use]
    pub const fn header(&self) -> &HeaderPage {
        &self.header
    }
    /// What the two copies of the header are worth.
    #[must_use]
    pub const fn copies(&self) -> Copies {
        self.copies
    }
    /// Page size.
    #[must_use]
    pub const fn page_size(&self) -> PageSize {
        self.header.page_size()
    }
    /// Whole pages in the file, the two header pages not counted.
    #[must_use]
    pub const fn pages(&self) -> u32 {
        self.pages
    }
    /// Bytes of the file.
    #[must_use]
    pub const fn file_bytes(&self) -> u64 {
        self.bytes
    }
    /// A verified page.
    ///
    /// # Errors
    /// Where it cannot be read or is damaged.
    pub fn page(&self, number: PageNumber) -> Result<PageImage, Error> {
        self.cache.get(number).map_err(|fault| self.page_error(number, fault.jet(), fault.to_string()))
    }
    /// The cache through which its pages come.
    #[must_use]
    pub const fn cache(&self) -> &PageCache {
        &self.cache
    }
    /// The database as a place.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::file(self.name.clone())
    }
    /// An error on a page.
    pub(crate) fn page_error(&self, number: PageNumber, jet: JetCode, message: impl Into<String>) -> Error {
        Error::new(self.place().page(number), jet, message)
    }
}

/// The bytes in which both copies of the header lie. What cannot be read is left zero, as long as something can: a bad sector must not take
/// a copy along that is whole.
fn start_of(file: &dyn File) -> std::io::Result<Vec<u8>> {
    let mut start = vec![0; HeaderPage::ELECTION_BYTES];
    match file.read_at(0, &mut start) {
        Ok(read) => start.truncate(read),
        Err(error) => {
            let size = PageSize::ALL[0];
            let pieces = start.chunks_mut(size.bytes()).zip((0..).step_by(size.bytes()));
            let read = pieces.filter_map(|(piece, offset)| file.read_at(offset, piece).ok()).count();
            if read == 0 {
                return Err(error);
            }
        }
    }
    Ok(start)
}

fn pages_of(bytes: u64, size: PageSize) -> u32 {
    u32::try_from((bytes / size.bytes_u64()).saturating_sub(2)).unwrap_or(u32::MAX)
}
