//! Which sets are drilled, where not all are.

use crate::sets::{History, KnownSet, Level};
use anchorlog_vault::SetId;
use sha2::{Digest as _, Sha256};

/// How many sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// All.
    All,
    /// So many.
    Count(usize),
    /// So many of a hundred, 1 to 100: rounded up.
    Percent(usize),
}

impl Sample {
    /// Of so many sets.
    fn of(self, sets: usize) -> usize {
        match self {
            Self::All => sets,
            Self::Count(count) => count.min(sets),
            Self::Percent(percent) => sets.saturating_mul(percent.min(100)).div_ceil(100),
        }
    }
}

/// The sets with databases that were never proved by a replay, then those whose last such proof is oldest; `seed` decides between equals.
/// Logs alone are proved with the sets that they are rolled forward from.
#[must_use]
pub fn sample(history: &History, sample: Sample, seed: u64) -> Vec<SetId> {
    let replayed = |set: &KnownSet| {
        let proofs = set.proofs.iter().filter(|proof| proof.counts() && proof.level >= Level::L3);
        proofs.filter_map(|proof| proof.made.milliseconds()).max()
    };
    let chance = |set: &KnownSet| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(set.id.as_str());
        hash.finalize().into()
    };
    let with_databases = history.sets.iter().filter(|set| set.manifest.kind.has_databases());
    let mut sets: Vec<_> = with_databases.map(|set| (replayed(set), chance(set), set.id.clone())).collect();
    sets.sort();
    sets.truncate(sample.of(sets.len()));
    sets.into_iter().map(|(.., id)| id).collect()
}
