//! `anchorlog restore page`

use super::restore::failed;
use super::vault::{find, open, trouble};
use crate::Outcome;
use crate::args::restore::RestorePage;
use crate::exit::Exit;
use crate::progress::Shown;
use crate::{interrupt, now, render};
use anchorlog_operations::restore::page::{Options, make, plan};
use anchorlog_operations::sets::History;
use anchorlog_vault::Vault;
use serde_json::json;
use std::io::{self, Write as _};
use std::sync::Arc;

pub fn run(arguments: &RestorePage, as_json: bool, quiet: bool) -> Outcome {
    let vault = open(&arguments.at)?;
    let id = find(&vault, &arguments.set)?;
    let vault: Arc<dyn Vault> = Arc::new(vault);
    let history = History::read(&*vault).map_err(|error| trouble(&error))?;
    let options = Options { pages: arguments.page.clone(), logs: arguments.logs.clone(), keep_damage: arguments.keep_damage };
    let plan = plan(&vault, &history, &id, &arguments.database, &options).map_err(failed)?;
    let mut out = io::stdout().lock();
    let (Some(target), false, true) = (&arguments.out, arguments.dry_run, plan.possible) else {
        if as_json {
            writeln!(out, "{}", json!({ "plan": plan }))?;
        } else {
            write!(out, "{}", render::restore_page::plan(&plan))?;
        }
        return Ok(if plan.possible { Exit::Done } else { Exit::Refused });
    };
    interrupt::careful();
    let report = make(&plan, target, &now::ambient(), &mut Shown::new(as_json, quiet)).map_err(failed)?;
    if as_json {
        writeln!(out, "{}", json!({ "plan": plan, "report": report }))?;
    } else {
        write!(out, "{}", render::restore_page::report(&report))?;
    }
    Ok(if report.has_damage() { Exit::Findings } else { Exit::Done })
}
