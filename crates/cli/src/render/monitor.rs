//! What `monitor` found, for Nagios and for Prometheus.

use crate::args::proof::Monitor;
use anchorlog_operations::monitor::{State, Watch, Watched, age};
use std::fmt::Write as _;

/// Concerns that are written out: programs that watch keep a few KiB of what is said.
const SHOWN: usize = 10;

/// Text without what Nagios gives a meaning.
pub fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "/")
}

/// The status line with performance data, and one line for each concern.
pub fn nagios(watch: &Watch, arguments: &Monitor, now: i64) -> String {
    let state = match watch.state {
        State::Ok => "OK",
        State::Warning => "WARNING",
        State::Critical => "CRITICAL",
    };
    let oldest = |at: fn(&Watched) -> Option<i64>| watch.databases.iter().map(at).min().flatten().map(|at| (now - at).max(0));
    let (backup, proof) = (oldest(|database| database.backup), oldest(|database| database.proof));
    let said = watch.concerns.first().map_or_else(
        || {
            let backup = backup.map_or_else(String::new, |old| format!(", the oldest of the newest backups {} old", age(old)));
            format!("{} sets, {} databases{backup}", watch.sets, watch.databases.len())
        },
        |worst| {
            let more = watch.concerns.len() - 1;
            format!("{}{}", worst.found, if more > 0 { format!(" (and {more} more)") } else { String::new() })
        },
    );
    let mut text = format!("ANCHORLOG {state} - {} |", one_line(&said));
    if let Some(old) = backup {
        let _ = write!(text, " backup_age={old}s;;{};0", arguments.max_age);
    }
    if let Some(old) = proof {
        let limit = arguments.max_proof_age.map_or_else(String::new, |limit| limit.to_string());
        let _ = write!(text, " proof_age={old}s;{limit};;0");
    }
    let counts = [
        ("sets", watch.sets),
        ("databases", watch.databases.len()),
        ("unreadable", watch.unreadable),
        ("damaged", watch.damaged),
    ];
    let others = [("gaps", watch.gaps), ("bad_signatures", watch.bad_signatures), ("locks", watch.locks)];
    for (name, count) in counts.into_iter().chain(others).chain(watch.waiting.map(|waiting| ("waiting_logs", waiting))) {
        let _ = write!(text, " {name}={count};;;0");
    }
    text.push('\n');
    for concern in watch.concerns.iter().take(SHOWN) {
        let state = if concern.state == State::Critical { "critical" } else { "warning" };
        let _ = writeln!(text, "{state}: {}\n  next: {}", one_line(&concern.found), concern.next);
    }
    if let Some(more) = watch.concerns.len().checked_sub(SHOWN + 1) {
        let _ = writeln!(text, "and {} more: --json has all of them", more + 1);
    }
    text
}

/// A gauge of Prometheus' text format: its help and its samples, each with labels and a value.
fn gauge(text: &mut String, name: &str, help: &str, samples: &[(String, i64)]) {
    if samples.is_empty() {
        return;
    }
    let _ = write!(text, "# HELP anchorlog_{name} {help}\n# TYPE anchorlog_{name} gauge\n");
    for (labels, value) in samples {
        let _ = writeln!(text, "anchorlog_{name}{labels} {value}");
    }
}

fn labels(database: &Watched) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{host=\"{}\",database=\"{}\"}}", quoted(&database.host), quoted(&database.path))
}

const STATE: (&str, &str) = ("state", "0 ok, 1 warning, 2 critical, 3 unknown.");
const RUN: (&str, &str) = ("run_timestamp_seconds", "When this was looked at.");

/// Prometheus' text format.
pub fn prometheus(watch: &Watch, now: i64) -> String {
    let mut text = String::new();
    let plain = |value: usize| vec![(String::new(), i64::try_from(value).unwrap_or(i64::MAX))];
    let state = match watch.state {
        State::Ok => 0,
        State::Warning => 1,
        State::Critical => 2,
    };
    gauge(&mut text, STATE.0, STATE.1, &plain(state));
    gauge(&mut text, RUN.0, RUN.1, &[(String::new(), now)]);
    gauge(&mut text, "sets", "Sets that can be read.", &plain(watch.sets));
    gauge(&mut text, "unreadable_sets", "Sets that cannot be read.", &plain(watch.unreadable));
    gauge(&mut text, "damaged_places", "Damaged places of the vault.", &plain(watch.damaged));
    gauge(&mut text, "chain_gaps", "Holes in chains of logs.", &plain(watch.gaps));
    gauge(&mut text, "bad_signatures", "Proofs with a bad signature.", &plain(watch.bad_signatures));
    gauge(&mut text, "abandoned_locks", "Locks that look abandoned.", &plain(watch.locks));
    if let Some(waiting) = watch.waiting {
        gauge(&mut text, "waiting_logs", "Closed logs that no set holds yet.", &plain(waiting));
    }
    let of = |at: fn(&Watched) -> Option<i64>| -> Vec<(String, i64)> {
        watch.databases.iter().filter_map(|database| Some((labels(database), at(database)?))).collect()
    };
    let help = "When the newest proved backup of the database was begun.";
    gauge(&mut text, "database_backup_timestamp_seconds", help, &of(|database| database.backup));
    let help = "When a backup of the database was proved by a replay last.";
    gauge(&mut text, "database_proof_timestamp_seconds", help, &of(|database| database.proof));
    text
}

/// The same where nothing can be told.
pub fn prometheus_unknown(now: i64) -> String {
    let mut text = String::new();
    gauge(&mut text, STATE.0, STATE.1, &[(String::new(), 3)]);
    gauge(&mut text, RUN.0, RUN.1, &[(String::new(), now)]);
    text
}
