//! The one lock of a check: how far its producer may be ahead.
//!
//! The primitives come from the module above, so that a test can put `shuttle`'s in their place and try the ways in which threads meet.

use super::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How far the producer may be ahead of what was taken.
pub(super) struct Gate {
    most: usize,
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gate {
    pub fn new(most: usize) -> Self {
        Self { most, state: Mutex::new((0, false)), changed: Condvar::new() }
    }
    /// Waits for room; `false` once the gate is closed.
    pub fn enter(&self) -> bool {
        let mut state = self.lock();
        while state.0 >= self.most && !state.1 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.0 += 1;
        !state.1
    }
    pub fn leave(&self) {
        self.lock().0 -= 1;
        self.changed.notify_one();
    }
    pub fn close(&self) {
        self.lock().1 = true;
        self.changed.notify_all();
    }
    fn lock(&self) -> MutexGuard<'_, (usize, bool)> {
        // Two numbers: no panic can leave them half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the gate when its thread panics, so that no one waits for what will never come.
pub(super) struct Closing<'g>(pub &'g Gate);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}
