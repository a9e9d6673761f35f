//! Streams read at any offset.

use crate::error::{Damage, Error, Place, Result};
use crate::restic::Id;
use crate::restic::backend::{Kind, Object};
use crate::restic::digest::{self, Value};
use crate::restic::index::{Index, Location};
use crate::restic::known::{self, FINGERPRINTS, fingerprints_of};
use crate::restic::lock::Lock;
use crate::restic::pack::BlobKind;
use crate::restic::repository::Repository;
use crate::restic::stream::threads;
use crate::restic::tree::{Node, Tree};
use crate::set::{KnownPiece, Name, SetId};
use crate::{Beside, StreamReader};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

/// Bytes of chunks kept in memory: whoever reads page by page gets each chunk once.
const CACHE_BYTES: usize = 4 << 20;
/// Lists of chunks kept in memory.
const CACHED_PARTS: usize = 8;
/// Bytes that a thread reads of a stream at once: a whole number of chunks of every size.
const PIECE: u64 = 4 << 20;
/// Bytes of neighbouring chunks that are read at once.
const RUN_BYTES: u64 = 4 << 20;

/// What a reader is opened with.
pub(crate) struct Source {
    pub(crate) repository: Arc<Repository>,
    pub(crate) index: Arc<Index>,
    /// Nobody prunes while it is held; `None` where the storage takes no locks.
    pub(crate) lock: Option<Arc<Lock>>,
}

/// A stream of a set.
pub(crate) struct Reader {
    source: Source,
    place: Place,
    size: u64,
    /// Every part but the last has this size.
    stride: u64,
    parts: Vec<Content>,
    lists: Mutex<VecDeque<(usize, Arc<Part>)>>,
    chunks: Mutex<VecDeque<(Id, Arc<Vec<u8>>)>>,
}

/// Where the list of a part's chunks is.
enum Content {
    Here(Arc<Part>),
    In(Id),
}

/// A part of a stream: its chunks, and the first byte of each, with the end.
struct Part {
    chunks: Vec<Id>,
    starts: Vec<u64>,
    /// The file of its chunks' fingerprints, and these once they were wanted; none where they do not fit.
    fingerprints: Option<Node>,
    values: OnceLock<Option<Vec<Value>>>,
}

/// By what a chunk is known to be the right one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// By its name, which is its SHA-256.
    Name,
    /// By its seal alone: whoever reads so compares the fingerprints, which take less than half the time of names.
    Seal,
}

impl Part {
    fn size(&self) -> u64 {
        self.starts.last().copied().unwrap_or_default()
    }
    /// Where a chunk lies in the part.
    fn range(&self, chunk: usize) -> Range<u64> {
        let at = |number: usize| self.starts.get(number).copied().unwrap_or_default();
        at(chunk)..at(chunk + 1)
    }
}

impl Reader {
    /// A stream that is a file of the snapshot, or a folder of segments.
    pub(crate) fn open(source: Source, set: &SetId, name: &Name, root: Id) -> Result<Self> {
        let place = Place::stream(set, name);
        let resolve =
            |path: String| Tree::resolve(&source.repository, &source.index, root, &path).map_err(|error| within(&place, error));
        let mut reader = if let Some(node) = resolve(format!("streams/{name}"))?.filter(|node| node.content.is_some()) {
            let fingerprints = resolve(fingerprints_of(name)).ok().flatten();
            let part = Arc::new(part_of(&source, &node, fingerprints).map_err(|error| within(&place, error))?);
            Self::new(source, place, vec![Content::Here(part)])
        } else {
            let folder = resolve(format!("segments/{name}"))?.and_then(|node| node.subtree);
            let folder = folder.ok_or_else(|| Error::NoStream(set.clone(), name.clone()))?;
            let tree = Tree::load(&source.repository, &source.index, folder).map_err(|error| within(&place, error))?;
            let numbered = tree.nodes.iter().enumerate().all(|(number, node)| node.name() == Some(segment_name(number)));
            let parts: Option<Vec<Content>> = tree.nodes.iter().map(|node| node.subtree.map(Content::In)).collect();
            // A folder of streams is none itself.
            let parts = parts.filter(|parts| numbered && !parts.is_empty());
            Self::new(source, place, parts.ok_or_else(|| Error::NoStream(set.clone(), name.clone()))?)
        };
        reader.stride = reader.part(0)?.size();
        let last = reader.parts.len().saturating_sub(1);
        let whole = reader.stride.checked_mul(last as u64);
        let size = whole.zip(reader.part(last).ok()).and_then(|(whole, part)| whole.checked_add(part.size()));
        reader.size = match size {
            Some(size) => size,
            None => return Err(reader.part(last).err().unwrap_or_else(|| reader.damage(0, "is longer than anything can be"))),
        };
        Ok(reader)
    }
    fn new(source: Source, place: Place, parts: Vec<Content>) -> Self {
        let (lists, chunks) = (Mutex::default(), Mutex::default());
        Self { source, place, size: 0, stride: 0, parts, lists, chunks }
    }

