//! Settling a window: the work on its pages is done, and then, record by record in log order, what else they do: version entries, redo
//! maps, bad pages. The order of the log, not of the threads, decides which comes first (traps X6, X12, X14).

use super::Redo;
use super::bucket::{Bucket, Effect, Facts, Shared, Slot, decode};
use super::share::{self, Running};
use super::window::{Kind, Window, Work};
use crate::error::{ReplayError, Result};
use anchorlog_format::log::record::Operation;
use anchorlog_format::units::{DatabaseId, LogPosition, PageNumber, VersionId};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Searches of a window for pages.
const QUESTIONS_MAX: u32 = 256;

impl Redo {
    /// Does all work that waits. Afterwards pages and version entries are as after the last record taken in.
    ///
    /// # Errors
    /// The error of the first record in log order that fails; nothing behind it has been done but on pages, which are of no use then.
    pub fn settle(&mut self) -> Result<()> {
        self.launch()?;
        self.launch()
    }

    /// Begins the work that waits, once the window before is done. While pages are worked on, what the records of the window before do
    /// besides is noted, and further records are taken in.
    pub(super) fn launch(&mut self) -> Result<()> {
        // Shared out while other threads are still at work.
        let mut window = std::mem::take(&mut self.window);
        let alone = !share::is_worth_threads(&window) && self.hook.is_none();
        let threads = if alone { 1 } else { self.threads };
        let numbers = share::share_out(&mut window, if threads > 1 { threads * share::BUCKETS } else { 1 });
        let mut before = self.running.take();
        let mut effects = Vec::new();
        if let Some(running) = &mut before {
            let mut buckets = running.wait(&self.workers);
            self.bring_back(running, &mut buckets);
            let failed = self.note_pages(&running.shared.window, &mut buckets, &mut effects);
            if let Some(error) = failed {
                // What was taken in behind the error is not done.
                return Err(error);
            }
        }
        if !window.is_empty() {
            let (shared, buckets) = self.hand_out(window, &numbers)?;
            self.running = Some(Running::begin(shared, numbers, buckets, &mut self.workers, threads));
        }
        let Some(running) = &before else { return Ok(()) };
        if let Err(error) = self.note_versions_of(&running.shared.window, effects) {
            if let Some(mut running) = self.running.take() {
                running.wait(&self.workers);
            }
            self.window.clear();
            return Err(error);
        }
        // Its memory is used again.
        let shared = running.shared.clone();
        drop(before);
        if let Some(shared) = Arc::into_inner(shared) {
            self.window = shared.window;
            self.window.clear();
        }
        Ok(())
    }

    /// Whether work on some of these pages may not be done, or what it did not noted. After many such questions the answer is yes:
    /// once all is settled, they cost nothing.
    pub(crate) fn may_wait_for(&mut self, database: DatabaseId, pages: &Range<PageNumber>) -> bool {
        self.window.questions += 1;
        let running = self.running.as_ref().map(|running| &running.shared.window);
        self.window.questions > QUESTIONS_MAX
            || running.into_iter().chain([&self.window]).any(|window| window.names(database, pages))
    }
    /// Whether work that is not noted yet may decide whether there is an entry of a version.
    pub(super) fn decides_over(&self, version: VersionId) -> bool {
        let owner = self.versions.owner(version);
        let running = self.running.as_ref().map(|running| &running.shared.window);
        running.into_iter().chain([&self.window]).any(|window| window.decides_over(version, owner))
    }

    /// Takes the pages out of the cache, each into its bucket.
    fn hand_out(&mut self, window: Window, numbers: &[usize]) -> Result<(Arc<Shared>, Vec<Bucket>)> {
        let mut slots: Vec<Vec<Slot>> = (0..=numbers.iter().copied().max().unwrap_or(0)).map(|_| Vec::new()).collect();
        let mut places = Vec::with_capacity(numbers.len());
        for (seat, &bucket) in window.seats.iter().zip(numbers) {
            let (id, page) = seat.key;
            let noted = self.databases.get(&id).map_or(0, |database| database.maps.noted(page));
            let passed_over = self.damage.passes_over(id, page);
            places.push(u32::try_from(slots[bucket].len()).unwrap_or(u32::MAX));
            slots[bucket].push(Slot::new(seat.key, self.cache.check_out(seat.key), seat.read, noted, passed_over));
        }
        self.cache.make_room(window.page_bytes())?;
        let facts = self.databases.iter().map(|(&id, database)| {
            let facts = Facts {
                name: database.name.clone(),
                size: database.header.page_size(),
                future_data: database.future_data,
                may_note: database.may_note(),
            };
            (id, facts)
        });
        let shared = Arc::new(Shared {
            facts: facts.collect(),
            places,
            files_grow_on_touch: self.files_grow_on_touch,
            failed: AtomicUsize::new(usize::MAX),
            hook: self.hook.clone(),
            window,
        });
        let mut buckets: Vec<Bucket> =
            (0..).zip(slots).map(|(number, slots)| Bucket::new(shared.clone(), number, slots)).collect();
        for (at, work) in shared.window.work.iter().enumerate().filter(|(_, work)| work.kind.is_page_work()) {
            let bucket = shared.window.named.get(work.named().start).and_then(|&page| numbers.get(page as usize));
            if let Some(bucket) = bucket.and_then(|&bucket| buckets.get_mut(bucket)) {
                bucket.work.push(at);
            }
        }
        Ok((shared, buckets))
    }

