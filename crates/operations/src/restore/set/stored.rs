//! Files that lie in a vault, read as if they lay in a folder.

use crate::sets::FilePart;
use anchorlog_storage::File;
use anchorlog_vault::{Name, SetId, StreamReader, Vault};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Bytes read from the vault at once, where they are read in order.
const WINDOW: usize = 1 << 20;

/// What writes bytes of a file at an offset, in any order.
pub(super) type Write<'a> = dyn Fn(u64, &[u8]) -> io::Result<()> + Sync + 'a;

/// A stream of a set, as a file that can only be read.
#[derive(Clone)]
pub struct Stored {
    vault: Arc<dyn Vault>,
    /// The set.
    pub set: SetId,
    /// The stream.
    pub name: Name,
    /// Bytes, as the manifest says.
    pub size: u64,
    /// BLAKE3 of them, as the manifest says.
    pub blake3: [u8; 32],
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set {}, {}", self.set, self.name)
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Stored {
    pub(crate) fn new(vault: &Arc<dyn Vault>, set: &SetId, part: &FilePart) -> Self {
        Self { vault: vault.clone(), set: set.clone(), name: part.name.clone(), size: part.size, blake3: part.blake3 }
    }
    /// For reading. Few MiB of the stream are kept in memory.
    pub(crate) fn open(&self) -> Arc<dyn File> {
        Arc::new(OpenStored { stored: self.clone(), reader: OnceLock::new(), ahead: Mutex::default() })
    }
    /// All bytes: `write` is given them in pieces with their offsets, by several threads, and then `each` in order. Returns their BLAKE3; `None`
    /// where `each` ended it with `false`.
    pub(super) fn stream(&self, write: &Write<'_>, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<Option<[u8; 32]>, StreamError> {
        let stream = self.vault.open_stream(&self.set, &self.name)?;
        let failed = Mutex::new(None);
        let written = |offset: u64, bytes: &[u8]| {
            let tell = |error| *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            write(offset, bytes).map_err(tell).is_ok()
        };
        let digest = stream.read_all(&written, each)?;
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(digest), |error| Err(error.into()))
    }
}

/// Where the bytes of a restore came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origins {
    /// Bytes of a copy that was at hand, whose hashes are those that the set has.
    pub from_copy: u64,
    /// Bytes that were read from the vault.
    pub from_vault: u64,
}

/// A copy at hand, which may be damaged: what of it is as the set has it needs not be read from the vault.
pub(super) struct Over {
    /// The copy.
    pub file: Arc<dyn File>,
    /// What came from where.
    pub origins: Origins,
}

/// Bytes of the longest piece that is compared.
const PIECE_MAX: u64 = 16 << 20;

impl Stored {
    /// All bytes, in order, out of the copy as far as its pieces have the hashes that the vault tells; as [`Stored::stream`].
    pub(super) fn stream_over(
        &self,
        over: &mut Over,
        write: &Write<'_>,
        each: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<Option<[u8; 32]>, StreamError> {
        let stream = self.vault.open_stream(&self.set, &self.name)?;
        let (mut buffer, mut offset, mut digest) = (Vec::new(), 0, blake3::Hasher::new());
        while offset < stream.size() {
            let known = stream.known(offset)?.filter(|piece| piece.start == offset && (1..=PIECE_MAX).contains(&piece.size));
            buffer.resize(known.and_then(|piece| usize::try_from(piece.size).ok()).unwrap_or(WINDOW), 0);
            // What cannot be read there is damaged there.
            let is_there = known.is_some_and(|piece| {
                let read = over.file.read_at(offset, &mut buffer);
                read.is_ok_and(|read| read == buffer.len()) && <[u8; 32]>::from(Sha256::digest(&buffer)) == piece.sha256
            });
            let read = if is_there { buffer.len() } else { stream.read_at(offset, &mut buffer)? };
            let count = if is_there { &mut over.origins.from_copy } else { &mut over.origins.from_vault };
            *count += read as u64;
            if read == 0 {
                break;
            }
            write(offset, &buffer[..read])?;
            if !each(&buffer[..read]) {
                return Ok(None);
            }
            digest.update(&buffer[..read]);
            offset += read as u64;
        }
        Ok(Some(digest.finalize().into()))
    }
}

/// The place that a stream's name was made of: `%` and two hexadecimal digits are a byte that a name may not hold. A part that would lead
/// elsewhere stays as it is written.
pub(crate) fn place_of(name: &Name) -> PathBuf {
    name.as_str().split('/').map(|part| decoded(part).unwrap_or_else(|| part.into())).collect()
}

fn decoded(part: &str) -> Option<OsString> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| byte == b'%');
        let Some(code) = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()) else {
            bytes.push(byte);
            rest = behind;
            continue;
        };
        bytes.push(code);
        rest = behind.get(2..)?;
    }
    let leads_out = matches!(bytes.as_slice(), b"" | b"." | b"..") || bytes.iter().any(|byte| matches!(byte, 0 | b'/'));
    if leads_out { None } else { of_bytes(bytes) }
}

