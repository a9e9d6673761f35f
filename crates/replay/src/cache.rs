//! The pages of the databases being replayed: a cache of stated size over their files.
//!
//! Replay of copies that are published whole lets a changed page go to its file at any time. Two kinds of run may not: recovery without
//! undo, where a page may hold a change whose before image the log lacks (trap V39), and recovery in place, where a crash must find
//! files that the next run completes. Both keep evicted pages in a side file, and the database as it was, its size included, until
//! [`PageCache::release`]: so no page is written before its records are durable, before the header knows of its generation, or while
//! undo still needs what stands in the file (`log-6 §7.1` #1 to #3, traps X7, X8).

use crate::flush::FlushMap;
use crate::hash::Map;
use anchorlog_checksum::{self as checksum, PageVerdict};
use anchorlog_format::page::{Page, PageEditor, PageFlags};
use anchorlog_format::units::{DatabaseId, Dbtime, PageNumber, PageSize};
use anchorlog_storage::File;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

/// Pages that are worth a thread of their own.
const PAGES_MIN: usize = 256;

/// What a page turned out to be when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A page image, checked.
    Present,
    /// All bytes are zero: never initialised (-1019).
    Zero,
    /// Behind the end of the file (-4001).
    BeyondEnd,
    /// Its checksum is wrong and cannot be corrected (-1018).
    Damaged,
    /// Its checksum is right, but its structure breaks a rule (-1206): nothing may be changed on it.
    Unsound,
    /// It was written for another place (-1118).
    WrongNumber,
}

/// One database as the cache sees it.
struct Backing {
    file: Arc<dyn File>,
    size: PageSize,
    /// Data pages that the file holds.
    pages: u32,
    flush: FlushMap,
    /// Pages kept out of the file until the end: where each lies in the side file.
    held: Option<Held>,
}

struct Held {
    side: Arc<dyn File>,
    slots: Map<PageNumber, u64>,
    /// Where the next slot goes.
    end: u64,
    /// Pages of the file that still count: it was cut to so many meanwhile, and may have grown again.
    kept: u32,
    /// Whether all changed pages are in the side file, as they go to the database.
    sealed: bool,
}

struct Frame {
    image: Box<[u8]>,
    dirty: bool,
    used: bool,
}

/// A page of a database.
pub(crate) type Key = (DatabaseId, PageNumber);

/// A page that was taken out of the cache, or where it is to be read.
pub(crate) enum CheckedOut {
    /// Its image, and whether it differs from the file.
    Here { image: Box<[u8]>, dirty: bool },
    /// Not in memory: where its newest image lies.
    There { file: Arc<dyn File>, offset: u64, length: usize },
    /// Behind the end of the file.
    BeyondEnd,
}

/// Page images of several databases, at most the stated number of bytes at rest.
pub struct PageCache {
    backings: Map<DatabaseId, Backing>,
    frames: Map<Key, Frame>,
    clock: VecDeque<Key>,
    bytes: usize,
    limit: usize,
    /// Threads that write pages at the end.
    pub(crate) threads: usize,
    /// Page images written, for the report.
    written: u64,
}

