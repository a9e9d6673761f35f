//! Damaged databases: refused with every bad page named, or published by consent; never published in silence.

use super::common::{Recovery, compare_dump, digests, findings_of, for_each, header_of, names, none_wrong, recover};
use anchorlog_database::canonical::Tables;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::units::PageNumber;
use anchorlog_operations::recover::{MakeError, Options, Verdict};
use anchorlog_testkit::data::{EngineSet, copy_folder, engine_set};
use anchorlog_testkit::dump_text::engine_dumps;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DATABASE: &str = "db/db1.edb";

/// What is done to pages.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// More bits than a checksum can correct.
    Garbled,
    /// As if it was never written.
    Zeroed,
    /// One bit: the checksum says which.
    OneBit,
}

fn page_of(file: &mut [u8], page: u32) -> &mut [u8] {
    let size = header_of_bytes(file);
    let at = (usize::try_from(page).unwrap() + 1) * size;
    &mut file[at..at + size]
}

fn header_of_bytes(file: &[u8]) -> usize {
    usize::try_from(u32::from_le_bytes(file[236..240].try_into().unwrap())).unwrap()
}

impl Damage {
    fn strike(self, page: &mut [u8]) {
        let middle = page.len() / 2;
        match self {
            // A regular pattern would cancel itself out.
            Self::Garbled => page[middle..middle + 61].iter_mut().zip(1..).for_each(|(byte, mask)| *byte ^= mask),
            Self::Zeroed => page.fill(0),
            Self::OneBit => page[middle] ^= 4,
        }
    }
}

/// A copy of a crash state whose database is changed.
fn struck(set: &EngineSet, root: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    copy_folder(&set.folder().join("before"), root).unwrap();
    let path = root.join(DATABASE);
    let mut file = fs::read(&path).unwrap();
    change(&mut file);
    fs::write(path, file).unwrap();
}

fn named_pages(findings: &[Finding]) -> BTreeSet<u32> {
    findings
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .filter_map(|found| found.place.page)
        .map(|page| page.0)
        .collect()
}

fn refusal(recovery: &Recovery) -> &[Finding] {
    match &recovery.made {
        Err(MakeError::Refused { findings, .. }) => findings,
        other => panic!("not refused: {other:?}"),
    }
}

/// Pages of the crash state that hold something and that recovery changes, and those that it leaves alone.
fn pages(set: &EngineSet) -> (Vec<u32>, Vec<u32>) {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    recover(&set.folder().join("before"), &out, &Options::default()).report();
    let (before, after) = (fs::read(set.folder().join("before").join(DATABASE)).unwrap(), fs::read(out.join(DATABASE)).unwrap());
    let size = header_of_bytes(&before);
    let both = before.chunks(size).zip(after.chunks(size)).enumerate().skip(2);
    let filled = both.filter(|(_, (old, _))| old.iter().any(|&byte| byte != 0));
    let (mut changed, mut alone) = (Vec::new(), Vec::new());
    for (at, (old, new)) in filled {
        let page = u32::try_from(at - 1).unwrap();
        if old == new { alone.push(page) } else { changed.push(page) }
    }
    (changed, alone)
}

// trap ops-3 O16
#[test]
fn any_damage_of_any_page_is_refused_or_healed_by_the_logs_and_never_published() {
    let mut cases = Vec::new();
    for name in ["micro-insert", "micro-split-right-written", "micro-lv-insert", "micro-tx-uncommitted"] {
        let Some(set) = engine_set(name) else { continue };
        let (changed, alone) = pages(&set);
        for page in changed.into_iter().chain(alone) {
            cases.extend([Damage::Garbled, Damage::Zeroed, Damage::OneBit].map(|damage| (set.clone(), page, damage)));
        }
    }
    let wrong = for_each(&cases, |(set, page, damage)| {
        let found = one_page(set, *page, *damage);
        found.into_iter().map(|found| format!("{} page {page} {damage:?}: {found}", set.name)).collect()
    });
    none_wrong(cases.len(), &wrong);
}

fn one_page(set: &EngineSet, page: u32, damage: Damage) -> Vec<String> {
    let mut problems = Vec::new();
    let place = tempfile::tempdir().unwrap();
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    struck(set, &source, |file| damage.strike(page_of(file, page)));
    let untouched = digests(&source);
    let recovery = recover(&source, &out, &Options::default());
    if digests(&source) != untouched {
        problems.push("the source was changed".into());
    }
    match &recovery.made {
        Ok(report) => {
            let (_, theirs) = engine_dumps(&set.folder().join("dump.jsonl")).remove(0);
            compare_dump("healed", &out.join(DATABASE), &theirs, Tables::Users, &mut problems);
            if report.findings.iter().any(|found| found.severity == Severity::Error) {
                problems.push(format!("published with {:?}", report.findings));
            }
        }
        Err(MakeError::Refused { findings, jet, .. }) => {
            if !named_pages(findings).contains(&page) || jet.is_none() {
                problems.push(format!("refused with {jet:?}, without its page: {findings:?}"));
            }
            if names(place.path()) != ["source"] {
                problems.push(format!("a refusal leaves {:?}", names(place.path())));
            }
        }
        Err(other) => problems.push(format!("neither refused nor healed: {other}")),
    }
    problems
}

