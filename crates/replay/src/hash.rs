//! Hash maps whose keys are small numbers: looked up several times for each record.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map with a hash that is quick for small keys, and that nobody can foresee, so that no log can be made to slow it down.
pub type Map<K, V> = HashMap<K, V, Seeded>;

/// A different start for each map.
#[derive(Clone)]
pub struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0_u8))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folding;
    fn build_hasher(&self) -> Folding {
        Folding { state: self.0, seed: self.0 | 1 }
    }
}

/// Multiplies each number into the state and folds both halves of the product together.
pub struct Folding {
    state: u64,
    seed: u64,
}

/// An odd number without a pattern: the digits of the golden ratio.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

impl Folding {
    fn add(&mut self, number: u64) {
        self.state = folded(self.state ^ number ^ MIX, self.seed ^ MIX.rotate_left(32));
    }
}

fn folded(a: u64, b: u64) -> u64 {
    let [low, high] = halves(u128::from(a) * u128::from(b));
    low ^ high
}

fn halves(product: u128) -> [u64; 2] {
    let bytes = product.to_le_bytes();
    let half = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    [half(0), half(8)]
}

impl Hasher for Folding {
    /// Once more with a number that is known to be good: of what chance gives as a start, one in some hundred puts numbers that lie
    /// evenly into few places.
    fn finish(&self) -> u64 {
        folded(self.state, MIX)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut number = [0; 8];
            number[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(number));
        }
    }
    fn write_u8(&mut self, number: u8) {
        self.add(number.into());
    }
    fn write_u16(&mut self, number: u16) {
        self.add(number.into());
    }
    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }
    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchorlog_testkit::random::Random;

    #[test]
    fn numbers_in_a_row_and_multiples_of_powers_of_two_spread_over_the_low_bits() {
        let mut random = Random::new(1);
        for start in (0..1000).map(|_| random.next()) {
            let hash = Seeded(start);
            for step in [1_u32, 16, 4096, 1 << 20] {
                let mut buckets = [0_u32; 256];
                for number in 0..4096_u32 {
                    let low = usize::try_from(hash.hash_one(number.wrapping_mul(step)) & 0xFF).unwrap();
                    buckets[low] += 1;
                }
                let most = buckets.iter().max().unwrap();
                assert!(*most < 64, "{most} of 4096 numbers in one of 256 places (step {step}, start {start:#x})");
            }
        }
    }
}
