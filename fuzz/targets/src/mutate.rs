//! Seeded mutation of inputs: what fuzzers do without looking at coverage.

use anchorlog_testkit::random::Random;

fn byte(random: &mut Random) -> u8 {
    random.next().to_le_bytes()[0]
}

/// A place in `length` bytes. Half of them lie at either end of a block, where headers and tags are.
fn place(random: &mut Random, length: usize) -> usize {
    let start = random.below(length.div_ceil(BLOCK)) * BLOCK;
    let block = BLOCK.min(length - start);
    start
        + match random.below(4) {
            0 => random.below(block.min(96)),
            1 => block - 1 - random.below(block.min(96)),
            _ => random.below(block),
        }
}

/// Numbers at which arithmetic turns over, and those that mean "none" or "all".
const EDGES: [u64; 24] = [
    0,
    1,
    2,
    3,
    4,
    0x7F,
    0x80,
    0xFE,
    0xFF,
    0x100,
    0x7FF,
    0x0FFF,
    0x1000,
    0x1FFF,
    0x2000,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
    u64::MAX,
];

/// Pages and segments begin at multiples of this.
const BLOCK: usize = 4096;

/// Longest input.
const LONGEST: usize = 1 << 20;

/// Changes `input` by one to eight steps; `others` lends pieces of other inputs.
pub fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    for _ in 0..=random.below(8).min(random.below(8)) {
        step(input, others, random);
    }
    input.truncate(LONGEST);
}

fn step(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    if input.is_empty() {
        input.push(byte(random));
        return;
    }
    let at = place(random, input.len());
    match random.below(12) {
        0..=1 => input[at] ^= 1 << random.below(8),
        2 => input[at] = byte(random),
        3..=5 => {
            let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
            let width = [1, 2, 2, 4, 8][random.below(5)];
            overwrite(input, at, &edge[..width]);
        }
        6 => {
            // A small step up or down of a 16-bit number: lengths and offsets that are off by a little.
            if let Some([low, high]) = input.get(at..at + 2) {
                let delta = u16::try_from(random.below(33)).unwrap_or(0).wrapping_sub(16);
                let new = u16::from_le_bytes([*low, *high]).wrapping_add(delta).to_le_bytes();
                overwrite(input, at, &new);
            }
        }
        // Most inputs die of it, so it is rare.
        7 if random.below(4) == 0 => input.truncate(at),
        8 if input.len() < 2 * BLOCK || random.below(8) == 0 => {
            let length = 1 + random.below(64);
            let fill = byte(random);
            input.splice(at..at, std::iter::repeat_n(fill, length));
        }
        9 if input.len() < 2 * BLOCK || random.below(8) == 0 => {
            let end = (at + 1 + random.below(64)).min(input.len());
            input.drain(at..end);
        }
        10 => {
            let from = random.below(input.len());
            let end = (from + 1 + random.below(128)).min(input.len());
            let piece = input[from..end].to_vec();
            overwrite(input, at, &piece);
        }
        _ => {
            let Some(other) = others.get(random.below(others.len())).filter(|other| !other.is_empty()) else { return };
            let from = random.below(other.len());
            let end = (from + 1 + random.below(other.len() - from)).min(from + 4096).min(other.len());
            overwrite(input, at, &other[from..end]);
        }
    }
}

fn overwrite(input: &mut [u8], at: usize, bytes: &[u8]) {
    let end = (at + bytes.len()).min(input.len());
    input[at..end].copy_from_slice(&bytes[..end - at]);
}
