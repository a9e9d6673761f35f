//! Page images that were set aside before they were written to a database in place: what mends a page that a crash tore.
//!
//! Records cannot bring a page forward of which a part is missing, and a disk may tear a page at any sector; the engine counts on pages
//! that are written whole (`log-6 §8.1`). Nor does a checksum tell every torn page: words that stand in a sector an even number of times
//! cancel each other out. So a run that finds a journal writes all of its images, as the run would have that wrote it.
//!
//! The journal is the side file of [`crate::cache::PageCache`]: page images, one behind the other, then the number of the page of each,
//! then a trailer. It counts only with the header that was written with it: any engine that writes the database stamps another flush
//! signature.

use anchorlog_format::units::{PageNumber, PageSize, Signature};
use anchorlog_storage::File;
use std::io;

const MAGIC: &[u8; 16] = b"anchorlog pages\x01";
/// Magic, flush signature, page size, number of slots, hash of all that and of the numbers.
const TRAILER: usize = 16 + 28 + 4 + 4 + 8;

/// Completes the journal behind its images, which are durable before it says that they are: `pages` says which page each slot holds.
/// Nothing may be written to the database before this is done.
///
/// # Errors
/// Any error of the file.
pub fn complete(side: &dyn File, pages: &[PageNumber], size: PageSize, header: &Signature) -> io::Result<()> {
    side.sync()?;
    let count = u32::try_from(pages.len()).map_err(io::Error::other)?;
    let mut bytes: Vec<u8> = pages.iter().flat_map(|page| page.0.to_le_bytes()).collect();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&header.0);
    bytes.extend_from_slice(&u32::from(size).to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&hash(&bytes).to_le_bytes());
    let end = u64::from(count) * size.bytes_u64();
    side.write_at(end, &bytes)?;
    side.set_size(end + bytes.len() as u64)?;
    side.sync()
}

/// Writes those images to the database that differ from what stands there; returns how many. A journal that is not complete, or of
/// another moment, does nothing.
///
/// # Errors
/// Any error of a file.
pub fn mend(side: &dyn File, database: &dyn File, size: PageSize, header: &Signature) -> io::Result<u32> {
    let Some(pages) = read_pages(side, size, header)? else { return Ok(0) };
    let (mut image, mut there) = (vec![0; size.bytes()], vec![0; size.bytes()]);
    let mut mended = 0;
    for (slot, page) in (0_u64..).zip(pages).filter(|(_, page)| !page.is_none()) {
        let place = size.offset_of(page);
        if side.read_at(slot * size.bytes_u64(), &mut image)? < image.len() {
            break;
        }
        if database.read_at(place, &mut there)? < there.len() || image != there {
            database.write_at(place, &image)?;
            mended += 1;
        }
    }
    if mended > 0 {
        database.sync()?;
    }
    Ok(mended)
}

fn read_pages(side: &dyn File, size: PageSize, header: &Signature) -> io::Result<Option<Vec<PageNumber>>> {
    let length = side.size()?;
    let Some(at) = length.checked_sub(TRAILER as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER];
    side.read_at(at, &mut trailer)?;
    let number = |at: usize| trailer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
    let count = number(48);
    let fits = u64::from(count) * (size.bytes_u64() + 4) == at;
    if !trailer.starts_with(MAGIC) || trailer[16..44] != header.0 || number(44) != u32::from(size) || !fits {
        return Ok(None);
    }
    let Ok(numbers) = usize::try_from(u64::from(count) * 4) else { return Ok(None) };
    let mut bytes = vec![0; numbers + TRAILER - 8];
    side.read_at(at - numbers as u64, &mut bytes)?;
    if hash(&bytes).to_le_bytes() != trailer[TRAILER - 8..] {
        return Ok(None);
    }
    let pages = bytes[..numbers].as_chunks::<4>().0.iter().map(|number| PageNumber(u32::from_le_bytes(*number)));
    Ok(Some(pages.collect()))
}

/// FNV-1a: a torn list must not pass for a whole one.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchorlog_format::page::{PageEditor, PageFlags};
    use anchorlog_format::units::{Dbtime, ObjectId};
    use anchorlog_storage::{Folder, OverlayFolder};
    use std::path::Path;

    const SIZE: PageSize = PageSize::FOUR_KIB;

    fn page(number: u32, dbtime: u64) -> Vec<u8> {
        let mut image = vec![0; SIZE.bytes()];
        let mut editor = PageEditor::new(&mut image).unwrap();
        editor.format_new(PageNumber(number), ObjectId(3), Dbtime(dbtime), PageFlags(0));
        anchorlog_checksum::set_page_checksum(&mut image, number);
        image
    }

    #[test]
    fn pages_become_what_the_journal_says_and_only_if_it_is_whole_and_of_this_moment() {
        let folder = OverlayFolder::in_memory(1 << 20);
        let (side, file) = (folder.create(Path::new("side")).unwrap(), folder.create(Path::new("db")).unwrap());
        let mark = Signature([7; 28]);
        for (slot, number) in [(0, 2), (2, 1), (3, 3)] {
            side.write_at(slot * SIZE.bytes_u64(), &page(number, 9)).unwrap();
        }
        complete(&*side, &[PageNumber(2), PageNumber::default(), PageNumber(1), PageNumber(3)], SIZE, &mark).unwrap();
        let mut torn = page(1, 9);
        torn[2048..].copy_from_slice(&[5; 2048]);
        file.write_at(SIZE.offset_of(PageNumber(1)), &torn).unwrap();
        file.write_at(SIZE.offset_of(PageNumber(2)), &page(2, 9)).unwrap();
        file.write_at(SIZE.offset_of(PageNumber(3)), &page(3, 4)).unwrap();
        assert_eq!(mend(&*side, &*file, SIZE, &Signature([8; 28])).unwrap(), 0, "a journal of another moment");
        assert_eq!(mend(&*side, &*file, SIZE, &mark).unwrap(), 2);
        for number in 1..=3 {
            let mut read = vec![0; SIZE.bytes()];
            file.read_at(SIZE.offset_of(PageNumber(number)), &mut read).unwrap();
            assert!(read == page(number, 9), "{number}");
        }
        file.write_at(SIZE.offset_of(PageNumber(3)), &page(3, 4)).unwrap();
        side.set_size(side.size().unwrap() - 1).unwrap();
        assert_eq!(mend(&*side, &*file, SIZE, &mark).unwrap(), 0, "a journal that was cut");
    }
}
