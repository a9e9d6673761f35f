//! The objects of a repository, sealed and compressed as restic does it. Knows nothing of sets.

use crate::error::{Damage, Error, Place, Result};
use crate::restic::backend::{Backend, Kind, Object};
use crate::restic::config::{Config, valid_chunk_size};
use crate::restic::crypto::Key;
use crate::restic::index::{Index, Location};
use crate::restic::keys::{self, Secret};
use crate::restic::pack::BlobKind;
use crate::restic::tree::TreeCache;
use crate::restic::{Id, ObjectLock, limits, told};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::io::{self, Read as _};
use std::sync::Arc;
use zstd::bulk::Decompressor;

/// The first byte of a plain object that is compressed; JSON begins with another.
const COMPRESSED: u8 = 2;

/// How a repository is made.
#[derive(Clone, Copy, Debug)]
pub struct CreateOptions {
    /// Size of a chunk in bytes: a power of two from 32 KiB to 4 MiB. 64 KiB find the most that is alike; from about 200 GB of databases
    /// on 256 KiB are better, as each chunk costs 48 bytes of memory and 67 of a tree.
    pub chunk_size: usize,
    /// Whether sets are never to be forgotten by this program. Only an object lock of the storage keeps others from it.
    pub append_only: bool,
    /// For how long the storage is to keep each object, where it can.
    pub object_lock: Option<ObjectLock>,
    /// Level of zstd, -7 to 22.
    pub compression: i32,
    /// The binary logarithm of scrypt's N, 10 to 20: with 17 a try of a password takes 128 MiB and some tenths of a second.
    pub kdf_cost: u8,
}

/// [`CreateOptions::kdf_cost`] for the secret of a new key file: nobody guesses 256 bits, however fast a try is.
pub const KEY_FILE_COST: u8 = 10;

impl Default for CreateOptions {
    fn default() -> Self {
        Self { chunk_size: 64 << 10, append_only: false, object_lock: None, compression: 1, kdf_cost: 17 }
    }
}

/// An opened repository.
pub(crate) struct Repository {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) key: Key,
    /// The key that opened it.
    pub(crate) key_id: Id,
    pub(crate) config: Config,
    pub(crate) chunk_size: usize,
    pub(crate) trees: TreeCache,
}

impl Repository {
    /// Makes a repository. `config` comes last: without it there is none.
    pub(crate) fn create(backend: Arc<dyn Backend>, secret: &Secret, options: CreateOptions) -> Result<Self> {
        if !valid_chunk_size(options.chunk_size) {
            return Err(Error::Unsupported(format!(
                "chunks of {} bytes are none of a power of two from 32 KiB to 4 MiB",
                options.chunk_size
            )));
        }
        if !(-7..=22).contains(&options.compression) || !(10..=20).contains(&options.kdf_cost) {
            return Err(Error::Unsupported(
                "the level of compression is from -7 to 22, the cost of the key from 10 to 20".into(),
            ));
        }
        let keys = keys_without_a_vault(&*backend)?;
        for object in keys.into_iter().map(|id| Object::new(Kind::Key, id)) {
            backend.remove(object).map_err(|error| told(object, error))?;
        }
        let failed = |error| Error::Storage(Place::object("config"), error);
        let key = Key::random().map_err(failed)?;
        let config = Config::new(options.chunk_size, options.append_only, options.compression).map_err(failed)?;
        let config = Config { object_lock: options.object_lock, ..config };
        if let Some(lock) = options.object_lock {
            backend.lock_objects(lock).map_err(failed)?;
        }
        let key_id = keys::add(&*backend, &key, secret, options.kdf_cost)?;
        if options.object_lock.is_some() {
            is_kept(&*backend, Object::new(Kind::Key, key_id))?;
        }
        let plain = serde_json::to_vec(&config).map_err(|error| failed(error.into()))?;
        let sealed = key.seal(&plain).map_err(failed)?;
        backend.create(Object::CONFIG, &sealed).and_then(|()| backend.sync()).map_err(failed)?;
        Ok(Self { backend, key, key_id, chunk_size: options.chunk_size, config, trees: TreeCache::default() })
    }