#[cfg(unix)]
fn of_bytes(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn of_bytes(bytes: Vec<u8>) -> Option<OsString> {
    // Elsewhere such a byte separates folders, or cannot be in a name.
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(['\\', ':'])).then(|| text.into())
}

/// Why a stream was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Vault(#[from] anchorlog_vault::Error),
    #[error(transparent)]
    Written(#[from] io::Error),
}

struct OpenStored {
    stored: Stored,
    /// Opened by the first who reads.
    reader: OnceLock<Box<dyn StreamReader>>,
    ahead: Mutex<Ahead>,
}

/// What was read in advance: whoever goes through a file gets it in large pieces, whoever jumps about gets what was asked for.
#[derive(Default)]
struct Ahead {
    /// Where the bytes begin.
    start: u64,
    bytes: Vec<u8>,
    /// Where the last read ended.
    end: u64,
}

impl OpenStored {
    fn reader(&self) -> io::Result<&dyn StreamReader> {
        if let Some(reader) = self.reader.get() {
            return Ok(&**reader);
        }
        let reader = self.stored.vault.open_stream(&self.stored.set, &self.stored.name).map_err(io::Error::other)?;
        Ok(&**self.reader.get_or_init(|| reader))
    }
    fn read_some(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let reader = self.reader()?;
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on = offset == ahead.end;
        if ahead.at(offset).is_empty() {
            if !goes_on || buffer.len() >= WINDOW {
                drop(ahead);
                let read = reader.read_at(offset, buffer).map_err(io::Error::other)?;
                self.ahead.lock().unwrap_or_else(PoisonError::into_inner).end = offset + read as u64;
                return Ok(read);
            }
            ahead.bytes.resize(WINDOW, 0);
            let read = reader.read_at(offset, &mut ahead.bytes);
            ahead.start = offset;
            ahead.bytes.truncate(*read.as_ref().unwrap_or(&0));
            read.map_err(io::Error::other)?;
        }
        let found = ahead.at(offset);
        let count = found.len().min(buffer.len());
        buffer[..count].copy_from_slice(&found[..count]);
        ahead.end = offset + count as u64;
        Ok(count)
    }
}

impl Ahead {
    /// The bytes from an offset on; none where others were read.
    fn at(&self, offset: u64) -> &[u8] {
        let skip = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.bytes.get(skip..)).unwrap_or_default()
    }
}

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "a set of a vault is never written"))
}

impl File for OpenStored {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        anchorlog_storage::read_fully(offset, buffer, |offset, buffer| self.read_some(offset, buffer))
    }
    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        read_only()
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.stored.size)
    }
    fn set_size(&self, _size: u64) -> io::Result<()> {
        read_only()
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchorlog_testkit::random::Random;
    use anchorlog_vault::NewSet;
    use anchorlog_vault::memory::MemoryVault;

    #[test]
    fn a_stored_file_reads_as_it_was_written_in_order_and_out_of_it() {
        let (vault, mut random) = (MemoryVault::new(), Random::new(3));
        let bytes: Vec<u8> = (0..3 * WINDOW + 77).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (name, mut writer) = (Name::new("db").unwrap(), vault.begin_set(NewSet::default()).unwrap());
        let receipt = writer.stream(&name, &mut bytes.as_slice()).unwrap();
        let set = writer.publish(b"{}").unwrap();
        let vault: Arc<dyn Vault> = Arc::new(vault);
        let file = Stored { vault, set, name, size: receipt.bytes, blake3: receipt.blake3 }.open();
        let check = |offset: usize, length: usize| {
            let (mut buffer, wanted) = (vec![0; length], bytes.get(offset..).unwrap_or_default());
            let read = file.read_at(offset as u64, &mut buffer).unwrap();
            assert_eq!(read, length.min(wanted.len()), "{length} bytes at {offset}");
            assert!(buffer[..read] == wanted[..read], "{length} bytes at {offset}");
        };
        for round in 0..200 {
            let mut offset = random.below(bytes.len() + 1000);
            for _ in 0..round % 7 {
                let length = 1 + random.below([100, 5000, WINDOW + 1000][round % 3]);
                check(offset, length);
                offset += length;
            }
        }
        check(0, bytes.len() + 1);
    }

    #[test]
    fn a_place_is_what_its_stream_was_named_after_and_never_leads_out() {
        let place = |text: &str| place_of(&Name::new(text).unwrap()).display().to_string();
        assert_eq!(place("db/Mail 1.edb"), "db/Mail 1.edb");
        assert_eq!(place("100%25.edb"), "100%.edb");
        assert_eq!(place("a%2"), "a%2");
        for text in ["%2E%2E/a", "a/%2F", "a%00b", "%2e"] {
            assert_eq!(place(text), text);
        }
    }
}
