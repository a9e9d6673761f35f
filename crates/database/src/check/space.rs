//! Who owns which pages: the space of each tree, and all of it together (rules I31 to I48).

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
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Page, PageFlags};
use anchorlog_format::space::{BITMAP_PAGES, Extent, Extents, Pool, RootHeader, SpaceHeader, split_buffer};
use anchorlog_format::units::{ObjectId, PageNumber};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The space of one tree, as its own pages tell it.
pub(super) struct Ground {
    parent: PageNumber,
    /// Flags of the root page, as they must be.
    flags: PageFlags,
    /// Where a single extent ends; none where space lies in two trees.
    single: bool,
    extents: Vec<Extent>,
    available_extents: Vec<Extent>,
    buffers: Vec<Extent>,
    /// Owned pages.
    pub owned: Spans,
    /// Available pages, shelved ones not counted.
    pub available: Spans,
    /// Shelved pages.
    pub shelved: Spans,
    /// Pages that are in no list without being lost: split buffers, and what lies behind the bits of a single extent (trap D33).
    pub kept: Spans,
    /// How many of them lie behind the bits of a single extent.
    behind_bits: u64,
    /// Highest auto-increment value reserved.
    pub auto_increment: Option<u64>,
    /// All of it could be read.
    pub whole: bool,
    /// Extents do not overlap.
    apart: bool,
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
    fn owns_as_one(&self, first: PageNumber, last: PageNumber) -> bool {
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

/// All trees with their space.
pub(super) struct Lands<'l> {
    pub shared: &'l Shared<'l>,
    pub members: &'l [Member],
    pub grounds: &'l [Option<Ground>],
    /// Members by their roots.
    pub by_root: &'l BTreeMap<PageNumber, usize>,
}

impl Lands<'_> {
    /// Rules between trees; `children` are what the trees below each own.
    pub(super) fn check(&self, findings: &mut Findings) {
        for at in 0..self.members.len() {
            if let Some(ground) = &self.grounds[at] {
                self.parent(at, ground, findings);
                self.available(at, ground, findings);
                self.shelved(at, ground, findings);
                self.buffers(at, ground, findings);
            }
        }
        self.siblings(findings);
    }
    /// What the trees below each tree own.
    pub(super) fn children(&self) -> Vec<Spans> {
        let mut below: Vec<Vec<&Spans>> = vec![Vec::new(); self.members.len()];
        for (member, ground) in self.members.iter().zip(self.grounds) {
            if let (Some(&parent), Some(ground)) = (self.by_root.get(&member.parent), ground) {
                below[parent].push(&ground.owned);
            }
        }
        below.into_iter().map(Spans::union).collect()
    }
    /// The innermost tree that owns a page.
    pub(super) fn owner(&self, page: PageNumber) -> Option<&Member> {
        let owns = |at: &usize| self.grounds[*at].as_ref().is_some_and(|ground| ground.owned.contains(page));
        (0..self.members.len()).filter(owns).max_by_key(|&at| self.depth(at)).map(|at| &self.members[at])
    }

    fn depth(&self, mut at: usize) -> usize {
        let mut depth = 0;
        while let Some(&parent) = self.by_root.get(&self.members[at].parent).filter(|&&parent| parent != at && depth < 8) {
            at = parent;
            depth += 1;
        }
        depth
    }
    fn broken(&self, at: usize, jet: JetCode, rule: Rule, message: String, findings: &mut Findings) {
        let member = &self.members[at];
        findings.rule(&self.shared.error(member, member.tree.root, jet, rule, message));
    }

