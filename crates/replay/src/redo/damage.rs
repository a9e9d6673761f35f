//! Pages that replay needs and cannot use: all of them are named before the run is refused.
//!
//! Microsoft's engine stops at the first. Here the records of such a page are passed over, so that one run finds every bad page; what
//! comes of that is published only where the user asked for it.

use super::Redo;
use crate::error::{ReplayError, Result};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{DatabaseId, LogPosition, PageNumber};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A page that a record or an undo needs, and that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPage {
    /// The file.
    pub database: PathBuf,
    /// The page.
    pub page: PageNumber,
    /// What Microsoft's engine calls it.
    pub jet: JetCode,
    /// The first record that met it.
    pub position: LogPosition,
    /// What is wrong, in words.
    pub reason: String,
}

/// The bad pages of a run.
#[derive(Debug, Default)]
pub(super) struct Damage {
    found: Vec<BadPage>,
    /// Whose records are passed over: a page that is made anew later is none of them any more.
    passed_over: BTreeSet<(DatabaseId, PageNumber)>,
}

impl Damage {
    pub(super) fn passes_over(&self, database: DatabaseId, page: PageNumber) -> bool {
        !self.passed_over.is_empty() && self.passed_over.contains(&(database, page))
    }
    pub(super) fn made_anew(&mut self, database: DatabaseId, page: PageNumber) {
        if !self.passed_over.is_empty() {
            self.passed_over.remove(&(database, page));
        }
    }
}

/// Errors that say that a page is bad, or that a write to it was lost; others say that files do not belong together.
pub(crate) fn is_damage(jet: JetCode) -> bool {
    [
        JetCode::READ_VERIFY_FAILURE,
        JetCode::READ_PGNO_VERIFY_FAILURE,
        JetCode::PAGE_NOT_INITIALIZED,
        JetCode::FILE_IO_BEYOND_EOF,
        JetCode::DB_TIME_TOO_OLD,
        JetCode::RECOVERY_VERIFY_FAILURE,
    ]
    .contains(&jet)
}

impl Redo {
    /// The bad pages met so far, in the order in which records met them.
    #[must_use]
    pub fn bad_pages(&self) -> &[BadPage] {
        &self.damage.found
    }

    /// Notes the page of an error, and lets replay go on without it.
    ///
    /// # Errors
    /// The error, where it is not about a page that is bad.
    pub(crate) fn pass_over(&mut self, database: DatabaseId, error: ReplayError) -> Result<()> {
        let Some(page) = error.page.filter(|_| is_damage(error.jet)) else { return Err(error) };
        self.note_bad(database, page, &error);
        Ok(())
    }

    pub(crate) fn note_bad(&mut self, database: DatabaseId, page: PageNumber, error: &ReplayError) {
        let name = self.databases.get(&database).map(|database| PathBuf::from(&database.name)).unwrap_or_default();
        if self.damage.passed_over.insert((database, page))
            && !self.damage.found.iter().any(|bad| bad.page == page && bad.database == name)
        {
            self.damage.found.push(BadPage {
                database: name,
                page,
                jet: error.jet,
                position: error.position.unwrap_or(self.position),
                reason: error.to_string(),
            });
        }
    }

    /// Changes that must be taken back although neither page nor log holds what was there before: Microsoft's engine takes it for
    /// granted that there are none (`log-4 §7.4`).
    pub fn note_missing_before_images(&mut self) {
        for (_, version, deferred) in self.without_before_image().collect::<Vec<_>>() {
            let reason = format!(
                "page {} holds a change of a transaction that must be rolled back (version {version}), and the log has no before image of it",
                deferred.page
            );
            let error = ReplayError::new(JetCode::DATABASE_CORRUPTED, reason).at(deferred.position);
            self.note_bad(deferred.database, deferred.page, &error);
        }
    }

    /// The refusal of a run that met bad pages: the code is that of the first, as with Microsoft's engine, and every page is named.
    #[must_use]
    pub fn refusal(&self) -> Option<ReplayError> {
        let first = self.damage.found.first()?;
        let others = self.damage.found.len() - 1;
        let reason = match others {
            0 => first.reason.clone(),
            _ => format!("{} (and {others} more bad pages)", first.reason),
        };
        let error = ReplayError::new(first.jet, reason).page(first.page).at(first.position);
        Some(error.in_file(first.database.display().to_string()))
    }
}
