//! The object lock of a vault: how one is asked for, what it keeps, and `anchorlog vault extend-lock`.

use super::vault::{open, trouble};
use crate::Outcome;
use crate::args::vault::{ExtendLock, Init, ObjectLockMode};
use crate::exit::{Exit, Trouble};
use crate::progress::Shown;
use anchorlog_operations::recover::Progress as _;
use anchorlog_vault::restic::{LockMode, ObjectLock, Protection, ResticVault};
use serde_json::json;
use std::io::{self, Write};

/// The object lock that `vault init` is to make.
pub fn wanted(init: &Init) -> Option<ObjectLock> {
    let mode = match init.object_lock_mode {
        ObjectLockMode::Governance => LockMode::Governance,
        ObjectLockMode::Compliance => LockMode::Compliance,
    };
    init.object_lock.map(|days| ObjectLock { mode, days })
}

/// Asks until when everything is kept, and tells it.
pub fn told(vault: &ResticVault, out: &mut dyn Write, as_json: bool, quiet: bool) -> Outcome {
    let mut shown = Shown::new(as_json, quiet);
    let asked = vault.protection(&mut |at, of| shown.step("objects", at, of));
    tell(&asked.map_err(|error| trouble(&error))?, out, as_json)
}

/// `anchorlog vault extend-lock`.
pub fn extend(extend: &ExtendLock, as_json: bool, quiet: bool) -> Outcome {
    let vault = open(&extend.at)?;
    if vault.object_lock().is_none() {
        return Err(Trouble::usage(
            "this vault was made without an object lock",
            "Only `anchorlog vault init --object-lock DAYS` makes one, in a bucket with object lock.",
        ));
    }
    let mut out = io::stdout().lock();
    if extend.dry_run {
        return told(&vault, &mut out, as_json, quiet);
    }
    let mut shown = Shown::new(as_json, quiet);
    let extended = vault.extend_lock(&mut |at, of| shown.step("objects", at, of)).map_err(|error| trouble(&error))?;
    tell(&extended, &mut out, as_json)
}

fn tell(protection: &Protection, out: &mut dyn Write, as_json: bool) -> Outcome {
    let Protection { objects, extended, unprotected, named, until } = protection;
    let until = until.map(|until| until.to_string());
    if as_json {
        let line =
            json!({ "objects": objects, "extended": extended, "unprotected": unprotected, "named": named, "until": until });
        writeln!(out, "{}", json!({ "object_lock": line }))?;
    } else {
        for object in named {
            writeln!(out, "not kept: {object}")?;
        }
        let kept = objects - unprotected;
        let until = until.map(|until| format!(", the first of them until {until}")).unwrap_or_default();
        writeln!(out, "object lock: {kept} of {objects} objects are kept{until}; {extended} were extended")?;
    }
    Ok(if *unprotected == 0 { Exit::Done } else { Exit::Findings })
}
