//! Arguments of the commands around a vault.

use super::life::{Forget, SetsHold, SetsLabel, SetsRelease, Unlock};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Which vault, and what opens it.
#[derive(Debug, Args)]
pub struct At {
    /// The vault: a folder, or a place on object storage as s3://BUCKET/PREFIX or s3:https://HOST:PORT/BUCKET/PREFIX
    #[arg(long, value_name = "DIR|S3", env = "ANCHORLOG_VAULT")]
    pub vault: PathBuf,
    #[command(flatten)]
    pub secret: SecretFrom,
}

/// What opens a vault. Without any of these the environment variable `ANCHORLOG_PASSWORD` is taken.
#[derive(Debug, Args)]
pub struct SecretFrom {
    /// A file with the password in its first line; or the variable ANCHORLOG_PASSWORD holds the password itself
    #[arg(long, value_name = "FILE", env = "ANCHORLOG_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    /// A file with a key, as `vault init --new-key-file` makes it; it goes before a password
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog vault init /backup/vault --new-key-file vault.key   a vault, and the key that opens it: keep a copy of it elsewhere
  ANCHORLOG_PASSWORD=… anchorlog vault init /backup/vault        with a password
  anchorlog vault init s3://backups/mail --new-key-file vault.key  on object storage: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
                                                                 and AWS_ENDPOINT_URL for a server that is not Amazon's
  anchorlog vault key list --vault /backup/vault                 who may open it
  restic -r /backup/vault --password-file vault.key snapshots    stock restic reads it as well

Without its password or key nothing in a vault can be read, by anyone: nobody can help who has lost them all.")]
pub struct VaultArguments {
    #[command(subcommand)]
    pub command: VaultCommand,
}

#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Make a vault
    Init(Init),
    /// List, add and remove the keys that open a vault
    Key(KeyArguments),
    /// Forget sets, by their names or by rules; nothing is forgotten that a later set needs, or that is held
    Forget(Forget),
    /// Copy sets into another vault
    Copy(super::copy::Copy),
    /// Give back the room of forgotten sets
    #[cfg(feature = "prune")]
    Prune(super::prune::Prune),
    /// Show who has a lock, and remove stale locks
    Unlock(Unlock),
    /// Check that the vault is whole
    Check(CheckVault),
    /// Keep every object of a vault with object lock for the whole time again
    ExtendLock(ExtendLock),
}

#[derive(Debug, Args)]
pub struct Init {
    /// Where: a folder that does not exist yet, or is empty; or a prefix of a bucket, as s3://BUCKET/PREFIX
    pub vault: PathBuf,
    #[command(flatten)]
    pub secret: SecretFrom,
    /// Make a key file of 256 random bits there, and use it
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    pub new_key_file: Option<PathBuf>,
    /// Make the key that signs proofs there, and leave only its public half in the vault; without this it lies in the vault
    #[arg(long, value_name = "FILE")]
    pub new_proof_key: Option<PathBuf>,
    /// Size of a chunk, fixed for ever: 64 KiB finds the most that is alike, from some 200 GB on 256 is better
    #[arg(long, value_name = "KIB", default_value_t = 64)]
    pub chunk: usize,
    /// Sets are never forgotten by this program; against others only an object lock or rights of the storage help
    #[arg(long)]
    pub append_only: bool,
    /// On object storage: nobody may remove an object for so many days from when it was written. The bucket must have been made with object
    /// lock; `vault extend-lock` keeps what later sets share with earlier ones
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    pub object_lock: Option<u16>,
    /// Who may lift the object lock before its time: whoever has the right to, or nobody
    #[arg(long, value_name = "MODE", requires = "object_lock", value_enum, default_value_t = ObjectLockMode::Governance)]
    pub object_lock_mode: ObjectLockMode,
}

/// Who may lift an object lock.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum ObjectLockMode {
    /// Whoever has the right to do so on the storage
    Governance,
    /// Nobody, not even the owner of the bucket
    Compliance,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What an object lock keeps, it keeps from when it was written. A database that hardly changes lies in old objects, however new its
sets are: run this after each backup, or once a day. What was extended within a day is left alone."
)]
pub struct ExtendLock {
    #[command(flatten)]
    pub at: At,
    /// Ask until when everything is kept, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct KeyArguments {
    #[command(subcommand)]
    pub command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// The keys that open the vault
    List(KeyList),
    /// Let another password or key open the vault
    Add(KeyAdd),
    /// Take a key away
    Remove(KeyRemove),
    /// The public half of the key that signs proofs: note it down elsewhere, and give it to auditors
    Proof(super::proof::KeyProof),
}

#[derive(Debug, Args)]
pub struct KeyList {
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Args)]
pub struct KeyAdd {
    #[command(flatten)]
    pub at: At,
    /// A file with the new password in its first line, or a key
    #[arg(long, value_name = "FILE", required_unless_present = "make_key_file")]
    pub new_password_file: Option<PathBuf>,
    /// Make a key file of 256 random bits there
    #[arg(long, value_name = "FILE", conflicts_with = "new_password_file")]
    pub make_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct KeyRemove {
    #[command(flatten)]
    pub at: At,
    /// The key, by the beginning of its name as `key list` shows it
    pub key: String,
}

#[derive(Debug, Args)]
pub struct CheckVault {
    #[command(flatten)]
    pub at: At,
    /// Read all data as well, and verify every byte
    #[arg(long, conflicts_with = "share")]
    pub data: bool,
    /// Read one part of so many of the data: 3/30 reads the third of thirty parts
    #[arg(long, value_name = "N/M", value_parser = share)]
    pub share: Option<(u32, u32)>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog sets ls --vault /backup/vault                        every set: kind, databases, generations, proof
  anchorlog sets cat 1a2b3c4d --vault /backup/vault               its manifest, as JSON
  anchorlog sets cat 1a2b3c4d db/mail.edb --vault … > mail.edb    one file of it, as it was
  anchorlog sets hold 1a2b3c4d --vault … --until 2027-01-01       not to be forgotten before")]
pub struct SetsArguments {
    #[command(subcommand)]
    pub command: SetsCommand,
}

#[derive(Debug, Subcommand)]
pub enum SetsCommand {
    /// List the sets
    Ls(SetsLs),
    /// Write the manifest of a set, or one of its files, to standard output
    Cat(SetsCat),
    /// Give a set a label
    Label(SetsLabel),
    /// Hold a set: it is not forgotten until it is given free
    Hold(SetsHold),
    /// Give a held set free
    Release(SetsRelease),
}

#[derive(Debug, Args)]
pub struct SetsLs {
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Args)]
pub struct SetsCat {
    #[command(flatten)]
    pub at: At,
    /// The set, by the beginning of its name, or `latest`
    pub set: String,
    /// A file of the set, as `sets ls` names it; without one its manifest
    pub file: Option<String>,
}

fn share(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    parsed.filter(|(number, of)| (1..=*of).contains(number)).ok_or_else(|| format!("{text} is no part of a whole: 3/30"))
}
