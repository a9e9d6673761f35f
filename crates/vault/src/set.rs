//! What is known of a set without its manifest.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Identity of a set: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SetId(String);

impl SetId {
    /// An identity as it is written; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self(text.to_owned()))
    }
    /// All digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SetId {
    /// The first eight digits: enough for people, and what restic shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..8).unwrap_or(&self.0))
    }
}

/// Name of a stream or an attachment: a relative path with `/`, without `.`, `..` or empty parts; at most 1000 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// Bytes at most.
    pub const SIZE_MAX: usize = 1000;

    /// A name; `None` where the text is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']);
        (text.len() <= Self::SIZE_MAX && text.split('/').all(part)).then(|| Self(text.to_owned()))
    }
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or_else(|| format!("{text:?} is no name of a stream"))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a set is begun with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSet {
    /// When, in milliseconds since 1970 UTC.
    pub time: i64,
    /// On which machine.
    pub host: String,
    /// Words that stock restic shows as tags; none contains a comma.
    pub tags: Vec<String>,
    /// Where the files came from, for people: stock restic shows it as the path.
    pub source: String,
    /// Free text.
    pub label: String,
    /// Sets that this one is of no use without: they are not forgotten before it.
    pub needs: Vec<SetId>,
    /// The set of which this one is a copy, out of another vault: the first, where that was a copy too.
    pub copy_of: Option<SetId>,
}

impl NewSet {
    /// What the vault's own tags begin with.
    pub(crate) const RESERVED: &str = "anchorlog:";

    /// Why no set can be begun with this.
    pub(crate) fn fault(&self) -> Option<String> {
        let fault = |tag: &&String| tag.is_empty() || tag.contains(',') || tag.starts_with(Self::RESERVED);
        self.tags.iter().find(fault).map(|tag| format!("{tag:?} is no tag of a set"))
    }
}

/// The names of a set's streams so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: BTreeSet<Name>,
    /// What is a folder, because a name lies below it.
    folders: BTreeSet<String>,
}

impl Names {
    /// Takes a name; false where it is taken, is a folder, or lies below a stream.
    pub(crate) fn take(&mut self, name: &Name) -> bool {
        let text = name.as_str();
        let folders: Vec<&str> = text.match_indices('/').filter_map(|(end, _)| text.get(..end)).collect();
        let is_stream = |folder: &&str| Name::new(folder).is_some_and(|folder| self.taken.contains(&folder));
        if self.folders.contains(text) || folders.iter().any(is_stream) || !self.taken.insert(name.clone()) {
            return false;
        }
        self.folders.extend(folders.into_iter().map(str::to_owned));
        true
    }
}

/// The first of `forgotten` that a set needs which stays, and that set. `sets`: each with those it needs.
pub(crate) fn still_needed<'a>(
    sets: impl IntoIterator<Item = (&'a SetId, &'a [SetId])>,
    forgotten: &[SetId],
) -> Option<(SetId, SetId)> {
    let staying = sets.into_iter().filter(|(id, _)| !forgotten.contains(id));
    let mut needed = staying.flat_map(|(id, needs)| needs.iter().map(move |needed| (needed, id)));
    needed.find(|(needed, _)| forgotten.contains(needed)).map(|(needed, by)| (needed.clone(), by.clone()))
}

/// A set in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSummary {
    /// Identity.
    pub id: SetId,
    /// What it was begun with.
    pub made: NewSet,
}

impl SetSummary {
    /// What all copies of this set, in whatever vaults, have in common: the identity of the first.
    #[must_use]
    pub fn original(&self) -> &SetId {
        self.made.copy_of.as_ref().unwrap_or(&self.id)
    }
}

/// What was stored of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Bytes read from the source, and stored.
    pub bytes: u64,
    /// BLAKE3 of them.
    pub blake3: [u8; 32],
    /// Bytes that the vault grew by, compressed; the rest was there already.
    pub stored: u64,
}

/// A piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPiece {
    /// Its first byte in the stream.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

/// A document added to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Name.
    pub name: Name,
    /// When, in milliseconds since 1970 UTC.
    pub time: i64,
    /// Content.
    pub bytes: Vec<u8>,
}
