//! Bad pages that redo or undo needs: one run names them all and is refused; kept damage leaves every other page as it should be.

mod common;

use anchorlog_checksum::set_page_checksum;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{PageNumber, PageSize};
use anchorlog_replay::run::{self, Options};
use anchorlog_testkit::data::{EngineSet, copy_folder, engine_set, engine_sets};
use anchorlog_testkit::differ::{header_of, page_differences};
use common::{ambient, setup, told};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn databases(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("db")).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut databases: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|name| name == "edb")).collect();
    databases.sort();
    databases
}

fn copy_of(set: &EngineSet) -> tempfile::TempDir {
    let work = tempfile::tempdir().unwrap();
    copy_folder(&set.folder().join("before"), work.path()).unwrap();
    work
}

fn page_mut(file: &mut [u8], page: PageNumber) -> &mut [u8] {
    let size = header_of(file).page_size();
    let at = usize::try_from(size.offset_of(page)).unwrap();
    &mut file[at..at + size.bytes()]
}

/// Changes bytes so that no checksum holds: a regular pattern would cancel itself out.
fn garble(page: &mut [u8]) {
    let middle = page.len() / 2;
    for (byte, mask) in page[middle..middle + 61].iter_mut().zip(1..) {
        *byte ^= mask;
    }
}

/// Pages that a recovery changes and that held something before, by database.
fn changed_pages(before: &Path, after: &Path) -> BTreeMap<PathBuf, Vec<PageNumber>> {
    let mut changed = BTreeMap::new();
    for path in databases(before) {
        let old = fs::read(&path).unwrap();
        let name = path.file_name().unwrap();
        let Ok(new) = fs::read(after.join("db").join(name)) else { continue };
        let mut numbers: Vec<PageNumber> = page_differences(&old, &new).into_iter().map(|(number, _)| number).collect();
        let size = header_of(&old).page_size();
        numbers.retain(|number| {
            let at = usize::try_from(size.offset_of(*number)).unwrap();
            old.get(at..at + size.bytes()).is_some_and(|page| page.iter().any(|&byte| byte != 0))
        });
        changed.insert(Path::new("db").join(name), numbers);
    }
    changed
}

#[test]
fn every_bad_page_that_redo_needs_is_named_and_kept_damage_spoils_no_other_page() {
    let (mut sets, mut bad, mut healed) = (0, 0, 0);
    for set in engine_sets().iter().filter(|set| set.folder().join("before/log").is_dir()) {
        let sound = copy_of(set);
        let redo_only = || Options { undo: false, ..Options::default() };
        if run::replay(&setup(sound.path(), redo_only()), &ambient(), &mut ()).is_err() {
            continue;
        }
        let mut damaged: BTreeMap<PathBuf, Vec<PageNumber>> = changed_pages(&set.folder().join("before"), sound.path());
        for numbers in damaged.values_mut() {
            *numbers = numbers.iter().copied().step_by(3).collect();
        }
        let spoil = |root: &Path| {
            for (path, numbers) in &damaged {
                let mut file = fs::read(root.join(path)).unwrap();
                for &number in numbers {
                    garble(page_mut(&mut file, number));
                }
                fs::write(root.join(path), file).unwrap();
            }
        };
        let refused = copy_of(set);
        spoil(refused.path());
        let made = run::replay(&setup(refused.path(), redo_only()), &ambient(), &mut ());
        let kept = copy_of(set);
        spoil(kept.path());
        let options = Options { keep_damage: true, ..redo_only() };
        let report = run::replay(&setup(kept.path(), options), &ambient(), &mut ())
            .unwrap_or_else(|failure| panic!("{}: {}", set.name, failure.error));
        let named: Vec<(PathBuf, PageNumber)> = report.bad_pages.iter().map(|bad| (bad.database.clone(), bad.page)).collect();
        match (&made, report.bad_pages.first()) {
            (Err(failure), Some(first)) => {
                assert_eq!(failure.error.jet, JetCode::READ_VERIFY_FAILURE, "{}", set.name);
                assert_eq!(
                    (failure.error.page, failure.error.position),
                    (Some(first.page), Some(first.position)),
                    "{}",
                    set.name
                );
                assert_eq!(failure.report.bad_pages, report.bad_pages, "{}", set.name);
            }
            (Ok(_), None) => {}
            _ => panic!("{}: {} with {} bad pages", set.name, told(&made), report.bad_pages.len()),
        }
        for (path, numbers) in &damaged {
            let (ours, theirs) = (fs::read(kept.path().join(path)).unwrap(), fs::read(sound.path().join(path)).unwrap());
            let differ: Vec<(PageNumber, String)> = page_differences(&ours, &theirs);
            for (number, text) in differ {
                assert!(numbers.contains(&number), "{} {} page {number}: {text}", set.name, path.display());
                assert!(named.contains(&(path.clone(), number)), "{} page {number} was not named: {text}", set.name);
            }
            healed += numbers.iter().filter(|&&number| !named.contains(&(path.clone(), number))).count();
        }
        for (path, number) in &named {
            assert!(damaged.get(path).is_some_and(|numbers| numbers.contains(number)), "{} page {number} is sound", set.name);
        }
        sets += 1;
        bad += named.len();
    }
    println!("{sets} sets, {bad} bad pages named, {healed} made anew by a record");
    assert!(bad > 0);
}

