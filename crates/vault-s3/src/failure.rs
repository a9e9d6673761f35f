//! What goes wrong on the way to a server and back, and whether to try again.

use http::StatusCode;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Bytes of an answer's text that an error quotes.
const QUOTED: usize = 300;

/// An answer of the server that is no success.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// `Code` of the answer, as S3 has it; empty where it says none.
    pub(crate) code: String,
    message: String,
}

impl Refusal {
    /// From the status and body of an answer.
    pub(crate) fn new(status: StatusCode, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let element = |name: &str| element(&body, name).unwrap_or_default().chars().take(QUOTED).collect();
        Self { status, code: element("Code"), message: element("Message") }
    }
    /// Whether the same request may succeed in a while.
    fn passes(&self) -> bool {
        // Amazon says the last three of a body that did not arrive as it was sent, and of conditional writes that met each other.
        let codes = [
            "RequestTimeout",
            "IncompleteBody",
            "BadDigest",
            "XAmzContentSHA256Mismatch",
            "ConditionalRequestConflict",
            "OperationAborted",
        ];
        self.status.is_server_error() && self.status != StatusCode::NOT_IMPLEMENTED
            || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&self.status)
            || codes.contains(&&*self.code)
    }
    fn hint(&self) -> &'static str {
        match (&*self.code, self.status) {
            ("NoSuchBucket", _) => ": make the bucket first, or correct its name",
            ("RequestTimeTooSkewed", _) => ": set the clock of this machine",
            ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken", _) => {
                ": look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
            }
            ("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException", _) => {
                ": set AWS_REGION to the region of the bucket"
            }
            (_, StatusCode::FORBIDDEN) => ": the key may not do this; it needs to list, read, write and delete below the prefix",
            (_, status) if status.is_redirection() => ": set AWS_REGION to the region of the bucket",
            _ => "",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, message } = self;
        write!(f, "the server answers {status}")?;
        for part in [code, message] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        f.write_str(self.hint())
    }
}

impl Error for Refusal {}

/// What becomes of a try that was no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refuses, and will again.
    Refused(Refusal),
    /// It may pass: whether the request was carried out is not known.
    Passing(String),
    /// Anything else that will not pass.
    Final(io::Error),
}

impl Failure {
    /// No answer within this time.
    pub(crate) fn timeout(after: Duration) -> Self {
        Self::Passing(format!("no answer within {} s", after.as_secs()))
    }

    /// From an error of the client.
    pub(crate) fn of(error: object_store::Error) -> Self {
        let unusable = matches!(
            error,
            object_store::Error::InvalidPath { .. }
                | object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. }
        );
        match Self::from_chain(&error) {
            Self::Passing(said) if unusable => Self::Final(io::Error::other(said)),
            failure => failure,
        }
    }

    /// From an error and its sources: the outer ones repeat the inner ones, with the whole address of the request.
    pub(crate) fn from_chain(error: &(dyn Error + 'static)) -> Self {
        let (mut deepest, mut source) = (error, Some(error));
        while let Some(inner) = source {
            if let Some(Refusal { status, code, message }) = inner.downcast_ref() {
                let refusal = Refusal { status: *status, code: code.clone(), message: message.clone() };
                return if refusal.passes() { Self::Passing(refusal.to_string()) } else { Self::Refused(refusal) };
            }
            if inner.downcast_ref::<crate::wire::TooLong>().is_some() {
                return Self::Final(io::Error::new(io::ErrorKind::InvalidData, inner.to_string()));
            }
            if inner.downcast_ref::<crate::wire::NoKey>().is_some() {
                return Self::Final(io::Error::other(inner.to_string()));
            }
            (deepest, source) = (inner, inner.source());
        }
        Self::Passing(deepest.to_string())
    }

    /// Whether the server has refused to overwrite an object.
    pub(crate) fn is_already_there(&self) -> bool {
        matches!(self, Self::Refused(refusal) if [StatusCode::PRECONDITION_FAILED, StatusCode::NOT_MODIFIED].contains(&refusal.status))
    }

    /// The error to tell, of what was tried so often.
    pub(crate) fn told(self, what: &str, tries: u32) -> io::Error {
        match self {
            Self::Refused(refusal) => {
                let kind = match refusal.status {
                    // Without its bucket no object can be said to be absent.
                    StatusCode::NOT_FOUND if refusal.code != "NoSuchBucket" => io::ErrorKind::NotFound,
                    StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => io::ErrorKind::PermissionDenied,
                    StatusCode::PRECONDITION_FAILED | StatusCode::NOT_MODIFIED => io::ErrorKind::AlreadyExists,
                    StatusCode::NOT_IMPLEMENTED => io::ErrorKind::Unsupported,
                    StatusCode::RANGE_NOT_SATISFIABLE => io::ErrorKind::UnexpectedEof,
                    _ => io::ErrorKind::Other,
                };
                io::Error::new(kind, format!("{what}: {refusal}"))
            }
            Self::Passing(reason) => io::Error::new(io::ErrorKind::TimedOut, format!("{what}: {reason}; tried {tries} times")),
            Self::Final(error) => io::Error::new(error.kind(), format!("{what}: {error}")),
        }
    }
}

/// The text of the first element of that name.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str) -> Refusal {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>so it is</Message></Error>");
        Refusal::new(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn what_a_server_cannot_do_at_the_moment_passes() {
        for (status, code) in [
            (500, "InternalError"),
            (503, "SlowDown"),
            (429, ""),
            (400, "RequestTimeout"),
            (409, "ConditionalRequestConflict"),
            (400, "BadDigest"),
        ] {
            assert!(refusal(status, code).passes(), "{status} {code}");
        }
        for (status, code) in [
            (403, "AccessDenied"),
            (404, "NoSuchKey"),
            (412, "PreconditionFailed"),
            (501, "NotImplemented"),
            (400, "InvalidArgument"),
            (409, "BucketAlreadyExists"),
        ] {
            assert!(!refusal(status, code).passes(), "{status} {code}");
        }
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        let kind = |status, code| Failure::Refused(refusal(status, code)).told("GET x", 1).kind();
        assert_eq!(kind(404, "NoSuchKey"), io::ErrorKind::NotFound);
        assert_eq!(kind(404, ""), io::ErrorKind::NotFound);
        assert_eq!(kind(404, "NoSuchBucket"), io::ErrorKind::Other);
        assert_eq!(kind(403, "AccessDenied"), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_refusal_says_what_the_server_said_and_what_to_do() {
        let said = Failure::Refused(refusal(403, "SignatureDoesNotMatch")).told("PUT config", 1).to_string();
        assert!(
            said.contains(
                "PUT config: the server answers 403 Forbidden SignatureDoesNotMatch so it is: look at AWS_ACCESS_KEY_ID"
            ),
            "{said}"
        );
        let said = Refusal::new(StatusCode::BAD_GATEWAY, b"<html>\xFF").to_string();
        assert_eq!(said, "the server answers 502 Bad Gateway");
    }
}
