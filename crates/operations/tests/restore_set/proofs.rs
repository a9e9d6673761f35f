//! Signed proofs: what a signature is worth, and to whom a proof counts.

use crate::backup_common::{back_up, inputs, stream};
use crate::common::{Store, ambient, copy_of, history};
use anchorlog_format::units::LogTime;
use anchorlog_operations::backup::{self, Options};
use anchorlog_operations::restore::set::{self, Sample, drill, sample};
use anchorlog_operations::sets::{Figures, KnownSet, Level, Moment, Proof, ProofKey, ProofKeys, Signed, ToldProof};
use anchorlog_testkit::data::engine_set;
use anchorlog_vault::{Name, NewSet, SetId};

fn key(seed: u8) -> ProofKey {
    ProofKey::parse(&format!("{seed:02x}").repeat(32)).unwrap()
}

fn now() -> Moment {
    ambient().now().into()
}

fn proof_name() -> Name {
    Name::new("proof.json").unwrap()
}

/// A vault that knows a key, with a set whose proof it signed.
fn signed_set() -> (Store, SetId) {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let options = Options { proof_key: Some(key(1)), ..Options::default() };
    let id = store.add_with(source.path(), &options);
    (store, id)
}

fn signatures(set: &KnownSet) -> Vec<Signed> {
    set.proofs.iter().map(|proof| proof.signed.clone()).collect()
}

#[test]
fn the_signature_of_a_proof_is_good_for_these_words_and_for_no_others() {
    let (store, id) = signed_set();
    assert_eq!(signatures(&store.set(&id)), [Signed::Good(key(1).public())]);
    let bytes = store.vault.attachments(&id).unwrap()[0].bytes.clone();
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [("\"L2\"", "\"L4\""), ("anchorlog 0", "anchorlog 9"), ("\"version\": 1", "\"version\": 1, \"later\": 2")] {
        let (store, id) = signed_set();
        assert!(text.contains(from), "{text}");
        store.vault.attach(&id, &proof_name(), text.replacen(from, to, 1).as_bytes()).unwrap();
        let set = store.set(&id);
        assert!(matches!(signatures(&set)[..], [Signed::Good(_), Signed::Bad(_)]), "{from}: {:?}", signatures(&set));
        assert_eq!((set.proved, set.best_proof().unwrap().level), (Some(Level::L2), Level::L2));
    }
    // Where white space stands is nothing that was signed.
    let compact: serde_json::Value = serde_json::from_str(&text).unwrap();
    store.vault.attach(&id, &proof_name(), compact.to_string().as_bytes()).unwrap();
    assert!(matches!(signatures(&store.set(&id))[..], [Signed::Good(_), Signed::Good(_)]));
}

#[test]
fn a_proof_that_was_moved_to_another_set_is_bad_and_counts_for_nothing() {
    let (store, id) = signed_set();
    let moved = store.vault.attachments(&id).unwrap()[0].bytes.clone();
    let bare = store.edited(&id, false, |_, _| ());
    assert_eq!(store.set(&bare).proved, None);
    store.vault.attach(&bare, &proof_name(), &moved).unwrap();
    let set = store.set(&bare);
    assert!(matches!(&signatures(&set)[..], [Signed::Bad(why)] if why.contains("made for set")), "{:?}", signatures(&set));
    assert_eq!((set.proved, set.best_proof()), (None, None));
}

#[test]
fn a_vault_without_a_key_works_and_its_first_drill_makes_one() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    assert_eq!((signatures(&store.set(&id)), store.set(&id).proved), (vec![Signed::Unsigned], Some(Level::L2)));
    let scratch = tempfile::tempdir().unwrap();
    let run = || {
        let options = set::Options::default();
        drill(&store.vault, &history(&*store.vault), &id, scratch.path(), &options, None, &ambient(), &mut ()).unwrap()
    };
    let first = run();
    let keys = ProofKeys::read(&*store.vault).unwrap();
    assert_eq!((keys.public.len(), keys.inside.is_some()), (1, true));
    assert_eq!(first.signed, Signed::Good(keys.public[0]));
    assert_eq!((run().signed, ProofKeys::read(&*store.vault).unwrap().public), (first.signed, keys.public));
}

