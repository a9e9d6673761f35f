//! Arguments of what happens to sets after they were made: forgotten, labelled, held; and to the locks of their vault.

use super::vault::At;
use anchorlog_operations::retention::{Period, Rules};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog vault forget 1a2b3c4d --vault V                                     this set
  anchorlog vault forget --keep-last 3 --keep-weekly 8 --vault V --dry-run      each set, and why it would stay or go
  anchorlog vault forget --keep-within 30d --keep-monthly 12 --keep-yearly unlimited --vault V

Rules have the terms and the meaning of `restic forget`: a set stays where any rule keeps it. They count for sets of one machine, source,
databases and log streams at a time (by their signatures), in UTC. Whatever the rules are, these stay: sets that are held, sets that a kept
one needs, the last proved set of each database, and sets that cannot be read.

What is forgotten cannot be restored any more. The room is given back by `anchorlog vault prune`.")]
pub struct Forget {
    #[command(flatten)]
    pub at: At,
    /// Sets, by the beginning of their names
    #[arg(required_unless_present = "rules", conflicts_with = "rules")]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub keep: Keep,
    /// Show which sets would be forgotten, and why the others stay, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What rules keep.
#[derive(Debug, Args)]
#[group(id = "rules", multiple = true)]
pub struct Keep {
    /// Keep the last N sets; `unlimited` keeps all
    #[arg(long, value_name = "N", value_parser = count)]
    pub keep_last: Option<u32>,
    /// Keep the last set of each of the last N days on which one was made
    #[arg(long, value_name = "N", value_parser = count)]
    pub keep_daily: Option<u32>,
    /// The same for weeks, from Monday on
    #[arg(long, value_name = "N", value_parser = count)]
    pub keep_weekly: Option<u32>,
    /// The same for months
    #[arg(long, value_name = "N", value_parser = count)]
    pub keep_monthly: Option<u32>,
    /// The same for years
    #[arg(long, value_name = "N", value_parser = count)]
    pub keep_yearly: Option<u32>,
    /// Keep every set that was made so long before the newest, or later: years, months, days, hours, as 1y6m or 7d12h
    #[arg(long, value_name = "DURATION")]
    pub keep_within: Option<Period>,
}

impl Keep {
    /// As the rules of the operation.
    pub fn rules(&self) -> Rules {
        Rules {
            last: self.keep_last.unwrap_or(0),
            daily: self.keep_daily.unwrap_or(0),
            weekly: self.keep_weekly.unwrap_or(0),
            monthly: self.keep_monthly.unwrap_or(0),
            yearly: self.keep_yearly.unwrap_or(0),
            within: self.keep_within,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog vault unlock --vault V --dry-run    who has a lock, since when, and which locks are stale
  anchorlog vault unlock --vault V              remove those that are stale
  anchorlog vault unlock --vault V --all        remove every lock

A lock is stale when its program on this machine is gone, or when it was not renewed for thirty minutes. Stale locks lock nothing, and every
command removes them: this one is for looking. With --all a program that is still at work ends without publishing, at the latest when it
renews its lock; but two that change a vault at the same time can lose sets: be sure that none is at work, on any machine.")]
pub struct Unlock {
    #[command(flatten)]
    pub at: At,
    /// Remove every lock, also those of programs that are still at work
    #[arg(long)]
    pub all: bool,
    /// Show the locks, and remove none
    #[arg(long)]
    pub dry_run: bool,
}

/// A set that something is noted of.
#[derive(Debug, Args)]
pub struct Noted {
    #[command(flatten)]
    pub at: At,
    /// The set, by the beginning of its name, or `latest`
    pub set: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct SetsLabel {
    #[command(flatten)]
    pub noted: Noted,
    /// The label; an empty one takes it away
    pub text: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anchorlog sets hold latest --vault V --reason \"before the migration\"
  anchorlog sets hold 1a2b3c4d --vault V --until 2027-01-01

A held set is not forgotten, by name or by rules, until the time is over or it is given free with `anchorlog sets release`; neither is what
it needs. The vault itself looks at it, so that no command of this program passes it. It does not keep stock restic, or who may delete
objects of the storage, from doing so.")]
pub struct SetsHold {
    #[command(flatten)]
    pub noted: Noted,
    /// Until when: a time (2027-01-01T08:00:00+01:00), or the beginning of a day in UTC (2027-01-01); without it for ever
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub until: Option<Timestamp>,
    /// Why, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct SetsRelease {
    #[command(flatten)]
    pub noted: Noted,
}

fn count(text: &str) -> Result<u32, String> {
    let number = if text == "unlimited" { Some(u32::MAX) } else { text.parse().ok().filter(|number| *number > 0) };
    number.ok_or_else(|| format!("{text} is no number above 0, nor `unlimited`"))
}

fn until(text: &str) -> Result<Timestamp, String> {
    // A time without a zone is no day, though its first part is one.
    let day = || {
        Some(text)
            .filter(|text| text.len() == "2027-01-01".len())?
            .parse::<Date>()
            .ok()?
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|begin| begin.timestamp())
    };
    let time = text.parse().ok().or_else(day);
    time.ok_or_else(|| format!("{text} is neither a time with a zone (2027-01-01T08:00:00Z) nor a day (2027-01-01)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_times_are_read_as_people_write_them() {
        assert_eq!((count("3"), count("unlimited")), (Ok(3), Ok(u32::MAX)));
        assert!(count("0").is_err() && count("-1").is_err() && count("").is_err());
        assert_eq!(until("2027-01-01"), until("2027-01-01T01:00:00+01:00"));
        for text in ["2027-01-01T00:00:00", "2027-01-01 08:00", "2027-02-30", "tomorrow"] {
            assert!(until(text).is_err(), "{text}");
        }
    }
}
