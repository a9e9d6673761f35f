//! Pages for those who walk trees: read past the cache, many in one call where they lie in a row, and verified no more than needed.

use super::pages::PageSet;
use crate::cache::{PageFault, structure, verify_image};
use crate::database::Database;
use anchorlog_format::page::{Fault, Page};
use anchorlog_format::units::PageNumber;

/// Bytes read at once.
const READ: usize = 256 << 10;

/// A page whose lines can be read, and what is wrong with its keys.
pub(super) type Sound<'s> = (&'s [u8], Option<Fault>);

/// Reads pages into a buffer of its own.
pub(super) struct Source<'d> {
    database: &'d Database,
    /// Pages whose checksums were found to hold.
    good: &'d PageSet,
    buffer: Vec<u8>,
    first: PageNumber,
    /// Whole pages in the buffer.
    pages: usize,
}

impl<'d> Source<'d> {
    pub(super) fn new(database: &'d Database, good: &'d PageSet) -> Self {
        Self { database, good, buffer: Vec::new(), first: PageNumber::NONE, pages: 0 }
    }
    /// A verified page, or one of which only the keys are wrong, and what is wrong with them. `ahead` are the pages that will be asked for next: those that follow in the file are read along with it.
    pub(super) fn page(&mut self, number: PageNumber, ahead: impl Iterator<Item = PageNumber>) -> Result<Sound<'_>, PageFault> {
        let size = self.database.page_size().bytes();
        if !self.holds(number) {
            self.read(number, ahead, size)?;
        }
        let at = usize::try_from(number.0 - self.first.0).unwrap_or(0) * size;
        let image = &mut self.buffer[at..at + size];
        let verified = if self.good.contains(number) { structure(image) } else { verify_image(image, number) };
        match verified {
            Err(PageFault::Structure(fault)) if fault.is_of_keys() && Page::new(image).is_some_and(is_readable) => {
                Ok((image, Some(fault)))
            }
            verified => verified.map(|()| (&*image, None)),
        }
    }

    fn holds(&self, number: PageNumber) -> bool {
        let at = number.0.checked_sub(self.first.0).and_then(|at| usize::try_from(at).ok());
        at.is_some_and(|at| at < self.pages)
    }
    fn read(&mut self, number: PageNumber, ahead: impl Iterator<Item = PageNumber>, size: usize) -> Result<(), PageFault> {
        let most = (READ / size).max(1);
        let follows = ahead.zip(1_u32..).take_while(|(next, at)| Some(next.0) == number.0.checked_add(*at)).count();
        let wanted = (1 + follows).min(most) * size;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        self.pages = 0;
        self.first = number;
        let read = self.database.cache().read_run(number, &mut self.buffer[..wanted]);
        match read {
            Ok(0) => Err(PageFault::BeyondEnd),
            Ok(pages) => {
                self.pages = pages;
                Ok(())
            }
            // A page of a run may be readable although another is not.
            Err(_) if wanted > size => {
                let one = self.database.cache().read_run(number, &mut self.buffer[..size]);
                self.pages = one.map_err(|error| PageFault::Io(error.to_string()))?;
                if self.pages == 0 { Err(PageFault::BeyondEnd) } else { Ok(()) }
            }
            Err(error) => Err(PageFault::Io(error.to_string())),
        }
    }
}

fn is_readable(page: Page<'_>) -> bool {
    page.check_layout().is_ok()
}
