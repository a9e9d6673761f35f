//! What becomes of a database: one of six verdicts.

use serde::Serialize;
use std::fmt;

/// The verdict of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its logs were applied, and it is clean.
    Recovered,
    /// It was clean, and no log had to be applied.
    AlreadyClean,
    /// Its logs were applied, and it stays dirty because that was asked for.
    StaysDirty,
    /// It is clean, and transactions were given up by consent.
    LossAccepted,
    /// It is clean, and damaged pages were kept by consent.
    DamageKept,
    /// Nothing was done with it.
    Refused,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovered => "recovered",
            Self::AlreadyClean => "already clean",
            Self::StaysDirty => "replayed, stays dirty as asked",
            Self::LossAccepted => "recovered, loss accepted",
            Self::DamageKept => "recovered, damage kept",
            Self::Refused => "refused",
        })
    }
}
