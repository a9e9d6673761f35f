//! The manifest of a set: what it is, what lies in it, what was read of each file, and what it promises (`ops-2 §12`).
//!
//! JSON with a version. Fields that a later program of the same version adds are kept when a manifest is read and written again; a manifest
//! of a higher version is refused, because what it means is not known.

use super::facts::{DatabaseFacts, LogFacts};
use super::moment::Moment;
use super::wire;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{LogPosition, Signature};
use anchorlog_vault::{Name, SetId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a manifest says that it is.
pub const FORMAT: &str = "anchorlog set";
/// The version that is written, and the highest that is read.
pub const VERSION: u32 = 1;

/// The program, as manifests and proofs name it.
#[must_use]
pub fn program() -> String {
    format!("anchorlog {}", env!("CARGO_PKG_VERSION"))
}

/// The kind of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Clean databases, copied while nothing had them open.
    Offline,
    /// Files of one moment, dirty as they were.
    Snapshot,
    /// Closed logs alone.
    Logs,
    /// A full backup by the online protocol.
    OnlineFull,
    /// The same without stamps and without purge.
    OnlineCopy,
    /// Logs since the last full or incremental one.
    OnlineIncremental,
    /// Logs since the last full one.
    OnlineDifferential,
}

impl Kind {
    /// Whether sets of this kind hold databases.
    #[must_use]
    pub const fn has_databases(self) -> bool {
        matches!(self, Self::Offline | Self::Snapshot | Self::OnlineFull | Self::OnlineCopy)
    }
    /// Whether they were made by the online protocol: their databases need hard recovery.
    #[must_use]
    pub const fn is_online(self) -> bool {
        matches!(self, Self::OnlineFull | Self::OnlineCopy | Self::OnlineIncremental | Self::OnlineDifferential)
    }
    /// The word of the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Snapshot => "snapshot",
            Self::Logs => "logs",
            Self::OnlineFull => "online-full",
            Self::OnlineCopy => "online-copy",
            Self::OnlineIncremental => "online-incremental",
            Self::OnlineDifferential => "online-differential",
        }
    }
}

/// How far something was proved (`ops-2 §13`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Nothing was proved.
    #[default]
    #[serde(rename = "unproven")]
    Unproven,
    /// Every stream reads back as it was stored (I1).
    L0,
    /// Headers and chain hold (I2 to I19).
    L1,
    /// Every page and every log holds (I17, I20 to I22).
    L2,
    /// The logs were replayed without a result that was kept (I23 to I26).
    L3,
    /// Restored in an empty place, replayed, and verified as a whole (I27 to I30, I38).
    L4,
}

/// What a file of a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A database.
    Database,
    /// The streaming file of a database of Exchange 2000 or 2003.
    StreamingFile,
    /// A flush map.
    FlushMap,
    /// A log.
    Log,
    /// A checkpoint: evidence, never restored.
    Checkpoint,
}

/// Who a file belongs to, and when it was changed, as far as the platform tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uid: Option<u32>,
    /// Group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gid: Option<u32>,
    /// Permissions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mode: Option<u32>,
    /// Access control list of POSIX, as the kernel has it in `system.posix_acl_access`, in hexadecimal digits; none where mode says it all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acl: Option<String>,
    /// Attributes of Windows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attributes: Option<u32>,
    /// Last change, seconds since 1970 UTC with a fraction.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub modified: Option<String>,
    /// Creation, in the same way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<String>,
}

impl Owner {
    /// The extended attribute in which Linux keeps access control lists.
    #[cfg(unix)]
    pub(crate) const ACL: &str = "system.posix_acl_access";
}

/// What was seen of the pages of a database while they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCounts {
    /// Pages read, the copies of the header not counted.
    pub read: u64,
    /// The last page that the database owns; none where its space tree does not tell. What lies behind is no part of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_owned: Option<u32>,
    /// Pages whose bytes are all zero.
    pub uninitialised: u64,
    /// Pages with single flipped bits that the checksum locates.
    pub correctable: u64,
    /// Bad pages that are damage.
    pub bad: u64,
    /// Bad pages behind the end of the database.
    pub bad_behind: u64,
    /// The highest page time.
    pub highest_dbtime: u64,
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePart {
    /// The stream that holds its bytes.
    pub name: Name,
    /// What it is.
    pub role: Role,
    /// Where it lay.
    pub source: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of them.
    #[serde(with = "wire::digest")]
    pub blake3: [u8; 32],
    /// Who it belonged to.
    #[serde(default)]
    pub owner: Owner,
    /// Of a database: its header.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub database: Option<DatabaseFacts>,
    /// Of a database: what was seen of its pages.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pages: Option<PageCounts>,
    /// Of a log: its header and end; none where its header cannot be used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<LogFacts>,
    /// Why it cannot be restored as it is: damaged pages, or a log that cannot be read to its end.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub damage: Vec<Note>,
    /// Fields of later programs.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A database that the logs name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Its path, as the log has it.
    pub path: String,
    /// Its signature.
    #[serde(with = "wire::signature")]
    pub signature: Signature,
    /// Its stream in this set; none: the database is absent.
    pub in_set: Option<Name>,
}

