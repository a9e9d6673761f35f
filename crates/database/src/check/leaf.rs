//! Leaves: rules I23 to I28, and what they hold.

use super::content::{LongValues, TableWork};
use super::inner::{Batch, LeafRef};
use super::member::{Content, Extents, Kind, Shared, Walked};
use super::pages::PageSet;
use super::report::Findings;
use super::rule::{self, Breaks as _, Rule};
use super::source::Source;
use crate::error::Error;
use anchorlog_format::finding::Place;
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{NodeFlags, Page, PageFlags};
use anchorlog_format::space::{Extent, Pool};
use anchorlog_format::units::{PageNumber, PageSize};
use std::sync::atomic::Ordering::Relaxed;

/// A live line of a leaf, for whoever reads its content.
pub(super) struct Line<'a> {
    pub page: PageNumber,
    pub line: u16,
    pub key: &'a [u8],
    pub data: &'a [u8],
    pub flags: NodeFlags,
    pub page_flags: PageFlags,
}

/// What a batch of leaves came to.
pub(super) struct Leaves {
    pub findings: Findings,
    pub pages: u64,
    /// Rows, entries or long values.
    pub items: u64,
    pub first: Edge,
    pub last: Edge,
}

/// The outermost leaf of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// It could not be read.
    Unknown,
    /// The leaf, what it says is before it, and what it says is next.
    Leaf(PageNumber, PageNumber, PageNumber),
}

/// One thread's means of reading leaves.
pub(super) struct Reader<'d> {
    shared: &'d Shared<'d>,
    source: Source<'d>,
    key: Vec<u8>,
    entry: Vec<u8>,
    before: Vec<u8>,
}

impl<'d> Reader<'d> {
    pub(super) fn new(shared: &'d Shared<'d>, good: &'d PageSet) -> Self {
        let source = Source::new(shared.database, good);
        Self { shared, source, key: Vec::new(), entry: Vec::new(), before: Vec::new() }
    }

    /// Reads the leaves of a batch in their order.
    pub(super) fn batch(&mut self, batch: &Batch<'_>) -> Leaves {
        let walked = &*batch.walked;
        let mut out = Leaves { findings: self.shared.findings(), pages: 0, items: 0, first: Edge::Unknown, last: Edge::Unknown };
        let mut content = Reading::of(&walked.content, self.shared);
        if !batch.joined {
            content.gap();
        }
        for (at, leaf) in batch.leaves.iter().enumerate() {
            let edge = self.leaf(batch, at, leaf, &mut content, &mut out);
            if at == 0 {
                out.first = edge;
            } else {
                links(self.shared, walked, out.last, edge, &mut out.findings);
            }
            out.last = edge;
        }
        if batch.open {
            content.gap();
        }
        out.items = content.finish(walked, &mut out.findings);
        if out.findings.broken() {
            walked.broken.store(true, Relaxed);
        }
        out
    }

    fn leaf(&mut self, batch: &Batch<'_>, at: usize, leaf: &LeafRef, content: &mut Reading<'_>, out: &mut Leaves) -> Edge {
        let (walked, shared, findings) = (&*batch.walked, self.shared, &mut out.findings);
        let ahead = batch.leaves[at + 1..].iter().map(|leaf| leaf.page);
        let image = match self.source.page(leaf.page, ahead) {
            Ok((image, keys_fault)) => {
                findings.keys(shared, walked, leaf.page, keys_fault);
                image
            }
            Err(fault) => {
                findings.unreadable(shared, walked, leaf.page, &fault);
                content.gap();
                return Edge::Unknown;
            }
        };
        let Some(page) = Page::new(image) else { return Edge::Unknown };
        out.pages += 1;
        if !shared.page_rules(walked, leaf.page, &page, leaf.stand, findings) || !page.flags().is_leaf() {
            content.gap();
            return Edge::Unknown;
        }
        let is_root = leaf.stand == super::member::Stand::Root;
        if page.lines() == 0 && !is_root {
            let error =
                shared.error(&walked.member, leaf.page, JetCode::BAD_LINE_COUNT, rule::LEAF_LINES, "a leaf without lines");
            findings.rule(&error);
            content.gap();
        }
        let mut lines = Lines {
            shared,
            walked,
            number: leaf.page,
            page: &page,
            findings,
            joined: walked.flags.has_non_unique_keys() && walked.member.kind != Kind::Space,
        };
        lines.walk([&mut self.key, &mut self.entry, &mut self.before], batch.low(leaf), batch.high(leaf), content);
        Edge::Leaf(leaf.page, page.previous(), page.next())
    }
}

