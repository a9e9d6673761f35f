//! `cargo xtask bench`: figures against peers and the limits of the machine, written to docs/performance.md.

mod build;
mod page;
mod peers;
mod replay;
mod run;
mod stages;
mod transaction;
mod tree;
mod vault;
mod verify;

pub use replay::child as replay_in_place;

use anchorlog_format::units::PageSize;
use build::{Recipe, build};
use page::Page;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the benches share.
struct Workshop {
    /// Inputs that are made, and the peers.
    folder: PathBuf,
    /// The program, built for release.
    program: PathBuf,
    /// Small inputs, to see whether the benches work.
    short: bool,
}

type Bench = fn(&Workshop, &mut Page) -> Result<(), String>;

const BENCHES: [(&str, Bench); 5] = [
    ("checksums", verify::checksums),
    ("verify", verify::everything),
    ("parse", replay::parse),
    ("replay", replay::replay),
    ("vault", vault::vault),
];

/// Runs all benches, or those named; their sections of the page are written when they were run at full size.
///
/// # Errors
/// In words.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    if cfg!(debug_assertions) {
        return in_release(&[&["bench"], arguments].concat());
    }
    let (flags, names): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    let short = flags.contains(&"--short");
    if let Some(unknown) = flags.iter().find(|flag| **flag != "--short") {
        return Err(format!("unknown: {unknown}"));
    }
    if let Some(unknown) = names.iter().find(|name| BENCHES.iter().all(|(other, _)| other != *name)) {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        return Err(format!("unknown: {unknown}; there are {}", known.join(", ")));
    }
    status(Command::new("cargo").args(["build", "--release", "--quiet", "--package", "anchorlog"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| anchorlog_testkit::data::checkout().join("target"), PathBuf::from);
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let shop = Workshop { folder, program: target.join("release/anchorlog"), short };
    let mut page = Page::new();
    for (_, bench) in BENCHES.iter().filter(|(name, _)| names.is_empty() || names.contains(name)) {
        bench(&shop, &mut page)?;
    }
    if short { Ok(()) } else { page.write() }
}

/// The same command as a release build.
fn in_release(arguments: &[&str]) -> Result<(), String> {
    status(Command::new("cargo").args(["run", "--release", "--quiet", "--package", "xtask", "--"]).args(arguments))
}

fn status(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command.get_program().to_string_lossy())),
        Err(error) => Err(format!("{}: {error}", command.get_program().to_string_lossy())),
    }
}

/// `cargo xtask build`: a clean database of a given length.
///
/// # Errors
/// In words.
pub fn make(arguments: &[&str]) -> Result<(), String> {
    let usage = || "build FILE PAGE_KIB MIB [indexed] [SEED]".to_owned();
    let [file, page, size, rest @ ..] = arguments else { return Err(usage()) };
    let number = |text: &str| text.parse::<u64>().map_err(|_| usage());
    let page_size = u32::try_from(number(page)? << 10).ok().and_then(PageSize::from_field).ok_or_else(usage)?;
    let seed = rest.iter().find(|text| **text != "indexed").map_or(Ok(1), |text| number(text))?;
    let recipe = Recipe { page_size, bytes: number(size)? << 20, indexed: rest.contains(&"indexed"), seed };
    let built = build(&recipe, Path::new(file))?;
    println!("{file}: {} records, {} bytes", built.rows, built.bytes);
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn gibibytes(bytes: u64) -> String {
    if bytes < 1 << 30 { mebibytes(bytes) } else { format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)) }
}
