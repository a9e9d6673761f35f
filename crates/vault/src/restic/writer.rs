//! Sets being written: data first, the snapshot last, when all of it has been read back.

use crate::SetWriter;
use crate::error::{Error, Place, Result};
use crate::restic::backend::{Kind, Object};
use crate::restic::digest;
use crate::restic::known::{self, FINGERPRINTS, Known, fingerprints_of};
use crate::restic::lock::Lock;
use crate::restic::pack::BlobKind;
use crate::restic::reader::{SEGMENT_FILE, segment_name};
use crate::restic::repository::Repository;
use crate::restic::snapshot::Snapshot;
use crate::restic::store::Store;
use crate::restic::stream::{self, Chunks, Failure, Part, Segment};
use crate::restic::tree::{Node, Tree};
use crate::restic::{Id, limits};
use crate::set::{Name, Names, NewSet, Receipt, SetId};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

/// The manifest in the root of a set.
pub(crate) const MANIFEST: &str = "manifest.json";

/// A set being written. `F`: the root of another set.
pub(crate) struct Writer<F> {
    repository: Arc<Repository>,
    lock: Arc<Lock>,
    store: Store,
    made: NewSet,
    known: Known,
    root_of: F,
    /// Streams longer than this are cut into segments of this size.
    segment_size: u64,
    names: Names,
    root: Folder,
    failed: Option<Name>,
}

impl<F: Fn(&SetId) -> Result<Id>> Writer<F> {
    pub(crate) fn new(store: Store, lock: Arc<Lock>, known: Known, root_of: F, made: NewSet, segment_size: u64) -> Self {
        let (repository, names, root) = (store.repository(), Names::default(), Folder::default());
        Self { repository, lock, store, made, known, root_of, segment_size, names, root, failed: None }
    }

    fn store(&mut self, name: &Name, source: &mut dyn Read) -> std::result::Result<Receipt, Failure> {
        let first = self.part(name, 0, source)?;
        let (mut bytes, mut stored, mut ended) = (first.size, first.stored, first.ended);
        let mut values = vec![digest::of_parts(&first.chunks.values)];
        // Whether a full segment was the whole stream, only the next read tells.
        let second = if ended { None } else { Some(self.part(name, 1, source)?).filter(|part| part.size > 0) };
        let Some(mut next) = second else {
            let blake3 = first.whole.unwrap_or_else(|| digest::of_stream(&first.chunks.values));
            stored += self.put_whole(name, first).map_err(Failure::Vault)?;
            return Ok(Receipt { bytes, blake3, stored });
        };
        stored += self.put_segment(name, 0, first).map_err(Failure::Vault)?;
        for number in 1.. {
            if next.size == 0 {
                break;
            }
            (bytes, stored, ended) = (bytes + next.size, stored + next.stored, next.ended);
            values.push(digest::of_parts(&next.chunks.values));
            // Its list of chunks need not stay in memory.
            stored += self.put_segment(name, number, next).map_err(Failure::Vault)?;
            if ended {
                break;
            }
            next = self.part(name, number + 1, source)?;
        }
        Ok(Receipt { bytes, blake3: digest::of_stream(&values), stored })
    }

    /// Stores the chunks of a segment.
    fn part(&self, name: &Name, number: usize, source: &mut dyn Read) -> std::result::Result<Segment, Failure> {
        let known = self.known.part(name, number);
        let offset = self.segment_size * number as u64;
        Part { store: &self.store, chunk: self.repository.chunk_size, offset, known: known.as_ref() }
            .store(self.segment_size, source)
    }

    /// Enters a stream that is one segment. Returns the bytes that its fingerprints take.
    fn put_whole(&mut self, name: &Name, Segment { size, chunks, whole, .. }: Segment) -> Result<u64> {
        let mut stored = 0;
        // What one thread takes at once is stored faster than its fingerprints are found.
        if whole.is_none() {
            let (node, grown) = self.fingerprints(&chunks)?;
            stored = grown;
            self.root.put(&fingerprints_of(name), node);
        }
        self.root.put(&format!("streams/{name}"), |own| Node::file(own, size, chunks.ids));
        Ok(stored)
    }

    /// Turns a segment into a tree. Returns the bytes that it takes besides its chunks.
    fn put_segment(&mut self, name: &Name, number: usize, Segment { size, chunks, .. }: Segment) -> Result<u64> {
        let (fingerprints, grown) = self.fingerprints(&chunks)?;
        let nodes = vec![Node::file(SEGMENT_FILE, size, chunks.ids), fingerprints(FINGERPRINTS)];
        let (tree, stored) = save_tree(&self.store, nodes)?;
        self.root.put(&format!("segments/{name}/{}", segment_name(number)), |own| Node::folder(own, tree));
        Ok(grown + stored)
    }

    /// Stores the values of chunks; returns the file that they are.
    fn fingerprints(&self, chunks: &Chunks) -> Result<(impl FnOnce(&str) -> Node + use<F>, u64)> {
        let bytes = known::fingerprints(&chunks.values);
        let (ids, stored) = stream::document(&self.store, self.repository.chunk_size, &bytes)?;
        Ok((move |own: &str| Node::file(own, bytes.len() as u64, ids), stored))
    }
}

