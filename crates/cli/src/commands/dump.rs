//! `anchorlog dump DB…`, and `dump --set SET`

use super::place_of;
use super::vault::{find, open_with, trouble};
use crate::args::Dump;
use crate::exit::{Exit, Trouble, told};
use crate::{Outcome, interrupt, now, render};
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_operations::dump::{DumpError, Dumped, Rows, Tables, dump, dump_stored};
use anchorlog_operations::sets::History;
use anchorlog_vault::Vault;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes of the dump written at once: it may be as long as the database, and goes into a pipe.
const OUT_BYTES: usize = 256 << 10;

/// The dump is JSON lines in either form of output; remarks go to standard error.
pub fn run(arguments: &Dump, _as_json: bool) -> Outcome {
    let tables = if arguments.catalog { Tables::Engines } else { Tables::Users };
    let mut out = BufWriter::with_capacity(OUT_BYTES, io::stdout().lock());
    let mut exit = Exit::Done;
    if let Some(set) = &arguments.set {
        for dumped in of_set(arguments, set, tables, &mut out)? {
            exit = if tell(&dumped, set) { Exit::Findings } else { exit };
        }
        out.flush()?;
        return Ok(exit);
    }
    for path in &arguments.databases {
        let (folder, name) = place_of(path)?;
        let shown = path.display().to_string();
        let dumped = dump(&folder, &name, &shown, tables, &mut out).map_err(|error| failed(error, path))?;
        exit = if tell(&dumped, &shown) { Exit::Findings } else { exit };
    }
    out.flush()?;
    Ok(exit)
}

fn of_set(arguments: &Dump, set: &str, tables: Tables, out: &mut dyn Write) -> Result<Vec<Dumped>, Trouble> {
    let Some(vault) = &arguments.vault else {
        return Err(Trouble::usage("no vault is named", "Name it with --vault, or set ANCHORLOG_VAULT."));
    };
    let vault = open_with(vault, &arguments.secret)?;
    let id = find(&vault, set)?;
    let vault: Arc<dyn Vault> = Arc::new(vault);
    let history = History::read(&*vault).map_err(|error| trouble(&error))?;
    let databases: Vec<String> = arguments.databases.iter().map(|path| path.display().to_string()).collect();
    let scratch = arguments.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let rows = Rows { databases: &databases, tables, scratch: &scratch };
    interrupt::careful();
    dump_stored(&vault, &history, &id, rows, &now::ambient(), &mut || !interrupt::asked(), out)
        .map_err(|error| failed(error, Path::new(set)))
}

/// Says on standard error what the reader of the dump must know; whether there is anything.
fn tell(dumped: &Dumped, shown: &str) -> bool {
    if dumped.dirty {
        let message = "the database is dirty: its newest changes are only in its logs, and what it holds may not have committed";
        let finding = Finding::warning(Place::file(shown), message).with_jet(JetCode::DATABASE_DIRTY_SHUTDOWN);
        eprintln!("{}", render::finding(&finding.with_hint("Recover it first: `anchorlog recover`.")));
    }
    for error in &dumped.summary.errors {
        eprintln!("{}", render::finding(&error.finding()));
    }
    dumped.dirty || !dumped.summary.errors.is_empty()
}

fn failed(error: DumpError, path: &Path) -> Trouble {
    match error {
        DumpError::Database(error) => Trouble::refused(error.finding()),
        DumpError::Storage(error) if error.kind() == io::ErrorKind::BrokenPipe => Trouble::writing(&error),
        DumpError::Storage(error) => Trouble::reading(path, &error),
        DumpError::Set { reason, jet } => {
            let hint = match jet {
                Some(_) => "`anchorlog restore set … --dry-run` says what is missing, and what may be accepted.",
                None => "`anchorlog sets ls` lists the sets, `sets cat SET` what is in one.",
            };
            Trouble::refused(told(jet, reason, hint))
        }
        DumpError::Interrupted => Trouble::interrupted(),
    }
}
