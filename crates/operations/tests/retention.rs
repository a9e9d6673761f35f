//! Which sets rules forget, over vaults whose sets are made of literal manifests.
#![allow(clippy::unwrap_used)]

use anchorlog_format::units::LogTime;
use anchorlog_operations::retention::{Error, Plan, Reason, Rule, Rules, plan};
use anchorlog_operations::sets::proof::ReadBack;
use anchorlog_operations::sets::{self, Level, Manifest, Proof};
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::{Hold, Name, NewSet, SetId, Vault};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a set of the tests is made of.
#[derive(Clone, Copy)]
struct Made<'a> {
    day: u8,
    source: &'a str,
    /// Signature of the database; none: logs alone.
    database: Option<u8>,
    stream: u8,
    needs: &'a [&'a SetId],
    proved: Option<Level>,
}

const FULL: Made<'_> = Made { day: 1, source: "/db", database: Some(1), stream: 7, needs: &[], proved: Some(Level::L2) };
const LOGS: Made<'_> = Made { database: None, source: "/log", ..FULL };

fn signature(number: u8) -> String {
    format!("{number:02x}").repeat(28)
}

fn manifest(made: Made<'_>) -> Manifest {
    let time = json!({ "raw": "0000000000000000" });
    let position = "00000001,0001,0000";
    let database = made.database.map(|number| {
        json!({ "signature": signature(number), "log_signature": signature(made.stream), "state": 3, "state_name": "clean",
            "page_size": 4096, "format": "", "update": 1, "dbtime": 1, "consistent": position, "consistent_time": time,
            "attached": position, "detached": position, "min_required": 0, "max_required": 0, "max_committed": 0, "repairs": 0,
            "recovering": 0 })
    });
    let role = if database.is_some() { "database" } else { "log" };
    let value: Value = json!({ "format": "anchorlog set", "version": 1, "kind": if database.is_some() { "offline" } else { "logs" },
        "begun": time, "ended": time, "host": "server", "environment": { "program": "", "system": "" }, "partial": false,
        "level": "L2", "streams": [{ "signature": signature(made.stream), "base": "edb", "extension": "log", "wide": false,
            "circular": false }],
        "files": [{ "name": "a.edb", "role": role, "source": "", "size": 1, "blake3": "00".repeat(32), "database": database }],
        "evidence": [], "notes": [] });
    serde_json::from_value(value).unwrap()
}

fn add(vault: &MemoryVault, made: Made<'_>) -> SetId {
    let manifest = manifest(made);
    let time: Timestamp = format!("2026-03-{:02}T12:00:00Z", made.day).parse().unwrap();
    let needs = made.needs.iter().map(|set| (*set).clone()).collect();
    let new =
        NewSet { time: time.as_millisecond(), host: "server".into(), source: made.source.into(), needs, ..NewSet::default() };
    let set = vault.begin_set(new).unwrap().publish(&manifest.to_bytes().unwrap()).unwrap();
    if let Some(level) = made.proved {
        let file = &manifest.files[0];
        let streams = vec![ReadBack { name: file.name.clone(), blake3: file.blake3 }];
        Proof::new(level, LogTime::default().into(), streams, None).attach(vault, &set, None).unwrap();
    }
    set
}

fn of(vault: &MemoryVault, rules: &Rules) -> Plan {
    plan(vault, rules, "2026-04-01T00:00:00Z".parse().unwrap()).unwrap()
}

fn stays(plan: &Plan, set: &SetId) -> Vec<Reason> {
    let mut verdicts = plan.groups.iter().flat_map(|group| &group.sets).chain(&plan.unreadable);
    verdicts.find(|verdict| verdict.set == *set).unwrap().stays.clone()
}

fn last(count: u32) -> Rules {
    Rules { last: count, ..Rules::default() }
}

#[test]
fn a_rule_counts_by_itself_for_each_source_stream_and_database() {
    let vault = MemoryVault::new();
    let old = add(&vault, FULL);
    let others = [
        add(&vault, Made { day: 2, source: "/other", ..FULL }),
        add(&vault, Made { day: 3, stream: 8, ..FULL }),
        add(&vault, Made { day: 4, database: Some(2), ..FULL }),
        add(&vault, Made { day: 5, database: None, ..FULL }),
    ];
    let new = add(&vault, Made { day: 6, ..FULL });
    let plan = of(&vault, &last(1));
    assert_eq!(plan.forgotten, [old]);
    assert_eq!(plan.groups.len(), 5);
    for set in others.iter().chain([&new]) {
        assert!(stays(&plan, set).contains(&Reason::Rule(Rule::Last)), "{set}");
    }
}

