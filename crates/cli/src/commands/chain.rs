//! `anchorlog chain`: for every log of a folder why it must stay, or why it may go.

use super::vault::{open, trouble};
use crate::args::backup::ChainArguments;
use crate::exit::{Exit, Trouble};
use crate::{Outcome, now, render};
use anchorlog_operations::backup::{Inputs, Sources};
use anchorlog_operations::chain::{Policy, examine};
use anchorlog_operations::sets::History;
use serde_json::json;
use std::io::{self, Write as _};

/// Seconds of a day.
const DAY: i64 = 86_400;

pub fn run(arguments: &ChainArguments, as_json: bool) -> Outcome {
    let vault = open(&arguments.at)?;
    let history = History::read(&vault).map_err(|error| trouble(&error))?;
    let inputs = Inputs { folder: arguments.folder.clone(), databases: Vec::new(), logs: None };
    let sources = Sources::gather(&inputs).map_err(|error| Trouble::reading(&arguments.folder, &error))?;
    let policy = Policy {
        retention: arguments.keep_days.map(|days| i64::from(days) * DAY),
        without: arguments.without.clone(),
        ..Policy::default()
    };
    let now = now::log_time(jiff::Timestamp::now());
    let chain = examine(&sources, &[history], &policy, now.into());
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", json!({ "chain": chain }))?;
    } else {
        write!(out, "{}", render::chain::text(&chain))?;
    }
    Ok(Exit::Done)
}
