//! The shape of a tree: rules I10 to I29 of `db-3 §18`, page by page from its root.

use super::{Check, Kind, Member};
use crate::cache::PageImage;
use crate::error::Error;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{NodeFlags, Page, PageFlags};
use anchorlog_format::space::{RootHeader, split_buffer};
use anchorlog_format::tree::MOST_LEVELS;
use anchorlog_format::units::{ObjectId, PageNumber};

/// A live line of a leaf, for whoever reads its content.
pub(super) struct Line<'a> {
    pub page: PageNumber,
    pub line: u16,
    pub key: &'a [u8],
    pub data: &'a [u8],
    pub page_flags: PageFlags,
}

impl Line<'_> {
    pub(super) fn place(&self, member: Place) -> Place {
        member.page(self.page).line(self.line)
    }
}

/// Takes the live lines of a tree in order.
pub(super) type Visit<'v> = dyn FnMut(&mut Check<'_, '_>, &Line<'_>) + 'v;

/// What is carried from leaf to leaf.
struct Walk<'m> {
    member: &'m Member,
    /// Flags that every page of the tree shares with its root.
    type_flags: PageFlags,
    /// Level of the leaves, once one was seen.
    leaf_level: Option<usize>,
    /// The leaf before, and what it says is next; none where a page between could not be read.
    before: Before,
    /// The last entry seen.
    last: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Leaf(PageNumber, PageNumber),
    Unknown,
}

/// Where a page hangs: what its entries must lie between.
struct Bounds<'b> {
    /// Separator of the line before in the parent.
    low: Option<&'b [u8]>,
    /// Separator of its own line; none for infinity.
    high: Option<&'b [u8]>,
    level: usize,
    /// What the parent says its children are.
    leaf_expected: Option<bool>,
}

const TYPE_FLAGS: PageFlags =
    PageFlags(PageFlags::INDEX.0 | PageFlags::LONG_VALUE.0 | PageFlags::NON_UNIQUE_KEYS.0 | PageFlags::SPACE_TREE.0);

impl Check<'_, '_> {
    /// Walks a tree; its live lines go to `visit`.
    pub(super) fn walk(&mut self, member: &Member, visit: &mut Visit<'_>) {
        self.report.counts.trees += 1;
        if let Some(other) = self.roots.insert(member.tree.root, member.tree.objid) {
            let message = format!("its root is also that of object {other}");
            return self.broken(member, member.tree.root, JetCode::DATABASE_CORRUPTED, message);
        }
        let mut walk = Walk { member, type_flags: PageFlags(0), leaf_level: None, before: Before::Nothing, last: None };
        let bounds = Bounds { low: None, high: None, level: 0, leaf_expected: None };
        self.enter(&mut walk, member.tree.root, &bounds, visit);
        if let Before::Leaf(leaf, next) = walk.before
            && !next.is_none()
        {
            let message = format!("the last leaf says that page {next} is next");
            self.broken(member, leaf, JetCode::BAD_PARENT_PAGE_LINK, message);
        }
    }

    fn enter(&mut self, walk: &mut Walk<'_>, number: PageNumber, bounds: &Bounds<'_>, visit: &mut Visit<'_>) {
        let member = walk.member;
        if bounds.level >= MOST_LEVELS {
            walk.before = Before::Unknown;
            return self.broken(member, number, JetCode::DATABASE_CORRUPTED, "the tree is deeper than eight levels");
        }
        if !self.used.insert(number) {
            walk.before = Before::Unknown;
            return self.broken(member, number, JetCode::DATABASE_CORRUPTED, "more than one way leads to the page");
        }
        let image: PageImage = match self.database.page(number) {
            Ok(image) => image,
            Err(error) => {
                walk.before = Before::Unknown;
                return self.unreadable(member, number, error);
            }
        };
        let Some(page) = Page::new(&image) else { return };
        self.report.counts.tree_pages += 1;
        if !self.page_itself(walk, number, &page, bounds) {
            walk.before = Before::Unknown;
            return;
        }
        if page.flags().is_leaf() {
            self.leaf(walk, number, &page, bounds, visit);
        } else {
            self.inner(walk, number, &page, bounds, visit);
        }
    }

