//! The space of each tree, as its own pages tell it (rules I32, I33, I35 to I37, I41, I43, I44).

use super::inner::{Inner, Part};
use super::leaf::{Edge, Leaves, Reader, ends, links};
use super::member::{Content, Extents as Found, Holdings, Kind, Member, Shared, Walked, type_flags};
use super::pages::PageSet;
use super::report::Findings;
use super::rule::{self, Breaks as _, Rule};
use super::source::Source;
use super::spans::Spans;
use crate::cursor::Tree;
use crate::error::{AVAILABLE_SPACE_CORRUPTED, Error, OWNED_SPACE_CORRUPTED};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Page, PageFlags};
use anchorlog_format::space::{BITMAP_PAGES, Extent, Extents, Pool, RootHeader, SpaceHeader, split_buffer};
use anchorlog_format::units::PageNumber;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The space of one tree, as its own pages tell it.
pub(super) struct Ground {
    /// Root of the tree that its space comes from, as it says.
    pub parent: PageNumber,
    /// Flags of the root page, as they must be.
    pub flags: PageFlags,
    /// One extent, which the root's header names; otherwise space lies in two trees.
    pub single: bool,
    /// Owned extents.
    pub extents: Vec<Extent>,
    /// Available extents of all pools.
    pub available_extents: Vec<Extent>,
    /// What the space trees keep for themselves.
    pub buffers: Vec<Extent>,
    /// Owned pages.
    pub owned: Spans,
    /// Available pages, shelved ones not counted.
    pub available: Spans,
    /// Shelved pages.
    pub shelved: Spans,
    /// Pages that are in no list without being lost: split buffers, and what lies behind the bits of a single extent (trap D33).
    pub kept: Spans,
    /// How many of them lie behind the bits of a single extent.
    pub behind_bits: u64,
    /// Highest auto-increment value reserved.
    pub auto_increment: Option<u64>,
    /// All of it could be read.
    pub whole: bool,
    /// Extents do not overlap.
    pub apart: bool,
}

/// What was walked while space was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    pub trees: u64,
    pub pages: u64,
}

/// Reads the space of trees, one after the other.
pub(super) struct Survey<'s, 'd> {
    pub shared: &'s Shared<'d>,
    pub good: &'s PageSet,
    pub used: &'s mut PageSet,
    pub walk: Walk,
}

impl<'s, 'd> Survey<'s, 'd> {
    /// The space of a tree; `None` where its root cannot be read, which walking the tree will tell.
    pub(super) fn ground(&mut self, member: &Member, findings: &mut Findings) -> Option<Ground> {
        let root = member.tree.root;
        let mut source = Source::new(self.shared.database, self.good);
        let (image, _) = source.page(root, std::iter::empty()).ok()?;
        let page = Page::new(image)?;
        // Another tree's page, or one without a header: likewise.
        if page.objid() != member.tree.objid {
            return None;
        }
        let header = page.external_header().ok().and_then(RootHeader::parse)?;
        let space = header.space?;
        let flags = self.uniqueness(member, &space, page.flags(), findings);
        let mut ground = Ground {
            parent: space.parent,
            flags,
            single: false,
            extents: Vec::new(),
            available_extents: Vec::new(),
            buffers: Vec::new(),
            owned: Spans::default(),
            available: Spans::default(),
            shelved: Spans::default(),
            kept: Spans::default(),
            behind_bits: 0,
            auto_increment: header.auto_increment,
            whole: true,
            apart: true,
        };
        match space.extents() {
            None => {
                let message = format!("a space header with the unknown flags {:#x}", space.flags);
                self.broken(member, root, JetCode::DATABASE_CORRUPTED, rule::EXTERNAL_HEADER, message, findings);
                ground.whole = false;
            }
            Some(Extents::Single { pages, available }) => self.single(member, pages, available, &mut ground, findings),
            Some(extents @ Extents::Multiple { owned, .. }) => {
                let available = extents.available_root().unwrap_or(PageNumber::NONE);
                self.multiple(member, [owned, available], &mut ground, findings);
            }
        }
        ground.finish(root, self.shared.database.pages());
        Some(ground)
    }

    /// Rule I32; the flags as they must be on every page of the tree, by two of the three that speak.
    fn uniqueness(&self, member: &Member, space: &SpaceHeader, flags: PageFlags, findings: &mut Findings) -> PageFlags {
        let catalog = match member.kind {
            Kind::Index { unique } => !unique,
            _ => false,
        };
        let (header, page) = (space.is_non_unique(), flags.has_non_unique_keys());
        if header != page || page != catalog {
            let word = |non_unique: bool| if non_unique { "not unique" } else { "unique" };
            let message = format!(
                "keys are {} by the space header, {} by the page's flags, {} by the catalog",
                word(header),
                word(page),
                word(catalog)
            );
            self.broken(member, member.tree.root, JetCode::DATABASE_CORRUPTED, rule::UNIQUENESS, message, findings);
        }
        let non_unique = [header, page, catalog].into_iter().filter(|&says| says).count() > 1;
        if non_unique { flags.with(PageFlags::NON_UNIQUE_KEYS) } else { flags.without(PageFlags::NON_UNIQUE_KEYS) }
    }

