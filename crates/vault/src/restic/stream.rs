//! Streams cut into chunks of a fixed size, hashed, compressed and sealed on all processors.

use crate::error::{Error, Result};
use crate::restic::Id;
use crate::restic::pack::BlobKind;
use crate::restic::store::Store;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Bytes that a thread takes at once.
const BATCH: usize = 1 << 20;
const THREADS_MAX: usize = 16;

/// A part of a stream that is stored.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) size: u64,
    pub(crate) chunks: Vec<Id>,
    /// Bytes that the repository grew by.
    pub(crate) stored: u64,
    /// Whether the source has ended.
    pub(crate) ended: bool,
}

/// Why a stream was not stored.
#[derive(Debug)]
pub(crate) enum Failure {
    Source(io::Error),
    Vault(Error),
}

/// Stores up to `limit` bytes of the source, a whole number of batches; memory is bounded by a few batches for each thread.
pub(crate) fn store(
    store: &Store,
    chunk: usize,
    limit: u64,
    source: &mut dyn Read,
    hash: &mut Sha256,
) -> std::result::Result<Segment, Failure> {
    let batch = BATCH.max(chunk);
    let mut size = 0;
    let mut next = |hash: &mut Sha256| {
        let wanted = (limit - size).min(batch as u64);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(batch));
        source.take(wanted).read_to_end(&mut bytes).map_err(Failure::Source)?;
        size += bytes.len() as u64;
        hash.update(&bytes);
        let last = (bytes.len() as u64) < wanted;
        Ok((bytes, last, size))
    };
    let (first, last, size) = next(hash)?;
    if last {
        let (chunks, stored) = one_batch(store, chunk, &first).map_err(Failure::Vault)?;
        return Ok(Segment { size, chunks, stored, ended: true });
    }
    let work = Work { store, chunk, failed: AtomicBool::new(false), done: Mutex::default() };
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS_MAX);
    let (sender, receiver) = sync_channel(threads * 2);
    let receiver = Mutex::new(receiver);
    let read = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work.run(&receiver));
        }
        let mut batches = (0, first, false, size);
        loop {
            let (number, bytes, last, size) = batches;
            // Nobody receives any more only when the others have failed.
            if sender.send((number, bytes)).is_err() || work.failed.load(Ordering::Relaxed) {
                drop(sender);
                return Ok((size, false));
            }
            if last || size >= limit {
                drop(sender);
                return Ok((size, last));
            }
            match next(hash) {
                Ok((bytes, last, size)) => batches = (number + 1, bytes, last, size),
                Err(failure) => {
                    drop(sender);
                    return Err(failure);
                }
            }
        }
    });
    let (size, ended) = read?;
    let Done { mut batches, stored, error } = work.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = error {
        return Err(Failure::Vault(error));
    }
    batches.sort_unstable_by_key(|(number, _)| *number);
    Ok(Segment { size, chunks: batches.into_iter().flat_map(|(_, chunks)| chunks).collect(), stored, ended })
}

/// Stores the chunks of one batch.
pub(crate) fn one_batch(store: &Store, chunk: usize, bytes: &[u8]) -> Result<(Vec<Id>, u64)> {
    let mut compressor = store.compressor()?;
    let mut stored = 0;
    let mut chunks = Vec::with_capacity(bytes.len().div_ceil(chunk));
    for plain in bytes.chunks(chunk) {
        let (id, grown) = store.add(&mut compressor, BlobKind::Data, plain)?;
        chunks.push(id);
        stored += grown;
    }
    Ok((chunks, stored))
}

type Batch = (usize, Vec<u8>);

struct Work<'a> {
    store: &'a Store,
    chunk: usize,
    failed: AtomicBool,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    batches: Vec<(usize, Vec<Id>)>,
    stored: u64,
    error: Option<Error>,
}

impl Work<'_> {
    fn run(&self, receiver: &Mutex<Receiver<Batch>>) {
        loop {
            let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, bytes)) = received else { return };
            // After an error the rest is taken and thrown away, so that the source is not waited for.
            if self.failed.load(Ordering::Relaxed) {
                continue;
            }
            let result = one_batch(self.store, self.chunk, &bytes);
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok((chunks, stored)) => {
                    done.batches.push((number, chunks));
                    done.stored += stored;
                }
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    done.error.get_or_insert(error);
                }
            }
        }
    }
}
