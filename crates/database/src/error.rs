//! What reading a database can run into.

use crate::check::rule::Rule;
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use std::fmt;

/// `JET_errDiskIO`: the storage failed.
pub const DISK_IO: JetCode = JetCode(-1022);
/// `JET_errSPAvailExtCorrupted`: available space is recorded wrongly.
pub const AVAILABLE_SPACE_CORRUPTED: JetCode = JetCode(-341);
/// `JET_errSPOwnExtCorrupted`: owned space is recorded wrongly.
pub const OWNED_SPACE_CORRUPTED: JetCode = JetCode(-343);

/// An error with its place, the code that Microsoft's engine would give, and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where.
    pub place: Place,
    /// The code.
    pub jet: JetCode,
    /// What was found.
    pub message: String,
    /// The invariant that is broken, where it is known.
    pub rule: Option<Rule>,
}

impl Error {
    /// An error at a place.
    #[must_use]
    pub fn new(place: Place, jet: JetCode, message: impl Into<String>) -> Self {
        Self { place, jet, message: message.into(), rule: None }
    }
    /// The same error with the invariant that is broken.
    #[must_use]
    pub const fn with_rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }
    /// The same as a finding; the hint is the code's own.
    #[must_use]
    pub fn finding(&self) -> Finding {
        Finding { rule: self.rule.map(Rule::number), ..Finding::error(self.place.clone(), self.jet, self.message.clone()) }
    }
    /// The same as a finding of another severity.
    #[must_use]
    pub fn finding_of(&self, severity: Severity) -> Finding {
        Finding { severity, ..self.finding() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.jet, self.place, self.message)
    }
}

impl std::error::Error for Error {}
