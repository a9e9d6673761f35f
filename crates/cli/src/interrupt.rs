//! Ctrl-C: work stops at the next step, and nothing is left half done.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static WATCHED: OnceLock<bool> = OnceLock::new();

/// Watches for Ctrl-C from now on.
pub fn watch() {
    // Where it cannot be watched, Ctrl-C ends the program at once; the working folder is then removed by the next run.
    _ = WATCHED.get_or_init(|| ctrlc::set_handler(|| ASKED.store(true, Ordering::Relaxed)).is_ok());
}

/// Whether the user asked to stop.
pub fn was_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
