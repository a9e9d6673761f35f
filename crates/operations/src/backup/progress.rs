//! How a backup is followed, interrupted and slowed down.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Follows a backup; each call may interrupt it by returning `false`.
pub trait Progress {
    /// A phase begins, with so many bytes to be read: `replaying` (none), `copying`, `reading back`.
    fn phase(&mut self, name: &str, bytes: u64) -> bool {
        let _ = (name, bytes);
        true
    }
    /// So many bytes more of a file are done.
    fn bytes(&mut self, file: &str, bytes: u64) -> bool {
        let _ = (file, bytes);
        true
    }
}

/// Follows nothing.
impl Progress for () {}

/// Holds reading back to a number of bytes a second. Time comes in from outside.
#[derive(Clone)]
pub struct Pace {
    now: Arc<dyn Fn() -> Duration + Send + Sync>,
    sleep: Arc<dyn Fn(Duration) + Send + Sync>,
    limit: Option<u64>,
    began: Option<Duration>,
    bytes: u64,
}

impl Pace {
    /// By the clock of the machine; without a limit it never waits.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        let start = Instant::now();
        Self::with(limit, move || start.elapsed(), std::thread::sleep)
    }
    /// By a clock from outside.
    #[must_use]
    pub fn with(
        limit: Option<u64>,
        now: impl Fn() -> Duration + Send + Sync + 'static,
        sleep: impl Fn(Duration) + Send + Sync + 'static,
    ) -> Self {
        Self { now: Arc::new(now), sleep: Arc::new(sleep), limit: limit.filter(|limit| *limit > 0), began: None, bytes: 0 }
    }
    /// So many bytes were read: waits until the limit allows them.
    pub fn read(&mut self, bytes: u64) {
        let Some(limit) = self.limit else { return };
        let now = (self.now)();
        let began = *self.began.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes);
        let due = u128::from(self.bytes) * 1_000_000 / u128::from(limit);
        let due = began.saturating_add(Duration::from_micros(u64::try_from(due).unwrap_or(u64::MAX)));
        if let Some(wait) = due.checked_sub(now).filter(|wait| !wait.is_zero()) {
            (self.sleep)(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_limit_makes_bytes_take_their_time_and_no_longer() {
        let clock = Arc::new(Mutex::new(Duration::ZERO));
        let (now, sleep) = (clock.clone(), clock.clone());
        let mut pace = Pace::with(Some(1000), move || *now.lock().unwrap(), move |wait| *sleep.lock().unwrap() += wait);
        for _ in 0..5 {
            pace.read(500);
        }
        assert_eq!(*clock.lock().unwrap(), Duration::from_millis(2500));
        // What took longer than the limit asks for is not slowed down further.
        *clock.lock().unwrap() += Duration::from_secs(60);
        pace.read(500);
        assert_eq!(*clock.lock().unwrap(), Duration::from_millis(62_500));
    }
}
