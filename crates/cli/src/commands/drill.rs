//! `anchorlog drill`: sets proved by restoring them.

use super::proof_key;
use super::restore::failed;
use super::vault::{find, open, trouble};
use crate::args::proof::DrillArguments;
use crate::exit::{Exit, Trouble};
use crate::progress::Shown;
use crate::{Outcome, interrupt, now, render};
use anchorlog_operations::restore::set::{Error, Options, Sample, drill, sample};
use anchorlog_operations::sets::History;
use anchorlog_vault::{SetId, Vault};
use serde_json::json;
use std::io::{self, Write as _};
use std::sync::Arc;

pub fn run(arguments: &DrillArguments, as_json: bool, quiet: bool) -> Outcome {
    let vault = open(&arguments.at)?;
    let key = proof_key::given(&arguments.proof_key, &vault)?;
    let named: Vec<SetId> = arguments.sets.iter().map(|set| find(&vault, set)).collect::<Result<_, _>>()?;
    let vault: Arc<dyn Vault> = Arc::new(vault);
    let history = History::read(&*vault).map_err(|error| trouble(&error))?;
    let some = arguments.sample.or(arguments.all.then_some(Sample::All));
    let sets = some.map_or(named, |some| sample(&history, some, arguments.seed));
    let mut out = io::stdout().lock();
    if arguments.dry_run {
        for known in sets.iter().filter_map(|id| history.sets.iter().find(|known| known.id == *id)) {
            let line = json!({ "set": known.id.as_str(), "proof": known.best_proof() });
            if as_json { writeln!(out, "{line}")? } else { writeln!(out, "would drill {}", render::sets::title(known))? }
        }
        return Ok(Exit::Done);
    }
    let options =
        Options { cache_bytes: arguments.effort.cache_bytes(), threads: arguments.effort.threads(), ..Options::default() };
    interrupt::careful();
    let mut broken = 0;
    for set in &sets {
        let mut shown = Shown::new(as_json, quiet);
        match drill(&vault, &history, set, &arguments.scratch, &options, key.as_ref(), &now::ambient(), &mut shown) {
            Ok(drilled) if as_json => writeln!(out, "{}", json!({ "drill": drilled }))?,
            Ok(drilled) => write!(out, "{}", render::sets::drilled(&drilled))?,
            Err(Error::Interrupted) => return Err(Trouble::interrupted()),
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
