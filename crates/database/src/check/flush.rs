//! The flush map against the pages of its database: a page that is older than the map knows was lost on its way to the disk
//! (`db-1 §14.5`, rule I6).

use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_format::database::flush_map::{FlushMapHeader, FlushMapPage, FlushType, MAP_PAGE, MapFault, entry_of, flush_type};
use anchorlog_format::database::{DatabaseHeader, DatabaseState};
use anchorlog_format::page::Page;
use anchorlog_format::units::{Dbtime, PageNumber};
use anchorlog_storage::File;
use std::io;
use std::sync::Arc;

/// The flush map of a clean database, itself closed well and of the same state: only such a pair tells anything (trap D29).
#[derive(Clone)]
pub struct FlushMap {
    file: Arc<dyn File>,
}

impl FlushMap {
    /// A map that can be held against a database with this header; `None` where nothing could be said: the database is not clean, or
    /// the map was not closed well.
    ///
    /// # Errors
    /// Why the map is not to be used although the database is clean.
    pub fn of(file: Arc<dyn File>, database: &DatabaseHeader) -> io::Result<Result<Option<Self>, MapFault>> {
        if database.state != DatabaseState::CleanShutdown {
            return Ok(Ok(None));
        }
        let mut head = vec![0; MAP_PAGE];
        let read = file.read_at(0, &mut head)?;
        head.truncate(read);
        Ok(FlushMapHeader::from_page(&head).and_then(|header| {
            header.accept_for(database)?;
            Ok(header.is_clean().then_some(Self { file }))
        }))
    }
    /// Reads the map page by page, as pages are asked for.
    pub(super) fn window(&self) -> Window {
        Window { file: Arc::clone(&self.file), number: None, bytes: vec![0; MAP_PAGE], usable: false, highest: Dbtime(0) }
    }
}

/// One data page of the map.
pub(super) struct Window {
    file: Arc<dyn File>,
    number: Option<u32>,
    bytes: Vec<u8>,
    usable: bool,
    highest: Dbtime,
}

impl Window {
    /// Whether a write of the page was lost; `image` is what is in the file, and `zero` says that all of it is.
    pub(super) fn lost(&mut self, number: PageNumber, image: &[u8], zero: bool) -> bool {
        let (map_page, entry) = entry_of(number);
        if self.number != Some(map_page) {
            self.number = Some(map_page);
            self.usable = self.load(map_page);
        }
        let known = if self.usable { flush_type(&self.bytes, entry) } else { FlushType::Unknown };
        if known == FlushType::Unknown {
            return false;
        }
        zero || Page::new(image).is_some_and(|page| {
            let own = FlushType::from_bits(page.flags().flush_type());
            own != FlushType::Unknown && own != known && page.dbtime() <= self.highest
        })
    }
    /// A page of the map that cannot be read or does not hold tells nothing.
    fn load(&mut self, number: u32) -> bool {
        let offset = (u64::from(number) + 1) * u64::try_from(MAP_PAGE).unwrap_or(0);
        let whole = self.file.read_at(offset, &mut self.bytes).is_ok_and(|read| read == MAP_PAGE);
        self.highest = FlushMapPage::read(&self.bytes).map(|page| page.highest_dbtime).unwrap_or_default();
        whole && matches!(verify_page(&self.bytes, number), PageVerdict::Valid(_))
    }
}
