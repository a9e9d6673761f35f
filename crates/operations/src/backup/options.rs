//! What a user may ask of a backup.

use super::snapshot::Instants;
use crate::sets::ProofKey;
use crate::sets::manifest::Kind;
use std::path::PathBuf;

/// What a user may ask of a backup.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The user vouches that nothing has the files open, where locks cannot tell: recorded in the manifest.
    pub assume_dismounted: bool,
    /// Databases that are left out on purpose: names or paths as the logs have them.
    pub without: Vec<String>,
    /// Files that configuration names: each must be there (P8).
    pub configured: Vec<PathBuf>,
    /// What configuration says of circular logging; none: the logs alone tell.
    pub circular: Option<bool>,
    /// Publish a set with damaged pages, marked as not restorable as it is.
    pub keep_damage: bool,
    /// Accept the loss of what committed in logs that are not in the image (P71).
    pub accept_loss: bool,
    /// From which instants an image comes.
    pub instants: Instants,
    /// Where an image is replayed to prove it; an empty folder is made inside, and removed. None: it is not proved.
    pub scratch: Option<PathBuf>,
    /// Do not read the set back once it is published (P13): it counts as not proved until a drill does.
    pub prove_later: bool,
    /// Hash every row of clean databases from the source, so that drills can compare what they restore with it.
    pub hash_rows: bool,
    /// Signs the proof; none: the key that lies in the vault, where one does.
    pub proof_key: Option<ProofKey>,
    /// Bytes a second at most, over all files; none: no limit.
    pub bytes_per_second: Option<u64>,
    /// Bytes that are free where the vault lies; none: nobody knows.
    pub free_bytes: Option<u64>,
    /// What an online set is that was made elsewhere, where its files do not tell: a copy has those of a full set, a differential one those of
    /// an incremental one.
    pub online_kind: Option<Kind>,
    /// On which machine this is.
    pub host: String,
    /// Free text.
    pub label: String,
}

impl Options {
    /// Whether a database is left out on purpose: by its whole path or its last component, whatever the case (trap O16).
    #[must_use]
    pub fn leaves_out(&self, path: &str) -> bool {
        let name = |path: &str| path.rsplit(['\\', '/', ':']).next().unwrap_or_default().to_lowercase();
        self.without.iter().any(|wanted| wanted.to_lowercase() == path.to_lowercase() || wanted.to_lowercase() == name(path))
    }
}
