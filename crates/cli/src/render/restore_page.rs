//! Plans and reports of the restore of pages as text.

use anchorlog_operations::restore::page::{Plan, Report};

/// What `--dry-run` shows, and what a refusal shows.
pub fn plan(plan: &Plan) -> String {
    let pages: Vec<String> = plan.pages.iter().map(ToString::to_string).collect();
    let mut text = if plan.possible {
        format!(
            "Page {} of {} can be restored from {} of set {}.\n",
            pages.join(", "),
            plan.database.display(),
            plan.stream,
            plan.set
        )
    } else {
        String::from("Refused: nothing was touched.\n")
    };
    match plan.generations {
        Some((first, last)) => text.push_str(&format!("redone over the set: generations {first} to {last}\n")),
        None if plan.possible => text.push_str("the set holds the very state of the database: nothing is redone\n"),
        None => {}
    }
    text.push_str("\nwhat must hold\n");
    for predicate in &plan.predicates {
        text.push_str(&super::backup::line(predicate));
    }
    text
}

/// What was made.
pub fn report(report: &Report) -> String {
    let mut text = format!("{} holds these pages anew, the rest as it was:\n", report.out.display());
    for page in &report.pages {
        let was = if page.was_damaged { "it was damaged" } else { "it held as it was" };
        text.push_str(&format!("  page {}, page time {}; {was}\n", page.page, page.dbtime));
    }
    for finding in &report.findings {
        text.push_str(&super::finding(finding));
        text.push('\n');
    }
    text.push_str(&format!("SHA-256 {}\n", report.sha256.1));
    text
}
