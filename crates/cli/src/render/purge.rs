//! Purges as text.

use anchorlog_operations::purge::{Plan, Released, Report};

/// What `--dry-run` shows.
pub fn plan(plan: &Plan) -> String {
    let mut text = format!("{} logs would go into quarantine, {}\n", plan.moves.len(), super::bytes(plan.bytes));
    for log in &plan.moves {
        text.push_str(&format!("  {} because {}\n", log.source.display(), log.because.join("; ")));
    }
    text.push_str(&stops(plan));
    for given_up in &plan.gives_up {
        text.push_str(&format!(
            "for room would be given up: {}: {} logs more, {}; --accept does it\n",
            given_up.what,
            given_up.logs,
            super::bytes(given_up.bytes)
        ));
    }
    text.push_str(&wanting(plan));
    text
}

/// What was done.
pub fn report(plan: &Plan, report: &Report) -> String {
    let mut text = format!("{} logs are in quarantine, {}\n", report.moved.len(), super::bytes(report.bytes));
    for place in &report.moved {
        text.push_str(&format!("  {}\n", place.display()));
    }
    text.push_str(&stops(plan));
    if let Some(stopped) = &report.stopped {
        text.push_str(&format!("stopped: {stopped}\n"));
    }
    text.push_str(&wanting(plan));
    text
}

/// What went for good.
pub fn released(released: &Released) -> String {
    let mut text = format!("{} logs were deleted, {}\n", released.deleted.len(), super::bytes(released.bytes));
    for (place, why) in &released.kept {
        text.push_str(&format!("  kept {}: {why}\n", place.display()));
    }
    text
}

fn stops(plan: &Plan) -> String {
    let lines = plan.stops.iter().map(|(stream, generation, why)| {
        format!("{stream}: from generation {generation:#x} on everything stays: {}\n", why.join("; "))
    });
    lines.collect()
}

fn wanting(plan: &Plan) -> String {
    if plan.wanting == 0 {
        String::new()
    } else {
        format!("{} that were asked for are still wanting\n", super::bytes(plan.wanting))
    }
}
