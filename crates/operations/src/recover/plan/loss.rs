//! What would be lost, where the newest logs are missing or cannot be used.

use super::{Options, Sources, walk};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Generation;
use anchorlog_replay::run::{Failure, Report};
use anchorlog_replay::stream::files::StreamFiles;
use serde::Serialize;

/// Generations whose transactions would be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The first generation that is given up: what `--accept-loss` must name.
    pub first: Generation,
    /// The last one of which a database knows; `None` where none knows of any, but the newest log is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Generation>,
    /// Whether the loss was accepted.
    pub accepted: bool,
}

impl Loss {
    /// How many generations a database knows of.
    #[must_use]
    pub const fn count(&self) -> u32 {
        match self.last {
            Some(last) => last.0.saturating_sub(self.first.0).saturating_add(1),
            None => 1,
        }
    }
}

/// What would be lost: told by the run itself, or by a second walk that gives up what can be given up.
pub(super) fn loss_of(
    planned: &Result<Report, Failure>,
    sources: &Sources,
    files: &StreamFiles,
    options: &Options,
) -> Option<Loss> {
    let accepted = options.accept_loss.is_some();
    let other;
    let report = match planned {
        Ok(report) => report,
        Err(_) if accepted => return None,
        // A restore gives nothing up: another copy of the log is looked for.
        Err(_) if options.hard.is_some() => return None,
        Err(failure) if options.stop.is_some() || !is_loss(failure.error.jet) => return None,
        Err(_) => {
            other = walk(sources, files, options, options.of_run(true)).ok()?;
            &other
        }
    };
    if planned.is_ok() && report.warning.is_none() && !accepted {
        return None;
    }
    let last = *report.generations.last()?;
    let first = Generation(last.0.saturating_add(1));
    let known = report.lost.map(|lost| lost.last_committed).filter(|committed| *committed >= first);
    let current_missing = files.current.is_none();
    (known.is_some() || !report.set_aside.is_empty() || current_missing).then_some(Loss { first, last: known, accepted })
}

/// Codes behind which only committed logs may be missing.
fn is_loss(jet: JetCode) -> bool {
    [
        JetCode::MISSING_LOG_FILE,
        JetCode::COMMITTED_LOG_FILES_MISSING,
        JetCode::COMMITTED_LOG_FILE_CORRUPT,
        JetCode::INVALID_LOG_SEQUENCE,
        JetCode::LOG_FILE_CORRUPT,
    ]
    .contains(&jet)
}
