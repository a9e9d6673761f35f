//! The shape of a tree above its leaves: rules I10 to I22, from the root down. The leaves are handed on in batches.

use super::member::{Kind, Shared, Stand, Walked};
use super::pages::PageSet;
use super::report::Findings;
use super::rule::{self, Breaks as _, Rule};
use super::source::Source;
use crate::cache::PageFault;
use crate::error::Error;
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Fault, NodeFlags, Page};
use anchorlog_format::space::{RootHeader, split_buffer};
use anchorlog_format::tree::MOST_LEVELS;
use anchorlog_format::units::PageNumber;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The last format update whose space trees have no split buffers in the file.
const WITHOUT_BUFFERS: u32 = 2;
/// Bytes of leaves in a batch, about.
const BATCH: usize = 256 << 10;

/// A leaf, and what its entries must lie between.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafRef {
    pub page: PageNumber,
    pub stand: Stand,
    /// Where in the batch's keys the separator of the line before lies; none for the first leaf of all.
    low: Option<(u32, u32)>,
    /// Where its own separator lies; none for infinity.
    high: Option<(u32, u32)>,
}

/// Leaves of one tree that follow each other.
pub(super) struct Batch<'t> {
    pub walked: Arc<Walked<'t>>,
    pub leaves: Vec<LeafRef>,
    keys: Vec<u8>,
    /// No leaf is missing between the batch before and this one.
    pub joined: bool,
    /// Leaves are missing behind it.
    pub open: bool,
}

impl Batch<'_> {
    pub(super) fn low(&self, leaf: &LeafRef) -> Option<&[u8]> {
        self.key(leaf.low)
    }
    pub(super) fn high(&self, leaf: &LeafRef) -> Option<&[u8]> {
        self.key(leaf.high)
    }
    fn key(&self, place: Option<(u32, u32)>) -> Option<&[u8]> {
        let (start, end) = place?;
        self.keys.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
    fn keep(&mut self, key: Option<&[u8]>) -> Option<(u32, u32)> {
        let key = key?;
        let start = u32::try_from(self.keys.len()).ok()?;
        self.keys.extend_from_slice(key);
        Some((start, u32::try_from(self.keys.len()).ok()?))
    }
}

/// What comes out of a tree's inner pages, in order.
pub(super) enum Part<'t> {
    Leaves(Batch<'t>),
    /// No more leaves: what was found above them.
    End(Findings, Ended),
}

/// How the walk over the inner pages of a tree ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ended {
    /// Pages that were walked above the leaves.
    pub pages: u64,
    /// Leaves are missing behind the last ones handed on.
    pub open: bool,
}

/// Takes the parts; `false` ends the walk.
pub(super) type Push<'p, 't> = dyn FnMut(Part<'t>) -> bool + 'p;

/// A walk over the inner pages of a tree.
pub(super) struct Inner<'w, 'd, 't> {
    shared: &'w Shared<'d>,
    source: &'w mut Source<'d>,
    /// Pages that trees lead to, this one and those before it.
    used: &'w mut PageSet,
    walked: Arc<Walked<'t>>,
    push: &'w mut Push<'w, 't>,
    findings: Findings,
    pages: u64,
    batch: Batch<'t>,
    /// Level of the leaves, once one was seen.
    leaf_level: Option<usize>,
    go_on: bool,
    /// Leaves are not wanted.
    inner_only: bool,
}

/// Where a page hangs: what its entries must lie between.
#[derive(Clone, Copy)]
struct Bounds<'b> {
    low: Option<&'b [u8]>,
    high: Option<&'b [u8]>,
    level: usize,
}

impl<'w, 'd, 't> Inner<'w, 'd, 't> {
    pub(super) fn new(
        shared: &'w Shared<'d>,
        source: &'w mut Source<'d>,
        used: &'w mut PageSet,
        walked: Arc<Walked<'t>>,
        inner_only: bool,
        push: &'w mut Push<'w, 't>,
    ) -> Self {
        Self {
            findings: shared.findings(),
            batch: Batch { walked: Arc::clone(&walked), leaves: Vec::new(), keys: Vec::new(), joined: true, open: false },
            shared,
            source,
            used,
            walked,
            push,
            pages: 0,
            leaf_level: None,
            go_on: true,
            inner_only,
        }
    }

    /// Walks the tree; whether to go on with the next.
    pub(super) fn walk(mut self) -> bool {
        let root = self.walked.member.tree.root;
        self.enter(root, Stand::Root, Bounds { low: None, high: None, level: 0 });
        self.hand_on();
        let findings = std::mem::replace(&mut self.findings, self.shared.findings());
        if findings.broken() {
            self.walked.broken.store(true, Relaxed);
        }
        let ended = Ended { pages: self.pages, open: !self.batch.joined };
        self.go_on && (self.push)(Part::End(findings, ended))
    }

