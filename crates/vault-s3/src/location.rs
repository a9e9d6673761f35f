//! Where a vault lies: server, bucket and prefix.

use std::fmt;

/// The server that is meant where neither the location nor the environment names one.
const AMAZON: &str = "https://s3.amazonaws.com";

/// A place on object storage. Its text is what restic takes behind `-r`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Scheme, host and port: `http://127.0.0.1:9000`. No `/` at its end.
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    /// What stands before the names of all objects: without `/` at either end, and empty for the whole bucket.
    pub(crate) prefix: String,
}

/// Why a text names no place on object storage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is no place on object storage: {reason}")]
pub struct LocationError {
    text: String,
    reason: &'static str,
}

impl Location {
    /// `s3://BUCKET/PREFIX`, on the server that the environment names, else on Amazon's; or as restic spells it,
    /// `s3:https://HOST:PORT/BUCKET/PREFIX` and `s3:HOST/BUCKET/PREFIX`. The prefix may be left out.
    ///
    /// The environment: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`; where there is none, `AWS_REGION` or `AWS_DEFAULT_REGION` choose among Amazon's servers.
    ///
    /// # Errors
    /// No such text; a bucket whose name none may have.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, LocationError> {
        let wrong = |reason| LocationError { text: text.to_owned(), reason };
        let rest = text.strip_prefix("s3:").ok_or_else(|| wrong("it does not begin with s3:"))?;
        let (endpoint, path) = if let Some(path) = rest.strip_prefix("//") {
            (from_environment(environment), path)
        } else {
            let (scheme, rest) = match rest.split_once("://") {
                Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
                Some(_) => return Err(wrong("a server is spoken to with http or https")),
                None => ("https", rest),
            };
            let (host, path) = rest.split_once('/').ok_or_else(|| wrong("it names no bucket"))?;
            (format!("{scheme}://{host}"), path)
        };
        let host = endpoint.split_once("://").map_or("", |(_, host)| host);
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)) {
            return Err(wrong("it names no server"));
        }
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() || !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
            return Err(wrong("a bucket has letters, digits, dots and hyphens in its name, and at least one of them"));
        }
        let prefix = prefix.trim_matches('/');
        let part_is_sound = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '?', '#', '%']);
        if !prefix.is_empty() && !prefix.split('/').all(part_is_sound) {
            return Err(wrong("a prefix has no empty part, no dots alone, and none of \\ ? # %"));
        }
        Ok(Self { endpoint, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// The region that the name of one of Amazon's servers tells.
    pub(crate) fn region(&self) -> Option<&str> {
        let region = self.endpoint.strip_prefix("https://s3.")?.strip_suffix(".amazonaws.com")?;
        (!region.contains('.')).then_some(region)
    }

    /// The address of an object of the repository.
    pub(crate) fn url(&self, below: &str) -> String {
        let mut url = format!("{}/{}/", self.endpoint, self.bucket);
        for byte in self.key(below).bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                url.push(byte.into());
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        url
    }

    /// The name of an object of the repository in the bucket.
    pub(crate) fn key(&self, below: &str) -> String {
        if self.prefix.is_empty() { below.to_owned() } else { format!("{}/{below}", self.prefix) }
    }
}

fn from_environment(environment: impl Fn(&str) -> Option<String>) -> String {
    let set = |names: [&str; 2]| names.iter().find_map(|name| environment(name).filter(|value| !value.is_empty()));
    let endpoint = set(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]).or_else(|| {
        let region = set(["AWS_REGION", "AWS_DEFAULT_REGION"])?;
        Some(format!("https://s3.{region}.amazonaws.com"))
    });
    endpoint.map_or_else(|| AMAZON.to_owned(), |endpoint| endpoint.trim_end_matches('/').to_owned())
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, bucket, prefix } = self;
        write!(f, "s3:{endpoint}/{bucket}")?;
        if prefix.is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, environment: &[(&str, &str)]) -> Result<String, LocationError> {
        let value = |name: &str| environment.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        Location::parse(text, value).map(|location| location.to_string())
    }

    #[test]
    fn a_location_is_told_as_restic_takes_it() {
        for (text, told_as) in [
            ("s3://bucket", "s3:https://s3.amazonaws.com/bucket"),
            ("s3://bucket/a/b/", "s3:https://s3.amazonaws.com/bucket/a/b"),
            ("s3:http://127.0.0.1:9000/bucket/vault", "s3:http://127.0.0.1:9000/bucket/vault"),
            ("s3:https://host/bucket", "s3:https://host/bucket"),
            ("s3:s3.eu-west-1.amazonaws.com/bucket/x", "s3:https://s3.eu-west-1.amazonaws.com/bucket/x"),
        ] {
            assert_eq!(told(text, &[]).as_deref(), Ok(told_as));
            assert_eq!(
                told(told_as, &[("AWS_ENDPOINT_URL", "http://other")]).as_deref(),
                Ok(told_as),
                "once told, it means the same"
            );
        }
    }

    #[test]
    fn an_address_holds_what_it_may() {
        let location = Location::parse("s3:http://h/b/a vault\u{e9}", |_| None).unwrap();
        assert_eq!(location.url("data/ab"), "http://h/b/a%20vault%C3%A9/data/ab");
    }

    #[test]
    fn the_environment_names_the_server_where_the_location_does_not() {
        let minio = ("AWS_ENDPOINT_URL", "http://minio:9000/");
        assert_eq!(told("s3://b/p", &[minio, ("AWS_REGION", "eu-west-1")]).as_deref(), Ok("s3:http://minio:9000/b/p"));
        assert_eq!(
            told("s3://b/p", &[minio, ("AWS_ENDPOINT_URL_S3", "https://s3.local")]).as_deref(),
            Ok("s3:https://s3.local/b/p")
        );
        assert_eq!(told("s3://b", &[("AWS_REGION", "eu-west-1")]).as_deref(), Ok("s3:https://s3.eu-west-1.amazonaws.com/b"));
        assert_eq!(
            told("s3://b", &[("AWS_REGION", ""), ("AWS_ENDPOINT_URL", "")]).as_deref(),
            Ok("s3:https://s3.amazonaws.com/b")
        );
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "s3:",
            "s3://",
            "s3:///x",
            "s3:host",
            "s3:host/",
            "s3:http://host",
            "s3:ftp://host/b",
            "s3:/b/p",
            "s3://b/../p",
            "s3://b/p?x",
            "s3://bu cket",
            "s3:ho st/b",
            "s3:user@host/b",
            "folder",
        ] {
            assert!(told(text, &[]).is_err(), "{text}");
        }
        assert!(told("s3://b", &[("AWS_ENDPOINT_URL", "minio")]).is_err(), "a server without its scheme");
    }
}
