//! Splits: the levels of one macro, root first, with the leaf operation they were made for (`log-4 §10`, `db-3 §14`).

use super::{ApplyError, PageSet, prefix_length};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{Split, SplitFields};
use anchorlog_format::page::editor::OwnedNode;
use anchorlog_format::page::{NewNode, NodeFlags, PageFlags};
use anchorlog_format::units::PageNumber;

/// The node operation for which a split was made.
#[derive(Clone, Copy, Debug)]
pub struct LeafOperation<'a> {
    /// The full key; `None` for a replace, which keeps the key of the node.
    pub key: Option<&'a [u8]>,
    /// The node's new data.
    pub data: &'a [u8],
    /// Whether the node gets the version flag.
    pub versioned: bool,
}

/// A split of one path.
#[derive(Clone, Debug)]
pub struct SplitGroup<'a> {
    /// One record for each page of the path, root first.
    pub levels: Vec<Split<'a>>,
    /// The operation on the leaf.
    pub operation: Option<LeafOperation<'a>>,
}

/// Whether a split record must carry the image of the page it splits: without it the new page cannot be rebuilt (`log-4 §10.3`).
#[must_use]
pub fn needs_image(split: &Split<'_>) -> bool {
    !split.new_page.is_none() && split.split_type != SplitFields::APPEND && !only_the_operation_moves(split)
}

fn only_the_operation_moves(split: &Split<'_>) -> bool {
    split.split_type == SplitFields::RIGHT
        && split.split_operation == SplitOperation::INSERT
        && split.split_line == split.operation_line
        && split.operation_line.checked_add(1) == Some(split.lines)
}

/// Applies a split to the pages in need of it. All pages are stamped already.
///
/// # Errors
/// [`ApplyError`] where records and pages do not fit.
pub fn apply(group: &SplitGroup<'_>, pages: &mut PageSet) -> Result<(), ApplyError> {
    for (at, level) in group.levels.iter().enumerate() {
        let child = group.levels.get(at + 1).filter(|child| !child.new_page.is_none());
        if level.new_page.is_none() {
            if let Some(child) = child {
                insert_child(level.head.page, child, pages)?;
            }
            continue;
        }
        let operation = match child {
            Some(child) => {
                let data = child.head.page.0.to_le_bytes();
                let entry = Pending { key: Some(child.separator.to_vec()), data: data.to_vec(), versioned: false };
                Some((SplitOperation::Insert, entry))
            }
            None => match &group.operation {
                Some(operation) => {
                    let key = operation.key.map(<[u8]>::to_vec);
                    let pending = Pending { key, data: operation.data.to_vec(), versioned: operation.versioned };
                    Some((SplitOperation::of(level)?, pending))
                }
                None => None,
            },
        };
        split_page(level, operation, child.map(|child| child.new_page), pages)?;
    }
    Ok(())
}

/// What the operation does that a split was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitOperation {
    /// Nothing: lines are only moved.
    None,
    /// A new node.
    Insert,
    /// New data for a node.
    Replace,
    /// A deleted node is revived with new data.
    FlagInsertAndReplace,
}

impl SplitOperation {
    const INSERT: u8 = 1;

    /// The operation that a record names.
    ///
    /// # Errors
    /// [`ApplyError`] for a number that means nothing.
    pub fn of(split: &Split<'_>) -> Result<Self, ApplyError> {
        match split.split_operation {
            0 => Ok(Self::None),
            Self::INSERT => Ok(Self::Insert),
            2 => Ok(Self::Replace),
            3 => Ok(Self::FlagInsertAndReplace),
            _ => Err(ApplyError::new(JetCode::LOG_FILE_CORRUPT, split.head.page, "a split for an unknown operation")),
        }
    }
}

/// The node that comes with a split.
struct Pending {
    key: Option<Vec<u8>>,
    data: Vec<u8>,
    versioned: bool,
}

