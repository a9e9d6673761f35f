//! Sets copied from vault to vault.
#![allow(clippy::unwrap_used, clippy::duplicate_mod)]

#[path = "backup/common.rs"]
#[allow(dead_code)]
mod backup_common;

use anchorlog_operations::backup::{Options, Progress};
use anchorlog_operations::copy::{Action, Error, Report, make, plan};
use anchorlog_operations::sets::{self, History, KnownSet, Level, proof};
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::restic::{CreateOptions, Depth, ResticVault, Secret};
use anchorlog_vault::{Hold, NewSet, SetId, Vault};
use backup_common::{ambient, back_up, copy_of, history, stopped_at_12, stream};
use std::path::Path;

fn restic(folder: &Path, chunk_size: usize) -> ResticVault {
    let options = CreateOptions { kdf_cost: 10, chunk_size, ..CreateOptions::default() };
    ResticVault::create(folder, &Secret::password("x"), options).unwrap()
}

fn copy(from: &dyn Vault, to: &dyn Vault, wanted: Option<&[SetId]>) -> Result<Report, Error> {
    make(&plan(from, to, wanted)?, from, to, &mut ())
}

/// A vault with a database and its logs, and a later set of them behind which roll-forward onto the first ends.
fn with_chain() -> (MemoryVault, Vec<SetId>) {
    let folder = stopped_at_12();
    let vault = MemoryVault::new();
    let full = back_up(folder.path(), &vault, &Options::default()).unwrap().set;
    let last = back_up(folder.path(), &vault, &Options::default()).unwrap().set;
    proof::mark_end(&vault, &full, &last, "repaired", ambient().now().into()).unwrap();
    let ids = history(&vault).sets.iter().map(|set| set.id.clone()).collect();
    (vault, ids)
}

fn known(vault: &dyn Vault) -> Vec<KnownSet> {
    History::read(vault).unwrap().sets
}

/// Both vaults hold the same, but for what sets are called.
fn same(from: &dyn Vault, to: &dyn Vault) {
    let (sets, copies) = (known(from), known(to));
    assert_eq!(sets.len(), copies.len());
    let copy_of = |id: &SetId| copies.iter().find(|copy| copy.summary.original() == id).unwrap().id.clone();
    for set in &sets {
        let copy = copies.iter().find(|copy| copy.id == copy_of(&set.id)).unwrap();
        let mut made = set.summary.made.clone();
        made.needs = made.needs.iter().map(copy_of).collect();
        made.copy_of = Some(set.id.clone());
        assert_eq!(copy.summary.made, made);
        let mut manifest = set.manifest.clone();
        for stream in &mut manifest.streams {
            stream.continues = stream.continues.as_ref().map(copy_of);
        }
        assert_eq!(copy.manifest, manifest);
        assert_eq!((copy.proved, &copy.ends, &copy.label, &copy.hold), (set.proved, &set.ends, &set.label, &set.hold));
        for file in &set.manifest.files {
            assert!(stream(to, &copy.id, &file.name) == stream(from, &set.id, &file.name), "{}", file.name);
        }
    }
}

#[test]
fn sets_are_copied_with_what_is_noted_of_them_and_their_names_are_mapped() {
    let (from, ids) = with_chain();
    sets::label(&from, &ids[0], "the first").unwrap();
    sets::hold(&from, &ids[0], Some(&Hold { until: None, reason: "an audit".into() })).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let to = restic(folder.path(), 1 << 17);
    let report = copy(&from, &to, None).unwrap();
    assert_eq!(report.copied.len(), ids.len());
    same(&from, &to);
    assert!(known(&to).iter().all(|set| set.proved >= Some(Level::L0)));
    // Each proof is that of its set, signed with the key of the vault that it is in now.
    assert!(known(&to).iter().flat_map(|set| &set.proofs).all(|proof| proof.counts()));
    assert_eq!(to.check(Depth::All).unwrap().damage, []);
    // The mark names the copy of the set behind it.
    let first = &report.copied[0].1;
    let marks = to.attachments(first).unwrap();
    let marks: Vec<_> = marks.iter().filter(|mark| mark.name.as_str() == "roll-forward-ends.json").collect();
    let last = &report.copied.last().unwrap().1;
    assert!(marks.len() == 1 && String::from_utf8_lossy(&marks[0].bytes).contains(last.as_str()));
    assert!(matches!(to.forget(std::slice::from_ref(first)), Err(anchorlog_vault::Error::Held(..))), "the hold came with it");
}

