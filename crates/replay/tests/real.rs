//! Recoveries of real machines' files against the engine's: every recovery case of every set's `oracle.json`.
//!
//! The case's logs go to `log/`, its databases to `db/`, under the names that the case says; what Microsoft's engine was told by
//! parameters, we are told by options. Where we end otherwise on purpose, [`DELIBERATE`] says so.

mod common;

use anchorlog_database::canonical::Tables;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{LogPosition, PageSize};
use anchorlog_replay::run::{self, Ending, Failure, Options, Report};
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::{EngineSet, real_sets};
use anchorlog_testkit::differ::{header_differences, header_of, page_differences};
use anchorlog_testkit::header_text::header_texts;
use common::compare::{behind_the_name, brief, dumped, first_difference, record_types, up_to_the_next_run};
use common::{ambient, setup_of_base, told};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Cases that end otherwise with us: set, case, our code.
const DELIBERATE: [(&str, &str, i64); 1] = [
    // The engine cannot keep a stream of the 7.x format as it is. Nor can we; but the persisted format is no setting of ours.
    ("roslyn-w7-dirty", "later-dirty-persisted-format", 0),
];

struct Case<'a> {
    set: &'a EngineSet,
    oracle: &'a EngineSet,
    value: &'a Value,
    name: &'a str,
}

impl Case<'_> {
    fn inputs(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.value["inputs"].as_array().into_iter().flatten().filter_map(|input| {
            let (folder, source) = [("log", "log"), ("log", "checkpoint"), ("db", "database"), ("db", "flush_map")]
                .into_iter()
                .find_map(|(folder, kind)| Some((folder, input[kind].as_str()?)))?;
            let name = input["as"].as_str().unwrap_or_else(|| source.rsplit('/').next().unwrap());
            Some((folder, source, name))
        })
    }
    fn put(&self, root: &Path, wanted: impl Fn(&str, &str) -> bool) {
        fs::create_dir_all(root.join("db")).unwrap();
        fs::create_dir_all(root.join("log")).unwrap();
        for (folder, source, name) in self.inputs().filter(|(folder, _, name)| wanted(folder, name)) {
            let bytes = fs::read(self.set.folder().join(source)).unwrap_or_else(|error| panic!("{source}: {error}"));
            fs::write(root.join(folder).join(name), bytes).unwrap();
        }
    }
    fn bits(&self) -> u32 {
        let text = self.value["parameters"]["JetInit_grbit"].as_str().unwrap();
        bits(text)
    }
    fn options(&self, bits: u32) -> Options {
        let parameters = &self.value["parameters"];
        let stop = parameters["stop_position"].as_str().map(|text| {
            let number = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
            let mut parts = text.split(':').map(number);
            let generation = parts.next().unwrap();
            let mut next = || u16::try_from(parts.next().unwrap()).unwrap();
            Stop::from_position(LogPosition::new(generation, next(), next()))
        });
        Options {
            undo: bits & 0x8 == 0,
            stop,
            accept_loss: bits & 0x80 != 0,
            allow_missing_current: bits & 0x100 != 0,
            ignore_missing_databases: bits & 0x4 != 0,
            page_size: parameters["page_size"].as_u64().and_then(|size| PageSize::from_field(u32::try_from(size).unwrap())),
            ..Options::default()
        }
    }
    fn setup(&self, root: &Path, bits: u32) -> run::Setup {
        let base = self.value["parameters"]["base_name"].as_str().unwrap();
        let mut setup = setup_of_base(root, Some(base), self.options(bits));
        // An alternate recovery path: databases are looked for, and made, in that folder, by file name.
        let named = self.value["db_states"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        setup.naming.map = named.map(|name| (name.clone(), Path::new("db").join(name))).collect();
        setup
    }
    fn outputs(&self) -> Vec<String> {
        self.value["outputs"].as_array().unwrap().iter().map(|output| output.as_str().unwrap().to_owned()).collect()
    }
    /// Whether the application did more to the database than recover it.
    fn attached_afterwards(&self) -> bool {
        self.value["attach_error"].as_i64() == Some(0)
    }
    /// Where the engine of today makes the first pages of a database of old in its own form, we make those of old (trap Y17).
    fn is_better(&self) -> bool {
        self.set.name == "roslyn-w7-chain" && self.name == "from-nothing"
    }
    /// Whether the engine raised the log format: it begins a new generation for that, we go on in the crashed one.
    fn raised_format(&self) -> bool {
        self.name.ends_with("engine-default-format")
    }
    fn deliberate(&self) -> Option<i64> {
        DELIBERATE.iter().find(|(set, case, _)| *set == self.set.name && *case == self.name).map(|(_, _, code)| *code)
    }
    fn is_deliberate(&self) -> bool {
        self.deliberate().is_some()
    }
    fn expected(&self) -> i64 {
        self.deliberate().unwrap_or_else(|| self.value["jet_error"].as_i64().unwrap())
    }
}

fn bits(text: &str) -> u32 {
    let number = text.split(' ').next().unwrap();
    number.strip_prefix("0x").map_or_else(|| number.parse().unwrap(), |hex| u32::from_str_radix(hex, 16).unwrap())
}

