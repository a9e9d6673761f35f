//! Arguments of the commands that back up, and that look after logs.

use super::vault::At;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog backup offline /exchange --vault /backup/vault --dry-run     what must hold, what is read, what would be stored
  anchorlog backup offline ntds.dit --vault V --dismount 'net stop ntds' --mount 'net start ntds'
  anchorlog backup snapshot /mnt/snap --vault V --scratch /var/tmp       files of one moment, proved by replaying them
  anchorlog backup snapshot /mnt/snap --vault V --take ./take.sh --drop ./drop.sh   scripts that mount a snapshot there, and drop it
  anchorlog backup logs /exchange/logs --vault V                         the closed logs since the last set
  anchorlog backup import /old/full --vault V --scratch /var/tmp         an online set made elsewhere, proved by restoring it
  anchorlog backup import /old/incr1 --vault V                           logs alone, on top of a set that the vault has

A backup reads every page and verifies its checksum, is published whole or not at all, and is read back and compared. A refusal touches
nothing, and names the predicate that is broken, what was read, and what to do next.")]
pub struct BackupArguments {
    #[command(subcommand)]
    pub command: BackupCommand,
}

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Clean databases that nothing has open, with their logs
    Offline(Offline),
    /// Files of one moment, dirty as they were: a snapshot of a volume or of a virtual machine
    Snapshot(Snapshot),
    /// The closed logs since the last set, without any database
    Logs(LogsOnly),
    /// An online backup set made elsewhere: databases with their trailers and logs, or logs alone on top of one
    Import(Import),
}

/// What an online set is, where its files do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnlineKind {
    /// Databases and logs; logs were purged behind it
    Full,
    /// The same, and nothing was purged
    Copy,
    /// The logs since the last full or incremental one
    Incremental,
    /// The logs since the last full one
    Differential,
}

/// Which files are backed up.
#[derive(Debug, Args)]
pub struct Files {
    /// The folder with the files; sub-folders are looked at as well
    #[arg(required_unless_present = "database")]
    pub folder: Option<PathBuf>,
    /// A database that lies elsewhere; without a folder those named are all there is
    #[arg(long, value_name = "FILE")]
    pub database: Vec<PathBuf>,
    /// The folder of the logs, where it is another one
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// Leave out a database that the logs name, by its path or file name
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Store databases with damaged pages as well, marked as not restorable as they are
    #[arg(long)]
    pub keep_damage: bool,
}

/// What every kind of backup has.
#[derive(Debug, Args)]
pub struct Common {
    #[command(flatten)]
    pub at: At,
    /// Show the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// A file that must be there
    #[arg(long, value_name = "FILE")]
    pub configured: Vec<PathBuf>,
    #[command(flatten)]
    pub proof_key: super::proof::ProofKeyFrom,
    /// Words for people, kept with the set
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub label: String,
    /// Do not read the set back once it is published: it counts as not proved until a drill does
    #[arg(long)]
    pub prove_later: bool,
    /// Read at most so many MiB a second
    #[arg(long, value_name = "MIB")]
    pub limit: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Offline {
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub common: Common,
    /// A command that dismounts the databases first
    #[arg(long, value_name = "COMMAND")]
    pub dismount: Option<String>,
    /// A command that mounts them again, as soon as they are copied
    #[arg(long, value_name = "COMMAND")]
    pub mount: Option<String>,
    /// You vouch that nothing has the files open, where locks cannot tell; it is kept with the set
    #[arg(long)]
    pub assume_dismounted: bool,
    /// Hash every row of the databases as well, before they are mounted again: drills compare what they restore with that
    #[arg(long, conflicts_with = "prove_later")]
    pub hash_rows: bool,
}

#[derive(Debug, Args)]
pub struct Snapshot {
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub common: Common,
    /// A command that takes the snapshot first, and makes it readable at the folder: where it fails nothing is backed up
    #[arg(long, value_name = "COMMAND")]
    pub take: Option<String>,
    /// A command that drops it again, however the backup went
    #[arg(long, value_name = "COMMAND")]
    pub drop: Option<String>,
    /// Replay the image there before the set counts; nothing is left behind. Without it the set is marked as not proved
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Store the image although logs with committed transactions are missing
    #[arg(long)]
    pub accept_loss: bool,
}

#[derive(Debug, Args)]
pub struct LogsOnly {
    /// The folder of the logs; sub-folders are looked at as well
    pub folder: PathBuf,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Databases make it a full set, logs alone an incremental one; a copy and a differential set have the same files, so say \
--kind. Every check is the one of its restore: what cannot be restored does not go in, and the JET code says why."
)]
pub struct Import {
    /// The folder of the set; a backup in folders `new` and `old` is found by itself
    pub folder: PathBuf,
    #[command(flatten)]
    pub common: Common,
    /// What it is, where its files do not tell
    #[arg(long, value_name = "KIND", value_enum)]
    pub kind: Option<OnlineKind>,
    /// Restore it there before it counts, with the sets of the vault that it needs; nothing is left behind
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Store databases with damaged pages as well, marked as not restorable as they are
    #[arg(long)]
    pub keep_damage: bool,
}

/// Which logs are judged, and by what.
#[derive(Debug, Args)]
pub struct Logs {
    /// The folder with databases and logs
    pub folder: PathBuf,
    #[command(flatten)]
    pub at: At,
    /// A database that the logs name and that is gone for good
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Sets with databases that are not older than so many days keep the logs that they need
    #[arg(long, value_name = "DAYS")]
    pub keep_days: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog chain /exchange --vault /backup/vault      for every log why it must stay, or why it may go")]
pub struct ChainArguments {
    #[command(flatten)]
    pub of: Logs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog purge /exchange --vault /backup/vault --dry-run          what would go, and why
  anchorlog purge /exchange --vault /backup/vault                    into quarantine among the logs, for two weeks
  anchorlog purge /exchange --vault /backup/vault --free 500 --dry-run    what would have to be given up for 500 MiB
  anchorlog purge /exchange --vault /backup/vault --release          delete what was in quarantine long enough

Only logs go that lie below the checkpoint and every anchor, and that a proved set holds byte for byte, with every earlier one that is
still needed. They go from the lowest upward, and stop at the first that must stay.")]
pub struct PurgeArguments {
    #[command(flatten)]
    pub of: Logs,
    /// Show the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How many days logs stay in quarantine
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub hold_days: u32,
    /// The quarantine; otherwise it is hidden in the folder of the logs
    #[arg(long, value_name = "DIR")]
    pub quarantine: Option<PathBuf>,
    /// The disk runs full: so many MiB must become free. The plan says what would be given up for it
    #[arg(long, value_name = "MIB")]
    pub free: Option<u64>,
    /// Give up what the plan with --free says
    #[arg(long, requires = "free")]
    pub accept: bool,
    /// Delete what was in quarantine long enough, and do nothing else
    #[arg(long, conflicts_with_all = ["dry_run", "free"])]
    pub release: bool,
}
