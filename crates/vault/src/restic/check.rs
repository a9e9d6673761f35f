//! Whether all that the sets need is there, and is what was written.

use crate::error::{Damage, Error, Place, Result};
use crate::restic::backend::{Kind, Object};
use crate::restic::crypto::OVERHEAD;
use crate::restic::index::{Index, IndexBlob, Location};
use crate::restic::pack::{BlobKind, PACKS_MAX, blobs_of};
use crate::restic::repository::{Repository, missing};
use crate::restic::snapshot::{self, Role, Stored};
use crate::restic::store::packs_there;
use crate::restic::stream::threads;
use crate::restic::tree::Tree;
use crate::restic::{Id, told};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything but the data: keys, index, snapshots, trees; packs are there with their sizes, and every chunk is in one.
    Metadata,
    /// That, and one of so many shares of the packs, the shares numbered from 0: another each day reads them all in so many days.
    Share {
        /// Which one.
        number: u32,
        /// Of how many.
        of: u32,
    },
    /// All packs, every byte.
    All,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What is wrong.
    pub damage: Vec<Damage>,
    /// Snapshots looked at: sets, attachments, and those of other programs.
    pub snapshots: usize,
    /// Packs that the index tells of.
    pub packs: usize,
    /// Packs that no index tells of: what an interrupted set left. They harm nothing; a prune removes them.
    pub unreferenced_packs: usize,
    /// Bytes of packs read.
    pub bytes_read: u64,
}

/// Checks a repository.
///
/// # Errors
/// The storage's, where nothing can be said for them.
pub(crate) fn check(repository: &Repository, depth: Depth) -> Result<CheckReport> {
    let index = Index::load(repository)?;
    let there = packs_there(repository)?;
    let mut report = CheckReport { damage: index.damage.clone(), packs: index.packs().len(), ..CheckReport::default() };
    for (id, size) in index.packs() {
        let object = Object::new(Kind::Pack, *id);
        let reason = match there.get(id) {
            Some(found) if found == size => continue,
            Some(found) => format!("has {found} bytes, not {size}"),
            None => "is not there".to_owned(),
        };
        report.damage.push(Damage { place: Place::object(object.to_string()), reason });
    }
    let told_of: HashSet<Id> = index.packs().iter().map(|(id, _)| *id).collect();
    report.unreferenced_packs = there.keys().filter(|id| !told_of.contains(id)).count();
    let (snapshots, damaged) = snapshot::all(repository)?;
    report.snapshots = snapshots.len() + damaged.len();
    report.damage.extend(damaged);
    let mut seen = HashSet::new();
    for Stored { snapshot, role, .. } in snapshots {
        let place = match role {
            Role::Set(set) => Place::set(&set.id),
            Role::Attachment { of, name } => Place::stream(&of, &name),
            Role::Document { name } => Place::object(name.to_string()),
            Role::Foreign => Place::default(),
        };
        check_trees(repository, &index, snapshot.tree, &place, &mut seen, &mut report)?;
    }
    let chosen = |id: &Id| match depth {
        Depth::Metadata => false,
        Depth::Share { number, of } => {
            let [a, b, c, d, ..] = *id.bytes();
            u32::from_be_bytes([a, b, c, d]) % of.max(1) == number
        }
        Depth::All => true,
    };
    // What has not its size is told already.
    let packs: Vec<(Id, u64)> =
        index.packs().iter().filter(|(id, size)| chosen(id) && there.get(id) == Some(size)).copied().collect();
    check_packs(repository, &index, &packs, &mut report)?;
    Ok(report)
}

