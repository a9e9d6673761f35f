//! Walking a tree: down from its root, its leaves from left to right.
//!
//! Leaves are found through their parents, not through their links to each other, so that one damaged page costs its own entries and
//! nothing else; whether the links agree is for `check`.

use crate::cache::PageImage;
use crate::database::Database;
use crate::error::Error;
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Fault, Node, NodeFlags, Page, PageFlags};
use anchorlog_format::tree::{MOST_LEVELS, child, first_not_less, line_of};
use anchorlog_format::units::{ObjectId, PageNumber};

/// A tree of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tree {
    /// Its root page.
    pub root: PageNumber,
    /// Its object id, on every page of it.
    pub objid: ObjectId,
}

/// An entry of a tree, while the scan stands on it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The whole key.
    pub key: &'a [u8],
    /// The data.
    pub data: &'a [u8],
    /// Flags of the node.
    pub flags: NodeFlags,
    /// The leaf.
    pub page: PageNumber,
    /// The line on it.
    pub line: u16,
    /// Flags of the leaf.
    pub page_flags: PageFlags,
}

/// The live entries of a tree in order.
///
/// ```no_run
/// # fn f(database: &anchorlog_database::Database, tree: anchorlog_database::cursor::Tree) {
/// let mut scan = anchorlog_database::cursor::Scan::new(database, tree);
/// while let Some(entry) = scan.next() {
///     println!("{:?}", entry.map(|entry| entry.key.to_vec()));
/// }
/// # }
/// ```
pub struct Scan<'d> {
    database: &'d Database,
    tree: Tree,
    /// The way down: inner pages, each with the line to be taken next.
    way: Vec<Step>,
    leaf: Option<Step>,
    /// Children yet to be entered although nothing was seen of them: the root, before the first step.
    begin: Option<Begin>,
    key: Vec<u8>,
    /// Pages entered: more than the file has means a loop.
    entered: u32,
}

struct Step {
    number: PageNumber,
    image: PageImage,
    line: u16,
}

enum Begin {
    First,
    At(Vec<u8>),
}

