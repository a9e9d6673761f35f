//! `anchorlog restore`: sets of a vault, and online backup sets in folders.

use super::vault::{find, open, trouble};
use crate::Outcome;
use crate::args::Target as Stop;
use crate::args::restore::{RestoreCommand, RestoreOnline, RestoreSet, Roll};
use crate::exit::{Exit, Trouble, told};
use crate::progress::Shown;
use crate::{interrupt, now, render};
use anchorlog_operations::restore::set::{self, Error, Forward, Options, Target};
use anchorlog_operations::restore::{self, Inputs};
use anchorlog_operations::sets::{History, Kind};
use anchorlog_vault::{SetId, Vault};
use serde_json::json;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

pub fn run(command: &RestoreCommand, as_json: bool, quiet: bool) -> Outcome {
    match command {
        RestoreCommand::Set(arguments) => of_vault(arguments, as_json, quiet),
        RestoreCommand::Online(arguments) => online(arguments, as_json, quiet),
        RestoreCommand::Page(arguments) => super::page::run(arguments, as_json, quiet),
    }
}

fn of_vault(arguments: &RestoreSet, as_json: bool, quiet: bool) -> Outcome {
    let vault = open(&arguments.at)?;
    let id = find(&vault, &arguments.set)?;
    let vault: Arc<dyn Vault> = Arc::new(vault);
    let history = History::read(&*vault).map_err(|error| trouble(&error))?;
    let Some(known) = history.sets.iter().find(|set| set.id == id) else {
        let why = history.unreadable.iter().find(|(place, _)| *place == id.to_string()).map_or("", |(_, reason)| reason.as_str());
        let hint = "`anchorlog vault check --data` tells what is damaged; take another set.";
        return Err(Trouble::failed(told(None, format!("set {id} cannot be read: {why}"), hint)));
    };
    if restore::is_online(&history, &id) {
        return online_set(arguments, &vault, &history, &id, as_json, quiet);
    }
    let target = match (&arguments.out, &arguments.over) {
        (_, Some(over)) => Target::Over(over.clone()),
        (Some(out), None) => Target::New(out.clone()),
        (None, None) => return Err(Trouble::usage("no target is named", "Name one with --out or --over.")),
    };
    if !arguments.dry_run && arguments.over.is_some() {
        super::recover::finish_an_interrupted_run(target.path())?;
    }
    let plan = set::plan(&vault, &history, &id, &target, &options(arguments, known.manifest.kind)).map_err(failed)?;
    let mut out = io::stdout().lock();
    if arguments.dry_run || !plan.possible {
        if as_json {
            writeln!(out, "{}", json!({ "plan": plan }))?;
        } else {
            write!(out, "{}", render::restore_set::plan(&plan))?;
        }
        return Ok(if plan.possible { Exit::Done } else { Exit::Refused });
    }
    interrupt::careful();
    let report = set::make(&plan, &now::ambient(), &mut Shown::new(as_json, quiet)).map_err(failed)?;
    if as_json {
        writeln!(out, "{}", json!({ "plan": plan, "report": report }))?;
    } else {
        write!(out, "{}", render::restore_set::report(&report))?;
    }
    Ok(if report.recovery.used_consent() { Exit::Findings } else { Exit::Done })
}

fn options(arguments: &RestoreSet, kind: Kind) -> Options {
    Options {
        databases: arguments.database.clone(),
        without: arguments.without.clone(),
        forward: match arguments.forward {
            Some(Roll::No) => Forward::No,
            Some(Roll::Set) => Forward::Set,
            Some(Roll::All) => Forward::All,
            // Dirty databases are of no use without the logs that lie beside them.
            None if kind == Kind::Snapshot => Forward::Set,
            None => Forward::No,
        },
        logs: arguments.logs.clone(),
        map: arguments.map.clone(),
        stop: match arguments.to {
            Some(Stop::Position(position)) => Some(anchorlog_replay::stop::Stop::from_position(position)),
            _ => None,
        },
        stop_time: match arguments.to {
            Some(Stop::Time(time)) => Some(time),
            _ => None,
        },
        onto: arguments.onto.clone(),
        accept_loss: arguments.accept_loss,
        keep_damage: arguments.keep_damage,
        verify: arguments.verify,
        domain_controller: arguments.domain_controller,
        assume_dismounted: arguments.assume_dismounted,
        cache_bytes: arguments.effort.cache_bytes(),
        threads: arguments.effort.threads(),
        ..Options::default()
    }
}

