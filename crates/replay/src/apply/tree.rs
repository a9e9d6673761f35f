//! Trees and whole pages: creation, conversion to several extents, emptying, page moves, new pages, scrubbing (`log-4 §12` to `§15`).

use super::{ApplyError, PageSet, node};
use anchorlog_format::log::record::{
    ConvertToMultipleExtent, CreateMultipleExtent, CreateSingleExtent, EmptyTree, Operation, PageMove, Scrub,
};
use anchorlog_format::page::{NodeFlags, Page, PageEditor, PageFlags};
use anchorlog_format::space::{BITMAP_PAGES, RootHeader, SPLIT_BUFFER_SIZE, SpaceHeader, extent_key};
use anchorlog_format::units::{Dbtime, ObjectId, PageNumber, PageSize};

/// Flags of the root of a space tree.
const SPACE_ROOT: PageFlags = PageFlags::ROOT.with(PageFlags::LEAF).with(PageFlags::SPACE_TREE);

/// Makes the root of a tree that owns one extent.
///
/// # Errors
/// [`ApplyError`] where the record's figures are impossible.
pub fn create_single(create: &CreateSingleExtent, pages: &mut PageSet) -> Result<(), ApplyError> {
    let root = create.head.page;
    let Some(mut editor) = pages.editor(root) else { return Ok(()) };
    let flags = PageFlags(create.page_flags).with(PageFlags::ROOT).with(PageFlags::LEAF);
    editor.format_new(root, create.object, create.head.dbtime, flags);
    let pages_owned = pages_of(root, create.primary_pages)?;
    let spare = pages_owned - 1;
    let available = if spare >= BITMAP_PAGES { u32::MAX } else { (1 << spare) - 1 };
    let header = SpaceHeader {
        pages: pages_owned,
        parent: create.parent_root,
        flags: unique_flag(create.head.flags.is_unique()),
        available,
    };
    set_header(&mut editor, root, &header)
}

/// Makes the three roots of a tree that owns several extents.
///
/// # Errors
/// [`ApplyError`] where the record's figures are impossible.
pub fn create_multiple(create: &CreateMultipleExtent, pages: &mut PageSet) -> Result<(), ApplyError> {
    let (root, dbtime) = (create.head.page, create.head.dbtime);
    let primary = pages_of(root, create.primary_pages)?;
    let last = last_of(root, primary)?;
    if let Some(mut editor) = pages.editor(root) {
        editor.format_new(root, create.object, dbtime, PageFlags(create.page_flags).with(PageFlags::ROOT).with(PageFlags::LEAF));
        let header = SpaceHeader {
            pages: primary,
            parent: create.parent_root,
            flags: SpaceHeader::MULTIPLE | unique_flag(create.head.flags.is_unique()),
            available: create.owned_root.0,
        };
        set_header(&mut editor, root, &header)?;
    }
    let flags = PageFlags(create.page_flags).with(SPACE_ROOT);
    if let Some(mut editor) = pages.editor(create.available_root) {
        format_space_root(&mut editor, create.available_root, create.object, dbtime, flags)?;
        if primary > 3 {
            insert_extent(&mut editor, create.available_root, last, primary - 3)?;
        }
    }
    if let Some(mut editor) = pages.editor(create.owned_root) {
        format_space_root(&mut editor, create.owned_root, create.object, dbtime, flags)?;
        insert_extent(&mut editor, create.owned_root, last, primary)?;
    }
    Ok(())
}

