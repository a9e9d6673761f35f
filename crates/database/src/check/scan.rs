//! Every page of the file, in the order of the file: checksum, number, flush map.

use super::flush::FlushMap;
use super::ordered::ordered;
use super::pages::PageSet;
use super::report::Report;
use super::rule::{self, Breaks as _};
use super::{Counts, LOST};
use crate::cache::{PageFault, verify_image};
use crate::database::Database;
use crate::error::Error;
use anchorlog_checksum::{BitError, PageVerdict, verify_page};
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::units::{Dbtime, PageNumber};

/// Bytes that a thread reads at once: few enough to be still in the processor's cache when their checksums are computed.
const READ: usize = 256 << 10;
/// Pages that one word of a set speaks for.
const WORD: u32 = 64;
/// Bytes that a thread takes at once: so many that threads seldom wait for each other.
const TAKE: usize = 2 << 20;

/// What the pass over all pages leaves to the checks behind it.
pub(super) struct Scanned {
    /// Pages whose checksum holds as they are in the file.
    pub good: PageSet,
    /// Pages that cannot be read, or whose checksum does not hold.
    pub bad: PageSet,
    /// The pass was not ended early.
    pub complete: bool,
}

impl Scanned {
    /// As if nothing had been read yet.
    pub(super) fn nothing(database: &Database) -> Self {
        Self { good: PageSet::new(database.pages()), bad: PageSet::new(database.pages()), complete: true }
    }
}

/// A few pages in a row.
struct Run {
    first: PageNumber,
    pages: u32,
}

/// What was seen of them.
struct Seen {
    run: Run,
    /// One bit for each page.
    good: u64,
    /// One bit for each page.
    bad: u64,
    counts: Counts,
    /// Single flipped bits.
    correctable: Vec<(PageNumber, Vec<BitError>)>,
    /// Pages that the flush map knows to be too old.
    lost: Vec<PageNumber>,
}

/// Reads every page of the file but `trailer`. Damaged pages are only counted and remembered: what they mean depends on who owns them.
pub(super) fn scan(
    database: &Database,
    threads: usize,
    map: Option<&FlushMap>,
    trailer: Option<PageNumber>,
    last_owned: PageNumber,
    report: &mut Report<'_>,
) -> Scanned {
    let size = database.page_size();
    let (pages, total) = (database.pages(), u64::from(database.pages()));
    let mut scanned = Scanned::nothing(database);
    let at_once = (TAKE / (size.bytes() * WORD as usize)).max(1);
    let takes = |push: &mut dyn FnMut(Vec<Run>) -> bool| {
        let firsts = (1..=pages).step_by(WORD as usize);
        let mut runs = firsts.map(|first| Run { first: PageNumber(first), pages: WORD.min(pages - first + 1) });
        loop {
            let take: Vec<Run> = runs.by_ref().take(at_once).collect();
            if take.is_empty() || !push(take) {
                return;
            }
        }
    };
    let state = || Scan {
        database,
        buffer: vec![0; READ.min(usize::try_from(WORD).unwrap_or(0) * size.bytes())],
        window: map.map(FlushMap::window),
        trailer,
    };
    let mut done = 0;
    let work = |scan: &mut Scan<'_>, take: Vec<Run>| take.into_iter().map(|run| scan.run(run)).collect::<Vec<Seen>>();
    let mut note = |seen: Seen| {
        scanned.good.insert_word(seen.run.first, seen.good);
        scanned.bad.insert_word(seen.run.first, seen.bad);
        done += u64::from(seen.run.pages);
        report.counts.add_pages(&seen.counts);
        for (page, bits) in &seen.correctable {
            if *page <= last_owned {
                report.add(correctable(database, *page, bits));
            }
        }
        for page in seen.lost {
            let place = database.place().page(page).offset(size.offset_of(page));
            report.add(Finding::error(place, JetCode::READ_LOST_FLUSH_VERIFY_FAILURE, LOST).breaks(rule::FLUSHED));
        }
        let go_on = done % 1024 != 0 || report.progress("pages", done, total);
        scanned.complete &= go_on;
        go_on
    };
    ordered(threads, takes, state, work, |all: Vec<Seen>| all.into_iter().all(&mut note));
    scanned
}

/// One thread of the pass.
struct Scan<'d> {
    database: &'d Database,
    buffer: Vec<u8>,
    window: Option<super::flush::Window>,
    trailer: Option<PageNumber>,
}