impl<F: Fn(&SetId) -> Result<Id>> SetWriter for Writer<F> {
    fn resembles(&mut self, set: &SetId) {
        // It is only sought for what need not be done: without it the same is stored.
        if let Ok(root) = (self.root_of)(set) {
            self.known.add(root);
        }
    }
    fn stream(&mut self, name: &Name, source: &mut dyn Read) -> Result<Receipt> {
        if !self.names.take(name) {
            return Err(Error::NameTaken(name.clone()));
        }
        self.store(name, source).map_err(|failure| {
            self.failed = Some(name.clone());
            match failure {
                Failure::Source(error) => Error::Source(name.clone(), error),
                Failure::Vault(error) => error,
            }
        })
    }
    fn publish(self: Box<Self>, manifest: &[u8]) -> Result<SetId> {
        let Self { repository, lock, store, made, mut root, failed, .. } = *self;
        if let Some(name) = failed {
            return Err(Error::Source(name, io::Error::other("the stream was not stored to its end")));
        }
        refuse_beyond(limits::DOCUMENT, manifest.len(), "the manifest")?;
        let (chunks, _) = stream::document(&store, repository.chunk_size, manifest)?;
        root.put(MANIFEST, |own| Node::file(own, manifest.len() as u64, chunks));
        let tree = root.save(&store)?;
        let id = commit(&repository, &lock, &store, &Snapshot::of_set(&made, tree)?)?;
        SetId::parse(&id.to_string()).ok_or_else(|| Object::new(Kind::Snapshot, id).damage("no name of a set"))
    }
}

/// Stores a small document as a snapshot of its own.
pub(crate) fn attach(
    repository: &Repository,
    lock: &Lock,
    store: &Store,
    (name, bytes): (&Name, &[u8]),
    snapshot: impl FnOnce(Id) -> Snapshot,
) -> Result<()> {
    refuse_beyond(limits::DOCUMENT, bytes.len(), "the attachment")?;
    let (chunks, _) = stream::document(store, repository.chunk_size, bytes)?;
    let mut root = Folder::default();
    root.put(name.as_str(), |own| Node::file(own, bytes.len() as u64, chunks));
    let tree = root.save(store)?;
    commit(repository, lock, store, &snapshot(tree)).map(|_| ())
}

/// The commit point. A snapshot that does not stand is removed again.
fn commit(repository: &Repository, lock: &Lock, store: &Store, snapshot: &Snapshot) -> Result<Id> {
    store.finish()?;
    store.read_back()?;
    // Had somebody taken the lock for stale, a prune may have taken what the snapshot needs.
    lock.confirm()?;
    let id = repository.save_json(Kind::Snapshot, snapshot)?;
    let object = Object::new(Kind::Snapshot, id);
    let stands = repository.backend.sync().map_err(|error| Error::Storage(Place::object(object.to_string()), error));
    let stands = stands.and_then(|()| repository.load_json::<Snapshot>(object)).and_then(|read| {
        let same = read == *snapshot;
        same.then_some(()).ok_or_else(|| object.damage("reads back otherwise than it was written"))
    });
    if stands.is_err() {
        // The first error is the one to tell.
        let _ = repository.backend.remove(object).and_then(|()| repository.backend.sync());
    }
    stands.map(|()| id)
}

fn save_tree(store: &Store, nodes: Vec<Node>) -> Result<(Id, u64)> {
    let bytes = Tree::of(nodes).bytes().map_err(|error| Error::Storage(Place::default(), error.into()))?;
    refuse_beyond(limits::OBJECT, bytes.len(), "the list of a folder of the set")?;
    store.add(&mut store.compressor()?, BlobKind::Tree, &bytes)
}

/// Nothing is written that would not be read.
fn refuse_beyond(limit: u64, size: usize, what: &str) -> Result<()> {
    let fits = size as u64 <= limit;
    fits.then_some(()).ok_or_else(|| Error::Unsupported(format!("{what} has {size} bytes, more than the limit of {limit}")))
}

/// A folder of the snapshot being made.
#[derive(Default)]
struct Folder {
    entries: BTreeMap<String, Entry>,
}

enum Entry {
    Node(Node),
    Folder(Folder),
}

impl Folder {
    /// Puts an entry at a path; `node` is given its last part.
    fn put(&mut self, path: &str, node: impl FnOnce(&str) -> Node) {
        match path.split_once('/') {
            None => {
                self.entries.insert(path.to_owned(), Entry::Node(node(path)));
            }
            Some((first, rest)) => {
                let entry = self.entries.entry(first.to_owned()).or_insert_with(|| Entry::Folder(Self::default()));
                if let Entry::Folder(folder) = entry {
                    folder.put(rest, node);
                }
            }
        }
    }
    /// Stores it with all that is in it.
    fn save(self, store: &Store) -> Result<Id> {
        let mut nodes = Vec::with_capacity(self.entries.len());
        for (name, entry) in self.entries {
            nodes.push(match entry {
                Entry::Node(node) => node,
                Entry::Folder(folder) => Node::folder(&name, folder.save(store)?),
            });
        }
        save_tree(store, nodes).map(|(id, _)| id)
    }
}
