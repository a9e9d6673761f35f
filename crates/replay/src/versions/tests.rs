use super::*;
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use std::path::Path;
use std::sync::Arc;

fn store(limit: usize) -> (Versions, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let root: Arc<dyn Folder> = Arc::new(DiskFolder::new(folder.path()));
    (Versions::new(BlobStore::new(limit, move || root.create(Path::new("spill")))), folder)
}

fn head(id: u32, session: u16, level: u8, change: Change) -> VersionHead {
    VersionHead {
        id: VersionId(id),
        session: SessionId(session),
        level,
        transaction: TransactionId(id / 7),
        database: DatabaseId(1),
        root: PageNumber(33),
        objid: ObjectId(12),
        unique: id % 2 == 0,
        change,
        unlogged_on: (id % 3 == 0).then_some(PageNumber(id)),
    }
}

#[test]
fn what_was_put_in_comes_out_whether_it_lies_in_memory_or_in_the_file() {
    let (mut versions, folder) = store(0);
    let before = |id: u32| vec![u8::try_from(id % 251).unwrap(); usize::try_from(id % 977).unwrap()];
    let change = |id: u32| match id % 5 {
        0 => Change::Insert,
        1 => Change::Replace { max_size: -7 },
        2 => Change::FlagDelete,
        3 => Change::Delta { offset: 9, delta: -5, wide: false },
        _ => Change::Delta { offset: 10, delta: i64::MIN, wide: true },
    };
    for id in 1..5000 {
        versions.add(&head(id, 3, 1, change(id)), &id.to_be_bytes(), b"data", &before(id)).unwrap();
    }
    assert!(versions.spilled() > 1 << 20 && folder.path().join("spill").is_file());
    for id in (1..5000).rev() {
        let version = versions.get(VersionId(id)).unwrap().unwrap();
        assert_eq!(version.head, head(id, 3, 1, change(id)));
        assert_eq!(
            (&version.key[..], &version.bookmark_data[..], version.before),
            (&id.to_be_bytes()[..], &b"data"[..], before(id))
        );
        assert_eq!(versions.take_newest(SessionId(3), 1), Some(VersionId(id)));
        versions.remove(VersionId(id));
    }
    assert!(versions.is_empty() && versions.get(VersionId(7)).unwrap().is_none());
}

#[test]
fn one_transaction_that_stays_open_does_not_keep_the_bytes_of_all_that_end() {
    let (mut versions, _folder) = store(1 << 20);
    versions.add(&head(1, 9, 1, Change::Insert), b"key", b"", b"").unwrap();
    for id in 2..200_000 {
        versions.add(&head(id, 4, 1, Change::Replace { max_size: 0 }), b"key", b"", &[7; 500]).unwrap();
        if id % 100 == 0 {
            versions.drop_session(SessionId(4));
        }
    }
    assert_eq!(versions.spilled(), 0, "100 MB went through one MiB");
    assert!(versions.contains(VersionId(1)));
}

#[test]
fn a_million_entries_come_and_go_in_order() {
    let (mut versions, _folder) = store(1 << 20);
    for id in 1..=1_000_000 {
        versions.add(&head(id, 4, 2, Change::Insert), &id.to_be_bytes(), b"", b"").unwrap();
    }
    versions.lower(SessionId(4), 2);
    for id in (1..=1_000_000).rev() {
        assert_eq!(versions.take_newest(SessionId(4), 1), Some(VersionId(id)));
        versions.remove(VersionId(id));
    }
    assert_eq!(versions.len(), 0);
}

#[test]
fn v7_entries_stand_in_the_order_of_their_numbers_not_of_their_arrival() {
    let (mut versions, _folder) = store(1 << 20);
    for id in [5, 2, 9, 7] {
        versions.add(&head(id, 1, 1, Change::FlagDelete), b"k", b"", b"").unwrap();
    }
    for id in [9, 7, 5, 2] {
        assert_eq!(versions.take_newest(SessionId(1), 1), Some(VersionId(id)));
        versions.remove(VersionId(id));
    }
}

#[test]
fn g47_numbers_that_wrap_stay_in_order() {
    let (mut versions, _folder) = store(1 << 20);
    for id in [u32::MAX, 3, u32::MAX - 1, 1] {
        versions.add(&head(id, 1, 1, Change::FlagDelete), b"k", b"", b"").unwrap();
    }
    for id in [3, 1, u32::MAX, u32::MAX - 1] {
        assert_eq!(versions.take_newest(SessionId(1), 1), Some(VersionId(id)));
        versions.remove(VersionId(id));
    }
}
