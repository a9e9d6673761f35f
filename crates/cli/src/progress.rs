//! Progress on standard error: a bar on a terminal, plain lines elsewhere, JSON events with `--json`.

use crate::interrupt;
use anchorlog_operations::backup;
use anchorlog_operations::recover::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal as _;

/// Shows how a recovery goes on.
pub enum Shown {
    /// On a terminal.
    Bar(ProgressBar),
    /// In a file or a pipe: one line for each phase.
    Lines,
    /// For programs.
    Json,
    /// Nothing.
    Quiet,
}

impl Shown {
    /// What fits standard error.
    pub fn new(json: bool, quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if json {
            return Self::Json;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines;
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{prefix:>12} [{bar:30}] {pos}/{len} {msg} ({eta})") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }
}

impl Progress for Shown {
    fn phase(&mut self, name: &str, steps: usize) -> bool {
        match self {
            Self::Bar(bar) => {
                bar.set_length(steps as u64);
                bar.set_position(0);
                bar.set_prefix(name.to_owned());
                bar.set_message(String::new());
            }
            Self::Lines => eprintln!("{name} ({steps})"),
            Self::Json => eprintln!("{}", json!({ "phase": name, "steps": steps })),
            Self::Quiet => {}
        }
        !interrupt::asked()
    }

    fn step(&mut self, what: &str, at: usize, of: usize) -> bool {
        match self {
            Self::Bar(bar) => {
                bar.set_length(of as u64);
                bar.set_position(at as u64);
                bar.set_message(what.to_owned());
            }
            Self::Json => eprintln!("{}", json!({ "step": what, "at": at, "of": of })),
            Self::Lines | Self::Quiet => {}
        }
        !interrupt::asked()
    }

    fn goes_on(&mut self) -> bool {
        !interrupt::asked()
    }
}

/// The same in bytes.
pub struct Bytes {
    shown: Shown,
    done: u64,
    total: u64,
    /// Hundredths of the total that were told.
    told: u64,
}

impl Bytes {
    /// What fits standard error.
    pub fn new(json: bool, quiet: bool) -> Self {
        let shown = Shown::new(json, quiet);
        if let Shown::Bar(bar) = &shown
            && let Ok(style) = ProgressStyle::with_template(
                "{prefix:>12} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {msg} ({eta})",
            )
        {
            bar.set_style(style);
        }
        Self { shown, done: 0, total: 0, told: 0 }
    }
}

impl backup::Progress for Bytes {
    fn phase(&mut self, name: &str, bytes: u64) -> bool {
        (self.done, self.total, self.told) = (0, bytes, 0);
        match &self.shown {
            Shown::Bar(bar) => {
                bar.reset();
                bar.set_length(bytes);
                bar.set_prefix(name.to_owned());
                bar.set_message(String::new());
            }
            Shown::Lines => eprintln!("{name} ({})", crate::render::bytes(bytes)),
            Shown::Json => eprintln!("{}", json!({ "phase": name, "bytes": bytes })),
            Shown::Quiet => {}
        }
        !interrupt::asked()
    }

    fn bytes(&mut self, file: &str, bytes: u64) -> bool {
        self.done = self.done.saturating_add(bytes);
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(self.done);
                bar.set_message(file.to_owned());
            }
            Shown::Json => {
                let hundredths = self.done.saturating_mul(100) / self.total.max(1);
                if hundredths > self.told {
                    self.told = hundredths;
                    eprintln!("{}", json!({ "file": file, "at": self.done, "of": self.total }));
                }
            }
            Shown::Lines | Shown::Quiet => {}
        }
        !interrupt::asked()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
