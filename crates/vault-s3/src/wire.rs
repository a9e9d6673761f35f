//! HTTP: the client below `object_store`, with bounds on what a server may answer.

use crate::failure::Refusal;
use crate::{listing, object_lock};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use std::error::Error;
use std::io;
use std::time::Duration;

/// Bytes of an answer that is no object: a page of a listing has a thousand entries.
const ANSWER_MAX: usize = 16 << 20;
/// Bytes of a refusal: what is behind them is not looked at.
const REFUSAL_MAX: usize = 64 << 10;
/// Until a connection must stand.
const CONNECT: Duration = Duration::from_secs(10);

/// An answer that is longer than any can be.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer has more than {ANSWER_MAX} bytes")]
pub(crate) struct TooLong;

/// What a machine or container is asked for where no key is set.
#[derive(Debug, thiserror::Error)]
#[error("AWS_ACCESS_KEY_ID is not set, and this machine has no key of its own ({0})")]
pub(crate) struct NoKey(String);

/// Makes clients that share one pool of connections.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    client: reqwest::Client,
    /// Requests to any other place ask for credentials: their answers are not S3's.
    endpoint: String,
}

impl Wire {
    /// For a server, by its scheme, host and port.
    ///
    /// # Errors
    /// No certificates of this system to be had.
    pub(crate) fn new(endpoint: &str) -> io::Result<Self> {
        // Where the program has chosen a provider already, that one is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            // A redirected request would have to be signed anew.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("anchorlog/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { client: client.map_err(io::Error::other)?, endpoint: endpoint.to_owned() })
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let uri = parts.uri.to_string();
        let lists = parts.uri.query().is_some_and(|query| query.split('&').any(|part| part == "list-type=2"));
        let is_storage = uri.starts_with(&self.endpoint);
        let url = uri.parse().map_err(|error| HttpError::new(HttpErrorKind::Unknown, Unreachable(format!("{error}"))))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let answered = self.client.execute(request).await.map_err(told);
        let answered =
            if is_storage { answered } else { answered.map_err(|error| HttpError::new(error.kind(), NoKey(error.to_string()))) };
        let response: http::Response<reqwest::Body> = answered?.into();
        let (mut parts, body) = response.into_parts();
        if !is_storage {
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(told))));
        }
        if !parts.status.is_success() {
            let (said, _) = at_most(body, REFUSAL_MAX).await.unwrap_or_default();
            return Err(HttpError::new(HttpErrorKind::Unknown, Refusal::new(parts.status, &said)));
        }
        if !lists {
            if let Some(until) = object_lock::KeptUntil::of(&parts.headers) {
                parts.extensions.insert(until);
            }
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(told))));
        }
        let (page, whole) = at_most(body, ANSWER_MAX).await?;
        if !whole {
            return Err(HttpError::new(HttpErrorKind::Unknown, TooLong));
        }
        listing::check(&page).map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
        parts.headers.remove(http::header::CONTENT_LENGTH);
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(Full::new(page).map_err(|never| match never {}))))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreachable(String);

/// A body, up to a limit, and whether that is all of it.
async fn at_most(mut body: reqwest::Body, limit: usize) -> Result<(Bytes, bool), HttpError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(told)?.into_data() {
            bytes.extend_from_slice(data.get(..data.len().min(limit - bytes.len())).unwrap_or_default());
            if bytes.len() == limit {
                return Ok((bytes.freeze(), false));
            }
        }
    }
    Ok((bytes.freeze(), true))
}

/// The innermost reason: the outer ones only say that there is one.
fn told(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Unknown
    };
    let mut deepest: &dyn Error = &error;
    while let Some(inner) = deepest.source() {
        deepest = inner;
    }
    let reason = if error.is_connect() { format!("cannot connect: {deepest}") } else { deepest.to_string() };
    HttpError::new(kind, Unreachable(reason))
}
