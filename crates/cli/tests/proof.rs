//! Signed proofs, drills, the listing and the watch, as people and scripts use them.

mod common;

use common::{anchorlog, code, copy_of, said};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    anchorlog(&[arguments, &["--vault", "vault", "--key-file", "key", "-q"]].concat(), folder)
}

fn good(folder: &Path, arguments: &[&str]) -> Output {
    let output = run(folder, arguments);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", said(&output));
    output
}

/// A folder with a stopped database in `work`, and a vault.
fn with_vault(more: &[&str]) -> tempfile::TempDir {
    let place = copy_of("micro-insert", "after");
    let made = anchorlog(&[&["vault", "init", "vault", "--new-key-file", "key"], more].concat(), place.path());
    assert_eq!(code(&made), 0, "{}", said(&made));
    place
}

fn public_key(folder: &Path) -> String {
    json(&good(folder, &["vault", "key", "proof", "--json"]))["proof_keys"][0].as_str().unwrap().to_owned()
}

#[test]
fn a_new_vault_signs_its_proofs_and_a_drill_adds_a_signed_one_with_its_figures() {
    let place = with_vault(&[]);
    let root = place.path();
    let key = public_key(root);
    assert!(said(&good(root, &["vault", "check"])).contains(&format!("proofs are signed with {key}")));
    good(root, &["backup", "offline", "work", "--hash-rows"]);
    let planned = good(root, &["drill", "--sample", "50%", "--scratch", ".", "--dry-run"]);
    assert!(said(&planned).contains("would drill ") && said(&planned).contains("proved L2"), "{}", said(&planned));
    let drilled = good(root, &["drill", "--sample", "1", "--scratch", ".", "--json"]);
    let drill = &json(&drilled)["drill"];
    assert_eq!((drill["level"].as_str(), drill["signed"]["good"].as_str()), (Some("L4"), Some(&*key)));
    assert_eq!((drill["compared_with_source"].as_bool(), drill["compared"].as_bool()), (Some(true), Some(false)));
    assert!(drill["figures"]["rows"].as_u64().unwrap() > 0 && drill["figures"]["pages"].as_u64().unwrap() > 0);
    let listed = said(&good(root, &["sets", "ls"]));
    assert!(listed.contains("proved L4 on ") && listed.contains(", signed") && listed.contains("restorable up to "), "{listed}");
    let listed = json(&good(root, &["sets", "ls", "--json"]));
    assert_eq!((listed["proof"]["level"].as_str(), listed["proofs"].as_array().unwrap().len()), (Some("L4"), 2));
    assert!(listed["stored"].as_u64().unwrap() > 0 && listed["restorable"][0]["until"]["utc"].is_string(), "{listed}");
    let again = said(&good(root, &["drill", "--all", "--scratch", "."]));
    assert!(again.contains("equal to its first proof and to its source") && again.contains("rows hashed"), "{again}");
}

#[test]
fn a_proof_key_that_is_kept_outside_signs_only_where_it_is_given() {
    let place = with_vault(&["--new-proof-key", "proof.key"]);
    let root = place.path();
    let shown = said(&good(root, &["vault", "key", "proof"]));
    assert!(shown.contains("is kept outside the vault"), "{shown}");
    good(root, &["backup", "offline", "work"]);
    assert!(said(&good(root, &["sets", "ls"])).contains("not signed"));
    good(root, &["drill", "latest", "--scratch", ".", "--proof-key", "proof.key"]);
    assert!(said(&good(root, &["sets", "ls"])).contains("proved L4 on "));
    assert!(!said(&good(root, &["sets", "ls"])).contains("not signed"));
    fs::write(root.join("other.key"), "11".repeat(32)).unwrap();
    let wrong = run(root, &["drill", "latest", "--scratch", ".", "--proof-key", "other.key"]);
    assert_eq!(code(&wrong), 2, "{}", said(&wrong));
    assert!(said(&wrong).contains("none of this vault"), "{}", said(&wrong));
    fs::write(root.join("other.key"), "no key").unwrap();
    assert_eq!(code(&run(root, &["drill", "latest", "--scratch", ".", "--proof-key", "other.key"])), 2);
    // The file is never overwritten.
    let before = fs::read(root.join("proof.key")).unwrap();
    let again = anchorlog(&["vault", "init", "second", "--key-file", "key", "--new-proof-key", "proof.key"], root);
    assert_ne!(code(&again), 0);
    assert!(fs::read(root.join("proof.key")).unwrap() == before && !root.join("second").exists());
}

