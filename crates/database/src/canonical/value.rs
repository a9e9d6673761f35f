//! How values are written.

use crate::catalog::{Column, Table};
use crate::database::Database;
use crate::long_value;
use crate::row::ColumnValue;
use anchorlog_format::data::compression::decompress;
use anchorlog_format::data::long_value::LongValueId;
use anchorlog_format::data::record::Instance;
use anchorlog_format::data::value::Value;
use anchorlog_format::jet::JetCode;
use sha2::{Digest, Sha256};

/// Writes the values of one table.
pub(super) struct Values<'d> {
    pub database: &'d Database,
    pub table: &'d Table,
}

type Fault = (JetCode, String);

impl Values<'_> {
    /// What the record has: a list where the column may have several instances.
    pub(super) fn stored(&self, column: &Column, value: ColumnValue<'_>, faults: &mut Vec<Fault>) -> String {
        let mut one = |instance: Instance<'_>| match self.instance(column, &instance) {
            Ok(text) => text,
            Err((jet, message)) => {
                faults.push((jet, format!("column {}: {message}", column.name)));
                format!("{{\"error\":{}}}", jet.0)
            }
        };
        if column.flags.is_multi_valued() {
            return format!("[{}]", value.instances().map(one).collect::<Vec<_>>().join(","));
        }
        value.instance(0).map_or_else(|| "null".into(), &mut one)
    }
    /// The column's default.
    pub(super) fn default(&self, column: &Column) -> String {
        let bytes = column.default.as_deref().unwrap_or(&[]);
        let text = plain(column, bytes).unwrap_or_else(|(jet, _)| format!("{{\"error\":{}}}", jet.0));
        if column.flags.is_multi_valued() { format!("[{text}]") } else { text }
    }

    fn instance(&self, column: &Column, instance: &Instance<'_>) -> Result<String, Fault> {
        if instance.encrypted {
            let message = format!("encrypted ({} bytes): the key is not in the database", instance.data.len());
            return Err((JetCode::COLUMN_NO_ENCRYPTION_KEY, message));
        }
        if instance.separated {
            return self.separated(instance.data);
        }
        if instance.compressed {
            let value = decompress(instance.data, LARGEST_INTRINSIC).map_err(|fault| (fault.jet(), fault.to_string()))?;
            return plain(column, &value);
        }
        plain(column, instance.data)
    }
    fn separated(&self, data: &[u8]) -> Result<String, Fault> {
        let corrupted = |message: &str| (JetCode::LV_CORRUPTED, message.to_owned());
        let id = LongValueId::from_record(data).ok_or_else(|| corrupted("no identifier of a long value"))?;
        let tree = self.table.long_values.ok_or_else(|| corrupted("the table has no long-value tree"))?;
        let mut bytes = Bytes::default();
        long_value::read(self.database, tree, id, &mut |part| bytes.add(part)).map_err(|error| (error.jet, error.to_string()))?;
        Ok(bytes.text())
    }
}

/// More than any compressed value of a record can have: its size field has 16 bits, and 7-bit text doubles at most.
const LARGEST_INTRINSIC: usize = 1 << 17;

fn plain(column: &Column, bytes: &[u8]) -> Result<String, Fault> {
    // An empty value is written so whatever its type.
    if bytes.is_empty() {
        return Ok("\"\"".into());
    }
    let value = Value::decode(column.kind, bytes)
        .ok_or_else(|| (JetCode::DATABASE_CORRUPTED, format!("{} bytes are no value of type {:?}", bytes.len(), column.kind)))?;
    Ok(match value {
        Value::Bit(bit) => u8::from(bit).to_string(),
        Value::Number(number) => number.to_string(),
        Value::Signed(number) => format!("\"{number}\""),
        Value::Unsigned(number) => format!("\"{number}\""),
        Value::Single(bits) => format!("\"{bits:08x}\""),
        Value::Double(bits) => format!("\"{bits:016x}\""),
        Value::Bytes(bytes) => {
            let mut all = Bytes::default();
            all.add(bytes);
            all.text()
        }
    })
}

/// The bytes of a value as they come: written out while they are few, otherwise counted and hashed.
#[derive(Default)]
struct Bytes {
    length: u64,
    few: Vec<u8>,
    /// Of all bytes, once there are too many.
    hash: Option<Sha256>,
}

/// Hexadecimal digits between quotation marks: most of what a dump of a large database consists of, so it is made in one go.
fn quoted_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text.push('"');
    text
}

/// Values of more bytes are written as length and hash.
const MOST_WRITTEN_OUT: usize = 256;

impl Bytes {
    fn add(&mut self, part: &[u8]) {
        self.length += part.len() as u64;
        match &mut self.hash {
            Some(hash) => hash.update(part),
            None if self.length <= MOST_WRITTEN_OUT as u64 => self.few.extend_from_slice(part),
            None => self.hash = Some(Sha256::new_with_prefix(&self.few).chain_update(part)),
        }
    }
    fn text(self) -> String {
        match self.hash {
            Some(hash) => format!("{{\"len\":{},\"sha256\":\"{}\"}}", self.length, hex::encode(hash.finalize())),
            None => quoted_hex(&self.few),
        }
    }
}
