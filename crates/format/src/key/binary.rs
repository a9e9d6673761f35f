//! Binary values (`db-6 §4`).

/// Bytes of a chunk; a count byte follows.
const CHUNK: usize = 8;
/// The count byte of a chunk behind which another follows.
const MORE: u8 = 9;

/// Appends the bytes behind the prefix, at most `room`; returns whether they were cut. `length` is that of the whole value, of which
/// `value` may be the front only.
pub(super) fn append(key: &mut Vec<u8>, value: &[u8], fixed: bool, room: usize, length: usize) -> bool {
    if fixed {
        key.extend_from_slice(&value[..value.len().min(room)]);
        return length > room;
    }
    let whole = length.div_ceil(CHUNK) * (CHUNK + 1) <= room && value.len() == length;
    let start = key.len();
    let chunks = value.chunks(CHUNK);
    let last = chunks.len().saturating_sub(1);
    for (index, chunk) in chunks.enumerate() {
        key.extend_from_slice(chunk);
        key.resize(key.len() + CHUNK - chunk.len(), 0);
        // A full last chunk of a cut value says that more would follow (trap K3).
        let more = index < last || !whole && chunk.len() == CHUNK;
        key.push(if more { MORE } else { u8::try_from(chunk.len()).unwrap_or(MORE) });
    }
    key.truncate(start + room);
    !whole
}
