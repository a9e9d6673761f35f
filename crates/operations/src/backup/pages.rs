//! The pages of a database, verified while its bytes stream by (P11, P73).

use crate::sets::PageCounts;
use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_database::cache::verify_image;
use anchorlog_database::cursor::Tree;
use anchorlog_database::space::Space;
use anchorlog_database::{Database, check};
use anchorlog_format::database::HeaderPage;
use anchorlog_format::database::trailer::Trailer;
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::space::DATABASE_ROOT;
use anchorlog_format::units::{Dbtime, PageNumber, PageSize};
use anchorlog_storage::File;
use std::sync::Arc;

/// Findings kept for one database; beyond that they are only counted.
const FINDINGS_MAX: usize = 10_000;
/// Memory for the pages that tell where the database ends.
const CACHE: usize = 4 << 20;

/// What was seen of the pages of a database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Pages read.
    pub pages: u64,
    /// Pages whose bytes are all zero.
    pub uninitialised: u64,
    /// Pages with single flipped bits that the checksum locates.
    pub correctable: u64,
    /// Bad pages inside the database.
    pub bad: u64,
    /// Bad pages behind its end, where anything may lie (traps O11, O12).
    pub bad_behind: u64,
    /// The last page that the database owns; none where its space tree does not tell.
    pub last_owned: Option<u32>,
    /// The highest page time, and its page.
    pub highest: (Dbtime, PageNumber),
    /// What is wrong with pages, as far as it is kept.
    pub findings: Vec<Finding>,
    /// What is wrong with the file as a whole.
    pub of_file: Vec<Finding>,
}

impl Seen {
    /// As manifests keep it.
    pub(super) const fn counts(&self) -> PageCounts {
        PageCounts {
            read: self.pages,
            last_owned: self.last_owned,
            uninitialised: self.uninitialised,
            correctable: self.correctable,
            bad: self.bad,
            bad_behind: self.bad_behind,
            highest_dbtime: self.highest.0.0,
        }
    }
}

/// Verifies pages that come in order.
pub(crate) struct PageCheck {
    name: String,
    size: PageSize,
    header: HeaderPage,
    last_owned: PageNumber,
    /// The page behind the last one of a streamed copy, which is its trailer and no page of the database (trap O3 of ops-2).
    trailer: Option<u64>,
    /// The page that comes next, counted from the start of the file: 0 and 1 are the copies of the header.
    next: u64,
    seen: Seen,
    /// Findings kept, by severity.
    errors: usize,
    warnings: usize,
    /// Whether the header that came is the one that was planned with.
    same_header: bool,
}

