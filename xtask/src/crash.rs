//! `cargo xtask crash`: recoveries that are stopped at every operation, over all sets, or the real program killed at random moments
//! while it recovers, or while it works on a vault.

use std::process::Command;

/// Runs the chore.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let (mut settings, mut kills, mut vault) = (Vec::new(), None, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if *argument == "--vault" {
            vault = true;
            continue;
        }
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
    let test = match (vault, kills) {
        // What takes time there is the storage: a quick build shows no other moments.
        (true, _) => ["--package=anchorlog", "--test=killed_vault", "killed_as_often_as_asked"].as_slice(),
        (false, Some(_)) => &["--release", "--package=anchorlog", "--test=killed", "killed_as_often_as_asked"],
        (false, None) => &["--release", "--package=anchorlog-replay", "--test=crash", "all::all_sets"],
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--quiet"]).args(test).args(["--", "--ignored", "--exact", "--nocapture"]);
    let status = cargo.envs(settings).status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("a crash was not survived".into()) }
}
