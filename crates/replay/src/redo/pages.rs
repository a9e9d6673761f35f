//! The pages that a record names, and what it does with each.

use anchorlog_format::log::record::Operation;
use anchorlog_format::units::PageNumber;

/// What a record does with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Changes it, reads it, or both.
    Old,
    /// Makes it anew, whatever it held.
    New,
    /// Says something of it without looking at it.
    Mentioned,
}

/// Tells `each` the pages that a record names with their page times; none for records that change no page.
pub(super) fn named(operation: &Operation<'_>, mut each: impl FnMut(PageNumber, Role)) {
    let makes = matches!(operation, Operation::CreateSingleExtent(_) | Operation::CreateMultipleExtent(_));
    if let Some(head) = operation.page_head().filter(|_| !matches!(operation, Operation::UndoInfo(_))) {
        each(head.page, if makes { Role::New } else { Role::Old });
    }
    let mut others = |pages: &[PageNumber], role| pages.iter().filter(|page| !page.is_none()).for_each(|&page| each(page, role));
    match operation {
        Operation::NewPage(new) => others(&[new.page], Role::New),
        Operation::Split(split) => {
            others(&[split.right_page], Role::Old);
            others(&[split.new_page], Role::New);
        }
        Operation::Merge(merge) => others(&[merge.left_page, merge.right_page], Role::Old),
        Operation::PageMove(record) => {
            others(&[record.parent, record.left_page, record.right_page], Role::Old);
            others(&[record.destination], Role::New);
        }
        Operation::EmptyTree(empty) => empty.pages().for_each(|child| others(&[child.page], Role::Old)),
        Operation::CreateMultipleExtent(create) => others(&[create.available_root, create.owned_root], Role::New),
        Operation::ConvertToMultipleExtent(convert) => others(&[convert.owned_root, convert.available_root], Role::New),
        _ => {}
    }
}
