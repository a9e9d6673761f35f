//! `anchorlog recover DIR --out DIR2`

use crate::Outcome;
use crate::args::{Recover, Target};
use crate::exit::{Exit, Trouble, told};
use crate::progress::Shown;
use crate::{interrupt, now, render};
use anchorlog_format::units::Generation;
use anchorlog_operations::recover::{Inputs, MakeError, Options, Place, Plan, PlanError, Report, Sources, make, plan};
use anchorlog_replay::stop::Stop;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

pub fn run(arguments: &Recover, as_json: bool, quiet: bool) -> Outcome {
    if arguments.hard {
        return super::hard::run(arguments, as_json, quiet);
    }
    let (folder, logs) = match (&arguments.folder, &arguments.logs) {
        (Some(folder), logs) => (folder.clone(), logs.clone()),
        // Without a folder that of the logs is the one, and the databases lie elsewhere.
        (None, logs) => (logs.clone().unwrap_or_default(), None),
    };
    if let Some(out) = &arguments.out {
        outside(out, &folder)?;
    }
    if arguments.in_place && !arguments.dry_run {
        finish_an_interrupted_run(&folder)?;
    }
    let inputs = Inputs { folder: folder.clone(), databases: arguments.database.clone(), logs };
    let sources = Sources::gather(&inputs).map_err(|error| Trouble::reading(&folder, &error))?;
    let mut planned = plan(&sources, &options(arguments)).map_err(|error| no_plan(&folder, error))?;
    let place = match &arguments.out {
        Some(out) => Place::Out(out.clone()),
        None => Place::InPlace(folder),
    };
    if arguments.out.is_some() || arguments.in_place {
        planned.look_at(&place, &sources);
    }
    let mut out = io::stdout().lock();
    if arguments.dry_run || !planned.possible {
        show_plan(&planned, as_json, &mut out)?;
        return Ok(if planned.possible { Exit::Done } else { Exit::Refused });
    }
    interrupt::careful();
    let report = make(&planned, &sources, &place, &now::ambient(), &mut Shown::new(as_json, quiet)).map_err(trouble)?;
    show_report(&planned, &report, as_json, &mut out)?;
    Ok(if report.used_consent() { Exit::Findings } else { Exit::Done })
}

fn options(arguments: &Recover) -> Options {
    Options {
        without_undo: arguments.without_undo,
        accept_loss: arguments.accept_loss.map(Generation),
        max_lost_logs: arguments.max_lost_logs,
        stop: match arguments.to {
            Some(Target::Position(position)) => Some(Stop::from_position(position)),
            _ => None,
        },
        stop_time: match arguments.to {
            Some(Target::Time(time)) => Some(time),
            _ => None,
        },
        map: arguments.map.clone(),
        ignore_missing_database: arguments.ignore_missing_database,
        no_create: arguments.no_create,
        keep_damage: arguments.keep_damage,
        cache_bytes: arguments.effort.cache_bytes(),
        threads: arguments.effort.threads(),
        ..Options::default()
    }
}

/// A result inside its own source would become part of the next run's input.
pub(super) fn outside(out: &Path, folder: &Path) -> Result<(), Trouble> {
    let (Ok(out), Ok(folder)) = (std::path::absolute(out), folder.canonicalize()) else { return Ok(()) };
    // The target does not exist yet: what exists of its path is made real.
    let existing = out.ancestors().find_map(|place| place.canonicalize().ok());
    if existing.is_some_and(|existing| existing.starts_with(&folder)) {
        let message = format!("{} lies inside {}", out.display(), folder.display());
        return Err(Trouble::usage(message, "Name a place outside of it, or use --in-place."));
    }
    Ok(())
}

/// A publication in place that a crash cut off is completed before anything else looks at the files.
pub(super) fn finish_an_interrupted_run(folder: &Path) -> Result<(), Trouble> {
    let finished = anchorlog_storage::publish::finish_interrupted(folder).map_err(|error| Trouble::reading(folder, &error))?;
    if finished {
        eprintln!("an earlier recovery of {} that was cut off while it was published is complete now", folder.display());
    }
    anchorlog_storage::publish::remove_leftovers(folder).map_err(|error| Trouble::reading(folder, &error))?;
    Ok(())
}

pub fn no_plan(folder: &Path, error: PlanError) -> Trouble {
    match error {
        PlanError::SeveralStreams(_) => {
            Trouble::usage(error.to_string(), "Name the folder of the logs with --logs, or a folder of one stream.")
        }
        PlanError::Storage(error) => Trouble::reading(folder, &error),
    }
}

pub(super) fn trouble(error: MakeError) -> Trouble {
    match error {
        MakeError::Refused { reason, jet, findings } => Trouble::refused(told(jet, reason, "")).because_of(findings),
        MakeError::Failed { reason, jet } => Trouble::failed(told(jet, reason, "")),
        MakeError::CutOff { reason, jet } => Trouble::cut_off(told(jet, reason, "")),
        MakeError::Interrupted => Trouble::interrupted(),
    }
}

fn show_plan(planned: &Plan, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    if as_json {
        return writeln!(out, "{}", json!({ "plan": planned }));
    }
    write!(out, "{}", render::recover::plan(planned))
}

fn show_report(planned: &Plan, report: &Report, as_json: bool, out: &mut dyn Write) -> io::Result<()> {
    if as_json {
        return writeln!(out, "{}", json!({ "plan": planned, "report": report }));
    }
    write!(out, "{}{}", render::recover::report(report), render::recover::warnings(planned))
}
