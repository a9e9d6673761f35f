//! Proofs: documents that are attached to a set after it was published, and say what was found when it was tried.

use super::history::KnownSet;
use super::manifest::{Level, Manifest};
use super::moment::Moment;
use super::signature::{self, MEMBER, ProofKey, ProofKeys, Signed};
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
    /// The set; none in proofs of earlier programs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub set: Option<SetId>,
    /// The set of another vault on which it was made, where this one is a copy of it that was read back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made_on: Option<SetId>,
    /// SHA-256 of its manifest; none in proofs of earlier programs.
    #[serde(with = "optional_digest", skip_serializing_if = "Option::is_none", default)]
    pub manifest: Option<[u8; 32]>,
    /// What it took and came to; none where nothing was restored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub figures: Option<Figures>,
    /// Every stream that was read back, with the hash of what came.
    pub streams: Vec<ReadBack>,
    /// What replay came to; none where nothing was replayed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<ReplayProof>,
    /// What clean databases held when they were backed up, hashed from the source itself.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub source: Vec<Contents>,
}

mod optional_digest {
    use super::wire;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "wire::digest")] [u8; 32]);

    pub fn serialize<S: Serializer>(value: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Written).serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
        Option::<Written>::deserialize(deserializer).map(|written| written.map(|written| written.0))
    }
}

/// What a drill took and came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Bytes read back from the vault.
    pub bytes: u64,
    /// Pages verified, over all databases.
    pub pages: u64,
    /// Log records replayed.
    pub records: u64,
    /// Rows hashed, over all tables.
    pub rows: u64,
    /// Whole seconds that it took.
    pub seconds: u64,
}

/// A proof as a listing tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ToldProof {
    /// How far it goes.
    pub level: Level,
    /// When it was made.
    pub made: Moment,
    /// What its signature is worth.
    pub signed: Signed,
    /// Behind the last record replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// What it took and came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

impl ToldProof {
    /// Whether it counts: a proof with a bad signature never does.
    #[must_use]
    pub fn counts(&self) -> bool {
        !matches!(self.signed, Signed::Bad(_))
    }
}

/// A stream that was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBack {
    /// Its name.
    pub name: Name,
    /// BLAKE3 of what came.
    #[serde(with = "wire::digest")]
    pub blake3: [u8; 32],
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
    #[error("{name} reads back with {size} bytes and the BLAKE3 {found}, but {wanted_size} bytes with {wanted} were stored")]
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
    for file in &manifest.files {
        let mut size = 0;
        let found = vault.open_stream(set, &file.name)?.read_all(&|_, _| true, &mut |bytes| {
            size += bytes.len() as u64;
            each(bytes.len() as u64)
        })?;
        let found = found.ok_or(ReadBackError::Interrupted)?;
        if found != file.blake3 || size != file.size {
            return Err(ReadBackError::Differs {
                name: file.name.clone(),
                size,
                wanted_size: file.size,
                found: hex::encode(found),
                wanted: hex::encode(file.blake3),
            });
        }
        streams.push(ReadBack { name: file.name.clone(), blake3: found });
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
    Proof::new(level, made, streams, None).attach(vault, set, None)?;
    Ok(level)
}

