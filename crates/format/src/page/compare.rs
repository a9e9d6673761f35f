//! When two pages are equal for the engine (`log-4 §20.1`): what two correct replays may leave different does not count.

use super::{NodeFlags, Page, PageFlags};

/// What differs between two pages, in words for people; empty when they are equal.
#[must_use]
pub fn differences(a: Page<'_>, b: Page<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut field = |name: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
        let (a, b) = (a.to_string(), b.to_string());
        if a != b {
            found.push(format!("{name}: {a} against {b}"));
        }
    };
    field("page time", &a.dbtime(), &b.dbtime());
    field("left sibling", &a.previous(), &b.previous());
    field("right sibling", &a.next(), &b.next());
    field("objid", &a.objid(), &b.objid());
    field("flags", &lasting(a.flags()), &lasting(b.flags()));
    field("reserved tags", &a.reserved_tags(), &b.reserved_tags());
    field("lines", &a.lines(), &b.lines());
    if a.number() != b.number() {
        found.push(format!("own number: {:?} against {:?}", a.number(), b.number()));
    }
    if a.external_header() != b.external_header() {
        found.push(format!("external header: {:02x?} against {:02x?}", a.external_header(), b.external_header()));
    }
    for line in 0..a.lines().min(b.lines()) {
        compare_line(a, b, line, &mut found);
    }
    found
}

/// Whether two pages are equal for the engine.
#[must_use]
pub fn are_equal(a: Page<'_>, b: Page<'_>) -> bool {
    a.bytes() == b.bytes() || differences(a, b).is_empty()
}

fn lasting(flags: PageFlags) -> PageFlags {
    flags.logged().without(PageFlags::ROOT_DELETE)
}

fn compare_line(a: Page<'_>, b: Page<'_>, line: u16, found: &mut Vec<String>) {
    let (x, y) = match (a.line(line), b.line(line)) {
        (Ok(x), Ok(y)) => (x, y),
        (x, y) if x == y => return,
        (x, y) => {
            found.push(format!("line {line}: {x:?} against {y:?}"));
            return;
        }
    };
    let (flags_x, flags_y) = (x.flags.without(NodeFlags::VERSION), y.flags.without(NodeFlags::VERSION));
    if flags_x != flags_y || x.size() != y.size() {
        found.push(format!("line {line}: flags {} size {} against flags {} size {}", flags_x.0, x.size(), flags_y.0, y.size()));
    }
    // The bytes of a deleted node mean nothing.
    if flags_x.is_deleted() && flags_y.is_deleted() {
        return;
    }
    if (x.prefix_length, x.suffix) != (y.prefix_length, y.suffix) {
        let (p, q) = (x.prefix_length, y.prefix_length);
        found.push(format!("line {line}: key {p} + {:02x?} against {q} + {:02x?}", x.suffix, y.suffix));
    }
    if x.data != y.data {
        found.push(format!("line {line}: data {:02x?} against {:02x?}", x.data, y.data));
    }
}
