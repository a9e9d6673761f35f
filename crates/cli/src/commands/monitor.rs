//! `anchorlog monitor`: whether the backups are good enough, for programs that watch.

use super::vault::open;
use crate::args::proof::Monitor;
use crate::exit::{Exit, Trouble};
use crate::{Outcome, now, render};
use anchorlog_operations::backup::{Inputs, Sources};
use anchorlog_operations::monitor::{Beside, Policy, State, Watch, watch};
use anchorlog_operations::sets::History;
use anchorlog_vault::restic::Depth;
use serde_json::json;
use std::io::{self, Write as _};

/// Nagios' code for what could not be told.
const UNKNOWN: u8 = 3;

pub fn run(arguments: &Monitor, as_json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    let seconds = jiff::Timestamp::now().as_second();
    let watch = match look(arguments) {
        Ok(watch) => watch,
        Err(why) => {
            match (as_json, arguments.prometheus) {
                (true, _) => writeln!(out, "{}", json!({ "state": "unknown", "reason": why }))?,
                (_, true) => write!(out, "{}", render::monitor::prometheus_unknown(seconds))?,
                _ => writeln!(out, "ANCHORLOG UNKNOWN - {}", render::monitor::one_line(&why))?,
            }
            return Ok(Exit::Nagios(UNKNOWN));
        }
    };
    if as_json {
        writeln!(out, "{}", json!({ "monitor": watch }))?;
    } else if arguments.prometheus {
        write!(out, "{}", render::monitor::prometheus(&watch, seconds))?;
    } else {
        write!(out, "{}", render::monitor::nagios(&watch, arguments, seconds))?;
    }
    Ok(Exit::Nagios(match watch.state {
        State::Ok => 0,
        State::Warning => 1,
        State::Critical => 2,
    }))
}

/// What is found; else why nothing can be told.
fn look(arguments: &Monitor) -> Result<Watch, String> {
    let vault = open(&arguments.at).map_err(Trouble::into_sentence)?;
    let said = |error: anchorlog_vault::Error| error.to_string();
    // Before this program takes its own, which removes those that are stale.
    let locks = vault.locks().map_err(said)?.into_iter().filter(|lock| lock.is_abandoned).map(|lock| lock.told).collect();
    let history = History::read(&vault).map_err(said)?;
    let checked = if arguments.quick { None } else { Some(vault.check(Depth::Metadata).map_err(said)?) };
    let damage = checked.into_iter().flat_map(|report| report.damage).map(|damage| damage.to_string()).collect();
    let gather = |folder: &std::path::PathBuf| {
        Sources::gather(&Inputs { folder: folder.clone(), ..Inputs::default() })
            .map_err(|error| format!("{}: {error}", folder.display()))
    };
    let production = arguments.logs.as_ref().map(gather).transpose()?;
    let policy = Policy {
        max_age: Some(arguments.max_age),
        max_proof_age: arguments.max_proof_age,
        without: arguments.without.clone(),
        key: arguments.expect_key,
    };
    let beside = Beside { production: production.as_ref(), damage, locks };
    Ok(watch(&history, &beside, &policy, now::log_time(jiff::Timestamp::now()).into()))
}
