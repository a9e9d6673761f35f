//! Files of real machines: images out of a vault hold what recovery of the folder by itself holds.

use crate::common::{Store, breaches, fresh, history};
use crate::forward::forward;
use crate::recover_common::{dump_of, recover};
use anchorlog_database::canonical::Tables;
use anchorlog_operations::backup;
use anchorlog_operations::recover;
use anchorlog_operations::restore::set::{Forward, Options, Target, drill};
use anchorlog_testkit::data::{copy_folder, files_below, real_sets};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[test]
fn images_of_real_machines_are_restored_as_recovery_brings_them_up() {
    let (mut made, mut wrong) = (0, Vec::new());
    let folders = real_sets().into_iter().filter(|set| set.name != "oracle").flat_map(|set| {
        let parents: BTreeSet<PathBuf> =
            files_below(&set.folder()).iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        parents
    });
    let any = !real_sets().is_empty();
    for folder in folders {
        let (copy, store, (keep, out)) = (tempfile::tempdir().unwrap(), Store::new(), fresh());
        copy_folder(&folder, copy.path()).unwrap();
        let sources = crate::backup_common::gather(copy.path());
        let Ok(plan) = backup::snapshot::plan(&sources, &history(&*store.vault), &backup::Options::default()) else { continue };
        if !plan.possible || plan.files.iter().all(|file| file.role != anchorlog_operations::sets::Role::Log) {
            continue;
        }
        let Ok(report) = backup::make(&plan, &sources, &*store.vault, &crate::common::ambient(), &mut ()) else { continue };
        let dirty = store.set(&report.set).manifest.databases().any(|(_, facts)| !facts.is_clean());
        if !dirty {
            continue;
        }
        let target = Target::New(out.clone());
        // One replay knows one stream: that of the dirty databases.
        let known = store.set(&report.set);
        let stream = known.manifest.databases().find(|(_, facts)| !facts.is_clean()).unwrap().1.log_signature;
        let own = || known.manifest.databases().filter(|(_, facts)| facts.log_signature == stream);
        let wanted = Options { databases: own().map(|(part, _)| part.name.to_string()).collect(), ..forward(Forward::Set) };
        let planned = store.plan(&report.set, &target, &wanted);
        if let Err(error) = store.restore(&report.set, &target, &wanted) {
            wrong.push(format!("{}: {error} {:?}", folder.display(), breaches(&planned)));
            continue;
        }
        let scratch = tempfile::tempdir().unwrap();
        let history = history(&*store.vault);
        let drilled = drill(
            &store.vault,
            &history,
            &report.set,
            scratch.path(),
            &Options::default(),
            None,
            &crate::common::ambient(),
            &mut (),
        );
        match drilled {
            Ok(drilled) => assert_eq!(drilled.replay.contents.len(), known.manifest.databases().count()),
            Err(error) => wrong.push(format!("{}: drill: {error}", folder.display())),
        }
        let other = keep.path().join("recovered");
        recover(copy.path(), &other, &recover::Options::default()).report();
        let pairs = own().map(|(file, _)| (out.join(file.name.as_str()), other.join(file.name.as_str())));
        for (ours, theirs) in pairs {
            for tables in [Tables::Users, Tables::Engines] {
                if dump_of(&ours, tables) != dump_of(&theirs, tables) {
                    wrong.push(format!("{}: {} {tables:?}", folder.display(), ours.display()));
                }
            }
        }
        made += 1;
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), wrong.len() + made, wrong.join("\n"));
    assert!(!any || made >= 5, "only {made} images");
}