/// The code that the engine gives for an ending of ours.
fn code(result: &Result<Report, Failure>, bits: u32) -> i64 {
    match result {
        Err(failure) => failure.error.jet.0.into(),
        Ok(report) => match report.ending {
            Ending::NoLogs if bits & 0x40 != 0 => JetCode::MISSING_LOG_FILE.0.into(),
            Ending::WithoutUndo | Ending::Stopped => -579,
            Ending::Clean | Ending::NothingToDo if bits & 0x8 != 0 => -584,
            _ => report.warning.map_or(0, |jet| jet.0.into()),
        },
    }
}

/// Runs a case and says what is otherwise than with the engine.
fn check(case: &Case<'_>) -> Vec<String> {
    let work = tempfile::tempdir().unwrap();
    let root = work.path();
    let mut problems = Vec::new();
    case.put(root, |_, _| true);
    let bits = case.bits();
    if case.value["steps"].is_array() {
        ship(case, root, &mut problems);
    } else {
        let planned = run::plan(&case.setup(root, bits), &ambient(), &mut ());
        let made = run::replay(&case.setup(root, bits), &ambient(), &mut ());
        if code(&planned, bits) != case.expected() || code(&made, bits) != case.expected() {
            problems.push(format!("expected {}: planned {}, made {}", case.expected(), told(&planned), told(&made)));
            return problems;
        }
        let Ok(report) = made else { return problems };
        check_log(case, root, &report, &mut problems);
        if case.name.ends_with("-twice") {
            let again = run::replay(&case.setup(root, bits), &ambient(), &mut ());
            if !again.as_ref().is_ok_and(|report| report.ending == Ending::NothingToDo) {
                problems.push(format!("a second recovery: {}", told(&again)));
            }
        }
    }
    if case.is_deliberate() {
        return problems;
    }
    check_states(case, root, &mut problems);
    for name in databases(case) {
        let ours = root.join("db").join(&name);
        if ours.is_file() {
            check_pages(case, &ours, &mut problems);
            check_headers(case, &name, &ours, &mut problems);
            check_dumps(case, &ours, &mut problems);
        }
    }
    problems
}

