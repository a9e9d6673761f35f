//! Why a backup was not made.

use super::predicate::Predicate;
use crate::sets::manifest::Note;
use std::io;

/// Why a backup was not made. Whatever it is: the sources are as they were, and the vault has no set more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Predicates do not hold.
    #[error("{}", first(.0))]
    Refused(Vec<Predicate>),
    /// Pages are damaged, in every database or in a unit that cannot be split.
    #[error("{}", damaged(.0))]
    Damaged(Vec<Note>),
    /// A file changed while it was copied, twice.
    #[error("{0}")]
    Changed(Predicate),
    /// What was stored does not read back as it was read: the set was forgotten again.
    #[error("{0}")]
    NotReadBack(String),
    /// A source cannot be read.
    #[error("{0}: {1}")]
    Source(String, #[source] io::Error),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] anchorlog_vault::Error),
    /// The user interrupted it.
    #[error("interrupted: no set was published")]
    Interrupted,
}

fn first(broken: &[Predicate]) -> String {
    broken.first().map_or_else(String::new, ToString::to_string)
}

fn damaged(notes: &[Note]) -> String {
    let errors: Vec<&Note> = notes.iter().filter(|note| note.is_error()).collect();
    let Some(first) = errors.first() else { return "the files are damaged".into() };
    format!("{} damaged places, the first: {}: {}; no set was published", errors.len(), first.place, first.message)
}
