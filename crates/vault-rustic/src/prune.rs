//! Removing what no set needs, in two runs: the first marks packs, a later one removes them.

use crate::error::{Error, Result, guarded};
use crate::{Limit, open, sync};
use anchorlog_vault::restic::ResticVault;
use rustic_core::jiff::{Span, ToSpan as _};
use rustic_core::{PruneOptions, PruneStats};

/// Hours for which marked packs are kept at least: longer than any backup takes.
pub const KEEP_MARKED_HOURS_MIN: u32 = 48;

/// How a prune is to go about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Hours for which marked packs are kept: at least [`KEEP_MARKED_HOURS_MIN`], and more than the longest backup takes.
    pub keep_marked_hours: u32,
    /// How much is packed anew at most, because much around it is not needed.
    pub max_repack: Limit,
    /// How much that is not needed may stay among what is.
    pub max_unused: Limit,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_marked_hours: KEEP_MARKED_HOURS_MIN, max_repack: Limit::Percent(10), max_unused: Limit::Percent(5) }
    }
}

/// What a prune did, or would do; in bytes where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// What sets need.
    pub used: u64,
    /// What none needs, marked or not.
    pub unused: u64,
    /// Packs of which no set needs anything.
    pub packs_unused: u64,
    /// Packs of which sets need a part.
    pub packs_partly_used: u64,
    /// Packs in no index: what stopped programs left. Not counted among what is unused.
    pub packs_unreferenced: u64,
    /// Bytes of these.
    pub unreferenced: u64,
    /// Marked by this run: not used any more, removed by a later one.
    pub marked: u64,
    /// Packed anew, because much around it is not needed.
    pub repacked: u64,
    /// Marked before, and removed by this run.
    pub removed: u64,
    /// Packs removed by this run.
    pub packs_removed: u64,
    /// Marked before, and not for long enough to be removed.
    pub waiting: u64,
    /// Marked before, and needed again.
    pub recovered: u64,
}

/// Marks packs that no set needs, packs anew what stands among much that is not needed, and removes packs that were marked for long enough.
/// With `dry_run` it only says so.
///
/// # Errors
/// Fewer than [`KEEP_MARKED_HOURS_MIN`] hours; an append-only vault; any other lock; a snapshot or a tree that cannot be read; rustic_core's
/// and the storage's. No set suffers from any of them.
pub fn prune(vault: &ResticVault, options: &Options, dry_run: bool) -> Result<PruneReport> {
    if options.keep_marked_hours < KEEP_MARKED_HOURS_MIN {
        return Err(Error::Impatient(KEEP_MARKED_HOURS_MIN));
    }
    let patient = PruneOptions::default().keep_delete(i64::from(options.keep_marked_hours).hours());
    run(vault, patient.max_repack(options.max_repack).max_unused(options.max_unused), dry_run)
}

fn run(vault: &ResticVault, options: PruneOptions, dry_run: bool) -> Result<PruneReport> {
    if vault.is_append_only() {
        return Err(anchorlog_vault::Error::Unsupported("this vault is append-only: nothing is removed from it".into()).into());
    }
    // Marked packs must stand out their time, whatever the options of the library become.
    let options = options.instant_delete(false).early_delete_index(false).keep_pack(Span::new());
    vault.alone(|exclusive| {
        guarded(|| {
            let repository = open(vault, exclusive)?;
            let plan = repository.prune_plan(&options)?;
            let report = report_of(&plan.stats);
            if !dry_run {
                exclusive.confirm()?;
                repository.prune(&options, plan)?;
                sync(vault)?;
            }
            Ok(report)
        })
    })
}

