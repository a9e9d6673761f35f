//! How one generation continues another (`log-1 §9`).

use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::units::{Generation, LogTime, Signature};

/// What the next generation must join on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLink {
    /// Generation.
    pub generation: Generation,
    /// When it was made.
    pub created: LogTime,
    /// Signature of its stream.
    pub signature: Signature,
    /// XOR of the checksums of its segments; 0 for a legacy log.
    pub accumulated: u64,
}

/// In what a log does not continue the one before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// −530.
    #[error("it belongs to another log stream")]
    Stream,
    /// −515: generations are missing between the two.
    #[error("generation {wanted} is missing: behind generation {} comes {found}", .wanted.0.saturating_sub(1))]
    Generation {
        /// The one that must come.
        wanted: Generation,
        /// The one that comes.
        found: Generation,
    },
    /// −515: it was begun behind a log of the same number that was made at another time.
    #[error(
        "it says that generation {generation} was made at {expected}, but the one at hand was made at {found}: they are of different \
         histories"
    )]
    Time {
        /// The log before.
        generation: Generation,
        /// As the later log says.
        expected: LogTime,
        /// As the earlier one says itself.
        found: LogTime,
    },
    /// −590: it was begun behind another content.
    #[error("it expects other contents of generation {0} than the file at hand has: they are of different histories")]
    Contents(Generation),
}

impl LinkFault {
    /// The engine's code.
    #[must_use]
    pub const fn jet(&self) -> JetCode {
        match self {
            Self::Stream => JetCode::BAD_LOG_SIGNATURE,
            Self::Generation { .. } | Self::Time { .. } => JetCode::INVALID_LOG_SEQUENCE,
            Self::Contents(_) => JetCode::LOG_SEQUENCE_CHECKSUM_MISMATCH,
        }
    }
}

impl LogLink {
    /// The link that a log offers, read to its end.
    #[must_use]
    pub fn of(log: &LogFile<'_>) -> Self {
        let header = log.header();
        Self {
            generation: header.generation,
            created: header.created,
            signature: header.signature,
            accumulated: log.end().accumulated,
        }
    }
    /// The chain tests of `log-1 §9`, in their order.
    ///
    /// # Errors
    /// The first test that fails.
    pub fn check(&self, next: &LogHeader) -> Result<(), LinkFault> {
        if next.signature != self.signature {
            return Err(LinkFault::Stream);
        }
        let wanted = Generation(self.generation.0.wrapping_add(1));
        if next.generation != wanted {
            return Err(LinkFault::Generation { wanted, found: next.generation });
        }
        // All eight bytes: forks may differ in milliseconds only (trap G11).
        if next.previous_created != self.created {
            let (expected, found) = (next.previous_created, self.created);
            return Err(LinkFault::Time { generation: self.generation, expected, found });
        }
        // The newer log's version decides (trap G12); behind a legacy log the field is 0, as its sum (trap Y19).
        if next.version().has_accumulated_checksum() && next.previous_accumulated != self.accumulated {
            return Err(LinkFault::Contents(self.generation));
        }
        Ok(())
    }
}