/// Every tree below `root`, each once, and that each chunk it names is in a pack.
fn check_trees(
    repository: &Repository,
    index: &Index,
    root: Id,
    place: &Place,
    seen: &mut HashSet<Id>,
    report: &mut CheckReport,
) -> Result<()> {
    let mut pending = vec![(root, String::new())];
    while let Some((id, path)) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        let mut wrong = |error: Error| match error {
            Error::Damaged(Damage { place: Place { object, .. }, reason }) => {
                let place = Place { object: object.or_else(|| place.object.clone()), ..place.clone() };
                report.damage.push(Damage { place, reason: format!("/{path}: {reason}") });
                Ok(())
            }
            error => Err(error),
        };
        match Tree::load(repository, index, id) {
            Err(error) => wrong(error)?,
            Ok(tree) => {
                for node in tree.nodes {
                    let lacking = node.content.iter().flatten().find(|id| index.find(BlobKind::Data, **id).is_empty());
                    if let Some(lacking) = lacking {
                        wrong(missing(index, BlobKind::Data, *lacking))?;
                    }
                    let name = node.name().unwrap_or_default();
                    pending
                        .extend(node.subtree.map(|tree| (tree, if path.is_empty() { name } else { format!("{path}/{name}") })));
                }
            }
        }
    }
    Ok(())
}

/// What is told of a blob: its pack, kind, name, offset and length.
type Told = (Id, BlobKind, Id, u32, u32);

#[derive(Default)]
struct Found {
    blobs: Vec<Told>,
    bytes: u64,
    errors: Vec<(Id, Error)>,
}

/// Every byte of these packs.
fn check_packs(repository: &Repository, index: &Index, packs: &[(Id, u64)], report: &mut CheckReport) -> Result<()> {
    let mut expected: HashSet<Told> = HashSet::new();
    let chosen: HashSet<Id> = packs.iter().map(|(id, _)| *id).collect();
    for kind in [BlobKind::Data, BlobKind::Tree] {
        let places = index.all(kind).iter().map(|place| (index.pack(place), kind, place.id, place.offset, place.length));
        expected.extend(places.filter(|(pack, ..)| chosen.contains(pack)));
    }
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Found::default());
    let threads = threads().min(packs.len()).min(PACKS_MAX);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while let Some((id, size)) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = check_pack(repository, *id, *size, &mut buffer);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Ok(blobs) => {
                            found.bytes += size;
                            found.blobs.extend(blobs.into_iter().map(|blob| (*id, blob.kind, blob.id, blob.offset, blob.length)));
                        }
                        Err(error) => {
                            if !matches!(error, Error::Damaged(_)) {
                                next.store(packs.len(), Ordering::Relaxed);
                            }
                            found.errors.push((*id, error));
                        }
                    }
                }
            });
        }
    });
    let Found { blobs, bytes, errors } = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.bytes_read = bytes;
    for blob in blobs {
        expected.remove(&blob);
    }
    for (id, error) in errors {
        match error {
            Error::Damaged(damage) => report.damage.push(damage),
            error => return Err(error),
        }
        expected.retain(|(pack, ..)| *pack != id);
    }
    for (pack, _, blob, ..) in expected {
        let place = Place::object(Object::new(Kind::Pack, pack).to_string());
        report.damage.push(Damage { place, reason: format!("the index tells of blob {blob} in it, and the pack does not") });
    }
    Ok(())
}

/// The blobs of a pack, all of which have been opened. `bytes`: a buffer of before.
fn check_pack(repository: &Repository, id: Id, size: u64, bytes: &mut Vec<u8>) -> Result<Vec<IndexBlob>> {
    let object = Object::new(Kind::Pack, id);
    // Packs are nearly of one size: the first buffer does for the others.
    bytes.clear();
    bytes.reserve_exact(usize::try_from(size).unwrap_or_default().next_multiple_of(1 << 20));
    repository.backend.read_into(object, size, bytes).map_err(|error| told(object, error))?;
    let blobs = blobs_of(&repository.key, bytes);
    let changed = Id::of(bytes) != id;
    // A broken pack: which of its blobs are, says more than that it is.
    let blobs = blobs.ok_or_else(|| object.damage("its header cannot be read"))?;
    for blob in &blobs {
        let start = blob.offset as usize;
        let sealed = start.checked_add(blob.length as usize).and_then(|end| bytes.get(start..end));
        let sealed = sealed.filter(|sealed| sealed.len() >= OVERHEAD);
        let sealed = sealed.ok_or_else(|| object.damage(format!("blob {} does not lie in it", blob.id)))?;
        repository.open_blob(blob.kind, &Location::of(blob), object, sealed)?;
    }
    if changed {
        return Err(object.damage("its bytes have changed"));
    }
    Ok(blobs)
}
