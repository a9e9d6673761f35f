//! Long values: reading one from its tree, chunk by chunk.

use crate::cursor::{Entry, Scan, Tree};
use crate::database::Database;
use crate::error::Error;
use anchorlog_format::data::compression::decompress;
use anchorlog_format::data::long_value::{LongValueId, LongValueKey, LongValueRoot};
use anchorlog_format::finding::Place;
use anchorlog_format::jet::JetCode;

/// Decodes one stored chunk to its `logical` bytes: as many bytes are raw, fewer are compressed (trap L5).
///
/// # Errors
/// What is wrong, in words, with Microsoft's code.
pub fn decode_chunk(stored: &[u8], logical: usize) -> Result<Option<Vec<u8>>, (JetCode, String)> {
    if stored.len() == logical {
        return Ok(None);
    }
    if stored.len() > logical {
        let message = format!("a chunk has {} bytes where at most {logical} belong", stored.len());
        return Err((JetCode::LV_CORRUPTED, message));
    }
    let value = decompress(stored, logical).map_err(|fault| (fault.jet(), fault.to_string()))?;
    if value.len() == logical {
        return Ok(Some(value));
    }
    let message = format!("a chunk decompresses to {} bytes where {logical} belong", value.len());
    Err((JetCode::LV_CORRUPTED, message))
}

/// Reads the value `id` from its tree, handing its bytes to `sink` in order; memory is that of one chunk. Returns its size.
///
/// # Errors
/// Where the value is missing, is being deleted, is encrypted, or its chunks do not fit; `sink` may have got a part by then.
pub fn read(database: &Database, tree: Tree, id: LongValueId, sink: &mut dyn FnMut(&[u8])) -> Result<u32, Error> {
    let damaged =
        |message: String| Error::new(database.place().object(format!("long value {id}")), JetCode::LV_CORRUPTED, message);
    let key = id.key();
    let mut scan = Scan::seek(database, tree, &key);
    let root = match scan.next().transpose()? {
        Some(entry) if entry.key == key => {
            LongValueRoot::parse(entry.data).ok_or_else(|| damaged("its root cannot be read".into()))?
        }
        _ => return Err(damaged("it is not in the long-value tree".into())),
    };
    if root.references == LongValueRoot::DELETING {
        return Err(damaged("its deletion has begun".into()));
    }
    if root.is_encrypted() {
        let message = format!("encrypted ({} bytes): the key is not in the database", root.size);
        return Err(Error::new(database.place().object(format!("long value {id}")), JetCode::COLUMN_NO_ENCRYPTION_KEY, message));
    }
    let mut held = Held { at: 0, stored: Vec::new(), place: Place::default(), any: false };
    loop {
        let next = scan.next().transpose()?;
        let chunk = next.as_ref().and_then(|entry| chunk_of(entry, id));
        let end = chunk.unwrap_or(root.size);
        if held.any {
            held.emit(end, root.size, sink)?;
        } else if end != 0 {
            return Err(damaged(format!("its first {end} bytes are missing")));
        }
        let (Some(entry), Some(at)) = (next, chunk) else { return Ok(root.size) };
        held.at = at;
        held.stored.clear();
        held.stored.extend_from_slice(entry.data);
        held.place = database.place().page(entry.page).line(entry.line);
        held.any = true;
    }
}

/// The chunk that waits until the next one tells where it ends.
struct Held {
    at: u32,
    stored: Vec<u8>,
    place: Place,
    any: bool,
}

impl Held {
    fn emit(&self, end: u32, size: u32, sink: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let error = |(jet, message)| Error::new(self.place.clone(), jet, message);
        if end <= self.at || end > size {
            let message = format!("a chunk begins at {} and ends at {end} of {size} bytes", self.at);
            return Err(error((JetCode::LV_CORRUPTED, message)));
        }
        let logical = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        match decode_chunk(&self.stored, logical).map_err(error)? {
            Some(value) => sink(&value),
            None => sink(&self.stored),
        }
        Ok(())
    }
}

/// Where in the value a chunk begins, if it is one of `id`.
fn chunk_of(entry: &Entry<'_>, id: LongValueId) -> Option<u32> {
    match LongValueKey::parse(entry.key)? {
        LongValueKey::Chunk(owner, at) if owner == id => Some(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // traps L5, L23
    #[test]
    fn l5_l23_bytes_of_full_length_are_raw_whatever_the_first_one_is() {
        for first in [0x0c, 0x18, 0x20] {
            let raw = [first, 5, 12, 6];
            assert_eq!(decode_chunk(&raw, 4), Ok(None));
        }
        assert_eq!(decode_chunk(&[0x0b, 0xf4, 0xf2, 0x9c, 0x0e], 4).unwrap_err().0, JetCode::LV_CORRUPTED);
        let unicode = [0x13, 0xf4, 0xf2, 0x9c, 0x0e];
        assert_eq!(decode_chunk(&unicode, 8).unwrap().unwrap(), b"t\0e\0s\0t\0");
        assert_eq!(decode_chunk(&unicode, 9).unwrap_err().0, JetCode::LV_CORRUPTED);
    }

    // trap L23
    #[test]
    fn l23_a_short_scrubbed_chunk_is_no_value() {
        assert_eq!(decode_chunk(b"\x20lll", 100).unwrap_err().0, JetCode::DECOMPRESSION_FAILED);
    }
}
