//! The data sets that judge the product: engine-made sets, and files of real machines.
//!
//! A bare clone has `testdata/`; where `../shared/data` stands beside the checkout its sets are used as well.
//! Archives are unpacked once, into `target/data` (or `ANCHORLOG_DATA_CACHE`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The root of the checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies two folders below the root").into()
}

/// The folder `../shared/data` beside the checkout (or `ANCHORLOG_SHARED_DATA`), when it exists.
///
/// # Panics
/// When `ANCHORLOG_REQUIRE_SHARED_DATA` is set and the folder is missing: CI must not pass by not looking.
#[must_use]
pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("ANCHORLOG_SHARED_DATA").map_or_else(|| checkout().join("../shared/data"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("ANCHORLOG_REQUIRE_SHARED_DATA").is_none(), "{} is missing and required", folder.display());
    None
}

/// Every engine-made set that is here, by name, ascending: those of `../shared/data/engine`, or of `testdata/engine` in a bare clone.
/// Sets for benches are left out ([`bench_set`]).
#[must_use]
pub fn engine_sets() -> Vec<EngineSet> {
    let folder = shared().map_or_else(|| checkout().join("testdata/engine"), |shared| shared.join("engine"));
    let mut sets: Vec<EngineSet> = archives(&folder)
        .into_iter()
        .filter(|(name, _)| !name.starts_with("perf-"))
        .map(|(name, archive)| EngineSet { name, archive })
        .collect();
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!sets.is_empty(), "no data sets in {}", folder.display());
    sets
}

/// One engine-made set by name, when it is here.
#[must_use]
pub fn engine_set(name: &str) -> Option<EngineSet> {
    engine_sets().into_iter().find(|set| set.name == name)
}

/// The large set for benches, `perf-NAME`; it is only in `../shared/data`.
#[must_use]
pub fn bench_set(name: &str) -> Option<EngineSet> {
    let wanted = format!("perf-{name}");
    let found = archives(&shared()?.join("engine")).into_iter().find(|(name, _)| *name == wanted);
    found.map(|(name, archive)| EngineSet { name, archive })
}

/// Every set of real files that is here (none in a bare clone): folders with an archive of the same name inside.
#[must_use]
pub fn real_sets() -> Vec<EngineSet> {
    let Some(shared) = shared() else { return Vec::new() };
    let mut sets = Vec::new();
    for entry in fs::read_dir(shared.join("real")).expect("the real sets can be listed").flatten() {
        if entry.path().is_dir() {
            sets.extend(archives(&entry.path()).into_iter().map(|(name, archive)| EngineSet { name, archive }));
        }
    }
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    sets
}

/// The folders of every set of real files with that of what Microsoft's engine made of it (`ORACLE.md`).
///
/// # Panics
/// When an archive cannot be unpacked.
#[must_use]
pub fn oracles() -> Vec<(PathBuf, PathBuf)> {
    let sets = real_sets();
    let oracle = |set: &EngineSet| {
        let beside = sets.iter().find(|other| other.name == "oracle" && other.archive.parent() == set.archive.parent())?;
        Some((set.folder(), beside.folder()))
    };
    sets.iter().filter(|set| set.name != "oracle").filter_map(oracle).collect()
}

/// Every file below a folder, ascending.
///
/// # Panics
/// When a folder cannot be listed.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed").flatten() {
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}

/// A set: one `NAME.tar.zst`.
#[derive(Clone, Debug)]
pub struct EngineSet {
    /// Its name, as in the tables of the data's README.
    pub name: String,
    /// The archive.
    pub archive: PathBuf,
}

impl EngineSet {
    /// The folder with its unpacked files. Read-only by convention: tests that change files copy them first.
    ///
    /// # Panics
    /// When the archive cannot be unpacked.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        unpack(&self.name, &self.archive).unwrap_or_else(|error| panic!("{}: {error}", self.archive.display()))
    }

    /// Its `meta.json`.
    ///
    /// # Panics
    /// When the file is missing or not JSON.
    #[must_use]
    pub fn meta(&self) -> serde_json::Value {
        let path = self.folder().join("meta.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn archives(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name.strip_suffix(".tar.zst")?.to_owned(), entry.path()))
        })
        .collect()
}

fn cache() -> PathBuf {
    std::env::var_os("ANCHORLOG_DATA_CACHE").map_or_else(|| checkout().join("target/data"), PathBuf::from)
}

/// Unpacks into a folder of its own and renames it in place, so that tests running side by side never see half a set.
fn unpack(name: &str, archive: &Path) -> io::Result<PathBuf> {
    let metadata = fs::metadata(archive)?;
    let target = cache().join(format!("{name}-{}", metadata.len()));
    if target.is_dir() {
        return Ok(target);
    }
    fs::create_dir_all(cache())?;
    let work = tempfile::tempdir_in(cache())?;
    let mut decoder = zstd::Decoder::new(fs::File::open(archive)?)?;
    decoder.window_log_max(27)?;
    tar::Archive::new(decoder).unpack(work.path())?;
    let unpacked = work.keep();
    // Real sets make a folder of their own name inside the archive; look through it.
    let inner = unpacked.join(name);
    let source = if inner.is_dir() { inner } else { unpacked };
    match fs::rename(&source, &target) {
        Ok(()) => Ok(target),
        Err(_) if target.is_dir() => Ok(target),
        Err(error) => Err(error),
    }
}

/// A copy of a part of a set that every checkout has, in a folder of its own.
///
/// # Panics
/// When the set is missing, or cannot be copied.
#[must_use]
pub fn copy_of(set: &str, below: &str) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder for the copy");
    let source = engine_set(set).expect("the set is in every checkout").folder().join(below);
    copy_folder(&source, copy.path()).expect("the set can be copied");
    copy
}

/// Every file below a folder, by its path below it, with its content.
///
/// # Panics
/// When something cannot be read.
#[must_use]
pub fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).expect("a folder that can be read") {
            let path = entry.expect("an entry that can be read").path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(root).expect("a path below the folder").to_owned();
                files.insert(name, fs::read(path).expect("a file that can be read"));
            }
        }
    }
    files
}

/// Copies a folder with everything in it, writable.
///
/// # Errors
/// Any error of the file system.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            let bytes = fs::read(entry.path())?;
            fs::write(target, bytes)?;
        }
    }
    Ok(())
}
