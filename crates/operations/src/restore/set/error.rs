//! Why a restore was not made.

use crate::backup::Predicate;
use crate::recover::MakeError;
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use std::io;

/// Why a restore was not made. Whatever it is but [`Error::CutOff`]: the target is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Predicates do not hold.
    #[error("{}", .0.first().map_or_else(String::new, ToString::to_string))]
    Refused(Vec<Predicate>),
    /// What the vault gave is not what was stored.
    #[error("set {set}, {stream}: {reason}; nothing was published")]
    Damaged {
        /// The set.
        set: String,
        /// The stream.
        stream: String,
        /// What is wrong, and where.
        reason: String,
        /// Every damaged page that was kept.
        findings: Vec<Finding>,
    },
    /// Replay, proof or publication failed: nothing was published.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
        /// Microsoft's code for it.
        jet: Option<JetCode>,
        /// What was found, where damage is the reason.
        findings: Vec<Finding>,
    },
    /// The publication was begun and could not be completed: the same command, given again, completes it.
    #[error("{0}")]
    CutOff(String),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    Storage(String, #[source] io::Error),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] anchorlog_vault::Error),
    /// The user interrupted it.
    #[error("interrupted: nothing was published, and nothing is left half done")]
    Interrupted,
}

impl From<MakeError> for Error {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Refused { reason, jet, findings } => Self::Failed { reason, jet, findings },
            MakeError::Failed { reason, jet } => Self::Failed { reason, jet, findings: Vec::new() },
            MakeError::CutOff { reason, .. } => Self::CutOff(reason),
            MakeError::Interrupted => Self::Interrupted,
        }
    }
}

impl Error {
    /// Microsoft's code for it, where there is one.
    #[must_use]
    pub fn jet(&self) -> Option<JetCode> {
        match self {
            Self::Refused(predicates) => predicates.iter().find_map(|predicate| predicate.jet),
            Self::Damaged { .. } => Some(JetCode::READ_VERIFY_FAILURE),
            Self::Failed { jet, .. } => *jet,
            _ => None,
        }
    }
}

pub(in crate::restore) fn storage(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |error| if error.kind() == io::ErrorKind::Interrupted { Error::Interrupted } else { Error::Storage(what, error) }
}
