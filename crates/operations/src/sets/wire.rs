//! Units of the format as text in JSON, without loss: signatures and times as the hexadecimal digits of their bytes, positions as the engine
//! prints them.

use anchorlog_format::units::{LogPosition, LogTime, Signature};

fn bytes_of<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let bytes = hex::decode(text).map_err(|error| format!("{text:?}: {error}"))?;
    bytes.try_into().map_err(|_| format!("{text:?} has not {N} bytes"))
}

/// For `#[serde(with)]`: a value as text.
macro_rules! as_text {
    ($module:ident, $type:ty, $write:expr, $read:expr) => {
        pub(super) mod $module {
            use super::*;
            use serde::de::Error as _;
            use serde::{Deserialize as _, Deserializer, Serializer};

            pub fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type) -> String = $write;
                serializer.serialize_str(&write(value))
            }
            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let read: fn(&str) -> Result<$type, String> = $read;
                read(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

as_text!(signature, Signature, |value| hex::encode(value.0), |text| bytes_of(text).map(Signature));
as_text!(time, LogTime, |value| hex::encode(value.0), |text| bytes_of(text).map(LogTime));
as_text!(position, LogPosition, |value| value.to_string(), position_of);
as_text!(digest, [u8; 32], |value| hex::encode(value), bytes_of);
as_text!(ed25519, [u8; 64], |value| hex::encode(value), bytes_of);

fn position_of(text: &str) -> Result<LogPosition, String> {
    let wrong = || format!("{text:?} is no log position");
    let mut parts = text.split(',');
    let mut part = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
        part.and_then(|part| u32::from_str_radix(part, 16).ok()).ok_or_else(wrong)
    };
    let (generation, sector, byte) = (part(8)?, part(4)?, part(4)?);
    let short = |value: u32| u16::try_from(value).map_err(|_| wrong());
    let position = LogPosition::new(generation, short(sector)?, short(byte)?);
    if parts.next().is_some() { Err(wrong()) } else { Ok(position) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_as_it_is_printed_and_nothing_else_is_one() {
        let position = LogPosition::new(0x12CF, 0xFFFF, 7);
        assert_eq!(position_of(&position.to_string()), Ok(position));
        for text in ["", "1,2,3", "000012CF,FFFF", "000012CF,FFFF,0007,0001", "000012CF,FFFF,+007"] {
            assert!(position_of(text).is_err(), "{text}");
        }
    }
}