    fn enter(&mut self, number: PageNumber, stand: Stand, bounds: Bounds<'_>) {
        if !self.go_on {
            return;
        }
        if bounds.level >= MOST_LEVELS {
            return self.hole(number, JetCode::DATABASE_CORRUPTED, rule::DEPTH, "the tree is deeper than eight levels");
        }
        if !self.used.insert(number) {
            let message = "more than one way leads to the page";
            return self.hole(number, JetCode::DATABASE_CORRUPTED, rule::REACHED_ONCE, message);
        }
        if stand == (Stand::Below { leaves: true }) {
            return self.leaf(number, stand, bounds);
        }
        let (image, keys_fault) = match self.source.page(number, std::iter::empty()) {
            Ok((image, fault)) => (image.to_vec(), fault),
            Err(fault) => return self.unreadable(number, &fault),
        };
        let Some(page) = Page::new(&image) else { return };
        if stand == Stand::Root {
            self.root_header(number, &page);
        }
        if page.flags().is_leaf() {
            // Whoever reads the leaf looks at its other rules.
            return self.leaf(number, stand, bounds);
        }
        self.pages += 1;
        self.findings.keys(self.shared, &self.walked, number, keys_fault);
        let mut findings = std::mem::replace(&mut self.findings, self.shared.findings());
        let sound = self.shared.page_rules(&self.walked, number, &page, stand, &mut findings);
        self.findings = findings;
        if sound {
            self.lines(number, &page, bounds);
        } else {
            self.gap();
        }
    }

    /// Rule I29.
    fn root_header(&mut self, number: PageNumber, page: &Page<'_>) {
        let header = page.external_header().unwrap_or(&[]);
        let sound = match self.walked.member.kind {
            Kind::Space => split_buffer(header).is_some(),
            _ => RootHeader::parse(header).is_some_and(|header| header.space.is_some()),
        };
        if !sound {
            let message = format!("a root's header of {} bytes cannot be read", header.len());
            self.broken(number, JetCode::DATABASE_CORRUPTED, rule::EXTERNAL_HEADER, message);
        } else if header.is_empty() && self.shared.database.header().header.update > WITHOUT_BUFFERS {
            let message = "a space tree without a split buffer, as only engines of old write it";
            let place = self.shared.place(&self.walked.member).page(number);
            self.findings.add(Finding::note(place, message).breaks(rule::EXTERNAL_HEADER));
        }
    }

    fn lines(&mut self, number: PageNumber, page: &Page<'_>, bounds: Bounds<'_>) {
        let corrupted = JetCode::DATABASE_CORRUPTED;
        if page.lines() == 0 {
            return self.hole(number, JetCode::BAD_LINE_COUNT, rule::INNER_PAGE, "an inner page without lines");
        }
        if !page.previous().is_none() || !page.next().is_none() {
            self.broken(number, JetCode::BAD_PAGE_LINK, rule::INNER_PAGE, "an inner page with links to siblings");
        }
        let mut low: Option<Vec<u8>> = bounds.low.map(<[u8]>::to_vec);
        let mut key = Vec::new();
        for line in 0..page.lines() {
            let Ok(node) = page.line(line) else { continue };
            if page.key(&node, &mut key).is_err() {
                let message = "its key takes more prefix than the page has";
                self.broken_line(number, line, JetCode::NODE_CORRUPTED, rule::NODE_SIZES, message);
                self.gap();
                continue;
            }
            if node.flags.without(NodeFlags::COMPRESSED) != NodeFlags::NONE {
                self.broken_line(number, line, corrupted, rule::INNER_LINE, "a line of an inner page with flags of a leaf's");
            }
            if node.prefix_length == 1 {
                self.broken_line(number, line, JetCode::NODE_CORRUPTED, rule::NODE_SIZES, "a key with a prefix of one byte");
            }
            let high = if key.is_empty() { None } else { Some(&key[..]) };
            // Trap D11.
            if high.is_none() && line + 1 < page.lines() {
                let message = "an empty separator that is not the last";
                self.broken_line(number, line, corrupted, rule::SEPARATORS, message);
            }
            if line + 1 == page.lines() && high != bounds.high {
                let message = "the last separator is not that of the parent";
                self.broken_line(number, line, corrupted, rule::LAST_SEPARATOR, message);
            }
            if let (Some(low), Some(high)) = (&low, high) {
                if line == 0 && high < &low[..] {
                    let message = "the first separator is below that of the line before in the parent";
                    self.broken_line(number, line, corrupted, rule::FIRST_SEPARATOR, message);
                } else if line > 0 && high <= &low[..] {
                    self.broken_line(number, line, corrupted, rule::SEPARATORS, "separators do not ascend");
                }
            }
            match node.child() {
                Some(child) if self.may_be_child(child) => {
                    let stand = Stand::Below { leaves: page.flags().is_parent_of_leaf() };
                    self.enter(child, stand, Bounds { low: low.as_deref(), high, level: bounds.level + 1 });
                }
                Some(child) => {
                    let message = format!("the line leads to page {child}, which no tree may use");
                    self.broken_line(number, line, corrupted, rule::CHILD, &message);
                    self.gap();
                }
                None => {
                    let message = format!("{} bytes where the number of a page belongs", node.data.len());
                    self.broken_line(number, line, corrupted, rule::INNER_LINE, &message);
                    self.gap();
                }
            }
            // An empty one in the middle bounds nothing.
            low = high.map(<[u8]>::to_vec).or(low);
        }
    }

