//! The folders of the engine's backup sets, as a user would give them.

use super::common::ambient;
use anchorlog_operations::recover::MakeError;
use anchorlog_operations::restore::{Inputs, Options, Plan, Report, make, online, waiting};
use anchorlog_testkit::data::{EngineSet, engine_set};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub fn stream() -> Option<PathBuf> {
    Some(engine_set("backup-stream-4k")?.folder())
}

pub fn two_databases() -> Option<PathBuf> {
    Some(engine_set("backup-stream-32k-2db")?.folder())
}

/// Inputs by the names of folders.
pub fn inputs(folder: &Path, sets: &[&str], production: Option<&Path>) -> Inputs {
    Inputs { sets: sets.iter().map(|set| folder.join(set)).collect(), production: production.map(Path::to_owned) }
}

pub fn last() -> Options {
    Options { last_set: true, ..Options::default() }
}

/// A restore that was planned and made.
pub struct Restored {
    pub plan: Plan,
    pub made: Result<Report, MakeError>,
}

pub fn restore(inputs: &Inputs, target: &Path, options: &Options) -> Restored {
    let plan = online(inputs, target, options).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
    let made = make(&plan, &ambient(), &mut ());
    Restored { plan, made }
}

pub fn finish(folder: &Path, production: Option<&Path>, options: &Options) -> Restored {
    let plan = waiting(folder, production, None, options).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let made = make(&plan, &ambient(), &mut ());
    Restored { plan, made }
}

impl Restored {
    pub fn report(&self) -> &Report {
        let broken = || self.plan.preconditions.iter().filter(|condition| !condition.holds).collect::<Vec<_>>();
        self.made.as_ref().unwrap_or_else(|error| panic!("{error}: {:#?}", broken()))
    }
    pub fn code(&self) -> i32 {
        match &self.made {
            Ok(_) => 0,
            Err(MakeError::Refused { jet, .. } | MakeError::Failed { jet, .. }) => jet.map_or(-1, |jet| jet.0),
            Err(error) => panic!("{error}"),
        }
    }
    /// The predicates that do not hold, by name.
    pub fn broken(&self) -> Vec<&'static str> {
        self.plan.preconditions.iter().filter(|condition| !condition.holds).map(|condition| condition.id).collect()
    }
}

/// A stage of a set's restores.
pub struct Stage {
    pub value: Value,
    pub folder: PathBuf,
}

pub fn stages(set: &EngineSet) -> Vec<Stage> {
    let meta = set.meta();
    let stages = meta["restores"].as_array().unwrap().iter();
    stages.map(|value| Stage { value: value.clone(), folder: set.folder() }).collect()
}

impl Stage {
    pub fn name(&self) -> &str {
        self.value["name"].as_str().unwrap()
    }
    /// The file of the set that tells of this stage.
    pub fn told(&self, kind: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{kind}-{}.{extension}", self.name().replace('+', "_")))
    }
    /// The folder of production with the logs that this stage was given, copied to `place`.
    pub fn production(&self, place: &Path) -> Option<PathBuf> {
        let given: Vec<&str> =
            self.value["production_logs_given"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if given.is_empty() {
            return None;
        }
        fs::create_dir_all(place).unwrap();
        for name in given {
            fs::copy(self.folder.join("production/log").join(name), place.join(name)).unwrap();
        }
        Some(place.to_owned())
    }
}
