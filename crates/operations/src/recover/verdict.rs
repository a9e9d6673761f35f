//! What becomes of a database: one of six verdicts.

use serde::Serialize;
use std::fmt;

/// The verdict of one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Verdict {
    /// Its logs were applied, and it is clean.
    #[serde(rename = "recovered")]
    Recovered,
    /// It was clean, and no log had to be applied.
    #[serde(rename = "already clean")]
    AlreadyClean,
    /// Its logs were applied, and it stays dirty because that was asked for.
    #[serde(rename = "replayed, stays dirty as asked")]
    StaysDirty,
    /// It is clean, and transactions were given up by consent.
    #[serde(rename = "recovered, loss accepted")]
    LossAccepted,
    /// It is clean, and damaged pages were kept by consent.
    #[serde(rename = "recovered, damage kept")]
    DamageKept,
    /// Nothing was done with it.
    #[serde(rename = "refused")]
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
