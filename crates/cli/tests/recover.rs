//! `recover` as people and scripts use it: verdicts, consent, options, interruption and sudden death.

mod common;

use anchorlog_testkit::data;
use common::{anchorlog, code, contents, copy_of, equals_the_engine, large, names, program, said, set};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What the program printed, which must be one JSON value.
fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// The verdicts of a recovery's report; its JSON says everything else as well.
fn verdicts(output: &Output) -> Vec<String> {
    let value = json(output);
    let report = if value["report"].is_null() { &value["plan"] } else { &value["report"] };
    let databases = report["databases"].as_array().unwrap_or_else(|| panic!("{value}"));
    databases.iter().map(|database| database["verdict"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_verdict_has_its_words_and_its_exit_code() {
    let crash = copy_of("micro-insert", "before");
    let run = |arguments: &[&str]| {
        let output = anchorlog(&[&["recover", "--json", "-q"], arguments].concat(), crash.path());
        (code(&output), verdicts(&output))
    };
    let one = |code: i32, verdict: &str| (code, vec![verdict.to_owned()]);
    assert_eq!(run(&["work", "--out", "clean"]), one(0, "recovered"));
    assert_eq!(run(&["clean", "--out", "again"]), one(0, "already clean"));
    assert_eq!(run(&["work", "--out", "dirty", "--without-undo"]), one(0, "replayed, stays dirty as asked"));
    assert_eq!(run(&["dirty", "--out", "then"]), one(0, "recovered"));
    equals_the_engine("then/db/db1.edb", &set("micro-insert").folder().join("dump.jsonl"), crash.path());
    // A page that holds rows, and that no log makes anew.
    let path = crash.path().join("clean/db/db1.edb");
    let mut file = fs::read(&path).unwrap();
    file[5 * 4096 + 200..5 * 4096 + 240].fill(0xA5);
    fs::write(&path, file).unwrap();
    let refused = anchorlog(&["recover", "clean", "--out", "bad", "--json", "-q"], crash.path());
    assert_eq!(code(&refused), 3);
    let value = json(&refused);
    assert_eq!((&value["error"]["jet"], &value["findings"][0]["place"]["page"]), (&Value::from(-1018), &Value::from(4)));
    assert!(!crash.path().join("bad").exists());
    assert_eq!(run(&["clean", "--out", "bad", "--keep-damage"]), one(1, "recovered, damage kept"));
    fs::remove_dir_all(crash.path().join("work/log")).unwrap();
    assert_eq!(run(&["work", "--out", "none"]), one(3, "refused"));
    assert!(!crash.path().join("none").exists());
}

#[test]
fn a_loss_is_accepted_only_by_its_generation_and_within_its_limit() {
    if data::engine_set("lost-4k-waypoint").is_none() {
        return;
    }
    let crash = copy_of("lost-4k-waypoint", "base");
    fs::remove_file(crash.path().join("work/log/edb.log")).unwrap();
    let plan = anchorlog(&["recover", "work", "--out", "new", "--json"], crash.path());
    assert_eq!(code(&plan), 3);
    let value = json(&plan);
    assert_eq!(value["plan"]["engine"], -582);
    let first = value["plan"]["loss"]["first"].as_u64().unwrap();
    let shown = anchorlog(&["recover", "work", "--out", "new"], crash.path());
    assert!(said(&shown).contains(&format!("--accept-loss {first:#x}")), "{}", said(&shown));
    let accept = |generation: u64, more: &[&str]| {
        let generation = format!("{generation:#x}");
        anchorlog(
            &[&["recover", "work", "--out", "new", "--json", "-q", "--accept-loss", &generation], more].concat(),
            crash.path(),
        )
    };
    for refused in [accept(first - 1, &[]), accept(first + 1, &[]), accept(first, &["--max-lost-logs", "0"])] {
        // A limit of none is no number above 0: usage.
        assert!(matches!(code(&refused), 2 | 3), "{}", said(&refused));
        assert!(!crash.path().join("new").exists());
    }
    let accepted = accept(first, &["--max-lost-logs", "1"]);
    assert_eq!((code(&accepted), verdicts(&accepted)), (1, vec!["recovered, loss accepted".to_owned()]));
    assert!(json(&accepted)["report"]["run"]["lost"].is_array());
    let dump = set("lost-4k-waypoint").folder().join("dump-no-edblog-ignorelost.jsonl");
    equals_the_engine("new/db/db1.edb", &dump, crash.path());
}

#[test]
fn a_dry_run_tells_the_plan_and_touches_nothing() {
    let crash = copy_of("micro-multi-db", "before");
    let before = contents(crash.path());
    for arguments in [
        &["recover", "work", "--dry-run"][..],
        &["recover", "work", "--dry-run", "--in-place"],
        &["recover", "work", "--out", "new", "--dry-run"],
    ] {
        let output = anchorlog(arguments, crash.path());
        assert_eq!(code(&output), 0, "{}", said(&output));
        assert!(said(&output).contains("preconditions") && said(&output).contains("steps"));
        assert_eq!(contents(crash.path()), before);
    }
    let value = json(&anchorlog(&["recover", "work", "--dry-run", "--json"], crash.path()));
    assert_eq!((&value["plan"]["possible"], value["plan"]["databases"].as_array().unwrap().len()), (&Value::from(true), 3));
    assert!(value["plan"]["steps"].as_array().unwrap().len() >= 4);
}

#[test]
fn logs_that_come_later_are_replayed_over_a_result_without_undo() {
    // A set that begins with an old copy of the database: the small one where the whole collection is not here.
    let name = ["rollforward-clean", "rollforward-logsonly"].into_iter().find(|name| data::engine_set(name).is_some()).unwrap();
    let crash = copy_of(name, "before");
    let logs = crash.path().join("work/log");
    let mut archives: Vec<String> = names(&logs).into_iter().filter(|name| name.len() > "edb.log".len()).collect();
    archives.retain(|name| !name.contains("tmp"));
    let later: Vec<String> = archives.split_off(archives.len() - 3);
    fs::create_dir(crash.path().join("later")).unwrap();
    for log in later.iter().map(String::as_str).chain(["edb.log"]) {
        fs::rename(logs.join(log), crash.path().join("later").join(log)).unwrap();
    }
    let output = anchorlog(&["recover", "work", "--out", "standby", "--without-undo", "--json", "-q"], crash.path());
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert_eq!(verdicts(&output)[0], "replayed, stays dirty as asked");
    for log in names(&crash.path().join("later")) {
        fs::copy(crash.path().join("later").join(&log), crash.path().join("standby/log").join(&log)).unwrap();
    }
    let output = anchorlog(&["recover", "standby", "--out", "new", "--json", "-q"], crash.path());
    assert_eq!((code(&output), verdicts(&output)[0].as_str()), (0, "recovered"), "{}", said(&output));
    equals_the_engine("new/db/db1.edb", &set(name).folder().join("dump.jsonl"), crash.path());
}

#[test]
fn files_that_lie_apart_are_brought_together() {
    let crash = copy_of("lost-4k-1db", "base");
    let here = crash.path();
    fs::create_dir(here.join("elsewhere")).unwrap();
    fs::rename(here.join("work/db/db1.edb"), here.join("elsewhere/mail.edb")).unwrap();
    fs::rename(here.join("work/log"), here.join("journal")).unwrap();
    let output = anchorlog(&["recover", "--database", "elsewhere/mail.edb", "--logs", "journal", "--out", "new", "-q"], here);
    assert_eq!(code(&output), 0, "{}", said(&output));
    equals_the_engine("new/mail.edb", &set("lost-4k-1db").folder().join("dump-none.jsonl"), here);
    assert!(here.join("new/edb.log").exists());
    // With a folder besides: its layout stays, what lies outside comes beside it.
    let output =
        anchorlog(&["recover", "work", "--database", "elsewhere/mail.edb", "--logs", "journal", "--out", "other", "-q"], here);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(here.join("other/mail.edb").exists() && here.join("other/journal/edb.log").exists());
    assert_eq!(code(&anchorlog(&["recover", "--database", "elsewhere/none.edb", "--logs", "journal", "--out", "x"], here)), 4);
}

#[test]
fn a_map_says_which_file_a_logged_name_means() {
    let crash = copy_of("lost-4k-1db", "base");
    let here = crash.path();
    // Two copies of one database: only the user knows which is meant.
    fs::create_dir(here.join("work/copies")).unwrap();
    fs::copy(here.join("work/db/db1.edb"), here.join("work/copies/b.edb")).unwrap();
    fs::rename(here.join("work/db/db1.edb"), here.join("work/copies/a.edb")).unwrap();
    let output = anchorlog(&["recover", "work", "--out", "new", "--map", "db1.edb=copies/b.edb", "--json", "-q"], here);
    let verdict = |value: &Value, path: &str| {
        let databases = value["report"]["databases"].as_array().or_else(|| value["plan"]["databases"].as_array()).unwrap();
        databases.iter().find(|database| database["path"] == path).map(|database| database["verdict"].to_string())
    };
    // The other copy stays dirty, and that is a refusal; without it the map alone decides.
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert_eq!(verdict(&json(&output), "copies/a.edb").as_deref(), Some("\"refused\""));
    fs::remove_file(here.join("work/copies/a.edb")).unwrap();
    let output = anchorlog(&["recover", "work", "--out", "new", "--map", r"R:\db\db1.edb=copies/b.edb", "--json", "-q"], here);
    assert_eq!(
        (code(&output), verdict(&json(&output), "copies/b.edb").as_deref()),
        (0, Some("\"recovered\"")),
        "{}",
        said(&output)
    );
    equals_the_engine("new/copies/b.edb", &set("lost-4k-1db").folder().join("dump-none.jsonl"), here);
    for wrong in ["db1.edb", "=x", "x="] {
        assert_eq!(code(&anchorlog(&["recover", "work", "--out", "y", "--map", wrong], here)), 2);
    }
}

#[test]
fn what_is_missing_is_made_anew_or_passed_over_only_as_told() {
    let crash = copy_of("lost-4k-3db", "base");
    fs::remove_file(crash.path().join("work/db/db2.edb")).unwrap();
    let refused = anchorlog(&["recover", "work", "--out", "new", "--json"], crash.path());
    assert_eq!((code(&refused), &json(&refused)["plan"]["engine"]), (3, &Value::from(-1216)));
    let output = anchorlog(&["recover", "work", "--out", "new", "--ignore-missing-database", "--json", "-q"], crash.path());
    assert_eq!((code(&output), verdicts(&output)), (0, vec!["recovered".to_owned(); 2]), "{}", said(&output));
    let made = copy_of("rollforward-logsonly", "before");
    let refused = anchorlog(&["recover", "work", "--out", "new", "--no-create"], made.path());
    assert_eq!(code(&refused), 3, "{}", said(&refused));
    assert_eq!(code(&anchorlog(&["recover", "work", "--out", "new", "-q"], made.path())), 0);
}

#[test]
fn every_command_says_how_it_is_used() {
    let here = tempfile::tempdir().unwrap();
    for command in [
        "inspect", "explain", "verify", "dump", "recover", "vault", "sets", "backup", "restore", "drill", "chain", "purge",
        "demo",
    ] {
        let output = anchorlog(&[command, "--help"], here.path());
        assert_eq!(code(&output), 0);
        assert!(said(&output).contains("Usage:"), "{command}");
    }
    let help = said(&anchorlog(&["recover", "--help"], here.path()));
    for option in [
        "--out",
        "--in-place",
        "--dry-run",
        "--database",
        "--logs",
        "--map",
        "--without-undo",
        "--accept-loss",
        "--max-lost-logs",
        "--to",
        "--ignore-missing-database",
        "--no-create",
        "--keep-damage",
        "--json",
        "Examples:",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
    assert!(said(&anchorlog(&["--help"], here.path())).contains("Exit codes"));
    assert_eq!(code(&anchorlog(&["--version"], here.path())), 0);
    assert_eq!(code(&anchorlog(&[], here.path())), 2);
}

/// The result of a run that was left alone: its files, and the engine's dump of its database.
fn is_whole(out: &Path, folder: &Path) {
    let listed = anchorlog(&["recover", "work", "--out", "reference", "-q"], folder);
    assert_eq!(code(&listed), 0, "{}", said(&listed));
    let reference = contents(&folder.join("reference"));
    assert_eq!(contents(out).keys().collect::<Vec<_>>(), reference.keys().collect::<Vec<_>>());
    fs::remove_dir_all(folder.join("reference")).unwrap();
    equals_the_engine(&out.join("db/db1.edb").display().to_string(), &set(large()).folder().join("dump.jsonl"), folder);
}

#[test]
fn a_run_that_is_killed_at_any_moment_leaves_the_whole_result_or_none_and_the_next_one_cleans_up() {
    let crash = copy_of(large(), "before");
    let source = contents(&crash.path().join("work"));
    let out = crash.path().join("new");
    let began = Instant::now();
    assert_eq!(code(&anchorlog(&["recover", "work", "--out", "new", "-q"], crash.path())), 0);
    let whole = began.elapsed();
    fs::remove_dir_all(&out).unwrap();
    let mut killed = 0;
    for part in 0..24_u32 {
        let mut run = program()
            .args(["recover", "work", "--out", "new", "-q"])
            .current_dir(crash.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * part / 20);
        _ = run.kill();
        run.wait().unwrap();
        assert_eq!(contents(&crash.path().join("work")), source, "a source was touched");
        if out.exists() {
            is_whole(&out, crash.path());
            fs::remove_dir_all(&out).unwrap();
        } else {
            killed += 1;
        }
    }
    assert!(killed > 2, "only {killed} of 24 runs were killed before their end");
    let last = anchorlog(&["recover", "work", "--out", "new", "-q"], crash.path());
    assert_eq!(code(&last), 0, "{}", said(&last));
    assert_eq!(names(crash.path()), ["new", "work"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_run_and_leaves_nothing() {
    let crash = copy_of(large(), "before");
    let source = contents(&crash.path().join("work"));
    let mut interrupted = 0;
    for wait in 0..12_u64 {
        let run = program()
            .args(["recover", "work", "--out", "new", "-q"])
            .current_dir(crash.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 * wait));
        _ = Command::new("kill").args(["-INT", &run.id().to_string()]).output();
        let output = run.wait_with_output().unwrap();
        match output.status.code() {
            Some(130) => {
                interrupted += 1;
                assert_eq!(names(crash.path()), ["work"], "{}", said(&output));
            }
            Some(0) => {
                assert_eq!(names(crash.path()), ["new", "work"]);
                fs::remove_dir_all(crash.path().join("new")).unwrap();
            }
            // The signal came before it was watched for.
            None => assert_eq!(names(crash.path()), ["work"]),
            other => panic!("{other:?}: {}", said(&output)),
        }
        assert_eq!(contents(&crash.path().join("work")), source);
    }
    assert!(interrupted > 0, "no run was interrupted");
}

/// A disk that is full, as far as a program can tell: a file may not grow beyond a limit.
#[cfg(unix)]
#[test]
fn a_write_that_fails_publishes_nothing_and_says_why() {
    let crash = copy_of("micro-insert", "before");
    let source = contents(&crash.path().join("work"));
    // Units are 512 or 1024 bytes, as the shell has it: enough for a log, not for the database.
    let script = "trap '' XFSZ; ulimit -f 100 && exec \"$0\" recover work --out new --json -q";
    let output =
        Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_anchorlog")]).current_dir(crash.path()).output().unwrap();
    assert_eq!(code(&output), 4, "{}", said(&output));
    let value = json(&output);
    assert!(value["error"]["jet"].as_i64().is_some_and(|jet| jet < 0), "{value}");
    assert!(value["untouched"].as_str().unwrap().contains("Nothing was published"));
    assert_eq!((names(crash.path()), contents(&crash.path().join("work"))), (vec!["work".to_owned()], source));
    // A place that cannot be made.
    fs::write(crash.path().join("file"), "mine").unwrap();
    let output = anchorlog(&["recover", "work", "--out", "file/new", "--json", "-q"], crash.path());
    assert_eq!(code(&output), 4, "{}", said(&output));
    assert_eq!(fs::read_to_string(crash.path().join("file")).unwrap(), "mine");
}
