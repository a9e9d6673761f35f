//! Where each blob is: the index files of a repository, and all of them in memory (restic's design document, "Indexing").

use crate::error::{Damage, Error, Place, Result};
use crate::restic::Id;
use crate::restic::backend::{Kind, Object};
use crate::restic::pack::{BlobKind, size_of};
use crate::restic::repository::Repository;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Blobs in an index file, about.
pub(crate) const FILE_BLOBS: usize = 50_000;

/// An index file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    /// Packs in use.
    pub packs: Vec<IndexPack>,
    /// Packs that a prune has marked: what is in them is not to be used any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs_to_delete: Vec<IndexPack>,
}

/// What an index file says of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPack {
    /// Name of the pack.
    pub id: Id,
    /// Its blobs.
    pub blobs: Vec<IndexBlob>,
}

/// What an index file says of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexBlob {
    /// SHA-256 of its plain bytes.
    pub id: Id,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: BlobKind,
    /// First byte in the pack.
    pub offset: u32,
    /// Bytes in the pack, sealed.
    pub length: u32,
    /// Plain bytes, where they were compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncompressed_length: Option<u32>,
}

/// One place of a blob.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    pub(crate) id: Id,
    pack: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// 0: not compressed.
    uncompressed_length: u32,
}

impl Location {
    /// The place of a blob in a pack that is known otherwise.
    pub(crate) fn of(blob: &IndexBlob) -> Self {
        Self::in_pack(0, blob)
    }
    fn in_pack(pack: u32, blob: &IndexBlob) -> Self {
        let &IndexBlob { id, offset, length, uncompressed_length, .. } = blob;
        Self { id, pack, offset, length, uncompressed_length: uncompressed_length.unwrap_or_default() }
    }
    pub(crate) fn uncompressed_length(&self) -> Option<u32> {
        (self.uncompressed_length != 0).then_some(self.uncompressed_length)
    }
    /// Size of the plain bytes.
    pub(crate) fn plain_size(&self) -> u64 {
        let sealed = u64::from(self.length).saturating_sub(crate::restic::crypto::OVERHEAD as u64);
        self.uncompressed_length().map_or(sealed, u64::from)
    }
}

/// The blobs of a repository: 48 bytes of memory for each.
#[derive(Default)]
pub(crate) struct Index {
    data: Vec<Location>,
    trees: Vec<Location>,
    packs: Vec<(Id, u64)>,
    files: BTreeSet<Id>,
    /// Index files that cannot be read: blobs may be missing for that reason.
    pub(crate) damage: Vec<Damage>,
}

impl Index {
    /// All index files of the repository.
    ///
    /// # Errors
    /// The storage's. A damaged file is none: it is noted.
    pub(crate) fn load(repository: &Repository) -> Result<Self> {
        let files = names(repository)?;
        let mut index = Self { files, ..Self::default() };
        let mut numbers = HashMap::new();
        for id in index.files.clone() {
            match repository.load_json::<IndexFile>(Object::new(Kind::Index, id)) {
                Ok(file) => {
                    for pack in file.packs {
                        index.add(&mut numbers, &pack)?;
                    }
                }
                Err(Error::Damaged(damage)) => index.damage.push(damage),
                Err(error) => return Err(error),
            }
        }
        for blobs in [&mut index.data, &mut index.trees] {
            blobs.sort_unstable_by_key(|blob| blob.id);
            blobs.shrink_to_fit();
        }
        Ok(index)
    }

    /// Whether the repository has other index files by now.
    ///
    /// # Errors
    /// The storage's.
    pub(crate) fn is_stale(&self, repository: &Repository) -> Result<bool> {
        Ok(names(repository)? != self.files)
    }

    fn add(&mut self, numbers: &mut HashMap<Id, u32>, pack: &IndexPack) -> Result<()> {
        let new =
            u32::try_from(self.packs.len()).map_err(|_| Error::Unsupported("more than four thousand million packs".into()))?;
        let number = *numbers.entry(pack.id).or_insert(new);
        if number != new {
            return Ok(()); // Two index files may tell of the same pack.
        }
        self.packs.push((pack.id, size_of(&pack.blobs)));
        for blob in &pack.blobs {
            self.of_mut(blob.kind).push(Location::in_pack(number, blob));
        }
        Ok(())
    }

    fn of_mut(&mut self, kind: BlobKind) -> &mut Vec<Location> {
        match kind {
            BlobKind::Data => &mut self.data,
            BlobKind::Tree => &mut self.trees,
        }
    }
    /// All blobs of a kind, ascending.
    pub(crate) fn all(&self, kind: BlobKind) -> &[Location] {
        match kind {
            BlobKind::Data => &self.data,
            BlobKind::Tree => &self.trees,
        }
    }
    /// Every place of a blob; empty where it is nowhere.
    pub(crate) fn find(&self, kind: BlobKind, id: Id) -> &[Location] {
        let blobs = self.all(kind);
        let start = blobs.partition_point(|blob| blob.id < id);
        let rest = blobs.get(start..).unwrap_or_default();
        let count = rest.iter().take_while(|blob| blob.id == id).count();
        rest.get(..count).unwrap_or_default()
    }
    /// The pack that a blob is in.
    pub(crate) fn pack(&self, location: &Location) -> Id {
        self.packs.get(location.pack as usize).map(|(id, _)| *id).unwrap_or_default()
    }
    /// All packs with the sizes that they must have.
    pub(crate) fn packs(&self) -> &[(Id, u64)] {
        &self.packs
    }
    /// Whether a blob is in one of these packs.
    pub(crate) fn is_in(&self, sound: &SoundPacks, kind: BlobKind, id: Id) -> bool {
        self.find(kind, id).iter().any(|blob| sound.0.get(blob.pack as usize) == Some(&true))
    }
    /// The packs that are there with the size that they must have: only what is in them need not be stored again.
    pub(crate) fn sound_packs(&self, there: &HashMap<Id, u64>) -> SoundPacks {
        SoundPacks(self.packs.iter().map(|(id, size)| there.get(id) == Some(size)).collect())
    }
}

/// By a pack's number, whether it is sound.
pub(crate) struct SoundPacks(Vec<bool>);

fn names(repository: &Repository) -> Result<BTreeSet<Id>> {
    let list = repository.backend.list(Kind::Index);
    Ok(list.map_err(|error| Error::Storage(Place::object("index"), error))?.into_iter().map(|(id, _)| id).collect())
}