/// Damages one page of a set's database and says what the run found.
fn found(name: &str, options: Options, damage: impl Fn(&mut [u8], PageSize)) -> Option<(JetCode, Vec<(u32, JetCode)>)> {
    let set = engine_set(name)?;
    let work = copy_of(&set);
    let path = databases(work.path()).remove(0);
    let mut file = fs::read(&path).unwrap();
    let size = header_of(&file).page_size();
    damage(&mut file, size);
    fs::write(&path, file).unwrap();
    let made = run::replay(&setup(work.path(), options), &ambient(), &mut ());
    let bad = |report: &run::Report| report.bad_pages.iter().map(|bad| (bad.page.0, bad.jet)).collect::<Vec<_>>();
    Some(match &made {
        Ok(report) => (JetCode(0), bad(report)),
        Err(failure) => (failure.error.jet, bad(&failure.report)),
    })
}

/// The pages that recovery of a set changes, undo included.
fn pages_of(name: &str) -> Option<Vec<PageNumber>> {
    let set = engine_set(name)?;
    let work = copy_of(&set);
    run::replay(&setup(work.path(), Options::default()), &ambient(), &mut ()).unwrap();
    changed_pages(&set.folder().join("before"), work.path()).into_values().next()
}

#[test]
fn a_page_that_was_written_for_another_place_is_named_as_such() {
    let Some(pages) = pages_of("micro-insert-32k") else { return };
    let page = pages[0];
    let swapped = found("micro-insert-32k", Options::default(), |file, _| {
        let mut other = page_mut(file, PageNumber(1)).to_vec();
        set_page_checksum(&mut other, page.0);
        page_mut(file, page).copy_from_slice(&other);
    });
    let code = JetCode::READ_PGNO_VERIFY_FAILURE;
    assert_eq!(swapped, Some((code, vec![(page.0, code)])));
}

#[test]
fn v1_a_page_to_which_a_write_was_lost_is_bad_and_never_changed_anyway() {
    let Some(pages) = pages_of("micro-insert") else { return };
    let page = pages[0];
    let older = found("micro-insert", Options::default(), |file, _| {
        let image = page_mut(file, page);
        // Page time: eight bytes behind the checksum.
        let time = u64::from_le_bytes(image[8..16].try_into().unwrap()) - 1;
        image[8..16].copy_from_slice(&time.to_le_bytes());
        set_page_checksum(image, page.0);
    });
    let code = JetCode::DB_TIME_TOO_OLD;
    assert_eq!(older, Some((code, vec![(page.0, code)])));
}

#[test]
fn a_page_of_zeros_that_no_record_explains_is_bad() {
    let Some(pages) = pages_of("micro-insert") else { return };
    let page = pages[0];
    let zeroed = found("micro-insert", Options::default(), |file, _| page_mut(file, page).fill(0));
    let code = JetCode::PAGE_NOT_INITIALIZED;
    assert_eq!(zeroed, Some((code, vec![(page.0, code)])));
    let kept = found("micro-insert", Options { keep_damage: true, ..Options::default() }, |file, _| page_mut(file, page).fill(0));
    assert_eq!(kept, Some((JetCode(0), vec![(page.0, code)])));
}

#[test]
fn a_page_that_only_undo_needs_is_named_and_kept_damage_takes_back_the_rest() {
    // Redo changes leaves of the catalog; undo comes down from its root.
    let name = "micro-ddl-uncommitted-drop";
    let Some(pages) = pages_of(name) else { return };
    let mut met = Vec::new();
    for number in 1..pages.iter().map(|page| page.0).max().unwrap() {
        if pages.contains(&PageNumber(number)) {
            continue;
        }
        let spoil = |file: &mut [u8], _: PageSize| garble(page_mut(file, PageNumber(number)));
        let (jet, bad) = found(name, Options::default(), spoil).unwrap();
        if bad.is_empty() {
            assert_eq!(jet, JetCode(0), "page {number}");
            continue;
        }
        let damaged = JetCode::READ_VERIFY_FAILURE;
        assert_eq!((jet, &bad), (damaged, &vec![(number, damaged)]));
        let (jet, bad) = found(name, Options { keep_damage: true, ..Options::default() }, spoil).unwrap();
        assert_eq!((jet, &bad), (JetCode(0), &vec![(number, damaged)]));
        met.push(number);
    }
    println!("pages that only undo or the end needs: {met:?}");
    assert!(!met.is_empty());
}