impl PageCache {
    /// A cache of at most `limit` bytes of page images; at least 64 pages are always kept, so that the largest record fits.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            backings: Map::default(),
            frames: Map::default(),
            clock: VecDeque::new(),
            bytes: 0,
            threads: 1,
            limit: limit.max(64 * PageSize::FOUR_KIB.bytes()),
            written: 0,
        }
    }
    /// Page images written to database files so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }
    /// Opens a database; with a side file its changed pages stay out of `file` until [`Self::release`].
    ///
    /// # Errors
    /// Any error of the file.
    pub fn attach(
        &mut self,
        database: DatabaseId,
        file: Arc<dyn File>,
        size: PageSize,
        flush: FlushMap,
        side: Option<Arc<dyn File>>,
    ) -> io::Result<()> {
        let pages = pages_of(file.size()?, size);
        let held = side.map(|side| Held { side, slots: Map::default(), end: 0, kept: pages, sealed: false });
        self.backings.insert(database, Backing { file, size, pages, flush, held });
        Ok(())
    }
    /// Closes a database; pages not written are forgotten. Returns the flush types that its pages carry.
    pub fn detach(&mut self, database: DatabaseId) -> Option<FlushMap> {
        self.discard(database, |_| true);
        Some(self.backings.remove(&database)?.flush)
    }
    /// Data pages in the file.
    #[must_use]
    pub fn pages(&self, database: DatabaseId) -> u32 {
        self.backings.get(&database).map_or(0, |backing| backing.pages)
    }

    /// Brings a page in and says what it is.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn lookup(&mut self, database: DatabaseId, page: PageNumber) -> io::Result<Lookup> {
        if let Some(frame) = self.frames.get_mut(&(database, page)) {
            frame.used = true;
            return Ok(if Page::new(&frame.image).is_some_and(|page| page.is_zero()) { Lookup::Zero } else { Lookup::Present });
        }
        let Some(backing) = self.backings.get(&database) else { return Ok(Lookup::BeyondEnd) };
        if page.is_none() || page.0 > backing.pages {
            return Ok(Lookup::BeyondEnd);
        }
        let mut image = vec![0; backing.size.bytes()].into_boxed_slice();
        if let Some((file, offset)) = backing.place(page)
            && file.read_at(offset, &mut image)? < image.len()
        {
            return Ok(Lookup::BeyondEnd);
        }
        let verdict = judge(&mut image, page);
        if verdict == Lookup::Present
            && let (Some(backing), Some(read)) = (self.backings.get_mut(&database), Page::new(&image))
        {
            backing.flush.meet(page, read.flags(), read.dbtime());
        }
        if matches!(verdict, Lookup::Present | Lookup::Zero) {
            self.insert((database, page), Frame { image, dirty: false, used: true })?;
        }
        Ok(verdict)
    }
    /// A page that [`Self::lookup`] brought in.
    #[must_use]
    pub fn page(&self, database: DatabaseId, page: PageNumber) -> Option<Page<'_>> {
        Page::new(&self.frames.get(&(database, page))?.image)
    }
    /// Takes a page out while a window of records is redone; [`Self::check_in`] brings it back.
    pub(crate) fn check_out(&mut self, key: Key) -> CheckedOut {
        if let Some(frame) = self.frames.get_mut(&key).filter(|frame| !frame.image.is_empty()) {
            frame.used = true;
            self.bytes -= frame.image.len();
            return CheckedOut::Here { image: std::mem::take(&mut frame.image), dirty: frame.dirty };
        }
        let Some(backing) = self.backings.get(&key.0).filter(|backing| !key.1.is_none() && key.1.0 <= backing.pages) else {
            return CheckedOut::BeyondEnd;
        };
        let length = backing.size.bytes();
        match backing.place(key.1) {
            Some((file, offset)) => CheckedOut::There { file: file.clone(), offset, length },
            None => CheckedOut::Here { image: vec![0; length].into_boxed_slice(), dirty: false },
        }
    }
    /// Makes room for pages of so many bytes: those that are checked out, and those that they will become.
    ///
    /// # Errors
    /// Any error of a file.
    pub(crate) fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        while self.bytes.saturating_add(bytes) > self.limit && self.evict_one(None)? {}
        Ok(())
    }
    /// A page that was checked out turned out to be sound when it was read.
    pub(crate) fn met(&mut self, key: Key, flags: PageFlags, dbtime: Dbtime) {
        if let Some(backing) = self.backings.get_mut(&key.0) {
            backing.flush.meet(key.1, flags, dbtime);
        }
    }
    /// Brings a page back, or in.
    pub(crate) fn check_in(&mut self, key: Key, image: Box<[u8]>, dirty: bool) {
        if dirty && let Some(backing) = self.backings.get_mut(&key.0) {
            // Engines of old grew the file by touching a new page.
            backing.pages = backing.pages.max(key.1.0);
        }
        self.keep(key, Frame { image, dirty, used: true });
    }
    /// Bytes of page images at most.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }
    /// Takes a page out for a change; [`Self::put`] brings it back.
    pub fn take(&mut self, database: DatabaseId, page: PageNumber) -> Option<Box<[u8]>> {
        let frame = self.frames.get_mut(&(database, page)).filter(|frame| !frame.image.is_empty())?;
        self.bytes -= frame.image.len();
        Some(std::mem::take(&mut frame.image))
    }
    /// A zero image for a page that is about to be made.
    #[must_use]
    pub fn blank(&self, database: DatabaseId) -> Option<Box<[u8]>> {
        Some(vec![0; self.backings.get(&database)?.size.bytes()].into_boxed_slice())
    }
    /// Puts a changed page in.
    ///
    /// # Errors
    /// Any error of a file, while another page makes room.
    pub fn put(&mut self, database: DatabaseId, page: PageNumber, image: Box<[u8]>) -> io::Result<()> {
        if let Some(backing) = self.backings.get_mut(&database) {
            // Engines of old grew the file by touching a new page.
            backing.pages = backing.pages.max(page.0);
        }
        self.insert((database, page), Frame { image, dirty: true, used: true })
    }
    /// Whether a page in memory differs from the file.
    #[must_use]
    pub fn is_dirty(&self, database: DatabaseId, page: PageNumber) -> bool {
        self.frames.get(&(database, page)).is_some_and(|frame| frame.dirty)
    }

    /// Sets the file to exactly `pages` data pages; what lay behind is forgotten.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn resize(&mut self, database: DatabaseId, pages: u32) -> io::Result<()> {
        self.discard(database, |page| page.0 > pages);
        let Some(backing) = self.backings.get_mut(&database) else { return Ok(()) };
        match &mut backing.held {
            Some(held) => {
                held.slots.retain(|page, _| page.0 <= pages);
                held.kept = held.kept.min(pages);
            }
            None => backing.file.set_size(backing.size.file_size(pages))?,
        }
        backing.pages = pages;
        backing.flush.truncate(PageNumber(pages));
        Ok(())
    }
    /// Forgets what lies behind the last page that the database owns. The file is cut by the caller, once nothing needs that any more.
    pub fn trim(&mut self, database: DatabaseId, pages: u32) {
        self.discard(database, |page| page.0 > pages);
        let Some(backing) = self.backings.get_mut(&database) else { return };
        if let Some(held) = &mut backing.held {
            held.slots.retain(|page, _| page.0 <= pages);
        }
        backing.pages = pages;
        backing.flush.truncate(PageNumber(pages));
    }
    /// Makes pages read as never initialised.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn zero(&mut self, database: DatabaseId, pages: &Range<PageNumber>) -> io::Result<()> {
        self.discard(database, |page| pages.contains(&page));
        let Some(backing) = self.backings.get(&database) else { return Ok(()) };
        let (bytes, end) = (backing.size.bytes(), pages.end.0.min(backing.pages.saturating_add(1)));
        for page in (pages.start.0..end).map(PageNumber) {
            let image = vec![0; bytes].into_boxed_slice();
            self.insert((database, page), Frame { image, dirty: true, used: false })?;
        }
        Ok(())
    }
    /// Puts every changed page of a database into its side file, as it will go to the database, and returns the pages by slot
    /// ([`PageNumber::default`] where a slot is of no use). Pages for which `keep_out` holds are forgotten: they keep their older image.
    /// Nothing where there is no side file.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn seal(&mut self, database: DatabaseId, keep_out: impl Fn(PageNumber) -> bool) -> io::Result<Vec<PageNumber>> {
        let pages = self.changed(database, keep_out);
        let Some(backing) = self.backings.get_mut(&database) else { return Ok(Vec::new()) };
        let mut image = vec![0; backing.size.bytes()];
        for page in pages {
            let frame = self.frames.get_mut(&(database, page)).filter(|frame| frame.dirty);
            let image = match frame {
                Some(frame) => &mut frame.image[..],
                None => {
                    let Some((file, offset)) = backing.place(page) else { continue };
                    file.read_at(offset, &mut image)?;
                    &mut image[..]
                }
            };
            backing.finish(page, image);
            backing.set_aside(page, image)?;
        }
        let Some(held) = &mut backing.held else { return Ok(Vec::new()) };
        held.sealed = true;
        let mut by_slot = Vec::new();
        for (&page, &slot) in &held.slots {
            let slot = usize::try_from(slot / backing.size.bytes_u64()).unwrap_or(usize::MAX);
            if by_slot.len() <= slot {
                by_slot.resize(slot + 1, PageNumber::default());
            }
            by_slot[slot] = page;
        }
        Ok(by_slot)
    }
    /// Writes every changed page of a database to its file, ascending. With a side file, the pages kept there as well, but not
    /// those for which `keep_out` holds: they keep their older image.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn release(&mut self, database: DatabaseId, keep_out: impl Fn(PageNumber) -> bool) -> io::Result<()> {
        let pages = self.changed(database, keep_out);
        let Some(backing) = self.backings.get_mut(&database) else { return Ok(()) };
        if let Some(held) = &backing.held {
            let there = pages_of(backing.file.size()?, backing.size);
            if held.kept < there && held.kept < backing.pages {
                backing.file.set_size(backing.size.file_size(held.kept))?;
            }
            if held.kept < backing.pages {
                backing.file.set_size(backing.size.file_size(backing.pages))?;
            }
        }
        let Some(held) = &backing.held else {
            self.written += pages.len() as u64;
            return backing.write_all(database, &mut self.frames, self.threads);
        };
        let sealed = held.sealed;
        for page in pages {
            if let Some(frame) = self.frames.get_mut(&(database, page)).filter(|frame| frame.dirty) {
                if !sealed {
                    backing.finish(page, &mut frame.image);
                }
                backing.file.write_at(backing.size.offset_of(page), &frame.image)?;
                frame.dirty = false;
            } else if let Some((file, offset)) = backing.place(page) {
                let mut image = vec![0; backing.size.bytes()];
                file.read_at(offset, &mut image)?;
                if !sealed {
                    backing.finish(page, &mut image);
                }
                backing.file.write_at(backing.size.offset_of(page), &image)?;
            }
            self.written += 1;
        }
        if let Some(held) = &mut backing.held {
            (held.kept, held.sealed) = (backing.pages, false);
            held.slots.clear();
        }
        Ok(())
    }
    /// Changed pages, ascending; those for which `keep_out` holds are forgotten.
    fn changed(&mut self, database: DatabaseId, keep_out: impl Fn(PageNumber) -> bool) -> Vec<PageNumber> {
        let slots = self.backings.get(&database).and_then(|backing| Some(&backing.held.as_ref()?.slots));
        let dirty = self.frames.iter().filter(|((owner, _), frame)| *owner == database && frame.dirty);
        let dirty = dirty.map(|((_, page), _)| *page);
        let mut pages: Vec<PageNumber> = dirty.chain(slots.into_iter().flat_map(|slots| slots.keys().copied())).collect();
        pages.sort_unstable();
        pages.dedup();
        pages.retain(|&page| {
            let keep = !keep_out(page);
            if !keep {
                if let Some(frame) = self.frames.remove(&(database, page)) {
                    self.bytes -= frame.image.len();
                }
                if let Some(held) = self.backings.get_mut(&database).and_then(|backing| backing.held.as_mut()) {
                    held.slots.remove(&page);
                }
            }
            keep
        });
        pages
    }

    fn insert(&mut self, key: Key, frame: Frame) -> io::Result<()> {
        self.keep(key, frame);
        while self.bytes > self.limit && self.evict_one(Some(key))? {}
        Ok(())
    }
    fn keep(&mut self, key: Key, frame: Frame) {
        self.bytes += frame.image.len();
        match self.frames.insert(key, frame) {
            Some(old) => self.bytes -= old.image.len(),
            None => self.clock.push_back(key),
        }
    }
    /// Gives one page up, by the clock's second chance; `keep` is the page just put in.
    fn evict_one(&mut self, keep: Option<Key>) -> io::Result<bool> {
        for _ in 0..=2 * self.clock.len() {
            let Some(key) = self.clock.pop_front() else { return Ok(false) };
            let Some(frame) = self.frames.get_mut(&key) else { continue };
            if frame.used || Some(key) == keep || frame.image.is_empty() {
                frame.used = false;
                self.clock.push_back(key);
                continue;
            }
            if let Some(mut frame) = self.frames.remove(&key) {
                self.bytes -= frame.image.len();
                if frame.dirty
                    && let Some(backing) = self.backings.get_mut(&key.0)
                {
                    self.written += 1;
                    backing.write_out(key.1, &mut frame.image)?;
                }
            }
            return Ok(true);
        }
        Ok(false)
    }
    fn discard(&mut self, database: DatabaseId, gone: impl Fn(PageNumber) -> bool) {
        let bytes = &mut self.bytes;
        self.frames.retain(|(owner, page), frame| {
            let keep = *owner != database || !gone(*page);
            if !keep {
                *bytes -= frame.image.len();
            }
            keep
        });
    }
}

