//! What a vault leaves to rustic_core: prune, a second opinion on a check, and the repair of the index.
//!
//! rustic_core is another implementation of restic's format. It knows no locks, and panics on some damage: here it works over the storage of
//! the vault, below an exclusive lock, and a panic is an error.
#![forbid(unsafe_code)]

mod bridge;
mod error;
mod limit;
mod prune;

pub use error::{Error, Result};
pub use limit::Limit;
pub use prune::{KEEP_MARKED_HOURS_MIN, Options, PruneReport, prune};

use anchorlog_vault::restic::{Exclusive, ResticVault};
use bridge::Bridge;
use rustic_core::{CheckOptions, Credentials, OpenStatus, RepairIndexOptions, Repository, RepositoryBackends, RepositoryOptions};
use std::sync::Arc;

/// What rustic_core's check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// What is wrong.
    pub errors: Vec<String>,
    /// What is strange, and harms nothing.
    pub warnings: Vec<String>,
}

/// Checks the vault; with `read_data` every byte of it.
///
/// # Errors
/// Another client's lock; rustic_core's and the storage's, where nothing can be said for them.
pub fn check(vault: &ResticVault, read_data: bool) -> Result<CheckReport> {
    vault.alone(|exclusive| {
        error::guarded(|| {
            let options = CheckOptions::default().read_data(read_data);
            let mut report = CheckReport::default();
            for (level, finding) in open(vault, exclusive)?.check(options)?.0 {
                let list = if format!("{level:?}") == "Error" { &mut report.errors } else { &mut report.warnings };
                list.push(finding.to_string());
            }
            Ok(report)
        })
    })
}

/// Makes the index anew where it is wrong: for packs that it does not tell of, and without those that are not there. With `read_all` from
/// all packs, whatever it says. An index file that cannot be read must be removed before.
///
/// # Errors
/// Another client's lock; rustic_core's and the storage's.
pub fn repair_index(vault: &ResticVault, read_all: bool) -> Result<()> {
    vault.alone(|exclusive| {
        error::guarded(|| {
            exclusive.confirm()?;
            open(vault, exclusive)?.repair_index(&RepairIndexOptions::default().read_all(read_all), false)?;
            sync(vault)
        })
    })
}

fn open(vault: &ResticVault, exclusive: &Exclusive) -> Result<Repository<OpenStatus>> {
    let bridge = Bridge::new(vault.backend(), exclusive.clone());
    let backends = RepositoryBackends::new(Arc::new(bridge), None);
    let options = RepositoryOptions::default().no_cache(true);
    let key = serde_json::from_str(&vault.master_key()?).map_err(|error| Error::Rustic(error.to_string()))?;
    Ok(Repository::new(&options, &backends)?.open(&Credentials::Masterkey(key))?)
}

