//! The `anchorlog` program: arguments in, text or JSON out. What is done is done by `anchorlog-operations`.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod interrupt;
mod now;
mod progress;
mod render;

use args::{Arguments, Command};
use clap::Parser;
use exit::Exit;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Pages and before images go from thread to thread: memory that one thread takes and another gives back is what this one is made for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    interrupt::watch();
    let json = arguments.json;
    let exit = match arguments.command {
        Command::Inspect(inspect) => commands::inspect::run(&inspect, json),
        Command::Explain(explain) => commands::explain::run(&explain, json),
        Command::Verify(verify) => commands::verify::run(&verify, json, arguments.quiet),
        Command::Dump(dump) => commands::dump::run(&dump, json),
        Command::Recover(recover) => commands::recover::run(&recover, json, arguments.quiet),
        Command::Vault(vault) => commands::vault::run(&vault.command, json),
        Command::Sets(sets) => commands::sets::run(&sets.command, json),
        Command::Backup(backup) => commands::backup::run(&backup.command, json, arguments.quiet),
        Command::Restore(restore) => commands::restore::run(&restore.command, json, arguments.quiet),
        Command::Drill(drill) => commands::drill::run(&drill, json, arguments.quiet),
        Command::Monitor(monitor) => commands::monitor::run(&monitor, json),
        Command::Chain(chain) => commands::chain::run(&chain.of, json),
        Command::Purge(purge) => commands::purge::run(&purge, json),
        Command::Demo(demo) => commands::demo::run(&demo, json),
    };
    exit.unwrap_or_else(|trouble| trouble.report(json)).into()
}

/// What a command ends with.
type Outcome = Result<Exit, exit::Trouble>;