#[test]
fn the_watch_has_the_exit_codes_of_nagios_and_one_status_line() {
    let place = with_vault(&[]);
    let root = place.path();
    let empty = run(root, &["monitor"]);
    assert_eq!(code(&empty), 2, "{}", said(&empty));
    assert!(said(&empty).starts_with("ANCHORLOG CRITICAL - there is no set in the vault | "), "{}", said(&empty));
    good(root, &["backup", "offline", "work"]);
    let fine = said(&good(root, &["monitor", "--logs", "work"]));
    assert!(fine.starts_with("ANCHORLOG OK - 1 sets, 1 databases"), "{fine}");
    assert!(
        fine.contains("backup_age=") && fine.contains("s;;93600;0") && fine.contains("gaps=0;;;0") && fine.lines().count() == 1,
        "{fine}"
    );
    let unproved = run(root, &["monitor", "--quick", "--max-proof-age", "35d"]);
    assert_eq!(code(&unproved), 1, "{}", said(&unproved));
    assert!(said(&unproved).contains("\n  next: Run `anchorlog drill"), "{}", said(&unproved));
    good(root, &["drill", "latest", "--scratch", "."]);
    good(root, &["monitor", "--quick", "--max-proof-age", "35d", "--expect-key", &public_key(root)]);
    let other = run(root, &["monitor", "--expect-key", &"02".repeat(32)]);
    assert!(code(&other) == 2, "{}", said(&other));
    let told = json(&run(root, &["monitor", "--json"]));
    assert_eq!((told["monitor"]["state"].as_str(), told["monitor"]["sets"].as_u64()), (Some("ok"), Some(1)));
    let nothing = anchorlog(&["monitor", "--vault", "nowhere", "--key-file", "key"], root);
    assert_eq!(code(&nothing), 3, "{}", said(&nothing));
    assert!(said(&nothing).starts_with("ANCHORLOG UNKNOWN - "), "{}", said(&nothing));
    // A pack that is gone.
    let pack = fs::read_dir(root.join("vault/data")).unwrap().flatten().flat_map(|folder| fs::read_dir(folder.path()).unwrap());
    for pack in pack.flatten() {
        fs::remove_file(pack.path()).unwrap();
    }
    let damaged = run(root, &["monitor"]);
    assert_eq!(code(&damaged), 2, "{}", said(&damaged));
    assert!(said(&damaged).contains("damaged="), "{}", said(&damaged));
}

#[test]
fn the_watch_speaks_the_text_format_of_prometheus() {
    let place = with_vault(&[]);
    let root = place.path();
    good(root, &["backup", "offline", "work"]);
    let text = String::from_utf8(good(root, &["monitor", "--prometheus"]).stdout).unwrap();
    let mut described = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kind == "gauge" && described.insert(name.to_owned()), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok() && described.contains(series.split('{').next().unwrap()), "{line}");
        }
    }
    assert!(text.ends_with('\n') && text.contains("\nanchorlog_state 0\n"), "{text}");
    assert!(text.contains("anchorlog_database_backup_timestamp_seconds{host=\"") && text.contains(",database=\""), "{text}");
    let unknown = anchorlog(&["monitor", "--prometheus", "--vault", "nowhere", "--key-file", "key"], root);
    assert_eq!(code(&unknown), 3);
    assert!(said(&unknown).contains("\nanchorlog_state 3\n"), "{}", said(&unknown));
}
