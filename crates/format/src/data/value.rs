//! Values by column type (`db-4 §2`).

use super::column::ColumnType;

/// A value of a column, decoded as far as its type says. Text stays in its code page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Any non-zero byte is true (trap R25).
    Bit(bool),
    /// Signed numbers of 2 and 4 bytes, unsigned ones of 1, 2 and 4.
    Number(i64),
    /// Signed 8-byte numbers: currency and long long.
    Signed(i64),
    /// Unsigned 8-byte numbers.
    Unsigned(u64),
    /// Bits of a 4-byte float.
    Single(u32),
    /// Bits of an 8-byte float or date; applications keep other 64-bit times there as well (trap R26).
    Double(u64),
    /// Binary, text, GUID: the bytes.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Decodes the bytes of a value; `None` where their number is not the type's.
    #[must_use]
    pub fn decode(kind: ColumnType, bytes: &'a [u8]) -> Option<Self> {
        Some(match kind {
            ColumnType::Bit => match bytes {
                [byte] => Self::Bit(*byte != 0),
                _ => return None,
            },
            ColumnType::UnsignedByte => match bytes {
                [byte] => Self::Number((*byte).into()),
                _ => return None,
            },
            ColumnType::Short => Self::Number(i16::from_le_bytes(bytes.try_into().ok()?).into()),
            ColumnType::UnsignedShort => Self::Number(u16::from_le_bytes(bytes.try_into().ok()?).into()),
            ColumnType::Long => Self::Number(i32::from_le_bytes(bytes.try_into().ok()?).into()),
            ColumnType::UnsignedLong => Self::Number(u32::from_le_bytes(bytes.try_into().ok()?).into()),
            ColumnType::Currency | ColumnType::LongLong => Self::Signed(i64::from_le_bytes(bytes.try_into().ok()?)),
            ColumnType::UnsignedLongLong => Self::Unsigned(u64::from_le_bytes(bytes.try_into().ok()?)),
            ColumnType::Single => Self::Single(u32::from_le_bytes(bytes.try_into().ok()?)),
            ColumnType::Double | ColumnType::DateTime => Self::Double(u64::from_le_bytes(bytes.try_into().ok()?)),
            ColumnType::Guid if bytes.len() != 16 => return None,
            ColumnType::Binary | ColumnType::Text | ColumnType::LongBinary | ColumnType::LongText | ColumnType::Guid => {
                Self::Bytes(bytes)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // trap R25
    #[test]
    fn r25_any_non_zero_byte_is_true() {
        assert_eq!(Value::decode(ColumnType::Bit, &[0xFF]), Some(Value::Bit(true)));
        assert_eq!(Value::decode(ColumnType::Bit, &[1]), Some(Value::Bit(true)));
        assert_eq!(Value::decode(ColumnType::Bit, &[0]), Some(Value::Bit(false)));
    }

    #[test]
    fn numbers_keep_their_sign_and_a_wrong_length_is_no_value() {
        assert_eq!(Value::decode(ColumnType::Short, &[0xFE, 0xFF]), Some(Value::Number(-2)));
        assert_eq!(Value::decode(ColumnType::UnsignedShort, &[0xFE, 0xFF]), Some(Value::Number(0xFFFE)));
        assert_eq!(Value::decode(ColumnType::UnsignedLong, &[0xFF; 4]), Some(Value::Number(0xFFFF_FFFF)));
        assert_eq!(Value::decode(ColumnType::UnsignedLongLong, &[0xFF; 8]), Some(Value::Unsigned(u64::MAX)));
        assert_eq!(Value::decode(ColumnType::Long, &[1, 2, 3]), None);
        assert_eq!(Value::decode(ColumnType::Guid, &[0; 15]), None);
    }
}
