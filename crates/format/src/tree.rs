//! B+ trees: how an inner page leads to a child (`db-3 §2 to §4`).

use crate::page::{Fault, Node, Page};
use crate::units::PageNumber;
use std::cmp::Ordering;

/// Most levels of a tree (`cBTMaxDepth`): a longer way down is a loop.
pub const MOST_LEVELS: usize = 8;

/// Compares an entry, its key and, where keys are not unique, its data behind it, with a separator or another such string.
///
/// In a tree whose keys are not unique, key and data are one string (trap D29).
///
/// # Errors
/// As [`Page::compare_key`].
pub fn compare_entry(page: &Page<'_>, node: &Node<'_>, bytes: &[u8]) -> Result<Ordering, Fault> {
    if !page.flags().has_non_unique_keys() || page.flags().is_space_tree() {
        return page.compare_key(node, bytes);
    }
    let length = node.key_length();
    let (front, rest) = bytes.split_at(length.min(bytes.len()));
    Ok(page.compare_key(node, front)?.then_with(|| node.data.cmp(rest)))
}

/// The line of an inner page that leads to `entry`: the first whose separator is greater, the empty one being greater than anything
/// (traps D10, D11). `None` where there is no such line: the page is damaged.
///
/// # Errors
/// [`Fault`] where a line cannot be read.
pub fn line_of(page: &Page<'_>, entry: &[u8]) -> Result<Option<u16>, Fault> {
    first_line(page, |node| Ok(node.key_length() == 0 || page.compare_key(node, entry)? == Ordering::Greater))
}

/// The first line of a leaf that is not less than `entry`; as many as there are lines where all are.
///
/// # Errors
/// [`Fault`] where a line cannot be read.
pub fn first_not_less(page: &Page<'_>, entry: &[u8]) -> Result<u16, Fault> {
    let found = first_line(page, |node| Ok(compare_entry(page, node, entry)? != Ordering::Less))?;
    Ok(found.unwrap_or_else(|| page.lines()))
}

fn first_line<'a>(page: &Page<'a>, fits: impl Fn(&Node<'a>) -> Result<bool, Fault>) -> Result<Option<u16>, Fault> {
    let (mut low, mut high) = (0, page.lines());
    while low < high {
        let middle = low.midpoint(high);
        if fits(&page.line(middle)?)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok((low < page.lines()).then_some(low))
}

/// The child that a line of an inner page leads to.
///
/// # Errors
/// [`Fault::NodeLengths`] where its data is not a page number.
pub fn child(page: &Page<'_>, line: u16) -> Result<PageNumber, Fault> {
    page.line(line)?.child().ok_or(Fault::NodeLengths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PageFlags;

    /// A page of 4 KiB with these lines; `data` follows the key in each.
    fn page(flags: PageFlags, lines: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let mut at = 0_usize;
        for (index, (key, data)) in lines.iter().enumerate() {
            let size = 2 + key.len() + data.len();
            let start = 40 + at;
            bytes[start..start + 2].copy_from_slice(&u16::try_from(key.len()).unwrap().to_le_bytes());
            bytes[start + 2..start + 2 + key.len()].copy_from_slice(key);
            bytes[start + 2 + key.len()..start + size].copy_from_slice(data);
            let tag = 4096 - 4 * (index + 2);
            bytes[tag..tag + 2].copy_from_slice(&u16::try_from(size).unwrap().to_le_bytes());
            bytes[tag + 2..tag + 4].copy_from_slice(&u16::try_from(at).unwrap().to_le_bytes());
            at += size;
        }
        bytes[34..36].copy_from_slice(&u16::try_from(lines.len() + 1).unwrap().to_le_bytes());
        bytes[36..40].copy_from_slice(&flags.0.to_le_bytes());
        bytes
    }

    // traps db-3 D10, D11, db-2 D16
    #[test]
    fn d10_d11_equality_goes_right_and_the_empty_separator_is_greater_than_anything() {
        let bytes = page(PageFlags::PARENT_OF_LEAF, &[(b"d", &[5, 0, 0, 0]), (b"m", &[6, 0, 0, 0]), (b"", &[7, 0, 0, 0])]);
        let page = Page::new(&bytes).unwrap();
        let way = |entry: &[u8]| child(&page, line_of(&page, entry).unwrap().unwrap()).unwrap().0;
        assert_eq!([way(b"a"), way(b"d"), way(b"dd"), way(b"m"), way(b"zzz")], [5, 6, 6, 7, 7]);
    }

    #[test]
    fn an_inner_page_whose_last_separator_is_too_small_leads_nowhere() {
        let bytes = page(PageFlags::PARENT_OF_LEAF, &[(b"d", &[5, 0, 0, 0])]);
        assert_eq!(line_of(&Page::new(&bytes).unwrap(), b"d"), Ok(None));
    }

    // trap db-3 D29
    #[test]
    fn d29_where_keys_are_not_unique_key_and_data_are_one_string() {
        let lines: &[(&[u8], &[u8])] = &[(b"k", b"1"), (b"k", b"3"), (b"l", b"0")];
        let bytes = page(PageFlags::LEAF.with(PageFlags::NON_UNIQUE_KEYS), lines);
        let leaf = Page::new(&bytes).unwrap();
        let line = |entry: &[u8]| first_not_less(&leaf, entry).unwrap();
        assert_eq!([line(b"k1"), line(b"k2"), line(b"k3"), line(b"k4"), line(b"l0"), line(b"m")], [0, 1, 1, 2, 2, 3]);
    }

    // traps db-3 D9, db-2 D19
    #[test]
    fn d9_d19_a_space_tree_of_such_a_tree_is_ordered_by_key_alone() {
        let flags = PageFlags::LEAF.with(PageFlags::NON_UNIQUE_KEYS).with(PageFlags::SPACE_TREE);
        let bytes = page(flags, &[(&[0, 0, 0, 9], &[4, 0, 0, 0])]);
        let leaf = Page::new(&bytes).unwrap();
        assert_eq!(compare_entry(&leaf, &leaf.line(0).unwrap(), &[0, 0, 0, 9]), Ok(Ordering::Equal));
    }
}
