//! What the recovery tests share.
#![allow(dead_code, reason = "each test uses a part")]

pub mod backup;
pub mod bench;
pub mod compare;
pub mod files;

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::units::LogTime;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{Failure, Options, Report, Setup};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::link::LogLink;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use std::path::Path;
use std::sync::Arc;

pub fn ambient() -> Ambient {
    Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7)
}

/// A run over the logs in `log/` and the databases anywhere below `root`.
pub fn setup(root: &Path, options: Options) -> Setup {
    setup_of_base(root, None, options)
}

/// The same, for the stream of a base name.
pub fn setup_of_base(root: &Path, base: Option<&str>, options: Options) -> Setup {
    setup_over(Arc::new(DiskFolder::new(root)), base, options)
}

/// The same, over any folder.
pub fn setup_over(folder: Arc<dyn Folder>, base: Option<&str>, options: Options) -> Setup {
    let mut streams = StreamFiles::find(&*folder, Path::new("log")).unwrap();
    streams.retain(|stream| base.is_none_or(|base| stream.naming.base.eq_ignore_ascii_case(base)));
    streams.sort_by_key(|stream| stream.current.is_none());
    let is_database = |path: &Path| {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase()).unwrap_or_default();
        extension == "edb" || (path.starts_with("db") && extension != "jfm")
    };
    let candidates = folder
        .list()
        .unwrap()
        .into_iter()
        .filter(|entry| is_database(&entry.path))
        .map(|entry| {
            let mut start = vec![0; HeaderPage::ELECTION_BYTES];
            let read = folder.open(&entry.path).and_then(|file| file.read_at(0, &mut start)).unwrap_or(0);
            let header = HeaderPage::elect(&start[..read]).ok();
            Candidate { path: entry.path, signature: header.map(|(page, _)| page.header.signature) }
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

/// The headers of a stream's logs, each of which continues the one before.
pub fn chain(logs: &Logs) -> Result<Vec<LogHeader>, String> {
    let mut headers: Vec<LogHeader> = Vec::new();
    let mut link: Option<LogLink> = None;
    for path in logs.files.archives.values().chain(&logs.files.current) {
        let bytes = logs.read(path).map_err(|error| error.to_string())?;
        let log = LogFile::open(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(link) = link.replace(LogLink::of(&log)) {
            link.check(log.header()).map_err(|fault| format!("{}: {fault}", path.display()))?;
        }
        headers.push(log.header().clone());
    }
    Ok(headers)
}

/// How a run ended, in words for a failed test.
pub fn told(result: &Result<Report, Failure>) -> String {
    match result {
        Ok(report) => format!("{:?} {:?}", report.ending, report.warning),
        Err(failure) => format!("{} at {:?} ({})", failure.error.jet, failure.error.position, failure.error),
    }
}
