//! `anchorlog chain`: for every log of a folder why it must stay, or why it may go.

use super::vault::{open, trouble};
use crate::args::backup::Logs;
use crate::exit::{Exit, Trouble};
use crate::{Outcome, now, render};
use anchorlog_operations::backup::{Inputs, Sources};
use anchorlog_operations::chain::{Policy, examine};
use anchorlog_operations::sets::History;
use serde_json::json;
use std::io::{self, Write as _};

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

pub fn run(logs: &Logs, as_json: bool) -> Outcome {
    let (sources, history) = look(logs)?;
    let chain = examine(&sources, &history, &policy(logs), now::log_time(jiff::Timestamp::now()).into());
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", json!({ "chain": chain }))?;
    } else {
        write!(out, "{}", render::chain::text(&chain))?;
    }
    Ok(Exit::Done)
}

/// The files of the folder, and the sets of the vault.
pub(super) fn look(logs: &Logs) -> Result<(Sources, [History; 1]), Trouble> {
    let vault = open(&logs.at)?;
    let history = History::read(&vault).map_err(|error| trouble(&error))?;
    let inputs = Inputs { folder: logs.folder.clone(), ..Inputs::default() };
    let sources = Sources::gather(&inputs).map_err(|error| Trouble::reading(&logs.folder, &error))?;
    Ok((sources, [history]))
}

/// What must hold before a log may go.
pub(super) fn policy(logs: &Logs) -> Policy {
    Policy { retention: logs.keep_days.map(|days| i64::from(days) * DAY), without: logs.without.clone(), ..Policy::default() }
}