#[test]
fn a_set_that_a_kept_one_needs_stays_and_all_that_it_needs() {
    let vault = MemoryVault::new();
    let old = add(&vault, FULL);
    let gone = add(&vault, Made { day: 2, needs: &[&old], ..LOGS });
    let base = add(&vault, Made { day: 3, ..FULL });
    let between = add(&vault, Made { day: 4, needs: &[&base], ..LOGS });
    let newest = add(&vault, Made { day: 5, needs: &[&between], ..LOGS });
    let later = add(&vault, Made { day: 6, ..FULL });
    let plan = of(&vault, &last(1));
    assert_eq!(plan.forgotten, [old, gone]);
    assert_eq!(stays(&plan, &base), [Reason::NeededBy(between.clone())]);
    assert_eq!(stays(&plan, &between), [Reason::NeededBy(newest)]);
    assert!(stays(&plan, &later).contains(&Reason::LastOf("a.edb".into())));
    vault.forget(&plan.forgotten).unwrap();
}

#[test]
fn the_last_proved_set_of_a_database_stays_whatever_the_rules_are() {
    let vault = MemoryVault::new();
    let proved = add(&vault, FULL);
    // Neither of these is proved: nobody knows whether they are of any use.
    let unproved = add(&vault, Made { day: 2, proved: None, ..FULL });
    add(&vault, Made { day: 3, proved: Some(Level::Unproven), ..FULL });
    let plan = of(&vault, &last(1));
    assert_eq!(stays(&plan, &proved), [Reason::LastOf("a.edb".into())]);
    assert_eq!(plan.forgotten, [unproved]);
    // Where none is proved, the newest stays; here no rule keeps the older group.
    let vault = MemoryVault::new();
    add(&vault, Made { proved: None, ..FULL });
    let newest = add(&vault, Made { day: 2, proved: None, ..FULL });
    add(&vault, Made { day: 9, database: None, ..FULL });
    let within = Rules { within: Some("1h".parse().unwrap()), ..Rules::default() };
    assert!(stays(&of(&vault, &within), &newest).contains(&Reason::LastOf("a.edb".into())));
}

#[test]
fn a_held_set_stays_with_what_it_needs_until_its_time_is_over() {
    let vault = MemoryVault::new();
    let base = add(&vault, FULL);
    let logs = add(&vault, Made { day: 2, needs: &[&base], ..LOGS });
    add(&vault, Made { day: 3, ..LOGS });
    add(&vault, Made { day: 4, ..FULL });
    assert_eq!(of(&vault, &last(1)).forgotten, [base.clone(), logs.clone()]);
    let until = |text: &str| Hold { until: Some(text.parse().unwrap()), reason: "an audit".into() };
    sets::hold(&vault, &logs, Some(&until("2100-01-01T00:00:00Z"))).unwrap();
    let plan = of(&vault, &last(1));
    assert_eq!(plan.forgotten, []);
    assert_eq!(stays(&plan, &base), [Reason::NeededBy(logs.clone())]);
    assert!(stays(&plan, &logs)[0].to_string().contains("an audit"));
    sets::hold(&vault, &logs, Some(&until("2026-03-30T00:00:00Z"))).unwrap();
    assert_eq!(of(&vault, &last(1)).forgotten, [base.clone(), logs.clone()]);
    sets::hold(&vault, &logs, Some(&Hold::default())).unwrap();
    assert_eq!(of(&vault, &last(1)).forgotten, []);
    sets::hold(&vault, &logs, None).unwrap();
    assert_eq!(of(&vault, &last(1)).forgotten, [base, logs]);
}

#[test]
fn what_cannot_be_read_stays_with_what_it_needs() {
    let vault = MemoryVault::new();
    let base = add(&vault, FULL);
    let strange = NewSet { needs: vec![base.clone()], ..NewSet::default() };
    let strange = vault.begin_set(strange).unwrap().publish(b"no manifest").unwrap();
    let middle = add(&vault, Made { day: 2, ..FULL });
    add(&vault, Made { day: 3, ..FULL });
    let plan = of(&vault, &last(1));
    assert_eq!(plan.forgotten, [middle]);
    assert!(matches!(&stays(&plan, &strange)[..], [Reason::Unreadable(_)]));
    assert_eq!(stays(&plan, &base), [Reason::NeededBy(strange)]);
}

#[test]
fn without_a_rule_nothing_is_forgotten() {
    let vault = MemoryVault::new();
    add(&vault, FULL);
    assert!(matches!(plan(&vault, &Rules::default(), Timestamp::UNIX_EPOCH), Err(Error::NoRule)));
}

#[test]
fn the_newest_label_counts_and_covers_the_one_of_the_making() {
    let vault = MemoryVault::new();
    let set = add(&vault, FULL);
    let label = || sets::History::read(&vault).unwrap().sets[0].label.clone();
    assert_eq!(label(), "");
    for text in ["before the migration", "kept for ever", ""] {
        sets::label(&vault, &set, text).unwrap();
        assert_eq!(label(), text);
    }
    vault.attach(&set, &Name::new("label.json").unwrap(), b"torn").unwrap();
    assert_eq!(label(), "", "what cannot be read is no label");
}