#[test]
fn a_second_run_copies_what_is_new_and_nothing_twice() {
    let (from, ids) = with_chain();
    let to = MemoryVault::new();
    assert_eq!(copy(&from, &to, Some(&ids[..1])).unwrap().copied.len(), 1);
    assert_eq!(copy(&from, &to, None).unwrap().copied.len(), ids.len() - 1);
    let again = plan(&from, &to, None).unwrap();
    assert!(again.sets.iter().all(|item| matches!(item.action, Action::Nothing(_))) && again.bytes == 0, "{again:?}");
    // What is noted later comes later.
    sets::label(&from, &ids[0], "later").unwrap();
    let report = copy(&from, &to, None).unwrap();
    assert_eq!((report.copied.len(), report.completed), (0, 1));
    assert_eq!(known(&to)[0].label, "later");
    // A copy of a copy is a copy of the first; and back where it came from nothing is new.
    let third = MemoryVault::new();
    copy(&to, &third, None).unwrap();
    assert_eq!(known(&third)[0].summary.original(), &ids[0]);
    assert!(copy(&third, &from, None).unwrap().copied.is_empty());
}

#[test]
fn a_set_is_copied_with_what_it_needs() {
    let (from, ids) = with_chain();
    // Logs that nothing was left of to store, but that need the full set.
    let mut manifest: serde_json::Value = serde_json::from_slice(&from.manifest(&ids[0]).unwrap()).unwrap();
    manifest["files"] = serde_json::json!([]);
    let new = NewSet { needs: vec![ids[0].clone()], time: known(&from)[0].summary.made.time + 1, ..NewSet::default() };
    let logs = from.begin_set(new).unwrap().publish(manifest.to_string().as_bytes()).unwrap();
    let to = MemoryVault::new();
    let report = copy(&from, &to, Some(std::slice::from_ref(&logs))).unwrap();
    assert_eq!(report.copied.iter().map(|(set, _)| set).collect::<Vec<_>>(), [&ids[0], &logs]);
    assert_eq!(known(&to)[1].summary.made.needs, [report.copied[0].1.clone()]);
    let unknown = SetId::parse(&"7".repeat(64)).unwrap();
    assert!(matches!(plan(&from, &to, Some(&[unknown])), Err(Error::Unreadable(..))));
}

/// Ends a run in the phase of this number.
struct StopIn(usize);

impl Progress for StopIn {
    fn phase(&mut self, _: &str, _: u64) -> bool {
        self.0 = self.0.wrapping_sub(1);
        self.0 != 0
    }
}

#[test]
fn a_run_that_was_stopped_is_completed_by_the_next() {
    let (from, _) = with_chain();
    for phase in 1..=4 {
        let to = MemoryVault::new();
        let stopped = make(&plan(&from, &to, None).unwrap(), &from, &to, &mut StopIn(phase));
        assert!(matches!(stopped, Err(Error::Interrupted)), "phase {phase}");
        copy(&from, &to, None).unwrap();
        same(&from, &to);
    }
}

#[test]
fn a_damaged_set_is_not_copied_and_the_others_are() {
    let folder = copy_of("micro-insert", "after");
    let place = tempfile::tempdir().unwrap();
    let from = restic(place.path(), 1 << 16);
    let good = back_up(folder.path(), &from, &Options::default()).unwrap().set;
    let manifest = from.manifest(&good).unwrap();
    // Of this set a file has other bytes than its manifest says.
    let mut writer = from.begin_set(NewSet::default()).unwrap();
    for file in &known(&from)[0].manifest.files {
        writer.stream(&file.name, &mut vec![7; usize::try_from(file.size).unwrap()].as_slice()).unwrap();
    }
    let bad = writer.publish(&manifest).unwrap();
    let to = MemoryVault::new();
    assert!(matches!(copy(&from, &to, Some(std::slice::from_ref(&bad))), Err(Error::Differs(set, _)) if set == bad));
    assert_eq!(to.sets().unwrap(), []);
    copy(&from, &to, Some(std::slice::from_ref(&good))).unwrap();
    assert_eq!(known(&to).len(), 1);
    // A set that is no set of ours is left out, and told.
    from.begin_set(NewSet::default()).unwrap().publish(b"no manifest").unwrap();
    assert_eq!(plan(&from, &to, None).unwrap().unreadable.len(), 1);
}