#[test]
fn a_key_that_is_kept_outside_signs_when_it_is_given_and_another_is_refused_before_anything_is_stored() {
    let (store, _) = signed_set();
    let keys = ProofKeys::read(&*store.vault).unwrap();
    assert_eq!((keys.public, keys.inside.map(|key| key.public())), (vec![key(1).public()], None));
    let source = copy_of("clean-4k", "clean");
    let unsigned = back_up(source.path(), &*store.vault, &Options::default()).unwrap();
    assert_eq!(signatures(&store.set(&unsigned.set)), [Signed::Unsigned]);
    let sets = store.vault.sets().unwrap().len();
    let wrong = Options { proof_key: Some(key(2)), ..Options::default() };
    let error = back_up(source.path(), &*store.vault, &wrong).map(|report| report.set).unwrap_err();
    assert!(error.to_string().contains("none of this vault"), "{error}");
    assert_eq!(store.vault.sets().unwrap().len(), sets);
}

#[test]
fn a_signature_of_a_key_that_the_vault_does_not_know_is_worth_no_more_than_none() {
    let (store, id) = signed_set();
    let other = Store::new();
    // The same set in a vault that has no key: as a copy of it would be.
    let mut writer = other.vault.begin_set(NewSet::default()).unwrap();
    for file in store.set(&id).manifest.files {
        writer.stream(&file.name, &mut stream(&*store.vault, &id, &file.name).as_slice()).unwrap();
    }
    let copy = writer.publish(&store.vault.manifest(&id).unwrap()).unwrap();
    assert_eq!(copy, id, "a vault in memory names a set after its manifest");
    other.vault.attach(&copy, &proof_name(), &store.vault.attachments(&id).unwrap()[0].bytes).unwrap();
    assert_eq!(signatures(&other.set(&copy)), [Signed::Foreign(key(1).public())]);
    assert_eq!(other.set(&copy).proved, Some(Level::L2));
}

#[test]
fn a_key_in_a_vault_that_cannot_be_read_is_told_and_no_other_takes_its_place() {
    let store = Store::new();
    store.vault.keep(&Name::new("proof-key.json").unwrap(), b"{}").unwrap();
    assert_eq!(ProofKeys::read(&*store.vault).unwrap().unreadable.len(), 1);
    assert!(ProofKeys::signer_or_new(&*store.vault, None, now()).unwrap().is_none());
    assert!(ProofKeys::signer(&*store.vault, Some(&key(1)), now()).is_err());
    assert_eq!(store.vault.documents().unwrap().len(), 1);
    // Halves of two keys are none.
    let store = Store::new();
    ProofKeys::signer_or_new(&*store.vault, None, now()).unwrap();
    let text = String::from_utf8(store.vault.documents().unwrap()[0].bytes.clone()).unwrap();
    let public = ProofKeys::read(&*store.vault).unwrap().public[0];
    let mixed = Store::new();
    let bytes = text.replace(&public.to_string(), &key(3).public().to_string());
    mixed.vault.keep(&Name::new("proof-key.json").unwrap(), bytes.as_bytes()).unwrap();
    let keys = ProofKeys::read(&*mixed.vault).unwrap();
    assert!(keys.public.is_empty() && keys.inside.is_none() && keys.unreadable[0].contains("halves"), "{keys:?}");
}

#[test]
fn a_drill_compares_with_what_the_source_held_also_where_its_logs_bring_it_further() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store) = (copy_of("rollforward-crash-2db", "before"), Store::new());
    let id = store.add_with(source.path(), &Options { hash_rows: true, ..Options::default() });
    let proof: Proof = serde_json::from_slice(&store.vault.attachments(&id).unwrap()[0].bytes).unwrap();
    assert_eq!(proof.source.len(), 2);
    let scratch = tempfile::tempdir().unwrap();
    let run = |store: &Store, id: &SetId| {
        let options = set::Options::default();
        drill(&store.vault, &history(&*store.vault), id, scratch.path(), &options, None, &ambient(), &mut ())
    };
    let drilled = run(&store, &id).unwrap();
    assert!(drilled.compared_with_source && !drilled.compared);
    // What the logs did is not what the source held.
    assert_ne!(drilled.replay.contents[0].tables, proof.source[0].tables);
    let Figures { bytes, pages, records, rows, .. } = drilled.figures;
    assert!(bytes > 0 && pages > 0 && records > 0 && rows > 0, "{:?}", drilled.figures);
    // A source that held something else is told, and nothing is attached.
    let other = Store::new();
    let copy = other.add(source.path());
    let mut lying = proof;
    lying.source[1].tables[0].2 = "00".repeat(32);
    (lying.set, lying.manifest) = (None, None);
    lying.attach(&*other.vault, &copy, None).unwrap();
    let attached = other.vault.attachments(&copy).unwrap().len();
    let error = run(&other, &copy).map(|drilled| drilled.level).unwrap_err();
    assert!(error.to_string().contains("than its source when it was backed up"), "{error}");
    assert_eq!(other.vault.attachments(&copy).unwrap().len(), attached);
    assert!(crate::common::names(scratch.path()).is_empty());
}

