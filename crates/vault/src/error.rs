//! What goes wrong in a vault, and where.

use crate::set::{Name, SetId};
use std::fmt;
use std::io;

/// Result of an operation on a vault.
pub type Result<T> = std::result::Result<T, Error>;

/// Where something is wrong, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The object of the repository, by its path.
    pub object: Option<String>,
    /// The set.
    pub set: Option<SetId>,
    /// The stream of the set.
    pub stream: Option<Name>,
    /// Byte of the stream.
    pub offset: Option<u64>,
}

impl Place {
    /// An object of the repository.
    #[must_use]
    pub fn object(path: impl Into<String>) -> Self {
        Self { object: Some(path.into()), ..Self::default() }
    }
    /// A set.
    #[must_use]
    pub fn set(set: &SetId) -> Self {
        Self { set: Some(set.clone()), ..Self::default() }
    }
    /// A stream of a set.
    #[must_use]
    pub fn stream(set: &SetId, stream: &Name) -> Self {
        Self { stream: Some(stream.clone()), ..Self::set(set) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.set.as_ref().map(|set| format!("set {set}")),
            self.stream.as_ref().map(|stream| format!("stream {stream}")),
            self.offset.map(|offset| format!("byte {offset}")),
            self.object.as_ref().map(|object| format!("object {object}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "the vault" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct Damage {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub reason: String,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no vault here.
    #[error("{0} is no vault")]
    NoVault(String),
    /// There is something already.
    #[error("{0} is not empty")]
    NotEmpty(String),
    /// Neither password nor key file opens it.
    #[error("the password or key does not open this vault")]
    WrongKey,
    /// No such set.
    #[error("there is no set {0}")]
    NoSet(SetId),
    /// No such stream.
    #[error("set {0} has no stream {1}")]
    NoStream(SetId, Name),
    /// A set or stream of this name was begun before.
    #[error("the stream {0} was stored before")]
    NameTaken(Name),
    /// A set that must not be forgotten: another needs it, or it was made to stay.
    #[error("set {0} is held: {1}")]
    Held(SetId, String),
    /// Another client has a lock, or took this one's.
    #[error("the vault is locked by {0}")]
    Locked(String),
    /// The vault is such that this cannot be done with it.
    #[error("{0}")]
    Unsupported(String),
    /// Bytes are not as they were written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The source of a stream failed: nothing is published.
    #[error("reading {0}: {1}")]
    Source(Name, #[source] io::Error),
    /// The storage of the vault failed.
    #[error("{0}: {1}")]
    Storage(Place, #[source] io::Error),
}
