//! Finding a node by its bookmark: undo looks a node up anew, for splits and merges may have moved it (`db-3 §4`).

use crate::cache::{Lookup, PageCache};
use crate::error::{ReplayError, Result};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Fault, Page};
use anchorlog_format::units::{DatabaseId, PageNumber};
use std::cmp::Ordering;

/// Levels of a tree at most (`cBTMaxDepth`): a deeper chain is a circle.
pub(crate) const DEPTH_MAX: usize = 8;

/// What identifies a node: its key, and where keys are not unique its data.
#[derive(Clone, Copy, Debug)]
pub struct Bookmark<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The data, in trees whose keys are not unique; empty otherwise.
    pub data: &'a [u8],
    /// Whether the key alone is the bookmark.
    pub unique: bool,
}

/// The leaf page and the line of a node.
///
/// # Errors
/// −1206 where the tree does not lead to it, −1018 and −1019 for pages that cannot be read.
pub fn find(cache: &mut PageCache, database: DatabaseId, root: PageNumber, bookmark: Bookmark<'_>) -> Result<(PageNumber, u16)> {
    let mut number = root;
    for _ in 0..DEPTH_MAX {
        let page = read(cache, database, number)?;
        let damaged = |fault: Fault| corrupt(number, &fault.to_string());
        if page.flags().is_leaf() {
            let line = lower_bound(&page, |page, line| compare_leaf(page, line, bookmark)).map_err(damaged)?;
            let found = line < page.lines() && compare_leaf(&page, line, bookmark).map_err(damaged)? == Ordering::Equal;
            return if found {
                Ok((number, line))
            } else {
                Err(corrupt(number, "the node to be undone is not where its tree leads to"))
            };
        }
        // A separator equal to the bookmark has it in the child behind (trap D10).
        let line = lower_bound(&page, |page, line| match compare_separator(page, line, bookmark)? {
            Ordering::Equal => Ok(Ordering::Less),
            other => Ok(other),
        })
        .map_err(damaged)?;
        let node = page.line(line).map_err(damaged)?;
        number = node.child().ok_or_else(|| corrupt(number, "an inner node does not hold a page number"))?;
    }
    Err(corrupt(root, "the tree is deeper than any engine builds"))
}

pub(crate) fn read(cache: &mut PageCache, database: DatabaseId, number: PageNumber) -> Result<Page<'_>> {
    let jet = match cache.lookup(database, number)? {
        Lookup::Present => None,
        Lookup::Zero => Some(JetCode::PAGE_NOT_INITIALIZED),
        Lookup::BeyondEnd => Some(JetCode::FILE_IO_BEYOND_EOF),
        Lookup::Damaged => Some(JetCode::READ_VERIFY_FAILURE),
        Lookup::Unsound => Some(JetCode::DATABASE_CORRUPTED),
        Lookup::WrongNumber => Some(JetCode::READ_PGNO_VERIFY_FAILURE),
    };
    match (jet, cache.page(database, number)) {
        (None, Some(page)) => Ok(page),
        (jet, _) => {
            let jet = jet.unwrap_or(JetCode::DATABASE_CORRUPTED);
            Err(ReplayError::new(jet, format!("page {number}, which undo needs, cannot be read")).page(number))
        }
    }
}

/// The first line that is not less.
fn lower_bound(
    page: &Page<'_>,
    compare: impl Fn(&Page<'_>, u16) -> std::result::Result<Ordering, Fault>,
) -> std::result::Result<u16, Fault> {
    let (mut low, mut high) = (0, page.lines());
    while low < high {
        let middle = low + (high - low) / 2;
        if compare(page, middle)? == Ordering::Less {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn compare_leaf(page: &Page<'_>, line: u16, bookmark: Bookmark<'_>) -> std::result::Result<Ordering, Fault> {
    let node = page.line(line)?;
    let by_key = page.compare_key(&node, bookmark.key)?;
    Ok(if bookmark.unique { by_key } else { by_key.then_with(|| node.data.cmp(bookmark.data)) })
}

/// Separators are compared with key and data as one string (trap D29); the empty one is plus infinity (trap D11).
fn compare_separator(page: &Page<'_>, line: u16, bookmark: Bookmark<'_>) -> std::result::Result<Ordering, Fault> {
    let node = page.line(line)?;
    if node.key_length() == 0 {
        return Ok(Ordering::Greater);
    }
    if bookmark.unique {
        return page.compare_key(&node, bookmark.key);
    }
    let whole = [bookmark.key, bookmark.data].concat();
    page.compare_key(&node, &whole)
}

fn corrupt(page: PageNumber, reason: &str) -> ReplayError {
    ReplayError::new(JetCode::DATABASE_CORRUPTED, format!("page {page}: {reason}")).page(page)
}
