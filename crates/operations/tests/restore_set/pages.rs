//! Single pages out of a set: what comes is the undamaged page, and the rest of the file is as it was.

use crate::backup_common::{damage, edit_header, history};
use crate::common::{Store, ambient, copy_of, fresh};
use crate::recover_common::{databases, header_of, recover};
use anchorlog_format::page::{Page, compare};
use anchorlog_operations::recover;
use anchorlog_operations::restore::page::{Options, Plan, Report, make, plan};
use anchorlog_operations::restore::set::Error;
use anchorlog_testkit::data::{engine_set, shared};
use anchorlog_testkit::differ::{page_differences, pages};
use anchorlog_vault::SetId;
use std::fs;
use std::path::{Path, PathBuf};

/// A plan, and what came of it.
fn restore(
    store: &Store,
    set: &SetId,
    database: &Path,
    pages: &[u32],
    logs: &[PathBuf],
    out: &Path,
) -> (Plan, Result<Report, Error>) {
    restore_with(store, set, database, &Options { pages: pages.to_vec(), logs: logs.to_vec(), keep_damage: false }, out)
}

fn restore_with(store: &Store, set: &SetId, database: &Path, options: &Options, out: &Path) -> (Plan, Result<Report, Error>) {
    let plan = plan(&store.vault, &history(&*store.vault), set, database, options).unwrap_or_else(|error| panic!("{error}"));
    let made = make(&plan, out, &ambient(), &mut ());
    (plan, made)
}

/// The numbers for which a restore is refused; nothing is made, nothing touched.
fn refused(store: &Store, set: &SetId, database: &Path, pages: &[u32], logs: &[PathBuf]) -> Vec<(&'static str, i32)> {
    let (_keep, out) = fresh();
    let before = fs::read(database).unwrap();
    let (plan, made) = restore(store, set, database, pages, logs, &out);
    assert!(!plan.possible, "{:#?} {:?}", plan.predicates, made.map(|report| report.pages));
    assert!(!out.exists() && fs::read(database).unwrap() == before);
    let Err(Error::Refused(broken)) = made else { panic!("{:?}", made.map(|report| report.pages)) };
    assert!(broken.iter().all(|predicate| !predicate.rule.is_empty() && !predicate.next.is_empty()));
    broken.iter().map(|predicate| (predicate.id, predicate.jet.map_or(0, |jet| jet.0))).collect()
}

fn count(file: &[u8]) -> u32 {
    u32::try_from(pages(file).count()).unwrap()
}

/// A clean database of today, and a vault with an older copy and the logs since then.
struct Clean {
    store: Store,
    set: SetId,
    /// Databases as recovery closed them, with the logs of that.
    today: tempfile::TempDir,
    older: tempfile::TempDir,
}

impl Clean {
    fn of(name: &str) -> Option<Self> {
        engine_set(name)?;
        let (older, today) = (copy_of(name, "before"), copy_of(name, "after"));
        let store = Store::new();
        let set = store.add(older.path());
        Some(Self { store, set, today, older })
    }
    fn logs(&self) -> Vec<PathBuf> {
        vec![self.today.path().join("log")]
    }
    fn databases(&self) -> Vec<PathBuf> {
        databases(self.today.path()).into_values().collect()
    }
}

#[test]
fn every_page_of_a_clean_database_comes_out_of_an_older_set_and_the_logs_as_it_is() {
    let mut seen = 0;
    for name in ["rollforward-clean", "rollforward-crash-2db", "rollforward-anchor"] {
        let Some(clean) = Clean::of(name) else { continue };
        for database in clean.databases() {
            let undamaged = fs::read(&database).unwrap();
            // Pages that were never written have nothing to be restored.
            let written: Vec<u32> =
                pages(&undamaged).filter(|(_, image)| image.iter().any(|&byte| byte != 0)).map(|(page, _)| page.0).collect();
            let (_keep, out) = fresh();
            let (plan, made) = restore(&clean.store, &clean.set, &database, &written, &clean.logs(), &out);
            let report = made.unwrap_or_else(|error| panic!("{name} {}: {error} {:#?}", database.display(), plan.predicates));
            assert_eq!(report.pages.len(), written.len());
            assert!(report.generations.is_some() && report.pages.iter().all(|page| !page.was_damaged), "{name}");
            let restored = fs::read(&report.out).unwrap();
            assert_eq!(page_differences(&restored, &undamaged), [], "{name} {}", database.display());
            assert!(fs::read(&database).unwrap() == undamaged);
            seen += 1;
        }
    }
    // These sets are too large for the checkout.
    assert!(seen > 0 || shared().is_none());
}