/// A parent that is not split: the old child gets a separator of its own, the line behind leads to the new child (trap D25).
fn insert_child(parent: PageNumber, child: &Split<'_>, pages: &mut PageSet) -> Result<(), ApplyError> {
    let Some(mut editor) = pages.editor(parent) else { return Ok(()) };
    let page = editor.page();
    // The first separator above the new one; the empty one is plus infinity.
    let (mut at, mut above) = (0, page.lines());
    while at < above {
        let middle = at + (above - at) / 2;
        let node = page.line(middle).map_err(|fault| ApplyError::fault(parent, fault))?;
        let order = page.compare_key(&node, child.separator).map_err(|fault| ApplyError::fault(parent, fault))?;
        if node.key_length() == 0 || order.is_gt() {
            above = middle;
        } else {
            at = middle + 1;
        }
    }
    if at == page.lines() {
        return Err(ApplyError::corrupt(parent, "no separator lies above the new one"));
    }
    let prefix = page.prefix().map_err(|fault| ApplyError::fault(parent, fault))?;
    let shared = prefix_length(child.separator, prefix);
    let node = NewNode {
        flags: NodeFlags::NONE,
        prefix_length: shared,
        suffix: &child.separator[shared.into()..],
        data: &child.head.page.0.to_le_bytes(),
    };
    editor.insert(at, &node).map_err(|error| ApplyError::edit(parent, error))?;
    editor.patch_data(at + 1, 0, &child.new_page.0.to_le_bytes()).map_err(|error| ApplyError::edit(parent, error))
}

/// One page that is split.
fn split_page(
    level: &Split<'_>,
    operation: Option<(SplitOperation, Pending)>,
    new_child: Option<PageNumber>,
    pages: &mut PageSet,
) -> Result<(), ApplyError> {
    let (page, new_page) = (level.head.page, level.new_page);
    let lines = Combined::build(level, operation, new_child, pages)?;
    if pages.needs(new_page) {
        fill_new_page(level, &lines, pages)?;
    }
    if pages.needs(page) {
        trim_split_page(level, &lines, pages)?;
    }
    let leaf = PageFlags(level.new_page_flags).is_leaf();
    if let Some(mut editor) = pages.editor(page) {
        if leaf {
            let reserved = u16::try_from(level.uncommitted_free).unwrap_or(0);
            editor.set_uncommitted_free(reserved).map_err(|error| ApplyError::edit(page, error))?;
        }
        if level.split_type == SplitFields::VERTICAL {
            raise_root(level, &mut editor)?;
        } else if leaf {
            editor.set_next(new_page);
        }
    }
    if leaf && let Some(mut editor) = pages.editor(new_page) {
        let reserved = u16::try_from(level.new_uncommitted_free).unwrap_or(0);
        editor.set_uncommitted_free(reserved).map_err(|error| ApplyError::edit(new_page, error))?;
        if level.split_type != SplitFields::VERTICAL {
            editor.set_previous(page);
            editor.set_next(level.right_page);
        }
    }
    if leaf
        && level.split_type != SplitFields::VERTICAL
        && !level.right_page.is_none()
        && let Some(mut editor) = pages.editor(level.right_page)
    {
        editor.set_previous(new_page);
    }
    Ok(())
}

/// The root of a tree that gains a level: one line leads to the page that took all its lines (traps V29, D26).
fn raise_root(level: &Split<'_>, editor: &mut anchorlog_format::page::PageEditor<'_>) -> Result<(), ApplyError> {
    let kept = PageFlags(editor.page().flags().0 & PageFlags::ROOT_DELETE.0);
    editor.set_flags(PageFlags(level.split_page_flags).logged().with(kept));
    let data = level.new_page.0.to_le_bytes();
    let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: &[], data: &data };
    editor.insert(0, &node).map_err(|error| ApplyError::edit(level.head.page, error))
}

