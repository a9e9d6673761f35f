//! Traps of pages (`db-2 §20`), on pages made to order.

use super::compare::are_equal;
use super::*;
use crate::units::{Dbtime, ObjectId, PageNumber};

const LARGE: usize = 32_768;

/// A leaf below the root with a prefix and uncompressed lines.
fn leaf(size: usize, prefix: &[u8], lines: &[(&str, &str)]) -> Vec<u8> {
    let mut image = vec![0; size];
    let mut editor = PageEditor::new(&mut image).unwrap();
    editor.format_new(PageNumber(30), ObjectId(12), Dbtime(10), PageFlags::LEAF);
    editor.set_external_header(prefix).unwrap();
    for (at, (key, data)) in (0..).zip(lines) {
        editor.insert(at, &plain(key, data)).unwrap();
    }
    image
}

fn plain<'a>(key: &'a str, data: &'a str) -> NewNode<'a> {
    NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: key.as_bytes(), data: data.as_bytes() }
}

fn view(image: &[u8]) -> Page<'_> {
    Page::new(image).unwrap()
}

fn keys(image: &[u8]) -> Vec<Vec<u8>> {
    let page = view(image);
    (0..page.lines())
        .map(|line| {
            let mut key = Vec::new();
            page.key(&page.line(line).unwrap(), &mut key).unwrap();
            key
        })
        .collect()
}

/// Offset in the image of the tag with this index.
fn tag_at(image: &[u8], index: usize) -> usize {
    image.len() - 4 * (index + 1)
}

fn word(image: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([image[at], image[at + 1]])
}

fn put(image: &mut [u8], at: usize, word: u16) {
    image[at..at + 2].copy_from_slice(&word.to_le_bytes());
}

// trap db-2 D1
#[test]
fn d1_offsets_of_tags_begin_behind_the_page_header() {
    for (size, header) in [(4096, 40), (LARGE, 80)] {
        let image = leaf(size, b"", &[("key", "data")]);
        assert_eq!(word(&image, tag_at(&image, 1) + 2) & 0x1FFF, 0);
        assert_eq!(&image[header + 2..header + 9], b"keydata");
        assert_eq!(view(&image).line(0).unwrap().suffix, b"key");
    }
}

// trap db-2 D2
#[test]
fn d2_node_flags_lie_in_the_tag_of_small_pages_and_in_the_node_of_large_ones() {
    for size in [8192, LARGE] {
        let mut image = leaf(size, b"pre", &[]);
        let flags = NodeFlags::DELETED.with(NodeFlags::VERSION);
        let node = NewNode { flags, prefix_length: 3, suffix: b"fix", data: b"1" };
        PageEditor::new(&mut image).unwrap().insert(0, &node).unwrap();
        let at = tag_at(&image, 1);
        let (in_tag, offset) = (word(&image, at + 2) >> 13, usize::from(word(&image, at + 2) & 0x1FFF));
        let in_node = word(&image, view(&image).size().header() + offset) >> 13;
        assert_eq!((in_tag, in_node), if size == LARGE { (0, 7) } else { (7, 0) });
        let line = view(&image).line(0).unwrap();
        assert_eq!((line.flags.0, line.prefix_length, line.suffix), (7, 3, &b"fix"[..]));
        assert_eq!(keys(&image), [b"prefix"]);
    }
}

// trap db-2 D3
#[test]
fn d3_no_reserved_tag_and_one_are_the_same() {
    let mut image = leaf(4096, b"", &[("a", "1"), ("b", "2")]);
    for (bits, lines) in [(0x0000, 2), (0x1000, 2), (0x2000, 1)] {
        put(&mut image, 34, 3 | bits);
        assert_eq!((view(&image).tags(), view(&image).lines()), (3, lines), "{bits:#x}");
    }
    assert_eq!(keys(&image), [b"b"]);
}

// trap db-2 D4
#[test]
fn d4_the_offset_of_an_empty_tag_means_nothing() {
    let mut image = leaf(4096, b"", &[("a", "1")]);
    let at = tag_at(&image, 0);
    put(&mut image, at + 2, 0x1FFF);
    assert_eq!(view(&image).check(), Ok(()));
    assert_eq!(view(&image).external_header(), Ok(&[][..]));
    PageEditor::new(&mut image).unwrap().set_external_header(b"new").unwrap();
    assert_eq!((view(&image).check(), view(&image).external_header()), (Ok(()), Ok(&b"new"[..])));
}

// trap db-2 D12, D20
#[test]
fn d12_d20_version_flags_the_reserve_for_rollback_and_the_flush_type_make_no_difference() {
    let image = leaf(4096, b"", &[("a", "1")]);
    let mut other = image.clone();
    let mut editor = PageEditor::new(&mut other).unwrap();
    editor.set_node_flags(0, NodeFlags::VERSION).unwrap();
    editor.set_uncommitted_free(7).unwrap();
    editor.set_flags(PageFlags::LEAF.with(PageFlags::NEW_RECORD_FORMAT).with_flush_type(2));
    assert!(are_equal(view(&image), view(&other)));
    PageEditor::new(&mut other).unwrap().set_node_flags(0, NodeFlags::DELETED).unwrap();
    assert!(!are_equal(view(&image), view(&other)));
}

// trap db-2 D13
#[test]
fn d13_deleted_nodes_take_part_in_the_order() {
    let mut image = leaf(4096, b"", &[("a", "1"), ("z", "2"), ("c", "3")]);
    PageEditor::new(&mut image).unwrap().set_node_flags(1, NodeFlags::DELETED).unwrap();
    assert_eq!(view(&image).check(), Err(Fault::LinesOutOfOrder));
}