    fn damage(&self, offset: u64, reason: impl Into<String>) -> Error {
        Damage { place: Place { offset: Some(offset), ..self.place.clone() }, reason: reason.into() }.into()
    }

    fn part(&self, number: usize) -> Result<Arc<Part>> {
        let tree = match self.parts.get(number) {
            Some(Content::Here(part)) => return Ok(part.clone()),
            Some(Content::In(tree)) => *tree,
            None => return Err(self.damage(0, format!("it has no part {number}"))),
        };
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, part)) = lists.iter().find(|(cached, _)| *cached == number) {
            return Ok(part.clone());
        }
        let offset = self.stride.saturating_mul(number as u64);
        let at = |error| within(&Place { offset: Some(offset), ..self.place.clone() }, error);
        let tree = Tree::load(&self.source.repository, &self.source.index, tree).map_err(at)?;
        let node = tree.find(SEGMENT_FILE).ok_or_else(|| self.damage(offset, "the segment is empty"))?;
        let part = Arc::new(part_of(&self.source, node, tree.find(FINGERPRINTS).cloned()).map_err(at)?);
        // The stride is not known before the first part is.
        let is_last = number + 1 == self.parts.len();
        if number > 0 && (if is_last { part.size() > self.stride } else { part.size() != self.stride }) {
            return Err(self.damage(offset, format!("the segment has {} bytes, not {}", part.size(), self.stride)));
        }
        lists.push_back((number, part.clone()));
        if lists.len() > CACHED_PARTS {
            lists.pop_front();
        }
        Ok(part)
    }

    /// Copies from a part, which begins at byte `base` of the stream, as much as it has; `offset` counts from its start.
    fn copy(&self, part: &Part, base: u64, mut offset: u64, mut buffer: &mut [u8], check: Check) -> Result<usize> {
        let wanted = buffer.len();
        while !buffer.is_empty() && offset < part.size() {
            let first = part.starts.partition_point(|start| *start <= offset).saturating_sub(1);
            let end = offset.saturating_add(buffer.len() as u64);
            let run = self.run(part, first, end);
            let chunks = self.chunks(part, base, run, check)?;
            for (chunk, bytes) in chunks {
                let skipped = usize::try_from(offset - part.range(chunk).start).unwrap_or(usize::MAX);
                let bytes = bytes.get(skipped..).unwrap_or_default();
                let count = bytes.len().min(buffer.len());
                let (filled, rest) = std::mem::take(&mut buffer).split_at_mut(count);
                filled.copy_from_slice(bytes.get(..count).unwrap_or_default());
                buffer = rest;
                offset += count as u64;
            }
        }
        Ok(wanted - buffer.len())
    }

    /// The chunks from `first` on that lie one after the other in the same pack, as far as `end` of the part reaches.
    fn run(&self, part: &Part, first: usize, end: u64) -> Range<usize> {
        let index = &self.source.index;
        let place = |chunk: usize| part.chunks.get(chunk).and_then(|id| index.find(BlobKind::Data, *id).first());
        let Some(start) = place(first) else { return first..first + 1 };
        let (pack, mut next, mut last) = (index.pack(start), u64::from(start.offset) + u64::from(start.length), first + 1);
        while part.range(last).start < end && last < part.chunks.len() {
            let Some(follower) = place(last).filter(|place| u64::from(place.offset) == next && index.pack(place) == pack) else {
                break;
            };
            next += u64::from(follower.length);
            if next - u64::from(start.offset) > RUN_BYTES {
                break;
            }
            last += 1;
        }
        first..last
    }

    /// The plain bytes of a run of chunks.
    fn chunks(&self, part: &Part, base: u64, run: Range<usize>, check: Check) -> Result<Vec<(usize, Arc<Vec<u8>>)>> {
        let mut all = Vec::with_capacity(run.len());
        if run.len() > 1 || check == Check::Seal {
            // Where anything is wrong with it, each chunk is read by itself: another copy of it may be sound.
            let read = self.read_run(part, &run, check).unwrap_or_default();
            all.extend(run.clone().zip(read));
        }
        for chunk in run.start + all.len()..run.end {
            let Some(id) = part.chunks.get(chunk) else { break };
            all.push((chunk, self.chunk(*id, base + part.range(chunk).start)?));
        }
        for (chunk, bytes) in &all {
            let Range { start, end } = part.range(*chunk);
            if bytes.len() as u64 != end - start {
                return Err(self.damage(base + start, format!("a chunk has {} bytes, not {}", bytes.len(), end - start)));
            }
        }
        Ok(all)
    }

    fn read_run(&self, part: &Part, run: &Range<usize>, check: Check) -> Option<Vec<Arc<Vec<u8>>>> {
        let Source { index, repository, .. } = &self.source;
        let chunks = part.chunks.get(run.clone())?;
        let places: Option<Vec<_>> = chunks.iter().map(|id| index.find(BlobKind::Data, *id).first()).collect();
        let places = places?;
        let (first, last) = (places.first()?, places.last()?);
        let length = usize::try_from((last.offset - first.offset).checked_add(last.length)?).ok()?;
        let object = Object::new(Kind::Pack, index.pack(first));
        let sealed = repository.backend.read_range(object, first.offset.into(), length).ok()?;
        let open = |place: &&Location| {
            let start = usize::try_from(place.offset - first.offset).ok()?;
            let sealed = sealed.get(start..)?.get(..place.length as usize)?;
            let plain = match check {
                Check::Name => repository.open_blob(BlobKind::Data, place, object, sealed),
                Check::Seal => repository.unseal(BlobKind::Data, place, object, sealed),
            };
            plain.ok().map(Arc::new)
        };
        places.iter().map(open).collect()
    }

    /// A chunk, which is kept for the next reader.
    fn chunk(&self, id: Id, offset: u64) -> Result<Arc<Vec<u8>>> {
        let cache = || self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = cache().iter().find(|(cached, _)| *cached == id) {
            return Ok(bytes.clone());
        }
        let read = self.source.repository.load_blob(&self.source.index, BlobKind::Data, id);
        let bytes = Arc::new(read.map_err(|error| within(&Place { offset: Some(offset), ..self.place.clone() }, error))?);
        let mut cache = cache();
        cache.push_back((id, bytes.clone()));
        while cache.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > CACHE_BYTES && cache.len() > 1 {
            cache.pop_front();
        }
        Ok(bytes)
    }
}

