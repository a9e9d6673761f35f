//! Locks as restic takes them (restic's design document, "Locks"): many share a repository, or one has it alone.
//!
//! A lock is an object. Whoever wants one writes it, and looks for others afterwards: of two that come at the same time at least one sees the
//! other. It is renewed every five minutes. One that is older than thirty, or of a process of this machine that is gone, is stale: it locks
//! nothing, and is removed by whoever comes next.

use crate::error::{Error, Place, Result};
use crate::restic::backend::{Kind, Object};
use crate::restic::repository::Repository;
use crate::restic::{Id, host, told};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const RENEWAL: Duration = Duration::from_secs(5 * 60);
const STALE_SECONDS: i64 = 30 * 60;
/// A holder whose lock is older acts no more: clocks may differ, and what it has begun takes time.
const FRESH_SECONDS: i64 = 20 * 60;

/// A lock's object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LockFile {
    pub(crate) time: Timestamp,
    pub(crate) exclusive: bool,
    pub(crate) hostname: String,
    #[serde(default)]
    pub(crate) username: String,
    pub(crate) pid: i64,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

impl LockFile {
    /// Of this process, now.
    pub(crate) fn new(exclusive: bool) -> Self {
        let (uid, gid) = host::user_and_group();
        let (time, hostname, username) = (Timestamp::now(), host::name(), host::user());
        Self { time, exclusive, hostname, username, pid: std::process::id().into(), uid, gid }
    }
    fn is_stale(&self) -> bool {
        let age = now().saturating_sub(self.time.as_second());
        age > STALE_SECONDS || self.hostname == host::name() && host::is_gone(self.pid)
    }
    fn told(&self) -> String {
        let Self { time, hostname, username, pid, .. } = self;
        let kind = if self.exclusive { "alone" } else { "with others" };
        format!("process {pid} of {username} on {hostname}, {kind}, since {time}")
    }
}

/// A lock as people want to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockInfo {
    /// Its object.
    pub id: Id,
    /// Who took it; none where its object cannot be read.
    pub holder: Option<Holder>,
    /// Whether it locks nothing any more.
    pub stale: bool,
    /// Whether its holder seems gone: it was not renewed twice in a row, or its process on this machine is not there, or it cannot be read.
    pub abandoned: bool,
    /// Who has it, how and since when, in words; or what is wrong with it.
    pub told: String,
}

/// Who has a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The machine.
    pub host: String,
    /// The user.
    pub user: String,
    /// The process.
    pub process: i64,
    /// When it was taken, or renewed last.
    pub since: Timestamp,
    /// Whether nobody else may have the vault meanwhile.
    pub exclusive: bool,
}

