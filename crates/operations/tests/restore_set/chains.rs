//! Chains of twenty sets of logs: streams of the data cut into a base and what came behind it, restored to their end and to the middle.

use crate::common::{Store, fresh};
use crate::forward::forward;
use crate::recover_common::{compare_dump, databases, dump_of, recover};
use anchorlog_database::canonical::Tables;
use anchorlog_format::log::names::{self, Role};
use anchorlog_format::units::Generation;
use anchorlog_operations::recover;
use anchorlog_operations::restore::set::{Forward, Options, Target};
use anchorlog_replay::stop::Stop;
use anchorlog_testkit::data::{copy_folder, engine_set, files_below, real_sets};
use anchorlog_testkit::differ::page_differences;
use anchorlog_testkit::dump_text::engine_dumps;
use anchorlog_vault::SetId;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The archived logs of a folder, and the name of the current one.
fn logs_of(folder: &Path) -> (BTreeMap<u32, PathBuf>, String) {
    let (mut logs, mut base) = (BTreeMap::new(), String::new());
    for path in files_below(folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(parsed) = names::parse(&name)
            && let Role::Archive { generation, extension, .. } = parsed.role
        {
            base = format!("{}.{}", parsed.base, extension.log());
            logs.insert(generation.0, path);
        }
    }
    (logs, base)
}

