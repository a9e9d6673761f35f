//! `anchorlog drill`: sets proved by restoring them.

use super::restore::failed;
use super::vault::{find, open, trouble};
use crate::Outcome;
use crate::args::restore::DrillArguments;
use crate::exit::{Exit, Trouble};
use crate::progress::Shown;
use crate::{interrupt, now};
use anchorlog_operations::restore::set::{Options, drill};
use anchorlog_operations::sets::History;
use anchorlog_vault::{SetId, Vault};
use serde_json::json;
use std::io::{self, Write as _};
use std::sync::Arc;

pub fn run(arguments: &DrillArguments, as_json: bool, quiet: bool) -> Outcome {
    let vault = open(&arguments.at)?;
    let named: Vec<SetId> = arguments.sets.iter().map(|set| find(&vault, set)).collect::<Result<_, _>>()?;
    let vault: Arc<dyn Vault> = Arc::new(vault);
    let history = History::read(&*vault).map_err(|error| trouble(&error))?;
    // Logs alone are proved with the sets that they are rolled forward from.
    let with_databases = history.sets.iter().filter(|set| set.manifest.kind.has_databases()).map(|set| set.id.clone());
    let sets: Vec<SetId> = if arguments.all { with_databases.collect() } else { named };
    let options =
        Options { cache_bytes: arguments.effort.cache_bytes(), threads: arguments.effort.threads(), ..Options::default() };
    interrupt::careful();
    let mut out = io::stdout().lock();
    let mut broken = 0;
    for set in &sets {
        let mut shown = Shown::new(as_json, quiet);
        match drill(&vault, &history, set, &arguments.scratch, &options, &now::ambient(), &mut shown) {
            Ok(drilled) if as_json => writeln!(out, "{}", json!({ "drill": drilled }))?,
            Ok(drilled) => {
                let tables: usize = drilled.replay.contents.iter().map(|contents| contents.tables.len()).sum();
                let compared = if drilled.compared { "equal to its first proof" } else { "its first proof" };
                writeln!(out, "set {} is proved to level {:?}: {tables} tables, {compared}", drilled.set, drilled.level)?;
            }
            Err(anchorlog_operations::restore::set::Error::Interrupted) => return Err(Trouble::interrupted()),
            // The others are tried all the same.
            Err(error) if sets.len() > 1 => {
                broken += 1;
                let line = json!({ "set": set.as_str(), "error": error.to_string(), "jet": error.jet() });
                if as_json { writeln!(out, "{line}")? } else { writeln!(out, "set {set} is NOT proved: {error}")? }
            }
            Err(error) => return Err(failed(error)),
        }
    }
    if sets.is_empty() && !as_json {
        writeln!(out, "no set with a database is there")?;
    }
    Ok(if broken == 0 { Exit::Done } else { Exit::Findings })
}
