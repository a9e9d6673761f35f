//! `anchorlog verify PATH…`

use super::place_of;
use crate::args::Verify;
use crate::exit::{Exit, Trouble};
use crate::{Outcome, interrupt, render};
use anchorlog_format::finding::Finding;
use anchorlog_operations::verify::space::SpaceReport;
use anchorlog_operations::verify::{Depth, Follow, Options, Progress, Verification, verify_file_with, verify_folder_with};
use anchorlog_storage::DiskFolder;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::time::{Duration, Instant};

pub fn run(arguments: &Verify, as_json: bool, quiet: bool) -> Outcome {
    interrupt::careful();
    let depth = match (arguments.checksums, arguments.quick) {
        (true, _) => Depth::Checksums,
        (_, true) => Depth::Quick,
        _ => Depth::Full,
    };
    let mut options = Options { depth, threads: arguments.threads, space: arguments.space, ..Options::default() };
    if let Some(mebibytes) = arguments.cache {
        options.cache = mebibytes.saturating_mul(1 << 20);
    }
    let mut exit = Exit::Done;
    for path in &arguments.paths {
        let mut shown = Shown::new(as_json, quiet);
        let begun = Instant::now();
        let result = verify(path, &options, &mut shown)?;
        shown.bar.finish_and_clear();
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", json!({ "path": path.display().to_string(), "result": result }))?;
        } else {
            write!(out, "{}", render::verify::result(&result, depth, begun.elapsed()))?;
        }
        if result.interrupted {
            return Ok(Exit::Interrupted);
        }
        if result.errors > 0 {
            exit = Exit::Findings;
        }
    }
    Ok(exit)
}

fn verify(path: &Path, options: &Options, shown: &mut Shown) -> Result<Verification, Trouble> {
    let name = path.display().to_string();
    let result = if path.is_dir() {
        verify_folder_with(&DiskFolder::read_only(path), &name, options, shown)
    } else {
        let (folder, file) = place_of(path)?;
        verify_file_with(&folder, &file, &name, options, shown)
    };
    result.map_err(|error| Trouble::reading(path, &error))
}

/// Time between two progress events for programs.
const EVENTS: Duration = Duration::from_millis(500);

/// Findings on standard output as they come; progress on standard error: a bar with rate and time left on a terminal, events with `--json`.
struct Shown {
    json: bool,
    /// Hidden where standard error is no terminal.
    bar: ProgressBar,
    events: bool,
    file: String,
    phase: &'static str,
    begun: Instant,
    told: Option<Instant>,
}

impl Shown {
    fn new(json: bool, quiet: bool) -> Self {
        let visible = !json && !quiet && io::stderr().is_terminal();
        let bar = if visible { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let template = "{prefix} [{bar:30}] {bytes}/{total_bytes} {binary_bytes_per_sec} ({eta} left)";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { json, bar, events: json && !quiet, file: String::new(), phase: "", begun: Instant::now(), told: None }
    }
    /// A reader that went away is noticed at the summary.
    fn print(&self, text: &str) {
        self.bar.suspend(|| _ = writeln!(io::stdout(), "{text}"));
    }
    fn event(&mut self, progress: &Progress) {
        if self.told.is_some_and(|told| told.elapsed() < EVENTS) {
            return;
        }
        self.told = Some(Instant::now());
        let rate = u128::from(progress.done) * 1000 / self.begun.elapsed().as_millis().max(1);
        let left = u128::from(progress.total.saturating_sub(progress.done)) / rate.max(1);
        let event = json!({
            "file": self.file, "phase": progress.phase, "done": progress.done, "total": progress.total,
            "bytes_per_second": u64::try_from(rate).unwrap_or(u64::MAX), "seconds_left": u64::try_from(left).unwrap_or(u64::MAX),
        });
        eprintln!("{}", json!({ "progress": event }));
    }
}

impl Follow for Shown {
    fn finding(&mut self, finding: Finding) {
        let text = if self.json { json!({ "finding": finding }).to_string() } else { render::finding(&finding) };
        self.print(&text);
    }
    fn file(&mut self, path: &str, _bytes: u64) {
        path.clone_into(&mut self.file);
        self.phase = "";
    }
    fn progress(&mut self, progress: &Progress) -> bool {
        if self.phase != progress.phase {
            self.phase = progress.phase;
            self.begun = Instant::now();
            self.told = None;
            self.bar.reset();
            self.bar.set_prefix(format!("{} {}", self.file, progress.phase));
        }
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.done);
        if self.events {
            self.event(progress);
        }
        !interrupt::asked()
    }
    fn space(&mut self, report: &SpaceReport) {
        let text = if self.json { json!({ "space": report }).to_string() } else { render::verify::space(report) };
        self.print(text.trim_end());
    }
}
