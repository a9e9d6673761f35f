//! A network that cuts off, loses, delays and lies: what is published is whole, and what is not whole is not published.
//! Each fault comes by a seed; `ANCHORLOG_FAULT_SEEDS` tries more of them.
#![allow(clippy::unwrap_used)]

mod common;

use anchorlog_testkit::random::Random;
use anchorlog_testkit::s3::{Fault, Request, Server};
use anchorlog_vault::restic::backend::{Backend, Kind, Object};
use anchorlog_vault::restic::{Depth, Id, ResticVault};
use anchorlog_vault::{Error, Name, SetId, Vault};
use common::vault::{bytes, model, new_set, publish, read, secret};
use common::{backend, create, open, proxy, servers};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn seeds(usual: u64) -> u64 {
    std::env::var("ANCHORLOG_FAULT_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(usual)
}

/// One of the faults that a network has by itself, in one of so many requests.
fn fault(random: &mut Random, one_in: usize) -> Fault {
    if random.below(one_in) != 0 {
        return Fault::None;
    }
    match random.below(8) {
        0 => Fault::CutRequest(random.below(200_000)),
        1 => Fault::CutAnswer(0),
        2 => Fault::CutAnswer(random.below(600)),
        3 => Fault::CutAnswer(random.below(200_000)),
        4 => Fault::Refuse("503 Slow Down", "SlowDown"),
        5 => Fault::Refuse("500 Internal Server Error", "InternalError"),
        6 => Fault::Delay(Duration::from_millis(50)),
        _ => Fault::Shorten(random.below(5000)),
    }
}

/// Publishes a set; nothing is asserted of whether that succeeds.
fn try_publish(vault: &ResticVault, time: i64, data: &[u8]) -> anchorlog_vault::Result<SetId> {
    let mut writer = vault.begin_set(new_set(time))?;
    writer.stream(&Name::new("db/mail.edb").unwrap(), &mut &data[..])?;
    writer.publish(b"{}")
}

/// All objects of a vault but its locks.
fn everything(backend: &dyn Backend) -> Vec<(String, u64)> {
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Lock);
    let list = |kind| backend.list(kind).unwrap().into_iter().map(move |(id, size)| (Object::new(kind, id).to_string(), size));
    let mut all: Vec<_> = kinds.flat_map(list).collect();
    all.sort();
    all
}

/// One seed: a set through a bad network, looked at through a good one.
fn a_set_through(server: &Server, seed: u64, judge: impl FnMut(&Request) -> Fault + Send + 'static) -> bool {
    let prefix = format!("v{seed}");
    let direct = || backend(&server.endpoint(), &prefix);
    let (first, second) = (bytes(seed * 2, 700_000), bytes(seed * 2 + 1, 700_000));
    let vault = create(direct());
    let (old, _) = publish(&vault, new_set(1), &[("db/mail.edb", &first)]);
    drop(vault);
    let before = everything(&*direct());
    let bad = proxy(server, judge);
    let made =
        ResticVault::open_on(backend(&bad.endpoint(), &prefix), &secret()).and_then(|vault| try_publish(&vault, 2, &second));
    drop(bad);
    // Whatever was there is there.
    let after = everything(&*direct());
    assert!(before.iter().all(|object| after.contains(object)), "seed {seed}");
    let vault = open(direct());
    let wanted: Vec<SetId> = [&old].into_iter().chain(made.as_ref().ok()).cloned().collect();
    let found = model::ids(&vault);
    // An answer may be lost behind the commit point: then the set is there, whole, though its maker was told otherwise.
    assert!(found.starts_with(&wanted) && found.len() <= 2, "seed {seed}: {made:?}");
    assert!(read(&vault, &old, "db/mail.edb").unwrap() == first, "seed {seed}");
    for set in found.iter().skip(1) {
        assert!(read(&vault, set, "db/mail.edb").unwrap() == second, "seed {seed}: {made:?}");
    }
    assert_eq!(vault.check(Depth::All).unwrap().damage, [], "seed {seed}: {made:?}");
    // And it goes on as if nothing had been.
    let (again, _) = publish(&vault, new_set(3), &[("db/mail.edb", &second)]);
    assert!(read(&vault, &again, "db/mail.edb").unwrap() == second, "seed {seed}");
    made.is_ok()
}

