//! The trees of a database: what each is, what it holds, and what every page of it must therefore be.

use super::content::TableWork;
use super::report::Findings;
use super::rule::{self, Breaks, Rule};
use super::spans::Spans;
use crate::cursor::Tree;
use crate::database::Database;
use crate::error::Error;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Page, PageFlags};
use anchorlog_format::space::Extent;
use anchorlog_format::units::{ObjectId, PageNumber};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A tree.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// In messages.
    pub name: String,
    pub tree: Tree,
    pub kind: Kind,
    /// Root of the tree that gives it space.
    pub parent: PageNumber,
}

/// What a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The database's root: no data.
    Database,
    Table,
    Index {
        unique: bool,
    },
    LongValues,
    /// Owned or available extents.
    Space,
}

/// Flags that every page of a tree shares with its root.
pub(super) const TYPE_FLAGS: PageFlags =
    PageFlags(PageFlags::INDEX.0 | PageFlags::LONG_VALUE.0 | PageFlags::NON_UNIQUE_KEYS.0 | PageFlags::SPACE_TREE.0);

pub(super) const fn type_flags(flags: PageFlags) -> PageFlags {
    PageFlags(flags.0 & TYPE_FLAGS.0)
}

/// What a tree owns, by its space trees or its single extent.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    pub owned: Spans,
    /// What the trees below it own.
    pub children: Spans,
}

/// What the leaves of a tree hold.
pub(super) enum Content<'t> {
    /// Nothing that is looked at.
    Nothing,
    /// Extents of a space tree.
    Extents(Extents),
    /// Records.
    Rows(Arc<TableWork<'t>>),
    /// Entries of the secondary index with this number.
    Entries(Arc<TableWork<'t>>, usize),
    /// Long values.
    LongValues(Arc<TableWork<'t>>),
}

/// What is found in a space tree: it is small, and kept.
pub(super) struct Extents {
    /// They are owned; otherwise available.
    pub owned: bool,
    /// The code of the engine for one that is none.
    pub jet: JetCode,
    found: Mutex<Vec<(Extent, PageNumber, u16)>>,
    pages: Mutex<Vec<PageNumber>>,
}

impl Extents {
    pub(super) fn new(owned: bool, jet: JetCode) -> Self {
        Self { owned, jet, found: Mutex::default(), pages: Mutex::default() }
    }
    /// An extent, at a line of a page.
    pub(super) fn add(&self, extent: Extent, page: PageNumber, line: u16) {
        held(&self.found).push((extent, page, line));
    }
    /// The extents found, in order.
    pub(super) fn take(&self) -> Vec<(Extent, PageNumber, u16)> {
        std::mem::take(&mut held(&self.found))
    }
    /// The pages of the tree.
    pub(super) fn take_pages(&self) -> Vec<PageNumber> {
        std::mem::take(&mut held(&self.pages))
    }
}

/// A list to which whole items are pushed: no panic can leave it half changed.
fn held<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tree while it is walked, shared by all who work on it.
pub(super) struct Walked<'t> {
    pub member: Member,
    /// None where its space could not be read.
    pub holdings: Option<Arc<Holdings>>,
    pub content: Content<'t>,
    /// Type flags of its pages.
    pub flags: PageFlags,
    /// Something in it is damaged or could not be read.
    pub broken: AtomicBool,
}

/// Where in its tree a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Root,
    /// Below a page that says its children are leaves, or are not.
    Below {
        leaves: bool,
    },
}

/// What is the same for all trees.
pub(super) struct Shared<'d> {
    pub database: &'d Database,
    /// The last page that the database owns; beyond it anything may lie (trap D7 of db-1).
    pub last_owned: PageNumber,
    pub dirty: bool,
}