fn databases(case: &Case<'_>) -> Vec<String> {
    case.value["db_states"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Logs arrive one at a time and are replayed without undo; at the end comes a full recovery.
fn ship(case: &Case<'_>, root: &Path, problems: &mut Vec<String>) {
    let logs: Vec<String> = case.inputs().filter(|(folder, ..)| *folder == "log").map(|(_, _, name)| name.to_owned()).collect();
    for name in &logs {
        fs::remove_file(root.join("log").join(name)).unwrap();
    }
    for (step, log) in case.value["steps"].as_array().unwrap().iter().zip(&logs) {
        case.put(root, |_, name| name == log);
        let bits = bits(step["JetInit_grbit"].as_str().unwrap());
        let made = run::replay(&case.setup(root, bits), &ambient(), &mut ());
        if code(&made, bits) != step["jet_error"].as_i64().unwrap() {
            problems.push(format!("with {log}: {}", told(&made)));
        }
        for name in databases(case) {
            let header = header_of(&fs::read(root.join("db").join(name)).unwrap()).header;
            let required = format!("{}-{}", header.min_required.0, header.max_required.0);
            if step["log_required"] != required.as_str() {
                problems.push(format!("with {log}: required {required}, with the engine {}", step["log_required"]));
            }
        }
    }
}

fn check_states(case: &Case<'_>, root: &Path, problems: &mut Vec<String>) {
    for (name, state) in case.value["db_states"].as_object().into_iter().flatten() {
        match fs::read(root.join("db").join(name)) {
            Ok(bytes) => {
                let ours = header_of(&bytes).header.state.to_string();
                if state != ours.as_str() {
                    problems.push(format!("{name}: {ours}, with the engine {state}"));
                }
            }
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }
    for entry in fs::read_dir(root.join("db")).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if path.extension().is_none_or(|extension| extension != "jfm") && !databases(case).contains(&name) {
            problems.push(format!("{name} was made, and not with the engine"));
        }
    }
}

fn check_pages(case: &Case<'_>, ours: &Path, problems: &mut Vec<String>) {
    let bytes = fs::read(ours).unwrap();
    let pages = &case.value["pages"];
    // The state that the real machine left, where the engine came to it.
    let reached = pages["differ"]["count"] == 0 && pages["zero_in_one"]["count"] == 0;
    let better = case.is_better();
    if let Some(against) = pages["against"].as_str().filter(|_| (reached || better) && !case.attached_afterwards()) {
        let theirs = fs::read(case.set.folder().join(against)).unwrap();
        for (number, text) in page_differences(&bytes, &theirs) {
            problems.push(format!("page {number} against the real {against}: {text}"));
        }
        if better {
            // The version of the sort tables is that of the machine.
            let differences = header_differences(&header_of(&bytes), &header_of(&theirs));
            for found in differences.iter().filter(|found| !found.starts_with("sort_version")) {
                problems.push(format!("header against the real one: {found}"));
            }
        }
    }
    if let Some(after) = after_db(case, ours).filter(|_| !case.attached_afterwards() && !better) {
        for (number, text) in page_differences(&bytes, &fs::read(after).unwrap()) {
            problems.push(format!("page {number} against the engine's: {text}"));
        }
    }
}

fn after_db(case: &Case<'_>, ours: &Path) -> Option<PathBuf> {
    let name = ours.file_name().unwrap().to_str().unwrap();
    let output = format!("cases/{}/after/db/{name}", case.name);
    case.outputs().contains(&output).then(|| case.oracle.folder().join(output))
}

/// Lines of the engine's header text that must be the same in ours; what depends on the time of the run is left out.
fn check_headers(case: &Case<'_>, name: &str, ours: &Path, problems: &mut Vec<String>) {
    if case.attached_afterwards() || case.raised_format() {
        return;
    }
    let header = header_of(&fs::read(ours).unwrap());
    if let Some(after) = after_db(case, ours).filter(|_| !case.is_better()) {
        for found in header_differences(&header, &header_of(&fs::read(after).unwrap())) {
            problems.push(format!("{name} header: {found}"));
        }
    }
    let Ok(text) = fs::read(case.oracle.folder().join("cases").join(case.name).join("mh.txt")) else { return };
    let texts = header_texts(&String::from_utf8_lossy(&text));
    let Some(text) = texts.iter().find(|text| text.file.eq_ignore_ascii_case(name)) else { return };
    let h = &header.header;
    let position = |value: LogPosition| format!("(0x{:X},{:X},{:X})", value.generation.0, value.sector, value.byte);
    let range = |low: u32, high: u32| format!("{low}-{high} ({low:#x}-{high:#x})");
    let lines = [
        ("State", h.state.to_string()),
        ("dbtime", format!("{} ({:#x})", h.dbtime.0, h.dbtime.0)),
        ("Last Objid", h.last_object.to_string()),
        ("Log Required", range(h.min_required.0, h.max_required.0)),
        ("Log Committed", range(0, h.max_committed.0)),
        ("Last Consistent", position(h.consistent_position)),
        ("Last Attach", position(h.attach_position)),
        ("Last Detach", position(h.detach_position)),
        ("Last ReAttach", position(h.reattach_position)),
        ("Last Resize", position(h.resize_position)),
    ];
    for (label, ours) in lines {
        let theirs = text.value(label).unwrap_or_default();
        if !theirs.starts_with(&ours) {
            problems.push(format!("{name} {label}: {ours}, with the engine {theirs}"));
        }
    }
}

fn check_dumps(case: &Case<'_>, ours: &Path, problems: &mut Vec<String>) {
    for (file, tables) in [("dump.jsonl", Tables::Users), ("catalog.jsonl", Tables::Engines)] {
        let Some(output) = case.outputs().into_iter().find(|output| output.ends_with(&format!("/{file}"))) else { continue };
        let path = case.oracle.folder().join(&output);
        if (case.attached_afterwards() || case.is_better()) && tables == Tables::Engines {
            continue;
        }
        let theirs = behind_the_name(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        if let Some(difference) = first_difference(&dumped(ours, tables), &theirs) {
            problems.push(format!("{file} ({output}): {difference}"));
        }
    }
}

/// The records that recovery wrote behind the end, where the engine's logs are there.
fn check_log(case: &Case<'_>, root: &Path, report: &Report, problems: &mut Vec<String>) {
    let after = case.oracle.folder().join("cases").join(case.name).join("after/log");
    if !after.is_dir() || case.attached_afterwards() || case.raised_format() || report.ending != Ending::Recovered {
        return;
    }
    let ours = record_types(&[&root.join("log")], report.end);
    let theirs = up_to_the_next_run(record_types(&[&after], report.end));
    if ours != theirs {
        problems.push(format!("records at the end: {} against {}", brief(&ours), brief(&theirs)));
    }
}

#[test]
fn every_recovery_of_real_files_ends_as_with_the_engine() {
    let only = std::env::var("SET").ok();
    let sets = real_sets();
    let (mut cases, mut failed) = (0, Vec::new());
    for set in sets.iter().filter(|set| set.name != "oracle") {
        let oracle = sets.iter().find(|other| other.name == "oracle" && other.archive.parent() == set.archive.parent());
        let Some(oracle) = oracle else { continue };
        let text = fs::read_to_string(set.archive.with_file_name("oracle.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        for value in json["cases"].as_array().unwrap() {
            let name = value["case"].as_str().unwrap();
            let is_recovery = value["parameters"]["JetInit_grbit"].is_string();
            let label = format!("{} {name}", set.name);
            if !is_recovery || only.as_ref().is_some_and(|only| !label.contains(only.as_str())) {
                continue;
            }
            cases += 1;
            for problem in check(&Case { set, oracle, value, name }).into_iter().take(6) {
                failed.push(format!("{label}: {problem}"));
            }
        }
    }
    println!("{cases} cases");
    assert!(failed.is_empty(), "{} problems in {cases} cases:\n{}", failed.len(), failed.join("\n"));
}
