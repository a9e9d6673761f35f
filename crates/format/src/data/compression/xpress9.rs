//! XPRESS9: LZ77 with Huffman codes and a list of recent distances (`db-5 §13`).

use super::CompressionFault;
use super::crc::crc32c;
use super::xpress::repeat;

layout! {
    /// Header of one block.
    pub struct Xpress9Block = "XPRESS9_BLOCK_HEADER", 32, "db-5 §13" {
        0 magic: u32, "", "", "0x4e86d72a";
        4 original_size: u32, "", "", "bytes of the block, uncompressed";
        8 encoded_bits: u32, "", "", "bits of the block, this header included";
        12 flags: u32, "", "", "table size, window, recent distances, least match lengths";
        16 reserved: u32, "", "", "0";
        20 session: u32, "", "", "the same in all blocks of a value";
        24 index: u32, "", "", "0, 1, 2 and so on";
        28 checksum: u32, "", "", "CRC-32C of the first 28 bytes";
    }
}

const MAGIC: u32 = 0x4e86_d72a;
/// Literals, and 28 distance classes of 16 lengths each: the same whatever the number of recent distances (trap L19).
const TOKENS: usize = 256 + 28 * 16;
const LONG_LENGTHS: usize = 256;
/// Bits of a block header, which the header's own count includes (trap L17).
const HEADER_BITS: usize = 256;

/// CRC-32C of the value, then blocks.
pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, CompressionFault> {
    let (checksum, mut rest) = body.split_first_chunk::<4>().ok_or(CompressionFault::Malformed)?;
    let mut output = Vec::new();
    let mut first: Option<Xpress9Block> = None;
    let mut index = 0;
    while !rest.is_empty() {
        let header = Xpress9Block::read(rest).ok_or(CompressionFault::Malformed)?;
        check_header(&header, rest, index, first.as_ref())?;
        let bytes = usize::try_from(header.encoded_bits.div_ceil(8)).map_err(|_| CompressionFault::Malformed)?;
        let (block, next) = rest.split_at_checked(bytes).ok_or(CompressionFault::Malformed)?;
        decode_block(&header, block, &mut output, limit)?;
        first.get_or_insert(header);
        rest = next;
        index += 1;
    }
    if crc32c(&output) == u32::from_le_bytes(*checksum) { Ok(output) } else { Err(CompressionFault::Checksum) }
}

fn check_header(header: &Xpress9Block, bytes: &[u8], index: u32, first: Option<&Xpress9Block>) -> Result<(), CompressionFault> {
    let covered = bytes.get(..28).ok_or(CompressionFault::Malformed)?;
    if crc32c(covered) != header.checksum {
        return Err(CompressionFault::Checksum);
    }
    // Later blocks repeat all but the table size of the first one's flags.
    let same = first.is_none_or(|first| first.session == header.session && (first.flags ^ header.flags) & !0x1FFF == 0);
    let sound = header.magic == MAGIC
        && header.reserved == 0
        && header.index == index
        && header.flags >> 20 == 0
        && header.flags >> 16 & 3 != 3
        && header.encoded_bits as usize >= HEADER_BITS;
    if same && sound { Ok(()) } else { Err(CompressionFault::Malformed) }
}

fn decode_block(header: &Xpress9Block, block: &[u8], output: &mut Vec<u8>, limit: usize) -> Result<(), CompressionFault> {
    let added = usize::try_from(header.original_size).map_err(|_| CompressionFault::TooLong)?;
    let end = output.len().checked_add(added).filter(|&end| end <= limit).ok_or(CompressionFault::TooLong)?;
    let encoded_bits = header.encoded_bits as usize;
    let mut bits = Bits { bytes: block, at: HEADER_BITS, end: encoded_bits };
    let table_bits = (header.flags & 0x1FFF) as usize;
    let least_match = 3 + (header.flags >> 18 & 1) as usize;
    let least_recent_match = 2 + (header.flags >> 19 & 1) as usize;

    let mut recent = Recent::read(&mut bits, 2 * (header.flags >> 16 & 3) as usize)?;
    let tokens = Code::read(&mut bits, TOKENS)?;
    let long_lengths = Code::read(&mut bits, LONG_LENGTHS)?;
    if bits.at - HEADER_BITS != table_bits {
        return Err(CompressionFault::Malformed);
    }
    while output.len() < end {
        let token = tokens.symbol(&mut bits)?;
        if let Ok(literal) = u8::try_from(token) {
            output.push(literal);
            recent.after_match = false;
            continue;
        }
        let token = token - 256;
        let class = usize::from(token >> 4);
        let mut length = usize::from(token & 15);
        if length == 15 {
            length += long_length(&long_lengths, &mut bits)?;
        }
        let distance = if class < recent.entries.len() {
            length += least_recent_match;
            recent.again(class)?
        } else {
            length += least_match;
            let distance = power(&mut bits, class - recent.entries.len())?;
            recent.insert(distance);
            distance
        };
        recent.after_match = true;
        repeat(output, distance, length, end)?;
    }
    if bits.at == encoded_bits { Ok(()) } else { Err(CompressionFault::Malformed) }
}