    /// Rules of one page; whether its lines can be taken for the tree's.
    fn page_itself(&mut self, walk: &mut Walk<'_>, number: PageNumber, page: &Page<'_>, bounds: &Bounds<'_>) -> bool {
        let (member, flags, root) = (walk.member, page.flags(), bounds.level == 0);
        let corrupted = JetCode::DATABASE_CORRUPTED;
        if page.objid() != member.tree.objid {
            let message = format!("the page belongs to object {}, not to {}", page.objid(), member.tree.objid);
            self.broken(member, number, JetCode::BAD_PARENT_PAGE_LINK, message);
            return false;
        }
        if flags.is_empty() || flags.is_pre_init() {
            self.broken(member, number, JetCode::BAD_EMPTY_PAGE, "the page is not in use, but the tree leads to it");
            return false;
        }
        if root {
            walk.type_flags = PageFlags(flags.0 & TYPE_FLAGS.0);
            self.root(member, number, page);
        } else {
            if flags.is_root() {
                // A repair leaves such pages behind (trap D37).
                let message = "the page has the flag of a root, but is not one";
                self.report.finding(Finding::warning(self.at(member).page(number), message));
            }
            if PageFlags(flags.0 & TYPE_FLAGS.0) != walk.type_flags {
                let message = format!("its flags {flags} are not those of the tree's root");
                self.broken(member, number, corrupted, message);
            }
        }
        if let Some(leaf) = bounds.leaf_expected
            && leaf != flags.is_leaf()
        {
            let message =
                if leaf { "an inner page where its parent has leaves" } else { "a leaf where its parent has inner pages" };
            self.broken(member, number, corrupted, message);
        }
        self.times(member, number, page);
        true
    }

    fn root(&mut self, member: &Member, number: PageNumber, page: &Page<'_>) {
        let (flags, corrupted) = (page.flags(), JetCode::DATABASE_CORRUPTED);
        if !flags.is_root() {
            self.broken(member, number, corrupted, "the page is not marked as a root");
        }
        let expected = match member.kind {
            Kind::Database | Kind::Table => PageFlags(0),
            Kind::Index { unique: true } => PageFlags::INDEX,
            Kind::Index { unique: false } => PageFlags::INDEX.with(PageFlags::NON_UNIQUE_KEYS),
            Kind::LongValues => PageFlags::LONG_VALUE,
            // Space trees have the flags of the tree they belong to.
            Kind::Space => PageFlags(flags.0 & TYPE_FLAGS.0).with(PageFlags::SPACE_TREE),
        };
        if PageFlags(flags.0 & TYPE_FLAGS.0) != expected {
            let message = format!("its flags {flags} are not those of the root of such a tree");
            self.broken(member, number, corrupted, message);
        }
        let header = page.external_header().unwrap_or(&[]);
        let sound = match member.kind {
            Kind::Space => split_buffer(header).is_some(),
            _ => RootHeader::parse(header).is_some_and(|header| header.space.is_some()),
        };
        if !sound {
            self.broken(member, number, corrupted, format!("a root's header of {} bytes cannot be read", header.len()));
        }
    }

    /// Rules I8 and I9: Microsoft's own clean files break the first.
    fn times(&mut self, member: &Member, number: PageNumber, page: &Page<'_>) {
        let header = &self.database.header().header;
        let (dbtime, last_objid) = (header.dbtime, ObjectId(header.last_object));
        if self.report.dirty {
            return;
        }
        if page.dbtime() > dbtime {
            let message = format!("its page time {} is above the database's {dbtime}", page.dbtime());
            self.report.finding(Finding::warning(self.at(member).page(number), message));
        }
        if page.objid() > last_objid {
            let message = format!("its object id {} is above the database's last {last_objid}", page.objid());
            self.report.finding(Finding::warning(self.at(member).page(number), message));
        }
    }

    fn inner(&mut self, walk: &mut Walk<'_>, number: PageNumber, page: &Page<'_>, bounds: &Bounds<'_>, visit: &mut Visit<'_>) {
        let (member, corrupted) = (walk.member, JetCode::DATABASE_CORRUPTED);
        if page.lines() == 0 {
            walk.before = Before::Unknown;
            return self.broken(member, number, JetCode::BAD_LINE_COUNT, "an inner page without lines");
        }
        if !page.previous().is_none() || !page.next().is_none() {
            self.broken(member, number, JetCode::BAD_PAGE_LINK, "an inner page with links to siblings");
        }
        let mut low: Option<Vec<u8>> = bounds.low.map(<[u8]>::to_vec);
        let mut key = Vec::new();
        for line in 0..page.lines() {
            let Ok(node) = page.line(line) else { continue };
            if page.key(&node, &mut key).is_err() {
                self.broken_line(member, number, line, JetCode::NODE_CORRUPTED, "its key takes more prefix than the page has");
                continue;
            }
            let last = line + 1 == page.lines();
            if node.flags.without(NodeFlags::COMPRESSED) != NodeFlags::NONE {
                self.broken_line(member, number, line, corrupted, "a line of an inner page with flags of a leaf's");
            }
            self.prefix(member, number, line, node.prefix_length);
            let high = if key.is_empty() { None } else { Some(&key[..]) };
            if last && high != bounds.high {
                self.broken_line(member, number, line, corrupted, "the last separator is not that of the parent");
            }
            if let (Some(low), Some(high)) = (&low, high)
                && high <= &low[..]
            {
                self.broken_line(member, number, line, corrupted, "separators do not ascend");
            }
            let child = node.child().filter(|&child| self.may_be_child(member, child));
            match child {
                Some(child) => {
                    let leaf_expected = Some(page.flags().is_parent_of_leaf());
                    let below = Bounds { low: low.as_deref(), high, level: bounds.level + 1, leaf_expected };
                    self.enter(walk, child, &below, visit);
                }
                None => {
                    walk.before = Before::Unknown;
                    self.broken_line(member, number, line, corrupted, "the line leads to no page");
                }
            }
            low = high.map(<[u8]>::to_vec);
        }
    }

