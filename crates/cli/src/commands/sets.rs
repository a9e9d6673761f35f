//! `anchorlog sets`: what is in a vault.

use super::vault::{find, open, trouble};
use crate::args::life::Noted;
use crate::args::vault::{SetsCat, SetsCommand, SetsLs};
use crate::exit::{Exit, Trouble};
use crate::{Outcome, render};
use anchorlog_operations::sets::{self, History, Reaches};
use anchorlog_vault::restic::ResticVault;
use anchorlog_vault::{Hold, Name, SetId, Vault as _};
use jiff::Timestamp;
use serde_json::json;
use std::io::{self, Write as _};

/// Bytes read at once.
const READ: usize = 1 << 20;

pub fn run(command: &SetsCommand, as_json: bool) -> Outcome {
    match command {
        SetsCommand::Ls(ls) => list(ls, as_json),
        SetsCommand::Cat(cat) => write_out(cat),
        SetsCommand::Label(label) => {
            let text = &label.text;
            note(&label.noted, "label", text, as_json, |vault, set| sets::label(vault, set, text))
        }
        SetsCommand::Hold(asked) => {
            if let Some(until) = asked.until.filter(|until| *until <= Timestamp::now()) {
                return Err(Trouble::usage(format!("{until} is over already"), "Name a later time, or none."));
            }
            let hold = Hold { until: asked.until, reason: asked.reason.clone() };
            note(&asked.noted, "hold", &hold.to_string(), as_json, |vault, set| sets::hold(vault, set, Some(&hold)))
        }
        SetsCommand::Release(release) => {
            note(&release.noted, "release", "it may be forgotten", as_json, |vault, set| sets::hold(vault, set, None))
        }
    }
}

/// Notes something of a set. `what`: what it is called in JSON; `said`: what it comes to.
fn note(
    noted: &Noted,
    what: &str,
    said: &str,
    as_json: bool,
    act: impl FnOnce(&ResticVault, &SetId) -> anchorlog_vault::Result<()>,
) -> Outcome {
    let vault = open(&noted.at)?;
    let set = find(&vault, &noted.set)?;
    if !noted.dry_run {
        act(&vault, &set).map_err(|error| trouble(&error))?;
    }
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", json!({ "set": set.as_str(), what: said, "dry_run": noted.dry_run }))?;
    } else {
        let would = if noted.dry_run { "would be noted of " } else { "" };
        writeln!(out, "{would}set {set}: {what}: {said}")?;
    }
    Ok(Exit::Done)
}

fn list(ls: &SetsLs, as_json: bool) -> Outcome {
    let vault = open(&ls.at)?;
    let history = History::read(&vault).map_err(|error| trouble(&error))?;
    let mut out = io::stdout().lock();
    let (mut reaches, now) = (Reaches::default(), Timestamp::now());
    for set in &history.sets {
        let reach = reaches.of(&history, set);
        if as_json {
            let made = Timestamp::from_millisecond(set.summary.made.time).ok().map(|time| time.to_string());
            let bytes: u64 = set.manifest.files.iter().map(|file| file.size).sum();
            let hold = set.hold.as_ref().filter(|hold| hold.is_in_effect(now));
            let line = json!({ "set": set.id.as_str(), "made": made, "label": set.label, "hold": hold, "proved": set.proved,
                "proof": set.best_proof(), "proofs": set.proofs, "bytes": bytes, "stored": set.manifest.stored, "restorable": reach,
                "ends": set.ends, "manifest": set.manifest });
            writeln!(out, "{line}")?;
        } else {
            write!(out, "{}", render::sets::line(set, &reach, now))?;
        }
    }
    for (place, reason) in &history.unreadable {
        if as_json {
            writeln!(out, "{}", json!({ "damage": { "place": place, "reason": reason } }))?;
        } else {
            writeln!(out, "damaged: {place}: {reason}")?;
        }
    }
    if history.sets.is_empty() && history.unreadable.is_empty() && !as_json {
        writeln!(out, "no sets yet: `anchorlog backup` makes them")?;
    }
    Ok(if history.unreadable.is_empty() { Exit::Done } else { Exit::Findings })
}

fn write_out(cat: &SetsCat) -> Outcome {
    let vault = open(&cat.at)?;
    let set = find(&vault, &cat.set)?;
    let mut out = io::stdout().lock();
    let Some(file) = &cat.file else {
        let manifest = vault.manifest(&set).map_err(|error| trouble(&error))?;
        out.write_all(&manifest)?;
        writeln!(out)?;
        return Ok(Exit::Done);
    };
    let name = Name::new(file).ok_or_else(|| Trouble::usage(format!("{file} is no name of a file"), "`sets ls` names them."))?;
    let stream = vault.open_stream(&set, &name).map_err(|error| trouble(&error))?;
    let (mut buffer, mut offset) = (vec![0; READ], 0);
    loop {
        let read = stream.read_at(offset, &mut buffer).map_err(|error| trouble(&error))?;
        if read == 0 {
            break;
        }
        out.write_all(buffer.get(..read).unwrap_or_default())?;
        offset += read as u64;
    }
    Ok(Exit::Done)
}
