//! The one way in which anything is reported wrong: by verify, by a plan's checks, by recovery.

use crate::jet::JetCode;
use crate::units::{LogPosition, PageNumber};
use serde::Serialize;
use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing: nothing is wrong, or only what Microsoft's tools do not mention (leaked space, for example).
    Note,
    /// Not as it should be, but no data is at stake: Microsoft's own clean files have such (values that nothing refers to, for example).
    Warning,
    /// Breaks the verdict.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Where a finding lies; what is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// File, as the user named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Page of a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<PageNumber>,
    /// Line (node) on that page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u16>,
    /// Byte offset in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Position in the log stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<LogPosition>,
    /// Table, index or other object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

impl Place {
    /// A file as a whole.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: Some(file.into()), ..Self::default() }
    }
    /// The same place, narrowed to a page.
    #[must_use]
    pub fn page(mut self, page: PageNumber) -> Self {
        self.page = Some(page);
        self
    }
    /// The same place, narrowed to a line.
    #[must_use]
    pub fn line(mut self, line: u16) -> Self {
        self.line = Some(line);
        self
    }
    /// The same place, narrowed to a byte offset.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
    /// The same place, narrowed to a log position.
    #[must_use]
    pub fn position(mut self, position: LogPosition) -> Self {
        self.position = Some(position);
        self
    }
    /// The same place, narrowed to a table, index or other object.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(file) = &self.file {
            parts.push(file.clone());
        }
        if let Some(object) = &self.object {
            parts.push(object.clone());
        }
        if let Some(page) = self.page {
            parts.push(format!("page {page}"));
        }
        if let Some(line) = self.line {
            parts.push(format!("line {line}"));
        }
        if let Some(position) = self.position {
            parts.push(format!("log position {position}"));
        }
        if let Some(offset) = self.offset {
            parts.push(format!("offset {offset:#x}"));
        }
        f.write_str(&parts.join(", "))
    }
}

/// Something found: how bad, where, Microsoft's code where one exists, what it means, what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The code that Microsoft's engine would give.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jet: Option<JetCode>,
    /// Number of the invariant that is broken (`db-3 §18`), where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// What was found, in one sentence.
    pub message: String,
    /// What to do next; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Finding {
    /// An error with its code; the hint is the code's own.
    #[must_use]
    pub fn error(place: Place, jet: JetCode, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, jet: Some(jet), rule: None, message: message.into(), hint: jet.next().into() }
    }
    /// A warning.
    #[must_use]
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place, jet: None, rule: None, message: message.into(), hint: String::new() }
    }
    /// A note.
    #[must_use]
    pub fn note(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, place, jet: None, rule: None, message: message.into(), hint: String::new() }
    }
    /// The same finding with a code.
    #[must_use]
    pub fn with_jet(mut self, jet: JetCode) -> Self {
        self.jet = Some(jet);
        self
    }
    /// The same finding with the number of the invariant that is broken.
    #[must_use]
    pub const fn with_rule(mut self, rule: &'static str) -> Self {
        self.rule = Some(rule);
        self
    }
    /// The same finding with a hint of its own.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.severity)?;
        if let Some(jet) = self.jet {
            write!(f, " {jet}")?;
        }
        write!(f, ": {}: {}", self.place, self.message)?;
        if let Some(rule) = self.rule {
            write!(f, " [{rule}]")?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n  next: {}", self.hint)?;
        }
        Ok(())
    }
}
