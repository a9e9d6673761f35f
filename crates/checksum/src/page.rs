//! Checksums of database pages, small and large, old and new format (`db-2 §3` to `§7`).

use crate::ecc::{Checksum, checksum};
use crate::xor::header_xor;

/// Where the page flags stand.
const FLAGS: usize = 36;
/// The page flag that says "XOR+ECC" (`fPageNewChecksumFormat`).
const NEW_FORMAT: u32 = 0x2000;
/// The bit of a header block in which that flag lies: never corrected, because it decides what the checksum means.
const FORMAT_BIT: usize = FLAGS * 8 + 13;
/// Where large pages keep the checksums of blocks 1, 2 and 3.
const LARGE_SUMS: usize = 40;
/// Where large pages keep their number.
const LARGE_NUMBER: usize = 64;

/// How a page is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFormat {
    /// XOR and page number, without correction.
    Legacy,
    /// XOR and ECC.
    Ecc,
}

/// A flipped bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitError {
    /// Byte of the page.
    pub byte: usize,
    /// Bit of that byte, 0 to 7.
    pub bit: u8,
}

/// A stored checksum and the one that belongs to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSums {
    /// What the page says.
    pub stored: u64,
    /// What the bytes give.
    pub computed: u64,
}

impl BlockSums {
    const fn agree(self) -> bool {
        self.stored == self.computed
    }
}

/// What is wrong with a page that cannot be corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The checksums of each block.
    pub blocks: Vec<BlockSums>,
    /// The page for which these intact bytes were written, when the content is whole and only the number is wrong: a misdirected write or read.
    pub written_for: Option<u32>,
}

/// What the checksum says about a page image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageVerdict {
    /// Right.
    Valid(PageFormat),
    /// All bytes are zero: never written (−1019).
    Uninitialised,
    /// One bit in each of the named places is flipped and can be turned back; nothing else is wrong.
    Correctable(Vec<BitError>),
    /// A large page whose checksum is right but whose number field names another page (−1118).
    OtherPage {
        /// The number that it carries.
        number: u32,
    },
    /// Wrong (−1018).
    Damaged(Damage),
    /// The length is no page size.
    NotAPage,
}

impl PageVerdict {
    /// Whether the page may be used as it is.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid(_))
    }
}

/// The legacy checksum of a page: the XOR of all its words but the first.
#[must_use]
pub fn page_xor(page: &[u8]) -> u32 {
    header_xor(page)
}

/// Verifies a page image by the format that it names itself. `number` is the page number, from 1; the page size is the slice's length
/// (2048, 4096, 8192, 16384 or 32768).
#[must_use]
pub fn verify_page(page: &[u8], number: u32) -> PageVerdict {
    let Some(shape) = Shape::of(page) else { return PageVerdict::NotAPage };
    if page.iter().all(|&byte| byte == 0) {
        return PageVerdict::Uninitialised;
    }
    if u32_at(page, FLAGS) & NEW_FORMAT == 0 {
        return verify_legacy(page, number, shape);
    }
    let blocks = shape.sums(page, number);
    if blocks.iter().all(|block| block.agree()) {
        return number_of_large(page, number, shape).unwrap_or(PageVerdict::Valid(PageFormat::Ecc));
    }
    match locate(&blocks, shape) {
        Some(errors) => PageVerdict::Correctable(errors),
        None => PageVerdict::Damaged(Damage { written_for: written_for(&blocks, number), blocks }),
    }
}

/// Turns single flipped bits back, at most one in each block; returns where they were, or `None`, with the page unchanged, where the page
/// is right already or cannot be corrected. The page must still pass its structural check afterwards (`db-2 §7`, trap D11).
pub fn correct_page(page: &mut [u8], number: u32) -> Option<Vec<BitError>> {
    let PageVerdict::Correctable(errors) = verify_page(page, number) else { return None };
    for error in &errors {
        page[error.byte] ^= 1 << error.bit;
    }
    Some(errors)
}

