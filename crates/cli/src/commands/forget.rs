//! `anchorlog vault forget`: sets by their names, or by rules.

use super::vault::{find, open, trouble};
use crate::args::life::Forget;
use crate::exit::{Exit, Trouble, told};
use crate::{Outcome, render};
use anchorlog_operations::retention::{self, Error};
use anchorlog_vault::restic::ResticVault;
use anchorlog_vault::{SetId, Vault as _};
use jiff::Timestamp;
use serde_json::json;
use std::io::{self, Write as _};

pub fn run(forget: &Forget, as_json: bool) -> Outcome {
    let vault = open(&forget.at)?;
    if forget.sets.is_empty() { by_rules(forget, &vault, as_json) } else { by_names(forget, &vault, as_json) }
}

fn by_names(forget: &Forget, vault: &ResticVault, as_json: bool) -> Outcome {
    let sets: Vec<SetId> = forget.sets.iter().map(|set| find(vault, set)).collect::<Result<_, _>>()?;
    let verdicts = retention::named(vault, &sets, Timestamp::now()).map_err(|error| trouble(&error))?;
    let stays = verdicts.iter().any(|verdict| !verdict.stays.is_empty());
    if !forget.dry_run {
        // Where a set must stay, the vault says so, and forgets none.
        vault.forget(&sets).map_err(|error| trouble(&error))?;
    }
    let mut out = io::stdout().lock();
    if as_json {
        let names: Vec<&str> = sets.iter().map(SetId::as_str).collect();
        writeln!(out, "{}", json!({ "forgotten": names, "sets": verdicts, "dry_run": forget.dry_run }))?;
    } else {
        for verdict in &verdicts {
            write!(out, "{}", render::forget::verdict(verdict))?;
        }
        writeln!(out, "{}", render::forget::end(if stays { 0 } else { sets.len() }, forget.dry_run))?;
    }
    Ok(if stays { Exit::Refused } else { Exit::Done })
}

fn by_rules(forget: &Forget, vault: &ResticVault, as_json: bool) -> Outcome {
    let plan = retention::plan(vault, &forget.keep.rules(), Timestamp::now()).map_err(no_plan)?;
    if !forget.dry_run && !plan.forgotten.is_empty() {
        vault.forget(&plan.forgotten).map_err(|error| trouble(&error))?;
    }
    let mut out = io::stdout().lock();
    if as_json {
        let names: Vec<&str> = plan.forgotten.iter().map(SetId::as_str).collect();
        writeln!(out, "{}", json!({ "forgotten": names, "plan": plan, "dry_run": forget.dry_run }))?;
    } else {
        write!(out, "{}", render::forget::plan(&plan))?;
        writeln!(out, "{}", render::forget::end(plan.forgotten.len(), forget.dry_run))?;
    }
    Ok(if plan.unreadable.is_empty() { Exit::Done } else { Exit::Findings })
}

fn no_plan(error: Error) -> Trouble {
    match error {
        Error::Vault(error) => trouble(&error),
        Error::NoRule => Trouble::usage(error.to_string(), "Name one, as --keep-last 3; --help explains them."),
        Error::Damaged(_) => Trouble::refused(told(
            None,
            error.to_string(),
            "`anchorlog vault check` tells what else is damaged. Sets can be forgotten by their names; a damaged object that is of no \
             use any more can be removed from the storage by hand.",
        )),
    }
}
