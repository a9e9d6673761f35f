//! `anchorlog sets`: what is in a vault.

use super::vault::{find, open, trouble};
use crate::args::vault::{SetsCat, SetsCommand, SetsLs};
use crate::exit::{Exit, Trouble};
use crate::{Outcome, render};
use anchorlog_operations::sets::{History, Reaches};
use anchorlog_vault::{Name, Vault as _};
use serde_json::json;
use std::io::{self, Write as _};

/// Bytes read at once.
const READ: usize = 1 << 20;

pub fn run(command: &SetsCommand, as_json: bool) -> Outcome {
    match command {
        SetsCommand::Ls(ls) => list(ls, as_json),
        SetsCommand::Cat(cat) => write_out(cat),
    }
}

fn list(ls: &SetsLs, as_json: bool) -> Outcome {
    let vault = open(&ls.at)?;
    let history = History::read(&vault).map_err(|error| trouble(&error))?;
    let mut out = io::stdout().lock();
    let mut reaches = Reaches::default();
    for set in &history.sets {
        let reach = reaches.of(&history, set);
        if as_json {
            let made = jiff::Timestamp::from_millisecond(set.summary.made.time).ok().map(|time| time.to_string());
            let bytes: u64 = set.manifest.files.iter().map(|file| file.size).sum();
            let line = json!({ "set": set.id.as_str(), "made": made, "label": set.summary.made.label, "proved": set.proved,
                "proof": set.best_proof(), "proofs": set.proofs, "bytes": bytes, "stored": set.manifest.stored, "restorable": reach,
                "ends": set.ends, "manifest": set.manifest });
            writeln!(out, "{line}")?;
        } else {
            write!(out, "{}", render::sets::line(set, &reach))?;
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
