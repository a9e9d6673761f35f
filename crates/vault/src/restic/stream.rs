//! Streams cut into chunks of a fixed size, hashed, compressed and sealed on all processors.

use crate::error::{Error, Result};
use crate::restic::Id;
use crate::restic::digest::{self, Value};
use crate::restic::pack::BlobKind;
use crate::restic::store::Store;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Bytes that a thread takes at once; two chunks at least.
const BATCH: usize = 1 << 20;
pub(crate) const THREADS_MAX: usize = 16;

/// Chunks of a part of a stream, with their values.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    pub(crate) ids: Vec<Id>,
    pub(crate) values: Vec<Value>,
}

/// A part of a stream that is stored.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) size: u64,
    pub(crate) chunks: Chunks,
    /// BLAKE3 of the whole stream, where it is no longer than a batch: then its chunks have no values.
    pub(crate) whole: Option<[u8; 32]>,
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

/// Where chunks go to, and what is known of them.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) store: &'a Store,
    /// Size of a chunk in bytes.
    pub(crate) chunk: usize,
    /// Where in the stream the part begins.
    pub(crate) offset: u64,
    /// What the part was in another set: a chunk that has its value there is not compressed again.
    pub(crate) known: Option<&'a Chunks>,
}

impl Part<'_> {
    /// Stores up to `limit` bytes of the source, a whole number of batches; memory is bounded by a few batches for each thread.
    pub(crate) fn store(self, limit: u64, source: &mut dyn Read) -> std::result::Result<Segment, Failure> {
        let batch = self.batch_size();
        let mut size = 0;
        let mut next = || {
            let wanted = (limit - size).min(batch as u64);
            let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(batch));
            source.take(wanted).read_to_end(&mut bytes).map_err(Failure::Source)?;
            size += bytes.len() as u64;
            let last = (bytes.len() as u64) < wanted;
            Ok((bytes, last, size))
        };
        let (first, last, size) = next()?;
        if last {
            let whole = (self.offset == 0).then(|| blake3::hash(&first).into());
            let (chunks, stored) = self.batch(0, &first).map_err(Failure::Vault)?;
            return Ok(Segment { size, chunks, whole, stored, ended: true });
        }
        let work = Work { part: self, failed: AtomicBool::new(false), done: Mutex::default() };
        let threads = threads();
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
                match next() {
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
        let mut chunks = Chunks::default();
        for (_, batch) in batches {
            chunks.ids.extend(batch.ids);
            chunks.values.extend(batch.values);
        }
        Ok(Segment { size, chunks, whole: None, stored, ended })
    }

    fn batch_size(self) -> usize {
        BATCH.max(2 * self.chunk)
    }

    /// Stores the chunks of a batch.
    fn batch(self, number: usize, bytes: &[u8]) -> Result<(Chunks, u64)> {
        let mut compressor = self.store.compressor()?;
        let mut stored = 0;
        let mut chunks = Chunks::default();
        let first = number * (self.batch_size() / self.chunk);
        for (at, plain) in (first..).zip(bytes.chunks(self.chunk)) {
            let value = digest::of_chunk(self.offset + at as u64 * self.chunk as u64, plain);
            chunks.values.push(value);
            if let Some(id) = self.known.and_then(|known| known.same(at, &value)).filter(|id| self.store.has(BlobKind::Data, *id))
            {
                chunks.ids.push(id);
                continue;
            }
            let (id, grown) = self.store.add(&mut compressor, BlobKind::Data, plain)?;
            chunks.ids.push(id);
            stored += grown;
        }
        Ok((chunks, stored))
    }
}

impl Chunks {
    /// The chunk at this place, where it has this value.
    fn same(&self, at: usize, value: &Value) -> Option<Id> {
        self.ids.get(at).copied().filter(|_| self.values.get(at) == Some(value))
    }
}

/// Stores the chunks of a document. Returns them, and the bytes that the repository grew by.
pub(crate) fn document(store: &Store, chunk: usize, bytes: &[u8]) -> Result<(Vec<Id>, u64)> {
    let mut compressor = store.compressor()?;
    let (mut chunks, mut stored) = (Vec::with_capacity(bytes.len().div_ceil(chunk)), 0);
    for plain in bytes.chunks(chunk) {
        let (id, grown) = store.add(&mut compressor, BlobKind::Data, plain)?;
        chunks.push(id);
        stored += grown;
    }
    Ok((chunks, stored))
}

/// Threads that work at once.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS_MAX)
}

type Batch = (usize, Vec<u8>);

struct Work<'a> {
    part: Part<'a>,
    failed: AtomicBool,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    batches: Vec<(usize, Chunks)>,
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
            let result = self.part.batch(number, &bytes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restic::index::Index;
    use crate::restic::repository::tests::in_memory;
    use std::sync::Arc;

    const CHUNK: usize = 4096;

    #[test]
    fn a_chunk_with_the_value_it_had_is_not_hashed_again_and_one_with_another_is() {
        let repository = in_memory();
        let store = || Store::new(repository.clone(), Arc::new(Index::load(&repository).unwrap())).unwrap();
        let first = store();
        let (mark, _) = first.add(&mut first.compressor().unwrap(), BlobKind::Data, b"what only the old set can name").unwrap();
        first.finish().unwrap();
        let bytes: Vec<u8> = (0..3).flat_map(|number: u8| [number; CHUNK]).collect();
        let ids: Vec<Id> = bytes.chunks(CHUNK).map(Id::of).collect();
        let value = |at: usize| digest::of_chunk((at * CHUNK) as u64, &bytes[at * CHUNK..][..CHUNK]);
        // Were a name made out of the bytes, it could not be `mark`. The first is as it was, the second has changed, of the third nothing is stored any more.
        let known = Chunks { ids: vec![mark, mark, ids[0]], values: vec![value(0), value(0), value(2)] };
        let second = store();
        let part = |known| Part { store: &second, chunk: CHUNK, offset: 0, known };
        let stored = part(Some(&known)).store(u64::MAX, &mut bytes.as_slice()).unwrap();
        assert_eq!(stored.chunks.ids, [mark, ids[1], ids[2]]);
        assert_eq!(part(None).store(u64::MAX, &mut bytes.as_slice()).unwrap().chunks.ids, ids);
    }
}
