//! What the tests of restores share.

use crate::backup_common::back_up;
pub use crate::backup_common::{ambient, copy_of, digests, edit_header, edit_log, history};
use anchorlog_operations::backup;
use anchorlog_operations::recover::Progress;
use anchorlog_operations::restore::set::{Error, Options, Plan, Report, Target, make, plan};
use anchorlog_operations::sets::KnownSet;
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::{SetId, Vault};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A vault with what was stored in it.
pub struct Store {
    pub vault: Arc<dyn Vault>,
}

impl Store {
    pub fn new() -> Self {
        Self { vault: Arc::new(MemoryVault::new()) }
    }
    /// An offline set of a folder.
    pub fn add(&self, folder: &Path) -> SetId {
        self.add_with(folder, &backup::Options::default())
    }
    pub fn add_with(&self, folder: &Path, options: &backup::Options) -> SetId {
        back_up(folder, &*self.vault, options).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).set
    }
    /// A set of the closed logs of a folder.
    pub fn add_logs(&self, folder: &Path) -> SetId {
        let sources = crate::backup_common::gather(folder);
        let options = backup::Options::default();
        let plan = backup::logs::plan(&sources, &history(&*self.vault), &options);
        backup::make(&plan, &sources, &*self.vault, &ambient(), &mut ()).unwrap_or_else(|error| panic!("{error}")).set
    }
    pub fn set(&self, id: &SetId) -> KnownSet {
        history(&*self.vault).sets.into_iter().find(|set| set.id == *id).unwrap()
    }
    pub fn plan(&self, id: &SetId, target: &Target, options: &Options) -> Plan {
        plan(&self.vault, &self.set(id), target, options).unwrap_or_else(|error| panic!("{error}"))
    }
    pub fn restore(&self, id: &SetId, target: &Target, options: &Options) -> Result<Report, Error> {
        self.restore_with(id, target, options, &mut ())
    }
    pub fn restore_with(
        &self,
        id: &SetId,
        target: &Target,
        options: &Options,
        progress: &mut dyn Progress,
    ) -> Result<Report, Error> {
        make(&self.plan(id, target, options), &ambient(), progress)
    }
    /// A restore is refused for exactly these numbers; the target is as it was.
    pub fn refused(&self, id: &SetId, target: &Target, options: &Options, expected: &[&str]) -> Vec<backup::Predicate> {
        let before = digests_of(target.path());
        let error = self.restore(id, target, options).map(|report| report.proven).expect_err("it must be refused");
        let Error::Refused(predicates) = error else { panic!("{error}") };
        let mut found: Vec<String> =
            predicates.iter().map(|predicate| format!("{} {}", predicate.id, predicate.refusal.unwrap())).collect();
        found.sort();
        found.dedup();
        assert_eq!(found, expected, "{predicates:#?}");
        assert!(predicates.iter().all(|predicate| !predicate.next.is_empty() && !predicate.read.is_empty()));
        assert_eq!(digests_of(target.path()), before);
        predicates
    }
}

pub fn digests_of(folder: &Path) -> std::collections::BTreeMap<String, String> {
    if folder.is_dir() { digests(folder) } else { Default::default() }
}

/// A folder that does not exist yet.
pub fn fresh() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    (folder, out)
}

/// All predicates of a number, as text.
pub fn told(plan: &Plan, id: &str) -> Vec<String> {
    plan.predicates.iter().filter(|predicate| predicate.id == id).map(ToString::to_string).collect()
}

/// Predicates that do not hold, as numbers with their codes, each once.
pub fn breaches(plan: &Plan) -> Vec<String> {
    let broken = plan.predicates.iter().filter(|predicate| !predicate.holds);
    let mut all: Vec<String> = broken.map(|predicate| format!("{} {}", predicate.id, predicate.refusal.unwrap())).collect();
    all.sort();
    all.dedup();
    all
}
