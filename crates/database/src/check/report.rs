//! Where findings go: first into the order of the work that made them, then out.

use super::{Counts, Watch};
use crate::error::Error;
use anchorlog_format::finding::{Finding, Place, Severity};
use std::collections::VecDeque;

/// Findings that one piece of work keeps; a page that is nothing but damage would otherwise make one for each byte.
const MOST: usize = 1000;

/// The findings of one piece of work, in order.
#[derive(Debug)]
pub(super) struct Findings {
    /// Trees and space may break their rules without being damaged.
    dirty: bool,
    list: VecDeque<Finding>,
    /// Findings beyond those that are kept, by severity.
    more: [u64; 3],
    /// A page could not be had, or a rule of trees, space or content is broken.
    broken: bool,
}

impl Findings {
    pub(super) fn new(dirty: bool) -> Self {
        Self { dirty, list: VecDeque::new(), more: [0; 3], broken: false }
    }
    pub(super) fn add(&mut self, finding: Finding) {
        if self.list.len() < MOST {
            self.list.push_back(finding);
        } else {
            self.more[slot(finding.severity)] += 1;
        }
    }
    /// Damage of a page itself: an error whatever the database's state.
    pub(super) fn page(&mut self, error: &Error) {
        self.broken = true;
        self.add(error.finding());
    }
    /// A broken rule of trees, space or content.
    pub(super) fn rule(&mut self, error: &Error) {
        self.broken = true;
        let severity = if self.dirty { Severity::Warning } else { Severity::Error };
        self.add(error.finding_of(severity));
    }
    /// Whether what was looked at is damaged or could not be read.
    pub(super) const fn broken(&self) -> bool {
        self.broken
    }
    pub(super) fn append(&mut self, other: Self) {
        self.broken |= other.broken;
        for finding in other.list {
            self.add(finding);
        }
        for (more, others) in self.more.iter_mut().zip(other.more) {
            *more += others;
        }
    }
}

const fn slot(severity: Severity) -> usize {
    match severity {
        Severity::Note => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
    }
}

/// Counts findings and hands them on.
pub(super) struct Report<'s> {
    watch: &'s mut dyn Watch,
    pub counts: Counts,
    pub dirty: bool,
    place: Place,
}

impl<'s> Report<'s> {
    pub(super) fn new(watch: &'s mut dyn Watch, dirty: bool, place: Place) -> Self {
        Self { watch, counts: Counts::default(), dirty, place }
    }
    /// An empty list of findings that is to go into this report.
    pub(super) fn findings(&self) -> Findings {
        Findings::new(self.dirty)
    }
    pub(super) fn take(&mut self, findings: Findings) {
        for finding in findings.list {
            self.add(finding);
        }
        let more: u64 = findings.more.iter().sum();
        if more > 0 {
            let [notes, warnings, errors] = findings.more;
            self.counts.notes += notes;
            self.counts.warnings += warnings;
            self.counts.errors += errors;
            (self.watch).finding(Finding::note(self.place.clone(), format!("{more} more findings of this kind and place")));
        }
    }
    pub(super) fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Error => self.counts.errors += 1,
            Severity::Warning => self.counts.warnings += 1,
            Severity::Note => self.counts.notes += 1,
        }
        self.watch.finding(finding);
    }
    pub(super) fn progress(&mut self, phase: &'static str, done: u64, total: u64) -> bool {
        self.watch.progress(phase, done, total)
    }
}