    /// Rules I31, I34, I38, I39.
    fn parent(&self, at: usize, ground: &Ground, findings: &mut Findings) {
        let member = &self.members[at];
        if ground.parent != member.parent {
            let message =
                format!("its space comes from the tree of page {}, not from that of page {}", ground.parent, member.parent);
            self.broken(at, JetCode::DATABASE_CORRUPTED, rule::SPACE_PARENT, message, findings);
        }
        if member.kind == Kind::Database {
            return self.gaps(ground, findings);
        }
        let (inside, taken) =
            if ground.single { (rule::SINGLE_OWNED, rule::SINGLE_OWNED) } else { (rule::OWNED_INSIDE, rule::OWNED_TAKEN) };
        let mut above = self.by_root.get(&member.parent).copied();
        if let Some(parent) = above.and_then(|parent| self.grounds[parent].as_ref()).filter(|parent| parent.whole) {
            for (first, last) in ground.owned.ranges().filter(|&(first, last)| !parent.owned.covers(first, last)) {
                let message = format!("it owns pages {first} to {last}, but the tree above does not own all of them");
                self.broken(at, OWNED_SPACE_CORRUPTED, inside, message, findings);
            }
            self.spans_extents(at, ground, parent, findings);
        }
        for _ in 0..8 {
            let Some(ancestor) = above else { break };
            if let Some(land) = &self.grounds[ancestor] {
                for (first, last) in ground.owned.ranges() {
                    if let Some(page) = land.available.first_in(first, last) {
                        let message = format!("it owns page {page}, which is available in {}", self.members[ancestor].name);
                        self.broken(at, OWNED_SPACE_CORRUPTED, taken, message, findings);
                    }
                }
            }
            above = self.by_root.get(&self.members[ancestor].parent).copied().filter(|&next| next != ancestor);
        }
    }

    /// Rule I38: what the tree above got as several extents is not one below it. Microsoft's repair makes such extents, and its integrity
    /// check only warns of them.
    fn spans_extents(&self, at: usize, ground: &Ground, parent: &Ground, findings: &mut Findings) {
        // Of extents that overlap, that has been said.
        for extent in ground.extents.iter().filter(|_| ground.apart && parent.apart) {
            let (first, last) = (extent.first(), extent.last);
            if parent.owned.covers(first, last) && !parent.owns_as_one(first, last) {
                let message = format!("pages {first} to {last} are owned as one extent, but by the tree above as several");
                findings.add(Finding::warning(self.shared.place(&self.members[at]), message).breaks(rule::OWNED_INSIDE));
            }
        }
    }

    /// Rule I47.
    fn gaps(&self, ground: &Ground, findings: &mut Findings) {
        let ranges: Vec<_> = ground.owned.ranges().collect();
        let begins = ranges.first().is_none_or(|(first, _)| first.0 == 1);
        if ground.whole && (ranges.len() > 1 || !begins) {
            let message = match ranges.as_slice() {
                [(_, last), (next, _), ..] => format!("the database does not own what lies between pages {last} and {next}"),
                _ => "the database does not own its first page".to_owned(),
            };
            findings.add(Finding::warning(self.shared.database.place(), message).breaks(rule::NO_GAPS));
        }
    }

    /// Rule I42.
    fn available(&self, at: usize, ground: &Ground, findings: &mut Findings) {
        let member = &self.members[at];
        // Where extents could not be read, what is left out says nothing.
        let extents = ground.available_extents.iter().filter(|extent| ground.whole && extent.pool != Pool::Shelved);
        for extent in extents {
            let (first, last) = (if extent.pages == 0 { extent.last } else { extent.first() }, extent.last);
            if !ground.owned.covers(first, last) {
                let message = format!("pages {first} to {last} are available, but not owned");
                self.broken(at, AVAILABLE_SPACE_CORRUPTED, rule::AVAILABLE_INSIDE, message, findings);
            } else if !ground.owns_as_one(first, last) {
                let message = format!("pages {first} to {last} are available as one extent, but owned as several");
                let place = self.shared.place(member);
                findings.add(Finding::warning(place, message).breaks(rule::AVAILABLE_INSIDE));
            }
        }
    }