/// Gives a tree of one extent two space trees (`db-3 §11`).
///
/// # Errors
/// [`ApplyError`] where the record's figures are impossible or the root has no space header.
pub fn convert(convert: &ConvertToMultipleExtent, pages: &mut PageSet) -> Result<(), ApplyError> {
    let (root, dbtime) = (convert.head.page, convert.head.dbtime);
    let primary = pages_of(root, convert.primary_pages)?;
    let secondary = pages_of(convert.secondary_first, convert.secondary_pages)?;
    let primary_last = last_of(root, primary)?;
    let secondary_last = last_of(convert.secondary_first, secondary)?;
    if let Some(mut editor) = pages.editor(root) {
        let old = space_header(&editor, root)?;
        let header = SpaceHeader {
            pages: primary,
            parent: convert.parent_root,
            flags: SpaceHeader::MULTIPLE | (old.flags & SpaceHeader::NON_UNIQUE),
            available: convert.secondary_first.0,
        };
        set_header(&mut editor, root, &header)?;
    }
    let flags = PageFlags(convert.page_flags).with(SPACE_ROOT);
    if let Some(mut editor) = pages.editor(convert.owned_root) {
        format_space_root(&mut editor, convert.owned_root, convert.object, dbtime, flags)?;
        insert_extent(&mut editor, convert.owned_root, secondary_last, secondary)?;
        insert_extent(&mut editor, convert.owned_root, primary_last, primary)?;
    }
    if let Some(mut editor) = pages.editor(convert.available_root) {
        format_space_root(&mut editor, convert.available_root, convert.object, dbtime, flags)?;
        if secondary > 2 {
            insert_extent(&mut editor, convert.available_root, secondary_last, secondary - 2)?;
        }
        for (last, length) in free_runs(root, primary, convert.available_bitmap) {
            insert_extent(&mut editor, convert.available_root, last, length)?;
        }
    }
    Ok(())
}

/// The runs of free pages of a single extent, lowest first: bit i of the bitmap is page root + 1 + i (trap D5); pages behind bit 31
/// were never in it and are free now (trap D33).
fn free_runs(root: PageNumber, pages: u32, bitmap: u32) -> Vec<(PageNumber, u32)> {
    let mut runs: Vec<(PageNumber, u32)> = Vec::new();
    let spare = pages.saturating_sub(1);
    let mut add = |page: u32, length: u32| match runs.last_mut() {
        Some((last, count)) if last.0 + 1 == page => {
            last.0 += length;
            *count += length;
        }
        _ => runs.push((PageNumber(page + length - 1), length)),
    };
    for bit in (0..BITMAP_PAGES).filter(|bit| bitmap & (1 << bit) != 0) {
        add(root.0.saturating_add(1 + bit), 1);
    }
    if spare > BITMAP_PAGES {
        add(root.0.saturating_add(1 + BITMAP_PAGES), spare - BITMAP_PAGES);
    }
    runs
}

/// Empties the pages below a root (`log-4 §12`); the root keeps its external header (trap V30).
///
/// # Errors
/// [`ApplyError`] where a page is damaged or the root has no line.
pub fn empty(empty: &EmptyTree<'_>, pages: &mut PageSet) -> Result<(), ApplyError> {
    for child in empty.pages() {
        if let Some(mut editor) = pages.editor(child.page) {
            editor.make_empty().map_err(|error| ApplyError::edit(child.page, error))?;
        }
    }
    let root = empty.head.page;
    if let Some(mut editor) = pages.editor(root) {
        editor.delete(0).map_err(|error| ApplyError::edit(root, error))?;
        let flags = editor.page().flags().without(PageFlags::PARENT_OF_LEAF).with(PageFlags::LEAF);
        editor.set_flags(flags);
    }
    Ok(())
}

/// Moves a page to another number (`log-4 §13.1`). The source keeps its sibling links (trap V34).
///
/// # Errors
/// [`ApplyError`] where pages and record do not fit.
pub fn move_page(record: &PageMove<'_>, pages: &mut PageSet) -> Result<(), ApplyError> {
    let (source, dest, dbtime) = (record.head.page, record.destination, record.head.dbtime);
    copy_page(source, dest, dbtime, pages)?;
    if let Some(mut editor) = pages.editor(source) {
        editor.make_empty().map_err(|error| ApplyError::edit(source, error))?;
    }
    if !record.parent.is_none()
        && let Some(mut editor) = pages.editor(record.parent)
    {
        let line = u16::try_from(record.parent_line).unwrap_or(u16::MAX);
        editor.patch_data(line, 0, &dest.0.to_le_bytes()).map_err(|error| ApplyError::edit(record.parent, error))?;
    }
    if !record.left_page.is_none()
        && let Some(mut editor) = pages.editor(record.left_page)
    {
        editor.set_next(dest);
    }
    if !record.right_page.is_none()
        && let Some(mut editor) = pages.editor(record.right_page)
    {
        editor.set_previous(dest);
    }
    Ok(())
}