#[test]
fn damaged_pages_are_replaced_and_every_other_byte_stays() {
    let Some(clean) = Clean::of("rollforward-clean") else { return };
    let database = clean.databases().remove(0);
    let undamaged = fs::read(&database).unwrap();
    let size = header_of(&database).page_size().bytes();
    let wanted = [4, 9, count(&undamaged) / 2];
    for page in wanted {
        damage(&database, (page as usize + 1) * size + 60);
    }
    let (_keep, out) = fresh();
    let (_, made) = restore(&clean.store, &clean.set, &database, &wanted, &clean.logs(), &out);
    let report = made.unwrap_or_else(|error| panic!("{error}"));
    assert!(report.pages.iter().all(|page| page.was_damaged && page.sha256.0 != page.sha256.1));
    assert_eq!(report.out, out.join(database.file_name().unwrap()));
    let restored = fs::read(&report.out).unwrap();
    assert_eq!(restored.len(), undamaged.len());
    for (at, (ours, theirs)) in restored.chunks(size).zip(undamaged.chunks(size)).enumerate() {
        let is_wanted = at > 1 && wanted.contains(&u32::try_from(at - 1).unwrap());
        let equal =
            if is_wanted { compare::are_equal(Page::new(ours).unwrap(), Page::new(theirs).unwrap()) } else { ours == theirs };
        assert!(equal, "page {at}");
    }
    // One left out is told, and refuses the result.
    let (_keep, out) = fresh();
    let (_, made) = restore(&clean.store, &clean.set, &database, &wanted[1..], &clean.logs(), &out);
    let Err(Error::Failed { findings, .. }) = made else { panic!("it must fail") };
    assert!(findings.iter().any(|finding| finding.place.page.is_some_and(|page| page.0 == wanted[0])) && !out.exists());
    let options = Options { pages: wanted[1..].to_vec(), logs: clean.logs(), keep_damage: true };
    assert!(restore_with(&clean.store, &clean.set, &database, &options, &out).1.unwrap().has_damage());
}

#[test]
fn the_very_state_in_a_set_needs_no_logs() {
    let Some(clean) = Clean::of("rollforward-clean") else { return };
    let database = clean.databases().remove(0);
    let set = clean.store.add(clean.today.path());
    let undamaged = fs::read(&database).unwrap();
    let size = header_of(&database).page_size().bytes();
    damage(&database, 5 * size + 60);
    let (_keep, out) = fresh();
    let (plan, made) = restore(&clean.store, &set, &database, &[4], &[], &out);
    assert!(plan.generations.is_none());
    assert!(fs::read(made.unwrap().out).unwrap() == undamaged);
}

#[test]
fn pages_of_a_dirty_database_come_as_its_own_redo_needs_them() {
    // An image holds the very pages; whatever it holds, redo of the database comes to the same end.
    let mut seen = 0;
    for name in ["mixed-4k-1db", "mixed-8k-2db", "micro-split-right", "micro-merge-written", "micro-lv-append-written"] {
        if engine_set(name).is_none() {
            continue;
        }
        let source = copy_of(name, "before");
        let store = Store::new();
        let set = store.add_image(source.path());
        let recovered = tempfile::tempdir().unwrap();
        recover(source.path(), &recovered.path().join("whole"), &recover::Options::default()).report();
        for (file, database) in databases(source.path()) {
            let undamaged = fs::read(&database).unwrap();
            let size = header_of(&database).page_size().bytes();
            let written: Vec<u32> = pages(&undamaged)
                .filter(|(page, image)| page.0 % 7 == 4 && image.iter().any(|&byte| byte != 0))
                .map(|(page, _)| page.0)
                .collect();
            for page in &written {
                damage(&database, (*page as usize + 1) * size + 60);
            }
            let (_keep, out) = fresh();
            let (plan, made) = restore(&store, &set, &database, &written, &[], &out);
            let report = made.unwrap_or_else(|error| panic!("{name} {file}: {error} {:#?}", plan.predicates));
            // In the place of the damaged one, with the logs that it needs.
            fs::copy(&report.out, &database).unwrap();
            seen += 1;
        }
        let again = recovered.path().join("again");
        recover(source.path(), &again, &recover::Options::default()).report();
        let whole = databases(&recovered.path().join("whole"));
        for (file, path) in databases(&again) {
            let differences = page_differences(&fs::read(path).unwrap(), &fs::read(&whole[&file]).unwrap());
            assert_eq!(differences, [], "{name} {file}");
        }
    }
    assert!(seen > 0);
}

