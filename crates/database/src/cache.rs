//! A cache of page images over one file, with bounded memory.
//!
//! Readers get a page as an [`Arc`]: dropping it from the cache never takes it from whoever holds it. What may be dropped, and what has to
//! happen first (writing a dirty page, for example), is the business of the [`Eviction`] that the cache's user supplies.

use crate::error::DISK_IO;
use anchorlog_checksum::{PageVerdict, correct_page, verify_page};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Fault, Page};
use anchorlog_format::units::{PageNumber, PageSize};
use anchorlog_storage::File;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A page's bytes, shared with the cache.
pub type PageImage = Arc<[u8]>;

/// Why a page cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageFault {
    /// The storage failed.
    Io(String),
    /// The file ends before the page does, or it is no page's number.
    BeyondEnd,
    /// All bytes are zero: never written.
    Uninitialised,
    /// The checksum does not hold and is not that of one flipped bit; for whom the bytes were written, where they are whole.
    Checksum(Option<PageNumber>),
    /// A large page that carries another number.
    Number(PageNumber),
    /// The structure breaks a rule (`db-2 §16`).
    Structure(Fault),
}

impl PageFault {
    /// The code that Microsoft's engine gives.
    #[must_use]
    pub const fn jet(&self) -> JetCode {
        match self {
            Self::Io(_) => DISK_IO,
            Self::BeyondEnd => JetCode::FILE_IO_BEYOND_EOF,
            Self::Uninitialised => JetCode::PAGE_NOT_INITIALIZED,
            Self::Checksum(_) => JetCode::READ_VERIFY_FAILURE,
            Self::Number(_) => JetCode::READ_PGNO_VERIFY_FAILURE,
            Self::Structure(_) => JetCode::DATABASE_CORRUPTED,
        }
    }
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::BeyondEnd => f.write_str("the file ends before this page"),
            Self::Uninitialised => f.write_str("the page was never written: all its bytes are zero"),
            Self::Checksum(None) => f.write_str("the checksum does not hold"),
            Self::Checksum(Some(number)) => write!(f, "the checksum does not hold: the bytes are those of page {number}"),
            Self::Number(number) => write!(f, "the page carries the number {number}"),
            Self::Structure(fault) => write!(f, "the page's structure is broken: {fault}"),
        }
    }
}

/// Verifies a page image, turning a single flipped bit back where the checksum locates it (`db-2 §3`, trap D11).
///
/// # Errors
/// [`PageFault`]: what Microsoft's engine would refuse the page for.
pub fn verify_image(image: &mut [u8], number: PageNumber) -> Result<(), PageFault> {
    match verify_page(image, number.0) {
        PageVerdict::Valid(_) => {}
        PageVerdict::Uninitialised => return Err(PageFault::Uninitialised),
        PageVerdict::OtherPage { number } => return Err(PageFault::Number(PageNumber(number))),
        PageVerdict::Damaged(damage) => return Err(PageFault::Checksum(damage.written_for.map(PageNumber))),
        PageVerdict::NotAPage => return Err(PageFault::BeyondEnd),
        PageVerdict::Correctable(_) => {
            let mut corrected = image.to_vec();
            // A double flip can look like a single one: only a sound page proves the correction.
            if correct_page(&mut corrected, number.0).is_none() || structure(&corrected).is_err() {
                return Err(PageFault::Checksum(None));
            }
            image.copy_from_slice(&corrected);
        }
    }
    structure(image)
}

/// Checks the structure of a page whose checksum is known to hold.
///
/// # Errors
/// [`PageFault::Structure`].
pub fn structure(image: &[u8]) -> Result<(), PageFault> {
    Page::new(image).ok_or(PageFault::BeyondEnd)?.check().map_err(PageFault::Structure)
}

/// Decides about pages that the cache would drop to make room.
pub trait Eviction: Send + Sync {
    /// Whether the page may go now; an implementation that writes dirty pages writes it first and then says yes.
    ///
    /// # Errors
    /// What kept the page from being written; the page stays.
    fn release(&self, number: PageNumber, image: &PageImage) -> io::Result<bool>;
}

/// For readers: any page may go at any time.
#[derive(Clone, Copy, Debug, Default)]
pub struct DropAny;

impl Eviction for DropAny {
    fn release(&self, _number: PageNumber, _image: &PageImage) -> io::Result<bool> {
        Ok(true)
    }
}

/// Verified page images of one file, at most as many as its memory allows (and always at least [`LEAST_PAGES`]).
///
/// Pages that nobody asked for since the hand of the clock last passed are dropped first. Where the [`Eviction`] lets none go, the cache
/// grows beyond its size rather than fail.
pub struct PageCache<E: Eviction = DropAny> {
    file: Arc<dyn File>,
    size: PageSize,
    capacity: usize,
    eviction: E,
    frames: Mutex<Frames>,
}

