//! Sets being written: data first, the snapshot last, when all of it has been read back.

use crate::SetWriter;
use crate::error::{Error, Place, Result};
use crate::restic::backend::{Kind, Object};
use crate::restic::lock::Lock;
use crate::restic::pack::BlobKind;
use crate::restic::reader::{SEGMENT_FILE, segment_name};
use crate::restic::repository::Repository;
use crate::restic::snapshot::Snapshot;
use crate::restic::store::Store;
use crate::restic::stream::{self, Failure, Segment};
use crate::restic::tree::{Node, Tree};
use crate::restic::{Id, limits};
use crate::set::{Name, Names, NewSet, Receipt, SetId};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

/// The manifest in the root of a set.
pub(crate) const MANIFEST: &str = "manifest.json";

/// A set being written.
pub(crate) struct Writer {
    pub(crate) repository: Arc<Repository>,
    pub(crate) lock: Arc<Lock>,
    pub(crate) store: Store,
    pub(crate) made: NewSet,
    /// Streams longer than this are cut into segments of this size.
    pub(crate) segment_size: u64,
    names: Names,
    root: Folder,
    failed: Option<Name>,
}

impl Writer {
    pub(crate) fn new(repository: Arc<Repository>, lock: Arc<Lock>, store: Store, made: NewSet, segment_size: u64) -> Self {
        let (names, root) = (Names::default(), Folder::default());
        Self { repository, lock, store, made, segment_size, names, root, failed: None }
    }

    fn store(&mut self, name: &Name, source: &mut dyn Read) -> std::result::Result<Receipt, Failure> {
        let chunk = self.repository.chunk_size;
        let mut hash = Sha256::new();
        let mut segment = stream::store(&self.store, chunk, self.segment_size, source, &mut hash)?;
        let (mut bytes, mut stored) = (segment.size, segment.stored);
        let mut segments = Vec::new();
        // Whether a full segment was the whole stream, only the next read tells.
        while !segment.ended {
            let next = stream::store(&self.store, chunk, self.segment_size, source, &mut hash)?;
            if next.size == 0 {
                break;
            }
            bytes += next.size;
            stored += next.stored;
            segments.push(std::mem::replace(&mut segment, next));
            self.segment(name, &mut segments, &mut stored).map_err(Failure::Vault)?;
        }
        if self.has_segments(name) {
            segments.push(segment);
            self.segment(name, &mut segments, &mut stored).map_err(Failure::Vault)?;
        } else {
            let path = format!("streams/{name}");
            self.root.put(&path, |own| Node::file(own, segment.size, segment.chunks));
        }
        Ok(Receipt { bytes, sha256: hash.finalize().into(), stored })
    }

    fn has_segments(&mut self, name: &Name) -> bool {
        self.root.find(&format!("segments/{name}")).is_some()
    }

    /// Turns segments into trees: their lists of chunks need not stay in memory.
    fn segment(&mut self, name: &Name, segments: &mut Vec<Segment>, stored: &mut u64) -> Result<()> {
        for Segment { size, chunks, .. } in segments.drain(..) {
            let (tree, grown) = save_tree(&self.store, vec![Node::file(SEGMENT_FILE, size, chunks)])?;
            *stored += grown;
            let path = format!("segments/{name}");
            let number = self.root.find(&path).map_or(0, |folder| folder.entries.len());
            self.root.put(&format!("{path}/{}", segment_name(number)), |own| Node::folder(own, tree));
        }
        Ok(())
    }
}

impl SetWriter for Writer {
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
        let (chunks, _) = stream::one_batch(&store, repository.chunk_size, manifest)?;
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
    let (chunks, _) = stream::one_batch(store, repository.chunk_size, bytes)?;
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
    /// The folder at a path.
    fn find(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |folder, part| match folder.entries.get(part) {
            Some(Entry::Folder(inner)) => Some(inner),
            _ => None,
        })
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