fn sync(vault: &ResticVault) -> Result<()> {
    let failed = |error| anchorlog_vault::Error::Storage(anchorlog_vault::Place::default(), error);
    Ok(vault.backend().sync().map_err(failed)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use anchorlog_testkit::crash::CrashDisk;
    use anchorlog_testkit::random::Random;
    use anchorlog_vault::restic::backend::{Backend, Kind, Object};
    use anchorlog_vault::restic::folder::FolderBackend;
    use anchorlog_vault::restic::{CreateOptions, Secret};
    use anchorlog_vault::{Name, NewSet, SetId, Vault};
    use rustic_core::repofile::{Metadata, Node, NodeType};
    use rustic_core::{BackupOptions, ParentOptions, ReadSource, ReadSourceEntry, RusticResult, SnapshotOptions};
    use std::ffi::OsStr;
    use std::io::Cursor;
    use std::path::PathBuf;

    pub(crate) fn secret() -> Secret {
        Secret::password("x")
    }
    pub(crate) fn on(disk: &CrashDisk) -> Arc<dyn Backend> {
        Arc::new(FolderBackend::new(disk.folder(), "memory").unwrap())
    }
    pub(crate) fn vault_on(disk: &CrashDisk) -> ResticVault {
        let options = CreateOptions { kdf_cost: 10, ..CreateOptions::default() };
        ResticVault::create_on(on(disk), &secret(), options).unwrap()
    }
    pub(crate) fn reopened(disk: &CrashDisk) -> ResticVault {
        ResticVault::open_on(on(disk), &secret()).unwrap()
    }
    pub(crate) fn bytes(seed: u64, size: usize) -> Vec<u8> {
        let mut random = Random::new(seed);
        std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(size).collect()
    }
    pub(crate) fn publish(vault: &dyn Vault, time: i64, streams: &[(&str, &[u8])]) -> SetId {
        let mut writer = vault.begin_set(NewSet { time, ..NewSet::default() }).unwrap();
        for (name, bytes) in streams {
            writer.stream(&Name::new(name).unwrap(), &mut &bytes[..]).unwrap();
        }
        writer.publish(b"{}").unwrap()
    }
    pub(crate) fn ids(vault: &dyn Vault) -> Vec<SetId> {
        vault.sets().unwrap().into_iter().map(|set| set.unwrap().id).collect()
    }
    pub(crate) fn read(vault: &dyn Vault, set: &SetId, stream: &str) -> anchorlog_vault::Result<Vec<u8>> {
        let reader = vault.open_stream(set, &Name::new(stream).unwrap())?;
        let mut all = vec![0; usize::try_from(reader.size()).unwrap()];
        assert_eq!(reader.read_at(0, &mut all)?, all.len());
        Ok(all)
    }

    /// One stream for rustic_core's own writer.
    struct Stream(Vec<u8>);

    impl ReadSource for Stream {
        type Open = Cursor<Vec<u8>>;
        type Iter = std::vec::IntoIter<RusticResult<ReadSourceEntry<Self::Open>>>;
        fn size(&self) -> RusticResult<Option<u64>> {
            Ok(Some(self.0.len() as u64))
        }
        fn entries(&self) -> Self::Iter {
            let metadata = Metadata { size: self.0.len() as u64, ..Metadata::default() };
            let node = Node::new_node(OsStr::new("a"), NodeType::File, metadata);
            vec![Ok(ReadSourceEntry { path: PathBuf::from("a"), node, open: Some(Cursor::new(self.0.clone())) })].into_iter()
        }
    }

    #[test]
    fn rustics_writer_and_ours_make_the_same_chunks() {
        for size in [0, 1, 1 << 16, (1 << 20) + 77, 3 << 20] {
            let disk = CrashDisk::default();
            let vault = vault_on(&disk);
            let content = bytes(7, size);
            let set = publish(&vault, 1, &[("a", &content)]);
            let contents = vault.alone(|exclusive| -> Result<_> {
                let ours = open(&vault, exclusive)?
                    .to_indexed()?
                    .node_from_snapshot_path(&format!("{}:streams/a", set.as_str()), |_| true)?;
                let options = BackupOptions::default().parent_opts(ParentOptions::default().force(true));
                let snapshot = SnapshotOptions::default().to_snapshot()?;
                let snapshot = open(&vault, exclusive)?.to_indexed_ids()?.archive(
                    &options,
                    &Stream(content.clone()),
                    snapshot,
                    &[PathBuf::from("a")],
                )?;
                let theirs = open(&vault, exclusive)?.to_indexed()?.node_from_snapshot_and_path(&snapshot, "a")?;
                Ok((ours.content, theirs.content))
            });
            let (ours, theirs) = contents.unwrap();
            assert_eq!(ours, theirs, "{size} bytes");
            assert_eq!(ours.unwrap().len(), size.div_ceil(1 << 16));
            assert_eq!(ids(&vault), [set], "another's snapshot is no set");
        }
    }

    #[test]
    fn a_lost_index_is_made_anew() {
        let disk = CrashDisk::default();
        let vault = vault_on(&disk);
        let content = bytes(1, 200_000);
        let set = publish(&vault, 1, &[("a", &content)]);
        for (id, _) in vault.backend().list(Kind::Index).unwrap() {
            vault.backend().remove(Object::new(Kind::Index, id)).unwrap();
        }
        assert!(read(&vault, &set, "a").is_err());
        repair_index(&vault, false).unwrap();
        assert!(read(&vault, &set, "a").unwrap() == content);
        let report = check(&vault, true).unwrap();
        assert_eq!(report.errors, [""; 0]);
    }

    #[test]
    fn a_changed_byte_is_found_where_the_data_are_read() {
        let disk = CrashDisk::default();
        let vault = vault_on(&disk);
        publish(&vault, 1, &[("a", &bytes(1, 200_000))]);
        drop(vault);
        let mut files = disk.files();
        let pack =
            files.iter().filter(|(path, _)| path.starts_with("data")).max_by_key(|(_, bytes)| bytes.len()).unwrap().0.clone();
        let mut bytes = files[&pack].to_vec();
        bytes[1000] ^= 1;
        files.insert(pack, Arc::new(bytes));
        let vault = reopened(&CrashDisk::new(files));
        assert_eq!(check(&vault, false).unwrap().errors, [""; 0]);
        assert!(!check(&vault, true).unwrap().errors.is_empty());
    }
}
