//! What streams were in other sets, chunk by chunk.

use crate::restic::Id;
use crate::restic::digest::{VALUE_SIZE, Value};
use crate::restic::index::Index;
use crate::restic::reader::{SEGMENT_FILE, segment_name};
use crate::restic::repository::Repository;
use crate::restic::stream::Chunks;
use crate::restic::tree::{Node, Tree, small_file};
use crate::set::Name;
use std::sync::Arc;

/// In the folder of a segment, beside its bytes.
pub(crate) const FINGERPRINTS: &str = "fingerprints";
/// Fingerprints of one segment in bytes, at most.
const LIMIT: u64 = 64 << 20;

/// Where the fingerprints of a stream lie that has no segments.
pub(crate) fn fingerprints_of(name: &Name) -> String {
    format!("{FINGERPRINTS}/{name}")
}

/// Fingerprints as they are stored.
pub(crate) fn fingerprints(values: &[Value]) -> Vec<u8> {
    values.concat()
}

/// Sets that the one being written resembles.
pub(crate) struct Known {
    repository: Arc<Repository>,
    index: Arc<Index>,
    roots: Vec<Id>,
}

impl Known {
    pub(crate) fn new(repository: Arc<Repository>, index: Arc<Index>) -> Self {
        Self { repository, index, roots: Vec::new() }
    }
    /// Another set, by its root.
    pub(crate) fn add(&mut self, root: Id) {
        self.roots.push(root);
    }
    /// A part of a stream, numbered from 0, as the first of the sets has it that has it. What cannot be read is as good as unknown.
    pub(crate) fn part(&self, name: &Name, number: usize) -> Option<Chunks> {
        self.roots.iter().find_map(|root| {
            let folder = format!("segments/{name}/{}", segment_name(number));
            self.chunks(*root, &format!("{folder}/{SEGMENT_FILE}"), &format!("{folder}/{FINGERPRINTS}")).or_else(|| {
                let whole = || self.chunks(*root, &format!("streams/{name}"), &fingerprints_of(name));
                (number == 0).then(whole).flatten()
            })
        })
    }
    fn chunks(&self, root: Id, bytes: &str, fingerprints: &str) -> Option<Chunks> {
        let node = |path: &str| -> Option<Node> { Tree::resolve(&self.repository, &self.index, root, path).ok()? };
        let ids = node(bytes)?.content?;
        let values = values(&self.repository, &self.index, &node(fingerprints)?, ids.len())?;
        Some(Chunks { ids, values })
    }
}

/// The fingerprints of so many chunks out of their file; `None` where they cannot be read, or are of others.
pub(crate) fn values(repository: &Repository, index: &Index, file: &Node, chunks: usize) -> Option<Vec<Value>> {
    let bytes = small_file(repository, index, file, LIMIT).ok()?;
    let (values, rest) = bytes.as_chunks::<VALUE_SIZE>();
    (rest.is_empty() && values.len() == chunks).then(|| values.to_vec())
}
