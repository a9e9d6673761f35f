//! Every page of the file: checksum and number.

use super::Check;
use crate::cache::{PageFault, verify_image};
use crate::error::Error;
use anchorlog_checksum::{BitError, PageVerdict, verify_page};
use anchorlog_format::finding::Finding;
use anchorlog_format::units::PageNumber;

impl Check<'_, '_> {
    /// Reads every page of the file.
    pub(super) fn scan(&mut self) {
        for number in (1..=self.database.pages()).map(PageNumber) {
            match self.database.cache().read(number) {
                Ok(bytes) => self.scan_page(number, bytes),
                Err(fault) => self.bad_page(number, &fault),
            }
        }
    }

    fn scan_page(&mut self, number: PageNumber, mut bytes: Vec<u8>) {
        let counts = &mut self.report.counts;
        counts.pages += 1;
        match verify_page(&bytes, number.0) {
            PageVerdict::Valid(_) => {}
            PageVerdict::Uninitialised => {
                counts.uninitialised += 1;
                // Where a tree leads to such a page, walking it said so; elsewhere it is free space.
                return;
            }
            PageVerdict::Correctable(bits) => {
                let corrected = verify_image(&mut bytes, number).is_ok();
                if corrected {
                    counts.correctable += 1;
                    self.correctable(number, &bits);
                    return;
                }
                counts.bad_checksums += 1;
            }
            PageVerdict::OtherPage { .. } => counts.wrong_numbers += 1,
            PageVerdict::Damaged(_) | PageVerdict::NotAPage => counts.bad_checksums += 1,
        }
        if let Err(fault) = verify_image(&mut bytes, number) {
            self.bad_page(number, &fault);
        }
    }

    fn correctable(&mut self, number: PageNumber, bits: &[BitError]) {
        let places: Vec<String> = bits.iter().map(|error| format!("bit {} of byte {}", error.bit, error.byte)).collect();
        if number > self.last_owned {
            return;
        }
        let flipped = if bits.len() == 1 { "one bit is flipped" } else { "single bits are flipped" };
        let message =
            format!("{flipped} ({}); the checksum locates it, so the page is read as it was written", places.join(", "));
        let hint = "correctable: nothing is lost; look after the storage, and rewrite the page by recovery or defragmentation";
        self.report.finding(Finding::warning(self.database.place().page(number), message).with_hint(hint));
    }

    fn bad_page(&mut self, number: PageNumber, fault: &PageFault) {
        if self.used.contains(number) || !self.reported.insert(number) {
            // Walking the tree that leads to it has said so.
            return;
        }
        let place = self.database.place().page(number);
        if number > self.last_owned {
            let message = format!("behind the database's last page {}, where anything may lie: {fault}", self.last_owned);
            return self.report.finding(Finding::note(place, message).with_jet(fault.jet()));
        }
        let of_nothing = self.available.contains(number) || self.report.counts.errors == 0;
        if of_nothing && !matches!(fault, PageFault::Io(_)) {
            let finding = Finding::warning(place, format!("unused page: {fault}")).with_jet(fault.jet());
            self.report.finding(finding);
        } else {
            self.report.page(Error::new(place, fault.jet(), fault.to_string()));
        }
    }
}
