//! Plans and reports of the restore of a set as text.

use anchorlog_operations::restore::set::{Plan, Report};

/// What `--dry-run` shows, and what a refusal shows.
pub fn plan(plan: &Plan) -> String {
    let mut text = if plan.possible {
        format!("Set {} can be restored to {}.\n", plan.set, plan.target)
    } else {
        String::from("Refused: nothing was touched.\n")
    };
    text.push_str(&format!("\nfiles, {}\n", super::bytes(plan.bytes)));
    for file in &plan.files {
        text.push_str(&format!("  {} from {} ({})\n", file.place.display(), file.from, super::bytes(file.size)));
    }
    if let Some((first, last)) = plan.generations {
        text.push_str(&format!("logs: generations {first} to {last}\n"));
    }
    for path in &plan.set_aside {
        text.push_str(&format!("set aside: {}\n", path.display()));
    }
    for unused in &plan.unused {
        text.push_str(&format!("not used: {unused}\n"));
    }
    text.push_str("\nwhat must hold\n");
    for predicate in &plan.predicates {
        text.push_str(&super::backup::line(predicate));
    }
    if !plan.steps.is_empty() {
        text.push_str("\nsteps\n");
    }
    plan.steps.iter().for_each(|step| text.push_str(&super::restore::step_text(step)));
    for remark in &plan.remarks {
        text.push_str(&format!("note: {remark}\n"));
    }
    text
}

/// What was made.
pub fn report(report: &Report) -> String {
    let mut text = format!("set {} is restored.\n", report.set);
    text.push_str(&super::recover::report(&report.recovery));
    if let Some(origins) = &report.origins {
        let (copy, vault) = (super::bytes(origins.from_copy), super::bytes(origins.from_vault));
        text.push_str(&format!("{copy} came from the copy at hand, {vault} from the vault\n"));
    }
    if report.recovery.run.is_none() && report.recovery.databases.iter().all(|database| database.proof.is_none()) {
        text.push_str(
            "Each byte is what was backed up, and each page was verified; `--verify` looks at trees and rows as well.\n",
        );
    }
    for file in &report.not_given_back {
        text.push_str(&format!("note: owner, rights or times could not be given back: {file}\n"));
    }
    for remark in &report.remarks {
        text.push_str(&format!("note: {remark}\n"));
    }
    text
}
