//! The structural check of a page: rules P1 to P24 in their order (`db-2 §16`).

use super::view::{Page, Tag};
use super::{Node, PageFlags};
use std::cmp::Ordering;
use std::fmt;

/// The first rule that a page breaks. Names are the corruption tags of Microsoft's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[allow(missing_docs, reason = "each is explained by `meaning`")]
pub enum Fault {
    CbFreeTooLarge,
    CbUncommittedFreeTooLarge,
    IbMicFreeTooLarge,
    ItagMicFreeTooLarge,
    EmptyAndPreInitFlagsNotSet,
    TagArrayWalkingOntoPghdr,
    TagArrayTooBigToLeaveDataRoom,
    PageEmptyAndPagePreInitFlagsBothSet,
    PreInitPageFlagSetWithInvalidFlags,
    CorruptFlagsMixedIndexLv,
    RepairedPage,
    ZeroLengthIline,
    TagInFreeSpace,
    TagBeyondEndOfPage,
    LineEndsAboveDataSection,
    PrefixTooLong,
    NodeLengths,
    TagZeroLengthKey,
    TagCbDataZero,
    LinesOutOfOrder,
    TagsOverlap,
    SpaceSizeMismatch,
    /// A line was asked for that the page does not have: not a rule of the check.
    NoSuchLine,
}

impl Fault {
    /// Whether it is one of keys alone: the lines of the page can be read all the same.
    #[must_use]
    pub const fn is_of_keys(self) -> bool {
        matches!(self, Self::PrefixTooLong | Self::TagZeroLengthKey | Self::LinesOutOfOrder)
    }
    /// What is wrong, in words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::CbFreeTooLarge => "more free bytes than the page has",
            Self::CbUncommittedFreeTooLarge => "more reserved free bytes than free bytes",
            Self::IbMicFreeTooLarge => "used bytes end beyond the data area",
            Self::ItagMicFreeTooLarge => "more tags than the page has room for",
            Self::EmptyAndPreInitFlagsNotSet => "no tags, though the page is neither empty nor pre-initialised",
            Self::TagArrayWalkingOntoPghdr => "the tag array reaches the page header",
            Self::TagArrayTooBigToLeaveDataRoom => "the tag array leaves no room for data",
            Self::PageEmptyAndPagePreInitFlagsBothSet => "both empty and pre-initialised",
            Self::PreInitPageFlagSetWithInvalidFlags => "pre-initialised, with tags, siblings or other flags",
            Self::CorruptFlagsMixedIndexLv => "both index and long value",
            Self::RepairedPage => "a repair of this page was not finished",
            Self::ZeroLengthIline => "a line without bytes",
            Self::TagInFreeSpace => "a line lies in the free space",
            Self::TagBeyondEndOfPage => "a line reaches beyond the page",
            Self::LineEndsAboveDataSection => "a line reaches into the tag array",
            Self::PrefixTooLong => "a key takes more prefix bytes than the page prefix has",
            Self::NodeLengths => "a node's lengths exceed its line",
            Self::TagZeroLengthKey => "an empty key where none may be",
            Self::TagCbDataZero => "a node without data",
            Self::LinesOutOfOrder => "keys are not in ascending order",
            Self::TagsOverlap => "two lines overlap",
            Self::SpaceSizeMismatch => "used and free bytes do not add up to the page",
            Self::NoSuchLine => "no such line",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self:?})", self.meaning())
    }
}

impl std::error::Error for Fault {}

