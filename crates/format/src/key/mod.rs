//! Keys: how column values become bytes that sort as the values do (`db-6`).
//!
//! [`KeyBuilder`] puts segments together under the index's limits. Text of code page 1200 sorts by Windows' weight tables, which are not
//! ours to have; its keys are known for ASCII text only ([`unicode`]), and otherwise said to be unpredictable.

mod binary;
mod numeric;
mod text;
pub mod unicode;

use crate::data::column::ColumnType;

/// What stands in front of a segment's value.
pub mod prefix {
    /// NULL; nothing follows.
    pub const NULL: u8 = 0x00;
    /// A value of length 0; nothing follows.
    pub const EMPTY: u8 = 0x40;
    /// A value follows.
    pub const VALUE: u8 = 0x7F;
    /// NULL in an index that sorts NULLs last (trap K19).
    pub const NULL_HIGH: u8 = 0xC0;
}

/// What decides the form of a segment.
#[derive(Clone, Copy, Debug)]
pub struct SegmentRule {
    /// Type of the column.
    pub kind: ColumnType,
    /// The column lies in the fixed part of records: binary values are not cut in chunks (trap K2).
    pub fixed: bool,
    /// Code page of text: 1200 is Unicode, anything else single-byte.
    pub code_page: u32,
    /// Every byte is inverted.
    pub descending: bool,
    /// NULLs sort last.
    pub nulls_high: bool,
    /// GUIDs sort as .NET sorts them.
    pub dot_net_guid: bool,
    /// Flags of text mapping.
    pub map_flags: u32,
    /// Version of the sort tables.
    pub sort_version: u64,
}

/// The bytes of a segment cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpredictable {
    /// They depend on Windows' weight tables.
    Weights,
    /// The value is none of its type.
    NoValue,
}

/// A key while its segments are added.
#[derive(Clone, Debug)]
pub struct KeyBuilder {
    key: Vec<u8>,
    most: usize,
    segment_most: usize,
    /// The key was cut: nothing more is added, whatever comes (trap K10).
    full: bool,
}

/// The limit that stands for "no limit given", with rules of its own (trap K23).
const OLD_KEY_MOST: usize = 255;

impl KeyBuilder {
    /// An empty key of at most `most` bytes, each text or binary segment of at most `segment_most`.
    #[must_use]
    pub fn new(most: u16, segment_most: Option<u16>) -> Self {
        let most = usize::from(most);
        Self { key: Vec::new(), most, segment_most: segment_most.map_or(most, usize::from), full: false }
    }
    /// Adds a segment: of a value, or of NULL.
    ///
    /// # Errors
    /// [`Unpredictable`]; the key is of no use then.
    pub fn push(&mut self, rule: &SegmentRule, value: Option<&[u8]>) -> Result<(), Unpredictable> {
        let room = self.most - self.key.len();
        if self.full || room == 0 {
            self.full = true;
            return Ok(());
        }
        let limit = if rule.kind.size().is_none() { room.min(self.segment_most) } else { room };
        let Segment { mut bytes, cut } = self.segment(rule, value, limit)?;
        let too_long = bytes.len() > limit;
        bytes.truncate(limit);
        if rule.descending {
            // The prefix is inverted as well (trap K18), and only after cutting.
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
        self.key.extend_from_slice(&bytes);
        // A cut by the segment's own limit alone lets later segments follow (trap K9).
        self.full = (cut || too_long) && limit == room;
        Ok(())
    }
    /// Whether the key was cut because it is full.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.full
    }
    /// The key.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.key
    }

    fn segment(&self, rule: &SegmentRule, value: Option<&[u8]>, limit: usize) -> Result<Segment, Unpredictable> {
        let Some(value) = value else {
            return Ok(Segment::whole(vec![if rule.nulls_high { prefix::NULL_HIGH } else { prefix::NULL }]));
        };
        if rule.kind.size().is_some() {
            let bytes = numeric::normalise(rule.kind, value, rule.dot_net_guid).ok_or(Unpredictable::NoValue)?;
            return Ok(Segment::whole([&[prefix::VALUE], &bytes[..]].concat()));
        }
        if value.is_empty() {
            return Ok(Segment::whole(vec![prefix::EMPTY]));
        }
        let room = limit.saturating_sub(1);
        let mut bytes = vec![prefix::VALUE];
        let cut = match (rule.kind.is_text(), rule.code_page) {
            (false, _) => binary::append(&mut bytes, self.source(value, OLD_KEY_MOST), rule.fixed, room, value.len()),
            (true, unicode::CODE_PAGE) => {
                unicode::append(&mut bytes, self.source(value, OLD_KEY_MOST - 1), rule.map_flags, rule.sort_version, room)?
            }
            (true, _) => text::append(&mut bytes, self.source(value, OLD_KEY_MOST), room),
        };
        Ok(Segment { bytes, cut })
    }
    /// Of an index with the old limit only so many bytes of a value are looked at (trap K8).
    fn source<'a>(&self, value: &'a [u8], most: usize) -> &'a [u8] {
        if self.most == OLD_KEY_MOST { &value[..value.len().min(most)] } else { value }
    }
}

struct Segment {
    bytes: Vec<u8>,
    /// The value did not fit.
    cut: bool,
}

impl Segment {
    const fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes, cut: false }
    }
}

#[cfg(test)]
mod tests;