    /// Rule I33.
    fn single(&self, member: &Member, pages: u32, bits: u32, ground: &mut Ground, findings: &mut Findings) {
        ground.single = true;
        let root = member.tree.root;
        let Some(last) = pages.checked_sub(1).and_then(|more| root.0.checked_add(more)) else {
            let message = format!("a single extent of {pages} pages");
            ground.whole = false;
            return self.broken(member, root, JetCode::DATABASE_CORRUPTED, rule::SINGLE_EXTENT, message, findings);
        };
        ground.extents.push(Extent { pool: Pool::General, last: PageNumber(last), pages });
        for bit in (0..BITMAP_PAGES).filter(|bit| bits >> bit & 1 == 1) {
            let page = PageNumber(root.0.saturating_add(1 + bit));
            if page.0 > last {
                let message = format!("page {page} is available, but the single extent ends with page {last}");
                self.broken(member, root, JetCode::DATABASE_CORRUPTED, rule::SINGLE_EXTENT, message, findings);
            } else {
                ground.available_extents.push(Extent { pool: Pool::General, last: page, pages: 1 });
            }
        }
    }

    fn multiple(&mut self, member: &Member, roots: [PageNumber; 2], ground: &mut Ground, findings: &mut Findings) {
        let root = member.tree.root;
        if roots.iter().any(|&space| space.is_none() || space == root) {
            let message = format!("its space trees begin on pages {} and {}", roots[0], roots[1]);
            ground.whole = false;
            return self.broken(member, root, JetCode::DATABASE_CORRUPTED, rule::SPACE_ROOTS, message, findings);
        }
        let mut used = vec![root, roots[0], roots[1]];
        let kinds = [
            ("owned", OWNED_SPACE_CORRUPTED, rule::OWNED_ASCEND),
            ("available", AVAILABLE_SPACE_CORRUPTED, rule::AVAILABLE_ASCEND),
        ];
        for (tree_root, (what, jet, ascend)) in roots.into_iter().zip(kinds) {
            let (extents, pages, whole) = self.space_tree(member, tree_root, (what, jet), ground.flags, findings);
            ground.whole &= whole;
            let apart = self.ascending(member, tree_root, &extents, (jet, ascend), findings);
            ground.apart &= apart;
            self.buffer(tree_root, ground);
            used.extend(pages);
            let list = if what == "owned" { &mut ground.extents } else { &mut ground.available_extents };
            *list = extents.into_iter().map(|(extent, ..)| extent).collect();
        }
        if !ground.whole {
            return;
        }
        let owned = Spans::of(&ground.extents);
        for &page in used.iter().take(3).filter(|&&page| !owned.contains(page)) {
            let what = if page == root { "its root is page" } else { "a space tree of it begins on page" };
            let message = format!("{what} {page}, which it does not own");
            self.broken(member, page, OWNED_SPACE_CORRUPTED, rule::ROOTS_OWNED, message, findings);
        }
        for &page in used.iter().skip(3).filter(|&&page| !roots.contains(&page) && !owned.contains(page)) {
            let message = "the page of a space tree is not owned by the tree";
            self.broken(member, page, JetCode::DATABASE_CORRUPTED, rule::USED_OWNED, message.into(), findings);
        }
    }

