//! What lies in quarantine, and when it goes for good.

use super::{Move, hash};
use crate::chain::holder;
use crate::sets::Moment;
use crate::sets::history::History;
use anchorlog_format::units::Signature;
use serde::{Deserialize, Serialize};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Name of the hidden folder among the logs.
pub(super) const QUARANTINE: &str = ".anchorlog-quarantine";
/// Name of the record in each quarantine.
const RECORD: &str = "purge.json";
/// What a record says that it is.
const FORMAT: &str = "anchorlog purge";
/// Bytes that no record exceeds.
const SIZE_MAX: u64 = 1 << 30;

/// What was moved, from where, and how long it is held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    format: String,
    version: u32,
    /// Where the logs lay.
    from: String,
    made: Moment,
    /// Seconds for which they are held.
    hold: i64,
    /// In how many vaults a proved set must still hold each before it is deleted.
    archives: usize,
    logs: Vec<Held>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    name: String,
    generation: u32,
    signature: String,
    blake3: String,
    size: u64,
}

impl Record {
    pub(super) fn new<'m>(from: &Path, made: Moment, hold: i64, archives: usize, moves: impl Iterator<Item = &'m Move>) -> Self {
        let held = |log: &Move| Held {
            name: log.source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            generation: log.generation,
            signature: hex::encode(log.signature.0),
            blake3: hex::encode(log.blake3),
            size: log.size,
        };
        let logs = moves.map(held).collect();
        Self { format: FORMAT.into(), version: 1, from: from.display().to_string(), made, hold, archives, logs }
    }
    pub(super) fn write(&self, place: &Path) -> io::Result<()> {
        let mut file = std::fs::File::create_new(place.join(RECORD))?;
        file.write_all(&serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        file.sync_all()
    }
    fn read(place: &Path) -> io::Result<Self> {
        let path = place.join(RECORD);
        if std::fs::metadata(&path)?.len() > SIZE_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let record: Self = serde_json::from_slice(&std::fs::read(&path)?).map_err(io::Error::other)?;
        if record.format == FORMAT && record.version == 1 {
            Ok(record)
        } else {
            Err(io::Error::other("it is no record of a purge"))
        }
    }
}

/// What a look into quarantine came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Released {
    /// Logs that were deleted.
    pub deleted: Vec<PathBuf>,
    /// Bytes of them.
    pub bytes: u64,
    /// What stays, and why.
    pub kept: Vec<(PathBuf, String)>,
}

/// Deletes what was held long enough in the quarantine of a folder of logs, or in `quarantine` itself where it lies elsewhere. A log that no
/// proved set holds any more stays, however long it was held.
///
/// # Errors
/// Any error of listing; a log that cannot be deleted stays, and is told.
pub fn release(folder: &Path, quarantine: Option<&Path>, vaults: &[History], now: Moment) -> io::Result<Released> {
    let mut released = Released::default();
    let root = quarantine.map_or_else(|| folder.join(QUARANTINE), Path::to_path_buf);
    let entries = match std::fs::read_dir(&root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(released),
        entries => entries?,
    };
    let mut places: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    places.sort();
    for place in places.into_iter().filter(|place| place.is_dir()) {
        match Record::read(&place) {
            Ok(record) => release_one(&place, &record, vaults, now, &mut released),
            Err(error) => released.kept.push((place, format!("its record cannot be read: {error}"))),
        }
    }
    // It goes when nothing is left in it.
    _ = std::fs::remove_dir(&root);
    Ok(released)
}

fn release_one(place: &Path, record: &Record, vaults: &[History], now: Moment, released: &mut Released) {
    let over = record.made.seconds().zip(now.seconds()).is_some_and(|(made, now)| now.saturating_sub(made) >= record.hold);
    let mut left = false;
    for held in &record.logs {
        let path = place.join(&held.name);
        let is_plain = Path::new(&held.name).components().count() == 1 && Path::new(&held.name).file_name().is_some();
        if !is_plain || !path.is_file() {
            continue;
        }
        let done = if over { delete(&path, held, record.archives, vaults) } else { Err("its hold time is not over".to_owned()) };
        match done {
            Ok(()) => {
                released.bytes += held.size;
                released.deleted.push(path);
            }
            Err(why) => {
                left = true;
                released.kept.push((path, why));
            }
        }
    }
    if over && !left {
        // A folder in which something else lies stays, without its record.
        _ = std::fs::remove_file(place.join(RECORD));
        _ = std::fs::remove_dir(place);
    }
}

fn delete(path: &Path, held: &Held, archives: usize, vaults: &[History]) -> Result<(), String> {
    let decode = |text: &str| hex::decode(text).map_err(|error| error.to_string());
    let signature: [u8; 28] = decode(&held.signature)?.try_into().map_err(|_| "its record has no signature".to_owned())?;
    let blake3: [u8; 32] = decode(&held.blake3)?.try_into().map_err(|_| "its record has no hash".to_owned())?;
    if hash(path).map_err(|error| error.to_string())? != blake3 {
        return Err("it is another file than the one that was moved".to_owned());
    }
    let holders = vaults.iter().filter(|vault| holder(vault, &Signature(signature), held.generation, &blake3).is_some()).count();
    if holders < archives.max(1) {
        return Err(format!("proved sets of {holders} vaults hold it, and {} are demanded", archives.max(1)));
    }
    std::fs::remove_file(path).map_err(|error| error.to_string())
}
