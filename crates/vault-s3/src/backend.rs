//! The objects of a repository in a bucket.

use crate::failure::Failure;
use crate::location::Location;
use crate::object_lock::{self, KeptUntil};
use crate::wire::Wire;
use anchorlog_vault::restic::backend::{Backend, Kind, Object};
use anchorlog_vault::restic::{Id, ObjectLock};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, RetryConfig,
};
use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// Threads that move bytes, whoever waits for them.
const THREADS: usize = 2;
/// Where nothing names one.
const REGION: &str = "us-east-1";
/// Pages of a listing that bring nothing, one behind the other, until that is an error.
const EMPTY_PAGES: usize = 1000;

/// How long a server is waited for, and how often a request is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Times that a request is made before it fails: at least one.
    pub tries: u32,
    /// Time between the first and the second try; it doubles with each one, up to `longest_wait`.
    pub first_wait: Duration,
    /// Longest time between two tries.
    pub longest_wait: Duration,
    /// Time until an answer, or the next bytes of one, must have come; for a PUT beyond the time that its bytes may take.
    pub answer: Duration,
    /// Bytes that go up in a second, at least: what is slower counts as stuck.
    pub slowest: u64,
    /// Time after the first try behind which no other one begins.
    pub longest: Duration,
}

impl Default for Patience {
    /// A server that refuses connections fails a request after half a minute, one that swallows requests after three, one that swallows what
    /// is sent up after the time that the bytes may take.
    fn default() -> Self {
        Self {
            tries: 8,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(8),
            answer: Duration::from_secs(60),
            slowest: 64 << 10,
            longest: Duration::from_secs(120),
        }
    }
}

/// How a bucket is spoken to. What is not given here is taken from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
/// `AWS_SESSION_TOKEN`, `AWS_REGION`, and what containers and machines of Amazon are given instead of keys.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Access key and its secret.
    pub key: Option<(String, String)>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// Waiting and trying again.
    pub patience: Patience,
}

/// A repository in a bucket, below a prefix, with the names that restic gives its objects.
///
/// A PUT has stored the whole object when it is answered, and names are there at once: [`Backend::sync`] has nothing to do. Calls block; they
/// may come from several threads, but not from within an asynchronous one.
pub struct S3Backend {
    pub(crate) location: Location,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    pub(crate) store: AmazonS3,
    /// What makes others like it.
    builder: AmazonS3Builder,
    wire: Wire,
    /// The region that requests are signed for.
    pub(crate) region: String,
    lock: OnceLock<ObjectLock>,
    patience: Patience,
    /// Whether the server refuses to overwrite when asked to; `None` until something was written.
    refuses_to_overwrite: Mutex<Option<bool>>,
}

/// How an object came to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    /// The server said so.
    Stored,
    /// It refused to overwrite what an earlier try had stored.
    Met,
}