#[test]
fn what_passes_on_a_bad_network_is_waited_out() {
    for (name, server) in servers() {
        let (mut made, seeds) = (0, seeds(6));
        for seed in 0..seeds {
            let mut random = Random::new(seed);
            made += u64::from(a_set_through(&server, seed, move |_| fault(&mut random, 6)));
        }
        eprintln!("{name}: with a fault in one of six requests {made} of {seeds} sets were made");
        assert!(made * 2 > seeds, "{name}: {made} of {seeds}");
    }
}

#[test]
fn a_connection_that_breaks_for_good_leaves_a_whole_set_or_none() {
    for (name, server) in servers() {
        let (mut made, seeds) = (0, seeds(10));
        for seed in 0..seeds {
            let mut random = Random::new(seed);
            // A set takes some thirty requests.
            let mut left = 3 + random.below(32);
            made += u64::from(a_set_through(&server, seed, move |_| {
                left = left.saturating_sub(1);
                match (left, random.below(2)) {
                    (1.., _) => Fault::None,
                    (0, 0) => Fault::CutRequest(random.below(200_000)),
                    (0, _) => Fault::CutAnswer(0),
                }
            }));
        }
        eprintln!("{name}: {made} of {seeds} sets were made before the connection broke");
        assert!(made < seeds, "{name}");
    }
}

#[test]
fn a_listing_that_hides_entries_makes_nothing_wrong() {
    for (_, server) in servers().into_iter().filter(|(name, _)| *name == "moto") {
        let (mut made, seeds) = (0, seeds(10));
        for seed in 0..seeds {
            let mut random = Random::new(seed);
            // Of one kind each, so that more comes to pass than that the own lock is not found.
            let folder = ["data", "index", "snapshots", "keys", "locks"][usize::try_from(seed).unwrap() % 5];
            made += u64::from(a_set_through(&server, seed, move |request| {
                let concerns = request.lists() && request.target.contains(&format!("%2F{folder}%2F"));
                if concerns { Fault::Hide((0..4).filter(|_| random.below(2) == 0).collect()) } else { Fault::None }
            }));
        }
        assert!(
            (1..seeds).contains(&made),
            "{made} of {seeds}: some are refused, as the own lock or pack is not found, and some are made"
        );
    }
}

#[test]
fn a_vault_is_never_made_over_one_that_a_listing_hides() {
    for (_, server) in servers().into_iter().filter(|(name, _)| *name == "moto") {
        let (set, _) = publish(&create(backend(&server.endpoint(), "v")), new_set(1), &[("a", b"some bytes")]);
        let hiding =
            proxy(&server, |request| if request.target.contains("keys") { Fault::None } else { Fault::Hide((0..100).collect()) });
        let again = ResticVault::create_on(backend(&hiding.endpoint(), "v"), &secret(), common::vault::options());
        assert!(matches!(again, Err(Error::NotEmpty(_))));
        let vault = open(backend(&server.endpoint(), "v"));
        assert_eq!(read(&vault, &set, "a").unwrap(), b"some bytes");
    }
}

#[test]
fn a_page_that_lacks_what_it_counts_is_an_error() {
    for (_, server) in servers().into_iter().filter(|(name, _)| *name == "moto") {
        let direct = backend(&server.endpoint(), "v");
        direct.create(Object::new(Kind::Pack, Id::of(b"a")), b"x").unwrap();
        let short = proxy(&server, |_| Fault::Miscount);
        let error = backend(&short.endpoint(), "v").list(Kind::Pack).unwrap_err();
        assert!(error.to_string().contains("it has 0 keys and says 1") && error.to_string().contains("tried 5 times"), "{error}");
    }
}

