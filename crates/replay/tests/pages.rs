//! Redo against the engine's own pages (`log-4 §22a`, test B): the files at the crash, the logs of the crash, and the logs that the
//! engine's recovery wrote, give the engine's files after recovery.

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::record::Operation;
use anchorlog_format::page::{Page, compare};
use anchorlog_format::units::{DatabaseId, Dbtime, LogPosition, ObjectId, PageNumber};
use anchorlog_replay::cache::PageCache;
use anchorlog_replay::flush::FlushMap;
use anchorlog_replay::redo::{Database, Redo};
use anchorlog_replay::versions::{BlobStore, Versions};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn logs(folder: &Path) -> Vec<(u32, Vec<u8>)> {
    let mut logs = BTreeMap::new();
    for layer in ["before/log", "after/log"] {
        let Ok(entries) = std::fs::read_dir(folder.join(layer)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if (name.ends_with(".log") || name.ends_with(".jtx")) && !name.contains("tmp") {
                let bytes = std::fs::read(entry.path()).unwrap();
                let generation = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
                logs.insert(generation, bytes);
            }
        }
    }
    logs.into_iter().collect()
}

fn records(generation: u32, log: &[u8], mut each: impl FnMut(LogPosition, &[u8])) {
    let mut partial: Vec<u8> = Vec::new();
    let mut total = 0;
    for (index, segment) in log.chunks(4096).enumerate().skip(1) {
        let sector = u16::from_le_bytes([segment[10], segment[11]]);
        let own = u32::from_le_bytes(segment[12..16].try_into().unwrap());
        if usize::from(sector) != index || own != generation {
            break;
        }
        let mut at = 40;
        while at < 4096 {
            let rest = &segment[at..];
            let position = LogPosition::new(generation, u16::try_from(index).unwrap(), u16::try_from(at).unwrap());
            match rest[0] {
                0 => break,
                76 => {
                    total = u32::from_le_bytes(rest[1..5].try_into().unwrap()) as usize;
                    let size = usize::from(u16::from_le_bytes([rest[5], rest[6]]));
                    partial = rest[7..7 + size].to_vec();
                    at += 7 + size;
                }
                77 => {
                    let size = usize::from(u16::from_le_bytes([rest[1], rest[2]]));
                    partial.extend_from_slice(&rest[3..3 + size]);
                    at += 3 + size;
                    if partial.len() == total {
                        each(position, &partial);
                    }
                }
                _ => {
                    let size = anchorlog_format::log::record::size(rest).unwrap();
                    each(position, &rest[..size]);
                    at += size;
                }
            }
        }
    }
}

fn run(set: &anchorlog_testkit::data::EngineSet) -> Option<(usize, Vec<String>)> {
    let folder = set.folder();
    if !folder.join("before/db").is_dir() || !folder.join("after").is_dir() {
        return None;
    }
    let work = tempfile::tempdir().unwrap();
    let side = work.path().join("spill");
    let blobs = BlobStore::new(1 << 20, move || DiskFolder::new(&side).create(Path::new("blobs")));
    let mut redo = Redo::new(PageCache::new(64 << 20), Versions::new(blobs));
    let disk = DiskFolder::new(work.path());
    let mut by_name: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join("before/db")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if name.ends_with(".edb") {
            std::fs::copy(entry.path(), work.path().join(&name)).unwrap();
            by_name.insert(name, entry.path());
        }
    }
    let mut problems = Vec::new();
    let mut names: BTreeMap<DatabaseId, String> = BTreeMap::new();
    for (generation, log) in logs(&folder) {
        records(generation, &log, |position, raw| {
            if !problems.is_empty() {
                return;
            }
            let operation = Operation::decode(raw).unwrap();
            let attach = match &operation {
                Operation::AttachDatabase(attach) => Some((attach.database, attach.path_text().first())),
                Operation::CreateDatabase(create) => Some((create.database, create.path_text().first())),
                _ => None,
            };
            if let Some((database, path)) = attach {
                let name = path.rsplit('\\').next().unwrap().to_lowercase();
                names.insert(database, name.clone());
                if !by_name.contains_key(&name) {
                    return;
                }
                let file = disk.open_write(Path::new(&name)).unwrap();
                let mut start = vec![0; HeaderPage::ELECTION_BYTES];
                let read = file.read_at(0, &mut start).unwrap();
                let (header, _) = HeaderPage::elect(&start[..read]).unwrap();
                redo.cache.detach(database);
                redo.cache.attach(database, file, header.page_size(), FlushMap::default(), None).unwrap();
                let entry = Database {
                    name,
                    header,
                    highest_dbtime: Dbtime(0),
                    highest_object: ObjectId(0),
                    future_data: true,
                    maps: Default::default(),
                    creating: false,
                };
                redo.databases.insert(database, entry);
            }
            match &operation {
                Operation::ExtendDatabase(extend) if redo.databases.contains_key(&extend.database) => {
                    let pages = redo.cache.pages(extend.database).max(extend.last_page.0);
                    redo.cache.resize(extend.database, pages).unwrap();
                }
                Operation::Init(_) => redo.forget_sessions(),
                _ => {}
            }
            if let Err(error) = redo.redo(position, raw, &operation) {
                problems.push(format!(
                    "{}: {position} {:?}: {} {error} page {:?}",
                    set.name,
                    operation.record_type(),
                    error.jet,
                    error.page
                ));
            }
        });
    }
    let ids: Vec<DatabaseId> = redo.databases.keys().copied().collect();
    let mut equal = 0;
    for id in ids {
        redo.cache.release(id, |_| false).unwrap();
        let name = &names[&id];
        let ours = std::fs::read(work.path().join(name)).unwrap();
        let after = folder.join("after/db").join(name);
        let theirs = std::fs::read(if after.exists() { after } else { by_name[name].clone() }).unwrap();
        let size = redo.databases[&id].header.page_size();
        for number in 1..u32::try_from(theirs.len() / size.bytes() - 1).unwrap() {
            let at = usize::try_from(size.offset_of(PageNumber(number))).unwrap();
            let (Some(a), Some(b)) = (ours.get(at..at + size.bytes()), theirs.get(at..at + size.bytes())) else {
                problems.push(format!("{}: {name} page {number} is missing", set.name));
                continue;
            };
            let found = compare::differences(Page::new(a).unwrap(), Page::new(b).unwrap());
            if found.is_empty() {
                equal += 1;
            } else {
                let mut text = found.join("; ");
                text.truncate(400);
                problems.push(format!("{}: {name} page {number}: {text}", set.name));
            }
        }
    }
    Some((equal, problems))
}

#[test]
fn redo_of_all_logs_gives_the_engines_pages() {
    let only = std::env::var("SET").ok();
    let mut failed = 0;
    for set in anchorlog_testkit::data::engine_sets() {
        if only.as_ref().is_some_and(|only| !set.name.contains(only.as_str()))
            || !(set.name.starts_with("micro") || set.name.starts_with("mixed"))
        {
            continue;
        }
        if let Some((equal, problems)) = run(&set) {
            if !problems.is_empty() {
                failed += 1;
                println!("{}: {equal} equal, {} problems", set.name, problems.len());
                for problem in problems.iter().take(3) {
                    println!("   {problem}");
                }
            }
        }
    }
    assert_eq!(failed, 0);
}
