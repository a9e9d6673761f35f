//! Plans and reports of backups as text.

use anchorlog_operations::backup::{Effect, Plan, Predicate, Report};

/// What `--dry-run` shows, and what a refusal shows.
pub fn plan(plan: &Plan) -> String {
    let mut text = if plan.possible {
        format!("This can be backed up as a set of the kind \"{}\".\n", plan.kind.name())
    } else {
        String::from("Refused: nothing was touched.\n")
    };
    if !plan.files.is_empty() {
        text.push_str(&format!("\nfiles, {}\n", super::bytes(plan.bytes)));
    }
    for file in &plan.files {
        text.push_str(&format!("  {} ({})\n", file.name, super::bytes(file.size)));
    }
    for left_out in &plan.left_out {
        text.push_str(&format!("  left out: {left_out}\n"));
    }
    text.push_str("\nwhat must hold\n");
    for predicate in &plan.predicates {
        text.push_str(&line(predicate));
    }
    for promise in &plan.promises {
        let from = format!("{}: logs can be replayed from generation {:#x} on", promise.database, promise.anchor);
        let said = if promise.rolls_forward {
            from
        } else {
            format!("{}: no roll-forward: {}", promise.database, promise.why_not.join("; "))
        };
        text.push_str(&format!("promise: {said}\n"));
    }
    for remark in &plan.remarks {
        text.push_str(&format!("note: {remark}\n"));
    }
    text
}

/// One predicate.
pub fn line(predicate: &Predicate) -> String {
    let mark = match (predicate.holds, predicate.effect) {
        (true, _) => "holds ",
        (false, Effect::Marks) => "marked",
        (false, Effect::Refuses) => "BROKEN",
    };
    let of = if predicate.of.is_empty() { String::new() } else { format!(" {}:", predicate.of) };
    let mut text = format!("  {mark} {}:{of} {} ({})\n", predicate.id, predicate.rule, predicate.read);
    if !predicate.holds {
        let refusal = predicate.refusal.map(|refusal| refusal.to_string()).unwrap_or_default();
        let jet = predicate.jet.map(|jet| format!(", {jet}")).unwrap_or_default();
        text.push_str(&format!("         {refusal}{jet}\n         next: {}\n", predicate.next));
    }
    text
}

/// What was made.
pub fn report(report: &Report) -> String {
    let mut text = format!("set {} is published, and was read back.\n", report.set);
    for database in &report.databases {
        let said = if database.good { "good".to_owned() } else { format!("DAMAGED, {} bad pages", database.bad_pages) };
        text.push_str(&format!("  {}: {} pages, {said}\n", database.name, database.pages));
        for note in &database.notes {
            text.push_str(&format!("    {}: {} {}\n", note.severity, note.place, note.message));
        }
    }
    text.push_str(&format!("  proved to level {:?}\n", report.level));
    for remark in &report.remarks {
        text.push_str(&format!("note: {remark}\n"));
    }
    text
}
