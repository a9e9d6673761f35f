//! Proofs: documents that are attached to a set after it was published, and say what was found when it was tried.

use super::manifest::{Level, Manifest, Moment};
use super::wire;
use anchorlog_vault::{Attachment, Name, SetId, Vault};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What a proof says that it is.
pub const FORMAT: &str = "anchorlog proof";
/// The version that is written, and the highest that is read.
pub const VERSION: u32 = 1;
/// Name of the attachment.
const NAME: &str = "proof.json";
/// Bytes read back at once.
const READ: usize = 1 << 20;

/// A proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// How far it goes.
    pub level: Level,
    /// When it was made.
    pub made: Moment,
    /// The program that made it.
    pub program: String,
    /// Every stream that was read back, with the hash of what came.
    pub streams: Vec<ReadBack>,
    /// What replay came to; none where nothing was replayed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<ReplayProof>,
}

/// A stream that was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBack {
    /// Its name.
    pub name: Name,
    /// SHA-256 of what came.
    #[serde(with = "wire::digest")]
    pub sha256: [u8; 32],
}

/// What a replay came to that was made to prove a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayProof {
    /// First and last generation replayed; none where nothing had to be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generations: Option<(u32, u32)>,
    /// What became of each database: its path in the set, and the verdict.
    pub databases: Vec<(String, String)>,
    /// Behind the last record replayed; none where nothing had to be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<String>,
    /// What each database held then.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contents: Vec<Contents>,
}

/// What a database holds, as hashes of its canonical dump: the same after every restore of the same set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Its path in the set.
    pub database: String,
    /// SHA-256 of the whole dump, but for the line that names the file.
    pub sha256: String,
    /// Every table: its name, its rows, the SHA-256 of them.
    pub tables: Vec<(String, u64, String)>,
}

/// Why a set could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackError {
    /// What came is not what the manifest says.
    #[error("{name} reads back with {size} bytes and the SHA-256 {found}, but {wanted_size} bytes with {wanted} were stored")]
    Differs {
        /// The stream.
        name: Name,
        /// Bytes that came.
        size: u64,
        /// Bytes that were stored.
        wanted_size: u64,
        /// Hash of what came.
        found: String,
        /// Hash of what was stored.
        wanted: String,
    },
    /// The vault's own error.
    #[error(transparent)]
    Vault(#[from] anchorlog_vault::Error),
    /// The user interrupted it.
    #[error("interrupted")]
    Interrupted,
}

/// Reads every stream of a set back and holds it against the manifest (P13, I1). `each` gets the bytes read and ends it with `false`.
///
/// # Errors
/// [`ReadBackError`]; the set is left as it is.
pub fn read_back(
    vault: &dyn Vault,
    set: &SetId,
    manifest: &Manifest,
    each: &mut dyn FnMut(u64) -> bool,
) -> Result<Vec<ReadBack>, ReadBackError> {
    let mut streams = Vec::with_capacity(manifest.files.len());
    let mut buffer = vec![0; READ];
    for file in &manifest.files {
        let stream = vault.open_stream(set, &file.name)?;
        let (mut digest, mut offset) = (Sha256::new(), 0);
        loop {
            let read = stream.read_at(offset, &mut buffer)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
            offset += read as u64;
            if !each(read as u64) {
                return Err(ReadBackError::Interrupted);
            }
        }
        let found: [u8; 32] = digest.finalize().into();
        if found != file.sha256 || offset != file.size {
            return Err(ReadBackError::Differs {
                name: file.name.clone(),
                size: offset,
                wanted_size: file.size,
                found: hex::encode(found),
                wanted: hex::encode(file.sha256),
            });
        }
        streams.push(ReadBack { name: file.name.clone(), sha256: found });
    }
    Ok(streams)
}

/// Reads a published set back and attaches the proof of that: for sets whose making was cut off before their proof. Returns how far it goes.
///
/// # Errors
/// [`ReadBackError`]; the set is left as it is.
pub fn prove(
    vault: &dyn Vault,
    set: &SetId,
    manifest: &Manifest,
    made: Moment,
    each: &mut dyn FnMut(u64) -> bool,
) -> Result<Level, ReadBackError> {
    let streams = read_back(vault, set, manifest, each)?;
    // What replay came to was told by nobody: that must be tried again.
    let level = manifest.level.clamp(Level::L0, Level::L2);
    Proof::new(level, made, streams, None).attach(vault, set)?;
    Ok(level)
}

