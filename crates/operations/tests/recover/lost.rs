//! Every case of missing, foreign and damaged files, made: what the engine recovers we recover to the same content, what it refuses we
//! refuse with its code, and where it leaves a database dirty behind a success we refuse as well.

use super::cases::{self, Case};
use super::common::{
    Recovery, compare_dump, databases, digests, findings_of, for_each, header_of, names, none_wrong, recover, recover_with,
    with_consent,
};
use anchorlog_database::canonical::Tables;
use anchorlog_format::database::DatabaseState;
use anchorlog_format::finding::Severity;
use anchorlog_operations::recover::{Inputs, Options, Place, Sources, Verdict};
use anchorlog_testkit::dump_text::engine_dumps;
use anchorlog_testkit::header_text::{HeaderText, header_texts};
use std::fs;
use std::path::Path;

// trap ops-3 O21
#[test]
fn every_case_of_missing_and_damaged_files_ends_as_with_the_engine() {
    let cases = cases::all();
    let wrong = for_each(&cases, |case| compared(case).into_iter().map(|found| format!("{}: {found}", case.name())).collect());
    none_wrong(cases.len(), &wrong);
}

/// How a case ends here.
#[derive(Debug, PartialEq)]
enum Expected {
    /// Clean, with the content of this dump where the set has one.
    Clean,
    /// Dirty, as the stop or the missing undo asks for.
    Dirty,
    /// Refused with this code.
    Refused(i32),
}

fn expected(case: &Case) -> Expected {
    let states: Vec<&str> =
        case.value["databases"].as_object().unwrap().values().filter_map(|database| database["state"].as_str()).collect();
    match case.code() {
        // The stop lies before the checkpoint: the engine does nothing, and here that is a refusal.
        -579 if case.value["files_changed"].as_array().unwrap().is_empty() => Expected::Refused(-579),
        // The engine never undoes at a stop; here that takes an option.
        -579 if !case.wanted().options.without_undo => Expected::Clean,
        -579 | -584 => Expected::Dirty,
        // What has no counterpart here is as it would be without it: all logs gone, and a database that stays dirty (deliberate
        // differences of docs/testing.md).
        -528 if case.id() == "all-logs-mustexist" => Expected::Refused(-550),
        -545 => Expected::Clean,
        code if code < 0 => Expected::Refused(code),
        // Success over a database that stays dirty, or without any database, is a refusal here.
        _ if states.iter().any(|state| *state != "Clean Shutdown") => Expected::Refused(-550),
        _ if states.is_empty() => Expected::Refused(0),
        _ => Expected::Clean,
    }
}

fn compared(case: &Case) -> Vec<String> {
    let mut problems = Vec::new();
    let place = tempfile::tempdir().unwrap();
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    case.lay_out(&source);
    let untouched = digests(&source);
    let wanted = case.wanted();
    let options = if wanted.accepts_loss { with_consent(&source, wanted.options.clone()) } else { wanted.options.clone() };
    let recovery = recover(&source, &out, &options);
    if digests(&source) != untouched {
        problems.push("the source was changed".into());
    }
    match expected(case) {
        Expected::Refused(code) => {
            if recovery.made.is_ok() || (code != 0 && recovery.code() != Some(code)) {
                problems.push(format!("refused with {code} by the engine; here {:?}", recovery.made.map(|_| "done")));
            }
            if names(place.path()) != ["source"] {
                problems.push(format!("a refusal leaves {:?}", names(place.path())));
            }
        }
        ending => match &recovery.made {
            Ok(_) => problems.extend(right_result(case, &recovery, &ending, &source, &out)),
            Err(error) => problems.push(format!("not recovered: {error} {:?}", recovery.plan.faults)),
        },
    }
    problems
}

fn right_result(case: &Case, recovery: &Recovery, ending: &Expected, source: &Path, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let report = recovery.report();
    let (state, verdict) = match ending {
        Expected::Dirty => (DatabaseState::DirtyShutdown, Verdict::StaysDirty),
        _ if case.code() == 585 => (DatabaseState::CleanShutdown, Verdict::LossAccepted),
        _ => (DatabaseState::CleanShutdown, Verdict::Recovered),
    };
    for database in &report.databases {
        if database.verdict != verdict {
            problems.push(format!("{}: {}, not {verdict}", database.path, database.verdict));
        }
    }
    for (name, path) in databases(out) {
        let header = header_of(&path).header;
        if header.state != state || !header.broken_rules().is_empty() {
            problems.push(format!("{name}: {} {:?}", header.state, header.broken_rules()));
        }
        problems.extend(findings_of(&path).iter().filter(|found| found.severity == Severity::Error).map(ToString::to_string));
    }
    if let Some(stop) = case.wanted().options.stop {
        // Later logs do not go into the result: it would have another history from there on.
        let behind = source.join(format!("log/edb{:05X}.log", stop.generation().0 + 2));
        let run = report.run.as_ref().unwrap();
        let left_out = &run.left_out;
        if run.commits_left_out == 0 {
            problems.push("no commit was left out".into());
        }
        if !behind.exists() || out.join("log").join(behind.file_name().unwrap()).exists() || left_out.is_empty() {
            problems.push(format!("the logs behind the stop: {left_out:?}, {:?}", names(&out.join("log"))));
        }
    }
    if *ending == Expected::Clean {
        problems.extend(case.dump("dump").iter().flat_map(|dump| same_content(dump, out)));
        if report.run.as_ref().is_some_and(|run| run.warning.map_or(0, |warning| warning.0) != case.code().max(0)) {
            problems.push(format!("warning {:?}", report.run.as_ref().map(|run| run.warning)));
        }
        return problems;
    }
    problems.extend(headers_after(case, out));
    problems.extend(then_recovered(case, recovery, source, out));
    problems
}