/// Pages that a cache holds however small it was asked to be: one for each level of the deepest tree, twice.
pub const LEAST_PAGES: usize = 16;

#[derive(Default)]
struct Frames {
    places: HashMap<PageNumber, usize>,
    clock: Vec<Frame>,
    hand: usize,
}

struct Frame {
    number: PageNumber,
    image: PageImage,
    /// Asked for since the hand last passed.
    used: bool,
}

impl<E: Eviction> PageCache<E> {
    /// A cache of at most `memory` bytes of page images.
    pub fn new(file: Arc<dyn File>, size: PageSize, memory: usize, eviction: E) -> Self {
        let capacity = (memory / size.bytes()).max(LEAST_PAGES);
        Self { file, size, capacity, eviction, frames: Mutex::default() }
    }
    /// Page size of the file.
    #[must_use]
    pub const fn page_size(&self) -> PageSize {
        self.size
    }
    /// Pages in the cache now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.frames().clock.len()
    }
    /// A verified page.
    ///
    /// # Errors
    /// [`PageFault`]. Damaged pages are not kept: each call reads and verifies again.
    pub fn get(&self, number: PageNumber) -> Result<PageImage, PageFault> {
        if let Some(image) = self.frames().find(number) {
            return Ok(image);
        }
        let mut bytes = self.read(number)?;
        verify_image(&mut bytes, number)?;
        let image = PageImage::from(bytes);
        let mut frames = self.frames();
        // Another thread may have brought the page meanwhile; there must be one image only.
        if let Some(image) = frames.find(number) {
            return Ok(image);
        }
        self.insert(&mut frames, number, &image)?;
        Ok(image)
    }
    /// The bytes in the file, whatever they are; not kept.
    ///
    /// # Errors
    /// [`PageFault::Io`] and [`PageFault::BeyondEnd`].
    pub fn read(&self, number: PageNumber) -> Result<Vec<u8>, PageFault> {
        if number.is_none() {
            return Err(PageFault::BeyondEnd);
        }
        let mut bytes = vec![0; self.size.bytes()];
        match self.file.read_at(self.size.offset_of(number), &mut bytes) {
            Ok(read) if read == bytes.len() => Ok(bytes),
            Ok(_) => Err(PageFault::BeyondEnd),
            Err(error) => Err(PageFault::Io(error.to_string())),
        }
    }

    /// Fills `buffer` with the pages from `first` on as they are in the file, past the cache; returns the whole pages read, fewer than
    /// fit only at the end of the file.
    ///
    /// # Errors
    /// Any error of the storage.
    pub fn read_run(&self, first: PageNumber, buffer: &mut [u8]) -> io::Result<usize> {
        if first.is_none() {
            return Ok(0);
        }
        Ok(self.file.read_at(self.size.offset_of(first), buffer)? / self.size.bytes())
    }

    fn insert(&self, frames: &mut Frames, number: PageNumber, image: &PageImage) -> Result<(), PageFault> {
        let frame = Frame { number, image: Arc::clone(image), used: true };
        let place = if frames.clock.len() < self.capacity { None } else { self.victim(frames)? };
        match place {
            Some(place) => {
                let old = std::mem::replace(&mut frames.clock[place], frame);
                frames.places.remove(&old.number);
                frames.places.insert(number, place);
            }
            None => {
                frames.places.insert(number, frames.clock.len());
                frames.clock.push(frame);
            }
        }
        Ok(())
    }
    /// Goes round the clock at most twice: once to take the marks of use away, once to find a page that may go.
    fn victim(&self, frames: &mut Frames) -> Result<Option<usize>, PageFault> {
        for _ in 0..2 * frames.clock.len() {
            let place = frames.hand % frames.clock.len();
            frames.hand = place + 1;
            let frame = &mut frames.clock[place];
            if std::mem::take(&mut frame.used) {
                continue;
            }
            match self.eviction.release(frame.number, &frame.image) {
                Ok(true) => return Ok(Some(place)),
                Ok(false) => {}
                Err(error) => return Err(PageFault::Io(error.to_string())),
            }
        }
        Ok(None)
    }
    fn frames(&self) -> MutexGuard<'_, Frames> {
        // A thread that panicked held a cache of immutable images: nothing in it can be half done.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Frames {
    fn find(&mut self, number: PageNumber) -> Option<PageImage> {
        let place = *self.places.get(&number)?;
        let frame = self.clock.get_mut(place)?;
        frame.used = true;
        Some(Arc::clone(&frame.image))
    }
}
