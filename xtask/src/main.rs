//! Chores of the project: `cargo xtask help`.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// That of the program: what is timed here is what users run.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

mod bench;
mod crash;
mod demo;
mod diff;
mod docs;
mod fuzz;
mod profile;
mod records;
mod testdata;
mod traps;

const HELP: &str = "\
cargo xtask CHORE

  crash [--sets PART,…] [--seeds N] [--minutes N]
             stop the machine behind every operation of a recovery in place, over all sets or those named: with each seed other
             writes are lost, torn or kept; once more with little memory, without undo, with three threads, and
             stopped twice
  crash --kill N [--seed N]
             kill the program N times at random moments while it recovers in place
  crash --vault [--kill N] [--seed N]
             the same, 1000 times in all, while it backs up, restores, prunes, forgets and drills
  diff SET   our recovery of a set (or of `all`) against the engine's, by page and node; byte-identical pages
  bench [--short] [NAME…]
             measure against peers; at full size each bench writes its section of docs/performance.md
  build FILE PAGE_KIB MIB [indexed] [SEED]
             make a clean database: one table of about so many MiB
  docs       write docs/format from the declared structures
  fuzz [--minutes N | --seconds N] [--seed N] [--driver] [TARGET…]
             fuzz every target, or those named; --driver: not by libFuzzer even where cargo-fuzz is
  fuzz --file INPUT TARGET
             run one input and show how it fails
  demo       pack the crash set of `anchorlog demo` (needs the same)
  profile ARGUMENTS
             a flame graph of the program run with these arguments (needs perf)
  records    count the log records of all data sets by type
  traps      which traps of the specifications no test cites
  testdata   choose the data sets that lie in testdata/ (needs ../shared/data beside the checkout)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        ["crash", rest @ ..] => crash::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["replay-in-place", rest @ ..] => bench::replay_in_place(rest),
        ["build", rest @ ..] => bench::make(rest),
        ["docs"] => docs::write(),
        ["profile", rest @ ..] => profile::run(rest),
        ["records"] => {
            records::print();
            Ok(())
        }
        ["diff", set] => diff::run(set),
        ["demo"] => demo::pack(),
        ["traps"] => traps::check(),
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