impl Proof {
    /// A proof of what was read back, and of a replay where one was made.
    #[must_use]
    pub fn new(level: Level, made: Moment, streams: Vec<ReadBack>, replay: Option<ReplayProof>) -> Self {
        let program = super::manifest::program();
        let (format, version, source) = (FORMAT.into(), VERSION, Vec::new());
        Self {
            format,
            version,
            level,
            made,
            program,
            set: None,
            made_on: None,
            manifest: None,
            figures: None,
            streams,
            replay,
            source,
        }
    }
    /// Attaches it to its set, signed with the key that is given, or else with the one that lies in the vault; returns what its signature is
    /// worth.
    ///
    /// # Errors
    /// As [`ProofKeys::signer`].
    pub fn attach(&self, vault: &dyn Vault, set: &SetId, key: Option<&ProofKey>) -> anchorlog_vault::Result<Signed> {
        let other = |error: serde_json::Error| {
            anchorlog_vault::Error::Storage(anchorlog_vault::Place::set(set), std::io::Error::other(error))
        };
        let key = ProofKeys::signer(vault, key, self.made)?;
        let manifest = Sha256::digest(vault.manifest(set)?).into();
        let proof = Self { set: Some(set.clone()), manifest: Some(manifest), ..self.clone() };
        let serde_json::Value::Object(mut members) = serde_json::to_value(&proof).map_err(other)? else {
            return Ok(Signed::Unsigned);
        };
        let signed = match key {
            Some(key) => {
                let seal = key.sign(&serde_json::to_vec(&members).map_err(other)?);
                members.insert(MEMBER.to_owned(), serde_json::to_value(&seal).map_err(other)?);
                Signed::Good(seal.key)
            }
            None => Signed::Unsigned,
        };
        let bytes = serde_json::to_vec_pretty(&members).map_err(other)?;
        let Some(name) = Name::new(NAME) else { return Ok(Signed::Unsigned) };
        vault.attach(set, &name, &bytes).map(|()| signed)
    }
    /// The proofs among the attachments of a set, oldest first, each with what its signature is worth. What does not speak of every file of
    /// the manifest proves nothing, and is left out, unless it is signed: then it was moved or changed, and is told as bad.
    #[must_use]
    pub fn among(
        attachments: &[Attachment],
        set: &SetId,
        manifest: &Manifest,
        digest: &[u8; 32],
        keys: &ProofKeys,
    ) -> Vec<(Self, Signed)> {
        let proofs = attachments.iter().filter(|attachment| attachment.name.as_str() == NAME);
        let read = proofs.filter_map(|attachment| {
            let proof = serde_json::from_slice::<Self>(&attachment.bytes).ok()?;
            let of_another = match (&proof.set, &proof.manifest) {
                (Some(of), _) if of != set => Some(format!("it was made for set {of}")),
                (_, Some(of)) if of != digest => Some("it was made for another manifest".to_owned()),
                _ if !proof.speaks_of(manifest) => Some("it does not speak of the files of this set".to_owned()),
                _ => None,
            };
            let signed = match (signature::judge(&attachment.bytes, keys), of_another) {
                (Signed::Good(_) | Signed::Foreign(_), Some(why)) => Signed::Bad(why),
                (Signed::Unsigned, Some(_)) => return None,
                (signed, _) => signed,
            };
            Some((proof, signed))
        });
        read.collect()
    }
    /// The proofs of a set that count, as its copy in another vault is to have them, where it has not: `there` are the attachments of that.
    /// They are signed anew when they are attached: what was signed names the set.
    pub(crate) fn lacking(from: &[Attachment], set: &KnownSet, keys: &ProofKeys, there: &[Attachment]) -> Vec<Self> {
        let proofs = Self::among(from, &set.id, &set.manifest, &set.digest, keys);
        let counting = proofs.into_iter().filter(|(_, signed)| !matches!(signed, Signed::Bad(_)));
        let as_copied = |proof: Self| Self { set: None, manifest: None, ..proof };
        let there = there.iter().filter(|attachment| attachment.name.as_str() == NAME);
        let there: Vec<Self> =
            there.filter_map(|attachment| serde_json::from_slice(&attachment.bytes).ok()).map(as_copied).collect();
        let copied = counting.map(|(proof, _)| {
            let made_on = proof.made_on.clone().or_else(|| Some(set.id.clone()));
            as_copied(Self { made_on, ..proof })
        });
        copied.filter(|proof| !there.contains(proof)).collect()
    }
    /// Whether an attachment is one.
    pub(crate) fn is(attachment: &Attachment) -> bool {
        attachment.name.as_str() == NAME
    }
    /// As a listing tells it.
    pub(super) fn told(self, signed: Signed) -> ToldProof {
        let end = self.replay.and_then(|replay| replay.end);
        ToldProof { level: self.level, made: self.made, signed, end, figures: self.figures }
    }
    fn speaks_of(&self, manifest: &Manifest) -> bool {
        let of_file =
            |file: &super::FilePart| self.streams.iter().any(|stream| stream.name == file.name && stream.blake3 == file.blake3);
        self.format == FORMAT && self.version <= VERSION && self.streams.len() == manifest.files.len() && {
            // Both are in the order of the set in whatever this program wrote: no search among all for each.
            let in_order = manifest.files.iter().zip(&self.streams);
            in_order.clone().all(|(file, stream)| stream.name == file.name && stream.blake3 == file.blake3)
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
