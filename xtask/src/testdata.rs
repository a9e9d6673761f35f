//! `cargo xtask testdata`: chooses the engine-made sets that lie in the repository, so that a bare clone tests each kind once.

use anchorlog_testkit::data;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// What the chosen archives may weigh together.
const BUDGET: usize = 7 * 1024 * 1024 + 512 * 1024;

/// Endings of names that mark the same workload at another page size, format version, or with its pages written in between.
const VARIANTS: [&str; 5] = ["-8k", "-16k", "-32k", "-efv8920", "-written"];

/// Variants that stand for their ending: those that move whole pages, keys or long values, where page size and version matter most.
const CHOSEN_VARIANTS: [&str; 12] = [
    "micro-insert-16k",
    "micro-lv-insert-8k",
    "micro-merge-8k",
    "micro-lv-shared-16k",
    "micro-split-right-32k",
    "micro-secondary-32k",
    "micro-crash-after-recovery-32k",
    "micro-lv-shared-efv8920",
    "micro-createdb-efv8920",
    "micro-merge-efv8920",
    "micro-multi-db-written",
    "micro-split-root-written",
];

/// One set of each further kind; the smallest that shows it.
const CHOSEN_OTHERS: [&str; 11] = [
    "mixed-4k-efv8020",
    "mixed-4k-circular",
    "lost-4k-1db",
    "lost-4k-3db",
    "clean-4k",
    "rollforward-logsonly",
    "rollforward-tooold",
    "backup-stream-4k",
    "backup-snapshot-4k",
    "backup-legacy-4k",
    "backup-interrupted",
];

/// Makes `testdata/engine` hold exactly the chosen sets.
pub fn choose() -> Result<(), String> {
    let source = data::shared().ok_or("../shared/data does not stand beside this checkout")?.join("engine");
    let target = data::checkout().join("testdata/engine");
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let mut chosen: BTreeSet<PathBuf> = BTreeSet::new();
    let mut total = 0;
    for set in data::engine_sets() {
        if is_chosen(&set.name) {
            let name = set.archive.file_name().expect("an archive has a name");
            let bytes = fs::read(&set.archive).map_err(|error| format!("{}: {error}", set.archive.display()))?;
            fs::write(target.join(name), &bytes).map_err(|error| format!("{}: {error}", name.display()))?;
            total += bytes.len();
            chosen.insert(target.join(name));
        }
    }
    for entry in fs::read_dir(&target).map_err(|error| error.to_string())?.flatten() {
        if !chosen.contains(&entry.path()) {
            fs::remove_file(entry.path()).map_err(|error| format!("{}: {error}", entry.path().display()))?;
        }
    }
    println!("{} sets, {total} bytes of {BUDGET}, from {}", chosen.len(), source.display());
    if total > BUDGET { Err("more than the budget: choose smaller sets".into()) } else { Ok(()) }
}

fn is_chosen(name: &str) -> bool {
    let is_variant = VARIANTS.iter().any(|ending| name.ends_with(ending));
    if name.starts_with("micro-") && !is_variant {
        return true;
    }
    CHOSEN_VARIANTS.contains(&name) || CHOSEN_OTHERS.contains(&name)
}
