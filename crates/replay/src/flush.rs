//! The flush map of a database (`.jfm`, `db-1 §14`) while its pages are being replayed.

use anchorlog_checksum::{PageVerdict, set_page_checksum, verify_page};
use anchorlog_format::database::flush_map::{
    FlushMapHeader, FlushMapPage, FlushType, MAP_PAGE, entry_of, flush_type, map_pages_for, set_flush_type,
};
use anchorlog_format::database::header::DatabaseHeader;
use anchorlog_format::page::{Page, PageFlags};
use anchorlog_format::units::{Dbtime, PageNumber};
use anchorlog_storage::File;
use std::io;

/// The data pages of a flush map: two bits for each database page.
#[derive(Clone, Debug, Default)]
pub struct FlushMap {
    pages: Vec<Vec<u8>>,
    /// It was not closed: pages of its required range may be newer than it knows.
    behind: bool,
}

impl FlushMap {
    /// Reads the map that belongs to a database of `last` pages; a map that is missing, damaged or of another moment counts as empty, and so does each
    /// of its pages: that costs only the power to detect lost writes.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn load(file: &dyn File, database: &DatabaseHeader, last: PageNumber) -> io::Result<(Self, Option<FlushMapHeader>)> {
        let mut page = vec![0; MAP_PAGE];
        let read = file.read_at(0, &mut page)?;
        let header = FlushMapHeader::from_page(&page[..read]).ok().filter(|header| header.accept_for(database).is_ok());
        let Some(header) = header else { return Ok((Self::default(), None)) };
        // What lies behind the pages of the database is of no use, however long the file is.
        let count = (file.size()? / MAP_PAGE as u64).saturating_sub(1).min(map_pages_for(last).into());
        let mut pages = Vec::new();
        for number in 0..u32::try_from(count).unwrap_or(0) {
            let mut page = vec![0; MAP_PAGE];
            file.read_at((u64::from(number) + 1) * MAP_PAGE as u64, &mut page)?;
            let known = matches!(verify_page(&page, number), PageVerdict::Valid(_));
            pages.push(if known { page } else { blank(number) });
        }
        Ok((Self { pages, behind: !header.is_clean() }, Some(header)))
    }
    /// What is known of a page.
    #[must_use]
    pub fn get(&self, page: PageNumber) -> FlushType {
        let (number, entry) = entry_of(page);
        self.pages.get(number as usize).map_or(FlushType::Unknown, |page| flush_type(page, entry))
    }
    /// A page is read from its file: where the map was not closed, the page knows better (`log-5 §18`).
    pub fn meet(&mut self, page: PageNumber, flags: PageFlags, dbtime: Dbtime) {
        if self.behind && self.get(page).bits() != flags.flush_type() {
            self.set(page, FlushType::from_bits(flags.flush_type()), dbtime);
        }
    }
    /// The type that the next write of a page carries: rock, paper, scissors in turn, from the map's or else the page's present type.
    pub fn advance(&mut self, page: PageNumber, image: Page<'_>) -> FlushType {
        let known = self.get(page);
        let present = if known == FlushType::Unknown { FlushType::from_bits(image.flags().flush_type()) } else { known };
        let next = present.next();
        // Times that are no times stand for no type.
        if image.dbtime() >= Dbtime::REVERTED_ROOT {
            self.set(page, FlushType::Unknown, Dbtime(0));
            return FlushType::Unknown;
        }
        self.set(page, next, image.dbtime());
        next
    }
    /// Forgets a page: it reads as zero now.
    pub fn forget(&mut self, page: PageNumber) {
        if self.get(page) != FlushType::Unknown {
            self.set(page, FlushType::Unknown, Dbtime(0));
        }
    }
    /// Forgets all pages behind the new end of the file.
    pub fn truncate(&mut self, last: PageNumber) {
        let keep = map_pages_for(last) as usize;
        self.pages.truncate(keep);
        let (number, entry) = entry_of(last);
        if let Some(page) = self.pages.get_mut(number as usize) {
            for entry in entry + 1..anchorlog_format::database::flush_map::PAGES_PER_MAP_PAGE {
                set_flush_type(page, entry, FlushType::Unknown);
            }
        }
    }
    /// Writes pages and header and makes them durable; the header comes last, so that it never speaks for pages of before.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn store(&self, file: &dyn File, header: &FlushMapHeader, last: PageNumber) -> io::Result<()> {
        let count = map_pages_for(last).max(u32::try_from(self.pages.len()).unwrap_or(u32::MAX));
        file.set_size((u64::from(count) + 1) * MAP_PAGE as u64)?;
        for number in 0..count {
            let mut page = self.pages.get(number as usize).cloned().unwrap_or_else(|| blank(number));
            set_page_checksum(&mut page, number);
            file.write_at((u64::from(number) + 1) * MAP_PAGE as u64, &page)?;
        }
        file.sync()?;
        file.write_at(0, &header.to_page())?;
        file.sync()
    }

    fn set(&mut self, page: PageNumber, kind: FlushType, dbtime: Dbtime) {
        let (number, entry) = entry_of(page);
        while self.pages.len() <= number as usize {
            let next = u32::try_from(self.pages.len()).unwrap_or(u32::MAX);
            self.pages.push(blank(next));
        }
        if let Some(page) = self.pages.get_mut(number as usize) {
            set_flush_type(page, entry, kind);
            let highest = FlushMapPage::read(page).map_or(Dbtime(0), |head| head.highest_dbtime).max(dbtime);
            FlushMapPage::new(number, highest).write(page);
        }
    }
}

fn blank(number: u32) -> Vec<u8> {
    let mut page = vec![0; MAP_PAGE];
    FlushMapPage::new(number, Dbtime(0)).write(&mut page);
    page
}