    pub(crate) fn open(backend: Arc<dyn Backend>, secret: &Secret) -> Result<Self> {
        let found = backend.list(Kind::Config).map_err(|error| Error::Storage(Place::object("config"), error))?;
        if found.is_empty() {
            return Err(Error::NoVault(backend.location()));
        }
        let (key_id, key) = keys::open(&*backend, secret)?;
        let sealed = backend.read(Object::CONFIG, limits::CONFIG).map_err(|error| told(Object::CONFIG, error))?;
        let plain = key.open(&sealed).ok_or_else(|| Object::CONFIG.damage("its bytes have changed"))?;
        let config: Config = serde_json::from_slice(&plain).map_err(|error| Object::CONFIG.damage(error.to_string()))?;
        let chunk_size = config.check().map_err(|why| Error::Unsupported(format!("{}: {why}", backend.location())))?;
        // A copy of the vault on other storage is a vault as well: its check tells that it is not protected.
        let locked = config.object_lock.map_or(Ok(()), |lock| backend.lock_objects(lock));
        match locked {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                return Err(Error::Storage(Place::object("config"), error));
            }
            _ => {}
        }
        Ok(Self { backend, key, key_id, config, chunk_size, trees: TreeCache::default() })
    }

    /// Level of zstd for what is written.
    pub(crate) fn compression(&self) -> i32 {
        self.config.compression.unwrap_or_default().clamp(-7, 22)
    }

    /// Stores an object that is JSON. Its name is durable only after a sync of the backend.
    pub(crate) fn save_json(&self, kind: Kind, value: &impl Serialize) -> Result<Id> {
        let failed = |error| Error::Storage(Place::object(kind.folder()), error);
        let plain = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
        let mut packed = vec![COMPRESSED];
        packed.extend(zstd::bulk::compress(&plain, self.compression()).map_err(failed)?);
        let sealed = self.key.seal(if packed.len() < plain.len() { &packed } else { &plain }).map_err(failed)?;
        let object = Object::new(kind, Id::of(&sealed));
        self.backend.create(object, &sealed).map_err(|error| told(object, error))?;
        Ok(object.id)
    }

    /// An object that is JSON.
    pub(crate) fn load_json<T: DeserializeOwned>(&self, object: Object) -> Result<T> {
        let sealed = self.backend.read(object, limits::OBJECT).map_err(|error| told(object, error))?;
        if Id::of(&sealed) != object.id {
            return Err(object.damage("its bytes have changed"));
        }
        let plain = self.key.open(&sealed).ok_or_else(|| object.damage("not sealed with the key of this vault"))?;
        let plain = match plain.split_first() {
            Some((&COMPRESSED, packed)) => {
                decompress(packed, limits::OBJECT).ok_or_else(|| object.damage("cannot be decompressed"))?
            }
            _ => plain,
        };
        serde_json::from_slice(&plain).map_err(|error| object.damage(error.to_string()))
    }

    /// The plain bytes of a blob: any of its copies that is sound.
    pub(crate) fn load_blob(&self, index: &Index, kind: BlobKind, id: Id) -> Result<Vec<u8>> {
        let mut first = None;
        for location in index.find(kind, id) {
            let object = Object::new(Kind::Pack, index.pack(location));
            let sealed = self.backend.read_range(object, location.offset.into(), location.length as usize);
            match sealed.map_err(|error| told(object, error)).and_then(|sealed| self.open_blob(kind, location, object, &sealed)) {
                Ok(plain) => return Ok(plain),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| missing(index, kind, id)))
    }

    /// The plain bytes of a blob, of which these are the bytes in its pack: authenticated, and of the SHA-256 that it is named after.
    pub(crate) fn open_blob(&self, kind: BlobKind, location: &Location, object: Object, sealed: &[u8]) -> Result<Vec<u8>> {
        let plain = self.unseal(kind, location, object, sealed)?;
        if Id::of(&plain) == location.id {
            Ok(plain)
        } else {
            Err(object.damage(format!("blob {}: other bytes are in its place", location.id)))
        }
    }

    /// The same, authenticated alone: bytes that were sealed with the key of this vault, be it as this blob or as another.
    pub(crate) fn unseal(&self, kind: BlobKind, location: &Location, object: Object, sealed: &[u8]) -> Result<Vec<u8>> {
        let name = || format!("blob {}", location.id);
        let stored = self.key.open(sealed).ok_or_else(|| object.damage(format!("{}: its bytes have changed", name())))?;
        match location.uncompressed_length() {
            None => Ok(stored),
            Some(size) => {
                let plain = match kind {
                    BlobKind::Data => decompress_chunk(&stored, limits::DATA_BLOB.min(size.into())),
                    BlobKind::Tree => decompress(&stored, limits::OBJECT.min(size.into())),
                };
                plain
                    .filter(|plain| plain.len() as u64 == u64::from(size))
                    .ok_or_else(|| object.damage(format!("{}: cannot be decompressed", name())))
            }
        }
    }
}