#[test]
fn a_sample_takes_first_what_was_never_replayed_and_then_what_was_longest_ago() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let mut history = history(&*store.vault);
    let ids: Vec<SetId> = (0..6).map(|number| SetId::parse(&format!("{number}").repeat(64)).unwrap()).collect();
    let known = store.set(&id);
    let told = |day: u8, level| ToldProof {
        level,
        made: LogTime::utc(2030, 1, day, 0, 0, 0, 0).into(),
        signed: Signed::Unsigned,
        end: None,
        figures: None,
    };
    let bad = |day| ToldProof { signed: Signed::Bad(String::new()), ..told(day, Level::L4) };
    let proofs = [
        vec![told(9, Level::L4)],
        vec![told(8, Level::L2)],
        vec![told(3, Level::L4), told(7, Level::L4)],
        vec![told(5, Level::L4), bad(28)],
        vec![],
        vec![told(6, Level::L3)],
    ];
    history.sets = ids.iter().zip(proofs).map(|(id, proofs)| KnownSet { id: id.clone(), proofs, ..known.clone() }).collect();
    let order = |seed| -> Vec<usize> {
        sample(&history, Sample::All, seed).iter().map(|id| ids.iter().position(|other| other == id).unwrap()).collect()
    };
    assert_eq!(order(0)[2..], [3, 5, 2, 0]);
    let never: std::collections::BTreeSet<Vec<usize>> = (0..20).map(|seed| order(seed)[..2].to_vec()).collect();
    assert_eq!(never.into_iter().collect::<Vec<_>>(), [[1, 4], [4, 1]], "only equals are drawn by lot");
    let counts = [Sample::Count(2), Sample::Count(9), Sample::Percent(1), Sample::Percent(34), Sample::Percent(100)];
    assert_eq!(counts.map(|some| sample(&history, some, 0).len()), [2, 6, 1, 3, 6]);
}

#[test]
fn what_a_set_reaches_are_the_logs_that_later_sets_add_up_to_the_first_hole() {
    use anchorlog_operations::sets::Reaches;
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store) = (copy_of("rollforward-crash-2db", "before"), Store::new());
    let log = |generation: u32| source.path().join(format!("log/edb{generation:05X}.log"));
    let away = tempfile::tempdir().unwrap();
    let aside = |generation: u32| away.path().join(format!("{generation}"));
    for generation in 0x13..=0x1D {
        std::fs::rename(log(generation), aside(generation)).unwrap();
    }
    std::fs::rename(source.path().join("log/edb.log"), away.path().join("edb.log")).unwrap();
    let sources = backup::Sources::gather(&inputs(source.path())).unwrap();
    let plan = backup::offline::plan(&sources, &history(&*store.vault), &Options::default());
    let id = backup::make(&plan, &sources, &*store.vault, &ambient(), &mut ()).unwrap().set;
    let reach = |history: &anchorlog_operations::sets::History| {
        let reaches = Reaches::default().of(history, &history.sets[0]);
        reaches.into_iter().map(|reach| (reach.database.to_string(), reach.generation, reach.by)).collect::<Vec<_>>()
    };
    let at = |generation, by: &SetId| {
        ["db/db1.edb", "db/db2.edb"].map(|name| (name.to_owned(), Some(generation), Some(by.clone()))).to_vec()
    };
    assert_eq!(reach(&history(&*store.vault)), at(0x12, &id));
    let mut more = Vec::new();
    for range in [0x13..=0x15, 0x16..=0x16, 0x17..=0x18] {
        for generation in range {
            std::fs::rename(aside(generation), log(generation)).unwrap();
        }
        more.push(store.add_logs(source.path()));
    }
    let mut known = history(&*store.vault);
    assert_eq!(reach(&known), at(0x18, &more[2]));
    // A set that was never read back is a hole: what the next ones hold does not take it further.
    known.sets[2].proved = None;
    assert_eq!(reach(&known), at(0x15, &more[0]));
}
