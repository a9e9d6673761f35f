//! A vault in restic's repository format, version 2 (restic's documentation, "Design").
//!
//! A set is a snapshot. Its root has `manifest.json`; below `streams` each stream as a file; below `segments` each stream that is longer than
//! 256 MiB as a folder of numbered folders with one file `bytes` each: what has not changed between two sets then shares its tree, which
//! lists the chunks. Beside the bytes of a stream longer than 1 MiB lie its fingerprints, 32 bytes for each chunk (below `fingerprints`, or
//! in the folder of a segment): the next set of the same stream need not compress what has not changed. Streams are cut at a fixed size that
//! is a whole number of pages. Attachments are snapshots of their own.
//!
//! Stock restic lists, checks, restores and prunes such a repository. Locks keep it and this program apart.

pub mod backend;
mod check;
pub mod config;
pub mod crypto;
mod digest;
pub mod folder;
mod host;
mod id;
mod index;
pub mod keys;
mod known;
mod lock;
mod pack;
mod reader;
mod repository;
mod snapshot;
mod store;
mod stream;
mod tree;
mod vault;
mod writer;

pub use check::{CheckReport, Depth};
pub use id::Id;
pub use keys::{KeyInfo, Secret};
pub use lock::LockInfo;
pub use repository::{CreateOptions, KEY_FILE_COST};
pub use vault::{Exclusive, ResticVault};

use crate::error::{Damage, Error, Place};
use backend::Object;
use std::io;

/// Bounds of what is read into memory at once, in bytes.
mod limits {
    /// A key.
    pub(crate) const KEY: u64 = 1 << 20;
    /// `config`.
    pub(crate) const CONFIG: u64 = 1 << 20;
    /// Any other object but a pack, and a tree.
    pub(crate) const OBJECT: u64 = 1 << 30;
    /// A blob of data: restic's largest has 8 MiB.
    pub(crate) const DATA_BLOB: u64 = 16 << 20;
    /// A manifest or an attachment.
    pub(crate) const DOCUMENT: u64 = 1 << 30;
    /// What scrypt may use.
    pub(crate) const SCRYPT_MEMORY: u64 = 1 << 30;
    /// scrypt's p: the time that it may take.
    pub(crate) const SCRYPT_LANES: u32 = 64;
}

impl Object {
    /// This object is not as it was written.
    fn damage(self, reason: impl Into<String>) -> Error {
        Damage { place: Place::object(self.to_string()), reason: reason.into() }.into()
    }
}

/// An error of the storage on an object that must be there: whether it is damage.
fn told(object: Object, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => object.damage("is not there"),
        io::ErrorKind::UnexpectedEof => object.damage("is shorter than it must be"),
        io::ErrorKind::FileTooLarge => object.damage(format!("is longer than it may be: {error}")),
        _ => Error::Storage(Place::object(object.to_string()), error),
    }
}