/// That the storage does keep what it was told to keep: some take no notice. An object that it does not keep is removed again.
///
/// # Errors
/// It does not; the storage's.
fn is_kept(backend: &dyn Backend, object: Object) -> Result<()> {
    match backend.kept_until(object) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            backend.remove(object).map_err(|error| told(object, error))?;
            Err(Error::Unsupported(format!(
                "{} does not keep objects: its bucket must be made with object lock",
                backend.location()
            )))
        }
        Err(error) => Err(Error::Storage(Place::object(object.to_string()), error)),
    }
}

/// The keys that an interrupted creation left: without anything that they open. Nothing is removed before all was looked at.
///
/// # Errors
/// Anything else is there; the storage's.
fn keys_without_a_vault(backend: &dyn Backend) -> Result<Vec<Id>> {
    // A listing may not be whole without anybody knowing it: `config` is asked for by its name as well.
    match backend.read(Object::CONFIG, limits::CONFIG) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(_) => return Err(Error::NotEmpty(backend.location())),
        Err(error) => return Err(Error::Storage(Place::object("config"), error)),
    }
    let mut keys = Vec::new();
    for kind in Kind::ALL {
        let found = backend.list(kind).map_err(|error| Error::Storage(Place::object(kind.folder()), error))?;
        if kind == Kind::Key {
            keys = found.into_iter().map(|(id, _)| id).collect();
        } else if !found.is_empty() {
            return Err(Error::NotEmpty(backend.location()));
        }
    }
    Ok(keys)
}

/// A blob that no index tells of.
pub(crate) fn missing(index: &Index, kind: BlobKind, id: Id) -> Error {
    let kind = match kind {
        BlobKind::Data => "data",
        BlobKind::Tree => "tree",
    };
    let because = index.damage.first().map(|damage| format!(", perhaps because of this: {damage}")).unwrap_or_default();
    Damage { place: Place::object("index"), reason: format!("the {kind} blob {id} is in no pack{because}") }.into()
}

thread_local! {
    /// To make one takes longer than to decompress a chunk.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What was compressed, of at most `limit` bytes, which are reserved at once.
fn decompress_chunk(packed: &[u8], limit: u64) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new().ok()?),
        };
        decompressor.decompress(packed, usize::try_from(limit).ok()?).ok()
    })
}

/// What was compressed, of at most `limit` bytes: memory grows with what comes out, not with what is claimed.
fn decompress(packed: &[u8], limit: u64) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?.take(limit.checked_add(1)?);
    decoder.read_to_end(&mut plain).ok()?;
    (plain.len() as u64 <= limit).then_some(plain)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::restic::CreateOptions;
    use crate::restic::folder::FolderBackend;
    use anchorlog_testkit::crash::CrashDisk;

    /// A fresh repository of this process.
    pub(crate) fn in_memory() -> Arc<Repository> {
        let backend = FolderBackend::new(CrashDisk::default().folder(), "memory").unwrap();
        let options = CreateOptions { kdf_cost: 10, ..CreateOptions::default() };
        Arc::new(Repository::create(Arc::new(backend), &Secret::password("x"), options).unwrap())
    }
}
