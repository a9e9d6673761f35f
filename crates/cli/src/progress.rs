//! Progress of long work: a bar where a person looks, lines elsewhere, nothing with `--quiet` and `--json`.

use crate::interrupt;
use crate::output::Output;
use anchorlog_operations::recover::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Shows progress and notices Ctrl-C.
pub struct Shown {
    output: Output,
    bar: Option<ProgressBar>,
}

impl Shown {
    /// For an output.
    pub const fn new(output: Output) -> Self {
        Self { output, bar: None }
    }
}

impl Progress for Shown {
    fn phase(&mut self, name: &str, steps: usize) -> bool {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.output.shows_progress() {
            if Output::is_terminal() {
                let bar = ProgressBar::new(steps as u64);
                if let Ok(style) = ProgressStyle::with_template("{prefix:>12} [{bar:30}] {pos}/{len} {msg} ({eta})") {
                    bar.set_style(style.progress_chars("=> "));
                }
                bar.set_prefix(name.to_owned());
                bar.enable_steady_tick(Duration::from_millis(200));
                self.bar = Some(bar);
            } else {
                eprintln!("{name}: {steps} steps");
            }
        }
        !interrupt::was_asked()
    }
    fn step(&mut self, what: &str, at: usize, of: usize) -> bool {
        if let Some(bar) = &self.bar {
            bar.set_length(of as u64);
            bar.set_position(at as u64);
            bar.set_message(what.to_owned());
        }
        !interrupt::was_asked()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