    fn may_be_child(&self, member: &Member, child: PageNumber) -> bool {
        let least = if member.kind == Kind::Space { 1 } else { 3 };
        child.0 > least && child <= self.last_owned
    }

    fn leaf(&mut self, walk: &mut Walk<'_>, number: PageNumber, page: &Page<'_>, bounds: &Bounds<'_>, visit: &mut Visit<'_>) {
        let (member, corrupted) = (walk.member, JetCode::DATABASE_CORRUPTED);
        if *walk.leaf_level.get_or_insert(bounds.level) != bounds.level {
            self.broken(member, number, corrupted, "leaves are not all at the same level");
        }
        if page.lines() == 0 && bounds.level > 0 {
            self.broken(member, number, JetCode::BAD_LINE_COUNT, "a leaf without lines");
        }
        self.links(walk, number, page, bounds);
        let joined = page.flags().has_non_unique_keys() && !page.flags().is_space_tree();
        let (mut key, mut entry) = (Vec::new(), Vec::new());
        for line in 0..page.lines() {
            let Ok(node) = page.line(line) else { continue };
            if page.key(&node, &mut key).is_err() {
                self.broken_line(member, number, line, JetCode::NODE_CORRUPTED, "its key takes more prefix than the page has");
                continue;
            }
            self.prefix(member, number, line, node.prefix_length);
            entry.clear();
            entry.extend_from_slice(&key);
            if joined {
                entry.extend_from_slice(node.data);
            }
            self.order(walk, number, line, &entry, bounds);
            walk.last = Some(std::mem::take(&mut entry));
            // Deleted lines count for the order (trap D13), but hold nothing.
            if !node.flags.is_deleted() {
                visit(self, &Line { page: number, line, key: &key, data: node.data, page_flags: page.flags() });
            }
        }
    }

    /// Rule I27.
    fn links(&mut self, walk: &mut Walk<'_>, number: PageNumber, page: &Page<'_>, bounds: &Bounds<'_>) {
        let (member, link) = (walk.member, JetCode::BAD_PAGE_LINK);
        match walk.before {
            Before::Unknown => {}
            Before::Nothing if page.previous().is_none() => {}
            Before::Nothing => {
                let message = format!("the first leaf says that page {} is before it", page.previous());
                self.broken(member, number, JetCode::BAD_PARENT_PAGE_LINK, message);
            }
            Before::Leaf(before, next) => {
                if page.previous() != before {
                    let message = format!("the leaf says that page {} is before it, not page {before}", page.previous());
                    self.broken(member, number, link, message);
                }
                if next != number {
                    let message = format!("the leaf says that page {next} is next, not page {number}");
                    self.broken(member, before, link, message);
                }
            }
        }
        walk.before = if bounds.level == 0 { Before::Nothing } else { Before::Leaf(number, page.next()) };
    }

    /// Rules I24 to I26.
    fn order(&mut self, walk: &Walk<'_>, number: PageNumber, line: u16, entry: &[u8], bounds: &Bounds<'_>) {
        let (member, corrupted) = (walk.member, JetCode::DATABASE_CORRUPTED);
        if walk.last.as_deref().is_some_and(|last| last >= entry) {
            self.broken_line(member, number, line, corrupted, "the entry is not above the one before");
        }
        if bounds.low.is_some_and(|low| entry < low) {
            self.broken_line(member, number, line, corrupted, "the entry is below the separator before its page");
        }
        if bounds.high.is_some_and(|high| entry >= high) {
            self.broken_line(member, number, line, corrupted, "the entry is not below the separator of its page");
        }
    }

    /// Rule I28: the engine writes no prefix of one byte.
    fn prefix(&mut self, member: &Member, number: PageNumber, line: u16, length: u16) {
        if length == 1 {
            self.broken_line(member, number, line, JetCode::NODE_CORRUPTED, "a key with a prefix of one byte");
        }
    }

    pub(super) fn broken(&mut self, member: &Member, page: PageNumber, jet: JetCode, message: impl Into<String>) {
        let place = self.at(member).page(page);
        self.report.rule(Error::new(place, jet, message));
    }
    fn broken_line(&mut self, member: &Member, page: PageNumber, line: u16, jet: JetCode, message: &str) {
        let place = self.at(member).page(page).line(line);
        self.report.rule(Error::new(place, jet, message));
    }
}
