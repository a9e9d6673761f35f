//! What the space trees say of a database's size (`db-3 §7`, `db-1 §2.1`).

use crate::cache::PageCache;
use crate::error::{ReplayError, Result};
use crate::seek;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{DatabaseId, PageNumber};

/// Root of the tree of extents that the database owns.
const OWNED_ROOT: PageNumber = PageNumber(2);

/// The last page of the database: of the last extent that its root owns. `None` where the database has no such tree yet.
///
/// # Errors
/// −1206 for a damaged space tree, and the errors of reading pages.
pub fn last_owned_page(cache: &mut PageCache, database: DatabaseId) -> Result<Option<PageNumber>> {
    if cache.pages(database) < OWNED_ROOT.0 {
        return Ok(None);
    }
    let corrupt = |page: PageNumber, reason: &str| {
        ReplayError::new(JetCode::DATABASE_CORRUPTED, format!("the tree of owned extents: {reason}")).page(page)
    };
    let mut number = OWNED_ROOT;
    for _ in 0..seek::DEPTH_MAX {
        let page = seek::read(cache, database, number)?;
        let leaf = page.flags().is_leaf();
        let mut found = None;
        for line in (0..page.lines()).rev() {
            let node = page.line(line).map_err(|fault| corrupt(number, &fault.to_string()))?;
            if leaf && node.flags.is_deleted() {
                continue;
            }
            let mut key = Vec::new();
            page.key(&node, &mut key).map_err(|fault| corrupt(number, &fault.to_string()))?;
            found = Some((key, node.child()));
            break;
        }
        match (leaf, found) {
            (true, Some((key, _))) => {
                let last =
                    <[u8; 4]>::try_from(key.as_slice()).map_err(|_| corrupt(number, "an extent key that is not four bytes"))?;
                return Ok(Some(PageNumber(u32::from_be_bytes(last))));
            }
            (true, None) => return Ok(None),
            (false, Some((_, Some(child)))) => number = child,
            (false, _) => return Err(corrupt(number, "an inner page without a child")),
        }
    }
    Err(corrupt(number, "it is deeper than any engine builds"))
}
