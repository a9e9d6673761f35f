//! The flush types of a database's pages: what its flush map (`.jfm`) holds (`db-1 §14`).

use anchorlog_format::units::{Dbtime, PageNumber};

/// Two bits for each page, and the highest page time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlushTypes {
    kinds: Vec<u8>,
    highest: Vec<Dbtime>,
}

/// Pages that one page of the flush map describes.
pub const PAGES_PER_MAP_PAGE: usize = 32512;

impl FlushTypes {
    /// What is known of a page: 0 unknown, 1 to 3 (trap D17: entry 0 of the map is never used).
    #[must_use]
    pub fn get(&self, page: PageNumber) -> u8 {
        self.kinds.get(page.0 as usize).copied().unwrap_or(0)
    }
    /// Notes the type of a page.
    pub fn set(&mut self, page: PageNumber, kind: u8, dbtime: Dbtime) {
        let at = page.0 as usize;
        if self.kinds.len() <= at {
            self.kinds.resize(at + 1, 0);
        }
        self.kinds[at] = kind & 3;
        let map_page = at / PAGES_PER_MAP_PAGE;
        if self.highest.len() <= map_page {
            self.highest.resize(map_page + 1, Dbtime(0));
        }
        self.highest[map_page] = self.highest[map_page].max(dbtime);
    }
    /// The type that the next write of a page carries: 1, 2, 3 in turn, from the map's or else the page's present type.
    pub fn advance(&mut self, page: PageNumber, on_page: u8, dbtime: Dbtime) -> u8 {
        let known = self.get(page);
        let present = if known == 0 { on_page } else { known };
        let next = if present >= 3 { 1 } else { present + 1 };
        self.set(page, next, dbtime);
        next
    }
    /// A page that reads as zero has no type.
    pub fn forget(&mut self, page: PageNumber) {
        if let Some(kind) = self.kinds.get_mut(page.0 as usize) {
            *kind = 0;
        }
    }
    /// Pages behind the new end of the file have no type.
    pub fn truncate(&mut self, pages: u32) {
        self.kinds.truncate(pages as usize + 1);
    }
    /// Types of the pages from number 0 on.
    #[must_use]
    pub fn kinds(&self) -> &[u8] {
        &self.kinds
    }
    /// The highest page time that a page of the map stands for.
    #[must_use]
    pub fn highest(&self, map_page: usize) -> Dbtime {
        self.highest.get(map_page).copied().unwrap_or_default()
    }
}