    /// Rule I45, but for pages that are used.
    fn shelved(&self, at: usize, ground: &Ground, findings: &mut Findings) {
        for extent in ground.available_extents.iter().filter(|extent| extent.pool == Pool::Shelved) {
            let message = if self.members[at].kind != Kind::Database {
                format!("page {} is shelved in a tree that is not the database's root", extent.last)
            } else if extent.pages != 1 {
                format!("{} pages up to page {} are shelved as one", extent.pages, extent.last)
            } else {
                continue;
            };
            self.broken(at, AVAILABLE_SPACE_CORRUPTED, rule::SHELVED, message, findings);
        }
    }

    /// Rule I46, but for pages that are used. A crash while a buffer was filled leaves its pages with the parent.
    fn buffers(&self, at: usize, ground: &Ground, findings: &mut Findings) {
        let parent = self.by_root.get(&self.members[at].parent).and_then(|&parent| self.grounds[parent].as_ref());
        for extent in &ground.buffers {
            let (first, last) = (extent.first(), extent.last);
            let owned = ground.owned.covers(first, last) || parent.is_some_and(|parent| parent.owned.covers(first, last));
            let message = if !owned {
                format!("pages {first} to {last} are kept for a space tree, but not owned")
            } else if ground.available.first_in(first, last).is_some() {
                format!("pages {first} to {last} are kept for a space tree, and available")
            } else {
                continue;
            };
            self.broken(at, JetCode::DATABASE_CORRUPTED, rule::SPLIT_BUFFERS, message, findings);
        }
    }

    /// Rule I40.
    fn siblings(&self, findings: &mut Findings) {
        let mut ranges: Vec<(PageNumber, PageNumber, PageNumber, usize)> = Vec::new();
        for (at, (member, ground)) in self.members.iter().zip(self.grounds).enumerate() {
            if let Some(ground) = ground {
                ranges.extend(ground.owned.ranges().map(|(first, last)| (member.parent, first, last, at)));
            }
        }
        ranges.sort_unstable();
        // The range that reaches furthest among those before, under the same parent.
        let mut furthest: Option<(PageNumber, PageNumber, usize)> = None;
        for (parent, first, last, at) in ranges {
            if let Some((_, end, other)) = furthest.filter(|&(above, end, other)| above == parent && other != at && first <= end)
            {
                let message =
                    format!("it owns pages {first} to {}, which {} owns as well", last.min(end), self.members[other].name);
                self.broken(at, OWNED_SPACE_CORRUPTED, rule::SIBLINGS_DISJOINT, message, findings);
            }
            if furthest.is_none_or(|(above, end, _)| above != parent || last > end) {
                furthest = Some((parent, last, at));
            }
        }
    }