fn long_length(code: &Code, bits: &mut Bits<'_>) -> Result<usize, CompressionFault> {
    match usize::from(code.symbol(bits)?) {
        symbol if symbol >= 232 => Ok(power(bits, symbol - 232)? + 231),
        symbol => Ok(symbol),
    }
}

/// 2 to the power of `count`, plus `count` more bits.
fn power(bits: &mut Bits<'_>, count: usize) -> Result<usize, CompressionFault> {
    Ok((1 << count) + bits.take(count)?)
}

/// The distances of the last matches, newest first.
struct Recent {
    entries: Vec<usize>,
    /// Directly behind a match the newest distance cannot be meant, and has no number.
    after_match: bool,
}

impl Recent {
    fn read(bits: &mut Bits<'_>, count: usize) -> Result<Self, CompressionFault> {
        if count == 0 {
            return Ok(Self { entries: Vec::new(), after_match: false });
        }
        let after_match = bits.take(1)? == 1;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            // The window's size is only an upper bound: it wraps for short values (trap L18).
            let exponent = bits.take(5)?;
            entries.push(power(bits, exponent)?);
        }
        Ok(Self { entries, after_match })
    }
    fn again(&mut self, class: usize) -> Result<usize, CompressionFault> {
        let index = class + usize::from(self.after_match);
        let distance = *self.entries.get(index).ok_or(CompressionFault::Malformed)?;
        self.entries[..=index].rotate_right(1);
        Ok(distance)
    }
    fn insert(&mut self, distance: usize) {
        self.entries.rotate_right(1);
        if let Some(newest) = self.entries.first_mut() {
            *newest = distance;
        }
    }
}

/// Bits of a block, least significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl Bits<'_> {
    /// The next `count` bits as a number.
    fn take(&mut self, count: usize) -> Result<usize, CompressionFault> {
        let mut value = 0;
        for index in 0..count {
            value |= self.bit()? << index;
        }
        Ok(value)
    }
    fn bit(&mut self) -> Result<usize, CompressionFault> {
        if self.at >= self.end {
            return Err(CompressionFault::Malformed);
        }
        let byte = *self.bytes.get(self.at / 8).ok_or(CompressionFault::Malformed)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Ok(bit.into())
    }
}

/// Longest code of any table.
const LONGEST: usize = 28;

/// A canonical Huffman code: the most significant bit of a code comes first.
struct Code {
    /// Codes of each length.
    counts: [u32; LONGEST + 1],
    /// Symbols that have a code, by length and then by number.
    symbols: Vec<u16>,
}

impl Code {
    /// Reads the lengths of `count` symbols.
    fn read(bits: &mut Bits<'_>, count: usize) -> Result<Self, CompressionFault> {
        match bits.take(3)? {
            0 => Self::flat(count),
            1 => Self::coded(bits, count),
            _ => Err(CompressionFault::Malformed),
        }
    }

    fn flat(count: usize) -> Result<Self, CompressionFault> {
        let short = count.ilog2() as usize;
        let short_symbols = (2_usize << short) - count;
        Self::new(&(0..count).map(|symbol| if symbol < short_symbols { short } else { short + 1 }).collect::<Vec<_>>())
    }