/// Copies logs up to a generation.
fn copy_logs(logs: &BTreeMap<u32, PathBuf>, last: u32, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (_, path) in logs.range(..=last) {
        fs::copy(path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// A stream cut into pieces.
struct Chain {
    store: Store,
    base: SetId,
    logs: BTreeMap<u32, PathBuf>,
    /// The databases of the base, as they were stored.
    image: tempfile::TempDir,
    /// The last generation of each set of logs.
    ends: Vec<u32>,
}

impl Chain {
    /// The databases as the first generations left them, an image of a machine that stopped there; then at most `sets` sets of logs.
    fn cut(folder: &Path, sets: u32, wanted: usize) -> Option<Self> {
        let (logs, current) = logs_of(folder);
        let first = *logs.keys().next()?;
        let last = *logs.keys().next_back()?;
        // All databases must be there: a later one would begin another chain.
        let state = |generation| state_behind(&logs, &current, generation, wanted).map(|image| (generation, image));
        let image = (first..last).find_map(state);
        let (start, image) = image?;
        let store = Store::new();
        let base = store.add_image(image.path());
        let count = sets.min(last - start);
        let mut ends = Vec::new();
        for at in 1..=count {
            let end = start + (last - start) * at / count;
            let piece = tempfile::tempdir().unwrap();
            copy_logs(&logs, end, piece.path());
            store.add_logs(piece.path());
            ends.push(end);
        }
        assert_eq!(store.vault.sets().unwrap().len(), ends.len() + 1);
        Some(Self { store, base, logs, image, ends })
    }
    /// Restored to a generation out of the sets, and recovered from the files by themselves.
    fn compare(&self, label: &str, generation: Option<u32>, wrong: &mut Vec<String>) {
        let (keep, out) = fresh();
        let stop = generation.map(|generation| Stop::Generation(Generation(generation)));
        let options = Options { stop, ..forward(Forward::All) };
        self.store.restore(&self.base, &Target::New(out.clone()), &options).unwrap_or_else(|error| panic!("{label}: {error}"));
        let whole = keep.path().join("whole");
        copy_folder(self.image.path(), &whole).unwrap();
        let (_, current) = logs_of(&whole);
        for path in files_below(&whole) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == current || logs_of(path.parent().unwrap()).0.values().any(|log| *log == path) || name == "edb.log" {
                fs::remove_file(path).unwrap();
            }
        }
        let last = generation.unwrap_or(*self.ends.last().unwrap());
        copy_logs(&self.logs, last, &whole.join("log"));
        let by_itself = keep.path().join("recovered");
        recover(&whole, &by_itself, &recover::Options { allow_missing_current: true, ..recover::Options::default() }).report();
        let (ours, theirs) = (databases(&out), databases(&by_itself));
        assert!(!ours.is_empty() && ours.len() == theirs.len(), "{label}");
        for (name, path) in &ours {
            let pages = page_differences(&fs::read(path).unwrap(), &fs::read(&theirs[name]).unwrap());
            wrong.extend(pages.iter().map(|(page, what)| format!("{label} {name} to {last:#x}: page {page}: {what}")));
            if dump_of(path, Tables::Users) != dump_of(&theirs[name], Tables::Users) {
                wrong.push(format!("{label} {name} to {last:#x}: another dump"));
            }
        }
    }
}

/// Databases and logs as a machine leaves them that stops behind a generation; `None` where no database is there yet.
fn state_behind(logs: &BTreeMap<u32, PathBuf>, current: &str, generation: u32, wanted: usize) -> Option<tempfile::TempDir> {
    let work = tempfile::tempdir().unwrap();
    let (from, out) = (work.path().join("from"), work.path().join("out"));
    copy_logs(logs, generation, &from.join("log"));
    let options = recover::Options { without_undo: true, ..recover::Options::default() };
    let recovery = recover(&from, &out, &options);
    recovery.made.as_ref().ok()?;
    let here = databases(&out);
    if here.len() < wanted {
        return None;
    }
    let image = tempfile::tempdir().unwrap();
    for (name, path) in here {
        fs::copy(path, image.path().join(name)).unwrap();
    }
    copy_logs(logs, generation, &image.path().join("log"));
    // The last one is the log that was being written.
    let last = image.path().join("log").join(logs[&generation].file_name().unwrap());
    fs::rename(last, image.path().join("log").join(current)).unwrap();
    Some(image)
}

#[test]
fn twenty_sets_of_logs_lead_where_the_whole_folder_leads() {
    let (mut cut, mut wrong) = (0, Vec::new());
    let sets = ["mixed-4k-1db", "mixed-4k-5db", "mixed-4k-efv8920", "rollforward-clean", "rollforward-crash-2db"];
    let here = sets.into_iter().filter(|set| engine_set(set).is_some());
    for set in here.clone() {
        let folder = engine_set(set).unwrap().folder();
        let dumps = engine_dumps(&folder.join("dump.jsonl"));
        let Some(chain) = Chain::cut(&folder.join("before/log"), 20, dumps.len()) else { continue };
        assert_eq!(chain.ends.len(), 20, "{set}");
        chain.compare(set, None, &mut wrong);
        chain.compare(set, Some(chain.ends[9]), &mut wrong);
        // And with the log that was being written, where the engine came.
        let (_keep, out) = fresh();
        let options = Options { logs: vec![folder.join("before/log")], ..forward(Forward::All) };
        chain.store.restore(&chain.base, &Target::New(out.clone()), &options).unwrap_or_else(|error| panic!("{set}: {error}"));
        let ours = databases(&out);
        for (name, text) in dumps {
            compare_dump(set, &ours[&name.to_lowercase()], &text, Tables::Users, &mut wrong);
        }
        cut += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cut * 2 >= here.count(), "{cut} chains");
}

/// The states of a real machine, one after the other: each a folder with a clean database, its closed logs and the current one.
fn states(set: &str) -> Option<Vec<PathBuf>> {
    let root = real_sets().into_iter().find(|found| found.name == set)?.folder();
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    if folders.len() == 1 {
        folders = fs::read_dir(&folders[0]).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    }
    folders.sort();
    Some(folders)
}

#[test]
fn the_first_state_of_a_real_machine_and_the_logs_of_the_later_ones_give_the_last() {
    let mut seen = 0;
    for (set, database) in [("roslyn-w81-chain7-history", "storage.ide"), ("srum-ws2022-chain", "SRUDB.dat")] {
        let Some(states) = states(set) else { continue };
        let store = Store::new();
        let first = tempfile::tempdir().unwrap();
        copy_folder(&states[0], first.path()).unwrap();
        let base = store.add(first.path());
        // Their logging is circular: the logs come from the folders, not out of sets of logs alone.
        let later = tempfile::tempdir().unwrap();
        for (at, state) in states[1..].iter().enumerate() {
            let folder = later.path().join(at.to_string());
            copy_folder(state, &folder).unwrap();
            // Generation 2 was retired for re-use, and still holds all that was written in it.
            if set.starts_with("srum") {
                fs::rename(folder.join("SRUtmp.log"), folder.join("SRU00002.log")).unwrap();
            }
        }
        let logs = (0..states.len() - 1).map(|at| later.path().join(at.to_string())).collect();
        let options = Options { logs, ..forward(Forward::All) };
        let (_keep, out) = fresh();
        store.restore(&base, &Target::New(out.clone()), &options).unwrap_or_else(|error| panic!("{set}: {error}"));
        let last = states.last().unwrap().join(database);
        for tables in [Tables::Users, Tables::Engines] {
            assert_eq!(dump_of(&out.join(database), tables), dump_of(&last, tables), "{set} {tables:?}");
        }
        seen += 1;
    }
    assert!(real_sets().is_empty() || seen == 2, "{seen} chains");
}
