//! Arguments around proofs: the key that signs them, drills, and the watch over a vault.

use super::Effort;
use super::vault::At;
use anchorlog_operations::restore::set::Sample;
use anchorlog_operations::sets::PublicKey;
use clap::Args;
use std::path::PathBuf;

/// What signs proofs. Without it the key that lies in the vault does.
#[derive(Debug, Default, Args)]
pub struct ProofKeyFrom {
    /// The file with the key that signs proofs, where it is kept outside the vault; a vault without a proof key takes note of its public half
    #[arg(long, value_name = "FILE", env = "ANCHORLOG_PROOF_KEY")]
    pub proof_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct KeyProof {
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog drill latest --vault V --scratch /var/tmp          restored, replayed, verified, every table hashed and compared
  anchorlog drill --sample 1 --vault V --scratch /var/tmp      for every night: the set that was never proved, or longest ago
  anchorlog drill --sample 10% --vault V --scratch /var/tmp    a tenth of the sets
  anchorlog drill --all --vault V --scratch /var/tmp           every set, one after the other

What a set holds must be what it held at its first drill, and, where `backup offline --hash-rows` made it, what its source held. The proof
is attached to the set with level, time, position and figures, and signed; `sets ls` shows it. Nothing is left in the scratch folder.")]
pub struct DrillArguments {
    /// Sets, by the beginning of their names, or `latest`
    #[arg(required_unless_present_any = ["all", "sample"])]
    pub sets: Vec<String>,
    /// Every set
    #[arg(long, conflicts_with_all = ["sets", "sample"])]
    pub all: bool,
    /// So many sets, or so many of a hundred (10%): those first that no replay has proved yet, or longest ago
    #[arg(long, value_name = "N|PERCENT", value_parser = sample, conflicts_with = "sets")]
    pub sample: Option<Sample>,
    /// With --sample: decides between sets that were proved at the same time, or never
    #[arg(long, value_name = "N", default_value_t = 0, requires = "sample")]
    pub seed: u64,
    /// Show which sets would be drilled, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub at: At,
    #[command(flatten)]
    pub proof_key: ProofKeyFrom,
    /// Where the sets are restored for a while
    #[arg(long, value_name = "DIR")]
    pub scratch: PathBuf,
    #[command(flatten)]
    pub effort: Effort,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog monitor --vault V --logs /exchange/logs                      one line with performance data: for Nagios, Icinga and their kin
  anchorlog monitor --vault V --max-age 2h --max-proof-age 35d
  anchorlog monitor --vault V --prometheus > /var/lib/node_exporter/anchorlog.prom.$$   and rename it: for the textfile collector

Exit codes are those of Nagios, and differ from those of every other command: 0 all is well, 1 warning, 2 critical, 3 it could not be told.
A command line that is wrong ends with 2 as everywhere.

Critical: a database without a proved backup, or whose newest one is too old; a hole in the chain of logs; a damaged vault; a proof with a bad
signature; another proof key than the expected one. Warning: a newest backup that is not proved, a proof that is too old, an abandoned lock.
The age of a backup is that of its set, or of the newest proved set of logs that continues it.")]
pub struct Monitor {
    #[command(flatten)]
    pub at: At,
    /// An older newest backup of a database is critical: 90m, 26h, 3d, 2w
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "26h")]
    pub max_age: i64,
    /// An older newest proof of a database by a replay (a drill) is a warning
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_proof_age: Option<i64>,
    /// The production folder: the vault must join on to its logs
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// A database that is gone for good, by its path or file name
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// The public proof key that was noted down (`vault key proof`): no other signature counts
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub expect_key: Option<PublicKey>,
    /// Do not check the vault's own structures, only read the sets
    #[arg(long)]
    pub quick: bool,
    /// Print Prometheus' text format
    #[arg(long, conflicts_with = "json")]
    pub prometheus: bool,
}

fn sample(text: &str) -> Result<Sample, String> {
    let parsed = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Sample::Percent),
        None => text.parse().ok().filter(|count| *count > 0).map(Sample::Count),
    };
    parsed.ok_or_else(|| format!("{text} is neither a number of sets nor a percentage from 1% to 100%"))
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::parse(text)
        .ok_or_else(|| format!("{text} is no public key: 64 hexadecimal digits, as `vault key proof` shows them"))
}

/// Seconds of `90s`, `90m`, `26h`, `3d` or `2w`.
fn duration(text: &str) -> Result<i64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let count: i64 = text.strip_suffix(*unit)?.parse().ok().filter(|count| *count > 0)?;
        count.checked_mul(*seconds)
    });
    parsed.ok_or_else(|| format!("{text} is no duration: 90m, 26h, 3d, 2w"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_samples_are_read_as_people_write_them() {
        assert_eq!((duration("90m"), duration("26h"), duration("2w")), (Ok(5400), Ok(93_600), Ok(1_209_600)));
        for wrong in ["", "h", "0h", "-1h", "26", "1.5h", "9223372036854775807w"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!((sample("3"), sample("10%")), (Ok(Sample::Count(3)), Ok(Sample::Percent(10))));
        for wrong in ["0", "0%", "101%", "%", "x"] {
            assert!(sample(wrong).is_err(), "{wrong}");
        }
    }
}
