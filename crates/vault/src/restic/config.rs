//! `config`: what holds for a whole repository, fixed when it is made.

use crate::restic::crypto::random;
use crate::restic::{Id, ObjectLock};
use serde::{Deserialize, Serialize};
use std::io;

/// Smallest and largest chunk in bytes: no chunk is less than the largest page.
pub const CHUNK_SIZES: std::ops::RangeInclusive<usize> = 32 << 10..=4 << 20;

/// What holds for a whole repository. The first three fields are restic's, the others rustic's, and the last one this program's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Version of the format: 2.
    pub version: u32,
    /// Identity of the repository.
    pub id: Id,
    /// Polynomial of restic's own chunker, hexadecimal. Only restic uses it.
    pub chunker_polynomial: String,
    /// How streams are cut: always `FixedSize` here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunker: Option<String>,
    /// Size of a chunk in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_size: Option<usize>,
    /// Whether sets are never to be forgotten. A promise of this program and of rustic: restic does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append_only: Option<bool>,
    /// Level of zstd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<i32>,
    /// Size in bytes at which a pack of data is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datapack_size: Option<u32>,
    /// 0: packs do not grow with the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datapack_growfactor: Option<u32>,
    /// Size in bytes at which a pack of trees is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treepack_size: Option<u32>,
    /// 0: packs do not grow with the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treepack_growfactor: Option<u32>,
    /// For how long the storage keeps each object. Only this program knows it.
    #[serde(rename = "anchorlog_object_lock", default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
}

impl Config {
    /// For a new repository.
    ///
    /// # Errors
    /// No random numbers to be had.
    pub fn new(chunk_size: usize, append_only: bool, compression: i32) -> io::Result<Self> {
        Ok(Self {
            version: 2,
            id: Id::from_bytes(random()?),
            chunker_polynomial: format!("{:x}", random_polynomial()?),
            chunker: Some("FixedSize".into()),
            chunk_size: Some(chunk_size),
            append_only: append_only.then_some(true),
            compression: Some(compression),
            datapack_size: Some(32 << 20),
            datapack_growfactor: Some(0),
            treepack_size: Some(4 << 20),
            treepack_growfactor: Some(0),
            object_lock: None,
        })
    }

    /// The size of a chunk in bytes; why this repository cannot be written where it is unfit.
    ///
    /// # Errors
    /// Another version, another chunker, a size that holds no whole number of pages.
    pub fn check(&self) -> Result<usize, String> {
        if self.version != 2 {
            return Err(format!("its version is {}, not 2", self.version));
        }
        if self.chunker.as_deref() != Some("FixedSize") {
            return Err("it was not made by this program: its streams are not cut at a fixed size".into());
        }
        let size = self.chunk_size.unwrap_or_default();
        valid_chunk_size(size)
            .then_some(size)
            .ok_or_else(|| format!("chunks of {size} bytes are none of a power of two from 32 KiB to 4 MiB"))
    }
}

/// Whether chunks may have this size: a power of two, so that both pages and segments are a whole number of chunks or the reverse.
#[must_use]
pub fn valid_chunk_size(size: usize) -> bool {
    CHUNK_SIZES.contains(&size) && size.is_power_of_two()
}

const DEGREE: u32 = 53;

/// A random irreducible polynomial of degree 53 over GF(2), as restic demands one.
fn random_polynomial() -> io::Result<u64> {
    loop {
        let polynomial = u64::from_le_bytes(random()?) & ((1 << DEGREE) - 1) | 1 << DEGREE | 1;
        if irreducible(polynomial) {
            return Ok(polynomial);
        }
    }
}

/// Rabin's test, for the prime degree 53: `x^(2^53) = x` modulo the polynomial, which has no root in GF(2).
fn irreducible(polynomial: u64) -> bool {
    let has_root = polynomial & 1 == 0 || polynomial.count_ones().is_multiple_of(2);
    let x = 0b10;
    !has_root && (0..DEGREE).fold(x, |power, _| multiply(power, power, polynomial)) == x
}

fn multiply(mut a: u64, mut b: u64, modulus: u64) -> u64 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        b >>= 1;
        a <<= 1;
        if a >> DEGREE & 1 != 0 {
            a ^= modulus;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomial_of_restics_own_tests_is_irreducible_and_its_neighbours_are_not() {
        assert!(irreducible(0x003D_A335_8B4D_C173));
        assert!(!irreducible(0x003D_A335_8B4D_C172) && !irreducible(0x003D_A335_8B4D_C171) && !irreducible(1 << 53 | 1));
    }

    #[test]
    fn chunks_are_a_power_of_two_from_32_kib_to_4_mib() {
        let good: Vec<usize> = (0..=8 << 20).step_by(1 << 14).filter(|size| valid_chunk_size(*size)).collect();
        assert_eq!(good, [15, 16, 17, 18, 19, 20, 21, 22].map(|bits| 1_usize << bits));
    }

    #[test]
    fn a_chunk_size_of_zero_is_refused() {
        let mut config = Config::new(1 << 16, false, 1).unwrap();
        assert_eq!(config.check(), Ok(1 << 16));
        config.chunk_size = Some(0);
        assert!(config.check().is_err());
        config.chunk_size = None;
        assert!(config.check().is_err());
    }
}