/// Moves the three pages at the root of a tree (`log-4 §13.3`): the new ones are made from the logged images, the old ones emptied;
/// the new root names its new space tree, child trees their new parent, the catalog the new root.
///
/// # Errors
/// [`ApplyError`] where pages and records do not fit.
pub fn move_root(members: &[Operation<'_>], size: PageSize, pages: &mut PageSet) -> Result<(), ApplyError> {
    const ROOT: u32 = 1;
    const OWNED_ROOT: u32 = 2;
    let moves = || members.iter().filter_map(|member| if let Operation::PageMove(record) = member { Some(record) } else { None });
    let owned_root = moves().find(|record| record.move_flags & OWNED_ROOT != 0).map(|record| record.destination);
    for record in moves() {
        let destination = record.destination;
        if let Some(mut editor) = pages.editor(destination) {
            let image = super::image::moved_page(record, size)?;
            let page = Page::new(&image).ok_or_else(|| ApplyError::corrupt(destination, "the page to move has another size"))?;
            editor.copy_from(page, destination);
            editor.set_dbtime(record.head.dbtime);
            if let Some(owned_root) = owned_root.filter(|_| record.move_flags & ROOT != 0) {
                let header = SpaceHeader { available: owned_root.0, ..space_header(&editor, destination)? };
                set_header(&mut editor, destination, &header)?;
            }
        }
        if let Some(mut editor) = pages.editor(record.head.page) {
            editor.make_empty().map_err(|error| ApplyError::edit(record.head.page, error))?;
        }
    }
    for member in members {
        match member {
            Operation::SetExternalHeader(set) => {
                let root = set.head.page;
                let header =
                    SpaceHeader::read(set.data).ok_or_else(|| ApplyError::corrupt(root, "a space header that is too short"))?;
                if let Some(mut editor) = pages.editor(root) {
                    set_header(&mut editor, root, &header)?;
                }
            }
            Operation::Replace(replace) => {
                let page = replace.head.page;
                if let Some(mut editor) = pages.editor(page) {
                    node::set_data(&mut editor, page, replace.head.line, replace.data, false)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes the destination of a move a copy of its source.
///
/// # Errors
/// [`ApplyError`] where the source is not at hand.
pub fn copy_page(source: PageNumber, dest: PageNumber, dbtime: Dbtime, pages: &mut PageSet) -> Result<(), ApplyError> {
    if !pages.needs(dest) {
        return Ok(());
    }
    let image = pages.source(source).map(|page| page.bytes().to_vec());
    let image = image.ok_or_else(|| ApplyError::corrupt(source, "the page to move is not at hand"))?;
    let (Some(mut editor), Some(page)) = (pages.editor(dest), Page::new(&image)) else {
        return Err(ApplyError::corrupt(dest, "the page to move has another size"));
    };
    editor.copy_from(page, dest);
    editor.set_dbtime(dbtime);
    Ok(())
}

/// Puts another space header into tag 0 of a root: only this field, whatever else an extended tag 0 holds (trap V36).
///
/// # Errors
/// [`ApplyError`] where tag 0 has no room for it.
pub fn set_header(editor: &mut PageEditor<'_>, root: PageNumber, header: &SpaceHeader) -> Result<(), ApplyError> {
    let mut tag = editor.page().external_header().map_err(|fault| ApplyError::fault(root, fault))?.to_vec();
    if tag.is_empty() {
        tag = vec![0; SpaceHeader::SIZE];
    }
    let parsed = RootHeader::parse(&tag).ok_or_else(|| ApplyError::corrupt(root, "the root's external header is damaged"))?;
    if parsed.space.is_none() {
        return Err(ApplyError::corrupt(root, "the root's external header holds no space header"));
    }
    header.write(&mut tag[parsed.space_offset..]);
    editor.set_external_header(&tag).map_err(|error| ApplyError::edit(root, error))
}

/// The space header of a root.
///
/// # Errors
/// [`ApplyError`] where tag 0 holds none.
pub fn space_header(editor: &PageEditor<'_>, root: PageNumber) -> Result<SpaceHeader, ApplyError> {
    let tag = editor.page();
    let tag = tag.external_header().map_err(|fault| ApplyError::fault(root, fault))?;
    let parsed = RootHeader::parse(tag).and_then(|header| header.space);
    parsed.ok_or_else(|| ApplyError::corrupt(root, "the root's external header holds no space header"))
}

/// What scrubbing writes over (`db-2 §8`, `log-4 §15`).
///
/// # Errors
/// [`ApplyError`] where a line named does not exist.
pub fn scrub(scrub: &Scrub<'_>, pages: &mut PageSet) -> Result<(), ApplyError> {
    let number = scrub.head.page;
    let Some(mut editor) = pages.editor(number) else { return Ok(()) };
    if scrub.scrub_flags & 1 != 0 {
        editor.delete_from(0).map_err(|error| ApplyError::edit(number, error))?;
        editor.fill_unused(b'U');
    } else {
        let operations =
            scrub.operations().ok_or_else(|| ApplyError::corrupt(number, "a scrub that is shorter than its list"))?;
        for (line, operation) in operations.iter().enumerate() {
            let line = u16::try_from(line).unwrap_or(u16::MAX);
            let fill = match operation {
                1 => b'D',
                2 => b'L',
                _ => continue,
            };
            let node = editor.page().line(line).map_err(|fault| ApplyError::fault(number, fault))?;
            let (length, flags) = (node.data.len(), node.flags);
            editor.patch_data(line, 0, &vec![fill; length]).map_err(|error| ApplyError::edit(number, error))?;
            let flags = flags.without(NodeFlags::VERSION);
            editor.set_node_flags(line, flags).map_err(|error| ApplyError::edit(number, error))?;
        }
        editor.fill_unused(b'Z');
    }
    editor.set_flags(editor.page().flags().with(PageFlags::SCRUBBED));
    Ok(())
}

fn format_space_root(
    editor: &mut PageEditor<'_>,
    number: PageNumber,
    objid: ObjectId,
    dbtime: Dbtime,
    flags: PageFlags,
) -> Result<(), ApplyError> {
    editor.format_new(number, objid, dbtime, flags);
    editor.set_external_header(&[0; SPLIT_BUFFER_SIZE]).map_err(|error| ApplyError::edit(number, error))
}

fn insert_extent(editor: &mut PageEditor<'_>, number: PageNumber, last: PageNumber, pages: u32) -> Result<(), ApplyError> {
    let key = extent_key(last);
    let page = editor.page();
    let mut at = page.lines();
    for line in 0..page.lines() {
        let other = page.line(line).map_err(|fault| ApplyError::fault(number, fault))?;
        if other.suffix > &key[..] {
            at = line;
            break;
        }
    }
    let data = pages.to_le_bytes();
    let node = node::compressed(&key, &data, &[], NodeFlags::NONE);
    editor.insert(at, &node).map_err(|error| ApplyError::edit(number, error))
}

fn pages_of(first: PageNumber, pages: i32) -> Result<u32, ApplyError> {
    let pages = u32::try_from(pages).ok().filter(|&pages| pages > 0);
    pages.ok_or_else(|| ApplyError::corrupt(first, "an extent without pages"))
}

fn last_of(first: PageNumber, pages: u32) -> Result<PageNumber, ApplyError> {
    let last = first.0.checked_add(pages).and_then(|end| end.checked_sub(1));
    last.map(PageNumber).ok_or_else(|| ApplyError::corrupt(first, "an extent ends behind the last possible page"))
}

const fn unique_flag(unique: bool) -> u32 {
    if unique { 0 } else { SpaceHeader::NON_UNIQUE }
}

#[cfg(test)]
mod tests {
    use super::*;

    // trap db-3 D33
    #[test]
    fn d33_pages_behind_the_bitmap_become_free_at_conversion() {
        assert_eq!(free_runs(PageNumber(10), 40, u32::MAX), [(PageNumber(49), 39)]);
        assert_eq!(free_runs(PageNumber(10), 40, 0), [(PageNumber(49), 7)]);
        assert_eq!(free_runs(PageNumber(10), 4, 0b101), [(PageNumber(11), 1), (PageNumber(13), 1)]);
    }
}
