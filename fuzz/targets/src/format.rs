//! The parsers of database files.

use crate::seal;
use anchorlog_checksum::{correct_page, set_header_xor, set_page_checksum, verify_page};
use anchorlog_format::data::catalog::{CatalogRow, TupleLimits, segments};
use anchorlog_format::data::column::{ColumnType, Fid};
use anchorlog_format::data::compression;
use anchorlog_format::data::long_value::{LongValueId, LongValueKey, LongValueRoot};
use anchorlog_format::data::record::{Record, RecordFormat, Stored};
use anchorlog_format::data::value::Value;
use anchorlog_format::database::flush_map::{FlushMapHeader, FlushMapPage, flush_type, set_flush_type};
use anchorlog_format::database::header::{DatabaseHeader, HeaderPage};
use anchorlog_format::database::trailer::Trailer;
use anchorlog_format::layout::Layout;
use anchorlog_format::page::compare::differences;
use anchorlog_format::page::{Fault, NewNode, Node, NodeFlags, Page, PageEditor};
use anchorlog_format::space::{Extent, RootHeader, split_buffer};
use anchorlog_format::tree;
use anchorlog_format::units::{Dbtime, ObjectId, PageNumber, PageSize};

/// Shows every field of a declared structure, as `inspect` does.
pub(crate) fn show(layout: &Layout, bytes: &[u8]) {
    for field in layout.fields {
        if let Some(shown) = (field.show)(bytes) {
            let _ = shown.to_string();
        }
    }
}

/// The first pages of a database: election, rules, writing back; as they are, and with checksums that hold.
pub fn database_header(input: &[u8]) {
    elect(input);
    let mut repaired = input.to_vec();
    if let Some(page) = seal::page_size(input).and_then(|size| repaired.get_mut(..size.bytes())) {
        set_header_xor(page);
        elect(&repaired);
    }
}

fn elect(start: &[u8]) {
    show(&DatabaseHeader::LAYOUT, start);
    let Ok((page, _)) = HeaderPage::elect(start) else { return };
    let _ = page.header.check_kind();
    let _ = (page.header.broken_rules(), page.header.format().to_string(), page.header.format().known());
    let _ = (page.header.state.name(), page.has_undeclared_bytes(), page.header.is_temporary());
    let written = page.to_bytes();
    let again = HeaderPage::read(&written, page.page_size()).map(|again| again.header);
    let checksum = again.as_ref().map_or(0, |header| header.checksum);
    assert!(again == Some(DatabaseHeader { checksum, ..page.header }), "what is written is not what is read");
}

/// The last page of a streamed database.
pub fn trailer(input: &[u8]) {
    let mut page = at_page_size(input);
    for _ in 0..2 {
        if let Ok(trailer) = Trailer::from_page(&page) {
            let _ = trailer.complete(&mut DatabaseHeader::default());
            let size = PageSize::from_field(u32::try_from(page.len()).unwrap_or(0)).unwrap_or(PageSize::FOUR_KIB);
            let _ = trailer.to_page(size);
        }
        show(&Trailer::LAYOUT, &page);
        set_header_xor(&mut page);
    }
}

/// A flush map.
pub fn flush_map(input: &[u8]) {
    let mut file = input.to_vec();
    for _ in 0..2 {
        if let Ok(mut header) = FlushMapHeader::from_page(&file) {
            let _ = header.accept_for(&DatabaseHeader::default());
            header.set_clean(false);
            let _ = header.to_page();
        }
        show(&FlushMapHeader::LAYOUT, &file);
        if let Some(page) = file.get_mut(..4096) {
            set_header_xor(page);
        }
    }
    for page in file.chunks_mut(8192).skip(1) {
        show(&FlushMapPage::LAYOUT, page);
        let entry = u32::from(page[0]) << 8 | u32::from(page[page.len() / 2]);
        if page.len() == 8192 {
            set_flush_type(page, entry % 32_000, flush_type(page, entry % 32_000).next());
        }
    }
}

