//! How results leave the program: text for people, JSON for programs, exit codes for scripts.

use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, clean, or already clean.
    Done,
    /// Done, with findings, or with loss or damage by consent.
    Findings,
    /// The command line was wrong.
    Usage,
    /// A precondition does not hold: nothing was touched.
    Refused,
    /// Something failed: nothing was published.
    Failed,
    /// Interrupted: nothing half done.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Failed => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// Text or JSON; with or without progress.
    pub const fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }
    /// Whether JSON is wanted.
    pub const fn is_json(self) -> bool {
        self.json
    }
    /// Whether progress is shown, and how: a bar only where a person looks.
    pub fn shows_progress(self) -> bool {
        !self.quiet && !self.json
    }
    /// Whether a person looks at progress.
    pub fn is_terminal() -> bool {
        io::stderr().is_terminal()
    }
    /// Prints text; nothing when JSON is wanted.
    pub fn line(self, text: impl Display) {
        if !self.json {
            // A reader that went away is no reason to fail.
            _ = writeln!(io::stdout(), "{text}");
        }
    }
    /// Prints a value as JSON, when that is wanted.
    pub fn value(self, value: &impl Serialize) {
        if self.json
            && let Ok(text) = serde_json::to_string_pretty(value)
        {
            _ = writeln!(io::stdout(), "{text}");
        }
    }
    /// Prints a value as one line of JSON, when that is wanted.
    pub fn value_line(self, value: &impl Serialize) {
        if self.json
            && let Ok(text) = serde_json::to_string(value)
        {
            _ = writeln!(io::stdout(), "{text}");
        }
    }
    /// Prints a finding.
    pub fn finding(self, finding: &Finding) {
        self.line(finding);
    }
    /// Says what went wrong: what, the code with its meaning, what to do next, and what was or was not touched.
    pub fn error(self, what: &str, jet: Option<JetCode>, touched: &str) {
        if self.json {
            let value = serde_json::json!({
                "error": what,
                "jet": jet.map(|jet| jet.0),
                "symbol": jet.map(JetCode::symbol),
                "meaning": jet.map(JetCode::meaning),
                "next": jet.map(JetCode::next),
                "touched": touched,
            });
            self.value(&value);
            return;
        }
        let mut text = format!("error: {what}\n");
        if let Some(jet) = jet {
            text.push_str(&format!("  code:  {jet}\n"));
            if !jet.meaning().is_empty() {
                text.push_str(&format!("  means: {}\n", jet.meaning()));
            }
            if !jet.next().is_empty() {
                text.push_str(&format!("  next:  {}\n", jet.next()));
            }
        }
        _ = writeln!(io::stderr(), "{text}  {touched}");
    }
}
