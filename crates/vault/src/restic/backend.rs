//! What a repository is stored on: objects that are written once, read, listed and removed.

use crate::restic::{Id, ObjectLock};
use jiff::Timestamp;
use std::fmt;
use std::io;
use std::time::Duration;

/// What an object is. Each kind has a folder of its own, but for the one `config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `config`: what holds for the whole repository.
    Config,
    /// `keys`: the master key, sealed with a password each.
    Key,
    /// `locks`: who is at work.
    Lock,
    /// `snapshots`: one for each set and each attachment.
    Snapshot,
    /// `index`: which blobs are in which pack.
    Index,
    /// `data`: packs of blobs.
    Pack,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Config, Self::Key, Self::Lock, Self::Snapshot, Self::Index, Self::Pack];

    /// Its folder; for [`Kind::Config`] the name of the object.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Key => "keys",
            Self::Lock => "locks",
            Self::Snapshot => "snapshots",
            Self::Index => "index",
            Self::Pack => "data",
        }
    }
}

/// An object of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its name, which says nothing for [`Kind::Config`].
    pub id: Id,
}

impl Object {
    /// The one `config`.
    pub const CONFIG: Self = Self { kind: Kind::Config, id: Id::from_bytes([0; 32]) };

    /// An object of this kind.
    #[must_use]
    pub const fn new(kind: Kind, id: Id) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for Object {
    /// Its path below the repository, with `/`: packs are spread over 256 folders.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.kind.folder();
        match self.kind {
            Kind::Config => f.write_str(folder),
            Kind::Pack => write!(f, "{folder}/{:02x}/{}", self.id.bytes()[0], self.id),
            _ => write!(f, "{folder}/{}", self.id),
        }
    }
}

/// Storage of a repository.
pub trait Backend: Send + Sync {
    /// Where it is, for people.
    fn location(&self) -> String;
    /// All objects of a kind with their sizes in bytes, in no order. Files that are no objects are passed over.
    ///
    /// # Errors
    /// Any error of the storage: a listing is whole or fails.
    fn list(&self, kind: Kind) -> io::Result<Vec<(Id, u64)>>;
    /// A whole object of at most `limit` bytes.
    ///
    /// # Errors
    /// `NotFound`; `FileTooLarge` beyond the limit; any error of the storage.
    fn read(&self, object: Object, limit: u64) -> io::Result<Vec<u8>>;
    /// The same into a buffer of before, whatever it held.
    ///
    /// # Errors
    /// As [`Backend::read`].
    fn read_into(&self, object: Object, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        *bytes = self.read(object, limit)?;
        Ok(())
    }
    /// `length` bytes from `offset` on.
    ///
    /// # Errors
    /// `NotFound`; `UnexpectedEof` where the object is shorter; any error of the storage.
    fn read_range(&self, object: Object, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Writes a new object: it is there whole, or not at all. Its bytes are durable on return, its name after [`Backend::sync`].
    ///
    /// # Errors
    /// `AlreadyExists`; any error of the storage.
    fn create(&self, object: Object, bytes: &[u8]) -> io::Result<()>;
    /// Removes an object.
    ///
    /// # Errors
    /// `NotFound`; any error of the storage.
    fn remove(&self, object: Object) -> io::Result<()>;
    /// Makes the names of all objects created so far durable, and the removals.
    ///
    /// # Errors
    /// Any error of the storage.
    fn sync(&self) -> io::Result<()>;
    /// Removes what stopped programs left half written. Only for who is alone in the repository.
    ///
    /// # Errors
    /// Any error of the storage.
    fn remove_drafts(&self) -> io::Result<()> {
        Ok(())
    }
    /// Bytes that are free; `None` where nobody can tell.
    fn free_bytes(&self) -> Option<u64> {
        None
    }
    /// How long it may take until others see a new object in their listing.
    fn settles_in(&self) -> Duration {
        Duration::ZERO
    }
    /// From now on keeps every new object, locks excepted, for so long.
    ///
    /// # Errors
    /// `Unsupported` where the storage cannot.
    fn lock_objects(&self, _: ObjectLock) -> io::Result<()> {
        Err(without_object_lock())
    }
    /// Until when the storage lets nobody remove an object; `None` where it does at any time.
    ///
    /// # Errors
    /// `NotFound`; any error of the storage.
    fn kept_until(&self, _: Object) -> io::Result<Option<Timestamp>> {
        Ok(None)
    }
    /// Lets nobody remove an object until then.
    ///
    /// # Errors
    /// `Unsupported` where the storage cannot, or was not told to lock objects; any error of the storage.
    fn keep(&self, _: Object, _until: Timestamp) -> io::Result<()> {
        Err(without_object_lock())
    }
}

fn without_object_lock() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this storage has no object lock")
}
