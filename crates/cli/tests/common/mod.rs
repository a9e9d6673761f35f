//! Running the program on copies of sets.
#![allow(dead_code, reason = "each test uses a part")]

#[allow(unused_imports, reason = "each test uses a part")]
pub use anchorlog_testkit::data::contents;
use anchorlog_testkit::data::{self, EngineSet};
use anchorlog_testkit::dump_text::{engine_dumps, first_difference};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_anchorlog"))
}

pub fn anchorlog(arguments: &[&str], folder: &Path) -> Output {
    program().args(arguments).current_dir(folder).output().expect("the program starts")
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("the program was ended: {}", said(output)))
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn set(name: &str) -> EngineSet {
    data::engine_set(name).expect("the set is in every checkout")
}

/// A copy of a part of a set, as `work` in a folder of its own.
pub fn copy_of(name: &str, below: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    data::copy_folder(&set(name).folder().join(below), &folder.path().join("work")).unwrap();
    folder
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The dump of a database against the engine's of the first database in a file.
pub fn equals_the_engine(database: &str, dump: &Path, folder: &Path) {
    let output = anchorlog(&["dump", database], folder);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let ours = String::from_utf8(output.stdout).unwrap();
    let (_, theirs) = engine_dumps(dump).remove(0);
    let content = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap();
    assert_eq!(first_difference(&content(&ours), &content(&theirs)), None);
}

/// A set whose recovery takes a while, here and in a bare clone.
pub fn large() -> &'static str {
    ["mixed-32k-1db", "mixed-4k-circular"].into_iter().find(|name| data::engine_set(name).is_some()).expect("one is here")
}