impl S3Backend {
    /// For a place on object storage. Nothing is sent yet.
    ///
    /// # Errors
    /// Half of a key in the environment; no certificates of this system to be had; no threads.
    pub fn new(location: Location, options: Options) -> io::Result<Self> {
        let Options { key, region, patience } = options;
        let wire = Wire::new(&location.endpoint)?;
        let never_again = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::from_env()
            .with_http_connector(wire.clone())
            .with_config(AmazonS3ConfigKey::S3Endpoint, &location.endpoint)
            .with_bucket_name(&location.bucket)
            .with_virtual_hosted_style_request(false)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_disable_bulk_delete(true)
            // Tried again here, where it is known what that means.
            .with_retry(never_again);
        if let Some((id, secret)) = key {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        let region = region
            .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Region))
            .or_else(|| location.region().map(str::to_owned))
            .unwrap_or_else(|| REGION.into());
        let builder = builder.with_region(&region);
        let store = builder.clone().build().map_err(io::Error::other)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("object storage")
            .enable_io()
            .enable_time()
            .build()?;
        let (runtime, lock, refuses_to_overwrite) = (Some(runtime), OnceLock::new(), Mutex::default());
        Ok(Self { location, runtime, store, builder, wire, region, lock, patience, refuses_to_overwrite })
    }

    fn path(&self, object: Object) -> io::Result<Path> {
        Path::parse(self.location.key(&object.to_string())).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Makes a request until it succeeds, is refused, or was tried often enough.
    fn request<T>(&self, verb: &str, mut make: impl AsyncFnMut() -> Result<T, Failure>) -> io::Result<T> {
        let Patience { tries, first_wait, longest_wait, longest, .. } = self.patience;
        let begun = Instant::now();
        let runtime = self.runtime.as_ref().ok_or_else(|| io::Error::other("the storage was closed"))?;
        runtime.block_on(async {
            let mut wait = first_wait;
            let mut tried = 1;
            loop {
                let failure = match make().await {
                    Ok(done) => return Ok(done),
                    Err(failure) => failure,
                };
                if !matches!(failure, Failure::Passing(_)) || tried >= tries || begun.elapsed() > longest {
                    return Err(failure.told(&format!("{verb} at {}", self.location), tried));
                }
                sleep(wait).await;
                wait = (wait * 2).min(longest_wait);
                tried += 1;
            }
        })
    }

    /// The answer to a request that sends so many bytes.
    async fn answer<T>(&self, bytes: usize, answer: impl Future<Output = object_store::Result<T>>) -> Result<T, Failure> {
        let limit = self.patience.answer + Duration::from_secs(bytes as u64 / self.patience.slowest.max(1));
        timeout(limit, answer).await.map_err(|_| Failure::timeout(limit))?.map_err(Failure::of)
    }

    /// The size of an object in bytes.
    fn size(&self, object: Object) -> io::Result<u64> {
        let path = self.path(object)?;
        self.request("HEAD", async || Ok(self.answer(0, self.store.head(&path)).await?.size))
    }
    fn refuse_if_there(&self, object: Object) -> io::Result<()> {
        match self.size(object) {
            Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{object} is there already"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the server stores an object only where none is: decided by the first one that is written, which is sent a second time. The
    /// bytes are the same, so that a server which overwrites does no harm.
    fn create_first(&self, object: Object, bytes: &Bytes) -> io::Result<bool> {
        self.refuse_if_there(object)?;
        match self.put(object, bytes, PutMode::Create) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return self.create_watched(object, bytes).map(|()| false);
            }
            Ok(Put::Met) => return Ok(true),
            created => created?,
        };
        match self.put(object, bytes, PutMode::Create) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(true),
            again => Ok(again? == Put::Met),
        }
    }

    /// Where the server would overwrite: a look before, and one behind.
    fn create_watched(&self, object: Object, bytes: &Bytes) -> io::Result<()> {
        self.refuse_if_there(object)?;
        self.put(object, bytes, PutMode::Overwrite)?;
        // All others are named after their bytes: another writer's are the same.
        let stands = if object.kind == Kind::Config {
            self.read(object, bytes.len() as u64)? == *bytes
        } else {
            self.size(object)? == bytes.len() as u64
        };
        stands
            .then_some(())
            .ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, format!("{object} was overwritten by another program")))
    }

    fn put(&self, object: Object, bytes: &Bytes, mode: PutMode) -> io::Result<Put> {
        let path = self.path(object)?;
        let tried = Cell::new(false);
        let keeping = match self.lock.get().filter(|_| object.kind != Kind::Lock) {
            Some(lock) => Some(object_lock::keeping(self.builder.clone(), &self.store, *lock, bytes)?),
            None => None,
        };
        let store = keeping.as_ref().unwrap_or(&self.store);
        self.request("PUT", async || {
            let again = tried.replace(true);
            let put = store.put_opts(&path, PutPayload::from(bytes.clone()), PutOptions::from(mode.clone()));
            let failure = match self.answer(bytes.len(), put).await {
                Ok(_) => return Ok(Put::Stored),
                Err(failure) => failure,
            };
            // The answer of an earlier try may have been lost, and not what it stored.
            if again && failure.is_already_there() && self.holds(&path, bytes).await? {
                return Ok(Put::Met);
            }
            Err(failure)
        })
    }

    /// Whether an object has these bytes.
    async fn holds(&self, path: &Path, bytes: &Bytes) -> Result<bool, Failure> {
        let found = self.answer(0, self.store.get_opts(path, GetOptions::default())).await?;
        if found.meta.size != bytes.len() as u64 {
            return Ok(false);
        }
        Ok(self.collect(found, bytes.len() as u64).await? == *bytes)
    }

    /// The bytes of an answer, which are as many as it says, and at most `limit`.
    async fn collect(&self, found: GetResult, limit: u64) -> Result<Vec<u8>, Failure> {
        let size = found.range.end.saturating_sub(found.range.start);
        if size > limit {
            let reason = format!("it has {size} bytes, more than the limit of {limit}");
            return Err(Failure::Final(io::Error::new(io::ErrorKind::FileTooLarge, reason)));
        }
        let mut bytes = Vec::new();
        let mut stream = found.into_stream();
        loop {
            let next = timeout(self.patience.answer, stream.next()).await.map_err(|_| Failure::timeout(self.patience.answer))?;
            let Some(piece) = next else { break };
            bytes.extend_from_slice(&piece.map_err(Failure::of)?);
            if bytes.len() as u64 > size {
                return Err(Failure::Passing("more bytes came than were announced".into()));
            }
        }
        if (bytes.len() as u64) < size {
            return Err(Failure::Passing(format!("{} of {size} bytes came", bytes.len())));
        }
        Ok(bytes)
    }

    /// All objects below a prefix: name in the bucket, and size.
    fn keys(&self, prefix: &str) -> io::Result<HashMap<Path, u64>> {
        let mut found = HashMap::new();
        let (mut token, mut empty) = (None, 0);
        loop {
            let page = self.request("LIST", async || {
                let options = PaginatedListOptions { page_token: token.clone(), ..PaginatedListOptions::default() };
                self.answer(0, self.store.list_paginated(Some(prefix), options)).await
            })?;
            empty = if page.result.objects.is_empty() { empty + 1 } else { 0 };
            found.extend(page.result.objects.into_iter().map(|object| (object.location, object.size)));
            match page.page_token {
                None => return Ok(found),
                Some(next) if Some(&next) == token.as_ref() || empty > EMPTY_PAGES => {
                    return Err(io::Error::other(format!("LIST at {}: the listing does not end", self.location)));
                }
                next => token = next,
            }
        }
    }
}

