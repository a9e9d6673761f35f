//! `cargo xtask profile ARGUMENTS`: a flame graph of a run of the program, by Linux' `perf`.

use anchorlog_testkit::data::checkout;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// The version of inferno that draws; it is a tool beside the project, and no part of it.
const INFERNO: &str = "0.12.8";
/// Samples a second: a prime, so that no rhythm of the program hides from it.
const RATE: &str = "997";

/// Builds the program with frame pointers, runs it under `perf`, and draws where the time went.
///
/// # Errors
/// In words.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    if arguments.is_empty() {
        return Err("profile ARGUMENTS: those of anchorlog, for example `verify FILE`".into());
    }
    // A target folder of its own: other flags would make cargo build everything anew each time.
    let target = checkout().join("target/profile");
    let build = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", "anchorlog", "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", "-C force-frame-pointers=yes")
        .status();
    if !build.map_err(|error| error.to_string())?.success() {
        return Err("the program could not be built".into());
    }
    let (samples, graph) = (target.join("perf.data"), target.join("flamegraph.svg"));
    let missing = |error| format!("perf: {error} (Debian has it as linux-perf)");
    let recorded = Command::new("perf")
        .args(["record", "--quiet", "--freq", RATE, "--call-graph", "fp", "--output"])
        .arg(&samples)
        .arg("--")
        .arg(target.join("release/anchorlog"))
        .args(arguments)
        .status()
        .map_err(missing)?;
    if !recorded.success() {
        // A program that finds faults says so by its code; the samples are there all the same.
        eprintln!("the run ended with {recorded}");
    }
    let tools = tools(&target)?;
    let piped = |command: &mut Command| command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let shown = |error: std::io::Error| error.to_string();
    let script = piped(Command::new("perf").arg("script").arg("--input").arg(&samples)).map_err(missing)?;
    let stacks = script.stdout.ok_or("perf script says nothing")?;
    let folded = piped(Command::new(tools.join("inferno-collapse-perf")).stdin(stacks)).map_err(shown)?;
    let status = Command::new(tools.join("inferno-flamegraph"))
        .args(["--title", &format!("anchorlog {}", arguments.join(" "))])
        .stdin(folded.stdout.ok_or("inferno says nothing")?)
        .stdout(File::create(&graph).map_err(shown)?)
        .status();
    if !status.map_err(shown)?.success() {
        return Err("inferno could not draw the samples".into());
    }
    println!("{}", graph.display());
    Ok(())
}

/// inferno's programs, installed on first use.
fn tools(target: &Path) -> Result<std::path::PathBuf, String> {
    let root = target.join("tools");
    if !root.join("bin/inferno-flamegraph").exists() {
        let install = Command::new("cargo")
            .args(["install", "--quiet", "--locked", "--version", INFERNO, "--root"])
            .arg(&root)
            .arg("inferno")
            .status();
        if !install.map_err(|error| error.to_string())?.success() {
            return Err("inferno, which draws the graph, could not be installed".into());
        }
    }
    Ok(root.join("bin"))
}