/// A page image: checksums, structure, nodes, keys, searching.
pub fn page(input: &[u8]) {
    let image = at_page_size(input);
    let mut corrected = image.clone();
    let _ = (verify_page(&image, 7), correct_page(&mut corrected, 7));
    let page = Page::new(&image).expect("the image was cut to a legal size");
    let _ = (page.check(), page.flags().to_string(), page.number(), page.is_zero());
    let header = page.external_header().unwrap_or_default();
    let _ = RootHeader::parse(header);
    let mut key = Vec::new();
    for line in 0..page.lines() {
        let Ok(node) = page.line(line) else { continue };
        let _ = (node.child(), node.key_length(), node.size(), tree::child(&page, line));
        key.clear();
        if page.key(&node, &mut key).is_ok() {
            let _ = (page.compare_key(&node, &key), Extent::decode(&key, node.data));
            if line % 16 == 0 {
                let _ = (tree::line_of(&page, &key), tree::first_not_less(&page, &key));
            }
        }
    }
    let again = Page::new(&corrected).expect("the copy is as long");
    let _ = differences(page, again);
    let mut sealed = image.clone();
    set_page_checksum(&mut sealed, 7);
}

/// Edits of a page: 64 bytes of orders, then the image. A sound page stays sound, whatever is asked of it.
pub fn page_edit(input: &[u8]) {
    let (orders, image) = input.split_at(input.len().min(64));
    let mut image = at_page_size(image);
    let donor = image.clone();
    for order in orders.chunks_exact(4) {
        let was_sound = Page::new(&image).is_some_and(|page| page.check().is_ok());
        let before = image.clone();
        let mut editor = PageEditor::new(&mut image).expect("the image was cut to a legal size");
        let line = u16::from(order[1]) % (editor.page().lines().saturating_add(2));
        let length = usize::from(order[2]) * if order[3] & 1 == 0 { 1 } else { 40 };
        let bytes = &donor[usize::from(order[3])..];
        let bytes = &bytes[..length.min(bytes.len())];
        let node = NewNode {
            flags: NodeFlags::NONE,
            prefix_length: u16::from(order[3] >> 4),
            suffix: &bytes[..bytes.len() / 2],
            data: &bytes[bytes.len() / 2..],
        };
        // A node whose key needs more prefix than the page has is not offered by any caller.
        let fits = usize::from(node.prefix_length) <= editor.page().prefix().map_or(0, <[u8]>::len);
        let done = match order[0] % 12 {
            0 | 1 if fits => editor.insert(line, &node),
            2 => editor.delete(line),
            3 => editor.delete_from(line),
            4 => editor.replace_data(line, bytes),
            5 if fits => editor.replace_node(line, &node),
            6 => editor.set_node_flags(line, NodeFlags::DELETED),
            7 => editor.patch_data(line, order[3].into(), bytes),
            8 => editor.make_empty(),
            9 => {
                editor.fill_unused(order[3]);
                Ok(())
            }
            10 => {
                if let Some(donor) = Page::new(&donor).filter(|donor| donor.check().is_ok()) {
                    editor.copy_from(donor, PageNumber(u32::from(order[1])));
                }
                Ok(())
            }
            11 => {
                editor.format_new(PageNumber(9), ObjectId(9), Dbtime(9), anchorlog_format::page::PageFlags::LEAF);
                Ok(())
            }
            _ => Ok(()),
        };
        let page = Page::new(&image).expect("an edit does not change the length");
        if was_sound {
            let fault = broken(page);
            assert!(fault.is_none(), "order {order:?} broke a sound page: {fault:?}");
            if done.is_err() && order[0] % 12 != 8 {
                assert_eq!(
                    differences(page, Page::new(&before).expect("as long")),
                    Vec::<String>::new(),
                    "a refused edit changes nothing"
                );
            }
        }
    }
}

/// The rule that a page breaks, of those that an edit must keep whatever it is told to store. Order and contents of nodes are the
/// business of who asks for the edit; a replay that is told nonsense is found out when its result is verified.
pub(crate) fn broken(page: Page<'_>) -> Option<Fault> {
    let contents = [
        // What is reserved for rollback is told by split and merge records.
        Fault::CbUncommittedFreeTooLarge,
        Fault::LinesOutOfOrder,
        Fault::TagZeroLengthKey,
        Fault::TagCbDataZero,
        Fault::PrefixTooLong,
        Fault::CorruptFlagsMixedIndexLv,
        Fault::RepairedPage,
        Fault::PageEmptyAndPagePreInitFlagsBothSet,
        Fault::PreInitPageFlagSetWithInvalidFlags,
    ];
    page.check().err().filter(|fault| !contents.contains(fault))
}

