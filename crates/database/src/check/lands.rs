//! The space of all trees together: who got it from whom, and what became of every page (rules I31, I34, I38 to I40, I42 to I49).

use super::member::{Kind, Member, Shared};
use super::pages::PageSet;
use super::report::Findings;
use super::rule::{self, Breaks as _, Rule};
use super::space::Ground;
use super::spans::Spans;
use crate::error::{AVAILABLE_SPACE_CORRUPTED, Error, OWNED_SPACE_CORRUPTED};
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::space::Pool;
use anchorlog_format::units::{ObjectId, PageNumber};
use std::collections::BTreeMap;

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
