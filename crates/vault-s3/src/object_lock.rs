//! Objects that a bucket lets nobody remove for a time.

use crate::backend::S3Backend;
use crate::failure::Failure;
use crate::wire::Wire;
use anchorlog_vault::restic::backend::Object;
use anchorlog_vault::restic::{LockMode, ObjectLock};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use object_store::ClientOptions;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer};
use object_store::client::{HttpRequest, HttpRequestBody, HttpService as _};
use std::io;

const MODE: &str = "x-amz-object-lock-mode";
const MD5: &str = "content-md5";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";

/// Until when an object is kept, as its headers tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptUntil(pub(crate) Timestamp);

impl KeptUntil {
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        headers.get(UNTIL)?.to_str().ok()?.parse().ok().map(Self)
    }
}

fn mode(lock: ObjectLock) -> &'static str {
    match lock.mode {
        LockMode::Governance => "GOVERNANCE",
        LockMode::Compliance => "COMPLIANCE",
    }
}

/// To the second, as S3 writes times.
fn told(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// A client for one object, which is kept from now on.
pub(crate) fn keeping(builder: AmazonS3Builder, like: &AmazonS3, lock: ObjectLock, bytes: &[u8]) -> io::Result<AmazonS3> {
    let value = |text: String| HeaderValue::try_from(text).map_err(io::Error::other);
    let mut headers = HeaderMap::new();
    headers.insert(MODE, HeaderValue::from_static(mode(lock)));
    headers.insert(UNTIL, value(told(lock.until(Timestamp::now())))?);
    // No server takes an object to be kept without it.
    headers.insert(MD5, value(BASE64_STANDARD.encode(Md5::digest(bytes)))?);
    let options = ClientOptions::new().with_default_headers(headers);
    let keeping = builder.with_client_options(options).with_credentials(like.credentials().clone()).build();
    keeping.map_err(io::Error::other)
}

impl S3Backend {
    /// Keeps an object until then. `object_store` has no such request: it is signed here, and goes over the same connections.
    pub(crate) async fn put_retention(
        &self,
        wire: &Wire,
        object: Object,
        lock: ObjectLock,
        until: Timestamp,
    ) -> Result<(), Failure> {
        let failed = |error: &dyn std::error::Error| Failure::Final(io::Error::other(error.to_string()));
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>",
            mode(lock),
            told(until)
        );
        let mut request: HttpRequest = http::Request::builder()
            .method(Method::PUT)
            .uri(format!("{}?retention", self.location.url(&object.to_string())))
            .header(MD5, BASE64_STANDARD.encode(Md5::digest(&body)))
            .body(HttpRequestBody::from(body))
            .map_err(|error| failed(&error))?;
        let credential = self.store.credentials().get_credential().await.map_err(Failure::of)?;
        let signed = AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None);
        signed.map_err(|error| failed(&error))?;
        wire.call(request).await.map(drop).map_err(|error| Failure::from_chain(&error))
    }
}
