//! Page ranges in order, for questions of who owns what.

use anchorlog_format::space::Extent;
use anchorlog_format::units::PageNumber;

/// Ranges of pages, first and last, ascending and apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<(u32, u32)>);

impl Spans {
    /// The pages of some extents, which may overlap.
    pub(super) fn of(extents: &[Extent]) -> Self {
        Self::joined(extents.iter().filter(|extent| extent.pages > 0).map(|extent| (extent.first().0, extent.last.0)).collect())
    }
    fn joined(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }
    /// These pages and those of `others`.
    pub(super) fn union<'a>(others: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::joined(others.into_iter().flat_map(|other| other.0.iter().copied()).collect())
    }
    /// The ranges, ascending.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (PageNumber, PageNumber)> {
        self.0.iter().map(|&(first, last)| (PageNumber(first), PageNumber(last)))
    }
    /// Whether `page` is one of them.
    pub(super) fn contains(&self, page: PageNumber) -> bool {
        self.range_at(page.0).is_some_and(|(first, _)| first <= page.0)
    }
    /// Whether all pages from `first` to `last` are among them.
    pub(super) fn covers(&self, first: PageNumber, last: PageNumber) -> bool {
        self.range_at(first.0).is_some_and(|(begin, end)| begin <= first.0 && last.0 <= end)
    }
    /// The first page from `first` to `last` that is among them.
    pub(super) fn first_in(&self, first: PageNumber, last: PageNumber) -> Option<PageNumber> {
        let (begin, _) = self.range_at(first.0)?;
        let page = begin.max(first.0);
        (page <= last.0).then_some(PageNumber(page))
    }
    /// The range that `page` is in, or else the next one.
    fn range_at(&self, page: u32) -> Option<(u32, u32)> {
        let at = self.0.partition_point(|&(_, last)| last < page);
        self.0.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchorlog_format::space::Pool;

    fn spans(ranges: &[(u32, u32)]) -> Spans {
        let extents: Vec<Extent> = ranges
            .iter()
            .map(|&(first, last)| Extent { pool: Pool::General, last: PageNumber(last), pages: last + 1 - first })
            .collect();
        Spans::of(&extents)
    }

    #[test]
    fn ranges_that_touch_are_one_and_questions_are_answered_across_them() {
        let spans = spans(&[(10, 12), (5, 7), (13, 20)]);
        assert_eq!(spans.0, [(5, 7), (10, 20)]);
        assert!(spans.contains(PageNumber(5)) && spans.contains(PageNumber(20)));
        assert!(!spans.contains(PageNumber(8)) && !spans.contains(PageNumber(21)) && !spans.contains(PageNumber(1)));
        assert!(spans.covers(PageNumber(11), PageNumber(14)) && !spans.covers(PageNumber(7), PageNumber(10)));
        assert_eq!(spans.first_in(PageNumber(8), PageNumber(30)), Some(PageNumber(10)));
        assert_eq!(spans.first_in(PageNumber(8), PageNumber(9)), None);
        assert_eq!(spans.first_in(PageNumber(6), PageNumber(9)), Some(PageNumber(6)));
    }
}