/// Whether logs can be replayed onto a database of the set, and how far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The database.
    pub database: Name,
    /// The generation at which replay begins.
    pub anchor: u32,
    /// Whether roll-forward is promised.
    pub rolls_forward: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub why_not: Vec<String>,
}

/// A log stream in a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPart {
    /// Its signature.
    #[serde(with = "wire::signature")]
    pub signature: Signature,
    /// Base name of its files.
    pub base: String,
    /// Extension of its logs.
    pub extension: String,
    /// Whether its names always have eight digits.
    pub wide: bool,
    /// Lowest generation in the set; none: no log of it is in the set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<u32>,
    /// Highest closed generation in the set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_closed: Option<u32>,
    /// Highest closed generation of the folder when the set was made: where the next set of logs begins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<u32>,
    /// The set before, of which this one continues the logs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub continues: Option<SetId>,
    /// Where the checkpoint stood.
    #[serde(with = "optional_position", skip_serializing_if = "Option::is_none", default)]
    pub checkpoint: Option<LogPosition>,
    /// Circular logging was on in the newest log.
    pub circular: bool,
    /// Generations behind which the chain is broken.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub breaks: Vec<u32>,
    /// Databases that its newest log names.
    #[serde(default)]
    pub attached: Vec<Attached>,
    /// What is promised of each database.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub promises: Vec<Promise>,
}

mod optional_position {
    use super::{LogPosition, wire};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "wire::position")] LogPosition);

    pub fn serialize<S: Serializer>(value: &Option<LogPosition>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Written).serialize(serializer)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LogPosition>, D::Error> {
        Option::<Written>::deserialize(deserializer).map(|written| written.map(|written| written.0))
    }
}

/// Where the set was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The program that made it.
    pub program: String,
    /// Operating system of the machine that made it.
    pub system: String,
    /// Sector sizes of the logs.
    #[serde(default)]
    pub sector_sizes: Vec<u16>,
    /// Format versions of the logs.
    #[serde(default)]
    pub log_versions: Vec<String>,
    /// What the user vouched for: that nothing had the files open, for example.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub vouched: BTreeMap<String, String>,
}

/// Something worth knowing of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `note`, `warning` or `error`.
    pub severity: String,
    /// Where.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub place: String,
    /// Microsoft's code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jet: Option<i32>,
    /// What.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub hint: String,
}

impl From<&Finding> for Note {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity.to_string(),
            place: finding.place.to_string(),
            jet: finding.jet.map(|JetCode(code)| code),
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        }
    }
}

impl Note {
    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error.to_string()
    }
}

/// What was read of a predicate, and whether it held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its number in `ops-1`.
    pub id: String,
    /// Of which file.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub of: String,
    /// Whether it held.
    pub holds: bool,
    /// What was read.
    pub read: String,
}

/// The manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// What the set is.
    pub kind: Kind,
    /// When it was begun.
    pub begun: Moment,
    /// When its last file was read.
    pub ended: Moment,
    /// On which machine.
    pub host: String,
    /// Where it was made.
    pub environment: Environment,
    /// Databases of its streams are missing, by the user's word.
    pub partial: bool,
    /// How far it was proved before it was published; proofs made later are attached to the set.
    pub level: Level,
    /// Its log streams.
    pub streams: Vec<StreamPart>,
    /// Its files.
    pub files: Vec<FilePart>,
    /// Bytes that the vault grew by for its files, compressed; none where that was not noted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stored: Option<u64>,
    /// What was demanded, and read.
    pub evidence: Vec<Evidence>,
    /// What is worth knowing.
    pub notes: Vec<Note>,
    /// Fields of later programs.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is none.
    #[error("the set has no manifest of ours: {0}")]
    Foreign(String),
    /// A later version.
    #[error("the manifest has version {0}, and this program knows {VERSION}: use a newer program")]
    Newer(u64),
    /// Its JSON breaks the rules of its version.
    #[error("the manifest cannot be read: {0}")]
    Broken(#[from] serde_json::Error),
}

/// Bytes that no manifest exceeds: a set of a million logs has less.
const SIZE_MAX: usize = 2 << 30;

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u64,
        }
        if bytes.len() > SIZE_MAX {
            return Err(ManifestError::Foreign(format!("it has {} bytes", bytes.len())));
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| ManifestError::Foreign(error.to_string()))?;
        if head.format != FORMAT {
            return Err(ManifestError::Foreign(format!("it says that it is \"{}\"", head.format)));
        }
        if head.version > u64::from(VERSION) {
            return Err(ManifestError::Newer(head.version));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
    /// As it is published.
    ///
    /// # Errors
    /// None that a manifest of this program can have; those of the writer of JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        Ok(serde_json::to_vec_pretty(self)?)
    }
    /// The files of a role.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &FilePart> {
        self.files.iter().filter(move |file| file.role == role)
    }
    /// The databases with their headers.
    pub fn databases(&self) -> impl Iterator<Item = (&FilePart, &DatabaseFacts)> {
        self.of_role(Role::Database).filter_map(|file| file.database.as_ref().map(|facts| (file, facts)))
    }
    /// The logs with their headers.
    pub fn logs(&self) -> impl Iterator<Item = (&FilePart, &LogFacts)> {
        self.of_role(Role::Log).filter_map(|file| file.log.as_ref().map(|facts| (file, facts)))
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
