//! Plans and reports of a restore as text.

use anchorlog_operations::restore::{Plan, Report, Step};

/// What `--dry-run` shows, and what a refusal shows.
pub fn plan(plan: &Plan) -> String {
    let mut text = String::from(if plan.possible { "This can be recovered.\n" } else { "Refused: nothing was touched.\n" });
    let environment = &plan.environment;
    for database in &environment.databases {
        text.push_str(&format!("\ndatabase {} from {}\n", database.destination, database.source));
        if !database.original.is_empty() {
            text.push_str(&format!("  in the log: {}\n", database.original));
        }
    }
    text.push_str(&format!(
        "\nlogs of the sets: generations {:#x} to {:#x} of {} ({} files)\n",
        environment.low,
        environment.high,
        environment.base_name,
        environment.logs.len()
    ));
    if let Some(production) = &environment.target_instance {
        text.push_str(&format!("then those of {production}\n"));
    }
    if let Some((start, end)) = plan.recovery.as_ref().and_then(|recovery| recovery.start.zip(recovery.end)) {
        text.push_str(&format!("  replay from {start} to {end}\n"));
    }
    text.push_str(&super::recover::preconditions(&plan.preconditions));
    if !plan.steps.is_empty() {
        text.push_str("\nsteps\n");
    }
    plan.steps.iter().for_each(|step| text.push_str(&step_text(step)));
    for fault in plan.recovery.iter().flat_map(|recovery| &recovery.faults) {
        text.push('\n');
        text.push_str(&super::finding(&fault.finding));
        text.push_str(if fault.engine { "\n  (this is what Microsoft's engine would return)\n" } else { "\n" });
    }
    for left in &plan.left_out {
        text.push_str(&format!("not taken: {}: {}\n", left.path, left.why));
    }
    for note in &plan.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

pub fn step_text(step: &Step) -> String {
    let requires = if step.requires.is_empty() { String::new() } else { format!(" (rests on {})", step.requires.join(", ")) };
    format!("  {}. {}{requires}\n", step.number, step.action)
}

/// What a restore did.
pub fn report(report: &Report) -> String {
    let mut text = String::new();
    if let Some(recovery) = &report.recovery {
        text.push_str(&super::recover::report(recovery));
    }
    if let Some(warning) = report.warning {
        text.push_str(&format!("warning {warning}: {}\n", warning.meaning()));
    }
    text.push_str("The databases are closed at the end of these logs, and take no more.\n");
    text
}
