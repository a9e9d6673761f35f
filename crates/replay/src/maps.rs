//! Redo maps: pages that redo found missing, too old or reverted, while a later record may still explain it (`log-4 §5`).

use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Dbtime, LogPosition, PageNumber};
use std::collections::BTreeMap;
use std::ops::Range;

/// Why a page is in a map. In this order they are judged: the last kind that is left decides the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Beyond the end of the file, uninitialised, or fabricated for a shrink.
    Zeroed,
    /// Older than the record expects.
    TooOld,
    /// Zeroed by a snapshot revert.
    Reverted,
    /// Zeroed by a snapshot revert, in a tree that may only be deleted: never an error.
    RevertedIgnored,
}

/// What was found first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record that met the page.
    pub position: LogPosition,
    /// The error that stands if nothing explains the page.
    pub error: JetCode,
    /// Page time found.
    pub found: Dbtime,
    /// Page time expected.
    pub expected: Dbtime,
}

/// The four maps of one database.
#[derive(Clone, Debug, Default)]
pub struct RedoMaps {
    maps: [BTreeMap<PageNumber, Entry>; 4],
}

impl RedoMaps {
    /// Whether later records on the page are passed over: every reason but [`Reason::TooOld`] (trap V20).
    #[must_use]
    pub fn skips(&self, page: PageNumber) -> bool {
        [Reason::Zeroed, Reason::Reverted, Reason::RevertedIgnored].iter().any(|&reason| self.map(reason).contains_key(&page))
    }
    /// The maps in which a page stands, a bit for each [`Reason`].
    #[must_use]
    pub fn noted(&self, page: PageNumber) -> u8 {
        let map = |reason: Reason| u8::from(self.map(reason).contains_key(&page)) << reason as u8;
        [Reason::Zeroed, Reason::TooOld, Reason::Reverted, Reason::RevertedIgnored].into_iter().map(map).sum()
    }
    /// Whether nothing is noted: checkpoint and required range may move only then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.maps.iter().all(BTreeMap::is_empty)
    }
    /// Notes a page; a page that is noted keeps its first entry.
    pub fn note(&mut self, reason: Reason, page: PageNumber, entry: Entry) {
        self.map_mut(reason).entry(page).or_insert(entry);
    }
    /// A file-size or trim record explains these pages.
    pub fn clear_absent(&mut self, pages: &Range<PageNumber>) {
        self.clear(Reason::Zeroed, pages);
        self.clear(Reason::TooOld, pages);
    }
    /// A freed extent explains reverted pages.
    pub fn clear_freed(&mut self, pages: &Range<PageNumber>) {
        self.clear(Reason::Reverted, pages);
        self.clear(Reason::RevertedIgnored, pages);
    }
    /// A freed page of a merge, an emptied tree or a page move explains a reverted page.
    pub fn clear_reverted(&mut self, page: PageNumber) {
        self.map_mut(Reason::Reverted).remove(&page);
    }
    /// The end of the required range, or of redo: whatever is still noted is an error, and the entry that decides is returned.
    ///
    /// # Errors
    /// The oldest entry of the last map that is not empty.
    pub fn verify(&mut self) -> Result<(), (PageNumber, Entry)> {
        self.map_mut(Reason::RevertedIgnored).clear();
        let worst = [Reason::Reverted, Reason::TooOld, Reason::Zeroed].into_iter().find(|&reason| !self.map(reason).is_empty());
        match worst.and_then(|reason| self.map(reason).iter().min_by_key(|(_, entry)| entry.position)) {
            Some((&page, &entry)) => Err((page, entry)),
            None => Ok(()),
        }
    }

    /// Empties the maps: the pages that no record explained, the one that decides the error first, then by page.
    pub fn take_unexplained(&mut self) -> Vec<(PageNumber, Entry)> {
        let Err(first) = self.verify() else { return Vec::new() };
        let mut rest: BTreeMap<PageNumber, Entry> = BTreeMap::new();
        for map in &mut self.maps {
            for (page, entry) in std::mem::take(map) {
                rest.entry(page).or_insert(entry);
            }
        }
        rest.remove(&first.0);
        std::iter::once(first).chain(rest).collect()
    }

    fn map(&self, reason: Reason) -> &BTreeMap<PageNumber, Entry> {
        &self.maps[reason as usize]
    }
    fn map_mut(&mut self, reason: Reason) -> &mut BTreeMap<PageNumber, Entry> {
        &mut self.maps[reason as usize]
    }
    fn clear(&mut self, reason: Reason, pages: &Range<PageNumber>) {
        if pages.is_empty() {
            return;
        }
        let gone: Vec<PageNumber> = self.map(reason).range(pages.clone()).map(|(&page, _)| page).collect();
        for page in gone {
            self.map_mut(reason).remove(&page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(byte: u16, error: i32) -> Entry {
        Entry { position: LogPosition::new(1, 1, byte), error: JetCode(error), found: Dbtime(1), expected: Dbtime(2) }
    }

    #[test]
    fn v20_pages_that_are_too_old_are_not_passed_over() {
        let mut maps = RedoMaps::default();
        maps.note(Reason::TooOld, PageNumber(7), entry(1, -566));
        assert!(!maps.skips(PageNumber(7)));
        maps.note(Reason::Zeroed, PageNumber(8), entry(2, -1019));
        assert!(maps.skips(PageNumber(8)));
    }

    #[test]
    fn the_first_entry_of_a_page_is_kept() {
        let mut maps = RedoMaps::default();
        maps.note(Reason::Zeroed, PageNumber(7), entry(1, -1019));
        maps.note(Reason::Zeroed, PageNumber(7), entry(2, -4001));
        assert_eq!(maps.verify(), Err((PageNumber(7), entry(1, -1019))));
    }

    #[test]
    fn a_shrink_explains_pages_behind_the_new_end() {
        let mut maps = RedoMaps::default();
        maps.note(Reason::Zeroed, PageNumber(7), entry(1, -1019));
        maps.note(Reason::TooOld, PageNumber(9), entry(2, -566));
        maps.clear_absent(&PageNumber(7).extent(2));
        assert_eq!(maps.verify(), Err((PageNumber(9), entry(2, -566))));
        maps.clear_absent(&PageNumber(1).onwards());
        assert_eq!(maps.verify(), Ok(()));
    }

    #[test]
    fn an_extent_explains_as_many_pages_as_it_has_and_none_behind_it() {
        let noted = || {
            let mut maps = RedoMaps::default();
            for page in 7..=9 {
                maps.note(Reason::Reverted, PageNumber(page), entry(1, -1123));
                maps.note(Reason::Zeroed, PageNumber(page), entry(2, -1019));
            }
            maps
        };
        let mut freed = noted();
        freed.clear_freed(&PageNumber(7).extent(2));
        assert_eq!(freed.verify(), Err((PageNumber(9), entry(1, -1123))));
        freed.clear_absent(&PageNumber(7).extent(2));
        freed.clear_freed(&PageNumber(9).extent(1));
        assert_eq!(freed.verify(), Err((PageNumber(9), entry(2, -1019))));
        let mut nothing = noted();
        nothing.clear_freed(&PageNumber(7).extent(0));
        assert_eq!(nothing.verify(), Err((PageNumber(7), entry(1, -1123))));
    }

    #[test]
    fn the_last_map_that_is_not_empty_decides() {
        let mut maps = RedoMaps::default();
        maps.note(Reason::Reverted, PageNumber(3), entry(9, -1123));
        maps.note(Reason::Zeroed, PageNumber(7), entry(1, -1019));
        assert_eq!(maps.verify(), Err((PageNumber(3), entry(9, -1123))));
    }
}