impl Backing {
    /// Where the newest image of a page lies; `None` where it is all zero: the file was cut, and grew again.
    fn place(&self, page: PageNumber) -> Option<(&Arc<dyn File>, u64)> {
        match &self.held {
            Some(held) => match held.slots.get(&page) {
                Some(&slot) => Some((&held.side, slot)),
                None => (page.0 <= held.kept).then(|| (&self.file, self.size.offset_of(page))),
            },
            None => Some((&self.file, self.size.offset_of(page))),
        }
    }
    /// An evicted page: to the side file while there is one, else to the database.
    fn write_out(&mut self, page: PageNumber, image: &mut [u8]) -> io::Result<()> {
        if self.held.is_some() {
            sum_up(image, page);
            return self.set_aside(page, image);
        }
        self.finish(page, image);
        self.file.write_at(self.size.offset_of(page), image)
    }
    /// Writes the changed pages of a database, ascending, on each thread a part.
    fn write_all(&mut self, database: DatabaseId, frames: &mut Map<Key, Frame>, threads: usize) -> io::Result<()> {
        let changed = frames.iter_mut().filter(|((owner, _), frame)| *owner == database && frame.dirty);
        let mut images: Vec<(PageNumber, &mut [u8])> = changed
            .map(|((_, page), frame)| {
                frame.dirty = false;
                (*page, &mut frame.image[..])
            })
            .collect();
        images.sort_unstable_by_key(|(page, _)| *page);
        for (page, image) in &mut images {
            self.turn_flush_type(*page, image);
        }
        let (file, size) = (&self.file, self.size);
        let write = |part: &mut [(PageNumber, &mut [u8])]| {
            part.iter_mut().try_for_each(|(page, image)| {
                sum_up(image, *page);
                file.write_at(size.offset_of(*page), image)
            })
        };
        let part = images.len().div_ceil(threads).max(PAGES_MIN);
        thread::scope(|scope| {
            let mut parts = images.chunks_mut(part);
            let own = parts.next();
            let others: Vec<_> = parts.map(|part| scope.spawn(move || write(part))).collect();
            let own = own.map_or(Ok(()), write);
            // The first error in the order of the file, whichever came first.
            others.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).fold(own, io::Result::and)
        })
    }
    fn set_aside(&mut self, page: PageNumber, image: &[u8]) -> io::Result<()> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let slot = *held.slots.entry(page).or_insert(held.end);
        held.end = held.end.max(slot + self.size.bytes_u64());
        held.side.write_at(slot, image)
    }
    /// What a page gets when it is written: its flush type, and a checksum that holds. A page that was trimmed stays zero.
    fn finish(&mut self, page: PageNumber, image: &mut [u8]) {
        self.turn_flush_type(page, image);
        sum_up(image, page);
    }
    fn turn_flush_type(&mut self, page: PageNumber, image: &mut [u8]) {
        if is_zero(image) {
            self.flush.forget(page);
            return;
        }
        if let Some(now) = Page::new(image) {
            let next = self.flush.advance(page, now);
            let flags = now.flags().with_flush_type(next.bits());
            if let Some(mut editor) = PageEditor::new(image) {
                editor.set_flags(flags);
            }
        }
    }
}

