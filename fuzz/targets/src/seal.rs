//! Checksums made to hold again after a mutation, so that what stands behind them is reached.

use anchorlog_checksum::{SEGMENT_SIZE, set_header_xor, set_page_checksum, set_segment_checksum};
use anchorlog_format::log::header::HEADER_SIZE;
use anchorlog_format::units::PageSize;

/// Both headers and every written page of a database whose header names a legal page size.
pub fn database(file: &mut [u8]) {
    let Some(size) = page_size(file).map(PageSize::bytes) else { return };
    for (index, page) in file.chunks_exact_mut(size).enumerate() {
        if index < 2 {
            set_header_xor(page);
        } else if page.iter().any(|&byte| byte != 0) {
            set_page_checksum(page, u32::try_from(index - 1).unwrap_or(u32::MAX));
        }
    }
}

/// The page size that the field of a database header names.
#[must_use]
pub fn page_size(file: &[u8]) -> Option<PageSize> {
    PageSize::from_field(u32::from_le_bytes(*file.get(236..)?.first_chunk()?))
}

/// The header and every written segment of a log of the 8.x format; of a 7.x log the header, its integrity records stay.
pub fn log(file: &mut [u8]) {
    let Some(header) = file.get_mut(..HEADER_SIZE) else { return };
    set_header_xor(header);
    if header.get(32) == Some(&7) {
        return;
    }
    for (index, segment) in file.chunks_exact_mut(SEGMENT_SIZE).enumerate().skip(1) {
        // What was never written stays so: it ends the log.
        let segment: &mut [u8; SEGMENT_SIZE] = segment.try_into().expect("a chunk of this size");
        if segment.iter().any(|byte| *byte != segment[0]) {
            set_segment_checksum(segment, u32::try_from(index).unwrap_or(u32::MAX));
        }
    }
}

/// Both copies of a checkpoint, or the header of a flush map and its pages.
pub fn small(file: &mut [u8]) {
    for copy in file.chunks_exact_mut(4096) {
        set_header_xor(copy);
    }
}

/// A file by the ending of its name.
pub fn by_name(name: &str, file: &mut [u8]) {
    match name.rsplit('.').next() {
        Some("edb") => database(file),
        Some("log" | "jtx") => log(file),
        Some("chk" | "jcp") => small(file),
        Some("jfm") => {
            if let Some(header) = file.get_mut(..4096) {
                set_header_xor(header);
            }
        }
        _ => {}
    }
}
