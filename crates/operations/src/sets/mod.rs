//! What is said of a set beside its bytes: the manifest with which it is published, the proofs attached to it later, and the history that
//! the sets of a vault make together.

pub mod contents;
pub mod facts;
pub mod history;
mod label;
pub mod manifest;
mod moment;
pub mod proof;
pub mod reach;
pub mod signature;
mod wire;

pub use facts::{DatabaseFacts, LogFacts, LogState, Stamp};
pub use history::{History, KnownSet, StoredLog};
pub use label::{hold, label};
pub use manifest::{
    Attached, Environment, FilePart, Kind, Level, Manifest, ManifestError, Note, Owner, PageCounts, Promise, Role, StreamPart,
};
pub use moment::Moment;
pub use proof::{Contents, Figures, Proof, ReplayProof, ToldProof};
pub use reach::{Reach, Reaches};
pub use signature::{ProofKey, ProofKeys, PublicKey, Signed};