/// Marks the page as having the new format and stores its checksums. `page` is a whole page.
///
/// # Panics
/// When the length is no page size: the caller made the page.
pub fn set_page_checksum(page: &mut [u8], number: u32) {
    let shape = Shape::of(page).expect("a whole page of 2, 4, 8, 16 or 32 KiB");
    let flags = u32_at(page, FLAGS) | NEW_FORMAT;
    page[FLAGS..FLAGS + 4].copy_from_slice(&flags.to_le_bytes());
    // Block 0 covers the checksums of the others, so it comes last (trap D7).
    for block in (0..shape.blocks).rev() {
        let sum = checksum(shape.block(page, block), number, block == 0).to_u64();
        let at = Shape::sum_offset(block);
        page[at..at + 8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// How a page of some size is cut into checksummed blocks.
#[derive(Clone, Copy)]
struct Shape {
    blocks: usize,
    block_bytes: usize,
}

impl Shape {
    fn of(page: &[u8]) -> Option<Self> {
        match page.len() {
            size @ (2048 | 4096 | 8192) => Some(Self { blocks: 1, block_bytes: size }),
            size @ (16384 | 32768) => Some(Self { blocks: 4, block_bytes: size / 4 }),
            _ => None,
        }
    }
    fn block(self, page: &[u8], index: usize) -> &[u8] {
        &page[index * self.block_bytes..(index + 1) * self.block_bytes]
    }
    const fn sum_offset(block: usize) -> usize {
        if block == 0 { 0 } else { LARGE_SUMS + 8 * (block - 1) }
    }
    fn sums(self, page: &[u8], number: u32) -> Vec<BlockSums> {
        (0..self.blocks)
            .map(|index| BlockSums {
                stored: u64_at(page, Self::sum_offset(index)),
                computed: checksum(self.block(page, index), number, index == 0).to_u64(),
            })
            .collect()
    }
}

fn verify_legacy(page: &[u8], number: u32, shape: Shape) -> PageVerdict {
    let sums = BlockSums { stored: u64_at(page, 0), computed: u64::from(number) << 32 | u64::from(page_xor(page)) };
    // Large pages never had the old format.
    if sums.agree() && shape.blocks == 1 {
        return PageVerdict::Valid(PageFormat::Legacy);
    }
    let other = u32_at(page, 4);
    let whole = u32_at(page, 0) == page_xor(page) && shape.blocks == 1;
    PageVerdict::Damaged(Damage { blocks: vec![sums], written_for: (whole && other != number).then_some(other) })
}

fn number_of_large(page: &[u8], number: u32, shape: Shape) -> Option<PageVerdict> {
    let found = u32_at(page, LARGE_NUMBER);
    (shape.blocks > 1 && found != number).then_some(PageVerdict::OtherPage { number: found })
}

/// One flipped bit for each block that is wrong; `None` where a block has more.
fn locate(blocks: &[BlockSums], shape: Shape) -> Option<Vec<BitError>> {
    let mut errors = Vec::new();
    let mut stored: Vec<u64> = blocks.iter().map(|block| block.stored).collect();
    for (index, block) in blocks.iter().enumerate() {
        if stored[index] == block.computed {
            continue;
        }
        let bit = Checksum::from_u64(stored[index]).flipped_bit(Checksum::from_u64(block.computed), shape.block_bytes)?;
        if index == 0 {
            // The checksum itself is not covered, and the format flag decides what it means.
            if bit < 64 || bit == FORMAT_BIT {
                return None;
            }
            // A flip in a stored checksum of another block: that block is judged by the mended value.
            let place = (bit / 8).checked_sub(LARGE_SUMS).map(|offset| (offset / 8 + 1, offset % 8 * 8 + bit % 8));
            if let Some((other, bit)) = place.filter(|(other, _)| *other < blocks.len()) {
                stored[other] ^= 1 << bit;
            }
        }
        let byte = index * shape.block_bytes + bit / 8;
        errors.push(BitError { byte, bit: u8::try_from(bit % 8).unwrap_or(0) });
    }
    Some(errors)
}

/// All blocks whole, and all off by the same page number: the number that they were written for (trap D9).
fn written_for(blocks: &[BlockSums], number: u32) -> Option<u32> {
    let mut numbers = blocks.iter().map(|block| {
        let (stored, computed) = (Checksum::from_u64(block.stored), Checksum::from_u64(block.computed));
        (stored.ecc == computed.ecc).then_some(stored.xor ^ computed.xor ^ number)
    });
    let first = numbers.next()??;
    numbers.all(|other| other == Some(first)).then_some(first)
}

fn u32_at(page: &[u8], at: usize) -> u32 {
    page.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(page: &[u8], at: usize) -> u64 {
    page.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
