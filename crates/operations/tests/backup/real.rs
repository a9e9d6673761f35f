//! Files of real machines: clean ones offline, dirty ones as images, and two moments of one stream as a chain.

use crate::common::{ambient, breaches, digests, gather, history, plan_offline, stream};
use anchorlog_operations::backup::{self, Error, Options, Plan};
use anchorlog_operations::sets::Level;
use anchorlog_testkit::data::{EngineSet, copy_folder, real_sets};
use anchorlog_vault::Vault;
use anchorlog_vault::memory::MemoryVault;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of a set in which files lie, each by itself.
fn folders(set: &EngineSet) -> Vec<PathBuf> {
    let files = anchorlog_testkit::data::files_below(&set.folder());
    let folders: BTreeSet<PathBuf> = files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
    folders.into_iter().collect()
}

fn snapshot(folder: &Path, vault: &dyn Vault, scratch: &Path) -> Option<Plan> {
    let options = Options { scratch: Some(scratch.to_owned()), ..Options::default() };
    backup::snapshot::plan(&gather(folder), &history(vault), &options).ok()
}

#[test]
fn real_folders_are_backed_up_whole_or_refused_untouched() {
    let (mut offline, mut images, mut refused, mut report) = (0, 0, 0, Vec::new());
    // What the engine made of them lies beside them, and is no folder of a machine.
    for folder in real_sets().iter().filter(|set| set.name != "oracle").flat_map(folders) {
        let (copy, scratch, vault) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), MemoryVault::new());
        copy_folder(&folder, copy.path()).unwrap();
        let before = digests(copy.path());
        let plan = plan_offline(copy.path(), &vault, &Options::default());
        let image = if plan.possible { None } else { snapshot(copy.path(), &vault, scratch.path()) };
        let plan = image.unwrap_or(plan);
        let made = backup::make(&plan, &gather(copy.path()), &vault, &ambient(), &mut ());
        match &made {
            Ok(made) => {
                let count = if made.level == Level::L4 { &mut images } else { &mut offline };
                *count += 1;
                for file in &made.manifest.files {
                    let place = copy.path().join(file.name.as_str());
                    assert!(
                        stream(&vault, &made.set, &file.name) == fs::read(place).unwrap(),
                        "{}: {}",
                        folder.display(),
                        file.name
                    );
                }
            }
            Err(Error::Refused(_) | Error::Damaged(_)) => refused += 1,
            Err(error) => panic!("{}: {error}", folder.display()),
        }
        assert_eq!((vault.sets().unwrap().len(), digests(copy.path()) == before), (usize::from(made.is_ok()), true));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "{}", folder.display());
        report.push(format!("{}: {:?} {:?}", folder.display(), breaches(&plan), made.map(|made| made.level)));
    }
    if !report.is_empty() {
        assert!(offline >= 10 && images >= 5, "{offline} {images} {refused}\n{}", report.join("\n"));
    }
}

#[test]
fn two_moments_of_one_stream_make_one_chain() {
    let Some(set) = real_sets().into_iter().find(|set| set.name == "srum-ws2022-chain") else { return };
    let (vault, scratch) = (MemoryVault::new(), tempfile::tempdir().unwrap());
    for moment in ["t0", "t1"] {
        let folder = set.folder().join(moment);
        let plan = match plan_offline(&folder, &vault, &Options::default()) {
            plan if plan.possible => plan,
            _ => snapshot(&folder, &vault, scratch.path()).unwrap(),
        };
        backup::make(&plan, &gather(&folder), &vault, &ambient(), &mut ()).unwrap();
    }
    let sets = history(&vault).sets;
    let streams: Vec<_> = sets.iter().map(|set| &set.manifest.streams[0]).collect();
    assert_eq!(streams[0].signature, streams[1].signature);
    assert_eq!((&streams[0].continues, &streams[1].continues), (&None, &Some(sets[0].id.clone())));
    // Behind circular logging nothing is promised, and the second moment does not contradict the first.
    assert!(streams.iter().all(|stream| stream.circular && stream.promises.iter().all(|promise| !promise.rolls_forward)));
    assert_eq!(sets[1].manifest.evidence.iter().filter(|evidence| evidence.id == "P21" && !evidence.holds).count(), 0);
}
