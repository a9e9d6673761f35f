//! Settling a window: the work on its pages is done, and then, record by record in log order, what else they do: version entries, redo
//! maps, bad pages. The order of the log, not of the threads, decides which comes first (traps X6, X12, X14).

use super::Redo;
use super::bucket::{Bucket, Effect, Facts, Shared, Slot, decode};
use super::share;
use super::window::{Kind, Window, Work};
use crate::error::Result;
use anchorlog_format::log::record::Operation;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

impl Redo {
    /// Does all work that waits. Afterwards pages and version entries are as after the last record taken in.
    ///
    /// # Errors
    /// The error of the first record in log order that fails; nothing behind it has been done but on pages, which are of no use then.
    pub fn settle(&mut self) -> Result<()> {
        if self.window.is_empty() {
            return Ok(());
        }
        let mut window = std::mem::take(&mut self.window);
        let numbers = share::share_out(&mut window, self.threads, self.hook.is_some());
        let (shared, mut buckets) = self.hand_out(window, &numbers)?;
        share::run(&mut buckets);
        self.bring_back(&shared, &mut buckets, &numbers);
        let result = self.note_all(&shared.window, &mut buckets);
        drop(buckets);
        if let Some(shared) = Arc::into_inner(shared) {
            self.window = shared.window;
            self.window.clear();
        }
        result
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
        let mut buckets: Vec<Bucket> = slots.into_iter().map(|slots| Bucket::new(shared.clone(), slots)).collect();
        for (at, work) in shared.window.work.iter().enumerate().filter(|(_, work)| work.kind.is_page_work()) {
            let bucket = shared.window.named.get(work.named().start).and_then(|&page| numbers.get(page as usize));
            if let Some(bucket) = bucket.and_then(|&bucket| buckets.get_mut(bucket)) {
                bucket.work.push(at);
            }
        }
        Ok((shared, buckets))
    }

    /// The pages go back into the cache, in an order that does not depend on the buckets.
    fn bring_back(&mut self, shared: &Shared, buckets: &mut [Bucket], numbers: &[usize]) {
        for (&bucket, &place) in numbers.iter().zip(&shared.places) {
            let slot = buckets.get_mut(bucket).and_then(|bucket| bucket.slots.get_mut(place as usize));
            if let Some(slot) = slot.filter(|slot| slot.is_good()) {
                self.cache.check_in(slot.key, std::mem::take(&mut slot.image), slot.dirty);
            }
        }
    }

    /// What the records did besides changing pages, up to the first that failed.
    fn note_all(&mut self, window: &Window, buckets: &mut [Bucket]) -> Result<()> {
        let failed = buckets.iter_mut().filter_map(|bucket| bucket.error.take()).min_by_key(|(at, _)| *at);
        let mut effects: Vec<(usize, Effect)> = Vec::new();
        for bucket in buckets.iter_mut() {
            effects.append(&mut bucket.effects);
        }
        if buckets.len() > 1 {
            effects.sort_by_key(|(at, _)| *at);
        }
        let mut effects = effects.into_iter().peekable();
        let last = failed.as_ref().map_or(window.work.len(), |(at, _)| at + 1);
        for (at, work) in window.work.iter().enumerate().take(last) {
            self.note_work(window, work).map_err(|error| error.at(work.position))?;
            while let Some((_, effect)) = effects.next_if(|(of, _)| *of == at) {
                self.note_effect(effect, work).map_err(|error| error.at(work.position))?;
            }
        }
        match failed {
            Some((_, error)) => Err(error),
            None => {
                self.counts.page_changes += buckets.iter().map(|bucket| bucket.page_changes).sum::<u64>();
                Ok(())
            }
        }
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

    fn note_effect(&mut self, effect: Effect, work: &Work) -> Result<()> {
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
            Effect::Bad(id, error) => self.pass_over(id, error)?,
            Effect::MadeAnew((id, page)) => self.damage.made_anew(id, page),
            Effect::Version { head, key, bookmark_data, before } => self.versions.add(&head, &key, &bookmark_data, &before)?,
            Effect::Deferred(session, version, deferred) => {
                if !self.versions.contains(version) {
                    self.sessions.entry(session).or_default().deferred.insert(version, deferred);
                }
            }
            Effect::Scanned { differs, key } => self.note_scanned(key, work.position, differs),
        }
        Ok(())
    }
}
