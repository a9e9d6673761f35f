//! Operations on one node, or on the external header, of one page; and their inverses (`log-4 §8, §19.3`).

use super::{ApplyError, prefix_length};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::Operation;
use anchorlog_format::page::{NewNode, NodeFlags, PageEditor};
use anchorlog_format::units::PageNumber;

/// Applies a node operation to its page, which is stamped already. Operations of other kinds change nothing here.
///
/// # Errors
/// [`ApplyError`] where the record does not fit the page.
pub fn apply(operation: &Operation<'_>, number: PageNumber, editor: &mut PageEditor<'_>) -> Result<(), ApplyError> {
    let failed = |error| ApplyError::edit(number, error);
    match operation {
        Operation::Insert(insert) => {
            let shared = u16::try_from(insert.prefix.len()).unwrap_or(u16::MAX);
            let flags = version_flag(insert.head.flags.is_versioned());
            let node = NewNode { flags, prefix_length: shared, suffix: insert.suffix, data: insert.data };
            editor.insert(insert.head.line, &node).map_err(failed)
        }
        Operation::FlagInsert(insert) => set_deleted(editor, number, insert.head.line, false, insert.head.flags.is_versioned()),
        Operation::FlagInsertAndReplace(insert) => {
            let line = insert.head.line;
            editor.replace_data(line, insert.data).map_err(failed)?;
            set_deleted(editor, number, line, false, insert.head.flags.is_versioned())
        }
        Operation::FlagDelete(delete) => set_deleted(editor, number, delete.head.line, true, delete.head.flags.is_versioned()),
        Operation::Delete(delete) => editor.delete(delete.head.line).map_err(failed),
        Operation::Replace(replace) => {
            if replace.data.len() != usize::from(replace.new_size) {
                return Err(ApplyError::new(JetCode::LOG_CORRUPTED, number, "a Replace record's lengths differ"));
            }
            set_data(editor, number, replace.head.line, replace.data, replace.head.flags.is_versioned())
        }
        Operation::ReplaceDifference(replace) => {
            let line = replace.head.line;
            let old = editor.page().line(line).map_err(|fault| ApplyError::fault(number, fault))?.data.to_vec();
            let data = replace.apply(&old).map_err(|error| {
                // The differences were made against other data than the page has (trap V24).
                ApplyError::new(JetCode::LOG_CORRUPTED, number, format!("a ReplaceD record does not fit the node: {error}"))
            })?;
            set_data(editor, number, line, &data, replace.head.flags.is_versioned())
        }
        Operation::Delta(delta) => {
            let line = delta.head.line;
            add(editor, number, line, delta.offset, delta.delta.into(), false)?;
            mark_version(editor, number, line, delta.head.flags.is_versioned())
        }
        Operation::Delta64(delta) => {
            let line = delta.head.line;
            add(editor, number, line, delta.offset, delta.delta, true)?;
            mark_version(editor, number, line, delta.head.flags.is_versioned())
        }
        Operation::SetExternalHeader(set) => set_external_header(editor, number, set.data),
        _ => Ok(()),
    }
}

/// The inverse of an insert, flag-delete, or flag-insert: the deleted flag is set or cleared, all else stays (traps V9, Z3).
///
/// # Errors
/// [`ApplyError`] where the line does not exist.
pub fn set_deleted(
    editor: &mut PageEditor<'_>,
    number: PageNumber,
    line: u16,
    deleted: bool,
    versioned: bool,
) -> Result<(), ApplyError> {
    let flags = editor.page().line(line).map_err(|fault| ApplyError::fault(number, fault))?.flags.with(version_flag(versioned));
    let flags = if deleted { flags.with(NodeFlags::DELETED) } else { flags.without(NodeFlags::DELETED) };
    editor.set_node_flags(line, flags).map_err(|error| ApplyError::edit(number, error))
}

/// Puts data on a node; key encoding and flags stay.
///
/// # Errors
/// [`ApplyError`] where the line or the room does not exist.
pub fn set_data(
    editor: &mut PageEditor<'_>,
    number: PageNumber,
    line: u16,
    data: &[u8],
    versioned: bool,
) -> Result<(), ApplyError> {
    editor.replace_data(line, data).map_err(|error| ApplyError::edit(number, error))?;
    mark_version(editor, number, line, versioned)
}

/// Adds to a counter inside a node's data: binary, unaligned, wrapping (trap V25).
///
/// # Errors
/// [`ApplyError`] where the counter does not lie in the node's data.
pub fn add(
    editor: &mut PageEditor<'_>,
    number: PageNumber,
    line: u16,
    offset: u16,
    delta: i64,
    wide: bool,
) -> Result<(), ApplyError> {
    let node = editor.page().line(line).map_err(|fault| ApplyError::fault(number, fault))?;
    let length = if wide { 8 } else { 4 };
    let start = usize::from(offset);
    let old =
        node.data.get(start..start + length).ok_or_else(|| ApplyError::corrupt(number, "a counter behind the node's data"))?;
    let mut raw = [0; 8];
    raw[..length].copy_from_slice(old);
    // Addition modulo 2^64 holds modulo 2^32 for the low half as well.
    let sum = i64::from_le_bytes(raw).wrapping_add(delta).to_le_bytes();
    editor.patch_data(line, start, &sum[..length]).map_err(|error| ApplyError::edit(number, error))
}

fn mark_version(editor: &mut PageEditor<'_>, number: PageNumber, line: u16, versioned: bool) -> Result<(), ApplyError> {
    if !versioned {
        return Ok(());
    }
    let flags = editor.page().line(line).map_err(|fault| ApplyError::fault(number, fault))?.flags;
    editor.set_node_flags(line, flags.with(NodeFlags::VERSION)).map_err(|error| ApplyError::edit(number, error))
}

/// Replaces tag 0, whole; the nodes' prefixes must still be covered (`log-4 §8.8`).
fn set_external_header(editor: &mut PageEditor<'_>, number: PageNumber, header: &[u8]) -> Result<(), ApplyError> {
    let page = editor.page();
    let flags = page.flags();
    if !flags.is_root() && !flags.is_space_tree() {
        for line in 0..page.lines() {
            let node = page.line(line).map_err(|fault| ApplyError::fault(number, fault))?;
            if usize::from(node.prefix_length) > header.len() {
                let reason = "a new page prefix is shorter than a node needs";
                return Err(ApplyError::new(JetCode::LOG_OPERATION_INCONSISTENT_WITH_DATABASE, number, reason));
            }
        }
    }
    editor.set_external_header(header).map_err(|error| ApplyError::edit(number, error))
}

const fn version_flag(versioned: bool) -> NodeFlags {
    if versioned { NodeFlags::VERSION } else { NodeFlags::NONE }
}

/// A node as an insert stores it on a page: compressed against the page's prefix.
#[must_use]
pub fn compressed<'a>(key: &'a [u8], data: &'a [u8], prefix: &[u8], flags: NodeFlags) -> NewNode<'a> {
    let shared = prefix_length(key, prefix);
    NewNode { flags, prefix_length: shared, suffix: &key[shared.into()..], data }
}
