//! Two lists compared without being kept: what one side calls for, and what the other side has.
//!
//! Each list is cut into buckets by a hash of its items; of each bucket a count and a sum are kept. Where they differ, the items of
//! those buckets, a small part of all, are looked at one by one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets of a list.
const BUCKETS: usize = 256;

/// One of the two lists. Items may be added by several threads, in any order.
pub(super) struct Ledger {
    buckets: Box<[Bucket]>,
}

#[derive(Default)]
struct Bucket {
    count: AtomicU64,
    sum: AtomicU64,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Bucket::default()).collect() }
    }
    /// Adds the item with this hash, so many times.
    pub(super) fn add(&self, hash: u64, times: u64) {
        let bucket = &self.buckets[bucket_of(hash)];
        bucket.count.fetch_add(times, Relaxed);
        bucket.sum.fetch_add(hash.wrapping_mul(times), Relaxed);
    }
    /// Items in the list.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |all, bucket| all.wrapping_add(bucket.count.load(Relaxed)))
    }
    /// Buckets in which the two lists differ.
    pub(super) fn differing(&self, other: &Self) -> Vec<usize> {
        let numbers = |bucket: &Bucket| (bucket.count.load(Relaxed), bucket.sum.load(Relaxed));
        (0..BUCKETS).filter(|&at| numbers(&self.buckets[at]) != numbers(&other.buckets[at])).collect()
    }
}

/// The bucket of an item.
pub(super) fn bucket_of(hash: u64) -> usize {
    // The top bits of a multiplication are its best ones.
    usize::try_from(hash >> 56).unwrap_or(0)
}

/// A hash of an item of two parts: fast, even, and the same in every run. It guards against damage, not against malice.
pub(super) fn hash(first: &[u8], second: &[u8]) -> u64 {
    let length = u64::try_from(first.len()).unwrap_or(0);
    mix(bytes(bytes(SEED, first) ^ length, second), SEED)
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

fn bytes(mut state: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = mix(state ^ u64::from_le_bytes(*word), 0xD6E8_FEB8_6659_FD93);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let length = u64::try_from(bytes.len()).unwrap_or(0);
    mix(state ^ u64::from_le_bytes(last), 0xA076_1D64_78BD_642F ^ length)
}

fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let [low, high] = [product, product >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    // A factor of zero must not swallow the other.
    (low ^ high) ^ a.rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_same_items_agree_in_any_order_and_differ_where_one_item_does() {
        let (left, right) = (Ledger::new(), Ledger::new());
        for item in 0_u32..10_000 {
            left.add(hash(&item.to_le_bytes(), b"x"), 1);
            right.add(hash(&(9_999 - item).to_le_bytes(), b"x"), 1);
        }
        assert_eq!(left.differing(&right), Vec::<usize>::new());
        right.add(hash(&5_u32.to_le_bytes(), b"y"), 1);
        assert_eq!(left.differing(&right), [bucket_of(hash(&5_u32.to_le_bytes(), b"y"))]);
        assert_eq!(right.count(), 10_001);
    }

    #[test]
    fn where_the_two_parts_of_an_item_meet_matters() {
        assert_ne!(hash(b"ab", b"c"), hash(b"a", b"bc"));
        assert_ne!(hash(b"", b"\0"), hash(b"", b""));
        let mut buckets = [0_u32; BUCKETS];
        (0_u64..25_600).for_each(|item| buckets[bucket_of(hash(&item.to_be_bytes(), b""))] += 1);
        assert!(buckets.iter().all(|&count| (40..200).contains(&count)), "{buckets:?}");
    }
}
