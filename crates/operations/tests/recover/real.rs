//! Files of real machines: every recovery of the sets' oracles, planned and made.

use super::cases::{self, is_wanted};
use super::common::{Recovery, compare_dump, digests, for_each, header_of, names, plan_of, recover, with_consent};
use super::planning::is_coherent;
use anchorlog_database::canonical::Tables;
use anchorlog_format::database::DatabaseState;
use anchorlog_operations::recover::{MakeError, Options, Plan, Verdict};
use anchorlog_testkit::data::{self, EngineSet};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A recovery that the engine made of a set's files.
struct Case {
    set: EngineSet,
    oracle: Option<EngineSet>,
    value: Value,
    bits: u32,
}

impl Case {
    fn name(&self) -> String {
        format!("{} {}", self.set.name, self.value["case"].as_str().unwrap())
    }
    fn code(&self) -> i64 {
        self.value["jet_error"].as_i64().unwrap()
    }
    /// Where the engine of today makes the first pages of a database of old in its own form, we make those of old (trap Y17): its catalog
    /// differs from the real file's, ours does not.
    fn has_a_catalog_of_today(&self) -> bool {
        self.set.name == "roslyn-w7-chain" && self.value["case"] == "from-nothing"
    }
    /// The engine cannot keep the old format of 7.x logs (-1209); we can.
    fn is_of_old_format(&self) -> bool {
        self.code() == -1209 && self.value["parameters"]["engine_format"] == "JET_efvUsePersistedFormat"
    }
}

fn all() -> Vec<Case> {
    let mut found = Vec::new();
    let sets = data::real_sets();
    for set in sets.iter().filter(|set| set.name != "oracle" && is_wanted(&set.name)) {
        let oracle = sets.iter().find(|other| other.name == "oracle" && other.archive.parent() == set.archive.parent());
        let text = fs::read_to_string(set.archive.with_file_name("oracle.json")).unwrap();
        let cases: Value = serde_json::from_str(&text).unwrap();
        for value in cases["cases"].as_array().unwrap() {
            let Some(bits) = value["parameters"]["JetInit_grbit"].as_str() else { continue };
            // What a second run on changed files, or a case of several runs, gives is for the tests of replay to show.
            if value["inputs"].as_array().unwrap().iter().any(|input| input["when"].is_string()) || value["steps"].is_array() {
                continue;
            }
            let number = bits.split(' ').next().unwrap();
            let bits = number.strip_prefix("0x").map_or(0, |hex| u32::from_str_radix(hex, 16).unwrap());
            found.push(Case { set: set.clone(), oracle: oracle.cloned(), value: value.clone(), bits });
        }
    }
    found
}

/// The files of a real case: each under the name that the case gave it.
fn lay_out(case: &Value, set: &Path, root: &Path) {
    fs::create_dir_all(root.join("log")).unwrap();
    fs::create_dir_all(root.join("db")).unwrap();
    for input in case["inputs"].as_array().unwrap() {
        let (kind, from) =
            ["log", "checkpoint", "database"].iter().find_map(|kind| Some((*kind, input[*kind].as_str()?))).unwrap();
        let name = input["as"].as_str().unwrap_or_else(|| from.rsplit('/').next().unwrap());
        let place = if kind == "database" { "db" } else { "log" };
        let target = root.join(place).join(name);
        // Of two files under one name the later one was put over the earlier.
        fs::copy(set.join(from), &target).unwrap_or_else(|error| panic!("{from}: {error}"));
    }
}

#[test]
fn every_recovery_of_real_files_is_planned_and_made_as_the_engine_ended() {
    let cases = all();
    let wrong = for_each(&cases, |case| compared(case).into_iter().map(|found| format!("{}: {found}", case.name())).collect());
    assert!(wrong.is_empty(), "{} problems in {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn compared(case: &Case) -> Vec<String> {
    let mut wrong = Vec::new();
    let place = tempfile::tempdir().unwrap();
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    lay_out(&case.value, &case.set.folder(), &source);
    let untouched = digests(&source);
    let stop = case.value["parameters"]["stop_position"].as_str().map(cases::stop_of);
    let wanted = cases::of_bits(case.bits, Options { stop, ..Options::default() });
    let options = if wanted.accepts_loss { with_consent(&source, wanted.options) } else { wanted.options };
    let found = plan_of(&source, &options);
    let ours = if case.bits & 0x40 != 0 && found.stream.is_none() { -528 } else { found.engine.0.into() };
    if ours != case.code() && !case.is_of_old_format() {
        wrong.push(format!("{}, planned {ours}: {:?}", case.code(), found.faults.first()));
    }
    wrong.extend(is_coherent(&found).err());
    wrong.extend(states_differ(&case.value, &found));
    let recovery = recover(&source, &out, &options);
    wrong.extend(made(case, &recovery, &out));
    if digests(&source) != untouched {
        wrong.push("the source was changed".into());
    }
    let left = names(place.path());
    if left != ["source"] && (recovery.made.is_err() || left != ["out", "source"]) {
        wrong.push(format!("more than the result is left: {left:?}"));
    }
    wrong
}

/// What was planned is made, and the engine's dump of the same recovery is ours.
fn made(case: &Case, recovery: &Recovery, out: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let report = match &recovery.made {
        Err(MakeError::Refused { .. }) if !recovery.plan.possible => return wrong,
        Err(error) => return vec![format!("planned, and not made: {error}")],
        Ok(report) => report,
    };
    for database in report.databases.iter().filter(|database| database.verdict == Verdict::Recovered) {
        if header_of(&out.join(&database.path)).header.state != DatabaseState::CleanShutdown {
            wrong.push(format!("{} is not clean", database.path));
        }
    }
    let outputs: Vec<&str> = case.value["outputs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let recovered: Vec<_> = outputs.iter().filter(|output| output.contains("/after/db/") && !output.ends_with(".jfm")).collect();
    let ours = databases_of(report, out);
    if let (Some(oracle), 0, [_], [database]) = (&case.oracle, case.code(), &recovered[..], &ours[..]) {
        for (file, tables) in [("/dump.jsonl", Tables::Users), ("/catalog.jsonl", Tables::Engines)] {
            let Some(dump) = outputs.iter().find(|output| output.ends_with(file)) else { continue };
            if tables == Tables::Engines && case.has_a_catalog_of_today() {
                continue;
            }
            let theirs = fs::read_to_string(oracle.folder().join(dump)).unwrap();
            compare_dump(file, database, &theirs, tables, &mut wrong);
        }
    }
    wrong
}

fn databases_of(report: &anchorlog_operations::recover::Report, out: &Path) -> Vec<std::path::PathBuf> {
    report.databases.iter().map(|database| out.join(&database.path)).filter(|path| path.is_file()).collect()
}

/// Where the engine left a database dirty behind a success, we refuse; where it made one clean, we do.
fn states_differ(case: &Value, plan: &Plan) -> Option<String> {
    if case["jet_error"] != 0 {
        return None;
    }
    for (name, state) in case["db_states"].as_object()? {
        let database = plan.databases.iter().find(|database| database.path.ends_with(name.as_str()))?;
        let clean = state.as_str()?.contains("Clean");
        if clean == (database.verdict == Verdict::Refused) {
            return Some(format!("{name} ended {state}, planned {}: {}", database.verdict, database.reason));
        }
    }
    None
}