/// Rule I27 for two leaves that follow each other.
pub(super) fn links(shared: &Shared<'_>, walked: &Walked<'_>, left: Edge, right: Edge, findings: &mut Findings) {
    let (Edge::Leaf(left, _, next), Edge::Leaf(right, previous, _)) = (left, right) else { return };
    let mut broken = |page, message: String| {
        findings.rule(&shared.error(&walked.member, page, JetCode::BAD_PAGE_LINK, rule::LINKS, message));
    };
    if previous != left {
        broken(right, format!("the leaf says that page {previous} is before it, not page {left}"));
    }
    if next != right {
        broken(left, format!("the leaf says that page {next} is next, not page {right}"));
    }
}

/// Rule I27 at the two ends of a tree.
pub(super) fn ends(shared: &Shared<'_>, walked: &Walked<'_>, first: Edge, last: Edge, findings: &mut Findings) {
    let mut broken = |page, message: String| {
        findings.rule(&shared.error(&walked.member, page, JetCode::BAD_PARENT_PAGE_LINK, rule::LINKS, message));
    };
    if let Edge::Leaf(leaf, previous, _) = first
        && !previous.is_none()
    {
        broken(leaf, format!("the first leaf says that page {previous} is before it"));
    }
    if let Edge::Leaf(leaf, _, next) = last
        && !next.is_none()
    {
        broken(leaf, format!("the last leaf says that page {next} is next"));
    }
}

/// The lines of one leaf.
struct Lines<'l> {
    shared: &'l Shared<'l>,
    walked: &'l Walked<'l>,
    number: PageNumber,
    page: &'l Page<'l>,
    findings: &'l mut Findings,
    /// Key and data are one string in the order (trap D29).
    joined: bool,
}

impl Lines<'_> {
    fn walk(
        &mut self,
        [key, entry, before]: [&mut Vec<u8>; 3],
        low: Option<&[u8]>,
        high: Option<&[u8]>,
        content: &mut Reading<'_>,
    ) {
        let corrupted = JetCode::DATABASE_CORRUPTED;
        let limit = 2 * key_most(self.page.size());
        let (mut any, count) = (false, self.page.lines());
        for line in 0..count {
            let Ok(node) = self.page.line(line) else { continue };
            if self.page.key(&node, key).is_err() {
                let message = "its key takes more prefix than the page has";
                self.broken(line, JetCode::NODE_CORRUPTED, rule::NODE_SIZES, message);
                content.gap();
                continue;
            }
            if node.prefix_length == 1 {
                self.broken(line, JetCode::NODE_CORRUPTED, rule::NODE_SIZES, "a key with a prefix of one byte");
            }
            if key.len() > limit || key.len() + node.data.len() > self.page.size().bytes() {
                self.broken(line, JetCode::NODE_CORRUPTED, rule::NODE_SIZES, "key or data is longer than any can be");
            }
            entry.clear();
            entry.extend_from_slice(key);
            if self.joined {
                entry.extend_from_slice(node.data);
            }
            if any && *before >= *entry {
                self.broken(line, corrupted, rule::ENTRIES_ASCEND, "the entry is not above the one before");
            }
            // As entries ascend, the first and the last speak for all.
            if !any && low.is_some_and(|low| &entry[..] < low) {
                self.broken(line, corrupted, rule::LOW_BOUND, "the entry is below the separator before its page");
            }
            if line + 1 == count && high.is_some_and(|high| &entry[..] >= high) {
                self.broken(line, corrupted, rule::HIGH_BOUND, "the entry is not below the separator of its page");
            }
            std::mem::swap(before, entry);
            any = true;
            // Deleted lines count for the order (trap D13), but hold nothing.
            if !node.flags.is_deleted() {
                let page_flags = self.page.flags();
                let line = Line { page: self.number, line, key, data: node.data, flags: node.flags, page_flags };
                content.line(self.shared, self.walked, &line, self.findings);
            }
        }
    }
    fn broken(&mut self, line: u16, jet: JetCode, rule: Rule, message: &str) {
        let place = self.shared.place(&self.walked.member).page(self.number).line(line);
        self.findings.rule(&Error::new(place, jet, message).breaks(rule));
    }
}

