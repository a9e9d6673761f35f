//! What stops a replay.

use crate::apply::ApplyError;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{LogPosition, PageNumber};
use std::fmt;

/// An error of redo, undo or the end of recovery: the code that Microsoft's engine gives, where, and why.
#[derive(Debug)]
pub struct ReplayError {
    /// The code.
    pub jet: JetCode,
    /// What happened.
    pub reason: String,
    /// The database file or log.
    pub file: Option<String>,
    /// The page.
    pub page: Option<PageNumber>,
    /// The record that met it.
    pub position: Option<LogPosition>,
    /// The error of the storage underneath, where there was one.
    pub source: Option<std::io::Error>,
}

/// What the engine calls an internal error: records that no engine writes together.
pub(crate) const INTERNAL_ERROR: JetCode = JetCode(-107);

/// Result of replay.
pub type Result<T> = std::result::Result<T, ReplayError>;

impl ReplayError {
    /// An error without a place yet.
    #[must_use]
    pub fn new(jet: JetCode, reason: impl Into<String>) -> Self {
        Self { jet, reason: reason.into(), file: None, page: None, position: None, source: None }
    }
    /// The same error at a page.
    #[must_use]
    pub fn page(mut self, page: PageNumber) -> Self {
        self.page.get_or_insert(page);
        self
    }
    /// The same error at a record.
    #[must_use]
    pub fn at(mut self, position: LogPosition) -> Self {
        self.position.get_or_insert(position);
        self
    }
    /// The same error in a file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file.get_or_insert(file.into());
        self
    }
    /// The error as a finding.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let place = Place { file: self.file.clone(), page: self.page, position: self.position, ..Place::default() };
        Finding::error(place, self.jet, self.to_string())
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl From<ApplyError> for ReplayError {
    fn from(error: ApplyError) -> Self {
        Self::new(error.jet, error.reason).page(error.page)
    }
}

impl From<std::io::Error> for ReplayError {
    fn from(error: std::io::Error) -> Self {
        let jet = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => JetCode(-1808),
            std::io::ErrorKind::PermissionDenied => JetCode(-1032),
            std::io::ErrorKind::OutOfMemory => JetCode(-1011),
            _ => JetCode(-1022),
        };
        let mut replay = Self::new(jet, "the storage failed");
        replay.source = Some(error);
        replay
    }
}
