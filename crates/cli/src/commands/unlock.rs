//! `anchorlog vault unlock`: who has a lock, and locks removed.

use super::vault::{open, trouble};
use crate::Outcome;
use crate::args::life::Unlock;
use crate::exit::Exit;
use anchorlog_vault::restic::LockInfo;
use serde_json::json;
use std::io::{self, Write as _};

pub fn run(unlock: &Unlock, as_json: bool) -> Outcome {
    let vault = open(&unlock.at)?;
    let locks = vault.locks().map_err(|error| trouble(&error))?;
    let removed = if unlock.dry_run { Vec::new() } else { vault.unlock(unlock.all).map_err(|error| trouble(&error))? };
    let mut out = io::stdout().lock();
    for lock in &locks {
        let gone = removed.iter().any(|removed| removed.id == lock.id);
        if as_json { writeln!(out, "{}", line(lock, gone))? } else { writeln!(out, "{}", told(lock, gone))? }
    }
    if as_json {
        writeln!(out, "{}", json!({ "locks": locks.len(), "removed": removed.len(), "dry_run": unlock.dry_run }))?;
        return Ok(Exit::Done);
    }
    let stale = locks.iter().filter(|lock| lock.stale).count();
    writeln!(out, "{} locks, {stale} of them stale, {} removed", locks.len(), removed.len())?;
    if unlock.all && removed.iter().any(|lock| !lock.stale) {
        writeln!(out, "A program whose lock was removed ends without publishing. Start it again when it has ended, not before.")?;
    } else if locks.len() > removed.len() && !unlock.dry_run {
        writeln!(
            out,
            "What is not stale is in use. --all removes it too: only where surely no program is at work, on any machine."
        )?;
    }
    Ok(Exit::Done)
}

fn line(lock: &LockInfo, removed: bool) -> serde_json::Value {
    let holder = lock.holder.as_ref();
    json!({ "lock": lock.id.to_string(), "host": holder.map(|holder| &holder.host), "user": holder.map(|holder| &holder.user),
        "process": holder.map(|holder| holder.process), "since": holder.map(|holder| holder.since.to_string()),
        "exclusive": holder.map(|holder| holder.exclusive), "stale": lock.stale, "removed": removed })
}

fn told(lock: &LockInfo, removed: bool) -> String {
    let id = lock.id.to_string();
    let id = id.get(..8).unwrap_or(&id);
    let state = if lock.stale { "stale" } else { "in use" };
    let removed = if removed { ", removed" } else { "" };
    match &lock.holder {
        None => format!("{id}  {state}{removed}: it cannot be read"),
        Some(holder) => {
            let kind = if holder.exclusive { "alone" } else { "with others" };
            let (process, user, host, since) = (holder.process, &holder.user, &holder.host, holder.since);
            format!("{id}  {state}{removed}: process {process} of {user} on {host}, {kind}, since {since}")
        }
    }
}
