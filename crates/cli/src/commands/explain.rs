//! `anchorlog explain CODE…`

use crate::Outcome;
use crate::args::Explain;
use crate::exit::{Exit, Trouble};
use anchorlog_operations::explain::{Explanation, explain, invariant};
use std::io::{self, Write};

pub fn run(arguments: &Explain, json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    let mut exit = Exit::Done;
    for (index, text) in arguments.codes.iter().enumerate() {
        if index > 0 && !json {
            writeln!(out)?;
        }
        if let Some(found) = invariant(text) {
            let line = if json {
                serde_json::to_string(&found).map_err(io::Error::other)?
            } else {
                format!("{}  {}", found.invariant, found.meaning)
            };
            writeln!(out, "{line}")?;
            continue;
        }
        let Some(found) = explain(text) else {
            return Err(Trouble::usage(
                format!("{text} is no code"),
                "Give a number (-1216, 0xFFFFFB40, 4294966080), a symbol (JET_errAttachedDatabaseMismatch), or the number of an invariant (I24).",
            ));
        };
        if found.entry.is_none() {
            exit = Exit::Findings;
        }
        if json {
            writeln!(out, "{}", serde_json::to_string(&found).map_err(io::Error::other)?)?;
        } else {
            write!(out, "{}", text_of(&found))?;
        }
    }
    Ok(exit)
}

fn text_of(found: &Explanation) -> String {
    let mut text = format!("{}  {}  {}", found.code, found.hexadecimal, found.unsigned);
    match &found.entry {
        Some(entry) => {
            text.push_str(&format!("  {}\n\n{}\n", entry.symbol, entry.meaning));
            text.push_str(&format!("\n  kind   {}\n", entry.class));
            if !entry.cause.is_empty() {
                text.push_str(&format!("  cause  {}\n", entry.cause));
            }
            text.push_str(&format!("  next   {}\n", entry.next));
        }
        None => text.push('\n'),
    }
    if let Some(note) = &found.note {
        text.push_str(&format!("\nnote: {note}\n"));
    }
    text
}
