//! The invariants of `db-3 §18`, by their numbers.

use crate::cache::PageFault;
use crate::error::Error;
use anchorlog_format::finding::Finding;

/// An invariant that a whole database keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule(u8);

impl Rule {
    /// Its number, `I1` to `I50`.
    #[must_use]
    pub fn number(self) -> &'static str {
        self.entry().1
    }
    /// What holds.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.entry().2
    }
    fn entry(self) -> (Self, &'static str, &'static str) {
        TABLE.get(usize::from(self.0)).copied().unwrap_or((self, "", ""))
    }
    /// Every invariant, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|entry| entry.0)
    }
}

macro_rules! rules {
    ($($name:ident = $number:literal, $meaning:literal;)*) => {
        rules!(@ 0_u8; $($name = $number, $meaning;)*);
        const TABLE: &[(Rule, &str, &str)] = &[$( ($name, $number, $meaning) ),*];
    };
    (@ $at:expr; $name:ident = $number:literal, $meaning:literal; $($rest:tt)*) => {
        #[doc = concat!($number, ": ", $meaning)]
        pub const $name: Rule = Rule($at);
        rules!(@ $at + 1; $($rest)*);
    };
    (@ $at:expr;) => {};
}

rules! {
    FILE_SIZE = "I1", "the file is whole pages: two headers and as many as the database owns";
    HEADER = "I2", "both copies of the header are whole, its fields fit each other, and the database is clean";
    READABLE = "I3", "every used page can be read";
    CHECKSUM = "I4", "checksum and page number hold";
    WRITTEN = "I5", "a used page is not all zero";
    FLUSHED = "I6", "no page is older than the flush map knows";
    STRUCTURE = "I7", "lines, tags and free space of a page fit each other";
    TIME = "I8", "no page time is above the header's";
    LAST_OBJECT = "I9", "no object id is above the header's last one";
    ROOT_FLAG = "I10", "the root of a tree is marked as one, and no other page of it is";
    OBJECT = "I11", "every page of a tree carries its object id";
    TYPE_FLAGS = "I12", "every page of a tree has the type flags of its root";
    REACHED_ONCE = "I13", "one way leads to each page";
    IN_USE = "I14", "no tree leads to an empty page";
    DEPTH = "I15", "a tree has at most eight levels, and all leaves are on one";
    PARENT_OF_LEAF = "I16", "inner pages above leaves, and no others, say so";
    INNER_PAGE = "I17", "an inner page has lines and no siblings";
    INNER_LINE = "I18", "a line of an inner page holds a page number and has no flags of a leaf's";
    CHILD = "I19", "a line of an inner page leads to a page that a tree may use";
    SEPARATORS = "I20", "separators ascend, and only the last may be empty";
    LAST_SEPARATOR = "I21", "the last separator of an inner page is that of its own line in the parent";
    FIRST_SEPARATOR = "I22", "the first separator of an inner page is not below that of the line before in the parent";
    LEAF_LINES = "I23", "a leaf that is no root has lines";
    ENTRIES_ASCEND = "I24", "entries of a leaf ascend";
    LOW_BOUND = "I25", "no entry of a leaf is below the separator before it";
    HIGH_BOUND = "I26", "every entry of a leaf is below its own separator";
    LINKS = "I27", "leaves are linked in the order of their parents' lines";
    NODE_SIZES = "I28", "keys, prefixes and data keep their limits";
    EXTERNAL_HEADER = "I29", "the headers of roots have their sizes";
    CONTENT = "I30", "records, long values, index entries, counters and the catalog say what they must";
    SPACE_PARENT = "I31", "a tree's space comes from the tree that the catalog says";
    UNIQUENESS = "I32", "space header, page flags and catalog agree whether keys are unique";
    SINGLE_EXTENT = "I33", "a single extent has pages, and names no page beyond them as available";
    SINGLE_OWNED = "I34", "the pages of a single extent are its parent's, and available nowhere";
    SPACE_ROOTS = "I35", "the roots of the space trees are pages of their own";
    EXTENT_NODES = "I36", "every line of a space tree is an extent";
    OWNED_ASCEND = "I37", "owned extents do not overlap";
    OWNED_INSIDE = "I38", "owned extents lie in the parent's, and in the database";
    OWNED_TAKEN = "I39", "nothing that a tree owns is available in the trees above it";
    SIBLINGS_DISJOINT = "I40", "no page is owned by two trees side by side";
    AVAILABLE_ASCEND = "I41", "available extents of a pool do not overlap";
    AVAILABLE_INSIDE = "I42", "available extents lie in owned ones of the same tree";
    USED_OWNED = "I43", "every used page is owned by its tree, by no tree below it, and not available";
    ROOTS_OWNED = "I44", "a tree owns its root and the roots of its space trees";
    SHELVED = "I45", "shelved pages are single, of the database's root, and unused";
    SPLIT_BUFFERS = "I46", "pages kept for a space tree are owned, unused and not available";
    NO_GAPS = "I47", "the database owns its pages without gaps";
    NOTHING_LEAKED = "I48", "every owned page is used, available, or kept";
    CATALOG_TREES = "I49", "no two trees share a root or an object id";
    SHADOW = "I50", "the copy of the catalog has the catalog's rows";
}

/// The invariant that a page breaks which cannot be had.
#[must_use]
pub const fn of_fault(fault: &PageFault) -> Rule {
    match fault {
        PageFault::Io(_) | PageFault::BeyondEnd => READABLE,
        PageFault::Uninitialised => WRITTEN,
        PageFault::Checksum(_) | PageFault::Number(_) => CHECKSUM,
        PageFault::Structure(_) => STRUCTURE,
    }
}

/// What can say which invariant it is about.
pub(super) trait Breaks {
    fn breaks(self, rule: Rule) -> Self;
}

impl Breaks for Error {
    fn breaks(self, rule: Rule) -> Self {
        self.with_rule(rule)
    }
}

impl Breaks for Finding {
    fn breaks(self, rule: Rule) -> Self {
        self.with_rule(rule.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invariants_are_numbered_one_to_fifty_without_gaps() {
        let numbers: Vec<&str> = Rule::all().map(Rule::number).collect();
        let expected: Vec<String> = (1..=50).map(|number| format!("I{number}")).collect();
        assert_eq!(numbers, expected);
        assert_eq!((SHADOW.number(), SEPARATORS.number()), ("I50", "I20"));
    }
}
