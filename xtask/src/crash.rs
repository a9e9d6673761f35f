//! `cargo xtask crash`: recoveries that are stopped at every operation, over all sets, or the real program killed at random moments.

use std::process::Command;

/// Runs the chore.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let (mut settings, mut kills) = (Vec::new(), None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().ok_or(format!("{argument} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{argument} wants a number"));
        let name = match *argument {
            "--sets" => "SETS",
            "--seeds" => number().map(|_| "SEEDS")?,
            "--minutes" => number().map(|_| "MINUTES")?,
            "--seed" => number().map(|_| "SEED")?,
            "--kill" => {
                kills = Some(number()?);
                "KILLS"
            }
            other => return Err(format!("unknown: {other}")),
        };
        settings.push((format!("ANCHORLOG_CRASH_{name}"), (*value).to_owned()));
    }
    let test = match kills {
        Some(_) => ["--package=anchorlog", "--test=killed", "killed_as_often_as_asked"],
        None => ["--package=anchorlog-replay", "--test=crash", "all::all_sets"],
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--release", "--quiet"]).args(test).args(["--", "--ignored", "--exact", "--nocapture"]);
    let status = cargo.envs(settings).status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("a crash was not survived".into()) }
}