fn same_content(dump: &Path, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    // A map moves a database to another name: where there is one alone, it is meant.
    let ours = databases(out);
    let theirs = engine_dumps(dump);
    for (name, text) in &theirs {
        let alone = || (ours.len() == 1 && theirs.len() == 1).then(|| ours.values().next()).flatten();
        match ours.get(name).or_else(alone) {
            Some(path) => compare_dump(name, path, text, Tables::Users, &mut problems),
            None => problems.push(format!("{name} is not in the result")),
        }
    }
    problems
}

/// The header of a database that stays dirty, where the set has the engine's: its required range and where it was attached.
fn headers_after(case: &Case, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let path = case.set.folder().join(format!("mh-after-{}.txt", case.id()));
    let Ok(text) = fs::read(&path) else { return problems };
    for theirs in header_texts(&String::from_utf8_lossy(&text)) {
        let Some(database) = databases(out).remove(&theirs.file) else { continue };
        let ours = header_of(&database).header;
        // An engine with waypoints keeps pages of the newest logs in memory and throws them away; ours are written, and so required.
        let waypoints = case.set.meta()["parameters"]["WaypointLatency"].as_i64().is_some_and(|logs| logs > 0);
        let last = if waypoints { theirs_required(&theirs) } else { ours.max_required.0 };
        let required = format!("Log Required: {}-{last} ", ours.min_required.0);
        let committed = format!("Log Committed: 0-{} ", ours.max_committed.0);
        for line in [required, committed, format!("State: {}", ours.state), format!("dbtime: {} ", ours.dbtime.0)] {
            if !theirs.lines.iter().any(|other| other.starts_with(&line)) {
                problems.push(format!("{}: {line}; the engine's: {:?}", theirs.file, &theirs.lines[10..16]));
            }
        }
    }
    problems
}

/// The last required generation of the engine's header.
fn theirs_required(theirs: &HeaderText) -> u32 {
    let range = theirs.value("Log Required").unwrap();
    range.split(['-', ' ']).nth(1).unwrap().parse().unwrap()
}

/// A normal recovery of what stayed dirty, with all logs: the same as without the stop between.
fn then_recovered(case: &Case, recovery: &Recovery, source: &Path, out: &Path) -> Vec<String> {
    let Some(dump) = case.dump("then_dump") else { return Vec::new() };
    let place = tempfile::tempdir().unwrap();
    let then = place.path().join("then");
    let left_out = recovery.report().run.as_ref().is_some_and(|run| !run.left_out.is_empty());
    let made = if left_out {
        // The later logs come from where they always were.
        let databases: Vec<_> = databases(out).into_values().collect();
        let inputs = Inputs { folder: source.join("log"), databases, logs: None };
        recover_with(&Sources::gather(&inputs).unwrap(), &Place::Out(then.clone()), &Options::default(), &mut ())
    } else {
        recover(out, &then, &Options::default())
    };
    match &made.made {
        Ok(_) => same_content(&dump, &then),
        Err(error) => vec![format!("then not recovered: {error} {:?}", made.plan.faults)],
    }
}

// trap ops-3 O20
#[test]
fn consent_to_loss_names_the_generations_that_are_given_up() {
    let cases = cases::all();
    let mut seen = 0;
    for case in cases.iter().filter(|case| case.code() == 585) {
        let place = tempfile::tempdir().unwrap();
        let (source, out) = (place.path().join("source"), place.path().join("out"));
        case.lay_out(&source);
        let options = case.wanted().options;
        let refused = recover(&source, &out, &options);
        assert!(refused.made.is_err() && !out.exists(), "{}", case.name());
        let loss = refused.plan.loss.unwrap();
        // Another generation than the computed one is refused, whichever way it is wrong.
        for wrong in [loss.first.0 - 1, loss.first.0 + 1] {
            let options = Options { accept_loss: Some(anchorlog_format::units::Generation(wrong)), ..options.clone() };
            assert!(recover(&source, &out, &options).made.is_err() && !out.exists(), "{} {wrong:#x}", case.name());
        }
        let accepted = Options { accept_loss: Some(loss.first), max_lost_logs: Some(loss.count()), ..options.clone() };
        let made = recover(&source, &out, &accepted);
        let lost = made.report().run.as_ref().unwrap().lost.unwrap();
        assert_eq!((lost.0.0 + 1, Some(lost.1)), (loss.first.0, loss.last), "{}", case.name());
        assert!(made.report().used_consent());
        let too_many = Options { max_lost_logs: Some(loss.count() - 1), ..accepted };
        assert!(recover(&source, &place.path().join("other"), &too_many).made.is_err(), "{}", case.name());
        seen += 1;
    }
    assert!(seen > 0 || cases.iter().all(|case| !case.set.name.contains("waypoint")));
}
