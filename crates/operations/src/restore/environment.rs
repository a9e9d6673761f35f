//! `Restore.env`: what a restore must know to be finished later, as one JSON document (`ops-3 §2`).
//!
//! Microsoft's binary and text forms of this file are not published; this is our own, with every field of theirs. It lies in the target
//! beside the files that wait, and says afterwards what was done with them.

use anchorlog_format::units::{Generation, LogTime, Signature};
use anchorlog_storage::{File, Folder, open_or_create, read_all};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Component, Path};

/// Name of the file.
pub const NAME: &str = "Restore.env";

/// The first field of the document: what it is, and in which form.
pub const FORMAT: &str = "anchorlog restore environment 1";

/// A document that is being written.
const DRAFT: &str = ".anchorlog-restore-env";

/// A document is some hundred bytes for each log; this is far beyond any that we write.
const SIZE_MAX: u64 = 256 << 20;

/// How far a restore has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The files wait: more sets may follow, and nothing is recovered yet.
    Waiting,
    /// Recovery began, and nobody saw its end: it is begun anew, on fresh copies.
    Started,
    /// The databases are recovered and take no more logs.
    Done,
    /// Recovery failed; the files are as they were.
    Failed,
}

/// The document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Environment {
    /// [`FORMAT`].
    pub format: String,
    /// Which program wrote it.
    pub software: String,
    /// How far the restore has come.
    pub status: Status,
    /// Microsoft's code of the last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<i32>,
    /// When the status was written.
    pub status_time: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub annotation: String,
    /// The server for which it is restored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// The instance (storage group) that the set came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_instance: String,
    /// The instance whose logs may continue the set: the folder of the production logs; `None`: no play forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_instance: Option<String>,
    /// Where the logs of the set wait, below the target (the restore path).
    pub restore_path: String,
    /// Where the recovery writes its own logs, below the target.
    pub log_path: String,
    /// Where the recovery writes its checkpoint, below the target.
    pub system_path: String,
    /// Where the original instance had its logs, as these say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub original_log_path: String,
    /// Where the original instance had its checkpoint, as the logs say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub original_system_path: String,
    /// Base name of the logs.
    pub base_name: String,
    /// Signature of the log stream, in hexadecimal.
    pub log_signature: String,
    /// The first generation that is replayed.
    pub low: u32,
    /// The last generation of the sets.
    pub high: u32,
    /// The sets, in the order in which they were restored.
    pub sets: Vec<SetRecord>,
    /// The databases.
    pub databases: Vec<DatabaseRecord>,
    /// The logs of the sets.
    pub logs: Vec<LogRecord>,
    /// Logged names and where in the target a database of that name is made, should a log create it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub created: Vec<(String, String)>,
    /// When the databases were recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_restore: Option<String>,
    /// Behind the last record that was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// How it is done.
    pub policy: Policy,
}

/// A set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetRecord {
    /// Its folder.
    pub source: String,
    /// How many databases came from it.
    pub databases: usize,
    /// How many logs came from it.
    pub logs: usize,
}

/// A database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabaseRecord {
    /// What people call it: its file name.
    pub name: String,
    /// Its signature, in hexadecimal: what tells it from all others.
    pub signature: String,
    /// Its path as the logs name it; empty where none does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub original: String,
    /// Where its copy lay in the set.
    pub source: String,
    /// Where it lies below the target.
    pub destination: String,
    /// SHA-256 of the copy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

/// A log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogRecord {
    /// Its generation.
    pub generation: u32,
    /// When it was made.
    pub created: String,
    /// Where its copy lay in the set.
    pub source: String,
    /// Where it lies below the target.
    pub destination: String,
    /// SHA-256 of the copy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

