//! Page images inside records: the page as it was before a split or merge, or the page that a move carried (`log-2 §17`).

use super::ApplyError;
use anchorlog_format::data::compression;
use anchorlog_format::log::record::{BeforeImage, PageMove};
use anchorlog_format::page::{Page, PageEditor};
use anchorlog_format::units::{Dbtime, PageNumber, PageSize};

/// The image of a page before a split or merge, with the page time it had then: as logged it carries the time after (trap G55).
///
/// # Errors
/// [`ApplyError`] with −107 where it is not one page, or another page.
pub fn before(image: &BeforeImage<'_>, page: PageNumber, dbtime: Dbtime, size: PageSize) -> Result<Box<[u8]>, ApplyError> {
    let wrong =
        |reason: &str| ApplyError::new(crate::error::INTERNAL_ERROR, page, format!("the logged image of the page {reason}"));
    let mut bytes = if image.is_compressed() {
        compression::decompress(image.bytes, size.bytes()).map_err(|error| wrong(&format!("cannot be decompressed: {error}")))?
    } else {
        image.bytes.to_vec()
    };
    if image.is_dehydrated() {
        bytes = rehydrate(&bytes, size).ok_or_else(|| wrong("cannot be brought to its full size"))?;
    }
    if bytes.len() != size.bytes() {
        return Err(wrong(&format!("has {} bytes instead of {size}", bytes.len())));
    }
    let mut bytes = bytes.into_boxed_slice();
    if Page::new(&bytes).and_then(|page| page.number()).is_some_and(|number| number != page) {
        return Err(wrong("is that of another page"));
    }
    if let Some(mut editor) = PageEditor::new(&mut bytes) {
        editor.set_dbtime(dbtime);
    }
    Ok(bytes)
}

/// The page that a move record carries: its first and last bytes, the gap between taken as zero.
///
/// # Errors
/// [`ApplyError`] with −107 where the parts are larger than a page.
pub fn moved_page(record: &PageMove<'_>, size: PageSize) -> Result<Box<[u8]>, ApplyError> {
    let (head, tail) = (record.page_header, record.page_trailer);
    let mut bytes = vec![0; size.bytes()].into_boxed_slice();
    let gap = size.bytes().checked_sub(head.len() + tail.len());
    if gap.is_none() || head.len() < size.header() {
        return Err(ApplyError::new(
            crate::error::INTERNAL_ERROR,
            record.head.page,
            "the page that a move carries has a wrong size",
        ));
    }
    bytes[..head.len()].copy_from_slice(head);
    bytes[size.bytes() - tail.len()..].copy_from_slice(tail);
    if let Some(mut editor) = PageEditor::new(&mut bytes) {
        editor.set_dbtime(record.head.dbtime_before);
    }
    Ok(bytes)
}

/// Puts the free space back that was cut out between data and tags.
fn rehydrate(bytes: &[u8], size: PageSize) -> Option<Vec<u8>> {
    let cut = size.bytes().checked_sub(bytes.len())?;
    let tags = 4 * usize::from(PageEditor::tags_of(bytes)?);
    let data_end = bytes.len().checked_sub(tags).filter(|&end| end >= size.header())?;
    let mut page = vec![0; size.bytes()];
    page[..data_end].copy_from_slice(&bytes[..data_end]);
    page[size.bytes() - tags..].copy_from_slice(&bytes[data_end..]);
    PageEditor::new(&mut page)?.add_free(cut);
    Some(page)
}
