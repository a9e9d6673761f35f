//! Time and chance come in from outside, so that any run can be repeated.

use crate::stream::Clock;
use anchorlog_format::units::{LogTime, Signature};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Where times and random numbers come from.
#[derive(Clone)]
pub struct Ambient {
    /// The time.
    pub clock: Clock,
    /// A random number.
    pub random: Arc<dyn Fn() -> u32 + Send + Sync>,
}

impl Ambient {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> LogTime {
        (self.clock)()
    }
    /// A fresh signature.
    #[must_use]
    pub fn signature(&self) -> Signature {
        Signature::new((self.random)(), self.now())
    }
    /// The same times and numbers at each run: time stands at `start` and goes on by a millisecond at each look.
    #[must_use]
    pub fn repeatable(start: LogTime, seed: u32) -> Self {
        let ticks = Arc::new(AtomicU64::new(0));
        let state = Arc::new(AtomicU32::new(seed | 1));
        let clock = move || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            later(start, tick)
        };
        let random = move || {
            // A generator of full period is all that is asked for: numbers that differ.
            let next = state.load(Ordering::Relaxed).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.store(next, Ordering::Relaxed);
            next
        };
        Self { clock: Arc::new(clock), random: Arc::new(random) }
    }
}

/// A time some milliseconds later, within the same day.
fn later(start: LogTime, milliseconds: u64) -> LogTime {
    let [second, minute, hour, day, month, year, ..] = start.0;
    let total = u64::from(start.millisecond())
        + 1000 * (u64::from(second) + 60 * (u64::from(minute) + 60 * u64::from(hour)))
        + milliseconds;
    let part = |value: u64| u8::try_from(value).unwrap_or(0);
    LogTime::utc(
        1900 + u16::from(year),
        month,
        day,
        part(total / 3_600_000 % 24),
        part(total / 60_000 % 60),
        part(total / 1000 % 60),
        u16::try_from(total % 1000).unwrap_or(0),
    )
}
