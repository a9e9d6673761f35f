//! `anchorlog vault prune`: the room of forgotten sets given back.

use super::vault::{open, trouble};
use crate::args::prune::Prune;
use crate::exit::{Exit, Trouble, told};
use crate::progress::Shown;
use crate::{Outcome, render};
use anchorlog_operations::recover::Progress as _;
use anchorlog_vault_rustic::{Error, Options, PruneReport};
use serde_json::json;
use std::io::{self, Write as _};

pub fn run(prune: &Prune, as_json: bool, quiet: bool) -> Outcome {
    let vault = open(&prune.at)?;
    let options = Options { keep_marked_hours: prune.keep_delete, max_repack: prune.max_repack, max_unused: prune.max_unused };
    let mut shown = Shown::new(as_json, quiet);
    shown.phase(if prune.dry_run { "looking at every set" } else { "pruning" }, 0);
    let report = anchorlog_vault_rustic::prune(&vault, &options, prune.dry_run).map_err(failed)?;
    drop(shown);
    let mut out = io::stdout().lock();
    if as_json {
        let PruneReport { used, unused, packs_unused, packs_partly_used, packs_unreferenced, unreferenced, .. } = report;
        let PruneReport { marked, repacked, removed, packs_removed, waiting, recovered, .. } = report;
        let line = json!({ "dry_run": prune.dry_run, "keep_delete_hours": prune.keep_delete, "used": used, "unused": unused,
            "packs_unused": packs_unused, "packs_partly_used": packs_partly_used, "packs_unreferenced": packs_unreferenced,
            "unreferenced": unreferenced, "marked": marked, "repacked": repacked, "removed": removed,
            "packs_removed": packs_removed, "waiting": waiting, "recovered": recovered });
        writeln!(out, "{line}")?;
    } else {
        write!(out, "{}", as_text(&report, prune))?;
    }
    Ok(Exit::Done)
}

fn as_text(report: &PruneReport, prune: &Prune) -> String {
    let would = |done: &str| if prune.dry_run { format!("would be {done}") } else { done.to_owned() };
    let lines = [
        ("sets need", report.used, String::new()),
        ("no set needs", report.unused, format!("{} packs whole, {} in part", report.packs_unused, report.packs_partly_used)),
        ("in no index", report.unreferenced, format!("{} packs that stopped programs left", report.packs_unreferenced)),
        (&would("marked"), report.marked, format!("removed by a run after {} hours or more", prune.keep_delete)),
        (&would("packed anew"), report.repacked, "of what was marked, because sets need a part of it".into()),
        ("marked before", report.waiting, "not yet for long enough".into()),
        (&would("taken back"), report.recovered, "marked before, and needed again".into()),
        (&would("removed"), report.removed, format!("{} packs: this room is free", report.packs_removed)),
    ];
    let line = |(what, bytes, remark): &(&str, u64, String)| {
        let remark = if remark.is_empty() || *bytes == 0 { String::new() } else { format!("  ({remark})") };
        format!("{what:>20}  {}{remark}\n", render::bytes(*bytes))
    };
    lines.iter().map(line).collect()
}

fn failed(error: Error) -> Trouble {
    let say = |hint: &str| told(None, error.to_string(), hint);
    match &error {
        Error::Vault(error) => trouble(error),
        Error::Impatient(_) => Trouble::usage(error.to_string(), "Give more hours with --keep-delete."),
        Error::Rustic(_) | Error::Panicked(_) => {
            let hint = "No set suffers from it. `anchorlog vault check --data` tells what is damaged: nothing is removed from a vault that is.";
            Trouble::failed_in_vault(say(hint))
        }
    }
}