impl Proof {
    /// A proof of what was read back, and of a replay where one was made.
    #[must_use]
    pub fn new(level: Level, made: Moment, streams: Vec<ReadBack>, replay: Option<ReplayProof>) -> Self {
        let program = super::manifest::program();
        Self { format: FORMAT.into(), version: VERSION, level, made, program, streams, replay }
    }
    /// Attaches it to its set.
    ///
    /// # Errors
    /// The vault's.
    pub fn attach(&self, vault: &dyn Vault, set: &SetId) -> anchorlog_vault::Result<()> {
        let other = |error: serde_json::Error| {
            anchorlog_vault::Error::Storage(anchorlog_vault::Place::set(set), std::io::Error::other(error))
        };
        let bytes = serde_json::to_vec_pretty(self).map_err(other)?;
        let Some(name) = Name::new(NAME) else { return Ok(()) };
        vault.attach(set, &name, &bytes)
    }
    /// The proofs among the attachments of a set that speak of every file of its manifest; others prove nothing.
    #[must_use]
    pub fn among(attachments: &[Attachment], manifest: &Manifest) -> Vec<Self> {
        let proofs = attachments.iter().filter(|attachment| attachment.name.as_str() == NAME);
        let read = proofs.filter_map(|attachment| serde_json::from_slice::<Self>(&attachment.bytes).ok());
        read.filter(|proof| proof.speaks_of(manifest)).collect()
    }
    fn speaks_of(&self, manifest: &Manifest) -> bool {
        let of_file =
            |file: &super::FilePart| self.streams.iter().any(|stream| stream.name == file.name && stream.sha256 == file.sha256);
        self.format == FORMAT && self.version <= VERSION && self.streams.len() == manifest.files.len() && {
            // Both are in the order of the set in whatever this program wrote: no search among all for each.
            let in_order = manifest.files.iter().zip(&self.streams);
            in_order.clone().all(|(file, stream)| stream.name == file.name && stream.sha256 == file.sha256)
                || manifest.files.iter().all(of_file)
        }
    }
}

/// Name of the mark on a set behind which its databases changed their life.
const ENDS: &str = "roll-forward-ends.json";

#[derive(Serialize, Deserialize)]
struct Ends {
    made: Moment,
    /// The set that begins anew.
    by: String,
    why: String,
}

/// Marks a set: logs behind the set `by` cannot be replayed onto its databases (P24).
///
/// # Errors
/// The vault's.
pub fn mark_end(vault: &dyn Vault, set: &SetId, by: &SetId, why: &str, made: Moment) -> anchorlog_vault::Result<()> {
    let mark = Ends { made, by: by.as_str().to_owned(), why: why.to_owned() };
    let (Some(name), Ok(bytes)) = (Name::new(ENDS), serde_json::to_vec_pretty(&mark)) else { return Ok(()) };
    vault.attach(set, &name, &bytes)
}

/// Names the set in such a mark by its copy in another vault; false where that set has none. Other attachments name no set.
pub(crate) fn map_end(attachment: &mut Attachment, copies: &BTreeMap<SetId, SetId>) -> bool {
    let mark = (attachment.name.as_str() == ENDS).then(|| serde_json::from_slice::<Ends>(&attachment.bytes));
    let Some(Ok(mark)) = mark else { return true };
    let copy = SetId::parse(&mark.by).and_then(|by| copies.get(&by));
    let mapped = copy.and_then(|copy| serde_json::to_vec_pretty(&Ends { by: copy.as_str().to_owned(), ..mark }).ok());
    mapped.map(|bytes| attachment.bytes = bytes).is_some()
}

/// Why roll-forward ends behind a set, by its attachments.
pub(super) fn ends_among(attachments: &[Attachment]) -> Option<String> {
    let mark = attachments.iter().find(|attachment| attachment.name.as_str() == ENDS)?;
    serde_json::from_slice::<Ends>(&mark.bytes).ok().map(|mark| mark.why)
}
