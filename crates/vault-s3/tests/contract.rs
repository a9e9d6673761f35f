//! What `Backend` promises, on each server.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_testkit::s3::Fault;
use anchorlog_vault::restic::Id;
use anchorlog_vault::restic::backend::{Backend, Kind, Object};
use anchorlog_vault_s3::{Options, S3Backend};
use common::{BUCKET, backend, location, options, proxy, servers};
use std::io::ErrorKind;

fn pack(bytes: &[u8]) -> Object {
    Object::new(Kind::Pack, Id::of(bytes))
}

#[test]
fn objects_are_written_once_read_listed_and_removed() {
    for (name, server) in servers() {
        for prefix in ["", "some/vault"] {
            let backend = backend(&server.endpoint(), prefix);
            assert_eq!(backend.list(Kind::Pack).unwrap(), [], "{name}");
            assert_eq!(backend.list(Kind::Config).unwrap(), [], "{name}");
            let objects = [Object::CONFIG, pack(b"a"), pack(b"b"), Object::new(Kind::Lock, Id::of(b"c"))];
            for object in objects {
                assert_eq!(backend.read(object, 100).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
                assert_eq!(backend.remove(object).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
                backend.create(object, b"0123456789").unwrap();
                assert_eq!(backend.create(object, b"0123456789").unwrap_err().kind(), ErrorKind::AlreadyExists, "{name}");
                assert_eq!(backend.create(object, b"other").unwrap_err().kind(), ErrorKind::AlreadyExists, "{name}");
                assert_eq!(backend.read(object, 10).unwrap(), b"0123456789", "{name}");
            }
            let mut packs = backend.list(Kind::Pack).unwrap();
            packs.sort_unstable();
            let mut wanted = [(Id::of(b"a"), 10), (Id::of(b"b"), 10)];
            wanted.sort_unstable();
            assert_eq!(packs, wanted, "{name}");
            assert_eq!(backend.list(Kind::Config).unwrap(), [(Object::CONFIG.id, 10)], "{name}");
            assert_eq!(backend.list(Kind::Snapshot).unwrap(), [], "{name}");
            backend.sync().unwrap();
            for object in objects {
                backend.remove(object).unwrap();
            }
            assert_eq!(backend.list(Kind::Pack).unwrap(), [], "{name}");
            assert_eq!(
                backend.location(),
                format!("s3:{}/{BUCKET}{}{prefix}", server.endpoint(), if prefix.is_empty() { "" } else { "/" })
            );
        }
    }
}

#[test]
fn reading_has_bounds() {
    for (name, server) in servers() {
        let backend = backend(&server.endpoint(), "v");
        let object = pack(b"x");
        backend.create(object, b"0123456789").unwrap();
        assert_eq!(backend.read(object, 9).unwrap_err().kind(), ErrorKind::FileTooLarge, "{name}");
        assert_eq!(backend.read_range(object, 3, 4).unwrap(), b"3456", "{name}");
        assert_eq!(backend.read_range(object, 0, 10).unwrap(), b"0123456789", "{name}");
        assert_eq!(backend.read_range(object, 10, 0).unwrap(), b"", "{name}");
        for (offset, length) in [(3, 8), (10, 1), (11, 0), (100, 5), (0, 1 << 40), (u64::MAX, 2)] {
            assert_eq!(
                backend.read_range(object, offset, length).unwrap_err().kind(),
                ErrorKind::UnexpectedEof,
                "{name}: {offset}, {length}"
            );
        }
        assert_eq!(backend.read_range(pack(b"none"), 0, 1).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        let empty = pack(b"empty");
        backend.create(empty, b"").unwrap();
        assert_eq!(backend.read(empty, 0).unwrap(), b"", "{name}");
    }
}

#[test]
fn a_listing_has_all_pages_and_nothing_that_is_no_object() {
    for (name, server) in servers() {
        let backend = backend(&server.endpoint(), "v");
        // More than a page of a thousand.
        let count = 1203;
        let ids: Vec<Id> = (0..count).map(|number: u32| Id::of(&number.to_le_bytes())).collect();
        std::thread::scope(|scope| {
            for part in ids.chunks(151) {
                let backend = &backend;
                scope.spawn(move || part.iter().for_each(|id| backend.create(Object::new(Kind::Snapshot, *id), b"x").unwrap()));
            }
        });
        // What lies beside belongs to others.
        let beside = common::backend(&server.endpoint(), "v/snapshots/deeper");
        beside.create(Object::new(Kind::Snapshot, Id::of(b"beside")), b"x").unwrap();
        common::backend(&server.endpoint(), "v2").create(Object::new(Kind::Snapshot, Id::of(b"other")), b"x").unwrap();
        let mut found: Vec<Id> = backend.list(Kind::Snapshot).unwrap().into_iter().map(|(id, _)| id).collect();
        found.sort_unstable();
        let mut wanted = ids;
        wanted.sort_unstable();
        assert!(found == wanted, "{name}: {} of {count}", found.len());
    }
}

#[test]
fn of_many_that_create_an_object_one_succeeds() {
    // s3s-fs looks first and writes then, so that several may come between.
    for (name, server) in servers().into_iter().filter(|(name, _)| *name == "moto") {
        for round in 0..5 {
            let backend = backend(&server.endpoint(), &format!("v{round}"));
            backend.create(pack(b"first"), b"decides what the server can").unwrap();
            let texts: Vec<String> = (0..6).map(|writer| format!("writer {writer}")).collect();
            let results: Vec<bool> = std::thread::scope(|scope| {
                let writers: Vec<_> =
                    texts.iter().map(|text| scope.spawn(|| backend.create(Object::CONFIG, text.as_bytes()).is_ok())).collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            let stored = backend.read(Object::CONFIG, 100).unwrap();
            let winners: Vec<&String> = texts.iter().zip(&results).filter(|(_, won)| **won).map(|(text, _)| text).collect();
            assert_eq!(winners.len(), 1, "{name}");
            assert_eq!(winners[0].as_bytes(), stored, "{name}");
        }
    }
}

#[test]
fn a_server_that_overwrites_is_looked_at_before_and_behind() {
    for (name, server) in servers().into_iter().filter(|(name, _)| *name == "moto") {
        // moto does not check signatures: so the header may go on the way.
        let proxy = proxy(&server, |_| Fault::Strip("if-none-match"));
        let backend = backend(&proxy.endpoint(), "v");
        let object = pack(b"x");
        backend.create(object, b"bytes").unwrap();
        assert!(backend.location().ends_with("(a server without conditional writes)"), "{name}: {}", backend.location());
        for object in [object, Object::CONFIG] {
            let _ = backend.create(object, b"bytes");
            assert_eq!(backend.create(object, b"other").unwrap_err().kind(), ErrorKind::AlreadyExists, "{name}");
            assert_eq!(backend.read(object, 10).unwrap(), b"bytes", "{name}");
        }
    }
}

#[test]
fn a_wrong_key_and_a_missing_bucket_are_told_as_what_they_are() {
    for (name, server) in servers() {
        let elsewhere = anchorlog_vault_s3::Location::parse(&format!("s3:{}/nowhere/v", server.endpoint()), |_| None).unwrap();
        let backend = S3Backend::new(elsewhere, options()).unwrap();
        let error = backend.list(Kind::Lock).unwrap_err();
        // A vault without a bucket is not an empty one.
        assert_eq!(error.kind(), ErrorKind::Other, "{name}: {error}");
        assert!(error.to_string().contains("NoSuchBucket"), "{name}: {error}");
        // s3s-fs makes buckets for whoever writes, moto lets everybody in.
        if name == "moto" {
            assert!(backend.create(pack(b"x"), b"x").is_err());
        }
        if name == "s3s-fs" {
            let wrong = Options { key: Some((anchorlog_testkit::s3::KEY.into(), "wrong".into())), ..options() };
            let error = S3Backend::new(location(&server.endpoint(), "v"), wrong).unwrap().list(Kind::Pack).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            assert!(
                error.to_string().contains("SignatureDoesNotMatch") && error.to_string().contains("AWS_SECRET_ACCESS_KEY"),
                "{error}"
            );
        }
    }
}