    /// The pages go back into the cache, in an order that does not depend on the buckets.
    fn bring_back(&mut self, running: &Running, buckets: &mut [Bucket]) {
        for (&bucket, &place) in running.numbers.iter().zip(&running.shared.places) {
            let slot = buckets.get_mut(bucket).and_then(|bucket| bucket.slots.get_mut(place as usize));
            if let Some((slot, (flags, dbtime))) = slot.as_deref().and_then(|slot| Some((slot, slot.met?))) {
                self.cache.met(slot.key, flags, dbtime);
            }
            if let Some(slot) = slot.filter(|slot| slot.is_good()) {
                self.cache.check_in(slot.key, std::mem::take(&mut slot.image), slot.dirty);
            }
        }
    }

    /// What the records did to redo maps and bad pages, up to the first that failed, whose error this returns. `rest`: the other effects.
    fn note_pages(&mut self, window: &Window, buckets: &mut [Bucket], rest: &mut Vec<(usize, Effect)>) -> Option<ReplayError> {
        let failed = buckets.iter_mut().filter_map(|bucket| bucket.error.take()).min_by_key(|(at, _)| *at);
        let mut effects: Vec<(usize, Effect)> = Vec::new();
        for bucket in buckets.iter_mut() {
            effects.append(&mut bucket.effects);
        }
        if buckets.len() > 1 {
            effects.sort_by_key(|(at, _)| *at);
        }
        for (at, effect) in effects {
            if failed.as_ref().is_some_and(|(failed, _)| at > *failed) {
                break;
            }
            let position = window.work.get(at).map_or(self.position, |work| work.position);
            if let Some(effect) = self.note_page(effect, position) {
                rest.push((at, effect));
            }
        }
        if failed.is_none() {
            self.counts.page_changes += buckets.iter().map(|bucket| bucket.page_changes).sum::<u64>();
        }
        failed.map(|(_, error)| error)
    }
    fn note_page(&mut self, effect: Effect, position: LogPosition) -> Option<Effect> {
        match effect {
            Effect::Note((id, page), reason, entry) => {
                if let Some(database) = self.databases.get_mut(&id) {
                    database.maps.note(reason, page, entry);
                }
            }
            Effect::Explained((id, page)) => {
                if let Some(database) = self.databases.get_mut(&id) {
                    database.maps.clear_reverted(page);
                }
            }
            Effect::Bad((id, page), error) => self.note_bad(id, page, &error),
            Effect::MadeAnew((id, page)) => self.damage.made_anew(id, page),
            Effect::Scanned { differs, key } => self.note_scanned(key, position, differs),
            Effect::Version { .. } | Effect::Deferred(..) => return Some(effect),
        }
        None
    }

    /// What the records did to the version store.
    fn note_versions_of(&mut self, window: &Window, effects: Vec<(usize, Effect)>) -> Result<()> {
        let mut effects = effects.into_iter().peekable();
        for (at, work) in window.work.iter().enumerate() {
            if matches!(work.kind, Kind::Node { .. }) && window.drops_behind(work.owner.session, at) {
                continue;
            }
            self.note_work(window, work).map_err(|error| error.at(work.position))?;
            while let Some((_, effect)) = effects.next_if(|(of, _)| *of == at) {
                self.note_version(effect).map_err(|error| error.at(work.position))?;
            }
        }
        Ok(())
    }

    /// What needs no page.
    fn note_work(&mut self, window: &Window, work: &Work) -> Result<()> {
        let raw = window.bytes.get(work.bytes()).unwrap_or_default();
        match work.kind {
            Kind::Node { versions: true } => self.note_versions(&decode(raw)?, work.owner)?,
            Kind::UndoInfo => {
                if let Operation::UndoInfo(info) = decode(raw)? {
                    self.note_undo_info(&info, work)?;
                }
            }
            Kind::Undo(number) => {
                if let (Operation::Undo(undo), Some((version, entry))) = (decode(raw)?, window.undone.get(number)) {
                    self.sessions.entry(undo.head.session).or_default().deferred.remove(version);
                    if entry.is_some() {
                        // Removed also where the page is newer already (trap V8).
                        self.versions.remove(*version);
                    }
                }
            }
            Kind::Lower(id, level) => {
                self.versions.lower(id, level);
                self.sessions.entry(id).or_default().lower_deferred(level);
            }
            Kind::DropLevel(id, level) => {
                self.versions.drop_level(id, level);
                self.sessions.entry(id).or_default().drop_deferred(level);
            }
            Kind::DropSession(id) => {
                self.versions.drop_session(id);
                self.sessions.entry(id).or_default().deferred.clear();
            }
            Kind::Node { versions: false } | Kind::Group | Kind::Pages | Kind::Scan | Kind::Freed => {}
        }
        Ok(())
    }

    fn note_version(&mut self, effect: Effect) -> Result<()> {
        match effect {
            Effect::Version { head, key, bookmark_data, before } => self.versions.add(&head, &key, &bookmark_data, &before)?,
            Effect::Deferred(session, version, deferred) if !self.versions.contains(version) => {
                self.sessions.entry(session).or_default().deferred.insert(version, deferred);
            }
            _ => {}
        }
        Ok(())
    }
}
