//! The cases of the `lost-*` sets: what is done to the files, and the engine's parameters as our options.

use anchorlog_format::units::{LogPosition, PageSize};
use anchorlog_operations::recover::Options;
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::{EngineSet, copy_folder, engine_sets};
use anchorlog_testkit::steps;
use serde_json::Value;
use std::path::Path;

/// One case.
pub struct Case {
    pub set: EngineSet,
    pub value: Value,
}

/// The engine's parameters as options of ours. That logs must exist, and their size, are no options here.
pub struct Wanted {
    pub options: Options,
    /// Losses are accepted (`JET_bitReplayIgnoreLostLogs`): we ask for the generation that the plan computes.
    pub accepts_loss: bool,
}

/// Whether a test shall walk this set: all, but where `SET` gives a part of a name.
pub fn is_wanted(name: &str) -> bool {
    std::env::var("SET").ok().is_none_or(|only| name.contains(&only))
}

/// All cases of all sets.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for set in engine_sets().into_iter().filter(|set| set.name.starts_with("lost-") && is_wanted(&set.name)) {
        for value in set.meta()["cases"].as_array().unwrap() {
            cases.push(Case { set: set.clone(), value: value.clone() });
        }
    }
    cases
}

impl Case {
    pub fn name(&self) -> String {
        format!("{} {}", self.set.name, self.value["id"].as_str().unwrap())
    }
    pub fn id(&self) -> &str {
        self.value["id"].as_str().unwrap()
    }
    /// The engine's own result.
    pub fn code(&self) -> i32 {
        i32::try_from(self.value["jet_init"].as_i64().unwrap()).unwrap()
    }
    /// The text of a dump that the case names.
    pub fn dump(&self, key: &str) -> Option<std::path::PathBuf> {
        self.value[key].as_str().map(|name| self.set.folder().join(name))
    }
    /// The files of the case.
    pub fn lay_out(&self, root: &Path) {
        copy_folder(&self.set.folder().join("base"), root).unwrap();
        for step in self.value["file_steps"].as_array().unwrap() {
            steps::apply(step.as_str().unwrap(), root, &self.set.folder());
        }
    }
    pub fn wanted(&self) -> Wanted {
        let mut options = Options::default();
        let mut bits = 0;
        for word in self.value["init"].as_str().unwrap().split(' ').skip(1) {
            match word.split_once('=').unwrap() {
                ("g", value) => bits = value.strip_prefix("0x").map_or_else(|| value.parse().unwrap(), hex),
                ("stop", value) => options.stop = Some(stop_of(value)),
                ("map", value) => {
                    let (old, new) = value.split_once('>').unwrap();
                    options.map.push((old.into(), new.replace("R:\\", "").replace('\\', "/").into()));
                }
                (other, _) => panic!("an option that is not understood: {other}"),
            }
        }
        let page_size = self.value["parameters"]["DatabasePageSize"].as_u64();
        options.page_size = page_size.and_then(|size| PageSize::from_field(u32::try_from(size).unwrap()));
        options.only_mapped = !options.map.is_empty() && bits & 0x20 == 0;
        of_bits(bits, options)
    }
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text, 16).unwrap()
}

/// The bits of JetInit.
pub fn of_bits(bits: u32, options: Options) -> Wanted {
    let options = Options {
        ignore_missing_database: bits & 0x4 != 0,
        without_undo: bits & 0x8 != 0,
        allow_missing_current: bits & 0x100 != 0,
        ..options
    };
    Wanted { options, accepts_loss: bits & 0x80 != 0 }
}

/// A stop as the sets write it: GENERATION[:SECTOR:BYTE] in hexadecimal.
pub fn stop_of(text: &str) -> Stop {
    let mut parts = text.split(':').map(|part| hex(part.trim_start_matches("0x")));
    let generation = parts.next().unwrap();
    let mut rest = || u16::try_from(parts.next().unwrap_or(0)).unwrap();
    let (sector, byte) = (rest(), rest());
    Stop::from_position(LogPosition::new(generation, sector, byte))
}