pub(super) fn failed(error: Error) -> Trouble {
    let (jet, message) = (error.jet(), error.to_string());
    match error {
        Error::Refused(broken) => {
            let next = broken.first().map_or("", |first| first.next.as_str()).to_owned();
            Trouble::refused(told(jet, message, &next))
        }
        Error::Damaged { findings, .. } => Trouble::failed(told(
            jet,
            message,
            "`anchorlog vault check --data` tells what else is damaged; restore from another set.",
        ))
        .because_of(findings),
        Error::Failed { findings, .. } => Trouble::failed(told(jet, message, "")).because_of(findings),
        Error::CutOff(_) => Trouble::cut_off(told(jet, message, "Give the same command again.")),
        Error::Storage(path, error) => Trouble::reading(Path::new(&path), &error),
        Error::Vault(error) => trouble(&error),
        Error::Interrupted => Trouble::interrupted(),
    }
}

/// A set that was made online is recovered from its own range of logs, to their end.
fn online_set(
    arguments: &RestoreSet,
    vault: &Arc<dyn Vault>,
    history: &History,
    id: &SetId,
    as_json: bool,
    quiet: bool,
) -> Outcome {
    let usage = |message: &str, hint: &str| Err(Trouble::usage(message, hint));
    if arguments.onto.is_some() {
        return usage("an online set is read whole: replay changes its pages anyway", "Leave --onto away.");
    }
    let (Some(out), None) = (&arguments.out, &arguments.to) else {
        return usage(
            "the databases of an online set are recovered in a folder of their own, to the end of the logs",
            "Restore it with --out; for an earlier end restore an earlier set, without later logs.",
        );
    };
    let production = match arguments.logs.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        _ => return usage("an online set goes on into the logs of one folder", "Name one folder with --logs."),
    };
    if arguments.forward == Some(Roll::No) {
        return usage(
            "the databases of an online set are of no use without its logs",
            "Leave --forward away, or say set or all.",
        );
    }
    let wanted = restore::Wanted {
        databases: arguments.database.clone(),
        without: arguments.without.clone(),
        later_sets: arguments.forward == Some(Roll::All),
        production,
    };
    let options = restore::Options {
        map: arguments.map.clone(),
        keep_damage: arguments.keep_damage,
        server: now::host(),
        cache_bytes: arguments.effort.cache_bytes(),
        threads: arguments.effort.threads(),
        ..restore::Options::default()
    };
    let plan = restore::stored(vault, history, id, &wanted, out, &options).map_err(|error| super::hard::no_plan(out, error))?;
    carry_out(&plan, arguments.dry_run, as_json, quiet)
}

fn online(arguments: &RestoreOnline, as_json: bool, quiet: bool) -> Outcome {
    let inputs = Inputs { sets: arguments.sets.clone(), production: arguments.production.clone() };
    let options = restore::Options {
        last_set: arguments.last_set,
        map: arguments.map.clone(),
        only_mapped: arguments.only_mapped,
        closed_logs_only: arguments.closed_logs_only,
        keep_damage: arguments.keep_damage,
        annotation: arguments.annotation.clone(),
        server: now::host(),
        cache_bytes: arguments.effort.cache_bytes(),
        threads: arguments.effort.threads(),
        ..restore::Options::default()
    };
    if !arguments.dry_run && arguments.out.is_dir() {
        super::recover::finish_an_interrupted_run(&arguments.out)?;
    }
    let plan = restore::online(&inputs, &arguments.out, &options).map_err(|error| super::hard::no_plan(&arguments.out, error))?;
    carry_out(&plan, arguments.dry_run, as_json, quiet)
}

fn carry_out(plan: &restore::Plan, dry_run: bool, as_json: bool, quiet: bool) -> Outcome {
    let mut out = io::stdout().lock();
    if dry_run || !plan.possible {
        super::hard::show_plan(plan, as_json, &mut out)?;
        return Ok(if plan.possible { Exit::Done } else { Exit::Refused });
    }
    interrupt::careful();
    let report = restore::make(plan, &now::ambient(), &mut Shown::new(as_json, quiet)).map_err(super::recover::trouble)?;
    super::hard::show_report(plan, &report, as_json, &mut out)?;
    let used_consent = report.recovery.as_ref().is_some_and(anchorlog_operations::recover::Report::used_consent);
    Ok(if used_consent { Exit::Findings } else { Exit::Done })
}
