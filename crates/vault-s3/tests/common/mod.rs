//! A bucket on a server, and ways into it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part")]

#[path = "../../../vault/tests/common/mod.rs"]
pub mod vault;

use anchorlog_testkit::s3::{Fault, KEY, Proxy, Request, SECRET, Server};
use anchorlog_vault::restic::ResticVault;
use anchorlog_vault::restic::backend::Backend;
use anchorlog_vault_s3::{Location, Options, Patience, S3Backend};
use std::sync::Arc;
use std::time::Duration;

pub const BUCKET: &str = "backups";

/// Fast enough for tests, and slow enough for a machine that has much else to do.
pub fn patience() -> Patience {
    let (first_wait, longest_wait) = (Duration::from_millis(5), Duration::from_millis(20));
    Patience { tries: 5, first_wait, longest_wait, answer: Duration::from_secs(60), ..Patience::default() }
}

pub fn options() -> Options {
    Options { key: Some((KEY.into(), SECRET.into())), region: Some("us-east-1".into()), patience: patience() }
}

pub fn location(endpoint: &str, prefix: &str) -> Location {
    Location::parse(&format!("s3:{endpoint}/{BUCKET}/{prefix}"), |_| None).unwrap()
}

pub fn backend(endpoint: &str, prefix: &str) -> Arc<S3Backend> {
    Arc::new(S3Backend::new(location(endpoint, prefix), options()).unwrap())
}

pub fn create(backend: Arc<dyn Backend>) -> ResticVault {
    ResticVault::create_on(backend, &vault::secret(), vault::options()).unwrap()
}

pub fn open(backend: Arc<dyn Backend>) -> ResticVault {
    ResticVault::open_on(backend, &vault::secret()).unwrap()
}

/// A bad network before a server.
pub fn proxy(server: &Server, judge: impl FnMut(&Request) -> Fault + Send + 'static) -> Proxy {
    Proxy::before(&server.address, judge)
}

/// Those servers that are installed, each with an empty bucket.
pub fn servers() -> Vec<(&'static str, Server)> {
    let servers = Server::all();
    for (_, server) in &servers {
        server.make_bucket(BUCKET, false);
    }
    servers
}
