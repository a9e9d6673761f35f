//! Text of code page 1200: Windows' sort keys, as far as they are known: ASCII text (`db-6 §6, §6.1, §7`).

use super::Unpredictable;

/// The code page of Unicode text.
pub const CODE_PAGE: u32 = 1200;

/// Punctuation sorts with the other characters, not behind them.
const STRING_SORT: u32 = 0x1000;
/// The key is the text in upper case, not a sort key.
const UPPER_CASE: u32 = 0x0200;
/// A sort key is wanted.
const SORT_KEY: u32 = 0x0400;

/// Flag sets whose keys were measured.
const KNOWN_FLAGS: [u32; 4] = [0x0003_0401, 0x0003_1403, 0x0003_0403, 0x0000_0410];

/// Appends the bytes behind the prefix, at most `room`; returns whether they were cut.
pub(super) fn append(key: &mut Vec<u8>, value: &[u8], flags: u32, version: u64, room: usize) -> Result<bool, Unpredictable> {
    // A last odd byte is dropped.
    let units = value.chunks_exact(2).map(|raw| u16::from_le_bytes([raw[0], raw[1]]));
    let mut text = Vec::with_capacity(value.len() / 2);
    for unit in units {
        text.push(u8::try_from(unit).ok().filter(u8::is_ascii).ok_or(Unpredictable::Weights)?);
    }
    let mapped = if flags & UPPER_CASE != 0 && flags & SORT_KEY == 0 {
        upper_case(&text)
    } else {
        sort_key(&text, flags, Tables::of(version)?)?
    };
    let cut = mapped.len() > room;
    if cut && flags & SORT_KEY == 0 {
        // The engine copies nothing here: the bytes are what the buffer held before (trap K25).
        return Err(Unpredictable::Weights);
    }
    key.extend_from_slice(&mapped[..mapped.len().min(room)]);
    Ok(cut)
}

/// Big-endian, with a zero unit behind (trap K24).
fn upper_case(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|&byte| [0, byte.to_ascii_uppercase()]).chain([0, 0]).collect()
}

fn sort_key(text: &[u8], flags: u32, tables: Tables) -> Result<Vec<u8>, Unpredictable> {
    if !KNOWN_FLAGS.contains(&flags) {
        return Err(Unpredictable::Weights);
    }
    let mut key = Vec::with_capacity(2 * text.len() + 5);
    let mut special = Vec::new();
    let mut weighted = 0_u16;
    for &byte in text {
        match byte {
            // No weight at all (trap K35).
            0 => {}
            // Under word sort these come behind everything else (trap K31).
            b'-' | b'\'' if flags & STRING_SORT == 0 => special.extend(tables.mark(byte, weighted)?),
            _ => {
                key.extend(tables.weight(byte.to_ascii_uppercase())?.to_be_bytes());
                weighted = weighted.checked_add(1).ok_or(Unpredictable::Weights)?;
            }
        }
    }
    key.extend([1, 1, 1, 1]);
    key.append(&mut special);
    key.push(0);
    Ok(key)
}

/// Generations of Windows' weight tables (trap K32).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    Server2003,
    Vista,
    Windows8,
}

impl Tables {
    /// By the index's recorded version, whose upper half is Windows' own.
    fn of(version: u64) -> Result<Self, Unpredictable> {
        match version >> 32 {
            0x0000_0100 => Ok(Self::Server2003),
            0x0005_0000 | 0x0006_0101 => Ok(Self::Vista),
            0x0006_0200..=0x0006_04FF => Ok(Self::Windows8),
            _ => Err(Unpredictable::Weights),
        }
    }
    fn mark(self, byte: u8, position: u16) -> Result<[u8; 4], Unpredictable> {
        let (place, mark) = match (self, byte) {
            (Self::Server2003, b'-') => {
                (0x8007_u16.checked_add(position.saturating_mul(4)).ok_or(Unpredictable::Weights)?, 0x0682)
            }
            (Self::Server2003, _) => return Err(Unpredictable::Weights),
            (_, b'-') => (0xFFFF - position, 0x8212_u16),
            (_, _) => (0xFFFF - position, 0x8012),
        };
        let ([a, b], [c, d]) = (place.to_be_bytes(), mark.to_be_bytes());
        Ok([a, b, c, d])
    }
    fn weight(self, byte: u8) -> Result<u16, Unpredictable> {
        let found = match byte {
            b'A'..=b'Z' => LETTERS.get(usize::from(byte - b'A')),
            b'0'..=b'9' => match self {
                Self::Server2003 => DIGITS_2003,
                Self::Vista => DIGITS_VISTA,
                Self::Windows8 => DIGITS_WINDOWS_8,
            }
            .get(usize::from(byte - b'0')),
            _ => OTHERS.iter().find(|(other, _)| *other == byte).map(|(_, weight)| weight),
        };
        found.copied().ok_or(Unpredictable::Weights)
    }
}

const LETTERS: &[u16] = &[
    0x0e02, 0x0e09, 0x0e0a, 0x0e1a, 0x0e21, 0x0e23, 0x0e25, 0x0e2c, 0x0e32, 0x0e35, 0x0e36, 0x0e48, 0x0e51, 0x0e70, 0x0e7c,
    0x0e7e, 0x0e89, 0x0e8a, 0x0e91, 0x0e99, 0x0e9f, 0x0ea2, 0x0ea4, 0x0ea6, 0x0ea7, 0x0ea9,
];
const DIGITS_WINDOWS_8: &[u16] = &[0x0d03, 0x0d1a, 0x0d1c, 0x0d1e, 0x0d20, 0x0d22, 0x0d24, 0x0d26, 0x0d28, 0x0d2a];
const DIGITS_VISTA: &[u16] = &[0x0d03, 0x0d19, 0x0d1a, 0x0d1b, 0x0d1c, 0x0d1d, 0x0d1e, 0x0d1f, 0x0d20, 0x0d21];
const DIGITS_2003: &[u16] = &[0x0c03, 0x0c21, 0x0c33, 0x0c46, 0x0c58, 0x0c6a, 0x0c7d, 0x0c90, 0x0ca2, 0x0cb4];
/// The hyphen's is that of string sort.
const OTHERS: &[(u8, u16)] = &[
    (b' ', 0x0702),
    (b'!', 0x071c),
    (b'$', 0x0721),
    (b'&', 0x0725),
    (b'\\', 0x0741),
    (b'>', 0x0814),
    (b'(', 0x0727),
    (b')', 0x072a),
    (b'*', 0x072d),
    (b',', 0x072f),
    (b'_', 0x0744),
    (b'.', 0x0733),
    (b'/', 0x0735),
    (b':', 0x0737),
    (b'?', 0x073c),
    (b'<', 0x080e),
    (b'{', 0x074a),
    (b'}', 0x074e),
    (b'~', 0x0750),
    (b'+', 0x0803),
    (b'=', 0x0812),
    (b'-', 0x0682),
];
