//! The command line.

pub mod backup;
pub mod copy;
pub mod life;
pub mod proof;
#[cfg(feature = "prune")]
pub mod prune;
pub mod restore;
pub mod vault;

use anchorlog_format::units::{LogPosition, LogTime};
use clap::{Args, Parser, Subcommand};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Recover, verify and read ESE databases (Exchange, Active Directory, Windows components) on any operating system.
#[derive(Debug, Parser)]
#[command(name = "anchorlog", version, after_help = EXIT_CODES, max_term_width = 110, arg_required_else_help = true)]
pub struct Arguments {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done and clean; 1 done, with findings or by consent to loss; 2 wrong usage; \
3 refused, nothing was touched; 4 failed, nothing was published; 130 interrupted. `monitor` has those of Nagios instead.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what files and folders are, and what can be done with them
    Inspect(Inspect),
    /// Explain a JET error code, or an invariant that a finding names
    Explain(Explain),
    /// Check databases and logs for damage
    Verify(Verify),
    /// Write the logical content of databases as JSON lines
    Dump(Dump),
    /// Bring a dirty database and its logs to a clean database, without touching them
    Recover(Recover),
    /// Make a vault, and look after it: a repository of backup sets in restic's format
    Vault(vault::VaultArguments),
    /// Show the sets of a vault, and what is in them
    Sets(vault::SetsArguments),
    /// Back up databases and logs into a vault
    Backup(backup::BackupArguments),
    /// Restore sets of a vault, or online backup sets made elsewhere
    Restore(restore::RestoreArguments),
    /// Prove sets: restore them for a while, replay, verify, hash every table and compare
    Drill(proof::DrillArguments),
    /// Say in one line whether the backups are good enough, with exit codes for Nagios
    Monitor(proof::Monitor),
    /// For every log of a folder: why it must stay, or why it may go
    Chain(backup::ChainArguments),
    /// Move logs that nothing needs and a proved set holds into quarantine
    Purge(backup::PurgeArguments),
    /// Recover a small crashed database that comes with the program
    Demo(Demo),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog inspect ntds.dit                 every field of the header, by plain and by Microsoft's name
  anchorlog inspect evidence/sru             which databases and logs belong together, what is missing
  anchorlog inspect SRUDB.dat --page 5       a page with its tags and nodes
  anchorlog inspect edb00012.log --records   every record of a log
  anchorlog inspect --layout DBFILEHDR       how a structure is laid out on disk")]
pub struct Inspect {
    /// Files or folders
    #[arg(required_unless_present = "layout")]
    pub paths: Vec<PathBuf>,
    /// Show this page of a database, with its tags and nodes
    #[arg(long, value_name = "N", value_parser = number)]
    pub page: Vec<u32>,
    /// List every record of a log
    #[arg(long)]
    pub records: bool,
    /// Show how a structure is laid out on disk; `list` names all of them
    #[arg(long, value_name = "NAME", exclusive = true)]
    pub layout: Option<String>,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// A code: -1216, 0xFFFFFB40, 4294966080, or a symbol; or an invariant: I24
    #[arg(allow_hyphen_values = true, required = true)]
    pub codes: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog verify mail.edb                  every page, tree, record, index entry and long value; logs and flush map beside it
  anchorlog verify --checksums D:/data       only the checksum of every page, as fast as the files can be read
  anchorlog verify --quick *.edb             space, catalog and the inner pages of every tree: seconds, also for large files
  anchorlog verify --space ntds.dit          what each table and index owns, and what of it is free
  anchorlog verify --json mail.edb           one JSON value a line: findings as they come, then the result

A finding names the invariant that is broken, as [I24]; `anchorlog explain I24` says what holds. Errors end with exit code 1; warnings
and notes do not.")]
pub struct Verify {
    /// Files or folders
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Only the checksum of every page
    #[arg(long, conflicts_with = "quick")]
    pub checksums: bool,
    /// Only headers, space, catalog and the inner pages of trees
    #[arg(long)]
    pub quick: bool,
    /// Show the space of every table and index as well
    #[arg(long)]
    pub space: bool,
    /// Threads; as many as there are processors
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZero<usize>>,
    /// Memory for pages, beside a MiB for each thread
    #[arg(long, value_name = "MIB")]
    pub cache: Option<usize>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog dump recovered/mail.edb > rows.jsonl
  anchorlog dump --set latest --vault V --key-file K > rows.jsonl              rows straight out of a backup: nothing is restored
  anchorlog dump --set 1a2b3c4d db/mail.edb --vault V --key-file K             one database of the set

A dirty database of a set is read behind a replay of the logs of its set: what that changes is kept in memory, and beyond 64 MiB in the scratch
folder, where nothing is left behind.")]
pub struct Dump {
    /// Databases; with --set those of the set, by their streams or the end of these, and none means all
    #[arg(required_unless_present = "set")]
    pub databases: Vec<PathBuf>,
    /// Out of this set of a vault, by the beginning of its name, or `latest`
    #[arg(long, value_name = "SET", requires = "vault")]
    pub set: Option<String>,
    /// The vault of the set: a folder
    #[arg(long, value_name = "DIR", env = "ANCHORLOG_VAULT")]
    pub vault: Option<PathBuf>,
    #[command(flatten)]
    pub secret: vault::SecretFrom,
    /// Where changes of a replay go for which memory has no room; otherwise the folder for temporary files
    #[arg(long, value_name = "DIR", requires = "set")]
    pub scratch: Option<PathBuf>,
    /// The engine's own tables (MSys…) instead of the others
    #[arg(long)]
    pub catalog: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog recover evidence/sru --out recovered --dry-run        what would be done, and what stands in the way
  anchorlog recover evidence/sru --out recovered                  databases and logs found by themselves, result proved
  anchorlog recover --database a/mail.edb --logs b/logs --out new files that lie apart
  anchorlog recover DIR --out new --without-undo                  redo only: more logs can follow later
  anchorlog recover DIR --out new --accept-loss 0x1A              go without the logs from generation 0x1A on
  anchorlog recover --hard SET --out new                          an online backup set, to the end of its logs
  anchorlog recover --hard SET --out new --production E:/logs     and on into the logs that production still has
  anchorlog recover --hard WAITING --dry-run                      a restore that waits: what its end would be

An online backup is copied while the database is in use: its header says where the copy began, a page behind the last one says where it
ended, and the logs between the two belong to it. Such a database is never recovered like a crashed one (-544), and a crashed one never
like a set (-615). A hard recovery undoes what is open at the end of the logs; a set that comes later can then no longer be added.")]
pub struct Recover {
    /// The folder with the databases and logs; sub-folders are looked at as well
    #[arg(required_unless_present_all = ["database", "logs"])]
    pub folder: Option<PathBuf>,
    /// Where the result goes: a folder that does not exist yet, or is empty
    #[arg(long, short, value_name = "DIR", required_unless_present_any = ["in_place", "dry_run", "hard"], conflicts_with = "in_place")]
    pub out: Option<PathBuf>,
    /// Put the result in the place of the originals, which are set aside
    #[arg(long, requires = "folder")]
    pub in_place: bool,
    /// Show the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Hard recovery: the folder holds an online backup set, or a restore that waits for its end (Restore.env). Databases are brought
    /// to the end of the logs and then take no more: give it when the last set is there. Without --out the result takes the place of the
    /// files that waited, which are set aside
    #[arg(long, requires = "folder", conflicts_with_all = ["database", "logs", "without_undo", "accept_loss", "to",
        "ignore_missing_database", "no_create"])]
    pub hard: bool,
    /// With --hard: go on into the logs of this folder, where they continue the set
    #[arg(long, value_name = "DIR", requires = "hard")]
    pub production: Option<PathBuf>,
    /// With --production: the instance runs, so leave its current log alone
    #[arg(long, requires = "production")]
    pub closed_logs_only: bool,
    /// A database that lies elsewhere
    #[arg(long, value_name = "FILE")]
    pub database: Vec<PathBuf>,
    /// The folder of the logs, where it is another one
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// Which file a name in the logs means: NAME is a logged path or its end, PATH a file below the folder
    #[arg(long, value_name = "NAME=PATH", value_parser = map_entry)]
    pub map: Vec<(String, PathBuf)>,
    /// Leave open transactions open, so that more logs can be replayed later
    #[arg(long)]
    pub without_undo: bool,
    /// Give up what committed from this generation on; it must be the one that the plan names
    #[arg(long, value_name = "GENERATION", value_parser = number)]
    pub accept_loss: Option<u32>,
    /// Give up at most so many generations
    #[arg(long, value_name = "N", requires = "accept_loss")]
    pub max_lost_logs: Option<u32>,
    /// Stop behind a generation (0x1F), behind the record at a position (0x1F,2,9A), or at a time (2024-05-01T12:00:00Z)
    #[arg(long, value_name = "POSITION|TIME", value_parser = target)]
    pub to: Option<Target>,
    /// Go on although a database that the logs name is missing
    #[arg(long)]
    pub ignore_missing_database: bool,
    /// Refuse to make a missing database anew from its logged creation
    #[arg(long)]
    pub no_create: bool,
    /// Publish the result although pages of it are damaged
    #[arg(long)]
    pub keep_damage: bool,
    #[command(flatten)]
    pub effort: Effort,
}

/// What a replay may take.
#[derive(Debug, Args)]
pub struct Effort {
    /// Memory for pages
    #[arg(long, value_name = "MIB")]
    pub cache: Option<usize>,
    /// Threads that change pages: all cores by default, and the same result with any number
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

impl Effort {
    /// Bytes of page images in memory; 0: the usual.
    pub fn cache_bytes(&self) -> usize {
        self.cache.map_or(0, |mebibytes| mebibytes.saturating_mul(1 << 20))
    }
    /// As many as there are cores, where nothing is said.
    pub fn threads(&self) -> usize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Keep the files of the demo in this folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

fn map_entry(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("NAME=PATH is expected")?;
    if name.is_empty() || path.is_empty() {
        return Err("neither NAME nor PATH may be empty".into());
    }
    Ok((name.to_owned(), path.into()))
}

/// A number as people write it: hexadecimal with `0x`, or decimal.
fn number(text: &str) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    let parsed = match lower.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => lower.parse(),
    };
    parsed.ok().filter(|number| *number > 0).ok_or_else(|| format!("{text} is no number above 0: 0x1F, or 31"))
}

/// Where a recovery is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Behind all of a generation, or behind the record at a position.
    Position(LogPosition),
    /// At a time.
    Time(LogTime),
}

