//! Ctrl-C asks a recovery to stop at its next step; a second one ends the program at once, which leaves a hidden working folder at most.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static CAREFUL: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C from now on. Where that is not possible it ends the program, as it always did.
pub fn watch() {
    let caught = || {
        if !CAREFUL.load(Ordering::Relaxed) || ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    // Without a handler an interrupt only leaves the hidden working folder behind.
    let _ = ctrlc::set_handler(caught);
}

/// From now on the first Ctrl-C only sets the mark that [`asked`] tells.
pub fn careful() {
    CAREFUL.store(true, Ordering::Relaxed);
}

/// Whether the user asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
