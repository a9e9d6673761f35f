//! Objects that nobody may remove: moto has object lock, s3s-fs takes no notice of it.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_testkit::s3::Server;
use anchorlog_vault::Error;
use anchorlog_vault::Vault as _;
use anchorlog_vault::restic::backend::{Backend as _, Kind, Object};
use anchorlog_vault::restic::{CreateOptions, Id, LockMode, ObjectLock, ResticVault};
use common::vault::{name, new_set, publish, read, secret};
use common::{BUCKET, backend, servers};

const DAY: i64 = 24 * 3600;

fn options(mode: LockMode, days: u16) -> CreateOptions {
    CreateOptions { object_lock: Some(ObjectLock { mode, days }), ..common::vault::options() }
}

/// moto with a bucket that has object lock.
fn moto() -> Option<Server> {
    let server = Server::moto()?;
    server.make_bucket(BUCKET, true);
    Some(server)
}

/// In how many days an object may be removed, rounded down; `None` where it may at once.
fn days_kept(vault: &ResticVault, object: Object) -> Option<i64> {
    let until = vault.backend().kept_until(object).unwrap()?;
    // What takes a moment takes a day away.
    Some((until.as_second() + 3600 - now()) / DAY)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[test]
fn every_object_but_the_locks_is_kept_whoever_writes_it() {
    let Some(server) = moto() else { return };
    for (number, mode) in [LockMode::Governance, LockMode::Compliance].into_iter().enumerate() {
        let at = || backend(&server.endpoint(), &format!("v{number}"));
        let vault = ResticVault::create_on(at(), &secret(), options(mode, 30)).unwrap();
        let (set, _) = publish(&vault, new_set(1), &[("a", b"some bytes")]);
        drop(vault);
        // The vault itself says it to whoever opens it.
        let vault = ResticVault::open_on(at(), &secret()).unwrap();
        vault.attach(&set, &name("proof.json"), b"{}").unwrap();
        for kind in Kind::ALL {
            let found = vault.backend().list(kind).unwrap();
            assert!(!found.is_empty(), "{kind:?}");
            for (id, _) in found {
                let wanted = if kind == Kind::Lock { None } else { Some(30) };
                assert_eq!(days_kept(&vault, Object::new(kind, id)), wanted, "{kind:?}");
            }
        }
        let protection = vault.protection(&mut |_, _| true).unwrap();
        assert_eq!((protection.unprotected, protection.extended), (0, 0));
        assert_eq!(protection.objects, 1 + 1 + 2 + 2 + vault.backend().list(Kind::Pack).unwrap().len());
        assert_eq!(read(&vault, &set, "a").unwrap(), b"some bytes");
    }
}

#[test]
fn what_is_kept_for_too_short_a_time_is_extended() {
    let Some(server) = moto() else { return };
    let vault =
        ResticVault::create_on(backend(&server.endpoint(), "a vault"), &secret(), options(LockMode::Governance, 30)).unwrap();
    publish(&vault, new_set(1), &[("a", b"some bytes")]);
    let extended = vault.extend_lock(&mut |_, _| true).unwrap();
    assert_eq!(extended.extended, 0, "what is fresh is left alone");
    // Another client, without the vault's key, writes an object that is not kept, and one for five days.
    let (loose, short) = (Object::new(Kind::Pack, Id::of(b"loose")), Object::new(Kind::Pack, Id::of(b"short")));
    backend(&server.endpoint(), "a vault").create(loose, b"loose").unwrap();
    let other = backend(&server.endpoint(), "a vault");
    other.lock_objects(ObjectLock { mode: LockMode::Governance, days: 5 }).unwrap();
    other.create(short, b"short").unwrap();
    let protection = vault.protection(&mut |_, _| true).unwrap();
    assert_eq!((protection.unprotected, protection.named), (1, vec![loose.to_string()]));
    assert_eq!((days_kept(&vault, loose), days_kept(&vault, short)), (None, Some(5)));
    let extended = vault.extend_lock(&mut |_, _| true).unwrap();
    assert_eq!((extended.extended, extended.unprotected), (2, 0));
    assert_eq!((days_kept(&vault, loose), days_kept(&vault, short)), (Some(30), Some(30)));
}

#[test]
fn a_bucket_that_keeps_nothing_is_refused_and_left_empty() {
    for (server_name, server) in servers() {
        let made = ResticVault::create_on(backend(&server.endpoint(), "v"), &secret(), options(LockMode::Governance, 30));
        assert!(made.is_err(), "{server_name}");
        if server_name == "s3s-fs" {
            assert!(matches!(&made, Err(Error::Unsupported(why)) if why.contains("must be made with object lock")));
        }
        let storage = backend(&server.endpoint(), "v");
        for kind in Kind::ALL {
            assert_eq!(storage.list(kind).unwrap(), [], "{server_name}: {kind:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let made = ResticVault::create(folder.path(), &secret(), options(LockMode::Governance, 30));
        assert!(made.is_err_and(|error| error.to_string().contains("no object lock")));
    }
}