    fn may_be_child(&self, child: PageNumber) -> bool {
        // The space trees of the database's root begin on pages 2 and 3.
        let least = if self.walked.member.kind == Kind::Space { 1 } else { 3 };
        child.0 > least && child <= self.shared.last_owned
    }

    fn leaf(&mut self, number: PageNumber, stand: Stand, bounds: Bounds<'_>) {
        if *self.leaf_level.get_or_insert(bounds.level) != bounds.level {
            self.broken(number, JetCode::DATABASE_CORRUPTED, rule::DEPTH, "leaves are not all at the same level");
        }
        if self.inner_only && stand != Stand::Root {
            return;
        }
        if self.full() && self.may_cut_before(bounds.low) {
            // A wrong separator may stand in the middle of a long value.
            if self.walked.member.kind == Kind::LongValues && self.findings.broken() {
                self.gap();
            } else {
                self.hand_on();
            }
        }
        let (low, high) = (self.batch.keep(bounds.low), self.batch.keep(bounds.high));
        self.batch.leaves.push(LeafRef { page: number, stand, low, high });
    }
    fn full(&self) -> bool {
        self.batch.leaves.len() * self.shared.database.page_size().bytes() >= BATCH
    }
    /// A long value must not be cut: what its chunks add up to is seen from its root on. A separator that is no longer than an identifier
    /// stands between two values.
    fn may_cut_before(&self, separator: Option<&[u8]>) -> bool {
        if self.walked.member.kind != Kind::LongValues {
            return true;
        }
        separator.is_none_or(|key| key.len() <= if key.first().is_some_and(|byte| byte & 0x80 != 0) { 8 } else { 4 })
    }
    fn hand_on(&mut self) {
        let empty = Batch { walked: Arc::clone(&self.walked), leaves: Vec::new(), keys: Vec::new(), joined: true, open: false };
        let batch = std::mem::replace(&mut self.batch, empty);
        if !batch.leaves.is_empty() && self.go_on {
            self.go_on = (self.push)(Part::Leaves(batch));
        } else {
            self.batch.joined = batch.joined && !batch.open;
        }
    }

    /// Something below this page, or the page itself, is not walked.
    fn hole(&mut self, number: PageNumber, jet: JetCode, rule: Rule, message: &str) {
        self.broken(number, jet, rule, message);
        self.gap();
    }
    /// Leaves are missing here: what comes next does not follow what came before.
    fn gap(&mut self) {
        self.batch.open = true;
        self.hand_on();
        self.batch.joined = false;
    }
    fn unreadable(&mut self, number: PageNumber, fault: &PageFault) {
        self.findings.unreadable(self.shared, &self.walked, number, fault);
        self.gap();
    }
    fn broken(&mut self, page: PageNumber, jet: JetCode, rule: Rule, message: impl Into<String>) {
        let error = self.shared.error(&self.walked.member, page, jet, rule, message);
        self.findings.rule(&error);
    }
    fn broken_line(&mut self, page: PageNumber, line: u16, jet: JetCode, rule: Rule, message: &str) {
        let place = self.shared.place(&self.walked.member).page(page).line(line);
        self.findings.rule(&Error::new(place, jet, message).breaks(rule));
    }
}

impl Findings {
    /// Rule I7 of a page whose lines can be read, but whose keys are wrong: the rules of trees look at them one by one.
    pub(super) fn keys(&mut self, shared: &Shared<'_>, walked: &Walked<'_>, number: PageNumber, fault: Option<Fault>) {
        if let Some(fault) = fault.map(PageFault::Structure) {
            self.page(&shared.error(&walked.member, number, fault.jet(), rule::of_fault(&fault), fault.to_string()));
        }
    }
    /// A page that cannot be had, though a tree leads to it.
    pub(super) fn unreadable(&mut self, shared: &Shared<'_>, walked: &Walked<'_>, number: PageNumber, fault: &PageFault) {
        let error = shared.error(&walked.member, number, fault.jet(), rule::of_fault(fault), fault.to_string());
        // A crash leaves links to pages that were never written (trap D24): redo makes them.
        if matches!(fault, PageFault::Uninitialised | PageFault::BeyondEnd) { self.rule(&error) } else { self.page(&error) }
    }
}
