//! Single-byte text: ASCII rules whatever the locale (`db-6 §5`).

/// Appends the bytes behind the prefix, at most `room`; returns whether they were cut.
pub(super) fn append(key: &mut Vec<u8>, value: &[u8], room: usize) -> bool {
    // A zero byte ends the text (trap K7).
    let text = value.split(|&byte| byte == 0).next().unwrap_or(value);
    if room > value.len() {
        key.extend(text.iter().map(u8::to_ascii_uppercase));
        key.push(0);
        return false;
    }
    let Some(most) = room.checked_sub(1) else { return !value.is_empty() };
    key.extend(text.iter().take(most).map(u8::to_ascii_uppercase));
    match text.get(most) {
        // The byte for which no room is left loses 0x20 whatever it is (trap K4), and no zero follows (trap K5).
        Some(&next) => {
            key.push(next.wrapping_sub(0x20));
            true
        }
        None => {
            key.push(0);
            false
        }
    }
}
