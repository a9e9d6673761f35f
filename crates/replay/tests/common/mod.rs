//! What the recovery tests share.
#![allow(dead_code, reason = "each test uses a part")]

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::units::LogTime;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{Options, Setup};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use std::path::Path;
use std::sync::Arc;

pub fn ambient() -> Ambient {
    Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7)
}

pub fn setup(root: &Path, options: Options) -> Setup {
    let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(root));
    let mut streams = StreamFiles::find(&*folder, Path::new("log")).unwrap();
    streams.sort_by_key(|stream| stream.current.is_none());
    let candidates = folder
        .list()
        .unwrap()
        .into_iter()
        .filter(|entry| entry.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("edb")))
        .map(|entry| {
            let bytes = std::fs::read(root.join(&entry.path)).unwrap();
            let start = &bytes[..bytes.len().min(HeaderPage::ELECTION_BYTES)];
            Candidate { path: entry.path, signature: HeaderPage::elect(start).ok().map(|(page, _)| page.header.signature) }
        })
        .collect();
    Setup {
        logs: Logs { folder: folder.clone(), files: streams.into_iter().next().unwrap_or_else(no_logs) },
        folder,
        naming: Naming { candidates, map: Vec::new() },
        options,
    }
}

fn no_logs() -> StreamFiles {
    let naming = anchorlog_format::log::names::Naming {
        base: "edb".into(),
        extension: anchorlog_format::log::names::Extension::Log,
        wide: false,
    };
    StreamFiles::empty("log", naming)
}

/// Fields that differ though they are neither times nor made up by each run (`log-8 §3`).
pub fn header_differences(ours: &HeaderPage, theirs: &HeaderPage) -> Vec<String> {
    const OF_THE_RUN: [&str; 13] = [
        "checksum",
        "header_flush",
        "map_flush",
        "extend_count",
        "shrink_count",
        "recovering",
        "os_major",
        "os_minor",
        "os_build",
        "os_service_pack",
        "newest_engine",
        "revert_flush",
        "flags",
    ];
    let (a, b) = (ours.to_bytes(), theirs.to_bytes());
    let fields = anchorlog_format::database::header::DatabaseHeader::LAYOUT.fields;
    fields
        .iter()
        .filter(|field| !OF_THE_RUN.contains(&field.name) && field.kind != "LogTime")
        .filter(|field| a[field.offset..field.offset + field.size] != b[field.offset..field.offset + field.size])
        .map(|field| format!("{}: {:?} against {:?}", field.name, (field.show)(&a), (field.show)(&b)))
        .collect()
}
