//! Merges: the levels of one macro, root first; the last names the pages and the kind (`log-4 §11`, `db-3 §15`).

use super::{ApplyError, PageSet, prefix_length};
use anchorlog_format::log::record::{Merge, MergeFields};
use anchorlog_format::page::editor::OwnedNode;
use anchorlog_format::page::{NewNode, NodeFlags, PageEditor};
use anchorlog_format::units::PageNumber;

/// Whether nodes move: then the record of the merged page carries its image.
#[must_use]
pub fn moves_nodes(kind: u8) -> bool {
    destination_is_right(kind).is_some()
}

/// The page that takes the nodes of a merge.
#[must_use]
pub fn destination(merge: &Merge<'_>) -> Option<PageNumber> {
    destination_is_right(merge.merge_type).map(|right| if right { merge.right_page } else { merge.left_page })
}

fn destination_is_right(kind: u8) -> Option<bool> {
    match kind {
        MergeFields::FULL_RIGHT | MergeFields::PARTIAL_RIGHT => Some(true),
        MergeFields::FULL_LEFT | MergeFields::PARTIAL_LEFT => Some(false),
        _ => None,
    }
}

/// Applies a merge to the pages in need of it. All pages are stamped already.
///
/// # Errors
/// [`ApplyError`] where records and pages do not fit.
pub fn apply(levels: &[Merge<'_>], pages: &mut PageSet) -> Result<(), ApplyError> {
    let Some(leaf) = levels.last() else { return Ok(()) };
    for (at, level) in levels.iter().enumerate() {
        if at + 1 == levels.len() {
            merge_leaf(level, pages)?;
        } else {
            change_parent(level, leaf, pages)?;
        }
        if level.empties_page()
            && let Some(mut editor) = pages.editor(level.head.page)
        {
            editor.make_empty().map_err(|error| ApplyError::edit(level.head.page, error))?;
        }
    }
    Ok(())
}

fn merge_leaf(merge: &Merge<'_>, pages: &mut PageSet) -> Result<(), ApplyError> {
    let page = merge.head.page;
    if let Some(right) = destination_is_right(merge.merge_type) {
        move_nodes(merge, right, pages)?;
    }
    if matches!(merge.merge_type, MergeFields::PARTIAL_RIGHT | MergeFields::PARTIAL_LEFT) {
        if let Some(mut editor) = pages.editor(page) {
            let lines = moved_lines(merge, editor.page().lines());
            for line in lines.rev() {
                editor.delete(line).map_err(|error| ApplyError::edit(page, error))?;
            }
        }
        return Ok(());
    }
    if !merge.left_page.is_none()
        && let Some(mut editor) = pages.editor(merge.left_page)
    {
        editor.set_next(merge.right_page);
    }
    if !merge.right_page.is_none()
        && let Some(mut editor) = pages.editor(merge.right_page)
    {
        editor.set_previous(merge.left_page);
    }
    Ok(())
}

/// The lines of the merged page that move.
fn moved_lines(merge: &Merge<'_>, lines: u16) -> std::ops::Range<u16> {
    match merge.merge_type {
        MergeFields::FULL_RIGHT => 0..lines,
        MergeFields::PARTIAL_RIGHT => merge.merge_line.min(lines)..lines,
        _ => 0..merge.merge_line.saturating_add(1).min(lines),
    }
}

/// Copies the nodes to the sibling; those flagged as deleted stay behind (trap V16), version flags move along (trap V17).
fn move_nodes(merge: &Merge<'_>, right: bool, pages: &mut PageSet) -> Result<(), ApplyError> {
    let page = merge.head.page;
    let target = if right { merge.right_page } else { merge.left_page };
    if !pages.needs(target) {
        return Ok(());
    }
    let damaged = |fault| ApplyError::fault(page, fault);
    let source = pages.source(page).ok_or_else(|| ApplyError::corrupt(page, "the nodes to merge are not at hand"))?;
    let mut moved: Vec<(Vec<u8>, OwnedNode)> = Vec::new();
    for line in moved_lines(merge, source.lines()).rev() {
        let node = source.line(line).map_err(damaged)?;
        if !node.flags.is_deleted() {
            let mut key = Vec::new();
            source.key(&node, &mut key).map_err(damaged)?;
            moved.push((key, node.into()));
        }
    }
    let Some(mut editor) = pages.editor(target) else { return Ok(()) };
    let prefix = editor.page().prefix().map_err(|fault| ApplyError::fault(target, fault))?.to_vec();
    let at = if right { 0 } else { editor.page().lines() };
    for (key, node) in &moved {
        let shared = prefix_length(key, &prefix);
        let node = NewNode { flags: node.flags, prefix_length: shared, suffix: &key[shared.into()..], data: &node.data };
        editor.insert(at, &node).map_err(|error| ApplyError::edit(target, error))?;
    }
    editor.set_uncommitted_free(merge.uncommitted_free).map_err(|error| ApplyError::edit(target, error))
}

/// An inner page of the path: a child pointer goes, a separator changes, or both.
fn change_parent(level: &Merge<'_>, leaf: &Merge<'_>, pages: &mut PageSet) -> Result<(), ApplyError> {
    let number = level.head.page;
    let Some(mut editor) = pages.editor(number) else { return Ok(()) };
    let failed = |error| ApplyError::edit(number, error);
    let line = level.head.line;
    let before = || line.checked_sub(1).ok_or_else(|| ApplyError::corrupt(number, "no line lies before the child's"));
    if level.deletes_node() && level.changes_key() && leaf.merge_type == MergeFields::FULL_LEFT {
        editor.patch_data(line, 0, &leaf.left_page.0.to_le_bytes()).map_err(failed)?;
        return editor.delete(before()?).map_err(failed);
    }
    if level.deletes_node() {
        let node = editor.page().line(line).map_err(|fault| ApplyError::fault(number, fault))?;
        let was_infinity = node.key_length() == 0;
        editor.delete(line).map_err(failed)?;
        if was_infinity && line > 0 {
            set_key(number, &mut editor, line - 1, &[])?;
        }
    }
    if level.changes_key() {
        let at = if leaf.merge_type == MergeFields::PARTIAL_LEFT { before()? } else { line };
        set_key(number, &mut editor, at, leaf.separator)?;
    }
    Ok(())
}

/// Gives a line another key: it is deleted and inserted again at its place, without flags.
fn set_key(number: PageNumber, editor: &mut PageEditor<'_>, line: u16, key: &[u8]) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::edit(number, error);
    let page = editor.page();
    let data = page.line(line).map_err(|fault| ApplyError::fault(number, fault))?.data.to_vec();
    let shared = prefix_length(key, page.prefix().map_err(|fault| ApplyError::fault(number, fault))?);
    editor.delete(line).map_err(failed)?;
    let node = NewNode { flags: NodeFlags::NONE, prefix_length: shared, suffix: &key[shared.into()..], data: &data };
    editor.insert(line, &node).map_err(failed)
}
