//! `anchorlog dump DB…`

use super::place_of;
use crate::Outcome;
use crate::args::Dump;
use crate::exit::{Exit, Trouble};
use crate::render;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_operations::dump::{DumpError, Tables, dump};
use std::io::{self, BufWriter, Write};

/// The dump is JSON lines in either form of output; remarks go to standard error.
pub fn run(arguments: &Dump, _as_json: bool) -> Outcome {
    let tables = if arguments.catalog { Tables::Engines } else { Tables::Users };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Done;
    for path in &arguments.databases {
        let (folder, name) = place_of(path)?;
        let shown = path.display().to_string();
        let dumped = match dump(&folder, &name, &shown, tables, &mut out) {
            Ok(dumped) => dumped,
            Err(DumpError::Database(error)) => return Err(Trouble::refused(error.finding())),
            Err(DumpError::Storage(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Trouble::writing(&error)),
            Err(DumpError::Storage(error)) => return Err(Trouble::reading(path, &error)),
        };
        if dumped.dirty {
            let message =
                "the database is dirty: its newest changes are only in its logs, and what it holds may not have committed";
            let finding = Finding::warning(Place::file(&shown), message).with_jet(JetCode::DATABASE_DIRTY_SHUTDOWN);
            eprintln!("{}", render::finding(&finding.with_hint("Recover it first: `anchorlog recover`.")));
            exit = Exit::Findings;
        }
        for error in &dumped.summary.errors {
            eprintln!("{}", render::finding(&error.finding()));
            exit = Exit::Findings;
        }
    }
    out.flush()?;
    Ok(exit)
}
