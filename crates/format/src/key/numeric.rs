//! Types of fixed size (`db-6 §3`).

use crate::data::column::ColumnType;

/// The bytes behind the prefix; `None` where `value` is none of its type.
pub(super) fn normalise(kind: ColumnType, value: &[u8], dot_net_guid: bool) -> Option<Vec<u8>> {
    if Some(value.len()) != kind.size() {
        return None;
    }
    let mut bytes: Vec<u8> = value.iter().rev().copied().collect();
    match kind {
        // Whatever non-zero byte is stored (trap K13).
        ColumnType::Bit => bytes[0] = if bytes[0] == 0 { 0 } else { 0xFF },
        ColumnType::Short | ColumnType::Long | ColumnType::LongLong | ColumnType::Currency => bytes[0] ^= 0x80,
        // Negative numbers are inverted as a whole, so that both zeros and NaNs sort by their bits (traps K11, K12).
        ColumnType::Single | ColumnType::Double | ColumnType::DateTime => {
            if bytes[0] & 0x80 == 0 {
                bytes[0] ^= 0x80;
            } else {
                bytes.iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
        ColumnType::Guid => {
            let order = if dot_net_guid { DOT_NET_ORDER } else { ORDER };
            return Some(order.iter().map(|&at| value[at]).collect());
        }
        _ => {}
    }
    Some(bytes)
}

/// Neither the stored order nor that of the text (trap K1).
const ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];
/// That of the text.
const DOT_NET_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