impl Shared<'_> {
    pub(super) fn place(&self, member: &Member) -> Place {
        self.database.place().object(member.name.clone())
    }
    pub(super) fn findings(&self) -> Findings {
        Findings::new(self.dirty)
    }
    pub(super) fn error(&self, member: &Member, page: PageNumber, jet: JetCode, rule: Rule, message: impl Into<String>) -> Error {
        Error::new(self.place(member).page(page), jet, message).breaks(rule)
    }
    /// Rules of one page that need no other page; whether its lines can be taken for the tree's.
    pub(super) fn page_rules(
        &self,
        walked: &Walked<'_>,
        number: PageNumber,
        page: &Page<'_>,
        stand: Stand,
        findings: &mut Findings,
    ) -> bool {
        let (member, flags) = (&walked.member, page.flags());
        let mut broken = |jet, rule, message: String| findings.rule(&self.error(member, number, jet, rule, message));
        if page.objid() != member.tree.objid {
            let message = format!("the page belongs to object {}, not to {}", page.objid(), member.tree.objid);
            broken(JetCode::BAD_PARENT_PAGE_LINK, rule::OBJECT, message);
            return false;
        }
        if flags.is_empty() || flags.is_pre_init() {
            let message = "the page is not in use, but the tree leads to it".into();
            broken(JetCode::BAD_EMPTY_PAGE, rule::IN_USE, message);
            return false;
        }
        if let Content::Extents(extents) = &walked.content {
            held(&extents.pages).push(number);
        }
        let corrupted = JetCode::DATABASE_CORRUPTED;
        // Whether its keys are unique was asked of a data tree's root by a rule of its own.
        let asked = if stand == Stand::Root && member.kind != Kind::Space { PageFlags::NON_UNIQUE_KEYS } else { PageFlags(0) };
        if type_flags(flags).without(asked) != walked.flags.without(asked) {
            let message = format!("its flags {flags} are not those of such a tree, {}", walked.flags);
            broken(corrupted, rule::TYPE_FLAGS, message);
        }
        match stand {
            Stand::Root if !flags.is_root() => {
                broken(corrupted, rule::ROOT_FLAG, "the page is not marked as a root".into());
            }
            Stand::Below { leaves } if leaves != flags.is_leaf() => {
                let message =
                    if leaves { "an inner page where its parent has leaves" } else { "a leaf where its parent has inner pages" };
                broken(corrupted, rule::PARENT_OF_LEAF, message.into());
            }
            Stand::Root | Stand::Below { .. } => {}
        }
        if flags.is_leaf() && flags.is_parent_of_leaf() {
            broken(corrupted, rule::PARENT_OF_LEAF, "a leaf that says its children are leaves".into());
        }
        if let Some(holdings) = &walked.holdings {
            // That a tree owns its own root is a rule of its own.
            if stand != Stand::Root && !holdings.owned.contains(number) {
                broken(corrupted, rule::USED_OWNED, "the page is used, but not owned by its tree".into());
            } else if holdings.children.contains(number) {
                broken(corrupted, rule::USED_OWNED, "the page is used, but owned by another tree".into());
            }
        }
        if stand != Stand::Root && flags.is_root() {
            // A repair leaves such pages behind (trap D37); Microsoft's integrity check does not mind.
            let message = "the page has the flag of a root, but is not one";
            findings.add(Finding::note(self.place(member).page(number), message).breaks(rule::ROOT_FLAG));
        }
        self.times(member, number, page, findings);
        true
    }

    /// Rules I8 and I9; on a dirty database pages are newer than the header by nature. Such a page can be read like any other: what the
    /// tree holds is still held against its records.
    fn times(&self, member: &Member, number: PageNumber, page: &Page<'_>, findings: &mut Findings) {
        if self.dirty {
            return;
        }
        let header = &self.database.header().header;
        if page.dbtime() > header.dbtime {
            let message = format!("its page time {} is above the database's {}", page.dbtime(), header.dbtime);
            findings.add(self.error(member, number, JetCode::DATABASE_CORRUPTED, rule::TIME, message).finding());
        }
        let last_object = ObjectId(header.last_object);
        if page.objid() > last_object {
            let message = format!("its object id {} is above the database's last {last_object}", page.objid());
            findings.add(Finding::warning(self.place(member).page(number), message).breaks(rule::LAST_OBJECT));
        }
    }
}
