//! Plans and reports of a recovery as text.

use anchorlog_operations::recover::{DatabaseReport, Plan, Precondition, Report};

/// What `--dry-run` shows, and what a refusal shows.
pub fn plan(plan: &Plan) -> String {
    let mut text = String::from(if plan.possible { "This can be recovered.\n" } else { "Refused: nothing was touched.\n" });
    text.push('\n');
    for database in &plan.databases {
        text.push_str(&format!("database {} ({}): {}\n  {}\n", database.path, database.state, database.verdict, database.reason));
        if !database.logged.is_empty() {
            text.push_str(&format!("  in the log: {}\n", database.logged));
        }
    }
    if let Some(stream) = &plan.stream {
        let archives: Vec<String> = stream.archives.iter().map(ToString::to_string).collect();
        text.push_str(&format!("log stream {}\n", stream.signature));
        text.push_str(&format!("  archived logs: {}\n", if archives.is_empty() { "none".into() } else { archives.join(", ") }));
        text.push_str(&format!("  current log:   {}\n", stream.current.as_deref().unwrap_or("missing")));
        text.push_str(&format!("  checkpoint:    {}\n", stream.checkpoint.as_deref().unwrap_or("none")));
    }
    if let (Some(start), Some(end)) = (plan.start, plan.end) {
        text.push_str(&format!("  replay from {start} to {end}\n"));
    }
    if let Some(loss) = &plan.loss {
        let last = loss.last.map_or_else(|| "an unknown one".into(), |last| last.to_string());
        let consent = if loss.accepted {
            "given up as accepted".to_owned()
        } else {
            format!("to accept that: --accept-loss {}", loss.first)
        };
        text.push_str(&format!("\nlost: what committed in the generations {} to {last}; {consent}\n", loss.first));
    }
    text.push_str(&preconditions(&plan.preconditions));
    if !plan.steps.is_empty() {
        text.push_str("\nsteps\n");
    }
    for (number, step) in plan.steps.iter().enumerate() {
        text.push_str(&format!("  {}. {}\n", number + 1, step.action));
    }
    if !plan.faults.is_empty() {
        text.push('\n');
    }
    for fault in &plan.faults {
        text.push_str(&super::finding(&fault.finding));
        text.push_str(if fault.engine { "\n  (this is what Microsoft's engine would return)\n" } else { "\n" });
    }
    for note in &plan.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&warnings(plan));
    text
}

/// What must hold, and what was found.
pub fn preconditions(conditions: &[Precondition]) -> String {
    let mut text = String::from("\npreconditions\n");
    for condition in conditions {
        let mark = if condition.holds { "holds " } else { "BROKEN" };
        text.push_str(&format!("  {mark} {}: {} ({})\n", condition.id, condition.rule, condition.found));
    }
    text
}

/// What to know before the result is put to use.
pub fn warnings(plan: &Plan) -> String {
    plan.warnings.iter().map(|warning| format!("\nWARNING: {warning}\n")).collect()
}

/// What a recovery did.
pub fn report(report: &Report) -> String {
    let mut text = String::new();
    for database in &report.databases {
        text.push_str(&database_text(database));
    }
    if let Some(run) = &report.run {
        let mut row = |name: &str, value: String| text.push_str(&format!("  {name:22} {value}\n"));
        row(
            "replayed",
            run.generations.map_or_else(|| "nothing".into(), |(first, last)| format!("generations {first} to {last}")),
        );
        row("from", run.start.to_string());
        row("to", run.end.to_string());
        row("ended", run.ending.to_owned());
        row("page changes", run.page_changes.to_string());
        row("transactions undone", format!("{} with {} changes", run.transactions_rolled_back, run.changes_undone));
        if let Some((last, committed)) = run.lost {
            row("given up", format!("generations behind {last} up to {committed}"));
        }
        if !run.left_out.is_empty() {
            row("left out", run.left_out.join(", "));
        }
        if run.commits_left_out > 0 {
            row("commits left out", format!("{}, in logs that are at hand", run.commits_left_out));
        }
        let mut kinds: Vec<_> = run.records.iter().collect();
        kinds.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        row("records", kinds.join(", "));
        for note in &run.notes {
            row("note", note.clone());
        }
    }
    for finding in &report.findings {
        text.push_str(&super::finding(finding));
        text.push('\n');
    }
    text.push_str(&format!("\nThe result lies in {} ({} files).\n", report.out, report.outputs.len()));
    if let Some(aside) = &report.set_aside {
        text.push_str(&format!("The originals lie in {aside}.\n"));
    }
    text
}

fn database_text(database: &DatabaseReport) -> String {
    let mut text = format!("database {}: {}\n  {}\n", database.path, database.verdict, database.reason);
    text.push_str(&format!("  {:22} {} -> {}\n", "state", database.before.state, database.after.state));
    if let Some((first, last)) = database.before.required {
        text.push_str(&format!("  {:22} {first} to {last}\n", "needed the logs"));
    }
    if let Some(consistent) = database.after.consistent {
        text.push_str(&format!("  {:22} {consistent}\n", "consistent at"));
    }
    if let Some(proof) = &database.proof {
        text.push_str(&format!(
            "  {:22} {} pages, {} trees, {} rows, {} long values, {} index entries; {} errors, {} warnings\n",
            "proved", proof.pages, proof.trees, proof.rows, proof.long_values, proof.index_entries, proof.errors, proof.warnings
        ));
    }
    text
}
