//! Whatever the files hold: plans, chains and whole backups end, change nothing, and never panic.

use crate::common::{ambient, back_up, copy_of, digests, gather, history, stopped_at_12};
use anchorlog_format::units::LogTime;
use anchorlog_operations::backup::{self, Error, Options, Progress};
use anchorlog_operations::chain::{Policy, examine};
use anchorlog_testkit::data::{copy_folder, files_below};
use anchorlog_testkit::random::Random;
use anchorlog_vault::Vault;
use anchorlog_vault::memory::MemoryVault;
use std::fs;
use std::path::Path;

/// Changes a file in one of the ways in which files are damaged.
fn mutate(random: &mut Random, path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    match random.below(6) {
        0 => bytes.truncate(random.below(9000)),
        1 => bytes.clear(),
        2 => bytes.extend_from_slice(&[0xA5; 5000]),
        _ => {
            // Mostly where the headers are; their checksums are made to hold again, so that the fields are believed.
            let limit = if random.below(3) == 0 { bytes.len() } else { bytes.len().min(800) };
            for _ in 0..=random.below(8) {
                let at = random.below(limit);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if random.below(2) == 0 { 0xFF } else { u8::try_from(random.below(256)).unwrap() };
                }
            }
            if bytes.len() >= 8192 {
                anchorlog_checksum::set_header_xor(&mut bytes[..4096]);
            }
        }
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_files_are_planned_examined_and_refused_without_a_panic() {
    let (whole, vault) = (stopped_at_12(), MemoryVault::new());
    back_up(whole.path(), &vault, &Options::default()).unwrap();
    let known = history(&vault);
    let mut random = Random::new(7);
    for round in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(whole.path(), folder.path()).unwrap();
        let files = files_below(folder.path());
        for _ in 0..=random.below(3) {
            let at = random.below(files.len());
            mutate(&mut random, &files[at]);
        }
        let before = digests(folder.path());
        let sources = gather(folder.path());
        let (offline, logs) = (
            backup::offline::plan(&sources, &known, &Options::default()),
            backup::logs::plan(&sources, &known, &Options::default()),
        );
        let snapshot = backup::snapshot::plan(&sources, &known, &Options::default()).ok();
        for plan in [Some(offline), Some(logs), snapshot].into_iter().flatten() {
            let scrap = MemoryVault::new();
            let made = backup::make(&plan, &sources, &scrap, &ambient(), &mut ());
            assert_eq!(scrap.sets().unwrap().len(), usize::from(made.is_ok()), "round {round}");
        }
        let chain =
            examine(&sources, std::slice::from_ref(&known), &Policy::default(), LogTime::utc(2030, 1, 1, 0, 0, 0, 0).into());
        // Only what the vault holds byte for byte may go, whatever the files claim.
        for log in chain.streams.iter().flat_map(|stream| &stream.logs).filter(|log| log.safe) {
            let held = known.sets[0].manifest.files.iter().any(|file| file.blake3 == log.blake3);
            assert!(held, "round {round}: {log:?}");
        }
        assert_eq!(digests(folder.path()), before, "round {round}");
    }
}

#[test]
fn an_image_whose_backup_is_interrupted_leaves_no_set_and_nothing_in_the_scratch_folder() {
    struct Stop(u32);
    impl Progress for Stop {
        fn phase(&mut self, _: &str, _: u64) -> bool {
            self.bytes("", 0)
        }
        fn bytes(&mut self, _: &str, _: u64) -> bool {
            self.0 = self.0.saturating_sub(1);
            self.0 > 0
        }
    }
    let (folder, scratch) = (copy_of("lost-4k-1db", "base"), tempfile::tempdir().unwrap());
    let (before, vault) = (digests(folder.path()), MemoryVault::new());
    let options = Options { scratch: Some(scratch.path().to_owned()), ..Options::default() };
    let sources = gather(folder.path());
    let plan = backup::snapshot::plan(&sources, &history(&vault), &options).unwrap();
    let mut steps = 1;
    loop {
        match backup::make(&plan, &sources, &vault, &ambient(), &mut Stop(steps)) {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, Error::Interrupted), "step {steps}: {error}"),
        }
        assert_eq!((vault.sets().unwrap().len(), digests(folder.path()) == before), (0, true), "step {steps}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "step {steps}");
        steps += 1 + steps / 4;
    }
    assert!(steps > 30, "only {steps} steps");
}
