//! Paths and other text as logs carry them: bytes with a terminator, UTF-16 or of an unknown code page (`log-1 §3.4`, `log-2 §12`).

use std::fmt;

/// Text of a log: kept as bytes, because a code page may be unknown and a UTF-16 string may hold unpaired surrogates (traps G28, G49). Never to be
/// used as a path of this machine as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoggedText<'a> {
    /// As on disk, with the terminator.
    pub bytes: &'a [u8],
    /// UTF-16, little-endian; otherwise the code page of the machine that wrote it.
    pub utf16: bool,
}

impl<'a> LoggedText<'a> {
    /// UTF-16 text.
    #[must_use]
    pub const fn utf16(bytes: &'a [u8]) -> Self {
        Self { bytes, utf16: true }
    }
    /// Text of a code page.
    #[must_use]
    pub const fn ansi(bytes: &'a [u8]) -> Self {
        Self { bytes, utf16: false }
    }
    /// The first string: up to the first terminator, for people. What has no character is replaced.
    #[must_use]
    pub fn first(&self) -> String {
        self.strings().into_iter().next().unwrap_or_default()
    }
    /// All strings, each ended by its terminator or by the end of the bytes; empty ones at the end are dropped.
    #[must_use]
    pub fn strings(&self) -> Vec<String> {
        let mut strings: Vec<String> = if self.utf16 {
            let units: Vec<u16> = self.bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            units.split(|&unit| unit == 0).map(String::from_utf16_lossy).collect()
        } else {
            self.bytes.split(|&byte| byte == 0).map(|part| part.iter().map(|&byte| latin(byte)).collect()).collect()
        };
        while strings.last().is_some_and(String::is_empty) {
            strings.pop();
        }
        strings
    }
    /// The last component of a path, as people see it: what stands behind the last `\`, `/` or `:`.
    #[must_use]
    pub fn file_name(&self) -> String {
        let whole = self.first();
        whole.rsplit(['\\', '/', ':']).next().unwrap_or_default().to_owned()
    }
}

/// The code page is unknown: ASCII is itself, other bytes are shown as the most usual one (Windows-1252 without its extras) has them.
fn latin(byte: u8) -> char {
    if (0x80..0xA0).contains(&byte) { '?' } else { char::from(byte) }
}

impl fmt::Display for LoggedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.strings().join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g28_y23_bytes_of_an_unknown_code_page_are_kept_and_the_terminator_counts() {
        let path = LoggedText::ansi(b"C:\\Donn\xE9es\\a\x80.edb\0");
        assert_eq!((path.first(), path.file_name()), ("C:\\Donn\u{E9}es\\a?.edb".into(), "a?.edb".into()));
        assert_eq!(path.bytes.last(), Some(&0));
        assert_eq!(LoggedText::utf16(b"A\0\0\0B\0\0\0").strings(), ["A", "B"]);
    }

    #[test]
    fn g49_odd_surrogates_and_missing_terminators_are_shown_and_never_panic() {
        let odd = [0x52, 0, 0x3A, 0, 0x00, 0xD8, 0x61, 0, 0x7F];
        assert_eq!(LoggedText::utf16(&odd).first(), "R:\u{FFFD}a");
        assert_eq!(LoggedText::ansi(b"C:\\db\\a.edb\0").file_name(), "a.edb");
        assert_eq!(LoggedText::ansi(b"").first(), "");
    }
}
