//! Arguments of `vault copy`.

use super::vault::At;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog vault copy --vault V --to /usb/vault --to-key-file other.key           every set that is not there yet
  anchorlog vault copy 1a2b3c4d --vault V --to /usb/vault --to-key-file other.key   this set, with what it needs
  anchorlog vault copy --vault V --to /usb/vault --to-key-file other.key --dry-run   what would be copied

Make the other vault first, with `anchorlog vault init`: with a key of its own, and a size of chunks as it likes. Sets are read, compared with
the hashes of their manifests, stored anew, and read back; labels, holds and proofs come with them. A copy gets a name of its own, and says of
which set it is one: the next run copies only what is new, and a run that was stopped is completed by it.")]
pub struct Copy {
    /// Sets, by the beginning of their names, or `latest`; without any every set
    pub sets: Vec<String>,
    #[command(flatten)]
    pub at: At,
    /// The vault that is copied into
    #[arg(long, value_name = "VAULT")]
    pub to: PathBuf,
    /// A file with its password in the first line; or the variable ANCHORLOG_TO_PASSWORD holds it. Without any what opens the first vault
    #[arg(long, value_name = "FILE")]
    pub to_password_file: Option<PathBuf>,
    /// A file with its key
    #[arg(long, value_name = "FILE", conflicts_with = "to_password_file")]
    pub to_key_file: Option<PathBuf>,
    /// Show what would be copied, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
