//! `anchorlog vault copy`: sets from one vault into another.

use super::vault::{find, open, secret, secret_in, trouble};
use crate::args::copy::Copy;
use crate::exit::{Exit, Trouble, told};
use crate::location::Location;
use crate::progress::Bytes;
use crate::{Outcome, interrupt, render};
use anchorlog_operations::copy::{self, Action, Error, Plan};
use anchorlog_vault::SetId;
use anchorlog_vault::restic::Secret;
use serde_json::json;
use std::io::{self, Write as _};

pub fn run(copy: &Copy, as_json: bool, quiet: bool) -> Outcome {
    let from = open(&copy.at)?;
    let to = Location::of(&copy.to)?.open(&other_secret(copy)?).map_err(|error| trouble(&error))?;
    let sets: Vec<SetId> = copy.sets.iter().map(|set| find(&from, set)).collect::<Result<_, _>>()?;
    let plan = copy::plan(&from, &to, (!sets.is_empty()).then_some(&sets[..])).map_err(failed)?;
    let mut out = io::stdout().lock();
    if copy.dry_run {
        if as_json { writeln!(out, "{}", json!({ "plan": plan })) } else { write!(out, "{}", as_text(&plan)) }?;
    } else {
        interrupt::careful();
        let mut shown = Bytes::new(as_json, quiet);
        let report = copy::make(&plan, &from, &to, &mut shown).map_err(failed)?;
        drop(shown);
        if as_json {
            writeln!(out, "{}", json!({ "report": report, "unreadable": plan.unreadable }))?;
        } else {
            for (set, copy) in &report.copied {
                writeln!(out, "set {set} is copied, and is set {copy} there")?;
            }
            let there = plan.sets.len() - report.copied.len();
            let stored = super::vault::stored(report.bytes, report.stored);
            writeln!(out, "{} sets copied, {there} there before; {stored}", report.copied.len())?;
        }
    }
    if !as_json {
        for (set, why) in &plan.unreadable {
            writeln!(out, "left out: {set}: {why}")?;
        }
    }
    Ok(if plan.unreadable.is_empty() { Exit::Done } else { Exit::Findings })
}

/// What opens the vault that is copied into.
fn other_secret(copy: &Copy) -> Result<Secret, Trouble> {
    match (copy.to_key_file.as_ref().or(copy.to_password_file.as_ref()), std::env::var("ANCHORLOG_TO_PASSWORD")) {
        (Some(path), _) => secret_in(path),
        (None, Ok(password)) if !password.is_empty() => Ok(Secret::password(password)),
        _ => secret(&copy.at.secret),
    }
}

fn as_text(plan: &Plan) -> String {
    let mut text = String::new();
    for item in &plan.sets {
        let said = match &item.action {
            Action::Copy => format!("would be copied, {}", render::bytes(item.bytes)),
            Action::Complete(copy) => format!("is set {copy} there, which lacks attachments: they would be added"),
            Action::Nothing(copy) => format!("is set {copy} there"),
        };
        text.push_str(&format!("set {}: {said}\n", item.set));
    }
    text.push_str(&format!("{} to be copied\n", render::bytes(plan.bytes)));
    text
}

fn failed(error: Error) -> Trouble {
    let say = |hint: &str| told(None, error.to_string(), hint);
    match &error {
        Error::Vault(error) => trouble(error),
        Error::Interrupted => Trouble::interrupted(),
        Error::Unreadable(..) => {
            Trouble::refused(say("`anchorlog vault check --data` tells what is damaged; other sets can be copied."))
        }
        Error::Differs(..) => Trouble::failed(say(
            "`anchorlog vault check --data` on the first vault tells what is damaged; other sets can be copied.",
        )),
        Error::NotReadBack(..) => {
            Trouble::failed(say("The copy was forgotten again. Look after the storage of the other vault."))
        }
    }
}