/// Every lock of the repository, the oldest first, those behind that cannot be read.
///
/// # Errors
/// The storage's.
pub(crate) fn infos(repository: &Repository) -> Result<Vec<LockInfo>> {
    let mut infos = Vec::new();
    for (id, size) in list(repository)? {
        let object = Object::new(Kind::Lock, id);
        match repository.load_json::<LockFile>(object) {
            Ok(lock) => {
                let age = now().saturating_sub(lock.time.as_second());
                let (stale, told) = (lock.is_stale(), lock.told());
                let abandoned = stale || age > 2 * RENEWAL.as_secs().cast_signed();
                infos.push(LockInfo { id, stale, abandoned, told, holder: Some(lock.into()) });
            }
            // Its holder may have removed it since the listing. An empty one is what an interrupted upload leaves: it locks nothing.
            Err(Error::Damaged(damage)) if list(repository)?.iter().any(|(there, _)| *there == id) => {
                let told = format!("a lock that cannot be read ({damage})");
                infos.push(LockInfo { id, holder: None, stale: size == 0, abandoned: size > 0, told });
            }
            Err(Error::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    infos.sort_by_key(|lock| (lock.holder.is_none(), lock.holder.as_ref().map(|holder| holder.since), lock.id));
    Ok(infos)
}

/// Removes a lock, whoever has it; one that is gone already is no error.
pub(crate) fn remove(repository: &Repository, id: Id) -> Result<()> {
    let object = Object::new(Kind::Lock, id);
    match repository.backend.remove(object) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(told(object, error)),
        _ => Ok(()),
    }
}

impl From<LockFile> for Holder {
    fn from(lock: LockFile) -> Self {
        let LockFile { time: since, exclusive, hostname: host, username: user, pid: process, .. } = lock;
        Self { host, user, process, since, exclusive }
    }
}

/// A lock that is held until it is dropped, and renewed meanwhile.
pub(crate) struct Lock {
    held: Arc<Held>,
    renewal: Option<(Sender<()>, JoinHandle<()>)>,
}

/// What the holder, the thread that renews and those who only ask share.
pub(crate) struct Held {
    repository: Arc<Repository>,
    exclusive: bool,
    id: Mutex<Id>,
    /// When it was renewed last, in seconds since 1970 UTC.
    renewed: AtomicI64,
    released: AtomicBool,
}

impl Lock {
    /// Locks the repository.
    ///
    /// # Errors
    /// Another's lock that this one cannot be beside; the storage's.
    pub(crate) fn take(repository: &Arc<Repository>, exclusive: bool) -> Result<Self> {
        refuse_others(repository, exclusive, None)?;
        let id = repository.save_json(Kind::Lock, &LockFile::new(exclusive))?;
        let held = Arc::new(Held {
            repository: repository.clone(),
            exclusive,
            id: Mutex::new(id),
            renewed: AtomicI64::new(now()),
            released: AtomicBool::new(false),
        });
        // Dropped on an error: then it is removed.
        let mut lock = Self { held: held.clone(), renewal: None };
        thread::sleep(repository.backend.settles_in());
        refuse_others(repository, exclusive, Some(id))?;
        let (stop, stopped) = channel();
        let renew = move || {
            while stopped.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
                // What cannot be renewed grows stale: the holder learns it from `confirm`.
                let _ = held.renew();
            }
        };
        let thread = thread::Builder::new().name("vault lock".into()).spawn(renew);
        let failed = |error| Error::Storage(Place::object("locks"), error);
        lock.renewal = Some((stop, thread.map_err(failed)?));
        Ok(lock)
    }

    /// That it was held up to now without a gap, and is for thirty minutes more.
    ///
    /// # Errors
    /// Somebody took it for stale and removed it; the storage's.
    pub(crate) fn confirm(&self) -> Result<()> {
        self.held.renew()
    }
    /// See [`Held::is_fresh`].
    pub(crate) fn is_fresh(&self) -> bool {
        self.held.is_fresh()
    }
    /// For those who only ask: the lock ends with its holder, and not with them.
    pub(crate) fn held(&self) -> Arc<Held> {
        self.held.clone()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.renewal.take() {
            drop(stop);
            let _ = thread.join();
        }
        self.held.released.store(true, Ordering::SeqCst);
        // What cannot be removed grows stale.
        let _ = self.held.repository.backend.remove(Object::new(Kind::Lock, *self.held.id()));
    }
}

impl Held {
    fn id(&self) -> MutexGuard<'_, Id> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Whether it is held and was renewed in time, as far as can be told without asking the storage.
    pub(crate) fn is_fresh(&self) -> bool {
        let age = now().saturating_sub(self.renewed.load(Ordering::Relaxed));
        !self.released.load(Ordering::SeqCst) && age <= FRESH_SECONDS
    }
    /// A new object takes the place of the old one, which must be there before and after: where it is not, another may have come in.
    pub(crate) fn renew(&self) -> Result<()> {
        if self.released.load(Ordering::SeqCst) {
            return Err(Error::Locked("nobody any more: the lock was given back".into()));
        }
        let mut id = self.id();
        let time = now();
        self.refuse_if_gone(*id)?;
        let new = self.repository.save_json(Kind::Lock, &LockFile::new(self.exclusive))?;
        thread::sleep(self.repository.backend.settles_in());
        if let Err(error) = self.refuse_if_gone(*id) {
            let _ = self.repository.backend.remove(Object::new(Kind::Lock, new));
            return Err(error);
        }
        let old = Object::new(Kind::Lock, std::mem::replace(&mut *id, new));
        self.renewed.store(time, Ordering::Relaxed);
        self.repository.backend.remove(old).map_err(|error| told(old, error))
    }
    fn refuse_if_gone(&self, id: Id) -> Result<()> {
        let there = list(&self.repository)?.iter().any(|(there, _)| *there == id);
        there.then_some(()).ok_or_else(|| Error::Locked("somebody who removed the lock of this program".into()))
    }
}

/// Every lock of the repository that is not stale, but for `own`; those that are stale are removed.
///
/// # Errors
/// A lock that cannot be read; the storage's.
pub(crate) fn others(repository: &Repository, own: Option<Id>) -> Result<Vec<LockFile>> {
    let mut others = Vec::new();
    for (id, size) in list(repository)? {
        // An empty one is what an interrupted upload leaves on some storages.
        if Some(id) == own || size == 0 {
            continue;
        }
        let object = Object::new(Kind::Lock, id);
        match repository.load_json::<LockFile>(object) {
            Ok(lock) if lock.is_stale() => {
                // Whoever may not remove it must not be kept out by it either.
                let _ = repository.backend.remove(object);
            }
            Ok(lock) => others.push(lock),
            // Its holder may have removed it since the listing.
            Err(Error::Damaged(damage)) if list(repository)?.iter().any(|(there, _)| *there == id) => {
                let hint = "when no other program is at work here, remove that file";
                return Err(Error::Locked(format!("a lock that cannot be read ({damage}); {hint}")));
            }
            Err(Error::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(others)
}

fn refuse_others(repository: &Repository, exclusive: bool, own: Option<Id>) -> Result<()> {
    match others(repository, own)?.iter().find(|other| exclusive || other.exclusive) {
        Some(other) => Err(Error::Locked(other.told())),
        None => Ok(()),
    }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn list(repository: &Repository) -> Result<Vec<(Id, u64)>> {
    match repository.backend.list(Kind::Lock) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        list => list.map_err(|error| Error::Storage(Place::object("locks"), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restic::repository::tests::in_memory as repository;
    use jiff::ToSpan as _;

    fn locks(repository: &Repository) -> usize {
        list(repository).unwrap().len()
    }
    fn foreign(repository: &Repository, change: impl FnOnce(&mut LockFile)) -> Id {
        let mut lock = LockFile { hostname: "elsewhere".into(), pid: 1, ..LockFile::new(false) };
        change(&mut lock);
        repository.save_json(Kind::Lock, &lock).unwrap()
    }

    #[test]
    fn many_share_or_one_is_alone() {
        let repository = repository();
        let first = Lock::take(&repository, false).unwrap();
        let second = Lock::take(&repository, false).unwrap();
        assert!(matches!(Lock::take(&repository, true), Err(Error::Locked(_))));
        assert_eq!(locks(&repository), 2);
        drop((first, second));
        let alone = Lock::take(&repository, true).unwrap();
        assert!(matches!(Lock::take(&repository, false), Err(Error::Locked(_))));
        assert!(matches!(Lock::take(&repository, true), Err(Error::Locked(_))));
        drop(alone);
        assert_eq!(locks(&repository), 0);
    }

    #[test]
    fn a_lock_of_another_machine_counts_for_thirty_minutes() {
        let repository = repository();
        foreign(&repository, |lock| lock.time = Timestamp::now() - 29.minutes());
        assert!(matches!(Lock::take(&repository, true), Err(Error::Locked(who)) if who.contains("elsewhere")));
        drop(Lock::take(&repository, false).unwrap());
        assert_eq!(locks(&repository), 1);
        let repository = self::repository();
        foreign(&repository, |lock| (lock.exclusive, lock.time) = (true, Timestamp::now() - 31.minutes()));
        drop(Lock::take(&repository, false).unwrap());
        assert_eq!(locks(&repository), 0, "what is stale is removed");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_of_a_process_of_this_machine_that_is_gone_is_stale() {
        let repository = repository();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        foreign(&repository, |lock| (lock.hostname, lock.pid, lock.exclusive) = (host::name(), child.id().into(), true));
        drop(Lock::take(&repository, true).unwrap());
        assert_eq!(locks(&repository), 0);
    }

    #[test]
    fn a_lock_that_was_not_renewed_twice_looks_abandoned_and_stays() {
        let repository = repository();
        foreign(&repository, |lock| lock.time = Timestamp::now() - 9.minutes());
        assert_eq!(infos(&repository).unwrap().iter().filter(|lock| lock.abandoned).count(), 0);
        foreign(&repository, |lock| lock.time = Timestamp::now() - 11.minutes());
        let abandoned: Vec<LockInfo> = infos(&repository).unwrap().into_iter().filter(|lock| lock.abandoned).collect();
        assert!(abandoned.len() == 1 && abandoned[0].told.contains("elsewhere"), "{abandoned:?}");
        repository.backend.create(Object::new(Kind::Lock, Id::of(b"x")), b"torn").unwrap();
        assert_eq!((infos(&repository).unwrap().len(), locks(&repository)), (3, 3));
    }

    #[test]
    fn locks_are_told_the_oldest_first_and_those_that_cannot_be_read_at_the_end() {
        let repository = repository();
        repository.backend.create(Object::new(Kind::Lock, Id::of(b"x")), b"torn").unwrap();
        repository.backend.create(Object::new(Kind::Lock, Id::of(b"y")), b"").unwrap();
        foreign(&repository, |lock| lock.exclusive = true);
        foreign(&repository, |lock| lock.time = Timestamp::now() - 31.minutes());
        let told = infos(&repository).unwrap();
        let holders: Vec<_> = told.iter().map(|lock| lock.holder.as_ref().map(|holder| holder.exclusive)).collect();
        assert_eq!(holders, [Some(false), Some(true), None, None]);
        assert_eq!(told.iter().filter(|lock| lock.stale).count(), 2, "an old one, and an empty one");
        assert!(told[0].stale && !told[1].stale);
        remove(&repository, told[0].id).unwrap();
        remove(&repository, told[0].id).unwrap();
        assert_eq!(locks(&repository), 3);
    }

    #[test]
    fn who_lost_the_lock_learns_it() {
        let repository = repository();
        let lock = Lock::take(&repository, false).unwrap();
        let asked = lock.held();
        lock.confirm().unwrap();
        lock.confirm().unwrap();
        assert!(asked.is_fresh());
        assert_eq!(locks(&repository), 1, "a renewed lock replaces the old one");
        let (id, _) = list(&repository).unwrap()[0];
        repository.backend.remove(Object::new(Kind::Lock, id)).unwrap();
        assert!(matches!(lock.confirm(), Err(Error::Locked(_))));
        assert_eq!(locks(&repository), 0);
        drop(lock);
        assert!(!asked.is_fresh() && asked.renew().is_err(), "what was given back is nobody's");
        assert_eq!(locks(&repository), 0);
    }

    #[test]
    fn a_lock_that_cannot_be_read_is_told_and_not_passed_over() {
        let repository = repository();
        repository.backend.create(Object::new(Kind::Lock, Id::of(b"x")), b"torn").unwrap();
        assert!(matches!(Lock::take(&repository, false), Err(Error::Locked(who)) if who.contains("locks/")));
        let repository = self::repository();
        repository.backend.create(Object::new(Kind::Lock, Id::of(b"x")), b"").unwrap();
        drop(Lock::take(&repository, true).unwrap());
    }
}