impl<'d> Scan<'d> {
    /// From the first entry on.
    #[must_use]
    pub fn new(database: &'d Database, tree: Tree) -> Self {
        Self::begin(database, tree, Begin::First)
    }
    /// From the first entry that is not less than `entry` on: a key, or in a tree whose keys are not unique a key with data behind it.
    #[must_use]
    pub fn seek(database: &'d Database, tree: Tree, entry: &[u8]) -> Self {
        Self::begin(database, tree, Begin::At(entry.to_vec()))
    }
    /// The next live entry. An error stands for what could not be read; the scan goes on behind it.
    #[allow(clippy::should_implement_trait, reason = "entries borrow from the scan")]
    pub fn next(&mut self) -> Option<Result<Entry<'_>, Error>> {
        match self.advance()? {
            Ok(()) => Some(self.entry()),
            Err(error) => Some(Err(error)),
        }
    }

    fn begin(database: &'d Database, tree: Tree, begin: Begin) -> Self {
        Self { database, tree, way: Vec::new(), leaf: None, begin: Some(begin), key: Vec::new(), entered: 0 }
    }
    /// Moves to the next live line of a leaf; `leaf.line` is then the line behind it.
    fn advance(&mut self) -> Option<Result<(), Error>> {
        if let Some(begin) = self.begin.take()
            && let Err(error) = self.enter(self.tree.root, &begin)
        {
            return Some(Err(error));
        }
        loop {
            if let Some(leaf) = &mut self.leaf {
                let page = Page::new(&leaf.image)?;
                while leaf.line < page.lines() {
                    let line = leaf.line;
                    leaf.line += 1;
                    match page.line(line) {
                        Ok(node) if node.flags.is_deleted() => {}
                        Ok(node) => match page.key(&node, &mut self.key) {
                            Ok(()) => return Some(Ok(())),
                            Err(fault) => return Some(Err(node_error(self.database, leaf.number, line, fault))),
                        },
                        Err(fault) => return Some(Err(node_error(self.database, leaf.number, line, fault))),
                    }
                }
                self.leaf = None;
            }
            let step = self.way.last_mut()?;
            let page = Page::new(&step.image)?;
            if step.line >= page.lines() {
                self.way.pop();
                continue;
            }
            let (number, line) = (step.number, step.line);
            step.line += 1;
            let entered = match child(&page, line) {
                Ok(below) => self.enter(below, &Begin::First),
                Err(fault) => Err(node_error(self.database, number, line, fault)),
            };
            if let Err(error) = entered {
                return Some(Err(error));
            }
        }
    }
    /// Goes down from a page to a leaf.
    fn enter(&mut self, mut number: PageNumber, begin: &Begin) -> Result<(), Error> {
        loop {
            self.entered = self.entered.saturating_add(1);
            if self.way.len() >= MOST_LEVELS || self.entered > self.database.pages() {
                self.way.clear();
                let jet = JetCode::DATABASE_CORRUPTED;
                return Err(self.database.page_error(number, jet, "the tree leads in a circle, or is too deep"));
            }
            let image = self.database.page(number)?;
            let page = Page::new(&image).ok_or_else(|| node_error(self.database, number, 0, Fault::NoSuchLine))?;
            self.check_member(number, &page)?;
            let found = |fault| node_error(self.database, number, 0, fault);
            if page.flags().is_leaf() {
                let line = match begin {
                    Begin::First => 0,
                    Begin::At(entry) => first_not_less(&page, entry).map_err(found)?,
                };
                self.leaf = Some(Step { number, image, line });
                return Ok(());
            }
            let line = match begin {
                Begin::First => 0,
                Begin::At(entry) => line_of(&page, entry).map_err(found)?.ok_or_else(|| {
                    let jet = JetCode::DATABASE_CORRUPTED;
                    self.database.page_error(number, jet, "no line of the page leads to the entry looked for")
                })?,
            };
            let below = child(&page, line).map_err(|fault| node_error(self.database, number, line, fault))?;
            self.way.push(Step { number, image, line: line + 1 });
            number = below;
        }
    }
    fn check_member(&self, number: PageNumber, page: &Page<'_>) -> Result<(), Error> {
        let error = |jet, message: String| Err(self.database.page_error(number, jet, message));
        if page.objid() != self.tree.objid {
            let message = format!("the page belongs to object {}, not to {}", page.objid(), self.tree.objid);
            return error(JetCode::BAD_PARENT_PAGE_LINK, message);
        }
        if page.flags().is_empty() || page.flags().is_pre_init() {
            return error(JetCode::BAD_EMPTY_PAGE, "the page is not in use, but the tree leads to it".into());
        }
        if !page.flags().is_leaf() && page.lines() == 0 {
            return error(JetCode::BAD_LINE_COUNT, "an inner page without lines".into());
        }
        Ok(())
    }
    /// The entry on which the last `advance` stopped.
    fn entry(&self) -> Result<Entry<'_>, Error> {
        let missing = || node_error(self.database, self.tree.root, 0, Fault::NoSuchLine);
        let leaf = self.leaf.as_ref().ok_or_else(missing)?;
        let page = Page::new(&leaf.image).ok_or_else(missing)?;
        let line = leaf.line.checked_sub(1).ok_or_else(missing)?;
        let node = page.line(line).map_err(|fault| node_error(self.database, leaf.number, line, fault))?;
        let Node { flags, data, .. } = node;
        Ok(Entry { key: &self.key, data, flags, page: leaf.number, line, page_flags: page.flags() })
    }
}

fn node_error(database: &Database, number: PageNumber, line: u16, fault: Fault) -> Error {
    Error::new(database.place().page(number).line(line), JetCode::NODE_CORRUPTED, fault.to_string())
}
