//! `anchorlog purge`: logs that nothing needs and that a proved set holds go into quarantine.

use super::chain::{DAY, look, policy};
use crate::args::backup::PurgeArguments;
use crate::exit::{Exit, Trouble};
use crate::{Outcome, interrupt, now, render};
use anchorlog_operations::purge::{self, Options, Pressure};
use serde_json::json;
use std::io::{self, Write as _};

pub fn run(arguments: &PurgeArguments, as_json: bool) -> Outcome {
    let (sources, history) = look(&arguments.of)?;
    let now = now::log_time(jiff::Timestamp::now()).into();
    let folder = &arguments.of.folder;
    let failed = |error: io::Error| Trouble::reading(folder, &error);
    let mut out = io::stdout().lock();
    if arguments.release {
        let released = purge::release(folder, arguments.quarantine.as_deref(), &history, now).map_err(failed)?;
        if as_json {
            writeln!(out, "{}", json!({ "released": released }))?;
        } else {
            write!(out, "{}", render::purge::released(&released))?;
        }
        return Ok(Exit::Done);
    }
    let plan = purge::plan(&sources, &history, &options(arguments), now);
    if arguments.dry_run {
        if as_json {
            writeln!(out, "{}", json!({ "plan": plan }))?;
        } else {
            write!(out, "{}", render::purge::plan(&plan))?;
        }
        return Ok(Exit::Done);
    }
    interrupt::careful();
    let report = purge::make(&plan, &now::ambient(), &mut |_| !interrupt::asked()).map_err(failed)?;
    let complete = report.stopped.is_none() && plan.wanting == 0;
    if as_json {
        writeln!(out, "{}", json!({ "plan": plan, "report": report }))?;
    } else {
        write!(out, "{}", render::purge::report(&plan, &report))?;
    }
    Ok(if complete { Exit::Done } else { Exit::Findings })
}

fn options(arguments: &PurgeArguments) -> Options {
    Options {
        policy: policy(&arguments.of),
        hold: i64::from(arguments.hold_days) * DAY,
        quarantine: arguments.quarantine.clone(),
        pressure: arguments
            .free
            .map(|mebibytes| Pressure { bytes: mebibytes.saturating_mul(1 << 20), accepted: arguments.accept }),
    }
}
