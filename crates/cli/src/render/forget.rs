//! What is forgotten, and what stays, as text.

use anchorlog_operations::retention::{Plan, Verdict};

/// Every set, by groups.
pub fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    for group in &plan.groups {
        let what =
            if group.databases.is_empty() { format!("logs {}", group.streams.join(", ")) } else { group.databases.join(", ") };
        text.push_str(&format!("{} {}: {what}\n", group.host, group.source));
        group.sets.iter().for_each(|set| text.push_str(&verdict(set)));
    }
    if !plan.unreadable.is_empty() {
        text.push_str("sets that cannot be read\n");
    }
    plan.unreadable.iter().for_each(|set| text.push_str(&verdict(set)));
    text
}

/// One set.
pub fn verdict(verdict: &Verdict) -> String {
    let time = jiff::Timestamp::from_millisecond(verdict.time).map(|time| time.to_string()).unwrap_or_default();
    let (word, why) = if verdict.stays.is_empty() {
        ("forget", String::new())
    } else {
        let reasons: Vec<String> = verdict.stays.iter().map(ToString::to_string).collect();
        ("keep  ", format!("  kept because: {}", reasons.join("; ")))
    };
    format!("  {word} {}  {time}{why}\n", verdict.set)
}

/// How many were forgotten.
pub fn end(count: usize, dry_run: bool) -> String {
    let sets = if count == 1 { "1 set".to_owned() } else { format!("{count} sets") };
    match (count, dry_run) {
        (0, _) => "No set is forgotten.".into(),
        (_, true) => format!("{sets} would be forgotten."),
        (_, false) => format!("{sets} forgotten. `anchorlog vault prune` gives back the room."),
    }
}
