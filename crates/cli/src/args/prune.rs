//! Arguments of `vault prune`.

use super::vault::At;
use anchorlog_vault_rustic::{KEEP_MARKED_HOURS_MIN, Limit};
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog vault prune --vault V --dry-run     what no set needs, what would be marked, what would be removed
  anchorlog vault prune --vault V               give back the room of forgotten sets
  anchorlog vault prune --vault V --max-unused 0 --max-repack unlimited     all of it, whatever has to be packed anew for it

It goes in two runs, which is what keeps a backup safe that another machine makes meanwhile: a run marks packs that no set needs, and a later
one, when they were marked for --keep-delete hours, removes them; what came to be needed again is taken back. So run it regularly, as once
a day: the room of a forgotten set comes back two days later. It wants the vault for itself, and is refused while anyone has a lock.")]
pub struct Prune {
    #[command(flatten)]
    pub at: At,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Keep packs for so many hours after they were marked: 48 at least, and more than the longest backup takes
    #[arg(long, value_name = "HOURS", default_value_t = KEEP_MARKED_HOURS_MIN,
        value_parser = clap::value_parser!(u32).range(i64::from(KEEP_MARKED_HOURS_MIN)..=24 * 3660))]
    pub keep_delete: u32,
    /// Pack so much anew at most: a share of the vault (10%), a size (500M, 2G), or unlimited
    #[arg(long, value_name = "LIMIT", default_value = "10%")]
    pub max_repack: Limit,
    /// Leave so much that is not needed among what is: a share of the vault (5%), a size (500M, 2G), or unlimited
    #[arg(long, value_name = "LIMIT", default_value = "5%")]
    pub max_unused: Limit,
}