/// Whole streams, with their hash.
impl Reader {
    /// Fills `bytes` with a piece. Returns its chaining value.
    fn piece(&self, offset: u64, bytes: &mut Vec<u8>) -> Result<Value> {
        bytes.resize(usize::try_from(PIECE.min(self.size - offset)).unwrap_or_default(), 0);
        if let Some(value) = self.by_fingerprints(offset, bytes) {
            return Ok(value);
        }
        self.read_at(offset, bytes)?;
        Ok(digest::of_chunk(offset, bytes))
    }

    /// The same where every chunk has its fingerprint. Else there are none, or a chunk is another: then its name tells more.
    fn by_fingerprints(&self, offset: u64, bytes: &mut [u8]) -> Option<Value> {
        let chunk = self.source.repository.chunk_size;
        let wanted = self.fingerprints(offset, bytes.len())?;
        self.fill(offset, bytes, Check::Seal).ok()?;
        let starts = (offset..).step_by(chunk);
        let values: Vec<Value> = starts.zip(bytes.chunks(chunk)).map(|(start, plain)| digest::of_chunk(start, plain)).collect();
        (values == wanted).then(|| digest::of_parts(&values))
    }

    /// The fingerprints of the chunks of a piece, where each is as long as all others.
    fn fingerprints(&self, offset: u64, length: usize) -> Option<Vec<Value>> {
        let Source { repository, index, .. } = &self.source;
        let of = |start: u64| {
            let (number, within) = (start / self.stride, start % self.stride);
            let part = self.part(usize::try_from(number).ok()?).ok()?;
            let chunk = usize::try_from(within / repository.chunk_size as u64).ok()?;
            let values =
                part.values.get_or_init(|| known::values(repository, index, part.fingerprints.as_ref()?, part.chunks.len()));
            (*part.starts.get(chunk)? == within).then_some(*values.as_ref()?.get(chunk)?)
        };
        (offset..offset + length as u64).step_by(repository.chunk_size).map(of).collect()
    }

