//! Stops: a time becomes a position, and what is newer than a stop stands in its way.

use super::{Options, Precondition, Sources};
use crate::identify::Content;
use anchorlog_format::database::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, Signature};
use anchorlog_replay::logs::Logs;
use anchorlog_replay::run::Failure;
use anchorlog_replay::stop::{Reached, Stop, position_at_time};
use anchorlog_replay::stream::files::StreamFiles;

/// A time becomes a position.
pub(super) fn with_stop(
    sources: &Sources,
    files: &StreamFiles,
    options: &Options,
    conditions: &mut Vec<Precondition>,
    notes: &mut Vec<String>,
) -> Options {
    let mut options = options.clone();
    let Some(time) = options.stop_time.take() else { return options };
    match position_at_time(&Logs { folder: sources.folder(), files: files.clone() }, time) {
        Ok(moment) => match moment.next {
            // What was begun before the time and ended after it is not certain.
            Some(next) => {
                options.stop = Some(moment.stop);
                let written = moment.written;
                notes.push(format!(
                    "{time} lies between {written} and {next} of the logs: replay stops at the earlier of the two"
                ));
            }
            None => notes.push(format!(
                "the logs end before {time} (the last time in them is {}): all of them are replayed",
                moment.written
            )),
        },
        Err(error) => {
            let rule = "the logs reach back to the time of the stop";
            conditions.push(Precondition { id: "time", rule, holds: false, found: error.reason, jet: None });
        }
    }
    options
}

/// What a plan cannot tell of a stop: it reads no pages.
pub(super) fn note_on_stop(sources: &Sources, signature: &Signature, stop: Generation, notes: &mut Vec<String>) {
    let may_be_newer = sources.iter().filter(|source| match &source.identified.content {
        Content::Database { page, .. } => {
            page.header.log_signature == *signature
                && page.header.state != DatabaseState::CleanShutdown
                && page.header.max_required >= stop
        }
        _ => false,
    });
    notes.extend(may_be_newer.map(|source| {
        format!(
            "{} may hold changes from behind the stop: its pages tell when they are read, and the run refuses then and names the \
             earliest position to which it can be brought",
            source.identified.path.display()
        )
    }));
}

const STOP_RULE: &str = "no database holds changes from behind the stop";

pub(super) fn stop_condition(failure: &Failure) -> Precondition {
    Precondition { id: "stop", rule: STOP_RULE, holds: false, found: failure.error.reason.clone(), jet: Some(failure.error.jet) }
}

/// Of the databases that were closed behind the stop the one that was closed last.
pub(super) fn closed_behind(sources: &Sources, signature: &Signature, stop: Stop) -> Option<Precondition> {
    let closed = sources.iter().filter_map(|source| match &source.identified.content {
        Content::Database { page, .. } if page.header.log_signature == *signature => {
            Some((page.header.consistent_position, &source.identified.path))
        }
        _ => None,
    });
    let (earliest, path) = closed.filter(|(position, _)| stop.reached(*position) == Reached::Behind).max()?;
    let found = format!(
        "{} was closed behind the stop: the earliest position to which it can be brought is {earliest}; for an earlier one an older \
         copy is needed",
        path.display()
    );
    Some(Precondition { id: "stop", rule: STOP_RULE, holds: false, found, jet: Some(JetCode::RECOVERED_WITHOUT_UNDO) })
}