/// Gives an image a checksum that holds, unless it is zero.
fn sum_up(image: &mut [u8], page: PageNumber) {
    if !is_zero(image) {
        checksum::set_page_checksum(image, page.0);
    }
}

fn is_zero(image: &[u8]) -> bool {
    Page::new(image).is_some_and(|page| page.is_zero())
}

pub(crate) fn pages_of(bytes: u64, size: PageSize) -> u32 {
    u32::try_from((bytes / size.bytes_u64()).saturating_sub(2)).unwrap_or(u32::MAX)
}

/// Judges a page as it came from the file; single flipped bits are corrected in memory (`db-2 §3`).
pub(crate) fn judge(image: &mut [u8], number: PageNumber) -> Lookup {
    match checksum::verify_page(image, number.0) {
        PageVerdict::Valid(_) => {}
        PageVerdict::Uninitialised => return Lookup::Zero,
        PageVerdict::Correctable(_) => {
            // A correction counts only when the page is sound afterwards (trap D11 of db-2).
            let corrected = checksum::correct_page(image, number.0).is_some();
            if !corrected || Page::new(image).is_none_or(|page| page.check().is_err()) {
                return Lookup::Damaged;
            }
        }
        PageVerdict::OtherPage { .. } => return Lookup::WrongNumber,
        _ => return Lookup::Damaged,
    }
    match Page::new(image).and_then(|page| page.number()) {
        Some(own) if own != number => Lookup::WrongNumber,
        _ if Page::new(image).is_none_or(|page| page.check().is_err()) => Lookup::Unsound,
        _ => Lookup::Present,
    }
}