    fn fill(&self, mut offset: u64, buffer: &mut [u8], check: Check) -> Result<usize> {
        let mut done = 0;
        while offset < self.size && done < buffer.len() {
            let number = usize::try_from(offset / self.stride).unwrap_or(usize::MAX);
            let part = self.part(number)?;
            let base = self.stride * number as u64;
            let copied = self.copy(&part, base, offset - base, buffer.get_mut(done..).unwrap_or_default(), check)?;
            if copied == 0 {
                return Err(self.damage(offset, "the stream ends before its size"));
            }
            done += copied;
            offset += copied as u64;
        }
        Ok(done)
    }
}

impl StreamReader for Reader {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.fill(offset, buffer, Check::Name)
    }
    fn known(&self, offset: u64) -> Result<Option<KnownPiece>> {
        if offset >= self.size {
            return Ok(None);
        }
        let number = offset / self.stride;
        let (part, base) = (self.part(usize::try_from(number).unwrap_or(usize::MAX))?, self.stride * number);
        let chunk = part.starts.partition_point(|start| *start <= offset - base).saturating_sub(1);
        let Range { start, end } = part.range(chunk);
        let piece = |id: &Id| KnownPiece { start: base + start, size: end - start, sha256: *id.bytes() };
        Ok(part.chunks.get(chunk).map(piece))
    }
    fn read_all(&self, beside: &Beside<'_>, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<Option<[u8; 32]>> {
        let pieces = self.size.div_ceil(PIECE);
        let threads = (threads() as u64).min(pieces);
        thread::scope(|scope| {
            // Each thread reads every so-many-th piece, and is at most one ahead.
            let read = |thread: u64| {
                let (sender, receiver) = sync_channel(1);
                let (give_back, spare) = channel::<Vec<u8>>();
                let numbers = (thread..pieces).step_by(usize::try_from(threads).unwrap_or(1));
                scope.spawn(move || {
                    for number in numbers {
                        let mut bytes = spare.try_recv().unwrap_or_default();
                        let offset = number * PIECE;
                        let read = self.piece(offset, &mut bytes);
                        let read = read.map(|value| beside(offset, &bytes).then_some((bytes, value)));
                        let goes_on = matches!(read, Ok(Some(_)));
                        if sender.send(read).is_err() || !goes_on {
                            return;
                        }
                    }
                });
                (receiver, give_back)
            };
            let readers: Vec<_> = (0..threads).map(read).collect();
            let mut values = Vec::new();
            for (receiver, give_back) in readers.iter().cycle().take(usize::try_from(pieces).unwrap_or(usize::MAX)) {
                let read = receiver.recv().map_err(|_| self.damage(0, "a thread that read it is gone"))??;
                let Some((piece, value)) = read.filter(|(piece, _)| each(piece)) else { return Ok(None) };
                if pieces == 1 {
                    return Ok(Some(blake3::hash(&piece).into()));
                }
                values.push(value);
                // After its last piece a thread needs no buffer any more.
                let _ = give_back.send(piece);
            }
            Ok(Some(if values.is_empty() { blake3::hash(b"").into() } else { digest::of_stream(&values) }))
        })
    }
}

