//! Drills: a set really restored, compared with its first proof, and the proof attached.

use crate::common::{Store, ambient, copy_of, history, names};
use anchorlog_operations::restore::set::{Error, Options, drill};
use anchorlog_operations::sets::{Level, Proof};
use anchorlog_testkit::data::engine_set;
use anchorlog_vault::Name;

#[test]
fn i38_a_drill_restores_replays_and_attaches_its_proof_and_leaves_nothing_behind() {
    let Some(_) = engine_set("rollforward-crash-2db") else { return };
    let (source, store) = (copy_of("rollforward-crash-2db", "before"), Store::new());
    let id = store.add(source.path());
    let scratch = tempfile::tempdir().unwrap();
    let run =
        || drill(&store.vault, &history(&*store.vault), &id, scratch.path(), &Options::default(), None, &ambient(), &mut ());
    let first = run().unwrap();
    assert_eq!((first.level, first.compared, first.replay.generations), (Level::L4, false, Some((0x10, 0x1E))));
    assert!(names(scratch.path()).is_empty());
    let rows: u64 = first.replay.contents.iter().flat_map(|contents| &contents.tables).map(|(_, rows, _)| rows).sum();
    assert!(first.replay.contents.len() == 2 && rows > 100);
    // The hashes of the tables are those of the engine's dump of its own recovery.
    let text = std::fs::read_to_string(engine_set("rollforward-crash-2db").unwrap().folder().join("dump.jsonl")).unwrap();
    for (table, rows, hash) in
        first.replay.contents.iter().flat_map(|contents| &contents.tables).filter(|(name, ..)| !name.starts_with("MSys"))
    {
        assert!(text.contains(&format!("{{\"t\":\"{table}\",\"rows\":{rows},\"sha256\":\"{hash}\"}}")), "{table}");
    }
    let second = run().unwrap();
    assert!(second.compared && second.replay == first.replay);
    assert_eq!(history(&*store.vault).sets[0].proved, Some(Level::L4));
}

#[test]
fn i39_a_drill_that_finds_something_else_fails_and_attaches_nothing() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let scratch = tempfile::tempdir().unwrap();
    let run =
        || drill(&store.vault, &history(&*store.vault), &id, scratch.path(), &Options::default(), None, &ambient(), &mut ());
    let mut first = run().unwrap();
    // A proof with another hash of one table stands first.
    let other = Store::new();
    let again = other.add(source.path());
    let known = other.set(&again);
    first.replay.contents[0].tables[0].2 = "00".repeat(32);
    first.replay.contents[0].sha256 = "00".repeat(32);
    let streams = serde_json::from_slice::<Proof>(&store.vault.attachments(&id).unwrap()[0].bytes).unwrap().streams;
    let proof = Proof::new(Level::L4, ambient().now().into(), streams, Some(first.replay));
    other.vault.attach(&again, &Name::new("proof.json").unwrap(), &serde_json::to_vec(&proof).unwrap()).unwrap();
    let before = other.vault.attachments(&again).unwrap().len();
    let error =
        drill(&other.vault, &history(&*other.vault), &known.id, scratch.path(), &Options::default(), None, &ambient(), &mut ());
    assert!(matches!(error, Err(Error::Failed { .. })), "{:?}", error.map(|drilled| drilled.compared));
    assert_eq!(other.vault.attachments(&again).unwrap().len(), before);
}

#[test]
fn i1_a_drill_of_a_set_that_reads_back_otherwise_fails() {
    let (source, store) = (copy_of("clean-4k", "clean"), Store::new());
    let id = store.add(source.path());
    let bad = store.edited(&id, true, |_, streams| streams.get_mut("db1.jfm").unwrap()[9] ^= 1);
    let scratch = tempfile::tempdir().unwrap();
    let error =
        drill(&store.vault, &history(&*store.vault), &bad, scratch.path(), &Options::default(), None, &ambient(), &mut ());
    assert!(matches!(error, Err(Error::Damaged { .. })));
    assert!(store.vault.attachments(&bad).unwrap().is_empty());
}
