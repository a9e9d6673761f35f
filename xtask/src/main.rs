//! Chores of the project: `cargo xtask help`.

use std::process::ExitCode;

mod demo;
mod testdata;

const HELP: &str = "\
cargo xtask CHORE

  demo       pack the crash set of `anchorlog demo` (needs the same)
  testdata   choose the data sets that lie in testdata/ (needs ../shared/data beside the checkout)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        ["demo"] => demo::pack(),
        ["testdata"] => testdata::choose(),
        _ => Err(format!("unknown: {}\n\n{HELP}", arguments.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
