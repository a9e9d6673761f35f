//! What the tests of restores share.

use crate::backup_common::back_up;
pub use crate::backup_common::{ambient, copy_of, digests, edit_log, history};
use anchorlog_operations::backup;
use anchorlog_operations::recover::Progress;
use anchorlog_operations::restore::set::{Error, Options, Plan, Report, Target, make, plan};
use anchorlog_operations::sets::{KnownSet, Manifest};
use anchorlog_testkit::data::engine_set;
use anchorlog_vault::memory::MemoryVault;
use anchorlog_vault::{Name, NewSet, SetId, Vault};
use std::collections::BTreeMap;
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
    /// A set of an image.
    pub fn add_image(&self, folder: &Path) -> SetId {
        let sources = crate::backup_common::gather(folder);
        let plan = backup::snapshot::plan(&sources, &history(&*self.vault), &backup::Options::default()).unwrap();
        backup::make(&plan, &sources, &*self.vault, &ambient(), &mut ()).unwrap_or_else(|error| panic!("{error}")).set
    }
    /// Another set, with other bytes or another manifest than a backup would make. Hashes are made to fit, unless `keep_hashes`.
    pub fn edited(
        &self,
        id: &SetId,
        keep_hashes: bool,
        edit: impl FnOnce(&mut Manifest, &mut BTreeMap<String, Vec<u8>>),
    ) -> SetId {
        let mut manifest = self.set(id).manifest;
        let stream = |name: &Name| crate::backup_common::stream(&*self.vault, id, name);
        let mut streams: BTreeMap<String, Vec<u8>> =
            manifest.files.iter().map(|file| (file.name.to_string(), stream(&file.name))).collect();
        edit(&mut manifest, &mut streams);
        manifest.files.retain(|file| streams.contains_key(file.name.as_str()));
        let mut writer = self.vault.begin_set(NewSet::default()).unwrap();
        for file in &mut manifest.files {
            let bytes = &streams[file.name.as_str()];
            let receipt = writer.stream(&file.name, &mut bytes.as_slice()).unwrap();
            if !keep_hashes {
                (file.size, file.blake3) = (receipt.bytes, receipt.blake3);
                if let Some(facts) = &mut file.database {
                    let page = anchorlog_format::database::HeaderPage::elect(bytes).unwrap().0;
                    *facts = anchorlog_operations::sets::DatabaseFacts::of(&page.header, page.page_size());
                }
            }
        }
        writer.publish(&manifest.to_bytes().unwrap()).unwrap()
    }
    pub fn set(&self, id: &SetId) -> KnownSet {
        history(&*self.vault).sets.into_iter().find(|set| set.id == *id).unwrap()
    }
    pub fn plan(&self, id: &SetId, target: &Target, options: &Options) -> Plan {
        plan(&self.vault, &history(&*self.vault), id, target, options).unwrap_or_else(|error| panic!("{error}"))
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
        crate::backup_common::are_these(&predicates, expected);
        assert_eq!(digests_of(target.path()), before);
        predicates
    }
}

/// Two databases of one group: a set of them, what it was made of, and the group as it stood later, as the target.
pub struct Group {
    pub store: Store,
    pub id: SetId,
    pub source: tempfile::TempDir,
    pub folder: tempfile::TempDir,
    pub target: Target,
    /// Only the first of both comes back.
    pub one: Options,
}

impl Group {
    /// None where the data is not there.
    pub fn new() -> Option<Self> {
        let set = engine_set("rollforward-crash-2db")?;
        let (source, folder, store) = (copy_of(&set.name, "before"), copy_of(&set.name, "after"), Store::new());
        let (id, target) = (store.add(source.path()), Target::Over(folder.path().to_owned()));
        let one = Options { databases: vec!["db1.edb".into()], ..Options::default() };
        Some(Self { store, id, source, folder, target, one })
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
    crate::backup_common::numbers(plan.predicates.iter().filter(|predicate| !predicate.holds))
}

/// Changes the header of a database in memory, both copies.
pub fn edit_bytes(bytes: &mut [u8], edit: impl FnOnce(&mut anchorlog_format::database::DatabaseHeader)) {
    let (mut page, _) = anchorlog_format::database::HeaderPage::elect(bytes).unwrap();
    edit(&mut page.header);
    let header = page.to_bytes();
    bytes[..header.len()].copy_from_slice(&header);
    bytes[header.len()..2 * header.len()].copy_from_slice(&header);
}

/// Everything in a folder, hidden entries as well.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