    /// What of the database's space is used, available, or neither (rules I43, I45, I46, I48).
    pub(super) fn accounts(&self, used: &PageSet, holes: bool, findings: &mut Findings) -> Accounts {
        let pages = self.shared.last_owned.0.min(self.shared.database.pages());
        let all = |of: fn(&Ground) -> &Spans| {
            let mut set = PageSet::new(pages);
            for (first, last) in Spans::union(self.grounds.iter().flatten().map(of)).ranges() {
                (first.0..=last.0.min(pages)).for_each(|page| _ = set.insert(PageNumber(page)));
            }
            set
        };
        let available = all(|ground| &ground.available);
        let (shelved, kept) = (all(|ground| &ground.shelved), all(|ground| &ground.kept));
        let owned = self.grounds.first().and_then(Option::as_ref).filter(|ground| ground.whole).map(|ground| &ground.owned);
        let is_owned = |page| owned.is_some_and(|owned| owned.contains(page));
        let mut lost: Vec<PageNumber> = Vec::new();
        let mut leaked = 0;
        for page in (1..=pages).map(PageNumber) {
            match (used.contains(page), available.contains(page)) {
                (true, true) => self.twice(page, rule::USED_OWNED, "available", findings),
                (true, false) if shelved.contains(page) => self.twice(page, rule::SHELVED, "shelved", findings),
                (true, false) if kept.contains(page) => {
                    self.twice(page, rule::SPLIT_BUFFERS, "kept for a space tree", findings);
                }
                (false, false) if !kept.contains(page) && !shelved.contains(page) && is_owned(page) => {
                    leaked += 1;
                    lost.push(page);
                    lost.truncate(NAMED);
                }
                _ => {}
            }
        }
        let behind_bits: u64 = self.grounds.iter().flatten().map(|ground| ground.behind_bits).sum();
        let (available, shelved) = (available.len() + behind_bits, shelved.len());
        let whole = self.grounds.iter().all(|ground| ground.as_ref().is_some_and(|ground| ground.whole));
        if holes || self.shared.dirty || !whole {
            return Accounts { available, shelved, leaked: 0 };
        }
        self.leaks(&lost, leaked, findings);
        Accounts { available, shelved, leaked }
    }
    fn twice(&self, page: PageNumber, rule: Rule, what: &str, findings: &mut Findings) {
        let mut place = self.shared.database.place().page(page);
        place.object = self.owner(page).map(|member| member.name.clone());
        let message = format!("the page is used and {what} at the same time");
        findings.rule(&Error::new(place, AVAILABLE_SPACE_CORRUPTED, message).breaks(rule));
    }
    /// Clean databases of Microsoft's engine have lost pages after a crash (trap D22), which its integrity check does not mention.
    fn leaks(&self, lost: &[PageNumber], leaked: u64, findings: &mut Findings) {
        if leaked == 0 {
            return;
        }
        let mut owners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for &page in lost {
            let name = self.owner(page).map_or("database", |member| &member.name);
            owners.entry(name).or_default().push(page.to_string());
        }
        let named: Vec<String> = owners.iter().map(|(name, pages)| format!("{} of {name}", pages.join(", "))).collect();
        let more = if leaked > lost.len() as u64 { ", …" } else { "" };
        let message = format!("{leaked} pages are owned, but neither used nor available: {}{more}", named.join("; "));
        let hint = "harmless: offline defragmentation gives them back";
        findings.add(Finding::note(self.shared.database.place(), message).with_hint(hint).breaks(rule::NOTHING_LEAKED));
    }
}

/// Lost pages that are named.
const NAMED: usize = 32;

/// Pages by what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Accounts {
    pub available: u64,
    pub shelved: u64,
    pub leaked: u64,
}

/// Rule I49: two trees never share a root or an object id. Of those that do, the one that the root page names is taken for the tree, or else
/// the first; the others are not walked.
pub(super) fn shared_identity(
    shared: &Shared<'_>,
    members: &[Member],
    findings: &mut Findings,
) -> (BTreeMap<PageNumber, usize>, Vec<bool>) {
    let (mut roots, mut objects): (BTreeMap<PageNumber, usize>, BTreeMap<ObjectId, usize>) = Default::default();
    let mut alone = vec![true; members.len()];
    for (at, member) in members.iter().enumerate() {
        let other = roots.get(&member.tree.root).or_else(|| objects.get(&member.tree.objid)).copied();
        let Some(other) = other else {
            roots.insert(member.tree.root, at);
            objects.insert(member.tree.objid, at);
            continue;
        };
        let what = if members[other].tree.root == member.tree.root { "root" } else { "object id" };
        let other_is_wrong = !is_root_of(shared, &members[other]) && is_root_of(shared, member);
        let (wrong, right) = if other_is_wrong { (other, at) } else { (at, other) };
        let (name, page) = (&members[right].name, members[wrong].tree.root);
        let message = format!("its {what} is also that of {name}");
        let jet = JetCode::DATABASE_CORRUPTED;
        findings.rule(&shared.error(&members[wrong], page, jet, rule::CATALOG_TREES, message));
        alone[wrong] = false;
        roots.insert(members[right].tree.root, right);
        objects.insert(members[right].tree.objid, right);
    }
    (roots, alone)
}

/// Whether the page says so itself.
fn is_root_of(shared: &Shared<'_>, member: &Member) -> bool {
    let image = shared.database.page(member.tree.root);
    image.is_ok_and(|image| Page::new(&image).is_some_and(|page| page.objid() == member.tree.objid))
}