#[test]
fn pages_of_another_database_or_beyond_the_logs_are_refused() {
    let Some(clean) = Clean::of("rollforward-clean") else { return };
    let (store, set, database) = (&clean.store, &clean.set, clean.databases().remove(0));
    let copied = |edit: &dyn Fn(&Path)| {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("db1.edb");
        fs::copy(&database, &path).unwrap();
        edit(&path);
        (copy, path)
    };
    // The logs of the vault do not reach as far as the database.
    let shorter = copy_of("rollforward-clean", "before");
    ["edb.log", "edb0001E.log"].iter().for_each(|name| fs::remove_file(shorter.path().join("log").join(name)).unwrap());
    let other = Store::new();
    let short = other.add(shorter.path());
    assert_eq!(refused(&other, &short, &database, &[4], &[]).last(), Some(&("reach", -543)));
    let last = count(&fs::read(&database).unwrap());
    assert_eq!(refused(store, set, &database, &[last + 1], &clean.logs()), [("pages", -1003)]);
    assert_eq!(refused(store, set, &database, &[], &clean.logs()), [("pages", -1003)]);
    let (_a, other) = copied(&|path| edit_header(path, |header| header.signature.0[4] ^= 1));
    assert_eq!(refused(store, set, &other, &[4], &clean.logs()), [("same", -1222)]);
    let (_b, other) = copied(&|path| edit_header(path, |header| header.log_signature.0[4] ^= 1));
    assert_eq!(refused(store, set, &other, &[4], &clean.logs()), [("same", -530)]);
    let (_c, damaged) = copied(&|path| [100, 4096 + 100].into_iter().for_each(|at| damage(path, at)));
    assert_eq!(refused(store, set, &damaged, &[4], &clean.logs()), [("P2", -1018)]);
    // A set that is newer than the database leads to no older state.
    let newer = store.add(clean.today.path());
    let older = databases(clean.older.path()).into_values().next().unwrap();
    assert_eq!(refused(store, &newer, &older, &[4], &clean.logs()), [("reach", -543)]);
    // Logs that lead somewhere else: the database says that it is clean since another position.
    let (_d, elsewhere) = copied(&|path| edit_header(path, |header| header.consistent_position.byte += 8));
    let (_keep, out) = fresh();
    let (_, made) = restore(store, set, &elsewhere, &[4], &clean.logs(), &out);
    assert!(matches!(made, Err(Error::Failed { jet: Some(jet), .. }) if jet.0 == -551) && !out.exists());
}

#[test]
fn a_page_that_is_damaged_in_the_set_as_well_is_refused() {
    let Some(clean) = Clean::of("rollforward-clean") else { return };
    let database = clean.databases().remove(0);
    let set = clean.store.add(clean.today.path());
    let size = header_of(&database).page_size().bytes();
    let broken = clean.store.edited(&set, false, |_, streams| {
        let bytes = streams.get_mut("db/db1.edb").unwrap();
        bytes[5 * size + 60..5 * size + 90].fill(0xA5);
    });
    let (_keep, out) = fresh();
    let (_, made) = restore(&clean.store, &broken, &database, &[4], &[], &out);
    assert!(matches!(made, Err(Error::Failed { jet: Some(jet), .. }) if jet.0 == -1018) && !out.exists());
}