#[test]
fn every_damaged_page_is_named_at_once_and_kept_only_by_consent() {
    let set = engine_set("micro-split-right-written").or_else(|| engine_set("micro-insert")).unwrap();
    let (changed, alone) = pages(&set);
    let chosen: BTreeSet<u32> = changed.iter().take(2).chain(alone.iter().rev().take(2)).copied().collect();
    let place = tempfile::tempdir().unwrap();
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    struck(&set, &source, |file| chosen.iter().for_each(|&page| Damage::Garbled.strike(page_of(file, page))));
    let refused = recover(&source, &out, &Options::default());
    let found = refusal(&refused);
    // What a record made anew is healed: all that is left is named, whether replay needed it or not.
    let named = named_pages(found);
    assert!(alone.iter().rev().take(2).all(|page| named.contains(page)), "{chosen:?} {found:?}");
    assert!(found.iter().all(|finding| finding.jet.is_some()));
    assert!(!out.exists());
    let kept = recover(&source, &out, &Options { keep_damage: true, ..Options::default() });
    let report = kept.report();
    assert_eq!(report.databases[0].verdict, Verdict::DamageKept);
    assert!(report.used_consent() && report.databases[0].reason.contains("kept"));
    assert_eq!(named_pages(&report.findings), named);
    let left = named_pages(&findings_of(&out.join(DATABASE)));
    assert!(left.is_subset(&named), "{left:?} {named:?}");
    assert_eq!(header_of(&out.join(DATABASE)).header.state.to_string(), "Clean Shutdown");
}

#[test]
fn pages_that_changed_places_are_found() {
    let set = engine_set("micro-insert").expect("the set is in every checkout");
    let (_, alone) = pages(&set);
    let (a, b) = (alone[alone.len() / 2], alone[alone.len() / 2 + 1]);
    let place = tempfile::tempdir().unwrap();
    let (source, out) = (place.path().join("source"), place.path().join("out"));
    struck(&set, &source, |file| {
        let first = page_of(file, a).to_vec();
        let second = page_of(file, b).to_vec();
        page_of(file, a).copy_from_slice(&second);
        page_of(file, b).copy_from_slice(&first);
    });
    let refused = recover(&source, &out, &Options::default());
    let named = named_pages(refusal(&refused));
    assert!(named.contains(&a) && named.contains(&b), "{named:?}");
    assert!(!out.exists());
}

#[test]
fn a_database_that_was_cut_off_is_refused_wherever_the_cut_lies() {
    let set = engine_set("micro-insert").expect("the set is in every checkout");
    let length = fs::metadata(set.folder().join("before").join(DATABASE)).unwrap().len();
    let cuts: Vec<u64> = (0..16).map(|part| length * part / 16).chain([1, 4095, 4096, 8191, 8192, length - 1]).collect();
    let wrong = for_each(&cuts, |&cut| {
        let place = tempfile::tempdir().unwrap();
        let (source, out) = (place.path().join("source"), place.path().join("out"));
        struck(&set, &source, |file| file.truncate(usize::try_from(cut).unwrap()));
        let recovery = recover(&source, &out, &Options::default());
        match &recovery.made {
            Err(MakeError::Refused { jet: Some(_), .. }) if !out.exists() => Vec::new(),
            // Space behind the last used page may be missing: redo or the end of recovery gives the file its size.
            Ok(_) => {
                let mut problems = Vec::new();
                let (_, theirs) = engine_dumps(&set.folder().join("dump.jsonl")).remove(0);
                compare_dump("healed", &out.join(DATABASE), &theirs, Tables::Users, &mut problems);
                problems.extend(findings_of(&out.join(DATABASE)).iter().map(ToString::to_string));
                problems
            }
            Err(other) => vec![format!("cut to {cut}: {other:?}")],
        }
    });
    none_wrong(cuts.len(), &wrong);
}

#[test]
fn a_clean_database_with_a_bad_page_is_refused_as_well() {
    let set = engine_set("micro-insert").expect("the set is in every checkout");
    let place = tempfile::tempdir().unwrap();
    let (clean, out) = (place.path().join("clean"), place.path().join("out"));
    recover(&set.folder().join("before"), &clean, &Options::default()).report();
    let path = clean.join(DATABASE);
    let mut file = fs::read(&path).unwrap();
    Damage::Garbled.strike(page_of(&mut file, PageNumber(4).0));
    fs::write(&path, file).unwrap();
    let refused = recover(&clean, &out, &Options::default());
    assert_eq!(refused.plan.databases[0].verdict, Verdict::AlreadyClean);
    assert!(named_pages(refusal(&refused)).contains(&4) && !out.exists());
    let kept = recover(&clean, &out, &Options { keep_damage: true, ..Options::default() });
    assert_eq!(kept.report().databases[0].verdict, Verdict::DamageKept);
}