    fn coded(bits: &mut Bits<'_>, count: usize) -> Result<Self, CompressionFault> {
        let small = Self::small(bits)?;
        let mut lengths = vec![0; count];
        let mut previous = 8;
        let mut at = 0;
        while at < count {
            let above = |add: usize| match at.checked_sub(16).and_then(|row| lengths.get(row)) {
                Some(&length) if length + add > 0 && length + add <= 27 => Ok(length + add),
                _ => Err(CompressionFault::Malformed),
            };
            let length = match small.symbol(bits)? {
                symbol @ 0..=27 => usize::from(symbol),
                28 => {
                    at = (at / 16 * 16 + 16).min(count);
                    continue;
                }
                29 => {
                    let run = zero_run(bits)?;
                    if at + run > count || (at ^ (at + run)) >= 16 {
                        return Err(CompressionFault::Malformed);
                    }
                    at += run;
                    continue;
                }
                30 => previous,
                31 => above(0).and_then(|length| if length > 0 { Ok(length) } else { Err(CompressionFault::Malformed) })?,
                _ => above(1)?,
            };
            lengths[at] = length;
            at += 1;
            if length > 0 {
                previous = length;
            }
        }
        Self::new(&lengths)
    }

    /// The code in which the lengths of the others are written.
    fn small(bits: &mut Bits<'_>) -> Result<Self, CompressionFault> {
        let mut lengths = [0; 33];
        let mut previous = 4;
        for length in &mut lengths {
            if bits.take(1)? == 1 {
                let other = bits.take(3)?;
                previous = if other >= previous { other + 1 } else { other };
            }
            *length = previous;
        }
        Self::new(&lengths)
    }

    fn new(lengths: &[usize]) -> Result<Self, CompressionFault> {
        let mut counts = [0_u32; LONGEST + 1];
        let mut symbols: Vec<(usize, u16)> = Vec::new();
        for (symbol, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
            *counts.get_mut(length).ok_or(CompressionFault::Malformed)? += 1;
            symbols.push((length, u16::try_from(symbol).map_err(|_| CompressionFault::Malformed)?));
        }
        let filled: u64 = counts.iter().enumerate().skip(1).map(|(length, &count)| u64::from(count) << (LONGEST - length)).sum();
        if symbols.len() > 1 && filled != 1 << LONGEST {
            return Err(CompressionFault::Malformed);
        }
        symbols.sort_unstable();
        Ok(Self { counts, symbols: symbols.into_iter().map(|(_, symbol)| symbol).collect() })
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Result<u16, CompressionFault> {
        // One symbol alone takes the bits of its length, whatever they are.
        if let [only] = self.symbols[..] {
            let length = self.counts.iter().position(|&count| count > 0).unwrap_or(0);
            bits.take(length)?;
            return Ok(only);
        }
        let (mut code, mut first, mut before) = (0_u32, 0_u32, 0_usize);
        for &count in &self.counts[1..] {
            code |= u32::try_from(bits.bit()?).unwrap_or(0);
            if code < first + count {
                let index = before + (code - first) as usize;
                return self.symbols.get(index).copied().ok_or(CompressionFault::Malformed);
            }
            before += count as usize;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(CompressionFault::Malformed)
    }
}

fn zero_run(bits: &mut Bits<'_>) -> Result<usize, CompressionFault> {
    let short = bits.take(2)?;
    let mut run = 5 + short;
    if short == 3 {
        loop {
            let more = bits.take(3)?;
            run += more;
            if more < 7 {
                break;
            }
        }
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fox() -> (Vec<u8>, Vec<u8>) {
        let block = hex::decode(concat!(
            "2ad7864e87000000d90200001b2006000000000041de59af000000007e63a2f6000000a0c28229028e5c5932668d801127f6dcd92160c69e",
            "0702565cd972e08c803d37a69c107061c114011b86bc782260c29e393a045458b42fda00"
        ))
        .unwrap();
        let value = b"The quick brown fox jumps over the lazy dog. ".repeat(3);
        let mut packed = crc32c(&value).to_le_bytes().to_vec();
        packed.extend_from_slice(&block);
        (packed, value)
    }

    // traps L17, L18, L19: the vector counts header bits, shows a wrapped window, and has a table of 704 symbols.
    #[test]
    fn l17_l18_l19_the_vector_of_the_specification_decodes() {
        let (packed, value) = fox();
        assert_eq!(decompress(&packed, 1000).unwrap(), value);
        assert_eq!(decompress(&packed, 134), Err(CompressionFault::TooLong));
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let (packed, _) = fox();
        for at in 0..packed.len() - 1 {
            let mut damaged = packed.clone();
            damaged[at] ^= 4;
            assert!(decompress(&damaged, 1000).is_err(), "byte {at}");
        }
    }
}
