//! Just enough of HTTP/1.1 to pass requests and answers on, or not.

use std::io::{self, BufRead, Read};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `PUT`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Request line and headers with the empty line.
    pub head: Vec<u8>,
    /// What follows.
    pub body: Vec<u8>,
}

impl Request {
    /// Whether it asks for a listing.
    #[must_use]
    pub fn lists(&self) -> bool {
        self.method == "GET" && self.target.contains("list-type=2")
    }
    /// Whether its path has this part.
    #[must_use]
    pub fn is_below(&self, folder: &str) -> bool {
        self.target.split('?').next().is_some_and(|path| path.contains(&format!("/{folder}/")))
    }
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(head) = read_head(from)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut words = text.split(' ');
        let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let length = header(&head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        Ok(Some(Self { method, target, head, body }))
    }
    /// Without a header.
    pub(super) fn strip(&mut self, name: &str) {
        let text = String::from_utf8_lossy(&self.head).into_owned();
        let keeps = |line: &&str| !line.to_ascii_lowercase().starts_with(&format!("{name}:"));
        self.head = text.split_inclusive("\r\n").filter(keeps).collect::<String>().into_bytes();
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status line and headers with the empty line.
    pub head: Vec<u8>,
    /// What follows, chunks put together.
    pub body: Vec<u8>,
    /// Whether the connection ends behind it.
    pub(super) last: bool,
}

impl Answer {
    /// An error as S3 has it.
    #[must_use]
    pub fn refusal(status: &str, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>for the test</Message></Error>"
        )
        .into_bytes();
        Self { head: head_of(&format!("HTTP/1.1 {status}"), &[], body.len()), body, last: false }
    }
    /// With another body, and a head that tells its length.
    #[must_use]
    pub fn with_body(self, body: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&self.head).into_owned();
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        let status = lines.next().unwrap_or_default();
        let framing = |line: &&str| {
            !["content-length:", "transfer-encoding:"].iter().any(|name| line.to_ascii_lowercase().starts_with(name))
        };
        let headers: Vec<&str> = lines.filter(framing).collect();
        Self { head: head_of(status, &headers, body.len()), body, last: self.last }
    }
    pub(super) fn bytes(&self) -> Vec<u8> {
        [&*self.head, &*self.body].concat()
    }
    pub(super) fn read(from: &mut impl BufRead, method: &str) -> io::Result<Self> {
        let head = read_head(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = String::from_utf8_lossy(head.get(9..12).unwrap_or_default()).into_owned();
        let last =
            head.starts_with(b"HTTP/1.0") || header(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let mut answer = Self { head, body: Vec::new(), last };
        if method == "HEAD" || ["204", "304"].contains(&&*status) {
            return Ok(answer);
        }
        if let Some(length) = header(&answer.head, "content-length").and_then(|value| value.parse().ok()) {
            answer.body = vec![0; length];
            from.read_exact(&mut answer.body)?;
            return Ok(answer);
        }
        let mut body = Vec::new();
        if header(&answer.head, "transfer-encoding").is_some() {
            loop {
                let mut size = String::new();
                from.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                let start = body.len();
                body.resize(start + size + 2, 0);
                from.read_exact(&mut body[start..])?;
                body.truncate(start + size);
                if size == 0 {
                    break;
                }
            }
        } else {
            from.read_to_end(&mut body)?;
            answer.last = true;
        }
        Ok(answer.with_body(body))
    }
}

fn head_of(status: &str, headers: &[&str], length: usize) -> Vec<u8> {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{status}\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes()
}

/// Up to the empty line; `None` where nothing more comes.
fn read_head(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let start = head.len();
        if from.by_ref().take(1 << 16).read_until(b'\n', &mut head)? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if head.get(start..) == Some(b"\r\n") {
            return Ok(Some(head));
        }
    }
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let (_, value) =
        text.split("\r\n").filter_map(|line| line.split_once(':')).find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value.trim().to_owned())
}
