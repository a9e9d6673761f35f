//! `anchorlog backup`: offline, of a snapshot, of logs alone; online sets made elsewhere.

use super::proof_key;
use super::vault::{open, stored, trouble};
use crate::args::backup::{BackupCommand, Common, Files, Import, LogsOnly, OnlineKind};
use crate::exit::{Exit, Trouble, told};
use crate::progress::Bytes;
use crate::{Outcome, interrupt, now, render};
use anchorlog_format::jet::JetCode;
use anchorlog_operations::backup::{self, Around, Commands, Error, Inputs, Options, Plan, Predicate, Report, Sources};
use anchorlog_operations::sets::{History, Kind};
use anchorlog_vault::Vault;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

pub fn run(command: &BackupCommand, as_json: bool, quiet: bool) -> Outcome {
    let common = match command {
        BackupCommand::Offline(offline) => &offline.common,
        BackupCommand::Snapshot(snapshot) => &snapshot.common,
        BackupCommand::Logs(logs) => &logs.common,
        BackupCommand::Import(import) => &import.common,
    };
    let vault = open(&common.at)?;
    let proof_key = proof_key::given(&common.proof_key, &vault)?;
    let free_bytes = vault.free_bytes();
    let vault: Arc<dyn Vault> = Arc::new(vault);
    let (options, inputs) = (Options { proof_key, free_bytes, ..options(command) }, inputs(command));
    let mut shown = Bytes::new(as_json, quiet);
    let around = match command {
        BackupCommand::Snapshot(snapshot) => Some((Around::Snapshot, &snapshot.take, &snapshot.drop)),
        BackupCommand::Offline(offline) => Some((Around::Dismount, &offline.dismount, &offline.mount)),
        BackupCommand::Logs(_) | BackupCommand::Import(_) => None,
    };
    if let Some((around, before, behind)) = around
        && !common.dry_run
        && (before.is_some() || behind.is_some())
    {
        interrupt::careful();
        let mut hooks = Commands { before: before.clone(), behind: behind.clone() };
        return end(backup::run(around, &inputs, &*vault, &options, &mut hooks, &now::ambient(), &mut shown), as_json);
    }
    let (sources, plan) = plan(command, &inputs, &vault, &options)?;
    if let BackupCommand::Logs(_) = command
        && nothing_new(&plan)
    {
        let mut out = io::stdout().lock();
        if as_json {
            writeln!(out, "{}", json!({ "set": null, "plan": plan }))?;
        } else {
            writeln!(out, "Nothing is new: every closed log is stored already.")?;
        }
        return Ok(Exit::Done);
    }
    if common.dry_run || !plan.possible {
        show_plan(&plan, as_json)?;
        return Ok(if plan.possible { Exit::Done } else { Exit::Refused });
    }
    interrupt::careful();
    end(backup::make(&plan, &sources, &*vault, &now::ambient(), &mut shown), as_json)
}

/// The files, and the plan that the command makes of them.
fn plan(command: &BackupCommand, inputs: &Inputs, vault: &Arc<dyn Vault>, options: &Options) -> Result<(Sources, Plan), Trouble> {
    let folder = &inputs.folder;
    let history = || History::read(&**vault).map_err(|error| trouble(&error));
    if let BackupCommand::Import(_) = command {
        let planned = backup::import::plan(folder, vault, &history()?, options);
        return planned.map_err(|error| super::hard::no_plan(folder, error));
    }
    let sources = Sources::gather(inputs).map_err(|error| Trouble::reading(folder, &error))?;
    let history = history()?;
    let plan = match command {
        BackupCommand::Snapshot(_) => {
            backup::snapshot::plan(&sources, &history, options).map_err(|error| super::recover::no_plan(folder, error))?
        }
        BackupCommand::Logs(_) => backup::logs::plan(&sources, &history, options),
        _ => backup::offline::plan(&sources, &history, options),
    };
    Ok((sources, plan))
}

/// Whether there are logs, and no closed one that the vault lacks: for a command that runs every hour that is no failure.
fn nothing_new(plan: &Plan) -> bool {
    let has_stream = plan.predicates.iter().any(|predicate| predicate.id == "P15");
    has_stream && plan.files.is_empty() && plan.refusals().all(|predicate| predicate.id == "set")
}

