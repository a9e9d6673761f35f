//! Object lock: the storage lets nobody remove an object, nor change it, until its time is over.
//!
//! Every object is kept from the day on which it was written. What later sets share with earlier ones would therefore lose its protection
//! first: [`ResticVault::extend_lock`] keeps everything for the whole time again.

use crate::error::{Error, Place, Result};
use crate::restic::backend::{Kind, Object};
use crate::restic::vault::ResticVault;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Requests that are under way at once.
const THREADS: usize = 8;
/// Objects that are not kept are named up to so many.
const NAMED: usize = 20;
/// What is kept until so shortly before the time wanted is left as it is.
const NEAR: SignedDuration = SignedDuration::from_hours(24);

/// For how long the storage is to keep each object of a vault, its locks excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// Who may lift it.
    pub mode: LockMode,
    /// Days from the moment at which an object is written, or its lock extended: at least one.
    pub days: u16,
}

/// Who may lift an object lock before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LockMode {
    /// Whoever has the right to do so on the storage.
    Governance,
    /// Nobody, not even the owner of the bucket.
    Compliance,
}

impl ObjectLock {
    /// Until when an object is kept that is written at this time.
    #[must_use]
    pub fn until(self, now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_hours(24 * i64::from(self.days))).unwrap_or(Timestamp::MAX)
    }
}

/// What of a vault is kept, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// Objects that were asked for.
    pub objects: usize,
    /// Those whose lock was extended.
    pub extended: usize,
    /// Those that are not kept at all.
    pub unprotected: usize,
    /// Up to twenty of them.
    pub named: Vec<String>,
    /// When the first of the others may be removed.
    pub until: Option<Timestamp>,
}

impl ResticVault {
    /// The object lock that this vault was made with.
    #[must_use]
    pub fn object_lock(&self) -> Option<ObjectLock> {
        self.config().object_lock
    }
    /// Asks for each object until when it is kept: one request each. `goes_on` is told how many of how many are done, and may end it.
    ///
    /// # Errors
    /// The storage's.
    pub fn protection(&self, goes_on: &mut (dyn FnMut(usize, usize) -> bool + Send)) -> Result<Protection> {
        self.visit(None, goes_on)
    }
    /// Keeps every object for the whole time again, where a day of it or more is over: two requests each.
    ///
    /// # Errors
    /// A vault without object lock; another client's exclusive lock; the storage's.
    pub fn extend_lock(&self, goes_on: &mut (dyn FnMut(usize, usize) -> bool + Send)) -> Result<Protection> {
        let without = || Error::Unsupported("this vault was made without an object lock".into());
        let until = self.object_lock().ok_or_else(without)?.until(Timestamp::now());
        let lock = self.share()?;
        let extended = self.visit(Some(until), goes_on);
        drop(lock);
        extended
    }

    fn visit(&self, extend_to: Option<Timestamp>, goes_on: &mut (dyn FnMut(usize, usize) -> bool + Send)) -> Result<Protection> {
        let backend = self.backend();
        let mut objects = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Lock) {
            let found = backend.list(kind).map_err(|error| Error::Storage(Place::object(kind.folder()), error))?;
            objects.extend(found.into_iter().map(|(id, _)| Object::new(kind, id)));
        }
        let visit = |object: Object| {
            let failed = |error| Error::Storage(Place::object(object.to_string()), error);
            let kept = backend.kept_until(object).map_err(failed)?;
            match extend_to {
                Some(until) if kept.is_none_or(|kept| kept < until - NEAR) => {
                    backend.keep(object, until).map_err(failed)?;
                    Ok((Some(until), true))
                }
                _ => Ok((kept, false)),
            }
        };
        let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        let seen = Mutex::new((Protection::default(), goes_on, Ok(())));
        thread::scope(|scope| {
            for _ in 0..THREADS.min(objects.len()) {
                scope.spawn(|| {
                    while let Some(object) =
                        objects.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !stopped.load(Ordering::Relaxed))
                    {
                        let visited = visit(*object);
                        let (protection, goes_on, result) = &mut *lock(&seen);
                        match visited {
                            // Removed since the listing.
                            Err(Error::Storage(_, error)) if error.kind() == io::ErrorKind::NotFound => {}
                            Ok((until, extended)) => protection.add(*object, until, extended),
                            Err(error) => {
                                stopped.store(true, Ordering::Relaxed);
                                *result = Err(error);
                            }
                        }
                        if !goes_on(protection.objects, objects.len()) {
                            stopped.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let (protection, _, result) = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.map(|()| protection)
    }
}

impl Protection {
    fn add(&mut self, object: Object, until: Option<Timestamp>, extended: bool) {
        self.objects += 1;
        self.extended += usize::from(extended);
        match until {
            Some(until) => self.until = Some(self.until.map_or(until, |first| first.min(until))),
            None => {
                self.unprotected += 1;
                if self.named.len() < NAMED {
                    self.named.push(object.to_string());
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