fn report_of(stats: &PruneStats) -> PruneReport {
    let (sizes, marked) = (stats.size_sum(), stats.size_to_delete);
    PruneReport {
        used: sizes.used,
        unused: sizes.unused,
        packs_unused: stats.packs.unused,
        packs_partly_used: stats.packs.partly_used,
        packs_unreferenced: stats.packs_unref,
        unreferenced: stats.size_unref,
        marked: sizes.remove + sizes.repackrm + sizes.repack,
        repacked: sizes.repack,
        removed: marked.remove,
        packs_removed: stats.packs_to_delete.remove,
        waiting: marked.keep,
        recovered: marked.recover,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tests::{bytes, ids, on, publish, read, reopened, secret, vault_on};
    use anchorlog_testkit::crash::CrashDisk;
    use anchorlog_vault::restic::Depth;
    use anchorlog_vault::{Name, NewSet, Vault as _};
    use rustic_core::LimitOption;

    /// Without any patience, which only tests may lack.
    fn at_once() -> PruneOptions {
        PruneOptions::default().keep_delete(Span::new()).max_unused(LimitOption::Percentage(0)).max_repack(LimitOption::Unlimited)
    }

    #[test]
    fn what_no_set_needs_is_marked_first_and_removed_by_a_later_run() {
        let disk = CrashDisk::default();
        let vault = vault_on(&disk);
        let (one, two) = (bytes(1, 300_000), bytes(2, 300_000));
        let first = publish(&vault, 1, &[("a", &one)]);
        let second = publish(&vault, 2, &[("a", &two)]);
        let packs = || disk.files().keys().filter(|path| path.starts_with("data")).count();
        let before = packs();
        vault.forget(&[first]).unwrap();
        let planned = prune(&vault, &Options::default(), true).unwrap();
        assert!(planned.marked > 100_000 && planned.removed == 0);
        assert_eq!(packs(), before, "a plan changes nothing");
        assert_eq!(prune(&vault, &Options::default(), false).unwrap(), planned);
        assert!(packs() >= before, "marked, and still there");
        assert!(read(&vault, &second, "a").unwrap() == two);
        assert_eq!(prune(&vault, &Options::default(), false).unwrap().removed, 0, "two days have not passed");
        assert!(run(&vault, at_once(), false).unwrap().removed > 100_000);
        assert!(packs() < before);
        assert!(read(&vault, &second, "a").unwrap() == two);
        assert_eq!(vault.check(Depth::All).unwrap().damage, []);
        assert_eq!(crate::check(&vault, true).unwrap().errors, [""; 0]);
        // What was removed is stored again.
        let third = publish(&vault, 3, &[("a", &one)]);
        assert!(read(&vault, &third, "a").unwrap() == one);
    }

    #[test]
    fn less_patience_than_two_days_is_refused() {
        let vault = vault_on(&CrashDisk::default());
        let options = Options { keep_marked_hours: KEEP_MARKED_HOURS_MIN - 1, ..Options::default() };
        assert!(matches!(prune(&vault, &options, true), Err(Error::Impatient(_))));
    }

    #[test]
    fn a_prune_is_refused_while_anyone_has_the_vault() {
        let disk = CrashDisk::default();
        let vault = vault_on(&disk);
        let other = reopened(&disk);
        let mut writer = other.begin_set(NewSet::default()).unwrap();
        writer.stream(&Name::new("a").unwrap(), &mut &b"some bytes"[..]).unwrap();
        let before = disk.files();
        assert!(matches!(prune(&vault, &Options::default(), false), Err(Error::Vault(anchorlog_vault::Error::Locked(_)))));
        assert!(disk.files() == before);
        writer.publish(b"{}").unwrap();
        drop(other);
        prune(&vault, &Options::default(), false).unwrap();
        assert_eq!(ids(&vault).len(), 1);
    }

    #[test]
    fn a_machine_that_stops_in_a_prune_leaves_every_set_whole() {
        let disk = CrashDisk::default();
        let vault = vault_on(&disk);
        let (one, two) = (bytes(1, 200_000), bytes(2, 200_000));
        let both = publish(&vault, 1, &[("a", &one), ("b", &two)]);
        let kept = publish(&vault, 2, &[("a", &one)]);
        vault.forget(&[both]).unwrap();
        drop(vault);
        let files = disk.files();
        for run_number in 1..=2 {
            let disk = CrashDisk::new(files.clone());
            let vault = reopened(&disk);
            // The second run removes what the first has marked.
            for _ in 1..run_number {
                run(&vault, at_once(), false).unwrap();
            }
            let begun = disk.operations();
            let report = run(&vault, at_once(), false).unwrap();
            assert!(if run_number == 1 { report.marked > 0 } else { report.removed > 0 }, "{report:?}");
            drop(vault);
            let mut crashes = disk.crashes();
            while crashes.advance() {
                if crashes.at() < begun {
                    continue;
                }
                for seed in 0..3 {
                    let mut left = crashes.files(seed).0;
                    left.retain(|path, _| !path.starts_with("locks"));
                    let vault = anchorlog_vault::restic::ResticVault::open_on(on(&CrashDisk::new(left)), &secret()).unwrap();
                    let case = format!("run {run_number}, seed {seed} behind operation {}", crashes.at());
                    assert!(read(&vault, &kept, "a").unwrap() == one, "{case}");
                    run(&vault, at_once(), false).unwrap();
                    assert!(read(&vault, &kept, "a").unwrap() == one, "{case}, and another prune");
                }
            }
        }
    }
}