/// Most bytes of a key (`cbKeyMost`).
const fn key_most(size: PageSize) -> usize {
    match size.bytes() {
        2048 => 500,
        4096 => 1000,
        _ => 2000,
    }
}

/// The content of the leaves of a batch while they are read.
enum Reading<'r> {
    Nothing,
    Extents(&'r Extents),
    Rows(&'r TableWork<'r>, u64),
    Entries(&'r TableWork<'r>, usize, u64),
    LongValues(Box<LongValues<'r>>),
}

impl<'r> Reading<'r> {
    fn of(content: &'r Content<'r>, shared: &'r Shared<'r>) -> Self {
        match content {
            Content::Nothing => Self::Nothing,
            Content::Extents(extents) => Self::Extents(extents),
            Content::Rows(table) => Self::Rows(table, 0),
            Content::Entries(table, index) => Self::Entries(table, *index, 0),
            Content::LongValues(table) => Self::LongValues(Box::new(LongValues::new(table, shared))),
        }
    }
    fn line(&mut self, shared: &Shared<'_>, walked: &Walked<'_>, line: &Line<'_>, findings: &mut Findings) {
        match self {
            Self::Nothing => {}
            Self::Extents(extents) => extent(shared, walked, line, extents, findings),
            Self::Rows(table, rows) => {
                *rows += 1;
                table.row(shared, walked, line, findings);
            }
            Self::Entries(table, index, entries) => {
                *entries += 1;
                table.entry(*index, line);
            }
            Self::LongValues(values) => values.line(walked, line, findings),
        }
    }
    /// A leaf is missing.
    fn gap(&mut self) {
        if let Self::LongValues(values) = self {
            values.gap();
        }
    }
    fn finish(self, walked: &Walked<'_>, findings: &mut Findings) -> u64 {
        match self {
            Self::Nothing | Self::Extents(_) => 0,
            Self::Rows(_, items) | Self::Entries(_, _, items) => items,
            Self::LongValues(mut values) => values.finish(walked, findings),
        }
    }
}

/// Rule I36.
fn extent(shared: &Shared<'_>, walked: &Walked<'_>, line: &Line<'_>, extents: &Extents, findings: &mut Findings) {
    debug_assert_eq!(walked.member.kind, Kind::Space);
    let place = || -> Place { shared.place(&walked.member).page(line.page).line(line.line) };
    if line.flags.is_versioned() {
        let message = "an extent that says it has versions";
        findings.rule(&Error::new(place(), extents.jet, message).breaks(rule::EXTENT_NODES));
    }
    // Only what is available lies in pools.
    let decoded = Extent::decode(line.key, line.data).filter(|extent| !extents.owned || extent.pool == Pool::General);
    match decoded {
        Some(extent) => extents.add(extent, line.page, line.line),
        None => {
            findings.rule(&Error::new(place(), extents.jet, "this is no extent").breaks(rule::EXTENT_NODES));
        }
    }
}
