//! The backup repository: sets of byte streams with a manifest each, behind one trait.
//!
//! A vault knows nothing of ESE: what a stream is, and what a manifest says, is the business of `anchorlog-operations`. What is promised
//! here: a set is there whole or not at all; its bytes come back as they were, or with an error; nothing that a later set needs is lost;
//! several programs may use one vault at once.
#![forbid(unsafe_code)]

pub mod error;
pub mod hold;
pub mod memory;
pub mod restic;
pub mod set;

pub use error::{Damage, Error, Place, Result};
pub use hold::Hold;
pub use set::{Attachment, KnownPiece, Name, NewSet, Receipt, SetId, SetSummary};

use std::io::Read;

/// A repository of backup sets.
pub trait Vault: Send + Sync {
    /// All sets, oldest first. A set whose description cannot be read is told as damage, and hides no other.
    ///
    /// # Errors
    /// The storage's; a listing that fails is no empty vault.
    fn sets(&self) -> Result<Vec<std::result::Result<SetSummary, Damage>>>;
    /// Begins a set. Dropped without [`SetWriter::publish`] it leaves nothing that counts.
    ///
    /// # Errors
    /// A tag that is none; a set that this one needs and that is not there; another client's exclusive lock; the storage's.
    fn begin_set(&self, new: NewSet) -> Result<Box<dyn SetWriter + '_>>;
    /// The manifest with which a set was published.
    ///
    /// # Errors
    /// No such set; damage; the storage's.
    fn manifest(&self, set: &SetId) -> Result<Vec<u8>>;
    /// A stream of a set, for reading at any offset.
    ///
    /// # Errors
    /// No such set or stream; damage; the storage's.
    fn open_stream(&self, set: &SetId, name: &Name) -> Result<Box<dyn StreamReader>>;
    /// Adds a small document to a published set: a proof, a label. An attachment of the same name stands beside the older ones.
    ///
    /// # Errors
    /// No such set; another client's exclusive lock; the storage's.
    fn attach(&self, set: &SetId, name: &Name, bytes: &[u8]) -> Result<()>;
    /// The attachments of a set, oldest first.
    ///
    /// # Errors
    /// No such set; damage; the storage's.
    fn attachments(&self, set: &SetId) -> Result<Vec<Attachment>>;
    /// Adds a small document of the vault itself, which belongs to no set: it stands beside older ones of its name, and no set that is
    /// forgotten takes it along.
    ///
    /// # Errors
    /// A vault that keeps none; another client's exclusive lock; the storage's.
    fn keep(&self, name: &Name, bytes: &[u8]) -> Result<()> {
        let _ = bytes;
        Err(Error::Unsupported(format!("this vault keeps no documents of its own: {name}")))
    }
    /// The documents of the vault itself, oldest first.
    ///
    /// # Errors
    /// Damage; the storage's.
    fn documents(&self) -> Result<Vec<Attachment>> {
        Ok(Vec::new())
    }
    /// Forgets sets, with their attachments; the bytes that no set needs go with the next prune.
    ///
    /// # Errors
    /// A set that is held ([`hold`]), needed by one that stays, or unknown: then none is forgotten; another client's lock; the storage's.
    fn forget(&self, sets: &[SetId]) -> Result<()>;
    /// Bytes that are free where the vault lies; `None` where nobody can tell.
    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

/// A set being written.
pub trait SetWriter {
    /// Tells of a set of which streams of the same names are much the same, the likeliest first: what has not changed there is stored
    /// without much work. A set that is not there, or cannot be read, changes nothing.
    fn resembles(&mut self, set: &SetId) {
        let _ = set;
    }
    /// Stores a stream to its end. An error of the source is the set's: it cannot be published any more.
    ///
    /// # Errors
    /// A name that is taken, or that makes a folder of a stream; the source's error as it was, or the storage's.
    fn stream(&mut self, name: &Name, source: &mut dyn Read) -> Result<Receipt>;
    /// The one commit point: the set counts from here on. `manifest`: what it is, as its reader will want it.
    ///
    /// # Errors
    /// A stream that failed; what was written does not read back; the storage's.
    fn publish(self: Box<Self>, manifest: &[u8]) -> Result<SetId>;
}

/// What is done with a piece of a stream, given with its offset, beside going through all of them in order: such as writing it.
pub type Beside<'a> = dyn Fn(u64, &[u8]) -> bool + Sync + 'a;

/// A stream being read.
pub trait StreamReader: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> u64;
    /// Fills `buffer` from `offset` on; returns the bytes read, fewer than asked for only at the end of the stream.
    ///
    /// # Errors
    /// Damage, with the stream and the offset; the storage's.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// The piece of the stream in which `offset` lies and whose hash is known without its bytes being read; `None` at the end, and where
    /// nothing is known. Who has bytes with that hash needs not read them here.
    ///
    /// # Errors
    /// Damage of what describes the stream; the storage's.
    fn known(&self, offset: u64) -> Result<Option<KnownPiece>> {
        let _ = offset;
        Ok(None)
    }
    /// All bytes, in pieces of up to 4 MiB: `beside` is given each with its offset, in any order and by several threads at once; then `each` is
    /// given it, in order. Both end it with `false`. Returns the BLAKE3 of all bytes, and `None` where it was ended.
    ///
    /// # Errors
    /// As [`StreamReader::read_at`].
    fn read_all(&self, beside: &Beside<'_>, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<Option<[u8; 32]>> {
        let (mut buffer, mut offset, mut digest) = (vec![0; 1 << 20], 0, blake3::Hasher::new());
        loop {
            let read = self.read_at(offset, &mut buffer)?;
            let bytes = buffer.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(Some(digest.finalize().into()));
            }
            if !beside(offset, bytes) || !each(bytes) {
                return Ok(None);
            }
            digest.update(bytes);
            offset += read as u64;
        }
    }
}
