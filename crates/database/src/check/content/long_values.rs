//! A long-value tree, read in order (`db-5 §8`).

use super::super::leaf::Line;
use super::super::member::{Shared, Walked};
use super::super::report::Findings;
use super::super::rule::{self, Breaks as _};
use super::{TableWork, hash_of};
use crate::error::Error;
use crate::long_value::decode_chunk;
use anchorlog_format::data::long_value::{LongValueId, LongValueKey, LongValueRoot};
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::PageNumber;

/// Reads values from their roots to their ends.
pub(in crate::check) struct LongValues<'r> {
    table: &'r TableWork<'r>,
    shared: &'r Shared<'r>,
    value: Option<Open>,
    /// The chunk that waits for the next one to tell where it ends.
    chunk: Chunk,
    /// Leaves are missing before what comes next: it may begin in the middle of a value.
    behind_gap: bool,
    values: u64,
}

/// The value that is being read.
struct Open {
    id: LongValueId,
    root: LongValueRoot,
    at: Spot,
    /// Bytes seen.
    seen: u32,
}

#[derive(Default)]
struct Chunk {
    waits: bool,
    /// Where in the value it begins.
    begin: u32,
    stored: Vec<u8>,
    at: Spot,
}

#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    page: PageNumber,
    line: u16,
}

/// Where findings go.
struct Out<'o> {
    shared: &'o Shared<'o>,
    walked: &'o Walked<'o>,
    findings: &'o mut Findings,
}

impl Out<'_> {
    fn wrong(&mut self, at: Spot, jet: JetCode, message: String) {
        let place = self.shared.place(&self.walked.member).page(at.page).line(at.line);
        self.findings.rule(&Error::new(place, jet, message).breaks(rule::CONTENT));
    }
    fn corrupted(&mut self, at: Spot, message: String) {
        self.wrong(at, JetCode::LV_CORRUPTED, message);
    }
}

impl<'r> LongValues<'r> {
    pub(in crate::check) fn new(table: &'r TableWork<'r>, shared: &'r Shared<'r>) -> Self {
        Self { table, shared, value: None, chunk: Chunk::default(), behind_gap: false, values: 0 }
    }
    /// A live line of the tree.
    pub(in crate::check) fn line(&mut self, walked: &Walked<'_>, line: &Line<'_>, findings: &mut Findings) {
        let mut out = Out { shared: self.shared, walked, findings };
        let at = Spot { page: line.page, line: line.line };
        match LongValueKey::parse(line.key) {
            None => out.corrupted(at, format!("a key of {} bytes is none of a long value", line.key.len())),
            Some(LongValueKey::Root(id)) => {
                self.end(&mut out);
                self.behind_gap = false;
                match LongValueRoot::parse(line.data) {
                    Some(root) => self.value = Some(Open { id, root, at, seen: 0 }),
                    None => out.corrupted(at, format!("the root of long value {id} cannot be read")),
                }
            }
            Some(LongValueKey::Chunk(id, begin)) => {
                if self.value.as_ref().is_some_and(|value| value.id == id) {
                    self.piece(begin, line.data, at, &mut out);
                } else if !self.behind_gap {
                    out.corrupted(at, format!("a chunk of long value {id} without its root"));
                }
            }
        }
    }
    /// Leaves are missing: the value that is being read cannot be judged.
    pub(in crate::check) fn gap(&mut self) {
        if let Some(value) = self.value.take() {
            self.count(&value);
        }
        self.chunk.waits = false;
        self.behind_gap = true;
    }
    /// The end of what is read; how many values there were.
    pub(in crate::check) fn finish(&mut self, walked: &Walked<'_>, findings: &mut Findings) -> u64 {
        self.end(&mut Out { shared: self.shared, walked, findings });
        self.values
    }

    fn count(&mut self, value: &Open) {
        self.values += 1;
        // Nothing refers to a value that is being deleted, or that waits for it (trap L7).
        if value.root.is_live() {
            self.table.values.add(hash_of(value.id), value.root.references.into());
        }
    }
    fn end(&mut self, out: &mut Out<'_>) {
        let Some(mut value) = self.value.take() else { return };
        self.count(&value);
        let id = value.id;
        if value.root.references == 0 {
            let place = out.shared.place(&out.walked.member).page(value.at.page).line(value.at.line);
            let message = format!("nothing refers to long value {id} any more (it counts 0 references)");
            let hint = "harmless: offline defragmentation leaves it out";
            out.findings.add(Finding::warning(place, message).with_hint(hint).breaks(rule::CONTENT));
        }
        // The chunks of a value whose deletion has begun may be gone.
        if !value.root.is_live() {
            self.chunk.waits = false;
            return;
        }
        let sound = self.end_chunk(&mut value, None, out);
        if sound && value.seen != value.root.size {
            out.corrupted(value.at, format!("long value {id} has {} of its {} bytes", value.seen, value.root.size));
        }
    }
    fn piece(&mut self, begin: u32, stored: &[u8], at: Spot, out: &mut Out<'_>) {
        let Some(mut value) = self.value.take() else { return };
        if value.root.is_live() {
            self.end_chunk(&mut value, Some(begin), out);
            if begin != value.seen {
                let (id, seen) = (value.id, value.seen);
                out.corrupted(at, format!("a chunk of long value {id} begins at {begin}, not at {seen}"));
                value.seen = begin;
            }
            self.chunk.stored.clear();
            self.chunk.stored.extend_from_slice(stored);
            (self.chunk.waits, self.chunk.begin, self.chunk.at) = (true, begin, at);
        }
        self.value = Some(value);
    }
    /// Ends the chunk that waits, where the next one begins, or at the value's end; whether it is sound.
    fn end_chunk(&mut self, value: &mut Open, next: Option<u32>, out: &mut Out<'_>) -> bool {
        if !std::mem::take(&mut self.chunk.waits) {
            return true;
        }
        let (chunk, most) = (&self.chunk, self.table.table.chunk_size);
        // A gap is for the next chunk to report: this one has at most the usual size.
        let length = next.unwrap_or(value.root.size).saturating_sub(chunk.begin).min(most);
        value.seen = chunk.begin.saturating_add(length);
        if length == 0 || next.is_some() && length != most {
            out.corrupted(chunk.at, format!("a chunk of long value {} has {length} bytes, not {most}", value.id));
            return false;
        }
        if value.root.is_encrypted() {
            return true;
        }
        match decode_chunk(&chunk.stored, usize::try_from(length).unwrap_or(usize::MAX)) {
            Ok(_) => true,
            Err((jet, message)) => {
                out.wrong(chunk.at, jet, format!("long value {}: {message}", value.id));
                false
            }
        }
    }
}
