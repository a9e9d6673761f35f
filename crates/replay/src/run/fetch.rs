//! Reading logs ahead: while one is replayed, the next is read and its checksums are verified on a thread of its own.

use crate::error::Result;
use crate::logs::{self, Logs};
use anchorlog_format::log::file::LogFile;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

/// Opens the logs of a stream, at most one ahead.
pub(super) struct Fetch {
    logs: Logs,
    ahead: Option<(PathBuf, JoinHandle<Result<LogFile<'static>>>)>,
}

impl Fetch {
    pub fn new(logs: &Logs) -> Self {
        Self { logs: logs.clone(), ahead: None }
    }
    /// The log at a path: the one read ahead, where it is that.
    pub fn open(&mut self, path: &Path) -> Result<LogFile<'static>> {
        match self.wait() {
            Some((ahead, log)) if ahead == path => log,
            _ => read(&self.logs, path),
        }
    }
    /// Begins to read a log. What is wrong with it is told when it is opened.
    pub fn read_ahead(&mut self, path: &Path) {
        self.wait();
        let (logs, own) = (self.logs.clone(), path.to_path_buf());
        // Without a thread it is read when its turn comes.
        let thread = Builder::new().spawn(move || read(&logs, &own)).ok();
        self.ahead = thread.map(|thread| (path.to_path_buf(), thread));
    }
    fn wait(&mut self) -> Option<(PathBuf, Result<LogFile<'static>>)> {
        let (path, thread) = self.ahead.take()?;
        Some((path, thread.join().unwrap_or_else(|panic| resume_unwind(panic))))
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        // No file of the folder is open when the run is over.
        if let Some((_, thread)) = self.ahead.take() {
            _ = thread.join();
        }
    }
}

fn read(logs: &Logs, path: &Path) -> Result<LogFile<'static>> {
    logs::open_owned(logs.read(path)?, path)
}
