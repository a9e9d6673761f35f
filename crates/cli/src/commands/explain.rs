//! `explain`.

use crate::arguments::ExplainArguments;
use crate::output::{Exit, Output};
use anchorlog_operations::explain::explain;

/// Explains codes.
pub fn run(arguments: &ExplainArguments, output: &Output) -> Exit {
    let mut exit = Exit::Done;
    for text in &arguments.codes {
        let Some(found) = explain(text) else {
            output.error(
                &format!(
                    "{text} is no code: give a number (-1216, 0xFFFFFB40, 4294966080) or a symbol (JET_errDatabaseDirtyShutdown)"
                ),
                None,
                "",
            );
            exit = Exit::Usage;
            continue;
        };
        output.value(&found);
        let symbol = found.entry.map_or("", |entry| entry.symbol);
        output.line(format!("{} {symbol} ({}, {})", found.code, found.hexadecimal, found.unsigned));
        if let Some(entry) = found.entry {
            output.line(format!("  means: {}", entry.meaning));
            if !entry.cause.is_empty() {
                output.line(format!("  cause: {}", entry.cause));
            }
            if !entry.next.is_empty() {
                output.line(format!("  next:  {}", entry.next));
            }
        }
        if let Some(note) = found.note {
            output.line(format!("  note:  {note}"));
        }
    }
    exit
}
