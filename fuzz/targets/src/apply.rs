//! Operations and the pages that they name.
//!
//! Input: a byte for the page size; records, each behind its 16-bit length, ended by a zero length; then pages, each behind its
//! 32-bit number and a byte that makes it a stand-in.

use crate::format::broken;
use anchorlog_format::log::record::{Merge, Operation, Split};
use anchorlog_format::page::{Page, PageEditor};
use anchorlog_format::units::{Dbtime, PageNumber, PageSize};
use anchorlog_replay::apply::split::{LeafOperation, SplitGroup};
use anchorlog_replay::apply::{ApplyError, PageSet, image, merge, node, split, tree};

/// Applies the records to the pages. Pages that were sound and changed without an error are still sound.
pub fn run(input: &[u8]) {
    let Some(case) = Case::parse(input) else { return };
    let operations: Vec<Operation<'_>> = case.records.iter().filter_map(|record| Operation::decode(record).ok()).collect();
    let were_sound = case.pages.iter().all(|(_, _, page)| Page::new(page).is_some_and(|page| page.check().is_ok()));
    let mut pages = PageSet::default();
    for (number, scratch, page) in case.pages {
        if scratch {
            pages.add_scratch(PageNumber(number), page);
        } else {
            pages.add(PageNumber(number), page);
        }
    }
    let kinds: Vec<_> = operations.iter().map(|operation| operation.record_type().name()).collect();
    if apply(&operations, case.size, &mut pages).is_ok() && were_sound {
        for (number, page) in pages.into_pages() {
            let page_now = Page::new(&page).expect("apply does not change the length");
            let fault = broken(page_now);
            assert!(fault.is_none(), "page {number} was sound before {kinds:?}: {fault:?}");
        }
    }
}

fn apply(operations: &[Operation<'_>], size: PageSize, pages: &mut PageSet) -> Result<(), ApplyError> {
    let splits: Vec<Split<'_>> =
        operations.iter().filter_map(|o| if let Operation::Split(s) = o { Some(*s) } else { None }).collect();
    let merges: Vec<Merge<'_>> =
        operations.iter().filter_map(|o| if let Operation::Merge(m) = o { Some(*m) } else { None }).collect();
    if !splits.is_empty() {
        return apply_split(operations, splits, size, pages);
    }
    if let Some(leaf) = merges.last() {
        if let Some(before) = leaf.before.filter(|_| !pages.needs(leaf.head.page)) {
            let _ = image::before(&before, leaf.head.page, Dbtime(9), size);
        }
        return merge::apply(&merges, pages);
    }
    if operations.iter().any(|operation| matches!(operation, Operation::RootPageMove(_))) {
        return tree::move_root(operations, size, pages);
    }
    for operation in operations {
        single(operation, size, pages)?;
    }
    Ok(())
}

fn apply_split(
    operations: &[Operation<'_>],
    levels: Vec<Split<'_>>,
    size: PageSize,
    pages: &mut PageSet,
) -> Result<(), ApplyError> {
    for level in &levels {
        if let Some(mut editor) = pages.editor(level.new_page) {
            let flags = anchorlog_format::page::PageFlags(level.new_page_flags);
            editor.format_new(level.new_page, level.object, level.head.dbtime, flags);
        }
        if let Some(before) = level.before {
            let _ = image::before(&before, level.head.page, Dbtime(9), size);
        }
    }
    let mut key = Vec::new();
    let operation = operations.iter().find_map(|operation| match operation {
        Operation::Insert(insert) => {
            key.extend_from_slice(insert.prefix);
            key.extend_from_slice(insert.suffix);
            Some((true, insert.data))
        }
        Operation::FlagInsertAndReplace(insert) => Some((false, insert.data)),
        Operation::Replace(replace) => Some((false, replace.data)),
        _ => None,
    });
    let operation = operation.map(|(has_key, data)| LeafOperation { key: has_key.then_some(&key), data, versioned: true });
    split::apply(&SplitGroup { levels, operation }, pages)
}

fn single(operation: &Operation<'_>, size: PageSize, pages: &mut PageSet) -> Result<(), ApplyError> {
    match operation {
        Operation::CreateSingleExtent(create) => tree::create_single(create, pages),
        Operation::CreateMultipleExtent(create) => tree::create_multiple(create, pages),
        Operation::ConvertToMultipleExtent(convert) => tree::convert(convert, pages),
        Operation::EmptyTree(empty) => tree::empty(empty, pages),
        Operation::PageMove(record) => {
            let _ = image::moved_page(record, size);
            tree::move_page(record, pages)
        }
        Operation::Scrub(scrub) => tree::scrub(scrub, pages),
        _ => {
            let Some(number) = operation.page_head().map(|head| head.page) else { return Ok(()) };
            match pages.editor(number) {
                Some(mut editor) => node::apply(operation, number, &mut editor),
                None => Ok(()),
            }
        }
    }
}

struct Case<'a> {
    size: PageSize,
    records: Vec<&'a [u8]>,
    pages: Vec<(u32, bool, Box<[u8]>)>,
}

impl<'a> Case<'a> {
    fn parse(input: &'a [u8]) -> Option<Self> {
        let (&size, mut rest) = input.split_first()?;
        let size = PageSize::ALL[usize::from(size) % PageSize::ALL.len()];
        let mut records = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_le_bytes(*length));
            rest = behind;
            if length == 0 || records.len() == 64 {
                break;
            }
            let (record, behind) = rest.split_at(length.min(rest.len()));
            records.push(record);
            rest = behind;
        }
        let mut pages = Vec::new();
        while let Some((number, behind)) = rest.split_first_chunk::<4>()
            && let Some((&scratch, behind)) = behind.split_first()
            && pages.len() < 16
        {
            let (image, behind) = behind.split_at(size.bytes().min(behind.len()));
            let mut page = vec![0; size.bytes()].into_boxed_slice();
            page[..image.len()].copy_from_slice(image);
            // Redo has stamped a page before it applies anything.
            PageEditor::new(&mut page)?.set_dbtime(Dbtime(100));
            pages.push((u32::from_le_bytes(*number), scratch & 1 == 1, page));
            rest = behind;
        }
        Some(Self { size, records, pages })
    }
}

/// Writes an input for [`run`].
#[must_use]
pub fn encode(size: PageSize, records: &[&[u8]], pages: &[(u32, &[u8])]) -> Vec<u8> {
    let index = PageSize::ALL.iter().position(|known| *known == size).unwrap_or(1);
    let mut out = vec![u8::try_from(index).unwrap_or(1)];
    for record in records {
        out.extend(u16::try_from(record.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(record);
    }
    out.extend([0, 0]);
    for (number, page) in pages {
        out.extend(number.to_le_bytes());
        out.push(0);
        out.extend_from_slice(page);
    }
    out
}