/// The lines of the split page with the pending operation in its place: split indices count it (trap V13).
struct Combined {
    /// Lines from the split line on, which move.
    moved: Vec<Line>,
    /// Full keys of the lines that stay, without the operation's.
    kept: Vec<Vec<u8>>,
    /// Where on the split page the moved lines begin.
    first_moved: u16,
    /// The operation, where it lands on the split page: line and node.
    lands_on_source: Option<(u16, SplitOperation, Line)>,
    /// An inner line that stays on the page split and leads to the new child from now on.
    leads_to_new_child: Option<(u16, PageNumber)>,
}

struct Line {
    key: Vec<u8>,
    data: Vec<u8>,
    flags: NodeFlags,
}

impl Combined {
    fn build(
        level: &Split<'_>,
        operation: Option<(SplitOperation, Pending)>,
        new_child: Option<PageNumber>,
        pages: &PageSet,
    ) -> Result<Self, ApplyError> {
        let number = level.head.page;
        let damaged = |fault| ApplyError::fault(number, fault);
        let leaf = PageFlags(level.new_page_flags).is_leaf();
        let mut lines: Vec<Line> = Vec::new();
        let source = pages.source(number);
        if let Some(page) = source {
            for at in 0..page.lines() {
                let node = page.line(at).map_err(damaged)?;
                let mut key = Vec::new();
                page.key(&node, &mut key).map_err(damaged)?;
                lines.push(Line { key, data: node.data.to_vec(), flags: node.flags });
            }
        }
        let at = usize::from(level.operation_line);
        let mut inserted = false;
        let mut replaced = None;
        if let Some((kind, pending)) = operation {
            let version = if pending.versioned && leaf { NodeFlags::VERSION } else { NodeFlags::NONE };
            match (kind, pending.key) {
                (SplitOperation::None, _) => {}
                (SplitOperation::Insert, Some(key)) => {
                    let line = Line { key, data: pending.data, flags: version };
                    if source.is_none() {
                        // Only the operation's node goes to the new page, and the page split is newer: nothing else is at hand.
                        let moved = vec![line];
                        return Ok(Self {
                            moved,
                            kept: Vec::new(),
                            first_moved: 0,
                            lands_on_source: None,
                            leads_to_new_child: None,
                        });
                    }
                    if at > lines.len() {
                        return Err(ApplyError::corrupt(number, "the operation of the split lies behind the last line"));
                    }
                    lines.insert(at, line);
                    inserted = true;
                }
                (SplitOperation::Insert, None) => return Err(ApplyError::corrupt(number, "a split for an insert without a key")),
                (SplitOperation::Replace | SplitOperation::FlagInsertAndReplace, _) => {
                    if source.is_some() {
                        let line = lines.get_mut(at).ok_or_else(|| ApplyError::corrupt(number, "no such line to replace"))?;
                        line.data = pending.data;
                        let flags = if kind == SplitOperation::FlagInsertAndReplace {
                            line.flags.without(NodeFlags::DELETED)
                        } else {
                            line.flags
                        };
                        line.flags = flags.with(version);
                        replaced = Some((kind, version));
                    }
                }
            }
        }
        if let Some(child) = new_child
            && let Some(line) = lines.get_mut(at + 1)
        {
            line.data = child.0.to_le_bytes().to_vec();
        }
        let split = usize::from(level.split_line).min(lines.len());
        let leads_to_new_child = new_child.filter(|_| at + 1 < split).map(|child| (level.operation_line + 1, child));
        let moved = lines.split_off(split);
        let mut first_moved = level.split_line;
        let mut lands_on_source = None;
        if at < split {
            if inserted {
                first_moved = first_moved.saturating_sub(1);
                lands_on_source = Some((level.operation_line, SplitOperation::Insert, lines.remove(at)));
            } else if let Some((kind, version)) = replaced {
                // On the page split, the node is deleted and inserted anew, without its old flags (trap V15).
                let line = &mut lines[at];
                let data = std::mem::take(&mut line.data);
                lands_on_source = Some((level.operation_line, kind, Line { key: line.key.clone(), data, flags: version }));
            }
        }
        let mut kept: Vec<Vec<u8>> = lines.into_iter().map(|line| line.key).collect();
        kept.shrink_to_fit();
        Ok(Self { moved, kept, first_moved, lands_on_source, leads_to_new_child })
    }
}

