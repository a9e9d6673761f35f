//! Arguments of `restore`.

use super::vault::At;
use super::{Effort, Target, map_entry, number, target};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog restore set latest --vault V --out new --dry-run            what must hold, and every step
  anchorlog restore set 1a2b3c4d --vault V --out new                    clean databases, as they were
  anchorlog restore set 1a2b3c4d --vault V --out new --forward all --logs /exchange/logs   with every log that continues them
  anchorlog restore set latest --vault V --out new --forward all --to 2026-11-20T08:00:00Z
  anchorlog restore set latest --vault V --over /exchange               in place; what stands there is set aside
  anchorlog restore set latest --vault V --onto damaged.edb --out new   only what differs from the damaged copy is read
  anchorlog restore set 5e6f7a8b --vault V --out new                    an imported online set, with those that it needs
  anchorlog restore page mail.edb --page 17,42 --set latest --vault V --logs /exchange/logs --out new    damaged pages alone
  anchorlog restore online full incr1 incr2 --out new --last-set        online backup sets, made elsewhere

A result is built aside, proved, and published whole or not at all. Nothing that stands in the target is overwritten or deleted.")]
pub struct RestoreArguments {
    #[command(subcommand)]
    pub command: RestoreCommand,
}

#[derive(Debug, Subcommand)]
pub enum RestoreCommand {
    /// A set of a vault
    Set(RestoreSet),
    /// Online backup sets in folders: databases with their trailers, and logs
    Online(RestoreOnline),
    /// Damaged pages of a database, out of a set and brought forward by the logs; the rest stays as it is
    Page(RestorePage),
}

/// How far databases are rolled forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Roll {
    /// Not at all: clean databases, as they were
    No,
    /// With the logs of their own set
    Set,
    /// With every log that continues them: of the set, of other sets, and of the folders named with --logs
    All,
}

#[derive(Debug, Args)]
pub struct RestoreSet {
    /// The set, by the beginning of its name, or `latest`
    pub set: String,
    #[command(flatten)]
    pub at: At,
    /// Where the result goes: a folder that does not exist yet, or is empty
    #[arg(long, short, value_name = "DIR", required_unless_present = "over", conflicts_with = "over")]
    pub out: Option<PathBuf>,
    /// A folder with files: what stands in the way is set aside beside them
    #[arg(long, value_name = "DIR")]
    pub over: Option<PathBuf>,
    /// Show the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Restore this database of the set only, by its path or file name
    #[arg(long, value_name = "NAME")]
    pub database: Vec<String>,
    /// Leave out a database that the logs name
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// How far to roll forward; without it an image is replayed with its own logs, and clean databases stay as they are
    #[arg(long, value_name = "HOW", value_enum)]
    pub forward: Option<Roll>,
    /// A folder with further logs: those of production, or of an archive; of an online set one
    #[arg(long, value_name = "DIR")]
    pub logs: Vec<PathBuf>,
    /// Where a database goes below the target: NAME is its path, or the end of that
    #[arg(long, value_name = "NAME=PATH", value_parser = map_entry)]
    pub map: Vec<(String, PathBuf)>,
    /// Stop behind a generation (0x1F), behind the record at a position (0x1F,2,9A), or at a time (2024-05-01T12:00:00Z)
    #[arg(long, value_name = "POSITION|TIME", value_parser = target)]
    pub to: Option<Target>,
    /// A damaged copy of the database, or the folder of damaged ones: what of it is as the set has it is not read from the vault. It is only
    /// read itself; the result is a new file
    #[arg(long, value_name = "PATH")]
    pub onto: Option<PathBuf>,
    /// Accept that what committed in logs that are gone is lost
    #[arg(long)]
    pub accept_loss: bool,
    /// Publish the result although pages of it are damaged
    #[arg(long)]
    pub keep_damage: bool,
    /// Verify trees and rows of databases as well that nothing was replayed on
    #[arg(long)]
    pub verify: bool,
    /// Put the database of a domain controller back in its place all the same
    #[arg(long)]
    pub domain_controller: bool,
    /// You vouch that nothing has the files of the target open
    #[arg(long)]
    pub assume_dismounted: bool,
    #[command(flatten)]
    pub effort: Effort,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The pages are taken from the database in the set, and every change that the logs have for them is redone, up to the state of \
the damaged file: of a clean one to the very position at which it was closed, of a dirty one to where its own redo begins. The result is a \
copy of the database with these pages, verified as a whole; the database itself is never written."
)]
pub struct RestorePage {
    /// The damaged database
    pub database: PathBuf,
    /// The pages, as `anchorlog verify` names them
    #[arg(long, value_name = "N", required = true, value_delimiter = ',', value_parser = number)]
    pub page: Vec<u32>,
    /// The set, by the beginning of its name, or `latest`
    #[arg(long, value_name = "SET")]
    pub set: String,
    #[command(flatten)]
    pub at: At,
    /// A folder with further logs: those of production, or of an archive
    #[arg(long, value_name = "DIR")]
    pub logs: Vec<PathBuf>,
    /// Where the result goes: a folder that does not exist yet, or is empty
    #[arg(long, short, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Show the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Publish the result although other pages of it are damaged
    #[arg(long)]
    pub keep_damage: bool,
}

#[derive(Debug, Args)]
pub struct RestoreOnline {
    /// The folders of the sets: one with databases and logs, then those with further logs
    #[arg(required = true)]
    pub sets: Vec<PathBuf>,
    /// Where the result goes: a folder that does not exist yet or is empty, or one in which earlier sets wait
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Show the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// No more sets follow: recover now. Without it the files wait for more, and `recover --hard` ends it
    #[arg(long)]
    pub last_set: bool,
    /// Go on into the logs of this folder, where they continue the sets
    #[arg(long, value_name = "DIR")]
    pub production: Option<PathBuf>,
    /// The production instance runs: leave its current log alone
    #[arg(long, requires = "production")]
    pub closed_logs_only: bool,
    /// Where a database goes below the target: NAME is its path, or the end of that
    #[arg(long, value_name = "NAME=PATH", value_parser = map_entry)]
    pub map: Vec<(String, PathBuf)>,
    /// Leave out databases that are not mapped
    #[arg(long)]
    pub only_mapped: bool,
    /// Publish the result although pages of it are damaged
    #[arg(long)]
    pub keep_damage: bool,
    /// Words for people, kept in Restore.env
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub annotation: String,
    #[command(flatten)]
    pub effort: Effort,
}