impl Scan<'_> {
    fn run(&mut self, run: Run) -> Seen {
        let mut seen = Seen { good: 0, bad: 0, counts: Counts::default(), correctable: Vec::new(), lost: Vec::new(), run };
        let size = self.database.page_size().bytes();
        let mut buffer = std::mem::take(&mut self.buffer);
        let most = u32::try_from(buffer.len() / size).unwrap_or(1).max(1);
        let mut at = 0;
        while at < seen.run.pages {
            let wanted = most.min(seen.run.pages - at);
            let first = PageNumber(seen.run.first.0 + at);
            let bytes = usize::try_from(wanted).unwrap_or(0) * size;
            let cache = self.database.cache();
            // One page that cannot be read must not take those beside it along.
            let read = cache.read_run(first, &mut buffer[..bytes]).or_else(|_| cache.read_run(first, &mut buffer[..size]));
            let read = read.unwrap_or(0);
            for (image, offset) in buffer[..read * size].chunks_exact(size).zip(0..) {
                self.page(&mut seen, at + offset, image);
            }
            let read = u32::try_from(read).unwrap_or(0);
            if read == 0 {
                self.unreadable(&mut seen, at);
            }
            at += read.max(1);
        }
        self.buffer = buffer;
        seen
    }
    fn page(&mut self, seen: &mut Seen, at: u32, image: &[u8]) {
        let number = PageNumber(seen.run.first.0 + at);
        let bit = 1 << at;
        if self.trailer == Some(number) {
            return;
        }
        seen.counts.pages += 1;
        let mut zero = false;
        match verify_page(image, number.0) {
            PageVerdict::Valid(_) => {
                seen.good |= bit;
                let dbtime = Page::new(image).map_or(Dbtime(0), |page| page.dbtime());
                seen.counts.saw_dbtime(dbtime, number);
            }
            PageVerdict::Uninitialised => {
                seen.counts.uninitialised += 1;
                zero = true;
            }
            PageVerdict::Correctable(bits) => {
                // A double flip can look like a single one: only a sound page proves the correction.
                if verify_image(&mut image.to_vec(), number).is_ok() {
                    seen.counts.correctable += 1;
                    seen.correctable.push((number, bits));
                } else {
                    seen.counts.bad_checksums += 1;
                    seen.bad |= bit;
                }
                return;
            }
            PageVerdict::OtherPage { .. } => {
                seen.counts.wrong_numbers += 1;
                seen.bad |= bit;
                return;
            }
            PageVerdict::Damaged(_) | PageVerdict::NotAPage => {
                seen.counts.bad_checksums += 1;
                seen.bad |= bit;
                return;
            }
        }
        if self.window.as_mut().is_some_and(|window| window.lost(number, image, zero)) {
            seen.lost.push(number);
        }
    }
    /// The fault is the storage's, or it ends there.
    fn unreadable(&self, seen: &mut Seen, at: u32) {
        if self.trailer != Some(PageNumber(seen.run.first.0 + at)) {
            seen.bad |= 1 << at;
        }
    }
}

fn correctable(database: &Database, number: PageNumber, bits: &[BitError]) -> Finding {
    let places: Vec<String> = bits.iter().map(|error| format!("bit {} of byte {}", error.bit, error.byte)).collect();
    let flipped = if bits.len() == 1 { "one bit is flipped" } else { "single bits are flipped" };
    let message = format!("{flipped} ({}); the checksum locates it, so the page is read as it was written", places.join(", "));
    let hint = "correctable: nothing is lost; look after the storage, and rewrite the page by recovery or defragmentation";
    Finding::warning(database.place().page(number), message).with_hint(hint).breaks(rule::CHECKSUM)
}

/// Who a bad page belongs to, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nothing is known but where the database ends.
    Unknown,
    /// No tree that was walked leads to it, and none has a hole.
    Nothing,
}

/// What a bad page means that no tree led to. Behind the database's last page anything may lie (trap D7 of db-1); inside it, unused pages
/// may hold what the disk held before (trap D25).
pub(super) fn bad_page(database: &Database, number: PageNumber, last_owned: PageNumber, owner: Owner, report: &mut Report<'_>) {
    let fault = match database.cache().read(number) {
        Ok(mut bytes) => verify_image(&mut bytes, number).err(),
        Err(fault) => Some(fault),
    };
    // What could be read this time is no longer bad, and what was never written is nothing.
    let Some(fault) = fault.filter(|fault| *fault != PageFault::Uninitialised) else { return };
    let (place, broken) = (database.place().page(number), rule::of_fault(&fault));
    if number > last_owned {
        let message = format!("behind the database's last page {last_owned}, where anything may lie: {fault}");
        return report.add(Finding::note(place, message).with_jet(fault.jet()).breaks(broken));
    }
    if owner == Owner::Nothing && !matches!(fault, PageFault::Io(_)) {
        return report.add(Finding::warning(place, format!("unused page: {fault}")).with_jet(fault.jet()).breaks(broken));
    }
    report.add(Error::new(place, fault.jet(), fault.to_string()).breaks(broken).finding());
}