/// The new page: its prefix, then the moved lines.
fn fill_new_page(level: &Split<'_>, lines: &Combined, pages: &mut PageSet) -> Result<(), ApplyError> {
    let number = level.new_page;
    let Some(mut editor) = pages.editor(number) else { return Ok(()) };
    let failed = |error| ApplyError::edit(number, error);
    let prefix = match usize::try_from(level.new_prefix_line) {
        Ok(line) => {
            let line = lines.moved.get(line).ok_or_else(|| ApplyError::corrupt(number, "no such line for the prefix"))?;
            editor.set_external_header(&line.key).map_err(failed)?;
            line.key.as_slice()
        }
        Err(_) => &[],
    };
    for (at, line) in lines.moved.iter().enumerate() {
        let shared = prefix_length(&line.key, prefix);
        let node = NewNode { flags: line.flags, prefix_length: shared, suffix: &line.key[shared.into()..], data: &line.data };
        editor.insert(u16::try_from(at).unwrap_or(u16::MAX), &node).map_err(failed)?;
    }
    Ok(())
}

/// The page split: moved lines go, the prefix changes, an operation that lands here is made.
fn trim_split_page(level: &Split<'_>, lines: &Combined, pages: &mut PageSet) -> Result<(), ApplyError> {
    let number = level.head.page;
    let Some(mut editor) = pages.editor(number) else { return Ok(()) };
    let failed = |error| ApplyError::edit(number, error);
    editor.delete_from(lines.first_moved).map_err(failed)?;
    if level.split_type == SplitFields::RIGHT {
        change_prefix(level, &lines.kept, &mut editor)?;
    }
    let Some((at, kind, line)) = &lines.lands_on_source else { return Ok(()) };
    if *kind != SplitOperation::Insert {
        editor.delete(*at).map_err(failed)?;
    }
    let shared = prefix_length(&line.key, new_source_prefix(level));
    let node = NewNode { flags: line.flags, prefix_length: shared, suffix: &line.key[shared.into()..], data: &line.data };
    editor.insert(*at, &node).map_err(failed)?;
    match lines.leads_to_new_child {
        Some((line, child)) => editor.patch_data(line, 0, &child.0.to_le_bytes()).map_err(failed),
        None => Ok(()),
    }
}

fn new_source_prefix<'a>(level: &Split<'a>) -> &'a [u8] {
    if level.prefix_line >= 0 { level.new_prefix } else { &[] }
}

/// Gives the page split its new prefix: nodes that shrink first, then those that grow.
fn change_prefix(
    level: &Split<'_>,
    keys: &[Vec<u8>],
    editor: &mut anchorlog_format::page::PageEditor<'_>,
) -> Result<(), ApplyError> {
    let number = level.head.page;
    let failed = |error| ApplyError::edit(number, error);
    let prefix = new_source_prefix(level);
    editor.set_external_header(&[]).map_err(failed)?;
    for grows in [false, true] {
        for (at, key) in keys.iter().enumerate() {
            let line = u16::try_from(at).unwrap_or(u16::MAX);
            let old: OwnedNode = editor.page().line(line).map_err(|fault| ApplyError::fault(number, fault))?.into();
            let shared = prefix_length(key, prefix);
            let changes = if grows { shared < old.prefix_length } else { shared > old.prefix_length };
            if changes {
                let node = NewNode { flags: old.flags, prefix_length: shared, suffix: &key[shared.into()..], data: &old.data };
                editor.replace_node(line, &node).map_err(failed)?;
            }
        }
    }
    editor.set_external_header(prefix).map_err(failed)
}