    /// Walks a space tree: its extents with their places, its pages, and whether all could be read.
    fn space_tree(
        &mut self,
        of: &Member,
        root: PageNumber,
        (what, jet): (&str, JetCode),
        flags: PageFlags,
        findings: &mut Findings,
    ) -> (Vec<(Extent, PageNumber, u16)>, Vec<PageNumber>, bool) {
        let member = Member {
            name: format!("{}, {what} space", of.name),
            tree: Tree { root, objid: of.tree.objid },
            kind: Kind::Space,
            parent: of.parent,
        };
        let walked = Arc::new(Walked {
            member,
            holdings: None,
            content: Content::Extents(Found::new(jet == OWNED_SPACE_CORRUPTED, jet)),
            flags: type_flags(flags).with(PageFlags::SPACE_TREE),
            broken: AtomicBool::new(false),
        });
        self.walk.trees += 1;
        let mut reader = Reader::new(self.shared, self.good);
        let mut source = Source::new(self.shared.database, self.good);
        let (shared, walk, mut edges) = (self.shared, &mut self.walk, Edges::default());
        let mut push = |part: Part<'_>| {
            match part {
                Part::End(found, ended) => {
                    walk.pages += ended.pages;
                    findings.append(found);
                    edges.end(shared, &walked, ended.open, findings);
                }
                Part::Leaves(batch) => {
                    let leaves = reader.batch(&batch);
                    walk.pages += leaves.pages;
                    edges.take(shared, &walked, batch.joined, leaves, findings);
                }
            }
            true
        };
        Inner::new(shared, &mut source, self.used, Arc::clone(&walked), false, &mut push).walk();
        let whole = !walked.broken.load(Relaxed);
        match &walked.content {
            Content::Extents(found) => (found.take(), found.take_pages(), whole),
            _ => (Vec::new(), Vec::new(), whole),
        }
    }

    /// Rules I37 and I41; whether they hold.
    fn ascending(
        &self,
        member: &Member,
        root: PageNumber,
        extents: &[(Extent, PageNumber, u16)],
        (jet, rule): (JetCode, Rule),
        findings: &mut Findings,
    ) -> bool {
        let mut apart = true;
        for pair in extents.windows(2) {
            let [(before, ..), (after, page, line)] = pair else { continue };
            if before.pool == after.pool && after.pages > 0 && after.first() <= before.last {
                let message = format!("extents overlap: to page {} and from page {}", before.last, after.first());
                let place = self.shared.place(member).page(*page).line(*line);
                findings.rule(&Error::new(place, jet, message).breaks(rule));
                apart = false;
            }
        }
        // One page in two pools is available twice as well.
        let pool = |pool| Spans::of(&extents.iter().map(|(extent, ..)| *extent).filter(|e| e.pool == pool).collect::<Vec<_>>());
        let (general, continuous) = (pool(Pool::General), pool(Pool::Continuous));
        for (first, last) in continuous.ranges() {
            if let Some(page) = general.first_in(first, last) {
                let message = format!("page {page} is available in two pools");
                self.broken(member, root, jet, rule, message, findings);
                apart = false;
            }
        }
        apart
    }

    /// What the space tree keeps for itself; its size is checked with the other headers of roots.
    fn buffer(&self, root: PageNumber, ground: &mut Ground) {
        let mut source = Source::new(self.shared.database, self.good);
        let Ok((image, _)) = source.page(root, std::iter::empty()) else { return };
        let buffer = Page::new(image).and_then(|page| split_buffer(page.external_header().ok()?));
        ground.buffers.extend(buffer.into_iter().flatten().filter(|extent| extent.pages > 0));
    }

    fn broken(&self, member: &Member, page: PageNumber, jet: JetCode, rule: Rule, message: String, findings: &mut Findings) {
        findings.rule(&self.shared.error(member, page, jet, rule, message));
    }
}

impl Ground {
    fn finish(&mut self, root: PageNumber, pages: u32) {
        self.owned = Spans::of(&self.extents);
        let pool = |shelved: bool| -> Vec<Extent> {
            self.available_extents.iter().filter(|extent| (extent.pool == Pool::Shelved) == shelved).copied().collect()
        };
        self.available = Spans::of(&pool(false));
        self.shelved = Spans::of(&pool(true));
        let mut kept = self.buffers.clone();
        if let (true, [single]) = (self.single, &self.extents[..]) {
            let (first, last) = (root.0.saturating_add(1 + BITMAP_PAGES), single.last.0.min(pages));
            if first <= last {
                self.behind_bits = u64::from(last - first + 1);
                kept.push(Extent { pool: Pool::General, last: PageNumber(last), pages: last - first + 1 });
            }
        }
        self.kept = Spans::of(&kept);
    }
    /// Whether one owned extent holds all these pages.
    pub(super) fn owns_as_one(&self, first: PageNumber, last: PageNumber) -> bool {
        // Where they do not ascend, that has been said, and any answer will do.
        let at = self.extents.partition_point(|owned| owned.last < last);
        self.extents.get(at).is_some_and(|owned| owned.first() <= first)
    }
    /// What whoever walks the tree has to know.
    pub(super) fn holdings(&self, children: Spans) -> Option<Arc<Holdings>> {
        self.whole.then(|| Arc::new(Holdings { owned: self.owned.clone(), children }))
    }
    /// Type flags of the root.
    pub(super) const fn type_flags(&self) -> PageFlags {
        type_flags(self.flags)
    }
}

/// The leaves of one tree at the seams of its batches.
#[derive(Default)]
pub(super) struct Edges {
    first: Option<Edge>,
    last: Option<Edge>,
}

impl Edges {
    /// Takes a batch of leaves; `joined` says that none is missing between the batch before and this one.
    pub(super) fn take(
        &mut self,
        shared: &Shared<'_>,
        walked: &Walked<'_>,
        joined: bool,
        leaves: Leaves,
        findings: &mut Findings,
    ) {
        let first = if joined || self.first.is_some() { leaves.first } else { Edge::Unknown };
        self.first.get_or_insert(first);
        if let (Some(last), true) = (self.last, joined) {
            links(shared, walked, last, leaves.first, findings);
        }
        self.last = Some(leaves.last);
        findings.append(leaves.findings);
    }
    /// The tree has no more leaves; `open` says that some are missing behind the last one seen.
    pub(super) fn end(&mut self, shared: &Shared<'_>, walked: &Walked<'_>, open: bool, findings: &mut Findings) {
        let unknown = |edge: Option<Edge>| edge.unwrap_or(Edge::Unknown);
        let last = if open { Edge::Unknown } else { unknown(self.last) };
        ends(shared, walked, unknown(self.first), last, findings);
        *self = Self::default();
    }
}