fn target(text: &str) -> Result<Target, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Target::Time(crate::now::log_time(time)));
    }
    if text.contains('-') {
        return Err(format!("{text} is no time with a zone: 2024-05-01T12:00:00Z, or 2024-05-01T14:00:00+02:00"));
    }
    position(text).map(Target::Position)
}

fn position(text: &str) -> Result<LogPosition, String> {
    let mut parts = text.split([',', ':']);
    let first = number(parts.next().unwrap_or_default())?;
    let mut part = || {
        let Some(text) = parts.next() else { return Ok(0) };
        let hex = text.trim().trim_start_matches("0x").trim_start_matches("0X");
        u16::from_str_radix(hex, 16)
            .map_err(|_| format!("{text} is no part of a position: GENERATION,SEGMENT,BYTE in hexadecimal"))
    };
    let (sector, byte) = (part()?, part()?);
    Ok(LogPosition::new(first, sector, byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn generations_and_positions_are_read_as_people_write_them() {
        assert_eq!((number("0x1F"), number("31")), (Ok(31), Ok(31)));
        assert!(number("0").is_err() && number("x").is_err());
        assert_eq!(position("0x1F"), Ok(LogPosition::new(31, 0, 0)));
        assert_eq!(position("0x1F,2,9A"), Ok(LogPosition::new(31, 2, 0x9A)));
        assert_eq!(position("3:0x3f:0xfff"), Ok(LogPosition::new(3, 0x3F, 0xFFF)));
        assert!(position("3,zz").is_err());
        assert_eq!(target("2024-05-01T14:00:00+02:00"), target("2024-05-01T12:00:00Z"));
        assert_eq!(target("2024-05-01T12:00:00.5Z"), Ok(Target::Time(LogTime::utc(2024, 5, 1, 12, 0, 0, 500))));
        assert!(target("2024-05-01 12:00").is_err());
    }
}
