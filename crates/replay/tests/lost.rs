//! Logs, checkpoints and databases that are missing, foreign or damaged: every case of the `lost-*` sets ends with the code with which
//! Microsoft's engine ended, planned and made (`log-8 §9`).

mod common;

use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{LogPosition, PageSize};
use anchorlog_replay::run::{self, Ending, Failure, Options, Report};
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::{copy_folder, engine_sets};
use anchorlog_testkit::steps;
use common::{ambient, setup};
use serde_json::Value;
use std::path::PathBuf;

/// The engine's parameters of a case as our options.
struct Case {
    options: Options,
    map: Vec<(String, PathBuf)>,
    must_exist: bool,
    log_size: Option<i64>,
}

fn case_of(case: &Value) -> Case {
    let mut made = Case { options: Options::default(), map: Vec::new(), must_exist: false, log_size: None };
    let mut bits = 0;
    for word in case["init"].as_str().unwrap().split(' ').skip(1) {
        let (name, value) = word.split_once('=').unwrap();
        match name {
            "g" => {
                bits =
                    value.strip_prefix("0x").map_or_else(|| value.parse().unwrap(), |hex| u32::from_str_radix(hex, 16).unwrap())
            }
            "stop" => {
                let mut parts = value.split(':').map(|part| u32::from_str_radix(part, 16).unwrap());
                let generation = parts.next().unwrap();
                let rest = |part: Option<u32>| u16::try_from(part.unwrap_or(0)).unwrap();
                let position = LogPosition::new(generation, rest(parts.next()), rest(parts.next()));
                made.options.stop = Some(Stop::from_position(position));
            }
            "map" => {
                let (old, new) = value.split_once('>').unwrap();
                made.map.push((old.into(), new.replace("R:\\", "").replace('\\', "/").into()));
            }
            other => panic!("an option that is not understood: {other}"),
        }
    }
    made.options.only_mapped = !made.map.is_empty() && bits & 0x20 == 0;
    made.options.ignore_missing_databases = bits & 0x4 != 0;
    made.options.undo = bits & 0x8 == 0;
    made.must_exist = bits & 0x40 != 0;
    made.options.accept_loss = bits & 0x80 != 0;
    made.options.allow_missing_current = bits & 0x100 != 0;
    let size = case["parameters"]["DatabasePageSize"].as_u64();
    made.options.page_size = size.and_then(|size| PageSize::from_field(u32::try_from(size).unwrap()));
    made.log_size = case["parameters"]["LogFileSize"].as_i64();
    made
}

/// The code that the engine gives for an ending of ours.
fn code(result: &Result<Report, Failure>, case: &Case) -> i64 {
    match result {
        Err(failure) => failure.error.jet.0.into(),
        Ok(report) => match report.ending {
            Ending::NoLogs if case.must_exist => JetCode::MISSING_LOG_FILE.0.into(),
            Ending::WithoutUndo | Ending::Stopped => -579,
            Ending::Clean | Ending::NothingToDo if !case.options.undo => -584,
            // Another log size than the stream's is refused by the engine only once everything is recovered (trap Z19); we have no such
            // setting.
            _ if case.log_size.is_some() => -545,
            _ => report.warning.map_or(0, |jet| jet.0.into()),
        },
    }
}

#[test]
fn every_case_of_missing_and_damaged_files_ends_with_the_engines_code() {
    let mut cases = 0;
    let mut failed = Vec::new();
    for set in engine_sets().into_iter().filter(|set| set.name.starts_with("lost-")) {
        let folder = set.folder();
        for value in set.meta()["cases"].as_array().unwrap() {
            let id = value["id"].as_str().unwrap();
            let work = tempfile::tempdir().unwrap();
            copy_folder(&folder.join("base"), work.path()).unwrap();
            for step in value["file_steps"].as_array().unwrap() {
                steps::apply(step.as_str().unwrap(), work.path(), &folder);
            }
            let case = case_of(value);
            let mut setup = setup(work.path(), case.options.clone());
            setup.naming.map = case.map.clone();
            let planned = run::plan(&setup, &ambient(), &mut ());
            let made = run::replay(&setup, &ambient(), &mut ());
            let expected = value["jet_init"].as_i64().unwrap();
            cases += 1;
            if code(&planned, &case) != expected || code(&made, &case) != expected {
                failed.push(format!("{} {id}: {expected}, planned {}, made {}", set.name, text(&planned), text(&made)));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {cases} cases:\n{}", failed.len(), failed.join("\n"));
}

fn text(result: &Result<Report, Failure>) -> String {
    match result {
        Ok(report) => format!("{:?} {:?}", report.ending, report.warning),
        Err(failure) => format!("{} ({})", failure.error.jet, failure.error),
    }
}
