//! Who may open a repository: the master key, sealed once for each password (restic's design document, "Keys, Encryption and MAC").

use crate::error::{Damage, Error, Place, Result};
use crate::restic::backend::{Backend, Kind, Object};
use crate::restic::crypto::{Key, random};
use crate::restic::{Id, host, limits, told};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use scrypt::{Params, scrypt};
use serde::{Deserialize, Serialize};
use std::io;

/// What opens a repository.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A password.
    #[must_use]
    pub fn password(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// What is in a key file: text without the white space around it, so that restic reads it as its `--password-file`. `None` where there
    /// is none.
    #[must_use]
    pub fn key_file(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text).trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }
    /// A new key file: 256 random bits, hexadecimal.
    ///
    /// # Errors
    /// No random numbers to be had.
    pub fn new_key_file() -> io::Result<String> {
        Ok(hex::encode(random::<32>()?) + "\n")
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A key of a repository, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub id: Id,
    /// On which machine it was made.
    pub host: String,
    /// By whom.
    pub user: String,
    /// When, as it is written: RFC 3339.
    pub created: String,
    /// Whether this vault was opened with it.
    pub in_use: bool,
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    #[serde(default)]
    created: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    hostname: String,
    kdf: String,
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
    salt: String,
    data: String,
}

#[derive(Serialize, Deserialize)]
struct MasterKey {
    mac: Mac,
    encrypt: String,
}

#[derive(Serialize, Deserialize)]
struct Mac {
    k: String,
    r: String,
}

/// The master key, and the name of the key that opened it.
///
/// # Errors
/// No key that the secret opens; damage, where no other key opens it; the storage's.
pub(crate) fn open(backend: &dyn Backend, secret: &Secret) -> Result<(Id, Key)> {
    let mut damage = None;
    for (id, _) in list(backend)? {
        match load(backend, id).and_then(|file| unseal(&file, secret, id)) {
            Ok(Some(key)) => return Ok((id, key)),
            Ok(None) => {}
            Err(Error::Damaged(told)) => damage = Some(told),
            Err(error) => return Err(error),
        }
    }
    Err(damage.map_or(Error::WrongKey, Error::Damaged))
}

/// Seals the master key with another secret. `cost`: the binary logarithm of scrypt's N.
///
/// # Errors
/// The storage's.
pub(crate) fn add(backend: &dyn Backend, master: &Key, secret: &Secret, cost: u8) -> Result<Id> {
    let failed = |error| Error::Storage(Place::object("keys"), error);
    let salt: [u8; 64] = random().map_err(failed)?;
    let params = Params::new(cost, 8, 1, 64).map_err(|error| Error::Unsupported(format!("scrypt: {error}")))?;
    let mut derived = [0; 64];
    scrypt(secret.0.as_bytes(), &salt, &params, &mut derived).map_err(|error| Error::Unsupported(format!("scrypt: {error}")))?;
    let plain = master_key(master)?.into_bytes();
    let file = KeyFile {
        created: jiff::Timestamp::now().to_string(),
        username: host::user(),
        hostname: host::name(),
        kdf: "scrypt".into(),
        n: 1 << cost,
        r: 8,
        p: 1,
        salt: BASE64_STANDARD.encode(salt),
        data: BASE64_STANDARD.encode(Key::from_bytes(derived).seal(&plain).map_err(failed)?),
    };
    let file = serde_json::to_vec(&file).map_err(|error| failed(error.into()))?;
    let object = Object::new(Kind::Key, Id::of(&file));
    backend.create(object, &file).and_then(|()| backend.sync()).map_err(|error| told(object, error))?;
    Ok(object.id)
}

/// The master key as it is sealed.
///
/// # Errors
/// None that a key could cause.
pub(crate) fn master_key(master: &Key) -> Result<String> {
    let bytes = master.bytes();
    let text = |range: std::ops::Range<usize>| BASE64_STANDARD.encode(bytes.get(range).unwrap_or_default());
    let plain = MasterKey { mac: Mac { k: text(32..48), r: text(48..64) }, encrypt: text(0..32) };
    serde_json::to_string(&plain).map_err(|error| Error::Storage(Place::object("keys"), error.into()))
}

/// All keys that can be read, by name.
///
/// # Errors
/// The storage's.
pub(crate) fn infos(backend: &dyn Backend, in_use: Id) -> Result<Vec<KeyInfo>> {
    let mut infos = Vec::new();
    for (id, _) in list(backend)? {
        let KeyFile { created, username: user, hostname: host, .. } = match load(backend, id) {
            Err(Error::Damaged(_)) => continue,
            file => file?,
        };
        infos.push(KeyInfo { id, host, user, created, in_use: id == in_use });
    }
    Ok(infos)
}

/// Keys that cannot be read.
///
/// # Errors
/// The storage's.
pub(crate) fn damage(backend: &dyn Backend) -> Result<Vec<Damage>> {
    let mut damaged = Vec::new();
    for (id, _) in list(backend)? {
        match load(backend, id) {
            Err(Error::Damaged(damage)) => damaged.push(damage),
            file => drop(file?),
        }
    }
    Ok(damaged)
}

fn list(backend: &dyn Backend) -> Result<Vec<(Id, u64)>> {
    let mut keys = backend.list(Kind::Key).map_err(|error| Error::Storage(Place::object("keys"), error))?;
    keys.sort_unstable();
    Ok(keys)
}

fn load(backend: &dyn Backend, id: Id) -> Result<KeyFile> {
    let object = Object::new(Kind::Key, id);
    let bytes = backend.read(object, limits::KEY).map_err(|error| told(object, error))?;
    if Id::of(&bytes) != id {
        return Err(object.damage("its bytes have changed"));
    }
    serde_json::from_slice(&bytes).map_err(|error| object.damage(format!("no key: {error}")))
}

/// The master key; `None` where the secret does not open it.
fn unseal(file: &KeyFile, secret: &Secret, id: Id) -> Result<Option<Key>> {
    let damage = |reason: &str| Object::new(Kind::Key, id).damage(reason);
    let memory = 128_u64.checked_mul(file.n).and_then(|bytes| bytes.checked_mul(file.r.into()));
    let bounded = memory.is_some_and(|bytes| bytes <= limits::SCRYPT_MEMORY) && (1..=limits::SCRYPT_LANES).contains(&file.p);
    if file.kdf != "scrypt" || !file.n.is_power_of_two() || !bounded {
        return Err(damage("its key derivation is none that is known, or beyond all measure"));
    }
    let cost = u8::try_from(file.n.trailing_zeros()).map_err(|_| damage("scrypt's N"))?;
    let params = Params::new(cost, file.r, file.p, 64).map_err(|_| damage("scrypt's parameters"))?;
    let decoded = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| damage("not base64"));
    let mut derived = [0; 64];
    scrypt(secret.0.as_bytes(), &decoded(&file.salt)?, &params, &mut derived).map_err(|_| damage("scrypt"))?;
    let Some(plain) = Key::from_bytes(derived).open(&decoded(&file.data)?) else { return Ok(None) };
    let master: MasterKey = serde_json::from_slice(&plain).map_err(|_| damage("no master key in it"))?;
    let bytes = [decoded(&master.encrypt)?, decoded(&master.mac.k)?, decoded(&master.mac.r)?].concat();
    Ok(Some(Key::from_bytes(bytes.try_into().map_err(|_| damage("the master key has not 64 bytes"))?)))
}
