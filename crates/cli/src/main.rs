//! The `anchorlog` program: arguments in, operations called, plans and reports rendered, exit codes out.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod interrupt;
mod now;
mod output;
mod progress;

use arguments::{Arguments, Command};
use clap::Parser;
use output::{Exit, Output};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            _ = error.print();
            return exit.into();
        }
    };
    let output = Output::new(arguments.json, arguments.quiet);
    let exit = match arguments.command {
        Command::Inspect(inspect) => commands::inspect::run(&inspect, &output),
        Command::Explain(explain) => commands::explain::run(&explain, &output),
        Command::Recover(recover) => commands::recover::run(&recover, &output),
        Command::Demo(demo) => commands::demo::run(&demo, &output),
    };
    exit.into()
}
