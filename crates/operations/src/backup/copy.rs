//! A file on its way into the vault: verified, paced, and interrupted where that is asked for.

use super::pages::PageCheck;
use super::progress::{Pace, Progress};
use anchorlog_storage::File;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::Arc;

/// Bytes read at once: whole pages of every size.
const CHUNK: usize = 1 << 20;

/// How the copying is followed.
pub(super) struct Follow<'a> {
    pub progress: &'a mut dyn Progress,
    pub pace: Pace,
    /// The user interrupted it.
    pub stopped: bool,
}

impl Follow<'_> {
    /// So many bytes of a file were read; `false`: the user interrupted it.
    pub(super) fn read(&mut self, file: &str, bytes: u64) -> bool {
        self.pace.read(bytes);
        self.stopped |= !self.progress.bytes(file, bytes);
        !self.stopped
    }
}

/// Reads a file to its end.
pub(super) struct FileReader<'f, 'p> {
    name: &'f str,
    file: Arc<dyn File>,
    follow: &'f mut Follow<'p>,
    pub pages: Option<PageCheck>,
    /// SHA-256, where the file is to be compared with what was replayed.
    digest: Option<Sha256>,
    buffer: Vec<u8>,
    /// The part of the buffer that was not handed out yet.
    rest: std::ops::Range<usize>,
    offset: u64,
}

impl<'f, 'p> FileReader<'f, 'p> {
    pub(super) fn new(
        name: &'f str,
        file: Arc<dyn File>,
        follow: &'f mut Follow<'p>,
        pages: Option<PageCheck>,
        hashed: bool,
    ) -> Self {
        Self { name, file, follow, pages, digest: hashed.then(Sha256::new), buffer: vec![0; CHUNK], rest: 0..0, offset: 0 }
    }
    /// Bytes read, their SHA-256 where it was asked for, and what was seen of the pages.
    pub(super) fn end(self) -> (u64, Option<[u8; 32]>, Option<PageCheck>) {
        (self.offset, self.digest.map(|digest| digest.finalize().into()), self.pages)
    }
    fn fill(&mut self) -> io::Result<()> {
        let read = self.file.read_at(self.offset, &mut self.buffer)?;
        let bytes = &self.buffer[..read];
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        if let Some(pages) = &mut self.pages {
            pages.take(bytes);
        }
        self.offset += read as u64;
        self.rest = 0..read;
        // Not of the kind `Interrupted`: readers begin such a read again.
        if self.follow.read(self.name, read as u64) { Ok(()) } else { Err(io::Error::other("interrupted by the user")) }
    }
}

impl Read for FileReader<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.fill()?;
        }
        let count = self.rest.len().min(out.len());
        out[..count].copy_from_slice(&self.buffer[self.rest.start..self.rest.start + count]);
        self.rest.start += count;
        Ok(count)
    }
}
