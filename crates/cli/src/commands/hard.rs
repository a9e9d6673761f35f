//! `anchorlog recover --hard DIR`

use super::recover::{finish_an_interrupted_run, outside, trouble};
use crate::Outcome;
use crate::args::Recover;
use crate::exit::{Exit, Trouble};
use crate::progress::Shown;
use crate::{interrupt, now, render};
use anchorlog_operations::restore::environment::EnvironmentError;
use anchorlog_operations::restore::{Options, Plan, PlanError, Report, make, waiting};
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

pub fn run(arguments: &Recover, as_json: bool, quiet: bool) -> Outcome {
    let folder = arguments.folder.clone().unwrap_or_default();
    if let Some(out) = &arguments.out {
        outside(out, &folder)?;
    } else if !arguments.dry_run {
        finish_an_interrupted_run(&folder)?;
    }
    let planned = waiting(&folder, arguments.production.as_deref(), arguments.out.as_deref(), &options(arguments))
        .map_err(|error| no_plan(&folder, error))?;
    let mut out = io::stdout().lock();
    if arguments.dry_run || !planned.possible {
        show_plan(&planned, as_json, &mut out)?;
        return Ok(if planned.possible { Exit::Done } else { Exit::Refused });
    }
    interrupt::careful();
    let report = make(&planned, &now::ambient(), &mut Shown::new(as_json, quiet)).map_err(trouble)?;
    show_report(&planned, &report, as_json, &mut out)?;
    let used_consent = report.recovery.as_ref().is_some_and(anchorlog_operations::recover::Report::used_consent);
    Ok(if used_consent { Exit::Findings } else { Exit::Done })
}

fn options(arguments: &Recover) -> Options {
    Options {
        last_set: true,
        map: arguments.map.clone(),
        closed_logs_only: arguments.closed_logs_only,
        keep_damage: arguments.keep_damage,
        cache_bytes: arguments.effort.cache_bytes(),
        threads: arguments.effort.threads(),
        ..Options::default()
    }
}

pub(super) fn no_plan(folder: &Path, error: PlanError) -> Trouble {
    match error {
        PlanError::Storage(error) => Trouble::reading(folder, &error),
        PlanError::Environment(_, EnvironmentError::Missing) => Trouble::usage(
            format!("{} has no Restore.env: no restore waits there", folder.display()),
            "To recover an online backup set itself, say with --out where the result goes.",
        ),
        PlanError::Environment(..) => {
            let hint = "Restore the sets anew, or name a place with --out and move the damaged Restore.env away: headers say what is needed.";
            Trouble::usage(error.to_string(), hint)
        }
        PlanError::Set(_) => Trouble::usage(error.to_string(), "`anchorlog sets ls` lists the sets, `sets cat` what is in one."),
        PlanError::Finished { .. } => Trouble::usage(error.to_string(), "The databases in it are clean: nothing is left to do."),
    }
}

pub(super) fn show_plan(planned: &Plan, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    if as_json {
        return writeln!(out, "{}", json!({ "plan": planned }));
    }
    write!(out, "{}", render::restore::plan(planned))
}

pub(super) fn show_report(planned: &Plan, report: &Report, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    if as_json {
        return writeln!(out, "{}", json!({ "plan": planned, "report": report }));
    }
    write!(out, "{}", render::restore::report(report))
}
