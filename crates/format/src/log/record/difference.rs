//! The differences of a ReplaceD record (`log-2 §6`).

use crate::log::record::RecordError;
use std::fmt;

/// One edit of the old data, by offset in the old data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// Where in the old data.
    pub offset: usize,
    /// How many old bytes go: 0 for an insertion.
    pub old_length: usize,
    /// What comes instead.
    pub new: &'a [u8],
    /// How it is encoded.
    pub form: Form,
    /// Whether its lengths take two bytes.
    pub wide: bool,
}

/// How a difference is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// New bytes in place of as many old ones.
    SameLength,
    /// New bytes, nothing goes.
    Insert,
    /// New bytes in place of a stated number of old ones.
    Replace,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} {} bytes become", self.offset, self.old_length)?;
        for byte in self.new {
            write!(f, " {byte:02x}")?;
        }
        if self.new.is_empty() { f.write_str(" nothing") } else { Ok(()) }
    }
}

const BROKEN: RecordError = RecordError::Inconsistent("a difference that ends inside its header or bytes");

/// Splits the encoded list; an error ends it.
pub fn iter(bytes: &[u8], large_headers: bool) -> impl Iterator<Item = Result<Difference<'_>, RecordError>> + use<'_> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = next(&mut rest, large_headers).ok_or(BROKEN);
        if entry.is_err() {
            rest = &[];
        }
        Some(entry)
    })
}

fn next<'a>(rest: &mut &'a [u8], large_headers: bool) -> Option<Difference<'a>> {
    let header = number(rest, true)?;
    let (offset, flags) = if large_headers {
        let (flags, behind) = rest.split_first()?;
        *rest = behind;
        (header, *flags)
    } else {
        // The flags are the upper bits of the header: the same three, in the same order.
        (header & 0x1FFF, u8::try_from(header >> 8).ok()? & 0xE0)
    };
    let (same, insert, wide) = (flags & 0x20 != 0, flags & 0x40 != 0, flags & 0x80 != 0);
    let new_length = number(rest, wide)?;
    let (old_length, form) = match (insert, same) {
        (true, _) => (0, Form::Insert),
        (false, true) => (new_length, Form::SameLength),
        (false, false) => (number(rest, wide)?, Form::Replace),
    };
    let (new, behind) = rest.split_at_checked(new_length)?;
    *rest = behind;
    Some(Difference { offset, old_length, new, form, wide })
}

fn number(rest: &mut &[u8], wide: bool) -> Option<usize> {
    if wide {
        let (bytes, behind) = rest.split_first_chunk::<2>()?;
        *rest = behind;
        Some(u16::from_le_bytes(*bytes).into())
    } else {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        Some((*byte).into())
    }
}

/// Makes the new data.
pub fn apply<'a>(
    differences: impl Iterator<Item = Result<Difference<'a>, RecordError>>,
    old: &[u8],
    old_size: u16,
    new_size: u16,
) -> Result<Vec<u8>, RecordError> {
    if old.len() != usize::from(old_size) {
        return Err(RecordError::Inconsistent("old data of another size than logged"));
    }
    let mut new = Vec::with_capacity(new_size.into());
    let mut at = 0;
    for difference in differences {
        let Difference { offset, old_length, new: bytes, .. } = difference?;
        let kept = old
            .get(at..offset)
            .ok_or(RecordError::Inconsistent("a difference that lies before the one before, or behind the data"))?;
        new.extend_from_slice(kept);
        new.extend_from_slice(bytes);
        at = offset.saturating_add(old_length);
    }
    new.extend_from_slice(old.get(at..).ok_or(RecordError::Inconsistent("a difference that reaches behind the old data"))?);
    if new.len() != usize::from(new_size) {
        return Err(RecordError::Inconsistent("differences that do not give the logged size"));
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_replaces_two_bytes_and_cuts_the_tail() {
        let bytes = [0x06, 0x20, 0x02, 0xb1, 0x80, 0xb9, 0x00, 0x00, 0x42];
        let old: Vec<u8> = (0..=250).collect();
        let new = apply(iter(&bytes, false), &old, 251, 185).unwrap();
        assert_eq!(new[..6], old[..6]);
        assert_eq!(new[6..8], [0xb1, 0x80]);
        assert_eq!(new[8..], old[8..185]);
    }

    #[test]
    fn large_headers_and_two_byte_lengths() {
        let mut bytes = vec![0x03, 0x00, 0xC0, 0x02, 0x01];
        bytes.extend([9; 0x102]);
        let new = apply(iter(&bytes, true), &[1, 2, 3, 4], 4, 0x106).unwrap();
        assert_eq!((new.len(), new[2], new[3], new[0x105]), (0x106, 3, 9, 4));
    }

    #[test]
    fn differences_out_of_order_or_beyond_the_old_data_are_refused() {
        let backwards = [0x04, 0x20, 0x01, 7, 0x02, 0x20, 0x01, 7];
        assert!(apply(iter(&backwards, false), &[0; 8], 8, 8).is_err());
        let beyond = [0x07, 0x20, 0x02, 7, 7];
        assert!(apply(iter(&beyond, false), &[0; 8], 8, 9).is_err());
        assert!(apply(iter(&[0x07], false), &[0; 8], 8, 8).is_err());
        assert!(apply(iter(&[], false), &[0; 8], 9, 9).is_err());
    }
}