#[test]
fn an_object_whose_answer_was_lost_is_stored_once() {
    for (name, server) in servers() {
        for bytes_of_answer in [0, 20] {
            let puts = Arc::new(AtomicUsize::new(0));
            let counted = puts.clone();
            // The first object tells what the server can; the answer to the next one is lost twice.
            let losing = proxy(&server, move |request| {
                let lost = request.method == "PUT" && (2..4).contains(&counted.fetch_add(1, Ordering::SeqCst));
                if lost { Fault::CutAnswer(bytes_of_answer) } else { Fault::None }
            });
            let backend = backend(&losing.endpoint(), &format!("v{bytes_of_answer}"));
            let object = Object::new(Kind::Pack, Id::of(b"a"));
            // Only PUTs are counted: HEAD and GET go through.
            backend.create(Object::new(Kind::Pack, Id::of(b"first")), b"x").unwrap();
            backend.create(object, b"these bytes").unwrap();
            assert!(puts.load(Ordering::SeqCst) > 3, "{name}");
            assert_eq!(backend.read(object, 100).unwrap(), b"these bytes", "{name}");
            // Another one's bytes are no success.
            assert_eq!(backend.create(object, b"others").unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{name}");
        }
    }
}

#[test]
fn a_lost_answer_tells_nothing_wrong_of_what_the_server_can() {
    for (name, server) in servers() {
        for lost in 0..2 {
            let puts = AtomicUsize::new(0);
            let losing = proxy(&server, move |request| {
                let is_it = request.method == "PUT" && puts.fetch_add(1, Ordering::SeqCst) == lost;
                if is_it { Fault::CutAnswer(0) } else { Fault::None }
            });
            let backend = backend(&losing.endpoint(), &format!("v{lost}"));
            backend.create(Object::new(Kind::Pack, Id::of(b"first")), b"x").unwrap();
            assert!(!backend.location().contains("without conditional writes"), "{name}, answer {lost}");
        }
    }
}

#[test]
fn an_object_of_another_writer_is_not_taken_for_the_own_one() {
    for (_, server) in servers().into_iter().filter(|(name, _)| *name == "moto") {
        let direct = backend(&server.endpoint(), "v");
        let puts = AtomicUsize::new(0);
        let other = direct.clone();
        // While the first try is refused, another program writes `config`.
        let slow = proxy(&server, move |request| {
            if request.method != "PUT" || !request.target.ends_with("config") || puts.fetch_add(1, Ordering::SeqCst) > 0 {
                return Fault::None;
            }
            other.create(Object::CONFIG, b"of another").unwrap();
            Fault::Refuse("503 Slow Down", "SlowDown")
        });
        let backend = backend(&slow.endpoint(), "v");
        backend.create(Object::new(Kind::Key, Id::of(b"k")), b"x").unwrap();
        assert_eq!(backend.create(Object::CONFIG, b"mine").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(direct.read(Object::CONFIG, 100).unwrap(), b"of another");
    }
}

#[test]
fn a_server_that_is_busy_for_long_or_gone_ends_in_an_error_and_not_in_waiting() {
    for (name, server) in servers() {
        let busy = proxy(&server, |_| Fault::Refuse("503 Slow Down", "SlowDown"));
        let object = Object::new(Kind::Pack, Id::of(b"a"));
        let error = backend(&busy.endpoint(), "v").create(object, b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{name}");
        assert!(error.to_string().contains("503") && error.to_string().contains("tried 5 times"), "{name}: {error}");
        let stuck = proxy(&server, |_| Fault::Delay(Duration::from_secs(30)));
        let options = anchorlog_vault_s3::Options {
            patience: anchorlog_vault_s3::Patience { answer: Duration::from_millis(200), tries: 2, ..common::patience() },
            ..common::options()
        };
        let begun = Instant::now();
        let storage = anchorlog_vault_s3::S3Backend::new(common::location(&stuck.endpoint(), "v"), options).unwrap();
        let error = storage.list(Kind::Pack).unwrap_err();
        assert!(error.to_string().contains("no answer within"), "{name}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}");
        let endpoint = server.endpoint();
        drop(server);
        let error = backend(&endpoint, "v").list(Kind::Pack).unwrap_err();
        assert!(error.to_string().contains("cannot connect"), "{name}: {error}");
    }
}

#[test]
fn forgetting_over_a_bad_network_takes_what_was_named_and_nothing_else() {
    for (name, server) in servers() {
        for seed in 0..seeds(6) {
            let direct = || backend(&server.endpoint(), &format!("v{seed}"));
            let vault = create(direct());
            let (kept, _) = publish(&vault, new_set(1), &[("a", b"kept")]);
            let (gone, _) = publish(&vault, new_set(2), &[("a", b"gone")]);
            drop(vault);
            let mut random = Random::new(seed);
            let bad = proxy(&server, move |_| fault(&mut random, 5));
            let forgotten = ResticVault::open_on(backend(&bad.endpoint(), &format!("v{seed}")), &secret())
                .and_then(|vault| vault.forget(std::slice::from_ref(&gone)));
            let vault = open(direct());
            let left = model::ids(&vault);
            assert!(left.contains(&kept) && (forgotten.is_err() || left.len() == 1), "{name}, seed {seed}: {forgotten:?}");
            assert_eq!(read(&vault, &kept, "a").unwrap(), b"kept", "{name}, seed {seed}");
        }
    }
}