impl PageCheck {
    /// For a database with this header; `file` tells where the database ends, which may be before the file does.
    pub(crate) fn new(name: &str, header: &HeaderPage, file: Arc<dyn File>) -> Self {
        let trailer = trailer(header, &*file);
        let opened = Database::open(name, file, CACHE).ok();
        let root = Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid };
        let owned = opened.and_then(|database| {
            let space = Space::read(&database, root).ok().filter(|space| space.errors.is_empty())?;
            space.last_owned()
        });
        // Where that cannot be told, every page of the file counts.
        let last_owned = owned.unwrap_or(PageNumber(u32::MAX));
        let seen = Seen { last_owned: owned.map(|page| page.0), ..Seen::default() };
        Self {
            name: name.to_owned(),
            size: header.page_size(),
            header: header.clone(),
            last_owned,
            trailer,
            next: 0,
            seen,
            errors: 0,
            warnings: 0,
            same_header: true,
        }
    }
    /// The next bytes: whole pages, but for the last ones of the file.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        for image in bytes.chunks(self.size.bytes()) {
            self.page(image);
            self.next += 1;
        }
    }
    fn page(&mut self, image: &[u8]) {
        if self.next < 2 {
            // The copy that was elected must be among the two that came, byte for byte.
            let is_elected = image == self.header.bytes();
            self.same_header = if self.next == 0 { is_elected } else { self.same_header || is_elected };
            return;
        }
        if self.trailer == Some(self.next) {
            return;
        }
        let Ok(number) = u32::try_from(self.next - 1) else { return };
        let number = PageNumber(number);
        if image.len() < self.size.bytes() {
            if number <= self.last_owned && self.last_owned.0 != u32::MAX {
                let message = format!("the file ends with {} bytes that are no whole page", image.len());
                let finding = Finding::error(self.place(number), JetCode::FILE_IO_BEYOND_EOF, message);
                self.seen.of_file.push(finding);
            }
            return;
        }
        self.seen.pages += 1;
        match verify_page(image, number.0) {
            PageVerdict::Valid(_) => {
                let dbtime = Page::new(image).map_or(Dbtime(0), |page| page.dbtime());
                // Values from the very top mark pages that a shrink or a revert made.
                if dbtime > self.seen.highest.0 && dbtime < Dbtime::REVERTED_ROOT && number <= self.last_owned {
                    self.seen.highest = (dbtime, number);
                }
            }
            PageVerdict::Uninitialised => self.seen.uninitialised += 1,
            verdict => {
                // A double flip can look like a single one: only a sound page proves the correction.
                match verify_image(&mut image.to_vec(), number) {
                    Ok(()) if matches!(verdict, PageVerdict::Correctable(_)) => {
                        self.seen.correctable += 1;
                        let message = "single bits are flipped; the checksum locates them, so the page is read as it was written";
                        self.add(Finding::warning(self.place(number), message).with_hint("look after the storage"));
                    }
                    Ok(()) => {}
                    Err(_) if number > self.last_owned => self.seen.bad_behind += 1,
                    Err(fault) => {
                        self.seen.bad += 1;
                        let hint =
                            "Copy that page from another copy of the database, or restore the last good set and roll forward.";
                        self.add(Finding::error(self.place(number), fault.jet(), fault.to_string()).with_hint(hint));
                    }
                }
            }
        }
    }
    /// What was seen, once all came. Damage that a database has as a whole is added here: a page that is newer than the header of a clean
    /// file says that somebody wrote "clean" into it (trap O27).
    pub(crate) fn end(mut self) -> (Seen, bool) {
        let pages = self.next.saturating_sub(2);
        let dirty = self.header.header.state.is_dirty();
        // A dirty file may not have been extended yet: its logs say that it will be.
        if !dirty && self.last_owned.0 != u32::MAX && pages < u64::from(self.last_owned.0) {
            let message = format!("the file ends behind page {pages}, but the database has {} pages", self.last_owned);
            self.seen.of_file.push(Finding::error(Place::file(&self.name), JetCode::FILE_IO_BEYOND_EOF, message));
        }
        let (header, (highest, page)) = (&self.header.header, self.seen.highest);
        if !dirty && highest > header.dbtime {
            let message = format!(
                "the header contradicts the pages: it is clean with the time {}, and this page has {highest}",
                header.dbtime
            );
            let hint = "The state was edited, or pages were written behind it: recover it with its logs, or restore another set.";
            let finding = Finding::error(self.place(page), JetCode::DATABASE_CORRUPTED, message).with_hint(hint);
            self.seen.of_file.push(finding);
        }
        (self.seen, self.same_header)
    }
    fn place(&self, number: PageNumber) -> Place {
        Place::file(&self.name).page(number).offset(self.size.offset_of(number))
    }
    fn add(&mut self, finding: Finding) {
        // Warnings never take the place of an error: what is damaged must show.
        let kept = if finding.severity == Severity::Error { &mut self.errors } else { &mut self.warnings };
        if *kept < FINDINGS_MAX {
            *kept += 1;
            self.seen.findings.push(finding);
        }
    }
}

/// Where the trailer of a streamed copy lies, in pages from the start of the file.
fn trailer(header: &HeaderPage, file: &dyn File) -> Option<u64> {
    let size = header.page_size();
    let last = (file.size().ok()? / size.bytes_u64()).checked_sub(1).filter(|_| header.header.is_streamed_backup())?;
    let mut page = vec![0; size.bytes()];
    let read = file.read_at(last * size.bytes_u64(), &mut page).ok()?;
    Trailer::from_page(page.get(..read)?).ok().map(|_| last)
}

/// What an owner of a bad page cannot be told while streaming: an unused page may hold what the disk held before. A full check tells. Returns
/// the findings of such a check, errors and warnings alone.
pub(crate) fn judge(name: &str, file: Arc<dyn File>, go_on: &mut dyn FnMut() -> bool) -> Option<Vec<Finding>> {
    struct Watch<'a>(Vec<Finding>, &'a mut dyn FnMut() -> bool, bool);
    impl check::Watch for Watch<'_> {
        fn finding(&mut self, finding: Finding) {
            if self.0.len() < FINDINGS_MAX {
                self.0.push(finding);
            }
        }
        fn progress(&mut self, _: &'static str, _: u64, _: u64) -> bool {
            self.2 &= (self.1)();
            self.2
        }
    }
    let database = Database::open(name, file, 64 << 20).ok()?;
    let mut watch = Watch(Vec::new(), go_on, true);
    check::check_with(&database, &check::Options::default(), &mut watch);
    watch.2.then_some(watch.0)
}
