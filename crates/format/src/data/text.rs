//! Names: single-byte text, code page 1252 (`db-4 §8`, trap R22).

/// Decodes text of code page 1252. Bytes without a character there stand for themselves, as Windows decodes them.
#[must_use]
pub fn ansi(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(
            |&byte| {
                if byte.is_ascii() { byte.into() } else { UPPER.get(usize::from(byte - 0x80)).copied().unwrap_or(byte.into()) }
            },
        )
        .collect()
}

/// The characters of bytes 0x80 to 0x9F; from 0xA0 on they are those of Latin-1.
const UPPER: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}', '‘', '’', '“', '”',
    '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

#[cfg(test)]
mod tests {
    // trap R22
    #[test]
    fn r22_names_are_single_byte_text() {
        assert_eq!(super::ansi(b"Gr\xfc\xdfe \x80"), "Grüße €");
    }
}
