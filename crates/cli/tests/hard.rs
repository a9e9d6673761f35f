//! `recover --hard` and `inspect Restore.env` as people and scripts use them.

mod common;

use anchorlog_format::units::LogTime;
use anchorlog_operations::restore::{Inputs, Options, make, online};
use anchorlog_replay::ambient::Ambient;
use anchorlog_testkit::data;
use common::{anchorlog, code, contents, copy_of, equals_the_engine, names, said, set};
use serde_json::Value;
use std::fs;
use std::process::Output;

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// A folder `waiting` in which the full set of `backup-stream-4k` waits for its end, and `work` with the set itself.
fn waiting() -> Option<tempfile::TempDir> {
    data::engine_set("backup-stream-4k")?;
    let place = copy_of("backup-stream-4k", "full");
    let inputs = Inputs { sets: vec![place.path().join("work")], production: None };
    let plan =
        online(&inputs, &place.path().join("waiting"), &Options { annotation: "Monday".into(), ..Options::default() }).unwrap();
    make(&plan, &Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7), &mut ()).unwrap();
    Some(place)
}

fn dump(stage: &str) -> std::path::PathBuf {
    set("backup-stream-4k").folder().join(format!("dump-{stage}.jsonl"))
}

#[test]
fn a_set_is_recovered_into_another_folder_and_the_set_stays_as_it_is() {
    if data::engine_set("backup-stream-4k").is_none() {
        return;
    }
    let place = copy_of("backup-stream-4k", "full");
    let before = contents(&place.path().join("work"));
    let soft = anchorlog(&["recover", "work", "--out", "new"], place.path());
    assert_eq!(code(&soft), 3);
    assert!(said(&soft).contains("-544") && said(&soft).contains("--hard"), "{}", said(&soft));
    let hard = anchorlog(&["recover", "--hard", "work", "--out", "new", "-q"], place.path());
    assert_eq!(code(&hard), 0, "{}", said(&hard));
    assert!(said(&hard).contains("take no more"), "{}", said(&hard));
    equals_the_engine("new/db1.edb", &dump("full"), place.path());
    assert!(contents(&place.path().join("work")) == before);
    // Nothing is ever overwritten.
    assert_eq!(code(&anchorlog(&["recover", "--hard", "work", "--out", "new"], place.path())), 3);
}

#[test]
fn a_set_goes_on_into_the_logs_of_production() {
    if data::engine_set("backup-stream-4k").is_none() {
        return;
    }
    let place = copy_of("backup-stream-4k", "full");
    data::copy_folder(&set("backup-stream-4k").folder().join("production/log"), &place.path().join("logs")).unwrap();
    let run = |arguments: &[&str]| {
        anchorlog(&[&["recover", "--hard", "work", "--production", "logs", "--json", "-q"], arguments].concat(), place.path())
    };
    let output = run(&["--out", "new"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    equals_the_engine("new/db1.edb", &dump("full_all_production-logs"), place.path());
    let closed = run(&["--out", "closed", "--closed-logs-only"]);
    assert_eq!(json(&closed)["report"]["warning"], 578);
    fs::remove_file(place.path().join("logs/edb00012.log")).unwrap();
    let refused = run(&["--out", "hole"]);
    assert_eq!(code(&refused), 3);
    let conditions = json(&refused)["plan"]["preconditions"].as_array().unwrap().clone();
    let broken: Vec<&Value> = conditions.iter().filter(|condition| condition["holds"] == false).collect();
    assert_eq!((&broken[0]["id"], &broken[0]["jet"]), (&Value::from("C2"), &Value::from(-565)));
    assert!(!place.path().join("hole").exists());
    let shown = anchorlog(&["recover", "--hard", "work", "--production", "logs", "--out", "hole"], place.path());
    assert!(said(&shown).contains("BROKEN C2") && said(&shown).contains("0x12"), "{}", said(&shown));
}

#[test]
fn a_restore_that_waits_is_looked_at_planned_and_ended_where_it_lies() {
    let Some(place) = waiting() else { return };
    let text = said(&anchorlog(&["inspect", "waiting/Restore.env"], place.path()));
    for wanted in ["restore environment", "waiting: more sets may follow", "Monday", "0x1 to 0x11", r"R:\db\db1.edb"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let value = json(&anchorlog(&["inspect", "waiting/Restore.env", "--json"], place.path()));
    assert_eq!(value["kind"], "restore environment");
    assert_eq!(value["sections"].as_array().unwrap().len(), 3);
    let before = contents(place.path());
    let planned = anchorlog(&["recover", "--hard", "waiting", "--dry-run"], place.path());
    assert_eq!(code(&planned), 0, "{}", said(&planned));
    for wanted in
        ["This can be recovered", "holds  H4", "holds  H12", "1. copy", "complete the headers from the trailers", "rests on"]
    {
        assert!(said(&planned).contains(wanted), "{wanted}: {}", said(&planned));
    }
    assert!(contents(place.path()) == before);
    let ended = anchorlog(&["recover", "--hard", "waiting", "--json", "-q"], place.path());
    assert_eq!(code(&ended), 0, "{}", said(&ended));
    let aside = json(&ended)["report"]["recovery"]["set_aside"].as_str().unwrap().to_owned();
    assert!(place.path().join(aside).join("db1.edb").is_file());
    equals_the_engine("waiting/db1.edb", &dump("full"), place.path());
    assert!(said(&anchorlog(&["inspect", "waiting/Restore.env"], place.path())).contains("done: "));
    // There is no second end.
    let again = anchorlog(&["recover", "--hard", "waiting"], place.path());
    assert_eq!(code(&again), 2);
    assert!(said(&again).contains("take no more logs"), "{}", said(&again));
    assert_eq!(names(place.path()), ["waiting", "work"]);
}

#[test]
fn what_does_not_belong_to_a_hard_recovery_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plain")).unwrap();
    for arguments in [
        &["recover", "--hard", "plain", "--without-undo"][..],
        &["recover", "--hard", "plain", "--to", "0x12"],
        &["recover", "--hard", "plain", "--accept-loss", "0x12"],
        &["recover", "plain", "--production", "plain", "--out", "new"],
        // No restore waits there, and no place for a result is named.
        &["recover", "--hard", "plain"],
    ] {
        assert_eq!(code(&anchorlog(arguments, folder.path())), 2, "{arguments:?}");
    }
    let out = anchorlog(&["recover", "--hard", "plain"], folder.path());
    assert!(said(&out).contains("no restore waits there") && said(&out).contains("--out"), "{}", said(&out));
    let help = said(&anchorlog(&["recover", "--help"], folder.path()));
    assert!(help.contains("--hard") && help.contains("-544"), "{help}");
}

#[test]
fn a_damaged_restore_env_is_told_and_never_followed_out_of_its_folder() {
    let Some(place) = waiting() else { return };
    let path = place.path().join("waiting/Restore.env");
    let good = fs::read_to_string(&path).unwrap();
    let broken = [
        good.replace("\"destination\": \"db1.edb\"", "\"destination\": \"../work/db1.edb\""),
        good.replace("environment 1\"", "environment 9\""),
        good[..good.len() / 2].to_owned(),
    ];
    for text in broken {
        assert!(text != good);
        fs::write(&path, &text).unwrap();
        let before = contents(place.path());
        assert_eq!(code(&anchorlog(&["inspect", "waiting/Restore.env"], place.path())), 1);
        let refused = anchorlog(&["recover", "--hard", "waiting"], place.path());
        assert_eq!(code(&refused), 2, "{}", said(&refused));
        assert!(contents(place.path()) == before);
    }
}