fn inputs(command: &BackupCommand) -> Inputs {
    let files = match command {
        BackupCommand::Offline(offline) => &offline.files,
        BackupCommand::Snapshot(snapshot) => &snapshot.files,
        BackupCommand::Logs(LogsOnly { folder, .. }) | BackupCommand::Import(Import { folder, .. }) => {
            return Inputs { folder: folder.clone(), ..Inputs::default() };
        }
    };
    let mut folder = files.folder.clone().unwrap_or_default();
    if folder.is_file() {
        // A file stands for the folder that it lies in.
        folder = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => ".".into(),
        };
    }
    Inputs { folder, databases: files.database.clone(), logs: files.logs.clone() }
}

fn options(command: &BackupCommand) -> Options {
    let of = |common: &Common| Options {
        configured: common.configured.clone(),
        bytes_per_second: common.limit.map(|mebibytes| mebibytes.saturating_mul(1 << 20)),
        prove_later: common.prove_later,
        host: now::host(),
        label: common.label.clone(),
        ..Options::default()
    };
    let with =
        |files: &Files, common: &Common| Options { without: files.without.clone(), keep_damage: files.keep_damage, ..of(common) };
    match command {
        BackupCommand::Offline(offline) => Options {
            assume_dismounted: offline.assume_dismounted,
            hash_rows: offline.hash_rows,
            ..with(&offline.files, &offline.common)
        },
        BackupCommand::Snapshot(snapshot) => Options {
            scratch: snapshot.scratch.clone(),
            accept_loss: snapshot.accept_loss,
            ..with(&snapshot.files, &snapshot.common)
        },
        BackupCommand::Logs(logs) => of(&logs.common),
        BackupCommand::Import(import) => Options {
            online_kind: import.kind.map(|kind| match kind {
                OnlineKind::Full => Kind::OnlineFull,
                OnlineKind::Copy => Kind::OnlineCopy,
                OnlineKind::Incremental => Kind::OnlineIncremental,
                OnlineKind::Differential => Kind::OnlineDifferential,
            }),
            scratch: import.scratch.clone(),
            keep_damage: import.keep_damage,
            ..of(&import.common)
        },
    }
}

fn show_plan(plan: &Plan, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if as_json { writeln!(out, "{}", json!({ "plan": plan })) } else { write!(out, "{}", render::backup::plan(plan)) }
}

fn end(made: Result<Report, Error>, as_json: bool) -> Outcome {
    let report = made.map_err(failed)?;
    let good = report.databases.iter().all(|database| database.good);
    let mut out = io::stdout().lock();
    if as_json {
        let databases: Vec<_> = report
            .databases
            .iter()
            .map(|database| json!({ "name": database.name, "good": database.good, "pages": database.pages, "bad_pages": database.bad_pages, "notes": database.notes }))
            .collect();
        let line = json!({ "set": report.set.as_str(), "level": report.level, "bytes": report.bytes, "stored": report.stored,
            "databases": databases, "remarks": report.remarks, "manifest": report.manifest });
        writeln!(out, "{line}")?;
    } else {
        write!(out, "{}", render::backup::report(&report))?;
        writeln!(out, "{}", stored(report.bytes, report.stored))?;
    }
    Ok(if good { Exit::Done } else { Exit::Findings })
}

fn failed(error: Error) -> Trouble {
    match error {
        Error::Refused(broken) => Trouble::refused(broken.first().map_or_else(
            || told(None, "refused", "Run it with --dry-run."),
            |first: &Predicate| told(first.jet, first.to_string(), &first.next),
        )),
        Error::Damaged(_) => Trouble::failed(told(
            Some(JetCode::READ_VERIFY_FAILURE),
            error.to_string(),
            "`anchorlog verify` names every bad page. Restore it from an older set, or back up with --keep-damage as evidence.",
        )),
        Error::Changed(ref predicate) => Trouble::failed(told(predicate.jet, error.to_string(), &predicate.next)),
        Error::NotReadBack(_) => Trouble::failed(told(
            None,
            error.to_string(),
            "The set was forgotten again. `anchorlog vault check --data` tells whether the vault is sound.",
        )),
        Error::Source(path, error) => Trouble::reading(Path::new(&path), &error),
        Error::Vault(error) => trouble(&error),
        Error::Interrupted => Trouble::interrupted(),
    }
}