/// How the restore is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Transactions may be lost: never by a restore.
    pub loss_accepted: bool,
    /// Where to stop; `None`: at the end of the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A result with damaged pages may be published.
    pub keep_damage: bool,
    /// Databases of the set that the user did not map are left out.
    pub only_mapped: bool,
}

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// There is none.
    #[error("there is no {NAME}")]
    Missing,
    /// It cannot be read.
    #[error("{NAME} cannot be read: {0}")]
    Storage(io::Error),
    /// It is no document of this form.
    #[error("{NAME} is damaged: {0}")]
    Damaged(String),
}

impl Environment {
    /// Reads the document of a folder.
    ///
    /// # Errors
    /// [`EnvironmentError`]; a path in it that leads out of the folder is damage.
    pub fn read(folder: &dyn Folder) -> Result<Self, EnvironmentError> {
        let file = folder.open(Path::new(NAME)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => EnvironmentError::Missing,
            _ => EnvironmentError::Storage(error),
        })?;
        Self::of_file(&*file)
    }

    /// Reads the document in a file.
    ///
    /// # Errors
    /// As [`Environment::read`].
    pub fn of_file(file: &dyn File) -> Result<Self, EnvironmentError> {
        let bytes = read_all(file, SIZE_MAX).map_err(EnvironmentError::Storage)?;
        let read: Self = serde_json::from_slice(&bytes).map_err(|error| EnvironmentError::Damaged(error.to_string()))?;
        if read.format != FORMAT {
            return Err(EnvironmentError::Damaged(format!("its form is {:?}, and {FORMAT:?} is known", read.format)));
        }
        let databases = read.databases.iter().map(|database| &database.destination);
        let logs = read.logs.iter().map(|log| &log.destination);
        let created = read.created.iter().map(|(_, place)| place);
        if let Some(path) = databases.chain(logs).chain(created).find(|path| !stays_inside(Path::new(path))) {
            return Err(EnvironmentError::Damaged(format!("{path} is no place below the folder")));
        }
        Ok(read)
    }

    /// Writes the document into a folder, in place of the one there, whole or not at all.
    ///
    /// # Errors
    /// Any error of the storage.
    pub fn replace(&self, folder: &dyn Folder) -> io::Result<()> {
        let draft = Path::new(DRAFT);
        let file = open_or_create(folder, draft)?;
        file.set_size(0)?;
        file.write_at(0, &self.to_bytes()?)?;
        file.sync()?;
        folder.rename(draft, Path::new(NAME))?;
        folder.sync()
    }

    /// The document as a file's content.
    ///
    /// # Errors
    /// `FileTooLarge` where it could not be read again.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        bytes.push(b'\n');
        if bytes.len() as u64 > SIZE_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{} bytes", bytes.len())));
        }
        Ok(bytes)
    }
}

/// Whether a file begins like such a document.
pub(crate) fn is_environment(start: &[u8]) -> bool {
    let head = String::from_utf8_lossy(start.get(..start.len().min(200)).unwrap_or_default());
    let form = FORMAT.trim_end_matches(|c: char| c.is_ascii_digit());
    head.trim_start().starts_with('{') && head.contains("\"format\"") && head.contains(form)
}

/// Whether a path lies below a folder, whatever it is appended to.
pub(super) fn stays_inside(path: &Path) -> bool {
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// A signature as the document has it.
pub(super) fn hex(signature: &Signature) -> String {
    signature.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as the document has it.
pub(super) fn time(time: LogTime) -> String {
    time.to_string()
}

/// A log of the document.
pub(super) fn log(generation: Generation, created: LogTime, source: &Path, destination: &Path) -> LogRecord {
    LogRecord {
        generation: generation.0,
        created: time(created),
        source: source.display().to_string(),
        destination: destination.display().to_string(),
        sha256: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_below_a_folder_never_leads_out_of_it() {
        for inside in ["a.edb", "db/a.edb", "logs/edb00001.log"] {
            assert!(stays_inside(Path::new(inside)), "{inside}");
        }
        for outside in ["", "/a.edb", "../a.edb", "db/../../a.edb", "./../a"] {
            assert!(!stays_inside(Path::new(outside)), "{outside}");
        }
    }
}