impl Drop for S3Backend {
    fn drop(&mut self) {
        // Without waiting for a name that is still being looked up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Backend for S3Backend {
    /// As restic takes it, and whether the server overwrites, as soon as that is known.
    fn location(&self) -> String {
        match *self.refuses_to_overwrite.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(false) => format!("{} (a server without conditional writes)", self.location),
            _ => self.location.to_string(),
        }
    }
    fn list(&self, kind: Kind) -> io::Result<Vec<(Id, u64)>> {
        let folder = self.location.key(kind.folder());
        if kind == Kind::Config {
            let size = self.keys(&folder)?.remove(&self.path(Object::CONFIG)?);
            return Ok(size.map(|size| (Object::CONFIG.id, size)).into_iter().collect());
        }
        let keys = self.keys(&format!("{folder}/"))?;
        let object = |path: &Path| {
            let id = path.filename().and_then(Id::parse)?;
            // What has another name would not be found under its own.
            (self.path(Object::new(kind, id)).ok()? == *path).then_some(id)
        };
        Ok(keys.iter().filter_map(|(path, size)| Some((object(path)?, *size))).collect())
    }
    fn read(&self, object: Object, limit: u64) -> io::Result<Vec<u8>> {
        let path = self.path(object)?;
        self.request("GET", async || {
            let found = self.answer(0, self.store.get_opts(&path, GetOptions::default())).await?;
            self.collect(found, limit).await
        })
    }
    fn read_range(&self, object: Object, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let short = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("{object} ends before byte {offset} + {length}"));
        let end = offset.checked_add(length as u64).ok_or_else(short)?;
        if length == 0 {
            return if self.size(object)? < offset { Err(short()) } else { Ok(Vec::new()) };
        }
        let path = self.path(object)?;
        let options = GetOptions { range: Some(GetRange::Bounded(offset..end)), ..GetOptions::default() };
        self.request("GET", async || {
            let found = self.answer(0, self.store.get_opts(&path, options.clone())).await?;
            if found.meta.size < end {
                return Err(Failure::Final(short()));
            }
            let bytes = self.collect(found, length as u64).await?;
            if bytes.len() != length {
                return Err(Failure::Passing(format!("{} bytes came, not {length}", bytes.len())));
            }
            Ok(bytes)
        })
    }
    fn create(&self, object: Object, bytes: &[u8]) -> io::Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        let known = {
            let mut known = self.refuses_to_overwrite.lock().unwrap_or_else(PoisonError::into_inner);
            if known.is_none() {
                *known = Some(self.create_first(object, &bytes)?);
                return Ok(());
            }
            *known
        };
        if known == Some(true) {
            self.put(object, &bytes, PutMode::Create).map(drop)
        } else {
            self.create_watched(object, &bytes)
        }
    }
    fn remove(&self, object: Object) -> io::Result<()> {
        // The server says nothing of what was not there.
        self.size(object)?;
        let path = self.path(object)?;
        self.request("DELETE", async || self.answer(0, self.store.delete(&path)).await)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn lock_objects(&self, lock: ObjectLock) -> io::Result<()> {
        let set = *self.lock.get_or_init(|| lock);
        let same = set == lock;
        same.then_some(()).ok_or_else(|| io::Error::other("objects are kept in another way already"))
    }
    fn kept_until(&self, object: Object) -> io::Result<Option<Timestamp>> {
        let path = self.path(object)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        self.request("HEAD", async || {
            let found = self.answer(0, self.store.get_opts(&path, options.clone())).await?;
            Ok(found.extensions.get::<KeptUntil>().map(|until| until.0))
        })
    }
    fn keep(&self, object: Object, until: Timestamp) -> io::Result<()> {
        let unlocked = || io::Error::new(io::ErrorKind::Unsupported, "this vault was made without an object lock");
        let lock = *self.lock.get().ok_or_else(unlocked)?;
        self.request("PUT", async || {
            let put = timeout(self.patience.answer, self.put_retention(&self.wire, object, lock, until)).await;
            put.map_err(|_| Failure::timeout(self.patience.answer))?
        })
    }
}
