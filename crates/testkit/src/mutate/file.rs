//! I1 to I9: the file, its headers, single pages.

use super::Plan;
use super::multiple;
use crate::database::Tree;
use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_format::database::flush_map::{FlushType, MAP_PAGE, entry_of, flush_type};
use anchorlog_format::page::{Page, PageFlags};
use anchorlog_format::units::{Dbtime, Generation, PageNumber};

impl Plan<'_> {
    pub(super) fn file_size(&mut self) -> Option<String> {
        if self.random.below(2) == 0 {
            let surplus = 1 + self.random.below(self.image.size().bytes() - 1);
            self.image.bytes.extend(std::iter::repeat_n(0xA5, surplus));
            return Some(format!("{surplus} bytes behind the last page"));
        }
        // The end of the database is often free.
        let (last, space) = (self.last_owned(), multiple(&self.trees[0])?);
        let (extent, ..) = *space.available.iter().find(|(extent, ..)| extent.last == last)?;
        let cut = 1 + u32::try_from(self.random.below(usize::try_from(extent.pages).ok()?)).ok()?;
        let keep = PageNumber(last.0 - cut);
        let end = self.image.range(keep).end;
        self.image.bytes.truncate(end);
        Some(format!("the file ends with page {keep}"))
    }

    pub(super) fn header(&mut self) -> Option<String> {
        let size = self.image.size().bytes();
        match self.random.below(3) {
            copy @ (0 | 1) => {
                for _ in 0..3 {
                    let at = copy * size + 8 + self.random.below(600);
                    self.image.bytes[at] ^= 1 << self.random.below(8);
                }
                let broken = self.image.bytes[..size] != self.image.bytes[size..2 * size];
                broken.then(|| format!("bits of copy {copy} of the header flipped"))
            }
            _ => {
                self.image.edit_header(|header| header.min_required = Generation(header.max_required.0 + 1));
                Some("the first required log above the last".into())
            }
        }
    }

    pub(super) fn unreadable(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::pages).into_iter().next()?;
        let start = self.image.size().offset_of(page);
        self.image.unreadable = Some(start..start + 512);
        Some(format!("page {page} cannot be read"))
    }

    pub(super) fn checksum(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::pages).into_iter().next()?;
        let range = self.image.range(page);
        let before = self.image.bytes[range.clone()].to_vec();
        let other = self.pages(Tree::pages).into_iter().map(|(_, other)| other).find(|&other| other != page)?;
        if self.random.below(4) == 0 {
            let other_range = self.image.range(other);
            self.image.bytes.copy_within(other_range, range.start);
            // With a map that knows the page it would be a lost write.
            self.image.map = None;
            return Some(format!("page {page} written over by page {other}"));
        }
        for _ in 0..20 {
            self.image.bytes[range.clone()].copy_from_slice(&before);
            for _ in 0..2 + self.random.below(40) {
                let at = range.start + self.random.below(range.len());
                self.image.bytes[at] ^= 1 << self.random.below(8);
            }
            if matches!(verify_page(&self.image.bytes[range.clone()], page.0), PageVerdict::Damaged(_)) {
                return Some(format!("bits of page {page} flipped"));
            }
        }
        None
    }

    pub(super) fn zero(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::pages).into_iter().next()?;
        let range = self.image.range(page);
        self.image.bytes[range].fill(0);
        // With a map that knows the page it would be a lost write.
        self.image.map = None;
        Some(format!("page {page} zeroed"))
    }

    pub(super) fn lost_write(&mut self) -> Option<String> {
        let map = self.image.map.clone()?;
        for (_, number) in self.pages(Tree::pages) {
            let (map_page, entry) = entry_of(number);
            let start = (usize::try_from(map_page).ok()? + 1) * MAP_PAGE;
            let known = flush_type(map.get(start..start + MAP_PAGE)?, entry);
            let own = FlushType::from_bits(self.image.page(number).flags().flush_type());
            if known == FlushType::Unknown || own != known {
                continue;
            }
            // The types of the writes before this one.
            let older = if self.random.below(2) == 0 { known.next() } else { known.next().next() };
            let flags = self.image.page(number).flags().with_flush_type(older.bits());
            self.image.patch(number, |bytes| bytes[36..40].copy_from_slice(&flags.0.to_le_bytes()));
            return Some(format!("page {number} as an earlier write left it"));
        }
        None
    }

    pub(super) fn structure(&mut self) -> Option<String> {
        for (_, number) in self.pages(Tree::pages) {
            let size = self.image.size().bytes();
            let (lines, reserved) = (self.image.page(number).lines(), self.image.page(number).reserved_tags());
            if lines < 2 {
                continue;
            }
            let tag = |line: u16| size - 4 * (usize::from(line + reserved) + 1);
            let line = u16::try_from(self.random.below(usize::from(lines) - 1)).ok()?;
            let kind = self.random.below(6);
            let mut bytes = self.image.page_bytes(number).to_vec();
            match kind {
                0 => bytes[28] ^= 2,
                1 => bytes[32..34].fill(0),
                2 => bytes[tag(line)..tag(line) + 2].fill(0),
                3 => {
                    let (a, b) = (tag(line), tag(line + 1));
                    bytes.copy_within(a..a + 4, b);
                }
                4 => bytes[36] |= 0x10,
                _ => bytes[tag(line) + 3] |= 0x1F,
            }
            if Page::new(&bytes)?.check().is_ok() {
                continue;
            }
            self.image.patch(number, |page| page.copy_from_slice(&bytes));
            return Some(format!("structure of page {number}, in the way {kind}"));
        }
        None
    }

    pub(super) fn time(&mut self) -> Option<String> {
        let (_, page) = self.pages(Tree::pages).into_iter().next()?;
        let above = Dbtime(self.image.header().dbtime.0 + 1 + self.random.next() % 1000);
        self.image
            .edit(page, |editor| {
                editor.set_dbtime(above);
                Ok(())
            })
            .ok()?;
        Some(format!("page {page} has the time {above}"))
    }

    pub(super) fn last_object(&mut self) -> Option<String> {
        let highest = self.trees.iter().map(|tree| tree.objid).max()?;
        let below = highest.0 - 1 - u32::try_from(self.random.below(3)).ok()?;
        self.image.edit_header(|header| header.last_object = below);
        Some(format!("the header's last object is {below}, but there is {highest}"))
    }

    /// Used by several: a flag of a page turned over.
    pub(super) fn turn_flag(&mut self, page: PageNumber, flag: PageFlags) {
        let flags = PageFlags(self.image.page(page).flags().0 ^ flag.0);
        self.image.patch(page, |bytes| bytes[36..40].copy_from_slice(&flags.0.to_le_bytes()));
    }
}
