//! Sets of pages, one bit each.

use anchorlog_format::units::PageNumber;

/// A set of pages of one file.
pub(super) struct PageSet {
    words: Vec<u64>,
    pages: u32,
}

impl PageSet {
    /// An empty set for a file of `pages` pages.
    pub(super) fn new(pages: u32) -> Self {
        let words = usize::try_from(pages / 64 + 1).unwrap_or(0);
        Self { words: vec![0; words], pages }
    }
    /// Adds a page; whether it was not there before. Pages beyond the file are never there.
    pub(super) fn insert(&mut self, page: PageNumber) -> bool {
        let Some((word, bit)) = self.place(page) else { return true };
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }
    /// Whether the page is there.
    pub(super) fn contains(&self, page: PageNumber) -> bool {
        self.place(page).is_some_and(|(word, bit)| self.words[word] & bit != 0)
    }
    /// Adds those of 64 pages, from `first` on, whose bits are set; `first` is one above a multiple of 64.
    pub(super) fn insert_word(&mut self, first: PageNumber, word: u64) {
        let at = usize::try_from(first.0.saturating_sub(1) / 64).unwrap_or(usize::MAX);
        if let Some(place) = self.words.get_mut(at) {
            *place |= word;
        }
    }
    /// The pages, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = PageNumber> {
        (0..).zip(&self.words).filter(|(_, word)| **word != 0).flat_map(|(at, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit: u32| PageNumber(at * 64 + bit + 1))
        })
    }
    /// Pages in the set.
    pub(super) fn len(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn place(&self, page: PageNumber) -> Option<(usize, u64)> {
        let index = page.0.checked_sub(1).filter(|_| page.0 <= self.pages)?;
        let word = usize::try_from(index / 64).ok()?;
        (word < self.words.len()).then_some((word, 1 << (index % 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_there_once_they_were_added_and_pages_beyond_the_file_never_are() {
        let mut set = PageSet::new(130);
        assert!(set.insert(PageNumber(1)) && set.insert(PageNumber(130)));
        assert!(!set.insert(PageNumber(130)));
        assert!(set.contains(PageNumber(1)) && !set.contains(PageNumber(2)));
        assert!(set.insert(PageNumber(131)) && !set.contains(PageNumber(131)));
        assert!(set.insert(PageNumber(0)) && !set.contains(PageNumber(0)));
        assert_eq!(set.len(), 2);
        set.insert_word(PageNumber(65), 0b101);
        assert_eq!(set.iter().map(|page| page.0).collect::<Vec<_>>(), [1, 65, 67, 130]);
    }
}
