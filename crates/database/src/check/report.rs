//! Where findings go.

use super::Counts;
use crate::error::Error;
use anchorlog_format::finding::{Finding, Severity};

/// Counts findings and hands them on.
pub(super) struct Report<'s> {
    sink: &'s mut dyn FnMut(Finding),
    pub counts: Counts,
    /// Trees and space may break their rules without being damaged.
    pub dirty: bool,
}

impl<'s> Report<'s> {
    pub(super) fn new(sink: &'s mut dyn FnMut(Finding), dirty: bool) -> Self {
        Self { sink, counts: Counts::default(), dirty }
    }
    pub(super) fn finding(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Error => self.counts.errors += 1,
            Severity::Warning => self.counts.warnings += 1,
            Severity::Note => self.counts.notes += 1,
        }
        (self.sink)(finding);
    }
    /// Damage of a page itself: an error whatever the database's state.
    pub(super) fn page(&mut self, error: Error) {
        self.finding(error.finding());
    }
    /// A broken rule of trees, space or content.
    pub(super) fn rule(&mut self, error: Error) {
        let severity = if self.dirty { Severity::Warning } else { Severity::Error };
        self.finding(error.finding_of(severity));
    }
}