impl Page<'_> {
    /// Checks rules P1 to P24 in order.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), Fault> {
        self.check_rules(true)
    }
    /// Checks the rules of [`Page::check`] but those of keys (P17, P19, P22): whether every line can be read.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check_layout(&self) -> Result<(), Fault> {
        self.check_rules(false)
    }

    fn check_rules(&self, keys: bool) -> Result<(), Fault> {
        self.check_header()?;
        let (extents, used) = self.check_lines(keys)?;
        check_overlaps(extents)?;
        if self.tags() > 0 {
            let expected = self.data_area();
            if used + usize::from(self.free()) + 4 * usize::from(self.tags()) != expected {
                return Err(Fault::SpaceSizeMismatch);
            }
        }
        Ok(())
    }

    fn check_header(&self) -> Result<(), Fault> {
        let (area, flags, tags) = (self.data_area(), self.flags(), usize::from(self.tags()));
        let rule = |broken: bool, fault| if broken { Err(fault) } else { Ok(()) };
        rule(usize::from(self.free()) > area, Fault::CbFreeTooLarge)?;
        rule(self.uncommitted_free() > self.free(), Fault::CbUncommittedFreeTooLarge)?;
        rule(usize::from(self.data_end()) > area, Fault::IbMicFreeTooLarge)?;
        rule(tags >= area / 4, Fault::ItagMicFreeTooLarge)?;
        rule(tags == 0 && !flags.is_empty() && !flags.is_pre_init(), Fault::EmptyAndPreInitFlagsNotSet)?;
        rule(4 * tags > area, Fault::TagArrayWalkingOntoPghdr)?;
        rule(usize::from(self.data_end()) + 4 * tags > area, Fault::TagArrayTooBigToLeaveDataRoom)?;
        rule(flags.is_empty() && flags.is_pre_init(), Fault::PageEmptyAndPagePreInitFlagsBothSet)?;
        if flags.is_pre_init() {
            let others = flags.logged().without(PageFlags::PRE_INIT).without(PageFlags::NEW_RECORD_FORMAT);
            let linked = !self.previous().is_none() || !self.next().is_none();
            rule(tags != 0 || others != PageFlags(0) || linked, Fault::PreInitPageFlagSetWithInvalidFlags)?;
        }
        rule(flags.is_long_value() && flags.is_index(), Fault::CorruptFlagsMixedIndexLv)?;
        rule(flags.is_repair(), Fault::RepairedPage)
    }

    /// Checks each line, and its key where `keys` says so; returns their extents and the sum of their bytes.
    fn check_lines(&self, keys: bool) -> Result<(Vec<(usize, usize)>, usize), Fault> {
        let (tags, reserved) = (self.tags(), self.reserved_tags());
        let flags = self.flags();
        // Emptied pages of old engines keep stale lines (`db-2 §8`): nothing on them is read.
        let readable = !flags.is_empty();
        let mut extents = Vec::with_capacity(tags.into());
        let mut used = 0;
        let mut previous: Option<Node<'_>> = None;
        for index in 0..tags {
            let tag = self.tag(index)?;
            used += tag.length;
            if tag.length == 0 {
                if index >= reserved {
                    return Err(Fault::ZeroLengthIline);
                }
                continue;
            }
            let bytes = self.check_extent(tag)?;
            extents.push((tag.offset, tag.length));
            if index >= reserved && readable {
                let node = Node::parse(bytes, self.node_flags(tag, bytes)).ok_or(Fault::NodeLengths)?;
                if node.data.is_empty() {
                    return Err(Fault::TagCbDataZero);
                }
                if !keys {
                    continue;
                }
                self.check_key(&node, index + 1 == tags)?;
                if let Some(before) = previous
                    && self.compare_nodes(&before, &node)? == Ordering::Greater
                {
                    return Err(Fault::LinesOutOfOrder);
                }
                // The empty key of a rightmost inner page stands for plus infinity.
                previous = (node.key_length() > 0).then_some(node);
            }
        }
        Ok((extents, used))
    }

    fn check_extent(&self, tag: Tag) -> Result<&[u8], Fault> {
        let end = tag.offset + tag.length;
        if end >= self.size().bytes() {
            return Err(Fault::TagBeyondEndOfPage);
        }
        if end > usize::from(self.data_end()) {
            return Err(Fault::TagInFreeSpace);
        }
        if end > self.data_area() - 4 * usize::from(self.tags()) {
            return Err(Fault::LineEndsAboveDataSection);
        }
        self.tag_bytes(tag)
    }

    fn check_key(&self, node: &Node<'_>, last: bool) -> Result<(), Fault> {
        let flags = self.flags();
        if node.flags.is_compressed() && !flags.is_space_tree() && usize::from(node.prefix_length) > self.prefix()?.len() {
            return Err(Fault::PrefixTooLong);
        }
        if node.key_length() == 0 && (flags.is_leaf() || !last) {
            return Err(Fault::TagZeroLengthKey);
        }
        Ok(())
    }

    fn compare_nodes(&self, a: &Node<'_>, b: &Node<'_>) -> Result<Ordering, Fault> {
        if b.key_length() == 0 {
            return Ok(Ordering::Less);
        }
        if a.prefix_length == b.prefix_length {
            return Ok(a.suffix.cmp(b.suffix));
        }
        let mut key = Vec::with_capacity(b.key_length());
        self.key(b, &mut key)?;
        self.compare_key(a, &key)
    }
}

fn check_overlaps(mut extents: Vec<(usize, usize)>) -> Result<(), Fault> {
    extents.sort_unstable();
    let overlap = extents.windows(2).any(|pair| matches!(pair, [(offset, length), (next, _)] if offset + length > *next));
    if overlap { Err(Fault::TagsOverlap) } else { Ok(()) }
}
