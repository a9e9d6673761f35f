//! `demo`: the whole way on a small crashed database that comes with the program.

use super::{inspect, recover};
use crate::arguments::DemoArguments;
use crate::output::{Exit, Output};
use anchorlog_operations::recover::{self as operation, Inputs, Options, Place, Sources};
use anchorlog_operations::survey::survey;
use anchorlog_storage::DiskFolder;
use std::io;
use std::path::{Path, PathBuf};

/// A crash set made with Microsoft's open-source engine: see `docs/testing.md`.
const CRASH: &[u8] = include_bytes!("../../demo/crash.tar.lz4");

/// Shows the state, recovers, proves, and shows what changed.
pub fn run(arguments: &DemoArguments, output: &Output) -> Exit {
    let temporary;
    let root: PathBuf = match &arguments.keep {
        Some(folder) => folder.clone(),
        None => match tempfile::tempdir() {
            Ok(folder) => {
                temporary = folder;
                temporary.path().to_path_buf()
            }
            Err(error) => return failed(&error, output),
        },
    };
    match show(&root, output) {
        Ok(exit) => exit,
        Err(error) => failed(&error, output),
    }
}

fn failed(error: &io::Error, output: &Output) -> Exit {
    output.error(&error.to_string(), None, "The demo works in a folder of its own; nothing else was touched.");
    Exit::Failed
}

fn show(root: &Path, output: &Output) -> io::Result<Exit> {
    let (crashed, recovered) = (root.join("crashed"), root.join("recovered"));
    unpack(&crashed)?;
    let heading = |text: &str| output.line(format!("\n== {text}"));
    heading("1. A machine stopped hard. This is what was on its disk:");
    output.line(format!("$ anchorlog inspect {}", crashed.display()));
    inspect::print_survey(&survey(&DiskFolder::read_only(&crashed), &crashed.display().to_string())?, output);
    heading("2. What can be done, before anything is touched:");
    output.line(format!("$ anchorlog recover {} --out {} --dry-run", crashed.display(), recovered.display()));
    let inputs = Inputs { folder: crashed.clone(), databases: Vec::new(), logs: None };
    let sources = Sources::gather(&inputs)?;
    let plan = operation::plan(&sources, &Options::default()).map_err(io::Error::other)?;
    recover::print_plan(&plan, output);
    heading("3. The logs are replayed on a copy, open transactions are taken back, and the result is proved:");
    output.line(format!("$ anchorlog recover {} --out {}", crashed.display(), recovered.display()));
    Ok(recover::make(&plan, &sources, &Place::Out(recovered), output))
}

fn unpack(target: &Path) -> io::Result<()> {
    let files = lz4_flex::block::decompress_size_prepended(CRASH).map_err(io::Error::other)?;
    tar::Archive::new(files.as_slice()).unpack(target)
}