// trap db-2 D14
#[test]
fn d14_the_tag_0_of_a_root_is_no_prefix() {
    let mut image = leaf(4096, &[b'x'; 16], &[("c", "3")]);
    let node = NewNode { flags: NodeFlags::NONE, prefix_length: 3, suffix: b"y", data: b"1" };
    PageEditor::new(&mut image).unwrap().insert(1, &node).unwrap();
    assert_eq!((view(&image).check(), keys(&image)), (Ok(()), vec![b"c".to_vec(), b"xxxy".to_vec()]));
    let root = view(&image).flags().with(PageFlags::ROOT);
    PageEditor::new(&mut image).unwrap().set_flags(root);
    assert_eq!(view(&image).check(), Err(Fault::PrefixTooLong));
    assert_eq!(view(&image).key(&view(&image).line(1).unwrap(), &mut Vec::new()), Err(Fault::PrefixTooLong));
}

// trap db-2 D15
#[test]
fn d15_nodes_may_take_any_part_of_the_prefix() {
    let mut image = leaf(4096, b"abcdef", &[]);
    let mut editor = PageEditor::new(&mut image).unwrap();
    for (line, length, suffix) in [(0, 3, &b"cz"[..]), (1, 0, b"abcd"), (2, 6, b"")] {
        editor.insert(line, &NewNode { flags: NodeFlags::NONE, prefix_length: length, suffix, data: b"1" }).unwrap();
    }
    assert_eq!(keys(&image), [&b"abccz"[..], b"abcd", b"abcdef"]);
    assert_eq!(view(&image).check(), Ok(()));
    // The same keys in another order are out of order, however they are stored.
    let mut editor = PageEditor::new(&mut image).unwrap();
    editor.delete(0).unwrap();
    editor.insert(1, &NewNode { flags: NodeFlags::NONE, prefix_length: 3, suffix: b"cz", data: b"1" }).unwrap();
    assert_eq!(view(&image).check(), Err(Fault::LinesOutOfOrder));
}

// trap db-2 D16
#[test]
fn d16_only_the_last_line_of_an_inner_page_may_have_an_empty_key() {
    let page = |flags, lines: &[(&str, &str)]| {
        let mut image = leaf(4096, b"", lines);
        PageEditor::new(&mut image).unwrap().set_flags(flags);
        view(&image).check()
    };
    let inner = PageFlags::PARENT_OF_LEAF;
    assert_eq!(page(inner, &[("a", "1234"), ("", "1234")]), Ok(()));
    assert_eq!(page(inner, &[("a", "1234"), ("b", "1234")]), Ok(()), "an inner page that is not the rightmost");
    assert_eq!(page(inner, &[("", "1234"), ("b", "1234")]), Err(Fault::TagZeroLengthKey));
    assert_eq!(page(PageFlags::LEAF, &[("a", "1234"), ("", "1234")]), Err(Fault::TagZeroLengthKey));
}

// trap db-2 D17
#[test]
fn d17_used_and_free_bytes_and_tags_add_up_exactly_gaps_included() {
    let mut image = leaf(4096, b"", &[("a", "1111"), ("b", "2"), ("c", "3")]);
    PageEditor::new(&mut image).unwrap().delete(0).unwrap();
    let free = view(&image).free();
    assert!(usize::from(free) > 4096 - 40 - 3 * 4 - usize::from(view(&image).data_end()), "a gap counts as free");
    assert_eq!(view(&image).check(), Ok(()));
    for wrong in [free - 1, free + 1] {
        put(&mut image, 28, wrong);
        assert_eq!(view(&image).check(), Err(Fault::SpaceSizeMismatch));
    }
}

// trap db-2 D22
#[test]
fn d22_offsets_and_lengths_of_8_kib_pages_use_all_13_bits() {
    let data = "x".repeat(8152 - 8 - 2 - 1 - 4 - 3);
    let mut image = leaf(8192, b"", &[("a", &data), ("b", "")]);
    assert_eq!(view(&image).line(0).unwrap().data.len(), data.len());
    PageEditor::new(&mut image).unwrap().set_node_flags(1, NodeFlags(3)).unwrap();
    let at = tag_at(&image, 2);
    assert_eq!(word(&image, at + 2), 8137 | 3 << 13);
    let last = view(&image).line(1).unwrap();
    assert_eq!((last.suffix, last.flags), (&b"b"[..], NodeFlags(3)));
}

// trap db-2 D25
#[test]
fn d25_the_unused_bits_of_tags_stay_zero_through_every_edit() {
    for size in [2048, 4096, 8192, 16_384, LARGE] {
        let mut image = leaf(size, b"prefix", &[("a", "1"), ("b", "2"), ("c", "3")]);
        let mut editor = PageEditor::new(&mut image).unwrap();
        let all = NodeFlags::VERSION.with(NodeFlags::DELETED);
        editor.set_node_flags(1, all).unwrap();
        editor.replace_data(2, b"something longer than before").unwrap();
        editor.replace_data(2, b"4").unwrap();
        editor.insert(1, &NewNode { flags: all, prefix_length: 6, suffix: b"", data: b"5" }).unwrap();
        editor.delete(0).unwrap();
        editor.set_external_header(b"other").unwrap();
        for index in 0..usize::from(view(&image).tags()) {
            let at = tag_at(&image, index);
            let (length, offset) = (word(&image, at), word(&image, at + 2));
            let unused = if size > 8192 { (length | offset) & 0x8000 } else { length & 0xE000 };
            assert_eq!(unused, 0, "page size {size}, tag {index}");
        }
    }
}