/// Entries of space trees, and roots' headers: one byte says how long the key is.
pub fn space(input: &[u8]) {
    let Some((&length, rest)) = input.split_first() else { return };
    let (key, data) = rest.split_at(rest.len().min(length.into()));
    if let Some(extent) = Extent::decode(key, data) {
        let _ = (extent.first(), extent.contains(extent.last), extent.numbers().take(5).count());
    }
    for extent in split_buffer(rest).into_iter().flatten() {
        let _ = (extent.first(), extent.contains(PageNumber(1)));
    }
    if let Some(root) = RootHeader::parse(rest)
        && let Some(space) = root.space
    {
        let _ = (space.owned_root(), space.extents().and_then(|extents| extents.available_root()));
    }
    let _ = Node::parse(rest, NodeFlags(length));
}

const FORMATS: [RecordFormat; 3] = [RecordFormat::Small, RecordFormat::Large, RecordFormat::Old];

/// A row in each of the record formats: every column that it may have.
pub fn record(input: &[u8]) {
    for format in FORMATS {
        let Ok(record) = Record::parse(input, format) else { continue };
        for number in 1..=127 {
            for size in [1, 4, 16, 255] {
                if let Ok(Stored::Value(value)) = record.fixed(Fid(number), 4 + number, size) {
                    values(value);
                }
            }
        }
        for number in 128..=255 {
            if let Stored::Value(value) = record.variable(Fid(number)) {
                values(value);
            }
        }
        for (fid, derived) in record.tagged_columns() {
            let Ok(Stored::Value(tagged)) = record.tagged(fid, derived) else { continue };
            for instance in tagged.instances() {
                let _ = instance;
            }
        }
    }
}

fn values(bytes: &[u8]) {
    for kind in (0..=20).filter_map(ColumnType::from_number) {
        if let Some(value) = Value::decode(kind, bytes) {
            let _ = format!("{value:?}");
        }
    }
}

/// A row of the catalog, and the blobs inside such rows.
pub fn catalog(input: &[u8]) {
    for format in FORMATS {
        if let Ok(row) = Record::parse(input, format).and_then(|record| CatalogRow::decode(&record)) {
            let _ = (format!("{row:?}"), row.root(), row.locale());
        }
    }
    let _ = (TupleLimits::parse(input), segments(input, false), segments(input, true));
}

/// Keys, roots and chunks of long values.
pub fn long_value(input: &[u8]) {
    let (key, data) = input.split_at(input.len().min(12));
    for length in 0..=key.len() {
        if let Some(key) = LongValueKey::parse(&key[..length]) {
            let _ = (key.id().key(), key.id().chunk_key(u32::MAX));
        }
        if let Some(id) = LongValueId::from_record(&key[..length]) {
            let _ = id.chunk_key(0);
        }
    }
    if let Some(root) = LongValueRoot::parse(data) {
        let _ = (root.is_live(), root.is_encrypted());
    }
    for logical in [0, 1, data.len(), 4096, 32_768] {
        if let Ok(Some(value)) = anchorlog_database::long_value::decode_chunk(data, logical) {
            assert!(value.len() <= logical.max(data.len()), "a chunk grew beyond its bound");
        }
    }
}

/// Compressed values: under every scheme, and under every limit.
pub fn compression(input: &[u8]) {
    let mut value = input.to_vec();
    for scheme in 0..9 {
        if let (Some(first), Some(&original)) = (value.first_mut(), input.first())
            && scheme > 0
        {
            *first = scheme << 3 | original & 7;
        }
        for limit in [0, 1, 255, 4096, 65_536] {
            if let Ok(result) = compression::decompress(&value, limit) {
                assert!(result.len() <= limit, "more bytes than allowed");
            }
        }
    }
}

/// The image brought to the nearest legal page size that holds it.
fn at_page_size(input: &[u8]) -> Vec<u8> {
    let size = PageSize::ALL.into_iter().find(|size| size.bytes() >= input.len()).map_or(32_768, PageSize::bytes);
    let mut image = input.to_vec();
    image.resize(size, 0);
    image
}