/// The file in the folder of a segment.
pub(crate) const SEGMENT_FILE: &str = "bytes";

/// The folder of a segment.
pub(crate) fn segment_name(number: usize) -> String {
    format!("{number:06}")
}

/// The chunks of a file, and where each begins. A chunk that no index tells of is taken to be as long as all others, so that the rest of
/// the file can be read.
fn part_of(source: &Source, node: &Node, fingerprints: Option<Node>) -> Result<Part> {
    let chunks = node.content.clone().unwrap_or_default();
    let mut starts = Vec::with_capacity(chunks.len() + 1);
    let mut end = 0_u64;
    starts.push(end);
    let mut all_known = true;
    for id in &chunks {
        let known = source.index.find(BlobKind::Data, *id).first();
        all_known &= known.is_some();
        let size = known.map_or(source.repository.chunk_size as u64, Location::plain_size);
        end = end.saturating_add(size);
        if !all_known {
            end = end.min(node.size);
        }
        starts.push(end);
    }
    if end != node.size {
        let reason = format!("its chunks have {end} bytes, not {}", node.size);
        return Err(Damage { place: Place::object("data"), reason }.into());
    }
    Ok(Part { chunks, starts, fingerprints, values: OnceLock::new() })
}

/// Damage with the set and the stream that it concerns.
pub(crate) fn within(place: &Place, error: Error) -> Error {
    match error {
        Error::Damaged(Damage { place: Place { object, .. }, reason }) => {
            Damage { place: Place { object, ..place.clone() }, reason }.into()
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restic::index::IndexFile;
    use crate::restic::repository::tests::in_memory;
    use crate::restic::store::Store;

    /// A stream of two chunks that do not compress, with these fingerprints. The index may tell of each in the place of the other.
    fn of_two(exchanged: bool, fingerprints: fn([Value; 2]) -> [Value; 2]) -> Result<Option<[u8; 32]>> {
        let repository = in_memory();
        let chunk = repository.chunk_size;
        let bytes: Vec<u8> = (0..2 * chunk as u64).map(|number| blake3::hash(&number.to_le_bytes()).as_bytes()[0]).collect();
        let store = Store::new(repository.clone(), Arc::default())?;
        for plain in bytes.chunks(chunk) {
            store.add(&mut store.compressor()?, BlobKind::Data, plain)?;
        }
        store.finish()?;
        if exchanged {
            let (id, _) = repository.backend.list(Kind::Index).unwrap()[0];
            let mut file: IndexFile = repository.load_json(Object::new(Kind::Index, id))?;
            let blobs = &mut file.packs[0].blobs;
            (blobs[0].id, blobs[1].id) = (blobs[1].id, blobs[0].id);
            repository.save_json(Kind::Index, &file)?;
            repository.backend.remove(Object::new(Kind::Index, id)).unwrap();
        }
        let index = Arc::new(Index::load(&repository)?);
        let values = [0, chunk].map(|at| digest::of_chunk(at as u64, &bytes[at..][..chunk]));
        let part = Part {
            chunks: bytes.chunks(chunk).map(Id::of).collect(),
            starts: [0, 1, 2].map(|number| number * chunk as u64).into(),
            fingerprints: None,
            values: OnceLock::from(Some(fingerprints(values).into())),
        };
        let size = part.size();
        let reader = Reader::new(Source { repository, index, lock: None }, Place::default(), vec![Content::Here(Arc::new(part))]);
        let digest = Reader { size, stride: size, ..reader }.read_all(&|_, _| true, &mut |_| true)?;
        assert_eq!(digest, Some(blake3::hash(&bytes).into()));
        Ok(digest)
    }

    #[test]
    fn a_chunk_that_was_sealed_as_another_is_found_by_its_fingerprint_and_named() {
        assert!(of_two(false, |right| right).is_ok());
        let error = of_two(true, |right| right).unwrap_err().to_string();
        assert!(error.contains("other bytes are in its place"), "{error}");
    }

    #[test]
    fn a_fingerprint_that_is_wrong_damages_nothing_as_the_name_tells() {
        assert!(of_two(false, |[first, _]| [first, first]).is_ok());
    }
}
