//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Recover, verify and read ESE (JET Blue) databases on any operating system: Exchange, Active Directory, Windows Search, SRUM, WebCache…
#[derive(Debug, Parser)]
#[command(name = "anchorlog", version, max_term_width = 110, subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what files are: every field of a database, log, checkpoint or flush map; for a folder, what belongs together and what is missing.
    Inspect(InspectArguments),
    /// Explain an error code: -1216, 0xFFFFFB40, 4294966080 or JET_errAttachedDatabaseMismatch.
    Explain(ExplainArguments),
    /// Bring dirty databases to a clean state with their transaction logs. The originals are never changed.
    Recover(RecoverArguments),
    /// Recover a small crashed database that comes with the program, and show each step.
    Demo(DemoArguments),
}

/// `inspect`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  anchorlog inspect ntds.dit                 every field of the header, by plain and by Microsoft's name
  anchorlog inspect C:\\evidence\\sru          which databases and logs belong together, what is missing
  anchorlog inspect SRUDB.dat --page 5       a page with its tags and nodes
  anchorlog inspect edb00012.log --records   every record of a log
  anchorlog inspect --layout DBFILEHDR       how a structure is laid out on disk")]
pub struct InspectArguments {
    /// Files or folders.
    pub paths: Vec<PathBuf>,
    /// Show this page of a database (decimal, or hexadecimal with 0x).
    #[arg(long, value_name = "N")]
    pub page: Option<String>,
    /// List the records of a log.
    #[arg(long)]
    pub records: bool,
    /// Print a declared structure, by our or Microsoft's name.
    #[arg(long, value_name = "NAME")]
    pub layout: Option<String>,
}

/// `explain`.
#[derive(Args, Debug)]
pub struct ExplainArguments {
    /// The code, in any form.
    #[arg(allow_hyphen_values = true, required = true)]
    pub codes: Vec<String>,
}

/// `recover`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  anchorlog recover evidence/sru --out recovered --dry-run      what would be done, and what stands in the way
  anchorlog recover evidence/sru --out recovered                databases and logs found by themselves, result proved
  anchorlog recover --database a/mail.edb --logs b/logs --out r files that lie apart
  anchorlog recover DIR --out R --without-undo                  redo only: more logs can follow later
  anchorlog recover DIR --out R --accept-loss 0x1A              go without the logs from generation 0x1A on

Exit codes: 0 done; 1 done, with loss or damage by consent; 2 usage; 3 refused, nothing was touched;
4 failed, nothing was published; 130 interrupted, nothing half done.")]
pub struct RecoverArguments {
    /// The folder that holds databases and logs; sub-folders are searched as well.
    pub folder: Option<PathBuf>,
    /// Where the result goes: a folder that does not exist, or is empty.
    #[arg(long, short, value_name = "DIR", conflicts_with = "in_place")]
    pub out: Option<PathBuf>,
    /// Put the result in the place of the originals, which are set aside in a folder beside them.
    #[arg(long)]
    pub in_place: bool,
    /// A database that lies elsewhere (may be given several times).
    #[arg(long, value_name = "FILE")]
    pub database: Vec<PathBuf>,
    /// The folder of the logs, where it is another one.
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// Which file a logged database path means: NAME is the logged path, or its end.
    #[arg(long, value_name = "NAME=PATH", value_parser = name_and_path)]
    pub map: Vec<(String, PathBuf)>,
    /// Only show the plan.
    #[arg(long)]
    pub dry_run: bool,
    /// Redo only: open transactions stay open and more logs can follow.
    #[arg(long)]
    pub without_undo: bool,
    /// Give up what was committed from this generation on: it must be the one that the plan names.
    #[arg(long, value_name = "GENERATION", value_parser = number)]
    pub accept_loss: Option<u32>,
    /// Give up at most so many generations.
    #[arg(long, value_name = "N")]
    pub max_lost_logs: Option<u32>,
    /// Replay up to here: GENERATION, GENERATION:SECTOR:BYTE (hexadecimal), or a time such as 2024-05-01T12:00:00Z.
    #[arg(long, value_name = "POSITION|TIME")]
    pub to: Option<String>,
    /// Databases that the logs name and that are not here do not matter.
    #[arg(long)]
    pub ignore_missing_database: bool,
    /// Do not make a missing database anew from its logged creation.
    #[arg(long)]
    pub no_create: bool,
    /// Publish the result although pages are damaged.
    #[arg(long)]
    pub keep_damage: bool,
    /// Memory for pages, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub cache: usize,
}

/// `demo`.
#[derive(Args, Debug)]
pub struct DemoArguments {
    /// Keep the files in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn name_and_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("give NAME=PATH, for example db1.edb=restored/db1.edb")?;
    if name.is_empty() || path.is_empty() {
        Err("neither NAME nor PATH may be empty".into())
    } else {
        Ok((name.into(), path.into()))
    }
}

/// Decimal, or hexadecimal with 0x, as Microsoft's tools print generations.
pub fn number(text: &str) -> Result<u32, String> {
    let parsed = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .map_or_else(|| text.parse(), |hex| u32::from_str_radix(hex, 16));
    parsed.map_err(|_| format!("{text} is no number: give it in decimal, or in hexadecimal with 0x"))
}
