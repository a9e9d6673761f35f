//! What a user may ask of the restore of a set.

use anchorlog_format::units::LogTime;
use anchorlog_replay::stop::Stop;
use std::path::{Path, PathBuf};

/// How far the databases are rolled forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forward {
    /// Not at all: clean databases, as they were.
    #[default]
    No,
    /// With the logs of their own set.
    Set,
    /// With all logs that continue them: of the set, of other sets of the vault, and of the folders that are named.
    All,
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A folder that does not exist, or is empty.
    New(PathBuf),
    /// A folder with files: what stands in the way is set aside in a folder beside them.
    Over(PathBuf),
}

impl Target {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::New(path) | Self::Over(path) => path,
        }
    }
}

/// What a user may ask.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Databases of the set to restore, by stream, file name, or path as the logs have it; empty: all.
    pub databases: Vec<String>,
    /// Databases of the stream that are left out on purpose: names, or paths as the logs have them.
    pub without: Vec<String>,
    /// Without roll-forward: begin a new log stream, although databases stay in the target; the logs there are set aside.
    pub new_stream: bool,
    /// How far.
    pub forward: Forward,
    /// Folders with logs to roll forward with: those of production, or of an archive.
    pub logs: Vec<PathBuf>,
    /// Where a database goes below the target: by the hexadecimal digits of its signature, its stream, its file name, or its path in the
    /// logs or the end of that.
    pub map: Vec<(String, PathBuf)>,
    /// Folder of the logs below the target; none: as in the set, or where the target has them.
    pub log_folder: Option<PathBuf>,
    /// Stop there; the result is clean.
    pub stop: Option<Stop>,
    /// Stop at this time, as exactly as the logs tell times.
    pub stop_time: Option<LogTime>,
    /// Accept that what committed in logs that are gone is lost.
    pub accept_loss: bool,
    /// Publish a result with bad pages.
    pub keep_damage: bool,
    /// A damaged copy of the database, or a folder with such copies: what of it is as the set has it is not read from the vault.
    pub onto: Option<PathBuf>,
    /// Verify databases as a whole that nothing was replayed on, although each byte is what was backed up, and each page was verified.
    pub verify: bool,
    /// Put the database of a domain controller back in place all the same.
    pub domain_controller: bool,
    /// The user vouches that nothing has the files of the target open, where locks cannot tell.
    pub assume_dismounted: bool,
    /// Bytes of page images in memory; 0: the usual.
    pub cache_bytes: usize,
    /// Threads that change pages; 0 and 1: none besides the one that replays.
    pub threads: usize,
}

/// The last part of a path, whatever machine it is of.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/', ':']).next().unwrap_or(path)
}

/// Whether a user means a path: the whole, its last part, or its end behind a separator, whatever the case (trap O16).
pub(crate) fn means(wanted: &str, path: &str) -> bool {
    let same = |text: &str| text.replace('\\', "/").to_lowercase();
    let (wanted, path) = (same(wanted), same(path));
    !wanted.is_empty() && path.strip_suffix(&wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    // trap ops-1 O16
    #[test]
    fn o16_a_path_is_meant_by_its_end_whatever_case_and_separator() {
        for wanted in ["R:\\db\\Mail.edb", "mail.edb", "DB/MAIL.EDB"] {
            assert!(means(wanted, "r:\\DB\\mail.EDB"), "{wanted}");
        }
        for wanted in ["", "ail.edb", "other.edb", "b\\mail.edb"] {
            assert!(!means(wanted, "r:\\DB\\mail.EDB"), "{wanted}");
        }
    }
}
